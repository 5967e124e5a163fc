/*
 * stream_codecs.h
 *		The streaming codecs as tests see them: samples, compressing and decompressing in
 *		pieces with every promise of mcw_stream.h checked on the way.
 */
#ifndef STREAM_CODECS_H
#define STREAM_CODECS_H

#include "unit.h"

#include "../../src/wire/mcw_stream.h"

#define MAX_OUTPUT ((size_t) 64 << 20)

typedef struct known_codec
{
	mcw_codec	codec;
	const char *name;
	int			max_level;
	const char *pack;			/* a tool that reads and writes it, NULL = none */
	const char *unpack;
} known_codec;

static const known_codec codecs[] = {
	{MCW_CODEC_GZIP, "gzip", 9, "gzip -c", "gzip -dc"},
	{MCW_CODEC_ZSTD, "zstd", 19, "zstd -q -c", "zstd -q -dc"},
	{MCW_CODEC_BZIP2, "bzip2", 9, "bzip2 -c", "bzip2 -dc"},
	{MCW_CODEC_XZ, "xz", 9, "xz -c -1", "xz -dc"},
	{MCW_CODEC_LZ4_FRAME, "lz4", 12, "lz4 -q -c", "lz4 -q -dc"},
	{MCW_CODEC_SNAPPY_FRAMED, "snappy", 0, NULL, NULL},
};

#define NCODECS (sizeof(codecs) / sizeof(codecs[0]))

/* Rows of text with some noise: every codec finds something in it */
static inline void
stream_rows(unit_random *r, mcw_buf *out, size_t len)
{
	size_t		start = out->len;

	while (out->len - start < len)
		(void) mcw_buf_printf(out, "%zu,2025-03-04,user_%zu,%s,\"%zu street\"\n", out->len, unit_below(r, 100000),
							  unit_below(r, 3) ? "open" : "closed", unit_below(r, 500));
	out->len = start + len;
}

static inline void
stream_noise(unit_random *r, mcw_buf *out, size_t len)
{
	if (len > 0 && mcw_buf_room(out, len))
	{
		unit_fill(r, out->data + out->len, len, 256);
		out->len += len;
	}
}

/* A text of some kind and length */
static inline void
stream_sample(unit_random *r, mcw_buf *out, size_t most)
{
	size_t		len = unit_below(r, 8) ? unit_below(r, most) : unit_below(r, 4);

	switch (unit_below(r, 4))
	{
		case 0:
			stream_noise(r, out, len);
			break;
		case 1:
			for (; len > 0; len--)
				(void) mcw_buf_append_char(out, 'a');
			break;
		default:
			stream_rows(r, out, len);
	}
}

/* Compress in pieces of up to 'piece' bytes; 0 = all at once */
static inline mcw_status
pack(mcw_codec codec, int level, const mcw_alloc *alloc, mcw_view raw, unit_random *r, size_t piece, mcw_buf *out)
{
	mcw_deflater *def;
	mcw_error	err = {0};
	mcw_status	status = mcw_deflater_create(codec, level, alloc, &def, &err);

	while (status == MCW_OK && piece > 0 && raw.len > 0)
	{
		mcw_view	part = {raw.data, unit_below(r, piece + 1)};

		if (part.len > raw.len)
			part.len = raw.len;
		status = mcw_deflate(def, part, false, out, &err);
		raw.data += part.len;
		raw.len -= part.len;
	}
	if (status == MCW_OK)
		status = mcw_deflate(def, raw, true, out, &err);
	if (status == MCW_OK)
		CHECK_OK(mcw_deflate(def, (mcw_view) {NULL, 0}, true, out, &err));
	mcw_deflater_free(def);
	return status;
}

/* Input chunks of up to 'in' bytes, output of up to 'out' */
static inline mcw_status
unpack(mcw_codec codec, const mcw_alloc *alloc, mcw_view packed, unit_random *r, size_t in, size_t most, mcw_buf *out, mcw_error *err)
{
	mcw_inflater *inf;
	mcw_status	status = mcw_inflater_create(codec, alloc, &inf, err);
	mcw_view	chunk = {NULL, 0};
	char	   *exact = NULL;
	bool		last = false;

	while (status == MCW_OK)
	{
		size_t		room = 1 + unit_below(r, most);
		size_t		produced;

		if (chunk.len == 0 && !last)
		{
			size_t		n = unit_below(r, in + 1);

			if (n > packed.len)
				n = packed.len;
			free(exact);
			exact = malloc(n ? n : 1);
			memcpy(exact, packed.data, n);
			chunk = (mcw_view) {exact, n};
			packed.data += n;
			packed.len -= n;
			last = packed.len == 0 && unit_below(r, 2);
		}
		CHECK_OK(mcw_buf_grow(out, room));
		status = mcw_inflate(inf, &chunk, last, out->data + out->len, room, &produced, err);
		CHECK(produced <= room);
		out->len += produced;
		if (status == MCW_OK)
			CHECK(produced == room || chunk.len == 0);
		if (status == MCW_END)
			CHECK(last && chunk.len == 0);
		if (out->len > MAX_OUTPUT / 2)
			break;
	}
	if (status != MCW_OK && status != MCW_END)
	{
		size_t		produced;
		char		byte;

		CHECK(status == err->status && err->message[0] != '\0');
		if (inf)
			CHECK_INT(mcw_inflate(inf, &chunk, true, &byte, 1, &produced, err), status);
	}
	mcw_inflater_free(inf);
	free(exact);
	return status;
}

/* With large pieces */
static inline mcw_status
unpack_whole(mcw_codec codec, mcw_view packed, mcw_buf *out, mcw_error *err)
{
	unit_random r = {1};

	out->len = 0;
	return unpack(codec, &mcw_malloc, packed, &r, packed.len, 65536, out, err);
}

#endif							/* STREAM_CODECS_H */
