/*
 * shards.c
 *		mc.shards(): the shards of a logstore or of a change stream.
 *		mc.partitions(): the partitions of a MaxCompute table.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "../fdw/compat.h"
#include "../fdw/loghub_call.h"
#include "../fdw/odps.h"
#include "../fdw/ots_stream.h"
#include "tools.h"

#define MAX_STATE ((size_t) 512 << 20)

enum
{
	COLUMN_SHARD, COLUMN_STATUS, COLUMN_PARENTS, COLUMN_BEGIN, COLUMN_END, COLUMN_CREATED, COLUMN_OLDEST, COLUMN_NEWEST,
	NCOLUMNS
};

PG_FUNCTION_INFO_V1(mc_shards);
PG_FUNCTION_INFO_V1(mc_partitions);

static Datum
instant(int64 unix_seconds)
{
	return TimestampTzGetDatum((unix_seconds - MC_EPOCH_SECONDS) * USECS_PER_SEC);
}

/* ---- logstore ---- */

static void
ask(McLogCalls *calls, mcw_status prepared, mcw_error *err, const McPlace *place)
{
	mcw_status	status = mcLogCallsRun(calls, prepared, err);

	mcCheck(status, err, place);
}

static void
ask_cursor(McLogCalls *calls, mcw_view logstore, int shard, const char *from, mcs_cursor *cursor, const McPlace *place)
{
	mcw_error	err;

	ask(calls, mcs_get_cursor(&calls->call, logstore, shard, from, &err), &err, place);
	mcCheck(mcs_parse_cursor(&calls->call, cursor, &err), &err, place);
}

/* false: the service has no group there (any more) */
static bool
ask_time(McLogCalls *calls, mcw_view logstore, int shard, const mcs_cursor *cursor, const McPlace *place, Datum *time)
{
	mcw_error	err;
	int64_t		seconds = 0;
	mcw_status	status = mcLogCallsRun(calls, mcs_get_cursor_time(&calls->call, logstore, shard, cursor, &err), &err);

	if (status == MCW_ERR_SERVICE && pg_strcasecmp(err.code, "InvalidCursor") == 0)
		return false;
	mcCheck(status, &err, place);
	mcCheck(mcs_parse_cursor_time(&calls->call, &seconds, &err), &err, place);
	*time = instant(seconds);
	return true;
}

/* Receive times of the oldest and the newest group; none in an empty shard */
static void
put_times(McLogCalls *calls, mcw_view logstore, int shard, const McPlace *place, Datum *values, bool *nulls)
{
	mcs_cursor	begin;
	mcs_cursor	end;
	uint64_t	number;

	ask_cursor(calls, logstore, shard, "begin", &begin, place);
	ask_cursor(calls, logstore, shard, "end", &end, place);
	if (mcs_cursor_eq(&begin, &end))
		return;
	nulls[COLUMN_OLDEST] = !ask_time(calls, logstore, shard, &begin, place, &values[COLUMN_OLDEST]);
	/* the end cursor is behind the newest group */
	if (!mcs_cursor_int(&end, &number) || number == 0)
		return;
	mcs_cursor_from_int(&end, number - 1);
	nulls[COLUMN_NEWEST] = !ask_time(calls, logstore, shard, &end, place, &values[COLUMN_NEWEST]);
}

