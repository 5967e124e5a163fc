/*
 * sls_command.c
 *		mc-emulator, Log Service: seed and control commands.  docs/emulator.md lists
 *		them.
 */
#include <stdlib.h>

#include "sls.h"

bool		emu_parse_time(mcw_view v, int64_t *unix_us);

typedef struct command
{
	const mcw_node *node;
	mcw_buf    *reply;
	mcw_error  *err;
	sls_project *project;
	sls_logstore *logstore;
} command;

static bool
text_is(mcw_view v, const char *s)
{
	return v.data && mcw_view_eq(v, mcw_str(s));
}

static bool
bad(command *c, const char *fmt, const char *arg)
{
	mcw_fail(c->err, MCW_ERR_ARGUMENT, fmt, arg);
	return false;
}

static bool
get_bool(const mcw_node *node, const char *name, bool *slot)
{
	const mcw_node *n = mcw_node_get(node, name);

	if (n && n->kind == MCW_NODE_BOOL)
		*slot = n->boolean;
	return n != NULL;
}

static bool
get_time(const mcw_node *node, const char *name, int64_t *us)
{
	mcw_view	v = mcw_node_text(node, name);

	return v.data && emu_parse_time(v, us);
}

static sls_shard *
get_shard(command *c)
{
	int64_t		id;
	sls_shard  *shard = mcw_node_int(c->node, "shard", &id) ? sls_find_shard(c->logstore, id) : NULL;

	if (shard == NULL)
		bad(c, "%s", "no such shard");
	return shard;
}

static bool
create_project(command *c)
{
	mcw_view	name = mcw_node_text(c->node, "project");
	mcw_view	description = mcw_node_text(c->node, "description");
	bool		lenient = false;

	(void) get_bool(c->node, "if_not_exists", &lenient);
	if (!sls_valid_name(name, false))
		return bad(c, "%s", "project name is invalid");
	if (sls_find_project(name))
		return lenient || bad(c, "%s", "project exists already");
	sls_new_project(name, description.data ? description : MCW_LIT(""), emu_now_us());
	return true;
}

static bool
create_logstore(command *c)
{
	mcw_view	name = mcw_node_text(c->node, "logstore");
	int64_t		shards = 2;
	bool		lenient = false;
	const char *why;
	sls_logstore *store;

	(void) get_bool(c->node, "if_not_exists", &lenient);
	(void) mcw_node_int(c->node, "shards", &shards);
	if (!sls_valid_name(name, true) || shards < 1 || shards > 256)
		return bad(c, "%s", "logstore name or number of shards is invalid");
	if (sls_find_logstore(c->project, name))
		return lenient || bad(c, "%s", "logstore exists already");
	store = sls_new_logstore(c->project, name, emu_now_us());
	if (!sls_apply_logstore(store, c->node, &why))
	{
		sls_drop_logstore(c->project, store);
		return bad(c, "%s", why);
	}
	sls_initial_shards(store, (int) shards, emu_now_us());
	return true;
}

/* {"shard":0,"receive_time":T,"late":true,"group":{__topic__,...,__logs__}} or "pb_base64" */
static bool
append_group(command *c)
{
	const mcw_node *group = mcw_node_get(c->node, "group");
	mcw_view	pb = mcw_node_text(c->node, "pb_base64");
	sls_shard  *shard = get_shard(c);
	int64_t		receive = emu_now_us();
	int64_t		gap = 0;
	bool		late = false;
	mcw_buf		buf;
	sls_group  *g = NULL;

	if (shard == NULL)
		return false;
	(void) get_bool(c->node, "late", &late);
	if (mcw_node_get(c->node, "receive_time") && !get_time(c->node, "receive_time", &receive))
		return bad(c, "%s", "receive_time is not a time");
	if (!late && receive < shard->last_us)
		return bad(c, "%s", "receive_time is before the shard's last group; say \"late\":true to insist");
	(void) mcw_node_int(c->node, "cursor_gap", &gap);
	if (gap > 0)
		shard->next_cursor += gap;
	mcw_buf_init(&buf, &mcw_malloc, (size_t) 64 << 20);
	if (group ? sls_group_from_json(group, (uint32_t) (receive / 1000000), false, &buf, c->err) :
		pb.data && mcw_base64_decode(&buf, pb) == MCW_OK)
	{
		if (c->logstore->append_meta || sls_conf.show_meta)
		{
			char		text[32];

			snprintf(text, sizeof(text), "%lld", (long long) (receive / 1000000));
			sls_put_tag(&buf, MCW_LIT("__client_ip__"), MCW_LIT("127.0.0.1"));
			sls_put_tag(&buf, MCW_LIT("__receive_time__"), mcw_str(text));
		}
		g = sls_append(shard, mcw_buf_view(&buf), receive, late, c->err);
	}
	else if (!group)
		bad(c, "%s", "append_group wants a group or pb_base64");
	if (g)
		mcw_buf_printf(c->reply, "{\"cursor\":\"%lld\",\"receive_time\":%lld}", (long long) g->cursor, (long long) (g->receive_us / 1000000));
	mcw_buf_free(&buf);
	return g != NULL;
}

