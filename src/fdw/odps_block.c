/*
 * odps_block.c
 *		Blocks of a sink: buffers under one budget, requests in flight, and the end of
 *		both.
 *
 * Waiting drives the backend's loop, so the transfers of the source progress as
 * well.  Completion callbacks only set flags; what failed is raised here, outside of
 * the network layer.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "job.h"
#include "odps_sink.h"

#define STEP_BYTES (256 * 1024)	/* encoded between two looks at the network */
#define SPEC_MAX_AGE_US (INT64CONST(18) * 3600 * 1000000)	/* a session lives 24 hours */
#define RECORD_MAX (256 * 1024 * 1024)	/* a record is at most this large */
#define PRESSURE 0.10			/* share of waiting above which 'auto' compresses */
#define AUTO_SMALLEST 65536		/* bytes of a block that 'auto' may compress */

static dlist_head live_sinks = DLIST_STATIC_INIT(live_sinks);

void
mcSinkRegister(McSink *sink)
{
	dlist_push_head(&live_sinks, &sink->live);
	mcWriterBegin();
}

/*
 * The transaction is over, or the executor's memory goes: whichever comes first.
 * The other one finds nothing left to do.
 */
void
mcBlockAbandon(McSink *sink)
{
	dlist_mutable_iter iter;

	if (sink->dead)
		return;
	dlist_foreach_modify(iter, &sink->flight)
	{
		McBlock    *block = dlist_container(McBlock, node, iter.cur);

		mcs_odps_call_free(&block->call);
		dlist_delete(&block->node);
	}
	sink->nflight = 0;
	for (McUpload *u = mcWriteUploads(); u; u = u->next)
		if (u->opening.req.owner == sink)
		{
			mcs_odps_call_free(&u->opening);
			u->opening.req.owner = NULL;
			u->garbage = true;
		}
	dlist_delete(&sink->live);
	if (!sink->ended)
		mcWriterEnd();
	sink->dead = true;
}

void
mcSinkAbandonAll(void)
{
	while (!dlist_is_empty(&live_sinks))
		mcBlockAbandon(dlist_container(McSink, live, dlist_head_node(&live_sinks)));
}

bool
mcSinkOn(const McTarget *target)
{
	dlist_iter	iter;

	dlist_foreach(iter, &live_sinks)
		if (mcSameRemote(dlist_container(McSink, live, iter.cur)->target, target))
			return true;
	return false;
}

static void
raise_part(McSink *sink, const char *spec, int block, const mcw_error *err)
{
	McPlace		place = sink->place;

	if (spec[0])
		place.part = psprintf("partition %s", spec);
	if (block >= 0)
		place.position = psprintf("block %d", block);
	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, &place);
}

static void
on_block_done(mcn_request *req)
{
	((McBlock *) req->owner)->done = true;
}

static void
on_open_done(mcn_request *req)
{
	((McSink *) req->owner)->nopening--;
}

/* Take finished blocks off the list; raise the first failure */
static void
reap(McSink *sink)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &sink->flight)
	{
		McBlock    *block = dlist_container(McBlock, node, iter.cur);

		if (!block->done)
			continue;
		if (block->call.req.status != MCW_OK)
			raise_part(sink, block->upload->spec, block->id, &block->call.req.error);
		dlist_delete(&block->node);
		sink->nflight--;
		mcs_odps_call_free(&block->call);
		mcPoolReturn(&sink->pool, &block->body);
		pfree(block);
	}
}

static void
step(McSink *sink, int timeout_ms)
{
	int64		before = timeout_ms != 0 ? mcn_now_us() : 0;
	mcw_status	status = mcn_loop_step(mcLoop(), timeout_ms);

	if (timeout_ms != 0)
		sink->stats.wait_us += mcn_now_us() - before;
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	reap(sink);
}

void
mcBlockProgress(McSink *sink)
{
	if (sink->since_step < STEP_BYTES)
		return;
	sink->since_step = 0;
	if (sink->nflight + sink->nopening > 0)
		step(sink, 0);
}

/* Begin to create the session of a partition; its answer is looked at in await_session */
static void
open_session(McSink *sink, McUpload *upload)
{
	if (upload->session.id[0] || upload->opening.req.owner)
		return;
	while (sink->nopening >= sink->concurrency)
		step(sink, -1);
	mcs_odps_upload_open(&upload->opening, &sink->target->odps->service, &upload->session);
	upload->opening.req.owner = sink;
	upload->opening.req.on_done = on_open_done;
	sink->nopening++;
	mcs_odps_call_start(&upload->opening);
}

