/*
 * test_text.c
 *		Encodings, UTF-8 and dates: known answers, properties, malformed input.
 */
#include <time.h>

#include "unit.h"

#include "../../src/wire/mcw_text.h"

#define BUF_MAX ((size_t) 1 << 22)

typedef mcw_status (*transform) (mcw_buf *out, mcw_view in);

static mcw_status
hex_lower(mcw_buf *out, mcw_view in)
{
	return mcw_hex_encode(out, in, false);
}

static mcw_status
hex_upper(mcw_buf *out, mcw_view in)
{
	return mcw_hex_encode(out, in, true);
}

static mcw_status
percent(mcw_buf *out, mcw_view in)
{
	return mcw_percent_encode(out, in, false);
}

static mcw_status
percent_path(mcw_buf *out, mcw_view in)
{
	return mcw_percent_encode(out, in, true);
}

static mcw_status
unpercent(mcw_buf *out, mcw_view in)
{
	return mcw_percent_decode(out, in, false);
}

static mcw_status
unpercent_form(mcw_buf *out, mcw_view in)
{
	return mcw_percent_decode(out, in, true);
}

static void
gives(transform f, mcw_view in, mcw_view want)
{
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, BUF_MAX);
	CHECK_OK(mcw_buf_append_char(&out, '#'));
	CHECK_OK(f(&out, in));
	CHECK(out.len > 0 && out.data[0] == '#');
	CHECK_VIEW(((mcw_view) {out.data + 1, out.len - 1}), want);
	mcw_buf_free(&out);
}

static void
refuses(transform f, mcw_view in)
{
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, BUF_MAX);
	CHECK_INT(f(&out, in), MCW_ERR_FORMAT);
	CHECK_INT(out.len, 0);
	mcw_buf_free(&out);
}

/* decode(encode(x)) = x for thousands of x, and the encoding stays in its alphabet */
static void
round_trips(transform encode, transform decode, const char *alphabet)
{
	unit_random r = {11};
	char	   *data = malloc(1 << 20);

	for (int i = 0; i < 3000; i++)
	{
		size_t		len = i < 300 ? (size_t) i : unit_below(&r, (size_t) 1 << unit_below(&r, i % 500 ? 12 : 21));
		mcw_view	raw = {data, len};
		mcw_buf		coded;
		mcw_buf		back;

		unit_fill(&r, data, len, i % 2 ? 256 : 128);
		mcw_buf_init(&coded, &mcw_malloc, BUF_MAX);
		mcw_buf_init(&back, &mcw_malloc, BUF_MAX);
		CHECK_OK(encode(&coded, raw));
		CHECK_OK(decode(&back, mcw_buf_view(&coded)));
		CHECK(mcw_view_eq(mcw_buf_view(&back), raw));
		CHECK(mcw_buf_cstr(&coded) && strspn(coded.data, alphabet) == coded.len);
		mcw_buf_free(&coded);
		mcw_buf_free(&back);
	}
	free(data);
}

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static void
hex(void)
{
	gives(hex_lower, MCW_LIT("\x00\x7f\xff\xa5"), MCW_LIT("007fffa5"));
	gives(hex_upper, MCW_LIT("\x00\x7f\xff\xa5"), MCW_LIT("007FFFA5"));
	gives(mcw_hex_decode, MCW_LIT("aAbBfF09"), MCW_LIT("\xaa\xbb\xff\x09"));
	gives(hex_lower, mcw_str(NULL), MCW_LIT(""));
	gives(mcw_hex_decode, mcw_str(NULL), MCW_LIT(""));
	refuses(mcw_hex_decode, MCW_LIT("0"));
	refuses(mcw_hex_decode, MCW_LIT("0g"));
	refuses(mcw_hex_decode, MCW_LIT("0:"));
	refuses(mcw_hex_decode, MCW_LIT("00/0"));
	refuses(mcw_hex_decode, MCW_LIT("@0"));
	round_trips(hex_lower, mcw_hex_decode, "0123456789abcdef");
	round_trips(hex_upper, mcw_hex_decode, "0123456789ABCDEF");
}

static void
base64(void)
{
	/* RFC 4648 section 10 */
	static const char *const known[][2] = {
		{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}
	};
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "====", "=g==", "Zg=v", "Zh==", "Zm9=", "Zm8-", "Zm8_", "Zm\n8=", "Zm9v====", "Zg==Zg=="
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		gives(mcw_base64_encode, mcw_str(known[i][0]), mcw_str(known[i][1]));
		gives(mcw_base64_decode, mcw_str(known[i][1]), mcw_str(known[i][0]));
	}
	gives(mcw_base64_encode, MCW_LIT("\xfb\xff\xbf"), MCW_LIT("+/+/"));
	gives(mcw_base64_encode, mcw_str(NULL), MCW_LIT(""));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refuses(mcw_base64_decode, mcw_str(bad[i]));
	round_trips(mcw_base64_encode, mcw_base64_decode, ALNUM "+/=");
}

