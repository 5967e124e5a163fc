/*
 * oss_path.c
 *		Keys of objects: the values that stand in them, globs, and the directories new
 *		objects go to.
 *
 * A value in a key is percent-encoded as Hive encodes partition values, so that it may
 * hold slashes and equal signs.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "miscadmin.h"

#include "oss.h"

static bool
begins_with(mcw_view text, const char *with)
{
	size_t		len = strlen(with);

	return text.len >= len && memcmp(text.data, with, len) == 0;
}

static mcw_view
skip(mcw_view text, size_t n)
{
	return (mcw_view) {text.data + n, text.len - n};
}

/* ---- values ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* a percent sign that begins no code stands for itself, as in Hive */
static mcw_view
decode_value(mcw_view raw, mcw_buf *scratch)
{
	mcw_view	value = {NULL, 0};
	size_t		start = scratch->len;

	if (mcw_view_eq(raw, MCW_LIT(MC_OSS_NULL_PART)))
		return value;
	if (raw.len == 0)
		return MCW_LIT("");
	if (memchr(raw.data, '%', raw.len) == NULL)
		return raw;
	for (size_t i = 0; i < raw.len; i++)
	{
		int			high = raw.data[i] == '%' && i + 2 < raw.len ? hex_digit(raw.data[i + 1]) : -1;
		int			low = high >= 0 ? hex_digit(raw.data[i + 2]) : -1;

		if (low >= 0)
			i += 2;
		if (mcw_buf_append_char(scratch, low >= 0 ? (char) (high << 4 | low) : raw.data[i]) != MCW_OK)
			ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	}
	value.data = scratch->data + start;
	value.len = scratch->len - start;
	return value;
}

/* "." and "..", which web servers between here and there may take away, and the text that stands for NULL */
static bool
is_special(mcw_view value)
{
	return mcw_view_eq(value, MCW_LIT(".")) || mcw_view_eq(value, MCW_LIT("..")) ||
		mcw_view_eq(value, MCW_LIT(MC_OSS_NULL_PART));
}

bool
mcOssPathPlain(mcw_view value)
{
	for (size_t i = 0; i < value.len; i++)
	{
		unsigned char c = value.data[i];

		if (!IS_HIGHBIT_SET(c) && !isalnum(c) && c != '-' && c != '_' && c != '.')
			return false;
	}
	return value.len > 0 && !is_special(value);
}

static void
encode_value(mcw_view value, StringInfo key)
{
	static const char hex[] = "0123456789ABCDEF";
	bool		special = is_special(value);

	for (size_t i = 0; i < value.len; i++)
	{
		unsigned char c = value.data[i];

		if (c < ' ' || c == 0x7f || strchr("\"#%'*/:=?\\{[]^", c) || (special && i == 0) || (special && c == '.'))
		{
			appendStringInfoChar(key, '%');
			appendStringInfoChar(key, hex[c >> 4]);
			appendStringInfoChar(key, hex[c & 15]);
		}
		else
			appendStringInfoChar(key, c);
	}
}

/*
 * The values of a template as far as the key goes.  *n is the number of those that end
 * in it; false if it contradicts the template.  'rest' is what stands behind the whole
 * template, data NULL if the key is shorter.
 */
static bool
match_template(const McOssTable *table, mcw_view key, mcw_view *raw, int *n, mcw_view *rest)
{
	mcw_view	at;
	size_t		len;

	*n = 0;
	rest->data = NULL;
	len = strlen(table->literal);
	if (memcmp(key.data, table->literal, Min(len, key.len)) != 0)
		return false;
	if (key.len < len)
		return true;
	for (at = skip(key, len);; at = skip(at, raw[(*n)++].len))
	{
		const char *before = *n < table->nparts ? table->parts[*n].before : table->tail;
		const char *slash;

		len = strlen(before);
		if (memcmp(at.data, before, Min(len, at.len)) != 0)
			return false;
		if (at.len < len)
			return true;
		at = skip(at, len);
		if (*n == table->nparts)
		{
			*rest = at;
			return true;
		}
		slash = at.len ? memchr(at.data, '/', at.len) : NULL;
		if (slash == NULL)
			return true;
		raw[*n] = (mcw_view) {at.data, slash - at.data};
	}
}

/* name=value directories, wherever they stand in the key, as bits */
static uint64
match_hive(const McOssTable *table, mcw_view key, mcw_view *raw)
{
	uint64		found = 0;
	const char *slash;

	for (; key.len > 0 && (slash = memchr(key.data, '/', key.len)) != NULL; key = skip(key, slash + 1 - key.data))
	{
		mcw_view	segment = {key.data, slash - key.data};

		for (int i = 0; i < table->nparts; i++)
			if (!(found & UINT64CONST(1) << i) && begins_with(segment, table->parts[i].before))
			{
				raw[i] = skip(segment, strlen(table->parts[i].before));
				found |= UINT64CONST(1) << i;
				break;
			}
	}
	return found;
}

