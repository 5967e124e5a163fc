/*
 * oss_table.c
 *		The options of an OSS foreign table, checked against each other and against its
 *		columns.
 *
 * The validator sees each list of options alone; what makes sense only together is
 * checked here, when a statement uses the table.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "oss.h"
#include "oss_table.h"

char *
mcOssToWire(const char *text)
{
	return pg_server_to_any(pstrdup(text), strlen(text), PG_UTF8);
}

char *
mcOssShown(mcw_view key)
{
	return mcShownName(key);
}

pg_noreturn static void
refuse(const char *option, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" %s", option, why),
			 hint ? errhint("%s", hint) : 0));
}

/* ---- format ---- */

/* A server's option may be meant for its other tables; one of the table must mean something */
static void
refuse_useless(const McServer *server, const char *format, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (mcOptionText(server->table_options, names[i]) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" has no meaning for format '%s'", names[i], format)));
}

/* oss_copy.c has seen that it is one byte */
static char
one_byte(const McServer *server, const char *name, char missing)
{
	const char *value = mcServerOption(server, name);

	return value == NULL ? missing : value[0];
}

static mcw_header
header_of(const McServer *server)
{
	const char *header = mcServerOption(server, "header");
	bool		by_name = mcServerOptionIs(server, "match_by", "name");
	bool		none = header == NULL || pg_strcasecmp(header, "false") == 0 || pg_strcasecmp(header, "off") == 0;

	if (by_name && (none || pg_strcasecmp(header, "match") == 0))
		refuse("match_by", "'name' needs header 'true'", "The names are those of the header; header 'match' is for files in the columns' order.");
	if (by_name)
		return MCW_HEADER_BY_NAME;
	if (none)
		return MCW_HEADER_NONE;
	return pg_strcasecmp(header, "match") == 0 ? MCW_HEADER_MATCH : MCW_HEADER_SKIP;
}

static void
read_delimited(McOssTable *t, const McServer *server)
{
	bool		csv = t->format == &mcw_format_csv;
	const char *null = mcServerOption(server, "null");

	mcOssCheckAsCopy(t, server);
	t->delimiter = one_byte(server, "delimiter", csv ? ',' : '\t');
	t->quote = csv ? one_byte(server, "quote", '"') : '\0';
	t->escape = csv ? one_byte(server, "escape", t->quote) : '\0';
	t->null = mcOssToWire(null ? null : csv ? "" : "\\N");
	t->header = header_of(server);
}

static void
read_format(McOssTable *t, const McServer *server)
{
	static const char *const delimited[] = {"delimiter", "quote", "escape", "null", "header", "match_by"};
	static const char *const policies[] = {"missing_columns", "unknown_columns"};
	const char *name = mcServerOption(server, "format");
	const char *word;
	bool		by_name;
	char	   *folded = name ? pstrdup(name) : pstrdup("csv");

	for (char *p = folded; *p; p++)
		*p = pg_tolower((unsigned char) *p);
	t->format = mcw_format_find(folded);
	if (t->format == NULL)
		refuse("format", "names an unknown format", NULL);
	t->null = "";
	if (t->format == &mcw_format_csv || t->format == &mcw_format_text)
		read_delimited(t, server);
	else
		refuse_useless(server, t->format->name, delimited, lengthof(delimited));
	if (t->format == &mcw_format_line)
		refuse_useless(server, t->format->name, policies, lengthof(policies));

	by_name = t->header == MCW_HEADER_BY_NAME || t->format == &mcw_format_jsonl;
	word = mcServerOption(server, "missing_columns");
	t->missing = word ? (pg_strcasecmp(word, "null") == 0 ? MC_OSS_MISSING_NULL : MC_OSS_MISSING_ERROR) :
		by_name ? MC_OSS_MISSING_NULL : MC_OSS_MISSING_ERROR;
	word = mcServerOption(server, "unknown_columns");
	t->unknown_error = word ? pg_strcasecmp(word, "error") == 0 : !by_name;
}

static void
read_coding(McOssTable *t, const McServer *server)
{
	const char *compression = mcServerOption(server, "compression");
	const char *encoding = mcServerOption(server, "encoding");

	t->compression_auto = compression == NULL || pg_strcasecmp(compression, "auto") == 0;
	if (!t->compression_auto && !mcw_codec_from_file(mcw_str(compression), &t->codec))
		refuse("compression", "names an unknown codec", NULL);
	t->encoding = PG_UTF8;
	if (encoding != NULL)
	{
		t->encoding = pg_char_to_encoding(encoding);
		if (t->encoding < 0)
			refuse("encoding", psprintf("names an unknown encoding \"%s\"", encoding),
				   "Use a name PostgreSQL knows, such as UTF8, GBK, GB18030 or LATIN1.");
		/* as for COPY: bytes are what the database takes them for */
		if (t->encoding == PG_SQL_ASCII)
			t->encoding = GetDatabaseEncoding();
	}
	t->max_record = mcServerOptionInt(server, "max_record_size", 64 * 1024 * 1024);
}

