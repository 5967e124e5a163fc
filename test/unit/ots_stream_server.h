/*
 * ots_stream_server.h
 *		A small change stream for unit tests: shards with records in memory behind
 *		net_server.h, with pages, tokens and empty answers as a test wants them.
 */
#ifndef OTS_STREAM_SERVER_H
#define OTS_STREAM_SERVER_H

#include "ots_server.h"

#include "../../src/service/mcs_ots_stream.h"

#define SECOND INT64_C(1000000)
#define MAX_SHARDS 64
#define MAX_RECORDS 4000
#define STREAM "t_1700000000000000"

typedef struct change
{
	int			epoch;
	int64_t		time;
	int			index;			/* in its batch */
	int			key;
	int			serial;			/* over the whole history */
} change;

typedef struct shard
{
	char		id[24];
	char		parent[24];
	char		sibling[24];
	bool		closed;
	bool		expired;		/* not listed any more */
	int			records[MAX_RECORDS];	/* indexes of changes */
	int			n;
} shard;

/* The server's side; what a test sets before it starts and counts it reads after */
typedef struct stream_model
{
	ots_model	base;			/* first member */
	bool		no_stream;
	int			hours;			/* of retention */
	int64_t		created;
	shard		shards[MAX_SHARDS];
	int			nshards;
	change		changes[MAX_RECORDS];
	int			nchanges;
	int			page;			/* records in a page */
	int			list_page;		/* shards in a page of DescribeStream */
	bool		list_again;		/* a page begins with the last shard of the one before */
	bool		list_forever;
	int			rounds;			/* answers of GetShardIterator with a token */
	int			early;			/* records the position lies before the time asked for */
	int			empties;		/* empty pages before the end of a closed shard */
	bool		more_flag;		/* may_more_record is sent, to requests that name the table */
	int			empty_more;		/* empty pages with the flag true before each page */
	bool		same_iterator;	/* pages name the iterator they were read with */
	bool		no_sequence;
	/* seen */
	int			seeks;
	int			seeks_by_time;
	int			pages;
	int			max_active;		/* shards asked for and not yet at their end */
	char		order[4000];	/* shards in the order of their first page */
	bool		asked[MAX_SHARDS];
} stream_model;

typedef struct rig
{
	net_rig		net;
	stream_model *model;
	mcs_ots		ots;
	const mcw_alloc *alloc;
} rig;

/* ---- history ---- */

static inline shard *
add_shard(stream_model *model, const char *id, const char *parent, const char *sibling)
{
	shard	   *s = &model->shards[model->nshards++];

	if (model->nshards > MAX_SHARDS)
		abort();
	(void) snprintf(s->id, sizeof(s->id), "%s", id);
	(void) snprintf(s->parent, sizeof(s->parent), "%s", parent ? parent : "");
	(void) snprintf(s->sibling, sizeof(s->sibling), "%s", sibling ? sibling : "");
	return s;
}

static inline void
add_change(stream_model *model, shard *s, int epoch, int64_t time, int index, int key)
{
	change	   *c = &model->changes[model->nchanges];

	if (model->nchanges == MAX_RECORDS)
		abort();
	*c = (change) {epoch, time, index, key, model->nchanges};
	s->records[s->n++] = model->nchanges++;
}

/* a second of the last hours, as the clock of the test's machine has them */
static inline int64_t
ago(int64_t seconds)
{
	static int64_t start;

	if (start == 0)
		start = mcn_unix_us() / SECOND * SECOND;
	return start - seconds * SECOND;
}

/* ---- answers ---- */

static inline void
put_change(mcw_buf *out, const stream_model *model, const change *c)
{
	size_t		mark = mcw_pb_begin(out, 1);
	mcw_ots_name key = mcw_ots_make_name(MCW_LIT("k"));
	mcw_ots_name column = mcw_ots_make_name(MCW_LIT("serial"));
	mcw_ots_value key_value = mcw_ots_int(c->key);
	mcw_ots_value value = mcw_ots_int(c->serial);
	mcw_ots_writer w;
	mcw_buf		row;

	mcw_buf_init(&row, &mcw_malloc, 10000);
	mcw_ots_begin_row(&w, &row);
	mcw_ots_put_key(&w, &key, &key_value);
	mcw_ots_put_cell(&w, &column, &value, MCW_OTS_PUT, c->time / 1000);
	if (!model->no_sequence)
		mcw_ots_put_sequence(&w, c->epoch, c->time, c->index);
	(void) mcw_ots_end_row(&w);
	mcw_pb_put_uint(out, 1, MCW_OTS_UPDATE_ROW);
	mcw_pb_put_bytes(out, 2, mcw_buf_view(&row));
	mcw_pb_end(out, mark);
	mcw_buf_free(&row);
}

