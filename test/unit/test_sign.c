/*
 * test_sign.c
 *		Signatures against what official SDKs sent, and the signers' own errors.
 */
#include "vectors.h"

#include "../../src/wire/mcw_sign.h"
#include "../../src/wire/mcw_text.h"

#define BUF_MAX ((size_t) 1 << 20)

/* All a signer writes */
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

static mcw_credentials
vector_credentials(json_object *vector)
{
	mcw_credentials cred = {vector_str(vector, "access_key_id"), vector_str(vector, "access_key_secret"), {NULL, 0}};

	return cred;
}

/* Headers as [[name, value], ...] or as an object */
static void
add_headers(mcw_request *req, json_object *headers)
{
	if (json_object_is_type(headers, json_type_array))
	{
		for (size_t i = 0; i < json_object_array_length(headers); i++)
		{
			json_object *pair = json_object_array_get_idx(headers, i);

			CHECK_OK(mcw_request_header(req, vector_view(json_object_array_get_idx(pair, 0)),
										vector_view(json_object_array_get_idx(pair, 1))));
		}
		return;
	}
	json_object_object_foreach(headers, name, value)
	{
		CHECK_OK(mcw_request_header(req, mcw_str(name), vector_view(value)));
	}
}

static void
add_params(mcw_request *req, json_object *params)
{
	for (size_t i = 0; i < json_object_array_length(params); i++)
	{
		json_object *pair = json_object_array_get_idx(params, i);

		CHECK_OK(mcw_request_param(req, vector_view(json_object_array_get_idx(pair, 0)),
								   vector_view(json_object_array_get_idx(pair, 1))));
	}
}

static mcw_view
strip_absolute_form(mcw_view target)
{
	const char *scheme = "http://";
	size_t		at = strlen(scheme);

	if (target.len < at || memcmp(target.data, scheme, at) != 0)
		return target;
	while (at < target.len && target.data[at] != '/')
		at++;
	target.data += at;
	target.len -= at;
	return target;
}

/* ---- Log Service ---- */

static void
check_sls(json_object *vector, const mcw_request *req, bool v4)
{
	mcw_credentials cred = vector_credentials(vector);
	outcome		o;

	outcome_init(&o, &mcw_malloc);
	if (v4)
		CHECK_OK(mcw_sls_sign_v4(req, &cred, vector_str(vector, "region"), &o.authorization,
								 &o.canonical, &o.text, &o.err));
	else
		CHECK_OK(mcw_sls_sign_v1(req, &cred, &o.authorization, &o.text, &o.err));
	if (v4)
		CHECK_VIEW(mcw_buf_view(&o.canonical), vector_str(vector, "canonical_request"));
	CHECK_VIEW(mcw_buf_view(&o.text), vector_str(vector, "string_to_sign"));
	if (!CHECK_VIEW(mcw_buf_view(&o.authorization), vector_str(vector, "authorization")))
		printf("    vector %s\n", json_object_get_string(vector_get(vector, "name")));
	CHECK(mcw_secret_eq(mcw_buf_view(&o.authorization), vector_str(vector, "authorization")));
	outcome_free(&o);
}

/*
 * Each vector three times: from its fields, through a target of our own, and
 * through the target the SDK sent, where it is known.
 */
static void
sls_vectors(const char *file, size_t least, bool v4)
{
	json_object *doc = vectors_open(file);
	json_object *vectors = vector_get(doc, "vectors");

	CHECK(json_object_array_length(vectors) >= least);
	for (size_t i = 0; i < json_object_array_length(vectors); i++)
	{
		json_object *vector = json_object_array_get_idx(vectors, i);
		json_object *sent = vector_get(vector, "request_target");
		mcw_request req = {vector_str(vector, "method"), MCW_LIT(""), vector_str(vector, "path")};
		mcw_arena	arena;
		mcw_buf		target;
		mcw_error	err;

		add_params(&req, vector_get(vector, "query"));
		add_headers(&req, vector_get(vector, "headers"));
		check_sls(vector, &req, v4);

		mcw_arena_init(&arena, &mcw_malloc, BUF_MAX);
		mcw_buf_init(&target, &mcw_malloc, BUF_MAX);
		CHECK_OK(mcw_request_target(&req, &target));
		CHECK_OK(mcw_request_parse_target(&req, mcw_buf_view(&target), &arena, &err));
		check_sls(vector, &req, v4);
		if (sent)
		{
			CHECK_OK(mcw_request_parse_target(&req, strip_absolute_form(vector_view(sent)), &arena, &err));
			check_sls(vector, &req, v4);
		}
		mcw_buf_free(&target);
		mcw_arena_reset(&arena);
	}
	json_object_put(doc);
}

