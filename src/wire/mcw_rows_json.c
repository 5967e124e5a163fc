/*
 * mcw_rows_json.c
 *		Reading JSON lines: a record is a line that holds one object; blank lines are
 *		passed over.  Line ends are LF or CR LF, mixed as they like: a CR is white space.
 *
 * One pass over the line without a tree.  Values are given where they stand: strings
 * are unescaped in place (when the line was found to be good: a malformed one can be
 * shown as it was), numbers and nested values stay as they are written.  All are checked
 * against the grammar, needed or not, so that a line is malformed or not whatever a query
 * asks for.  A malformed line is a bad record; the next line goes
 * on.  Of equal members the last one wins.  Members come in the same order in most
 * records, so that the name at each position is compared with the one that was there
 * last time before it is looked up.
 */
#include "mcw_rows_json.h"
#include "mcw_rows_private.h"

#include <stdio.h>

#define NGUESSES 256			/* positions that are remembered */
#define GUESS_NAME 27			/* longest name that is */
#define UNKNOWN (-1)			/* a member without a column */
#define FIELD_ESCAPED 0x10000U	/* a string whose escapes still stand; never seen outside */

typedef struct guess
{
	int32_t		column;
	uint8_t		len;			/* 0 = nothing remembered */
	char		name[GUESS_NAME];
} guess;

typedef struct json_state
{
	int32_t    *table;			/* columns + 1 by hash of their names, 0 = free */
	uint32_t	mask;
	int			rest;			/* the column "*", or -1 */
	mcw_buf		rest_text;		/* its value; the first byte is reserved */
	mcw_buf		name_text;		/* of a name that has escapes */
	guess		guesses[NGUESSES];
	char		bad[160];
} json_state;

/* ---- members ---- */

