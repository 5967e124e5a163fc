/*
 * outbox.c
 *		mc._seal(): what a run has uploaded becomes entries of mc.publish, in the
 *		transaction that commits its rows and positions.  mc._publish(): makes entries
 *		visible, in a transaction of its own, by any session of the owner.
 *
 * What happens to an entry is decided by the service's code (entry.h); what follows for
 * the run, by the procedures in SQL.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "catalog/pg_user_mapping.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "../fdw/publish.h"
#include "sync.h"
#include "tools.h"

static const struct
{
	McWrapper	wrapper;
	const char *name;
	McEntryOutcome (*publish) (McEntry *entry, int64 deadline_us, mcw_error *err);
}			services[] = {
	{MC_MAXCOMPUTE, "maxcompute", mcOdpsEntryPublish},
	{MC_OSS, "oss", mcOssEntryPublish},
	{MC_LOGHUB, "loghub", mcLogEntryPublish},
};

static const char *const outcome_states[] = {
	[MC_ENTRY_PUBLISHED] = "published",
	[MC_ENTRY_PENDING] = "publishing",
	[MC_ENTRY_LOST] = "lost",
	[MC_ENTRY_CONFLICT] = "conflict",
	[MC_ENTRY_SUPERSEDED] = "superseded",
};

/* ---- writing entries ---- */

/*
 * Nothing of other jobs may be waiting for our targets, and what is overwritten must not be
 * another role's; locked until the entries are committed.
 */
static void
check_targets(const McJobRun *run, const List *entries)
{
	List	   *targets = NIL;
	List	   *overwritten = NIL;
	ListCell   *lc;

	foreach(lc, entries)
	{
		const McEntry *e = lfirst(lc);
		McTargetKey *t = palloc0(sizeof(McTargetKey));

		t->key = e->target;
		t->label = e->label;
		t->shared = strcmp(e->mode, "append") == 0 && !mcEntryErases(e);
		targets = lappend(targets, t);
		if (strcmp(e->mode, "overwrite") == 0)
			overwritten = lappend(overwritten, t);
	}
	if (targets != NIL)
		mcCheckTargets(targets, run->job_id);
	if (overwritten != NIL)
		mcCheckOwners(overwritten, run->job_id, run->owner);
}

static Oid
mapping_of(Oid user, Oid serverid)
{
	Oid			mapping = GetSysCacheOid2(USERMAPPINGUSERSERVER, Anum_pg_user_mapping_oid,
										  ObjectIdGetDatum(user), ObjectIdGetDatum(serverid));

	return OidIsValid(mapping) || !OidIsValid(user) ? mapping : mapping_of(InvalidOid, serverid);
}

/*
 * Through a view or a SECURITY DEFINER function of another role its user mapping has
 * written; the entry can only be published with that of the job's owner.
 */
static void
check_writer(const McEntry *e)
{
	Oid			mapping;

	if (!OidIsValid(e->writer) || e->writer == e->owner)
		return;
	mapping = mapping_of(e->owner, e->serverid);
	if (mapping == mapping_of(e->writer, e->serverid))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("the run has written to %s with the user mapping of role \"%s\"", e->label, GetUserNameFromId(e->writer, false)),
			 errdetail("It is published as the owner of the job, role \"%s\", who has %s user mapping for server \"%s\".",
					   GetUserNameFromId(e->owner, false), OidIsValid(mapping) ? "another" : "no", e->server),
			 errhint("Let the job write to the foreign table itself, not through a view or function of another role, or belong to that role.")));
}

