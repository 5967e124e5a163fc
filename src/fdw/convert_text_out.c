/*
 * convert_text_out.c
 *		The canonical text of a Datum: ISO dates, times with zone in UTC, floats that
 *		read back as they were.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "../wire/mcw_text.h"
#include "convert_text_out.h"

void
mcTextOutInit(McTextOut *out, Oid type)
{
	Oid			function;
	bool		varlena;

	out->type = type;
	out->base = getBaseType(type);
	out->check_utf8 = GetDatabaseEncoding() == PG_SQL_ASCII;
	getTypeOutputInfo(type, &function, &varlena);
	fmgr_info(function, &out->output);
}

/* ---- dates and times: ISO whatever DateStyle, UTC whatever TimeZone ---- */

static char *
date_text(DateADT date)
{
	char		buf[MAXDATELEN + 1];
	struct pg_tm tm;

	if (DATE_NOT_FINITE(date))
		EncodeSpecialDate(date, buf);
	else
	{
		j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, buf);
	}
	return pstrdup(buf);
}

static char *
timestamp_text(Timestamp at, bool with_zone)
{
	char		buf[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;

	if (TIMESTAMP_NOT_FINITE(at))
		EncodeSpecialTimestamp(at, buf);
	else if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) == 0)
	{
		/* it is negative now, which says that there is no zone */
		tm.tm_isdst = 0;
		EncodeDateTime(&tm, fsec, with_zone, 0, NULL, USE_ISO_DATES, buf);
	}
	else
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	return pstrdup(buf);
}

/* ---- everything else ---- */

/* The output function, with the settings that it may ask at their canonical values */
static char *
output_text(McTextOut *out, Datum datum)
{
	char	   *volatile text = NULL;
	int			date_style = DateStyle;
	int			interval_style = IntervalStyle;
	int			float_digits = extra_float_digits;
	int			bytea_style = bytea_output;
	pg_tz	   *zone = session_timezone;

	PG_TRY();
	{
		DateStyle = USE_ISO_DATES;
		IntervalStyle = INTSTYLE_POSTGRES;
		extra_float_digits = 1;
		bytea_output = BYTEA_OUTPUT_HEX;
		session_timezone = pg_tzset("UTC");
		text = OutputFunctionCall(&out->output, datum);
	}
	PG_FINALLY();
	{
		DateStyle = date_style;
		IntervalStyle = interval_style;
		extra_float_digits = float_digits;
		bytea_output = bytea_style;
		session_timezone = zone;
	}
	PG_END_TRY();
	return text;
}

static char *
made_text(McTextOut *out, Datum datum)
{
	char	   *buf;

	switch (out->base)
	{
		case INT2OID:
			buf = palloc(8);
			pg_itoa(DatumGetInt16(datum), buf);
			return buf;
		case INT4OID:
			buf = palloc(12);
			pg_ltoa(DatumGetInt32(datum), buf);
			return buf;
		case INT8OID:
			buf = palloc(24);
			pg_lltoa(DatumGetInt64(datum), buf);
			return buf;
		case BOOLOID:
			return pstrdup(DatumGetBool(datum) ? "true" : "false");
		case DATEOID:
			return date_text(DatumGetDateADT(datum));
		case TIMESTAMPOID:
			return timestamp_text(DatumGetTimestamp(datum), false);
		case TIMESTAMPTZOID:
			return timestamp_text(DatumGetTimestampTz(datum), true);
		default:
			return output_text(out, datum);
	}
}

McTextVerdict
mcTextOut(McTextOut *out, Datum datum, mcw_view *text, McTextError *error)
{
	if (out->base == TEXTOID || out->base == VARCHAROID)
	{
		struct varlena *bytes = PG_DETOAST_DATUM_PACKED(datum);

		text->data = VARDATA_ANY(bytes);
		text->len = VARSIZE_ANY_EXHDR(bytes);
	}
	else
		*text = mcw_str(made_text(out, datum));
	if (likely(GetDatabaseEncoding() == PG_UTF8 || mcw_plain_ascii(text->data, text->len)))
		return MC_TEXT_OK;
	if (out->check_utf8)
	{
		if (mcw_utf8_valid(text->data, text->len) == text->len)
			return MC_TEXT_OK;
		error->sqlstate = ERRCODE_CHARACTER_NOT_IN_REPERTOIRE;
		error->reason = psprintf("the text is not valid UTF-8 at byte %zu", mcw_utf8_valid(text->data, text->len));
		return MC_TEXT_BAD;
	}
	/* the source need not be terminated, the result is if it is new */
	text->data = pg_server_to_any(pnstrdup(text->data, text->len), text->len, PG_UTF8);
	text->len = strlen(text->data);
	return MC_TEXT_OK;
}
