/*
 * mcs_loghub_put.c
 *		PutLogs, and a writer that keeps several of them in flight.
 *
 * A batch that is refused because of what is in it is cut in two until the log is
 * found, if the caller wants to know; the others are stored.  Anything else is sent
 * again as it was.
 */
#include <stdio.h>

#include "mcs_call.h"
#include "mcs_loghub_put.h"

#define MAX_ANSWER 65536
#define KEEP_BODY ((size_t) 4 << 20)	/* a larger buffer is freed between batches */

typedef struct log_slot
{
	mcs_call	call;			/* first member */
	mcs_log_writer *writer;
	mcw_status	(*prepare) (mcn_request *req, mcw_buf *scratch, mcw_error *err);	/* the call's own */
	struct log_slot *next;		/* in 'idle' or 'done' */
	mcw_buf		body;
	size_t		raw_size;
	uint64_t	number;
	char		topic[64];
	char		hash_key[MCS_HASH_KEY_DIGITS + 1];
	uint64_t   *rows;
	uint32_t	nlogs;
	uint32_t	maxlogs;
	bool		busy;
	bool		maybe;			/* an attempt before the last may have been stored */
} log_slot;

/* A part of a batch that was refused, waiting for a request */
typedef struct log_piece
{
	struct log_piece *next;
	mcw_buf		group;
	uint64_t	number;
	char		topic[64];
	char		hash_key[MCS_HASH_KEY_DIGITS + 1];
	uint32_t	nlogs;
	bool		maybe;
	size_t		size;			/* of this allocation */
	uint64_t	rows[];
} log_piece;

struct mcs_log_writer
{
	mcs_loghub *client;
	const mcw_alloc *alloc;
	mcs_log_writer_spec spec;
	mcs_log_writer_info info;
	mcw_status	failed;			/* final */
	mcw_error	error;
	char		failed_at[256];
	log_slot  **slots;
	log_slot   *idle;
	log_slot   *done;			/* over, to be looked at; filled by on_done */
	log_piece  *pieces;
	int			busy;
	int64_t		unknown;		/* logs of requests that failed without a clear answer */
};

/* ---- one request ---- */

size_t
mcs_put_bound(size_t raw_size)
{
	return raw_size + raw_size / 64 + 1024;
}

mcw_status
mcs_put_encode(mcw_codec codec, mcw_view group, mcw_buf *out, mcw_error *err)
{
	if (group.len > MCS_PUT_MAX_RAW)
		return mcw_fail(err, MCW_ERR_LIMIT, "a log group has %zu bytes, the service takes %zu", group.len, MCS_PUT_MAX_RAW);
	if (codec != MCW_CODEC_NONE)
		return mcw_compress(codec, 0, group, out, err);
	if (mcw_buf_append_view(out, group) != MCW_OK)
		return mcw_fail(err, mcw_buf_status(out), "no memory for a log group of %zu bytes", group.len);
	return MCW_OK;
}

/*
 * Something else than Log Service may answer 200 too, and would have stored nothing:
 * each of its answers has a request id.
 */
