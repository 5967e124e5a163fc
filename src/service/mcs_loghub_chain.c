/*
 * mcs_loghub_chain.c
 *		Positions of a job's window in the shards of a logstore; see the header.
 *
 * Shards are listed after the window's end has passed, so one that is missing in the list
 * has only later data.  The begin of a shard that is known is never asked for by time: a
 * group stored after the last window's end was fixed, with an older receive time, is
 * behind that end and before the position the service would answer now.
 */
#include "mcs_loghub_chain.h"

#include <stdio.h>
#include <stdlib.h>

#define SECONDS_PER_DAY 86400

enum
{
	ASKED_BEGIN = 1,
	ASKED_END = 2,
	ASKED_TAIL = 4
};

typedef struct ask
{
	mcs_call	call;			/* first member */
	mcs_chain  *chain;
	bool		busy;
	bool		spent;			/* over; may be used again from outside the loop */
	int			what;			/* 0 = the logstore or its shards */
	bool		list;
	int			shard;			/* index */
} ask;

struct mcs_chain
{
	mcs_loghub *client;
	const mcw_alloc *alloc;
	mcs_chain_spec spec;
	char		logstore[136];
	mcs_chain_shard *shards;	/* by id, once listed */
	int			nshards;
	int			cap;
	ask		   *asks;
	int			in_flight;
	bool		opened;			/* logstore and list were asked */
	bool		listed;			/* both are there */
	int			opening;
	int64_t		ttl_days;
	int64_t		service_now;
	bool		failed;
	mcw_error	error;
	int			error_shard;
};

mcs_chain *
mcs_chain_create(mcs_loghub *client, const mcs_chain_spec *spec)
{
	mcs_chain  *chain = mcw_new0(client->alloc, sizeof(*chain));

	if (chain == NULL)
		return NULL;
	chain->client = client;
	chain->alloc = client->alloc;
	chain->spec = *spec;
	chain->error_shard = -1;
	if (spec->logstore.len < sizeof(chain->logstore))
	{
		memcpy(chain->logstore, spec->logstore.data, spec->logstore.len);
		chain->spec.logstore.data = chain->logstore;
	}
	if (chain->spec.concurrency < 2)
		chain->spec.concurrency = 2;
	chain->asks = mcw_new0(chain->alloc, sizeof(ask) * chain->spec.concurrency);
	if (chain->asks == NULL)
	{
		mcw_free(chain->alloc, chain, sizeof(*chain));
		return NULL;
	}
	for (int i = 0; i < chain->spec.concurrency; i++)
	{
		mcs_call_init(&chain->asks[i].call, client, 0);
		chain->asks[i].chain = chain;
	}
	return chain;
}

void
mcs_chain_free(mcs_chain *chain)
{
	for (int i = 0; i < chain->spec.concurrency; i++)
		mcs_call_free(&chain->asks[i].call);
	mcw_free(chain->alloc, chain->asks, sizeof(ask) * chain->spec.concurrency);
	mcw_free(chain->alloc, chain->shards, sizeof(mcs_chain_shard) * chain->cap);
	mcw_free(chain->alloc, chain, sizeof(*chain));
}

int
mcs_chain_count(const mcs_chain *chain)
{
	return chain->nshards;
}

const mcs_chain_shard *
mcs_chain_get(const mcs_chain *chain, int i)
{
	return &chain->shards[i];
}

int64_t
mcs_chain_service_now(const mcs_chain *chain)
{
	return chain->service_now;
}

int64_t
mcs_chain_ttl_days(const mcs_chain *chain)
{
	return chain->ttl_days;
}

int
mcs_chain_failed_shard(const mcs_chain *chain)
{
	return chain->error_shard;
}

static void
fail(mcs_chain *chain, const mcw_error *err, int shard)
{
	if (chain->failed)
		return;
	chain->failed = true;
	chain->error = *err;
	chain->error_shard = shard;
}

