/*
 * test_arrow.c
 *		Arrow bodies: framing, record batches of every scalar type, damage; bucket
 *		hashes.
 */
#include "unit.h"

#include "../vectors/rows.h"

#include "../../src/wire/mcw_arrow.h"

#define MAX_BODY ((size_t) 8 << 20)

/* --- framing ---------------------------------------------------------- */

static void
golden_framing(void)
{
	mcw_arena	arena;
	const mcw_node *root;
	const mcw_node *list;
	int			n = 0;

	mcw_arena_init(&arena, &mcw_malloc, ROWS_MAX_FILE);
	root = rows_load(UNIT_VECTORS "maxcompute/arrow_tunnel.json", &arena, NULL);
	list = mcw_node_get(mcw_node_get(root, "framing"), "vectors");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next, n++)
	{
		mcw_view	payload = rows_hex(mcw_node_get(v, "payload_hex"), &arena);
		mcw_view	framed = rows_hex(mcw_node_get(v, "framed_hex"), &arena);
		int64_t		chunk = 0;
		mcw_buf		out;

		mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
		CHECK(mcw_node_int(v, "chunk_size", &chunk));
		CHECK_OK(mcw_arrow_frame(payload, (uint32_t) chunk, &out));
		CHECK_VIEW(mcw_buf_view(&out), framed);
		mcw_buf_reset(&out);
		CHECK_OK(mcw_arrow_unframe(framed, &out, NULL));
		CHECK_VIEW(mcw_buf_view(&out), payload);
		mcw_buf_free(&out);
	}
	CHECK_INT(n, 5);
	mcw_arena_reset(&arena);
}

static void
framing_round_trip(void)
{
	unit_random r = {31};
	char		data[300];
	mcw_buf		framed;
	mcw_buf		back;

	mcw_buf_init(&framed, &mcw_malloc, MAX_BODY);
	mcw_buf_init(&back, &mcw_malloc, MAX_BODY);
	for (int n = 0; n < 500; n++)
	{
		mcw_view	payload = {data, unit_below(&r, sizeof(data))};
		uint32_t	chunk = 1 + (uint32_t) unit_below(&r, 70);

		unit_fill(&r, data, payload.len, 256);
		mcw_buf_reset(&framed);
		mcw_buf_reset(&back);
		CHECK_OK(mcw_arrow_frame(payload, chunk, &framed));
		CHECK_OK(mcw_arrow_unframe(mcw_buf_view(&framed), &back, NULL));
		CHECK_VIEW(mcw_buf_view(&back), payload);
		/* every cut and every flipped bit of the payload and checksums is noticed */
		for (size_t len = 0; len < framed.len; len += 1 + unit_below(&r, 7))
		{
			mcw_buf_reset(&back);
			CHECK(mcw_arrow_unframe((mcw_view) {framed.data, len}, &back, NULL) != MCW_OK);
		}
		for (size_t at = 4; at < framed.len; at += 1 + unit_below(&r, 7))
		{
			framed.data[at] ^= 0x10;
			mcw_buf_reset(&back);
			CHECK_INT(mcw_arrow_unframe(mcw_buf_view(&framed), &back, NULL), MCW_ERR_CHECKSUM);
			framed.data[at] ^= 0x10;
		}
	}
	CHECK_INT(mcw_arrow_frame(MCW_LIT("x"), 0, &framed), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_arrow_unframe(MCW_LIT("\0\0\0\0\0\0\0\0"), &back, NULL), MCW_ERR_FORMAT);
	CHECK_INT(mcw_arrow_unframe(MCW_LIT("\xff\xff\xff\xff"), &back, NULL), MCW_ERR_FORMAT);
	mcw_buf_free(&framed);
	mcw_buf_free(&back);

	mcw_buf_init(&framed, &mcw_malloc, 20);
	CHECK_INT(mcw_arrow_frame((mcw_view) {data, 100}, 8, &framed), MCW_ERR_LIMIT);
	CHECK_INT(framed.len, 0);
	mcw_buf_free(&framed);
}

/* --- record batches --------------------------------------------------- */

/* A message of one RecordBatch is built here: metadata by hand, vtables in front */
typedef struct batch
{
	mcw_buf		body;
	int64_t		nrows;
	int64_t		nodes[32][2];
	int			nnodes;
	int64_t		buffers[64][2];
	int			nbuffers;
} batch;

static void
put(mcw_buf *out, const void *data, size_t len)
{
	CHECK_OK(mcw_buf_append(out, data, len));
}

