/*
 * oss_list.c
 *		mc-emulator, Object Storage Service part: ListObjects, ListObjectsV2,
 *		ListMultipartUploads.
 *
 * Reference: oss.md 3.2, 3.3, 3.10.  A page costs what is on it: keys below a common
 * prefix are jumped over.
 */
#include <stdlib.h>

#include "oss.h"

typedef struct listing
{
	oss_call   *call;
	const oss_map *map;
	bool		uploads;		/* nodes are uploads, not objects */
	bool		owner;
	bool		url;
	bool		any_time;		/* false: entries after 'before_us' are not seen yet */
	int64_t		before_us;
	mcw_view	prefix;
	mcw_view	delimiter;
	mcw_view	marker;			/* nothing up to this one; a common prefix: nothing below it */
	int64_t		max;
	mcw_buf		entries;		/* Contents or Upload */
	mcw_buf		prefixes;
	int64_t		count;
	bool		truncated;
	mcw_view	last;			/* key or common prefix */
	mcw_view	last_id;		/* of an upload */
} listing;

static bool
has_prefix(mcw_view v, mcw_view prefix)
{
	return v.len >= prefix.len && memcmp(v.data, prefix.data, prefix.len) == 0;
}

static mcw_view
name_of(const listing *l, const oss_node *node)
{
	mcw_view	key = oss_key(node);

	if (l->uploads)
		key.len = ((const oss_upload *) node)->object_len;
	return key;
}

/* What the delimiter folds a key into; data NULL = nothing */
static mcw_view
folded(const listing *l, mcw_view key)
{
	const char *at = NULL;

	if (l->delimiter.len > 0 && key.len > l->prefix.len)
		at = memmem(key.data + l->prefix.len, key.len - l->prefix.len, l->delimiter.data, l->delimiter.len);
	if (at == NULL)
		return (mcw_view) {NULL, 0};
	return (mcw_view) {key.data, (size_t) (at - key.data) + l->delimiter.len};
}

static void
put_object_entry(listing *l, const oss_object *o)
{
	mcw_buf    *b = &l->entries;

	(void) mcw_buf_append_str(b, "<Contents>");
	oss_xml_name(b, "Key", oss_key(&o->node), l->url);
	oss_xml_time(b, "LastModified", o->modified_us);
	(void) mcw_buf_printf(b, "<ETag>\"%s\"</ETag><Type>%s</Type><Size>%llu</Size><StorageClass>%s</StorageClass>", o->etag,
						  oss_kind_name(o->kind), (unsigned long long) o->size, o->meta.storage_class);
	if (l->owner)
		oss_xml_owner(b);
	(void) mcw_buf_append_str(b, "</Contents>\n");
}

static void
put_upload_entry(listing *l, const oss_upload *u)
{
	mcw_buf    *b = &l->entries;

	(void) mcw_buf_append_str(b, "<Upload>");
	oss_xml_name(b, "Key", name_of(l, &u->node), l->url);
	oss_xml_text(b, "UploadId", mcw_str(u->id));
	oss_xml_text(b, "StorageClass", mcw_str(u->meta.storage_class));
	oss_xml_time(b, "Initiated", u->initiated_us);
	(void) mcw_buf_append_str(b, "</Upload>\n");
	l->last_id = mcw_str(u->id);
}

static void
walk(listing *l, oss_node *node)
{
	while (node && has_prefix(name_of(l, node), l->prefix))
	{
		mcw_view	key = name_of(l, node);
		mcw_view	fold = folded(l, key);

		if (!l->any_time && ((const oss_object *) node)->created_us > l->before_us)
		{
			node = oss_next(node);
			continue;
		}
		if (fold.data && mcw_view_eq(fold, l->marker))
		{
			node = oss_map_behind(l->map, fold);
			continue;
		}
		if (l->count == l->max)
		{
			l->truncated = true;
			return;
		}
		l->count++;
		l->last = fold.data ? fold : key;
		l->last_id = MCW_LIT("");
		if (fold.data)
		{
			(void) mcw_buf_append_str(&l->prefixes, "<CommonPrefixes>");
			oss_xml_name(&l->prefixes, "Prefix", fold, l->url);
			(void) mcw_buf_append_str(&l->prefixes, "</CommonPrefixes>\n");
			node = oss_map_behind(l->map, fold);
			continue;
		}
		if (l->uploads)
			put_upload_entry(l, (const oss_upload *) node);
		else
			put_object_entry(l, (const oss_object *) node);
		node = oss_next(node);
	}
}

