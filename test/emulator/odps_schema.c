/*
 * odps_schema.c
 *		mc-emulator, MaxCompute part: column lists, partition specs, and the JSON
 *		documents that describe them.
 *
 * Reference: maxcompute.md 2.3 (REST schema), 2.4 (partition spec), 3.1 (tunnel
 * schema), 6 (types).  The JSON types of every member are as strict decoders
 * want them.
 */
#include "odps.h"

#include <ctype.h>
#include <stdlib.h>

static const char *
arena_lower(mcw_arena *arena, mcw_view v)
{
	char	   *p = mcw_arena_new(arena, v.len + 1);

	if (!p)
		emu_oom();
	for (size_t i = 0; i < v.len; i++)
		p[i] = (char) tolower((unsigned char) v.data[i]);
	return p;
}

static bool
name_ok(mcw_view v)
{
	if (v.len == 0 || v.len > 128)
		return false;
	for (size_t i = 0; i < v.len; i++)
		if (!isalnum((unsigned char) v.data[i]) && v.data[i] != '_')
			return false;
	return true;
}

/* Limits of parameters, also inside nested types */
static bool
type_ok(const mcw_odps_type *type, mcw_error *err)
{
	int			max = type->kind == MCW_ODPS_VARCHAR ? 65535 : type->kind == MCW_ODPS_CHAR ? 255 : 0;

	if (type->kind == MCW_ODPS_VOID ||
		(type->kind == MCW_ODPS_DECIMAL &&
		 (type->precision > 38 || type->scale > 18 || (type->precision > 0 && type->scale > type->precision))) ||
		(max > 0 && (type->length < 1 || type->length > max)))
	{
		mcw_fail(err, MCW_ERR_FORMAT, "type %s is not supported with these parameters", mcw_odps_kind_name(type->kind));
		return false;
	}
	for (int i = 0; i < type->nchildren; i++)
		if (!type_ok(type->children[i], err))
			return false;
	return true;
}

static bool
make_column(odps_schema *schema, odps_column *col, const odps_coldef *def, mcw_error *err)
{
	mcw_odps_type *type;
	mcw_view	comment;
	mcw_buf		text;

	if (!name_ok(def->name))
	{
		mcw_fail(err, MCW_ERR_FORMAT, "invalid column name \"%.*s\"", (int) def->name.len, def->name.data);
		return false;
	}
	if (mcw_odps_type_parse(def->type, &schema->arena, &type, err) != MCW_OK)
		return false;
	if (!type_ok(type, err))
		return false;
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	(void) mcw_odps_type_format(type, &text);
	if (text.failed || mcw_arena_copy(&schema->arena, def->comment, &comment) != MCW_OK)
		emu_oom();
	col->name = arena_lower(&schema->arena, def->name);
	col->type_text = arena_lower(&schema->arena, mcw_buf_view(&text));
	if (text.len > 0 && memchr(text.data, '`', text.len))
	{
		mcw_view	exact;

		(void) mcw_arena_copy(&schema->arena, mcw_buf_view(&text), &exact);
		col->type_text = exact.data;
	}
	mcw_buf_free(&text);
	col->type = type;
	col->comment = comment.data ? comment.data : "";
	col->not_null = def->not_null;
	return true;
}

static bool
key_type_ok(const mcw_odps_type *type)
{
	switch (type->kind)
	{
		case MCW_ODPS_STRING:
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
		case MCW_ODPS_DATE:
			return true;
		default:
			return false;
	}
}

