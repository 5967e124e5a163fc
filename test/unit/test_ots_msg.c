/*
 * test_ots_msg.c
 *		Requests of Tablestore against protobuf-c: what is written is read and packed
 *		again to the same bytes.  Filters and their limits, framing.
 */
#include "ots_oracle.h"

/* ---- requests ---- */

static const mcw_view two_columns[] = {{"k", 1}, {"column", 6}};

static void
test_get_range(void)
{
	mcw_ots_read_options options = {
		.table = MCW_LIT("t1"), .columns = two_columns, .ncolumns = 2, .filter = MCW_LIT("\x08\x01"),
		.max_versions = 3, .has_time_range = true, .start_time = 5, .end_time = INT64_MAX
	};
	mcw_ots_read_options plain = {.table = MCW_LIT("t1"), .max_versions = 1};
	Ots__GetRangeRequest *request;

	begin();
	CHECK_OK(mcw_ots_put_get_range(&out, &options, true, MCW_LIT("begin"), MCW_LIT("end"), 5000));
	request = (Ots__GetRangeRequest *) unpack(&ots__get_range_request__descriptor);
	CHECK_STR(request->table_name, "t1");
	CHECK_INT(request->direction, 1);
	CHECK_INT(request->n_columns_to_get, 2);
	CHECK_STR(request->columns_to_get[1], "column");
	CHECK_INT(request->time_range->start_time, 5);
	CHECK_INT(request->time_range->end_time, INT64_MAX);
	CHECK_INT(request->max_versions, 3);
	CHECK_INT(request->limit, 5000);
	CHECK_VIEW(view_of(request->inclusive_start_primary_key), MCW_LIT("begin"));
	CHECK_VIEW(view_of(request->exclusive_end_primary_key), MCW_LIT("end"));
	CHECK_VIEW(view_of(request->filter), options.filter);
	release(request);

	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_get_range(&out, &plain, false, MCW_LIT("b"), MCW_LIT("e"), 0));
	request = (Ots__GetRangeRequest *) unpack(&ots__get_range_request__descriptor);
	CHECK(!request->has_filter && !request->has_limit && request->time_range == NULL && request->n_columns_to_get == 0);
	CHECK_INT(request->direction, 0);
	release(request);
	end();
}

static void
test_get_rows(void)
{
	mcw_ots_read_options options = {
		.table = MCW_LIT("t1"), .columns = two_columns, .ncolumns = 2, .filter = MCW_LIT("F"),
		.max_versions = 1, .has_time_range = true, .start_time = 0, .end_time = 9
	};
	mcw_view	keys[MCW_OTS_MAX_BATCH_GET + 1];
	Ots__GetRowRequest *one;
	Ots__BatchGetRowRequest *many;

	begin();
	CHECK_OK(mcw_ots_put_get_row(&out, &options, MCW_LIT("key")));
	one = (Ots__GetRowRequest *) unpack(&ots__get_row_request__descriptor);
	CHECK_VIEW(view_of(one->primary_key), MCW_LIT("key"));
	CHECK_VIEW(view_of(one->filter), MCW_LIT("F"));
	CHECK_INT(one->time_range->end_time, 9);
	CHECK_INT(one->n_columns_to_get, 2);
	release(one);

	for (int i = 0; i <= MCW_OTS_MAX_BATCH_GET; i++)
		keys[i] = i % 2 ? MCW_LIT("odd") : MCW_LIT("a key that is longer");
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_batch_get_row(&out, &options, keys, MCW_OTS_MAX_BATCH_GET));
	many = (Ots__BatchGetRowRequest *) unpack(&ots__batch_get_row_request__descriptor);
	CHECK_INT(many->n_tables, 1);
	CHECK_INT(many->tables[0]->n_primary_key, MCW_OTS_MAX_BATCH_GET);
	CHECK_VIEW(view_of(many->tables[0]->primary_key[99]), MCW_LIT("odd"));
	CHECK_VIEW(view_of(many->tables[0]->filter), MCW_LIT("F"));
	CHECK_INT(many->tables[0]->max_versions, 1);
	release(many);
	CHECK_INT(mcw_ots_put_batch_get_row(&out, &options, keys, MCW_OTS_MAX_BATCH_GET + 1), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_ots_put_batch_get_row(&out, &options, keys, 0), MCW_ERR_ARGUMENT);
	end();
}

