/*
 * mcw_pb.c
 *		Protobuf framing (proto2): tags, lengths, numbers.
 */
#include "mcw_pb.h"

/* Longest tag and longest number */
#define MAX_TAG 5
#define MAX_NUMBER 10

mcw_status
mcw_pb_next(mcw_view message, size_t *pos, mcw_pb_field *field)
{
	const char *p;
	const char *end;
	uint32_t	tag;
	uint32_t	half;

	if (*pos >= message.len)
		return MCW_END;
	end = message.data + message.len;
	p = mcw_get_varint32(message.data + *pos, end, &tag);
	if (p == NULL || tag >> 3 == 0)
		return MCW_ERR_FORMAT;
	field->number = tag >> 3;
	field->wire = (mcw_pb_wire) (tag & 7);
	field->number_value = 0;
	field->bytes.data = NULL;
	field->bytes.len = 0;
	switch (tag & 7)
	{
		case MCW_PB_VARINT:
			p = mcw_get_varint(p, end, &field->number_value);
			break;
		case MCW_PB_FIXED64:
			if (end - p < 8)
				return MCW_ERR_FORMAT;
			memcpy(&field->number_value, p, 8);
			p += 8;
			break;
		case MCW_PB_BYTES:
			p = mcw_get_span(p, end, &field->bytes);
			break;
		case MCW_PB_FIXED32:
			if (end - p < 4)
				return MCW_ERR_FORMAT;
			memcpy(&half, p, 4);
			field->number_value = half;
			p += 4;
			break;
		default:
			return MCW_ERR_FORMAT;
	}
	if (p == NULL)
		return MCW_ERR_FORMAT;
	*pos = (size_t) (p - message.data);
	return MCW_OK;
}

void
mcw_pb_put_uint(mcw_buf *out, uint32_t number, uint64_t value)
{
	char	   *p;

	if (!mcw_buf_room(out, MAX_TAG + MAX_NUMBER))
		return;
	p = mcw_put_varint(out->data + out->len, (uint64_t) number << 3 | MCW_PB_VARINT);
	p = mcw_put_varint(p, value);
	out->len = (size_t) (p - out->data);
}

void
mcw_pb_put_bytes(mcw_buf *out, uint32_t number, mcw_view bytes)
{
	char	   *p;

	if (bytes.data == NULL)
		return;
	if (bytes.len > INT32_MAX)
	{
		(void) mcw_buf_grow(out, SIZE_MAX); /* no member is that long: fails with MCW_ERR_LIMIT */
		return;
	}
	if (!mcw_buf_room(out, MAX_TAG + MAX_NUMBER + bytes.len))
		return;
	p = mcw_put_varint(out->data + out->len, (uint64_t) number << 3 | MCW_PB_BYTES);
	p = mcw_put_varint(p, bytes.len);
	mcw_copy_short(p, bytes.data, bytes.len);
	out->len = (size_t) (p + bytes.len - out->data);
}

void
mcw_pb_put_double(mcw_buf *out, uint32_t number, double value)
{
	char	   *p;

	if (!mcw_buf_room(out, MAX_TAG + 8))
		return;
	p = mcw_put_varint(out->data + out->len, (uint64_t) number << 3 | MCW_PB_FIXED64);
	memcpy(p, &value, 8);
	out->len = (size_t) (p + 8 - out->data);
}

size_t
mcw_pb_begin(mcw_buf *out, uint32_t number)
{
	char	   *p;

	if (!mcw_buf_room(out, MAX_TAG + 1))
		return out->len;
	p = mcw_put_varint(out->data + out->len, (uint64_t) number << 3 | MCW_PB_BYTES);
	*p++ = 0;
	out->len = (size_t) (p - out->data);
	return out->len;
}

/* One byte was kept for the length; most messages need no more */
void
mcw_pb_end(mcw_buf *out, size_t mark)
{
	size_t		len = out->len - mark;
	size_t		more = mcw_varint_size(len) - 1;

	if (out->failed)
		return;
	if (more > 0)
	{
		if (!mcw_buf_room(out, more))
			return;
		memmove(out->data + mark + more, out->data + mark, len);
		out->len += more;
	}
	(void) mcw_put_varint(out->data + mark - 1, len);
}
