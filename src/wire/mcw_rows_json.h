/*
 * mcw_rows_json.h
 *		Scanning JSON within one line: what both the reader of JSON lines and its slow
 *		paths need.  Not for anybody else.
 */
#ifndef MCW_ROWS_JSON_H
#define MCW_ROWS_JSON_H

#include "mcw.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define MCW_JSON_MAX_DEPTH 512	/* of objects and arrays, the record itself included */

/* The line at hand; the first failure sets 'why' and leaves p where it happened */
typedef struct mcw_json_line
{
	char	   *p;
	char	   *end;			/* of the line */
	char	   *window_end;		/* up to here bytes may be read */
	const char *why;
} mcw_json_line;

static inline bool
mcw_json_wrong(mcw_json_line *j, char *at, const char *why)
{
	j->p = at;
	j->why = why;
	return false;
}

static inline char
mcw_json_peek(const mcw_json_line *j)
{
	return j->p < j->end ? *j->p : '\0';
}

static inline void
mcw_json_skip_blanks(mcw_json_line *j)
{
	while (j->p < j->end && (*j->p == ' ' || *j->p == '\t' || *j->p == '\r'))
		j->p++;
}

/*
 * From behind an opening quote to behind the closing one; *escaped if there is a
 * backslash, whose escapes are not looked at here.
 */
static inline bool
mcw_json_skip_string(mcw_json_line *j, bool *escaped)
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
			return mcw_json_wrong(j, j->end, "a string is not closed");
		if (*p == '"')
		{
			j->p = p + 1;
			return true;
		}
		if (*p != '\\')
			return mcw_json_wrong(j, p, "a control character in a string");
		*escaped = true;
		if (j->end - p < 2)
			return mcw_json_wrong(j, j->end, "a string is not closed");
		p += 2;
	}
}

static inline bool
mcw_json_is_digit(char c)
{
	return (unsigned char) (c - '0') < 10;
}

static inline bool
mcw_json_skip_number(mcw_json_line *j)
{
	char	   *p = j->p;
	char	   *end = j->end;
	char	   *digits;

	p += *p == '-';
	digits = p;
	while (p < end && mcw_json_is_digit(*p))
		p++;
	if (p == digits)
		return mcw_json_wrong(j, p, "a number without digits");
	if (*digits == '0' && p - digits > 1)
		return mcw_json_wrong(j, digits, "a number with leading zeros");
	if (p < end && *p == '.')
	{
		digits = ++p;
		while (p < end && mcw_json_is_digit(*p))
			p++;
		if (p == digits)
			return mcw_json_wrong(j, p, "a number without digits behind its point");
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		p++;
		p += p < end && (*p == '+' || *p == '-');
		digits = p;
		while (p < end && mcw_json_is_digit(*p))
			p++;
		if (p == digits)
			return mcw_json_wrong(j, p, "a number without digits in its exponent");
	}
	j->p = p;
	return true;
}

static inline bool
mcw_json_skip_word(mcw_json_line *j, const char *word, size_t len)
{
	if ((size_t) (j->end - j->p) < len || memcmp(j->p, word, len) != 0)
		return mcw_json_wrong(j, j->p, "no JSON value");
	j->p += len;
	return true;
}

/* ---- mcw_rows_json_scan.c ---- */

/*
 * Are the escapes of a string right?  With 'pairs' each half of a surrogate pair must
 * have its other half.
 */
extern bool mcw_json_check_escapes(mcw_json_line *j, char *from, char *to, bool pairs);
/*
 * Unescape from..to in place, whose escapes and pairs are right, and at least one of
 * them; returns the new end.  A character is never longer than its escape.
 */
extern char *mcw_json_unescape(char *from, char *to, bool *nul);
/* A value that is neither object nor array */
extern bool mcw_json_skip_scalar(mcw_json_line *j);
/* From an opening bracket or brace to behind the closing one; the record is depth 1 */
extern bool mcw_json_skip_nested(mcw_json_line *j);

#endif							/* MCW_ROWS_JSON_H */
