/*
 * ots_conn.c
 *		A statement's access to a Tablestore instance, and what the backend remembers of
 *		its tables between statements.
 *
 * A table's description is remembered for the transaction that asked for it, and half
 * a minute for others; an entry knows with which address and key it was asked for, so
 * a changed server or user mapping asks again.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "convert_text.h"
#include "ots.h"

#define LIFE_US INT64CONST(30000000)
#define MAX_ENTRIES 200
#define MAX_DESCRIPTION ((size_t) 16 << 20)

typedef struct TableEntry
{
	dlist_node	node;			/* in 'entries', newest first */
	MemoryContext cxt;
	Oid			serverid;
	Oid			userid;
	char	   *name;			/* remote table, as the user wrote it */
	char	   *address;		/* endpoint, instance, region, key */
	int64		fetched_us;
	TimestampTz transaction;	/* start of the transaction that asked */
	mcw_ots_table *table;
} TableEntry;

static MemoryContext cache_cxt = NULL;
static dlist_head entries = DLIST_STATIC_INIT(entries);
static int	nentries = 0;

/* ---- connection ---- */

static void
release_conn(void *arg)
{
	McOtsConn  *conn = arg;

	if (conn->channel != NULL)
		mcn_channel_free(conn->channel);
	conn->channel = NULL;
}

McOtsConn *
mcOtsConnect(McServer *server, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOtsConn  *conn = palloc0(sizeof(McOtsConn));

	conn->server = server;
	conn->cxt = cxt;
	conn->alloc = mcContextAlloc(cxt);
	conn->callback.func = release_conn;
	conn->callback.arg = conn;
	MemoryContextRegisterResetCallback(cxt, &conn->callback);
	conn->channel = mcOpenChannel(server, &conn->alloc, server->endpoint, NULL, mcs_ots_retry_rules);
	mcs_ots_init(&conn->client, mcLoop(), conn->channel, &conn->alloc, &server->cred, mcw_str(server->instance),
				 mcw_str(server->region != NULL ? server->region : ""));
	conn->client.verify_content = mcServerOptionBool(server, "verify_content", false);
	MemoryContextSwitchTo(old);
	return conn;
}

/* ---- remembered tables ---- */

static char *
address_of(const McServer *server)
{
	return psprintf("%s %s %s %s", server->endpoint, server->instance, server->region ? server->region : "",
					server->identity ? server->identity : "");
}

static void
forget(TableEntry *entry)
{
	dlist_delete(&entry->node);
	nentries--;
	MemoryContextDelete(entry->cxt);
}

void
mcOtsForgetTable(const McServer *server, const char *table)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &entries)
	{
		TableEntry *entry = dlist_container(TableEntry, node, iter.cur);

		if (entry->serverid == server->serverid && strcmp(entry->name, table) == 0)
			forget(entry);
	}
}

static TableEntry *
find(const McServer *server, const char *table)
{
	char	   *address = address_of(server);
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		TableEntry *entry = dlist_container(TableEntry, node, iter.cur);

		if (entry->serverid == server->serverid && entry->userid == server->userid &&
			strcmp(entry->name, table) == 0 && strcmp(entry->address, address) == 0 &&
			(entry->transaction == GetCurrentTransactionStartTimestamp() ||
			 mcn_now_us() - entry->fetched_us < LIFE_US))
			return entry;
	}
	return NULL;
}

static mcw_view
copy_view(mcw_view v)
{
	mcw_view	copy = {NULL, v.len};
	char	   *bytes;

	if (v.data == NULL)
		return copy;
	bytes = palloc(v.len + 1);
	memcpy(bytes, v.data, v.len);
	bytes[v.len] = '\0';
	copy.data = bytes;
	return copy;
}

/* in CurrentMemoryContext */
static mcw_ots_table *
copy_table(const mcw_ots_table *table)
{
	mcw_ots_table *copy = palloc(sizeof(mcw_ots_table));

	*copy = *table;
	copy->name = copy_view(table->name);
	copy->stream_id = copy_view(table->stream_id);
	for (int i = 0; i < table->schema.nkeys; i++)
		copy->schema.keys[i].name = copy_view(table->schema.keys[i].name);
	copy->defined = palloc(sizeof(mcw_ots_defined_column) * (table->ndefined + 1));
	for (int i = 0; i < table->ndefined; i++)
	{
		copy->defined[i] = table->defined[i];
		copy->defined[i].name = copy_view(table->defined[i].name);
	}
	return copy;
}

static void
remember(const McServer *server, const char *name, const mcw_ots_table *table)
{
	MemoryContext cxt;
	MemoryContext old;
	TableEntry *entry;

	if (cache_cxt == NULL)
		cache_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw Tablestore tables", ALLOCSET_SMALL_SIZES);
	while (nentries >= MAX_ENTRIES)
		forget(dlist_tail_element(TableEntry, node, &entries));
	cxt = AllocSetContextCreate(cache_cxt, "mc_fdw Tablestore table", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	entry = palloc0(sizeof(TableEntry));
	entry->cxt = cxt;
	entry->serverid = server->serverid;
	entry->userid = server->userid;
	entry->name = pstrdup(name);
	entry->address = address_of(server);
	entry->fetched_us = mcn_now_us();
	entry->transaction = GetCurrentTransactionStartTimestamp();
	entry->table = copy_table(table);
	MemoryContextSwitchTo(old);
	dlist_push_head(&entries, &entry->node);
	nentries++;
}

static void
describe(McOtsConn *conn, const char *table)
{
	McPlace		place = {.wrapper = MC_TABLESTORE, .server = conn->server->name};
	char	   *wire = pg_server_to_any(table, strlen(table), PG_UTF8);
	mcw_arena	arena;
	mcw_ots_table live;
	mcw_error	err;
	mcw_status	status;

	place.object = psprintf("%s.%s", conn->server->instance, table);
	mcw_arena_init(&arena, &conn->alloc, MAX_DESCRIPTION);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_ots_describe_table(&conn->client, mcw_str(wire), &arena, &live, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	mcOtsForgetTable(conn->server, table);
	mcCheck(status, &err, &place);
	remember(conn->server, table, &live);
	mcw_arena_reset(&arena);
}

/* ---- the declared key and the live one ---- */

static const char *
option_type(mcw_ots_type type)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return "integer";
		case MCW_OTS_BINARY:
			return "binary";
		default:
			return "string";
	}
}

