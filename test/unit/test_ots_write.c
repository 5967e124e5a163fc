/*
 * test_ots_write.c
 *		The Tablestore writer against a small server: batches, merging, every class of
 *		failure, and a model under random failures.
 */
#include "ots_write_server.h"

/* ---- rig ---- */

typedef struct rig
{
	net_rig		net;
	w_model		m;
	mcs_ots		ots;
	mcs_ots_writer_spec spec;
	mcs_ots_writer *writer;
	unit_heap	heap;
	mcw_error	err;
	/* told by the callback, by tag */
	int			told[20000];
	mcs_ots_row_outcome outcome[20000];
	int64_t		returned[20000];
	int			refused;
	mcw_error	refusal;
	char		refused_key[100];
} rig;

static void
on_row(void *ctx, const mcs_ots_row_report *r)
{
	rig		   *g = ctx;

	g->told[r->tag]++;
	g->outcome[r->tag] = r->outcome;
	if (r->outcome == MCS_OTS_ROW_REFUSED)
	{
		g->refused++;
		g->refusal = *r->err;
		(void) mcs_ots_key_text(&r->key, g->refused_key, sizeof(g->refused_key));
	}
	if (r->row.len > 0)
	{
		mcw_ots_key key;
		mcw_error	err;

		CHECK_OK(mcw_ots_read_key(r->row, &g->m.model.schema, &key, &err));
		g->returned[r->tag] = key.v[key.n - 1].i;
	}
}

static rig *
begin(const w_step *steps, int nsteps)
{
	mcw_credentials cred = {MCW_LIT(OTS_ID), MCW_LIT(OTS_SECRET), MCW_LIT("")};
	rig		   *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	unit_heap_init(&g->heap, 0);
	g->m.model.schema.nkeys = 1;
	g->m.model.schema.keys[0] = (mcw_ots_key_column) {MCW_LIT("k"), MCW_OTS_INTEGER};
	g->m.steps = steps;
	g->m.nsteps = nsteps;
	g->m.next_auto = 1000;
	pthread_mutex_init(&g->m.model.lock, NULL);
	net_start(&g->net.server, NULL, 0);
	g->net.server.handler_ctx = &g->m;
	g->net.server.handler = w_handler;
	g->net.loop = net_loop(&g->net.host);
	g->net.options = mcn_default_options;
	g->net.rules = mcs_ots_retry_rules;
	net_rig_channel(&g->net);
	mcs_ots_init(&g->ots, g->net.loop, g->net.channel, &g->heap.alloc, &cred, MCW_LIT(OTS_INSTANCE), MCW_LIT(""));
	g->spec = (mcs_ots_writer_spec) {
		.table = MCW_LIT(OTS_TABLE), .schema = &g->m.model.schema, .batch_rows = 200, .batch_bytes = 4 << 20,
		.concurrency = 4, .max_buffered = 16 << 20, .returns = MCW_OTS_RETURN_KEY, .on_row = on_row, .ctx = g
	};
	return g;
}

static void
open_writer(rig *g)
{
	g->writer = mcs_ots_writer_create(&g->ots, &g->spec, &g->err);
	if (!CHECK(g->writer != NULL))
		exit(2);
}

static void
end(rig *g)
{
	mcs_ots_writer_free(g->writer);
	CHECK_INT(g->heap.outstanding, 0);
	CHECK_INT(g->m.repeated, 0);
	CHECK_INT(g->m.overtaken, 0);
	net_rig_free(&g->net);
	pthread_mutex_destroy(&g->m.model.lock);
	free(g);
}

/* a change of columns from 'first' on; value DROP deletes */
#define DROP INT64_MIN

typedef struct spec_cell
{
	int			column;
	int64_t		version;
	int64_t		value;
} spec_cell;

