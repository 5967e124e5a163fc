/*
 * rows_round_trip.h
 *		What the writers of rows write the readers read back equal: for the unit test and
 *		the fuzz target, which feed it bytes to make options, values and cuts from.
 */
#ifndef ROWS_ROUND_TRIP_H
#define ROWS_ROUND_TRIP_H

#include <stdio.h>
#include <stdlib.h>

#include "../../src/wire/mcw_rows.h"

#define TRIP_COLUMNS 4
#define TRIP_ROWS 12

/* the bytes that say what to do; zeros behind their end */
typedef struct trip_bytes
{
	const uint8_t *at;
	const uint8_t *end;
} trip_bytes;

static inline unsigned
trip_below(trip_bytes *b, unsigned bound)
{
	return b->at < b->end ? *b->at++ % bound : 0;
}

typedef struct trip_value
{
	char		kind;			/* null, text, bare, raw: n t b r */
	char	   *data;
	size_t		len;
} trip_value;

static inline trip_value
trip_value_of(trip_bytes *b)
{
	static const char *const bares[] = {"0", "-1", "17", "true", "false", "1.5e+300", "7"};
	static const char *const raws[] = {"{\"a\": [1, \"x\"]}", "[]", "{}", "[{\"\\n\": \"}\"}, null]", "[\"a\\\\\"]"};
	static const char nasty[] = ",;|\t\t \"\"'\\\\\n\n\r\b\v\f\x01\x1f.N";
	trip_value	v = {"nttttbr"[trip_below(b, 7)], NULL, 0};
	const char *fixed = NULL;

	if (v.kind == 'b')
		fixed = bares[trip_below(b, 7)];
	else if (v.kind == 'r')
		fixed = raws[trip_below(b, 5)];
	v.len = fixed ? strlen(fixed) : trip_below(b, 6) ? trip_below(b, 24) : trip_below(b, 250);
	v.data = malloc(3 * v.len + 1);
	if (!v.data)
		abort();
	if (fixed)
		memcpy(v.data, fixed, v.len);
	else
	{
		size_t		chars = v.len;

		/* valid UTF-8: each byte becomes one character */
		v.len = 0;
		for (size_t i = 0; i < chars; i++)
		{
			unsigned	c = trip_below(b, 256);

			if (c >= 0xE0)
			{
				memcpy(v.data + v.len, "\xE4\xB8\xAD", 3);
				v.data[v.len + 2] = (char) (0x80 + (c & 31));
				v.len += 3;
			}
			else if (c >= 0x80)
				v.data[v.len++] = nasty[c % (sizeof(nasty) - 1)];
			else
				v.data[v.len++] = (char) (c ? c : 'a');
		}
	}
	return v;
}

static inline bool
trip_is_null_text(const mcw_write_options *o, const trip_value *v)
{
	return mcw_view_eq((mcw_view) {v->data, v->len}, o->null);
}

static inline bool
trip_equal(const mcw_format *format, const mcw_write_options *o, const trip_value *v, const mcw_field *f)
{
	uint32_t	kind = f->flags & (MCW_FIELD_STRING | MCW_FIELD_NUMBER | MCW_FIELD_BOOL | MCW_FIELD_NESTED);
	uint32_t	want = v->kind == 't' ? MCW_FIELD_STRING : v->kind == 'r' ? MCW_FIELD_NESTED :
		v->data[0] == 't' || v->data[0] == 'f' ? MCW_FIELD_BOOL : MCW_FIELD_NUMBER;

	if (f->flags & MCW_FIELD_ABSENT)
		return v->kind == 'n' && format == &mcw_format_jsonl && o->omit_null;
	if (f->flags & MCW_FIELD_NULL)
	{
		/* COPY's text format has no quotes that tell a value from the null text, unless that has an escape */
		return v->kind == 'n' || (format == &mcw_format_text && trip_is_null_text(o, v));
	}
	if (v->kind == 'n' || (format == &mcw_format_jsonl && kind != want))
		return false;
	return mcw_view_eq((mcw_view) {f->data, f->len}, (mcw_view) {v->data, v->len});
}

