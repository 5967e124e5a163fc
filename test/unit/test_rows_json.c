/*
 * test_rows_json.c
 *		Reading JSON lines: a table of records, generated objects in every spelling, the
 *		same records whatever the chunks, damaged lines against another parser, memory.
 */
#include "unit.h"

#include "../../src/wire/mcw_doc.h"
#include "../../src/wire/mcw_rows.h"
#include "../../src/wire/mcw_text.h"

#define MAX_TEXT ((size_t) 1 << 26)

static const mcw_rows_column abc[] = {
	{.name = {"a", 1}, .needed = true}, {.name = {"b", 1}, .needed = true}, {.name = {"not needed", 10}}
};
static const mcw_rows_column abc_rest[] = {
	{.name = {"a", 1}, .needed = true}, {.name = {"*", 1}, .needed = true}, {.name = {"b", 1}}
};

static void
dump_field(mcw_buf *out, const mcw_field *f)
{
	static const struct
	{
		unsigned	flag;
		char		letter;
	}			kinds[] = {
		{MCW_FIELD_STRING, 's'}, {MCW_FIELD_NUMBER, 'n'}, {MCW_FIELD_BOOL, 'b'}, {MCW_FIELD_NESTED, 'j'}
	};
	unsigned	known = MCW_FIELD_CHECK;

	if (f->flags & MCW_FIELD_NULL)
	{
		CHECK((f->flags & ~(unsigned) (MCW_FIELD_NULL | MCW_FIELD_ABSENT)) == 0);
		(void) mcw_buf_append_str(out, f->flags & MCW_FIELD_ABSENT ? " -" : " null");
		return;
	}
	(void) mcw_buf_append_char(out, ' ');
	for (int k = 0; k < 4; k++)
	{
		if (f->flags & kinds[k].flag)
			(void) mcw_buf_append_char(out, kinds[k].letter);
		known |= kinds[k].flag;
	}
	CHECK((f->flags & ~known) == 0);
	(void) mcw_buf_append_str(out, f->flags & MCW_FIELD_CHECK ? "?[" : "[");
	(void) mcw_buf_append(out, f->data, f->len);
	(void) mcw_buf_append_char(out, ']');
}

/* All records as text, fed in chunks of up to 'chunk' bytes of their own; 0 = at once */
static mcw_status
dump(const mcw_rows_column *columns, int ncolumns, const mcw_alloc *alloc, mcw_view text, size_t chunk, unit_random *r, mcw_buf *out)
{
	mcw_rows_options options = {.columns = columns, .ncolumns = ncolumns};
	mcw_rows   *rows;
	mcw_error	err = {0};
	mcw_record	record;
	mcw_status	status = mcw_rows_open(&mcw_format_jsonl, &options, alloc, &rows, &err);
	bool		last = false;

	if (status != MCW_OK)
		return status;
	for (status = MCW_END; status == MCW_END && !last;)
	{
		size_t		n = chunk ? unit_below(r, chunk + 1) : text.len;
		char	   *exact;

		if (n > text.len)
			n = text.len;
		exact = malloc(n + 1);
		exact[0] = 'x';
		if (n > 0)
			memcpy(exact + 1, text.data, n);
		text.data += n;
		text.len -= n;
		last = text.len == 0 && (!chunk || unit_below(r, 2));
		mcw_rows_feed(rows, exact + 1, n, last);
		while ((status = mcw_rows_next(rows, &record, &err)) == MCW_OK)
		{
			(void) mcw_buf_printf(out, "%llu", (unsigned long long) record.line);
			if (!record.verified)
				(void) mcw_buf_append_str(out, "!");
			if (record.bad)
			{
				(void) mcw_buf_printf(out, " %s: %.*s\n", record.bad, (int) record.raw.len, record.raw.data);
				continue;
			}
			(void) mcw_buf_printf(out, " %d", record.nfields);
			if (record.unknown > 0)
				(void) mcw_buf_printf(out, " %d:%.*s", record.unknown, (int) record.unknown_name.len, record.unknown_name.data);
			for (int i = 0; i < ncolumns; i++)
			{
				if (!columns[i].needed)
					continue;
				/* the byte before is ours, and nobody else's */
				if (!(record.fields[i].flags & MCW_FIELD_NULL))
					((char *) record.fields[i].data)[-1] = '#';
			}
			for (int i = 0; i < ncolumns; i++)
				if (columns[i].needed)
					dump_field(out, &record.fields[i]);
			(void) mcw_buf_append_char(out, '\n');
		}
		free(exact);
	}
	if (status != MCW_END)
		(void) mcw_buf_printf(out, "%s at %llu\n", err.message, (unsigned long long) err.offset);
	mcw_rows_free(rows);
	return status;
}

