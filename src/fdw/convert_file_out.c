/*
 * convert_file_out.c
 *		Rows to records of csv, text and jsonl files.
 *
 * csv and text are what COPY TO writes in the same session, jsonl what row_to_json
 * gives.  Values are in convert_file_out_value.c, other encodings in
 * convert_file_out_recode.c.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "convert_file_out.h"

/* ---- start ---- */

static mcw_view
server_null(const McOssTable *table)
{
	return mcw_str(pg_any_to_server(pstrdup(table->null), strlen(table->null), PG_UTF8));
}

static void
init_writer(McFileOut *file, mcw_view *names, bool *force_quote, mcw_buf *out)
{
	const McOssTable *table = file->table;
	mcw_write_options options = {
		.delimiter = table->delimiter,
		.quote = table->quote,
		.escape = table->escape,
		.null = server_null(table),
		.names = names,
		.ncolumns = file->ncolumns,
		.force_quote = force_quote,
	};
	mcw_error	err;

	switch (mcw_row_writer_init(&file->w, table->format, &options, &file->alloc, &err))
	{
		case MCW_OK:
			file->w.out = out;
			return;
		case MCW_ERR_NOMEM:
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
			break;
		case MCW_ERR_UNSUPPORTED:
			ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("%s", err.message)));
			break;
		default:
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s", err.message)));
	}
}

static void
add_column(McFileOut *file, McFileColumn *to, const McOssColumn *column, TupleDesc desc)
{
	to->attnum = column->attnum;
	to->attname = column->attname;
	mcFilePrepare(file, to, TupleDescAttr(desc, column->attnum - 1)->atttypid);
	file->last = Max(file->last, column->attnum);
}

McFileOut *
mcFileOutCreate(const McOssTable *table, const McServer *server, TupleDesc desc, mcw_buf *out)
{
	McFileOut  *file = palloc0(sizeof(McFileOut));
	int			most = list_length(table->columns);
	mcw_view   *names = palloc0(most * sizeof(mcw_view));
	bool	   *force_quote = palloc0(most * sizeof(bool));
	bool		forced = false;
	ListCell   *lc;

	file->table = table;
	file->alloc = mcContextAlloc(CurrentMemoryContext);
	file->json = table->format == &mcw_format_jsonl;
	/* the server may have been looked at under another TimeZone, earlier in the transaction */
	file->zone = mcServerOption(server, "timezone") ? server->timezone : session_timezone;
	file->columns = palloc0(most * sizeof(McFileColumn));
	file->names = names;
	foreach(lc, table->columns)
	{
		const McOssColumn *column = lfirst(lc);

		if (column->kind == MC_OSS_FIELD)
		{
			int			i = file->ncolumns++;

			Assert(column->index == i);
			names[i] = mcw_str(column->name);
			force_quote[i] = column->force_quote;
			forced |= column->force_quote;
			add_column(file, &file->columns[i], column, desc);
		}
		else if (column->kind == MC_OSS_REST)
		{
			file->rest = palloc0(sizeof(McFileColumn));
			add_column(file, file->rest, column, desc);
		}
	}
	mcFileRecodeInit(file);
	init_writer(file, names, forced ? force_quote : NULL, out);
	return file;
}

void
mcFileOutTarget(McFileOut *file, mcw_buf *out)
{
	file->w.out = out;
}

/* ---- failures of the target ---- */

static void
drop_record(McFileOut *file, size_t start)
{
	file->w.out->len = start;
	file->w.out->failed = false;
	mcw_row_restart(&file->w);
}

/* A reason, or an error if memory is out */
static const char *
no_room(McFileOut *file, size_t start, int *sqlstate)
{
	mcw_status	status = mcw_buf_status(file->w.out);

	drop_record(file, start);
	if (status == MCW_ERR_NOMEM)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	*sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
	return psprintf("the record is longer than can be written at once");
}

void
mcFileOutHeader(McFileOut *file)
{
	size_t		start = file->w.out->len;
	const char *reason = NULL;
	int			sqlstate;
	size_t		bad;

	if (file->table->header == MCW_HEADER_NONE)
		return;
	file->table->format->header(&file->w);
	if (mcw_buf_status(file->w.out) == MCW_OK)
		reason = mcFileRecode(file, start, &sqlstate, &bad);
	if (mcw_buf_status(file->w.out) != MCW_OK)
		reason = no_room(file, start, &sqlstate);
	if (reason)
		ereport(ERROR, (errcode(sqlstate), errmsg("the header line cannot be written: %s", reason)));
}

/* ---- members of field '*' ---- */

