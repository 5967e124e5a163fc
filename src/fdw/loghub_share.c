/*
 * loghub_share.c
 *		Claims of a consumer that shares the shards of a logstore; see the header.
 *
 * The service gives a shard to another consumer only after its holder has stopped to list
 * it, or was silent for the group's timeout.  So between our heartbeat and an answer that
 * comes within the timeout nobody else moves the checkpoint that was read in between.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "loghub_call.h"
#include "loghub_share.h"

#include "../service/mcs_loghub_chain.h"
#include "../service/mcs_loghub_group.h"

#define MAX_LIST ((size_t) 16 << 20)
#define SHORTEST_TIMEOUT 60		/* s */
#define DAY 86400

typedef struct Member
{
	const McLogShare *share;
	McLogCalls *conn;
	mcw_view	logstore;
	mcw_view	group;
	mcw_buf		body;
	mcw_arena	arena;
	McPlace		place;
	char		part[32];
	int64		timeout;		/* s */
	int64		beat_us;		/* when the heartbeat was sent on which we rely */
	int		   *holds;
	int			nholds;
	mcs_checkpoint *points;
	int			npoints;
} Member;

static bool
is_code(const mcw_error *err, const char *code)
{
	return strcmp(err->code, code) == 0;
}

/* ---- membership ---- */

static void
join_group(Member *m, const McLogShare *share)
{
	int64		window = share->end - share->begin;
	mcw_error	err;
	mcw_status	status;

	memset(m, 0, sizeof(*m));
	m->share = share;
	m->conn = mcLogCallsOpen(share->server, CurrentMemoryContext);
	m->logstore = mcw_str(mcServerOption(share->server, "logstore"));
	m->group = mcw_str(mcServerOption(share->server, "consumer_group"));
	m->place = (McPlace) {MC_LOGHUB, share->server->name, mcServerOption(share->server, "logstore")};
	mcw_buf_init(&m->body, &m->conn->alloc, MAX_LIST);
	mcw_arena_init(&m->arena, &m->conn->alloc, MAX_LIST);
	mcCheck(mcLogCallsRun(m->conn, mcs_group_list(&m->conn->call, m->logstore, &err), &err), &err, &m->place);
	mcCheck(mcs_parse_group_timeout(&m->conn->call, &m->arena, m->group, &m->timeout, &err), &err, &m->place);
	if (m->timeout == 0)
	{
		/* a consumer is silent between its windows and must not be taken for dead */
		m->timeout = Max(SHORTEST_TIMEOUT, 3 * window);
		status = mcLogCallsRun(m->conn, mcs_group_create(&m->conn->call, m->logstore, m->group, (int) Min(m->timeout, PG_INT32_MAX),
														 false, &m->body, &err), &err);
		if (status != MCW_OK && !is_code(&err, "ConsumerGroupAlreadyExist"))
			mcRaise(&err, &m->place);
	}
	else if (m->timeout <= window)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("consumer group \"%s\" takes a consumer for dead before its next window", mcServerOption(share->server, "consumer_group")),
				 errdetail("The timeout of the group is %lld s, a window of the job %lld s.", (long long) m->timeout, (long long) window),
				 errhint("Set the timeout of the group to three windows, or let the job make a group of its own."),
				 mcPlaceContext(&m->place)));
}

static void
beat(Member *m, int **shards, int *n)
{
	mcw_error	err;

	m->beat_us = mcn_now_us();
	mcCheck(mcLogCallsRun(m->conn, mcs_group_heartbeat(&m->conn->call, m->logstore, m->group, mcw_str(m->share->consumer),
													   m->holds, m->nholds, &m->body, &err), &err), &err, &m->place);
	mcCheck(mcs_parse_heartbeat(&m->conn->call, &m->arena, shards, n, &err), &err, &m->place);
}

static bool
has_shard(const int *shards, int n, int shard)
{
	for (int i = 0; i < n; i++)
		if (shards[i] == shard)
			return true;
	return false;
}

/*
 * What was claimed before is not held: nothing, then what the service assigns.  The list
 * of the second heartbeat is what nobody else is given now.
 */
static void
hold(Member *m)
{
	int		   *again;
	int			nagain;
	int			kept = 0;

	m->nholds = 0;
	beat(m, &m->holds, &m->nholds);
	beat(m, &again, &nagain);
	for (int i = 0; i < m->nholds; i++)
		if (has_shard(again, nagain, m->holds[i]))
			m->holds[kept++] = m->holds[i];
	m->nholds = kept;
}

/* After hold(): what they say of a shard that is held cannot change */
static void
get_points(Member *m)
{
	mcw_error	err;

	mcCheck(mcLogCallsRun(m->conn, mcs_group_get_checkpoints(&m->conn->call, m->logstore, m->group, &err), &err), &err, &m->place);
	mcCheck(mcs_parse_checkpoints(&m->conn->call, &m->arena, &m->points, &m->npoints, &err), &err, &m->place);
}