static void
put_i32(mcw_buf *out, int32_t v)
{
	put(out, &v, 4);
}

static void
batch_buffer(batch *b, const void *data, size_t len)
{
	b->buffers[b->nbuffers][0] = (int64_t) b->body.len;
	b->buffers[b->nbuffers++][1] = (int64_t) len;
	put(&b->body, data, len);
	while (b->body.len % 8)
		put(&b->body, "", 1);
}

/* Validity (NULL = none), data */
static void
batch_fixed(batch *b, const char *validity, const void *data, size_t len)
{
	b->nodes[b->nnodes][0] = b->nrows;
	b->nodes[b->nnodes++][1] = validity ? 1 : 0;
	batch_buffer(b, validity ? validity : "", validity ? 1 : 0);
	batch_buffer(b, data, len);
}

static void
batch_text(batch *b, const char *validity, const int32_t *offsets, const char *data, size_t len)
{
	b->nodes[b->nnodes][0] = b->nrows;
	b->nodes[b->nnodes++][1] = validity ? 1 : 0;
	batch_buffer(b, validity ? validity : "", validity ? 1 : 0);
	batch_buffer(b, offsets, (size_t) (b->nrows + 1) * 4);
	batch_buffer(b, data, len);
}

/*
 * Layout of the metadata, positions from its start: 0 root offset; 8 vtable of
 * Message; 24 Message; 48 vtable of RecordBatch; 64 RecordBatch; 88 nodes; then
 * buffers.
 */
static void
batch_message(const batch *b, bool compressed, mcw_buf *out)
{
	const uint16_t message_vtable[] = {12, 24, 0, 4, 8, 16};	/* -, header_type at 4, header at 8, bodyLength at 16 */
	const uint16_t batch_vtable[] = {12, 24, 8, 16, 20, compressed ? 4 : 0};
	int64_t		body_len = (int64_t) b->body.len;
	uint32_t	nodes_len = 4 + 16 * (uint32_t) b->nnodes;
	mcw_buf		meta;

	mcw_buf_init(&meta, &mcw_malloc, 1 << 16);
	put_i32(&meta, 24);
	put_i32(&meta, 0);
	put(&meta, message_vtable, 12);
	put_i32(&meta, 0);
	put_i32(&meta, 24 - 8);		/* Message: back to its vtable */
	put(&meta, "\3\0\0\0", 4);
	put_i32(&meta, 64 - 32);	/* header, from position 32 */
	put_i32(&meta, 0);
	put(&meta, &body_len, 8);	/* at 40 = 24 + 16 */
	put(&meta, batch_vtable, 12);
	put_i32(&meta, 0);
	put_i32(&meta, 64 - 48);	/* RecordBatch: back to its vtable */
	put_i32(&meta, 4);			/* compression, if the vtable says so */
	put(&meta, &b->nrows, 8);	/* at 72 = 64 + 8 */
	put_i32(&meta, 88 - 80);	/* nodes, from position 80 = 64 + 16 */
	put_i32(&meta, (int32_t) (88 + nodes_len - 84));	/* buffers, from position 84 */
	put_i32(&meta, b->nnodes);
	put(&meta, b->nodes, 16 * (size_t) b->nnodes);
	put_i32(&meta, b->nbuffers);
	put(&meta, b->buffers, 16 * (size_t) b->nbuffers);
	while (meta.len % 8)
		put(&meta, "", 1);

	put_i32(out, -1);
	put_i32(out, (int32_t) meta.len);
	put(out, meta.data, meta.len);
	put(out, b->body.data ? b->body.data : "", b->body.len);
	mcw_buf_free(&meta);
}

static const char *const all_types[] = {
	"tinyint", "smallint", "int", "bigint", "float", "double", "boolean", "string", "binary",
	"date", "datetime", "timestamp", "timestamp_ntz", "decimal(10,2)", "decimal(38,0)", "decimal(40,3)",
	"interval_year_month", "json", "decimal"
};

#define NTYPES ((int) (sizeof(all_types) / sizeof(all_types[0])))

