/*
 * create_remote.c
 *		mc.create_remote(): the remote table or logstore that a foreign table describes.
 *
 * It returns the statement or the request as text, and sends it only when asked to.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "../fdw/loghub_call.h"
#include "../fdw/odps.h"
#include "../fdw/ots.h"
#include "tools.h"

#define MAX_ANSWER ((size_t) 4 << 20)
#define DEFAULT_LOG_DAYS 30
#define DEFAULT_SHARDS 2
#define MAX_DAYS (INT_MAX / SECS_PER_DAY)	/* Tablestore counts seconds */
#define MAX_SHARDS 10
#define MAX_STREAM_HOURS 168

PG_FUNCTION_INFO_V1(mc_create_remote);

typedef struct Create
{
	Relation	rel;
	Oid			relid;
	Oid			serverid;
	bool		execute;
	List	   *partition_by;	/* char *, columns */
	int			lifecycle;		/* days, 0 = not given */
	int			shards;			/* 0 = not given */
	int			stream_hours;	/* 0 = not given */
} Create;

static void
refuse(const Create *create, bool given, const char *what, const char *wrapper)
{
	if (given)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s has no meaning for \"%s\"", what, RelationGetRelationName(create->rel)),
				 errdetail("It is a foreign table of %s.", wrapper)));
}

static char *
to_wire(const char *text)
{
	return pg_server_to_any(text, strlen(text), PG_UTF8);
}

static const char *
remote_name(const Create *create, Form_pg_attribute attr)
{
	const char *field = mcColumnOption(create->relid, attr->attnum, "field");

	return field != NULL ? field : NameStr(attr->attname);
}

static char *
json_text(const char *text)
{
	StringInfoData s;

	initStringInfo(&s);
	escape_json(&s, text);
	return s.data;
}

/* ---- MaxCompute ---- */

/* The reverse of IMPORT FOREIGN SCHEMA: each value of the local type fits, or the insert says so */
static char *
odps_type(const Create *create, Form_pg_attribute attr, Oid type, int32 typmod)
{
	Oid			element = get_element_type(type);

	if (OidIsValid(element))
		return psprintf("ARRAY<%s>", odps_type(create, attr, element, typmod));
	type = getBaseTypeAndTypmod(type, &typmod);
	switch (type)
	{
		case BOOLOID:
			return "BOOLEAN";
		case INT2OID:
			return "SMALLINT";
		case INT4OID:
			return "INT";
		case INT8OID:
			return "BIGINT";
		case FLOAT4OID:
			return "FLOAT";
		case FLOAT8OID:
			return "DOUBLE";
		case NUMERICOID:
			if (typmod < (int32) VARHDRSZ)
				return "DECIMAL(38,18)";
			return psprintf("DECIMAL(%d,%d)", ((typmod - (int32) VARHDRSZ) >> 16) & 0xffff, (typmod - (int32) VARHDRSZ) & 0x7ff);
		case VARCHAROID:
			return typmod < (int32) VARHDRSZ ? "STRING" : psprintf("VARCHAR(%d)", typmod - (int32) VARHDRSZ);
		case BPCHAROID:
			return typmod < (int32) VARHDRSZ ? "STRING" : psprintf("CHAR(%d)", typmod - (int32) VARHDRSZ);
		case BYTEAOID:
			return "BINARY";
		case DATEOID:
			return "DATE";
		case TIMESTAMPTZOID:
			return typmod >= 0 && typmod <= 3 ? "DATETIME" : "TIMESTAMP";
		case TIMESTAMPOID:
			return "TIMESTAMP_NTZ";
		case JSONOID:
		case JSONBOID:
			return "JSON";
		case TEXTOID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
			return "STRING";
		default:
			break;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("no MaxCompute type holds column \"%s\" of type %s", NameStr(attr->attname), format_type_be(type)),
			 errhint("Declare the column as text.")));
}

static char *
back_quoted(const char *name)
{
	StringInfoData s;

	initStringInfo(&s);
	appendStringInfoChar(&s, '`');
	for (; *name; name++)
	{
		if (*name == '`')
			appendStringInfoChar(&s, '`');
		appendStringInfoChar(&s, *name);
	}
	appendStringInfoChar(&s, '`');
	return s.data;
}

static bool
is_partition(const Create *create, const char *column)
{
	ListCell   *lc;

	foreach(lc, create->partition_by)
		if (strcmp(lfirst(lc), column) == 0)
			return true;
	return false;
}

static Form_pg_attribute
attribute_of(const Create *create, const char *name)
{
	TupleDesc	desc = RelationGetDescr(create->rel);

	for (int i = 0; i < desc->natts; i++)
		if (!mcIsNotRemote(TupleDescAttr(desc, i)) && strcmp(NameStr(TupleDescAttr(desc, i)->attname), name) == 0)
			return TupleDescAttr(desc, i);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist", name, RelationGetRelationName(create->rel))));
}

