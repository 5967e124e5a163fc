/*
 * convert_odps_out_json.c
 *		jsonb to ARRAY, MAP, STRUCT and VECTOR of any depth.
 *
 * Text inside: DATE is YYYY-MM-DD; DATETIME and TIMESTAMP are ISO 8601 with a zone,
 * TIMESTAMP_NTZ without; BINARY is base64; DECIMAL is a number or its text; NaN and
 * infinities of FLOAT and DOUBLE are the texts "NaN", "Infinity", "-Infinity".  A
 * STRUCT field that is absent is NULL, one that the type has not is refused.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/numeric.h"
#include "mb/pg_wchar.h"

#include "../wire/mcw_text.h"
#include "odps_write.h"

static const char *put_value(McOutContext *cxt, const mcw_odps_type *type, JsonbValue *jv,
							 mcw_odps_writer *w);

const char *
mcOutJsonbPossible(const mcw_odps_type *type)
{
	switch (type->kind)
	{
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
		case MCW_ODPS_INTERVAL_DAY_TIME:
		case MCW_ODPS_GEOGRAPHY:
		case MCW_ODPS_BLOB:
		case MCW_ODPS_VOID:
			return psprintf("a nested %s cannot be written from jsonb", mcw_odps_kind_name(type->kind));
		default:
			break;
	}
	for (int i = 0; i < type->nchildren; i++)
	{
		const char *reason = mcOutJsonbPossible(type->children[i]);

		if (reason)
			return reason;
	}
	return NULL;
}

static const char *
mismatch(McOutContext *cxt, const mcw_odps_type *type)
{
	return mcOutRefuse(cxt, ERRCODE_INVALID_TEXT_REPRESENTATION, "a json value does not fit %s",
					   mcw_odps_kind_name(type->kind));
}

/* text of a json string or number in UTF-8; NULL for anything else */
static char *
text_of(McOutContext *cxt, JsonbValue *jv)
{
	char	   *text;

	if (jv->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(jv->val.numeric)));
	if (jv->type != jbvString)
		return NULL;
	text = pnstrdup(jv->val.string.val, jv->val.string.len);
	return cxt->recode ? pg_server_to_any(text, strlen(text), PG_UTF8) : text;
}

/* [-]digits[.digits] and nothing else */
static bool
is_plain_decimal(const char *s)
{
	int			digits = 0;

	s += *s == '-';
	for (; *s >= '0' && *s <= '9'; s++)
		digits++;
	if (digits == 0)
		return false;
	if (*s == '.')
	{
		for (s++, digits = 0; *s >= '0' && *s <= '9'; s++)
			digits++;
		if (digits == 0)
			return false;
	}
	return *s == '\0';
}

static const char *
put_int(McOutContext *cxt, const mcw_odps_type *type, char *text, mcw_odps_writer *w)
{
	int64_t		v;
	char	   *point = strchr(text, '.');

	if (point)
	{
		if (strspn(point + 1, "0") != strlen(point + 1))
			return mismatch(cxt, type);
		*point = '\0';
	}
	if (!mcw_view_int64(mcw_str(text), &v))
		return is_plain_decimal(text) ?
			mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "out of range of %s", mcw_odps_kind_name(type->kind)) :
			mismatch(cxt, type);
	return mcOutInt(cxt, type, v, w, 0);
}

static const char *
put_float(McOutContext *cxt, const mcw_odps_type *type, JsonbValue *jv, char *text, mcw_odps_writer *w)
{
	char	   *end;
	double		v;

	if (jv->type == jbvString)
	{
		if (strcmp(text, "NaN") != 0 && strcmp(text, "Infinity") != 0 && strcmp(text, "-Infinity") != 0)
			return mismatch(cxt, type);
		return mcOutDouble(cxt, type, text[0] == 'N' ? NAN : text[0] == '-' ? -INFINITY : INFINITY, w, 0);
	}
	v = strtod(text, &end);
	if (isinf(v))
		return mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "out of range of %s", mcw_odps_kind_name(type->kind));
	/* json numbers are decimal: the nearest float is what was meant */
	if (type->kind == MCW_ODPS_FLOAT)
	{
		float		f = strtof(text, &end);

		if (isinf(f))
			return mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "out of range of float");
		mcw_odps_elem_float(w, f);
		return NULL;
	}
	return mcOutDouble(cxt, type, v, w, 0);
}

