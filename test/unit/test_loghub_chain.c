/*
 * test_loghub_chain.c
 *		Windows of a job in the shards of a logstore (mcs_loghub_chain.c) and scans of the
 *		ranges they come to (mcs_loghub_range.c): random histories with splits, merges and
 *		late groups, window after window, against a reference; failures; memory.
 */
#include "net_server.h"

#include <pthread.h>

#include "../../src/service/mcs_loghub_chain.h"
#include "../../src/wire/mcw_text.h"

#define KEYS 16
#define MAX_SHARDS 64
#define MAX_GROUPS 4000
#define CURSOR_BASE UINT64_C(1447299606896632356)

typedef struct group
{
	int64_t		time;			/* received */
	int			key;
	int			serial;
} group;

typedef struct store_shard
{
	int			low;			/* keys low .. high - 1 */
	int			high;
	int			parents[2];		/* -1 = none */
	bool		readonly;
	bool		gone;
	int64_t		created;
	int			groups[MAX_GROUPS];
	int			n;
} store_shard;

typedef struct store
{
	pthread_mutex_t lock;
	unit_random random;
	store_shard shards[MAX_SHARDS];
	int			nshards;
	group		groups[MAX_GROUPS];
	int			ngroups;
	int			ttl;
	int			page;			/* groups in an answer at most */
	int64_t		now;			/* of the history */
	int			requests;
	const char *bad_cursor;		/* answered instead of every cursor by time */
} store;

/* ---- history ---- */

static int
add_shard(store *st, int low, int high, int a, int b)
{
	store_shard *s = &st->shards[st->nshards];

	if (st->nshards == MAX_SHARDS)
		abort();
	*s = (store_shard) {.low = low, .high = high, .parents = {a, b}, .created = st->now};
	if (a >= 0)
		st->shards[a].readonly = true;
	if (b >= 0)
		st->shards[b].readonly = true;
	return st->nshards++;
}

static int
shard_of(const store *st, int key)
{
	for (int i = 0; i < st->nshards; i++)
		if (!st->shards[i].readonly && st->shards[i].low <= key && key < st->shards[i].high)
			return i;
	abort();
}

/* Writes; now and then a group whose receive time is behind or ahead of the others, a split, a merge */
static void
live(store *st, int events)
{
	for (int e = 0; e < events; e++)
	{
		int			key = (int) unit_below(&st->random, KEYS);
		int			s = shard_of(st, key);
		int			what = (int) unit_below(&st->random, 100);
		store_shard *of = &st->shards[s];

		st->now += (int64_t) unit_below(&st->random, 8);
		if (what < 3 && of->high - of->low > 1 && st->nshards + 2 <= MAX_SHARDS)
		{
			int			cut = of->low + 1 + (int) unit_below(&st->random, (size_t) (of->high - of->low - 1));

			(void) add_shard(st, of->low, cut, s, -1);
			(void) add_shard(st, cut, of->high, s, -1);
		}
		else if (what < 6 && of->high < KEYS && st->nshards < MAX_SHARDS)
			(void) add_shard(st, of->low, st->shards[shard_of(st, of->high)].high, s, shard_of(st, of->high));
		else if (st->ngroups < MAX_GROUPS)
		{
			int64_t		shift = what < 20 ? (int64_t) unit_below(&st->random, 200) - 150 : 0;

			st->groups[st->ngroups] = (group) {st->now + shift, key, st->ngroups};
			of->groups[of->n++] = st->ngroups++;
		}
	}
}

static int
place_of_time(const store *st, int s, int64_t time)
{
	int			at = 0;

	while (at < st->shards[s].n && st->groups[st->shards[s].groups[at]].time < time)
		at++;
	return at;
}

/* ---- the service ---- */

static void
answer(net_conn *c, mcw_view body)
{
	(void) net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-log-requestid: AB\r\nContent-Length: %zu\r\n\r\n",
					 body.len);
	(void) net_send(c, body.data, body.len);
}

