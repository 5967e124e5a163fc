/*
 * convert_file_out_text.c
 *		The text of numbers and times as their output functions give it, into a buffer of
 *		the caller.
 *
 * Years 1 to 9999 in ISO style are written here, anything else by the server's own
 * functions.  The layout of numeric is that of the disk, which pg_upgrade keeps.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgtime.h"
#include "utils/datetime.h"
#include "utils/timestamp.h"

#include "convert_file_out.h"

/* 0001-01-01 and 10000-01-01 in days from 2000-01-01 */
#define FIRST_DAY (-730119)
#define END_DAY 2921940

static const char pairs[201] =
"0001020304050607080910111213141516171819"
"2021222324252627282930313233343536373839"
"4041424344454647484950515253545556575859"
"6061626364656667686970717273747576777879"
"8081828384858687888990919293949596979899";

static inline char *
put_2(char *to, unsigned n)
{
	memcpy(to, pairs + 2 * n, 2);
	return to + 2;
}

static inline char *
put_4(char *to, unsigned n)
{
	return put_2(put_2(to, n / 100), n % 100);
}

/* ---- dates and times ---- */

static inline bool
is_iso(int style)
{
	return style == USE_ISO_DATES || style == USE_XSD_DATES;
}

/* 'day' is of the years 1 to 9999 */
static inline char *
put_day(char *to, int32 day)
{
	int			y;
	int			m;
	int			d;

	j2date(day + POSTGRES_EPOCH_JDATE, &y, &m, &d);
	to = put_4(to, (unsigned) y);
	*to++ = '-';
	to = put_2(to, (unsigned) m);
	*to++ = '-';
	return put_2(to, (unsigned) d);
}

/* a wall clock in microseconds from 2000-01-01; NULL: not a year that is written here */
static inline char *
put_clock(char *to, int64 t, int style)
{
	int64		day = t / USECS_PER_DAY;
	int64		in_day = t % USECS_PER_DAY;
	unsigned	seconds;
	unsigned	micros;

	if (in_day < 0)
	{
		in_day += USECS_PER_DAY;
		day--;
	}
	if (unlikely(day < FIRST_DAY || day >= END_DAY))
		return NULL;
	to = put_day(to, (int32) day);
	*to++ = style == USE_XSD_DATES ? 'T' : ' ';
	seconds = (unsigned) (in_day / USECS_PER_SEC);
	micros = (unsigned) (in_day % USECS_PER_SEC);
	to = put_2(to, seconds / 3600);
	*to++ = ':';
	to = put_2(to, seconds / 60 % 60);
	*to++ = ':';
	to = put_2(to, seconds % 60);
	if (micros != 0)
	{
		*to++ = '.';
		to = put_2(to, micros / 10000);
		to = put_4(to, micros % 10000);
		while (to[-1] == '0')
			to--;
	}
	return to;
}

int
mcFileDate(DateADT date, int style, char *to)
{
	struct pg_tm tm;

	if (likely(date >= FIRST_DAY && date < END_DAY && is_iso(style)))
		return (int) (put_day(to, date) - to);
	if (DATE_NOT_FINITE(date))
		EncodeSpecialDate(date, to);
	else
	{
		j2date(date + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, style, to);
	}
	return (int) strlen(to);
}

static void
out_of_range(void)
{
	ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
}

int
mcFileTimestamp(Timestamp at, int style, char *to)
{
	char	   *end = is_iso(style) ? put_clock(to, at, style) : NULL;
	struct pg_tm tm;
	fsec_t		fsec;

	if (likely(end))
		return (int) (end - to);
	if (TIMESTAMP_NOT_FINITE(at))
		EncodeSpecialTimestamp(at, to);
	else if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) == 0)
		EncodeDateTime(&tm, fsec, false, 0, NULL, style, to);
	else
		out_of_range();
	return (int) strlen(to);
}

/* How far the zone is from UTC at an instant, and until when */
static void
find_span(McZoneSpan *span, pg_time_t t)
{
	const struct pg_tm *tm = pg_localtime(&t, session_timezone);
	long		before;
	long		after;
	int			before_dst;
	int			after_dst;
	pg_time_t	boundary;
	int			found = pg_next_dst_boundary(&t, &before, &before_dst, &boundary, &after, &after_dst, session_timezone);

	span->zone = NULL;
	if (tm == NULL)
		return;
	span->zone = session_timezone;
	span->gmtoff = tm->tm_gmtoff;
	span->from = t;
	span->to = found < 0 || before != tm->tm_gmtoff ? t + 1 : found == 0 ? PG_INT64_MAX : boundary;
}

