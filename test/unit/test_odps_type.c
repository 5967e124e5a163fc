/*
 * test_odps_type.c
 *		MaxCompute type strings: what is accepted, how it is written, limits.
 */
#include "unit.h"

#include "../../src/wire/mcw_odps.h"

static void
type_strings(void)
{
	static const struct
	{
		const char *text;
		const char *canonical;	/* NULL: refused */
		mcw_status	status;
	}			types[] = {
		{"bigint", "bigint", MCW_OK},
		{" BigInt\t", "bigint", MCW_OK},
		{"timestamp_ntz", "timestamp_ntz", MCW_OK},
		{"INTERVAL_DAY_TIME", "interval_day_time", MCW_OK},
		{"decimal", "decimal", MCW_OK},
		{"decimal(10)", "decimal(10,0)", MCW_OK},
		{"DECIMAL ( 38 , 18 )", "decimal(38,18)", MCW_OK},
		{"varchar(65535)", "varchar(65535)", MCW_OK},
		{"char(255)", "char(255)", MCW_OK},
		{"array<array< string >>", "array<array<string>>", MCW_OK},
		{"map<string,array<bigint>>", "map<string,array<bigint>>", MCW_OK},
		{"struct<a:int,`b c`:string,`d`:struct<e:date>>", "struct<a:int,`b c`:string,d:struct<e:date>>", MCW_OK},
		{"struct<`\xe4\xb8\xad`:int>", "struct<`\xe4\xb8\xad`:int>", MCW_OK},
		{"vector(float,3)", "vector(float,3)", MCW_OK},
		{"void", "void", MCW_OK},
		{"blob", "blob", MCW_OK},
		{"geography", "geography", MCW_OK},
		{"json", "json", MCW_OK},
		{"", NULL, MCW_ERR_FORMAT},
		{"bigint x", NULL, MCW_ERR_FORMAT},
		{"bigint(3)", NULL, MCW_ERR_FORMAT},
		{"text", NULL, MCW_ERR_UNSUPPORTED},
		{"array", NULL, MCW_ERR_FORMAT},
		{"array<>", NULL, MCW_ERR_FORMAT},
		{"array<int", NULL, MCW_ERR_FORMAT},
		{"map<int>", NULL, MCW_ERR_FORMAT},
		{"struct<>", NULL, MCW_ERR_FORMAT},
		{"struct<a>", NULL, MCW_ERR_FORMAT},
		{"struct<a:int,>", NULL, MCW_ERR_FORMAT},
		{"struct<`a:int>", NULL, MCW_ERR_FORMAT},
		{"struct<``:int>", NULL, MCW_ERR_FORMAT},
		{"varchar", NULL, MCW_ERR_FORMAT},
		{"varchar(0)", NULL, MCW_ERR_LIMIT},
		{"varchar(65536)", NULL, MCW_ERR_LIMIT},
		{"char(256)", NULL, MCW_ERR_LIMIT},
		{"varchar(99999999999999999999)", NULL, MCW_ERR_FORMAT},
		{"decimal(0,0)", NULL, MCW_ERR_LIMIT},
		{"decimal(10,11)", NULL, MCW_ERR_LIMIT},
		{"decimal(10,2", NULL, MCW_ERR_FORMAT},
		{"vector(int,3)", NULL, MCW_ERR_UNSUPPORTED},
		{"vector(float,0)", NULL, MCW_ERR_LIMIT},
	};
	mcw_arena	arena;
	mcw_buf		out;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	mcw_buf_init(&out, &mcw_malloc, 1 << 16);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
	{
		mcw_odps_type *type = NULL;
		mcw_error	err = {0};

		if (!CHECK_INT(mcw_odps_type_parse(mcw_str(types[i].text), &arena, &type, &err), types[i].status))
			printf("    %s\n", types[i].text);
		CHECK((types[i].canonical == NULL) == (err.message[0] != '\0'));
		if (types[i].canonical == NULL || type == NULL)
			continue;
		mcw_buf_reset(&out);
		CHECK_OK(mcw_odps_type_format(type, &out));
		CHECK_VIEW(mcw_buf_view(&out), mcw_str(types[i].canonical));
	}
	mcw_buf_free(&out);
	mcw_arena_reset(&arena);
}

/* Nesting and field count have limits, and a hostile string meets them in time */
static void
type_limits(void)
{
	mcw_arena	arena;
	mcw_odps_type *type;
	mcw_buf		text;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	for (int depth = MCW_ODPS_MAX_DEPTH; depth <= 10000; depth = depth == MCW_ODPS_MAX_DEPTH ? depth + 1 : depth * 3)
	{
		mcw_buf_reset(&text);
		for (int i = 0; i < depth; i++)
			CHECK_OK(mcw_buf_append_str(&text, "array<"));
		CHECK_OK(mcw_buf_append_str(&text, "int"));
		for (int i = 0; i < depth; i++)
			CHECK_OK(mcw_buf_append_str(&text, ">"));
		CHECK_INT(mcw_odps_type_parse(mcw_buf_view(&text), &arena, &type, NULL),
				  depth > MCW_ODPS_MAX_DEPTH ? MCW_ERR_LIMIT : MCW_OK);
	}
	for (int n = MCW_ODPS_MAX_COLUMNS; n <= MCW_ODPS_MAX_COLUMNS + 1; n++)
	{
		mcw_buf_reset(&text);
		CHECK_OK(mcw_buf_append_str(&text, "struct<f:int"));
		for (int i = 1; i < n; i++)
			CHECK_OK(mcw_buf_append_str(&text, ",f:int"));
		CHECK_OK(mcw_buf_append_str(&text, ">"));
		CHECK_INT(mcw_odps_type_parse(mcw_buf_view(&text), &arena, &type, NULL),
				  n > MCW_ODPS_MAX_COLUMNS ? MCW_ERR_LIMIT : MCW_OK);
	}
	mcw_buf_free(&text);
	mcw_arena_reset(&arena);
	mcw_arena_init(&arena, &mcw_malloc, 100);
	CHECK_INT(mcw_odps_type_parse(MCW_LIT("array<array<int>>"), &arena, &type, NULL), MCW_ERR_LIMIT);
	mcw_arena_reset(&arena);
}

static void
kind_names(void)
{
	CHECK_STR(mcw_odps_kind_name(MCW_ODPS_TINYINT), "tinyint");
	CHECK_STR(mcw_odps_kind_name(MCW_ODPS_VOID), "void");
	CHECK_STR(mcw_odps_kind_name((mcw_odps_kind) 99), "unknown");
}

static const unit_case cases[] = {
	{"type strings", type_strings},
	{"type limits", type_limits},
	{"kind names", kind_names},
};

UNIT_MAIN(cases)
