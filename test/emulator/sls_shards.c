/*
 * sls_shards.c
 *		mc-emulator, Log Service: hash ranges, split and merge, appending groups,
 *		cursors.  No HTTP.
 */
#include <stdlib.h>

#include "sls.h"

typedef unsigned __int128 u128;

static uint64_t next_uid = 1;

static u128
key_number(const unsigned char key[16])
{
	u128		n = 0;

	for (int i = 0; i < 16; i++)
		n = n << 8 | key[i];
	return n;
}

static void
number_key(u128 n, unsigned char key[16])
{
	for (int i = 15; i >= 0; i--)
	{
		key[i] = (unsigned char) n;
		n >>= 8;
	}
}

sls_shard *
sls_find_shard(const sls_logstore *store, int64_t id)
{
	for (int i = 0; i < store->nshards; i++)
		if (store->shards[i]->id == id)
			return store->shards[i];
	return NULL;
}

sls_shard *
sls_add_shard(sls_logstore *store, const unsigned char begin[16], const unsigned char end[16], int64_t now_us)
{
	sls_shard  *shard = emu_malloc(sizeof(*shard));

	memset(shard, 0, sizeof(*shard));
	shard->id = store->next_shard++;
	shard->uid = next_uid++;
	memcpy(shard->begin, begin, 16);
	memcpy(shard->end, end, 16);
	shard->create_us = now_us;
	shard->parents[0] = shard->parents[1] = -1;
	/* far apart between shards, so that a cursor of another shard is out of range */
	shard->next_cursor = now_us * 1000 + (int64_t) (shard->uid % 1000) * 1000000000;
	store->shards = emu_realloc(store->shards, (store->nshards + 1) * sizeof(*store->shards));
	store->shards[store->nshards++] = shard;
	return shard;
}

void
sls_free_shard(sls_shard *shard)
{
	sls_cache_forget(shard->uid);
	for (size_t i = shard->first; i < shard->ngroups; i++)
		free(shard->groups[i].data);
	free(shard->groups);
	free(shard);
}

/* begin + floor(i * width / n) */
static u128
even_key(u128 begin, u128 width, bool full, int i, int n)
{
	u128		q = width / n;
	u128		r = width % n;

	if (full)					/* width stands for 2^128 - 1, one more is meant */
	{
		r++;
		if (r == (u128) n)
		{
			q++;
			r = 0;
		}
	}
	return begin + q * i + r * i / n;
}

void
sls_initial_shards(sls_logstore *store, int n, int64_t now_us)
{
	unsigned char begin[16];
	unsigned char end[16];

	for (int i = 0; i < n; i++)
	{
		number_key(even_key(0, ~(u128) 0, true, i, n), begin);
		if (i == n - 1)
			memset(end, 0xff, 16);
		else
			number_key(even_key(0, ~(u128) 0, true, i + 1, n), end);
		sls_add_shard(store, begin, end, now_us);
	}
	store->initial_shards = n;
}

