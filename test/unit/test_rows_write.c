/*
 * test_rows_write.c
 *		Writers of csv, text and jsonl against COPY TO and escape_json spelt out byte by
 *		byte, over thousands of nasty records and options.
 */
#include "../../src/wire/mcw_rows.h"
#include "rows_round_trip.h"
#include "unit.h"

#define MAX_COLUMNS 6

typedef enum kind
{
	A_NULL, A_TEXT, A_BARE, A_RAW, KINDS
} kind;

typedef struct value
{
	kind		kind;
	char	   *data;
	size_t		len;
} value;

/* ---- the rules again, as slow as they can be ---- */

static void
put(mcw_buf *out, char c)
{
	if (mcw_buf_append_char(out, c) != MCW_OK)
		abort();
}

static void
put_view(mcw_buf *out, mcw_view v)
{
	for (size_t i = 0; i < v.len; i++)
		put(out, v.data[i]);
}

/* CopyAttributeOutText */
static void
model_text(mcw_buf *out, const mcw_write_options *o, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		char		c = data[i];

		switch (c)
		{
			case '\b': put(out, '\\'); put(out, 'b'); break;
			case '\f': put(out, '\\'); put(out, 'f'); break;
			case '\n': put(out, '\\'); put(out, 'n'); break;
			case '\r': put(out, '\\'); put(out, 'r'); break;
			case '\t': put(out, '\\'); put(out, 't'); break;
			case '\v': put(out, '\\'); put(out, 'v'); break;
			default:
				if (c == '\\' || c == o->delimiter)
					put(out, '\\');
				put(out, c);
		}
	}
}

/* CopyAttributeOutCSV */
static void
model_csv(mcw_buf *out, const mcw_write_options *o, bool force, const char *data, size_t len)
{
	bool		quote = force || mcw_view_eq((mcw_view) {data, len}, o->null);

	if (o->ncolumns == 1 && len == 2 && data[0] == '\\' && data[1] == '.')
		quote = true;
	for (size_t i = 0; i < len; i++)
		quote = quote || data[i] == o->delimiter || data[i] == o->quote || data[i] == '\n' || data[i] == '\r';
	if (quote)
		put(out, o->quote);
	for (size_t i = 0; i < len; i++)
	{
		if (quote && (data[i] == o->quote || data[i] == o->escape))
			put(out, o->escape);
		put(out, data[i]);
	}
	if (quote)
		put(out, o->quote);
}

/* escape_json */
static void
model_string(mcw_buf *out, const char *data, size_t len)
{
	put(out, '"');
	for (size_t i = 0; i < len; i++)
	{
		unsigned char c = (unsigned char) data[i];
		char		hex[8];

		switch (c)
		{
			case '\b': put_view(out, MCW_LIT("\\b")); break;
			case '\f': put_view(out, MCW_LIT("\\f")); break;
			case '\n': put_view(out, MCW_LIT("\\n")); break;
			case '\r': put_view(out, MCW_LIT("\\r")); break;
			case '\t': put_view(out, MCW_LIT("\\t")); break;
			case '"': put_view(out, MCW_LIT("\\\"")); break;
			case '\\': put_view(out, MCW_LIT("\\\\")); break;
			default:
				if (c < ' ')
				{
					snprintf(hex, sizeof(hex), "\\u%04x", c);
					put_view(out, mcw_str(hex));
				}
				else
					put(out, (char) c);
		}
	}
	put(out, '"');
}

static void
model_json(mcw_buf *out, const mcw_write_options *o, const value *row)
{
	char		separator = '{';

	for (int i = 0; i < o->ncolumns; i++)
	{
		const value *v = &row[i];

		if (v->kind == A_NULL && o->omit_null)
			continue;
		put(out, separator);
		separator = ',';
		model_string(out, o->names[i].data, o->names[i].len);
		put(out, ':');
		if (v->kind == A_NULL)
			put_view(out, MCW_LIT("null"));
		else if (v->kind == A_TEXT)
			model_string(out, v->data, v->len);
		else
			for (size_t k = 0; k < v->len; k++)
				put(out, v->kind == A_RAW && (v->data[k] == '\n' || v->data[k] == '\r') ? ' ' : v->data[k]);
	}
	if (separator == '{')
		put(out, '{');
	put_view(out, MCW_LIT("}\n"));
}