/* Option "partition" names the keys: pt='1',region=hz */
static void
append_static_keys(const Create *create, StringInfo sql)
{
	const char *option = mcOptionText(GetForeignTable(create->relid)->options, "partition");
	bool		first = true;

	while (option != NULL && *option)
	{
		const char *end = option + strcspn(option, "=");
		const char *name = option + strspn(option, " ");
		bool		quoted = false;

		if (*end != '=')
			break;
		appendStringInfo(sql, "%s%s STRING", first ? " PARTITIONED BY (" : ", ", back_quoted(pnstrdup(name, end - name)));
		first = false;
		for (option = end + 1; *option && (quoted || *option != ','); option++)
			quoted = quoted != (*option == '\'');
		option += *option == ',';
	}
	if (!first)
		appendStringInfoChar(sql, ')');
}

static char *
odps_statement(const Create *create, McOdps *odps)
{
	TupleDesc	desc = RelationGetDescr(create->rel);
	StringInfoData sql;
	mcw_buf		table;
	bool		first = true;
	ListCell   *lc;

	mcw_buf_init(&table, &odps->alloc, 4096);
	if (mcs_odps_sql_table(&odps->service, mcw_str(to_wire(odps->table_name)), &table) != MCW_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %.*s (", (int) table.len, table.data);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(desc, i);

		if (mcIsNotRemote(attr) || is_partition(create, NameStr(attr->attname)))
			continue;
		appendStringInfo(&sql, "%s%s %s%s", first ? "" : ", ", back_quoted(remote_name(create, attr)),
						 odps_type(create, attr, attr->atttypid, attr->atttypmod), attr->attnotnull ? " NOT NULL" : "");
		first = false;
	}
	if (first)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
				 errmsg("\"%s\" has no column besides partition keys", RelationGetRelationName(create->rel))));
	appendStringInfoChar(&sql, ')');
	foreach(lc, create->partition_by)
	{
		Form_pg_attribute attr = attribute_of(create, lfirst(lc));
		Oid			type = getBaseType(attr->atttypid);

		appendStringInfo(&sql, "%s%s %s", lc == list_head(create->partition_by) ? " PARTITIONED BY (" : ", ",
						 back_quoted(remote_name(create, attr)),
						 type == INT2OID || type == INT4OID || type == INT8OID ?
						 odps_type(create, attr, attr->atttypid, attr->atttypmod) : "STRING");
	}
	if (create->partition_by != NIL)
		appendStringInfoChar(&sql, ')');
	else
		append_static_keys(create, &sql);
	if (create->lifecycle > 0)
		appendStringInfo(&sql, " LIFECYCLE %d", create->lifecycle);
	appendStringInfoChar(&sql, ';');
	return sql.data;
}

static char *
create_odps(const Create *create)
{
	McOdps	   *odps = mcOdpsOpen(create->serverid, GetUserId(), create->relid);
	char	   *sql;

	refuse(create, create->shards > 0, "shards", "maxcompute_fdw");
	refuse(create, create->stream_hours > 0, "stream_hours", "maxcompute_fdw");
	sql = odps_statement(create, odps);
	if (create->execute)
	{
		mcs_odps_sql query = {.query = mcw_str(to_wire(sql))};
		mcs_odps_sql_result result;
		mcw_arena	arena;
		mcw_error	err;

		memset(&err, 0, sizeof(err));
		mcw_arena_init(&arena, &odps->alloc, MAX_ANSWER);
		mcOdpsCheck(odps, mcs_odps_run_sql(&odps->service, &query, &arena, &result, &err), &err);
		mcOdpsForget(create->relid);
	}
	MemoryContextDelete(odps->cxt);
	return sql;
}

/* ---- Tablestore ---- */