/* Three rows; the second of most columns is NULL */
static void
fill_batch(batch *b)
{
	static const int8_t i8[] = {-128, 1, 127};
	static const int16_t i16[] = {-32768, 1, 32767};
	static const int32_t i32[] = {INT32_MIN, 1, INT32_MAX};
	static const int64_t i64[] = {INT64_MIN, 1, INT64_MAX};
	static const float f32[] = {0.5f, 1, -2.25f};
	static const double f64[] = {0.5, 1, -1e300};
	static const int32_t offsets[] = {0, 3, 3, 8};
	static const int64_t ns[] = {-1, 0, 1700000000123456789};
	static const int64_t small[3][2] = {{-5, -1}, {0, 0}, {123456, 0}};
	static const int64_t wide[3][4] = {{-1, -1, -1, -1}, {0}, {0, 0, 0, 1}};

	b->nrows = 3;
	batch_fixed(b, "\5", i8, 3);
	batch_fixed(b, "\5", i16, 6);
	batch_fixed(b, "\5", i32, 12);
	batch_fixed(b, NULL, i64, 24);
	batch_fixed(b, "\5", f32, 12);
	batch_fixed(b, "\5", f64, 24);
	batch_fixed(b, "\5", "\4", 1);
	batch_text(b, "\5", offsets, "abcd\0\xff" "fg", 8);
	batch_text(b, NULL, offsets, "abcdefgh", 8);
	batch_fixed(b, "\5", i32, 12);
	batch_fixed(b, "\5", i64, 24);
	batch_fixed(b, "\5", ns, 24);
	batch_fixed(b, "\5", ns, 24);
	batch_fixed(b, "\5", small, 48);
	batch_fixed(b, "\5", small, 48);
	batch_fixed(b, "\5", wide, 96);
	batch_fixed(b, "\5", i32, 12);
	batch_text(b, "\5", offsets, "[1]{}  x", 8);
	batch_fixed(b, "\5", small, 48);
}

static int
parse_types(const mcw_odps_type **types, mcw_arena *arena)
{
	for (int i = 0; i < NTYPES; i++)
	{
		mcw_odps_type *type = NULL;

		CHECK_OK(mcw_odps_type_parse(mcw_str(all_types[i]), arena, &type, NULL));
		types[i] = type;
	}
	return NTYPES;
}

static void
every_type(void)
{
	const mcw_odps_type *types[NTYPES];
	mcw_odps_value v[NTYPES];
	mcw_arrow_reader *reader;
	mcw_error	err = {0};
	mcw_arena	arena;
	mcw_buf		payload;
	batch		b = {.nrows = 0};

	mcw_arena_init(&arena, &mcw_malloc, 1 << 16);
	mcw_buf_init(&payload, &mcw_malloc, MAX_BODY);
	mcw_buf_init(&b.body, &mcw_malloc, MAX_BODY);
	parse_types(types, &arena);
	fill_batch(&b);
	batch_message(&b, false, &payload);
	batch_message(&b, false, &payload);
	reader = mcw_arrow_reader_create(&mcw_malloc, types, NTYPES, mcw_buf_view(&payload));
	for (int n = 0; n < 2; n++)
	{
		if (!CHECK_OK(mcw_arrow_next(reader, v, &err)))
			printf("    %s\n", err.message);
		CHECK_INT(v[0].i64, -128);
		CHECK_INT(v[1].i64, -32768);
		CHECK_INT(v[2].i64, INT32_MIN);
		CHECK_INT(v[3].i64, INT64_MIN);
		CHECK(v[4].f32 == 0.5f && v[5].f64 == 0.5);
		CHECK_INT(v[6].i64, 0);
		CHECK_VIEW(v[7].bytes, MCW_LIT("abc"));
		CHECK_INT(v[9].i64, INT32_MIN);
		CHECK(v[11].i64 == -1 && v[11].nanos == 999999999);
		CHECK_VIEW(v[13].bytes, MCW_LIT("-0.05"));
		CHECK_VIEW(v[14].bytes, MCW_LIT("-5"));
		CHECK_VIEW(v[15].bytes, MCW_LIT("-0.001"));
		CHECK_VIEW(v[18].bytes, MCW_LIT("-0.000000000000000005"));
		CHECK_OK(mcw_arrow_next(reader, v, &err));
		for (int i = 0; i < NTYPES; i++)
			CHECK_INT(v[i].is_null, i != 3 && i != 8);
		CHECK_INT(v[3].i64, 1);
		CHECK_INT(v[8].bytes.len, 0);
		CHECK_OK(mcw_arrow_next(reader, v, &err));
		CHECK_INT(v[0].i64, 127);
		CHECK_INT(v[6].i64, 1);
		CHECK_VIEW(v[7].bytes, MCW_LIT("d\0\xff" "fg"));
		CHECK(v[12].i64 == 1700000000 && v[12].nanos == 123456789);
		CHECK_VIEW(v[13].bytes, MCW_LIT("1234.56"));
		/* 2^192 with three digits behind the point */
		CHECK_VIEW(v[15].bytes, MCW_LIT("6277101735386680763835789423207666416102355444464034512.896"));
		CHECK_INT(v[16].i64, INT32_MAX);
	}
	CHECK_INT(mcw_arrow_next(reader, v, &err), MCW_END);
	CHECK_INT(mcw_arrow_next(reader, v, &err), MCW_END);
	mcw_arrow_reader_free(reader);
	mcw_buf_free(&payload);
	mcw_buf_free(&b.body);
	mcw_arena_reset(&arena);
}

