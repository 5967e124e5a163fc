/*
 * convert_odps_out.c
 *		A Datum as a value of a tunnel record.
 *
 * One function per pair of types is chosen when the statement begins.  A value fits
 * exactly or is refused with a reason: nothing is wrapped, cut or rounded, except
 * fractions of a second under on_precision_loss 'truncate'.  Not here: what happens
 * to a refused value (reject.c), nested values from jsonb (convert_odps_out_json.c).
 * Wire form of the types: MaxCompute protocol, record stream.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "odps_write.h"

/* 0001-01-01 00:00:00 and 9999-12-31 23:59:59 in Unix seconds and days */
#define FIRST_SECOND INT64CONST(-62135596800)
#define LAST_SECOND INT64CONST(253402300799)
#define FIRST_DAY (FIRST_SECOND / 86400)
#define LAST_DAY (LAST_SECOND / 86400)

/* the legacy DECIMAL without parameters: 36 digits before, 18 behind the point */
#define LEGACY_PRECISION 54
#define LEGACY_SCALE 18

const char *
mcOutRefuse(McOutContext *cxt, int sqlstate, const char *fmt,...)
{
	char		buf[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	cxt->sqlstate = sqlstate;
	return pstrdup(buf);
}

const char *
mcOutInt(McOutContext *cxt, const mcw_odps_type *type, int64 value, mcw_odps_writer *w, int column)
{
	int64		low = type->kind == MCW_ODPS_TINYINT ? PG_INT8_MIN :
		type->kind == MCW_ODPS_SMALLINT ? PG_INT16_MIN :
		type->kind == MCW_ODPS_INT ? PG_INT32_MIN : -PG_INT64_MAX;
	int64		high = type->kind == MCW_ODPS_TINYINT ? PG_INT8_MAX :
		type->kind == MCW_ODPS_SMALLINT ? PG_INT16_MAX :
		type->kind == MCW_ODPS_INT ? PG_INT32_MAX : PG_INT64_MAX;

	if (value < low || value > high)
		return mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						   "out of range of %s (" INT64_FORMAT " to " INT64_FORMAT ")",
						   mcw_odps_kind_name(type->kind), low, high);
	if (column)
		mcw_odps_put_int(w, column, value);
	else
		mcw_odps_elem_int(w, value);
	return NULL;
}

static const char *
out_int8(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	int64		v = DatumGetInt64(value);

	if (likely(column && v >= out->low && v <= out->high))
	{
		mcw_odps_put_int(w, column, v);
		return NULL;
	}
	return mcOutInt(out->cxt, out->type, v, w, column);
}

static const char *
out_int4(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	return out_int8(out, Int64GetDatum((int64) DatumGetInt32(value)), w, column);
}

static const char *
out_int2(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	return out_int8(out, Int64GetDatum((int64) DatumGetInt16(value)), w, column);
}

static const char *
out_bool(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	if (column)
		mcw_odps_put_bool(w, column, DatumGetBool(value));
	else
		mcw_odps_elem_bool(w, DatumGetBool(value));
	return NULL;
}

const char *
mcOutDouble(McOutContext *cxt, const mcw_odps_type *type, double v, mcw_odps_writer *w, int column)
{
	if (type->kind == MCW_ODPS_DOUBLE)
	{
		if (column)
			mcw_odps_put_double(w, column, v);
		else
			mcw_odps_elem_double(w, v);
		return NULL;
	}
	if (!isnan(v) && !isinf(v) && (fabs(v) > 3.4028234663852886e38 || (double) (float) v != v))
		return mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "not exactly representable as float");
	if (column)
		mcw_odps_put_float(w, column, (float) v);
	else
		mcw_odps_elem_float(w, (float) v);
	return NULL;
}

static const char *
out_float8(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	return mcOutDouble(out->cxt, out->type, DatumGetFloat8(value), w, column);
}

static const char *
out_float4(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	return mcOutDouble(out->cxt, out->type, (double) DatumGetFloat4(value), w, column);
}

