/*
 * odps_exec.c
 *		mc-emulator, MaxCompute part: execution of parsed statements.
 *
 * A failure becomes the text of a failed task, as it does in the service.
 * Reference: maxcompute.md 2.3, 2.5, 10.4.
 */
#include "odps_sql.h"

#include <stdlib.h>

typedef struct exec
{
	const odps_sql_env *env;
	mcw_view	text;
	const odps_stmt *stmt;
	mcw_arena  *arena;
	mcw_error  *err;
	odps_result *result;
	odps_project *project;		/* of the statement's object */
	odps_namespace *ns;
	mcw_view	object;
} exec;

static bool fail(exec *x, const char *code, const char *fmt,...) MCW_PRINTF(3, 4);

static bool
fail(exec *x, const char *code, const char *fmt,...)
{
	char		message[400];
	va_list		ap;
	int			line;
	int			column;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	odps_sql_position(x->text, x->stmt->name_at, &line, &column);
	mcw_fail(x->err, MCW_ERR_SERVICE, "%s:[%d,%d] %s", code, line, column, message);
	return false;
}

/* ---- names ---- */

static bool
resolve(exec *x)
{
	const odps_stmt *s = x->stmt;
	mcw_view	schema = x->env->default_schema;

	x->project = x->env->project;
	x->object = s->name[s->nname - 1];
	if (s->nname == 3 || (s->nname == 2 && !x->env->namespaces))
	{
		x->project = odps_project_find(s->name[0]);
		if (!x->project)
			return fail(x, "ODPS-0420111", "Project not found - '%.*s'", (int) s->name[0].len, s->name[0].data);
	}
	if (s->nname == 3 || (s->nname == 2 && x->env->namespaces))
		schema = s->name[s->nname - 2];
	x->ns = odps_namespace_find(x->project, schema);
	if (!x->ns)
		return fail(x, "ODPS-0422155", "Schema not found - '%.*s'", (int) schema.len, schema.data);
	return true;
}

static odps_table *
find_table(exec *x)
{
	odps_table *t;

	if (!resolve(x))
		return NULL;
	t = odps_table_find(x->ns, x->object);
	if (!t)
		fail(x, "ODPS-0130131", "Table not found - table %s.%.*s cannot be resolved", x->project->name,
			 (int) x->object.len, x->object.data);
	return t;
}

/* values[nkeys]; need_all: every level must be there */
static bool
spec_values(exec *x, const odps_table *t, const odps_sql_spec *spec, bool need_all, mcw_view *values)
{
	for (int i = 0; i < t->schema->nkeys; i++)
		values[i] = (mcw_view) {NULL, 0};
	if (t->schema->nkeys == 0)
		return fail(x, "ODPS-0130071", "Semantic analysis exception - table %s is not partitioned", t->name);
	for (int i = 0; i < spec->n; i++)
	{
		int			k = odps_schema_key(t->schema, spec->name[i]);
		mcw_error	why = {0};

		if (k < 0 || values[k].data)
			return fail(x, "ODPS-0130071", "Semantic analysis exception - invalid partition spec: column %.*s",
						(int) spec->name[i].len, spec->name[i].data);
		if (!odps_key_value(&t->schema->keys[k], spec->value[i], x->arena, &values[k], &why))
			return fail(x, "ODPS-0130071", "Semantic analysis exception - invalid partition value: %s", why.message);
	}
	for (int i = 0; need_all && i < t->schema->nkeys; i++)
		if (!values[i].data)
			return fail(x, "ODPS-0130071", "Semantic analysis exception - partition column %s is missing",
						t->schema->keys[i].name);
	return true;
}

/* ---- tables ---- */

static bool
object_name_ok(mcw_view v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_", v.data[i]) || !v.data[i])
			return false;
	return v.len > 0 && v.len <= 128;
}

