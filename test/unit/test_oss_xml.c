/*
 * test_oss_xml.c
 *		Documents of OSS: lists of generated objects in every spelling of XML, damage
 *		of every kind, the bodies we send, errors.
 */
#include "vectors.h"

#include "../../src/wire/mcw_oss.h"
#include "../../src/wire/mcw_text.h"

#define MAX_TREE ((size_t) 64 << 20)

static const char *const responses = "oss/xml_bodies.json";

static mcw_view
body_of(json_object *doc, const char *name)
{
	mcw_view	body = vector_str(vector_get(vector_get(doc, "responses"), name), "body");

	CHECK(body.len > 0);
	return body;
}

/* ---- vectors ---- */

static void
vectors(void)
{
	json_object *doc = vectors_open(responses);
	mcw_arena	arena;
	mcw_oss_list list;
	mcw_oss_parts parts;
	mcw_view	text;
	mcw_view   *keys;
	int			nkeys;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	CHECK_OK(mcw_oss_read_list(body_of(doc, "list_v1"), &arena, &list, &err));
	CHECK_INT(list.nentries, 1);
	CHECK_VIEW(list.entries[0].key, MCW_LIT("dir/a b+c.csv"));
	CHECK_VIEW(list.entries[0].etag, MCW_LIT("5EB63BBBE01EEED093CB22BB8F5ACDC3"));
	CHECK_VIEW(list.entries[0].type, MCW_LIT("Normal"));
	CHECK_VIEW(list.entries[0].storage_class, MCW_LIT("Standard"));
	CHECK_INT(list.entries[0].size, 11);
	CHECK_INT(list.entries[0].last_modified, INT64_C(1741064767000000));
	CHECK_INT(list.nprefixes, 1);
	CHECK_VIEW(list.prefixes[0], MCW_LIT("dir/sub x/"));
	CHECK(list.truncated);
	CHECK_VIEW(list.next_token, MCW_LIT("dir/sub x/"));

	CHECK_OK(mcw_oss_read_list(body_of(doc, "list_v2"), &arena, &list, &err));
	CHECK_INT(list.nentries, 1);
	CHECK_VIEW(list.entries[0].key, MCW_LIT("test.csv"));
	CHECK_VIEW(list.next_token, MCW_LIT("ChR0ZXN0LmNzdg--"));

	CHECK_OK(mcw_oss_read_list(body_of(doc, "list_v2_empty"), &arena, &list, &err));
	CHECK_INT(list.nentries, 0);
	CHECK_INT(list.nprefixes, 0);
	CHECK(!list.truncated);

	CHECK_OK(mcw_oss_read_parts(body_of(doc, "list_parts"), &arena, &parts, &err));
	CHECK_INT(parts.nparts, 2);
	CHECK_INT(parts.parts[1].number, 2);
	CHECK_INT(parts.parts[1].size, 102400);
	CHECK(parts.parts[1].has_crc64 && parts.parts[1].crc64 == UINT64_C(10822262145107652794));
	CHECK(parts.truncated);
	CHECK_INT(parts.next_marker, 2);

	CHECK_OK(mcw_oss_read_initiate(body_of(doc, "initiate_result"), &arena, &text, &err));
	CHECK_VIEW(text, MCW_LIT("0004B9894A22E5B1888A1E29F8236E2D"));
	CHECK_OK(mcw_oss_read_complete(body_of(doc, "complete_result"), &arena, &text, &err));
	CHECK_VIEW(text, MCW_LIT("BECE2BA819EDE661E1115A8537ACFFFA-2"));
	CHECK_OK(mcw_oss_read_deleted(body_of(doc, "delete_result"), &arena, &keys, &nkeys, &err));
	CHECK_INT(nkeys, 1);
	CHECK_VIEW(keys[0], MCW_LIT("a&b/ c"));
	CHECK_OK(mcw_oss_read_deleted(MCW_LIT(""), &arena, &keys, &nkeys, &err));
	CHECK_INT(nkeys, 0);

	/* one document where another belongs */
	CHECK_INT(mcw_oss_read_list(body_of(doc, "delete_result"), &arena, &list, &err), MCW_ERR_FORMAT);
	CHECK_INT(mcw_oss_read_parts(body_of(doc, "list_v2"), &arena, &parts, &err), MCW_ERR_FORMAT);
	CHECK_INT(mcw_oss_read_complete(body_of(doc, "error"), &arena, &text, &err), MCW_ERR_FORMAT);
	mcw_arena_reset(&arena);
	json_object_put(doc);
}

