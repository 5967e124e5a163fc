/*
 * mcs_ots_meta.c
 *		Metadata calls of Tablestore, which wait for their answer: tables, their
 *		definition, split points (tablestore.md 2.1, 2.3, 3.8).
 */
#include "mcs_ots_scan.h"

#define MAX_META_ANSWER ((size_t) 16 << 20)

/* The answer's bytes in the arena, so that views into them live as long */
static mcw_status
keep_answer(mcs_ots_call *call, mcw_arena *arena, mcw_view *body, mcw_error *err)
{
	mcw_status	status = mcw_arena_copy(arena, mcw_buf_view(&call->req.response), body);

	return status == MCW_OK ? MCW_OK :
		mcw_fail(err, status, status == MCW_ERR_LIMIT ? "the answer to %s is too large" : "out of memory for the answer to %s",
				 call->operation);
}

mcw_status
mcs_ots_describe_table(mcs_ots *ots, mcw_view table, mcw_arena *arena, mcw_ots_table *result, mcw_error *err)
{
	mcs_ots_call call;
	mcw_view	body;
	mcw_status	status;

	mcs_ots_call_init(&call, ots, "DescribeTable", MAX_META_ANSWER);
	(void) mcw_ots_put_table_name(&call.body, table);
	status = mcs_ots_call_run(&call, err);
	if (status == MCW_OK)
		status = keep_answer(&call, arena, &body, err);
	if (status == MCW_OK)
		status = mcw_ots_read_describe_table(body, arena, result, err);
	mcs_ots_call_free(&call);
	return status;
}

mcw_status
mcs_ots_create_table(mcs_ots *ots, const mcw_ots_table *table, mcw_error *err)
{
	mcs_ots_call call;
	mcw_status	status;

	mcs_ots_call_init(&call, ots, "CreateTable", MAX_META_ANSWER);
	call.req.no_retry_after_send = true;
	status = mcw_ots_put_create_table(&call.body, table);
	if (status != MCW_OK)
		(void) mcw_fail(err, status, "table \"%.*s\" cannot be created", (int) table->name.len, table->name.data);
	else
		status = mcs_ots_call_run(&call, err);
	mcs_ots_call_free(&call);
	return status;
}

mcw_status
mcs_ots_list_tables(mcs_ots *ots, mcw_arena *arena, mcw_view **names, int *nnames, mcw_error *err)
{
	mcs_ots_call call;
	mcw_view	body;
	mcw_status	status;

	mcs_ots_call_init(&call, ots, "ListTable", MAX_META_ANSWER);
	status = mcs_ots_call_run(&call, err);
	if (status == MCW_OK)
		status = keep_answer(&call, arena, &body, err);
	if (status == MCW_OK)
		status = mcw_ots_read_table_names(body, arena, names, nnames, err);
	mcs_ots_call_free(&call);
	return status;
}

/* ---- split points ---- */

mcw_status
mcs_ots_ask_splits(mcs_ots_call *call, mcw_view table, int64_t split_size)
{
	int64_t		units = split_size / MCS_OTS_SPLIT_UNIT;

	return mcw_ots_put_compute_splits(&call->body, table, units > 0 ? units : 1, MCS_OTS_SPLIT_UNIT);
}

bool
mcs_ots_no_splits(const mcw_error *err)
{
	return err->status == MCW_ERR_SERVICE &&
		(strcmp(err->code, "OTSParameterInvalid") == 0 || strcmp(err->code, "OTSNoPermissionAccess") == 0);
}

mcw_status
mcs_ots_take_splits(mcs_ots_call *call, const mcw_ots_schema *schema, mcw_arena *arena, mcw_ots_key **points,
					int *npoints, mcw_error *err)
{
	mcw_view	body;
	mcw_status	status = keep_answer(call, arena, &body, err);

	if (status == MCW_OK)
		status = mcw_ots_read_compute_splits(body, arena, schema, points, npoints, err);
	if (status == MCW_OK)
		call->ots->read_units++;	/* what the call costs (4.6) */
	return status;
}

mcw_status
mcs_ots_split_points(mcs_ots *ots, mcw_view table, const mcw_ots_schema *schema, int64_t split_size,
					 mcw_arena *arena, mcw_ots_key **points, int *npoints, mcw_error *err)
{
	mcs_ots_call call;
	mcw_status	status;

	*points = NULL;
	*npoints = 0;
	mcs_ots_call_init(&call, ots, MCS_OTS_SPLIT_OPERATION, MCS_OTS_SPLIT_ANSWER);
	(void) mcs_ots_ask_splits(&call, table, split_size);
	status = mcs_ots_call_run(&call, err);
	if (status == MCW_OK)
		status = mcs_ots_take_splits(&call, schema, arena, points, npoints, err);
	else if (mcs_ots_no_splits(err))
		status = MCW_OK;
	mcs_ots_call_free(&call);
	return status;
}

/* ---- keys as text ---- */

static void
put_text(mcw_buf *out, const mcw_ots_value *value, size_t most)
{
	size_t		len = value->s.len < most ? value->s.len : most;

	(void) mcw_buf_append_char(out, '\'');
	while (len < value->s.len && len > 0 && ((unsigned char) value->s.data[len] & 0xc0) == 0x80)
		len--;
	for (size_t i = 0; i < len; i++)
	{
		char		c = value->s.data[i];

		if ((unsigned char) c < ' ' || c == 0x7f)
			(void) mcw_buf_printf(out, "\\x%02x", (unsigned char) c);
		else
			(void) mcw_buf_append_char(out, c);
	}
	(void) mcw_buf_append_str(out, len < value->s.len ? "...'" : "'");
}

static void
put_bytes(mcw_buf *out, const mcw_ots_value *value, size_t most)
{
	size_t		len = value->s.len < most ? value->s.len : most;

	(void) mcw_buf_append_str(out, "\\x");
	for (size_t i = 0; i < len; i++)
		(void) mcw_buf_printf(out, "%02x", (unsigned char) value->s.data[i]);
	if (len < value->s.len)
		(void) mcw_buf_append_str(out, "...");
}

char *
mcs_ots_key_text(const mcw_ots_key *key, char *buf, size_t size)
{
	mcw_buf		out = {.data = buf, .cap = size, .max = size, .alloc = NULL};
	size_t		most = 32;

	/* a buffer over the caller's: its maximum is its room, so it never asks for memory */
	(void) mcw_buf_append_char(&out, '(');
	for (int i = 0; i < key->n; i++)
	{
		const mcw_ots_value *value = &key->v[i];

		if (i > 0)
			(void) mcw_buf_append_str(&out, ", ");
		if (value->type == MCW_OTS_INTEGER)
			(void) mcw_buf_printf(&out, "%lld", (long long) value->i);
		else if (value->type == MCW_OTS_STRING)
			put_text(&out, value, most);
		else if (value->type == MCW_OTS_BINARY)
			put_bytes(&out, value, most / 2);
		else
			(void) mcw_buf_append_str(&out, mcw_ots_type_name((mcw_ots_type) value->type));
	}
	(void) mcw_buf_append_char(&out, ')');
	if (size > 0)
		buf[out.len < size ? out.len : size - 1] = '\0';
	return buf;
}
