/*
 * test_rows.c
 *		Reading csv, text and line: tables of cases, the same records whatever the chunks
 *		and the instructions, the contract about bytes, limits.  test/diff/rows compares
 *		with COPY itself.
 */
#include "../../src/wire/mcw_rows_delimited.h"
#include "../../src/wire/mcw_text.h"
#include "unit.h"

#define MAX_COLUMNS 8

typedef struct setup
{
	const char *format;
	mcw_rows_options options;
	mcw_rows_column columns[MAX_COLUMNS];
} setup;

static setup
make(const char *format, int ncolumns)
{
	static const char *const names[MAX_COLUMNS] = {"a", "b", "c", "d", "e", "f", "g", "h"};
	setup		s = {format};

	s.options.ncolumns = ncolumns;
	for (int i = 0; i < ncolumns; i++)
	{
		s.columns[i].name = mcw_str(names[i]);
		s.columns[i].needed = true;
	}
	return s;
}

static void
dump_record(mcw_buf *out, const setup *s, const mcw_record *r)
{
	(void) mcw_buf_printf(out, "%llu:%d%s", (unsigned long long) r->line, r->nfields, r->verified ? "" : "!");
	for (int i = 0; i < s->options.ncolumns; i++)
	{
		const mcw_field *f = &r->fields[i];

		if (!s->columns[i].needed)
			continue;
		if (f->flags & MCW_FIELD_NULL)
			(void) mcw_buf_append_str(out, f->flags & MCW_FIELD_ABSENT ? " -" : " N");
		else
		{
			(void) mcw_buf_append_str(out, f->flags & MCW_FIELD_CHECK ? " ?[" : " [");
			(void) mcw_buf_append(out, f->data, f->len);
			(void) mcw_buf_append_str(out, "]");
		}
	}
	(void) mcw_buf_append_str(out, "\n");
	/* the bytes before values are the caller's: whatever is put there changes nothing */
	for (int i = 0; i < s->options.ncolumns; i++)
		if (s->columns[i].needed && !(r->fields[i].flags & MCW_FIELD_NULL))
			((char *) r->fields[i].data)[-1] = '"';
	for (int i = 0; i < s->options.ncolumns; i++)
		if (s->columns[i].needed && !(r->fields[i].flags & MCW_FIELD_NULL) && r->fields[i].len > 0)
			((char *) r->fields[i].data)[0] ^= 1;
}

/*
 * Read 'text' in chunks of chunk_size bytes (0: of random sizes) and print the records,
 * or the failure with offset and line.
 */
static mcw_status
dump(setup *s, mcw_view text, size_t chunk_size, int level, unit_random *random, const mcw_alloc *alloc, mcw_buf *out)
{
	mcw_rows   *rows;
	mcw_record	record;
	mcw_error	err = {0};
	mcw_status	status;
	size_t		at = 0;

	s->options.columns = s->columns;
	out->len = 0;
	status = mcw_rows_open(mcw_format_find(s->format), &s->options, alloc, &rows, &err);
	if (status != MCW_OK)
	{
		(void) mcw_buf_printf(out, "refused: %s\n", err.message);
		return status;
	}
	if (level >= 0 && strcmp(s->format, "line") != 0)
		mcw_rows_scan_with(rows, (mcw_scan_level) level);
	do
	{
		size_t		len = chunk_size ? chunk_size : unit_below(random, 40);
		char	   *chunk;

		if (len > text.len - at)
			len = text.len - at;
		chunk = malloc(len ? len : 1);	/* nothing behind it may be read */
		memcpy(chunk, text.data + at, len);
		at += len;
		mcw_rows_feed(rows, chunk, len, at == text.len);
		while ((status = mcw_rows_next(rows, &record, &err)) == MCW_OK)
			dump_record(out, s, &record);
		free(chunk);
	} while (status == MCW_END && at < text.len);
	if (status != MCW_END)
	{
		mcw_error	again = {0};

		(void) mcw_buf_printf(out, "%llu@%llu: %s\n", (unsigned long long) mcw_rows_line(rows),
							  (unsigned long long) err.offset, err.message);
		CHECK_INT(mcw_rows_next(rows, &record, &again), status);
		CHECK_STR(again.message, err.message);
	}
	else
		CHECK_INT(mcw_rows_next(rows, &record, &err), MCW_END);
	mcw_rows_free(rows);
	return status == MCW_END ? MCW_OK : status;
}

