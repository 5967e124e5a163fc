/*
 * mcw_rows.c
 *		Reading rows: chunks and the seam between them, byte order mark, UTF-8, limits.
 *		The formats themselves are in mcw_rows_csv.c, _text.c, _line.c and _json.c.
 *
 * A record that lies wholly in a chunk is read where it is.  The last record of a chunk
 * nearly always goes on in the next one: its beginning is copied to the seam, and as much
 * of the next chunk behind it as is needed to complete it.
 */
#include <stdio.h>

#include "mcw_rows_private.h"
#include "mcw_rows_scan.h"

#define DEFAULT_MAX_RECORD ((size_t) 0x3fffffff)
#define MAX_MAX_RECORD ((size_t) 0x7fffffff)	/* lengths of fields have 32 bits */
#define SEAM_STEP 512			/* first helping of a new chunk; then doubled */
#define VERIFY_STEP 16384		/* stays in the L1 cache for the format */
#define LONGEST_LINE_END 2
#define BOM "\xEF\xBB\xBF"
#define BOM_LEN 3

static const mcw_format *const formats[] = {
	&mcw_format_csv, &mcw_format_text, &mcw_format_jsonl, &mcw_format_line
};

const mcw_format *
mcw_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	return NULL;
}

mcw_status
mcw_rows_open(const mcw_format *format, const mcw_rows_options *options,
			  const mcw_alloc *alloc, mcw_rows **rows, mcw_error *err)
{
	mcw_rows   *r;
	mcw_status	status;

	*rows = NULL;
	if (!format->open || options->ncolumns < 0)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "format \"%s\" cannot be read so", format->name);
	r = mcw_new0(alloc, sizeof(*r));
	if (!r)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	r->format = format;
	r->options = *options;
	r->alloc = alloc;
	r->line = 1;
	if (r->options.max_record == 0)
		r->options.max_record = DEFAULT_MAX_RECORD;
	if (r->options.max_record > MAX_MAX_RECORD)
		r->options.max_record = MAX_MAX_RECORD;
	/* room behind the longest record for the step that showed its end */
	mcw_buf_init(&r->seam, alloc, 2 * (r->options.max_record + SEAM_STEP) + 64);
	mcw_buf_init(&r->header_text, alloc, r->options.max_record + 64);
	status = mcw_buf_append_char(&r->seam, '\0');
	if (status == MCW_OK && options->ncolumns > 0)
	{
		r->fields = mcw_new0(alloc, options->ncolumns * sizeof(mcw_field));
		if (!r->fields)
			status = MCW_ERR_NOMEM;
	}
	if (status != MCW_OK)
		mcw_fail(err, status, "out of memory");
	else
		status = (*format->open) (r, err);
	if (status != MCW_OK)
	{
		mcw_rows_free(r);
		return status;
	}
	*rows = r;
	return MCW_OK;
}

void
mcw_rows_free(mcw_rows *rows)
{
	const mcw_alloc *alloc;

	if (!rows)
		return;
	alloc = rows->alloc;
	rows->format->close(rows);
	mcw_free(alloc, rows->fields, rows->options.ncolumns * sizeof(mcw_field));
	mcw_free(alloc, rows->header, rows->nheader * sizeof(mcw_view));
	mcw_buf_free(&rows->header_text);
	mcw_buf_free(&rows->seam);
	mcw_free(alloc, rows, sizeof(*rows));
}

uint64_t
mcw_rows_line(const mcw_rows *rows)
{
	return rows->line;
}

int
mcw_rows_header(const mcw_rows *rows, const mcw_view **names)
{
	*names = rows->header;
	return rows->nheader;
}

mcw_status
mcw_rows_fail(mcw_rows *rows, mcw_error *err, mcw_status status, const char *where, const char *fmt, ...)
{
	char		message[sizeof(err->message)];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	mcw_fail(err, status, "%s", message);
	if (err)
		err->offset = rows->offset + (uint64_t) (where - rows->at);
	return status;
}