/* ---- cases ---- */

#define BAD(n, why, line) "1 malformed JSON at byte " #n " of the line: " why ": " line "\n"

static const struct
{
	const char *text;
	const char *want;			/* of columns a, b */
}			table[] = {
	{"", ""},
	{"\n \t\r\n\r\n   ", ""},
	{"{}", "1 0 - -\n"},
	{" { } \r\n", "1 0 - -\n"},
	{"\xEF\xBB\xBF{}", "1 0 - -\n"},
	{"{\"a\":1}\n{\"b\":\"x\"}\n", "1 1 n[1] -\n2 1 - s[x]\n"},
	{"{\"a\":1}\r\n\r\n{\"b\":\"x\"}\n\n{\"a\":null}", "1 1 n[1] -\n3 1 - s[x]\n5 1 null -\n"},
	{"{\"a\" : true , \"b\" : false}", "1 2 b[true] b[false]\n"},
	{"{\"a\":[1, {\"x\":\"]\"}] ,\"b\":{}}", "1 2 j[[1, {\"x\":\"]\"}]] j[{}]\n"},
	{"{\"a\":1,\"a\":2,\"b\":1,\"a\":\"3\"}", "1 4 s[3] n[1]\n"},
	{"{\"a\":\"x\",\"a\":null}", "1 2 null -\n"},
	{"{\"c\":1,\"d\":{\"a\":5},\"a\":\"\"}", "1 3 2:c s[] -\n"},
	{"{\"A\":1,\"aa\":2,\"\":3}", "1 3 3:A - -\n"},
	{"{\"\\u0061\":1,\"not needed\":3}", "1 2 n[1] -\n"},
	{"{\"x\\n\":1}", "1 1 1:x\\n - -\n"},
	{"{\"a\":-0,\"b\":-0.0e+10}", "1 2 n[-0] n[-0.0e+10]\n"},
	{"{\"a\":123456789012345678901234567890.5,\"b\":1E-400}", "1 2 n[123456789012345678901234567890.5] n[1E-400]\n"},
	{"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\",\"b\":\"\\u00e9\\u4E2D\\ud83d\\uDE00x\"}", "1 2 s[\"\\/\b\f\n\r\t] s[\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80x]\n"},
	{"{\"a\":\"\xe4\xb8\xad\"}", "1 1 s[\xe4\xb8\xad] -\n"},
	{"{\"a\":\"\xff\"}", "1! 1 s[\xff] -\n"},
	{"{\"a\":[\"\\ud83d\"]}", "1 1 j[[\"\\ud83d\"]] -\n"},
	{"{\"a\":\"\x7f\"}", "1 1 s[\x7f] -\n"},
	{"x", BAD(1, "it is no object", "x")},
	{"[1]", BAD(1, "it is no object", "[1]")},
	{"\"a\"", BAD(1, "it is no object", "\"a\"")},
	{"null\n{}", BAD(1, "it is no object", "null") "2 0 - -\n"},
	{"{", BAD(2, "a member without a name", "{")},
	{"{\"", BAD(3, "a string is not closed", "{\"")},
	{"{\"a", BAD(4, "a string is not closed", "{\"a")},
	{"{\"a\"", BAD(5, "a name without a colon", "{\"a\"")},
	{"{\"a\":", BAD(6, "the line ends too early", "{\"a\":")},
	{"{\"a\":1", BAD(7, "the line ends too early", "{\"a\":1")},
	{"{\"a\":1,", BAD(8, "a member without a name", "{\"a\":1,")},
	{"{\"a\":1,}", BAD(8, "a member without a name", "{\"a\":1,}")},
	{"{,}", BAD(2, "a member without a name", "{,}")},
	{"{\"a\":1 \"b\":2}", BAD(8, "neither a comma nor the end of the object", "{\"a\":1 \"b\":2}")},
	{"{\"a\":1}}", BAD(8, "bytes behind the object", "{\"a\":1}}")},
	{"{\"a\":1}{\"a\":2}", BAD(8, "bytes behind the object", "{\"a\":1}{\"a\":2}")},
	{"{a:1}", BAD(2, "a member without a name", "{a:1}")},
	{"{'a':1}", BAD(2, "a member without a name", "{'a':1}")},
	{"{\"a\":'1'}", BAD(6, "no JSON value", "{\"a\":'1'}")},
	{"{\"a\":+1}", BAD(6, "no JSON value", "{\"a\":+1}")},
	{"{\"a\":.5}", BAD(6, "no JSON value", "{\"a\":.5}")},
	{"{\"a\":5.}", BAD(8, "a number without digits behind its point", "{\"a\":5.}")},
	{"{\"a\":-}", BAD(7, "a number without digits", "{\"a\":-}")},
	{"{\"a\":1e}", BAD(8, "a number without digits in its exponent", "{\"a\":1e}")},
	{"{\"a\":1e+}", BAD(9, "a number without digits in its exponent", "{\"a\":1e+}")},
	{"{\"a\":012}", BAD(6, "a number with leading zeros", "{\"a\":012}")},
	{"{\"a\":0x1}", BAD(7, "neither a comma nor the end of the object", "{\"a\":0x1}")},
	{"{\"a\":NaN}", BAD(6, "no JSON value", "{\"a\":NaN}")},
	{"{\"a\":True}", BAD(6, "no JSON value", "{\"a\":True}")},
	{"{\"a\":tru}", BAD(6, "no JSON value", "{\"a\":tru}")},
	{"{\"a\":nul", BAD(6, "no JSON value", "{\"a\":nul")},
	{"{\"a\":\"x\ty\"}", BAD(8, "a control character in a string", "{\"a\":\"x\ty\"}")},
	{"{\"a\":\"x\ny\"}", BAD(8, "a string is not closed", "{\"a\":\"x") "2 malformed JSON at byte 1 of the line: it is no object: y\"}\n"},
	{"{\"a\":\"\\x\"}", BAD(7, "an unknown escape in a string", "{\"a\":\"\\x\"}")},
	{"{\"a\":\"\\u12g4\"}", BAD(7, "an unknown escape in a string", "{\"a\":\"\\u12g4\"}")},
	{"{\"a\":\"\\u12\"}", BAD(7, "an unknown escape in a string", "{\"a\":\"\\u12\"}")},
	{"{\"a\":\"\\", BAD(8, "a string is not closed", "{\"a\":\"\\")},
	{"{\"a\":\"\\ud83d\"}", BAD(7, "half of a surrogate pair in a string", "{\"a\":\"\\ud83d\"}")},
	{"{\"a\":\"x\\ude00\"}", BAD(8, "half of a surrogate pair in a string", "{\"a\":\"x\\ude00\"}")},
	{"{\"a\":\"\\ud83d\\ud83d\\ude00\"}", BAD(7, "half of a surrogate pair in a string", "{\"a\":\"\\ud83d\\ud83d\\ude00\"}")},
	{"{\"not needed\":\"\\ud83d\"}", BAD(16, "half of a surrogate pair in a string", "{\"not needed\":\"\\ud83d\"}")},
	{"{\"u\":\"\\q\"}", BAD(7, "an unknown escape in a string", "{\"u\":\"\\q\"}")},
	{"{\"a\":[1,]}", BAD(9, "no JSON value", "{\"a\":[1,]}")},
	{"{\"a\":[1 2]}", BAD(9, "neither a comma nor the end of an object or array", "{\"a\":[1 2]}")},
	{"{\"a\":[1}", BAD(8, "neither a comma nor the end of an object or array", "{\"a\":[1}")},
	{"{\"a\":{\"x\":1]}", BAD(12, "neither a comma nor the end of an object or array", "{\"a\":{\"x\":1]}")},
	{"{\"a\":{\"x\",1}}", BAD(10, "a name without a colon", "{\"a\":{\"x\",1}}")},
	{"{\"a\":{1:1}}", BAD(7, "a member without a name", "{\"a\":{1:1}}")},
	{"{\"a\":{,}}", BAD(7, "a member without a name", "{\"a\":{,}}")},
	{"{\"a\":[", BAD(7, "the line ends too early", "{\"a\":[")},
	{"{\"a\":[[1]", BAD(10, "the line ends too early", "{\"a\":[[1]")},
	{"{\"a\":[\"\\z\"]}", BAD(8, "an unknown escape in a string", "{\"a\":[\"\\z\"]}")},
	/* what was before stays readable */
	{"{\"a\":\"\\n\",\"b\":?}", BAD(15, "no JSON value", "{\"a\":\"\\n\",\"b\":?}")},
};

