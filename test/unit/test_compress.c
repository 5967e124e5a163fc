/*
 * test_compress.c
 *		Codecs: bodies of the SDKs, round trips, hostile bodies.
 */
#include "vectors.h"

#include "../../src/wire/mcw_compress.h"
#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_text.h"

#include <lz4frame.h>
#include <zlib.h>

#define MAX_BODY ((size_t) 4 << 20)

static const mcw_codec all_codecs[] = {
	MCW_CODEC_NONE, MCW_CODEC_LZ4_BLOCK, MCW_CODEC_LZ4_FRAME, MCW_CODEC_ZSTD,
	MCW_CODEC_DEFLATE, MCW_CODEC_GZIP, MCW_CODEC_SNAPPY_FRAMED
};

#define NCODECS (sizeof(all_codecs) / sizeof(all_codecs[0]))

static void
from_hex(mcw_buf *out, mcw_view hex)
{
	mcw_buf_init(out, &mcw_malloc, MAX_BODY);
	CHECK_OK(mcw_hex_decode(out, hex));
}

/* src decompresses to want, into a buffer that holds something already */
static void
check_decompress(mcw_codec codec, mcw_view src, size_t raw_size, mcw_view want)
{
	mcw_buf		out;
	mcw_error	err = {0};
	mcw_view	got;

	mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
	CHECK_OK(mcw_buf_append_str(&out, "before"));
	if (!CHECK_OK(mcw_decompress(codec, src, raw_size, &out, &err)))
		printf("    %s\n", err.message);
	got = mcw_buf_view(&out);
	CHECK(got.len >= 6 && memcmp(got.data, "before", 6) == 0);
	got.data += 6;
	got.len -= 6;
	CHECK(mcw_view_eq(got, want));
	mcw_buf_free(&out);
}

/* src is refused with 'status' and a message, and the output is untouched */
static void
check_refused(mcw_codec codec, mcw_view src, size_t raw_size, size_t max, mcw_status status)
{
	mcw_buf		out;
	mcw_error	err = {0};

	mcw_buf_init(&out, &mcw_malloc, max);
	if (!CHECK_INT(mcw_decompress(codec, src, raw_size, &out, &err), status))
		printf("    codec %d, %zu bytes: %s\n", codec, src.len, err.message);
	CHECK(err.message[0] != '\0');
	CHECK_INT(err.status, status);
	CHECK_INT(out.len, 0);
	CHECK(out.cap <= max);
	mcw_buf_free(&out);
}

/* ---- golden bodies ---- */

static void
check_digests(json_object *vector, mcw_view body)
{
	unsigned char md5[16];
	unsigned char sha[32];
	mcw_view	md5_view = {(const char *) md5, 16};
	mcw_view	sha_view = {(const char *) sha, 32};
	mcw_buf		hex;

	mcw_buf_init(&hex, &mcw_malloc, 1024);
	CHECK_OK(mcw_md5(body.data, body.len, md5));
	CHECK_OK(mcw_hex_encode(&hex, md5_view, true));
	CHECK_VIEW(mcw_buf_view(&hex), vector_str(vector, "content_md5"));
	mcw_buf_reset(&hex);
	CHECK_OK(mcw_sha256(body.data, body.len, sha));
	CHECK_OK(mcw_hex_encode(&hex, sha_view, false));
	CHECK_VIEW(mcw_buf_view(&hex), vector_str(vector, "sha256"));
	mcw_buf_free(&hex);
}

