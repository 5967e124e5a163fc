/*
 * ots_plain.c
 *		mc-emulator, Tablestore part: PlainBuffer as a server reads and writes it, with
 *		the service's messages for broken bytes.  tablestore.md 3.
 *
 * Not the codec of src/wire: a client must refuse what a server may not send, a
 * server must name what a client did wrong, and neither should judge itself.
 */
#include <stdlib.h>

#include "ots.h"

enum
{
	TAG_PK = 0x01, TAG_DATA = 0x02, TAG_CELL = 0x03, TAG_NAME = 0x04, TAG_VALUE = 0x05, TAG_OP = 0x06,
	TAG_TIMESTAMP = 0x07, TAG_DELETE = 0x08, TAG_ROW_CRC = 0x09, TAG_CELL_CRC = 0x0A, TAG_EXTENSION = 0x0B,
	TAG_SEQ = 0x0C, TAG_SEQ_EPOCH = 0x0D, TAG_SEQ_TIME = 0x0E, TAG_SEQ_INDEX = 0x0F
};

#define HEADER 0x75
#define MAX_CELLS 8192			/* of one row in a request; the row limits are far below */

static uint8_t crc_table[8][256];	/* [k]: of a byte that k more bytes follow */

static void
fill_crc_table(void)
{
	for (int i = 0; i < 256; i++)
	{
		uint8_t		c = (uint8_t) i;

		for (int k = 0; k < 8; k++)
		{
			for (int bit = 0; bit < 8; bit++)
				c = (uint8_t) (c & 0x80 ? c << 1 ^ 0x07 : c << 1);
			crc_table[k][i] = c;
		}
	}
}

/* Polynomial 0x07, no reflection (3.4) */
static uint8_t
crc8(uint8_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	if (crc_table[0][1] == 0)
		fill_crc_table();
	for (; len >= 8; p += 8, len -= 8)
		crc = crc_table[7][crc ^ p[0]] ^ crc_table[6][p[1]] ^ crc_table[5][p[2]] ^ crc_table[4][p[3]] ^
			crc_table[3][p[4]] ^ crc_table[2][p[5]] ^ crc_table[1][p[6]] ^ crc_table[0][p[7]];
	while (len-- > 0)
		crc = crc_table[0][crc ^ *p++];
	return crc;
}

static uint32_t
get_u32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, 4);
	return v;
}

static int64_t
get_i64(const char *p)
{
	int64_t		v;

	memcpy(&v, p, 8);
	return v;
}

/* ---- reading requests ---- */

typedef struct source
{
	const char *pos;
	const char *end;
	ots_fault  *why;
} source;

static bool
need(source *s, size_t n)
{
	return (size_t) (s->end - s->pos) >= n ||
		ots_invalid(s->why, "Cell data broken, data is cut short.");
}

static bool
at_tag(const source *s, int tag)
{
	return s->pos < s->end && (uint8_t) *s->pos == tag;
}

/* The variant at s->pos, which must fill 'total' bytes */
static bool
read_variant(source *s, size_t total, mcw_ots_value *v)
{
	const char *p = s->pos;

	if (total == 0)
		return ots_invalid(s->why, "data format is invalid, unknown variant type occured.");
	if (!need(s, total))
		return false;
	*v = mcw_ots_none((mcw_ots_type) (uint8_t) *p);
	switch (v->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			if (total != 9)
				break;
			v->i = get_i64(p + 1);
			s->pos += total;
			return true;
		case MCW_OTS_BOOLEAN:
			if (total != 2)
				break;
			v->b = p[1] != 0;
			s->pos += total;
			return true;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			if (total < 5 || get_u32(p + 1) != total - 5)
				break;
			v->s = (mcw_view) {p + 5, total - 5};
			s->pos += total;
			return true;
		case MCW_OTS_INF_MIN:
		case MCW_OTS_INF_MAX:
		case MCW_OTS_AUTO_INCREMENT:
			if (total != 1)
				break;
			s->pos += total;
			return true;
		default:
			return ots_invalid(s->why, "data format is invalid, unknown variant type occured.");
	}
	return ots_invalid(s->why, "Cell data broken, has more data in cell, but they can't be parsed.");
}

