/*
 * mcw_ots.c
 *		Values and keys of Tablestore (tablestore.md 3.2, 3.4): checksum, order, copies.
 */
#include "mcw_ots_private.h"

/* ---- checksum ---- */

/*
 * The checksum is linear: an entry is the sum of the entries of its bits, and the
 * eight arguments of TABLE are those of 1, 2, 4, ... 128, each the double of the one
 * before modulo x^8 + x^2 + x + 1.
 */
#define BIT(b, i, x) ((b) >> (i) & 1 ? (x) : 0)
#define ENTRY(b, x0, x1, x2, x3, x4, x5, x6, x7) \
	BIT(b, 0, x0) ^ BIT(b, 1, x1) ^ BIT(b, 2, x2) ^ BIT(b, 3, x3) ^ \
	BIT(b, 4, x4) ^ BIT(b, 5, x5) ^ BIT(b, 6, x6) ^ BIT(b, 7, x7)
#define FOUR(b, ...) \
	ENTRY((b), __VA_ARGS__), ENTRY((b) + 1, __VA_ARGS__), \
	ENTRY((b) + 2, __VA_ARGS__), ENTRY((b) + 3, __VA_ARGS__)
#define SIXTEEN(b, ...) \
	FOUR((b), __VA_ARGS__), FOUR((b) + 4, __VA_ARGS__), \
	FOUR((b) + 8, __VA_ARGS__), FOUR((b) + 12, __VA_ARGS__)
#define SIXTY_FOUR(b, ...) \
	SIXTEEN((b), __VA_ARGS__), SIXTEEN((b) + 16, __VA_ARGS__), \
	SIXTEEN((b) + 32, __VA_ARGS__), SIXTEEN((b) + 48, __VA_ARGS__)
#define TABLE(...) \
	{SIXTY_FOUR(0, __VA_ARGS__), SIXTY_FOUR(64, __VA_ARGS__), \
	 SIXTY_FOUR(128, __VA_ARGS__), SIXTY_FOUR(192, __VA_ARGS__)}

const uint8_t mcw_ots_crc8_table[OTS_CRC_TABLES][256] = {
	TABLE(0x07, 0x0E, 0x1C, 0x38, 0x70, 0xE0, 0xC7, 0x89),
	TABLE(0x15, 0x2A, 0x54, 0xA8, 0x57, 0xAE, 0x5B, 0xB6),
	TABLE(0x6B, 0xD6, 0xAB, 0x51, 0xA2, 0x43, 0x86, 0x0B),
	TABLE(0x16, 0x2C, 0x58, 0xB0, 0x67, 0xCE, 0x9B, 0x31),
	TABLE(0x62, 0xC4, 0x8F, 0x19, 0x32, 0x64, 0xC8, 0x97),
	TABLE(0x29, 0x52, 0xA4, 0x4F, 0x9E, 0x3B, 0x76, 0xEC),
	TABLE(0xDF, 0xB9, 0x75, 0xEA, 0xD3, 0xA1, 0x45, 0x8A),
	TABLE(0x13, 0x26, 0x4C, 0x98, 0x37, 0x6E, 0xDC, 0xBF),
};

#if defined(__x86_64__)
/* Sixteen bytes, the first one on top; 'crc' joins it */
static inline __m128i
load_block(const char *data, uint8_t crc)
{
	return _mm_set_epi64x((int64_t) __builtin_bswap64(ots_load64(data) ^ crc),
						  (int64_t) __builtin_bswap64(ots_load64(data + 8)));
}

/*
 * A block followed by another has the same checksum as the sum of the other with the
 * block's halves times x^192 and x^128, whose remainders are the constants.
 */
