/*
 * odps_upsert.c
 *		mc-emulator, MaxCompute part: upsert sessions of tables with a primary key.
 *
 * Packs are kept in the order they arrive and merged by key at the commit; the
 * bucket a client computed is not trusted.  The merge is in odps_merge.c.
 * Reference: maxcompute.md 5.4.
 */
#include "odps.h"

#include <stdlib.h>

#define BUCKETS 16

/* ---- the schema of a pack: the columns and five more ---- */

odps_schema *
odps_upsert_schema(const odps_schema *s)
{
	static const char *const extra[][2] = {
		{"__version", "bigint"}, {"__app_version", "bigint"}, {"__operation", "tinyint"},
		{"__key_cols", "array<bigint>"}, {"__value_cols", "array<bigint>"}
	};
	odps_coldef *cols = emu_malloc(sizeof(*cols) * (s->ncolumns + 5));
	mcw_error	err = {0};
	odps_schema *out;

	for (int i = 0; i < s->ncolumns; i++)
		cols[i] = (odps_coldef) {mcw_str(s->columns[i].name), mcw_str(s->columns[i].type_text), MCW_LIT(""), false};
	for (int i = 0; i < 5; i++)
		cols[s->ncolumns + i] = (odps_coldef) {mcw_str(extra[i][0]), mcw_str(extra[i][1]), MCW_LIT(""), i == 2};
	out = odps_schema_make(cols, s->ncolumns + 5, NULL, 0, &err);
	free(cols);
	return out;
}

/* Column numbers of the primary key; how many */
int
odps_key_columns(const odps_table *table, int *columns)
{
	mcw_view	list = mcw_str(table->primary_key);
	int			n = 0;

	while (list.len > 0 && n < ODPS_MAX_PRIMARY_KEY)
	{
		const char *comma = memchr(list.data, ',', list.len);
		mcw_view	one = {list.data, comma ? (size_t) (comma - list.data) : list.len};

		columns[n++] = odps_schema_column(table->schema, one);
		list.data += one.len + (comma ? 1 : 0);
		list.len -= one.len + (comma ? 1 : 0);
	}
	return n;
}

static const char *
status_name(const odps_session *s)
{
	return s->status == ODPS_CLOSED ? "committed" : s->status == ODPS_CANCELED ? "aborted" : odps_status_name(s->status);
}

static void
reply(emu_request *req, emu_response *resp, const odps_session *s)
{
	mcw_buf    *b = &resp->body;
	int			columns[ODPS_MAX_PRIMARY_KEY];
	int			n = odps_key_columns(s->table, columns);

	(void) mcw_buf_printf(b, "{\"id\":\"%s\",\"schema\":", s->id);
	odps_tunnel_schema(b, s->schema);
	(void) mcw_buf_append_str(b, ",\"hash_key\":[");
	for (int i = 0; i < n; i++)
		(void) mcw_buf_printf(b, "%s\"%s\"", i ? "," : "", s->schema->columns[columns[i]].name);
	(void) mcw_buf_append_str(b, "],\"hasher\":\"default\",\"quota_name\":\"\",\"enable_partial_update\":false,\"slots\":[");
	for (int i = 0; i < s->slots; i++)
	{
		bool		first = true;

		(void) mcw_buf_printf(b, "%s{\"slot_id\":\"%d\",\"buckets\":[", i ? "," : "", i);
		for (int k = i; k < BUCKETS; k += s->slots, first = false)
			(void) mcw_buf_printf(b, "%s%d", first ? "" : ",", k);
		(void) mcw_buf_append_str(b, "],\"worker_addr\":");
		(void) mcw_json_quote(b, odps_slot_address(req));
		(void) mcw_buf_append_char(b, '}');
	}
	(void) mcw_buf_printf(b, "],\"status\":\"%s\"}", status_name(s));
	odps_reply_json(resp, 200);
}

static void
create(emu_request *req, emu_response *resp, odps_table *table)
{
	mcw_view	values[ODPS_MAX_KEYS];
	odps_session *s;
	int64_t		life = 1;

	if (!table->primary_key[0] || !table->transactional)
	{
		odps_error(req, resp, 400, "InvalidArgument", "table %s is not a transactional table with a primary key", table->name);
		return;
	}
	if (odps_has(req, "lifecycle") && (!mcw_view_int64(odps_param(req, "lifecycle"), &life) || life < 1 || life > 24))
	{
		odps_error(req, resp, 400, "InvalidArgument", "lifecycle is 1 to 24 hours");
		return;
	}
	if (!odps_tunnel_spec(req, resp, table, values))
		return;
	if (!odps_partition_find(table, values))
	{
		odps_error(req, resp, 404, "NoSuchPartition", "The specified partition does not exist");
		return;
	}
	s = odps_session_new(ODPS_UPSERT, req->now_us);
	s->table = odps_table_ref(table);
	s->schema = odps_schema_ref(table->schema);
	s->slots = odps_slot_count(req, "slotnum");
	if (s->slots > BUCKETS)
		s->slots = BUCKETS;
	odps_session_values(s, values);
	reply(req, resp, s);
}

