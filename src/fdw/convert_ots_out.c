/*
 * convert_ots_out.c
 *		From Datums to cells of Tablestore: values to write, keys, comparands of
 *		conditions.
 *
 * What is written depends on the value only, never on settings of the session.
 * Texts are in convert_text_out.c.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "convert_ots_out.h"

#define TWO_TO_63 9223372036854775808.0

static McOtsVerdict
bad_value(McOtsBad *bad, int sqlstate, char *reason)
{
	bad->sqlstate = sqlstate;
	bad->reason = reason;
	return MC_OTS_BAD;
}

static McOtsVerdict
not_exact(const McOtsOut *out, McOtsBad *bad)
{
	return bad_value(bad, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					 psprintf("the %s value cannot be stored exactly as %s",
							  format_type_be(out->text.type), mcw_ots_type_name(out->remote)));
}

/* ---- start ---- */

static mcw_ots_type
default_type(Oid type)
{
	switch (type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
			return MCW_OTS_INTEGER;
		case FLOAT4OID:
		case FLOAT8OID:
			return MCW_OTS_DOUBLE;
		case BOOLOID:
			return MCW_OTS_BOOLEAN;
		case BYTEAOID:
			return MCW_OTS_BINARY;
		default:
			return MCW_OTS_STRING;
	}
}

McOtsOut *
mcOtsOutCreate(const McOtsColumn *column, Oid type)
{
	McOtsOut   *out = palloc0(sizeof(McOtsOut));

	out->is_key = column->kind == MC_OTS_KEY;
	mcTextOutInit(&out->text, type);
	out->remote = column->any_type ? default_type(out->text.base) : column->remote;
	return out;
}

/* ---- numbers ---- */

static McOtsVerdict
from_int(const McOtsOut *out, int64 i, mcw_ots_value *value, McOtsBad *bad)
{
	if (out->remote == MCW_OTS_DOUBLE)
	{
		double		d = (double) i;

		if (d >= TWO_TO_63 || (int64) d != i)
			return not_exact(out, bad);
		value->d = d;
	}
	else
		value->i = i;
	return MC_OTS_OK;
}

static McOtsVerdict
from_float(const McOtsOut *out, double d, mcw_ots_value *value, McOtsBad *bad)
{
	if (isnan(d) || isinf(d))
		return bad_value(bad, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						 psprintf("%s cannot be stored in Tablestore", isnan(d) ? "NaN" : "Infinity"));
	if (out->remote == MCW_OTS_DOUBLE)
		value->d = d;
	else if (d >= -TWO_TO_63 && d < TWO_TO_63 && d == trunc(d))
		value->i = (int64) d;
	else
		return not_exact(out, bad);
	return MC_OTS_OK;
}