static void
percent_encoding(void)
{
	gives(percent, MCW_LIT("aZ09-_.~ /+%\x80\x00"), MCW_LIT("aZ09-_.~%20%2F%2B%25%80%00"));
	gives(percent_path, MCW_LIT("/a b/c"), MCW_LIT("/a%20b/c"));
	gives(percent, MCW_LIT("\xe4\xb8\xad!*'()"), MCW_LIT("%E4%B8%AD%21%2A%27%28%29"));
	gives(percent, mcw_str(NULL), MCW_LIT(""));

	gives(unpercent, MCW_LIT("a+b%20c%2bd%2B"), MCW_LIT("a+b c+d+"));
	gives(unpercent_form, MCW_LIT("a+b%20c%2bd%2B"), MCW_LIT("a b c+d+"));
	gives(unpercent, MCW_LIT("%00"), MCW_LIT("\0"));
	/* bad escapes stay */
	gives(unpercent, MCW_LIT("%"), MCW_LIT("%"));
	gives(unpercent, MCW_LIT("%4"), MCW_LIT("%4"));
	gives(unpercent, MCW_LIT("100%zz%4g%%41"), MCW_LIT("100%zz%4g%A"));
	gives(unpercent, mcw_str(NULL), MCW_LIT(""));

	round_trips(percent, unpercent, ALNUM "-_.~%");
	round_trips(percent, unpercent_form, ALNUM "-_.~%");
	round_trips(percent_path, unpercent, ALNUM "-_.~%/");
}

static void
limits(void)
{
	transform	encoders[] = {hex_lower, mcw_base64_encode, percent, mcw_hex_decode, mcw_base64_decode, unpercent};

	for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++)
	{
		mcw_buf		out;

		mcw_buf_init(&out, &mcw_malloc, 1);
		CHECK_INT(encoders[i] (&out, MCW_LIT("00000000")), MCW_ERR_LIMIT);
		CHECK_INT(mcw_buf_status(&out), MCW_ERR_LIMIT);
		CHECK_INT(out.len, 0);
		mcw_buf_free(&out);
	}
}

/* ---- UTF-8 ---- */

static void
utf8_known(void)
{
	static const struct
	{
		mcw_view	text;
		size_t		valid;
	}			known[] = {
		{MCW_LIT(""), 0},
		{MCW_LIT("plain"), 5},
		{MCW_LIT("nul\0nul"), 7},
		{MCW_LIT("\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80"), 9},
		{MCW_LIT("a\x80"), 1},
		{MCW_LIT("a\xc0\xaf"), 1},
		{MCW_LIT("a\xc1\xbf"), 1},
		{MCW_LIT("\xc3"), 0},
		{MCW_LIT("ab\xe4\xb8"), 2},
		{MCW_LIT("\xe0\x9f\xbf"), 0},
		{MCW_LIT("\xe0\xa0\x80"), 3},
		{MCW_LIT("\xed\x9f\xbf"), 3},
		{MCW_LIT("\xed\xa0\x80"), 0},
		{MCW_LIT("\xf0\x8f\xbf\xbf"), 0},
		{MCW_LIT("\xf0\x90\x80\x80"), 4},
		{MCW_LIT("\xf4\x8f\xbf\xbf"), 4},
		{MCW_LIT("\xf4\x90\x80\x80"), 0},
		{MCW_LIT("\xf5\x80\x80\x80"), 0},
		{MCW_LIT("\xff"), 0},
		{MCW_LIT("0123456789abcdef\xfe"), 16},
		{MCW_LIT("\xf0\x9f\x98\x41"), 0},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		if (!CHECK_INT(mcw_utf8_valid(known[i].text.data, known[i].text.len), known[i].valid))
			printf("    case %zu\n", i);
	}
}

