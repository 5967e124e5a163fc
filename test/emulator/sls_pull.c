/*
 * sls_pull.c
 *		mc-emulator, Log Service: PullLogs and the cache of compressed pages.
 *		loghub.md 3.4.
 *
 * A page is a run of groups, which never change, so (shard, first group, number of
 * groups, coding) names its bytes for ever.  Repeated scans are served from the
 * cache without copying.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_compress.h"
#include "sls.h"

#define PAGE_HARD_MAX ((size_t) 256 << 20)
#define CACHE_SLOTS 16384

typedef struct page
{
	uint64_t	shard_uid;
	int64_t		cursor;
	uint32_t	ngroups;
	mcw_codec	codec;
	size_t		raw_len;
	emu_blob   *blob;
	struct page *chain;			/* same hash slot */
	struct page *newer;
	struct page *older;
} page;

/* One answer in the making */
typedef struct pull
{
	sls_shard  *shard;
	int64_t		cursor;
	int64_t		end_cursor;		/* INT64_MAX = none */
	int64_t		count;
	mcw_codec	codec;
	const char *codec_name;		/* NULL = plain */
	size_t		first;			/* groups [first, first + n) */
	size_t		n;
	int64_t		next;
} pull;

static page *slots[CACHE_SLOTS];
static page *newest = NULL;
static page *oldest = NULL;
static uint64_t cached_bytes = 0;
static uint64_t cached_pages = 0;
static uint64_t hits = 0;
static uint64_t misses = 0;

static unsigned
slot_of(uint64_t uid, int64_t cursor, uint32_t n, mcw_codec codec)
{
	uint64_t	h = uid * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t) cursor * UINT64_C(0xC2B2AE3D27D4EB4F);

	h ^= (uint64_t) n << 7 | (uint64_t) codec;
	h *= UINT64_C(0xFF51AFD7ED558CCD);
	return (unsigned) (h >> 40) % CACHE_SLOTS;
}

static void
unlink_lru(page *p)
{
	if (p->newer)
		p->newer->older = p->older;
	else
		newest = p->older;
	if (p->older)
		p->older->newer = p->newer;
	else
		oldest = p->newer;
	p->newer = p->older = NULL;
}

static void
link_newest(page *p)
{
	p->older = newest;
	p->newer = NULL;
	if (newest)
		newest->newer = p;
	newest = p;
	if (oldest == NULL)
		oldest = p;
}

static void
drop_page(page *p)
{
	page	  **at = &slots[slot_of(p->shard_uid, p->cursor, p->ngroups, p->codec)];

	while (*at != p)
		at = &(*at)->chain;
	*at = p->chain;
	unlink_lru(p);
	cached_bytes -= p->blob->len;
	cached_pages--;
	emu_blob_unref(p->blob);
	free(p);
}

void
sls_cache_forget(uint64_t shard_uid)
{
	page	   *next;

	for (page *p = newest; p; p = next)
	{
		next = p->older;
		if (p->shard_uid == shard_uid)
			drop_page(p);
	}
}

void
sls_cache_clear(void)
{
	while (newest)
		drop_page(newest);
}

void
sls_cache_report(mcw_buf *out)
{
	mcw_buf_printf(out, "{\"pages\":%llu,\"bytes\":%llu,\"hits\":%llu,\"misses\":%llu}", (unsigned long long) cached_pages,
				   (unsigned long long) cached_bytes, (unsigned long long) hits, (unsigned long long) misses);
}

static page *
find_page(const pull *q)
{
	int64_t		cursor = q->shard->groups[q->first].cursor;
	page	   *p = slots[slot_of(q->shard->uid, cursor, (uint32_t) q->n, q->codec)];

	while (p && (p->shard_uid != q->shard->uid || p->cursor != cursor || p->ngroups != q->n || p->codec != q->codec))
		p = p->chain;
	if (p)
	{
		unlink_lru(p);
		link_newest(p);
	}
	return p;
}

