/*
 * mcs_oss_range.c
 *		Requests of a reader: ranges and streams, and the proof that an answer belongs
 *		to the object that was chosen (oss.md 3.4).
 *
 * An object is chosen by ETag and size.  If-Match makes the service refuse another
 * one; the answer's own ETag, length, range and checksum are compared as well, since a
 * cache or a plain server may not care about conditions.
 */
#include "mcs_oss_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "../wire/mcw_hash.h"

#define ERROR_BODY_ROOM 65536

/* ---- failures ---- */

static mcw_status
changed(const mcs_oss_slot *slot, mcw_error *err, const char *what)
{
	char		shown[324];

	(void) mcw_fail(err, MCW_ERR_SERVICE, "object %s was changed while it was read%s",
					mcs_oss_show_key(slot->source->object.key, shown), what);
	err->http_status = 412;
	return MCW_ERR_SERVICE;
}

/* Words for a request that failed */
static void
explain_failure(const mcs_oss_slot *slot, mcw_error *err)
{
	const mcs_oss_source *source = slot->source;
	char		shown[324];
	char		message[sizeof(err->message)];
	bool		no_key = err->http_status == 404 && (err->code[0] == '\0' || mcs_oss_error_is(err, "NoSuchKey"));

	mcs_oss_show_key(source->object.key, shown);
	if (err->status == MCW_ERR_SERVICE && strncmp(err->message, "object ", 7) == 0)
		return;
	if (err->status == MCW_ERR_SERVICE && no_key)
		(void) snprintf(err->message, sizeof(err->message), "object %s %s", shown,
						source->known ? "was deleted while it was read" : "does not exist");
	else if (err->status == MCW_ERR_SERVICE && err->http_status == 412)
		(void) snprintf(err->message, sizeof(err->message), "object %s was changed while it was read", shown);
	else if (err->status == MCW_ERR_SERVICE && err->http_status == 416)
		(void) snprintf(err->message, sizeof(err->message), "object %s was changed while it was read: it is shorter now", shown);
	else
	{
		(void) snprintf(message, sizeof(message), "could not read object %.200s: %.290s", shown, err->message);
		memcpy(err->message, message, sizeof(message));
	}
}

/* ---- what an answer must be ---- */

/* "bytes a-b/size"; size UINT64_MAX = not told */
static bool
parse_content_range(mcw_view v, uint64_t *from, uint64_t *to, uint64_t *size)
{
	const char *dash;
	const char *slash;
	const char *end = v.data + v.len;

	if (v.len < 6 || !mcw_view_ieq((mcw_view) {v.data, 6}, MCW_LIT("bytes ")))
		return false;
	v.data += 6;
	v.len -= 6;
	dash = memchr(v.data, '-', v.len);
	slash = memchr(v.data, '/', v.len);
	if (dash == NULL || slash == NULL || dash > slash)
		return false;
	*size = UINT64_MAX;
	return mcw_view_uint64((mcw_view) {v.data, (size_t) (dash - v.data)}, from) &&
		mcw_view_uint64((mcw_view) {dash + 1, (size_t) (slash - dash - 1)}, to) &&
		(mcw_view_eq((mcw_view) {slash + 1, (size_t) (end - slash - 1)}, MCW_LIT("*")) ||
		 mcw_view_uint64((mcw_view) {slash + 1, (size_t) (end - slash - 1)}, size));
}

/* What is between the quotes, of weak ones too */
static mcw_view
opaque(mcw_view etag)
{
	return mcs_oss_etag_is_weak(etag) ? mcw_oss_etag((mcw_view) {etag.data + 2, etag.len - 2}) : etag;
}

/* The object of the answer against the one that was chosen */
static mcw_status
same_object(const mcs_oss_slot *slot, const mcs_oss_object *seen, mcw_error *err)
{
	const mcs_oss_object *object = &slot->source->object;
	bool		strong = object->etag.len > 0 && !mcs_oss_etag_is_weak(object->etag);

	if (object->etag.len > 0 && seen->etag.len > 0 && !mcw_oss_etag_eq(opaque(object->etag), opaque(seen->etag)))
		return changed(slot, err, ": its ETag is another one");
	if (!strong && object->last_modified != 0 && seen->last_modified != 0 &&
		object->last_modified / 1000000 != seen->last_modified / 1000000)
		return changed(slot, err, ": its time of modification is another one");
	if (object->has_crc64 && seen->has_crc64 && object->crc64 != seen->crc64)
		return changed(slot, err, ": its CRC-64 is another one");
	return MCW_OK;
}

