/*
 * mcw_rows_scan.c
 *		The first pass over csv and text, see mcw_rows_scan.h: byte by byte, with SSE2 and
 *		with AVX2.
 */
#include "mcw_rows_scan.h"

#include "mcw_text.h"

/* ---- byte by byte: the definition ---- */

static size_t
csv_scalar(mcw_scan *scan, const char *data, size_t len, uint32_t *out)
{
	uint32_t   *first = out;

	for (size_t i = 0; i < len; i++)
	{
		char		c = data[i];

		if (!scan->in_quote)
		{
			if (c == scan->quote)
				scan->in_quote = true;
			else if (c != scan->delimiter && c != '\r' && c != '\n')
				continue;
			*out++ = (uint32_t) i;
		}
		else if (scan->escape && (scan->escaped || c == scan->escape))
		{
			/* an escape escapes itself and the quote; before anything else it is data */
			if (!scan->escaped)
				*out++ = (uint32_t) i;
			else if (c != scan->escape && c != scan->quote)
				scan->line_inside |= c == '\r' || c == '\n';
			scan->escaped = !scan->escaped;
		}
		else if (c == scan->quote)
		{
			scan->in_quote = false;
			*out++ = (uint32_t) i;
		}
		else
			scan->line_inside |= c == '\r' || c == '\n';
	}
	return out - first;
}

static size_t
text_scalar(mcw_scan *scan, const char *data, size_t len, uint32_t *out)
{
	uint32_t   *first = out;

	for (size_t i = 0; i < len; i++)
	{
		char		c = data[i];

		if (scan->escaped)
		{
			scan->escaped = false;
			scan->line_inside |= c == '\r' || c == '\n';
			continue;
		}
		if (scan->escape && c == scan->escape)
			scan->escaped = true;
		else if (c != scan->delimiter && c != '\r' && c != '\n')
			continue;
		*out++ = (uint32_t) i;
	}
	return out - first;
}

#ifdef __SSE2__

#include <immintrin.h>

typedef struct scan_masks
{
	uint64_t	stop;			/* delimiter, CR, LF */
	uint64_t	line;			/* CR, LF */
	uint64_t	quote;
	uint64_t	escape;			/* if it is not the quote */
} scan_masks;

/* A last block of less than 64 bytes, padded with bytes that nobody looks for */
static const char *
scan_tail(char tail[64], const char *p, size_t n)
{
	memset(tail, 0, 64);
	memcpy(tail, p, n);
	return tail;
}

/*
 * A block with escapes that are not the quote, and with quotes: only inside of quotes
 * they escape, so that both states must be followed together.  Returns the positions.
 */
static uint64_t
scan_csv_escapes(mcw_scan *scan, uint64_t *inside, uint64_t *line_inside, const scan_masks *m, size_t n)
{
	uint64_t	left = m->stop | m->quote | m->escape;
	uint64_t	found = 0;
	bool		in_quote = *inside != 0;
	int			escaped = scan->escaped ? 0 : -1;	/* position that an escape stands before */

	for (; left; left &= left - 1)
	{
		int			at = __builtin_ctzll(left);
		uint64_t	bit = left & -left;

		if (!in_quote)
		{
			if (m->quote & bit)
				in_quote = true;
			else if (!(m->stop & bit))
				continue;
			found |= bit;
		}
		else if (at == escaped)
			*line_inside |= m->line & bit;
		else if (m->escape & bit)
		{
			escaped = at + 1;
			found |= bit;
		}
		else if (m->quote & bit)
		{
			in_quote = false;
			found |= bit;
		}
		else
			*line_inside |= m->line & bit;
	}
	*inside = in_quote ? ~UINT64_C(0) : 0;
	scan->escaped = escaped == (int) n;
	return found;
}

/* ---- SSE2: every x86-64 has it ---- */

static inline uint64_t
sse2_bits(__m128i a, __m128i b, __m128i c, __m128i d)
{
	return (uint64_t) (uint32_t) _mm_movemask_epi8(a) | (uint64_t) (uint32_t) _mm_movemask_epi8(b) << 16 |
		(uint64_t) (uint32_t) _mm_movemask_epi8(c) << 32 | (uint64_t) (uint32_t) _mm_movemask_epi8(d) << 48;
}

