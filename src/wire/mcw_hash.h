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

#endif							/* MCW_HASH_H */