static void
encode(const rig *g, mcw_buf *out, const mcw_ots_key *key, mcw_ots_change kind, const spec_cell *cells, int n)
{
	mcw_ots_writer w;

	mcw_buf_reset(out);
	mcw_ots_begin_row(&w, out);
	for (int i = 0; i < key->n; i++)
	{
		mcw_ots_name name = mcw_ots_make_name(g->m.model.schema.keys[i].name);

		mcw_ots_put_key(&w, &name, &key->v[i]);
	}
	for (int i = 0; i < n; i++)
	{
		char		letter = (char) ('a' + cells[i].column);
		mcw_ots_name name = mcw_ots_make_name((mcw_view) {&letter, 1});
		mcw_ots_value value = mcw_ots_int(cells[i].value);

		if (cells[i].value == DROP)
			mcw_ots_put_cell(&w, &name, NULL, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP);
		else
			mcw_ots_put_cell(&w, &name, &value, MCW_OTS_PUT, cells[i].version);
	}
	if (kind == MCW_OTS_DELETE_ROW)
		mcw_ots_put_delete_marker(&w);
	CHECK_OK(mcw_ots_end_row(&w));
}

static mcw_status
add(rig *g, mcw_ots_change kind, mcw_ots_existence existence, int64_t k, uint64_t tag, const spec_cell *cells, int n)
{
	mcw_ots_key key = {g->m.model.schema.nkeys};
	mcw_buf		row;
	mcw_status	status;

	key.v[0] = mcw_ots_int(1);
	key.v[key.n - 1] = k < 0 ? mcw_ots_none(MCW_OTS_AUTO_INCREMENT) : mcw_ots_int(k);
	mcw_buf_init(&row, &mcw_malloc, 8 << 20);
	encode(g, &row, &key, kind, cells, n);
	status = mcs_ots_writer_add(g->writer, kind, existence, &key, mcw_buf_view(&row), tag, &g->err);
	mcw_buf_free(&row);
	return status;
}

static mcw_status
put(rig *g, int64_t k, uint64_t tag, int64_t value)
{
	spec_cell	cell = {0, 5, value};

	return add(g, MCW_OTS_PUT_ROW, MCW_OTS_IGNORE, k, tag, &cell, 1);
}

#define flush(g) mcs_ots_writer_flush((g)->writer, &(g)->err)
#define info(g) mcs_ots_writer_get_info((g)->writer)

/* ---- cases ---- */

static void
test_batches(void)
{
	rig		   *g = begin(NULL, 0);

	g->m.model.delay_us = 3000;
	open_writer(g);
	for (int i = 0; i < 1900; i++)
		CHECK_OK(put(g, i, (uint64_t) i, i * 3));
	CHECK_OK(flush(g));
	CHECK_OK(flush(g));
	for (int i = 0; i < 1900; i++)
	{
		CHECK_INT(g->told[i], 1);
		CHECK_INT(g->outcome[i], MCS_OTS_ROW_DONE);
		CHECK_INT(g->m.rows[i].value[0], i * 3);
	}
	CHECK_INT(info(g)->rows, 1900);
	CHECK_INT(info(g)->batches, 10);
	CHECK_INT(info(g)->read_units, 1900);
	CHECK_INT(info(g)->merged, 0);
	CHECK_INT(g->m.max_rows, 200);
	CHECK(g->m.model.max_in_flight > 1 && g->m.model.max_in_flight <= 4);
	end(g);
}

/* Cut by bytes; a row alone above the limit is refused before it is sent */
static void
test_bytes(void)
{
	rig		   *g = begin(NULL, 0);
	mcw_ots_name name = mcw_ots_make_name(MCW_LIT("blob"));
	char	   *blob = calloc(1, 2 << 20);
	mcw_buf		row;

	g->spec.max_buffered = 12 << 20;
	open_writer(g);
	mcw_buf_init(&row, &mcw_malloc, 16 << 20);
	for (int i = 0; i < 24; i++)
	{
		mcw_ots_key key = {1, {mcw_ots_int(i)}};
		mcw_ots_value value = mcw_ots_bytes(MCW_OTS_BINARY, (mcw_view) {blob, 1 << 20});
		mcw_ots_writer w;
		mcw_ots_name k = mcw_ots_make_name(MCW_LIT("k"));

		mcw_buf_reset(&row);
		mcw_ots_begin_row(&w, &row);
		mcw_ots_put_key(&w, &k, &key.v[0]);
		for (int n = 0; n < (i == 7 ? 5 : 1); n++)
			mcw_ots_put_cell(&w, &name, &value, MCW_OTS_PUT, n);
		CHECK_OK(mcw_ots_end_row(&w));
		CHECK_OK(mcs_ots_writer_add(g->writer, MCW_OTS_PUT_ROW, MCW_OTS_IGNORE, &key, mcw_buf_view(&row), (uint64_t) i, &g->err));
	}
	CHECK_OK(flush(g));
	CHECK_INT(info(g)->rows, 23);
	CHECK_INT(g->refused, 1);
	CHECK_INT(g->outcome[7], MCS_OTS_ROW_REFUSED);
	CHECK_INT(g->refusal.status, MCW_ERR_LIMIT);
	CHECK_STR(g->refused_key, "(7)");
	CHECK(g->m.max_body < 5000000);
	CHECK(g->m.max_rows >= 2);
	/* held, and what curl and the answers need beside */
	CHECK(g->heap.peak < 24 << 20);
	mcw_buf_free(&row);
	free(blob);
	end(g);
}

