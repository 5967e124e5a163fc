/*
 * oss_attr.c
 *		mc-emulator, Object Storage Service part: access control, tags and symbolic links of
 *		objects.
 *
 * Reference: oss.md 3.11.
 */
#include <stdlib.h>

#include "oss.h"

/* NULL after answering */
static oss_object *
existing(oss_call *call)
{
	oss_object *o = oss_object_find(call->bucket, call->key);

	if (o == NULL)
		(void) oss_no_such_key(call);
	return o;
}

void
oss_get_object_acl(oss_call *call)
{
	const oss_object *o = existing(call);

	if (o == NULL)
		return;
	oss_xml_begin(call, "AccessControlPolicy");
	oss_xml_owner(&call->resp->body);
	(void) mcw_buf_printf(&call->resp->body, "<AccessControlList><Grant>%s</Grant></AccessControlList>", oss_acl_name(o->meta.acl));
	oss_xml_end(call, "AccessControlPolicy");
}

void
oss_put_object_acl(oss_call *call)
{
	mcw_view	given = oss_header(call->req, "x-oss-object-acl");
	oss_object *o = existing(call);
	oss_acl		acl;

	if (o == NULL)
		return;
	if (!oss_acl_parse(given, &acl))
	{
		(void) oss_invalid_argument(call, "x-oss-object-acl", given, "no such object access control exists");
		return;
	}
	o->meta.acl = acl;
	call->resp->status = 200;
}

void
oss_get_tagging(oss_call *call)
{
	const oss_object *o = existing(call);
	mcw_buf    *b = &call->resp->body;

	if (o == NULL)
		return;
	oss_xml_begin(call, "Tagging");
	(void) mcw_buf_append_str(b, "<TagSet>");
	for (int i = 0; i < o->meta.ntags; i++)
	{
		(void) mcw_buf_append_str(b, "<Tag>");
		oss_xml_text(b, "Key", mcw_str(o->meta.tags[i].name));
		oss_xml_text(b, "Value", mcw_str(o->meta.tags[i].value));
		(void) mcw_buf_append_str(b, "</Tag>");
	}
	(void) mcw_buf_append_str(b, "</TagSet>");
	oss_xml_end(call, "Tagging");
}

void
oss_put_tagging(oss_call *call)
{
	oss_object *o = existing(call);
	mcw_node   *root = NULL;
	mcw_error	err;
	oss_meta	tags = {0};
	mcw_buf		text;
	bool		ok;

	if (o == NULL)
		return;
	if (mcw_xml_parse(call->req->body, call->req->arena, &root, &err) != MCW_OK ||
		!mcw_view_eq(root->name, MCW_LIT("Tagging")) || mcw_node_get(root, "TagSet") == NULL)
	{
		(void) oss_error(call, 400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.");
		return;
	}
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	for (const mcw_node *t = mcw_node_get(mcw_node_get(root, "TagSet"), "Tag"); t; t = mcw_node_next(t, "Tag"))
	{
		if (text.len > 0)
			(void) mcw_buf_append_char(&text, '&');
		(void) mcw_percent_encode(&text, mcw_node_text(t, "Key"), false);
		(void) mcw_buf_append_char(&text, '=');
		(void) mcw_percent_encode(&text, mcw_node_text(t, "Value"), false);
	}
	ok = oss_read_tags(call, mcw_buf_view(&text), &tags);
	mcw_buf_free(&text);
	if (!ok)
	{
		oss_meta_free(&tags);
		return;
	}
	oss_meta_clear_tags(&o->meta);
	o->meta.tags = tags.tags;
	o->meta.ntags = tags.ntags;
	call->resp->status = 200;
}

void
oss_delete_tagging(oss_call *call)
{
	oss_object *o = existing(call);

	if (o == NULL)
		return;
	oss_meta_clear_tags(&o->meta);
	call->resp->status = 204;
}

void
oss_put_symlink(oss_call *call)
{
	mcw_view	given = oss_header(call->req, "x-oss-symlink-target");
	oss_change	change = {.key = call->key, .forbid = oss_forbids(call->req)};
	oss_object *o;
	mcw_buf		target;
	char		etag[48];

	mcw_buf_init(&target, &mcw_malloc, 1 << 16);
	(void) mcw_percent_decode(&target, given, false);
	if (!oss_key_ok(mcw_buf_view(&target)))
	{
		mcw_buf_free(&target);
		(void) oss_invalid_argument(call, "x-oss-symlink-target", given, "The symlink target is not a valid object name.");
		return;
	}
	o = oss_object_new(call->key, OSS_SYMLINK, call->req->now_us);
	if (!oss_read_meta(call, &o->meta))
	{
		mcw_buf_free(&target);
		oss_object_free(o);
		return;
	}
	o->target = emu_strdup(mcw_buf_view(&target));
	oss_object_content(o, emu_blob_take(emu_strdup(mcw_buf_view(&target)), target.len), true);
	o->size = 0;
	mcw_buf_free(&target);
	strcpy(etag, o->etag);
	change.object = o;
	if (!oss_install(call, &change))
		return;
	call->resp->status = 200;
	oss_etag_header(call, etag);
}

void
oss_get_symlink(oss_call *call)
{
	const oss_object *o = existing(call);
	mcw_buf		target;

	if (o == NULL)
		return;
	if (o->kind != OSS_SYMLINK)
	{
		(void) oss_error(call, 400, "NotSymlink", "The object is not a symlink.");
		return;
	}
	mcw_buf_init(&target, &mcw_malloc, 1 << 16);
	(void) mcw_percent_encode(&target, mcw_str(o->target), true);
	emu_header_add(call->resp, "x-oss-symlink-target", "%s", mcw_buf_cstr(&target));
	mcw_buf_free(&target);
	oss_etag_header(call, o->etag);
	oss_time_header(call, "Last-Modified", o->modified_us);
	call->resp->status = 200;
}