static bool
read_cell(source *s, ots_change_cell *c, uint8_t *crc_out)
{
	const char *value = NULL;
	size_t		total = 0;
	uint8_t		crc;

	*c = (ots_change_cell) {.value = {.type = MCW_OTS_NONE}, .timestamp = MCW_OTS_NO_TIMESTAMP};
	s->pos++;
	if (!at_tag(s, TAG_NAME))
		return ots_invalid(s->why, "Cell data broken, cell has no name.");
	if (!need(s, 5))
		return false;
	c->name.len = get_u32(s->pos + 1);
	s->pos += 5;
	if (!need(s, c->name.len))
		return false;
	c->name.data = s->pos;
	s->pos += c->name.len;
	if (at_tag(s, TAG_VALUE))
	{
		if (!need(s, 5))
			return false;
		total = get_u32(s->pos + 1);
		s->pos += 5;
		value = s->pos;
		if (!read_variant(s, total, &c->value))
			return false;
	}
	if (at_tag(s, TAG_OP))
	{
		if (!need(s, 2))
			return false;
		c->has_op = true;
		c->op = (uint8_t) s->pos[1];
		s->pos += 2;
	}
	if (at_tag(s, TAG_TIMESTAMP))
	{
		if (!need(s, 9))
			return false;
		c->timestamp = get_i64(s->pos + 1);
		s->pos += 9;
		if (c->timestamp == MCW_OTS_NO_TIMESTAMP)
			return ots_invalid(s->why, "Timestamp must be in range [0, INT64_MAX/1000).");
	}
	if (!at_tag(s, TAG_CELL_CRC))
		return ots_invalid(s->why, "Cell data broken, cell is not end with checksum[0x0A] tag.");
	if (!need(s, 2))
		return false;
	crc = crc8(0, c->name.data, c->name.len);
	if (value)
		crc = crc8(crc, value, total);
	if (c->timestamp != MCW_OTS_NO_TIMESTAMP)
		crc = crc8(crc, &c->timestamp, 8);
	if (c->has_op)
		crc = crc8(crc, &c->op, 1);
	if ((uint8_t) s->pos[1] != crc)
		return ots_invalid(s->why, "Cell data broken, checksum is mismatch, %d :%d :", (uint8_t) s->pos[1], crc);
	s->pos += 2;
	*crc_out = crc;
	return true;
}

static size_t
value_size(const mcw_ots_value *v)
{
	switch (v->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			return 8;
		case MCW_OTS_BOOLEAN:
			return 1;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return v->s.len;
		default:
			return 0;
	}
}

/* Cells as long as the next tag is one; counts before it allocates */
static bool
read_cells(source *s, mcw_arena *arena, ots_change_cell **cells, int *ncells, uint8_t *row_crc, size_t *size)
{
	int			cap = 0;

	*ncells = 0;
	while (at_tag(s, TAG_CELL))
	{
		uint8_t		crc;

		if (*ncells == cap)
		{
			ots_change_cell *more;

			cap = cap ? cap * 2 : 16;
			if (cap > 2 * MAX_CELLS)
				return ots_invalid(s->why, "The number of attribute columns exceeds the limit, limit count:%d, column count:%d.",
								   MCW_OTS_MAX_ROW_COLUMNS, *ncells);
			more = mcw_arena_new(arena, cap * sizeof(*more));
			if (more == NULL)
				emu_oom();
			if (*ncells > 0)
				memcpy(more, *cells, *ncells * sizeof(*more));
			*cells = more;
		}
		if (!read_cell(s, &(*cells)[*ncells], &crc))
			return false;
		*row_crc = crc8(*row_crc, &crc, 1);
		*size += (*cells)[*ncells].name.len + value_size(&(*cells)[*ncells].value) +
			((*cells)[*ncells].timestamp != MCW_OTS_NO_TIMESTAMP ? 8 : 0);
		(*ncells)++;
	}
	return true;
}

bool
ots_plain_parse(mcw_view bytes, mcw_arena *arena, ots_change_row *row, ots_fault *why)
{
	source		s;
	uint8_t		crc = 0;
	uint8_t		marker;

	memset(row, 0, sizeof(*row));
	if (bytes.len < 4 || get_u32(bytes.data) != HEADER)
		return ots_invalid(why, "Cell data broken, mismatch header, actual: %u , expect: %d.",
						   bytes.len < 4 ? 0 : get_u32(bytes.data), HEADER);
	s = (source) {bytes.data + 4, bytes.data + bytes.len, why};
	if (!at_tag(&s, TAG_PK))
		return ots_invalid(why, "Cell data broken, PK is empty.");
	s.pos++;
	if (!read_cells(&s, arena, &row->keys, &row->nkeys, &crc, &row->size))
		return false;
	if (row->nkeys == 0)
		return ots_invalid(why, "Cell data broken, PK is empty.");
	if (at_tag(&s, TAG_DATA))
	{
		s.pos++;
		if (!read_cells(&s, arena, &row->cells, &row->ncells, &crc, &row->size))
			return false;
	}
	if (at_tag(&s, TAG_DELETE))
	{
		row->delete_marker = true;
		s.pos++;
	}
	if (s.pos == s.end)
		return ots_invalid(why, "Invalid row: missing checksum.");
	if (!at_tag(&s, TAG_ROW_CRC))
		return ots_invalid(why, "Cell data broken, row is not end with checksum tag.");
	if (!need(&s, 2))
		return false;
	marker = row->delete_marker;
	crc = crc8(crc, &marker, 1);
	if ((uint8_t) s.pos[1] != crc)
		return ots_invalid(why, "Cell data broken, checksum is mismatch, %d :%d :", (uint8_t) s.pos[1], crc);
	for (s.pos += 2; s.pos < s.end; s.pos++)
		if (*s.pos != 0)		/* the Node SDK's buffers end with zeros */
			return ots_invalid(why, "Cell data broken, has more data in cell, but they can't be parsed.");
	return true;
}