/* ---- generated lists ---- */

/* A key of characters that XML and URLs must say in other ways */
static size_t
random_key(unit_random *r, char *key, bool url)
{
	static const char *const pieces[] = {
		"a", "dir/", "&", "<", ">", "\"", "'", "%", "%41", "+", " ", "]]>", "\xe4\xb8\xad", "\xf0\x9f\x98\x80",
		"=", "&amp;", "x-1_.~", "\x01", "\n"
	};
	size_t		npieces = sizeof(pieces) / sizeof(pieces[0]) - (url ? 0 : 2);
	size_t		len = 0;

	for (size_t n = 1 + unit_below(r, 8); n > 0; n--)
	{
		const char *piece = pieces[unit_below(r, npieces)];

		memcpy(key + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return len;
}

/* Text in one of the spellings XML has for it */
static void
put_text(unit_random *r, mcw_buf *out, mcw_view text)
{
	for (size_t i = 0; i < text.len;)
	{
		size_t		n = 1;

		while (i + n < text.len && ((unsigned char) text.data[i + n] & 0xC0) == 0x80)
			n++;
		if (n == 1 && unit_below(r, 4) == 0)
			(void) mcw_buf_printf(out, unit_below(r, 2) ? "&#%d;" : "&#x%X;", text.data[i]);
		else if (unit_below(r, 6) == 0)
			(void) mcw_buf_printf(out, "<![CDATA[%.*s]]>", (int) n, text.data + i);
		else
			(void) mcw_xml_escape(out, (mcw_view) {text.data + i, n});
		if (unit_below(r, 20) == 0)
			(void) mcw_buf_append_str(out, "<!-- <Key>no</Key> & -->");
		i += n;
	}
}

static void
put_element(unit_random *r, mcw_buf *out, const char *name, mcw_view text)
{
	if (unit_below(r, 5) == 0)
		(void) mcw_buf_append_str(out, "\n  ");
	(void) mcw_buf_printf(out, unit_below(r, 8) ? "<%s>" : "<%s a='>' b=\"/\" >", name);
	put_text(r, out, text);
	(void) mcw_buf_printf(out, unit_below(r, 8) ? "</%s>" : "</%s\n>", name);
}

static void
put_noise(unit_random *r, mcw_buf *out)
{
	static const char *const noise[] = {
		"<Owner><ID>1</ID><DisplayName>x</DisplayName></Owner>", "<!-- - -->", "<?pi <x> ?>", "<Key2/>", "\r\n\t",
		"<RestoreInfo a=\"&lt;/RestoreInfo>\">ongoing-request=\"true\"<Contents><Key>no</Key></Contents></RestoreInfo>",
		"<Name><![CDATA[</Name>]]></Name>", "<TransitionTime />"
	};

	if (unit_below(r, 3) == 0)
		(void) mcw_buf_append_str(out, noise[unit_below(r, sizeof(noise) / sizeof(noise[0]))]);
}

static void
one_list(unit_random *r)
{
	bool		url = unit_below(r, 2);
	int			nentries = (int) unit_below(r, 6);
	int			nprefixes = (int) unit_below(r, 20);
	bool		truncated = unit_below(r, 2);
	mcw_oss_entry want[6] = {0};
	mcw_view	prefixes[20];
	char		keys[26][64];
	char		number[32];
	char		date[40];
	mcw_buf		body;
	mcw_buf		text;
	mcw_arena	arena;
	mcw_oss_list list;
	mcw_error	err = {0};
	int			order[4] = {0, 1, 2, 3};

	mcw_buf_init(&body, &mcw_malloc, 1 << 20);
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	for (int i = 3; i > 0; i--)
	{
		int			j = (int) unit_below(r, (size_t) i + 1);
		int			t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	(void) mcw_buf_append_str(&body, unit_below(r, 2) ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>" :
							  "\xEF\xBB\xBF<!-- x --><ListBucketResult xmlns=\"http://doc.oss-cn-hangzhou.aliyuncs.com\">");
	for (int step = 0; step < 4; step++)
	{
		put_noise(r, &body);
		switch (order[step])
		{
			case 0:
				if (url)
					put_element(r, &body, "EncodingType", MCW_LIT("url"));
				break;
			case 1:
				put_element(r, &body, "IsTruncated", truncated ? MCW_LIT("true") : MCW_LIT("false"));
				if (truncated)
					put_element(r, &body, "NextContinuationToken", MCW_LIT("a+b%20="));
				break;
			case 2:
				for (int i = 0; i < nentries; i++)
				{
					mcw_oss_entry *e = &want[i];
					int			first = (int) unit_below(r, 6);

					e->key = (mcw_view) {keys[i], random_key(r, keys[i], url)};
					e->size = unit_next(r) >> unit_below(r, 64);
					e->last_modified = (int64_t) unit_below(r, 2000000000) * 1000000;
					e->etag = MCW_LIT("ABC-2");
					e->type = MCW_LIT("Multipart");
					e->storage_class = MCW_LIT("IA");
					(void) mcw_buf_append_str(&body, "<Contents>");
					for (int k = 0; k < 6; k++)
					{
						put_noise(r, &body);
						switch ((first + k) % 6)
						{
							case 0:
								mcw_buf_reset(&text);
								(void) (url ? mcw_percent_encode(&text, e->key, unit_below(r, 2)) : mcw_buf_append_view(&text, e->key));
								put_element(r, &body, "Key", mcw_buf_view(&text));
								break;
							case 1:
								(void) snprintf(number, sizeof(number), "%llu", (unsigned long long) e->size);
								put_element(r, &body, "Size", mcw_str(number));
								break;
							case 2:
								mcw_iso_basic(e->last_modified / 1000000, date);
								(void) snprintf(number, sizeof(number), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.000Z",
												date, date + 4, date + 6, date + 9, date + 11, date + 13);
								put_element(r, &body, "LastModified", mcw_str(number));
								break;
							case 3:
								put_element(r, &body, "ETag", unit_below(r, 2) ? MCW_LIT("\"ABC-2\"") : MCW_LIT("ABC-2"));
								break;
							case 4:
								put_element(r, &body, "Type", e->type);
								break;
							default:
								put_element(r, &body, "StorageClass", e->storage_class);
						}
					}
					(void) mcw_buf_append_str(&body, "</Contents>");
				}
				break;
			default:
				for (int i = 0; i < nprefixes; i++)
				{
					prefixes[i] = (mcw_view) {keys[6 + i], random_key(r, keys[6 + i], url)};
					mcw_buf_reset(&text);
					(void) (url ? mcw_percent_encode(&text, prefixes[i], false) : mcw_buf_append_view(&text, prefixes[i]));
					(void) mcw_buf_append_str(&body, "<CommonPrefixes>");
					put_element(r, &body, "Prefix", mcw_buf_view(&text));
					(void) mcw_buf_append_str(&body, "</CommonPrefixes>");
				}
		}
	}
	(void) mcw_buf_append_str(&body, "</ListBucketResult>\n<!-- end -->\n");
	CHECK_OK(mcw_buf_status(&body));

	if (!CHECK_OK(mcw_oss_read_list(mcw_buf_view(&body), &arena, &list, &err)))
		printf("    %s at %llu of\n%.*s\n", err.message, (unsigned long long) err.offset, (int) body.len, body.data);
	else
	{
		CHECK_INT(list.nentries, nentries);
		CHECK_INT(list.nprefixes, nprefixes);
		CHECK_INT(list.truncated, truncated);
		if (truncated)
			CHECK_VIEW(list.next_token, MCW_LIT("a+b%20="));
		for (int i = 0; i < nentries && i < list.nentries; i++)
		{
			CHECK_VIEW(list.entries[i].key, want[i].key);
			CHECK_VIEW(list.entries[i].etag, want[i].etag);
			CHECK_VIEW(list.entries[i].type, want[i].type);
			CHECK_VIEW(list.entries[i].storage_class, want[i].storage_class);
			CHECK(list.entries[i].size == want[i].size);
			CHECK_INT(list.entries[i].last_modified, want[i].last_modified);
		}
		for (int i = 0; i < nprefixes && i < list.nprefixes; i++)
			CHECK_VIEW(list.prefixes[i], prefixes[i]);
	}
	mcw_arena_reset(&arena);
	mcw_buf_free(&body);
	mcw_buf_free(&text);
}

static void
generated(void)
{
	unit_random r = {20250304};

	for (int i = 0; i < 3000; i++)
		one_list(&r);
}

/* ---- damage ---- */

static const char list_head[] = "<ListBucketResult><IsTruncated>false</IsTruncated>";

#define ENTRY(members) "<ListBucketResult><IsTruncated>false</IsTruncated><Contents>" members "</Contents></ListBucketResult>"
#define KEY "<Key>k</Key>"
#define SIZE "<Size>1</Size>"
#define TIME "<LastModified>2025-03-04T05:06:07.000Z</LastModified>"
#define ETAG "<ETag>\"A\"</ETag>"

static void
damage(void)
{
	static const struct
	{
		const char *body;
		mcw_status	status;
	}			bodies[] = {
		{ENTRY(KEY SIZE TIME ETAG), MCW_OK},
		{ENTRY(SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key></Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key/>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY(KEY TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE ETAG), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE TIME), MCW_ERR_FORMAT},
		{ENTRY(KEY "<Size>-1</Size>" TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY(KEY "<Size>18446744073709551616</Size>" TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE "<LastModified>today</LastModified>" ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>&nbsp;</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>&#0;</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>&#xD800;</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>&#x110000;</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>&#99999999999;</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>a&b</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>\xff</Key>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY("<Key>k</Kex>" SIZE TIME ETAG), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE TIME ETAG "<Owner><ID></Owner></ID>"), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE TIME ETAG "< >"), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE TIME ETAG "<a <b>"), MCW_ERR_FORMAT},
		{ENTRY(KEY SIZE TIME ETAG "<!ELEMENT x>"), MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>false</IsTruncated><Contents/></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult/>", MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>maybe</IsTruncated></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken> </NextContinuationToken></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>", MCW_OK},
		{"<ListBucketResult><IsTruncated>false</IsTruncated><EncodingType>base64</EncodingType></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>x", MCW_ERR_FORMAT},
		{"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult><a/>", MCW_ERR_FORMAT},
		{"<!DOCTYPE ListBucketResult [<!ENTITY x \"y\">]><ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>", MCW_ERR_UNSUPPORTED},
		{"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>a%00b</Key>" SIZE TIME ETAG "</Contents></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>%ff</Key>" SIZE TIME ETAG "</Contents></ListBucketResult>", MCW_ERR_FORMAT},
		{"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>%zz%4</Key>" SIZE TIME ETAG "</Contents></ListBucketResult>", MCW_OK},
		{"<Error><Code>X</Code></Error>", MCW_ERR_FORMAT},
		{"<html>", MCW_ERR_FORMAT},
		{"no XML", MCW_ERR_FORMAT},
		{"", MCW_ERR_FORMAT},
		{"<", MCW_ERR_FORMAT},
		{"</ListBucketResult>", MCW_ERR_FORMAT},
	};
	mcw_arena	arena;

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		mcw_oss_list list;
		mcw_error	err = {0};

		if (!CHECK_INT(mcw_oss_read_list(mcw_str(bodies[i].body), &arena, &list, &err), bodies[i].status))
			printf("    %s\n    %s\n", bodies[i].body, err.message);
		CHECK_INT(err.status, bodies[i].status);
	}
	mcw_arena_reset(&arena);
}

/* Every prefix of a document is malformed, and changed bytes never crash */
static void
cut_and_changed(void)
{
	json_object *doc = vectors_open(responses);
	mcw_view	body = body_of(doc, "list_v1");
	size_t		whole = body.len;
	unit_random r = {5};
	mcw_arena	arena;
	mcw_oss_list list;
	mcw_error	err = {0};

	while (whole > 0 && body.data[whole - 1] != '>')
		whole--;
	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	for (size_t len = 0; len < whole; len++)
	{
		char	   *exact = malloc(len ? len : 1);

		memcpy(exact, body.data, len);
		CHECK_INT(mcw_oss_read_list((mcw_view) {exact, len}, &arena, &list, &err), MCW_ERR_FORMAT);
		free(exact);
		mcw_arena_reset(&arena);
	}
	for (int i = 0; i < 20000; i++)
	{
		char	   *copy = malloc(body.len);

		memcpy(copy, body.data, body.len);
		for (size_t n = 1 + unit_below(&r, 3); n > 0; n--)
			copy[unit_below(&r, body.len)] = "<>&;/!-[]\"' x%"[unit_below(&r, 14)];
		(void) mcw_oss_read_list((mcw_view) {copy, body.len}, &arena, &list, &err);
		free(copy);
		mcw_arena_reset(&arena);
	}
	json_object_put(doc);
}

static mcw_status
attempt_list(const mcw_alloc *alloc, void *arg)
{
	mcw_arena	arena;
	mcw_oss_list list;
	mcw_status	status;

	mcw_arena_init(&arena, alloc, MAX_TREE);
	status = mcw_oss_read_list(mcw_buf_view(arg), &arena, &list, NULL);
	if (status == MCW_OK)
		CHECK_INT(list.nentries, 1000);
	mcw_arena_reset(&arena);
	return status;
}

static void
full_page(mcw_buf *body)
{
	(void) mcw_buf_append_str(body, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	(void) mcw_buf_append_str(body, list_head);
	(void) mcw_buf_append_str(body, "<EncodingType>url</EncodingType><KeyCount>1000</KeyCount>\n");
	for (int i = 0; i < 1000; i++)
		(void) mcw_buf_printf(body, "  <Contents>\n    <Key>warehouse%%2Fods_orders%%2Fdt%%3D2025-03-04%%2Fpart-%05d.csv.gz</Key>\n"
							  "    <LastModified>2025-03-04T05:06:07.000Z</LastModified>\n"
							  "    <ETag>\"5EB63BBBE01EEED093CB22BB8F5ACDC3\"</ETag>\n    <Type>Normal</Type>\n"
							  "    <Size>%d</Size>\n    <StorageClass>Standard</StorageClass>\n"
							  "    <Owner>\n      <ID>1305433000000000</ID>\n      <DisplayName>x</DisplayName>\n    </Owner>\n"
							  "  </Contents>\n", i, 1000 + i);
	(void) mcw_buf_append_str(body, "</ListBucketResult>");
	CHECK_OK(mcw_buf_status(body));
}

static void
memory(void)
{
	mcw_buf		body;
	mcw_arena	arena;
	mcw_oss_list list;
	mcw_error	err = {0};

	mcw_buf_init(&body, &mcw_malloc, 1 << 20);
	full_page(&body);
	unit_torture(attempt_list, &body);
	mcw_arena_init(&arena, &mcw_malloc, body.len + 1000);
	CHECK_INT(mcw_oss_read_list(mcw_buf_view(&body), &arena, &list, &err), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
	mcw_buf_free(&body);
}

/* ---- other documents ---- */

static void
uploads(void)
{
	static const char text[] = "<ListMultipartUploadsResult><EncodingType>url</EncodingType><NextKeyMarker>a%2Fb+c</NextKeyMarker>"
		"<NextUploadIdMarker>U2</NextUploadIdMarker><IsTruncated>true</IsTruncated>"
		"<Upload><Key>a%2Fb%20c</Key><UploadId>U1</UploadId><Initiated>2025-03-04T05:06:07.000Z</Initiated></Upload>"
		"<Upload><Key>%E4%B8%AD</Key><UploadId>U2</UploadId><Initiated>2025-03-04T05:06:08.000Z</Initiated></Upload>"
		"</ListMultipartUploadsResult>";
	static const char *const bad[] = {
		"<ListMultipartUploadsResult/>",
		"<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker/></ListMultipartUploadsResult>",
		"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>a</Key><Initiated>2025-03-04T05:06:07.000Z</Initiated></Upload></ListMultipartUploadsResult>",
		"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><UploadId>a</UploadId><Initiated>2025-03-04T05:06:07.000Z</Initiated></Upload></ListMultipartUploadsResult>",
		"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated><Upload><Key>a</Key><UploadId>a</UploadId></Upload></ListMultipartUploadsResult>",
		"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>",
	};
	mcw_arena	arena;
	mcw_oss_uploads list;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	CHECK_OK(mcw_oss_read_uploads(mcw_str(text), &arena, &list, &err));
	CHECK_INT(list.nuploads, 2);
	CHECK_VIEW(list.uploads[0].key, MCW_LIT("a/b c"));
	CHECK_VIEW(list.uploads[1].key, MCW_LIT("\xe4\xb8\xad"));
	CHECK_VIEW(list.uploads[1].upload_id, MCW_LIT("U2"));
	CHECK_INT(list.uploads[1].initiated, INT64_C(1741064768000000));
	CHECK_VIEW(list.next_key, MCW_LIT("a/b c"));
	CHECK_VIEW(list.next_upload_id, MCW_LIT("U2"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_INT(mcw_oss_read_uploads(mcw_str(bad[i]), &arena, &list, &err), MCW_ERR_FORMAT);
	mcw_arena_reset(&arena);
}

static void
damaged_answers(void)
{
	static const char *const parts[] = {
		"<ListPartsResult/>",
		"<ListPartsResult><IsTruncated>true</IsTruncated></ListPartsResult>",
		"<ListPartsResult><IsTruncated>false</IsTruncated><Part><ETag>\"A\"</ETag><Size>1</Size></Part></ListPartsResult>",
		"<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>0</PartNumber><ETag>\"A\"</ETag><Size>1</Size></Part></ListPartsResult>",
		"<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><Size>1</Size></Part></ListPartsResult>",
		"<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>\"A\"</ETag></Part></ListPartsResult>",
		"<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber><ETag>A</ETag><Size>1</Size><HashCrc64ecma>x</HashCrc64ecma></Part></ListPartsResult>",
	};
	mcw_arena	arena;
	mcw_oss_parts list;
	mcw_view	text;
	mcw_view   *keys;
	int			nkeys;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		CHECK_INT(mcw_oss_read_parts(mcw_str(parts[i]), &arena, &list, &err), MCW_ERR_FORMAT);
	CHECK_INT(mcw_oss_read_initiate(MCW_LIT("<InitiateMultipartUploadResult/>"), &arena, &text, &err), MCW_ERR_FORMAT);
	CHECK_INT(mcw_oss_read_complete(MCW_LIT("<CompleteMultipartUploadResult><ETag>\"\"</ETag></CompleteMultipartUploadResult>"), &arena, &text, &err), MCW_ERR_FORMAT);
	CHECK_INT(mcw_oss_read_deleted(MCW_LIT("<DeleteResult><Deleted/></DeleteResult>"), &arena, &keys, &nkeys, &err), MCW_ERR_FORMAT);
	mcw_arena_reset(&arena);
}

/* What we send reads back as it was meant */
static void
written(void)
{
	mcw_oss_part parts[2] = {{.number = 1, .etag = MCW_LIT("A&1")}, {.number = 10000, .etag = MCW_LIT("B")}};
	mcw_view	keys[3] = {MCW_LIT("a.csv"), MCW_LIT("b & <c>\".csv"), MCW_LIT("\xe4\xb8\xad\r\n")};
	mcw_view	control = MCW_LIT("a\001b");
	mcw_view	invalid = MCW_LIT("a\xff");
	mcw_node   *root = NULL;
	const mcw_node *node;
	mcw_arena	arena;
	mcw_buf		body;
	int64_t		number;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	mcw_buf_init(&body, &mcw_malloc, 1 << 16);
	CHECK_OK(mcw_oss_write_complete(parts, 2, &body));
	CHECK_OK(mcw_xml_parse(mcw_buf_view(&body), &arena, &root, &err));
	CHECK_VIEW(root->name, MCW_LIT("CompleteMultipartUpload"));
	CHECK_INT(root->nchildren, 2);
	node = mcw_node_get(root, "Part");
	CHECK_VIEW(mcw_oss_etag(mcw_node_text(node, "ETag")), parts[0].etag);
	node = mcw_node_next(node, "Part");
	CHECK(mcw_node_int(node, "PartNumber", &number) && number == 10000);

	for (int quiet = 0; quiet < 2; quiet++)
	{
		mcw_buf_reset(&body);
		CHECK_OK(mcw_oss_write_delete(keys, 3, quiet, &body));
		CHECK_OK(mcw_xml_parse(mcw_buf_view(&body), &arena, &root, &err));
		CHECK_VIEW(root->name, MCW_LIT("Delete"));
		CHECK_VIEW(mcw_node_text(root, "Quiet"), quiet ? MCW_LIT("true") : MCW_LIT("false"));
		node = mcw_node_get(root, "Object");
		for (int i = 0; i < 3; i++, node = mcw_node_next(node, "Object"))
			CHECK_VIEW(mcw_node_text(node, "Key"), keys[i]);
		CHECK(node == NULL);
	}
	CHECK_INT(mcw_oss_write_delete(&control, 1, true, &body), MCW_ERR_RANGE);
	CHECK_INT(mcw_oss_write_delete(&invalid, 1, true, &body), MCW_ERR_RANGE);
	mcw_buf_free(&body);
	mcw_buf_init(&body, &mcw_malloc, 40);
	CHECK_INT(mcw_oss_write_delete(keys, 3, true, &body), MCW_ERR_LIMIT);
	mcw_buf_free(&body);
	mcw_arena_reset(&arena);

	CHECK_VIEW(mcw_oss_etag(MCW_LIT(" \"\"A\"\" ")), MCW_LIT("A"));
	CHECK_VIEW(mcw_oss_etag(MCW_LIT("A-1")), MCW_LIT("A-1"));
	CHECK_INT(mcw_oss_etag(MCW_LIT("\"")).len, 0);
	CHECK_INT(mcw_oss_etag(MCW_LIT("")).len, 0);
	CHECK(mcw_oss_etag_eq(MCW_LIT("ab-1"), MCW_LIT("AB-1")));
}

static void
errors(void)
{
	json_object *doc = vectors_open(responses);
	mcw_error	err = {0};
	mcw_buf		body;

	CHECK(mcw_error_body(body_of(doc, "error"), &err));
	CHECK_STR(err.code, "NoSuchKey");
	CHECK_STR(err.text, "The specified key does not exist. (EC 0026-00000001)");
	CHECK_STR(err.request_id, "67C68A2F2E6F3A3337000001");
	json_object_put(doc);

	memset(&err, 0, sizeof(err));
	CHECK(mcw_error_body(MCW_LIT("<Error><Code>AccessDenied</Code><Message>Use another.</Message><Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint><EC>0003-00001403</EC></Error>"), &err));
	CHECK_STR(err.text, "Use another. (the endpoint of the bucket is oss-cn-beijing.aliyuncs.com) (EC 0003-00001403)");
	memset(&err, 0, sizeof(err));
	CHECK(mcw_error_body(MCW_LIT("<Error><Code>X</Code><EC>1</EC></Error>"), &err));
	CHECK_STR(err.text, "(EC 1)");

	/* a long message gives way to the EC */
	mcw_buf_init(&body, &mcw_malloc, 1 << 16);
	(void) mcw_buf_append_str(&body, "<Error><Code>X</Code><EC>0026-00000001</EC><Endpoint>e</Endpoint><Message>x");
	for (int i = 0; i < 1000; i++)
		(void) mcw_buf_append_str(&body, "\xe4\xb8\xad");
	(void) mcw_buf_append_str(&body, "</Message></Error>");
	CHECK(mcw_error_body(mcw_buf_view(&body), &err));
	CHECK(strlen(err.text) > sizeof(err.text) - 5);
	CHECK(strstr(err.text, " (EC 0026-00000001)") == err.text + strlen(err.text) - 19);
	CHECK_INT(mcw_utf8_valid(err.text, strlen(err.text)), strlen(err.text));
	mcw_buf_free(&body);
}

static const unit_case cases[] = {
	{"vectors", vectors},
	{"generated lists", generated},
	{"damage", damage},
	{"cut and changed", cut_and_changed},
	{"memory", memory},
	{"uploads", uploads},
	{"damaged answers", damaged_answers},
	{"written bodies", written},
	{"errors", errors},
};

UNIT_MAIN(cases)
