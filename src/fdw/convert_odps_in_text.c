/*
 * convert_odps_in_text.c
 *		The canonical text of every MaxCompute type, and nested values as JSON.
 *
 *	integers, decimal	digits		boolean		true, false
 *	float, double		shortest that reads back, NaN, Infinity, -Infinity
 *	binary				base64
 *	date				2024-02-29
 *	datetime			2024-02-29T12:00:00.123Z			instant, UTC
 *	timestamp			2024-02-29T12:00:00.123456789Z		instant, UTC
 *	timestamp_ntz		2024-02-29T12:00:00.123456789		wall clock
 *	intervals			P14M, PT-86400.5S
 *	array, vector, map, struct	JSON
 *
 * In JSON, numbers and booleans are bare, NaN and the infinities and all else are
 * strings; keys of a map are the text of the key.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "odps_read.h"

#include "../wire/mcw_text.h"

#define SECONDS_PER_DAY 86400

static void
render_days(StringInfo out, int64 days)
{
	int64_t		year;
	int			month;
	int			day;

	mcw_civil_from_days(days, &year, &month, &day);
	/* ISO 8601: year 0 exists, a year of other than four digits has a sign */
	if (year >= 0 && year <= 9999)
		appendStringInfo(out, "%04d-%02d-%02d", (int) year, month, day);
	else
		appendStringInfo(out, "%c%06lld-%02d-%02d", year < 0 ? '-' : '+', (long long) (year < 0 ? -year : year),
						 month, day);
}

static void
render_instant(StringInfo out, int64 seconds, int32 fraction, int digits, bool zulu)
{
	int64		days = seconds / SECONDS_PER_DAY;
	int			rest = (int) (seconds % SECONDS_PER_DAY);

	if (rest < 0)
	{
		rest += SECONDS_PER_DAY;
		days--;
	}
	render_days(out, days);
	appendStringInfo(out, "T%02d:%02d:%02d.%0*d%s", rest / 3600, rest / 60 % 60, rest % 60, digits, fraction,
					 zulu ? "Z" : "");
}

static void
render_datetime(StringInfo out, int64 ms)
{
	int64		seconds = ms / 1000;
	int			rest = (int) (ms % 1000);

	if (rest < 0)
	{
		rest += 1000;
		seconds--;
	}
	render_instant(out, seconds, rest, 3, true);
}

/* ISO 8601 with one sign; seconds and nanos may disagree about theirs */
static void
render_seconds(StringInfo out, int64 seconds, int32 nanos)
{
	bool		negative;

	if (seconds > 0 && nanos < 0)
	{
		seconds--;
		nanos += 1000000000;
	}
	else if (seconds < 0 && nanos > 0)
	{
		seconds++;
		nanos -= 1000000000;
	}
	negative = seconds < 0 || nanos < 0;
	appendStringInfo(out, "PT%s" UINT64_FORMAT, negative ? "-" : "",
					 seconds < 0 ? -(uint64) seconds : (uint64) seconds);
	if (nanos != 0)
		appendStringInfo(out, ".%09d", abs(nanos));
	appendStringInfoChar(out, 'S');
}

static void
render_double(StringInfo out, double v)
{
	char		buf[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isinf(v))
		appendStringInfoString(out, v < 0 ? "-Infinity" : "Infinity");
	else if (isnan(v))
		appendStringInfoString(out, "NaN");
	else
	{
		(void) double_to_shortest_decimal_buf(v, buf);
		appendStringInfoString(out, buf);
	}
}

static void
render_float(StringInfo out, float v)
{
	char		buf[FLOAT_SHORTEST_DECIMAL_LEN];

	if (isinf(v) || isnan(v))
		render_double(out, v);
	else
	{
		(void) float_to_shortest_decimal_buf(v, buf);
		appendStringInfoString(out, buf);
	}
}

static const char *
render_base64(McInContext *cxt, StringInfo out, mcw_view bytes)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		text;

	mcw_buf_init(&text, &alloc, bytes.len / 3 * 4 + 64);
	if (mcw_base64_encode(&text, bytes) != MCW_OK)
		return mcInRefuse(cxt, ERRCODE_OUT_OF_MEMORY, "out of memory");
	if (text.len > 0)
		appendBinaryStringInfo(out, text.data, text.len);
	mcw_buf_free(&text);
	return NULL;
}

