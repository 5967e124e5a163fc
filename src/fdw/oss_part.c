/*
 * oss_part.c
 *		Open objects of a sink: buffers under one budget, parts in flight, and the end
 *		of both.
 *
 * Waiting drives the backend's loop, so the transfers of the source progress as
 * well.  Completion callbacks only set flags; what failed is raised here, outside of
 * the network layer.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "oss_sink.h"

#define STEP_BYTES (256 * 1024)	/* encoded between two looks at the network */
#define RAW_BYTES (64 * 1024)	/* records that are compressed at once */
#define RECORD_MAX ((Size) 3 << 30) /* more than any record */
#define SPLIT_PARTS (MCS_OSS_MAX_PARTS - 100)	/* an object with that many parts is ended */
#define ENTRY_BYTES ((Size) 1 << 20)	/* larger objects of a job are not kept in its outbox */
#define GROW_PARTS 2000			/* one that must not be split doubles its parts after each so many */

static dlist_head live_sinks = DLIST_STATIC_INIT(live_sinks);

void
mcOssSinkRegister(McOssSink *sink)
{
	dlist_push_head(&live_sinks, &sink->live);
	mcOssWriterBegin();
}

/*
 * The transaction is over, or the executor's memory goes: whichever comes first.
 * The other one finds nothing left to do.  Initiate goes on without us, so that its
 * upload can be taken back.
 */
void
mcOssPartAbandon(McOssSink *sink)
{
	dlist_mutable_iter iter;

	if (sink->dead)
		return;
	dlist_foreach_modify(iter, &sink->flight)
	{
		McOssFlight *flight = dlist_container(McOssFlight, node, iter.cur);

		mcs_oss_call_free(&flight->call);
		dlist_delete(&flight->node);
	}
	sink->nflight = 0;
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (u->owner == sink)
		{
			u->call.req.on_done = NULL;
			u->owner = NULL;
			if (!u->complete)
				u->garbage = true;
		}
	dlist_delete(&sink->live);
	if (!sink->ended)
		mcOssWriterEnd();
	sink->dead = true;
}

void
mcOssSinkAbandonAll(void)
{
	while (!dlist_is_empty(&live_sinks))
		mcOssPartAbandon(dlist_container(McOssSink, live, dlist_head_node(&live_sinks)));
}

pg_noreturn static void
raise_object(McOssSink *sink, const McOssUpload *upload, int part, const mcw_error *err)
{
	McPlace		place = sink->place;

	place.part = psprintf("object \"%s\"", mcOssShown(upload->object.key));
	if (part > 0)
		place.position = psprintf("part %d", part);
	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, &place);
}

static void
oom(mcw_status status)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail(status == MCW_ERR_LIMIT ? "A record is too long." : "A part of an upload could not be allocated."),
			 errhint("Lower part_size, write_buffer or concurrency.")));
}

/* ---- requests ---- */

static void
on_part_done(mcn_request *req)
{
	((McOssFlight *) req->owner)->done = true;
}

static void
on_open_done(mcn_request *req)
{
	((McOssSink *) req->owner)->nopening--;
}

/* The upload is known now, or why there is none */
static void
opened(McOssSink *sink, McOssUpload *upload)
{
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	status = mcs_oss_upload_opened(&upload->call, &upload->object, &err);
	/* a request that was repeated, or not plainly refused, may have made an upload that nobody knows */
	if (upload->call.req.attempts > 1 ||
		(status != MCW_OK && upload->call.req.sent && (status != MCW_ERR_SERVICE || err.http_status >= 500)))
		upload->repeated = true;
	mcs_oss_call_free(&upload->call);
	upload->calling = false;
	if (status != MCW_OK)
		raise_object(sink, upload, 0, &err);
}