static mcw_status
wrong_range(const mcs_oss_slot *slot, mcw_error *err)
{
	mcw_view	range = mcn_response_header(&slot->call.req, "Content-Range");
	char		shown[324];

	return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer for object %.200s has the range \"%.*s\", not the one asked for at %" PRIu64,
					mcs_oss_show_key(slot->source->object.key, shown), (int) (range.len < 80 ? range.len : 80),
					range.data ? range.data : "", slot->offset);
}

static mcw_status
check_range(const mcs_oss_slot *slot, const mcs_oss_object *seen, mcw_error *err)
{
	const mcs_oss_source *source = slot->source;
	const mcn_request *req = &slot->call.req;
	uint64_t	from;
	uint64_t	to;
	uint64_t	size;

	if (req->http_status == 206)
	{
		if (!parse_content_range(mcn_response_header(req, "Content-Range"), &from, &to, &size))
			return wrong_range(slot, err);
		if (size != UINT64_MAX && size != source->object.size)
			return changed(slot, err, ": its size is another one");
		if (from != slot->offset || to != slot->offset + slot->len - 1)
			return wrong_range(slot, err);
	}
	else if (req->http_status != 200)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a range of an object was answered with HTTP %d", req->http_status);
	else if (slot->offset != 0 || slot->len != source->object.size)
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "the server answered with a whole object where a range was asked for");
	else if (seen->size != UINT64_MAX && seen->size != source->object.size)
		return changed(slot, err, ": its size is another one");
	if (req->response.len != slot->len)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the answer has %zu bytes, the range asked for has %zu",
						req->response.len, slot->len);
	return MCW_OK;
}

static mcw_status
accept_range(mcn_request *req, mcw_error *err)
{
	mcs_oss_slot *slot = req->owner;
	mcs_oss_source *source = slot->source;
	bool		whole = slot->offset == 0 && slot->len == source->object.size;
	mcs_oss_object seen;
	mcw_status	status;

	mcs_oss_read_object_headers(slot->reader->oss, req, &seen);
	status = same_object(slot, &seen, err);
	if (status == MCW_OK)
		status = check_range(slot, &seen, err);
	if (status != MCW_OK)
		return status;
	if (whole && seen.has_crc64)
	{
		uint64_t	crc = mcw_crc64(0, req->response.data, req->response.len);

		/* damaged on its way: net asks again */
		if (crc != seen.crc64)
			return mcw_fail(err, MCW_ERR_CHECKSUM, "CRC-64 of the answer is %" PRIu64 ", the service says %" PRIu64,
							crc, seen.crc64);
		source->crc_done = true;
	}
	if (seen.has_crc64 && !source->object.has_crc64)
	{
		source->object.crc64 = seen.crc64;
		source->object.has_crc64 = true;
	}
	return MCW_OK;
}

/* ---- requests ---- */

static void
over(mcn_request *req)
{
	mcs_oss_slot *slot = req->owner;

	slot->ready = true;
	slot->status = req->status;
	if (req->status != MCW_OK)
	{
		slot->error = req->error;
		if (req->status == MCW_ERR_LIMIT && mcn_response_status(req) == 200 && slot->offset + slot->len != slot->source->object.size)
			(void) mcw_fail(&slot->error, MCW_ERR_UNSUPPORTED,
							"the server answered with a whole object where a range was asked for");
		slot->status = slot->error.status;
		explain_failure(slot, &slot->error);
	}
	mcs_oss_slot_done(slot);
}

/* A buffer that served an answer before, so that the pages of memory stay ours */
static void
begin(mcs_oss_slot *slot, size_t max)
{
	mcs_oss_reader *reader = slot->reader;
	mcs_oss_call *call = &slot->call;

	mcs_oss_call_init(call, reader->oss, "GET", slot->source->object.key, max);
	if (reader->nspare > 0)
	{
		mcw_buf    *spare = &reader->spare[--reader->nspare];

		reader->spare_bytes -= spare->cap;
		if (spare->cap > slot->len + slot->len / 2 + ERROR_BODY_ROOM)
			mcw_buf_free(spare);
		call->req.response = *spare;
		call->req.response.max = max;
		mcw_buf_reset(&call->req.response);
	}
	if (reader->oss->style == MCS_OSS_PLAIN)
		mcs_oss_call_header(call, "Accept-Encoding", MCW_LIT("identity"));
	call->req.owner = slot;
	call->req.on_done = over;
	slot->ready = false;
}

static void
add_condition(mcs_oss_call *call, const mcs_oss_object *object, mcw_view etag)
{
	char		date[32];

	if (etag.len > 0 && !mcs_oss_etag_is_weak(etag))
		mcs_oss_call_headerf(call, "If-Match", "\"%.*s\"", (int) etag.len, etag.data);
	else if (object->last_modified > 0)
	{
		mcw_http_date(object->last_modified / 1000000, date);
		mcs_oss_call_header(call, "If-Unmodified-Since", mcw_str(date));
	}
}