static void
model_row(mcw_buf *out, const mcw_format *format, const mcw_write_options *o, const value *row)
{
	if (format == &mcw_format_jsonl)
	{
		model_json(out, o, row);
		return;
	}
	for (int i = 0; i < o->ncolumns; i++)
	{
		if (i > 0)
			put(out, o->delimiter);
		if (row[i].kind == A_NULL)
			put_view(out, o->null);
		else if (format == &mcw_format_csv)
			model_csv(out, o, o->force_quote && o->force_quote[i], row[i].data, row[i].len);
		else
			model_text(out, o, row[i].data, row[i].len);
	}
	put(out, '\n');
}

static void
model_header(mcw_buf *out, const mcw_format *format, const mcw_write_options *o)
{
	for (int i = 0; i < o->ncolumns; i++)
	{
		if (i > 0)
			put(out, o->delimiter);
		if (format == &mcw_format_csv)
			model_csv(out, o, false, o->names[i].data, o->names[i].len);
		else
			model_text(out, o, o->names[i].data, o->names[i].len);
	}
	put(out, '\n');
}

/* ---- generated rows ---- */

static const char *const bares[] = {"0", "-1", "t", "f", "true", "1.5e+300", "2024-02-29 12:00:00+08", "NaN", "7"};
static const char nasty[] = ",;|\t \"'\\\n\r\b\v\f\x01\x1f\x7f.Nnt-+:a\xC3\xA9";

/* each in memory of exactly its length, so that ASan sees a byte too much */
static value
random_value(unit_random *r)
{
	value		v = {(kind) unit_below(r, KINDS), NULL, 0};
	size_t		mode = unit_below(r, 10);

	if (v.kind == A_BARE)
	{
		const char *bare = bares[unit_below(r, sizeof(bares) / sizeof(bares[0]))];

		v.len = strlen(bare);
		v.data = malloc(v.len);
		memcpy(v.data, bare, v.len);
		return v;
	}
	v.len = mode < 6 ? unit_below(r, 40) : mode < 9 ? unit_below(r, 4) : unit_below(r, 400);
	if (unit_below(r, 500) == 0)
		v.len = 16380 + unit_below(r, 40000);
	v.data = malloc(v.len + (v.len == 0));
	for (size_t i = 0; i < v.len; i++)
		v.data[i] = unit_below(r, 100) < mode * mode ? nasty[unit_below(r, sizeof(nasty) - 1)] : (char) (' ' + unit_below(r, 94));
	if (unit_below(r, 20) == 0 && v.len >= 2)
	{
		memcpy(v.data, "\\.", 2);
		v.len = 2;
	}
	return v;
}

/* Options that COPY allows, often strange */
static void
random_options(unit_random *r, const mcw_format *format, mcw_write_options *o, bool *force)
{
	static const char delimiters[] = ",,,\t\t;| -:7eX\x01\b\v";
	static const char quotes[] = "\"\"\"'7t ";
	static const char *const nulls[] = {"", "", "", "\\N", "NULL", "t", "7", "\\.", "nothing here"};

	o->delimiter = delimiters[unit_below(r, sizeof(delimiters) - 1)];
	o->quote = quotes[unit_below(r, sizeof(quotes) - 1)];
	o->escape = unit_below(r, 3) ? o->quote : '\\';
	o->null = mcw_str(nulls[unit_below(r, sizeof(nulls) / sizeof(nulls[0]))]);
	o->ncolumns = (int) unit_below(r, MAX_COLUMNS) + (unit_below(r, 20) > 0);
	o->omit_null = unit_below(r, 2);
	for (int i = 0; i < MAX_COLUMNS; i++)
		force[i] = unit_below(r, 3) == 0;
	o->force_quote = unit_below(r, 3) ? NULL : force;
	if (format == &mcw_format_text && strchr("7e", o->delimiter))
		o->delimiter = '\t';
	if (o->quote == o->delimiter)
		o->quote = '"';
}