static void
start_part(McOssSink *sink, McOssFlight *flight)
{
	mcs_oss_upload_put_part(&flight->call, &sink->target->conn->client, &flight->upload->object, flight->number,
							mcw_buf_view(&flight->body));
	flight->call.req.owner = flight;
	flight->call.req.on_done = on_part_done;
	flight->queued = false;
	mcs_oss_call_start(&flight->call);
}

/*
 * Start parts whose upload is known by now, take finished ones off the list; raise the
 * first failure.  False: nothing has changed, so each part waits for the network.
 */
static bool
reap(McOssSink *sink)
{
	bool		any = false;
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &sink->flight)
	{
		McOssFlight *flight = dlist_container(McOssFlight, node, iter.cur);
		McOssUpload *upload = flight->upload;
		mcw_error	err;

		if (flight->queued && !(upload->calling && upload->call.req.active))
		{
			if (upload->calling)
				opened(sink, upload);
			start_part(sink, flight);
			any = true;
		}
		if (!flight->done)
			continue;
		memset(&err, 0, sizeof(err));
		if (mcs_oss_upload_stored(&flight->call, &upload->object, flight->number, &err) != MCW_OK)
			raise_object(sink, upload, flight->number, &err);
		dlist_delete(&flight->node);
		sink->nflight--;
		mcs_oss_call_free(&flight->call);
		mcPoolReturn(&sink->pool, &flight->body);
		pfree(flight);
		any = true;
	}
	return any;
}

/* Whoever else drives the loop may have finished what we would wait for */
static void
step(McOssSink *sink, int timeout_ms)
{
	int64		before;
	mcw_status	status;

	if (timeout_ms != 0 && reap(sink))
		return;
	before = timeout_ms != 0 ? mcn_now_us() : 0;
	status = mcn_loop_step(mcLoop(), timeout_ms);
	if (timeout_ms != 0)
		sink->stats.wait_us += mcn_now_us() - before;
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	(void) reap(sink);
}

/* Begin to initiate the upload; its answer is looked at in reap */
static void
open_upload(McOssSink *sink, McOssUpload *upload)
{
	if (upload->object.id[0] || upload->calling)
		return;
	while (sink->nopening >= sink->concurrency)
		step(sink, -1);
	mcs_oss_upload_open(&upload->call, &sink->target->conn->client, &upload->object);
	upload->call.req.owner = sink;
	upload->call.req.on_done = on_open_done;
	upload->calling = true;
	sink->nopening++;
	mcs_oss_call_start(&upload->call);
}

/* Once a part: what other sessions see */
static void
tell(McOssSink *sink)
{
	McMoved		moved = {.rows = sink->stats.rows, .bytes = sink->stats.sent_bytes};

	mcProgressMoved(&sink->progress, &moved, mcn_channel_stats(sink->target->conn->channel));
}

/* The bytes that are there become a part, whatever their number */
static void
send_part(McOssSink *sink, McOssDirectory *dir)
{
	McOssUpload *upload = dir->upload;
	McOssFlight *flight;
	mcw_error	err;
	mcw_status	status;

	open_upload(sink, upload);
	while (sink->nflight >= sink->concurrency)
		step(sink, -1);

	/* from here on the bytes belong to the flight */
	flight = MemoryContextAllocZero(sink->cxt, sizeof(McOssFlight));
	mcPoolAccount(&sink->pool, &dir->buf, &dir->accounted);
	flight->body = dir->buf;
	flight->upload = upload;
	mcPoolTake(&sink->pool, &dir->buf, sink->part_size + RECORD_MAX, &dir->accounted);

	memset(&err, 0, sizeof(err));
	status = mcs_oss_upload_new_part(&upload->object, &flight->number, &err);
	if (status == MCW_ERR_LIMIT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("object \"%s\" would have more than %d parts", mcOssShown(upload->object.key), MCS_OSS_MAX_PARTS),
				 errhint("Raise part_size and write_buffer%s.",
						 sink->target->table->scope == MC_OSS_ONE ? "" : ", or set max_object_size")));
	if (status != MCW_OK)
		raise_object(sink, upload, 0, &err);
	flight->queued = true;
	dlist_push_tail(&sink->flight, &flight->node);
	sink->nflight++;
	sink->stats.parts++;
	sink->stats.sent_bytes += flight->body.len;
	dir->sent += flight->body.len;
	(void) reap(sink);
	step(sink, 0);
	tell(sink);
}

