/*
 * fuzz_odps_type.c
 *		Type strings: what is accepted is formatted, parsed again and formatted to the
 *		same.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_odps.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	text = {(const char *) data, size};
	mcw_odps_type *type;
	mcw_arena	arena;
	mcw_buf		once;
	mcw_buf		twice;
	mcw_error	err;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 22);
	mcw_buf_init(&once, &mcw_malloc, 1 << 22);
	mcw_buf_init(&twice, &mcw_malloc, 1 << 22);
	if (mcw_odps_type_parse(text, &arena, &type, &err) == MCW_OK)
	{
		if (mcw_odps_type_format(type, &once) != MCW_OK ||
			mcw_odps_type_parse(mcw_buf_view(&once), &arena, &type, &err) != MCW_OK ||
			mcw_odps_type_format(type, &twice) != MCW_OK ||
			!mcw_view_eq(mcw_buf_view(&once), mcw_buf_view(&twice)))
			abort();
	}
	mcw_buf_free(&once);
	mcw_buf_free(&twice);
	mcw_arena_reset(&arena);
	return 0;
}
