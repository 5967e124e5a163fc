.PHONY: check-diff check-rows
check-diff:
	@test/diff/run $(DIFF)

# readers of csv and text against COPY FROM
ROWS_READ = $(BUILD)/plain/test/diff/rows_read

$(ROWS_READ): $(call plain_objs,test/diff/rows_read.c $(WIRE_SRC))
	$(TEST_CC) -o $@ $^ $(TEST_LIBS)

check-rows: $(ROWS_READ)
	@test/diff/rows $(ROWS)
