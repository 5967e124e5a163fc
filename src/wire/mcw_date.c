/*
 * mcw_date.c
 *		The Gregorian calendar, HTTP and ISO 8601 dates.  There is no local time and
 *		no time zone database here: everything is UTC or carries its offset.
 */
#include "mcw_text.h"

#include <stdio.h>

#define SECONDS_PER_DAY 86400

/* ---- calendar ---- */

/*
 * Both functions count in eras of 400 years (146097 days) with years that begin
 * on the first of March, so that the leap day is the last day of a year.
 */
int64_t
mcw_days_from_civil(int64_t year, int month, int day)
{
	int64_t		y = month <= 2 ? year - 1 : year;
	int64_t		era = (y >= 0 ? y : y - 399) / 400;
	int64_t		year_of_era = y - era * 400;
	int64_t		day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t		day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return era * 146097 + day_of_era - 719468;
}

void
mcw_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
	int64_t		z = days + 719468;
	int64_t		era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t		day_of_era = z - era * 146097;
	int64_t		year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
							   day_of_era / 146096) / 365;
	int64_t		day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int			march_month = (int) ((5 * day_of_year + 2) / 153);

	*day = (int) (day_of_year - (153 * march_month + 2) / 5) + 1;
	*month = march_month < 10 ? march_month + 3 : march_month - 9;
	*year = year_of_era + era * 400 + (*month <= 2);
}