static void
cases_of_table(void)
{
	unit_random r = {1};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
	{
		static const size_t chunks[] = {0, 1, 2, 7, 100};

		for (size_t k = 0; k < 5; k++)
		{
			mcw_buf		out;

			mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
			CHECK_INT(dump(abc, 3, &mcw_malloc, mcw_str(table[i].text), chunks[k], &r, &out), MCW_END);
			CHECK_VIEW(mcw_buf_view(&out), mcw_str(table[i].want));
			mcw_buf_free(&out);
		}
	}
}

static void
rest_column(void)
{
	static const struct
	{
		const char *text;
		const char *want;		/* of columns a, * */
	}			rests[] = {
		{"{}", "1 0 - j[{}]\n"},
		{"{\"a\":1,\"b\":2}", "1 2 n[1] j[{}]\n"},
		{"{\"x\":1}", "1 1 - j[{\"x\":1}]\n"},
		{"{\"x\" : \"\\n\", \"a\":\"\\n\",\"\\u0062\":0, \"y\": [1, 2],\"x\":null }", "1 5 s[\n] j[{\"x\" : \"\\n\",\"y\": [1, 2],\"x\":null}]\n"},
		{"{\"\\n\":1,\"*\":2}\n{\"z\":{}}", "1 2 - j[{\"\\n\":1,\"*\":2}]\n2 1 - j[{\"z\":{}}]\n"},
		{"{\"x\":1,\"y\":}", BAD(12, "no JSON value", "{\"x\":1,\"y\":}")},
	};
	unit_random r = {1};

	for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++)
	{
		for (size_t chunk = 0; chunk < 20; chunk++)
		{
			mcw_buf		out;

			mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
			CHECK_INT(dump(abc_rest, 3, &mcw_malloc, mcw_str(rests[i].text), chunk, &r, &out), MCW_END);
			CHECK_VIEW(mcw_buf_view(&out), mcw_str(rests[i].want));
			mcw_buf_free(&out);
		}
	}
}