/* The n - 1 inner bounds of n equal parts; false if the range is too narrow. */
bool
sls_even_keys(const sls_shard *shard, int n, unsigned char *keys)
{
	u128		begin = key_number(shard->begin);
	u128		width = key_number(shard->end) - begin;
	static const unsigned char top[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	bool		to_top = memcmp(shard->end, top, 16) == 0;
	bool		full = to_top && begin == 0;

	if (width < (u128) n)
		return false;
	if (to_top && !full)
		width++;				/* the last shard's end stands for 2^128 */
	for (int i = 1; i < n; i++)
		number_key(even_key(begin, width, full, i, n), keys + (i - 1) * 16);
	return true;
}

bool
sls_parse_key(mcw_view hex, unsigned char key[16])
{
	memset(key, 0, 16);
	if (hex.len == 0 || hex.len > 32)
		return false;
	for (size_t i = 0; i < hex.len; i++)
	{
		char		c = hex.data[i];
		int			d;

		if (c >= '0' && c <= '9')
			d = c - '0';
		else if (c >= 'a' && c <= 'f')
			d = c - 'a' + 10;
		else if (c >= 'A' && c <= 'F')
			d = c - 'A' + 10;
		else
			return false;
		key[i / 2] |= (unsigned char) (i % 2 ? d : d << 4);
	}
	return true;
}

void
sls_key_text(const unsigned char key[16], char out[33])
{
	for (int i = 0; i < 16; i++)
		sprintf(out + 2 * i, "%02x", key[i]);
}

/* The all-ones key belongs to the last range. */
sls_shard *
sls_route(sls_logstore *store, const unsigned char key[16])
{
	sls_shard  *last = NULL;

	for (int i = 0; i < store->nshards; i++)
	{
		sls_shard  *s = store->shards[i];

		if (s->readonly)
			continue;
		if (memcmp(key, s->begin, 16) >= 0 && memcmp(key, s->end, 16) < 0)
			return s;
		if (last == NULL || memcmp(s->begin, last->begin, 16) > 0)
			last = s;
	}
	return last && memcmp(key, last->end, 16) == 0 ? last : NULL;
}

sls_shard *
sls_next_writable(sls_logstore *store)
{
	for (int i = 0; i < store->nshards; i++)
	{
		sls_shard  *s = store->shards[store->round_robin++ % store->nshards];

		if (!s->readonly)
			return s;
	}
	return NULL;
}

/* nkeys inner bounds, ascending, all inside the shard's range */
bool
sls_split(sls_logstore *store, sls_shard *shard, const unsigned char *keys, int nkeys, int64_t now_us, int *first_new)
{
	const unsigned char *begin = shard->begin;

	for (int i = 0; i < nkeys; i++)
	{
		const unsigned char *low = i ? keys + (i - 1) * 16 : shard->begin;

		if (memcmp(keys + i * 16, low, 16) <= 0 || memcmp(keys + i * 16, shard->end, 16) >= 0)
			return false;
	}
	*first_new = store->nshards;
	shard->readonly = true;
	shard->readonly_us = now_us;
	for (int i = 0; i <= nkeys; i++)
	{
		const unsigned char *end = i < nkeys ? keys + i * 16 : shard->end;
		sls_shard  *fresh = sls_add_shard(store, begin, end, now_us);

		fresh->parents[0] = shard->id;
		begin = end;
	}
	return true;
}

/* NULL if there is no readwrite neighbour to the right */
sls_shard *
sls_merge(sls_logstore *store, sls_shard *shard, sls_shard **right, int64_t now_us)
{
	sls_shard  *fresh;

	*right = NULL;
	for (int i = 0; i < store->nshards; i++)
		if (!store->shards[i]->readonly && memcmp(store->shards[i]->begin, shard->end, 16) == 0)
			*right = store->shards[i];
	if (*right == NULL)
		return NULL;
	fresh = sls_add_shard(store, shard->begin, (*right)->end, now_us);
	fresh->parents[0] = shard->id;
	fresh->parents[1] = (*right)->id;
	shard->readonly = (*right)->readonly = true;
	shard->readonly_us = (*right)->readonly_us = now_us;
	return fresh;
}

/* Number of logs and bounds of their times; false if the bytes are no LogGroup. */
static bool
measure(mcw_view group, sls_group *g)
{
	size_t		pos = 0;
	sls_field	field;
	sls_log_view log;

	g->min_time = UINT32_MAX;
	while (sls_next_field(group, &pos, &field))
	{
		if (field.number != 1 || field.wire_type != 2)
			continue;
		if (!sls_log_open(group, field.bytes, &log))
			return false;
		g->nlogs++;
		if (log.time < g->min_time)
			g->min_time = log.time;
		if (log.time > g->max_time)
			g->max_time = log.time;
	}
	return pos == group.len;
}

sls_group *
sls_append(sls_shard *shard, mcw_view group, int64_t receive_us, bool late, mcw_error *err)
{
	sls_group	g = {0};
	unsigned char frame[12];
	size_t		n = 0;
	uint64_t	len = group.len;

	if (group.len > ((size_t) 64 << 20) || !measure(group, &g))
	{
		mcw_fail(err, MCW_ERR_FORMAT, "not a LogGroup of at most 64 MB");
		return NULL;
	}
	frame[n++] = 0x0a;
	do
	{
		frame[n++] = (unsigned char) ((len & 0x7f) | (len > 0x7f ? 0x80 : 0));
		len >>= 7;
	} while (len > 0);
	g.data = emu_malloc(n + group.len);
	memcpy(g.data, frame, n);
	if (group.len > 0)
		memcpy(g.data + n, group.data, group.len);
	g.len = (uint32_t) (n + group.len);
	g.body_at = (uint32_t) n;
	g.receive_us = receive_us < shard->last_us && !late ? shard->last_us : receive_us;
	g.order_us = g.receive_us > shard->last_us ? g.receive_us : shard->last_us;
	g.cursor = shard->next_cursor++;
	shard->last_us = g.order_us;
	if (shard->ngroups == shard->cap)
	{
		shard->cap = shard->cap ? shard->cap * 2 : 64;
		shard->groups = emu_realloc(shard->groups, shard->cap * sizeof(sls_group));
	}
	shard->groups[shard->ngroups] = g;
	shard->bytes += g.len;
	return &shard->groups[shard->ngroups++];
}

int64_t
sls_cursor_of(const sls_shard *shard, size_t index)
{
	return index < shard->ngroups ? shard->groups[index].cursor : shard->next_cursor;
}

int64_t
sls_begin_cursor(const sls_shard *shard)
{
	return sls_cursor_of(shard, shard->first);
}

size_t
sls_find_cursor(const sls_shard *shard, int64_t cursor)
{
	size_t		lo = shard->first;
	size_t		hi = shard->ngroups;

	while (lo < hi)
	{
		size_t		mid = lo + (hi - lo) / 2;

		if (shard->groups[mid].cursor < cursor)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t
sls_find_time(const sls_shard *shard, int64_t unix_us)
{
	size_t		lo = shard->first;
	size_t		hi = shard->ngroups;

	while (lo < hi)
	{
		size_t		mid = lo + (hi - lo) / 2;

		if (shard->groups[mid].order_us < unix_us)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void
sls_cursor_text(int64_t cursor, char out[64])
{
	char		digits[24];
	mcw_buf		buf;
	mcw_view	v;

	snprintf(digits, sizeof(digits), "%lld", (long long) cursor);
	mcw_buf_init(&buf, &mcw_malloc, 256);
	mcw_base64_encode(&buf, mcw_str(digits));
	v = mcw_buf_view(&buf);
	memcpy(out, v.data, v.len);
	out[v.len] = '\0';
	mcw_buf_free(&buf);
}

bool
sls_parse_cursor(mcw_view text, int64_t *cursor)
{
	mcw_buf		buf;
	bool		ok;

	if (text.len == 0 || text.len > 60)
		return false;
	mcw_buf_init(&buf, &mcw_malloc, 256);
	ok = mcw_base64_decode(&buf, text) == MCW_OK && mcw_view_int64(mcw_buf_view(&buf), cursor);
	mcw_buf_free(&buf);
	return ok;
}

/* Soft quotas per shard and second, only when switched on. */
bool
sls_quota(sls_call *call, sls_shard *shard, bool write, uint64_t bytes)
{
	int64_t		second = call->req->now_us / 1000000;

	if (!sls_conf.enforce_quota)
		return true;
	if (shard->rate_second != second)
	{
		shard->rate_second = second;
		shard->rate_write_bytes = shard->rate_writes = 0;
		shard->rate_read_bytes = shard->rate_reads = 0;
	}
	if (write)
	{
		shard->rate_writes++;
		shard->rate_write_bytes += bytes;
		if (shard->rate_writes > (uint64_t) sls_conf.shard_writes ||
			shard->rate_write_bytes > (uint64_t) sls_conf.shard_write_bytes)
		{
			sls_error(call->resp, 403, "ShardWriteQuotaExceed", "shard write quota exceed, shard: %d", shard->id);
			return false;
		}
		return true;
	}
	shard->rate_reads++;
	shard->rate_read_bytes += bytes;
	if (shard->rate_reads > (uint64_t) sls_conf.shard_reads)
	{
		sls_error(call->resp, 403, "ShardReadQuotaExceed", "shard read qps exceed quota limits");
		return false;
	}
	if (shard->rate_read_bytes > (uint64_t) sls_conf.shard_read_bytes)
	{
		sls_error(call->resp, 403, "ShardReadQuotaExceed", "shard read bytes exceed quota limits");
		return false;
	}
	return true;
}
