/*
 * test_oss_service.c
 *		Calls of OSS: addressing and signatures with every kind of key, errors and what
 *		is tried again, the clock, HEAD, lists (oss.md 1 to 3).
 */
#include "oss_server.h"

static const char *const strange[] = {
	"plain", "a b", "a+b", "100%", "100%25", "what?", "a#b", "a&b=c", "a=b", "dir/sub/x.csv", "//double//slash", "a//b", "..", ".",
	"../../etc/passwd", "a/./b/../c", "a/..", "tilde~!*'();:@$,[]", "\xe4\xbd\xa0\xe5\xa5\xbd/\xf0\x9f\x98\x80", "back\\slash",
	"quote\"'<>&amp;", "tab\tinside", "trailing/", " leading", "trailing ", "%2F%2e", "x\x7fy", "q?a=b&c#d", "|`^{}",
};

#define NSTRANGE ((int) (sizeof(strange) / sizeof(strange[0])))

static mcw_status
head(oss_rig *rig, const char *key, mcs_oss_object *object, mcw_error *err)
{
	mcw_arena	arena;
	mcw_status	status;

	memset(err, 0, sizeof(*err));
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	status = mcs_oss_head(&rig->oss, mcw_str(key), &arena, object, err);
	mcw_arena_reset(&arena);
	return status;
}

/* Every key arrives as it was written, in both styles and both signatures */
static void
test_keys(void)
{
	for (int i = 0; i < 16; i++)
	{
		oss_rig    *rig = oss_rig_new();
		mcs_oss_object object;
		mcw_error	err;

		rig->model.v4 = i & 1;
		rig->model.path_style = i & 2;
		rig->model.sts = i & 4 ? "sts+token/=" : NULL;
		rig->model.anonymous = i & 8;
		oss_rig_init(rig, &mcw_malloc);
		for (int k = 0; k < NSTRANGE; k++)
			(void) oss_put(&rig->model, mcw_str(strange[k]), "0123456789", k % 11);
		for (int k = 0; k < NSTRANGE; k++)
		{
			if (!CHECK_OK(head(rig, strange[k], &object, &err)))
				printf("    %s: %s %s\n", strange[k], err.message, err.code);
			CHECK_INT(object.size, k % 11);
			CHECK(object.ranges && object.has_crc64);
			CHECK(object.last_modified == (1700000001 + (int64_t) k) * 1000000);
		}
		CHECK_INT(rig->model.bad_signatures, 0);
		CHECK_INT(rig->model.requests, NSTRANGE);
		CHECK((strstr(rig->model.head, "OSS4-HMAC-SHA256") != NULL) == (rig->model.v4 && !rig->model.anonymous));
		CHECK((strstr(rig->model.head, "x-oss-security-token: ") != NULL) == (rig->model.sts && !rig->model.anonymous));
		CHECK((strstr(rig->model.head, "Authorization") == NULL) == rig->model.anonymous);
		CHECK(strstr(rig->model.head, OSS_SECRET) == NULL);
		/* what stands on the wire, oss.md 1.4 */
		CHECK(strstr(rig->model.log, "HEAD /" ) != NULL);
		CHECK(strstr(rig->model.log, rig->model.path_style ? "HEAD /bucket/a%20b\n" : "HEAD /a%20b\n") != NULL);
		CHECK(strstr(rig->model.log, rig->model.path_style ? "HEAD /bucket/../../etc/passwd\n" : "HEAD /../../etc/passwd\n") != NULL);
		CHECK(strstr(rig->model.log, rig->model.path_style ? "HEAD /bucket///double//slash\n" : "HEAD ///double//slash\n") != NULL);
		CHECK(strstr(rig->model.log, "a%2Bb\n") != NULL);
		CHECK(strstr(rig->model.log, "/q%3Fa%3Db%26c%23d\n") != NULL);
		oss_rig_end(rig);
	}
}

