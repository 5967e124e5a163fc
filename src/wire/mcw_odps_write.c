/*
 * mcw_odps_write.c
 *		Writer of the tunnel record stream (maxcompute.md 3.5, 3.6).
 *
 * Knows wire encodings, not types: the caller picks the function that fits the
 * column's type and checks the type's range.  The hottest functions are inline in
 * mcw_odps.h.
 */
#include "mcw_odps.h"

static inline void
close_column(mcw_odps_writer *writer, const char *pos)
{
	writer->out->len = (size_t) (pos - writer->out->data);
}

/* Position for n more bytes of an open nested column, or NULL */
static inline char *
more(mcw_odps_writer *writer, size_t n)
{
	return mcw_odps_room(writer, n) ? writer->out->data + writer->out->len : NULL;
}

void
mcw_odps_writer_init(mcw_odps_writer *writer, mcw_buf *out)
{
	memset(writer, 0, sizeof(*writer));
	writer->out = out;
	writer->record_start = out->len;
	writer->crc = MCW_CRC32C_START;
}

void
mcw_odps_begin_record(mcw_odps_writer *writer)
{
	writer->record_start = writer->out->len;
	writer->crc = MCW_CRC32C_START;
	writer->last_column = 0;
	writer->status = MCW_OK;
}

void
mcw_odps_put_bool(mcw_odps_writer *writer, int column, bool value)
{
	char	   *pos = mcw_odps_open_column(writer, column, MCW_ODPS_WIRE_VARINT, 1);

	if (pos == NULL)
		return;
	*pos = value;
	writer->crc = mcw_crc32c_feed(writer->crc, pos, 1);
	close_column(writer, pos + 1);
}

void
mcw_odps_put_float(mcw_odps_writer *writer, int column, float value)
{
	char	   *pos = mcw_odps_open_column(writer, column, MCW_ODPS_WIRE_FIXED32, 4);

	if (pos == NULL)
		return;
	memcpy(pos, &value, 4);
	writer->crc = mcw_crc32c_feed(writer->crc, pos, 4);
	close_column(writer, pos + 4);
}

void
mcw_odps_put_double(mcw_odps_writer *writer, int column, double value)
{
	char	   *pos = mcw_odps_open_column(writer, column, MCW_ODPS_WIRE_FIXED64, 8);

	if (pos == NULL)
		return;
	memcpy(pos, &value, 8);
	writer->crc = mcw_crc32c_feed(writer->crc, pos, 8);
	close_column(writer, pos + 8);
}

void
mcw_odps_put_timestamp(mcw_odps_writer *writer, int column, int64_t sec, int32_t nanos)
{
	mcw_odps_put_nested(writer, column);
	if (writer->status == MCW_OK)
		mcw_odps_elem_timestamp(writer, sec, nanos);
}

void
mcw_odps_put_nested(mcw_odps_writer *writer, int column)
{
	char	   *pos = mcw_odps_open_column(writer, column, MCW_ODPS_WIRE_BYTES, 0);

	if (pos)
		close_column(writer, pos);
}

void
mcw_odps_elem_count(mcw_odps_writer *writer, uint32_t count)
{
	char	   *pos = more(writer, 5);

	if (pos)
		close_column(writer, mcw_put_varint(pos, count));
}

void
mcw_odps_elem_null(mcw_odps_writer *writer, bool is_null)
{
	char	   *pos = more(writer, 1);

	if (pos == NULL)
		return;
	*pos = is_null;
	close_column(writer, pos + 1);
}

void
mcw_odps_elem_int(mcw_odps_writer *writer, int64_t value)
{
	char	   *pos = more(writer, 10);

	if (pos == NULL)
		return;
	writer->crc = mcw_crc32c_feed_u64(writer->crc, (uint64_t) value);
	close_column(writer, mcw_put_varint(pos, mcw_zigzag(value)));
}

