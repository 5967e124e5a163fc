/*
 * mcw_oss_list.c
 *		The list of objects (oss.md 3.2, 3.3), read in one pass without a tree: texts
 *		are decoded where they stand in one copy of the document.
 *
 * Elements may come in any order and unknown ones are passed over, but the document
 * must be well-formed as far as it is read: names match, nothing is cut off, no
 * document type.  Both versions of the call are understood: NextMarker is the token
 * of the old one.
 */
#include "mcw_oss.h"
#include "mcw_text.h"

#define MAX_ENTRIES 1000000
#define LEAST_ENTRY 256			/* bytes of a typical entry, rather too few */

typedef struct xml
{
	char	   *start;
	char	   *at;
	char	   *end;
	mcw_arena  *arena;
	mcw_error  *err;
	mcw_status	status;			/* the first failure stays */
} xml;

typedef enum xml_tag
{
	TAG_OPEN, TAG_EMPTY, TAG_CLOSE, TAG_FAILED
} xml_tag;

static xml_tag
malformed(xml *x, const char *what)
{
	if (x->status == MCW_OK)
	{
		x->status = mcw_fail(x->err, MCW_ERR_FORMAT, "malformed list of objects: %s", what);
		if (x->err)
			x->err->offset = (uint64_t) (x->at - x->start);
	}
	return TAG_FAILED;
}

static bool
no_memory(xml *x, size_t size)
{
	x->status = mcw_arena_why(x->arena, size);
	mcw_fail(x->err, x->status, "cannot keep the list of objects: %s", mcw_status_name(x->status));
	return false;
}

static bool
begins(const xml *x, const char *text, size_t len)
{
	return (size_t) (x->end - x->at) >= len && memcmp(x->at, text, len) == 0;
}

#define BEGINS(x, literal) begins(x, "" literal, sizeof(literal) - 1)

