/*
 * ots_generate.c
 *		mc-emulator, Tablestore part: the command "generate", rows that depend on nothing
 *		but the seed and their number.
 *
 * {"op":"generate","table":T,"rows":N,"seed":S,"first":F,"fan":100,"version":ms,
 *  "columns":[{"name":"c1","kind":"text","size":20,"present":100}, ...]}: kinds int,
 * double, bool, text, binary, seq (the row's number), mod (number modulo size).  Without
 * columns the member "profile" tells them: text10 (default) or mixed.  Keys: the
 * last column holds the row's number (text: 12 digits), those before number / fan;
 * "key":"hash" scatters the first column.
 */
#include <stdlib.h>

#include "ots_private.h"

#define MAX_COLUMNS 128

typedef enum column_kind
{
	KIND_INT, KIND_DOUBLE, KIND_BOOL, KIND_TEXT, KIND_BINARY, KIND_SEQ, KIND_MOD
} column_kind;

typedef struct gen_column
{
	mcw_view	name;
	column_kind kind;
	int64_t		size;
	int64_t		present;		/* percent of the rows */
} gen_column;

typedef struct gen
{
	ots_table  *table;
	gen_column	columns[MAX_COLUMNS];	/* by name */
	int			ncolumns;
	uint64_t	seed;
	uint64_t	fan;
	int64_t		version;
	bool		scatter;
	char	   *text;			/* room for the values of one row */
	char	   *keys;
} gen;

/* splitmix64 of seed, row and column */
static uint64_t
mix(uint64_t seed, uint64_t row, int column)
{
	uint64_t	z = seed * UINT64_C(0x9E3779B97F4A7C15) + row * 256 + column + 1;

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static bool
read_column(gen *g, const mcw_node *n, mcw_error *err)
{
	static const char *const kinds[] = {"int", "double", "bool", "text", "binary", "seq", "mod"};
	mcw_view	kind = mcw_node_text(n, "kind");
	gen_column	c = {.name = mcw_node_text(n, "name"), .kind = KIND_TEXT, .size = 20, .present = 100};
	int			at = g->ncolumns;
	bool		found = kind.data == NULL;

	for (int i = 0; i < 7; i++)
		if (kind.data && mcw_view_eq(kind, mcw_str(kinds[i])))
		{
			c.kind = (column_kind) i;
			found = true;
		}
	(void) mcw_node_int(n, "size", &c.size);
	(void) mcw_node_int(n, "present", &c.present);
	if (!found || c.name.len == 0 || c.size < 1 || c.size > MCW_OTS_MAX_VALUE_BYTES || g->ncolumns == MAX_COLUMNS)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "generate: a column is {\"name\", \"kind\", \"size\", \"present\"}, at most %d", MAX_COLUMNS);
		return false;
	}
	for (; at > 0 && mcw_view_cmp(g->columns[at - 1].name, c.name) > 0; at--)
		g->columns[at] = g->columns[at - 1];
	g->columns[at] = c;
	g->ncolumns++;
	return true;
}

static bool
read_profile(gen *g, mcw_view profile, mcw_error *err)
{
	static const gen_column mixed[] = {
		{{"b1", 2}, KIND_BOOL, 1, 100}, {{"d1", 2}, KIND_DOUBLE, 1, 100}, {{"d2", 2}, KIND_DOUBLE, 1, 80},
		{{"n1", 2}, KIND_SEQ, 1, 100}, {{"n2", 2}, KIND_INT, 1, 100}, {{"n3", 2}, KIND_MOD, 100, 90},
		{{"s1", 2}, KIND_TEXT, 20, 100}, {{"s2", 2}, KIND_TEXT, 40, 50}, {{"s3", 2}, KIND_TEXT, 8, 100}, {{"x1", 2}, KIND_BINARY, 16, 70}
	};
	static const char *const text10[] = {"c1", "c10", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"};

	g->ncolumns = 10;
	if (mcw_view_eq(profile, MCW_LIT("mixed")))
		memcpy(g->columns, mixed, sizeof(mixed));
	else if (profile.data == NULL || mcw_view_eq(profile, MCW_LIT("text10")))
		for (int i = 0; i < 10; i++)
			g->columns[i] = (gen_column) {mcw_str(text10[i]), KIND_TEXT, 22, 100};
	else
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "generate: the profiles are text10 and mixed");
		return false;
	}
	return true;
}

static mcw_ots_value
column_value(const gen_column *c, uint64_t row, uint64_t h, char *room)
{
	mcw_ots_value v = mcw_ots_int((int64_t) (h >> 24));

	switch (c->kind)
	{
		case KIND_INT:
			break;
		case KIND_SEQ:
			v.i = (int64_t) row;
			break;
		case KIND_MOD:
			v.i = (int64_t) (h % (uint64_t) c->size);
			break;
		case KIND_DOUBLE:
			v.type = MCW_OTS_DOUBLE;
			v.d = (double) (h % 1000000) / 1000;
			break;
		case KIND_BOOL:
			v.type = MCW_OTS_BOOLEAN;
			v.b = h & 1;
			break;
		default:
			for (int64_t i = 0; i < c->size; i++)
			{
				if (i > 0 && i % 16 == 0)
					h = h * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
				room[i] = c->kind == KIND_TEXT ? "0123456789abcdef"[h >> (i % 16 * 4) & 15] : (char) (h >> (i % 8 * 8));
			}
			v = mcw_ots_bytes(c->kind == KIND_TEXT ? MCW_OTS_STRING : MCW_OTS_BINARY, (mcw_view) {room, (size_t) c->size});
	}
	return v;
}

