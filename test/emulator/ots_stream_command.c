/*
 * ots_stream_command.c
 *		mc-emulator, Tablestore part: control commands of streams, their share of
 *		GET /__mc/state, and records made in bulk for tests and benchmarks.
 */
#include <stdlib.h>

#include "ots_stream.h"

bool		emu_parse_time(mcw_view v, int64_t *unix_us);

static bool
bad(mcw_error *err, const char *what)
{
	mcw_fail(err, MCW_ERR_ARGUMENT, "%s", what);
	return false;
}

/* Members "instance" (may be left out if there is one) and "table" */
static ots_table *
get_table(const mcw_node *cmd, mcw_error *err)
{
	mcw_view	instance = mcw_node_text(cmd, "instance");
	mcw_view	name = mcw_node_text(cmd, "table");
	ots_table  *t = NULL;

	for (const ots_instance *i = ots_instances; i && t == NULL; i = i->next)
		if (instance.data == NULL || mcw_view_eq(instance, mcw_str(i->name)))
			t = ots_table_find(i, name);
	if (t == NULL)
		bad(err, "no such table");
	else if (ots_stream_of(t) == NULL)
	{
		bad(err, "the table has no stream");
		t = NULL;
	}
	return t;
}

static bool
set_int(const mcw_node *cmd, const char *name, int64_t min, int64_t scale, int64_t *slot, mcw_error *err)
{
	int64_t		v;

	if (mcw_node_get(cmd, name) == NULL)
		return true;
	if (!mcw_node_int(cmd, name, &v) || v < min || v > INT64_C(1) << 40)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "\"%s\" is not a number in range", name);
		return false;
	}
	*slot = v * scale;
	return true;
}

static bool
set(const mcw_node *cmd, mcw_error *err)
{
	ots_stream_settings s = ots_stream_conf;
	const mcw_node *flag = mcw_node_get(cmd, "may_more_record");

	if (!set_int(cmd, "page_records", 1, 1, &s.page_records, err) || !set_int(cmd, "page_bytes", 1, 1, &s.page_bytes, err) ||
		!set_int(cmd, "shard_limit", 1, 1, &s.shard_limit, err) || !set_int(cmd, "iterator_steps", 0, 1, &s.iterator_steps, err) ||
		!set_int(cmd, "seek_early", 0, 1, &s.seek_early, err) || !set_int(cmd, "empty_every", 0, 1, &s.empty_every, err) ||
		!set_int(cmd, "visible_after_ms", 0, 1000, &s.visible_after_us, err) ||
		!set_int(cmd, "enabling_ms", 0, 1000, &s.enabling_us, err))
		return false;
	if (flag && flag->kind != MCW_NODE_BOOL)
		return bad(err, "\"may_more_record\" is not a boolean");
	if (flag)
		s.may_more = flag->boolean;
	ots_stream_conf = s;
	return true;
}

/* The shards a command means: number "shard" in the order of DescribeStream, or all open ones */
static bool
step_epoch(const mcw_node *cmd, mcw_error *err)
{
	ots_table  *t = get_table(cmd, err);
	ots_stream *stream;
	int64_t		only = -1;
	int64_t		ms = 0;

	if (t == NULL)
		return false;
	stream = ots_stream_of(t);
	if ((mcw_node_get(cmd, "shard") && !mcw_node_int(cmd, "shard", &only)) || only >= (int64_t) stream->nshards)
		return bad(err, "no such shard");
	if (mcw_node_get(cmd, "skew_ms") && !mcw_node_int(cmd, "skew_ms", &ms))
		return bad(err, "\"skew_ms\" is not a number");
	for (size_t i = 0; i < stream->nshards; i++)
	{
		ots_shard  *shard = stream->shards[i];

		if (shard->closed || (only >= 0 && only != (int64_t) i))
			continue;
		shard->epoch++;
		shard->skew_us = ms * 1000;
		shard->last_us = 0;
		shard->last_index = -1;
	}
	return true;
}

static void
shard_json(const ots_shard *s, mcw_buf *out)
{
	mcw_buf_printf(out, "{\"id\":\"%s\",\"parent\":\"%s\",\"sibling\":\"%s\",\"closed\":%s,\"first\":%lld,\"next\":%lld,\"epoch\":%d,"
				   "\"created_us\":%lld,\"closed_us\":%lld}", s->id, s->parent, s->sibling, s->closed ? "true" : "false",
				   (long long) s->first, (long long) s->next, s->epoch, (long long) s->created_us, (long long) s->closed_us);
}

