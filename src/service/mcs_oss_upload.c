/*
 * mcs_oss_upload.c
 *		Multipart uploads: begin, parts, proof that the service holds what was sent,
 *		abort, and the list of uploads that were left behind (oss.md 3.10).
 *
 * A part is compared by CRC-64 as soon as it is acknowledged, and sent again by net if
 * it differs; only a service that tells no CRC-64 makes us compute an MD5 for the ETag.
 * Making the object visible is in mcs_oss_publish.c.
 */
#include "mcs_oss_write_private.h"
#include "mcs_call.h"

#include <inttypes.h>
#include <stdio.h>

#include "../wire/mcw_hash.h"

#define SMALL_ANSWER 65536
#define CLEAN_UP_STEPS 200		/* of the loop, after a cancel */

void
mcs_oss_write_headers(mcs_oss_call *call, const mcs_oss_upload *upload)
{
	if (upload->content_type.len > 0)
		mcs_oss_call_header(call, "Content-Type", upload->content_type);
	if (upload->token.len > 0)
		mcs_oss_call_header(call, "x-oss-meta-mc-token", upload->token);
	if (!upload->may_replace)
		mcs_oss_call_header(call, "x-oss-forbid-overwrite", MCW_LIT("true"));
}

/* ---- begin ---- */

static mcw_status
accept_initiate(mcn_request *req, mcw_error *err)
{
	mcs_oss_call *call = (mcs_oss_call *) req;
	mcw_view	id;
	mcw_status	status = mcw_oss_read_initiate(mcw_buf_view(&req->response), &call->arena, &id, err);

	if (status == MCW_OK && (id.len == 0 || id.len >= sizeof(((mcs_oss_upload *) NULL)->id)))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the service began an upload without a usable id");
	return status;
}

void
mcs_oss_upload_open(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload)
{
	mcs_oss_call_init(call, oss, "POST", upload->key, SMALL_ANSWER);
	mcs_oss_call_param(call, "uploads", (mcw_view) {NULL, 0});
	mcs_oss_call_param(call, "encoding-type", MCW_LIT("url"));
	mcs_oss_write_headers(call, upload);
	call->req.accept = accept_initiate;
}

mcw_status
mcs_oss_upload_opened(mcs_oss_call *call, mcs_oss_upload *upload, mcw_error *err)
{
	mcw_view	id;
	mcw_status	status;

	if (call->req.status != MCW_OK)
	{
		*err = call->req.error;
		return call->req.status;
	}
	status = mcw_oss_read_initiate(mcw_buf_view(&call->req.response), &call->arena, &id, err);
	if (status == MCW_OK && (id.len == 0 || id.len >= sizeof(upload->id)))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the service began an upload without a usable id");
	if (status != MCW_OK)
		return status;
	memcpy(upload->id, id.data, id.len);
	upload->id[id.len] = '\0';
	return MCW_OK;
}

/* ---- parts ---- */

mcw_status
mcs_oss_upload_new_part(mcs_oss_upload *upload, int *number, mcw_error *err)
{
	if (upload->nparts >= MCS_OSS_MAX_PARTS)
		return mcw_fail(err, MCW_ERR_LIMIT, "an object is uploaded in at most %d parts", MCS_OSS_MAX_PARTS);
	if (upload->nparts == upload->cap)
	{
		int			cap = upload->cap ? upload->cap * 2 : 16;
		mcw_oss_part *parts = upload->alloc->resize(upload->alloc->ctx, upload->parts,
													upload->cap * sizeof(*parts), cap * sizeof(*parts));

		if (parts == NULL)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		upload->parts = parts;
		upload->cap = cap;
	}
	memset(&upload->parts[upload->nparts], 0, sizeof(*upload->parts));
	upload->parts[upload->nparts].number = upload->nparts + 1;
	*number = ++upload->nparts;
	return MCW_OK;
}

static mcw_status
compare_md5(mcw_view body, mcw_view etag, mcw_error *err)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char md5[16];
	char		hex[32];
	mcw_status	status = mcw_md5(body.data, body.len, md5);

	if (status != MCW_OK)
		return mcw_fail(err, status, "MD5 is not available");
	for (int i = 0; i < 16; i++)
	{
		hex[i * 2] = digits[md5[i] >> 4];
		hex[i * 2 + 1] = digits[md5[i] & 15];
	}
	if (!mcw_oss_etag_eq(etag, (mcw_view) {hex, sizeof(hex)}))
		return mcw_fail(err, MCW_ERR_CHECKSUM, "the service stored other bytes than were sent: ETag \"%.*s\", MD5 %.32s",
						(int) (etag.len < 80 ? etag.len : 80), etag.data, hex);
	return MCW_OK;
}