static void
fail_as(mcs_chain *chain, const char *code, mcw_error *err, int shard)
{
	if (code != NULL)
		(void) snprintf(err->code, sizeof(err->code), "%s", code);
	fail(chain, err, shard);
}

/* ---- shards ---- */

static mcs_chain_shard *
add_shard(mcs_chain *chain, int id)
{
	mcs_chain_shard *shard;

	if (chain->nshards == chain->cap)
	{
		int			cap = chain->cap ? chain->cap * 2 : 16;
		mcs_chain_shard *p = chain->alloc->resize(chain->alloc->ctx, chain->shards, sizeof(*p) * chain->cap, sizeof(*p) * cap);

		if (p == NULL)
			return NULL;
		chain->shards = p;
		chain->cap = cap;
	}
	shard = &chain->shards[chain->nshards++];
	memset(shard, 0, sizeof(*shard));
	shard->id = shard->range.shard = id;
	return shard;
}

mcw_status
mcs_chain_add(mcs_chain *chain, int id, mcw_view begin, mcw_view end, bool was_finished, mcw_error *err)
{
	mcs_chain_shard *shard = add_shard(chain, id);
	mcw_status	status = MCW_OK;

	if (shard == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	shard->recorded = true;
	shard->was_finished = was_finished;
	shard->lasting = end.len > 0;
	if (begin.len > 0)
		status = mcs_cursor_set(&shard->range.begin, begin, err);
	if (status == MCW_OK && end.len > 0)
		status = mcs_cursor_set(&shard->range.end, end, err);
	return status;
}

static int
by_id(const void *a, const void *b)
{
	int			x = ((const mcs_chain_shard *) a)->id;
	int			y = ((const mcs_chain_shard *) b)->id;

	return (x > y) - (x < y);
}

static mcw_status
take_list(mcs_chain *chain, const mcs_shard_info *list, int n, mcw_error *err)
{
	int			recorded = chain->nshards;

	for (int i = 0; i < n; i++)
	{
		mcs_chain_shard *shard = NULL;

		for (int k = 0; k < recorded && shard == NULL; k++)
			if (chain->shards[k].id == list[i].id)
				shard = &chain->shards[k];
		/* what a replay did not have had nothing for it */
		if (shard == NULL && chain->spec.replay)
			continue;
		if (shard == NULL)
			shard = add_shard(chain, list[i].id);
		if (shard == NULL)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		shard->listed = true;
		shard->readonly = list[i].readonly;
		shard->create_time = list[i].create_time;
		memcpy(shard->range.first_key, list[i].begin, sizeof(shard->range.first_key));
		memcpy(shard->range.last_key, list[i].end, sizeof(shard->range.last_key));
	}
	if (chain->nshards > 1)
		qsort(chain->shards, chain->nshards, sizeof(mcs_chain_shard), by_id);
	return MCW_OK;
}

/* What the list and the retention say; false = failed */
static bool
check_window(mcs_chain *chain)
{
	const mcs_chain_spec *spec = &chain->spec;
	mcw_error	err;

	if (spec->end + MCS_SETTLE_SECONDS > chain->service_now)
	{
		(void) mcw_fail(&err, MCW_ERR_RANGE, "the window ends less than %d seconds before the clock of the service",
						MCS_SETTLE_SECONDS);
		fail_as(chain, "WindowNotDue", &err, -1);
		return false;
	}
	if (chain->ttl_days > 0 && chain->ttl_days < MCS_TTL_FOREVER &&
		spec->begin < chain->service_now - chain->ttl_days * SECONDS_PER_DAY + MCS_EXPIRY_MARGIN)
	{
		(void) mcw_fail(&err, MCW_ERR_RANGE, "the window begins before the retention of logstore \"%s\"", chain->logstore);
		fail_as(chain, "ExpiredWindow", &err, -1);
		return false;
	}
	for (int i = 0; i < chain->nshards; i++)
	{
		mcs_chain_shard *shard = &chain->shards[i];

		if (shard->listed || shard->was_finished)
			continue;
		/* nothing of this window was in it: recorded as empty, or older than a gap that was left out */
		if (shard->lasting ? mcs_cursor_eq(&shard->range.begin, &shard->range.end) : spec->by_time)
		{
			shard->was_finished = !shard->lasting;
			continue;
		}
		(void) mcw_fail(&err, MCW_ERR_RANGE, "shard %d was deleted or has expired before it was read to its end", shard->id);
		fail_as(chain, "ShardGone", &err, shard->id);
		return false;
	}
	return true;
}

/* ---- requests ---- */

static void
open_answer(mcs_chain *chain, ask *a)
{
	mcs_shard_info *list = NULL;
	int			n = 0;
	mcw_error	err;
	mcw_status	status;

	if (!a->list)
		status = mcs_parse_logstore(&a->call, &chain->ttl_days, &err);
	else
	{
		status = mcs_parse_shards(&a->call, &list, &n, &err);
		chain->service_now = mcn_channel_service_now(chain->client->channel) / 1000000;
		if (chain->service_now == 0)
			chain->service_now = mcn_unix_us() / 1000000;
		if (status == MCW_OK)
			status = take_list(chain, list, n, &err);
		mcs_free_shards(chain->client, list, n);
	}
	if (status != MCW_OK)
		fail(chain, &err, -1);
	else if (--chain->opening == 0)
		chain->listed = check_window(chain);
}

static void
answered(mcn_request *req)
{
	ask		   *a = req->owner;
	mcs_chain  *chain = a->chain;
	mcs_chain_shard *shard;
	mcs_cursor *cursor;
	mcw_error	err;

	chain->in_flight--;
	a->spent = true;
	if (chain->failed)
		return;
	if (req->status != MCW_OK)
		fail(chain, &req->error, a->what ? chain->shards[a->shard].id : -1);
	else if (a->what == 0)
		open_answer(chain, a);
	else
	{
		shard = &chain->shards[a->shard];
		cursor = a->what == ASKED_BEGIN ? &shard->range.begin : a->what == ASKED_END ? &shard->range.end : &shard->tail;
		if (mcs_parse_cursor(&a->call, cursor, &err) != MCW_OK)
			fail(chain, &err, shard->id);
	}
}

static ask *
free_ask(mcs_chain *chain)
{
	for (int i = 0; i < chain->spec.concurrency; i++)
	{
		ask		   *a = &chain->asks[i];

		if (a->spent)
			a->busy = a->spent = false;
		if (!a->busy)
			return a;
	}
	return NULL;
}

static void
start(mcs_chain *chain, ask *a, mcw_status status, const mcw_error *err)
{
	a->busy = true;
	if (status != MCW_OK)
	{
		a->spent = true;
		fail(chain, err, -1);
		return;
	}
	a->call.req.on_done = answered;
	chain->in_flight++;
	mcn_request_start(&a->call.req);
}

static void
open_chain(mcs_chain *chain)
{
	mcw_error	err;

	chain->opened = true;
	chain->opening = 2;
	for (int list = 0; list < 2 && !chain->failed; list++)
	{
		ask		   *a = &chain->asks[list];

		a->what = 0;
		a->list = list == 1;
		start(chain, a, list ? mcs_list_shards(&a->call, chain->spec.logstore, &err) :
			  mcs_get_logstore(&a->call, chain->spec.logstore, &err), &err);
	}
}

/* False: all requests are in use */
static bool
ask_cursor(mcs_chain *chain, int i, int what, const char *from)
{
	ask		   *a = free_ask(chain);
	mcw_error	err;

	if (a == NULL)
		return false;
	a->what = what;
	a->shard = i;
	chain->shards[i].asked |= what;
	start(chain, a, mcs_get_cursor(&a->call, chain->spec.logstore, chain->shards[i].id, from, &err), &err);
	return true;
}

static void
ask_cursors(mcs_chain *chain)
{
	char		begin[24];
	char		end[24];

	(void) snprintf(begin, sizeof(begin), "%lld", (long long) chain->spec.begin);
	(void) snprintf(end, sizeof(end), "%lld", (long long) chain->spec.end);
	for (int i = 0; i < chain->nshards && !chain->failed; i++)
	{
		mcs_chain_shard *shard = &chain->shards[i];
		/* a shard made in the window has nothing that is older */
		bool		by_time = chain->spec.by_time && shard->create_time < chain->spec.begin;

		if (shard->was_finished || !shard->listed || chain->spec.replay)
			continue;
		if (shard->range.begin.len == 0 && !(shard->asked & ASKED_BEGIN) &&
			!ask_cursor(chain, i, ASKED_BEGIN, by_time ? begin : "begin"))
			return;
		if (shard->range.end.len == 0 && !(shard->asked & ASKED_END) &&
			!ask_cursor(chain, i, ASKED_END, end))
			return;
		if (shard->readonly && !(shard->asked & ASKED_TAIL) &&
			!ask_cursor(chain, i, ASKED_TAIL, "end"))
			return;
	}
}

/* ---- conclusions ---- */

bool
mcs_ranges_overlap(const mcs_range *a, const mcs_range *b)
{
	/* not told: nothing is known */
	if (a->first_key[0] == '\0' || a->last_key[0] == '\0' || b->first_key[0] == '\0' || b->last_key[0] == '\0')
		return true;
	return strcmp(a->first_key, b->last_key) < 0 && strcmp(b->first_key, a->last_key) < 0;
}

/* Does an ancestor keep data that belongs to a later window? */
static bool
ancestor_goes_on(const mcs_chain *chain, int i)
{
	/* ids go up and read-write shards never overlap: what is older and overlaps is an ancestor */
	for (int k = 0; k < i; k++)
	{
		const mcs_chain_shard *older = &chain->shards[k];

		if (older->listed && older->readonly && !older->was_finished && !older->finished &&
			mcs_ranges_overlap(&older->range, &chain->shards[i].range))
			return true;
	}
	return false;
}

static void
conclude(mcs_chain *chain)
{
	mcw_error	err;
	uint64_t	low;
	uint64_t	high;

	for (int i = 0; i < chain->nshards && !chain->failed; i++)
	{
		mcs_chain_shard *shard = &chain->shards[i];

		if (shard->was_finished || !shard->listed)
			continue;
		if (chain->spec.ordered && !shard->lasting && ancestor_goes_on(chain, i))
			shard->range.end = shard->range.begin;
		if (chain->spec.shared && mcs_cursor_int(&shard->range.begin, &low) && mcs_cursor_int(&shard->range.end, &high) &&
			low > high)
			shard->range.end = shard->range.begin;
		if (!chain->spec.replay)
			shard->finished = shard->readonly && mcs_cursor_eq(&shard->range.end, &shard->tail);
		if (!mcs_cursor_eq(&shard->range.begin, &shard->range.end) &&
			mcs_cursor_int(&shard->range.begin, &low) && mcs_cursor_int(&shard->range.end, &high) && low > high)
		{
			(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "the begin cursor %s is behind the end cursor %s",
							shard->range.begin.data, shard->range.end.data);
			fail(chain, &err, shard->id);
		}
	}
}

mcw_status
mcs_chain_run(mcs_chain *chain, mcw_error *err)
{
	mcw_status	status;

	if (!chain->opened)
		open_chain(chain);
	for (;;)
	{
		if (chain->listed && !chain->failed)
			ask_cursors(chain);
		if (chain->failed)
		{
			*err = chain->error;
			return err->status;
		}
		if (chain->in_flight == 0)
			break;
		status = mcn_loop_step(chain->client->loop, -1);
		if (status == MCW_ERR_INTERRUPTED)
			return mcw_fail(err, status, "interrupted");
		if (status != MCW_OK)
			return mcw_fail(err, status, "waiting for Log Service failed");
	}
	conclude(chain);
	if (chain->failed)
	{
		*err = chain->error;
		return err->status;
	}
	return MCW_OK;
}