static char *
create_ots(const Create *create)
{
	McServer   *server = mcGetServer(MC_TABLESTORE, create->serverid, GetUserId(), create->relid, true);
	List	   *columns = mcOtsColumns(create->rel);
	const char *name = mcOtsRemoteTable(create->rel);
	mcw_ots_table table = {0};
	StringInfoData text;

	refuse(create, create->shards > 0, "shards", "tablestore_fdw");
	refuse(create, create->partition_by != NIL, "partition_by", "tablestore_fdw");
	table.name = mcw_str(to_wire(name));
	table.time_to_live = create->lifecycle > 0 ? create->lifecycle * SECS_PER_DAY : -1;
	table.max_versions = 1;
	table.allow_update = true;
	table.stream_enabled = create->stream_hours > 0;
	table.stream_expiration = create->stream_hours;
	table.schema.nkeys = mcOtsKeyCount(columns);
	if (table.schema.nkeys == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
				 errmsg("\"%s\" declares no primary key", RelationGetRelationName(create->rel)),
				 errhint("Give the key columns OPTIONS (key '1'), (key '2') and so on.")));
	initStringInfo(&text);
	appendStringInfo(&text, "CreateTable {\"table_name\": %s, \"primary_key\": [", json_text(name));
	for (int i = 0; i < table.schema.nkeys; i++)
	{
		McOtsColumn *key = mcOtsKeyColumn(columns, i);

		table.schema.keys[i].name = mcw_str(key->wire);
		table.schema.keys[i].type = key->remote;
		appendStringInfo(&text, "%s{\"name\": %s, \"type\": \"%s\"}", i > 0 ? ", " : "", json_text(key->name),
						 mcw_ots_type_name(key->remote));
	}
	appendStringInfo(&text, "], \"time_to_live\": %d, \"max_versions\": 1", table.time_to_live);
	if (table.stream_enabled)
		appendStringInfo(&text, ", \"stream_expiration_hours\": %d", create->stream_hours);
	appendStringInfoChar(&text, '}');
	if (create->execute)
	{
		McOtsConn  *conn = mcOtsConnect(server, CurrentMemoryContext);
		McPlace		place = {.wrapper = MC_TABLESTORE, .server = server->name};
		mcw_error	err;

		memset(&err, 0, sizeof(err));
		place.object = psprintf("%s.%s", server->instance, name);
		mcCheck(mcs_ots_create_table(&conn->client, &table, &err), &err, &place);
		mcOtsForgetTable(server, name);
	}
	return text.data;
}

/* ---- Log Service ---- */

static char *
create_logstore(const Create *create)
{
	McServer   *server = mcGetServer(MC_LOGHUB, create->serverid, GetUserId(), create->relid, true);
	const char *logstore = mcServerOption(server, "logstore");
	StringInfoData body;

	refuse(create, create->partition_by != NIL, "partition_by", "loghub_fdw");
	refuse(create, create->stream_hours > 0, "stream_hours", "loghub_fdw");
	initStringInfo(&body);
	appendStringInfo(&body, "{\"logstoreName\": %s, \"ttl\": %d, \"shardCount\": %d, \"appendMeta\": true}", json_text(logstore),
					 create->lifecycle > 0 ? create->lifecycle : DEFAULT_LOG_DAYS,
					 create->shards > 0 ? create->shards : DEFAULT_SHARDS);
	if (create->execute)
	{
		McLogCalls *calls = mcLogCallsOpen(server, CurrentMemoryContext);
		McPlace		place = {.wrapper = MC_LOGHUB, .server = server->name, .object = logstore};
		mcw_error	err;

		memset(&err, 0, sizeof(err));
		mcCheck(mcLogCallsRun(calls, mcs_create_logstore(&calls->call, mcw_str(to_wire(body.data)), &err), &err), &err, &place);
	}
	return psprintf("POST /logstores %s", body.data);
}

static int
positive(FunctionCallInfo fcinfo, int n, const char *name, int max)
{
	int32		value;

	if (PG_ARGISNULL(n))
		return 0;
	value = PG_GETARG_INT32(n);
	if (value < 1 || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be between 1 and %d", name, max)));
	return value;
}

static List *
names_of(ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	List	   *names = NIL;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		names = lappend(names, nulls[i] ? "" : TextDatumGetCString(elements[i]));
	return names;
}

Datum
mc_create_remote(PG_FUNCTION_ARGS)
{
	Create		create = {0};
	MemoryContext cxt;
	MemoryContext old;
	char	   *result = NULL;
	ListCell   *lc;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		PG_RETURN_NULL();
	create.relid = PG_GETARG_OID(0);
	create.execute = PG_GETARG_BOOL(1);
	create.rel = mcOpenForeign(create.relid, MC_LOGHUB | MC_TABLESTORE | MC_MAXCOMPUTE, ACL_SELECT);
	create.serverid = GetForeignTable(create.relid)->serverid;
	mcCheckServerUsage(create.serverid);
	if (create.execute)
		PreventCommandIfReadOnly("mc.create_remote()");
	create.partition_by = PG_ARGISNULL(2) ? NIL : names_of(PG_GETARG_ARRAYTYPE_P(2));
	create.lifecycle = positive(fcinfo, 3, "lifecycle", MAX_DAYS);
	create.shards = positive(fcinfo, 4, "shards", MAX_SHARDS);
	create.stream_hours = positive(fcinfo, 5, "stream_hours", MAX_STREAM_HOURS);
	foreach(lc, create.partition_by)
		(void) attribute_of(&create, lfirst(lc));

	cxt = AllocSetContextCreate(CurrentMemoryContext, "mc.create_remote", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	switch (mcWrapperOfRelation(create.relid))
	{
		case MC_MAXCOMPUTE:
			result = create_odps(&create);
			break;
		case MC_TABLESTORE:
			result = create_ots(&create);
			break;
		default:
			result = create_logstore(&create);
			break;
	}
	MemoryContextSwitchTo(old);
	result = pstrdup(result);
	MemoryContextDelete(cxt);
	relation_close(create.rel, AccessShareLock);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}