static bool
list_shards(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	ots_table  *t = get_table(cmd, err);
	const ots_stream *stream;

	if (t == NULL)
		return false;
	stream = ots_stream_of(t);
	mcw_buf_append_str(reply, "{\"stream_id\":");
	mcw_json_quote(reply, mcw_str(t->stream.id));
	mcw_buf_append_str(reply, ",\"shards\":[");
	for (size_t i = 0; i < stream->nshards; i++)
	{
		if (i > 0)
			mcw_buf_append_char(reply, ',');
		shard_json(stream->shards[i], reply);
	}
	mcw_buf_append_str(reply, "]}");
	return true;
}

/* ---- records in bulk ---- */

typedef struct generator
{
	ots_table  *table;
	int64_t		records;
	int64_t		keys;			/* distinct keys; record i is of key i % keys */
	int64_t		from_us;
	int64_t		to_us;
	int64_t		columns;		/* of a put: c0 INTEGER, c1 STRING, c2 DOUBLE, c3 INTEGER, ... */
	bool		mixed;			/* else only puts */
} generator;

static mcw_ots_value
key_value(mcw_ots_type type, int64_t k, char text[32])
{
	if (type == MCW_OTS_INTEGER)
		return mcw_ots_int(k);
	snprintf(text, 32, "%010lld", (long long) k);
	return mcw_ots_bytes(type, mcw_str(text));
}

static void
put_column(ots_plain *p, int64_t i, int64_t column, int64_t version)
{
	char		name[32];
	char		text[32];
	mcw_ots_value v;

	snprintf(name, sizeof(name), "c%lld", (long long) column);
	if (column % 3 == 0)
		v = mcw_ots_int(i);
	else if (column % 3 == 1)
	{
		snprintf(text, sizeof(text), "value-%lld", (long long) i);
		v = mcw_ots_bytes(MCW_OTS_STRING, mcw_str(text));
	}
	else
	{
		v.type = MCW_OTS_DOUBLE;
		v.d = (double) i / 8;
	}
	ots_plain_cell(p, mcw_str(name), &v, 0, version);
}

/*
 * Record i: a put of all columns; in the mixed kind records 7 of each ten update c0 and
 * delete c1, 8 delete one version of c2, 9 delete the row.
 */
static int
build_record(const generator *g, int64_t i, int64_t time_us, const mcw_ots_key *key, mcw_buf *out)
{
	int			tenth = g->mixed ? (int) (i % 10) : 0;
	int64_t		version = time_us / 1000;
	ots_plain	p;

	mcw_buf_reset(out);
	ots_plain_header(out);
	ots_plain_begin(&p, out);
	for (int k = 0; k < key->n; k++)
		ots_plain_key(&p, g->table->schema.keys[k].name, &key->v[k]);
	if (tenth == 7)
	{
		put_column(&p, i, 0, version);
		if (g->columns > 1)
			ots_plain_cell(&p, MCW_LIT("c1"), NULL, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP);
	}
	else if (tenth == 8)
		ots_plain_cell(&p, MCW_LIT("c2"), NULL, MCW_OTS_DELETE_ONE, version - 1);
	else if (tenth != 9)
		for (int64_t c = 0; c < g->columns; c++)
			put_column(&p, i, c, version);
	if (tenth == 9)
		mcw_buf_append_char(out, 0x08);	/* delete marker */
	ots_plain_sequence(&p, 0, time_us, 0);
	ots_plain_end(&p, tenth == 9);
	return tenth == 9 ? 3 : tenth >= 7 ? 2 : 1;
}

