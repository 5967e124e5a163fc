/*
 * odps_download.c
 *		mc-emulator, MaxCompute part: download sessions of tables and of instance
 *		results.
 *
 * A session holds the content it saw at its creation.  Reference: maxcompute.md
 * 3.1 to 3.4 and 5.1.
 */
#include "odps.h"

#include <stdlib.h>

#define SESSIONS_PER_5_MINUTES 200

static void
reply(emu_response *resp, const odps_session *s)
{
	mcw_buf    *b = &resp->body;

	(void) mcw_buf_printf(b, "{\"DownloadID\":\"%s\",\"RecordCount\":%llu,", s->id,
						  (unsigned long long) (s->content ? s->content->nrecords : 0));
	odps_session_head(b, s);
	(void) mcw_buf_append_char(b, '}');
	odps_reply_json(resp, 200);
}

static bool
open_table(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, odps_session **session)
{
	odps_table *table = odps_tunnel_table(req, resp, target, name);
	mcw_view	values[ODPS_MAX_KEYS];
	odps_partition *part;
	odps_session *s;

	if (!table || !odps_tunnel_spec(req, resp, table, values))
		return false;
	part = odps_partition_find(table, values);
	if (!part)
	{
		odps_error(req, resp, 404, "NoSuchPartition", "The specified partition does not exist");
		return false;
	}
	if (emu_conf.enforce_rates && odps_set.rates &&
		!odps_rate_hit(&table->downloads, SESSIONS_PER_5_MINUTES, 300 * ODPS_SECOND, req->now_us))
	{
		odps_count.throttled++;
		odps_error(req, resp, 429, "QPSExceeded", "more than %d download sessions of table %s in 5 minutes",
				   SESSIONS_PER_5_MINUTES, table->name);
		return false;
	}
	s = odps_session_new(ODPS_DOWNLOAD, req->now_us);
	s->table = odps_table_ref(table);
	s->schema = odps_schema_ref(table->schema);
	s->content = odps_content_ref(part->content);
	odps_session_values(s, values);
	*session = s;
	return true;
}

void
odps_download_create(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance)
{
	odps_session *s;

	if (instance)
	{
		odps_schema *schema;
		odps_content *content;

		if (!odps_instance_source(req, resp, target, name, &schema, &content))
			return;
		s = odps_session_new(ODPS_DOWNLOAD, req->now_us);
		s->instance = emu_strdup(name);
		s->schema = odps_schema_ref(schema);
		s->content = odps_content_ref(content);
		if (odps_has(req, "instance_tunnel_limit_enabled") && content->nrecords > (uint64_t) odps_set.result_rows)
		{
			odps_content_unref(s->content);
			s->content = odps_content_head(content, odps_set.result_rows);
		}
	}
	else if (!open_table(req, resp, target, name, &s))
		return;
	odps_count.downloads++;
	s->initiating = odps_set.async_sessions && odps_param_true(req, "asyncmode");
	reply(resp, s);
}

/* The session a request names, in a state to be read; NULL after answering */
static odps_session *
find_session(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance)
{
	mcw_view	id = odps_param(req, "downloadid");
	odps_session *s = odps_session_find(ODPS_DOWNLOAD, id);

	if (!s)
	{
		odps_error(req, resp, 404, "NoSuchDownload", "The specified download id does not exist: %.*s",
				   (int) id.len, id.data);
		return NULL;
	}
	if (instance)
	{
		if (s->instance && mcw_view_eq(mcw_str(s->instance), name))
			return s;
		odps_error(req, resp, 400, "InvalidResourceSpec", "session %s does not belong to this instance", s->id);
		return NULL;
	}
	if (!odps_table_find(target->ns, name) && s->table && s->table->dropped &&
		mcw_view_ieq(mcw_str(s->table->name), name))
		return s;
	if (s->table)
	{
		odps_table *table = odps_tunnel_table(req, resp, target, name);

		return table && odps_session_matches(req, resp, s, table) ? s : NULL;
	}
	odps_error(req, resp, 400, "InvalidResourceSpec", "session %s does not belong to a table", s->id);
	return NULL;
}

void
odps_download_reload(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance)
{
	odps_session *s = find_session(req, resp, target, name, instance);

	if (!s)
		return;
	s->initiating = false;
	reply(resp, s);
}

