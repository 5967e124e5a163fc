/*
 * oss_save.c
 *		mc-emulator, Object Storage Service part: the state of --data, written at shutdown
 *		and read at start.
 *
 * Buckets with objects and open uploads, canonical names; settings and changes the fault
 * plan put off are not kept.  A private format of one machine: integers in its byte
 * order, checked by the magic, rejected when it does not fit.
 */
#include <stdlib.h>

#include "oss.h"
#include "save.h"

#define MAGIC UINT64_C(0x313053534f434d)	/* "MCOSS01" */
#define MAX_BLOB ((uint64_t) 1 << 36)

static void
put_blob(FILE *f, const emu_blob *blob)
{
	emu_put_int(f, blob != NULL);
	if (blob)
		emu_put_bytes(f, (mcw_view) {blob->data, blob->len});
}

static void
put_meta(FILE *f, const oss_meta *m)
{
	emu_put_int(f, m->acl);
	emu_put_text(f, m->storage_class);
	emu_put_int(f, m->nheaders);
	for (int i = 0; i < m->nheaders; i++)
	{
		emu_put_text(f, m->headers[i].name);
		emu_put_text(f, m->headers[i].value);
	}
	emu_put_int(f, m->ntags);
	for (int i = 0; i < m->ntags; i++)
	{
		emu_put_text(f, m->tags[i].name);
		emu_put_text(f, m->tags[i].value);
	}
}

static void
put_object(FILE *f, const oss_object *o)
{
	emu_put_bytes(f, oss_key(&o->node));
	emu_put_int(f, o->kind);
	emu_put_int(f, o->size);
	emu_put_text(f, o->etag);
	emu_put_int(f, o->has_md5);
	emu_put_int(f, o->crc);
	emu_put_int(f, o->created_us);
	emu_put_int(f, o->modified_us);
	emu_put_int(f, o->sealed);
	emu_put_text(f, o->target);
	put_blob(f, o->blob);
	put_meta(f, &o->meta);
}

static void
put_upload(FILE *f, const oss_upload *u)
{
	emu_put_bytes(f, oss_key(&u->node));
	emu_put_int(f, u->object_len);
	emu_put_int(f, u->sequential);
	emu_put_int(f, u->forbid);
	emu_put_int(f, u->initiated_us);
	put_meta(f, &u->meta);
	emu_put_int(f, u->nparts);
	for (int i = 0; i < u->nparts; i++)
	{
		const oss_part *p = &u->parts[i];

		emu_put_int(f, p->number);
		emu_put_int(f, p->size);
		(void) fwrite(p->md5, 1, 16, f);
		emu_put_int(f, p->crc);
		emu_put_int(f, p->modified_us);
		put_blob(f, p->blob);
	}
}

bool
oss_save(FILE *f)
{
	uint64_t	n = 0;

	emu_put_int(f, MAGIC);
	for (const oss_cname *c = oss_cnames; c; c = c->next)
		n++;
	emu_put_int(f, n);
	for (const oss_cname *c = oss_cnames; c; c = c->next)
	{
		emu_put_text(f, c->host);
		emu_put_text(f, c->bucket);
	}
	for (const oss_bucket *b = oss_buckets; b; b = b->next)
	{
		emu_put_int(f, 1);
		emu_put_text(f, b->name);
		emu_put_int(f, b->acl);
		emu_put_text(f, b->storage_class);
		emu_put_int(f, b->created_us);
		emu_put_int(f, b->ndiscard);
		for (int i = 0; i < b->ndiscard; i++)
			emu_put_text(f, b->discard[i]);
		emu_put_int(f, b->objects.count);
		for (oss_node *o = oss_map_first(&b->objects); o; o = oss_next(o))
			put_object(f, (oss_object *) o);
		emu_put_int(f, b->uploads.count);
		for (oss_node *u = oss_map_first(&b->uploads); u; u = oss_next(u))
			put_upload(f, (oss_upload *) u);
	}
	emu_put_int(f, 0);
	return !ferror(f);
}

/* ---- reading ---- */

static const char *
get_class(emu_saved *s)
{
	char	   *text = emu_get_text(s);
	const char *class = oss_class_parse(mcw_str(text));

	free(text);
	if (class == NULL)
		s->bad = true;
	return class ? class : "Standard";
}

static emu_blob *
get_blob(emu_saved *s)
{
	uint64_t	len;
	char	   *data;

	if (emu_get_int(s) == 0)
		return NULL;
	data = emu_get_bytes(s, MAX_BLOB, &len);
	return emu_blob_take(data, len);
}

static void
get_meta(emu_saved *s, oss_meta *m)
{
	memset(m, 0, sizeof(*m));
	m->acl = (oss_acl) emu_get_count(s, OSS_ACL_READ_WRITE);
	m->storage_class = get_class(s);
	for (uint64_t n = emu_get_count(s, 1000); n > 0; n--)
	{
		char	   *name = emu_get_text(s);
		char	   *value = emu_get_text(s);

		oss_meta_add(m, name, mcw_str(value));
		free(name);
		free(value);
	}
	for (uint64_t n = emu_get_count(s, 1000); n > 0; n--)
	{
		char	   *name = emu_get_text(s);
		char	   *value = emu_get_text(s);

		oss_meta_tag(m, mcw_str(name), mcw_str(value));
		free(name);
		free(value);
	}
}

