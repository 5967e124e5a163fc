/*
 * convert_ots_in.c
 *		From cells of Tablestore to Datums.
 *
 * A cell of the declared type becomes exactly the value it holds, or it is bad:
 * nothing is rounded, cut or wrapped.  What has no direct way goes through the text
 * form and the type's input function.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "convert_ots.h"

/* ---- start ---- */

static McOtsFast
fast_case(Oid type, int32 typmod, uint8 *remote)
{
	switch (type)
	{
		case INT8OID:
			*remote = MCW_OTS_INTEGER;
			return MC_OTS_FAST_INT8;
		case INT4OID:
			*remote = MCW_OTS_INTEGER;
			return MC_OTS_FAST_INT4;
		case INT2OID:
			*remote = MCW_OTS_INTEGER;
			return MC_OTS_FAST_INT2;
		case FLOAT8OID:
			*remote = MCW_OTS_DOUBLE;
			return MC_OTS_FAST_FLOAT8;
		case BOOLOID:
			*remote = MCW_OTS_BOOLEAN;
			return MC_OTS_FAST_BOOL;
		case BYTEAOID:
			*remote = MCW_OTS_BINARY;
			return MC_OTS_FAST_BYTEA;
		case TEXTOID:
		case VARCHAROID:
			*remote = MCW_OTS_STRING;
			return typmod < 0 ? MC_OTS_FAST_TEXT : MC_OTS_FAST_NONE;
		default:
			return MC_OTS_FAST_NONE;
	}
}

/* Types whose input functions round or cut to the modifier without an error */
static bool
may_round(Oid type)
{
	switch (type)
	{
		case NUMERICOID:
		case VARCHAROID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
			return true;
		default:
			return false;
	}
}

McOtsIn *
mcOtsInCreate(const McOtsColumn *column, bool swallow)
{
	McOtsIn    *in = palloc0(sizeof(McOtsIn));
	int32		typmod = column->typmod;

	in->column = column;
	in->swallow = swallow;
	in->any_type = column->any_type || column->kind == MC_OTS_CELL_VALUE;
	in->base = getBaseTypeAndTypmod(column->type, &typmod);
	in->remote = (uint8) column->remote;
	mcTextColumnInit(&in->text, column->type, column->typmod);
	if (in->base == column->type)
	{
		uint8		remote = MCW_OTS_NONE;

		in->fast = fast_case(column->type, column->typmod, &remote);
		if (in->any_type)
			in->remote = remote;
		else if (remote != in->remote)
			in->fast = MC_OTS_FAST_NONE;
	}
	if (typmod >= 0 && may_round(in->base))
	{
		TypeCacheEntry *entry = lookup_type_cache(in->base, TYPECACHE_EQ_OPR_FINFO);

		in->exact = true;
		in->collation = column->collation;
		fmgr_info_copy(&in->equal, &entry->eq_opr_finfo, CurrentMemoryContext);
		mcTextColumnInit(&in->plain, in->base, -1);
	}
	return in;
}

/* ---- text form ---- */

int
mcOtsDoubleText(double d, char *buf)
{
	if (isnan(d))
		return (int) strlcpy(buf, "NaN", 32);
	if (isinf(d))
		return (int) strlcpy(buf, d < 0 ? "-Infinity" : "Infinity", 32);
	return double_to_shortest_decimal_buf(d, buf);
}

/* "\x" and digits.  All texts made here leave a byte for a short varlena header before them. */
static mcw_view
hex_text(mcw_view bytes)
{
	mcw_view	text;
	char	   *buf = palloc(bytes.len * 2 + 4);

	buf[1] = '\\';
	buf[2] = 'x';
	(void) hex_encode(bytes.data, bytes.len, buf + 3);
	buf[bytes.len * 2 + 3] = '\0';
	text.data = buf + 1;
	text.len = bytes.len * 2 + 2;
	return text;
}

mcw_view
mcOtsValueText(const mcw_ots_value *value)
{
	mcw_view	text;
	char	   *buf;

	switch (value->type)
	{
		case MCW_OTS_STRING:
			return value->s;
		case MCW_OTS_BINARY:
			return hex_text(value->s);
		case MCW_OTS_BOOLEAN:
			buf = palloc(8);
			text.len = strlcpy(buf + 1, value->b ? "true" : "false", 7);
			text.data = buf + 1;
			return text;
		default:
			buf = palloc(36);
			if (value->type == MCW_OTS_DOUBLE)
				text.len = mcOtsDoubleText(value->d, buf + 1);
			else
				text.len = pg_lltoa(value->i, buf + 1);
			text.data = buf + 1;
			return text;
	}
}

/* ---- the general way ---- */

static McOtsVerdict
bad_value(McOtsBad *bad, int sqlstate, char *reason)
{
	bad->sqlstate = sqlstate;
	bad->reason = reason;
	return MC_OTS_BAD;
}

static McOtsVerdict
inexact(const McOtsIn *in, const mcw_ots_value *value, McOtsBad *bad)
{
	return bad_value(bad, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
					 psprintf("the %s value is not exactly a value of type %s",
							  mcw_ots_type_name(value->type),
							  format_type_with_typemod(in->column->type, in->column->typmod)));
}

static McOtsVerdict
no_way(const McOtsIn *in, const mcw_ots_value *value, McOtsBad *bad)
{
	return bad_value(bad, ERRCODE_FDW_INVALID_DATA_TYPE,
					 psprintf("a value of type %s cannot become %s", mcw_ots_type_name(value->type),
							  format_type_be(in->column->type)));
}

