/*
 * test_ots_service_scan.c
 *		Scans of Tablestore: ranges, split points, single keys, order, room, faults.
 *
 * The property test makes a table, ranges and split points from a seed and checks that
 * what is read is what is in the ranges, nothing twice, in every mode.
 */
#include "ots_server.h"

#define MAX_ROWS 64
#define MAX_POINTS 200

/* A table with the bytes of its keys */
typedef struct world
{
	mcw_ots_key keys[MAX_ROWS + 1];
	bool		hidden[MAX_ROWS + 1];
	mcw_ots_key points[MAX_POINTS];
	char		bytes[65536];
	size_t		used;
} world;

static const char *const names[] = {"k1", "k2", "k3", "k4"};

/* ---- random keys ---- */

static mcw_ots_value
random_value(unit_random *r, world *w, mcw_ots_type type)
{
	char	   *at = w->bytes + w->used;
	size_t		len = unit_below(r, 4);

	if (type == MCW_OTS_INTEGER)
		return mcw_ots_int(unit_below(r, 20) == 0 ? (unit_below(r, 2) ? INT64_MIN : INT64_MAX) : (int64_t) unit_below(r, 7) - 3);
	for (size_t i = 0; i < len; i++)
		at[i] = type == MCW_OTS_STRING ? "ab\x7f"[unit_below(r, 3)] : "\0\x01\xff"[unit_below(r, 3)];
	w->used += len;
	return mcw_ots_bytes(type, (mcw_view) {at, len});
}

static mcw_ots_key
random_key(unit_random *r, world *w, const mcw_ots_schema *schema, bool bound)
{
	mcw_ots_key key = {.n = schema->nkeys};

	for (int i = 0; i < key.n; i++)
	{
		key.v[i] = random_value(r, w, schema->keys[i].type);
		if (bound && unit_below(r, 5) == 0)
			key.v[i] = mcw_ots_none(unit_below(r, 2) ? MCW_OTS_INF_MIN : MCW_OTS_INF_MAX);
	}
	return key;
}

static int
compare_keys(const void *a, const void *b)
{
	return mcw_ots_key_cmp(a, b);
}

/* ascending, none twice */
static int
sort_keys(mcw_ots_key *keys, int n)
{
	int			kept = 0;

	qsort(keys, n, sizeof(*keys), compare_keys);
	for (int i = 0; i < n; i++)
		if (kept == 0 || mcw_ots_key_cmp(&keys[kept - 1], &keys[i]) != 0)
			keys[kept++] = keys[i];
	return kept;
}

static void
random_world(unit_random *r, world *w, ots_model *model)
{
	static const mcw_ots_type types[] = {MCW_OTS_INTEGER, MCW_OTS_STRING, MCW_OTS_BINARY};
	mcw_ots_schema *schema = &model->schema;
	int			percent = unit_below(r, 3) * 45;

	memset(w, 0, sizeof(*w));
	schema->nkeys = 1 + unit_below(r, MCW_OTS_MAX_KEYS);
	for (int i = 0; i < schema->nkeys; i++)
		schema->keys[i] = (mcw_ots_key_column) {mcw_str(names[i]), types[unit_below(r, 3)]};
	model->nrows = unit_below(r, MAX_ROWS);
	for (int i = 0; i < model->nrows; i++)
		w->keys[i] = random_key(r, w, schema, false);
	model->nrows = sort_keys(w->keys, model->nrows);
	for (int i = 0; i < model->nrows; i++)
		w->hidden[i] = unit_below(r, 100) < percent;
	model->npoints = unit_below(r, unit_below(r, 3) ? 24 : MAX_POINTS);
	for (int i = 0; i < model->npoints; i++)
	{
		/* a prefix, completed to compare them */
		int			given = 1 + unit_below(r, schema->nkeys);

		w->points[i] = random_key(r, w, schema, false);
		for (int k = given; k < schema->nkeys; k++)
			w->points[i].v[k] = mcw_ots_none(MCW_OTS_INF_MIN);
	}
	model->npoints = sort_keys(w->points, model->npoints);
	for (int i = 0; i < model->npoints; i++)
		while (w->points[i].v[w->points[i].n - 1].type == MCW_OTS_INF_MIN)
			w->points[i].n--;
	model->keys = w->keys;
	model->hidden = w->hidden;
	model->points = w->points;
	model->page_rows = 1 + unit_below(r, 9);
}