mcw_status
mcs_oss_compare_stored(const mcn_request *req, bool known, uint64_t crc, mcw_error *err)
{
	mcw_view	told = mcn_response_header(req, "x-oss-hash-crc64ecma");
	uint64_t	theirs;

	if (told.len == 0)
		return known ? MCW_END : compare_md5(req->body, mcw_oss_etag(mcn_response_header(req, "ETag")), err);
	if (!mcw_view_uint64(told, &theirs))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the service told a CRC-64 that is no number");
	if (!known)
		crc = mcw_crc64(0, req->body.data, req->body.len);
	if (theirs != crc)
		return mcw_fail(err, MCW_ERR_CHECKSUM,
						"the service stored other bytes than were sent: CRC-64 %" PRIu64 ", expected was %" PRIu64, theirs, crc);
	return MCW_OK;
}

/* A part that differs is sent again: the same number replaces it */
static mcw_status
accept_part(mcn_request *req, mcw_error *err)
{
	if (mcw_oss_etag(mcn_response_header(req, "ETag")).len == 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the service acknowledged a part without an ETag");
	return mcs_oss_compare_stored(req, false, 0, err);
}

void
mcs_oss_upload_put_part(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload, int number, mcw_view body)
{
	char		text[16];

	mcs_oss_call_init(call, oss, "PUT", upload->key, SMALL_ANSWER);
	(void) snprintf(text, sizeof(text), "%d", number);
	mcs_oss_call_param(call, "partNumber", mcw_str(text));
	mcs_oss_call_param(call, "uploadId", mcw_str(upload->id));
	call->req.body = body;
	call->req.accept = accept_part;
}

mcw_status
mcs_oss_upload_stored(mcs_oss_call *call, mcs_oss_upload *upload, int number, mcw_error *err)
{
	mcw_view	etag = mcw_oss_etag(mcn_response_header(&call->req, "ETag"));
	mcw_view	told = mcn_response_header(&call->req, "x-oss-hash-crc64ecma");
	mcw_oss_part *part;
	char	   *copy;

	if (call->req.status != MCW_OK)
	{
		*err = call->req.error;
		return call->req.status;
	}
	if (number < 1 || number > upload->nparts)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "part %d was not begun", number);
	copy = mcw_new(upload->alloc, etag.len);
	if (copy == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	memcpy(copy, etag.data, etag.len);
	part = &upload->parts[number - 1];
	if (part->etag.data != NULL)
	{
		mcw_free(upload->alloc, (void *) part->etag.data, part->etag.len);
		upload->size -= part->size;
	}
	part->etag = (mcw_view) {copy, etag.len};
	part->size = call->req.body.len;
	/* accept_part has compared it */
	if (!mcw_view_uint64(told, &part->crc64))
		part->crc64 = mcw_crc64(0, call->req.body.data, call->req.body.len);
	part->has_crc64 = true;
	upload->size += part->size;
	return MCW_OK;
}

mcw_status
mcs_oss_upload_total(mcs_oss_upload *upload, mcw_error *err)
{
	uint64_t	crc = 0;

	for (int i = 0; i < upload->nparts; i++)
	{
		const mcw_oss_part *part = &upload->parts[i];

		if (part->etag.data == NULL)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "part %d of an upload was not acknowledged", part->number);
		crc = i == 0 ? part->crc64 : mcw_crc64_combine(crc, part->crc64, part->size);
	}
	upload->crc64 = crc;
	return MCW_OK;
}