/* ---- sort keys ---- */

void
ots_sort_key(mcw_buf *out, const mcw_ots_value *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		const mcw_ots_value *v = &values[i];
		uint64_t	u;

		if (v->type == MCW_OTS_INF_MIN || v->type == MCW_OTS_INF_MAX)
		{
			mcw_buf_append_char(out, v->type == MCW_OTS_INF_MIN ? '\0' : '\xff');
			return;				/* what follows does not count */
		}
		mcw_buf_append_char(out, 1);
		if (v->type == MCW_OTS_INTEGER)
		{
			u = __builtin_bswap64((uint64_t) v->i ^ (UINT64_C(1) << 63));
			mcw_buf_append(out, &u, 8);
			continue;
		}
		for (size_t k = 0; k < v->s.len;)
		{
			const char *nul = memchr(v->s.data + k, '\0', v->s.len - k);
			size_t		plain = nul ? (size_t) (nul - v->s.data) - k : v->s.len - k;

			mcw_buf_append(out, v->s.data + k, plain);
			k += plain;
			if (nul)
			{
				mcw_buf_append(out, "\0\xff", 2);
				k++;
			}
		}
		mcw_buf_append(out, "\0\0", 2);
	}
}

/* ---- walking stored rows ---- */

ots_walk
ots_walk_keys(const ots_row *row)
{
	const char *body = row->data + row->sort_len;

	return (ots_walk) {body + 1, body + row->pk_len};
}

ots_walk
ots_walk_cells(const ots_row *row)
{
	const char *body = row->data + row->sort_len;
	const char *end = body + row->body_len - 2;

	return (ots_walk) {row->ncells ? body + row->pk_len + 1 : end, end};
}

/* Our own bytes: no checks */
bool
ots_walk_next(ots_walk *walk, ots_cell *cell)
{
	const char *p = walk->pos;
	uint32_t	total;

	if (p >= walk->end)
		return false;
	cell->raw.data = p;
	cell->name = (mcw_view) {p + 6, get_u32(p + 2)};
	p += 6 + cell->name.len;
	total = get_u32(p + 1);
	p += 5;
	cell->value.type = (uint8_t) *p;
	if (cell->value.type == MCW_OTS_STRING || cell->value.type == MCW_OTS_BINARY)
		cell->value.s = (mcw_view) {p + 5, total - 5};
	else if (cell->value.type == MCW_OTS_BOOLEAN)
		cell->value.b = p[1] != 0;
	else
		cell->value.i = get_i64(p + 1);
	p += total;
	cell->timestamp = MCW_OTS_NO_TIMESTAMP;
	if (*p == TAG_TIMESTAMP)
	{
		cell->timestamp = get_i64(p + 1);
		p += 9;
	}
	cell->crc = (uint8_t) p[1];
	p += 2;
	cell->raw.len = (size_t) (p - cell->raw.data);
	walk->pos = p;
	return true;
}

void
ots_row_key(const ots_table *table, const ots_row *row, mcw_ots_key *key)
{
	ots_walk	walk = ots_walk_keys(row);
	ots_cell	cell;

	key->n = 0;
	while (key->n < table->schema.nkeys && ots_walk_next(&walk, &cell))
		key->v[key->n++] = cell.value;
}

/* ---- writing ---- */

void
ots_plain_header(mcw_buf *out)
{
	mcw_buf_append(out, "\x75\0\0\0", 4);
}

void
ots_plain_begin(ots_plain *p, mcw_buf *out)
{
	*p = (ots_plain) {.out = out};
	mcw_buf_append_char(out, TAG_PK);
}