static inline void
list_streams(const stream_model *model, mcw_buf *out)
{
	static const char *const names[] = {"other", OTS_TABLE};

	for (int i = 0; i < (model->no_stream ? 1 : 2); i++)
	{
		size_t		mark = mcw_pb_begin(out, 1);

		mcw_pb_put_bytes(out, 1, i == 0 ? MCW_LIT("o_1") : MCW_LIT(STREAM));
		mcw_pb_put_bytes(out, 2, mcw_str(names[i]));
		mcw_pb_put_uint(out, 3, model->created);
		mcw_pb_end(out, mark);
	}
}

static inline void
describe_stream(const stream_model *model, mcw_view start, mcw_buf *out)
{
	int			page = model->list_page > 0 ? model->list_page : 1000;
	int			i = 0;
	int			sent = 0;
	int			last = -1;

	while (start.len > 0 && i < model->nshards && !mcw_view_eq(mcw_str(model->shards[i].id), start))
		i++;
	mcw_pb_put_bytes(out, 1, MCW_LIT(STREAM));
	mcw_pb_put_uint(out, 2, model->hours);
	mcw_pb_put_bytes(out, 3, MCW_LIT(OTS_TABLE));
	mcw_pb_put_uint(out, 4, model->created);
	mcw_pb_put_uint(out, 5, 2);
	for (; i < model->nshards && sent < page; i++)
	{
		const shard *s = &model->shards[i];
		size_t		mark;

		if (s->expired)
			continue;
		mark = mcw_pb_begin(out, 6);
		mcw_pb_put_bytes(out, 1, mcw_str(s->id));
		if (s->parent[0])
			mcw_pb_put_bytes(out, 2, mcw_str(s->parent));
		if (s->sibling[0])
			mcw_pb_put_bytes(out, 3, mcw_str(s->sibling));
		mcw_pb_end(out, mark);
		sent++;
		last = i;
	}
	if (model->list_forever)
		mcw_pb_put_bytes(out, 7, start.len > 0 ? start : mcw_str(model->shards[0].id));
	else if (i < model->nshards)
		mcw_pb_put_bytes(out, 7, mcw_str(model->shards[model->list_again ? last : i].id));
}

static inline int
find_shard(const stream_model *model, mcw_view id)
{
	for (int i = 0; i < model->nshards; i++)
		if (mcw_view_eq(mcw_str(model->shards[i].id), id))
			return i;
	return -1;
}

/* iterators are "shard.position.empty pages so far" */
static inline int
get_iterator(stream_model *model, mcw_view body, mcw_buf *out)
{
	size_t		pos = 0;
	mcw_pb_field f;
	int			s = -1;
	int64_t		time = -1;
	int			round = 0;
	int			at = 0;
	char		text[60];

	while (mcw_pb_next(body, &pos, &f) == MCW_OK)
	{
		if (f.number == 2)
			s = find_shard(model, f.bytes);
		else if (f.number == 3)
			time = (int64_t) f.number_value;
		else if (f.number == 4)
			round = atoi(f.bytes.data + 1);
	}
	if (s < 0 || model->shards[s].expired)
		return 400;
	model->seeks++;
	model->seeks_by_time += time >= 0;
	if (time >= 0)
	{
		while (at < model->shards[s].n && model->changes[model->shards[s].records[at]].time < time)
			at++;
		at = at > model->early ? at - model->early : 0;
	}
	if (time >= 0 && round < model->rounds)
	{
		(void) snprintf(text, sizeof(text), "r%d", round + 1);
		mcw_pb_put_bytes(out, 1, MCW_LIT("no position"));
		mcw_pb_put_bytes(out, 2, mcw_str(text));
		return 200;
	}
	(void) snprintf(text, sizeof(text), "%d.%d.0", s, at);
	mcw_pb_put_bytes(out, 1, mcw_str(text));
	return 200;
}

