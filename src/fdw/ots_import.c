/*
 * ots_import.c
 *		IMPORT FOREIGN SCHEMA: foreign tables for the tables of an instance.
 *
 * The remote schema is the instance (or "default").  Columns: the primary key, the
 * defined columns, the attribute columns of the first rows, and '*' for all others.
 */
#include "postgres.h"

#include "commands/defrem.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "convert_text.h"
#include "ots.h"

#define SAMPLE_ROWS 100
#define MAX_SAMPLE_ROWS 100000
#define MAX_COLUMNS 1000		/* attribute columns made at most; '*' shows the others */
#define MAX_ARENA ((size_t) 64 << 20)

/* Names that a table cannot have beside its system columns */
static const char *const taken_names[] = {"tableoid", "ctid", "xmin", "cmin", "xmax", "cmax"};

typedef struct Sampled
{
	mcw_view	name;
	mcw_ots_type type;
	bool		mixed;			/* cells of several types were seen */
} Sampled;

typedef struct Import
{
	McServer   *server;
	McOtsConn  *conn;
	MemoryContext cxt;			/* of one table */
	MemoryContextCallback callback;
	mcs_ots_scan *scan;
	mcw_ots_reader *reader;
	bool		streams;
	bool		rest;
	int			sample_rows;
	List	   *tables;			/* names given */
	/* of the present table */
	const char *table;
	Sampled    *columns;
	int			ncolumns;
	int			max_columns;
} Import;

static void
release_import(void *arg)
{
	Import	   *import = arg;

	if (import->scan != NULL)
		mcs_ots_scan_free(import->scan);
	import->scan = NULL;
}

static void
check(Import *import, mcw_status status, const mcw_error *err)
{
	McPlace		place = {.wrapper = MC_TABLESTORE, .server = import->server->name};

	if (import->table != NULL)
		place.object = psprintf("%s.%s", import->server->instance, import->table);
	mcCheck(status, err, &place);
}

/* ---- the statement ---- */

static void
read_options(Import *import, List *options)
{
	ListCell   *lc;

	import->sample_rows = SAMPLE_ROWS;
	import->rest = true;
	foreach(lc, options)
	{
		DefElem    *def = lfirst_node(DefElem, lc);

		if (strcmp(def->defname, "stream") == 0)
			import->streams = defGetBoolean(def);
		else if (strcmp(def->defname, "rest") == 0)
			import->rest = defGetBoolean(def);
		else if (strcmp(def->defname, "sample_rows") == 0)
		{
			char	   *end;
			const char *text = defGetString(def);
			long		n = strtol(text, &end, 10);

			if (end == text || *end != '\0' || n < 0 || n > MAX_SAMPLE_ROWS)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("invalid value for option \"sample_rows\": \"%s\"", text),
						 errhint("The range is 0 to %d.", MAX_SAMPLE_ROWS)));
			import->sample_rows = (int) n;
		}
		else
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("invalid option \"%s\"", def->defname),
					 errhint("Valid options here are: sample_rows, stream, rest.")));
	}
}

static Import *
open_import(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "tablestore import", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Import	   *import = palloc0(sizeof(Import));

	import->server = mcGetServer(MC_TABLESTORE, serverid, GetUserId(), InvalidOid, true);
	if (strcmp(stmt->remote_schema, import->server->instance) != 0 && strcmp(stmt->remote_schema, "default") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("server \"%s\" does not belong to instance \"%s\"", import->server->name, stmt->remote_schema),
				 errhint("The remote schema is the instance of the server: IMPORT FOREIGN SCHEMA %s.",
						 quote_identifier(import->server->instance))));
	read_options(import, stmt->options);
	import->conn = mcOtsConnect(import->server, cxt);
	import->callback.func = release_import;
	import->callback.arg = import;
	MemoryContextRegisterResetCallback(cxt, &import->callback);
	import->cxt = AllocSetContextCreate(cxt, "tablestore import table", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(old);
	return import;
}

/* Does the statement ask for this table?  The core filters again. */
static bool
is_wanted(ImportForeignSchemaStmt *stmt, const char *name)
{
	bool		listed = false;
	ListCell   *lc;

	foreach(lc, stmt->table_list)
		listed = listed || strcmp(((RangeVar *) lfirst(lc))->relname, name) == 0;
	if (stmt->list_type == FDW_IMPORT_SCHEMA_LIMIT_TO)
		return listed;
	return stmt->list_type != FDW_IMPORT_SCHEMA_EXCEPT || !listed;
}

/* ---- sampling ---- */