static void
logstore_shards(FunctionCallInfo fcinfo, Relation rel)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relid = RelationGetRelid(rel);
	McServer   *server = mcGetServer(MC_LOGHUB, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	const char *logstore = mcServerOption(server, "logstore");
	McPlace		place = {.wrapper = MC_LOGHUB, .server = server->name, .object = logstore};
	McLogCalls *calls = mcLogCallsOpen(server, CurrentMemoryContext);
	mcs_shard_info *shards;
	int			nshards;
	mcw_error	err;

	ask(calls, mcs_list_shards(&calls->call, mcw_str(logstore), &err), &err, &place);
	mcCheck(mcs_parse_shards(&calls->call, &shards, &nshards, &err), &err, &place);
	for (int i = 0; i < nshards; i++)
	{
		Datum		values[NCOLUMNS];
		bool		nulls[NCOLUMNS];

		memset(nulls, true, sizeof(nulls));
		nulls[COLUMN_SHARD] = nulls[COLUMN_STATUS] = nulls[COLUMN_CREATED] = false;
		values[COLUMN_SHARD] = CStringGetTextDatum(psprintf("%d", shards[i].id));
		values[COLUMN_STATUS] = CStringGetTextDatum(shards[i].readonly ? "readonly" : "readwrite");
		nulls[COLUMN_BEGIN] = shards[i].begin[0] == '\0';
		values[COLUMN_BEGIN] = CStringGetTextDatum(shards[i].begin);
		nulls[COLUMN_END] = shards[i].end[0] == '\0';
		values[COLUMN_END] = CStringGetTextDatum(shards[i].end);
		nulls[COLUMN_CREATED] = shards[i].create_time == 0;
		values[COLUMN_CREATED] = instant(shards[i].create_time);
		place.part = psprintf("shard %d", shards[i].id);
		put_times(calls, mcw_str(logstore), shards[i].id, &place, values, nulls);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* ---- change stream ---- */

static void
stream_shards(FunctionCallInfo fcinfo, Relation rel)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	McOtsConn  *conn;
	mcw_arena	arena;
	mcs_ots_stream_state state;

	mcStreamState(rel, &conn, &arena, &state);
	for (int i = 0; i < state.stream.nshards; i++)
	{
		Datum		values[NCOLUMNS];
		bool		nulls[NCOLUMNS];
		bool		closed;

		CHECK_FOR_INTERRUPTS();
		memset(nulls, true, sizeof(nulls));
		nulls[COLUMN_SHARD] = nulls[COLUMN_STATUS] = nulls[COLUMN_PARENTS] = false;
		mcStreamShard(&state.stream, &state.stream.shards[i], &values[COLUMN_SHARD], &values[COLUMN_PARENTS], &closed);
		values[COLUMN_STATUS] = CStringGetTextDatum(closed ? "closed" : "open");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

Datum
mc_shards(PG_FUNCTION_ARGS)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "mc.shards", ALLOCSET_DEFAULT_SIZES);
	Oid			relid = PG_GETARG_OID(0);
	MemoryContext old;
	Relation	rel;

	mcInitMaterializedSRF(fcinfo);
	rel = mcOpenForeign(relid, MC_LOGHUB | MC_TABLESTORE, ACL_SELECT);
	old = MemoryContextSwitchTo(cxt);
	if (mcWrapperOfRelation(relid) == MC_LOGHUB)
		logstore_shards(fcinfo, rel);
	else
		stream_shards(fcinfo, rel);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}

/* ---- partitions ---- */

Datum
mc_partitions(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Oid			relid = PG_GETARG_OID(0);
	const mcs_odps_partitions *list;
	const mcs_odps_table *table;
	Relation	rel;
	McOdps	   *odps;

	mcInitMaterializedSRF(fcinfo);
	rel = mcOpenForeign(relid, MC_MAXCOMPUTE, ACL_SELECT);
	odps = mcOdpsOpen(GetForeignTable(relid)->serverid, GetUserId(), relid);
	list = mcOdpsPartitions(odps, true);
	table = mcOdpsTable(odps, false);
	for (int i = 0; i < list->nitems; i++)
	{
		const mcs_odps_partition *p = &list->items[i];
		Datum		values[4];
		bool		nulls[4] = {false};
		mcw_buf		spec;

		CHECK_FOR_INTERRUPTS();
		mcw_buf_init(&spec, &odps->alloc, 1 << 20);
		if (mcs_odps_partition_spec(table, p->values, false, &spec) != MCW_OK)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
		values[0] = CStringGetTextDatum(pg_any_to_server(pnstrdup(spec.data, spec.len), spec.len, PG_UTF8));
		mcw_buf_free(&spec);
		nulls[1] = p->record_num < 0;
		values[1] = Int64GetDatum(p->record_num);
		nulls[2] = p->size < 0;
		values[2] = Int64GetDatum(p->size);
		nulls[3] = p->last_modified == 0;
		values[3] = instant(p->last_modified);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	MemoryContextDelete(odps->cxt);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}
