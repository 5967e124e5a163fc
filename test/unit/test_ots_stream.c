/*
 * test_ots_stream.c
 *		Reading windows of a change stream: the list of shards, parents and children,
 *		iterators, pages, the ends, and that windows tile under random histories.
 */
#include "ots_stream_history.h"

static mcw_status
read_window(stream_model *model, int64_t begin, int64_t end, taken *t)
{
	mcs_ots_stream_spec spec;
	rig			r;
	mcw_status	status;

	spec_init(&spec, begin, end);
	rig_init(&r, model, &mcw_malloc);
	status = run_scan(&r, &spec, 0, 0, t);
	if (status != MCW_END && status != t->err.status)
		CHECK_INT(status, t->err.status);
	rig_free(&r);
	return status;
}

/* ten changes in one open shard, a minute apart, the first two hours ago; the third has a twin in its batch */
static stream_model *
simple_model(void)
{
	stream_model *model = new_model();
	shard	   *s = add_shard(model, "s1", NULL, NULL);

	for (int i = 0; i < 10; i++)
	{
		add_change(model, s, 1, ago(7200 - 60 * i), 0, i % 3);
		if (i == 2)
			add_change(model, s, 1, ago(7200 - 60 * i), 1, i % 3);
	}
	return model;
}

static void
check_taken(const taken *t, int first, int n)
{
	CHECK_INT(t->n, n);
	for (int i = 0; i < t->n; i++)
		CHECK_INT(t->serial[i], first + i);
}

/* ---- cases ---- */

static void
test_window(void)
{
	stream_model *model = simple_model();
	taken		t;

	/* everything */
	CHECK_INT(read_window(model, 0, 0, &t), MCW_END);
	check_taken(&t, 0, 11);
	CHECK_STR(t.info.stream_id, STREAM);
	CHECK_INT(t.info.shards, 1);
	CHECK_INT(t.info.records, 11);
	CHECK_INT(t.info.pages, 5);
	CHECK_INT(t.info.empty_pages, 1);
	CHECK(!t.info.end_clamped && t.info.has_end);
	CHECK_INT(t.info.end_us, t.info.service_now_us - MCS_OTS_STREAM_LAG * SECOND);
	CHECK_INT(model->seeks_by_time, 0);
	/* both bounds are those of a record; the twins stay together */
	CHECK_INT(read_window(model, ago(7200 - 120), ago(7200 - 180), &t), MCW_END);
	check_taken(&t, 2, 2);
	CHECK_INT(model->seeks_by_time, 1);
	/* to the microsecond */
	CHECK_INT(read_window(model, ago(7200 - 120) + 1, ago(7200 - 180) + 1, &t), MCW_END);
	check_taken(&t, 4, 1);
	CHECK_INT(read_window(model, ago(7000), ago(6000), &t), MCW_END);
	check_taken(&t, 5, 6);
	/* before the first, behind the last */
	CHECK_INT(read_window(model, ago(9000), ago(8000), &t), MCW_END);
	check_taken(&t, 0, 0);
	CHECK_INT(read_window(model, ago(3000), ago(2000), &t), MCW_END);
	check_taken(&t, 0, 0);
	free(model);
}

/* Far behind the window nothing is read */
static void
test_stops(void)
{
	stream_model *model = new_model();
	shard	   *s = add_shard(model, "s1", NULL, NULL);
	taken		t;

	for (int i = 0; i < 600; i++)
		add_change(model, s, 1, ago(7200 - 10 * i), 0, i);
	CHECK_INT(read_window(model, ago(7200), ago(7100), &t), MCW_END);
	check_taken(&t, 0, 10);
	/* 16 records to the end of the slack, one more that is behind it, one page asked for meanwhile */
	CHECK(t.info.pages <= 8);
	model->early = 7;
	CHECK_INT(read_window(model, ago(6000), ago(5900), &t), MCW_END);
	check_taken(&t, 120, 10);
	model->rounds = 4;
	CHECK_INT(read_window(model, ago(6000), ago(5900), &t), MCW_END);
	check_taken(&t, 120, 10);
	free(model);
}

