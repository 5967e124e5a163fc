/*
 * test_sls.c
 *		LogGroup reader and writer: golden vectors, protobuf-c as the oracle, column
 *		projection, malformed bytes, limits.
 */
#include "unit.h"

#include "../vectors/rows.h"
#include "../vectors/sls_oracle.h"

#define MAX_PAGE ((size_t) 4 << 20)

static const mcw_view none = {NULL, 0};

/* --- building messages by hand ---------------------------------------- */

static void
put_varint(mcw_buf *out, uint64_t v)
{
	char		bytes[10];

	CHECK_OK(mcw_buf_append(out, bytes, (size_t) (mcw_put_varint(bytes, v) - bytes)));
}

static void
put_field(mcw_buf *out, int field, mcw_view v)
{
	put_varint(out, (uint64_t) field << 3 | 2);
	put_varint(out, v.len);
	CHECK_OK(mcw_buf_append_view(out, v));
}

static void
put_pair(mcw_buf *out, int field, mcw_view key, mcw_view value)
{
	mcw_buf		pair;

	mcw_buf_init(&pair, &mcw_malloc, MAX_PAGE);
	put_field(&pair, 1, key);
	put_field(&pair, 2, value);
	put_field(out, field, mcw_buf_view(&pair));
	mcw_buf_free(&pair);
}

/* An unknown field of each wire type that may be skipped */
static void
put_unknown(mcw_buf *out, unit_random *r)
{
	int			field = 7 + (int) unit_below(r, 3000);
	static const int wiretypes[] = {0, 1, 2, 5};
	int			wiretype = wiretypes[unit_below(r, 4)];

	put_varint(out, (uint64_t) field << 3 | (unsigned) wiretype);
	if (wiretype == 0)
		put_varint(out, unit_next(r) >> unit_below(r, 64));
	else if (wiretype == 2)
	{
		put_varint(out, 3);
		CHECK_OK(mcw_buf_append(out, "\0\377x", 3));
	}
	else
		CHECK_OK(mcw_buf_append(out, "\1\2\3\4\5\6\7\10", wiretype == 1 ? 8 : 4));
}

static mcw_view
random_bytes(unit_random *r, char *room, size_t max)
{
	mcw_view	v = {room, unit_below(r, 8) == 0 ? unit_below(r, max + 1) : unit_below(r, 24)};

	if (v.len > max)
		v.len = max;
	unit_fill(r, room, v.len, unit_below(r, 2) ? 256 : 4);
	return v;
}

/* A few names, so that keys repeat, and sometimes any bytes */
static mcw_view
random_key(unit_random *r, char *room, size_t max)
{
	static const char *const names[] = {"a", "level", "request_id", "__tag__", "", "user", "message-of-16-byt", "zz"};

	return unit_below(r, 12) == 0 ? random_bytes(r, room, max) : mcw_str(names[unit_below(r, 8)]);
}

static const mcw_view wanted[] = {
	{"level", 5}, {"nothing", 7}, {"a", 1}, {"", 0}, {"a", 1}, {"message-of-16-byt", 17}
};

#define NWANTED ((int) (sizeof(wanted) / sizeof(wanted[0])))

static mcw_sls_reader *
make_reader(const mcw_sls_column *columns, int n)
{
	mcw_sls_reader *reader = mcw_sls_reader_create(&mcw_malloc, columns, n);

	if (reader == NULL)
		abort();
	return reader;
}

/* --- golden vectors --------------------------------------------------- */

static void
golden_payloads(void)
{
	mcw_arena	arena;
	mcw_node   *root;
	const mcw_node *list;
	int			n = 0;

	mcw_arena_init(&arena, &mcw_malloc, ROWS_MAX_FILE);
	root = rows_load(UNIT_VECTORS "loghub/loggroup_protobuf.json", &arena, NULL);
	list = mcw_node_get(root, "vectors");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next, n++)
	{
		mcw_view	bytes = rows_hex(mcw_node_get(v, "hex"), &arena);
		bool		is_list = mcw_view_eq(mcw_node_text(v, "message"), MCW_LIT("LogGroupList"));

		CHECK(bytes.data && rows_page_same(bytes, is_list, mcw_node_get(v, "decoded"), &arena));
		CHECK(oracle_page(bytes, is_list, wanted, NWANTED));
	}
	CHECK_INT(n, 10);
	root = rows_load(UNIT_VECTORS "loghub/putlogs_bodies.json", &arena, NULL);
	list = mcw_node_get(root, "vectors");
	n = 0;
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next, n++)
	{
		mcw_view	bytes = rows_hex(mcw_node_get(v, "raw_hex"), &arena);
		uint64_t	nlogs;
		int64_t		want;

		CHECK_OK(mcw_sls_validate(bytes, false, NULL, &nlogs, NULL));
		CHECK(mcw_node_int(v, "log_count", &want));
		CHECK_INT(nlogs, want);
		CHECK(oracle_page(bytes, false, wanted, NWANTED));
	}
	CHECK_INT(n, 8);
	mcw_arena_reset(&arena);
}

