/*
 * check_vectors_oss.c
 *		Vectors of OSS: signatures, presigned URLs, CRC-64.
 */
#include "check_vectors.h"

#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_sign.h"

#define MAX_TEXT ((size_t) 1 << 20)
#define BUCKET "/examplebucket"

static mcw_credentials
credentials_of(const mcw_node *root)
{
	mcw_credentials cred = {mcw_node_text(root, "access_key_id"), mcw_node_text(root, "access_key_secret"), {NULL, 0}};

	return cred;
}

static bool
has_prefix(mcw_view text, mcw_view prefix)
{
	return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

/*
 * Path and parameters of a URL, and what goes in front of the path in the signed
 * resource: the bucket, unless it is in the path or there is none.
 */
static bool
read_url(mcw_view url, mcw_request *req, mcw_view *resource)
{
	const char *end = url.data + url.len;
	const char *host = url.len > 7 && has_prefix(url, MCW_LIT("http://")) ? url.data + 7 : NULL;
	const char *path = host ? memchr(host, '/', (size_t) (end - host)) : NULL;
	mcw_view	target = {path, path ? (size_t) (end - path) : 0};
	mcw_view	name = {host, path ? (size_t) (path - host) : 0};

	if (path == NULL || mcw_request_parse_target(req, target, &vec_arena, NULL) != MCW_OK)
		return vec_wrong("not understood: url");
	*resource = MCW_LIT(BUCKET);
	if (mcw_view_eq(name, MCW_LIT("oss-cn-hangzhou.aliyuncs.com")) || has_prefix(req->path, MCW_LIT(BUCKET "/")))
		*resource = MCW_LIT("");
	return true;
}

static bool
read_headers(const mcw_node *headers, mcw_request *req, mcw_view *authorization)
{
	for (const mcw_node *h = headers ? headers->first : NULL; h; h = h->next)
	{
		if (authorization && mcw_view_eq(h->name, MCW_LIT("authorization")))
			*authorization = h->text;
		else if (mcw_request_header(req, h->name, h->text) != MCW_OK)
			return vec_wrong("too many headers");
	}
	return headers ? true : vec_wrong("headers are missing");
}

/* Content-MD5 must be that of the body */
static bool
check_md5(const mcw_request *req, const mcw_node *body)
{
	mcw_view	want = mcw_request_get_header(req, MCW_LIT("Content-MD5"));
	unsigned char digest[16];
	mcw_buf		text;
	bool		same;

	if (want.len == 0)
		return true;
	if (body == NULL)
		return vec_wrong("Content-MD5 without a body");
	mcw_buf_init(&text, &mcw_malloc, MAX_TEXT);
	same = mcw_md5(body->text.data, body->text.len, digest) == MCW_OK &&
		mcw_base64_encode(&text, (mcw_view) {(const char *) digest, 16}) == MCW_OK &&
		vec_same("Content-MD5", mcw_buf_view(&text), want);
	mcw_buf_free(&text);
	return same;
}

/* The value of a member of an Authorization header: "...Name=value,..." */
static mcw_view
member_of(mcw_view authorization, const char *name)
{
	const char *at = memmem(authorization.data, authorization.len, name, strlen(name));
	mcw_view	value = {NULL, 0};

	if (at)
	{
		value.data = at + strlen(name);
		while (value.data + value.len < authorization.data + authorization.len && value.data[value.len] != ',')
			value.len++;
	}
	return value;
}

typedef struct signing
{
	mcw_buf		auth;
	mcw_buf		canonical;
	mcw_buf		text;
	mcw_error	err;
} signing;

static void
signing_init(signing *s)
{
	memset(s, 0, sizeof(*s));
	mcw_buf_init(&s->auth, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&s->canonical, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&s->text, &mcw_malloc, MAX_TEXT);
}

static void
signing_free(signing *s)
{
	mcw_buf_free(&s->auth);
	mcw_buf_free(&s->canonical);
	mcw_buf_free(&s->text);
}

static bool
ends_with(mcw_view text, mcw_view end)
{
	return end.len > 0 && text.len >= end.len && memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

static void
check_signature(const mcw_node *root, const mcw_node *v, bool v4)
{
	mcw_request req = {.method = mcw_node_text(v, "method")};
	mcw_credentials cred = credentials_of(root);
	mcw_view	sent = {NULL, 0};
	mcw_view	resource;
	mcw_status	status;
	signing		s;

	if (!read_url(mcw_node_text(v, "url"), &req, &resource) ||
		!read_headers(mcw_node_get(v, "request_headers"), &req, &sent) ||
		!check_md5(&req, mcw_node_get(v, "body")))
		return;
	signing_init(&s);
	/* the SDK that made them signs empty parameters as "name=" */
	if (v4)
		status = mcw_oss_sign_v4(&req, resource, &cred, mcw_node_text(root, "region"),
								 member_of(sent, "AdditionalHeaders="), true, &s.auth, &s.canonical, &s.text, &s.err);
	else
		status = mcw_oss_sign_v1(&req, resource, &cred, &s.auth, &s.text, &s.err);
	if (status != MCW_OK)
		vec_wrong("cannot be signed: %s", s.err.message);
	else
	{
		if (v4)
			vec_same("canonical request", mcw_buf_view(&s.canonical), mcw_node_text(v, "canonical_request"));
		vec_same("string to sign", mcw_buf_view(&s.text), mcw_node_text(v, "string_to_sign"));
		vec_same("authorization", mcw_buf_view(&s.auth), mcw_node_text(v, "authorization"));
		vec_same("authorization as sent", mcw_buf_view(&s.auth), sent);
		if (!ends_with(mcw_buf_view(&s.auth), mcw_node_text(v, "signature")))
			vec_wrong("signature is not the end of authorization");
	}
	signing_free(&s);
}

static void
check_signatures(const char *file, const mcw_node *root, bool v4)
{
	const mcw_node *cases = mcw_node_get(root, "cases");

	for (const mcw_node *v = cases ? cases->first : NULL; v; v = v->next)
	{
		vec_case(file, "", mcw_node_text(v, "name"));
		if (vec_known(v, v4 ? "name method url request_headers body canonical_request string_to_sign signature authorization" :
					  "name method url request_headers body string_to_sign signature authorization"))
			check_signature(root, v, v4);
	}
	vec_known_file(file, root, v4 ? "sdk version access_key_id access_key_secret clock note region product cases" :
				   "sdk version access_key_id access_key_secret clock note cases");
}

void
check_oss_v1(const char *file, const mcw_node *root)
{
	check_signatures(file, root, false);
}

void
check_oss_v4(const char *file, const mcw_node *root)
{
	check_signatures(file, root, true);
}

/* ---- presigned URLs ---- */

/*
 * V1 does not say which headers were signed: they are the lines of the string to
 * sign behind the date, and its third line is the Content-Type.
 */
static bool
headers_of_text(mcw_view text, mcw_request *req)
{
	const char *at = text.data;
	const char *end = text.data + text.len;

	for (int line = 0; at < end && *at != '/'; line++)
	{
		const char *newline = memchr(at, '\n', (size_t) (end - at));
		const char *colon = newline ? memchr(at, ':', (size_t) (newline - at)) : NULL;
		mcw_pair	header = {MCW_LIT("Content-Type"), {at, newline ? (size_t) (newline - at) : 0}};

		if (newline == NULL)
			return vec_wrong("not understood: string to sign");
		if (line > 3 && colon)
		{
			header.name = (mcw_view) {at, (size_t) (colon - at)};
			header.value = (mcw_view) {colon + 1, (size_t) (newline - colon - 1)};
		}
		if ((line == 2 || line > 3) && mcw_request_header(req, header.name, header.value) != MCW_OK)
			return vec_wrong("too many headers");
		at = newline + 1;
	}
	return true;
}

static void
check_presigned(const mcw_node *root, const mcw_node *v)
{
	mcw_view	text = mcw_node_text(v, "string_to_sign");
	mcw_view	signature = mcw_node_text(v, "signature");
	mcw_request req = {.method = {text.data, strcspn(text.data ? text.data : "", "\n")}};
	mcw_credentials cred = credentials_of(root);
	bool		v4 = mcw_node_get(v, "canonical_request") != NULL;
	mcw_view	resource;
	mcw_status	status;
	signing		s;

	if (v4)
		req.method = (mcw_view) {mcw_node_text(v, "canonical_request").data, 3};
	if (!read_url(mcw_node_text(v, "url"), &req, &resource) ||
		mcw_request_header(&req, MCW_LIT("Date"), mcw_request_get_param(&req, v4 ? MCW_LIT("x-oss-date") : MCW_LIT("Expires"))) != MCW_OK)
		return;
	if (!vec_same("signature in the url", mcw_request_get_param(&req, v4 ? MCW_LIT("x-oss-signature") : MCW_LIT("Signature")), signature))
		return;
	if (v4 ? (mcw_node_get(v, "headers_to_send") && !read_headers(mcw_node_get(v, "headers_to_send"), &req, NULL)) :
		!headers_of_text(text, &req))
		return;
	signing_init(&s);
	if (v4)
		status = mcw_oss_sign_v4(&req, resource, &cred, mcw_node_text(root, "region"),
								 mcw_request_get_param(&req, MCW_LIT("x-oss-additional-headers")), true,
								 &s.auth, &s.canonical, &s.text, &s.err);
	else
		status = mcw_oss_sign_v1(&req, resource, &cred, &s.auth, &s.text, &s.err);
	if (status != MCW_OK)
		vec_wrong("cannot be signed: %s", s.err.message);
	else
	{
		if (v4)
			vec_same("canonical request", mcw_buf_view(&s.canonical), mcw_node_text(v, "canonical_request"));
		vec_same("string to sign", mcw_buf_view(&s.text), text);
		if (!ends_with(mcw_buf_view(&s.auth), signature))
			vec_wrong("signature differs: got %.*s", (int) s.auth.len, s.auth.data);
	}
	signing_free(&s);
}

void
check_oss_presigned(const char *file, const mcw_node *root)
{
	const mcw_node *cases = mcw_node_get(root, "cases");

	for (const mcw_node *v = cases ? cases->first : NULL; v; v = v->next)
	{
		vec_case(file, "", mcw_node_text(v, "name"));
		if (vec_known(v, "name url canonical_request string_to_sign signature headers_to_send"))
			check_presigned(root, v);
	}
	vec_known_file(file, root, "sdk version access_key_id access_key_secret clock note region cases");
}

/* ---- CRC-64 ---- */

static bool
crc_is(const char *what, uint64_t got, mcw_view decimal)
{
	uint64_t	want;

	if (mcw_view_uint64(decimal, &want) && got == want)
		return true;
	return vec_wrong("%s differs: got %llu, want %.*s", what, (unsigned long long) got,
					 (int) decimal.len, decimal.data ? decimal.data : "");
}

static void
check_crc_case(const mcw_node *v)
{
	mcw_view	fill = mcw_node_text(v, "repeat_byte_hex");
	char		hex[17];
	int64_t		length = -1;
	mcw_buf		data;

	mcw_buf_init(&data, &mcw_malloc, MAX_TEXT);
	(void) mcw_node_int(v, "length", &length);
	if (fill.data)
	{
		while (mcw_hex_decode(&data, fill) == MCW_OK && (int64_t) data.len < length)
			continue;
	}
	else if (mcw_base64_decode(&data, mcw_node_text(v, "base64")) != MCW_OK)
		vec_wrong("base64 cannot be decoded");
	if ((int64_t) data.len != length)
		vec_wrong("length differs");
	else if (crc_is("crc64", mcw_crc64(0, data.data, data.len), mcw_node_text(v, "crc64_decimal")))
	{
		(void) snprintf(hex, sizeof(hex), "%016llX", (unsigned long long) mcw_crc64(0, data.data, data.len));
		vec_same("crc64_hex", mcw_str(hex), mcw_node_text(v, "crc64_hex"));
	}
	mcw_buf_free(&data);
}

/* The bytes a piece stands for: a text, or the words of two long ones */
static bool
crc_piece(mcw_view word, mcw_buf *data)
{
	if (mcw_view_eq(word, MCW_LIT("100 KiB zero")))
	{
		for (int i = 0; i < 100 * 1024; i++)
			(void) mcw_buf_append_char(data, '\0');
	}
	else if (mcw_view_eq(word, MCW_LIT("bytes 0..255")))
	{
		for (int i = 0; i < 256; i++)
			(void) mcw_buf_append_char(data, (char) i);
	}
	else
		(void) mcw_buf_append_view(data, word);
	return mcw_buf_status(data) == MCW_OK && data->len > 0;
}

static void
check_crc_pieces(const mcw_node *v)
{
	mcw_view	continued = mcw_node_text(v, "continued_from_first");
	int64_t		second_length;
	uint64_t	a;
	uint64_t	b;
	mcw_buf		first;
	mcw_buf		second;

	mcw_buf_init(&first, &mcw_malloc, MAX_TEXT);
	mcw_buf_init(&second, &mcw_malloc, MAX_TEXT);
	if (!crc_piece(mcw_node_text(v, "first"), &first) || !crc_piece(mcw_node_text(v, "second"), &second))
		vec_wrong("not understood: piece");
	else
	{
		a = mcw_crc64(0, first.data, first.len);
		b = mcw_crc64(0, second.data, second.len);
		crc_is("first_crc", a, mcw_node_text(v, "first_crc"));
		crc_is("second_alone_crc", b, mcw_node_text(v, "second_alone_crc"));
		crc_is("combine_result", mcw_crc64_combine(a, b, second.len), mcw_node_text(v, "combine_result"));
		if (continued.data)
			crc_is("continued_from_first", mcw_crc64(a, second.data, second.len), continued);
		if (mcw_node_int(v, "second_length", &second_length) && second_length != (int64_t) second.len)
			vec_wrong("second_length differs");
	}
	mcw_buf_free(&first);
	mcw_buf_free(&second);
}

void
check_oss_crc64(const char *file, const mcw_node *root)
{
	const mcw_node *cases = mcw_node_get(root, "cases");
	const mcw_node *pieces = mcw_node_get(root, "continue_and_combine");

	for (const mcw_node *v = cases ? cases->first : NULL; v; v = v->next)
	{
		vec_case(file, "", mcw_node_text(v, "name"));
		if (vec_known(v, "name length base64 repeat_byte_hex crc64_decimal crc64_hex"))
			check_crc_case(v);
	}
	for (const mcw_node *v = pieces ? pieces->first : NULL; v; v = v->next)
	{
		vec_case(file, "pieces", mcw_node_text(v, "first"));
		if (vec_known(v, "first first_crc second continued_from_first second_alone_crc second_length combine_result"))
			check_crc_pieces(v);
	}
	vec_known_file(file, root, "sdk version polynomial header_format cross_check cases continue_and_combine");
}
