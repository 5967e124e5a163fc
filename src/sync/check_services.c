/*
 * check_services.c
 *		The steps of mc.check() that are each service's own.
 *
 * Only requests that change nothing are sent: whether writing is permitted cannot be
 * asked, so that line says where to look.
 */
#include "postgres.h"

#include "access/relation.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "../fdw/loghub_call.h"
#include "../fdw/odps.h"
#include "../fdw/oss.h"
#include "../fdw/ots.h"
#include "../service/mcs_ots_stream.h"
#include "check.h"

#define MAX_ARENA ((size_t) 64 << 20)
#define ABORT_DAYS 2			/* guarantees.md 6.3: an upload must outlive its run's repetitions */

static void
put_write(McCheck *check)
{
	mcCheckPut(check, "write", "skipped", "whether writing is permitted cannot be asked without writing",
			   "mc.required_policy(relation, 'write') lists the actions that it needs.");
}

static char *
step_of(Oid relid)
{
	return psprintf("read %s", mcRelationText(relid));
}

/* ---- Log Service ---- */

static char *
retention(int64 days)
{
	return days >= MCS_TTL_FOREVER ? pstrdup("kept for ever") : psprintf("kept for " INT64_FORMAT " days", days);
}

/* Metadata, a cursor and one group: the rights that a scan needs */
static void
read_logstore(McCheck *check, McLogCalls *conn, Oid relid)
{
	const char *name = mcOptionText(GetForeignTable(relid)->options, "logstore");
	mcw_view	logstore = mcw_str(name);
	mcs_shard_info *shards = NULL;
	int			nshards = 0;
	int			shard = 0;
	int64_t		days = 0;
	mcs_cursor	cursor;
	mcs_cursor	none = {0};
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	status = mcLogCallsRun(conn, mcs_get_logstore(&conn->call, logstore, &err), &err);
	if (status == MCW_OK)
		status = mcs_parse_logstore(&conn->call, &days, &err);
	if (status == MCW_OK)
		status = mcLogCallsRun(conn, mcs_list_shards(&conn->call, logstore, &err), &err);
	if (status == MCW_OK)
		status = mcs_parse_shards(&conn->call, &shards, &nshards, &err);
	if (status == MCW_OK && nshards > 0)
	{
		shard = shards[0].id;
		status = mcLogCallsRun(conn, mcs_get_cursor(&conn->call, logstore, shard, "end", &err), &err);
		if (status == MCW_OK)
			status = mcs_parse_cursor(&conn->call, &cursor, &err);
		if (status == MCW_OK)
			status = mcLogCallsRun(conn, mcs_pull_logs(&conn->call, logstore, shard, &cursor, &none, 1, MCW_CODEC_LZ4_BLOCK,
												  (mcw_view) {NULL, 0}, &err), &err);
	}
	(void) mcCheckResult(check, step_of(relid), status, &err, psprintf("%d shards, %s", nshards, retention(days)));
	if (shards != NULL)
		mcs_free_shards(&conn->client, shards, nshards);
}

void
mcCheckLoghub(void *arg)
{
	McCheck    *check = arg;
	McLogCalls  *conn = mcLogCallsOpen(check->server, CurrentMemoryContext);
	mcw_error	err;
	mcw_status	status;
	ListCell   *lc;

	memset(&err, 0, sizeof(err));
	check->channel = conn->channel;
	status = mcLogCallsRun(conn, mcs_list_logstores(&conn->call, 0, 1, &err), &err);
	if (!mcCheckFirst(check, "project", status, &err))
		return;
	foreach(lc, check->tables)
		read_logstore(check, conn, lfirst_oid(lc));
	put_write(check);
}

/* ---- Tablestore ---- */

/* The first row, whatever its key */
static mcw_status
read_first_row(McOtsConn *conn, const mcw_ots_table *live, mcw_error *err)
{
	mcs_ots_range range = {.begin = {.n = live->schema.nkeys}, .end = {.n = live->schema.nkeys}};
	mcs_ots_scan_spec spec = {
		.schema = &live->schema, .max_versions = 1, .ranges = &range, .nranges = 1, .ordered = true,
		.row_limit = 1, .concurrency = 1, .first_requests = 1
	};
	mcs_ots_scan *scan;
	mcs_ots_page *page;
	mcw_status	status;

	spec.table = live->name;
	for (int i = 0; i < live->schema.nkeys; i++)
	{
		range.begin.v[i] = mcw_ots_none(MCW_OTS_INF_MIN);
		range.end.v[i] = mcw_ots_none(MCW_OTS_INF_MAX);
	}
	scan = mcs_ots_scan_create(&conn->client, &spec, err);
	if (scan == NULL)
		return err->status;
	do
		status = mcs_ots_scan_next(scan, &page, err);
	while (status == MCW_ERR_INTERRUPTED && !INTERRUPTS_PENDING_CONDITION());
	mcs_ots_scan_free(scan);
	CHECK_FOR_INTERRUPTS();
	return status == MCW_END ? MCW_OK : status;
}