/* --- random messages -------------------------------------------------- */

static void
write_random_group(unit_random *r, mcw_buf *out)
{
	char		room[5][600];
	mcw_sls_writer writer;
	mcw_pair	tags[3];
	mcw_view	meta[4];
	int			ntags = (int) unit_below(r, 4);

	mcw_sls_writer_init(&writer, out);
	for (size_t l = unit_below(r, 6); l > 0; l--)
	{
		CHECK_OK(mcw_sls_begin_log(&writer, (uint32_t) (unit_next(r) >> unit_below(r, 64)),
								   unit_below(r, 2) == 0, (uint32_t) unit_next(r)));
		for (size_t c = unit_below(r, 12); c > 0; c--)
			CHECK_OK(mcw_sls_content(&writer, random_key(r, room[0], 300), random_bytes(r, room[1], 600)));
		CHECK_OK(mcw_sls_end_log(&writer));
	}
	for (int i = 0; i < 4; i++)
		meta[i] = unit_below(r, 2) ? none : random_bytes(r, room[i], 200);
	for (int i = 0; i < ntags; i++)
		tags[i] = (mcw_pair) {random_key(r, room[4], 0), MCW_LIT("v")};
	CHECK_OK(mcw_sls_finish_group(&writer, meta[0], meta[1], meta[2], meta[3], tags, ntags));
}

static void
writer_against_oracle(void)
{
	unit_random r = {42};
	mcw_buf		group;
	mcw_buf		list;

	mcw_buf_init(&group, &mcw_malloc, MAX_PAGE);
	mcw_buf_init(&list, &mcw_malloc, MAX_PAGE);
	for (int i = 0; i < 2000; i++)
	{
		mcw_buf_reset(&group);
		write_random_group(&r, &group);
		CHECK(oracle_page(mcw_buf_view(&group), false, wanted, NWANTED));
		if (i % 5 == 0)
		{
			CHECK(oracle_page(mcw_buf_view(&list), true, wanted, NWANTED));
			mcw_buf_reset(&list);
		}
		put_field(&list, 1, mcw_buf_view(&group));
	}
	mcw_buf_free(&group);
	mcw_buf_free(&list);
}

/* Fields in any order, repeated, with unknown ones between them */
static void
foreign_group(unit_random *r, mcw_buf *out)
{
	char		room[2][300];
	mcw_buf		log;

	mcw_buf_init(&log, &mcw_malloc, MAX_PAGE);
	for (size_t n = unit_below(r, 14); n > 0; n--)
	{
		switch (unit_below(r, 4))
		{
			case 0:
				put_field(out, 2 + (int) unit_below(r, 4), random_bytes(r, room[0], 150));
				break;
			case 1:
				put_pair(out, 6, random_key(r, room[0], 150), random_bytes(r, room[1], 150));
				break;
			case 2:
				put_unknown(out, r);
				break;
			default:
				mcw_buf_reset(&log);
				for (size_t c = unit_below(r, 8); c > 0; c--)
				{
					put_pair(&log, 2, random_key(r, room[0], 150), random_bytes(r, room[1], 300));
					if (unit_below(r, 3) == 0)
						put_unknown(&log, r);
					if (unit_below(r, 4) == 0)
					{
						put_varint(&log, 1 << 3);
						put_varint(&log, unit_next(r) >> unit_below(r, 64));
					}
				}
				put_varint(&log, 1 << 3);
				put_varint(&log, 1700000000);
				put_field(out, 1, mcw_buf_view(&log));
		}
	}
	mcw_buf_free(&log);
}

