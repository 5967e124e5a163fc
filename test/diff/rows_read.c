/*
 * rows_read.c
 *		Reads files as rows of csv, text or line and prints what it read, for rows_copy.py.
 *
 * A line of standard input is a job, blank-separated words:
 *		format delimiter quote escape null header columns needed force_null force_not_null
 *		chunk level file
 * delimiter, quote, escape, null are hexadecimal, columns is a comma-separated list of
 * hexadecimal names ("-" = none); needed and the forces are strings of 0 and 1, one
 * digit a column ("-" = none).  The answer is a JSON object on one line.  Bytes are
 * shown in hexadecimal: vXX a value, cXX one with MCW_FIELD_CHECK; n is NULL, a absent,
 * u not needed.  A record is its line, number of fields, verified, its offset, the
 * offset behind it, and its fields.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../src/wire/mcw_rows_private.h"
#include "../../src/wire/mcw_rows_scan.h"

extern void mcw_rows_scan_with(mcw_rows *rows, mcw_scan_level level);

#define MAX_COLUMNS 256

static char *
unhex(const char *s, size_t *len)
{
	char	   *out;

	*len = strcmp(s, "-") == 0 ? 0 : strlen(s) / 2;
	out = malloc(*len + 1);
	for (size_t i = 0; i < *len; i++)
	{
		unsigned	c;

		if (sscanf(s + 2 * i, "%2x", &c) != 1)
			exit(2);
		out[i] = (char) c;
	}
	out[*len] = '\0';
	return out;
}

static void
print_hex(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		printf("%02x", (unsigned char) data[i]);
}

static char
byte_of(const char *s)
{
	size_t		len;
	char	   *text = unhex(s, &len);
	char		c = len ? text[0] : 0;

	free(text);
	return c;
}

static void
print_record(const mcw_rows *rows, const mcw_record *record, const mcw_rows_column *columns, int ncolumns)
{
	printf("[%llu,%d,%d,%llu,%llu,[", (unsigned long long) record->line, record->nfields, record->verified,
		   (unsigned long long) rows->record_offset, (unsigned long long) rows->offset);
	for (int i = 0; i < ncolumns; i++)
	{
		const mcw_field *f = &record->fields[i];

		printf(i ? ",\"" : "\"");
		if (!columns[i].needed)
			putchar('u');
		else if (f->flags & MCW_FIELD_NULL)
			putchar(f->flags & MCW_FIELD_ABSENT ? 'a' : 'n');
		else
		{
			putchar(f->flags & MCW_FIELD_CHECK ? 'c' : 'v');
			print_hex(f->data, f->len);
		}
		putchar('"');
	}
	printf("]]");
	/* the bytes before values are ours */
	for (int i = 0; i < ncolumns; i++)
		if (columns[i].needed && !(record->fields[i].flags & MCW_FIELD_NULL))
			((char *) record->fields[i].data)[-1] = '\n';
}

static void
read_all(mcw_rows *rows, FILE *file, size_t chunk_size, const mcw_rows_column *columns, int ncolumns)
{
	mcw_record	record;
	mcw_error	err = {0};
	mcw_status	status = MCW_END;
	bool		last = false;
	const char *comma = "";
	const mcw_view *names;

	printf("{\"records\":[");
	while (!last && status == MCW_END)
	{
		char	   *chunk = malloc(chunk_size);
		size_t		len = fread(chunk, 1, chunk_size, file);

		last = len < chunk_size;
		mcw_rows_feed(rows, chunk, len, last);
		while ((status = mcw_rows_next(rows, &record, &err)) == MCW_OK)
		{
			printf("%s", comma);
			print_record(rows, &record, columns, ncolumns);
			comma = ",";
		}
		free(chunk);
	}
	printf("],\"line\":%llu,\"end\":%llu,\"header\":%d", (unsigned long long) mcw_rows_line(rows),
		   (unsigned long long) rows->offset, mcw_rows_header(rows, &names));
	if (status != MCW_END)
	{
		printf(",\"error\":\"%s\",\"offset\":%llu,\"message\":\"", mcw_status_name(status), (unsigned long long) err.offset);
		print_hex(err.message, strlen(err.message));
		printf("\",\"hint\":\"");
		if (mcw_rows_hint(err.message))
			print_hex(mcw_rows_hint(err.message), strlen(mcw_rows_hint(err.message)));
		printf("\"");
	}
	printf("}\n");
}

static void
job(char **words)
{
	mcw_rows_column columns[MAX_COLUMNS] = {0};
	mcw_rows_options options = {0};
	int			ncolumns = 0;
	mcw_rows   *rows;
	mcw_error	err = {0};
	FILE	   *file = fopen(words[12], "rb");

	if (!file)
	{
		perror(words[12]);
		exit(2);
	}
	options.delimiter = byte_of(words[1]);
	options.quote = byte_of(words[2]);
	options.escape = byte_of(words[3]);
	options.null.data = unhex(words[4], &options.null.len);
	options.header = (mcw_header) (words[5][0] - '0');
	for (char *name = strcmp(words[6], "-") ? strtok_r(words[6], ",", &words[6]) : NULL;
		 name && ncolumns < MAX_COLUMNS; name = strtok_r(NULL, ",", &words[6]))
	{
		mcw_rows_column *c = &columns[ncolumns];

		c->name.data = unhex(name, &c->name.len);
		c->needed = words[7][ncolumns] == '1';
		c->force_null = words[8][0] != '-' && words[8][ncolumns] == '1';
		c->force_not_null = words[9][0] != '-' && words[9][ncolumns] == '1';
		ncolumns++;
	}
	options.columns = columns;
	options.ncolumns = ncolumns;
	if (mcw_rows_open(mcw_format_find(words[0]), &options, &mcw_malloc, &rows, &err) != MCW_OK)
		printf("{\"refused\":\"%s\"}\n", err.message);
	else
	{
		if (strcmp(words[0], "line") != 0 && words[11][0] != '-')
			mcw_rows_scan_with(rows, (mcw_scan_level) (words[11][0] - '0'));
		read_all(rows, file, (size_t) strtoul(words[10], NULL, 10), columns, ncolumns);
		mcw_rows_free(rows);
	}
	for (int i = 0; i < ncolumns; i++)
		free((char *) columns[i].name.data);
	free((char *) options.null.data);
	fclose(file);
}

int
main(void)
{
	static char line[1 << 16];

	while (fgets(line, sizeof(line), stdin))
	{
		char	   *words[13];
		char	   *rest = line;
		int			n = 0;

		while (n < 13 && (words[n] = strtok_r(rest, " \n", &rest)))
			n++;
		if (n != 13)
			return 2;
		job(words);
	}
	return 0;
}
