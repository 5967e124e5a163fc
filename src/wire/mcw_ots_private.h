/*
 * mcw_ots_private.h
 *		What the row codecs of Tablestore share: tags, the checksum in line, one cell.
 *		Not for anybody else.
 */
#ifndef MCW_OTS_PRIVATE_H
#define MCW_OTS_PRIVATE_H

#include "mcw_ots.h"
#include "mcw_varint.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

/* 3.1 */
#define OTS_HEADER 0x75
#define OTS_HEADER_SIZE 4
#define TAG_ROW_PK 0x01
#define TAG_ROW_DATA 0x02
#define TAG_CELL 0x03
#define TAG_CELL_NAME 0x04
#define TAG_CELL_VALUE 0x05
#define TAG_CELL_OP 0x06
#define TAG_CELL_TIMESTAMP 0x07
#define TAG_DELETE_MARKER 0x08
#define TAG_ROW_CHECKSUM 0x09
#define TAG_CELL_CHECKSUM 0x0A
#define TAG_EXTENSION 0x0B
#define TAG_SEQUENCE 0x0C
#define TAG_SEQUENCE_EPOCH 0x0D
#define TAG_SEQUENCE_TIME 0x0E
#define TAG_SEQUENCE_INDEX 0x0F

/* tag, length, then three tags with their integers (3.7) */
#define SEQUENCE_LEN (1 + 4 + 1 + 8 + 1 + 4)
#define SEQUENCE_ITEM_SIZE (1 + 4 + SEQUENCE_LEN)

static inline uint32_t
ots_load32(const char *p)
{
	uint32_t	v;

	memcpy(&v, p, 4);
	return v;
}

static inline uint64_t
ots_load64(const char *p)
{
	uint64_t	v;

	memcpy(&v, p, 8);
	return v;
}

/*
 * mcw_ots_crc8_table[k][b] is the checksum of byte b followed by k zero bytes, so
 * that the bytes of a block are looked up independently of each other: only the
 * first of them is mixed with the running value.
 */
#define OTS_CRC_TABLES 8
extern const uint8_t mcw_ots_crc8_table[OTS_CRC_TABLES][256];

static inline uint8_t
ots_crc_byte(uint8_t crc, uint8_t byte)
{
	return mcw_ots_crc8_table[0][crc ^ byte];
}

/*
 * Eight bytes with the most significant first, in one carry-less multiplication:
 * the quotient by x^8 + x^2 + x + 1 is the upper half of a product with its
 * reciprocal, and of quotient times polynomial only the low eight bits matter.
 * The running value is not mixed in but looked up, so that the multiplications of
 * successive words do not wait for each other.
 */
#if defined(__x86_64__)
static inline bool
ots_has_clmul(void)
{
	return mcw_likely(__builtin_cpu_supports("pclmul"));
}

static inline uint8_t
ots_crc_word(uint64_t word)
{
	__m128i		product = _mm_cvtsi64_si128((int64_t) word);
	const __m128i reciprocal = _mm_cvtsi64_si128(INT64_C(0x07156A166329DD13));	/* floor(x^72 / P) less x^64 */
	uint32_t	quotient;

	__asm__("pclmulqdq $0, %1, %0" : "+x"(product) : "x"(reciprocal));
	quotient = (uint32_t) word ^ (uint32_t) _mm_cvtsi128_si32(_mm_unpackhi_epi64(product, product));
	return (uint8_t) (quotient ^ quotient << 1 ^ quotient << 2);
}
#else
static inline bool
ots_has_clmul(void)
{
	return false;
}

static inline uint8_t
ots_crc_word(uint64_t word)
{
	return 0;
}
#endif

/* Eight bytes by the tables */
static inline uint8_t
ots_crc_u64_portable(uint8_t crc, uint64_t v)
{
	const uint8_t (*t)[256] = mcw_ots_crc8_table;

	v ^= crc;
	return t[7][v & 0xff] ^ t[6][v >> 8 & 0xff] ^ t[5][v >> 16 & 0xff] ^ t[4][v >> 24 & 0xff] ^
		t[3][v >> 32 & 0xff] ^ t[2][v >> 40 & 0xff] ^ t[1][v >> 48 & 0xff] ^ t[0][v >> 56];
}

static inline uint8_t
ots_crc_u64(uint8_t crc, uint64_t v)
{
	if (ots_has_clmul())
		return mcw_ots_crc8_table[7][crc] ^ ots_crc_word(__builtin_bswap64(v));
	return ots_crc_u64_portable(crc, v);
}

