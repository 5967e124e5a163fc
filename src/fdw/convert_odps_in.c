/*
 * convert_odps_in.c
 *		A value of a tunnel record as a Datum.
 *
 * One function per pair of types is chosen when the scan begins.  A value fits
 * exactly or is refused with a reason: nothing is wrapped, cut or rounded, except
 * fractions of a second under on_precision_loss 'truncate'.  Not here: what happens
 * to a refused value (reject.c), text and JSON forms (convert_odps_in_text.c), arrays
 * and composites (convert_odps_in_nested.c).  Types: MaxCompute protocol, chapter 6.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "odps_read.h"

#include "../wire/mcw_text.h"

#define MAX_DECIMAL_TEXT 256

const char *
mcInRefuse(McInContext *cxt, int sqlstate, const char *fmt,...)
{
	char		buf[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	cxt->sqlstate = sqlstate;
	return pstrdup(buf);
}

/* ---- numbers ---- */

static const char *
in_int(McInType *in, const mcw_odps_value *value, Datum *out)
{
	int64		v = value->i64;

	if (unlikely(v < in->low || v > in->high))
		return mcInRefuse(in->cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, INT64_FORMAT " is out of range of %s",
						  v, in->pgtype == INT2OID ? "smallint" : "integer");
	*out = in->pgtype == INT8OID ? Int64GetDatum(v) : in->pgtype == INT4OID ? Int32GetDatum((int32) v) :
		Int16GetDatum((int16) v);
	return NULL;
}

static const char *
in_int8(McInType *in, const mcw_odps_value *value, Datum *out)
{
	*out = Int64GetDatum(value->i64);
	return NULL;
}

static const char *
in_int_float8(McInType *in, const mcw_odps_value *value, Datum *out)
{
	*out = Float8GetDatum((double) value->i64);
	return NULL;
}

static const char *
in_bool(McInType *in, const mcw_odps_value *value, Datum *out)
{
	*out = BoolGetDatum(value->i64 != 0);
	return NULL;
}

static const char *
in_float4(McInType *in, const mcw_odps_value *value, Datum *out)
{
	*out = Float4GetDatum(value->f32);
	return NULL;
}

static const char *
in_float8(McInType *in, const mcw_odps_value *value, Datum *out)
{
	*out = Float8GetDatum(value->f64);
	return NULL;
}

static const char *
in_float4_float8(McInType *in, const mcw_odps_value *value, Datum *out)
{
	*out = Float8GetDatum((double) value->f32);
	return NULL;
}

/*
 * Digits that numeric(p,s) has no room for.  What numeric_in would round or refuse
 * is refused here, so that it can be rejected.
 */
