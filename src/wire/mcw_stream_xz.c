/*
 * mcw_stream_xz.c
 *		xz as a stream; liblzma itself knows concatenated streams and their padding,
 *		so that all of them are one member here.  A checksum that the library cannot
 *		verify is refused.
 */
#include "mcw_stream_private.h"

#include <lzma.h>

#define DEFAULT_LEVEL 1
#define MAX_LEVEL 9
/* dictionary and what the decoder needs beside it */
#define MEMORY_LIMIT (((uint64_t) 1 << MCW_STREAM_WINDOW_LOG) + ((uint64_t) 2 << 20))

typedef struct xz_state
{
	lzma_stream lzma;
	lzma_allocator allocator;
	bool		open;
} xz_state;

static void *
xz_alloc(void *opaque, size_t n, size_t size)
{
	return mcw_stream_calloc(opaque, n, size);
}

static void
xz_free(void *opaque, void *ptr)
{
	mcw_stream_free(opaque, ptr);
}

static void
prepare(xz_state *x, const mcw_alloc *alloc)
{
	static const lzma_stream init = LZMA_STREAM_INIT;

	x->lzma = init;
	x->allocator.alloc = xz_alloc;
	x->allocator.free = xz_free;
	x->allocator.opaque = (void *) alloc;
	x->lzma.allocator = &x->allocator;
	x->open = true;
}

/* ---- reading ---- */

static mcw_status
xz_begin(mcw_inflater *inf, mcw_view src, mcw_error *err)
{
	xz_state   *x = inf->state;

	if (inf->later)
		return mcw_fail(err, MCW_ERR_FORMAT, "malformed xz data: bytes behind its end");
	prepare(x, inf->alloc);
	if (lzma_stream_decoder(&x->lzma, MEMORY_LIMIT, LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK) != LZMA_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return MCW_OK;
}

static mcw_status
xz_step(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	lzma_stream *s = &((xz_state *) inf->state)->lzma;
	size_t		give = src->len;
	size_t		room = inf->room;
	lzma_ret	rc;

	s->next_in = (const uint8_t *) src->data;
	s->avail_in = give;
	s->next_out = (uint8_t *) inf->out;
	s->avail_out = room;
	rc = lzma_code(s, inf->last ? LZMA_FINISH : LZMA_RUN);
	mcw_view_skip(src, give - s->avail_in);
	mcw_inflater_put(inf, room - s->avail_out);
	switch (rc)
	{
		case LZMA_OK:
		case LZMA_BUF_ERROR:	/* neither bytes nor room: the driver's to say */
			return MCW_OK;
		case LZMA_STREAM_END:
			return MCW_END;
		case LZMA_MEM_ERROR:
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		case LZMA_MEMLIMIT_ERROR:
			return mcw_fail(err, MCW_ERR_UNSUPPORTED, "xz data need a window larger than %d MB",
							1 << (MCW_STREAM_WINDOW_LOG - 20));
		case LZMA_UNSUPPORTED_CHECK:
			return mcw_fail(err, MCW_ERR_UNSUPPORTED, "xz data have an unknown kind of checksum");
		case LZMA_OPTIONS_ERROR:
			return mcw_fail(err, MCW_ERR_UNSUPPORTED, "xz data use unknown options");
		case LZMA_FORMAT_ERROR:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed xz data: it does not begin as xz does");
		default:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed xz data, or a wrong checksum");
	}
}

static void
xz_close(mcw_inflater *inf)
{
	xz_state   *x = inf->state;

	if (x->open)
		lzma_end(&x->lzma);
}

const mcw_inflate_ops mcw_inflate_xz = {sizeof(xz_state), xz_begin, xz_step, xz_close};

/* ---- writing ---- */

static mcw_status
xz_out_begin(mcw_deflater *def, mcw_error *err)
{
	xz_state   *x = def->state;

	prepare(x, def->alloc);
	if (lzma_easy_encoder(&x->lzma, (uint32_t) (def->level ? def->level : DEFAULT_LEVEL), LZMA_CHECK_CRC64) != LZMA_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return MCW_OK;
}

static mcw_status
xz_out_step(mcw_deflater *def, mcw_view src, bool finish)
{
	lzma_stream *s = &((xz_state *) def->state)->lzma;
	mcw_buf    *out = def->out;
	lzma_ret	rc = LZMA_OK;

	s->next_in = (const uint8_t *) src.data;
	s->avail_in = src.len;
	do
	{
		mcw_status	status = mcw_buf_grow(out, MCW_STREAM_STEP);
		size_t		room;

		if (status != MCW_OK)
			return status;
		room = out->cap - out->len;
		s->next_out = (uint8_t *) out->data + out->len;
		s->avail_out = room;
		rc = lzma_code(s, finish ? LZMA_FINISH : LZMA_RUN);
		out->len += room - s->avail_out;
		if (rc != LZMA_OK && rc != LZMA_STREAM_END && rc != LZMA_BUF_ERROR)
			return MCW_ERR_NOMEM;
	} while (s->avail_in > 0 || (finish ? rc != LZMA_STREAM_END : s->avail_out == 0));
	return MCW_OK;
}

static void
xz_out_close(mcw_deflater *def)
{
	xz_state   *x = def->state;

	if (x->open)
		lzma_end(&x->lzma);
}

const mcw_deflate_ops mcw_deflate_xz = {sizeof(xz_state), MAX_LEVEL, xz_out_begin, xz_out_step, xz_out_close};
