# make check-vectors [VECTORS=<directory>]: the codecs against every golden vector.
# make bench-wire: speed of the record codecs (no pass or fail).

VECTORS ?= test/data/vectors
CHECK_VECTORS = $(BUILD)/plain/test/vectors/check_vectors
WIRE_BENCH = $(BUILD)/plain/test/bench/wire_bench

$(CHECK_VECTORS): $(call plain_objs,$(wildcard test/vectors/*.c) $(WIRE_SRC))
	$(TEST_CC) -o $@ $^ $(TEST_LIBS)

$(WIRE_BENCH): $(call plain_objs,test/bench/wire_bench.c $(WIRE_SRC))
	$(TEST_CC) -o $@ $^ $(TEST_LIBS)

.PHONY: check-vectors bench-wire
check-vectors: $(CHECK_VECTORS)
	@$(CHECK_VECTORS) $(VECTORS)

bench-wire: $(WIRE_BENCH)
	@$(WIRE_BENCH)

# protobuf-c as the oracle of the LogGroup codec
PROTO = $(BUILD)/proto/log.pb-c
$(PROTO).c: test/data/proto/log.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $<

SLS_ORACLE_USERS = $(BUILD)/asan/test/unit/test_sls $(BUILD)/fuzz/test/fuzz/fuzz_sls
$(addsuffix .o,$(SLS_ORACLE_USERS)): $(PROTO).c
$(addsuffix .o,$(SLS_ORACLE_USERS)): TEST_CFLAGS += -I$(BUILD)/proto
$(BUILD)/asan/test/unit/test_sls: $(BUILD)/asan/$(PROTO).o
$(BUILD)/fuzz/fuzz_sls: $(BUILD)/fuzz/$(PROTO).o

# protobuf-c as the oracle of the Tablestore messages
OTS_PROTO = $(BUILD)/proto/ots.pb-c
$(OTS_PROTO).c: test/data/proto/ots.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $<

OTS_ORACLE_USERS = $(BUILD)/asan/test/unit/test_ots_msg $(BUILD)/asan/test/unit/test_ots_answer
$(addsuffix .o,$(OTS_ORACLE_USERS)): $(OTS_PROTO).c
$(addsuffix .o,$(OTS_ORACLE_USERS)): TEST_CFLAGS += -I$(BUILD)/proto
$(OTS_ORACLE_USERS): $(BUILD)/asan/$(OTS_PROTO).o