static void
test_wrong_secret(void)
{
	oss_rig    *rig = oss_rig_new();
	mcs_oss_object object;
	mcw_error	err;

	oss_rig_init(rig, &mcw_malloc);
	rig->oss.cred.access_key_secret = MCW_LIT("other");
	CHECK_INT(head(rig, "k", &object, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.code, "SignatureDoesNotMatch");
	CHECK_STR(err.request_id, "request-2");
	CHECK_STR(err.text, "Text of SignatureDoesNotMatch. (EC 0026-00000001)");
	CHECK_INT(err.http_status, 403);
	CHECK_INT(rig->model.requests, 1);
	CHECK(strstr(err.message, "other") == NULL);
	oss_rig_end(rig);
}

typedef struct refusal
{
	int			http;
	const char *code;
	bool		again;
} refusal;

static const refusal refusals[] = {
	{400, "InvalidArgument"}, {400, "RequestTimeout", true}, {403, "AccessDenied"}, {403, "InvalidAccessKeyId"},
	{403, "InvalidObjectState"}, {404, "NoSuchBucket"}, {404, "NoSuchKey"}, {405, "MethodNotAllowed"}, {408, "Whatever", true},
	{409, "ObjectNotAppendable"}, {416, "InvalidRange"}, {429, "Whatever", true}, {500, "InternalError", true},
	{501, "NotImplemented"}, {400, "NotImplemented"}, {502, "BadGateway", true}, {503, "ServiceUnavailable", true},
	{503, "QpsLimitExceeded", true}, {503, "TotalQpsLimitExceeded", true}, {503, "MetaOperationQpsLimitExceeded", true},
	{503, "ActiveRequestLimitExceeded", true}, {503, "CpuLimitExceeded", true}, {503, "DownloadTrafficRateLimitExceeded", true},
	{503, "UploadTrafficRateLimitExceeded", true}, {301, "PermanentRedirect"}, {307, "TemporaryRedirect"},
};

/* with the document in the body and, for HEAD, in a header */
static void
test_errors(void)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		for (int by_get = 0; by_get < 2; by_get++)
		{
			const refusal *r = &refusals[i];
			oss_step	step = {.match = by_get ? "GET" : "HEAD", .fault = OSS_ERROR, .http = r->http, .code = r->code};
			oss_rig    *rig = oss_rig_new();
			mcs_oss_call call;
			mcw_error	err = {0};
			mcw_status	status;

			rig->model.steps = &step;
			rig->model.nsteps = 1;
			oss_rig_init(rig, &mcw_malloc);
			(void) oss_put(&rig->model, MCW_LIT("k"), "x", 1);
			mcs_oss_call_init(&call, &rig->oss, by_get ? "GET" : "HEAD", MCW_LIT("k"), 65536);
			status = mcs_oss_call_run(&call, &err);
			mcs_oss_call_free(&call);
			mcs_oss_call_free(&call);
			CHECK_INT(rig->model.requests, r->again ? 2 : 1);
			if (r->again)
				CHECK_OK(status);
			else
			{
				CHECK_INT(status, MCW_ERR_SERVICE);
				CHECK_INT(err.http_status, r->http);
				CHECK_STR(err.code, r->code);
				CHECK(mcs_oss_error_is(&err, r->code));
				CHECK_STR(err.request_id, "request-2");
				CHECK((strstr(err.text, "The endpoint of the bucket is \"oss-cn-beijing.aliyuncs.com\"") != NULL) ==
					  (strcmp(r->code, "AccessDenied") == 0));
				CHECK(strstr(err.text, "(EC 0026-00000001)") != NULL);
			}
			oss_rig_end(rig);
		}
}

/* Our clock is an hour off: adopted at the first refusal, and kept */
static void
test_clock(void)
{
	for (int i = 0; i < 4; i++)
	{
		oss_rig    *rig = oss_rig_new();
		oss_step	always = {.match = "HEAD", .fault = OSS_ERROR, .times = 9, .http = 403, .code = "RequestTimeTooSkewed"};
		mcs_oss_object object;
		mcw_error	err;

		rig->model.v4 = i & 1;
		rig->model.skew = i & 2 ? -86400 : 3600;
		oss_rig_init(rig, &mcw_malloc);
		(void) oss_put(&rig->model, MCW_LIT("k"), "x", 1);
		CHECK_OK(head(rig, "k", &object, &err));
		CHECK_INT(rig->model.requests, 2);
		CHECK(llabs(rig->oss.clock_offset - rig->model.skew) <= 2);
		CHECK_OK(head(rig, "k", &object, &err));
		CHECK_INT(rig->model.requests, 3);
		rig->model.steps = &always;
		rig->model.nsteps = 1;
		CHECK_INT(head(rig, "k", &object, &err), MCW_ERR_SERVICE);
		CHECK_STR(err.code, "RequestTimeTooSkewed");
		CHECK_INT(rig->model.requests, 5);
		oss_rig_end(rig);
	}
}

