/*
 * odps_sql.c
 *		mc-emulator, MaxCompute part: lexer and parser of the SQL subset.
 *
 * Exactly the statements of maxcompute.md 10.4, with free white space, comments,
 * back-quotes and names of one to three parts; everything else is a parse error,
 * as the service reports one.
 */
#include "odps_sql.h"

#include <ctype.h>
#include <stdlib.h>

typedef enum token_kind
{
	T_END, T_WORD, T_QUOTED, T_STRING, T_NUMBER, T_PUNCT, T_BAD
} token_kind;

typedef struct parser
{
	mcw_view	text;
	mcw_arena  *arena;
	mcw_error  *err;
	token_kind	kind;			/* of the current token */
	mcw_view	tok;			/* its text; a string's value */
	int			at;				/* where it starts */
	int			next;			/* where the next one is looked for */
} parser;

void
odps_sql_position(mcw_view text, int at, int *line, int *column)
{
	*line = *column = 1;
	for (int i = 0; i < at && i < (int) text.len; i++)
	{
		(*column)++;
		if (text.data[i] == '\n')
		{
			(*line)++;
			*column = 1;
		}
	}
}

/* ---- lexer ---- */

static int
skip_space(const parser *p, int i)
{
	for (;;)
	{
		while (i < (int) p->text.len && isspace((unsigned char) p->text.data[i]))
			i++;
		if (i + 1 >= (int) p->text.len || p->text.data[i] != '-' || p->text.data[i + 1] != '-')
			return i;
		while (i < (int) p->text.len && p->text.data[i] != '\n')
			i++;
	}
}

static void
lex_string(parser *p, int i, char quote)
{
	char	   *out = mcw_arena_new(p->arena, p->text.len - i + 1);
	size_t		n = 0;

	for (i++; i < (int) p->text.len && p->text.data[i] != quote; i++)
	{
		char		c = p->text.data[i];

		if (c == '\\' && i + 1 < (int) p->text.len)
		{
			c = p->text.data[++i];
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
		}
		out[n++] = c;
	}
	p->kind = i < (int) p->text.len ? T_STRING : T_BAD;
	p->tok = (mcw_view) {out, n};
	p->next = i + 1;
}

static void
advance(parser *p)
{
	int			i = skip_space(p, p->next);
	int			start = i;
	char		c;

	p->at = i;
	if (i >= (int) p->text.len)
	{
		p->kind = T_END;
		p->tok = MCW_LIT("<EOF>");
		p->next = i;
		return;
	}
	c = p->text.data[i];
	if (c == '\'' || c == '"')
	{
		lex_string(p, i, c);
		return;
	}
	if (c == '`')
	{
		for (i++; i < (int) p->text.len && p->text.data[i] != '`'; i++)
			;
		p->kind = i < (int) p->text.len ? T_QUOTED : T_BAD;
		p->tok = (mcw_view) {p->text.data + start + 1, (size_t) (i - start - 1)};
		p->next = i + 1;
		return;
	}
	if (isdigit((unsigned char) c))
		p->kind = T_NUMBER;
	else if (isalpha((unsigned char) c) || c == '_')
		p->kind = T_WORD;
	else
		p->kind = T_PUNCT;
	i++;
	if (p->kind != T_PUNCT)
		while (i < (int) p->text.len && (isalnum((unsigned char) p->text.data[i]) || p->text.data[i] == '_'))
			i++;
	p->tok = (mcw_view) {p->text.data + start, (size_t) (i - start)};
	/* names may begin with digits */
	if (p->kind == T_NUMBER)
		for (size_t k = 0; k < p->tok.len; k++)
			if (!isdigit((unsigned char) p->tok.data[k]))
				p->kind = T_WORD;
	p->next = i;
}

/* ---- primitives ---- */

static bool
unexpected(parser *p, const char *wanted)
{
	int			line;
	int			column;

	odps_sql_position(p->text, p->at, &line, &column);
	mcw_fail(p->err, MCW_ERR_FORMAT, "ODPS-0130161:[%d,%d] Parse exception - invalid token '%.*s'%s%s", line, column,
			 (int) (p->tok.len < 60 ? p->tok.len : 60), p->tok.data, wanted ? ", expect " : "", wanted ? wanted : "");
	return false;
}

static bool
is_word(const parser *p, const char *word)
{
	return p->kind == T_WORD && mcw_view_ieq(p->tok, mcw_str(word));
}

