/*
 * check_vectors_oss_xml.c
 *		Documents of OSS: what SDKs made of the answers, and the bodies they send.
 */
#include "check_vectors.h"

#include "../../src/wire/mcw_oss.h"

#define MAX_TEXT ((size_t) 1 << 20)
#define OSS2 "oss2 2.19.1"
#define ALI_OSS "ali-oss 6.23.0"

/* true and false as the document and both SDKs say it */
static bool
same_bool(const char *what, const mcw_node *want, bool got)
{
	if (want && want->kind == MCW_NODE_BOOL && want->boolean == got)
		return true;
	return vec_wrong("%s differs", what);
}

static bool
same_int(const char *what, const mcw_node *object, const char *name, int64_t got)
{
	int64_t		want;

	if (mcw_node_int(object, name, &want) && want == got)
		return true;
	return vec_wrong("%s differs: got %lld", what, (long long) got);
}

/* ---- answers ---- */

static void
check_list(mcw_view body, const mcw_node *parsed)
{
	const mcw_node *objects = mcw_node_get(parsed, "objects");
	const mcw_node *prefixes = mcw_node_get(parsed, "prefix_list");
	const mcw_node *want = objects ? objects->first : NULL;
	mcw_view	token = mcw_node_text(parsed, "next_continuation_token");
	mcw_oss_list list;
	mcw_error	err = {0};

	if (!vec_known(parsed, "is_truncated next_marker next_continuation_token prefix_list objects"))
		return;
	if (mcw_oss_read_list(body, &vec_arena, &list, &err) != MCW_OK)
	{
		vec_wrong("cannot be read: %s", err.message);
		return;
	}
	if (token.data == NULL)
		token = mcw_node_text(parsed, "next_marker");
	same_bool("is_truncated", mcw_node_get(parsed, "is_truncated"), list.truncated);
	if (token.len > 0 || list.next_token.len > 0)
		vec_same("next token", list.next_token, token);
	if (objects == NULL || objects->nchildren != list.nentries ||
		(prefixes ? prefixes->nchildren : 0) != list.nprefixes)
	{
		vec_wrong("%d objects and %d prefixes were read", list.nentries, list.nprefixes);
		return;
	}
	for (int i = 0; i < list.nentries; i++, want = want->next)
	{
		const mcw_oss_entry *e = &list.entries[i];

		if (!vec_known(want, "key last_modified etag type size storage_class"))
			return;
		vec_same("key", e->key, mcw_node_text(want, "key"));
		vec_same("etag", e->etag, mcw_node_text(want, "etag"));
		vec_same("type", e->type, mcw_node_text(want, "type"));
		if (mcw_node_get(want, "storage_class"))
			vec_same("storage_class", e->storage_class, mcw_node_text(want, "storage_class"));
		same_int("size", want, "size", (int64_t) e->size);
		same_int("last_modified", want, "last_modified", e->last_modified / 1000000);
	}
	want = prefixes ? prefixes->first : NULL;
	for (int i = 0; i < list.nprefixes; i++, want = want->next)
		vec_same("prefix", list.prefixes[i], want->text);
}

static void
check_parts(mcw_view body, const mcw_node *parsed, const mcw_node *raw)
{
	const mcw_node *want = mcw_node_get(parsed, "parts");
	const mcw_node *raw_part = mcw_node_get(raw, "parts");
	mcw_oss_parts parts;
	mcw_error	err = {0};

	if (!vec_known(parsed, "is_truncated next_marker parts"))
		return;
	if (mcw_oss_read_parts(body, &vec_arena, &parts, &err) != MCW_OK)
	{
		vec_wrong("cannot be read: %s", err.message);
		return;
	}
	same_bool("is_truncated", mcw_node_get(parsed, "is_truncated"), parts.truncated);
	same_int("next_marker", parsed, "next_marker", parts.next_marker);
	if (want == NULL || want->nchildren != parts.nparts || raw_part == NULL || raw_part->nchildren != parts.nparts)
	{
		vec_wrong("%d parts were read", parts.nparts);
		return;
	}
	want = want->first;
	raw_part = raw_part->first;
	for (int i = 0; i < parts.nparts; i++, want = want->next, raw_part = raw_part->next)
	{
		char		crc[24];

		same_int("part_number", want, "part_number", parts.parts[i].number);
		same_int("size", want, "size", (int64_t) parts.parts[i].size);
		vec_same("etag", parts.parts[i].etag, mcw_node_text(want, "etag"));
		(void) snprintf(crc, sizeof(crc), "%llu", (unsigned long long) parts.parts[i].crc64);
		vec_same("crc64", mcw_str(parts.parts[i].has_crc64 ? crc : "none"), mcw_node_text(raw_part, "HashCrc64ecma"));
	}
}

