/*
 * mcw_hash.c
 *		Digests and HMAC through OpenSSL's EVP, CRC32C with the SSE 4.2 instruction
 *		or, where that is missing, with a small table.
 */
#include "mcw_hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

static mcw_status
digest(const EVP_MD *md, const void *data, size_t len, unsigned char *out)
{
	return EVP_Digest(data, len, out, NULL, md, NULL) == 1 ? MCW_OK : MCW_ERR_NOMEM;
}

mcw_status
mcw_md5(const void *data, size_t len, unsigned char out[16])
{
	return digest(EVP_md5(), data, len, out);
}

mcw_status
mcw_sha256(const void *data, size_t len, unsigned char out[32])
{
	return digest(EVP_sha256(), data, len, out);
}

static mcw_status
hmac(const EVP_MD *md, mcw_view key, mcw_view data, unsigned char *out)
{
	unsigned int out_len;

	/* a NULL key would mean "the key of last time" */
	if (key.len > INT32_MAX)
		return MCW_ERR_LIMIT;
	if (!HMAC(md, key.data ? key.data : "", (int) key.len,
			  (const unsigned char *) (data.data ? data.data : ""), data.len, out, &out_len))
		return MCW_ERR_NOMEM;
	return MCW_OK;
}

mcw_status
mcw_hmac_sha1(mcw_view key, mcw_view data, unsigned char out[20])
{
	return hmac(EVP_sha1(), key, data, out);
}

mcw_status
mcw_hmac_sha256(mcw_view key, mcw_view data, unsigned char out[32])
{
	return hmac(EVP_sha256(), key, data, out);
}

/* ---- CRC32C ---- */

#if defined(__x86_64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define HAVE_CRC32C_SSE42
#endif

/* polynomial 0x82F63B78, reflected: the effect of one bit, four bits, a byte */
#define CRC_BIT(c) (((c) >> 1) ^ (0x82F63B78U & (0U - ((c) & 1U))))
#define CRC_NIBBLE(c) CRC_BIT(CRC_BIT(CRC_BIT(CRC_BIT((uint32_t) (c)))))
#define NIBBLES(f) \
	f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), \
	f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)

static const uint32_t nibble_table[16] = {NIBBLES(CRC_NIBBLE)};

/* Two table steps a byte: slow and small, for processors without the instruction. */
static uint32_t
crc32c_table(uint32_t crc, const unsigned char *p, size_t len)
{
	while (len-- > 0)
	{
		crc ^= *p++;
		crc = (crc >> 4) ^ nibble_table[crc & 15];
		crc = (crc >> 4) ^ nibble_table[crc & 15];
	}
	return crc;
}

#ifdef HAVE_CRC32C_SSE42
__attribute__((target("sse4.2")))
static uint32_t
crc32c_sse42(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t	wide = crc;
	uint64_t	word;

	for (; len >= 8; p += 8, len -= 8)
	{
		memcpy(&word, p, 8);
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t) wide;
	while (len-- > 0)
		crc = __builtin_ia32_crc32qi(crc, *p++);
	return crc;
}
#endif

uint32_t
mcw_crc32c(uint32_t crc, const void *data, size_t len)
{
#ifdef HAVE_CRC32C_SSE42
	/* reads a word that libgcc set before main: cheap enough for every call */
	if (mcw_likely(__builtin_cpu_supports("sse4.2")))
		return ~crc32c_sse42(~crc, data, len);
#endif
	return ~crc32c_table(~crc, data, len);
}