static const mcw_view names[MAX_COLUMNS] = {
	MCW_LIT("id"), MCW_LIT(""), MCW_LIT("a,b"), MCW_LIT("say \"x\"\n\\"), MCW_LIT("\\."),
	MCW_LIT("w\xC3\xA4hrung in long words, longer than sixteen")
};

static void
run_format(const mcw_format *format, uint64_t seed)
{
	unit_random r = {seed};
	mcw_buf		got;
	mcw_buf		want;

	mcw_buf_init(&got, &mcw_malloc, 1 << 24);
	mcw_buf_init(&want, &mcw_malloc, 1 << 24);
	for (int n = 0; n < 3000; n++)
	{
		mcw_write_options o = {0};
		bool		force[MAX_COLUMNS];
		mcw_row_writer w;
		mcw_error	err;

		random_options(&r, format, &o, force);
		o.names = names;
		if (mcw_row_writer_init(&w, format, &o, &mcw_malloc, &err) != MCW_OK)
		{
			/* only a null text that collides */
			CHECK(format != &mcw_format_jsonl && o.null.len > 0);
			continue;
		}
		w.out = &got;
		mcw_buf_reset(&got);
		mcw_buf_reset(&want);
		format->header(&w);
		if (format != &mcw_format_jsonl)
			model_header(&want, format, &o);
		for (int k = 0; k < 3; k++)
		{
			value		row[MAX_COLUMNS];

			for (int i = 0; i < o.ncolumns; i++)
			{
				row[i] = random_value(&r);
				switch (row[i].kind)
				{
					case A_NULL: format->null(&w); break;
					case A_TEXT: format->text(&w, row[i].data, row[i].len); break;
					case A_BARE: format->bare(&w, row[i].data, row[i].len); break;
					default: format->raw(&w, row[i].data, row[i].len); break;
				}
			}
			format->end(&w);
			model_row(&want, format, &o, row);
			for (int i = 0; i < o.ncolumns; i++)
				free(row[i].data);
		}
		CHECK_OK(mcw_buf_status(&got));
		if (!CHECK_VIEW(mcw_buf_view(&got), mcw_buf_view(&want)))
		{
			printf("    record %d: delimiter %d quote %d escape %d null \"%s\" columns %d\n",
				   n, o.delimiter, o.quote, o.escape, o.null.data, o.ncolumns);
			n = 1 << 30;
		}
		mcw_row_writer_free(&w);
	}
	mcw_buf_free(&got);
	mcw_buf_free(&want);
}

static void
test_csv(void)
{
	run_format(&mcw_format_csv, 1);
}

static void
test_text(void)
{
	run_format(&mcw_format_text, 2);
}

static void
test_jsonl(void)
{
	run_format(&mcw_format_jsonl, 3);
}