static void
hash_key(int key, char out[33])
{
	memset(out, key == KEYS ? 'f' : '0', 32);
	out[32] = '\0';
	if (key < KEYS)
		out[0] = "0123456789abcdef"[key];
}

static void
send_list(const store *st, net_conn *c)
{
	mcw_buf		out;
	char		low[33];
	char		high[33];
	char		text[300];

	mcw_buf_init(&out, &mcw_malloc, 1000000);
	CHECK_OK(mcw_buf_append_str(&out, "["));
	/* in no order */
	for (int i = st->nshards - 1; i >= 0; i--)
	{
		const store_shard *s = &st->shards[i];

		if (s->gone)
			continue;
		hash_key(s->low, low);
		hash_key(s->high, high);
		(void) snprintf(text, sizeof(text), "%s{\"shardID\":%d,\"status\":\"%s\",\"inclusiveBeginKey\":\"%s\",\"exclusiveEndKey\":\"%s\",\"createTime\":%lld}",
						out.len > 1 ? "," : "", i, s->readonly ? "readonly" : "readwrite", low, high, (long long) s->created);
		CHECK_OK(mcw_buf_append_str(&out, text));
	}
	CHECK_OK(mcw_buf_append_str(&out, "]"));
	answer(c, mcw_buf_view(&out));
	mcw_buf_free(&out);
}

/* the integer in a parameter that is a cursor, less CURSOR_BASE */
static int
cursor_param(const char *target, const char *name)
{
	const char *p = strstr(target, name);
	char		text[80] = "";
	size_t		n = 0;
	mcs_cursor	cursor;
	uint64_t	value;
	mcw_error	err;

	if (p == NULL)
		return -1;
	for (p += strlen(name); *p && *p != '&' && *p != ' ' && n < sizeof(text) - 1; p++)
	{
		if (strncmp(p, "%3D", 3) == 0)
		{
			text[n++] = '=';
			p += 2;
		}
		else
			text[n++] = *p;
	}
	text[n] = '\0';
	CHECK_OK(mcs_cursor_set(&cursor, mcw_str(text), &err));
	CHECK(mcs_cursor_int(&cursor, &value));
	return (int) (value - CURSOR_BASE);
}

static void
send_cursor(const store *st, net_conn *c, int s, const char *from)
{
	mcs_cursor	cursor;
	char		text[200];

	mcs_cursor_from_int(&cursor, CURSOR_BASE + (uint64_t) (strncmp(from, "begin", 5) == 0 ? 0 : strncmp(from, "end", 3) == 0 ?
														   st->shards[s].n : place_of_time(st, s, atoll(from))));
	(void) snprintf(text, sizeof(text), "{\"cursor\":\"%s\"}", st->bad_cursor && from[0] != 'b' && from[0] != 'e' ? st->bad_cursor : cursor.data);
	answer(c, mcw_str(text));
}

static void
send_groups(const store *st, net_conn *c, const char *target, int s)
{
	int			at = cursor_param(target, "?cursor=");
	int			end = cursor_param(target, "end_cursor=");
	int			n;
	mcs_cursor	next;
	char		headers[300];
	char		body[200];

	if (at < 0)
		at = cursor_param(target, "&cursor=");
	n = end - at < st->page ? end - at : st->page;
	CHECK(at >= 0 && end <= st->shards[s].n && n > 0);
	mcs_cursor_from_int(&next, CURSOR_BASE + (uint64_t) (at + n));
	(void) snprintf(headers, sizeof(headers), "x-log-cursor: %s\r\nx-log-count: %d\r\nx-log-bodyrawsize: %d\r\n", next.data, n, 4 * n);
	/* each group has an empty source and nothing else */
	for (int i = 0; i < n; i++)
		memcpy(body + 4 * i, "\x0a\x02\x22\x00", 4);
	(void) net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nx-log-requestid: AB\r\n%sContent-Length: %d\r\n\r\n",
					 headers, 4 * n);
	(void) net_send(c, body, (size_t) (4 * n));
}