odps_schema *
odps_schema_make(const odps_coldef *cols, int ncols, const odps_coldef *keys, int nkeys, mcw_error *err)
{
	odps_schema *s = emu_malloc(sizeof(*s));

	memset(s, 0, sizeof(*s));
	s->refs = 1;
	mcw_arena_init(&s->arena, &mcw_malloc, (size_t) 64 << 20);
	s->columns = mcw_arena_new(&s->arena, sizeof(odps_column) * (ncols + 1));
	s->keys = mcw_arena_new(&s->arena, sizeof(odps_column) * (nkeys + 1));
	s->types = mcw_arena_new(&s->arena, sizeof(mcw_odps_type *) * (ncols + 1));
	if (!s->columns || !s->keys || !s->types)
		emu_oom();
	if (ncols + nkeys > MCW_ODPS_MAX_COLUMNS || nkeys > ODPS_MAX_KEYS)
	{
		mcw_fail(err, MCW_ERR_LIMIT, "too many columns");
		goto bad;
	}
	for (int i = 0; i < ncols; i++)
	{
		if (!make_column(s, &s->columns[i], &cols[i], err))
			goto bad;
		if (odps_schema_column(s, mcw_str(s->columns[i].name)) >= 0)
			goto twice;
		s->types[i] = s->columns[i].type;
		s->ncolumns++;
	}
	for (int i = 0; i < nkeys; i++)
	{
		if (!make_column(s, &s->keys[i], &keys[i], err))
			goto bad;
		if (odps_schema_column(s, mcw_str(s->keys[i].name)) >= 0 ||
			odps_schema_key(s, mcw_str(s->keys[i].name)) >= 0)
			goto twice;
		if (!key_type_ok(s->keys[i].type))
		{
			mcw_fail(err, MCW_ERR_FORMAT, "type %s is not supported for partition column %s",
					 s->keys[i].type_text, s->keys[i].name);
			goto bad;
		}
		s->nkeys++;
	}
	return s;

twice:
	mcw_fail(err, MCW_ERR_FORMAT, "column names must be unique");
bad:
	odps_schema_unref(s);
	return NULL;
}

odps_schema *
odps_schema_ref(odps_schema *schema)
{
	schema->refs++;
	return schema;
}

odps_schema *
odps_schema_widen(const odps_schema *s)
{
	odps_coldef *cols = emu_malloc(sizeof(*cols) * (s->ncolumns + s->nkeys + 1));
	mcw_error	err = {0};
	odps_schema *out;

	for (int i = 0; i < s->ncolumns + s->nkeys; i++)
	{
		const odps_column *c = i < s->ncolumns ? &s->columns[i] : &s->keys[i - s->ncolumns];

		cols[i] = (odps_coldef) {mcw_str(c->name), mcw_str(c->type_text), mcw_str(c->comment), c->not_null};
	}
	out = odps_schema_make(cols, s->ncolumns + s->nkeys, NULL, 0, &err);
	if (!out)
		emu_oom();
	free(cols);
	return out;
}

void
odps_schema_unref(odps_schema *schema)
{
	if (!schema || --schema->refs > 0)
		return;
	mcw_arena_reset(&schema->arena);
	free(schema);
}

int
odps_schema_column(const odps_schema *schema, mcw_view name)
{
	for (int i = 0; i < schema->ncolumns; i++)
		if (mcw_view_ieq(mcw_str(schema->columns[i].name), name))
			return i;
	return -1;
}

int
odps_schema_key(const odps_schema *schema, mcw_view name)
{
	for (int i = 0; i < schema->nkeys; i++)
		if (mcw_view_ieq(mcw_str(schema->keys[i].name), name))
			return i;
	return -1;
}

/* ---- partition specs ---- */

bool
odps_key_value(const odps_column *key, mcw_view in, mcw_arena *arena, mcw_view *out, mcw_error *err)
{
	mcw_odps_value value = {0};
	char		text[32];

	if (in.len == 0 || in.len > 256)
	{
		mcw_fail(err, MCW_ERR_FORMAT, "value of partition column %s is %s", key->name,
				 in.len ? "too long" : "empty");
		return false;
	}
	for (size_t i = 0; i < in.len; i++)
		if ((unsigned char) in.data[i] < 0x20)
		{
			mcw_fail(err, MCW_ERR_FORMAT, "control character in the value of partition column %s", key->name);
			return false;
		}
	switch (key->type->kind)
	{
		case MCW_ODPS_TINYINT:
		case MCW_ODPS_SMALLINT:
		case MCW_ODPS_INT:
		case MCW_ODPS_BIGINT:
			if (!mcw_view_int64(in, &value.i64) || !odps_value_check(key->type, &value, err))
			{
				mcw_fail(err, MCW_ERR_FORMAT, "\"%.*s\" is not a %s for partition column %s",
						 (int) in.len, in.data, key->type_text, key->name);
				return false;
			}
			snprintf(text, sizeof(text), "%lld", (long long) value.i64);
			return mcw_arena_copy(arena, mcw_str(text), out) == MCW_OK;
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			value.bytes = in;
			if (!odps_value_check(key->type, &value, err))
				return false;
			break;
		default:
			break;
	}
	return mcw_arena_copy(arena, in, out) == MCW_OK;
}

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && isspace((unsigned char) *p))
		p++;
	return p;
}