static void
write_pack(emu_request *req, emu_response *resp, odps_session *s)
{
	odps_schema *schema;
	mcw_error	err = {0};
	odps_segment *seg;
	int64_t		bucket;
	size_t		len;
	char	   *data;

	if (!mcw_view_int64(odps_param(req, "bucketid"), &bucket) || bucket < 0 || bucket >= BUCKETS)
	{
		odps_error(req, resp, 400, "InvalidArgument", "bucketid is 0 to %d", BUCKETS - 1);
		return;
	}
	data = odps_upload_body(req, resp, &len);
	if (!data)
		return;
	schema = odps_upsert_schema(s->schema);
	seg = schema ? odps_segment_verify(schema, data, len, &err) : NULL;
	odps_schema_unref(schema);
	if (!seg)
	{
		free(data);
		odps_error(req, resp, 400, odps_stream_code(err.status), "%s", err.message);
		return;
	}
	s->blocks = emu_realloc(s->blocks, sizeof(odps_block) * (s->nblocks + 1));
	s->blocks[s->nblocks] = (odps_block) {s->nblocks, 0, seg->nrecords, req->now_us / ODPS_SECOND, seg};
	s->nblocks++;
	odps_count.rows_in += seg->nrecords;
	odps_count.bytes_in += len;
	resp->status = 200;
	emu_header_add(resp, "odps-tunnel-routed-server", "%.*s", (int) odps_slot_address(req).len, odps_slot_address(req).data);
}

static void
commit(emu_request *req, emu_response *resp, odps_session *s)
{
	odps_partition *part = odps_session_partition(s);
	mcw_error	err = {0};
	odps_content *merged;
	uint64_t	rows = 0;

	if (s->status == ODPS_CLOSED)
	{
		reply(req, resp, s);
		return;
	}
	if (s->status != ODPS_NORMAL || !part)
	{
		odps_error(req, resp, 409, "StatusConflict", "upsert session %s is %s", s->id, part ? status_name(s) : "without its partition");
		return;
	}
	if (emu_fault_armed(req, "critical"))
	{
		s->status = ODPS_CRITICAL;
		odps_session_release(s);
		odps_error(req, resp, 500, "InternalServerError", "the commit failed");
		return;
	}
	for (int i = 0; i < s->nblocks; i++)
		rows += s->blocks[i].rows;
	merged = odps_merge(s, part->content, &err);
	if (!merged)
	{
		s->status = ODPS_CRITICAL;
		odps_session_release(s);
		odps_error(req, resp, 400, "InvalidArgument", "%s", err.message);
		return;
	}
	odps_partition_set(s->table, part, merged, req->now_us / ODPS_SECOND);
	odps_commit_log(s, s->values, false, rows, req->serial, req->now_us);
	odps_count.commits++;
	s->status = ODPS_CLOSED;
	odps_session_release(s);
	reply(req, resp, s);
	if (emu_fault_armed(req, "forget_after_close"))
		odps_session_forget(s);
}

void
odps_upserts(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_table *table = odps_tunnel_table(req, resp, target, name);
	mcw_view	id = odps_param(req, "upsertid");
	mcw_view	method = req->http.method;
	odps_session *s;

	if (!table)
		return;
	if (!odps_has(req, "upsertid"))
	{
		if (mcw_view_eq(method, MCW_LIT("POST")))
			create(req, resp, table);
		else
			odps_error(req, resp, 405, "MethodNotAllowed", "a session is created by POST");
		return;
	}
	s = odps_session_find(ODPS_UPSERT, id);
	if (!s || s->table != table)
	{
		odps_error(req, resp, 404, "UpsertSessionNotFound", "upsert session %.*s does not exist", (int) id.len, id.data);
		return;
	}
	if (emu_fault_armed(req, "session_expired") && s->status == ODPS_NORMAL)
	{
		s->status = ODPS_EXPIRED;
		odps_session_release(s);
	}
	if (mcw_view_eq(method, MCW_LIT("GET")))
		reply(req, resp, s);
	else if (mcw_view_eq(method, MCW_LIT("POST")))
		commit(req, resp, s);
	else if (mcw_view_eq(method, MCW_LIT("DELETE")))
	{
		if (s->status == ODPS_NORMAL)
			s->status = ODPS_CANCELED;
		odps_session_release(s);
		resp->status = 200;
	}
	else if (s->status != ODPS_NORMAL)
		odps_error(req, resp, 409, "StatusConflict", "upsert session %s is %s", s->id, status_name(s));
	else
		write_pack(req, resp, s);
}
