/*
 * sls_save.c
 *		mc-emulator, Log Service: the whole state in one file, for --data.  JSON lines;
 *		a shard's line is followed by its groups in binary.  Private to one build of
 *		the emulator: little-endian, version in the first line.
 */
#include <stdlib.h>

#include "sls.h"

#define MAGIC "mc-emulator loghub 1\n"

typedef struct group_header
{
	int64_t		cursor;
	int64_t		receive_us;
	int64_t		order_us;
	uint64_t	len;			/* of the LogGroup behind it */
} group_header;

static bool
put_line(FILE *f, mcw_buf *line)
{
	mcw_buf_append_char(line, '\n');
	return !line->failed && fwrite(line->data, 1, line->len, f) == line->len;
}

static bool
save_shard(FILE *f, const sls_shard *s, mcw_buf *line)
{
	char		begin[33];
	char		end[33];

	sls_key_text(s->begin, begin);
	sls_key_text(s->end, end);
	mcw_buf_reset(line);
	mcw_buf_printf(line, "{\"t\":\"shard\",\"id\":%d,\"begin\":\"%s\",\"end\":\"%s\",\"readonly\":%d,\"readonly_us\":%lld,"
				   "\"create_us\":%lld,\"parent0\":%d,\"parent1\":%d,\"next_cursor\":\"%lld\",\"last_us\":%lld,\"groups\":%zu}",
				   s->id, begin, end, s->readonly, (long long) s->readonly_us, (long long) s->create_us, s->parents[0],
				   s->parents[1], (long long) s->next_cursor, (long long) s->last_us, s->ngroups - s->first);
	if (!put_line(f, line))
		return false;
	for (size_t i = s->first; i < s->ngroups; i++)
	{
		const sls_group *g = &s->groups[i];
		group_header h = {g->cursor, g->receive_us, g->order_us, g->len - g->body_at};

		if (fwrite(&h, sizeof(h), 1, f) != 1 || fwrite(g->data + g->body_at, 1, h.len, f) != h.len)
			return false;
	}
	return true;
}

static bool
save_consumer_group(FILE *f, const sls_consumer_group *g, mcw_buf *line)
{
	mcw_buf_reset(line);
	mcw_buf_append_str(line, "{\"t\":\"consumer_group\",\"name\":");
	mcw_json_quote(line, mcw_str(g->name));
	mcw_buf_printf(line, ",\"timeout\":%lld,\"order\":%d,\"points\":[", (long long) g->timeout, g->order);
	for (int i = 0; i < g->npoints; i++)
	{
		mcw_buf_printf(line, "%s{\"shard\":%d,\"update_us\":%lld,\"cursor\":", i ? "," : "", g->points[i].shard, (long long) g->points[i].update_us);
		mcw_json_quote(line, mcw_str(g->points[i].cursor));
		mcw_buf_append_str(line, ",\"consumer\":");
		mcw_json_quote(line, mcw_str(g->points[i].consumer));
		mcw_buf_append_char(line, '}');
	}
	mcw_buf_append_str(line, "]}");
	return put_line(f, line);
}

static bool
save_logstore(FILE *f, const sls_logstore *s, mcw_buf *line)
{
	bool		ok;

	mcw_buf_reset(line);
	mcw_buf_append_str(line, "{\"t\":\"logstore\",\"conf\":");
	sls_logstore_json(s, line);
	mcw_buf_printf(line, ",\"create_us\":%lld,\"modify_us\":%lld,\"next_shard\":%d,\"index_us\":%lld,\"index\":%s}", (long long) s->create_us,
				   (long long) s->modify_us, s->next_shard, (long long) s->index_us, s->index ? s->index : "null");
	ok = put_line(f, line);
	for (int i = 0; ok && i < s->nshards; i++)
		ok = save_shard(f, s->shards[i], line);
	for (const sls_consumer_group *g = s->consumer_groups; ok && g; g = g->next)
		ok = save_consumer_group(f, g, line);
	return ok;
}

bool
sls_save(FILE *f)
{
	mcw_buf		line;
	bool		ok = fputs(MAGIC, f) >= 0;

	mcw_buf_init(&line, &mcw_malloc, (size_t) 64 << 20);
	for (const sls_project *p = sls_projects; ok && p; p = p->next)
	{
		mcw_buf_reset(&line);
		mcw_buf_append_str(&line, "{\"t\":\"project\",\"name\":");
		mcw_json_quote(&line, mcw_str(p->name));
		mcw_buf_append_str(&line, ",\"description\":");
		mcw_json_quote(&line, mcw_str(p->description));
		mcw_buf_append_str(&line, ",\"status\":");
		mcw_json_quote(&line, mcw_str(p->status));
		mcw_buf_printf(&line, ",\"create_us\":%lld,\"modify_us\":%lld}", (long long) p->create_us, (long long) p->modify_us);
		ok = put_line(f, &line);
		for (const sls_logstore *s = p->logstores; ok && s; s = s->next)
			ok = save_logstore(f, s, &line);
	}
	mcw_buf_free(&line);
	return ok;
}

/* ---- reading it back ---- */

typedef struct loader
{
	FILE	   *f;
	mcw_error  *err;
	sls_project *project;
	sls_logstore *store;
} loader;

static int64_t
number(const mcw_node *n, const char *name)
{
	int64_t		v = 0;

	(void) mcw_node_int(n, name, &v);
	return v;
}

