/*
 * sls_generate.c
 *		mc-emulator, Log Service: the generator of test data.  The same command gives the
 *		same bytes.  Fields of each profile: docs/emulator.md.
 */
#include <stdlib.h>

#include "sls.h"

bool		emu_parse_time(mcw_view v, int64_t *unix_us);

typedef struct rng
{
	uint64_t	state;
} rng;

static uint64_t
next(rng *r)
{
	uint64_t	x = r->state += UINT64_C(0x9E3779B97F4A7C15);

	x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
	return x ^ (x >> 31);
}

typedef struct row
{
	mcw_sls_writer *w;
	rng		   *r;
	uint64_t	number;			/* of the row in the whole run */
	int64_t		time_us;		/* of the event */
} row;

static void
put(row *row, const char *key, const char *value, size_t len)
{
	(void) mcw_sls_content(row->w, mcw_str(key), (mcw_view) {value, len});
}

/* Decimal digits, much faster than printf: this runs a dozen times a row. */
static size_t
decimal(char *out, uint64_t v)
{
	char		tmp[24];
	size_t		n = 0;
	size_t		i = 0;

	do
		tmp[n++] = (char) ('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		out[i++] = tmp[--n];
	return i;
}

static size_t
append(char *out, const char *text)
{
	size_t		n = strlen(text);

	memcpy(out, text, n);
	return n;
}

static size_t
two_digits(char *out, int v)
{
	out[0] = (char) ('0' + v / 10);
	out[1] = (char) ('0' + v % 10);
	return 2;
}

static size_t
letters(char *out, size_t n, rng *r)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz012345";
	uint64_t	x = 0;

	for (size_t i = 0; i < n; i++)
	{
		if (i % 12 == 0)
			x = next(r);
		out[i] = alphabet[x & 31];
		x >>= 5;
	}
	return n;
}

static size_t
hex16(char *out, uint64_t x)
{
	for (int i = 0; i < 16; i++, x >>= 4)
		out[i] = "0123456789abcdef"[x & 15];
	return 16;
}

static void
access_log(row *row)
{
	static const char *const methods[] = {"GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"};
	static const char *const statuses[] = {"200", "200", "200", "200", "200", "200", "200", "200",
		"200", "200", "304", "302", "404", "403", "500", "502"};
	static const char *const roots[] = {"/index.html", "/api/v1/items/", "/api/v1/orders/", "/static/app.js",
		"/login", "/search?q=", "/cart/", "/images/"};
	static const char *const agents[] = {
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Mobile Safari/604.1",
		"curl/8.5.0", "okhttp/4.12.0"};
	static const char *const referers[] = {"-", "https://www.example.com/", "https://search.example.net/?q=shoes", "-"};
	uint64_t	x = next(row->r);
	uint64_t	y = next(row->r);
	char		buf[128];
	size_t		n;
	const char *text;

	n = append(buf, "10.");
	for (int i = 0; i < 3; i++)
	{
		n += decimal(buf + n, (x >> (8 * i)) & 255);
		if (i < 2)
			buf[n++] = '.';
	}
	put(row, "ip", buf, n);
	text = methods[(x >> 24) & 7];
	put(row, "method", text, strlen(text));
	text = roots[(x >> 27) & 7];
	n = append(buf, text);
	if (buf[n - 1] == '/' || buf[n - 1] == '=')
		n += decimal(buf + n, (x >> 30) & 0xfffff);
	put(row, "uri", buf, n);
	text = statuses[(x >> 50) & 15];
	put(row, "status", text, 3);
	n = append(buf, (y & 15) == 0 ? "1." : "0.");
	buf[n++] = (char) ('0' + (y >> 4) % 10);
	buf[n++] = (char) ('0' + (y >> 8) % 10);
	buf[n++] = (char) ('0' + (y >> 12) % 10);
	put(row, "request_time", buf, n);
	n = decimal(buf, (y >> 16) & 0xffff);
	put(row, "body_bytes", buf, n);
	text = referers[(y >> 32) & 3];
	put(row, "referer", text, strlen(text));
	text = agents[(y >> 34) & 3];
	put(row, "user_agent", text, strlen(text));
	n = append(buf, "u");
	n += decimal(buf + n, (y >> 36) & 0x1ffff);
	put(row, "user_id", buf, n);
	n = hex16(buf, x ^ (y << 1));
	n += hex16(buf + n, row->number * UINT64_C(0x9E3779B97F4A7C15));
	put(row, "request_id", buf, n);
}

