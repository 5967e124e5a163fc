/*
 * oss_get.c
 *		mc-emulator, Object Storage Service part: GetObject, HeadObject, GetObjectMeta.
 *
 * Reference: oss.md 3.4 (ranges, conditions), 3.5, 3.11 (symbolic links).
 */
#include <stdlib.h>

#include "oss.h"

/* ---- ranges ---- */

oss_range
oss_parse_range(mcw_view text, uint64_t size, uint64_t *from, uint64_t *to)
{
	const char *dash;
	mcw_view	a;
	mcw_view	b;
	bool		has_a;
	bool		has_b;

	if (text.len < 8 || memcmp(text.data, "bytes=", 6) != 0)
		return OSS_RANGE_NONE;
	text.data += 6;
	text.len -= 6;
	dash = memchr(text.data, '-', text.len);
	if (dash == NULL)
		return OSS_RANGE_NONE;
	a = (mcw_view) {text.data, (size_t) (dash - text.data)};
	b = (mcw_view) {dash + 1, text.len - a.len - 1};
	has_a = mcw_view_uint64(a, from);
	has_b = mcw_view_uint64(b, to);
	if ((a.len > 0 && !has_a) || (b.len > 0 && !has_b) || (!has_a && !has_b) || (has_a && has_b && *to < *from))
		return OSS_RANGE_NONE;
	if (!has_a)
	{
		uint64_t	last = *to;

		if (last == 0)
			return OSS_RANGE_NONE;
		if (size == 0)
			return OSS_RANGE_OUTSIDE;
		*from = last > size ? 0 : size - last;
		*to = size - 1;
		return last > size ? OSS_RANGE_CLIPPED : OSS_RANGE_WITHIN;
	}
	if (*from >= size)
		return OSS_RANGE_OUTSIDE;
	if (!has_b || *to < size)
	{
		if (!has_b)
			*to = size - 1;
		return OSS_RANGE_WITHIN;
	}
	*to = size - 1;
	return OSS_RANGE_CLIPPED;
}

emu_blob *
oss_slice(const oss_object *o, uint64_t from, uint64_t len)
{
	char	   *data;

	if (from == 0 && o->blob->len == len)
		return emu_blob_ref(o->blob);
	data = emu_malloc(len);
	for (uint64_t at = 0; at < len;)
	{
		uint64_t	inside = (from + at) % o->blob->len;
		uint64_t	n = o->blob->len - inside < len - at ? o->blob->len - inside : len - at;

		memcpy(data + at, o->blob->data + inside, n);
		at += n;
	}
	return emu_blob_take(data, len);
}

/* ---- conditions ---- */

/* A list of quoted or plain ETags, or "*" */
bool
oss_etag_list_has(mcw_view list, const char *etag)
{
	while (list.len > 0)
	{
		const char *comma = memchr(list.data, ',', list.len);
		mcw_view	one = {list.data, comma ? (size_t) (comma - list.data) : list.len};

		list.data += one.len + (comma ? 1 : 0);
		list.len -= one.len + (comma ? 1 : 0);
		one = oss_unquote(one);
		if (mcw_view_ieq(one, mcw_str(etag)) || mcw_view_eq(one, MCW_LIT("*")))
			return true;
	}
	return false;
}