static void
sls_v1_vectors(void)
{
	sls_vectors("loghub/v1_signatures.json", 20, false);
}

static void
sls_v4_vectors(void)
{
	sls_vectors("loghub/v4_signatures.json", 20, true);
}

/* ---- MaxCompute ---- */

/* ODPS id/yyyymmdd/region/... */
static mcw_view
credential_date(mcw_view authorization)
{
	const char *slash = memchr(authorization.data, '/', authorization.len);
	mcw_view	date = {slash + 1, 8};

	return date;
}

static void
check_odps(json_object *vector, const mcw_request *req, mcw_view authorization, mcw_view canonical)
{
	mcw_credentials cred = vector_credentials(vector);
	mcw_view	region = vector_str(vector, "region");
	outcome		o;

	outcome_init(&o, &mcw_malloc);
	if (region.data)
		CHECK_OK(mcw_odps_sign_v4(req, &cred, region, credential_date(authorization), &o.authorization,
								  &o.text, &o.err));
	else
		CHECK_OK(mcw_odps_sign_v2(req, &cred, &o.authorization, &o.text, &o.err));
	if (canonical.data)
		CHECK_VIEW(mcw_buf_view(&o.text), canonical);
	if (!CHECK_VIEW(mcw_buf_view(&o.authorization), authorization))
		printf("    vector %s\n", json_object_get_string(vector_get(vector, "name")));
	outcome_free(&o);
}

static void
odps_request(mcw_request *req, json_object *vector)
{
	memset(req, 0, sizeof(*req));
	req->method = vector_str(vector, "method");
	req->path_prefix = vector_str(vector, "endpoint_path_prefix");
	req->path = vector_str(vector, "resource");
	add_headers(req, vector_get(vector, "headers"));
}

static void
odps_vectors(void)
{
	const char *groups[] = {"v2_hmac_sha1", "v4"};
	json_object *doc = vectors_open("maxcompute/signatures.json");
	size_t		seen = 0;

	for (size_t g = 0; g < 2; g++)
	{
		json_object *vectors = vector_get(doc, groups[g]);

		for (size_t i = 0; i < json_object_array_length(vectors); i++, seen++)
		{
			json_object *vector = json_object_array_get_idx(vectors, i);
			mcw_view	authorization = vector_str(vector, "authorization");
			mcw_view	canonical = vector_str(vector, "canonical_string");
			mcw_request req;
			mcw_arena	arena;
			mcw_error	err;

			odps_request(&req, vector);
			add_params(&req, vector_get(vector, "params"));
			check_odps(vector, &req, authorization, canonical);

			mcw_arena_init(&arena, &mcw_malloc, BUF_MAX);
			odps_request(&req, vector);
			CHECK_OK(mcw_request_parse_target(&req, vector_str(vector, "request_target"), &arena, &err));
			CHECK_VIEW(req.path, vector_str(vector, "resource"));
			check_odps(vector, &req, authorization, canonical);
			mcw_arena_reset(&arena);
		}
	}
	CHECK_INT(seen, 13);
	json_object_put(doc);
}

/*
 * PyODPS decodes the query before splitting it, and each value once more.  Ours is
 * the signature of Java and Go; the other is found when the request is built from
 * the query decoded that way.
 */
