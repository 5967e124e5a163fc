/*
 * fuzz_rows_text.c
 *		The reader of text, see rows.h.
 */
#include "rows.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_rows(&mcw_format_text, data, size);
}
