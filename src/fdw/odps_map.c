/*
 * odps_map.c
 *		Which remote column each attribute of the foreign table is bound to.
 *
 * Names only; whether the types fit is the converters' question.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "odps.h"

#define MAX_NAMES_SHOWN 60

static void
append_names(StringInfo s, const mcs_odps_column *columns, int ncolumns)
{
	for (int i = 0; i < ncolumns && i < MAX_NAMES_SHOWN; i++)
		appendStringInfo(s, "%s%.*s", s->len ? ", " : "", (int) columns[i].name.len, columns[i].name.data);
	if (ncolumns > MAX_NAMES_SHOWN)
		appendStringInfo(s, " and %d more", ncolumns - MAX_NAMES_SHOWN);
}

char *
mcOdpsKeyNames(const mcs_odps_table *table)
{
	StringInfoData s;

	initStringInfo(&s);
	append_names(&s, table->keys, table->nkeys);
	return s.data;
}

static void
no_such_column(Relation rel, const char *attname, const char *field, const mcs_odps_table *table, const McPlace *place)
{
	StringInfoData names;

	initStringInfo(&names);
	append_names(&names, table->columns, table->ncolumns);
	append_names(&names, table->keys, table->nkeys);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("column \"%s\" of foreign table \"%s\" does not exist in MaxCompute table %s",
					attname, RelationGetRelationName(rel), place->object),
			 errdetail("The table has no column or partition key \"%s\"; it has: %s.", field, names.data),
			 errhint("Drop the column, or bind it to another one with OPTIONS (field '...').")));
}

McOdpsMap *
mcOdpsMapColumns(Relation rel, const mcs_odps_table *table, const McPlace *place)
{
	TupleDesc	desc = RelationGetDescr(rel);
	McOdpsMap  *map = palloc0(sizeof(McOdpsMap));

	map->natts = desc->natts;
	map->columns = palloc0(Max(desc->natts, 1) * sizeof(McOdpsColumn));
	map->key_attnum = palloc0(Max(table->nkeys, 1) * sizeof(AttrNumber));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		McOdpsColumn *column = &map->columns[i];
		const char *field;
		int			index;

		if (mcIsNotRemote(att))
			continue;
		field = mcColumnOption(RelationGetRelid(rel), att->attnum, "field");
		if (!field)
			field = NameStr(att->attname);
		index = mcs_odps_find_column(table, mcw_str(field));
		if (index >= 0)
		{
			column->remote = &table->columns[index];
			column->index = index;
			continue;
		}
		index = mcs_odps_find_key(table, mcw_str(field));
		if (index < 0)
			no_such_column(rel, NameStr(att->attname), field, table, place);
		column->remote = &table->keys[index];
		column->index = index;
		column->is_key = true;
		if (map->key_attnum[index] == 0)
			map->key_attnum[index] = att->attnum;
	}
	return map;
}
