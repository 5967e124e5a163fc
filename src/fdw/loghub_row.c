/*
 * loghub_row.c
 *		From the logs of a page to values in a virtual slot.
 *
 * Work is done as seldom as possible: what is the same for a group is converted once
 * per group, contents by one function per column.  Text of up to 126 bytes becomes a
 * Datum where it stands, by writing a short varlena header over its length byte; so
 * the page must stay until the next row is asked for, and '*' is built first, since
 * it walks the length bytes.
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "../wire/mcw_text.h"
#include "loghub.h"

#define IN_PLACE_MAX 126
#define NANOS_PER_SECOND 1000000000
#define ROWS_PER_STEP 1000

/* ---- start ---- */

static void
add_field(const McLogScan *scan, McLogField *field, const McLogColumn *column)
{
	field->column = column;
	field->index = column->attnum - 1;
	mcTextColumnInit(&field->text, column->type, column->typmod);
	field->text.zone = scan->server->timezone;
}

static void
declare_names(McLogScan *scan)
{
	ListCell   *lc;

	scan->declared = palloc(sizeof(mcw_view) * (list_length(scan->columns) + 1));
	foreach(lc, scan->columns)
	{
		const McLogColumn *column = lfirst(lc);

		if (column->kind == MC_LOG_FIELD)
			scan->declared[scan->ndeclared++] = mcw_str(column->wire);
	}
}

/* The contents that the statement asks for, by their names in the log */
static char *
raw_row(void *arg)
{
	McLogScan  *scan = arg;
	StringInfoData row;

	initStringInfo(&row);
	for (int i = 0; i < scan->nfields; i++)
		if (scan->values[i].data)
			mcRawMember(&row, scan->fields[i].column->name, scan->values[i]);
	return mcRawEnd(&row);
}

void
mcLogRowInit(McLogScan *scan, TupleDesc desc, List *attrs)
{
	int			n = list_length(attrs);
	mcw_sls_column *wanted = palloc(sizeof(mcw_sls_column) * (n + 1));
	ListCell   *lc;
	int			i;

	scan->fields = palloc0(sizeof(McLogField) * (n + 1));
	scan->log = palloc0(sizeof(McLogField) * (n + 1));
	scan->group = palloc0(sizeof(McLogField) * (n + 1));
	scan->values = palloc0(sizeof(mcw_view) * (n + 1));
	foreach(lc, attrs)
	{
		const McLogColumn *column = mcLogColumn(scan->columns, lfirst_int(lc));

		switch (column->kind)
		{
			case MC_LOG_FIELD:
				wanted[scan->nfields].source = MCW_SLS_FIELD;
				wanted[scan->nfields].name = mcw_str(column->wire);
				add_field(scan, &scan->fields[scan->nfields++], column);
				break;
			case MC_LOG_REST:
			case MC_LOG_TIME:
			case MC_LOG_TIME_NS:
				add_field(scan, &scan->log[scan->nlog++], column);
				break;
			default:
				scan->want_receive = scan->want_receive || column->kind == MC_LOG_RECEIVE_TIME;
				add_field(scan, &scan->group[scan->ngroup++], column);
				break;
		}
	}
	declare_names(scan);

	scan->rejects.raw = raw_row;
	scan->rejects.raw_arg = scan;
	scan->reader = mcw_sls_reader_create(&scan->alloc, wanted, scan->nfields);
	if (scan->reader == NULL)
		ereport(ERROR, (errcode(ERRCODE_FDW_OUT_OF_MEMORY), errmsg("out of memory")));
	scan->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	for (i = 0; i < desc->natts; i++)
	{
		scan->slot->tts_values[i] = (Datum) 0;
		scan->slot->tts_isnull[i] = true;
	}
}

void
mcLogStartPage(McLogScan *scan)
{
	mcw_sls_reader_page(scan->reader, scan->page->data);
	scan->in_group = false;
}

/* ---- bad values ---- */

static void
set_place(McLogScan *scan, McPlace *place)
{
	memset(place, 0, sizeof(*place));
	place->wrapper = MC_LOGHUB;
	place->server = scan->server->name;
	place->object = scan->logstore;
	if (scan->page != NULL)
	{
		snprintf(scan->part, sizeof(scan->part), "shard %d", scan->page->shard);
		if (scan->in_group)
			snprintf(scan->position, sizeof(scan->position), "cursor %s, group %d",
					 scan->page->cursor.data, scan->log_group.index);
		else
			snprintf(scan->position, sizeof(scan->position), "cursor %s", scan->page->cursor.data);
		place->part = scan->part;
		place->position = scan->position;
	}
}

