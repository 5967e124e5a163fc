/*
 * test_ots_service_scan.c
 *		Scans of Tablestore as a whole: what is read is what was asked for, in every
 *		mode, also when the reader is slow, interrupted or out of memory; single keys.
 *
 * The property test makes a table, ranges and split points from a seed and checks that
 * what is read is what is in the ranges, nothing twice.
 */
#include "ots_world.h"

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
	{"row errors", test_row_errors},
	{"single key", test_single_key},
	{"room", test_room},
	{"try", test_try},
	{"memory", test_memory},
	{"property", test_property},
};

UNIT_MAIN(cases)
