/*
 * loghub_chain.c
 *		A LogHub scan in the run of a job: where it begins and ends in each shard follows
 *		from the windows before, not from the clock (guarantees.md 7.1).
 *
 * The positions are fixed once for each run and logstore; all scans of the run read the
 * same.  A scan that the executor never asks for a row belongs to the window all the
 * same, so its positions are fixed when it ends.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "catalog/pg_collation.h"

#include "../service/mcs_loghub_chain.h"
#include "loghub.h"

/* What a run has fixed for a logstore, in the run's memory: McJobSource.fixed */
struct McLogFixed
{
	int			n;
	mcs_range  *ranges;			/* to be read, by shard; empty ones are left out */
	McJobPosition **positions;	/* of each range */
	int64		service_now;
	int64		ttl_days;
};

static TimestampTz
from_seconds(int64 seconds)
{
	return (seconds - MC_EPOCH_SECONDS) * USECS_PER_SEC;
}

/*
 * The same logstore has several names: another network, an old domain, a port.  Positions
 * must not be forgotten when a server's endpoint changes from one to the other.
 */
char *
mcLogSourceKey(const McServer *server, const char *logstore)
{
	static const char *const networks[] = {"-intranet", "-share", "-internal"};
	char	   *host = mcEndpointHost(server->endpoint);
	char	   *port = strrchr(host, ':');
	char	   *dot = strchr(host, '.');
	char	   *old;

	if (port != NULL && strspn(port + 1, "0123456789") == strlen(port + 1))
		*port = '\0';
	for (int i = 0; dot != NULL && i < lengthof(networks); i++)
	{
		size_t		len = strlen(networks[i]);

		if (dot - host > len && strncmp(dot - len, networks[i], len) == 0)
		{
			memmove(dot - len, dot, strlen(dot) + 1);
			break;
		}
	}
	old = strstr(host, ".sls.aliyuncs.com");
	if (old != NULL)
		memcpy(old, ".log", 4);
	return psprintf("loghub:%s/%s/%s", host, server->project, logstore);
}

const char *
mcLogNotChained(const McLogScan *scan)
{
	const McLogSelection *selection = &scan->selection;

	if (scan->job == NULL)
		return "only in the run of a job";
	if (selection->nwindows != 1 || !selection->windows[0].has_begin || !selection->windows[0].has_end ||
		!mcJobWindow(from_seconds(selection->windows[0].begin), from_seconds(selection->windows[0].end)))
		return "the bounds on the receive time are not the job's $1 and $2";
	if (selection->shards != NULL)
		return "it has a condition on the shard";
	return NULL;
}

/* ---- fixing the positions ---- */

pg_noreturn static void
raise_chain(McLogScan *scan, const mcw_error *err)
{
	int			shard = mcs_chain_failed_shard(scan->chain);
	McPlace		place = {MC_LOGHUB, scan->server->name, scan->logstore};
	char		part[32];

	if (shard >= 0)
	{
		snprintf(part, sizeof(part), "shard %d", shard);
		place.part = part;
	}
	if (strcmp(err->code, "WindowNotDue") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the window of \"%s\" ends less than %d seconds before the service's clock",
						scan->table, MCS_SETTLE_SECONDS),
				 errdetail("It ends at %s, the service's clock says %s.", timestamptz_to_str(scan->job->hi),
						   timestamptz_to_str(from_seconds(mcs_chain_service_now(scan->chain)))),
				 errhint("Give the job a lag of at least one minute, better five."),
				 mcPlaceContext(&place)));
	if (strcmp(err->code, "ExpiredWindow") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the window of \"%s\" begins before the retention of logstore \"%s\"", scan->table, scan->logstore),
				 errdetail("It begins at %s; the logstore keeps %lld days and data of the last %d minutes of them may vanish while it is read.",
						   timestamptz_to_str(scan->job->lo), (long long) mcs_chain_ttl_days(scan->chain), MCS_EXPIRY_MARGIN / 60),
				 errhint("What has expired cannot be read any more: skip the window, or let the job begin later."),
				 mcPlaceContext(&place)));
	if (strcmp(err->code, "ShardGone") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("shard %d of logstore \"%s\" is gone", shard, scan->logstore),
				 errdetail("It was deleted or has expired before the job had read it to its end."),
				 errhint("The rest of its data is lost. Skip the window, or begin anew with mc.reset_job()."),
				 mcPlaceContext(&place)));
	mcRaise(err, &place);
}