static void
test_plain_head(void)
{
	oss_rig    *rig = oss_rig_new();
	mcs_oss_object object;
	mcw_error	err;
	oss_step	redirect = {.match = "HEAD", .fault = OSS_ERROR, .http = 302, .code = "x"};

	rig->model.plain = true;
	oss_rig_init(rig, &mcw_malloc);
	(void) oss_put(&rig->model, MCW_LIT("k"), "xyz", 3);
	CHECK_OK(head(rig, "k", &object, &err));
	CHECK(object.ranges && object.size == 3 && object.etag.len == 32 && !object.has_crc64);
	rig->model.weak_etag = rig->model.no_ranges = true;
	CHECK_OK(head(rig, "k", &object, &err));
	CHECK(!object.ranges && object.etag.len == 36);
	rig->model.no_head = true;
	CHECK_OK(head(rig, "k", &object, &err));
	CHECK(!object.ranges && object.size == UINT64_MAX && object.etag.len == 0);
	CHECK_INT(head(rig, "none", &object, &err), MCW_OK);
	rig->model.no_head = false;
	CHECK_INT(head(rig, "none", &object, &err), MCW_ERR_SERVICE);
	CHECK_INT(err.http_status, 404);
	rig->model.steps = &redirect;
	rig->model.nsteps = 1;
	CHECK_INT(head(rig, "k", &object, &err), MCW_ERR_SERVICE);
	CHECK_INT(err.http_status, 302);
	CHECK_STR(err.text, "Location: http://elsewhere/");
	CHECK(strstr(err.message, "redirects are not followed") != NULL);
	oss_rig_end(rig);
}

/* ---- lists ---- */

static int
count_all(oss_rig *rig, const char *prefix, const char *after, const char *delimiter, bool wait, char *names, size_t size,
		  mcw_status *last, mcw_error *err)
{
	mcs_oss_lister *lister;
	mcs_oss_listing listing;
	int			n = 0;
	bool		pending = false;

	names[0] = '\0';
	memset(err, 0, sizeof(*err));
	*last = mcs_oss_list_open(&rig->oss, mcw_str(prefix), mcw_str(after), mcw_str(delimiter), &lister, err);
	while (*last == MCW_OK)
	{
		*last = mcs_oss_list_next(lister, wait, &pending, &listing, err);
		if (*last == MCW_END && pending)
		{
			(void) mcn_loop_step(rig->loop, 1000);
			*last = MCW_OK;
			continue;
		}
		if (*last == MCW_OK)
		{
			n++;
			if (strlen(names) + listing.entry.key.len + 3 < size)
				sprintf(names + strlen(names), "%.*s%s ", (int) listing.entry.key.len, listing.entry.key.data, listing.is_prefix ? "*" : "");
		}
	}
	mcs_oss_list_close(lister);
	return n;
}

static void
test_list(void)
{
	oss_rig    *rig = oss_rig_new();
	char		names[4000];
	mcw_error	err;
	mcw_status	last;

	rig->model.page = 3;
	oss_rig_init(rig, &mcw_malloc);
	CHECK_INT(count_all(rig, "", "", "", true, names, sizeof(names), &last, &err), 0);
	CHECK_INT(last, MCW_END);
	for (int k = 0; k < NSTRANGE; k++)
		(void) oss_put(&rig->model, mcw_str(strange[k]), "x", 1);
	for (int wait = 0; wait < 2; wait++)
	{
		CHECK_INT(count_all(rig, "", "", "", wait, names, sizeof(names), &last, &err), NSTRANGE);
		if (!CHECK_INT(last, MCW_END))
			printf("    %s\n", err.message);
		for (int k = 0; k < NSTRANGE; k++)
			CHECK(strstr(names, strange[k]) != NULL);
		CHECK_INT(count_all(rig, "a", "", "", wait, names, sizeof(names), &last, &err), 8);
		CHECK_STR(names, "a b a#b a&b=c a+b a/.. a/./b/../c a//b a=b ");
	}
	CHECK(rig->model.requests > NSTRANGE / 3 * 2);
	CHECK(strstr(rig->model.log, "encoding-type=url&max-keys=1000") != NULL);
	CHECK_INT(rig->model.bad_signatures, 0);
	oss_rig_end(rig);
}

static void
test_directories(void)
{
	static const char *const keys[] = {"d/a/1", "d/a/2", "d/a.x", "d/b/1", "d/c", "d/z/9", "e"};
	oss_rig    *rig = oss_rig_new();
	char		names[4000];
	mcw_error	err;
	mcw_status	last;

	oss_rig_init(rig, &mcw_malloc);
	for (int k = 0; k < 7; k++)
		(void) oss_put(&rig->model, mcw_str(keys[k]), "x", 1);
	for (int page = 1; page < 6; page++)
	{
		rig->model.page = page;
		(void) count_all(rig, "d/", "", "/", true, names, sizeof(names), &last, &err);
		if (!CHECK_INT(last, MCW_END))
			printf("    %s\n", err.message);
		CHECK_STR(names, "d/a.x d/a/* d/b/* d/c d/z/* ");
		(void) count_all(rig, "d/", "d/a/1", "/", true, names, sizeof(names), &last, &err);
		CHECK_INT(last, MCW_END);
		CHECK_STR(names, "d/a/* d/b/* d/c d/z/* ");
		(void) count_all(rig, "d/", "d/a/1", "", true, names, sizeof(names), &last, &err);
		CHECK_STR(names, "d/a/2 d/b/1 d/c d/z/9 ");
	}
	oss_rig_end(rig);
}

