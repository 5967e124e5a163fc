/*
 * sls_search.c
 *		mc-emulator, Log Service: the search expressions of GetLogs (terms, key: value,
 *		comparisons, and / or / not, brackets) and the SPL subset of PullLogs.
 *		Not here: SQL, which the callers refuse.
 */
#include <stdlib.h>

#include "sls.h"

#define MAX_EXPR_DEPTH 64

typedef enum expr_kind
{
	EXPR_ALL, EXPR_AND, EXPR_OR, EXPR_NOT, EXPR_TERM, EXPR_FIELD, EXPR_COMPARE, EXPR_EQUAL
} expr_kind;

struct sls_expr
{
	expr_kind	kind;
	sls_expr   *left;
	sls_expr   *right;
	mcw_view	key;
	mcw_view	value;			/* of TERM and FIELD: a trailing * means prefix */
	char		op[3];			/* COMPARE: < <= > >= = */
	double		number;
};

typedef struct parser
{
	const char *p;
	const char *end;
	mcw_arena  *arena;
	int			depth;
	mcw_error  *err;
} parser;

static sls_expr *parse_or(parser *ps);

static sls_expr *
fail_at(parser *ps, const char *what)
{
	if (ps->err->message[0] == '\0')
		mcw_fail(ps->err, MCW_ERR_FORMAT, "ErrorType:ErrorQueryParse.ErrorMessage:%s near '%.*s'", what,
				 (int) (ps->end - ps->p < 40 ? ps->end - ps->p : 40), ps->p);
	return NULL;
}

static sls_expr *
new_expr(parser *ps, expr_kind kind, sls_expr *left, sls_expr *right)
{
	sls_expr   *e = mcw_arena_new(ps->arena, sizeof(*e));

	if (e == NULL)
		return fail_at(ps, "query too large");
	e->kind = kind;
	e->left = left;
	e->right = right;
	return e;
}

static void
blanks(parser *ps)
{
	while (ps->p < ps->end && strchr(" \t\r\n", *ps->p))
		ps->p++;
}

static bool
is_delimiter(char c)
{
	return strchr(" \t\r\n():\"'<>=|", c) != NULL;
}

/* A bare word, or a text in single or double quotes with backslash escapes. */
static bool
word(parser *ps, mcw_view *out, bool *quoted)
{
	*quoted = false;
	blanks(ps);
	if (ps->p < ps->end && (*ps->p == '"' || *ps->p == '\''))
	{
		char		q = *ps->p++;
		char	   *copy = mcw_arena_new(ps->arena, ps->end - ps->p + 1);
		size_t		n = 0;

		if (copy == NULL)
			return false;
		while (ps->p < ps->end && *ps->p != q)
		{
			if (*ps->p == '\\' && ps->p + 1 < ps->end)
				ps->p++;
			copy[n++] = *ps->p++;
		}
		if (ps->p == ps->end)
			return false;
		ps->p++;
		*out = (mcw_view) {copy, n};
		*quoted = true;
		return true;
	}
	out->data = ps->p;
	while (ps->p < ps->end && !is_delimiter(*ps->p))
		ps->p++;
	out->len = ps->p - out->data;
	return out->len > 0;
}

static bool
keyword(parser *ps, const char *name)
{
	const char *save = ps->p;
	mcw_view	w;
	bool		quoted;

	if (word(ps, &w, &quoted) && !quoted && mcw_view_ieq(w, mcw_str(name)))
		return true;
	ps->p = save;
	return false;
}

static bool
to_number(mcw_view v, double *out)
{
	char		text[64];
	char	   *stop;

	if (v.len == 0 || v.len >= sizeof(text))
		return false;
	memcpy(text, v.data, v.len);
	text[v.len] = '\0';
	*out = strtod(text, &stop);
	return *stop == '\0';
}

