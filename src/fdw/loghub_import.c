/*
 * loghub_import.c
 *		IMPORT FOREIGN SCHEMA: one foreign table for each logstore of the project.
 *
 * The remote schema is the project.  Columns: the receive time, time, topic, source
 * and shard, one for each field of the index (long is bigint, double is double
 * precision, json is jsonb, everything else text), and a jsonb of all other fields.
 * A logstore without index has only the former and the latter.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "loghub.h"

#define PAGE_OF_NAMES 500
#define MAX_ARENA ((size_t) 64 << 20)

typedef struct Import
{
	McServer   *server;
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_loghub	client;
	mcs_call	call;
	bool		has_call;
	mcw_arena	arena;
	MemoryContextCallback callback;
} Import;

static void
release_import(void *arg)
{
	Import	   *import = arg;

	if (import->has_call)
		mcs_call_free(&import->call);
	import->has_call = false;
	if (import->channel != NULL)
		mcn_channel_free(import->channel);
	import->channel = NULL;
}

static void
run(Import *import, const char *logstore, mcw_status status, mcw_error *err)
{
	McPlace		place = {.wrapper = MC_LOGHUB, .server = import->server->name, .object = logstore};

	if (status == MCW_OK)
		status = mcs_call_run(&import->call, err);
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (status != MCW_OK)
		mcRaise(err, &place);
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

/* A column name that no other column of the table has, at most 63 bytes */
static char *
free_name(const char *wanted, List **taken)
{
	char	   *name = pstrdup(wanted);
	int			n;
	int			suffix = 1;

	n = pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1);
	name[n] = '\0';
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
		n = pg_mbcliplen(name, strlen(name), NAMEDATALEN - 1 - strlen(tail));
		name[n] = '\0';
		name = psprintf("%s%s", name, tail);
	}
	*taken = lappend(*taken, name);
	return name;
}

static void
add_column(StringInfo sql, List **taken, const char *remote, const char *name, const char *type)
{
	char	   *column = free_name(name, taken);

	appendStringInfo(sql, "%s\n  %s %s", list_length(*taken) > 1 ? "," : "", quote_identifier(column), type);
	if (strcmp(column, remote) != 0)
		appendStringInfo(sql, " OPTIONS (field %s)", quote_literal_cstr(remote));
}

const char *
mcLogLocalType(mcw_view type)
{
	if (mcw_view_eq(type, MCW_LIT("long")))
		return "bigint";
	if (mcw_view_eq(type, MCW_LIT("double")))
		return "double precision";
	if (mcw_view_eq(type, MCW_LIT("json")))
		return "jsonb";
	return "text";
}

/* The fields of the index become columns; a logstore without an index has none */
static void
add_index_fields(Import *import, const char *logstore, StringInfo sql, List **taken)
{
	mcs_index_field *fields;
	int			nfields;
	mcw_error	err;
	mcw_status	status;
	int			i;

	status = mcs_get_index(&import->call, mcw_str(logstore), &err);
	if (status == MCW_OK)
		status = mcs_call_run(&import->call, &err);
	if (status == MCW_ERR_SERVICE && pg_strcasecmp(err.code, "IndexConfigNotExist") == 0)
		return;
	if (status == MCW_OK)
		status = mcs_parse_index(&import->call, &import->arena, &fields, &nfields, &err);
	if (status != MCW_OK)
	{
		McPlace		place = {.wrapper = MC_LOGHUB, .server = import->server->name, .object = logstore};

		if (status == MCW_ERR_INTERRUPTED)
			CHECK_FOR_INTERRUPTS();
		mcRaise(&err, &place);
	}
	for (i = 0; i < nfields; i++)
	{
		McTextError error;
		char	   *remote = mcTextToServer(fields[i].name, false, &error);
		const char *name;

		if (remote == NULL || remote[0] == '\0')
			continue;			/* no column could be bound to it */
		/* system columns are there already; tags keep their full name */
		if (mcLogKindOf(remote, &name) != MC_LOG_FIELD && mcLogKindOf(remote, &name) != MC_LOG_TAG)
			continue;
		add_column(sql, taken, remote, remote, mcLogLocalType(fields[i].type));
	}
}