static void
text_fields(row *row, const char *const *keys, int nkeys)
{
	char		buf[32];

	for (int i = 0; i < nkeys; i++)
		put(row, keys[i], buf, letters(buf, 20 + (row->number + i) % 5, row->r));
}

static void
text10(row *row)
{
	static const char *const keys[] = {"c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10"};

	text_fields(row, keys, 10);
}

/* '2018-01-11 01:30:00.123456+08' */
static size_t
timestamp(char *out, int64_t us)
{
	int64_t		s = us / 1000000 + 8 * 3600;
	int64_t		year;
	int			month;
	int			day;
	size_t		n = 0;
	uint64_t	micros = (uint64_t) (us % 1000000);

	mcw_civil_from_days(s / 86400, &year, &month, &day);
	s %= 86400;
	n += decimal(out, (uint64_t) year);
	out[n++] = '-';
	n += two_digits(out + n, month);
	out[n++] = '-';
	n += two_digits(out + n, day);
	out[n++] = ' ';
	n += two_digits(out + n, (int) (s / 3600));
	out[n++] = ':';
	n += two_digits(out + n, (int) (s / 60 % 60));
	out[n++] = ':';
	n += two_digits(out + n, (int) (s % 60));
	out[n++] = '.';
	for (int i = 5; i >= 0; i--)
	{
		out[n + i] = (char) ('0' + micros % 10);
		micros /= 10;
	}
	n += 6;
	return n + append(out + n, "+08");
}

static void
mixed(row *row)
{
	static const char *const numbers[] = {"n1", "n2", "n3"};
	static const char *const texts[] = {"s1", "s2", "s3", "s4", "s5"};
	char		buf[64];
	size_t		n;

	for (int i = 0; i < 3; i++)
	{
		uint64_t	x = next(row->r) >> (1 + 20 * i);

		n = 0;
		if (i == 2 && (x & 1))
			buf[n++] = '-';
		n += decimal(buf + n, i == 0 ? row->number : x);
		put(row, numbers[i], buf, n);
	}
	put(row, "t1", buf, timestamp(buf, row->time_us));
	put(row, "t2", buf, timestamp(buf, row->time_us - (int64_t) (next(row->r) % 86400000000)));
	text_fields(row, texts, 5);
}

typedef struct plan
{
	void		(*profile) (row *row);
	const char *name;
	int64_t		rows;
	int64_t		per_group;
	int64_t		from;
	int64_t		to;
	uint64_t	seed;
	sls_shard **shards;
	int			nshards;
} plan;

/* One group, its logs, topic, source and tags; event times lie up to 30 s before receipt. */
static bool
one_group(const plan *p, int64_t index, rng *r, mcw_buf *buf, bool append_meta, mcw_error *err)
{
	int64_t		groups = (p->rows + p->per_group - 1) / p->per_group;
	int64_t		receive = p->from + (int64_t) ((__int128) (p->to - p->from) * index / groups);
	int64_t		first = index * p->per_group;
	int64_t		last = first + p->per_group < p->rows ? first + p->per_group : p->rows;
	mcw_sls_writer w;
	mcw_view	none = {NULL, 0};
	char		host[32];
	mcw_pair	tags[3];
	int			ntags = 0;
	char		when[32];

	mcw_buf_reset(buf);
	mcw_sls_writer_init(&w, buf);
	for (int64_t i = first; i < last; i++)
	{
		row			one = {&w, r, (uint64_t) i, receive - (int64_t) (next(r) % 30000000)};

		(void) mcw_sls_begin_log(&w, (uint32_t) (one.time_us / 1000000), true, (uint32_t) (one.time_us % 1000000 * 1000));
		p->profile(&one);
		(void) mcw_sls_end_log(&w);
	}
	snprintf(host, sizeof(host), "web-%02d", (int) (index % 16));
	tags[ntags++] = (mcw_pair) {MCW_LIT("__hostname__"), mcw_str(host)};
	if (append_meta)
	{
		snprintf(when, sizeof(when), "%lld", (long long) (receive / 1000000));
		tags[ntags++] = (mcw_pair) {MCW_LIT("__client_ip__"), MCW_LIT("127.0.0.1")};
		tags[ntags++] = (mcw_pair) {MCW_LIT("__receive_time__"), mcw_str(when)};
	}
	if (mcw_sls_finish_group(&w, none, mcw_str(p->name), mcw_str(host), none, tags, ntags) != MCW_OK || buf->failed)
	{
		mcw_fail(err, MCW_ERR_LIMIT, "a generated group is too large");
		return false;
	}
	return sls_append(p->shards[index % p->nshards], mcw_buf_view(buf), receive, false, err) != NULL;
}

