/*
 * convert_text.c
 *		Text values of a service as Datums.
 *
 * The fast functions accept exactly a subset of what the type's input function
 * accepts, for which the result is certain to be the same; everything else goes to
 * the input function, so that results never differ.  They neither allocate nor
 * raise, but for numerics and texts too long for an in-place header.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/numeric.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

#include "../wire/mcw_text.h"
#include "convert_text.h"

#define SHORT_TEXT_MAX 126		/* bytes a one-byte varlena header can carry */

/* ---- text ---- */

bool
mcTextIsServer(mcw_view value)
{
	if (likely(mcw_plain_ascii(value.data, value.len)))
		return true;
	return GetDatabaseEncoding() == PG_UTF8 &&
		memchr(value.data, '\0', value.len) == NULL &&
		mcw_utf8_valid(value.data, value.len) == value.len;
}

static bool
fast_text(McTextColumn *column, mcw_view value, Datum *datum)
{
	text	   *copy;

	if (unlikely(!mcTextIsServer(value)))
		return false;
	if (likely(value.len <= SHORT_TEXT_MAX))
	{
		char	   *header = unconstify(char *, value.data) - 1;

		SET_VARSIZE_SHORT(header, value.len + VARHDRSZ_SHORT);
		*datum = PointerGetDatum(header);
		return true;
	}
	if (value.len > MaxAllocSize - VARHDRSZ)
		return false;
	copy = palloc(value.len + VARHDRSZ);
	SET_VARSIZE(copy, value.len + VARHDRSZ);
	memcpy(VARDATA(copy), value.data, value.len);
	*datum = PointerGetDatum(copy);
	return true;
}

/* ---- numbers ---- */

/* Decimal digits with an optional minus sign; at most 18 digits, so nothing overflows */
static bool
parse_integer(mcw_view value, int64 *result)
{
	const char *p = value.data;
	const char *end = p + value.len;
	bool		negative = p < end && *p == '-';
	int64		n = 0;

	p += negative;
	if (p == end || end - p > 18)
		return false;
	for (; p < end; p++)
	{
		unsigned	digit = (unsigned) (unsigned char) *p - '0';

		if (digit > 9)
			return false;
		n = n * 10 + digit;
	}
	*result = negative ? -n : n;
	return true;
}

static bool
fast_int8(McTextColumn *column, mcw_view value, Datum *datum)
{
	int64		n;

	if (!parse_integer(value, &n))
		return false;
	*datum = Int64GetDatum(n);
	return true;
}

static bool
fast_int4(McTextColumn *column, mcw_view value, Datum *datum)
{
	int64		n;

	if (!parse_integer(value, &n) || n < PG_INT32_MIN || n > PG_INT32_MAX)
		return false;
	*datum = Int32GetDatum((int32) n);
	return true;
}

static bool
fast_int2(McTextColumn *column, mcw_view value, Datum *datum)
{
	int64		n;

	if (!parse_integer(value, &n) || n < PG_INT16_MIN || n > PG_INT16_MAX)
		return false;
	*datum = Int16GetDatum((int16) n);
	return true;
}

/* digits[.digits]: the digits as an integer and how many stand behind the point */
static bool
parse_decimal(mcw_view value, int max_digits, uint64 *mantissa, int *scale, bool *negative)
{
	const char *p = value.data;
	const char *end = p + value.len;
	int			digits = 0;
	bool		point = false;

	*negative = p < end && *p == '-';
	p += *negative;
	*mantissa = 0;
	*scale = 0;
	for (; p < end; p++)
	{
		unsigned	digit = (unsigned) (unsigned char) *p - '0';

		if (digit <= 9)
		{
			if (++digits > max_digits)
				return false;
			*mantissa = *mantissa * 10 + digit;
			*scale += point;
		}
		else if (*p == '.' && !point && digits > 0)
			point = true;
		else
			return false;
	}
	return digits > 0 && p[-1] != '.';
}

/*
 * An integer below 2^53 divided by a power of ten below 10^23 is one correctly
 * rounded operation on exact operands: the same as strtod.
 */
