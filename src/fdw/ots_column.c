/*
 * ots_column.c
 *		What the columns of a Tablestore foreign table show, and whether the declaration
 *		makes sense.
 *
 * Nothing here asks the service: the declared key is compared with the live one in
 * ots_conn.c.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "ots.h"

#define IN_TABLE_ROW	1
#define IN_TABLE_CELL	2
#define IN_STREAM_ROW	4
#define IN_STREAM_CELL	8

static const struct
{
	const char *name;
	McOtsKind	kind;
	int			where;
	Oid			types[2];
	const char *allowed;
}			system_columns[] = {
	{"*", MC_OTS_REST, IN_TABLE_ROW | IN_STREAM_ROW, {JSONBOID}, "jsonb"},
	{"__version__", MC_OTS_ROW_VERSION, IN_TABLE_ROW | IN_STREAM_ROW, {INT8OID, TIMESTAMPTZOID}, "bigint (milliseconds) or timestamptz"},
	{"__version__", MC_OTS_CELL_VERSION, IN_TABLE_CELL | IN_STREAM_CELL, {INT8OID, TIMESTAMPTZOID}, "bigint (milliseconds) or timestamptz"},
	{"__column__", MC_OTS_CELL_NAME, IN_TABLE_CELL | IN_STREAM_CELL, {TEXTOID}, "text"},
	{"__type__", MC_OTS_CELL_TYPE, IN_TABLE_CELL | IN_STREAM_CELL, {TEXTOID}, "text"},
	{"__value__", MC_OTS_CELL_VALUE, IN_TABLE_CELL | IN_STREAM_CELL, {TEXTOID}, "text"},
	{"__op__", MC_OTS_OP, IN_STREAM_ROW | IN_STREAM_CELL, {TEXTOID}, "text"},
	{"__commit_time__", MC_OTS_COMMIT_TIME, IN_STREAM_ROW | IN_STREAM_CELL, {TIMESTAMPTZOID}, "timestamptz"},
	{"__sequence__", MC_OTS_SEQUENCE, IN_STREAM_ROW | IN_STREAM_CELL, {TEXTOID}, "text"},
	{"__shard__", MC_OTS_SHARD, IN_STREAM_ROW | IN_STREAM_CELL, {TEXTOID}, "text"},
	{"__deleted__", MC_OTS_DELETED, IN_STREAM_ROW, {TEXTARRAYOID}, "text[]"},
};

/* ---- options of the table ---- */

static bool
table_option_is(Oid relid, const char *name, const char *value)
{
	const char *given = mcOptionText(GetForeignTable(relid)->options, name);

	return given != NULL && pg_strcasecmp(given, value) == 0;
}

bool
mcOtsIsStream(Oid relid)
{
	return table_option_is(relid, "mode", "stream");
}

bool
mcOtsIsCellShape(Oid relid)
{
	return table_option_is(relid, "shape", "cell");
}

const char *
mcOtsRemoteTable(Relation rel)
{
	const char *name = mcOptionText(GetForeignTable(RelationGetRelid(rel))->options, "table");

	return name != NULL ? pstrdup(name) : pstrdup(RelationGetRelationName(rel));
}

static int
place_of(Oid relid)
{
	if (mcOtsIsStream(relid))
		return mcOtsIsCellShape(relid) ? IN_STREAM_CELL : IN_STREAM_ROW;
	return mcOtsIsCellShape(relid) ? IN_TABLE_CELL : IN_TABLE_ROW;
}

static const char *
place_name(int where)
{
	switch (where)
	{
		case IN_TABLE_ROW:
			return "mode 'table', shape 'row'";
		case IN_TABLE_CELL:
			return "mode 'table', shape 'cell'";
		case IN_STREAM_ROW:
			return "mode 'stream', shape 'row'";
		default:
			return "mode 'stream', shape 'cell'";
	}
}

/* ---- types ---- */

static bool
is_text_type(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID;
}

static mcw_ots_type
default_type(Oid type, bool is_key)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return MCW_OTS_INTEGER;
		case FLOAT4OID:
		case FLOAT8OID:
			return is_key ? MCW_OTS_STRING : MCW_OTS_DOUBLE;
		case BOOLOID:
			return is_key ? MCW_OTS_STRING : MCW_OTS_BOOLEAN;
		case BYTEAOID:
			return MCW_OTS_BINARY;
		default:
			return MCW_OTS_STRING;
	}
}

static bool
type_by_name(const char *name, mcw_ots_type *type)
{
	static const struct
	{
		const char *name;
		mcw_ots_type type;
	}			names[] = {
		{"integer", MCW_OTS_INTEGER},
		{"double", MCW_OTS_DOUBLE},
		{"boolean", MCW_OTS_BOOLEAN},
		{"string", MCW_OTS_STRING},
		{"binary", MCW_OTS_BINARY},
	};

	for (int i = 0; i < lengthof(names); i++)
	{
		if (pg_strcasecmp(names[i].name, name) == 0)
		{
			*type = names[i].type;
			return true;
		}
	}
	return false;
}