static void
test_list(void)
{
	stream_model *model = new_model();
	mcs_ots_stream_state state;
	mcw_arena	arena;
	mcw_error	err;
	rig			r;

	for (int i = 0; i < 25; i++)
	{
		char		id[24];

		(void) snprintf(id, sizeof(id), "s%02d", (i * 7) % 25);
		(void) add_shard(model, id, i > 3 ? "s21" : NULL, i > 10 ? "gone" : NULL);
	}
	for (int kind = 0; kind < 3; kind++)
	{
		model->list_page = kind == 0 ? 0 : 4;
		model->list_again = kind == 2;
		rig_init(&r, model, &mcw_malloc);
		mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
		CHECK_OK(mcs_ots_stream_get_state(&r.ots, MCW_LIT(OTS_TABLE), &arena, &state, &err));
		CHECK_INT(state.stream.nshards, 25);
		CHECK_VIEW(state.stream.shards[0].id, MCW_LIT("s00"));
		CHECK_VIEW(state.stream.shards[24].id, MCW_LIT("s24"));
		CHECK_VIEW(state.stream.shards[24].parent, MCW_LIT("s21"));
		CHECK_VIEW(state.stream.shards[9].sibling, MCW_LIT("gone"));
		CHECK_INT(state.stream.expiration, 24);
		CHECK_INT(state.service_now_us % SECOND, 0);
		CHECK_INT(state.safe_until_us, state.service_now_us - 300 * SECOND);
		CHECK_INT(state.oldest_us, model->created);
		mcw_arena_reset(&arena);
		rig_free(&r);
	}

	/* the retention is shorter than the stream's life */
	model->hours = 1;
	rig_init(&r, model, &mcw_malloc);
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	CHECK_OK(mcs_ots_stream_get_state(&r.ots, MCW_LIT(OTS_TABLE), &arena, &state, &err));
	CHECK_INT(state.oldest_us, state.service_now_us - 3000 * SECOND);
	mcw_arena_reset(&arena);

	model->list_forever = true;
	CHECK_INT(mcs_ots_stream_get_state(&r.ots, MCW_LIT(OTS_TABLE), &arena, &state, &err), MCW_ERR_PROTOCOL);
	mcw_arena_reset(&arena);
	model->no_stream = true;
	CHECK_INT(mcs_ots_stream_get_state(&r.ots, MCW_LIT(OTS_TABLE), &arena, &state, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.code, "StreamNotEnabled");
	mcw_arena_reset(&arena);
	rig_free(&r);
	free(model);
}

static void
test_bounds(void)
{
	stream_model *model = simple_model();
	mcs_ots_stream_spec spec;
	taken		t;
	rig			r;

	rig_init(&r, model, &mcw_malloc);
	/* an end that is too young is cut, or refused */
	spec_init(&spec, ago(7200), ago(100));
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
	CHECK(t.info.end_clamped);
	CHECK_INT(t.info.end_us, t.info.service_now_us - 300 * SECOND);
	check_taken(&t, 0, 11);
	spec.clamp_unsettled = false;
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_ERR_RANGE);
	CHECK_STR(t.err.code, "UnsettledWindow");
	/* cut to nothing: no shard is asked */
	model->pages = 0;
	spec_init(&spec, ago(200), ago(100));
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
	CHECK(t.info.end_clamped);
	CHECK_INT(t.n, 0);
	CHECK_INT(model->pages, 0);

	/* older than the retention */
	model->hours = 1;
	spec_init(&spec, ago(7200), ago(1000));
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_ERR_RANGE);
	CHECK_STR(t.err.code, "ExpiredWindow");
	spec.clamp_expired = true;
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
	CHECK(t.info.begin_clamped);
	CHECK_INT(t.info.begin_us, t.info.service_now_us - 3000 * SECOND);
	/* before the stream was enabled, which is not the same as without a bound */
	model->hours = 100;
	model->created = ago(7201);
	spec_init(&spec, ago(7202), ago(1000));
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_ERR_RANGE);
	CHECK_STR(t.err.code, "ExpiredWindow");
	CHECK_INT(t.info.oldest_us, t.info.creation_us);
	/* enabled in this very second: the answer's clock has fractions */
	model->created = mcn_unix_us();
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_ERR_RANGE);
	CHECK_STR(t.err.code, "ExpiredWindow");
	model->created = ago(7201);
	spec.has_begin = false;
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
	check_taken(&t, 0, 11);

	spec.concurrency = 0;
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_ERR_ARGUMENT);
	spec_init(&spec, 0, 0);
	spec.table = MCW_LIT("");
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_ERR_ARGUMENT);
	rig_free(&r);
	free(model);
}

/*
 *	a --+-- b --+
 *		|		+-- d		e: parent gone
 *		+-- c --+
 */
