/*
 * sls_getlogs.c
 *		mc-emulator, Log Service: GetLogs in both wire forms and GetHistograms.
 *		loghub.md 3.7, 3.8.  SQL behind "|" is refused, never ignored.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_compress.h"
#include "sls.h"

#define MAX_LINE 100
#define MAX_BUCKETS 5000

typedef struct query
{
	int64_t		from;
	int64_t		to;
	mcw_view	text;
	mcw_view	topic;
	int64_t		line;
	int64_t		offset;
	bool		reverse;
	sls_expr   *expr;
} query;

typedef struct hit
{
	sls_log_view log;
	uint64_t	seq;			/* keeps the order of arrival among equal times */
} hit;

typedef struct hits
{
	hit		   *list;
	size_t		n;
	size_t		cap;
	uint64_t	scanned;
	uint64_t	bytes;
} hits;

static bool
has_pipe(mcw_view text)
{
	char		quote = 0;

	for (size_t i = 0; i < text.len; i++)
	{
		char		c = text.data[i];

		if (quote && c == '\\')
			i++;
		else if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '"' || c == '\'')
			quote = c;
		else if (c == '|')
			return true;
	}
	return false;
}

static bool
check_query(sls_call *call, query *q)
{
	mcw_error	err = {0};

	if (q->from < 0 || q->to < 0 || q->from >= q->to)
		sls_error(call->resp, 400, "InvalidTimeRange", "request time range is invalid");
	else if (q->line < 0 || q->line > MAX_LINE)
		sls_error(call->resp, 400, "InvalidLine", "line is not in [0-%d]", MAX_LINE);
	else if (q->offset < 0)
		sls_error(call->resp, 400, "InvalidOffset", "offset is negative");
	else if (call->logstore->index == NULL && sls_conf.require_index)
		sls_error(call->resp, 400, "IndexConfigNotExist", "logstore without index config");
	else if (has_pipe(q->text))
		sls_error(call->resp, 400, "ParameterInvalid", "ErrorType:OLSQueryParseError.ErrorMessage:SQL is not supported by the emulator");
	else if (!sls_parse_search(q->text, call->req->arena, &q->expr, &err))
		sls_error(call->resp, 400, "InvalidQueryString", "%s", err.message);
	else
		return true;
	return false;
}

static bool
read_params(sls_call *call, query *q)
{
	mcw_view	reverse = sls_param(call, "reverse");
	mcw_view	v;

	memset(q, 0, sizeof(*q));
	if (!sls_param_int(call, "from", -1, &q->from) || !sls_param_int(call, "to", -1, &q->to))
	{
		sls_error(call->resp, 400, "InvalidTimeRange", "request time range is invalid");
		return false;
	}
	if (!sls_param_int(call, "line", MAX_LINE, &q->line))
	{
		sls_error(call->resp, 400, "InvalidLine", "line is not a number");
		return false;
	}
	if (!sls_param_int(call, "offset", 0, &q->offset))
	{
		sls_error(call->resp, 400, "InvalidOffset", "offset is not a number");
		return false;
	}
	if (reverse.len > 0 && !mcw_view_ieq(reverse, MCW_LIT("true")) && !mcw_view_ieq(reverse, MCW_LIT("false")))
	{
		sls_error(call->resp, 400, "InvalidReverse", "reverse is true or false");
		return false;
	}
	q->reverse = sls_param_bool(call, "reverse");
	v = sls_param(call, "query");
	q->text = v.data ? v : MCW_LIT("");
	v = sls_param(call, "topic");
	q->topic = v.data ? v : MCW_LIT("");
	return check_query(call, q);
}

static bool
read_body(sls_call *call, query *q)
{
	mcw_node   *root = NULL;
	const mcw_node *reverse;
	mcw_view	v;
	mcw_error	err;

	memset(q, 0, sizeof(*q));
	q->line = MAX_LINE;
	q->from = q->to = -1;
	if (mcw_json_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK || root->kind != MCW_NODE_OBJECT)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "The body is not valid json string.");
		return false;
	}
	(void) mcw_node_int(root, "from", &q->from);
	(void) mcw_node_int(root, "to", &q->to);
	(void) mcw_node_int(root, "line", &q->line);
	(void) mcw_node_int(root, "offset", &q->offset);
	reverse = mcw_node_get(root, "reverse");
	q->reverse = reverse && reverse->boolean;
	v = mcw_node_text(root, "query");
	q->text = v.data ? v : MCW_LIT("");
	v = mcw_node_text(root, "topic");
	q->topic = v.data ? v : MCW_LIT("");
	return check_query(call, q);
}