static void
check_error(mcw_view body, const mcw_node *parsed)
{
	char		ec[64];
	mcw_view	want = mcw_node_text(parsed, "EC");
	mcw_error	err = {0};

	if (!mcw_error_body(body, &err))
	{
		vec_wrong("the error is not understood");
		return;
	}
	vec_same("code", mcw_str(err.code), mcw_node_text(parsed, "Code"));
	vec_same("request id", mcw_str(err.request_id), mcw_node_text(parsed, "RequestId"));
	(void) snprintf(ec, sizeof(ec), " (EC %.*s)", (int) want.len, want.data ? want.data : "");
	if (strlen(err.text) < strlen(ec) || strcmp(err.text + strlen(err.text) - strlen(ec), ec) != 0)
		vec_wrong("the EC is not told: %s", err.text);
	else
		vec_same("message", (mcw_view) {err.text, strlen(err.text) - strlen(ec)}, mcw_node_text(parsed, "Message"));
}

static void
check_deleted(mcw_view body, const mcw_node *parsed)
{
	const mcw_node *want = mcw_node_get(parsed, "deleted_keys");
	mcw_view   *keys;
	int			nkeys;
	mcw_error	err = {0};

	if (mcw_oss_read_deleted(body, &vec_arena, &keys, &nkeys, &err) != MCW_OK)
		vec_wrong("cannot be read: %s", err.message);
	else if (want == NULL || want->nchildren != nkeys)
		vec_wrong("%d keys were read", nkeys);
	else
	{
		want = want->first;
		for (int i = 0; i < nkeys; i++, want = want->next)
			vec_same("key", keys[i], want->text);
	}
}

/* No SDK said what it made of the result of a completed upload: look for the ETag itself */
static void
check_completed(mcw_view body)
{
	const char *at = memmem(body.data, body.len, "<ETag>\"", 7);
	const char *end = at ? memchr(at + 7, '"', body.len - (size_t) (at + 7 - body.data)) : NULL;
	mcw_view	etag;
	mcw_error	err = {0};

	if (end == NULL)
		vec_wrong("not understood: it has no ETag");
	else if (mcw_oss_read_complete(body, &vec_arena, &etag, &err) != MCW_OK)
		vec_wrong("cannot be read: %s", err.message);
	else
		vec_same("etag", etag, (mcw_view) {at + 7, (size_t) (end - at - 7)});
}

static void
check_response(const mcw_node *v)
{
	mcw_view	body = mcw_node_text(v, "body");
	const mcw_node *parsed = mcw_node_get(v, "parsed_by");
	const mcw_node *oss2 = mcw_node_get(parsed, OSS2);
	const mcw_node *ali = mcw_node_get(parsed, ALI_OSS);
	mcw_view	name = v->name;
	mcw_view	text;
	mcw_node   *root;
	mcw_error	err = {0};

	if (!vec_known(v, "body parsed_by"))
		return;
	if (mcw_view_eq(name, MCW_LIT("list_v1")) || mcw_view_eq(name, MCW_LIT("list_v2")) ||
		mcw_view_eq(name, MCW_LIT("list_v2_empty")))
		check_list(body, oss2);
	else if (mcw_view_eq(name, MCW_LIT("error")))
		check_error(body, oss2);
	else if (mcw_view_eq(name, MCW_LIT("complete_result")))
		check_completed(body);
	else if (mcw_view_eq(name, MCW_LIT("initiate_result")))
	{
		if (mcw_oss_read_initiate(body, &vec_arena, &text, &err) != MCW_OK)
			vec_wrong("cannot be read: %s", err.message);
		else
			vec_same("upload_id", text, mcw_node_text(oss2, "upload_id"));
	}
	else if (mcw_view_eq(name, MCW_LIT("list_parts")))
		check_parts(body, oss2, ali);
	else if (mcw_view_eq(name, MCW_LIT("copy_result")))
	{
		/* objects are never copied; only that the tree and the ETag are right */
		if (mcw_xml_parse(body, &vec_arena, &root, &err) != MCW_OK)
			vec_wrong("cannot be read: %s", err.message);
		else
			vec_same("etag", mcw_oss_etag(mcw_node_text(root, "ETag")),
					 mcw_oss_etag(mcw_node_text(mcw_node_get(ali, "data"), "etag")));
	}
	else if (mcw_view_eq(name, MCW_LIT("delete_result")))
		check_deleted(body, oss2);
	else
		vec_wrong("not understood");
}

