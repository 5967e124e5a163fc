/*
 * fuzz_odps.c
 *		Record stream reader.  The input is a type string for each column, separated by
 *		';', a line feed, and the stream.  Checksums would stop the fuzzer at the first
 *		record, so the stream is also walked as a nested value of the first type.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_odps.h"

#define MAX_COLUMNS 16

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walk a span and everything in it; the reader has validated it if 'sound' */
static void
walk(mcw_odps_cursor *cursor, const mcw_odps_type *type, bool sound)
{
	int			lists = type->kind == MCW_ODPS_MAP ? 2 : type->kind == MCW_ODPS_STRUCT ? 0 : 1;
	mcw_status	status = MCW_OK;
	mcw_odps_value value;

	for (int l = 0; l < lists && status == MCW_OK; l++)
	{
		uint32_t	count = 0;

		status = mcw_odps_cursor_count(cursor, &count);
		for (uint32_t i = 0; i < count && status == MCW_OK; i++)
			status = mcw_odps_cursor_value(cursor, type->children[l], type->kind != MCW_ODPS_VECTOR, &value);
	}
	for (int i = 0; lists == 0 && i < type->nchildren && status == MCW_OK; i++)
		status = mcw_odps_cursor_value(cursor, type->children[i], true, &value);
	if (sound && (status != MCW_OK || cursor->pos != cursor->end))
		abort();
}

static void
read_stream(mcw_view stream, const mcw_odps_type *const *types, int ntypes)
{
	mcw_odps_value values[MAX_COLUMNS];
	mcw_odps_reader reader;
	mcw_odps_cursor cursor;
	mcw_error	err;

	mcw_odps_reader_init(&reader, types, ntypes, stream);
	while (mcw_odps_next(&reader, values, &err) == MCW_OK)
	{
		for (int i = 0; i < ntypes; i++)
			if (types[i]->nchildren > 0 && !values[i].is_null)
			{
				cursor.pos = values[i].bytes.data;
				cursor.end = cursor.pos + values[i].bytes.len;
				walk(&cursor, types[i], true);
			}
	}
	if (types[0]->nchildren > 0)
	{
		cursor.pos = stream.data;
		cursor.end = stream.data + stream.len;
		walk(&cursor, types[0], false);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const mcw_odps_type *types[MAX_COLUMNS];
	const char *pos = (const char *) data;
	const char *end = pos + size;
	const char *line = size ? memchr(pos, '\n', size) : NULL;
	mcw_arena	arena;
	int			n = 0;

	if (line == NULL)
		return 0;
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	while (pos < line && n < MAX_COLUMNS)
	{
		const char *stop = memchr(pos, ';', (size_t) (line - pos));
		mcw_view	text = {pos, (size_t) ((stop ? stop : line) - pos)};
		mcw_odps_type *type;

		if (mcw_odps_type_parse(text, &arena, &type, NULL) != MCW_OK)
			break;
		types[n++] = type;
		pos += text.len + 1;
	}
	if (n > 0)
		read_stream((mcw_view) {line + 1, (size_t) (end - line - 1)}, types, n);
	mcw_arena_reset(&arena);
	return 0;
}