static void
foreign_messages(void)
{
	unit_random r = {7};
	mcw_buf		group;

	mcw_buf_init(&group, &mcw_malloc, MAX_PAGE);
	for (int i = 0; i < 3000; i++)
	{
		mcw_buf_reset(&group);
		foreign_group(&r, &group);
		CHECK_OK(mcw_sls_validate(mcw_buf_view(&group), false, NULL, NULL, NULL));
		CHECK(oracle_page(mcw_buf_view(&group), false, wanted, NWANTED));
	}
	mcw_buf_free(&group);
}

/* Cut anywhere: sound exactly if protobuf-c says so (a cut may fall between fields) */
static void
truncation(void)
{
	unit_random r = {11};
	mcw_buf		group;
	mcw_buf		list;
	int			refused = 0;

	mcw_buf_init(&group, &mcw_malloc, MAX_PAGE);
	mcw_buf_init(&list, &mcw_malloc, MAX_PAGE);
	for (int i = 0; i < 30; i++)
	{
		mcw_buf_reset(&group);
		foreign_group(&r, &group);
		put_field(&list, 1, mcw_buf_view(&group));
		if (i % 3 != 2)
			continue;
		for (size_t len = 0; len < list.len; len++)
		{
			char	   *exact = malloc(len + 1);
			mcw_view	cut = {exact, len};
			bool		sound;

			memcpy(exact, list.data, len);
			exact = realloc(exact, len ? len : 1);
			cut.data = exact;
			sound = mcw_sls_validate(cut, true, NULL, NULL, NULL) == MCW_OK;
			refused += !sound;
			CHECK_INT(sound, oracle_accepts(cut, true));
			free(exact);
		}
		mcw_buf_reset(&list);
	}
	CHECK(refused > 1000);
	mcw_buf_free(&group);
	mcw_buf_free(&list);
}

/* --- projection ------------------------------------------------------- */

static void
projection(void)
{
	const mcw_sls_column columns[] = {
		{MCW_SLS_FIELD, MCW_LIT("b")}, {MCW_SLS_TOPIC, none}, {MCW_SLS_SOURCE, none},
		{MCW_SLS_TAG, MCW_LIT("env")}, {MCW_SLS_TAG, MCW_LIT("missing")},
		{MCW_SLS_CATEGORY, none}, {MCW_SLS_MACHINE_UUID, none}, {MCW_SLS_NOTHING, none},
		{MCW_SLS_FIELD, MCW_LIT("a")}, {MCW_SLS_FIELD, MCW_LIT("b")}, {MCW_SLS_FIELD, MCW_LIT("env")},
	};
	const mcw_pair tags[] = {
		{MCW_LIT("env"), MCW_LIT("old")}, {MCW_LIT("__receive_time__"), MCW_LIT("1700000009")},
		{MCW_LIT("env"), MCW_LIT("prod")},
	};
	mcw_sls_reader *reader = make_reader(columns, 11);
	mcw_sls_writer writer;
	mcw_sls_group group;
	mcw_sls_log log;
	mcw_view	v[11];
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	mcw_sls_writer_init(&writer, &out);
	CHECK_OK(mcw_sls_begin_log(&writer, 5, true, 999999999));
	CHECK_OK(mcw_sls_content(&writer, MCW_LIT("b"), MCW_LIT("first")));
	CHECK_OK(mcw_sls_content(&writer, MCW_LIT("x"), MCW_LIT("unwanted")));
	CHECK_OK(mcw_sls_content(&writer, MCW_LIT("a"), MCW_LIT("nul\0\377byte")));
	CHECK_OK(mcw_sls_content(&writer, MCW_LIT("b"), MCW_LIT("last")));
	CHECK_OK(mcw_sls_end_log(&writer));
	CHECK_OK(mcw_sls_begin_log(&writer, UINT32_MAX, false, 0));
	CHECK_OK(mcw_sls_content(&writer, MCW_LIT("a"), MCW_LIT("")));
	CHECK_OK(mcw_sls_end_log(&writer));
	CHECK_OK(mcw_sls_begin_log(&writer, 0, false, 0));
	CHECK_OK(mcw_sls_end_log(&writer));
	CHECK_OK(mcw_sls_finish_group(&writer, none, MCW_LIT("t"), MCW_LIT(""), MCW_LIT("uuid"), tags, 3));
	CHECK_INT(writer.nlogs, 3);

	mcw_sls_reader_put_body(reader, mcw_buf_view(&out));
	CHECK_OK(mcw_sls_next_group(reader, &group, NULL));
	CHECK_VIEW(group.receive_time, MCW_LIT("1700000009"));
	CHECK_OK(mcw_sls_next_log(reader, &log, v, NULL));
	CHECK_INT(log.time, 5);
	CHECK(log.has_time_ns && log.time_ns == 999999999);
	CHECK_VIEW(v[0], MCW_LIT("last"));
	CHECK_VIEW(v[1], MCW_LIT("t"));
	CHECK(v[2].data && v[2].len == 0);
	CHECK_VIEW(v[3], MCW_LIT("prod"));
	CHECK(v[4].data == NULL && v[5].data == NULL && v[7].data == NULL && v[10].data == NULL);
	CHECK_VIEW(v[6], MCW_LIT("uuid"));
	CHECK_VIEW(v[8], MCW_LIT("nul\0\377byte"));
	CHECK_VIEW(v[9], MCW_LIT("last"));
	/* the byte before a short value is its length and may be overwritten */
	CHECK_INT(v[9].data[-1], 4);
	((char *) v[9].data)[-1] = 99;
	((char *) v[8].data)[-1] = 99;
	CHECK_OK(mcw_sls_next_log(reader, &log, v, NULL));
	CHECK_INT(log.time, UINT32_MAX);
	CHECK(!log.has_time_ns && v[0].data == NULL && v[9].data == NULL);
	CHECK(v[8].data && v[8].len == 0);
	CHECK_VIEW(v[1], MCW_LIT("t"));
	CHECK_OK(mcw_sls_next_log(reader, &log, v, NULL));
	CHECK(v[0].data == NULL && v[8].data == NULL);
	CHECK_INT(mcw_sls_next_log(reader, &log, v, NULL), MCW_END);
	CHECK_INT(mcw_sls_next_log(reader, &log, v, NULL), MCW_END);
	CHECK_INT(mcw_sls_next_group(reader, &group, NULL), MCW_END);
	mcw_sls_reader_free(reader);
	mcw_buf_free(&out);
}