static void
putlogs_bodies(void)
{
	json_object *doc = vectors_open("loghub/putlogs_bodies.json");
	json_object *vectors = vector_get(doc, "vectors");

	CHECK_INT(json_object_array_length(vectors), 8);
	for (size_t i = 0; i < json_object_array_length(vectors); i++)
	{
		json_object *vector = json_object_array_get_idx(vectors, i);
		size_t		raw_size = (size_t) json_object_get_int64(vector_get(vector, "x_log_bodyrawsize"));
		mcw_codec	codec;
		mcw_buf		body;
		mcw_buf		raw;

		CHECK(mcw_codec_from_sls(vector_str(vector, "x_log_compresstype"), &codec));
		from_hex(&body, vector_str(vector, "body_hex"));
		from_hex(&raw, vector_str(vector, "raw_hex"));
		check_digests(vector, mcw_buf_view(&body));
		check_decompress(codec, mcw_buf_view(&body), raw_size, mcw_buf_view(&raw));
		check_refused(codec, mcw_buf_view(&body), raw_size + 1, MAX_BODY, MCW_ERR_FORMAT);
		check_refused(codec, mcw_buf_view(&body), raw_size - 1, MAX_BODY, MCW_ERR_FORMAT);
		check_refused(codec, mcw_buf_view(&body), raw_size, raw_size - 1, MCW_ERR_LIMIT);
		mcw_buf_free(&body);
		mcw_buf_free(&raw);
	}
	json_object_put(doc);
}

static void
tunnel_bodies(void)
{
	json_object *doc = vectors_open("maxcompute/tunnel_records.json");
	json_object *vectors = vector_get(doc, "vectors");
	int			seen = 0;

	for (size_t i = 0; i < json_object_array_length(vectors); i++)
	{
		json_object *vector = json_object_array_get_idx(vectors, i);
		json_object *encoded = vector_get(vector, "encoded");
		mcw_buf		raw;

		from_hex(&raw, vector_str(vector, "raw_hex"));
		json_object_object_foreach(encoded, name, hex)
		{
			mcw_codec	codec;
			mcw_buf		body;

			CHECK(mcw_codec_from_http(mcw_str(name), &codec));
			from_hex(&body, vector_view(hex));
			check_decompress(codec, mcw_buf_view(&body), SIZE_MAX, mcw_buf_view(&raw));
			check_decompress(codec, mcw_buf_view(&body), raw.len, mcw_buf_view(&raw));
			mcw_buf_free(&body);
			seen++;
		}
		mcw_buf_free(&raw);
	}
	CHECK(seen >= 40);
	json_object_put(doc);
}

/* ---- round trips ---- */

static void
round_trip(mcw_codec codec, int level, mcw_view raw)
{
	mcw_buf		packed;
	mcw_error	err = {0};

	mcw_buf_init(&packed, &mcw_malloc, MAX_BODY);
	if (!CHECK_OK(mcw_compress(codec, level, raw, &packed, &err)))
		printf("    %s\n", err.message);
	check_decompress(codec, mcw_buf_view(&packed), raw.len, raw);
	if (codec != MCW_CODEC_LZ4_BLOCK)
		check_decompress(codec, mcw_buf_view(&packed), SIZE_MAX, raw);
	mcw_buf_free(&packed);
}

static void
round_trips(void)
{
	static const unsigned alphabets[] = {1, 2, 20, 256};
	static const size_t edges[] = {0, 1, 2, 7, 8, 255, 256, 65535, 65536, 65537, 131072, 1 << 20};
	unit_random r = {1};
	char	   *data = malloc(1 << 20);

	for (int i = 0; i < 400; i++)
	{
		size_t		len = unit_below(&r, (size_t) 1 << unit_below(&r, 16));
		mcw_view	raw = {data, len};

		unit_fill(&r, data, len, alphabets[i % 4]);
		for (size_t c = 0; c < NCODECS; c++)
			round_trip(all_codecs[c], 0, raw);
	}
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
	{
		mcw_view	raw = {data, edges[i]};

		unit_fill(&r, data, edges[i], i % 2 ? 256 : 3);
		for (size_t c = 0; c < NCODECS; c++)
			round_trip(all_codecs[c], 0, raw);
	}
	free(data);
}

