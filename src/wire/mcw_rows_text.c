/*
 * mcw_rows_text.c
 *		Reading COPY's text format (oss.md 6.3), and the same without backslash escapes.
 *		Before PostgreSQL 18 COPY passes over all that stands behind a line \., and takes
 *		the marker at the end of other lines; here it may only be the last line, alone.
 */
#include "mcw_rows_delimited.h"

#include "mcw_text.h"

static inline bool
is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/*
 * Decode a field in place.  *check: a NUL or a byte above 0x7F was made by an escape.
 */
static size_t
unescape(char *data, size_t len, bool *check)
{
	const char *from = data;
	const char *end = data + len;
	char	   *to = data;

	*check = false;
	while (from < end)
	{
		const char *backslash = memchr(from, '\\', end - from);
		size_t		n = (backslash ? backslash : end) - from;
		int			value = -1;
		char		c;

		if (to != from)
			memmove(to, from, n);
		to += n;
		from += n + 1;
		if (from >= end)
			break;				/* a backslash at the very end is dropped */
		c = *from++;
		switch (c)
		{
			case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7':
				value = c - '0';
				for (int i = 0; i < 2 && from < end && is_octal(*from); i++)
					value = value << 3 | (*from++ - '0');
				break;
			case 'x':
				if (from < end && mcw_hex_value(*from) >= 0)
				{
					value = mcw_hex_value(*from++);
					if (from < end && mcw_hex_value(*from) >= 0)
						value = value << 4 | mcw_hex_value(*from++);
				}
				break;
			case 'b':
				c = '\b';
				break;
			case 'f':
				c = '\f';
				break;
			case 'n':
				c = '\n';
				break;
			case 'r':
				c = '\r';
				break;
			case 't':
				c = '\t';
				break;
			case 'v':
				c = '\v';
				break;
			default:
				break;
		}
		if (value >= 0)
		{
			c = (char) (value & 0xFF);
			if (c <= 0)
				*check = true;
		}
		*to++ = c;
	}
	return to - data;
}

static void
unescape_fields(mcw_delimited *d, int nfields)
{
	for (int i = 0; i < nfields && i < d->nslots; i++)
	{
		mcw_field  *field;
		bool		check;

		if (d->slots[i] < 0 || !(d->fields[d->slots[i]].flags & MCW_FIELD_RAW))
			continue;
		field = &d->fields[d->slots[i]];
		field->len = unescape((char *) field->data, field->len, &check);
		field->flags = check ? MCW_FIELD_CHECK : 0;
	}
}

/*
 * \. stands at 'stop'.  MCW_OK: the data ends there, *after is behind its line end;
 * MCW_END: the window ends too early to say.
 */
static mcw_status
end_marker(mcw_rows *rows, mcw_delimited *d, char *stop, char **after, mcw_error *err)
{
	static const char corrupt[] = "end-of-copy marker corrupt";
	static const char mismatch[] = "end-of-copy marker does not match previous newline style";
	const char *what = NULL;
	char	   *p = stop + 2;

	/* the longest line end, or the end of the data */
	if (rows->end - p < 2 && !rows->last && (p == rows->end || *p == '\r'))
		return MCW_END;
	if (d->line_end == MCW_LINE_CRLF)
	{
		if (p < rows->end && *p == '\n')
			what = mismatch;
		else if (p == rows->end || *p != '\r')
			what = corrupt;
		else
			p++;
	}
	if (!what && (p == rows->end || (*p != '\r' && *p != '\n')))
		what = corrupt;
	if (!what && d->line_end != MCW_LINE_UNKNOWN && *p != (d->line_end == MCW_LINE_CR ? '\r' : '\n'))
		what = mismatch;
	if (!what && stop != rows->at)
		what = "end-of-copy marker is not alone on its line";
	if (what)
		return mcw_delimited_fail(rows, d, stop, what, err);
	p++;
	if (d->line_end == MCW_LINE_UNKNOWN && p[-1] == '\r' && p < rows->end && *p == '\n')
		p++;
	*after = p;
	return MCW_OK;
}

