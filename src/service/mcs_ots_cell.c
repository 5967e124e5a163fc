/*
 * mcs_ots_cell.c
 *		One text in one row: GetRow, and BatchWriteRow of one row under a condition.
 *
 * net may send a change twice.  That is harmless: a value that was given once never
 * comes back, so the second copy finds its condition broken.
 */
#include "mcs_ots_cell.h"

#include <stdio.h>

#define MAX_ANSWER ((size_t) 1 << 20)
#define MAX_REQUEST ((size_t) 1 << 16)

static mcw_ots_key
key_of(const mcs_ots_cell_at *at)
{
	mcw_ots_key key = {.n = 1};

	key.v[0] = mcw_ots_bytes(MCW_OTS_STRING, at->key);
	return key;
}

static mcw_status
read_value(const mcs_ots *ots, mcw_view row, mcw_view column, mcw_arena *arena, mcw_view *value, mcw_error *err)
{
	mcw_ots_reader *reader = mcw_ots_reader_create(ots->alloc, &column, 1);
	mcw_ots_row parsed;
	mcw_ots_value cell;
	mcw_status	status;

	if (!reader)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	status = mcw_ots_reader_page(reader, row, false, err);
	if (status == MCW_OK)
		status = mcw_ots_next_row(reader, &parsed, &cell, NULL, err);
	if (status == MCW_OK && cell.type != MCW_OTS_STRING)
		status = mcw_fail(err, MCW_ERR_FORMAT, "the row has no text in column \"%.*s\"", (int) column.len, column.data);
	if (status == MCW_OK && (status = mcw_arena_copy(arena, cell.s, value)) != MCW_OK)
		(void) mcw_fail(err, status, "out of memory");
	mcw_ots_reader_free(reader);
	return status;
}

mcw_status
mcs_ots_cell_get(mcs_ots *ots, const mcs_ots_cell_at *at, mcw_arena *arena, mcw_view *value, mcw_error *err)
{
	mcw_ots_read_options options = {.table = at->table, .max_versions = 1};
	mcw_ots_key key = key_of(at);
	mcw_ots_consumed consumed;
	mcs_ots_call call;
	mcw_buf		bytes;
	mcw_view	row;
	mcw_status	status;

	mcw_buf_init(&bytes, ots->alloc, MAX_REQUEST);
	mcs_ots_call_init(&call, ots, "GetRow", MAX_ANSWER);
	status = mcw_ots_write_key(&bytes, at->schema, &key);
	if (status == MCW_OK)
		status = mcw_ots_put_get_row(&call.body, &options, mcw_buf_view(&bytes));
	if (status != MCW_OK)
		(void) mcw_fail(err, status, "could not build the request GetRow");
	else
		status = mcs_ots_call_run(&call, err);
	if (status == MCW_OK)
		status = mcw_ots_read_get_row(mcw_buf_view(&call.req.response), &row, &consumed, err);
	if (status == MCW_OK)
		status = row.len == 0 ? MCW_END : read_value(ots, row, at->column, arena, value, err);
	mcs_ots_call_free(&call);
	mcw_buf_free(&bytes);
	return status;
}

/* ---- swap ---- */

static mcw_status
put_change(const mcs_ots_cell_at *at, mcw_view last, mcw_view next, mcw_buf *row, mcw_buf *condition, mcw_buf *change, mcw_error *err)
{
	mcw_ots_filter filter = {
		.kind = MCW_OTS_FILTER_COMPARE, .op = MCW_OTS_EQ, .column = at->column, .latest_only = true,
		.value = mcw_ots_bytes(MCW_OTS_STRING, last)
	};
	mcw_ots_name key_name = mcw_ots_make_name(at->schema->keys[0].name);
	mcw_ots_name column = mcw_ots_make_name(at->column);
	mcw_ots_value key = mcw_ots_bytes(MCW_OTS_STRING, at->key);
	mcw_ots_value value = mcw_ots_bytes(MCW_OTS_STRING, next);
	mcw_ots_writer w;
	mcw_status	status;

	mcw_ots_begin_row(&w, row);
	mcw_ots_put_key(&w, &key_name, &key);
	mcw_ots_put_cell(&w, &column, &value, MCW_OTS_PUT, MCW_OTS_NO_TIMESTAMP);
	status = mcw_ots_end_row(&w);
	if (status == MCW_OK && last.len > 0)
		status = mcw_ots_write_filter(condition, &filter, err);
	if (status == MCW_OK)
		status = mcw_ots_put_row_change(change, last.len > 0 ? MCW_OTS_UPDATE_ROW : MCW_OTS_PUT_ROW,
										last.len > 0 ? MCW_OTS_EXPECT_EXIST : MCW_OTS_EXPECT_NOT_EXIST,
										mcw_buf_view(condition), MCW_OTS_RETURN_NONE, mcw_buf_view(row));
	return status;
}

static mcw_status
read_outcome(const mcs_ots_call *call, mcw_error *err)
{
	mcw_view	id = mcn_response_header(&call->req, "x-ots-requestid");
	mcw_ots_row_result result;
	mcw_status	status = mcw_ots_read_batch(mcw_buf_view(&call->req.response), &result, 1, err);

	if (status != MCW_OK || result.ok)
		return status;
	if (mcw_view_eq(result.code, MCW_LIT("OTSConditionCheckFail")))
		return MCW_END;
	status = mcw_fail(err, MCW_ERR_SERVICE, "the row was not changed");
	err->http_status = call->req.http_status;
	(void) snprintf(err->code, sizeof(err->code), "%.*s", (int) result.code.len, result.code.data ? result.code.data : "");
	(void) snprintf(err->text, sizeof(err->text), "%.*s", (int) result.message.len, result.message.data ? result.message.data : "");
	(void) snprintf(err->request_id, sizeof(err->request_id), "%.*s", (int) id.len, id.data ? id.data : "");
	return status;
}

mcw_status
mcs_ots_cell_swap(mcs_ots *ots, const mcs_ots_cell_at *at, mcw_view last, mcw_view next, mcw_error *err)
{
	mcs_ots_call call;
	mcw_buf		row;
	mcw_buf		condition;
	mcw_buf		change;
	mcw_view	changes[1];
	mcw_status	status;

	mcw_buf_init(&row, ots->alloc, MAX_REQUEST);
	mcw_buf_init(&condition, ots->alloc, MAX_REQUEST);
	mcw_buf_init(&change, ots->alloc, MAX_REQUEST);
	mcs_ots_call_init(&call, ots, "BatchWriteRow", MAX_ANSWER);
	status = put_change(at, last, next, &row, &condition, &change, err);
	changes[0] = mcw_buf_view(&change);
	if (status == MCW_OK)
		status = mcw_ots_put_batch_write(&call.body, at->table, changes, 1);
	if (status != MCW_OK)
		(void) mcw_fail(err, status, "could not build the request BatchWriteRow");
	else
		status = mcs_ots_call_run(&call, err);
	if (status == MCW_OK)
		status = read_outcome(&call, err);
	mcs_ots_call_free(&call);
	mcw_buf_free(&change);
	mcw_buf_free(&condition);
	mcw_buf_free(&row);
	return status;
}