/* the same for every chunking and every set of instructions */
static void
expect(setup s, mcw_view text, mcw_view want, const char *file, int line)
{
	static const size_t chunks[] = {1 << 20, 1, 2, 3, 5, 64, 0};
	unit_random random = {88172645463325252u};
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 1 << 20);
	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
		for (int level = MCW_SCAN_SCALAR; level <= MCW_SCAN_AVX2; level++)
		{
			(void) dump(&s, text, chunks[i], level, &random, &mcw_malloc, &out);
			if (!unit_check_view(mcw_buf_view(&out), want, file, line, "records"))
				printf("    chunks of %zu, level %d\n", chunks[i], level);
		}
	mcw_buf_free(&out);
}

#define EXPECT(setup, text, want) expect(setup, MCW_LIT(text), MCW_LIT(want), __FILE__, __LINE__)

static void
csv(void)
{
	setup		s = make("csv", 3);

	EXPECT(s, "", "");
	EXPECT(s, "a,b,c\n", "1:3 [a] [b] [c]\n");
	EXPECT(s, "a,b,c", "1:3 [a] [b] [c]\n");
	EXPECT(s, "\xEF\xBB\xBF" "a,,\n", "1:3 [a] N N\n");
	EXPECT(s, "\xEF\xBB", "1:1! [\xEF\xBB] - -\n");
	EXPECT(s, "\n\nx\n", "1:1 N - -\n2:1 N - -\n3:1 [x] - -\n");
	EXPECT(s, "a,b,c,d,e\n", "1:5 [a] [b] [c]\n");
	EXPECT(s, "\"a\",\"\",\n", "1:3 [a] [] N\n");
	EXPECT(s, "\"a\"\"b\",\"\"\"\",\"\"\"\"\"\"\n", "1:3 [a\"b] [\"] [\"\"]\n");
	EXPECT(s, "a\"b,c\"d,\"e\"f\"g\", h \n", "1:3 [ab,cd] [efg] [ h ]\n");
	EXPECT(s, "\"a\nb\n\",x\ny\n", "1:2 [a\nb\n] [x] -\n4:1 [y] - -\n");
	EXPECT(s, "\"a\r\nb\",x\r\ny\r\n", "1:2 [a\r\nb] [x] -\n3:1 [y] - -\n");
	EXPECT(s, "a\rb\r\rc", "1:1 [a] - -\n2:1 [b] - -\n3:1 N - -\n4:1 [c] - -\n");
	EXPECT(s, "a\r\nb\n", "1:1 [a] - -\n2@4: unquoted newline found in data\n");
	EXPECT(s, "a\r\nb\rc\n", "1:1 [a] - -\n2@4: unquoted carriage return found in data\n");
	EXPECT(s, "a\nb\r\n", "1:1 [a] - -\n2@3: unquoted carriage return found in data\n");
	EXPECT(s, "a\rb\r\n", "1:1 [a] - -\n2:1 [b] - -\n3@4: unquoted newline found in data\n");
	EXPECT(s, "a\n\"b\nc\n", "1:1 [a] - -\n4@7: unterminated CSV quoted field\n");
	/* data, where COPY before 18 drops the rest */
	EXPECT(s, "a\n\\.\nb\n", "1:1 [a] - -\n2:1 [\\.] - -\n3:1 [b] - -\n");
	EXPECT(s, "a\xff,b\nc\n", "1:2! [a\xff] [b] -\n2:1 [c] - -\n");
	EXPECT(s, "a\0,b\nc\n", "1:2! [a\0] [b] -\n2:1 [c] - -\n");
}

static void
csv_options(void)
{
	setup		s = make("csv", 3);

	s.options.escape = '\\';
	EXPECT(s, "\"a\\\"b\",\"\\\\\",\"\\x\"\n", "1:3 [a\"b] [\\] [\\x]\n");
	EXPECT(s, "\"a\\\\\",\\\"b\"\n", "1:2 [a\\] [\\b] -\n");
	EXPECT(s, "\"a\"\"b\",\"\\\n\"\n\"\\\"\n", "1:2 [ab] [\\\n] -\n4@16: unterminated CSV quoted field\n");
	s = make("csv", 3);
	s.options.delimiter = '\x01';
	s.options.null = MCW_LIT("\\N");
	EXPECT(s, "\\N\x01\"\\N\"\x01\n", "1:3 N [\\N] []\n");
	s.columns[0].force_not_null = s.columns[1].force_null = true;
	EXPECT(s, "\\N\x01\"\\N\"\x01\\N\n", "1:3 [\\N] N N\n");
	EXPECT(s, "x\x01\"\\\"N\x01\n", "1:3 [x] N []\n");
	s = make("csv", 4);
	s.columns[0].needed = s.columns[2].needed = false;
	EXPECT(s, "\"a\"\"\",\"b\"\"\",c,d\n1,2\n", "1:4 [b\"] [d]\n2:2 [2] -\n");
	s = make("csv", 0);
	EXPECT(s, "a,b\n\n", "1:2\n2:1\n");
	s = make("csv", 1);
	s.options.delimiter = '"';
	EXPECT(s, "", "refused: delimiter and quote must be different\n");
	s.options.delimiter = '\n';
	EXPECT(s, "", "refused: delimiter cannot be \"\n\"\n");
	s.options.delimiter = ',';
	s.options.null = MCW_LIT("a,");
	EXPECT(s, "", "refused: delimiter must not appear in the null text\n");
}