static mcw_status
accept_put(mcn_request *req, mcw_error *err)
{
	mcw_view	id = mcn_response_header(req, "x-log-requestid");

	if (id.len == 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer to PutLogs has no x-log-requestid");
	return MCW_OK;
}

mcw_status
mcs_put_logs(mcs_call *call, mcw_view logstore, mcw_view body, size_t raw_size, mcw_codec codec,
			 mcw_view hash_key, mcw_error *err)
{
	static const char *const names[] = {[MCW_CODEC_LZ4_BLOCK] = "lz4", [MCW_CODEC_ZSTD] = "zstd", [MCW_CODEC_DEFLATE] = "deflate"};
	mcw_request *http = &call->req.http;
	mcw_status	status = mcs_call_path(call, logstore, hash_key.len > 0 ? "/shards/route" : "/shards/lb", err);

	if (status == MCW_OK)
		status = mcs_call_body(call, body, err);
	if (status != MCW_OK)
		return status;
	if (hash_key.len > 0)
		(void) mcw_request_param(http, MCW_LIT("key"), hash_key);
	(void) snprintf(call->number, sizeof(call->number), "%zu", raw_size);
	(void) mcw_request_header(http, MCW_LIT("x-log-bodyrawsize"), mcw_str(call->number));
	if (codec != MCW_CODEC_NONE)
		(void) mcw_request_header(http, MCW_LIT("x-log-compresstype"), mcw_str(names[codec]));
	status = mcw_request_header(http, MCW_LIT("Content-Type"), MCW_LIT("application/x-protobuf"));
	call->req.accept = accept_put;
	return status;
}

bool
mcs_put_maybe_stored(const mcw_error *err)
{
	return err->status != MCW_ERR_SERVICE || err->http_status >= 500;
}

bool
mcs_put_is_fault_of_logs(const mcw_error *err)
{
	static const char *const codes[] = {"PostBodyInvalid", "PostBodyTooLarge", "InvalidTimestamp", "InvalidEncoding", "InvalidKey"};

	for (size_t i = 0; err->status == MCW_ERR_SERVICE && i < sizeof(codes) / sizeof(codes[0]); i++)
		if (mcw_view_ieq(mcw_str(err->code), mcw_str(codes[i])))
			return true;
	return false;
}

/* ---- slots ---- */

static void
on_done(mcn_request *req)
{
	log_slot   *slot = ((mcs_call *) req)->user;

	slot->next = slot->writer->done;
	slot->writer->done = slot;
}

/* The call's own preparation, after a look at what became of the attempt before */
static mcw_status
prepare(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	log_slot   *slot = ((mcs_call *) req)->user;

	if (req->attempts > 0 && req->sent && mcs_put_maybe_stored(&req->error))
		slot->maybe = true;
	return slot->prepare(req, scratch, err);
}

static log_slot *
slot_create(mcs_log_writer *writer)
{
	log_slot   *slot = mcw_new0(writer->alloc, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->writer = writer;
	mcs_call_init(&slot->call, writer->client, MAX_ANSWER);
	slot->call.user = slot;
	mcw_buf_init(&slot->body, writer->alloc, mcs_put_bound(MCS_PUT_MAX_RAW));
	slot->next = writer->idle;
	writer->idle = slot;
	return slot;
}

static void
slot_free(log_slot *slot)
{
	const mcw_alloc *alloc = slot->writer->alloc;

	mcs_call_free(&slot->call);
	mcw_buf_free(&slot->body);
	mcw_free(alloc, slot->rows, slot->maxlogs * sizeof(uint64_t));
	mcw_free(alloc, slot, sizeof(*slot));
}

static void
give_back(log_slot *slot)
{
	mcs_log_writer *writer = slot->writer;

	if (slot->body.cap > KEEP_BODY)
		mcw_buf_free(&slot->body);
	slot->busy = false;
	slot->next = writer->idle;
	writer->idle = slot;
	writer->busy--;
}

static void
fail(mcs_log_writer *writer, const mcw_error *err, const log_slot *slot)
{
	int			n;

	if (writer->failed != MCW_OK)
		return;
	writer->failed = err->status;
	writer->error = *err;
	if (!slot || slot->nlogs == 0)
		return;
	n = snprintf(writer->failed_at, sizeof(writer->failed_at), "batch %llu, row%s %llu", (unsigned long long) slot->number,
				 slot->nlogs == 1 ? "" : "s", (unsigned long long) slot->rows[0]);
	if (slot->nlogs > 1)
		n += snprintf(writer->failed_at + n, sizeof(writer->failed_at) - n, " to %llu",
					  (unsigned long long) slot->rows[slot->nlogs - 1]);
	if (slot->topic[0])
		n += snprintf(writer->failed_at + n, sizeof(writer->failed_at) - n, ", topic \"%s\"", slot->topic);
	if (slot->hash_key[0])
		(void) snprintf(writer->failed_at + n, sizeof(writer->failed_at) - n, ", hash key %s", slot->hash_key);
}

/* Fill an idle slot and send it.  The batch is not taken if this fails. */
static mcw_status
start(mcs_log_writer *writer, const mcs_log_batch *batch, bool maybe, mcw_error *err)
{
	log_slot   *slot = writer->idle;
	mcw_status	status;

	if (batch->hash_key.len > MCS_HASH_KEY_DIGITS)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "a hash key has at most %d digits", MCS_HASH_KEY_DIGITS);
	if (batch->nlogs > slot->maxlogs)
	{
		uint64_t   *rows = mcw_new(writer->alloc, batch->nlogs * sizeof(uint64_t));

		if (!rows)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		mcw_free(writer->alloc, slot->rows, slot->maxlogs * sizeof(uint64_t));
		slot->rows = rows;
		slot->maxlogs = batch->nlogs;
	}
	mcw_buf_reset(&slot->body);
	status = mcs_put_encode(writer->spec.codec, batch->group, &slot->body, err);
	if (status != MCW_OK)
		return status;
	memcpy(slot->rows, batch->rows, batch->nlogs * sizeof(uint64_t));
	slot->nlogs = batch->nlogs;
	slot->number = batch->number;
	slot->raw_size = batch->group.len;
	mcs_copy_text(slot->topic, sizeof(slot->topic), batch->topic);
	if (batch->hash_key.len > 0)
		memcpy(slot->hash_key, batch->hash_key.data, batch->hash_key.len);
	slot->hash_key[batch->hash_key.len] = '\0';
	status = mcs_put_logs(&slot->call, writer->spec.logstore, mcw_buf_view(&slot->body), slot->raw_size,
						  writer->spec.codec, mcw_str(slot->hash_key), err);
	if (status != MCW_OK)
		return status;
	slot->prepare = slot->call.req.prepare;
	slot->call.req.prepare = prepare;
	slot->call.req.on_done = on_done;
	slot->maybe = maybe;
	slot->busy = true;
	writer->idle = slot->next;
	slot->next = NULL;
	writer->busy++;
	mcn_request_start(&slot->call.req);
	return MCW_OK;
}

/* ---- cutting ---- */

static void
piece_free(mcs_log_writer *writer, log_piece *piece)
{
	mcw_buf_free(&piece->group);
	mcw_free(writer->alloc, piece, piece->size);
}

static mcw_status
piece_add(log_slot *slot, mcw_view group, uint32_t begin, uint32_t end, mcw_error *err)
{
	mcs_log_writer *writer = slot->writer;
	size_t		size = sizeof(log_piece) + (end - begin) * sizeof(uint64_t);
	log_piece  *piece = mcw_new0(writer->alloc, size);
	mcw_status	status;

	if (!piece)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	piece->size = size;
	piece->number = slot->number;
	memcpy(piece->topic, slot->topic, sizeof(piece->topic));
	memcpy(piece->hash_key, slot->hash_key, sizeof(piece->hash_key));
	piece->nlogs = end - begin;
	piece->maybe = slot->maybe;
	memcpy(piece->rows, slot->rows + begin, piece->nlogs * sizeof(uint64_t));
	mcw_buf_init(&piece->group, writer->alloc, MCS_PUT_MAX_RAW);
	status = mcw_sls_cut_group(group, begin, end, &piece->group, err);
	if (status != MCW_OK)
	{
		piece_free(writer, piece);
		return status;
	}
	piece->next = writer->pieces;
	writer->pieces = piece;
	return MCW_OK;
}

static mcw_status
cut(log_slot *slot, mcw_error *err)
{
	mcs_log_writer *writer = slot->writer;
	mcw_view	group = mcw_buf_view(&slot->body);
	uint32_t	half = slot->nlogs / 2;
	mcw_buf		raw;
	mcw_status	status = MCW_OK;

	mcw_buf_init(&raw, writer->alloc, MCS_PUT_MAX_RAW);
	if (writer->spec.codec != MCW_CODEC_NONE)
	{
		status = mcw_decompress(writer->spec.codec, group, slot->raw_size, &raw, err);
		group = mcw_buf_view(&raw);
	}
	/* the last one added is sent first */
	if (status == MCW_OK)
		status = piece_add(slot, group, half, slot->nlogs, err);
	if (status == MCW_OK)
		status = piece_add(slot, group, 0, half, err);
	mcw_buf_free(&raw);
	writer->info.cut++;
	return status;
}

/* ---- outcomes ---- */

static void
finish(log_slot *slot)
{
	mcs_log_writer *writer = slot->writer;
	mcw_error	err = slot->call.req.error;

	if (slot->call.req.status == MCW_OK)
	{
		writer->info.logs += slot->nlogs;
		writer->info.batches++;
		writer->info.bytes_raw += (int64_t) slot->raw_size;
		writer->info.bytes_sent += (int64_t) slot->body.len;
		if (slot->maybe)
			writer->info.maybe_twice += slot->nlogs;
		return;
	}
	if (writer->spec.on_refused && mcs_put_is_fault_of_logs(&err))
	{
		if (slot->nlogs == 1)
		{
			writer->info.refused++;
			writer->spec.on_refused(writer->spec.ctx, slot->rows[0], &err);
			return;
		}
		if (cut(slot, &err) == MCW_OK)
			return;
	}
	if (slot->maybe || (slot->call.req.sent && mcs_put_maybe_stored(&err)))
		writer->unknown += slot->nlogs;
	fail(writer, &err, slot);
}

static void
collect(mcs_log_writer *writer)
{
	while (writer->done)
	{
		log_slot   *slot = writer->done;

		writer->done = slot->next;
		finish(slot);
		give_back(slot);
	}
}

static void
start_pieces(mcs_log_writer *writer)
{
	while (writer->pieces && writer->idle && writer->failed == MCW_OK)
	{
		log_piece  *piece = writer->pieces;
		mcs_log_batch batch = {mcw_buf_view(&piece->group), piece->number, mcw_str(piece->topic), mcw_str(piece->hash_key), piece->rows, piece->nlogs};
		mcw_error	err;

		if (start(writer, &batch, piece->maybe, &err) != MCW_OK)
		{
			fail(writer, &err, NULL);
			return;
		}
		writer->pieces = piece->next;
		piece_free(writer, piece);
	}
}

/* Look at the network, for 'timeout_ms' at most */
static mcw_status
drive(mcs_log_writer *writer, int timeout_ms, mcw_error *err)
{
	if (writer->busy > 0 && !writer->done &&
		mcn_loop_step(writer->client->loop, timeout_ms) == MCW_ERR_INTERRUPTED && !writer->done)
		return mcw_fail(err, MCW_ERR_INTERRUPTED, "interrupted");
	collect(writer);
	start_pieces(writer);
	if (writer->failed != MCW_OK)
		*err = writer->error;
	return writer->failed;
}

/* ---- the writer ---- */

mcs_log_writer *
mcs_log_writer_create(mcs_loghub *client, const mcs_log_writer_spec *spec, mcw_error *err)
{
	mcs_log_writer *writer;

	if (spec->concurrency < 1 || spec->concurrency > 64)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "concurrency is %d", spec->concurrency);
		return NULL;
	}
	writer = mcw_new0(client->alloc, sizeof(*writer));
	if (writer)
	{
		writer->client = client;
		writer->alloc = client->alloc;
		writer->spec = *spec;
		writer->slots = mcw_new0(client->alloc, spec->concurrency * sizeof(*writer->slots));
	}
	for (int i = 0; writer && writer->slots && i < spec->concurrency; i++)
	{
		writer->slots[i] = slot_create(writer);
		if (!writer->slots[i])
			break;
	}
	if (writer && writer->slots && writer->slots[spec->concurrency - 1])
		return writer;
	mcs_log_writer_free(writer);
	(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return NULL;
}

