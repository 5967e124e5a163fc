/*
 * mcw_rows_delimited.c
 *		What the readers of csv and text share: the index of the window, line ends, header.
 *
 * Reading has two passes.  The first (mcw_rows_scan.c) notes the positions of delimiters,
 * line ends, quotes and escapes of a piece of the window; the second, a format's 'parse',
 * goes from position to position and looks at no other byte.
 */
#include "mcw_rows_delimited.h"

#include "mcw_text.h"

#define PIECE 8192				/* bytes that are indexed at a time: bytes and index fit into L1 */
#define INDEX_SIZE ((PIECE + MCW_SCAN_SLACK) * sizeof(uint32_t))

/* ---- options ---- */

static bool
bad_special(char c)
{
	return c <= 0 || c == '\r' || c == '\n';
}

/* COPY's rules for its options, and its defaults */
static mcw_status
check_options(mcw_rows *rows, bool csv, mcw_error *err)
{
	mcw_rows_options *o = &rows->options;
	bool		escapes = !csv && !o->unescape_off;

	if (!o->delimiter)
		o->delimiter = csv ? ',' : '\t';
	if (!o->null.data)
		o->null = csv ? MCW_LIT("") : MCW_LIT("\\N");
	if (bad_special(o->delimiter) ||
		(escapes && strchr("\\.abcdefghijklmnopqrstuvwxyz0123456789", o->delimiter)))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "delimiter cannot be \"%c\"", o->delimiter);
	if (csv)
	{
		if (!o->quote)
			o->quote = '"';
		if (!o->escape)
			o->escape = o->quote;
		if (bad_special(o->quote) || bad_special(o->escape))
			return mcw_fail(err, MCW_ERR_ARGUMENT, "quote and escape must be ASCII characters and no line breaks");
		if (o->delimiter == o->quote)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "delimiter and quote must be different");
	}
	for (size_t i = 0; i < o->null.len; i++)
	{
		char		c = o->null.data[i];

		if (c == '\r' || c == '\n')
			return mcw_fail(err, MCW_ERR_ARGUMENT, "the null text cannot have line breaks");
		if (c == o->delimiter)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "delimiter must not appear in the null text");
		if (csv && c == o->quote)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "quote must not appear in the null text");
	}
	return MCW_OK;
}

static void
reset_slots(mcw_rows *rows, mcw_delimited *d)
{
	mcw_free(rows->alloc, d->slots, d->nslots * sizeof(int));
	d->slots = NULL;
	d->nslots = 0;
	d->fields = rows->fields;
}

/* 'n' slots, none of them needed */
static mcw_status
new_slots(mcw_rows *rows, mcw_delimited *d, int n)
{
	reset_slots(rows, d);
	if (n > 0)
	{
		d->slots = mcw_new(rows->alloc, n * sizeof(int));
		if (!d->slots)
			return MCW_ERR_NOMEM;
	}
	d->nslots = n;
	for (int i = 0; i < n; i++)
		d->slots[i] = -1;
	return MCW_OK;
}

static mcw_status
slots_by_position(mcw_rows *rows, mcw_delimited *d)
{
	int			n = rows->options.ncolumns;

	/* fields behind the last needed column are only counted */
	while (n > 0 && !rows->options.columns[n - 1].needed)
		n--;
	if (new_slots(rows, d, n) != MCW_OK)
		return MCW_ERR_NOMEM;
	for (int i = 0; i < n; i++)
		if (rows->options.columns[i].needed)
			d->slots[i] = i;
	return MCW_OK;
}

