/*
 * ots_safe_until.c
 *		mc.safe_until(): the newest complete instant of a change stream or a logstore;
 *		mc.stream_shards(): the shards of a change stream.
 *
 * Both ask the service, with the caller's user mapping.  mc.safe_until is STABLE, so
 * that a scan can take it as a bound; the planner evaluates it too, so the answer is
 * kept for the statement, a second at most.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "loghub.h"
#include "loghub_call.h"
#include "ots_stream.h"

#define MAX_STATE ((size_t) 512 << 20)
#define KEPT 8
#define KEPT_US INT64CONST(1000000)

PG_FUNCTION_INFO_V1(mc_safe_until);
PG_FUNCTION_INFO_V1(mc_stream_shards);

/* Answers of the running statement */
static struct
{
	Oid			relid;
	Oid			userid;
	TimestampTz statement;
	int64		asked_us;		/* mcn_now_us() */
	TimestampTz value;
}			kept[KEPT];

static bool
is_wrapper(Relation rel, McWrapper wrapper)
{
	FdwRoutine *routine;

	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		return false;
	routine = GetFdwRoutineForRelation(rel, false);
	return routine->ImportForeignSchema == (wrapper == MC_LOGHUB ? mcLogImport : mcOtsImport);
}

static void
check_select(Relation rel)
{
	AclResult	acl = pg_class_aclcheck(RelationGetRelid(rel), GetUserId(), ACL_SELECT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, get_relkind_objtype(rel->rd_rel->relkind), RelationGetRelationName(rel));
}

void
mcStreamState(Relation rel, McOtsConn **conn, mcw_arena *arena, mcs_ots_stream_state *state)
{
	Oid			relid = RelationGetRelid(rel);
	McServer   *server = mcGetServer(MC_TABLESTORE, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	const char *table = mcOtsRemoteTable(rel);
	char	   *wire = pg_server_to_any(table, strlen(table), PG_UTF8);
	McPlace		place = {.wrapper = MC_TABLESTORE, .server = server->name};
	mcw_error	err;
	mcw_status	status;

	place.object = psprintf("%s.%s", server->instance, table);
	*conn = mcOtsConnect(server, CurrentMemoryContext);
	mcw_arena_init(arena, &(*conn)->alloc, MAX_STATE);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_stream_get_state(&(*conn)->client, mcw_str(wire), arena, state, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (status != MCW_OK)
		mcStreamCheckEnabled(&err, table, &place);
	mcCheck(status, &err, &place);
}

/* ---- mc.safe_until ---- */

/* Unix microseconds; any request tells the service's clock */
static int64
loghub_until(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	McServer   *server = mcGetServer(MC_LOGHUB, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	const char *logstore = mcServerOption(server, "logstore");
	McPlace		place = {.wrapper = MC_LOGHUB, .server = server->name, .object = logstore};
	McLogCalls  *conn = mcLogCallsOpen(server, CurrentMemoryContext);
	mcw_error	err;

	mcCheck(mcLogCallsRun(conn, mcs_list_shards(&conn->call, mcw_str(logstore), &err), &err), &err, &place);
	return mcn_channel_service_now(conn->channel) / USECS_PER_SEC * USECS_PER_SEC - MCS_SETTLE_SECONDS * USECS_PER_SEC;
}

static TimestampTz
safe_until(Relation rel)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "mc.safe_until", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	int64		until;

	if (is_wrapper(rel, MC_TABLESTORE))
	{
		McOtsConn  *conn;
		mcw_arena	arena;
		mcs_ots_stream_state state;

		mcStreamState(rel, &conn, &arena, &state);
		until = state.safe_until_us;
	}
	else if (is_wrapper(rel, MC_LOGHUB))
		until = loghub_until(rel);
	else
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a foreign table of tablestore_fdw or loghub_fdw", RelationGetRelationName(rel))));
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return until - MC_EPOCH_US;
}

Datum
mc_safe_until(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	Relation	rel = relation_open(relid, AccessShareLock);
	int			oldest = 0;
	TimestampTz value;

	check_select(rel);
	for (int i = 0; i < KEPT; i++)
	{
		if (kept[i].relid == relid && kept[i].userid == GetUserId() &&
			kept[i].statement == GetCurrentStatementStartTimestamp() && mcn_now_us() - kept[i].asked_us < KEPT_US)
		{
			relation_close(rel, AccessShareLock);
			PG_RETURN_TIMESTAMPTZ(kept[i].value);
		}
		if (kept[i].asked_us < kept[oldest].asked_us)
			oldest = i;
	}
	value = safe_until(rel);
	kept[oldest].relid = relid;
	kept[oldest].userid = GetUserId();
	kept[oldest].statement = GetCurrentStatementStartTimestamp();
	kept[oldest].asked_us = mcn_now_us();
	kept[oldest].value = value;
	relation_close(rel, AccessShareLock);
	PG_RETURN_TIMESTAMPTZ(value);
}

/* ---- mc.stream_shards ---- */

static bool
has_child(const mcw_ots_stream *stream, mcw_view id)
{
	for (int i = 0; i < stream->nshards; i++)
	{
		if (mcw_view_eq(stream->shards[i].parent, id) || mcw_view_eq(stream->shards[i].sibling, id))
			return true;
	}
	return false;
}

void
mcStreamShard(const mcw_ots_stream *stream, const mcw_ots_shard *shard, Datum *id, Datum *parents, bool *closed)
{
	Datum		list[2];
	int			n = 0;

	if (shard->parent.len > 0)
		list[n++] = mcStreamText(shard->parent);
	if (shard->sibling.len > 0)
		list[n++] = mcStreamText(shard->sibling);
	*id = mcStreamText(shard->id);
	*parents = PointerGetDatum(construct_array(list, n, TEXTOID, -1, false, TYPALIGN_INT));
	*closed = has_child(stream, shard->id);
}

static void
put_shard(ReturnSetInfo *rsinfo, const mcw_ots_stream *stream, const mcw_ots_shard *shard)
{
	Datum		values[3];
	bool		nulls[3] = {false};
	bool		closed;

	mcStreamShard(stream, shard, &values[0], &values[1], &closed);
	values[2] = BoolGetDatum(closed);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
mc_stream_shards(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext cxt;
	MemoryContext old;
	Relation	rel;
	McOtsConn  *conn;
	mcw_arena	arena;
	mcs_ots_stream_state state;

	mcInitMaterializedSRF(fcinfo);
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	check_select(rel);
	if (!is_wrapper(rel, MC_TABLESTORE))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a foreign table of tablestore_fdw", RelationGetRelationName(rel))));
	cxt = AllocSetContextCreate(CurrentMemoryContext, "mc.stream_shards", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	mcStreamState(rel, &conn, &arena, &state);
	for (int i = 0; i < state.stream.nshards; i++)
	{
		CHECK_FOR_INTERRUPTS();
		put_shard(rsinfo, &state.stream, &state.stream.shards[i]);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}
