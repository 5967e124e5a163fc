# make check-sdk: the official SDKs as judges of emulator and extension
.PHONY: check-sdk
check-sdk:
	@test/sdk/run
