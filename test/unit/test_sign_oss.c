/*
 * test_sign_oss.c
 *		Signatures of OSS against what an official SDK sent, the worked examples of the
 *		protocol, rules no vector has, and the signers' own errors.
 */
#include "vectors.h"

#include "../../src/wire/mcw_sign.h"

#define BUF_MAX ((size_t) 1 << 20)
#define BUCKET MCW_LIT("/examplebucket")

static const mcw_credentials cred = {{"LTAItestid", 10}, {"testsecret0123456789", 20}, {NULL, 0}};

typedef struct outcome
{
	mcw_buf		authorization;
	mcw_buf		canonical;
	mcw_buf		text;
	mcw_error	err;
} outcome;

static void
outcome_init(outcome *o, const mcw_alloc *alloc)
{
	mcw_buf_init(&o->authorization, alloc, BUF_MAX);
	mcw_buf_init(&o->canonical, alloc, BUF_MAX);
	mcw_buf_init(&o->text, alloc, BUF_MAX);
	memset(&o->err, 0, sizeof(o->err));
}

static void
outcome_free(outcome *o)
{
	mcw_buf_free(&o->authorization);
	mcw_buf_free(&o->canonical);
	mcw_buf_free(&o->text);
}

static void
outcome_reset(outcome *o)
{
	mcw_buf_reset(&o->authorization);
	mcw_buf_reset(&o->canonical);
	mcw_buf_reset(&o->text);
}

/* ---- vectors ---- */

static void
one_vector(json_object *v, mcw_view region)
{
	mcw_request req = {.method = vector_str(v, "method")};
	mcw_view	url = vector_str(v, "url");
	const char *path = strchr(url.data + 7, '/');
	mcw_view	resource = BUCKET;
	mcw_view	additional = {NULL, 0};
	const char *more = strstr(json_object_get_string(vector_get(v, "authorization")), "AdditionalHeaders=");
	mcw_arena	arena;
	outcome		o;

	mcw_arena_init(&arena, &mcw_malloc, BUF_MAX);
	outcome_init(&o, &mcw_malloc);
	CHECK_OK(mcw_request_parse_target(&req, mcw_str(path), &arena, &o.err));
	if (strncmp(url.data, "http://oss-cn-", 14) == 0 || strncmp(url.data, "http://localhost", 16) == 0)
		resource = MCW_LIT("");
	if (more)
		additional = (mcw_view) {more + 18, strcspn(more + 18, ",")};
	json_object_object_foreach(vector_get(v, "request_headers"), name, value)
	{
		if (strcmp(name, "authorization") != 0)
			CHECK_OK(mcw_request_header(&req, mcw_str(name), vector_view(value)));
	}
	if (region.data)
	{
		CHECK_OK(mcw_oss_sign_v4(&req, resource, &cred, region, additional, true, &o.authorization, &o.canonical, &o.text, &o.err));
		CHECK_VIEW(mcw_buf_view(&o.canonical), vector_str(v, "canonical_request"));
	}
	else
		CHECK_OK(mcw_oss_sign_v1(&req, resource, &cred, &o.authorization, &o.text, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.text), vector_str(v, "string_to_sign"));
	CHECK_VIEW(mcw_buf_view(&o.authorization), vector_str(v, "authorization"));
	outcome_free(&o);
	mcw_arena_reset(&arena);
}

static void
vectors(void)
{
	json_object *v1 = vectors_open("oss/v1_signatures.json");
	json_object *v4 = vectors_open("oss/v4_signatures.json");
	json_object *cases = vector_get(v1, "cases");

	CHECK(json_object_array_length(cases) >= 26);
	for (size_t i = 0; i < json_object_array_length(cases); i++)
		one_vector(json_object_array_get_idx(cases, i), (mcw_view) {NULL, 0});
	cases = vector_get(v4, "cases");
	CHECK(json_object_array_length(cases) >= 9);
	for (size_t i = 0; i < json_object_array_length(cases); i++)
		one_vector(json_object_array_get_idx(cases, i), vector_str(v4, "region"));
	json_object_put(v1);
	json_object_put(v4);
}

