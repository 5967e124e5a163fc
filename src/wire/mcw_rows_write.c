/*
 * mcw_rows_write.c
 *		Writers of rows: what they have in common, and the formats csv and text, byte for
 *		byte what COPY TO writes.  Format jsonl is in mcw_rows_write_json.c.
 *
 * A value makes room once for the most it can become and is copied and looked at in
 * one pass; only what needs quotes or escapes is done a second time.
 */
#include "mcw_rows_copy.h"
#include "mcw_rows_private.h"
#include "mcw_rows_write.h"

/* what a bare value may consist of */
static bool
is_bare(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		c == ' ' || c == '+' || c == '-' || c == '.' || c == ':';
}

/* ---- csv ---- */

static inline bool
csv_is_null_text(const mcw_row_writer *w, const char *data, size_t len)
{
	return len == w->options.null.len && (len == 0 || memcmp(data, w->options.null.data, len) == 0);
}

static inline bool
csv_must_quote(const mcw_row_writer *w, int column, const char *data, size_t len)
{
	if (w->options.force_quote && w->options.force_quote[column])
		return true;
	/* alone on a line it would end the data */
	return csv_is_null_text(w, data, len) ||
		(w->options.ncolumns == 1 && len == 2 && data[0] == '\\' && data[1] == '.');
}

/* what is between the quotes, where a quote is doubled */
static char *
csv_double(const mcw_row_writer *w, char *to, const char *data, size_t len)
{
	const char *end = data + len;

	for (;;)
	{
		size_t		n = mcw_copy_plain(MCW_COPY_QUOTE, w, to, data, (size_t) (end - data));

		to += n;
		data += n;
		if (data == end)
			return to;
		*to++ = *data;
		*to++ = *data++;
	}
}

/* what is between the quotes, where another character escapes the quote and itself */
static char *
csv_escape(const mcw_row_writer *w, char *to, const char *data, size_t len)
{
	const char	quote = w->options.quote;
	const char	escape = w->options.escape;

	for (size_t i = 0; i < len; i++)
	{
		*to = escape;
		to += data[i] == quote || data[i] == escape;
		*to++ = data[i];
	}
	return to;
}

static void
csv_quoted(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_buf    *out = w->out;
	const bool	doubled = w->options.escape == w->options.quote;

	(void) mcw_buf_append_char(out, w->options.quote);
	while (len > 0)
	{
		size_t		n = len < MCW_ROWS_PIECE ? len : MCW_ROWS_PIECE;
		char	   *to;

		if (!mcw_buf_room(out, 2 * n + 1))
			return;
		to = out->data + out->len;
		out->len = (size_t) ((doubled ? csv_double : csv_escape) (w, to, data, n) - out->data);
		data += n;
		len -= n;
	}
	(void) mcw_buf_append_char(out, w->options.quote);
}

void
mcw_write_csv_text(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_buf    *out = w->out;
	int			column = w->column++;
	bool		quote = csv_must_quote(w, column, data, len);

	if (!mcw_buf_room(out, len + 1))
		return;
	if (column > 0)
		out->data[out->len++] = w->options.delimiter;
	if (!quote && mcw_copy_plain(MCW_COPY_CSV, w, out->data + out->len, data, len) == len)
		out->len += len;
	else
		csv_quoted(w, data, len);
}

void
mcw_write_csv_raw(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_write_csv_text(w, data, len);
}

/* the delimiter and a value as it is: null texts, bare values */
static inline void
put_plain(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_buf    *out = w->out;
	int			column = w->column++;

	if (!mcw_buf_room(out, len + 1))
		return;
	if (column > 0)
		out->data[out->len++] = w->options.delimiter;
	(void) mcw_copy_plain(MCW_COPY_ALL, w, out->data + out->len, data, len);
	out->len += len;
}

void
mcw_write_csv_bare(mcw_row_writer *w, const char *data, size_t len)
{
	if (mcw_unlikely(!w->plain_bare || (w->options.force_quote && w->options.force_quote[w->column])))
		mcw_write_csv_text(w, data, len);
	else
		put_plain(w, data, len);
}

void
mcw_write_csv_null(mcw_row_writer *w)
{
	put_plain(w, w->options.null.data, w->options.null.len);
}

void
mcw_write_csv_end(mcw_row_writer *w)
{
	(void) mcw_buf_append_char(w->out, '\n');
	w->column = 0;
}

/* names are quoted as values are, but never by force */
void
mcw_write_csv_header(mcw_row_writer *w)
{
	const bool *force_quote = w->options.force_quote;

	w->options.force_quote = NULL;
	for (int i = 0; i < w->options.ncolumns; i++)
		mcw_write_csv_text(w, w->options.names[i].data, w->options.names[i].len);
	mcw_write_csv_end(w);
	w->options.force_quote = force_quote;
}

