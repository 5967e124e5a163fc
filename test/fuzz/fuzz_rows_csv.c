/*
 * fuzz_rows_csv.c
 *		The reader of csv, see rows.h.
 */
#include "rows.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_rows(&mcw_format_csv, data, size);
}
