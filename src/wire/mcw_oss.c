/*
 * mcw_oss.c
 *		Documents of OSS that are small or rare: multipart uploads and multi-delete.
 *		They go through the tree of mcw_doc.h.
 */
#include "mcw_oss.h"
#include "mcw_text.h"

mcw_view
mcw_oss_etag(mcw_view header)
{
	header = mcw_view_trim(header);
	while (header.len > 0 && header.data[0] == '"')
	{
		header.data++;
		header.len--;
	}
	while (header.len > 0 && header.data[header.len - 1] == '"')
		header.len--;
	return header;
}

/* ---- reading ---- */

/* An answer as a tree whose root must be 'name' */
static mcw_status
open_document(mcw_view body, const char *name, mcw_arena *arena, mcw_node **root, mcw_error *err)
{
	mcw_status	status = mcw_xml_parse(body, arena, root, err);

	if (status == MCW_OK && !mcw_view_eq((*root)->name, mcw_str(name)))
		status = mcw_fail(err, MCW_ERR_FORMAT, "the answer is <%.*s>, not <%s>",
						  (int) ((*root)->name.len < 64 ? (*root)->name.len : 64), (*root)->name.data, name);
	return status;
}

static mcw_status
missing(const char *document, const char *element, mcw_error *err)
{
	return mcw_fail(err, MCW_ERR_FORMAT, "malformed <%s>: %s is missing or wrong", document, element);
}

static bool
is_url(const mcw_node *root)
{
	return mcw_view_ieq(mcw_view_trim(mcw_node_text(root, "EncodingType")), MCW_LIT("url"));
}

/* A key, decoded if the document says that keys are encoded */
static mcw_status
take_key(mcw_view text, bool url, mcw_arena *arena, mcw_view *key, mcw_error *err)
{
	mcw_buf		decoded;
	mcw_status	status;

	*key = text;
	if (!url || text.len == 0)
		return MCW_OK;
	mcw_buf_init(&decoded, arena->alloc, SIZE_MAX / 4);
	status = mcw_percent_decode(&decoded, text, true);
	if (status == MCW_OK)
		status = mcw_arena_copy(arena, mcw_buf_view(&decoded), key);
	mcw_buf_free(&decoded);
	if (status != MCW_OK)
		return mcw_fail(err, status, "cannot keep a key: %s", mcw_status_name(status));
	return MCW_OK;
}

/* "true" or "false" */
static bool
take_bool(const mcw_node *root, const char *name, bool *value)
{
	mcw_view	text = mcw_view_trim(mcw_node_text(root, name));

	*value = mcw_view_eq(text, MCW_LIT("true"));
	return *value || mcw_view_eq(text, MCW_LIT("false"));
}

static int
count_children(const mcw_node *root, const char *name)
{
	int			n = 0;

	for (const mcw_node *child = mcw_node_get(root, name); child; child = mcw_node_next(child, name))
		n++;
	return n;
}

static void *
new_array(mcw_arena *arena, int n, size_t size, mcw_status *status, mcw_error *err)
{
	size_t		bytes = (size_t) (n > 0 ? n : 1) * size;
	void	   *array = mcw_arena_new(arena, bytes);

	*status = MCW_OK;
	if (array == NULL)
	{
		*status = mcw_arena_why(arena, bytes);
		mcw_fail(err, *status, "cannot keep the answer: %s", mcw_status_name(*status));
	}
	return array;
}

mcw_status
mcw_oss_read_parts(mcw_view body, mcw_arena *arena, mcw_oss_parts *parts, mcw_error *err)
{
	static const char document[] = "ListPartsResult";
	mcw_node   *root = NULL;
	mcw_status	status = open_document(body, document, arena, &root, err);
	int64_t		marker = 0;

	memset(parts, 0, sizeof(*parts));
	if (status == MCW_OK)
		parts->parts = new_array(arena, count_children(root, "Part"), sizeof(mcw_oss_part), &status, err);
	if (status != MCW_OK)
		return status;
	if (!take_bool(root, "IsTruncated", &parts->truncated))
		return missing(document, "IsTruncated", err);
	if (mcw_node_int(root, "NextPartNumberMarker", &marker) && marker > 0 && marker <= INT32_MAX)
		parts->next_marker = (int) marker;
	if (parts->truncated && parts->next_marker == 0)
		return missing(document, "NextPartNumberMarker", err);
	for (const mcw_node *node = mcw_node_get(root, "Part"); node; node = mcw_node_next(node, "Part"))
	{
		mcw_oss_part *part = &parts->parts[parts->nparts++];
		mcw_view	crc = mcw_view_trim(mcw_node_text(node, "HashCrc64ecma"));
		int64_t		number;

		if (!mcw_node_int(node, "PartNumber", &number) || number < 1 || number > INT32_MAX)
			return missing(document, "PartNumber", err);
		part->number = (int) number;
		part->etag = mcw_oss_etag(mcw_node_text(node, "ETag"));
		if (part->etag.len == 0)
			return missing(document, "ETag", err);
		if (!mcw_view_uint64(mcw_view_trim(mcw_node_text(node, "Size")), &part->size))
			return missing(document, "Size", err);
		part->has_crc64 = mcw_view_uint64(crc, &part->crc64);
		if (crc.len > 0 && !part->has_crc64)
			return missing(document, "HashCrc64ecma", err);
	}
	return MCW_OK;
}