mcw_status
mcw_delimited_open(mcw_rows *rows, bool csv, mcw_delimited_parse parse, mcw_error *err)
{
	mcw_delimited *d;
	mcw_status	status = check_options(rows, csv, err);

	if (status != MCW_OK)
		return status;
	d = mcw_new0(rows->alloc, sizeof(*d));
	rows->state = d;
	if (!d)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	d->parse = parse;
	d->csv = csv;
	d->scan.delimiter = rows->options.delimiter;
	if (csv)
	{
		d->scan.quote = rows->options.quote;
		if (rows->options.escape != rows->options.quote)
			d->scan.escape = rows->options.escape;
	}
	else if (!rows->options.unescape_off)
		d->scan.escape = '\\';
	d->find = mcw_scan_choose(&d->scan, mcw_scan_best());
	d->header_due = rows->options.header != MCW_HEADER_NONE;
	d->index = mcw_new(rows->alloc, INDEX_SIZE);
	if (!d->index || slots_by_position(rows, d) != MCW_OK)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	return MCW_OK;
}

void
mcw_delimited_close(mcw_rows *rows)
{
	mcw_delimited *d = rows->state;

	if (!d)
		return;
	mcw_free(rows->alloc, d->index, INDEX_SIZE);
	reset_slots(rows, d);
	mcw_free(rows->alloc, d, sizeof(*d));
	rows->state = NULL;
}

void
mcw_rows_scan_with(mcw_rows *rows, mcw_scan_level level)
{
	mcw_delimited *d = rows->state;
	mcw_scan_level best = mcw_scan_best();

	d->find = mcw_scan_choose(&d->scan, level < best ? level : best);
}

/* ---- the index ---- */

static void
scan_at_start(mcw_scan *scan)
{
	scan->in_quote = scan->escaped = scan->line_inside = false;
}

/* The index begins anew at 'at'. */
static void
restart(mcw_rows *rows, mcw_delimited *d)
{
	d->window = rows->window;
	d->base = d->scanned_to = rows->at;
	d->n = d->k = 0;
	scan_at_start(&d->scan);
}

bool
mcw_delimited_more(mcw_rows *rows, mcw_delimited *d)
{
	do
	{
		size_t		len = rows->end - d->scanned_to;

		if (len == 0)
			return false;
		if (len > PIECE)
			len = PIECE;
		d->base = d->scanned_to;
		d->scanned_to += len;
		d->k = 0;
		d->n = d->find(&d->scan, d->base, len, d->index);
	} while (d->n == 0);
	return true;
}

mcw_status
mcw_delimited_incomplete(mcw_rows *rows, mcw_delimited *d, const char *from)
{
	d->tail = d->scan;
	if (from)
		scan_at_start(&d->tail);
	rows->scanned = (from ? from : rows->end) - rows->at;
	return MCW_END;
}

/*
 * The record was incomplete, and bytes behind 'scanned' are new.  Is there a line end
 * now?  So a record in many small chunks is not parsed again with each of them.
 */
static bool
find_end(mcw_rows *rows, mcw_delimited *d)
{
	char	   *from = rows->at + rows->scanned;

	if (rows->last)
		return true;
	while (from < rows->end)
	{
		size_t		len = rows->end - from;
		size_t		n;

		if (len > PIECE)
			len = PIECE;
		n = d->find(&d->tail, from, len, d->index);
		for (size_t i = 0; i < n; i++)
		{
			char	   *stop = from + d->index[i];

			if (*stop != '\n' && *stop != '\r')
				continue;
			if (*stop == '\r' && stop + 1 == rows->end)
			{
				mcw_delimited_incomplete(rows, d, stop);
				return false;
			}
			return true;
		}
		from += len;
	}
	rows->scanned = rows->end - rows->at;
	return false;
}

mcw_status
mcw_delimited_fail(mcw_rows *rows, mcw_delimited *d, const char *where, const char *message, mcw_error *err)
{
	if ((size_t) (where - rows->at) > rows->options.max_record)
		return mcw_rows_too_long(rows, err);
	rows->line += mcw_delimited_lines(d, rows->at, where);
	return mcw_rows_fail(rows, err, MCW_ERR_FORMAT, where, "%s", message);
}

/* ---- line ends ---- */

static mcw_status
wrong_line_end(mcw_rows *rows, mcw_delimited *d, const char *stop, mcw_error *err)
{
	const char *message;

	if (*stop == '\r')
		message = d->csv ? "unquoted carriage return found in data" : "literal carriage return found in data";
	else
		message = d->csv ? "unquoted newline found in data" : "literal newline found in data";
	return mcw_delimited_fail(rows, d, stop, message, err);
}

