/*
 * fuzz_odps_meta.c
 *		Answers of the MaxCompute metadata and download session calls.
 *
 * The first byte chooses the answer; the rest is its body.
 */
#include "../../src/service/mcs_odps.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static mcs_odps_column columns[] = {
	{.name = {"id", 2}, .type_text = {"bigint", 6}},
	{.name = {"s", 1}, .type_text = {"struct<a:int>", 13}},
};
static mcs_odps_column keys[] = {
	{.name = {"dt", 2}, .type_text = {"string", 6}},
	{.name = {"hh", 2}, .type_text = {"bigint", 6}},
};
static const mcs_odps_table table = {.columns = columns, .ncolumns = 2, .keys = keys, .nkeys = 2};

static void
session(mcw_view body)
{
	mcs_odps	odps = {.alloc = &mcw_malloc};
	mcs_odps_call call = {.odps = &odps};
	mcs_odps_download download = {0};
	mcw_error	err = {0};
	int			delay;

	call.req.response.data = (char *) body.data;
	call.req.response.len = body.len;
	(void) mcs_odps_download_opened(&call, &table, &download, &delay, &err);
}

static void
partitions(mcw_view body, mcw_arena *doc, mcw_arena *arena)
{
	mcs_odps_partitions list;
	mcw_view	marker = {"", 0};
	mcw_error	err = {0};

	if (mcs_odps_parse_partitions(body, &table, doc, arena, &list, &marker, &err) != MCW_OK)
		return;
	for (int i = 0; i < list.nitems; i++)
	{
		mcw_buf		spec;

		mcw_buf_init(&spec, &mcw_malloc, 4096);
		(void) mcs_odps_partition_spec(&table, list.items[i].values, i & 1, &spec);
		mcw_buf_free(&spec);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mcs_odps_table out = {0};
	mcw_error	err = {0};
	mcw_arena	doc;
	mcw_arena	arena;
	mcw_view	body;

	if (size == 0)
		return 0;
	body.data = (const char *) data + 1;
	body.len = size - 1;
	mcw_arena_init(&doc, &mcw_malloc, 1 << 22);
	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	if (data[0] % 3 == 0)
		(void) mcs_odps_parse_table(body, MCW_LIT("t"), &doc, &arena, &out, &err);
	else if (data[0] % 3 == 1)
		partitions(body, &doc, &arena);
	else
		session(body);
	mcw_arena_reset(&doc);
	mcw_arena_reset(&arena);
	return 0;
}
