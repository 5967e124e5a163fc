# make check-unit: every test/unit/test_*.c is one program, linked with all code
# that needs no PostgreSQL, built with ASan and UBSan.

UNIT_TESTS = $(patsubst %.c,$(BUILD)/asan/%,$(sort $(wildcard test/unit/test_*.c)))
UNIT_LIB = $(BUILD)/asan/libmc.a

$(UNIT_LIB): $(call asan_objs,$(WIRE_SRC) $(NET_SRC) $(SERVICE_SRC))
	@rm -f $@
	ar rcs $@ $^

$(UNIT_TESTS): %: %.o $(UNIT_LIB)
	$(SAN_CC) $(SAN_FLAGS) -o $@ $^ $(TEST_LIBS)

.PRECIOUS: $(BUILD)/asan/%.o

.PHONY: check-unit
check-unit: $(UNIT_TESTS)
	@sh test/unit/run.sh $^