/* every length around the steps of 16, 8 and 4, with one special byte at every place */
static void
test_seams(void)
{
	static const mcw_format *const formats[] = {&mcw_format_csv, &mcw_format_text, &mcw_format_jsonl};
	mcw_write_options o = {.delimiter = ',', .quote = '"', .escape = '"', .null = MCW_LIT(""), .names = names, .ncolumns = 1};

	for (int f = 0; f < 3; f++)
	{
		mcw_row_writer w;
		mcw_buf		got;
		mcw_buf		want;
		mcw_error	err;
		bool		same = true;

		mcw_buf_init(&got, &mcw_malloc, 1 << 20);
		mcw_buf_init(&want, &mcw_malloc, 1 << 20);
		CHECK_OK(mcw_row_writer_init(&w, formats[f], &o, &mcw_malloc, &err));
		w.out = &got;
		for (size_t len = 1; len < 70; len++)
			for (size_t at = 0; at < len; at++)
				for (int c = 1; c < 256; c++)
				{
					value		v = {A_TEXT, malloc(len), len};

					memset(v.data, 'x', len);
					v.data[at] = (char) c;
					mcw_buf_reset(&got);
					mcw_buf_reset(&want);
					formats[f]->text(&w, v.data, v.len);
					formats[f]->end(&w);
					model_row(&want, formats[f], &o, &v);
					same = same && mcw_view_eq(mcw_buf_view(&got), mcw_buf_view(&want));
					free(v.data);
				}
		CHECK(same);
		mcw_row_writer_free(&w);
		mcw_buf_free(&got);
		mcw_buf_free(&want);
	}
}

static void
test_member(void)
{
	mcw_write_options o = {.names = names, .ncolumns = 1};
	mcw_row_writer w;
	mcw_buf		got;
	mcw_error	err;

	mcw_buf_init(&got, &mcw_malloc, 1 << 20);
	CHECK_OK(mcw_row_writer_init(&w, &mcw_format_jsonl, &o, &mcw_malloc, &err));
	w.out = &got;
	mcw_format_jsonl.bare(&w, "7", 1);
	mcw_row_member(&w, MCW_LIT("a\"b"), MCW_LIT("[1,\n2]"));
	mcw_format_jsonl.end(&w);
	CHECK_VIEW(mcw_buf_view(&got), MCW_LIT("{\"id\":7,\"a\\\"b\":[1, 2]}\n"));
	mcw_row_writer_free(&w);

	mcw_buf_reset(&got);
	o.ncolumns = 0;
	CHECK_OK(mcw_row_writer_init(&w, &mcw_format_jsonl, &o, &mcw_malloc, &err));
	w.out = &got;
	mcw_row_member(&w, MCW_LIT("x"), MCW_LIT("null"));
	mcw_format_jsonl.end(&w);
	mcw_format_jsonl.end(&w);
	CHECK_VIEW(mcw_buf_view(&got), MCW_LIT("{\"x\":null}\n{}\n"));
	mcw_row_writer_free(&w);
	mcw_buf_free(&got);
}

static void
check_refused(const mcw_format *format, mcw_write_options o, mcw_status want)
{
	mcw_row_writer w;
	mcw_error	err = {0};

	o.names = names;
	CHECK_INT(mcw_row_writer_init(&w, format, &o, &mcw_malloc, &err), want);
	CHECK(err.message[0] != '\0');
}

