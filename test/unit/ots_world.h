/*
 * ots_world.h
 *		Tables for the scan tests of Tablestore, made by hand or from a seed, and a
 *		reader that keeps what a scan hands out.
 */
#ifndef OTS_WORLD_H
#define OTS_WORLD_H

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

static const char *const ots_names[] = {"k1", "k2", "k3", "k4"};

/* ---- random keys ---- */

static inline mcw_ots_value
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

static inline mcw_ots_key
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

static inline int
compare_keys(const void *a, const void *b)
{
	return mcw_ots_key_cmp(a, b);
}

/* ascending, none twice */
static inline int
sort_keys(mcw_ots_key *keys, int n)
{
	int			kept = 0;

	qsort(keys, n, sizeof(*keys), compare_keys);
	for (int i = 0; i < n; i++)
		if (kept == 0 || mcw_ots_key_cmp(&keys[kept - 1], &keys[i]) != 0)
			keys[kept++] = keys[i];
	return kept;
}

static inline void
random_world(unit_random *r, world *w, ots_model *model)
{
	static const mcw_ots_type types[] = {MCW_OTS_INTEGER, MCW_OTS_STRING, MCW_OTS_BINARY};
	mcw_ots_schema *schema = &model->schema;
	int			percent = unit_below(r, 3) * 45;

	memset(w, 0, sizeof(*w));
	schema->nkeys = 1 + unit_below(r, MCW_OTS_MAX_KEYS);
	for (int i = 0; i < schema->nkeys; i++)
		schema->keys[i] = (mcw_ots_key_column) {mcw_str(ots_names[i]), types[unit_below(r, 3)]};
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

static inline bool
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

static inline void
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

static inline mcs_ots_range
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

static inline mcs_ots_scan_spec
plain_spec(const ots_model *model, const mcs_ots_range *range, int nranges)
{
	return (mcs_ots_scan_spec) {.table = MCW_LIT(OTS_TABLE), .schema = &model->schema, .max_versions = 1,
		.ranges = range, .nranges = nranges, .concurrency = 8, .first_requests = 8, .split_size = 4 << 20};
}

static inline int
compare_ints(const void *a, const void *b)
{
	return *(const int *) a - *(const int *) b;
}

static inline bool
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

/* ---- one INTEGER key 0 .. n-1 ---- */

static inline void
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

static inline void
check_whole(ots_rig *rig, const mcs_ots_scan_spec *spec, harvest *h)
{
	int			want[MAX_ROWS];
	int			n = 0;

	for (int i = 0; i < rig->model.nrows; i++)
		want[n++] = i;
	read_all(rig, spec, NULL, h);
	(void) check_rows(h, want, n, spec->ordered);
}

#endif							/* OTS_WORLD_H */
