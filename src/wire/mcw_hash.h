/*
 * mcw_hash.h
 *		Digests and checksums.  MD5, SHA and HMAC are OpenSSL's; CRC32C (Castagnoli)
 *		uses the SSE 4.2 instruction where the processor has it.
 */
#ifndef MCW_HASH_H
#define MCW_HASH_H

#include "mcw.h"

extern mcw_status mcw_md5(const void *data, size_t len, unsigned char out[16]);
extern mcw_status mcw_sha256(const void *data, size_t len, unsigned char out[32]);
extern mcw_status mcw_hmac_sha1(mcw_view key, mcw_view data, unsigned char out[20]);
extern mcw_status mcw_hmac_sha256(mcw_view key, mcw_view data, unsigned char out[32]);

/*
 * Start with 0, feed pieces, the running value is also the final one (init and
 * final xor are inside).  mcw_crc32c(0, "123456789", 9) == 0xE3069283.
 */
extern uint32_t mcw_crc32c(uint32_t crc, const void *data, size_t len);

/* The table that serves processors without the instruction; a test compares both */
extern uint32_t mcw_crc32c_portable(uint32_t crc, const void *data, size_t len);

/*
 * The same in small pieces and without a call, for record streams, which feed the
 * checksum a few bytes at a time.  'state' is the complement of the running value:
 * begin with MCW_CRC32C_START and complement the last one.  (Complementing at each
 * piece would lengthen the chain of dependent instructions by two thirds.)
 */
#define MCW_CRC32C_START UINT32_MAX

/* One little-endian integer */
static inline uint32_t
mcw_crc32c_feed_u32(uint32_t state, uint32_t v)
{
#if defined(__x86_64__)
	if (mcw_likely(__builtin_cpu_supports("sse4.2")))
	{
		__asm__("crc32l %1, %0" : "+r"(state) : "rm"(v));
		return state;
	}
#endif
	return ~mcw_crc32c(~state, &v, 4);
}

static inline uint32_t
mcw_crc32c_feed_u64(uint32_t state, uint64_t v)
{
#if defined(__x86_64__)
	if (mcw_likely(__builtin_cpu_supports("sse4.2")))
	{
		uint64_t	wide = state;

		__asm__("crc32q %1, %0" : "+r"(wide) : "rm"(v));
		return (uint32_t) wide;
	}
#endif
	return ~mcw_crc32c(~state, &v, 8);
}

static inline uint32_t
mcw_crc32c_feed(uint32_t state, const char *data, size_t len)
{
#if defined(__x86_64__)
	if (mcw_likely(len < 64 && __builtin_cpu_supports("sse4.2")))
	{
		uint64_t	wide = state;
		uint64_t	word;
		uint32_t	half;
		uint16_t	pair;

		for (; len >= 8; data += 8, len -= 8)
		{
			memcpy(&word, data, 8);
			__asm__("crc32q %1, %0" : "+r"(wide) : "rm"(word));
		}
		state = (uint32_t) wide;
		if (len & 4)
		{
			memcpy(&half, data, 4);
			__asm__("crc32l %1, %0" : "+r"(state) : "rm"(half));
			data += 4;
		}
		if (len & 2)
		{
			memcpy(&pair, data, 2);
			__asm__("crc32w %1, %0" : "+r"(state) : "rm"(pair));
			data += 2;
		}
		if (len & 1)
			__asm__("crc32b %1, %0" : "+r"(state) : "rm"(*data));
		return state;
	}
#endif
	return ~mcw_crc32c(~state, data, len);
}

/*
 * CRC-64 of OSS (ECMA-182 reflected, "CRC-64/XZ"; oss.md 3.16): start with 0, feed
 * pieces.  mcw_crc64(0, "123456789", 9) == 0x995DC9BBDF1939FA.
 */
extern uint64_t mcw_crc64(uint64_t crc, const void *data, size_t len);
/* of A followed by B, from the checksums of both and the length of B */
extern uint64_t mcw_crc64_combine(uint64_t a, uint64_t b, uint64_t len_b);

#endif							/* MCW_HASH_H */
