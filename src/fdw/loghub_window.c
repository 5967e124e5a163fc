/*
 * loghub_window.c
 *		From the conditions of a running scan to windows, and one mcs_scan for each.
 *
 * Expressions are evaluated at the first row and again after each ReScan, never when
 * the plan is started: parameters are not set then, and EXPLAIN must not evaluate.
 * What shortens a window or makes it inexact is said once per statement.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "loghub.h"

#define DEFAULT_FETCH_SIZE 1000
#define EAGER_PULLS 4			/* a page may have several MB, and nothing is known of them yet */

static TimestampTz
from_seconds(int64 seconds)
{
	return (seconds - MC_EPOCH_SECONDS) * USECS_PER_SEC;
}

static bool
notice_once(McLogScan *scan, int what)
{
	if (scan->noticed & what)
		return false;
	scan->noticed |= what;
	return true;
}

/* ---- selection ---- */

static void
evaluate(McLogScan *scan, ForeignScanState *node)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	Datum	   *values;
	bool	   *nulls;
	MemoryContext old;

	MemoryContextReset(scan->select_cxt);
	old = MemoryContextSwitchTo(scan->select_cxt);
	mcQualsEvaluate(scan->expr_states, econtext, &values, &nulls);
	mcLogSelect(scan->quals, values, nulls, scan->delay, scan->skew, &scan->selection);
	MemoryContextSwitchTo(old);
	scan->next_window = 0;
	scan->selected = true;

	if (!scan->selection.bounded && scan->selection.nwindows > 0 && notice_once(scan, MC_NOTICED_UNBOUNDED))
		ereport(NOTICE,
				(errmsg("scan of \"%s\" has no bound on the receive time and reads the whole retention", scan->table),
				 errhint("Add a condition on the column bound to __receive_time__, or declare max_delay and max_clock_skew.")));
}

/* ---- failure ---- */

void
mcLogRaise(McLogScan *scan, const mcw_error *err)
{
	McPlace		place;
	char		part[32];
	char		position[160];

	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	memset(&place, 0, sizeof(place));
	place.wrapper = MC_LOGHUB;
	place.server = scan->server->name;
	place.object = scan->logstore;
	if (scan->scan != NULL)
	{
		int			shard;
		const char *cursor;

		mcs_scan_failed_at(scan->scan, &shard, &cursor);
		if (shard >= 0)
		{
			snprintf(part, sizeof(part), "shard %d", shard);
			place.part = part;
		}
		if (cursor[0] != '\0')
		{
			snprintf(position, sizeof(position), "cursor %s", cursor);
			place.position = position;
		}
		if (strcmp(err->code, "ExpiredWindow") == 0)
		{
			const mcs_scan_info *info = mcs_scan_get_info(scan->scan);

			ereport(ERROR,
					(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
					 errmsg("the window of \"%s\" begins before the retention of logstore \"%s\"",
							scan->table, scan->logstore),
					 errdetail("It begins at %s; the logstore keeps %lld days and data of the last %d minutes of them may vanish while it is read.",
							   timestamptz_to_str(from_seconds(info->begin)), (long long) info->ttl_days,
							   MCS_EXPIRY_MARGIN / 60),
					 errhint("Choose a later begin, or set expired_window to 'clamp' to read what is left."),
					 mcPlaceContext(&place)));
		}
	}
	mcRaise(err, &place);
}

/* ---- windows ---- */

static bool
is_chained(McLogScan *scan)
{
	const char *why = mcLogNotChained(scan);

	if (why != NULL && scan->job != NULL && mcServerOptionBool(scan->server, "consumer_share", false))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("scan of \"%s\" in job \"%s\" cannot share shards with other databases: %s", scan->table, scan->job->name, why)));
	if (why != NULL && scan->job != NULL && notice_once(scan, MC_NOTICED_NOT_CHAINED))
		ereport(NOTICE,
				(errmsg("scan of \"%s\" in job \"%s\" is by time, not chained to the window before: %s",
						scan->table, scan->job->name, why),
				 errdetail("Log groups that arrive late at the edge of a window may be missed.")));
	return why == NULL;
}

void
mcLogWindowUnread(McLogScan *scan, ForeignScanState *node)
{
	mcs_scan_spec spec;

	evaluate(scan, node);
	if (mcLogNotChained(scan) != NULL)
		return;
	if (scan->channel == NULL)
		mcLogConnect(scan->server, &scan->alloc, &scan->channel, &scan->client);
	mcLogChain(scan, &spec);
	scan->fixed = NULL;
}

