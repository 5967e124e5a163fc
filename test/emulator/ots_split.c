/*
 * ots_split.c
 *		mc-emulator, Tablestore part: ComputeSplitPointsBySize from the real sizes of rows.
 *		tablestore.md 2.3, 3.8.
 *
 * A split never crosses a partition: every partition's begin is a point too, as the
 * service's location of a split is one place.
 */
#include <stdlib.h>

#include "ots_private.h"

#define MIN_UNIT INT64_C(1048576)

typedef struct splits
{
	ots_table  *table;
	uint64_t	size;			/* bytes of a split */
	int64_t		limit;			/* points at most; 0 = no limit */
	mcw_buf		last;			/* sort key of the last point */
	mcw_buf		points;			/* members 3 */
	int			npoints;
	int		   *parts;			/* partition of each split */
} splits;

/* A point of the first n values, unless the one before was the same */
static bool
add_point(splits *s, const mcw_ots_value *values, int n, int part)
{
	mcw_buf		sort;
	mcw_buf		key;
	bool		fresh;

	mcw_buf_init(&sort, &mcw_malloc, OTS_MAX_SORT);
	ots_sort_key(&sort, values, n);
	fresh = mcw_view_cmp(mcw_buf_view(&sort), mcw_buf_view(&s->last)) > 0;
	if (fresh)
	{
		mcw_buf_reset(&s->last);
		mcw_buf_append_view(&s->last, mcw_buf_view(&sort));
		mcw_buf_init(&key, &mcw_malloc, 1 << 16);
		ots_plain_primary_key(&key, s->table, values, n);
		mcw_pb_put_bytes(&s->points, 3, mcw_buf_view(&key));
		mcw_buf_free(&key);
		s->npoints++;
		s->parts = emu_realloc(s->parts, (s->npoints + 1) * sizeof(int));
		s->parts[s->npoints] = part;
	}
	mcw_buf_free(&sort);
	return fresh;
}

static void
compute(splits *s)
{
	ots_table  *table = s->table;
	ots_cursor	c = {0, 0};
	ots_row    *row;
	uint64_t	bytes = 0;
	int			part = 0;
	mcw_ots_key key;

	for (; (row = ots_store_at(&table->rows, c)) != NULL; ots_store_next(&table->rows, &c))
	{
		while (part + 1 < table->nparts && mcw_view_cmp(table->parts[part + 1].begin, ots_row_sort(row)) <= 0)
		{
			part++;
			(void) add_point(s, &table->parts[part].begin_value, 1, part);
			bytes = 0;
		}
		if (bytes >= s->size && (s->limit == 0 || s->npoints < s->limit))
		{
			ots_row_key(table, row, &key);
			if (add_point(s, key.v, ots_set.split_prefix ? 1 : key.n, part))
				bytes = 0;
		}
		bytes += row->data_size;
	}
	while (++part < table->nparts)
		(void) add_point(s, &table->parts[part].begin_value, 1, part);
}

/* Runs of splits in one place: 32 characters, and how many in a row */
static void
put_locations(const splits *s, mcw_buf *out)
{
	for (int i = 0; i <= s->npoints;)
	{
		int			n = 1;
		uint64_t	h = s->table->parts[s->parts[i]].id * UINT64_C(0x9E3779B97F4A7C15);
		char		name[40];
		size_t		mark = mcw_pb_begin(out, 4);

		while (i + n <= s->npoints && s->parts[i + n] == s->parts[i])
			n++;
		snprintf(name, sizeof(name), "%016llX%016llX", (unsigned long long) h,
				 (unsigned long long) (h * UINT64_C(0xBF58476D1CE4E5B9)));
		mcw_pb_put_bytes(out, 1, mcw_str(name));
		mcw_pb_put_uint(out, 2, mcw_zigzag(n));
		mcw_pb_end(out, mark);
		i += n;
	}
}

static bool
check_size(int64_t size, bool given, int64_t unit, int64_t limit, uint64_t *bytes, ots_fault *why)
{
	unsigned __int128 wanted;

	if (size <= 0)
		return ots_invalid(why, "The split_size should be greater than 0.");
	if (given && unit < MIN_UNIT)
		return ots_invalid(why, "The split_size_unit_in_byte should be greater equal than: %lld", (long long) MIN_UNIT);
	if (limit < 0)
		return ots_invalid(why, "The split_point_limit should be greater than 0.");
	wanted = (unsigned __int128) size * (uint64_t) unit * (uint64_t) ots_set.split_mib / MIN_UNIT;
	*bytes = wanted > INT64_MAX ? INT64_MAX : (uint64_t) wanted;
	return true;
}

void
ots_compute_splits(ots_call *call)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	name = {NULL, 0};
	bool		sized = false;
	int64_t		size = 0;
	bool		has_unit = false;
	int64_t		unit = 0;
	splits		s = {0};

	while ((st = mcw_pb_next(call->body, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			name = m.bytes;
		else if (m.wire != MCW_PB_VARINT)
			continue;
		else if (m.number == 2)
		{
			sized = true;
			size = (int64_t) m.number_value;
		}
		else if (m.number == 3)
		{
			has_unit = true;
			unit = (int64_t) m.number_value;
		}
		else if (m.number == 4)
			s.limit = (int64_t) m.number_value;
	if (st != MCW_END || !name.data || !sized)
	{
		(void) ots_bad_message(&call->fault);
		return;
	}
	s.table = ots_call_table(call->inst, name, true, call->req->now_us, &call->fault);
	if (s.table == NULL)
		return;
	if (!has_unit)
		unit = ots_set.split_unit;
	if (!check_size(size, has_unit, unit, s.limit, &s.size, &call->fault))
		return;
	if (ots_page_cached(call, s.table))
		return;
	if (!ots_use_capacity(s.table, 1, 0, call->req->now_us, &call->fault))
		return;
	s.parts = emu_malloc(sizeof(int));
	s.parts[0] = 0;
	mcw_buf_init(&s.last, &mcw_malloc, OTS_MAX_SORT);
	mcw_buf_init(&s.points, &mcw_malloc, (size_t) 1 << 30);
	compute(&s);
	ots_put_consumed(call->out, 1, 1, 0);
	for (int i = 0; i < s.table->schema.nkeys; i++)
	{
		const mcw_ots_key_column *k = &s.table->schema.keys[i];
		size_t		mark = mcw_pb_begin(call->out, 2);

		mcw_pb_put_bytes(call->out, 1, k->name);
		mcw_pb_put_uint(call->out, 2, k->type == MCW_OTS_INTEGER ? 1 : k->type == MCW_OTS_STRING ? 2 : 3);
		if (k->auto_increment)
			mcw_pb_put_uint(call->out, 3, 1);
		mcw_pb_end(call->out, mark);
	}
	mcw_buf_append_view(call->out, mcw_buf_view(&s.points));
	put_locations(&s, call->out);
	ots_page_keep(call, s.table, 1);
	mcw_buf_free(&s.last);
	mcw_buf_free(&s.points);
	free(s.parts);
}
