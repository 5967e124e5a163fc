/*
 * oss_column.c
 *		What the columns of an OSS foreign table show.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "oss.h"
#include "oss_table.h"

static const struct
{
	const char *name;
	McOssKind	kind;
	Oid			types[3];
	const char *allowed;
}			system_columns[] = {
	{"__object__", MC_OSS_OBJECT, {TEXTOID}, "text"},
	{"__last_modified__", MC_OSS_LAST_MODIFIED, {TIMESTAMPTZOID}, "timestamptz"},
	{"__size__", MC_OSS_SIZE, {INT8OID}, "bigint"},
	{"__etag__", MC_OSS_ETAG, {TEXTOID}, "text"},
	{"__line__", MC_OSS_LINE, {INT8OID}, "bigint"},
	{"*", MC_OSS_REST, {JSONBOID, JSONOID, TEXTOID}, "jsonb, json or text"},
};

static void
set_kind(McOssColumn *column)
{
	for (int i = 0; i < lengthof(system_columns); i++)
	{
		if (strcmp(system_columns[i].name, column->name) != 0)
			continue;
		column->kind = system_columns[i].kind;
		for (int k = 0; k < lengthof(system_columns[i].types); k++)
			if (system_columns[i].types[k] == column->type)
				return;
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" cannot be of type %s", column->attname, format_type_be(column->type)),
				 errdetail("It shows \"%s\".", column->name),
				 errhint("Declare it as %s.", system_columns[i].allowed)));
	}
	column->kind = MC_OSS_FIELD;
}

static bool
flag(Oid relid, AttrNumber attnum, const char *name)
{
	const char *value = mcColumnOption(relid, attnum, name);

	return value != NULL && mcOptionParse(name, value) != 0;
}

List *
mcOssColumns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Oid			relid = RelationGetRelid(rel);
	List	   *columns = NIL;
	int			nfields = 0;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		McOssColumn *column;
		const char *field;
		const char *partition;

		if (mcIsNotRemote(att))
			continue;
		column = palloc0(sizeof(McOssColumn));
		column->attnum = att->attnum;
		column->attname = pstrdup(NameStr(att->attname));
		column->type = att->atttypid;
		column->typmod = att->atttypmod;
		column->collation = att->attcollation;
		column->not_null = att->attnotnull;
		field = mcColumnOption(relid, att->attnum, "field");
		partition = mcColumnOption(relid, att->attnum, "partition");
		if (field && partition)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("column \"%s\" has both \"field\" and \"partition\"", column->attname),
					 errdetail("A value comes from the file or from the key.")));
		column->name = pstrdup(partition ? partition : field ? field : column->attname);
		column->wire = mcOssToWire(column->name);
		column->force_null = flag(relid, att->attnum, "force_null");
		column->force_not_null = flag(relid, att->attnum, "force_not_null");
		column->force_quote = flag(relid, att->attnum, "force_quote");
		column->index = -1;
		if (partition)
			column->kind = MC_OSS_PATH;
		else
			set_kind(column);
		if (column->kind == MC_OSS_FIELD)
			column->index = nfields++;
		columns = lappend(columns, column);
	}
	return columns;
}

McOssColumn *
mcOssColumn(const McOssTable *table, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		McOssColumn *column = lfirst(lc);

		if (column->attnum == attnum)
			return column;
	}
	return NULL;
}
