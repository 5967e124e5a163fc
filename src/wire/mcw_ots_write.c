/*
 * mcw_ots_write.c
 *		Writer of PlainBuffer (tablestore.md 3): rows, bare keys, bare variants.
 *
 * Room is asked for once per cell; everything behind that is plain stores.
 */
#include "mcw_ots_private.h"

/* Of a cell without name and payload: tags, lengths, type, operation, timestamp, checksum */
#define CELL_OVERHEAD (1 + 1 + 4 + 1 + 4 + 1 + 4 + 2 + 9 + 2)

static inline char *
put8(char *p, uint8_t v)
{
	*p = (char) v;
	return p + 1;
}

static inline char *
put32(char *p, uint32_t v)
{
	memcpy(p, &v, 4);
	return p + 4;
}

static inline char *
put64(char *p, uint64_t v)
{
	memcpy(p, &v, 8);
	return p + 8;
}

static inline bool
has_bytes(const mcw_ots_value *value)
{
	return value->type == MCW_OTS_STRING || value->type == MCW_OTS_BINARY;
}

/* Type byte and payload (3.2): the position behind it, NULL for a type that has none */
static inline char *
put_variant(char *p, const mcw_ots_value *value)
{
	*p++ = (char) value->type;
	switch (value->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			return put64(p, (uint64_t) value->i);
		case MCW_OTS_BOOLEAN:
			return put8(p, value->b);
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			p = put32(p, (uint32_t) value->s.len);
			mcw_copy_short(p, value->s.data, value->s.len);
			return p + value->s.len;
		case MCW_OTS_INF_MIN:
		case MCW_OTS_INF_MAX:
		case MCW_OTS_AUTO_INCREMENT:
			return p;
		default:
			return NULL;
	}
}

/* The checksum goes on over a variant; from the value, not from bytes that were just stored */
static inline uint8_t
crc_variant(uint8_t crc, const mcw_ots_value *value)
{
	switch (value->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			return ots_crc_u64(ots_crc_byte(crc, value->type), (uint64_t) value->i);
		case MCW_OTS_BOOLEAN:
			return ots_crc_byte(ots_crc_byte(crc, value->type), value->b);
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return ots_crc_feed(ots_crc_type_and_length(crc, value->type, (uint32_t) value->s.len),
								value->s.data, value->s.len);
		default:
			return ots_crc_byte(crc, value->type);
	}
}

/* ---- rows ---- */

static void
begin_row(mcw_ots_writer *w, mcw_buf *out, bool header)
{
	memset(w, 0, sizeof(*w));
	w->out = out;
	w->start = out->len;
	w->status = mcw_buf_status(out);
	w->broken = w->status != MCW_OK;
	if (w->broken)
		return;
	if (!mcw_buf_room(out, OTS_HEADER_SIZE + 1))
	{
		w->status = mcw_buf_status(out);
		return;
	}
	if (header)
	{
		(void) put32(out->data + out->len, OTS_HEADER);
		out->len += OTS_HEADER_SIZE;
	}
	out->data[out->len++] = TAG_ROW_PK;
}

void
mcw_ots_begin_row(mcw_ots_writer *w, mcw_buf *out)
{
	begin_row(w, out, true);
}

void
mcw_ots_begin_next_row(mcw_ots_writer *w, mcw_buf *out)
{
	begin_row(w, out, false);
}

static void
fail(mcw_ots_writer *w, mcw_status status)
{
	if (w->status == MCW_OK)
		w->status = status;
}

/*
 * One cell of checked parts.  'value' may be NULL; the tag of the data part goes
 * before the first attribute cell.
 */
