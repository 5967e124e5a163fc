/*
 * odps_select.c
 *		mc-emulator, MaxCompute part: SELECT 1, SELECT * and SELECT COUNT(*) of one
 *		table, with equality conditions on partition columns.
 *
 * The result is a content with a schema of its own, so the instance tunnel serves
 * it like a table; SELECT * of an unpartitioned table shares its segments.
 * Reference: maxcompute.md 2.8, 10.4.
 */
#include "odps_sql.h"

#include <stdlib.h>

#define SEGMENT_BYTES ((size_t) 64 << 20)

static bool
single_value(odps_result *result, const char *type, int64_t value, mcw_error *err)
{
	odps_coldef col = {MCW_LIT("_c0"), mcw_str(type), MCW_LIT(""), false};
	mcw_odps_writer writer;
	odps_segment *seg;
	mcw_buf		records;

	result->schema = odps_schema_make(&col, 1, NULL, 0, err);
	if (!result->schema)
		return false;
	mcw_buf_init(&records, &mcw_malloc, 1 << 16);
	mcw_odps_writer_init(&writer, &records);
	mcw_odps_begin_record(&writer);
	mcw_odps_put_int(&writer, 1, value);
	if (mcw_odps_end_record(&writer) != MCW_OK)
		emu_oom();
	seg = odps_segment_index(result->schema, &records, err);
	if (!seg)
		return false;
	result->content = odps_content_make(&seg, 1);
	odps_segment_unref(seg);
	return true;
}

/* Values the partition columns must have (data NULL = any) */
static bool
partition_filter(const odps_stmt *stmt, const odps_table *table, mcw_arena *arena, mcw_view *values, mcw_error *err)
{
	for (int i = 0; i < table->schema->nkeys; i++)
		values[i] = (mcw_view) {NULL, 0};
	for (int i = 0; i < stmt->where.n; i++)
	{
		int			k = odps_schema_key(table->schema, stmt->where.name[i]);

		if (k < 0)
		{
			mcw_fail(err, MCW_ERR_FORMAT, "ODPS-0130161:[1,1] Parse exception - the emulator compares partition columns only, not %.*s",
					 (int) stmt->where.name[i].len, stmt->where.name[i].data);
			return false;
		}
		if (!odps_key_value(&table->schema->keys[k], stmt->where.value[i], arena, &values[k], err))
			return false;
	}
	return true;
}

static bool
fits(const odps_table *table, const odps_partition *part, const mcw_view *values)
{
	for (int i = 0; i < table->schema->nkeys; i++)
		if (values[i].data && !mcw_view_eq(values[i], mcw_str(part->values[i])))
			return false;
	return true;
}

/* ---- SELECT * of a partitioned table: the partition columns are appended ---- */

typedef struct widen
{
	const odps_table *table;
	const odps_partition *part;
	const odps_schema *out_schema;
	mcw_buf		records;
	mcw_odps_writer writer;
	odps_segment **segs;
	int			nsegs;
	int64_t		left;			/* rows still wanted, -1 = all */
	mcw_error  *err;
} widen;

static bool
flush_segment(widen *w)
{
	odps_segment *seg = odps_segment_index(w->out_schema, &w->records, w->err);

	if (!seg)
		return false;
	w->segs = emu_realloc(w->segs, sizeof(*w->segs) * (w->nsegs + 1));
	w->segs[w->nsegs++] = seg;
	mcw_odps_writer_init(&w->writer, &w->records);
	return true;
}

static bool
widen_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	widen	   *w = ctx;
	const odps_schema *s = w->table->schema;

	(void) seg;
	(void) record;
	if (w->left == 0)
		return false;
	if (w->left > 0)
		w->left--;
	mcw_odps_begin_record(&w->writer);
	for (int i = 0; i < s->ncolumns; i++)
		if (!values[i].is_null)
			(void) odps_value_put(&w->writer, i + 1, s->types[i], &values[i]);
	for (int i = 0; i < s->nkeys; i++)
		(void) odps_key_put(&w->writer, s->ncolumns + i + 1, s->keys[i].type, mcw_str(w->part->values[i]));
	if (mcw_odps_end_record(&w->writer) != MCW_OK)
		emu_oom();
	return w->records.len < SEGMENT_BYTES || flush_segment(w);
}

static bool
select_partitioned(const odps_stmt *stmt, odps_table *table, const mcw_view *values, odps_result *result, mcw_error *err)
{
	widen		w = {table};
	bool		ok = true;

	w.out_schema = result->schema;
	w.left = stmt->limit;
	w.err = err;
	mcw_buf_init(&w.records, &mcw_malloc, (size_t) 2 << 30);
	mcw_odps_writer_init(&w.writer, &w.records);
	for (int i = 0; ok && i < table->nparts; i++)
	{
		if (!fits(table, table->parts[i], values))
			continue;
		w.part = table->parts[i];
		ok = odps_content_walk(table->schema, w.part->content, widen_row, &w, err) == MCW_OK;
	}
	ok = ok && flush_segment(&w);
	if (ok)
		result->content = odps_content_make(w.segs, w.nsegs);
	for (int i = 0; i < w.nsegs; i++)
		odps_segment_unref(w.segs[i]);
	free(w.segs);
	mcw_buf_free(&w.records);
	return ok;
}

/* ---- CSV ---- */

