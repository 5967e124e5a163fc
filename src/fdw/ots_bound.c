/*
 * ots_bound.c
 *		Neighbours of key values (tablestore.md 4.1): a range of the service includes its
 *		begin and excludes its end, so every other kind of bound is the neighbour of one.
 *
 * Legal values are 64-bit integers, valid UTF-8 of at most 1024 bytes and any bytes
 * of at most 1024.  A neighbour is the next or previous among those, so no key lies
 * between and no bound is longer than a key can be.  Bytes are allocated in the
 * current memory context.
 */
#include "postgres.h"

#include "ots_plan.h"

#define MAX_BYTES MCW_OTS_MAX_KEY_BYTES

/* ---- characters ---- */

static int
char_length(uint32 c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static int
put_char(uint8 *out, uint32 c)
{
	int			len = char_length(c);

	if (len == 1)
		out[0] = (uint8) c;
	else
	{
		static const uint8 lead[] = {0, 0, 0xC0, 0xE0, 0xF0};

		for (int i = len - 1; i > 0; i--, c >>= 6)
			out[i] = (uint8) (0x80 | (c & 0x3F));
		out[0] = (uint8) (lead[len] | c);
	}
	return len;
}

/* the character that ends at 'end', of valid UTF-8; its first byte */
static size_t
char_before(const uint8 *s, size_t end, uint32 *c)
{
	size_t		at = end - 1;
	int			len;

	while (at > 0 && (s[at] & 0xC0) == 0x80)
		at--;
	len = (int) (end - at);
	*c = len == 1 ? s[at] : s[at] & (0x7F >> len);
	for (size_t i = at + 1; i < end; i++)
		*c = *c << 6 | (s[i] & 0x3F);
	return at;
}

/* surrogates are no characters */
static bool
next_char(uint32 *c)
{
	if (*c >= 0x10FFFF)
		return false;
	*c = *c == 0xD7FF ? 0xE000 : *c + 1;
	return true;
}

static bool
previous_char(uint32 *c)
{
	if (*c == 0)
		return false;
	*c = *c == 0xE000 ? 0xD7FF : *c - 1;
	return true;
}

static uint8 *
copy_bytes(const mcw_ots_value *v, size_t len)
{
	uint8	   *out = palloc(MAX_BYTES + 1);

	if (len > 0)
		memcpy(out, v->s.data, len);
	return out;
}

static void
set_bytes(mcw_ots_value *v, uint8 *bytes, size_t len)
{
	v->s.data = (const char *) bytes;
	v->s.len = len;
}

/* ---- strings ---- */

/* s[0 .. p) and a larger character at p, for the largest p that leaves a legal length */
static bool
after_string(mcw_ots_value *v)
{
	const uint8 *s = (const uint8 *) v->s.data;
	size_t		end = v->s.len;

	while (end > 0)
	{
		uint32		c;
		size_t		at = char_before(s, end, &c);

		if (next_char(&c) && at + char_length(c) <= MAX_BYTES)
		{
			uint8	   *out = copy_bytes(v, at);

			set_bytes(v, out, at + put_char(out + at, c));
			return true;
		}
		end = at;
	}
	return false;
}

static bool
previous_string(mcw_ots_value *v)
{
	const uint8 *s = (const uint8 *) v->s.data;
	uint8	   *out;
	uint32		c;
	size_t		at;

	if (v->s.len == 0)
		return false;
	at = char_before(s, v->s.len, &c);
	if (!previous_char(&c))
	{
		v->s.len = at;			/* without its last NUL */
		return true;
	}
	out = copy_bytes(v, at);
	at += put_char(out + at, c);
	/* what follows is the largest there can be */
	while (at < MAX_BYTES)
	{
		static const uint32 largest[] = {0, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF};

		at += put_char(out + at, largest[Min(MAX_BYTES - at, 4)]);
	}
	set_bytes(v, out, at);
	return true;
}

/* ---- bytes ---- */

static bool
after_bytes(mcw_ots_value *v)
{
	const uint8 *s = (const uint8 *) v->s.data;
	size_t		len = Min(v->s.len, MAX_BYTES);
	uint8	   *out;

	while (len > 0 && s[len - 1] == 0xFF)
		len--;
	if (len == 0)
		return false;
	out = copy_bytes(v, len);
	out[len - 1]++;
	set_bytes(v, out, len);
	return true;
}

static bool
previous_bytes(mcw_ots_value *v)
{
	const uint8 *s = (const uint8 *) v->s.data;
	uint8	   *out;

	if (v->s.len == 0)
		return false;
	if (s[v->s.len - 1] == 0)
	{
		v->s.len--;
		return true;
	}
	out = copy_bytes(v, v->s.len);
	out[v->s.len - 1]--;
	memset(out + v->s.len, 0xFF, MAX_BYTES - v->s.len);
	set_bytes(v, out, MAX_BYTES);
	return true;
}

/* ---- values ---- */

bool
mcOtsAfterPrefix(mcw_ots_value *v)
{
	return v->type == MCW_OTS_STRING ? after_string(v) : after_bytes(v);
}

bool
mcOtsNextValue(mcw_ots_value *v)
{
	uint8	   *out;

	if (v->type == MCW_OTS_INTEGER)
	{
		if (v->i == PG_INT64_MAX)
			return false;
		v->i++;
		return true;
	}
	if (v->s.len >= MAX_BYTES)
		return mcOtsAfterPrefix(v);
	out = copy_bytes(v, v->s.len);
	out[v->s.len] = 0;
	set_bytes(v, out, v->s.len + 1);
	return true;
}

bool
mcOtsPreviousValue(mcw_ots_value *v)
{
	if (v->type == MCW_OTS_INTEGER)
	{
		if (v->i == PG_INT64_MIN)
			return false;
		v->i--;
		return true;
	}
	Assert(v->s.len <= MAX_BYTES);
	return v->type == MCW_OTS_STRING ? previous_string(v) : previous_bytes(v);
}