/* ---- columns ---- */

static void
check_columns(const McOssTable *t)
{
	int			nfields = 0;
	bool		csv = t->format == &mcw_format_csv;
	ListCell   *lc;

	foreach(lc, t->columns)
	{
		const McOssColumn *c = lfirst(lc);

		if (c->kind == MC_OSS_REST && t->format != &mcw_format_jsonl)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("column \"%s\" OPTIONS (field '*') needs format 'jsonl'", c->attname)));
		if ((c->force_null || c->force_not_null || c->force_quote) && (!csv || c->kind != MC_OSS_FIELD))
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" of column \"%s\" has no meaning",
							c->force_null ? "force_null" : c->force_not_null ? "force_not_null" : "force_quote", c->attname),
					 errdetail("It is for fields of format 'csv'.")));
		nfields += c->kind == MC_OSS_FIELD;
	}
	if (t->format == &mcw_format_line && nfields > 1)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
				 errmsg("format 'line' has one column, the table has %d", nfields),
				 errhint("Declare one column of type text for the line; columns such as __object__ may stand beside it.")));
}

/* the column that stands for {name}; it becomes a path column */
static McOssColumn *
template_column(McOssTable *t, const char *name)
{
	ListCell   *lc;

	foreach(lc, t->columns)
	{
		McOssColumn *c = lfirst(lc);

		if (strcmp(c->name, name) == 0 && (c->kind == MC_OSS_FIELD || c->kind == MC_OSS_PATH))
			return c;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
			 errmsg("option \"prefix\" has {%s}, which is no column of the table", name)));
}

/* positions in the file without the columns that turned out to be path columns */
static void
number_fields(McOssTable *t)
{
	int			n = 0;
	ListCell   *lc;

	foreach(lc, t->columns)
	{
		McOssColumn *c = lfirst(lc);

		if (c->kind == MC_OSS_FIELD)
			c->index = n++;
	}
}

/* ---- which objects ---- */

static void
add_part(McOssTable *t, McOssColumn *column, const char *before)
{
	McOssPathPart *part;

	if (t->nparts == MC_OSS_MAX_PARTS)
		refuse("prefix", psprintf("has more than %d values", MC_OSS_MAX_PARTS), NULL);
	for (int i = 0; i < t->nparts; i++)
		if (strcmp(t->parts[i].name, column->wire) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("the key has two parts named \"%s\"", column->name)));
	t->parts = t->parts ? repalloc(t->parts, (t->nparts + 1) * sizeof(McOssPathPart)) : palloc(sizeof(McOssPathPart));
	part = &t->parts[t->nparts];
	part->name = column->wire;
	part->before = mcOssToWire(before);
	column->kind = MC_OSS_PATH;
	column->index = t->nparts++;
}

/* 'ods/dt={dt}/h={h}/': each value is the rest of a directory's name */
static void
read_template(McOssTable *t, const char *prefix)
{
	const char *at = prefix + strcspn(prefix, "{");

	t->literal = mcOssToWire(pnstrdup(prefix, at - prefix));
	for (;;)
	{
		const char *open = at + strcspn(at, "{");
		const char *close = strchr(open, '}');
		char	   *name;

		if (*open == '\0')
			break;
		if (close == NULL || close == open + 1)
			refuse("prefix", "has a \"{\" without a name and \"}\"", NULL);
		name = pnstrdup(open + 1, close - open - 1);
		if (close[1] != '/')
			refuse("prefix", psprintf("needs a \"/\" behind {%s}", name),
				   "The value of a column is the rest of a directory's name.");
		add_part(t, template_column(t, name), pnstrdup(at, open - at));
		at = close + 1;
	}
	t->tail = mcOssToWire(at);
}

/* name=value directories behind the prefix */
static void
read_hive(McOssTable *t)
{
	ListCell   *lc;

	foreach(lc, t->columns)
	{
		McOssColumn *c = lfirst(lc);

		if (c->kind == MC_OSS_PATH)
			add_part(t, c, psprintf("%s=", c->name));
	}
	t->hive = t->nparts > 0;
}

static void
check_template_columns(const McOssTable *t)
{
	ListCell   *lc;

	foreach(lc, t->columns)
	{
		const McOssColumn *c = lfirst(lc);
		bool		found = c->kind != MC_OSS_PATH;

		for (int i = 0; i < t->nparts && !found; i++)
			found = strcmp(t->parts[i].name, c->wire) == 0;
		if (!found)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
					 errmsg("column \"%s\" has no place in option \"prefix\"", c->attname),
					 errhint("Write {%s} where its value stands, or give a prefix without {..}.", c->name)));
	}
}