static void
odps_edge_vectors(void)
{
	json_object *doc = vectors_open("maxcompute/signatures.json");
	json_object *vectors = vector_get(doc, "pyodps_edge_cases");

	CHECK_INT(json_object_array_length(vectors), 3);
	for (size_t i = 0; i < json_object_array_length(vectors); i++)
	{
		json_object *vector = json_object_array_get_idx(vectors, i);
		mcw_view	absent = {NULL, 0};
		mcw_request req;
		mcw_arena	arena;
		mcw_buf		decoded;
		mcw_error	err;

		mcw_arena_init(&arena, &mcw_malloc, BUF_MAX);
		odps_request(&req, vector);
		CHECK_OK(mcw_request_parse_target(&req, vector_str(vector, "request_target"), &arena, &err));
		check_odps(vector, &req, vector_str(vector, "go_sdk_authorization"), absent);
		check_odps(vector, &req, vector_str(vector, "java_sdk_authorization"), absent);

		mcw_buf_init(&decoded, &mcw_malloc, BUF_MAX);
		odps_request(&req, vector);
		CHECK_OK(mcw_percent_decode(&decoded, vector_str(vector, "request_target"), false));
		CHECK_OK(mcw_request_parse_target(&req, mcw_buf_view(&decoded), &arena, &err));
		check_odps(vector, &req, vector_str(vector, "authorization"), vector_str(vector, "canonical_string"));
		mcw_buf_free(&decoded);
		mcw_arena_reset(&arena);
	}
	json_object_put(doc);
}

/* ---- rules no vector shows ---- */

static const mcw_credentials some_cred = {{"id", 2}, {"secret", 6}, {NULL, 0}};

static mcw_request
some_request(void)
{
	mcw_request req = {MCW_LIT("GET"), MCW_LIT(""), MCW_LIT("/logstores")};

	CHECK_OK(mcw_request_header(&req, MCW_LIT("Date"), MCW_LIT("Wed, 15 Nov 2023 06:13:20 GMT")));
	return req;
}

static void
v1_string_is(const mcw_request *req, const char *want)
{
	outcome		o;

	outcome_init(&o, &mcw_malloc);
	CHECK_OK(mcw_sls_sign_v1(req, &some_cred, &o.authorization, &o.text, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.text), mcw_str(want));
	outcome_free(&o);
}

static void
sls_v1_rules(void)
{
	mcw_request req = some_request();
	mcw_view	absent = {NULL, 0};

	/* metadata of objects is left out, other names are folded, values trimmed */
	CHECK_OK(mcw_request_header(&req, MCW_LIT("X-Log-Meta-Color"), MCW_LIT("red")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("X-Log-BodyRawSize"), MCW_LIT(" \t0 ")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-ACS-security-token"), MCW_LIT("t")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-other"), MCW_LIT("t")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("z"), MCW_LIT("")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("flag"), absent));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("Z"), MCW_LIT("a=b&c +")));
	v1_string_is(&req, "GET\n\n\nWed, 15 Nov 2023 06:13:20 GMT\n"
				 "x-acs-security-token:t\nx-log-bodyrawsize:0\n"
				 "/logstores?Z=a=b&c +&flag=&z=");

	/* x-log-date takes the place of Date and is no header line */
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-date"), MCW_LIT("Thu, 16 Nov 2023 06:13:20 GMT")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-signaturemethod"), MCW_LIT("hmac-sha256")));
	v1_string_is(&req, "GET\n\n\nThu, 16 Nov 2023 06:13:20 GMT\n"
				 "x-acs-security-token:t\nx-log-bodyrawsize:0\nx-log-signaturemethod:hmac-sha256\n"
				 "/logstores?Z=a=b&c +&flag&z=");
}