static void
test_merge(void)
{
	rig		   *g = begin(NULL, 0);
	spec_cell	cells[3];

	open_writer(g);
	/* union of updates, the later value of a column and version */
	for (int i = 0; i < 100; i++)
	{
		cells[0] = (spec_cell) {i % 3, 9, i};
		CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, 1, (uint64_t) i, cells, 1));
	}
	/* a put makes what is before it void, and takes later updates in */
	cells[0] = (spec_cell) {0, 9, 1};
	cells[1] = (spec_cell) {1, 9, 2};
	CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, 2, 100, cells, 2));
	CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_IGNORE, 2, 101, cells, 2));
	cells[0] = (spec_cell) {0, 9, DROP};
	cells[1] = (spec_cell) {2, 9, 7};
	CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, 2, 102, cells, 2));
	/* a delete replaces; what comes after it waits or replaces it */
	CHECK_OK(put(g, 3, 103, 1));
	CHECK_OK(add(g, MCW_OTS_DELETE_ROW, MCW_OTS_IGNORE, 3, 104, NULL, 0));
	CHECK_OK(put(g, 4, 105, 1));
	CHECK_OK(add(g, MCW_OTS_DELETE_ROW, MCW_OTS_IGNORE, 4, 106, NULL, 0));
	CHECK_OK(put(g, 4, 107, 8));
	/* a deleted column that comes back is two requests */
	cells[0] = (spec_cell) {0, 9, DROP};
	CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, 5, 108, cells, 1));
	cells[0] = (spec_cell) {0, 9, 4};
	CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, 5, 109, cells, 1));
	/* conditions are not merged */
	CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 6, 110, cells, 1));
	CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 6, 111, cells, 1));
	CHECK_OK(flush(g));
	for (int i = 0; i < 112; i++)
		CHECK_INT(g->told[i], 1);
	CHECK_INT(g->m.rows[1].value[0], 99);
	CHECK_INT(g->m.rows[1].value[1], 97);
	CHECK_INT(g->m.rows[1].value[2], 98);
	CHECK(!g->m.rows[2].has[0] && g->m.rows[2].value[1] == 2 && g->m.rows[2].value[2] == 7);
	CHECK(!g->m.rows[3].exists);
	CHECK_INT(g->m.rows[4].value[0], 8);
	CHECK_INT(g->m.rows[5].value[0], 4);
	CHECK_INT(g->outcome[110], MCS_OTS_ROW_DONE);
	CHECK_INT(g->outcome[111], MCS_OTS_ROW_EXISTS);
	CHECK_INT(info(g)->merged, 99 + 2 + 1 + 2);
	CHECK_INT(info(g)->batches, 2);
	CHECK_INT(g->m.changes[MCW_OTS_PUT_ROW], 4);
	CHECK_INT(g->m.changes[MCW_OTS_UPDATE_ROW], 3);
	CHECK_INT(g->m.changes[MCW_OTS_DELETE_ROW], 1);
	end(g);
}

/* What was merged and refused is done again one by one, in order */
static void
test_unmerge(void)
{
	for (int whole = 0; whole < 2; whole++)
	{
		rig		   *g = begin(NULL, 0);
		spec_cell	cell = {0, 9, 1};

		g->m.refuse_whole = whole;
		open_writer(g);
		for (int i = 0; i < 6; i++)
		{
			cell = (spec_cell) {i % 3, 9, i == 4 ? W_BAD : i};
			CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, 1, (uint64_t) i, &cell, 1));
			CHECK_OK(put(g, 100 + i, (uint64_t) (10 + i), i));
		}
		CHECK_OK(flush(g));
		CHECK_INT(g->refused, 1);
		CHECK_INT(g->outcome[4], MCS_OTS_ROW_REFUSED);
		CHECK_INT(g->told[4], 1);
		CHECK_INT(info(g)->rows, 11);
		CHECK_INT(g->m.rows[1].value[0], 3);
		CHECK_INT(g->m.rows[1].value[1], 1);
		CHECK_INT(g->m.rows[1].value[2], 5);
		end(g);
	}
}

