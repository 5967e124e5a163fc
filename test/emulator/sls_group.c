/*
 * sls_group.c
 *		mc-emulator, Log Service: looking into encoded log groups, and making one from
 *		JSON.  loghub.md 4.1, 4.4.
 */
#include <stdlib.h>

#include "sls.h"

static bool
next_varint(mcw_view m, size_t *pos, uint64_t *out)
{
	uint64_t	v = 0;

	for (int shift = 0; shift < 64 && *pos < m.len; shift += 7)
	{
		unsigned char c = (unsigned char) m.data[(*pos)++];

		v |= (uint64_t) (c & 0x7f) << shift;
		if (!(c & 0x80))
		{
			*out = v;
			return true;
		}
	}
	return false;
}

/* Garbage leaves *pos short of the end; a clean end has *pos == len. */
bool
sls_next_field(mcw_view m, size_t *pos, sls_field *f)
{
	size_t		at = *pos;
	uint64_t	tag;
	uint64_t	n = 0;

	if (at >= m.len || !next_varint(m, &at, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
		return false;
	f->number = (uint32_t) (tag >> 3);
	f->wire_type = (uint32_t) (tag & 7);
	f->bytes = (mcw_view) {NULL, 0};
	f->value = 0;
	switch (f->wire_type)
	{
		case 0:
			if (!next_varint(m, &at, &f->value))
				return false;
			break;
		case 1:
		case 5:
			n = f->wire_type == 1 ? 8 : 4;
			if (m.len - at < n)
				return false;
			memcpy(&f->value, m.data + at, n);
			at += n;
			break;
		case 2:
			if (!next_varint(m, &at, &n) || m.len - at < n)
				return false;
			f->bytes = (mcw_view) {m.data + at, (size_t) n};
			at += n;
			break;
		default:
			return false;
	}
	f->start = m.data + *pos;
	f->len = at - *pos;
	*pos = at;
	return true;
}

bool
sls_log_open(mcw_view group, mcw_view log, sls_log_view *out)
{
	size_t		pos = 0;
	sls_field	f;

	memset(out, 0, sizeof(*out));
	out->group = group;
	out->log = log;
	while (sls_next_field(log, &pos, &f))
	{
		if (f.number == 1 && f.wire_type == 0)
			out->time = (uint32_t) f.value;
		else if (f.number == 4 && f.wire_type == 5)
		{
			out->time_ns = (uint32_t) f.value;
			out->has_ns = true;
		}
	}
	return pos == log.len;
}

/* Content and LogTag have the same shape: 1 key, 2 value. */
static bool
open_pair(mcw_view pair, mcw_view *key, mcw_view *value)
{
	size_t		pos = 0;
	sls_field	f;

	*key = *value = MCW_LIT("");
	while (sls_next_field(pair, &pos, &f))
	{
		if (f.wire_type == 2 && f.number == 1)
			*key = f.bytes;
		else if (f.wire_type == 2 && f.number == 2)
			*value = f.bytes;
	}
	return pos == pair.len;
}

/* Every name and value of a log as search shows them; stops when fn returns true. */
bool
sls_log_each(const sls_log_view *log, sls_value_fn fn, void *arg)
{
	size_t		pos = 0;
	sls_field	f;
	mcw_view	key;
	mcw_view	value;
	char		name[256];

	while (sls_next_field(log->log, &pos, &f))
		if (f.number == 2 && f.wire_type == 2 && open_pair(f.bytes, &key, &value) && fn(key, value, arg))
			return true;
	pos = 0;
	while (sls_next_field(log->group, &pos, &f))
	{
		if (f.wire_type != 2)
			continue;
		if (f.number == 3 && fn(MCW_LIT("__topic__"), f.bytes, arg))
			return true;
		if (f.number == 4 && fn(MCW_LIT("__source__"), f.bytes, arg))
			return true;
		if (f.number == 6 && open_pair(f.bytes, &key, &value) && key.len < 200)
		{
			int			n = snprintf(name, sizeof(name), "__tag__:%.*s", (int) key.len, key.data);

			if (fn((mcw_view) {name, n}, value, arg))
				return true;
		}
	}
	return false;
}

typedef struct find_arg
{
	mcw_view	name;
	mcw_view	value;
} find_arg;

static bool
find_value(mcw_view name, mcw_view value, void *arg)
{
	find_arg   *find = arg;

	if (mcw_view_eq(name, find->name))
		find->value = value;	/* the last one wins */
	return false;
}

bool
sls_log_value(const sls_log_view *log, mcw_view name, mcw_view *value)
{
	find_arg	find = {name, {NULL, 0}};

	(void) sls_log_each(log, find_value, &find);
	*value = find.value;
	return find.value.data != NULL;
}

typedef struct json_arg
{
	mcw_buf    *out;
	bool		topic;
	bool		source;
} json_arg;

static bool
put_value(mcw_view name, mcw_view value, void *arg)
{
	json_arg   *j = arg;

	j->topic |= mcw_view_eq(name, MCW_LIT("__topic__"));
	j->source |= mcw_view_eq(name, MCW_LIT("__source__"));
	mcw_buf_append_char(j->out, ',');
	mcw_json_quote(j->out, name);
	mcw_buf_append_char(j->out, ':');
	mcw_json_quote(j->out, value);
	return false;
}

void
sls_log_json(const sls_log_view *log, mcw_buf *out)
{
	json_arg	j = {out, false, false};

	mcw_buf_printf(out, "{\"__time__\":\"%u\"", log->time);
	if (log->has_ns)
		mcw_buf_printf(out, ",\"__time_ns_part__\":\"%u\"", log->time_ns);
	(void) sls_log_each(log, put_value, &j);
	if (!j.source)
		mcw_buf_append_str(out, ",\"__source__\":\"\"");
	if (!j.topic)
		mcw_buf_append_str(out, ",\"__topic__\":\"\"");
	mcw_buf_append_char(out, '}');
}

void
sls_put_tag(mcw_buf *out, mcw_view key, mcw_view value)
{
	mcw_sls_writer writer;
	mcw_pair	pair = {key, value};
	mcw_view	none = {NULL, 0};

	mcw_sls_writer_init(&writer, out);
	(void) mcw_sls_finish_group(&writer, none, none, none, none, &pair, 1);
}

static bool
json_log(const mcw_node *node, uint32_t now_s, bool force_now, mcw_sls_writer *w, mcw_error *err)
{
	int64_t		t = now_s;
	int64_t		ns = 0;
	bool		has_ns;

	if (node->kind != MCW_NODE_OBJECT)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "an entry of __logs__ is not an object");
		return false;
	}
	if (!force_now && mcw_node_get(node, "__time__") && (!mcw_node_int(node, "__time__", &t) || t < 0 || t > UINT32_MAX))
	{
		mcw_fail(err, MCW_ERR_FORMAT, "__time__ is not a number of seconds");
		return false;
	}
	has_ns = mcw_node_int(node, "__time_ns_part__", &ns) && ns >= 0 && ns < 1000000000;
	if (mcw_sls_begin_log(w, (uint32_t) t, has_ns, (uint32_t) ns) != MCW_OK)
		return false;
	for (const mcw_node *n = node->first; n; n = n->next)
	{
		if (mcw_view_eq(n->name, MCW_LIT("__time__")) || mcw_view_eq(n->name, MCW_LIT("__time_ns_part__")))
			continue;
		if (n->kind == MCW_NODE_BOOL)
			(void) mcw_sls_content(w, n->name, n->boolean ? MCW_LIT("true") : MCW_LIT("false"));
		else if (n->kind == MCW_NODE_STRING || n->kind == MCW_NODE_NUMBER)
			(void) mcw_sls_content(w, n->name, n->text.data ? n->text : MCW_LIT(""));
		else
		{
			mcw_fail(err, MCW_ERR_FORMAT, "a value of a log is not text");
			return false;
		}
	}
	return mcw_sls_end_log(w) == MCW_OK;
}

bool
sls_group_from_json(const mcw_node *root, uint32_t now_s, bool force_now, mcw_buf *out, mcw_error *err)
{
	const mcw_node *logs = mcw_node_get(root, "__logs__");
	const mcw_node *tags = mcw_node_get(root, "__tags__");
	mcw_sls_writer w;
	mcw_view	none = {NULL, 0};

	if (logs == NULL || logs->kind != MCW_NODE_ARRAY)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "no array __logs__");
		return false;
	}
	mcw_sls_writer_init(&w, out);
	for (const mcw_node *n = logs->first; n; n = n->next)
		if (!json_log(n, now_s, force_now, &w, err))
			return false;
	if (mcw_sls_finish_group(&w, none, mcw_node_text(root, "__topic__"), mcw_node_text(root, "__source__"), none, NULL, 0) != MCW_OK)
		return false;
	if (tags && tags->kind == MCW_NODE_OBJECT)
		for (const mcw_node *n = tags->first; n; n = n->next)
			sls_put_tag(out, n->name, n->text.data ? n->text : MCW_LIT(""));
	return !out->failed;
}