mcw_status
mcw_delimited_line_end(mcw_rows *rows, mcw_delimited *d, char *stop, char **after, mcw_error *err)
{
	bool		newline_follows;

	*after = stop + 1;
	if (*stop == '\n')
	{
		if (d->line_end == MCW_LINE_CR || d->line_end == MCW_LINE_CRLF)
			return wrong_line_end(rows, d, stop, err);
		d->line_end = MCW_LINE_LF;
		return MCW_OK;
	}
	if (d->line_end == MCW_LINE_CR)
		return MCW_OK;
	if (d->line_end == MCW_LINE_LF)
		return wrong_line_end(rows, d, stop, err);

	if (stop + 1 == rows->end && !rows->last)
		return MCW_END;
	newline_follows = stop + 1 < rows->end && stop[1] == '\n';
	if (!newline_follows)
	{
		if (d->line_end == MCW_LINE_CRLF)
			return wrong_line_end(rows, d, stop, err);
		d->line_end = MCW_LINE_CR;
		return MCW_OK;
	}
	d->line_end = MCW_LINE_CRLF;
	*after = stop + 2;
	/* the newline is the next position */
	if (d->k < d->n)
		d->k++;
	else
		d->scanned_to = stop + 2;
	return MCW_OK;
}

uint64_t
mcw_delimited_lines(const mcw_delimited *d, const char *from, const char *to)
{
	char		c = d->line_end == MCW_LINE_CR ? '\r' : '\n';
	uint64_t	lines = 0;

	while (from < to && (from = memchr(from, c, to - from)) != NULL)
	{
		lines++;
		from++;
	}
	return lines;
}

/* ---- records ---- */

void
mcw_delimited_finish(mcw_rows *rows, mcw_delimited *d, mcw_record *record,
					 char *stop, char *after, int nfields, bool lines_inside)
{
	for (int i = nfields; i < d->nslots; i++)
	{
		if (d->slots[i] >= 0)
		{
			d->fields[d->slots[i]].len = 0;
			d->fields[d->slots[i]].flags = MCW_FIELD_NULL | MCW_FIELD_ABSENT;
		}
	}
	record->fields = d->fields;
	record->nfields = nfields;
	record->line = rows->line;
	record->raw.data = rows->at;
	record->raw.len = stop - rows->at;
	record->verified = mcw_rows_verify(rows, stop);
	record->bad = NULL;
	record->unknown = 0;
	rows->line++;
	if (mcw_unlikely(lines_inside))
		rows->line += mcw_delimited_lines(d, rows->at, stop);
	mcw_rows_took(rows, after);
}

/* ---- header ---- */

/* COPY's words for the first bad bytes of 'text' */
static mcw_status
not_utf8(mcw_view text, mcw_error *err)
{
	size_t		at = mcw_scan_valid(text.data, text.len);
	unsigned char lead = (unsigned char) text.data[at];
	size_t		n = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 1;
	char		bytes[4 * 5 + 1];

	for (size_t i = 0; i < n && at + i < text.len; i++)
	{
		static const char hex[] = "0123456789abcdef";
		unsigned char c = (unsigned char) text.data[at + i];
		char	   *to = bytes + 5 * i;

		memcpy(to, " 0x", 3);
		to[3] = hex[c >> 4];
		to[4] = hex[c & 15];
		to[5] = '\0';
	}
	return mcw_fail(err, MCW_ERR_FORMAT, "invalid byte sequence for encoding \"UTF8\":%s", bytes);
}

