/*
 * odps_entry.c
 *		Publishing entries of the outbox to MaxCompute: upload sessions, drops and
 *		truncates that a run of a job has prepared (guarantees.md 6.1, 6.4, 6.6).
 *
 * An upload is left as 'publishing' only on the word of the service.  How often a commit
 * request may have left, McEntry.sent, decides what a session means that is gone.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "entry.h"
#include "mc_private.h"
#include "odps_publish.h"
#include "publish.h"

typedef struct Publishing
{
	McEntry    *entry;
	McOdps	   *odps;
	mcn_channel *once;			/* tunnel, repeats nothing by itself */
	MemoryContextCallback callback;
	mcw_alloc	alloc;
	mcs_odps_upload upload;
	char	   *partition;		/* UTF-8 */
	char	   *quoted;			/* UTF-8 */
	char	   *table;
	char	   *run_column;		/* NULL = rows do not name their upload */
	char	   *run_column_utf8;
	int64		deadline_us;
	mcw_error  *err;
} Publishing;

static void
free_once(void *arg)
{
	Publishing *p = arg;

	if (p->once)
		mcn_channel_free(p->once);
	p->once = NULL;
}

static char *
utf8_of(const McEntry *entry, const char *member)
{
	char	   *text = mcEntryText(entry, member);

	return text ? pg_server_to_any(text, strlen(text), PG_UTF8) : pstrdup("");
}

/* a member that every entry has */
static char *
required(const McEntry *entry, const char *member)
{
	char	   *text = mcEntryText(entry, member);

	if (!text)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entry " INT64_FORMAT " of the outbox has no \"%s\"", entry->entry_id, member)));
	return text;
}

static bool
has_mapping(const McEntry *entry)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(entry->owner), ObjectIdGetDatum(entry->serverid)) ||
		SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(entry->serverid));
}

static bool
same_url(const char *a, const char *b)
{
	size_t		n = strlen(a);
	size_t		m = strlen(b);

	while (n > 0 && a[n - 1] == '/')
		n--;
	while (m > 0 && b[m - 1] == '/')
		m--;
	return n == m && pg_strncasecmp(a, b, n) == 0;
}

/*
 * The tunnel where the session is.  One that the server names now, or its service, is as
 * good as the server; any other was written into the entry by who knows whom.  False: it
 * cannot be found out now.
 */
static bool
open_tunnel(Publishing *p)
{
	McOdps	   *odps = p->odps;
	char	   *url = required(p->entry, "tunnel");
	const char *present;
	MemoryContext old;

	if (mcOdpsFindTunnel(odps, &present, p->err) != MCW_OK)
		return false;
	if (!same_url(present, url))
	{
		if (!mcEndpointAllowed(url))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("tunnel endpoint \"%s\" of an entry for server \"%s\" is not allowed", url, odps->server->name),
					 errdetail("It is neither the server's tunnel now nor in mc_fdw.allowed_endpoints.")));
		odps->server->trusted = false;
	}
	old = MemoryContextSwitchTo(odps->cxt);
	odps->service.tunnel = mcOpenChannel(odps->server, &odps->alloc, url, NULL, mcs_odps_retry_rules);
	p->once = mcPublishChannel(odps->server, &odps->alloc, odps->service.tunnel, url, NULL);
	p->callback.func = free_once;
	p->callback.arg = p;
	MemoryContextRegisterResetCallback(odps->cxt, &p->callback);
	MemoryContextSwitchTo(old);
	return true;
}

static void
open_entry(Publishing *p)
{
	McEntry    *e = p->entry;
	McServer   *server = mcEntryServer(e);
	char	   *region = mcEntryText(e, "region");
	char	   *schema = mcEntryText(e, "schema");
	char	   *quota = mcEntryText(e, "quota");

	server->project = required(e, "project");
	server->region = region;
	p->table = required(e, "table");
	p->partition = utf8_of(e, "partition");
	p->quoted = utf8_of(e, "quoted");
	p->odps = mcOdpsOpenNamed(server, schema ? schema : "", quota ? quota : "", p->table);
	p->odps->service.deadline_us = p->deadline_us;
	p->alloc = mcContextAlloc(p->odps->cxt);
}

/* block ids are 0, 1, ...: "[100, 100, 7]" are the record counts */
static void
read_blocks(Publishing *p)
{
	char	   *text = required(p->entry, "blocks");
	int			block;

	for (char *at = text + strspn(text, "[ "); *at && *at != ']';)
	{
		char	   *end;
		int64		rows = strtoll(at, &end, 10);

		if (end == at || mcs_odps_upload_new_block(&p->upload, rows, &block, p->err) != MCW_OK)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("entry " INT64_FORMAT " of the outbox has a malformed list of blocks", p->entry->entry_id)));
		at = end + strspn(end, ", ");
	}
	if (p->upload.nblocks == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entry " INT64_FORMAT " of the outbox has no blocks", p->entry->entry_id)));
}

