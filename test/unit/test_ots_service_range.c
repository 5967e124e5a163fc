/*
 * test_ots_service_range.c
 *		Ranges of a Tablestore scan: what they cost, split points, answers that break
 *		the rules, faults at every request.
 */
#include "ots_world.h"

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

/* The same until full pages are due: then nothing tells the scan from one that is read whole */
static void
test_row_limit_grown(void)
{
	ots_rig		rig = {0};
	world	   *w = malloc(sizeof(*w));
	mcs_ots_range range;
	mcs_ots_scan_spec spec;
	harvest		h;

	simple_world(w, &rig.model, MAX_ROWS, 1, 15);
	ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
	range = whole(&rig.model.schema, false);
	spec = plain_spec(&rig.model, &range, 1);
	spec.row_limit = 2499;
	spec.first_requests = 1;
	rig.model.delay_us = 3000;
	check_whole(&rig, &spec, &h);
	CHECK_INT(rig.model.max_limit, 4998);
	CHECK_INT(rig.model.splits, 1);
	CHECK_INT(h.info.splits, 16);
	CHECK_INT(rig.model.max_in_flight, 8);
	ots_rig_free(&rig);
	free(w);
}

/* More split points than we take: fewer are asked for, and without any the table is read all the same */
static void
test_huge_splits(void)
{
	for (int huge = 1; huge <= 4; huge++)
	{
		ots_rig		rig = {0};
		world	   *w = malloc(sizeof(*w));
		mcs_ots_range range;
		mcs_ots_scan_spec spec;
		harvest		h;

		simple_world(w, &rig.model, MAX_ROWS, 1, 15);
		rig.model.huge_splits = huge;
		ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
		range = whole(&rig.model.schema, false);
		spec = plain_spec(&rig.model, &range, 1);
		check_whole(&rig, &spec, &h);
		CHECK_INT(rig.model.splits, huge < 3 ? huge + 1 : 3);
		CHECK_INT(h.info.splits, huge < 3 ? 16 : 1);
		ots_rig_free(&rig);
		free(w);
	}
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

/* How often each row came; false = some answer or page was refused */
static bool
count_rows(ots_rig *rig, const mcs_ots_scan_spec *spec, int *counts, int n)
{
	static const mcw_view column = MCW_LIT("v");
	mcw_error	err;
	mcs_ots_scan *scan = mcs_ots_scan_create(&rig->ots, spec, &err);
	mcw_ots_reader *reader = mcw_ots_reader_create(&mcw_malloc, &column, 1);
	mcs_ots_page *page;
	mcw_ots_row row;
	mcw_ots_value value;
	mcw_status	status = MCW_OK;

	memset(counts, 0, sizeof(*counts) * (size_t) n);
	while (status == MCW_OK && (status = mcs_ots_scan_next(scan, &page, &err)) == MCW_OK)
	{
		status = mcw_ots_reader_page(reader, page->rows, false, &err);
		while (status == MCW_OK && (status = mcw_ots_next_row(reader, &row, &value, NULL, &err)) == MCW_OK)
			if (CHECK(value.type == MCW_OTS_INTEGER && value.i >= 0 && value.i < n))
				counts[value.i]++;
		if (status == MCW_END)
			status = MCW_OK;
		mcs_ots_scan_release(scan, page);
	}
	mcw_ots_reader_free(reader);
	mcs_ots_scan_free(scan);
	return status == MCW_END;
}

#define BITS_PER_RIG 100		/* each refused answer costs a connection */

/* Flips bits of one answer until it has no more; how many scans were refused */
static int
flip_bits(ots_model *model, mcs_ots_scan_spec *spec, int answer)
{
	int			refused = 0;

	for (int bit = 0;;)
	{
		ots_rig		rig = {.one_attempt = true, .model = *model};
		int			last = bit + BITS_PER_RIG;

		ots_rig_init(&rig, &mcw_malloc, mcs_ots_retry_rules, "", "");
		for (; bit < last; bit++)
		{
			ots_step	steps[4] = {{OTS_FINE}};
			int			counts[10];
			bool		right = true;

			steps[answer] = (ots_step) {.fault = OTS_FLIPPED, .rows = bit};
			rig.model.steps = steps;
			rig.model.nsteps = answer + 1;
			rig.model.counted = rig.model.flipped = 0;
			if (!count_rows(&rig, spec, counts, 10))
			{
				refused++;
				continue;
			}
			for (int i = 0; i < 10; i++)
				right = right && counts[i] == 1 + (i == 3) + (i == 7 && spec->nkeys == 2);
			if (!CHECK(right))
				printf("    bit %d of answer %d, %d keys\n", bit, answer, spec->nkeys);
			if (rig.model.flipped == 0)
				break;
		}
		ots_rig_free(&rig);
		if (bit < last)
			return refused;
	}
}

/*
 * No bit of an answer may be another, pages without MD5 included: the answer or its
 * rows are refused, or nothing is missing and nothing is new.
 */
static void
test_flipped_bits(void)
{
	world	   *w = malloc(sizeof(*w));
	mcw_ots_key keys[] = {{.n = 1, .v = {mcw_ots_int(3)}}, {.n = 1, .v = {mcw_ots_int(7)}}};
	ots_model	model = {.nrows = 0};
	mcs_ots_range range;
	mcs_ots_scan_spec spec;

	simple_world(w, &model, 10, 4, 0);
	range = whole(&model.schema, false);
	spec = plain_spec(&model, &range, 1);
	spec.concurrency = 1;
	spec.keys = keys;
	/* three pages, then keys: one (GetRow) or two (BatchGetRow) */
	for (int answer = 0; answer < 4; answer++)
		for (spec.nkeys = 1; spec.nkeys <= (answer == 3 ? 2 : 1); spec.nkeys++)
			CHECK(flip_bits(&model, &spec, answer) > 100);
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

static const unit_case cases[] = {
	{"requests", test_requests},
	{"row limit", test_row_limit},
	{"row limit that has grown", test_row_limit_grown},
	{"too many split points", test_huge_splits},
	{"wrong next", test_wrong_next},
	{"faults", test_faults},
	{"flipped bits", test_flipped_bits},
	{"failure", test_failure},
	{"split refusal", test_split_refusal},
	{"few parts", test_few_parts},
};

UNIT_MAIN(cases)