/* ---- scanning ---- */

static void
add_hit(hits *h, const sls_log_view *log)
{
	if (h->n == h->cap)
	{
		h->cap = h->cap ? h->cap * 2 : 256;
		h->list = emu_realloc(h->list, h->cap * sizeof(hit));
	}
	h->list[h->n].log = *log;
	h->list[h->n].seq = h->n;
	h->n++;
}

static void
scan_group(const query *q, const sls_group *g, hits *h)
{
	mcw_view	body = {g->data + g->body_at, g->len - g->body_at};
	mcw_view	topic = MCW_LIT("");
	size_t		pos = 0;
	sls_field	f;
	sls_log_view log;

	h->bytes += g->len;
	if (q->topic.len > 0)
	{
		while (sls_next_field(body, &pos, &f))
			if (f.number == 3 && f.wire_type == 2)
				topic = f.bytes;
		if (!mcw_view_eq(topic, q->topic))
			return;
		pos = 0;
	}
	while (sls_next_field(body, &pos, &f))
	{
		if (f.number != 1 || f.wire_type != 2 || !sls_log_open(body, f.bytes, &log))
			continue;
		h->scanned++;
		if (log.time >= q->from && log.time < q->to && sls_match(q->expr, &log))
			add_hit(h, &log);
	}
}

static void
scan(const sls_logstore *store, const query *q, hits *h)
{
	for (int i = 0; i < store->nshards; i++)
	{
		const sls_shard *s = store->shards[i];

		for (size_t k = s->first; k < s->ngroups; k++)
			if (s->groups[k].nlogs > 0 && s->groups[k].min_time < q->to && s->groups[k].max_time >= q->from)
				scan_group(q, &s->groups[k], h);
	}
}

