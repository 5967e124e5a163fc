/*
 * mcw_doc.c
 *		Small documents of the control calls: XML through libxml2, JSON through json-c,
 *		both copied into one kind of tree in arena memory.
 *
 * Both libraries allocate their own tree with malloc while a document is parsed;
 * it is gone when the parse function returns.  Bodies are bounded by whoever
 * received them, the copy by the arena's maximum.
 */
#include "mcw_doc.h"
#include "mcw_text.h"

#include <json-c/json.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdio.h>

#define MAX_ERROR_BODY 1048576

/* State of one conversion: the first failure ends it */
typedef struct doc_copy
{
	mcw_arena  *arena;
	mcw_error  *err;
	mcw_status	status;
} doc_copy;

static mcw_status
copy_failed(doc_copy *c, mcw_status status, const char *what)
{
	c->status = mcw_fail(c->err, status, "document: %s", what);
	return c->status;
}

static mcw_node *
new_node(doc_copy *c, mcw_node_kind kind, const char *name)
{
	mcw_node   *node = mcw_arena_new(c->arena, sizeof(mcw_node));
	mcw_status	status = node ? MCW_OK : mcw_arena_why(c->arena, sizeof(mcw_node));

	if (node && name)
		status = mcw_arena_copy(c->arena, mcw_str(name), &node->name);
	if (status != MCW_OK)
	{
		copy_failed(c, status, "it takes too much memory");
		return NULL;
	}
	node->kind = kind;
	return node;
}

static bool
set_text(doc_copy *c, mcw_node *node, const char *data, size_t len)
{
	mcw_view	v = {data, len};
	mcw_status	status = mcw_arena_copy(c->arena, v, &node->text);

	if (status != MCW_OK)
		copy_failed(c, status, "it takes too much memory");
	return status == MCW_OK;
}

/* --- XML -------------------------------------------------------------- */

/* All text and CDATA directly below the element, joined */
static bool
xml_text(doc_copy *c, const xmlNode *element, mcw_node *node)
{
	size_t		len = 0;
	char	   *text;

	for (const xmlNode *child = element->children; child; child = child->next)
		if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) && child->content)
			len += strlen((const char *) child->content);
	text = mcw_arena_new(c->arena, len + 1);
	if (text == NULL)
	{
		copy_failed(c, mcw_arena_why(c->arena, len + 1), "it takes too much memory");
		return false;
	}
	node->text.data = text;
	node->text.len = len;
	for (const xmlNode *child = element->children; child; child = child->next)
		if ((child->type == XML_TEXT_NODE || child->type == XML_CDATA_SECTION_NODE) && child->content)
			text = stpcpy(text, (const char *) child->content);
	return true;
}

static mcw_node *
xml_attribute(doc_copy *c, const xmlNode *element, const xmlAttr *attr)
{
	size_t		len = strlen((const char *) attr->name);
	mcw_node   *node = new_node(c, MCW_NODE_STRING, NULL);
	char	   *name = node ? mcw_arena_new(c->arena, len + 2) : NULL;
	xmlChar    *value;
	bool		done;

	if (node == NULL)
		return NULL;
	if (name == NULL)
	{
		copy_failed(c, mcw_arena_why(c->arena, len + 2), "it takes too much memory");
		return NULL;
	}
	name[0] = '@';
	memcpy(name + 1, attr->name, len);
	node->name = mcw_str(name);
	value = xmlNodeListGetString(element->doc, attr->children, 1);
	done = set_text(c, node, value ? (const char *) value : "",
					value ? strlen((const char *) value) : 0);
	xmlFree(value);
	return done ? node : NULL;
}