/* ---- objects ---- */

static void
compress(McOssSink *sink, McOssDirectory *dir, bool finish)
{
	mcw_error	err;
	mcw_status	status;

	if (!dir->deflater)
		return;
	memset(&err, 0, sizeof(err));
	status = mcw_deflate(dir->deflater, mcw_buf_view(&dir->raw), finish, &dir->buf, &err);
	if (status != MCW_OK)
		raise_object(sink, dir->upload, 0, &err);
	mcw_buf_reset(&dir->raw);
}

mcw_buf *
mcOssPartTarget(McOssSink *sink, McOssDirectory *dir)
{
	return dir->deflater ? &dir->raw : &dir->buf;
}

static McOssDirectory *
least_recently_used(McOssSink *sink)
{
	return dlist_container(McOssDirectory, lru, dlist_tail_node(&sink->lru));
}

static void
create_deflater(McOssSink *sink, McOssDirectory *dir)
{
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	status = mcw_deflater_create(sink->codec, sink->level, &sink->pool.counted, &dir->deflater, &err);
	if (status != MCW_OK)
		mcCheck(status, &err, &sink->place);
	mcw_buf_init(&dir->raw, &sink->pool.counted, RECORD_MAX);
}

void
mcOssPartOpen(McOssSink *sink, McOssDirectory *dir)
{
	char	   *key;

	if (dir->number == 0)
		mcOssSinkCheck(sink, dir);
	if (sink->nopen >= sink->max_open)
		mcOssPartClose(sink, least_recently_used(sink));
	if (dir->number++ > 0 && !dir->was_full)
		sink->reopened++;
	dir->was_full = false;
	if (sink->target->table->scope == MC_OSS_ONE)
		key = dir->name;
	else
		key = psprintf("%s%s-%05d%s", dir->name, sink->id,
					   sink->job ? mcOssNextPart(sink->target, dir->name) : dir->number, sink->suffix);
	dir->upload = mcOssWriteUpload(sink->target, sink, key, dir->name, sink->mode, sink->statement);
	mcPoolTake(&sink->pool, &dir->buf, sink->part_size + RECORD_MAX, &dir->accounted);
	if (sink->codec != MCW_CODEC_NONE)
		create_deflater(sink, dir);
	dir->sent = 0;
	dlist_push_head(&sink->lru, &dir->lru);
	dir->open = true;
	sink->nopen++;
	sink->stats.objects++;
	if (sink->target->table->header != MCW_HEADER_NONE)
	{
		sink->file_target = mcOssPartTarget(sink, dir);
		mcFileOutTarget(sink->file, sink->file_target);
		mcFileOutHeader(sink->file);
		if (mcw_buf_status(sink->file_target) != MCW_OK)
			oom(mcw_buf_status(sink->file_target));
	}
}

/* a small object waits in memory: one request less, and nothing to take back */
static bool
keep(McOssSink *sink, McOssDirectory *dir)
{
	McOssUpload *u = dir->upload;

	if (u->object.id[0] || u->calling || dir->buf.len >= sink->part_size ||
		(sink->job && dir->buf.len > ENTRY_BYTES) || !mcOssKeep(dir->buf.len))
		return false;
	mcw_buf_init(&u->body, &u->alloc, Max(dir->buf.len, 1));
	if (mcw_buf_append(&u->body, dir->buf.data, dir->buf.len) != MCW_OK)
		oom(mcw_buf_status(&u->body));
	sink->stats.sent_bytes += dir->buf.len;
	tell(sink);
	return true;
}

