/*
 * mcw_text.c
 *		Hex, base64, percent-encoding, UTF-8 check, HTTP and ISO 8601 dates.
 */
#include "mcw_text.h"

#include <stdio.h>

#define SECONDS_PER_DAY 86400

/* ---- hex ---- */

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

mcw_status
mcw_hex_encode(mcw_buf *out, mcw_view in, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	mcw_status	status;
	char	   *p;

	if (in.len > SIZE_MAX / 2)
		return MCW_ERR_LIMIT;
	status = mcw_buf_grow(out, in.len * 2);
	if (status != MCW_OK || in.len == 0)
		return status;
	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i++)
	{
		unsigned char c = (unsigned char) in.data[i];

		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	out->len += in.len * 2;
	return MCW_OK;
}

mcw_status
mcw_hex_decode(mcw_buf *out, mcw_view in)
{
	mcw_status	status;
	char	   *p;

	if (in.len % 2 != 0)
		return MCW_ERR_FORMAT;
	status = mcw_buf_grow(out, in.len / 2);
	if (status != MCW_OK || in.len == 0)
		return status;
	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i += 2)
	{
		int			high = hex_value(in.data[i]);
		int			low = hex_value(in.data[i + 1]);

		if (high < 0 || low < 0)
			return MCW_ERR_FORMAT;
		*p++ = (char) (high << 4 | low);
	}
	out->len += in.len / 2;
	return MCW_OK;
}

/* ---- base64 ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

mcw_status
mcw_base64_encode(mcw_buf *out, mcw_view in)
{
	const unsigned char *src = (const unsigned char *) in.data;
	size_t		left = in.len;
	size_t		need;
	mcw_status	status;
	char	   *p;

	if (in.len > SIZE_MAX / 2)
		return MCW_ERR_LIMIT;
	need = (in.len + 2) / 3 * 4;
	status = mcw_buf_grow(out, need);
	if (status != MCW_OK || in.len == 0)
		return status;

	p = out->data + out->len;
	for (; left >= 3; src += 3, left -= 3)
	{
		uint32_t	bits = (uint32_t) src[0] << 16 | (uint32_t) src[1] << 8 | src[2];

		*p++ = base64_digits[bits >> 18];
		*p++ = base64_digits[bits >> 12 & 63];
		*p++ = base64_digits[bits >> 6 & 63];
		*p++ = base64_digits[bits & 63];
	}
	if (left > 0)
	{
		uint32_t	bits = (uint32_t) src[0] << 16 | (left == 2 ? (uint32_t) src[1] << 8 : 0);

		*p++ = base64_digits[bits >> 18];
		*p++ = base64_digits[bits >> 12 & 63];
		*p++ = left == 2 ? base64_digits[bits >> 6 & 63] : '=';
		*p++ = '=';
	}
	out->len += need;
	return MCW_OK;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/*
 * Strict: the bits that padding leaves unused must be zero, so that every byte
 * string has exactly one accepted encoding.
 */
mcw_status
mcw_base64_decode(mcw_buf *out, mcw_view in)
{
	size_t		pad = 0;
	size_t		digits;
	uint32_t	bits = 0;
	mcw_status	status;
	char	   *p;

	if (in.len % 4 != 0)
		return MCW_ERR_FORMAT;
	if (in.len == 0)
		return MCW_OK;
	while (pad < 2 && in.data[in.len - 1 - pad] == '=')
		pad++;
	digits = in.len - pad;
	status = mcw_buf_grow(out, in.len / 4 * 3);
	if (status != MCW_OK)
		return status;

	p = out->data + out->len;
	for (size_t i = 0; i < digits; i++)
	{
		int			value = base64_value(in.data[i]);

		if (value < 0)
			return MCW_ERR_FORMAT;
		bits = bits << 6 | (uint32_t) value;
		if (i % 4 == 3)
		{
			*p++ = (char) (bits >> 16);
			*p++ = (char) (bits >> 8);
			*p++ = (char) bits;
			bits = 0;
		}
	}
	if (pad == 1)
	{
		if (bits & 3)
			return MCW_ERR_FORMAT;
		*p++ = (char) (bits >> 10);
		*p++ = (char) (bits >> 2);
	}
	else if (pad == 2)
	{
		if (bits & 15)
			return MCW_ERR_FORMAT;
		*p++ = (char) (bits >> 4);
	}
	out->len = (size_t) (p - out->data);
	return MCW_OK;
}

