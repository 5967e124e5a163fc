/*
 * mcw_text.c
 *		Hex, base64, percent-encoding, UTF-8 check.  Dates are in mcw_date.c.
 */
#include "mcw_text.h"

/* ---- hex ---- */

int
mcw_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

mcw_status
mcw_hex_encode(mcw_buf *out, mcw_view in, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	mcw_status	status;
	char	   *p;

	if (in.len > SIZE_MAX / 2)
		return MCW_ERR_LIMIT;
	status = mcw_buf_grow(out, in.len * 2);
	if (status != MCW_OK || in.len == 0)
		return status;
	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i++)
	{
		unsigned char c = (unsigned char) in.data[i];

		*p++ = digits[c >> 4];
		*p++ = digits[c & 15];
	}
	out->len += in.len * 2;
	return MCW_OK;
}

mcw_status
mcw_hex_decode(mcw_buf *out, mcw_view in)
{
	mcw_status	status;
	char	   *p;

	if (in.len % 2 != 0)
		return MCW_ERR_FORMAT;
	status = mcw_buf_grow(out, in.len / 2);
	if (status != MCW_OK || in.len == 0)
		return status;
	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i += 2)
	{
		int			high = mcw_hex_value(in.data[i]);
		int			low = mcw_hex_value(in.data[i + 1]);

		if (high < 0 || low < 0)
			return MCW_ERR_FORMAT;
		*p++ = (char) (high << 4 | low);
	}
	out->len += in.len / 2;
	return MCW_OK;
}

/* ---- base64 ---- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

mcw_status
mcw_base64_encode(mcw_buf *out, mcw_view in)
{
	const unsigned char *src = (const unsigned char *) in.data;
	size_t		left = in.len;
	size_t		need;
	mcw_status	status;
	char	   *p;

	if (in.len > SIZE_MAX / 2)
		return MCW_ERR_LIMIT;
	need = (in.len + 2) / 3 * 4;
	status = mcw_buf_grow(out, need);
	if (status != MCW_OK || in.len == 0)
		return status;

	p = out->data + out->len;
	for (; left >= 3; src += 3, left -= 3)
	{
		uint32_t	bits = (uint32_t) src[0] << 16 | (uint32_t) src[1] << 8 | src[2];

		*p++ = base64_digits[bits >> 18];
		*p++ = base64_digits[bits >> 12 & 63];
		*p++ = base64_digits[bits >> 6 & 63];
		*p++ = base64_digits[bits & 63];
	}
	if (left > 0)
	{
		uint32_t	bits = (uint32_t) src[0] << 16 | (left == 2 ? (uint32_t) src[1] << 8 : 0);

		*p++ = base64_digits[bits >> 18];
		*p++ = base64_digits[bits >> 12 & 63];
		*p++ = left == 2 ? base64_digits[bits >> 6 & 63] : '=';
		*p++ = '=';
	}
	out->len += need;
	return MCW_OK;
}

static int
base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	if (c == '/')
		return 63;
	return -1;
}

/*
 * Strict: the bits that padding leaves unused must be zero, so that every byte
 * string has exactly one accepted encoding.
 */
mcw_status
mcw_base64_decode(mcw_buf *out, mcw_view in)
{
	size_t		pad = 0;
	size_t		digits;
	uint32_t	bits = 0;
	mcw_status	status;
	char	   *p;

	if (in.len % 4 != 0)
		return MCW_ERR_FORMAT;
	if (in.len == 0)
		return MCW_OK;
	while (pad < 2 && in.data[in.len - 1 - pad] == '=')
		pad++;
	digits = in.len - pad;
	status = mcw_buf_grow(out, in.len / 4 * 3);
	if (status != MCW_OK)
		return status;

	p = out->data + out->len;
	for (size_t i = 0; i < digits; i++)
	{
		int			value = base64_value(in.data[i]);

		if (value < 0)
			return MCW_ERR_FORMAT;
		bits = bits << 6 | (uint32_t) value;
		if (i % 4 == 3)
		{
			*p++ = (char) (bits >> 16);
			*p++ = (char) (bits >> 8);
			*p++ = (char) bits;
			bits = 0;
		}
	}
	if (pad == 1)
	{
		if (bits & 3)
			return MCW_ERR_FORMAT;
		*p++ = (char) (bits >> 10);
		*p++ = (char) (bits >> 2);
	}
	else if (pad == 2)
	{
		if (bits & 15)
			return MCW_ERR_FORMAT;
		*p++ = (char) (bits >> 4);
	}
	out->len = (size_t) (p - out->data);
	return MCW_OK;
}

