/*
 * check.c
 *		mc.check(server): does the server answer, and may we do what jobs need?
 *
 * One line for each step; nothing is written anywhere.  A step that fails is a line,
 * never an error of the function; steps that it makes pointless are 'skipped'.  The
 * patience of a check is short: one repetition, some seconds.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_foreign_table.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "../fdw/compat.h"
#include "check.h"

#define MAX_TABLES 20
#define SKEW_WARNING 60			/* seconds: guarantees.md 10.4 */
#define SKEW_ERROR 900			/* signatures are refused */

PG_FUNCTION_INFO_V1(mc_check);

void
mcCheckPut(McCheck *check, const char *step, const char *state, const char *detail, const char *hint)
{
	char	   *row[4] = {(char *) step, (char *) state, (char *) detail, (char *) hint};

	mcPutTexts(check->fcinfo, 4, row);
}

static char *
error_text(const mcw_error *err)
{
	const char *message = err->message[0] ? mcPrintable(err->message) : mcw_status_name(err->status);
	char	   *detail = mcErrorDetail(err);

	return detail != NULL ? psprintf("%s: %s", message, detail) : pstrdup(message);
}

bool
mcCheckResult(McCheck *check, const char *step, mcw_status status, const mcw_error *err, const char *detail)
{
	const char *hint;

	if (status == MCW_OK)
	{
		mcCheckPut(check, step, "ok", detail, NULL);
		return true;
	}
	(void) mcErrorState(err, check->wrapper, &hint);
	mcCheckPut(check, step, "error", error_text(err), hint);
	return false;
}

static void
put_clock(McCheck *check)
{
	int64		service = check->channel != NULL ? mcn_channel_service_now(check->channel) : 0;
	int64		off;
	int64		skew;
	char	   *detail;

	if (service == 0)
	{
		mcCheckPut(check, "clock", "skipped", "the service did not tell its time", NULL);
		return;
	}
	skew = (mcn_unix_us() - service) / USECS_PER_SEC;
	off = skew < 0 ? -skew : skew;
	/* the service tells whole seconds */
	if (off <= 1)
		detail = "the clocks agree";
	else
		detail = psprintf("this server's clock is " INT64_FORMAT " s %s the service's", off, skew > 0 ? "ahead of" : "behind");
	mcCheckPut(check, "clock", off > SKEW_ERROR ? "error" : off > SKEW_WARNING ? "warning" : "ok", detail,
			   off > SKEW_WARNING ? "Synchronize this server's clock (NTP); the service refuses requests that are 15 minutes off." : NULL);
}

bool
mcCheckFirst(McCheck *check, const char *place, mcw_status status, const mcw_error *err)
{
	int			sqlstate = 0;
	const char *hint = NULL;
	const char *url = check->channel != NULL ? mcn_channel_url(check->channel) : "";

	check->reached = status == MCW_OK || err->http_status != 0;
	if (status != MCW_OK)
		sqlstate = mcErrorState(err, check->wrapper, &hint);
	if (!check->reached)
	{
		mcCheckPut(check, "connection", "error", error_text(err), hint);
		mcCheckPut(check, "tls", "skipped", "nothing answered", NULL);
		mcCheckPut(check, "clock", "skipped", "nothing answered", NULL);
		mcCheckPut(check, "signature", "skipped", "nothing answered", NULL);
		mcCheckPut(check, place, "skipped", "nothing answered", NULL);
		mcCheckPut(check, "list", "skipped", "nothing answered", NULL);
		return false;
	}
	mcCheckPut(check, "connection", "ok", url, NULL);
	if (mcn_channel_is_tls(check->channel))
		mcCheckPut(check, "tls", "ok", "the certificate belongs to the host", NULL);
	else
		mcCheckPut(check, "tls", "warning", "data travels unencrypted, and a damaged answer may pass unnoticed",
				   "Use an endpoint that begins with https://.");
	put_clock(check);
	if (status == MCW_OK)
	{
		mcCheckPut(check, "signature", "ok", check->server->identity ? "accepted" : "anonymous", NULL);
		mcCheckPut(check, place, "ok", NULL, NULL);
		mcCheckPut(check, "list", "ok", NULL, NULL);
		return true;
	}
	if (sqlstate == ERRCODE_INSUFFICIENT_PRIVILEGE)
	{
		mcCheckPut(check, "signature", "ok", "accepted", NULL);
		mcCheckPut(check, place, "ok", NULL, NULL);
		mcCheckPut(check, "list", "error", error_text(err), hint);
		return true;			/* tables may be readable all the same */
	}
	if (sqlstate == ERRCODE_INVALID_PASSWORD || sqlstate == ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION)
	{
		mcCheckPut(check, "signature", "error", error_text(err), hint);
		mcCheckPut(check, place, "skipped", "the signature is not accepted", NULL);
		mcCheckPut(check, "list", "skipped", "the signature is not accepted", NULL);
		return false;
	}
	mcCheckPut(check, "signature", sqlstate == ERRCODE_FDW_SCHEMA_NOT_FOUND || sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND ? "ok" : "skipped",
			   sqlstate == ERRCODE_FDW_SCHEMA_NOT_FOUND || sqlstate == ERRCODE_FDW_TABLE_NOT_FOUND ? "not complained about" : "the request failed otherwise", NULL);
	mcCheckPut(check, place, "error", error_text(err), hint);
	mcCheckPut(check, "list", "skipped", psprintf("the %s cannot be used", place), NULL);
	return false;
}