/* why an entry stays as it is */
static McEntryOutcome
pending(mcw_error *err)
{
	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	return MC_ENTRY_PENDING;
}

/*
 * Has somebody changed the target since the run was sealed?  Then to publish now would
 * destroy what is newer.  MC_ENTRY_PUBLISHED: no.
 */
static McEntryOutcome
check_stale(Publishing *p, mcs_odps_part_state *state)
{
	int64		sealed = mcEntryInt(p->entry, "mtime", 0);

	if (mcs_odps_get_part_state(&p->odps->service, mcw_str(p->table), mcw_str(p->quoted), state, p->err) != MCW_OK)
		return pending(p->err);
	if (sealed == 0 || (state->exists && state->last_modified == sealed))
		return MC_ENTRY_PUBLISHED;
	(void) mcw_fail(p->err, MCW_ERR_SERVICE, state->exists ?
					"the target was changed by somebody else after the run was sealed" :
					"the target was dropped by somebody else after the run was sealed");
	p->entry->evidence = psprintf("modified %lld, sealed at %lld",
								  (long long) state->last_modified, (long long) sealed);
	return MC_ENTRY_CONFLICT;
}

static McEntryOutcome
judge(Publishing *p, mcs_odps_outcome outcome)
{
	mcs_odps_upload *u = &p->upload;

	p->entry->residue = u->residue_possible;
	if (outcome == MCS_ODPS_PUBLISHED)
		return MC_ENTRY_PUBLISHED;
	if (u->mismatch)
		return MC_ENTRY_CONFLICT;
	switch (u->status)
	{
		case MCS_ODPS_UPLOAD_CANCELED:
			/* rows of a failed append may be there, and nobody can tell them from others */
			if (u->overwrite || !u->commit_sent)
				return MC_ENTRY_LOST;
			p->entry->residue = true;
			return MC_ENTRY_CONFLICT;
		case MCS_ODPS_UPLOAD_EXPIRED:
		case MCS_ODPS_UPLOAD_GONE:
			/* a closed session may be forgotten, too; an overwrite can be done again */
			return u->overwrite || outcome == MCS_ODPS_NOT_PUBLISHED ? MC_ENTRY_LOST : MC_ENTRY_CONFLICT;
		default:
			return pending(p->err);
	}
}

/* May the service's answer to the question how many rows there are be another one later? */
static bool
may_ask_later(const mcw_error *err)
{
	return err->status != MCW_ERR_ARGUMENT &&
		!(err->status == MCW_ERR_SERVICE && (mcs_odps_error_is(err, "NoSuchPartition") || mcs_odps_error_is(err, "NoSuchTable") ||
											 mcs_odps_error_is(err, "NoSuchObject")));
}

/*
 * The session does not tell whether its rows are in the table: they say so themselves.
 * 'again' is set if none is there and the session may be committed now.
 */
static McEntryOutcome
count_rows(Publishing *p, bool *again)
{
	McEntry    *e = p->entry;
	mcs_odps_upload *u = &p->upload;
	bool		open = u->held;
	const char *column = p->run_column;
	int64		rows;

	*again = false;
	if (mcOdpsCountMark(p->odps, p->table, p->partition, p->run_column_utf8, e->token, &rows, p->err) != MCW_OK)
	{
		if (may_ask_later(p->err))
			return pending(p->err);
		e->residue = u->residue_possible;
		return MC_ENTRY_CONFLICT;
	}
	e->evidence = psprintf("upload session %s; " INT64_FORMAT " of " INT64_FORMAT " rows have %s = '%s'",
						   mcs_odps_upload_status_name(u->status), rows, e->rows, column, e->token);
	if (rows == e->rows)
	{
		e->residue = false;
		return MC_ENTRY_PUBLISHED;
	}
	if (open)
	{
		/* a commit that was under way all the time shows in the state */
		if (mcs_odps_upload_look(&p->odps->service, u, p->deadline_us, p->err) != MCW_OK)
			return u->mismatch ? MC_ENTRY_CONFLICT : pending(p->err);
		if (rows == 0 || u->status != MCS_ODPS_UPLOAD_NORMAL)
		{
			u->held = rows == 0;
			*again = true;
			return MC_ENTRY_PENDING;
		}
	}
	if (rows == 0)
	{
		e->residue = false;
		(void) mcw_fail(p->err, MCW_ERR_SERVICE, "upload session %s is %s, and no row of it is in the table", u->id,
						mcs_odps_upload_status_name(u->status));
		return MC_ENTRY_LOST;
	}
	e->residue = true;
	(void) mcw_fail(p->err, MCW_ERR_SERVICE,
					"upload session %s is %s, and %lld of its %lld rows are in the table, those with %s = '%s'",
					u->id, mcs_odps_upload_status_name(u->status), (long long) rows, (long long) e->rows, column, e->token);
	return MC_ENTRY_CONFLICT;
}