/* Parameters every listing has; false after answering */
static bool
begin(listing *l, oss_call *call, const oss_map *map, const char *max_name, int64_t max_missing)
{
	memset(l, 0, sizeof(*l));
	l->call = call;
	l->map = map;
	l->any_time = true;
	l->prefix = oss_param(call->req, "prefix");
	l->delimiter = oss_param(call->req, "delimiter");
	if (l->prefix.data == NULL)
		l->prefix = MCW_LIT("");
	if (l->delimiter.data == NULL)
		l->delimiter = MCW_LIT("");
	l->marker = MCW_LIT("");
	l->last = MCW_LIT("");
	l->last_id = MCW_LIT("");
	if (l->prefix.len > OSS_MAX_KEY)
		return oss_invalid_argument(call, "prefix", l->prefix, "The length of prefix must be less than 1024 bytes.");
	mcw_buf_init(&l->entries, &mcw_malloc, (size_t) 1 << 28);
	mcw_buf_init(&l->prefixes, &mcw_malloc, (size_t) 1 << 28);
	return oss_url_encoding(call, &l->url) && oss_number(call, max_name, 1, 1000, max_missing, &l->max);
}

static void
finish(listing *l, const char *root)
{
	mcw_buf    *b = &l->call->resp->body;

	(void) mcw_buf_append_view(b, mcw_buf_view(&l->entries));
	(void) mcw_buf_append_view(b, mcw_buf_view(&l->prefixes));
	oss_xml_end(l->call, root);
	mcw_buf_free(&l->entries);
	mcw_buf_free(&l->prefixes);
}

static void
name_element(listing *l, const char *element, mcw_view text)
{
	oss_xml_name(&l->call->resp->body, element, text, l->url);
}

/* ---- objects ---- */

static void
list_page(listing *l, int64_t asked)
{
	oss_node   *node;

	if (l->max > oss_set.page_keys)
		l->max = oss_set.page_keys;
	if (emu_fault_armed(l->call->req, "stale_listing"))
	{
		l->any_time = false;
		l->before_us = l->call->req->now_us - emu_fault_param("ms", 60000) * 1000;
	}
	node = oss_map_seek(l->map, l->prefix, false);
	if (mcw_view_cmp(l->marker, l->prefix) >= 0 && l->marker.len > 0)
		node = oss_map_seek(l->map, l->marker, true);
	walk(l, node);
	oss_xml_begin(l->call, "ListBucketResult");
	oss_xml_text(&l->call->resp->body, "Name", l->call->bucket_name);
	name_element(l, "Prefix", l->prefix);
	(void) mcw_buf_printf(&l->call->resp->body, "<MaxKeys>%lld</MaxKeys>", (long long) asked);
	name_element(l, "Delimiter", l->delimiter);
	if (l->url)
		oss_xml_text(&l->call->resp->body, "EncodingType", MCW_LIT("url"));
	(void) mcw_buf_printf(&l->call->resp->body, "<IsTruncated>%s</IsTruncated>\n", l->truncated ? "true" : "false");
}

void
oss_list_objects(oss_call *call)
{
	listing		l;

	if (!begin(&l, call, &call->bucket->objects, "max-keys", 100))
		return;
	l.owner = true;
	l.marker = oss_param(call->req, "marker");
	if (l.marker.data == NULL)
		l.marker = MCW_LIT("");
	list_page(&l, l.max);
	name_element(&l, "Marker", l.marker);
	if (l.truncated)
		name_element(&l, "NextMarker", l.last);
	finish(&l, "ListBucketResult");
}

/* The token is the last name of the page in base64, with - for =, as in real ones */
static void
put_token(mcw_buf *out, mcw_view name)
{
	mcw_buf		raw;
	size_t		start;

	mcw_buf_init(&raw, &mcw_malloc, 4096);
	(void) mcw_buf_append_char(&raw, '\n');
	if (name.len > 127)
		(void) mcw_buf_append_char(&raw, (char) ((name.len & 127) | 128));
	(void) mcw_buf_append_char(&raw, (char) (name.len > 127 ? name.len >> 7 : name.len));
	(void) mcw_buf_append_view(&raw, name);
	start = out->len;
	(void) mcw_base64_encode(out, mcw_buf_view(&raw));
	mcw_buf_free(&raw);
	for (size_t i = start; i < out->len; i++)
		out->data[i] = out->data[i] == '=' ? '-' : out->data[i] == '+' ? '.' : out->data[i] == '/' ? '_' : out->data[i];
}

