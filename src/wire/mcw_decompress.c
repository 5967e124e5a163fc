/*
 * mcw_decompress.c
 *		Whole-body decompression of bytes from the network.
 *
 * Every decoder writes through a sink, which never lets it produce more than the
 * announced size or the buffer's maximum, and grows the buffer in steps, so that
 * memory follows what really arrived and not what was announced.  Contexts of the
 * libraries are their own memory: a zlib or LZ4 window, and for zstd at most what
 * zstd_window_log grants; all are released before the function returns.
 */
#include "mcw_compress.h"
#include "mcw_snappy.h"

#include <lz4.h>
#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#define ZLIB_WINDOW_BITS 15
#define ZLIB_GZIP 16			/* added to the window bits */
#define ZSTD_WINDOW_LOG_LEAST 23	/* every zstd reader must accept 8 MB ... */
#define ZSTD_WINDOW_LOG_MOST 27 /* ... and we accept up to 128 MB for large bodies */
#define SINK_STEP ((size_t) 64 * 1024)

/*
 * Where output goes.  When all permitted bytes are there the window is one spill
 * byte outside the buffer: a decoder that only has a trailer left to read can
 * finish, one that has more data is caught.
 */
typedef struct sink
{
	mcw_buf    *dst;
	size_t		start;			/* dst->len before */
	size_t		raw_size;		/* SIZE_MAX = not announced */
	size_t		step;
	char	   *window;
	size_t		room;			/* bytes at window */
	char		spill;
} sink;

static void
sink_init(sink *s, mcw_buf *dst, size_t raw_size, size_t src_len)
{
	memset(s, 0, sizeof(*s));
	s->dst = dst;
	s->start = dst->len;
	s->raw_size = raw_size;
	s->step = src_len < SIZE_MAX / 4 && src_len * 4 > SINK_STEP ? src_len * 4 : SINK_STEP;
}

/* Bytes that may still be produced */
static size_t
sink_left(const sink *s)
{
	size_t		by_max = s->dst->max - s->dst->len;
	size_t		by_size = s->raw_size - (s->dst->len - s->start);

	return by_max < by_size ? by_max : by_size;
}

static mcw_status
sink_open(sink *s)
{
	size_t		left = sink_left(s);
	mcw_status	status;

	if (left == 0)
	{
		s->window = &s->spill;
		s->room = 1;
		return MCW_OK;
	}
	if (s->dst->cap == s->dst->len)
	{
		status = mcw_buf_grow(s->dst, left < s->step ? left : s->step);
		if (status != MCW_OK)
			return status;
	}
	s->window = s->dst->data + s->dst->len;
	s->room = s->dst->cap - s->dst->len;
	if (s->room > left)
		s->room = left;
	return MCW_OK;
}

static mcw_status
sink_overflow(const sink *s, mcw_error *err)
{
	if (s->dst->len - s->start == s->raw_size)
		return mcw_fail(err, MCW_ERR_FORMAT, "decompressed data are larger than the announced %zu bytes", s->raw_size);
	return mcw_fail(err, MCW_ERR_LIMIT, "decompressed data are larger than %zu bytes", s->dst->max - s->start);
}

/* The decoder has written n bytes to the window. */
static mcw_status
sink_commit(sink *s, size_t n, mcw_error *err)
{
	if (n > 0 && s->window == &s->spill)
		return sink_overflow(s, err);
	s->dst->len += n;
	return MCW_OK;
}

static mcw_status
fail_memory(mcw_status status, mcw_error *err)
{
	return mcw_fail(err, status, "cannot decompress: %s", mcw_status_name(status));
}

static mcw_status
fail_cut_short(mcw_error *err)
{
	return mcw_fail(err, MCW_ERR_FORMAT, "compressed data are cut short");
}

static mcw_status
fail_trailing(size_t bytes, mcw_error *err)
{
	return mcw_fail(err, MCW_ERR_FORMAT, "%zu bytes follow the compressed data", bytes);
}

static mcw_status
fail_malformed(const char *format, const char *detail, mcw_error *err)
{
	return mcw_fail(err, MCW_ERR_FORMAT, "malformed %s data: %s", format, detail ? detail : "unknown cause");
}

/* ---- decoders ---- */