static void
see_column(Import *import, mcw_view name, mcw_ots_type type)
{
	Sampled    *column;
	char	   *copy;

	for (int i = 0; i < import->ncolumns; i++)
	{
		if (!mcw_view_eq(import->columns[i].name, name))
			continue;
		import->columns[i].mixed |= import->columns[i].type != type;
		return;
	}
	if (import->ncolumns >= MAX_COLUMNS)
		return;
	if (import->ncolumns == import->max_columns)
	{
		import->max_columns = Max(import->max_columns * 2, 32);
		import->columns = import->columns == NULL ? palloc(sizeof(Sampled) * import->max_columns) :
			repalloc(import->columns, sizeof(Sampled) * import->max_columns);
	}
	copy = palloc(name.len + 1);
	memcpy(copy, name.data, name.len);
	column = &import->columns[import->ncolumns++];
	column->name.data = copy;
	column->name.len = name.len;
	column->type = type;
	column->mixed = false;
}

/* True when enough rows have been seen */
static bool
see_page(Import *import, mcw_ots_reader *reader, mcw_view rows, int *seen)
{
	mcw_error	err;
	mcw_ots_row row;
	mcw_status	status;

	check(import, mcw_ots_reader_page(reader, rows, false, &err), &err);
	while (*seen < import->sample_rows &&
		   (status = mcw_ots_next_row(reader, &row, NULL, NULL, &err)) != MCW_END)
	{
		size_t		pos = 0;
		mcw_ots_cell cell;
		bool		is_key;

		check(import, status, &err);
		while (mcw_ots_next_cell(&row, &pos, &cell, &is_key) == MCW_OK)
		{
			if (!is_key)
				see_column(import, cell.name, cell.value.type);
		}
		(*seen)++;
	}
	return *seen >= import->sample_rows;
}

static void
sample(Import *import, const mcw_ots_table *live)
{
	mcs_ots_range range = {.begin.n = live->schema.nkeys, .end.n = live->schema.nkeys};
	mcs_ots_scan_spec spec = {
		.table = live->name,
		.schema = &live->schema,
		.max_versions = 1,
		.ranges = &range,
		.nranges = 1,
		.ordered = true,
		.row_limit = import->sample_rows,
		.concurrency = 1,
		.first_requests = 1,
	};
	mcw_ots_reader *reader;
	mcs_ots_page *page;
	mcw_error	err;
	mcw_status	status;
	bool		enough = false;
	int			seen = 0;

	for (int i = 0; i < live->schema.nkeys; i++)
	{
		range.begin.v[i] = mcw_ots_none(MCW_OTS_INF_MIN);
		range.end.v[i] = mcw_ots_none(MCW_OTS_INF_MAX);
	}
	reader = mcw_ots_reader_create(&import->conn->alloc, NULL, 0);
	import->scan = mcs_ots_scan_create(&import->conn->client, &spec, &err);
	if (reader == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_OUT_OF_MEMORY), errmsg("out of memory")));
	if (import->scan == NULL)
		check(import, err.status, &err);
	while (!enough)
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_scan_next(import->scan, &page, &err);
		if (status == MCW_ERR_INTERRUPTED)
			continue;
		if (status == MCW_END)
			break;
		check(import, status, &err);
		enough = see_page(import, reader, page->rows, &seen);
		mcs_ots_scan_release(import->scan, page);
	}
	release_import(import);
	mcw_ots_reader_free(reader);
}

/* ---- commands ---- */

/* A name that nobody in the list has, at most 63 bytes */
static char *
free_name(const char *wanted, List **taken)
{
	char	   *name = pstrdup(wanted);
	int			suffix = 1;

	name[pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1)] = '\0';
	for (;;)
	{
		ListCell   *lc;
		bool		clash = false;
		char	   *tail;

		foreach(lc, *taken)
			clash = clash || strcmp(lfirst(lc), name) == 0;
		if (!clash)
			break;
		tail = psprintf("_%d", ++suffix);
		name = pstrdup(wanted);
		name[pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1 - strlen(tail))] = '\0';
		name = psprintf("%s%s", name, tail);
	}
	*taken = lappend(*taken, name);
	return name;
}

static const char *
type_for(mcw_ots_type type)
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

/* 'option' is one more column option, 'rest' what follows the options; both may be NULL */
static void
add_column(StringInfo sql, List **taken, const char *remote, const char *name, const char *type,
		   const char *option, const char *rest)
{
	char	   *column = free_name(name, taken);
	bool		renamed = strcmp(column, remote) != 0;

	appendStringInfo(sql, "%s\n  %s %s", sql->data[sql->len - 1] == '(' ? "" : ",", quote_identifier(column), type);
	if (renamed || option != NULL)
		appendStringInfoString(sql, " OPTIONS (");
	if (renamed)
		appendStringInfo(sql, "field %s%s", quote_literal_cstr(remote), option != NULL ? ", " : "");
	if (option != NULL)
		appendStringInfoString(sql, option);
	if (renamed || option != NULL)
		appendStringInfoChar(sql, ')');
	if (rest != NULL)
		appendStringInfo(sql, " %s", rest);
}