static void
headers(void)
{
	setup		s = make("csv", 2);

	s.options.header = MCW_HEADER_SKIP;
	EXPECT(s, "", "");
	EXPECT(s, "x", "");
	EXPECT(s, "\"x\ny\"\n1,2\n", "3:2 [1] [2]\n");
	s.options.header = MCW_HEADER_MATCH;
	EXPECT(s, "\xEF\xBB\xBF" "a,\"b\"\r\n1,2\r\n", "2:2 [1] [2]\n");
	EXPECT(s, "", "1@0: wrong number of fields in header line: got 1, expected 2\n");
	EXPECT(s, "a,c\n", "1@0: column name mismatch in header line field 2: got \"c\", expected \"b\"\n");
	EXPECT(s, ",b\n", "1@0: column name mismatch in header line field 1: got null value (\"\"), expected \"a\"\n");
	EXPECT(s, "a\xff,b\n", "1@0: invalid byte sequence for encoding \"UTF8\": 0xff\n");
	s.options.header = MCW_HEADER_BY_NAME;
	EXPECT(s, "", "");
	EXPECT(s, "b,x,a\n1,2,3\n4\n", "2:3 [3] [1]\n3:1 - [4]\n");
	EXPECT(s, "b,,\"b \"\n1,2,3\n", "2:3 - [1]\n");
	EXPECT(s, "x\n1\n", "2:1 - -\n");
	EXPECT(s, "b,a,a\n1,2,3\n", "1@0: column name \"a\" stands twice in header line: fields 2 and 3\n");
	s.columns[0].needed = false;
	EXPECT(s, "b,a,a\n1,2,3\n", "2:3 [1]\n");
	s = make("text", 2);
	s.options.header = MCW_HEADER_BY_NAME;
	EXPECT(s, "\\x62\ta\n1\t2\n", "2:2 [2] [1]\n");
	EXPECT(s, "\\.\n", "");
}