/* Bytes that are UTF-8 already (or BINARY): length limits, then out */
const char *
mcOutBytes(McOutContext *cxt, const mcw_odps_type *type, const char *data, size_t len,
		   mcw_odps_writer *w, int column)
{
	if (unlikely((int64) len > cxt->max_field))
		return mcOutRefuse(cxt, ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
						   "%zu bytes are more than the " INT64_FORMAT " a %s field may have",
						   len, cxt->max_field, mcw_odps_kind_name(type->kind));
	if ((type->kind == MCW_ODPS_VARCHAR || type->kind == MCW_ODPS_CHAR) && len > (size_t) type->length)
	{
		size_t		chars = 0;

		for (size_t i = 0; i < len; i++)
			chars += (data[i] & 0xC0) != 0x80;
		if (chars > (size_t) type->length)
			return mcOutRefuse(cxt, ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
							   "%zu characters are more than %s(%d) holds",
							   chars, mcw_odps_kind_name(type->kind), type->length);
	}
	if (column)
		mcw_odps_put_bytes(w, column, data, len);
	else
		mcw_odps_elem_bytes(w, data, len);
	return NULL;
}

/* conversions between real encodings raise an error themselves */
char *
mcUtf8FromServer(const char *data, size_t *len)
{
	char	   *utf8;

	if (GetDatabaseEncoding() == PG_SQL_ASCII)
		return pg_verify_mbstr(PG_UTF8, data, (int) *len, true) ? (char *) data : NULL;
	utf8 = pg_server_to_any(data, (int) *len, PG_UTF8);
	if (utf8 != data)
		*len = strlen(utf8);
	return utf8;
}

static const char *
put_text(McOutType *out, const char *data, size_t len, mcw_odps_writer *w, int column)
{
	if (out->cxt->recode && (data = mcUtf8FromServer(data, &len)) == NULL)
		return mcOutRefuse(out->cxt, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE, "not valid UTF-8");
	return mcOutBytes(out->cxt, out->type, data, len, w, column);
}

static const char *
out_text(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

	return put_text(out, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v), w, column);
}

/* trailing blanks of char(n) are not part of the value */
static const char *
out_bpchar(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

	return put_text(out, VARDATA_ANY(v), bpchartruelen(VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v)), w, column);
}

static const char *
out_bytea(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	struct varlena *v = PG_DETOAST_DATUM_PACKED(value);

	return mcOutBytes(out->cxt, out->type, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v), w, column);
}

/* by the type's output function; only for types whose text no setting changes */
static const char *
out_by_function(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	char	   *text = OutputFunctionCall(&out->out, value);

	return put_text(out, text, strlen(text), w, column);
}

static const char *
out_jsonb_text(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	Jsonb	   *jb = DatumGetJsonbP(value);
	char	   *text = JsonbToCString(NULL, &jb->root, VARSIZE(jb));

	return put_text(out, text, strlen(text), w, column);
}

/* 'text' is a plain decimal number, sign allowed; trailing zeros may be cut in place */
const char *
mcOutDecimal(McOutContext *cxt, const mcw_odps_type *type, char *text, mcw_odps_writer *w, int column)
{
	int			precision = type->precision ? type->precision : LEGACY_PRECISION;
	int			scale = type->precision ? type->scale : LEGACY_SCALE;
	char	   *p = text + (*text == '-');
	char	   *point = strchr(p, '.');
	size_t		len = strlen(text);
	int			whole;

	while (*p == '0' && p[1] != '\0' && p[1] != '.')
		p++;
	whole = *p == '0' ? 0 : (point ? (int) (point - p) : (int) strlen(p));
	if (point)
	{
		while (text[len - 1] == '0' && (int) (text + len - point) > scale + 1)
			len--;
		if (text[len - 1] == '.')
			len--;
		text[len] = '\0';
		if ((int) (text + len - point) - 1 > scale)
			return mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
							   "more fraction digits than decimal(%d,%d) holds", precision, scale);
	}
	if (whole > precision - scale)
		return mcOutRefuse(cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						   "more digits before the point than decimal(%d,%d) holds", precision, scale);
	if (column)
		mcw_odps_put_bytes(w, column, text, len);
	else
		mcw_odps_elem_bytes(w, text, len);
	return NULL;
}

static const char *
out_numeric(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	Numeric		n = DatumGetNumeric(value);

	if (numeric_is_nan(n) || numeric_is_inf(n))
		return mcOutRefuse(out->cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						   "NaN and infinity do not exist in decimal");
	return mcOutDecimal(out->cxt, out->type,
						DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(n))), w, column);
}

static const char *
out_numeric_int(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, value));
	char	   *point = strchr(text, '.');
	int64_t		v;

	if (point && strspn(point + 1, "0") == strlen(point + 1))
		*point = '\0';
	if (!mcw_view_int64(mcw_str(text), &v))
		return mcOutRefuse(out->cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "not a whole number in the range of %s",
						   mcw_odps_kind_name(out->type->kind));
	return mcOutInt(out->cxt, out->type, v, w, column);
}

