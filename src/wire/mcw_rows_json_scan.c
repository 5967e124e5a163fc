/*
 * mcw_rows_json_scan.c
 *		JSON within one line, the parts that are rarely run: escapes and nested values.
 */
#include "mcw_rows_json.h"
#include "mcw_text.h"

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

		if (mcw_json_is_digit(c))
			digit = c - '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (c | 0x20) - 'a' + 10;
		else
			return -1;
		value = value << 4 | digit;
	}
	return value;
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

bool
mcw_json_check_escapes(mcw_json_line *j, char *from, char *to, bool pairs)
{
	for (char *p = from; (p = memchr(p, '\\', (size_t) (to - p))) != NULL;)
	{
		char	   *escape = p;
		int			c;

		/* a backslash is never the last byte */
		if (p[1] != 'u')
		{
			if (simple_escape(p[1]) == '\0')
				return mcw_json_wrong(j, escape, "an unknown escape in a string");
			p += 2;
			continue;
		}
		c = hex4(p + 2, to);
		p += 6;
		if (c < 0)
			return mcw_json_wrong(j, escape, "an unknown escape in a string");
		if (pairs && c >= 0xD800 && c <= 0xDFFF)
		{
			int			low = c < 0xDC00 && to - p >= 6 && p[0] == '\\' && p[1] == 'u' ? hex4(p + 2, to) : -1;

			if (low < 0xDC00 || low > 0xDFFF)
				return mcw_json_wrong(j, escape, "half of a surrogate pair in a string");
			p += 6;
		}
	}
	return true;
}

char *
mcw_json_unescape(char *from, char *to, bool *nul)
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
			out = mcw_utf8_put(out, (uint32_t) c);
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
skip_checked_string(mcw_json_line *j)
{
	char	   *start = ++j->p;
	bool		escaped;

	return mcw_json_skip_string(j, &escaped) && (!escaped || mcw_json_check_escapes(j, start, j->p - 1, false));
}

bool
mcw_json_skip_scalar(mcw_json_line *j)
{
	switch (mcw_json_peek(j))
	{
		case '"':
			return skip_checked_string(j);
		case 't':
			return mcw_json_skip_word(j, "true", 4);
		case 'f':
			return mcw_json_skip_word(j, "false", 5);
		case 'n':
			return mcw_json_skip_word(j, "null", 4);
		default:
			if (j->p < j->end && (*j->p == '-' || mcw_json_is_digit(*j->p)))
				return mcw_json_skip_number(j);
			return mcw_json_wrong(j, j->p, j->p < j->end ? "no JSON value" : "the line ends too early");
	}
}

static bool
skip_member_name(mcw_json_line *j)
{
	mcw_json_skip_blanks(j);
	if (mcw_json_peek(j) != '"')
		return mcw_json_wrong(j, j->p, "a member without a name");
	if (!skip_checked_string(j))
		return false;
	mcw_json_skip_blanks(j);
	if (mcw_json_peek(j) != ':')
		return mcw_json_wrong(j, j->p, "a name without a colon");
	j->p++;
	return true;
}

bool
mcw_json_skip_nested(mcw_json_line *j)
{
	uint64_t	object[MCW_JSON_MAX_DEPTH / 64 + 1] = {0};	/* a bit for each depth */
	int			depth = 1;

	for (;;)
	{
		bool		opened = false;
		char		c;

		mcw_json_skip_blanks(j);
		c = mcw_json_peek(j);
		if (c == '{' || c == '[')
		{
			if (++depth > MCW_JSON_MAX_DEPTH)
				return mcw_json_wrong(j, j->p, "it is nested too deep");
			if (c == '{')
				object[depth / 64] |= UINT64_C(1) << depth % 64;
			else
				object[depth / 64] &= ~(UINT64_C(1) << depth % 64);
			j->p++;
			opened = true;
		}
		else if (!mcw_json_skip_scalar(j))
			return false;

		/* behind a value, or an opening: what closes, and a comma before the next value */
		for (;;)
		{
			bool		in_object = object[depth / 64] >> depth % 64 & 1;

			mcw_json_skip_blanks(j);
			c = mcw_json_peek(j);
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
					return mcw_json_wrong(j, j->p, j->p < j->end ? "neither a comma nor the end of an object or array" :
								 "the line ends too early");
				j->p++;
			}
			if (in_object && !skip_member_name(j))
				return false;
			break;
		}
	}
}