static void
text(void)
{
	setup		s = make("text", 2);

	EXPECT(s, "", "");
	EXPECT(s, "a\tb\n\\N\t\n", "1:2 [a] [b]\n2:2 N []\n");
	EXPECT(s, "\\b\\f\\n\\r\\t\\v\\\\\\q\t\\101\\7\\60a\n", "1:2 [\b\f\n\r\t\v\\q] [A\a0a]\n");
	EXPECT(s, "\\x41\\x7\\xg\\x\t\\\t\n", "1:2 [A\axgx] [\t]\n");
	EXPECT(s, "\\\\N\tN\n", "1:2 [\\N] [N]\n");
	EXPECT(s, "\\303\\251\t\\xff\n", "1:2 ?[\xc3\xa9] ?[\xff]\n");
	EXPECT(s, "a\\\nb\tc\nd\n", "1:2 [a\nb] [c]\n3:1 [d] -\n");
	EXPECT(s, "a\\\rb\r", "1:1 [a\rb] -\n");
	EXPECT(s, "a\nb\\", "1:1 [a] -\n2:1 [b] -\n");
	EXPECT(s, "a\n\\N\\", "1:1 [a] -\n2:1 N -\n");
	EXPECT(s, "a\nb\rc\n", "1:1 [a] -\n2@3: literal carriage return found in data\n");
	EXPECT(s, "a\rb\n", "1:1 [a] -\n2@3: literal newline found in data\n");
	EXPECT(s, "a\r\nb\\\r\nc\r\n", "1:1 [a] -\n2@6: literal newline found in data\n");
	EXPECT(s, "a\n\\.\n", "1:1 [a] -\n");
	EXPECT(s, "a\r\n\\.\r\n", "1:1 [a] -\n");
	EXPECT(s, "\\.\r\n", "");
	EXPECT(s, "a\n\\.\nb\n", "1:1 [a] -\n2@5: received copy data after EOF marker\n");
	EXPECT(s, "a\n\\.\n\n", "1:1 [a] -\n2@5: received copy data after EOF marker\n");
	EXPECT(s, "a\n\\.", "1:1 [a] -\n2@2: end-of-copy marker corrupt\n");
	EXPECT(s, "a\n\\.b\n", "1:1 [a] -\n2@2: end-of-copy marker corrupt\n");
	EXPECT(s, "a\n\\.\r\n", "1:1 [a] -\n2@2: end-of-copy marker does not match previous newline style\n");
	EXPECT(s, "a\r\n\\.\n", "1:1 [a] -\n2@3: end-of-copy marker does not match previous newline style\n");
	EXPECT(s, "a\nb\\.\nc\n", "1:1 [a] -\n2@3: end-of-copy marker is not alone on its line\n");
	EXPECT(s, "\\\\.\n", "1:1 [\\.] -\n");
	s.options.delimiter = 'A';
	EXPECT(s, "\\xAAAb\n\\xAA\n", "1:2 ?[\xaa] [b]\n2:1 ?[\xaa] -\n");
	s.options.delimiter = 'n';
	EXPECT(s, "", "refused: delimiter cannot be \"n\"\n");
	s.options.unescape_off = true;
	EXPECT(s, "a\\nb\\\\n\\N\n\\.\n", "1:3 [a\\] [b\\\\]\n2:1 [\\.] -\n");
	s.options.null = MCW_LIT("");
	s.options.delimiter = '\t';
	EXPECT(s, "\\\t\n\\N\t\\\n", "1:2 [\\] N\n2:2 [\\N] [\\]\n");
}

static void
line(void)
{
	setup		s = make("line", 1);

	EXPECT(s, "", "");
	EXPECT(s, "a\n\n\"b\\", "1:1 [a]\n2:1 []\n3:1 [\"b\\]\n");
	EXPECT(s, "\xEF\xBB\xBF" "a\rb\nc\r\n", "1:1 [a\rb]\n2:1 [c\r]\n");
	EXPECT(s, "a\r\nb\nc\r\nd\r", "1:1 [a]\n2:1 [b]\n3:1 [c]\n4:1 [d\r]\n");
	EXPECT(s, "a\xe4\xb8\nb\n", "1:1! [a\xe4\xb8]\n2:1 [b]\n");
	s = make("line", 2);
	EXPECT(s, "", "refused: format \"line\" has one column, not 2\n");
}

static void
limits(void)
{
	setup		s = make("csv", 2);

	s.options.max_record = 5;
	EXPECT(s, "abcde\n12,45\r", "1:1 [abcde] -\n2@11: unquoted carriage return found in data\n");
	EXPECT(s, "abcde\r\n\"1234", "1:1 [abcde] -\n2@12: unterminated CSV quoted field\n");
	EXPECT(s, "ab\nabcdef\ng\n", "1:1 [ab] -\n2@3: record of more than 5 bytes\n");
	EXPECT(s, "ab\n\"abcdefghij\n", "1:1 [ab] -\n2@3: record of more than 5 bytes\n");
	s.options.header = MCW_HEADER_SKIP;
	EXPECT(s, "abcdef\nab\n", "1@0: record of more than 5 bytes\n");
}

/* Random bytes that mean something */
static size_t
nasty(unit_random *random, char *data, size_t size)
{
	static const char soup[] = "\"\"\"\"\\\\,,,,\t\t\n\n\n\r|aaaaaaaaN.x4\xc3\xa9\xff";
	size_t		len = 0;
	unsigned	mode = unit_below(random, 4);

	while (len < size)
	{
		if (mode == 0)
			data[len++] = soup[unit_below(random, sizeof(soup) - 1)];
		else if (unit_below(random, 40) == 0)
			data[len++] = soup[unit_below(random, sizeof(soup) - 1)];
		else if (unit_below(random, 8) == 0)
			data[len++] = "\n,\t"[unit_below(random, 3)];
		else
			data[len++] = mode == 1 ? 'a' : "ab\"\""[unit_below(random, mode == 2 ? 2 : 3)];
	}
	return len;
}

