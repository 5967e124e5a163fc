/*
 * mcw_stream_gzip.c
 *		gzip as a stream.  Headers, trailers and checksums are ours; the deflate data
 *		between them are read by isa-l, at more than twice the speed of zlib, and
 *		written by isa-l (levels 1 to 3, and the default 2, which is smaller than
 *		zlib's level 1 and several times as fast) or zlib (4 to 9).
 */
#include "mcw_stream_private.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#define MAGIC_1 0x1F
#define MAGIC_2 0x8B
#define FLAG_HCRC 0x02
#define FLAG_EXTRA 0x04
#define FLAG_NAME 0x08
#define FLAG_COMMENT 0x10
#define FLAGS_RESERVED 0xE0
#define FIXED_HEADER 10
#define TRAILER 8

/* ---- reading ---- */

typedef enum gzip_place
{
	AT_FIXED, AT_EXTRA_LEN, AT_EXTRA, AT_NAME, AT_COMMENT, AT_HCRC, AT_DATA, AT_TRAILER, AT_PADDING
} gzip_place;

typedef struct gzip_in
{
	struct inflate_state isal;
	gzip_place	place;
	unsigned char few[16];		/* bytes of a field that may come in pieces */
	unsigned	nfew;
	unsigned	flags;
	unsigned	extra;			/* bytes of the extra field to pass over */
	uint32_t	header_crc;
	uint32_t	crc;
	uint32_t	size;			/* modulo 2^32, as in the trailer */
} gzip_in;

static mcw_status
malformed(const char *what, mcw_error *err)
{
	return mcw_fail(err, MCW_ERR_FORMAT, "malformed gzip data: %s", what);
}

static mcw_status
gzip_begin(mcw_inflater *inf, mcw_view src, mcw_error *err)
{
	gzip_in    *g = inf->state;

	g->nfew = 0;
	g->place = AT_FIXED;
	g->header_crc = g->crc = g->size = 0;
	isal_inflate_init(&g->isal);
	/* gzip(1) fills tapes with zero bytes, and passes over them */
	if (inf->later && src.data[0] == '\0')
		g->place = AT_PADDING;
	return MCW_OK;
}

/* Collect a field of n bytes; true when it is complete */
static bool
collect(gzip_in *g, mcw_view *src, unsigned n)
{
	while (g->nfew < n && src->len > 0)
	{
		g->few[g->nfew++] = (unsigned char) src->data[0];
		mcw_view_skip(src, 1);
	}
	return g->nfew == n;
}

static void
header_bytes(gzip_in *g, const void *data, size_t len)
{
	g->header_crc = crc32_gzip_refl(g->header_crc, data, len);
}

/* Optional fields follow in this order; go to the next one that is there */
static void
next_place(gzip_in *g, gzip_place place)
{
	static const unsigned flag[] = {
		[AT_EXTRA_LEN] = FLAG_EXTRA, [AT_EXTRA] = FLAG_EXTRA, [AT_NAME] = FLAG_NAME,
		[AT_COMMENT] = FLAG_COMMENT, [AT_HCRC] = FLAG_HCRC
	};

	g->nfew = 0;
	while (place < AT_DATA && !(g->flags & flag[place]))
		place++;
	g->place = place;
}