/* ---- percent-encoding ---- */

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_' || c == '.' || c == '~';
}

mcw_status
mcw_percent_encode(mcw_buf *out, mcw_view in, bool keep_slash)
{
	size_t		need = 0;
	mcw_status	status;
	char	   *p;

	if (in.len > SIZE_MAX / 3)
		return MCW_ERR_LIMIT;
	for (size_t i = 0; i < in.len; i++)
		need += is_unreserved(in.data[i]) || (keep_slash && in.data[i] == '/') ? 1 : 3;
	status = mcw_buf_grow(out, need);
	if (status != MCW_OK || need == 0)
		return status;

	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i++)
	{
		unsigned char c = (unsigned char) in.data[i];

		if (is_unreserved(in.data[i]) || (keep_slash && c == '/'))
			*p++ = (char) c;
		else
		{
			*p++ = '%';
			*p++ = "0123456789ABCDEF"[c >> 4];
			*p++ = "0123456789ABCDEF"[c & 15];
		}
	}
	out->len += need;
	return MCW_OK;
}

mcw_status
mcw_percent_decode(mcw_buf *out, mcw_view in, bool plus_is_space)
{
	mcw_status	status = mcw_buf_grow(out, in.len);
	char	   *p;

	if (status != MCW_OK || in.len == 0)
		return status;

	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i++)
	{
		char		c = in.data[i];

		if (c == '%' && in.len - i > 2)
		{
			int			high = hex_value(in.data[i + 1]);
			int			low = hex_value(in.data[i + 2]);

			if (high >= 0 && low >= 0)
			{
				c = (char) (high << 4 | low);
				i += 2;
			}
		}
		else if (c == '+' && plus_is_space)
			c = ' ';
		*p++ = c;
	}
	out->len = (size_t) (p - out->data);
	return MCW_OK;
}

/* ---- UTF-8 ---- */

/* Length of the valid sequence at p, 0 if there is none within 'left' bytes */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80;	/* bounds of the second byte */
	unsigned char high = 0xBF;
	size_t		len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2)
		return 0;				/* continuation byte, or overlong */
	if (p[0] < 0xE0)
		len = 2;
	else if (p[0] < 0xF0)
	{
		len = 3;
		if (p[0] == 0xE0)
			low = 0xA0;			/* else overlong */
		else if (p[0] == 0xED)
			high = 0x9F;		/* else a surrogate */
	}
	else if (p[0] < 0xF5)
	{
		len = 4;
		if (p[0] == 0xF0)
			low = 0x90;
		else if (p[0] == 0xF4)
			high = 0x8F;		/* U+10FFFF is the last */
	}
	else
		return 0;

	if (left < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return len;
}

size_t
mcw_utf8_valid(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *) data;
	size_t		i = 0;

	while (i < len)
	{
		uint64_t	word;
		size_t		n;

		/* eight ASCII bytes at a time */
		if (len - i >= 8)
		{
			memcpy(&word, p + i, 8);
			if ((word & UINT64_C(0x8080808080808080)) == 0)
			{
				i += 8;
				continue;
			}
		}
		n = utf8_sequence(p + i, len - i);
		if (n == 0)
			return i;
		i += n;
	}
	return i;
}

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
	date_scan	s = {v.data, v.data + v.len, true};
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
	date_scan	s = {v.data, v.data + v.len, true};
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
	date_scan	s = {v.data, v.data + v.len, true};
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