/* True if the row is to be dropped; else the value becomes NULL.  May raise. */
static bool
bad_value(McLogScan *scan, const McLogColumn *column, const McTextError *error, mcw_view bytes)
{
	McPlace		place;

	set_place(scan, &place);
	place.column = column->attname;
	return mcBadValue(&scan->rejects, &place, error->sqlstate, error->reason, bytes,
					  column->not_null) == MC_ROW_DROP;
}

static void
malformed_page(McLogScan *scan, const mcw_error *err)
{
	McPlace		place;

	set_place(scan, &place);
	mcRaise(err, &place);
}

/* ---- values of a group ---- */

/* Bytes that other logs of the group need too: never in place */
static void
convert_shared(McLogScan *scan, McLogField *field, mcw_view bytes)
{
	field->isnull = bytes.data == NULL;
	if (field->isnull)
		return;
	if (field->text.is_text && mcTextIsServer(bytes) && bytes.len < MaxAllocSize - VARHDRSZ)
		field->value = PointerGetDatum(cstring_to_text_with_len(bytes.data, bytes.len));
	else if (!field->text.is_text && field->text.fast && field->text.fast(&field->text, bytes, &field->value))
		return;
	/* always swallowed: a group without a log has no row that could fail */
	else if (mcTextConvert(&field->text, bytes, true, &field->value, &field->error) == MC_TEXT_BAD)
	{
		field->bad = scan->group_bad = true;
		field->bytes = bytes;
	}
}

static mcw_view
find_tag(McLogScan *scan, const char *name)
{
	mcw_view	wanted = mcw_str(name);
	mcw_view	found = {NULL, 0};
	mcw_view	key;
	mcw_view	value;
	size_t		pos = 0;

	while (mcw_sls_next_tag(scan->log_group.body, &pos, &key, &value) == MCW_OK)
	{
		if (mcw_view_eq(key, wanted))
			found = value;
	}
	return found;
}

/*
 * Seconds of the group's receive time: the server's tag, else the page's; moved into
 * the window, in which the group is by its position.  False if nothing is known.
 */
static bool
receive_time(McLogScan *scan, int64 *seconds)
{
	bool		known = true;

	if (!mcw_view_int64(scan->log_group.receive_time, seconds))
	{
		*seconds = scan->page->cursor_time;
		known = *seconds > 0;
	}
	else if (scan->window.has_begin && *seconds < scan->window.begin)
		scan->stats.late_groups++;
	if (!known && scan->window.has_begin)
	{
		*seconds = scan->window.begin;
		known = true;
	}
	if (scan->window.has_begin && *seconds < scan->window.begin)
		*seconds = scan->window.begin;
	if (scan->window.has_end && *seconds >= scan->window.end)
		*seconds = scan->window.end - 1;
	return known;
}

static Datum
group_cursor(const McLogScan *scan)
{
	mcs_cursor	cursor;

	if (scan->page->first_cursor == 0)
		return PointerGetDatum(cstring_to_text(psprintf("%s:%d", scan->page->cursor.data,
														scan->log_group.index)));
	mcs_cursor_from_int(&cursor, scan->page->first_cursor + scan->log_group.index);
	return PointerGetDatum(cstring_to_text(cursor.data));
}

/*
 * A page takes milliseconds to consume; without this its successors would stay in
 * the sockets' buffers meanwhile and the next requests would start late.
 */
static void
drive_network(McLogScan *scan)
{
	if (scan->stats.logs - scan->driven_at < ROWS_PER_STEP)
		return;
	scan->driven_at = scan->stats.logs;
	/* an interrupt is served by the executor */
	(void) mcn_loop_step(scan->client.loop, 0);
}