static const char *
render_string(McInContext *cxt, StringInfo out, const mcw_odps_type *type, mcw_view bytes)
{
	mcw_view	text;
	const char *reason = mcInCheckText(cxt, bytes, &text);

	if (reason)
		return reason;
	if (type->kind == MCW_ODPS_CHAR)
		while (text.len > 0 && text.data[text.len - 1] == ' ')
			text.len--;
	appendBinaryStringInfo(out, text.data, text.len);
	return NULL;
}

const char *
mcInRenderText(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value)
{
	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
			appendStringInfo(out, INT64_FORMAT, value->i64);
			return NULL;
		case MCW_ODPS_BOOLEAN:
			appendStringInfoString(out, value->i64 ? "true" : "false");
			return NULL;
		case MCW_ODPS_FLOAT:
			render_float(out, value->f32);
			return NULL;
		case MCW_ODPS_DOUBLE:
			render_double(out, value->f64);
			return NULL;
		case MCW_ODPS_BINARY:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
			return render_base64(cxt, out, value->bytes);
		case MCW_ODPS_DATE:
			render_days(out, value->i64);
			return NULL;
		case MCW_ODPS_DATETIME:
			render_datetime(out, value->i64);
			return NULL;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			render_instant(out, value->i64, value->nanos, 9, type->kind == MCW_ODPS_TIMESTAMP);
			return NULL;
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
			appendStringInfo(out, "P" INT64_FORMAT "M", value->i64);
			return NULL;
		case MCW_ODPS_INTERVAL_DAY_TIME:
			render_seconds(out, value->i64, value->nanos);
			return NULL;
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_VECTOR:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
			return mcInRenderJson(cxt, out, type, value);
		default:
			return render_string(cxt, out, type, value->bytes);
	}
}

/* ---- JSON ---- */

static void
quote_json(StringInfo out, const char *data, size_t len)
{
	appendStringInfoChar(out, '"');
	for (size_t i = 0; i < len;)
	{
		size_t		run = i;

		while (run < len && (unsigned char) data[run] >= ' ' && data[run] != '"' && data[run] != '\\')
			run++;
		if (run > i)
			appendBinaryStringInfo(out, data + i, (int) (run - i));
		if (run < len)
		{
			if (data[run] == '"' || data[run] == '\\')
				appendStringInfo(out, "\\%c", data[run]);
			else
				appendStringInfo(out, "\\u%04x", (unsigned char) data[run]);
			run++;
		}
		i = run;
	}
	appendStringInfoChar(out, '"');
}

static const char *
quoted_text(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value)
{
	StringInfoData text;
	const char *reason;

	initStringInfo(&text);
	reason = mcInRenderText(cxt, &text, type, value);
	if (!reason)
		quote_json(out, text.data, text.len);
	pfree(text.data);
	return reason;
}

static const char *
render_element(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value)
{
	if (value->is_null)
	{
		appendStringInfoString(out, "null");
		return NULL;
	}
	return mcInRenderJson(cxt, out, type, value);
}

static const char *
broken(McInContext *cxt)
{
	return mcInRefuse(cxt, ERRCODE_DATA_CORRUPTED, "malformed nested value");
}

static const char *
render_array(McInContext *cxt, StringInfo out, const mcw_odps_type *type, mcw_odps_cursor *cursor)
{
	uint32_t	count;

	if (mcw_odps_cursor_count(cursor, &count) != MCW_OK)
		return broken(cxt);
	appendStringInfoChar(out, '[');
	for (uint32_t i = 0; i < count; i++)
	{
		mcw_odps_value element;
		const char *reason;

		element.is_null = false;
		if (mcw_odps_cursor_value(cursor, type->children[0], type->kind == MCW_ODPS_ARRAY, &element) != MCW_OK)
			return broken(cxt);
		if (i > 0)
			appendStringInfoChar(out, ',');
		reason = render_element(cxt, out, type->children[0], &element);
		if (reason)
			return reason;
	}
	appendStringInfoChar(out, ']');
	return NULL;
}