static stream_model *
family(void)
{
	stream_model *model = new_model();
	shard	   *d = add_shard(model, "d", "b", "c");
	shard	   *c = add_shard(model, "c", "a", NULL);
	shard	   *b = add_shard(model, "b", "a", NULL);
	shard	   *a = add_shard(model, "a", NULL, NULL);
	shard	   *e = add_shard(model, "e", "gone", NULL);

	for (int i = 0; i < 10; i++)
		add_change(model, a, 1, ago(7200 - i), 0, i % 2);
	for (int i = 0; i < 10; i++)
		add_change(model, i % 2 ? b : c, 1, ago(7100 - i), 0, i % 2);
	for (int i = 0; i < 10; i++)
		add_change(model, d, 1, ago(6000 - i), 0, i % 2);
	add_change(model, e, 1, ago(6500), 0, 77);
	a->closed = b->closed = c->closed = true;
	return model;
}

static int
place_of(const stream_model *model, const char *id)
{
	const char *at = strstr(model->order, id);

	return at ? (int) (at - model->order) : -1;
}

/* Is every record's predecessor of the same key before it? */
static bool
in_order(const stream_model *model, const taken *t)
{
	int			last[100];

	memset(last, -1, sizeof(last));
	for (int i = 0; i < t->n; i++)
	{
		const change *c = &model->changes[t->serial[i]];

		if (c->serial < last[c->key])
			return false;
		last[c->key] = c->serial;
	}
	return true;
}

static void
test_family(void)
{
	stream_model *model = family();
	taken		t;

	CHECK_INT(read_window(model, 0, 0, &t), MCW_END);
	CHECK_INT(t.n, 31);
	CHECK(in_order(model, &t));
	CHECK(place_of(model, "a ") < place_of(model, "b ") && place_of(model, "a ") < place_of(model, "c "));
	CHECK(place_of(model, "d ") > place_of(model, "b ") && place_of(model, "d ") > place_of(model, "c "));
	CHECK_INT(t.info.shards, 5);
	CHECK_INT(t.info.blocked, 0);

	/* the window ends before the merge, or before the split: what comes after is not read */
	model->seeks = 0;
	CHECK_INT(read_window(model, ago(7199), ago(7197), &t), MCW_END);
	CHECK_INT(t.n, 2);
	CHECK_INT(t.info.blocked, 1);
	CHECK_INT(t.info.shards, 4);
	for (int i = 0; i < 20; i++)
		add_change(model, &model->shards[3], 1, ago(7110), 0, i % 2);
	CHECK_INT(read_window(model, ago(7199), ago(7197), &t), MCW_END);
	CHECK_INT(t.n, 2);
	CHECK_INT(t.info.blocked, 3);
	CHECK_INT(t.info.shards, 2);

	/* a closed shard may give empty pages before its end */
	free(model);
	model = family();
	model->empties = 3;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_END);
	CHECK_INT(t.n, 31);
	CHECK(in_order(model, &t));
	CHECK_INT(t.info.empty_pages, 3 * (3 + 1) + 2);
	free(model);
}

static void
test_selected(void)
{
	mcw_view	wanted[] = {MCW_LIT("a"), MCW_LIT("d"), MCW_LIT("nobody")};
	stream_model *model = family();
	mcs_ots_stream_spec spec;
	taken		t;
	rig			r;

	rig_init(&r, model, &mcw_malloc);
	spec_init(&spec, 0, 0);
	spec.shards = wanted;
	spec.nshards = 3;
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
	CHECK_INT(t.n, 20);
	CHECK_INT(t.info.shards, 2);
	/* order is kept over the shards between them */
	CHECK_STR(model->order, "a d ");
	spec.nshards = 0;
	CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
	CHECK_INT(t.info.shards, 0);
	rig_free(&r);
	free(model);
}

static void
test_concurrency(void)
{
	stream_model *model = new_model();
	mcs_ots_stream_spec spec;
	taken		t;
	rig			r;

	for (int i = 0; i < 20; i++)
	{
		char		id[24];
		shard	   *s;

		(void) snprintf(id, sizeof(id), "s%02d", i);
		s = add_shard(model, id, NULL, NULL);
		for (int k = 0; k < 10; k++)
			add_change(model, s, 1, ago(5000 - k), 0, i);
	}
	for (int n = 1; n <= 32; n *= 2)
	{
		rig_init(&r, model, &mcw_malloc);
		spec_init(&spec, 0, 0);
		spec.concurrency = n;
		spec.max_buffered = n == 8 ? 1 : 0;
		CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END);
		CHECK_INT(t.n, 200);
		CHECK(in_order(model, &t));
		CHECK_INT(t.info.shards, 20);
		rig_free(&r);
	}
	free(model);
}

