/*
 * fuzz_rows_write.c
 *		Rows that are written and read back in chunks are the same.
 */
#include "../unit/rows_round_trip.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int			tried = 0;

	if (size <= 16384 && !rows_round_trip(data, size, &tried))
		abort();
	return 0;
}
