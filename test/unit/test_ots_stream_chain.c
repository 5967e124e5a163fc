/*
 * test_ots_stream_chain.c
 *		Change streams read by position (mcs_ots_stream_chain.c): random histories, window
 *		after window, against a reference; windows that are read again; damage; memory.
 */
#include "ots_stream_history.h"

/* What is remembered of a shard between windows */
typedef struct memory
{
	char		id[24];
	char		iterators[2][64];	/* of begin and end */
	mcs_ots_mark begin;
	mcs_ots_mark end;
	bool		closed;
	bool		fresh;			/* of the last window */
} memory;

typedef struct reader
{
	rig			r;
	stream_model *model;
	unit_random random;
	memory		shards[MAX_SHARDS];
	int			nshards;
	int64_t		begin;
	int64_t		end;
	bool		first;
	mcw_view	stream_id;
	int			serial[MAX_RECORDS];	/* of the records taken, as they came */
	int			n;
	int64_t		late;
	mcw_error	err;
} reader;

/* ---- windows ---- */

static mcw_status
take(reader *c, mcs_ots_stream_page *page)
{
	mcw_view	names[] = {MCW_LIT("serial")};
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, names, 1);
	mcw_ots_record record;
	mcw_ots_value value;
	mcw_ots_row row;
	size_t		pos = 0;
	mcw_status	status;

	for (uint32_t i = 0; (status = mcw_ots_next_record(&page->records, &pos, &record, &c->err)) == MCW_OK; i++)
	{
		if (i < page->first || i >= page->upto)
			continue;
		CHECK_OK(mcw_ots_reader_page(reader, record.record, false, &c->err));
		CHECK_OK(mcw_ots_next_row(reader, &row, &value, NULL, &c->err));
		c->serial[c->n++] = (int) value.i;
	}
	mcw_ots_reader_free(reader);
	return status == MCW_END ? MCW_OK : status;
}

static memory *
remembered(reader *c, const char *id)
{
	for (int i = 0; i < c->nshards; i++)
		if (strcmp(c->shards[i].id, id) == 0)
			return &c->shards[i];
	(void) snprintf(c->shards[c->nshards].id, sizeof(c->shards[0].id), "%s", id);
	return &c->shards[c->nshards++];
}

static mcs_ots_mark
copy_mark(const mcs_ots_mark *mark, char *iterator)
{
	mcs_ots_mark copy = *mark;

	CHECK(mark->iterator.len < 64);
	(void) snprintf(iterator, 64, "%.*s", (int) mark->iterator.len, mark->iterator.len > 0 ? mark->iterator.data : "");
	copy.iterator = mcw_str(iterator);
	return copy;
}

static void
remember(reader *c, const mcs_ots_stream_scan *scan)
{
	mcs_ots_shard_end end;

	for (int i = 0; i < c->nshards; i++)
		c->shards[i].fresh = false;
	for (int i = 0; i < mcs_ots_stream_nshards(scan); i++)
	{
		memory	   *m;

		if (!mcs_ots_stream_shard_end(scan, i, &end))
			continue;
		m = remembered(c, end.shard);
		m->begin = copy_mark(&end.begin, m->iterators[0]);
		m->end = copy_mark(&end.end, m->iterators[1]);
		m->closed = end.closed;
		m->fresh = true;
		c->late += end.late;
	}
}

/* One window; 'again': the last one, by its recorded ends */
static mcw_status
read_chain(reader *c, const mcw_alloc *alloc, bool again)
{
	mcs_ots_link links[MAX_SHARDS];
	mcs_ots_chain chain = {.first = c->first, .has_ends = again, .links = links, .stream_id = c->stream_id};
	mcs_ots_stream_spec spec;
	mcs_ots_stream_scan *scan;
	mcs_ots_stream_page *page;
	mcw_status	status;

	for (int i = 0; i < c->nshards; i++)
	{
		memory	   *m = &c->shards[i];

		if (again && m->fresh)
			links[chain.nlinks++] = (mcs_ots_link) {.id = mcw_str(m->id), .begin = m->begin, .has_end = true,
			.closed = m->closed, .end = m->end};
		else if (!again)
			links[chain.nlinks++] = (mcs_ots_link) {.id = mcw_str(m->id), .done = m->closed, .begin = m->end};
	}
	spec_init(&spec, c->begin, c->end);
	spec.clamp_unsettled = false;
	spec.chain = &chain;
	spec.concurrency = 1 + (int) unit_below(&c->random, 5);
	c->n = 0;
	c->late = 0;
	c->r.ots.alloc = alloc;
	scan = mcs_ots_stream_create(&c->r.ots, &spec, &c->err);
	if (scan == NULL)
		return c->err.status;
	for (;;)
	{
		c->r.net.host.interrupt_at_us = unit_below(&c->random, 4) ? 0 : mcn_now_us() + 300;
		status = mcs_ots_stream_next(scan, &page, &c->err);
		c->r.net.host.interrupt_at_us = 0;
		if (status == MCW_ERR_INTERRUPTED)
			continue;
		if (status == MCW_OK)
			status = take(c, page);
		if (status != MCW_OK)
			break;
		mcs_ots_stream_release(scan, page);
	}
	if (status == MCW_END && !again)
		remember(c, scan);
	mcs_ots_stream_free(scan);
	return status;
}

