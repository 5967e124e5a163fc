/*
 * odps_stream.c
 *		mc-emulator, MaxCompute part: the streaming tunnel.
 *
 * A PUT that was answered 200 is visible; there is no commit and no protection
 * against a repeated PUT.  Reference: maxcompute.md 5.3.
 */
#include "odps.h"

#include <stdlib.h>

#define MAX_SLOTS 64

int
odps_slot_count(const emu_request *req, const char *param)
{
	static const char *const headers[] = {"odps-tunnel-slot-num", "odps-slot-num"};
	int64_t		n = 0;

	for (int i = 0; i < 2 && n <= 0; i++)
		(void) mcw_view_int64(odps_header(req, headers[i]), &n);
	if (n <= 0 && param)
		(void) mcw_view_int64(odps_param(req, param), &n);
	return n < 1 ? 1 : n > MAX_SLOTS ? MAX_SLOTS : (int) n;
}

mcw_view
odps_slot_address(const emu_request *req)
{
	return odps_set.public_endpoint[0] ? mcw_str(odps_set.public_endpoint) : req->host;
}

static void
reply(emu_request *req, emu_response *resp, const odps_session *s)
{
	mcw_buf    *b = &resp->body;

	(void) mcw_buf_printf(b, "{\"session_name\":\"%s\",\"status\":\"%s\",\"schema\":", s->id, odps_status_name(s->status));
	odps_tunnel_schema(b, s->schema);
	(void) mcw_buf_append_str(b, ",\"schema_version\":0,\"quota_name\":\"\",\"slots\":[");
	for (int i = 0; i < s->slots; i++)
	{
		(void) mcw_buf_printf(b, "%s[%d,", i ? "," : "", i);
		(void) mcw_json_quote(b, odps_slot_address(req));
		(void) mcw_buf_append_char(b, ']');
	}
	(void) mcw_buf_append_str(b, "],\"file_format\":\"\",\"compress_mode\":\"\"}");
	odps_reply_json(resp, 200);
}

/* A session of the table, of its static partition or (values NULL) of all */
static void
create(emu_request *req, emu_response *resp, odps_table *table)
{
	bool		dynamic = odps_param_true(req, "dynamic_partition") && table->schema->nkeys > 0;
	mcw_view	values[ODPS_MAX_KEYS];
	odps_session *s;

	if (!dynamic)
	{
		if (!odps_tunnel_spec(req, resp, table, values))
			return;
		if (!odps_partition_find(table, values))
		{
			if (!odps_param_true(req, "create_partition"))
			{
				odps_error(req, resp, 404, "NoSuchPartition", "The specified partition does not exist");
				return;
			}
			(void) odps_partition_add(table, values, req->now_us / ODPS_SECOND);
		}
	}
	s = odps_session_new(ODPS_STREAM, req->now_us);
	s->table = odps_table_ref(table);
	s->schema = odps_schema_ref(table->schema);
	s->slots = odps_slot_count(req, NULL);
	if (!dynamic)
		odps_session_values(s, values);
	reply(req, resp, s);
}

/* ---- dynamic partitions: the record carries the partition columns last ---- */

typedef struct split
{
	odps_session *session;
	mcw_buf    *buffers;		/* one per partition touched */
	mcw_odps_writer *writers;
	odps_partition **parts;
	int			n;
	int64_t		now;
	mcw_error  *err;
	bool		failed;
} split;

/* Text of a partition value in a record */
static bool
key_text(const odps_column *key, const mcw_odps_value *value, mcw_arena *arena, mcw_view *out, mcw_error *err)
{
	mcw_buf		text;
	bool		ok;

	if (value->is_null)
	{
		mcw_fail(err, MCW_ERR_RANGE, "NULL in partition column %s", key->name);
		return false;
	}
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	odps_value_csv(&text, key->type, value);
	ok = odps_key_value(key, mcw_buf_view(&text), arena, out, err);
	mcw_buf_free(&text);
	return ok;
}

static int
split_partition(split *x, const mcw_view *values)
{
	odps_partition *part = odps_partition_add(x->session->table, values, x->now);

	for (int i = 0; i < x->n; i++)
		if (x->parts[i] == part)
			return i;
	x->parts = emu_realloc(x->parts, sizeof(*x->parts) * (x->n + 1));
	x->buffers = emu_realloc(x->buffers, sizeof(*x->buffers) * (x->n + 1));
	x->writers = emu_realloc(x->writers, sizeof(*x->writers) * (x->n + 1));
	x->parts[x->n] = part;
	mcw_buf_init(&x->buffers[x->n], &mcw_malloc, (size_t) 2 << 30);
	for (int i = 0; i < x->n; i++)
		x->writers[i].out = &x->buffers[i];
	mcw_odps_writer_init(&x->writers[x->n], &x->buffers[x->n]);
	return x->n++;
}

static bool
split_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	split	   *x = ctx;
	const odps_schema *schema = x->session->schema;
	mcw_view	keys[ODPS_MAX_KEYS];
	mcw_arena	arena;
	bool		ok = true;
	mcw_odps_writer *w;

	(void) seg;
	(void) record;
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	for (int k = 0; k < schema->nkeys && ok; k++)
		ok = key_text(&schema->keys[k], &values[schema->ncolumns + k], &arena, &keys[k], x->err);
	if (ok)
	{
		int			i = split_partition(x, keys);	/* may move the writers */

		w = &x->writers[i];
		mcw_odps_begin_record(w);
		for (int c = 0; c < schema->ncolumns; c++)
			if (!values[c].is_null)
				(void) odps_value_put(w, c + 1, schema->types[c], &values[c]);
		ok = mcw_odps_end_record(w) == MCW_OK;
	}
	mcw_arena_reset(&arena);
	x->failed = !ok;
	return ok;
}