static inline uint32_t
hash_name(const char *name, size_t len)
{
	uint64_t	h = len * UINT64_C(0x9E3779B97F4A7C15);
	uint64_t	word = 0;

	for (; len >= 8; name += 8, len -= 8)
	{
		memcpy(&word, name, 8);
		h = (h ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
		h ^= h >> 32;
	}
	word = 0;
	for (size_t i = 0; i < len; i++)
		word = word << 8 | (unsigned char) name[i];
	h = (h ^ word) * UINT64_C(0xFF51AFD7ED558CCD);
	return (uint32_t) (h >> 32);
}

/* The place of a name in the table: its column's, or a free one */
static int32_t *
find_slot(const mcw_rows *rows, const json_state *state, mcw_view name)
{
	uint32_t	at = hash_name(name.data, name.len) & state->mask;

	while (state->table[at] != 0 && !mcw_view_eq(rows->options.columns[state->table[at] - 1].name, name))
		at = (at + 1) & state->mask;
	return &state->table[at];
}

/*
 * The name of the member at 'position', at its opening quote: to its column, behind the
 * closing quote.  MCW_ERR_* if memory fails; otherwise j->why tells.
 */
static inline mcw_status
read_name(mcw_rows *rows, mcw_json_line *j, int position, mcw_view *name, int *column)
{
	json_state *state = rows->state;
	guess	   *g = position < NGUESSES ? &state->guesses[position] : NULL;
	char	   *start = ++j->p;
	bool		escaped;
	bool		nul;

	if (mcw_likely(g && g->len > 0 && j->end - start > g->len && start[g->len] == '"' &&
				   memcmp(start, g->name, g->len) == 0))
	{
		*name = (mcw_view) {start, g->len};
		*column = g->column;
		j->p = start + g->len + 1;
		return MCW_OK;
	}
	if (!mcw_json_skip_string(j, &escaped))
		return MCW_OK;
	*name = (mcw_view) {start, (size_t) (j->p - 1 - start)};
	if (mcw_unlikely(escaped))
	{
		mcw_buf    *text = &state->name_text;
		mcw_view	decoded;

		if (!mcw_json_check_escapes(j, start, j->p - 1, true))
			return MCW_OK;
		text->len = 0;
		if (mcw_buf_append_view(text, *name) != MCW_OK)
			return mcw_buf_status(text);
		decoded.data = text->data;
		decoded.len = (size_t) (mcw_json_unescape(text->data, text->data + text->len, &nul) - text->data);
		*column = *find_slot(rows, state, decoded) - 1;
		return MCW_OK;
	}
	*column = *find_slot(rows, state, *name) - 1;
	if (g && name->len > 0 && name->len <= GUESS_NAME)
	{
		g->column = *column;
		g->len = (uint8_t) name->len;
		memcpy(g->name, start, name->len);
	}
	return MCW_OK;
}

/* The value at j->p into 'field'; escapes of a string are checked but stay */
static inline bool
read_value(mcw_json_line *j, mcw_field *field)
{
	char	   *start = j->p;
	bool		escaped;

	field->flags = 0;
	switch (mcw_json_peek(j))
	{
		case '"':
			j->p = ++start;
			if (!mcw_json_skip_string(j, &escaped) || (mcw_unlikely(escaped) && !mcw_json_check_escapes(j, start, j->p - 1, true)))
				return false;
			field->data = start;
			field->len = (uint32_t) (j->p - 1 - start);
			field->flags = MCW_FIELD_STRING | (escaped ? FIELD_ESCAPED : 0);
			return true;
		case '{':
		case '[':
			if (!mcw_json_skip_nested(j))
				return false;
			field->flags = MCW_FIELD_NESTED;
			break;
		case 't':
			if (!mcw_json_skip_word(j, "true", 4))
				return false;
			field->flags = MCW_FIELD_BOOL;
			break;
		case 'f':
			if (!mcw_json_skip_word(j, "false", 5))
				return false;
			field->flags = MCW_FIELD_BOOL;
			break;
		case 'n':
			if (!mcw_json_skip_word(j, "null", 4))
				return false;
			field->flags = MCW_FIELD_NULL;
			break;
		default:
			if (!mcw_json_skip_scalar(j))
				return false;
			field->flags = MCW_FIELD_NUMBER;
	}
	field->data = start;
	field->len = (uint32_t) (j->p - start);
	return true;
}

/*
 * The members of the record, from behind its brace to behind its end; nothing of the
 * line is changed.  MCW_OK with j->why set if the line is malformed.
 */
static mcw_status
read_members(mcw_rows *rows, mcw_json_line *j, mcw_record *record, bool *escaped)
{
	json_state *state = rows->state;
	bool		keep = state->rest >= 0 && rows->options.columns[state->rest].needed;

	mcw_json_skip_blanks(j);
	if (mcw_json_peek(j) == '}')
	{
		j->p++;
		return MCW_OK;
	}
	for (;;)
	{
		mcw_field	ignored;
		mcw_field  *field = &ignored;
		mcw_view	name;
		char	   *start;
		int			column = UNKNOWN;
		mcw_status	status;

		mcw_json_skip_blanks(j);
		start = j->p;
		if (mcw_unlikely(mcw_json_peek(j) != '"'))
			return mcw_json_wrong(j, j->p, "a member without a name"), MCW_OK;
		status = read_name(rows, j, record->nfields, &name, &column);
		if (mcw_unlikely(status != MCW_OK || j->why))
			return status;
		mcw_json_skip_blanks(j);
		if (mcw_unlikely(mcw_json_peek(j) != ':'))
			return mcw_json_wrong(j, j->p, "a name without a colon"), MCW_OK;
		j->p++;
		mcw_json_skip_blanks(j);
		record->nfields++;
		if (column == UNKNOWN)
		{
			if (state->rest < 0 && record->unknown++ == 0)
				record->unknown_name = name;
		}
		else if (rows->options.columns[column].needed)
			field = &rows->fields[column];
		if (!read_value(j, field))
			return MCW_OK;
		if (field != &ignored)
			*escaped = *escaped || (field->flags & FIELD_ESCAPED);
		else if (keep && column == UNKNOWN)
		{
			if (state->rest_text.len > 2)
				(void) mcw_buf_append_char(&state->rest_text, ',');
			if (mcw_buf_append(&state->rest_text, start, (size_t) (j->p - start)) != MCW_OK)
				return mcw_buf_status(&state->rest_text);
		}
		mcw_json_skip_blanks(j);
		if (mcw_json_peek(j) == ',')
		{
			j->p++;
			continue;
		}
		if (mcw_json_peek(j) != '}')
			return mcw_json_wrong(j, j->p, j->p < j->end ? "neither a comma nor the end of the object" : "the line ends too early"), MCW_OK;
		j->p++;
		return MCW_OK;
	}
}

/* Now that the line is known to be good */
static void
unescape_fields(mcw_rows *rows)
{
	for (int i = 0; i < rows->options.ncolumns; i++)
	{
		mcw_field  *field = &rows->fields[i];
		char	   *data = (char *) field->data;
		bool		nul;

		if (!(field->flags & FIELD_ESCAPED))
			continue;
		field->len = (uint32_t) (mcw_json_unescape(data, data + field->len, &nul) - data);
		field->flags &= ~FIELD_ESCAPED;
		if (nul)
			field->flags |= MCW_FIELD_CHECK;
	}
}

static bool
is_blank_line(mcw_view line)
{
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] != ' ' && line.data[i] != '\t' && line.data[i] != '\r')
			return false;
	return true;
}

