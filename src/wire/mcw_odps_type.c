/*
 * mcw_odps_type.c
 *		MaxCompute type strings (maxcompute.md 6): parser and formatter.
 *
 * Limits here are those of the grammar; whether a project accepts a type, and what
 * it becomes in PostgreSQL, is not known here.
 */
#include "mcw_odps.h"

#define MAX_PRECISION 76		/* decimal256 */
#define MAX_VARCHAR 65535
#define MAX_CHAR 255
#define MAX_VECTOR 65536

static const char *const kind_names[] = {
	[MCW_ODPS_TINYINT] = "tinyint",
	[MCW_ODPS_SMALLINT] = "smallint",
	[MCW_ODPS_INT] = "int",
	[MCW_ODPS_BIGINT] = "bigint",
	[MCW_ODPS_FLOAT] = "float",
	[MCW_ODPS_DOUBLE] = "double",
	[MCW_ODPS_BOOLEAN] = "boolean",
	[MCW_ODPS_STRING] = "string",
	[MCW_ODPS_VARCHAR] = "varchar",
	[MCW_ODPS_CHAR] = "char",
	[MCW_ODPS_BINARY] = "binary",
	[MCW_ODPS_DECIMAL] = "decimal",
	[MCW_ODPS_JSON] = "json",
	[MCW_ODPS_DATE] = "date",
	[MCW_ODPS_DATETIME] = "datetime",
	[MCW_ODPS_TIMESTAMP] = "timestamp",
	[MCW_ODPS_TIMESTAMP_NTZ] = "timestamp_ntz",
	[MCW_ODPS_INTERVAL_YEAR_MONTH] = "interval_year_month",
	[MCW_ODPS_INTERVAL_DAY_TIME] = "interval_day_time",
	[MCW_ODPS_ARRAY] = "array",
	[MCW_ODPS_MAP] = "map",
	[MCW_ODPS_STRUCT] = "struct",
	[MCW_ODPS_VECTOR] = "vector",
	[MCW_ODPS_GEOGRAPHY] = "geography",
	[MCW_ODPS_BLOB] = "blob",
	[MCW_ODPS_VOID] = "void",
};

#define NKINDS ((int) (sizeof(kind_names) / sizeof(kind_names[0])))

const char *
mcw_odps_kind_name(mcw_odps_kind kind)
{
	return (int) kind >= 0 && (int) kind < NKINDS ? kind_names[kind] : "unknown";
}

typedef struct type_parser
{
	mcw_view	text;
	size_t		pos;
	mcw_arena  *arena;
	mcw_error  *err;
} type_parser;

static mcw_status parse_type(type_parser *p, int depth, mcw_odps_type **out);

/* --- lexical ---------------------------------------------------------- */

static mcw_status
bad_type(type_parser *p, mcw_status status, const char *what)
{
	/* show where, but not megabytes of somebody's type string */
	mcw_view	rest = {p->text.data + p->pos, p->text.len - p->pos};

	mcw_fail(p->err, status, "%s at \"%.*s\" in type \"%.*s\"", what,
			 (int) (rest.len > 60 ? 60 : rest.len), rest.data,
			 (int) (p->text.len > 200 ? 200 : p->text.len), p->text.data);
	if (p->err)
		p->err->offset = p->pos;
	return status;
}