static void
data_section(ots_plain *p)
{
	if (!p->in_data)
		mcw_buf_append_char(p->out, TAG_DATA);
	p->in_data = true;
}

void
ots_plain_raw(ots_plain *p, const ots_cell *cell, bool is_key)
{
	if (!is_key)
		data_section(p);
	mcw_buf_append_view(p->out, cell->raw);
	p->crc = crc8(p->crc, &cell->crc, 1);
}

static void
put_value(mcw_buf *out, const mcw_ots_value *v)
{
	uint32_t	n;
	char		head[6] = {TAG_VALUE};
	uint32_t	total = v->type == MCW_OTS_BOOLEAN ? 2 : v->type == MCW_OTS_INTEGER || v->type == MCW_OTS_DOUBLE ? 9 :
		v->type == MCW_OTS_STRING || v->type == MCW_OTS_BINARY ? 5 + (uint32_t) v->s.len : 1;

	memcpy(head + 1, &total, 4);
	head[5] = (char) v->type;
	mcw_buf_append(out, head, 6);
	if (v->type == MCW_OTS_INTEGER || v->type == MCW_OTS_DOUBLE)
		mcw_buf_append(out, &v->i, 8);
	else if (v->type == MCW_OTS_BOOLEAN)
		mcw_buf_append_char(out, v->b ? 1 : 0);
	else if (v->type == MCW_OTS_STRING || v->type == MCW_OTS_BINARY)
	{
		n = (uint32_t) v->s.len;
		mcw_buf_append(out, &n, 4);
		mcw_buf_append_view(out, v->s);
	}
}

static void
put_cell(ots_plain *p, mcw_view name, const mcw_ots_value *value, uint8_t op, int64_t timestamp)
{
	uint32_t	len = (uint32_t) name.len;
	uint8_t		crc = crc8(0, name.data, name.len);
	size_t		at;

	mcw_buf_append(p->out, "\x03\x04", 2);
	mcw_buf_append(p->out, &len, 4);
	mcw_buf_append_view(p->out, name);
	if (value && value->type != MCW_OTS_NONE)
	{
		at = p->out->len + 5;
		put_value(p->out, value);
		if (!p->out->failed)
			crc = crc8(crc, p->out->data + at, p->out->len - at);
	}
	if (op)
	{
		mcw_buf_append_char(p->out, TAG_OP);
		mcw_buf_append_char(p->out, (char) op);
	}
	if (timestamp != MCW_OTS_NO_TIMESTAMP)
	{
		mcw_buf_append_char(p->out, TAG_TIMESTAMP);
		mcw_buf_append(p->out, &timestamp, 8);
		crc = crc8(crc, &timestamp, 8);
	}
	if (op)
		crc = crc8(crc, &op, 1);
	mcw_buf_append_char(p->out, TAG_CELL_CRC);
	mcw_buf_append_char(p->out, (char) crc);
	p->crc = crc8(p->crc, &crc, 1);
}

void
ots_plain_key(ots_plain *p, mcw_view name, const mcw_ots_value *value)
{
	put_cell(p, name, value, 0, MCW_OTS_NO_TIMESTAMP);
}

void
ots_plain_cell(ots_plain *p, mcw_view name, const mcw_ots_value *value, uint8_t op, int64_t timestamp)
{
	data_section(p);
	put_cell(p, name, value, op, timestamp);
}

/* After the cells; the row must be ended next.  Its 29 bytes are what ots_apply stamps. */
void
ots_plain_sequence(ots_plain *p, int32_t epoch, int64_t time_us, int32_t row_index)
{
	mcw_buf_append(p->out, "\x0b\x18\0\0\0\x0c\x13\0\0\0\x0d", 11);
	mcw_buf_append(p->out, &epoch, 4);
	mcw_buf_append_char(p->out, TAG_SEQ_TIME);
	mcw_buf_append(p->out, &time_us, 8);
	mcw_buf_append_char(p->out, TAG_SEQ_INDEX);
	mcw_buf_append(p->out, &row_index, 4);
}

void
ots_plain_end(ots_plain *p, bool deleted)
{
	uint8_t		marker = deleted;

	mcw_buf_append_char(p->out, TAG_ROW_CRC);
	mcw_buf_append_char(p->out, (char) crc8(p->crc, &marker, 1));
}

void
ots_plain_primary_key(mcw_buf *out, const ots_table *table, const mcw_ots_value *values, int n)
{
	ots_plain	p;

	ots_plain_header(out);
	ots_plain_begin(&p, out);
	for (int i = 0; i < n; i++)
		ots_plain_key(&p, table->schema.keys[i].name, &values[i]);
	ots_plain_end(&p, false);
}