/* the same positions, whatever finds them, at once or in pieces */
static void
scans(void)
{
	unit_random random = {42};
	static const char escapes[] = {0, '\\', ',', 'a'};

	for (int round = 0; round < 4000; round++)
	{
		char		data[700];
		size_t		len = nasty(&random, data, unit_below(&random, sizeof(data)));
		bool		text_format = unit_below(&random, 3) == 0;
		mcw_scan	start = {.delimiter = ",\t|"[unit_below(&random, 3)]};
		uint32_t	want[700 + MCW_SCAN_SLACK];
		size_t		nwant;
		mcw_scan	state;

		start.quote = text_format ? 0 : '"';
		start.escape = text_format ? (round & 1 ? '\\' : 0) : escapes[unit_below(&random, 4)];
		state = start;
		nwant = mcw_scan_choose(&start, MCW_SCAN_SCALAR) (&state, data, len, want);
		for (int level = MCW_SCAN_SSE2; level <= (int) mcw_scan_best(); level++)
		{
			char	   *copy = malloc(len ? len : 1);
			uint32_t	got[700 + MCW_SCAN_SLACK];
			mcw_scan	vector = start;
			size_t		n = 0;
			size_t		cut = unit_below(&random, 2) ? len : unit_below(&random, len + 1);

			memcpy(copy, data, len);
			n = mcw_scan_choose(&start, (mcw_scan_level) level) (&vector, copy, cut, got);
			if (cut < len)
			{
				uint32_t	rest[700 + MCW_SCAN_SLACK];
				size_t		more = mcw_scan_choose(&start, (mcw_scan_level) level) (&vector, copy + cut, len - cut, rest);

				for (size_t i = 0; i < more; i++)
					got[n++] = rest[i] + (uint32_t) cut;
			}
			if (!CHECK_INT(n, nwant) || !CHECK(memcmp(got, want, n * sizeof(uint32_t)) == 0) ||
				!CHECK(vector.in_quote == state.in_quote && vector.escaped == state.escaped &&
					   vector.line_inside == state.line_inside))
				printf("    round %d, level %d, %zu bytes cut at %zu\n", round, level, len, cut);
			free(copy);
		}
	}
}

static void
any_chunks(void)
{
	unit_random random = {7};
	mcw_buf		want;
	mcw_buf		got;

	mcw_buf_init(&want, &mcw_malloc, 1 << 22);
	mcw_buf_init(&got, &mcw_malloc, 1 << 22);
	for (int round = 0; round < 600; round++)
	{
		static char data[40000];
		size_t		len = nasty(&random, data, unit_below(&random, round % 50 ? 600 : sizeof(data)));
		setup		s = make(round & 1 ? "csv" : "text", 1 + (int) unit_below(&random, 5));

		s.options.delimiter = round & 1 ? ",\t|a"[unit_below(&random, 4)] : ",\t|A"[unit_below(&random, 4)];
		if (round % 3 == 0)
			s.options.escape = '\\';
		s.options.header = (mcw_header) (unit_below(&random, 8) == 0 ? 1 + unit_below(&random, 3) : 0);
		if (round % 5 == 0)
			s.options.max_record = 10 + unit_below(&random, 200);
		for (int i = 0; i < s.options.ncolumns; i++)
			s.columns[i].needed = unit_below(&random, 5) > 0;
		(void) dump(&s, (mcw_view) {data, len}, sizeof(data), MCW_SCAN_SCALAR, &random, &mcw_malloc, &want);
		for (int i = 0; i < 4; i++)
		{
			size_t		chunk = (const size_t[]) {1, 0, 1 + unit_below(&random, 700), len + 1}[i];

			(void) dump(&s, (mcw_view) {data, len}, chunk, (int) unit_below(&random, 3), &random, &mcw_malloc, &got);
			if (!CHECK_VIEW(mcw_buf_view(&got), mcw_buf_view(&want)))
				printf("    round %d, chunks of %zu\n", round, chunk);
		}
	}
	mcw_buf_free(&want);
	mcw_buf_free(&got);
}

