/*
 * ots_filter.c
 *		mc-emulator, Tablestore part: filters and column conditions, parsed from their
 *		messages and evaluated over the cells of a row.  tablestore.md 2.5.
 */
#include <errno.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>

#include "ots_private.h"

#define MAX_NODES 32			/* composites count */

enum
{
	FT_SINGLE = 1, FT_COMPOSITE = 2, FT_PAGINATION = 3
};

enum
{
	CT_EQUAL = 1, CT_NOT_EQUAL, CT_GREATER_THAN, CT_GREATER_EQUAL, CT_LESS_THAN, CT_LESS_EQUAL, CT_EXIST, CT_NOT_EXIST
};

enum
{
	LO_NOT = 1, LO_AND, LO_OR
};

struct ots_filter
{
	int			type;
	/* FT_SINGLE */
	int			comparator;
	mcw_view	name;
	mcw_ots_value value;
	bool		if_missing;		/* filter_if_missing */
	bool		latest_only;
	char	   *regex;			/* arena; NULL = none */
	int			cast;			/* VariantType of the extract; -1 = not given */
	/* FT_COMPOSITE */
	int			combinator;
	ots_filter **sub;
	int			nsub;
	/* FT_PAGINATION */
	int32_t		offset;
	int32_t		limit;
};

typedef struct parser
{
	mcw_arena  *arena;
	ots_fault  *why;
	int			nodes;
	bool		may_page;
} parser;

static void *
new_in(mcw_arena *arena, size_t size)
{
	void	   *p = mcw_arena_new(arena, size);

	if (p == NULL)
		emu_oom();
	return p;
}

static bool
broken(parser *ps)
{
	return ots_invalid(ps->why, "Deserialize filter failed.");
}

/* A bare variant that fills the bytes (3.2) */
static bool
read_variant(mcw_view b, mcw_ots_value *v)
{
	uint32_t	n;

	if (b.len == 0)
		return false;
	*v = mcw_ots_none((mcw_ots_type) (uint8_t) b.data[0]);
	switch (v->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			if (b.len != 9)
				return false;
			memcpy(&v->i, b.data + 1, 8);
			return true;
		case MCW_OTS_BOOLEAN:
			v->b = b.len == 2 && b.data[1] != 0;
			return b.len == 2;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			if (b.len < 5)
				return false;
			memcpy(&n, b.data + 1, 4);
			v->s = (mcw_view) {b.data + 5, b.len - 5};
			return n == b.len - 5;
		default:
			return false;
	}
}

/* regcomp is what says whether the expression is one; kept as text, compiled when used */
static bool
read_rule(parser *ps, ots_filter *f, mcw_view message)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	regex = {NULL, 0};
	mcw_view	copy;
	regex_t		probe;

	f->cast = -1;
	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_BYTES)
			regex = m.bytes;
		else if (m.number == 2 && m.wire == MCW_PB_VARINT)
			f->cast = (int) m.number_value;
	if (st != MCW_END || regex.data == NULL)
		return broken(ps);
	if (mcw_arena_copy(ps->arena, regex, &copy) != MCW_OK)
		emu_oom();
	if (memchr(regex.data, '\0', regex.len) || regcomp(&probe, copy.data, REG_EXTENDED) != 0)
		return ots_invalid(ps->why, "Invalid regex in value transfer rule: %.*s.", (int) (regex.len < 200 ? regex.len : 200), regex.data);
	regfree(&probe);
	f->regex = (char *) copy.data;
	if (f->cast != -1 && f->cast != MCW_OTS_INTEGER && f->cast != MCW_OTS_DOUBLE && f->cast != MCW_OTS_STRING)
		return ots_invalid(ps->why, "Invalid cast type in value transfer rule.");
	return true;
}

