/*
 * mcw_rows_csv.c
 *		Reading csv by the rules of COPY (oss.md 6.3), but that a line \. is data.
 *
 * Quotes may begin and end anywhere in a field.  A value that is wholly between one pair
 * of quotes, without any inside, is a view like an unquoted one; others are put together
 * in place.
 */
#include "mcw_rows_delimited.h"

/*
 * Take quotes and escapes out of a field as it stands in the file.  Returns the length
 * of what is left, from 'data' on.
 */
static size_t
unquote(const mcw_rows *rows, char *data, size_t len)
{
	char		quote = rows->options.quote;
	char		escape = rows->options.escape;
	const char *from = data;
	const char *end = data + len;
	char	   *to = data;
	bool		in_quote = false;

	while (from < end)
	{
		const char *next = memchr(from, quote, end - from);
		size_t		n;

		if (in_quote && escape != quote)
		{
			/* an escape before the quote decides */
			const char *before = memchr(from, escape, (next ? next : end) - from);

			next = before ? before : next;
		}
		n = (next ? next : end) - from;
		if (to != from)
			memmove(to, from, n);
		to += n;
		from += n;
		if (from == end)
			break;
		if (!in_quote)
			in_quote = true;
		else if (*from == escape && from + 1 < end && (from[1] == quote || from[1] == escape))
			*to++ = *++from;
		else if (*from == quote)
			in_quote = false;
		else
			*to++ = *from;
		from++;
	}
	return to - data;
}

/* A field with quotes, of 'nquotes' unescaped ones the last at 'last' */
static inline bool
put_quoted(mcw_rows *rows, mcw_delimited *d, int column, char *start, char *stop,
		   size_t nquotes, const char *first, const char *last, bool escapes)
{
	mcw_field  *field = &d->fields[column];

	if (nquotes == 2 && !escapes && first == start && last == stop - 1)
	{
		field->data = start + 1;
		field->len = stop - start - 2;
		field->flags = 0;
		if (d->fields == rows->fields && rows->options.columns[column].force_null &&
			mcw_is_null_text(rows, field->data, field->len))
			field->flags = MCW_FIELD_NULL;
		return false;
	}
	/* not before the record is complete: it may have to be read again */
	field->data = start;
	field->len = stop - start;
	field->flags = MCW_FIELD_RAW;
	return true;
}

static void
unquote_fields(mcw_rows *rows, mcw_delimited *d, int nfields)
{
	for (int i = 0; i < nfields && i < d->nslots; i++)
	{
		int			column = d->slots[i];
		mcw_field  *field;

		if (column < 0 || !(d->fields[column].flags & MCW_FIELD_RAW))
			continue;
		field = &d->fields[column];
		field->len = unquote(rows, (char *) field->data, field->len);
		field->flags = 0;
		if (d->fields == rows->fields && rows->options.columns[column].force_null &&
			mcw_is_null_text(rows, field->data, field->len))
			field->flags = MCW_FIELD_NULL;
	}
}

static inline void
put_plain(mcw_rows *rows, mcw_delimited *d, int column, char *start, char *stop)
{
	mcw_field  *field = &d->fields[column];
	size_t		len = stop - start;

	field->data = start;
	field->len = len;
	field->flags = 0;
	if (mcw_is_null_text(rows, start, len) &&
		(d->fields != rows->fields || !rows->options.columns[column].force_not_null))
		field->flags = MCW_FIELD_NULL;
}

static mcw_status
parse(mcw_rows *rows, mcw_delimited *d, mcw_record *record, mcw_error *err)
{
	const char	delimiter = rows->options.delimiter;
	const char	quote = rows->options.quote;
	const int  *slots = d->slots;
	const int	nslots = d->nslots;
	char	   *start = rows->at;
	char	   *stop;
	char	   *after = NULL;
	int			nfields = 0;
	bool		quotes = false; /* in the record */
	bool		raw = false;

	if (start == rows->end)
		return MCW_END;
	for (;;)
	{
		size_t		nquotes = 0;
		char	   *first = NULL;
		char	   *last = NULL;
		bool		escapes = false;
		char		c = '\n';

		/* the end of the field */
		for (;;)
		{
			if (mcw_unlikely(d->k == d->n) && !mcw_delimited_more(rows, d))
			{
				if (!rows->last)
					return mcw_delimited_incomplete(rows, d, NULL);
				stop = after = rows->end;
				break;
			}
			stop = d->base + d->index[d->k++];
			c = *stop;
			if (mcw_likely((nquotes & 1) == 0 && c != quote))
				break;
			if (c == quote)
			{
				if (nquotes++ == 0)
					first = stop;
				last = stop;
			}
			else
				escapes = true;
		}
		if (mcw_unlikely((nquotes & 1) != 0))
		{
			rows->line += mcw_delimited_lines(d, rows->at, stop);
			return mcw_rows_fail(rows, err, MCW_ERR_FORMAT, stop, "unterminated CSV quoted field");
		}
		if (nquotes > 0)
			quotes = true;
		if (nfields < nslots && slots[nfields] >= 0)
		{
			if (nquotes == 0)
				put_plain(rows, d, slots[nfields], start, stop);
			else
				raw |= put_quoted(rows, d, slots[nfields], start, stop, nquotes, first, last, escapes);
		}
		nfields++;
		if (c != delimiter || after)
			break;
		start = stop + 1;
	}
	if (!after)
	{
		mcw_status	status = mcw_delimited_line_end(rows, d, stop, &after, err);

		if (mcw_unlikely(status != MCW_OK))
			return status == MCW_END ? mcw_delimited_incomplete(rows, d, stop) : status;
	}
	mcw_delimited_finish(rows, d, record, stop, after, nfields, quotes && d->scan.line_inside);
	if (raw)
		unquote_fields(rows, d, nfields);
	return MCW_OK;
}

static mcw_status
csv_open(mcw_rows *rows, mcw_error *err)
{
	return mcw_delimited_open(rows, true, parse, err);
}

const mcw_format mcw_format_csv = {
	.name = "csv",
	.suffix = ".csv",
	.open = csv_open,
	.next = mcw_delimited_next,
	.close = mcw_delimited_close,
	.header = mcw_write_csv_header,
	.null = mcw_write_csv_null,
	.text = mcw_write_csv_text,
	.bare = mcw_write_csv_bare,
	.raw = mcw_write_csv_raw,
	.end = mcw_write_csv_end
};