/* one record much longer than the chunks: time and memory stay in proportion */
static void
long_record(void)
{
	enum {SIZE = 4 << 20};
	char	   *data = malloc(SIZE);
	setup		s = make("csv", 1);
	unit_heap	heap;
	mcw_rows   *rows;
	mcw_record	record;
	mcw_error	err;
	size_t		records = 0;

	memset(data, 'x', SIZE);
	data[0] = '"';
	for (size_t i = 1; i < SIZE - 2; i += 100)
		data[i] = '\n';
	memcpy(data + SIZE - 2, "\"\n", 2);
	unit_heap_init(&heap, 0);
	s.options.columns = s.columns;
	CHECK_OK(mcw_rows_open(&mcw_format_csv, &s.options, &heap.alloc, &rows, &err));
	for (size_t at = 0; at < SIZE; at += 16)
	{
		mcw_rows_feed(rows, data + at, 16, at + 16 == SIZE);
		while (mcw_rows_next(rows, &record, &err) == MCW_OK)
		{
			records++;
			CHECK_INT(record.fields[0].len, SIZE - 3);
		}
	}
	CHECK_INT(records, 1);
	CHECK(heap.peak < 3 * (size_t) SIZE);
	mcw_rows_free(rows);
	CHECK_INT(heap.outstanding, 0);
	free(data);
}

static mcw_status
attempt(const mcw_alloc *alloc, void *arg)
{
	setup	   *s = arg;
	mcw_buf		out;
	unit_random random = {1};
	mcw_status	status;

	mcw_buf_init(&out, &mcw_malloc, 1 << 20);
	status = dump(s, MCW_LIT("b,a,\"x y\"\n1,2,3\n\"a long record, longer than it should\",\"\"\"\"\n"), 3, -1, &random,
				  alloc, &out);
	mcw_buf_free(&out);
	return status;
}

static void
no_memory(void)
{
	setup		s = make("csv", 2);

	for (int header = MCW_HEADER_NONE; header <= MCW_HEADER_BY_NAME; header++)
	{
		if (header == MCW_HEADER_MATCH)
			continue;
		s.options.header = (mcw_header) header;
		unit_torture(attempt, &s);
	}
	s = make("line", 1);
	unit_torture(attempt, &s);
}

static void
utf8(void)
{
	unit_random random = {3};

	for (int round = 0; round < 20000; round++)
	{
		static const char *const parts[] = {"a", "bcdefghijklmnopqrstuvwxyz0123456789", "\xc3\xa9", "\xe4\xb8\xad\xe6\x96\x87",
		"\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf", "\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad\xe6\x96\x87"};
		static const char *const bad[] = {"\xff", "\xc3", "\xe4\xb8", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\x80", ""};
		char		data[600];
		size_t		len = 0;
		size_t		n = unit_below(&random, 30);
		size_t		wrong = unit_below(&random, 40);
		size_t		want = SIZE_MAX;

		for (size_t i = 0; i < n; i++)
		{
			const char *part = parts[unit_below(&random, 8)];

			if (i == wrong)
			{
				part = bad[unit_below(&random, 9)];
				want = want == SIZE_MAX ? len : want;
				if (!*part)
				{
					data[len++] = '\0';
					continue;
				}
			}
			if (len + strlen(part) > sizeof(data))
				break;
			memcpy(data + len, part, strlen(part));
			len += strlen(part);
		}
		if (want > len)
			want = len;
		CHECK_INT(mcw_scan_valid(data, len), want);
	}
}

/* every sort of byte behind every other, at every place of a block, against the plain check */
static void
utf8_blocks(void)
{
	static const unsigned char edges[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
	0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
	unit_random random = {11};
	unsigned long wrong = 0;

	for (int round = 0; round < 300000; round++)
	{
		char		data[160];
		size_t		at = unit_below(&random, sizeof(data) - 4);
		size_t		n = 1 + unit_below(&random, 4);
		size_t		want;
		const char *nul;

		memset(data, 'a', sizeof(data));
		for (size_t i = unit_below(&random, 4); i + 3 <= sizeof(data); i += 3)
			memcpy(data + i, "\xe4\xb8\xad", 3);
		/* on the border of a character, half of the time */
		for (size_t i = 0; i < n; i++)
			data[at + i] = (char) edges[unit_below(&random, sizeof(edges))];
		if (round & 1)
			memset(data + (at > 3 ? at - 3 : 0), 'a', at > 3 ? 3 : at);
		want = mcw_utf8_valid(data, sizeof(data));
		nul = memchr(data, 0, want);
		if (nul)
			want = nul - data;
		wrong += mcw_scan_valid(data, sizeof(data)) != want;
	}
	CHECK_INT(wrong, 0);
}

static const unit_case cases[] = {
	{"csv", csv},
	{"csv options", csv_options},
	{"headers", headers},
	{"text", text},
	{"line", line},
	{"limits", limits},
	{"scans", scans},
	{"any chunks", any_chunks},
	{"long record", long_record},
	{"no memory", no_memory},
	{"utf8", utf8},
	{"utf8 blocks", utf8_blocks},
};

UNIT_MAIN(cases)
