/*
 * fuzz_ots_msg.c
 *		Answers of Tablestore, filters and keys.  The first byte chooses the message.
 *		Views must lie in the input; what a reader accepts, mcw_pb must accept too; a
 *		key that is accepted is written to the same bytes; a filter made of the input is
 *		refused or has the shape the service accepts.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_ots_msg.h"
#include "../../src/wire/mcw_pb.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_OUT ((size_t) 1 << 22)
#define MAX_NODES 64

static const mcw_ots_schema schema = {
	.nkeys = 2, .keys = {{{"pk1", 3}, MCW_OTS_STRING}, {{"pk2", 3}, MCW_OTS_INTEGER}}
};

static mcw_view input;
static mcw_arena arena;

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
inside(mcw_view v)
{
	must(v.len == 0 || (v.data >= input.data && v.data + v.len <= input.data + input.len));
}

/* Every member can be walked */
static void
well_framed(void)
{
	mcw_pb_field field;
	size_t		pos = 0;
	mcw_status	status;

	while ((status = mcw_pb_next(input, &pos, &field)) == MCW_OK)
		inside(field.bytes);
	must(status == MCW_END);
}

static void
check_tables(bool list, mcw_error *err)
{
	mcw_ots_table table;
	mcw_view   *names;
	int			n;

	if (list)
	{
		if (mcw_ots_read_table_names(input, &arena, &names, &n, err) != MCW_OK)
			return;
		for (int i = 0; i < n; i++)
			inside(names[i]);
	}
	else
	{
		if (mcw_ots_read_describe_table(input, &arena, &table, err) != MCW_OK)
			return;
		must(table.schema.nkeys >= 1 && table.schema.nkeys <= MCW_OTS_MAX_KEYS);
		for (int i = 0; i < table.schema.nkeys; i++)
			inside(table.schema.keys[i].name);
		for (int i = 0; i < table.ndefined; i++)
			inside(table.defined[i].name);
		inside(table.stream_id);
	}
	well_framed();
}

static void
check_splits(mcw_error *err)
{
	mcw_ots_key *points;
	int			n;

	if (mcw_ots_read_compute_splits(input, &arena, &schema, &points, &n, err) != MCW_OK)
		return;
	for (int i = 0; i < n; i++)
	{
		must(points[i].n == schema.nkeys);
		must(i == 0 || mcw_ots_key_cmp(&points[i - 1], &points[i]) < 0);
	}
	well_framed();
}

static void
check_rows(int kind, mcw_error *err)
{
	mcw_ots_range_result range;
	mcw_ots_row_result results[3];
	mcw_ots_consumed consumed;
	mcw_view	row;

	if (kind == 0)
	{
		if (mcw_ots_read_get_range(input, &range, err) != MCW_OK)
			return;
		inside(range.rows);
		inside(range.next);
	}
	else if (kind == 1)
	{
		if (mcw_ots_read_get_row(input, &row, &consumed, err) != MCW_OK)
			return;
		inside(row);
	}
	else
	{
		if (mcw_ots_read_batch(input, results, kind - 1, err) != MCW_OK)
			return;
		for (int i = 0; i < kind - 1; i++)
		{
			inside(results[i].row);
			inside(results[i].code);
			must(results[i].ok || results[i].code.len > 0);
		}
	}
	well_framed();
}

static void
check_streams(int kind, mcw_error *err)
{
	mcw_ots_stream *streams;
	mcw_ots_stream stream;
	mcw_ots_record_page page;
	mcw_ots_record record;
	mcw_view	iterator;
	mcw_view	token;
	uint32_t	n = 0;
	int			count;
	size_t		pos = 0;

	switch (kind)
	{
		case 0:
			if (mcw_ots_read_list_stream(input, &arena, &streams, &count, err) == MCW_OK)
				well_framed();
			break;
		case 1:
			if (mcw_ots_read_describe_stream(input, &arena, &stream, err) != MCW_OK)
				break;
			for (int i = 0; i < stream.nshards; i++)
				inside(stream.shards[i].parent);
			well_framed();
			break;
		case 2:
			if (mcw_ots_read_get_shard_iterator(input, &iterator, &token, err) == MCW_OK)
				inside(iterator);
			break;
		default:
			if (mcw_ots_read_get_stream_record(input, &page, err) != MCW_OK)
				break;
			while (mcw_ots_next_record(&page, &pos, &record, err) == MCW_OK)
			{
				inside(record.record);
				inside(record.origin);
				n++;
			}
			must(n <= page.nrecords);
	}
}