static mcw_node *
copy_xml(doc_copy *c, const xmlNode *element, int depth)
{
	mcw_node   *node = new_node(c, MCW_NODE_OBJECT, (const char *) element->name);
	mcw_node  **link;

	if (node == NULL || !xml_text(c, element, node))
		return NULL;
	if (depth >= MCW_DOC_MAX_DEPTH)
	{
		copy_failed(c, MCW_ERR_LIMIT, "elements are nested too deep");
		return NULL;
	}
	link = &node->first;
	for (const xmlAttr *attr = element->properties; attr; attr = attr->next)
	{
		*link = xml_attribute(c, element, attr);
		if (*link == NULL)
			return NULL;
		link = &(*link)->next;
		node->nchildren++;
	}
	for (const xmlNode *child = element->children; child; child = child->next)
	{
		if (child->type != XML_ELEMENT_NODE)
			continue;
		*link = copy_xml(c, child, depth + 1);
		if (*link == NULL)
			return NULL;
		link = &(*link)->next;
		node->nchildren++;
	}
	return node;
}

mcw_status
mcw_xml_parse(mcw_view text, mcw_arena *arena, mcw_node **root, mcw_error *err)
{
	doc_copy	c = {arena, err, MCW_OK};
	xmlParserCtxt *ctxt;
	xmlDoc	   *doc;

	if (text.len > INT32_MAX)
		return copy_failed(&c, MCW_ERR_LIMIT, "it is too long");
	ctxt = xmlNewParserCtxt();
	if (ctxt == NULL)
		return copy_failed(&c, MCW_ERR_NOMEM, "no memory left");
	doc = xmlCtxtReadMemory(ctxt, text.data ? text.data : "", (int) text.len, NULL, NULL,
							XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
	if (doc == NULL)
	{
		const xmlError *why = xmlCtxtGetLastError(ctxt);
		const char *message = why && why->message ? why->message : "no document";

		mcw_fail(err, MCW_ERR_FORMAT, "malformed XML: %.*s (line %d)",
				 (int) strcspn(message, "\n"), message, why ? why->line : 0);
		c.status = MCW_ERR_FORMAT;
	}
	else if (doc->intSubset)
		copy_failed(&c, MCW_ERR_UNSUPPORTED, "an XML document type is not accepted");
	else if (xmlDocGetRootElement(doc) == NULL)
		copy_failed(&c, MCW_ERR_FORMAT, "XML without an element");
	else
		*root = copy_xml(&c, xmlDocGetRootElement(doc), 0);
	xmlFreeDoc(doc);
	xmlFreeParserCtxt(ctxt);
	return c.status;
}

/* --- JSON ------------------------------------------------------------- */

static mcw_node *copy_json(doc_copy *c, json_object *value, const char *name);

static bool
copy_members(doc_copy *c, json_object *value, mcw_node *node)
{
	mcw_node  **link = &node->first;

	json_object_object_foreach(value, key, member)
	{
		*link = copy_json(c, member, key);
		if (*link == NULL)
			return false;
		link = &(*link)->next;
		node->nchildren++;
	}
	return true;
}

static bool
copy_elements(doc_copy *c, json_object *value, mcw_node *node)
{
	mcw_node  **link = &node->first;
	size_t		n = json_object_array_length(value);

	for (size_t i = 0; i < n; i++)
	{
		*link = copy_json(c, json_object_array_get_idx(value, i), NULL);
		if (*link == NULL)
			return false;
		link = &(*link)->next;
		node->nchildren++;
	}
	return true;
}

/* The depth is bounded by check_json */
static mcw_node *
copy_json(doc_copy *c, json_object *value, const char *name)
{
	mcw_node   *node = new_node(c, MCW_NODE_NULL, name);
	const char *text;
	bool		done = true;

	if (node == NULL)
		return NULL;
	switch (json_object_get_type(value))
	{
		case json_type_null:
			break;
		case json_type_boolean:
			node->kind = MCW_NODE_BOOL;
			node->boolean = json_object_get_boolean(value);
			break;
		case json_type_int:
		case json_type_double:
			/* the library keeps the characters of a double, and integers exactly */
			node->kind = MCW_NODE_NUMBER;
			text = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);
			if (text == NULL)
			{
				copy_failed(c, MCW_ERR_NOMEM, "no memory left");
				return NULL;
			}
			done = set_text(c, node, text, strlen(text));
			break;
		case json_type_string:
			node->kind = MCW_NODE_STRING;
			done = set_text(c, node, json_object_get_string(value),
							(size_t) json_object_get_string_len(value));
			break;
		case json_type_array:
			node->kind = MCW_NODE_ARRAY;
			done = copy_elements(c, value, node);
			break;
		case json_type_object:
			node->kind = MCW_NODE_OBJECT;
			done = copy_members(c, value, node);
			break;
	}
	return done ? node : NULL;
}