/* Exact raw size of the run, so that the buffer is made once */
static bool
encode(const pull *q, mcw_buf *raw, mcw_buf *packed, mcw_error *err)
{
	size_t		total = 0;

	for (size_t i = q->first; i < q->first + q->n; i++)
		total += q->shard->groups[i].len;
	if (mcw_buf_grow(raw, total) != MCW_OK)
		return false;
	for (size_t i = q->first; i < q->first + q->n; i++)
	{
		memcpy(raw->data + raw->len, q->shard->groups[i].data, q->shard->groups[i].len);
		raw->len += q->shard->groups[i].len;
	}
	return q->codec == MCW_CODEC_NONE || mcw_compress(q->codec, 0, mcw_buf_view(raw), packed, err) == MCW_OK;
}

static page *
make_page(const pull *q, mcw_error *err)
{
	mcw_buf		raw;
	mcw_buf		packed;
	page	   *p;
	page	  **slot;

	mcw_buf_init(&raw, &mcw_malloc, PAGE_HARD_MAX);
	mcw_buf_init(&packed, &mcw_malloc, PAGE_HARD_MAX);
	if (!encode(q, &raw, &packed, err))
	{
		mcw_buf_free(&raw);
		mcw_buf_free(&packed);
		return NULL;
	}
	p = emu_malloc(sizeof(*p));
	memset(p, 0, sizeof(*p));
	p->shard_uid = q->shard->uid;
	p->cursor = q->shard->groups[q->first].cursor;
	p->ngroups = (uint32_t) q->n;
	p->codec = q->codec;
	p->raw_len = raw.len;
	if (q->codec == MCW_CODEC_NONE)
		p->blob = emu_blob_take(raw.data, raw.len);
	else
	{
		mcw_buf_free(&raw);
		p->blob = emu_blob_take(emu_realloc(packed.data, packed.len), packed.len);
	}
	slot = &slots[slot_of(p->shard_uid, p->cursor, p->ngroups, p->codec)];
	p->chain = *slot;
	*slot = p;
	link_newest(p);
	cached_bytes += p->blob->len;
	cached_pages++;
	while (cached_bytes > (uint64_t) sls_conf.cache_bytes && oldest != p)
		drop_page(oldest);
	return p;
}

/* Which groups the answer holds, and the next cursor. */
static void
choose_groups(pull *q)
{
	const sls_shard *s = q->shard;
	uint64_t	bytes = 0;
	size_t		i;

	q->first = i = sls_find_cursor(s, q->cursor);
	while (i < s->ngroups && i - q->first < (size_t) q->count && s->groups[i].cursor < q->end_cursor)
	{
		bytes += s->groups[i].len;
		if (i > q->first && bytes > (uint64_t) sls_conf.page_bytes)
			break;
		i++;
	}
	q->n = i - q->first;
	q->next = q->n > 0 ? s->groups[i - 1].cursor + 1 : q->cursor;
	if (q->cursor >= q->end_cursor)
		q->next = q->cursor;
	else if (q->end_cursor <= s->next_cursor && (i == s->ngroups || s->groups[i].cursor >= q->end_cursor))
		q->next = q->end_cursor;	/* all before it is out: the cursor lands on it exactly */
}

/* The first coding of the list that the service has; an empty list means plain. */
static bool
choose_codec(mcw_view accept, mcw_codec *codec, const char **name)
{
	static const char *const names[] = {"lz4", "zstd", "deflate", "gzip"};
	static const mcw_codec codecs[] = {MCW_CODEC_LZ4_BLOCK, MCW_CODEC_ZSTD, MCW_CODEC_DEFLATE, MCW_CODEC_DEFLATE};
	const char *p = accept.data;
	const char *end = accept.data + accept.len;
	bool		plain = accept.len == 0;

	*codec = MCW_CODEC_NONE;
	*name = NULL;
	while (p < end)
	{
		const char *comma = memchr(p, ',', end - p);
		const char *stop = comma ? comma : end;
		const char *semi = memchr(p, ';', stop - p);
		mcw_view	word = {p, (semi ? semi : stop) - p};

		while (word.len > 0 && word.data[0] == ' ')
			word.data++, word.len--;
		while (word.len > 0 && word.data[word.len - 1] == ' ')
			word.len--;
		for (int i = 0; i < 4; i++)
			if (mcw_view_ieq(word, mcw_str(names[i])))
			{
				*codec = codecs[i];
				*name = names[i];
				return true;
			}
		if (mcw_view_ieq(word, MCW_LIT("identity")) || mcw_view_eq(word, MCW_LIT("*")) || word.len == 0)
			plain = true;
		p = comma ? comma + 1 : end;
	}
	return plain;
}