/* The block has no end mark and no size of its own: raw_size decides. */
static mcw_status
decompress_lz4_block(mcw_view src, sink *s, mcw_error *err)
{
	char		nothing;
	char	   *out = &nothing;
	mcw_status	status;
	int			written;

	if (s->raw_size == SIZE_MAX)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "an LZ4 block needs its decompressed size");
	if (s->raw_size > s->dst->max - s->dst->len)
		return mcw_fail(err, MCW_ERR_LIMIT, "announced size of %zu bytes is larger than %zu bytes",
						s->raw_size, s->dst->max - s->dst->len);
	if (src.len > INT32_MAX || s->raw_size > INT32_MAX)
		return mcw_fail(err, MCW_ERR_LIMIT, "LZ4 block is larger than 2 GB");
	/* no LZ4 sequence yields more than 255 bytes a byte, plus a short tail */
	if (s->raw_size / 255 > src.len + 1)
		return mcw_fail(err, MCW_ERR_FORMAT, "LZ4 block of %zu bytes cannot hold the announced %zu bytes",
						src.len, s->raw_size);
	if (s->raw_size > 0)
	{
		status = mcw_buf_grow(s->dst, s->raw_size);
		if (status != MCW_OK)
			return fail_memory(status, err);
		out = s->dst->data + s->dst->len;
	}
	written = LZ4_decompress_safe(src.data, out, (int) src.len, (int) s->raw_size);
	if (written < 0)
		return mcw_fail(err, MCW_ERR_FORMAT, "malformed LZ4 block, or more than the announced %zu bytes", s->raw_size);
	s->dst->len += (size_t) written;
	return MCW_OK;
}

static mcw_status
decompress_lz4_frame(mcw_view src, sink *s, mcw_error *err)
{
	LZ4F_dctx  *dctx;
	mcw_status	status = MCW_OK;
	size_t		hint;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION)))
		return fail_memory(MCW_ERR_NOMEM, err);
	do
	{
		size_t		consumed = src.len;
		size_t		produced;

		status = sink_open(s);
		if (status != MCW_OK)
		{
			status = fail_memory(status, err);
			break;
		}
		produced = s->room;
		hint = LZ4F_decompress(dctx, s->window, &produced, src.data, &consumed, NULL);
		if (LZ4F_isError(hint))
		{
			status = fail_malformed("LZ4 frame", LZ4F_getErrorName(hint), err);
			break;
		}
		src.data += consumed;
		src.len -= consumed;
		status = sink_commit(s, produced, err);
		if (status == MCW_OK && hint != 0 && consumed == 0 && produced == 0)
			status = fail_cut_short(err);
	} while (status == MCW_OK && hint != 0);

	(void) LZ4F_freeDecompressionContext(dctx);
	if (status == MCW_OK && src.len > 0)
		status = fail_trailing(src.len, err);
	return status;
}

/* Largest window we grant: what the permitted output can make use of */
static int
zstd_window_log(size_t permitted)
{
	int			log = ZSTD_WINDOW_LOG_LEAST;

	while (log < ZSTD_WINDOW_LOG_MOST && ((size_t) 1 << log) < permitted)
		log++;
	return log;
}

static mcw_status
decompress_zstd(mcw_view src, sink *s, mcw_error *err)
{
	ZSTD_DCtx  *dctx = ZSTD_createDCtx();
	ZSTD_inBuffer in = {src.data, src.len, 0};
	mcw_status	status = MCW_OK;
	size_t		hint;

	if (!dctx)
		return fail_memory(MCW_ERR_NOMEM, err);
	(void) ZSTD_DCtx_setParameter(dctx, ZSTD_d_windowLogMax, zstd_window_log(sink_left(s)));
	do
	{
		ZSTD_outBuffer out;
		size_t		before = in.pos;

		status = sink_open(s);
		if (status != MCW_OK)
		{
			status = fail_memory(status, err);
			break;
		}
		out.dst = s->window;
		out.size = s->room;
		out.pos = 0;
		hint = ZSTD_decompressStream(dctx, &out, &in);
		if (ZSTD_isError(hint))
		{
			status = fail_malformed("zstd", ZSTD_getErrorName(hint), err);
			break;
		}
		status = sink_commit(s, out.pos, err);
		if (status == MCW_OK && hint != 0 && in.pos == before && out.pos == 0)
			status = fail_cut_short(err);
	} while (status == MCW_OK && hint != 0);

	(void) ZSTD_freeDCtx(dctx);
	if (status == MCW_OK && in.pos < in.size)
		status = fail_trailing(in.size - in.pos, err);
	return status;
}

/* gzip, zlib or raw deflate, by the first two bytes */
static int
sniff_deflate(mcw_view src)
{
	unsigned	first = src.len > 1 ? (unsigned char) src.data[0] : 0;
	unsigned	second = src.len > 1 ? (unsigned char) src.data[1] : 0;

	if (first == 0x1F && second == 0x8B)
		return ZLIB_WINDOW_BITS + ZLIB_GZIP;
	if ((first & 0x0F) == Z_DEFLATED && first >> 4 <= 7 && (first << 8 | second) % 31 == 0)
		return ZLIB_WINDOW_BITS;
	return -ZLIB_WINDOW_BITS;
}