mcw_status
mcs_oss_upload_etag(const mcs_oss_upload *upload, mcw_buf *etag, mcw_error *err)
{
	unsigned char md5[16];
	mcw_buf		all;
	mcw_status	status = MCW_OK;

	mcw_buf_init(&all, upload->alloc, 16 * (MCS_OSS_MAX_PARTS + 1));
	for (int i = 0; i < upload->nparts && status == MCW_OK; i++)
	{
		if (upload->parts[i].etag.len != 32)
			status = MCW_ERR_FORMAT;
		else
			status = mcw_hex_decode(&all, upload->parts[i].etag);
	}
	if (status == MCW_OK)
		status = mcw_md5(all.data, all.len, md5);
	if (status == MCW_OK)
		status = mcw_hex_encode(etag, (mcw_view) {(const char *) md5, sizeof(md5)}, true);
	if (status == MCW_OK)
		status = mcw_buf_printf(etag, "-%d", upload->nparts);
	mcw_buf_free(&all);
	if (status == MCW_ERR_FORMAT)
		return mcw_fail(err, status, "the ETag of a part is not an MD5");
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "could not compute the ETag of an object");
}

void
mcs_oss_upload_free(mcs_oss_upload *upload)
{
	for (int i = 0; i < upload->nparts; i++)
		if (upload->parts[i].etag.data != NULL)
			mcw_free(upload->alloc, (void *) upload->parts[i].etag.data, upload->parts[i].etag.len);
	if (upload->parts != NULL)
		mcw_free(upload->alloc, upload->parts, upload->cap * sizeof(*upload->parts));
	upload->parts = NULL;
	upload->nparts = upload->cap = 0;
}

/* ---- the service's list ---- */

/* An answer that is no list is asked for again, like a lost connection */
static mcw_status
accept_parts(mcn_request *req, mcw_error *err)
{
	mcs_oss_call *call = (mcs_oss_call *) req;
	mcw_oss_parts list;

	return mcw_oss_read_parts(mcw_buf_view(&req->response), &call->arena, &list, err);
}

void
mcs_oss_list_parts(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload, int marker, int max)
{
	char		text[16];

	mcs_oss_call_init(call, oss, "GET", upload->key, MCS_OSS_MAX_DOCUMENT);
	mcs_oss_call_param(call, "uploadId", mcw_str(upload->id));
	mcs_oss_call_param(call, "encoding-type", MCW_LIT("url"));
	(void) snprintf(text, sizeof(text), "%d", max);
	mcs_oss_call_param(call, "max-parts", mcw_str(text));
	if (marker > 0)
	{
		(void) snprintf(text, sizeof(text), "%d", marker);
		mcs_oss_call_param(call, "part-number-marker", mcw_str(text));
	}
	call->req.accept = accept_parts;
}

static mcw_status
compare_parts(const mcs_oss_upload *upload, const mcw_oss_parts *list, int *seen, mcw_error *err)
{
	for (int i = 0; i < list->nparts; i++)
	{
		const mcw_oss_part *theirs = &list->parts[i];
		const mcw_oss_part *ours = &upload->parts[*seen];

		if (*seen >= upload->nparts || theirs->number != *seen + 1)
			return mcw_fail(err, MCW_ERR_PROTOCOL, "upload %s holds part %d where part %d of %d was expected", upload->id,
							theirs->number, *seen + 1, upload->nparts);
		if (!mcw_oss_etag_eq(theirs->etag, ours->etag) || theirs->size != ours->size ||
			(theirs->has_crc64 && ours->has_crc64 && theirs->crc64 != ours->crc64))
			return mcw_fail(err, MCW_ERR_PROTOCOL, "upload %s holds part %d with %" PRIu64 " bytes and ETag \"%.*s\", sent were %" PRIu64 " and \"%.*s\"",
							upload->id, theirs->number, theirs->size, (int) (theirs->etag.len < 80 ? theirs->etag.len : 80),
							theirs->etag.data, ours->size, (int) (ours->etag.len < 80 ? ours->etag.len : 80), ours->etag.data);
		++*seen;
	}
	return MCW_OK;
}

#define PARTS_PAGE 1000

void
mcs_oss_upload_verify_begin(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload)
{
	mcs_oss_list_parts(call, oss, upload, 0, PARTS_PAGE);
	mcs_oss_call_start(call);
}

