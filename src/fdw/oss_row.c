/*
 * oss_row.c
 *		From the records of an object to values in a virtual slot.
 *
 * What is the same for all rows of an object is put into the slot once per object;
 * fields are converted by one function per column.  Short text becomes a Datum where
 * it stands, by writing a varlena header over the byte in front of it; a record whose
 * bytes were verified as a whole needs no look at each text.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "../wire/mcw_text.h"
#include "oss_scan.h"

#define IN_PLACE_MAX 126
#define RECORDS_PER_STEP 1000
#define MAX_KEY 65536			/* a URL's path may be longer than a key of the service */
#define ERROR_BYTES 8			/* of a bad character in a message, as PostgreSQL shows */

/* ---- start ---- */

static void
add_field(McOssScan *scan, const McOssColumn *column, int at)
{
	McOssField *field = &scan->fields[scan->nfields++];

	field->column = column;
	field->at = at;
	field->index = column->attnum - 1;
	mcTextColumnInit(&field->text, column->type, column->typmod);
	field->text.zone = scan->server->timezone;
	if (scan->by_member && mcJsonHasParts(column->type))
		field->parts = mcJsonColumn(&field->text);
	field->json = scan->by_member && (column->type == JSONOID || column->type == JSONBOID);
	scan->needed[at] = true;
}

static void
add_constant(McOssScan *scan, const McOssColumn *column)
{
	McOssConstant *constant = &scan->constants[scan->nconstants++];

	constant->column = column;
	mcTextColumnInit(&constant->text, column->type, column->typmod);
	constant->text.zone = scan->server->timezone;
}

/* The fields that the statement asks for.  The record itself may have been overwritten by headers of values. */
static char *
raw_row(void *arg)
{
	McOssScan  *scan = arg;
	const mcw_record *record = scan->record;
	StringInfoData row;

	if (record == NULL)
		return NULL;
	initStringInfo(&row);
	if (record->bad != NULL || (record->nfields != scan->expected && scan->expected >= 0))
		mcRawMember(&row, "record", record->raw);
	else
		for (int i = 0; i < scan->nfields; i++)
		{
			const mcw_field *f = &record->fields[scan->fields[i].at];

			if (!(f->flags & MCW_FIELD_ABSENT))
				mcRawMember(&row, scan->fields[i].column->attname, f->flags & MCW_FIELD_NULL ? (mcw_view) {NULL, 0} : (mcw_view) {f->data, f->len});
		}
	return mcRawEnd(&row);
}

void
mcOssRowInit(McOssScan *scan, TupleDesc desc, List *attrs)
{
	int			n = list_length(scan->table->columns);
	int			nfields = 0;
	ListCell   *lc;

	scan->rejects.raw = raw_row;
	scan->rejects.raw_arg = scan;
	scan->fields = palloc0(sizeof(McOssField) * (n + 1));
	scan->constants = palloc0(sizeof(McOssConstant) * (n + 1));
	scan->needed = palloc0(sizeof(bool) * (n + 1));
	scan->parts = palloc0(sizeof(mcw_view) * (scan->table->nparts + 1));
	mcw_buf_init(&scan->scratch, &scan->alloc, MAX_KEY);
	scan->line_index = -1;
	scan->by_member = scan->table->format == &mcw_format_jsonl;
	scan->missing_error = scan->by_member && scan->table->missing == MC_OSS_MISSING_ERROR;
	scan->utf8 = GetDatabaseEncoding() == PG_UTF8;
	foreach(lc, scan->table->columns)
		nfields += ((McOssColumn *) lfirst(lc))->kind == MC_OSS_FIELD;
	foreach(lc, attrs)
	{
		const McOssColumn *column = mcOssColumn(scan->table, lfirst_int(lc));

		if (column->kind == MC_OSS_FIELD)
			add_field(scan, column, column->index);
		else if (column->kind == MC_OSS_REST)
			add_field(scan, column, nfields);
		else if (column->kind == MC_OSS_LINE)
			scan->line_index = column->attnum - 1;
		else
			add_constant(scan, column);
	}
	scan->slot = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
	for (int i = 0; i < desc->natts; i++)
	{
		scan->slot->tts_values[i] = (Datum) 0;
		scan->slot->tts_isnull[i] = true;
	}
}