static bool
handler(net_conn *c, const char *head, mcw_view body)
{
	store	   *st = c->server->handler_ctx;
	const char *from;
	const char *shard;

	(void) body;
	pthread_mutex_lock(&st->lock);
	st->requests++;
	shard = strstr(head, "/shards/");
	from = strstr(head, "from=");
	if (shard != NULL && from != NULL)
		send_cursor(st, c, atoi(shard + 8), from + 5);
	else if (shard != NULL)
		send_groups(st, c, head, atoi(shard + 8));
	else if (strstr(head, "/shards") != NULL)
		send_list(st, c);
	else
	{
		char		text[80];

		(void) snprintf(text, sizeof(text), "{\"logstoreName\":\"store\",\"ttl\":%d}", st->ttl);
		answer(c, mcw_str(text));
	}
	pthread_mutex_unlock(&st->lock);
	return true;
}

/* ---- rig ---- */

typedef struct rig
{
	net_rig		net;
	mcs_loghub	client;
	store	   *st;
} rig;

static void
rig_init(rig *r, store *st, const mcw_alloc *alloc)
{
	static const mcw_credentials cred = {MCW_LIT("id"), MCW_LIT("secret"), {NULL, 0}};

	memset(r, 0, sizeof(*r));
	r->st = st;
	pthread_mutex_init(&st->lock, NULL);
	net_start(&r->net.server, NULL, 0);
	r->net.server.handler_ctx = st;
	r->net.server.handler = handler;
	r->net.loop = net_loop(&r->net.host);
	r->net.options = mcn_default_options;
	r->net.options.max_retries = 0;
	r->net.rules = mcs_loghub_retry_rules;
	net_rig_channel(&r->net);
	mcs_loghub_init(&r->client, r->net.loop, r->net.channel, alloc, &cred, MCW_LIT(""));
}

static void
rig_free(rig *r)
{
	net_rig_free(&r->net);
	pthread_mutex_destroy(&r->st->lock);
}

static store *
new_store(uint64_t seed)
{
	store	   *st = calloc(1, sizeof(*st));

	st->random = (unit_random) {seed * 7919 + 1};
	st->ttl = 30;
	st->page = 1 + (int) unit_below(&st->random, 9);
	st->now = mcn_unix_us() / 1000000 - 9000;
	(void) add_shard(st, 0, KEYS / 2, -1, -1);
	(void) add_shard(st, KEYS / 2, KEYS, -1, -1);
	return st;
}

/* What is remembered of the shards, by id, and what the last window read */
typedef struct books
{
	bool		known[MAX_SHARDS];
	bool		finished[MAX_SHARDS];
	mcs_cursor	position[MAX_SHARDS];
	mcs_range	ranges[MAX_SHARDS];
	int			nranges;
	mcw_error	err;
	int			failed_shard;
} books;

static mcw_status
resolve(rig *r, books *b, const mcs_chain_spec *spec, unit_random *random)
{
	mcw_view	none = {NULL, 0};
	mcs_chain  *chain = mcs_chain_create(&r->client, spec);
	mcw_status	status = MCW_OK;

	if (chain == NULL)
		return MCW_ERR_NOMEM;
	if (spec->replay)
		for (int i = 0; i < b->nranges && status == MCW_OK; i++)
			status = mcs_chain_add(chain, b->ranges[i].shard, mcs_cursor_view(&b->ranges[i].begin),
								   mcs_cursor_view(&b->ranges[i].end), false, &b->err);
	else
		for (int i = MAX_SHARDS - 1; i >= 0 && status == MCW_OK; i--)
			if (b->known[i])
				status = mcs_chain_add(chain, i, mcs_cursor_view(&b->position[i]), none, b->finished[i], &b->err);
	while (status == MCW_OK)
	{
		r->net.host.interrupt_at_us = random && unit_below(random, 2) ? mcn_now_us() + 200 : 0;
		status = mcs_chain_run(chain, &b->err);
		r->net.host.interrupt_at_us = 0;
		if (status == MCW_OK)
			break;
		if (status == MCW_ERR_INTERRUPTED)
			status = MCW_OK;
	}
	b->failed_shard = mcs_chain_failed_shard(chain);
	if (status == MCW_OK)
		b->nranges = 0;
	for (int i = 0; status == MCW_OK && i < mcs_chain_count(chain); i++)
	{
		const mcs_chain_shard *s = mcs_chain_get(chain, i);

		if (s->was_finished)
			continue;
		b->ranges[b->nranges++] = s->range;
		b->known[s->id] = true;
		b->position[s->id] = s->range.end;
		if (!spec->replay)
			b->finished[s->id] = s->finished;
	}
	mcs_chain_free(chain);
	return status;
}