static void
release_chain(McLogScan *scan)
{
	if (scan->chain != NULL)
		mcs_chain_free(scan->chain);
	scan->chain = NULL;
}

static mcw_view
view_of(const char *text)
{
	return text ? mcw_str(text) : (mcw_view) {NULL, 0};
}

/* What the chain has found goes to the run's memory; McJobSource is complete only then */
static void
keep(McJobSource *source, const mcs_chain *chain)
{
	int			n = mcs_chain_count(chain);
	MemoryContext old = MemoryContextSwitchTo(mcJob->cxt);
	struct McLogFixed *fixed = palloc0(sizeof(*fixed));

	fixed->ranges = palloc(sizeof(mcs_range) * Max(n, 1));
	fixed->positions = palloc(sizeof(McJobPosition *) * Max(n, 1));
	fixed->service_now = mcs_chain_service_now(chain);
	fixed->ttl_days = mcs_chain_ttl_days(chain);
	for (int i = 0; i < n; i++)
	{
		const mcs_chain_shard *shard = mcs_chain_get(chain, i);
		char	   *id = psprintf("%d", shard->id);
		McJobPosition *position = mcJobPosition(source, id);

		if (position == NULL)
			position = mcJobAddPosition(source, id);
		position->was_finished = shard->was_finished;
		if (shard->was_finished)
			continue;
		position->begin = pstrdup(shard->range.begin.data);
		position->end = pstrdup(shard->range.end.data);
		if (!source->replay)
			position->finished = shard->finished;
		if (mcs_cursor_eq(&shard->range.begin, &shard->range.end))
			continue;
		fixed->positions[fixed->n] = position;
		fixed->ranges[fixed->n++] = shard->range;
	}
	source->fixed = fixed;
	source->frozen = true;
	MemoryContextSwitchTo(old);
}

static void
fix(McLogScan *scan, McJobSource *source)
{
	mcs_chain_spec spec;
	mcw_status	status;
	mcw_error	err;
	ListCell   *lc;

	memset(&spec, 0, sizeof(spec));
	spec.logstore = mcw_str(scan->logstore);
	spec.begin = scan->selection.windows[0].begin;
	spec.end = scan->selection.windows[0].end;
	spec.by_time = source->first;
	spec.replay = source->replay;
	spec.ordered = scan->ordered;
	spec.concurrency = scan->server->concurrency;
	release_chain(scan);
	scan->chain = mcs_chain_create(&scan->client, &spec);
	if (scan->chain == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	foreach(lc, source->positions)
	{
		const McJobPosition *p = lfirst(lc);

		if (mcs_chain_add(scan->chain, pg_strtoint32(p->shard), view_of(p->begin), view_of(p->end), p->was_finished, &err) != MCW_OK)
			raise_chain(scan, &err);
	}
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_chain_run(scan->chain, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (scan->client.clock_fixed > 0)
		mcLogRememberClock(scan->server, &scan->client);
	if (status != MCW_OK)
		raise_chain(scan, &err);
	keep(source, scan->chain);
	release_chain(scan);
}

/* Only what the window has claimed, and in no order: another database may be behind with what was before */
static void
check_shared(McLogScan *scan, const McJobSource *source)
{
	McPlace		place = {MC_LOGHUB, scan->server->name, scan->logstore};

	if (scan->ordered)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("shards of \"%s\" that are shared with other databases cannot be read in order", scan->table),
				 errdetail("The statement may replace rows by rows that are older."),
				 errhint("Use an INSERT, without ON CONFLICT and row triggers, into MaxCompute, OSS or local tables, or set consumer_share to 'false' everywhere."),
				 mcPlaceContext(&place)));
	/* recorded windows are read again as they were */
	if (!source->shared && !source->replay)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the window has claimed nothing of \"%s\", whose shards are shared with other databases", scan->table),
				 scan->job->backfill ? errhint("A backfill can repeat only windows that were claimed or read by this database.") :
				 errhint("Name the table in the sources of the job: mc.alter_job()."),
				 mcPlaceContext(&place)));
}