uint8_t
mcw_ots_crc8_fold(uint8_t crc, const char *data, size_t len)
{
	const __m128i remainders = _mm_set_epi64x(0x26, 0x02);
	__m128i		block;
	uint64_t	half;

	if (len & 8)
	{
		crc = ots_crc_word(__builtin_bswap64(ots_load64(data) ^ crc));
		data += 8;
		len -= 8;
	}
	block = load_block(data, crc);
	while ((len -= 16) > 0)
	{
		__m128i		upper = block;

		data += 16;
		__asm__("pclmulqdq $0x11, %1, %0" : "+x"(upper) : "x"(remainders));
		__asm__("pclmulqdq $0x00, %1, %0" : "+x"(block) : "x"(remainders));
		block = _mm_xor_si128(_mm_xor_si128(block, upper), load_block(data, 0));
	}
	half = (uint64_t) _mm_cvtsi128_si64(_mm_unpackhi_epi64(block, block));
	crc = ots_crc_word(half);
	half = (uint64_t) _mm_cvtsi128_si64(block);
	return ots_crc_word(half ^ (uint64_t) crc << 56);
}
#else
uint8_t
mcw_ots_crc8_fold(uint8_t crc, const char *data, size_t len)
{
	return ots_crc_feed_portable(crc, data, len);
}
#endif

uint8_t
mcw_ots_crc8(uint8_t crc, const void *data, size_t len)
{
	return ots_crc_feed(crc, data, len);
}

uint8_t
mcw_ots_crc8_portable(uint8_t crc, const void *data, size_t len)
{
	return ots_crc_feed_portable(crc, data, len);
}

/* ---- values ---- */

const char *
mcw_ots_type_name(mcw_ots_type type)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
			return "INTEGER";
		case MCW_OTS_DOUBLE:
			return "DOUBLE";
		case MCW_OTS_BOOLEAN:
			return "BOOLEAN";
		case MCW_OTS_STRING:
			return "STRING";
		case MCW_OTS_NULL:
			return "NULL";
		case MCW_OTS_BINARY:
			return "BINARY";
		case MCW_OTS_INF_MIN:
			return "INF_MIN";
		case MCW_OTS_INF_MAX:
			return "INF_MAX";
		case MCW_OTS_AUTO_INCREMENT:
			return "AUTO_INCREMENT";
		case MCW_OTS_NONE:
			return "NONE";
	}
	return "unknown";
}

static inline bool
is_infinite(const mcw_ots_value *v)
{
	return v->type == MCW_OTS_INF_MIN || v->type == MCW_OTS_INF_MAX;
}

/* below all finite values, among them, above them */
static inline int
rank(const mcw_ots_value *v)
{
	return (v->type == MCW_OTS_INF_MAX) - (v->type == MCW_OTS_INF_MIN);
}

int
mcw_ots_value_cmp(const mcw_ots_value *a, const mcw_ots_value *b)
{
	if (is_infinite(a) || is_infinite(b))
		return rank(a) - rank(b);
	switch (a->type)
	{
		case MCW_OTS_INTEGER:
			return (a->i > b->i) - (a->i < b->i);
		case MCW_OTS_DOUBLE:
			return (a->d > b->d) - (a->d < b->d);
		case MCW_OTS_BOOLEAN:
			return a->b - b->b;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return mcw_view_cmp(a->s, b->s);
		default:
			return 0;
	}
}

int
mcw_ots_key_cmp(const mcw_ots_key *a, const mcw_ots_key *b)
{
	for (int i = 0; i < a->n; i++)
	{
		int			order = mcw_ots_value_cmp(&a->v[i], &b->v[i]);

		if (order != 0)
			return order;
		if (is_infinite(&a->v[i]))
			return 0;
	}
	return 0;
}

mcw_status
mcw_ots_key_copy(mcw_arena *arena, const mcw_ots_key *key, mcw_ots_key *out)
{
	mcw_ots_key copy = *key;

	for (int i = 0; i < key->n; i++)
	{
		mcw_status	status;

		if (key->v[i].type != MCW_OTS_STRING && key->v[i].type != MCW_OTS_BINARY)
			continue;
		status = mcw_arena_copy(arena, key->v[i].s, &copy.v[i].s);
		if (status != MCW_OK)
			return status;
	}
	*out = copy;
	return MCW_OK;
}

mcw_ots_name
mcw_ots_make_name(mcw_view name)
{
	mcw_ots_name out = {name, ots_crc_feed(0, name.data, name.len)};

	return out;
}