static mcw_status
csv_init(mcw_row_writer *w, mcw_error *err)
{
	const mcw_write_options *o = &w->options;
	bool		null_is_bare = o->null.len > 0;

	if (o->quote == '\0' || o->quote == '\r' || o->quote == '\n' || o->quote == o->delimiter)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the quote must be a character, not the delimiter and not a line break");
	if (o->escape == '\0' || o->escape == '\r' || o->escape == '\n')
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the escape must be a character and not a line break");
	if (o->null.len > 0 && memchr(o->null.data, o->quote, o->null.len))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the quote must not appear in the null text");
	memset(w->x, o->delimiter, sizeof(w->x));
	memset(w->y, o->quote, sizeof(w->y));
	w->special[(uint8_t) o->delimiter] = 1;
	w->special[(uint8_t) o->quote] = 1;
	w->special['\r'] = 1;
	w->special['\n'] = 1;
	for (size_t i = 0; i < o->null.len; i++)
		null_is_bare = null_is_bare && is_bare((uint8_t) o->null.data[i]);
	w->plain_bare = !is_bare((uint8_t) o->delimiter) && !is_bare((uint8_t) o->quote) && !null_is_bare;
	return MCW_OK;
}

/* ---- text ---- */

void
mcw_write_text_text(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_buf    *out = w->out;

	if (w->column++ > 0)
		(void) mcw_buf_append_char(out, w->options.delimiter);
	while (len > 0)
	{
		size_t		piece = len < MCW_ROWS_PIECE ? len : MCW_ROWS_PIECE;
		const char *end = data + piece;
		char	   *to;

		if (!mcw_buf_room(out, 2 * piece))
			return;
		to = out->data + out->len;
		for (;;)
		{
			size_t		n = mcw_copy_plain(MCW_COPY_TEXT, w, to, data, (size_t) (end - data));

			to += n;
			data += n;
			if (data == end)
				break;
			*to++ = '\\';
			*to++ = (char) w->special[(uint8_t) *data++];
		}
		out->len = (size_t) (to - out->data);
		len -= piece;
	}
}

void
mcw_write_text_raw(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_write_text_text(w, data, len);
}

void
mcw_write_text_bare(mcw_row_writer *w, const char *data, size_t len)
{
	if (mcw_unlikely(!w->plain_bare))
		mcw_write_text_text(w, data, len);
	else
		put_plain(w, data, len);
}

void
mcw_write_text_null(mcw_row_writer *w)
{
	put_plain(w, w->options.null.data, w->options.null.len);
}

void
mcw_write_text_end(mcw_row_writer *w)
{
	mcw_write_csv_end(w);
}

void
mcw_write_text_header(mcw_row_writer *w)
{
	for (int i = 0; i < w->options.ncolumns; i++)
		mcw_write_text_text(w, w->options.names[i].data, w->options.names[i].len);
	mcw_write_text_end(w);
}

static mcw_status
text_init(mcw_row_writer *w, mcw_error *err)
{
	static const char letters[] = "btnvfr";
	const char	delimiter = w->options.delimiter;

	if (strchr("\\.abcdefghijklmnopqrstuvwxyz0123456789", delimiter))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "\"%c\" cannot be the delimiter of format text", delimiter);
	memset(w->x, delimiter, sizeof(w->x));
	memset(w->y, '\\', sizeof(w->y));
	w->special[(uint8_t) delimiter] = (uint8_t) delimiter;
	w->special['\\'] = '\\';
	for (int i = 0; i < 6; i++)
		w->special['\b' + i] = (uint8_t) letters[i];
	w->plain_bare = !is_bare((uint8_t) delimiter);
	return MCW_OK;
}

/* ---- begin and end of a writer ---- */

static mcw_status
delimited_init(mcw_row_writer *w, mcw_error *err)
{
	const mcw_write_options *o = &w->options;

	if (o->delimiter == '\0' || o->delimiter == '\r' || o->delimiter == '\n')
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the delimiter must be a character and not a line break");
	for (size_t i = 0; i < o->null.len; i++)
	{
		if (o->null.data[i] == '\r' || o->null.data[i] == '\n')
			return mcw_fail(err, MCW_ERR_ARGUMENT, "the null text must not have line breaks");
		if (o->null.data[i] == o->delimiter)
			return mcw_fail(err, MCW_ERR_ARGUMENT, "the delimiter must not appear in the null text");
	}
	if (mcw_view_eq(o->null, MCW_LIT("\\.")))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "the null text must not be the end-of-data marker \"\\.\"");
	return w->format == &mcw_format_csv ? csv_init(w, err) : text_init(w, err);
}

mcw_status
mcw_row_writer_init(mcw_row_writer *w, const mcw_format *format, const mcw_write_options *options,
					const mcw_alloc *alloc, mcw_error *err)
{
	mcw_status	status;

	memset(w, 0, sizeof(*w));
	w->format = format;
	w->options = *options;
	w->alloc = alloc;
	mcw_buf_init(&w->names, alloc, SIZE_MAX / 2);
	if (!format->end)
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "format %s cannot be written", format->name);
	if (format == &mcw_format_jsonl)
		status = mcw_write_jsonl_init(w, err);
	else
		status = delimited_init(w, err);
	if (status != MCW_OK)
		mcw_row_writer_free(w);
	return status;
}

void
mcw_row_writer_free(mcw_row_writer *w)
{
	mcw_buf_free(&w->names);
	mcw_free(w->alloc, w->name_ends, (size_t) w->options.ncolumns * sizeof(size_t));
	w->name_ends = NULL;
}
