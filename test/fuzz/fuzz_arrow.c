/*
 * fuzz_arrow.c
 *		Arrow bodies: as a framed body, and as a payload for a table of five columns
 *		(bigint, string, double, int, boolean) or one of the other scalar types.  The
 *		first byte chooses.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_arrow.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_frame(mcw_view framed)
{
	mcw_buf		payload;
	mcw_buf		again;
	uint32_t	chunk;

	mcw_buf_init(&payload, &mcw_malloc, 1 << 20);
	mcw_buf_init(&again, &mcw_malloc, 1 << 21);
	if (mcw_arrow_unframe(framed, &payload, NULL) == MCW_OK && payload.len > 0)
	{
		memcpy(&chunk, framed.data, 4);
		if (mcw_arrow_frame(mcw_buf_view(&payload), __builtin_bswap32(chunk), &again) != MCW_OK ||
			!mcw_view_eq(mcw_buf_view(&again), framed))
			abort();
	}
	mcw_buf_free(&payload);
	mcw_buf_free(&again);
}

/* Read every byte, so that the sanitizer sees a view that leaves its body */
static void
touch(mcw_view v)
{
	volatile char sum = 0;

	for (size_t i = 0; i < v.len && i < 1000; i++)
		sum = (char) (sum ^ v.data[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const mcw_odps_type types[] = {
		{.kind = MCW_ODPS_BIGINT}, {.kind = MCW_ODPS_STRING}, {.kind = MCW_ODPS_DOUBLE},
		{.kind = MCW_ODPS_INT}, {.kind = MCW_ODPS_BOOLEAN},
		{.kind = MCW_ODPS_DECIMAL, .precision = 38, .scale = 18},
		{.kind = MCW_ODPS_DECIMAL, .precision = 76, .scale = 76},
		{.kind = MCW_ODPS_TIMESTAMP}, {.kind = MCW_ODPS_TINYINT}, {.kind = MCW_ODPS_SMALLINT},
		{.kind = MCW_ODPS_FLOAT}, {.kind = MCW_ODPS_BINARY}
	};
	const mcw_odps_type *wanted[12];
	mcw_view	payload = {(const char *) data + 1, size - 1};
	mcw_odps_value values[12];
	mcw_arrow_reader *reader;
	mcw_error	err;
	int			first;
	int			n;
	int			rows = 0;

	if (size == 0)
		return 0;
	if (data[0] == 0)
	{
		check_frame(payload);
		return 0;
	}
	first = data[0] == 1 ? 0 : data[0] % 12;
	n = data[0] == 1 ? 5 : 1;
	for (int i = 0; i < n; i++)
		wanted[i] = &types[first + i];
	reader = mcw_arrow_reader_create(&mcw_malloc, wanted, n, payload);
	while (rows++ < 100000 && mcw_arrow_next(reader, values, &err) == MCW_OK)
	{
		for (int i = 0; i < n; i++)
			if (!values[i].is_null &&
				(wanted[i]->kind == MCW_ODPS_STRING || wanted[i]->kind == MCW_ODPS_DECIMAL || wanted[i]->kind == MCW_ODPS_BINARY))
				touch(values[i].bytes);
	}
	mcw_arrow_reader_free(reader);
	return 0;
}
