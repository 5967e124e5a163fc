/*
 * mcw_stream.h
 *		Streaming compression for files: gzip, zstd, bzip2, xz, lz4 frame, framed snappy.
 *		Input and output in pieces, memory bounded by the codec's window.
 */
#ifndef MCW_STREAM_H
#define MCW_STREAM_H

#include "mcw_compress.h"

typedef struct mcw_inflater mcw_inflater;
typedef struct mcw_deflater mcw_deflater;

/* option "compression": none gzip zstd bzip2 snappy lz4 xz; false if unknown */
extern bool mcw_codec_from_file(mcw_view name, mcw_codec *codec);
/* by the end of a key: .gz .zst .bz2 .snappy .sz .lz4 .xz, any case; NONE if it has none of them */
extern mcw_codec mcw_codec_from_suffix(mcw_view key);
extern const char *mcw_codec_suffix(mcw_codec codec);	/* ".gz"; "" for NONE */
extern const char *mcw_codec_file_name(mcw_codec codec);	/* "gzip" */

/*
 * Windows above 128 MB (zstd --ultra --long) are MCW_ERR_UNSUPPORTED.  Several members
 * or frames one after the other are one stream; bytes behind the last one that are no
 * member are MCW_ERR_FORMAT (zero bytes behind gzip, as gzip(1) allows, are passed over).
 */
extern mcw_status mcw_inflater_create(mcw_codec codec, const mcw_alloc *alloc, mcw_inflater **inflater, mcw_error *err);
/*
 * Take bytes from *src (which is moved on) and put up to 'cap' into 'dst'.  MCW_OK: dst
 * is full or *src is used up; call again with more.  MCW_END: 'last' was given, *src is
 * used up and the stream is whole; *produced may be more than 0 then.  A stream that ends
 * too early is MCW_ERR_FORMAT, a wrong checksum MCW_ERR_CHECKSUM (bzip2 and xz do not tell
 * it from other damage: MCW_ERR_FORMAT); an empty input is an empty stream for every
 * codec.  Snappy has no end mark: cut between two chunks it is a shorter stream.  An error
 * is told again by every later call; err->offset is a position in the compressed bytes.
 */
extern mcw_status mcw_inflate(mcw_inflater *inflater, mcw_view *src, bool last,
							  char *dst, size_t cap, size_t *produced, mcw_error *err);
extern void mcw_inflater_free(mcw_inflater *inflater);

/*
 * level 0 = the codec's fast default, else 1 to 9 of gzip, bzip2 and xz, 19 of zstd, 12
 * of lz4; MCW_ERR_ARGUMENT for one it does not have
 */
extern mcw_status mcw_deflater_create(mcw_codec codec, int level, const mcw_alloc *alloc,
									  mcw_deflater **deflater, mcw_error *err);
/*
 * Append the compressed form of src to dst; 'finish' ends the stream (src may be empty).
 * An error, also of dst's limit, ends the stream: what it would have got is lost.
 */
extern mcw_status mcw_deflate(mcw_deflater *deflater, mcw_view src, bool finish, mcw_buf *dst, mcw_error *err);
extern void mcw_deflater_free(mcw_deflater *deflater);

#endif							/* MCW_STREAM_H */
