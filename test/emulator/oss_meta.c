/*
 * oss_meta.c
 *		mc-emulator, Object Storage Service part: the headers that Put, Initiate, Append and
 *		Copy leave with an object, and the source of copies.
 *
 * Reference: oss.md 3.6, 3.8 (source encodings, conditions), 3.11 (tags).
 */
#include <ctype.h>
#include <stdlib.h>

#include "oss.h"

#define MAX_TAGS 10

bool
oss_forbids(const emu_request *req)
{
	return mcw_view_ieq(oss_header(req, "x-oss-forbid-overwrite"), MCW_LIT("true"));
}

static mcw_view
decoded(mcw_arena *arena, mcw_view in)
{
	mcw_view	out = MCW_LIT("");
	mcw_buf		buf;

	mcw_buf_init(&buf, &mcw_malloc, in.len + 16);
	(void) mcw_percent_decode(&buf, in, true);
	if (mcw_arena_copy(arena, mcw_buf_view(&buf), &out) != MCW_OK)
		emu_oom();
	mcw_buf_free(&buf);
	return out;
}

/* k=v&k=v, url-encoded */
bool
oss_read_tags(oss_call *call, mcw_view text, oss_meta *meta)
{
	while (text.len > 0)
	{
		const char *amp = memchr(text.data, '&', text.len);
		mcw_view	one = {text.data, amp ? (size_t) (amp - text.data) : text.len};
		const char *eq = one.len ? memchr(one.data, '=', one.len) : NULL;
		mcw_view	name = decoded(call->req->arena, (mcw_view) {one.data, eq ? (size_t) (eq - one.data) : one.len});
		mcw_view	value = MCW_LIT("");

		if (eq)
			value = decoded(call->req->arena, (mcw_view) {eq + 1, one.len - (size_t) (eq + 1 - one.data)});
		if (name.len == 0 || name.len > 128 || value.len > 256 || meta->ntags == MAX_TAGS)
			return oss_error(call, 400, "InvalidTag", "The tag you provided is invalid, or there are more than %d.", MAX_TAGS);
		for (int i = 0; i < meta->ntags; i++)
			if (mcw_view_eq(mcw_str(meta->tags[i].name), name))
				return oss_error(call, 400, "InvalidTag", "Cannot provide multiple Tags with the same key.");
		oss_meta_tag(meta, name, value);
		text.data += one.len + (amp ? 1 : 0);
		text.len -= one.len + (amp ? 1 : 0);
	}
	return true;
}

static bool
one_header(oss_call *call, const mcw_pair *h, oss_meta *meta, size_t *user_bytes)
{
	static const char *const kept[] = {
		"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"
	};
	char		name[512];

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (mcw_view_ieq(h->name, mcw_str(kept[i])))
		{
			oss_meta_add(meta, kept[i], h->value);
			return true;
		}
	if (h->name.len >= sizeof(name))
		return oss_error(call, 400, "InvalidArgument", "The name of a header is too long.");
	for (size_t i = 0; i < h->name.len; i++)
		name[i] = (char) tolower((unsigned char) h->name.data[i]);
	name[h->name.len] = '\0';
	if (h->name.len >= 11 && memcmp(name, "x-oss-meta-", 11) == 0)
	{
		if (h->name.len == 11)
			return oss_invalid_argument(call, name, h->value, "The name of a user-defined header is empty.");
		*user_bytes += h->name.len - 11 + h->value.len;
		if (*user_bytes > OSS_MAX_META)
			return oss_error(call, 400, "InvalidArgument", "The total size of user metadata must not exceed %d bytes.", OSS_MAX_META);
		oss_meta_add(meta, name, h->value);
	}
	else if (strcmp(name, "x-oss-object-acl") == 0)
	{
		if (!oss_acl_parse(h->value, &meta->acl))
			return oss_invalid_argument(call, "x-oss-object-acl", h->value, "no such object access control exists");
	}
	else if (strcmp(name, "x-oss-storage-class") == 0)
	{
		meta->storage_class = oss_class_parse(h->value);
		if (meta->storage_class == NULL)
			return oss_invalid_argument(call, "x-oss-storage-class", h->value, "The storage class is invalid.");
	}
	else if (strcmp(name, "x-oss-server-side-encryption") == 0)
	{
		if (!mcw_view_eq(h->value, MCW_LIT("AES256")) && !mcw_view_eq(h->value, MCW_LIT("KMS")) &&
			!mcw_view_eq(h->value, MCW_LIT("SM4")))
			return oss_error(call, 400, "InvalidEncryptionAlgorithmError", "The Encryption request you specified is not valid. Supported value: AES256/SM4/KMS.");
		oss_meta_add(meta, name, h->value);
	}
	else if (h->name.len > 18 && memcmp(name, "x-oss-server-side-", 18) == 0)
		oss_meta_add(meta, name, h->value);
	else if (strcmp(name, "x-oss-tagging") == 0)
		return oss_read_tags(call, h->value, meta);
	return true;
}