static int
place(const mcs_cursor *cursor)
{
	uint64_t	value = 0;

	CHECK(mcs_cursor_int(cursor, &value));
	return (int) (value - CURSOR_BASE);
}

/* Reads the ranges; serials of the groups in the order of their pages */
static mcw_status
read_ranges(rig *r, books *b, bool ordered, int concurrency, unit_random *random, int *serials, int *n)
{
	mcs_scan_spec spec = {.logstore = MCW_LIT("store"), .has_begin = true, .has_end = true, .begin = 1, .end = 2, .concurrency = concurrency, .first_pulls = 1,
		.count = 100, .codec = MCW_CODEC_NONE, .ranges = b->ranges, .nranges = b->nranges, .service_now = 3, .ttl_days = 4, .ordered = ordered};
	mcs_scan   *scan = mcs_scan_create(&r->client, &spec, &b->err);
	mcs_page   *page;
	mcw_status	status;

	*n = 0;
	if (scan == NULL)
		return b->err.status;
	for (;;)
	{
		r->net.host.interrupt_at_us = random && unit_below(random, 4) == 0 ? mcn_now_us() + 200 : 0;
		status = mcs_scan_next(scan, &page, &b->err);
		r->net.host.interrupt_at_us = 0;
		if (status == MCW_ERR_INTERRUPTED)
			continue;
		if (status != MCW_OK)
			break;
		for (uint32_t i = 0; i < page->groups && *n < MAX_GROUPS; i++)
			serials[(*n)++] = r->st->shards[page->shard].groups[place(&page->cursor) + (int) i];
		mcs_scan_release(scan, page);
	}
	if (status == MCW_END)
		CHECK_INT(mcs_scan_get_info(scan)->service_now, 3);
	mcs_scan_free(scan);
	return status;
}

/* ---- windows ---- */

typedef struct reference
{
	int			pos[MAX_SHARDS];
	bool		known[MAX_SHARDS];
	bool		done[MAX_SHARDS];
	int			window[MAX_GROUPS];	/* of a group; 0 = none */
} reference;

static bool
ancestors_done(const reference *ref, const store *st, int s)
{
	for (int p = 0; p < 2; p++)
	{
		int			parent = st->shards[s].parents[p];

		if (parent >= 0 && (!ref->done[parent] || !ancestors_done(ref, st, parent)))
			return false;
	}
	return true;
}

static int
expect(reference *ref, const store *st, int64_t begin, int64_t end, bool ordered, int window)
{
	int			n = 0;

	for (int s = 0; s < st->nshards; s++)
	{
		int			upto = place_of_time(st, s, end);

		if (ref->done[s])
			continue;
		if (!ref->known[s])
			ref->pos[s] = window == 1 && st->shards[s].created < begin ? place_of_time(st, s, begin) : 0;
		ref->known[s] = true;
		if (ordered && !ancestors_done(ref, st, s))
			upto = ref->pos[s];
		for (; ref->pos[s] < upto; n++)
			ref->window[st->shards[s].groups[ref->pos[s]++]] = window;
		ref->done[s] = st->shards[s].readonly && ref->pos[s] == st->shards[s].n;
	}
	return n;
}

