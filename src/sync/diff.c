/*
 * diff.c
 *		mc.diff(): how the declaration of a foreign table and the remote table differ, and
 *		the statement that mends it.
 *
 * A declaration may well have fewer columns than the remote table: such a column is
 * reported as 'not declared', which is no fault of a read, but of an INSERT that means
 * all of it.
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "../fdw/loghub.h"
#include "../fdw/loghub_call.h"
#include "../fdw/odps_read.h"
#include "../fdw/ots.h"
#include "check.h"
#include "diff.h"

#define MAX_ARENA ((size_t) 64 << 20)

PG_FUNCTION_INFO_V1(mc_diff);

void
mcDiffPut(McDiff *diff, const char *column, const char *problem, const char *declared, const char *remote, char *change)
{
	char	   *row[5] = {(char *) column, (char *) problem, (char *) declared, (char *) remote, NULL};

	if (change != NULL)
		row[4] = psprintf("ALTER FOREIGN TABLE %s %s;", mcRelationText(RelationGetRelid(diff->rel)), change);
	mcPutTexts(diff->fcinfo, 5, row);
}

char *
mcDiffAdd(const char *name, const char *remote, const char *type)
{
	char	   *local = pstrdup(name);

	if (strlen(local) >= NAMEDATALEN)
		local[pg_mbcliplen(local, strlen(local), NAMEDATALEN - 1)] = '\0';
	return psprintf("ADD COLUMN %s %s%s", quote_identifier(local), type,
					strcmp(local, remote) == 0 ? "" : psprintf(" OPTIONS (field %s)", quote_literal_cstr(remote)));
}

static char *
drop(const char *column)
{
	return psprintf("DROP COLUMN %s", quote_identifier(column));
}

static char *
shown(mcw_view name)
{
	return pg_any_to_server(pnstrdup(name.data, name.len), name.len, PG_UTF8);
}

static char *
declared_type(Form_pg_attribute attr)
{
	return format_type_with_typemod(attr->atttypid, attr->atttypmod);
}

/* ---- MaxCompute ---- */

static void
diff_odps_column(McDiff *diff, Form_pg_attribute attr, const mcs_odps_table *table, bool *bound)
{
	const char *field = mcColumnOption(RelationGetRelid(diff->rel), attr->attnum, "field");
	const char *name = field != NULL ? field : NameStr(attr->attname);
	char	   *wire = pg_server_to_any(name, strlen(name), PG_UTF8);
	int			column = mcs_odps_find_column(table, mcw_str(wire));
	int			key = column < 0 ? mcs_odps_find_key(table, mcw_str(wire)) : -1;
	const mcs_odps_column *remote;
	McInContext in = {.truncate = true, .encoding = GetDatabaseEncoding(), .zone = session_timezone};
	const char *reason = NULL;

	if (column < 0 && key < 0)
	{
		mcDiffPut(diff, NameStr(attr->attname), "missing in the remote table", declared_type(attr), NULL, drop(NameStr(attr->attname)));
		return;
	}
	bound[column >= 0 ? column : table->ncolumns + key] = true;
	remote = column >= 0 ? &table->columns[column] : &table->keys[key];
	if (remote->type == NULL)
		mcDiffPut(diff, NameStr(attr->attname), "the remote type is not known", declared_type(attr), shown(remote->type_text), NULL);
	else if (key < 0 && mcInPrepare(&in, attr->atttypid, attr->atttypmod, remote->type, &reason) == NULL)
		mcDiffPut(diff, NameStr(attr->attname), "incompatible types", declared_type(attr), shown(remote->type_text),
				  psprintf("ALTER COLUMN %s TYPE %s", quote_identifier(NameStr(attr->attname)), mcOdpsLocalType(remote->type)));
}

static void
diff_odps(McDiff *diff)
{
	Oid			relid = RelationGetRelid(diff->rel);
	McOdps	   *odps = mcOdpsOpen(GetForeignTable(relid)->serverid, GetUserId(), relid);
	const mcs_odps_table *table = mcOdpsTable(odps, true);
	TupleDesc	desc = RelationGetDescr(diff->rel);
	bool	   *bound = palloc0(sizeof(bool) * (table->ncolumns + table->nkeys + 1));
	bool		is_static = mcOptionText(GetForeignTable(relid)->options, "partition") != NULL;

	if (table->is_view)
		mcDiffPut(diff, NULL, "a view, which the tunnel cannot read", NULL, NULL, NULL);
	for (int i = 0; i < desc->natts; i++)
		if (!mcIsNotRemote(TupleDescAttr(desc, i)))
			diff_odps_column(diff, TupleDescAttr(desc, i), table, bound);
	for (int i = 0; i < table->ncolumns + table->nkeys; i++)
	{
		bool		is_key = i >= table->ncolumns;
		const mcs_odps_column *remote = is_key ? &table->keys[i - table->ncolumns] : &table->columns[i];
		char	   *type = remote->type != NULL ? mcOdpsLocalType(remote->type) : NULL;

		if (!bound[i] && !(is_key && is_static))
			mcDiffPut(diff, shown(remote->name), is_key ? "partition key is not declared" : "not declared", NULL,
					  shown(remote->type_text), type != NULL ? mcDiffAdd(shown(remote->name), shown(remote->name), type) : NULL);
	}
	MemoryContextDelete(odps->cxt);
}

