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

/*
 * The same for one little-endian integer and for a short value, without a call:
 * record streams feed the checksum a few bytes at a time.
 */
static inline uint32_t
mcw_crc32c_u32(uint32_t crc, uint32_t v)
{
#if defined(__x86_64__)
	if (mcw_likely(__builtin_cpu_supports("sse4.2")))
	{
		crc = ~crc;
		__asm__("crc32l %1, %0" : "+r"(crc) : "rm"(v));
		return ~crc;
	}
#endif
	return mcw_crc32c(crc, &v, 4);
}

static inline uint32_t
mcw_crc32c_u64(uint32_t crc, uint64_t v)
{
#if defined(__x86_64__)
	if (mcw_likely(__builtin_cpu_supports("sse4.2")))
	{
		uint64_t	wide = (uint32_t) ~crc;

		__asm__("crc32q %1, %0" : "+r"(wide) : "rm"(v));
		return ~(uint32_t) wide;
	}
#endif
	return mcw_crc32c(crc, &v, 8);
}

static inline uint32_t
mcw_crc32c_short(uint32_t crc, const char *data, size_t len)
{
	if (len < 64)
	{
		uint64_t	word;
		uint32_t	half;

		for (; len >= 8; data += 8, len -= 8)
		{
			memcpy(&word, data, 8);
			crc = mcw_crc32c_u64(crc, word);
		}
		if (len >= 4)
		{
			memcpy(&half, data, 4);
			crc = mcw_crc32c_u32(crc, half);
			data += 4;
			len -= 4;
		}
#if defined(__x86_64__)
		if (mcw_likely(__builtin_cpu_supports("sse4.2")))
		{
			uint16_t	pair;

			crc = ~crc;
			if (len >= 2)
			{
				memcpy(&pair, data, 2);
				__asm__("crc32w %1, %0" : "+r"(crc) : "rm"(pair));
				data += 2;
				len -= 2;
			}
			if (len > 0)
				__asm__("crc32b %1, %0" : "+r"(crc) : "rm"(*data));
			return ~crc;
		}
#endif
	}
	return len > 0 ? mcw_crc32c(crc, data, len) : crc;
}
/* The same without the processor's instruction: for tests and other processors */
extern uint32_t mcw_crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif							/* MCW_HASH_H */
