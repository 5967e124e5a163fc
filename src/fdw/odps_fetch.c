/*
 * odps_fetch.c
 *		The rows of one scan: download sessions opened ahead, ranges in flight, pages
 *		handed out in order.
 *
 * A page is one range of one partition: its bytes are the unit of memory, of
 * prefetch and of repair.  Memory is bounded by (concurrency + 1) pages.  The first
 * range is small and alone, so that LIMIT is cheap; both size and number grow with
 * what is consumed.  A page that turns out damaged in its middle is asked for again
 * from the first row that was not handed out.  Knows nothing of Datums.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "odps_read.h"

#define PAGE_TARGET (4 * 1024 * 1024)	/* bytes of record stream a range should have */
#define FIRST_TARGET (256 * 1024)
#define FIRST_MAX_ROWS 10000
#define GUESSED_VALUE 20		/* bytes of a value before anything was seen */
#define MAX_GROWTH 8			/* of a range against the one before */
#define PAGE_LIMIT ((size_t) 64 * 1024 * 1024)	/* a page beyond it is read in smaller pieces */
#define ROW_LIMIT ((size_t) 1024 * 1024 * 1024)	/* a single row */
#define POLL_BYTES (256 * 1024) /* decoded between two looks at the network */
#define POLL_ROWS 256
#define REPEAT_DELAY_MS 50
#define REFUSED_DELAY_US INT64CONST(2000000)

typedef enum PageState
{
	PAGE_FREE,
	PAGE_LOADING,
	PAGE_LOADED
} PageState;

typedef struct McPage
{
	McFetch    *fetch;
	PageState	state;
	McPart	   *part;
	int64		first;
	int64		count;			/* rows this page stands for */
	int64		delivered;		/* of them, handed out */
	int64		asked;			/* rows of the running or last request */
	int			repeats;
	size_t		limit;			/* of the response and of the decompressed stream */
	mcs_odps_call call;
	mcw_buf		response;		/* kept between requests */
	mcw_buf		scratch;
	mcw_view	stream;
	mcw_odps_reader reader;
} McPage;

typedef struct Opening
{
	McFetch    *fetch;
	McPart	   *part;			/* NULL: free */
	mcs_odps_call call;
} Opening;

struct McFetch
{
	McFetchSetup setup;
	bool		quota_wait;		/* a session was refused for good by its retries, and is waited for */
	bool		quota_told;
	MemoryContextCallback on_reset;
	mcw_alloc	alloc;
	MemoryContext cxt;
	McPart	  **parts;
	int			nparts;
	int			issue_part;		/* ranges are made of this one */
	int			open_part;		/* sessions before it were asked for */
	int			allowed;		/* requests in flight, grows to the concurrency */
	int			in_flight;
	McPage	   *pages;			/* ring */
	int			npages;
	int			head;
	int			used;
	McPage	   *current;		/* being handed out: the head */
	const char *poll_at;
	int			poll_rows;
	int64		range_rows;
	int			nopenings;
	Opening    *openings;
	mcw_odps_value *values;
	McFetchStats stats;
};

/* ---- sessions ---- */

/*
 * The service lets a table have 200 new sessions in five minutes, and a scan of many
 * partitions needs one for each: what retries do not outlast is waited for as long
 * as retry_max_elapsed allows.
 */
static bool
wait_for_quota(McFetch *fetch, McPart *part, const mcn_request *req)
{
	int64		now = mcn_now_us();

	if (req->status != MCW_ERR_SERVICE || req->error.http_status != 429)
		return false;
	if (part->refused_us == 0)
		part->refused_us = now;
	if (now - part->refused_us >= fetch->setup.odps->server->net.retry_max_elapsed_ms * INT64CONST(1000))
		return false;
	part->waiting = true;
	fetch->quota_wait = true;
	part->reload_us = now + REFUSED_DELAY_US;
	return true;
}

/* Is the part to be asked for again at some time? */
static bool
part_is_due_later(const McPart *part)
{
	return (part->session.state == MCS_ODPS_SESSION_PENDING || part->waiting) && !part->opening;
}

static bool
part_has_failed(const McPart *part)
{
	return part->session.state == MCS_ODPS_SESSION_NONE && !part->opening && !part->waiting;
}