static void
start_group(McLogScan *scan)
{
	MemoryContext old;
	int64		received;
	bool		received_known = receive_time(scan, &received);
	int			i;

	scan->group_bad = false;
	if (scan->ngroup == 0)
		return;
	MemoryContextReset(scan->group_cxt);
	old = MemoryContextSwitchTo(scan->group_cxt);
	for (i = 0; i < scan->ngroup; i++)
	{
		McLogField *field = &scan->group[i];

		field->bad = false;
		field->isnull = false;
		switch (field->column->kind)
		{
			case MC_LOG_TOPIC:
				convert_shared(scan, field, scan->log_group.topic);
				break;
			case MC_LOG_SOURCE:
				convert_shared(scan, field, scan->log_group.source);
				break;
			case MC_LOG_CATEGORY:
				convert_shared(scan, field, scan->log_group.category);
				break;
			case MC_LOG_MACHINE_UUID:
				convert_shared(scan, field, scan->log_group.machine_uuid);
				break;
			case MC_LOG_TAG:
				convert_shared(scan, field, find_tag(scan, field->column->wire));
				break;
			case MC_LOG_RECEIVE_TIME:
				field->isnull = !received_known;
				field->value = TimestampTzGetDatum((received - MC_EPOCH_SECONDS) * USECS_PER_SEC);
				break;
			case MC_LOG_SHARD:
				field->value = Int32GetDatum(scan->page->shard);
				break;
			case MC_LOG_CURSOR:
				field->value = group_cursor(scan);
				break;
			case MC_LOG_HASH_KEY:
				field->isnull = true;
				break;
			default:
				elog(ERROR, "column \"%s\" is not of a group", field->column->attname);
		}
	}
	MemoryContextSwitchTo(old);
}

/* ---- values of a log ---- */

/* A key or value as a jsonb string; false with error filled */
static bool
json_string(McLogScan *scan, mcw_view v, JsonbValue *out, McTextError *error)
{
	out->type = jbvString;
	if (mcTextIsServer(v))
	{
		out->val.string.val = unconstify(char *, v.data);
		out->val.string.len = v.len;
		return true;
	}
	out->val.string.val = mcTextToServer(v, scan->rejects.on_error != MC_ON_ERROR_STOP, error);
	if (out->val.string.val == NULL)
		return false;
	out->val.string.len = strlen(out->val.string.val);
	return true;
}

static bool
is_declared(const McLogScan *scan, mcw_view key)
{
	int			i;

	for (i = 0; i < scan->ndeclared; i++)
	{
		if (mcw_view_eq(scan->declared[i], key))
			return true;
	}
	return false;
}

static bool
rest_value(McLogScan *scan, const McLogField *field, mcw_view body, Datum *datum, McTextError *error)
{
	JsonbParseState *state = NULL;
	JsonbValue *object;
	Jsonb	   *jsonb;
	mcw_view	key;
	mcw_view	value;
	size_t		pos = 0;

	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	while (mcw_sls_next_content(body, &pos, &key, &value) == MCW_OK)
	{
		JsonbValue	k;
		JsonbValue	v;

		if (is_declared(scan, key))
			continue;
		if (!json_string(scan, key, &k, error) || !json_string(scan, value, &v, error))
			return false;
		(void) pushJsonbValue(&state, WJB_KEY, &k);
		(void) pushJsonbValue(&state, WJB_VALUE, &v);
	}
	object = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	jsonb = JsonbValueToJsonb(object);
	if (field->column->type == JSONBOID)
		*datum = JsonbPGetDatum(jsonb);
	else
		*datum = CStringGetTextDatum(JsonbToCString(NULL, &jsonb->root, VARSIZE(jsonb)));
	return true;
}

static bool
time_value(const McLogField *field, const mcw_sls_log *log, Datum *datum, McTextError *error)
{
	char		text[40];
	TimestampTz at;

	switch (field->column->type)
	{
		case TIMESTAMPTZOID:
			at = ((int64) log->time - MC_EPOCH_SECONDS) * USECS_PER_SEC + log->time_ns / 1000;
			*datum = TimestampTzGetDatum(at);
			if (field->column->typmod >= 0)
				*datum = DirectFunctionCall2(timestamptz_scale, *datum, Int32GetDatum(field->column->typmod));
			return true;
		case INT8OID:
			*datum = Int64GetDatum(log->time);
			return true;
		default:
			if (log->has_time_ns)
				snprintf(text, sizeof(text), "%u.%09u", log->time, log->time_ns);
			else
				snprintf(text, sizeof(text), "%u", log->time);
			return mcTextConvert(unconstify(McTextColumn *, &field->text), mcw_str(text), false,
								 datum, error) == MC_TEXT_OK;
	}
}

static bool
log_value(McLogScan *scan, const McLogField *field, const mcw_sls_log *log,
		  Datum *datum, bool *isnull, McTextError *error)
{
	*isnull = false;
	if (unlikely(log->has_time_ns && log->time_ns >= NANOS_PER_SECOND && field->column->kind != MC_LOG_REST))
	{
		error->sqlstate = ERRCODE_DATETIME_FIELD_OVERFLOW;
		error->reason = psprintf("the log has %u nanoseconds in a second", log->time_ns);
		return false;
	}
	switch (field->column->kind)
	{
		case MC_LOG_REST:
			return rest_value(scan, field, log->body, datum, error);
		case MC_LOG_TIME:
			return time_value(field, log, datum, error);
		default:
			*isnull = !log->has_time_ns;
			*datum = field->column->type == INT8OID ? Int64GetDatum(log->time_ns) : Int32GetDatum((int32) log->time_ns);
			return true;
	}
}