/* Damaged pages are asked for again, a list that goes in circles is an error */
static void
test_bad_lists(void)
{
	static const oss_step steps[] = {
		{.match = "continuation-token", .fault = OSS_BAD_XML, .times = 2},
		{.match = "GET", .fault = OSS_CUT, .skip = 1},
		{.match = "GET", .fault = OSS_ERROR, .http = 503, .code = "QpsLimitExceeded"},
		{.match = "continuation-token", .fault = OSS_SAME_PAGE, .times = 1000},
		{.match = "continuation-token", .fault = OSS_SAME_TOKEN, .times = 1000},
		{.match = "continuation-token", .fault = OSS_BAD_XML, .times = 1000},
		{.match = "GET", .fault = OSS_ERROR, .skip = 2, .times = 1000, .http = 403, .code = "AccessDenied"},
	};

	for (int i = 0; i < 7; i++)
	{
		oss_rig    *rig = oss_rig_new();
		char		names[4000];
		mcw_error	err;
		mcw_status	last;
		int			n;

		rig->model.page = 4;
		rig->model.steps = &steps[i];
		rig->model.nsteps = 1;
		oss_rig_init(rig, &mcw_malloc);
		for (int k = 0; k < NSTRANGE; k++)
			(void) oss_put(&rig->model, mcw_str(strange[k]), "x", 1);
		n = count_all(rig, "", "", "", true, names, sizeof(names), &last, &err);
		if (i < 3)
		{
			CHECK_INT(last, MCW_END);
			CHECK_INT(n, NSTRANGE);
		}
		else
		{
			CHECK_INT(last, i == 5 ? MCW_ERR_FORMAT : i == 6 ? MCW_ERR_SERVICE : MCW_ERR_PROTOCOL);
			CHECK((strstr(err.message, "makes no progress") != NULL) == (i == 3 || i == 4));
			CHECK(n <= 8);
		}
		CHECK(rig->model.requests < 20);
		oss_rig_end(rig);
	}
}

static void
test_list_interrupted(void)
{
	oss_rig    *rig = oss_rig_new();
	char		names[4000];
	mcw_error	err;
	mcw_status	last;

	rig->model.delay_us = 500000;
	oss_rig_init(rig, &mcw_malloc);
	rig->host.interrupt_at_us = mcn_now_us() + 100000;
	CHECK_INT(count_all(rig, "", "", "", true, names, sizeof(names), &last, &err), 0);
	CHECK_INT(last, MCW_ERR_INTERRUPTED);
	oss_rig_end(rig);
}

static mcw_status
list_once(const mcw_alloc *alloc, void *arg)
{
	oss_rig    *rig = arg;
	mcs_oss		oss = rig->oss;
	mcs_oss_lister *lister;
	mcs_oss_listing listing;
	mcw_arena	arena;
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;

	oss.alloc = alloc;
	status = mcs_oss_list_open(&oss, MCW_LIT("a"), MCW_LIT(""), MCW_LIT(""), &lister, &err);
	if (status != MCW_OK)
		return status;
	while ((status = mcs_oss_list_next(lister, true, NULL, &listing, &err)) == MCW_OK)
		continue;
	mcs_oss_list_close(lister);
	if (status != MCW_END)
		return status;
	mcw_arena_init(&arena, alloc, 65536);
	status = mcs_oss_head(&oss, MCW_LIT("a b"), &arena, &object, &err);
	mcw_arena_reset(&arena);
	return status;
}

static void
test_memory(void)
{
	oss_rig    *rig = oss_rig_new();

	rig->model.page = 4;
	oss_rig_init(rig, &mcw_malloc);
	for (int k = 0; k < NSTRANGE; k++)
		(void) oss_put(&rig->model, mcw_str(strange[k]), "x", 1);
	unit_torture(list_once, rig);
	oss_rig_end(rig);
}

static const unit_case cases[] = {
	{"keys", test_keys},
	{"wrong secret", test_wrong_secret},
	{"errors", test_errors},
	{"clock", test_clock},
	{"plain head", test_plain_head},
	{"list", test_list},
	{"directories", test_directories},
	{"bad lists", test_bad_lists},
	{"list interrupted", test_list_interrupted},
	{"memory", test_memory},
};

UNIT_MAIN(cases)