/* ---- reading ---- */

/* "(start,count)" */
static bool
parse_range(mcw_view v, uint64_t *start, uint64_t *count)
{
	const char *comma;

	if (v.len < 5 || v.data[0] != '(' || v.data[v.len - 1] != ')')
		return false;
	v.data++;
	v.len -= 2;
	comma = memchr(v.data, ',', v.len);
	return comma && mcw_view_uint64((mcw_view) {v.data, (size_t) (comma - v.data)}, start) &&
		mcw_view_uint64((mcw_view) {comma + 1, v.len - (size_t) (comma + 1 - v.data)}, count);
}

/* Column numbers of ?columns=; *n = -1 without the parameter; false after answering */
static bool
parse_columns(emu_request *req, emu_response *resp, const odps_schema *schema, int **columns, int *n)
{
	mcw_view	v = odps_param(req, "columns");
	bool	   *seen;

	*n = -1;
	*columns = NULL;
	if (v.len == 0)
		return true;
	*columns = mcw_arena_new(req->arena, sizeof(int) * (schema->ncolumns + 1));
	seen = mcw_arena_new(req->arena, schema->ncolumns + 1);
	*n = 0;
	for (;;)
	{
		const char *comma = memchr(v.data, ',', v.len);
		mcw_view	one = {v.data, comma ? (size_t) (comma - v.data) : v.len};
		int			c = odps_schema_column(schema, one);

		if (c < 0 || seen[c])
		{
			odps_error(req, resp, 400, "InvalidColumnSpec", "column \"%.*s\" %s", (int) one.len, one.data,
					   c < 0 ? "does not exist or is a partition column" : "is given twice");
			return false;
		}
		seen[c] = true;
		(*columns)[(*n)++] = c;
		if (!comma)
			return true;
		v.len -= (size_t) (comma + 1 - v.data);
		v.data = comma + 1;
	}
}

/* The first coding of Accept-Encoding we have; identity when there is none */
static mcw_codec
choose_codec(const emu_request *req)
{
	mcw_view	v = odps_header(req, "Accept-Encoding");

	while (v.len > 0)
	{
		const char *comma = memchr(v.data, ',', v.len);
		mcw_view	one = {v.data, comma ? (size_t) (comma - v.data) : v.len};
		const char *semi;
		mcw_codec	codec;

		v.data += one.len + (comma ? 1 : 0);
		v.len -= one.len + (comma ? 1 : 0);
		while (one.len > 0 && *one.data == ' ')
			one.data++, one.len--;
		semi = one.len ? memchr(one.data, ';', one.len) : NULL;
		if (semi)
			one.len = (size_t) (semi - one.data);
		if (mcw_view_ieq(one, MCW_LIT("identity")))
			return MCW_CODEC_NONE;
		if (one.len > 0 && mcw_codec_from_http(one, &codec) && codec != MCW_CODEC_GZIP && codec != MCW_CODEC_NONE)
			return codec;
	}
	return MCW_CODEC_NONE;
}

static bool
is_modified(const odps_session *s)
{
	odps_partition *part;

	if (!s->table)
		return false;
	part = odps_session_partition(s);
	return !part || part->content->version != s->content->version;
}

static emu_blob *
build_body(odps_session *s, uint64_t start, uint64_t count, const int *columns, int n, bool arrow, mcw_codec codec, mcw_error *err)
{
	mcw_buf		plain;
	mcw_buf		coded;
	mcw_status	st;

	mcw_buf_init(&plain, &mcw_malloc, (size_t) 16 << 30);
	if (arrow)
		st = odps_arrow_build(s->schema, s->content, start, count, columns, n, s->instance != NULL, &plain, err);
	else
		st = odps_stream_build(s->schema, s->content, start, count, n >= 0 ? columns : NULL, n, &plain, err);
	odps_count.bytes_out += plain.len;
	if (st == MCW_OK && codec != MCW_CODEC_NONE)
	{
		mcw_buf_init(&coded, &mcw_malloc, (size_t) 16 << 30);
		st = mcw_compress(codec, 0, mcw_buf_view(&plain), &coded, err);
		mcw_buf_free(&plain);
		plain = coded;
	}
	if (st != MCW_OK)
	{
		mcw_buf_free(&plain);
		return NULL;
	}
	return emu_blob_take(plain.data, plain.len);
}