static bool
accept_word(parser *p, const char *word)
{
	if (!is_word(p, word))
		return false;
	advance(p);
	return true;
}

static bool
expect_word(parser *p, const char *word)
{
	return accept_word(p, word) || unexpected(p, word);
}

static bool
accept_char(parser *p, char c)
{
	if (p->kind != T_PUNCT || *p->tok.data != c)
		return false;
	advance(p);
	return true;
}

static bool
expect_char(parser *p, char c)
{
	char		wanted[4] = {'\'', c, '\'', 0};

	return accept_char(p, c) || unexpected(p, wanted);
}

static bool
expect_name(parser *p, mcw_view *name)
{
	if ((p->kind != T_WORD && p->kind != T_QUOTED) || p->tok.len == 0)
		return unexpected(p, "a name");
	*name = p->tok;
	advance(p);
	return true;
}

static bool
expect_string(parser *p, mcw_view *text)
{
	if (p->kind != T_STRING)
		return unexpected(p, "a string");
	*text = p->tok;
	advance(p);
	return true;
}

static bool
expect_number(parser *p, int64_t *n)
{
	if (p->kind != T_NUMBER || !mcw_view_int64(p->tok, n))
		return unexpected(p, "a number");
	advance(p);
	return true;
}

/* a, a.b or a.b.c */
static bool
object_name(parser *p, odps_stmt *s)
{
	s->name_at = p->at;
	do
	{
		if (s->nname == 3)
			return unexpected(p, NULL);
		if (!expect_name(p, &s->name[s->nname++]))
			return false;
	} while (accept_char(p, '.'));
	return true;
}

static bool
if_exists(parser *p, odps_stmt *s, bool negated)
{
	if (!accept_word(p, "if"))
		return true;
	s->if_clause = true;
	return (!negated || expect_word(p, "not")) && expect_word(p, "exists");
}

static bool
condition(parser *p, odps_sql_spec *spec)
{
	if (spec->n == ODPS_MAX_KEYS)
		return unexpected(p, NULL);
	if (!expect_name(p, &spec->name[spec->n]) || !expect_char(p, '='))
		return false;
	if (p->kind != T_STRING && p->kind != T_NUMBER && p->kind != T_WORD)
		return unexpected(p, "a literal");
	spec->value[spec->n++] = p->tok;
	advance(p);
	return true;
}

/* PARTITION (k = 'v', ...), any number of them */
static bool
partition_list(parser *p, odps_stmt *s, bool required)
{
	int			cap = 0;

	while (is_word(p, "partition"))
	{
		odps_sql_spec *spec;

		if (s->nspecs == cap)
		{
			odps_sql_spec *grown = mcw_arena_new(p->arena, sizeof(*grown) * (cap * 2 + 4));

			if (s->nspecs > 0)
				memcpy(grown, s->specs, sizeof(*grown) * s->nspecs);
			s->specs = grown;
			cap = cap * 2 + 4;
		}
		spec = &s->specs[s->nspecs++];
		memset(spec, 0, sizeof(*spec));
		spec->at = p->at;
		advance(p);
		if (!expect_char(p, '('))
			return false;
		do
		{
			if (!condition(p, spec))
				return false;
		} while (accept_char(p, ',') || accept_char(p, '/'));
		if (!expect_char(p, ')'))
			return false;
		(void) accept_char(p, ',');
	}
	return s->nspecs > 0 || !required || unexpected(p, "PARTITION");
}

/* ---- CREATE TABLE ---- */

/* A type runs to the end of its brackets */
static bool
type_text(parser *p, mcw_view *type)
{
	int			start = p->at;
	int			end = p->next;
	int			depth = 0;

	if (p->kind != T_WORD)
		return unexpected(p, "a type");
	advance(p);
	while (p->kind == T_PUNCT && (*p->tok.data == '<' || *p->tok.data == '('))
	{
		do
		{
			char		c = p->kind == T_PUNCT ? *p->tok.data : 0;

			depth += c == '<' || c == '(';
			depth -= c == '>' || c == ')';
			if (p->kind == T_END || p->kind == T_BAD || p->kind == T_STRING)
				return unexpected(p, "a type");
			end = p->next;
			advance(p);
		} while (depth > 0);
	}
	*type = (mcw_view) {p->text.data + start, (size_t) (end - start)};
	return true;
}