/* ---- bodies ---- */

/* Two elements that mean the same: names, children in order, texts without quotes of an ETag */
static bool
same_element(const mcw_node *got, const mcw_node *want)
{
	const mcw_node *a = got->first;
	const mcw_node *b = want->first;

	if (!mcw_view_eq(got->name, want->name) || got->nchildren != want->nchildren)
		return vec_wrong("<%.*s> where <%.*s> belongs", (int) got->name.len, got->name.data,
						 (int) want->name.len, want->name.data);
	if (got->nchildren == 0)
		return mcw_view_eq(want->name, MCW_LIT("ETag")) ?
			vec_same("ETag", mcw_oss_etag(got->text), mcw_oss_etag(want->text)) :
			vec_same("text", got->text, want->text);
	for (; a; a = a->next, b = b->next)
		if (!same_element(a, b))
			return false;
	return true;
}

static void
check_body(const char *name, mcw_view want)
{
	static const mcw_oss_part parts[] = {
		{.number = 1, .etag = {"A", 1}}, {.number = 2, .etag = {"B", 1}}
	};
	static const mcw_view keys[] = {{"a.csv", 5}, {"b & <c>.csv", 11}};
	bool		complete = strcmp(name, "complete_multipart") == 0;
	mcw_node   *a;
	mcw_node   *b;
	mcw_buf		body;
	mcw_error	err = {0};
	mcw_status	status;

	mcw_buf_init(&body, &mcw_malloc, MAX_TEXT);
	status = complete ? mcw_oss_write_complete(parts, 2, &body) :
		mcw_oss_write_delete(keys, 2, strcmp(name, "delete_multiple_quiet") == 0, &body);
	if (status != MCW_OK)
		vec_wrong("cannot be written");
	else if (mcw_xml_parse(want, &vec_arena, &a, &err) != MCW_OK ||
			 mcw_xml_parse(mcw_buf_view(&body), &vec_arena, &b, &err) != MCW_OK)
		vec_wrong("cannot be read: %s", err.message);
	else
		same_element(b, a);
	mcw_buf_free(&body);
}

void
check_oss_xml(const char *file, const mcw_node *root)
{
	const mcw_node *list = mcw_node_get(root, "responses");

	for (const mcw_node *v = list ? list->first : NULL; v; v = v->next)
	{
		vec_case(file, "response", v->name);
		check_response(v);
	}
	list = mcw_node_get(root, "request_bodies");
	for (const mcw_node *sdk = list ? list->first : NULL; sdk; sdk = sdk->next)
		for (const mcw_node *v = sdk->first; v; v = v->next)
		{
			if (mcw_view_eq(v->name, MCW_LIT("delete_multiple_version")))
			{
				vec_not_used(file, v->name, "versions of objects are never deleted");
				continue;
			}
			vec_case(file, "request", v->name);
			if (mcw_view_eq(v->name, MCW_LIT("complete_multipart")) ||
				mcw_view_eq(v->name, MCW_LIT("delete_multiple")) ||
				mcw_view_eq(v->name, MCW_LIT("delete_multiple_quiet")))
				check_body(v->name.data, v->text);
			else
				vec_wrong("not understood");
		}
	vec_known_file(file, root, "note responses request_bodies");
}
