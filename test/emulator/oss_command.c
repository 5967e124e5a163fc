/*
 * oss_command.c
 *		mc-emulator, Object Storage Service part: control and seed commands, and the state
 *		document.
 *
 * Reference: docs/emulator.md.  Large contents are oss_generate.c's.
 */
#include <stdlib.h>

#include "oss.h"

bool
oss_command_fail(mcw_error *err, const char *what, mcw_view name)
{
	mcw_fail(err, MCW_ERR_ARGUMENT, "%s: %.*s", what, (int) (name.len < 400 ? name.len : 400), name.data ? name.data : "");
	return false;
}

static mcw_view
text_or_empty(const mcw_node *cmd, const char *name)
{
	mcw_view	v = mcw_node_text(cmd, name);

	return v.data ? v : MCW_LIT("");
}

bool
oss_command_bucket(const mcw_node *cmd, oss_bucket **bucket, mcw_error *err)
{
	mcw_view	name = text_or_empty(cmd, "bucket");

	*bucket = oss_bucket_find(name);
	return *bucket || oss_command_fail(err, "no such bucket", name);
}

static bool
command_object(const mcw_node *cmd, oss_bucket **bucket, oss_object **object, mcw_error *err)
{
	mcw_view	key = text_or_empty(cmd, "key");

	if (!oss_command_bucket(cmd, bucket, err))
		return false;
	*object = oss_object_find(*bucket, key);
	return *object || oss_command_fail(err, "no such object", key);
}

bool
oss_command_bytes(const mcw_node *cmd, mcw_buf *out, mcw_error *err)
{
	mcw_view	text = mcw_node_text(cmd, "text");
	mcw_view	coded = mcw_node_text(cmd, "base64");

	if ((text.data != NULL) == (coded.data != NULL))
		return oss_command_fail(err, "give one of text and base64", MCW_LIT(""));
	if (text.data)
		(void) mcw_buf_append_view(out, text);
	else if (mcw_base64_decode(out, coded) != MCW_OK)
		return oss_command_fail(err, "base64 is malformed", MCW_LIT(""));
	if (out->failed)
		emu_oom();
	return true;
}

static bool
read_acl(const mcw_node *cmd, oss_acl *acl, mcw_error *err)
{
	mcw_view	given = mcw_node_text(cmd, "acl");

	return given.data == NULL || oss_acl_parse(given, acl) || oss_command_fail(err, "no such acl", given);
}

static bool
read_class(const mcw_node *cmd, const char **class, mcw_error *err)
{
	mcw_view	given = mcw_node_text(cmd, "storage_class");

	if (given.data == NULL)
		return true;
	if (oss_class_parse(given) == NULL)
		return oss_command_fail(err, "no such storage class", given);
	*class = oss_class_parse(given);
	return true;
}

static bool
read_time(const mcw_node *cmd, const char *name, int64_t *us, mcw_error *err)
{
	mcw_view	given = mcw_node_text(cmd, name);
	int64_t		seconds;

	if (given.data == NULL)
		return true;
	if (mcw_parse_iso8601(given, us))
		return true;
	if (!mcw_view_int64(given, &seconds))
		return oss_command_fail(err, "bad time", given);
	*us = seconds * OSS_SECOND;
	return true;
}

/* ---- making things ---- */

static bool
create_bucket(const mcw_node *cmd, mcw_error *err)
{
	mcw_view	name = text_or_empty(cmd, "bucket");
	const mcw_node *replace = mcw_node_get(cmd, "replace");
	oss_bucket *b = oss_bucket_find(name);
	oss_acl		acl = OSS_ACL_PRIVATE;
	const char *class = "Standard";

	if (!oss_bucket_name_ok(name))
		return oss_command_fail(err, "bad name of a bucket", name);
	if (!read_acl(cmd, &acl, err) || !read_class(cmd, &class, err))
		return false;
	if (b && replace && replace->boolean)
	{
		oss_bucket_drop(b);
		b = NULL;
	}
	if (b == NULL)
		b = oss_bucket_create(name, emu_now_us());
	b->acl = acl;
	b->storage_class = class;
	return true;
}