static bool
check_primary_key(exec *x, odps_schema *schema)
{
	mcw_view	list = x->stmt->primary_key;
	int			n = 0;

	while (list.len > 0)
	{
		const char *comma = memchr(list.data, ',', list.len);
		mcw_view	one = {list.data, comma ? (size_t) (comma - list.data) : list.len};
		int			c = odps_schema_column(schema, one);

		if (++n > ODPS_MAX_PRIMARY_KEY)
			return fail(x, "ODPS-0130071", "Semantic analysis exception - more than %d primary key columns", ODPS_MAX_PRIMARY_KEY);
		if (c < 0 || !schema->columns[c].not_null)
			return fail(x, "ODPS-0130071", "Semantic analysis exception - primary key column %.*s %s", (int) one.len,
						one.data, c < 0 ? "does not exist" : "must be NOT NULL");
		list.data += one.len + (comma ? 1 : 0);
		list.len -= one.len + (comma ? 1 : 0);
	}
	return true;
}

static bool
create_table(exec *x)
{
	const odps_stmt *s = x->stmt;
	mcw_error	why = {0};
	odps_schema *schema;
	odps_table *t;

	if (!resolve(x))
		return false;
	if (odps_table_find(x->ns, x->object))
		return s->if_clause || fail(x, "ODPS-0110061", "Failed to run ddltask - table %.*s already exists",
									(int) x->object.len, x->object.data);
	if (!object_name_ok(x->object))
		return fail(x, "ODPS-0130071", "Semantic analysis exception - invalid table name");
	schema = odps_schema_make(s->cols, s->ncols, s->keys, s->nkeys, &why);
	if (!schema)
		return fail(x, "ODPS-0130071", "Semantic analysis exception - %s", why.message);
	if (!check_primary_key(x, schema))
	{
		odps_schema_unref(schema);
		return false;
	}
	t = emu_malloc(sizeof(*t));
	memset(t, 0, sizeof(*t));
	t->refs = 1;
	t->project = emu_strdup(mcw_str(x->project->name));
	t->ns = emu_strdup(mcw_str(x->ns->name));
	t->name = odps_lower(x->object);
	odps_unique_id(x->env->now * ODPS_SECOND, t->id);
	t->comment = emu_strdup(s->comment);
	t->schema = schema;
	t->created = t->modified = t->ddl = x->env->now;
	t->lifecycle = s->lifecycle;
	t->transactional = s->transactional;
	t->properties = emu_strdup(s->properties);
	t->primary_key = odps_lower(s->primary_key);
	t->ddl_text = emu_strdup(x->text);
	if (schema->nkeys == 0)
		(void) odps_partition_add(t, NULL, x->env->now);
	odps_table_add(x->ns, t);
	return true;
}

static bool
drop_table(exec *x)
{
	odps_table *t;

	if (!resolve(x))
		return false;
	t = odps_table_find(x->ns, x->object);
	if (!t && x->stmt->if_clause)
		return true;
	t = find_table(x);
	if (!t)
		return false;
	odps_table_drop(x->ns, t, x->env->now);
	return true;
}

static bool
fits(const odps_table *t, const odps_partition *part, const mcw_view *values)
{
	for (int i = 0; i < t->schema->nkeys; i++)
		if (values[i].data && !mcw_view_eq(values[i], mcw_str(part->values[i])))
			return false;
	return true;
}

static bool
truncate_table(exec *x)
{
	odps_table *t = find_table(x);
	mcw_view	values[ODPS_MAX_KEYS];

	if (!t)
		return false;
	if (t->schema->nkeys > 0 && x->stmt->nspecs == 0)
		return fail(x, "ODPS-0130071", "Semantic analysis exception - table %s is partitioned: name the partitions to truncate", t->name);
	for (int s = 0; s < x->stmt->nspecs; s++)
	{
		int			hits = 0;

		if (!spec_values(x, t, &x->stmt->specs[s], false, values))
			return false;
		for (int i = 0; i < t->nparts; i++)
			if (fits(t, t->parts[i], values))
			{
				odps_partition_set(t, t->parts[i], odps_content_make(NULL, 0), x->env->now);
				hits++;
			}
		if (hits == 0)
			return fail(x, "ODPS-0130131", "Partition not found - no partition of table %s fits the spec", t->name);
	}
	if (t->schema->nkeys == 0)
		odps_partition_set(t, t->parts[0], odps_content_make(NULL, 0), x->env->now);
	return true;
}

