/*
 * test_doc.c
 *		XML and JSON trees, escaping, error bodies.
 */
#include "unit.h"

#include "../../src/wire/mcw_doc.h"
#include "../../src/wire/mcw_text.h"

#define MAX_TREE ((size_t) 4 << 20)

static mcw_arena arena;

static mcw_node *
xml(const char *text)
{
	mcw_node   *root = NULL;
	mcw_error	err = {0};

	if (!CHECK_OK(mcw_xml_parse(mcw_str(text), &arena, &root, &err)))
		printf("    %s\n", err.message);
	return root;
}

static mcw_node *
json(const char *text)
{
	mcw_node   *root = NULL;
	mcw_error	err = {0};

	if (!CHECK_OK(mcw_json_parse(mcw_str(text), &arena, &root, &err)))
		printf("    %s: %s\n", text, err.message);
	return root;
}

/* --- XML -------------------------------------------------------------- */

static void
xml_tree(void)
{
	const mcw_node *root;
	const mcw_node *task;
	int64_t		number;

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	root = xml("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c -->\n"
			   "<Instance xmlns='urn:x'>\n <Tasks><Task Type=\"SQL\" n='&lt;&#65;'><Name>a&amp;b</Name></Task>"
			   "<Task Type='X'><Result Format=\"csv\"><![CDATA[<x>]]>&gt;<!-- c --><![CDATA[ ]]></Result></Task></Tasks>"
			   "<N> 42 </N><Empty/><N>43</N></Instance>\n");
	CHECK_VIEW(root->name, MCW_LIT("Instance"));
	CHECK_INT(root->kind, MCW_NODE_OBJECT);
	task = mcw_node_get(mcw_node_get(root, "Tasks"), "Task");
	CHECK_VIEW(mcw_node_text(task, "@Type"), MCW_LIT("SQL"));
	CHECK_VIEW(mcw_node_text(task, "@n"), MCW_LIT("<A"));
	CHECK_VIEW(mcw_node_text(task, "Name"), MCW_LIT("a&b"));
	CHECK_INT(task->nchildren, 3);
	task = mcw_node_next(task, "Task");
	CHECK_VIEW(mcw_node_text(task, "@Type"), MCW_LIT("X"));
	CHECK_VIEW(mcw_node_text(task, "Result"), MCW_LIT("<x>> "));
	CHECK(mcw_node_next(task, "Task") == NULL);
	CHECK(mcw_node_int(root, "N", &number) && number == 42);
	CHECK_VIEW(mcw_node_next(mcw_node_get(root, "N"), "N")->text, MCW_LIT("43"));
	CHECK(mcw_node_get(root, "Empty") && mcw_node_get(root, "Empty")->text.len == 0);
	CHECK(mcw_node_get(root, "Missing") == NULL && mcw_node_get(NULL, "x") == NULL);
	CHECK(mcw_node_text(root, "Missing").data == NULL);
	CHECK(!mcw_node_int(root, "Missing", &number) && !mcw_node_int(root, "Empty", &number));
	/* another encoding is brought to UTF-8 */
	root = xml("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>");
	CHECK_VIEW(root->text, MCW_LIT("\xc3\xa9"));
	mcw_arena_reset(&arena);
}

/* Depth elements around a text */
static void
nested_xml(mcw_buf *out, int depth)
{
	for (int i = 0; i < depth; i++)
		CHECK_OK(mcw_buf_append_str(out, "<a>"));
	for (int i = 0; i < depth; i++)
		CHECK_OK(mcw_buf_append_str(out, "</a>"));
}