static void
read_table(McCheck *check, McOtsConn *conn, Oid relid)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	mcw_view	name = mcw_str(mcOtsRemoteTable(rel));
	bool		is_stream = mcOtsIsStream(relid);
	mcw_arena	arena;
	mcw_ots_table live;
	mcw_error	err;
	mcw_status	status;

	relation_close(rel, AccessShareLock);
	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, &conn->alloc, MAX_ARENA);
	MC_WAIT(status, mcs_ots_describe_table(&conn->client, name, &arena, &live, &err));
	if (status == MCW_OK && is_stream)
	{
		mcs_ots_stream_state state;

		if (!live.stream_enabled)
			mcCheckPut(check, step_of(relid), "error", "the change stream of the table is not enabled",
					   "Enable it in the console or with UpdateTable; records are kept from then on.");
		else
		{
			MC_WAIT(status, mcs_ots_stream_get_state(&conn->client, name, &arena, &state, &err));
			(void) mcCheckResult(check, step_of(relid), status, &err,
								 psprintf("change stream, kept for %d hours, %d shards", live.stream_expiration,
										  status == MCW_OK ? state.stream.nshards : 0));
		}
	}
	else
	{
		if (status == MCW_OK)
			status = read_first_row(conn, &live, &err);
		(void) mcCheckResult(check, step_of(relid), status, &err,
							 status != MCW_OK ? NULL :
							 psprintf("%d key columns, change stream %s", live.schema.nkeys, live.stream_enabled ? "enabled" : "not enabled"));
	}
	mcw_arena_reset(&arena);
}

void
mcCheckTablestore(void *arg)
{
	McCheck    *check = arg;
	McOtsConn  *conn = mcOtsConnect(check->server, CurrentMemoryContext);
	mcw_arena	arena;
	mcw_view   *names;
	int			nnames;
	mcw_error	err;
	mcw_status	status;
	ListCell   *lc;

	memset(&err, 0, sizeof(err));
	check->channel = conn->channel;
	mcw_arena_init(&arena, &conn->alloc, MAX_ARENA);
	MC_WAIT(status, mcs_ots_list_tables(&conn->client, &arena, &names, &nnames, &err));
	mcw_arena_reset(&arena);
	if (!mcCheckFirst(check, "instance", status, &err))
		return;
	foreach(lc, check->tables)
		read_table(check, conn, lfirst_oid(lc));
	put_write(check);
}

/* ---- MaxCompute ---- */

/* Anything but a refused connection: a tunnel answers 404 or 405 to a path that is none */
static void
reach_tunnel(McCheck *check, McOdps *odps)
{
	mcs_odps_call call;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	mcs_odps_call_init(&call, &odps->service, MCS_ODPS_TUNNEL, "GET", 1 << 20);
	mcs_odps_call_path(&call, "/tunnel");
	MC_WAIT(status, mcs_odps_call_run(&call, &err));
	mcs_odps_call_free(&call);
	if (status == MCW_OK || (status == MCW_ERR_SERVICE && err.http_status < 500))
		mcCheckPut(check, "tunnel", "ok", mcn_channel_url(odps->service.tunnel), NULL);
	else
		(void) mcCheckResult(check, "tunnel", status, &err, NULL);
}

static void
open_tunnel(void *arg)
{
	McCheck    *check = arg;
	McOdps	   *odps = mcOdpsOpen(check->serverid, GetUserId(), InvalidOid);

	mcOdpsOpenTunnel(odps);
	reach_tunnel(check, odps);
}

static void
read_odps_table(McCheck *check, Oid relid)
{
	McOdps	   *odps = mcOdpsOpen(check->serverid, GetUserId(), relid);
	mcw_arena	arena;
	mcs_odps_table *table;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, &odps->alloc, MAX_ARENA);
	MC_WAIT(status, mcs_odps_get_table(&odps->service, mcw_str(odps->table_name), &arena, &table, &err));
	(void) mcCheckResult(check, step_of(relid), status, &err,
						 status != MCW_OK ? NULL : table->is_view ? "a view: it has no data of its own" :
						 psprintf("%d columns, %d partition keys", table->ncolumns, table->nkeys));
	MemoryContextDelete(odps->cxt);
}

void
mcCheckMaxcompute(void *arg)
{
	McCheck    *check = arg;
	McOdps	   *odps = mcOdpsOpen(check->serverid, GetUserId(), InvalidOid);
	mcs_odps_call call;
	mcw_error	err;
	mcw_status	status;
	ListCell   *lc;

	memset(&err, 0, sizeof(err));
	check->channel = odps->service.rest;
	mcs_odps_call_init(&call, &odps->service, MCS_ODPS_REST, "GET", 4 << 20);
	mcs_odps_call_path(&call, "/tables");
	mcs_odps_call_flag(&call, "expectmarker");
	mcs_odps_call_param(&call, "maxitems", MCW_LIT("1"));
	MC_WAIT(status, mcs_odps_call_run(&call, &err));
	mcs_odps_call_free(&call);
	if (!mcCheckFirst(check, "project", status, &err))
		return;
	(void) mcCheckTry(check, "tunnel", open_tunnel);
	foreach(lc, check->tables)
		read_odps_table(check, lfirst_oid(lc));
	put_write(check);
}

