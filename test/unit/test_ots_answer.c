/*
 * test_ots_answer.c
 *		Answers of Tablestore: what protobuf-c packs is read; missing and unknown
 *		members, damaged bytes.
 */
#include "ots_oracle.h"

/* ---- answers ---- */

static Ots__CapacityUnit unit = OTS__CAPACITY_UNIT__INIT;
static Ots__ConsumedCapacity consumed = OTS__CONSUMED_CAPACITY__INIT;

static void
set_consumed(int32_t read, int32_t write)
{
	unit.has_read = unit.has_write = true;
	unit.read = read;
	unit.write = write;
	consumed.capacity_unit = &unit;
}

typedef mcw_status (*reading) (mcw_view body);

/*
 * Whatever is cut or changed, the reader comes back with a status; a member that
 * nobody knows changes nothing.
 */
static void
damage(mcw_view body, reading read)
{
	unit_random r = {7};
	mcw_buf		bytes;

	for (size_t len = 0; len < body.len; len++)
	{
		char	   *exact = malloc(len + 1);
		mcw_view	part = {exact + 1, len};

		memcpy(exact + 1, body.data, len);
		(void) read(part);
		free(exact);
	}
	for (int i = 0; i < 3000; i++)
	{
		char	   *exact = malloc(body.len + 1);
		mcw_view	part = {exact + 1, body.len};

		memcpy(exact + 1, body.data, body.len);
		exact[1 + unit_below(&r, body.len)] ^= (char) (1 + unit_below(&r, 255));
		(void) read(part);
		free(exact);
	}
	mcw_buf_init(&bytes, &mcw_malloc, MAX_BODY);
	mcw_pb_put_uint(&bytes, 1000, UINT64_MAX);
	mcw_pb_put_double(&bytes, 1001, 0.5);
	mcw_pb_put_bytes(&bytes, 1002, MCW_LIT("unknown"));
	CHECK_OK(mcw_buf_append(&bytes, "\xdd\x3e\1\2\3\4", 6));	/* 1003, four bytes */
	CHECK_OK(mcw_buf_append_view(&bytes, body));
	CHECK_OK(read(mcw_buf_view(&bytes)));
	CHECK_OK(mcw_buf_append(&bytes, "\xdb\x3e", 2));	/* a group */
	CHECK_INT(read(mcw_buf_view(&bytes)), MCW_ERR_FORMAT);
	mcw_buf_free(&bytes);
}

static mcw_status
read_range(mcw_view body)
{
	mcw_ots_range_result result;

	return mcw_ots_read_get_range(body, &result, &err);
}