static bool
conditions_ok(oss_call *call, const oss_object *o)
{
	mcw_view	match = oss_header(call->req, "If-Match");
	mcw_view	none = oss_header(call->req, "If-None-Match");
	int64_t		seconds;
	const char *failed = NULL;

	if (match.data && !oss_etag_list_has(match, o->etag))
		failed = "If-Match";
	else if (mcw_parse_http_date(oss_header(call->req, "If-Unmodified-Since"), &seconds) &&
			 o->modified_us > seconds * OSS_SECOND)
		failed = "If-Unmodified-Since";
	if (failed)
	{
		oss_extra(call, "Condition", mcw_str(failed));
		return oss_error(call, 412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.");
	}
	if ((none.data && oss_etag_list_has(none, o->etag)) ||
		(mcw_parse_http_date(oss_header(call->req, "If-Modified-Since"), &seconds) &&
		 o->modified_us <= seconds * OSS_SECOND))
	{
		call->resp->status = 304;
		oss_etag_header(call, o->etag);
		oss_time_header(call, "Last-Modified", o->modified_us);
		return false;
	}
	return true;
}

/* ---- headers ---- */

/* A stored header, unless a parameter response-* replaces it */
static void
stored_header(oss_call *call, const oss_pair *h, mcw_view given)
{
	if (given.len > 0)
		emu_header_add(call->resp, h->name, "%.*s", (int) given.len, given.data);
	else
		emu_header_add(call->resp, h->name, "%s", h->value);
}

static void
content_headers(oss_call *call, const oss_object *o, bool symlink)
{
	static const char *const overrides[][2] = {
		{"Content-Type", "response-content-type"}, {"Content-Language", "response-content-language"},
		{"Cache-Control", "response-cache-control"}, {"Content-Disposition", "response-content-disposition"},
		{"Content-Encoding", "response-content-encoding"}, {"Expires", "response-expires"}
	};
	bool		done[6] = {false};

	for (int i = 0; i < o->meta.nheaders; i++)
	{
		mcw_view	given = {NULL, 0};

		for (int k = 0; k < 6; k++)
			if (strcmp(o->meta.headers[i].name, overrides[k][0]) == 0)
			{
				given = oss_param(call->req, overrides[k][1]);
				done[k] = true;
			}
		stored_header(call, &o->meta.headers[i], given);
	}
	for (int k = 0; k < 6; k++)
	{
		mcw_view	given = oss_param(call->req, overrides[k][1]);

		if (!done[k] && given.len > 0)
			emu_header_add(call->resp, overrides[k][0], "%.*s", (int) given.len, given.data);
	}
	emu_header_add(call->resp, "Accept-Ranges", "bytes");
	oss_etag_header(call, o->etag);
	oss_time_header(call, "Last-Modified", o->modified_us);
	if (o->has_md5)
		oss_md5_header(call, o->etag);
	oss_crc_header(call, o->crc);
	emu_header_add(call->resp, "x-oss-object-type", "%s", symlink ? "Symlink" : oss_kind_name(o->kind));
	emu_header_add(call->resp, "x-oss-storage-class", "%s", o->meta.storage_class);
	if (o->kind == OSS_APPENDABLE)
		emu_header_add(call->resp, "x-oss-next-append-position", "%llu", (unsigned long long) o->size);
	if (o->sealed)
		emu_header_add(call->resp, "x-oss-object-sealed", "true");
	if (o->meta.ntags > 0)
		emu_header_add(call->resp, "x-oss-tagging-count", "%d", o->meta.ntags);
}

/* ---- faults that change the object under the reader ---- */

static void
disturb(oss_call *call)
{
	oss_object *o = oss_object_find(call->bucket, call->key);
	oss_object *n;
	bool		replaced;
	bool		cut;

	if (o == NULL)
		return;
	if (emu_fault_armed(call->req, "object_deleted"))
	{
		oss_object_delete(call->bucket, o);
		return;
	}
	replaced = emu_fault_armed(call->req, "object_replaced");
	cut = emu_fault_armed(call->req, "object_truncated");
	if (!replaced && !cut)
		return;
	n = oss_object_new(call->key, OSS_NORMAL, call->req->now_us);
	oss_meta_copy(&n->meta, &o->meta);
	if (o->blob && o->blob->len == o->size)
	{
		size_t		len = cut ? o->size / 2 : o->size;
		char	   *data = emu_malloc(len);

		memcpy(data, o->blob->data, len);
		if (replaced && len > 0)
			data[len - 1] ^= 1;
		oss_object_content(n, emu_blob_take(data, len), true);
	}
	else
	{
		n->blob = o->blob ? emu_blob_ref(o->blob) : NULL;
		n->size = cut ? o->size / 2 : o->size;
		n->crc = o->crc ^ 1;
		snprintf(n->etag, sizeof(n->etag), "%032llX", (unsigned long long) (call->req->now_us ^ (int64_t) o->crc));
	}
	oss_object_insert(call->bucket, n);
}

/* ---- the calls ---- */

/* The object a read means; symbolic links are followed.  NULL after answering */
static const oss_object *
readable(oss_call *call, bool *symlink)
{
	const oss_object *o;

	disturb(call);
	o = oss_object_find(call->bucket, call->key);
	*symlink = o && o->kind == OSS_SYMLINK;
	if (o == NULL)
	{
		(void) oss_no_such_key(call);
		return NULL;
	}
	if (!*symlink)
		return o;
	o = oss_object_find(call->bucket, mcw_str(o->target));
	if (o == NULL)
		(void) oss_error(call, 404, "SymlinkTargetNotExist", "The symlink target object does not exist.");
	else if (o->kind == OSS_SYMLINK)
		(void) oss_error(call, 400, "InvalidTargetType", "The target object type is invalid.");
	else
		return o;
	return NULL;
}

static bool
range_of(oss_call *call, const oss_object *o, uint64_t *from, uint64_t *to)
{
	bool		standard = mcw_view_ieq(oss_header(call->req, "x-oss-range-behavior"), MCW_LIT("standard"));
	mcw_view	text = oss_header(call->req, "Range");
	oss_range	r = oss_parse_range(text, o->size, from, to);
	bool		part = r == OSS_RANGE_WITHIN || (r == OSS_RANGE_CLIPPED && standard);

	call->resp->status = 200;
	if (r == OSS_RANGE_OUTSIDE && standard)
	{
		(void) mcw_buf_printf(&call->extra, "<ActualObjectSize>%llu</ActualObjectSize>", (unsigned long long) o->size);
		oss_extra(call, "RangeRequested", text);
		emu_header_add(call->resp, "Content-Range", "bytes */%llu", (unsigned long long) o->size);
		return oss_error(call, 416, "InvalidRange", "The requested range cannot be satisfied");
	}
	if (part && !emu_fault_armed(call->req, "ignore_range"))
	{
		call->resp->status = 206;
		emu_header_add(call->resp, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long) *from,
					   (unsigned long long) *to, (unsigned long long) o->size);
		return true;
	}
	*from = 0;
	*to = o->size;				/* one behind the end */
	if (*to > 0)
		(*to)--;
	return true;
}

