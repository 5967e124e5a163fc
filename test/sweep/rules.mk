.PHONY: sweep check-sweep
sweep:
	@test/sweep/run

check-sweep:
	@test/sweep/run --short