/* Read all rows of an exact copy; the status at the end */
static mcw_status
drain(mcw_view payload, const mcw_odps_type *const *types, int ntypes)
{
	char	   *exact = malloc(payload.len ? payload.len : 1);
	mcw_view	copy = {exact, payload.len};
	mcw_odps_value v[NTYPES];
	mcw_arrow_reader *reader;
	mcw_status	status;

	memcpy(exact, payload.data, payload.len);
	reader = mcw_arrow_reader_create(&mcw_malloc, types, ntypes, copy);
	do
		status = mcw_arrow_next(reader, v, NULL);
	while (status == MCW_OK);
	mcw_arrow_reader_free(reader);
	free(exact);
	return status;
}

static void
damage(void)
{
	const mcw_odps_type *types[NTYPES];
	unit_random r = {17};
	mcw_arena	arena;
	mcw_buf		payload;
	batch		b = {.nrows = 0};

	mcw_arena_init(&arena, &mcw_malloc, 1 << 16);
	mcw_buf_init(&payload, &mcw_malloc, MAX_BODY);
	mcw_buf_init(&b.body, &mcw_malloc, MAX_BODY);
	parse_types(types, &arena);
	fill_batch(&b);
	batch_message(&b, false, &payload);
	CHECK_INT(drain(mcw_buf_view(&payload), types, NTYPES), MCW_END);
	for (size_t len = 1; len < payload.len; len++)
		CHECK_INT(drain((mcw_view) {payload.data, len}, types, NTYPES), MCW_ERR_FORMAT);
	for (int n = 0; n < 20000; n++)
	{
		size_t		at = unit_below(&r, payload.len);
		char		old = payload.data[at];
		mcw_status	status;

		payload.data[at] = unit_below(&r, 3) ? (char) unit_next(&r) : (char) 0xff;
		status = drain(mcw_buf_view(&payload), types, NTYPES);
		CHECK(status == MCW_END || status == MCW_ERR_FORMAT || status == MCW_ERR_UNSUPPORTED);
		payload.data[at] = old;
	}
	/* fewer and more columns than the batch has */
	CHECK_INT(drain(mcw_buf_view(&payload), types, NTYPES - 1), MCW_ERR_FORMAT);
	b.nnodes--;
	mcw_buf_reset(&payload);
	batch_message(&b, false, &payload);
	CHECK_INT(drain(mcw_buf_view(&payload), types, NTYPES), MCW_ERR_FORMAT);
	mcw_buf_free(&payload);
	mcw_buf_free(&b.body);
	mcw_arena_reset(&arena);
}

static void
unsupported(void)
{
	static const char *const nested[] = {"array<int>", "map<int,int>", "struct<a:int>", "vector(float,2)", "interval_day_time"};
	const mcw_odps_type *types[NTYPES];
	mcw_arena	arena;
	mcw_buf		payload;
	batch		b = {.nrows = 1};

	mcw_arena_init(&arena, &mcw_malloc, 1 << 16);
	mcw_buf_init(&payload, &mcw_malloc, MAX_BODY);
	mcw_buf_init(&b.body, &mcw_malloc, MAX_BODY);
	for (int i = 0; i < 5; i++)
	{
		mcw_odps_type *type = NULL;

		CHECK_OK(mcw_odps_type_parse(mcw_str(nested[i]), &arena, &type, NULL));
		types[0] = type;
		CHECK_INT(drain(MCW_LIT(""), types, 1), MCW_ERR_UNSUPPORTED);
	}
	parse_types(types, &arena);
	batch_fixed(&b, NULL, "\1", 1);
	batch_message(&b, true, &payload);
	CHECK_INT(drain(mcw_buf_view(&payload), types, 1), MCW_ERR_UNSUPPORTED);
	/* an end mark is fine, bytes behind it are not */
	CHECK_INT(drain(MCW_LIT("\xff\xff\xff\xff\0\0\0\0"), types, 1), MCW_END);
	CHECK_INT(drain(MCW_LIT("\xff\xff\xff\xff\0\0\0\0x"), types, 1), MCW_ERR_FORMAT);
	mcw_buf_free(&payload);
	mcw_buf_free(&b.body);
	mcw_arena_reset(&arena);
}