const char *
mcw_rows_hint(const char *message)
{
	static const char *const hints[][2] = {
		{"literal carriage return found in data", "Use \"\\r\" to represent carriage return."},
		{"unquoted carriage return found in data", "Use quoted CSV field to represent carriage return."},
		{"literal newline found in data", "Use \"\\n\" to represent newline."},
		{"unquoted newline found in data", "Use quoted CSV field to represent newline."}
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strcmp(hints[i][0], message) == 0)
			return hints[i][1];
	return NULL;
}

bool
mcw_rows_verify(mcw_rows *rows, const char *to)
{
	if (mcw_likely(to <= rows->verified_to))
		return true;
	/* behind a record that was not valid */
	if (rows->verified_to < rows->at)
		rows->verified_to = rows->at;
	while (rows->verified_to < to)
	{
		size_t		len = rows->end - rows->verified_to;
		size_t		valid;

		/* a step that cuts a character ends before it and the next begins with it */
		if (len > VERIFY_STEP)
			len = VERIFY_STEP;
		valid = mcw_scan_valid(rows->verified_to, len);
		if (valid == 0)
			return false;
		rows->verified_to += valid;
	}
	return true;
}

mcw_status
mcw_rows_find_line(mcw_rows *rows, mcw_view *line, char **next)
{
	char	   *from = rows->at + rows->scanned;
	char	   *newline = from < rows->end ? memchr(from, '\n', rows->end - from) : NULL;

	line->data = rows->at;
	if (newline)
	{
		line->len = newline - rows->at;
		*next = newline + 1;
		return MCW_OK;
	}
	if (!rows->last || rows->at == rows->end)
	{
		rows->scanned = rows->end - rows->at;
		return MCW_END;
	}
	line->len = rows->end - rows->at;
	*next = rows->end;
	return MCW_OK;
}

/* ---- windows ---- */

static void
set_window(mcw_rows *rows, char *at, char *end, bool last)
{
	rows->at = at;
	rows->end = end;
	rows->last = last;
	rows->verified_to = at;
	rows->window++;
}

/* Put 'len' more bytes of the chunk into the seam; what is before 'at' is dropped. */
static mcw_status
seam_add(mcw_rows *rows, size_t len)
{
	mcw_buf    *seam = &rows->seam;
	size_t		kept = rows->end - rows->at;

	if (seam->data + 1 != rows->at)
		memmove(seam->data + 1, rows->at, kept);
	seam->len = 1 + kept;
	if (mcw_buf_append(seam, rows->chunk + rows->chunk_used, len) != MCW_OK)
		return mcw_buf_status(seam);
	rows->chunk_used += len;
	set_window(rows, seam->data + 1, seam->data + seam->len,
			   rows->chunk_last && rows->chunk_used == rows->chunk_len);
	return MCW_OK;
}

/* The rest of the chunk, a record's beginning, goes to the seam. */
static mcw_status
tail_to_seam(mcw_rows *rows)
{
	mcw_buf    *seam = &rows->seam;

	seam->len = 1;
	if (mcw_buf_append(seam, rows->at, rows->end - rows->at) != MCW_OK)
		return mcw_buf_status(seam);
	rows->in_seam = true;
	rows->chunk = NULL;
	rows->chunk_len = rows->chunk_used = 0;
	set_window(rows, seam->data + 1, seam->data + seam->len, false);
	return MCW_OK;
}

void
mcw_rows_feed(mcw_rows *rows, char *data, size_t len, bool last)
{
	if (!rows->in_seam)
	{
		/* the chunk before ended with a record, or this is the first */
		rows->in_seam = true;
		rows->seam.len = 1;
		set_window(rows, rows->seam.data + 1, rows->seam.data + 1, false);
	}
	rows->chunk = data;
	rows->chunk_len = len;
	rows->chunk_used = 0;
	rows->chunk_last = last;
	if (len == 0)
		set_window(rows, rows->at, rows->end, last);
}