static void
session_done(mcn_request *req)
{
	Opening    *opening = req->owner;
	McFetch    *fetch = opening->fetch;
	McPart	   *part = opening->part;
	mcw_error	err;
	int			delay;

	part->opening = false;
	opening->part = NULL;		/* the call is freed when the place is used again */
	fetch->in_flight--;
	if (wait_for_quota(fetch, part, req))
		return;
	if (mcs_odps_download_opened(&opening->call, fetch->setup.table, &part->session, &delay, &err) != MCW_OK)
	{
		part->failed = fetch->alloc.resize(fetch->alloc.ctx, NULL, 0, sizeof(mcw_error));
		if (part->failed)
			*part->failed = err;
		part->session.state = MCS_ODPS_SESSION_NONE;
	}
	else if (part->session.state == MCS_ODPS_SESSION_PENDING)
		part->reload_us = mcn_now_us() + (int64) delay * 1000;
}

static bool
open_session(McFetch *fetch, McPart *part)
{
	for (int i = 0; i < fetch->nopenings; i++)
	{
		Opening    *opening = &fetch->openings[i];

		if (opening->part)
			continue;
		mcs_odps_call_free(&opening->call);
		if (part->session.state == MCS_ODPS_SESSION_NONE)
			fetch->stats.sessions++;
		part->opening = true;
		part->waiting = false;
		opening->part = part;
		fetch->in_flight++;
		mcs_odps_download_open(&opening->call, &fetch->setup.odps->service, &part->session);
		opening->call.req.owner = opening;
		opening->call.req.on_done = session_done;
		mcs_odps_call_start(&opening->call);
		return true;
	}
	return false;
}

/* ---- pages ---- */

/*
 * Does the stream end in a footer that counts 'count' rows?  Streams are asked for
 * without metrics, so that its bytes are known but for the checksum behind them.
 */
static bool
footer_counts(mcw_view stream, int64 count)
{
	char		expected[24] = {(char) 0xf0, (char) 0xff, (char) 0xff, 0x7f};
	uint64		zigzag = (uint64) count << 1;
	size_t		len = 4;

	for (; zigzag >= 0x80; zigzag >>= 7)
		expected[len++] = (char) (zigzag | 0x80);
	expected[len++] = (char) zigzag;
	memcpy(expected + len, "\xf8\xff\xff\x7f", 4);
	len += 4;
	for (size_t crc = 1; crc <= 5; crc++)
		if (stream.len >= len + crc && memcmp(stream.data + stream.len - crc - len, expected, len) == 0)
			return true;
	return false;
}

/*
 * A whole pass for a stream whose end is unusual: metrics, or damage.  'values' are
 * free whenever the loop runs: a row is converted before the next step.
 */
static mcw_status
verify_stream(McPage *page, mcw_error *err)
{
	mcw_odps_reader reader;
	mcw_status	status;

	mcw_odps_reader_init(&reader, page->fetch->setup.types, page->fetch->setup.ntypes, page->stream);
	while ((status = mcw_odps_next(&reader, page->fetch->values, err)) == MCW_OK)
		;
	if (status == MCW_END && (int64) reader.nrecords != page->asked)
		return mcw_fail(err, MCW_ERR_CHECKSUM, "asked for " INT64_FORMAT " rows and received " INT64_FORMAT,
						page->asked, (int64) reader.nrecords);
	return status == MCW_END ? MCW_OK : status;
}

static mcw_status
page_accept(mcn_request *req, mcw_error *err)
{
	McPage	   *page = req->owner;
	mcw_status	status = mcs_odps_download_stream(&page->call, &page->scratch, &page->stream, err);

	if (status == MCW_OK && !footer_counts(page->stream, page->asked))
		status = verify_stream(page, err);
	return status;
}

static void
page_done(mcn_request *req)
{
	McPage	   *page = req->owner;

	page->state = PAGE_LOADED;
	page->fetch->in_flight--;
}