/* More keys than guesses, in an order that changes from log to log */
static void
many_keys(void)
{
	enum
	{
		N = 400
	};
	static char names[N][12];
	mcw_sls_column columns[N];
	mcw_view	v[N];
	unit_random r = {3};
	mcw_sls_reader *reader;
	mcw_sls_writer writer;
	mcw_sls_group group;
	mcw_sls_log log;
	mcw_buf		out;

	for (int i = 0; i < N; i++)
	{
		(void) snprintf(names[i], sizeof(names[i]), "key%d", i);
		columns[i] = (mcw_sls_column) {MCW_SLS_FIELD, mcw_str(names[i])};
	}
	reader = make_reader(columns, N);
	mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
	mcw_sls_writer_init(&writer, &out);
	for (int l = 0; l < 5; l++)
	{
		size_t		shift = unit_below(&r, N);

		CHECK_OK(mcw_sls_begin_log(&writer, (uint32_t) shift, false, 0));
		for (size_t i = 0; i < N; i++)
			CHECK_OK(mcw_sls_content(&writer, mcw_str(names[(i + shift) % N]), mcw_str(names[(i + shift) % N] + 3)));
		CHECK_OK(mcw_sls_end_log(&writer));
	}
	CHECK_OK(mcw_sls_finish_group(&writer, none, none, none, none, NULL, 0));
	mcw_sls_reader_put_body(reader, mcw_buf_view(&out));
	CHECK_OK(mcw_sls_next_group(reader, &group, NULL));
	for (int l = 0; l < 5; l++)
	{
		CHECK_OK(mcw_sls_next_log(reader, &log, v, NULL));
		for (int i = 0; i < N; i++)
			CHECK_VIEW(v[i], mcw_str(names[i] + 3));
	}
	mcw_sls_reader_free(reader);
	mcw_buf_free(&out);
}

/* --- what must be refused --------------------------------------------- */