static bool
parse_single(parser *ps, ots_filter *f, mcw_view message)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	unsigned	seen = 0;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
	{
		bool		bytes = m.wire == MCW_PB_BYTES;

		if (m.number >= 1 && m.number <= 5 && bytes == (m.number == 2 || m.number == 3))
			seen |= 1u << m.number;
		if (m.number == 1)
			f->comparator = (int) m.number_value;
		else if (m.number == 2 && bytes)
			f->name = m.bytes;
		else if (m.number == 3 && bytes)
		{
			if (!read_variant(m.bytes, &f->value))
				return broken(ps);
		}
		else if (m.number == 4)
			f->if_missing = m.number_value != 0;
		else if (m.number == 5)
			f->latest_only = m.number_value != 0;
		else if (m.number == 6 && bytes && !read_rule(ps, f, m.bytes))
			return false;
	}
	if (st != MCW_END || seen != 0x3e || f->comparator < CT_EQUAL || f->comparator > CT_NOT_EXIST)
		return broken(ps);
	if (f->comparator >= CT_EXIST && f->regex == NULL)
		return broken(ps);
	if (!ots_name_ok(f->name, true))
		return ots_invalid(ps->why, "Invalid column name: '%.*s'.", (int) (f->name.len < 600 ? f->name.len : 600), f->name.data);
	if (f->value.type == MCW_OTS_DOUBLE && isnan(f->value.d))
		return ots_invalid(ps->why, "NaN can't be set to double value.");
	if (f->value.type == MCW_OTS_DOUBLE && isinf(f->value.d))
		return ots_invalid(ps->why, "Infinity can't be set to double value.");
	if ((f->value.type == MCW_OTS_STRING || f->value.type == MCW_OTS_BINARY) && f->value.s.len > MCW_OTS_MAX_VALUE_BYTES)
		return ots_invalid(ps->why, "The length of attribute column: '%.*s' exceeds the MaxLength:%d with CurrentLength:%zu.",
						   (int) f->name.len, f->name.data, MCW_OTS_MAX_VALUE_BYTES, f->value.s.len);
	return true;
}

static ots_filter *parse_node(parser *ps, mcw_view message);

static bool
parse_composite(parser *ps, ots_filter *f, mcw_view message)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;

	f->sub = new_in(ps->arena, MAX_NODES * sizeof(*f->sub));
	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_VARINT)
			f->combinator = (int) m.number_value;
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
		{
			/* the count check in parse_node keeps nsub below MAX_NODES */
			ots_filter *sub = parse_node(ps, m.bytes);

			if (sub == NULL)
				return false;
			if (sub->type == FT_PAGINATION)
				return ots_invalid(ps->why, "ColumnPaginationFilter can't be in a composite filter.");
			f->sub[f->nsub++] = sub;
		}
	if (st != MCW_END || f->combinator < LO_NOT || f->combinator > LO_OR)
		return broken(ps);
	if (f->combinator == LO_NOT && f->nsub != 1)
		return ots_invalid(ps->why, "Invalid NOT operator: the number of sub-filters must be 1.");
	if (f->combinator != LO_NOT && f->nsub < 2)
		return ots_invalid(ps->why, "Invalid AND/OR operator: the number of sub-filters must be more than 1.");
	return true;
}

static bool
parse_pagination(parser *ps, ots_filter *f, mcw_view message)
{
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	unsigned	seen = 0;

	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if ((m.number == 1 || m.number == 2) && m.wire == MCW_PB_VARINT)
		{
			seen |= 1u << m.number;
			*(m.number == 1 ? &f->offset : &f->limit) = (int32_t) m.number_value;
		}
	if (st != MCW_END || seen != 6)
		return broken(ps);
	if (f->offset < 0)
		return ots_invalid(ps->why, "Offset in ColumnPaginationFilter must be greater than or equal to 0.");
	return f->limit > 0 || ots_invalid(ps->why, "Limit in ColumnPaginationFilter must be greater than 0.");
}

static ots_filter *
parse_node(parser *ps, mcw_view message)
{
	ots_filter *f = new_in(ps->arena, sizeof(*f));
	mcw_pb_field m;
	mcw_status	st;
	size_t		pos = 0;
	mcw_view	inner = {NULL, 0};
	bool		ok;

	if (++ps->nodes > MAX_NODES)
	{
		(void) ots_invalid(ps->why, "The count of filter exceeds the max:%d.", MAX_NODES);
		return NULL;
	}
	while ((st = mcw_pb_next(message, &pos, &m)) == MCW_OK)
		if (m.number == 1 && m.wire == MCW_PB_VARINT)
			f->type = (int) m.number_value;
		else if (m.number == 2 && m.wire == MCW_PB_BYTES)
			inner = m.bytes;
	if (st != MCW_END || inner.data == NULL)
		ok = broken(ps);
	else if (f->type == FT_SINGLE)
		ok = parse_single(ps, f, inner);
	else if (f->type == FT_COMPOSITE)
		ok = parse_composite(ps, f, inner);
	else if (f->type == FT_PAGINATION)
		ok = ps->may_page ? parse_pagination(ps, f, inner) :
			ots_invalid(ps->why, "ColumnPaginationFilter can't be used as a column condition.");
	else
		ok = broken(ps);
	return ok ? f : NULL;
}

bool
ots_filter_parse(mcw_view bytes, bool may_page, mcw_arena *arena, ots_filter **filter, ots_fault *why)
{
	parser		ps = {.arena = arena, .why = why, .may_page = may_page};

	*filter = parse_node(&ps, bytes);
	return *filter != NULL;
}

