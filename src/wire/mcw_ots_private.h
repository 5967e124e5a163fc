/*
 * mcw_ots_private.h
 *		What the row codecs of Tablestore share: tags, the checksum in line, one cell.
 *		Not for anybody else.
 */
#ifndef MCW_OTS_PRIVATE_H
#define MCW_OTS_PRIVATE_H

#include "mcw_ots.h"
#include "mcw_varint.h"

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

static inline uint8_t
ots_crc_u64(uint8_t crc, uint64_t v)
{
	const uint8_t (*t)[256] = mcw_ots_crc8_table;

	v ^= crc;
	return t[7][v & 0xff] ^ t[6][v >> 8 & 0xff] ^ t[5][v >> 16 & 0xff] ^ t[4][v >> 24 & 0xff] ^
		t[3][v >> 32 & 0xff] ^ t[2][v >> 40 & 0xff] ^ t[1][v >> 48 & 0xff] ^ t[0][v >> 56];
}

static inline uint8_t
ots_crc_feed(uint8_t crc, const char *data, size_t len)
{
	for (; len >= 8; data += 8, len -= 8)
		crc = ots_crc_u64(crc, ots_load64(data));
	for (; len > 0; data++, len--)
		crc = ots_crc_byte(crc, (uint8_t) *data);
	return crc;
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