/* NULL = none */
static const mcs_checkpoint *
point_of(const Member *m, int shard)
{
	for (int i = 0; i < m->npoints; i++)
		if (m->points[i].shard == shard && m->points[i].cursor.len > 0)
			return &m->points[i];
	return NULL;
}

static char *
text_of(mcw_view v)
{
	return pnstrdup(v.data, v.len);
}

/* ---- plan ---- */

/* Positions in our name are those that we know; a position does not vanish */
static void
check_known(Member *m, int shard)
{
	const mcs_checkpoint *point = point_of(m, shard);
	const char *known = NULL;

	for (int i = 0; i < m->share->nclaimed; i++)
		if (m->share->claimed[i].shard == shard)
			known = m->share->claimed[i].end;
	snprintf(m->part, sizeof(m->part), "shard %d", shard);
	m->place.part = m->part;
	if (point == NULL && known != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("consumer group \"%s\" has lost the position of shard %d", mcServerOption(m->share->server, "consumer_group"), shard),
				 errdetail("The job has read it up to %s.", known),
				 errhint("Set the checkpoints of the group again, or let all jobs use a new group and a later start."),
				 mcPlaceContext(&m->place)));
	if (point != NULL && mcw_view_eq(point->consumer, mcw_str(m->share->consumer)) &&
		(known == NULL || !mcw_view_eq(point->cursor, mcw_str(known))))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("consumer group \"%s\" has a position of shard %d that this job has stored and does not know",
						mcServerOption(m->share->server, "consumer_group"), shard),
				 errdetail("It is %s, recorded is %s.", text_of(point->cursor), known ? known : "none"),
				 errhint("The database went back in time, or another copy of it runs the job. When only this one does, and it is known what was read,"
						 " SELECT mc.adopt_job() goes on from the group's position."),
				 mcPlaceContext(&m->place)));
	m->place.part = NULL;
}

pg_noreturn static void
raise_expired(Member *m, int64 begin, int64 ttl_days)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("what is to be read begins before the retention of logstore \"%s\"", m->place.object),
			 errdetail("It begins %lld seconds after 1970; the logstore keeps %lld days.", (long long) begin, (long long) ttl_days),
			 errhint("Skip the window, or let the job begin later."),
			 mcPlaceContext(&m->place)));
}

static void
run_chain(Member *m, mcs_chain *chain)
{
	mcw_status	status;
	mcw_error	err;
	int			shard;

	for (int i = 0; i < m->npoints; i++)
	{
		bool		held = has_shard(m->holds, m->nholds, m->points[i].shard);

		if (held && m->points[i].cursor.len == 0)
			continue;
		mcCheck(mcs_chain_add(chain, m->points[i].shard, held ? m->points[i].cursor : (mcw_view) {NULL, 0},
							  (mcw_view) {NULL, 0}, !held, &err), &err, &m->place);
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_chain_run(chain, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (status == MCW_OK)
		return;
	shard = mcs_chain_failed_shard(chain);
	if (shard >= 0)
	{
		snprintf(m->part, sizeof(m->part), "shard %d", shard);
		m->place.part = m->part;
	}
	if (is_code(&err, "ExpiredWindow"))
		raise_expired(m, m->share->begin, mcs_chain_ttl_days(chain));
	mcRaise(&err, &m->place);
}

/* A shard that nobody has read begins at the job's start, the same in every window and database */
static void
begin_at_start(Member *m, mcs_chain *chain, const mcs_chain_shard *shard, mcs_cursor *begin)
{
	int64		start = m->share->start;
	int64		ttl_days = mcs_chain_ttl_days(chain);
	char		from[24];
	mcw_error	err;

	if (shard->create_time >= start)
		return;
	if (ttl_days > 0 && ttl_days < MCS_TTL_FOREVER &&
		start < mcs_chain_service_now(chain) - ttl_days * DAY + MCS_EXPIRY_MARGIN)
		raise_expired(m, start, ttl_days);
	snprintf(from, sizeof(from), "%lld", (long long) start);
	mcCheck(mcLogCallsRun(m->conn, mcs_get_cursor(&m->conn->call, m->logstore, shard->id, from, &err), &err), &err, &m->place);
	mcCheck(mcs_parse_cursor(&m->conn->call, begin, &err), &err, &m->place);
}

static List *
claims_of(Member *m, mcs_chain *chain)
{
	List	   *claims = NIL;

	for (int i = 0; i < mcs_chain_count(chain); i++)
	{
		const mcs_chain_shard *shard = mcs_chain_get(chain, i);
		mcs_cursor	begin = shard->range.begin;
		mcs_cursor	end = shard->range.end;
		bool		unseen = point_of(m, shard->id) == NULL;
		uint64_t	low;
		uint64_t	high;
		McLogClaim *claim;

		if (shard->was_finished || !shard->listed || !has_shard(m->holds, m->nholds, shard->id))
			continue;
		check_known(m, shard->id);
		if (unseen)
			begin_at_start(m, chain, shard, &begin);
		if (unseen && mcs_cursor_int(&begin, &low) && mcs_cursor_int(&end, &high) && low > high)
			end = begin;
		/* the position of a shard without groups is stored, too, so that nothing of it is looked for by time again */
		if (!unseen && mcs_cursor_eq(&begin, &end))
			continue;
		claim = palloc0(sizeof(McLogClaim));
		claim->shard = shard->id;
		claim->begin = pstrdup(begin.data);
		claim->end = pstrdup(end.data);
		claim->finished = shard->finished;
		claim->unseen = unseen;
		claims = lappend(claims, claim);
	}
	return claims;
}

List *
mcLogSharePlan(const McLogShare *share)
{
	Member		m;
	mcs_chain_spec spec;
	mcs_chain  *chain;
	List	   *volatile claims = NIL;

	join_group(&m, share);
	hold(&m);
	if (m.nholds == 0)
		return NIL;
	get_points(&m);
	memset(&spec, 0, sizeof(spec));
	spec.logstore = m.logstore;
	spec.begin = share->begin;
	spec.end = share->end;
	spec.shared = true;
	spec.concurrency = share->server->concurrency;
	chain = mcs_chain_create(&m.conn->client, &spec);
	if (chain == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	PG_TRY();
	{
		run_chain(&m, chain);
		claims = claims_of(&m, chain);
	}
	PG_FINALLY();
	{
		mcs_chain_free(chain);
	}
	PG_END_TRY();
	return claims;
}

/* ---- claim ---- */

pg_noreturn static void
raise_unknown(Member *m, const McLogClaim *claim, mcw_view now)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("it is not known whether shard %d was claimed from %s to %s", claim->shard, claim->begin, claim->end),
			 errdetail("An earlier attempt ended while it claimed them, and another consumer of group \"%s\" has gone on to %s.",
					   mcServerOption(m->share->server, "consumer_group"), text_of(now)),
			 errhint("Look at the windows of the other databases (mc.run_shard): if one of them has begun the shard at %s, then"
					 " SELECT mc.settle_claim(job, '%d', false), if one has begun it at %s, then true.",
					 claim->begin, claim->shard, claim->end),
			 mcPlaceContext(&m->place)));
}

