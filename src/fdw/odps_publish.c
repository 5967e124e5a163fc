/*
 * odps_publish.c
 *		MaxCompute's part of publishing at commit (publish.h): sessions are compared
 *		with what was acknowledged, committed in order of first write, then TRUNCATE
 *		and DELETE are executed.
 *
 * The protocol of one session is in service/mcs_odps_upload.c.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "odps_publish.h"
#include "publish.h"

/* of the commit that is under way, in publishing memory */
static McPublication *present = NULL;

McPublication *
mcOdpsPublication(void)
{
	return present;
}

static void
collect_uploads(McPublication *pub)
{
	for (McUpload *u = mcWriteUploads(); u; u = u->next)
		if (!u->garbage && !u->listed && u->session.nblocks > 0 && !mcUploadSuperseded(u))
			pub->uploads = lappend(pub->uploads, u);
}

/* was this partition written after the intent?  Then its overwrite has emptied it. */
static bool
overwritten(const McPublication *pub, const McIntent *intent, const char *spec)
{
	ListCell   *lc;

	foreach(lc, pub->uploads)
	{
		McUpload   *u = lfirst(lc);

		if (u->seq > intent->seq && u->session.overwrite && mcSameRemote(u->target, intent->target) &&
			strcmp(u->spec, spec) == 0)
			return true;
	}
	return false;
}

static void
add_erasure(McPublication *pub, McIntent *intent, const char *spec, const char *quoted, bool keep_partition)
{
	McErasure  *e;
	ListCell   *lc;

	if (overwritten(pub, intent, spec ? spec : ""))
		return;
	foreach(lc, pub->erasures)
	{
		e = lfirst(lc);
		if (mcSameRemote(e->target, intent->target) &&
			strcmp(e->spec ? e->spec : "", spec ? spec : "") == 0)
			return;
	}
	e = palloc0(sizeof(McErasure));
	e->target = intent->target;
	e->spec = spec;
	e->quoted = quoted;
	e->keep_partition = keep_partition;
	pub->erasures = lappend(pub->erasures, e);
}

/* TRUNCATE of a partitioned table: every partition in its scope that exists now */
static void
collect_partitions(McPublication *pub, McIntent *intent)
{
	McTarget   *target = intent->target;
	const mcs_odps_partitions *list = mcOdpsPartitions(target->odps, true);

	for (int i = 0; i < list->nitems; i++)
	{
		const mcw_view *values = list->items[i].values;
		bool		covered = true;

		for (int k = 0; k < target->table->nkeys && covered; k++)
			covered = !target->fixed[k].data || mcw_view_eq(target->fixed[k], values[k]);
		if (covered)
			add_erasure(pub, intent, mcSpecText(target, values, false), mcSpecText(target, values, true),
						target->all_fixed);
	}
}

static void
collect_erasures(McPublication *pub)
{
	for (McIntent *i = mcWriteIntents(); i; i = i->next)
	{
		if (i->dead || i->listed)
			continue;
		if (i->spec)
			add_erasure(pub, i, i->spec, i->quoted, false);
		else if (i->target->table->nkeys == 0)
			add_erasure(pub, i, NULL, NULL, false);
		else
			collect_partitions(pub, i);
	}
}

static void
raise_upload(const McUpload *u, const mcw_error *err)
{
	McPlace		place = u->target->odps->place;

	if (u->spec[0])
		place.part = psprintf("partition %s", u->spec);
	place.position = psprintf("upload session %s", u->session.id);
	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, &place);
}

/* the calls under way must be gone before an error leaves */
typedef struct Checks
{
	mcs_odps_call *calls;
	int			n;
	MemoryContextCallback callback;
} Checks;

static void
drop_checks(void *arg)
{
	Checks	   *checks = arg;

	for (int i = 0; i < checks->n; i++)
		mcs_odps_call_free(&checks->calls[i]);
	checks->n = 0;
}

/*
 * Every session must hold exactly the blocks that were acknowledged, with their row
 * counts, before the first one is committed.  Several questions are under way at
 * once.
 */