/* ---- reading ---- */

typedef struct harvest
{
	int			rows[MAX_ROWS * 60];	/* their "v", as they came */
	int			n;
	int			last_split;
	mcw_status	status;
	mcw_error	err;
	mcs_ots_scan_info info;
	char		failed_at[MCS_OTS_KEY_TEXT];
} harvest;

static bool
take_page(const ots_model *model, const mcs_ots_page *page, harvest *h, const mcw_alloc *alloc)
{
	mcw_view	columns[MCW_OTS_MAX_KEYS + 1];
	mcw_ots_value values[MCW_OTS_MAX_KEYS + 1];
	mcw_ots_row row;
	mcw_ots_reader *reader;
	int			nkeys = model->schema.nkeys;
	mcw_status	status;

	for (int i = 0; i < nkeys; i++)
		columns[i] = model->schema.keys[i].name;
	columns[nkeys] = MCW_LIT("v");
	reader = mcw_ots_reader_create(alloc, columns, nkeys + 1);
	if (reader == NULL)
	{
		h->status = MCW_ERR_NOMEM;
		return false;
	}
	if (!CHECK_OK(mcw_ots_reader_page(reader, page->rows, false, &h->err)))
		printf("    %s\n", h->err.message);
	while ((status = mcw_ots_next_row(reader, &row, values, NULL, &h->err)) == MCW_OK)
	{
		int			v = (int) values[nkeys].i;

		for (int i = 0; i < nkeys; i++)
			CHECK(mcw_ots_value_cmp(&values[i], &model->keys[v].v[i]) == 0);
		if (CHECK(h->n < MAX_ROWS * 60))
			h->rows[h->n++] = v;
	}
	CHECK_INT(status, MCW_END);
	mcw_ots_reader_free(reader);
	/* the holder may write to it */
	memset((char *) page->rows.data, 0xaa, page->rows.len);
	return true;
}

static void
read_all(ots_rig *rig, const mcs_ots_scan_spec *spec, unit_random *interrupts, harvest *h)
{
	mcs_ots_scan *scan;
	mcs_ots_page *page;

	memset(h, 0, sizeof(*h));
	scan = mcs_ots_scan_create(&rig->ots, spec, &h->err);
	if (scan == NULL)
	{
		h->status = h->err.status;
		return;
	}
	for (;;)
	{
		rig->net.host.interrupt_at_us = interrupts && unit_below(interrupts, 2) ? mcn_now_us() + unit_below(interrupts, 300) : 0;
		h->status = mcs_ots_scan_next(scan, &page, &h->err);
		if (h->status == MCW_ERR_INTERRUPTED && interrupts)
			continue;
		if (h->status != MCW_OK)
			break;
		if (spec->ordered && page->split >= 0)
		{
			CHECK(!spec->split_size || page->split >= 0);
			h->last_split = page->split;
		}
		if (!take_page(&rig->model, page, h, rig->ots.alloc))
			break;
		mcs_ots_scan_release(scan, page);
	}
	rig->net.host.interrupt_at_us = 0;
	CHECK(h->status != MCW_END || mcs_ots_scan_has_news(scan));
	h->info = *mcs_ots_scan_get_info(scan);
	(void) snprintf(h->failed_at, sizeof(h->failed_at), "%s", mcs_ots_scan_failed_at(scan));
	mcs_ots_scan_free(scan);
}

static mcs_ots_range
whole(const mcw_ots_schema *schema, bool backward)
{
	mcs_ots_range range = {{.n = schema->nkeys}, {.n = schema->nkeys}};

	for (int i = 0; i < schema->nkeys; i++)
	{
		range.begin.v[i] = mcw_ots_none(backward ? MCW_OTS_INF_MAX : MCW_OTS_INF_MIN);
		range.end.v[i] = mcw_ots_none(backward ? MCW_OTS_INF_MIN : MCW_OTS_INF_MAX);
	}
	return range;
}

static mcs_ots_scan_spec
plain_spec(const ots_model *model, const mcs_ots_range *range, int nranges)
{
	return (mcs_ots_scan_spec) {.table = MCW_LIT(OTS_TABLE), .schema = &model->schema, .max_versions = 1,
		.ranges = range, .nranges = nranges, .concurrency = 8, .first_requests = 8, .split_size = 4 << 20};
}