static void
insert_entry(const McJobRun *run, const McEntry *e)
{
	static const Oid types[] = {INT8OID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	INT8OID, INT8OID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, TIMESTAMPTZOID, OIDOID};
	const char *service = NULL;
	McBooks		books;
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types) + 1];

	for (int i = 0; i < lengthof(services); i++)
		if (services[i].wrapper == e->service)
			service = services[i].name;
	memset(nulls, ' ', lengthof(types));
	nulls[lengthof(types)] = '\0';
	values[0] = Int64GetDatum(run->run_id);
	values[1] = Int32GetDatum(e->ordinal);
	values[2] = CStringGetTextDatum(service);
	values[3] = CStringGetTextDatum(e->kind);
	values[4] = CStringGetTextDatum(e->server);
	values[5] = CStringGetTextDatum(e->endpoint);
	values[6] = CStringGetTextDatum(e->target);
	values[7] = CStringGetTextDatum(e->label);
	values[8] = CStringGetTextDatum(e->handle ? e->handle : "");
	values[9] = CStringGetTextDatum(e->mode);
	values[10] = CStringGetTextDatum(e->token ? e->token : "");
	values[11] = Int64GetDatum(e->rows);
	values[12] = Int64GetDatum(e->bytes);
	values[13] = CStringGetTextDatum(e->document ? e->document : "{}");
	values[14] = e->body ? PointerGetDatum(e->body) : 0;
	nulls[14] = e->body ? ' ' : 'n';
	values[15] = TimestampTzGetDatum(e->created);
	nulls[15] = e->created ? ' ' : 'n';
	values[16] = TimestampTzGetDatum(e->expires);
	nulls[16] = e->expires ? ' ' : 'n';
	values[17] = ObjectIdGetDatum(run->owner);
	mcBooksBegin(&books);
	(void) mcSpi("INSERT INTO mc.publish (run_id, ordinal, service, kind, server, endpoint, target, label, handle, mode, token,"
				 " rows, bytes, document, body, created_at, expires_at, owner)"
				 " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::pg_catalog.jsonb, $15, $16, $17, $18",
				 SPI_OK_INSERT, lengthof(types), types, values, nulls);
	mcBooksEnd(&books);
}

static void
save_counters(const McJobRun *run)
{
	static const Oid types[] = {INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, BOOLOID, INT8OID, INT8OID, INT8OID,
	INT8OID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(run->run_id), Int64GetDatum(run->rows_in), Int64GetDatum(run->bytes_in),
		Int64GetDatum(run->bytes_out), Int64GetDatum(run->requests), Int64GetDatum(run->retries),
		Int64GetDatum(run->rejected), BoolGetDatum(run->direct_effects), Int64GetDatum(run->read_cu),
		Int64GetDatum(run->write_cu), Int64GetDatum(run->wait_source_us), Int64GetDatum(run->wait_target_us),
		Int64GetDatum(run->throttled_us)
	};

	(void) mcSpi("UPDATE mc.run SET rows_in = $2, bytes_in = $3, bytes_out = $4, requests = $5, retries = $6, rejected = $7,"
				 " direct_effects = $8, read_cu = $9, write_cu = $10, wait_source = $11 * interval '1 microsecond',"
				 " wait_target = $12 * interval '1 microsecond', throttled = $13 * interval '1 microsecond' WHERE run_id = $1",
				 SPI_OK_UPDATE, lengthof(types), types, values, NULL);
}

static McJobRun *
the_run(int64 run_id)
{
	McJobRun   *run = mcLastRun();

	if (run == NULL || run->run_id != run_id)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("run " INT64_FORMAT " was not executed in this transaction", run_id)));
	return run;
}

/* Also of a run that failed: what it moved until then */
PG_FUNCTION_INFO_V1(mc_save_counters);
Datum
mc_save_counters(PG_FUNCTION_ARGS)
{
	McJobRun   *run = mcLastRun();

	if (run == NULL || run->run_id != PG_GETARG_INT64(0))
		PG_RETURN_VOID();
	SPI_connect();
	save_counters(run);
	SPI_finish();
	PG_RETURN_VOID();
}

/* ---- reading entries ---- */

