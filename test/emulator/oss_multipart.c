/*
 * oss_multipart.c
 *		mc-emulator, Object Storage Service part: multipart uploads from Initiate to
 *		Complete or Abort, and ListParts.
 *
 * Reference: oss.md 3.10.
 */
#include <stdlib.h>

#include "oss.h"

static bool
no_such_upload(oss_call *call)
{
	oss_extra(call, "UploadId", oss_param(call->req, "uploadId"));
	return oss_error(call, 404, "NoSuchUpload", "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.");
}

/* The upload a request names; NULL after answering */
static oss_upload *
named_upload(oss_call *call)
{
	oss_upload *u = oss_upload_find(call->bucket, call->key, oss_param(call->req, "uploadId"));

	if (u && emu_fault_armed(call->req, "upload_forgotten"))
	{
		oss_upload_drop(call->bucket, u);
		u = NULL;
	}
	if (u == NULL)
		(void) no_such_upload(call);
	return u;
}

void
oss_initiate(oss_call *call)
{
	mcw_buf    *b = &call->resp->body;
	oss_upload *u;
	oss_meta	meta;
	bool		url;

	if (!oss_url_encoding(call, &url))
		return;
	if (oss_forbids(call->req) && oss_object_find(call->bucket, call->key))
	{
		oss_extra(call, "ObjectName", call->key);
		(void) oss_error(call, 409, "FileAlreadyExists", "The object you specified already exists and can not be overwritten.");
		return;
	}
	if (!oss_read_meta(call, &meta))
		return;
	u = oss_upload_new(call->bucket, call->key, call->req->now_us);
	u->meta = meta;
	u->sequential = oss_has(call->req, "sequential");
	u->forbid = oss_forbids(call->req);
	oss_xml_begin(call, "InitiateMultipartUploadResult");
	if (url)
		oss_xml_text(b, "EncodingType", MCW_LIT("url"));
	oss_xml_text(b, "Bucket", call->bucket_name);
	oss_xml_name(b, "Key", call->key, url);
	oss_xml_text(b, "UploadId", mcw_str(u->id));
	oss_xml_end(call, "InitiateMultipartUploadResult");
}

/* ---- parts ---- */

