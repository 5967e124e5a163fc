/*
 * fuzz_rows_json.c
 *		The reader of JSON lines.  The first byte chooses columns and chunks: whatever the
 *		chunks, the records are the same; good lines are JSON for another parser too.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_doc.h"
#include "../../src/wire/mcw_rows.h"
#include "../../src/wire/mcw_text.h"

#define NCOLUMNS 4

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(const mcw_record *record, mcw_view line)
{
	mcw_arena	arena;
	mcw_node   *root;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, 1 << 24);
	if (mcw_json_parse(line, &arena, &root, &err) == MCW_OK)
	{
		/* half a surrogate pair is nothing for the other one */
		if (record->bad ? root->kind == MCW_NODE_OBJECT && !strstr(record->bad, "surrogate") && !strstr(record->bad, "deep") :
			root->kind != MCW_NODE_OBJECT)
			abort();
	}
	mcw_arena_reset(&arena);
}

static uint64_t
rows_hash(const mcw_rows_options *options, const char *data, size_t size, size_t chunk_size)
{
	mcw_rows   *rows;
	mcw_record	record;
	mcw_error	err = {0};
	mcw_status	status;
	uint64_t	hash = UINT64_C(14695981039346656037);
	size_t		at = 0;

#define MIX(x) hash = (hash ^ (uint64_t) (x)) * UINT64_C(1099511628211)
	if (mcw_rows_open(&mcw_format_jsonl, options, &mcw_malloc, &rows, &err) != MCW_OK)
		abort();
	do
	{
		size_t		len = chunk_size < size - at ? chunk_size : size - at;
		char	   *chunk = malloc(len + 1);

		memcpy(chunk + 1, data + at, len);
		at += len;
		mcw_rows_feed(rows, chunk + 1, len, at == size);
		while ((status = mcw_rows_next(rows, &record, &err)) == MCW_OK)
		{
			MIX(record.line);
			MIX(record.verified);
			if (record.bad)
			{
				for (const char *p = record.bad; *p; p++)
					MIX((unsigned char) *p);
				if (record.verified)
					compare(&record, record.raw);
				continue;
			}
			MIX(record.nfields);
			MIX(record.unknown);
			for (int i = 0; i < options->ncolumns; i++)
			{
				mcw_field  *f = &record.fields[i];

				if (!options->columns[i].needed)
					continue;
				MIX(f->flags);
				if (f->flags & MCW_FIELD_NULL)
					continue;
				MIX(f->len);
				for (size_t k = 0; k < f->len; k++)
					MIX((unsigned char) f->data[k]);
				if (record.verified && mcw_utf8_valid(f->data, f->len) != f->len)
					abort();
				if (record.verified && !(f->flags & MCW_FIELD_CHECK) && f->len > 0 && memchr(f->data, '\0', f->len))
					abort();
				((char *) f->data)[-1] = '\n';
			}
		}
		free(chunk);
	} while (status == MCW_END && at < size);
	if (status != MCW_END)
		abort();
	MIX(mcw_rows_line(rows));
	mcw_rows_free(rows);
	return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_rows_column columns[NCOLUMNS] = {{{"a", 1}}, {{"time", 4}}, {{"", 0}}, {{"*", 1}}};
	mcw_rows_options options = {.columns = columns};
	const char *text = (const char *) data + 1;

	if (size < 1 || size > 65536)
		return 0;
	for (int i = 0; i < NCOLUMNS; i++)
		columns[i].needed = data[0] >> i & 1;
	options.ncolumns = data[0] & 0x80 ? NCOLUMNS : NCOLUMNS - 1;
	if (rows_hash(&options, text, size - 1, size) != rows_hash(&options, text, size - 1, 1 + (data[0] >> 4 & 7) * 9u))
		abort();
	return 0;
}
