/*
 * odps_command.c
 *		mc-emulator, MaxCompute part: control and seed commands, and the state document.
 *
 * Commands: create_project, sql, dump, checksum, sessions, commits, set, generate
 * (odps_generate.c).  A table is named by "project" and "table", optionally
 * "schema" and "partition".  Reference: docs/emulator.md.
 */
#include "odps.h"

#include <stdlib.h>

static bool
bad(mcw_error *err, const char *what, mcw_view name)
{
	mcw_fail(err, MCW_ERR_ARGUMENT, "%s: %.*s", what, (int) name.len, name.data ? name.data : "");
	return false;
}

static bool
command_project(const mcw_node *cmd, odps_project **project, mcw_error *err)
{
	mcw_view	name = mcw_node_text(cmd, "project");

	*project = odps_project_find(name.len ? name : MCW_LIT("test_project"));
	return *project || bad(err, "no such project", name);
}

bool
odps_command_table(const mcw_node *cmd, odps_table **table, mcw_error *err)
{
	mcw_view	schema = mcw_node_text(cmd, "schema");
	mcw_view	name = mcw_node_text(cmd, "table");
	odps_project *project;
	odps_namespace *ns;

	if (!command_project(cmd, &project, err))
		return false;
	ns = odps_namespace_find(project, schema.len ? schema : MCW_LIT("default"));
	*table = ns ? odps_table_find(ns, name) : NULL;
	return *table || bad(err, "no such table", name);
}

/* ---- simple ones ---- */

static bool
create_project(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	name = mcw_node_text(cmd, "project");
	const mcw_node *tier = mcw_node_get(cmd, "three_tier");
	odps_project *p;

	(void) reply;
	if (name.len == 0)
		name = mcw_node_text(cmd, "name");
	if (name.len == 0)
		return bad(err, "member \"project\" is missing", name);
	p = odps_project_find(name);
	if (!p)
		p = odps_project_create(name, emu_now_us() / ODPS_SECOND);
	p->three_tier = tier && tier->boolean;
	return true;
}

static bool
run_sql(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	schema = mcw_node_text(cmd, "schema");
	odps_sql_env env = {0};
	odps_result result;
	bool		ok;

	if (!command_project(cmd, &env.project, err))
		return false;
	env.default_schema = schema.len ? schema : MCW_LIT("default");
	env.namespaces = env.project->three_tier;
	env.odps2 = true;
	env.now = emu_now_us() / ODPS_SECOND;
	odps_sql_run(&env, mcw_node_text(cmd, "sql"), &result);
	if (result.failed)
		mcw_fail(err, MCW_ERR_SERVICE, "%s", mcw_buf_cstr(&result.text));
	else
	{
		(void) mcw_buf_append_str(reply, "{\"result\":");
		(void) mcw_json_quote(reply, mcw_buf_view(&result.text));
		(void) mcw_buf_append_char(reply, '}');
	}
	ok = !result.failed;
	odps_result_free(&result);
	return ok;
}