/* --- bucket hashes ---------------------------------------------------- */

static int32_t
hash_of(mcw_odps_hasher hasher, const char *type_text, mcw_odps_value value)
{
	mcw_odps_type *type = NULL;
	mcw_arena	arena;
	int32_t		hash;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 12);
	CHECK_OK(mcw_odps_type_parse(mcw_str(type_text), &arena, &type, NULL));
	hash = mcw_odps_hash(hasher, type, &value);
	mcw_arena_reset(&arena);
	return hash;
}

/* The vectors are run by check-vectors; here the rules they do not reach */
static void
hashes(void)
{
	const mcw_odps_hasher d = MCW_ODPS_HASH_DEFAULT;
	const mcw_odps_hasher l = MCW_ODPS_HASH_LEGACY;
	const int32_t sums[] = {1063204611, -1259046373};
	const int32_t extremes[] = {INT32_MIN, -1};

	CHECK_INT(hash_of(d, "bigint", (mcw_odps_value) {.i64 = 145680}), 1063204611);
	CHECK_INT(hash_of(d, "string", (mcw_odps_value) {.bytes = MCW_LIT("hello")}), -1259046373);
	CHECK_INT(hash_of(l, "string", (mcw_odps_value) {.bytes = MCW_LIT("hello")}), 99162322);
	CHECK_INT(hash_of(d, "string", (mcw_odps_value) {.is_null = true}), 0);
	/* a decimal hashes as its unscaled integer, whatever digits are written */
	CHECK_INT(hash_of(d, "decimal(10,2)", (mcw_odps_value) {.bytes = MCW_LIT("1456.8")}), 1063204611);
	CHECK_INT(hash_of(d, "decimal(10,2)", (mcw_odps_value) {.bytes = MCW_LIT("1456.80")}), 1063204611);
	CHECK_INT(hash_of(d, "decimal(10,0)", (mcw_odps_value) {.bytes = MCW_LIT("145680")}), 1063204611);
	CHECK_INT(hash_of(l, "decimal(10,2)", (mcw_odps_value) {.bytes = MCW_LIT("-0.01")}),
			  hash_of(l, "bigint", (mcw_odps_value) {.i64 = -1}));
	/* above 18 digits both halves count: 2^64 is low 0, high 1 */
	CHECK_INT(hash_of(l, "decimal(38,0)", (mcw_odps_value) {.bytes = MCW_LIT("18446744073709551616")}), 1);
	CHECK_INT(hash_of(l, "decimal(38,1)", (mcw_odps_value) {.bytes = MCW_LIT("1844674407370955161.6")}), 1);
	CHECK_INT(mcw_odps_hash_combine(sums, 2), 195551919);
	CHECK(mcw_odps_hash_combine(extremes, 2) >= 0);
	CHECK_INT(mcw_odps_hash_combine(NULL, 0), 0);
}

static mcw_status
attempt_all(const mcw_alloc *alloc, void *arg)
{
	const mcw_odps_type bigint = {.kind = MCW_ODPS_BIGINT};
	const mcw_odps_type *types[1] = {&bigint};
	mcw_arrow_reader *reader = mcw_arrow_reader_create(alloc, types, 1, MCW_LIT(""));
	mcw_status	status;
	mcw_buf		framed;
	mcw_buf		back;

	if (reader == NULL)
		return MCW_ERR_NOMEM;
	mcw_buf_init(&framed, alloc, MAX_BODY);
	mcw_buf_init(&back, alloc, MAX_BODY);
	status = mcw_arrow_frame((mcw_view) {arg, 5000}, 100, &framed);
	if (status == MCW_OK)
		status = mcw_arrow_unframe(mcw_buf_view(&framed), &back, NULL);
	mcw_buf_free(&framed);
	mcw_buf_free(&back);
	mcw_arrow_reader_free(reader);
	return status;
}

static void
torture(void)
{
	static char data[5000];

	unit_torture(attempt_all, data);
	mcw_arrow_reader_free(NULL);
}

static const unit_case cases[] = {
	{"golden framing", golden_framing},
	{"framing round trip", framing_round_trip},
	{"every type", every_type},
	{"damage", damage},
	{"unsupported", unsupported},
	{"hashes", hashes},
	{"torture", torture},
};

UNIT_MAIN(cases)
