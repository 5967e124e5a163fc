/*
 * mcw_snappy.c
 *		The snappy framing format: a stream identifier, then chunks of at most 64 kB
 *		of data, each with a masked CRC32C of its uncompressed bytes.
 */
#include "mcw_snappy.h"
#include "mcw_hash.h"

#include <snappy-c.h>

#define CHUNK_COMPRESSED 0x00
#define CHUNK_UNCOMPRESSED 0x01
#define CHUNK_FIRST_SKIPPABLE 0x80
#define CHUNK_IDENTIFIER 0xFF
#define CHUNK_HEADER_SIZE 4
#define CHUNK_CRC_SIZE 4
#define CHUNK_MAX_DATA 65536

static const char identifier[] = "\xff\x06\x00\x00sNaPpY";

#define IDENTIFIER_SIZE (sizeof(identifier) - 1)

static uint32_t
masked_crc(const char *data, size_t len)
{
	uint32_t	crc = mcw_crc32c(0, data, len);

	return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U;
}

static uint32_t
load_le(const char *p, int bytes)
{
	uint32_t	value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint32_t) (unsigned char) p[i] << (8 * i);
	return value;
}

static void
store_le(char *p, uint32_t value, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (char) (value >> (8 * i));
}

/* ---- writing ---- */

static mcw_status
compress_chunk(const char *data, size_t len, mcw_buf *dst)
{
	size_t		packed = snappy_max_compressed_length(len);
	mcw_status	status = mcw_buf_grow(dst, CHUNK_HEADER_SIZE + CHUNK_CRC_SIZE + packed);
	char	   *chunk;
	char	   *body;

	if (status != MCW_OK)
		return status;
	chunk = dst->data + dst->len;
	body = chunk + CHUNK_HEADER_SIZE + CHUNK_CRC_SIZE;
	if (snappy_compress(data, len, body, &packed) != SNAPPY_OK)
		return MCW_ERR_NOMEM;

	/* less than an eighth saved is not worth the reader's time */
	chunk[0] = CHUNK_COMPRESSED;
	if (packed > len - len / 8)
	{
		chunk[0] = CHUNK_UNCOMPRESSED;
		memcpy(body, data, len);
		packed = len;
	}
	store_le(chunk + 1, (uint32_t) (CHUNK_CRC_SIZE + packed), 3);
	store_le(chunk + CHUNK_HEADER_SIZE, masked_crc(data, len), CHUNK_CRC_SIZE);
	dst->len += CHUNK_HEADER_SIZE + CHUNK_CRC_SIZE + packed;
	return MCW_OK;
}

mcw_status
mcw_snappy_compress(mcw_view src, mcw_buf *dst)
{
	mcw_status	status = mcw_buf_append(dst, identifier, IDENTIFIER_SIZE);

	while (status == MCW_OK && src.len > 0)
	{
		size_t		len = src.len < CHUNK_MAX_DATA ? src.len : CHUNK_MAX_DATA;

		status = compress_chunk(src.data, len, dst);
		src.data += len;
		src.len -= len;
	}
	return status;
}

/* ---- reading ---- */

/* 'chunk' is CRC and data, without the header. */
static mcw_status
read_data_chunk(unsigned char type, mcw_view chunk, size_t limit, mcw_buf *dst, mcw_error *err)
{
	uint32_t	want;
	size_t		len;
	char	   *out;
	mcw_status	status;

	if (chunk.len < CHUNK_CRC_SIZE)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk of %zu bytes has no room for its checksum", chunk.len);
	want = load_le(chunk.data, CHUNK_CRC_SIZE);
	chunk.data += CHUNK_CRC_SIZE;
	chunk.len -= CHUNK_CRC_SIZE;

	len = chunk.len;
	if (type == CHUNK_COMPRESSED && snappy_uncompressed_length(chunk.data, chunk.len, &len) != SNAPPY_OK)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk is malformed");
	if (len > CHUNK_MAX_DATA)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk of %zu bytes is larger than the format allows", len);
	if (len > limit)
		return mcw_fail(err, MCW_ERR_LIMIT, "decompressed data are larger than %zu bytes", dst->len + limit);

	status = mcw_buf_grow(dst, len);
	if (status != MCW_OK)
		return mcw_fail(err, status, "cannot decompress: %s", mcw_status_name(status));
	if (len == 0 && !mcw_buf_room(dst, 1))
		return mcw_fail(err, MCW_ERR_LIMIT, "cannot decompress: no room");
	out = dst->data + dst->len;
	if (type == CHUNK_UNCOMPRESSED)
		memcpy(out, chunk.data, len);
	else if (snappy_uncompress(chunk.data, chunk.len, out, &len) != SNAPPY_OK)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk is malformed");
	if (masked_crc(out, len) != want)
		return mcw_fail(err, MCW_ERR_CHECKSUM, "snappy chunk has a wrong checksum");
	dst->len += len;
	return MCW_OK;
}

mcw_status
mcw_snappy_decompress(mcw_view src, size_t limit, mcw_buf *dst, mcw_error *err)
{
	size_t		start = dst->len;

	if (src.len < IDENTIFIER_SIZE || memcmp(src.data, identifier, IDENTIFIER_SIZE) != 0)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream does not begin with its identifier");

	while (src.len > 0)
	{
		unsigned char type = (unsigned char) src.data[0];
		mcw_view	chunk = {src.data + CHUNK_HEADER_SIZE, 0};
		mcw_status	status = MCW_OK;

		if (src.len < CHUNK_HEADER_SIZE)
			return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream is cut short");
		chunk.len = load_le(src.data + 1, 3);
		if (chunk.len > src.len - CHUNK_HEADER_SIZE)
			return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream is cut short");

		if (type == CHUNK_COMPRESSED || type == CHUNK_UNCOMPRESSED)
			status = read_data_chunk(type, chunk, limit - (dst->len - start), dst, err);
		else if (type == CHUNK_IDENTIFIER)
		{
			if (chunk.len != IDENTIFIER_SIZE - CHUNK_HEADER_SIZE ||
				memcmp(src.data, identifier, IDENTIFIER_SIZE) != 0)
				status = mcw_fail(err, MCW_ERR_FORMAT, "snappy stream identifier is malformed");
		}
		else if (type < CHUNK_FIRST_SKIPPABLE)
			status = mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk type 0x%02x is reserved", type);
		if (status != MCW_OK)
			return status;

		src.data += CHUNK_HEADER_SIZE + chunk.len;
		src.len -= CHUNK_HEADER_SIZE + chunk.len;
	}
	return MCW_OK;
}
