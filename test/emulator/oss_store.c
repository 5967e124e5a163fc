/*
 * oss_store.c
 *		mc-emulator, Object Storage Service part: buckets, objects, open uploads in memory.
 *
 * Reference: oss.md 1.1 (names), 3.1 (ETags), 3.10 (multipart), 3.16 (CRC).
 */
#include <ctype.h>
#include <stdlib.h>

#include "oss.h"

oss_bucket *oss_buckets = NULL;
static uint32_t upload_serial = 0;

/* ---- words ---- */

static const char *const acl_names[] = {"default", "private", "public-read", "public-read-write"};

const char *
oss_acl_name(oss_acl acl)
{
	return acl_names[acl];
}

bool
oss_acl_parse(mcw_view v, oss_acl *acl)
{
	for (int i = 0; i < 4; i++)
		if (mcw_view_eq(v, mcw_str(acl_names[i])))
		{
			*acl = (oss_acl) i;
			return true;
		}
	return false;
}

const char *
oss_class_parse(mcw_view v)
{
	static const char *const names[] = {"Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (mcw_view_eq(v, mcw_str(names[i])))
			return names[i];
	return NULL;
}

const char *
oss_kind_name(oss_kind kind)
{
	static const char *const names[] = {"Normal", "Multipart", "Appendable", "Symlink"};

	return names[kind];
}

bool
oss_bucket_name_ok(mcw_view name)
{
	if (name.len < 3 || name.len > 63 || name.data[0] == '-' || name.data[name.len - 1] == '-')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!(islower((unsigned char) name.data[i]) || isdigit((unsigned char) name.data[i]) || name.data[i] == '-'))
			return false;
	return true;
}

bool
oss_key_ok(mcw_view key)
{
	return key.len >= 1 && key.len <= OSS_MAX_KEY && key.data[0] != '/' && key.data[0] != '\\' &&
		memchr(key.data, '\0', key.len) == NULL && mcw_utf8_valid(key.data, key.len) == key.len;
}

/* ---- metadata ---- */

static void
free_pairs(oss_pair *pairs, int n)
{
	for (int i = 0; i < n; i++)
	{
		free(pairs[i].name);
		free(pairs[i].value);
	}
	free(pairs);
}

static void
add_pair(oss_pair **pairs, int *n, mcw_view name, mcw_view value)
{
	*pairs = emu_realloc(*pairs, (*n + 1) * sizeof(oss_pair));
	(*pairs)[*n].name = emu_strdup(name);
	(*pairs)[(*n)++].value = emu_strdup(value);
}

void
oss_meta_add(oss_meta *meta, const char *name, mcw_view value)
{
	for (int i = 0; i < meta->nheaders; i++)
		if (strcasecmp(meta->headers[i].name, name) == 0)
		{
			free(meta->headers[i].value);
			meta->headers[i].value = emu_strdup(value);
			return;
		}
	add_pair(&meta->headers, &meta->nheaders, mcw_str(name), value);
}

void
oss_meta_tag(oss_meta *meta, mcw_view name, mcw_view value)
{
	add_pair(&meta->tags, &meta->ntags, name, value);
}

void
oss_meta_clear_tags(oss_meta *meta)
{
	free_pairs(meta->tags, meta->ntags);
	meta->tags = NULL;
	meta->ntags = 0;
}

void
oss_meta_copy(oss_meta *to, const oss_meta *from)
{
	memset(to, 0, sizeof(*to));
	to->acl = from->acl;
	to->storage_class = from->storage_class;
	for (int i = 0; i < from->nheaders; i++)
		oss_meta_add(to, from->headers[i].name, mcw_str(from->headers[i].value));
	for (int i = 0; i < from->ntags; i++)
		oss_meta_tag(to, mcw_str(from->tags[i].name), mcw_str(from->tags[i].value));
}

void
oss_meta_free(oss_meta *meta)
{
	free_pairs(meta->headers, meta->nheaders);
	oss_meta_clear_tags(meta);
	memset(meta, 0, sizeof(*meta));
}

/* ---- objects ---- */