/* Ask for what is left of the page, 'most' rows at most */
static void
page_request(McPage *page, int64 most)
{
	McFetch    *fetch = page->fetch;
	mcs_odps_range range;

	range.first = page->first + page->delivered;
	range.count = Min(page->count - page->delivered, most);
	range.columns = mcw_str(fetch->setup.columns ? fetch->setup.columns : "");
	range.accept_encoding = fetch->setup.accept_encoding;

	/* the call is made anew, the buffer that it filled stays */
	if (page->call.odps)
	{
		mcn_request_cancel(&page->call.req);
		page->response = page->call.req.response;
		mcw_buf_init(&page->call.req.response, &fetch->alloc, 0);
		mcs_odps_call_free(&page->call);
	}
	mcs_odps_download_read(&page->call, &fetch->setup.odps->service, &page->part->session, &range, page->limit);
	if (page->response.data)
	{
		mcw_buf_reset(&page->response);
		page->response.max = page->limit;
		page->call.req.response = page->response;
		mcw_buf_init(&page->response, &fetch->alloc, 0);
	}
	page->scratch.max = page->limit;
	page->call.req.owner = page;
	page->call.req.accept = page_accept;
	page->call.req.on_done = page_done;
	page->asked = range.count;
	page->state = PAGE_LOADING;
	fetch->in_flight++;
	fetch->stats.ranges++;
	mcs_odps_call_start(&page->call);
}

static void
issue_range(McFetch *fetch, McPart *part)
{
	McPage	   *page = &fetch->pages[(fetch->head + fetch->used) % fetch->npages];

	page->part = part;
	page->first = part->issued;
	page->count = Min(fetch->range_rows, part->session.record_count - part->issued);
	page->delivered = 0;
	page->repeats = 0;
	page->limit = PAGE_LIMIT;
	part->issued += page->count;
	fetch->used++;
	page_request(page, page->count);
}

/* ---- what other sessions see ---- */

/* once a page */
static void
tell(McFetch *fetch)
{
	const McFetchStats *stats = &fetch->stats;
	const mcn_stats *net = mcn_channel_stats(fetch->setup.odps->service.tunnel);
	McMoved		moved = {
		.rows = stats->rows,
		.bytes = net->bytes_in,
		.parts_done = stats->parts_done,
		.parts_total = stats->parts_total,
	};

	/* partitions whose session is not open are taken for average ones */
	if (stats->parts_begun > 0)
		moved.rows_expected = (int64) ((double) stats->parts_rows / stats->parts_begun * stats->parts_total);
	mcProgressMoved(fetch->setup.progress, &moved, net);
}

/* its rows are asked for, or counted, from here on */
static void
begin_part(McFetch *fetch, const McPart *part)
{
	fetch->stats.parts_begun++;
	fetch->stats.parts_rows += part->session.record_count;
	fetch->stats.parts_done += part->session.record_count == 0;
}

/* ---- what runs ahead ---- */

static bool
part_is_ready(const McPart *part)
{
	return part->session.state == MCS_ODPS_SESSION_READY;
}

/* Start one more request if one is useful */
static bool
start_one(McFetch *fetch)
{
	while (fetch->setup.ntypes > 0 && fetch->issue_part < fetch->nparts && part_is_ready(fetch->parts[fetch->issue_part]))
	{
		McPart	   *part = fetch->parts[fetch->issue_part];

		if (part->issued < part->session.record_count)
		{
			if (fetch->used > fetch->allowed || fetch->used == fetch->npages)
				return false;
			if (part->issued == 0)
				begin_part(fetch, part);
			issue_range(fetch, part);
			return true;
		}
		if (part->issued == 0)
			begin_part(fetch, part);
		fetch->issue_part++;
	}
	for (int i = fetch->issue_part; i < fetch->open_part; i++)
	{
		McPart	   *part = fetch->parts[i];

		if (part_is_due_later(part) && part->reload_us <= mcn_now_us())
			return open_session(fetch, part);
	}
	while (fetch->open_part < fetch->nparts && fetch->open_part < fetch->issue_part + fetch->allowed)
	{
		McPart	   *part = fetch->parts[fetch->open_part];

		if (part->session.state != MCS_ODPS_SESSION_NONE || part->failed)
			fetch->open_part++; /* open since an earlier scan */
		else if (open_session(fetch, part))
		{
			fetch->open_part++;
			return true;
		}
		else
			return false;
	}
	return false;
}

