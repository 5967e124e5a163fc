/*
 * mcw_crc64.c
 *		CRC-64/XZ, the checksum of OSS objects, by isa-l, which folds with carry-less
 *		products; and the checksum of joined pieces.
 */
#include "mcw_hash.h"

#include <isa-l/crc64.h>

/* ECMA-182, reflected: bit 63 is x^0, bit 0 is x^63 */
#define POLYNOMIAL UINT64_C(0xC96C5795D7870F42)
#define ONE (UINT64_C(1) << 63)

uint64_t
mcw_crc64(uint64_t crc, const void *data, size_t len)
{
	return len == 0 ? crc : crc64_ecma_refl(crc, data, len);
}

/* a * b modulo the polynomial */
static uint64_t
multiply(uint64_t a, uint64_t b)
{
	uint64_t	product = 0;

	for (; a != 0; a <<= 1)
	{
		if (a & ONE)
			product ^= b;
		b = (b >> 1) ^ (POLYNOMIAL & (0 - (b & 1)));
	}
	return product;
}

/*
 * Behind A, len_b bytes B multiply its checksum by x^(8 len_b); what init and final
 * inversion add is in both checksums and cancels.  The power comes by squaring.
 */
uint64_t
mcw_crc64_combine(uint64_t a, uint64_t b, uint64_t len_b)
{
	uint64_t	power = ONE >> 8;	/* of one byte */

	for (; len_b != 0; len_b >>= 1)
	{
		if (len_b & 1)
			a = multiply(a, power);
		power = multiply(power, power);
	}
	return a ^ b;
}
