/*
 * share.c
 *		mc._claim_plan(): which ranges of shared shards a window wants; recorded in mc.claim.
 *		mc._claim(): claims them at the service, in a transaction of its own.
 *
 * What is claimed is read by the statement of the window, and by nothing else, however
 * often it must be repeated.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "../fdw/loghub_group.h"
#include "../fdw/loghub_share.h"
#include "sync.h"

typedef struct Shared
{
	Oid			relid;
	Oid			serverid;
	Oid			owner;
	int64		job_id;
	char	   *relation;
	char	   *consumer;
	char	   *group;
	TimestampTz begin;
	TimestampTz end;
	TimestampTz start;
	char	   *key;
	McServer   *server;
} Shared;

static const char tables_query[] =
"SELECT DISTINCT f.ftrelid, f.ftserver, j.owner::pg_catalog.oid, j.job_id, s,"
" pg_catalog.format('%s-%s-%s-%s', (SELECT system_identifier FROM pg_catalog.pg_control_system()),"
"  (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()), j.job_id, pg_catalog.left(j.incarnation::text, 8)),"
" r.window_begin, r.window_end, j.start,"
" (SELECT g.option_value FROM pg_catalog.pg_options_to_table(f.ftoptions) g WHERE g.option_name = 'consumer_group')"
" FROM mc.run r JOIN mc.job j USING (job_id) CROSS JOIN pg_catalog.unnest(j.sources) s"
" JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = pg_catalog.to_regclass(s)"
" CROSS JOIN LATERAL pg_catalog.pg_options_to_table(f.ftoptions) o"
" WHERE r.run_id = $1 AND r.family = 0 AND o.option_name = 'consumer_share' AND o.option_value::pg_catalog.bool ORDER BY s";

static int64
seconds_of(TimestampTz t)
{
	return t / USECS_PER_SEC + MC_EPOCH_SECONDS;
}

static Shared *
read_tables(int64 run_id, int *n)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(run_id)};
	Shared	   *tables;

	*n = (int) mcSpi(tables_query, SPI_OK_SELECT, 1, types, values, NULL);
	tables = palloc0(sizeof(Shared) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		bool		isnull;
		Shared	   *t = &tables[i];

		t->relid = DatumGetObjectId(mcSpiDatum(i, 1, &isnull));
		t->serverid = DatumGetObjectId(mcSpiDatum(i, 2, &isnull));
		t->owner = DatumGetObjectId(mcSpiDatum(i, 3, &isnull));
		t->job_id = mcSpiInt(i, 4, 0);
		t->relation = mcSpiText(i, 5);
		t->consumer = mcSpiText(i, 6);
		t->begin = DatumGetTimestampTz(mcSpiDatum(i, 7, &isnull));
		t->end = DatumGetTimestampTz(mcSpiDatum(i, 8, &isnull));
		t->start = DatumGetTimestampTz(mcSpiDatum(i, 9, &isnull));
		t->group = mcSpiText(i, 10);
	}
	for (int i = 0; i < *n; i++)
	{
		Shared	   *t = &tables[i];

		if (!has_privs_of_role(GetUserId(), t->owner))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("must have the privileges of role \"%s\"", GetUserNameFromId(t->owner, false))));
		if (pg_class_aclcheck(t->relid, t->owner, ACL_SELECT) != ACLCHECK_OK)
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for foreign table %s", t->relation)));
		t->server = mcGetServer(MC_LOGHUB, t->serverid, t->owner, t->relid, true);
		t->key = mcLogSourceKey(t->server, mcServerOption(t->server, "logstore"));
	}
	return tables;
}

/* Two foreign tables may show one logstore: positions are the logstore's */
static bool
is_second(const Shared *tables, int i)
{
	for (int k = 0; k < i; k++)
		if (strcmp(tables[k].key, tables[i].key) == 0)
		{
			if (strcmp(tables[k].group, tables[i].group) != 0)
				ereport(ERROR,
						(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
						 errmsg("foreign tables %s and %s show the same logstore and have different consumer groups",
								tables[k].relation, tables[i].relation)));
			return true;
		}
	return false;
}

static uint64
books(const Shared *t, const char *sql, int expected)
{
	static const Oid types[] = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
	Datum		values[] = {
		Int64GetDatum(t->job_id), CStringGetTextDatum(t->key), TimestampTzGetDatum(t->begin), TimestampTzGetDatum(t->end),
		CStringGetTextDatum(t->consumer)
	};

	return mcSpi(sql, expected, lengthof(types), types, values, NULL);
}

static McLogShare
share_of(const Shared *t)
{
	return (McLogShare) {
		.server = t->server, .consumer = t->consumer, .start = seconds_of(t->start), .begin = seconds_of(t->begin), .end = seconds_of(t->end)
	};
}

/* ---- plan ---- */

static void
insert_claim(const Shared *t, const McLogClaim *claim)
{
	static const Oid types[] = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, BOOLOID};
	char		shard[16];
	Datum		values[] = {
		Int64GetDatum(t->job_id), CStringGetTextDatum(t->key), TimestampTzGetDatum(t->begin), TimestampTzGetDatum(t->end),
		CStringGetTextDatum(t->consumer), 0, CStringGetTextDatum(claim->begin), CStringGetTextDatum(claim->end),
		BoolGetDatum(claim->finished), BoolGetDatum(claim->unseen)
	};

	snprintf(shard, sizeof(shard), "%d", claim->shard);
	values[5] = CStringGetTextDatum(shard);
	(void) mcSpi("INSERT INTO mc.claim (job_id, source, window_begin, window_end, consumer, shard, position_begin, position_end,"
				 " finished, unseen, state, owner) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'intended', owner FROM mc.job WHERE job_id = $1",
				 SPI_OK_INSERT, lengthof(types), types, values, NULL);
}