static void
test_batch_write(void)
{
	mcw_view	changes[MCW_OTS_MAX_BATCH_ROWS + 1];
	static char big[20000];
	const mcw_view big_row = {big, sizeof(big)};
	Ots__BatchWriteRowRequest *request;
	Ots__RowInBatchWriteRowRequest **rows;
	mcw_buf		change;

	begin();
	for (int i = 0; i <= MCW_OTS_MAX_BATCH_ROWS; i++)
	{
		mcw_buf_init(&change, &mcw_malloc, MAX_BODY);
		CHECK_OK(mcw_ots_put_row_change(&change, (mcw_ots_change) (1 + i % 3), (mcw_ots_existence) (i % 3),
										i % 2 ? MCW_LIT("condition") : MCW_LIT(""), (mcw_ots_return) (i % 3),
										i % 7 ? MCW_LIT("row") : big_row));
		CHECK_OK(mcw_arena_copy(&arena, mcw_buf_view(&change), &changes[i]));
		mcw_buf_free(&change);
	}
	for (int n = 1; n <= MCW_OTS_MAX_BATCH_ROWS; n += 199)
	{
		mcw_buf_reset(&out);
		CHECK_OK(mcw_ots_put_batch_write(&out, MCW_LIT("table"), changes, n));
		request = (Ots__BatchWriteRowRequest *) unpack(&ots__batch_write_row_request__descriptor);
		CHECK_INT(request->n_tables, 1);
		CHECK_STR(request->tables[0]->table_name, "table");
		CHECK_INT(request->tables[0]->n_rows, n);
		rows = request->tables[0]->rows;
		for (int i = 0; i < n; i++)
		{
			CHECK_INT(rows[i]->type, 1 + i % 3);
			CHECK_INT(rows[i]->condition->row_existence, i % 3);
			CHECK_INT(rows[i]->condition->has_column_condition, i % 2);
			CHECK_INT(rows[i]->return_content ? rows[i]->return_content->return_type : 0, i % 3);
			CHECK_INT(rows[i]->row_change.len, i % 7 ? 3 : sizeof(big));
		}
		release(request);
	}
	CHECK_INT(mcw_ots_put_batch_write(&out, MCW_LIT("t"), changes, MCW_OTS_MAX_BATCH_ROWS + 1), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_ots_put_batch_write(&out, MCW_LIT("t"), changes, 0), MCW_ERR_ARGUMENT);

	/* a buffer that is too small says so */
	mcw_buf_free(&out);
	mcw_buf_init(&out, &mcw_malloc, 100);
	CHECK_INT(mcw_ots_put_batch_write(&out, MCW_LIT("t"), changes, 200), MCW_ERR_LIMIT);
	end();
}

static void
test_create_and_streams(void)
{
	mcw_ots_defined_column defined[] = {{MCW_LIT("d"), MCW_OTS_BINARY}, {MCW_LIT("e"), MCW_OTS_DOUBLE}};
	mcw_ots_table table = {
		.name = MCW_LIT("t"), .defined = defined, .ndefined = 2, .time_to_live = -1, .max_versions = 2, .deviation = 1000,
		.schema = {2, {{MCW_LIT("k1"), MCW_OTS_STRING}, {MCW_LIT("k2"), MCW_OTS_INTEGER, true}}},
		.stream_enabled = true, .stream_expiration = 24
	};
	Ots__CreateTableRequest *create;
	Ots__GetShardIteratorRequest *iterator;
	Ots__GetStreamRecordRequest *record;

	begin();
	CHECK_OK(mcw_ots_put_create_table(&out, &table));
	create = (Ots__CreateTableRequest *) unpack(&ots__create_table_request__descriptor);
	CHECK_INT(create->table_meta->n_primary_key, 2);
	CHECK_INT(create->table_meta->primary_key[0]->type, 2);
	CHECK_INT(create->table_meta->primary_key[1]->option, 1);
	CHECK_INT(create->table_meta->defined_column[0]->type, 7);
	CHECK_INT(create->table_options->time_to_live, -1);
	CHECK_INT(create->table_options->deviation_cell_version_in_sec, 1000);
	CHECK_INT(create->reserved_throughput->capacity_unit->read, 0);
	CHECK_INT(create->stream_spec->expiration_time, 24);
	release(create);
	defined[0].type = MCW_OTS_INF_MAX;
	CHECK_INT(mcw_ots_put_create_table(&out, &table), MCW_ERR_ARGUMENT);

	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_get_shard_iterator(&out, MCW_LIT("s"), MCW_LIT("shard"), 1700000000000000, MCW_LIT("token")));
	iterator = (Ots__GetShardIteratorRequest *) unpack(&ots__get_shard_iterator_request__descriptor);
	CHECK_INT(iterator->timestamp, 1700000000000000);
	CHECK_STR(iterator->token, "token");
	release(iterator);
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_get_shard_iterator(&out, MCW_LIT("s"), MCW_LIT("shard"), -1, MCW_LIT("")));
	iterator = (Ots__GetShardIteratorRequest *) unpack(&ots__get_shard_iterator_request__descriptor);
	CHECK(!iterator->has_timestamp && iterator->token == NULL);
	release(iterator);
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_get_stream_record(&out, MCW_LIT("iterator"), 100, MCW_LIT("t")));
	record = (Ots__GetStreamRecordRequest *) unpack(&ots__get_stream_record_request__descriptor);
	CHECK_STR(record->table_name, "t");
	CHECK_INT(record->limit, 100);
	release(record);
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_get_stream_record(&out, MCW_LIT("iterator"), 0, MCW_LIT("")));
	record = (Ots__GetStreamRecordRequest *) unpack(&ots__get_stream_record_request__descriptor);
	CHECK(!record->has_limit && record->table_name == NULL);
	release(record);
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_list_stream(&out, MCW_LIT("t")));
	release(unpack(&ots__list_stream_request__descriptor));
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_describe_stream(&out, MCW_LIT("s"), MCW_LIT("shard")));
	release(unpack(&ots__describe_stream_request__descriptor));
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_compute_splits(&out, MCW_LIT("t"), 2, 1048576));
	release(unpack(&ots__compute_split_points_by_size_request__descriptor));
	mcw_buf_reset(&out);
	CHECK_OK(mcw_ots_put_table_name(&out, MCW_LIT("t")));
	release(unpack(&ots__describe_table_request__descriptor));
	end();
}

