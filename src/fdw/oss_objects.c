/*
 * oss_objects.c
 *		mc.objects(regclass): the objects a scan of an OSS foreign table would read now.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "oss.h"

PG_FUNCTION_INFO_V1(mc_objects);

static bool
is_oss_table(Relation rel)
{
	FdwRoutine	ours = {.type = T_FdwRoutine};

	if (rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		return false;
	mcOssRoutine(&ours);
	return GetFdwRoutineForRelation(rel, false)->BeginForeignScan == ours.BeginForeignScan;
}

static McServer *
server_of(Relation rel)
{
	Oid			relid = RelationGetRelid(rel);
	AclResult	acl = pg_class_aclcheck(relid, GetUserId(), ACL_SELECT);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_TABLE, RelationGetRelationName(rel));
	if (is_oss_table(rel))
		return mcGetServer(MC_OSS, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("\"%s\" is not a foreign table of oss_fdw", RelationGetRelationName(rel))));
}

static void
put_object(ReturnSetInfo *rsinfo, const McOssTable *table, const mcs_oss_object *object)
{
	static const McOssKind kinds[] = {MC_OSS_OBJECT, MC_OSS_SIZE, MC_OSS_ETAG, MC_OSS_LAST_MODIFIED};
	McTextColumn text;
	Datum		values[lengthof(kinds)];
	bool		nulls[lengthof(kinds)];

	mcTextColumnInit(&text, TEXTOID, -1);
	for (int i = 0; i < lengthof(kinds); i++)
	{
		McOssColumn column = {.kind = kinds[i], .attname = "key"};

		nulls[i] = !mcOssObjectValue(table, &column, &text, object, NULL, &values[i]);
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
mc_objects(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "objects of a table", ALLOCSET_DEFAULT_SIZES);
	MemoryContext row = AllocSetContextCreate(cxt, "one object", ALLOCSET_SMALL_SIZES);
	MemoryContext old;
	Relation	rel;
	McServer   *server;
	McOssConn  *conn;
	McOssTable *table;
	McOssSource *source;
	McOssChoice choice = {.narrowed = true, .modified_from = PG_INT64_MIN, .modified_to = PG_INT64_MAX};
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;
	bool		pending;

	mcInitMaterializedSRF(fcinfo);
	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);
	old = MemoryContextSwitchTo(cxt);
	server = server_of(rel);
	table = mcOssTable(rel, server);
	conn = mcOssConnect(server, cxt);
	choice.rel = rel;
	choice.part_values = palloc0(sizeof(char *) * (table->nparts + 1));
	source = mcOssSourceOpen(conn, table, &choice, cxt);
	memset(&err, 0, sizeof(err));
	while ((status = mcOssSourceNext(source, true, &pending, &object, &err)) == MCW_OK)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(row);
		put_object(rsinfo, table, &object);
		MemoryContextReset(row);
	}
	if (status != MCW_END)
		mcCheck(status, &err, &conn->place);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	relation_close(rel, AccessShareLock);
	return (Datum) 0;
}