static inline uint64_t
prefix_xor(uint64_t x)
{
	x ^= x << 1;
	x ^= x << 2;
	x ^= x << 4;
	x ^= x << 8;
	x ^= x << 16;
	return x ^ x << 32;
}

#define SCAN_TARGET
#define SCAN_NAME(name) name##_sse2
/* an escape of 0 finds nothing but padding and NULs, hence the masks */
#define SCAN_BYTES(scan) \
	const __m128i delimiter = _mm_set1_epi8((scan)->delimiter), quote = _mm_set1_epi8((scan)->quote), \
		escape = _mm_set1_epi8((scan)->escape), cr = _mm_set1_epi8('\r'), lf = _mm_set1_epi8('\n'); \
	const uint64_t quote_used = (scan)->quote ? ~UINT64_C(0) : 0, escape_used = (scan)->escape ? ~UINT64_C(0) : 0
#define SSE2_EQ(x) sse2_bits(_mm_cmpeq_epi8(v0, x), _mm_cmpeq_epi8(v1, x), _mm_cmpeq_epi8(v2, x), _mm_cmpeq_epi8(v3, x))
#define SCAN_MASKS(p, m) \
	do { \
		const __m128i v0 = _mm_loadu_si128((const __m128i *) (p)), v1 = _mm_loadu_si128((const __m128i *) (p) + 1), \
			v2 = _mm_loadu_si128((const __m128i *) (p) + 2), v3 = _mm_loadu_si128((const __m128i *) (p) + 3); \
		(m).line = SSE2_EQ(cr) | SSE2_EQ(lf); \
		(m).stop = SSE2_EQ(delimiter) | (m).line; \
		(m).quote = SSE2_EQ(quote) & quote_used; \
		(m).escape = SSE2_EQ(escape) & escape_used; \
	} while (0)
#define SCAN_PREFIX_XOR(x) prefix_xor(x)
#define SCAN_FLATTEN(out, bits, base) \
	for (; (bits) != 0; (bits) &= (bits) - 1) \
		*(out)++ = (base) + (uint32_t) __builtin_ctzll(bits)

#include "mcw_rows_scan_core.h"

#undef SCAN_TARGET
#undef SCAN_NAME
#undef SCAN_BYTES
#undef SCAN_MASKS
#undef SCAN_PREFIX_XOR
#undef SCAN_FLATTEN

/* ---- AVX2, and what processors that have it have besides ---- */

#define SCAN_TARGET __attribute__((target("avx2,bmi,popcnt,pclmul")))
#define SCAN_NAME(name) name##_avx2
#define SCAN_BYTES(scan) \
	const __m256i delimiter = _mm256_set1_epi8((scan)->delimiter), quote = _mm256_set1_epi8((scan)->quote), \
		escape = _mm256_set1_epi8((scan)->escape), cr = _mm256_set1_epi8('\r'), lf = _mm256_set1_epi8('\n'); \
	const uint64_t quote_used = (scan)->quote ? ~UINT64_C(0) : 0, escape_used = (scan)->escape ? ~UINT64_C(0) : 0
#define AVX2_BITS(a, b) ((uint64_t) (uint32_t) _mm256_movemask_epi8(a) | (uint64_t) (uint32_t) _mm256_movemask_epi8(b) << 32)
#define AVX2_EQ(x) AVX2_BITS(_mm256_cmpeq_epi8(v0, x), _mm256_cmpeq_epi8(v1, x))
#define SCAN_MASKS(p, m) \
	do { \
		const __m256i v0 = _mm256_loadu_si256((const __m256i *) (p)), v1 = _mm256_loadu_si256((const __m256i *) (p) + 1); \
		const __m256i l0 = _mm256_or_si256(_mm256_cmpeq_epi8(v0, cr), _mm256_cmpeq_epi8(v0, lf)), \
			l1 = _mm256_or_si256(_mm256_cmpeq_epi8(v1, cr), _mm256_cmpeq_epi8(v1, lf)); \
		(m).line = AVX2_BITS(l0, l1); \
		(m).stop = AVX2_BITS(_mm256_or_si256(_mm256_cmpeq_epi8(v0, delimiter), l0), \
							 _mm256_or_si256(_mm256_cmpeq_epi8(v1, delimiter), l1)); \
		(m).quote = AVX2_EQ(quote) & quote_used; \
		(m).escape = AVX2_EQ(escape) & escape_used; \
	} while (0)