static void
append_segment(odps_session *s, odps_partition *part, odps_segment *seg, uint64_t request, int64_t now_us)
{
	odps_content *grown = odps_content_append(part->content, &seg, 1);

	odps_partition_set(s->table, part, grown, now_us / ODPS_SECOND);
	odps_commit_log(s, part->values, false, seg->nrecords, request, now_us);
}

/* Takes nothing over; false with err */
static bool
append_dynamic(emu_request *req, odps_session *s, const odps_schema *wide, odps_segment *seg, mcw_error *err)
{
	odps_content *all = odps_content_make(&seg, 1);
	split		x = {s};
	bool		ok;

	x.now = req->now_us / ODPS_SECOND;
	x.err = err;
	ok = odps_content_walk(wide, all, split_row, &x, err) == MCW_OK && !x.failed;
	for (int i = 0; i < x.n; i++)
	{
		odps_segment *piece = ok ? odps_segment_index(s->schema, &x.buffers[i], err) : NULL;

		if (piece)
			append_segment(s, x.parts[i], piece, req->serial, req->now_us);
		ok = ok && piece;
		odps_segment_unref(piece);
		mcw_buf_free(&x.buffers[i]);
	}
	free(x.buffers);
	free(x.writers);
	free(x.parts);
	odps_content_unref(all);
	return ok;
}

/* ---- writing ---- */

static bool
record_count_ok(emu_request *req, emu_response *resp, const odps_segment *seg)
{
	int64_t		n;

	if (!odps_has(req, "record_count") ||
		(mcw_view_int64(odps_param(req, "record_count"), &n) && n == (int64_t) seg->nrecords))
		return true;
	odps_error(req, resp, 400, "InvalidArgument", "record_count is not the %u of the body", seg->nrecords);
	return false;
}

static void
write_pack(emu_request *req, emu_response *resp, odps_session *s)
{
	odps_schema *schema = s->values ? odps_schema_ref(s->schema) : odps_schema_widen(s->schema);
	mcw_error	err = {0};
	odps_segment *seg;
	odps_partition *part = s->values ? odps_session_partition(s) : NULL;
	size_t		len;
	char	   *data;
	bool		ok = true;

	if (s->table->dropped || (s->values && !part))
	{
		odps_schema_unref(schema);
		odps_error(req, resp, 404, s->table->dropped ? "NoSuchTable" : "NoSuchPartition", "the target of session %s was dropped", s->id);
		return;
	}
	data = odps_upload_body(req, resp, &len);
	if (!data)
	{
		odps_schema_unref(schema);
		return;
	}
	seg = odps_segment_verify(schema, data, len, &err);
	if (!seg)
	{
		free(data);
		ok = false;
		odps_error(req, resp, 400, odps_stream_code(err.status), "%s", err.message);
	}
	else if (!record_count_ok(req, resp, seg))
		ok = false;
	else if (part)
		append_segment(s, part, seg, req->serial, req->now_us);
	else if (!append_dynamic(req, s, schema, seg, &err))
	{
		ok = false;
		odps_error(req, resp, 400, "InvalidArgument", "%s", err.message);
	}
	if (ok)
	{
		odps_count.rows_in += seg->nrecords;
		odps_count.bytes_in += len;
		resp->status = 200;
		emu_header_add(resp, "odps-tunnel-routed-server", "%.*s", (int) odps_slot_address(req).len, odps_slot_address(req).data);
		emu_header_add(resp, "odps-tunnel-slot-num", "%d", s->slots);
	}
	odps_segment_unref(seg);
	odps_schema_unref(schema);
}

void
odps_streams(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_table *table = odps_tunnel_table(req, resp, target, name);
	mcw_view	id = odps_param(req, "uploadid");
	odps_session *s;

	if (!table)
		return;
	if (!odps_has(req, "uploadid"))
	{
		if (mcw_view_eq(req->http.method, MCW_LIT("POST")))
			create(req, resp, table);
		else
			odps_error(req, resp, 405, "MethodNotAllowed", "a session is created by POST");
		return;
	}
	s = odps_session_find(ODPS_STREAM, id);
	if (!s || s->table != table)
	{
		odps_error(req, resp, 404, "StreamSessionNotFound", "stream session %.*s does not exist", (int) id.len, id.data);
		return;
	}
	if (emu_fault_armed(req, "session_expired"))
		s->status = ODPS_EXPIRED;
	if (s->status != ODPS_NORMAL)
		odps_error(req, resp, 409, "StatusConflict", "stream session %s is %s", s->id, odps_status_name(s->status));
	else if (mcw_view_eq(req->http.method, MCW_LIT("PUT")))
		write_pack(req, resp, s);
	else if (mcw_view_eq(req->http.method, MCW_LIT("POST")) && odps_header(req, "odps-tunnel-routed-server").data)
	{
		odps_session_forget(s);
		resp->status = 200;
	}
	else
		reply(req, resp, s);
}