static void
test_row_retry(void)
{
	static const w_step steps[] = {{W_ROWS, 0, "OTSServerBusy", 50}, {W_ROWS, 0, "OTSTimeout", 2}, {W_ROWS_APPLIED, 0, "OTSTimeout", 1}};
	rig		   *g = begin(steps, 3);

	open_writer(g);
	for (int i = 0; i < 200; i++)
		CHECK_OK(put(g, i, (uint64_t) i, i));
	CHECK_OK(flush(g));
	CHECK_INT(info(g)->rows, 200);
	CHECK(info(g)->row_retries >= 4);
	/* only failed rows go again */
	CHECK(g->m.changes[MCW_OTS_PUT_ROW] == 200 + info(g)->row_retries);
	for (int i = 0; i < 200; i++)
		CHECK(g->told[i] == 1 && g->m.rows[i].value[0] == i);
	end(g);
}

static void
test_give_up(void)
{
	static const w_step busy[] = {
		{W_ROWS, 0, "OTSRowOperationConflict", 3}, {W_ROWS, 0, "OTSRowOperationConflict", 1},
		{W_ROWS, 0, "OTSRowOperationConflict", 1}, {W_ROWS, 0, "OTSRowOperationConflict", 1}
	};
	rig		   *g = begin(busy, 4);

	g->net.options.max_retries = 2;
	net_rig_options(&g->net);
	g->ots.channel = g->net.channel;
	open_writer(g);
	CHECK_OK(put(g, 7, 0, 1));
	CHECK_OK(put(g, 8, 1, 1));
	CHECK_INT(flush(g), MCW_ERR_SERVICE);
	CHECK_STR(g->err.code, "OTSRowOperationConflict");
	CHECK_STR(g->err.request_id, "request-1");
	CHECK(strstr(g->err.message, "gave up after 3 attempts") != NULL);
	CHECK_STR(mcs_ots_writer_failed_at(g->writer), "(7)");
	/* final */
	CHECK_INT(put(g, 9, 2, 1), MCW_ERR_SERVICE);
	CHECK_INT(flush(g), MCW_ERR_SERVICE);
	CHECK_INT(g->told[0], 0);
	CHECK_INT(g->told[1], 1);
	/* both were answered: refused, not lost */
	CHECK_INT(mcs_ots_writer_unknown(g->writer), 0);
	end(g);
}

/* What no row can help ends the statement, as a row's error and as a request's */
static void
test_hopeless(void)
{
	static const w_step steps[][1] = {
		{{W_ROWS, 0, "OTSObjectNotExist", 1}}, {{W_HTTP, 404, "OTSObjectNotExist"}},
		{{W_HTTP, 403, "OTSNoPermissionAccess"}}, {{W_ROWS, 0, "OTSNoSuchThing", 1}}
	};

	for (int i = 0; i < 4; i++)
	{
		rig		   *g = begin(steps[i], 1);

		open_writer(g);
		CHECK_OK(put(g, 5, 0, 1));
		CHECK_OK(put(g, 6, 1, 1));
		CHECK_INT(flush(g), MCW_ERR_SERVICE);
		CHECK_STR(g->err.code, steps[i][0].code);
		CHECK_STR(mcs_ots_writer_failed_at(g->writer), "(5)");
		CHECK_INT(g->refused, 0);
		end(g);
	}
}

static void
test_whole_refusal(void)
{
	for (int whole = 0; whole < 2; whole++)
	{
		rig		   *g = begin(NULL, 0);

		g->m.refuse_whole = whole;
		open_writer(g);
		for (int i = 0; i < 600; i++)
			CHECK_OK(put(g, i, (uint64_t) i, i == 77 || i == 78 || i == 450 ? W_BAD : i));
		CHECK_OK(flush(g));
		CHECK_INT(g->refused, 3);
		CHECK_INT(info(g)->rows, 597);
		CHECK_STR(g->refusal.code, "OTSParameterInvalid");
		for (int i = 0; i < 600; i++)
			CHECK(g->told[i] == 1 &&
				  (g->outcome[i] == MCS_OTS_ROW_REFUSED) == (i == 77 || i == 78 || i == 450) &&
				  g->m.rows[i].exists == (g->outcome[i] == MCS_OTS_ROW_DONE));
		CHECK_INT(info(g)->single_rows > 0, whole);
		CHECK(g->m.batches < 70);
		end(g);
	}
}