static inline void
put_cell(mcw_ots_writer *w, const mcw_ots_name *name, const mcw_ots_value *value,
		 mcw_ots_op op, int64_t timestamp, bool open_data)
{
	mcw_buf    *out = w->out;
	uint8_t		crc = name->crc;
	char	   *p;

	if (mcw_unlikely(!mcw_buf_room(out, 1 + CELL_OVERHEAD + name->name.len +
								   (value && has_bytes(value) ? value->s.len : 8))))
	{
		fail(w, mcw_buf_status(out));
		return;
	}
	p = out->data + out->len;
	if (open_data)
		p = put8(p, TAG_ROW_DATA);
	p = put8(p, TAG_CELL);
	p = put8(p, TAG_CELL_NAME);
	p = put32(p, (uint32_t) name->name.len);
	mcw_copy_short(p, name->name.data, name->name.len);
	p += name->name.len;
	if (value)
	{
		char	   *variant = p + 5;
		char	   *behind = put_variant(variant, value);

		*p = TAG_CELL_VALUE;
		(void) put32(p + 1, (uint32_t) (behind - variant));
		crc = crc_variant(crc, value);
		p = behind;
	}
	if (op != MCW_OTS_PUT)
	{
		p = put8(p, TAG_CELL_OP);
		p = put8(p, (uint8_t) op);
	}
	if (timestamp != MCW_OTS_NO_TIMESTAMP)
	{
		p = put8(p, TAG_CELL_TIMESTAMP);
		p = put64(p, (uint64_t) timestamp);
		crc = ots_crc_u64(crc, (uint64_t) timestamp);
	}
	if (op != MCW_OTS_PUT)
		crc = ots_crc_byte(crc, (uint8_t) op);
	p = put8(p, TAG_CELL_CHECKSUM);
	p = put8(p, crc);
	w->crc = ots_crc_byte(w->crc, crc);
	out->len = (size_t) (p - out->data);
}

static inline mcw_status
check_name(const mcw_ots_name *name)
{
	if (mcw_unlikely(name->name.len == 0))
		return MCW_ERR_ARGUMENT;
	return mcw_likely(name->name.len <= MCW_OTS_MAX_NAME) ? MCW_OK : MCW_ERR_LIMIT;
}

static inline mcw_status
check_key_value(const mcw_ots_value *value)
{
	switch (value->type)
	{
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return value->s.len <= MCW_OTS_MAX_KEY_BYTES ? MCW_OK : MCW_ERR_LIMIT;
		case MCW_OTS_INTEGER:
		case MCW_OTS_INF_MIN:
		case MCW_OTS_INF_MAX:
		case MCW_OTS_AUTO_INCREMENT:
			return MCW_OK;
		default:
			return MCW_ERR_ARGUMENT;
	}
}

static inline mcw_status
check_attribute_value(const mcw_ots_value *value)
{
	switch (value->type)
	{
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return value->s.len <= MCW_OTS_MAX_VALUE_BYTES ? MCW_OK : MCW_ERR_LIMIT;
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
		case MCW_OTS_BOOLEAN:
			return MCW_OK;
		default:
			return MCW_ERR_ARGUMENT;
	}
}

void
mcw_ots_put_key(mcw_ots_writer *w, const mcw_ots_name *name, const mcw_ots_value *value)
{
	mcw_status	status = w->status;

	if (status == MCW_OK && (w->in_data || w->deleted || w->has_sequence))
		status = MCW_ERR_ARGUMENT;
	if (status == MCW_OK && w->nkeys == MCW_OTS_MAX_KEYS)
		status = MCW_ERR_LIMIT;
	if (status == MCW_OK)
		status = check_name(name);
	if (status == MCW_OK)
		status = check_key_value(value);
	if (mcw_unlikely(status != MCW_OK))
	{
		fail(w, status);
		return;
	}
	put_cell(w, name, value, MCW_OTS_PUT, MCW_OTS_NO_TIMESTAMP, false);
	w->nkeys++;
}

/* What each operation carries (3.3) */
static inline mcw_status
check_operation(mcw_ots_op op, const mcw_ots_value *value, bool has_timestamp)
{
	switch (op)
	{
		case MCW_OTS_PUT:
			return value ? MCW_OK : MCW_ERR_ARGUMENT;
		case MCW_OTS_DELETE_ALL:
			return !value && !has_timestamp ? MCW_OK : MCW_ERR_ARGUMENT;
		case MCW_OTS_DELETE_ONE:
			return !value && has_timestamp ? MCW_OK : MCW_ERR_ARGUMENT;
		case MCW_OTS_INCREMENT:
			return value && (value->type == MCW_OTS_INTEGER || value->type == MCW_OTS_DOUBLE) && !has_timestamp ?
				MCW_OK : MCW_ERR_ARGUMENT;
	}
	return MCW_ERR_ARGUMENT;
}

