/*
 * mcw_ots_msg_row.c
 *		Messages that read and write rows (tablestore.md 2.2): GetRow, GetRange,
 *		BatchGetRow, BatchWriteRow.
 */
#include "mcw_ots_msg_private.h"

/* ---- reading: requests ---- */

/* Numbers of the members that the three requests share under different numbers */
typedef struct option_numbers
{
	uint32_t	columns;
	uint32_t	time_range;
	uint32_t	max_versions;
} option_numbers;

static void
put_options(mcw_buf *out, const mcw_ots_read_options *options, const option_numbers *numbers)
{
	for (int i = 0; i < options->ncolumns; i++)
		mcw_pb_put_bytes(out, numbers->columns, options->columns[i]);
	if (options->has_time_range)
	{
		size_t		mark = mcw_pb_begin(out, numbers->time_range);

		mcw_pb_put_uint(out, 1, (uint64_t) options->start_time);
		mcw_pb_put_uint(out, 2, (uint64_t) options->end_time);
		mcw_pb_end(out, mark);
	}
	if (options->max_versions > 0)
		mcw_pb_put_uint(out, numbers->max_versions, (uint64_t) options->max_versions);
}

static void
put_filter(mcw_buf *out, uint32_t number, mcw_view filter)
{
	if (filter.len > 0)
		mcw_pb_put_bytes(out, number, filter);
}