/* Without a callback the first refusal is the failure, and names its row */
static void
test_no_callback(void)
{
	rig		   *g = begin(NULL, 0);
	spec_cell	cell = {0, 5, 1};

	g->spec.on_row = NULL;
	open_writer(g);
	CHECK_OK(put(g, 1, 0, 1));
	CHECK_OK(put(g, 2, 1, W_BAD));
	CHECK_INT(flush(g), MCW_ERR_SERVICE);
	CHECK_STR(mcs_ots_writer_failed_at(g->writer), "(2)");
	CHECK_STR(g->err.code, "OTSParameterInvalid");
	end(g);

	g = begin(NULL, 0);
	g->spec.on_row = NULL;
	g->m.rows[3].exists = true;
	open_writer(g);
	CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 3, 0, &cell, 1));
	CHECK_INT(flush(g), MCW_ERR_SERVICE);
	CHECK_STR(g->err.message, "the row exists already");
	end(g);
}

/* An insert, an update and a delete whose first answer is lost, applied or not */
static void
test_conditions(void)
{
	static const w_step steps[][1] = {
		{{W_FINE}}, {{W_LOST}}, {{W_RESET}}, {{W_HTTP_APPLIED, 503, "OTSTimeout"}}, {{W_HTTP, 500, "OTSInternalServerError"}},
		{{W_ROWS_APPLIED, 0, "OTSTimeout", 1}}, {{W_ROWS, 0, "OTSTimeout", 1}}, {{W_HTTP, 503, "OTSServerBusy"}}
	};

	for (int i = 0; i < 8; i++)
	{
		rig		   *g = begin(steps[i], 1);
		w_act		act = steps[i][0].act;
		bool		applied = act == W_LOST || act == W_HTTP_APPLIED || act == W_ROWS_APPLIED;
		bool		maybe = act != W_FINE && !(act == W_HTTP && steps[i][0].http == 503);
		spec_cell	cells[2] = {{0, 50, 11}, {1, 50, 12}};

		/* 1: nothing there; 2: somebody else's row, with the same values; 3: to be updated; 4: missing; 5: to be deleted; 6: missing */
		g->m.rows[2] = (w_row) {true, {true, true}, {49, 49}, {11, 12}};
		g->m.rows[3] = (w_row) {true, {true}, {49}, {1}};
		g->m.rows[5] = (w_row) {true, {true}, {49}, {1}};
		open_writer(g);
		CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 1, 1, cells, 2));
		CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 2, 2, cells, 2));
		CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_EXPECT_EXIST, 3, 3, cells, 2));
		CHECK_OK(add(g, MCW_OTS_UPDATE_ROW, MCW_OTS_EXPECT_EXIST, 4, 4, cells, 2));
		CHECK_OK(add(g, MCW_OTS_DELETE_ROW, MCW_OTS_EXPECT_EXIST, 5, 5, NULL, 0));
		CHECK_OK(add(g, MCW_OTS_DELETE_ROW, MCW_OTS_EXPECT_EXIST, 6, 6, NULL, 0));
		CHECK_OK(flush(g));
		CHECK_INT(g->outcome[1], MCS_OTS_ROW_DONE);
		CHECK_INT(g->outcome[2], MCS_OTS_ROW_EXISTS);
		CHECK_INT(g->outcome[3], MCS_OTS_ROW_DONE);
		CHECK_INT(g->outcome[4], MCS_OTS_ROW_MISSING);
		CHECK_INT(g->outcome[5], MCS_OTS_ROW_DONE);
		CHECK_INT(g->outcome[6], maybe ? MCS_OTS_ROW_DONE : MCS_OTS_ROW_MISSING);
		CHECK_INT(info(g)->settled, maybe ? 1 + applied : 0);
		CHECK_INT(g->m.gets, info(g)->settled);
		CHECK_INT(g->m.rows[1].value[1], 12);
		CHECK_INT(g->m.rows[2].version[0], 49);
		CHECK_INT(g->m.rows[3].value[0], 11);
		CHECK(!g->m.rows[4].exists && !g->m.rows[5].exists);
		end(g);
	}
}