/* Is there still something to be done?  Else 'taken' is known. */
static bool
is_open(Member *m, const char *consumer, McLogClaim *claim)
{
	const mcs_checkpoint *point = point_of(m, claim->shard);
	mcs_cursor	now;
	mcs_cursor	end;
	uint64_t	at;
	uint64_t	limit;
	mcw_error	err;

	claim->taken = false;
	if (point == NULL)
		return claim->unseen;
	if (mcw_view_eq(point->cursor, mcw_str(claim->end)))
	{
		/* another one that stands there has come from our begin: it does not store what is stored */
		claim->taken = mcw_view_eq(point->consumer, mcw_str(consumer));
		return false;
	}
	/* nobody has gone on, and a lost request of ours is repeated */
	if (!claim->unseen && mcw_view_eq(point->cursor, mcw_str(claim->begin)))
		return true;
	mcCheck(mcs_cursor_set(&now, point->cursor, &err), &err, &m->place);
	mcCheck(mcs_cursor_set(&end, mcw_str(claim->end), &err), &err, &m->place);
	/* nobody goes back: who is in front of our end began in front of it */
	if (!mcw_view_eq(point->consumer, mcw_str(consumer)) && mcs_cursor_int(&now, &at) && mcs_cursor_int(&end, &limit) && at < limit)
		return false;
	if (strcmp(claim->begin, claim->end) == 0)
		return false;
	raise_unknown(m, claim, point->cursor);
}

static void
check_lease(const Member *m, int part)
{
	if (mcn_now_us() - m->beat_us > m->timeout * 1000000 / part)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("claiming shards took longer than the timeout of consumer group \"%s\" allows",
						mcServerOption(m->share->server, "consumer_group")),
				 errhint("The next attempt finds out what was claimed."),
				 mcPlaceContext(&m->place)));
}

void
mcLogShareClaim(const McLogShare *share, List *claims)
{
	Member		m;
	ListCell   *lc;

	join_group(&m, share);
	hold(&m);
	get_points(&m);
	foreach(lc, claims)
	{
		McLogClaim *claim = lfirst(lc);
		mcw_status	status;
		mcw_error	err;

		if (!is_open(&m, share->consumer, claim) || !has_shard(m.holds, m.nholds, claim->shard))
			continue;
		check_lease(&m, 2);
		status = mcLogCallsRun(m.conn, mcs_group_set_checkpoint(&m.conn->call, m.logstore, m.group, mcw_str(share->consumer), false,
																claim->shard, mcw_str(claim->end), &m.body, &err), &err);
		check_lease(&m, 1);
		if (status != MCW_OK && !is_code(&err, "ConsumerNotExist") && !is_code(&err, "ConsumerNotMatch") && !is_code(&err, "ShardNotExist"))
			mcRaise(&err, &m.place);
		claim->taken = status == MCW_OK;
	}
}