mcw_status
mcw_oss_read_uploads(mcw_view body, mcw_arena *arena, mcw_oss_uploads *uploads, mcw_error *err)
{
	static const char document[] = "ListMultipartUploadsResult";
	mcw_node   *root = NULL;
	mcw_status	status = open_document(body, document, arena, &root, err);
	bool		url;

	memset(uploads, 0, sizeof(*uploads));
	if (status == MCW_OK)
		uploads->uploads = new_array(arena, count_children(root, "Upload"), sizeof(mcw_oss_upload), &status, err);
	if (status != MCW_OK)
		return status;
	url = is_url(root);
	if (!take_bool(root, "IsTruncated", &uploads->truncated))
		return missing(document, "IsTruncated", err);
	status = take_key(mcw_node_text(root, "NextKeyMarker"), url, arena, &uploads->next_key, err);
	if (status != MCW_OK)
		return status;
	uploads->next_upload_id = mcw_view_trim(mcw_node_text(root, "NextUploadIdMarker"));
	if (uploads->truncated && uploads->next_key.len == 0)
		return missing(document, "NextKeyMarker", err);
	for (const mcw_node *node = mcw_node_get(root, "Upload"); node; node = mcw_node_next(node, "Upload"))
	{
		mcw_oss_upload *upload = &uploads->uploads[uploads->nuploads++];

		status = take_key(mcw_node_text(node, "Key"), url, arena, &upload->key, err);
		if (status != MCW_OK)
			return status;
		if (upload->key.len == 0)
			return missing(document, "Key", err);
		upload->upload_id = mcw_view_trim(mcw_node_text(node, "UploadId"));
		if (upload->upload_id.len == 0)
			return missing(document, "UploadId", err);
		if (!mcw_parse_iso8601(mcw_view_trim(mcw_node_text(node, "Initiated")), &upload->initiated))
			return missing(document, "Initiated", err);
	}
	return MCW_OK;
}

mcw_status
mcw_oss_read_initiate(mcw_view body, mcw_arena *arena, mcw_view *upload_id, mcw_error *err)
{
	static const char document[] = "InitiateMultipartUploadResult";
	mcw_node   *root = NULL;
	mcw_status	status = open_document(body, document, arena, &root, err);

	if (status != MCW_OK)
		return status;
	*upload_id = mcw_view_trim(mcw_node_text(root, "UploadId"));
	return upload_id->len > 0 ? MCW_OK : missing(document, "UploadId", err);
}

mcw_status
mcw_oss_read_complete(mcw_view body, mcw_arena *arena, mcw_view *etag, mcw_error *err)
{
	static const char document[] = "CompleteMultipartUploadResult";
	mcw_node   *root = NULL;
	mcw_status	status = open_document(body, document, arena, &root, err);

	if (status != MCW_OK)
		return status;
	*etag = mcw_oss_etag(mcw_node_text(root, "ETag"));
	return etag->len > 0 ? MCW_OK : missing(document, "ETag", err);
}

mcw_status
mcw_oss_read_deleted(mcw_view body, mcw_arena *arena, mcw_view **keys, int *nkeys, mcw_error *err)
{
	static const char document[] = "DeleteResult";
	mcw_node   *root = NULL;
	mcw_status	status;
	bool		url;

	*keys = NULL;
	*nkeys = 0;
	if (mcw_view_trim(body).len == 0)
		return MCW_OK;
	status = open_document(body, document, arena, &root, err);
	if (status == MCW_OK)
		*keys = new_array(arena, count_children(root, "Deleted"), sizeof(mcw_view), &status, err);
	if (status != MCW_OK)
		return status;
	url = is_url(root);
	for (const mcw_node *node = mcw_node_get(root, "Deleted"); node; node = mcw_node_next(node, "Deleted"))
	{
		mcw_view   *key = &(*keys)[(*nkeys)++];

		status = take_key(mcw_node_text(node, "Key"), url, arena, key, err);
		if (status != MCW_OK)
			return status;
		if (key->len == 0)
			return missing(document, "Key", err);
	}
	return MCW_OK;
}

/* ---- writing ---- */

mcw_status
mcw_oss_write_complete(const mcw_oss_part *parts, int nparts, mcw_buf *body)
{
	mcw_status	status = mcw_buf_append_str(body, "<CompleteMultipartUpload>");

	for (int i = 0; i < nparts && status == MCW_OK; i++)
	{
		/* &quot; and not a bare quote: the one form that no reader mistakes */
		(void) mcw_buf_printf(body, "<Part><PartNumber>%d</PartNumber><ETag>&quot;", parts[i].number);
		status = mcw_xml_escape(body, parts[i].etag);
		(void) mcw_buf_append_str(body, "&quot;</ETag></Part>");
		if (status == MCW_OK)
			status = mcw_buf_status(body);
	}
	return status == MCW_OK ? mcw_buf_append_str(body, "</CompleteMultipartUpload>") : status;
}

mcw_status
mcw_oss_write_delete(const mcw_view *keys, int nkeys, bool quiet, mcw_buf *body)
{
	mcw_status	status = mcw_buf_printf(body, "<Delete><Quiet>%s</Quiet>", quiet ? "true" : "false");

	for (int i = 0; i < nkeys && status == MCW_OK; i++)
	{
		(void) mcw_buf_append_str(body, "<Object><Key>");
		status = mcw_xml_escape(body, keys[i]);
		(void) mcw_buf_append_str(body, "</Key></Object>");
		if (status == MCW_OK)
			status = mcw_buf_status(body);
	}
	return status == MCW_OK ? mcw_buf_append_str(body, "</Delete>") : status;
}
