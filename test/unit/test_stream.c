/*
 * test_stream.c
 *		Streaming codecs: round trips in every chunking, members one after the other,
 *		every truncation, flipped bits, foreign tools both ways, limits, memory.
 */
#include "vectors.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "../../src/wire/mcw_hash.h"
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
static void
put_rows(unit_random *r, mcw_buf *out, size_t len)
{
	size_t		start = out->len;

	while (out->len - start < len)
		(void) mcw_buf_printf(out, "%zu,2025-03-04,user_%zu,%s,\"%zu street\"\n", out->len, unit_below(r, 100000),
							  unit_below(r, 3) ? "open" : "closed", unit_below(r, 500));
	out->len = start + len;
}

static void
put_noise(unit_random *r, mcw_buf *out, size_t len)
{
	if (len > 0 && mcw_buf_room(out, len))
	{
		unit_fill(r, out->data + out->len, len, 256);
		out->len += len;
	}
}

/* A text of some kind and length */
static void
put_sample(unit_random *r, mcw_buf *out, size_t most)
{
	size_t		len = unit_below(r, 8) ? unit_below(r, most) : unit_below(r, 4);

	switch (unit_below(r, 4))
	{
		case 0:
			put_noise(r, out, len);
			break;
		case 1:
			for (; len > 0; len--)
				(void) mcw_buf_append_char(out, 'a');
			break;
		default:
			put_rows(r, out, len);
	}
}

/* Compress in pieces of up to 'piece' bytes; 0 = all at once */
static mcw_status
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
static mcw_status
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
static mcw_status
unpack_whole(mcw_codec codec, mcw_view packed, mcw_buf *out, mcw_error *err)
{
	unit_random r = {1};

	out->len = 0;
	return unpack(codec, &mcw_malloc, packed, &r, packed.len, 65536, out, err);
}

/* ---- round trips ---- */

static void
names(void)
{
	mcw_codec	codec;

	for (size_t i = 0; i < NCODECS; i++)
	{
		char		key[32];

		CHECK(mcw_codec_from_file(mcw_str(codecs[i].name), &codec) && codec == codecs[i].codec);
		CHECK_STR(mcw_codec_file_name(codec), codecs[i].name);
		(void) snprintf(key, sizeof(key), "a.csv%s", mcw_codec_suffix(codec));
		CHECK_INT(mcw_codec_from_suffix(mcw_str(key)), codec);
	}
	CHECK(mcw_codec_from_file(MCW_LIT("GZIP"), &codec) && codec == MCW_CODEC_GZIP);
	CHECK(mcw_codec_from_file(MCW_LIT("none"), &codec) && codec == MCW_CODEC_NONE);
	CHECK(!mcw_codec_from_file(MCW_LIT("deflate"), &codec));
	CHECK(!mcw_codec_from_file(MCW_LIT(""), &codec));
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("A.CSV.GZ")), MCW_CODEC_GZIP);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("x.sz")), MCW_CODEC_SNAPPY_FRAMED);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("x.zst")), MCW_CODEC_ZSTD);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("x.csv")), MCW_CODEC_NONE);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("gz")), MCW_CODEC_NONE);
	CHECK_INT(mcw_codec_from_suffix(MCW_LIT("")), MCW_CODEC_NONE);
	CHECK_STR(mcw_codec_suffix(MCW_CODEC_NONE), "");
}

