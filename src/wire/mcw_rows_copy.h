/*
 * mcw_rows_copy.h
 *		Inside of the writers of rows: copy text up to the first byte that needs care,
 *		16 bytes at a time where SSE2 is.
 */
#ifndef MCW_ROWS_COPY_H
#define MCW_ROWS_COPY_H

#include "mcw_rows.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Room for a value is asked for at once up to this length, longer ones go piece by piece */
#define MCW_ROWS_PIECE ((size_t) 16384)

/*
 * Which bytes are special: those of the writer's table 'special' unless said otherwise,
 * in a form that compares 16 of them; always a constant where it is used.
 */
typedef enum mcw_copy_kind
{
	MCW_COPY_CSV,				/* delimiter, quote, CR, LF */
	MCW_COPY_TEXT,				/* backslash, delimiter, BS HT LF VT FF CR */
	MCW_COPY_JSON,				/* quote, backslash, all below blank */
	MCW_COPY_QUOTE,				/* quote; not in the table */
	MCW_COPY_ALL				/* none */
} mcw_copy_kind;

#ifdef __SSE2__

static inline __attribute__((always_inline)) unsigned
mcw_copy_mask(mcw_copy_kind kind, const mcw_row_writer *w, __m128i v)
{
	__m128i		hit = _mm_cmpeq_epi8(v, _mm_loadu_si128((const __m128i *) w->y));
	__m128i		low;

	if (kind != MCW_COPY_QUOTE)
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_loadu_si128((const __m128i *) w->x)));
	switch (kind)
	{
		case MCW_COPY_QUOTE:
			break;
		case MCW_COPY_CSV:
			hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')));
			hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('\r')));
			break;
		case MCW_COPY_TEXT:
			/* BS to CR are neighbours */
			low = _mm_sub_epi8(v, _mm_set1_epi8('\b'));
			hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(low, _mm_set1_epi8(5)), low));
			break;
		case MCW_COPY_JSON:
			hit = _mm_or_si128(hit, _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1F)), v));
			break;
		case MCW_COPY_ALL:
			return 0;
	}
	return (unsigned) _mm_movemask_epi8(hit);
}

#endif							/* __SSE2__ */

/*
 * Copy bytes up to the first special one; returns how many.  'to' has room for 'len'
 * bytes, all of which may be written.
 */
static inline __attribute__((always_inline)) size_t
mcw_copy_plain(mcw_copy_kind kind, const mcw_row_writer *w, char *to, const char *from, size_t len)
{
	size_t		i = 0;

#ifdef __SSE2__
	if (len >= 16)
	{
		for (;;)
		{
			__m128i		v = _mm_loadu_si128((const __m128i *) (from + i));
			unsigned	mask = mcw_copy_mask(kind, w, v);

			_mm_storeu_si128((__m128i *) (to + i), v);
			if (mask)
				return i + (size_t) __builtin_ctz(mask);
			if (i == len - 16)
				return len;
			/* the last step overlaps the one before it, here and below */
			i = i + 16 <= len - 16 ? i + 16 : len - 16;
		}
	}
	if (len >= 4)
	{
		size_t		step = len >= 8 ? 8 : 4;
		uint64_t	head = 0;
		uint64_t	tail = 0;
		unsigned	mask;

		memcpy(&head, from, step == 8 ? 8 : 4);
		memcpy(&tail, from + len - step, step == 8 ? 8 : 4);
		mask = mcw_copy_mask(kind, w, _mm_set_epi64x((long long) tail, (long long) head));
		if (step == 4)
			mask &= 0x0F0F;
		memcpy(to, &head, step == 8 ? 8 : 4);
		memcpy(to + len - step, &tail, step == 8 ? 8 : 4);
		if (!mask)
			return len;
		i = (size_t) __builtin_ctz(mask);
		return i < 8 ? i : len - step + i - 8;
	}
#endif
	for (; i < len; i++)
	{
		if (kind == MCW_COPY_QUOTE ? (uint8_t) from[i] == w->y[0] :
			kind != MCW_COPY_ALL && w->special[(uint8_t) from[i]])
			return i;
		to[i] = from[i];
	}
	return len;
}

#endif							/* MCW_ROWS_COPY_H */