static bool
parse_pull(sls_call *call, pull *q)
{
	mcw_view	cursor = sls_param(call, "cursor");
	mcw_view	end = sls_param(call, "end_cursor");
	mcw_view	type = sls_param(call, "type");
	int64_t		id;

	memset(q, 0, sizeof(*q));
	if (type.data && !mcw_view_eq(type, MCW_LIT("log")) && !mcw_view_eq(type, MCW_LIT("logs")))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "Parameter type is not valid");
		return false;
	}
	q->shard = mcw_view_int64(call->seg[3], &id) ? sls_find_shard(call->logstore, id) : NULL;
	if (q->shard == NULL)
	{
		sls_error(call->resp, 404, "ShardNotExist", "Shard %.*s does not exist", (int) call->seg[3].len, call->seg[3].data);
		return false;
	}
	if (cursor.data == NULL || type.data == NULL)
	{
		sls_error(call->resp, 400, "MissingParameter", "Missing query key : %s", type.data ? "cursor" : "type");
		return false;
	}
	if (!sls_param_int(call, "count", 1000, &q->count) || q->count < 1 || q->count > 1000)
	{
		sls_error(call->resp, 400, "ParameterInvalid", "ParameterCount should be in [0-1000]");
		return false;
	}
	q->end_cursor = INT64_MAX;
	if (!sls_parse_cursor(cursor, &q->cursor) || (end.len > 0 && !sls_parse_cursor(end, &q->end_cursor)))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "Invalid cursor %.*s", (int) (cursor.len < 128 ? cursor.len : 128), cursor.data);
		return false;
	}
	if (q->cursor < sls_begin_cursor(q->shard) || q->cursor > q->shard->next_cursor)
	{
		sls_error(call->resp, 400, "InvalidCursor", "Invalid cursor %.*s", (int) cursor.len, cursor.data);
		return false;
	}
	if (!choose_codec(mcw_request_get_header(&call->req->http, MCW_LIT("Accept-Encoding")), &q->codec, &q->codec_name))
	{
		sls_error(call->resp, 400, "InvalidAcceptEncoding", "Accept-Encoding is none of lz4, zstd, deflate, gzip");
		return false;
	}
	return true;
}

/*
 * The groups of the run with only the logs that pass; a group without any is left
 * out.  Everything but logs is copied as it is.
 */
static uint64_t
filter_groups(const pull *q, const sls_expr *expr, mcw_buf *raw, uint64_t *lines, uint64_t *kept)
{
	uint64_t	groups = 0;
	mcw_buf		one;

	mcw_buf_init(&one, &mcw_malloc, PAGE_HARD_MAX);
	for (size_t i = q->first; i < q->first + q->n; i++)
	{
		const sls_group *g = &q->shard->groups[i];
		mcw_view	body = {g->data + g->body_at, g->len - g->body_at};
		size_t		pos = 0;
		uint64_t	before = *kept;
		sls_field	f;
		sls_log_view log;

		mcw_buf_reset(&one);
		while (sls_next_field(body, &pos, &f))
		{
			if (f.number == 1 && f.wire_type == 2)
			{
				(*lines)++;
				if (!sls_log_open(body, f.bytes, &log) || !sls_match(expr, &log))
					continue;
				(*kept)++;
			}
			mcw_buf_append(&one, f.start, f.len);
		}
		if (*kept == before)
			continue;
		groups++;
		mcw_buf_append_char(raw, 0x0a);
		for (uint64_t n = one.len;; n >>= 7)
		{
			mcw_buf_append_char(raw, (char) ((n & 0x7f) | (n > 0x7f ? 0x80 : 0)));
			if (n <= 0x7f)
				break;
		}
		mcw_buf_append(raw, one.data, one.len);
	}
	mcw_buf_free(&one);
	return groups;
}