/* ---- percent-encoding ---- */

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '_' || c == '.' || c == '~';
}

mcw_status
mcw_percent_encode(mcw_buf *out, mcw_view in, bool keep_slash)
{
	size_t		need = 0;
	mcw_status	status;
	char	   *p;

	if (in.len > SIZE_MAX / 3)
		return MCW_ERR_LIMIT;
	for (size_t i = 0; i < in.len; i++)
		need += is_unreserved(in.data[i]) || (keep_slash && in.data[i] == '/') ? 1 : 3;
	status = mcw_buf_grow(out, need);
	if (status != MCW_OK || need == 0)
		return status;

	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i++)
	{
		unsigned char c = (unsigned char) in.data[i];

		if (is_unreserved(in.data[i]) || (keep_slash && c == '/'))
			*p++ = (char) c;
		else
		{
			*p++ = '%';
			*p++ = "0123456789ABCDEF"[c >> 4];
			*p++ = "0123456789ABCDEF"[c & 15];
		}
	}
	out->len += need;
	return MCW_OK;
}

mcw_status
mcw_percent_decode(mcw_buf *out, mcw_view in, bool plus_is_space)
{
	mcw_status	status = mcw_buf_grow(out, in.len);
	char	   *p;

	if (status != MCW_OK || in.len == 0)
		return status;

	p = out->data + out->len;
	for (size_t i = 0; i < in.len; i++)
	{
		char		c = in.data[i];

		if (c == '%' && in.len - i > 2)
		{
			int			high = mcw_hex_value(in.data[i + 1]);
			int			low = mcw_hex_value(in.data[i + 2]);

			if (high >= 0 && low >= 0)
			{
				c = (char) (high << 4 | low);
				i += 2;
			}
		}
		else if (c == '+' && plus_is_space)
			c = ' ';
		*p++ = c;
	}
	out->len = (size_t) (p - out->data);
	return MCW_OK;
}

/* ---- UTF-8 ---- */

/* Length of the valid sequence at p, 0 if there is none within 'left' bytes */
static size_t
utf8_sequence(const unsigned char *p, size_t left)
{
	unsigned char low = 0x80;	/* bounds of the second byte */
	unsigned char high = 0xBF;
	size_t		len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xC2)
		return 0;				/* continuation byte, or overlong */
	if (p[0] < 0xE0)
		len = 2;
	else if (p[0] < 0xF0)
	{
		len = 3;
		if (p[0] == 0xE0)
			low = 0xA0;			/* else overlong */
		else if (p[0] == 0xED)
			high = 0x9F;		/* else a surrogate */
	}
	else if (p[0] < 0xF5)
	{
		len = 4;
		if (p[0] == 0xF0)
			low = 0x90;
		else if (p[0] == 0xF4)
			high = 0x8F;		/* U+10FFFF is the last */
	}
	else
		return 0;

	if (left < len || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
	{
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	}
	return len;
}

size_t
mcw_utf8_valid(const char *data, size_t len)
{
	const unsigned char *p = (const unsigned char *) data;
	size_t		i = 0;

	while (i < len)
	{
		uint64_t	word;
		size_t		n;

		/* eight ASCII bytes at a time */
		if (len - i >= 8)
		{
			memcpy(&word, p + i, 8);
			if ((word & UINT64_C(0x8080808080808080)) == 0)
			{
				i += 8;
				continue;
			}
		}
		n = utf8_sequence(p + i, len - i);
		if (n == 0)
			return i;
		i += n;
	}
	return i;
}

char *
mcw_utf8_put(char *out, uint32_t c)
{
	if (c < 0x80)
		*out++ = (char) c;
	else if (c < 0x800)
	{
		*out++ = (char) (0xC0 | c >> 6);
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else if (c < 0x10000)
	{
		*out++ = (char) (0xE0 | c >> 12);
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	else
	{
		*out++ = (char) (0xF0 | c >> 18);
		*out++ = (char) (0x80 | (c >> 12 & 0x3F));
		*out++ = (char) (0x80 | (c >> 6 & 0x3F));
		*out++ = (char) (0x80 | (c & 0x3F));
	}
	return out;
}

mcw_view
mcw_view_trim(mcw_view v)
{
	while (v.len > 0 && memchr(" \t\r\n", v.data[0], 4))
	{
		v.data++;
		v.len--;
	}
	while (v.len > 0 && memchr(" \t\r\n", v.data[v.len - 1], 4))
		v.len--;
	return v;
}