static bool
fast_float8(McTextColumn *column, mcw_view value, Datum *datum)
{
	static const double power[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
	uint64		mantissa;
	int			scale;
	bool		negative;
	double		d;

	if (!parse_decimal(value, 15, &mantissa, &scale, &negative))
		return false;
	d = (double) mantissa / power[scale];
	*datum = Float8GetDatum(negative ? -d : d);
	return true;
}

/* The same for float: below 2^24, and 10^10 is the largest exact power */
static bool
fast_float4(McTextColumn *column, mcw_view value, Datum *datum)
{
	static const float power[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f, 1e6f, 1e7f};
	uint64		mantissa;
	int			scale;
	bool		negative;
	float		f;

	if (!parse_decimal(value, 7, &mantissa, &scale, &negative))
		return false;
	f = (float) mantissa / power[scale];
	*datum = Float4GetDatum(negative ? -f : f);
	return true;
}

/*
 * At most 18 digits, which a declared precision takes without rounding: an integer over a
 * power of ten, which PostgreSQL makes exactly and with that many decimals.
 */
static bool
fast_numeric(McTextColumn *column, mcw_view value, Datum *datum)
{
	uint64		mantissa;
	int			scale;
	bool		negative;

	if (!parse_decimal(value, 18, &mantissa, &scale, &negative))
		return false;
	if (column->typmod >= 0)
	{
		int			precision = ((column->typmod - VARHDRSZ) >> 16) & 0xffff;
		int			wanted = (column->typmod - VARHDRSZ) & 0x7ff;
		uint64		limit = 1;

		/* a negative scale is above 1024 here */
		if (precision > 18 || wanted > 18 || scale > wanted)
			return false;
		while (precision-- > 0)
			limit *= 10;
		for (; scale < wanted; scale++)
		{
			if (mantissa >= limit)
				return false;
			mantissa *= 10;
		}
		if (mantissa >= limit)
			return false;
	}
	*datum = NumericGetDatum(int64_div_fast_to_numeric(negative ? -(int64) mantissa : (int64) mantissa, scale));
	return true;
}

static bool
fast_bool(McTextColumn *column, mcw_view value, Datum *datum)
{
	const char *p = value.data;

	if ((value.len == 1 && (*p == 't' || *p == '1')) || (value.len == 4 && memcmp(p, "true", 4) == 0))
		*datum = BoolGetDatum(true);
	else if ((value.len == 1 && (*p == 'f' || *p == '0')) || (value.len == 5 && memcmp(p, "false", 5) == 0))
		*datum = BoolGetDatum(false);
	else
		return false;
	return true;
}

/* ---- dates and times ---- */

static bool
two_digits(const char *p, int *number)
{
	unsigned	a = (unsigned) (unsigned char) p[0] - '0';
	unsigned	b = (unsigned) (unsigned char) p[1] - '0';

	*number = (int) (a * 10 + b);
	return a <= 9 && b <= 9;
}

/* YYYY-MM-DD, years 1 to 9999 */
static bool
parse_date(const char *p, struct pg_tm *tm)
{
	int			high;
	int			low;

	if (p[4] != '-' || p[7] != '-' || !two_digits(p, &high) || !two_digits(p + 2, &low) ||
		!two_digits(p + 5, &tm->tm_mon) || !two_digits(p + 8, &tm->tm_mday))
		return false;
	tm->tm_year = high * 100 + low;
	return tm->tm_year >= 1 && tm->tm_mon >= 1 && tm->tm_mon <= 12 && tm->tm_mday >= 1 &&
		tm->tm_mday <= day_tab[isleap(tm->tm_year)][tm->tm_mon - 1];
}

/*
 * YYYY-MM-DD{T| }HH:MM:SS[.f{1,6}], then what is left in 'rest'.  Leap seconds,
 * 24:00:00 and longer fractions are left to the input function.
 */
static bool
parse_date_time(mcw_view value, struct pg_tm *tm, fsec_t *fsec, mcw_view *rest)
{
	static const int scale[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
	const char *p = value.data;
	const char *end = p + value.len;
	int			digits = 0;

	if (value.len < 19 || !parse_date(p, tm) || (p[10] != ' ' && p[10] != 'T') ||
		p[13] != ':' || p[16] != ':' || !two_digits(p + 11, &tm->tm_hour) ||
		!two_digits(p + 14, &tm->tm_min) || !two_digits(p + 17, &tm->tm_sec) ||
		tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59)
		return false;
	*fsec = 0;
	p += 19;
	if (p < end && *p == '.')
	{
		for (p++; p < end && (unsigned) (unsigned char) *p - '0' <= 9; p++)
		{
			if (++digits > 6)
				return false;
			*fsec = *fsec * 10 + (*p - '0');
		}
		if (digits == 0)
			return false;
		*fsec *= scale[digits];
	}
	rest->data = p;
	rest->len = end - p;
	return true;
}

/* Z, +HH, +HHMM, +HH:MM up to 14 hours; seconds west of Greenwich as PostgreSQL has it */
static bool
parse_zone(mcw_view v, int *zone)
{
	int			hours;
	int			minutes = 0;

	if (v.len == 1 && v.data[0] == 'Z')
	{
		*zone = 0;
		return true;
	}
	if (v.len < 3 || (v.data[0] != '+' && v.data[0] != '-') || !two_digits(v.data + 1, &hours))
		return false;
	if (v.len == 5)
	{
		if (!two_digits(v.data + 3, &minutes))
			return false;
	}
	else if (v.len == 6)
	{
		if (v.data[3] != ':' || !two_digits(v.data + 4, &minutes))
			return false;
	}
	else if (v.len != 3)
		return false;
	if (hours > 14 || minutes > 59)
		return false;
	*zone = hours * 3600 + minutes * 60;
	if (v.data[0] == '+')
		*zone = -*zone;
	return true;
}

static bool
fast_timestamptz(McTextColumn *column, mcw_view value, Datum *datum)
{
	struct pg_tm tm;
	fsec_t		fsec;
	mcw_view	rest;
	int			zone;
	TimestampTz result;

	if (!parse_date_time(value, &tm, &fsec, &rest))
		return false;
	if (rest.len == 0)
	{
		tm.tm_isdst = -1;
		zone = DetermineTimeZoneOffset(&tm, column->zone);
	}
	else if (!parse_zone(rest, &zone))
		return false;
	if (tm2timestamp(&tm, fsec, &zone, &result) != 0)
		return false;
	*datum = TimestampTzGetDatum(result);
	return true;
}

static bool
fast_timestamp(McTextColumn *column, mcw_view value, Datum *datum)
{
	struct pg_tm tm;
	fsec_t		fsec;
	mcw_view	rest;
	Timestamp	result;

	if (!parse_date_time(value, &tm, &fsec, &rest) || rest.len != 0 ||
		tm2timestamp(&tm, fsec, NULL, &result) != 0)
		return false;
	*datum = TimestampGetDatum(result);
	return true;
}

static bool
fast_date(McTextColumn *column, mcw_view value, Datum *datum)
{
	struct pg_tm tm;

	if (value.len != 10 || !parse_date(value.data, &tm))
		return false;
	*datum = DateADTGetDatum(date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE);
	return true;
}

/* ---- choosing ---- */

/*
 * Input functions of these types allocate and raise, nothing else: an error in one
 * can be caught without a subtransaction.
 */
static bool
is_pure(Oid type)
{
	switch (type)
	{
		case BOOLOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case BYTEAOID:
		case DATEOID:
		case TIMEOID:
		case TIMETZOID:
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
		case INTERVALOID:
		case UUIDOID:
		case INETOID:
		case CIDROID:
		case MACADDROID:
		case MACADDR8OID:
		case JSONOID:
		case JSONBOID:
		case BITOID:
		case VARBITOID:
		case POINTOID:
			return true;
		default:
			return false;
	}
}

void
mcTextColumnInit(McTextColumn *column, Oid type, int32 typmod)
{
	Oid			function;

	memset(column, 0, sizeof(*column));
	column->type = type;
	column->typmod = typmod;
	column->zone = session_timezone;
	getTypeInputInfo(type, &function, &column->typioparam);
	fmgr_info(function, &column->input);
	column->pure = is_pure(type);

	switch (type)
	{
		case TEXTOID:
			column->fast = fast_text;
			column->is_text = true;
			break;
		case VARCHAROID:
			if (typmod < 0)
			{
				column->fast = fast_text;
				column->is_text = true;
			}
			break;
		case BOOLOID:
			column->fast = fast_bool;
			break;
		case INT2OID:
			column->fast = fast_int2;
			break;
		case INT4OID:
			column->fast = fast_int4;
			break;
		case INT8OID:
			column->fast = fast_int8;
			break;
		case FLOAT4OID:
			column->fast = fast_float4;
			break;
		case FLOAT8OID:
			column->fast = fast_float8;
			break;
		case NUMERICOID:
			column->fast = fast_numeric;
			break;
		case DATEOID:
			column->fast = fast_date;
			break;
		case TIMESTAMPOID:
			column->fast = typmod < 0 ? fast_timestamp : NULL;
			break;
		case TIMESTAMPTZOID:
			column->fast = typmod < 0 ? fast_timestamptz : NULL;
			break;
		default:
			break;
	}
}

/* ---- the slow road ---- */

bool
mcIsValueError(int sqlstate)
{
	int			category = ERRCODE_TO_CATEGORY(sqlstate);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		sqlstate == ERRCODE_PROGRAM_LIMIT_EXCEEDED;
}

/* Values without a zone are of the column's zone, not of the session's */
static Datum
call_input(McTextColumn *column, char *text)
{
	session_timezone = column->zone;
	return InputFunctionCall(&column->input, text, column->typioparam, column->typmod);
}

/*
 * Run the action; false with *sqlstate if it raised an error about the value.
 * Errors are caught here even if the caller will raise, because the server's own
 * message shows the value, which only log_verbosity 'verbose' allows.
 */
static bool
try_action(McTextAction action, McTextColumn *column, char *text, bool subtransaction,
		   Datum *datum, int *sqlstate)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	pg_tz	   *zone = session_timezone;
	volatile bool ok = true;

	if (subtransaction)
	{
		BeginInternalSubTransaction(NULL);
		MemoryContextSwitchTo(context);
	}
	PG_TRY();
	{
		*datum = action(column, text);
		session_timezone = zone;
		if (subtransaction)
		{
			ReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(context);
			CurrentResourceOwner = owner;
		}
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		session_timezone = zone;
		MemoryContextSwitchTo(context);
		edata = CopyErrorData();
		FlushErrorState();
		/* before anything is passed on: whoever gets it knows nothing of a subtransaction */
		if (subtransaction)
		{
			RollbackAndReleaseCurrentSubTransaction();
			MemoryContextSwitchTo(context);
			CurrentResourceOwner = owner;
		}
		if (!mcIsValueError(edata->sqlerrcode))
			ReThrowError(edata);
		*sqlstate = edata->sqlerrcode;
		FreeErrorData(edata);
		ok = false;
	}
	PG_END_TRY();
	return ok;
}

static Datum
call_encoding(McTextColumn *column, char *text)
{
	return PointerGetDatum(pg_any_to_server(text, strlen(text), PG_UTF8));
}

char *
mcTextToServer(mcw_view value, bool swallow, McTextError *error)
{
	char	   *copy;
	Datum		converted;

	if (value.len > MaxAllocSize - 1)
	{
		error->sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		error->reason = psprintf("a value of %zu bytes is too long", value.len);
		return NULL;
	}
	if (value.len > 0 && memchr(value.data, '\0', value.len) != NULL)
	{
		error->sqlstate = ERRCODE_UNTRANSLATABLE_CHARACTER;
		error->reason = pstrdup("the value contains a NUL character, which PostgreSQL cannot store");
		return NULL;
	}
	copy = palloc(value.len + 1);
	memcpy(copy, value.data, value.len);
	copy[value.len] = '\0';
	if (mcw_plain_ascii(copy, value.len))
		return copy;
	if (mcw_utf8_valid(copy, value.len) != value.len)
	{
		error->sqlstate = ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		error->reason = psprintf("the value is not valid UTF-8 at byte %zu",
								 mcw_utf8_valid(copy, value.len));
		return NULL;
	}
	if (GetDatabaseEncoding() == PG_UTF8)
		return copy;
	/* a conversion function may look into catalogs */
	if (!try_action(call_encoding, NULL, copy, swallow, &converted, &error->sqlstate))
	{
		error->reason = psprintf("the value has characters that encoding \"%s\" does not have",
								 GetDatabaseEncodingName());
		return NULL;
	}
	return (char *) DatumGetPointer(converted);
}

bool
mcTextTry(McTextAction action, McTextColumn *column, char *text, bool subtransaction, Datum *datum, McTextError *error)
{
	if (try_action(action, column, text, subtransaction, datum, &error->sqlstate))
		return true;
	error->reason = psprintf("the value is not valid for type %s",
							 format_type_with_typemod(column->type, column->typmod));
	return false;
}

McTextVerdict
mcTextConvert(McTextColumn *column, mcw_view value, bool swallow, Datum *datum, McTextError *error)
{
	char	   *text = mcTextToServer(value, swallow, error);

	if (text == NULL || !mcTextTry(call_input, column, text, swallow && !column->pure, datum, error))
		return MC_TEXT_BAD;
	return MC_TEXT_OK;
}

char *
mcShownName(mcw_view name)
{
	McTextError error;
	char	   *text = mcTextToServer(name, true, &error);

	if (text != NULL)
		return text;
	text = pnstrdup(name.data, name.len);
	for (char *p = text; *p; p++)
		if (IS_HIGHBIT_SET(*p))
			*p = '?';
	return text;
}