static void
round_trips(void)
{
	unit_random r = {20250304};

	for (size_t i = 0; i < NCODECS; i++)
	{
		for (int round = 0; round < 120; round++)
		{
			int			level = round % 3 ? 0 : (int) unit_below(&r, (size_t) codecs[i].max_level + 1);
			size_t		members = unit_below(&r, 10) ? 1 : 1 + unit_below(&r, 4);
			static const size_t pieces[] = {1, 7, 1000, 100000};
			mcw_buf		raw;
			mcw_buf		packed;
			mcw_buf		back;
			mcw_error	err = {0};

			if (codecs[i].codec == MCW_CODEC_XZ && level > 3)
				level = 3;		/* the higher ones take long to begin */
			mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
			mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
			mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
			for (; members > 0; members--)
			{
				size_t		start = raw.len;

				put_sample(&r, &raw, round % 10 ? 3000 : 400000);
				CHECK_OK(pack(codecs[i].codec, level, &mcw_malloc,
							  (mcw_view) {raw.data ? raw.data + start : "", raw.len - start},
							  &r, round % 4 ? pieces[unit_below(&r, 4)] : 0, &packed));
			}
			if (!CHECK_INT(unpack(codecs[i].codec, &mcw_malloc, mcw_buf_view(&packed), &r, pieces[unit_below(&r, 4)],
								  pieces[1 + unit_below(&r, 3)], &back, &err), MCW_END))
				printf("    %s: %s\n", codecs[i].name, err.message);
			CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
			mcw_buf_free(&raw);
			mcw_buf_free(&packed);
			mcw_buf_free(&back);
		}
	}
}

/* Every single split of a short stream, and of the output */
static void
every_split(void)
{
	unit_random r = {3};

	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		raw;
		mcw_buf		packed;
		char		out[700];

		mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		put_rows(&r, &raw, 600);
		CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, mcw_buf_view(&raw), &r, 0, &packed));
		for (size_t at = 0; at <= packed.len; at++)
		{
			size_t		cut = at * 600 / packed.len;
			mcw_inflater *inf;
			mcw_view	one = {packed.data, at};
			mcw_view	two = {packed.data + at, packed.len - at};
			size_t		len = 0;
			size_t		produced;
			mcw_status	status = MCW_OK;

			CHECK_OK(mcw_inflater_create(codecs[i].codec, &mcw_malloc, &inf, NULL));
			/* a little, then the rest */
			CHECK_OK(mcw_inflate(inf, &one, false, out, cut + 1, &produced, NULL));
			len = produced;
			while (one.len > 0 && status == MCW_OK && len < sizeof(out))
			{
				status = mcw_inflate(inf, &one, false, out + len, sizeof(out) - len, &produced, NULL);
				len += produced;
			}
			while (status == MCW_OK && len < sizeof(out))
			{
				status = mcw_inflate(inf, &two, true, out + len, sizeof(out) - len, &produced, NULL);
				len += produced;
			}
			CHECK_INT(status, MCW_END);
			CHECK(len == 600 && memcmp(out, raw.data, 600) == 0);
			mcw_inflater_free(inf);
		}
		mcw_buf_free(&raw);
		mcw_buf_free(&packed);
	}
}

static void
empty(void)
{
	unit_random r = {1};

	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		packed;
		mcw_buf		back;
		mcw_error	err = {0};

		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
		CHECK_INT(unpack_whole(codecs[i].codec, MCW_LIT(""), &back, &err), MCW_END);
		CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, MCW_LIT(""), &r, 0, &packed));
		CHECK(packed.len > 0);
		CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_END);
		CHECK_INT(back.len, 0);
		mcw_buf_free(&packed);
		mcw_buf_free(&back);
	}
}

/* ---- damage ---- */

/* Where a stream may end: behind a chunk of snappy there is no telling */
static bool
may_end(mcw_codec codec, mcw_view packed, size_t len)
{
	size_t		at = 0;

	if (codec != MCW_CODEC_SNAPPY_FRAMED)
		return len == 0 || len == packed.len;
	while (at < len)
		at += 4 + ((unsigned char) packed.data[at + 1] | (size_t) (unsigned char) packed.data[at + 2] << 8 |
				   (size_t) (unsigned char) packed.data[at + 3] << 16);
	return at == len;
}