static void
compare(McPublication *pub, MemoryContext cxt)
{
	int			total = list_length(pub->uploads);
	Checks	   *checks = palloc0(sizeof(Checks));

	checks->calls = palloc0(Max(total, 1) * sizeof(mcs_odps_call));
	checks->callback.func = drop_checks;
	checks->callback.arg = checks;
	MemoryContextRegisterResetCallback(cxt, &checks->callback);

	for (int i = 0; i < total; i++)
	{
		McUpload   *u;
		mcw_error	err;
		mcw_status	status;
		int			width;

		/* keep a window of questions ahead of the one that is looked at */
		u = list_nth(pub->uploads, i);
		width = u->target->odps->server->concurrency;
		while (checks->n < total && checks->n < i + width)
		{
			McUpload   *next = list_nth(pub->uploads, checks->n);

			mcs_odps_upload_reload(&checks->calls[checks->n], &next->target->odps->service, &next->session);
			checks->n++;
			mcs_odps_call_start(&checks->calls[checks->n - 1]);
		}
		while (checks->calls[i].req.active)
			if (mcn_loop_step(mcLoop(), -1) == MCW_ERR_INTERRUPTED)
				CHECK_FOR_INTERRUPTS();
		memset(&err, 0, sizeof(err));
		status = mcs_odps_upload_reloaded(&checks->calls[i], &u->session, &err);
		if (status == MCW_OK && u->session.status != MCS_ODPS_UPLOAD_NORMAL)
			status = mcw_fail(&err, MCW_ERR_SERVICE, "upload session %s is %s, nothing was published",
							  u->session.id, mcs_odps_upload_status_name(u->session.status));
		mcs_odps_call_free(&checks->calls[i]);
		if (status != MCW_OK)
			raise_upload(u, &err);
	}
	checks->n = 0;
}

static void
describe(McItems *list, const char *verb, const McTarget *target, const char *spec, const char *rest)
{
	mcPublishItem(list, "%s%s%s%s%s%s", verb, target->odps->label, spec && spec[0] ? " (" : "",
				  spec ? mcPrintable(spec) : "", spec && spec[0] ? ")" : "", rest);
}

static void
describe_upload(McItems *list, const McUpload *u)
{
	describe(list, "", u->target, u->spec,
			 psprintf(" " INT64_FORMAT " rows in session %s%s", u->session.rows, u->session.id,
					  u->session.residue_possible ? " (rows may remain of the failed commit)" : ""));
}

static void
describe_erasure(McItems *list, const McErasure *e)
{
	describe(list, e->spec && !e->keep_partition ? "drop of " : "truncation of ", e->target, e->spec, "");
}

static void
announce(McItems *list)
{
	ListCell   *lc;

	foreach(lc, present->uploads)
		describe_upload(list, lfirst(lc));
	foreach(lc, present->erasures)
		describe_erasure(list, lfirst(lc));
}

static void
outcomes(McOutcomes *all)
{
	ListCell   *lc;

	foreach(lc, present->uploads)
	{
		McUpload   *u = lfirst(lc);

		describe_upload(u->attempted && u->outcome == MCS_ODPS_PUBLISHED ? &all->published :
						u->attempted && u->outcome == MCS_ODPS_IN_DOUBT ? &all->unknown : &all->not_published, u);
		if (u->session.residue_possible)
			all->residue = true;
	}
	foreach(lc, present->erasures)
	{
		McErasure  *e = lfirst(lc);

		describe_erasure(e->done ? &all->published : e->in_doubt ? &all->unknown : &all->not_published, e);
	}
}

static void
upload_failed(const mcw_error *err, void *arg)
{
	raise_upload(arg, err);
}

static void
erasure_failed(const mcw_error *err, void *arg)
{
	mcOdpsCheck(((McErasure *) arg)->target->odps, err->status ? err->status : MCW_ERR_PROTOCOL, err);
}

