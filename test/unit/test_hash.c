/*
 * test_hash.c
 *		Published test vectors of MD5, SHA-256, HMAC and CRC32C; CRC32C against a
 *		bit-by-bit reference.
 */
#include "unit.h"

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_text.h"

static void
check_hex(const unsigned char *bytes, size_t len, const char *want)
{
	mcw_view	view = {(const char *) bytes, len};
	mcw_buf		hex;

	mcw_buf_init(&hex, &mcw_malloc, 256);
	CHECK_OK(mcw_hex_encode(&hex, view, false));
	CHECK_VIEW(mcw_buf_view(&hex), mcw_str(want));
	mcw_buf_free(&hex);
}

static void
digests(void)
{
	unsigned char out[32];

	CHECK_OK(mcw_md5("", 0, out));
	check_hex(out, 16, "d41d8cd98f00b204e9800998ecf8427e");
	CHECK_OK(mcw_md5("abc", 3, out));
	check_hex(out, 16, "900150983cd24fb0d6963f7d28e17f72");
	CHECK_OK(mcw_md5(NULL, 0, out));
	check_hex(out, 16, "d41d8cd98f00b204e9800998ecf8427e");
	CHECK_OK(mcw_sha256("", 0, out));
	check_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	CHECK_OK(mcw_sha256("abc", 3, out));
	check_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 2202 and RFC 4231, cases 1, 2 and the key longer than a block */
static void
hmacs(void)
{
	const char *jefe = "what do ya want for nothing?";
	char		ones[20];
	char		aa[131];
	mcw_view	key = {ones, sizeof(ones)};
	mcw_view	long_key = {aa, 80};
	unsigned char out[32];

	memset(ones, 0x0b, sizeof(ones));
	memset(aa, 0xaa, sizeof(aa));
	CHECK_OK(mcw_hmac_sha1(key, MCW_LIT("Hi There"), out));
	check_hex(out, 20, "b617318655057264e28bc0b6fb378c8ef146be00");
	CHECK_OK(mcw_hmac_sha1(MCW_LIT("Jefe"), mcw_str(jefe), out));
	check_hex(out, 20, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
	CHECK_OK(mcw_hmac_sha1(long_key, MCW_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), out));
	check_hex(out, 20, "aa4ae5e15272d00e95705637ce8a3b55ed402112");

	CHECK_OK(mcw_hmac_sha256(key, MCW_LIT("Hi There"), out));
	check_hex(out, 32, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	CHECK_OK(mcw_hmac_sha256(MCW_LIT("Jefe"), mcw_str(jefe), out));
	check_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	long_key.len = 131;
	CHECK_OK(mcw_hmac_sha256(long_key, MCW_LIT("Test Using Larger Than Block-Size Key - Hash Key First"), out));
	check_hex(out, 32, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");

	/* absent key and data are empty ones */
	CHECK_OK(mcw_hmac_sha256(mcw_str(NULL), mcw_str(NULL), out));
	check_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static uint32_t
reference_crc32c(const char *data, size_t len)
{
	uint32_t	crc = 0xFFFFFFFF;

	for (size_t i = 0; i < len; i++)
	{
		crc ^= (unsigned char) data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
	}
	return ~crc;
}

/* RFC 3720 B.4 */
static void
crc32c_known(void)
{
	char		data[32];

	CHECK(mcw_crc32c(0, "123456789", 9) == 0xE3069283);
	CHECK(mcw_crc32c(0, NULL, 0) == 0);
	memset(data, 0, sizeof(data));
	CHECK(mcw_crc32c(0, data, 32) == 0x8A9136AA);
	memset(data, 0xFF, sizeof(data));
	CHECK(mcw_crc32c(0, data, 32) == 0x62A8AB43);
	for (int i = 0; i < 32; i++)
		data[i] = (char) i;
	CHECK(mcw_crc32c(0, data, 32) == 0x46DD794E);
}

/* Both implementations, every alignment, in one piece and in two */
static void
crc32c_properties(void)
{
	unit_random r = {17};
	char	   *data = malloc(200000);
	unsigned long wrong = 0;

	unit_fill(&r, data, 200000, 256);
	for (int i = 0; i < 3000; i++)
	{
		size_t		start = unit_below(&r, 64);
		size_t		len = unit_below(&r, i % 100 ? 3000 : 190000);
		size_t		split = unit_below(&r, len + 1);
		uint32_t	want = reference_crc32c(data + start, len);

		wrong += mcw_crc32c(0, data + start, len) != want;
		wrong += mcw_crc32c(mcw_crc32c(0, data + start, split), data + start + split, len - split) != want;
		wrong += mcw_crc32c_portable(0, data + start, len) != want;
		wrong += mcw_crc32c_portable(mcw_crc32c(0, data + start, split), data + start + split, len - split) != want;
	}
	CHECK_INT(wrong, 0);
	free(data);
}

static const unit_case cases[] = {
	{"digests", digests},
	{"hmacs", hmacs},
	{"crc32c_known", crc32c_known},
	{"crc32c_properties", crc32c_properties},
};

UNIT_MAIN(cases)