/* Parameters of one name keep their order, whatever stands between them. */
static void
repeated_params(void)
{
	mcw_request req = some_request();

	CHECK_OK(mcw_request_param(&req, MCW_LIT("k"), MCW_LIT("2")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("z"), MCW_LIT("0")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("k"), MCW_LIT("1")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("a"), MCW_LIT("0")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("k"), MCW_LIT("3")));
	v1_string_is(&req, "GET\n\n\nWed, 15 Nov 2023 06:13:20 GMT\n/logstores?a=0&k=2&k=1&k=3&z=0");
}

static void
sls_v4_rules(void)
{
	mcw_request req = some_request();
	mcw_view	absent = {NULL, 0};
	outcome		o;

	CHECK_OK(mcw_request_header(&req, MCW_LIT("X-Log-Date"), MCW_LIT("20231115T061320Z")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-content-sha256"), MCW_LIT("00")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-meta-color"), MCW_LIT("red")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("HOST"), MCW_LIT("h:1")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("p"), MCW_LIT("/ ~")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("flag"), absent));
	outcome_init(&o, &mcw_malloc);
	CHECK_OK(mcw_sls_sign_v4(&req, &some_cred, MCW_LIT("r"), &o.authorization, &o.canonical, NULL, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.canonical),
			   MCW_LIT("GET\n/logstores\nflag&p=%2F%20~\n"
					   "host:h:1\nx-log-content-sha256:00\nx-log-date:20231115T061320Z\n\n"
					   "host;x-log-content-sha256;x-log-date\n00"));
	outcome_free(&o);
}

static void
odps_rules(void)
{
	mcw_request req = some_request();
	mcw_view	absent = {NULL, 0};
	outcome		o;

	CHECK_OK(mcw_request_header(&req, MCW_LIT("X-Odps-B"), MCW_LIT("2")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("odps-tunnel-x"), MCW_LIT("no")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("x-odps-a"), MCW_LIT("1")));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("flag"), absent));
	CHECK_OK(mcw_request_param(&req, MCW_LIT("Upper"), MCW_LIT("u")));
	outcome_init(&o, &mcw_malloc);
	CHECK_OK(mcw_odps_sign_v2(&req, &some_cred, &o.authorization, &o.text, &o.err));
	CHECK_VIEW(mcw_buf_view(&o.text),
			   MCW_LIT("GET\n\n\nWed, 15 Nov 2023 06:13:20 GMT\nx-odps-a:1\nx-odps-b:2\n"
					   "/logstores?Upper=u&flag&x-odps-a=1"));
	outcome_free(&o);
}

static void
secret_is_not_told(const outcome *o)
{
	CHECK(o->err.message[0] != '\0');
	CHECK(strstr(o->err.message, "top-secret") == NULL);
}