/* ---- where we are ---- */

void
mcOssScanPlace(const McOssScan *scan, McPlace *place)
{
	const mcs_oss_object *object = NULL;
	int64		number;

	memset(place, 0, sizeof(*place));
	if (scan->conn != NULL)
		*place = scan->conn->place;
	if (scan->run != NULL && scan->run->rows != NULL)
		object = mcOssRowsObject(scan->run->rows, &number);
	if (object == NULL)
		return;
	place->part = psprintf("object \"%s\"", mcOssShown(object->key));
	if (scan->line > 0)
		place->position = psprintf("line " UINT64_FORMAT, scan->line);
}

/* True if the row is to be dropped; else the value becomes NULL.  May raise. */
static bool
bad_value(McOssScan *scan, const McOssColumn *column, const McTextError *error, mcw_view bytes)
{
	McPlace		place;

	mcOssScanPlace(scan, &place);
	place.column = column->attname;
	return mcBadValue(&scan->rejects, &place, error->sqlstate, error->reason, bytes,
					  column->not_null) == MC_ROW_DROP;
}

/* The record itself is not what it should be: no value could be NULL instead */
static void
bad_record(McOssScan *scan, const mcw_record *record, const char *attname, const char *reason)
{
	McPlace		place;

	mcOssScanPlace(scan, &place);
	place.column = attname;
	(void) mcBadValue(&scan->rejects, &place, ERRCODE_BAD_COPY_FILE_FORMAT, reason, record->raw, true);
}

/* ---- values of an object ---- */

static void
read_constant(McOssScan *scan, McOssConstant *constant, const mcs_oss_object *object)
{
	const McOssColumn *column = constant->column;

	constant->bad = false;
	constant->isnull = true;
	if (column->kind != MC_OSS_PATH)
	{
		constant->isnull = !mcOssObjectValue(scan->table, column, &constant->text, object, scan->parts, &constant->value);
		return;
	}
	constant->bytes = scan->parts[column->index];
	if (constant->bytes.data == NULL)
		return;
	/* always swallowed: an object without a record has no row that could fail */
	constant->isnull = mcTextConvert(&constant->text, constant->bytes, true, &constant->value,
									 &constant->error) == MC_TEXT_BAD;
	constant->bad = constant->isnull;
	scan->nbad += constant->bad;
}

static void
show_constants(McOssScan *scan)
{
	for (int i = 0; i < scan->nconstants; i++)
	{
		const McOssConstant *constant = &scan->constants[i];

		scan->slot->tts_values[constant->column->attnum - 1] = constant->value;
		scan->slot->tts_isnull[constant->column->attnum - 1] = constant->isnull;
	}
}

static void
start_object(McOssScan *scan, const mcs_oss_object *object, int64 number)
{
	MemoryContext old;

	scan->object_number = number;
	scan->expected = mcOssRowsFields(scan->run->rows);
	if (scan->nconstants == 0)
		return;
	MemoryContextReset(scan->object_cxt);
	old = MemoryContextSwitchTo(scan->object_cxt);
	scan->nbad = 0;
	scan->scratch.len = 0;
	if (scan->table->nparts > 0 && !mcOssPathValues(scan->table, object->key, scan->parts, &scan->scratch))
		elog(ERROR, "key \"%s\" is not of the table's form", mcOssShown(object->key));
	for (int i = 0; i < scan->nconstants; i++)
		read_constant(scan, &scan->constants[i], object);
	MemoryContextSwitchTo(old);
	show_constants(scan);
}

/* False: drop the row */
static bool
judge_constants(McOssScan *scan)
{
	for (int i = 0; i < scan->nconstants; i++)
	{
		const McOssConstant *constant = &scan->constants[i];

		if (constant->bad && bad_value(scan, constant->column, &constant->error, constant->bytes))
			return false;
	}
	return true;
}

/* ---- values of a record ---- */

