/*
 * test_odps_service.c
 *		Answers of MaxCompute metadata and download session calls, friendly and
 *		hostile; partition specifications; object names.
 */
#include "unit.h"

#include "../../src/service/mcs_odps.h"

#define TABLE(schema) "<?xml version=\"1.0\"?><Table><Type>MANAGED_TABLE</Type><Schema><![CDATA[" schema "]]></Schema></Table>"

typedef struct answer
{
	mcw_arena	doc;
	mcw_arena	arena;
	mcs_odps_table table;
	mcs_odps_partitions list;
	mcw_view	marker;
	mcw_error	err;
} answer;

static mcs_odps_column columns[] = {
	{.name = {"id", 2}, .type_text = {"bigint", 6}},
	{.name = {"st", 2}, .type_text = {"struct<a:int, `b`:string>", 25}},
};
static mcs_odps_column keys[] = {
	{.name = {"dt", 2}, .type_text = {"string", 6}},
	{.name = {"hh", 2}, .type_text = {"bigint", 6}},
};
static const mcs_odps_table known = {.columns = columns, .ncolumns = 2, .keys = keys, .nkeys = 2};

static void
begin(answer *a, size_t max)
{
	memset(a, 0, sizeof(*a));
	mcw_arena_init(&a->doc, &mcw_malloc, 1 << 22);
	mcw_arena_init(&a->arena, &mcw_malloc, max);
	a->marker = MCW_LIT("m1");
}

static void
end(answer *a)
{
	mcw_arena_reset(&a->doc);
	mcw_arena_reset(&a->arena);
}

static mcw_status
parse_table(answer *a, const char *body)
{
	begin(a, 1 << 20);
	return mcs_odps_parse_table(mcw_str(body), MCW_LIT("t"), &a->doc, &a->arena, &a->table, &a->err);
}

static mcw_status
parse_partitions(answer *a, const char *body)
{
	begin(a, 1 << 20);
	return mcs_odps_parse_partitions(mcw_str(body), &known, &a->doc, &a->arena, &a->list, &a->marker, &a->err);
}

static void
test_table(void)
{
	answer		a;

	CHECK_OK(parse_table(&a, TABLE("{\"comment\":\"c\",\"columns\":[{\"name\":\"id\",\"type\":\"bigint\",\"isNullable\":false},"
								   "{\"name\":\"x\",\"type\":\"some_new_type\"}],\"partitionKeys\":[{\"name\":\"DT\",\"type\":\"string\"}],"
								   "\"size\":7,\"recordNum\":-1,\"lastDDLTime\":1700000000}")));
	CHECK_INT(a.table.ncolumns, 2);
	CHECK_INT(a.table.nkeys, 1);
	CHECK_VIEW(a.table.name, MCW_LIT("t"));
	CHECK_VIEW(a.table.comment, MCW_LIT("c"));
	CHECK(!a.table.columns[0].nullable);
	CHECK(a.table.columns[0].type && a.table.columns[0].type->kind == MCW_ODPS_BIGINT);
	CHECK(a.table.columns[1].nullable);
	CHECK(a.table.columns[1].type == NULL);
	CHECK_VIEW(a.table.columns[1].type_text, MCW_LIT("some_new_type"));
	CHECK(!a.table.is_view);
	CHECK_INT(a.table.size, 7);
	CHECK_INT(a.table.record_num, -1);
	CHECK_INT(a.table.last_ddl, 1700000000);
	CHECK_INT(mcs_odps_find_column(&a.table, MCW_LIT("ID")), 0);
	CHECK_INT(mcs_odps_find_key(&a.table, MCW_LIT("dt")), 0);
	CHECK_INT(mcs_odps_find_key(&a.table, MCW_LIT("d")), -1);
	end(&a);

	/* what makes a view: the type of the object, or the schema in either spelling */
	CHECK_OK(parse_table(&a, "<Table><Type>VIRTUAL_VIEW</Type><Schema>{}</Schema></Table>"));
	CHECK(a.table.is_view);
	end(&a);
	CHECK_OK(parse_table(&a, TABLE("{\"IsVirtualView\":true}")));
	CHECK(a.table.is_view);
	end(&a);
	CHECK_OK(parse_table(&a, TABLE("{\"isVirtualView\":\"TRUE\"}")));
	CHECK(a.table.is_view);
	end(&a);
}

