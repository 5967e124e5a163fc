/*
 * check_vectors_http.c
 *		Vectors of MaxCompute: signatures, recorded requests, replies, error bodies.
 */
#include "check_vectors.h"

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_sign.h"

#define MAX_TEXT ((size_t) 1 << 20)

/* --- signatures ------------------------------------------------------- */

/* "ODPS id/20261120/region/odps/aliyun_v4_request:sig": the day */
static mcw_view
day_of(mcw_view authorization)
{
	const char *slash = authorization.data ? strchr(authorization.data, '/') : NULL;
	mcw_view	day = {NULL, 0};

	if (slash && strlen(slash) > 9)
	{
		day.data = slash + 1;
		day.len = 8;
	}
	return day;
}

static bool
sign(const mcw_request *req, const mcw_node *v, bool v4, mcw_buf *auth, mcw_buf *text)
{
	mcw_credentials cred = {mcw_node_text(v, "access_key_id"), mcw_node_text(v, "access_key_secret"), {NULL, 0}};
	mcw_error	err = {0};
	mcw_status	status;

	mcw_buf_reset(auth);
	mcw_buf_reset(text);
	if (v4)
		status = mcw_odps_sign_v4(req, &cred, mcw_node_text(v, "region"),
								  day_of(mcw_node_text(v, "authorization")), auth, text, &err);
	else
		status = mcw_odps_sign_v2(req, &cred, auth, text, &err);
	return status == MCW_OK ? true : vec_wrong("cannot be signed: %s", err.message);
}

/* Parameters as listed, before encoding, must be those of the target */
static bool
check_params(const mcw_request *req, const mcw_node *params)
{
	int			i = 0;

	if (params == NULL || params->nchildren != req->nparams)
		return vec_wrong("the target has %d parameters", req->nparams);
	for (const mcw_node *pair = params->first; pair; pair = pair->next, i++)
		if (!mcw_view_eq(req->params[i].name, rows_at(pair, 0)->text) ||
			(pair->nchildren > 1 && !mcw_view_eq(req->params[i].value, rows_at(pair, 1)->text)))
			return vec_wrong("parameter %d of the target differs", i + 1);
	return true;
}

/*
 * One SDK decodes the query before it splits it, and the pieces again: the verifier
 * must be able to follow.
 */
static bool
decode_twice(mcw_request *req, mcw_view target)
{
	const char *mark = memchr(target.data, '?', target.len);
	mcw_view	path = {target.data, mark ? (size_t) (mark + 1 - target.data) : target.len};
	mcw_view	query = {target.data + path.len, target.len - path.len};
	mcw_view	copy;
	mcw_buf		out;
	bool		done;

	mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
	done = mcw_buf_append_view(&out, path) == MCW_OK &&
		mcw_percent_decode(&out, query, false) == MCW_OK;
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == ' ')
			out.data[i] = '+';	/* a blank cannot stand in a target */
	done = done && mcw_arena_copy(&vec_arena, mcw_buf_view(&out), &copy) == MCW_OK &&
		mcw_request_parse_target(req, copy, &vec_arena, NULL) == MCW_OK;
	mcw_buf_free(&out);
	return done ? true : vec_wrong("the query cannot be decoded twice");
}