/* NUL in and out of strings, lengths around the vector size, no columns at all */
static void
odd_bytes(void)
{
	unit_random r = {1};
	mcw_buf		text;
	mcw_buf		want;
	mcw_buf		out;

	mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&want, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
	CHECK_INT(dump(abc, 3, &mcw_malloc, MCW_LIT("{\"a\":\"x\\u0000y\",\"b\":\"\\n\"}\n{\"a\":\"x\0y\"}\n\0\n{\"a\":1\0}\n"), 0, &r, &out), MCW_END);
	CHECK_VIEW(mcw_buf_view(&out),
			   MCW_LIT("1 2 s?[x\0y] s[\n]\n"
					   "2! malformed JSON at byte 8 of the line: a control character in a string: {\"a\":\"x\n"
					   "3! malformed JSON at byte 1 of the line: it is no object: \n"
					   "4! malformed JSON at byte 7 of the line: neither a comma nor the end of the object: {\"a\":1\n"));
	for (size_t len = 0; len < 70; len++)
	{
		for (int escape = 0; escape < 2; escape++)
		{
			text.len = want.len = out.len = 0;
			(void) mcw_buf_append_str(&text, "{\"a\":\"");
			(void) mcw_buf_append_str(&want, "1 2 s[");
			for (size_t i = 0; i < len; i++)
			{
				(void) mcw_buf_append_char(&text, (char) ('a' + i % 26));
				(void) mcw_buf_append_char(&want, (char) ('a' + i % 26));
			}
			(void) mcw_buf_append_str(&text, escape ? "\\u00e9\",\"b\":0}" : "\",\"b\":0}");
			(void) mcw_buf_append_str(&want, escape ? "\xc3\xa9] n[0]\n" : "] n[0]\n");
			CHECK_INT(dump(abc, 3, &mcw_malloc, mcw_buf_view(&text), 0, &r, &out), MCW_END);
			CHECK_VIEW(mcw_buf_view(&out), mcw_buf_view(&want));
		}
	}
	out.len = 0;
	CHECK_INT(dump(NULL, 0, &mcw_malloc, MCW_LIT("{\"a\":1}\n{}\nx\n"), 0, &r, &out), MCW_END);
	CHECK_VIEW(mcw_buf_view(&out), MCW_LIT("1 1 1:a\n2 0\n3 malformed JSON at byte 1 of the line: it is no object: x\n"));
	mcw_buf_free(&text);
	mcw_buf_free(&want);
	mcw_buf_free(&out);
}