/* What is not a content: group values, and values computed for each log.  False: drop the row. */
static bool
fill_others(McLogScan *scan, const mcw_sls_log *log, Datum *values, bool *isnull)
{
	int			i;

	for (i = 0; i < scan->nlog; i++)
	{
		const McLogField *field = &scan->log[i];
		McTextError error;

		if (likely(log_value(scan, field, log, &values[field->index], &isnull[field->index], &error)))
			continue;
		if (bad_value(scan, field->column, &error, (mcw_view) {NULL, 0}))
			return false;
		isnull[field->index] = true;
	}
	for (i = 0; i < scan->ngroup; i++)
	{
		const McLogField *field = &scan->group[i];

		values[field->index] = field->value;
		isnull[field->index] = field->isnull;
		if (unlikely(field->bad))
		{
			if (bad_value(scan, field->column, &field->error, field->bytes))
				return false;
			isnull[field->index] = true;
		}
	}
	return true;
}

/* Not convertible at sight.  False: drop the row. */
static bool
fill_slowly(McLogScan *scan, McLogField *field, mcw_view bytes, Datum *value, bool *isnull)
{
	McTextError error;

	*isnull = false;
	if (mcTextConvert(&field->text, bytes, scan->rejects.on_error != MC_ON_ERROR_STOP,
					  value, &error) == MC_TEXT_OK)
		return true;
	*isnull = true;
	return !bad_value(scan, field->column, &error, bytes);
}

static bool
fill_row(McLogScan *scan, const mcw_sls_log *log)
{
	Datum	   *values = scan->slot->tts_values;
	bool	   *isnull = scan->slot->tts_isnull;
	int			nfields = scan->nfields;
	int			i;

	if (scan->nlog + scan->ngroup > 0 && !fill_others(scan, log, values, isnull))
		return false;
	for (i = 0; i < nfields; i++)
	{
		McLogField *field = &scan->fields[i];
		mcw_view	bytes = scan->values[i];
		int			index = field->index;

		if (bytes.data == NULL)
			isnull[index] = true;
		else if (likely(field->text.is_text && bytes.len <= IN_PLACE_MAX &&
						mcw_plain_ascii(bytes.data, bytes.len)))
		{
			char	   *header = unconstify(char *, bytes.data) - 1;

			SET_VARSIZE_SHORT(header, bytes.len + VARHDRSZ_SHORT);
			values[index] = PointerGetDatum(header);
			isnull[index] = false;
		}
		else if (field->text.fast != NULL && field->text.fast(&field->text, bytes, &values[index]))
			isnull[index] = false;
		else if (!fill_slowly(scan, field, bytes, &values[index], &isnull[index]))
			return false;
	}
	return true;
}

bool
mcLogNextRow(McLogScan *scan)
{
	mcw_error	err;
	mcw_sls_log log;
	mcw_status	status;
	MemoryContext old;
	bool		keep;

	ExecClearTuple(scan->slot);
	for (;;)
	{
		if (!scan->in_group)
		{
			status = mcw_sls_next_group(scan->reader, &scan->log_group, &err);
			if (status == MCW_END)
				return false;
			if (unlikely(status != MCW_OK))
				malformed_page(scan, &err);
			scan->in_group = true;
			start_group(scan);
			drive_network(scan);
		}
		status = mcw_sls_next_log(scan->reader, &log, scan->values, &err);
		if (status == MCW_END)
		{
			scan->in_group = false;
			continue;
		}
		if (unlikely(status != MCW_OK))
			malformed_page(scan, &err);

		MemoryContextReset(scan->row_cxt);
		old = MemoryContextSwitchTo(scan->row_cxt);
		keep = fill_row(scan, &log);
		MemoryContextSwitchTo(old);
		if (likely(keep))
		{
			scan->stats.logs++;
			if (log.time > scan->page_time)
				scan->page_time = log.time;
			ExecStoreVirtualTuple(scan->slot);
			return true;
		}
		/* a page may hold a million rows and none of them is good */
		CHECK_FOR_INTERRUPTS();
	}
}