/* Where a number is, or where it belongs */
static int
place_of(const oss_upload *u, int number)
{
	int			lo = 0;
	int			hi = u->nparts;

	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;

		if (u->parts[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static void
put_part(oss_upload *u, const oss_part *part)
{
	int			at = place_of(u, part->number);

	if (at < u->nparts && u->parts[at].number == part->number)
		emu_blob_unref(u->parts[at].blob);
	else
	{
		if (u->nparts == u->parts_cap)
		{
			u->parts_cap = u->parts_cap ? u->parts_cap * 2 : 8;
			u->parts = emu_realloc(u->parts, u->parts_cap * sizeof(oss_part));
		}
		memmove(u->parts + at + 1, u->parts + at, (u->nparts - at) * sizeof(oss_part));
		u->nparts++;
	}
	u->parts[at] = *part;
}

/* Number and size of a part that is to come; false after answering */
static bool
part_ok(oss_call *call, oss_upload **u, int *number, uint64_t size)
{
	mcw_view	given = oss_param(call->req, "partNumber");
	int64_t		n;

	if (given.len == 0)
		return oss_error(call, 400, "MissingArgument", "Missing Some Required Arguments.");
	if (!mcw_view_int64(given, &n) || n < 1 || n > oss_set.max_parts)
		return oss_invalid_argument(call, "partNumber", given, "Part number must be an integer between 1 and 10000, inclusive.");
	*u = named_upload(call);
	if (*u == NULL)
		return false;
	if ((int64_t) size > oss_set.max_part)
		return oss_error(call, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.");
	if ((*u)->sequential && n > (*u)->nparts + 1)
		return oss_error(call, 400, "PartNotSequential", "Part number is not sequential");
	*number = (int) n;
	return true;
}

static void
hash_part(oss_part *part, mcw_view bytes)
{
	part->size = bytes.len;
	part->crc = mcw_crc64(0, bytes.data, bytes.len);
	if (mcw_md5(bytes.data, bytes.len, part->md5) != MCW_OK)
		emu_oom();
}

void
oss_upload_part(oss_call *call)
{
	oss_part	part = {.modified_us = call->req->now_us};
	oss_upload *u;
	char		etag[40];

	oss_count.parts++;
	if (!part_ok(call, &u, &part.number, call->req->body.len))
		return;
	hash_part(&part, call->req->body);
	if (!oss_discards(call->bucket, call->key))
	{
		char	   *data = emu_malloc(part.size);

		memcpy(data, call->req->body.data, part.size);
		part.blob = emu_blob_take(data, part.size);
	}
	put_part(u, &part);
	oss_md5_hex(part.md5, etag);
	call->resp->status = 200;
	oss_etag_header(call, etag);
	oss_md5_header(call, etag);
	oss_crc_header(call, part.crc);
}

void
oss_upload_part_copy(oss_call *call)
{
	mcw_view	range = oss_header(call->req, "x-oss-copy-source-range");
	oss_part	part = {.modified_us = call->req->now_us};
	oss_object *source;
	oss_upload *u;
	uint64_t	from = 0;
	uint64_t	to = 0;
	char		etag[40];

	if (!oss_copy_source(call, &source))
		return;
	if (source->blob == NULL)
	{
		(void) oss_error(call, 501, "NotImplemented", "The emulator did not keep the bytes of the source (command \"discard\").");
		return;
	}
	if (range.data && oss_parse_range(range, source->size, &from, &to) != OSS_RANGE_WITHIN)
	{
		(void) oss_error(call, 400, "InvalidArgument", "The x-oss-copy-source-range value must be of the form bytes=first-last within the source.");
		return;
	}
	if (!range.data && source->size > 0)
		to = source->size - 1;
	if (!part_ok(call, &u, &part.number, source->size > 0 ? to - from + 1 : 0))
		return;
	part.blob = oss_slice(source, from, source->size > 0 ? to - from + 1 : 0);
	hash_part(&part, (mcw_view) {part.blob->data, part.blob->len});
	put_part(u, &part);
	oss_md5_hex(part.md5, etag);
	oss_xml_begin(call, "CopyPartResult");
	(void) mcw_buf_printf(&call->resp->body, "<ETag>\"%s\"</ETag>", etag);
	oss_xml_time(&call->resp->body, "LastModified", call->req->now_us);
	oss_xml_end(call, "CopyPartResult");
	oss_etag_header(call, etag);
	oss_crc_header(call, part.crc);
}

void
oss_list_parts(oss_call *call)
{
	oss_upload *u = named_upload(call);
	mcw_buf    *b = &call->resp->body;
	int64_t		marker;
	int64_t		max;
	int			at;
	int			end;
	bool		url;

	if (u == NULL || !oss_url_encoding(call, &url) ||
		!oss_number(call, "part-number-marker", 0, INT32_MAX - 1, 0, &marker) ||
		!oss_number(call, "max-parts", 1, 1000, 1000, &max))
		return;
	at = place_of(u, (int) marker + 1);
	if (max > oss_set.page_keys)
		max = oss_set.page_keys;
	end = u->nparts - at > max ? at + (int) max : u->nparts;
	oss_xml_begin(call, "ListPartsResult");
	if (url)
		oss_xml_text(b, "EncodingType", MCW_LIT("url"));
	oss_xml_text(b, "Bucket", call->bucket_name);
	oss_xml_name(b, "Key", call->key, url);
	oss_xml_text(b, "UploadId", mcw_str(u->id));
	oss_xml_text(b, "StorageClass", mcw_str(u->meta.storage_class));
	(void) mcw_buf_printf(b, "<PartNumberMarker>%lld</PartNumberMarker><NextPartNumberMarker>%lld</NextPartNumberMarker>"
						  "<MaxParts>%lld</MaxParts><IsTruncated>%s</IsTruncated>\n", (long long) marker,
						  (long long) (end > at ? u->parts[end - 1].number : marker), (long long) max,
						  end < u->nparts ? "true" : "false");
	for (; at < end; at++)
	{
		char		etag[40];

		oss_md5_hex(u->parts[at].md5, etag);
		(void) mcw_buf_printf(b, "<Part><PartNumber>%d</PartNumber>", u->parts[at].number);
		oss_xml_time(b, "LastModified", u->parts[at].modified_us);
		(void) mcw_buf_printf(b, "<ETag>\"%s\"</ETag><HashCrc64ecma>%llu</HashCrc64ecma><Size>%llu</Size></Part>\n", etag,
							  (unsigned long long) u->parts[at].crc, (unsigned long long) u->parts[at].size);
	}
	oss_xml_end(call, "ListPartsResult");
}

/* ---- the end ---- */

static bool
malformed(oss_call *call)
{
	return oss_error(call, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.");
}

static bool
invalid_part(oss_call *call, mcw_view number)
{
	oss_extra(call, "PartNumber", number);
	return oss_error(call, 400, "InvalidPart", "One or more of the specified parts could not be found or the specified entity tag might not have matched the part's entity tag.");
}

/* The parts the body names, in 'parts' (room for 10000); false after answering */
static bool
chosen_parts(oss_call *call, oss_upload *u, oss_part **parts, int *n)
{
	mcw_node   *root = NULL;
	mcw_error	err;
	int64_t		last = 0;

	*n = 0;
	if (mcw_xml_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK ||
		!mcw_view_eq(root->name, MCW_LIT("CompleteMultipartUpload")))
		return malformed(call);
	for (const mcw_node *p = mcw_node_get(root, "Part"); p; p = mcw_node_next(p, "Part"))
	{
		mcw_view	text = mcw_node_text(p, "PartNumber");
		mcw_view	etag = oss_unquote(mcw_node_text(p, "ETag"));
		int64_t		number;
		char		mine[40];
		int			at;

		if (!mcw_view_int64(text, &number))
			return malformed(call);
		if (number <= last)
			return oss_error(call, 400, "InvalidPartOrder", "The list of parts was not in ascending order. Parts list must specified in order by part number.");
		last = number;
		at = number > oss_set.max_parts ? u->nparts : place_of(u, (int) number);
		if (at == u->nparts || u->parts[at].number != number)
			return invalid_part(call, text);
		oss_md5_hex(u->parts[at].md5, mine);
		if (!mcw_view_ieq(etag, mcw_str(mine)))
			return invalid_part(call, text);
		parts[(*n)++] = &u->parts[at];
	}
	return true;
}

static bool
sizes_ok(oss_call *call, oss_part **parts, int n)
{
	for (int i = 0; i + 1 < n; i++)
		if ((int64_t) parts[i]->size < oss_set.min_part)
		{
			(void) mcw_buf_printf(&call->extra, "<ProposedSize>%llu</ProposedSize><MinSizeAllowed>%lld</MinSizeAllowed><PartNumber>%d</PartNumber>",
								  (unsigned long long) parts[i]->size, (long long) oss_set.min_part, parts[i]->number);
			return oss_error(call, 400, "EntityTooSmall", "Your proposed upload smaller than the minimum allowed size.");
		}
	return true;
}

void
oss_complete(oss_call *call)
{
	oss_upload *u;
	oss_change	change = {.key = call->key};
	mcw_view	all = oss_header(call->req, "x-oss-complete-all");
	oss_part  **parts;
	mcw_buf    *b = &call->resp->body;
	mcw_buf		location;
	char		etag[48];
	uint64_t	crc;
	bool		url;
	int			n = 0;
	bool		ok = true;

	oss_count.completes++;
	if (!oss_url_encoding(call, &url) || (u = named_upload(call)) == NULL)
		return;
	if (all.len > 0 && !mcw_view_ieq(all, MCW_LIT("yes")))
	{
		(void) oss_invalid_argument(call, "x-oss-complete-all", all, "The value must be yes.");
		return;
	}
	if (all.len > 0 && call->req->body.len > 0)
	{
		(void) oss_error(call, 400, "InvalidArgument", "x-oss-complete-all does not go together with a list of parts.");
		return;
	}
	parts = emu_malloc((size_t) (u->nparts + 1) * sizeof(*parts));
	if (all.len > 0)
		for (; n < u->nparts; n++)
			parts[n] = &u->parts[n];
	else
		ok = chosen_parts(call, u, parts, &n);
	if (!ok || !sizes_ok(call, parts, n))
	{
		free(parts);
		return;
	}
	change.object = oss_upload_object(u, parts, n, call->req->now_us);
	free(parts);
	change.forbid = u->forbid || oss_forbids(call->req);
	snprintf(change.upload, sizeof(change.upload), "%s", u->id);
	strcpy(etag, change.object->etag);
	crc = change.object->crc;
	if (!oss_install(call, &change))
		return;
	oss_xml_begin(call, "CompleteMultipartUploadResult");
	if (url)
		oss_xml_text(b, "EncodingType", MCW_LIT("url"));
	mcw_buf_init(&location, &mcw_malloc, 1 << 16);
	(void) mcw_buf_append_str(&location, "http://");
	(void) mcw_buf_append_view(&location, call->req->host);
	(void) mcw_buf_append_char(&location, '/');
	if (call->path_style)
	{
		(void) mcw_buf_append_view(&location, call->bucket_name);
		(void) mcw_buf_append_char(&location, '/');
	}
	(void) mcw_percent_encode(&location, call->key, true);
	oss_xml_text(b, "Location", mcw_buf_view(&location));
	mcw_buf_free(&location);
	oss_xml_text(b, "Bucket", call->bucket_name);
	oss_xml_name(b, "Key", call->key, url);
	(void) mcw_buf_printf(b, "<ETag>\"%s\"</ETag>", etag);
	oss_xml_end(call, "CompleteMultipartUploadResult");
	oss_etag_header(call, etag);
	oss_crc_header(call, crc);
}

void
oss_abort(oss_call *call)
{
	oss_upload *u = named_upload(call);

	oss_count.aborts++;
	if (u == NULL)
		return;
	oss_upload_drop(call->bucket, u);
	call->resp->status = 204;
}