static bool
set_options(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	(void) reply;
	for (const mcw_node *m = cmd->first; m; m = m->next)
	{
		int64_t		n = 0;
		bool		number = m->kind == MCW_NODE_NUMBER && mcw_view_int64(m->text, &n);

		if (mcw_view_eq(m->name, MCW_LIT("op")) || mcw_view_eq(m->name, MCW_LIT("service")))
			continue;
		if (mcw_view_eq(m->name, MCW_LIT("instance_ms")) && number && n >= 0)
			odps_set.instance_us = n * 1000;
		else if (mcw_view_eq(m->name, MCW_LIT("apply_later_ms")) && number && n >= 0)
			odps_set.apply_later_us = n * 1000;
		else if (mcw_view_eq(m->name, MCW_LIT("stuck_ms")) && number)
			odps_set.stuck_us = n < 0 ? -1 : n * 1000;
		else if (mcw_view_eq(m->name, MCW_LIT("session_seconds")) && number && n > 0)
			odps_set.session_us = n * ODPS_SECOND;
		else if (mcw_view_eq(m->name, MCW_LIT("page_size")) && number && n > 0 && n <= 100000)
			odps_set.page_size = (int) n;
		else if (mcw_view_eq(m->name, MCW_LIT("result_rows")) && number && n > 0 && n <= 1000000)
			odps_set.result_rows = (int) n;
		else if (mcw_view_eq(m->name, MCW_LIT("cache_mb")) && number && n >= 0 && n <= 1 << 20)
			odps_set.cache_bytes = (size_t) n << 20;
		else if (mcw_view_eq(m->name, MCW_LIT("rates")) && m->kind == MCW_NODE_BOOL)
			odps_set.rates = m->boolean;
		else if (mcw_view_eq(m->name, MCW_LIT("modified_check")) && m->kind == MCW_NODE_BOOL)
			odps_set.modified_check = m->boolean;
		else if (mcw_view_eq(m->name, MCW_LIT("async_sessions")) && m->kind == MCW_NODE_BOOL)
			odps_set.async_sessions = m->boolean;
		else if (mcw_view_eq(m->name, MCW_LIT("public_endpoint")) && m->kind == MCW_NODE_STRING &&
				 m->text.len < sizeof(odps_set.public_endpoint))
			snprintf(odps_set.public_endpoint, sizeof(odps_set.public_endpoint), "%.*s", (int) m->text.len, m->text.data);
		else
			return bad(err, "unknown option or bad value", m->name);
	}
	return true;
}

/* ---- looking at data ---- */

/* The partitions a command means: the one of "partition", or all */
static bool
selected(const mcw_node *cmd, odps_table *table, mcw_arena *arena, mcw_view *values, mcw_error *err)
{
	mcw_view	spec = mcw_node_text(cmd, "partition");

	return odps_spec_parse(table->schema, spec.data ? spec : MCW_LIT(""), arena, values, err);
}

static bool
fits(const odps_table *t, const odps_partition *part, const mcw_view *values)
{
	for (int i = 0; i < t->schema->nkeys; i++)
		if (values[i].data && !mcw_view_eq(values[i], mcw_str(part->values[i])))
			return false;
	return true;
}

typedef struct dump
{
	const odps_table *table;
	const odps_partition *part;
	mcw_buf    *out;
	int64_t		left;
	bool		first;
	bool		complete;
} dump;

/* One row: data columns, then partition columns as text */
static bool
dump_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	dump	   *d = ctx;
	const odps_schema *s = d->table->schema;

	(void) seg;
	(void) record;
	if (d->left-- <= 0)
	{
		d->complete = false;
		return false;
	}
	(void) mcw_buf_append_str(d->out, d->first ? "[" : ",\n[");
	d->first = false;
	for (int i = 0; i < s->ncolumns; i++)
	{
		if (i)
			(void) mcw_buf_append_char(d->out, ',');
		if (values[i].is_null)
			(void) mcw_buf_append_str(d->out, "null");
		else
			odps_value_json(d->out, s->types[i], &values[i]);
	}
	for (int i = 0; i < s->nkeys; i++)
	{
		if (i || s->ncolumns)
			(void) mcw_buf_append_char(d->out, ',');
		(void) mcw_json_quote(d->out, mcw_str(d->part->values[i]));
	}
	(void) mcw_buf_append_char(d->out, ']');
	return true;
}

static bool
dump_table(const mcw_node *cmd, mcw_buf *reply, mcw_arena *arena, mcw_error *err)
{
	mcw_view	values[ODPS_MAX_KEYS];
	odps_table *table;
	dump		d = {0};

	if (!odps_command_table(cmd, &table, err) || !selected(cmd, table, arena, values, err))
		return false;
	d.table = table;
	d.out = reply;
	d.first = d.complete = true;
	if (!mcw_node_int(cmd, "limit", &d.left))
		d.left = 10000;
	(void) mcw_buf_append_str(reply, "{\"columns\":[");
	for (int i = 0; i < table->schema->ncolumns + table->schema->nkeys; i++)
	{
		const odps_column *c = i < table->schema->ncolumns ? &table->schema->columns[i] :
			&table->schema->keys[i - table->schema->ncolumns];

		(void) mcw_buf_append_str(reply, i ? ",{" : "{");
		odps_json_member(reply, "name", mcw_str(c->name));
		(void) mcw_buf_append_str(reply, "\"type\":");
		(void) mcw_json_quote(reply, mcw_str(c->type_text));
		(void) mcw_buf_append_char(reply, '}');
	}
	(void) mcw_buf_append_str(reply, "],\"rows\":[");
	for (int i = 0; i < table->nparts && d.complete; i++)
	{
		d.part = table->parts[i];
		if (fits(table, d.part, values) &&
			odps_content_walk(table->schema, d.part->content, dump_row, &d, err) != MCW_OK)
			return false;
	}
	(void) mcw_buf_printf(reply, "],\"complete\":%s}", d.complete ? "true" : "false");
	return true;
}