#define ALL_PARTS(table) ((UINT64CONST(1) << (table)->nparts) - 1)

bool
mcOssIsMark(const McOssTable *table, mcw_view key)
{
	const char *slash;

	if (table->scope == MC_OSS_ONE || !begins_with(key, table->root))
		return false;
	key = skip(key, strlen(table->root));
	while (key.len > 0 && (slash = memchr(key.data, '/', key.len)) != NULL)
	{
		if (mcw_view_eq((mcw_view) {key.data, slash - key.data}, MCW_LIT(MC_OSS_MANIFESTS)))
			return true;
		key = skip(key, slash + 1 - key.data);
	}
	return mcw_view_eq(key, MCW_LIT(MC_OSS_SUCCESS));
}

/* does the key have the table's form?  'rest' is what a glob has to match. */
static bool
match_key(const McOssTable *table, mcw_view key, mcw_view *raw, mcw_view *rest)
{
	int			n;

	if (!begins_with(key, table->literal) || (table->scope == MC_OSS_ONE && key.len != strlen(table->literal)) ||
		mcOssIsMark(table, key))
		return false;
	*rest = skip(key, strlen(table->literal));
	if (table->nparts == 0)
		return true;
	if (table->hive)
		return match_hive(table, key, raw) == ALL_PARTS(table);
	return match_template(table, key, raw, &n, rest) && rest->data != NULL;
}

static void
reserve(mcw_buf *scratch, size_t n)
{
	/* values point into it, so it must not move later */
	if (mcw_buf_grow(scratch, n + 1) != MCW_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
}

bool
mcOssPathValues(const McOssTable *table, mcw_view key, mcw_view *values, mcw_buf *scratch)
{
	mcw_view	rest;

	reserve(scratch, key.len);
	if (!match_key(table, key, values, &rest))
		return false;
	for (int i = 0; i < table->nparts; i++)
		values[i] = decode_value(values[i], scratch);
	return true;
}

static bool
same_value(mcw_view a, mcw_view b)
{
	return (a.data == NULL) == (b.data == NULL) && mcw_view_eq(a, b);
}

int
mcOssPathDiffers(const McOssTable *table, mcw_view key, const mcw_view *values)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_view	own[MC_OSS_MAX_PARTS];
	mcw_buf		scratch;
	int			i = 0;

	mcw_buf_init(&scratch, &alloc, MCS_OSS_MAX_DOCUMENT);
	if (mcOssPathValues(table, key, own, &scratch))
		while (i < table->nparts && same_value(own[i], values[i]))
			i++;
	mcw_buf_free(&scratch);
	return i < table->nparts ? i : -1;
}

bool
mcOssPathMayHave(const McOssTable *table, mcw_view directory, const mcw_view *values, bool *all)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_view	own[MC_OSS_MAX_PARTS];
	mcw_buf		scratch;
	uint64		known;
	bool		same;

	mcw_buf_init(&scratch, &alloc, MCS_OSS_MAX_DOCUMENT);
	same = mcOssPathKnown(table, directory, own, &scratch, &known);
	for (int i = 0; i < table->nparts && same; i++)
		same = (known & UINT64CONST(1) << i) == 0 || same_value(own[i], values[i]);
	*all = same && known == ALL_PARTS(table);
	mcw_buf_free(&scratch);
	return same;
}

bool
mcOssPathKnown(const McOssTable *table, mcw_view directory, mcw_view *values, mcw_buf *scratch, uint64 *known)
{
	if (mcOssIsMark(table, directory))
		return false;
	reserve(scratch, directory.len);
	if (table->hive)
		*known = match_hive(table, directory, values);
	else
	{
		mcw_view	rest;
		int			n;

		if (!match_template(table, directory, values, &n, &rest))
			return false;
		*known = (UINT64CONST(1) << n) - 1;
	}
	for (int i = 0; i < table->nparts; i++)
		if (*known & UINT64CONST(1) << i)
			values[i] = decode_value(values[i], scratch);
	return true;
}

bool
mcOssCovers(const McOssTable *table, mcw_view key)
{
	mcw_view	raw[MC_OSS_MAX_PARTS];
	mcw_view	rest;

	return match_key(table, key, raw, &rest) && (table->glob == NULL || mcOssGlob(table->glob, rest));
}

