.PHONY: bench
bench:
	@ONLY='$(ONLY)' test/bench/run