static bool
split_shard(command *c)
{
	sls_shard  *shard = get_shard(c);
	mcw_view	key = mcw_node_text(c->node, "key");
	unsigned char keys[64 * 16];
	int64_t		count = 2;
	int			first;

	if (shard == NULL)
		return false;
	(void) mcw_node_int(c->node, "count", &count);
	if (shard->readonly || count < 2 || count > 64)
		return bad(c, "%s", "shard is read-only, or count is not in [2-64]");
	if (key.data ? !sls_parse_key(key, keys) : !sls_even_keys(shard, (int) count, keys))
		return bad(c, "%s", "key is invalid");
	if (!sls_split(c->logstore, shard, keys, key.data ? 1 : (int) count - 1, emu_now_us(), &first))
		return bad(c, "%s", "key is outside the shard");
	mcw_buf_append_str(c->reply, "{\"shards\":[");
	for (int i = first; i < c->logstore->nshards; i++)
		mcw_buf_printf(c->reply, "%s%d", i > first ? "," : "", c->logstore->shards[i]->id);
	mcw_buf_append_str(c->reply, "]}");
	return true;
}

static bool
merge_shards(command *c)
{
	sls_shard  *shard = get_shard(c);
	sls_shard  *right;
	sls_shard  *fresh;

	if (shard == NULL)
		return false;
	fresh = shard->readonly ? NULL : sls_merge(c->logstore, shard, &right, emu_now_us());
	if (fresh == NULL)
		return bad(c, "%s", "shard is read-only or the last one");
	mcw_buf_printf(c->reply, "{\"shard\":%d}", fresh->id);
	return true;
}

static bool
set_project(command *c)
{
	mcw_view	status = mcw_node_text(c->node, "status");

	if (!text_is(status, "Normal") && !text_is(status, "Disable"))
		return bad(c, "%s", "status is Normal or Disable");
	sls_replace_text(&c->project->status, status);
	return true;
}

static bool
set_index(command *c)
{
	const mcw_node *index = mcw_node_get(c->node, "index");
	mcw_buf		buf;

	if (index == NULL || index->kind != MCW_NODE_OBJECT)
		return bad(c, "%s", "index is an object as CreateIndex takes it");
	mcw_buf_init(&buf, &mcw_malloc, (size_t) 16 << 20);
	sls_put_node(&buf, index);
	sls_replace_text(&c->logstore->index, mcw_buf_view(&buf));
	c->logstore->index_us = emu_now_us();
	mcw_buf_free(&buf);
	return true;
}

static bool
update_logstore(command *c)
{
	const char *why;

	if (!sls_apply_logstore(c->logstore, c->node, &why))
		return bad(c, "%s", why);
	return true;
}

static bool
drop_logstore(command *c)
{
	sls_drop_logstore(c->project, c->logstore);
	return true;
}

static bool
drop_project(command *c)
{
	sls_drop_project(c->project);
	return true;
}

static bool
generate(command *c)
{
	return sls_generate(c->node, c->logstore, c->reply, c->err);
}