static int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static bool
check_rows(harvest *h, const int *want, int nwant, bool ordered)
{
	bool		ok = CHECK_INT(h->status, MCW_END) && CHECK_INT(h->n, nwant);

	if (!ordered)
		qsort(h->rows, h->n, sizeof(int), compare_ints);
	for (int i = 0; ok && i < nwant; i++)
		ok = CHECK_INT(h->rows[i], want[i]);
	if (h->status != MCW_END)
		printf("    %s %s %s at %s\n", h->err.message, h->err.code, h->err.text, h->failed_at);
	return ok;
}

/* ---- the property ---- */

static int
expected(const ots_model *model, const mcs_ots_scan_spec *spec, int *want)
{
	int			dir = spec->backward ? -1 : 1;
	int			n = 0;

	for (int k = 0; k < spec->nranges; k++)
		for (int j = 0; j < model->nrows; j++)
		{
			int			i = spec->backward ? model->nrows - 1 - j : j;

			if (mcw_ots_key_cmp(&model->keys[i], &spec->ranges[k].begin) * dir >= 0 &&
				mcw_ots_key_cmp(&model->keys[i], &spec->ranges[k].end) * dir < 0 && !model->hidden[i])
				want[n++] = i;
		}
	for (int k = 0; k < spec->nkeys; k++)
		for (int i = 0; i < model->nrows; i++)
			if (mcw_ots_key_cmp(&model->keys[i], &spec->keys[k]) == 0 && !model->hidden[i])
				want[n++] = i;
	return n;
}

/* Disjoint ranges in the order of the scan; some hold nothing */
static int
random_ranges(unit_random *r, world *w, const mcw_ots_schema *schema, bool backward, mcs_ots_range *ranges)
{
	mcw_ots_key bounds[8];
	int			n = 2 + unit_below(r, 6);
	int			nranges = 0;

	if (unit_below(r, 3) == 0)
	{
		ranges[0] = whole(schema, backward);
		return 1;
	}
	for (int i = 0; i < n; i++)
		bounds[i] = random_key(r, w, schema, true);
	qsort(bounds, n, sizeof(*bounds), compare_keys);
	for (int i = 0; i + 1 < n; i += 1 + unit_below(r, 2))
	{
		int			k = backward ? n - 1 - i : i;

		ranges[nranges++] = (mcs_ots_range) {bounds[k], bounds[backward ? k - 1 : k + 1]};
	}
	return nranges;
}

static void
run_world(ots_rig *rig, unit_random *r, world *w)
{
	mcs_ots_range ranges[8];
	mcw_ots_key keys[250];
	int			want[MAX_ROWS * 60];
	int			nwant;
	harvest		h;
	bool		backward = unit_below(r, 2);
	int			nranges = random_ranges(r, w, &rig->model.schema, backward, ranges);
	mcs_ots_scan_spec spec = plain_spec(&rig->model, ranges, nranges);

	spec.backward = backward;
	spec.ordered = unit_below(r, 2);
	spec.concurrency = 1 + unit_below(r, 9);
	spec.first_requests = unit_below(r, 10);
	spec.split_size = unit_below(r, 4) ? 1 + unit_below(r, 1 << 30) : 0;
	spec.row_limit = unit_below(r, 3) ? 0 : 1 + unit_below(r, 20);
	spec.max_buffered = unit_below(r, 2) ? 0 : 1 + unit_below(r, 3000);
	if (unit_below(r, 3) == 0)
	{
		spec.nkeys = unit_below(r, 4) == 0 ? 1 : unit_below(r, 250);
		for (int i = 0; i < spec.nkeys; i++)
			keys[i] = rig->model.nrows > 0 && unit_below(r, 2) ? rig->model.keys[unit_below(r, rig->model.nrows)] :
				random_key(r, w, &rig->model.schema, false);
		spec.keys = keys;
	}
	nwant = expected(&rig->model, &spec, want);
	if (!spec.ordered)
		qsort(want, nwant, sizeof(int), compare_ints);
	rig->model.requests = rig->model.rows_asked = rig->model.max_in_flight = 0;
	read_all(rig, &spec, unit_below(r, 4) == 0 ? r : NULL, &h);
	(void) check_rows(&h, want, nwant, spec.ordered);
	CHECK_INT(rig->model.rows_asked, spec.nkeys);
	CHECK_INT(h.info.keys_asked, spec.nkeys);
	/* the question for split points comes on top */
	CHECK(rig->model.max_in_flight <= spec.concurrency + 1 + spec.ordered);
}