/* 512 levels, the record one of them */
static void
deep(void)
{
	unit_random r = {1};

	for (int levels = 510; levels <= 513; levels++)
	{
		for (int object = 0; object < 2; object++)
		{
			mcw_buf		text;
			mcw_buf		out;

			mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
			mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
			(void) mcw_buf_append_str(&text, "{\"a\":");
			for (int i = 1; i < levels; i++)
				(void) mcw_buf_append_str(&text, object && i > 1 ? "{\"x\":" : "[");
			(void) mcw_buf_append_str(&text, "0");
			for (int i = 1; i < levels; i++)
				(void) mcw_buf_append_str(&text, object && i < levels - 1 ? "}" : "]");
			(void) mcw_buf_append_str(&text, "}");
			CHECK_INT(dump(abc, 3, &mcw_malloc, mcw_buf_view(&text), 0, &r, &out), MCW_END);
			CHECK((strstr(mcw_buf_cstr(&out), "nested too deep") != NULL) == (levels > 512));
			CHECK((strncmp(mcw_buf_cstr(&out), "1 1 j[[", 7) == 0) == (levels <= 512));
			mcw_buf_free(&text);
			mcw_buf_free(&out);
		}
	}
}

/* ---- generated ---- */

static void
put_blank(unit_random *r, mcw_buf *out)
{
	static const char *const blanks[] = {" ", "\t", "\r", "  "};

	if (unit_below(r, 6) == 0)
		(void) mcw_buf_append_str(out, blanks[unit_below(r, 4)]);
}

/* A string and one of its spellings */
static void
put_string(unit_random *r, mcw_view text, mcw_buf *out)
{
	(void) mcw_buf_append_char(out, '"');
	for (size_t i = 0; i < text.len;)
	{
		unsigned char c = (unsigned char) text.data[i];
		size_t		n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
		uint32_t	code = c;

		if (n > 1)
			code = c & (0xFFu >> (n + 1));
		for (size_t k = 1; k < n; k++)
			code = code << 6 | ((unsigned char) text.data[i + k] & 0x3F);
		if (code >= 0x10000 && unit_below(r, 3) == 0)
			(void) mcw_buf_printf(out, "\\u%04x\\u%04X", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF));
		else if (code < 0x10000 && (code < 0x20 || code == '"' || code == '\\' || unit_below(r, 8) == 0))
			(void) mcw_buf_printf(out, "\\u%04x", code);
		else
			(void) mcw_buf_append(out, text.data + i, n);
		i += n;
	}
	(void) mcw_buf_append_char(out, '"');
}