/* Could a column of this type ever show a cell of that type? */
static bool
types_fit(mcw_ots_type remote, Oid type)
{
	switch (remote)
	{
		case MCW_OTS_INTEGER:
			return type == INT2OID || type == INT4OID || type == INT8OID || type == NUMERICOID ||
				type == FLOAT4OID || type == FLOAT8OID || is_text_type(type);
		case MCW_OTS_DOUBLE:
			return type == FLOAT4OID || type == FLOAT8OID || type == NUMERICOID || is_text_type(type);
		case MCW_OTS_BOOLEAN:
			return type == BOOLOID || is_text_type(type);
		case MCW_OTS_BINARY:
			return type == BYTEAOID;
		default:
			return type != BYTEAOID;
	}
}

static void
choose_type(McOtsColumn *column, const char *option)
{
	Oid			base = getBaseType(column->type);

	column->remote = default_type(base, column->kind == MC_OTS_KEY);
	if (option == NULL)
		return;
	if (column->kind != MC_OTS_KEY && column->kind != MC_OTS_CELL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("column \"%s\" cannot have option \"type\"", column->attname),
				 errdetail("It shows \"%s\", which is not a column of the Tablestore table.", column->name)));
	if (!type_by_name(option, &column->remote))
		column->any_type = true;
	if (column->kind == MC_OTS_KEY &&
		(column->any_type || column->remote == MCW_OTS_DOUBLE || column->remote == MCW_OTS_BOOLEAN))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("key column \"%s\" cannot be of type '%s'", column->attname, option),
				 errdetail("A primary key column of Tablestore is INTEGER, STRING or BINARY."),
				 errhint("Use type 'integer', 'string' or 'binary', as the table has it.")));
	if (!column->any_type && !types_fit(column->remote, base))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
				 errmsg("column \"%s\" of type %s cannot show %s values", column->attname,
						format_type_be(column->type), mcw_ots_type_name(column->remote)),
				 errhint("Change the column's data type, or leave option \"type\" out: it would be %s.",
						 mcw_ots_type_name(default_type(base, column->kind == MC_OTS_KEY)))));
}

/* ---- system columns ---- */

static void
check_system_type(const McOtsColumn *column, int i)
{
	for (int k = 0; k < lengthof(system_columns[i].types); k++)
	{
		if (system_columns[i].types[k] == column->type)
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("column \"%s\" cannot be of type %s", column->attname, format_type_be(column->type)),
			 errdetail("It shows \"%s\".", system_columns[i].name),
			 errhint("Declare it as %s.", system_columns[i].allowed)));
}

bool
mcOtsIsSystemName(const char *name)
{
	for (int i = 0; i < lengthof(system_columns); i++)
	{
		if (strcmp(system_columns[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Of the places where the name is known, the nearest to where it was used */
static const char *
usual_place(int known, int where)
{
	int			stream = IN_STREAM_ROW | IN_STREAM_CELL;
	int			same_mode = where & stream ? stream : IN_TABLE_ROW | IN_TABLE_CELL;

	if (known & same_mode)
		return known & same_mode & (IN_TABLE_ROW | IN_STREAM_ROW) ? "shape 'row'" : "shape 'cell'";
	return known & stream ? "mode 'stream'" : "mode 'table'";
}

/* CELL, unless the remote name is one of the table above */
static void
choose_kind(McOtsColumn *column, int where)
{
	int			elsewhere = 0;

	column->kind = MC_OTS_CELL;
	for (int i = 0; i < lengthof(system_columns); i++)
	{
		if (strcmp(system_columns[i].name, column->name) != 0)
			continue;
		if (system_columns[i].where & where)
		{
			column->kind = system_columns[i].kind;
			check_system_type(column, i);
			return;
		}
		elsewhere |= system_columns[i].where;
	}
	if (elsewhere != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" cannot show \"%s\"", column->attname, column->name),
				 errdetail("The foreign table is of %s.", place_name(where)),
				 errhint("It is a column of %s.", usual_place(elsewhere, where))));
	if (where & (IN_TABLE_CELL | IN_STREAM_CELL))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" cannot be a column of shape 'cell'", column->attname),
				 errdetail("In shape 'cell' a row is one version of one attribute column."),
				 errhint("Give it OPTIONS (key 'n') if it is a primary key column; attribute columns are shown by __column__, __version__, __type__ and __value__.")));
}

/* ---- the whole declaration ---- */