/* COPY's words for bytes that are no text */
static void
explain_bad_bytes(mcw_view bytes, McTextError *error)
{
	size_t		at = mcw_utf8_valid(bytes.data, bytes.len);
	const char *nul = memchr(bytes.data, '\0', at);
	StringInfoData s;
	int			len;

	if (nul != NULL)
		at = nul - bytes.data;
	len = nul != NULL ? 1 : pg_encoding_mblen(PG_UTF8, bytes.data + at);
	len = Min(Min(len, ERROR_BYTES), (int) Min(bytes.len - at, ERROR_BYTES));
	initStringInfo(&s);
	appendStringInfoString(&s, "invalid byte sequence for encoding \"UTF8\":");
	for (int i = 0; i < len; i++)
		appendStringInfo(&s, " 0x%02x", (unsigned char) bytes.data[at + i]);
	error->sqlstate = ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
	error->reason = s.data;
}

/* A string member of a JSON record in a column of a JSON type */
static bool
json_string(const McOssField *field, mcw_view bytes, bool swallow, Datum *value, McTextError *error)
{
	char	   *text = mcTextToServer(bytes, swallow, error);

	if (text == NULL)
		return false;
	if (field->column->type == JSONBOID)
	{
		JsonbValue	v;

		if (strlen(text) > JENTRY_OFFLENMASK)
		{
			error->sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
			error->reason = psprintf("a string of %zu bytes is too long for a jsonb", strlen(text));
			return false;
		}
		v.type = jbvString;
		v.val.string.val = text;
		v.val.string.len = strlen(text);
		*value = JsonbPGetDatum(JsonbValueToJsonb(&v));
	}
	else
	{
		StringInfoData quoted;

		initStringInfo(&quoted);
		escape_json(&quoted, text);
		*value = PointerGetDatum(cstring_to_text_with_len(quoted.data, quoted.len));
	}
	return true;
}

/* Not convertible at sight.  False: drop the row. */
static bool
fill_slowly(McOssScan *scan, McOssField *field, const mcw_field *f, Datum *value, bool *isnull)
{
	mcw_view	bytes = {f->data, f->len};
	bool		swallow = scan->rejects.on_error != MC_ON_ERROR_STOP;
	McTextError error;

	if (field->json && (f->flags & MCW_FIELD_STRING))
	{
		if (json_string(field, bytes, swallow, value, &error))
			return true;
	}
	else if (field->parts != NULL && (f->flags & MCW_FIELD_NESTED))
	{
		if (mcJsonConvert(field->parts, bytes, swallow, value, &error) == MC_TEXT_OK)
			return true;
	}
	else if (mcTextConvert(&field->text, bytes, swallow, value, &error) == MC_TEXT_OK)
		return true;
	*isnull = true;
	if (mcw_utf8_valid(bytes.data, bytes.len) != bytes.len || memchr(bytes.data, '\0', bytes.len) != NULL)
		explain_bad_bytes(bytes, &error);
	return !bad_value(scan, field->column, &error, bytes);
}

/* jsonl: members that nobody asks for, members that are not there.  False: drop the row. */
static bool
check_members(McOssScan *scan, const mcw_record *record)
{
	if (record->unknown > 0 && scan->table->unknown_error)
	{
		bad_record(scan, record, NULL, psprintf("the record has member \"%s\", which no column shows",
												mcOssShown(record->unknown_name)));
		return false;
	}
	for (int i = 0; scan->missing_error && i < scan->nfields; i++)
		if (record->fields[scan->fields[i].at].flags & MCW_FIELD_ABSENT)
		{
			bad_record(scan, record, scan->fields[i].column->attname,
					   psprintf("missing data for column \"%s\"", scan->fields[i].column->attname));
			return false;
		}
	return true;
}

/* The number of fields is not the expected one: COPY's words, unless a policy allows it */
static bool
check_count(McOssScan *scan, const mcw_record *record)
{
	bool		by_name = scan->table->header == MCW_HEADER_BY_NAME;

	/* a record of no fields is an empty line, as COPY has it */
	if (scan->expected == 0 && record->raw.len == 0)
		return true;
	if (record->nfields > scan->expected)
	{
		if (!by_name && !scan->table->unknown_error)
			return true;
		bad_record(scan, record, NULL, "extra data after last expected column");
		return false;
	}
	if (by_name)
	{
		bad_record(scan, record, NULL, psprintf("number of fields is %d, the header has %d",
												record->nfields, scan->expected));
		return false;
	}
	if (scan->table->missing == MC_OSS_MISSING_NULL)
		return true;
	for (ListCell *lc = list_head(scan->table->columns); lc != NULL; lc = lnext(scan->table->columns, lc))
	{
		const McOssColumn *column = lfirst(lc);

		if (column->kind != MC_OSS_FIELD || column->index != record->nfields)
			continue;
		bad_record(scan, record, column->attname, psprintf("missing data for column \"%s\"", column->attname));
		return false;
	}
	return true;
}