static bool
primary_key(parser *p, odps_stmt *s)
{
	mcw_buf		list;
	mcw_view	name;
	bool		ok;

	if (!expect_word(p, "key") || !expect_char(p, '('))
		return false;
	mcw_buf_init(&list, &mcw_malloc, 1 << 16);
	do
	{
		ok = expect_name(p, &name);
		if (ok && list.len > 0)
			(void) mcw_buf_append_char(&list, ',');
		if (ok)
			(void) mcw_buf_append_view(&list, name);
	} while (ok && accept_char(p, ','));
	if (ok)
		(void) mcw_arena_copy(p->arena, mcw_buf_view(&list), &s->primary_key);
	mcw_buf_free(&list);
	return ok && expect_char(p, ')');
}

static bool
column_list(parser *p, odps_stmt *s, odps_coldef **out, int *n)
{
	int			cap = 16;
	odps_coldef *cols = mcw_arena_new(p->arena, sizeof(*cols) * cap);

	if (!expect_char(p, '('))
		return false;
	do
	{
		odps_coldef *c;

		if (is_word(p, "primary"))
		{
			advance(p);
			if (!primary_key(p, s))
				return false;
			continue;
		}
		if (*n == cap)
		{
			odps_coldef *grown = mcw_arena_new(p->arena, sizeof(*cols) * cap * 2);

			memcpy(grown, cols, sizeof(*cols) * cap);
			cols = grown;
			cap *= 2;
		}
		c = &cols[(*n)++];
		memset(c, 0, sizeof(*c));
		c->comment = MCW_LIT("");
		if (!expect_name(p, &c->name) || !type_text(p, &c->type))
			return false;
		for (;;)
		{
			if (accept_word(p, "not"))
			{
				if (!expect_word(p, "null"))
					return false;
				c->not_null = true;
			}
			else if (accept_word(p, "comment"))
			{
				if (!expect_string(p, &c->comment))
					return false;
			}
			else if (!accept_word(p, "null"))
				break;
		}
	} while (accept_char(p, ','));
	*out = cols;
	return expect_char(p, ')');
}

static bool
table_properties(parser *p, odps_stmt *s)
{
	mcw_buf		json;
	mcw_view	name;
	mcw_view	value;
	bool		ok;

	if (!expect_char(p, '('))
		return false;
	mcw_buf_init(&json, &mcw_malloc, 1 << 20);
	(void) mcw_buf_append_char(&json, '{');
	do
	{
		ok = expect_string(p, &name) && expect_char(p, '=') && expect_string(p, &value);
		if (!ok)
			break;
		if (json.len > 1)
			(void) mcw_buf_append_char(&json, ',');
		(void) mcw_json_quote(&json, name);
		(void) mcw_buf_append_char(&json, ':');
		(void) mcw_json_quote(&json, value);
		if (mcw_view_ieq(name, MCW_LIT("transactional")))
			s->transactional = mcw_view_ieq(value, MCW_LIT("true"));
	} while (accept_char(p, ','));
	(void) mcw_buf_append_char(&json, '}');
	if (ok)
		(void) mcw_arena_copy(p->arena, mcw_buf_view(&json), &s->properties);
	mcw_buf_free(&json);
	return ok && expect_char(p, ')');
}

static bool
create_table(parser *p, odps_stmt *s)
{
	s->kind = SQL_CREATE_TABLE;
	if (!if_exists(p, s, true) || !object_name(p, s) || !column_list(p, s, &s->cols, &s->ncols))
		return false;
	for (;;)
	{
		bool		ok;

		if (accept_word(p, "comment"))
			ok = expect_string(p, &s->comment);
		else if (accept_word(p, "partitioned"))
			ok = expect_word(p, "by") && column_list(p, s, &s->keys, &s->nkeys);
		else if (accept_word(p, "lifecycle"))
			ok = expect_number(p, &s->lifecycle);
		else if (accept_word(p, "tblproperties"))
			ok = table_properties(p, s);
		else
			return true;
		if (!ok)
			return false;
	}
}

/* ---- the other statements ---- */

static bool
schema_statement(parser *p, odps_stmt *s, odps_sql_kind kind)
{
	s->kind = kind;
	if (kind != SQL_DESC_SCHEMA && !if_exists(p, s, kind == SQL_CREATE_SCHEMA))
		return false;
	if (!object_name(p, s))
		return false;
	return !(kind == SQL_CREATE_SCHEMA && accept_word(p, "comment")) || expect_string(p, &s->comment);
}

