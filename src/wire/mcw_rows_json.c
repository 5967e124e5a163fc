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
#include "mcw_rows_private.h"

#include <stdio.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MAX_DEPTH 512			/* of objects and arrays, the record itself included */
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

/* The line at hand; the first failure sets 'why' and leaves p where it happened */
typedef struct json_line
{
	char	   *p;
	char	   *end;			/* of the line */
	char	   *window_end;		/* up to here bytes may be read */
	const char *why;
} json_line;

static bool
wrong(json_line *j, char *at, const char *why)
{
	j->p = at;
	j->why = why;
	return false;
}

/* ---- scanning ---- */

static inline char
peek(const json_line *j)
{
	return j->p < j->end ? *j->p : '\0';
}

static inline void
skip_blanks(json_line *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\r'))
		j->p++;
}

/*
 * From behind an opening quote to behind the closing one; *escaped if there is a
 * backslash, whose escapes are not looked at here.
 */
static inline bool
skip_string(json_line *j, bool *escaped)
{
	char	   *p = j->p;

	*escaped = false;
	for (;;)
	{
#ifdef __SSE2__
		while (j->window_end - p >= 16)
		{
			__m128i		v = _mm_loadu_si128((const __m128i *) p);
			__m128i		stop = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
											_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')),
														 _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(0x1F)),
																		_mm_set1_epi8(0x1F))));
			int			mask = _mm_movemask_epi8(stop);

			if (mask)
			{
				p += __builtin_ctz((unsigned) mask);
				break;
			}
			p += 16;
		}
#endif
		while (p < j->end && *p != '"' && *p != '\\' && (unsigned char) *p >= 0x20)
			p++;
		if (p >= j->end)
			return wrong(j, j->end, "a string is not closed");
		if (*p == '"')
		{
			j->p = p + 1;
			return true;
		}
		if (*p != '\\')
			return wrong(j, p, "a control character in a string");
		*escaped = true;
		if (j->end - p < 2)
			return wrong(j, j->end, "a string is not closed");
		p += 2;
	}
}

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') < 10;
}

static inline bool
skip_number(json_line *j)
{
	char	   *p = j->p;
	char	   *end = j->end;
	char	   *digits;

	p += *p == '-';
	digits = p;
	while (p < end && is_digit(*p))
		p++;
	if (p == digits)
		return wrong(j, p, "a number without digits");
	if (*digits == '0' && p - digits > 1)
		return wrong(j, digits, "a number with leading zeros");
	if (p < end && *p == '.')
	{
		digits = ++p;
		while (p < end && is_digit(*p))
			p++;
		if (p == digits)
			return wrong(j, p, "a number without digits behind its point");
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		p += p < end && (*p == '+' || *p == '-');
		digits = p;
		while (p < end && is_digit(*p))
			p++;
		if (p == digits)
			return wrong(j, p, "a number without digits in its exponent");
	}
	j->p = p;
	return true;
}

static inline bool
skip_word(json_line *j, const char *word, size_t len)
{
	if ((size_t) (j->end - j->p) < len || memcmp(j->p, word, len) != 0)
		return wrong(j, j->p, "no JSON value");
	j->p += len;
	return true;
}

/* ---- escapes ---- */

/* Value of four hexadecimal digits, or -1 */
static int
hex4(const char *p, const char *end)
{
	int			value = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++)
	{
		char		c = p[i];
		int			digit;

		if (is_digit(c))
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return -1;
		value = value << 4 | digit;
	}
	return value;
}

