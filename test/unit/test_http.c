/*
 * test_http.c
 *		Requests, and targets written and read.
 */
#include "unit.h"

#include "../../src/wire/mcw_http.h"

#define ARENA_MAX ((size_t) 1 << 20)

static mcw_view
absent(void)
{
	return mcw_str(NULL);
}

static void
headers(void)
{
	mcw_request req = {MCW_LIT("GET")};
	char		names[MCW_MAX_HEADERS][8];

	CHECK(mcw_request_get_header(&req, MCW_LIT("Date")).data == NULL);
	CHECK_OK(mcw_request_header(&req, MCW_LIT("Date"), MCW_LIT("1")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("DATE"), MCW_LIT("2")));
	CHECK_INT(req.nheaders, 1);
	CHECK_VIEW(mcw_request_get_header(&req, MCW_LIT("date")), MCW_LIT("2"));
	for (int i = 1; i < MCW_MAX_HEADERS; i++)
	{
		(void) snprintf(names[i], sizeof(names[i]), "h%d", i);
		CHECK_OK(mcw_request_header(&req, mcw_str(names[i]), MCW_LIT("")));
	}
	CHECK_INT(mcw_request_header(&req, MCW_LIT("more"), MCW_LIT("")), MCW_ERR_LIMIT);
	CHECK_OK(mcw_request_header(&req, MCW_LIT("h7"), MCW_LIT("new")));
	CHECK_VIEW(mcw_request_get_header(&req, MCW_LIT("H7")), MCW_LIT("new"));
}

static void
params(void)
{
	mcw_request req = {MCW_LIT("GET")};

	for (int i = 0; i < MCW_MAX_PARAMS; i++)
		CHECK_OK(mcw_request_param(&req, MCW_LIT("same"), i == 0 ? MCW_LIT("first") : MCW_LIT("later")));
	CHECK_INT(mcw_request_param(&req, MCW_LIT("more"), MCW_LIT("")), MCW_ERR_LIMIT);
	CHECK_VIEW(mcw_request_get_param(&req, MCW_LIT("same")), MCW_LIT("first"));
	CHECK(mcw_request_get_param(&req, MCW_LIT("Same")).data == NULL);
}

static void
target_is(const mcw_request *req, const char *want)
{
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, ARENA_MAX);
	CHECK_OK(mcw_request_target(req, &out));
	CHECK_VIEW(mcw_buf_view(&out), mcw_str(want));
	mcw_buf_free(&out);
}

static void
write_target(void)
{
	mcw_request req = {MCW_LIT("GET"), MCW_LIT("/api"), MCW_LIT("/projects/p q/tables/\xe4\xb8\xad")};
	mcw_buf		small;

	target_is(&req, "/api/projects/p%20q/tables/%E4%B8%AD");
	CHECK_OK(mcw_request_param(&req, MCW_LIT("extended"), absent()));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("empty"), MCW_LIT("")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("part ition"), MCW_LIT("pt='a/b+c&d'")));
	target_is(&req, "/api/projects/p%20q/tables/%E4%B8%AD?extended&empty=&part%20ition=pt%3D%27a%2Fb%2Bc%26d%27");

	for (size_t max = 0; max < 80; max++)
	{
		mcw_buf_init(&small, &mcw_malloc, max);
		CHECK_INT(mcw_request_target(&req, &small), MCW_ERR_LIMIT);
		mcw_buf_free(&small);
	}
}

static void
read_target(void)
{
	mcw_request req = {MCW_LIT("GET")};
	mcw_arena	arena;
	mcw_error	err;

	mcw_arena_init(&arena, &mcw_malloc, ARENA_MAX);
	CHECK_OK(mcw_request_param(&req, MCW_LIT("forgotten"), MCW_LIT("1")));
	CHECK_OK(mcw_request_parse_target(&req, MCW_LIT("/a+b%20c/d%2Fe?flag&empty=&x=1=2&p+q=a+b%2B&&=n&bad=%zz&nul=%00z&flag"),
									  &arena, &err));
	CHECK_VIEW(req.path, MCW_LIT("/a+b c/d/e"));
	CHECK(req.path.data[req.path.len] == '\0');
	if (CHECK_INT(req.nparams, 8))
	{
		CHECK_VIEW(req.params[0].name, MCW_LIT("flag"));
		CHECK(req.params[0].value.data == NULL);
		CHECK(req.params[1].value.data != NULL && req.params[1].value.len == 0);
		CHECK_VIEW(req.params[2].value, MCW_LIT("1=2"));
		CHECK_VIEW(req.params[3].name, MCW_LIT("p q"));
		CHECK_VIEW(req.params[3].value, MCW_LIT("a b+"));
		CHECK(req.params[3].value.data[4] == '\0');
		CHECK_INT(req.params[4].name.len, 0);
		CHECK_VIEW(req.params[4].value, MCW_LIT("n"));
		CHECK_VIEW(req.params[5].value, MCW_LIT("%zz"));
		CHECK_VIEW(req.params[6].value, MCW_LIT("\0z"));
		CHECK_VIEW(req.params[7].name, MCW_LIT("flag"));
	}

	CHECK_OK(mcw_request_parse_target(&req, MCW_LIT("/?"), &arena, &err));
	CHECK_VIEW(req.path, MCW_LIT("/"));
	CHECK_INT(req.nparams, 0);
	CHECK_OK(mcw_request_parse_target(&req, MCW_LIT("/x?a=?&b=/"), &arena, &err));
	CHECK_VIEW(mcw_request_get_param(&req, MCW_LIT("a")), MCW_LIT("?"));
	CHECK_VIEW(mcw_request_get_param(&req, MCW_LIT("b")), MCW_LIT("/"));
	mcw_arena_reset(&arena);
}