static void
malformed(void)
{
	static const struct
	{
		const char *why;
		mcw_view	group;
		size_t		offset;
	}			cases[] = {
		{"a group", MCW_LIT("\x0a\x02\x08\x01"), SIZE_MAX},
		{"log without time", MCW_LIT("\x0a\x00"), 2},
		{"log cut short", MCW_LIT("\x0a\x03\x08\x01"), 0},
		{"length of six bytes", MCW_LIT("\x1a\x80\x80\x80\x80\x80\x00"), 0},
		{"field number zero", MCW_LIT("\x02\x00"), 0},
		{"group start", MCW_LIT("\x3b"), 0},
		{"topic as a varint", MCW_LIT("\x1a\x00\x18\x01"), 2},
		{"time as bytes", MCW_LIT("\x0a\x02\x0a\x00"), 2},
		{"nanoseconds as a varint", MCW_LIT("\x0a\x04\x08\x01\x20\x01"), 4},
		{"nanoseconds cut short", MCW_LIT("\x0a\x04\x08\x01\x25\x01"), 4},
		{"content without value", MCW_LIT("\x0a\x07\x08\x01\x12\x03\x0a\x01k"), SIZE_MAX - 1},
		{"content without key", MCW_LIT("\x0a\x07\x08\x01\x12\x03\x12\x01k"), SIZE_MAX - 1},
		{"value longer than content", MCW_LIT("\x0a\x0a\x08\x01\x12\x06\x0a\x01k\x12\x02v"), SIZE_MAX - 1},
		{"tag without value", MCW_LIT("\x32\x03\x0a\x01k"), 0},
		{"time of eleven bytes", MCW_LIT("\x0a\x0c\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), 2},
		{"time above 64 bits", MCW_LIT("\x0a\x0b\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02"), 2},
	};
	const mcw_sls_column column = {MCW_SLS_FIELD, MCW_LIT("k")};
	mcw_sls_reader *reader = make_reader(&column, 1);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		mcw_error	err = {0};
		mcw_sls_group group;
		mcw_sls_log log;
		mcw_view	value;
		mcw_status	status;
		bool		good = cases[i].offset == SIZE_MAX;

		status = mcw_sls_validate(cases[i].group, false, NULL, NULL, &err);
		if (!CHECK_INT(status, good ? MCW_OK : MCW_ERR_FORMAT))
			printf("    %s\n", cases[i].why);
		if (!good && cases[i].offset < SIZE_MAX - 1)
			CHECK_INT(err.offset, cases[i].offset);
		CHECK(good == (err.message[0] == '\0'));

		/* and with a column, which takes the other path through the contents */
		mcw_sls_reader_put_body(reader, cases[i].group);
		status = mcw_sls_next_group(reader, &group, &err);
		while (status == MCW_OK)
			status = mcw_sls_next_log(reader, &log, &value, &err);
		if (!CHECK_INT(status, good ? MCW_END : MCW_ERR_FORMAT))
			printf("    %s\n", cases[i].why);
	}
	CHECK_INT(mcw_sls_validate(MCW_LIT("\x08\x01"), true, NULL, NULL, NULL), MCW_ERR_FORMAT);
	CHECK_INT(mcw_sls_validate(MCW_LIT("\x0a\x05"), true, NULL, NULL, NULL), MCW_ERR_FORMAT);
	CHECK_INT(mcw_sls_validate(MCW_LIT("\x80"), true, NULL, NULL, NULL), MCW_ERR_FORMAT);
	mcw_sls_reader_free(reader);
}

/* --- limits and memory ------------------------------------------------ */

/* A log that does not fit is dropped whole, the group stays sound */
static void
writer_limits(void)
{
	char		text[40];
	mcw_sls_writer writer;
	mcw_buf		out;
	uint64_t	nlogs;
	unsigned	kept = 0;
	mcw_status	status;

	memset(text, 'x', sizeof(text));
	mcw_buf_init(&out, &mcw_malloc, 1000);
	mcw_sls_writer_init(&writer, &out);
	for (int i = 0; i < 100; i++)
	{
		(void) mcw_sls_begin_log(&writer, 1, false, 0);
		(void) mcw_sls_content(&writer, MCW_LIT("key"), (mcw_view) {text, sizeof(text)});
		status = mcw_sls_end_log(&writer);
		kept += status == MCW_OK;
		if (status != MCW_OK)
			CHECK_INT(status, MCW_ERR_LIMIT);
	}
	CHECK(kept > 10 && kept < 20);
	CHECK_INT(writer.nlogs, kept);
	CHECK_OK(mcw_sls_validate(mcw_buf_view(&out), false, NULL, &nlogs, NULL));
	CHECK_INT(nlogs, kept);
	/* an unfinished log is not kept, a topic too long leaves the logs */
	CHECK_OK(mcw_sls_finish_group(&writer, none, MCW_LIT("t"), none, none, NULL, 0));
	mcw_sls_writer_init(&writer, &out);
	CHECK_INT(mcw_sls_finish_group(&writer, none, (mcw_view) {out.data, 990}, none, none, NULL, 0), MCW_ERR_LIMIT);
	CHECK_OK(mcw_sls_validate(mcw_buf_view(&out), false, NULL, &nlogs, NULL));
	CHECK_INT(nlogs, kept);
	CHECK_OK(mcw_sls_begin_log(&writer, 1, false, 0));
	CHECK_OK(mcw_sls_finish_group(&writer, none, none, none, none, NULL, 0));
	CHECK_OK(mcw_sls_validate(mcw_buf_view(&out), false, NULL, &nlogs, NULL));
	CHECK_INT(nlogs, kept);
	mcw_buf_free(&out);
}

/* Lengths of one, two, three bytes; a log's width is guessed as two */
static void
writer_widths(void)
{
	static const size_t sizes[] = {0, 1, 100, 115, 116, 117, 118, 119, 120, 121, 127, 128, 16360, 16370, 16383, 16384, 20000, 300000};
	char	   *text = malloc(300000);

	memset(text, 'v', 300000);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		mcw_sls_writer writer;
		mcw_buf		out;

		mcw_buf_init(&out, &mcw_malloc, MAX_PAGE);
		mcw_sls_writer_init(&writer, &out);
		for (int l = 0; l < 2; l++)
		{
			CHECK_OK(mcw_sls_begin_log(&writer, 1700000000, l == 1, 5));
			CHECK_OK(mcw_sls_content(&writer, MCW_LIT("a"), (mcw_view) {text, sizes[i]}));
			CHECK_OK(mcw_sls_end_log(&writer));
		}
		CHECK_OK(mcw_sls_finish_group(&writer, MCW_LIT("c"), none, none, none, NULL, 0));
		CHECK(oracle_page(mcw_buf_view(&out), false, wanted, NWANTED));
		mcw_buf_free(&out);
	}
	free(text);
}