/* ---- rules ---- */

static void
subresources(void)
{
	static const char *const signed_names[] = {
		"acl", "accessPoint", "append", "continuation-token", "delete", "objectMeta", "partNumber", "position",
		"response-content-type", "response-expires", "security-token", "sequential", "symlink", "tagging", "uploadId",
		"uploads", "versionId", "wormId", "x-oss-process", "x-oss-traffic-limit", "x-oss-"
	};
	static const char *const others[] = {
		"", "prefix", "delimiter", "marker", "max-keys", "list-type", "start-after", "fetch-owner", "encoding-type",
		"max-parts", "part-number-marker", "key-marker", "upload-id-marker", "max-uploads", "Expires", "Signature",
		"OSSAccessKeyId", "ACL", "uploadid", "X-oss-process", "x-oss", "wormIdx", "acl2"
	};

	for (size_t i = 0; i < sizeof(signed_names) / sizeof(signed_names[0]); i++)
		if (!CHECK(mcw_oss_is_subresource(mcw_str(signed_names[i]))))
			printf("    %s\n", signed_names[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (!CHECK(!mcw_oss_is_subresource(mcw_str(others[i]))))
			printf("    %s\n", others[i]);
}

/* Both variants of empty parameters, order by encoded names, repeated headers, Date without x-oss-date */
static void
canonical_forms(void)
{
	static const char from_date[] = "OSS4-HMAC-SHA256\nTue, 04 Mar 2025 05:06:07 GMT\n20250304/cn-hangzhou/oss/aliyun_v4_request\n";
	mcw_request req = {.method = MCW_LIT("GET"), .path = MCW_LIT("/a b+\xe4")};
	outcome		o;

	outcome_init(&o, &mcw_malloc);
	CHECK_OK(mcw_request_param(&req, MCW_LIT("prefix"), MCW_LIT("")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("acl"), MCW_LIT("")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("flag"), (mcw_view) {NULL, 0}));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("a-b"), MCW_LIT("/")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("a b"), MCW_LIT("2")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("a\xe4"), MCW_LIT("3")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("x-oss-signature"), MCW_LIT("not this")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("Date"), MCW_LIT("Tue, 04 Mar 2025 05:06:07 GMT")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("Range"), MCW_LIT(" bytes=0-1 ")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("Host"), MCW_LIT("h")));
	/* as a server sees it: mcw_request_header would replace */
	req.headers[req.nheaders++] = (mcw_pair) {MCW_LIT("x-oss-meta-a"), MCW_LIT("1 ")};
	req.headers[req.nheaders++] = (mcw_pair) {MCW_LIT("X-OSS-Meta-A"), MCW_LIT(" 2")};

	CHECK_OK(mcw_oss_sign_v4(&req, BUCKET, &cred, MCW_LIT("cn-hangzhou"), MCW_LIT("Range;host;content-type;x-oss-meta-a"), false,
							 &o.authorization, &o.canonical, &o.text, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.canonical),
			   MCW_LIT("GET\n/examplebucket/a%20b%2B%E4\na%20b=2&a%E4=3&a-b=%2F&acl&flag&prefix\n"
					   "host:h\nrange:bytes=0-1\nx-oss-meta-a:1,2\n\nhost;range\nUNSIGNED-PAYLOAD"));
	CHECK(strncmp(o.text.data, from_date, strlen(from_date)) == 0);
	CHECK(memmem(o.authorization.data, o.authorization.len, ",AdditionalHeaders=host;range,Signature=", 39) != NULL);

	outcome_reset(&o);
	CHECK_OK(mcw_oss_sign_v4(&req, BUCKET, &cred, MCW_LIT("cn-hangzhou"), MCW_LIT(""), true,
							 &o.authorization, &o.canonical, &o.text, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.canonical),
			   MCW_LIT("GET\n/examplebucket/a%20b%2B%E4\na%20b=2&a%E4=3&a-b=%2F&acl&flag&prefix=\n"
					   "x-oss-meta-a:1,2\n\n\nUNSIGNED-PAYLOAD"));

	outcome_reset(&o);
	CHECK_OK(mcw_oss_sign_v1(&req, BUCKET, &cred, &o.authorization, &o.text, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.text),
			   MCW_LIT("GET\n\n\nTue, 04 Mar 2025 05:06:07 GMT\nx-oss-meta-a:1,2\n/examplebucket/a b+\xe4?acl&x-oss-signature=not this"));
	outcome_free(&o);
}

