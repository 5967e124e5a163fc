/*
 * odps_generate.c
 *		mc-emulator, MaxCompute part: the command "generate", rows that depend on nothing
 *		but the seed and their number.
 *
 * {"op":"generate","table":T,"rows":N,"seed":S,"partition":P,"profile":F}: appends N
 * rows.  A missing table is made with the columns of the profile (text10, mixed,
 * access_log); values follow the names and types of the columns, so an existing
 * table of any shape can be filled too.
 */
#include "odps.h"

#include <stdlib.h>

#define SEGMENT_BYTES ((size_t) 64 << 20)

/* The fields of the profiles of Log Service, typed */
static const char *const text10_columns =
"c1 STRING, c2 STRING, c3 STRING, c4 STRING, c5 STRING, c6 STRING, c7 STRING, c8 STRING, c9 STRING, c10 STRING";
static const char *const mixed_columns =
"n1 BIGINT, n2 BIGINT, n3 BIGINT, t1 TIMESTAMP, t2 TIMESTAMP, s1 STRING, s2 STRING, s3 STRING, s4 STRING, s5 STRING";
static const char *const access_log_columns =
"ip STRING, method STRING, uri STRING, status BIGINT, request_time DOUBLE, body_bytes BIGINT, referer STRING, "
"user_agent STRING, user_id STRING, request_id STRING";

/* splitmix64 of seed, row and column */
static uint64_t
mix(uint64_t seed, uint64_t row, int column)
{
	uint64_t	z = seed * UINT64_C(0x9E3779B97F4A7C15) + row * 64 + column + 1;

	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static int
hex16(char *out, uint64_t x)
{
	for (int i = 0; i < 16; i++, x >>= 4)
		out[i] = "0123456789abcdef"[x & 15];
	return 16;
}

/* 20 to 24 characters, or what a column of the access log holds */
static int
text_value(char *out, size_t size, const char *name, uint64_t row, uint64_t h)
{
	static const char *const methods[] = {"GET", "GET", "GET", "GET", "POST", "POST", "PUT", "DELETE"};
	static const char *const agents[] = {
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh) Version/17.0 Safari/605.1.15", "curl/8.5.0", "okhttp/4.12.0"
	};
	int			n;

	switch (name[0])
	{
		case 'i':
			if (strcmp(name, "ip") == 0)
				return snprintf(out, size, "10.%d.%d.%d", (int) (h & 255), (int) (h >> 8 & 255), (int) (h >> 16 & 255));
			break;
		case 'm':
			if (strcmp(name, "method") == 0)
				return snprintf(out, size, "%s", methods[h & 7]);
			break;
		case 'u':
			if (strcmp(name, "user_agent") == 0)
				return snprintf(out, size, "%s", agents[h & 3]);
			if (strcmp(name, "uri") == 0)
				return snprintf(out, size, "/api/v1/items/%llu", (unsigned long long) (h & 0xfffff));
			if (strcmp(name, "user_id") == 0)
				return snprintf(out, size, "u%llu", (unsigned long long) (h & 0x1ffff));
			break;
		case 'r':
			if (strcmp(name, "referer") == 0)
				return snprintf(out, size, "%s", h & 1 ? "-" : "https://www.example.com/");
			if (strcmp(name, "request_id") == 0)
				return hex16(out, h) + hex16(out + 16, row * UINT64_C(0x9E3779B97F4A7C15));
			break;
	}
	n = hex16(out, h);
	for (int i = (int) (4 + (row + h) % 5); i > 0; i--, h >>= 4)
		out[n++] = (char) ('g' + (h & 15));
	return n;
}

/* false: a type the generator does not fill, which stays NULL */
static bool
put_value(mcw_odps_writer *w, int column, const odps_column *col, uint64_t row, uint64_t h)
{
	char		text[128];
	int			n;

	switch (col->type->kind)
	{
		case MCW_ODPS_TINYINT:
			mcw_odps_put_int(w, column, (int8_t) h);
			return true;
		case MCW_ODPS_SMALLINT:
			mcw_odps_put_int(w, column, (int16_t) h);
			return true;
		case MCW_ODPS_INT:
			mcw_odps_put_int(w, column, (int32_t) h);
			return true;
		case MCW_ODPS_BIGINT:
			if (strcmp(col->name, "status") == 0)
				mcw_odps_put_int(w, column, h % 50 == 0 ? 500 : h % 20 == 0 ? 404 : 200);
			else
				mcw_odps_put_int(w, column, strcmp(col->name, "id") == 0 || strcmp(col->name, "n1") == 0 ? (int64_t) row : (int64_t) (h >> 40));
			return true;
		case MCW_ODPS_BOOLEAN:
			mcw_odps_put_bool(w, column, h & 1);
			return true;
		case MCW_ODPS_FLOAT:
			mcw_odps_put_float(w, column, (float) (h % 100000) / 1000);
			return true;
		case MCW_ODPS_DOUBLE:
			mcw_odps_put_double(w, column, (double) (h % 1000000) / 1000);
			return true;
		case MCW_ODPS_DATE:
			mcw_odps_put_int(w, column, 19000 + (int64_t) (h % 1000));
			return true;
		case MCW_ODPS_DATETIME:
			mcw_odps_put_int(w, column, INT64_C(1700000000000) + (int64_t) row);
			return true;
		case MCW_ODPS_TIMESTAMP:
		case MCW_ODPS_TIMESTAMP_NTZ:
			mcw_odps_put_timestamp(w, column, INT64_C(1700000000) + (int64_t) (row / 1000), (int32_t) (h % 1000000) * 1000);
			return true;
		case MCW_ODPS_DECIMAL:
			n = snprintf(text, sizeof(text), "%d", (int) (h % 9));
			mcw_odps_put_bytes(w, column, text, n);
			return true;
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_BINARY:
			n = text_value(text, sizeof(text), col->name, row, h);
			if (col->type->length > 0 && n > col->type->length)
				n = col->type->length;
			mcw_odps_put_bytes(w, column, text, n);
			return true;
		default:
			return false;
	}
}