/* A record was read in the seam.  Does the next one begin behind a byte of the chunk? */
static void
leave_seam(mcw_rows *rows)
{
	size_t		left = rows->end - rows->at;	/* of the window: copied, not used */

	if (rows->chunk_used <= left)
		return;
	rows->in_seam = false;
	set_window(rows, rows->chunk + rows->chunk_used - left, rows->chunk + rows->chunk_len, rows->chunk_last);
}

/* Skip a byte order mark.  False: too few bytes to say. */
static bool
begin(mcw_rows *rows)
{
	size_t		len = rows->end - rows->at;

	if (len < BOM_LEN && !rows->last && memcmp(rows->at, BOM, len) == 0)
		return false;
	if (len >= BOM_LEN && memcmp(rows->at, BOM, BOM_LEN) == 0)
		mcw_rows_took(rows, rows->at + BOM_LEN);
	rows->begun = true;
	return true;
}

mcw_status
mcw_rows_too_long(mcw_rows *rows, mcw_error *err)
{
	return mcw_rows_fail(rows, err, MCW_ERR_LIMIT, rows->at, "record of more than %zu bytes",
						 rows->options.max_record);
}

/*
 * The window has no whole record.  MCW_OK: it has more bytes now; MCW_END: more are
 * needed from the caller, or there are none.
 */
static mcw_status
refill(mcw_rows *rows, mcw_error *err)
{
	size_t		have = rows->end - rows->at;
	size_t		left = rows->chunk_len - rows->chunk_used;
	size_t		step;
	mcw_status	status;

	if (rows->last)
		return MCW_END;
	if (have > rows->options.max_record + LONGEST_LINE_END)
		return mcw_rows_too_long(rows, err);
	if (!rows->in_seam)
	{
		status = tail_to_seam(rows);
		return status == MCW_OK ? MCW_END : mcw_fail(err, status, "out of memory");
	}
	if (left == 0)
		return MCW_END;
	step = have < SEAM_STEP ? SEAM_STEP : have;
	if (step > left)
		step = left;
	status = seam_add(rows, step);
	return status == MCW_OK ? MCW_OK : mcw_fail(err, status, "out of memory");
}

static mcw_status
next_record(mcw_rows *rows, mcw_record *record, mcw_error *err)
{
	mcw_status	status;

	/* the beginning of a record is known to be nothing more */
	if (rows->in_seam && rows->chunk_used == 0 && rows->chunk_len > 0)
	{
		status = refill(rows, err);
		if (status != MCW_OK)
			return status;
	}
	for (;;)
	{
		if (mcw_likely(rows->begun) || begin(rows))
		{
			char	   *at = rows->at;

			status = rows->format->next(rows, record, err);
			if (mcw_likely(status == MCW_OK))
			{
				if (record->raw.len > rows->options.max_record)
				{
					rows->line = record->line;
					mcw_rows_too_long(rows, err);
					err->offset = rows->record_offset;
					return MCW_ERR_LIMIT;
				}
				if (rows->in_seam)
					leave_seam(rows);
				return MCW_OK;
			}
			if (status != MCW_END)
				return status;
			/* lines were passed over: a header, blank lines */
			if (rows->at != at && rows->in_seam)
			{
				leave_seam(rows);
				if (!rows->in_seam)
					continue;
			}
		}
		status = refill(rows, err);
		if (status != MCW_OK)
			return status;
	}
}

mcw_status
mcw_rows_next(mcw_rows *rows, mcw_record *record, mcw_error *err)
{
	mcw_status	status;

	if (rows->failure.status != MCW_OK)
	{
		if (err)
			*err = rows->failure;
		return rows->failure.status;
	}
	if (!rows->at)
		return MCW_END;			/* nothing was fed */
	status = next_record(rows, record, &rows->failure);
	if (mcw_unlikely(status != MCW_OK && status != MCW_END) && err)
		*err = rows->failure;
	return status;
}