static void
run_generator(const generator *g)
{
	ots_stream *stream = ots_stream_of(g->table);
	char		text[MCW_OTS_MAX_KEYS][32];
	mcw_ots_key key = {.n = g->table->schema.nkeys};
	mcw_buf		sort;
	mcw_buf		record;
	int64_t		span = g->to_us - g->from_us;

	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	mcw_buf_init(&record, &mcw_malloc, 1 << 24);
	for (int64_t i = 0; i < g->records; i++)
	{
		int64_t		time_us = g->from_us + (int64_t) ((__int128) span * i / g->records);
		const ots_partition *part;
		int			action;

		for (int k = 0; k < key.n; k++)
			key.v[k] = key_value(g->table->schema.keys[k].type, i % g->keys, text[k]);
		mcw_buf_reset(&sort);
		ots_sort_key(&sort, key.v, key.n);
		part = ots_table_partition(g->table, mcw_buf_view(&sort));
		action = build_record(g, i, time_us, &key, &record);
		for (size_t s = 0; s < stream->nshards; s++)
			if (stream->shards[s]->part == part->id && !stream->shards[s]->closed)
				ots_shard_append(stream->shards[s], action, mcw_buf_view(&record), (mcw_view) {NULL, 0}, time_us, 0, time_us);
	}
	mcw_buf_free(&sort);
	mcw_buf_free(&record);
}

static bool
generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	generator	g = {.table = get_table(cmd, err), .to_us = emu_now_us(), .columns = 3};
	mcw_view	profile = mcw_node_text(cmd, "profile");

	if (g.table == NULL)
		return false;
	g.from_us = g.to_us - OTS_HOUR_US;
	if (!mcw_node_int(cmd, "records", &g.records) || g.records < 0)
		return bad(err, "\"records\" is not a number");
	g.keys = g.records;
	if (!set_int(cmd, "keys", 1, 1, &g.keys, err) || !set_int(cmd, "columns", 1, 1, &g.columns, err))
		return false;
	if (g.columns > 1024)
		return bad(err, "at most 1024 columns");
	if ((mcw_node_get(cmd, "from") && !emu_parse_time(mcw_node_text(cmd, "from"), &g.from_us)) ||
		(mcw_node_get(cmd, "to") && !emu_parse_time(mcw_node_text(cmd, "to"), &g.to_us)) || g.from_us > g.to_us)
		return bad(err, "\"from\" and \"to\" are not times in order");
	if (profile.data && !mcw_view_eq(profile, MCW_LIT("put")) && !mcw_view_eq(profile, MCW_LIT("mixed")))
		return bad(err, "\"profile\" is put or mixed");
	g.mixed = profile.data && mcw_view_eq(profile, MCW_LIT("mixed"));
	run_generator(&g);
	mcw_buf_printf(reply, "{\"records\":%lld,\"from_us\":%lld,\"to_us\":%lld}", (long long) g.records, (long long) g.from_us,
				   (long long) g.to_us);
	return true;
}

bool
ots_stream_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err, bool *known)
{
	mcw_view	op = mcw_node_text(cmd, "op");

	*known = true;
	if (mcw_view_eq(op, MCW_LIT("stream_set")))
		return set(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("stream_epoch")))
		return step_epoch(cmd, err);
	if (mcw_view_eq(op, MCW_LIT("stream_shards")))
		return list_shards(cmd, reply, err);
	if (mcw_view_eq(op, MCW_LIT("stream_generate")))
		return generate(cmd, reply, err);
	return ots_tunnel_command(cmd, reply, err, known);
}

void
ots_stream_state(mcw_buf *reply)
{
	bool		any = false;

	mcw_buf_append_str(reply, ",\"streams\":[");
	for (const ots_instance *inst = ots_instances; inst; inst = inst->next)
		for (int i = 0; i < inst->ntables; i++)
		{
			const ots_stream *stream = ots_stream_of(inst->tables[i]);
			uint64_t	records = 0;
			uint64_t	bytes = 0;

			if (stream == NULL)
				continue;
			for (size_t s = 0; s < stream->nshards; s++)
			{
				records += (uint64_t) (stream->shards[s]->next - stream->shards[s]->first);
				for (size_t c = 0; c < stream->shards[s]->nchunks; c++)
					bytes += stream->shards[s]->chunks[c]->len;
			}
			mcw_buf_append_str(reply, any ? ",{\"table\":" : "{\"table\":");
			mcw_json_quote(reply, mcw_str(inst->tables[i]->name));
			mcw_buf_append_str(reply, ",\"stream_id\":");
			mcw_json_quote(reply, mcw_str(inst->tables[i]->stream.id));
			mcw_buf_printf(reply, ",\"shards\":%zu,\"records\":%llu,\"bytes\":%llu}", stream->nshards, (unsigned long long) records,
						   (unsigned long long) bytes);
			any = true;
		}
	mcw_buf_append_char(reply, ']');
	ots_tunnel_state(reply);
}