static void
reader_init(reader *c, stream_model *model, uint64_t seed)
{
	memset(c, 0, sizeof(*c));
	c->model = model;
	c->random = (unit_random) {seed};
	c->first = true;
	rig_init(&c->r, model, &mcw_malloc);
}

/* ---- the reference ---- */

typedef struct reference
{
	int			pos[MAX_SHARDS];
	bool		known[MAX_SHARDS];
	bool		done[MAX_SHARDS];
	int			window[MAX_RECORDS];	/* of a record; 0 = none yet */
	int			late;
} reference;

static int
parent_of(const stream_model *model, const char *id)
{
	return id[0] ? find_shard(model, mcw_str(id)) : -1;
}

/* Parents are made before their children, so one pass is enough */
static int
expect(reference *ref, const stream_model *model, int64_t begin, int64_t end, int window)
{
	bool		taken[MAX_SHARDS] = {false};
	int			n = 0;

	ref->late = 0;
	for (int s = 0; s < model->nshards; s++)
	{
		const shard *of = &model->shards[s];
		int			parents[] = {parent_of(model, of->parent), parent_of(model, of->sibling)};
		bool		leading = window == 1;

		if (ref->done[s] || (parents[0] >= 0 && !ref->done[parents[0]]) || (parents[1] >= 0 && !ref->done[parents[1]]))
			continue;
		for (int p = 0; p < 2; p++)
			taken[s] |= parents[p] >= 0 && taken[parents[p]];
		leading = leading && !taken[s];
		for (; ref->pos[s] < of->n && model->changes[of->records[ref->pos[s]]].time < end; ref->pos[s]++)
		{
			const change *c = &model->changes[of->records[ref->pos[s]]];

			leading = leading && c->time < begin;
			if (leading)
				continue;
			ref->window[c->serial] = window;
			ref->late += c->time < begin;
			taken[s] = true;
			n++;
		}
		ref->done[s] = of->closed && ref->pos[s] == of->n;
		ref->known[s] = true;
	}
	return n;
}

static bool
right(const reader *c, const reference *ref, int window, int n)
{
	int			last[KEYS];
	bool		ok = CHECK_INT(c->n, n);

	memset(last, -1, sizeof(last));
	for (int i = 0; i < c->n; i++)
	{
		const change *one = &c->model->changes[c->serial[i]];

		ok = CHECK_INT(ref->window[one->serial], window) && CHECK(one->serial > last[one->key]) && ok;
		last[one->key] = one->serial;
	}
	return ok;
}

static void
settle(stream_model *model, unit_random *random)
{
	model->page = 1 + (int) unit_below(random, 9);
	model->list_page = (int) unit_below(random, 5);
	model->rounds = (int) unit_below(random, 3);
	model->early = (int) unit_below(random, 4);
	model->empties = (int) unit_below(random, 2);
	model->more_flag = unit_below(random, 2);
	model->empty_more = model->more_flag ? (int) unit_below(random, 2) : 0;
}

static void
tile(uint64_t seed, int64_t reach)
{
	history		h = {.random = {seed * 7919 + 1}, .now = ago(6000), .reach = reach};
	stream_model *model = new_model();
	reference	ref = {0};
	reader		c;

	(void) new_shard(model, &h, NULL, NULL);
	live(model, &h, 100);
	reader_init(&c, model, seed);
	c.end = h.now - 200 * SECOND;
	for (int window = 1; window <= 9; window++)
	{
		int			n;

		live(model, &h, 100);
		settle(model, &h.random);
		c.begin = c.end;
		c.end = h.now - (int64_t) unit_below(&h.random, 90 * SECOND);
		if (c.end <= c.begin)
			c.end = c.begin + 1;
		n = expect(&ref, model, c.begin, c.end, window);
		if (!CHECK_INT(read_chain(&c, &mcw_malloc, false), MCW_END) || !right(&c, &ref, window, n) ||
			!CHECK_INT(c.late, ref.late))
		{
			printf("    seed %d, window %d: %s\n", (int) seed, window, c.err.message);
			break;
		}
		c.stream_id = MCW_LIT(STREAM);
		/* later records and other pages change nothing in what was read */
		live(model, &h, 10);
		settle(model, &h.random);
		if (!CHECK_INT(read_chain(&c, &mcw_malloc, true), MCW_END) || !right(&c, &ref, window, n))
		{
			printf("    seed %d, window %d again: %s\n", (int) seed, window, c.err.message);
			break;
		}
		c.first = false;
		/* what has been read to its end may expire */
		for (int s = 0; s < model->nshards; s++)
			if (ref.done[s] && unit_below(&h.random, 3) == 0)
				model->shards[s].expired = true;
	}
	/* each record from the first window's begin on is in one window, the last ones in none yet */
	for (int s = 0; s < model->nshards; s++)
		for (int i = 1; i < model->shards[s].n; i++)
			CHECK(ref.window[model->shards[s].records[i - 1]] <= ref.window[model->shards[s].records[i]] ||
				  ref.window[model->shards[s].records[i]] == 0);
	rig_free(&c.r);
	free(model);
}