static void
await_session(McSink *sink, McUpload *upload)
{
	mcw_error	err;
	mcw_status	status;

	if (upload->session.id[0])
	{
		if (mcn_now_us() - upload->session.opened_us > SPEC_MAX_AGE_US)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the upload session of \"%s\" is older than 18 hours", sink->relname),
					 errdetail("The service discards it after 24 hours."),
					 errhint("Split the statement into smaller transactions.")));
		return;
	}
	while (upload->opening.req.active)
		step(sink, -1);
	memset(&err, 0, sizeof(err));
	status = mcs_odps_upload_opened(&upload->opening, sink->target->table, &upload->session, &err);
	mcs_odps_call_free(&upload->opening);
	upload->opening.req.owner = NULL;
	if (status != MCW_OK)
	{
		if (status == MCW_ERR_PROTOCOL)
			mcOdpsForget(sink->target->relid);
		raise_part(sink, upload->spec, -1, &err);
	}
	if (upload->session.max_field > 0)
		sink->out.max_field = Min(upload->session.max_field, MCW_ODPS_MAX_FIELD);
}

/*
 * Only a partition that really gets a row gets a session: what is registered has at
 * least one block in the end, or its statement fails.
 */
void
mcBlockAttach(McSink *sink, McSinkPartition *part)
{
	if (part->upload && !part->upload->full)
		return;
	part->upload = mcWriteUpload(sink->target, part->spec, sink->overwrite, part->mark);
	if (part->mark)
	{
		if (strcmp(part->mark, part->upload->mark) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("\"%s\" was written by the conversion of a value that is written to it", sink->relname)));
		if (part->upload->session.nblocks > 0 && part->upload->mark_column != sink->mark_column)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("option \"run_column\" of \"%s\" was changed after rows were written to it", sink->relname)));
		part->upload->mark_column = sink->mark_column;
	}
	open_session(sink, part->upload);
}

/* Before the first row of a block is encoded: the upload that it will join says what its rows are called */
void
mcBlockMark(McSink *sink, McSinkPartition *part)
{
	const char *mark;
	MemoryContext old;

	if (part->upload && !part->upload->full)
		return;
	mark = mcWriteUploadMark(sink->target, part->spec, sink->overwrite);
	old = MemoryContextSwitchTo(sink->cxt);
	if (mark && part->mark && strcmp(mark, part->mark) == 0)
		;						/* known */
	else if (mark)
		part->mark = pstrdup(mark);
	else if (!part->mark || part->upload)
		part->mark = mcOdpsMark(mcJob);
	part->upload = NULL;
	MemoryContextSwitchTo(old);
}

void
mcBlockOpen(McSink *sink, McSinkPartition *part)
{
	if (sink->nopen >= sink->max_open)
		mcBlockSend(sink, dlist_container(McSinkPartition, lru, dlist_tail_node(&sink->lru)));
	mcPoolTake(&sink->pool, &part->buf, sink->block_size + RECORD_MAX, &part->accounted);
	mcw_odps_writer_init(&part->writer, &part->buf);
	dlist_push_head(&sink->lru, &part->lru);
	part->open = true;
	sink->nopen++;
}

/* Wait for a block to be acknowledged, because there are too many or they are too large */
static void
await_block(McSink *sink)
{
	int64		before = mcn_now_us();

	step(sink, -1);
	sink->blocked_us += mcn_now_us() - before;
}

/*
 * 'auto' compresses while blocks wait for the network: the share of waiting is
 * averaged over the last blocks.  Creating sessions is not counted, small blocks are
 * not worth it.
 */
static mcw_codec
choose_codec(McSink *sink, Size len)
{
	int64		now = mcn_now_us();
	int64		elapsed = Max(now - sink->mark_us, 1);

	sink->pressure = 0.5 * sink->pressure + 0.5 * ((double) sink->blocked_us / elapsed);
	sink->blocked_us = 0;
	sink->mark_us = now;
	if (!sink->compress_auto)
		return sink->codec;
	return len >= AUTO_SMALLEST && sink->pressure > PRESSURE ? sink->codec : MCW_CODEC_NONE;
}