static const char *
check_decimal(McInType *in, const char *text, size_t len)
{
	const char *p = text;
	const char *end = text + len;
	int			whole = 0;
	int			fraction = 0;
	int			digits = 0;
	bool		point = false;

	if (p < end && (*p == '-' || *p == '+'))
		p++;
	for (; p < end; p++)
	{
		if (*p == '.' && !point)
			point = true;
		else if (*p >= '0' && *p <= '9')
		{
			digits++;
			if (!point && (whole > 0 || *p != '0'))
				whole++;
			if (point)
				fraction++;
		}
		else
			return mcInRefuse(in->cxt, ERRCODE_INVALID_TEXT_REPRESENTATION, "not a decimal number");
	}
	if (digits == 0)
		return mcInRefuse(in->cxt, ERRCODE_INVALID_TEXT_REPRESENTATION, "not a decimal number");
	for (p = end; point && fraction > 0 && p[-1] == '0'; p--)
		fraction--;
	if (in->typmod >= (int32) VARHDRSZ)
	{
		int			precision = ((in->typmod - VARHDRSZ) >> 16) & 0xffff;
		int			scale = ((((in->typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024);

		if (whole > precision - scale || fraction > scale)
			return mcInRefuse(in->cxt, ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
							  "%d digits before and %d behind the point do not fit numeric(%d,%d)",
							  whole, fraction, precision, scale);
	}
	return NULL;
}

static const char *
numeric_from_text(McInType *in, const char *text, size_t len, Datum *out)
{
	const char *reason = check_decimal(in, text, len);

	if (reason)
		return reason;
	*out = DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
							   Int32GetDatum(in->typmod));
	return NULL;
}

static const char *
in_decimal(McInType *in, const mcw_odps_value *value, Datum *out)
{
	char		text[MAX_DECIMAL_TEXT];

	if (value->bytes.len >= sizeof(text))
		return mcInRefuse(in->cxt, ERRCODE_INVALID_TEXT_REPRESENTATION, "not a decimal number");
	memcpy(text, value->bytes.data, value->bytes.len);
	text[value->bytes.len] = '\0';
	return numeric_from_text(in, text, value->bytes.len, out);
}

static const char *
in_int_numeric(McInType *in, const mcw_odps_value *value, Datum *out)
{
	char		text[32];

	if (in->typmod < (int32) VARHDRSZ)
	{
		*out = NumericGetDatum(int64_to_numeric(value->i64));
		return NULL;
	}
	return numeric_from_text(in, text, snprintf(text, sizeof(text), INT64_FORMAT, value->i64), out);
}

/* ---- text and bytes ---- */

const char *
mcInCheckText(McInContext *cxt, mcw_view bytes, mcw_view *text)
{
	*text = bytes;
	if (likely(mcw_plain_ascii(bytes.data, bytes.len)))
		return NULL;
	if (memchr(bytes.data, '\0', bytes.len))
		return mcInRefuse(cxt, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
						  "the value contains a NUL byte, which text cannot hold; declare the column as bytea");
	if (cxt->encoding == PG_SQL_ASCII)
		return NULL;
	if (mcw_utf8_valid(bytes.data, bytes.len) != bytes.len)
		return mcInRefuse(cxt, ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
						  "the value is not valid UTF-8; declare the column as bytea");
	if (cxt->encoding != PG_UTF8)
	{
		Oid			proc = FindDefaultConversionProc(PG_UTF8, cxt->encoding);
		Size		size = bytes.len * MAX_CONVERSION_GROWTH + 1;
		unsigned char *dest;
		int			used;

		if (!OidIsValid(proc))
			return mcInRefuse(cxt, ERRCODE_UNDEFINED_FUNCTION, "there is no conversion from UTF8 to %s",
							  pg_encoding_to_char(cxt->encoding));
		dest = palloc(size);
		used = pg_do_encoding_conversion_buf(proc, PG_UTF8, cxt->encoding, (unsigned char *) bytes.data,
											 (int) bytes.len, dest, (int) size, true);
		if (used != (int) bytes.len)
			return mcInRefuse(cxt, ERRCODE_UNTRANSLATABLE_CHARACTER,
							  "the value has a character that encoding %s lacks", pg_encoding_to_char(cxt->encoding));
		text->data = (char *) dest;
		text->len = strlen((char *) dest);
	}
	return NULL;
}

char *
mcInShown(mcw_view text)
{
	McInContext cxt = {.encoding = GetDatabaseEncoding()};
	mcw_view	shown;
	char	   *copy;

	if (mcInCheckText(&cxt, text, &shown) == NULL)
		return pnstrdup(shown.data, shown.len);
	copy = pnstrdup(text.data, text.len);
	for (char *p = copy; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return copy;
}

static inline Datum
make_varlena(mcw_view bytes)
{
	struct varlena *v = palloc(bytes.len + VARHDRSZ);

	SET_VARSIZE(v, bytes.len + VARHDRSZ);
	memcpy(VARDATA(v), bytes.data, bytes.len);
	return PointerGetDatum(v);
}

/* CHAR values arrive with or without their padding, which is no part of the value */
static inline mcw_view
without_padding(const McInType *in, mcw_view v)
{
	if (in->type->kind == MCW_ODPS_CHAR)
		while (v.len > 0 && v.data[v.len - 1] == ' ')
			v.len--;
	return v;
}

/*
 * A short value becomes a Datum where it stands: its one length byte turns into a
 * short varlena header.
 */
static inline Datum
short_varlena_in_place(mcw_view bytes)
{
	char	   *header = unconstify(char *, bytes.data) - 1;

	SET_VARSIZE_SHORT(header, bytes.len + 1);
	return PointerGetDatum(header);
}

static const char *
in_text(McInType *in, const mcw_odps_value *value, Datum *out)
{
	mcw_view	text;
	const char *reason;

	if (likely(value->bytes.len < VARATT_SHORT_MAX && !in->nested &&
			   mcw_plain_ascii(value->bytes.data, value->bytes.len) && in->type->kind != MCW_ODPS_CHAR))
	{
		*out = short_varlena_in_place(value->bytes);
		return NULL;
	}
	reason = mcInCheckText(in->cxt, value->bytes, &text);
	if (!reason)
		*out = make_varlena(without_padding(in, text));
	return reason;
}

/* varchar(n) and char(n) */
static const char *
limited_text(McInType *in, mcw_view text, Datum *out)
{
	int			limit = in->typmod - VARHDRSZ;
	int			chars = text.len <= limit && in->pgtype != BPCHAROID ? 0 : pg_mbstrlen_with_len(text.data, text.len);
	struct varlena *v;

	if (chars > limit && in->pgtype == BPCHAROID)
		while (chars > limit && text.len > 0 && text.data[text.len - 1] == ' ')
		{
			text.len--;
			chars--;
		}
	if (chars > limit)
		return mcInRefuse(in->cxt, ERRCODE_STRING_DATA_RIGHT_TRUNCATION,
						  "%d characters are more than the column's %d", chars, limit);
	if (in->pgtype != BPCHAROID)
	{
		*out = make_varlena(text);
		return NULL;
	}
	v = palloc(text.len + (limit - chars) + VARHDRSZ);
	SET_VARSIZE(v, text.len + (limit - chars) + VARHDRSZ);
	memcpy(VARDATA(v), text.data, text.len);
	memset(VARDATA(v) + text.len, ' ', limit - chars);
	*out = PointerGetDatum(v);
	return NULL;
}

static const char *
in_limited_text(McInType *in, const mcw_odps_value *value, Datum *out)
{
	mcw_view	text;
	const char *reason = mcInCheckText(in->cxt, value->bytes, &text);

	return reason ? reason : limited_text(in, without_padding(in, text), out);
}

/* any type as its canonical text */
static const char *
in_rendered_text(McInType *in, const mcw_odps_value *value, Datum *out)
{
	StringInfoData s;
	const char *reason;
	mcw_view	text;

	initStringInfo(&s);
	reason = mcInRenderText(in->cxt, &s, in->type, value);
	if (reason)
		return reason;
	text.data = s.data;
	text.len = s.len;
	if (in->pgtype != TEXTOID && in->typmod >= (int32) VARHDRSZ)
		return limited_text(in, text, out);
	*out = make_varlena(text);
	return NULL;
}

static const char *
in_bytea(McInType *in, const mcw_odps_value *value, Datum *out)
{
	if (value->bytes.len < VARATT_SHORT_MAX && !in->nested)
		*out = short_varlena_in_place(value->bytes);
	else
		*out = make_varlena(value->bytes);
	return NULL;
}

/* STRING as a type with an input function of its own: inet, uuid, enums, jsonb, ... */
static const char *
in_by_function(McInType *in, const mcw_odps_value *value, Datum *out)
{
	mcw_view	bytes = without_padding(in, value->bytes);
	McTextError error;

	if (in->text->fast && !in->nested && in->text->fast(in->text, bytes, out))
		return NULL;
	if (mcTextConvert(in->text, bytes, !in->cxt->stop, out, &error) == MC_TEXT_OK)
		return NULL;
	in->cxt->sqlstate = error.sqlstate;
	return error.reason;
}

/* ---- dates and times ---- */

static const char *
in_date(McInType *in, const mcw_odps_value *value, Datum *out)
{
	int64		days = value->i64;

	if (days < INT64CONST(-100000000) || days > INT64CONST(4000000000) || !IS_VALID_DATE(days - MC_EPOCH_DAYS))
		return mcInRefuse(in->cxt, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "the date is out of range of PostgreSQL");
	*out = DateADTGetDatum((DateADT) (days - MC_EPOCH_DAYS));
	return NULL;
}

/* seconds and nanos since 1970 as microseconds since 2000, at the precision of the column */
static const char *
instant(McInType *in, int64 seconds, int32 nanos, Datum *out)
{
	static const int32 units[] = {1000000000, 100000000, 10000000, 1000000, 100000, 10000, 1000};
	int			precision = in->typmod >= 0 && in->typmod < 6 ? in->typmod : 6;
	int32		rest = nanos % units[precision];
	Timestamp	result;

	if (rest != 0)
	{
		if (!in->cxt->truncate)
			return mcInRefuse(in->cxt, ERRCODE_DATETIME_FIELD_OVERFLOW,
							  "the fraction .%09d has more digits than the column's %d (on_precision_loss)",
							  nanos, precision);
		nanos -= rest;
	}
	if (pg_sub_s64_overflow(seconds, MC_EPOCH_SECONDS, &seconds) ||
		pg_mul_s64_overflow(seconds, USECS_PER_SEC, &result) ||
		pg_add_s64_overflow(result, nanos / 1000, &result) || !IS_VALID_TIMESTAMP(result))
		return mcInRefuse(in->cxt, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, "the time is out of range of PostgreSQL");
	*out = TimestampGetDatum(result);
	return NULL;
}

static const char *
in_timestamp(McInType *in, const mcw_odps_value *value, Datum *out)
{
	return instant(in, value->i64, value->nanos, out);
}

static const char *
in_datetime(McInType *in, const mcw_odps_value *value, Datum *out)
{
	int64		seconds = value->i64 / 1000;
	int32		ms = (int32) (value->i64 % 1000);

	if (ms < 0)
	{
		ms += 1000;
		seconds--;
	}
	return instant(in, seconds, ms * 1000000, out);
}

static const char *
in_months(McInType *in, const mcw_odps_value *value, Datum *out)
{
	Interval   *interval = palloc0(sizeof(Interval));

	interval->month = (int32) value->i64;
	*out = IntervalPGetDatum(interval);
	return NULL;
}

static const char *
in_seconds(McInType *in, const mcw_odps_value *value, Datum *out)
{
	Interval   *interval = palloc0(sizeof(Interval));
	int32		rest = value->nanos % 1000;
	int32		nanos = value->nanos;

	if (rest != 0)
	{
		if (!in->cxt->truncate)
			return mcInRefuse(in->cxt, ERRCODE_DATETIME_FIELD_OVERFLOW,
							  "the fraction of %d ns has more digits than interval's 6 (on_precision_loss)", nanos);
		nanos -= rest;
	}
	if (pg_mul_s64_overflow(value->i64, USECS_PER_SEC, &interval->time) ||
		pg_add_s64_overflow(interval->time, nanos / 1000, &interval->time))
		return mcInRefuse(in->cxt, ERRCODE_INTERVAL_FIELD_OVERFLOW, "the interval is out of range of PostgreSQL");
	*out = IntervalPGetDatum(interval);
	return NULL;
}

static const char *
in_void(McInType *in, const mcw_odps_value *value, Datum *out)
{
	return mcInRefuse(in->cxt, ERRCODE_DATATYPE_MISMATCH, "a value of type void");
}

/* ---- choice ---- */

static bool
is_integer(mcw_odps_kind kind)
{
	return kind == MCW_ODPS_TINYINT || kind == MCW_ODPS_SMALLINT || kind == MCW_ODPS_INT || kind == MCW_ODPS_BIGINT;
}

static bool
is_string(mcw_odps_kind kind)
{
	return kind == MCW_ODPS_STRING || kind == MCW_ODPS_VARCHAR || kind == MCW_ODPS_CHAR;
}

static McInFn
number_function(McInType *in, mcw_odps_kind kind)
{
	switch (in->pgtype)
	{
		case INT2OID:
		case INT4OID:
			in->low = in->pgtype == INT2OID ? PG_INT16_MIN : PG_INT32_MIN;
			in->high = in->pgtype == INT2OID ? PG_INT16_MAX : PG_INT32_MAX;
			return is_integer(kind) ? in_int : NULL;
		case INT8OID:
			return is_integer(kind) ? in_int8 : NULL;
		case FLOAT4OID:
			return kind == MCW_ODPS_FLOAT ? in_float4 : NULL;
		case FLOAT8OID:
			return kind == MCW_ODPS_DOUBLE ? in_float8 : kind == MCW_ODPS_FLOAT ? in_float4_float8 :
				is_integer(kind) && kind != MCW_ODPS_BIGINT ? in_int_float8 : NULL;
		case NUMERICOID:
			return kind == MCW_ODPS_DECIMAL ? in_decimal : is_integer(kind) ? in_int_numeric : NULL;
		case BOOLOID:
			return kind == MCW_ODPS_BOOLEAN ? in_bool : NULL;
		default:
			return NULL;
	}
}

static McInFn
time_function(McInType *in, mcw_odps_kind kind)
{
	switch (in->pgtype)
	{
		case DATEOID:
			return kind == MCW_ODPS_DATE ? in_date : NULL;
		case TIMESTAMPTZOID:
			return kind == MCW_ODPS_DATETIME ? in_datetime : kind == MCW_ODPS_TIMESTAMP ? in_timestamp : NULL;
		case TIMESTAMPOID:
			return kind == MCW_ODPS_TIMESTAMP_NTZ ? in_timestamp : NULL;
		case INTERVALOID:
			if (in->typmod >= 0)
				return NULL;
			return kind == MCW_ODPS_INTERVAL_YEAR_MONTH ? in_months :
				kind == MCW_ODPS_INTERVAL_DAY_TIME ? in_seconds : NULL;
		default:
			return NULL;
	}
}

/* NULL if no scalar conversion exists */
static McInFn
scalar_function(McInType *in)
{
	mcw_odps_kind kind = in->type->kind;
	McInFn		fn;

	if (kind == MCW_ODPS_VOID)
		return in_void;
	fn = number_function(in, kind);
	if (!fn)
		fn = time_function(in, kind);
	if (fn)
		return fn;
	switch (in->pgtype)
	{
		case TEXTOID:
			return is_string(kind) ? in_text : in_rendered_text;
		case VARCHAROID:
		case BPCHAROID:
			if (!is_string(kind))
				return in_rendered_text;
			return in->typmod >= (int32) VARHDRSZ ? in_limited_text : in_text;
		case BYTEAOID:
			return kind == MCW_ODPS_BINARY || kind == MCW_ODPS_GEOGRAPHY || kind == MCW_ODPS_BLOB ||
				is_string(kind) ? in_bytea : NULL;
		case JSONOID:
		case JSONBOID:
			if (kind == MCW_ODPS_JSON || in->type->nchildren > 0)
				return mcInJson;
			/* FALLTHROUGH */
		default:
			/* STRING holds what the type's own input function understands, but numbers and times have types of their own */
			return is_string(kind) ? in_by_function : NULL;
	}
}

McInType *
mcInPrepare(McInContext *cxt, Oid pgtype, int32 typmod, const mcw_odps_type *type, const char **reason)
{
	McInType   *in = palloc0(sizeof(McInType));
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		name;

	*reason = NULL;
	in->cxt = cxt;
	in->type = type;
	in->typmod = typmod;
	in->pgtype = getBaseTypeAndTypmod(pgtype, &in->typmod);
	if (in->pgtype != pgtype)
		in->domain = pgtype;
	in->domain_cxt = CurrentMemoryContext;

	in->fn = mcInNestedFunction(in, reason);
	if (!in->fn && !*reason)
		in->fn = scalar_function(in);
	if (in->fn == in_by_function)
	{
		in->text = palloc0(sizeof(McTextColumn));
		mcTextColumnInit(in->text, in->pgtype, in->typmod);
		in->text->zone = cxt->zone;
	}
	if (in->fn)
		return in;
	if (!*reason)
	{
		mcw_buf_init(&name, &alloc, 1 << 20);
		(void) mcw_odps_type_format(type, &name);
		*reason = psprintf("MaxCompute type %s cannot be read as %s", mcw_buf_cstr(&name) ? name.data : "?",
						   format_type_with_typemod(pgtype, typmod));
	}
	return NULL;
}

/* A constraint may run any function: errors are caught inside a subtransaction only. */
const char *
mcInCheckDomain(McInType *in, Datum value, bool isnull)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	const char *volatile reason = NULL;

	if (in->cxt->stop)
	{
		domain_check(value, isnull, in->domain, &in->domain_extra, in->domain_cxt);
		return NULL;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		domain_check(value, isnull, in->domain, &in->domain_extra, in->domain_cxt);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(context);
		CurrentResourceOwner = owner;
		if (!mcIsValueError(edata->sqlerrcode))
			ReThrowError(edata);
		in->cxt->sqlstate = edata->sqlerrcode;
		reason = edata->message;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return reason;
}