/* ---- Tablestore ---- */

static const char *
ots_local_type(mcw_ots_type type)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return "bigint";
		case MCW_OTS_DOUBLE:
			return "double precision";
		case MCW_OTS_BOOLEAN:
			return "boolean";
		case MCW_OTS_BINARY:
			return "bytea";
		default:
			return "text";
	}
}

static McOtsColumn *
find_wire(List *columns, mcw_view name)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		McOtsColumn *column = lfirst(lc);

		if ((column->kind == MC_OTS_KEY || column->kind == MC_OTS_CELL) && mcw_view_eq(mcw_str(column->wire), name))
			return column;
	}
	return NULL;
}

static void
diff_ots_key(McDiff *diff, List *columns, const mcw_ots_key_column *key, int position)
{
	McOtsColumn *column = find_wire(columns, key->name);
	const char *type = ots_local_type(key->type);
	const char *collate = key->type == MCW_OTS_STRING ? " COLLATE \"C\"" : "";
	char	   *name = shown(key->name);

	if (column == NULL)
	{
		mcDiffPut(diff, name, "key column is not declared", NULL, psprintf("%s, key %d", mcw_ots_type_name(key->type), position),
				  psprintf("ADD COLUMN %s %s OPTIONS (key '%d')%s NOT NULL", quote_identifier(name), type, position, collate));
		return;
	}
	if (column->kind != MC_OTS_KEY)
		mcDiffPut(diff, column->attname, "is a key column", "no key", psprintf("key %d", position),
				  psprintf("ALTER COLUMN %s OPTIONS (ADD key '%d')", quote_identifier(column->attname), position));
	else if (column->key != position - 1)
		mcDiffPut(diff, column->attname, "wrong place in the key", psprintf("key %d", column->key + 1), psprintf("key %d", position),
				  psprintf("ALTER COLUMN %s OPTIONS (SET key '%d')", quote_identifier(column->attname), position));
	if (column->remote != key->type)
		mcDiffPut(diff, column->attname, "incompatible types", mcw_ots_type_name(column->remote), mcw_ots_type_name(key->type),
				  psprintf("ALTER COLUMN %s TYPE %s%s", quote_identifier(column->attname), type, collate));
	else if (key->type == MCW_OTS_STRING && OidIsValid(column->collation) && !mcCollationIsC(column->collation))
		mcDiffPut(diff, column->attname, "collation other than \"C\": ranges are not asked of the service",
				  "another collation", "bytes",
				  psprintf("ALTER COLUMN %s TYPE %s COLLATE \"C\"", quote_identifier(column->attname), format_type_be(column->type)));
}

