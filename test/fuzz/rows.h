/*
 * rows.h
 *		Fuzzing readers of rows: whatever the chunks and the instructions, the records are
 *		the same, and nothing is read or written where it should not be.
 */
#ifndef FUZZ_ROWS_H
#define FUZZ_ROWS_H

#include <stdlib.h>

#include "../../src/wire/mcw_rows_delimited.h"

#define COLUMNS 4

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Read all into a hash of what was read; each chunk is a block of its own */
static uint64_t
rows_hash(const mcw_format *format, const mcw_rows_options *options, const char *data, size_t size,
		  size_t chunk_size, mcw_scan_level level)
{
	mcw_rows   *rows;
	mcw_record	record;
	mcw_error	err = {0};
	mcw_status	status;
	uint64_t	hash = UINT64_C(14695981039346656037);
	size_t		at = 0;

#define MIX(x) hash = (hash ^ (uint64_t) (x)) * UINT64_C(1099511628211)
	status = mcw_rows_open(format, options, &mcw_malloc, &rows, &err);
	if (status != MCW_OK)
		return 0;
	mcw_rows_scan_with(rows, level);
	do
	{
		size_t		len = chunk_size < size - at ? chunk_size : size - at;
		char	   *chunk = malloc(len ? len : 1);

		memcpy(chunk, data + at, len);
		at += len;
		mcw_rows_feed(rows, chunk, len, at == size);
		while ((status = mcw_rows_next(rows, &record, &err)) == MCW_OK)
		{
			MIX(record.line);
			MIX(record.nfields);
			MIX(record.verified);
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
				if (record.verified && !(f->flags & MCW_FIELD_CHECK) && mcw_scan_valid(f->data, f->len) != f->len)
					abort();
			}
			/* ours to write to */
			for (int i = 0; i < options->ncolumns; i++)
				if (options->columns[i].needed && !(record.fields[i].flags & MCW_FIELD_NULL))
					((char *) record.fields[i].data)[-1] = '\n';
		}
		free(chunk);
	} while (status == MCW_END && at < size);
	MIX(mcw_rows_line(rows));
	if (status != MCW_END)
	{
		MIX(err.offset);
		for (const char *p = err.message; *p; p++)
			MIX((unsigned char) *p);
	}
	mcw_rows_free(rows);
	return hash;
}

/* the first bytes of the input choose the options */
static int
fuzz_rows(const mcw_format *format, const uint8_t *data, size_t size)
{
	static const mcw_view nulls[] = {{NULL, 0}, {"", 0}, {"\\N", 2}, {"a", 1}};
	mcw_rows_column columns[COLUMNS] = {{{"a", 1}}, {{"b", 1}}, {{"c", 1}}, {{"", 0}}};
	mcw_rows_options options = {0};
	const char *text = (const char *) data + 4;
	uint64_t	hash;

	if (size < 4 || size > 65536)
		return 0;
	size -= 4;
	options.delimiter = "\0,\t|;\x01" "A\\"[data[0] & 7];
	options.quote = "\0'\"\\"[(data[0] >> 3) & 3];
	options.escape = "\0\\,!"[(data[0] >> 5) & 3];
	options.unescape_off = data[0] >> 7;
	options.null = nulls[data[1] & 3];
	options.header = (mcw_header) ((data[1] >> 2) & 3);
	options.columns = columns;
	options.ncolumns = (data[1] >> 4) % (COLUMNS + 1);
	for (int i = 0; i < COLUMNS; i++)
	{
		columns[i].needed = !(data[2] >> i & 1);
		columns[i].force_null = data[2] >> (i + 4) & 1;
		columns[i].force_not_null = data[3] >> i & 1;
	}
	hash = rows_hash(format, &options, text, size, size + 1, MCW_SCAN_SCALAR);
	if (rows_hash(format, &options, text, size, size + 1, MCW_SCAN_AVX2) != hash ||
		rows_hash(format, &options, text, size, 1 + (data[3] >> 4), MCW_SCAN_SSE2) != hash ||
		rows_hash(format, &options, text, size, 1 + data[3], MCW_SCAN_AVX2) != hash)
		abort();
	return 0;
}

#endif							/* FUZZ_ROWS_H */
