/*
 * mcw_stream_lz4.c
 *		LZ4 frames as a stream, with skippable ones.  Written frames have independent
 *		blocks, because some readers know no others, and a checksum of the content.
 */
#include "mcw_stream_private.h"

#define LZ4F_STATIC_LINKING_ONLY	/* custom allocators, error codes */
#include <lz4frame.h>
#include <lz4hc.h>

#define PIECE ((size_t) 256 << 10)	/* of input at a time: bounds the room it needs */

static void *
lz4_alloc(void *opaque, size_t size)
{
	return mcw_stream_alloc(opaque, size);
}

static void
lz4_free(void *opaque, void *ptr)
{
	mcw_stream_free(opaque, ptr);
}

/* Without calloc the library clears memory itself */
static LZ4F_CustomMem
memory_of(const mcw_alloc *alloc)
{
	LZ4F_CustomMem mem = {lz4_alloc, NULL, lz4_free, (void *) alloc};

	return mem;
}

/* ---- reading ---- */

static mcw_status
lz4_begin(mcw_inflater *inf, mcw_view src, mcw_error *err)
{
	LZ4F_dctx **dctx = inf->state;

	if (*dctx == NULL)
		*dctx = LZ4F_createDecompressionContext_advanced(memory_of(inf->alloc), LZ4F_VERSION);
	return *dctx ? MCW_OK : mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
}

static mcw_status
lz4_step(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	LZ4F_dctx **dctx = inf->state;
	size_t		taken = src->len;
	size_t		made = inf->room;
	size_t		hint = LZ4F_decompress(*dctx, inf->out, &made, src->data, &taken, NULL);

	if (!LZ4F_isError(hint))
	{
		mcw_view_skip(src, taken);
		mcw_inflater_put(inf, made);
		return hint == 0 ? MCW_END : MCW_OK;
	}
	switch ((LZ4F_errorCodes) -(ptrdiff_t) hint)
	{
		case LZ4F_ERROR_allocation_failed:
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		case LZ4F_ERROR_contentChecksum_invalid:
		case LZ4F_ERROR_blockChecksum_invalid:
		case LZ4F_ERROR_headerChecksum_invalid:
			return mcw_fail(err, MCW_ERR_CHECKSUM, "lz4 data have a wrong checksum");
		case LZ4F_ERROR_frameType_unknown:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed lz4 data: %s",
							inf->later ? "bytes behind its end" : "it does not begin as an LZ4 frame does");
		default:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed lz4 data: %s", LZ4F_getErrorName(hint));
	}
}

static void
lz4_close(mcw_inflater *inf)
{
	(void) LZ4F_freeDecompressionContext(*(LZ4F_dctx **) inf->state);
}

const mcw_inflate_ops mcw_inflate_lz4 = {sizeof(LZ4F_dctx *), lz4_begin, lz4_step, lz4_close};

/* ---- writing ---- */

typedef struct lz4_out
{
	LZ4F_cctx  *cctx;
	LZ4F_preferences_t prefs;
	bool		begun;
} lz4_out;

static mcw_status
lz4_out_begin(mcw_deflater *def, mcw_error *err)
{
	lz4_out    *z = def->state;

	z->prefs.frameInfo.blockMode = LZ4F_blockIndependent;
	z->prefs.frameInfo.blockSizeID = LZ4F_max256KB;
	z->prefs.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
	z->prefs.compressionLevel = def->level;
	z->cctx = LZ4F_createCompressionContext_advanced(memory_of(def->alloc), LZ4F_VERSION);
	return z->cctx ? MCW_OK : mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
}

/* Take over what a call of the library wrote */
static mcw_status
wrote(mcw_buf *out, size_t n)
{
	if (LZ4F_isError(n))
		return MCW_ERR_NOMEM;
	out->len += n;
	return MCW_OK;
}

static mcw_status
lz4_out_step(mcw_deflater *def, mcw_view src, bool finish)
{
	lz4_out    *z = def->state;
	mcw_buf    *out = def->out;
	size_t		bound = LZ4F_compressBound(PIECE, &z->prefs);
	mcw_status	status = MCW_OK;

	if (!z->begun)
	{
		status = mcw_buf_grow(out, LZ4F_HEADER_SIZE_MAX);
		if (status == MCW_OK)
			status = wrote(out, LZ4F_compressBegin(z->cctx, out->data + out->len, out->cap - out->len, &z->prefs));
		z->begun = true;
	}
	while (status == MCW_OK && src.len > 0)
	{
		size_t		give = src.len < PIECE ? src.len : PIECE;

		status = mcw_buf_grow(out, bound);
		if (status == MCW_OK)
			status = wrote(out, LZ4F_compressUpdate(z->cctx, out->data + out->len, out->cap - out->len, src.data, give, NULL));
		mcw_view_skip(&src, give);
	}
	if (status == MCW_OK && finish)
	{
		status = mcw_buf_grow(out, bound);
		if (status == MCW_OK)
			status = wrote(out, LZ4F_compressEnd(z->cctx, out->data + out->len, out->cap - out->len, NULL));
	}
	return status;
}

static void
lz4_out_close(mcw_deflater *def)
{
	(void) LZ4F_freeCompressionContext(((lz4_out *) def->state)->cctx);
}

const mcw_deflate_ops mcw_deflate_lz4 = {sizeof(lz4_out), LZ4HC_CLEVEL_MAX, lz4_out_begin, lz4_out_step, lz4_out_close};