static void
test_range_result(void)
{
	Ots__GetRangeResponse response = OTS__GET_RANGE_RESPONSE__INIT;
	mcw_ots_range_result result;

	begin();
	set_consumed(-1, INT32_MAX);
	response.consumed = &consumed;
	response.rows = data_of("rows");
	CHECK_OK(mcw_ots_read_get_range(pack(&response), &result, &err));
	CHECK_VIEW(result.rows, MCW_LIT("rows"));
	CHECK(result.next.data == NULL);
	CHECK_INT(result.consumed.read, -1);
	CHECK_INT(result.consumed.write, INT32_MAX);
	response.has_next_start_primary_key = true;
	response.next_start_primary_key = data_of("next");
	response.has_data_block_type = response.has_compress_type = true;
	CHECK_OK(mcw_ots_read_get_range(pack(&response), &result, &err));
	CHECK_VIEW(result.next, MCW_LIT("next"));
	damage(pack(&response), read_range);
	response.data_block_type = 1;
	CHECK_INT(mcw_ots_read_get_range(pack(&response), &result, &err), MCW_ERR_UNSUPPORTED);
	response.data_block_type = 0;
	response.has_next_token = true;
	CHECK_OK(mcw_ots_read_get_range(pack(&response), &result, &err));
	response.next_token = data_of("token");
	CHECK_INT(mcw_ots_read_get_range(pack(&response), &result, &err), MCW_ERR_UNSUPPORTED);
	response.next_token.len = 0;
	response.next_start_primary_key.len = 0;
	CHECK_INT(mcw_ots_read_get_range(pack(&response), &result, &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcw_ots_read_get_range(MCW_LIT(""), &result, &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcw_ots_read_get_range(MCW_LIT("\x12\x00"), &result, &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcw_ots_read_get_range(MCW_LIT("\x10\x00"), &result, &err), MCW_ERR_FORMAT);	/* rows as a number */
	CHECK_INT(mcw_ots_read_get_range(MCW_LIT("\x12\x05" "abc"), &result, &err), MCW_ERR_FORMAT);
	CHECK_INT(err.offset, 0);
	end();
}

static void
test_get_row_result(void)
{
	Ots__GetRowResponse response = OTS__GET_ROW_RESPONSE__INIT;
	mcw_ots_consumed used;
	mcw_view	row;

	begin();
	set_consumed(1, 0);
	response.consumed = &consumed;
	CHECK_OK(mcw_ots_read_get_row(pack(&response), &row, &used, &err));
	CHECK_INT(row.len, 0);
	CHECK_INT(used.read, 1);
	response.row = data_of("row");
	CHECK_OK(mcw_ots_read_get_row(pack(&response), &row, &used, &err));
	CHECK_VIEW(row, MCW_LIT("row"));
	response.has_next_token = true;
	response.next_token = data_of("t");
	CHECK_INT(mcw_ots_read_get_row(pack(&response), &row, &used, &err), MCW_ERR_UNSUPPORTED);
	end();
}

static mcw_status
read_batch_of_two(mcw_view body)
{
	mcw_ots_row_result results[2];

	return mcw_ots_read_batch(body, results, 2, &err);
}

static void
test_batch_result(void)
{
	Ots__Error	error = OTS__ERROR__INIT;
	Ots__RowInBatchResponse good = OTS__ROW_IN_BATCH_RESPONSE__INIT;
	Ots__RowInBatchResponse bad = OTS__ROW_IN_BATCH_RESPONSE__INIT;
	Ots__RowInBatchResponse *rows[] = {&good, &bad};
	Ots__TableInBatchResponse table = OTS__TABLE_IN_BATCH_RESPONSE__INIT;
	Ots__TableInBatchResponse *tables[] = {&table, &table};
	Ots__BatchResponse response = OTS__BATCH_RESPONSE__INIT;
	mcw_ots_row_result results[3];

	begin();
	set_consumed(0, 3);
	good.is_ok = true;
	good.consumed = &consumed;
	good.has_row = true;
	good.row = data_of("row");
	error.code = "OTSConditionCheckFail";
	error.message = "Condition check failed.";
	bad.error = &error;
	table.table_name = "t";
	table.n_rows = 2;
	table.rows = rows;
	response.n_tables = 1;
	response.tables = tables;
	CHECK_OK(mcw_ots_read_batch(pack(&response), results, 2, &err));
	CHECK(results[0].ok && !results[1].ok);
	CHECK_VIEW(results[0].row, MCW_LIT("row"));
	CHECK_INT(results[0].consumed.write, 3);
	CHECK_VIEW(results[1].code, MCW_LIT("OTSConditionCheckFail"));
	CHECK_VIEW(results[1].message, MCW_LIT("Condition check failed."));
	damage(pack(&response), read_batch_of_two);
	CHECK_INT(mcw_ots_read_batch(pack(&response), results, 1, &err), MCW_ERR_PROTOCOL);
	CHECK_INT(mcw_ots_read_batch(pack(&response), results, 3, &err), MCW_ERR_PROTOCOL);
	good.has_next_token = true;
	good.next_token = data_of("t");
	CHECK_INT(mcw_ots_read_batch(pack(&response), results, 2, &err), MCW_ERR_UNSUPPORTED);
	good.has_next_token = false;
	bad.error = NULL;
	CHECK_INT(mcw_ots_read_batch(pack(&response), results, 2, &err), MCW_ERR_PROTOCOL);
	bad.error = &error;
	response.n_tables = 2;
	CHECK_INT(mcw_ots_read_batch(pack(&response), results, 2, &err), MCW_ERR_PROTOCOL);
	response.n_tables = 0;
	CHECK_INT(mcw_ots_read_batch(pack(&response), results, 0, &err), MCW_ERR_PROTOCOL);
	end();
}

static void
test_errors(void)
{
	Ots__Error	error = OTS__ERROR__INIT;
	mcw_view	code;
	mcw_view	message;

	begin();
	error.code = "OTSServerBusy";
	CHECK(mcw_ots_read_error(pack(&error), &code, &message));
	CHECK_VIEW(code, MCW_LIT("OTSServerBusy"));
	CHECK_INT(message.len, 0);
	error.message = "busy";
	CHECK(mcw_ots_read_error(pack(&error), &code, &message));
	CHECK_VIEW(message, MCW_LIT("busy"));
	error.code = "";
	CHECK(!mcw_ots_read_error(pack(&error), &code, &message));
	CHECK(!mcw_ots_read_error(MCW_LIT(""), &code, &message));
	CHECK(!mcw_ots_read_error(MCW_LIT("<html><body>502 Bad Gateway</body></html>"), &code, &message));
	CHECK(!mcw_ots_read_error(MCW_LIT("{\"code\": 1}"), &code, &message));
	end();
}

static mcw_status
read_described(mcw_view body)
{
	mcw_ots_table table;
	mcw_arena	own;
	mcw_status	status;

	mcw_arena_init(&own, &mcw_malloc, 1 << 20);
	status = mcw_ots_read_describe_table(body, &own, &table, &err);
	mcw_arena_reset(&own);
	return status;
}

static void
test_describe(void)
{
	Ots__PrimaryKeySchema k1 = OTS__PRIMARY_KEY_SCHEMA__INIT;
	Ots__PrimaryKeySchema k2 = OTS__PRIMARY_KEY_SCHEMA__INIT;
	Ots__PrimaryKeySchema *keys[] = {&k1, &k2, &k1, &k2, &k1};
	Ots__DefinedColumnSchema d1 = OTS__DEFINED_COLUMN_SCHEMA__INIT;
	Ots__DefinedColumnSchema *defined[] = {&d1};
	Ots__TableMeta meta = OTS__TABLE_META__INIT;
	Ots__TableOptions options = OTS__TABLE_OPTIONS__INIT;
	Ots__StreamDetails stream = OTS__STREAM_DETAILS__INIT;
	Ots__ReservedThroughputDetails reserved = OTS__RESERVED_THROUGHPUT_DETAILS__INIT;
	Ots__DescribeTableResponse response = OTS__DESCRIBE_TABLE_RESPONSE__INIT;
	mcw_ots_table table;

	begin();
	set_consumed(0, 0);
	k1.name = "k1";
	k1.type = 3;
	k2.name = "k2";
	k2.type = 1;
	k2.has_option = true;
	k2.option = 1;
	d1.name = "d";
	d1.type = 4;
	meta.table_name = "t";
	meta.n_primary_key = 2;
	meta.primary_key = keys;
	meta.n_defined_column = 1;
	meta.defined_column = defined;
	reserved.capacity_unit = &unit;
	response.table_meta = &meta;
	response.table_options = &options;
	response.reserved_throughput_details = &reserved;
	response.table_status = 1;
	CHECK_OK(mcw_ots_read_describe_table(pack(&response), &arena, &table, &err));
	CHECK_VIEW(table.name, MCW_LIT("t"));
	CHECK_INT(table.schema.nkeys, 2);
	CHECK_INT(table.schema.keys[0].type, MCW_OTS_BINARY);
	CHECK(!table.schema.keys[0].auto_increment && table.schema.keys[1].auto_increment);
	CHECK_INT(table.ndefined, 1);
	CHECK_INT(table.defined[0].type, MCW_OTS_STRING);
	CHECK_INT(table.time_to_live, -1);
	CHECK_INT(table.deviation, 86400);
	CHECK(table.allow_update && !table.stream_enabled);
	CHECK_INT(table.status, 1);

	options.has_time_to_live = options.has_max_versions = options.has_allow_update = true;
	options.time_to_live = -1;
	options.max_versions = 7;
	options.has_deviation_cell_version_in_sec = true;
	options.deviation_cell_version_in_sec = INT64_C(1) << 40;
	stream.enable_stream = true;
	stream.stream_id = "t_1";
	stream.has_expiration_time = true;
	stream.expiration_time = 168;
	stream.has_last_enable_time = true;
	stream.last_enable_time = 1700000000000000;
	response.stream_details = &stream;
	CHECK_OK(mcw_ots_read_describe_table(pack(&response), &arena, &table, &err));
	CHECK_INT(table.time_to_live, -1);
	CHECK_INT(table.max_versions, 7);
	CHECK_INT(table.deviation, INT64_C(1) << 40);
	CHECK(!table.allow_update && table.stream_enabled);
	CHECK_VIEW(table.stream_id, MCW_LIT("t_1"));
	CHECK_INT(table.stream_enabled_us, 1700000000000000);
	damage(pack(&response), read_described);

	k1.type = 9;
	CHECK_INT(mcw_ots_read_describe_table(pack(&response), &arena, &table, &err), MCW_ERR_UNSUPPORTED);
	k1.type = 2;
	meta.n_primary_key = 5;
	CHECK_INT(mcw_ots_read_describe_table(pack(&response), &arena, &table, &err), MCW_ERR_UNSUPPORTED);
	meta.n_primary_key = 0;
	CHECK_INT(mcw_ots_read_describe_table(pack(&response), &arena, &table, &err), MCW_ERR_PROTOCOL);
	end();
}

static const mcw_ots_schema schema = {
	.nkeys = 2, .keys = {{{"k1", 2}, MCW_OTS_STRING}, {{"k2", 2}, MCW_OTS_INTEGER}}
};

static mcw_status
read_splits(mcw_view body)
{
	mcw_ots_key *points;
	int			n;
	mcw_arena	own;
	mcw_status	status;

	mcw_arena_init(&own, &mcw_malloc, 1 << 20);
	status = mcw_ots_read_compute_splits(body, &own, &schema, &points, &n, &err);
	mcw_arena_reset(&own);
	return status;
}

static void
test_splits(void)
{
	Ots__ComputeSplitPointsBySizeResponse response = OTS__COMPUTE_SPLIT_POINTS_BY_SIZE_RESPONSE__INIT;
	Ots__PrimaryKeySchema k1 = OTS__PRIMARY_KEY_SCHEMA__INIT;
	Ots__PrimaryKeySchema k2 = OTS__PRIMARY_KEY_SCHEMA__INIT;
	Ots__PrimaryKeySchema *keys[] = {&k1, &k2};
	ProtobufCBinaryData cuts[3];
	mcw_ots_key points[3] = {
		{1, {mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a"))}},
		{2, {mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a")), mcw_ots_int(5)}},
		{1, {mcw_ots_bytes(MCW_OTS_STRING, MCW_LIT("a\0"))}},
	};
	mcw_ots_key *got;
	int			n;

	begin();
	for (int i = 0; i < 3; i++)
	{
		mcw_view	copy;

		mcw_buf_reset(&out);
		CHECK_OK(mcw_ots_write_key(&out, &schema, &points[i]));
		CHECK_OK(mcw_arena_copy(&arena, mcw_buf_view(&out), &copy));
		cuts[i].data = (uint8_t *) copy.data;
		cuts[i].len = copy.len;
	}
	k1.name = "k1";
	k1.type = 2;
	k2.name = "k2";
	k2.type = 1;
	set_consumed(1, 0);
	response.consumed = &consumed;
	response.n_schema = 2;
	response.schema = keys;
	CHECK_OK(mcw_ots_read_compute_splits(pack(&response), &arena, &schema, &got, &n, &err));
	CHECK_INT(n, 0);
	response.n_split_points = 3;
	response.split_points = cuts;
	CHECK_OK(mcw_ots_read_compute_splits(pack(&response), &arena, &schema, &got, &n, &err));
	CHECK_INT(n, 3);
	CHECK_INT(got[0].n, 2);
	CHECK_INT(got[0].v[1].type, MCW_OTS_INF_MIN);
	CHECK_INT(got[1].v[1].i, 5);
	CHECK_VIEW(got[2].v[0].s, MCW_LIT("a\0"));
	damage(pack(&response), read_splits);
	k2.type = 2;
	CHECK_INT(mcw_ots_read_compute_splits(pack(&response), &arena, &schema, &got, &n, &err), MCW_ERR_PROTOCOL);
	k2.type = 1;
	cuts[2] = cuts[1];			/* not rising */
	CHECK_INT(mcw_ots_read_compute_splits(pack(&response), &arena, &schema, &got, &n, &err), MCW_ERR_PROTOCOL);
	cuts[2].len--;
	CHECK_INT(mcw_ots_read_compute_splits(pack(&response), &arena, &schema, &got, &n, &err), MCW_ERR_FORMAT);
	end();
}

/* ---- streams ---- */

static mcw_status
read_records(mcw_view body)
{
	mcw_ots_record_page page;
	mcw_ots_record record;
	size_t		pos = 0;
	mcw_status	status = mcw_ots_read_get_stream_record(body, &page, &err);

	while (status == MCW_OK)
		status = mcw_ots_next_record(&page, &pos, &record, &err);
	return status == MCW_END ? MCW_OK : status;
}

static mcw_status
read_stream(mcw_view body)
{
	mcw_ots_stream stream;
	mcw_arena	own;
	mcw_status	status;

	mcw_arena_init(&own, &mcw_malloc, 1 << 20);
	status = mcw_ots_read_describe_stream(body, &own, &stream, &err);
	mcw_arena_reset(&own);
	return status;
}

static void
test_streams(void)
{
	Ots__Stream s = OTS__STREAM__INIT;
	Ots__Stream *streams[] = {&s, &s};
	Ots__ListStreamResponse list = OTS__LIST_STREAM_RESPONSE__INIT;
	Ots__StreamShard a = OTS__STREAM_SHARD__INIT;
	Ots__StreamShard b = OTS__STREAM_SHARD__INIT;
	Ots__StreamShard *shards[] = {&a, &b};
	Ots__DescribeStreamResponse described = OTS__DESCRIBE_STREAM_RESPONSE__INIT;
	Ots__ListTableResponse tables = OTS__LIST_TABLE_RESPONSE__INIT;
	char	   *names[] = {"t1", "t2"};
	mcw_ots_stream *got;
	mcw_ots_stream stream;
	mcw_view   *table_names;
	int			n;

	begin();
	s.stream_id = "t_1";
	s.table_name = "t";
	s.creation_time = 1700000000000000;
	list.n_streams = 2;
	list.streams = streams;
	CHECK_OK(mcw_ots_read_list_stream(pack(&list), &arena, &got, &n, &err));
	CHECK_INT(n, 2);
	CHECK_VIEW(got[1].id, MCW_LIT("t_1"));
	CHECK_INT(got[1].creation_us, 1700000000000000);
	CHECK_OK(mcw_ots_read_list_stream(MCW_LIT(""), &arena, &got, &n, &err));
	CHECK_INT(n, 0);

	a.shard_id = "a";
	b.shard_id = "b";
	b.parent_id = "a";
	b.parent_sibling_id = "z";
	described.stream_id = "t_1";
	described.expiration_time = 24;
	described.table_name = "t";
	described.creation_time = 5;
	described.stream_status = 2;
	described.n_shards = 2;
	described.shards = shards;
	described.next_shard_id = "c";
	CHECK_OK(mcw_ots_read_describe_stream(pack(&described), &arena, &stream, &err));
	CHECK_INT(stream.nshards, 2);
	CHECK_INT(stream.shards[0].parent.len, 0);
	CHECK_VIEW(stream.shards[1].parent, MCW_LIT("a"));
	CHECK_VIEW(stream.shards[1].sibling, MCW_LIT("z"));
	CHECK_VIEW(stream.next_shard, MCW_LIT("c"));
	CHECK_INT(stream.status, 2);
	damage(pack(&described), read_stream);

	tables.n_table_names = 2;
	tables.table_names = names;
	CHECK_OK(mcw_ots_read_table_names(pack(&tables), &arena, &table_names, &n, &err));
	CHECK_INT(n, 2);
	CHECK_VIEW(table_names[1], MCW_LIT("t2"));
	CHECK_OK(mcw_ots_read_table_names(MCW_LIT(""), &arena, &table_names, &n, &err));
	CHECK_INT(n, 0);
	end();
}

static void
test_records(void)
{
	Ots__StreamRecord first = OTS__STREAM_RECORD__INIT;
	Ots__StreamRecord second = OTS__STREAM_RECORD__INIT;
	Ots__StreamRecord *records[] = {&first, &second};
	Ots__GetStreamRecordResponse response = OTS__GET_STREAM_RECORD_RESPONSE__INIT;
	Ots__GetShardIteratorResponse iterator = OTS__GET_SHARD_ITERATOR_RESPONSE__INIT;
	mcw_ots_record_page page;
	mcw_ots_record record;
	mcw_view	value;
	mcw_view	token;
	size_t		pos = 0;

	begin();
	first.action_type = 1;
	first.record = data_of("one");
	second.action_type = 3;
	second.record = data_of("two");
	second.has_origin_record = true;
	second.origin_record = data_of("origin");
	response.n_stream_records = 2;
	response.stream_records = records;
	response.next_shard_iterator = "next";
	response.has_may_more_record = true;
	CHECK_OK(mcw_ots_read_get_stream_record(pack(&response), &page, &err));
	CHECK_INT(page.nrecords, 2);
	CHECK_VIEW(page.next, MCW_LIT("next"));
	CHECK(page.has_more_flag && !page.may_more);
	CHECK_OK(mcw_ots_next_record(&page, &pos, &record, &err));
	CHECK_INT(record.action, MCW_OTS_PUT_ROW);
	CHECK_VIEW(record.record, MCW_LIT("one"));
	CHECK_INT(record.origin.len, 0);
	CHECK_OK(mcw_ots_next_record(&page, &pos, &record, &err));
	CHECK_INT(record.action, MCW_OTS_DELETE_ROW);
	CHECK_VIEW(record.origin, MCW_LIT("origin"));
	CHECK_INT(mcw_ots_next_record(&page, &pos, &record, &err), MCW_END);
	damage(pack(&response), read_records);

	response.has_may_more_record = false;
	response.next_shard_iterator = NULL;
	CHECK_OK(mcw_ots_read_get_stream_record(pack(&response), &page, &err));
	CHECK(!page.has_more_flag && page.next.data == NULL);
	response.next_shard_iterator = "";
	CHECK_INT(mcw_ots_read_get_stream_record(pack(&response), &page, &err), MCW_ERR_PROTOCOL);
	response.next_shard_iterator = NULL;
	second.action_type = 4;
	CHECK_INT(read_records(pack(&response)), MCW_ERR_UNSUPPORTED);
	CHECK_INT(read_records(MCW_LIT("\x0a\x02\x08\x01")), MCW_ERR_PROTOCOL);

	iterator.shard_iterator = "it";
	CHECK_OK(mcw_ots_read_get_shard_iterator(pack(&iterator), &value, &token, &err));
	CHECK_VIEW(value, MCW_LIT("it"));
	CHECK(token.data == NULL);
	CHECK_INT(mcw_ots_read_get_shard_iterator(MCW_LIT(""), &value, &token, &err), MCW_ERR_PROTOCOL);
	end();
}

static const unit_case cases[] = {
	{"answer to GetRange", test_range_result},
	{"answer to GetRow", test_get_row_result},
	{"answer to a batch", test_batch_result},
	{"errors", test_errors},
	{"answer to DescribeTable", test_describe},
	{"cut points", test_splits},
	{"lists, streams", test_streams},
	{"stream records", test_records},
};

UNIT_MAIN(cases)
