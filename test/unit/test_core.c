/*
 * test_core.c
 *		Errors, views, numbers, buffer and arena.
 */
#include "unit.h"

static void
errors(void)
{
	mcw_error	err;
	char		big[2000];

	memset(&err, 'x', sizeof(err));
	CHECK_INT(mcw_fail(&err, MCW_ERR_RANGE, "value %d of \"%s\"", 7, "c"), MCW_ERR_RANGE);
	CHECK_INT(err.status, MCW_ERR_RANGE);
	CHECK_STR(err.message, "value 7 of \"c\"");
	CHECK_STR(err.code, "");
	CHECK_STR(err.text, "");
	CHECK_STR(err.request_id, "");
	CHECK(err.http_status == 0 && err.offset == 0);
	CHECK_INT(mcw_fail(NULL, MCW_ERR_LIMIT, "%s", "nobody listens"), MCW_ERR_LIMIT);

	memset(big, 'b', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	CHECK_INT(mcw_fail(&err, MCW_ERR_FORMAT, "%s", big), MCW_ERR_FORMAT);
	CHECK_INT(strlen(err.message), sizeof(err.message) - 1);

	for (int s = MCW_OK; s <= MCW_ERR_PROTOCOL; s++)
	{
		for (int t = MCW_OK; t < s; t++)
			CHECK(strcmp(mcw_status_name((mcw_status) s), mcw_status_name((mcw_status) t)) != 0);
	}
	CHECK_STR(mcw_status_name((mcw_status) 99), "unknown status");
}

static void
views(void)
{
	CHECK(mcw_view_eq(MCW_LIT("a"), MCW_LIT("a")));
	CHECK(!mcw_view_eq(MCW_LIT("a"), MCW_LIT("A")));
	CHECK(mcw_view_eq(MCW_LIT(""), mcw_str(NULL)));
	CHECK(mcw_view_ieq(MCW_LIT("X-Log-Date"), MCW_LIT("x-lOG-dATE")));
	CHECK(!mcw_view_ieq(MCW_LIT("x@"), MCW_LIT("x`")));
	CHECK(!mcw_view_ieq(MCW_LIT("x["), MCW_LIT("x{")));
	CHECK(!mcw_view_ieq(MCW_LIT("x"), MCW_LIT("xy")));
	CHECK(mcw_view_ieq(MCW_LIT("\xc4"), MCW_LIT("\xc4")));
	CHECK(!mcw_view_ieq(MCW_LIT("\xc4"), MCW_LIT("\xe4")));
	CHECK_INT(mcw_view_cmp(MCW_LIT("a"), MCW_LIT("a")), 0);
	CHECK(mcw_view_cmp(MCW_LIT("a"), MCW_LIT("ab")) < 0);
	CHECK(mcw_view_cmp(MCW_LIT("b"), MCW_LIT("ab")) > 0);
	CHECK(mcw_view_cmp(MCW_LIT("\x80"), MCW_LIT("a")) > 0);
	CHECK(mcw_view_cmp(mcw_str(NULL), MCW_LIT("")) == 0);
	CHECK(mcw_view_cmp(mcw_str(NULL), MCW_LIT("a")) < 0);
}

static void
numbers(void)
{
	static const char *const bad[] = {
		"", "-", "+1", " 1", "1 ", "1.0", "0x10", "--1", "1-", "9223372036854775808",
		"-9223372036854775809", "99999999999999999999", "18446744073709551616", "\xb1"
	};
	char		text[32];
	unit_random r = {23};
	int64_t		i64;
	uint64_t	u64;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!mcw_view_int64(mcw_str(bad[i]), &i64));
	CHECK(!mcw_view_int64(mcw_str(NULL), &i64));
	CHECK(!mcw_view_int64(MCW_LIT("1\0"), &i64));
	CHECK(!mcw_view_uint64(MCW_LIT("-1"), &u64));
	CHECK(!mcw_view_uint64(MCW_LIT("18446744073709551616"), &u64));
	CHECK(!mcw_view_uint64(MCW_LIT("184467440737095516150"), &u64));
	CHECK(mcw_view_uint64(MCW_LIT("18446744073709551615"), &u64) && u64 == UINT64_MAX);
	CHECK(mcw_view_int64(MCW_LIT("9223372036854775807"), &i64) && i64 == INT64_MAX);
	CHECK(mcw_view_int64(MCW_LIT("-9223372036854775808"), &i64) && i64 == INT64_MIN);
	CHECK(mcw_view_int64(MCW_LIT("-0"), &i64) && i64 == 0);
	CHECK(mcw_view_int64(MCW_LIT("007"), &i64) && i64 == 7);
	for (int i = 0; i < 5000; i++)
	{
		int64_t		want = (int64_t) unit_next(&r) >> unit_below(&r, 64);

		(void) snprintf(text, sizeof(text), "%lld", (long long) want);
		CHECK(mcw_view_int64(mcw_str(text), &i64) && i64 == want);
	}
}