static char *
put_utf8(char *out, uint32_t c)
{
	if (c < 0x80)
		*out++ = (char) c;
	else if (c < 0x800)
	{
		*out++ = (char) (0xC0 | c >> 6);
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else if (c < 0x10000)
	{
		*out++ = (char) (0xE0 | c >> 12);
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | c >> 18);
		*out++ = (char) (0x80 | (c >> 12 & 0x3F));
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	return out;
}

/* The character an escape without u stands for, 0 = none */
static char
simple_escape(char c)
{
	switch (c)
	{
		case '"':
		case '\\':
		case '/':
			return c;
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
	}
	return '\0';
}

/*
 * Are the escapes of a string right?  With 'pairs' each half of a surrogate pair must
 * have its other half.
 */
static bool
check_escapes(json_line *j, char *from, char *to, bool pairs)
{
	for (char *p = from; (p = memchr(p, '\\', (size_t) (to - p))) != NULL;)
	{
		char	   *escape = p;
		int			c;

		/* a backslash is never the last byte */
		if (p[1] != 'u')
		{
			if (simple_escape(p[1]) == '\0')
				return wrong(j, escape, "an unknown escape in a string");
			p += 2;
			continue;
		}
		c = hex4(p + 2, to);
		p += 6;
		if (c < 0)
			return wrong(j, escape, "an unknown escape in a string");
		if (pairs && c >= 0xD800 && c <= 0xDFFF)
		{
			int			low = c < 0xDC00 && to - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, to) : -1;

			if (low < 0xDC00 || low > 0xDFFF)
				return wrong(j, escape, "half of a surrogate pair in a string");
			p += 6;
		}
	}
	return true;
}

/*
 * Unescape from..to in place, whose escapes and pairs are right; returns the new end.
 * A character is never longer than its escape.
 */
static char *
unescape(char *from, char *to, bool *nul)
{
	char	   *p = memchr(from, '\\', (size_t) (to - from));
	char	   *out = p;

	*nul = false;
	while (p < to)
	{
		char	   *next;
		size_t		plain;

		if (p[1] != 'u')
		{
			*out++ = simple_escape(p[1]);
			p += 2;
		}
		else
		{
			int			c = hex4(p + 2, to);

			p += 6;
			if (c >= 0xD800 && c <= 0xDFFF)
			{
				c = 0x10000 + ((c & 0x3FF) << 10 | (hex4(p + 2, to) & 0x3FF));
				p += 6;
			}
			*nul = *nul || c == 0;
			out = put_utf8(out, (uint32_t) c);
		}
		next = p < to ? memchr(p, '\\', (size_t) (to - p)) : NULL;
		plain = (size_t) ((next ? next : to) - p);
		memmove(out, p, plain);
		out += plain;
		p += plain;
	}
	return out;
}

/* ---- nested values ---- */

static bool
skip_checked_string(json_line *j)
{
	char	   *start = ++j->p;
	bool		escaped;

	return skip_string(j, &escaped) && (!escaped || check_escapes(j, start, j->p - 1, false));
}

/* A value that is neither object nor array */
static inline bool
skip_scalar(json_line *j)
{
	switch (peek(j))
	{
		case '"':
			return skip_checked_string(j);
		case 't':
			return skip_word(j, "true", 4);
		case 'f':
			return skip_word(j, "false", 5);
		case 'n':
			return skip_word(j, "null", 4);
		default:
			if (j->p < j->end && (*j->p == '-' || is_digit(*j->p)))
				return skip_number(j);
			return wrong(j, j->p, j->p < j->end ? "no JSON value" : "the line ends too early");
	}
}

static bool
skip_member_name(json_line *j)
{
	skip_blanks(j);
	if (peek(j) != '"')
		return wrong(j, j->p, "a member without a name");
	if (!skip_checked_string(j))
		return false;
	skip_blanks(j);
	if (peek(j) != ':')
		return wrong(j, j->p, "a name without a colon");
	j->p++;
	return true;
}