/* Rows that an earlier attempt of the run may have written, with versions from 45 or from 50 on, up to ours or to 51 */
static void
test_own_rows(void)
{
	for (int variant = 0; variant < 4; variant++)
	{
		int64_t		since = variant % 2 == 0 ? 45 : 50;
		int64_t		until = variant / 2 == 0 ? since : 51;
		rig		   *g = begin(NULL, 0);
		spec_cell	cells[2] = {{0, 50, 11}, {1, 50, 12}};

		g->m.rows[1] = (w_row) {true, {true, true}, {50, 50}, {11, 12}};
		g->m.rows[2] = (w_row) {true, {true, true}, {44, 44}, {11, 12}};
		g->m.rows[3] = (w_row) {true, {true, true}, {50, 50}, {11, 13}};
		g->m.rows[4] = (w_row) {true, {true}, {50}, {11}};
		g->m.rows[6] = (w_row) {true, {true, true}, {45, 50}, {11, 12}};
		g->m.rows[7] = (w_row) {true, {true, true}, {51, 51}, {11, 12}};
		g->m.rows[8] = (w_row) {true, {false}, {0}, {0}};
		g->spec.own_rows = true;
		g->spec.own_since = since;
		g->spec.own_until = until;
		open_writer(g);
		for (int k = 1; k <= 9; k++)
			CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, k, (uint64_t) k, cells, 2));
		/* twice the same, and then another value */
		CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 9, 10, cells, 2));
		cells[1].value = 14;
		CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_EXPECT_NOT_EXIST, 9, 11, cells, 2));
		CHECK_OK(flush(g));
		for (int k = 1; k <= 11; k++)
			if (!CHECK_INT(g->outcome[k], k == 1 || k == 5 || (k == 6 && since == 45) || (k == 7 && until == 51) || k == 9 || k == 10 ?
						   MCS_OTS_ROW_DONE : MCS_OTS_ROW_EXISTS))
				printf("    row %d, versions from %d to %d\n", k, (int) since, (int) until);
		CHECK_INT(info(g)->settled, 9);
		CHECK_INT(g->m.rows[9].value[1], 12);
		end(g);
	}
}

static void
test_auto_increment(void)
{
	static const w_step lost[] = {{W_LOST}};
	static const w_step refused[] = {{W_HTTP, 503, "OTSServerBusy"}};

	for (int i = 0; i < 3; i++)
	{
		rig		   *g = begin(i == 0 ? lost : refused, i < 2);
		spec_cell	cell = {0, 5, 1};

		g->m.model.schema.nkeys = 2;
		g->m.model.schema.keys[0] = (mcw_ots_key_column) {MCW_LIT("p"), MCW_OTS_INTEGER};
		g->m.model.schema.keys[1] = (mcw_ots_key_column) {MCW_LIT("k"), MCW_OTS_INTEGER, true};
		open_writer(g);
		for (int n = 0; n < 10; n++)
			CHECK_OK(add(g, MCW_OTS_PUT_ROW, MCW_OTS_IGNORE, -1, (uint64_t) n, &cell, 1));
		CHECK_OK(flush(g));
		CHECK_INT(info(g)->rows, 10);
		CHECK_INT(info(g)->merged, 0);
		CHECK_INT(info(g)->repeated, i == 0 ? 10 : 0);
		for (int n = 0; n < 10; n++)
			CHECK_INT(g->returned[n], (i == 0 ? 1010 : 1000) + n);
		end(g);
	}
}

