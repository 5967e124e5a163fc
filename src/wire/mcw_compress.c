/*
 * mcw_compress.c
 *		Names of codecs, and whole-body compression.  Decompression, where the other
 *		side is not trusted, is in mcw_decompress.c.
 *
 * Working memory of LZ4 and zstd contexts is the libraries' own; it is bounded by
 * the level and released before the function returns.
 */
#include "mcw_compress.h"
#include "mcw_snappy.h"

#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <zlib.h>
#include <zstd.h>

#define ZLIB_WINDOW_BITS 15
#define ZLIB_GZIP 16			/* added to the window bits */
#define ZLIB_MEM_LEVEL 8

typedef struct codec_name
{
	const char *name;
	mcw_codec	codec;
} codec_name;

static bool
find_codec(const codec_name *names, size_t count, mcw_view name, mcw_codec *codec)
{
	for (size_t i = 0; i < count; i++)
	{
		if (mcw_view_ieq(name, mcw_str(names[i].name)))
		{
			*codec = names[i].codec;
			return true;
		}
	}
	return false;
}

bool
mcw_codec_from_sls(mcw_view name, mcw_codec *codec)
{
	static const codec_name names[] = {
		{"", MCW_CODEC_NONE},
		{"lz4", MCW_CODEC_LZ4_BLOCK},
		{"zstd", MCW_CODEC_ZSTD},
		{"deflate", MCW_CODEC_DEFLATE},
		{"gzip", MCW_CODEC_GZIP},
	};

	return find_codec(names, sizeof(names) / sizeof(names[0]), name, codec);
}

bool
mcw_codec_from_http(mcw_view name, mcw_codec *codec)
{
	static const codec_name names[] = {
		{"", MCW_CODEC_NONE},
		{"identity", MCW_CODEC_NONE},
		{"deflate", MCW_CODEC_DEFLATE},
		{"gzip", MCW_CODEC_GZIP},
		{"zstd", MCW_CODEC_ZSTD},
		{"x-lz4-frame", MCW_CODEC_LZ4_FRAME},
		{"x-odps-lz4-frame", MCW_CODEC_LZ4_FRAME},
		{"x-snappy-framed", MCW_CODEC_SNAPPY_FRAMED},
	};

	return find_codec(names, sizeof(names) / sizeof(names[0]), name, codec);
}

const char *
mcw_codec_http_name(mcw_codec codec)
{
	switch (codec)
	{
		case MCW_CODEC_NONE:
		case MCW_CODEC_LZ4_BLOCK:
		case MCW_CODEC_BZIP2:
		case MCW_CODEC_XZ:
			return NULL;
		case MCW_CODEC_LZ4_FRAME:
			return "x-lz4-frame";
		case MCW_CODEC_ZSTD:
			return "zstd";
		case MCW_CODEC_DEFLATE:
			return "deflate";
		case MCW_CODEC_GZIP:
			return "gzip";
		case MCW_CODEC_SNAPPY_FRAMED:
			return "x-snappy-framed";
	}
	return NULL;
}

/* ---- compressors: append to dst or leave it as it was ---- */

static mcw_status
compress_lz4_block(int level, mcw_view src, mcw_buf *dst)
{
	mcw_status	status;
	int			bound;
	int			written;
	char	   *out;

	if (src.len > LZ4_MAX_INPUT_SIZE)
		return MCW_ERR_LIMIT;
	bound = LZ4_compressBound((int) src.len);
	status = mcw_buf_grow(dst, (size_t) bound);
	if (status != MCW_OK)
		return status;
	out = dst->data + dst->len;
	if (level > 0)
		written = LZ4_compress_HC(src.data, out, (int) src.len, bound, level);
	else
		written = LZ4_compress_default(src.data, out, (int) src.len, bound);
	if (written <= 0)
		return MCW_ERR_NOMEM;
	dst->len += (size_t) written;
	return MCW_OK;
}

/* Independent blocks, because some readers know no others */
static mcw_status
compress_lz4_frame(int level, mcw_view src, mcw_buf *dst)
{
	LZ4F_preferences_t prefs = {
		.frameInfo = {
			.blockMode = LZ4F_blockIndependent,
			.contentChecksumFlag = LZ4F_contentChecksumEnabled,
		},
		.compressionLevel = level,
	};
	size_t		bound = LZ4F_compressFrameBound(src.len, &prefs);
	mcw_status	status = mcw_buf_grow(dst, bound);
	size_t		written;

	if (status != MCW_OK)
		return status;
	written = LZ4F_compressFrame(dst->data + dst->len, bound, src.data, src.len, &prefs);
	if (LZ4F_isError(written))
		return MCW_ERR_NOMEM;
	dst->len += written;
	return MCW_OK;
}