static bool
alter_table(parser *p, odps_stmt *s)
{
	if (!expect_word(p, "table") || !object_name(p, s))
		return false;
	if (accept_word(p, "add"))
		s->kind = SQL_ADD_PARTITION;
	else if (accept_word(p, "drop"))
		s->kind = SQL_DROP_PARTITION;
	else
		return unexpected(p, "ADD or DROP");
	return if_exists(p, s, s->kind == SQL_ADD_PARTITION) && partition_list(p, s, true);
}

static bool
select_statement(parser *p, odps_stmt *s)
{
	if (p->kind == T_NUMBER && mcw_view_eq(p->tok, MCW_LIT("1")))
	{
		advance(p);
		s->kind = SQL_SELECT_ONE;
		return true;
	}
	if (accept_char(p, '*'))
		s->kind = SQL_SELECT_ALL;
	else if (accept_word(p, "count"))
	{
		s->kind = SQL_SELECT_COUNT;
		if (!expect_char(p, '(') || !(accept_char(p, '*') || (p->kind == T_NUMBER && (advance(p), true))) ||
			!expect_char(p, ')'))
			return p->err->message[0] ? false : unexpected(p, "*");
	}
	else
		return unexpected(p, NULL);
	if (!expect_word(p, "from") || !object_name(p, s))
		return false;
	if (accept_word(p, "where"))
	{
		s->has_where = true;
		s->where.at = p->at;
		do
		{
			if (!condition(p, &s->where))
				return false;
		} while (accept_word(p, "and"));
	}
	return s->kind != SQL_SELECT_ALL || !accept_word(p, "limit") || expect_number(p, &s->limit);
}

static bool
statement(parser *p, odps_stmt *s)
{
	if (accept_word(p, "create"))
	{
		if (accept_word(p, "table"))
			return create_table(p, s);
		return expect_word(p, "schema") && schema_statement(p, s, SQL_CREATE_SCHEMA);
	}
	if (accept_word(p, "drop"))
	{
		if (accept_word(p, "schema"))
			return schema_statement(p, s, SQL_DROP_SCHEMA);
		s->kind = SQL_DROP_TABLE;
		return expect_word(p, "table") && if_exists(p, s, false) && object_name(p, s);
	}
	if (accept_word(p, "truncate"))
	{
		s->kind = SQL_TRUNCATE;
		return expect_word(p, "table") && object_name(p, s) && partition_list(p, s, false);
	}
	if (accept_word(p, "alter"))
		return alter_table(p, s);
	if (accept_word(p, "desc") || accept_word(p, "describe"))
	{
		if (accept_word(p, "schema"))
			return schema_statement(p, s, SQL_DESC_SCHEMA);
		s->kind = SQL_DESC;
		(void) accept_word(p, "extended");
		return object_name(p, s) && partition_list(p, s, false);
	}
	if (accept_word(p, "show"))
	{
		s->kind = is_word(p, "schemas") ? SQL_SHOW_SCHEMAS : is_word(p, "tables") ? SQL_SHOW_TABLES : SQL_SHOW_PARTITIONS;
		if (s->kind != SQL_SHOW_PARTITIONS)
		{
			advance(p);
			return !(accept_word(p, "in") || accept_word(p, "from")) || object_name(p, s);
		}
		return expect_word(p, "partitions") && object_name(p, s) && partition_list(p, s, false);
	}
	if (accept_word(p, "select"))
		return select_statement(p, s);
	return unexpected(p, NULL);
}

bool
odps_sql_parse(mcw_view text, mcw_arena *arena, odps_stmt *stmt, mcw_error *err)
{
	parser		p = {text, arena, err};

	memset(stmt, 0, sizeof(*stmt));
	memset(err, 0, sizeof(*err));
	stmt->limit = -1;
	stmt->lifecycle = -1;
	stmt->comment = MCW_LIT("");
	stmt->primary_key = MCW_LIT("");
	stmt->properties = MCW_LIT("{}");
	advance(&p);
	if (!statement(&p, stmt))
		return false;
	while (accept_char(&p, ';'))
		;
	return p.kind == T_END || unexpected(&p, NULL);
}
