/*
 * diff_oss.c
 *		mc.diff() of files: the header line of the first object that a scan would read.
 *
 * The header is read as the first record of a table that declares no names, so decoding
 * and decompression are those of a scan.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "../fdw/oss.h"
#include "diff.h"

/* The same files, with as many columns as a table can have and no header */
static McOssTable *
headless(const McOssTable *table)
{
	McOssTable *copy = palloc(sizeof(McOssTable));

	*copy = *table;
	copy->header = MCW_HEADER_NONE;
	copy->missing = MC_OSS_MISSING_NULL;
	copy->unknown_error = false;
	copy->columns = NIL;
	for (int i = 0; i < MaxHeapAttributeNumber; i++)
	{
		McOssColumn *column = palloc0(sizeof(McOssColumn));

		column->attnum = i + 1;
		column->kind = MC_OSS_FIELD;
		column->name = column->wire = column->attname = psprintf("c%d", i + 1);
		column->index = i;
		column->type = TEXTOID;
		column->typmod = -1;
		copy->columns = lappend(copy->columns, column);
	}
	return copy;
}

/* Names of the header, char *; *found false: there is no object, or it is empty */
static List *
read_header(McDiff *diff, McServer *server, const McOssTable *table, bool *found)
{
	McOssConn  *conn = mcOssConnect(server, CurrentMemoryContext);
	McOssChoice choice = {.narrowed = true, .modified_from = PG_INT64_MIN, .modified_to = PG_INT64_MAX};
	McOssTable *plain = headless(table);
	bool	   *needed = palloc(sizeof(bool) * (MaxHeapAttributeNumber + 1));
	McOssSource *source;
	McOssRows  *rows;
	mcw_record	record;
	mcw_error	err;
	mcw_status	status;
	bool		pending;
	List	   *names = NIL;

	memset(needed, true, sizeof(bool) * (MaxHeapAttributeNumber + 1));
	memset(&err, 0, sizeof(err));
	choice.rel = diff->rel;
	choice.part_values = palloc0(sizeof(char *) * (table->nparts + 1));
	source = mcOssSourceOpen(conn, table, &choice, CurrentMemoryContext);
	rows = mcOssRowsOpen(conn, plain, needed, source, false, CurrentMemoryContext);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcOssRowsNext(rows, true, &pending, &record, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	*found = status == MCW_OK;
	for (int i = 0; status == MCW_OK && i < record.nfields && i < MaxHeapAttributeNumber; i++)
		names = lappend(names, record.fields[i].data == NULL ? "" :
						pg_any_to_server(pnstrdup(record.fields[i].data, record.fields[i].len), record.fields[i].len, PG_UTF8));
	mcOssRowsClose(rows);
	mcOssSourceClose(source);
	if (status != MCW_OK && status != MCW_END)
		mcCheck(status, &err, &conn->place);
	return names;
}

static int
position_of(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return foreach_current_index(lc);
	return -1;
}

void
mcDiffOss(McDiff *diff)
{
	Oid			relid = RelationGetRelid(diff->rel);
	McServer   *server = mcGetServer(MC_OSS, GetForeignTable(relid)->serverid, GetUserId(), relid, true);
	McOssTable *table = mcOssTable(diff->rel, server);
	bool		by_name = table->header == MCW_HEADER_BY_NAME;
	List	   *declared = NIL;
	List	   *names;
	bool		found;
	ListCell   *lc;

	if (table->header == MCW_HEADER_NONE || (table->format != &mcw_format_csv && table->format != &mcw_format_text))
	{
		mcDiffPut(diff, NULL, "there is no header line to compare with", NULL, NULL, NULL);
		return;
	}
	names = read_header(diff, server, table, &found);
	if (!found)
	{
		mcDiffPut(diff, NULL, "there is no object to compare with", NULL, NULL, NULL);
		return;
	}
	foreach(lc, table->columns)
	{
		const McOssColumn *column = lfirst(lc);

		if (column->kind != MC_OSS_FIELD)
			continue;
		declared = lappend(declared, column->name);
		if (by_name ? position_of(names, column->name) < 0 : column->index >= list_length(names))
			mcDiffPut(diff, column->attname, "missing in the file", column->name, NULL,
					  psprintf("DROP COLUMN %s", quote_identifier(column->attname)));
		else if (!by_name && strcmp(list_nth(names, column->index), column->name) != 0)
			mcDiffPut(diff, column->attname, "another name in the header at this place", column->name,
					  list_nth(names, column->index),
					  position_of(names, column->name) >= 0 ? pstrdup("OPTIONS (ADD match_by 'name')") :
					  psprintf("ALTER COLUMN %s OPTIONS (ADD field %s)", quote_identifier(column->attname),
							   quote_literal_cstr(list_nth(names, column->index))));
	}
	foreach(lc, names)
		if (by_name ? position_of(declared, lfirst(lc)) < 0 : foreach_current_index(lc) >= list_length(declared))
			mcDiffPut(diff, lfirst(lc), "not declared", NULL, psprintf("field %d", foreach_current_index(lc) + 1),
					  mcDiffAdd(lfirst(lc), lfirst(lc), "text"));
}