/* ---- stored rows ---- */

static mcw_buf scratch;
static mcw_buf scratch_sort;

static ots_row *
row_from_scratch(uint32_t pk_len, uint8_t pk_crc)
{
	ots_row    *row;

	if (scratch.failed || scratch_sort.failed)
		emu_oom();
	row = emu_malloc(sizeof(*row) + scratch.len + scratch_sort.len);
	*row = (ots_row) {.refs = 1, .pk_len = pk_len, .pk_crc = pk_crc, .oldest = INT64_MAX};
	row->sort_len = (uint32_t) scratch_sort.len;
	row->body_len = (uint32_t) scratch.len;
	memcpy(row->data, scratch_sort.data, scratch_sort.len);
	memcpy(row->data + scratch_sort.len, scratch.data, scratch.len);
	return row;
}

static void
scratch_ready(void)
{
	if (scratch.max == 0)
	{
		mcw_buf_init(&scratch, &mcw_malloc, (size_t) 1 << 30);
		mcw_buf_init(&scratch_sort, &mcw_malloc, (size_t) 1 << 20);
	}
	mcw_buf_reset(&scratch);
	mcw_buf_reset(&scratch_sort);
}

ots_row *
ots_row_build(const ots_table *table, const mcw_ots_value *keys, const ots_cell *cells, int ncells)
{
	ots_plain	p;
	ots_row    *row;
	uint32_t	pk_len;
	uint8_t		pk_crc;
	mcw_view	last = {NULL, 0};

	scratch_ready();
	ots_sort_key(&scratch_sort, keys, table->schema.nkeys);
	ots_plain_begin(&p, &scratch);
	for (int i = 0; i < table->schema.nkeys; i++)
		ots_plain_key(&p, table->schema.keys[i].name, &keys[i]);
	pk_len = (uint32_t) scratch.len;
	pk_crc = p.crc;
	for (int i = 0; i < ncells; i++)
		if (cells[i].raw.data)
			ots_plain_raw(&p, &cells[i], false);
		else
			ots_plain_cell(&p, cells[i].name, &cells[i].value, 0, cells[i].timestamp);
	ots_plain_end(&p, false);
	row = row_from_scratch(pk_len, pk_crc);
	row->ncells = (uint32_t) ncells;
	for (int i = 0; i < table->schema.nkeys; i++)
		row->data_size += (uint32_t) (table->schema.keys[i].name.len + value_size(&keys[i]));
	for (int i = 0; i < ncells; i++)
	{
		if (last.data == NULL || !mcw_view_eq(last, cells[i].name))
			row->ncolumns++;
		last = cells[i].name;
		row->data_size += (uint32_t) (cells[i].name.len + value_size(&cells[i].value));
		if (cells[i].timestamp < row->oldest)
			row->oldest = cells[i].timestamp;
	}
	return row;
}

ots_row *
ots_row_load(const ots_table *table, mcw_view body)
{
	mcw_buf		whole;
	mcw_arena	arena;
	ots_change_row parsed;
	ots_fault	why = {0};
	ots_row    *row = NULL;
	mcw_ots_key key;

	mcw_arena_init(&arena, &mcw_malloc, (size_t) 1 << 28);
	mcw_buf_init(&whole, &mcw_malloc, (size_t) 1 << 30);
	ots_plain_header(&whole);
	mcw_buf_append_view(&whole, body);
	if (ots_plain_parse(mcw_buf_view(&whole), &arena, &parsed, &why) &&
		ots_check_key(table, &parsed, OTS_KEY_READ, &key, &why))
	{
		ots_cell   *cells = emu_malloc((parsed.ncells + 1) * sizeof(*cells));
		bool		good = true;

		for (int i = 0; i < parsed.ncells; i++)
		{
			cells[i] = (ots_cell) {.name = parsed.cells[i].name, .value = parsed.cells[i].value, .timestamp = parsed.cells[i].timestamp};
			if (cells[i].value.type > MCW_OTS_BINARY || cells[i].timestamp == MCW_OTS_NO_TIMESTAMP)
				good = false;
		}
		if (good)
			row = ots_row_build(table, key.v, cells, parsed.ncells);
		free(cells);
	}
	mcw_buf_free(&whole);
	mcw_arena_reset(&arena);
	return row;
}

ots_row *
ots_row_ref(ots_row *row)
{
	row->refs++;
	return row;
}

void
ots_row_unref(ots_row *row)
{
	if (row && --row->refs == 0)
		free(row);
}