typedef struct csv
{
	const odps_schema *schema;
	const int  *columns;		/* NULL: all */
	int			ncolumns;
	mcw_buf    *out;
	mcw_buf		field;
	int			left;
} csv;

static void
put_field(mcw_buf *out, mcw_view v)
{
	(void) mcw_buf_append_char(out, '"');
	for (size_t i = 0; i < v.len; i++)
	{
		if (v.data[i] == '"')
			(void) mcw_buf_append_char(out, '"');
		(void) mcw_buf_append_char(out, v.data[i]);
	}
	(void) mcw_buf_append_char(out, '"');
}

static bool
csv_row(void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record)
{
	csv		   *c = ctx;

	(void) seg;
	(void) record;
	if (c->left-- <= 0)
		return false;
	for (int k = 0; k < c->ncolumns; k++)
	{
		int			i = c->columns ? c->columns[k] : k;

		if (k)
			(void) mcw_buf_append_char(c->out, ',');
		if (values[i].is_null)
		{
			(void) mcw_buf_append_str(c->out, "\\N");
			continue;
		}
		mcw_buf_reset(&c->field);
		odps_value_csv(&c->field, c->schema->types[i], &values[i]);
		put_field(c->out, mcw_buf_view(&c->field));
	}
	(void) mcw_buf_append_char(c->out, '\n');
	return true;
}

static bool
write_columns(const odps_result *result, const int *columns, int n, mcw_buf *out, mcw_error *err)
{
	csv			c = {result->schema, columns, n, out};
	bool		ok;

	c.left = odps_set.result_rows;
	mcw_buf_init(&c.field, &mcw_malloc, (size_t) 64 << 20);
	for (int k = 0; k < n; k++)
	{
		if (k)
			(void) mcw_buf_append_char(out, ',');
		put_field(out, mcw_str(result->schema->columns[columns ? columns[k] : k].name));
	}
	(void) mcw_buf_append_char(out, '\n');
	ok = odps_content_walk(result->schema, result->content, csv_row, &c, err) == MCW_OK;
	mcw_buf_free(&c.field);
	return ok;
}

static bool
write_csv(odps_result *result, mcw_error *err)
{
	return write_columns(result, NULL, result->schema->ncolumns, &result->text, err);
}

/* The first rows of a table as CSV: the old way to look at one (2.3) */
bool
odps_head(odps_table *table, const mcw_view *values, int64_t limit, mcw_view cols, mcw_arena *arena, mcw_buf *out, mcw_error *err)
{
	odps_stmt	stmt = {.kind = SQL_SELECT_ALL, .limit = limit};
	odps_result result = {0};
	int		   *columns = mcw_arena_new(arena, sizeof(int) * (cols.len + 1));
	int			n = 0;
	bool		ok;

	for (int i = 0; i < table->schema->nkeys; i++)
		if (values[i].data)
		{
			stmt.where.name[stmt.where.n] = mcw_str(table->schema->keys[i].name);
			stmt.where.value[stmt.where.n++] = values[i];
		}
	mcw_buf_init(&result.text, &mcw_malloc, (size_t) 1 << 30);
	ok = columns && odps_select(&stmt, table, true, arena, &result, err);
	while (ok && cols.len > 0)
	{
		const char *comma = memchr(cols.data, ',', cols.len);
		mcw_view	one = {cols.data, comma ? (size_t) (comma - cols.data) : cols.len};

		columns[n] = odps_schema_column(result.schema, one);
		if (columns[n++] < 0)
			ok = mcw_fail(err, MCW_ERR_ARGUMENT, "no column %.*s", (int) one.len, one.data) == MCW_OK;
		cols.data += one.len + (comma ? 1 : 0);
		cols.len -= one.len + (comma ? 1 : 0);
	}
	if (ok && n > 0)
		ok = write_columns(&result, columns, n, out, err);
	else if (ok)
		(void) mcw_buf_append_view(out, mcw_buf_view(&result.text));
	odps_result_free(&result);
	return ok;
}

bool
odps_select(const odps_stmt *stmt, odps_table *table, bool odps2, mcw_arena *arena, odps_result *result, mcw_error *err)
{
	mcw_view	values[ODPS_MAX_KEYS];
	uint64_t	rows = 0;
	bool		ok;

	result->is_select = true;
	result->format = "csv";
	if (stmt->kind == SQL_SELECT_ONE)
		return single_value(result, odps2 ? "int" : "bigint", 1, err) && write_csv(result, err);
	if (!partition_filter(stmt, table, arena, values, err))
		return false;
	if (stmt->kind == SQL_SELECT_COUNT)
	{
		for (int i = 0; i < table->nparts; i++)
			if (fits(table, table->parts[i], values))
				rows += table->parts[i]->content->nrecords;
		return single_value(result, "bigint", (int64_t) rows, err) && write_csv(result, err);
	}
	result->schema = odps_schema_widen(table->schema);
	if (table->schema->nkeys > 0)
		ok = select_partitioned(stmt, table, values, result, err);
	else
	{
		result->content = stmt->limit >= 0 && (uint64_t) stmt->limit < table->parts[0]->content->nrecords ?
			odps_content_head(table->parts[0]->content, stmt->limit) : odps_content_ref(table->parts[0]->content);
		ok = true;
	}
	return ok && write_csv(result, err);
}
