/*
 * mcw_text.h
 *		Text encodings that protocols need: hex, base64, percent-encoding, UTF-8
 *		check, HTTP and ISO 8601 dates.
 */
#ifndef MCW_TEXT_H
#define MCW_TEXT_H

#include "mcw.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

extern int	mcw_hex_value(char c);	/* of one digit, either case; -1 if it is none */
extern mcw_status mcw_hex_encode(mcw_buf *out, mcw_view in, bool upper);
extern mcw_status mcw_hex_decode(mcw_buf *out, mcw_view in);	/* MCW_ERR_FORMAT */
extern mcw_status mcw_base64_encode(mcw_buf *out, mcw_view in);
extern mcw_status mcw_base64_decode(mcw_buf *out, mcw_view in);	/* standard alphabet, padding required */

/* RFC 3986: A-Za-z0-9-_.~ kept, everything else %XX upper case; keep_slash for paths */
extern mcw_status mcw_percent_encode(mcw_buf *out, mcw_view in, bool keep_slash);
/* %XX decoded; plus_is_space as in form encoding; a bad escape is kept as it is */
extern mcw_status mcw_percent_decode(mcw_buf *out, mcw_view in, bool plus_is_space);

/*
 * Length of the longest valid UTF-8 prefix (no surrogates, no overlong forms, max
 * U+10FFFF); NUL bytes count as valid.
 */
extern size_t mcw_utf8_valid(const char *data, size_t len);

/* True if all bytes are 0x01..0x7F.  A few nanoseconds for short values. */
static inline bool
mcw_plain_ascii(const char *data, size_t len)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t	bad = 0;
	uint64_t	w = ones;
	const char *last;

#ifdef __SSE2__
	if (len >= 16)
	{
		const __m128i zero = _mm_setzero_si128();
		__m128i		good = _mm_set1_epi8(-1);

		/* the last step overlaps the one before it, here and below */
		for (last = data + len - 16; data < last; data += 16)
			good = _mm_and_si128(good, _mm_cmpgt_epi8(_mm_loadu_si128((const __m128i *) data), zero));
		good = _mm_and_si128(good, _mm_cmpgt_epi8(_mm_loadu_si128((const __m128i *) last), zero));
		return _mm_movemask_epi8(good) == 0xFFFF;
	}
#endif
	if (len >= 8)
	{
		for (last = data + len - 8; data < last; data += 8)
		{
			memcpy(&w, data, 8);
			bad |= w | (w - ones);
		}
		memcpy(&w, last, 8);
		bad |= w | (w - ones);
		return (bad & high) == 0;
	}
	if (len >= 4)
	{
		memcpy(&w, data, 4);
		memcpy((char *) &w + 4, data + len - 4, 4);
	}
	else
		for (size_t i = 0; i < len; i++)
			memcpy((char *) &w + i, data + i, 1);
	bad = w | (w - ones);
	return (bad & high) == 0;
}

/* Instants are microseconds since 1970-01-01 00:00:00 UTC. */
extern void mcw_http_date(int64_t unix_seconds, char out[32]);	/* Wed, 15 Nov 2023 06:13:20 GMT */
extern bool mcw_parse_http_date(mcw_view v, int64_t *unix_seconds);
extern void mcw_iso_basic(int64_t unix_seconds, char out[20]);	/* 20231115T061320Z */
extern bool mcw_parse_iso_basic(mcw_view v, int64_t *unix_seconds);
/* 2018-01-11T01:30:00[.ffffff][Z|+08[:00]] or with a blank for the T; zone required */
extern bool mcw_parse_iso8601(mcw_view v, int64_t *unix_micros);

/* proleptic Gregorian calendar */
extern int64_t mcw_days_from_civil(int64_t year, int month, int day);
extern void mcw_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/* Write a code point (not checked) as 1 to 4 bytes; the place behind it */
extern char *mcw_utf8_put(char *out, uint32_t c);
/* without blanks, tabs and line ends at both ends */
extern mcw_view mcw_view_trim(mcw_view v);

#endif							/* MCW_TEXT_H */