static void
test_property(void)
{
	unsigned long failed = unit_failed;
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));

	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	for (uint64_t seed = 1; seed <= 1200 && unit_failed == failed; seed++)
	{
		unit_random r = {seed * UINT64_C(0x9E3779B97F4A7C15)};

		random_world(&r, w, &rig.model);
		run_world(&rig, &r, w);
		if (unit_failed != failed)
			printf("    seed %llu\n", (unsigned long long) seed);
	}
	ots_rig_free(&rig);
	free(w);
}

/* ---- one INTEGER key 0 .. n-1 ---- */

static void
simple_world(world *w, ots_model *model, int nrows, int page_rows, int points)
{
	memset(w, 0, sizeof(*w));
	model->schema.nkeys = 1;
	model->schema.keys[0] = (mcw_ots_key_column) {MCW_LIT("k1"), MCW_OTS_INTEGER};
	for (int i = 0; i < nrows; i++)
		w->keys[i] = (mcw_ots_key) {.n = 1, .v = {mcw_ots_int(i)}};
	for (int i = 0; i < points; i++)
		w->points[i] = (mcw_ots_key) {.n = 1, .v = {mcw_ots_int((i + 1) * nrows / (points + 1))}};
	model->keys = w->keys;
	model->hidden = w->hidden;
	model->nrows = nrows;
	model->page_rows = page_rows;
	model->points = w->points;
	model->npoints = points;
}

static void
check_whole(ots_rig *rig, const mcs_ots_scan_spec *spec, harvest *h)
{
	int			want[MAX_ROWS];
	int			n = 0;

	for (int i = 0; i < rig->model.nrows; i++)
		want[n++] = i;
	read_all(rig, spec, NULL, h);
	(void) check_rows(h, want, n, spec->ordered);
}

/* What a scan costs */
static void
test_requests(void)
{
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	mcs_ots_scan_spec spec;
	harvest		h;

	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	/* a table of one page: one request */
	simple_world(w, &rig.model, 10, 10, 3);
	range = whole(&rig.model.schema, false);
	spec = plain_spec(&rig.model, &range, 1);
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.requests, 1);
	CHECK(!h.info.split_asked);
	CHECK_INT(h.info.splits, 1);
	CHECK_INT(rig.ots.read_units, 3);
	/* an empty table, an empty range */
	rig.model.requests = rig.model.nrows = 0;
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.requests, 1);
	CHECK_INT(h.info.pages, 0);
	range.end = range.begin;
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.requests, 1);
	CHECK_INT(h.info.splits, 0);
	spec.nranges = 0;
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.requests, 1);

	/* a large one: all chains at the same time once the points are known, never more */
	simple_world(w, &rig.model, MAX_ROWS, 1, 15);
	range = whole(&rig.model.schema, false);
	spec.nranges = 1;
	rig.model.delay_us = 3000;
	rig.model.max_in_flight = 0;
	check_whole(&rig, &spec, &h);
	CHECK_INT(h.info.splits, 16);
	CHECK_INT(rig.model.splits, 1);
	CHECK_INT(rig.model.max_in_flight, 8);
	CHECK_INT(rig.model.ranges, 2 + MAX_ROWS);
	/* the same, one after the other: nobody asks for points */
	spec.concurrency = 1;
	rig.model.max_in_flight = 0;
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.splits, 1);
	CHECK_INT(rig.model.max_in_flight, 1);
	ots_rig_free(&rig);
	free(w);
}