static bool
read_token(oss_call *call, mcw_view token, mcw_view *name)
{
	mcw_view	copy;
	mcw_buf		raw;
	size_t		head;
	bool		ok;

	if (mcw_arena_copy(call->req->arena, token, &copy) != MCW_OK)
		emu_oom();
	for (char *p = (char *) copy.data; p < copy.data + copy.len; p++)
		*p = *p == '-' ? '=' : *p == '.' ? '+' : *p == '_' ? '/' : *p;
	mcw_buf_init(&raw, &mcw_malloc, 4096);
	ok = mcw_base64_decode(&raw, copy) == MCW_OK && raw.len > 2 && raw.data[0] == '\n';
	head = ok && (raw.data[1] & 128) ? 3 : 2;
	if (ok && mcw_arena_copy(call->req->arena, (mcw_view) {raw.data + head, raw.len - head}, name) != MCW_OK)
		emu_oom();
	mcw_buf_free(&raw);
	return ok || oss_invalid_argument(call, "continuation-token", token, "The continuation token provided is incorrect");
}

void
oss_list_objects_v2(oss_call *call)
{
	mcw_view	token = oss_param(call->req, "continuation-token");
	mcw_view	after = oss_param(call->req, "start-after");
	mcw_buf    *b = &call->resp->body;
	listing		l;

	if (!mcw_view_eq(oss_param(call->req, "list-type"), MCW_LIT("2")))
	{
		(void) oss_invalid_argument(call, "list-type", oss_param(call->req, "list-type"), "The list-type parameter must be 2.");
		return;
	}
	if (!begin(&l, call, &call->bucket->objects, "max-keys", 100))
		return;
	l.owner = mcw_view_ieq(oss_param(call->req, "fetch-owner"), MCW_LIT("true"));
	if (after.data == NULL)
		after = MCW_LIT("");
	l.marker = after;
	if (token.len > 0 && !read_token(call, token, &l.marker))
		return;
	list_page(&l, l.max);
	name_element(&l, "StartAfter", after);
	if (token.len > 0)
		oss_xml_text(b, "ContinuationToken", token);
	if (l.truncated)
	{
		(void) mcw_buf_append_str(b, "<NextContinuationToken>");
		put_token(b, l.last);
		(void) mcw_buf_append_str(b, "</NextContinuationToken>");
	}
	(void) mcw_buf_printf(b, "<KeyCount>%lld</KeyCount>\n", (long long) l.count);
	finish(&l, "ListBucketResult");
}

/* ---- uploads ---- */

/* The first upload behind both markers */
static oss_node *
first_upload(const listing *l, mcw_view id)
{
	oss_node   *node;
	mcw_buf		text;

	if (l->marker.len == 0)
		return oss_map_seek(l->map, l->prefix, false);
	mcw_buf_init(&text, &mcw_malloc, 1 << 16);
	(void) mcw_buf_append_view(&text, l->marker);
	(void) mcw_buf_append_char(&text, '\0');
	(void) mcw_buf_append_view(&text, id);
	node = id.len > 0 ? oss_map_seek(l->map, mcw_buf_view(&text), true) : oss_map_behind(l->map, mcw_buf_view(&text));
	mcw_buf_free(&text);
	if (mcw_view_cmp(l->marker, l->prefix) < 0)
		node = oss_map_seek(l->map, l->prefix, false);
	return node;
}

void
oss_list_uploads(oss_call *call)
{
	mcw_view	id = oss_param(call->req, "upload-id-marker");
	mcw_buf    *b = &call->resp->body;
	int64_t		asked;
	listing		l;

	if (!begin(&l, call, &call->bucket->uploads, "max-uploads", 1000))
		return;
	l.uploads = true;
	l.marker = oss_param(call->req, "key-marker");
	if (l.marker.data == NULL)
		l.marker = MCW_LIT("");
	if (id.data == NULL)
		id = MCW_LIT("");
	asked = l.max;
	if (l.max > oss_set.page_keys)
		l.max = oss_set.page_keys;
	walk(&l, first_upload(&l, id));
	oss_xml_begin(call, "ListMultipartUploadsResult");
	oss_xml_text(b, "Bucket", call->bucket_name);
	if (l.url)
		oss_xml_text(b, "EncodingType", MCW_LIT("url"));
	name_element(&l, "KeyMarker", l.marker);
	oss_xml_text(b, "UploadIdMarker", id);
	name_element(&l, "NextKeyMarker", l.truncated ? l.last : MCW_LIT(""));
	oss_xml_text(b, "NextUploadIdMarker", l.truncated ? l.last_id : MCW_LIT(""));
	name_element(&l, "Delimiter", l.delimiter);
	name_element(&l, "Prefix", l.prefix);
	(void) mcw_buf_printf(b, "<MaxUploads>%lld</MaxUploads><IsTruncated>%s</IsTruncated>\n", (long long) asked,
						  l.truncated ? "true" : "false");
	finish(&l, "ListMultipartUploadsResult");
}