static mcw_status
no_memory(type_parser *p, size_t wanted)
{
	return bad_type(p, mcw_arena_why(p->arena, wanted), "no memory left");
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static void
skip_blanks(type_parser *p)
{
	while (p->pos < p->text.len && (p->text.data[p->pos] == ' ' || p->text.data[p->pos] == '\t' ||
									p->text.data[p->pos] == '\n' || p->text.data[p->pos] == '\r'))
		p->pos++;
}

static bool
accept(type_parser *p, char c)
{
	skip_blanks(p);
	if (p->pos >= p->text.len || p->text.data[p->pos] != c)
		return false;
	p->pos++;
	return true;
}

static mcw_status
expect(type_parser *p, char c)
{
	char		what[] = "expected \"?\"";

	if (accept(p, c))
		return MCW_OK;
	what[10] = c;
	return bad_type(p, MCW_ERR_FORMAT, what);
}

/* Letters, digits and '_'; empty if there are none */
static mcw_view
read_word(type_parser *p)
{
	mcw_view	word;

	skip_blanks(p);
	word.data = p->text.data + p->pos;
	while (p->pos < p->text.len && is_name_char(p->text.data[p->pos]))
		p->pos++;
	word.len = (size_t) (p->text.data + p->pos - word.data);
	return word;
}

static mcw_status
read_number(type_parser *p, int min, int max, int *out)
{
	size_t		start = p->pos;
	uint64_t	number;

	if (!mcw_view_uint64(read_word(p), &number))
	{
		p->pos = start;
		return bad_type(p, MCW_ERR_FORMAT, "expected a number");
	}
	if (number < (uint64_t) min || number > (uint64_t) max)
	{
		p->pos = start;
		return bad_type(p, MCW_ERR_LIMIT, "number out of range");
	}
	*out = (int) number;
	return MCW_OK;
}

/* Field name of a struct, perhaps in back-quotes; copied */
static mcw_status
read_name(type_parser *p, mcw_view *out)
{
	mcw_view	name;
	mcw_status	status;

	if (accept(p, '`'))
	{
		const char *close;

		name.data = p->text.data + p->pos;
		close = memchr(name.data, '`', p->text.len - p->pos);
		if (close == NULL)
			return bad_type(p, MCW_ERR_FORMAT, "unterminated back-quote");
		name.len = (size_t) (close - name.data);
		p->pos += name.len + 1;
	}
	else
		name = read_word(p);
	if (name.len == 0)
		return bad_type(p, MCW_ERR_FORMAT, "expected a field name");
	status = mcw_arena_copy(p->arena, name, out);
	return status == MCW_OK ? MCW_OK : bad_type(p, status, "no memory left");
}

/* --- grammar ---------------------------------------------------------- */

static mcw_status
set_children(type_parser *p, mcw_odps_type *type, mcw_odps_type *const *children,
			 const mcw_view *names, int n)
{
	type->nchildren = n;
	type->children = mcw_arena_new(p->arena, (size_t) n * sizeof(type->children[0]));
	if (names)
		type->names = mcw_arena_new(p->arena, (size_t) n * sizeof(type->names[0]));
	if (type->children == NULL || (names && type->names == NULL))
		return no_memory(p, (size_t) n * sizeof(mcw_view));
	memcpy(type->children, children, (size_t) n * sizeof(type->children[0]));
	if (names)
		memcpy(type->names, names, (size_t) n * sizeof(type->names[0]));
	return MCW_OK;
}

/* One or two types in angle brackets */
static mcw_status
parse_elements(type_parser *p, int depth, mcw_odps_type *type)
{
	mcw_odps_type *children[2];
	int			n = type->kind == MCW_ODPS_MAP ? 2 : 1;
	mcw_status	status = expect(p, '<');

	for (int i = 0; i < n && status == MCW_OK; i++)
	{
		if (i > 0)
			status = expect(p, ',');
		if (status == MCW_OK)
			status = parse_type(p, depth + 1, &children[i]);
	}
	if (status == MCW_OK)
		status = expect(p, '>');
	return status == MCW_OK ? set_children(p, type, children, NULL, n) : status;
}

/* Fields are gathered in arrays of the arena that double */
static mcw_status
parse_fields(type_parser *p, int depth, mcw_odps_type *type)
{
	mcw_odps_type **children = NULL;
	mcw_view   *names = NULL;
	int			n = 0;
	int			room = 0;
	mcw_status	status = expect(p, '<');

	while (status == MCW_OK)
	{
		if (n == MCW_ODPS_MAX_COLUMNS)
			return bad_type(p, MCW_ERR_LIMIT, "too many fields");
		if (n == room)
		{
			mcw_odps_type **old_children = children;
			mcw_view   *old_names = names;

			room = room ? room * 2 : 8;
			children = mcw_arena_new(p->arena, (size_t) room * sizeof(*children));
			names = mcw_arena_new(p->arena, (size_t) room * sizeof(*names));
			if (children == NULL || names == NULL)
				return no_memory(p, (size_t) room * sizeof(mcw_view));
			if (n > 0)
			{
				memcpy(children, old_children, (size_t) n * sizeof(*children));
				memcpy(names, old_names, (size_t) n * sizeof(*names));
			}
		}
		status = read_name(p, &names[n]);
		if (status == MCW_OK)
			status = expect(p, ':');
		if (status == MCW_OK)
			status = parse_type(p, depth + 1, &children[n]);
		n++;
		if (status == MCW_OK && !accept(p, ','))
		{
			status = expect(p, '>');
			break;
		}
	}
	return status == MCW_OK ? set_children(p, type, children, names, n) : status;
}

static mcw_status
parse_decimal(type_parser *p, mcw_odps_type *type)
{
	mcw_status	status;

	if (!accept(p, '('))
		return MCW_OK;
	status = read_number(p, 1, MAX_PRECISION, &type->precision);
	if (status == MCW_OK && accept(p, ','))
		status = read_number(p, 0, type->precision, &type->scale);
	return status == MCW_OK ? expect(p, ')') : status;
}

static mcw_status
parse_length(type_parser *p, mcw_odps_type *type)
{
	mcw_status	status = expect(p, '(');

	if (status == MCW_OK)
		status = read_number(p, 1, type->kind == MCW_ODPS_CHAR ? MAX_CHAR : MAX_VARCHAR,
							 &type->length);
	return status == MCW_OK ? expect(p, ')') : status;
}

static mcw_status
parse_vector(type_parser *p, int depth, mcw_odps_type *type)
{
	mcw_odps_type *element;
	mcw_status	status = expect(p, '(');

	if (status == MCW_OK)
		status = parse_type(p, depth + 1, &element);
	if (status != MCW_OK)
		return status;
	if (element->kind != MCW_ODPS_FLOAT && element->kind != MCW_ODPS_DOUBLE)
		return bad_type(p, MCW_ERR_UNSUPPORTED, "a vector holds float or double only");
	status = expect(p, ',');
	if (status == MCW_OK)
		status = read_number(p, 1, MAX_VECTOR, &type->length);
	if (status == MCW_OK)
		status = expect(p, ')');
	return status == MCW_OK ? set_children(p, type, &element, NULL, 1) : status;
}

static mcw_status
parse_type(type_parser *p, int depth, mcw_odps_type **out)
{
	mcw_odps_type *type;
	mcw_view	word;
	size_t		start;
	int			kind = 0;

	skip_blanks(p);
	start = p->pos;
	if (depth > MCW_ODPS_MAX_DEPTH)
		return bad_type(p, MCW_ERR_LIMIT, "types are nested too deep");
	word = read_word(p);
	if (word.len == 0)
		return bad_type(p, MCW_ERR_FORMAT, "expected a type name");
	while (kind < NKINDS && !mcw_view_ieq(word, mcw_str(kind_names[kind])))
		kind++;
	if (kind == NKINDS)
	{
		p->pos = start;
		return bad_type(p, MCW_ERR_UNSUPPORTED, "unknown type");
	}
	type = mcw_arena_new(p->arena, sizeof(*type));
	if (type == NULL)
		return no_memory(p, sizeof(*type));
	type->kind = (mcw_odps_kind) kind;
	*out = type;
	switch (type->kind)
	{
		case MCW_ODPS_DECIMAL:
			return parse_decimal(p, type);
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			return parse_length(p, type);
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
			return parse_elements(p, depth, type);
		case MCW_ODPS_STRUCT:
			return parse_fields(p, depth, type);
		case MCW_ODPS_VECTOR:
			return parse_vector(p, depth, type);
		default:
			return MCW_OK;
	}
}

mcw_status
mcw_odps_type_parse(mcw_view text, mcw_arena *arena, mcw_odps_type **type, mcw_error *err)
{
	type_parser p = {text, 0, arena, err};
	mcw_status	status;

	if (text.data == NULL)
		p.text = MCW_LIT("");
	status = parse_type(&p, 0, type);
	skip_blanks(&p);
	if (status == MCW_OK && p.pos != p.text.len)
		status = bad_type(&p, MCW_ERR_FORMAT, "unexpected text");
	return status;
}

/* --- formatter -------------------------------------------------------- */

static void
format_name(mcw_view name, mcw_buf *out)
{
	bool		plain = true;

	for (size_t i = 0; i < name.len; i++)
		plain = plain && is_name_char(name.data[i]);
	if (!plain)
		mcw_buf_append_char(out, '`');
	mcw_buf_append_view(out, name);
	if (!plain)
		mcw_buf_append_char(out, '`');
}

static void
format_type(const mcw_odps_type *type, mcw_buf *out)
{
	mcw_buf_append_str(out, mcw_odps_kind_name(type->kind));
	switch (type->kind)
	{
		case MCW_ODPS_DECIMAL:
			if (type->precision > 0)
				mcw_buf_printf(out, "(%d,%d)", type->precision, type->scale);
			break;
		case MCW_ODPS_VARCHAR:
		case MCW_ODPS_CHAR:
			mcw_buf_printf(out, "(%d)", type->length);
			break;
		case MCW_ODPS_VECTOR:
			mcw_buf_append_char(out, '(');
			format_type(type->children[0], out);
			mcw_buf_printf(out, ",%d)", type->length);
			break;
		case MCW_ODPS_ARRAY:
		case MCW_ODPS_MAP:
		case MCW_ODPS_STRUCT:
			for (int i = 0; i < type->nchildren; i++)
			{
				mcw_buf_append_char(out, i == 0 ? '<' : ',');
				if (type->kind == MCW_ODPS_STRUCT)
				{
					format_name(type->names[i], out);
					mcw_buf_append_char(out, ':');
				}
				format_type(type->children[i], out);
			}
			mcw_buf_append_char(out, '>');
			break;
		default:
			break;
	}
}

mcw_status
mcw_odps_type_format(const mcw_odps_type *type, mcw_buf *out)
{
	format_type(type, out);
	return out->failed ? MCW_ERR_LIMIT : MCW_OK;
}
