/*
 * mcw_compress.h
 *		Whole-body compression.  Output goes to a buffer whose maximum bounds what a
 *		hostile body can make us allocate.
 */
#ifndef MCW_COMPRESS_H
#define MCW_COMPRESS_H

#include "mcw.h"

typedef enum mcw_codec
{
	MCW_CODEC_NONE = 0,
	MCW_CODEC_LZ4_BLOCK,		/* raw LZ4 block; needs raw_size */
	MCW_CODEC_LZ4_FRAME,
	MCW_CODEC_ZSTD,
	MCW_CODEC_DEFLATE,			/* zlib stream; on reading also raw deflate and gzip, by sniffing */
	MCW_CODEC_GZIP,
	MCW_CODEC_SNAPPY_FRAMED,
	MCW_CODEC_BZIP2,			/* only as streams, see mcw_stream.h */
	MCW_CODEC_XZ
} mcw_codec;

/* MCW_CODEC_* for an x-log-compresstype value or an HTTP content coding; false if unknown */
extern bool mcw_codec_from_sls(mcw_view name, mcw_codec *codec);	/* lz4, zstd, deflate, gzip, "" */
extern bool mcw_codec_from_http(mcw_view name, mcw_codec *codec);	/* deflate, zstd, x-lz4-frame, x-odps-lz4-frame, x-snappy-framed, gzip, identity, "" */
extern const char *mcw_codec_http_name(mcw_codec codec);	/* NULL for NONE and LZ4_BLOCK */

/* Append the compressed form of src to dst; level 0 = the codec's fast default */
extern mcw_status mcw_compress(mcw_codec codec, int level, mcw_view src, mcw_buf *dst, mcw_error *err);

/*
 * Append the decompressed form to dst.  raw_size is the exact size announced by
 * the sender or SIZE_MAX if none was; a body that yields another size, is cut
 * short or has bytes behind its end is MCW_ERR_FORMAT; dst->max exceeded is
 * MCW_ERR_LIMIT.
 */
extern mcw_status mcw_decompress(mcw_codec codec, mcw_view src, size_t raw_size, mcw_buf *dst, mcw_error *err);

#endif							/* MCW_COMPRESS_H */
