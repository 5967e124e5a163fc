/*
 * oss_put.c
 *		mc-emulator, Object Storage Service part: PutObject, AppendObject, CopyObject and
 *		the deletion of objects.
 *
 * Reference: oss.md 3.6 to 3.9.
 */
#include <stdlib.h>

#include "oss.h"

static emu_blob *
body_blob(const emu_request *req)
{
	char	   *data = emu_malloc(req->body.len);

	memcpy(data, req->body.data, req->body.len);
	return emu_blob_take(data, req->body.len);
}

void
oss_put_object(oss_call *call)
{
	oss_change	change = {.key = call->key, .forbid = oss_forbids(call->req)};
	oss_object *o;
	char		etag[48];
	uint64_t	crc;

	oss_count.puts++;
	if ((int64_t) call->req->body.len > oss_set.max_put)
	{
		(void) oss_error(call, 400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.");
		return;
	}
	o = oss_object_new(call->key, OSS_NORMAL, call->req->now_us);
	if (!oss_read_meta(call, &o->meta))
	{
		oss_object_free(o);
		return;
	}
	oss_object_content(o, body_blob(call->req), !oss_discards(call->bucket, call->key));
	strcpy(etag, o->etag);
	crc = o->crc;
	change.object = o;
	if (!oss_install(call, &change))
		return;
	call->resp->status = 200;
	oss_etag_header(call, etag);
	oss_md5_header(call, etag);
	oss_crc_header(call, crc);
}

/* ---- append ---- */

static void
append_bytes(oss_object *o, mcw_view more)
{
	emu_blob   *blob = o->blob;
	char		text[64];
	unsigned char md5[16];

	if (blob->refs == 1)
		blob->data = emu_realloc(blob->data, blob->len + more.len);
	else
	{
		char	   *copy = emu_malloc(blob->len + more.len);

		memcpy(copy, blob->data, blob->len);
		o->blob = emu_blob_take(copy, blob->len);
		emu_blob_unref(blob);
		blob = o->blob;
	}
	memcpy(blob->data + blob->len, more.data, more.len);
	blob->len += more.len;
	o->size = blob->len;
	o->crc = mcw_crc64(o->crc, more.data, more.len);
	/* opaque, but another one for other bytes */
	snprintf(text, sizeof(text), "%llx-%llx", (unsigned long long) o->size, (unsigned long long) o->crc);
	if (mcw_md5(text, strlen(text), md5) != MCW_OK)
		emu_oom();
	oss_md5_hex(md5, o->etag);
}

static bool
appendable(oss_call *call, oss_object *o, int64_t position)
{
	uint64_t	size = o ? o->size : 0;

	if (o && o->kind != OSS_APPENDABLE)
		return oss_error(call, 409, "ObjectNotAppendable", "The object is not appendable");
	if (o && o->sealed)
		return oss_error(call, 409, "FileImmutable", "The object is sealed.");
	if ((uint64_t) position != size)
	{
		emu_header_add(call->resp, "x-oss-next-append-position", "%llu", (unsigned long long) size);
		oss_crc_header(call, o ? o->crc : 0);
		return oss_error(call, 409, "PositionNotEqualToLength", "Position is not equal to file length");
	}
	return true;
}

/* The parameter "position"; false after answering */
static bool
read_position(oss_call *call, int64_t *position)
{
	mcw_view	given = oss_param(call->req, "position");

	if (given.len == 0)
		return oss_error(call, 400, "MissingArgument", "Missing Some Required Arguments.");
	return oss_number(call, "position", 0, INT64_MAX, 0, position);
}

void
oss_append_object(oss_call *call)
{
	oss_object *o = oss_object_find(call->bucket, call->key);
	int64_t		position;

	if (!read_position(call, &position) || !appendable(call, o, position))
		return;
	if (position + (int64_t) call->req->body.len > oss_set.max_put)
	{
		(void) oss_error(call, 400, "EntityTooLarge", "Your proposed append exceeds the maximum allowed size of an object.");
		return;
	}
	if (o == NULL)
	{
		o = oss_object_new(call->key, OSS_APPENDABLE, call->req->now_us);
		if (!oss_read_meta(call, &o->meta))
		{
			oss_object_free(o);
			return;
		}
		o->blob = emu_blob_take(emu_malloc(0), 0);
		oss_object_insert(call->bucket, o);
	}
	append_bytes(o, call->req->body);
	call->bucket->bytes += call->req->body.len;
	o->modified_us = call->req->now_us - call->req->now_us % OSS_SECOND;
	call->resp->status = 200;
	oss_etag_header(call, o->etag);
	emu_header_add(call->resp, "x-oss-next-append-position", "%llu", (unsigned long long) o->size);
	oss_crc_header(call, o->crc);
}

void
oss_seal_object(oss_call *call)
{
	oss_object *o = oss_object_find(call->bucket, call->key);
	int64_t		position;

	if (!read_position(call, &position))
		return;
	if (o == NULL)
	{
		(void) oss_no_such_key(call);
		return;
	}
	if (!o->sealed && !appendable(call, o, position))
		return;
	o->sealed = true;
	call->resp->status = 200;
	emu_header_add(call->resp, "x-oss-sealed-time", "%lld", (long long) (call->req->now_us / OSS_SECOND));
}

/* ---- copy ---- */

/* Metadata and tags by the two directives; false after answering */
static bool
copy_meta(oss_call *call, const oss_object *source, oss_meta *meta)
{
	mcw_view	directive = oss_header(call->req, "x-oss-metadata-directive");
	mcw_view	tagging = oss_header(call->req, "x-oss-tagging-directive");
	bool		replace = mcw_view_ieq(directive, MCW_LIT("REPLACE"));
	bool		new_tags = mcw_view_ieq(tagging, MCW_LIT("Replace"));
	oss_meta	old;

	if (directive.len > 0 && !replace && !mcw_view_ieq(directive, MCW_LIT("COPY")))
		return oss_invalid_argument(call, "x-oss-metadata-directive", directive, "The metadata directive is invalid.");
	if (tagging.len > 0 && !new_tags && !mcw_view_ieq(tagging, MCW_LIT("Copy")))
		return oss_invalid_argument(call, "x-oss-tagging-directive", tagging, "The tagging directive is invalid.");
	if (!oss_read_meta(call, meta))
		return false;
	oss_meta_copy(&old, &source->meta);
	if (!new_tags)
	{
		oss_meta_clear_tags(meta);
		for (int i = 0; i < old.ntags; i++)
			oss_meta_tag(meta, mcw_str(old.tags[i].name), mcw_str(old.tags[i].value));
	}
	if (!replace)
	{
		for (int i = 0; i < meta->nheaders; i++)
		{
			free(meta->headers[i].name);
			free(meta->headers[i].value);
		}
		meta->nheaders = 0;
		for (int i = 0; i < old.nheaders; i++)
			oss_meta_add(meta, old.headers[i].name, mcw_str(old.headers[i].value));
	}
	oss_meta_free(&old);
	return true;
}

void
oss_copy_object(oss_call *call)
{
	oss_change	change = {.key = call->key, .forbid = oss_forbids(call->req)};
	oss_object *source;
	oss_object *o;
	char		etag[48];
	uint64_t	crc;

	if (call->req->body.len > 0)
	{
		(void) oss_error(call, 400, "InvalidRequest", "A copy request must not have a body.");
		return;
	}
	if (!oss_copy_source(call, &source))
		return;
	if (source->size > (uint64_t) oss_set.max_put)
	{
		(void) oss_error(call, 400, "InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source.");
		return;
	}
	o = oss_object_new(call->key, OSS_NORMAL, call->req->now_us);
	if (!copy_meta(call, source, &o->meta))
	{
		oss_object_free(o);
		return;
	}
	if (source->blob && source->blob->len == source->size)
		oss_object_content(o, emu_blob_ref(source->blob), true);
	else
	{
		o->kind = source->kind;
		o->blob = source->blob ? emu_blob_ref(source->blob) : NULL;
		o->size = source->size;
		o->crc = source->crc;
		o->has_md5 = source->has_md5;
		strcpy(o->etag, source->etag);
	}
	strcpy(etag, o->etag);
	crc = o->crc;
	change.object = o;
	if (!oss_install(call, &change))
		return;
	oss_xml_begin(call, "CopyObjectResult");
	(void) mcw_buf_printf(&call->resp->body, "<ETag>\"%s\"</ETag>", etag);
	oss_xml_time(&call->resp->body, "LastModified", call->req->now_us);
	oss_xml_end(call, "CopyObjectResult");
	oss_etag_header(call, etag);
	oss_crc_header(call, crc);
}

/* ---- delete ---- */

void
oss_delete_object(oss_call *call)
{
	oss_change	change = {.key = call->key};

	oss_count.deletes++;
	if (oss_install(call, &change))
		call->resp->status = 204;
}

#define MAX_DELETE 1000

static bool
malformed(oss_call *call)
{
	return oss_error(call, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.");
}

/* One to a thousand keys, no versions; false after answering */
static bool
deletable(oss_call *call, const mcw_node *root)
{
	int			n = 0;

	for (const mcw_node *o = mcw_node_get(root, "Object"); o; o = mcw_node_next(o, "Object"), n++)
	{
		mcw_view	version = mcw_node_text(o, "VersionId");

		if (mcw_node_text(o, "Key").len == 0)
			return malformed(call);
		if (version.len > 0 && !mcw_view_eq(version, MCW_LIT("null")))
			return oss_error(call, 501, "NotImplemented", "Object versions are not implemented.");
	}
	return (n > 0 && n <= MAX_DELETE) || malformed(call);
}

void
oss_delete_objects(oss_call *call)
{
	mcw_node   *root = NULL;
	mcw_error	err;
	mcw_buf    *b = &call->resp->body;
	bool		url;
	bool		quiet;

	if (!oss_url_encoding(call, &url))
		return;
	if (oss_header(call->req, "Content-MD5").len == 0)
	{
		(void) oss_error(call, 400, "MissingArgument", "Missing Some Required Arguments: Content-MD5.");
		return;
	}
	if (call->req->body.len > 2 << 20 || mcw_xml_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK ||
		!mcw_view_eq(root->name, MCW_LIT("Delete")))
	{
		(void) malformed(call);
		return;
	}
	quiet = mcw_view_ieq(mcw_node_text(root, "Quiet"), MCW_LIT("true"));
	if (!deletable(call, root))
		return;
	if (!quiet)
	{
		oss_xml_begin(call, "DeleteResult");
		if (url)
			oss_xml_text(b, "EncodingType", MCW_LIT("url"));
	}
	for (const mcw_node *o = mcw_node_get(root, "Object"); o; o = mcw_node_next(o, "Object"))
	{
		mcw_view	key = mcw_node_text(o, "Key");
		oss_object *object = oss_object_find(call->bucket, key);

		if (object)
			oss_object_delete(call->bucket, object);
		oss_count.deletes++;
		if (quiet)
			continue;
		(void) mcw_buf_append_str(b, "<Deleted>");
		oss_xml_name(b, "Key", key, url);
		(void) mcw_buf_append_str(b, "</Deleted>");
	}
	if (quiet)
		call->resp->status = 200;
	else
		oss_xml_end(call, "DeleteResult");
}