/* Each is refused with a message; nothing is read out of bounds */
static void
test_hostile_table(void)
{
	static const char *const bodies[] = {
		"", "<", "<Table/>", "<Table><Schema/></Table>", "{\"columns\":[]}", TABLE("["), TABLE("{\"columns\":[{}]}"),
		TABLE("{\"columns\":[1]}"), TABLE("{\"columns\":[{\"name\":\"\",\"type\":\"int\"}]}"),
		TABLE("{\"columns\":[{\"name\":\"a\"}]}"), TABLE("{\"partitionKeys\":[{\"type\":\"string\"}]}"),
		TABLE("{\"columns\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
		"<!DOCTYPE x [<!ENTITY e \"ee\">]><Table><Schema>&e;</Schema></Table>"};
	char	   *many;
	char	   *at;
	answer		a;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		if (!CHECK(parse_table(&a, bodies[i]) != MCW_OK) || !CHECK(a.err.message[0] != '\0'))
			printf("    body %zu\n", i);
		end(&a);
	}

	/* more columns than any table has */
	many = malloc(200000);
	strcpy(many, "<Table><Schema>{\"columns\":[0");
	at = many + strlen(many);
	for (int i = 0; i < 90000; i++, at += 2)
		strcpy(at, ",0");
	strcat(many, "]}</Schema></Table>");
	CHECK_INT(parse_table(&a, many), MCW_ERR_LIMIT);
	end(&a);
	free(many);
}

static void
test_partitions(void)
{
	answer		a;
	mcw_buf		spec;

	CHECK_OK(parse_partitions(&a, "<Partitions><Marker>m2</Marker><MaxItems>2</MaxItems>"
							  "<Partition><Column Name=\"dt\" Value=\"20240101\"/><Column Name=\"hh\" Value=\"9\"/>"
							  "<PartitionSize>5</PartitionSize><PartitionRecordCount>3</PartitionRecordCount></Partition>"
							  "<Partition><Column Name=\"HH\" Value=\"o&apos;\\\"/><Column Name=\"DT\" Value=\"\"/></Partition></Partitions>"));
	CHECK_INT(a.list.nitems, 2);
	CHECK_VIEW(a.marker, MCW_LIT("m2"));
	CHECK_INT(a.list.items[0].record_num, 3);
	CHECK_INT(a.list.items[1].size, -1);
	CHECK_VIEW(a.list.items[1].values[0], MCW_LIT(""));
	CHECK(a.list.items[1].values[0].data != NULL);
	mcw_buf_init(&spec, &mcw_malloc, 100);
	CHECK_OK(mcs_odps_partition_spec(&known, a.list.items[0].values, false, &spec));
	CHECK_VIEW(mcw_buf_view(&spec), MCW_LIT("dt=20240101,hh=9"));
	mcw_buf_reset(&spec);
	CHECK_OK(mcs_odps_partition_spec(&known, a.list.items[1].values, true, &spec));
	CHECK_VIEW(mcw_buf_view(&spec), MCW_LIT("dt='',hh='o\\'\\\\'"));
	mcw_buf_free(&spec);
	mcw_buf_init(&spec, &mcw_malloc, 8);
	CHECK_INT(mcs_odps_partition_spec(&known, a.list.items[0].values, false, &spec), MCW_ERR_LIMIT);
	mcw_buf_free(&spec);
	end(&a);

	CHECK_OK(parse_partitions(&a, "<Partitions><Marker></Marker></Partitions>"));
	CHECK_INT(a.list.nitems, 0);
	CHECK_INT(a.marker.len, 0);
	end(&a);
}

static void
test_hostile_partitions(void)
{
	static const char *const bodies[] = {
		"", "<Partitions>", "<Partitions><Partition/></Partitions>",
		"<Partitions><Partition><Column Name=\"dt\" Value=\"1\"/></Partition></Partitions>",
		"<Partitions><Partition><Column Name=\"dt\" Value=\"1\"/><Column Name=\"dt\" Value=\"2\"/></Partition></Partitions>",
		"<Partitions><Partition><Column Name=\"xx\" Value=\"1\"/><Column Name=\"hh\" Value=\"2\"/></Partition></Partitions>",
		"<Partitions><Partition><Column Value=\"1\"/><Column Name=\"hh\" Value=\"2\"/></Partition></Partitions>",
	/* the page that was asked for, again: a list without end */
	"<Partitions><Marker>m1</Marker></Partitions>"};
	answer		a;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		if (!CHECK(parse_partitions(&a, bodies[i]) != MCW_OK) || !CHECK(a.err.message[0] != '\0'))
			printf("    body %zu\n", i);
		end(&a);
	}
}

/* ---- download sessions ---- */

static mcw_status
open_session(mcs_odps_download *download, const char *body, int *delay, mcw_error *err)
{
	mcs_odps	odps = {.alloc = &mcw_malloc};
	mcs_odps_call call = {.odps = &odps};

	memset(err, 0, sizeof(*err));
	call.req.response.data = (char *) body;
	call.req.response.len = strlen(body);
	return mcs_odps_download_opened(&call, &known, download, delay, err);
}

#define SCHEMA "\"Schema\":{\"columns\":[{\"name\":\"ID\",\"type\":\"BIGINT\"},{\"name\":\"st\",\"type\":\"STRUCT<`a`:INT,b:STRING>\"}]}"