static bool
load_groups(loader *l, sls_shard *s, int64_t n)
{
	char	   *body = NULL;
	bool		ok = true;

	for (int64_t i = 0; i < n && ok; i++)
	{
		group_header h;
		sls_group  *g;

		ok = fread(&h, sizeof(h), 1, l->f) == 1 && h.len <= (64 << 20);
		if (!ok)
			break;
		body = emu_realloc(body, h.len);
		ok = fread(body, 1, h.len, l->f) == h.len;
		g = ok ? sls_append(s, (mcw_view) {body, h.len}, h.receive_us, true, l->err) : NULL;
		ok = g != NULL;
		if (g)
		{
			g->cursor = h.cursor;
			g->order_us = h.order_us;
		}
	}
	free(body);
	return ok;
}

static bool
load_shard(loader *l, const mcw_node *n)
{
	unsigned char begin[16];
	unsigned char end[16];
	sls_shard  *s;

	if (l->store == NULL || !sls_parse_key(mcw_node_text(n, "begin"), begin) || !sls_parse_key(mcw_node_text(n, "end"), end))
		return false;
	s = sls_add_shard(l->store, begin, end, number(n, "create_us"));
	s->id = (int) number(n, "id");
	s->readonly = number(n, "readonly") != 0;
	s->readonly_us = number(n, "readonly_us");
	s->parents[0] = (int) number(n, "parent0");
	s->parents[1] = (int) number(n, "parent1");
	if (!load_groups(l, s, number(n, "groups")))
		return false;
	s->next_cursor = number(n, "next_cursor");
	s->last_us = number(n, "last_us");
	return true;
}

static bool
load_logstore(loader *l, const mcw_node *n)
{
	const mcw_node *conf = mcw_node_get(n, "conf");
	const mcw_node *index = mcw_node_get(n, "index");
	const char *why;

	if (l->project == NULL || conf == NULL)
		return false;
	l->store = sls_new_logstore(l->project, mcw_node_text(conf, "logstoreName"), number(n, "create_us"));
	if (!sls_apply_logstore(l->store, conf, &why))
		return false;
	l->store->modify_us = number(n, "modify_us");
	l->store->index_us = number(n, "index_us");
	if (index && index->kind == MCW_NODE_OBJECT)
	{
		mcw_buf		buf;

		mcw_buf_init(&buf, &mcw_malloc, (size_t) 16 << 20);
		sls_put_node(&buf, index);
		sls_replace_text(&l->store->index, mcw_buf_view(&buf));
		mcw_buf_free(&buf);
	}
	return true;
}

static bool
load_consumer_group(loader *l, const mcw_node *n)
{
	const mcw_node *points = mcw_node_get(n, "points");
	sls_consumer_group *g;

	if (l->store == NULL || points == NULL)
		return false;
	g = emu_malloc(sizeof(*g));
	memset(g, 0, sizeof(*g));
	g->name = emu_strdup(mcw_node_text(n, "name"));
	g->timeout = number(n, "timeout");
	g->order = number(n, "order") != 0;
	g->points = emu_malloc((points->nchildren + 1) * sizeof(*g->points));
	for (const mcw_node *p = points->first; p; p = p->next)
	{
		sls_checkpoint *point = &g->points[g->npoints++];

		point->shard = (int) number(p, "shard");
		point->update_us = number(p, "update_us");
		point->cursor = emu_strdup(mcw_node_text(p, "cursor"));
		point->consumer = emu_strdup(mcw_node_text(p, "consumer"));
	}
	g->next = l->store->consumer_groups;
	l->store->consumer_groups = g;
	return true;
}

static bool
load_line(loader *l, const mcw_node *n, int *next_shard)
{
	mcw_view	t = mcw_node_text(n, "t");

	/* shard ids are handed out again from where they had got to */
	if (l->store && *next_shard >= 0)
		l->store->next_shard = *next_shard;
	if (t.data == NULL)
		return false;
	if (mcw_view_eq(t, MCW_LIT("project")))
	{
		l->project = sls_new_project(mcw_node_text(n, "name"), mcw_node_text(n, "description"), number(n, "create_us"));
		l->project->modify_us = number(n, "modify_us");
		sls_replace_text(&l->project->status, mcw_node_text(n, "status"));
		l->store = NULL;
		return true;
	}
	if (mcw_view_eq(t, MCW_LIT("logstore")))
	{
		*next_shard = (int) number(n, "next_shard");
		return load_logstore(l, n);
	}
	if (mcw_view_eq(t, MCW_LIT("shard")))
		return load_shard(l, n);
	if (mcw_view_eq(t, MCW_LIT("consumer_group")))
		return load_consumer_group(l, n);
	return false;
}

bool
sls_load(FILE *f, mcw_error *err)
{
	loader		l = {f, err, NULL, NULL};
	char	   *line = NULL;
	size_t		cap = 0;
	ssize_t		len;
	bool		ok = true;
	int			next_shard = -1;

	len = getline(&line, &cap, f);
	if (len < 0 || strcmp(line, MAGIC) != 0)
	{
		free(line);
		mcw_fail(err, MCW_ERR_FORMAT, "not a state file of this build");
		return false;
	}
	while (ok && (len = getline(&line, &cap, f)) > 0)
	{
		mcw_arena	arena;
		mcw_node   *root = NULL;

		mcw_arena_init(&arena, &mcw_malloc, (size_t) 1 << 30);
		ok = mcw_json_parse((mcw_view) {line, (size_t) len}, &arena, &root, err) == MCW_OK && load_line(&l, root, &next_shard);
		mcw_arena_reset(&arena);
	}
	if (l.store && next_shard >= 0)
		l.store->next_shard = next_shard;
	free(line);
	if (!ok)
		mcw_fail(err, MCW_ERR_FORMAT, "the state file is damaged");
	return ok;
}