mcw_status
mcs_oss_upload_verify_end(mcs_oss_call *call, mcs_oss *oss, mcs_oss_upload *upload, mcw_error *err)
{
	int			marker = 0;
	int			seen = 0;
	mcw_status	status = mcs_oss_upload_total(upload, err);

	while (status == MCW_OK)
	{
		mcw_oss_parts list = {0};

		status = mcs_call_wait(&call->req, err);
		if (status == MCW_OK)
			status = mcw_oss_read_parts(mcw_buf_view(&call->req.response), &call->arena, &list, err);
		if (status == MCW_OK)
			status = compare_parts(upload, &list, &seen, err);
		if (status != MCW_OK || !list.truncated)
			break;
		if (list.next_marker <= marker)
		{
			status = mcw_fail(err, MCW_ERR_PROTOCOL, "the list of parts of upload %s makes no progress", upload->id);
			break;
		}
		marker = list.next_marker;
		mcs_oss_call_free(call);
		mcs_oss_list_parts(call, oss, upload, marker, PARTS_PAGE);
		mcs_oss_call_start(call);
	}
	mcs_oss_call_free(call);
	if (status == MCW_OK && seen != upload->nparts)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "upload %s holds %d parts, %d were sent", upload->id, seen, upload->nparts);
	return status;
}

mcw_status
mcs_oss_upload_waits(mcs_oss *oss, const mcs_oss_upload *upload, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_list_parts(&call, oss, upload, 0, 1);
	status = mcs_oss_call_run(&call, err);
	mcs_oss_call_free(&call);
	if (status == MCW_ERR_SERVICE && mcs_oss_error_is(err, "NoSuchUpload"))
		return MCW_END;
	return status;
}

/* ---- left behind ---- */

mcw_status
mcs_oss_upload_abort(mcs_oss *oss, mcw_view key, mcw_view upload_id, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_call_init(&call, oss, "DELETE", key, SMALL_ANSWER);
	mcs_oss_call_param(&call, "uploadId", upload_id);
	mcs_oss_call_start(&call);
	status = call.req.active ? mcn_request_wait(&call.req) : call.req.status;
	if (status == MCW_ERR_INTERRUPTED && call.req.active)
	{
		/* the host is about to end: what is on its way still gets out, and maybe its answer in */
		for (int i = 0; i < CLEAN_UP_STEPS && call.req.active && !call.req.sent; i++)
			(void) mcn_loop_step(oss->loop, 0);
		status = call.req.active ? MCW_ERR_INTERRUPTED : call.req.status;
	}
	if (status == MCW_ERR_INTERRUPTED)
		(void) mcw_fail(err, status, "interrupted");
	else if (status != MCW_OK)
		*err = call.req.error;
	mcs_oss_call_free(&call);
	if (status == MCW_ERR_SERVICE && mcs_oss_error_is(err, "NoSuchUpload"))
		return MCW_OK;
	return status;
}

static mcw_status
accept_uploads(mcn_request *req, mcw_error *err)
{
	mcs_oss_call *call = (mcs_oss_call *) req;
	mcw_oss_uploads list;

	return mcw_oss_read_uploads(mcw_buf_view(&req->response), &call->arena, &list, err);
}

mcw_status
mcs_oss_list_uploads(mcs_oss *oss, mcw_view prefix, mcw_view key_marker, mcw_view id_marker,
					 mcw_arena *arena, mcw_oss_uploads *uploads, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_call_init(&call, oss, "GET", MCW_LIT(""), MCS_OSS_MAX_DOCUMENT);
	mcs_oss_call_param(&call, "uploads", (mcw_view) {NULL, 0});
	mcs_oss_call_param(&call, "encoding-type", MCW_LIT("url"));
	mcs_oss_call_param(&call, "max-uploads", MCW_LIT("1000"));
	mcs_oss_call_param(&call, "prefix", (mcw_view) {prefix.data ? prefix.data : "", prefix.len});
	mcs_oss_call_param(&call, "key-marker", (mcw_view) {key_marker.data ? key_marker.data : "", key_marker.len});
	mcs_oss_call_param(&call, "upload-id-marker", (mcw_view) {id_marker.data ? id_marker.data : "", id_marker.len});
	call.req.accept = accept_uploads;
	status = mcs_oss_call_run(&call, err);
	if (status == MCW_OK)
		status = mcw_oss_read_uploads(mcw_buf_view(&call.req.response), arena, uploads, err);
	if (status == MCW_OK && uploads->truncated && mcw_view_eq(uploads->next_key, key_marker) &&
		mcw_view_eq(uploads->next_upload_id, id_marker))
		status = mcw_fail(err, MCW_ERR_PROTOCOL, "the list of uploads makes no progress");
	mcs_oss_call_free(&call);
	return status;
}
