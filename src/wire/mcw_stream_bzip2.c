/*
 * mcw_stream_bzip2.c
 *		bzip2 as a stream, as bzip2(1) and pbzip2 write it: one stream after the other.
 *		The library does not tell a wrong checksum from other damage.
 */
#include "mcw_stream_private.h"

#include <bzlib.h>

#define DEFAULT_LEVEL 9			/* bzip2(1)'s own; the others are hardly faster */
#define MAX_LEVEL 9

typedef struct bzip2_state
{
	bz_stream	bz;
	bool		open;
} bzip2_state;

static void *
bzip2_alloc(void *opaque, int n, int size)
{
	return n < 0 || size < 0 ? NULL : mcw_stream_calloc(opaque, (size_t) n, (size_t) size);
}

static void
bzip2_free(void *opaque, void *ptr)
{
	mcw_stream_free(opaque, ptr);
}

static void
prepare(bzip2_state *b, const mcw_alloc *alloc)
{
	memset(b, 0, sizeof(*b));
	b->bz.bzalloc = bzip2_alloc;
	b->bz.bzfree = bzip2_free;
	b->bz.opaque = (void *) alloc;
}

/* ---- reading ---- */

static void
bzip2_close(mcw_inflater *inf)
{
	bzip2_state *b = inf->state;

	if (b->open)
		(void) BZ2_bzDecompressEnd(&b->bz);
	b->open = false;
}

static mcw_status
bzip2_begin(mcw_inflater *inf, mcw_view src, mcw_error *err)
{
	bzip2_state *b = inf->state;

	bzip2_close(inf);
	prepare(b, inf->alloc);
	if (BZ2_bzDecompressInit(&b->bz, 0, 0) != BZ_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	b->open = true;
	return MCW_OK;
}

static mcw_status
bzip2_step(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	bz_stream  *bz = &((bzip2_state *) inf->state)->bz;
	size_t		give = mcw_stream_piece(src->len);
	size_t		room = mcw_stream_piece(inf->room);
	int			rc;

	bz->next_in = (char *) src->data;
	bz->avail_in = (unsigned) give;
	bz->next_out = inf->out;
	bz->avail_out = (unsigned) room;
	rc = BZ2_bzDecompress(bz);
	mcw_view_skip(src, give - bz->avail_in);
	mcw_inflater_put(inf, room - bz->avail_out);
	switch (rc)
	{
		case BZ_OK:
			return MCW_OK;
		case BZ_STREAM_END:
			return MCW_END;
		case BZ_MEM_ERROR:
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		case BZ_DATA_ERROR_MAGIC:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed bzip2 data: %s",
							inf->later ? "bytes behind its end" : "it does not begin as bzip2 does");
		default:
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed bzip2 data, or a wrong checksum");
	}
}

const mcw_inflate_ops mcw_inflate_bzip2 = {sizeof(bzip2_state), bzip2_begin, bzip2_step, bzip2_close};

/* ---- writing ---- */

static mcw_status
bzip2_out_begin(mcw_deflater *def, mcw_error *err)
{
	bzip2_state *b = def->state;

	prepare(b, def->alloc);
	if (BZ2_bzCompressInit(&b->bz, def->level ? def->level : DEFAULT_LEVEL, 0, 0) != BZ_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	b->open = true;
	return MCW_OK;
}

static mcw_status
bzip2_out_step(mcw_deflater *def, mcw_view src, bool finish)
{
	bz_stream  *bz = &((bzip2_state *) def->state)->bz;
	mcw_buf    *out = def->out;
	int			rc = BZ_RUN_OK;

	while (src.len > 0 || (finish && rc != BZ_STREAM_END))
	{
		size_t		give = mcw_stream_piece(src.len);
		size_t		room;
		mcw_status	status = mcw_buf_grow(out, MCW_STREAM_STEP);

		if (status != MCW_OK)
			return status;
		room = mcw_stream_piece(out->cap - out->len);
		bz->next_in = (char *) src.data;
		bz->avail_in = (unsigned) give;
		bz->next_out = out->data + out->len;
		bz->avail_out = (unsigned) room;
		/* what is left of src is given before the end: 'finish' must see no less */
		rc = BZ2_bzCompress(bz, give > 0 ? BZ_RUN : BZ_FINISH);
		mcw_view_skip(&src, give - bz->avail_in);
		out->len += room - bz->avail_out;
		if (rc < 0)
			return MCW_ERR_NOMEM;
	}
	return MCW_OK;
}

static void
bzip2_out_close(mcw_deflater *def)
{
	bzip2_state *b = def->state;

	if (b->open)
		(void) BZ2_bzCompressEnd(&b->bz);
}

const mcw_deflate_ops mcw_deflate_bzip2 = {
	sizeof(bzip2_state), MAX_LEVEL, bzip2_out_begin, bzip2_out_step, bzip2_out_close
};