static char *
table_for(Import *import, ImportForeignSchemaStmt *stmt, const char *logstore)
{
	StringInfoData sql;
	List	   *taken = NIL;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE FOREIGN TABLE %s (", quote_identifier(logstore));
	add_column(&sql, &taken, "__receive_time__", "__receive_time__", "timestamptz");
	add_column(&sql, &taken, "__time__", "__time__", "timestamptz");
	add_column(&sql, &taken, "__topic__", "__topic__", "text");
	add_column(&sql, &taken, "__source__", "__source__", "text");
	add_column(&sql, &taken, "__shard__", "__shard__", "integer");
	add_index_fields(import, logstore, &sql, &taken);
	add_column(&sql, &taken, "*", "rest", "jsonb");
	appendStringInfo(&sql, "\n) SERVER %s OPTIONS (logstore %s)",
					 quote_identifier(stmt->server_name), quote_literal_cstr(logstore));
	return sql.data;
}

static Import *
open_import(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "loghub import", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Import	   *import = palloc0(sizeof(Import));
	mcw_view	region;

	import->server = mcGetServer(MC_LOGHUB, serverid, GetUserId(), InvalidOid, true);
	if (strcmp(stmt->remote_schema, import->server->project) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_SCHEMA_NOT_FOUND),
				 errmsg("server \"%s\" does not belong to project \"%s\"", import->server->name, stmt->remote_schema),
				 errhint("The remote schema is the project of the server: IMPORT FOREIGN SCHEMA %s.",
						 quote_identifier(import->server->project))));
	if (stmt->options != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("invalid option \"%s\"", ((DefElem *) linitial(stmt->options))->defname),
				 errhint("IMPORT FOREIGN SCHEMA from Log Service has no options.")));
	import->alloc = mcContextAlloc(cxt);
	import->callback.func = release_import;
	import->callback.arg = import;
	MemoryContextRegisterResetCallback(cxt, &import->callback);
	import->channel = mcOpenChannel(import->server, &import->alloc, import->server->endpoint,
									import->server->project, mcs_loghub_retry_rules);
	region = mcw_str(import->server->region ? import->server->region : "");
	mcs_loghub_init(&import->client, mcLoop(), import->channel, &import->alloc, &import->server->cred, region);
	mcs_call_init(&import->call, &import->client, 0);
	import->has_call = true;
	MemoryContextSwitchTo(old);
	return import;
}

List *
mcLogImport(ImportForeignSchemaStmt *stmt, Oid serverid)
{
	Import	   *import = open_import(stmt, serverid);
	List	   *logstores = NIL;
	List	   *commands = NIL;
	ListCell   *lc;
	int64_t		total = 1;
	int			offset = 0;
	int			i;

	while (offset < total)
	{
		mcw_view   *names;
		int			nnames;
		mcw_error	err;
		mcw_status	status;

		run(import, NULL, mcs_list_logstores(&import->call, offset, PAGE_OF_NAMES, &err), &err);
		mcw_arena_init(&import->arena, &import->alloc, MAX_ARENA);
		status = mcs_parse_logstores(&import->call, &import->arena, &names, &nnames, &total, &err);
		if (status != MCW_OK)
		{
			McPlace		place = {.wrapper = MC_LOGHUB, .server = import->server->name};

			mcRaise(&err, &place);
		}
		for (i = 0; i < nnames; i++)
			logstores = lappend(logstores, pnstrdup(names[i].data, names[i].len));
		mcw_arena_reset(&import->arena);
		if (nnames == 0)
			break;
		offset += nnames;
	}
	foreach(lc, logstores)
	{
		const char *logstore = lfirst(lc);

		if (!is_wanted(stmt, logstore))
			continue;
		mcw_arena_init(&import->arena, &import->alloc, MAX_ARENA);
		commands = lappend(commands, table_for(import, stmt, logstore));
		mcw_arena_reset(&import->arena);
	}
	release_import(import);
	return commands;
}