mcw_status
mcw_ots_put_get_range(mcw_buf *out, const mcw_ots_read_options *options, bool backward,
					  mcw_view begin, mcw_view end, int32_t limit)
{
	static const option_numbers numbers = {3, 4, 5};

	mcw_pb_put_bytes(out, 1, options->table);
	mcw_pb_put_uint(out, 2, backward);
	put_options(out, options, &numbers);
	if (limit > 0)
		mcw_pb_put_uint(out, 6, (uint64_t) limit);
	mcw_pb_put_bytes(out, 7, begin);
	mcw_pb_put_bytes(out, 8, end);
	put_filter(out, 10, options->filter);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_put_get_row(mcw_buf *out, const mcw_ots_read_options *options, mcw_view key)
{
	static const option_numbers numbers = {3, 4, 5};

	mcw_pb_put_bytes(out, 1, options->table);
	mcw_pb_put_bytes(out, 2, key);
	put_options(out, options, &numbers);
	put_filter(out, 7, options->filter);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_put_batch_get_row(mcw_buf *out, const mcw_ots_read_options *options,
						  const mcw_view *keys, int nkeys)
{
	static const option_numbers numbers = {4, 5, 6};
	size_t		mark;

	if (nkeys < 1 || nkeys > MCW_OTS_MAX_BATCH_GET)
		return MCW_ERR_ARGUMENT;
	mark = mcw_pb_begin(out, 1);
	mcw_pb_put_bytes(out, 1, options->table);
	for (int i = 0; i < nkeys; i++)
		mcw_pb_put_bytes(out, 2, keys[i]);
	put_options(out, options, &numbers);
	put_filter(out, 8, options->filter);
	mcw_pb_end(out, mark);
	return mcw_buf_status(out);
}

/* ---- reading: answers ---- */

/*
 * A token asks the reader to come back for the rest of a row.  Only requests that
 * carry one or limit the columns get it; taking the row as whole would lose columns.
 */
static mcw_status
check_token(const ots_source *src, const char *name, mcw_view token)
{
	if (token.len == 0)
		return MCW_OK;
	return ots_msg_fail(src, MCW_ERR_UNSUPPORTED, token.data, name,
						"the service sent only a part of a row's columns");
}

mcw_status
mcw_ots_read_get_range(mcw_view body, mcw_ots_range_result *result, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	mcw_view	consumed = {NULL, 0};
	mcw_view	token = {NULL, 0};
	int32_t		block_type = 0;
	int32_t		compression = 0;
	const ots_member members[] = {
		{1, OTS_BYTES, &consumed, true},
		{2, OTS_BYTES, &result->rows, true},
		{3, OTS_BYTES, &result->next},
		{4, OTS_BYTES, &token},
		{5, OTS_INT32, &block_type},
		{6, OTS_INT32, &compression},
	};
	mcw_status	status;

	memset(result, 0, sizeof(*result));
	status = ots_read_message(&src, "GetRangeResponse", body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = ots_read_consumed(&src, consumed, &result->consumed);
	if (status == MCW_OK)
		status = check_token(&src, "GetRangeResponse", token);
	if (status == MCW_OK && (block_type != 0 || compression != 0))
		return ots_msg_fail(&src, MCW_ERR_UNSUPPORTED, body.data, "GetRangeResponse",
							"rows in a form that was not asked for");
	if (status == MCW_OK && result->next.data && result->next.len == 0)
		return ots_msg_fail(&src, MCW_ERR_PROTOCOL, result->next.data, "GetRangeResponse",
							"the key to continue from is empty");
	return status;
}

mcw_status
mcw_ots_read_get_row(mcw_view body, mcw_view *row, mcw_ots_consumed *consumed, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	mcw_view	capacity = {NULL, 0};
	mcw_view	token = {NULL, 0};
	const ots_member members[] = {
		{1, OTS_BYTES, &capacity, true},
		{2, OTS_BYTES, row, true},
		{3, OTS_BYTES, &token},
	};
	mcw_status	status;

	*row = (mcw_view) {NULL, 0};
	status = ots_read_message(&src, "GetRowResponse", body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = ots_read_consumed(&src, capacity, consumed);
	return status == MCW_OK ? check_token(&src, "GetRowResponse", token) : status;
}

/* RowInBatchGetRowResponse, RowInBatchWriteRowResponse */
static mcw_status
read_row_result(const ots_source *src, mcw_view message, mcw_ots_row_result *result)
{
	static const char name[] = "row of a batch";
	mcw_view	error = {NULL, 0};
	mcw_view	consumed = {NULL, 0};
	mcw_view	token = {NULL, 0};
	const ots_member members[] = {
		{1, OTS_BOOL, &result->ok, true},
		{2, OTS_BYTES, &error},
		{3, OTS_BYTES, &consumed},
		{4, OTS_BYTES, &result->row},
		{5, OTS_BYTES, &token},
	};
	mcw_status	status;

	memset(result, 0, sizeof(*result));
	status = ots_read_message(src, name, message, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = ots_read_consumed(src, consumed, &result->consumed);
	if (status != MCW_OK)
		return status;
	if (result->ok)
		return check_token(src, name, token);
	if (!mcw_ots_read_error(error, &result->code, &result->message))
		return ots_msg_fail(src, MCW_ERR_PROTOCOL, message.data, name, "a row failed without an error code");
	return MCW_OK;
}

mcw_status
mcw_ots_read_batch(mcw_view body, mcw_ots_row_result *results, int nrows, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	static const char name[] = "answer to a batch";
	mcw_view	table = {NULL, 0};
	mcw_view	table_name = {NULL, 0};
	mcw_view	item;
	int			ntables = 0;
	int			found = 0;
	const ots_member outer[] = {{1, OTS_REPEATED, &ntables}};
	const ots_member inner[] = {
		{1, OTS_BYTES, &table_name, true},
		{2, OTS_REPEATED, &found},
	};
	size_t		pos = 0;
	mcw_status	status;

	status = ots_read_message(&src, name, body, outer, OTS_NMEMBERS(outer));
	if (status != MCW_OK)
		return status;
	if (ntables != 1 || !ots_next_repeated(body, 1, &pos, &table))
		return ots_msg_fail(&src, MCW_ERR_PROTOCOL, body.data, name, "it is not about one table");
	status = ots_read_message(&src, name, table, inner, OTS_NMEMBERS(inner));
	if (status != MCW_OK)
		return status;
	if (found != nrows)
		return ots_msg_fail(&src, MCW_ERR_PROTOCOL, table.data, name,
							"it does not have one result for each row that was sent");
	pos = 0;
	for (int i = 0; status == MCW_OK && ots_next_repeated(table, 2, &pos, &item); i++)
		status = read_row_result(&src, item, &results[i]);
	return status;
}

/* ---- writing ---- */

mcw_status
mcw_ots_put_row_change(mcw_buf *out, mcw_ots_change change, mcw_ots_existence existence,
					   mcw_view column_condition, mcw_ots_return returns, mcw_view row)
{
	size_t		mark;

	mcw_pb_put_uint(out, 1, change);
	mcw_pb_put_bytes(out, 2, row);
	mark = mcw_pb_begin(out, 3);
	mcw_pb_put_uint(out, 1, existence);
	put_filter(out, 2, column_condition);
	mcw_pb_end(out, mark);
	if (returns != MCW_OTS_RETURN_NONE)
	{
		mark = mcw_pb_begin(out, 4);
		mcw_pb_put_uint(out, 1, returns);
		mcw_pb_end(out, mark);
	}
	return mcw_buf_status(out);
}

/* A length-delimited member with a number below 16 */
static inline size_t
member_size(size_t len)
{
	return 1 + mcw_varint_size(len) + len;
}

mcw_status
mcw_ots_put_batch_write(mcw_buf *out, mcw_view table, const mcw_view *changes, int nchanges)
{
	size_t		size = member_size(table.len);
	char	   *p;

	if (nchanges < 1 || nchanges > MCW_OTS_MAX_BATCH_ROWS)
		return MCW_ERR_ARGUMENT;
	for (int i = 0; i < nchanges; i++)
		size += member_size(changes[i].len);
	if (!mcw_buf_room(out, member_size(size)))
		return mcw_buf_status(out);
	p = mcw_put_varint(out->data + out->len, 1 << 3 | MCW_PB_BYTES);
	p = mcw_put_varint(p, size);
	out->len = (size_t) (p - out->data);
	mcw_pb_put_bytes(out, 1, table);
	for (int i = 0; i < nchanges; i++)
		mcw_pb_put_bytes(out, 2, changes[i]);
	return mcw_buf_status(out);
}