static bool
put_headers(const mcw_node *list, const char *prefix, oss_meta *meta)
{
	char		name[600];

	for (const mcw_node *h = list ? list->first : NULL; h; h = h->next)
	{
		snprintf(name, sizeof(name), "%s%.*s", prefix, (int) h->name.len, h->name.data);
		oss_meta_add(meta, name, h->text);
	}
	return true;
}

static bool
put_object(const mcw_node *cmd, mcw_error *err)
{
	mcw_view	key = text_or_empty(cmd, "key");
	mcw_view	target = mcw_node_text(cmd, "symlink");
	const mcw_node *append = mcw_node_get(cmd, "appendable");
	oss_bucket *b;
	oss_object *o;
	mcw_buf		bytes;
	int64_t		at = emu_now_us();

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	if (!oss_key_ok(key))
		return oss_command_fail(err, "bad key", key);
	mcw_buf_init(&bytes, &mcw_malloc, (size_t) 1 << 31);
	if (target.data ? mcw_buf_append_view(&bytes, target) != MCW_OK : !oss_command_bytes(cmd, &bytes, err))
	{
		mcw_buf_free(&bytes);
		return false;
	}
	o = oss_object_new(key, target.data ? OSS_SYMLINK : append && append->boolean ? OSS_APPENDABLE : OSS_NORMAL, emu_now_us());
	o->meta.storage_class = b->storage_class;
	oss_object_content(o, emu_blob_take(emu_strdup(mcw_buf_view(&bytes)), bytes.len), true);
	mcw_buf_free(&bytes);
	if (target.data)
	{
		o->target = emu_strdup(target);
		o->size = 0;
	}
	oss_meta_add(&o->meta, "Content-Type", MCW_LIT("application/octet-stream"));
	put_headers(mcw_node_get(cmd, "headers"), "", &o->meta);
	put_headers(mcw_node_get(cmd, "meta"), "x-oss-meta-", &o->meta);
	if (!read_acl(cmd, &o->meta.acl, err) || !read_class(cmd, &o->meta.storage_class, err) ||
		!read_time(cmd, "last_modified", &at, err))
	{
		oss_object_free(o);
		return false;
	}
	o->modified_us = at - at % OSS_SECOND;
	oss_object_insert(b, o);
	return true;
}

/* ---- looking ---- */

static void
describe(mcw_buf *out, const oss_object *o)
{
	char		basic[20];

	mcw_iso_basic(o->modified_us / OSS_SECOND, basic);
	(void) mcw_buf_append_str(out, "{\"key\":");
	(void) mcw_json_quote(out, oss_key(&o->node));
	(void) mcw_buf_printf(out, ",\"size\":%llu,\"etag\":\"%s\",\"crc64\":\"%llu\",\"type\":\"%s\",\"last_modified\":\"%s\","
						  "\"storage_class\":\"%s\",\"acl\":\"%s\",\"kept\":%s,\"headers\":{", (unsigned long long) o->size, o->etag,
						  (unsigned long long) o->crc, oss_kind_name(o->kind), basic, o->meta.storage_class,
						  oss_acl_name(o->meta.acl), o->blob ? "true" : "false");
	for (int i = 0; i < o->meta.nheaders; i++)
	{
		if (i)
			(void) mcw_buf_append_char(out, ',');
		(void) mcw_json_quote(out, mcw_str(o->meta.headers[i].name));
		(void) mcw_buf_append_char(out, ':');
		(void) mcw_json_quote(out, mcw_str(o->meta.headers[i].value));
	}
	(void) mcw_buf_append_str(out, "}}");
}