static void
test_tile(void)
{
	for (uint64_t seed = 1; seed <= 8; seed++)
	{
		tile(seed, 0);
		tile(seed + 100, 58);
		tile(seed + 200, 1500);
	}
}

/* ---- damage ---- */

/* One window of a split family is read; pages of two, so that positions lie inside them */
static void
half_read(reader *c, stream_model **model)
{
	history		h = {.random = {77}, .now = ago(6000)};

	*model = new_model();
	(void) new_shard(*model, &h, NULL, NULL);
	split(*model, &h, 0);
	live(*model, &h, 80);
	(*model)->page = 3;
	reader_init(c, *model, 5);
	c->begin = ago(7000);
	c->end = h.now - 100 * SECOND;
	CHECK_INT(read_chain(c, &mcw_malloc, false), MCW_END);
	c->first = false;
	c->stream_id = MCW_LIT(STREAM);
	live(*model, &h, 40);
}

static void
check_lost(const reader *c, bool again, const char *code, const char *shard_id, int line)
{
	static reader copy;

	copy = *c;
	if (!again)
	{
		copy.begin = copy.end;
		copy.end += 60 * SECOND;
	}
	if (!CHECK_INT(read_chain(&copy, &mcw_malloc, again), MCW_ERR_RANGE) || !CHECK_STR(copy.err.code, code))
		printf("    line %d\n", line);
	if (shard_id != NULL)
		CHECK(strstr(copy.err.text, shard_id) != NULL);
}

#define LOST(again) check_lost(&c, again, "PositionLost", NULL, __LINE__)

static void
test_damage(void)
{
	reader		c;
	stream_model *model;
	int			skipping = 0;

	half_read(&c, &model);
	c.stream_id = MCW_LIT("t_1");
	check_lost(&c, false, "StreamChanged", NULL, __LINE__);
	check_lost(&c, true, "StreamChanged", NULL, __LINE__);
	c.stream_id = MCW_LIT(STREAM);
	for (int i = 0; i < c.nshards; i++)
	{
		memory	   *m = &c.shards[i];
		shard	   *s = &model->shards[find_shard(model, mcw_str(m->id))];
		int			at = 0;
		int			n = s->n;

		if (m->closed)
			continue;
		s->expired = true;
		check_lost(&c, false, "PositionLost", m->id, __LINE__);
		s->expired = false;
		while (m->end.has_last && (model->changes[s->records[at]].time != m->end.last.time_us ||
								   model->changes[s->records[at]].index != m->end.last.index))
			at++;
		if (!m->end.has_last)
			continue;
		/* the window's last record is another one */
		model->changes[s->records[at]].index += 1000;
		LOST(true);
		if (m->end.skip > 0)
		{
			skipping++;
			LOST(false);
		}
		model->changes[s->records[at]].index -= 1000;
		/* it is gone, and everything behind it */
		s->n = at;
		LOST(true);
		if (m->end.skip > 0)
			LOST(false);
		s->n = n;
		/* the next one is older than it */
		if (m->end.skip == 0 && at + 1 < n)
		{
			model->changes[s->records[at + 1]].epoch--;
			LOST(false);
			model->changes[s->records[at + 1]].epoch++;
		}
	}
	CHECK(skipping > 0);
	CHECK_INT(read_chain(&c, &mcw_malloc, true), MCW_END);
	rig_free(&c.r);
	free(model);
}

/* ---- memory ---- */

typedef struct torture
{
	reader	   *c;
	bool		again;
	int			n;
} torture;

static mcw_status
attempt(const mcw_alloc *alloc, void *arg)
{
	torture    *t = arg;
	reader		c = *t->c;
	mcw_status	status;

	for (int i = 0; i < c.nshards; i++)
	{
		c.shards[i].begin.iterator = mcw_str(c.shards[i].iterators[0]);
		c.shards[i].end.iterator = mcw_str(c.shards[i].iterators[1]);
	}
	rig_init(&c.r, c.model, alloc);
	c.r.net.options.max_retries = 0;
	net_rig_options(&c.r.net);
	c.r.ots.channel = c.r.net.channel;
	status = read_chain(&c, alloc, t->again);
	if (status == MCW_END)
		CHECK_INT(c.n, t->n);
	rig_free(&c.r);
	return status == MCW_END ? MCW_OK : status;
}

static void
test_memory(void)
{
	reader		c;
	stream_model *model;
	torture		t = {&c};

	half_read(&c, &model);
	t.n = c.n;
	t.again = true;
	unit_torture(attempt, &t);
	c.begin = c.end;
	c.end += 60 * SECOND;
	{
		reader		next = c;

		CHECK_INT(read_chain(&next, &mcw_malloc, false), MCW_END);
		CHECK(next.n > 0);
		t.n = next.n;
	}
	t.again = false;
	unit_torture(attempt, &t);
	rig_free(&c.r);
	free(model);
}

static const unit_case cases[] = {
	{"tile", test_tile},
	{"damage", test_damage},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
