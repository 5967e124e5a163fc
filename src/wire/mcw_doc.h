/*
 * mcw_doc.h
 *		The XML and JSON documents of the control calls: a small read-only tree over
 *		libxml2 and json-c, and the error bodies of the services.  Cold path.
 */
#ifndef MCW_DOC_H
#define MCW_DOC_H

#include "mcw.h"

typedef enum mcw_node_kind
{
	MCW_NODE_NULL, MCW_NODE_BOOL, MCW_NODE_NUMBER, MCW_NODE_STRING,
	MCW_NODE_ARRAY, MCW_NODE_OBJECT	/* an XML element is an OBJECT; text in 'text', attributes as "@name" members */
} mcw_node_kind;

typedef struct mcw_node
{
	mcw_node_kind kind;
	mcw_view	name;			/* member or element name; empty in arrays */
	mcw_view	text;			/* STRING, NUMBER (as written), element text (CDATA resolved) */
	bool		boolean;
	struct mcw_node *first;		/* children */
	struct mcw_node *next;		/* sibling */
	int			nchildren;
} mcw_node;

#define MCW_DOC_MAX_DEPTH 64

/*
 * Parse a whole document into arena memory.  MCW_ERR_FORMAT, MCW_ERR_LIMIT; an XML
 * document type is MCW_ERR_UNSUPPORTED: no entities of its own, no network.  JSON is
 * strict UTF-8; of equal members the last wins; an integer that does not fit 64 bits
 * is refused rather than rounded.
 */
extern mcw_status mcw_xml_parse(mcw_view text, mcw_arena *arena, mcw_node **root, mcw_error *err);
extern mcw_status mcw_json_parse(mcw_view text, mcw_arena *arena, mcw_node **root, mcw_error *err);

extern const mcw_node *mcw_node_get(const mcw_node *node, const char *name);	/* first child of that name or NULL; node may be NULL */
extern const mcw_node *mcw_node_next(const mcw_node *node, const char *name);	/* next sibling of that name */
extern mcw_view mcw_node_text(const mcw_node *node, const char *name);	/* child's text; data NULL = absent */
extern bool mcw_node_int(const mcw_node *node, const char *name, int64_t *out);	/* number or numeric string */

/* Append text escaped for XML content, or as a quoted JSON string */
extern mcw_status mcw_xml_escape(mcw_buf *out, mcw_view text);
extern mcw_status mcw_json_quote(mcw_buf *out, mcw_view text);

/*
 * Fill code, text and request_id of 'err' from an error body: {"errorCode",
 * "errorMessage"} of Log Service, {"Code","Message","RequestId"} of a tunnel,
 * <Error> of MaxCompute REST and of OSS, whose EC and right endpoint are added to the
 * text.  Returns false if the body is none of these.
 */
extern bool mcw_error_body(mcw_view body, mcw_error *err);

#endif							/* MCW_DOC_H */