/* Header fields; MCW_OK when more bytes are needed or the data begin */
static mcw_status
read_header(gzip_in *g, mcw_view *src, bool later, mcw_error *err)
{
	const char *nul;
	size_t		n;

	while (g->place < AT_DATA && src->len > 0)
	{
		switch (g->place)
		{
			case AT_FIXED:
				if (!collect(g, src, FIXED_HEADER))
				{
					if (g->few[0] != MAGIC_1 || (g->nfew > 1 && g->few[1] != MAGIC_2))
						return malformed(later ? "bytes behind its end" : "it does not begin as gzip does", err);
					return MCW_OK;
				}
				if (g->few[0] != MAGIC_1 || g->few[1] != MAGIC_2)
					return malformed(later ? "bytes behind its end" : "it does not begin as gzip does", err);
				if (g->few[2] != Z_DEFLATED)
					return malformed("unknown compression method", err);
				g->flags = g->few[3];
				if (g->flags & FLAGS_RESERVED)
					return malformed("reserved flags are set", err);
				header_bytes(g, g->few, FIXED_HEADER);
				next_place(g, AT_EXTRA_LEN);
				break;
			case AT_EXTRA_LEN:
				if (!collect(g, src, 2))
					return MCW_OK;
				g->extra = g->few[0] | (unsigned) g->few[1] << 8;
				header_bytes(g, g->few, 2);
				next_place(g, AT_EXTRA);
				if (g->extra == 0)
					next_place(g, AT_NAME);
				break;
			case AT_EXTRA:
				n = src->len < g->extra ? src->len : g->extra;
				header_bytes(g, src->data, n);
				mcw_view_skip(src, n);
				g->extra -= (unsigned) n;
				if (g->extra == 0)
					next_place(g, AT_NAME);
				break;
			case AT_NAME:
			case AT_COMMENT:
				nul = memchr(src->data, '\0', src->len);
				n = nul ? (size_t) (nul + 1 - src->data) : src->len;
				header_bytes(g, src->data, n);
				mcw_view_skip(src, n);
				if (nul)
					next_place(g, g->place + 1);
				break;
			case AT_HCRC:
				if (!collect(g, src, 2))
					return MCW_OK;
				if ((g->few[0] | (unsigned) g->few[1] << 8) != (g->header_crc & 0xFFFF))
					return mcw_fail(err, MCW_ERR_CHECKSUM, "gzip header has a wrong checksum");
				next_place(g, AT_DATA);
				break;
			case AT_DATA:
			case AT_TRAILER:
			case AT_PADDING:
				break;
		}
	}
	return MCW_OK;
}

static mcw_status
read_data(mcw_inflater *inf, gzip_in *g, mcw_view *src, mcw_error *err)
{
	struct inflate_state *s = &g->isal;
	size_t		give = mcw_stream_piece(src->len);
	size_t		room = mcw_stream_piece(inf->room);
	size_t		made;
	int			rc;

	s->next_in = (uint8_t *) src->data;
	s->avail_in = (uint32_t) give;
	s->next_out = (uint8_t *) inf->out;
	s->avail_out = (uint32_t) room;
	rc = isal_inflate(s);
	/* positions mean nothing after an error: they may lie before the beginning of the input */
	if (rc < 0 || s->avail_in > give || s->avail_out > room)
		return malformed(rc == ISAL_INVALID_LOOKBACK ? "it refers to before its beginning" :
						 rc == ISAL_INVALID_SYMBOL ? "invalid symbol" : "invalid block", err);
	mcw_view_skip(src, give - s->avail_in);
	made = room - s->avail_out;
	g->crc = crc32_gzip_refl(g->crc, (unsigned char *) inf->out, made);
	g->size += (uint32_t) made;
	mcw_inflater_put(inf, made);
	if (s->block_state == ISAL_BLOCK_FINISH)
	{
		/* whole bytes that were read ahead belong to the trailer */
		g->nfew = 0;
		g->place = AT_TRAILER;
		s->read_in >>= s->read_in_length % 8;
		for (int bits = s->read_in_length / 8 * 8; bits > 0; bits -= 8)
		{
			g->few[g->nfew++] = (unsigned char) s->read_in;
			s->read_in >>= 8;
		}
	}
	return MCW_OK;
}

static uint32_t
load_le32(const unsigned char *p)
{
	return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 | (uint32_t) p[3] << 24;
}

static mcw_status
gzip_step(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	gzip_in    *g = inf->state;
	mcw_status	status;

	if (g->place < AT_DATA)
	{
		status = read_header(g, src, inf->later, err);
		if (status != MCW_OK)
			return status;
	}
	if (g->place == AT_DATA)
	{
		status = read_data(inf, g, src, err);
		if (status != MCW_OK)
			return status;
	}
	if (g->place == AT_TRAILER && collect(g, src, TRAILER))
	{
		if (load_le32(g->few) != g->crc || load_le32(g->few + 4) != g->size)
			return mcw_fail(err, MCW_ERR_CHECKSUM, "gzip data have a wrong checksum");
		return MCW_END;
	}
	if (g->place == AT_PADDING)
	{
		while (src->len > 0 && src->data[0] == '\0')
			mcw_view_skip(src, 1);
		if (src->len > 0)
			return malformed("bytes behind its end", err);
		return inf->last ? MCW_END : MCW_OK;
	}
	return MCW_OK;
}

static void
gzip_close(mcw_inflater *inf)
{
}

const mcw_inflate_ops mcw_inflate_gzip = {sizeof(gzip_in), gzip_begin, gzip_step, gzip_close};

/* ---- writing ---- */