static void
levels(void)
{
	unit_random r = {2};
	char		data[5000];
	mcw_view	raw = {data, sizeof(data)};
	static const int highest[NCODECS] = {0, 12, 12, 22, 9, 9, 0};
	mcw_buf		out;
	mcw_error	err;

	unit_fill(&r, data, sizeof(data), 8);
	for (size_t c = 0; c < NCODECS; c++)
	{
		for (int level = 0; level <= highest[c]; level++)
			round_trip(all_codecs[c], level, raw);
		mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
		CHECK_INT(mcw_compress(all_codecs[c], highest[c] + 1, raw, &out, &err), MCW_ERR_ARGUMENT);
		CHECK_INT(mcw_compress(all_codecs[c], -1, raw, &out, &err), MCW_ERR_ARGUMENT);
		CHECK_INT(out.len, 0);
		mcw_buf_free(&out);
	}
}

/* ---- hostile bodies ---- */

static void
cut_and_padded(void)
{
	unit_random r = {3};
	char		data[700];
	mcw_view	raw = {data, sizeof(data)};

	unit_fill(&r, data, sizeof(data), 30);
	for (size_t c = 0; c < NCODECS; c++)
	{
		mcw_codec	codec = all_codecs[c];
		/* these two formats do not say where they end: the size does */
		bool		endless = codec == MCW_CODEC_NONE || codec == MCW_CODEC_SNAPPY_FRAMED;
		mcw_buf		packed;
		mcw_view	cut;

		mcw_buf_init(&packed, &mcw_malloc, MAX_BODY);
		CHECK_OK(mcw_compress(codec, 0, raw, &packed, NULL));
		cut = mcw_buf_view(&packed);
		for (cut.len = 0; cut.len < packed.len; cut.len++)
		{
			check_refused(codec, cut, sizeof(data), MAX_BODY, MCW_ERR_FORMAT);
			if (!endless && codec != MCW_CODEC_LZ4_BLOCK)
				check_refused(codec, cut, SIZE_MAX, MAX_BODY, MCW_ERR_FORMAT);
		}
		for (int extra = 0; extra < 256; extra += 51)
		{
			packed.len = cut.len;
			CHECK_OK(mcw_buf_append_char(&packed, (char) extra));
			check_refused(codec, mcw_buf_view(&packed), sizeof(data), MAX_BODY, MCW_ERR_FORMAT);
		}
		mcw_buf_free(&packed);
	}
}

/* Any damage is an error or, where the format has no checksum, other bytes: never a crash */
static void
bit_flips(void)
{
	unit_random r = {4};
	char		data[400];
	mcw_view	raw = {data, sizeof(data)};

	unit_fill(&r, data, sizeof(data), 10);
	for (size_t c = 0; c < NCODECS; c++)
	{
		mcw_buf		packed;
		mcw_buf		out;
		mcw_error	err;

		mcw_buf_init(&packed, &mcw_malloc, MAX_BODY);
		mcw_buf_init(&out, &mcw_malloc, 1 << 16);
		CHECK_OK(mcw_compress(all_codecs[c], 0, raw, &packed, NULL));
		for (size_t bit = 0; bit < packed.len * 8; bit++)
		{
			mcw_status	status;

			mcw_buf_reset(&out);
			packed.data[bit / 8] ^= (char) (1 << bit % 8);
			status = mcw_decompress(all_codecs[c], mcw_buf_view(&packed), sizeof(data), &out, &err);
			packed.data[bit / 8] ^= (char) (1 << bit % 8);
			CHECK(status == MCW_OK ? out.len == sizeof(data) : out.len == 0);

			/* formats with a checksum of the content notice every change of it */
			if (status == MCW_OK && (all_codecs[c] == MCW_CODEC_SNAPPY_FRAMED ||
									 all_codecs[c] == MCW_CODEC_LZ4_FRAME ||
									 all_codecs[c] == MCW_CODEC_DEFLATE ||
									 all_codecs[c] == MCW_CODEC_GZIP))
				CHECK(memcmp(out.data, data, sizeof(data)) == 0);
		}
		mcw_buf_free(&packed);
		mcw_buf_free(&out);
	}
}