void
mcw_ots_put_cell(mcw_ots_writer *w, const mcw_ots_name *name, const mcw_ots_value *value,
				 mcw_ots_op op, int64_t timestamp)
{
	mcw_status	status = w->status;

	if (value && value->type == MCW_OTS_NONE)
		value = NULL;
	if (status == MCW_OK && (w->deleted || w->has_sequence))
		status = MCW_ERR_ARGUMENT;
	if (status == MCW_OK)
		status = check_name(name);
	if (status == MCW_OK && value)
		status = check_attribute_value(value);
	if (status == MCW_OK)
		status = check_operation(op, value, timestamp != MCW_OTS_NO_TIMESTAMP);
	if (mcw_unlikely(status != MCW_OK))
	{
		fail(w, status);
		return;
	}
	put_cell(w, name, value, op, timestamp, !w->in_data);
	w->in_data = true;
}

void
mcw_ots_put_delete_marker(mcw_ots_writer *w)
{
	if (w->status != MCW_OK)
		return;
	if (w->deleted || w->has_sequence)
	{
		fail(w, MCW_ERR_ARGUMENT);
		return;
	}
	w->deleted = true;
	if (mcw_buf_append_char(w->out, TAG_DELETE_MARKER) != MCW_OK)
		fail(w, mcw_buf_status(w->out));
}

void
mcw_ots_put_sequence(mcw_ots_writer *w, int32_t epoch, int64_t time_us, int32_t row_index)
{
	char		bytes[1 + 4 + SEQUENCE_ITEM_SIZE];
	char	   *p = bytes;

	if (w->status != MCW_OK)
		return;
	if (w->has_sequence)
	{
		fail(w, MCW_ERR_ARGUMENT);
		return;
	}
	w->has_sequence = true;
	p = put8(p, TAG_EXTENSION);
	p = put32(p, SEQUENCE_ITEM_SIZE);
	p = put8(p, TAG_SEQUENCE);
	p = put32(p, SEQUENCE_LEN);
	p = put8(p, TAG_SEQUENCE_EPOCH);
	p = put32(p, (uint32_t) epoch);
	p = put8(p, TAG_SEQUENCE_TIME);
	p = put64(p, (uint64_t) time_us);
	p = put8(p, TAG_SEQUENCE_INDEX);
	p = put32(p, (uint32_t) row_index);
	if (mcw_buf_append(w->out, bytes, sizeof(bytes)) != MCW_OK)
		fail(w, mcw_buf_status(w->out));
}

mcw_status
mcw_ots_end_row(mcw_ots_writer *w)
{
	mcw_buf    *out = w->out;

	if (w->status == MCW_OK && mcw_buf_room(out, 2))
	{
		out->data[out->len++] = TAG_ROW_CHECKSUM;
		out->data[out->len++] = (char) ots_crc_byte(w->crc, w->deleted);
		return MCW_OK;
	}
	fail(w, mcw_buf_status(out));
	out->len = w->start;
	if (!w->broken)
		out->failed = false;
	return w->status;
}

/* ---- bare keys and variants ---- */

mcw_status
mcw_ots_write_key(mcw_buf *out, const mcw_ots_schema *schema, const mcw_ots_key *key)
{
	mcw_ots_writer w;

	if (key->n < 1 || key->n > schema->nkeys)
		return MCW_ERR_ARGUMENT;
	mcw_ots_begin_row(&w, out);
	for (int i = 0; i < key->n; i++)
	{
		mcw_ots_name name = mcw_ots_make_name(schema->keys[i].name);

		mcw_ots_put_key(&w, &name, &key->v[i]);
	}
	return mcw_ots_end_row(&w);
}

mcw_status
mcw_ots_write_variant(mcw_buf *out, const mcw_ots_value *value)
{
	char	   *behind;

	if (has_bytes(value) && value->s.len > MCW_OTS_MAX_VALUE_BYTES)
		return MCW_ERR_LIMIT;
	if (!mcw_buf_room(out, 9 + (has_bytes(value) ? value->s.len : 0)))
		return mcw_buf_status(out);
	behind = put_variant(out->data + out->len, value);
	if (behind == NULL)
		return MCW_ERR_ARGUMENT;
	out->len = (size_t) (behind - out->data);
	return MCW_OK;
}