static void
check_key(mcw_error *err)
{
	mcw_ots_key key;
	mcw_ots_key copy;
	mcw_ots_value value;
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUT);
	if (mcw_ots_read_key(input, &schema, &key, err) == MCW_OK)
	{
		mcw_status	status = mcw_ots_write_key(&out, &schema, &key);

		must(status == MCW_OK ? mcw_view_eq(mcw_buf_view(&out), input) : status == MCW_ERR_LIMIT);
		must(mcw_ots_key_copy(&arena, &key, &copy) == MCW_OK && mcw_ots_key_cmp(&key, &copy) == 0);
	}
	mcw_buf_reset(&out);
	if (mcw_ots_read_variant(input, &value, err) == MCW_OK)
		must(mcw_ots_write_variant(&out, &value) == MCW_OK && mcw_view_eq(mcw_buf_view(&out), input));
	mcw_buf_free(&out);
}

/* A tree in prefix order: kind, then number of parts or column and value */
static mcw_ots_filter *
make_filter(size_t *pos, int *nodes)
{
	mcw_ots_filter *filter = mcw_arena_new(&arena, sizeof(*filter));
	uint8_t		byte = *pos < input.len ? (uint8_t) input.data[(*pos)++] : 0;

	(*nodes)++;
	filter->kind = (mcw_ots_filter_kind) (byte & 3);
	if (filter->kind == MCW_OTS_FILTER_COMPARE || *nodes > MAX_NODES)
	{
		filter->kind = MCW_OTS_FILTER_COMPARE;
		filter->op = (mcw_ots_comparator) (byte >> 2 & 7);
		filter->column.data = "column";
		filter->column.len = byte >> 5;
		filter->value.type = *pos < input.len ? (uint8_t) (input.data[(*pos)++] & 0x0f) : 0;
		if (filter->value.type == MCW_OTS_STRING || filter->value.type == MCW_OTS_BINARY)
			filter->value.s = filter->column;
		else if (filter->value.type == MCW_OTS_BOOLEAN)
			filter->value.b = byte & 0x10;
		else
			filter->value.i = byte;
		return filter;
	}
	filter->nsub = byte >> 2 & 7;
	filter->sub = mcw_arena_new(&arena, 8 * sizeof(*filter->sub));
	for (int i = 0; i < filter->nsub; i++)
		filter->sub[i] = make_filter(pos, nodes);
	return filter;
}

static void
check_filter(mcw_error *err)
{
	size_t		pos = 0;
	int			nodes = 0;
	mcw_ots_filter *filter = make_filter(&pos, &nodes);
	mcw_buf		out;
	mcw_pb_field field;
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUT);
	must(mcw_ots_filter_nodes(filter) == nodes);
	status = mcw_ots_write_filter(&out, filter, err);
	if (status == MCW_OK)
	{
		must(nodes <= MCW_OTS_MAX_FILTER_NODES);
		pos = 0;
		must(mcw_pb_next(mcw_buf_view(&out), &pos, &field) == MCW_OK && field.number == 1);
		must(field.number_value == (filter->kind == MCW_OTS_FILTER_COMPARE ? 1 : 2));
		must(mcw_pb_next(mcw_buf_view(&out), &pos, &field) == MCW_OK && field.number == 2);
		must(mcw_pb_next(mcw_buf_view(&out), &pos, &field) == MCW_END);
	}
	else
		must(status == MCW_ERR_ARGUMENT && err->message[0] != '\0' && out.len == 0);
	mcw_buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_error	err = {0};
	mcw_view	code;
	mcw_view	message;
	int			which;

	if (size == 0)
		return 0;
	input.data = (const char *) data + 1;
	input.len = size - 1;
	mcw_arena_init(&arena, &mcw_malloc, (size_t) 1 << 24);
	which = data[0] % 16;
	if (which < 2)
		check_tables(which == 0, &err);
	else if (which == 2)
		check_splits(&err);
	else if (which < 8)
		check_rows(which - 3, &err);
	else if (which < 12)
		check_streams(which - 8, &err);
	else if (which == 12)
		check_key(&err);
	else if (which == 13)
		check_filter(&err);
	else if (mcw_ots_read_error(input, &code, &message))
	{
		inside(code);
		inside(message);
	}
	mcw_arena_reset(&arena);
	return 0;
}
