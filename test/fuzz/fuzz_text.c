/*
 * fuzz_text.c
 *		Text decoders and date parsers.  What a decoder accepts must encode to
 *		something that decodes to the same; dates must survive being written.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_text.h"

#define MAX_OUTPUT ((size_t) 1 << 22)

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void
binary_to_text(mcw_view in)
{
	mcw_buf		coded;
	mcw_buf		back;

	mcw_buf_init(&coded, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);

	/* strict base64 has one spelling only */
	if (mcw_base64_decode(&back, in) == MCW_OK)
	{
		check(mcw_base64_encode(&coded, mcw_buf_view(&back)) == MCW_OK);
		check(mcw_view_eq(mcw_buf_view(&coded), in));
	}
	else
		check(back.len == 0);

	mcw_buf_reset(&coded);
	mcw_buf_reset(&back);
	if (mcw_hex_decode(&back, in) == MCW_OK)
	{
		check(mcw_hex_encode(&coded, mcw_buf_view(&back), false) == MCW_OK);
		check(mcw_view_ieq(mcw_buf_view(&coded), in));
	}
	else
		check(back.len == 0);
	mcw_buf_free(&coded);
	mcw_buf_free(&back);
}

static void
percent(mcw_view in)
{
	mcw_buf		plain;
	mcw_buf		coded;
	mcw_buf		back;

	mcw_buf_init(&plain, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&coded, &mcw_malloc, MAX_OUTPUT);
	mcw_buf_init(&back, &mcw_malloc, MAX_OUTPUT);
	check(mcw_percent_decode(&plain, in, true) == MCW_OK);
	check(mcw_percent_encode(&coded, mcw_buf_view(&plain), false) == MCW_OK);
	check(mcw_percent_decode(&back, mcw_buf_view(&coded), true) == MCW_OK);
	check(mcw_view_eq(mcw_buf_view(&plain), mcw_buf_view(&back)));
	mcw_buf_free(&plain);
	mcw_buf_free(&coded);
	mcw_buf_free(&back);
}

static void
utf8(mcw_view in)
{
	size_t		valid = mcw_utf8_valid(in.data, in.len);

	check(valid <= in.len);
	check(mcw_utf8_valid(in.data, valid) == valid);
	if (mcw_plain_ascii(in.data, in.len))
		check(valid == in.len);
}

static void
dates(mcw_view in)
{
	char		text[32];
	int64_t		value;
	int64_t		again;

	if (mcw_parse_http_date(in, &value))
	{
		mcw_http_date(value, text);
		check(mcw_parse_http_date(mcw_str(text), &again) && again == value);
	}
	if (mcw_parse_iso_basic(in, &value))
	{
		mcw_iso_basic(value, text);
		check(mcw_parse_iso_basic(mcw_str(text), &again) && again == value);
	}
	if (mcw_parse_iso8601(in, &value))
		check(value > INT64_C(-62168000000000000) && value < INT64_C(253403000000000000));
	if (mcw_view_int64(in, &value) && value >= 0)
	{
		uint64_t	same;

		check(in.data[0] == '-' || (mcw_view_uint64(in, &same) && same == (uint64_t) value));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	in = {(const char *) data, size};

	binary_to_text(in);
	percent(in);
	utf8(in);
	dates(in);
	return 0;
}