static int
days_in_month(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* ---- dates ---- */

typedef struct civil_time
{
	int64_t		year;
	int			month;
	int			day;
	int			hour;
	int			minute;
	int			second;
	int			weekday;		/* 0 = Sunday; set by civil_from_unix only */
} civil_time;

/* The formats have four digits for the year: others are clamped to 0000 and 9999. */
static civil_time
civil_from_unix(int64_t seconds)
{
	const int64_t first = INT64_C(-62167219200);	/* 0000-01-01 00:00:00 */
	const int64_t last = INT64_C(253402300799); /* 9999-12-31 23:59:59 */
	civil_time	t;
	int64_t		days;
	int			rest;

	seconds = seconds < first ? first : seconds > last ? last : seconds;
	days = (seconds >= 0 ? seconds : seconds - (SECONDS_PER_DAY - 1)) / SECONDS_PER_DAY;
	rest = (int) (seconds - days * SECONDS_PER_DAY);
	mcw_civil_from_days(days, &t.year, &t.month, &t.day);
	t.hour = rest / 3600;
	t.minute = rest / 60 % 60;
	t.second = rest % 60;
	t.weekday = (int) (((days + 4) % 7 + 7) % 7);
	return t;
}

/* False if a field is out of range; a leap second counts as the next second. */
static bool
civil_to_unix(const civil_time *t, int64_t *seconds)
{
	if (t->month < 1 || t->month > 12 ||
		t->day < 1 || t->day > days_in_month(t->year, t->month) ||
		t->hour > 23 || t->minute > 59 || t->second > 60)
		return false;
	*seconds = mcw_days_from_civil(t->year, t->month, t->day) * SECONDS_PER_DAY +
		t->hour * 3600 + t->minute * 60 + t->second;
	return true;
}

static const char weekdays[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
"Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

void
mcw_http_date(int64_t unix_seconds, char out[32])
{
	civil_time	t = civil_from_unix(unix_seconds);

	(void) snprintf(out, 32, "%s, %02u %s %04u %02u:%02u:%02u GMT", weekdays[t.weekday],
					(unsigned) t.day % 100, months[t.month - 1], (unsigned) t.year % 10000,
					(unsigned) t.hour % 100, (unsigned) t.minute % 100, (unsigned) t.second % 100);
}

void
mcw_iso_basic(int64_t unix_seconds, char out[20])
{
	civil_time	t = civil_from_unix(unix_seconds);

	(void) snprintf(out, 20, "%04u%02u%02uT%02u%02u%02uZ",
					(unsigned) t.year % 10000, (unsigned) t.month % 100, (unsigned) t.day % 100,
					(unsigned) t.hour % 100, (unsigned) t.minute % 100, (unsigned) t.second % 100);
}

/* A reader of fixed-width fields: once something did not fit, 'ok' stays false. */
typedef struct date_scan
{
	const char *p;
	const char *end;
	bool		ok;
} date_scan;

static date_scan
scan_begin(mcw_view v)
{
	date_scan	s = {v.data ? v.data : "", NULL, true};

	s.end = s.p + v.len;
	return s;
}

static int
scan_digits(date_scan *s, int width)
{
	int			value = 0;

	for (int i = 0; i < width; i++)
	{
		if (s->p == s->end || *s->p < '0' || *s->p > '9')
		{
			s->ok = false;
			return 0;
		}
		value = value * 10 + (*s->p++ - '0');
	}
	return value;
}

static bool
scan_maybe(date_scan *s, char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static void
scan_char(date_scan *s, char c)
{
	if (!scan_maybe(s, c))
		s->ok = false;
}

/* Index of the three-letter name */
static int
scan_name(date_scan *s, const char (*names)[4], int count)
{
	for (int i = 0; i < count; i++)
	{
		if (s->end - s->p >= 3 && memcmp(s->p, names[i], 3) == 0)
		{
			s->p += 3;
			return i;
		}
	}
	s->ok = false;
	return 0;
}

bool
mcw_parse_http_date(mcw_view v, int64_t *unix_seconds)
{
	date_scan	s = scan_begin(v);
	civil_time	t = {0};

	(void) scan_name(&s, weekdays, 7);
	scan_char(&s, ',');
	scan_char(&s, ' ');
	t.day = scan_digits(&s, 2);
	scan_char(&s, ' ');
	t.month = scan_name(&s, months, 12) + 1;
	scan_char(&s, ' ');
	t.year = scan_digits(&s, 4);
	scan_char(&s, ' ');
	t.hour = scan_digits(&s, 2);
	scan_char(&s, ':');
	t.minute = scan_digits(&s, 2);
	scan_char(&s, ':');
	t.second = scan_digits(&s, 2);
	for (const char *zone = " GMT"; *zone; zone++)
		scan_char(&s, *zone);
	return s.ok && s.p == s.end && civil_to_unix(&t, unix_seconds);
}

bool
mcw_parse_iso_basic(mcw_view v, int64_t *unix_seconds)
{
	date_scan	s = scan_begin(v);
	civil_time	t = {0};

	t.year = scan_digits(&s, 4);
	t.month = scan_digits(&s, 2);
	t.day = scan_digits(&s, 2);
	scan_char(&s, 'T');
	t.hour = scan_digits(&s, 2);
	t.minute = scan_digits(&s, 2);
	t.second = scan_digits(&s, 2);
	scan_char(&s, 'Z');
	return s.ok && s.p == s.end && civil_to_unix(&t, unix_seconds);
}

/* ".ffffff": one digit or more; those past the microsecond are dropped */
static int
scan_fraction(date_scan *s)
{
	int			micros = 0;
	int			digits = 0;

	if (!scan_maybe(s, '.'))
		return 0;
	for (; s->p < s->end && *s->p >= '0' && *s->p <= '9'; s->p++, digits++)
	{
		if (digits < 6)
			micros = micros * 10 + (*s->p - '0');
	}
	if (digits == 0)
		s->ok = false;
	for (; digits < 6; digits++)
		micros *= 10;
	return micros;
}

/* "Z", "+08", "+0800" or "+08:00", as seconds east of Greenwich */
static int
scan_zone(date_scan *s)
{
	bool		west;
	int			hours;
	int			minutes = 0;

	if (scan_maybe(s, 'Z'))
		return 0;
	west = scan_maybe(s, '-');
	if (!west)
		scan_char(s, '+');
	hours = scan_digits(s, 2);
	if (s->p < s->end)
	{
		(void) scan_maybe(s, ':');
		minutes = scan_digits(s, 2);
	}
	if (hours > 15 || minutes > 59)
		s->ok = false;
	return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

bool
mcw_parse_iso8601(mcw_view v, int64_t *unix_micros)
{
	date_scan	s = scan_begin(v);
	civil_time	t = {0};
	int64_t		seconds;
	int			micros;
	int			zone;

	t.year = scan_digits(&s, 4);
	scan_char(&s, '-');
	t.month = scan_digits(&s, 2);
	scan_char(&s, '-');
	t.day = scan_digits(&s, 2);
	if (!scan_maybe(&s, ' '))
		scan_char(&s, 'T');
	t.hour = scan_digits(&s, 2);
	scan_char(&s, ':');
	t.minute = scan_digits(&s, 2);
	scan_char(&s, ':');
	t.second = scan_digits(&s, 2);
	micros = scan_fraction(&s);
	zone = scan_zone(&s);
	if (!s.ok || s.p != s.end || !civil_to_unix(&t, &seconds))
		return false;
	*unix_micros = (seconds - zone) * 1000000 + micros;
	return true;
}
