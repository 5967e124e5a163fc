# Everything that is not the extension itself: tests, emulator, demo, bench.
# Programs without PostgreSQL are built below build/: build/plain (optimised) and
# build/asan (ASan + UBSan, clang).

BUILD = build
TEST_CC = gcc
SAN_CC = clang-14
TEST_CFLAGS = -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -D_GNU_SOURCE -MMD -MP $(shell pkg-config --cflags $(PKGS))
SAN_FLAGS = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
TEST_LIBS = $(shell pkg-config --libs $(PKGS)) -lsnappy -lbz2 -lpthread -lm

WIRE_SRC = $(wildcard src/wire/*.c)
NET_SRC = $(wildcard src/net/*.c)
SERVICE_SRC = $(wildcard src/service/*.c)

$(BUILD)/plain/%.o: %.c
	@mkdir -p $(@D)
	$(TEST_CC) $(TEST_CFLAGS) -c -o $@ $<

$(BUILD)/asan/%.o: %.c
	@mkdir -p $(@D)
	$(SAN_CC) $(TEST_CFLAGS) $(SAN_FLAGS) -c -o $@ $<

plain_objs = $(patsubst %.c,$(BUILD)/plain/%.o,$(1))
asan_objs = $(patsubst %.c,$(BUILD)/asan/%.o,$(1))

include $(wildcard test/*/rules.mk)
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: check-lint check-regress valgrind asan
check-lint:
	@test/lint

check-regress:
	@test/regress.sh $(TESTS)

# the regression tests in a server under valgrind: twenty times slower, expected output unchanged
valgrind:
	@MC_VALGRIND=1 test/regress.sh $(TESTS)

# what has no server: unit tests, fuzz targets and the emulator's own tests
asan: check-unit check-fuzz check-emulator-asan

EXTRA_CLEAN += $(BUILD)