static void
truncated(void)
{
	unit_random r = {17};

	for (size_t i = 0; i < NCODECS; i++)
	{
		for (int kind = 0; kind < 3; kind++)
		{
			mcw_buf		raw;
			mcw_buf		packed;
			mcw_buf		back;
			mcw_error	err = {0};

			mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
			mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
			mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
			if (kind == 0)
				put_rows(&r, &raw, 3000);
			else if (kind == 1)
				put_noise(&r, &raw, 500);
			CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, mcw_buf_view(&raw), &r, 0, &packed));
			for (size_t len = 0; len < packed.len; len++)
			{
				mcw_view	cut = {packed.data, len};

				back.len = 0;
				if (may_end(codecs[i].codec, mcw_buf_view(&packed), len))
					continue;
				if (!CHECK_INT(unpack(codecs[i].codec, &mcw_malloc, cut, &r, len % 2 ? 11 : 5000, 4000, &back, &err), MCW_ERR_FORMAT))
					printf("    %s cut at %zu of %zu: %s\n", codecs[i].name, len, packed.len, err.message);
			}
			mcw_buf_free(&raw);
			mcw_buf_free(&packed);
			mcw_buf_free(&back);
		}
	}
}

/*
 * A bit flipped anywhere is an error, or, in the parts of a header that say nothing
 * about the data, the data are right nevertheless.
 */
static void
flipped(void)
{
	unit_random r = {23};

	for (size_t i = 0; i < NCODECS; i++)
	{
		unsigned long accepted = 0;
		mcw_buf		raw;
		mcw_buf		packed;
		mcw_buf		back;
		mcw_error	err = {0};

		mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
		put_rows(&r, &raw, 2000);
		CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, mcw_buf_view(&raw), &r, 0, &packed));
		for (size_t bit = 0; bit < packed.len * 8; bit++)
		{
			mcw_status	status;

			/* snappy's type of a chunk: 0x80 more, and it is one to pass over */
			if (codecs[i].codec == MCW_CODEC_SNAPPY_FRAMED && bit % 8 == 7 && may_end(codecs[i].codec, mcw_buf_view(&packed), bit / 8))
				continue;
			packed.data[bit / 8] ^= (char) (1 << bit % 8);
			back.len = 0;
			status = unpack(codecs[i].codec, &mcw_malloc, mcw_buf_view(&packed), &r, 700, 3000, &back, &err);
			if (status == MCW_END)
			{
				accepted++;
				if (!CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw))))
					printf("    %s: bit %zu flipped is not noticed\n", codecs[i].name, bit);
			}
			else
				CHECK(status == MCW_ERR_FORMAT || status == MCW_ERR_CHECKSUM || status == MCW_ERR_UNSUPPORTED);
			packed.data[bit / 8] ^= (char) (1 << bit % 8);
		}
		/* time, flags and system of gzip's header; a larger window of zstd */
		if (!CHECK(accepted <= 64))
			printf("    %s: %lu\n", codecs[i].name, accepted);
		mcw_buf_free(&raw);
		mcw_buf_free(&packed);
		mcw_buf_free(&back);
	}
}

static void
wrong_bytes(void)
{
	unit_random r = {29};

	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		packed;
		mcw_buf		back;
		mcw_error	err = {0};
		size_t		whole;

		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
		CHECK_INT(unpack_whole(codecs[i].codec, MCW_LIT("id,name\n1,a\n2,b\n"), &back, &err), MCW_ERR_FORMAT);
		CHECK_OK(pack(codecs[i].codec, 0, &mcw_malloc, MCW_LIT("some text"), &r, 0, &packed));
		whole = packed.len;
		CHECK_OK(mcw_buf_append_str(&packed, "garbage"));
		CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
		CHECK(err.offset >= whole && err.offset <= packed.len);
		packed.len = whole;
		for (int n = 0; n < 4; n++)
			CHECK_OK(mcw_buf_append_char(&packed, '\0'));
		/* padding of gzip and xz; four zero bytes begin nothing elsewhere */
		if (codecs[i].codec == MCW_CODEC_GZIP || codecs[i].codec == MCW_CODEC_XZ)
		{
			CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_END);
			CHECK_VIEW(mcw_buf_view(&back), MCW_LIT("some text"));
			CHECK_OK(mcw_buf_append_str(&packed, "\x1f"));
		}
		CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
		mcw_buf_free(&packed);
		mcw_buf_free(&back);
	}
}

/* ---- gzip ---- */