static const char *
out_int_decimal(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	int64		v = out->pgtype == INT8OID ? DatumGetInt64(value) :
		out->pgtype == INT4OID ? DatumGetInt32(value) : DatumGetInt16(value);

	return mcOutDecimal(out->cxt, out->type, psprintf(INT64_FORMAT, v), w, column);
}

const char *
mcOutDays(McOutContext *cxt, int64 days, mcw_odps_writer *w, int column)
{
	if (days < FIRST_DAY || days > LAST_DAY)
		return mcOutRefuse(cxt, ERRCODE_DATETIME_FIELD_OVERFLOW, "not between 0001-01-01 and 9999-12-31");
	if (column)
		mcw_odps_put_int(w, column, days);
	else
		mcw_odps_elem_int(w, days);
	return NULL;
}

static const char *
out_date(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	DateADT		date = DatumGetDateADT(value);

	if (DATE_NOT_FINITE(date))
		return mcOutRefuse(out->cxt, ERRCODE_DATETIME_FIELD_OVERFLOW, "infinity does not exist in date");
	return mcOutDays(out->cxt, (int64) date + MC_EPOCH_DAYS, w, column);
}

/* seconds floor, nanos 0..999999999: DATETIME, TIMESTAMP, TIMESTAMP_NTZ */
const char *
mcOutInstant(McOutContext *cxt, const mcw_odps_type *type, int64 seconds, int32 nanos,
			 mcw_odps_writer *w, int column)
{
	if (seconds < FIRST_SECOND || seconds > LAST_SECOND)
		return mcOutRefuse(cxt, ERRCODE_DATETIME_FIELD_OVERFLOW, "not between the years 0001 and 9999");
	if (type->kind == MCW_ODPS_DATETIME)
	{
		if (nanos % 1000000 != 0 && !cxt->truncate)
			return mcOutRefuse(cxt, ERRCODE_DATETIME_FIELD_OVERFLOW,
							   "datetime holds milliseconds, the value has a finer fraction");
		if (column)
			mcw_odps_put_int(w, column, seconds * 1000 + nanos / 1000000);
		else
			mcw_odps_elem_int(w, seconds * 1000 + nanos / 1000000);
	}
	else if (column)
		mcw_odps_put_timestamp(w, column, seconds, nanos);
	else
		mcw_odps_elem_timestamp(w, seconds, nanos);
	return NULL;
}

/* timestamptz is an instant, timestamp a wall clock; both count from 2000-01-01 */
static const char *
out_timestamp(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	int64		t = DatumGetTimestampTz(value);
	int64		seconds;
	int64		micros;

	if (TIMESTAMP_NOT_FINITE(t))
		return mcOutRefuse(out->cxt, ERRCODE_DATETIME_FIELD_OVERFLOW, "infinity does not exist in %s",
						   mcw_odps_kind_name(out->type->kind));
	seconds = t / USECS_PER_SEC;
	micros = t % USECS_PER_SEC;
	if (micros < 0)
	{
		micros += USECS_PER_SEC;
		seconds--;
	}
	return mcOutInstant(out->cxt, out->type, seconds + MC_EPOCH_SECONDS, (int32) micros * 1000, w, column);
}

static const char *
out_interval(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	Interval   *i = DatumGetIntervalP(value);
	int64		seconds;
	int64		micros;

	if (INTERVAL_NOT_FINITE(i))
		return mcOutRefuse(out->cxt, ERRCODE_INTERVAL_FIELD_OVERFLOW, "infinity does not exist in %s",
						   mcw_odps_kind_name(out->type->kind));
	if (out->type->kind == MCW_ODPS_INTERVAL_YEAR_MONTH)
	{
		if (i->day != 0 || i->time != 0)
			return mcOutRefuse(out->cxt, ERRCODE_INTERVAL_FIELD_OVERFLOW,
							   "interval_year_month holds months, the value has days or a time");
		if (column)
			mcw_odps_put_int(w, column, i->month);
		else
			mcw_odps_elem_int(w, i->month);
		return NULL;
	}
	if (i->month != 0)
		return mcOutRefuse(out->cxt, ERRCODE_INTERVAL_FIELD_OVERFLOW,
						   "interval_day_time holds days and seconds, the value has months");
	seconds = i->time / USECS_PER_SEC;
	micros = i->time % USECS_PER_SEC;
	if (micros < 0)
	{
		micros += USECS_PER_SEC;
		seconds--;
	}
	seconds += (int64) i->day * 86400;
	if (column)
		mcw_odps_put_timestamp(w, column, seconds, (int32) micros * 1000);
	else
		mcw_odps_elem_timestamp(w, seconds, (int32) micros * 1000);
	return NULL;
}