static void
xml_refused(void)
{
	static const struct
	{
		const char *text;
		mcw_status	status;
	}			bad[] = {
		{"", MCW_ERR_FORMAT},
		{"<a>", MCW_ERR_FORMAT},
		{"<a></b>", MCW_ERR_FORMAT},
		{"<a/><b/>", MCW_ERR_FORMAT},
		{"<a>\xff</a>", MCW_ERR_FORMAT},
		{"<a>&nope;</a>", MCW_ERR_FORMAT},
		{"text", MCW_ERR_FORMAT},
		{"<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>", MCW_ERR_UNSUPPORTED},
		{"<!DOCTYPE a SYSTEM \"http://127.0.0.1:1/x.dtd\"><a/>", MCW_ERR_UNSUPPORTED},
	};
	mcw_buf		deep;

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	mcw_buf_init(&deep, &mcw_malloc, 1 << 20);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		mcw_node   *root;
		mcw_error	err = {0};

		if (!CHECK_INT(mcw_xml_parse(mcw_str(bad[i].text), &arena, &root, &err), bad[i].status))
			printf("    %s\n", bad[i].text);
		CHECK(err.message[0] != '\0' && strchr(err.message, '\n') == NULL);
	}
	for (int depth = MCW_DOC_MAX_DEPTH; depth <= 20000; depth = depth == MCW_DOC_MAX_DEPTH ? depth + 1 : depth * 4)
	{
		mcw_node   *root;
		mcw_status	status;

		mcw_buf_reset(&deep);
		nested_xml(&deep, depth);
		status = mcw_xml_parse(mcw_buf_view(&deep), &arena, &root, NULL);
		CHECK(depth <= MCW_DOC_MAX_DEPTH ? status == MCW_OK : status == MCW_ERR_LIMIT || status == MCW_ERR_FORMAT);
	}
	mcw_buf_free(&deep);
	mcw_arena_reset(&arena);
}

/* --- JSON ------------------------------------------------------------- */

static void
json_tree(void)
{
	const mcw_node *root;
	const mcw_node *list;
	int64_t		number;

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	root = json(" {\"s\":\"a\\u0000\\n\\ud83d\\ude00\\/\", \"i\":9223372036854775807, \"m\":-9223372036854775808,"
				"\"u\":18446744073709551615, \"d\":1.50, \"e\":1E5, \"t\":true, \"f\":false, \"n\":null,"
				"\"q\":\"123\", \"l\":[1,[],{}], \"dup\":1, \"dup\":2, \"\":0} \n");
	CHECK_INT(root->kind, MCW_NODE_OBJECT);
	CHECK_VIEW(mcw_node_text(root, "s"), MCW_LIT("a\0\n\xf0\x9f\x98\x80/"));
	CHECK_VIEW(mcw_node_text(root, "i"), MCW_LIT("9223372036854775807"));
	CHECK(mcw_node_int(root, "i", &number) && number == INT64_MAX);
	CHECK(mcw_node_int(root, "m", &number) && number == INT64_MIN);
	CHECK_VIEW(mcw_node_text(root, "u"), MCW_LIT("18446744073709551615"));
	CHECK(!mcw_node_int(root, "u", &number));
	CHECK_VIEW(mcw_node_text(root, "d"), MCW_LIT("1.50"));
	CHECK(!mcw_node_int(root, "d", &number));
	CHECK_VIEW(mcw_node_text(root, "e"), MCW_LIT("1E5"));
	CHECK(mcw_node_get(root, "t")->boolean && mcw_node_get(root, "t")->kind == MCW_NODE_BOOL);
	CHECK(!mcw_node_get(root, "f")->boolean);
	CHECK_INT(mcw_node_get(root, "n")->kind, MCW_NODE_NULL);
	CHECK(mcw_node_text(root, "n").data == NULL);
	CHECK(mcw_node_int(root, "q", &number) && number == 123);
	CHECK(mcw_node_int(root, "dup", &number) && number == 2);
	CHECK(mcw_node_int(root, "", &number) && number == 0);
	list = mcw_node_get(root, "l");
	CHECK_INT(list->kind, MCW_NODE_ARRAY);
	CHECK_INT(list->nchildren, 3);
	CHECK_INT(list->first->next->kind, MCW_NODE_ARRAY);
	CHECK_INT(list->first->next->next->kind, MCW_NODE_OBJECT);
	CHECK_VIEW(json("12")->text, MCW_LIT("12"));
	CHECK_VIEW(json("-0.0 ")->text, MCW_LIT("-0.0"));
	CHECK_INT(json("null")->kind, MCW_NODE_NULL);
	CHECK_INT(json("[]")->nchildren, 0);
	CHECK_VIEW(json("\"\xe4\xb8\xad\"")->text, MCW_LIT("\xe4\xb8\xad"));
	mcw_arena_reset(&arena);
}