static void
test_refused(void)
{
	mcw_write_options o = {.delimiter = ',', .quote = '"', .escape = '"', .null = MCW_LIT(""), .ncolumns = 2};
	mcw_write_options bad;
	const mcw_view twice[] = {MCW_LIT("a"), MCW_LIT("a")};
	mcw_row_writer w;
	mcw_error	err = {0};

	check_refused(&mcw_format_line, o, MCW_ERR_UNSUPPORTED);
	bad = o, bad.delimiter = '\n';
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	check_refused(&mcw_format_text, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.delimiter = 'n';
	check_refused(&mcw_format_text, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.delimiter = '"';
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.quote = '\0';
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.escape = '\r';
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.null = MCW_LIT("a,b");
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	check_refused(&mcw_format_text, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.null = MCW_LIT("a\"b");
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.null = MCW_LIT("\\.");
	check_refused(&mcw_format_csv, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.null = MCW_LIT("\r");
	check_refused(&mcw_format_text, bad, MCW_ERR_ARGUMENT);
	bad = o, bad.names = twice;
	CHECK_INT(mcw_row_writer_init(&w, &mcw_format_jsonl, &bad, &mcw_malloc, &err), MCW_ERR_ARGUMENT);
}

/* A record that does not fit is dropped whole, and the next one is written as ever */
static void
test_limit(void)
{
	static const mcw_format *const formats[] = {&mcw_format_csv, &mcw_format_text, &mcw_format_jsonl};
	mcw_write_options o = {.delimiter = ',', .quote = '"', .escape = '"', .null = MCW_LIT(""), .names = names, .ncolumns = 3};
	static char big[100000];

	memset(big, '"', sizeof(big));
	for (int f = 0; f < 3; f++)
	{
		mcw_row_writer w;
		mcw_buf		out;
		mcw_error	err;
		size_t		before;

		mcw_buf_init(&out, &mcw_malloc, 60000);
		CHECK_OK(mcw_row_writer_init(&w, formats[f], &o, &mcw_malloc, &err));
		w.out = &out;
		for (int pass = 0; pass < 2; pass++)
		{
			formats[f]->bare(&w, "1", 1);
			formats[f]->text(&w, "two", 3);
			formats[f]->null(&w);
			formats[f]->end(&w);
			CHECK_OK(mcw_buf_status(&out));
			before = out.len;
			formats[f]->bare(&w, "1", 1);
			formats[f]->text(&w, big, sizeof(big));
			formats[f]->null(&w);
			if (pass)
				formats[f]->end(&w);
			CHECK_INT(mcw_buf_status(&out), MCW_ERR_LIMIT);
			out.len = before;
			out.failed = false;
			mcw_row_restart(&w);
		}
		CHECK_VIEW(mcw_buf_view(&out), f == 2 ? MCW_LIT("{\"id\":1,\"\":\"two\",\"a,b\":null}\n{\"id\":1,\"\":\"two\",\"a,b\":null}\n") :
				   MCW_LIT("1,two,\n1,two,\n"));
		mcw_row_writer_free(&w);
		mcw_buf_free(&out);
	}
}

static mcw_status
attempt(const mcw_alloc *alloc, void *arg)
{
	const mcw_format *format = arg;
	mcw_write_options o = {.delimiter = ',', .quote = '"', .escape = '"', .null = MCW_LIT(""), .names = names, .ncolumns = 3};
	mcw_row_writer w;
	mcw_buf		out;
	mcw_error	err = {0};
	mcw_status	status;

	mcw_buf_init(&out, alloc, 1 << 20);
	status = mcw_row_writer_init(&w, format, &o, alloc, &err);
	if (status == MCW_OK)
	{
		w.out = &out;
		for (int i = 0; i < 20; i++)
		{
			format->null(&w);
			format->text(&w, "a \"text\" that says, and this is long, more than a line\n", 55);
			format->raw(&w, "{\"a\": 1}", 8);
			format->end(&w);
		}
		status = mcw_buf_status(&out);
		mcw_row_writer_free(&w);
	}
	mcw_buf_free(&out);
	return status;
}

static void
test_memory(void)
{
	unit_torture(attempt, (void *) &mcw_format_csv);
	unit_torture(attempt, (void *) &mcw_format_text);
	unit_torture(attempt, (void *) &mcw_format_jsonl);
}

static void
test_round_trip(void)
{
	unit_random r = {4};
	char		data[600];
	int			tried = 0;

	for (int i = 0; i < 20000; i++)
	{
		size_t		len = unit_below(&r, sizeof(data));

		unit_fill(&r, data, len, 256);
		if (!CHECK(rows_round_trip((const uint8_t *) data, len, &tried)))
			break;
	}
	/* most options are possible together */
	CHECK(tried > 10000);
}

static const unit_case cases[] = {
	{"csv", test_csv},
	{"text", test_text},
	{"jsonl", test_jsonl},
	{"seams", test_seams},
	{"member", test_member},
	{"refused", test_refused},
	{"limit", test_limit},
	{"memory", test_memory},
	{"round_trip", test_round_trip},
};

UNIT_MAIN(cases)