static bool
right(const store *st, const reference *ref, int window, bool ordered, const int *serials, int n, int *last)
{
	static bool seen[MAX_GROUPS];
	bool		ok = true;

	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < n; i++)
	{
		const group *g = &st->groups[serials[i]];

		ok = CHECK_INT(ref->window[g->serial], window) && CHECK(!seen[g->serial]) && ok;
		ok = (!ordered || CHECK(g->serial > last[g->key])) && ok;
		seen[g->serial] = true;
		last[g->key] = g->serial;
	}
	return ok;
}

static void
tile(uint64_t seed, bool ordered)
{
	static int	serials[MAX_GROUPS];
	store	   *st = new_store(seed);
	reference  *ref = calloc(1, sizeof(*ref));
	books	   *b = calloc(1, sizeof(*b));
	mcs_chain_spec spec = {.logstore = MCW_LIT("store"), .ordered = ordered};
	unit_random random = {seed};
	int			last[KEYS];
	rig			r;

	rig_init(&r, st, &mcw_malloc);
	memset(last, -1, sizeof(last));
	live(st, 150);
	spec.end = st->now - 100;
	for (int window = 1; window <= 10; window++)
	{
		int			before[KEYS];
		int			n;
		int			want;

		live(st, 150);
		spec.begin = spec.end;
		spec.end = st->now - (int64_t) unit_below(&random, 100);
		if (spec.end <= spec.begin)
			spec.end = spec.begin + 1;
		spec.by_time = window == 1;
		spec.replay = false;
		spec.concurrency = 1 + (int) unit_below(&random, 6);
		memcpy(before, last, sizeof(last));
		want = expect(ref, st, spec.begin, spec.end, ordered, window);
		if (!CHECK_OK(resolve(&r, b, &spec, &random)) ||
			!CHECK_INT(read_ranges(&r, b, ordered, spec.concurrency, &random, serials, &n), MCW_END) ||
			!CHECK_INT(n, want) || !right(st, ref, window, ordered, serials, n, last))
		{
			printf("    seed %d, window %d: %s\n", (int) seed, window, b->err.message);
			break;
		}
		/* the same again, by what was recorded, whatever came since */
		live(st, 10);
		spec.replay = true;
		if (!CHECK_OK(resolve(&r, b, &spec, &random)) ||
			!CHECK_INT(read_ranges(&r, b, ordered, 4, &random, serials, &n), MCW_END) ||
			!CHECK_INT(n, want) || !right(st, ref, window, ordered, serials, n, before))
		{
			printf("    seed %d, window %d again: %s\n", (int) seed, window, b->err.message);
			break;
		}
		/* what was read to its end may be deleted */
		for (int s = 0; s < st->nshards; s++)
		{
			CHECK_INT(b->finished[s] && ref->known[s], ref->done[s]);
			if (ref->done[s] && unit_below(&random, 3) == 0)
				st->shards[s].gone = true;
		}
	}
	rig_free(&r);
	free(b);
	free(ref);
	free(st);
}

static void
test_tile(void)
{
	for (uint64_t seed = 1; seed <= 12; seed++)
	{
		tile(seed, true);
		tile(seed + 100, false);
	}
}

/* ---- failures ---- */

static void
half_read(rig *r, books *b, store *st, mcs_chain_spec *spec)
{
	*spec = (mcs_chain_spec) {.logstore = MCW_LIT("store"), .ordered = true, .by_time = true, .concurrency = 3};
	memset(b, 0, sizeof(*b));
	live(st, 120);
	spec->begin = st->now - 300;
	live(st, 120);
	spec->end = st->now - 50;
	rig_init(r, st, &mcw_malloc);
	CHECK_OK(resolve(r, b, spec, NULL));
	live(st, 60);
	spec->by_time = false;
	spec->begin = spec->end;
	spec->end = st->now;
}

static void
check_fails(rig *r, const books *b, mcs_chain_spec spec, mcw_status status, const char *code, int shard)
{
	books	   *copy = malloc(sizeof(*copy));

	*copy = *b;
	CHECK_INT(resolve(r, copy, &spec, NULL), status);
	CHECK_STR(copy->err.code, code);
	CHECK_INT(copy->failed_shard, shard);
	free(copy);
}