/* From an opening bracket or brace to behind the closing one; the record is depth 1 */
static bool
skip_nested(json_line *j)
{
	uint64_t	object[MAX_DEPTH / 64 + 1] = {0};	/* a bit for each depth */
	int			depth = 1;

	for (;;)
	{
		bool		opened = false;
		char		c;

		skip_blanks(j);
		c = peek(j);
		if (c == '{' || c == '[')
		{
			if (++depth > MAX_DEPTH)
				return wrong(j, j->p, "it is nested too deep");
			if (c == '{')
				object[depth / 64] |= UINT64_C(1) << depth % 64;
			else
				object[depth / 64] &= ~(UINT64_C(1) << depth % 64);
			j->p++;
			opened = true;
		}
		else if (!skip_scalar(j))
			return false;

		/* behind a value, or an opening: what closes, and a comma before the next value */
		for (;;)
		{
			bool		in_object = object[depth / 64] >> depth % 64 & 1;

			skip_blanks(j);
			c = peek(j);
			if (c == (in_object ? '}' : ']'))
			{
				j->p++;
				opened = false;
				if (--depth == 1)
					return true;
				continue;
			}
			if (!opened)
			{
				if (c != ',')
					return wrong(j, j->p, j->p < j->end ? "neither a comma nor the end of an object or array" :
								 "the line ends too early");
				j->p++;
			}
			if (in_object && !skip_member_name(j))
				return false;
			break;
		}
	}
}

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
read_name(mcw_rows *rows, json_line *j, int position, mcw_view *name, int *column)
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
	if (!skip_string(j, &escaped))
		return MCW_OK;
	*name = (mcw_view) {start, (size_t) (j->p - 1 - start)};
	if (mcw_unlikely(escaped))
	{
		mcw_buf    *text = &state->name_text;
		mcw_view	decoded;

		if (!check_escapes(j, start, j->p - 1, true))
			return MCW_OK;
		text->len = 0;
		if (mcw_buf_append_view(text, *name) != MCW_OK)
			return mcw_buf_status(text);
		decoded.data = text->data;
		decoded.len = (size_t) (unescape(text->data, text->data + text->len, &nul) - text->data);
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
read_value(json_line *j, mcw_field *field)
{
	char	   *start = j->p;
	bool		escaped;

	field->flags = 0;
	switch (peek(j))
	{
		case '"':
			j->p = ++start;
			if (!skip_string(j, &escaped) || (mcw_unlikely(escaped) && !check_escapes(j, start, j->p - 1, true)))
				return false;
			field->data = start;
			field->len = (uint32_t) (j->p - 1 - start);
			field->flags = MCW_FIELD_STRING | (escaped ? FIELD_ESCAPED : 0);
			return true;
		case '{':
		case '[':
			if (!skip_nested(j))
				return false;
			field->flags = MCW_FIELD_NESTED;
			break;
		case 't':
			if (!skip_word(j, "true", 4))
				return false;
			field->flags = MCW_FIELD_BOOL;
			break;
		case 'f':
			if (!skip_word(j, "false", 5))
				return false;
			field->flags = MCW_FIELD_BOOL;
			break;
		case 'n':
			if (!skip_word(j, "null", 4))
				return false;
			field->flags = MCW_FIELD_NULL;
			break;
		default:
			if (!skip_scalar(j))
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
read_members(mcw_rows *rows, json_line *j, mcw_record *record, bool *escaped)
{
	json_state *state = rows->state;
	bool		keep = state->rest >= 0 && rows->options.columns[state->rest].needed;

	skip_blanks(j);
	if (peek(j) == '}')
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

		skip_blanks(j);
		start = j->p;
		if (mcw_unlikely(peek(j) != '"'))
			return wrong(j, j->p, "a member without a name"), MCW_OK;
		status = read_name(rows, j, record->nfields, &name, &column);
		if (mcw_unlikely(status != MCW_OK || j->why))
			return status;
		skip_blanks(j);
		if (mcw_unlikely(peek(j) != ':'))
			return wrong(j, j->p, "a name without a colon"), MCW_OK;
		j->p++;
		skip_blanks(j);
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
		skip_blanks(j);
		if (peek(j) == ',')
		{
			j->p++;
			continue;
		}
		if (peek(j) != '}')
			return wrong(j, j->p, j->p < j->end ? "neither a comma nor the end of the object" : "the line ends too early"), MCW_OK;
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
		field->len = (uint32_t) (unescape(data, data + field->len, &nul) - data);
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
	json_line	j = {start, start + line.len, rows->end, NULL};
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
	skip_blanks(&j);
	if (peek(&j) != '{')
		wrong(&j, j.p, "it is no object");
	else
	{
		j.p++;
		status = read_members(rows, &j, record, &escaped);
		if (status == MCW_OK && j.why == NULL)
		{
			skip_blanks(&j);
			if (j.p < j.end)
				wrong(&j, j.p, "bytes behind the object");
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