bool
oss_read_meta(oss_call *call, oss_meta *meta)
{
	size_t		user_bytes = 0;

	memset(meta, 0, sizeof(*meta));
	meta->storage_class = call->bucket->storage_class;
	oss_meta_add(meta, "Content-Type", MCW_LIT("application/octet-stream"));
	for (int i = 0; i < call->req->http.nheaders; i++)
		if (!one_header(call, &call->req->http.headers[i], meta, &user_bytes))
		{
			oss_meta_free(meta);
			return false;
		}
	return true;
}

/* ---- the source of a copy ---- */

static bool
condition_failed(oss_call *call, const char *name)
{
	oss_extra(call, "Condition", mcw_str(name));
	return oss_error(call, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.");
}

static bool
conditions_ok(oss_call *call, const oss_object *o)
{
	mcw_view	match = oss_header(call->req, "x-oss-copy-source-if-match");
	mcw_view	none = oss_header(call->req, "x-oss-copy-source-if-none-match");
	mcw_view	unmodified = oss_header(call->req, "x-oss-copy-source-if-unmodified-since");
	mcw_view	modified = oss_header(call->req, "x-oss-copy-source-if-modified-since");
	int64_t		seconds;

	if (match.data && !oss_etag_list_has(match, o->etag))
		return condition_failed(call, "x-oss-copy-source-if-match");
	if (mcw_parse_http_date(unmodified, &seconds) && o->modified_us > seconds * OSS_SECOND)
		return condition_failed(call, "x-oss-copy-source-if-unmodified-since");
	if ((none.data && oss_etag_list_has(none, o->etag)) ||
		(mcw_parse_http_date(modified, &seconds) && o->modified_us <= seconds * OSS_SECOND))
	{
		call->resp->status = 304;
		oss_etag_header(call, o->etag);
		return false;
	}
	return true;
}

bool
oss_copy_source(oss_call *call, oss_object **source)
{
	mcw_view	given = oss_header(call->req, "x-oss-copy-source");
	const char *question = given.len ? memchr(given.data, '?', given.len) : NULL;
	mcw_view	path;
	mcw_view	name;
	mcw_view	key;
	const char *slash;
	oss_bucket *bucket;

	if (question)
	{
		mcw_view	version = {question + 1, given.len - (size_t) (question + 1 - given.data)};

		if (!mcw_view_eq(version, MCW_LIT("versionId=null")))
			return oss_error(call, 501, "NotImplemented", "Object versions are not implemented.");
		given.len = (size_t) (question - given.data);
	}
	path = decoded(call->req->arena, given);
	if (path.len > 0 && path.data[0] == '/')
	{
		path.data++;
		path.len--;
	}
	slash = path.len ? memchr(path.data, '/', path.len) : NULL;
	if (slash == NULL || slash + 1 == path.data + path.len)
		return oss_invalid_argument(call, "x-oss-copy-source", given, "Copy Source must mention the source bucket and key: /sourcebucket/sourcekey.");
	name = (mcw_view) {path.data, (size_t) (slash - path.data)};
	key = (mcw_view) {slash + 1, path.len - name.len - 1};
	bucket = oss_bucket_find(name);
	if (bucket == NULL)
	{
		oss_extra(call, "BucketName", name);
		return oss_error(call, 404, "NoSuchBucket", "The specified bucket does not exist.");
	}
	*source = oss_object_find(bucket, key);
	if (*source == NULL || (*source)->kind == OSS_SYMLINK)
	{
		oss_extra(call, "Key", key);
		return oss_error(call, 404, "NoSuchKey", "The specified key does not exist.");
	}
	if (call->anonymous && bucket->acl < OSS_ACL_READ && (*source)->meta.acl < OSS_ACL_READ)
		return oss_error(call, 403, "AccessDenied", "You do not have read acl permission on this object.");
	if (strstr((*source)->meta.storage_class, "Archive"))
		return oss_error(call, 403, "InvalidObjectState", "The operation is not valid for the object's state");
	return conditions_ok(call, *source);
}