/*
 * Independent of the order of rows: count, sum and xor of the CRCs of the records.
 * With it goes the size of the streams, which the writer's choice of encoding may
 * change.
 */
static bool
checksum_table(const mcw_node *cmd, mcw_buf *reply, mcw_arena *arena, mcw_error *err)
{
	mcw_view	values[ODPS_MAX_KEYS];
	odps_table *table;
	uint64_t	total = 0;
	uint64_t	total_sum = 0;
	uint32_t	total_xor = 0;
	bool		first = true;

	if (!odps_command_table(cmd, &table, err) || !selected(cmd, table, arena, values, err))
		return false;
	(void) mcw_buf_append_str(reply, "{\"partitions\":[");
	for (int p = 0; p < table->nparts; p++)
	{
		const odps_content *c = table->parts[p]->content;
		uint64_t	sum = 0;
		uint32_t	all = 0;
		mcw_buf		spec;

		if (!fits(table, table->parts[p], values))
			continue;
		for (int s = 0; s < c->nsegments; s++)
			for (uint32_t r = 0; r < c->segments[s]->nrecords; r++)
			{
				sum += c->segments[s]->crcs[r];
				all ^= c->segments[s]->crcs[r];
			}
		mcw_buf_init(&spec, &mcw_malloc, 1 << 16);
		odps_spec_text(&spec, table->schema, table->parts[p]->values, '/');
		(void) mcw_buf_append_str(reply, first ? "{" : ",{");
		odps_json_member(reply, "spec", mcw_buf_view(&spec));
		mcw_buf_free(&spec);
		(void) mcw_buf_printf(reply, "\"count\":%llu,\"sum\":\"%llu\",\"xor\":%u,\"bytes\":%llu,\"segments\":%d}",
							  (unsigned long long) c->nrecords, (unsigned long long) sum, all,
							  (unsigned long long) c->bytes, c->nsegments);
		first = false;
		total += c->nrecords;
		total_sum += sum;
		total_xor ^= all;
	}
	(void) mcw_buf_printf(reply, "],\"count\":%llu,\"sum\":\"%llu\",\"xor\":%u}", (unsigned long long) total,
						  (unsigned long long) total_sum, total_xor);
	return true;
}

/* ---- sessions and commits ---- */

static bool
list_sessions(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	static const char *const kinds[] = {"download", "upload", "stream", "upsert"};
	bool		first = true;

	(void) cmd;
	(void) err;
	(void) mcw_buf_append_char(reply, '[');
	for (const odps_session *s = odps_sessions; s; s = s->next)
	{
		uint64_t	rows = 0;
		mcw_buf		spec;

		for (int i = 0; i < s->nblocks; i++)
			rows += s->blocks[i].rows;
		mcw_buf_init(&spec, &mcw_malloc, 1 << 16);
		if (s->values)
			odps_spec_text(&spec, s->schema, s->values, '/');
		(void) mcw_buf_printf(reply, "%s{\"id\":\"%s\",\"kind\":\"%s\",\"status\":\"%s\",\"table\":\"%s\",", first ? "" : ",",
							  s->id, kinds[s->kind], odps_status_name(s->status), s->table ? s->table->name : "");
		odps_json_member(reply, "partition", mcw_buf_view(&spec));
		(void) mcw_buf_printf(reply, "\"overwrite\":%s,\"blocks\":%d,\"rows\":%llu,\"created\":%lld}",
							  s->overwrite ? "true" : "false", s->nblocks,
							  (unsigned long long) (s->content ? s->content->nrecords : rows),
							  (long long) (s->created_us / ODPS_SECOND));
		mcw_buf_free(&spec);
		first = false;
	}
	(void) mcw_buf_append_char(reply, ']');
	return true;
}

