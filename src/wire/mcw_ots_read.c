/*
 * mcw_ots_read.c
 *		Reader of pages of rows in PlainBuffer (tablestore.md 3): finds the wanted
 *		values of each row without copying and verifies every checksum.
 *
 * Rows of one table mostly carry the same columns in the same order, so the name at
 * position i of a row is first compared with the name at position i of the row
 * before it, whose share of the cell checksum is known too.  Only when that fails is
 * the name looked up.
 */
#include "mcw_ots_private.h"

/* Names that are remembered of the rows of a page; what does not fit is looked up */
#define MAX_GUESSES 256

/* How many of them are tried for a cell: a row may lack columns that others have */
#define GUESS_WINDOW 8

/* Of a usual cell all but its name and, if it is a text, its variant: 6 + 5 + 9 + 9 + 2 */
#define FIXED_PART 31

typedef struct name_guess
{
	const char *name;			/* bytes of the page */
	uint32_t	len;
	int32_t		column;			/* -1 = nobody wants this column */
	uint8_t		crc;			/* of the name */
} name_guess;

typedef struct wanted_column
{
	mcw_view	name;
	int32_t		same_as;		/* earlier column of the same name, or -1 */
	uint8_t		crc;
} wanted_column;

struct mcw_ots_reader
{
	mcw_alloc	alloc;
	size_t		size;			/* of this allocation, all arrays included */

	int			ncolumns;
	wanted_column *columns;
	bool		has_twins;		/* some same_as is set */
	int32_t    *table;			/* open addressing, -1 = free */
	uint32_t	table_mask;
	name_guess	guesses[MAX_GUESSES + 1];	/* in order of the rows; the last is for what did not fit */
	uint32_t	nguesses;

	/* where we are */
	bool		allow_padding;
	bool		keyless;		/* rows may lack their key columns */
	const char *page;
	const char *pos;			/* next row */
	const char *end;
};

/* What is being read of one row */
typedef struct row_state
{
	const char *pos;
	const char *end;			/* of the page */
	uint32_t	position;		/* in the guesses, of the next cell */
	uint32_t	ncells;			/* so far, key cells included */
	uint8_t		crc;
	mcw_ots_value *values;
	int64_t    *timestamps;
} row_state;

static mcw_status
reader_fail(const mcw_ots_reader *reader, mcw_status status, mcw_error *err, const char *pos,
			const char *what)
{
	mcw_fail(err, status, "%s: %s",
			 status == MCW_ERR_CHECKSUM ? "wrong checksum" : "malformed rows", what);
	if (err)
		err->offset = (uint64_t) (pos - reader->page);
	return status;
}

/* ---- columns ---- */