static void
plan_source(const Shared *t)
{
	McLogShare	share = share_of(t);
	McLogClaimed *claimed;
	List	   *claims;
	ListCell   *lc;

	/* decided by an earlier attempt */
	if (books(t, "SELECT FROM mc.claim WHERE job_id = $1 AND source = $2 AND window_begin = $3 AND window_end = $4"
			  " AND shard = ''", SPI_OK_SELECT) > 0)
		return;
	(void) books(t, "DELETE FROM mc.claim c WHERE c.job_id = $1 AND c.source = $2 AND c.window_end <= $3"
				 " AND EXISTS (SELECT FROM mc.run r WHERE r.job_id = $1 AND r.family = 0 AND r.state = 'done'"
				 " AND r.window_begin = c.window_begin AND r.window_end = c.window_end)", SPI_OK_DELETE);
	(void) books(t, "INSERT INTO mc.claim (job_id, source, window_begin, window_end, consumer, shard, state, owner)"
				 " SELECT $1, $2, $3, $4, $5, '', 'claimed', owner FROM mc.job WHERE job_id = $1", SPI_OK_INSERT);
	/* a window that was done before is read as it was */
	if (books(t, "INSERT INTO mc.claim (job_id, source, window_begin, window_end, consumer, shard, position_begin, position_end,"
			  " finished, state, owner)"
			  " SELECT $1, $2, $3, $4, $5, shard, position_begin, position_end, finished, 'claimed', owner FROM mc.run_shard"
			  " WHERE job_id = $1 AND source = $2 AND window_begin = $3 AND window_end = $4", SPI_OK_INSERT) > 0)
		return;
	share.nclaimed = (int) books(t, "SELECT shard, position FROM mc.checkpoint WHERE job_id = $1 AND source = $2 AND reported IS NOT NULL",
								 SPI_OK_SELECT);
	claimed = palloc0(sizeof(McLogClaimed) * Max(share.nclaimed, 1));
	for (int i = 0; i < share.nclaimed; i++)
		claimed[i] = (McLogClaimed) {pg_strtoint32(mcSpiText(i, 1)), mcSpiText(i, 2)};
	share.claimed = claimed;
	claims = mcLogSharePlan(&share);
	foreach(lc, claims)
		insert_claim(t, lfirst(lc));
}

PG_FUNCTION_INFO_V1(mc_claim_plan);
Datum
mc_claim_plan(PG_FUNCTION_ARGS)
{
	Shared	   *tables;
	int			n;

	SPI_connect();
	tables = read_tables(PG_GETARG_INT64(0), &n);
	for (int i = 0; i < n; i++)
		if (!is_second(tables, i))
			plan_source(&tables[i]);
	SPI_finish();
	PG_RETURN_BOOL(n > 0);
}

/* ---- claim ---- */

static void
settle(const Shared *t, const McLogClaim *claim)
{
	static const Oid types[] = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
	char		shard[16];
	Datum		values[] = {
		Int64GetDatum(t->job_id), CStringGetTextDatum(t->key), TimestampTzGetDatum(t->begin), TimestampTzGetDatum(t->end), 0
	};

	snprintf(shard, sizeof(shard), "%d", claim->shard);
	values[4] = CStringGetTextDatum(shard);
	(void) mcSpi(claim->taken ? "SELECT mc._claim_taken($1, $2, $3, $4, $5)" :
				 "DELETE FROM mc.claim WHERE job_id = $1 AND source = $2 AND window_begin = $3 AND window_end = $4 AND shard = $5 AND state = 'intended'",
				 claim->taken ? SPI_OK_SELECT : SPI_OK_DELETE, lengthof(types), types, values, NULL);
}

static void
claim_source(Shared *t)
{
	McLogShare	share;
	List	   *claims = NIL;
	ListCell   *lc;
	uint64		n = books(t, "SELECT shard, position_begin, position_end, finished, unseen, consumer FROM mc.claim WHERE job_id = $1 AND source = $2"
						  " AND window_begin = $3 AND window_end = $4 AND state = 'intended' ORDER BY shard", SPI_OK_SELECT);

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		McLogClaim *claim = palloc0(sizeof(McLogClaim));

		claim->shard = pg_strtoint32(mcSpiText(i, 1));
		claim->begin = mcSpiText(i, 2);
		claim->end = mcSpiText(i, 3);
		claim->finished = DatumGetBool(mcSpiDatum(i, 4, &isnull));
		claim->unseen = DatumGetBool(mcSpiDatum(i, 5, &isnull));
		/* by the name under which they were begun */
		t->consumer = mcSpiText(i, 6);
		claims = lappend(claims, claim);
	}
	if (claims == NIL)
		return;
	share = share_of(t);
	mcLogShareClaim(&share, claims);
	foreach(lc, claims)
		settle(t, lfirst(lc));
}

PG_FUNCTION_INFO_V1(mc_claim);
Datum
mc_claim(PG_FUNCTION_ARGS)
{
	Shared	   *tables;
	int			n;

	SPI_connect();
	tables = read_tables(PG_GETARG_INT64(0), &n);
	for (int i = 0; i < n; i++)
		if (!is_second(tables, i))
			claim_source(&tables[i]);
	SPI_finish();
	PG_RETURN_VOID();
}