static bool
read_plan(const mcw_node *cmd, sls_logstore *store, plan *p, mcw_error *err)
{
	static const struct
	{
		const char *name;
		void		(*fill) (row *row);
	}			profiles[] = {{"access_log", access_log}, {"text10", text10}, {"mixed", mixed}};
	mcw_view	profile = mcw_node_text(cmd, "profile");
	int64_t		seed = 1;

	memset(p, 0, sizeof(*p));
	p->rows = -1;
	p->per_group = 100;
	p->to = emu_now_us();
	p->from = p->to - INT64_C(3600) * 1000000;
	for (int i = 0; i < 3; i++)
		if (profile.data && mcw_view_eq(profile, mcw_str(profiles[i].name)))
		{
			p->name = profiles[i].name;
			p->profile = profiles[i].fill;
		}
	(void) mcw_node_int(cmd, "rows", &p->rows);
	(void) mcw_node_int(cmd, "logs_per_group", &p->per_group);
	(void) mcw_node_int(cmd, "seed", &seed);
	p->seed = (uint64_t) seed;
	if (p->profile == NULL)
		mcw_fail(err, MCW_ERR_ARGUMENT, "profile is access_log, text10 or mixed");
	else if (p->rows < 0 || p->per_group < 1 || p->per_group > 100000)
		mcw_fail(err, MCW_ERR_RANGE, "rows must be given, logs_per_group is in [1-100000]");
	else if ((mcw_node_get(cmd, "from") && !emu_parse_time(mcw_node_text(cmd, "from"), &p->from)) ||
			 (mcw_node_get(cmd, "to") && !emu_parse_time(mcw_node_text(cmd, "to"), &p->to)))
		mcw_fail(err, MCW_ERR_FORMAT, "from and to are epoch seconds or ISO 8601 with zone");
	else if (p->from < INT64_C(86400) * 1000000 || p->to <= p->from || p->to > (int64_t) UINT32_MAX * 1000000)
		mcw_fail(err, MCW_ERR_RANGE, "from must be before to, both between 1970-01-02 and 2106");
	else
	{
		p->shards = emu_malloc((store->nshards + 1) * sizeof(*p->shards));
		for (int i = 0; i < store->nshards; i++)
			if (!store->shards[i]->readonly)
				p->shards[p->nshards++] = store->shards[i];
		for (int i = 0; i < p->nshards; i++)
			if (p->shards[i]->last_us > p->from)
			{
				mcw_fail(err, MCW_ERR_RANGE, "shard %d already holds groups received after \"from\"", p->shards[i]->id);
				return false;
			}
		if (p->nshards > 0)
			return true;
		mcw_fail(err, MCW_ERR_ARGUMENT, "the logstore has no readwrite shard");
	}
	return false;
}

bool
sls_generate(const mcw_node *cmd, sls_logstore *store, mcw_buf *reply, mcw_error *err)
{
	plan		p;
	rng			r;
	mcw_buf		buf;
	bool		ok = read_plan(cmd, store, &p, err);
	int64_t		groups = ok ? (p.rows + p.per_group - 1) / p.per_group : 0;

	mcw_buf_init(&buf, &mcw_malloc, (size_t) 64 << 20);
	r.state = ok ? p.seed : 0;
	/* no shard is younger than what it holds */
	for (int i = 0; ok && groups > 0 && i < p.nshards; i++)
		if (p.shards[i]->create_us > p.from)
			p.shards[i]->create_us = p.from;
	for (int64_t i = 0; ok && i < groups; i++)
		ok = one_group(&p, i, &r, &buf, store->append_meta || sls_conf.show_meta, err);
	mcw_buf_free(&buf);
	free(p.shards);
	if (ok)
		mcw_buf_printf(reply, "{\"rows\":%lld,\"groups\":%lld}", (long long) p.rows, (long long) groups);
	return ok;
}
