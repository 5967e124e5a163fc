/*
 * ots_stream_window.c
 *		From the conditions of a running scan to its window, and what is said about it.
 *
 * Expressions are evaluated at the first row and again after each ReScan, never when
 * the plan is started: parameters are not set then, and EXPLAIN must not evaluate.
 * What shortens a window is said once per statement.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "ots_stream.h"

static const char *
time_text(int64 unix_us)
{
	/* a message may name several, and they share a buffer */
	return pstrdup(timestamptz_to_str(unix_us - MC_EPOCH_US));
}

static void
evaluate(McStreamScan *scan, ForeignScanState *node)
{
	ExprContext *econtext = node->ss.ps.ps_ExprContext;
	Datum	   *values;
	bool	   *nulls;
	MemoryContext old;

	MemoryContextReset(scan->select_cxt);
	old = MemoryContextSwitchTo(scan->select_cxt);
	mcQualsEvaluate(scan->expr_states, econtext, &values, &nulls);
	mcStreamSelect(scan->quals, values, nulls, &scan->selection);
	MemoryContextSwitchTo(old);
}

bool
mcStreamOpen(McStreamScan *scan, ForeignScanState *node)
{
	const McStreamSelection *selection = &scan->selection;

	evaluate(scan, node);
	if (selection->empty)
		return false;
	if (!selection->has_begin && !scan->unbounded_noticed)
	{
		scan->unbounded_noticed = true;
		ereport(NOTICE,
				(errmsg("scan of \"%s\" has no lower bound on the commit time and reads the whole change stream",
						scan->relname),
				 errhint("Add a condition on the column bound to __commit_time__.")));
	}
	if (scan->live == NULL)
		scan->live = mcOtsLiveTable(scan->conn, scan->table, scan->columns);
	mcStreamOpenWindow(scan);
	return true;
}

void
mcStreamOpenWindow(McStreamScan *scan)
{
	const McStreamSelection *selection = &scan->selection;
	MemoryContext old = MemoryContextSwitchTo(scan->select_cxt);
	mcs_ots_stream_spec spec;
	mcw_error	err;

	memset(&spec, 0, sizeof(spec));
	spec.table = mcw_str(pg_server_to_any(scan->table, strlen(scan->table), PG_UTF8));
	spec.has_begin = selection->has_begin;
	spec.has_end = selection->has_end;
	spec.begin_us = selection->begin;
	spec.end_us = selection->end;
	spec.shards = selection->shards;
	spec.nshards = selection->nshards;
	/* a chain has no gaps, and what is cut off at its end would never be read */
	spec.chain = mcStreamChain(scan);
	spec.clamp_expired = (spec.chain == NULL || spec.chain->first) &&
		mcServerOptionIs(scan->server, "expired_window", "clamp");
	spec.clamp_unsettled = spec.chain == NULL && !mcServerOptionIs(scan->server, "unsettled_window", "error");
	spec.concurrency = scan->server->concurrency;
	scan->resolved = false;
	scan->scan = mcs_ots_stream_create(&scan->conn->client, &spec, &err);
	if (scan->scan == NULL)
		mcStreamRaise(scan, &err);
	MemoryContextSwitchTo(old);
}

void
mcStreamResolved(McStreamScan *scan)
{
	const mcs_ots_stream_info *info = mcs_ots_stream_get_info(scan->scan);

	if (scan->resolved || !info->resolved)
		return;
	scan->resolved = true;
	scan->selection.has_begin = info->has_begin;
	scan->selection.begin = info->begin_us;
	scan->selection.has_end = true;
	scan->selection.end = info->end_us;
	mcProgressWindow(info->has_begin ? info->begin_us : 0, info->end_us);

	if (info->begin_clamped && !scan->begin_noticed)
	{
		scan->begin_noticed = true;
		ereport(NOTICE,
				(errmsg("the window of \"%s\" begins before the oldest record of the change stream and was cut",
						scan->relname),
				 errdetail("It now begins at %s.", time_text(info->begin_us))));
	}
	if (info->end_clamped && !scan->end_noticed)
	{
		scan->end_noticed = true;
		ereport(NOTICE,
				(errmsg("the window of \"%s\" ends less than %d seconds before the service's clock and was cut",
						scan->relname, MCS_OTS_STREAM_LAG),
				 errdetail("It now ends before %s; later changes may still be incomplete.", time_text(info->end_us))));
	}
}

static void
add_info(mcs_ots_stream_info *sum, const mcs_ots_stream_info *info)
{
	mcs_ots_stream_info now = *info;

	now.pages += sum->pages;
	now.empty_pages += sum->empty_pages;
	now.records += sum->records;
	now.bytes += sum->bytes;
	now.stalls += sum->stalls;
	*sum = now;
}