static const char *
put_date(McOutContext *cxt, const mcw_odps_type *type, const char *text, mcw_odps_writer *w)
{
	int			y;
	int			m;
	int			d;
	int			n = 0;
	int64_t		days;
	int64_t		cy;
	int			cm;
	int			cd;

	if (strspn(text, "0123456789-") != 10 ||
		sscanf(text, "%4d-%2d-%2d%n", &y, &m, &d, &n) != 3 || n != 10 || text[n] != '\0' || m < 1 || m > 12)
		return mismatch(cxt, type);
	days = mcw_days_from_civil(y, m, d);
	mcw_civil_from_days(days, &cy, &cm, &cd);
	if (cy != y || cm != m || cd != d)
		return mismatch(cxt, type);
	return mcOutDays(cxt, days, w, 0);
}

/* mcw_parse_iso8601 keeps microseconds; digits seven to nine are taken here */
static const char *
put_instant(McOutContext *cxt, const mcw_odps_type *type, const char *text, mcw_odps_writer *w)
{
	StringInfoData iso;
	const char *point = strchr(text, '.');
	int64_t		micros;
	int32		nanos = 0;
	int64		seconds;

	initStringInfo(&iso);
	if (point)
	{
		size_t		digits = strspn(point + 1, "0123456789");
		char		fraction[10] = "000000000";

		if (digits == 0 || digits > 9)
			return mismatch(cxt, type);
		memcpy(fraction, point + 1, digits);
		nanos = atoi(fraction);
		appendBinaryStringInfo(&iso, text, point - text);
		appendStringInfoString(&iso, point + 1 + digits);
	}
	else
		appendStringInfoString(&iso, text);
	if (type->kind == MCW_ODPS_TIMESTAMP_NTZ)
		appendStringInfoChar(&iso, 'Z');
	if (!mcw_parse_iso8601((mcw_view) {iso.data, iso.len}, &micros))
		return mismatch(cxt, type);
	seconds = micros / 1000000;
	if (micros % 1000000 < 0)
		seconds--;
	return mcOutInstant(cxt, type, seconds, nanos, w, 0);
}

static const char *
put_binary(McOutContext *cxt, const mcw_odps_type *type, const char *text, mcw_odps_writer *w)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		out;

	mcw_buf_init(&out, &alloc, MCW_ODPS_MAX_FIELD);
	if (mcw_base64_decode(&out, mcw_str(text)) != MCW_OK)
		return mismatch(cxt, type);
	return mcOutBytes(cxt, type, out.data ? out.data : "", out.len, w, 0);
}

static const char *
put_scalar(McOutContext *cxt, const mcw_odps_type *type, JsonbValue *jv, mcw_odps_writer *w)
{
	char	   *text = text_of(cxt, jv);

	if (type->kind == MCW_ODPS_BOOLEAN)
	{
		if (jv->type == jbvBool)
			mcw_odps_elem_bool(w, jv->val.boolean);
		else if (text && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0))
			mcw_odps_elem_bool(w, text[0] == 't');
		else
			return mismatch(cxt, type);
		return NULL;
	}
	if (!text)
		return mismatch(cxt, type);
	switch (type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
			return put_int(cxt, type, text, w);
		case MCW_ODPS_FLOAT:
		case MCW_ODPS_DOUBLE:
			return put_float(cxt, type, jv, text, w);
		case MCW_ODPS_DECIMAL:
			return is_plain_decimal(text) ? mcOutDecimal(cxt, type, text, w, 0) : mismatch(cxt, type);
		default:
			break;
	}
	if (jv->type != jbvString)
		return mismatch(cxt, type);
	switch (type->kind)
	{
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			return mcOutBytes(cxt, type, text, strlen(text), w, 0);
		case MCW_ODPS_BINARY:
			return put_binary(cxt, type, text, w);
		case MCW_ODPS_DATE:
			return put_date(cxt, type, text, w);
		case MCW_ODPS_DATETIME:
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			return put_instant(cxt, type, text, w);
		default:
			return mismatch(cxt, type);
	}
}

static const char *
put_json(McOutContext *cxt, const mcw_odps_type *type, JsonbValue *jv, mcw_odps_writer *w)
{
	Jsonb	   *jb = JsonbValueToJsonb(jv);
	char	   *text = JsonbToCString(NULL, &jb->root, VARSIZE(jb));

	if (cxt->recode)
		text = pg_server_to_any(text, strlen(text), PG_UTF8);
	return mcOutBytes(cxt, type, text, strlen(text), w, 0);
}

static const char *
put_element(McOutContext *cxt, const mcw_odps_type *type, JsonbValue *jv, mcw_odps_writer *w)
{
	bool		is_null = !jv || jv->type == jbvNull;

	mcw_odps_elem_null(w, is_null);
	return is_null ? NULL : put_value(cxt, type, jv, w);
}