static mcw_status
attempt_all(const mcw_alloc *alloc, void *arg)
{
	mcw_sls_column columns[NWANTED];
	mcw_sls_reader *reader;
	mcw_sls_writer writer;
	mcw_buf		out;
	mcw_status	status = MCW_OK;
	mcw_view	big = {arg, 3000};

	for (int i = 0; i < NWANTED; i++)
		columns[i] = (mcw_sls_column) {MCW_SLS_FIELD, wanted[i]};
	reader = mcw_sls_reader_create(alloc, columns, NWANTED);
	if (reader == NULL)
		return MCW_ERR_NOMEM;
	mcw_buf_init(&out, alloc, MAX_PAGE);
	mcw_sls_writer_init(&writer, &out);
	for (int i = 0; i < 6 && status == MCW_OK; i++)
	{
		(void) mcw_sls_begin_log(&writer, 1, true, 2);
		(void) mcw_sls_content(&writer, big, big);
		status = mcw_sls_end_log(&writer);
	}
	if (status == MCW_OK)
		status = mcw_sls_finish_group(&writer, big, big, big, big, NULL, 0);
	mcw_buf_free(&out);
	mcw_sls_reader_free(reader);
	return status;
}

static void
torture(void)
{
	static char big[3000];

	unit_torture(attempt_all, big);
	mcw_sls_reader_free(NULL);
}

static const unit_case cases[] = {
	{"golden payloads", golden_payloads},
	{"writer against protobuf-c", writer_against_oracle},
	{"foreign messages", foreign_messages},
	{"truncation", truncation},
	{"projection", projection},
	{"many keys", many_keys},
	{"malformed", malformed},
	{"writer limits", writer_limits},
	{"writer widths", writer_widths},
	{"torture", torture},
};

UNIT_MAIN(cases)