static void
test_interrupt(void)
{
	rig		   *g = begin(NULL, 0);
	mcw_status	status = MCW_OK;
	int			taken = 0;

	g->m.model.delay_us = 200000;
	g->spec.max_buffered = 20000;
	open_writer(g);
	g->net.host.interrupt_at_us = mcn_now_us() + 50000;
	while (taken < 1000 && (status = put(g, taken, (uint64_t) taken, taken)) == MCW_OK)
		taken++;
	CHECK_INT(status, MCW_ERR_INTERRUPTED);
	CHECK(taken > 0 && taken < 1000);
	CHECK_INT(flush(g), MCW_ERR_INTERRUPTED);
	CHECK(mcs_ots_writer_unknown(g->writer) > 0);
	/* usable after it: nothing is lost, nothing doubled */
	g->net.host.interrupt_at_us = 0;
	CHECK_OK(put(g, taken, (uint64_t) taken, taken));
	CHECK_OK(flush(g));
	CHECK_INT(mcs_ots_writer_unknown(g->writer), 0);
	for (int i = 0; i <= taken; i++)
		CHECK(g->told[i] == 1 && g->m.rows[i].value[0] == i);
	end(g);
}

static void
test_free_in_flight(void)
{
	rig		   *g = begin(NULL, 0);

	g->m.model.delay_us = 50000;
	open_writer(g);
	for (int i = 0; i < 500; i++)
		CHECK_OK(put(g, i % 300, (uint64_t) i, i));
	end(g);						/* checks that everything was given back */
}

static void
test_memory(void)
{
	rig		   *g = begin(NULL, 0);

	g->spec.max_buffered = 100000;
	open_writer(g);
	for (int i = 0; i < 15000; i++)
		CHECK_OK(put(g, i % W_KEYS, (uint64_t) i, i));
	CHECK_OK(flush(g));
	CHECK_INT(info(g)->rows, 15000);
	CHECK(g->heap.peak < 1000000);
	end(g);
}

/* Whatever allocation fails: an error or a result, and no leak */
static void
test_nomem(void)
{
	for (unsigned long n = 1; n < 60; n++)
	{
		rig		   *g = begin(NULL, 0);
		mcw_status	status = MCW_OK;

		unit_heap_init(&g->heap, n);
		g->writer = mcs_ots_writer_create(&g->ots, &g->spec, &g->err);
		if (g->writer)
		{
			for (int i = 0; i < 20 && status == MCW_OK; i++)
				status = put(g, i % 7, (uint64_t) i, i);
			if (status == MCW_OK)
				status = flush(g);
			CHECK(status == MCW_OK || g->err.message[0] != '\0');
			for (int i = 0; status == MCW_OK && i < 20; i++)
				CHECK_INT(g->told[i], 1);
		}
		else
			CHECK_INT(g->err.status, MCW_ERR_NOMEM);
		end(g);
	}
}

/* ---- a model: any order of changes under failures ends as if done one after the other ---- */

static mcs_ots_row_outcome
model_apply(w_row *row, mcw_ots_change kind, mcw_ots_existence existence, const spec_cell *cells, int n)
{
	for (int i = 0; i < n; i++)
		if (cells[i].value == W_BAD)
			return MCS_OTS_ROW_REFUSED;
	if (!w_holds(row, existence))
		return existence == MCW_OTS_EXPECT_EXIST ? MCS_OTS_ROW_MISSING : MCS_OTS_ROW_EXISTS;
	if (kind != MCW_OTS_UPDATE_ROW)
		memset(row, 0, sizeof(*row));
	if (kind == MCW_OTS_DELETE_ROW)
		return MCS_OTS_ROW_DONE;
	row->exists = true;
	for (int i = 0; i < n; i++)
	{
		mcw_ots_cell cell = {.timestamp = cells[i].version, .op = cells[i].value == DROP ? MCW_OTS_DELETE_ALL : MCW_OTS_PUT};
		char		letter = (char) ('a' + cells[i].column);

		cell.name = (mcw_view) {&letter, 1};
		cell.value = mcw_ots_int(cells[i].value);
		w_apply_cell(row, &cell);
	}
	return MCS_OTS_ROW_DONE;
}

static int
random_cells(unit_random *r, mcw_ots_change kind, int64_t version, int serial, spec_cell *cells)
{
	int			n = 0;

	if (kind == MCW_OTS_DELETE_ROW)
		return 0;
	for (int c = 0; c < W_COLUMNS; c++)
		if (unit_below(r, 2) == 0 || (c == W_COLUMNS - 1 && n == 0))
		{
			cells[n] = (spec_cell) {c, version, serial};
			if (kind == MCW_OTS_UPDATE_ROW && unit_below(r, 4) == 0)
				cells[n].value = DROP;
			n++;
		}
	if (unit_below(r, 40) == 0)
		cells[0].value = W_BAD;
	return n;
}