bool
mcLogNextWindow(McLogScan *scan, ForeignScanState *node)
{
	const McServer *server = scan->server;
	const char *codec = mcServerOption(server, "compression");
	mcs_scan_spec spec;
	const McWindow *window;
	mcw_error	err;

	if (!scan->started)
	{
		evaluate(scan, node);
		scan->started = true;
	}
	if (scan->next_window >= scan->selection.nwindows)
		return false;
	if (scan->channel == NULL)
		mcLogConnect(scan->server, &scan->alloc, &scan->channel, &scan->client);

	window = &scan->selection.windows[scan->next_window++];
	scan->window = *window;
	scan->resolved = false;
	memset(&spec, 0, sizeof(spec));
	spec.logstore = mcw_str(scan->logstore);
	spec.has_begin = window->has_begin;
	spec.has_end = window->has_end;
	spec.begin = window->begin;
	spec.end = window->end;
	spec.shards = scan->selection.shards;
	spec.nshards = scan->selection.nshards;
	spec.concurrency = server->concurrency;
	spec.first_pulls = scan->eager ? EAGER_PULLS : 1;
	spec.count = (int) mcServerOptionInt(server, "fetch_size", DEFAULT_FETCH_SIZE);
	spec.codec = MCW_CODEC_LZ4_BLOCK;
	if (codec != NULL && pg_strcasecmp(codec, "zstd") == 0)
		spec.codec = MCW_CODEC_ZSTD;
	else if (codec != NULL && pg_strcasecmp(codec, "none") == 0)
		spec.codec = MCW_CODEC_NONE;
	spec.clamp_expired = mcServerOptionIs(server, "expired_window", "clamp");
	spec.need_cursor_time = scan->want_receive;
	scan->chained = is_chained(scan);
	if (scan->chained)
		mcLogChain(scan, &spec);
	scan->scan = mcs_scan_create(&scan->client, &spec, &err);
	if (scan->scan == NULL)
		mcLogRaise(scan, &err);
	return true;
}

void
mcLogWindowResolved(McLogScan *scan)
{
	const mcs_scan_info *info = mcs_scan_get_info(scan->scan);

	if (scan->resolved || !info->resolved)
		return;
	scan->resolved = true;
	if (scan->client.clock_fixed > 0)
		mcLogRememberClock(scan->server, &scan->client);
	scan->window.has_begin = info->has_begin;
	scan->window.begin = info->begin;
	scan->window.has_end = info->has_end;
	scan->window.end = info->end;
	mcProgressWindow(info->has_begin ? info->begin * USECS_PER_SEC : 0, info->has_end ? info->end * USECS_PER_SEC : 0);

	if (info->begin_clamped && notice_once(scan, MC_NOTICED_CLAMPED))
		ereport(NOTICE,
				(errmsg("the window of \"%s\" begins before the retention of logstore \"%s\" and was cut",
						scan->table, scan->logstore),
				 errdetail("It now begins at %s.", timestamptz_to_str(from_seconds(info->begin)))));
	if (info->end_clamped && notice_once(scan, MC_NOTICED_FUTURE))
		ereport(NOTICE,
				(errmsg("the window of \"%s\" ends in the future and was cut at the service's clock", scan->table),
				 errdetail("It now ends before %s.", timestamptz_to_str(from_seconds(info->end)))));
	/* cut at the clock implies not settled; a scan without any bound has been announced already */
	else if (scan->selection.bounded && !info->end_clamped &&
			 (!info->has_end || info->end > info->service_now - MCS_SETTLE_SECONDS) &&
			 notice_once(scan, MC_NOTICED_SETTLING))
		ereport(NOTICE,
				(errmsg("the window of \"%s\" ends less than %d seconds before the service's clock",
						scan->table, MCS_SETTLE_SECONDS),
				 errdetail("Log groups of its last seconds may still arrive, so the same scan may return more later.")));
}

static void
add_info(McLogStats *stats, const mcs_scan_info *info)
{
	stats->windows++;
	stats->shards = Max(stats->shards, info->shards);
	stats->late_shards += info->late_shards;
	stats->slices += info->slices;
	stats->slices_done += info->slices_done;
	stats->pages += info->pages;
	stats->groups += info->groups;
	stats->bytes_compressed += info->bytes_compressed;
	stats->bytes_raw += info->bytes_raw;
	stats->stalls += info->stalls;
}

void
mcLogStatsNow(const McLogScan *scan, McLogStats *stats)
{
	*stats = scan->stats;
	if (scan->scan != NULL)
		add_info(stats, mcs_scan_get_info(scan->scan));
}

void
mcLogWindowDone(McLogScan *scan)
{
	if (scan->scan == NULL)
		return;
	mcLogChainPageDone(scan);
	mcLogChainDone(scan);
	add_info(&scan->stats, mcs_scan_get_info(scan->scan));
	mcs_scan_free(scan->scan);
	scan->scan = NULL;
	scan->page = NULL;
	scan->in_group = false;
}