/* Behind the next 'text', or failure */
static bool
pass(xml *x, const char *text)
{
	char	   *found = memmem(x->at, (size_t) (x->end - x->at), text, strlen(text));

	if (found == NULL)
	{
		malformed(x, "it is cut short");
		return false;
	}
	x->at = found + strlen(text);
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* At '<' of a tag: its name and kind; attributes are passed over */
static xml_tag
read_tag(xml *x, mcw_view *name)
{
	bool		close = x->at + 1 < x->end && x->at[1] == '/';
	char	   *p = x->at + 1 + close;
	char		quote = 0;
	bool		empty;

	name->data = p;
	while (p < x->end && !is_blank(*p) && *p != '>' && *p != '/' && *p != '<' && *p != '=' && *p != '"')
		p++;
	name->len = (size_t) (p - name->data);
	if (name->len == 0 && p < x->end)
		return malformed(x, "a tag without a name");
	for (; p < x->end && (quote || *p != '>'); p++)
	{
		if (quote)
			quote = *p == quote ? 0 : quote;
		else if (*p == '"' || *p == '\'')
			quote = *p;
		else if (*p == '<')
			return malformed(x, "a tag inside a tag");
	}
	if (p >= x->end)
		return malformed(x, "it is cut short");
	empty = p[-1] == '/' && p - 1 >= name->data + name->len;
	if (close && empty)
		return malformed(x, "an empty closing tag");
	x->at = p + 1;
	return close ? TAG_CLOSE : empty ? TAG_EMPTY : TAG_OPEN;
}

/* Comment, processing instruction or CDATA at '<': pass over it; false if it is none */
static bool
pass_other(xml *x)
{
	if (x->at + 1 >= x->end || (x->at[1] != '!' && x->at[1] != '?'))
		return false;
	if (BEGINS(x, "<!--"))
	{
		x->at += 4;
		return pass(x, "-->");
	}
	if (BEGINS(x, "<?"))
		return pass(x, "?>");
	if (BEGINS(x, "<![CDATA["))
		return pass(x, "]]>");
	if (BEGINS(x, "<!DOCTYPE") && x->status == MCW_OK)
		x->status = mcw_fail(x->err, MCW_ERR_UNSUPPORTED, "an XML document type is not accepted");
	malformed(x, "a declaration");
	return false;
}

/* The next tag; text before it means nothing */
static xml_tag
next_tag(xml *x, mcw_view *name)
{
	for (;;)
	{
		char	   *lt = memchr(x->at, '<', (size_t) (x->end - x->at));

		if (lt == NULL)
			return malformed(x, "it is cut short");
		x->at = lt;
		if (!pass_other(x))
			return x->status == MCW_OK ? read_tag(x, name) : TAG_FAILED;
	}
}

/* Behind the end of the element whose opening tag was read */
static bool
skip(xml *x, mcw_view element)
{
	mcw_view	open[MCW_DOC_MAX_DEPTH];
	int			depth = 0;
	mcw_view	name;

	open[0] = element;
	for (;;)
	{
		switch (next_tag(x, &name))
		{
			case TAG_OPEN:
				if (++depth == MCW_DOC_MAX_DEPTH)
				{
					malformed(x, "it is nested too deep");
					return false;
				}
				open[depth] = name;
				break;
			case TAG_EMPTY:
				break;
			case TAG_CLOSE:
				if (!mcw_view_eq(name, open[depth]))
				{
					malformed(x, "a tag is closed that is not open");
					return false;
				}
				if (depth-- == 0)
					return true;
				break;
			case TAG_FAILED:
				return false;
		}
	}
}

/*
 * The character that a reference between '&' and ';' stands for, 0 = none.  What XML
 * 1.0 cannot say is let through, because a server without url encoding says it so.
 */
static uint32_t
reference(const char *p, size_t len)
{
	static const struct
	{
		const char *name;
		char		c;
	}			named[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
	mcw_view	name = {p, len};
	uint32_t	value = 0;
	bool		hex = len > 1 && p[0] == '#' && p[1] == 'x';

	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++)
		if (mcw_view_eq(name, mcw_str(named[i].name)))
			return (unsigned char) named[i].c;
	if (len < 2 || p[0] != '#' || (hex && len < 3))
		return 0;
	for (size_t i = hex ? 2 : 1; i < len; i++)
	{
		int			digit = mcw_hex_value(p[i]);

		if (digit < 0 || (!hex && digit > 9))
			return 0;
		value = value * (hex ? 16 : 10) + (uint32_t) digit;
		if (value > 0x10FFFF)
			return 0;
	}
	return value >= 0xD800 && value <= 0xDFFF ? 0 : value;
}

/* Move the text from..to with its references resolved to 'out'; returns its new end */
static char *
resolve(xml *x, char *out, const char *from, const char *to)
{
	while (from < to)
	{
		const char *amp = memchr(from, '&', (size_t) (to - from));
		size_t		plain = (size_t) ((amp ? amp : to) - from);
		const char *semicolon;
		uint32_t	c;

		memmove(out, from, plain);
		out += plain;
		if (amp == NULL)
			break;
		semicolon = memchr(amp, ';', (size_t) (to - amp));
		c = semicolon ? reference(amp + 1, (size_t) (semicolon - amp - 1)) : 0;
		if (c == 0)
		{
			malformed(x, "an unknown character reference");
			break;
		}
		out = mcw_utf8_put(out, c);
		from = semicolon + 1;
	}
	return out;
}

/*
 * The text of the element whose opening tag was read, in place; CDATA and comments
 * are resolved, elements inside of it passed over.
 */
static bool
read_text(xml *x, mcw_view element, mcw_view *text)
{
	char	   *begin = x->at;
	char	   *out = begin;

	for (;;)
	{
		char	   *lt = memchr(x->at, '<', (size_t) (x->end - x->at));
		mcw_view	name;

		if (lt == NULL)
		{
			malformed(x, "it is cut short");
			return false;
		}
		out = out == x->at && memchr(x->at, '&', (size_t) (lt - x->at)) == NULL ? lt : resolve(x, out, x->at, lt);
		x->at = lt;
		if (BEGINS(x, "<![CDATA["))
		{
			char	   *data = lt + 9;

			if (!pass(x, "]]>"))
				return false;
			memmove(out, data, (size_t) (x->at - 3 - data));
			out += x->at - 3 - data;
			continue;
		}
		if (pass_other(x))
			continue;
		switch (x->status == MCW_OK ? read_tag(x, &name) : TAG_FAILED)
		{
			case TAG_CLOSE:
				if (!mcw_view_eq(name, element))
				{
					malformed(x, "a tag is closed that is not open");
					return false;
				}
				text->data = begin;
				text->len = (size_t) (out - begin);
				return x->status == MCW_OK;
			case TAG_OPEN:
				if (!skip(x, name))
					return false;
				break;
			case TAG_EMPTY:
				break;
			case TAG_FAILED:
				return false;
		}
	}
}

static mcw_view
trim(mcw_view v)
{
	while (v.len > 0 && is_blank(v.data[0]))
	{
		v.data++;
		v.len--;
	}
	while (v.len > 0 && is_blank(v.data[v.len - 1]))
		v.len--;
	return v;
}

/* ---- the list ---- */

typedef struct list_reader
{
	xml			x;
	mcw_oss_list *list;
	int			max_entries;
	int			max_prefixes;
	bool		url;			/* EncodingType */
	bool		has_truncated;
	mcw_view	next_marker;
} list_reader;

static bool
need(list_reader *r, bool good, const char *what)
{
	if (!good)
		malformed(&r->x, what);
	return good;
}

/* Room for one more of an array in arena memory */
static void *
extend(xml *x, void *array, int count, int *max, int first, size_t size)
{
	int			more = *max ? 2 * *max : first;
	void	   *larger;

	if (count < *max)
		return array;
	if (more > MAX_ENTRIES)
	{
		malformed(x, "too many entries");
		return NULL;
	}
	larger = mcw_arena_new(x->arena, (size_t) more * size);
	if (larger == NULL)
		no_memory(x, (size_t) more * size);
	else if (count > 0)
		memcpy(larger, array, (size_t) count * size);
	*max = more;
	return larger;
}

#define IS(name, literal) mcw_view_eq(name, MCW_LIT(literal))

static bool
read_entry(list_reader *r)
{
	xml		   *x = &r->x;
	mcw_oss_list *list = r->list;
	mcw_oss_entry *e;
	mcw_view	name;
	mcw_view	text;
	bool		has_size = false;
	bool		has_time = false;
	size_t		guess = (size_t) (x->end - x->at) / LEAST_ENTRY + 1;

	list->entries = extend(x, list->entries, list->nentries, &r->max_entries,
						   guess < 1000 ? (int) guess : 1000, sizeof(*e));
	if (list->entries == NULL)
		return false;
	e = &list->entries[list->nentries];
	for (;;)
	{
		switch (next_tag(x, &name))
		{
			case TAG_EMPTY:
				continue;
			case TAG_FAILED:
				return false;
			case TAG_CLOSE:
				if (!need(r, IS(name, "Contents"), "a tag is closed that is not open") ||
					!need(r, e->key.len > 0, "an entry without a Key") ||
					!need(r, has_size, "an entry without a Size") ||
					!need(r, e->etag.len > 0, "an entry without an ETag") ||
					!need(r, has_time, "an entry without LastModified"))
					return false;
				list->nentries++;
				return true;
			case TAG_OPEN:
				break;
		}
		if (IS(name, "Key"))
		{
			if (!read_text(x, name, &e->key))
				return false;
		}
		else if (IS(name, "LastModified"))
		{
			if (!read_text(x, name, &text) ||
				!need(r, mcw_parse_iso8601(trim(text), &e->last_modified), "LastModified is no time"))
				return false;
			has_time = true;
		}
		else if (IS(name, "ETag"))
		{
			if (!read_text(x, name, &text))
				return false;
			e->etag = mcw_oss_etag(text);
		}
		else if (IS(name, "Size"))
		{
			if (!read_text(x, name, &text) ||
				!need(r, mcw_view_uint64(trim(text), &e->size), "Size is no number"))
				return false;
			has_size = true;
		}
		else if (IS(name, "Type") || IS(name, "StorageClass"))
		{
			bool		type = IS(name, "Type");

			if (!read_text(x, name, &text))
				return false;
			*(type ? &e->type : &e->storage_class) = trim(text);
		}
		else if (!skip(x, name))
			return false;
	}
}

/* CommonPrefixes holds one Prefix in OSS; more are taken too */
static bool
read_prefixes(list_reader *r)
{
	xml		   *x = &r->x;
	mcw_oss_list *list = r->list;
	mcw_view	name;

	for (;;)
	{
		switch (next_tag(x, &name))
		{
			case TAG_EMPTY:
				continue;
			case TAG_FAILED:
				return false;
			case TAG_CLOSE:
				return need(r, IS(name, "CommonPrefixes"), "a tag is closed that is not open");
			case TAG_OPEN:
				break;
		}
		if (!IS(name, "Prefix"))
		{
			if (!skip(x, name))
				return false;
			continue;
		}
		list->prefixes = extend(x, list->prefixes, list->nprefixes, &r->max_prefixes, 16, sizeof(mcw_view));
		if (list->prefixes == NULL || !read_text(x, name, &list->prefixes[list->nprefixes]))
			return false;
		list->nprefixes++;
	}
}

static bool
read_member(list_reader *r, mcw_view name)
{
	xml		   *x = &r->x;
	mcw_view	text;

	if (IS(name, "Contents"))
		return read_entry(r);
	if (IS(name, "CommonPrefixes"))
		return read_prefixes(r);
	if (IS(name, "NextContinuationToken"))
		return read_text(x, name, &r->list->next_token);
	if (IS(name, "NextMarker"))
		return read_text(x, name, &r->next_marker);
	if (IS(name, "IsTruncated"))
	{
		if (!read_text(x, name, &text))
			return false;
		text = trim(text);
		r->list->truncated = IS(text, "true");
		r->has_truncated = true;
		return need(r, r->list->truncated || IS(text, "false"), "IsTruncated is neither true nor false");
	}
	if (IS(name, "EncodingType"))
	{
		if (!read_text(x, name, &text))
			return false;
		text = trim(text);
		r->url = mcw_view_ieq(text, MCW_LIT("url"));
		return need(r, r->url || text.len == 0, "an unknown EncodingType");
	}
	return skip(x, name);
}

/* Between the tags of the root, and nothing of weight behind it */
static void
read_root(list_reader *r)
{
	xml		   *x = &r->x;
	mcw_view	root;
	mcw_view	name;
	xml_tag		tag;

	if (BEGINS(x, "\xEF\xBB\xBF"))
		x->at += 3;
	while (x->at < x->end && is_blank(*x->at))
		x->at++;
	if (x->at == x->end || *x->at != '<')
	{
		malformed(x, "it is no XML");
		return;
	}
	tag = next_tag(x, &root);
	if (tag == TAG_FAILED)
		return;
	if (!IS(root, "ListBucketResult") || tag == TAG_CLOSE)
	{
		x->status = mcw_fail(x->err, MCW_ERR_FORMAT, "the answer is <%.*s>, not a list of objects",
							 (int) (root.len < 64 ? root.len : 64), root.data);
		return;
	}
	while (tag != TAG_EMPTY)
	{
		tag = next_tag(x, &name);
		if (tag == TAG_FAILED || (tag == TAG_OPEN && !read_member(r, name)) ||
			(tag == TAG_EMPTY && !need(r, !IS(name, "Contents"), "an entry without a Key")))
			return;
		if (tag == TAG_CLOSE)
		{
			if (!need(r, mcw_view_eq(name, root), "a tag is closed that is not open"))
				return;
			break;
		}
		tag = TAG_OPEN;
	}
	while (x->at < x->end && x->status == MCW_OK)
	{
		if (is_blank(*x->at))
			x->at++;
		else if (*x->at != '<' || BEGINS(x, "<![") || !pass_other(x))
			malformed(x, "bytes behind its end");
	}
}

/* In place; a plus is a blank for the official decoders, and encoders say %2B */
static void
decode_percent(mcw_view *v)
{
	char	   *out = (char *) v->data;
	const char *p = v->data;
	const char *end = p + v->len;

	if (v->len == 0 || (memchr(p, '%', v->len) == NULL && memchr(p, '+', v->len) == NULL))
		return;
	while (p < end)
	{
		int			high = *p == '%' && end - p > 2 ? mcw_hex_value(p[1]) : -1;
		int			low = high >= 0 ? mcw_hex_value(p[2]) : -1;

		if (low >= 0)
		{
			*out++ = (char) (high << 4 | low);
			p += 3;
		}
		else
		{
			*out++ = *p == '+' ? ' ' : *p;
			p++;
		}
	}
	v->len = (size_t) (out - v->data);
}

/* A key is what it may be in OSS: UTF-8; a NUL has no place in any text of ours */
static bool
finish_key(list_reader *r, mcw_view *key)
{
	if (r->url)
		decode_percent(key);
	if (mcw_plain_ascii(key->data, key->len))
		return true;
	return need(r, mcw_utf8_valid(key->data, key->len) == key->len && memchr(key->data, '\0', key->len) == NULL,
				"a key is not UTF-8 or holds a NUL");
}

static void
finish(list_reader *r)
{
	mcw_oss_list *list = r->list;

	for (int i = 0; i < list->nentries; i++)
		if (!finish_key(r, &list->entries[i].key))
			return;
	for (int i = 0; i < list->nprefixes; i++)
		if (!finish_key(r, &list->prefixes[i]))
			return;
	list->next_token = trim(list->next_token);
	if (list->next_token.len == 0 && r->next_marker.len > 0)
	{
		if (!finish_key(r, &r->next_marker))
			return;
		list->next_token = r->next_marker;
	}
	(void) (need(r, r->has_truncated, "IsTruncated is missing") &&
			need(r, !list->truncated || list->next_token.len > 0, "it goes on, but does not say where"));
}

mcw_status
mcw_oss_read_list(mcw_view body, mcw_arena *arena, mcw_oss_list *list, mcw_error *err)
{
	list_reader r = {.x = {.arena = arena, .err = err}, .list = list};
	char	   *copy = mcw_arena_new(arena, body.len + 1);

	memset(list, 0, sizeof(*list));
	if (copy == NULL)
	{
		no_memory(&r.x, body.len + 1);
		return r.x.status;
	}
	if (body.len > 0)
		memcpy(copy, body.data, body.len);
	r.x.start = r.x.at = copy;
	r.x.end = copy + body.len;
	read_root(&r);
	if (r.x.status == MCW_OK)
		finish(&r);
	return r.x.status;
}