void
mcw_odps_elem_bool(mcw_odps_writer *writer, bool value)
{
	char	   *pos = more(writer, 1);

	if (pos == NULL)
		return;
	*pos = value;
	writer->crc = mcw_crc32c_feed(writer->crc, pos, 1);
	close_column(writer, pos + 1);
}

void
mcw_odps_elem_float(mcw_odps_writer *writer, float value)
{
	char	   *pos = more(writer, 4);

	if (pos == NULL)
		return;
	memcpy(pos, &value, 4);
	writer->crc = mcw_crc32c_feed(writer->crc, pos, 4);
	close_column(writer, pos + 4);
}

void
mcw_odps_elem_double(mcw_odps_writer *writer, double value)
{
	char	   *pos = more(writer, 8);

	if (pos == NULL)
		return;
	memcpy(pos, &value, 8);
	writer->crc = mcw_crc32c_feed(writer->crc, pos, 8);
	close_column(writer, pos + 8);
}

void
mcw_odps_elem_bytes(mcw_odps_writer *writer, const char *data, size_t len)
{
	char	   *pos;

	if (len > MCW_ODPS_MAX_FIELD)
	{
		writer->status = MCW_ERR_RANGE;
		return;
	}
	pos = more(writer, len + 5);
	if (pos == NULL)
		return;
	pos = mcw_put_varint(pos, len);
	if (len > 0)
		memcpy(pos, data, len);
	writer->crc = mcw_crc32c_feed(writer->crc, pos, len);
	close_column(writer, pos + len);
}

void
mcw_odps_elem_timestamp(mcw_odps_writer *writer, int64_t sec, int32_t nanos)
{
	char	   *pos = more(writer, 15);

	if (pos == NULL)
		return;
	writer->crc = mcw_crc32c_feed_u64(writer->crc, (uint64_t) sec);
	writer->crc = mcw_crc32c_feed_u32(writer->crc, (uint32_t) nanos);
	pos = mcw_put_varint(pos, mcw_zigzag(sec));
	close_column(writer, mcw_put_varint(pos, mcw_zigzag(nanos)));
}

mcw_status
mcw_odps_end_record(mcw_odps_writer *writer)
{
	mcw_status	status;
	uint32_t	crc;
	char	   *pos;

	if (mcw_likely(writer->status == MCW_OK && mcw_odps_room(writer, 9)))
	{
		crc = ~writer->crc;
		pos = writer->out->data + writer->out->len;
		pos = mcw_put_varint(pos, MCW_ODPS_END_RECORD << 3);
		close_column(writer, mcw_put_varint(pos, crc));
		writer->crc_of_crcs = mcw_crc32c(writer->crc_of_crcs, &crc, 4);
		writer->nrecords++;
		writer->record_start = writer->out->len;
		return MCW_OK;
	}
	status = writer->status;
	mcw_odps_abort_record(writer);
	return status;
}

void
mcw_odps_abort_record(mcw_odps_writer *writer)
{
	writer->out->len = writer->record_start;
	writer->out->failed = false;
	writer->status = MCW_OK;
	writer->last_column = 0;
	writer->crc = MCW_CRC32C_START;
}

mcw_status
mcw_odps_finish(mcw_odps_writer *writer)
{
	mcw_status	status;
	char	   *pos;

	mcw_odps_abort_record(writer);
	pos = more(writer, 4 + 10 + 4 + 5);
	if (pos == NULL)
	{
		status = writer->status;
		mcw_odps_abort_record(writer);
		return status;
	}
	pos = mcw_put_varint(pos, (uint64_t) MCW_ODPS_META_COUNT << 3);
	pos = mcw_put_varint(pos, mcw_zigzag((int64_t) writer->nrecords));
	pos = mcw_put_varint(pos, (uint64_t) MCW_ODPS_META_CHECKSUM << 3);
	close_column(writer, mcw_put_varint(pos, writer->crc_of_crcs));
	writer->record_start = writer->out->len;
	return MCW_OK;
}