/* The names of the header line into rows->header; 'fields' are its fields */
static mcw_status
keep_names(mcw_rows *rows, const mcw_field *fields, int n)
{
	size_t		used = 0;

	rows->header = mcw_new0(rows->alloc, n * sizeof(mcw_view));
	if (!rows->header)
		return MCW_ERR_NOMEM;
	rows->nheader = n;
	for (int i = 0; i < n; i++)
		if (!(fields[i].flags & MCW_FIELD_NULL) &&
			mcw_buf_append(&rows->header_text, fields[i].data, fields[i].len) != MCW_OK)
			return MCW_ERR_NOMEM;
	for (int i = 0; i < n; i++)
	{
		if (fields[i].flags & MCW_FIELD_NULL)
			continue;
		rows->header[i].data = rows->header_text.data ? rows->header_text.data + used : "";
		rows->header[i].len = fields[i].len;
		used += fields[i].len;
	}
	return MCW_OK;
}

/* for "%.*s" in a message of limited length; whole characters */
#define SHOWN(v, max) (int) mcw_utf8_valid((v).data, (v).len < (max) ? (v).len : (max)), (v).data
#define NAME_MAX_SHOWN 63
#define FIELD_MAX_SHOWN 256

static mcw_status
match_header(mcw_rows *rows, mcw_error *err)
{
	const mcw_rows_options *o = &rows->options;

	if (rows->nheader != o->ncolumns)
		return mcw_fail(err, MCW_ERR_FORMAT,
							 "wrong number of fields in header line: got %d, expected %d", rows->nheader, o->ncolumns);
	for (int i = 0; i < o->ncolumns; i++)
	{
		mcw_view	got = rows->header[i];
		mcw_view	want = o->columns[i].name;

		if (!got.data)
			return mcw_fail(err, MCW_ERR_FORMAT,
								 "column name mismatch in header line field %d: got null value (\"%.*s\"), expected \"%.*s\"",
								 i + 1, SHOWN(o->null, NAME_MAX_SHOWN), SHOWN(want, NAME_MAX_SHOWN));
		if (!mcw_view_eq(got, want))
			return mcw_fail(err, MCW_ERR_FORMAT,
								 "column name mismatch in header line field %d: got \"%.*s\", expected \"%.*s\"",
								 i + 1, SHOWN(got, FIELD_MAX_SHOWN), SHOWN(want, NAME_MAX_SHOWN));
	}
	return MCW_OK;
}

static mcw_status
slots_by_name(mcw_rows *rows, mcw_delimited *d, mcw_error *err)
{
	const mcw_rows_options *o = &rows->options;
	int			nslots = 0;

	for (int pass = 0; pass < 2; pass++)
	{
		if (pass == 1 && new_slots(rows, d, nslots) != MCW_OK)
			return MCW_ERR_NOMEM;
		for (int c = 0; c < o->ncolumns; c++)
		{
			int			found = -1;

			rows->fields[c].flags = MCW_FIELD_NULL | MCW_FIELD_ABSENT;
			if (!o->columns[c].needed)
				continue;
			for (int i = 0; i < rows->nheader; i++)
			{
				if (!rows->header[i].data || !mcw_view_eq(rows->header[i], o->columns[c].name))
					continue;
				if (found >= 0)
					return mcw_fail(err, MCW_ERR_FORMAT,
										 "column name \"%.*s\" stands twice in header line: fields %d and %d",
										 SHOWN(o->columns[c].name, NAME_MAX_SHOWN), found + 1, i + 1);
				found = i;
			}
			if (found < 0)
				continue;
			if (pass == 0 && found >= nslots)
				nslots = found + 1;
			if (pass == 0)
				continue;
			if (d->slots[found] >= 0)
				return mcw_fail(err, MCW_ERR_ARGUMENT, "two columns show field \"%.*s\"", SHOWN(o->columns[c].name, NAME_MAX_SHOWN));
			d->slots[found] = c;
		}
	}
	return MCW_OK;
}

/*
 * Read the header line at 'at': once to count its fields, then again to have them all.
 * The caller frees *fields, of record->nfields.
 */