/* Can only the rows tell what became of the commit? */
static bool
needs_count(const mcs_odps_upload *u, mcs_odps_outcome outcome)
{
	if (!u->countable || !u->commit_sent || u->mismatch || outcome == MCS_ODPS_PUBLISHED)
		return false;
	return u->held || u->status == MCS_ODPS_UPLOAD_CANCELED || u->status == MCS_ODPS_UPLOAD_EXPIRED ||
		u->status == MCS_ODPS_UPLOAD_GONE;
}

static McEntryOutcome
publish_upload(Publishing *p)
{
	McEntry    *e = p->entry;
	mcs_odps_upload *u = &p->upload;
	bool		sent_before = e->sent > 1 || e->distrust;
	mcs_odps_outcome outcome;

	if (!open_tunnel(p))
		return pending(p->err);
	u->table = mcw_str(p->table);
	u->partition = mcw_str(p->partition);
	u->overwrite = strcmp(e->mode, "overwrite") == 0;
	u->alloc = &p->alloc;
	if (strlcpy(u->id, e->handle, sizeof(u->id)) >= sizeof(u->id))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entry " INT64_FORMAT " of the outbox has a malformed handle", e->entry_id)));
	read_blocks(p);
	p->run_column = mcEntryText(e, "run_column");
	p->run_column_utf8 = utf8_of(e, "run_column");
	u->countable = !u->overwrite && p->run_column != NULL;
	u->commit_sent = sent_before;
	if (!sent_before && !e->recovery)
		outcome = mcs_odps_upload_commit(&p->odps->service, p->once, u, p->deadline_us, p->err);
	else
	{
		if (u->overwrite && mcs_odps_upload_look(&p->odps->service, u, p->deadline_us, p->err) == MCW_OK &&
			u->status == MCS_ODPS_UPLOAD_NORMAL)
		{
			mcs_odps_part_state state;
			McEntryOutcome stale = check_stale(p, &state);

			if (stale != MC_ENTRY_PUBLISHED)
				return stale;
		}
		outcome = mcs_odps_upload_settle(&p->odps->service, p->once, u, p->deadline_us, p->err);
	}
	for (;;)
	{
		McEntryOutcome counted;
		bool		again;

		e->evidence = psprintf("upload session %s", mcs_odps_upload_status_name(u->status));
		if (u->request_id[0])
			e->request_id = pstrdup(u->request_id);
		if (!needs_count(u, outcome))
			return judge(p, outcome);
		counted = count_rows(p, &again);
		if (!again)
			return counted;
		outcome = mcs_odps_upload_settle(&p->odps->service, p->once, u, p->deadline_us, p->err);
	}
}

static McEntryOutcome
publish_erasure(Publishing *p)
{
	McEntry    *e = p->entry;
	bool		drop = strcmp(e->kind, "drop") == 0;
	bool		in_doubt;

	if (drop && !p->quoted[0])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entry " INT64_FORMAT " of the outbox names no partition", e->entry_id)));
	if (e->recovery)
	{
		mcs_odps_part_state state;
		McEntryOutcome stale = check_stale(p, &state);

		if (stale == MC_ENTRY_PENDING)
			return stale;
		if (drop ? !state.exists : state.record_num == 0)
		{
			e->evidence = drop ? "the partition does not exist" : "the target is empty";
			return MC_ENTRY_PUBLISHED;
		}
		if (stale != MC_ENTRY_PUBLISHED)
			return stale;
	}
	if (mcOdpsErase(&p->odps->service, mcw_str(p->table), p->quoted[0] ? p->quoted : NULL, !drop, &in_doubt, p->err) != MCW_OK)
		return pending(p->err);
	e->evidence = drop ? "dropped" : "truncated";
	return MC_ENTRY_PUBLISHED;
}

McEntryOutcome
mcOdpsEntryPublish(McEntry *entry, int64 deadline_us, mcw_error *err)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt;
	Publishing *p;
	McEntryOutcome outcome;

	if (!has_mapping(entry))
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "no user mapping for user \"%s\" on server \"%s\"",
						GetUserNameFromId(entry->owner, false), entry->server);
		return MC_ENTRY_PENDING;
	}
	cxt = AllocSetContextCreate(caller, "mc_fdw entry", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(cxt);
	p = palloc0(sizeof(Publishing));
	p->entry = entry;
	p->deadline_us = deadline_us;
	p->err = err;
	open_entry(p);
	outcome = mcEntryErases(entry) ? publish_erasure(p) : publish_upload(p);
	MemoryContextSwitchTo(caller);
	if (entry->evidence)
		entry->evidence = pstrdup(entry->evidence);
	if (entry->request_id)
		entry->request_id = pstrdup(entry->request_id);
	MemoryContextDelete(cxt);
	return outcome;
}
