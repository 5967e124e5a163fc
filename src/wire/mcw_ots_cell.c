/*
 * mcw_ots_cell.c
 *		PlainBuffer piece by piece (tablestore.md 3.1 to 3.4): one variant, one cell,
 *		the cells of a row that has been verified, a bare key.
 *
 * The general parser; pages of rows are read by mcw_ots_read.c, which comes here for
 * cells that are not of the usual form.
 */
#include "mcw_ots_private.h"

static inline const char *
bad(const char **what, const char *text)
{
	*what = text;
	return NULL;
}

const char *
mcw_ots_parse_variant(const char *pos, const char *end, mcw_ots_value *value, const char **what)
{
	size_t		left = (size_t) (end - pos);
	uint32_t	len;

	if (left < 1)
		return bad(what, "a value has no type");
	value->type = (uint8_t) *pos;
	switch (value->type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_DOUBLE:
			if (left < 9)
				return bad(what, "a number is cut short");
			memcpy(&value->i, pos + 1, 8);
			return pos + 9;
		case MCW_OTS_BOOLEAN:
			if (left < 2)
				return bad(what, "a boolean is cut short");
			if ((uint8_t) pos[1] > 1)
				return bad(what, "a boolean is neither true nor false");
			value->b = pos[1] != 0;
			return pos + 2;
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			if (left < 5)
				return bad(what, "the length of a value is cut short");
			len = ots_load32(pos + 1);
			if (len > INT32_MAX || len > left - 5)
				return bad(what, "a value is longer than what holds it");
			value->s.data = pos + 5;
			value->s.len = len;
			return pos + 5 + len;
		case MCW_OTS_INF_MIN:
		case MCW_OTS_INF_MAX:
		case MCW_OTS_AUTO_INCREMENT:
			return pos + 1;
		default:
			return bad(what, "a value of unknown type");
	}
}

/* A type that only keys have, or only attribute columns */
static inline bool
type_allowed(uint8_t type, bool is_key)
{
	switch (type)
	{
		case MCW_OTS_INTEGER:
		case MCW_OTS_STRING:
		case MCW_OTS_BINARY:
			return true;
		case MCW_OTS_DOUBLE:
		case MCW_OTS_BOOLEAN:
			return !is_key;
		default:
			return is_key;
	}
}

/* The tag 05 is at pos */
static const char *
parse_value(const char *pos, const char *end, bool is_key, ots_raw_cell *raw, const char **what)
{
	const char *variant = pos + 5;
	const char *behind;
	uint32_t	total;

	if (end - pos < 5)
		return bad(what, "the size of a value is cut short");
	total = ots_load32(pos + 1);
	if (total > INT32_MAX || total > (size_t) (end - variant))
		return bad(what, "a value is longer than its row");
	behind = mcw_ots_parse_variant(variant, variant + total, &raw->cell.value, what);
	if (behind == NULL)
		return NULL;
	if (behind != variant + total)
		return bad(what, "the size of a value does not fit its type");
	if (!type_allowed(raw->cell.value.type, is_key))
		return bad(what, is_key ? "a value whose type no key column has" :
				   "a value whose type no attribute column has");
	raw->variant.data = variant;
	raw->variant.len = total;
	return behind;
}

const char *
mcw_ots_parse_cell(const char *pos, const char *end, bool is_key, ots_raw_cell *raw,
				   const char **fail, const char **what)
{
	uint32_t	len;

	memset(raw, 0, sizeof(*raw));
	raw->cell.value.type = MCW_OTS_NONE;
	raw->cell.timestamp = MCW_OTS_NO_TIMESTAMP;
	*fail = pos;
	if (end - pos < 6)
		return bad(what, "a cell is cut short");
	if (pos[1] != TAG_CELL_NAME)
		return bad(what, "a cell does not begin with its name");
	len = ots_load32(pos + 2);
	pos += 6;
	if (len > INT32_MAX || len > (size_t) (end - pos))
		return bad(what, "the name of a cell is longer than its row");
	if (len == 0)
		return bad(what, "a cell has an empty name");
	raw->cell.name.data = pos;
	raw->cell.name.len = len;
	pos += len;

	*fail = pos;
	if (pos < end && *pos == TAG_CELL_VALUE)
	{
		pos = parse_value(pos, end, is_key, raw, what);
		if (pos == NULL)
			return NULL;
		*fail = pos;
	}
	if (end - pos >= 2 && *pos == TAG_CELL_OP)
	{
		raw->cell.op = (uint8_t) pos[1];
		if (raw->cell.op != MCW_OTS_DELETE_ALL && raw->cell.op != MCW_OTS_DELETE_ONE &&
			raw->cell.op != MCW_OTS_INCREMENT)
			return bad(what, "a cell has an unknown operation");
		pos += 2;
		*fail = pos;
	}
	if (end - pos >= 9 && *pos == TAG_CELL_TIMESTAMP)
	{
		raw->timestamp = pos + 1;
		memcpy(&raw->cell.timestamp, pos + 1, 8);
		pos += 9;
		*fail = pos;
	}
	if (end - pos < 2 || *pos != TAG_CELL_CHECKSUM)
		return bad(what, "a cell does not end with its checksum");
	raw->crc = (uint8_t) pos[1];
	if (is_key && (raw->variant.data == NULL || raw->cell.op != MCW_OTS_PUT))
		return bad(what, "a key column has no value");
	if (is_key && raw->timestamp)
		return bad(what, "a key column has a timestamp");
	return pos + 2;
}