static void
check_odps_signature(const mcw_node *v, bool v4, bool twice)
{
	mcw_request req = {.method = mcw_node_text(v, "method"), .path_prefix = mcw_node_text(v, "endpoint_path_prefix")};
	const mcw_node *headers = mcw_node_get(v, "headers");
	const char *sdks[] = {"java_sdk_authorization", "go_sdk_authorization"};
	mcw_error	err = {0};
	mcw_buf		auth;
	mcw_buf		text;

	if (mcw_request_parse_target(&req, mcw_node_text(v, "request_target"), &vec_arena, &err) != MCW_OK)
	{
		vec_wrong("request target: %s", err.message);
		return;
	}
	for (const mcw_node *h = headers ? headers->first : NULL; h; h = h->next)
		if (mcw_request_header(&req, h->name, h->text) != MCW_OK)
			vec_wrong("too many headers");
	if (!vec_same("resource", req.path, mcw_node_text(v, "resource")) ||
		!check_params(&req, mcw_node_get(v, "params")))
		return;
	mcw_buf_init(&auth, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
	for (int i = 0; twice && i < 2; i++)
		if (mcw_node_text(v, sdks[i]).data && sign(&req, v, v4, &auth, &text))
			vec_same(sdks[i], mcw_buf_view(&auth), mcw_node_text(v, sdks[i]));
	if ((!twice || decode_twice(&req, mcw_node_text(v, "request_target"))) && sign(&req, v, v4, &auth, &text))
	{
		vec_same("canonical string", mcw_buf_view(&text), mcw_node_text(v, "canonical_string"));
		vec_same("authorization", mcw_buf_view(&auth), mcw_node_text(v, "authorization"));
	}
	mcw_buf_free(&auth);
	mcw_buf_free(&text);
}

void
check_odps_signatures(const char *file, const mcw_node *root)
{
	const char *sections[] = {"v2_hmac_sha1", "v4", "pyodps_edge_cases"};

	for (int i = 0; i < 3; i++)
	{
		const mcw_node *section = mcw_node_get(root, sections[i]);

		for (const mcw_node *v = section ? section->first : NULL; v; v = v->next)
		{
			vec_case(file, sections[i], mcw_node_text(v, "name"));
			if (vec_known(v, "name access_key_id access_key_secret region endpoint_path_prefix method request_target resource params headers canonical_string authorization go_sdk_same java_sdk_same go_sdk_authorization java_sdk_authorization"))
				check_odps_signature(v, i == 1, i == 2);
		}
	}
	vec_known_file(file, root, "sdk how v2_hmac_sha1 v4 pyodps_edge_cases");
}

/* --- recorded requests and replies ------------------------------------ */

/* XML, JSON, or "host:port"; JSON inside of XML is looked at too */
static bool check_document(mcw_view body);

static bool
check_inner(const mcw_node *node)
{
	for (const mcw_node *child = node->first; child; child = child->next)
	{
		if (child->text.len > 0 && child->text.data[0] == '{' && !check_document(child->text))
			return false;
		if (!check_inner(child))
			return false;
	}
	return true;
}

static bool
check_document(mcw_view body)
{
	mcw_node   *root = NULL;
	mcw_error	err = {0};
	mcw_status	status;

	if (body.len > 0 && body.data[0] == '<')
		status = mcw_xml_parse(body, &vec_arena, &root, &err);
	else
		status = mcw_json_parse(body, &vec_arena, &root, &err);
	if (status != MCW_OK)
		return vec_wrong("body: %s", err.message);
	return check_inner(root);
}

static bool
is_address(mcw_view body)
{
	const char *colon = body.data ? memchr(body.data, ':', body.len) : NULL;
	mcw_view	port;
	int64_t		number;

	if (colon == NULL || colon == body.data)
		return false;
	port.data = colon + 1;
	port.len = body.len - (size_t) (port.data - body.data);
	return mcw_view_int64(port, &number) && number > 0 && number < 65536;
}

/* The target must come back the same after building it again */
static bool
check_round_trip(mcw_view target)
{
	mcw_request first = {.path_prefix = MCW_LIT("/api")};
	mcw_request second = {.path_prefix = MCW_LIT("/api")};
	mcw_error	err = {0};
	mcw_buf		out;
	bool		same;

	if (mcw_request_parse_target(&first, target, &vec_arena, &err) != MCW_OK)
		return vec_wrong("target: %s", err.message);
	mcw_buf_init(&out, &mcw_malloc, MAX_TEXT);
	same = mcw_request_target(&first, &out) == MCW_OK &&
		mcw_request_parse_target(&second, mcw_buf_view(&out), &vec_arena, &err) == MCW_OK &&
		mcw_view_eq(first.path_prefix, second.path_prefix) &&
		mcw_view_eq(first.path, second.path) && first.nparams == second.nparams;
	for (int i = 0; same && i < first.nparams; i++)
		same = mcw_view_eq(first.params[i].name, second.params[i].name) &&
			mcw_view_eq(first.params[i].value, second.params[i].value);
	mcw_buf_free(&out);
	return same ? true : vec_wrong("the target changes when it is built again");
}

static void
check_request(const mcw_node *v)
{
	const mcw_node *headers = mcw_node_get(v, "headers");
	mcw_view	body = mcw_node_text(v, "body");
	mcw_view	md5 = mcw_node_text(headers, "Content-MD5");
	unsigned char digest[16];
	mcw_view	raw = {(const char *) digest, 16};
	mcw_buf		hex;

	if (!check_round_trip(mcw_node_text(v, "target")))
		return;
	if (mcw_node_text(v, "method").len == 0 || body.data == NULL)
		vec_wrong("method or body is missing");
	if (body.len > 0 && body.data[0] != '(')	/* "(binary, 69 bytes)" was left out */
		check_document(body);
	if (md5.data == NULL)
		return;
	mcw_buf_init(&hex, &mcw_malloc, MAX_TEXT);
	if (mcw_md5(body.data, body.len, digest) == MCW_OK && mcw_hex_encode(&hex, raw, false) == MCW_OK)
		vec_same("Content-MD5", mcw_buf_view(&hex), md5);
	mcw_buf_free(&hex);
}

static void
check_response(const mcw_node *v)
{
	mcw_view	body = mcw_node_text(v, "body");
	mcw_error	err = {0};
	int64_t		status;

	if (!mcw_node_int(v, "status", &status) || body.data == NULL)
	{
		vec_wrong("status or body is missing");
		return;
	}
	if (body.len > 0 && !is_address(body))
		check_document(body);
	if (status >= 400 && (!mcw_error_body(body, &err) || !err.code[0] || !err.text[0] || !err.request_id[0]))
		vec_wrong("the error is not understood");
	if (status < 400 && mcw_error_body(body, &err))
		vec_wrong("a good reply is taken for an error");
}

/*
 * The result names the code and status the SDK saw, "X code='Y' status=404"; where
 * the SDK lost the code (None) ours must be the one in the body.
 */
static void
check_error(const mcw_node *v)
{
	mcw_view	result = mcw_node_text(v, "pyodps_result");
	mcw_view	body = mcw_node_text(v, "body");
	const char *code = result.data ? strstr(result.data, "code=") : NULL;
	char		quoted[128];
	mcw_error	err = {0};

	if (code == NULL || body.data == NULL)
		vec_wrong("not understood: pyodps_result or body");
	else if (!mcw_error_body(body, &err))
		vec_wrong("the error is not understood");
	else if (strncmp(code, "code=None", 9) == 0)
	{
		(void) snprintf(quoted, sizeof(quoted), "<Code>%s</Code>", err.code);
		if (strstr(body.data, quoted) == NULL)
			vec_wrong("code is \"%s\"", err.code);
	}
	else
	{
		(void) snprintf(quoted, sizeof(quoted), "code='%s'", err.code);
		if (strncmp(code, quoted, strlen(quoted)) != 0)
			vec_wrong("code is \"%s\", want %s", err.code, code);
	}
}

void
check_odps_bodies(const char *file, const mcw_node *root)
{
	const mcw_node *list = mcw_node_get(root, "requests");

	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "request", mcw_node_text(v, "name"));
		if (vec_known(v, "name producer method target headers body"))
			check_request(v);
	}
	list = mcw_node_get(root, "responses");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "response", mcw_node_text(v, "name"));
		if (vec_known(v, "name accepted_by status headers body"))
			check_response(v);
	}
	list = mcw_node_get(root, "pyodps_error_mapping");
	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "error", mcw_node_text(v, "case"));
		if (vec_known(v, "case status content_type body pyodps_result"))
			check_error(v);
	}
	vec_known_file(file, root, "note requests responses pyodps_error_mapping");
}
