/*
 * odps_import.c
 *		IMPORT FOREIGN SCHEMA: a foreign table for each table of a project or schema.
 *
 * Types are those that show every value of the remote type exactly; DATETIME becomes
 * timestamptz(3).  Views are left out (the tunnel cannot read them) and said so.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"

#include "odps_read.h"

char *
mcOdpsLocalType(const mcw_odps_type *type)
{
	char	   *element;

	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
			return "smallint";
		case MCW_ODPS_INT:
			return "integer";
		case MCW_ODPS_BIGINT:
			return "bigint";
		case MCW_ODPS_FLOAT:
			return "real";
		case MCW_ODPS_DOUBLE:
			return "double precision";
		case MCW_ODPS_BOOLEAN:
			return "boolean";
		case MCW_ODPS_STRING:
			return "text";
		case MCW_ODPS_VARCHAR:
			return psprintf("varchar(%d)", type->length);
		case MCW_ODPS_CHAR:
			return psprintf("char(%d)", type->length);
		case MCW_ODPS_BINARY:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			return "bytea";
		case MCW_ODPS_DECIMAL:
			return type->precision > 0 ? psprintf("numeric(%d,%d)", type->precision, type->scale) : "numeric";
		case MCW_ODPS_JSON:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
			return "jsonb";
		case MCW_ODPS_DATE:
			return "date";
		case MCW_ODPS_DATETIME:
			return "timestamp(3) with time zone";
		case MCW_ODPS_TIMESTAMP:
			return "timestamp with time zone";
		case MCW_ODPS_TIMESTAMP_NTZ:
			return "timestamp without time zone";
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			return "interval";
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_VECTOR:
			element = mcOdpsLocalType(type->children[0]);
			if (!element || type->children[0]->kind == MCW_ODPS_ARRAY || type->children[0]->kind == MCW_ODPS_VECTOR)
				return "jsonb";
			return psprintf("%s[]", element);
		case MCW_ODPS_VOID:
			return "text";
	}
	return NULL;
}

/* what PostgreSQL can use as a name: server encoding, at most 63 bytes */
static char *
local_name(mcw_view remote)
{
	char	   *name = pg_any_to_server(pnstrdup(remote.data, remote.len), remote.len, PG_UTF8);

	if (strlen(name) >= NAMEDATALEN)
	{
		name = pstrdup(name);
		name[pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1)] = '\0';
	}
	return name;
}

static void
append_column(StringInfo sql, mcw_view table, const mcs_odps_column *column, bool first, List **names)
{
	char	   *name = local_name(column->name);
	char	   *remote = pnstrdup(column->name.data, column->name.len);
	char	   *type = column->type ? mcOdpsLocalType(column->type) : NULL;
	ListCell   *lc;

	if (!type)
	{
		ereport(WARNING,
				(errmsg("column \"%s\" of MaxCompute table %.*s was left out", remote, (int) table.len, table.data),
				 errdetail("Its type %.*s is not known.", (int) column->type_text.len, column->type_text.data)));
		return;
	}
	foreach(lc, *names)
		if (strcmp(lfirst(lc), name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("two columns of MaxCompute table %.*s are both called \"%s\" once cut to %d bytes",
							(int) table.len, table.data, name, NAMEDATALEN - 1),
					 errhint("Import the table EXCEPT this one, and create it by hand with OPTIONS (field '...').")));
	*names = lappend(*names, name);
	appendStringInfo(sql, "%s\n\t%s %s", first ? "" : ",", quote_identifier(name), type);
	if (strcmp(name, remote) != 0)
		appendStringInfo(sql, " OPTIONS (field %s)", quote_literal_cstr(remote));
	if (!column->nullable)
		appendStringInfoString(sql, " NOT NULL");
}

static char *
create_statement(McOdps *odps, ImportForeignSchemaStmt *stmt, const mcs_odps_table *table, const char *schema)
{
	StringInfoData sql;
	char	   *name = local_name(table->name);
	char	   *remote = pnstrdup(table->name.data, table->name.len);
	List	   *names = NIL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s.%s (", quote_identifier(stmt->local_schema), quote_identifier(name));
	for (int i = 0; i < table->ncolumns; i++)
		append_column(&sql, table->name, &table->columns[i], names == NIL, &names);
	for (int i = 0; i < table->nkeys; i++)
		append_column(&sql, table->name, &table->keys[i], names == NIL, &names);
	appendStringInfo(&sql, "\n) SERVER %s OPTIONS (\"table\" %s", quote_identifier(stmt->server_name),
					 quote_literal_cstr(remote));
	if (schema)
		appendStringInfo(&sql, ", schema %s", quote_literal_cstr(schema));
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* LIMIT TO and EXCEPT are applied here to save requests; core applies them again */
static bool
wanted(ImportForeignSchemaStmt *stmt, mcw_view name)
{
	char	   *local = local_name(name);
	ListCell   *lc;

	if (stmt->list_type == FDW_IMPORT_SCHEMA_ALL)
		return true;
	foreach(lc, stmt->table_list)
		if (strcmp(((RangeVar *) lfirst(lc))->relname, local) == 0)
			return stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO;
	return stmt->list_type == FDW_IMPORT_SCHEMA_EXCEPT;
}

static void
refuse_options(ImportForeignSchemaStmt *stmt)
{
	if (stmt->options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", ((DefElem *) linitial(stmt->options))->defname),
				 errhint("IMPORT FOREIGN SCHEMA has no options for maxcompute_fdw.")));
}

List *
mcOdpsImport(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	McOdps	   *odps;
	mcw_arena	arena;
	mcs_odps_name *tables;
	mcs_odps_table *table;
	const char *schema = stmt->remote_schema;
	List	   *statements = NIL;
	mcw_error	err;
	int			ntables;
	int			views = 0;

	refuse_options(stmt);
	odps = mcOdpsOpen(serverid, GetUserId(), InvalidOid);
	odps->place.object = NULL;
	/* the project stands for its tables outside of schemas */
	if (mcw_view_ieq(mcw_str(schema), odps->service.project))
		schema = NULL;
	odps->service.schema = mcw_str(schema ? schema : "");
	mcw_arena_init(&arena, &odps->alloc, (Size) 1024 * 1024 * 1024);
	mcOdpsCheck(odps, mcs_odps_list_tables(&odps->service, &arena, &tables, &ntables, &err), &err);
	for (int i = 0; i < ntables; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!wanted(stmt, tables[i].name))
			continue;
		if (tables[i].is_view)
		{
			views++;
			continue;
		}
		mcOdpsCheck(odps, mcs_odps_get_table(&odps->service, tables[i].name, &arena, &table, &err), &err);
		if (table->is_view)
			views++;
		else
			statements = lappend(statements, create_statement(odps, stmt, table, schema));
	}
	if (views > 0)
		ereport(NOTICE,
				(errmsg_plural("%d view was left out", "%d views were left out", views, views),
				 errdetail("Views cannot be read through the tunnel.")));
	MemoryContextDelete(odps->cxt);
	return statements;
}
