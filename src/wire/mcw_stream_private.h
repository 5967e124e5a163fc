/*
 * mcw_stream_private.h
 *		Inside of the streams: mcw_stream.c drives, one file for each codec.
 */
#ifndef MCW_STREAM_PRIVATE_H
#define MCW_STREAM_PRIVATE_H

#include "mcw_stream.h"

/* Window of zstd and dictionary of xz that we grant */
#define MCW_STREAM_WINDOW_LOG 27

typedef struct mcw_inflate_ops
{
	size_t		state_size;		/* zeroed memory, aligned for every instruction */
	/*
	 * A member or frame begins; at least one byte of it is in 'src', which is only to
	 * be looked at.
	 */
	mcw_status	(*begin) (mcw_inflater *inf, mcw_view src, mcw_error *err);
	/*
	 * Take from *src, put to inf->out (moving it on).  MCW_OK: went as far as it could;
	 * MCW_END: the member ended.  A call that can neither take nor put anything returns
	 * MCW_OK too: the driver knows what that means.
	 */
	mcw_status	(*step) (mcw_inflater *inf, mcw_view *src, mcw_error *err);
	void		(*close) (mcw_inflater *inf);
} mcw_inflate_ops;

struct mcw_inflater
{
	const mcw_inflate_ops *ops;
	const mcw_alloc *alloc;
	mcw_codec	codec;
	void	   *state;
	char	   *out;
	size_t		room;			/* at 'out' */
	bool		last;			/* nothing follows src */
	bool		in_member;
	bool		later;			/* not the first member */
	uint64_t	taken;			/* compressed bytes before src */
	mcw_error	failure;		/* what ended the stream: told again */
};

typedef struct mcw_deflate_ops
{
	size_t		state_size;
	int			max_level;
	mcw_status	(*begin) (mcw_deflater *def, mcw_error *err);
	/* Append to def->out; the whole of src is taken */
	mcw_status	(*step) (mcw_deflater *def, mcw_view src, bool finish);
	void		(*close) (mcw_deflater *def);
} mcw_deflate_ops;

struct mcw_deflater
{
	const mcw_deflate_ops *ops;
	const mcw_alloc *alloc;
	mcw_codec	codec;
	int			level;
	void	   *state;
	mcw_buf    *out;			/* of the call */
	bool		finished;
	mcw_status	failure;
};

extern const mcw_inflate_ops mcw_inflate_gzip;
extern const mcw_inflate_ops mcw_inflate_zstd;
extern const mcw_inflate_ops mcw_inflate_bzip2;
extern const mcw_inflate_ops mcw_inflate_xz;
extern const mcw_inflate_ops mcw_inflate_lz4;
extern const mcw_inflate_ops mcw_inflate_snappy;
extern const mcw_deflate_ops mcw_deflate_gzip;
extern const mcw_deflate_ops mcw_deflate_zstd;
extern const mcw_deflate_ops mcw_deflate_bzip2;
extern const mcw_deflate_ops mcw_deflate_xz;
extern const mcw_deflate_ops mcw_deflate_lz4;
extern const mcw_deflate_ops mcw_deflate_snappy;

/*
 * Memory for libraries, which do not tell the size when they give it back: blocks
 * remember it and begin at multiples of 64 bytes.
 */
extern void *mcw_stream_alloc(const mcw_alloc *alloc, size_t size);
extern void mcw_stream_free(const mcw_alloc *alloc, void *ptr);
/* for zlib and bzip2: n items; 'opaque' is the mcw_alloc */
extern void *mcw_stream_calloc(void *opaque, size_t n, size_t size);

/* Move an inflater's output position */
static inline void
mcw_inflater_put(mcw_inflater *inf, size_t n)
{
	inf->out += n;
	inf->room -= n;
}

static inline void
mcw_view_skip(mcw_view *v, size_t n)
{
	v->data += n;
	v->len -= n;
}

/* Pieces for libraries that count in 32 bits */
#define MCW_STREAM_PIECE ((size_t) 1 << 30)

static inline size_t
mcw_stream_piece(size_t n)
{
	return n < MCW_STREAM_PIECE ? n : MCW_STREAM_PIECE;
}

/* Least room for output of a deflater's step */
#define MCW_STREAM_STEP ((size_t) 64 << 10)

#endif							/* MCW_STREAM_PRIVATE_H */