/* Every code point, encoded by hand, at shifting offsets; surrogates are not text. */
static void
utf8_all_code_points(void)
{
	unsigned long wrong = 0;

	for (uint32_t cp = 0; cp <= 0x110FFF; cp++)
	{
		unsigned char s[16] = "0123456789";
		size_t		n = cp % 8;
		size_t		start = n;
		bool		legal = cp <= 0x10FFFF && !(cp >= 0xD800 && cp <= 0xDFFF);

		if (cp < 0x80)
			s[n++] = (unsigned char) cp;
		else if (cp < 0x800)
		{
			s[n++] = (unsigned char) (0xC0 | cp >> 6);
			s[n++] = (unsigned char) (0x80 | (cp & 63));
		}
		else if (cp < 0x10000)
		{
			s[n++] = (unsigned char) (0xE0 | cp >> 12);
			s[n++] = (unsigned char) (0x80 | (cp >> 6 & 63));
			s[n++] = (unsigned char) (0x80 | (cp & 63));
		}
		else
		{
			s[n++] = (unsigned char) (0xF0 | cp >> 18);
			s[n++] = (unsigned char) (0x80 | (cp >> 12 & 63));
			s[n++] = (unsigned char) (0x80 | (cp >> 6 & 63));
			s[n++] = (unsigned char) (0x80 | (cp & 63));
		}
		wrong += mcw_utf8_valid((char *) s, n) != (legal ? n : start);
	}
	CHECK_INT(wrong, 0);
}

static void
plain_ascii(void)
{
	char		text[40];

	for (size_t len = 0; len <= 33; len++)
	{
		memset(text, 'a', sizeof(text));
		CHECK(mcw_plain_ascii(text, len));
		for (size_t at = 0; at < len; at++)
		{
			for (int c = 0; c < 256; c++)
			{
				text[at] = (char) c;
				if (mcw_plain_ascii(text, len) != (c >= 1 && c <= 127))
					CHECK(!"mcw_plain_ascii tells plain from other bytes");
			}
			text[at] = 'a';
		}
	}
	CHECK(!mcw_plain_ascii("abc\0", 4));
}

/* ---- dates ---- */

static void
calendar(void)
{
	int64_t		expect = mcw_days_from_civil(-5000, 1, 1);
	unsigned long wrong = 0;

	CHECK_INT(mcw_days_from_civil(1970, 1, 1), 0);
	CHECK_INT(mcw_days_from_civil(2000, 2, 29), 11016);
	CHECK_INT(mcw_days_from_civil(0, 1, 1), -719528);
	for (int64_t year = -5000; year < 12000; year += year % 400 == 4 ? 391 : 1)
	{
		bool		leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

		expect = mcw_days_from_civil(year, 1, 1);
		for (int month = 1; month <= 12; month++)
		{
			static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
			int			days = lengths[month - 1] + (month == 2 && leap);

			for (int day = 1; day <= days; day++, expect++)
			{
				int64_t		y;
				int			m;
				int			d;

				mcw_civil_from_days(expect, &y, &m, &d);
				wrong += mcw_days_from_civil(year, month, day) != expect || y != year || m != month || d != day;
			}
		}
		wrong += mcw_days_from_civil(year + 1, 1, 1) != expect;
	}
	CHECK_INT(wrong, 0);
}

