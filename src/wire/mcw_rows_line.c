/*
 * mcw_rows_line.c
 *		Reading whole lines: one column, nothing in it means anything.  Lines end with LF,
 *		or with CR LF if the first one does.
 */
#include "mcw_rows_private.h"

typedef struct line_state
{
	bool		known;			/* the first line was seen */
	bool		crlf;
} line_state;

static mcw_status
line_open(mcw_rows *rows, mcw_error *err)
{
	if (rows->options.ncolumns > 1)
		return mcw_fail(err, MCW_ERR_ARGUMENT, "format \"line\" has one column, not %d", rows->options.ncolumns);
	rows->state = mcw_new0(rows->alloc, sizeof(line_state));
	return rows->state ? MCW_OK : mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
}

static void
line_close(mcw_rows *rows)
{
	mcw_free(rows->alloc, rows->state, sizeof(line_state));
	rows->state = NULL;
}

static mcw_status
line_next(mcw_rows *rows, mcw_record *record, mcw_error *err)
{
	line_state *state = rows->state;
	mcw_view	line;
	char	   *next;
	mcw_status	status = mcw_rows_find_line(rows, &line, &next);
	bool		cr;

	if (status != MCW_OK)
		return status;
	cr = next[-1] == '\n' && line.len > 0 && line.data[line.len - 1] == '\r';
	if (!state->known)
	{
		state->known = true;
		state->crlf = cr;
	}
	if (cr && state->crlf)
		line.len--;

	if (rows->options.ncolumns > 0)
	{
		rows->fields[0].data = line.data;
		rows->fields[0].len = line.len;
		rows->fields[0].flags = 0;
	}
	record->fields = rows->fields;
	record->nfields = 1;
	record->line = rows->line++;
	record->raw = line;
	record->verified = mcw_rows_verify(rows, line.data + line.len);
	record->bad = NULL;
	record->unknown = 0;
	mcw_rows_took(rows, next);
	return MCW_OK;
}

const mcw_format mcw_format_line = {
	.name = "line",
	.suffix = ".log",
	.open = line_open,
	.next = line_next,
	.close = line_close
};