/* What the service may do wrong is an error, never an endless loop or a silent end */
static void
test_hostile(void)
{
	stream_model *model = family();
	taken		t;

	model->empties = 100000;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_ERR_PROTOCOL);
	CHECK(strstr(t.err.message, "empty pages") != NULL);
	CHECK_STR(t.shard, "a");
	free(model);

	model = simple_model();
	model->rounds = 100000;
	CHECK_INT(read_window(model, ago(7200), 0, &t), MCW_ERR_PROTOCOL);
	CHECK_STR(t.shard, "s1");
	model->rounds = 0;
	model->same_iterator = true;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_ERR_PROTOCOL);
	CHECK_STR(t.iterator, "0.0.0");
	model->same_iterator = false;
	model->no_sequence = true;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_ERR_PROTOCOL);
	free(model);

	/* parents in a circle */
	model = new_model();
	(void) add_shard(model, "a", "c", NULL);
	(void) add_shard(model, "b", "a", NULL);
	(void) add_shard(model, "c", "b", NULL);
	CHECK_INT(read_window(model, 0, 0, &t), MCW_ERR_PROTOCOL);
	CHECK(strstr(t.err.message, "circle") != NULL);
	free(model);
}

/* may_more_record makes an empty page go on; without it the page is the end */
static void
test_more_flag(void)
{
	stream_model *model = simple_model();
	taken		t;

	model->more_flag = true;
	model->empty_more = 5;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_END);
	check_taken(&t, 0, 11);
	CHECK_INT(t.info.empty_pages, 4 * 5 + 1);
	free(model);
}

static void
test_errors(void)
{
	static const ots_step trimmed[] = {{OTS_FINE}, {OTS_FINE},
	{OTS_ERROR, 400, "OTSTrimmedDataAccess", "Requested stream data is already trimmed or does not exist."}};
	static const ots_step gone[] = {{OTS_ERROR, 404, "OTSObjectNotExist", "Requested stream does not exist."}};
	static const ots_step again[] = {{OTS_ERROR, 503, "OTSServerBusy", "Server is busy."}, {OTS_RESET}, {OTS_DAMAGED}};
	stream_model *model = simple_model();
	taken		t;

	model->base.only = "GetStreamRecord";
	model->base.steps = trimmed;
	model->base.nsteps = 3;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_ERR_SERVICE);
	CHECK_STR(t.err.code, "OTSTrimmedDataAccess");
	CHECK_STR(t.shard, "s1");
	CHECK_STR(t.iterator, "0.6.0");

	model->base.counted = 0;
	model->base.only = "GetShardIterator";
	model->base.steps = gone;
	model->base.nsteps = 1;
	CHECK_INT(read_window(model, 0, 0, &t), MCW_ERR_SERVICE);
	CHECK_STR(t.err.code, "OTSObjectNotExist");
	CHECK_STR(t.shard, "s1");

	/* what is worth another attempt, in each kind of request */
	for (int i = 0; i < 4; i++)
	{
		static const char *const kinds[] = {"ListStream", "DescribeStream", "GetShardIterator", "GetStreamRecord"};

		for (int k = 0; k < 3; k++)
		{
			model->base.counted = 0;
			model->base.only = kinds[i];
			model->base.steps = &again[k];
			model->base.nsteps = 1;
			if (!CHECK_INT(read_window(model, ago(7200), 0, &t), MCW_END))
				printf("    %s %d: %s\n", kinds[i], k, t.err.message);
			check_taken(&t, 0, 11);
		}
	}
	free(model);
}

/* Interrupted at any moment the scan goes on where it was, or is given up and leaves nothing */
static void
test_interrupt(void)
{
	stream_model *model = family();
	mcs_ots_stream_spec spec;
	taken		t;

	spec_init(&spec, ago(7190), 0);
	for (int pause = 1; pause < 3000; pause = pause * 3 / 2 + 1)
	{
		unit_heap	heap;
		rig			r;

		for (int patience = 0; patience < 30; patience += patience < 5 ? 1 : 7)
		{
			mcw_status	status;

			unit_heap_init(&heap, 0);
			rig_init(&r, model, &heap.alloc);
			status = run_scan(&r, &spec, pause, patience, &t);
			if (status == MCW_END)
			{
				CHECK_INT(t.n, 21);
				CHECK(in_order(model, &t));
			}
			else
				CHECK(status == MCW_ERR_INTERRUPTED && patience > 0);
			rig_free(&r);
			CHECK_INT(heap.outstanding, 0);
		}
	}
	free(model);
}