/* an offset of whole minutes, west of UTC or not */
static inline char *
put_zone(char *to, long gmtoff, int style)
{
	unsigned	minutes = (unsigned) (gmtoff < 0 ? -gmtoff : gmtoff) / 60;

	*to++ = gmtoff >= 0 ? '+' : '-';
	to = put_2(to, minutes / 60);
	if (minutes % 60 != 0 || style == USE_XSD_DATES)
	{
		*to++ = ':';
		to = put_2(to, minutes % 60);
	}
	return to;
}

int
mcFileTimestampTz(TimestampTz at, int style, McZoneSpan *span, char *to)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;
	const char *tzn;

	if (likely(is_iso(style) && !TIMESTAMP_NOT_FINITE(at)))
	{
		pg_time_t	t = at / USECS_PER_SEC - (at % USECS_PER_SEC < 0) + MC_EPOCH_SECONDS;

		if (unlikely(span->zone != session_timezone || t < span->from || t >= span->to))
			find_span(span, t);
		if (span->zone && span->gmtoff % 60 == 0 && span->gmtoff > -100 * 3600 && span->gmtoff < 100 * 3600)
		{
			char	   *end = put_clock(to, at + span->gmtoff * USECS_PER_SEC, style);

			if (end)
				return (int) (put_zone(end, span->gmtoff, style) - to);
		}
	}
	if (TIMESTAMP_NOT_FINITE(at))
		EncodeSpecialTimestamp(at, to);
	else if (timestamp2tm(at, &tz, &tm, &fsec, &tzn, NULL) == 0)
		EncodeDateTime(&tm, fsec, true, tz, tzn, style, to);
	else
		out_of_range();
	return (int) strlen(to);
}

/* ---- numeric ---- */

#define NUMERIC_MAX_GROUPS 24	/* of four digits, before and behind the point together */

static inline unsigned
digit_group(const char *digits, int n, int i)
{
	uint16		group;

	if (i < 0 || i >= n)
		return 0;
	memcpy(&group, digits + 2 * i, 2);
	return group;
}

int
mcFileNumeric(const struct varlena *packed, char *to)
{
	const char *data = VARDATA_ANY(packed);
	int			len = (int) VARSIZE_ANY_EXHDR(packed);
	char	   *at = to;
	uint16		header;
	int16		weight;
	int			scale;
	bool		negative;
	const char *digits;
	int			n;
	int			i;
	unsigned	group;

	memcpy(&header, data, 2);
	if (unlikely((header & 0xC000) == 0xC000))
		return 0;				/* NaN, infinity */
	if (header & 0x8000)
	{
		negative = (header & 0x2000) != 0;
		scale = (header & 0x1F80) >> 7;
		weight = (int16) ((header & 0x3F) - (header & 0x40));
		digits = data + 2;
	}
	else
	{
		negative = (header & 0xC000) == 0x4000;
		scale = header & 0x3FFF;
		memcpy(&weight, data + 2, 2);
		digits = data + 4;
	}
	n = (int) (data + len - digits) / 2;
	if (unlikely(weight >= NUMERIC_MAX_GROUPS || scale > 4 * (NUMERIC_MAX_GROUPS - (weight > 0 ? weight : 0))))
		return 0;

	if (negative)
		*at++ = '-';
	group = weight < 0 ? 0 : digit_group(digits, n, 0);
	if (group >= 100)
	{
		at = put_4(at, group);
		if (group < 1000)
		{
			memmove(at - 4, at - 3, 3);
			at--;
		}
	}
	else if (group >= 10)
		at = put_2(at, group);
	else
		*at++ = (char) ('0' + group);
	for (i = 1; i <= weight; i++)
		at = put_4(at, digit_group(digits, n, i));
	if (scale > 0)
	{
		char	   *end;

		*at++ = '.';
		end = at + scale;
		/* groups in front of the first one are zeros too */
		for (i = weight + 1; at < end; i++)
			at = put_4(at, digit_group(digits, n, i));
		at = end;
	}
	return (int) (at - to);
}

/* ---- uuid ---- */

int
mcFileUuid(const uint8 *bytes, char *to)
{
	static const char hex[] = "0123456789abcdef";
	char	   *at = to;

	for (int i = 0; i < 16; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[bytes[i] >> 4];
		*at++ = hex[bytes[i] & 15];
	}
	return (int) (at - to);
}