void
mcOssPartClose(McOssSink *sink, McOssDirectory *dir)
{
	if (dir->deflater)
	{
		compress(sink, dir, true);
		mcw_deflater_free(dir->deflater);
		dir->deflater = NULL;
		mcw_buf_free(&dir->raw);
	}
	dlist_delete(&dir->lru);
	dir->open = false;
	sink->nopen--;
	if (dir->upload->rows == 0 && !sink->empty)
	{
		/* every row of it was rejected: there is no such object */
		dir->upload->garbage = true;
		sink->stats.objects--;
	}
	else if (!keep(sink, dir) && (dir->buf.len > 0 || dir->sent == 0))
		send_part(sink, dir);
	mcPoolAccount(&sink->pool, &dir->buf, &dir->accounted);
	mcPoolReturn(&sink->pool, &dir->buf);
	dir->upload = NULL;
	sink->file_target = NULL;
}

static Size
part_size(McOssSink *sink, McOssDirectory *dir)
{
	Size		size = sink->part_size;

	if (!sink->split || sink->max_object == 0)
		size <<= Min(dir->upload->object.nparts / GROW_PARTS, 4);
	return Min(size, Max(sink->pool.budget / 2, MCS_OSS_MIN_PART));
}

/* Over budget: first wait for what is on its way, then shrink the largest buffer */
static void
keep_budget(McOssSink *sink)
{
	while (!mcPoolTrim(&sink->pool) && sink->nflight > 0)
		step(sink, -1);
	while (!mcPoolTrim(&sink->pool) && sink->nopen > 1)
	{
		McOssDirectory *largest = NULL;
		dlist_iter	iter;

		dlist_foreach(iter, &sink->lru)
		{
			McOssDirectory *d = dlist_container(McOssDirectory, lru, iter.cur);

			if (!largest || d->buf.len > largest->buf.len)
				largest = d;
		}
		/* a part in the middle of an object has a least size */
		if (largest->buf.len >= MCS_OSS_MIN_PART)
			send_part(sink, largest);
		else
			mcOssPartClose(sink, least_recently_used(sink));
		while (!mcPoolTrim(&sink->pool) && sink->nflight > 0)
			step(sink, -1);
	}
}

void
mcOssPartGrown(McOssSink *sink, McOssDirectory *dir)
{
	if (dir->deflater)
	{
		if (dir->raw.len >= RAW_BYTES)
			compress(sink, dir, false);
	}
	if (unlikely(mcw_buf_status(&dir->buf) != MCW_OK))
		oom(mcw_buf_status(&dir->buf));
	if (unlikely(dir->buf.cap != dir->accounted || sink->pool.held > sink->pool.budget))
	{
		mcPoolAccount(&sink->pool, &dir->buf, &dir->accounted);
		keep_budget(sink);
	}
	if (!dir->open)
		return;					/* keep_budget has ended it */
	if (sink->split && ((sink->max_object && dir->sent + dir->buf.len + dir->raw.len >= sink->max_object) ||
						dir->upload->object.nparts >= SPLIT_PARTS))
	{
		dir->was_full = true;
		mcOssPartClose(sink, dir);
	}
	else if (dir->buf.len >= MCS_OSS_MIN_PART &&
			 dir->buf.len + sink->largest_record + 64 > part_size(sink, dir))
		send_part(sink, dir);
	else if (sink->since_step >= STEP_BYTES)
	{
		sink->since_step = 0;
		if (dir->buf.len > sink->part_size / 2 && sink->part_size > MCS_OSS_MIN_PART)
			open_upload(sink, dir->upload);	/* it will be needed */
		if (sink->nflight + sink->nopening > 0)
			step(sink, 0);
	}
}

void
mcOssPartFlush(McOssSink *sink)
{
	while (!dlist_is_empty(&sink->lru))
		mcOssPartClose(sink, least_recently_used(sink));
	reap(sink);
	while (sink->nflight > 0)
		step(sink, -1);
}