#define SEVENTY "0123456789012345678901234567890123456789012345678901234567890123456789"

static void
test_session(void)
{
	mcs_odps_download d = {0};
	mcw_error	err;
	int			delay;

	CHECK_OK(open_session(&d, "{\"DownloadID\":\"abc\",\"Status\":\"initiating\"}", &delay, &err));
	CHECK_INT(d.state, MCS_ODPS_SESSION_PENDING);
	CHECK_STR(d.id, "abc");
	CHECK_INT(delay, 100);
	CHECK_OK(open_session(&d, "{\"DownloadID\":\"abc\",\"Status\":\"initiating\"}", &delay, &err));
	CHECK_INT(delay, 200);
	for (int i = 0; i < 20; i++)
		CHECK_OK(open_session(&d, "{\"DownloadID\":\"abc\",\"Status\":\"initiating\"}", &delay, &err));
	CHECK_INT(delay, 5000);
	/* names and types are compared without case, blanks and quotes */
	CHECK_OK(open_session(&d, "{\"Status\":\"normal\",\"RecordCount\":5," SCHEMA "}", &delay, &err));
	CHECK_INT(d.state, MCS_ODPS_SESSION_READY);
	CHECK_INT(d.record_count, 5);
	CHECK_STR(d.id, "abc");
}

static void
test_hostile_session(void)
{
	static const char *const bodies[] = {
		"", "null", "[]", "{}", "{\"DownloadID\":\"\",\"Status\":\"normal\"}",
		"{\"DownloadID\":\"a\",\"Status\":\"expired\"," SCHEMA ",\"RecordCount\":1}",
		"{\"DownloadID\":\"a\"," SCHEMA ",\"RecordCount\":1}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\"," SCHEMA "}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\"," SCHEMA ",\"RecordCount\":-1}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\"," SCHEMA ",\"RecordCount\":99999999999999999999}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\",\"RecordCount\":1}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\",\"RecordCount\":1,\"Schema\":[]}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\",\"RecordCount\":1,\"Schema\":{\"columns\":[{\"name\":\"id\",\"type\":\"bigint\"}]}}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\",\"RecordCount\":1,\"Schema\":{\"columns\":[{\"name\":\"id\",\"type\":\"int\"},{\"name\":\"st\",\"type\":\"struct<a:int,b:string>\"}]}}",
		"{\"DownloadID\":\"a\",\"Status\":\"normal\",\"RecordCount\":1,\"Schema\":{\"columns\":[{\"name\":\"st\",\"type\":\"struct<a:int,b:string>\"},{\"name\":\"id\",\"type\":\"bigint\"}]}}",
		/* an id that does not fit */
		"{\"DownloadID\":\"" SEVENTY SEVENTY "\",\"Status\":\"normal\"}"};

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
	{
		mcs_odps_download d = {0};
		mcw_error	err;
		int			delay;

		if (!CHECK(open_session(&d, bodies[i], &delay, &err) != MCW_OK) || !CHECK(err.message[0] != '\0') ||
			!CHECK(d.state != MCS_ODPS_SESSION_READY))
			printf("    body %zu\n", i);
	}
}

static void
test_names(void)
{
	mcs_odps	odps = {.alloc = &mcw_malloc, .project = MCW_LIT("p"), .schema = MCW_LIT("s")};
	mcw_error	err = {.code = "NoSuchTable", .text = "ODPS-0130131:[1,15] Table not found"};
	mcw_buf		out;

	mcw_buf_init(&out, &mcw_malloc, 1000);
	CHECK_OK(mcs_odps_sql_table(&odps, MCW_LIT("t"), &out));
	CHECK_VIEW(mcw_buf_view(&out), MCW_LIT("`p`.`s`.`t`"));
	CHECK_INT(mcs_odps_sql_table(&odps, MCW_LIT("t`; DROP TABLE x; --"), &out), MCW_ERR_ARGUMENT);
	CHECK_INT(mcs_odps_sql_table(&odps, MCW_LIT(""), &out), MCW_ERR_ARGUMENT);
	mcw_buf_free(&out);
	CHECK(mcs_odps_error_is(&err, "nosuchtable"));
	CHECK(mcs_odps_error_is(&err, "ODPS-0130131"));
	CHECK(!mcs_odps_error_is(&err, "ODPS-0130132"));
	CHECK(!mcs_odps_error_is(&err, "NoSuch"));
}

static const unit_case cases[] = {
	{"table", test_table},
	{"hostile table", test_hostile_table},
	{"partitions", test_partitions},
	{"hostile partitions", test_hostile_partitions},
	{"session", test_session},
	{"hostile session", test_hostile_session},
	{"names", test_names},
};

UNIT_MAIN(cases)