/* A decimal number as text, which has proved to be one, to a double that reads back as the same */
static bool
double_is(const char *text, double d)
{
	char		shortest[32];
	Datum		a;
	Datum		b;

	(void) mcOtsDoubleText(d, shortest);
	a = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	b = DirectFunctionCall3(numeric_in, CStringGetDatum(shortest), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return DatumGetBool(DirectFunctionCall2(numeric_eq, a, b));
}

static McOtsVerdict
from_decimal(const McOtsOut *out, const char *text, mcw_ots_value *value, McOtsBad *bad)
{
	char	   *end;

	errno = 0;
	if (out->remote == MCW_OTS_INTEGER)
	{
		size_t		digits;

		value->i = strtoll(text, &end, 10);
		/* 12.00 is integral */
		digits = *end == '.' ? 1 + strspn(end + 1, "0") : 0;
		if (errno != 0 || end == text || end[digits] != '\0')
			return not_exact(out, bad);
		return MC_OTS_OK;
	}
	value->d = strtod(text, &end);
	if (isinf(value->d) || isnan(value->d))
		return isdigit((unsigned char) text[text[0] == '-']) ? not_exact(out, bad) :
			bad_value(bad, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, psprintf("%s cannot be stored in Tablestore", text));
	return double_is(text, value->d) ? MC_OTS_OK : not_exact(out, bad);
}

/* ---- texts in columns of another type ---- */

/* [-]digits[.digits][e[+-]digits]; no blanks, no names */
static bool
is_decimal(const char *text)
{
	const char *p = text + (*text == '-');
	size_t		digits = strspn(p, "0123456789");

	p += digits;
	if (*p == '.')
	{
		size_t		more = strspn(p + 1, "0123456789");

		digits += more;
		p += 1 + more;
	}
	if (digits > 0 && (*p == 'e' || *p == 'E'))
	{
		size_t		exponent;

		p++;
		p += *p == '+' || *p == '-';
		exponent = strspn(p, "0123456789");
		p += exponent;
		return exponent > 0 && exponent < 5 && *p == '\0';
	}
	return digits > 0 && *p == '\0';
}

/* The text must be what the column's own input would accept */
static McOtsVerdict
from_text(const McOtsOut *out, const char *text, mcw_ots_value *value, McOtsBad *bad)
{
	bool		b;

	switch (out->remote)
	{
		case MCW_OTS_BOOLEAN:
			if (parse_bool(text, &b))
			{
				value->b = b;
				return MC_OTS_OK;
			}
			break;
		case MCW_OTS_INTEGER:
			if (is_decimal(text))
				return from_decimal(out, text, value, bad);
			break;
		case MCW_OTS_DOUBLE:
			if (is_decimal(text))
				return from_decimal(out, text, value, bad);
			break;
		default:
			break;
	}
	return bad_value(bad, ERRCODE_INVALID_TEXT_REPRESENTATION,
					 psprintf("the text is not a value of type %s", mcw_ots_type_name(out->remote)));
}

static McOtsVerdict
to_scalar(McOtsOut *out, Datum datum, mcw_ots_value *value, McOtsBad *bad)
{
	bool		is_number = out->remote == MCW_OTS_INTEGER || out->remote == MCW_OTS_DOUBLE;

	switch (out->text.base)
	{
		case INT2OID:
			if (is_number)
				return from_int(out, DatumGetInt16(datum), value, bad);
			break;
		case INT4OID:
			if (is_number)
				return from_int(out, DatumGetInt32(datum), value, bad);
			break;
		case INT8OID:
			if (is_number)
				return from_int(out, DatumGetInt64(datum), value, bad);
			break;
		case FLOAT4OID:
			if (is_number)
				return from_float(out, DatumGetFloat4(datum), value, bad);
			break;
		case FLOAT8OID:
			if (is_number)
				return from_float(out, DatumGetFloat8(datum), value, bad);
			break;
		case NUMERICOID:
			if (is_number)
				return from_decimal(out, DatumGetCString(DirectFunctionCall1(numeric_out, datum)), value, bad);
			break;
		case BOOLOID:
			if (out->remote == MCW_OTS_BOOLEAN)
			{
				value->b = DatumGetBool(datum);
				return MC_OTS_OK;
			}
			break;
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
			return from_text(out, TextDatumGetCString(datum), value, bad);
		case NAMEOID:
			return from_text(out, NameStr(*DatumGetName(datum)), value, bad);
		default:
			break;
	}
	return bad_value(bad, ERRCODE_FDW_INVALID_DATA_TYPE,
					 psprintf("a value of type %s cannot become %s", format_type_be(out->text.type),
							  mcw_ots_type_name(out->remote)));
}

/* ---- bytes ---- */

static McOtsVerdict
check_length(const McOtsOut *out, const mcw_ots_value *value, McOtsBad *bad)
{
	size_t		max = out->is_key ? MCW_OTS_MAX_KEY_BYTES : MCW_OTS_MAX_VALUE_BYTES;

	if (likely(value->s.len <= max))
		return MC_OTS_OK;
	return bad_value(bad, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
					 psprintf("the value has %zu bytes, %s of Tablestore has at most %zu", value->s.len,
							  out->is_key ? "a key value" : "an attribute value", max));
}

static McOtsVerdict
to_bytes(McOtsOut *out, Datum datum, mcw_ots_value *value, McOtsBad *bad)
{
	struct varlena *bytes;

	if (out->text.base != BYTEAOID)
		return bad_value(bad, ERRCODE_FDW_INVALID_DATA_TYPE,
						 psprintf("a value of type %s cannot become BINARY", format_type_be(out->text.type)));
	bytes = PG_DETOAST_DATUM_PACKED(datum);
	value->s.data = VARDATA_ANY(bytes);
	value->s.len = VARSIZE_ANY_EXHDR(bytes);
	return check_length(out, value, bad);
}

McOtsVerdict
mcOtsOut(McOtsOut *out, Datum datum, mcw_ots_value *value, McOtsBad *bad)
{
	McTextError error;

	value->type = (uint8) out->remote;
	switch (out->remote)
	{
		case MCW_OTS_STRING:
			if (mcTextOut(&out->text, datum, &value->s, &error) != MC_TEXT_OK)
				return bad_value(bad, error.sqlstate, error.reason);
			return check_length(out, value, bad);
		case MCW_OTS_BINARY:
			return to_bytes(out, datum, value, bad);
		default:
			return to_scalar(out, datum, value, bad);
	}
}