#define SCAN_PREFIX_XOR(x) \
	(uint64_t) _mm_cvtsi128_si64(_mm_clmulepi64_si128(_mm_set_epi64x(0, (int64_t) (x)), _mm_set1_epi8(-1), 0))
/* eight at a time, some of them nonsense: cheaper than a branch that is guessed wrong */
#define SCAN_FLATTEN(out, bits, base) \
	do { \
		int			count_ = __builtin_popcountll(bits); \
		uint32_t   *to_ = (out); \
		(out) += count_; \
		for (; count_ > 0; count_ -= 8, to_ += 8) \
			for (int k_ = 0; k_ < 8; k_++) \
			{ \
				to_[k_] = (base) + (uint32_t) _tzcnt_u64(bits); \
				(bits) &= (bits) - 1; \
			} \
	} while (0)

#include "mcw_rows_scan_core.h"

#endif							/* __SSE2__ */

mcw_scan_level
mcw_scan_best(void)
{
#ifdef __SSE2__
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
		__builtin_cpu_supports("popcnt") && __builtin_cpu_supports("pclmul"))
		return MCW_SCAN_AVX2;
	return MCW_SCAN_SSE2;
#else
	return MCW_SCAN_SCALAR;
#endif
}

mcw_scan_function
mcw_scan_choose(const mcw_scan *scan, mcw_scan_level level)
{
	bool		csv = scan->quote != 0;

#ifdef __SSE2__
	if (level == MCW_SCAN_AVX2)
		return csv ? csv_avx2 : text_avx2;
	if (level == MCW_SCAN_SSE2)
		return csv ? csv_sse2 : text_sse2;
#endif
	return csv ? csv_scalar : text_scalar;
}

/* ---- UTF-8 ---- */

#ifdef __SSE2__

/*
 * Valid UTF-8 without NUL by blocks of 32 bytes: Keiser and Lemire, "Validating UTF-8 in
 * less than one instruction per byte".  Three lookups by half-bytes of each pair of
 * neighbours give the errors that both could be part of; what is left of them after
 * AND is one, but for the second and third continuation byte, which must look like one.
 */
#define TOO_SHORT 0x01			/* a lead without continuation */
#define TOO_LONG 0x02			/* a continuation behind ASCII */
#define OVERLONG_3 0x04
#define TOO_LARGE 0x08
#define SURROGATE 0x10
#define OVERLONG_2 0x20
#define TOO_LARGE_1000 0x40
#define OVERLONG_4 0x40
#define TWO_CONTS 0x80
#define CARRY (TOO_SHORT | TOO_LONG | TWO_CONTS)
#define LARGE (CARRY | TOO_LARGE | TOO_LARGE_1000)
#define CONT (TOO_LONG | OVERLONG_2 | TWO_CONTS)
/* the same table in both halves of the register */
#define TABLE(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
	_mm256_broadcastsi128_si256(_mm_setr_epi8((char) (a), (char) (b), (char) (c), (char) (d), (char) (e), (char) (f), \
		(char) (g), (char) (h), (char) (i), (char) (j), (char) (k), (char) (l), (char) (m), (char) (n), (char) (o), (char) (p)))