static McOtsColumn *
make_column(Relation rel, Form_pg_attribute att, int where)
{
	McOtsColumn *column = palloc0(sizeof(McOtsColumn));
	List	   *options = GetForeignColumnOptions(RelationGetRelid(rel), att->attnum);
	const char *field = mcOptionText(options, "field");
	const char *key = mcOptionText(options, "key");

	column->attnum = att->attnum;
	column->attname = pstrdup(NameStr(att->attname));
	column->type = att->atttypid;
	column->typmod = att->atttypmod;
	column->collation = att->attcollation;
	column->not_null = att->attnotnull;
	column->name = field != NULL ? pstrdup(field) : column->attname;
	column->wire = pg_server_to_any(column->name, strlen(column->name), PG_UTF8);
	if (strlen(column->wire) > MCW_OTS_MAX_NAME)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("the remote name of column \"%s\" is too long", column->attname),
				 errdetail("Names in Tablestore have at most %d bytes.", MCW_OTS_MAX_NAME)));
	if (key == NULL)
		choose_kind(column, where);
	else if (strcmp(column->name, "*") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" cannot be a key column", column->attname),
				 errdetail("It shows \"*\", the attribute columns that no other column shows.")));
	else
	{
		column->kind = MC_OTS_KEY;
		column->key = (int) mcOptionParse("key", key) - 1;
	}
	choose_type(column, mcOptionText(options, "type"));
	return column;
}

static void
check_names(List *columns)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, columns)
	{
		const McOtsColumn *a = lfirst(lc);

		foreach(lc2, columns)
		{
			const McOtsColumn *b = lfirst(lc2);

			if (a == b)
				break;
			if (strcmp(a->wire, b->wire) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
						 errmsg("columns \"%s\" and \"%s\" show the same remote column \"%s\"",
								b->attname, a->attname, a->name),
						 errhint("Drop one of them, or bind it to another column with OPTIONS (field '...').")));
		}
	}
}

static void
check_keys(Relation rel, List *columns)
{
	const McOtsColumn *at[MCW_OTS_MAX_KEYS] = {NULL};
	int			count = 0;
	ListCell   *lc;

	foreach(lc, columns)
	{
		const McOtsColumn *column = lfirst(lc);

		if (column->kind != MC_OTS_KEY)
			continue;
		if (at[column->key] != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("columns \"%s\" and \"%s\" both have key '%d'", at[column->key]->attname,
							column->attname, column->key + 1),
					 errhint("Number the primary key columns 1, 2, ... in the order of the Tablestore table.")));
		at[column->key] = column;
		count++;
	}
	if (count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("foreign table \"%s\" has no key column", RelationGetRelationName(rel)),
				 errhint("Declare the primary key columns of the Tablestore table with OPTIONS (key '1'), OPTIONS (key '2'), ...")));
	for (int i = 0; i < count; i++)
	{
		if (at[i] == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("foreign table \"%s\" has no column with key '%d'", RelationGetRelationName(rel), i + 1),
					 errdetail("It has %d key columns.", count),
					 errhint("Number the primary key columns 1, 2, ... in the order of the Tablestore table.")));
	}
}

static void
check_options(Oid relid, int where)
{
	if (where != IN_TABLE_CELL && mcOptionText(GetForeignTable(relid)->options, "max_versions") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"max_versions\" needs shape 'cell'"),
				 errdetail("The foreign table is of %s, which shows the newest version of each cell.", place_name(where)),
				 errhint("Set shape 'cell', or drop the option.")));
	if (mcOptionText(GetForeignTable(relid)->options, "delete_column") != NULL &&
		mcOptionText(GetForeignTable(relid)->options, "guard_column") == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"delete_column\" needs option \"guard_column\""),
				 errhint("Set guard_column, or drop the option.")));
}

List *
mcOtsColumns(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	int			where = place_of(RelationGetRelid(rel));
	List	   *columns = NIL;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (!mcIsNotRemote(att))
			columns = lappend(columns, make_column(rel, att, where));
	}
	check_options(RelationGetRelid(rel), where);
	check_names(columns);
	check_keys(rel, columns);
	return columns;
}

McOtsColumn *
mcOtsColumn(List *columns, AttrNumber attnum)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		McOtsColumn *column = lfirst(lc);

		if (column->attnum == attnum)
			return column;
	}
	return NULL;
}

McOtsColumn *
mcOtsKeyColumn(List *columns, int key)
{
	ListCell   *lc;

	foreach(lc, columns)
	{
		McOtsColumn *column = lfirst(lc);

		if (column->kind == MC_OTS_KEY && column->key == key)
			return column;
	}
	return NULL;
}

int
mcOtsKeyCount(List *columns)
{
	int			count = 0;
	ListCell   *lc;

	foreach(lc, columns)
		count += ((McOtsColumn *) lfirst(lc))->kind == MC_OTS_KEY;
	return count;
}