static void
key_value(const gen *g, int column, uint64_t row, mcw_ots_value *v)
{
	const mcw_ots_schema *schema = &g->table->schema;
	uint64_t	n = column == schema->nkeys - 1 ? row : row / g->fan;
	char	   *room = g->keys + column * 32;
	uint64_t	be;

	if (g->scatter && column == 0)
		n = mix(g->seed, n, 200) >> 20;
	switch (schema->keys[column].type)
	{
		case MCW_OTS_INTEGER:
			*v = mcw_ots_int((int64_t) n);
			break;
		case MCW_OTS_STRING:
			*v = mcw_ots_bytes(MCW_OTS_STRING, (mcw_view) {room, (size_t) snprintf(room, 32, "%012llu", (unsigned long long) n)});
			break;
		default:
			be = __builtin_bswap64(n);
			memcpy(room, &be, 8);
			*v = mcw_ots_bytes(MCW_OTS_BINARY, (mcw_view) {room, 8});
	}
}

/* A row straight into the store, or as a PutRow where a stream must record it */
static bool
make_row(gen *g, uint64_t row, mcw_error *err)
{
	mcw_ots_value keys[MCW_OTS_MAX_KEYS];
	ots_cell	cells[MAX_COLUMNS];
	ots_change_cell changes[MAX_COLUMNS + MCW_OTS_MAX_KEYS];
	char	   *room = g->text;
	int			n = 0;
	ots_write	w = {.kind = 1};
	mcw_arena	arena;
	bool		ok;

	for (int i = 0; i < g->table->schema.nkeys; i++)
		key_value(g, i, row, &keys[i]);
	for (int i = 0; i < g->ncolumns; i++)
	{
		uint64_t	h = mix(g->seed, row, i);

		if (g->columns[i].present < 100 && (int64_t) (mix(g->seed, row, i + 128) % 100) >= g->columns[i].present)
			continue;
		cells[n++] = (ots_cell) {
			.name = g->columns[i].name, .value = column_value(&g->columns[i], row, h, room), .timestamp = g->version
		};
		room += g->columns[i].size;
	}
	if (!g->table->stream.on)
	{
		ots_store_put(&g->table->rows, ots_row_build(g->table, keys, cells, n));
		return true;
	}
	for (int i = 0; i < n; i++)
		changes[MCW_OTS_MAX_KEYS + i] = (ots_change_cell) {.name = cells[i].name, .value = cells[i].value, .timestamp = g->version};
	for (int i = 0; i < g->table->schema.nkeys; i++)
		changes[i] = (ots_change_cell) {.name = g->table->schema.keys[i].name, .value = keys[i], .timestamp = MCW_OTS_NO_TIMESTAMP};
	w.row = (ots_change_row) {.keys = changes, .nkeys = g->table->schema.nkeys, .cells = changes + MCW_OTS_MAX_KEYS, .ncells = n};
	mcw_arena_init(&arena, &mcw_malloc, 1 << 24);
	ok = ots_command_write(g->table, &w, &arena, err);
	mcw_arena_reset(&arena);
	return ok;
}

bool
ots_generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	gen			g = {.seed = 1, .fan = 100};
	const mcw_node *columns = mcw_node_get(cmd, "columns");
	int64_t		rows = 0;
	int64_t		first = 0;
	int64_t		n;
	size_t		room = 1;
	bool		ok = true;

	if (!ots_command_table(cmd, &g.table, err))
		return false;
	if (!mcw_node_int(cmd, "rows", &rows) || rows < 0)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "generate: member \"rows\" is missing");
		return false;
	}
	(void) mcw_node_int(cmd, "first", &first);
	g.version = emu_now_us() / 1000;
	(void) mcw_node_int(cmd, "version", &g.version);
	if (mcw_node_int(cmd, "seed", &n))
		g.seed = (uint64_t) n;
	if (mcw_node_int(cmd, "fan", &n) && n > 0)
		g.fan = (uint64_t) n;
	g.scatter = mcw_view_eq(mcw_node_text(cmd, "key"), MCW_LIT("hash"));
	for (const mcw_node *c = columns ? columns->first : NULL; c; c = c->next)
		if (!read_column(&g, c, err))
			return false;
	if (columns == NULL && !read_profile(&g, mcw_node_text(cmd, "profile"), err))
		return false;
	for (int i = 0; i < g.ncolumns; i++)
		room += (size_t) g.columns[i].size;
	g.text = emu_malloc(room);
	g.keys = emu_malloc(32 * MCW_OTS_MAX_KEYS);
	for (int64_t i = 0; ok && i < rows; i++)
		ok = make_row(&g, (uint64_t) (first + i), err);
	g.table->version++;
	free(g.text);
	free(g.keys);
	if (ok)
		mcw_buf_printf(reply, "{\"rows\":%llu,\"bytes\":%llu}", (unsigned long long) g.table->rows.nrows, (unsigned long long) g.table->rows.bytes);
	return ok;
}
