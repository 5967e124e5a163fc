/*
 * fuzz_oss_list.c
 *		Lists of objects.  What is accepted and well-formed for libxml2 too must have as
 *		many entries there.
 */
#include <stdlib.h>

#include "../../src/wire/mcw_oss.h"
#include "../../src/wire/mcw_text.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
count(const mcw_node *root, const char *name)
{
	int			n = 0;

	for (const mcw_node *child = mcw_node_get(root, name); child; child = mcw_node_next(child, name))
		n++;
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcw_view	body = {(const char *) data, size};
	mcw_oss_list list;
	mcw_node   *root;
	mcw_arena	arena;
	mcw_error	err = {0};
	mcw_status	status;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 24);
	status = mcw_oss_read_list(body, &arena, &list, &err);
	if (status == MCW_OK)
	{
		for (int i = 0; i < list.nentries; i++)
		{
			mcw_view	key = list.entries[i].key;

			if (key.len == 0 || mcw_utf8_valid(key.data, key.len) != key.len || memchr(key.data, '\0', key.len))
				abort();
		}
		if (list.truncated && list.next_token.len == 0)
			abort();
		if (mcw_xml_parse(body, &arena, &root, &err) == MCW_OK && count(root, "Contents") != list.nentries)
			abort();
	}
	else if (err.status != status || err.message[0] == '\0')
		abort();
	mcw_arena_reset(&arena);
	return 0;
}