static void
json_refused(void)
{
	static const mcw_view bad[] = {
		MCW_LIT(""), MCW_LIT(" "), MCW_LIT("{"), MCW_LIT("{\"a\":1,}"), MCW_LIT("[1,]"), MCW_LIT("[1] x"),
		MCW_LIT("{} {}"), MCW_LIT("{'a':1}"), MCW_LIT("nul"), MCW_LIT("NaN"), MCW_LIT("[01]"), MCW_LIT("\"a"),
		MCW_LIT("\"\xff\""), MCW_LIT("\"\xc1\xb6\""), MCW_LIT("[1 /* c */]"), MCW_LIT("{a:1}"), MCW_LIT("[1]\0"),
		MCW_LIT("123456789012345678901234567890"), MCW_LIT("18446744073709551616"), MCW_LIT("-9223372036854775809"), MCW_LIT("[-]"), MCW_LIT("Infinity"), MCW_LIT("[-Infinity]"), MCW_LIT("[1.]"), MCW_LIT("[1-2]"), MCW_LIT("[+1]"), MCW_LIT("\"\\x\""), MCW_LIT("tRue"), MCW_LIT("\"\n\""),
	};
	mcw_buf		deep;

	mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		mcw_node   *root;
		mcw_error	err = {0};

		if (!CHECK_INT(mcw_json_parse(bad[i], &arena, &root, &err), MCW_ERR_FORMAT))
			printf("    %s\n", bad[i].data);
		CHECK(err.message[0] != '\0');
	}
	mcw_buf_init(&deep, &mcw_malloc, 1 << 20);
	for (int depth = MCW_DOC_MAX_DEPTH; depth <= 100000; depth = depth == MCW_DOC_MAX_DEPTH ? depth + 1 : depth * 4)
	{
		mcw_node   *root;

		mcw_buf_reset(&deep);
		for (int i = 0; i < depth; i++)
			CHECK_OK(mcw_buf_append_char(&deep, '['));
		for (int i = 0; i < depth; i++)
			CHECK_OK(mcw_buf_append_char(&deep, ']'));
		CHECK_INT(mcw_json_parse(mcw_buf_view(&deep), &arena, &root, NULL),
				  depth <= MCW_DOC_MAX_DEPTH ? MCW_OK : MCW_ERR_LIMIT);
	}
	mcw_buf_free(&deep);
	mcw_arena_reset(&arena);
}

/* A tree that does not fit the arena */
static void
arena_limit(void)
{
	mcw_node   *root;

	for (size_t max = 0; max < 700; max += 35)
	{
		mcw_arena_init(&arena, &mcw_malloc, max);
		CHECK_INT(mcw_json_parse(MCW_LIT("{\"a\":[1,2,3,\"text\",{\"b\":null}],\"c\":0.5,\"d\":[[[]]]}"), &arena, &root, NULL), MCW_ERR_LIMIT);
		mcw_arena_reset(&arena);
		CHECK_INT(mcw_xml_parse(MCW_LIT("<a b='c' d='e'><f>g</f><f>g</f><f>g</f><f>g</f><f>g</f></a>"), &arena, &root, NULL), MCW_ERR_LIMIT);
		mcw_arena_reset(&arena);
	}
}

/* --- writing ---------------------------------------------------------- */