/* LIMIT: a small first page, larger ones as the reader goes on; nothing ahead of it */
static void
test_row_limit(void)
{
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	mcs_ots_scan_spec spec;
	mcs_ots_scan *scan;
	mcs_ots_page *page;
	mcw_error	err;
	harvest		h;

	simple_world(w, &rig.model, MAX_ROWS, 5000, 7);
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	range = whole(&rig.model.schema, false);
	spec = plain_spec(&rig.model, &range, 1);
	spec.row_limit = 3;
	spec.first_requests = 1;
	scan = mcs_ots_scan_create(&rig.ots, &spec, &err);
	CHECK_OK(mcs_ots_scan_next(scan, &page, &err));
	memset(&h, 0, sizeof(h));
	take_page(&rig.model, page, &h, &mcw_malloc);
	CHECK_INT(h.n, 3);
	CHECK_INT(rig.model.max_limit, 3);
	mcs_ots_scan_free(scan);
	CHECK_INT(rig.model.requests, 1);
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.max_limit, 48);	/* 3 + 6 + 12 + 24, then 48 for the rest */
	CHECK_INT(rig.model.splits, 0);
	ots_rig_free(&rig);
	free(w);
}

/* ---- answers that break the rules ---- */

static void
test_wrong_next(void)
{
	world	   *w = malloc(sizeof(*w));

	for (int fault = OTS_NEXT_SAME; fault <= OTS_NEXT_OTHER; fault++)
		for (int backward = 0; backward < 2; backward++)
		{
			ots_step	step = {fault};
			ots_rig		rig = {0};
			mcs_ots_range range;
			mcs_ots_scan_spec spec;
			harvest		h;

			simple_world(w, &rig.model, 10, 3, 0);
			rig.model.steps = &step;
			rig.model.nsteps = 1;
			ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
			range.begin = (mcw_ots_key) {.n = 1, .v = {mcw_ots_int(backward ? 9 : 2)}};
			range.end = (mcw_ots_key) {.n = 1, .v = {mcw_ots_int(backward ? 2 : 9)}};
			spec = plain_spec(&rig.model, &range, 1);
			spec.backward = backward;
			/* behind the end is INF_MAX, before the begin INF_MIN: backward they change their parts */
			read_all(&rig, &spec, NULL, &h);
			if (fault == OTS_NEXT_OTHER)
			{
				/* damage: it is asked for again */
				CHECK_INT(h.status, MCW_END);
				CHECK_INT(h.n, 7);
			}
			else
			{
				CHECK_INT(h.status, MCW_ERR_PROTOCOL);
				CHECK_STR(h.failed_at, backward ? "(9)" : "(2)");
				CHECK(strstr(h.err.message, "next key") != NULL);
			}
			ots_rig_free(&rig);
		}
	free(w);
}

/* Every request of a scan meets every fault once; the answer is the same */
static void
test_faults(void)
{
	static const ots_step faults[] = {{OTS_RESET}, {OTS_DAMAGED}, {OTS_CUT_MESSAGE}, {OTS_NO_AUTH}, {OTS_HTML},
	{OTS_ERROR, 500, "OTSInternalServerError", "Internal server error."}};
	world	   *w = malloc(sizeof(*w));
	mcw_ots_key keys[] = {{.n = 1, .v = {mcw_ots_int(3)}}, {.n = 1, .v = {mcw_ots_int(7)}}};

	for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++)
		for (int at = 0; at < 10; at++)
		{
			ots_step	steps[16] = {{OTS_FINE}};
			ots_rig		rig = {0};
			mcs_ots_range range;
			mcs_ots_scan_spec spec;
			int			want[12] = {0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9};
			harvest		h;

			steps[at] = faults[f];
			simple_world(w, &rig.model, 10, 2, 3);
			rig.model.steps = steps;
			rig.model.nsteps = at + 1;
			ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
			rig.ots.verify_content = true;
			range = whole(&rig.model.schema, false);
			spec = plain_spec(&rig.model, &range, 1);
			spec.keys = keys;
			spec.nkeys = 2;
			read_all(&rig, &spec, NULL, &h);
			(void) check_rows(&h, want, 12, false);
			CHECK(rig.model.requests >= 8 + (at < 8));
			ots_rig_free(&rig);
		}
	free(w);
}