void
mcs_log_writer_free(mcs_log_writer *writer)
{
	if (!writer)
		return;
	for (int i = 0; writer->slots && i < writer->spec.concurrency; i++)
		if (writer->slots[i])
			slot_free(writer->slots[i]);
	while (writer->pieces)
	{
		log_piece  *piece = writer->pieces;

		writer->pieces = piece->next;
		piece_free(writer, piece);
	}
	mcw_free(writer->alloc, writer->slots, writer->spec.concurrency * sizeof(*writer->slots));
	mcw_free(writer->alloc, writer, sizeof(*writer));
}

mcw_status
mcs_log_writer_send(mcs_log_writer *writer, const mcs_log_batch *batch, mcw_error *err)
{
	mcw_status	status = drive(writer, 0, err);

	while (status == MCW_OK && !writer->idle)
		status = drive(writer, -1, err);
	if (status != MCW_OK)
		return status;
	status = start(writer, batch, false, err);
	if (status != MCW_OK)
		fail(writer, err, NULL);
	return status;
}

mcw_status
mcs_log_writer_flush(mcs_log_writer *writer, mcw_error *err)
{
	mcw_status	status = drive(writer, 0, err);

	while (status == MCW_OK && (writer->busy > 0 || writer->pieces))
		status = drive(writer, -1, err);
	return status;
}

mcw_status
mcs_log_writer_progress(mcs_log_writer *writer, mcw_error *err)
{
	return drive(writer, 0, err);
}

const mcs_log_writer_info *
mcs_log_writer_get_info(const mcs_log_writer *writer)
{
	return &writer->info;
}

int64_t
mcs_log_writer_unknown(const mcs_log_writer *writer)
{
	int64_t		n = writer->unknown;

	for (int i = 0; i < writer->spec.concurrency; i++)
	{
		const log_slot *slot = writer->slots[i];

		if (!slot->busy)
			continue;
		/* answered, and not looked at yet */
		if (!slot->call.req.active && slot->call.req.status == MCW_OK)
			n += slot->nlogs;
		else if (slot->maybe || slot->call.req.sent)
			n += slot->nlogs;
	}
	return n;
}

const char *
mcs_log_writer_failed_at(const mcs_log_writer *writer)
{
	return writer->failed_at;
}