static mcw_status
compress_zstd(int level, mcw_view src, mcw_buf *dst)
{
	size_t		bound = ZSTD_compressBound(src.len);
	mcw_status	status;
	size_t		written;

	if (ZSTD_isError(bound))
		return MCW_ERR_LIMIT;
	status = mcw_buf_grow(dst, bound);
	if (status != MCW_OK)
		return status;
	written = ZSTD_compress(dst->data + dst->len, bound, src.data, src.len, level ? level : 1);
	if (ZSTD_isError(written))
		return MCW_ERR_NOMEM;
	dst->len += written;
	return MCW_OK;
}

static mcw_status
compress_zlib(int window_bits, int level, mcw_view src, mcw_buf *dst)
{
	z_stream	z = {0};
	mcw_status	status;
	uLong		bound;

	if (src.len > UINT32_MAX / 2)
		return MCW_ERR_LIMIT;
	if (deflateInit2(&z, level ? level : Z_BEST_SPEED, Z_DEFLATED, window_bits, ZLIB_MEM_LEVEL,
					 Z_DEFAULT_STRATEGY) != Z_OK)
		return MCW_ERR_NOMEM;
	bound = deflateBound(&z, (uLong) src.len);
	status = mcw_buf_grow(dst, bound);
	if (status == MCW_OK)
	{
		z.next_in = (z_const Bytef *) src.data;
		z.avail_in = (uInt) src.len;
		z.next_out = (Bytef *) dst->data + dst->len;
		z.avail_out = (uInt) bound;
		if (deflate(&z, Z_FINISH) == Z_STREAM_END)
			dst->len += z.total_out;
		else
			status = MCW_ERR_NOMEM;
	}
	(void) deflateEnd(&z);
	return status;
}

static int
max_level(mcw_codec codec)
{
	switch (codec)
	{
		case MCW_CODEC_LZ4_BLOCK:
		case MCW_CODEC_LZ4_FRAME:
			return LZ4HC_CLEVEL_MAX;
		case MCW_CODEC_ZSTD:
			return ZSTD_maxCLevel();
		case MCW_CODEC_DEFLATE:
		case MCW_CODEC_GZIP:
			return Z_BEST_COMPRESSION;
		case MCW_CODEC_NONE:
		case MCW_CODEC_SNAPPY_FRAMED:
		case MCW_CODEC_BZIP2:
		case MCW_CODEC_XZ:
			break;
	}
	return 0;
}

mcw_status
mcw_compress(mcw_codec codec, int level, mcw_view src, mcw_buf *dst, mcw_error *err)
{
	mcw_status	status = MCW_ERR_UNSUPPORTED;

	if (level < 0 || level > max_level(codec))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "compression level %d is not between 0 and %d",
						level, max_level(codec));
	if (!src.data)
		src = MCW_LIT("");
	switch (codec)
	{
		case MCW_CODEC_NONE:
			status = mcw_buf_append_view(dst, src);
			break;
		case MCW_CODEC_LZ4_BLOCK:
			status = compress_lz4_block(level, src, dst);
			break;
		case MCW_CODEC_LZ4_FRAME:
			status = compress_lz4_frame(level, src, dst);
			break;
		case MCW_CODEC_ZSTD:
			status = compress_zstd(level, src, dst);
			break;
		case MCW_CODEC_DEFLATE:
			status = compress_zlib(ZLIB_WINDOW_BITS, level, src, dst);
			break;
		case MCW_CODEC_GZIP:
			status = compress_zlib(ZLIB_WINDOW_BITS + ZLIB_GZIP, level, src, dst);
			break;
		case MCW_CODEC_SNAPPY_FRAMED:
			status = mcw_snappy_compress(src, dst);
			break;
		case MCW_CODEC_BZIP2:
		case MCW_CODEC_XZ:
			break;
	}
	if (status != MCW_OK)
		return mcw_fail(err, status, "cannot compress %zu bytes: %s", src.len, mcw_status_name(status));
	return MCW_OK;
}