static const char entry_query[] =
"SELECT p.entry_id, p.ordinal, p.service, p.kind, p.server, p.endpoint, p.target, p.label, p.handle, p.mode, p.token,"
" p.rows, p.bytes, p.document::text, p.body, p.created_at, p.expires_at, p.sent, p.sealed_at, p.owner::pg_catalog.oid, f.oid,"
" p.evidence, p.state = 'published'"
" FROM mc.publish p LEFT JOIN pg_catalog.pg_foreign_server f ON f.srvname = p.server"
" WHERE p.run_id = $1 AND p.state = 'publishing' ORDER BY p.ordinal FOR UPDATE OF p";

/* of earlier attempts of the same window, the last one first */
static const char earlier_query[] =
"SELECT p.entry_id, p.ordinal, p.service, p.kind, p.server, p.endpoint, p.target, p.label, p.handle, p.mode, p.token,"
" p.rows, p.bytes, p.document::text, NULL::bytea, p.created_at, p.expires_at, p.sent, p.sealed_at, p.owner::pg_catalog.oid, f.oid,"
" p.evidence, p.state = 'published'"
" FROM mc.run r JOIN mc.run x USING (job_id, family, seq) JOIN mc.publish p ON p.run_id = x.run_id"
" LEFT JOIN pg_catalog.pg_foreign_server f ON f.srvname = p.server"
" WHERE r.run_id = $1 AND x.attempt < r.attempt ORDER BY x.attempt DESC, p.ordinal";

enum EntryColumn
{
	ENTRY_ID = 1, ENTRY_ORDINAL, ENTRY_SERVICE, ENTRY_KIND, ENTRY_SERVER, ENTRY_ENDPOINT, ENTRY_TARGET, ENTRY_LABEL, ENTRY_HANDLE,
	ENTRY_MODE, ENTRY_TOKEN, ENTRY_ROWS, ENTRY_BYTES, ENTRY_DOCUMENT, ENTRY_BODY, ENTRY_CREATED, ENTRY_EXPIRES, ENTRY_SENT,
	ENTRY_SEALED, ENTRY_OWNER, ENTRY_SERVERID, ENTRY_EVIDENCE, ENTRY_PUBLISHED
};

static TimestampTz
time_or_zero(uint64 row, int column)
{
	bool		isnull;
	Datum		value = mcSpiDatum(row, column, &isnull);

	return isnull ? 0 : DatumGetTimestampTz(value);
}

static McEntry *
read_entry(uint64 row)
{
	McEntry    *e = palloc0(sizeof(McEntry));
	char	   *service = mcSpiText(row, ENTRY_SERVICE);
	bool		isnull;
	Datum		value;

	for (int i = 0; i < lengthof(services); i++)
		if (strcmp(services[i].name, service) == 0)
			e->service = services[i].wrapper;
	e->entry_id = mcSpiInt(row, ENTRY_ID, 0);
	e->ordinal = (int) mcSpiInt(row, ENTRY_ORDINAL, 0);
	e->kind = mcSpiText(row, ENTRY_KIND);
	e->server = mcSpiText(row, ENTRY_SERVER);
	e->endpoint = mcSpiText(row, ENTRY_ENDPOINT);
	e->target = mcSpiText(row, ENTRY_TARGET);
	e->label = mcSpiText(row, ENTRY_LABEL);
	e->handle = mcSpiText(row, ENTRY_HANDLE);
	e->mode = mcSpiText(row, ENTRY_MODE);
	e->token = mcSpiText(row, ENTRY_TOKEN);
	e->rows = mcSpiInt(row, ENTRY_ROWS, 0);
	e->bytes = mcSpiInt(row, ENTRY_BYTES, 0);
	e->document = mcSpiText(row, ENTRY_DOCUMENT);
	value = mcSpiDatum(row, ENTRY_BODY, &isnull);
	e->body = isnull ? NULL : DatumGetByteaPCopy(value);
	e->created = time_or_zero(row, ENTRY_CREATED);
	e->expires = time_or_zero(row, ENTRY_EXPIRES);
	e->sealed = time_or_zero(row, ENTRY_SEALED);
	e->sent = (int) mcSpiInt(row, ENTRY_SENT, 0);
	e->owner = DatumGetObjectId(mcSpiDatum(row, ENTRY_OWNER, &isnull));
	e->serverid = DatumGetObjectId(mcSpiDatum(row, ENTRY_SERVERID, &isnull));
	if (isnull)
		e->serverid = InvalidOid;
	e->seen = mcSpiText(row, ENTRY_EVIDENCE);
	e->published = DatumGetBool(mcSpiDatum(row, ENTRY_PUBLISHED, &isnull));
	return e;
}