void
mcOssPathAppend(const McOssTable *table, const mcw_view *values, StringInfo key)
{
	for (int i = 0; i < table->nparts; i++)
	{
		appendStringInfoString(key, table->parts[i].before);
		if (values[i].data == NULL)
			appendStringInfoString(key, MC_OSS_NULL_PART);
		else
			encode_value(values[i], key);
		if (table->hive)
			appendStringInfoChar(key, '/');
	}
	appendStringInfoString(key, table->tail);
}

/* ---- globs ---- */

/* bytes of the character at p */
static int
char_len(const char *p, const char *end)
{
	int			n = 1;

	while (p + n < end && ((unsigned char) p[n] & 0xC0) == 0x80)
		n++;
	return n;
}

/* [..] at *p against the character at text; moves *p behind it.  Ranges compare single bytes. */
static bool
match_class(const char **p, const char *text, int len)
{
	const char *at = *p + 1;
	bool		negated = *at == '!' || *at == '^';
	bool		found = false;
	const char *first;

	at += negated;
	for (first = at; *at && (*at != ']' || at == first);)
	{
		const char *high = at;
		int			n = char_len(at, at + strlen(at));

		if (at[n] == '-' && at[n + 1] && at[n + 1] != ']')
			high = at + n + 1;
		if (high != at)
		{
			found |= n == 1 && len == 1 && (unsigned char) *at <= (unsigned char) *text &&
				(unsigned char) *text <= (unsigned char) *high;
			at = high + char_len(high, high + strlen(high));
		}
		else
		{
			found |= n == len && memcmp(at, text, len) == 0;
			at += n;
		}
	}
	*p = *at ? at + 1 : at;
	return found != negated;
}

/* one character of the text against what is no star; moves both on */
static bool
match_one(const char **p, const char **text, const char *end)
{
	int			len = char_len(*text, end);

	if (**p == '?' || (**p == '[' && strchr(*p + 1, ']') != NULL))
	{
		if (**text == '/')
			return false;
		if (**p == '?')
			(*p)++;
		else if (!match_class(p, *text, len))
			return false;
		*text += len;
		return true;
	}
	if (**p == '\\' && (*p)[1])
		(*p)++;
	if (**p != **text)
		return false;
	(*p)++;
	(*text)++;
	return true;
}

/*
 * No alternatives any more.  Only the last star and the last double star are ever tried
 * again: what an earlier one could take a later one of its kind can take as well.  A
 * double star that is a whole directory's name stands for any number of directories,
 * also none.
 */
static bool
match_plain(const char *pattern, const char *begin, const char *end)
{
	const char *p = pattern;
	const char *text = begin;
	const char *star = NULL;
	const char *star_text = NULL;
	const char *deep = NULL;
	const char *deep_text = NULL;
	bool		directories = false;

	for (;;)
	{
		if (p[0] == '*' && p[1] == '*')
		{
			directories = p[2] == '/' && (p == pattern || p[-1] == '/');
			deep = p += directories ? 3 : 2;
			deep_text = text;
			star = NULL;
		}
		else if (*p == '*')
		{
			star = ++p;
			star_text = text;
		}
		else if (*p == '\0' && text == end)
			return true;
		else if (*p != '\0' && text < end && match_one(&p, &text, end))
			continue;
		else if (star && star_text < end && *star_text != '/')
		{
			text = ++star_text;
			p = star;
		}
		else if (deep && deep_text < end)
		{
			if (directories)
				deep_text = memchr(deep_text, '/', end - deep_text);
			if (deep_text == NULL)
				return false;
			text = ++deep_text;
			p = deep;
			star = NULL;
		}
		else
			return false;
	}
}

/* the end of the group that opens at p, or NULL */
static const char *
group_end(const char *p)
{
	int			depth = 0;

	for (; *p; p++)
	{
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '{')
			depth++;
		else if (*p == '}' && --depth == 0)
			return p;
	}
	return NULL;
}

static const char *
first_group(const char *p)
{
	for (; *p; p++)
	{
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '{')
			return p;
	}
	return NULL;
}

bool
mcOssGlob(const char *pattern, mcw_view text)
{
	const char *open = first_group(pattern);
	const char *close = open ? group_end(open) : NULL;
	bool		found = false;

	check_stack_depth();
	if (close == NULL)
		return match_plain(pattern, text.data, text.data + text.len);
	for (const char *from = open + 1, *p = from; !found && p <= close; p++)
	{
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '{')
			p = group_end(p);
		else if (*p == ',' || p == close)
		{
			char	   *one = psprintf("%.*s%.*s%s", (int) (open - pattern), pattern, (int) (p - from), from, close + 1);

			found = mcOssGlob(one, text);
			pfree(one);
			from = p + 1;
		}
	}
	return found;
}
