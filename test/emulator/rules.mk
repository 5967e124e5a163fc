# make emulator: test/emulator/mc-emulator; make emulator-asan: build/asan/mc-emulator
EMU_SRC = $(wildcard test/emulator/*.c)
EMU_BIN = test/emulator/mc-emulator

.PHONY: emulator emulator-asan
emulator: $(EMU_BIN)
emulator-asan: $(BUILD)/asan/mc-emulator

# of the wire layer only what the emulator uses
$(BUILD)/plain/libwire.a: $(call plain_objs,$(WIRE_SRC))
$(BUILD)/asan/libwire.a: $(call asan_objs,$(WIRE_SRC))
$(BUILD)/plain/libwire.a $(BUILD)/asan/libwire.a:
	rm -f $@
	ar rcs $@ $^

$(EMU_BIN): $(call plain_objs,$(EMU_SRC)) $(BUILD)/plain/libwire.a
	$(TEST_CC) $(TEST_CFLAGS) -o $@ $^ $(TEST_LIBS)

$(BUILD)/asan/mc-emulator: $(call asan_objs,$(EMU_SRC)) $(BUILD)/asan/libwire.a
	$(SAN_CC) $(TEST_CFLAGS) $(SAN_FLAGS) -o $@ $^ $(TEST_LIBS)

EXTRA_CLEAN += $(EMU_BIN)

.PHONY: check-emulator check-emulator-asan
check-emulator: $(EMU_BIN)
	test/emulator/selftests $(EMU_BIN)

check-emulator-asan: $(BUILD)/asan/mc-emulator
	test/emulator/selftests $(BUILD)/asan/mc-emulator ots_fuzz oss_fuzz