static void
diff_ots(McDiff *diff)
{
	Oid			relid = RelationGetRelid(diff->rel);
	McServer   *server = mcGetServer(MC_TABLESTORE, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	McOtsConn  *conn = mcOtsConnect(server, CurrentMemoryContext);
	List	   *columns = mcOtsColumns(diff->rel);
	const char *name = mcOtsRemoteTable(diff->rel);
	mcw_ots_table *live;
	ListCell   *lc;

	mcOtsForgetTable(server, name);
	live = mcOtsLiveTable(conn, name, NIL);
	for (int i = 0; i < live->schema.nkeys; i++)
		diff_ots_key(diff, columns, &live->schema.keys[i], i + 1);
	foreach(lc, columns)
	{
		McOtsColumn *column = lfirst(lc);
		bool		found = column->kind != MC_OTS_KEY;

		for (int i = 0; i < live->schema.nkeys; i++)
			found = found || mcw_view_eq(mcw_str(column->wire), live->schema.keys[i].name);
		if (!found)
			mcDiffPut(diff, column->attname, "is no key column", psprintf("key %d", column->key + 1), "no key",
					  psprintf("ALTER COLUMN %s OPTIONS (DROP key)", quote_identifier(column->attname)));
	}
	/* other columns are free; what the table defines has a type */
	for (int i = 0; i < live->ndefined; i++)
	{
		const mcw_ots_defined_column *defined = &live->defined[i];
		McOtsColumn *column = find_wire(columns, defined->name);

		if (column == NULL && !mcOtsIsCellShape(relid))
			mcDiffPut(diff, shown(defined->name), "not declared", NULL, mcw_ots_type_name(defined->type),
					  mcDiffAdd(shown(defined->name), shown(defined->name), ots_local_type(defined->type)));
		else if (column != NULL && column->kind == MC_OTS_CELL && !column->any_type && column->remote != defined->type)
			mcDiffPut(diff, column->attname, "incompatible types", mcw_ots_type_name(column->remote), mcw_ots_type_name(defined->type),
					  psprintf("ALTER COLUMN %s TYPE %s", quote_identifier(column->attname), ots_local_type(defined->type)));
	}
	if (mcOtsIsStream(relid) && !live->stream_enabled)
		mcDiffPut(diff, NULL, "the change stream is not enabled", "mode 'stream'", NULL, NULL);
}

/* ---- Log Service: fields are free, the index tells the ones that are known ---- */

static void
diff_loghub(McDiff *diff)
{
	Oid			relid = RelationGetRelid(diff->rel);
	McServer   *server = mcGetServer(MC_LOGHUB, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	const char *logstore = mcServerOption(server, "logstore");
	McPlace		place = {.wrapper = MC_LOGHUB, .server = server->name, .object = logstore};
	McLogCalls *calls = mcLogCallsOpen(server, CurrentMemoryContext);
	List	   *columns = mcLogColumns(diff->rel);
	mcs_index_field *fields;
	int			nfields;
	mcw_arena	arena;
	mcw_error	err;
	mcw_status	status;
	ListCell   *lc;

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, &calls->alloc, MAX_ARENA);
	status = mcLogCallsRun(calls, mcs_get_index(&calls->call, mcw_str(logstore), &err), &err);
	if (status == MCW_ERR_SERVICE && pg_strcasecmp(err.code, "IndexConfigNotExist") == 0)
	{
		mcDiffPut(diff, NULL, "the logstore has no index, so its fields are not known", NULL, NULL, NULL);
		return;
	}
	mcCheck(status, &err, &place);
	mcCheck(mcs_parse_index(&calls->call, &arena, &fields, &nfields, &err), &err, &place);
	for (int i = 0; i < nfields; i++)
	{
		const McLogColumn *found = NULL;

		foreach(lc, columns)
		{
			const McLogColumn *column = lfirst(lc);

			if (column->kind == MC_LOG_FIELD && mcw_view_eq(mcw_str(column->wire), fields[i].name))
				found = column;
		}
		if (found == NULL)
			mcDiffPut(diff, shown(fields[i].name), "not declared", NULL, shown(fields[i].type),
					  mcDiffAdd(shown(fields[i].name), shown(fields[i].name), mcLogLocalType(fields[i].type)));
		else if (mcw_view_eq(fields[i].type, MCW_LIT("text")) && found->type != TEXTOID && found->type != VARCHAROID)
			mcDiffPut(diff, found->attname, "the index holds text, so values may not be of the declared type",
					  format_type_be(found->type), "text", NULL);
	}
	foreach(lc, columns)
	{
		const McLogColumn *column = lfirst(lc);
		bool		known = column->kind != MC_LOG_FIELD;

		for (int i = 0; i < nfields; i++)
			known = known || mcw_view_eq(mcw_str(column->wire), fields[i].name);
		if (!known)
			mcDiffPut(diff, column->attname, "not in the index, which may be right", format_type_be(column->type), NULL, NULL);
	}
	mcw_arena_reset(&arena);
}

Datum
mc_diff(PG_FUNCTION_ARGS)
{
	Oid			relid = PG_GETARG_OID(0);
	McDiff		diff = {.fcinfo = fcinfo};
	MemoryContext cxt;
	MemoryContext old;

	mcInitMaterializedSRF(fcinfo);
	diff.rel = mcOpenForeign(relid, MC_LOGHUB | MC_TABLESTORE | MC_MAXCOMPUTE | MC_OSS, ACL_SELECT);
	cxt = AllocSetContextCreate(CurrentMemoryContext, "mc.diff", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	switch (mcWrapperOfRelation(relid))
	{
		case MC_MAXCOMPUTE:
			diff_odps(&diff);
			break;
		case MC_TABLESTORE:
			diff_ots(&diff);
			break;
		case MC_LOGHUB:
			diff_loghub(&diff);
			break;
		case MC_OSS:
			mcDiffOss(&diff);
			break;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	relation_close(diff.rel, AccessShareLock);
	return (Datum) 0;
}