/* A number to the integer types and floats, which have no rounding of their own.  False: not such a type */
static bool
number_to(const McOtsIn *in, const mcw_ots_value *value, Datum *datum, bool *exact)
{
	bool		is_int = value->type == MCW_OTS_INTEGER;
	bool		integral;
	int64		i;
	double		d;

	if (is_int)
	{
		i = value->i;
		d = (double) i;
		integral = true;
	}
	else
	{
		d = value->d;
		integral = d >= -9223372036854775808.0 && d < 9223372036854775808.0 && d == trunc(d);
		i = integral ? (int64) d : 0;
	}
	switch (in->base)
	{
		case INT8OID:
			*exact = integral;
			*datum = Int64GetDatum(i);
			return true;
		case INT4OID:
			*exact = integral && i == (int32) i;
			*datum = Int32GetDatum((int32) i);
			return true;
		case INT2OID:
			*exact = integral && i == (int16) i;
			*datum = Int16GetDatum((int16) i);
			return true;
		case FLOAT8OID:
			/* 2^63 as a double does not fit back */
			*exact = !is_int || (d < 9223372036854775808.0 && (int64) d == i);
			*datum = Float8GetDatum(d);
			return true;
		case FLOAT4OID:
			*exact = isnan(d) || ((double) (float) d == d &&
								  (!is_int || (d < 9223372036854775808.0 && (int64) d == i)));
			*datum = Float4GetDatum((float) d);
			return true;
		default:
			return false;
	}
}

static bool
is_text_type(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID;
}

static McOtsVerdict
binary_in(const mcw_ots_value *value, Datum *datum, McOtsBad *bad)
{
	bytea	   *copy;

	if (value->s.len > MaxAllocSize - VARHDRSZ)
		return bad_value(bad, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
						 psprintf("a value of %zu bytes is too long", value->s.len));
	copy = palloc(value->s.len + VARHDRSZ);
	SET_VARSIZE(copy, value->s.len + VARHDRSZ);
	memcpy(VARDATA(copy), value->s.data, value->s.len);
	*datum = PointerGetDatum(copy);
	return MC_OTS_OK;
}

/* Is the value that 'text' names, without the modifier, the same as with it? */
static bool
same_without_modifier(McOtsIn *in, mcw_view text, Datum datum)
{
	McTextError error;
	Datum		plain;

	return mcTextConvert(&in->plain, text, in->swallow, &plain, &error) != MC_TEXT_OK ||
		DatumGetBool(FunctionCall2Coll(&in->equal, in->collation, datum, plain));
}

/* The input functions of these types cut without a word */
static bool
will_be_cut(const McOtsIn *in, mcw_view text)
{
	McTextError error;
	char	   *server;

	if (in->base == CHAROID)
		return text.len > 1 && !(text.len == 4 && text.data[0] == '\\');
	if (in->base != NAMEOID || text.len < NAMEDATALEN)
		return false;
	server = mcTextToServer(text, in->swallow, &error);
	return server != NULL && strlen(server) >= NAMEDATALEN;
}

static McOtsVerdict
text_in(McOtsIn *in, const mcw_ots_value *value, Datum *datum, McOtsBad *bad)
{
	mcw_view	text = mcOtsValueText(value);
	McTextError error;

	if (in->text.fast != NULL && in->text.fast(&in->text, text, datum))
		return MC_OTS_OK;
	if (will_be_cut(in, text))
		return bad_value(bad, ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
						 psprintf("the value is too long for type %s", format_type_be(in->column->type)));
	if (mcTextConvert(&in->text, text, in->swallow, datum, &error) != MC_TEXT_OK)
		return bad_value(bad, error.sqlstate, error.reason);
	if (in->exact && !same_without_modifier(in, text, *datum))
		return bad_value(bad, in->base == VARCHAROID ? ERRCODE_STRING_DATA_RIGHT_TRUNCATION : ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
						 psprintf("the value does not fit into type %s without loss",
								  format_type_with_typemod(in->column->type, in->column->typmod)));
	return MC_OTS_OK;
}

/* Is the text form of such a cell a value of the type? */
static bool
takes_text_form(const McOtsIn *in, const mcw_ots_value *value)
{
	bool		is_json = in->base == JSONBOID || in->base == JSONOID;

	switch (value->type)
	{
		case MCW_OTS_STRING:
			return in->base != BYTEAOID;
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			return in->base == NUMERICOID || is_text_type(in->base) || is_json;
		case MCW_OTS_BOOLEAN:
			return in->base == BOOLOID || is_text_type(in->base) || is_json;
		case MCW_OTS_BINARY:
			return is_text_type(in->base) || in->base == BYTEAOID;
		default:
			return false;
	}
}

McOtsVerdict
mcOtsIn(McOtsIn *in, const mcw_ots_value *value, Datum *datum, McOtsBad *bad)
{
	bool		is_domain = in->base != in->column->type;
	bool		exact;

	if (mcOtsInFast(in, value, datum))
		return MC_OTS_OK;
	if (!in->any_type && value->type != (uint8) in->column->remote)
		return bad_value(bad, ERRCODE_FDW_INVALID_DATA_TYPE,
						 psprintf("the value is of type %s, the column is declared as %s",
								  mcw_ots_type_name(value->type), mcw_ots_type_name(in->column->remote)));
	/* a domain's input function has the last word */
	if ((value->type == MCW_OTS_INTEGER || value->type == MCW_OTS_DOUBLE) && number_to(in, value, datum, &exact))
	{
		if (!exact)
			return inexact(in, value, bad);
		return is_domain ? text_in(in, value, datum, bad) : MC_OTS_OK;
	}
	if (value->type == MCW_OTS_BINARY && in->base == BYTEAOID && !is_domain)
		return binary_in(value, datum, bad);
	if (!takes_text_form(in, value))
		return no_way(in, value, bad);
	return text_in(in, value, datum, bad);
}