/* ---- seal ---- */

/* What earlier attempts of the window have left with the services */
static void
settle_earlier(McJobRun *run, List **entries)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(run->run_id)};
	List	   *earlier = NIL;
	uint64		n = mcSpi(earlier_query, SPI_OK_SELECT, 1, types, values, NULL);

	for (uint64 i = 0; i < n; i++)
		earlier = lappend(earlier, read_entry(i));
	mcOdpsSealEarlier(run, earlier, entries);
	mcOssSealEarlier(run, earlier, entries);
}

/* By step, whatever the service; otherwise the order stays */
static List *
in_order(const List *entries)
{
	List	   *result = NIL;
	ListCell   *lc;

	for (McEntryStep step = MC_STEP_WITHDRAW; step <= MC_STEP_FINISH; step++)
		foreach(lc, entries)
			if (mcEntryStep(lfirst(lc)) == step)
				result = lappend(result, lfirst(lc));
	return result;
}

PG_FUNCTION_INFO_V1(mc_seal_run);
Datum
mc_seal_run(PG_FUNCTION_ARGS)
{
	McJobRun   *run = the_run(PG_GETARG_INT64(0));
	List	   *entries;
	ListCell   *lc;
	int			ordinal = 0;

	if (run->sealed)
		elog(ERROR, "run " INT64_FORMAT " is sealed already", run->run_id);
	SPI_connect();
	entries = mcPublishSeal(run);
	if (run->attempt > 1)
		settle_earlier(run, &entries);
	entries = in_order(entries);
	check_targets(run, entries);
	foreach(lc, entries)
	{
		McEntry    *e = lfirst(lc);

		e->ordinal = ++ordinal;
		check_writer(e);
		insert_entry(run, e);
	}
	mcSavePositions(run);
	run->sealed = true;
	SPI_finish();
	PG_RETURN_INT32(ordinal);
}

/* A failed run: may its window be passed over?  What was read in it must be known to the end. */
PG_FUNCTION_INFO_V1(mc_save_positions);
Datum
mc_save_positions(PG_FUNCTION_ARGS)
{
	McJobRun   *run = mcLastRun();
	ListCell   *lc;

	/* the session that ran it is gone, and what it knew */
	if (run == NULL || run->run_id != PG_GETARG_INT64(0))
		PG_RETURN_BOOL(false);
	foreach(lc, run->sources)
	{
		const McJobSource *source = lfirst(lc);

		if (source->wrapper != MC_OSS && !source->frozen)
			PG_RETURN_BOOL(false);
	}
	SPI_connect();
	mcSavePositions(run);
	SPI_finish();
	PG_RETURN_BOOL(true);
}

/* ---- publish ---- */

static void
update_entry(const McEntry *e, const char *state, const char *outcome)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	Datum		values[] = {
		Int64GetDatum(e->entry_id), CStringGetTextDatum(state), outcome ? CStringGetTextDatum(outcome) : 0,
		e->evidence ? CStringGetTextDatum(e->evidence) : 0, e->request_id ? CStringGetTextDatum(e->request_id) : 0,
		BoolGetDatum(e->residue)
	};
	char		nulls[] = "      ";

	McBooks		books;

	nulls[2] = outcome ? ' ' : 'n';
	nulls[3] = e->evidence ? ' ' : 'n';
	nulls[4] = e->request_id ? ' ' : 'n';
	mcBooksBegin(&books);
	(void) mcSpi("UPDATE mc.publish SET state = $2, outcome = $3, evidence = COALESCE($4, evidence),"
				 " request_id = COALESCE($5, request_id), residue_possible = residue_possible OR $6,"
				 " body = CASE WHEN $2 IN ('published', 'superseded') THEN NULL ELSE body END,"
				 " changed_at = pg_catalog.clock_timestamp() WHERE entry_id = $1",
				 SPI_OK_UPDATE, lengthof(types), types, values, nulls);
	mcBooksEnd(&books);
}