/* NULL: no column could be bound to it */
static char *
bindable_name(mcw_view name)
{
	McTextError error;
	char	   *remote = mcTextToServer(name, true, &error);

	return remote == NULL || remote[0] == '\0' || mcOtsIsSystemName(remote) ? NULL : remote;
}

static void
add_keys(StringInfo sql, List **taken, const mcw_ots_table *live)
{
	for (int i = 0; i < live->schema.nkeys; i++)
	{
		const mcw_ots_key_column *key = &live->schema.keys[i];
		McTextError error;
		char	   *remote = mcTextToServer(key->name, true, &error);

		if (remote == NULL)
			ereport(ERROR,
					(errcode(error.sqlstate),
					 errmsg("the name of primary key column %d cannot be a column name: %s", i + 1, error.reason)));
		add_column(sql, taken, remote, remote, type_for(key->type), psprintf("key '%d'", i + 1),
				   key->type == MCW_OTS_STRING ? "COLLATE \"C\" NOT NULL" : "NOT NULL");
	}
}

static void
add_attributes(Import *import, StringInfo sql, List **taken)
{
	for (int i = 0; i < import->ncolumns; i++)
	{
		const Sampled *column = &import->columns[i];
		char	   *remote = bindable_name(column->name);

		if (remote == NULL)
			continue;
		add_column(sql, taken, remote, remote, column->mixed ? "text" : type_for(column->type),
				   column->mixed ? "type 'any'" : NULL, NULL);
	}
}

static char *
table_command(Import *import, ImportForeignSchemaStmt *stmt, const mcw_ots_table *live, const char *name,
			  bool stream)
{
	StringInfoData sql;
	List	   *taken = NIL;

	for (int i = 0; i < lengthof(taken_names); i++)
		taken = lappend(taken, unconstify(char *, taken_names[i]));
	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(name));
	if (stream)
	{
		add_column(&sql, &taken, "__op__", "__op__", "text", NULL, NULL);
		add_column(&sql, &taken, "__commit_time__", "__commit_time__", "timestamptz", NULL, NULL);
		add_column(&sql, &taken, "__sequence__", "__sequence__", "text", NULL, NULL);
	}
	add_keys(&sql, &taken, live);
	add_attributes(import, &sql, &taken);
	if (stream)
		add_column(&sql, &taken, "__deleted__", "__deleted__", "text[]", NULL, NULL);
	if (import->rest)
		add_column(&sql, &taken, "*", "rest", "jsonb", NULL, NULL);
	appendStringInfo(&sql, "\n) SERVER %s OPTIONS (table %s%s)", quote_identifier(stmt->server_name),
					 quote_literal_cstr(import->table), stream ? ", mode 'stream'" : "");
	return sql.data;
}

static List *
import_table(Import *import, ImportForeignSchemaStmt *stmt, List *commands)
{
	MemoryContext caller = CurrentMemoryContext;
	mcw_ots_table *live;
	char	   *name;
	char	   *stream_name;
	bool		wanted;
	bool		stream_wanted;

	name = free_name(import->table, &import->tables);
	wanted = is_wanted(stmt, name);
	stream_wanted = import->streams && is_wanted(stmt, psprintf("%s_stream", name));
	if (!wanted && !stream_wanted)
		return commands;
	MemoryContextSwitchTo(import->cxt);
	import->columns = NULL;
	import->ncolumns = import->max_columns = 0;
	live = mcOtsLiveTable(import->conn, import->table, NIL);
	for (int i = 0; i < live->ndefined; i++)
		see_column(import, live->defined[i].name, live->defined[i].type);
	if (import->sample_rows > 0)
		sample(import, live);
	MemoryContextSwitchTo(caller);
	if (wanted)
		commands = lappend(commands, table_command(import, stmt, live, name, false));
	if (stream_wanted && live->stream_enabled)
	{
		stream_name = free_name(psprintf("%s_stream", import->table), &import->tables);
		commands = lappend(commands, table_command(import, stmt, live, stream_name, true));
	}
	MemoryContextReset(import->cxt);
	return commands;
}

List *
mcOtsImport(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	Import	   *import = open_import(stmt, serverid);
	List	   *commands = NIL;
	mcw_arena	arena;
	mcw_view   *names;
	int			nnames;
	mcw_error	err;
	mcw_status	status;

	mcw_arena_init(&arena, &import->conn->alloc, MAX_ARENA);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_list_tables(&import->conn->client, &arena, &names, &nnames, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	check(import, status, &err);
	for (int i = 0; i < nnames; i++)
	{
		McTextError error;
		char	   *table = mcTextToServer(names[i], true, &error);

		if (table == NULL)
		{
			ereport(WARNING,
					(errmsg("a table of instance \"%s\" was left out", import->server->instance),
					 errdetail("Its name cannot be shown in this database: %s.", error.reason)));
			continue;
		}
		import->table = table;
		commands = import_table(import, stmt, commands);
	}
	mcw_arena_reset(&arena);
	MemoryContextDelete(import->conn->cxt);
	return commands;
}