/* key followed by : value or a comparison */
static sls_expr *
parse_field(parser *ps, mcw_view key)
{
	sls_expr   *e;
	bool		quoted;
	size_t		n = 0;
	char		op[3] = "";

	if (*ps->p == ':')
	{
		ps->p++;
		blanks(ps);
		if (ps->p == ps->end || !strchr("<>=", *ps->p))
		{
			e = new_expr(ps, EXPR_FIELD, NULL, NULL);
			if (e && !word(ps, &e->value, &quoted))
				return fail_at(ps, "value expected");
			if (e)
				e->key = key;
			return e;
		}
	}
	while (ps->p < ps->end && strchr("<>=", *ps->p) && n < 2)
		op[n++] = *ps->p++;
	e = new_expr(ps, EXPR_COMPARE, NULL, NULL);
	if (e == NULL)
		return NULL;
	memcpy(e->op, op, sizeof(op));
	e->key = key;
	if (!word(ps, &e->value, &quoted) || !to_number(e->value, &e->number))
		return fail_at(ps, "number expected");
	return e;
}

static sls_expr *
parse_primary(parser *ps)
{
	mcw_view	w;
	bool		quoted;
	sls_expr   *e;

	blanks(ps);
	if (ps->p < ps->end && *ps->p == '(')
	{
		if (++ps->depth > MAX_EXPR_DEPTH)
			return fail_at(ps, "too many brackets");
		ps->p++;
		e = parse_or(ps);
		blanks(ps);
		if (e && (ps->p == ps->end || *ps->p != ')'))
			return fail_at(ps, ") expected");
		ps->p++;
		ps->depth--;
		return e;
	}
	if (!word(ps, &w, &quoted))
		return fail_at(ps, "term expected");
	blanks(ps);
	if (ps->p < ps->end && strchr(":<>=", *ps->p))
		return parse_field(ps, w);
	if (!quoted && mcw_view_eq(w, MCW_LIT("*")))
		return new_expr(ps, EXPR_ALL, NULL, NULL);
	e = new_expr(ps, EXPR_TERM, NULL, NULL);
	if (e)
		e->value = w;
	return e;
}

static sls_expr *
parse_not(parser *ps)
{
	sls_expr   *e;

	if (!keyword(ps, "not"))
		return parse_primary(ps);
	if (++ps->depth > MAX_EXPR_DEPTH)
		return fail_at(ps, "too many nots");
	e = parse_not(ps);
	ps->depth--;
	return e ? new_expr(ps, EXPR_NOT, e, NULL) : NULL;
}

/* "and" may be left out between terms; "a not b" is a and not b. */
static sls_expr *
parse_and(parser *ps)
{
	sls_expr   *left = parse_not(ps);

	while (left)
	{
		const char *save;
		sls_expr   *right;

		blanks(ps);
		save = ps->p;
		if (ps->p == ps->end || *ps->p == ')' || *ps->p == '|')
			break;
		if (keyword(ps, "or"))
		{
			ps->p = save;
			break;
		}
		(void) keyword(ps, "and");
		right = parse_not(ps);
		left = right ? new_expr(ps, EXPR_AND, left, right) : NULL;
	}
	return left;
}

static sls_expr *
parse_or(parser *ps)
{
	sls_expr   *left = parse_and(ps);

	while (left && keyword(ps, "or"))
	{
		sls_expr   *right = parse_and(ps);

		left = right ? new_expr(ps, EXPR_OR, left, right) : NULL;
	}
	return left;
}

/* *out NULL: everything.  A "|" is the caller's to refuse: it is an error here. */
bool
sls_parse_search(mcw_view text, mcw_arena *arena, sls_expr **out, mcw_error *err)
{
	parser		ps = {text.data, text.data + text.len, arena, 0, err};

	err->message[0] = '\0';
	*out = NULL;
	blanks(&ps);
	if (ps.p == ps.end)
		return true;
	*out = parse_or(&ps);
	blanks(&ps);
	if (*out && ps.p < ps.end)
		*out = fail_at(&ps, "unexpected text");
	return *out != NULL;
}