static const char *
column_type(mcw_ots_type type)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return "bigint";
		case MCW_OTS_BINARY:
			return "bytea";
		default:
			return "text";
	}
}

/* key columns as they should be declared */
static char *
right_declaration(const mcw_ots_schema *schema)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < schema->nkeys; i++)
	{
		char	   *name = mcShownName(schema->keys[i].name);

		appendStringInfo(&s, "%s%s %s OPTIONS (key '%d')%s NOT NULL", i > 0 ? ", " : "", quote_identifier(name),
						 column_type(schema->keys[i].type), i + 1,
						 schema->keys[i].type == MCW_OTS_STRING ? " COLLATE \"C\"" : "");
	}
	return s.data;
}

static char *
live_key(const mcw_ots_schema *schema)
{
	StringInfoData s;

	initStringInfo(&s);
	for (int i = 0; i < schema->nkeys; i++)
		appendStringInfo(&s, "%s%s %s", i > 0 ? ", " : "", mcShownName(schema->keys[i].name),
						 mcw_ots_type_name(schema->keys[i].type));
	return s.data;
}

pg_noreturn static void
refuse_key(const McOtsConn *conn, const char *table, const mcw_ots_schema *schema, int sqlstate, const char *message)
{
	McPlace		place = {.wrapper = MC_TABLESTORE, .server = conn->server->name};

	place.object = psprintf("%s.%s", conn->server->instance, table);
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s", message),
			 errdetail("The primary key of the table is (%s).", live_key(schema)),
			 errhint("Declare the key columns as %s; another column name needs OPTIONS (field '...') too.",
					 right_declaration(schema)),
			 mcPlaceContext(&place)));
}

static void
check_key(McOtsConn *conn, const char *table, const mcw_ots_table *live, List *columns)
{
	const mcw_ots_schema *schema = &live->schema;
	int			declared = mcOtsKeyCount(columns);

	for (int i = 0; i < schema->nkeys; i++)
	{
		const mcw_ots_key_column *key = &schema->keys[i];
		McOtsColumn *column = mcOtsKeyColumn(columns, i);

		if (column == NULL)
			refuse_key(conn, table, schema, ERRCODE_FDW_COLUMN_NAME_NOT_FOUND,
					   psprintf("the foreign table does not declare primary key column %d, \"%s\"", i + 1,
								mcShownName(key->name)));
		if (!mcw_view_eq(mcw_str(column->wire), key->name))
			refuse_key(conn, table, schema, ERRCODE_FDW_INVALID_COLUMN_NAME,
					   psprintf("primary key column %d is \"%s\", but the foreign table declares \"%s\" with key '%d'",
								i + 1, mcShownName(key->name), column->name, i + 1));
		if (column->remote != key->type)
			refuse_key(conn, table, schema, ERRCODE_FDW_INVALID_DATA_TYPE,
					   psprintf("key column \"%s\" is %s in the table, but %s by its declaration (%s%s)",
								column->attname, mcw_ots_type_name(key->type), mcw_ots_type_name(column->remote),
								format_type_be(column->type),
								key->type == MCW_OTS_INTEGER && column->type == NUMERICOID ?
								psprintf(" without type '%s'", option_type(key->type)) : ""));
		column->auto_increment = key->auto_increment;
	}
	if (declared > schema->nkeys)
		refuse_key(conn, table, schema, ERRCODE_FDW_INVALID_COLUMN_NAME,
				   psprintf("column \"%s\" has key '%d', but the primary key has %d columns",
							mcOtsKeyColumn(columns, schema->nkeys)->attname, schema->nkeys + 1, schema->nkeys));
}

static bool
key_fits(const mcw_ots_schema *schema, List *columns)
{
	if (mcOtsKeyCount(columns) != schema->nkeys)
		return false;
	for (int i = 0; i < schema->nkeys; i++)
	{
		const McOtsColumn *column = mcOtsKeyColumn(columns, i);

		if (!mcw_view_eq(mcw_str(column->wire), schema->keys[i].name) || column->remote != schema->keys[i].type)
			return false;
	}
	return true;
}

mcw_ots_table *
mcOtsLiveTable(McOtsConn *conn, const char *table, List *columns)
{
	TableEntry *entry = find(conn->server, table);
	MemoryContext old;
	mcw_ots_table *live;

	/* a table or a declaration made anew must not be refused for what is remembered */
	if (entry == NULL || (columns != NIL && !key_fits(&entry->table->schema, columns)))
	{
		describe(conn, table);
		entry = find(conn->server, table);
	}
	old = MemoryContextSwitchTo(conn->cxt);
	live = copy_table(entry->table);
	MemoryContextSwitchTo(old);
	if (columns != NIL)
		check_key(conn, table, live, columns);
	return live;
}