/* the column that shows this member itself; NULL = none */
static const McFileColumn *
column_of(const McFileOut *file, mcw_view member)
{
	for (int i = 0; i < file->ncolumns; i++)
		if (mcw_view_eq(file->names[i], member))
			return &file->columns[i];
	return NULL;
}

static Jsonb *
to_jsonb_object(const McFileColumn *rest, Datum value)
{
	Jsonb	   *jb;

	if (rest->type != JSONBOID)
		value = DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(value)));
	jb = DatumGetJsonbP(value);
	return JB_ROOT_IS_OBJECT(jb) ? jb : NULL;
}

static const char *
put_rest(McFileOut *file, Datum value, int *sqlstate)
{
	Jsonb	   *jb = to_jsonb_object(file->rest, value);
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	mcw_view	name = {NULL, 0};

	if (!jb)
	{
		*sqlstate = ERRCODE_INVALID_PARAMETER_VALUE;
		return "not a JSON object, so it has no members to write";
	}
	it = JsonbIteratorInit(&jb->root);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			const McFileColumn *twin;

			name = (mcw_view) {v.val.string.val, v.val.string.len};
			twin = column_of(file, name);
			if (twin)
			{
				*sqlstate = ERRCODE_DUPLICATE_JSON_OBJECT_KEY_VALUE;
				return psprintf("member \"%.*s\" is that of column \"%s\"", (int) name.len, name.data, twin->attname);
			}
		}
		else if (token == WJB_VALUE)
		{
			Jsonb	   *member = JsonbValueToJsonb(&v);
			char	   *text = JsonbToCString(NULL, &member->root, VARSIZE(member));

			mcw_row_member(&file->w, name, mcw_str(text));
		}
	}
	return NULL;
}

/* ---- a row ---- */

static inline void
put_field(McFileOut *file, int i, const TupleTableSlot *slot)
{
	McFileColumn *column = &file->columns[i];

	if (slot->tts_isnull[column->attnum - 1])
		file->w.format->null(&file->w);
	else
		column->put(file, column, slot->tts_values[column->attnum - 1]);
}

/* Which column made the byte at 'bad' of the record?  The record is made again for that. */
static const char *
column_at(McFileOut *file, const TupleTableSlot *slot, size_t start, size_t bad)
{
	const char *name = file->rest ? file->rest->attname : NULL;

	drop_record(file, start);
	for (int i = 0; i < file->ncolumns; i++)
	{
		put_field(file, i, slot);
		if (file->w.out->len - start > bad)
		{
			name = file->columns[i].attname;
			break;
		}
	}
	return name;
}

static const char *
put_row(McFileOut *file, const TupleTableSlot *slot, int *sqlstate, const char **column)
{
	mcw_buf    *out = file->w.out;
	size_t		start = out->len;
	const char *reason = NULL;
	size_t		bad;

	for (int i = 0; i < file->ncolumns; i++)
		put_field(file, i, slot);
	if (file->rest && !slot->tts_isnull[file->rest->attnum - 1])
	{
		reason = put_rest(file, slot->tts_values[file->rest->attnum - 1], sqlstate);
		if (reason)
		{
			*column = file->rest->attname;
			drop_record(file, start);
			return reason;
		}
	}
	file->w.format->end(&file->w);
	if (unlikely(mcw_buf_status(out) != MCW_OK))
		return no_room(file, start, sqlstate);
	if (unlikely(out->len - start - 1 > file->table->max_record))
	{
		reason = psprintf("the record has %zu bytes, \"max_record_size\" is %zu",
						  out->len - start - 1, file->table->max_record);
		*sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		drop_record(file, start);
		return reason;
	}
	if (likely(file->recode == MC_FILE_AS_IT_IS))
		return NULL;
	reason = mcFileRecode(file, start, sqlstate, &bad);
	if (unlikely(reason))
	{
		*column = column_at(file, slot, start, bad);
		drop_record(file, start);
		return reason;
	}
	if (unlikely(mcw_buf_status(out) != MCW_OK))
		return no_room(file, start, sqlstate);
	return NULL;
}

const char *
mcFileOutRow(McFileOut *file, TupleTableSlot *slot, int *sqlstate, const char **column)
{
	const char *volatile reason = NULL;
	pg_tz	   *zone = session_timezone;

	*column = NULL;
	slot_getsomeattrs(slot, file->last);
	if (likely(file->zone == zone))
		return put_row(file, slot, sqlstate, column);

	/* output functions of ranges, arrays and others ask the session */
	PG_TRY();
	{
		session_timezone = file->zone;
		reason = put_row(file, slot, sqlstate, column);
	}
	PG_FINALLY();
	{
		session_timezone = zone;
	}
	PG_END_TRY();
	return reason;
}
