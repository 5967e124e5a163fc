/*
 * ots_stream_chain.c
 *		Reading a change stream in the run of a job: by position, each window from where
 *		the one before ended (guarantees.md 7.2).
 *
 * A scan is chained if its window is exactly the run's and it reads all shards.  Ends
 * are found by reading; the first scan of a run that has read everything fixes them, and
 * further scans read the same records.  A scan that its plan does not read to the end
 * does so when it ends: what nobody asked for is of this window all the same.
 *
 * A position as text, in mc.run_shard and mc.checkpoint, is one of
 *
 *	oldest								in front of the shard's oldest record
 *	time <us>							in front of the first record not older than it
 *	record <skip> <sequence> <iterator> behind so many records of the page
 *
 * where the sequence is that of the record in front, as __sequence__ shows it but
 * without the shard, or "-" if there is none.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/timestamp.h"

#include "ots_stream.h"

/* ---- positions as text ---- */

static char *
mark_text(const mcs_ots_mark *mark)
{
	const mcs_ots_sequence *last = &mark->last;
	char	   *sequence = "-";

	if (mark->kind == MCS_OTS_MARK_OLDEST)
		return pstrdup("oldest");
	if (mark->kind == MCS_OTS_MARK_TIME)
		return psprintf("time " INT64_FORMAT, mark->time_us);
	if (mark->has_last)
		sequence = psprintf("%010d_%020lld_%010d", last->epoch, (long long) last->time_us, last->index);
	return psprintf("record " INT64_FORMAT " %s %.*s", mark->skip, sequence, (int) mark->iterator.len, mark->iterator.data);
}

static bool
read_sequence(const char *text, mcs_ots_mark *mark)
{
	long long	time_us;
	int			len = -1;

	if (strncmp(text, "- ", 2) == 0)
		return true;
	mark->has_last = true;
	if (sscanf(text, "%d_%lld_%d %n", &mark->last.epoch, &time_us, &mark->last.index, &len) != 3 || len < 0)
		return false;
	mark->last.time_us = time_us;
	return true;
}

/* Views into 'text' */
static mcs_ots_mark
read_mark(const char *shard, const char *text)
{
	mcs_ots_mark mark = {.kind = MCS_OTS_MARK_OLDEST};
	const char *rest;
	char	   *end;
	bool		good = false;

	if (strcmp(text, "oldest") == 0)
		good = true;
	else if (strncmp(text, "time ", 5) == 0)
	{
		mark.kind = MCS_OTS_MARK_TIME;
		mark.time_us = strtoll(text + 5, &end, 10);
		good = end > text + 5 && *end == '\0';
	}
	else if (strncmp(text, "record ", 7) == 0)
	{
		mark.kind = MCS_OTS_MARK_RECORD;
		mark.skip = strtoll(text + 7, &end, 10);
		rest = end > text + 7 && *end == ' ' ? strchr(end + 1, ' ') : NULL;
		good = rest != NULL && read_sequence(end + 1, &mark) && mark.skip >= 0 && (mark.skip == 0 || mark.has_last);
		mark.iterator = mcw_str(good ? rest + 1 : "");
		good = good && mark.iterator.len > 0;
	}
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the recorded position of shard \"%s\" is damaged", mcPrintable(shard)),
				 errdetail("It reads \"%s\".", mcPrintable(text))));
	return mark;
}

/* ---- begin ---- */

/* Part of the spec that makes the scan a chained one, in CurrentMemoryContext; NULL = it is read by time */
const mcs_ots_chain *
mcStreamChain(McStreamScan *scan)
{
	const McStreamSelection *selection = &scan->selection;
	McJobSource *source;
	mcs_ots_chain *chain;
	mcs_ots_link *links;
	ListCell   *lc;

	scan->source = NULL;
	if (!selection->has_begin || !selection->has_end || selection->shards != NULL ||
		!mcJobWindow(selection->begin - MC_EPOCH_US, selection->end - MC_EPOCH_US))
		return NULL;
	source = mcJobSource(MC_TABLESTORE, psprintf("tablestore:%s/%s/%s", mcEndpointHost(scan->server->endpoint),
												 scan->server->instance, scan->table));
	scan->source = source;
	scan->begin = selection->begin;
	scan->end = selection->end;
	chain = palloc0(sizeof(mcs_ots_chain));
	chain->first = source->first;
	chain->has_ends = source->frozen;
	chain->stream_id = mcw_str(source->generation ? source->generation : "");
	links = palloc0(sizeof(mcs_ots_link) * (list_length(source->positions) + 1));
	foreach(lc, source->positions)
	{
		const McJobPosition *p = lfirst(lc);
		mcs_ots_link *link = &links[chain->nlinks];

		if (source->frozen && p->end == NULL)
			continue;
		chain->nlinks++;
		link->id = mcw_str(p->shard);
		link->done = p->was_finished;
		if (p->begin != NULL)
			link->begin = read_mark(p->shard, p->begin);
		link->has_end = source->frozen;
		if (link->has_end)
			link->end = read_mark(p->shard, p->end);
		link->closed = link->has_end && p->finished;
	}
	chain->links = links;
	return chain;
}