/* Random appends against an array; the maximum is never passed. */
static void
buffer_properties(void)
{
	unit_random r = {29};
	char		source[700];
	char	   *model = malloc(20000);

	for (int round = 0; round < 300; round++)
	{
		size_t		max = unit_below(&r, 20000);
		size_t		len = 0;
		unit_heap	heap;
		mcw_buf		buf;

		unit_heap_init(&heap, 0);
		mcw_buf_init(&buf, &heap.alloc, max);
		for (int step = 0; step < 60; step++)
		{
			mcw_view	piece = {source, unit_below(&r, sizeof(source))};
			bool		fits = piece.len <= max - len;

			unit_fill(&r, source, piece.len, 256);
			CHECK_INT(mcw_buf_append_view(&buf, piece), fits ? MCW_OK : MCW_ERR_LIMIT);
			if (fits)
			{
				memcpy(model + len, source, piece.len);
				len += piece.len;
			}
			else
				CHECK(buf.failed && mcw_buf_status(&buf) == MCW_ERR_LIMIT);
			CHECK(buf.len == len && buf.cap <= max && (len == 0 || memcmp(buf.data, model, len) == 0));
		}
		CHECK(heap.peak <= max);
		CHECK(heap.calls < 12);
		mcw_buf_reset(&buf);
		CHECK(!buf.failed && buf.len == 0 && mcw_buf_status(&buf) == MCW_OK);
		mcw_buf_free(&buf);
		CHECK(buf.data == NULL && buf.cap == 0 && buf.max == max);
		CHECK_INT(heap.outstanding, 0);
	}
	free(model);
}

static void
buffer_edges(void)
{
	mcw_buf		buf;

	mcw_buf_init(&buf, &mcw_malloc, 8);
	CHECK_VIEW(mcw_buf_view(&buf), MCW_LIT(""));
	CHECK(mcw_buf_view(&buf).data != NULL);
	CHECK_OK(mcw_buf_append(&buf, NULL, 0));
	CHECK_INT(mcw_buf_grow(&buf, SIZE_MAX), MCW_ERR_LIMIT);
	CHECK_OK(mcw_buf_printf(&buf, "%s-%d", "ab", 123));
	CHECK_VIEW(mcw_buf_view(&buf), MCW_LIT("ab-123"));
	CHECK_STR(mcw_buf_cstr(&buf), "ab-123");
	CHECK_INT(buf.len, 6);
	CHECK_OK(mcw_buf_append_char(&buf, 'x'));
	CHECK_OK(mcw_buf_append_str(&buf, "y"));
	CHECK(mcw_buf_cstr(&buf) == NULL);
	CHECK_INT(mcw_buf_append_char(&buf, 'z'), MCW_ERR_LIMIT);
	CHECK_INT(mcw_buf_grow(&buf, SIZE_MAX - 3), MCW_ERR_LIMIT);
	CHECK_INT(mcw_buf_printf(&buf, "%s", ""), MCW_ERR_LIMIT);
	CHECK_VIEW(mcw_buf_view(&buf), MCW_LIT("ab-123xy"));
	mcw_buf_free(&buf);

	mcw_buf_init(&buf, &mcw_malloc, 0);
	CHECK_INT(mcw_buf_append_char(&buf, 'a'), MCW_ERR_LIMIT);
	CHECK_OK(mcw_buf_append_str(&buf, ""));
	mcw_buf_free(&buf);
}

/* The first failure is the one that is told. */
static void
buffer_failures(void)
{
	unit_heap	heap;
	mcw_buf		buf;

	unit_heap_init(&heap, 2);
	mcw_buf_init(&buf, &heap.alloc, 1000);
	CHECK_OK(mcw_buf_append_str(&buf, "kept"));
	CHECK_INT(mcw_buf_grow(&buf, 900), MCW_ERR_NOMEM);
	CHECK_INT(mcw_buf_grow(&buf, 2000), MCW_ERR_LIMIT);
	CHECK_INT(mcw_buf_status(&buf), MCW_ERR_NOMEM);
	CHECK_VIEW(mcw_buf_view(&buf), MCW_LIT("kept"));
	mcw_buf_free(&buf);
	CHECK_INT(heap.outstanding, 0);
}