/* ---- rows that have been verified ---- */

mcw_status
mcw_ots_next_cell(const mcw_ots_row *row, size_t *pos, mcw_ots_cell *cell, bool *is_key)
{
	const char *end = row->body.data + row->body.len;
	size_t		at = *pos & ~OTS_POS_IN_DATA;
	bool		in_key = at == *pos;
	const char *p = row->body.data + at;
	ots_raw_cell raw;
	const char *fail;
	const char *what;

	if (at == 0 && p < end && *p == TAG_ROW_PK)
		p++;
	if (in_key && p < end && *p == TAG_ROW_DATA)
	{
		in_key = false;
		p++;
	}
	if (p >= end || *p != TAG_CELL)
		return MCW_END;
	p = mcw_ots_parse_cell(p, end, in_key, &raw, &fail, &what);
	if (p == NULL)
		return MCW_END;
	*cell = raw.cell;
	*is_key = in_key;
	*pos = (size_t) (p - row->body.data) | (in_key ? 0 : OTS_POS_IN_DATA);
	return MCW_OK;
}

/* ---- bare keys and variants ---- */

static mcw_status
malformed(mcw_view bytes, const char *pos, mcw_error *err, const char *what)
{
	mcw_fail(err, MCW_ERR_FORMAT, "malformed key: %s", what);
	if (err)
		err->offset = (uint64_t) (pos - bytes.data);
	return MCW_ERR_FORMAT;
}

mcw_status
mcw_ots_read_key(mcw_view bytes, const mcw_ots_schema *schema, mcw_ots_key *key, mcw_error *err)
{
	const char *pos = bytes.data;
	const char *end = pos + bytes.len;
	uint8_t		row_crc = 0;

	key->n = 0;
	if (bytes.len < OTS_HEADER_SIZE + 1 || ots_load32(pos) != OTS_HEADER)
		return malformed(bytes, pos, err, "it does not begin with a header");
	pos += OTS_HEADER_SIZE;
	if (*pos++ != TAG_ROW_PK)
		return malformed(bytes, pos - 1, err, "the tag of the key columns is missing");
	while (pos < end && *pos == TAG_CELL)
	{
		const char *cell = pos;
		const char *fail;
		const char *what;
		ots_raw_cell raw;

		pos = mcw_ots_parse_cell(cell, end, true, &raw, &fail, &what);
		if (pos == NULL)
			return malformed(bytes, fail, err, what);
		if (ots_cell_crc(&raw, ots_crc_feed(0, raw.cell.name.data, raw.cell.name.len)) != raw.crc)
		{
			mcw_fail(err, MCW_ERR_CHECKSUM, "wrong checksum of a key column");
			if (err)
				err->offset = (uint64_t) (cell - bytes.data);
			return MCW_ERR_CHECKSUM;
		}
		if (key->n == schema->nkeys)
			return malformed(bytes, cell, err, "it has more columns than the table's key");
		if (!mcw_view_eq(raw.cell.name, schema->keys[key->n].name))
			return malformed(bytes, cell, err, "a column is not the table's key column of this position");
		if (raw.cell.value.type != schema->keys[key->n].type &&
			raw.cell.value.type != MCW_OTS_INF_MIN && raw.cell.value.type != MCW_OTS_INF_MAX)
			return malformed(bytes, cell, err, "a value is not of the type of the table's key column");
		key->v[key->n++] = raw.cell.value;
		row_crc = ots_crc_byte(row_crc, raw.crc);
	}
	if (key->n == 0)
		return malformed(bytes, pos, err, "it has no columns");
	if (end - pos != 2 || *pos != TAG_ROW_CHECKSUM)
		return malformed(bytes, pos, err, "it does not end with a checksum");
	if (ots_crc_byte(row_crc, 0) != (uint8_t) pos[1])
	{
		mcw_fail(err, MCW_ERR_CHECKSUM, "wrong checksum of a key");
		if (err)
			err->offset = (uint64_t) (pos - bytes.data);
		return MCW_ERR_CHECKSUM;
	}
	return MCW_OK;
}

mcw_status
mcw_ots_read_variant(mcw_view bytes, mcw_ots_value *value, mcw_error *err)
{
	const char *what = "";
	const char *behind = NULL;

	if (bytes.len > 0)
		behind = mcw_ots_parse_variant(bytes.data, bytes.data + bytes.len, value, &what);
	else
		what = "it is empty";
	if (behind && behind != bytes.data + bytes.len)
	{
		behind = NULL;
		what = "bytes behind the value";
	}
	if (behind == NULL)
		return mcw_fail(err, MCW_ERR_FORMAT, "malformed value: %s", what);
	return MCW_OK;
}