/* Over budget: first wait for what is on its way, then send the largest buffer */
void
mcBlockGrown(McSink *sink, McSinkPartition *part)
{
	mcPoolAccount(&sink->pool, &part->buf, &part->accounted);
	while (!mcPoolTrim(&sink->pool) && sink->nflight > 0)
		await_block(sink);
	while (!mcPoolTrim(&sink->pool) && sink->nopen > 1)
	{
		McSinkPartition *largest = NULL;
		dlist_iter	iter;

		dlist_foreach(iter, &sink->lru)
		{
			McSinkPartition *p = dlist_container(McSinkPartition, lru, iter.cur);

			if (p->writer.nrecords > 0 && (!largest || p->buf.len > largest->buf.len))
				largest = p;
		}
		if (!largest)
			break;
		mcBlockSend(sink, largest);
		while (!mcPoolTrim(&sink->pool) && sink->nflight > 0)
			await_block(sink);
	}
}

static void
oom(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_OUT_OF_MEMORY),
			 errmsg("out of memory"),
			 errdetail("An upload block could not be allocated."),
			 errhint("Lower block_size, write_buffer or concurrency.")));
}

/* Once a block: what other sessions see */
static void
tell(McSink *sink)
{
	McMoved		moved = {.rows = sink->stats.rows, .bytes = sink->stats.sent_bytes};

	mcProgressMoved(&sink->progress, &moved, mcn_channel_stats(sink->target->odps->service.tunnel));
}

void
mcBlockSend(McSink *sink, McSinkPartition *part)
{
	McUpload   *upload = part->upload;
	int64		rows = (int64) part->writer.nrecords;
	McBlock    *block;
	mcw_codec	codec;
	mcw_error	err;
	mcw_status	status;

	part->open = false;
	dlist_delete(&part->lru);
	sink->nopen--;
	if (rows == 0)
	{
		mcPoolAccount(&sink->pool, &part->buf, &part->accounted);
		mcPoolReturn(&sink->pool, &part->buf);
		part->accounted = 0;
		return;
	}
	if (mcw_odps_finish(&part->writer) != MCW_OK)
		oom();
	mcPoolAccount(&sink->pool, &part->buf, &part->accounted);
	part->accounted = 0;

	/* from here on the bytes belong to the block */
	block = MemoryContextAllocZero(sink->cxt, sizeof(McBlock));
	block->body = part->buf;
	block->upload = upload;
	memset(&part->buf, 0, sizeof(part->buf));
	sink->stats.raw_bytes += block->body.len;

	await_session(sink, upload);
	while (sink->nflight >= sink->concurrency)
		await_block(sink);
	codec = choose_codec(sink, block->body.len);
	if (codec != MCW_CODEC_NONE)
	{
		mcw_buf		packed;

		mcw_buf_init(&packed, &sink->pool.alloc, block->body.len + block->body.len / 8 + 65536);
		if (mcw_buf_grow(&packed, block->body.len / 3) != MCW_OK)
			oom();
		status = mcw_compress(codec, 0, mcw_buf_view(&block->body), &packed, &err);
		if (status != MCW_OK)
			raise_part(sink, upload->spec, -1, &err);
		mcPoolReturn(&sink->pool, &block->body);
		block->body = packed;
		sink->pool.held += packed.cap;
		(void) mcPoolTrim(&sink->pool);
		sink->stats.compressed++;
	}

	memset(&err, 0, sizeof(err));
	status = mcs_odps_upload_new_block(&upload->session, rows, &block->id, &err);
	if (status != MCW_OK)
		raise_part(sink, upload->spec, -1, &err);
	if (upload->session.nblocks >= MCS_ODPS_MAX_BLOCKS)
		upload->full = true;	/* an append goes on in another session */
	mcs_odps_upload_put(&block->call, &sink->target->odps->service, &upload->session, block->id,
						codec, mcw_buf_view(&block->body));
	block->call.req.owner = block;
	block->call.req.on_done = on_block_done;
	dlist_push_tail(&sink->flight, &block->node);
	sink->nflight++;
	sink->stats.blocks++;
	sink->stats.sent_bytes += block->body.len;
	upload->bytes += block->body.len;
	mcs_odps_call_start(&block->call);
	step(sink, 0);
	tell(sink);
}

void
mcBlockFlush(McSink *sink)
{
	while (!dlist_is_empty(&sink->lru))
		mcBlockSend(sink, dlist_container(McSinkPartition, lru, dlist_tail_node(&sink->lru)));
	reap(sink);
	while (sink->nflight > 0)
		step(sink, -1);

}