static bool
fill_row(McOssScan *scan, const mcw_record *record)
{
	Datum	   *values = scan->slot->tts_values;
	bool	   *isnull = scan->slot->tts_isnull;
	bool		verified = record->verified && scan->utf8;
	McOssField *field = scan->fields;
	McOssField *end = field + scan->nfields;

	if (unlikely(record->bad != NULL))
	{
		bad_record(scan, record, NULL, record->bad);
		return false;
	}
	if (unlikely(record->nfields != scan->expected && scan->expected >= 0) && !check_count(scan, record))
		return false;
	if (scan->by_member && !check_members(scan, record))
		return false;
	if (unlikely(scan->nbad > 0) && !judge_constants(scan))
		return false;
	if (scan->line_index >= 0)
	{
		values[scan->line_index] = Int64GetDatum((int64) record->line);
		isnull[scan->line_index] = false;
	}
	for (; field < end; field++)
	{
		const mcw_field *f = &record->fields[field->at];
		mcw_view	bytes = {f->data, f->len};
		int			index = field->index;

		isnull[index] = (f->flags & (MCW_FIELD_NULL | MCW_FIELD_ABSENT)) != 0;
		if (isnull[index])
			continue;
		if (field->text.is_text && bytes.len <= IN_PLACE_MAX &&
			((likely(verified) && !(f->flags & MCW_FIELD_CHECK)) || mcw_plain_ascii(bytes.data, bytes.len)))
		{
			char	   *header = unconstify(char *, bytes.data) - 1;

			SET_VARSIZE_SHORT(header, bytes.len + VARHDRSZ_SHORT);
			values[index] = PointerGetDatum(header);
		}
		else if (likely(field->text.fast != NULL) && likely(field->text.fast(&field->text, bytes, &values[index])))
			continue;
		else if (!fill_slowly(scan, field, f, &values[index], &isnull[index]))
			return false;
	}
	return true;
}

/* ---- rows ---- */

/*
 * A chunk takes milliseconds to consume; without this what follows would stay in the
 * sockets' buffers meanwhile and the next requests would start late.
 */
static void
drive_network(McOssScan *scan)
{
	if (likely(scan->records - scan->driven_at < RECORDS_PER_STEP))
		return;
	scan->driven_at = scan->records;
	mcOssScanTell(scan);
	/* an interrupt is served by the executor */
	(void) mcn_loop_step(scan->conn->client.loop, 0);
}

mcw_status
mcOssNextRow(McOssScan *scan, bool wait, bool *pending, mcw_error *err)
{
	McOssRows  *rows = scan->run->rows;
	bool		materialized = TTS_SHOULDFREE(scan->slot);

	ExecClearTuple(scan->slot);
	/* whoever made the slot own its values took ours out of it */
	if (unlikely(materialized))
		show_constants(scan);
	for (;;)
	{
		const mcs_oss_object *object;
		int64		number;
		mcw_record	record;
		mcw_status	status;
		MemoryContext old;
		bool		keep;

		drive_network(scan);
		scan->line = 0;
		status = mcOssRowsNext(rows, wait, pending, &record, err);
		if (unlikely(status != MCW_OK || *pending))
			return status;
		scan->records++;
		scan->line = record.line;
		object = mcOssRowsObject(rows, &number);
		if (unlikely(number != scan->object_number))
		{
			start_object(scan, object, number);
			mcOssScanTell(scan);
		}

		MemoryContextReset(scan->row_cxt);
		old = MemoryContextSwitchTo(scan->row_cxt);
		scan->record = &record;
		keep = fill_row(scan, &record);
		scan->record = NULL;
		MemoryContextSwitchTo(old);
		if (likely(keep))
		{
			ExecStoreVirtualTuple(scan->slot);
			return MCW_OK;
		}
		/* an object may hold a million records and none of them is good */
		CHECK_FOR_INTERRUPTS();
	}
}