/* How many bytes are known to be valid, whole characters only; less than 32 may be left */
__attribute__((target("avx2")))
static size_t
valid_avx2(const char *data, size_t len)
{
	const __m256i first_high = TABLE(TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG, TOO_LONG,
									 TWO_CONTS, TWO_CONTS, TWO_CONTS, TWO_CONTS, TOO_SHORT | OVERLONG_2, TOO_SHORT,
									 TOO_SHORT | OVERLONG_3 | SURROGATE, TOO_SHORT | TOO_LARGE | TOO_LARGE_1000 | OVERLONG_4);
	const __m256i first_low = TABLE(CARRY | OVERLONG_3 | OVERLONG_2 | OVERLONG_4, CARRY | OVERLONG_2, CARRY, CARRY,
									CARRY | TOO_LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE, LARGE,
									LARGE | SURROGATE, LARGE, LARGE);
	const __m256i second_high = TABLE(TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT,
									  CONT | OVERLONG_3 | TOO_LARGE_1000 | OVERLONG_4, CONT | OVERLONG_3 | TOO_LARGE,
									  CONT | SURROGATE | TOO_LARGE, CONT | SURROGATE | TOO_LARGE,
									  TOO_SHORT, TOO_SHORT, TOO_SHORT, TOO_SHORT);
	const __m256i low_half = _mm256_set1_epi8(0x0F);
	__m256i		previous = _mm256_setzero_si256();
	size_t		i;
	size_t		back = 0;

	for (i = 0; len - i >= 32; i += 32)
	{
		const __m256i in = _mm256_loadu_si256((const __m256i *) (data + i));
		const __m256i across = _mm256_permute2x128_si256(previous, in, 0x21);
		const __m256i prev1 = _mm256_alignr_epi8(in, across, 15);
		const __m256i prev2 = _mm256_alignr_epi8(in, across, 14);
		const __m256i prev3 = _mm256_alignr_epi8(in, across, 13);
		const __m256i special =
			_mm256_and_si256(_mm256_and_si256(_mm256_shuffle_epi8(first_high, _mm256_and_si256(_mm256_srli_epi16(prev1, 4), low_half)),
											  _mm256_shuffle_epi8(first_low, _mm256_and_si256(prev1, low_half))),
							 _mm256_shuffle_epi8(second_high, _mm256_and_si256(_mm256_srli_epi16(in, 4), low_half)));
		const __m256i third_or_fourth = _mm256_or_si256(_mm256_subs_epu8(prev2, _mm256_set1_epi8(0x60)),
														_mm256_subs_epu8(prev3, _mm256_set1_epi8(0x70)));
		const __m256i wrong =
			_mm256_or_si256(_mm256_xor_si256(_mm256_and_si256(third_or_fourth, _mm256_set1_epi8((char) 0x80)), special),
							_mm256_cmpeq_epi8(in, _mm256_setzero_si256()));

		if (!_mm256_testz_si256(wrong, wrong))
			break;
		previous = in;
	}
	/* the last character may go on in the next block */
	while (back < 3 && back < i && ((unsigned char) data[i - back - 1] & 0xC0) == 0x80)
		back++;
	if (back < i && (unsigned char) data[i - back - 1] >= 0xC0)
		back++;
	else
		back = 0;
	return i - back;
}

#endif							/* __SSE2__ */

size_t
mcw_scan_valid(const char *data, size_t len)
{
	size_t		i = 0;

	for (;;)
	{
		size_t		valid;
		const char *nul;

#ifdef __SSE2__
		const __m128i zero = _mm_setzero_si128();

		for (; len - i >= 64; i += 64)
		{
			const __m128i *p = (const __m128i *) (data + i);
			__m128i		good = _mm_and_si128(_mm_and_si128(_mm_cmpgt_epi8(_mm_loadu_si128(p), zero),
														   _mm_cmpgt_epi8(_mm_loadu_si128(p + 1), zero)),
											 _mm_and_si128(_mm_cmpgt_epi8(_mm_loadu_si128(p + 2), zero),
														   _mm_cmpgt_epi8(_mm_loadu_si128(p + 3), zero)));

			if (_mm_movemask_epi8(good) != 0xFFFF)
				break;
		}
		if (len - i >= 64 && __builtin_cpu_supports("avx2"))
			i += valid_avx2(data + i, len - i);
#endif
		if (i == len)
			return i;
		/* a stretch that is not plain ASCII, or the end */
		valid = mcw_utf8_valid(data + i, len - i < 64 ? len - i : 64);
		nul = memchr(data + i, 0, valid);
		if (nul)
			return nul - data;
		if (valid == 0)
			return i;
		i += valid;
	}
}