/* All specs are checked before the first is applied */
static bool
add_or_drop_partitions(exec *x, bool add)
{
	odps_table *t = find_table(x);
	mcw_view	values[ODPS_MAX_KEYS];

	if (!t)
		return false;
	for (int s = 0; s < x->stmt->nspecs; s++)
	{
		if (!spec_values(x, t, &x->stmt->specs[s], true, values))
			return false;
		if (!x->stmt->if_clause && (odps_partition_find(t, values) != NULL) == add)
			return add ? fail(x, "ODPS-0110061", "Failed to run ddltask - Partition already exists") :
				fail(x, "ODPS-0130131", "Partition not found - the specified partition does not exist");
	}
	for (int s = 0; s < x->stmt->nspecs; s++)
	{
		odps_partition *part;

		(void) spec_values(x, t, &x->stmt->specs[s], true, values);
		part = odps_partition_find(t, values);
		if (add)
			(void) odps_partition_add(t, values, x->env->now);
		else if (part)
			odps_partition_drop(t, part, x->env->now);
	}
	return true;
}

/* ---- texts ---- */

static void
desc_columns(mcw_buf *b, const odps_column *cols, int n)
{
	for (int i = 0; i < n; i++)
		(void) mcw_buf_printf(b, "| %-16s| %-27s| %-42s|\n", cols[i].name, cols[i].type_text, cols[i].comment);
}

static bool
describe(exec *x)
{
	static const char *const line = "+------------------------------------------------------------------------------------------+\n";
	odps_table *t = find_table(x);
	mcw_buf    *b = &x->result->text;
	char		date[32];

	if (!t)
		return false;
	(void) mcw_buf_append_str(b, line);
	(void) mcw_buf_printf(b, "| Owner: %s | Project: %s |\n| TableComment: %s |\n%s", ODPS_OWNER, t->project, t->comment, line);
	(void) mcw_buf_printf(b, "| CreateTime: %s |\n%s", odps_xml_time(t->created, date), line);
	(void) mcw_buf_append_str(b, "| Native Columns:\n");
	desc_columns(b, t->schema->columns, t->schema->ncolumns);
	if (t->schema->nkeys > 0)
	{
		(void) mcw_buf_append_str(b, line);
		(void) mcw_buf_append_str(b, "| Partition Columns:\n");
		desc_columns(b, t->schema->keys, t->schema->nkeys);
	}
	(void) mcw_buf_append_str(b, line);
	return true;
}

static bool
show_partitions(exec *x)
{
	odps_table *t = find_table(x);
	mcw_view	values[ODPS_MAX_KEYS] = {{NULL, 0}};

	if (!t)
		return false;
	if (t->schema->nkeys == 0)
		return fail(x, "ODPS-0130071", "Semantic analysis exception - table %s is not partitioned", t->name);
	if (x->stmt->nspecs > 0 && !spec_values(x, t, &x->stmt->specs[0], false, values))
		return false;
	for (int i = 0; i < t->nparts; i++)
		if (fits(t, t->parts[i], values))
		{
			odps_spec_text(&x->result->text, t->schema, t->parts[i]->values, '/');
			(void) mcw_buf_append_char(&x->result->text, '\n');
		}
	return true;
}

static bool
show_names(exec *x)
{
	mcw_buf    *b = &x->result->text;

	if (x->stmt->kind == SQL_SHOW_SCHEMAS)
	{
		for (int i = 0; i < x->env->project->nspaces; i++)
			(void) mcw_buf_printf(b, "%s\n", x->env->project->spaces[i]->name);
		return true;
	}
	x->ns = odps_namespace_find(x->env->project, x->stmt->nname ? x->stmt->name[x->stmt->nname - 1] : x->env->default_schema);
	if (!x->ns)
		return fail(x, "ODPS-0422155", "Schema not found");
	for (int i = 0; i < x->ns->ntables; i++)
		(void) mcw_buf_printf(b, "%s:%s\n", ODPS_OWNER, x->ns->tables[i]->name);
	return true;
}

/* ---- schemas ---- */