/* More than was announced is noticed at once, not after everything is unpacked. */
static void
small_size_costs_little(mcw_codec codec, mcw_view packed)
{
	unit_heap	heap;
	mcw_buf		out;

	unit_heap_init(&heap, 0);
	mcw_buf_init(&out, &heap.alloc, MAX_BODY);
	CHECK_INT(mcw_decompress(codec, packed, 1000, &out, NULL), MCW_ERR_FORMAT);
	CHECK(heap.peak <= 100000);
	mcw_buf_free(&out);
	CHECK_INT(heap.outstanding, 0);
}

/* A bomb costs the permitted size, not what it would unpack to. */
static void
limits(void)
{
	size_t		len = 3 << 20;
	char	   *zeros = calloc(1, len);
	mcw_view	raw = {zeros, len};

	for (size_t c = 1; c < NCODECS; c++)
	{
		mcw_codec	codec = all_codecs[c];
		mcw_buf		packed;

		mcw_buf_init(&packed, &mcw_malloc, MAX_BODY);
		CHECK_OK(mcw_compress(codec, 0, raw, &packed, NULL));
		CHECK(packed.len < len / 10);
		check_decompress(codec, mcw_buf_view(&packed), len, raw);
		check_refused(codec, mcw_buf_view(&packed), len, len - 1, MCW_ERR_LIMIT);
		check_refused(codec, mcw_buf_view(&packed), len, 100000, MCW_ERR_LIMIT);
		check_refused(codec, mcw_buf_view(&packed), 1000, MAX_BODY, MCW_ERR_FORMAT);
		check_refused(codec, mcw_buf_view(&packed), 0, MAX_BODY, MCW_ERR_FORMAT);
		small_size_costs_little(codec, mcw_buf_view(&packed));
		if (codec != MCW_CODEC_LZ4_BLOCK)
			check_refused(codec, mcw_buf_view(&packed), SIZE_MAX, 0, MCW_ERR_LIMIT);
		mcw_buf_free(&packed);
	}

	/* compression respects the maximum too */
	for (size_t c = 0; c < NCODECS; c++)
	{
		mcw_buf		out;
		mcw_error	err = {0};

		mcw_buf_init(&out, &mcw_malloc, 100);
		CHECK_INT(mcw_compress(all_codecs[c], 0, raw, &out, &err), MCW_ERR_LIMIT);
		CHECK(err.message[0] != '\0' && out.cap <= 100);
		mcw_buf_free(&out);
	}
	free(zeros);
}

/* An announced size is not believed before bytes arrive. */
static void
announced_size(void)
{
	char		body[] = {0x10, 'x'};
	mcw_view	src = {body, sizeof(body)};
	mcw_view	absent = {NULL, 0};
	unit_heap	heap;
	mcw_buf		out;

	for (size_t c = 0; c < NCODECS; c++)
	{
		unit_heap_init(&heap, 0);
		mcw_buf_init(&out, &heap.alloc, 1 << 30);
		CHECK_INT(mcw_decompress(all_codecs[c], src, 1 << 29, &out, NULL), MCW_ERR_FORMAT);
		CHECK(heap.peak <= 1 << 20);
		mcw_buf_free(&out);
		CHECK_INT(heap.outstanding, 0);

		/* no data is no data; nothing where something was announced is not */
		check_decompress(all_codecs[c], absent, 0, absent);
		check_refused(all_codecs[c], absent, 1, MAX_BODY, MCW_ERR_FORMAT);
		if (all_codecs[c] != MCW_CODEC_NONE && all_codecs[c] != MCW_CODEC_LZ4_BLOCK)
			check_refused(all_codecs[c], absent, SIZE_MAX, MAX_BODY, MCW_ERR_FORMAT);
	}
	check_refused(MCW_CODEC_LZ4_BLOCK, src, SIZE_MAX, MAX_BODY, MCW_ERR_ARGUMENT);
	check_refused((mcw_codec) 99, src, SIZE_MAX, MAX_BODY, MCW_ERR_UNSUPPORTED);
}

