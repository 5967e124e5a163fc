.PHONY: check-tap
check-tap:
	@test/t/run $(TESTS)