static void
dates_against_libc(void)
{
	unit_random r = {13};

	for (int i = 0; i < 20000; i++)
	{
		/* 0001-01-01 to 9999-12-31 */
		int64_t		t = INT64_C(-62135596800) + (int64_t) unit_below(&r, INT64_C(315537897600));
		time_t		clock = (time_t) t;
		struct tm	tm;
		char		want[64];
		char		http[32];
		char		iso[20];
		int64_t		back;

		gmtime_r(&clock, &tm);
		mcw_http_date(t, http);
		strftime(want, sizeof(want), "%a, %d %b ", &tm);
		(void) snprintf(want + strlen(want), 32, "%04d %02d:%02d:%02d GMT", tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
		CHECK_STR(http, want);
		CHECK(mcw_parse_http_date(mcw_str(http), &back) && back == t);

		mcw_iso_basic(t, iso);
		(void) snprintf(want, sizeof(want), "%04d%02d%02dT%02d%02d%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
						tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		CHECK_STR(iso, want);
		CHECK(mcw_parse_iso_basic(mcw_str(iso), &back) && back == t);
	}
}

static void
iso8601_is(const char *text, int64_t want)
{
	int64_t		got = 0;

	if (!CHECK(mcw_parse_iso8601(mcw_str(text), &got)) || !CHECK_INT(got, want))
		printf("    %s\n", text);
}

static void
iso8601(void)
{
	static const char *const bad[] = {
		"", "2018-01-11T01:30:00", "2018-01-11", "2018-01-11T01:30Z", "2018-1-11T01:30:00Z",
		"2018-02-29T01:30:00Z", "2018-13-01T01:30:00Z", "2018-00-01T01:30:00Z", "2018-01-32T01:30:00Z",
		"2018-01-00T01:30:00Z", "2018-01-11T24:30:00Z", "2018-01-11T01:60:00Z", "2018-01-11T01:30:61Z",
		"2018-01-11T01:30:00.Z", "2018-01-11T01:30:00Z ", "2018-01-11T01:30:00+8", "2018-01-11T01:30:00+08:0",
		"2018-01-11T01:30:00+16:00", "2018-01-11T01:30:00+08:60", "2018-01-11t01:30:00Z", "2018-01-11T01:30:00*08",
		"x018-01-11T01:30:00Z", "2018/01/11T01:30:00Z", "2018-01-11T01:30:00.12", "2018-01-11T01:30:00+08:000"
	};
	const int64_t base = INT64_C(1515634200000000); /* 2018-01-11T01:30:00Z */
	int64_t		ignored;

	iso8601_is("2018-01-11T01:30:00Z", base);
	iso8601_is("2018-01-11 01:30:00Z", base);
	iso8601_is("2018-01-11T01:30:00.5Z", base + 500000);
	iso8601_is("2018-01-11T01:30:00.123456789Z", base + 123456);
	iso8601_is("2018-01-11T09:30:00+08", base);
	iso8601_is("2018-01-11T09:30:00+0800", base);
	iso8601_is("2018-01-11T09:30:00.000001+08:00", base + 1);
	iso8601_is("2018-01-10T20:00:00-05:30", base);
	iso8601_is("2018-01-11T01:29:60Z", base);
	iso8601_is("1969-12-31T23:59:59.999999Z", -1);
	iso8601_is("0000-01-01T00:00:00Z", INT64_C(-62167219200000000));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		if (!CHECK(!mcw_parse_iso8601(mcw_str(bad[i]), &ignored)))
			printf("    %s\n", bad[i]);
	}
	CHECK(!mcw_parse_iso8601(mcw_str(NULL), &ignored));
}

static void
bad_dates(void)
{
	static const char *const http[] = {
		"", "Wed, 15 Nov 2023 06:13:20", "Wed, 15 Nov 2023 06:13:20 UTC", "Wed 15 Nov 2023 06:13:20 GMT",
		"Wed, 15 nov 2023 06:13:20 GMT", "Xxx, 15 Nov 2023 06:13:20 GMT", "Wed, 31 Nov 2023 06:13:20 GMT",
		"Wed, 15 Nov 2023 06:13:20 GMT ", "Wed, 5 Nov 2023 06:13:20 GMT"
	};
	static const char *const basic[] = {
		"", "20231115T061320", "20231115 061320Z", "20231315T061320Z", "20231115T061320ZZ", "2023111aT061320Z"
	};
	char		out[32];
	int64_t		ignored;

	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++)
		CHECK(!mcw_parse_http_date(mcw_str(http[i]), &ignored));
	for (size_t i = 0; i < sizeof(basic) / sizeof(basic[0]); i++)
		CHECK(!mcw_parse_iso_basic(mcw_str(basic[i]), &ignored));
	CHECK(!mcw_parse_http_date(mcw_str(NULL), &ignored));
	CHECK(!mcw_parse_iso_basic(mcw_str(NULL), &ignored));

	/* the formats end at the year 9999 */
	mcw_http_date(INT64_MAX, out);
	CHECK_STR(out, "Fri, 31 Dec 9999 23:59:59 GMT");
	mcw_http_date(INT64_MIN, out);
	CHECK_STR(out, "Sat, 01 Jan 0000 00:00:00 GMT");
	mcw_http_date(1700028800, out);
	CHECK_STR(out, "Wed, 15 Nov 2023 06:13:20 GMT");
}

static mcw_status
all_encodings(const mcw_alloc *alloc, void *arg)
{
	transform	all[] = {hex_lower, mcw_base64_encode, percent, mcw_hex_decode, mcw_base64_decode, unpercent};
	mcw_buf		out;
	mcw_status	status = MCW_OK;

	mcw_buf_init(&out, alloc, BUF_MAX);
	for (size_t i = 0; status == MCW_OK && i < 300; i++)
		status = all[i % 6] (&out, MCW_LIT("00000000"));
	mcw_buf_free(&out);
	return status;
}

static void
torture(void)
{
	unit_torture(all_encodings, NULL);
}

static const unit_case cases[] = {
	{"hex", hex},
	{"base64", base64},
	{"percent_encoding", percent_encoding},
	{"limits", limits},
	{"utf8_known", utf8_known},
	{"utf8_all_code_points", utf8_all_code_points},
	{"plain_ascii", plain_ascii},
	{"calendar", calendar},
	{"dates_against_libc", dates_against_libc},
	{"iso8601", iso8601},
	{"bad_dates", bad_dates},
	{"torture", torture},
};

UNIT_MAIN(cases)