/* ---- formats other writers use ---- */

/* zlib output with the given window bits, in pieces that are flushed */
static void
foreign_deflate(int window_bits, mcw_view raw, mcw_buf *out)
{
	z_stream	z = {0};

	mcw_buf_init(out, &mcw_malloc, MAX_BODY);
	CHECK_OK(mcw_buf_grow(out, raw.len * 2 + 1000));
	CHECK_INT(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (Bytef *) out->data;
	z.avail_out = (uInt) out->cap;
	z.next_in = (z_const Bytef *) raw.data;
	z.avail_in = (uInt) raw.len / 2;
	CHECK_INT(deflate(&z, Z_SYNC_FLUSH), Z_OK);
	z.avail_in = (uInt) (raw.len - raw.len / 2);
	CHECK_INT(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len = z.total_out;
	CHECK_INT(deflateEnd(&z), Z_OK);
}

static void
deflate_sniffing(void)
{
	unit_random r = {5};
	static const int windows[] = {9, 15, -9, -15, 15 + 16, 9 + 16};
	char		data[3000];

	for (size_t i = 0; i < 60; i++)
	{
		mcw_view	raw = {data, unit_below(&r, sizeof(data))};
		mcw_buf		body;

		unit_fill(&r, data, raw.len, i % 3 ? 30 : 256);
		foreign_deflate(windows[i % 6], raw, &body);
		check_decompress(MCW_CODEC_DEFLATE, mcw_buf_view(&body), SIZE_MAX, raw);
		if (windows[i % 6] > 15)
			check_decompress(MCW_CODEC_GZIP, mcw_buf_view(&body), raw.len, raw);
		else
			check_refused(MCW_CODEC_GZIP, mcw_buf_view(&body), raw.len, MAX_BODY, MCW_ERR_FORMAT);
		mcw_buf_free(&body);
	}
}

/* Frames with linked blocks, block checksums and content size */
static void
lz4_frame_variants(void)
{
	unit_random r = {6};
	char	   *data = malloc(300000);
	mcw_view	raw = {data, 300000};

	unit_fill(&r, data, raw.len, 5);
	for (int i = 0; i < 16; i++)
	{
		LZ4F_preferences_t prefs = {0};
		mcw_buf		body;

		prefs.frameInfo.blockMode = i & 1 ? LZ4F_blockIndependent : LZ4F_blockLinked;
		prefs.frameInfo.blockChecksumFlag = i & 2 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
		prefs.frameInfo.contentSize = i & 4 ? raw.len : 0;
		prefs.frameInfo.blockSizeID = i & 8 ? LZ4F_max64KB : LZ4F_max4MB;
		mcw_buf_init(&body, &mcw_malloc, MAX_BODY);
		CHECK_OK(mcw_buf_grow(&body, LZ4F_compressFrameBound(raw.len, &prefs)));
		body.len = LZ4F_compressFrame(body.data, body.cap, raw.data, raw.len, &prefs);
		check_decompress(MCW_CODEC_LZ4_FRAME, mcw_buf_view(&body), SIZE_MAX, raw);
		mcw_buf_free(&body);
	}
	free(data);
}

/* The examples of the snappy framing format description */
static void
snappy_chunks(void)
{
	static const char stream[] = "\xff\x06\x00\x00sNaPpY"
		"\x80\x03\x00\x00" "pad"	/* skippable */
		"\xfe\x00\x00\x00"		/* padding */
		"\xff\x06\x00\x00sNaPpY"	/* the identifier again */
		"\x01\x05\x00\x00" "\x00\x00\x00\x00" "x";	/* CRC filled in below */
	char		body[sizeof(stream) + 10];
	mcw_view	src = {body, sizeof(stream) - 1};
	char	   *crc = body + sizeof(stream) - 1 - 5;
	uint32_t	plain = mcw_crc32c(0, "x", 1);
	uint32_t	masked = ((plain >> 15) | (plain << 17)) + 0xa282ead8U;

	memcpy(body, stream, sizeof(stream));
	check_refused(MCW_CODEC_SNAPPY_FRAMED, src, SIZE_MAX, MAX_BODY, MCW_ERR_CHECKSUM);
	memcpy(crc, &masked, 4);
	check_decompress(MCW_CODEC_SNAPPY_FRAMED, src, SIZE_MAX, MCW_LIT("x"));
	check_decompress(MCW_CODEC_SNAPPY_FRAMED, src, 1, MCW_LIT("x"));

	body[10] = 0x02;			/* reserved, not skippable */
	check_refused(MCW_CODEC_SNAPPY_FRAMED, src, SIZE_MAX, MAX_BODY, MCW_ERR_FORMAT);
	body[10] = (char) 0x80;
	body[0] = 0;
	check_refused(MCW_CODEC_SNAPPY_FRAMED, src, SIZE_MAX, MAX_BODY, MCW_ERR_FORMAT);
	check_refused(MCW_CODEC_SNAPPY_FRAMED, MCW_LIT("\xff\x06\x00\x00sNaPpY\x00\x03\x00\x00zzz"), SIZE_MAX,
				  MAX_BODY, MCW_ERR_FORMAT);
	check_refused(MCW_CODEC_SNAPPY_FRAMED, MCW_LIT("\xff\x06\x00\x00sNaPpY\x00\x05\x00\x00zzzz\xff"), SIZE_MAX,
				  MAX_BODY, MCW_ERR_FORMAT);
	check_refused(MCW_CODEC_SNAPPY_FRAMED, MCW_LIT("\xff\x06\x00\x00sNaPpY\x00\x08\x00\x00zzzz\xff\xff\x7f\x00"),
				  SIZE_MAX, MAX_BODY, MCW_ERR_FORMAT);
	check_refused(MCW_CODEC_SNAPPY_FRAMED, MCW_LIT("\xff\x06\x00\x00sNaPpY\xff\x01\x00\x00z"), SIZE_MAX,
				  MAX_BODY, MCW_ERR_FORMAT);
	/* a chunk of no data is legal */
	memcpy(body, "\xff\x06\x00\x00sNaPpY\x01\x04\x00\x00\xd8\xea\x82\xa2", 18);
	src.len = 18;
	check_decompress(MCW_CODEC_SNAPPY_FRAMED, src, SIZE_MAX, MCW_LIT(""));
}

/* Even with a good checksum a chunk of more than 64 kB is not of this format. */
static void
snappy_large_chunk(void)
{
	static const char header[] = "\xff\x06\x00\x00sNaPpY\x01";

	for (size_t len = 65536; len <= 65537; len++)
	{
		char	   *zeros = calloc(1, len);
		mcw_view	raw = {zeros, len};
		uint32_t	plain = mcw_crc32c(0, zeros, len);
		uint32_t	masked = ((plain >> 15) | (plain << 17)) + 0xa282ead8U;
		uint32_t	size = (uint32_t) len + 4;
		mcw_buf		body;

		mcw_buf_init(&body, &mcw_malloc, MAX_BODY);
		CHECK_OK(mcw_buf_append(&body, header, sizeof(header) - 1));
		CHECK_OK(mcw_buf_append(&body, &size, 3));
		CHECK_OK(mcw_buf_append(&body, &masked, 4));
		CHECK_OK(mcw_buf_append_view(&body, raw));
		if (len == 65536)
			check_decompress(MCW_CODEC_SNAPPY_FRAMED, mcw_buf_view(&body), SIZE_MAX, raw);
		else
			check_refused(MCW_CODEC_SNAPPY_FRAMED, mcw_buf_view(&body), SIZE_MAX, MAX_BODY, MCW_ERR_FORMAT);
		mcw_buf_free(&body);
		free(zeros);
	}
}

static void
names(void)
{
	static const char *const http[] = {"deflate", "zstd", "x-lz4-frame", "x-snappy-framed", "gzip"};
	mcw_codec	codec;

	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++)
	{
		CHECK(mcw_codec_from_http(mcw_str(http[i]), &codec));
		CHECK_STR(mcw_codec_http_name(codec), http[i]);
	}
	CHECK(mcw_codec_from_http(MCW_LIT("X-ODPS-LZ4-Frame"), &codec) && codec == MCW_CODEC_LZ4_FRAME);
	CHECK(mcw_codec_from_http(MCW_LIT("identity"), &codec) && codec == MCW_CODEC_NONE);
	CHECK(mcw_codec_from_http(mcw_str(NULL), &codec) && codec == MCW_CODEC_NONE);
	CHECK(!mcw_codec_from_http(MCW_LIT("br"), &codec));
	CHECK(!mcw_codec_from_http(MCW_LIT("lz4"), &codec));
	CHECK(mcw_codec_http_name(MCW_CODEC_NONE) == NULL);
	CHECK(mcw_codec_http_name(MCW_CODEC_LZ4_BLOCK) == NULL);

	CHECK(mcw_codec_from_sls(MCW_LIT("lz4"), &codec) && codec == MCW_CODEC_LZ4_BLOCK);
	CHECK(mcw_codec_from_sls(MCW_LIT("zstd"), &codec) && codec == MCW_CODEC_ZSTD);
	CHECK(mcw_codec_from_sls(MCW_LIT("deflate"), &codec) && codec == MCW_CODEC_DEFLATE);
	CHECK(mcw_codec_from_sls(MCW_LIT("gzip"), &codec) && codec == MCW_CODEC_GZIP);
	CHECK(mcw_codec_from_sls(MCW_LIT(""), &codec) && codec == MCW_CODEC_NONE);
	CHECK(!mcw_codec_from_sls(MCW_LIT("snappy"), &codec));
}

static mcw_status
both_ways(const mcw_alloc *alloc, void *arg)
{
	mcw_codec	codec = *(const mcw_codec *) arg;
	char	   *data = malloc(200000);
	mcw_view	raw = {data, 200000};
	unit_random r = {7};
	mcw_buf		packed;
	mcw_buf		out;
	mcw_status	status;

	unit_fill(&r, data, raw.len, 200);
	mcw_buf_init(&packed, alloc, MAX_BODY);
	mcw_buf_init(&out, alloc, MAX_BODY);
	status = mcw_compress(codec, 0, raw, &packed, NULL);
	if (status == MCW_OK)
		status = mcw_decompress(codec, mcw_buf_view(&packed), raw.len, &out, NULL);
	mcw_buf_free(&packed);
	mcw_buf_free(&out);
	free(data);
	return status;
}

static void
torture(void)
{
	for (size_t c = 0; c < NCODECS; c++)
	{
		mcw_codec	codec = all_codecs[c];

		unit_torture(both_ways, &codec);
	}
}

static const unit_case cases[] = {
	{"putlogs_bodies", putlogs_bodies},
	{"tunnel_bodies", tunnel_bodies},
	{"round_trips", round_trips},
	{"levels", levels},
	{"cut_and_padded", cut_and_padded},
	{"bit_flips", bit_flips},
	{"limits", limits},
	{"announced_size", announced_size},
	{"deflate_sniffing", deflate_sniffing},
	{"lz4_frame_variants", lz4_frame_variants},
	{"snappy_chunks", snappy_chunks},
	{"snappy_large_chunk", snappy_large_chunk},
	{"names", names},
	{"torture", torture},
};

UNIT_MAIN(cases)