static const char *
put_array(McOutContext *cxt, const mcw_odps_type *type, JsonbContainer *jc, mcw_odps_writer *w)
{
	uint32		n = JsonContainerSize(jc);
	bool		vector = type->kind == MCW_ODPS_VECTOR;
	const char *reason = NULL;

	if (!JsonContainerIsArray(jc))
		return mismatch(cxt, type);
	if (vector && n != (uint32) type->length)
		return mcOutRefuse(cxt, ERRCODE_ARRAY_SUBSCRIPT_ERROR, "%u elements do not make a vector of %d",
						   n, type->length);
	mcw_odps_elem_count(w, n);
	for (uint32 i = 0; i < n && !reason; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(jc, i);

		if (vector && item->type == jbvNull)
			return mcOutRefuse(cxt, ERRCODE_NULL_VALUE_NOT_ALLOWED, "an element of a vector cannot be null");
		reason = vector ? put_value(cxt, type->children[0], item, w) :
			put_element(cxt, type->children[0], item, w);
	}
	return reason;
}

/* keys first, then values, each with their own count */
static const char *
put_map(McOutContext *cxt, const mcw_odps_type *type, JsonbContainer *jc, mcw_odps_writer *w)
{
	const char *reason = NULL;

	if (!JsonContainerIsObject(jc))
		return mismatch(cxt, type);
	for (int pass = 0; pass < 2 && !reason; pass++)
	{
		JsonbIterator *it = JsonbIteratorInit(jc);
		JsonbValue	v;
		JsonbIteratorToken token;

		mcw_odps_elem_count(w, JsonContainerSize(jc));
		while (!reason && (token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
		{
			if (token == WJB_KEY && pass == 0)
				reason = put_element(cxt, type->children[0], &v, w);
			else if (token == WJB_VALUE && pass == 1)
				reason = put_element(cxt, type->children[1], &v, w);
		}
	}
	return reason;
}

static JsonbValue *
find_field(JsonbContainer *jc, mcw_view name, JsonbValue *found)
{
	JsonbIterator *it;
	JsonbValue	v;
	JsonbIteratorToken token;
	bool		hit = false;

	if (getKeyJsonValueFromContainer(jc, name.data, name.len, found))
		return found;
	it = JsonbIteratorInit(jc);
	while ((token = JsonbIteratorNext(&it, &v, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			hit = mcw_view_ieq((mcw_view) {v.val.string.val, v.val.string.len}, name);
		else if (token == WJB_VALUE && hit)
		{
			*found = v;
			return found;
		}
	}
	return NULL;
}

static const char *
put_struct(McOutContext *cxt, const mcw_odps_type *type, JsonbContainer *jc, mcw_odps_writer *w)
{
	const char *reason = NULL;
	uint32		used = 0;

	if (!JsonContainerIsObject(jc))
		return mismatch(cxt, type);
	for (int i = 0; i < type->nchildren && !reason; i++)
	{
		JsonbValue	found;
		JsonbValue *jv = find_field(jc, type->names[i], &found);

		used += jv != NULL;
		reason = put_element(cxt, type->children[i], jv, w);
	}
	if (!reason && used != JsonContainerSize(jc))
		return mcOutRefuse(cxt, ERRCODE_INVALID_TEXT_REPRESENTATION,
						   "the json object has a member that the struct has not");
	return reason;
}

static const char *
put_container(McOutContext *cxt, const mcw_odps_type *type, JsonbContainer *jc, mcw_odps_writer *w)
{
	switch (type->kind)
	{
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_VECTOR:
			return put_array(cxt, type, jc, w);
		case MCW_ODPS_MAP:
			return put_map(cxt, type, jc, w);
		default:
			return put_struct(cxt, type, jc, w);
	}
}

static const char *
put_value(McOutContext *cxt, const mcw_odps_type *type, JsonbValue *jv, mcw_odps_writer *w)
{
	if (type->kind == MCW_ODPS_JSON)
		return put_json(cxt, type, jv, w);
	if (type->nchildren > 0)
		return jv->type == jbvBinary ? put_container(cxt, type, jv->val.binary.data, w) : mismatch(cxt, type);
	return put_scalar(cxt, type, jv, w);
}

const char *
mcOutJsonb(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	Jsonb	   *jb = DatumGetJsonbP(value);

	if (JB_ROOT_IS_SCALAR(jb))
		return mismatch(out->cxt, out->type);
	if (column)
		mcw_odps_put_nested(w, column);
	return put_container(out->cxt, out->type, &jb->root, w);
}