/* The first object under the prefix of a command, and the next */
static oss_node *
under(oss_bucket *b, mcw_view prefix, oss_node *before)
{
	oss_node   *node = before ? oss_next(before) : oss_map_seek(&b->objects, prefix, false);

	return node && node->key_len >= prefix.len && memcmp(node->key, prefix.data, prefix.len) == 0 ? node : NULL;
}

static bool
list(const mcw_node *cmd, bool whole, mcw_buf *reply, mcw_error *err)
{
	mcw_view	prefix = text_or_empty(cmd, "prefix");
	oss_bucket *b;
	int64_t		left;
	bool		first = true;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	if (!mcw_node_int(cmd, "limit", &left))
		left = 10000;
	(void) mcw_buf_append_str(reply, whole ? "{\"objects\":[" : "{\"keys\":[");
	for (oss_node *n = under(b, prefix, NULL); n && left-- > 0; n = under(b, prefix, n))
	{
		if (!first)
			(void) mcw_buf_append_str(reply, ",\n");
		first = false;
		if (whole)
			describe(reply, (oss_object *) n);
		else
			(void) mcw_json_quote(reply, oss_key(n));
	}
	(void) mcw_buf_append_str(reply, "]}");
	return true;
}

static bool
history(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	oss_bucket *b;
	uint64_t	first;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	first = b->nhistory > OSS_HISTORY ? b->nhistory - OSS_HISTORY : 0;
	(void) mcw_buf_append_str(reply, "{\"changes\":[");
	for (uint64_t i = first; i < b->nhistory; i++)
	{
		const oss_changed *c = &b->history[i % OSS_HISTORY];

		(void) mcw_buf_append_str(reply, i > first ? ",\n{\"key\":" : "{\"key\":");
		(void) mcw_json_quote(reply, mcw_str(c->key));
		(void) mcw_buf_printf(reply, ",\"gone\":%s,\"size\":%llu,\"crc64\":\"%llu\"}", c->gone ? "true" : "false",
							  (unsigned long long) c->size, (unsigned long long) c->crc);
	}
	(void) mcw_buf_append_str(reply, "]}");
	return true;
}

static bool
get(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	const mcw_node *coded = mcw_node_get(cmd, "base64");
	oss_bucket *b;
	oss_object *o;
	emu_blob   *part;
	int64_t		offset = 0;
	int64_t		length;
	mcw_view	bytes;

	if (!command_object(cmd, &b, &o, err))
		return false;
	if (o->blob == NULL)
		return oss_command_fail(err, "the bytes were not kept", oss_key(&o->node));
	(void) mcw_node_int(cmd, "offset", &offset);
	if (!mcw_node_int(cmd, "length", &length))
		length = (int64_t) o->size - offset;
	if (offset < 0 || length < 0 || (uint64_t) (offset + length) > o->size || length > 1 << 30)
		return oss_command_fail(err, "bad offset or length", MCW_LIT(""));
	part = oss_slice(o, offset, length);
	bytes = (mcw_view) {part->data, part->len};
	(void) mcw_buf_append_str(reply, "{\"object\":");
	describe(reply, o);
	if ((coded && coded->boolean) || mcw_utf8_valid(bytes.data, bytes.len) != bytes.len)
	{
		(void) mcw_buf_append_str(reply, ",\"base64\":\"");
		(void) mcw_base64_encode(reply, bytes);
		(void) mcw_buf_append_str(reply, "\"}");
	}
	else
	{
		(void) mcw_buf_append_str(reply, ",\"text\":");
		(void) mcw_json_quote(reply, bytes);
		(void) mcw_buf_append_char(reply, '}');
	}
	emu_blob_unref(part);
	return true;
}

/* Independent of the order and names of objects: count, bytes, sum of the CRCs */
static bool
checksum(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	prefix = text_or_empty(cmd, "prefix");
	oss_bucket *b;
	uint64_t	count = 0;
	uint64_t	bytes = 0;
	uint64_t	sum = 0;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	for (oss_node *n = under(b, prefix, NULL); n; n = under(b, prefix, n))
	{
		const oss_object *o = (oss_object *) n;

		count++;
		bytes += o->size;
		sum += o->crc;
	}
	(void) mcw_buf_printf(reply, "{\"count\":%llu,\"bytes\":%llu,\"sum\":\"%llu\"}", (unsigned long long) count,
						  (unsigned long long) bytes, (unsigned long long) sum);
	return true;
}