static void
one_model(int seed)
{
	enum {CHANGES = 400};
	rig		   *g = begin(NULL, 0);
	unit_random r = {(uint64_t) seed * 7919 + 1};
	w_row	   *rows = calloc(W_KEYS, sizeof(w_row));
	mcs_ots_row_outcome want[CHANGES];
	bool		deleted[CHANGES] = {false};
	int64_t		key_of[CHANGES];
	int			last[16] = {0};	/* change of each key */
	int			nkeys = 1 + (int) unit_below(&r, 12);
	bool		one_version = seed % 2 == 0;
	bool		conditions = seed % 3 != 0;

	g->m.random.state = (uint64_t) seed + 99;
	g->m.chance = seed % 5 == 0 ? 0 : 60;
	g->m.refuse_whole = seed % 4 == 1;
	g->spec.batch_rows = 1 + (int) unit_below(&r, 20);
	g->spec.max_buffered = 2000 + unit_below(&r, 100000);
	g->net.options.max_retries = 50;
	net_rig_options(&g->net);
	g->ots.channel = g->net.channel;
	open_writer(g);
	for (int i = 0; i < CHANGES; i++)
	{
		mcw_ots_change kind = (mcw_ots_change) (1 + unit_below(&r, 3));
		mcw_ots_existence existence = conditions && unit_below(&r, 4) == 0 ? (mcw_ots_existence) (1 + unit_below(&r, 2)) : MCW_OTS_IGNORE;
		int64_t		k = (int64_t) unit_below(&r, (size_t) nkeys);
		spec_cell	cells[W_COLUMNS];
		int			n;

		if (existence == MCW_OTS_EXPECT_NOT_EXIST)
			kind = MCW_OTS_PUT_ROW;
		n = random_cells(&r, kind, one_version && existence != MCW_OTS_EXPECT_NOT_EXIST ? 1000 : 1000 + i, i, cells);
		want[i] = model_apply(&rows[k], kind, existence, cells, n);
		deleted[i] = kind == MCW_OTS_DELETE_ROW;
		key_of[i] = k;
		last[k] = i;
		if (!CHECK_OK(add(g, kind, existence, k, (uint64_t) i, cells, n)))
			printf("    %s\n", g->err.message);
	}
	if (!CHECK_OK(flush(g)))
		printf("    %s %s\n", g->err.message, g->err.code);
	for (int i = 0; i < CHANGES; i++)
	{
		CHECK_INT(g->told[i], 1);
		/* a delete that is repeated finds nothing, as wanted; what a later change made void nobody judged */
		if (g->outcome[i] == MCS_OTS_ROW_DONE &&
			((want[i] == MCS_OTS_ROW_MISSING && deleted[i]) || (want[i] == MCS_OTS_ROW_REFUSED && i < last[key_of[i]])))
			continue;
		if (!CHECK_INT(g->outcome[i], want[i]))
			printf("    seed %d change %d\n", seed, i);
	}
	for (int k = 0; k < nkeys; k++)
	{
		const w_row *a = &rows[k];
		const w_row *b = &g->m.rows[k];
		bool		same = a->exists == b->exists;

		for (int c = 0; c < W_COLUMNS; c++)
			same = same && a->has[c] == b->has[c] &&
				(!a->has[c] || (a->value[c] == b->value[c] && a->version[c] == b->version[c]));
		if (!CHECK(same))
			printf("    seed %d key %d\n", seed, k);
	}
	free(rows);
	end(g);
}

static void
test_model(void)
{
	for (int seed = 1; seed <= 40; seed++)
		one_model(seed);
}

static const unit_case cases[] = {
	{"batches", test_batches},
	{"bytes", test_bytes},
	{"merge", test_merge},
	{"unmerge", test_unmerge},
	{"row retry", test_row_retry},
	{"give up", test_give_up},
	{"hopeless", test_hopeless},
	{"whole refusal", test_whole_refusal},
	{"no callback", test_no_callback},
	{"conditions", test_conditions},
	{"own rows", test_own_rows},
	{"auto increment", test_auto_increment},
	{"interrupt", test_interrupt},
	{"free in flight", test_free_in_flight},
	{"memory", test_memory},
	{"no memory", test_nomem},
	{"model", test_model},
};

UNIT_MAIN(cases)