oss_object *
oss_object_find(const oss_bucket *bucket, mcw_view key)
{
	return (oss_object *) oss_map_find(&bucket->objects, key);
}

oss_object *
oss_object_new(mcw_view key, oss_kind kind, int64_t now_us)
{
	oss_object *o = emu_malloc(sizeof(*o));

	memset(o, 0, sizeof(*o));
	o->node.key = emu_strdup(key);
	o->node.key_len = key.len;
	o->kind = kind;
	o->created_us = now_us;
	o->modified_us = now_us - now_us % OSS_SECOND;
	o->meta.storage_class = "Standard";
	return o;
}

void
oss_object_content(oss_object *o, emu_blob *blob, bool keep)
{
	unsigned char md5[16];

	if (mcw_md5(blob->data, blob->len, md5) != MCW_OK)
		emu_oom();
	oss_md5_hex(md5, o->etag);
	o->has_md5 = true;
	o->crc = mcw_crc64(0, blob->data, blob->len);
	o->size = blob->len;
	emu_blob_unref(o->blob);
	o->blob = blob;
	if (!keep && blob->len > 0)
	{
		emu_blob_unref(blob);
		o->blob = NULL;
	}
}

void
oss_object_free(oss_object *o)
{
	if (o == NULL)
		return;
	emu_blob_unref(o->blob);
	oss_meta_free(&o->meta);
	free(o->target);
	free(o->node.key);
	free(o);
}

static void
remember(oss_bucket *bucket, const oss_object *o, bool gone)
{
	oss_changed *c;

	if (!bucket->history)
	{
		bucket->history = emu_malloc(OSS_HISTORY * sizeof(oss_changed));
		memset(bucket->history, 0, OSS_HISTORY * sizeof(oss_changed));
	}
	c = &bucket->history[bucket->nhistory++ % OSS_HISTORY];
	free(c->key);
	c->key = emu_strdup(oss_key(&o->node));
	c->gone = gone;
	c->size = gone ? 0 : o->size;
	c->crc = gone ? 0 : o->crc;
}

static void
remove_object(oss_bucket *bucket, oss_object *o)
{
	bucket->bytes -= o->size;
	oss_map_remove(&bucket->objects, &o->node);
	oss_object_free(o);
}

void
oss_object_delete(oss_bucket *bucket, oss_object *o)
{
	remember(bucket, o, true);
	remove_object(bucket, o);
}

void
oss_object_insert(oss_bucket *bucket, oss_object *o)
{
	oss_object *old = oss_object_find(bucket, oss_key(&o->node));

	if (old)
		remove_object(bucket, old);
	remember(bucket, o, false);
	oss_map_insert(&bucket->objects, &o->node);
	bucket->bytes += o->size;
}

bool
oss_discards(const oss_bucket *bucket, mcw_view key)
{
	for (int i = 0; i < bucket->ndiscard; i++)
	{
		size_t		n = strlen(bucket->discard[i]);

		if (key.len >= n && memcmp(key.data, bucket->discard[i], n) == 0)
			return true;
	}
	return false;
}

/* ---- uploads ---- */

static char *
upload_key(mcw_view key, mcw_view id, size_t *len)
{
	char	   *text = emu_malloc(key.len + id.len + 2);

	memcpy(text, key.data, key.len);
	text[key.len] = '\0';
	memcpy(text + key.len + 1, id.data, id.len);
	*len = key.len + 1 + id.len;
	text[*len] = '\0';
	return text;
}

oss_upload *
oss_upload_find(const oss_bucket *bucket, mcw_view key, mcw_view id)
{
	size_t		len;
	char	   *text;
	oss_node   *node;

	if (id.len == 0)
		return NULL;
	text = upload_key(key, id, &len);
	node = oss_map_find(&bucket->uploads, (mcw_view) {text, len});
	free(text);
	return (oss_upload *) node;
}