/* ---- OSS ---- */

static void
put_settings(McCheck *check, McOssConn *conn, mcw_arena *arena)
{
	mcs_oss_abort_rule rule;
	mcw_view	versioning;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	MC_WAIT(status, mcs_oss_abort_days(&conn->client, arena, &rule, &err));
	if (status != MCW_OK)
		mcCheckPut(check, "lifecycle", "skipped", psprintf("cannot be read: %s", mcPrintable(err.message)),
				   "oss:GetBucketLifecycle would show whether a rule aborts uploads too early.");
	else if (rule.days >= 0 && rule.days < ABORT_DAYS)
		mcCheckPut(check, "lifecycle", "warning",
				   psprintf("a rule for \"%s\" aborts uploads after " INT64_FORMAT " days", pnstrdup(rule.prefix.data, rule.prefix.len),
							(int64) rule.days),
				   "Jobs publish prepared uploads even after an outage of a day: let the rule wait 2 days or more.");
	else
		mcCheckPut(check, "lifecycle", "ok",
				   rule.days < 0 ? "no rule aborts uploads" : psprintf("uploads are aborted after " INT64_FORMAT " days", (int64) rule.days),
				   NULL);
	MC_WAIT(status, mcs_oss_versioning(&conn->client, arena, &versioning, &err));
	if (status != MCW_OK)
		mcCheckPut(check, "versioning", "skipped", psprintf("cannot be read: %s", mcPrintable(err.message)), NULL);
	else if (mcw_view_eq(versioning, MCW_LIT("Enabled")))
		mcCheckPut(check, "versioning", "warning", "old versions of objects are kept, and write_mode 'error_if_exists' may not notice an object",
				   "Old versions cost storage until a lifecycle rule deletes them.");
	else
		mcCheckPut(check, "versioning", "ok", versioning.len > 0 ? "suspended" : "off", NULL);
}

static void
read_object(McCheck *check, McOssConn *conn, mcw_arena *arena, const mcw_oss_list *list)
{
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;

	if (list->nentries == 0)
	{
		mcCheckPut(check, "read", "skipped", "the bucket is empty", NULL);
		return;
	}
	memset(&err, 0, sizeof(err));
	MC_WAIT(status, mcs_oss_head(&conn->client, list->entries[0].key, arena, &object, &err));
	(void) mcCheckResult(check, "read", status, &err, psprintf("object \"%s\"", mcOssShown(list->entries[0].key)));
}

/* base_url: all there is to ask is an object */
static void
check_web_server(McCheck *check, McOssConn *conn, mcw_arena *arena)
{
	const char *key = "";
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;
	ListCell   *lc;

	foreach(lc, check->tables)
		if (key[0] == '\0' && mcOptionText(GetForeignTable(lfirst_oid(lc))->options, "object") != NULL)
			key = mcOssToWire(mcOptionText(GetForeignTable(lfirst_oid(lc))->options, "object"));
	memset(&err, 0, sizeof(err));
	MC_WAIT(status, mcs_oss_head(&conn->client, mcw_str(key), arena, &object, &err));
	check->reached = status == MCW_OK || err.http_status != 0;
	(void) mcCheckResult(check, "connection", check->reached ? MCW_OK : status, &err, mcn_channel_url(conn->channel));
	if (key[0] != '\0')
		(void) mcCheckResult(check, "read", status, &err, psprintf("object \"%s\"", mcOssShown(mcw_str(key))));
}

void
mcCheckOss(void *arg)
{
	McCheck    *check = arg;
	McOssConn  *conn = mcOssConnect(check->server, CurrentMemoryContext);
	mcw_arena	arena;
	mcw_oss_list list;
	mcs_oss_call call;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	memset(&list, 0, sizeof(list));
	check->channel = conn->channel;
	mcw_arena_init(&arena, &conn->alloc, MAX_ARENA);
	if (check->server->bucket == NULL)
	{
		check_web_server(check, conn, &arena);
		return;
	}
	mcs_oss_call_init(&call, &conn->client, "GET", MCW_LIT(""), 4 << 20);
	mcs_oss_call_param(&call, "list-type", MCW_LIT("2"));
	mcs_oss_call_param(&call, "encoding-type", MCW_LIT("url"));
	mcs_oss_call_param(&call, "max-keys", MCW_LIT("1"));
	MC_WAIT(status, mcs_oss_call_run(&call, &err));
	if (status == MCW_OK)
		status = mcw_oss_read_list(mcw_buf_view(&call.req.response), &arena, &list, &err);
	if (mcCheckFirst(check, "bucket", status, &err))
	{
		if (status == MCW_OK)
			read_object(check, conn, &arena, &list);
		put_settings(check, conn, &arena);
		put_write(check);
	}
	mcs_oss_call_free(&call);
	mcw_arena_reset(&arena);
}