void
oss_get_object(oss_call *call)
{
	bool		symlink;
	uint64_t	from;
	uint64_t	to;
	const oss_object *o = readable(call, &symlink);

	oss_count.gets++;
	if (o == NULL || !conditions_ok(call, o))
		return;
	if (strstr(o->meta.storage_class, "Archive"))
	{
		(void) oss_error(call, 403, "InvalidObjectState", "The operation is not valid for the object's state");
		return;
	}
	if (o->blob == NULL)
	{
		(void) oss_error(call, 501, "NotImplemented", "The emulator did not keep the bytes of this object (command \"discard\").");
		return;
	}
	if (!range_of(call, o, &from, &to))
		return;
	content_headers(call, o, symlink);
	call->resp->blob = emu_blob_ref(o->blob);
	if (o->size > 0)
	{
		call->resp->blob_off = from % o->blob->len;
		call->resp->blob_len = to - from + 1;
	}
}

/* The length a GET would have; the bytes themselves are not looked at */
static void
head_length(oss_call *call, const oss_object *o)
{
	call->resp->blob = emu_blob_take(emu_malloc(1), 1);
	call->resp->blob_len = o->size;
	call->resp->head_only = true;
	call->resp->status = 200;
}

void
oss_head_object(oss_call *call)
{
	bool		symlink;
	const oss_object *o = readable(call, &symlink);

	if (o == NULL || !conditions_ok(call, o))
		return;
	content_headers(call, o, symlink);
	head_length(call, o);
}

void
oss_object_meta(oss_call *call)
{
	bool		symlink;
	const oss_object *o = readable(call, &symlink);

	if (o == NULL)
		return;
	oss_etag_header(call, o->etag);
	oss_time_header(call, "Last-Modified", o->modified_us);
	oss_crc_header(call, o->crc);
	head_length(call, o);
}
