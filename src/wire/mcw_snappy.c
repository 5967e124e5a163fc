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
#define CHUNK_CRC_SIZE 4

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

mcw_status
mcw_snappy_write_chunk(const char *data, size_t len, mcw_buf *dst)
{
	size_t		packed = snappy_max_compressed_length(len);
	mcw_status	status = mcw_buf_grow(dst, MCW_SNAPPY_HEADER + CHUNK_CRC_SIZE + packed);
	char	   *chunk;
	char	   *body;

	if (status != MCW_OK)
		return status;
	chunk = dst->data + dst->len;
	body = chunk + MCW_SNAPPY_HEADER + CHUNK_CRC_SIZE;
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
	store_le(chunk + MCW_SNAPPY_HEADER, masked_crc(data, len), CHUNK_CRC_SIZE);
	dst->len += MCW_SNAPPY_HEADER + CHUNK_CRC_SIZE + packed;
	return MCW_OK;
}

mcw_status
mcw_snappy_write_identifier(mcw_buf *dst)
{
	return mcw_buf_append(dst, identifier, IDENTIFIER_SIZE);
}

mcw_status
mcw_snappy_compress(mcw_view src, mcw_buf *dst)
{
	mcw_status	status = mcw_snappy_write_identifier(dst);

	while (status == MCW_OK && src.len > 0)
	{
		size_t		len = src.len < MCW_SNAPPY_MAX_DATA ? src.len : MCW_SNAPPY_MAX_DATA;

		status = mcw_snappy_write_chunk(src.data, len, dst);
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
	if (len > MCW_SNAPPY_MAX_DATA)
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
mcw_snappy_header(const char *header, bool first, mcw_snappy_chunk *chunk, mcw_error *err)
{
	chunk->type = (unsigned char) header[0];
	chunk->len = load_le(header + 1, 3);
	chunk->skip = chunk->type >= CHUNK_FIRST_SKIPPABLE && chunk->type != CHUNK_IDENTIFIER;
	if (first && memcmp(header, identifier, MCW_SNAPPY_HEADER) != 0)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream does not begin with its identifier");
	if (chunk->type == CHUNK_IDENTIFIER && chunk->len != IDENTIFIER_SIZE - MCW_SNAPPY_HEADER)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream identifier is malformed");
	if (chunk->type > CHUNK_UNCOMPRESSED && chunk->type < CHUNK_FIRST_SKIPPABLE)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk type 0x%02x is reserved", chunk->type);
	if (!chunk->skip && chunk->len > MCW_SNAPPY_MAX_CHUNK - MCW_SNAPPY_HEADER)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy chunk of %zu bytes is larger than the format allows", chunk->len);
	return MCW_OK;
}

mcw_status
mcw_snappy_read_chunk(mcw_view chunk, size_t limit, mcw_buf *dst, mcw_error *err)
{
	unsigned char type = (unsigned char) chunk.data[0];
	mcw_view	data = {chunk.data + MCW_SNAPPY_HEADER, chunk.len - MCW_SNAPPY_HEADER};

	if (type == CHUNK_IDENTIFIER)
		return memcmp(chunk.data, identifier, IDENTIFIER_SIZE) == 0 ? MCW_OK :
			mcw_fail(err, MCW_ERR_FORMAT, "snappy stream identifier is malformed");
	return read_data_chunk(type, data, limit, dst, err);
}

mcw_status
mcw_snappy_decompress(mcw_view src, size_t limit, mcw_buf *dst, mcw_error *err)
{
	size_t		start = dst->len;
	bool		first = true;

	if (src.len < IDENTIFIER_SIZE)
		return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream does not begin with its identifier");
	for (; src.len > 0; first = false)
	{
		mcw_snappy_chunk chunk;
		mcw_view	whole = {src.data, 0};
		mcw_status	status;

		if (src.len < MCW_SNAPPY_HEADER)
			return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream is cut short");
		status = mcw_snappy_header(src.data, first, &chunk, err);
		if (status != MCW_OK)
			return status;
		whole.len = MCW_SNAPPY_HEADER + chunk.len;
		if (whole.len > src.len)
			return mcw_fail(err, MCW_ERR_FORMAT, "snappy stream is cut short");
		if (!chunk.skip)
			status = mcw_snappy_read_chunk(whole, limit - (dst->len - start), dst, err);
		if (status != MCW_OK)
			return status;
		src.data += whole.len;
		src.len -= whole.len;
	}
	return MCW_OK;
}