static void
get_object(emu_saved *s, oss_bucket *b)
{
	uint64_t	len;
	char	   *key = emu_get_bytes(s, OSS_MAX_KEY, &len);
	oss_object *o = oss_object_new((mcw_view) {key, len}, OSS_NORMAL, 0);
	char	   *text;

	free(key);
	o->kind = (oss_kind) emu_get_count(s, OSS_SYMLINK);
	o->size = emu_get_int(s);
	text = emu_get_text(s);
	snprintf(o->etag, sizeof(o->etag), "%.47s", text);
	free(text);
	o->has_md5 = emu_get_int(s) != 0;
	o->crc = emu_get_int(s);
	o->created_us = (int64_t) emu_get_int(s);
	o->modified_us = (int64_t) emu_get_int(s);
	o->sealed = emu_get_int(s) != 0;
	text = emu_get_text(s);
	if (o->kind == OSS_SYMLINK)
		o->target = text;
	else
		free(text);
	o->blob = get_blob(s);
	get_meta(s, &o->meta);
	/* bytes are repeated to the size, so none must not stand for some */
	if (o->blob && o->blob->len == 0 && o->size > 0)
		s->bad = true;
	if (s->bad || !oss_key_ok(oss_key(&o->node)))
	{
		s->bad = true;
		oss_object_free(o);
		return;
	}
	oss_object_insert(b, o);
}

static void
get_upload(emu_saved *s, oss_bucket *b)
{
	oss_upload *u = emu_malloc(sizeof(*u));
	uint64_t	len;

	memset(u, 0, sizeof(*u));
	u->node.key = emu_get_bytes(s, OSS_MAX_KEY + 64, &len);
	u->node.key_len = len;
	u->object_len = emu_get_count(s, len > 0 ? len - 1 : 0);
	u->id = u->node.key + u->object_len + 1;
	u->sequential = emu_get_int(s) != 0;
	u->forbid = emu_get_int(s) != 0;
	u->initiated_us = (int64_t) emu_get_int(s);
	get_meta(s, &u->meta);
	u->nparts = (int) emu_get_count(s, 10000);
	u->parts_cap = u->nparts;
	u->parts = emu_malloc((size_t) u->nparts * sizeof(oss_part));
	memset(u->parts, 0, (size_t) u->nparts * sizeof(oss_part));
	for (int i = 0; i < u->nparts && !s->bad; i++)
	{
		oss_part   *p = &u->parts[i];

		p->number = (int) emu_get_count(s, 10000);
		p->size = emu_get_int(s);
		if (fread(p->md5, 1, 16, s->f) != 16)
			s->bad = true;
		p->crc = emu_get_int(s);
		p->modified_us = (int64_t) emu_get_int(s);
		p->blob = get_blob(s);
		if (p->blob && p->blob->len != p->size)
			s->bad = true;
	}
	if (oss_map_find(&b->uploads, oss_key(&u->node)))
		s->bad = true;
	else
		oss_map_insert(&b->uploads, &u->node);
}

static void
get_bucket(emu_saved *s)
{
	char	   *name = emu_get_text(s);
	oss_bucket *b;

	if (s->bad || !oss_bucket_name_ok(mcw_str(name)) || oss_bucket_find(mcw_str(name)))
	{
		s->bad = true;
		free(name);
		return;
	}
	b = oss_bucket_create(mcw_str(name), 0);
	free(name);
	b->acl = (oss_acl) emu_get_count(s, OSS_ACL_READ_WRITE);
	b->storage_class = get_class(s);
	b->created_us = (int64_t) emu_get_int(s);
	b->ndiscard = (int) emu_get_count(s, 10000);
	b->discard = emu_malloc((size_t) b->ndiscard * sizeof(char *));
	for (int i = 0; i < b->ndiscard; i++)
		b->discard[i] = emu_get_text(s);
	for (uint64_t n = emu_get_int(s); n > 0 && !s->bad; n--)
		get_object(s, b);
	for (uint64_t n = emu_get_int(s); n > 0 && !s->bad; n--)
		get_upload(s, b);
}

bool
oss_load(FILE *f, mcw_error *err)
{
	emu_saved	s = {.f = f};

	if (emu_get_int(&s) != MAGIC)
		s.bad = true;
	for (uint64_t n = emu_get_count(&s, 10000); n > 0 && !s.bad; n--)
	{
		oss_cname  *c = emu_malloc(sizeof(*c));

		c->host = emu_get_text(&s);
		c->bucket = emu_get_text(&s);
		c->next = oss_cnames;
		oss_cnames = c;
	}
	while (!s.bad && emu_get_int(&s) == 1)
		get_bucket(&s);
	if (s.bad)
		mcw_fail(err, MCW_ERR_FORMAT, "not a state of oss, or a damaged one");
	return !s.bad;
}
