# The targets a newcomer types first.  They install what is missing and then start
# make anew, because the packages bring pg_config itself.

# the order: quick and local first
SUITES ?= lint unit vectors fuzz rows types emulator regress diff tap sweep sdk docs

.PHONY: check demo deps help
check:
	@test/deps && test/deps sdk && test/check $(SUITES)

demo:
	@test/deps && test/demo.sh

deps:
	test/deps

help:
	@sed -n 's/^#   make/make/p' Makefile; \
	while read -r name text; do printf 'make %-22s %s\n' "$$name" "$$text"; done <test/targets