/* The endpoint's own prefix is known to the caller; it ends at a slash. */
static void
prefix(void)
{
	static const struct
	{
		const char *target;
		const char *prefix;
		const char *path;
	}			known[] = {
		{"/api/projects/p", "/api", "/projects/p"},
		{"/api", "/api", ""},
		{"/apix/projects/p", "", "/apix/projects/p"},
		{"/projects/api", "", "/projects/api"},
		{"/ap", "", "/ap"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
	{
		mcw_request req = {MCW_LIT("GET"), MCW_LIT("/api")};
		mcw_arena	arena;

		mcw_arena_init(&arena, &mcw_malloc, ARENA_MAX);
		CHECK_OK(mcw_request_parse_target(&req, mcw_str(known[i].target), &arena, NULL));
		CHECK_VIEW(req.path_prefix, mcw_str(known[i].prefix));
		CHECK_VIEW(req.path, mcw_str(known[i].path));
		mcw_arena_reset(&arena);
	}
}

static void
bad_targets(void)
{
	static const char *const bad[] = {
		"", "*", "?", "a", "http://h/a", "?a=1", "/a b", "/a\tb", "/a\r\nHost: x", "/a?x=\x7f", "/\x01"
	};
	char		many[200] = "/?";
	mcw_request req = {MCW_LIT("GET")};
	mcw_arena	arena;
	mcw_error	err;

	mcw_arena_init(&arena, &mcw_malloc, ARENA_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		err.message[0] = '\0';
		CHECK_INT(mcw_request_parse_target(&req, mcw_str(bad[i]), &arena, &err), MCW_ERR_FORMAT);
		CHECK(err.message[0] != '\0');
	}
	CHECK_INT(mcw_request_parse_target(&req, MCW_LIT("/ab\ncd"), &arena, &err), MCW_ERR_FORMAT);
	CHECK_INT(err.offset, 3);

	for (int i = 0; i < MCW_MAX_PARAMS; i++)
		strcat(many, "a=b&");
	CHECK_OK(mcw_request_parse_target(&req, mcw_str(many), &arena, &err));
	CHECK_INT(req.nparams, MCW_MAX_PARAMS);
	strcat(many, "c");
	CHECK_INT(mcw_request_parse_target(&req, mcw_str(many), &arena, &err), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);

	mcw_arena_init(&arena, &mcw_malloc, 16);
	CHECK_INT(mcw_request_parse_target(&req, MCW_LIT("/a/rather/long/path/for/sixteen"), &arena, &err), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
}

/* Whatever bytes names and values have: what is written is read back the same. */
static void
round_trips(void)
{
	unit_random r = {19};
	char		data[4000];

	for (int i = 0; i < 4000; i++)
	{
		mcw_request req = {MCW_LIT("PUT")};
		mcw_request back = {MCW_LIT("PUT")};
		int			nparams = (int) unit_below(&r, MCW_MAX_PARAMS + 1);
		size_t		used = 1 + unit_below(&r, 40);
		mcw_arena	arena;
		mcw_buf		target;
		mcw_error	err;

		unit_fill(&r, data, sizeof(data), i % 3 ? 256 : 128);
		data[0] = '/';
		req.path.data = data;
		req.path.len = used;
		for (int p = 0; p < nparams; p++)
		{
			mcw_view	name = {data + used, 1 + unit_below(&r, 20)};
			mcw_view	value = {data + used + name.len, unit_below(&r, 100)};

			used += name.len + value.len;
			CHECK_OK(mcw_request_param(&req, name, value.len % 7 == 3 ? absent() : value));
		}

		mcw_arena_init(&arena, &mcw_malloc, ARENA_MAX);
		mcw_buf_init(&target, &mcw_malloc, ARENA_MAX);
		CHECK_OK(mcw_request_target(&req, &target));
		CHECK_OK(mcw_request_parse_target(&back, mcw_buf_view(&target), &arena, &err));
		CHECK(mcw_view_eq(back.path, req.path));
		CHECK_INT(back.nparams, req.nparams);
		for (int p = 0; p < back.nparams; p++)
		{
			CHECK(mcw_view_eq(back.params[p].name, req.params[p].name));
			CHECK(mcw_view_eq(back.params[p].value, req.params[p].value));
			CHECK((back.params[p].value.data == NULL) == (req.params[p].value.data == NULL));
		}
		mcw_buf_free(&target);
		mcw_arena_reset(&arena);
	}
}

static mcw_status
write_and_read(const mcw_alloc *alloc, void *arg)
{
	mcw_request req = {MCW_LIT("GET"), MCW_LIT(""), MCW_LIT("/a/path/with some/segments")};
	mcw_arena	arena;
	mcw_buf		target;
	mcw_status	status = MCW_OK;

	mcw_arena_init(&arena, alloc, ARENA_MAX);
	mcw_buf_init(&target, alloc, ARENA_MAX);
	for (int i = 0; i < 20; i++)
		CHECK_OK(mcw_request_param(&req, MCW_LIT("name"), mcw_str(arg)));
	status = mcw_request_target(&req, &target);
	if (status == MCW_OK)
		status = mcw_request_parse_target(&req, mcw_buf_view(&target), &arena, NULL);
	mcw_buf_free(&target);
	mcw_arena_reset(&arena);
	return status;
}

static void
torture(void)
{
	char		value[1001];

	memset(value, ' ', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	unit_torture(write_and_read, value);
}

static const unit_case cases[] = {
	{"headers", headers},
	{"params", params},
	{"write_target", write_target},
	{"read_target", read_target},
	{"prefix", prefix},
	{"bad_targets", bad_targets},
	{"round_trips", round_trips},
	{"torture", torture},
};

UNIT_MAIN(cases)