static bool
uploads(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	oss_bucket *b;
	bool		first = true;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	(void) mcw_buf_append_str(reply, "{\"uploads\":[");
	for (oss_node *n = oss_map_first(&b->uploads); n; n = oss_next(n))
	{
		const oss_upload *u = (oss_upload *) n;
		uint64_t	bytes = 0;

		for (int i = 0; i < u->nparts; i++)
			bytes += u->parts[i].size;
		(void) mcw_buf_append_str(reply, first ? "{\"key\":" : ",\n{\"key\":");
		first = false;
		(void) mcw_json_quote(reply, (mcw_view) {n->key, u->object_len});
		(void) mcw_buf_printf(reply, ",\"id\":\"%s\",\"parts\":%d,\"bytes\":%llu,\"initiated\":%lld}", u->id, u->nparts,
							  (unsigned long long) bytes, (long long) (u->initiated_us / OSS_SECOND));
	}
	(void) mcw_buf_append_str(reply, "]}");
	return true;
}

/* ---- changing ---- */

/* "key": that one; "prefix": all under it.  Calls fn for each; the reply counts them */
static bool
each(const mcw_node *cmd, mcw_buf *reply, mcw_error *err, void (*fn) (oss_bucket *, oss_object *, int64_t), int64_t arg)
{
	mcw_view	key = mcw_node_text(cmd, "key");
	mcw_view	prefix = text_or_empty(cmd, "prefix");
	oss_bucket *b;
	oss_object *o;
	int64_t		count = 0;

	if (key.data)
	{
		if (!command_object(cmd, &b, &o, err))
			return false;
		fn(b, o, arg);
		count = 1;
	}
	else
	{
		oss_node   *node;

		if (!oss_command_bucket(cmd, &b, err))
			return false;
		node = under(b, prefix, NULL);
		while (node)
		{
			oss_node   *next = under(b, prefix, node);

			fn(b, (oss_object *) node, arg);
			node = next;
			count++;
		}
	}
	(void) mcw_buf_printf(reply, "{\"count\":%lld}", (long long) count);
	return true;
}

static void
do_delete(oss_bucket *b, oss_object *o, int64_t arg)
{
	(void) arg;
	oss_object_delete(b, o);
}

static void
do_touch(oss_bucket *b, oss_object *o, int64_t us)
{
	(void) b;
	o->modified_us = us - us % OSS_SECOND;
}

static void
do_acl(oss_bucket *b, oss_object *o, int64_t acl)
{
	(void) b;
	o->meta.acl = (oss_acl) acl;
}

static bool
set_acl(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	oss_bucket *b;
	oss_acl		acl = OSS_ACL_DEFAULT;

	if (!read_acl(cmd, &acl, err))
		return false;
	if (mcw_node_get(cmd, "key") || mcw_node_get(cmd, "prefix"))
		return each(cmd, reply, err, do_acl, acl);
	if (acl == OSS_ACL_DEFAULT)
		return oss_command_fail(err, "a bucket wants private, public-read or public-read-write", MCW_LIT(""));
	if (!oss_command_bucket(cmd, &b, err))
		return false;
	b->acl = acl;
	return true;
}