/* ---- end ---- */

pg_noreturn static void
raise_difference(McStreamScan *scan, const char *shard)
{
	McPlace		place;

	mcStreamPlace(scan, &place);
	place.part = psprintf("shard %s", mcPrintable(shard));
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("two scans of the change stream of \"%s\" in one run have read different records", scan->relname),
			 errdetail("A record with a commit time in the window appeared between them."),
			 errhint("Try again; if it happens often, let the job lag more."),
			 mcPlaceContext(&place)));
}

static bool
same_end(const char *shard, const char *recorded, const mcs_ots_mark *end)
{
	mcs_ots_mark mark = read_mark(shard, recorded);

	return mark.has_last == end->has_last && (!mark.has_last || mcs_ots_sequence_cmp(&mark.last, &end->last) == 0);
}

/* Everything has been read: here the next window begins */
void
mcStreamChainEnd(McStreamScan *scan)
{
	McJobSource *source = scan->source;

	if (source == NULL)
		return;
	scan->read_all = true;
	for (int i = 0; i < mcs_ots_stream_nshards(scan->scan); i++)
	{
		mcs_ots_shard_end end;
		McJobPosition *p;

		if (!mcs_ots_stream_shard_end(scan->scan, i, &end))
			continue;
		scan->late += end.late;
		p = mcJobPosition(source, end.shard);
		if (source->frozen)
		{
			if (p == NULL || p->end == NULL || !same_end(end.shard, p->end, &end.end))
				raise_difference(scan, end.shard);
			continue;
		}
		if (p == NULL)
			p = mcJobAddPosition(source, end.shard);
		if (p->begin == NULL)
			p->begin = mcJobCopy(mark_text(&end.begin));
		p->end = mcJobCopy(mark_text(&end.end));
		p->finished = end.closed;
		p->rows = end.records;
		p->late = end.late;
	}
	if (!source->frozen && source->generation == NULL && mcs_ots_stream_get_info(scan->scan)->resolved)
		source->generation = mcJobCopy(mcs_ots_stream_id(scan->scan));
	source->frozen = true;
}

/* The plan wants no more rows: read on to the end of the window, unless another scan has found it */
void
mcStreamChainFinish(McStreamScan *scan)
{
	if (scan->source == NULL || scan->source->frozen || mcJob == NULL)
		return;
	scan->selection.begin = scan->begin;
	scan->selection.end = scan->end;
	if (scan->scan == NULL)
		mcStreamOpenWindow(scan);
	while (mcStreamNextPage(scan))
		;
}

/* What the run counts */
void
mcStreamCount(const McStreamScan *scan)
{
	const mcn_stats *net = mcn_channel_stats(scan->conn->channel);

	if (mcJob == NULL)
		return;
	mcJob->rows_in += scan->rows;
	mcJob->read_cu += scan->conn->client.read_units;
	mcJobCount(net, NULL, false);
}

/* ---- failure ---- */

void
mcStreamChainRaise(const McStreamScan *scan, const mcw_error *err, const McPlace *place)
{
	if (strcmp(err->code, "StreamChanged") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the change stream of \"%s\" is another one than the job has read so far", scan->table),
				 errdetail("The stream was disabled, or the table was made anew; changes in between were not recorded."),
				 errhint("Copy the whole table again, then reset the job to go on from there."),
				 mcPlaceContext(place)));
	if (strcmp(err->code, "PositionLost") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the change stream of \"%s\" cannot be continued: %s", scan->table, mcPrintable(err->message)),
				 err->text[0] ? errdetail("It was %s.", mcPrintable(err->text)) : 0,
				 errhint("Copy the whole table again, then reset the job to go on from there."),
				 mcPlaceContext(place)));
}