/* A failure that stays: the scan says where */
static void
test_failure(void)
{
	static const ots_step steps[] = {{OTS_FINE}, {OTS_FINE}, {OTS_ERROR, 404, "OTSObjectNotExist", "Requested table does not exist."}};
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	mcs_ots_scan_spec spec;
	mcs_ots_scan *scan;
	mcs_ots_page *page;
	mcw_error	err;
	harvest		h;

	simple_world(w, &rig.model, 10, 2, 0);
	rig.model.steps = steps;
	rig.model.nsteps = 3;
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	range = whole(&rig.model.schema, false);
	spec = plain_spec(&rig.model, &range, 1);
	spec.split_size = 0;
	read_all(&rig, &spec, NULL, &h);
	CHECK_INT(h.status, MCW_ERR_SERVICE);
	CHECK_STR(h.err.code, "OTSObjectNotExist");
	CHECK_STR(h.failed_at, "(4)");
	/* it stays failed, and values out of range are refused before anything is asked */
	rig.model.counted = 2;
	scan = mcs_ots_scan_create(&rig.ots, &spec, &err);
	for (int i = 0; i < 3; i++)
		CHECK_INT(mcs_ots_scan_next(scan, &page, &err), MCW_ERR_SERVICE);
	CHECK(mcs_ots_scan_has_news(scan));
	mcs_ots_scan_free(scan);
	spec.concurrency = 0;
	CHECK(mcs_ots_scan_create(&rig.ots, &spec, &err) == NULL);
	CHECK_INT(err.status, MCW_ERR_ARGUMENT);
	spec.concurrency = 1;
	range.begin.n = 2;
	CHECK(mcs_ots_scan_create(&rig.ots, &spec, &err) == NULL);
	ots_rig_free(&rig);
	free(w);
}

/* No split points: the scan goes on without; other refusals are failures */
static void
test_split_refusal(void)
{
	static const ots_step steps[] = {
		{OTS_ERROR, 400, "OTSParameterInvalid", "The split size is too small."},
		{OTS_ERROR, 403, "OTSNoPermissionAccess", "You have no permission"},
		{OTS_ERROR, 400, "OTSInvalidPK", "Primary key schema mismatch."}};
	world	   *w = malloc(sizeof(*w));

	for (int i = 0; i < 3; i++)
	{
		ots_rig		rig = {0};
		mcs_ots_range range;
		mcs_ots_scan_spec spec;
		harvest		h;

		simple_world(w, &rig.model, 10, 2, 3);
		rig.model.steps = &steps[i];
		rig.model.nsteps = 1;
		rig.model.only = "ComputeSplitPointsBySize";
		ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
		range = whole(&rig.model.schema, false);
		spec = plain_spec(&rig.model, &range, 1);
		if (i < 2)
		{
			check_whole(&rig, &spec, &h);
			CHECK_INT(h.info.splits, 1);
			/* in order smaller parts are asked for; if they are refused, those of the caller */
			rig.model.counted = 0;
			spec.ordered = true;
			spec.split_size = 100 << 20;
			check_whole(&rig, &spec, &h);
			CHECK_INT(h.info.splits, 3);	/* 2 is where it goes on */
			CHECK_INT(rig.model.splits, 1);
		}
		else
		{
			read_all(&rig, &spec, NULL, &h);
			CHECK_INT(h.status, MCW_ERR_SERVICE);
			CHECK_STR(h.err.code, "OTSInvalidPK");
		}
		CHECK(h.info.split_asked);
		ots_rig_free(&rig);
	}
	free(w);
}

/* Parts of the caller's size are fewer than requests could be in flight: smaller ones, if there are any */
static void
test_few_parts(void)
{
	static const ots_step refusal[] = {{OTS_FINE}, {OTS_ERROR, 400, "OTSParameterInvalid", "The split size is too small."}};
	world	   *w = malloc(sizeof(*w));

	for (int refused = 0; refused < 2; refused++)
	{
		ots_rig		rig = {0};
		mcs_ots_range range;
		mcs_ots_scan_spec spec;
		harvest		h;

		simple_world(w, &rig.model, 10, 2, 3);
		rig.model.steps = refusal;
		rig.model.nsteps = refused ? 2 : 0;
		rig.model.only = "ComputeSplitPointsBySize";
		ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
		range = whole(&rig.model.schema, false);
		spec = plain_spec(&rig.model, &range, 1);
		spec.split_size = 100 << 20;
		check_whole(&rig, &spec, &h);
		/* refused, the points of before are as good as any */
		CHECK_INT(h.info.splits, 3);
		CHECK_INT(rig.model.counted, 2);
		rig.model.counted = 0;
		spec.concurrency = 3;
		check_whole(&rig, &spec, &h);
		CHECK_INT(rig.model.counted, 1);
		ots_rig_free(&rig);
	}
	free(w);
}