static mcw_status
attempt(const mcw_alloc *alloc, void *arg)
{
	mcs_ots_stream_spec spec;
	mcw_status	status;
	taken		t;
	rig			r;

	spec_init(&spec, ago(7150), 0);
	spec.shards = (mcw_view[]) {MCW_LIT("d"), MCW_LIT("b")};
	spec.nshards = 2;
	rig_init(&r, arg, alloc);
	r.net.options.max_retries = 0;
	net_rig_options(&r.net);
	r.ots.channel = r.net.channel;
	status = run_scan(&r, &spec, 0, 0, &t);
	if (status == MCW_END)
		CHECK_INT(t.n, 15);
	rig_free(&r);
	return status == MCW_END ? MCW_OK : status;
}

static void
test_memory(void)
{
	stream_model *model = family();

	unit_torture(attempt, model);
	free(model);
}

/* ---- windows tile ---- */

static void
tile(uint64_t seed, bool steps)
{
	history		h = {.random = {seed * 7919 + 1}, .now = ago(5000), .reach = steps ? 58 : 0};
	stream_model *model = new_model();
	int64_t		cuts[12];
	int			times[MAX_RECORDS] = {0};
	int			last[KEYS];
	taken		t;
	rig			r;

	model->page = 1 + (int) unit_below(&h.random, 9);
	model->list_page = (int) unit_below(&h.random, 5);
	model->rounds = (int) unit_below(&h.random, 3);
	model->early = (int) unit_below(&h.random, 4);
	model->empties = (int) unit_below(&h.random, 2);
	(void) new_shard(model, &h, NULL, NULL);
	live(model, &h, 400);
	memset(last, -1, sizeof(last));

	/* cuts anywhere, some exactly at a record */
	cuts[0] = ago(6000);
	for (int i = 1; i < 12; i++)
	{
		const change *c = &model->changes[(size_t) model->nchanges * i / 12 + unit_below(&h.random, 5)];

		cuts[i] = c->time + (int64_t) unit_below(&h.random, 3) - 1;
		if (cuts[i] <= cuts[i - 1])
			cuts[i] = cuts[i - 1] + 1;
	}
	rig_init(&r, model, &mcw_malloc);
	for (int i = 0; i < 12; i++)
	{
		mcs_ots_stream_spec spec;

		spec_init(&spec, cuts[i], i < 11 ? cuts[i + 1] : 0);
		spec.concurrency = 1 + (int) unit_below(&h.random, 5);
		if (!CHECK_INT(run_scan(&r, &spec, 0, 0, &t), MCW_END))
			printf("    seed %d: %s\n", (int) seed, t.err.message);
		CHECK(in_order(model, &t));
		for (int k = 0; k < t.n; k++)
		{
			const change *c = &model->changes[t.serial[k]];

			times[t.serial[k]]++;
			if (!steps)
				CHECK(c->serial > last[c->key]);
			last[c->key] = c->serial;
		}
		CHECK(t.step_us <= MCS_OTS_STREAM_SLACK * SECOND);
	}
	for (int i = 0; i < model->nchanges; i++)
	{
		if (!CHECK_INT(times[i], 1))
			printf("    seed %d, change %d\n", (int) seed, i);
	}
	rig_free(&r);
	free(model);
}

static void
test_tile(void)
{
	for (uint64_t seed = 1; seed <= 12; seed++)
	{
		tile(seed, false);
		tile(seed + 100, true);
	}
}

/* A clock that steps back by more than the slack shows */
static void
test_step(void)
{
	stream_model *model = new_model();
	shard	   *s = add_shard(model, "s1", NULL, NULL);
	taken		t;

	add_change(model, s, 1, ago(5000), 0, 1);
	add_change(model, s, 2, ago(5100), 0, 1);
	add_change(model, s, 2, ago(4900), 0, 1);
	CHECK_INT(read_window(model, 0, 0, &t), MCW_END);
	check_taken(&t, 0, 3);
	CHECK_INT(t.step_us, 100 * SECOND);
	free(model);
}

static const unit_case cases[] = {
	{"window", test_window},
	{"stops", test_stops},
	{"list", test_list},
	{"bounds", test_bounds},
	{"family", test_family},
	{"selected", test_selected},
	{"concurrency", test_concurrency},
	{"hostile", test_hostile},
	{"more flag", test_more_flag},
	{"errors", test_errors},
	{"interrupt", test_interrupt},
	{"memory", test_memory},
	{"tile", test_tile},
	{"step", test_step},
};

UNIT_MAIN(cases)