static inline uint8_t
ots_crc_feed_portable(uint8_t crc, const char *data, size_t len)
{
	for (; len >= 8; data += 8, len -= 8)
		crc = ots_crc_u64_portable(crc, ots_load64(data));
	for (; len > 0; data++, len--)
		crc = ots_crc_byte(crc, (uint8_t) *data);
	return crc;
}

/*
 * Whole words, many of them: each word above waits for the one before, so that long
 * texts are folded by sixteen bytes first.  Needs carry-less multiplication.
 */
#define OTS_CRC_FOLD_MIN 48
extern uint8_t mcw_ots_crc8_fold(uint8_t crc, const char *data, size_t len);

/*
 * Zero bytes in front do not count, so that the odd bytes are taken first, as one
 * word: no loop over single bytes.  At least eight bytes can be read at 'data',
 * whatever 'len' is, which is not 0.
 */
static inline uint8_t
ots_crc_feed_readable(uint8_t crc, const char *data, size_t len)
{
	size_t		odd = len & 7;

	if (mcw_unlikely(!ots_has_clmul()))
		return ots_crc_feed_portable(crc, data, len);
	if (odd)
	{
		crc = mcw_ots_crc8_table[odd - 1][crc] ^ ots_crc_word(__builtin_bswap64(ots_load64(data)) >> (64 - 8 * odd));
		data += odd;
		len -= odd;
	}
	if (len >= OTS_CRC_FOLD_MIN)
		return mcw_ots_crc8_fold(crc, data, len);
	for (; len > 0; data += 8, len -= 8)
		crc = mcw_ots_crc8_table[7][crc] ^ ots_crc_word(__builtin_bswap64(ots_load64(data)));
	return crc;
}

/* One to seven bytes as a number, most significant first */
static inline uint64_t
ots_load_short(const char *data, size_t len)
{
	const unsigned char *d = (const unsigned char *) data;

	if (len >= 4)
		return (uint64_t) __builtin_bswap32(ots_load32(data)) << 8 * (len - 4) |
			__builtin_bswap32(ots_load32(data + len - 4));
	return (uint64_t) d[0] << 8 * (len - 1) | (uint64_t) d[len / 2] << 8 * (len - 1 - len / 2) | d[len - 1];
}

static inline uint8_t
ots_crc_feed(uint8_t crc, const char *data, size_t len)
{
	if (len >= 8)
		return ots_crc_feed_readable(crc, data, len);
	if (len == 0)
		return crc;
	if (mcw_unlikely(!ots_has_clmul()))
		return ots_crc_feed_portable(crc, data, len);
	return ots_crc_word(ots_load_short(data, len) ^ (uint64_t) crc << 8 * (len - 1));
}

/* Type byte and length of a text */
static inline uint8_t
ots_crc_type_and_length(uint8_t crc, uint8_t type, uint32_t len)
{
	char		bytes[4];

	if (ots_has_clmul())
		return ots_crc_word((uint64_t) (uint8_t) (crc ^ type) << 32 | __builtin_bswap32(len));
	memcpy(bytes, &len, 4);
	return ots_crc_feed_portable(ots_crc_byte(crc, type), bytes, 4);
}

/* ---- one cell ---- */

/* mcw_ots_next_cell keeps in its position that it has passed the tag of the attribute columns */
#define OTS_POS_IN_DATA (~(SIZE_MAX >> 1))

typedef struct ots_raw_cell
{
	mcw_ots_cell cell;
	mcw_view	variant;		/* type byte and payload; data NULL = no value */
	const char *timestamp;		/* its eight bytes, NULL = none */
	uint8_t		crc;			/* as sent */
} ots_raw_cell;

/*
 * The variant that begins at pos: returns the position behind it, NULL with *what
 * set if it is malformed.
 */
extern const char *mcw_ots_parse_variant(const char *pos, const char *end, mcw_ots_value *value,
										 const char **what);

/*
 * The cell whose tag is at pos, checksum not verified: returns the position behind
 * it, NULL with *what set and *fail at the offending byte.
 */
extern const char *mcw_ots_parse_cell(const char *pos, const char *end, bool is_key,
									  ots_raw_cell *raw, const char **fail, const char **what);

/* The checksum the cell must have (3.4) */
static inline uint8_t
ots_cell_crc(const ots_raw_cell *raw, uint8_t name_crc)
{
	uint8_t		crc = name_crc;

	if (raw->variant.data)
		crc = ots_crc_feed(crc, raw->variant.data, raw->variant.len);
	if (raw->timestamp)
		crc = ots_crc_u64(crc, ots_load64(raw->timestamp));
	if (raw->cell.op != MCW_OTS_PUT)
		crc = ots_crc_byte(crc, raw->cell.op);
	return crc;
}

#endif							/* MCW_OTS_PRIVATE_H */