static void
test_failures(void)
{
	store	   *st = new_store(3);
	books	   *b = calloc(1, sizeof(*b));
	mcs_chain_spec spec;
	mcs_chain_spec other;
	rig			r;
	int			tried = 0;

	half_read(&r, b, st, &spec);
	other = spec;
	other.end = mcn_unix_us() / 1000000 - MCS_SETTLE_SECONDS + 30;
	check_fails(&r, b, other, MCW_ERR_RANGE, "WindowNotDue", -1);
	other = spec;
	other.begin = mcn_unix_us() / 1000000 - 30 * 86400 + MCS_EXPIRY_MARGIN - 30;
	check_fails(&r, b, other, MCW_ERR_RANGE, "ExpiredWindow", -1);
	st->ttl = MCS_TTL_FOREVER;
	{
		books	   *copy = malloc(sizeof(*copy));

		*copy = *b;
		CHECK_OK(resolve(&r, copy, &other, NULL));
		free(copy);
	}
	st->ttl = 30;
	for (int s = 0; s < st->nshards; s++)
	{
		if (!b->known[s] || b->finished[s])
			continue;
		st->shards[s].gone = true;
		check_fails(&r, b, spec, MCW_ERR_RANGE, "ShardGone", s);
		st->shards[s].gone = false;
		tried++;
	}
	for (int i = 0; i < b->nranges; i++)
	{
		int			s = b->ranges[i].shard;

		other = spec;
		other.replay = true;
		if (mcs_cursor_eq(&b->ranges[i].begin, &b->ranges[i].end))
			continue;
		st->shards[s].gone = true;
		check_fails(&r, b, other, MCW_ERR_RANGE, "ShardGone", s);
		st->shards[s].gone = false;
		tried++;
	}
	CHECK(tried > 2);
	/* an end in front of the begin, and one that is no cursor */
	{
		mcs_cursor	zero;

		mcs_cursor_from_int(&zero, 1);
		st->bad_cursor = zero.data;
		other = spec;
		other.ordered = false;
		CHECK_INT(resolve(&r, b, &other, NULL), MCW_ERR_PROTOCOL);
		st->bad_cursor = "";
		CHECK_INT(resolve(&r, b, &other, NULL), MCW_ERR_PROTOCOL);
		st->bad_cursor = NULL;
	}
	CHECK_OK(resolve(&r, b, &spec, NULL));
	rig_free(&r);
	free(b);
	free(st);
}

/* ---- memory ---- */

typedef struct torture
{
	store	   *st;
	const books *b;
	mcs_chain_spec spec;
	int			want;
} torture;

static mcw_status
attempt(const mcw_alloc *alloc, void *arg)
{
	static int	serials[MAX_GROUPS];
	torture    *t = arg;
	books	   *b = malloc(sizeof(*b));
	mcw_status	status;
	rig			r;
	int			n = 0;

	*b = *t->b;
	rig_init(&r, t->st, alloc);
	status = resolve(&r, b, &t->spec, NULL);
	if (status == MCW_OK)
		status = read_ranges(&r, b, true, 2, NULL, serials, &n);
	if (status == MCW_END)
	{
		CHECK_INT(n, t->want);
		status = MCW_OK;
	}
	rig_free(&r);
	free(b);
	return status;
}

static void
test_memory(void)
{
	static int	serials[MAX_GROUPS];
	store	   *st = new_store(4);
	books	   *b = calloc(1, sizeof(*b));
	books	   *next = calloc(1, sizeof(*b));
	torture		t = {st, b};
	rig			r;

	half_read(&r, b, st, &t.spec);
	*next = *b;
	st->page = 40;
	CHECK_OK(resolve(&r, next, &t.spec, NULL));
	CHECK_INT(read_ranges(&r, next, true, 2, NULL, serials, &t.want), MCW_END);
	CHECK(t.want > 0);
	rig_free(&r);
	unit_torture(attempt, &t);
	free(next);
	free(b);
	free(st);
}

static const unit_case cases[] = {
	{"tile", test_tile},
	{"failures", test_failures},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