static size_t
random_text(unit_random *r, char *text)
{
	static const char *const pieces[] = {
		"a", "b", "xyz", "\"", "\\", "\n", "/", "{", "}", "\xc3\xa9", "\xe4\xb8\xad", "\xf0\x9f\x98\x80", " long enough for vectors "
	};
	size_t		len = 0;

	for (size_t n = unit_below(r, 6); n > 0; n--)
	{
		const char *piece = pieces[unit_below(r, sizeof(pieces) / sizeof(pieces[0]))];

		memcpy(text + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return len;
}

static void
put_nested(unit_random *r, mcw_buf *out, int depth)
{
	static const char *const scalars[] = {"1", "-2.5e7", "true", "false", "null", "\"s\"", "\"\\u0041]}\"", "[]", "{}"};
	bool		object = unit_below(r, 2);
	size_t		n = 1 + unit_below(r, 3);

	(void) mcw_buf_append_char(out, object ? '{' : '[');
	for (size_t i = 0; i < n; i++)
	{
		put_blank(r, out);
		if (object)
			(void) mcw_buf_printf(out, "\"k%zu\":", i);
		if (depth < 6 && unit_below(r, 3) == 0)
			put_nested(r, out, depth + 1);
		else
			(void) mcw_buf_append_str(out, scalars[unit_below(r, 9)]);
		put_blank(r, out);
		if (i + 1 < n)
			(void) mcw_buf_append_char(out, ',');
	}
	(void) mcw_buf_append_char(out, object ? '}' : ']');
}

#define NCOLUMNS 6

static void
generated(void)
{
	static const char *const numbers[] = {"0", "-1", "3.25", "1e9", "12345678901234567890", "-0.5E-3"};
	static const char *const all_names[] = {"id", "time", "message with a long name of many bytes", "\xe4\xb8\xad", "x\"y", "n", "other", "more"};
	unit_random r = {20250304};

	for (int round = 0; round < 400; round++)
	{
		mcw_rows_column columns[NCOLUMNS] = {0};
		int			order[8];
		mcw_buf		text;
		mcw_buf		want;
		mcw_buf		out;

		mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
		mcw_buf_init(&want, &mcw_malloc, MAX_TEXT);
		mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
		for (int i = 0; i < NCOLUMNS; i++)
			columns[i] = (mcw_rows_column) {.name = mcw_str(all_names[i]), .needed = unit_below(&r, 4) > 0};
		for (int i = 0; i < 8; i++)
			order[i] = i;
		for (int row = 1; row <= 20; row++)
		{
			mcw_field	fields[NCOLUMNS];
			mcw_buf		values[NCOLUMNS];
			int			nmembers = 0;
			int			unknown = 0;
			const char *first_unknown = "";

			for (int i = 0; i < NCOLUMNS; i++)
			{
				mcw_buf_init(&values[i], &mcw_malloc, MAX_TEXT);
				fields[i] = (mcw_field) {"", 0, MCW_FIELD_NULL | MCW_FIELD_ABSENT};
			}
			/* mostly the same order */
			if (unit_below(&r, 6) == 0)
			{
				int			i = (int) unit_below(&r, 8);
				int			j = (int) unit_below(&r, 8);
				int			t = order[i];

				order[i] = order[j];
				order[j] = t;
			}
			put_blank(&r, &text);
			(void) mcw_buf_append_char(&text, '{');
			for (int k = 0; k < 8; k++)
			{
				int			c = order[k];
				char		raw[200];
				mcw_view	string = {raw, 0};
				mcw_buf		spelt;
				unsigned	flags;

				if (unit_below(&r, 10) == 0)
					continue;
				mcw_buf_init(&spelt, &mcw_malloc, MAX_TEXT);
				put_blank(&r, &text);
				if (nmembers++ > 0)
					(void) mcw_buf_append_char(&text, ',');
				put_blank(&r, &text);
				if (unit_below(&r, 10))
					(void) mcw_buf_printf(&text, c == 4 ? "\"x\\\"y\"" : "\"%s\"", all_names[c]);
				else
					put_string(&r, mcw_str(all_names[c]), &text);
				put_blank(&r, &text);
				(void) mcw_buf_append_char(&text, ':');
				put_blank(&r, &text);
				switch (unit_below(&r, 6))
				{
					case 0:
						(void) mcw_buf_append_str(&spelt, numbers[unit_below(&r, 6)]);
						flags = MCW_FIELD_NUMBER;
						break;
					case 1:
						(void) mcw_buf_append_str(&spelt, unit_below(&r, 2) ? "true" : "false");
						flags = MCW_FIELD_BOOL;
						break;
					case 2:
						(void) mcw_buf_append_str(&spelt, "null");
						flags = MCW_FIELD_NULL;
						break;
					case 3:
						put_nested(&r, &spelt, 1);
						flags = MCW_FIELD_NESTED;
						break;
					default:
						string.len = random_text(&r, raw);
						put_string(&r, string, &spelt);
						flags = MCW_FIELD_STRING;
				}
				(void) mcw_buf_append_view(&text, mcw_buf_view(&spelt));
				if (c < NCOLUMNS)
				{
					values[c].len = 0;
					(void) mcw_buf_append_view(&values[c], flags == MCW_FIELD_STRING ? string : mcw_buf_view(&spelt));
					fields[c] = (mcw_field) {mcw_buf_view(&values[c]).data, (uint32_t) values[c].len, flags};
				}
				else if (unknown++ == 0)
					first_unknown = all_names[c];
				mcw_buf_free(&spelt);
			}
			put_blank(&r, &text);
			(void) mcw_buf_append_str(&text, unit_below(&r, 5) ? "}\n" : "} \r\n");
			(void) mcw_buf_printf(&want, "%d %d", row, nmembers);
			if (unknown)
				(void) mcw_buf_printf(&want, " %d:%s", unknown, first_unknown);
			for (int i = 0; i < NCOLUMNS; i++)
			{
				if (columns[i].needed)
					dump_field(&want, &fields[i]);
				mcw_buf_free(&values[i]);
			}
			(void) mcw_buf_append_char(&want, '\n');
		}
		for (int k = 0; k < 4; k++)
		{
			static const size_t chunks[] = {0, 3, 50, 700};

			out.len = 0;
			CHECK_INT(dump(columns, NCOLUMNS, &mcw_malloc, mcw_buf_view(&text), chunks[k], &r, &out), MCW_END);
			/* an unknown name may be told as it is spelt: compare what is not that */
			if (strstr(mcw_buf_cstr(&out), ":\\u") || strstr(mcw_buf_cstr(&text), "\\u006f") ||
				!mcw_view_eq(mcw_buf_view(&out), mcw_buf_view(&want)))
			{
				const char *a = mcw_buf_cstr(&out);
				const char *b = mcw_buf_cstr(&want);
				bool		same = true;

				while (same && *a && *b)
				{
					if (a[0] == ':' && b[0] == ':' && strchr("om\\", a[1]) && strchr("om", b[1]))
					{
						a += strcspn(a, " \n");
						b += strcspn(b, " \n");
					}
					same = *a++ == *b++;
				}
				if (!CHECK(same && *a == *b))
					printf("got\n%s\nwant\n%s\nof\n%s\n", mcw_buf_cstr(&out), mcw_buf_cstr(&want), mcw_buf_cstr(&text));
			}
			else
				CHECK(true);
		}
		mcw_buf_free(&text);
		mcw_buf_free(&want);
		mcw_buf_free(&out);
	}
}

/* ---- damage ---- */

/*
 * Changed lines: good exactly if another parser takes them for an object.  It refuses
 * integers beyond 64 bits and other nesting, and takes half surrogate pairs.
 */
static void
against_tree(void)
{
	static const char *const seeds[] = {
		"{\"a\":1,\"b\":\"x\\u00e9\\n\"}", "{\"a\":[1,2,{\"c\":null}],\"b\":-1.5e3,\"d\":true}",
		"{\"a\":{\"b\":[\"\\\\\",\"\\\"\"]}, \"b\":false}", "{\"b\":\"\\ud83d\\ude00\", \"a\":\"long text of many bytes, in all\"}"
	};
	static const char letters[] = "{}[]\",:\\ \t0123456789.eE+-truefalsnu\x01\x80x";
	unit_random r = {11};
	unsigned	good = 0;

	for (int round = 0; round < 60000; round++)
	{
		const char *seed = seeds[unit_below(&r, 4)];
		char		line[200];
		size_t		len = strlen(seed);
		mcw_arena	arena;
		mcw_node   *root = NULL;
		mcw_error	err = {0};
		mcw_buf		out;
		bool		ours;
		bool		theirs;

		memcpy(line, seed, len);
		for (size_t n = 1 + unit_below(&r, 2); n > 0; n--)
		{
			size_t		at = unit_below(&r, len);

			switch (unit_below(&r, 3))
			{
				case 0:
					line[at] = letters[unit_below(&r, sizeof(letters) - 1)];
					break;
				case 1:
					memmove(line + at, line + at + 1, len - at - 1);
					len--;
					break;
				default:
					memmove(line + at + 1, line + at, len - at);
					line[at] = letters[unit_below(&r, sizeof(letters) - 1)];
					len++;
			}
		}
		mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
		CHECK_INT(dump(abc, 3, &mcw_malloc, (mcw_view) {line, len}, round % 2 ? 9 : 0, &r, &out), MCW_END);
		ours = strstr(mcw_buf_cstr(&out), "malformed") == NULL && out.len > 0;
		mcw_arena_init(&arena, &mcw_malloc, MAX_TEXT);
		theirs = mcw_json_parse((mcw_view) {line, len}, &arena, &root, &err) == MCW_OK && root->kind == MCW_NODE_OBJECT;
		good += theirs;
		if (ours != theirs && strstr(out.data, "surrogate") == NULL &&
			mcw_utf8_valid(line, len) == len && !CHECK(ours == theirs))
			printf("    %.*s\n    %s    %s\n", (int) len, line, mcw_buf_cstr(&out), err.message);
		mcw_arena_reset(&arena);
		mcw_buf_free(&out);
	}
	CHECK(good > 5000 && good < 55000);
}

/* ---- limits and memory ---- */

static mcw_status
attempt(const mcw_alloc *alloc, void *arg)
{
	unit_random r = {3};
	mcw_buf		out;
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
	status = dump(arg, 3, alloc, MCW_LIT("{\"\\u0061\":\"\\n\",\"x\":[1,2,3],\"long name that needs memory of its own, escaped \\u0041\":\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"}\n{}\n"), 30, &r, &out);
	mcw_buf_free(&out);
	return status == MCW_END ? MCW_OK : status;
}

static void
memory(void)
{
	unit_torture(attempt, (void *) abc);
	unit_torture(attempt, (void *) abc_rest);
}

static void
mistakes(void)
{
	static const mcw_rows_column twice[] = {{.name = {"a", 1}}, {.name = {"b", 1}}, {.name = {"a", 1}}};
	static const mcw_rows_column two_rests[] = {{.name = {"*", 1}}, {.name = {"*", 1}}};
	mcw_rows_options options = {.columns = twice, .ncolumns = 3};
	mcw_rows   *rows;
	mcw_record	record;
	mcw_error	err = {0};
	char		text[] = "x{\"a\":\"0123456789\"}\n";

	CHECK_INT(mcw_rows_open(&mcw_format_jsonl, &options, &mcw_malloc, &rows, &err), MCW_ERR_ARGUMENT);
	options = (mcw_rows_options) {.columns = two_rests, .ncolumns = 2};
	CHECK_INT(mcw_rows_open(&mcw_format_jsonl, &options, &mcw_malloc, &rows, &err), MCW_ERR_ARGUMENT);
	options = (mcw_rows_options) {.columns = abc, .ncolumns = 3, .max_record = 10};
	CHECK_OK(mcw_rows_open(&mcw_format_jsonl, &options, &mcw_malloc, &rows, &err));
	mcw_rows_feed(rows, text + 1, strlen(text) - 1, true);
	CHECK_INT(mcw_rows_next(rows, &record, &err), MCW_ERR_LIMIT);
	mcw_rows_free(rows);
}

static const unit_case cases[] = {
	{"table", cases_of_table},
	{"rest", rest_column},
	{"odd bytes", odd_bytes},
	{"deep", deep},
	{"generated", generated},
	{"against a tree", against_tree},
	{"memory", memory},
	{"mistakes", mistakes},
};

UNIT_MAIN(cases)