/* ---- filters ---- */

static mcw_ots_filter leaf = {
	.kind = MCW_OTS_FILTER_COMPARE, .op = MCW_OTS_GE, .column = {"c", 1}, .value = {.type = MCW_OTS_INTEGER, .i = -5},
	.pass_if_missing = true
};

static void
test_filters(void)
{
	mcw_ots_filter *leaves[40];
	mcw_ots_filter inner = {.kind = MCW_OTS_FILTER_NOT, .sub = leaves, .nsub = 1};
	mcw_ots_filter *pair[] = {&inner, &leaf};
	mcw_ots_filter tree = {.kind = MCW_OTS_FILTER_OR, .sub = pair, .nsub = 2};
	Ots__Filter *outer;
	Ots__CompositeColumnValueFilter *composite;
	Ots__SingleColumnValueFilter *single;

	begin();
	for (int i = 0; i < 40; i++)
		leaves[i] = &leaf;
	CHECK_OK(mcw_ots_write_filter(&out, &tree, &err));
	CHECK_INT(mcw_ots_filter_nodes(&tree), 4);
	outer = (Ots__Filter *) unpack(&ots__filter__descriptor);
	CHECK_INT(outer->type, 2);
	composite = ots__composite_column_value_filter__unpack(NULL, outer->filter.len, outer->filter.data);
	CHECK_INT(composite->combinator, 3);
	CHECK_INT(composite->n_sub_filters, 2);
	CHECK_INT(composite->sub_filters[0]->type, 2);
	CHECK_INT(composite->sub_filters[1]->type, 1);
	single = ots__single_column_value_filter__unpack(NULL, composite->sub_filters[1]->filter.len,
													 composite->sub_filters[1]->filter.data);
	CHECK_INT(single->comparator, 4);
	CHECK_STR(single->column_name, "c");
	CHECK_INT(single->column_value.len, 9);
	CHECK(!single->filter_if_missing && !single->latest_version_only);
	ots__single_column_value_filter__free_unpacked(single, NULL);
	ots__composite_column_value_filter__free_unpacked(composite, NULL);
	release(outer);

	/* 31 leaves and their OR are 32 nodes; one more is too many */
	tree.sub = leaves;
	tree.nsub = 31;
	CHECK_OK(mcw_ots_write_filter(&out, &tree, &err));
	tree.nsub = 32;
	CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), MCW_ERR_ARGUMENT);
	CHECK(strstr(err.message, "33") != NULL);
	end();
}

