/*
 * ots_splits.c
 *		mc.splits(regclass): how the service would cut a table into parts of about
 *		split_size bytes.
 *
 * Keys are text as in messages; INF_MIN and INF_MAX are the ends of the table.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "ots.h"

#define MAX_POINTS ((size_t) 64 << 20)

PG_FUNCTION_INFO_V1(mc_splits);

static McServer *
server_of(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	AclResult	acl = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_TABLE, RelationGetRelationName(rel));
	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE &&
		GetFdwRoutineForRelation(rel, false)->ImportForeignSchema == mcOtsImport)
		return mcGetServer(MC_TABLESTORE, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a foreign table of tablestore_fdw", RelationGetRelationName(rel))));
}

static Datum
key_text(const mcw_ots_key *key)
{
	size_t		size = MCW_OTS_MAX_KEYS * (MCW_OTS_MAX_KEY_BYTES * 2 + 16);
	char	   *buf = palloc(size);

	return CStringGetTextDatum(mcs_ots_key_text(key, buf, size));
}

static void
put_splits(ReturnSetInfo *rsinfo, const mcw_ots_schema *schema, const mcw_ots_key *points, int npoints)
{
	mcw_ots_key first = {.n = schema->nkeys};
	mcw_ots_key last = {.n = schema->nkeys};

	for (int i = 0; i < schema->nkeys; i++)
	{
		first.v[i] = mcw_ots_none(MCW_OTS_INF_MIN);
		last.v[i] = mcw_ots_none(MCW_OTS_INF_MAX);
	}
	for (int i = 0; i <= npoints; i++)
	{
		Datum		values[3];
		bool		nulls[3] = {false};

		values[0] = Int32GetDatum(i);
		values[1] = key_text(i == 0 ? &first : &points[i - 1]);
		values[2] = key_text(i == npoints ? &last : &points[i]);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

Datum
mc_splits(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "tablestore splits", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Relation	rel;
	McServer   *server;
	McOtsConn  *conn;
	McPlace		place = {.wrapper = MC_TABLESTORE};
	const char *table;
	mcw_ots_table *live;
	mcw_arena	arena;
	mcw_ots_key *points = NULL;
	int			npoints = 0;
	int64		size;
	mcw_error	err;
	mcw_status	status;

	mcInitMaterializedSRF(fcinfo);
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	old = MemoryContextSwitchTo(cxt);
	server = server_of(rel);
	conn = mcOtsConnect(server, cxt);
	table = mcOtsRemoteTable(rel);
	live = mcOtsLiveTable(conn, table, mcOtsColumns(rel));
	place.server = server->name;
	place.object = psprintf("%s.%s", server->instance, table);
	size = mcServerOptionInt(server, "split_size", MC_OTS_SPLIT_SIZE);
	mcw_arena_init(&arena, &conn->alloc, MAX_POINTS);
	while (size > 0)
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_split_points(&conn->client, live->name, &live->schema, size, &arena, &points, &npoints, &err);
		if (status == MCW_ERR_INTERRUPTED)
			continue;
		mcCheck(status, &err, &place);
		break;
	}
	put_splits(rsinfo, &live->schema, points, npoints);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}