/* ---- keys ---- */

static void
test_row_errors(void)
{
	static const ots_step again[] = {
		{OTS_ROW_ERROR, 0, "OTSServerBusy", "Server is busy.", 3},
		{OTS_ROW_ERROR, 0, "OTSTimeout", "Operation timeout.", 1}};
	static const ots_step never = {OTS_ROW_ERROR, 0, "OTSInvalidPK", "Primary key schema mismatch.", 1};
	ots_step	always[20];
	world	   *w = malloc(sizeof(*w));
	mcw_ots_key keys[5];
	int			want[] = {4, 2, 0, 1};

	for (int i = 0; i < 20; i++)
		always[i] = again[0];
	for (int i = 0; i < 5; i++)
		keys[i] = (mcw_ots_key) {.n = 1, .v = {mcw_ots_int("\4\2\11\0\1"[i])}};
	for (int i = 0; i < 3; i++)
	{
		ots_rig		rig = {0};
		mcs_ots_scan_spec spec;
		harvest		h;

		simple_world(w, &rig.model, 5, 5, 0);
		rig.model.steps = i == 0 ? again : i == 1 ? &never : always;
		rig.model.nsteps = i == 0 ? 2 : i == 1 ? 1 : 20;
		ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
		spec = plain_spec(&rig.model, NULL, 0);
		spec.keys = keys;
		spec.nkeys = 5;
		if (i == 2)
		{
			rig.net.options.max_retries = 1;
			net_rig_options(&rig.net);
			rig.ots.channel = rig.net.channel;
		}
		read_all(&rig, &spec, NULL, &h);
		if (i == 0)
		{
			/* all five, then three, then one; the rows in the order of the keys */
			(void) check_rows(&h, want, 4, true);
			CHECK_INT(rig.model.rows_asked, 9);
			CHECK_INT(h.info.pages, 1);
		}
		else
		{
			CHECK_INT(h.status, MCW_ERR_SERVICE);
			CHECK_STR(h.err.code, i == 1 ? "OTSInvalidPK" : "OTSServerBusy");
			CHECK_STR(h.err.text, i == 1 ? "Primary key schema mismatch." : "Server is busy.");
			CHECK_STR(h.err.request_id, "request-1");
			CHECK_STR(h.failed_at, i == 1 ? "(4)" : "(9)");
			CHECK_INT(rig.model.batches, i == 1 ? 1 : 2);
		}
		ots_rig_free(&rig);
	}
	free(w);
}

static void
test_single_key(void)
{
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcw_ots_key key = {.n = 1, .v = {mcw_ots_int(3)}};
	mcs_ots_scan_spec spec;
	int			want[] = {3};
	harvest		h;

	simple_world(w, &rig.model, 5, 5, 0);
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	spec = plain_spec(&rig.model, NULL, 0);
	spec.keys = &key;
	spec.nkeys = 1;
	read_all(&rig, &spec, NULL, &h);
	(void) check_rows(&h, want, 1, true);
	key.v[0].i = 77;
	read_all(&rig, &spec, NULL, &h);
	(void) check_rows(&h, want, 0, true);
	CHECK_INT(rig.model.gets, 2);
	CHECK_INT(rig.model.requests, 2);
	CHECK_INT(rig.ots.read_units, 2);
	ots_rig_free(&rig);
	free(w);
}

/* ---- room ---- */

/* In order, with a reader that takes its time: the pages ahead stay within the room */
static void
test_room(void)
{
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	unit_heap	heap;

	simple_world(w, &rig.model, MAX_ROWS, 1, 15);
	rig.model.padding = 60000;
	unit_heap_init(&heap, 0);
	ots_rig_init(&rig, &heap.alloc, mcs_ots_retry_rules, "", "");
	range = whole(&rig.model.schema, false);
	for (int ordered = 0; ordered < 2; ordered++)
	{
		mcs_ots_scan_spec spec = plain_spec(&rig.model, &range, 1);
		mcs_ots_scan *scan;
		mcs_ots_page *page;
		mcw_error	err;
		int			n = 0;

		spec.ordered = ordered;
		spec.max_buffered = 600000;
		spec.concurrency = 4;
		heap.peak = 0;
		scan = mcs_ots_scan_create(&rig.ots, &spec, &err);
		while (mcs_ots_scan_next(scan, &page, &err) == MCW_OK)
		{
			for (int i = 0; i < 3; i++)
				CHECK_OK(mcn_loop_step(rig.net.loop, 1));
			CHECK(page->rows.len > 60000);
			mcs_ots_scan_release(scan, page);
			n++;
		}
		CHECK_INT(n, MAX_ROWS);
		/* buffers, the page held, the one exempt, and the small things */
		if (!CHECK(heap.peak < 600000 + 4 * 62000 + 300000))
			printf("    %zu\n", heap.peak);
		mcs_ots_scan_free(scan);
	}
	ots_rig_free(&rig);
	CHECK_INT(heap.outstanding, 0);
	free(w);
}