static bool
schema_statement(exec *x)
{
	const odps_stmt *s = x->stmt;
	odps_project *p = s->nname >= 2 ? odps_project_find(s->name[0]) : x->env->project;
	mcw_view	name = s->name[s->nname - 1];
	odps_namespace *ns;

	if (!p)
		return fail(x, "ODPS-0420111", "Project not found - '%.*s'", (int) s->name[0].len, s->name[0].data);
	ns = odps_namespace_find(p, name);
	if (s->kind == SQL_CREATE_SCHEMA)
	{
		if (ns)
			return s->if_clause || fail(x, "ODPS-0420095", "Schema %.*s already exists", (int) name.len, name.data);
		if (!object_name_ok(name))
			return fail(x, "ODPS-0130071", "Semantic analysis exception - invalid schema name");
		(void) odps_namespace_create(p, name, s->comment, x->env->now);
		return true;
	}
	if (!ns)
		return (s->kind == SQL_DROP_SCHEMA && s->if_clause) ||
			fail(x, "ODPS-0422155", "Schema not found - '%.*s'", (int) name.len, name.data);
	if (s->kind == SQL_DROP_SCHEMA)
		return (!mcw_view_ieq(name, MCW_LIT("default")) && odps_namespace_drop(p, ns)) ||
			fail(x, "ODPS-0420096", "Schema %.*s is not empty or cannot be dropped", (int) name.len, name.data);
	(void) mcw_buf_printf(&x->result->text, "Name: %s\nOwner: %s\n", ns->name, ODPS_OWNER);
	return true;
}

static bool
execute(exec *x)
{
	switch (x->stmt->kind)
	{
		case SQL_CREATE_TABLE:
			return create_table(x);
		case SQL_DROP_TABLE:
			return drop_table(x);
		case SQL_TRUNCATE:
			return truncate_table(x);
		case SQL_ADD_PARTITION:
			return add_or_drop_partitions(x, true);
		case SQL_DROP_PARTITION:
			return add_or_drop_partitions(x, false);
		case SQL_DESC:
			return describe(x);
		case SQL_SHOW_PARTITIONS:
			return show_partitions(x);
		case SQL_SHOW_SCHEMAS:
		case SQL_SHOW_TABLES:
			return show_names(x);
		case SQL_CREATE_SCHEMA:
		case SQL_DROP_SCHEMA:
		case SQL_DESC_SCHEMA:
			return schema_statement(x);
		case SQL_SELECT_ONE:
			return odps_select(x->stmt, NULL, x->env->odps2, x->arena, x->result, x->err);
		case SQL_SELECT_ALL:
		case SQL_SELECT_COUNT:
			{
				odps_table *t = find_table(x);

				return t && odps_select(x->stmt, t, x->env->odps2, x->arena, x->result, x->err);
			}
		default:
			return fail(x, "ODPS-0130161", "Parse exception");
	}
}

void
odps_sql_run(const odps_sql_env *env, mcw_view text, odps_result *result)
{
	mcw_arena	arena;
	mcw_error	err = {0};
	odps_stmt	stmt;
	exec		x = {env, text, &stmt, &arena, &err, result};
	bool		ok;

	memset(result, 0, sizeof(*result));
	result->format = "text";
	mcw_buf_init(&result->text, &mcw_malloc, (size_t) 1 << 30);
	mcw_arena_init(&arena, &mcw_malloc, (size_t) 64 << 20);
	ok = odps_sql_parse(text, &arena, &stmt, &err) && execute(&x);
	if (!ok)
	{
		result->failed = true;
		result->is_select = false;
		result->format = "text";
		mcw_buf_reset(&result->text);
		if (strncmp(err.message, "ODPS-", 5) != 0)
			(void) mcw_buf_append_str(&result->text, "ODPS-0123091:");
		(void) mcw_buf_append_str(&result->text, err.message);
	}
	mcw_arena_reset(&arena);
}

void
odps_result_free(odps_result *result)
{
	mcw_buf_free(&result->text);
	odps_schema_unref(result->schema);
	odps_content_unref(result->content);
	memset(result, 0, sizeof(*result));
}