/* Reads 'file' in chunks and compares; 'cut' says how long they are */
static inline bool
trip_read(const mcw_format *format, const mcw_write_options *w, bool header, mcw_view file,
		  const trip_value *rows, int nrows, trip_bytes *cut)
{
	mcw_rows_column columns[TRIP_COLUMNS];
	mcw_rows_options o = {.delimiter = w->delimiter, .quote = w->quote, .escape = w->escape, .null = w->null,
		.header = header ? MCW_HEADER_MATCH : MCW_HEADER_NONE, .columns = columns, .ncolumns = w->ncolumns};
	mcw_rows   *reader;
	mcw_record	record;
	mcw_error	err = {0};
	mcw_status	status = MCW_END;
	char	   *chunks[256];
	int			nchunks = 0;
	size_t		fed = 0;
	int			n = 0;
	bool		same = true;

	memset(columns, 0, sizeof(columns));
	for (int i = 0; i < w->ncolumns; i++)
	{
		columns[i].name = w->names[i];
		columns[i].needed = true;
	}
	if (mcw_rows_open(format, &o, &mcw_malloc, &reader, &err) != MCW_OK)
		abort();
	for (bool last = false; same;)
	{
		status = mcw_rows_next(reader, &record, &err);
		if (status == MCW_END && !last)
		{
			/* each chunk in memory of its own, so that a byte too much is seen */
			size_t		len = nchunks == 255 ? file.len - fed : trip_below(cut, 256);

			if (len == 0 || len > file.len - fed)
				len = file.len - fed;
			last = fed + len == file.len;
			chunks[nchunks] = malloc(len + (len == 0));
			if (!chunks[nchunks])
				abort();
			memcpy(chunks[nchunks], file.data + fed, len);
			mcw_rows_feed(reader, chunks[nchunks++], len, last);
			fed += len;
			continue;
		}
		if (status != MCW_OK)
			break;
		same = n < nrows && !record.bad;
		for (int pass = 0; pass < 2 && same; pass++)
			for (int i = 0; i < w->ncolumns && same; i++)
			{
				mcw_field  *f = &record.fields[i];

				same = trip_equal(format, w, &rows[n * TRIP_COLUMNS + i], f);
				/* the byte before each value is ours */
				if (pass == 0 && !(f->flags & MCW_FIELD_NULL) && w->ncolumns > 0)
					((char *) f->data)[-1] = 'Z';
			}
		n++;
	}
	if (!same || status != MCW_END || n != nrows)
	{
		printf("format %s delimiter %d quote %d escape %d null \"%.*s\" header %d: record %d of %d, %s %s\n%.*s\n",
			   format->name, w->delimiter, w->quote, w->escape, (int) w->null.len, w->null.data, header, n, nrows,
			   mcw_status_name(status), err.message, (int) file.len, file.data);
		same = false;
	}
	mcw_rows_free(reader);
	while (nchunks > 0)
		free(chunks[--nchunks]);
	return same;
}

/* False: what was read differs.  *tried counts the files that were compared. */
static inline bool
rows_round_trip(const uint8_t *data, size_t size, int *tried)
{
	static const mcw_format *const formats[] = {&mcw_format_csv, &mcw_format_text, &mcw_format_jsonl};
	static const mcw_view names[TRIP_COLUMNS] = {
		MCW_LIT("id"), MCW_LIT("b,\t;"), MCW_LIT("say \"x\"\\n"), MCW_LIT("\xE4\xB8\xAD")
	};
	static const char *const nulls[] = {"", "", "\\N", "NULL", "7", "a"};
	trip_bytes	b = {data, data + size};
	const mcw_format *format = formats[trip_below(&b, 3)];
	bool		force[TRIP_COLUMNS];
	mcw_write_options o = {.names = names};
	trip_value	rows[TRIP_ROWS * TRIP_COLUMNS];
	mcw_row_writer w;
	mcw_buf		file;
	mcw_error	err;
	int			nrows = 0;
	bool		header;
	bool		same = true;

	o.delimiter = ",,\t\t;| -:7eX\x01\b"[trip_below(&b, 14)];
	o.quote = "\"\"\"'7t"[trip_below(&b, 6)];
	o.escape = trip_below(&b, 3) ? o.quote : '\\';
	o.null = mcw_str(nulls[trip_below(&b, 6)]);
	o.ncolumns = 1 + (int) trip_below(&b, TRIP_COLUMNS);
	o.omit_null = trip_below(&b, 2);
	header = trip_below(&b, 3) == 0 && format != &mcw_format_jsonl;
	for (int i = 0; i < TRIP_COLUMNS; i++)
		force[i] = trip_below(&b, 4) == 0;
	o.force_quote = force;
	if (!format->open || mcw_row_writer_init(&w, format, &o, &mcw_malloc, &err) != MCW_OK)
		return true;

	mcw_buf_init(&file, &mcw_malloc, 1 << 22);
	w.out = &file;
	if (header)
		format->header(&w);
	while (nrows < TRIP_ROWS && b.at < b.end)
	{
		for (int i = 0; i < o.ncolumns; i++)
		{
			trip_value *v = &rows[nrows * TRIP_COLUMNS + i];

			*v = trip_value_of(&b);
			switch (v->kind)
			{
				case 'n': format->null(&w); break;
				case 't': format->text(&w, v->data, v->len); break;
				case 'b': format->bare(&w, v->data, v->len); break;
				default: format->raw(&w, v->data, v->len); break;
			}
		}
		format->end(&w);
		nrows++;
	}
	if (mcw_buf_status(&file) != MCW_OK)
		abort();
	b.at = data;
	same = trip_read(format, &o, header, mcw_buf_view(&file), rows, nrows, &b);
	++*tried;
	for (int n = 0; n < nrows; n++)
		for (int i = 0; i < o.ncolumns; i++)
			free(rows[n * TRIP_COLUMNS + i].data);
	mcw_row_writer_free(&w);
	mcw_buf_free(&file);
	return same;
}

#endif							/* ROWS_ROUND_TRIP_H */