static void
check_owner(const McEntry *e)
{
	if (!has_privs_of_role(GetUserId(), e->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the privileges of role \"%s\" to publish its entries", GetUserNameFromId(e->owner, false))));
	if (!OidIsValid(e->serverid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" of an entry of the outbox does not exist", e->server),
				 errdetail("The entry is %s.", e->label),
				 errhint("Create the server again with its user mappings, give it its name back, or settle the run with mc.resolve_run().")));
	/* another one has taken the name: its user mappings are not for this service */
	if (mcWrapperOfServer(e->serverid) != e->service)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" of an entry of the outbox is of another foreign-data wrapper now", e->server),
				 errdetail("The entry is %s.", e->label),
				 errhint("Rename it and create the server of the entry again, or settle the run with mc.resolve_run().")));
}

static McEntryOutcome
publish_entry(McEntry *e, int64 deadline_us, char **why)
{
	mcw_error	err;
	McEntryOutcome outcome = MC_ENTRY_PENDING;
	bool		found = false;

	check_owner(e);
	memset(&err, 0, sizeof(err));
	mcStep("send");
	for (int i = 0; i < lengthof(services); i++)
		if (services[i].wrapper == e->service)
		{
			outcome = services[i].publish(e, deadline_us, &err);
			found = true;
		}
	if (!found)
		elog(ERROR, "entry " INT64_FORMAT " is of an unknown service", e->entry_id);
	mcStep("sent");
	*why = NULL;
	if (outcome != MC_ENTRY_PUBLISHED)
	{
		char	   *detail = mcErrorDetail(&err);

		*why = psprintf("%s: %s%s%s", e->label, mcPrintable(err.message), detail ? "; " : "", detail ? detail : "");
	}
	return outcome;
}

/*
 * Entries of a run in their order.  One in conflict or lost does not hold back other
 * uploads, but everything that erases; one that is pending holds back all after it.
 */
PG_FUNCTION_INFO_V1(mc_publish_run);
Datum
mc_publish_run(PG_FUNCTION_ARGS)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {PG_GETARG_DATUM(0)};
	bool		recovery = PG_GETARG_BOOL(1);
	bool		distrust = PG_GETARG_BOOL(2);
	int64		deadline_us = mcn_now_us() + (int64) mc_publish_timeout * 1000;
	uint64		n;
	McEntry   **entries;
	bool		held;

	SPI_connect();
	/* what an earlier call has found out holds, too */
	held = mcSpi("SELECT FROM mc.publish WHERE run_id = $1 AND state IN ('lost', 'conflict') LIMIT 1",
				 SPI_OK_SELECT, 1, types, values, NULL) > 0;
	n = mcSpi(entry_query, SPI_OK_SELECT, 1, types, values, NULL);
	entries = palloc(Max(n, 1) * sizeof(McEntry *));
	for (uint64 i = 0; i < n; i++)
		entries[i] = read_entry(i);
	for (uint64 i = 0; i < n; i++)
	{
		McEntry    *e = entries[i];
		McEntryOutcome outcome;
		char	   *why;

		CHECK_FOR_INTERRUPTS();
		if (held && mcEntryErases(e))
			continue;
		e->recovery = recovery;
		e->distrust = distrust;
		outcome = publish_entry(e, deadline_us, &why);
		update_entry(e, outcome_states[outcome], why);
		if (outcome == MC_ENTRY_PENDING)
			break;
		if (outcome != MC_ENTRY_PUBLISHED && outcome != MC_ENTRY_SUPERSEDED)
			held = true;
	}
	SPI_finish();
	PG_RETURN_VOID();
}