static inline int
get_records(stream_model *model, mcw_view body, mcw_buf *out)
{
	size_t		pos = 0;
	mcw_pb_field f;
	int			s = -1;
	int			at = 0;
	int			empty = 0;
	int			sent = 0;
	char		text[60] = "";
	bool		named = false;
	const shard *from;

	while (mcw_pb_next(body, &pos, &f) == MCW_OK)
	{
		if (f.number == 1)
			(void) snprintf(text, sizeof(text), "%.*s", (int) f.bytes.len, f.bytes.data);
		else if (f.number == 3)
			named = true;
	}
	if (sscanf(text, "%d.%d.%d", &s, &at, &empty) != 3 || s < 0 || s >= model->nshards)
		return 400;
	from = &model->shards[s];
	model->pages++;
	if (!model->asked[s])
	{
		model->asked[s] = true;
		strcat(strcat(model->order, from->id), " ");
	}
	if (at < from->n && empty < model->empty_more)
	{
		(void) snprintf(text, sizeof(text), "%d.%d.%d", s, at, empty + 1);
		mcw_pb_put_bytes(out, 2, mcw_str(text));
		if (named)
			mcw_pb_put_uint(out, 4, 1);
		return 200;
	}
	for (; at < from->n && sent < model->page; at++, sent++)
		put_change(out, model, &model->changes[from->records[at]]);
	if (model->more_flag && named)
		mcw_pb_put_uint(out, 4, at < from->n);
	if (at == from->n && from->closed && (sent == 0 || model->empties == 0) && empty >= model->empties)
		return 200;
	if (!model->same_iterator || sent == 0)
		(void) snprintf(text, sizeof(text), "%d.%d.%d", s, at, sent > 0 ? 0 : empty + 1);
	mcw_pb_put_bytes(out, 2, mcw_str(text));
	return 200;
}

static inline int
answer(stream_model *model, const ots_asked *asked, mcw_buf *out)
{
	mcw_view	start = {NULL, 0};
	size_t		pos = 0;
	mcw_pb_field f;
	int			http = 200;

	pthread_mutex_lock(&model->base.lock);
	if (strcmp(asked->operation, "ListStream") == 0)
		list_streams(model, out);
	else if (strcmp(asked->operation, "DescribeStream") == 0)
	{
		while (mcw_pb_next(asked->body, &pos, &f) == MCW_OK)
			if (f.number == 2)
				start = f.bytes;
		describe_stream(model, start, out);
	}
	else if (strcmp(asked->operation, "DescribeTable") == 0)
		ots_describe(&model->base, out);
	else if (strcmp(asked->operation, "GetShardIterator") == 0)
		http = get_iterator(model, asked->body, out);
	else
		http = get_records(model, asked->body, out);
	pthread_mutex_unlock(&model->base.lock);
	if (http != 200)
		ots_put_error(out, "OTSParameterInvalid", "Invalid shard iterator");
	return http;
}

static inline bool
handler(net_conn *c, const char *received, mcw_view body)
{
	stream_model *model = c->server->handler_ctx;
	ots_asked	asked = {.body = body};
	char	   *head = strdup(received);
	const ots_step *step;
	char		path[48];
	mcw_buf		out;
	int			http;
	bool		keep = false;

	ots_parse_head(head, &asked);
	(void) snprintf(path, sizeof(path), "/%s", asked.operation);
	step = ots_next_step(&model->base, &asked);
	mcw_buf_init(&out, &mcw_malloc, (size_t) 64 << 20);
	(void) mcw_buf_grow(&out, 1);
	asked.known = ots_authentic(&model->base, &asked, path);
	if (step->fault == OTS_ERROR)
	{
		http = step->http;
		ots_put_error(&out, step->code, step->message);
	}
	else
		http = answer(model, &asked, &out);
	if (step->fault == OTS_RESET)
		net_reset(c);
	else
		keep = ots_send(c, &model->base, &asked, http, &out, step);
	mcw_buf_free(&out);
	free(head);
	return keep;
}

/* ---- rig ---- */

static inline stream_model *
new_model(void)
{
	stream_model *model = calloc(1, sizeof(*model));

	model->page = 3;
	model->hours = 24;
	model->created = ago(20 * 3600);
	model->base.schema.nkeys = 1;
	model->base.schema.keys[0] = (mcw_ots_key_column) {MCW_LIT("k"), MCW_OTS_INTEGER};
	return model;
}