static void
test_filters_refused(void)
{
	static char long_name[MCW_OTS_MAX_NAME + 1];
	mcw_ots_filter *leaves[] = {&leaf, &leaf, &leaf};
	mcw_ots_filter tree = {.sub = leaves};
	static const struct
	{
		mcw_ots_filter_kind kind;
		int			nsub;
		mcw_status	status;
	}			counts[] = {
		{MCW_OTS_FILTER_AND, 0, MCW_ERR_ARGUMENT}, {MCW_OTS_FILTER_AND, 1, MCW_ERR_ARGUMENT}, {MCW_OTS_FILTER_AND, 2, MCW_OK},
		{MCW_OTS_FILTER_OR, 0, MCW_ERR_ARGUMENT}, {MCW_OTS_FILTER_OR, 1, MCW_ERR_ARGUMENT}, {MCW_OTS_FILTER_OR, 3, MCW_OK},
		{MCW_OTS_FILTER_NOT, 0, MCW_ERR_ARGUMENT}, {MCW_OTS_FILTER_NOT, 1, MCW_OK}, {MCW_OTS_FILTER_NOT, 2, MCW_ERR_ARGUMENT},
		{(mcw_ots_filter_kind) 9, 2, MCW_ERR_ARGUMENT},
	};
	static const mcw_ots_type types[] = {
		MCW_OTS_INF_MIN, MCW_OTS_INF_MAX, MCW_OTS_AUTO_INCREMENT, MCW_OTS_NULL, MCW_OTS_NONE
	};

	begin();
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
	{
		size_t		before = out.len;

		tree.kind = counts[i].kind;
		tree.nsub = counts[i].nsub;
		CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), counts[i].status);
		CHECK(counts[i].status == MCW_OK || out.len == before);
	}
	tree = leaf;
	tree.column.len = 0;
	CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), MCW_ERR_ARGUMENT);
	tree.column.data = long_name;
	tree.column.len = sizeof(long_name);
	CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), MCW_ERR_ARGUMENT);
	tree = leaf;
	tree.op = 0;
	CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), MCW_ERR_ARGUMENT);
	tree.op = (mcw_ots_comparator) 7;
	CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), MCW_ERR_ARGUMENT);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		tree = leaf;
		tree.value.type = (uint8_t) types[i];
		CHECK_INT(mcw_ots_write_filter(&out, &tree, &err), MCW_ERR_ARGUMENT);
	}
	mcw_buf_free(&out);
	mcw_buf_init(&out, &mcw_malloc, 5);
	CHECK_INT(mcw_ots_write_filter(&out, &leaf, &err), MCW_ERR_LIMIT);
	end();
}

/* ---- framing ---- */

static void
test_framing(void)
{
	static const size_t lengths[] = {0, 1, 127, 128, 129, 16383, 16384, 2097151, 2097152};
	static char big[2097153];
	mcw_pb_field field;
	size_t		pos;

	begin();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
	{
		const mcw_view bytes = {big, lengths[i]};
		size_t		mark;

		mcw_buf_reset(&out);
		mark = mcw_pb_begin(&out, 2000);
		CHECK_OK(mcw_buf_append_view(&out, bytes));
		mcw_pb_end(&out, mark);
		mcw_pb_put_double(&out, 3, -0.5);
		pos = 0;
		CHECK_OK(mcw_pb_next(mcw_buf_view(&out), &pos, &field));
		CHECK_INT(field.number, 2000);
		CHECK_INT(field.bytes.len, lengths[i]);
		CHECK_OK(mcw_pb_next(mcw_buf_view(&out), &pos, &field));
		CHECK_INT(field.wire, MCW_PB_FIXED64);
		CHECK_INT(field.number_value, UINT64_C(0xBFE0000000000000));
		CHECK_INT(mcw_pb_next(mcw_buf_view(&out), &pos, &field), MCW_END);
	}
	mcw_buf_free(&out);
	mcw_buf_init(&out, &mcw_malloc, 8);
	mcw_pb_put_bytes(&out, 1, MCW_LIT("longer than the buffer"));
	CHECK_INT(mcw_buf_status(&out), MCW_ERR_LIMIT);
	pos = 0;
	CHECK_INT(mcw_pb_next(MCW_LIT("\x00\x00"), &pos, &field), MCW_ERR_FORMAT);	/* number 0 */
	CHECK_INT(mcw_pb_next(MCW_LIT("\x0b"), &pos, &field), MCW_ERR_FORMAT);	/* groups */
	CHECK_INT(mcw_pb_next(MCW_LIT("\x0c"), &pos, &field), MCW_ERR_FORMAT);
	CHECK_INT(mcw_pb_next(MCW_LIT("\x0f"), &pos, &field), MCW_ERR_FORMAT);
	CHECK_INT(mcw_pb_next(MCW_LIT("\x08"), &pos, &field), MCW_ERR_FORMAT);
	CHECK_INT(mcw_pb_next(MCW_LIT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), &pos, &field), MCW_ERR_FORMAT);
	CHECK_INT(mcw_pb_next(MCW_LIT("\x0a\xff\xff\xff\xff\x0f"), &pos, &field), MCW_ERR_FORMAT);
	CHECK_INT(pos, 0);
	end();
}

static const unit_case cases[] = {
	{"framing", test_framing},
	{"GetRange", test_get_range},
	{"GetRow, BatchGetRow", test_get_rows},
	{"BatchWriteRow", test_batch_write},
	{"CreateTable, requests of streams", test_create_and_streams},
	{"filters", test_filters},
	{"filters that are refused", test_filters_refused},
};

UNIT_MAIN(cases)