static void
pump(McFetch *fetch)
{
	while (fetch->in_flight < fetch->allowed && start_one(fetch))
		;
}

static int
reload_timeout(const McFetch *fetch)
{
	int64		earliest = PG_INT64_MAX;
	int64		left;

	for (int i = fetch->issue_part; i < fetch->open_part; i++)
	{
		const McPart *part = fetch->parts[i];

		if (part_is_due_later(part))
			earliest = Min(earliest, part->reload_us);
	}
	if (earliest == PG_INT64_MAX)
		return -1;
	left = (earliest - mcn_now_us()) / 1000 + 1;
	return (int) Max(left, 1);
}

static void
step(McFetch *fetch, int timeout_ms)
{
	mcw_error	err;

	if (fetch->quota_wait && !fetch->quota_told)
	{
		fetch->quota_told = true;
		ereport(NOTICE,
				(errmsg("MaxCompute refuses another download session of \"%s\"; waiting for it", fetch->setup.odps->label),
				 errdetail("The service allows 200 new sessions per table in 5 minutes, one for each partition."),
				 errhint("retry_max_elapsed says how long the statement waits. Read fewer partitions at once.")));
	}
	if (mcn_loop_step(fetch->setup.odps->service.loop, timeout_ms) == MCW_ERR_INTERRUPTED)
	{
		(void) mcw_fail(&err, MCW_ERR_INTERRUPTED, "interrupted");
		mcOdpsCheck(fetch->setup.odps, MCW_ERR_INTERRUPTED, &err);
	}
}

/* 'row' of the partition counts from 0, in messages from 1; -1 = none in particular */
pg_noreturn static void
raise_error(McFetch *fetch, const McPart *part, int64 row, const mcw_error *err)
{
	McPlace		place = fetch->setup.odps->place;

	place.part = part->label;
	if (row >= 0)
		place.position = psprintf("row " INT64_FORMAT, row + 1);
	/* the next statement shall see the table, and where its tunnel is, as they are now */
	if (err->status == MCW_ERR_PROTOCOL || err->status == MCW_ERR_SERVICE || err->status == MCW_ERR_CONNECT)
		mcOdpsForget(fetch->setup.odps->server->relid);
	if (err->status == MCW_ERR_PROTOCOL && strstr(err->message, "definition"))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
				 errmsg("%s", err->message),
				 errhint("Repeat the statement; if it fails again, the foreign table needs to be adapted."),
				 mcPlaceContext(&place)));
	mcRaise(err, &place);
}

pg_noreturn static void
raise_failed_part(McFetch *fetch, McPart *part)
{
	mcw_error	err;

	if (part->failed)
		err = *part->failed;
	else
		(void) mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
	raise_error(fetch, part, -1, &err);
}

/* ---- handing out ---- */

static void
begin_stream(McFetch *fetch, McPage *page)
{
	mcw_odps_reader_init(&page->reader, fetch->setup.types, fetch->setup.ntypes, page->stream);
	fetch->stats.stream_bytes += page->stream.len;
	fetch->poll_at = page->stream.data + Min(page->stream.len, POLL_BYTES);
	fetch->poll_rows = POLL_ROWS;
}

/*
 * Wait until the page is loaded.  A range whose rows are larger than expected is
 * asked for in smaller pieces, down to one row.
 */
static void
wait_for_page(McFetch *fetch, McPage *page)
{
	for (;;)
	{
		mcn_request *req = &page->call.req;

		while (page->state == PAGE_LOADING)
			step(fetch, -1);
		if (req->status == MCW_OK)
			break;
		if (req->status != MCW_ERR_LIMIT || (page->asked == 1 && page->limit == ROW_LIMIT))
			raise_error(fetch, page->part, page->first + page->delivered, &req->error);
		fetch->range_rows = Max(page->asked / 4, 1);
		if (page->asked == 1)
			page->limit = ROW_LIMIT;
		page_request(page, fetch->range_rows);
	}
	begin_stream(fetch, page);
}