/* All keys come before all values: one cursor walks the keys, another one the values. */
static const char *
render_map(McInContext *cxt, StringInfo out, const mcw_odps_type *type, mcw_odps_cursor *cursor)
{
	mcw_odps_cursor values = *cursor;
	mcw_odps_value key;
	mcw_odps_value value;
	uint32_t	count;
	uint32_t	nvalues;
	const char *reason;

	if (mcw_odps_cursor_count(&values, &count) != MCW_OK)
		return broken(cxt);
	for (uint32_t i = 0; i < count; i++)
		if (mcw_odps_cursor_value(&values, type->children[0], true, &key) != MCW_OK)
			return broken(cxt);
	if (mcw_odps_cursor_count(&values, &nvalues) != MCW_OK || nvalues != count ||
		mcw_odps_cursor_count(cursor, &count) != MCW_OK)
		return broken(cxt);

	appendStringInfoChar(out, '{');
	for (uint32_t i = 0; i < count; i++)
	{
		if (mcw_odps_cursor_value(cursor, type->children[0], true, &key) != MCW_OK ||
			mcw_odps_cursor_value(&values, type->children[1], true, &value) != MCW_OK)
			return broken(cxt);
		if (key.is_null)
			return mcInRefuse(cxt, ERRCODE_NULL_VALUE_NOT_ALLOWED, "a map with a NULL key");
		if (i > 0)
			appendStringInfoChar(out, ',');
		reason = quoted_text(cxt, out, type->children[0], &key);
		if (reason)
			return reason;
		appendStringInfoChar(out, ':');
		reason = render_element(cxt, out, type->children[1], &value);
		if (reason)
			return reason;
	}
	appendStringInfoChar(out, '}');
	*cursor = values;
	return NULL;
}

static const char *
render_struct(McInContext *cxt, StringInfo out, const mcw_odps_type *type, mcw_odps_cursor *cursor)
{
	appendStringInfoChar(out, '{');
	for (int i = 0; i < type->nchildren; i++)
	{
		mcw_odps_value field;
		const char *reason;

		if (mcw_odps_cursor_value(cursor, type->children[i], true, &field) != MCW_OK)
			return broken(cxt);
		if (i > 0)
			appendStringInfoChar(out, ',');
		quote_json(out, type->names[i].data, type->names[i].len);
		appendStringInfoChar(out, ':');
		reason = render_element(cxt, out, type->children[i], &field);
		if (reason)
			return reason;
	}
	appendStringInfoChar(out, '}');
	return NULL;
}

const char *
mcInRenderJson(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value)
{
	mcw_odps_cursor cursor;

	check_stack_depth();
	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_BOOLEAN:
		case MCW_ODPS_DECIMAL:
		case MCW_ODPS_JSON:
			return mcInRenderText(cxt, out, type, value);
		case MCW_ODPS_FLOAT:
			return isfinite(value->f32) ? mcInRenderText(cxt, out, type, value) : quoted_text(cxt, out, type, value);
		case MCW_ODPS_DOUBLE:
			return isfinite(value->f64) ? mcInRenderText(cxt, out, type, value) : quoted_text(cxt, out, type, value);
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_VECTOR:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
			break;
		default:
			return quoted_text(cxt, out, type, value);
	}
	cursor.pos = value->bytes.data;
	cursor.end = value->bytes.data + value->bytes.len;
	if (type->kind == MCW_ODPS_MAP)
		return render_map(cxt, out, type, &cursor);
	if (type->kind == MCW_ODPS_STRUCT)
		return render_struct(cxt, out, type, &cursor);
	return render_array(cxt, out, type, &cursor);
}

/*
 * The text is JSON by construction, but for values of type JSON, which may hold
 * anything.  The input functions of JSON only allocate and raise: they can be caught.
 */
const char *
mcInJson(McInType *in, const mcw_odps_value *value, Datum *out)
{
	MemoryContext cxt = CurrentMemoryContext;
	StringInfoData s;
	const char *volatile reason;
	volatile Datum result = (Datum) 0;

	initStringInfo(&s);
	reason = mcInRenderJson(in->cxt, &s, in->type, value);
	if (reason)
		return reason;
	PG_TRY();
	{
		result = DirectFunctionCall1(in->pgtype == JSONBOID ? jsonb_in : json_in, CStringGetDatum(s.data));
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(cxt);
		edata = CopyErrorData();
		if (ERRCODE_TO_CATEGORY(edata->sqlerrcode) != ERRCODE_DATA_EXCEPTION &&
			edata->sqlerrcode != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		FlushErrorState();
		in->cxt->sqlstate = edata->sqlerrcode;
		reason = edata->message;
	}
	PG_END_TRY();
	*out = result;
	return reason;
}