/* What ?lifecycle and ?versioning show; a member that is not given stays */
static bool
set_bucket(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	static const char *const states[] = {"Enabled", "Suspended", ""};
	mcw_view	versioning = mcw_node_text(cmd, "versioning");
	oss_bucket *b;
	int64_t		days;

	(void) reply;
	if (!oss_command_bucket(cmd, &b, err))
		return false;
	if (mcw_node_get(cmd, "abort_days"))
	{
		if (!mcw_node_int(cmd, "abort_days", &days) || days < 0 || days > 3650)
			return oss_command_fail(err, "abort_days must be 0 to 3650", MCW_LIT(""));
		b->abort_days = (int) days;
	}
	if (!mcw_node_get(cmd, "versioning"))
		return true;
	for (int i = 0; i < 3; i++)
	{
		if (!mcw_view_eq(versioning, mcw_str(states[i])))
			continue;
		b->versioning = states[i][0] ? states[i] : NULL;
		return true;
	}
	return oss_command_fail(err, "versioning must be Enabled, Suspended or empty", MCW_LIT(""));
}

static bool
set_last_modified(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	int64_t		us = emu_now_us();

	return read_time(cmd, "time", &us, err) && each(cmd, reply, err, do_touch, us);
}

/* What lifecycle rules do: uploads begun so long ago are gone */
static bool
expire_uploads(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	prefix = text_or_empty(cmd, "prefix");
	oss_bucket *b;
	oss_node   *node;
	int64_t		older = 0;
	int64_t		count = 0;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	(void) mcw_node_int(cmd, "older_s", &older);
	for (node = oss_map_seek(&b->uploads, prefix, false); node;)
	{
		oss_upload *u = (oss_upload *) node;

		node = oss_next(node);
		if (u->object_len < prefix.len || memcmp(u->node.key, prefix.data, prefix.len) != 0)
			break;
		if (u->initiated_us > emu_now_us() - older * OSS_SECOND)
			continue;
		oss_upload_drop(b, u);
		count++;
	}
	(void) mcw_buf_printf(reply, "{\"count\":%lld}", (long long) count);
	return true;
}

static bool
discard(const mcw_node *cmd, mcw_error *err)
{
	const mcw_node *on = mcw_node_get(cmd, "on");
	oss_bucket *b;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	if (on && on->kind == MCW_NODE_BOOL && !on->boolean)
	{
		for (int i = 0; i < b->ndiscard; i++)
			free(b->discard[i]);
		b->ndiscard = 0;
		return true;
	}
	b->discard = emu_realloc(b->discard, (b->ndiscard + 1) * sizeof(char *));
	b->discard[b->ndiscard++] = emu_strdup(text_or_empty(cmd, "prefix"));
	return true;
}

static bool
add_cname(const mcw_node *cmd, mcw_error *err)
{
	oss_cname  *c;

	if (text_or_empty(cmd, "host").len == 0 || text_or_empty(cmd, "bucket").len == 0)
		return oss_command_fail(err, "cname wants host and bucket", MCW_LIT(""));
	c = emu_malloc(sizeof(*c));
	c->host = emu_strdup(mcw_node_text(cmd, "host"));
	c->bucket = emu_strdup(mcw_node_text(cmd, "bucket"));
	c->next = oss_cnames;
	oss_cnames = c;
	return true;
}

static bool
set_options(const mcw_node *cmd, mcw_error *err)
{
	static const struct
	{
		const char *name;
		int64_t    *value;
		int64_t		min;
		int64_t		max;
	}			numbers[] = {
		{"max_put", &oss_set.max_put, 1, (int64_t) 5 << 30}, {"max_part", &oss_set.max_part, 1, (int64_t) 5 << 30},
		{"min_part", &oss_set.min_part, 0, (int64_t) 5 << 30}, {"max_parts", &oss_set.max_parts, 1, 10000},
		{"page_keys", &oss_set.page_keys, 1, 1000}, {"apply_later_ms", &oss_set.apply_later_ms, 0, 86400000}
	};

	for (const mcw_node *m = cmd->first; m; m = m->next)
	{
		int64_t		n;
		bool		done = mcw_view_eq(m->name, MCW_LIT("op")) || mcw_view_eq(m->name, MCW_LIT("service"));

		for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
			if (mcw_view_eq(m->name, mcw_str(numbers[i].name)) && m->kind == MCW_NODE_NUMBER &&
				mcw_view_int64(m->text, &n) && n >= numbers[i].min && n <= numbers[i].max)
			{
				*numbers[i].value = n;
				done = true;
			}
		if (mcw_view_eq(m->name, MCW_LIT("refuse_path_style")) && m->kind == MCW_NODE_BOOL)
		{
			oss_set.refuse_path_style = m->boolean;
			done = true;
		}
		if (mcw_view_eq(m->name, MCW_LIT("region")) && m->kind == MCW_NODE_STRING && m->text.len < sizeof(oss_set.region))
		{
			snprintf(oss_set.region, sizeof(oss_set.region), "%.*s", (int) m->text.len, m->text.data);
			done = true;
		}
		if (!done)
			return oss_command_fail(err, "unknown option or bad value", m->name);
	}
	return true;
}