/* a one-dimensional PostgreSQL array to ARRAY or VECTOR */
static const char *
out_array(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	bool		vector = out->type->kind == MCW_ODPS_VECTOR;
	Datum	   *values;
	bool	   *nulls;
	int			n;

	if (ARR_NDIM(array) > 1)
		return mcOutRefuse(out->cxt, ERRCODE_ARRAY_SUBSCRIPT_ERROR, "the array has more than one dimension");
	deconstruct_array(array, ARR_ELEMTYPE(array), out->elem_len, out->elem_byval, out->elem_align,
					  &values, &nulls, &n);
	if (vector && n != out->type->length)
		return mcOutRefuse(out->cxt, ERRCODE_ARRAY_SUBSCRIPT_ERROR,
						   "%d elements do not make a vector of %d", n, out->type->length);
	if (column)
		mcw_odps_put_nested(w, column);
	mcw_odps_elem_count(w, n);
	for (int i = 0; i < n; i++)
	{
		const char *reason;

		if (vector && nulls[i])
			return mcOutRefuse(out->cxt, ERRCODE_NULL_VALUE_NOT_ALLOWED, "an element of a vector cannot be null");
		if (!vector)
			mcw_odps_elem_null(w, nulls[i]);
		if (nulls[i])
			continue;
		reason = out->children[0]->fn(out->children[0], values[i], w, 0);
		if (reason)
			return reason;
	}
	return NULL;
}

/* a composite value to STRUCT, fields matched by name when the statement began */
static const char *
out_composite(McOutType *out, Datum value, mcw_odps_writer *w, int column)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(value);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
	HeapTupleData tuple;
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	const char *reason = NULL;

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	heap_deform_tuple(&tuple, desc, values, nulls);
	ReleaseTupleDesc(desc);
	if (column)
		mcw_odps_put_nested(w, column);
	for (int i = 0; i < out->nchildren && !reason; i++)
	{
		int			a = out->attnos[i];

		mcw_odps_elem_null(w, a < 0 || nulls[a]);
		if (a >= 0 && !nulls[a])
			reason = out->children[i]->fn(out->children[i], values[a], w, 0);
	}
	return reason;
}

/* text whose form depends on no setting of the session */
static bool
has_stable_text(Oid pgtype)
{
	switch (pgtype)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case OIDOID:
		case CHAROID:
		case NAMEOID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case JSONOID:
			return true;
		default:
			return type_is_enum(pgtype);
	}
}

static McOutFn
text_function(McOutType *out)
{
	Oid			function;
	bool		varlena;

	switch (out->pgtype)
	{
		case TEXTOID:
		case VARCHAROID:
		case JSONOID:
			return out_text;
		case BPCHAROID:
			return out_bpchar;
		case JSONBOID:
			return out_jsonb_text;
		case BYTEAOID:
			return out_bytea;	/* a STRING may hold any bytes */
		default:
			if (!has_stable_text(out->pgtype))
				return NULL;
			getTypeOutputInfo(out->pgtype, &function, &varlena);
			fmgr_info_cxt(function, &out->out, CurrentMemoryContext);
			return out_by_function;
	}
}

static McOutFn
scalar_function(McOutType *out)
{
	Oid			t = out->pgtype;

	switch (out->type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
			return t == INT8OID ? out_int8 : t == INT4OID ? out_int4 : t == INT2OID ? out_int2 :
				t == NUMERICOID ? out_numeric_int : NULL;
		case MCW_ODPS_FLOAT:
		case MCW_ODPS_DOUBLE:
			return t == FLOAT8OID ? out_float8 : t == FLOAT4OID ? out_float4 : NULL;
		case MCW_ODPS_BOOLEAN:
			return t == BOOLOID ? out_bool : NULL;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			return text_function(out);
		case MCW_ODPS_JSON:
			return t == JSONOID ? out_text : t == JSONBOID ? out_jsonb_text : NULL;
		case MCW_ODPS_BINARY:
		case MCW_ODPS_GEOGRAPHY:
			return t == BYTEAOID ? out_bytea : NULL;
		case MCW_ODPS_DECIMAL:
			return t == NUMERICOID ? out_numeric :
				(t == INT8OID || t == INT4OID || t == INT2OID) ? out_int_decimal : NULL;
		case MCW_ODPS_DATE:
			return t == DATEOID ? out_date : NULL;
		case MCW_ODPS_DATETIME:
		case MCW_ODPS_TIMESTAMP:
			return t == TIMESTAMPTZOID ? out_timestamp : NULL;
		case MCW_ODPS_TIMESTAMP_NTZ:
			return t == TIMESTAMPOID ? out_timestamp : NULL;
		case MCW_ODPS_INTERVAL_YEAR_MONTH:
		case MCW_ODPS_INTERVAL_DAY_TIME:
			return t == INTERVALOID ? out_interval : NULL;
		default:
			return NULL;
	}
}

