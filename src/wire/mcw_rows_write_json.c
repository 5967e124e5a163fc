/*
 * mcw_rows_write_json.c
 *		Writer of format jsonl: one object in one line, strings escaped as to_json does.
 */
#include "mcw_rows_copy.h"
#include "mcw_rows_private.h"
#include "mcw_rows_write.h"

/* six bytes for a control character */
#define MOST_PER_BYTE 6

static inline char *
escape_byte(const mcw_row_writer *w, char *to, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t code = w->special[c];

	*to++ = '\\';
	*to++ = (char) code;
	if (code == 'u')
	{
		*to++ = '0';
		*to++ = '0';
		*to++ = digits[c >> 4];
		*to++ = digits[c & 15];
	}
	return to;
}

/* what is between the quotes */
static void
put_escaped(const mcw_row_writer *w, mcw_buf *out, const char *data, size_t len)
{
	while (len > 0)
	{
		size_t		piece = len < MCW_ROWS_PIECE ? len : MCW_ROWS_PIECE;
		const char *end = data + piece;
		char	   *to;

		if (!mcw_buf_room(out, MOST_PER_BYTE * piece))
			return;
		to = out->data + out->len;
		for (;;)
		{
			size_t		n = mcw_copy_plain(MCW_COPY_JSON, w, to, data, (size_t) (end - data));

			to += n;
			data += n;
			if (data == end)
				break;
			to = escape_byte(w, to, (uint8_t) *data++);
		}
		out->len = (size_t) (to - out->data);
		len -= piece;
	}
}

/* the member's name, and room for 'more' bytes behind it; false if there is none */
static inline bool
begin_member(mcw_row_writer *w, size_t more)
{
	mcw_buf    *out = w->out;
	size_t		start = w->column > 0 ? w->name_ends[w->column - 1] : 0;
	size_t		len = w->name_ends[w->column] - start;

	w->column++;
	if (!mcw_buf_room(out, len + more))
		return false;
	memcpy(out->data + out->len, w->names.data + start, len);
	if (!w->opened)
	{
		out->data[out->len] = '{';
		w->opened = true;
	}
	out->len += len;
	return true;
}

void
mcw_write_jsonl_text(mcw_row_writer *w, const char *data, size_t len)
{
	mcw_buf    *out = w->out;

	if (!begin_member(w, len + 2))
		return;
	out->data[out->len++] = '"';
	/* most texts have nothing to escape */
	if (mcw_copy_plain(MCW_COPY_JSON, w, out->data + out->len, data, len) == len)
	{
		out->len += len;
		out->data[out->len++] = '"';
		return;
	}
	put_escaped(w, out, data, len);
	(void) mcw_buf_append_char(out, '"');
}

void
mcw_write_jsonl_bare(mcw_row_writer *w, const char *data, size_t len)
{
	if (!begin_member(w, len))
		return;
	(void) mcw_copy_plain(MCW_COPY_ALL, w, w->out->data + w->out->len, data, len);
	w->out->len += len;
}

/* In a JSON text line breaks stand between tokens only */
static void
put_one_line(mcw_buf *out, const char *data, size_t len)
{
	size_t		start = out->len;

	if (mcw_buf_append(out, data, len) != MCW_OK || len == 0)
		return;
	for (char *p = out->data + start; (p = memchr(p, '\n', (size_t) (out->data + out->len - p))); p++)
		*p = ' ';
	for (char *p = out->data + start; (p = memchr(p, '\r', (size_t) (out->data + out->len - p))); p++)
		*p = ' ';
}

void
mcw_write_jsonl_raw(mcw_row_writer *w, const char *data, size_t len)
{
	if (begin_member(w, len))
		put_one_line(w->out, data, len);
}

void
mcw_write_jsonl_null(mcw_row_writer *w)
{
	if (w->options.omit_null)
		w->column++;
	else
		mcw_write_jsonl_bare(w, "null", 4);
}

void
mcw_row_member(mcw_row_writer *w, mcw_view name, mcw_view json)
{
	mcw_buf    *out = w->out;

	(void) mcw_buf_append_str(out, w->opened ? ",\"" : "{\"");
	w->opened = true;
	put_escaped(w, out, name.data, name.len);
	(void) mcw_buf_append_str(out, "\":");
	put_one_line(out, json.data, json.len);
}

void
mcw_write_jsonl_end(mcw_row_writer *w)
{
	(void) mcw_buf_append(w->out, w->opened ? "}\n" : "{}\n", w->opened ? 2 : 3);
	mcw_row_restart(w);
}

/* names are in each record */
void
mcw_write_jsonl_header(mcw_row_writer *w)
{
}

mcw_status
mcw_write_jsonl_init(mcw_row_writer *w, mcw_error *err)
{
	const mcw_write_options *o = &w->options;
	static const char pairs[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	memset(w->x, '"', sizeof(w->x));
	memset(w->y, '\\', sizeof(w->y));
	memset(w->special, 'u', 0x20);
	for (size_t i = 0; i + 1 < sizeof(pairs); i += 2)
		w->special[(uint8_t) pairs[i]] = (uint8_t) pairs[i + 1];

	if (o->ncolumns == 0)
		return MCW_OK;
	w->name_ends = mcw_new(w->alloc, (size_t) o->ncolumns * sizeof(size_t));
	if (!w->name_ends)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (int i = 0; i < o->ncolumns; i++)
	{
		for (int k = 0; k < i; k++)
			if (mcw_view_eq(o->names[i], o->names[k]))
				return mcw_fail(err, MCW_ERR_ARGUMENT, "two columns are written to member \"%.*s\"",
								(int) o->names[i].len, o->names[i].data);
		(void) mcw_buf_append_str(&w->names, ",\"");
		put_escaped(w, &w->names, o->names[i].data, o->names[i].len);
		(void) mcw_buf_append_str(&w->names, "\":");
		w->name_ends[i] = w->names.len;
	}
	if (mcw_buf_status(&w->names) != MCW_OK)
		return mcw_fail(err, mcw_buf_status(&w->names), "out of memory");
	return MCW_OK;
}