static inline void
rig_init(rig *r, stream_model *model, const mcw_alloc *alloc)
{
	mcw_credentials cred = {MCW_LIT(OTS_ID), MCW_LIT(OTS_SECRET), MCW_LIT("")};

	memset(r, 0, sizeof(*r));
	r->model = model;
	pthread_mutex_init(&model->base.lock, NULL);
	net_start(&r->net.server, NULL, 0);
	r->net.server.handler_ctx = model;
	r->net.server.handler = handler;
	r->net.loop = net_loop(&r->net.host);
	r->net.options = mcn_default_options;
	r->net.options.max_retries = 2;
	r->net.rules = mcs_ots_retry_rules;
	net_rig_channel(&r->net);
	mcs_ots_init(&r->ots, r->net.loop, r->net.channel, alloc, &cred, MCW_LIT(OTS_INSTANCE), MCW_LIT(""));
}

static inline void
rig_free(rig *r)
{
	net_rig_free(&r->net);
	pthread_mutex_destroy(&r->model->base.lock);
}

/* What a consumer does: serials of the records of the window, in order */
typedef struct taken
{
	int			serial[MAX_RECORDS];
	int			n;
	mcs_ots_stream_info info;
	int64_t		step_us;		/* largest step back of a shard's clock */
	mcw_error	err;
	char		shard[64];		/* of a failure */
	char		iterator[64];
} taken;

static inline mcw_status
take_page(rig *r, mcs_ots_stream_scan *scan, mcs_ots_stream_page *page, taken *t)
{
	const mcs_ots_stream_info *info = mcs_ots_stream_get_info(scan);
	mcw_view	names[] = {MCW_LIT("serial")};
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, names, 1);
	mcw_ots_record record;
	mcw_ots_value value;
	mcw_ots_row row;
	size_t		pos = 0;
	mcw_status	status;

	while ((status = mcw_ots_next_record(&page->records, &pos, &record, &t->err)) == MCW_OK)
	{
		CHECK_OK(mcw_ots_reader_page(reader, record.record, false, &t->err));
		CHECK_OK(mcw_ots_next_row(reader, &row, &value, NULL, &t->err));
		if (row.time_us > *page->newest_us)
			*page->newest_us = row.time_us;
		else if (*page->newest_us - row.time_us > t->step_us)
			t->step_us = *page->newest_us - row.time_us;
		if ((!info->has_begin || row.time_us >= info->begin_us) && row.time_us < info->end_us)
			t->serial[t->n++] = (int) value.i;
	}
	mcw_ots_reader_free(reader);
	return status == MCW_END ? MCW_OK : status;
}

static inline void
spec_init(mcs_ots_stream_spec *spec, int64_t begin, int64_t end)
{
	memset(spec, 0, sizeof(*spec));
	spec->table = MCW_LIT(OTS_TABLE);
	spec->has_begin = begin > 0;
	spec->begin_us = begin;
	spec->has_end = end > 0;
	spec->end_us = end;
	spec->clamp_unsettled = true;
	spec->concurrency = 4;
}

/* One scan to its end; interrupted every 'pause' microseconds if that is not 0, given up after 'patience' times */
static inline mcw_status
run_scan(rig *r, const mcs_ots_stream_spec *spec, int pause, int patience, taken *t)
{
	mcs_ots_stream_page *page = NULL;
	mcs_ots_stream_scan *scan;
	const char *shard_id;
	const char *iterator;
	mcw_status	status;

	memset(t, 0, sizeof(*t));
	scan = mcs_ots_stream_create(&r->ots, spec, &t->err);
	if (scan == NULL)
		return t->err.status;
	for (;;)
	{
		r->net.host.interrupt_at_us = pause > 0 ? mcn_now_us() + pause : 0;
		status = mcs_ots_stream_next(scan, &page, &t->err);
		r->net.host.interrupt_at_us = 0;
		if (status == MCW_ERR_INTERRUPTED)
		{
			if (--patience == 0)
				break;
			if (patience % 8 == 0)
				pause *= 2;
			continue;
		}
		if (status == MCW_OK)
			status = take_page(r, scan, page, t);
		if (status != MCW_OK)
			break;
		mcs_ots_stream_release(scan, page);
	}
	t->info = *mcs_ots_stream_get_info(scan);
	mcs_ots_stream_failed_at(scan, &shard_id, &iterator);
	(void) snprintf(t->shard, sizeof(t->shard), "%s", shard_id);
	(void) snprintf(t->iterator, sizeof(t->iterator), "%s", iterator);
	mcs_ots_stream_free(scan);
	return status;
}

#endif							/* OTS_STREAM_SERVER_H */