/* The page is damaged or was read in part: ask for the rest of it. */
static void
repeat_page(McFetch *fetch, McPage *page, const mcw_error *err)
{
	mcw_error	interrupted;

	if (err)
	{
		if (page->repeats++ >= fetch->setup.odps->server->net.max_retries)
			raise_error(fetch, page->part, page->first + page->delivered, err);
		fetch->stats.repeats++;
		mcOdpsCheck(fetch->setup.odps,
					mcs_odps_sleep(&fetch->setup.odps->service, REPEAT_DELAY_MS << Min(page->repeats, 6), &interrupted),
					&interrupted);
	}
	page_request(page, err ? page->asked : fetch->range_rows);
	wait_for_page(fetch, page);
}

static void
adapt(McFetch *fetch, const McPage *page)
{
	double		row = (double) page->stream.len / (double) Max(page->asked, 1);
	double		rows = PAGE_TARGET / Max(row, 1.0);
	double		most = (double) page->asked * MAX_GROWTH;

	/* the short last range of a partition says nothing about growth */
	if (page->asked < fetch->range_rows)
		most = (double) fetch->range_rows;
	fetch->range_rows = (int64) Max(Min(rows, most), 1.0);
	fetch->allowed = Min(fetch->allowed * 2, fetch->setup.concurrency);
}

static void
release_page(McFetch *fetch)
{
	adapt(fetch, fetch->current);
	fetch->stats.parts_done += fetch->current->part->received == fetch->current->part->session.record_count;
	tell(fetch);
	fetch->current->state = PAGE_FREE;
	fetch->current = NULL;
	fetch->head = (fetch->head + 1) % fetch->npages;
	fetch->used--;
}

/* The next page in order, loaded; NULL at the end */
static McPage *
next_page(McFetch *fetch)
{
	for (;;)
	{
		McPart	   *part;

		if (fetch->used > 0 && fetch->pages[fetch->head].state == PAGE_LOADED)
		{
			fetch->current = &fetch->pages[fetch->head];
			wait_for_page(fetch, fetch->current);
			return fetch->current;
		}
		pump(fetch);
		if (fetch->used == 0)
		{
			if (fetch->issue_part == fetch->nparts)
				return NULL;
			part = fetch->parts[fetch->issue_part];
			if (part_has_failed(part))
				raise_failed_part(fetch, part);
		}
		else if (fetch->pages[fetch->head].state == PAGE_LOADED)
			continue;
		step(fetch, reload_timeout(fetch));
	}
}

/* Row numbers only: the session's count is the number of rows */
static McPart *
count_row(McFetch *fetch)
{
	while (fetch->issue_part < fetch->nparts)
	{
		McPart	   *part = fetch->parts[fetch->issue_part];

		if (part_is_ready(part))
		{
			if (part->received == 0)
				begin_part(fetch, part);
			if (part->received < part->session.record_count)
			{
				part->received++;
				fetch->stats.rows++;
				return part;
			}
			fetch->stats.parts_done += part->received > 0;
			fetch->issue_part++;
			tell(fetch);
			continue;
		}
		pump(fetch);
		if (part_has_failed(part))
			raise_failed_part(fetch, part);
		if (!part_is_ready(part))
			step(fetch, reload_timeout(fetch));
	}
	return NULL;
}

static void
poll_network(McFetch *fetch, const McPage *page)
{
	fetch->poll_at = page->reader.pos + POLL_BYTES;
	fetch->poll_rows = PG_INT32_MAX;
	pump(fetch);
	step(fetch, 0);
}

McPart *
mcFetchRow(McFetch *fetch, mcw_odps_value **values)
{
	*values = fetch->values;
	if (fetch->setup.ntypes == 0)
		return count_row(fetch);
	for (;;)
	{
		McPage	   *page = fetch->current;
		mcw_error	err;
		mcw_status	status;

		if (!page && !(page = next_page(fetch)))
			return NULL;
		if (unlikely(page->reader.pos >= fetch->poll_at || fetch->poll_rows-- == 0))
			poll_network(fetch, page);
		status = mcw_odps_next(&page->reader, fetch->values, &err);
		if (likely(status == MCW_OK))
		{
			if (unlikely((int64) page->reader.nrecords > page->asked))
			{
				(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "the service sent more than the " INT64_FORMAT " rows asked for", page->asked);
				raise_error(fetch, page->part, page->first + page->delivered, &err);
			}
			page->delivered++;
			page->part->received++;
			fetch->stats.rows++;
			return page->part;
		}
		if (status == MCW_END && (int64) page->reader.nrecords < page->asked)
			status = mcw_fail(&err, MCW_ERR_CHECKSUM, "asked for " INT64_FORMAT " rows and received " INT64_FORMAT,
							  page->asked, (int64) page->reader.nrecords);
		if (status != MCW_END)
			repeat_page(fetch, page, &err);
		else if (page->delivered < page->count)
			repeat_page(fetch, page, NULL);
		else
		{
			if (page->first + page->count == page->part->session.record_count &&
				page->part->received != page->part->session.record_count)
				elog(ERROR, "rows of a partition were counted wrong");
			release_page(fetch);
		}
	}
}

