.PHONY: check-diff
check-diff:
	@test/diff/run $(DIFF)