/* An integer must fit 64 bits, or json-c would silently take the nearest that does */
static const char *
check_number(const char *pos, const char *end)
{
	mcw_view	token = {pos, 0};
	bool		is_integer = true;
	int64_t		i64;
	uint64_t	u64;

	if (*pos == '-' && (++pos == end || *pos < '0' || *pos > '9'))
		return NULL;
	if (*pos == '0' && end - pos > 1 && pos[1] >= '0' && pos[1] <= '9')
		return NULL;
	for (; pos < end && strchr("+-.eE0123456789", *pos) && *pos; pos++)
	{
		if (*pos == '.' && (pos + 1 == end || pos[1] < '0' || pos[1] > '9'))
			return NULL;
		is_integer = is_integer && !strchr(".eE", *pos);
	}
	token.len = (size_t) (pos - token.data);
	return is_integer && !mcw_view_int64(token, &i64) && !mcw_view_uint64(token, &u64) ? NULL : pos;
}

/* Behind the closing quote of a string, or NULL if a control character is in it */
static const char *
check_string(const char *pos, const char *end)
{
	for (pos++; pos < end && *pos != '"'; pos++)
	{
		if ((unsigned char) *pos < 0x20)
			return NULL;
		if (*pos == '\\' && pos + 1 < end)
			pos++;
	}
	return pos < end ? pos + 1 : pos;
}

/*
 * What json-c lets pass even when it is strict: single quotes, NaN, Infinity,
 * literals in capitals, control characters in strings, "1.", "-.5", "01.5", huge
 * integers.  Everything else is left to it.
 */
static mcw_status
check_json(doc_copy *c, mcw_view text)
{
	const char *pos = text.data;
	const char *end = pos + text.len;
	int			depth = 0;

	while (pos && pos < end)
	{
		if (*pos == '"')
			pos = check_string(pos, end);
		else if (*pos == '-' || (*pos >= '0' && *pos <= '9'))
			pos = check_number(pos, end);
		else if (strchr("[]{}:,truefalsn \t\r\n", *pos) == NULL || *pos == '\0')
			pos = NULL;
		else
		{
			if (*pos == '[' || *pos == '{')
				depth++;
			else if (*pos == ']' || *pos == '}')
				depth--;
			if (depth > MCW_DOC_MAX_DEPTH)
				return copy_failed(c, MCW_ERR_LIMIT, "JSON is nested too deep");
			pos++;
		}
	}
	return pos ? MCW_OK : copy_failed(c, MCW_ERR_FORMAT, "malformed JSON: bad character or number");
}