static bool
answer_filtered(sls_call *call, const pull *q, const sls_expr *expr, uint64_t *count, size_t *raw_len)
{
	mcw_buf		raw;
	uint64_t	lines = 0;
	uint64_t	kept = 0;
	uint64_t	source_bytes = 0;
	mcw_error	err;
	bool		ok = true;

	mcw_buf_init(&raw, &mcw_malloc, PAGE_HARD_MAX);
	for (size_t i = q->first; i < q->first + q->n; i++)
		source_bytes += q->shard->groups[i].len;
	*count = filter_groups(q, expr, &raw, &lines, &kept);
	*raw_len = raw.len;
	if (raw.len > 0 && q->codec == MCW_CODEC_NONE)
		mcw_buf_append(&call->resp->body, raw.data, raw.len);
	else if (raw.len > 0)
		ok = mcw_compress(q->codec, 0, mcw_buf_view(&raw), &call->resp->body, &err) == MCW_OK;
	mcw_buf_free(&raw);
	emu_header_add(call->resp, "x-log-rawdatasize", "%llu", (unsigned long long) source_bytes);
	emu_header_add(call->resp, "x-log-rawdatacount", "%zu", q->n);
	emu_header_add(call->resp, "x-log-rawdatalines", "%llu", (unsigned long long) lines);
	emu_header_add(call->resp, "x-log-resultlines", "%llu", (unsigned long long) kept);
	emu_header_add(call->resp, "x-log-failedlines", "0");
	return ok;
}

static bool
answer_page(sls_call *call, const pull *q, size_t *raw_len)
{
	page	   *p = find_page(q);
	mcw_error	err;

	if (p)
		hits++;
	else
	{
		misses++;
		p = make_page(q, &err);
	}
	if (p == NULL)
		return false;
	*raw_len = p->raw_len;
	call->resp->blob = emu_blob_ref(p->blob);
	call->resp->blob_len = p->blob->len;
	return true;
}

static void
position_headers(sls_call *call, const pull *q)
{
	char		next[64];

	sls_cursor_text(q->next, next);
	emu_header_add(call->resp, "x-log-cursor", "%s", next);
	if (q->next >= q->shard->next_cursor)
		emu_header_add(call->resp, "x-log-end-of-cursor", "1");
	if (q->n > 0)
	{
		const sls_group *last = &q->shard->groups[q->first + q->n - 1];

		emu_header_add(call->resp, "x-log-cursor-time", "%lld", (long long) (last->receive_us / 1000000));
		emu_header_add(call->resp, "x-log-read-last-cursor", "%lld", (long long) last->cursor);
	}
}

void
sls_handle_pull(sls_call *call)
{
	mcw_view	query = sls_param(call, "query");
	sls_expr   *expr = NULL;
	mcw_error	err = {0};
	pull		q;
	uint64_t	count;
	size_t		raw_len = 0;
	bool		ok = true;

	if (!parse_pull(call, &q))
		return;
	if (query.len > 0 && !sls_parse_spl(query, call->req->arena, &expr, &err))
	{
		sls_error(call->resp, 400, "ParameterInvalid", "%s", err.message);
		return;
	}
	if (emu_fault_armed(call->req, "short_page"))
		q.count = emu_fault_param("groups", 1);
	choose_groups(&q);
	count = q.n;
	call->resp->status = 200;
	if (query.len > 0)
		ok = answer_filtered(call, &q, expr, &count, &raw_len);
	else if (q.n > 0)
		ok = answer_page(call, &q, &raw_len);
	if (!ok)
	{
		sls_error(call->resp, 500, "InternalServerError", "the page could not be encoded");
		return;
	}
	if (!sls_quota(call, q.shard, false, raw_len))
		return;
	emu_header_add(call->resp, "Content-Type", "application/x-protobuf");
	emu_header_add(call->resp, "x-log-count", "%llu", (unsigned long long) count);
	emu_header_add(call->resp, "x-log-bodyrawsize", "%zu", raw_len);
	if (q.codec_name)
		emu_header_add(call->resp, "x-log-compresstype", "%s", q.codec_name);
	position_headers(call, &q);
}

/* Encode the pages that a scan of the window will ask for, before it asks. */
bool
sls_warm(sls_shard *shard, int64_t from, int64_t to, int64_t count, mcw_view coding, uint64_t *pages, mcw_error *err)
{
	pull		q = {.shard = shard, .cursor = from, .end_cursor = to, .count = count};

	if (!choose_codec(coding, &q.codec, &q.codec_name))
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "compress is none of lz4, zstd, deflate, gzip");
		return false;
	}
	for (;;)
	{
		choose_groups(&q);
		if (q.n == 0)
			return true;
		if (find_page(&q) == NULL && make_page(&q, err) == NULL)
			return false;
		(*pages)++;
		q.cursor = q.next;
	}
}
