/*
 * test_crc64.c
 *		CRC-64 against a bit by bit one, liblzma and the vectors of an SDK; pieces
 *		continued and combined.
 */
#include "vectors.h"

#include <lzma.h>

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_text.h"

static uint64_t
bitwise(uint64_t crc, const unsigned char *data, size_t len)
{
	crc = ~crc;
	for (size_t i = 0; i < len; i++)
	{
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (UINT64_C(0xC96C5795D7870F42) & (0 - (crc & 1)));
	}
	return ~crc;
}

static void
known_values(void)
{
	json_object *doc = vectors_open("oss/crc64.json");
	json_object *cases = vector_get(doc, "cases");

	CHECK(mcw_crc64(0, "123456789", 9) == UINT64_C(0x995DC9BBDF1939FA));
	CHECK(mcw_crc64(0, NULL, 0) == 0);
	CHECK(json_object_array_length(cases) >= 8);
	for (size_t i = 0; i < json_object_array_length(cases); i++)
	{
		json_object *one = json_object_array_get_idx(cases, i);
		mcw_buf		data;
		uint64_t	want;

		mcw_buf_init(&data, &mcw_malloc, 1 << 20);
		CHECK(mcw_view_uint64(vector_str(one, "crc64_decimal"), &want));
		if (vector_get(one, "base64"))
			CHECK_OK(mcw_base64_decode(&data, vector_str(one, "base64")));
		else
		{
			CHECK_VIEW(vector_str(one, "repeat_byte_hex"), MCW_LIT("00"));
			for (int64_t n = json_object_get_int64(vector_get(one, "length")); n > 0; n--)
				CHECK_OK(mcw_buf_append_char(&data, '\0'));
		}
		CHECK_INT(data.len, json_object_get_int64(vector_get(one, "length")));
		CHECK(mcw_crc64(0, data.data, data.len) == want);
		mcw_buf_free(&data);
	}
	json_object_put(doc);
}

/* every length, alignment and start around the steps of the vector code */
static void
every_length(void)
{
	unit_random r = {20250304};
	char	   *data = malloc(5000);

	unit_fill(&r, data, 5000, 256);
	for (size_t len = 0; len < 4000; len += len < 600 ? 1 : 37)
	{
		const char *at = data + unit_below(&r, 900);
		uint64_t	start = unit_next(&r);
		char	   *exact = malloc(len ? len : 1);
		uint64_t	crc;

		memcpy(exact, at, len);
		crc = mcw_crc64(start, exact, len);
		CHECK(crc == bitwise(start, (const unsigned char *) at, len));
		CHECK(crc == lzma_crc64((const uint8_t *) at, len, start));
		free(exact);
	}
	free(data);
}

static void
pieces(void)
{
	unit_random r = {7};
	char	   *data = malloc(100000);

	unit_fill(&r, data, 100000, 256);
	for (int i = 0; i < 3000; i++)
	{
		size_t		a = unit_below(&r, i % 3 ? 50000 : 20);
		size_t		b = unit_below(&r, i % 5 ? 50000 : 20);
		uint64_t	first = mcw_crc64(0, data, a);
		uint64_t	second = mcw_crc64(0, data + a, b);
		uint64_t	whole = mcw_crc64(0, data, a + b);

		CHECK(mcw_crc64(first, data + a, b) == whole);
		CHECK(mcw_crc64_combine(first, second, b) == whole);
	}
	free(data);
}

/* lengths that no buffer holds: associativity, and many equal parts */
static void
huge_lengths(void)
{
	unit_random r = {99};

	for (int i = 0; i < 200; i++)
	{
		uint64_t	a = unit_next(&r);
		uint64_t	b = unit_next(&r);
		uint64_t	c = unit_next(&r);
		uint64_t	len_b = unit_next(&r) >> (1 + unit_below(&r, 60));
		uint64_t	len_c = unit_next(&r) >> (1 + unit_below(&r, 60));

		CHECK(mcw_crc64_combine(mcw_crc64_combine(a, b, len_b), c, len_c) ==
			  mcw_crc64_combine(a, mcw_crc64_combine(b, c, len_c), len_b + len_c));
	}
}

static const unit_case cases[] = {
	{"known values", known_values},
	{"every length", every_length},
	{"pieces", pieces},
	{"huge lengths", huge_lengths},
};

UNIT_MAIN(cases)