static mcw_status
read_fields(mcw_rows *rows, mcw_delimited *d, mcw_field **fields, mcw_record *record, mcw_error *err)
{
	char	   *at = rows->at;
	uint64_t	offset = rows->offset;
	uint64_t	line = rows->line;
	mcw_status	status;

	if (new_slots(rows, d, 0) != MCW_OK)
		return MCW_ERR_NOMEM;
	status = d->parse(rows, d, record, err);
	if (status != MCW_OK)
		return status;
	rows->at = at;
	rows->offset = offset;
	rows->line = line;
	/* before anything is changed in place */
	if (!record->verified)
	{
		status = not_utf8(record->raw, err);
		if (err)
			err->offset = offset;
		return status;
	}
	d->ended = false;
	restart(rows, d);
	*fields = mcw_new0(rows->alloc, record->nfields * sizeof(mcw_field));
	if (!*fields || new_slots(rows, d, record->nfields) != MCW_OK)
		return MCW_ERR_NOMEM;
	for (int i = 0; i < record->nfields; i++)
		d->slots[i] = i;
	d->fields = *fields;
	return d->parse(rows, d, record, err);
}

static mcw_status
check_header(mcw_rows *rows, mcw_delimited *d, const mcw_field *fields, const mcw_record *record, mcw_error *err)
{
	mcw_status	status;

	if (record->raw.len > rows->options.max_record)
		return mcw_fail(err, MCW_ERR_LIMIT, "record of more than %zu bytes", rows->options.max_record);
	for (int i = 0; i < record->nfields; i++)
	{
		mcw_view	name = {fields[i].data, fields[i].len};

		if ((fields[i].flags & MCW_FIELD_CHECK) && rows->options.header != MCW_HEADER_SKIP && mcw_scan_valid(name.data, name.len) < name.len)
			return not_utf8(name, err);
	}
	status = keep_names(rows, fields, record->nfields);
	if (status == MCW_OK && rows->options.header == MCW_HEADER_MATCH)
		status = match_header(rows, err);
	if (status == MCW_OK && rows->options.header == MCW_HEADER_BY_NAME)
		status = slots_by_name(rows, d, err);
	else if (status == MCW_OK)
		status = slots_by_position(rows, d);
	return status;
}

/* MCW_OK: the header is read; MCW_END as mcw_format.next */
static mcw_status
header(mcw_rows *rows, mcw_delimited *d, mcw_error *err)
{
	mcw_field	none = {"", 0, 0};
	mcw_field  *fields = NULL;
	mcw_record	record = {0};
	uint64_t	offset = rows->offset;
	uint64_t	line = rows->line;
	bool		match = rows->options.header == MCW_HEADER_MATCH;
	bool		nothing = rows->at == rows->end && rows->last;
	mcw_status	status = MCW_END;

	if (!nothing)
	{
		status = read_fields(rows, d, &fields, &record, err);
		d->fields = rows->fields;
		nothing = status != MCW_OK && d->ended;
	}
	/* without a line there is nothing to skip, but for COPY something to match */
	if (nothing && match)
	{
		if (mcw_is_null_text(rows, "", 0))
			none.flags = MCW_FIELD_NULL;
		record.nfields = 1;
		status = MCW_OK;
	}
	if (status == MCW_OK)
	{
		status = check_header(rows, d, fields ? fields : &none, &record, err);
		if (status != MCW_OK)
		{
			if (err)
				err->offset = offset;
			rows->line = line;
		}
	}
	mcw_free(rows->alloc, fields, record.nfields * sizeof(mcw_field));
	if (status == MCW_ERR_NOMEM)
		mcw_fail(err, status, "out of memory");
	return status;
}

mcw_status
mcw_delimited_next(mcw_rows *rows, mcw_record *record, mcw_error *err)
{
	mcw_delimited *d = rows->state;

	if (mcw_unlikely(d->window != rows->window))
	{
		if (rows->scanned > 0 && !find_end(rows, d))
			return MCW_END;
		restart(rows, d);
	}
	if (mcw_unlikely(d->header_due))
	{
		mcw_status	status = header(rows, d, err);

		if (status != MCW_OK)
			return status;
		d->header_due = false;
	}
	return d->parse(rows, d, record, err);
}