void
mcLogChain(McLogScan *scan, mcs_scan_spec *spec)
{
	McJobSource *source = mcJobSource(MC_LOGHUB, mcLogSourceKey(scan->server, scan->logstore));
	const struct McLogFixed *fixed;

	if (mcServerOptionBool(scan->server, "consumer_share", false))
		check_shared(scan, source);
	if (source->fixed == NULL)
		fix(scan, source);
	fixed = source->fixed;
	scan->fixed = fixed;
	scan->counted = MemoryContextAllocZero(scan->select_cxt, sizeof(McLogCounted) * Max(fixed->n, 1));
	spec->ranges = fixed->ranges;
	spec->nranges = fixed->n;
	spec->service_now = fixed->service_now;
	spec->ttl_days = fixed->ttl_days;
	spec->ordered = scan->ordered;
}

/* ---- counting ---- */

void
mcLogChainPageDone(McLogScan *scan)
{
	const mcs_page *page = scan->page;
	int			low = 0;
	int			high;

	if (scan->fixed == NULL || page == NULL)
		return;
	/* without the service's tag the time of the page is all that is known */
	if (scan->stats.late_groups == scan->page_late && page->cursor_time > 0 && page->cursor_time < scan->window.begin)
		scan->stats.late_groups += page->groups;
	high = scan->fixed->n;
	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (scan->fixed->ranges[middle].shard < page->shard)
			low = middle + 1;
		else
			high = middle;
	}
	scan->counted[low].late += scan->stats.late_groups - scan->page_late;
	scan->counted[low].rows += scan->stats.logs - scan->page_logs;
	scan->counted[low].max_time = Max(scan->counted[low].max_time, scan->page_time);
}

/* Several scans of a run read the same: the fullest count is that of the window */
void
mcLogChainDone(McLogScan *scan)
{
	if (scan->fixed == NULL)
		return;
	for (int i = 0; i < scan->fixed->n; i++)
	{
		McJobPosition *position = scan->fixed->positions[i];

		position->late = Max(position->late, scan->counted[i].late);
		position->rows = Max(position->rows, scan->counted[i].rows);
		position->max_log_time = Max(position->max_log_time, scan->counted[i].max_time);
	}
	scan->fixed = NULL;
}

/* Memory is still there, nothing may be raised: runs in every ending of the scan */
void
mcLogChainRelease(McLogScan *scan)
{
	McJobRun   *job = scan->job;
	McLogStats	stats;

	release_chain(scan);
	scan->job = NULL;
	if (job == NULL || !mcJobAlive(job))
		return;
	mcLogStatsNow(scan, &stats);
	job->rows_in += stats.logs;
	if (scan->channel != NULL)
		mcJobCountFor(job, mcn_channel_stats(scan->channel), NULL, false);
}

static bool
has_exec_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return true;
	return expression_tree_walker(node, has_exec_param, context);
}

/* Can the conditions be evaluated although the scan was never begun? */
bool
mcLogUnreadWindow(McLogScan *scan, ForeignScanState *node)
{
	return scan->job != NULL && scan->job == mcJob && !scan->selected &&
		!has_exec_param((Node *) ((ForeignScan *) node->ss.ps.plan)->fdw_exprs, NULL);
}
