# make check-fuzz: every test/fuzz/fuzz_*.c is a libFuzzer target; each replays
# its corpus and then explores for a few seconds.
# make fuzz: each explores for FUZZ_SECONDS; new inputs go to build/fuzz/found.

FUZZ_SECONDS ?= 600
FUZZ_CHECK_SECONDS ?= 5
FUZZ_FLAGS = -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
FUZZ_TARGETS = $(patsubst test/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
FUZZ_LIB = $(BUILD)/fuzz/libmc.a

$(BUILD)/fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(SAN_CC) $(TEST_CFLAGS) $(FUZZ_FLAGS) -c -o $@ $<

$(FUZZ_LIB): $(patsubst %.c,$(BUILD)/fuzz/%.o,$(WIRE_SRC) $(NET_SRC) $(SERVICE_SRC))
	@rm -f $@
	ar rcs $@ $^

$(FUZZ_TARGETS): $(BUILD)/fuzz/%: $(BUILD)/fuzz/test/fuzz/%.o $(FUZZ_LIB)
	$(SAN_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(TEST_LIBS)

.PRECIOUS: $(BUILD)/fuzz/%.o

.PHONY: check-fuzz fuzz
check-fuzz: $(FUZZ_TARGETS)
	@sh test/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_CHECK_SECONDS) $^

fuzz: $(FUZZ_TARGETS)
	@sh test/fuzz/run.sh $(BUILD)/fuzz $(FUZZ_SECONDS) $^
