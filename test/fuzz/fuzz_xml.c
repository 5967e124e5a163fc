/*
 * fuzz_xml.c
 *		XML documents and error bodies.
 */
#include "../../src/wire/mcw_doc.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	text = {(const char *) data, size};
	mcw_node   *root;
	mcw_arena	arena;
	mcw_error	err = {0};

	mcw_arena_init(&arena, &mcw_malloc, 1 << 22);
	if (mcw_xml_parse(text, &arena, &root, &err) == MCW_OK)
		(void) mcw_node_get(mcw_node_next(root, "a"), "b");
	mcw_arena_reset(&arena);
	(void) mcw_error_body(text, &err);
	return 0;
}
