/*
 * loghub_column.c
 *		Binding of the columns of a LogHub foreign table.
 *
 * A column shows the content of its own name, or of OPTIONS (field '...').  The
 * service's reserved names (docs/loghub.md) are system columns, whichever way they
 * are given.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "loghub.h"

#define TAG_PREFIX "__tag__:"

static const struct
{
	const char *name;
	McLogKind	kind;
	Oid			types[5];		/* allowed; none = every type, through its input function */
	const char *allowed;
}			system_columns[] = {
	{"__time__", MC_LOG_TIME, {TIMESTAMPTZOID, INT8OID, NUMERICOID, TEXTOID}, "timestamptz, bigint, numeric or text"},
	{"__time_ns_part__", MC_LOG_TIME_NS, {INT4OID, INT8OID}, "integer or bigint"},
	{"__receive_time__", MC_LOG_RECEIVE_TIME, {TIMESTAMPTZOID}, "timestamptz"},
	{"__topic__", MC_LOG_TOPIC, {0}, NULL},
	{"__source__", MC_LOG_SOURCE, {0}, NULL},
	{"__category__", MC_LOG_CATEGORY, {0}, NULL},
	{"__machine_uuid__", MC_LOG_MACHINE_UUID, {0}, NULL},
	{"__machineUUID__", MC_LOG_MACHINE_UUID, {0}, NULL},
	{"__shard__", MC_LOG_SHARD, {INT4OID}, "integer"},
	{"__cursor__", MC_LOG_CURSOR, {TEXTOID}, "text"},
	{"__hash_key__", MC_LOG_HASH_KEY, {TEXTOID, VARCHAROID}, "text"},
	{"*", MC_LOG_REST, {JSONBOID, JSONOID, TEXTOID}, "jsonb, json or text"},
};

McLogKind
mcLogKindOf(const char *remote, const char **name)
{
	int			i;

	*name = remote;
	for (i = 0; i < lengthof(system_columns); i++)
	{
		if (strcmp(system_columns[i].name, remote) == 0)
			return system_columns[i].kind;
	}
	if (strncmp(remote, TAG_PREFIX, strlen(TAG_PREFIX)) == 0)
	{
		*name = remote + strlen(TAG_PREFIX);
		return MC_LOG_TAG;
	}
	return MC_LOG_FIELD;
}

static void
check_type(const McLogColumn *column, const char *remote)
{
	int			i;
	int			k;

	for (i = 0; i < lengthof(system_columns); i++)
	{
		if (strcmp(system_columns[i].name, remote) != 0 || system_columns[i].allowed == NULL)
			continue;
		for (k = 0; k < lengthof(system_columns[i].types); k++)
		{
			if (system_columns[i].types[k] == column->type)
				return;
		}
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" cannot be of type %s", column->attname, format_type_be(column->type)),
				 errdetail("It shows \"%s\" of the log.", remote),
				 errhint("Declare it as %s.", system_columns[i].allowed)));
	}
}

List *
mcLogColumns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *columns = NIL;
	int			i;

	for (i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		McLogColumn *column;
		const char *remote;
		const char *name;

		if (mcIsNotRemote(att))
			continue;
		column = palloc0(sizeof(McLogColumn));
		column->attnum = att->attnum;
		column->attname = pstrdup(NameStr(att->attname));
		column->type = att->atttypid;
		column->typmod = att->atttypmod;
		column->not_null = att->attnotnull;
		remote = mcColumnOption(RelationGetRelid(rel), att->attnum, "field");
		if (remote == NULL)
			remote = column->attname;
		column->kind = mcLogKindOf(remote, &name);
		column->name = pstrdup(name);
		column->wire = pg_server_to_any(column->name, strlen(column->name), PG_UTF8);
		check_type(column, remote);
		columns = lappend(columns, column);
	}
	return columns;
}

const McLogColumn *
mcLogColumn(List *columns, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		const McLogColumn *column = lfirst(lc);

		if (column->attnum == attnum)
			return column;
	}
	return NULL;
}