/* Does "name =" of one of the keys begin here?  Sets the key and what follows the "=". */
static int
key_at(const odps_schema *schema, const char *p, const char *end, const char **after)
{
	const char *start;
	mcw_view	name;

	p = skip_blanks(p, end);
	start = p;
	while (p < end && (isalnum((unsigned char) *p) || *p == '_'))
		p++;
	name = (mcw_view) {start, (size_t) (p - start)};
	p = skip_blanks(p, end);
	if (p == end || *p != '=' || name.len == 0)
		return -1;
	*after = p + 1;
	return odps_schema_key(schema, name);
}

/*
 * An unquoted value ends at a "," or "/" that is followed by another key, so that
 * values may hold these characters themselves.
 */
static mcw_view
unquoted_value(const odps_schema *schema, const char **pos, const char *end)
{
	const char *start = *pos;
	const char *p = start;
	const char *dummy;
	mcw_view	v;

	while (p < end && !((*p == ',' || *p == '/') && key_at(schema, p + 1, end, &dummy) >= 0))
		p++;
	*pos = p;
	v = (mcw_view) {start, (size_t) (p - start)};
	while (v.len > 0 && isspace((unsigned char) v.data[v.len - 1]))
		v.len--;
	return v;
}

bool
odps_spec_parse(const odps_schema *schema, mcw_view spec, mcw_arena *arena, mcw_view *values, mcw_error *err)
{
	const char *p = spec.data;
	const char *end = p + spec.len;

	for (int i = 0; i < schema->nkeys; i++)
		values[i] = (mcw_view) {NULL, 0};
	while ((p = skip_blanks(p, end)) < end)
	{
		const char *after;
		int			key = key_at(schema, p, end, &after);
		mcw_view	value;

		if (key < 0)
			return mcw_fail(err, MCW_ERR_FORMAT, "partition spec \"%.*s\" does not fit the partition columns of the table",
							(int) spec.len, spec.data) == MCW_OK;
		p = skip_blanks(after, end);
		if (p < end && (*p == '\'' || *p == '"'))
		{
			const char *close = memchr(p + 1, *p, end - p - 1);

			if (!close)
				return mcw_fail(err, MCW_ERR_FORMAT, "unterminated quote in partition spec \"%.*s\"",
								(int) spec.len, spec.data) == MCW_OK;
			value = (mcw_view) {p + 1, (size_t) (close - p - 1)};
			p = skip_blanks(close + 1, end);
		}
		else
			value = unquoted_value(schema, &p, end);
		if (values[key].data)
			return mcw_fail(err, MCW_ERR_FORMAT, "partition column %s is given twice", schema->keys[key].name) == MCW_OK;
		if (!odps_key_value(&schema->keys[key], value, arena, &values[key], err))
			return false;
		if (p < end && *p != ',' && *p != '/')
			return mcw_fail(err, MCW_ERR_FORMAT, "malformed partition spec \"%.*s\"", (int) spec.len, spec.data) == MCW_OK;
		if (p < end)
			p++;
	}
	return true;
}

void
odps_spec_text(mcw_buf *out, const odps_schema *schema, char *const *values, char sep)
{
	for (int i = 0; i < schema->nkeys; i++)
	{
		if (i)
			(void) mcw_buf_append_char(out, sep);
		(void) mcw_buf_printf(out, "%s=%s", schema->keys[i].name, values[i]);
	}
}

/* ---- documents ---- */

static void
tunnel_columns(mcw_buf *out, const odps_column *cols, int n, bool keys)
{
	for (int i = 0; i < n; i++)
	{
		char		id[16] = "";

		if (!keys)
			snprintf(id, sizeof(id), "%d", i);
		(void) mcw_buf_printf(out, "%s{\"column_id\":\"%s\",", i ? "," : "", id);
		odps_json_member(out, "comment", mcw_str(cols[i].comment));
		odps_json_member(out, "default_value", MCW_LIT(""));
		odps_json_member(out, "name", mcw_str(cols[i].name));
		(void) mcw_buf_printf(out, "\"nullable\":%s,\"type\":", cols[i].not_null ? "false" : "true");
		(void) mcw_json_quote(out, mcw_str(cols[i].type_text));
		(void) mcw_buf_append_char(out, '}');
	}
}

void
odps_tunnel_schema(mcw_buf *out, const odps_schema *schema)
{
	(void) mcw_buf_append_str(out, "{\"IsVirtualView\":false,\"columns\":[");
	tunnel_columns(out, schema->columns, schema->ncolumns, false);
	(void) mcw_buf_append_str(out, "],\"partitionKeys\":[");
	tunnel_columns(out, schema->keys, schema->nkeys, true);
	(void) mcw_buf_append_str(out, "]}");
}