mcw_status
mcw_json_parse(mcw_view text, mcw_arena *arena, mcw_node **root, mcw_error *err)
{
	doc_copy	c = {arena, err, MCW_OK};
	json_tokener *tok;
	json_object *value;
	enum json_tokener_error why;

	if (text.len >= INT32_MAX)
		return copy_failed(&c, MCW_ERR_LIMIT, "it is too long");

	/* the library's own check lets overlong forms pass */
	if (mcw_utf8_valid(text.data, text.len) != text.len)
		return mcw_fail(err, MCW_ERR_FORMAT, "malformed JSON: it is not UTF-8");
	if (text.len > 0 && check_json(&c, text) != MCW_OK)
		return c.status;

	/* check_json has bounded the depth; the library counts scalars as a level */
	tok = json_tokener_new_ex(MCW_DOC_MAX_DEPTH + 2);
	if (tok == NULL)
		return copy_failed(&c, MCW_ERR_NOMEM, "no memory left");
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	value = json_tokener_parse_ex(tok, text.data ? text.data : "", (int) text.len);
	why = json_tokener_get_error(tok);
	if (why == json_tokener_continue)
	{
		/* only the end of the text tells where a bare number ends */
		value = json_tokener_parse_ex(tok, "", 1);
		why = json_tokener_get_error(tok);
	}
	else if (why == json_tokener_success && json_tokener_get_parse_end(tok) < text.len)
	{
		size_t		end = json_tokener_get_parse_end(tok);

		while (end < text.len && memchr(" \t\r\n", text.data[end], 4))
			end++;
		if (end < text.len)
			why = json_tokener_error_parse_unexpected;
	}
	if (why != json_tokener_success)
	{
		c.status = mcw_fail(err, MCW_ERR_FORMAT, "malformed JSON: %s",
							why == json_tokener_continue ? "it is cut short" :
							json_tokener_error_desc(why));
		if (err)
			err->offset = json_tokener_get_parse_end(tok);
	}
	else
		*root = copy_json(&c, value, NULL);
	json_object_put(value);
	json_tokener_free(tok);
	return c.status;
}

/* --- access ----------------------------------------------------------- */

static const mcw_node *
find_name(const mcw_node *node, const char *name)
{
	while (node && !mcw_view_eq(node->name, mcw_str(name)))
		node = node->next;
	return node;
}

const mcw_node *
mcw_node_get(const mcw_node *node, const char *name)
{
	return node ? find_name(node->first, name) : NULL;
}

const mcw_node *
mcw_node_next(const mcw_node *node, const char *name)
{
	return node ? find_name(node->next, name) : NULL;
}

mcw_view
mcw_node_text(const mcw_node *node, const char *name)
{
	const mcw_node *child = mcw_node_get(node, name);
	mcw_view	absent = {NULL, 0};

	return child ? child->text : absent;
}

bool
mcw_node_int(const mcw_node *node, const char *name, int64_t *out)
{
	return mcw_view_int64(mcw_view_trim(mcw_node_text(node, name)), out);
}

/* --- writing ---------------------------------------------------------- */

mcw_status
mcw_xml_escape(mcw_buf *out, mcw_view text)
{
	mcw_status	status = MCW_OK;

	if (mcw_utf8_valid(text.data, text.len) != text.len)
		return MCW_ERR_RANGE;
	for (size_t i = 0; i < text.len && status == MCW_OK; i++)
	{
		char		c = text.data[i];

		switch (c)
		{
			case '&':
				status = mcw_buf_append_str(out, "&amp;");
				break;
			case '<':
				status = mcw_buf_append_str(out, "&lt;");
				break;
			case '>':
				status = mcw_buf_append_str(out, "&gt;");
				break;
			case '"':
				status = mcw_buf_append_str(out, "&quot;");
				break;
			case '\r':
				status = mcw_buf_append_str(out, "&#13;");
				break;
			default:
				/* XML 1.0 has no way to say other control characters */
				if ((unsigned char) c < 0x20 && c != '\t' && c != '\n')
					return MCW_ERR_RANGE;
				status = mcw_buf_append_char(out, c);
		}
	}
	return status;
}

mcw_status
mcw_json_quote(mcw_buf *out, mcw_view text)
{
	static const char escapes[] = "\"\\\b\f\n\r\t";
	static const char letters[] = "\"\\bfnrt";
	mcw_status	status;

	if (mcw_utf8_valid(text.data, text.len) != text.len)
		return MCW_ERR_RANGE;
	status = mcw_buf_append_char(out, '"');
	for (size_t i = 0; i < text.len && status == MCW_OK; i++)
	{
		char		c = text.data[i];
		const char *escape = c ? strchr(escapes, c) : NULL;

		if (escape)
			status = mcw_buf_printf(out, "\\%c", letters[escape - escapes]);
		else if ((unsigned char) c < 0x20)
			status = mcw_buf_printf(out, "\\u%04x", (unsigned) c);
		else
			status = mcw_buf_append_char(out, c);
	}
	return status == MCW_OK ? mcw_buf_append_char(out, '"') : status;
}