/* All optional fields of a header, and their checksum right and wrong */
static void
gzip_headers(void)
{
	unit_random r = {31};
	mcw_buf		body;
	mcw_buf		packed;
	mcw_buf		back;
	mcw_error	err = {0};

	mcw_buf_init(&body, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	CHECK_OK(pack(MCW_CODEC_GZIP, 0, &mcw_malloc, MCW_LIT("data"), &r, 0, &body));
	for (int flags = 0; flags < 256; flags++)
	{
		for (int extra = 0; extra < 3; extra += 2)
		{
			packed.len = 0;
			(void) mcw_buf_append(&packed, "\x1f\x8b\x08", 3);
			(void) mcw_buf_append_char(&packed, (char) flags);
			(void) mcw_buf_append(&packed, "\1\2\3\4\0\3", 6);
			if (flags & 4)
			{
				(void) mcw_buf_append_char(&packed, (char) extra);
				(void) mcw_buf_append(&packed, "\0xx", (size_t) (1 + extra));
			}
			if (flags & 8)
				(void) mcw_buf_append(&packed, "name", 5);
			if (flags & 16)
				(void) mcw_buf_append(&packed, "comment", 8);
			if (flags & 2)
			{
				uLong		crc = crc32(0, (const Bytef *) packed.data, (uInt) packed.len);

				(void) mcw_buf_append_char(&packed, (char) crc);
				(void) mcw_buf_append_char(&packed, (char) (crc >> 8));
			}
			(void) mcw_buf_append(&packed, body.data + 10, body.len - 10);
			back.len = 0;
			CHECK_INT(unpack(MCW_CODEC_GZIP, &mcw_malloc, mcw_buf_view(&packed), &r, flags % 2 ? 1 : 50, 10, &back, &err),
					  flags & 0xE0 ? MCW_ERR_FORMAT : MCW_END);
			if (!(flags & 0xE0))
				CHECK_VIEW(mcw_buf_view(&back), MCW_LIT("data"));
			if (flags == 0x1E)
			{
				packed.data[5] ^= 1;
				CHECK_INT(unpack_whole(MCW_CODEC_GZIP, mcw_buf_view(&packed), &back, &err), MCW_ERR_CHECKSUM);
			}
		}
	}
	body.data[body.len - 8] ^= 1;
	CHECK_INT(unpack_whole(MCW_CODEC_GZIP, mcw_buf_view(&body), &back, &err), MCW_ERR_CHECKSUM);
	body.data[body.len - 8] ^= 1;
	body.data[body.len - 1] ^= 1;
	CHECK_INT(unpack_whole(MCW_CODEC_GZIP, mcw_buf_view(&body), &back, &err), MCW_ERR_CHECKSUM);
	mcw_buf_free(&body);
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

/* zlib's verdict on a whole raw deflate stream */
static bool
zlib_raw(mcw_view packed, mcw_buf *out, size_t *used)
{
	z_stream	z = {0};
	int			rc;

	out->len = 0;
	if (inflateInit2(&z, -15) != Z_OK || !mcw_buf_room(out, 1 << 20))
		abort();
	z.next_in = (Bytef *) packed.data;
	z.avail_in = (uInt) packed.len;
	z.next_out = (Bytef *) out->data;
	z.avail_out = 1 << 20;
	rc = inflate(&z, Z_FINISH);
	out->len = z.total_out;
	*used = z.total_in;
	inflateEnd(&z);
	return rc == Z_STREAM_END;
}

/*
 * isa-l, whose inner loops no sanitizer sees, against zlib: damaged deflate data with a
 * trailer that is right for what zlib makes of them; output in front of a page that may
 * not be written.
 */
static void
gzip_against_zlib(void)
{
	unit_random r = {37};
	size_t		page = (size_t) sysconf(_SC_PAGESIZE);
	size_t		room = 64 * page;
	char	   *area = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char	   *in_area = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned	both = 0;
	mcw_buf		raw;
	mcw_buf		packed;
	mcw_buf		want;
	mcw_buf		got;

	mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&want, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&got, &mcw_malloc, MAX_OUTPUT);
	CHECK(area != MAP_FAILED && mprotect(area + room, page, PROT_NONE) == 0);
	CHECK(in_area != MAP_FAILED && mprotect(in_area + room, page, PROT_NONE) == 0);
	for (int round = 0; round < 6000; round++)
	{
		bool		valid;
		size_t		used;
		uint32_t	tail[2];
		mcw_inflater *inf;
		mcw_status	status = MCW_OK;
		mcw_view	src;

		if (round % 50 == 0)
		{
			raw.len = packed.len = 0;
			put_sample(&r, &raw, 4000);
			CHECK_OK(pack(MCW_CODEC_GZIP, (int) unit_below(&r, 10), &mcw_malloc, mcw_buf_view(&raw), &r, 500, &packed));
		}
		/* deflate data are between the header and the trailer */
		got.len = 0;
		CHECK_OK(mcw_buf_append(&got, packed.data, packed.len - 8));
		if (got.len > 10)
			for (size_t n = unit_below(&r, 3); n > 0; n--)
				got.data[10 + unit_below(&r, got.len - 10)] ^= (char) (1 << unit_below(&r, 8));
		valid = zlib_raw((mcw_view) {got.data + 10, got.len - 10}, &want, &used);
		if (valid)
		{
			got.len = 10 + used;
			tail[0] = (uint32_t) crc32(0, (Bytef *) want.data, (uInt) want.len);
			tail[1] = (uint32_t) want.len;
			CHECK_OK(mcw_buf_append(&got, tail, 8));
			both++;
		}
		if (got.len > room || want.len > room / 2)
			continue;
		/* input ends at its page too */
		memcpy(in_area + room - got.len, got.data, got.len);
		src = (mcw_view) {in_area + room - got.len, got.len};
		CHECK_OK(mcw_inflater_create(MCW_CODEC_GZIP, &mcw_malloc, &inf, NULL));
		for (size_t len = 0; status == MCW_OK && len <= want.len;)
		{
			size_t		step = 1 + unit_below(&r, round % 2 ? 20 : 5000);
			size_t		produced;

			status = mcw_inflate(inf, &src, true, area + room - step, step, &produced, NULL);
			if (valid && status != MCW_ERR_FORMAT && len + produced <= want.len)
				CHECK(memcmp(area + room - step, want.data + len, produced) == 0);
			len += produced;
			if (status == MCW_END)
				CHECK_INT(len, want.len);
		}
		CHECK(valid ? status == MCW_END : status != MCW_END);
		mcw_inflater_free(inf);
	}
	CHECK(both > 1000 && both < 6000);
	munmap(area, room + page);
	munmap(in_area, room + page);
	mcw_buf_free(&raw);
	mcw_buf_free(&packed);
	mcw_buf_free(&want);
	mcw_buf_free(&got);
}

/* ---- foreign tools ---- */

/* Run a filter over 'in'; false if it is not there or fails */
static bool
filter(const char *command, mcw_view in, mcw_buf *out)
{
	char		path[] = "/tmp/mc_stream_XXXXXX";
	int			fd = mkstemp(path);
	char		line[512];
	char		chunk[65536];
	size_t		n;
	FILE	   *pipe;

	if (fd < 0 || write(fd, in.data, in.len) != (ssize_t) in.len || close(fd) != 0)
		abort();
	(void) snprintf(line, sizeof(line), "%s < %s 2>/dev/null", command, path);
	pipe = popen(line, "r");
	while (pipe && (n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		(void) mcw_buf_append(out, chunk, n);
	n = pipe ? (size_t) pclose(pipe) : 1;
	unlink(path);
	return n == 0;
}

static void
tools(void)
{
	unit_random r = {41};
	static const char *const python[] = {
		"gzip", "bz2", "lzma"
	};
	static const mcw_codec python_codec[] = {MCW_CODEC_GZIP, MCW_CODEC_BZIP2, MCW_CODEC_XZ};
	mcw_buf		raw;
	mcw_buf		packed;
	mcw_buf		back;
	mcw_error	err = {0};

	mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	put_rows(&r, &raw, 1000000);
	put_noise(&r, &raw, 200000);
	for (size_t i = 0; i < NCODECS; i++)
	{
		if (codecs[i].pack == NULL)
			continue;
		packed.len = back.len = 0;
		if (!filter(codecs[i].pack, mcw_buf_view(&raw), &packed))
		{
			printf("    %s: not there, not compared\n", codecs[i].pack);
			continue;
		}
		/* twice: as cat would join them */
		CHECK(filter(codecs[i].pack, MCW_LIT("second"), &packed));
		CHECK_OK(mcw_buf_append_str(&raw, "second"));
		CHECK_INT(unpack_whole(codecs[i].codec, mcw_buf_view(&packed), &back, &err), MCW_END);
		CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
		raw.len -= 6;

		for (int level = 0; level <= codecs[i].max_level; level += level < 3 ? 1 : 3)
		{
			packed.len = back.len = 0;
			CHECK_OK(pack(codecs[i].codec, level, &mcw_malloc, mcw_buf_view(&raw), &r, 100000, &packed));
			CHECK(filter(codecs[i].unpack, mcw_buf_view(&packed), &back));
			if (!CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw))))
				printf("    %s level %d\n", codecs[i].name, level);
		}
	}
	for (size_t i = 0; i < 3; i++)
	{
		char		command[200];

		packed.len = back.len = 0;
		(void) snprintf(command, sizeof(command),
						"python3 -c \"import %s,sys; sys.stdout.buffer.write(%s.compress(sys.stdin.buffer.read()))\"",
						python[i], python[i]);
		if (!filter(command, mcw_buf_view(&raw), &packed))
		{
			printf("    python3 %s: not there, not compared\n", python[i]);
			continue;
		}
		CHECK_INT(unpack_whole(python_codec[i], mcw_buf_view(&packed), &back, &err), MCW_END);
		CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
		packed.len = back.len = 0;
		CHECK_OK(pack(python_codec[i], 0, &mcw_malloc, mcw_buf_view(&raw), &r, 1000, &packed));
		(void) snprintf(command, sizeof(command),
						"python3 -c \"import %s,sys; sys.stdout.buffer.write(%s.decompress(sys.stdin.buffer.read()))\"",
						python[i], python[i]);
		CHECK(filter(command, mcw_buf_view(&packed), &back));
		CHECK(mcw_view_eq(mcw_buf_view(&back), mcw_buf_view(&raw)));
	}
	mcw_buf_free(&raw);
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

/* ---- zstd, lz4, snappy: what is not data ---- */

static void
skippable(void)
{
	static const char skip[] = "\x5A\x2A\x4D\x18\x03\x00\x00\x00xyz";
	unit_random r = {43};
	static const mcw_codec both[] = {MCW_CODEC_ZSTD, MCW_CODEC_LZ4_FRAME};
	mcw_buf		packed;
	mcw_buf		back;
	mcw_error	err = {0};

	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	for (size_t i = 0; i < 2; i++)
	{
		packed.len = back.len = 0;
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		CHECK_OK(pack(both[i], 0, &mcw_malloc, MCW_LIT("one "), &r, 0, &packed));
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		CHECK_OK(pack(both[i], 0, &mcw_malloc, MCW_LIT("two"), &r, 0, &packed));
		CHECK_OK(mcw_buf_append(&packed, skip, sizeof(skip) - 1));
		for (size_t in = 1; in < 60; in++)
		{
			back.len = 0;
			CHECK_INT(unpack(both[i], &mcw_malloc, mcw_buf_view(&packed), &r, in, 5, &back, &err), MCW_END);
			CHECK_VIEW(mcw_buf_view(&back), MCW_LIT("one two"));
		}
		packed.len--;
		CHECK_INT(unpack_whole(both[i], mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
	}

	/* snappy: padding and another identifier between chunks, a reserved chunk */
	packed.len = 0;
	CHECK_OK(pack(MCW_CODEC_SNAPPY_FRAMED, 0, &mcw_malloc, MCW_LIT("one "), &r, 0, &packed));
	CHECK_OK(mcw_buf_append(&packed, "\xfe\x05\0\0xxxxx\x80\0\0\0", 13));
	CHECK_OK(pack(MCW_CODEC_SNAPPY_FRAMED, 0, &mcw_malloc, MCW_LIT("two"), &r, 0, &packed));
	for (size_t in = 1; in < 60; in++)
	{
		back.len = 0;
		CHECK_INT(unpack(MCW_CODEC_SNAPPY_FRAMED, &mcw_malloc, mcw_buf_view(&packed), &r, in, 5, &back, &err), MCW_END);
		CHECK_VIEW(mcw_buf_view(&back), MCW_LIT("one two"));
	}
	CHECK_OK(mcw_buf_append(&packed, "\x02\0\0\0", 4));
	CHECK_INT(unpack_whole(MCW_CODEC_SNAPPY_FRAMED, mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
	packed.len -= 4;
	CHECK_OK(mcw_buf_append(&packed, "\0\xff\xff\xff", 4));
	CHECK_INT(unpack_whole(MCW_CODEC_SNAPPY_FRAMED, mcw_buf_view(&packed), &back, &err), MCW_ERR_FORMAT);
	CHECK_INT(unpack_whole(MCW_CODEC_SNAPPY_FRAMED, MCW_LIT("\xfe\x05\0\0xxxxx"), &back, &err), MCW_ERR_FORMAT);
	mcw_buf_free(&packed);
	mcw_buf_free(&back);
}

/* ---- limits and memory ---- */

static void
windows(void)
{
	/* a frame header that asks for 2 GB, and one for 128 MB */
	static const char huge[] = "\x28\xb5\x2f\xfd\x04\xa8\x01\x00\x00";
	static const char most[] = "\x28\xb5\x2f\xfd\x00\x88\x01\x00\x00";
	mcw_buf		back;
	mcw_buf		packed;
	mcw_error	err = {0};

	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
	CHECK_INT(unpack_whole(MCW_CODEC_ZSTD, (mcw_view) {huge, sizeof(huge) - 1}, &back, &err), MCW_ERR_UNSUPPORTED);
	CHECK(strstr(err.message, "128 MB") != NULL);
	CHECK_INT(unpack_whole(MCW_CODEC_ZSTD, (mcw_view) {most, sizeof(most) - 1}, &back, &err), MCW_END);
	/* versions before 1.0 are not read */
	CHECK_INT(unpack_whole(MCW_CODEC_ZSTD, MCW_LIT("\x27\xb5\x2f\xfd\x00\x00\x00\x00"), &back, &err), MCW_ERR_FORMAT);
	if (filter("xz -c --lzma2=dict=256MiB,mf=hc3,mode=fast,nice=4", MCW_LIT("text"), &packed))
	{
		CHECK_INT(unpack_whole(MCW_CODEC_XZ, mcw_buf_view(&packed), &back, &err), MCW_ERR_UNSUPPORTED);
		CHECK(strstr(err.message, "128 MB") != NULL);
	}
	packed.len = 0;
	if (filter("xz -c -9", MCW_LIT("text"), &packed))
		CHECK_INT(unpack_whole(MCW_CODEC_XZ, mcw_buf_view(&packed), &back, &err), MCW_END);
	mcw_buf_free(&back);
	mcw_buf_free(&packed);
}

static void
arguments(void)
{
	static const mcw_codec none[] = {MCW_CODEC_NONE, MCW_CODEC_LZ4_BLOCK, MCW_CODEC_DEFLATE};
	mcw_inflater *inf;
	mcw_deflater *def;
	mcw_error	err = {0};

	for (size_t i = 0; i < 3; i++)
	{
		CHECK_INT(mcw_inflater_create(none[i], &mcw_malloc, &inf, &err), MCW_ERR_ARGUMENT);
		CHECK_INT(mcw_deflater_create(none[i], 0, &mcw_malloc, &def, &err), MCW_ERR_ARGUMENT);
	}
	for (size_t i = 0; i < NCODECS; i++)
	{
		mcw_buf		out;

		CHECK_INT(mcw_deflater_create(codecs[i].codec, -1, &mcw_malloc, &def, &err), MCW_ERR_ARGUMENT);
		CHECK_INT(mcw_deflater_create(codecs[i].codec, codecs[i].max_level + 1, &mcw_malloc, &def, &err), MCW_ERR_ARGUMENT);
		CHECK(def == NULL);
		/* a buffer that is too small ends the stream; so does its end */
		mcw_buf_init(&out, &mcw_malloc, 8);
		CHECK_OK(mcw_deflater_create(codecs[i].codec, 0, &mcw_malloc, &def, &err));
		CHECK_INT(mcw_deflate(def, MCW_LIT("text"), true, &out, &err), MCW_ERR_LIMIT);
		CHECK_INT(mcw_deflate(def, MCW_LIT("text"), false, &out, &err), MCW_ERR_LIMIT);
		mcw_deflater_free(def);
		mcw_buf_free(&out);
		mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
		CHECK_OK(mcw_deflater_create(codecs[i].codec, 0, &mcw_malloc, &def, &err));
		CHECK_OK(mcw_deflate(def, MCW_LIT("text"), true, &out, &err));
		CHECK_INT(mcw_deflate(def, MCW_LIT("text"), false, &out, &err), MCW_ERR_ARGUMENT);
		mcw_deflater_free(def);
		mcw_buf_free(&out);
	}
	mcw_inflater_free(NULL);
	mcw_deflater_free(NULL);
}

typedef struct memory_arg
{
	mcw_codec	codec;
	mcw_view	raw;
	mcw_view	packed;
} memory_arg;

static mcw_status
attempt_pack(const mcw_alloc *alloc, void *opaque)
{
	memory_arg *arg = opaque;
	unit_random r = {1};
	mcw_buf		out;
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
	status = pack(arg->codec, 0, alloc, arg->raw, &r, 50000, &out);
	if (status == MCW_OK)
		CHECK(out.len > 0);
	mcw_buf_free(&out);
	return status;
}

static mcw_status
attempt_unpack(const mcw_alloc *alloc, void *opaque)
{
	memory_arg *arg = opaque;
	unit_random r = {1};
	mcw_buf		out;
	mcw_error	err = {0};
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, MAX_OUTPUT);
	status = unpack(arg->codec, alloc, arg->packed, &r, 5000, 60000, &out, &err);
	if (status == MCW_END)
	{
		CHECK(mcw_view_eq(mcw_buf_view(&out), arg->raw));
		status = MCW_OK;
	}
	mcw_buf_free(&out);
	return status;
}

/* All memory of the libraries is ours, and bounded */
static void
memory(void)
{
	unit_random r = {47};
	mcw_buf		raw;

	mcw_buf_init(&raw, &mcw_malloc, MAX_OUTPUT);
	put_rows(&r, &raw, 300000);
	for (size_t i = 0; i < NCODECS; i++)
	{
		memory_arg	arg = {.codec = codecs[i].codec, .raw = mcw_buf_view(&raw)};
		mcw_buf		packed;
		unit_heap	heap;

		mcw_buf_init(&packed, &mcw_malloc, MAX_OUTPUT);
		CHECK_OK(pack(arg.codec, 0, &mcw_malloc, arg.raw, &r, 50000, &packed));
		arg.packed = mcw_buf_view(&packed);
		unit_torture(attempt_pack, &arg);
		unit_torture(attempt_unpack, &arg);
		unit_heap_init(&heap, 0);
		CHECK_OK(attempt_pack(&heap.alloc, &arg));
		CHECK(heap.peak > 1000 && heap.peak < (16 << 20));
		unit_heap_init(&heap, 0);
		CHECK_OK(attempt_unpack(&heap.alloc, &arg));
		CHECK(heap.peak > 1000 && heap.peak < (9 << 20));
		mcw_buf_free(&packed);
	}
	mcw_buf_free(&raw);
}

static const unit_case cases[] = {
	{"names", names},
	{"round trips", round_trips},
	{"every split", every_split},
	{"empty", empty},
	{"truncated", truncated},
	{"flipped bits", flipped},
	{"wrong bytes", wrong_bytes},
	{"gzip headers", gzip_headers},
	{"gzip against zlib", gzip_against_zlib},
	{"foreign tools", tools},
	{"skippable", skippable},
	{"windows", windows},
	{"arguments", arguments},
	{"memory", memory},
};

UNIT_MAIN(cases)