static bool
prepare_composite(McOutType *out, const char **reason)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(out->pgtype, -1);
	int			used = 0;

	out->nchildren = out->type->nchildren;
	out->children = palloc0(out->nchildren * sizeof(McOutType *));
	out->attnos = palloc(out->nchildren * sizeof(int));
	for (int i = 0; i < out->nchildren; i++)
	{
		out->attnos[i] = -1;
		for (int a = 0; a < desc->natts; a++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, a);

			if (att->attisdropped || !mcw_view_ieq(mcw_str(NameStr(att->attname)), out->type->names[i]))
				continue;
			if (out->attnos[i] >= 0)
			{
				*reason = psprintf("the composite type %s has two fields for \"%.*s\"", format_type_be(out->pgtype),
								   (int) out->type->names[i].len, out->type->names[i].data);
				ReleaseTupleDesc(desc);
				return false;
			}
			out->attnos[i] = a;
			used++;
			out->children[i] = mcOutPrepare(out->cxt, att->atttypid, out->type->children[i], reason);
			if (!out->children[i])
			{
				ReleaseTupleDesc(desc);
				return false;
			}
		}
	}
	for (int a = 0; a < desc->natts; a++)
		used -= !TupleDescAttr(desc, a)->attisdropped;
	ReleaseTupleDesc(desc);
	if (used < 0)
		*reason = psprintf("the composite type %s has a field that the struct has not", format_type_be(out->pgtype));
	return used >= 0;
}

McOutType *
mcOutPrepare(McOutContext *cxt, Oid pgtype, const mcw_odps_type *type, const char **reason)
{
	McOutType  *out = palloc0(sizeof(McOutType));
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		name;
	Oid			elem;

	*reason = NULL;
	out->cxt = cxt;
	out->type = type;
	out->pgtype = getBaseType(pgtype);
	out->low = type->kind == MCW_ODPS_TINYINT ? PG_INT8_MIN : type->kind == MCW_ODPS_SMALLINT ? PG_INT16_MIN :
		type->kind == MCW_ODPS_INT ? PG_INT32_MIN : -PG_INT64_MAX;
	out->high = type->kind == MCW_ODPS_TINYINT ? PG_INT8_MAX : type->kind == MCW_ODPS_SMALLINT ? PG_INT16_MAX :
		type->kind == MCW_ODPS_INT ? PG_INT32_MAX : PG_INT64_MAX;
	out->fn = scalar_function(out);
	out->plain_text = out->fn == out_text && type->kind == MCW_ODPS_STRING && !cxt->recode;
	if (out->fn)
		return out;

	elem = get_element_type(out->pgtype);
	if (OidIsValid(elem) && (type->kind == MCW_ODPS_ARRAY || type->kind == MCW_ODPS_VECTOR))
	{
		out->fn = out_array;
		out->nchildren = 1;
		out->children = palloc(sizeof(McOutType *));
		out->children[0] = mcOutPrepare(cxt, elem, type->children[0], reason);
		get_typlenbyvalalign(elem, &out->elem_len, &out->elem_byval, &out->elem_align);
		return out->children[0] ? out : NULL;
	}
	if (type->kind == MCW_ODPS_STRUCT && type_is_rowtype(out->pgtype) && out->pgtype != RECORDOID)
	{
		out->fn = out_composite;
		return prepare_composite(out, reason) ? out : NULL;
	}
	if (out->pgtype == JSONBOID && type->nchildren > 0)
	{
		*reason = mcOutJsonbPossible(type);
		out->fn = mcOutJsonb;
		return *reason ? NULL : out;
	}

	mcw_buf_init(&name, &alloc, 1 << 20);
	(void) mcw_odps_type_format(type, &name);
	*reason = psprintf("a column of type %s cannot be written to %s", format_type_be(pgtype),
					   mcw_buf_cstr(&name) ? name.data : "this type");
	return NULL;
}