/* --- error bodies ----------------------------------------------------- */

/* Into a fixed field: never a part of a character, no NUL, no blanks around it */
static void
keep(char *out, size_t size, mcw_view v)
{
	size_t		len;

	v = mcw_view_trim(v);
	if (v.data == NULL)
		return;
	if (memchr(v.data, '\0', v.len))
		v.len = strlen(v.data);
	len = v.len < size ? v.len : size - 1;
	len = mcw_utf8_valid(v.data, len);
	memcpy(out, v.data, len);
	out[len] = '\0';
}

/* The first of the two names that is there with a text */
static mcw_view
either(const mcw_node *node, const char *name, const char *other)
{
	mcw_view	text = mcw_node_text(node, name);

	return text.data ? text : mcw_node_text(node, other);
}

/* " (EC 0026-00000001)" behind the text: the cause in OSS's troubleshooting pages */
static void
keep_ec(mcw_error *err, mcw_view ec)
{
	char		suffix[48];
	size_t		len = strlen(err->text);
	size_t		room;

	ec = mcw_view_trim(ec);
	if (ec.len == 0 || ec.len > 32 || mcw_utf8_valid(ec.data, ec.len) != ec.len || memchr(ec.data, '\0', ec.len))
		return;
	(void) snprintf(suffix, sizeof(suffix), "%s(EC %.*s)", len > 0 ? " " : "", (int) ec.len, ec.data);
	room = sizeof(err->text) - strlen(suffix) - 1;
	if (len > room)
		len = mcw_utf8_valid(err->text, room);
	memcpy(err->text + len, suffix, strlen(suffix) + 1);
}

/* A bucket of another region: say where it is */
static void
keep_endpoint(mcw_error *err, mcw_view endpoint)
{
	size_t		len = strlen(err->text);

	endpoint = mcw_view_trim(endpoint);
	if (endpoint.len == 0 || endpoint.len > 255 || len > sizeof(err->text) - 300 ||
		mcw_utf8_valid(endpoint.data, endpoint.len) != endpoint.len || memchr(endpoint.data, '\0', endpoint.len))
		return;
	(void) snprintf(err->text + len, sizeof(err->text) - len, "%s(the endpoint of the bucket is %.*s)",
					len > 0 ? " " : "", (int) endpoint.len, endpoint.data);
}

bool
mcw_error_body(mcw_view body, mcw_error *err)
{
	mcw_arena	arena;
	mcw_node   *root = NULL;
	mcw_view	code = {NULL, 0};
	mcw_view	start = mcw_view_trim(body);

	if (start.len == 0 || start.len > MAX_ERROR_BODY)
		return false;
	mcw_arena_init(&arena, &mcw_malloc, 16 * MAX_ERROR_BODY);
	if (start.data[0] == '{')
	{
		if (mcw_json_parse(start, &arena, &root, NULL) != MCW_OK)
			root = NULL;
	}
	else if (mcw_xml_parse(start, &arena, &root, NULL) != MCW_OK ||
			 !mcw_view_eq(root->name, MCW_LIT("Error")))
		root = NULL;
	if (root)
		code = mcw_view_trim(either(root, "Code", "errorCode"));
	if (code.len > 0)
	{
		keep(err->code, sizeof(err->code), code);
		keep(err->text, sizeof(err->text), either(root, "Message", "errorMessage"));
		keep(err->request_id, sizeof(err->request_id), either(root, "RequestId", "requestId"));
		keep_endpoint(err, mcw_node_text(root, "Endpoint"));
		keep_ec(err, mcw_node_text(root, "EC"));
	}
	mcw_arena_reset(&arena);
	return code.len > 0;
}