static void
publish(void)
{
	ListCell   *lc;

	foreach(lc, present->uploads)
	{
		McUpload   *u = lfirst(lc);
		mcw_error	err;

		memset(&err, 0, sizeof(err));
		u->attempted = true;
		u->outcome = mcs_odps_upload_commit(&u->target->odps->service, u->target->once, &u->session,
											present->deadline_us, &err);
		if (u->outcome != MCS_ODPS_PUBLISHED)
			mcPublishFailed(&err, upload_failed, u);
		mcPublishDone();
	}
}

mcw_status
mcOdpsErase(mcs_odps *service, mcw_view table, const char *quoted, bool keep_partition, bool *in_doubt, mcw_error *err)
{
	mcs_odps_sql sql = {0};
	mcs_odps_sql_result result;
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_arena	arena;
	mcw_buf		name;
	mcw_status	status;
	char	   *text;

	mcw_arena_init(&arena, &alloc, 16 * 1024 * 1024);
	mcw_buf_init(&name, &alloc, 64 * 1024);
	if (mcs_odps_sql_table(service, table, &name) != MCW_OK || !mcw_buf_cstr(&name))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (!quoted)
		text = psprintf("TRUNCATE TABLE %s;", name.data);
	else if (keep_partition)
		text = psprintf("TRUNCATE TABLE %s PARTITION (%s);", name.data, quoted);
	else
		text = psprintf("ALTER TABLE %s DROP IF EXISTS PARTITION (%s);", name.data, quoted);
	sql.task = quoted && !keep_partition ? "SQLDropPartitionTask" : "SQLTruncateTableTask";
	sql.query = mcw_str(text);
	sql.idempotent = true;
	status = mcs_odps_run_sql(service, &sql, &arena, &result, err);
	*in_doubt = status != MCW_OK && result.in_doubt;
	return status;
}

static void
execute(McErasure *e)
{
	mcw_error	err;

	memset(&err, 0, sizeof(err));
	e->attempted = true;
	if (mcOdpsErase(&e->target->odps->service, e->target->table->name, e->spec ? e->quoted : NULL, e->keep_partition,
					&e->in_doubt, &err) != MCW_OK)
		mcPublishFailed(&err, erasure_failed, e);
	e->done = true;
	mcPublishDone();
}

static void
erase(void)
{
	ListCell   *lc;

	foreach(lc, present->erasures)
		execute(lfirst(lc));
}

static void
verify(int64 deadline_us)
{
	ListCell   *lc;

	present = palloc0(sizeof(McPublication));
	present->deadline_us = deadline_us;
	for (McTarget *t = mcWriteTargets(); t; t = t->next)
		t->odps->service.deadline_us = deadline_us;
	collect_uploads(present);
	collect_erasures(present);
	compare(present, CurrentMemoryContext);
	foreach(lc, present->uploads)
	{
		McTarget   *target = ((McUpload *) lfirst(lc))->target;

		if (!target->once)
			target->once = mcPublishChannel(target->odps->server, &target->odps->alloc,
											target->odps->service.tunnel,
											mcn_channel_url(target->odps->service.tunnel), NULL);
	}
}

static bool
pending(void)
{
	for (McUpload *u = mcWriteUploads(); u; u = u->next)
		if (!u->listed)
			return true;
	for (McIntent *i = mcWriteIntents(); i; i = i->next)
		if (!i->listed)
			return true;
	return false;
}

static void
forget(bool committed)
{
	present = NULL;
	if (committed)
		for (McTarget *t = mcWriteTargets(); t; t = t->next)
			mcOdpsForgetTable(t->relid);
	mcWriteForget();
}

void
mcOdpsInitXact(void)
{
	static const McPublisher publisher = {
		.service = "MaxCompute",
		.expires = "Upload sessions belong to this session and expire.",
		.pending = pending,
		.writers = mcWriters,
		.verify = verify,
		.announce = announce,
		.publish = publish,
		.erase = erase,
		.outcomes = outcomes,
		.forget = forget,
		.sub_commit = mcWriteSubCommit,
		.sub_abort = mcWriteSubAbort,
		.seal = mcOdpsSeal,
		.targets = mcOdpsTargets,
	};

	mcPublisherAdd(MC_MAXCOMPUTE, &publisher);
}