/* Nothing may follow the marker. */
static mcw_status
behind_marker(mcw_rows *rows, mcw_error *err)
{
	if (rows->at == rows->end)
		return MCW_END;
	return mcw_rows_fail(rows, err, MCW_ERR_FORMAT, rows->at, "received copy data after EOF marker");
}

/*
 * With a delimiter A to F the digits of \xAB may look like delimiters.  Returns the byte
 * behind the escape at 'stop'.
 */
static const char *
behind_escape(const mcw_rows *rows, const char *stop)
{
	const char *p = stop + 1;

	if (p < rows->end && *p++ == 'x')
		for (int i = 0; i < 2 && p < rows->end && mcw_hex_value(*p) >= 0; i++)
			p++;
	return p;
}

static inline void
put(mcw_rows *rows, mcw_delimited *d, int column, char *start, char *stop, bool escapes)
{
	mcw_field  *field = &d->fields[column];

	field->data = start;
	field->len = stop - start;
	field->flags = escapes ? MCW_FIELD_RAW : 0;
	/* before unescaping: \N is not N */
	if (mcw_is_null_text(rows, start, field->len))
		field->flags = MCW_FIELD_NULL;
}

static mcw_status
parse(mcw_rows *rows, mcw_delimited *d, mcw_record *record, mcw_error *err)
{
	const char	delimiter = rows->options.delimiter;
	const bool	hex_delimiter = mcw_hex_value(delimiter) >= 0;
	char	   *start = rows->at;
	char	   *stop;
	char	   *after = NULL;
	char	   *dangling = NULL;	/* backslash as the last byte of all */
	const char *taken = start;	/* positions before it belong to an escape */
	int			nfields = 0;
	bool		escapes = false;	/* in the field */
	bool		any_escapes = false;

	if (d->ended)
		return behind_marker(rows, err);
	if (start == rows->end)
		return MCW_END;
	for (;;)
	{
		char		c = '\n';

		if (mcw_unlikely(d->k == d->n) && !mcw_delimited_more(rows, d))
		{
			if (!rows->last)
				return mcw_delimited_incomplete(rows, d, NULL);
			stop = after = rows->end;
		}
		else
		{
			stop = d->base + d->index[d->k++];
			c = *stop;
			if (c == '\\' && d->scan.escape)
			{
				escapes = any_escapes = true;
				if (stop + 1 == rows->end)
					dangling = stop;
				else if (stop[1] == '.')
				{
					mcw_status	status = end_marker(rows, d, stop, &after, err);

					if (status != MCW_OK)
						return status == MCW_END ? mcw_delimited_incomplete(rows, d, stop) : status;
					d->ended = true;
					mcw_rows_took(rows, after);
					return behind_marker(rows, err);
				}
				else if (hex_delimiter)
					taken = behind_escape(rows, stop);
				continue;
			}
			if (hex_delimiter && stop < taken)
				continue;
		}
		if (nfields < d->nslots && d->slots[nfields] >= 0)
			put(rows, d, d->slots[nfields], start, dangling ? dangling : stop, escapes);
		nfields++;
		escapes = false;
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
	mcw_delimited_finish(rows, d, record, stop, after, nfields, d->scan.line_inside);
	if (any_escapes)
		unescape_fields(d, nfields);
	return MCW_OK;
}

static mcw_status
text_open(mcw_rows *rows, mcw_error *err)
{
	return mcw_delimited_open(rows, false, parse, err);
}

const mcw_format mcw_format_text = {
	.name = "text",
	.suffix = ".txt",
	.open = text_open,
	.next = mcw_delimited_next,
	.close = mcw_delimited_close,
	.header = mcw_write_text_header,
	.null = mcw_write_text_null,
	.text = mcw_write_text_text,
	.bare = mcw_write_text_bare,
	.raw = mcw_write_text_raw,
	.end = mcw_write_text_end
};