void
mcStreamStatsNow(const McStreamScan *scan, mcs_ots_stream_info *info)
{
	*info = scan->total;
	if (scan->scan != NULL)
		add_info(info, mcs_ots_stream_get_info(scan->scan));
}

void
mcStreamClose(McStreamScan *scan)
{
	if (scan->scan == NULL)
		return;
	add_info(&scan->total, mcs_ots_stream_get_info(scan->scan));
	mcs_ots_stream_free(scan->scan);
	scan->scan = NULL;
	scan->page = NULL;
	scan->in_record = false;
}

/* ---- failure ---- */

static void
failed_place(McStreamScan *scan, McPlace *place)
{
	const char *shard = "";
	const char *iterator = "";

	scan->page = NULL;
	mcStreamPlace(scan, place);
	if (scan->scan != NULL)
		mcs_ots_stream_failed_at(scan->scan, &shard, &iterator);
	if (shard[0] != '\0')
	{
		snprintf(scan->part, sizeof(scan->part), "shard %s", shard);
		place->part = scan->part;
	}
	if (iterator[0] != '\0')
	{
		snprintf(scan->position, sizeof(scan->position), "iterator %s", iterator);
		place->position = scan->position;
	}
}

pg_noreturn static void
raise_expired(const McStreamScan *scan, const McPlace *place)
{
	const mcs_ots_stream_info *info = mcs_ots_stream_get_info(scan->scan);
	bool		enabled_since = info->oldest_us == info->creation_us;

	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("the window of \"%s\" begins before the oldest record of the change stream", scan->relname),
			 enabled_since ?
			 errdetail("It begins at %s; the change stream was enabled at %s, and changes before that were not recorded.",
					   time_text(info->begin_us), time_text(info->creation_us)) :
			 errdetail("It begins at %s; the change stream keeps %d hours and data of the last %d minutes of them may vanish while it is read.",
					   time_text(info->begin_us), info->expiration, MCS_OTS_STREAM_MARGIN / 60),
			 scan->source && !scan->source->first ?
			 errhint("Changes are missing, or may be before the window is read: copy the whole table again, then reset the job to go on from there.") :
			 errhint("Changes are missing: copy the whole table again and go on from there; or set expired_window to 'clamp' to read what is left."),
			 mcPlaceContext(place)));
}

void
mcStreamCheckEnabled(const mcw_error *err, const char *table, const McPlace *place)
{
	if (strcmp(err->code, "StreamNotEnabled") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" has no change stream", table),
				 errhint("Enable it with UpdateTable (StreamSpecification: enable_stream, expiration_time in hours) or in the console; only changes made after that are recorded."),
				 mcPlaceContext(place)));
}

void
mcStreamRaise(McStreamScan *scan, const mcw_error *err)
{
	McPlace		place;
	char	   *detail = mcErrorDetail(err);

	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	failed_place(scan, &place);
	if (strcmp(err->code, "ExpiredWindow") == 0)
		raise_expired(scan, &place);
	if (strcmp(err->code, "UnsettledWindow") == 0)
	{
		const mcs_ots_stream_info *info = mcs_ots_stream_get_info(scan->scan);

		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("the window of \"%s\" ends less than %d seconds before the service's clock",
						scan->relname, MCS_OTS_STREAM_LAG),
				 errdetail("It ends at %s; the service's clock shows %s.", time_text(info->end_us),
						   time_text(info->service_now_us)),
				 scan->source ? errhint("Set the lag of the job to %d seconds or more.", MCS_OTS_STREAM_LAG) :
				 errhint("End the window at mc.safe_until(), or set unsettled_window to 'clamp'."),
				 mcPlaceContext(&place)));
	}
	mcStreamCheckEnabled(err, scan->table, &place);
	mcStreamChainRaise(scan, err, &place);
	if (strcmp(err->code, "OTSTrimmedDataAccess") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("records of the change stream of \"%s\" vanished while they were read", scan->table),
				 detail ? errdetail("%s", detail) : 0,
				 errhint("They expired, or the change stream was disabled. Changes are missing: copy the whole table again and go on from there."),
				 mcPlaceContext(&place)));
	if (strcmp(err->code, "OTSObjectNotExist") == 0 && place.part != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the change stream of \"%s\" was disabled while it was read", scan->table),
				 detail ? errdetail("%s", detail) : 0,
				 errhint("A change stream that is enabled again is a new one: copy the whole table again and go on from there."),
				 mcPlaceContext(&place)));
	mcRaise(err, &place);
}