static inline uint32_t
hash_name(const char *name, size_t len)
{
	uint64_t	head = 0;
	uint64_t	tail = 0;

	if (len >= 8)
	{
		head = ots_load64(name);
		tail = ots_load64(name + len - 8);
	}
	else if (len >= 4)
	{
		head = ots_load32(name);
		tail = ots_load32(name + len - 4);
	}
	else if (len > 0)
		head = (unsigned char) name[0] | (uint64_t) (unsigned char) name[len / 2] << 8 |
			(uint64_t) (unsigned char) name[len - 1] << 16;
	head = (head + len) * UINT64_C(0x9E3779B97F4A7C15);
	head = (head ^ tail ^ head >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
	return (uint32_t) (head >> 32);
}

/* The first column of that name, or -1 */
static int32_t
find_column(const mcw_ots_reader *reader, const char *name, size_t len)
{
	uint32_t	slot = hash_name(name, len) & reader->table_mask;

	while (reader->table[slot] >= 0)
	{
		int32_t		column = reader->table[slot];
		mcw_view	wanted = reader->columns[column].name;

		if (wanted.len == len && mcw_bytes_eq(wanted.data, name, len))
			return column;
		slot = (slot + 1) & reader->table_mask;
	}
	return -1;
}

static void
enter_columns(mcw_ots_reader *reader)
{
	for (uint32_t i = 0; i <= reader->table_mask; i++)
		reader->table[i] = -1;
	for (int i = 0; i < reader->ncolumns; i++)
	{
		wanted_column *column = &reader->columns[i];
		uint32_t	slot;

		column->crc = ots_crc_feed(0, column->name.data, column->name.len);
		column->same_as = find_column(reader, column->name.data, column->name.len);
		if (column->same_as >= 0)
		{
			reader->has_twins = true;
			continue;
		}
		slot = hash_name(column->name.data, column->name.len) & reader->table_mask;
		while (reader->table[slot] >= 0)
			slot = (slot + 1) & reader->table_mask;
		reader->table[slot] = i;
	}
}

/*
 * The reader and all its arrays are one allocation; the arrays follow in order of
 * falling alignment, the copied names come last.
 */
mcw_ots_reader *
mcw_ots_reader_create(const mcw_alloc *alloc, const mcw_view *columns, int ncolumns)
{
	size_t		n = ncolumns > 0 ? (size_t) ncolumns : 0;
	size_t		nslots = 2;
	size_t		names = 0;
	size_t		size;
	mcw_ots_reader *reader;
	char	   *text;

	while (nslots < 2 * n)
		nslots *= 2;
	for (size_t i = 0; i < n; i++)
		names += columns[i].len;
	size = sizeof(*reader) + n * sizeof(wanted_column) + nslots * sizeof(int32_t) + names;
	reader = mcw_new0(alloc, size);
	if (reader == NULL)
		return NULL;

	reader->alloc = *alloc;
	reader->size = size;
	reader->ncolumns = (int) n;
	reader->columns = (wanted_column *) (reader + 1);
	reader->table = (int32_t *) (reader->columns + n);
	reader->table_mask = (uint32_t) nslots - 1;
	text = (char *) (reader->table + nslots);
	for (size_t i = 0; i < n; i++)
	{
		if (columns[i].len > 0)
			memcpy(text, columns[i].data, columns[i].len);
		reader->columns[i].name.data = text;
		reader->columns[i].name.len = columns[i].len;
		text += columns[i].len;
	}
	enter_columns(reader);
	return reader;
}

void
mcw_ots_reader_free(mcw_ots_reader *reader)
{
	mcw_alloc	alloc;

	if (reader == NULL)
		return;
	alloc = reader->alloc;
	mcw_free(&alloc, reader, reader->size);
}

/* ---- pages ---- */

static mcw_status
start_page(mcw_ots_reader *reader, mcw_view rows, mcw_error *err)
{
	reader->page = reader->pos = rows.data ? rows.data : "";
	reader->end = reader->page + rows.len;

	reader->nguesses = 0;		/* they point into the page before */
	if (rows.len == 0)
		return MCW_OK;
	if (rows.len < OTS_HEADER_SIZE || ots_load32(rows.data) != OTS_HEADER)
	{
		reader->end = reader->page;
		return reader_fail(reader, MCW_ERR_FORMAT, err, reader->page, "they do not begin with a header");
	}
	reader->pos += OTS_HEADER_SIZE;
	return MCW_OK;
}

mcw_status
mcw_ots_reader_page(mcw_ots_reader *reader, mcw_view rows, bool allow_padding, mcw_error *err)
{
	reader->allow_padding = allow_padding;
	reader->keyless = false;
	return start_page(reader, rows, err);
}

mcw_status
mcw_ots_reader_origin(mcw_ots_reader *reader, mcw_view rows, mcw_error *err)
{
	reader->allow_padding = false;
	reader->keyless = true;
	return start_page(reader, rows, err);
}

/* ---- cells ---- */

/*
 * A name that is not the one expected: the row lacks columns that stand before it in
 * other rows, or it is new and becomes known where it stands.
 */
static __attribute__((noinline)) const name_guess *
find_name(mcw_ots_reader *reader, row_state *row, const char *name, uint32_t len)
{
	uint32_t	at = row->position;
	uint32_t	end = reader->nguesses - at > GUESS_WINDOW ? at + GUESS_WINDOW : reader->nguesses;
	name_guess *guess;

	for (uint32_t i = at; i < end; i++)
	{
		guess = &reader->guesses[i];
		if (guess->len == len && mcw_bytes_eq(guess->name, name, len))
		{
			row->position = i + 1;
			return guess;
		}
	}
	if (reader->nguesses < MAX_GUESSES)
	{
		guess = &reader->guesses[at];
		memmove(guess + 1, guess, (reader->nguesses - at) * sizeof(*guess));
		reader->nguesses++;
		row->position++;
	}
	else
		guess = &reader->guesses[MAX_GUESSES];
	guess->column = find_column(reader, name, len);
	guess->name = name;
	guess->len = len;
	guess->crc = guess->column >= 0 ? reader->columns[guess->column].crc : ots_crc_feed(0, name, len);
	return guess;
}

/* Column and checksum of a name: mostly the name that stood here in the row before */
static inline const name_guess *
place_name(mcw_ots_reader *reader, row_state *row, const char *name, uint32_t len)
{
	const name_guess *guess = &reader->guesses[row->position];

	if (mcw_likely(row->position < reader->nguesses && guess->len == len &&
				   mcw_bytes_eq(guess->name, name, len)))
	{
		row->position++;
		return guess;
	}
	return find_name(reader, row, name, len);
}

/* The first cell of a column that has a value gives the row its value */
static inline void
take_value(row_state *row, int32_t column, const mcw_ots_value *value, int64_t timestamp)
{
	if (column < 0 || row->values[column].type != MCW_OTS_NONE)
		return;
	row->values[column] = *value;
	if (row->timestamps)
		row->timestamps[column] = timestamp;
}

/* Any cell: its tag is at row->pos */
static mcw_status
read_any_cell(mcw_ots_reader *reader, row_state *row, bool is_key, mcw_error *err)
{
	const char *start = row->pos;
	const char *fail;
	const char *what;
	ots_raw_cell raw;
	const name_guess *guess;

	row->pos = mcw_ots_parse_cell(start, row->end, is_key, &raw, &fail, &what);
	if (mcw_unlikely(row->pos == NULL))
		return reader_fail(reader, MCW_ERR_FORMAT, err, fail, what);
	guess = place_name(reader, row, raw.cell.name.data, (uint32_t) raw.cell.name.len);
	if (mcw_unlikely(ots_cell_crc(&raw, guess->crc) != raw.crc))
		return reader_fail(reader, MCW_ERR_CHECKSUM, err, start, "a cell");
	row->crc = ots_crc_byte(row->crc, raw.crc);
	row->ncells++;
	if (raw.variant.data)
		take_value(row, guess->column, &raw.cell.value, raw.cell.timestamp);
	return MCW_OK;
}

/*
 * A cell of the usual form: name, a value other than none, its timestamp if any, the
 * checksum.  False, with nothing changed but what is known of names, sends the
 * caller to read_any_cell, which also tells what is wrong.
 */
static inline bool
read_usual_cell(mcw_ots_reader *reader, row_state *row, bool is_key)
{
	const char *p = row->pos;
	size_t		left = (size_t) (row->end - p);
	uint32_t	position = row->position;
	int64_t		timestamp = MCW_OTS_NO_TIMESTAMP;
	mcw_ots_value value;
	const name_guess *guess;
	const char *variant;
	uint32_t	len;
	uint32_t	total;
	uint8_t		crc;

	if (mcw_unlikely(left < FIXED_PART))
		return false;
	len = ots_load32(p + 2);
	if (mcw_unlikely(p[1] != TAG_CELL_NAME || len - 1 >= left - FIXED_PART))
		return false;
	left -= len + FIXED_PART;
	variant = p + 6 + len + 5;
	total = ots_load32(variant - 4);
	value.type = (uint8_t) *variant;
	if (mcw_unlikely(variant[-5] != TAG_CELL_VALUE))
		return false;
	guess = place_name(reader, row, p + 6, len);
	if (value.type == MCW_OTS_INTEGER || (value.type == MCW_OTS_DOUBLE && !is_key))
	{
		if (mcw_unlikely(total != 9))
			goto unusual;
		memcpy(&value.i, variant + 1, 8);
		crc = ots_crc_u64(ots_crc_byte(guess->crc, value.type), (uint64_t) value.i);
	}
	else if (value.type == MCW_OTS_BOOLEAN && !is_key)
	{
		if (mcw_unlikely(total != 2 || (uint8_t) variant[1] > 1))
			goto unusual;
		value.b = variant[1] != 0;
		crc = ots_crc_byte(ots_crc_byte(guess->crc, value.type), value.b);
	}
	else if (value.type == MCW_OTS_STRING || value.type == MCW_OTS_BINARY)
	{
		value.s.len = ots_load32(variant + 1);
		value.s.data = variant + 5;
		if (mcw_unlikely(total > INT32_MAX || value.s.len + 5 != total || total > left))
			goto unusual;
		crc = ots_crc_feed_readable(guess->crc, variant, total);
	}
	else
		goto unusual;
	p = variant + total;
	if (*p == TAG_CELL_TIMESTAMP && !is_key)
	{
		memcpy(&timestamp, p + 1, 8);
		crc = ots_crc_u64(crc, (uint64_t) timestamp);
		p += 9;
	}
	if (mcw_unlikely(*p != TAG_CELL_CHECKSUM || (uint8_t) p[1] != crc))
		goto unusual;
	row->pos = p + 2;
	row->crc = ots_crc_byte(row->crc, crc);
	row->ncells++;
	take_value(row, guess->column, &value, timestamp);
	return true;

unusual:
	row->position = position;
	return false;
}

/* ---- rows ---- */

static bool
read_sequence(const char *pos, mcw_ots_row *row)
{
	if (pos[0] != TAG_SEQUENCE_EPOCH || pos[5] != TAG_SEQUENCE_TIME || pos[14] != TAG_SEQUENCE_INDEX)
		return false;
	memcpy(&row->epoch, pos + 1, 4);
	memcpy(&row->time_us, pos + 6, 8);
	memcpy(&row->row_index, pos + 15, 4);
	row->has_sequence = true;
	return true;
}

/* The extension whose tag is at *pos (3.7); items nobody knows are passed over */
static mcw_status
read_extension(mcw_ots_reader *reader, const char **pos, mcw_ots_row *row, mcw_error *err)
{
	const char *item = *pos + 5;
	const char *end;
	uint32_t	len;

	if (reader->end - *pos < 5)
		return reader_fail(reader, MCW_ERR_FORMAT, err, *pos, "an extension is cut short");
	len = ots_load32(*pos + 1);
	if (len > INT32_MAX || len > (size_t) (reader->end - item))
		return reader_fail(reader, MCW_ERR_FORMAT, err, *pos, "an extension is longer than the page");
	end = item + len;
	while (item < end)
	{
		if (end - item < 5)
			return reader_fail(reader, MCW_ERR_FORMAT, err, item, "an item of an extension is cut short");
		len = ots_load32(item + 1);
		if (len > INT32_MAX || len > (size_t) (end - item - 5))
			return reader_fail(reader, MCW_ERR_FORMAT, err, item, "an item is longer than its extension");
		if (*item == TAG_SEQUENCE &&
			(row->has_sequence || len != SEQUENCE_LEN || !read_sequence(item + 5, row)))
			return reader_fail(reader, MCW_ERR_FORMAT, err, item, "sequence information");
		item += 5 + len;
	}
	*pos = end;
	return MCW_OK;
}

/* All cells from 'pos' to the first byte that begins no cell */
static inline mcw_status
read_cells(mcw_ots_reader *reader, row_state *state, bool is_key, mcw_error *err)
{
	while (mcw_likely(state->pos < state->end) && *state->pos == TAG_CELL)
	{
		mcw_status	status;

		if (mcw_likely(read_usual_cell(reader, state, is_key)))
			continue;
		status = read_any_cell(reader, state, is_key, err);
		if (mcw_unlikely(status != MCW_OK))
			return status;
	}
	return MCW_OK;
}

/* From behind the cells to behind the checksum */
static mcw_status
read_row_end(mcw_ots_reader *reader, row_state *state, mcw_ots_row *row, mcw_error *err)
{
	const char *pos = state->pos;

	if (pos < state->end && *pos == TAG_DELETE_MARKER)
	{
		row->deleted = true;
		pos++;
	}
	if (pos < state->end && *pos == TAG_EXTENSION)
	{
		mcw_status	status = read_extension(reader, &pos, row, err);

		if (status != MCW_OK)
			return status;
	}
	if (mcw_unlikely(state->end - pos < 2 || *pos != TAG_ROW_CHECKSUM))
		return reader_fail(reader, MCW_ERR_FORMAT, err, pos, "a row does not end with its checksum");
	if (mcw_unlikely(ots_crc_byte(state->crc, row->deleted) != (uint8_t) pos[1]))
		return reader_fail(reader, MCW_ERR_CHECKSUM, err, pos, "a row");
	state->pos = pos + 2;
	return MCW_OK;
}

/* Zero bytes up to the end of the page */
static bool
only_padding(const char *pos, const char *end)
{
	while (pos < end && *pos == 0)
		pos++;
	return pos == end;
}

static void
copy_twins(const mcw_ots_reader *reader, mcw_ots_value *values, int64_t *timestamps)
{
	for (int i = 0; i < reader->ncolumns; i++)
	{
		int32_t		from = reader->columns[i].same_as;

		if (from < 0)
			continue;
		values[i] = values[from];
		if (timestamps)
			timestamps[i] = timestamps[from];
	}
}

mcw_status
mcw_ots_next_row(mcw_ots_reader *reader, mcw_ots_row *row, mcw_ots_value *values,
				 int64_t *timestamps, mcw_error *err)
{
	row_state	state = {.pos = reader->pos, .end = reader->end, .values = values, .timestamps = timestamps};
	mcw_status	status;

	if (state.pos == state.end || (reader->allow_padding && only_padding(state.pos, state.end)))
	{
		reader->pos = reader->end;
		return MCW_END;
	}
	memset(row, 0, sizeof(*row));
	for (int i = 0; i < reader->ncolumns; i++)
	{
		values[i].type = MCW_OTS_NONE;
		if (timestamps)
			timestamps[i] = MCW_OTS_NO_TIMESTAMP;
	}

	if (mcw_likely(*state.pos == TAG_ROW_PK))
	{
		state.pos++;
		status = read_cells(reader, &state, true, err);
		if (mcw_unlikely(status != MCW_OK))
			return status;
		row->nkeys = state.ncells;
	}
	else if (!reader->keyless)
		return reader_fail(reader, MCW_ERR_FORMAT, err, state.pos, "a row does not begin with its key");
	if (mcw_unlikely(row->nkeys > MCW_OTS_MAX_KEYS || (row->nkeys == 0 && !reader->keyless)))
		return reader_fail(reader, MCW_ERR_FORMAT, err, reader->pos,
						   row->nkeys == 0 ? "a row has no key columns" : "a row has more key columns than a table can have");
	if (mcw_likely(state.pos < state.end && *state.pos == TAG_ROW_DATA))
	{
		state.pos++;
		status = read_cells(reader, &state, false, err);
		if (mcw_unlikely(status != MCW_OK))
			return status;
		row->ncells = state.ncells - row->nkeys;
	}
	status = read_row_end(reader, &state, row, err);
	if (mcw_unlikely(status != MCW_OK))
		return status;
	if (mcw_unlikely(reader->has_twins))
		copy_twins(reader, values, timestamps);
	row->body.data = reader->pos;
	row->body.len = (size_t) (state.pos - reader->pos);
	reader->pos = state.pos;
	return MCW_OK;
}