static bool
ensure_table(const mcw_node *cmd, mcw_error *err)
{
	mcw_view	profile = mcw_node_text(cmd, "profile");
	mcw_view	project = mcw_node_text(cmd, "project");
	mcw_view	schema = mcw_node_text(cmd, "schema");
	mcw_view	name = mcw_node_text(cmd, "table");
	const char *columns = mcw_view_eq(profile, MCW_LIT("text10")) ? text10_columns :
		mcw_view_eq(profile, MCW_LIT("mixed")) ? mixed_columns :
		mcw_view_eq(profile, MCW_LIT("access_log")) ? access_log_columns : NULL;
	odps_sql_env env = {0};
	odps_result result;
	mcw_buf		sql;
	bool		ok;

	if (!columns)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "no such table, and no profile (text10, mixed, access_log) to make it");
		return false;
	}
	env.project = odps_project_find(project.len ? project : MCW_LIT("test_project"));
	env.default_schema = schema.len ? schema : MCW_LIT("default");
	env.odps2 = true;
	env.now = emu_now_us() / ODPS_SECOND;
	if (!env.project)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "no such project: %.*s", (int) project.len, project.data);
		return false;
	}
	mcw_buf_init(&sql, &mcw_malloc, 1 << 16);
	(void) mcw_buf_printf(&sql, "CREATE TABLE `%.*s` (%s)%s", (int) name.len, name.data ? name.data : "", columns,
						  mcw_node_text(cmd, "partition").len ? " PARTITIONED BY (pt STRING)" : "");
	odps_sql_run(&env, mcw_buf_view(&sql), &result);
	ok = !result.failed;
	if (!ok)
		mcw_fail(err, MCW_ERR_ARGUMENT, "%s", mcw_buf_cstr(&result.text));
	odps_result_free(&result);
	mcw_buf_free(&sql);
	return ok;
}

/* The partition to fill, made if it is missing; NULL with err */
static odps_partition *
ensure_partition(const mcw_node *cmd, odps_table *table, mcw_error *err)
{
	mcw_view	spec = mcw_node_text(cmd, "partition");
	mcw_view	values[ODPS_MAX_KEYS];
	odps_partition *part = NULL;
	mcw_arena	arena;
	bool		ok;

	mcw_arena_init(&arena, &mcw_malloc, 1 << 20);
	ok = odps_spec_parse(table->schema, spec.data ? spec : MCW_LIT(""), &arena, values, err);
	for (int i = 0; ok && i < table->schema->nkeys; i++)
		if (!values[i].data)
		{
			mcw_fail(err, MCW_ERR_ARGUMENT, "partition column %s is missing", table->schema->keys[i].name);
			ok = false;
		}
	if (ok)
		part = odps_partition_add(table, values, emu_now_us() / ODPS_SECOND);
	mcw_arena_reset(&arena);
	return part;
}

static odps_segment *
make_segment(const odps_schema *schema, uint64_t seed, uint64_t *row, uint64_t end, mcw_error *err)
{
	mcw_buf		records;
	mcw_odps_writer w;
	odps_segment *seg;

	mcw_buf_init(&records, &mcw_malloc, (size_t) 1 << 30);
	mcw_odps_writer_init(&w, &records);
	while (*row < end && records.len < SEGMENT_BYTES)
	{
		mcw_odps_begin_record(&w);
		for (int c = 0; c < schema->ncolumns; c++)
			(void) put_value(&w, c + 1, &schema->columns[c], *row, mix(seed, *row, c));
		if (mcw_odps_end_record(&w) != MCW_OK)
			emu_oom();
		(*row)++;
	}
	seg = odps_segment_index(schema, &records, err);
	mcw_buf_free(&records);
	return seg;
}

bool
odps_generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err)
{
	mcw_error	ignored = {0};
	odps_table *table;
	odps_partition *part;
	odps_content *content;
	int64_t		rows = 0;
	int64_t		seed = 1;
	int64_t		first = 0;
	uint64_t	row;

	if (!mcw_node_int(cmd, "rows", &rows) || rows < 0)
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "member \"rows\" is missing");
		return false;
	}
	(void) mcw_node_int(cmd, "seed", &seed);
	(void) mcw_node_int(cmd, "first", &first);
	if (!odps_command_table(cmd, &table, &ignored) &&
		(!ensure_table(cmd, err) || !odps_command_table(cmd, &table, err)))
		return false;
	part = ensure_partition(cmd, table, err);
	if (!part)
		return false;
	content = odps_content_ref(part->content);
	row = (uint64_t) first;
	while (row < (uint64_t) (first + rows))
	{
		odps_segment *seg = make_segment(table->schema, (uint64_t) seed, &row, (uint64_t) (first + rows), err);
		odps_content *grown;

		if (!seg)
		{
			odps_content_unref(content);
			return false;
		}
		grown = odps_content_append(content, &seg, 1);
		odps_segment_unref(seg);
		odps_content_unref(content);
		content = grown;
	}
	(void) mcw_buf_printf(reply, "{\"rows\":%llu,\"bytes\":%llu}", (unsigned long long) content->nrecords,
						  (unsigned long long) content->bytes);
	odps_partition_set(table, part, content, emu_now_us() / ODPS_SECOND);
	return true;
}
