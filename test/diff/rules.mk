.PHONY: check-diff check-rows check-types
check-diff:
	@test/diff/run $(DIFF)

# readers of csv and text against COPY FROM
ROWS_READ = $(BUILD)/plain/test/diff/rows_read

$(ROWS_READ): $(call plain_objs,test/diff/rows_read.c $(WIRE_SRC))
	$(TEST_CC) -o $@ $^ $(TEST_LIBS)

check-rows: $(ROWS_READ)
	@test/diff/rows $(ROWS)

# foreign tables of OSS with typed columns against COPY FROM
check-types: all emulator
	@test/diff/types $(TYPES)
