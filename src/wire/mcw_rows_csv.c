/*
 * mcw_rows_csv.c
 *		Reading csv by the rules of COPY (oss.md 6.3), but that a line \. is data.
 *
 * Quotes may begin and end anywhere in a field.  A value that is wholly between one pair
 * of quotes, without any inside, is a view like an unquoted one; others are put together
 * in place.
 */
#include "mcw_rows_delimited.h"

/* What is known of the quotes of a field */
typedef struct field_quotes
{
	size_t		n;				/* that are not escaped */
	char	   *first;
	char	   *last;
	bool		escapes;		/* there are escapes besides */
} field_quotes;

/*
 * Take quotes and escapes out of a field as it stands in the file.  Returns the length
 * of what is left, from 'data' on.
 */
static size_t
unquote(const mcw_rows *rows, char *data, size_t len)
{
	const char	quote = rows->options.quote;
	const char	escape = rows->options.escape;
	const char *from = data;
	const char *end = data + len;
	char	   *to = data;
	bool		in_quote = false;

	while (from < end)
	{
		char		c = *from++;

		if (c == quote && !in_quote)
			in_quote = true;
		else if (in_quote && c == escape && from < end && (*from == quote || *from == escape))
			*to++ = *from++;
		else if (c == quote)
			in_quote = false;
		else
		{
			*to++ = c;
			/* long stretches without either; two calls cost as much as some thirty bytes */
			if (end - from >= 64 && in_quote && quote == escape)
			{
				const char *next = memchr(from, quote, end - from);
				size_t		n = (next ? next : end) - from;

				memmove(to, from, n);
				to += n;
				from += n;
			}
		}
	}
	return to - data;
}

/* A value between two quotes, or with quotes and escapes taken out */
static inline void
put_between(mcw_rows *rows, mcw_delimited *d, int column, char *data, char *end)
{
	mcw_field  *field = &d->fields[column];
	size_t		len = end - data;

	field->data = data;
	field->len = len;
	field->flags = 0;
	if (len == rows->options.null.len && d->fields == rows->fields &&
		rows->options.columns[column].force_null && mcw_is_null_text(rows, data, len))
		field->flags = MCW_FIELD_NULL;
}

/* A field with quotes.  True: they are still in it, to be taken out when the record is complete */
static inline bool
put_quoted(mcw_rows *rows, mcw_delimited *d, int column, char *start, char *stop, const field_quotes *quotes)
{
	mcw_field  *field = &d->fields[column];

	if (mcw_likely(quotes->n == 2 && !quotes->escapes && quotes->first == start && quotes->last == stop - 1))
	{
		put_between(rows, d, column, start + 1, stop - 1);
		return false;
	}
	/* an incomplete record is read again */
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
		char	   *data;

		if (column < 0 || !(d->fields[column].flags & MCW_FIELD_RAW))
			continue;
		data = (char *) d->fields[column].data;
		put_between(rows, d, column, data, data + unquote(rows, data, d->fields[column].len));
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

/*
 * Fields from *start on, as long as they need no unquoting and lie in the indexed piece.
 * Most records are nothing else, hence a loop that keeps all it needs in registers.
 * Returns nfields with them; *start is then behind the last of them.
 */
static inline int
simple_fields(mcw_rows *rows, mcw_delimited *d, char **start, int nfields, bool *any_quotes)
{
	const char	delimiter = rows->options.delimiter;
	const char	quote = rows->options.quote;
	const mcw_view null = rows->options.null;
	const uint32_t *index = d->index;
	const size_t n = d->n;
	const int  *slots = d->slots;
	const int	nslots = d->nslots;
	mcw_field  *fields = d->fields;
	char	   *base = d->base;
	char	   *from = *start;
	size_t		k = d->k;
	bool		quoted = false;

	for (; k < n; k++)
	{
		char	   *stop = base + index[k];

		if (*stop != delimiter)
		{
			char	   *last;

			/* or between quotes, without any inside */
			if (*stop != quote || stop != from || n - k < 3 || base[index[k + 2]] != delimiter ||
				index[k + 2] - index[k + 1] != 1 || *(last = base + index[k + 1]) != quote)
				break;
			k += 2;
			if (nfields < nslots && slots[nfields] >= 0)
				put_between(rows, d, slots[nfields], from + 1, last);
			nfields++;
			quoted = true;
			from = last + 2;
			continue;
		}
		if (nfields < nslots && slots[nfields] >= 0)
		{
			mcw_field  *field = &fields[slots[nfields]];
			size_t		len = stop - from;

			field->data = from;
			field->len = (uint32_t) len;
			field->flags = 0;
			if (len == null.len && (len == 0 || memcmp(from, null.data, len) == 0))
				put_plain(rows, d, slots[nfields], from, stop);
		}
		nfields++;
		from = stop + 1;
	}
	d->k = k;
	*start = from;
	*any_quotes |= quoted;
	return nfields;
}

/*
 * The end of the field: *stop is its delimiter or line end.  False: the window ends
 * before.
 */
static inline bool
field_end(mcw_rows *rows, mcw_delimited *d, char **stop, field_quotes *quotes)
{
	const char	quote = rows->options.quote;

	for (;;)
	{
		char	   *at;

		if (mcw_unlikely(d->k == d->n) && !mcw_delimited_more(rows, d))
			return false;
		at = d->base + d->index[d->k++];
		if (*at == quote)
		{
			if (quotes->n++ == 0)
				quotes->first = at;
			quotes->last = at;
		}
		else if ((quotes->n & 1) == 0)
		{
			*stop = at;
			return true;
		}
		else
			quotes->escapes = true;
	}
}

static mcw_status
parse(mcw_rows *rows, mcw_delimited *d, mcw_record *record, mcw_error *err)
{
	const char	delimiter = rows->options.delimiter;
	char	   *start = rows->at;
	char	   *stop;
	char	   *after = NULL;
	int			nfields = 0;
	bool		quoted = false; /* some field of the record */
	bool		raw = false;
	bool		more = true;

	if (start == rows->end)
		return MCW_END;
	while (more)
	{
		field_quotes quotes = {0};

		nfields = simple_fields(rows, d, &start, nfields, &quoted);
		if (mcw_likely(field_end(rows, d, &stop, &quotes)))
			more = *stop == delimiter;
		else if (!rows->last)
			return mcw_delimited_incomplete(rows, d, NULL);
		else
		{
			stop = after = rows->end;
			more = false;
			if (quotes.n & 1)
				return mcw_delimited_fail(rows, d, stop, "unterminated CSV quoted field", err);
		}
		quoted |= quotes.n > 0;
		if (nfields < d->nslots && d->slots[nfields] >= 0)
		{
			if (quotes.n == 0)
				put_plain(rows, d, d->slots[nfields], start, stop);
			else
				raw |= put_quoted(rows, d, d->slots[nfields], start, stop, &quotes);
		}
		nfields++;
		start = stop + 1;
	}
	if (!after)
	{
		mcw_status	status = mcw_delimited_line_end(rows, d, stop, &after, err);

		if (mcw_unlikely(status != MCW_OK))
			return status == MCW_END ? mcw_delimited_incomplete(rows, d, stop) : status;
	}
	mcw_delimited_finish(rows, d, record, stop, after, nfields, quoted && d->scan.line_inside);
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