static void
errors(void)
{
	const mcw_credentials no_id = {{"", 0}, {"top-secret", 10}, {NULL, 0}};
	const mcw_credentials no_secret = {{"id", 2}, {NULL, 0}, {NULL, 0}};
	const mcw_credentials cred = {{"id", 2}, {"top-secret", 10}, {NULL, 0}};
	mcw_request req = some_request();
	mcw_request bare = {MCW_LIT("GET"), MCW_LIT(""), MCW_LIT("/")};
	outcome		o;

	outcome_init(&o, &mcw_malloc);
	CHECK_INT(mcw_sls_sign_v1(&req, &no_id, &o.authorization, NULL, &o.err), MCW_ERR_ARGUMENT);
	secret_is_not_told(&o);
	CHECK_INT(mcw_odps_sign_v2(&req, &no_secret, &o.authorization, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_sls_sign_v1(&bare, &cred, &o.authorization, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_odps_sign_v2(&bare, &cred, &o.authorization, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_odps_sign_v4(&req, &cred, MCW_LIT("r"), MCW_LIT("2023111"), &o.authorization, NULL, &o.err),
			  MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_odps_sign_v4(&req, &cred, MCW_LIT("r"), MCW_LIT("2023111x"), &o.authorization, NULL, &o.err),
			  MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_odps_sign_v4(&req, &cred, MCW_LIT(""), MCW_LIT("20231115"), &o.authorization, NULL, &o.err),
			  MCW_ERR_ARGUMENT);
	CHECK_INT(mcw_sls_sign_v4(&req, &cred, MCW_LIT("r"), &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-date"), MCW_LIT("20231115T061320Z")));
	CHECK_INT(mcw_sls_sign_v4(&req, &cred, MCW_LIT("r"), &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-content-sha256"), MCW_LIT("00")));
	CHECK_INT(mcw_sls_sign_v4(&req, &cred, MCW_LIT(""), &o.authorization, NULL, NULL, &o.err), MCW_ERR_ARGUMENT);
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-signaturemethod"), MCW_LIT("hmac-md5")));
	CHECK_INT(mcw_sls_sign_v1(&req, &cred, &o.authorization, NULL, &o.err), MCW_ERR_UNSUPPORTED);
	secret_is_not_told(&o);
	req.path.len = 0;
	CHECK_INT(mcw_odps_sign_v2(&req, &cred, &o.authorization, NULL, NULL), MCW_ERR_ARGUMENT);
	CHECK_INT(o.authorization.len, 0);
	outcome_free(&o);

	/* a caller's buffer that is too small */
	mcw_buf_init(&o.authorization, &mcw_malloc, 8);
	req = some_request();
	CHECK_INT(mcw_sls_sign_v1(&req, &cred, &o.authorization, NULL, &o.err), MCW_ERR_LIMIT);
	secret_is_not_told(&o);
	mcw_buf_free(&o.authorization);
}

static void
secret_comparison(void)
{
	CHECK(mcw_secret_eq(MCW_LIT("abc"), MCW_LIT("abc")));
	CHECK(!mcw_secret_eq(MCW_LIT("abc"), MCW_LIT("abd")));
	CHECK(!mcw_secret_eq(MCW_LIT("abc"), MCW_LIT("ab")));
	CHECK(mcw_secret_eq(MCW_LIT(""), mcw_str(NULL)));
}

/* ---- allocation failure ---- */

static mcw_status
sign_everything(const mcw_alloc *alloc, void *arg)
{
	const mcw_request *req = arg;
	outcome		o;
	mcw_status	status;

	outcome_init(&o, alloc);
	status = mcw_sls_sign_v1(req, &some_cred, &o.authorization, &o.text, &o.err);
	if (status == MCW_OK)
		status = mcw_sls_sign_v4(req, &some_cred, MCW_LIT("cn-hangzhou"), &o.authorization,
								 &o.canonical, &o.text, &o.err);
	if (status == MCW_OK)
		status = mcw_odps_sign_v2(req, &some_cred, &o.authorization, &o.text, &o.err);
	if (status == MCW_OK)
		status = mcw_odps_sign_v4(req, &some_cred, MCW_LIT("cn-hangzhou"), MCW_LIT("20231115"),
								  &o.authorization, &o.text, &o.err);
	outcome_free(&o);
	return status;
}

static void
torture(void)
{
	mcw_request req = some_request();

	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-date"), MCW_LIT("20231115T061320Z")));
	CHECK_OK(mcw_request_header(&req, MCW_LIT("x-log-content-sha256"), MCW_LIT("00")));
	for (int i = 0; i < 10; i++)
		CHECK_OK(mcw_request_param(&req, MCW_LIT("a-long-parameter-name"), MCW_LIT("and a value of some length, "
																				   "for the buffers to grow")));
	unit_torture(sign_everything, &req);
}

static const unit_case cases[] = {
	{"sls_v1_vectors", sls_v1_vectors},
	{"sls_v4_vectors", sls_v4_vectors},
	{"odps_vectors", odps_vectors},
	{"odps_edge_vectors", odps_edge_vectors},
	{"sls_v1_rules", sls_v1_rules},
	{"repeated_params", repeated_params},
	{"sls_v4_rules", sls_v4_rules},
	{"odps_rules", odps_rules},
	{"errors", errors},
	{"secret_comparison", secret_comparison},
	{"torture", torture},
};

UNIT_MAIN(cases)
