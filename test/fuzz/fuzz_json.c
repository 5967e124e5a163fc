/*
 * fuzz_json.c
 *		JSON documents: what is accepted is written again and parsed to an equal tree.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_doc.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
write_node(mcw_buf *out, const mcw_node *node)
{
	const char *separator = "";

	switch (node->kind)
	{
		case MCW_NODE_NULL:
			(void) mcw_buf_append_str(out, "null");
			break;
		case MCW_NODE_BOOL:
			(void) mcw_buf_append_str(out, node->boolean ? "true" : "false");
			break;
		case MCW_NODE_NUMBER:
			(void) mcw_buf_append_view(out, node->text);
			break;
		case MCW_NODE_STRING:
			if (mcw_json_quote(out, node->text) != MCW_OK)
				abort();
			break;
		case MCW_NODE_ARRAY:
		case MCW_NODE_OBJECT:
			(void) mcw_buf_append_char(out, node->kind == MCW_NODE_ARRAY ? '[' : '{');
			for (const mcw_node *child = node->first; child; child = child->next)
			{
				(void) mcw_buf_append_str(out, separator);
				separator = ",";
				if (node->kind == MCW_NODE_OBJECT)
				{
					if (mcw_json_quote(out, child->name) != MCW_OK)
						abort();
					(void) mcw_buf_append_char(out, ':');
				}
				write_node(out, child);
			}
			(void) mcw_buf_append_char(out, node->kind == MCW_NODE_ARRAY ? ']' : '}');
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	text = {(const char *) data, size};
	mcw_node   *root;
	mcw_arena	arena;
	mcw_buf		once;
	mcw_buf		twice;
	mcw_error	err = {0};

	if (size > 65536)
		return 0;
	mcw_arena_init(&arena, &mcw_malloc, 1 << 26);
	mcw_buf_init(&once, &mcw_malloc, 1 << 22);
	mcw_buf_init(&twice, &mcw_malloc, 1 << 22);
	if (mcw_json_parse(text, &arena, &root, &err) == MCW_OK)
	{
		write_node(&once, root);
		if (mcw_json_parse(mcw_buf_view(&once), &arena, &root, &err) != MCW_OK)
			abort();
		write_node(&twice, root);
		if (once.failed || !mcw_view_eq(mcw_buf_view(&once), mcw_buf_view(&twice)))
			abort();
	}
	(void) mcw_error_body(text, &err);
	mcw_buf_free(&once);
	mcw_buf_free(&twice);
	mcw_arena_reset(&arena);
	return 0;
}