static int
by_time(const void *a, const void *b)
{
	const hit  *x = a;
	const hit  *y = b;

	if (x->log.time != y->log.time)
		return x->log.time < y->log.time ? -1 : 1;
	if (x->log.time_ns != y->log.time_ns)
		return x->log.time_ns < y->log.time_ns ? -1 : 1;
	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* The wanted page as a JSON array of objects; returns how many it holds. */
static size_t
put_page(const query *q, const hits *h, mcw_buf *out)
{
	size_t		n = 0;

	mcw_buf_append_char(out, '[');
	for (size_t i = (size_t) q->offset; i < h->n && n < (size_t) q->line; i++, n++)
	{
		if (n > 0)
			mcw_buf_append_char(out, ',');
		sls_log_json(&h->list[q->reverse ? h->n - 1 - i : i].log, out);
	}
	mcw_buf_append_char(out, ']');
	return n;
}

static void
stat_headers(sls_call *call, const query *q, const hits *h, size_t count)
{
	emu_response *r = call->resp;

	emu_header_add(r, "x-log-progress", "Complete");
	emu_header_add(r, "x-log-count", "%zu", count);
	emu_header_add(r, "x-log-processed-rows", "%llu", (unsigned long long) h->scanned);
	emu_header_add(r, "x-log-processed-bytes", "%llu", (unsigned long long) h->bytes);
	emu_header_add(r, "x-log-elapsed-millisecond", "1");
	emu_header_add(r, "x-log-has-sql", "false");
	emu_header_add(r, "x-log-where-query", "%.*s", (int) q->text.len, q->text.data);
	emu_header_add(r, "x-log-agg-query", "%s", "");
	emu_header_add(r, "x-log-cpu-sec", "0");
	emu_header_add(r, "x-log-cpu-cores", "0");
	emu_header_add(r, "x-log-query-info", "{\"keys\":[],\"terms\":[],\"limited\":\"0\",\"marker\":\"\",\"mode\":0}");
}

/* lz4 only when asked for; a plain body carries neither of the two headers. */
static void
pack_body(sls_call *call)
{
	mcw_view	accept = mcw_request_get_header(&call->req->http, MCW_LIT("Accept-Encoding"));
	mcw_buf		packed;
	mcw_error	err;

	if (accept.len == 0 || memmem(accept.data, accept.len, "lz4", 3) == NULL)
		return;
	mcw_buf_init(&packed, &mcw_malloc, (size_t) 1 << 30);
	if (mcw_compress(MCW_CODEC_LZ4_BLOCK, 0, mcw_buf_view(&call->resp->body), &packed, &err) == MCW_OK)
	{
		emu_header_add(call->resp, "x-log-bodyrawsize", "%zu", call->resp->body.len);
		emu_header_add(call->resp, "x-log-compresstype", "lz4");
		mcw_buf_reset(&call->resp->body);
		mcw_buf_append(&call->resp->body, packed.data, packed.len);
	}
	mcw_buf_free(&packed);
}

static void
get_logs(sls_call *call, bool v2)
{
	query		q;
	hits		h = {0};
	mcw_buf		data;
	size_t		count;
	mcw_buf    *out = &call->resp->body;

	if (v2 ? !read_body(call, &q) : !read_params(call, &q))
		return;
	scan(call->logstore, &q, &h);
	if (h.n > 0)
		qsort(h.list, h.n, sizeof(hit), by_time);
	mcw_buf_init(&data, &mcw_malloc, (size_t) 1 << 30);
	count = put_page(&q, &h, &data);
	sls_json(call->resp);
	if (v2)
	{
		mcw_buf_printf(out, "{\"meta\":{\"progress\":\"Complete\",\"count\":%zu,\"processedRows\":%llu,\"processedBytes\":%llu,"
					   "\"elapsedMillisecond\":1,\"hasSQL\":false,\"whereQuery\":", count, (unsigned long long) h.scanned,
					   (unsigned long long) h.bytes);
		mcw_json_quote(out, q.text);
		mcw_buf_append_str(out, ",\"aggQuery\":\"\",\"cpuSec\":0,\"cpuCores\":0,\"limited\":0,\"mode\":0,\"isAccurate\":true,"
						   "\"powerSql\":false,\"keys\":[],\"terms\":[],\"telementryType\":\"\",\"insertedSQL\":\"\","
						   "\"columnTypes\":[],\"marker\":\"\",\"scanBytes\":0,\"shard\":0,\"highlights\":[]},\"data\":");
	}
	mcw_buf_append_view(out, mcw_buf_view(&data));
	if (v2)
		mcw_buf_append_char(out, '}');
	mcw_buf_free(&data);
	stat_headers(call, &q, &h, count);
	free(h.list);
	if (v2)
		pack_body(call);
}

static void
get_histograms(sls_call *call)
{
	query		q;
	hits		h = {0};
	int64_t		interval;
	int64_t		nbuckets;
	uint64_t   *buckets;
	mcw_buf    *out = &call->resp->body;

	if (!read_params(call, &q))
		return;
	if (!sls_param_int(call, "interval", 0, &interval) || interval <= 0)
		interval = (q.to - q.from + 59) / 60;
	nbuckets = (q.to - q.from + interval - 1) / interval;
	if (nbuckets > MAX_BUCKETS)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "interval makes more than %d sub-intervals", MAX_BUCKETS);
		return;
	}
	buckets = emu_malloc(nbuckets * sizeof(uint64_t));
	memset(buckets, 0, nbuckets * sizeof(uint64_t));
	scan(call->logstore, &q, &h);
	for (size_t i = 0; i < h.n; i++)
		buckets[(h.list[i].log.time - q.from) / interval]++;
	sls_json(call->resp);
	mcw_buf_append_char(out, '[');
	for (int64_t i = 0; i < nbuckets; i++)
	{
		int64_t		end = q.from + (i + 1) * interval;

		mcw_buf_printf(out, "%s{\"from\":%lld,\"to\":%lld,\"count\":%llu,\"progress\":\"Complete\"}", i ? "," : "",
					   (long long) (q.from + i * interval), (long long) (end < q.to ? end : q.to), (unsigned long long) buckets[i]);
	}
	mcw_buf_append_char(out, ']');
	free(buckets);
	stat_headers(call, &q, &h, h.n);
	free(h.list);
}

void
sls_handle_query(sls_call *call)
{
	if (call->api == SLS_GET_LOGS)
		get_logs(call, false);
	else if (call->api == SLS_GET_LOGS_V2)
		get_logs(call, true);
	else if (call->api == SLS_GET_HISTOGRAMS)
		get_histograms(call);
	else
		sls_error(call->resp, 400, "ParameterInvalid", "this query is not supported by the emulator");
}