/* Pages of a scan in [from, to) of receive time, or of everything */
static bool
warm_pages(command *c)
{
	mcw_view	coding = mcw_node_text(c->node, "compress");
	int64_t		count = 1000;
	int64_t		from;
	int64_t		to;
	uint64_t	pages = 0;
	bool		has_from = get_time(c->node, "from", &from);
	bool		has_to = get_time(c->node, "to", &to);

	(void) mcw_node_int(c->node, "count", &count);
	if (count < 1 || count > 1000)
		return bad(c, "%s", "count is not in [1-1000]");
	for (int i = 0; i < c->logstore->nshards; i++)
	{
		sls_shard  *s = c->logstore->shards[i];
		int64_t		begin = has_from ? sls_cursor_of(s, sls_find_time(s, from)) : sls_begin_cursor(s);
		int64_t		end = has_to ? sls_cursor_of(s, sls_find_time(s, to)) : INT64_MAX;

		if (!sls_warm(s, begin, end, count, coding.data ? coding : MCW_LIT("lz4"), &pages, c->err))
			return false;
	}
	mcw_buf_printf(c->reply, "{\"pages\":%llu}", (unsigned long long) pages);
	return true;
}

static bool
set_switches(command *c)
{
	int64_t		v;

	(void) get_bool(c->node, "check_time", &sls_conf.check_time);
	(void) get_bool(c->node, "require_index", &sls_conf.require_index);
	(void) get_bool(c->node, "enforce_quota", &sls_conf.enforce_quota);
	(void) get_bool(c->node, "show_meta", &sls_conf.show_meta);
	if (mcw_node_int(c->node, "page_bytes", &v) && v > 0)
		sls_conf.page_bytes = v;
	if (mcw_node_int(c->node, "cache_bytes", &v) && v >= 0)
	{
		sls_conf.cache_bytes = v;
		sls_cache_clear();
	}
	if (mcw_node_int(c->node, "shard_write_bytes", &v) && v > 0)
		sls_conf.shard_write_bytes = v;
	if (mcw_node_int(c->node, "shard_writes", &v) && v > 0)
		sls_conf.shard_writes = v;
	if (mcw_node_int(c->node, "shard_read_bytes", &v) && v > 0)
		sls_conf.shard_read_bytes = v;
	if (mcw_node_int(c->node, "shard_reads", &v) && v > 0)
		sls_conf.shard_reads = v;
	return true;
}

static bool
base_domain(command *c)
{
	mcw_view	name = mcw_node_text(c->node, "name");

	return sls_add_base_domain(name, c->err);
}

static const struct
{
	const char *op;
	int			needs;			/* 1 project, 2 project and logstore */
	bool		(*run) (command *c);
}			commands[] = {
	{"create_project", 0, create_project},
	{"drop_project", 1, drop_project},
	{"set_project", 1, set_project},
	{"create_logstore", 1, create_logstore},
	{"update_logstore", 2, update_logstore},
	{"drop_logstore", 2, drop_logstore},
	{"create_index", 2, set_index},
	{"append_group", 2, append_group},
	{"split", 2, split_shard},
	{"merge", 2, merge_shards},
	{"generate", 2, generate},
	{"warm_pages", 2, warm_pages},
	{"set", 0, set_switches},
	{"base_domain", 0, base_domain}
};

static bool
find_targets(command *c, int needs)
{
	mcw_view	project = mcw_node_text(c->node, "project");
	mcw_view	logstore = mcw_node_text(c->node, "logstore");

	c->project = needs >= 1 && project.data ? sls_find_project(project) : NULL;
	if (needs >= 1 && c->project == NULL)
		return bad(c, "%s", "no such project");
	c->logstore = needs >= 2 && logstore.data ? sls_find_logstore(c->project, logstore) : NULL;
	if (needs >= 2 && c->logstore == NULL)
		return bad(c, "%s", "no such logstore");
	return true;
}

bool
sls_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	command		c = {cmd, reply, err, NULL, NULL};
	mcw_view	op = mcw_node_text(cmd, "op");

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (text_is(op, commands[i].op))
			return find_targets(&c, commands[i].needs) && commands[i].run(&c);
	mcw_fail(err, MCW_ERR_ARGUMENT, "loghub has no op \"%.*s\"", (int) (op.len < 64 ? op.len : 64), op.data ? op.data : "");
	return false;
}
