.PHONY: check-docs
check-docs:
	@test/docs/run
