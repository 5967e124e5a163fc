/*
 * check_vectors_sls.c
 *		Vectors of Log Service: signatures, protobuf payloads, PutLogs bodies.
 */
#include "check_vectors.h"

#include "../../src/wire/mcw_compress.h"
#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_sign.h"

#define MAX_TEXT ((size_t) 1 << 20)
#define MAX_BODY ((size_t) 64 << 20)

/* --- signatures ------------------------------------------------------- */

/* Lists of [name, value] as headers or parameters of the request */
static bool
read_pairs(const mcw_node *list, mcw_request *req,
		   mcw_status (*add) (mcw_request *, mcw_view, mcw_view))
{
	for (const mcw_node *pair = list ? list->first : NULL; pair; pair = pair->next)
	{
		const mcw_node *name = rows_at(pair, 0);
		const mcw_node *value = rows_at(pair, 1);

		if (pair->nchildren != 2 || add(req, name->text, value->text) != MCW_OK)
			return vec_wrong("not understood: pair of a list");
	}
	return list ? true : vec_wrong("a list of pairs is missing");
}

static bool
hex_same(const char *what, const unsigned char *digest, size_t len, bool upper, mcw_view want)
{
	mcw_view	raw = {(const char *) digest, len};
	mcw_buf		text;
	bool		same;

	mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
	same = mcw_hex_encode(&text, raw, upper) == MCW_OK && vec_same(what, mcw_buf_view(&text), want);
	mcw_buf_free(&text);
	return same;
}

/* Digests that the headers announce must be those of the body */
static bool
check_digests(const mcw_request *req, mcw_view body)
{
	mcw_view	md5 = mcw_request_get_header(req, MCW_LIT("Content-MD5"));
	mcw_view	sha256 = mcw_request_get_header(req, MCW_LIT("x-log-content-sha256"));
	unsigned char digest[32];

	if (md5.len > 0 && (mcw_md5(body.data, body.len, digest) != MCW_OK ||
						!hex_same("Content-MD5", digest, 16, true, md5)))
		return false;
	return sha256.len == 0 || (mcw_sha256(body.data, body.len, digest) == MCW_OK &&
							   hex_same("x-log-content-sha256", digest, 32, false, sha256));
}

/* The target as sent must parse to the path and parameters that are listed */
static bool
check_target(const mcw_request *req, mcw_view target)
{
	mcw_request parsed = {.method = req->method};
	const char *scheme = target.len > 0 ? memmem(target.data, target.len, "://", 3) : NULL;

	if (target.data == NULL)
		return true;
	if (scheme && target.data[0] != '/')
	{
		const char *end = target.data + target.len;
		const char *path = memchr(scheme + 3, '/', (size_t) (end - scheme - 3));

		if (path == NULL)
			return vec_wrong("request target without a path");
		target.data = path;
		target.len = (size_t) (end - path);
	}
	if (mcw_request_parse_target(&parsed, target, &vec_arena, NULL) != MCW_OK)
		return vec_wrong("request target cannot be parsed");
	if (!vec_same("path of the request target", parsed.path, req->path))
		return false;
	if (parsed.nparams != req->nparams)
		return vec_wrong("request target has %d parameters, %d are listed", parsed.nparams, req->nparams);
	for (int i = 0; i < parsed.nparams; i++)
	{
		bool		listed = false;

		for (int j = 0; j < req->nparams; j++)
			listed = listed || (mcw_view_eq(parsed.params[i].name, req->params[j].name) &&
								mcw_view_eq(parsed.params[i].value, req->params[j].value));
		if (!listed)
			return vec_wrong("parameter \"%.*s\" of the request target is not listed as it is",
							 (int) parsed.params[i].name.len, parsed.params[i].name.data);
	}
	return true;
}