/* Version, range, coding and columns name a body completely */
static char *
cache_key(const odps_session *s, uint64_t start, uint64_t count, bool arrow, mcw_codec codec, const int *columns, int n)
{
	mcw_buf		key;

	mcw_buf_init(&key, &mcw_malloc, 1 << 20);
	(void) mcw_buf_printf(&key, "%llu:%llu:%llu:%d%c", (unsigned long long) s->content->version,
						  (unsigned long long) start, (unsigned long long) count, (int) codec, !arrow ? 'r' : s->instance ? 'i' : 'a');
	for (int i = 0; i < n; i++)
		(void) mcw_buf_printf(&key, ":%d", columns[i]);
	if (!mcw_buf_cstr(&key))
		emu_oom();
	return key.data;
}

static int
compare_int(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

/* Arrow bodies have their columns in table order, whatever the order asked for */
static bool
arrow_columns(emu_request *req, emu_response *resp, const odps_schema *schema, int **columns, int *n)
{
	if (*n < 0)
	{
		*n = schema->ncolumns;
		*columns = mcw_arena_new(req->arena, sizeof(int) * (*n + 1));
		for (int i = 0; i < *n; i++)
			(*columns)[i] = i;
	}
	qsort(*columns, *n, sizeof(int), compare_int);
	if (odps_arrow_supported(schema, *columns, *n))
		return true;
	odps_error(req, resp, 501, "NotImplemented", "the emulator has no Arrow form of nested types and INTERVAL_DAY_TIME");
	return false;
}

static void
send_rows(emu_request *req, emu_response *resp, odps_session *s, uint64_t start, uint64_t count)
{
	mcw_codec	codec = choose_codec(req);
	bool		arrow = odps_has(req, "arrow");
	mcw_error	err = {0};
	int		   *columns;
	int			n;
	char	   *key;
	emu_blob   *blob;

	if (!parse_columns(req, resp, s->schema, &columns, &n))
		return;
	if (arrow && !arrow_columns(req, resp, s->schema, &columns, &n))
		return;
	key = cache_key(s, start, count, arrow, codec, columns, n);
	blob = odps_cache_get(key);
	if (!blob)
	{
		blob = build_body(s, start, count, columns, n, arrow, codec, &err);
		if (blob)
			odps_cache_put(key, blob);
	}
	free(key);
	if (!blob)
	{
		odps_error(req, resp, 500, "InternalServerError", "cannot build the stream: %s", err.message);
		return;
	}
	resp->status = 200;
	resp->blob = blob;
	resp->blob_off = 0;
	resp->blob_len = blob->len;
	emu_header_add(resp, "Content-Type", "application/octet-stream");
	if (codec != MCW_CODEC_NONE)
		emu_header_add(resp, "Content-Encoding", "%s", arrow && codec == MCW_CODEC_LZ4_FRAME ?
					   "x-odps-lz4-frame" : mcw_codec_http_name(codec));
}

void
odps_download_data(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance)
{
	odps_session *s = find_session(req, resp, target, name, instance);
	mcw_view	range = odps_param(req, "rowrange");
	uint64_t	start = 0;
	uint64_t	count = 0;

	if (!s)
		return;
	if (emu_fault_armed(req, "session_expired"))
		s->status = ODPS_EXPIRED;
	if (s->status != ODPS_NORMAL || s->initiating || !s->content)
	{
		odps_error(req, resp, 409, "StatusConflict", "download session %s is %s", s->id,
				   s->initiating ? "initiating" : odps_status_name(s->status));
		return;
	}
	if (!parse_range(range, &start, &count) || start > s->content->nrecords || count > s->content->nrecords - start)
	{
		odps_error(req, resp, 400, "InvalidRowRange", "row range \"%.*s\" is not within the %llu rows of the session",
				   (int) range.len, range.data ? range.data : "", (unsigned long long) s->content->nrecords);
		return;
	}
	if (odps_set.modified_check && !odps_param_true(req, "disable_modified_check") && is_modified(s))
	{
		odps_error(req, resp, 409, "TableModified", "The specified table has been modified since the download initiated");
		return;
	}
	send_rows(req, resp, s, start, count);
}