static void
escapes(void)
{
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 1 << 16);
	CHECK_OK(mcw_xml_escape(&out, MCW_LIT("a<b>&\"'\r\n\t\xe4\xb8\xad")));
	CHECK_VIEW(mcw_buf_view(&out), MCW_LIT("a&lt;b&gt;&amp;&quot;'&#13;\n\t\xe4\xb8\xad"));
	CHECK_INT(mcw_xml_escape(&out, MCW_LIT("\1")), MCW_ERR_RANGE);
	CHECK_INT(mcw_xml_escape(&out, MCW_LIT("\0")), MCW_ERR_RANGE);
	CHECK_INT(mcw_xml_escape(&out, MCW_LIT("\xff")), MCW_ERR_RANGE);
	mcw_buf_reset(&out);
	CHECK_OK(mcw_json_quote(&out, MCW_LIT("\"\\/\b\f\n\r\t\0\x1f\x7f\xc3\xa9")));
	CHECK_VIEW(mcw_buf_view(&out), MCW_LIT("\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa9\""));
	CHECK_INT(mcw_json_quote(&out, MCW_LIT("\xc3")), MCW_ERR_RANGE);
	mcw_buf_free(&out);
	mcw_buf_init(&out, &mcw_malloc, 3);
	CHECK_INT(mcw_json_quote(&out, MCW_LIT("abc")), MCW_ERR_LIMIT);
	CHECK_INT(mcw_xml_escape(&out, MCW_LIT("<<")), MCW_ERR_LIMIT);
	mcw_buf_free(&out);
}

/* Any valid text survives quoting and parsing, in both notations */
static void
escape_round_trip(void)
{
	unit_random r = {8};
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 1 << 16);
	for (int n = 0; n < 3000; n++)
	{
		char		data[60];
		mcw_view	text = {data, 0};
		mcw_node   *root;

		while (text.len < unit_below(&r, 50))
		{
			static const char *const pieces[] = {"\n", "\t", "\r", "<", "&", "\"", "\\", "'", "]]>", "x", " ", "\xc3\xa9", "\xf0\x9f\x98\x80", "\x7f"};
			const char *piece = pieces[unit_below(&r, 14)];

			memcpy(data + text.len, piece, strlen(piece));
			text.len += strlen(piece);
		}
		mcw_arena_init(&arena, &mcw_malloc, MAX_TREE);
		mcw_buf_reset(&out);
		CHECK_OK(mcw_json_quote(&out, text));
		CHECK_OK(mcw_json_parse(mcw_buf_view(&out), &arena, &root, NULL));
		CHECK_VIEW(root->text, text);
		mcw_buf_reset(&out);
		CHECK_OK(mcw_buf_append_str(&out, "<a>"));
		CHECK_OK(mcw_xml_escape(&out, text));
		CHECK_OK(mcw_buf_append_str(&out, "</a>"));
		CHECK_OK(mcw_xml_parse(mcw_buf_view(&out), &arena, &root, NULL));
		CHECK_VIEW(root->text, text);
		mcw_arena_reset(&arena);
	}
	mcw_buf_free(&out);
}

/* --- error bodies ----------------------------------------------------- */