static mcw_status
decompress_zlib(int window_bits, mcw_view src, sink *s, mcw_error *err)
{
	z_stream	z = {0};
	mcw_status	status = MCW_OK;
	int			rc;

	if (src.len > UINT32_MAX)
		return mcw_fail(err, MCW_ERR_LIMIT, "compressed data are larger than 4 GB");
	z.next_in = (z_const Bytef *) src.data;
	z.avail_in = (uInt) src.len;
	if (inflateInit2(&z, window_bits) != Z_OK)
		return fail_memory(MCW_ERR_NOMEM, err);
	do
	{
		size_t		room;

		status = sink_open(s);
		if (status != MCW_OK)
		{
			status = fail_memory(status, err);
			break;
		}
		room = s->room < UINT32_MAX ? s->room : UINT32_MAX;
		z.next_out = (Bytef *) s->window;
		z.avail_out = (uInt) room;
		rc = inflate(&z, Z_NO_FLUSH);
		if (rc == Z_BUF_ERROR)
			status = fail_cut_short(err);
		else if (rc == Z_MEM_ERROR)
			status = fail_memory(MCW_ERR_NOMEM, err);
		else if (rc == Z_NEED_DICT)
			status = fail_malformed("deflate", "it needs a preset dictionary", err);
		else if (rc != Z_OK && rc != Z_STREAM_END)
			status = fail_malformed("deflate", z.msg, err);
		else
			status = sink_commit(s, room - z.avail_out, err);
	} while (status == MCW_OK && rc != Z_STREAM_END);

	(void) inflateEnd(&z);
	if (status == MCW_OK && z.avail_in > 0)
		status = fail_trailing(z.avail_in, err);
	return status;
}

static mcw_status
decompress_snappy(mcw_view src, sink *s, mcw_error *err)
{
	mcw_status	status = mcw_snappy_decompress(src, sink_left(s), s->dst, err);

	/* too much is a malformed body if the announced size is what it exceeds */
	if (status == MCW_ERR_LIMIT && s->raw_size <= s->dst->max - s->start)
		return mcw_fail(err, MCW_ERR_FORMAT, "decompressed data are larger than the announced %zu bytes", s->raw_size);
	return status;
}

static mcw_status
copy_plain(mcw_view src, sink *s, mcw_error *err)
{
	mcw_status	status = mcw_buf_append_view(s->dst, src);

	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "cannot keep %zu bytes: %s", src.len, mcw_status_name(status));
}

static mcw_status
decompress_with(mcw_codec codec, mcw_view src, sink *s, mcw_error *err)
{
	switch (codec)
	{
		case MCW_CODEC_NONE:
			return copy_plain(src, s, err);
		case MCW_CODEC_LZ4_BLOCK:
			return decompress_lz4_block(src, s, err);
		case MCW_CODEC_LZ4_FRAME:
			return decompress_lz4_frame(src, s, err);
		case MCW_CODEC_ZSTD:
			return decompress_zstd(src, s, err);
		case MCW_CODEC_DEFLATE:
			return decompress_zlib(sniff_deflate(src), src, s, err);
		case MCW_CODEC_GZIP:
			return decompress_zlib(ZLIB_WINDOW_BITS + ZLIB_GZIP, src, s, err);
		case MCW_CODEC_SNAPPY_FRAMED:
			return decompress_snappy(src, s, err);
		case MCW_CODEC_BZIP2:
		case MCW_CODEC_XZ:
			break;
	}
	return mcw_fail(err, MCW_ERR_UNSUPPORTED, "unknown compression %d", (int) codec);
}

mcw_status
mcw_decompress(mcw_codec codec, mcw_view src, size_t raw_size, mcw_buf *dst, mcw_error *err)
{
	sink		s;
	size_t		got;
	mcw_status	status;

	/* "no data" is sent as an empty body whatever the codec */
	if (src.len == 0 && raw_size == 0)
		return MCW_OK;
	if (src.len == 0)
		src = MCW_LIT("");

	sink_init(&s, dst, raw_size, src.len);
	status = decompress_with(codec, src, &s, err);
	got = dst->len - s.start;
	if (status == MCW_OK && raw_size != SIZE_MAX && got != raw_size)
		status = mcw_fail(err, MCW_ERR_FORMAT, "body has %zu bytes where %zu were announced", got, raw_size);
	if (status != MCW_OK)
		dst->len = s.start;
	return status;
}