oss_upload *
oss_upload_new(oss_bucket *bucket, mcw_view key, int64_t now_us)
{
	oss_upload *u = emu_malloc(sizeof(*u));
	char		id[40];

	memset(u, 0, sizeof(*u));
	upload_serial++;
	snprintf(id, sizeof(id), "%016llX%08X%08X", (unsigned long long) now_us, upload_serial,
			 (unsigned) mcw_crc32c(upload_serial, key.data, key.len));
	u->node.key = upload_key(key, mcw_str(id), &u->node.key_len);
	u->object_len = key.len;
	u->id = u->node.key + key.len + 1;
	u->initiated_us = now_us;
	u->meta.storage_class = bucket->storage_class;
	oss_map_insert(&bucket->uploads, &u->node);
	return u;
}

void
oss_upload_drop(oss_bucket *bucket, oss_upload *u)
{
	oss_map_remove(&bucket->uploads, &u->node);
	for (int i = 0; i < u->nparts; i++)
		emu_blob_unref(u->parts[i].blob);
	free(u->parts);
	oss_meta_free(&u->meta);
	free(u->node.key);
	free(u);
}

oss_object *
oss_upload_object(const oss_upload *u, oss_part **parts, int n, int64_t now_us)
{
	oss_object *o = oss_object_new((mcw_view) {u->node.key, u->object_len}, OSS_MULTIPART, now_us);
	unsigned char *sums = emu_malloc((size_t) n * 16);
	unsigned char md5[16];
	bool		whole = true;

	for (int i = 0; i < n; i++)
	{
		memcpy(sums + i * 16, parts[i]->md5, 16);
		o->crc = mcw_crc64_combine(o->crc, parts[i]->crc, parts[i]->size);
		o->size += parts[i]->size;
		whole = whole && parts[i]->blob != NULL;
	}
	if (mcw_md5(sums, (size_t) n * 16, md5) != MCW_OK)
		emu_oom();
	free(sums);
	oss_md5_hex(md5, o->etag);
	snprintf(o->etag + 32, sizeof(o->etag) - 32, "-%d", n);
	if (n == 1 && whole)
		o->blob = emu_blob_ref(parts[0]->blob);
	else if (whole)
	{
		char	   *data = emu_malloc(o->size);
		size_t		at = 0;

		for (int i = 0; i < n; at += parts[i++]->size)
			memcpy(data + at, parts[i]->blob->data, parts[i]->size);
		o->blob = emu_blob_take(data, o->size);
	}
	oss_meta_free(&o->meta);
	oss_meta_copy(&o->meta, &u->meta);
	return o;
}

/* ---- buckets ---- */

oss_bucket *
oss_bucket_find(mcw_view name)
{
	for (oss_bucket *b = oss_buckets; b; b = b->next)
		if (mcw_view_eq(mcw_str(b->name), name))
			return b;
	return NULL;
}

oss_bucket *
oss_bucket_create(mcw_view name, int64_t now_us)
{
	oss_bucket *b = emu_malloc(sizeof(*b));
	oss_bucket **at = &oss_buckets;

	memset(b, 0, sizeof(*b));
	b->name = emu_strdup(name);
	b->acl = OSS_ACL_PRIVATE;
	b->storage_class = "Standard";
	b->created_us = now_us - now_us % OSS_SECOND;
	oss_map_init(&b->objects);
	oss_map_init(&b->uploads);
	while (*at && strcmp((*at)->name, b->name) < 0)
		at = &(*at)->next;
	b->next = *at;
	*at = b;
	return b;
}

void
oss_bucket_drop(oss_bucket *bucket)
{
	oss_bucket **at = &oss_buckets;
	oss_node   *node;

	while (*at != bucket)
		at = &(*at)->next;
	*at = bucket->next;
	while ((node = oss_map_first(&bucket->objects)))
		remove_object(bucket, (oss_object *) node);
	while ((node = oss_map_first(&bucket->uploads)))
		oss_upload_drop(bucket, (oss_upload *) node);
	for (int i = 0; i < bucket->ndiscard; i++)
		free(bucket->discard[i]);
	free(bucket->discard);
	for (int i = 0; bucket->history && i < OSS_HISTORY; i++)
		free(bucket->history[i].key);
	free(bucket->history);
	free(bucket->objects.head.next);
	free(bucket->uploads.head.next);
	free(bucket->name);
	free(bucket);
}