#define ISAL_LEVELS 3
#define DEFAULT_LEVEL 2

typedef struct gzip_out
{
	bool		by_zlib;
	z_stream	zlib;
	struct isal_zstream isal;
} gzip_out;

static void *
zlib_alloc(void *opaque, unsigned n, unsigned size)
{
	return mcw_stream_calloc(opaque, n, size);
}

static void
zlib_free(void *opaque, void *ptr)
{
	mcw_stream_free(opaque, ptr);
}

static mcw_status
gzip_out_begin(mcw_deflater *def, mcw_error *err)
{
	static const uint32_t work[ISAL_LEVELS + 1] = {
		0, ISAL_DEF_LVL1_LARGE, ISAL_DEF_LVL2_LARGE, ISAL_DEF_LVL3_LARGE
	};
	gzip_out   *g = def->state;
	int			level = def->level ? def->level : DEFAULT_LEVEL;

	g->by_zlib = level > ISAL_LEVELS;
	if (g->by_zlib)
	{
		g->zlib.zalloc = zlib_alloc;
		g->zlib.zfree = zlib_free;
		g->zlib.opaque = (void *) def->alloc;
		if (deflateInit2(&g->zlib, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return MCW_OK;
	}
	isal_deflate_init(&g->isal);
	g->isal.gzip_flag = IGZIP_GZIP;
	g->isal.level = (uint32_t) level;
	g->isal.level_buf_size = work[level];
	g->isal.level_buf = mcw_stream_alloc(def->alloc, work[level]);
	return g->isal.level_buf ? MCW_OK : mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
}

static mcw_status
write_zlib(mcw_deflater *def, mcw_view src, bool finish)
{
	z_stream   *z = &((gzip_out *) def->state)->zlib;
	mcw_buf    *out = def->out;
	int			rc;

	do
	{
		size_t		give = mcw_stream_piece(src.len);
		bool		end = finish && give == src.len;
		size_t		room;
		mcw_status	status = mcw_buf_grow(out, MCW_STREAM_STEP);

		if (status != MCW_OK)
			return status;
		room = mcw_stream_piece(out->cap - out->len);
		z->next_in = (z_const Bytef *) src.data;
		z->avail_in = (uInt) give;
		z->next_out = (Bytef *) out->data + out->len;
		z->avail_out = (uInt) room;
		rc = deflate(z, end ? Z_FINISH : Z_NO_FLUSH);
		mcw_view_skip(&src, give - z->avail_in);
		out->len += room - z->avail_out;
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return MCW_ERR_NOMEM;
	} while (src.len > 0 || (finish ? rc != Z_STREAM_END : z->avail_out == 0));
	return MCW_OK;
}

static mcw_status
write_isal(mcw_deflater *def, mcw_view src, bool finish)
{
	struct isal_zstream *s = &((gzip_out *) def->state)->isal;
	mcw_buf    *out = def->out;

	do
	{
		size_t		give = mcw_stream_piece(src.len);
		size_t		room;
		mcw_status	status = mcw_buf_grow(out, MCW_STREAM_STEP);

		if (status != MCW_OK)
			return status;
		room = mcw_stream_piece(out->cap - out->len);
		s->next_in = (uint8_t *) src.data;
		s->avail_in = (uint32_t) give;
		s->next_out = (uint8_t *) out->data + out->len;
		s->avail_out = (uint32_t) room;
		s->end_of_stream = finish && give == src.len;
		s->flush = NO_FLUSH;
		if (isal_deflate(s) != COMP_OK)
			return MCW_ERR_NOMEM;
		mcw_view_skip(&src, give - s->avail_in);
		out->len += room - s->avail_out;
	} while (src.len > 0 || (finish ? s->internal_state.state != ZSTATE_END : s->avail_out == 0));
	return MCW_OK;
}

static mcw_status
gzip_out_step(mcw_deflater *def, mcw_view src, bool finish)
{
	return ((gzip_out *) def->state)->by_zlib ? write_zlib(def, src, finish) : write_isal(def, src, finish);
}

static void
gzip_out_close(mcw_deflater *def)
{
	gzip_out   *g = def->state;

	if (g->by_zlib)
		(void) deflateEnd(&g->zlib);
	mcw_stream_free(def->alloc, g->isal.level_buf);
}

const mcw_deflate_ops mcw_deflate_gzip = {
	sizeof(gzip_out), Z_BEST_COMPRESSION, gzip_out_begin, gzip_out_step, gzip_out_close
};