/* Without waiting: nothing yet, then pages, then the end; a scan may be freed at any moment */
static void
test_try(void)
{
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	mcs_ots_scan_spec spec;

	simple_world(w, &rig.model, 20, 2, 4);
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	range = whole(&rig.model.schema, true);
	spec = plain_spec(&rig.model, &range, 1);
	spec.backward = true;
	spec.ordered = true;
	for (int leave = 0; leave < 30; leave++)
	{
		mcw_error	err;
		mcs_ots_scan *scan = mcs_ots_scan_create(&rig.ots, &spec, &err);
		mcs_ots_page *page;
		harvest		h;
		mcw_status	status;
		int			steps = 0;

		memset(&h, 0, sizeof(h));
		CHECK(mcs_ots_scan_has_news(scan));
		while ((status = mcs_ots_scan_try(scan, &page, &err)) == MCW_OK && (steps++ < leave || leave == 29))
		{
			if (page != NULL)
			{
				take_page(&rig.model, page, &h, &mcw_malloc);
				mcs_ots_scan_release(scan, page);
			}
			else if (!mcs_ots_scan_has_news(scan))
				CHECK_OK(mcn_loop_step(rig.net.loop, -1));
		}
		if (leave == 29)
		{
			CHECK_INT(status, MCW_END);
			CHECK_INT(h.n, 20);
			CHECK_INT(h.rows[0], 19);
		}
		mcs_ots_scan_free(scan);
	}
	ots_rig_free(&rig);
	free(w);
}

/* ---- memory ---- */

typedef struct memory_case
{
	bool		ordered;
	bool		row_errors;
} memory_case;

static mcw_status
read_with(const mcw_alloc *alloc, void *arg)
{
	static const ots_step busy = {OTS_ROW_ERROR, 0, "OTSTableNotReady", "The table is not ready.", 1};
	const memory_case *c = arg;
	mcw_ots_key keys[] = {{.n = 1, .v = {mcw_ots_int(3)}}, {.n = 1, .v = {mcw_ots_int(7)}}};
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	mcs_ots_scan_spec spec;
	harvest		h;

	simple_world(w, &rig.model, 8, 3, 1);
	rig.model.only = "BatchGetRow";
	rig.model.steps = &busy;
	rig.model.nsteps = c->row_errors ? 1 : 0;
	ots_rig_init(&rig, alloc, mcs_ots_retry_rules, "", "");
	range = whole(&rig.model.schema, false);
	spec = plain_spec(&rig.model, &range, c->row_errors ? 0 : 1);
	spec.concurrency = 2;
	spec.ordered = c->ordered;
	spec.keys = keys;
	spec.nkeys = 2;
	read_all(&rig, &spec, NULL, &h);
	ots_rig_free(&rig);
	free(w);
	return h.status == MCW_END ? MCW_OK : h.status;
}

static void
test_memory(void)
{
	memory_case modes[] = {{false, false}, {true, false}, {false, true}};

	for (int i = 0; i < 3; i++)
		unit_torture(read_with, &modes[i]);
}

static const unit_case cases[] = {
	{"requests", test_requests},
	{"row limit", test_row_limit},
	{"wrong next", test_wrong_next},
	{"faults", test_faults},
	{"failure", test_failure},
	{"split refusal", test_split_refusal},
	{"few parts", test_few_parts},
	{"row errors", test_row_errors},
	{"single key", test_single_key},
	{"room", test_room},
	{"try", test_try},
	{"memory", test_memory},
	{"property", test_property},
};

UNIT_MAIN(cases)