static void
check_signature(const mcw_node *v, bool v4)
{
	mcw_request req = {.method = mcw_node_text(v, "method"), .path = mcw_node_text(v, "path")};
	mcw_credentials cred = {mcw_node_text(v, "access_key_id"), mcw_node_text(v, "access_key_secret"), {NULL, 0}};
	mcw_view	body = rows_hex(mcw_node_get(v, "body_hex"), &vec_arena);
	mcw_view	authorization = mcw_node_text(v, "authorization");
	mcw_view	signature = mcw_node_text(v, "signature");
	mcw_error	err = {0};
	mcw_buf		auth;
	mcw_buf		canonical;
	mcw_buf		text;
	mcw_status	status;

	if (body.data == NULL)
	{
		vec_wrong("body_hex is missing or no hex");
		return;
	}
	if (!read_pairs(mcw_node_get(v, "query"), &req, mcw_request_param) ||
		!read_pairs(mcw_node_get(v, "headers"), &req, mcw_request_header))
		return;
	mcw_buf_init(&auth, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&canonical, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
	if (v4)
		status = mcw_sls_sign_v4(&req, &cred, mcw_node_text(v, "region"), &auth, &canonical, &text, &err);
	else
		status = mcw_sls_sign_v1(&req, &cred, &auth, &text, &err);
	if (status != MCW_OK)
		vec_wrong("cannot be signed: %s", err.message);
	else
	{
		if (v4)
			vec_same("canonical request", mcw_buf_view(&canonical), mcw_node_text(v, "canonical_request"));
		vec_same("string to sign", mcw_buf_view(&text), mcw_node_text(v, "string_to_sign"));
		vec_same("authorization", mcw_buf_view(&auth), authorization);
		if (signature.len == 0 || signature.len > authorization.len ||
			memcmp(authorization.data + authorization.len - signature.len, signature.data, signature.len) != 0)
			vec_wrong("signature is not the end of authorization");
		if (!vec_failed() && check_target(&req, mcw_node_text(v, "request_target")))
			check_digests(&req, body);
	}
	mcw_buf_free(&auth);
	mcw_buf_free(&canonical);
	mcw_buf_free(&text);
}

static void
check_signatures(const char *file, const mcw_node *root, bool v4)
{
	const mcw_node *vectors = mcw_node_get(root, "vectors");

	for (const mcw_node *v = vectors ? vectors->first : NULL; v; v = v->next)
	{
		vec_case(file, "", mcw_node_text(v, "name"));
		if (vec_known(v, v4 ?
					  "name producer note access_key_id access_key_secret region method path query request_target headers body_hex canonical_request string_to_sign signature authorization" :
					  "name producer note access_key_id access_key_secret method path query request_target headers body_hex string_to_sign signature authorization"))
			check_signature(v, v4);
	}
	vec_known_file(file, root, "description algorithm vectors");
}

void
check_sls_v1(const char *file, const mcw_node *root)
{
	check_signatures(file, root, false);
}

void
check_sls_v4(const char *file, const mcw_node *root)
{
	check_signatures(file, root, true);
}

/* --- payloads --------------------------------------------------------- */

/* Group and log members are all looked at by rows_page_same */
static bool
known_group(const mcw_node *group)
{
	const mcw_node *logs = mcw_node_get(group, "logs");

	if (!vec_known(group, "logs category topic source machine_uuid tags"))
		return false;
	for (const mcw_node *log = logs ? logs->first : NULL; log; log = log->next)
		if (!vec_known(log, "time time_ns contents"))
			return false;
	return true;
}

/* Write a decoded group with our writer; the result must decode to the same */
static bool
rewrite_group(const mcw_node *group, mcw_buf *out)
{
	const char *names[] = {"category", "topic", "source", "machine_uuid"};
	const mcw_node *logs = mcw_node_get(group, "logs");
	const mcw_node *list = mcw_node_get(group, "tags");
	mcw_view	fields[4];
	mcw_pair   *tags = mcw_arena_new(&vec_arena, (size_t) (list->nchildren + 1) * sizeof(mcw_pair));
	int			ntags = 0;
	mcw_sls_writer writer;

	mcw_sls_writer_init(&writer, out);
	for (const mcw_node *log = logs->first; log; log = log->next)
	{
		int64_t		time = 0;
		int64_t		ns = 0;
		bool		has_ns = mcw_node_int(log, "time_ns", &ns);
		const mcw_node *contents = mcw_node_get(log, "contents");

		mcw_node_int(log, "time", &time);
		mcw_sls_begin_log(&writer, (uint32_t) time, has_ns, (uint32_t) ns);
		for (const mcw_node *c = contents->first; c; c = c->next)
			mcw_sls_content(&writer, rows_bytes(rows_at(c, 0), &vec_arena), rows_bytes(rows_at(c, 1), &vec_arena));
		if (mcw_sls_end_log(&writer) != MCW_OK)
			return false;
	}
	for (int i = 0; i < 4; i++)
		fields[i] = rows_bytes(mcw_node_get(group, names[i]), &vec_arena);
	for (const mcw_node *tag = list->first; tag && tags; tag = tag->next)
	{
		tags[ntags].name = rows_bytes(rows_at(tag, 0), &vec_arena);
		tags[ntags++].value = rows_bytes(rows_at(tag, 1), &vec_arena);
	}
	return mcw_sls_finish_group(&writer, fields[0], fields[1], fields[2], fields[3], tags, ntags) == MCW_OK;
}

static void
check_payload(const mcw_node *v)
{
	mcw_view	message = mcw_node_text(v, "message");
	mcw_view	bytes = rows_hex(mcw_node_get(v, "hex"), &vec_arena);
	bool		is_list = mcw_view_eq(message, MCW_LIT("LogGroupList"));
	const mcw_node *decoded = mcw_node_get(v, "decoded");
	int64_t		size;

	if (!is_list && !mcw_view_eq(message, MCW_LIT("LogGroup")))
		vec_wrong("not understood: message \"%.*s\"", (int) message.len, message.data);
	else if (bytes.data == NULL || decoded == NULL)
		vec_wrong("hex or decoded is missing");
	else if (mcw_node_get(v, "size") && (!mcw_node_int(v, "size", &size) || (size_t) size != bytes.len))
		vec_wrong("size differs");
	else
	{
		for (const mcw_node *g = is_list ? decoded->first : decoded; g; g = is_list ? g->next : NULL)
		{
			mcw_buf		out;

			if (!known_group(g))
				return;
			mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
			if (!rewrite_group(g, &out) || !rows_page_same(mcw_buf_view(&out), false, g, &vec_arena))
				vec_wrong("a group does not survive writing and reading");
			mcw_buf_free(&out);
		}
		if (!rows_page_same(bytes, is_list, decoded, &vec_arena))
			vec_wrong("the bytes decode to something else");
	}
}

void
check_sls_protobuf(const char *file, const mcw_node *root)
{
	const mcw_node *vectors = mcw_node_get(root, "vectors");

	for (const mcw_node *v = vectors ? vectors->first : NULL; v; v = v->next)
	{
		vec_case(file, "", mcw_node_text(v, "name"));
		if (vec_known(v, "name producer message note size hex decoded"))
			check_payload(v);
	}
	vec_known_file(file, root, "description vectors");
}

static void
check_body(const mcw_node *v)
{
	mcw_view	body = rows_hex(mcw_node_get(v, "body_hex"), &vec_arena);
	mcw_view	raw = rows_hex(mcw_node_get(v, "raw_hex"), &vec_arena);
	mcw_codec	codec;
	unsigned char digest[32];
	mcw_error	err = {0};
	int64_t		raw_size;
	int64_t		number;
	uint64_t	nlogs = 0;
	mcw_buf		out;

	if (body.data == NULL || raw.data == NULL || !mcw_node_int(v, "x_log_bodyrawsize", &raw_size))
	{
		vec_wrong("body_hex, raw_hex or x_log_bodyrawsize is missing");
		return;
	}
	if (!mcw_codec_from_sls(mcw_node_text(v, "x_log_compresstype"), &codec))
	{
		vec_wrong("not understood: x_log_compresstype");
		return;
	}
	mcw_buf_init(&out, &mcw_malloc, MAX_BODY);
	if (mcw_decompress(codec, body, (size_t) raw_size, &out, &err) != MCW_OK)
		vec_wrong("cannot be decompressed: %s", err.message);
	else if (!mcw_view_eq(mcw_buf_view(&out), raw))
		vec_wrong("decompressed bytes differ");
	else if (mcw_sls_validate(raw, false, NULL, &nlogs, &err) != MCW_OK)
		vec_wrong("no LogGroup: %s", err.message);
	else if (!mcw_node_int(v, "log_count", &number) || (uint64_t) number != nlogs)
		vec_wrong("it holds %llu logs", (unsigned long long) nlogs);
	else if (mcw_node_get(v, "body_size") && (!mcw_node_int(v, "body_size", &number) || (size_t) number != body.len))
		vec_wrong("body_size differs");
	mcw_buf_reset(&out);
	if (mcw_compress(codec, 0, raw, &out, &err) != MCW_OK)
		vec_wrong("cannot be compressed: %s", err.message);
	else
	{
		mcw_buf		back;

		mcw_buf_init(&back, &mcw_malloc, MAX_BODY);
		if (mcw_decompress(codec, mcw_buf_view(&out), raw.len, &back, &err) != MCW_OK ||
			!mcw_view_eq(mcw_buf_view(&back), raw))
			vec_wrong("it does not survive compression");
		mcw_buf_free(&back);
	}
	mcw_buf_free(&out);
	if (mcw_md5(body.data, body.len, digest) == MCW_OK)
		hex_same("content_md5", digest, 16, true, mcw_node_text(v, "content_md5"));
	if (mcw_sha256(body.data, body.len, digest) == MCW_OK)
		hex_same("sha256", digest, 32, false, mcw_node_text(v, "sha256"));
}

void
check_sls_bodies(const char *file, const mcw_node *root)
{
	const mcw_node *vectors = mcw_node_get(root, "vectors");

	for (const mcw_node *v = vectors ? vectors->first : NULL; v; v = v->next)
	{
		vec_case(file, "", mcw_node_text(v, "name"));
		if (vec_known(v, "name producer note x_log_compresstype x_log_bodyrawsize content_md5 sha256 body_size body_hex raw_hex log_count"))
			check_body(v);
	}
	vec_known_file(file, root, "description vectors");
}
