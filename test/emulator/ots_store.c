/*
 * ots_store.c
 *		mc-emulator, Tablestore part: an ordered set of rows.
 *
 * Leaves of at most OTS_LEAF row pointers below one array of leaves: a few million
 * rows are some ten thousand leaves, and an insert moves two short runs of pointers.
 * A leaf is never empty.
 */
#include <stdlib.h>

#include "ots.h"

static int
compare(const ots_row *row, mcw_view sort)
{
	size_t		n = row->sort_len < sort.len ? row->sort_len : sort.len;
	int			c = n > 0 ? memcmp(row->data, sort.data, n) : 0;

	return c != 0 ? c : (row->sort_len > sort.len) - (row->sort_len < sort.len);
}

/* The last leaf whose first row is not above 'sort'; 0 if there is none */
static int
leaf_of(const ots_store *store, mcw_view sort)
{
	int			lo = 0;
	int			hi = store->nleaves;

	while (hi - lo > 1)
	{
		int			mid = lo + (hi - lo) / 2;

		if (compare(store->leaves[mid]->rows[0], sort) <= 0)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* The first row of the leaf that is >= sort, or > sort */
static int
place_in(const ots_leaf *leaf, mcw_view sort, bool after)
{
	int			lo = 0;
	int			hi = leaf->n;

	while (lo < hi)
	{
		int			mid = lo + (hi - lo) / 2;

		if (compare(leaf->rows[mid], sort) < (after ? 1 : 0))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

ots_row *
ots_store_find(const ots_store *store, mcw_view sort)
{
	const ots_leaf *leaf;
	int			at;

	if (store->nleaves == 0)
		return NULL;
	leaf = store->leaves[leaf_of(store, sort)];
	at = place_in(leaf, sort, false);
	return at < leaf->n && compare(leaf->rows[at], sort) == 0 ? leaf->rows[at] : NULL;
}

static void
insert_leaf(ots_store *store, int at, ots_leaf *leaf)
{
	if (store->nleaves == store->cap)
	{
		store->cap = store->cap ? store->cap * 2 : 16;
		store->leaves = emu_realloc(store->leaves, store->cap * sizeof(ots_leaf *));
	}
	memmove(store->leaves + at + 1, store->leaves + at, (store->nleaves - at) * sizeof(ots_leaf *));
	store->leaves[at] = leaf;
	store->nleaves++;
}

static ots_leaf *
new_leaf(void)
{
	ots_leaf   *leaf = emu_malloc(sizeof(*leaf));

	leaf->n = 0;
	return leaf;
}

/* Makes room in a full leaf; rows that arrive in order leave full leaves behind */
static void
split_leaf(ots_store *store, int at, int *place)
{
	ots_leaf   *leaf = store->leaves[at];
	ots_leaf   *right = new_leaf();
	int			keep = at == store->nleaves - 1 && *place == leaf->n ? OTS_LEAF - 1 : OTS_LEAF / 2;

	right->n = leaf->n - keep;
	memcpy(right->rows, leaf->rows + keep, right->n * sizeof(ots_row *));
	leaf->n = keep;
	insert_leaf(store, at + 1, right);
}

void
ots_store_put(ots_store *store, ots_row *row)
{
	mcw_view	sort = ots_row_sort(row);
	ots_leaf   *leaf;
	int			l;
	int			at;

	if (store->nleaves == 0)
		insert_leaf(store, 0, new_leaf());
	l = leaf_of(store, sort);
	leaf = store->leaves[l];
	at = place_in(leaf, sort, false);
	if (at < leaf->n && compare(leaf->rows[at], sort) == 0)
	{
		store->bytes -= leaf->rows[at]->data_size;
		ots_row_unref(leaf->rows[at]);
		leaf->rows[at] = row;
		store->bytes += row->data_size;
		return;
	}
	if (leaf->n == OTS_LEAF)
	{
		split_leaf(store, l, &at);
		if (at > leaf->n)
		{
			at -= leaf->n;
			leaf = store->leaves[l + 1];
		}
	}
	memmove(leaf->rows + at + 1, leaf->rows + at, (leaf->n - at) * sizeof(ots_row *));
	leaf->rows[at] = row;
	leaf->n++;
	store->nrows++;
	store->bytes += row->data_size;
}

bool
ots_store_remove(ots_store *store, mcw_view sort)
{
	ots_leaf   *leaf;
	ots_row    *row;
	int			l;
	int			at;

	if (store->nleaves == 0)
		return false;
	l = leaf_of(store, sort);
	leaf = store->leaves[l];
	at = place_in(leaf, sort, false);
	if (at == leaf->n || compare(leaf->rows[at], sort) != 0)
		return false;
	row = leaf->rows[at];
	memmove(leaf->rows + at, leaf->rows + at + 1, (leaf->n - at - 1) * sizeof(ots_row *));
	if (--leaf->n == 0)
	{
		memmove(store->leaves + l, store->leaves + l + 1, (store->nleaves - l - 1) * sizeof(ots_leaf *));
		store->nleaves--;
		free(leaf);
	}
	store->nrows--;
	store->bytes -= row->data_size;
	ots_row_unref(row);
	return true;
}

void
ots_store_clear(ots_store *store)
{
	for (int l = 0; l < store->nleaves; l++)
	{
		for (int i = 0; i < store->leaves[l]->n; i++)
			ots_row_unref(store->leaves[l]->rows[i]);
		free(store->leaves[l]);
	}
	free(store->leaves);
	memset(store, 0, sizeof(*store));
}

ots_cursor
ots_store_seek(const ots_store *store, mcw_view sort, bool after)
{
	ots_cursor	c = {0, 0};

	if (store->nleaves == 0)
		return c;
	c.leaf = leaf_of(store, sort);
	c.at = place_in(store->leaves[c.leaf], sort, after);
	if (c.at == store->leaves[c.leaf]->n)
		c = (ots_cursor) {c.leaf + 1, 0};
	return c;
}

ots_row *
ots_store_at(const ots_store *store, ots_cursor c)
{
	return c.leaf >= 0 && c.leaf < store->nleaves ? store->leaves[c.leaf]->rows[c.at] : NULL;
}

void
ots_store_next(const ots_store *store, ots_cursor *c)
{
	if (++c->at >= store->leaves[c->leaf]->n)
		*c = (ots_cursor) {c->leaf + 1, 0};
}

/* Also from the position behind the last row */
void
ots_store_prev(const ots_store *store, ots_cursor *c)
{
	if (--c->at < 0)
	{
		c->leaf--;
		c->at = c->leaf >= 0 ? store->leaves[c->leaf]->n - 1 : 0;
	}
}