static bool
list_commits(mcw_buf *reply)
{
	(void) mcw_buf_append_char(reply, '[');
	for (int i = 0; i < odps_ncommits; i++)
	{
		const odps_commit *c = &odps_commits[i];

		(void) mcw_buf_printf(reply, "%s{\"at_us\":%lld,\"request\":%llu,\"session\":\"%s\",", i ? "," : "",
							  (long long) c->at_us, (unsigned long long) c->request, c->session);
		odps_json_member(reply, "table", mcw_str(c->table));
		odps_json_member(reply, "partition", mcw_str(c->spec));
		(void) mcw_buf_printf(reply, "\"overwrite\":%s,\"partial\":%s,\"rows\":%llu}", c->overwrite ? "true" : "false",
							  c->partial ? "true" : "false", (unsigned long long) c->rows);
	}
	(void) mcw_buf_append_char(reply, ']');
	return true;
}

static bool
with_arena(bool (*fn) (const mcw_node *, mcw_buf *, mcw_arena *, mcw_error *),
		   const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_arena	arena;
	bool		ok;

	mcw_arena_init(&arena, &mcw_malloc, (size_t) 64 << 20);
	ok = fn(cmd, reply, &arena, err);
	mcw_arena_reset(&arena);
	return ok;
}

bool
odps_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_view	op = mcw_node_text(cmd, "op");

	if (mcw_view_eq(op, MCW_LIT("create_project")))
		return create_project(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("sql")))
		return run_sql(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("set")))
		return set_options(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("dump")))
		return with_arena(dump_table, cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("checksum")))
		return with_arena(checksum_table, cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("sessions")))
		return list_sessions(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("commits")))
		return list_commits(reply);
	if (mcw_view_eq(op, MCW_LIT("generate")))
		return odps_generate(cmd, reply, err);
	return bad(err, "unknown command of maxcompute", op);
}

void
odps_state(mcw_buf *b)
{
	const odps_counters *c = &odps_count;
	int			tables = 0;
	uint64_t	rows = 0;
	uint64_t	bytes = 0;
	int			sessions = 0;

	for (odps_project *p = odps_projects; p; p = p->next)
		for (int n = 0; n < p->nspaces; n++)
			for (int t = 0; t < p->spaces[n]->ntables; t++, tables++)
				for (int i = 0; i < p->spaces[n]->tables[t]->nparts; i++)
				{
					rows += p->spaces[n]->tables[t]->parts[i]->content->nrecords;
					bytes += p->spaces[n]->tables[t]->parts[i]->content->bytes;
				}
	for (const odps_session *s = odps_sessions; s; s = s->next)
		sessions++;
	(void) mcw_buf_printf(b, "{\"tables\":%d,\"rows\":%llu,\"bytes\":%llu,\"sessions\":%d,\"requests\":%llu,"
						  "\"auth_failures\":%llu,\"downloads\":%llu,\"uploads\":%llu,\"blocks\":%llu,\"commits\":%llu,",
						  tables, (unsigned long long) rows, (unsigned long long) bytes, sessions,
						  (unsigned long long) c->requests, (unsigned long long) c->auth_failures,
						  (unsigned long long) c->downloads, (unsigned long long) c->uploads,
						  (unsigned long long) c->blocks, (unsigned long long) c->commits);
	(void) mcw_buf_printf(b, "\"bytes_in\":%llu,\"bytes_out\":%llu,\"rows_in\":%llu,\"rows_out\":%llu,\"throttled\":%llu,"
						  "\"cache_hits\":%llu,\"cache_misses\":%llu,\"cache_bytes\":%zu,\"instances\":",
						  (unsigned long long) c->bytes_in, (unsigned long long) c->bytes_out,
						  (unsigned long long) c->rows_in, (unsigned long long) c->rows_out,
						  (unsigned long long) c->throttled, (unsigned long long) c->cache_hits,
						  (unsigned long long) c->cache_misses, odps_cache_used());
	odps_instance_state(b);
	(void) mcw_buf_append_char(b, '}');
}