void
mcs_oss_ask_range(mcs_oss_slot *slot)
{
	mcs_oss_call *call = &slot->call;

	begin(slot, slot->len > ERROR_BODY_ROOM ? slot->len : ERROR_BODY_ROOM);
	mcs_oss_call_headerf(call, "Range", "bytes=%" PRIu64 "-%" PRIu64, slot->offset, slot->offset + slot->len - 1);
	if (slot->reader->oss->style != MCS_OSS_PLAIN)
		mcs_oss_call_header(call, "x-oss-range-behavior", MCW_LIT("standard"));
	add_condition(call, &slot->source->object, slot->source->object.etag);
	call->req.accept = accept_range;
	mcs_oss_call_start(call);
}

/* ---- streams ---- */

void
mcs_oss_ask_stream(mcs_oss_slot *slot)
{
	mcs_oss_call *call = &slot->call;
	const mcs_oss_source *source = slot->source;

	/* a piece of the network may stand above the window */
	begin(slot, slot->len + ((size_t) 1 << 20));
	call->req.window = slot->len;
	slot->checked = false;
	if (source->delivered > 0)
	{
		mcs_oss_call_headerf(call, "Range", "bytes=%" PRIu64 "-", source->delivered);
		add_condition(call, &source->object, mcw_buf_view(&slot->etag));
		call->req.start_after_us = mcn_now_us() + mcn_pause_us(slot->failures, false);
	}
	else
		add_condition(call, &source->object, source->object.etag);
	mcs_oss_call_start(call);
}

mcw_status
mcs_oss_check_stream(mcs_oss_slot *slot, mcw_error *err)
{
	mcs_oss_source *source = slot->source;
	const mcn_request *req = &slot->call.req;
	int			http = mcn_response_status(req);
	mcs_oss_object seen;
	mcw_status	status;
	uint64_t	from;
	uint64_t	to;
	uint64_t	size;

	slot->checked = true;
	mcs_oss_read_object_headers(slot->reader->oss, req, &seen);
	status = same_object(slot, &seen, err);
	if (status != MCW_OK)
		return status;
	if (source->delivered > 0)
	{
		slot->offset = source->delivered;
		if (http != 206 || !parse_content_range(mcn_response_header(req, "Content-Range"), &from, &to, &size) ||
			from != source->delivered)
			return wrong_range(slot, err);
		if (!mcw_oss_etag_eq(seen.etag, mcw_buf_view(&slot->etag)) ||
			(size != UINT64_MAX && source->object.size != UINT64_MAX && size != source->object.size))
			return changed(slot, err, "");
		return MCW_OK;
	}
	if (http != 200)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "an object was answered with HTTP %d", http);
	if (seen.size != UINT64_MAX)
	{
		if (source->object.size != UINT64_MAX && source->object.size != seen.size)
			return changed(slot, err, ": its size is another one");
		source->object.size = seen.size;
	}
	if (seen.has_crc64)
	{
		source->object.crc64 = seen.crc64;
		source->object.has_crc64 = true;
	}
	slot->resumable = seen.ranges && seen.etag.len > 0 && !mcs_oss_etag_is_weak(seen.etag);
	mcw_buf_init(&slot->etag, slot->reader->oss->alloc, 8192);
	if (slot->resumable && mcw_buf_append_view(&slot->etag, seen.etag) != MCW_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return MCW_OK;
}

bool
mcs_oss_resume_stream(mcs_oss_slot *slot, mcw_error *err)
{
	const mcs_oss_source *source = slot->source;
	mcw_status	status = slot->status;
	char		shown[324];
	char		message[sizeof(err->message)];

	*err = slot->error;
	if (source->delivered == 0 ||
		(status != MCW_ERR_CONNECT && status != MCW_ERR_TIMEOUT && status != MCW_ERR_PROTOCOL))
		return false;
	if (slot->resumable && slot->failures < mcn_channel_options(slot->reader->oss->channel)->max_retries)
	{
		slot->failures++;
		mcs_oss_call_free(&slot->call);
		slot->reader->asking++;
		mcs_oss_ask_stream(slot);
		return true;
	}
	(void) snprintf(message, sizeof(message), "object %.150s was lost at byte %" PRIu64 "%s: %.200s",
					mcs_oss_show_key(source->object.key, shown), source->delivered,
					slot->resumable ? "" : " and its server cannot go on there (it knows no ranges or no ETag)",
					slot->call.req.error.message);
	memcpy(err->message, message, sizeof(message));
	return false;
}
