/*
 * mcw_varint.h
 *		Base-128 integers and short comparisons for the codecs of this layer, and for
 *		the inline functions in their headers.  Not an interface for layers above.
 *
 * Every getter takes the current position and the end, never reads behind it,
 * and returns the new position or NULL if the bytes are cut short or too long.
 */
#ifndef MCW_VARINT_H
#define MCW_VARINT_H

#include "mcw.h"

/* The general case of mcw_get_varint: up to ten bytes, 64 bits */
static inline const char *
mcw_get_varint_long(const char *pos, const char *end, uint64_t *out)
{
	uint64_t	value = 0;

	for (int shift = 0; shift < 64 && pos < end; shift += 7)
	{
		uint64_t	byte = (unsigned char) *pos++;

		if (shift == 63 && byte > 1)
			return NULL;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80)
		{
			*out = value;
			return pos;
		}
	}
	return NULL;
}

static inline const char *
mcw_get_varint(const char *pos, const char *end, uint64_t *out)
{
	if (mcw_likely(pos < end && (unsigned char) *pos < 0x80))
	{
		*out = (unsigned char) *pos;
		return pos + 1;
	}
	return mcw_get_varint_long(pos, end, out);
}

/* At most five bytes and 32 bits: tags, lengths, checksums */
static inline const char *
mcw_get_varint32(const char *pos, const char *end, uint32_t *out)
{
	uint64_t	value;
	const char *next = mcw_get_varint(pos, end, &value);

	if (mcw_unlikely(next == NULL || next - pos > 5 || value > UINT32_MAX))
		return NULL;
	*out = (uint32_t) value;
	return next;
}

/* A length and the bytes it announces */
static inline const char *
mcw_get_span(const char *pos, const char *end, mcw_view *out)
{
	uint32_t	len;

	pos = mcw_get_varint32(pos, end, &len);
	if (mcw_unlikely(pos == NULL || len > (size_t) (end - pos)))
		return NULL;
	out->data = pos;
	out->len = len;
	return pos + len;
}

static inline int64_t
mcw_unzigzag(uint64_t v)
{
	return (int64_t) (v >> 1) ^ -(int64_t) (v & 1);
}

static inline uint64_t
mcw_zigzag(int64_t v)
{
	return ((uint64_t) v << 1) ^ (uint64_t) (v >> 63);
}

static inline size_t
mcw_varint_size(uint64_t v)
{
	return (size_t) (70 - __builtin_clzll(v | 1)) / 7;
}

/* Writes at most ten bytes; the caller has made room */
static inline char *
mcw_put_varint(char *pos, uint64_t v)
{
	while (v >= 0x80)
	{
		*pos++ = (char) (v | 0x80);
		v >>= 7;
	}
	*pos++ = (char) v;
	return pos;
}

/* memcmp() == 0 without the call: keys of logs are a few bytes long */
static inline bool
mcw_bytes_eq(const char *a, const char *b, size_t len)
{
	uint64_t	x;
	uint64_t	y;
	uint32_t	x4;
	uint32_t	y4;

	if (len >= 8)
	{
		for (size_t i = 0; i + 8 < len; i += 8)
		{
			memcpy(&x, a + i, 8);
			memcpy(&y, b + i, 8);
			if (x != y)
				return false;
		}
		memcpy(&x, a + len - 8, 8);
		memcpy(&y, b + len - 8, 8);
		return x == y;
	}
	if (len >= 4)
	{
		memcpy(&x4, a, 4);
		memcpy(&y4, b, 4);
		if (x4 != y4)
			return false;
		memcpy(&x4, a + len - 4, 4);
		memcpy(&y4, b + len - 4, 4);
		return x4 == y4;
	}
	for (size_t i = 0; i < len; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/*
 * memcpy() without the call for up to 32 bytes, which most keys and values are.
 * Source and destination must not overlap.
 */
static inline void
mcw_copy_short(char *restrict to, const char *restrict from, size_t len)
{
	if (mcw_unlikely(len > 32))
		memcpy(to, from, len);
	else if (len >= 16)
	{
		memcpy(to, from, 16);
		memcpy(to + len - 16, from + len - 16, 16);
	}
	else if (len >= 8)
	{
		memcpy(to, from, 8);
		memcpy(to + len - 8, from + len - 8, 8);
	}
	else if (len >= 4)
	{
		memcpy(to, from, 4);
		memcpy(to + len - 4, from + len - 4, 4);
	}
	else
	{
		for (size_t i = 0; i < len; i++)
			to[i] = from[i];
	}
}

#endif							/* MCW_VARINT_H */