/* what only matters where objects are named by us */
static void
check_names(const McOssTable *t, const McServer *server)
{
	static const char *const of_many[] = {"suffix", "max_object_size", "manifest", "success_file"};
	const char *empty = mcOptionText(server->table_options, "empty_object");

	for (int i = 0; t->scope == MC_OSS_ONE && i < lengthof(of_many); i++)
		if (mcOptionText(server->table_options, of_many[i]) != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" has no meaning for a table with option \"object\"", of_many[i])));
	if (t->nparts > 0 && empty != NULL && mcOptionParse("empty_object", empty) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"empty_object\" has no meaning for a table with path columns"),
				 errdetail("Without a row there is no directory to write to.")));
}

/* what tells readers of a directory how far its writer is */
static bool
read_mark(const McOssTable *t, const McServer *server, const char *option)
{
	const char *value = mcOptionText(server->table_options, option);
	const char *updatable = mcOptionText(server->table_options, "updatable");

	if (value == NULL || mcOptionParse(option, value) == 0)
		return false;
	if (!t->writable_prefix || (updatable != NULL && mcOptionParse("updatable", updatable) == 0))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" has no meaning for a table that cannot be written", option),
				 t->writable_prefix ? errdetail("Option updatable is false.") :
				 errdetail("A table that is written has a \"prefix\" that ends in \"/\" and no \"pattern\".")));
	return true;
}

static void
check_key(const char *option, const char *value)
{
	if (value[0] == '/' || value[0] == '\\')
		refuse(option, psprintf("must not begin with \"%c\"", value[0]), "Keys of objects begin with a name.");
	if (strlen(value) > MCS_OSS_MAX_KEY)
		refuse(option, "is longer than the 1023 bytes a key may have", NULL);
}

static void
read_scope(McOssTable *t, const McServer *server)
{
	const char *object = mcOptionText(server->table_options, "object");
	const char *prefix = mcOptionText(server->table_options, "prefix");
	const char *pattern = mcOptionText(server->table_options, "pattern");
	bool		is_template = prefix != NULL && strchr(prefix, '{') != NULL;

	if (object == NULL && prefix == NULL && pattern == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_OPTION_NAME_NOT_FOUND),
				 errmsg("the table has none of the options \"object\", \"prefix\" and \"pattern\""),
				 errhint("\"object\" names one object, \"prefix\" a directory, \"pattern\" is a glob over keys.")));
	if (object != NULL && (prefix != NULL || pattern != NULL))
		refuse("object", psprintf("excludes \"%s\"", prefix != NULL ? "prefix" : "pattern"), NULL);
	if (server->bucket == NULL && object == NULL)
		refuse(prefix != NULL ? "prefix" : "pattern", "needs a bucket: a plain web server has no list of its files",
			   "Name one file with option \"object\".");

	t->tail = "";
	if (object != NULL)
	{
		if (server->bucket != NULL)
			check_key("object", object);
		t->scope = MC_OSS_ONE;
		t->object = mcOssToWire(object);
		t->literal = t->object;
	}
	else if (prefix != NULL)
	{
		check_key("prefix", prefix);
		t->scope = MC_OSS_PREFIX;
		if (is_template)
			read_template(t, prefix);
		else
			t->literal = mcOssToWire(prefix);
		t->writable_prefix = prefix[strlen(prefix) - 1] == '/' && pattern == NULL;
		t->glob = pattern != NULL ? mcOssToWire(pattern) : NULL;
	}
	else
	{
		size_t		plain = strcspn(pattern, "*?[{\\");

		check_key("pattern", pattern);
		t->scope = MC_OSS_PREFIX;
		t->literal = mcOssToWire(pnstrdup(pattern, plain));
		t->glob = mcOssToWire(pattern + plain);
	}
	if (is_template)
		check_template_columns(t);
	else
		read_hive(t);
	if (t->hive && t->scope == MC_OSS_PREFIX && prefix != NULL && prefix[strlen(prefix) - 1] != '/')
		refuse("prefix", "must end in \"/\" where columns have the option \"partition\"", NULL);
}

McOssTable *
mcOssTable(Relation rel, const McServer *server)
{
	McOssTable *t = palloc0(sizeof(McOssTable));

	t->columns = mcOssColumns(rel);
	read_format(t, server);
	read_coding(t, server);
	read_scope(t, server);
	check_names(t, server);
	t->root = pnstrdup(t->literal, strrchr(t->literal, '/') ? strrchr(t->literal, '/') + 1 - t->literal : 0);
	t->manifest = read_mark(t, server, "manifest");
	t->success_file = read_mark(t, server, "success_file");
	number_fields(t);
	check_columns(t);
	return t;
}