/* ---- life ---- */

void
mcFetchStop(McFetch *fetch)
{
	for (int i = 0; i < fetch->npages; i++)
	{
		if (fetch->pages[i].call.odps)
			mcn_request_cancel(&fetch->pages[i].call.req);
		fetch->pages[i].state = PAGE_FREE;
	}
	for (int i = 0; i < fetch->nopenings; i++)
	{
		Opening    *opening = &fetch->openings[i];

		mcs_odps_call_free(&opening->call);
		if (opening->part)
			opening->part->opening = false;
		opening->part = NULL;
	}
	fetch->in_flight = 0;
	fetch->used = 0;
	fetch->current = NULL;
}

static void
fetch_reset(void *arg)
{
	McFetch    *fetch = arg;

	mcFetchStop(fetch);
	for (int i = 0; i < fetch->npages; i++)
	{
		mcs_odps_call_free(&fetch->pages[i].call);
		mcw_buf_free(&fetch->pages[i].response);
		mcw_buf_free(&fetch->pages[i].scratch);
	}
}

void
mcFetchStart(McFetch *fetch, McPart **parts, int nparts)
{
	double		row = 8.0 + GUESSED_VALUE * (double) fetch->setup.ntypes;

	mcFetchStop(fetch);
	fetch->parts = parts;
	fetch->nparts = nparts;
	fetch->stats.parts_total += nparts;
	fetch->issue_part = fetch->open_part = 0;
	fetch->head = 0;
	fetch->allowed = fetch->setup.ntypes == 0 ? fetch->setup.concurrency : 1;
	if (fetch->range_rows == 0)
		fetch->range_rows = (int64) Max(Min(FIRST_TARGET / row, FIRST_MAX_ROWS), 1);
	for (int i = 0; i < nparts; i++)
	{
		parts[i]->issued = parts[i]->received = 0;
		parts[i]->failed = NULL;
		parts[i]->waiting = false;
		parts[i]->refused_us = 0;
	}
}

McFetch *
mcFetchCreate(const McFetchSetup *setup)
{
	McFetch    *fetch = palloc0(sizeof(McFetch));

	fetch->setup = *setup;
	fetch->cxt = CurrentMemoryContext;
	fetch->alloc = mcContextAlloc(fetch->cxt);
	fetch->npages = setup->ntypes > 0 ? setup->concurrency + 1 : 0;
	fetch->pages = palloc0(Max(fetch->npages, 1) * sizeof(McPage));
	for (int i = 0; i < fetch->npages; i++)
	{
		fetch->pages[i].fetch = fetch;
		mcw_buf_init(&fetch->pages[i].response, &fetch->alloc, 0);
		mcw_buf_init(&fetch->pages[i].scratch, &fetch->alloc, PAGE_LIMIT);
	}
	fetch->nopenings = setup->concurrency;
	fetch->openings = palloc0(fetch->nopenings * sizeof(Opening));
	for (int i = 0; i < fetch->nopenings; i++)
		fetch->openings[i].fetch = fetch;
	fetch->values = palloc0(Max(setup->ntypes, 1) * sizeof(mcw_odps_value));
	fetch->on_reset.func = fetch_reset;
	fetch->on_reset.arg = fetch;
	MemoryContextRegisterResetCallback(fetch->cxt, &fetch->on_reset);
	return fetch;
}

const McFetchStats *
mcFetchStatistics(const McFetch *fetch)
{
	return &fetch->stats;
}