static void
mistakes(void)
{
	static const mcw_credentials no_id = {{"", 0}, {"s", 1}, {NULL, 0}};
	static const mcw_credentials no_secret = {{"i", 1}, {"", 0}, {NULL, 0}};
	mcw_request req = {.method = MCW_LIT("GET"), .path = MCW_LIT("/")};
	mcw_view	region = MCW_LIT("cn-hangzhou");
	outcome		o;

	outcome_init(&o, &mcw_malloc);
	CHECK_INT(mcw_oss_sign_v1(&req, BUCKET, &cred, &o.authorization, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_oss_sign_v4(&req, BUCKET, &cred, region, MCW_LIT(""), false, &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-oss-date"), MCW_LIT("20250304T050607Z")));
	CHECK_INT(mcw_oss_sign_v1(&req, BUCKET, &no_id, &o.authorization, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_oss_sign_v4(&req, BUCKET, &no_secret, region, MCW_LIT(""), false, &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_oss_sign_v4(&req, BUCKET, &cred, MCW_LIT(""), MCW_LIT(""), false, &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_oss_sign_v4(&req, BUCKET, &cred, region, MCW_LIT("range"), false, &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK(strstr(o.err.message, "range") != NULL);
	CHECK_OK(mcw_oss_sign_v4(&req, BUCKET, &cred, region, MCW_LIT(""), false, &o.authorization, NULL, NULL, &o.err));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-oss-date"), MCW_LIT("yesterday")));
	CHECK_INT(mcw_oss_sign_v4(&req, BUCKET, &cred, region, MCW_LIT(""), false, &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	outcome_free(&o);
}

typedef struct attempt_arg
{
	bool		v4;
	mcw_request req;
} attempt_arg;

/* Any failed allocation is MCW_ERR_NOMEM and leaves nothing behind */
static mcw_status
attempt(const mcw_alloc *alloc, void *opaque)
{
	attempt_arg *arg = opaque;
	outcome		o;
	mcw_status	status;

	outcome_init(&o, alloc);
	if (arg->v4)
		status = mcw_oss_sign_v4(&arg->req, BUCKET, &cred, MCW_LIT("r"), MCW_LIT("host"), false,
								 &o.authorization, &o.canonical, &o.text, &o.err);
	else
		status = mcw_oss_sign_v1(&arg->req, BUCKET, &cred, &o.authorization, &o.text, &o.err);
	if (status != MCW_OK)
		CHECK(strstr(o.err.message, "testsecret") == NULL);
	outcome_free(&o);
	return status;
}

static void
memory(void)
{
	attempt_arg arg = {.req = {.method = MCW_LIT("GET"), .path = MCW_LIT("/a")}};

	CHECK_OK(mcw_request_param(&arg.req, MCW_LIT("prefix"), MCW_LIT("x/y z")));
	CHECK_OK(mcw_request_param(&arg.req, MCW_LIT("uploads"), MCW_LIT("")));
	CHECK_OK(mcw_request_header(&arg.req, MCW_LIT("x-oss-date"), MCW_LIT("20250304T050607Z")));
	CHECK_OK(mcw_request_header(&arg.req, MCW_LIT("Host"), MCW_LIT("h")));
	unit_torture(attempt, &arg);
	arg.v4 = true;
	unit_torture(attempt, &arg);
}

static const unit_case cases[] = {
	{"vectors", vectors},
	{"sub-resources", subresources},
	{"canonical forms", canonical_forms},
	{"mistakes", mistakes},
	{"memory", memory},
};

UNIT_MAIN(cases)