static void
error_bodies(void)
{
	static const struct
	{
		const char *body;
		const char *code;		/* NULL: none of ours */
		const char *text;
		const char *request_id;
	}			bodies[] = {
		{"{\"errorCode\":\"ProjectNotExist\",\"errorMessage\":\"The Project does not exist : p\"}", "ProjectNotExist", "The Project does not exist : p", ""},
		{"{\"Code\":\"NoSuchTable\",\"Message\":\"m\",\"RequestId\":\"r1\"}", "NoSuchTable", "m", "r1"},
		{"{\"Code\":\"NoSuchTable\"}", "NoSuchTable", "", ""},
		{"<?xml version=\"1.0\"?>\n<Error>\n\t<Code>NoSuchObject</Code>\n\t<Message><![CDATA[ODPS-0130131:Table not found - 't1']]></Message>\n\t<RequestId>5FA1</RequestId>\n\t<HostId>h</HostId>\n</Error>\n", "NoSuchObject", "ODPS-0130131:Table not found - 't1'", "5FA1"},
		{"<Error><Code> X </Code><Message>\n m\n</Message></Error>", "X", "m", ""},
		{"", NULL, "", ""},
		{"<html><body>502 Bad Gateway</body></html>", NULL, "", ""},
		{"Service Unavailable", NULL, "", ""},
		{"{\"Code\":\"\"}", NULL, "", ""},
		{"{\"Code\":", NULL, "", ""},
		{"{\"count\":1}", NULL, "", ""},
		{"[1]", NULL, "", ""},
		{"<Error/>", NULL, "", ""},
		{"<Error><Code/></Error>", NULL, "", ""},
		{"{\"Code\":null}", NULL, "", ""},
	};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		mcw_error	err;

		mcw_fail(&err, MCW_ERR_SERVICE, "unchanged");
		if (!CHECK_INT(mcw_error_body(mcw_str(bodies[i].body), &err), bodies[i].code != NULL))
			printf("    %s\n", bodies[i].body);
		CHECK_STR(err.code, bodies[i].code ? bodies[i].code : "");
		CHECK_STR(err.text, bodies[i].text);
		CHECK_STR(err.request_id, bodies[i].request_id);
		CHECK_STR(err.message, "unchanged");
		CHECK_INT(err.status, MCW_ERR_SERVICE);
	}
}

/* A long message is cut between characters, and a NUL ends it */
static void
long_error(void)
{
	mcw_error	err = {0};
	mcw_buf		body;

	mcw_buf_init(&body, &mcw_malloc, 1 << 16);
	CHECK_OK(mcw_buf_append_str(&body, "{\"Code\":\"A\\u0000B\",\"RequestId\":\"r\",\"Message\":\"xx"));
	for (int i = 0; i < 1000; i++)
		CHECK_OK(mcw_buf_append_str(&body, "\xe4\xb8\xad"));
	CHECK_OK(mcw_buf_append_str(&body, "\"}"));
	CHECK(mcw_error_body(mcw_buf_view(&body), &err));
	CHECK_STR(err.code, "A");
	CHECK(strlen(err.text) > sizeof(err.text) - 4 && strlen(err.text) < sizeof(err.text));
	CHECK_INT(mcw_utf8_valid(err.text, strlen(err.text)), strlen(err.text));
	mcw_buf_free(&body);
}

/* --- memory ----------------------------------------------------------- */

static mcw_status
attempt_both(const mcw_alloc *alloc, void *arg)
{
	mcw_arena	a;
	mcw_node   *root;
	mcw_status	status;

	mcw_arena_init(&a, alloc, MAX_TREE);
	status = mcw_json_parse(mcw_buf_view(arg), &a, &root, NULL);
	mcw_arena_reset(&a);
	if (status != MCW_OK)
		return status;
	mcw_arena_init(&a, alloc, MAX_TREE);
	status = mcw_xml_parse(MCW_LIT("<a b='c'><d>e</d><d><![CDATA[x]]></d></a>"), &a, &root, NULL);
	mcw_arena_reset(&a);
	return status;
}

static void
torture(void)
{
	mcw_buf		text;

	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	CHECK_OK(mcw_buf_append_char(&text, '['));
	for (int i = 0; i < 2000; i++)
		CHECK_OK(mcw_buf_append_str(&text, "{\"k\":\"some text\"},"));
	CHECK_OK(mcw_buf_append_str(&text, "1.5]"));
	unit_torture(attempt_both, &text);
	mcw_buf_free(&text);
}

static const unit_case cases[] = {
	{"xml tree", xml_tree},
	{"xml refused", xml_refused},
	{"json tree", json_tree},
	{"json refused", json_refused},
	{"arena limit", arena_limit},
	{"escapes", escapes},
	{"escape round trip", escape_round_trip},
	{"error bodies", error_bodies},
	{"long error", long_error},
	{"torture", torture},
};

UNIT_MAIN(cases)