static void
rest_columns(mcw_buf *out, const odps_column *cols, int n)
{
	for (int i = 0; i < n; i++)
	{
		(void) mcw_buf_append_str(out, i ? ",{" : "{");
		odps_json_member(out, "name", mcw_str(cols[i].name));
		odps_json_member(out, "type", mcw_str(cols[i].type_text));
		odps_json_member(out, "comment", mcw_str(cols[i].comment));
		(void) mcw_buf_printf(out, "\"label\":\"\",\"isNullable\":%s,\"hasDefaultValue\":false,"
							  "\"defaultValue\":\"\",\"extendedLabels\":[],\"hasGenerateExpression\":false,"
							  "\"generateExpression\":\"\"}", cols[i].not_null ? "false" : "true");
	}
}

static void
rest_extended(mcw_buf *out, const odps_table *t, uint64_t bytes, int files)
{
	mcw_buf		reserved;
	mcw_view	keys = mcw_str(t->primary_key);

	mcw_buf_init(&reserved, &mcw_malloc, 1 << 20);
	(void) mcw_buf_printf(&reserved, "{\"schema_version\":\"1\",\"Transactional\":\"%s\",\"PrimaryKey\":[",
						  t->transactional ? "true" : "false");
	while (keys.len > 0)
	{
		const char *comma = memchr(keys.data, ',', keys.len);
		mcw_view	one = {keys.data, comma ? (size_t) (comma - keys.data) : keys.len};

		(void) mcw_json_quote(&reserved, one);
		keys.data += one.len + (comma ? 1 : 0);
		keys.len -= one.len + (comma ? 1 : 0);
		if (comma)
			(void) mcw_buf_append_char(&reserved, ',');
	}
	(void) mcw_buf_append_str(&reserved, "]}");
	(void) mcw_buf_printf(out, "{\"IsArchived\":false,\"PhysicalSize\":%llu,\"FileNum\":%d,\"Reserved\":",
						  (unsigned long long) bytes, files);
	(void) mcw_json_quote(out, mcw_buf_view(&reserved));
	(void) mcw_buf_append_char(out, '}');
	mcw_buf_free(&reserved);
}

void
odps_rest_schema(mcw_buf *out, const odps_table *t, bool extended)
{
	uint64_t	bytes = 0;
	uint64_t	rows = 0;
	int			files = 0;

	for (int i = 0; i < t->nparts; i++)
	{
		bytes += t->parts[i]->content->bytes;
		rows += t->parts[i]->content->nrecords;
		files += t->parts[i]->content->nsegments;
	}
	if (extended)
	{
		rest_extended(out, t, bytes, files);
		return;
	}
	(void) mcw_buf_append_str(out, "{\"columns\":[");
	rest_columns(out, t->schema->columns, t->schema->ncolumns);
	(void) mcw_buf_append_str(out, "],\"partitionKeys\":[");
	rest_columns(out, t->schema->keys, t->schema->nkeys);
	(void) mcw_buf_append_str(out, "],");
	odps_json_member(out, "comment", mcw_str(t->comment));
	odps_json_member(out, "owner", MCW_LIT(ODPS_OWNER));
	odps_json_member(out, "tableName", mcw_str(t->name));
	(void) mcw_buf_printf(out, "\"createTime\":%lld,\"lastModifiedTime\":%lld,\"lastDDLTime\":%lld,"
						  "\"lastAccessTime\":%lld,\"lifecycle\":%lld,\"hubLifecycle\":-1,\"size\":%llu,"
						  "\"recordNum\":%llu,\"isVirtualView\":false,\"isMaterializedView\":false,"
						  "\"isExternal\":false,\"isObjectTable\":false,\"viewText\":\"\","
						  "\"viewExpandedText\":\"\",\"shardExist\":false,\"shardInfo\":\"\",\"tableLabel\":\"0\"",
						  (long long) t->created, (long long) t->modified, (long long) t->ddl,
						  (long long) t->modified, (long long) t->lifecycle, (unsigned long long) bytes,
						  (unsigned long long) rows);
	(void) mcw_buf_append_str(out, ",\"tableProperties\":");
	(void) mcw_json_quote(out, mcw_str(t->properties));
	(void) mcw_buf_append_char(out, '}');
}