static void
arena_properties(void)
{
	unit_random r = {31};

	for (int round = 0; round < 200; round++)
	{
		char	   *pieces[200];
		size_t		sizes[200];
		size_t		total = 0;
		unit_heap	heap;
		mcw_arena	arena;

		unit_heap_init(&heap, 0);
		mcw_arena_init(&arena, &heap.alloc, 1 << 22);
		for (int i = 0; i < 200; i++)
		{
			sizes[i] = unit_below(&r, (size_t) 1 << unit_below(&r, i % 50 ? 8 : 16));
			pieces[i] = mcw_arena_new(&arena, sizes[i]);
			if (!CHECK(pieces[i] != NULL && (uintptr_t) pieces[i] % 8 == 0))
				return;
			for (size_t b = 0; b < sizes[i]; b++)
			{
				if (pieces[i][b] != 0)
					CHECK(!"arena memory is zeroed");
			}
			memset(pieces[i], i, sizes[i]);
			total += (sizes[i] + 7) / 8 * 8;
		}
		CHECK_INT(arena.used, total);
		for (int i = 0; i < 200; i++)
		{
			if (sizes[i] > 0)
				CHECK((unsigned char) pieces[i][0] == i && (unsigned char) pieces[i][sizes[i] - 1] == i);
		}
		mcw_arena_reset(&arena);
		CHECK(arena.used == 0 && arena.blocks == NULL);
		CHECK_INT(heap.outstanding, 0);
	}
}

static void
arena_limits(void)
{
	mcw_arena	arena;
	mcw_view	copy;
	unit_heap	heap;

	mcw_arena_init(&arena, &mcw_malloc, 64);
	CHECK(mcw_arena_new(&arena, SIZE_MAX) == NULL);
	CHECK(mcw_arena_new(&arena, 65) == NULL);
	CHECK(mcw_arena_new(&arena, 60) != NULL);
	CHECK(mcw_arena_new(&arena, 1) == NULL);
	CHECK_INT(mcw_arena_copy(&arena, MCW_LIT(""), &copy), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
	CHECK_OK(mcw_arena_copy(&arena, MCW_LIT("a\0b"), &copy));
	CHECK_VIEW(copy, MCW_LIT("a\0b"));
	CHECK(copy.data[3] == '\0');
	CHECK_OK(mcw_arena_copy(&arena, mcw_str(NULL), &copy));
	CHECK(copy.data != NULL && copy.len == 0);
	mcw_arena_reset(&arena);

	unit_heap_init(&heap, 1);
	mcw_arena_init(&arena, &heap.alloc, 64);
	CHECK_INT(mcw_arena_copy(&arena, MCW_LIT("x"), &copy), MCW_ERR_NOMEM);
	mcw_arena_reset(&arena);
	mcw_arena_init(&arena, &mcw_malloc, SIZE_MAX);
	CHECK(mcw_arena_new(&arena, SIZE_MAX - 3) == NULL);
	mcw_arena_reset(&arena);
}

static mcw_status
use_both(const mcw_alloc *alloc, void *arg)
{
	mcw_arena	arena;
	mcw_buf		buf;
	mcw_status	status = MCW_OK;
	mcw_view	copy;

	mcw_arena_init(&arena, alloc, 1 << 20);
	mcw_buf_init(&buf, alloc, 1 << 20);
	for (int i = 0; status == MCW_OK && i < 2000; i++)
	{
		status = mcw_buf_printf(&buf, "row %d;", i);
		if (status == MCW_OK)
			status = mcw_arena_copy(&arena, MCW_LIT("a value of some length"), &copy);
	}
	mcw_buf_free(&buf);
	mcw_arena_reset(&arena);
	return status;
}

static void
torture(void)
{
	unit_torture(use_both, NULL);
}

static void
zeroed(void)
{
	unsigned char *p = mcw_new0(&mcw_malloc, 100);
	unit_heap	heap;

	CHECK(p && p[0] == 0 && p[99] == 0);
	mcw_free(&mcw_malloc, p, 100);
	mcw_free(&mcw_malloc, NULL, 0);
	unit_heap_init(&heap, 1);
	CHECK(mcw_new0(&heap.alloc, 8) == NULL);
}

static const unit_case cases[] = {
	{"errors", errors},
	{"views", views},
	{"numbers", numbers},
	{"buffer_properties", buffer_properties},
	{"buffer_edges", buffer_edges},
	{"buffer_failures", buffer_failures},
	{"arena_properties", arena_properties},
	{"arena_limits", arena_limits},
	{"torture", torture},
	{"zeroed", zeroed},
};

UNIT_MAIN(cases)
