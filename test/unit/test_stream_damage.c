/*
 * test_stream_damage.c
 *		Streaming codecs and damaged bytes: every truncation, flipped bits, garbage,
 *		headers of gzip, and isa-l against zlib.
 */
#include "stream_codecs.h"

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

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
				stream_rows(&r, &raw, 3000);
			else if (kind == 1)
				stream_noise(&r, &raw, 500);
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
		stream_rows(&r, &raw, 2000);
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

/* A frame whose header says 18097 bytes, and an empty block: the library lets it pass */
static void
zstd_size(void)
{
	static const char lie[] = "\x28\xb5\x2f\xfd\x40\x62\xb1\x45\x01\x00\x00";
	static const char truth[] = "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00";
	unit_random r = {1};
	mcw_buf		back;
	mcw_error	err = {0};

	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	for (size_t in = 1; in < 14; in++)
	{
		CHECK_INT(unpack(MCW_CODEC_ZSTD, &mcw_malloc, (mcw_view) {lie, sizeof(lie) - 1}, &r, in, 50000, &back, &err), MCW_ERR_FORMAT);
		CHECK_INT(unpack(MCW_CODEC_ZSTD, &mcw_malloc, (mcw_view) {truth, sizeof(truth) - 1}, &r, in, 50000, &back, &err), MCW_END);
	}
	CHECK_INT(back.len, 0);
	mcw_buf_free(&back);
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
			stream_sample(&r, &raw, 4000);
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

static const unit_case cases[] = {
	{"truncated", truncated},
	{"flipped bits", flipped},
	{"wrong bytes", wrong_bytes},
	{"zstd size", zstd_size},
	{"gzip headers", gzip_headers},
	{"gzip against zlib", gzip_against_zlib},
};

UNIT_MAIN(cases)