bool
mcCheckTry(McCheck *check, const char *step, void (*body) (void *check))
{
	ErrorData  *error = mcTry(body, check);

	if (error == NULL)
		return true;
	mcCheckPut(check, step, "error",
			   error->detail != NULL ? psprintf("%s: %s", error->message, error->detail) : error->message, error->hint);
	return false;
}

/* ---- this server ---- */

static void
put_local(McCheck *check)
{
	bool		fsync = strcmp(GetConfigOption("fsync", false, false), "on") == 0;
	bool		full_page_writes = strcmp(GetConfigOption("full_page_writes", false, false), "on") == 0;

	mcCheckPut(check, "durability", fsync && full_page_writes ? "ok" : "warning",
			   psprintf("fsync is %s, full_page_writes is %s", fsync ? "on" : "off", full_page_writes ? "on" : "off"),
			   fsync && full_page_writes ? NULL :
			   "After a crash of the machine positions and rows may be lost or damaged: no promise about jobs holds. Set both to on.");
}

static void
get_without_credentials(void *arg)
{
	McCheck    *check = arg;

	/* a project that each table names is looked for there */
	(void) mcGetServer(check->wrapper, check->serverid, GetUserId(), InvalidOid, false);
}

static void
get_with_credentials(void *arg)
{
	McCheck    *check = arg;

	check->server = mcGetServer(check->wrapper, check->serverid, GetUserId(), InvalidOid, true);
}

static bool
put_options(McCheck *check)
{
	ErrorData  *error = mcTry(get_without_credentials, check);
	bool		endpoint = error != NULL && error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE;

	if (error == NULL)
	{
		mcCheckPut(check, "options", "ok", NULL, NULL);
		mcCheckPut(check, "endpoint", "ok", "allowed", NULL);
		return true;
	}
	mcCheckPut(check, "options", endpoint ? "ok" : "error", endpoint ? NULL : error->message, endpoint ? NULL : error->hint);
	mcCheckPut(check, "endpoint", endpoint ? "error" : "skipped", endpoint ? error->message : "the options are not complete",
			   endpoint ? error->hint : NULL);
	return false;
}

static bool
put_credentials(McCheck *check)
{
	if (!mcCheckTry(check, "credentials", get_with_credentials))
		return false;
	if (!check->server->identity)
		mcCheckPut(check, "credentials", "warning", "there is no user mapping: requests are anonymous",
				   "CREATE USER MAPPING, unless what is read is public.");
	else
		mcCheckPut(check, "credentials", "ok",
				   check->server->credentials ? "a role, whose temporary keys are renewed" :
				   check->server->cred.security_token.len > 0 ? "a temporary key, with its token" : "a permanent key", NULL);
	return true;
}

/* Foreign tables of the server that the caller may read, in the order of their names */
static int
by_name(const ListCell *a, const ListCell *b)
{
	return strcmp(mcRelationText(lfirst_oid(a)), mcRelationText(lfirst_oid(b)));
}

static List *
tables_of(Oid serverid)
{
	Relation	catalog = table_open(ForeignTableRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, InvalidOid, false, NULL, 0, NULL);
	List	   *tables = NIL;
	HeapTuple	tuple;

	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_foreign_table form = (Form_pg_foreign_table) GETSTRUCT(tuple);

		if (form->ftserver == serverid &&
			pg_class_aclcheck(form->ftrelid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
			tables = lappend_oid(tables, form->ftrelid);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	list_sort(tables, by_name);
	return list_truncate(tables, MAX_TABLES);
}

static void
put_service(McCheck *check)
{
	switch (check->wrapper)
	{
		case MC_LOGHUB:
			(void) mcCheckTry(check, "service", mcCheckLoghub);
			break;
		case MC_TABLESTORE:
			(void) mcCheckTry(check, "service", mcCheckTablestore);
			break;
		case MC_MAXCOMPUTE:
			(void) mcCheckTry(check, "service", mcCheckMaxcompute);
			break;
		case MC_OSS:
			(void) mcCheckTry(check, "service", mcCheckOss);
			break;
	}
}

/* What a statement waits for hours, a check waits for seconds */
static void
be_impatient(void)
{
	static const struct
	{
		const char *name;
		const char *value;
	}			settings[] = {
		{"mc_fdw.max_retries", "1"}, {"mc_fdw.retry_max_elapsed", "20s"},
		{"mc_fdw.connect_timeout", "10s"}, {"mc_fdw.stall_timeout", "15s"}
	};

	for (int i = 0; i < lengthof(settings); i++)
		(void) set_config_option(settings[i].name, settings[i].value, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
}

Datum
mc_check(PG_FUNCTION_ARGS)
{
	const char *name = NameStr(*PG_GETARG_NAME(0));
	ForeignServer *fs = GetForeignServerByName(name, false);
	McCheck		check = {.fcinfo = fcinfo, .serverid = fs->serverid};
	MemoryContext cxt;
	MemoryContext old;
	int			nest;

	mcInitMaterializedSRF(fcinfo);
	mcCheckServerUsage(fs->serverid);
	check.wrapper = mcWrapperOfServer(fs->serverid);
	if (check.wrapper == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not of a foreign-data wrapper of mc_fdw", name)));
	cxt = AllocSetContextCreate(CurrentMemoryContext, "mc.check", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	nest = NewGUCNestLevel();
	be_impatient();
	put_local(&check);
	if (put_options(&check) && put_credentials(&check))
	{
		check.tables = tables_of(fs->serverid);
		put_service(&check);
	}
	AtEOXact_GUC(false, nest);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(cxt);
	return (Datum) 0;
}