/* ---- evaluation ---- */

/*
 * Compared within one type only.  Of different types they are unequal, and in no
 * order: the service's behaviour beyond EQUAL is not documented.
 */
static bool
compare(int comparator, const mcw_ots_value *a, const mcw_ots_value *b)
{
	int			c;

	if (a->type != b->type)
		return comparator == CT_NOT_EQUAL;
	if (a->type == MCW_OTS_INTEGER)
		c = (a->i > b->i) - (a->i < b->i);
	else if (a->type == MCW_OTS_DOUBLE)
		c = (a->d > b->d) - (a->d < b->d);
	else if (a->type == MCW_OTS_BOOLEAN)
		c = (int) a->b - (int) b->b;
	else
		c = mcw_view_cmp(a->s, b->s);
	switch (comparator)
	{
		case CT_EQUAL:
			return c == 0;
		case CT_NOT_EQUAL:
			return c != 0;
		case CT_GREATER_THAN:
			return c > 0;
		case CT_GREATER_EQUAL:
			return c >= 0;
		case CT_LESS_THAN:
			return c < 0;
		default:
			return c <= 0;
	}
}

/* The first group of the match, or all of it, as the rule's type */
static bool
extract(const ots_filter *f, const mcw_ots_value *in, mcw_ots_value *out, char *text, size_t size)
{
	regex_t		re;
	regmatch_t	m[2];
	int			g;
	size_t		n;
	char	   *end;
	bool		found;

	if (in->type != MCW_OTS_STRING || regcomp(&re, f->regex, REG_EXTENDED) != 0)
		return false;
	m[0].rm_so = 0;
	m[0].rm_eo = (regoff_t) in->s.len;
	found = regexec(&re, in->s.data, 2, m, REG_STARTEND) == 0;
	g = re.re_nsub > 0 ? 1 : 0;
	regfree(&re);
	if (!found || m[g].rm_so < 0)
		return false;
	n = (size_t) (m[g].rm_eo - m[g].rm_so);
	if (f->cast == -1 || f->cast == MCW_OTS_STRING)
	{
		*out = mcw_ots_bytes(MCW_OTS_STRING, (mcw_view) {in->s.data + m[g].rm_so, n});
		return true;
	}
	if (n == 0 || n >= size)
		return false;
	memcpy(text, in->s.data + m[g].rm_so, n);
	text[n] = '\0';
	errno = 0;
	*out = mcw_ots_none((mcw_ots_type) f->cast);
	if (f->cast == MCW_OTS_INTEGER)
		out->i = strtoll(text, &end, 10);
	else
		out->d = strtod(text, &end);
	return *end == '\0' && end > text && errno == 0;
}

/* One version against the condition; *missing: the rule gives no value */
static bool
match_cell(const ots_filter *f, const ots_cell *cell, bool *missing)
{
	mcw_ots_value v;
	char		text[64];
	bool		got;

	*missing = false;
	if (f->regex == NULL)
		return compare(f->comparator, &cell->value, &f->value);
	got = extract(f, &cell->value, &v, text, sizeof(text));
	if (f->comparator == CT_EXIST)
		return got;
	if (f->comparator == CT_NOT_EXIST)
		return !got;
	*missing = !got;
	return got && compare(f->comparator, &v, &f->value);
}

static bool
match_single(const ots_filter *f, const ots_cell *cells, int n)
{
	bool		missing = true;

	for (int i = 0; i < n; i++)
	{
		bool		none;

		if (!mcw_view_eq(cells[i].name, f->name))
			continue;
		if (match_cell(f, &cells[i], &none))
			return true;
		missing = missing && none;
		if (f->latest_only)
			break;
	}
	return missing && !f->if_missing;
}

bool
ots_filter_match(const ots_filter *f, const ots_cell *cells, int n)
{
	switch (f->type)
	{
		case FT_SINGLE:
			return match_single(f, cells, n);
		case FT_COMPOSITE:
			if (f->combinator == LO_NOT)
				return !ots_filter_match(f->sub[0], cells, n);
			for (int i = 0; i < f->nsub; i++)
				if (ots_filter_match(f->sub[i], cells, n) != (f->combinator == LO_AND))
					return f->combinator == LO_OR;
			return f->combinator == LO_AND;
		default:
			return true;
	}
}

bool
ots_filter_window(const ots_filter *f, int32_t *offset, int32_t *limit)
{
	if (f->type != FT_PAGINATION)
		return false;
	*offset = f->offset;
	*limit = f->limit;
	return true;
}