/* "*" or "* | where key = 'value'" */
bool
sls_parse_spl(mcw_view text, mcw_arena *arena, sls_expr **out, mcw_error *err)
{
	parser		ps = {text.data, text.data + text.len, arena, 0, err};
	bool		quoted;
	mcw_view	key;
	sls_expr   *e;

	err->message[0] = '\0';
	*out = NULL;
	blanks(&ps);
	if (ps.p == ps.end || *ps.p != '*')
		return fail_at(&ps, "SPL must begin with *") != NULL;
	ps.p++;
	blanks(&ps);
	if (ps.p == ps.end)
		return true;
	if (*ps.p++ != '|' || !keyword(&ps, "where") || !word(&ps, &key, &quoted))
		return fail_at(&ps, "only * and * | where key = 'value' are supported") != NULL;
	blanks(&ps);
	if (ps.p == ps.end || *ps.p != '=')
		return fail_at(&ps, "= expected") != NULL;
	ps.p++;
	e = new_expr(&ps, EXPR_EQUAL, NULL, NULL);
	if (e == NULL)
		return false;
	e->key = key;
	blanks(&ps);
	if (ps.p == ps.end || *ps.p != '\'' || !word(&ps, &e->value, &quoted))
		return fail_at(&ps, "quoted value expected") != NULL;
	blanks(&ps);
	if (ps.p < ps.end)
		return fail_at(&ps, "unexpected text") != NULL;
	*out = e;
	return true;
}

/* ---- matching ---- */

static bool
is_word_char(unsigned char c)
{
	return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Does the pattern occur as a whole word, cases folded?  A trailing * lets the last
 * word go on.
 */
static bool
contains_word(mcw_view text, mcw_view pattern)
{
	bool		prefix = pattern.len > 1 && pattern.data[pattern.len - 1] == '*';

	if (prefix)
		pattern.len--;
	if (pattern.len == 0)
		return text.len == 0;
	for (size_t i = 0; i + pattern.len <= text.len; i++)
	{
		size_t		after = i + pattern.len;

		if (!mcw_view_ieq((mcw_view) {text.data + i, pattern.len}, pattern))
			continue;
		if (i > 0 && is_word_char(text.data[i - 1]) && is_word_char(pattern.data[0]))
			continue;
		if (!prefix && after < text.len && is_word_char(text.data[after]) && is_word_char(pattern.data[pattern.len - 1]))
			continue;
		return true;
	}
	return false;
}

static bool
term_in(mcw_view name, mcw_view value, void *arg)
{
	return contains_word(value, *(mcw_view *) arg);
}

static bool
compare_matches(const sls_expr *e, double v)
{
	if (strcmp(e->op, "<") == 0)
		return v < e->number;
	if (strcmp(e->op, "<=") == 0)
		return v <= e->number;
	if (strcmp(e->op, ">") == 0)
		return v > e->number;
	if (strcmp(e->op, ">=") == 0)
		return v >= e->number;
	return v == e->number;
}

bool
sls_match(const sls_expr *e, const sls_log_view *log)
{
	mcw_view	value;
	double		number;

	if (e == NULL)
		return true;
	switch (e->kind)
	{
		case EXPR_ALL:
			return true;
		case EXPR_AND:
			return sls_match(e->left, log) && sls_match(e->right, log);
		case EXPR_OR:
			return sls_match(e->left, log) || sls_match(e->right, log);
		case EXPR_NOT:
			return !sls_match(e->left, log);
		case EXPR_TERM:
			return sls_log_each(log, term_in, (void *) &e->value);
		case EXPR_FIELD:
			return sls_log_value(log, e->key, &value) &&
				(mcw_view_eq(e->value, MCW_LIT("*")) || contains_word(value, e->value));
		case EXPR_COMPARE:
			if (mcw_view_eq(e->key, MCW_LIT("__time__")))
				return compare_matches(e, log->time);
			return sls_log_value(log, e->key, &value) && to_number(value, &number) && compare_matches(e, number);
		default:
			return sls_log_value(log, e->key, &value) && mcw_view_eq(value, e->value);
	}
}
