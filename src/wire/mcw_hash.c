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

	if (key.len > INT32_MAX)
		return MCW_ERR_LIMIT;
	/* HMAC knows the empty key as NULL, but not empty data */
	if (!HMAC(md, key.data, (int) key.len, (const unsigned char *) (data.data ? data.data : ""),
			  data.len, out, &out_len))
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
#include <wmmintrin.h>
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

uint32_t
mcw_crc32c_portable(uint32_t crc, const void *data, size_t len)
{
	return ~crc32c_table(~crc, data, len);
}

#ifdef HAVE_CRC32C_SSE42

__attribute__((target("sse4.2")))
static inline uint64_t
load_and_step(uint64_t crc, const unsigned char *p)
{
	uint64_t	word;

	memcpy(&word, p, 8);
	return __builtin_ia32_crc32di(crc, word);
}

/*
 * The instruction has a latency of three cycles and a throughput of one, so long
 * buffers are read as three lanes side by side.  The CRC of the whole follows
 * from those of the lanes because appending zero bytes is a linear map of the
 * register: crc(A B) = zeros(crc(A), len(B)) xor crc'(B), where crc' starts with
 * an empty register.
 */
#define LANE_SIZE 1024
#define LANE_STRETCH (3 * LANE_SIZE)

/* x^(8 * 1024 - 33) and x^(8 * 2048 - 33) modulo the polynomial, reflected */
#define SHIFT_ONE_LANE UINT64_C(0x170076fa)
#define SHIFT_TWO_LANES UINT64_C(0xa51b6135)

/* What LANE_SIZE (or twice that) zero bytes would make of the register 'crc' */
__attribute__((target("sse4.2,pclmul")))
static inline uint32_t
shift(uint32_t crc, uint64_t constant)
{
	__m128i		product = _mm_clmulepi64_si128(_mm_cvtsi32_si128((int) crc), _mm_cvtsi64_si128((int64_t) constant), 0);

	return (uint32_t) __builtin_ia32_crc32di(0, (uint64_t) _mm_cvtsi128_si64(product));
}

__attribute__((target("sse4.2,pclmul")))
static uint32_t
crc32c_lanes(uint32_t crc, const unsigned char **data, size_t *len)
{
	const unsigned char *p = *data;

	for (; *len >= LANE_STRETCH; *len -= LANE_STRETCH, p += LANE_STRETCH)
	{
		uint64_t	a = crc;
		uint64_t	b = 0;
		uint64_t	c = 0;

		for (const unsigned char *q = p; q < p + LANE_SIZE; q += 8)
		{
			a = load_and_step(a, q);
			b = load_and_step(b, q + LANE_SIZE);
			c = load_and_step(c, q + 2 * LANE_SIZE);
		}
		crc = shift((uint32_t) a, SHIFT_TWO_LANES) ^ shift((uint32_t) b, SHIFT_ONE_LANE) ^ (uint32_t) c;
	}
	*data = p;
	return crc;
}

__attribute__((target("sse4.2")))
static uint32_t
crc32c_sse42(uint32_t crc, const unsigned char *p, size_t len)
{
	uint64_t	wide = crc;

	for (; len >= 8; p += 8, len -= 8)
		wide = load_and_step(wide, p);
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
	const unsigned char *p = data;

	/* reads a word that was set before main: cheap enough for every call */
	if (mcw_likely(__builtin_cpu_supports("sse4.2")))
	{
		crc = ~crc;
		if (len >= LANE_STRETCH && __builtin_cpu_supports("pclmul"))
			crc = crc32c_lanes(crc, &p, &len);
		return ~crc32c_sse42(crc, p, len);
	}
#endif
	return mcw_crc32c_portable(crc, data, len);
}