static bool
drop_bucket(const mcw_node *cmd, mcw_error *err)
{
	oss_bucket *b;

	if (!oss_command_bucket(cmd, &b, err))
		return false;
	oss_bucket_drop(b);
	return true;
}

bool
oss_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	op = text_or_empty(cmd, "op");

	if (mcw_view_eq(op, MCW_LIT("create_bucket")))
		return create_bucket(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("drop_bucket")))
		return drop_bucket(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("put_object")))
		return put_object(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("get")))
		return get(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("list")))
		return list(cmd, true, reply, err);
	if (mcw_view_eq(op, MCW_LIT("keys")))
		return list(cmd, false, reply, err);
	if (mcw_view_eq(op, MCW_LIT("history")))
		return history(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("checksum")))
		return checksum(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("delete")))
		return each(cmd, reply, err, do_delete, 0);
	if (mcw_view_eq(op, MCW_LIT("set_acl")))
		return set_acl(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("set_bucket")))
		return set_bucket(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("set_last_modified")))
		return set_last_modified(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("uploads")))
		return uploads(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("expire_uploads")))
		return expire_uploads(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("discard")))
		return discard(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("cname")))
		return add_cname(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("set")))
		return set_options(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("generate")))
		return oss_generate(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("generate_many")))
		return oss_generate_many(cmd, reply, err);
	return oss_command_fail(err, "unknown command of oss", op);
}

void
oss_state(mcw_buf *b)
{
	(void) mcw_buf_append_str(b, "{\"buckets\":[");
	for (const oss_bucket *k = oss_buckets; k; k = k->next)
	{
		uint64_t	parts = 0;
		uint64_t	bytes = 0;

		for (oss_node *n = oss_map_first(&k->uploads); n; n = oss_next(n))
			for (int i = 0; i < ((oss_upload *) n)->nparts; i++, parts++)
				bytes += ((oss_upload *) n)->parts[i].size;
		(void) mcw_buf_printf(b, "%s{\"name\":\"%s\",\"acl\":\"%s\",\"objects\":%llu,\"bytes\":%llu,\"uploads\":%llu,"
							  "\"parts\":%llu,\"part_bytes\":%llu}", k == oss_buckets ? "" : ",", k->name, oss_acl_name(k->acl),
							  (unsigned long long) k->objects.count, (unsigned long long) k->bytes,
							  (unsigned long long) k->uploads.count, (unsigned long long) parts, (unsigned long long) bytes);
	}
	(void) mcw_buf_printf(b, "],\"auth_failures\":%llu,\"puts\":%llu,\"parts\":%llu,\"completes\":%llu,\"aborts\":%llu,"
						  "\"gets\":%llu,\"deletes\":%llu,\"pending\":%d}", (unsigned long long) oss_count.auth_failures,
						  (unsigned long long) oss_count.puts, (unsigned long long) oss_count.parts,
						  (unsigned long long) oss_count.completes, (unsigned long long) oss_count.aborts,
						  (unsigned long long) oss_count.gets, (unsigned long long) oss_count.deletes, oss_install_pending());
}
