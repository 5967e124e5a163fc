/*
 * mcw_stream_zstd.c
 *		zstd as a stream, frames and skippable frames one after the other.  Frames are
 *		written with a checksum.
 */
#include "mcw_stream_private.h"

#define ZSTD_STATIC_LINKING_ONLY	/* custom allocators */
#include <zstd.h>
#include <zstd_errors.h>

#define FIRST_BYTE 0x28			/* of the magic number of a frame */
#define FIRST_SKIPPABLE 0x50	/* to 0x5F */
#define DEFAULT_LEVEL 1			/* smaller and faster than 3 on rows of text */

static void *
zstd_alloc(void *opaque, size_t size)
{
	return mcw_stream_alloc(opaque, size);
}

static void
zstd_free(void *opaque, void *ptr)
{
	mcw_stream_free(opaque, ptr);
}

static ZSTD_customMem
memory_of(const mcw_alloc *alloc)
{
	ZSTD_customMem mem = {zstd_alloc, zstd_free, (void *) alloc};

	return mem;
}

/* ---- reading ---- */

typedef struct zstd_in
{
	ZSTD_DCtx  *dctx;
	bool		drained;		/* all that could be put out of what was taken was */
	char		head[ZSTD_FRAMEHEADERSIZE_MAX]; /* the frame's first bytes */
	size_t		nhead;
	uint64_t	made;			/* bytes of the frame */
} zstd_in;

/*
 * Is the frame as long as its header says?  The library does not look (in 1.5.4) when
 * the last block is empty.
 */
static bool
is_whole(const zstd_in *z)
{
	unsigned long long size = ZSTD_getFrameContentSize(z->head, z->nhead);

	return size == ZSTD_CONTENTSIZE_UNKNOWN || size == z->made;
}

static mcw_status
zstd_begin(mcw_inflater *inf, mcw_view src, mcw_error *err)
{
	zstd_in    *z = inf->state;
	unsigned char first = (unsigned char) src.data[0];

	/* a library built so would read frames of versions before 1.0, which have no limits */
	if (first != FIRST_BYTE && (first & 0xF0) != FIRST_SKIPPABLE)
		return mcw_fail(err, MCW_ERR_FORMAT, "malformed zstd data: %s",
						inf->later ? "bytes behind its end" : "it does not begin as zstd does");
	if (z->dctx == NULL)
	{
		z->dctx = ZSTD_createDCtx_advanced(memory_of(inf->alloc));
		if (z->dctx == NULL)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		(void) ZSTD_DCtx_setParameter(z->dctx, ZSTD_d_windowLogMax, MCW_STREAM_WINDOW_LOG);
	}
	z->drained = true;
	z->nhead = 0;
	z->made = 0;
	return MCW_OK;
}

static mcw_status
zstd_step(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	zstd_in    *z = inf->state;
	ZSTD_inBuffer in = {src->data, src->len, 0};
	ZSTD_outBuffer out = {inf->out, inf->room, 0};
	size_t		more;
	size_t		hint;

	/* the library counts calls that have nothing to do, and fails */
	if (inf->room == 0 || (src->len == 0 && z->drained))
		return MCW_OK;
	hint = ZSTD_decompressStream(z->dctx, &out, &in);
	more = sizeof(z->head) - z->nhead;
	if (more > in.pos)
		more = in.pos;
	memcpy(z->head + z->nhead, src->data, more);
	z->nhead += more;
	z->made += out.pos;
	mcw_view_skip(src, in.pos);
	mcw_inflater_put(inf, out.pos);
	z->drained = out.pos < out.size;
	if (hint == 0 && !is_whole(z))
		return mcw_fail(err, MCW_ERR_FORMAT, "malformed zstd data: a frame is not as long as it says");
	if (!ZSTD_isError(hint))
		return hint == 0 ? MCW_END : MCW_OK;
	switch (ZSTD_getErrorCode(hint))
	{
		case ZSTD_error_memory_allocation:
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		case ZSTD_error_frameParameter_windowTooLarge:
			return mcw_fail(err, MCW_ERR_UNSUPPORTED, "zstd data need a window larger than %d MB",
							1 << (MCW_STREAM_WINDOW_LOG - 20));
		case ZSTD_error_dictionary_wrong:
			return mcw_fail(err, MCW_ERR_UNSUPPORTED, "zstd data need a dictionary");
		case ZSTD_error_checksum_wrong:
			return mcw_fail(err, MCW_ERR_CHECKSUM, "zstd data have a wrong checksum");
		default:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed zstd data: %s", ZSTD_getErrorName(hint));
	}
}

static void
zstd_close(mcw_inflater *inf)
{
	(void) ZSTD_freeDCtx(((zstd_in *) inf->state)->dctx);
}

const mcw_inflate_ops mcw_inflate_zstd = {sizeof(zstd_in), zstd_begin, zstd_step, zstd_close};

/* ---- writing ---- */

#define MAX_LEVEL 19			/* above, windows are larger than some readers grant */

static mcw_status
zstd_out_begin(mcw_deflater *def, mcw_error *err)
{
	ZSTD_CCtx **cctx = def->state;

	*cctx = ZSTD_createCCtx_advanced(memory_of(def->alloc));
	if (*cctx == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	(void) ZSTD_CCtx_setParameter(*cctx, ZSTD_c_compressionLevel, def->level ? def->level : DEFAULT_LEVEL);
	(void) ZSTD_CCtx_setParameter(*cctx, ZSTD_c_checksumFlag, 1);
	return MCW_OK;
}

static mcw_status
zstd_out_step(mcw_deflater *def, mcw_view src, bool finish)
{
	ZSTD_CCtx **cctx = def->state;
	ZSTD_inBuffer in = {src.data, src.len, 0};
	mcw_buf    *dst = def->out;
	size_t		left;
	bool		full;

	do
	{
		mcw_status	status = mcw_buf_grow(dst, MCW_STREAM_STEP);
		ZSTD_outBuffer out;

		if (status != MCW_OK)
			return status;
		out.dst = dst->data + dst->len;
		out.size = dst->cap - dst->len;
		out.pos = 0;
		left = ZSTD_compressStream2(*cctx, &out, &in, finish ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return MCW_ERR_NOMEM;
		dst->len += out.pos;
		full = out.pos == out.size;
	} while (finish ? left != 0 : in.pos < in.size || full);
	return MCW_OK;
}

static void
zstd_out_close(mcw_deflater *def)
{
	(void) ZSTD_freeCCtx(*(ZSTD_CCtx **) def->state);
}

const mcw_deflate_ops mcw_deflate_zstd = {sizeof(ZSTD_CCtx *), MAX_LEVEL, zstd_out_begin, zstd_out_step, zstd_out_close};