/* The line into record and fields; a failure of memory only */
static mcw_status
read_line(mcw_rows *rows, mcw_view line, mcw_record *record)
{
	json_state *state = rows->state;
	char	   *start = (char *) line.data;
	mcw_json_line	j = {start, start + line.len, rows->end, NULL};
	bool		escaped = false;
	mcw_status	status = MCW_OK;

	for (int i = 0; i < rows->options.ncolumns; i++)
	{
		rows->fields[i].data = "";
		rows->fields[i].len = 0;
		rows->fields[i].flags = MCW_FIELD_NULL | MCW_FIELD_ABSENT;
	}
	if (state->rest >= 0)
	{
		state->rest_text.len = 0;
		(void) mcw_buf_append(&state->rest_text, "\0{", 2);
	}
	mcw_json_skip_blanks(&j);
	if (mcw_json_peek(&j) != '{')
		mcw_json_wrong(&j, j.p, "it is no object");
	else
	{
		j.p++;
		status = read_members(rows, &j, record, &escaped);
		if (status == MCW_OK && j.why == NULL)
		{
			mcw_json_skip_blanks(&j);
			if (j.p < j.end)
				mcw_json_wrong(&j, j.p, "bytes behind the object");
		}
	}
	if (status == MCW_OK && j.why)
	{
		(void) snprintf(state->bad, sizeof(state->bad), "malformed JSON at byte %zu of the line: %s",
						(size_t) (j.p - start) + 1, j.why);
		record->bad = state->bad;
		return MCW_OK;
	}
	if (status == MCW_OK && escaped)
		unescape_fields(rows);
	if (status == MCW_OK && state->rest >= 0)
	{
		mcw_field  *field = &rows->fields[state->rest];

		status = mcw_buf_append_char(&state->rest_text, '}');
		if (status == MCW_OK)
		{
			field->data = state->rest_text.data + 1;
			field->len = (uint32_t) (state->rest_text.len - 1);
			field->flags = MCW_FIELD_NESTED;
		}
	}
	return status;
}

static mcw_status
json_next(mcw_rows *rows, mcw_record *record, mcw_error *err)
{
	mcw_view	line;
	char	   *next;
	mcw_status	status;

	for (;;)
	{
		status = mcw_rows_find_line(rows, &line, &next);
		if (status != MCW_OK)
			return status;
		if (mcw_likely(line.len > 0 && *line.data == '{') || !is_blank_line(line))
			break;
		mcw_rows_took(rows, next);
		rows->line++;
	}
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	record->fields = rows->fields;
	record->nfields = 0;
	record->line = rows->line;
	record->raw = line;
	record->bad = NULL;
	record->unknown = 0;
	record->unknown_name = (mcw_view) {NULL, 0};
	/* before anything is unescaped */
	record->verified = mcw_rows_verify(rows, line.data + line.len);
	status = read_line(rows, line, record);
	if (status != MCW_OK)
		return mcw_rows_fail(rows, err, status, rows->at, "cannot keep the members without a column");
	rows->line++;
	mcw_rows_took(rows, next);
	return MCW_OK;
}

/* ---- opening ---- */

static void
json_close(mcw_rows *rows)
{
	json_state *state = rows->state;

	if (state == NULL)
		return;
	mcw_free(rows->alloc, state->table, ((size_t) state->mask + 1) * sizeof(int32_t));
	mcw_buf_free(&state->rest_text);
	mcw_buf_free(&state->name_text);
	mcw_free(rows->alloc, state, sizeof(*state));
	rows->state = NULL;
}

static mcw_status
json_open(mcw_rows *rows, mcw_error *err)
{
	json_state *state = mcw_new0(rows->alloc, sizeof(*state));
	uint32_t	size = 8;

	rows->state = state;
	if (state == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	state->rest = -1;
	/* at most the record again, and what joins its members */
	mcw_buf_init(&state->rest_text, rows->alloc, rows->options.max_record + 64);
	mcw_buf_init(&state->name_text, rows->alloc, rows->options.max_record + 64);
	while (size < 2 * (uint32_t) rows->options.ncolumns)
		size *= 2;
	state->mask = size - 1;
	state->table = mcw_new0(rows->alloc, size * sizeof(int32_t));
	if (state->table == NULL || mcw_buf_grow(&state->rest_text, 16) != MCW_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (int i = 0; i < rows->options.ncolumns; i++)
	{
		mcw_view	name = rows->options.columns[i].name;
		int32_t    *slot;

		if (mcw_view_eq(name, MCW_LIT("*")))
		{
			if (state->rest >= 0)
				return mcw_fail(err, MCW_ERR_ARGUMENT, "two columns take the members without a column");
			state->rest = i;
			continue;
		}
		slot = find_slot(rows, state, name);
		if (*slot != 0)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "two columns take member \"%.*s\"",
							(int) (name.len < 100 ? name.len : 100), name.data);
		*slot = i + 1;
	}
	return MCW_OK;
}

const mcw_format mcw_format_jsonl = {
	.name = "jsonl",
	.suffix = ".jsonl",
	.open = json_open,
	.next = json_next,
	.close = json_close,
	.header = mcw_write_jsonl_header,
	.null = mcw_write_jsonl_null,
	.text = mcw_write_jsonl_text,
	.bare = mcw_write_jsonl_bare,
	.raw = mcw_write_jsonl_raw,
	.end = mcw_write_jsonl_end
};
