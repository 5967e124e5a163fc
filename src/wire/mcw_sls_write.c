/*
 * mcw_sls_write.c
 *		Writer of one LogGroup (loghub.md 4), as PutLogs carries it.
 *
 * Checks no rule of the service (reserved keys, sizes, UTF-8): that is the business
 * of the caller, who can name the row.
 */
#include "mcw_sls.h"
#include "mcw_varint.h"

#define TAG(field, wiretype) ((field) << 3 | (wiretype))

/* Most logs are 128 to 16383 bytes long, so this width is guessed for the length */
#define LENGTH_GUESS 2

/* Room for n more bytes; remembers the first failure until the log or group ends */
static inline bool
make_room(mcw_sls_writer *writer, size_t n)
{
	mcw_buf    *out = writer->out;

	if (mcw_unlikely(out->cap - out->len < n))
	{
		mcw_status	status = mcw_buf_grow(out, n);

		if (status != MCW_OK)
		{
			if (writer->status == MCW_OK)
				writer->status = status;
			return false;
		}
	}
	return true;
}

static inline char *
put_span(char *pos, int tag, mcw_view v)
{
	*pos++ = (char) tag;
	pos = mcw_put_varint(pos, v.len);
	mcw_copy_short(pos, v.data, v.len);
	return pos + v.len;
}

static inline size_t
span_size(mcw_view v)
{
	return 1 + mcw_varint_size(v.len) + v.len;
}

/* A submessage of two strings: Content and LogTag */
static mcw_status
put_pair(mcw_sls_writer *writer, int tag, mcw_view key, mcw_view value)
{
	mcw_buf    *out = writer->out;
	size_t		inner;
	char	   *pos;

	/* spans carry 32-bit lengths; the sum below cannot wrap then */
	if (mcw_unlikely(key.len > INT32_MAX || value.len > INT32_MAX))
	{
		writer->status = MCW_ERR_LIMIT;
		return MCW_ERR_LIMIT;
	}
	inner = span_size(key) + span_size(value);
	if (mcw_unlikely(!make_room(writer, 11 + inner)))
		return writer->status;
	pos = out->data + out->len;
	*pos++ = (char) tag;
	pos = mcw_put_varint(pos, inner);
	pos = put_span(pos, TAG(1, 2), key);
	pos = put_span(pos, TAG(2, 2), value);
	out->len = (size_t) (pos - out->data);
	return MCW_OK;
}

/* Drop what was appended since 'start' and report why */
static mcw_status
give_up(mcw_sls_writer *writer, size_t start)
{
	mcw_status	status = writer->status;

	writer->out->len = start;
	writer->out->failed = false;
	writer->status = MCW_OK;
	return status;
}

void
mcw_sls_writer_init(mcw_sls_writer *writer, mcw_buf *out)
{
	writer->out = out;
	writer->log_start = out->len;
	writer->last_start = out->len;
	writer->nlogs = 0;
	writer->status = MCW_OK;
}

mcw_status
mcw_sls_begin_log(mcw_sls_writer *writer, uint32_t time, bool has_ns, uint32_t time_ns)
{
	mcw_buf    *out = writer->out;
	char	   *pos;

	writer->status = MCW_OK;
	out->len = writer->log_start;	/* a log that was begun and never ended is not kept */
	if (mcw_unlikely(!make_room(writer, 1 + LENGTH_GUESS + 6 + 5)))
		return writer->status;
	pos = out->data + out->len;
	*pos++ = TAG(1, 2);
	pos += LENGTH_GUESS;
	*pos++ = TAG(1, 0);
	pos = mcw_put_varint(pos, time);
	if (has_ns)
	{
		*pos++ = TAG(4, 5);
		memcpy(pos, &time_ns, 4);
		pos += 4;
	}
	out->len = (size_t) (pos - out->data);
	return MCW_OK;
}

mcw_status
mcw_sls_content(mcw_sls_writer *writer, mcw_view key, mcw_view value)
{
	return put_pair(writer, TAG(2, 2), key, value);
}

mcw_status
mcw_sls_end_log(mcw_sls_writer *writer)
{
	mcw_buf    *out = writer->out;
	size_t		body = writer->log_start + 1 + LENGTH_GUESS;
	size_t		len;
	size_t		width;

	if (mcw_unlikely(writer->status != MCW_OK))
		return give_up(writer, writer->log_start);
	len = out->len - body;
	width = mcw_varint_size(len);
	if (mcw_unlikely(width != LENGTH_GUESS))
	{
		if (width > LENGTH_GUESS && !make_room(writer, width - LENGTH_GUESS))
			return give_up(writer, writer->log_start);
		memmove(out->data + writer->log_start + 1 + width, out->data + body, len);
		out->len = writer->log_start + 1 + width + len;
	}
	mcw_put_varint(out->data + writer->log_start + 1, len);
	writer->last_start = writer->log_start;
	writer->log_start = out->len;
	writer->nlogs++;
	return MCW_OK;
}

mcw_status
mcw_sls_finish_group(mcw_sls_writer *writer, mcw_view category, mcw_view topic,
					 mcw_view source, mcw_view machine_uuid,
					 const mcw_pair *tags, int ntags)
{
	const mcw_view fields[] = {category, topic, source, machine_uuid};
	mcw_buf    *out = writer->out;
	size_t		start = writer->log_start;

	writer->status = MCW_OK;
	out->len = start;			/* a log that was begun and never ended is not kept */
	for (int i = 0; i < 4; i++)
	{
		if (fields[i].data == NULL)
			continue;
		if (fields[i].len > INT32_MAX)
			writer->status = MCW_ERR_LIMIT;
		else if (make_room(writer, 11 + fields[i].len))
			out->len = (size_t) (put_span(out->data + out->len, TAG(2 + i, 2), fields[i]) -
								 out->data);
	}
	for (int i = 0; i < ntags && writer->status == MCW_OK; i++)
		put_pair(writer, TAG(6, 2), tags[i].name, tags[i].value);
	if (writer->status != MCW_OK)
		return give_up(writer, start);
	return MCW_OK;
}

size_t
mcw_sls_finish_size(mcw_view category, mcw_view topic, mcw_view source, mcw_view machine_uuid,
					const mcw_pair *tags, int ntags)
{
	size_t		size = 4 * 11 + category.len + topic.len + source.len + machine_uuid.len;

	for (int i = 0; i < ntags; i++)
		size += 3 * 11 + tags[i].name.len + tags[i].value.len;
	return size;
}

mcw_status
mcw_sls_move_last(mcw_sls_writer *from, mcw_sls_writer *to)
{
	mcw_view	log = {from->out->data + from->last_start, from->log_start - from->last_start};
	mcw_status	status = mcw_buf_append_view(to->out, log);

	if (status != MCW_OK)
	{
		to->out->failed = false;
		return status;
	}
	to->last_start = to->log_start;
	to->log_start = to->out->len;
	to->nlogs++;
	mcw_sls_drop_last(from);
	return MCW_OK;
}

void
mcw_sls_drop_last(mcw_sls_writer *writer)
{
	writer->log_start = writer->last_start;
	writer->out->len = writer->last_start;
	writer->nlogs--;
}

mcw_status
mcw_sls_cut_group(mcw_view group, uint32_t begin, uint32_t end, mcw_buf *out, mcw_error *err)
{
	const unsigned char *pos = (const unsigned char *) group.data;
	const unsigned char *limit = pos + group.len;
	uint32_t	log = 0;

	while (pos < limit)
	{
		const unsigned char *field = pos;
		unsigned char tag = *pos++;
		uint64_t	len = 0;
		int			shift = 0;
		bool		more = true;

		while (more && pos < limit && shift < 64)
		{
			len |= (uint64_t) (*pos & 0x7f) << shift;
			more = (*pos++ & 0x80) != 0;
			shift += 7;
		}
		if (more || (tag & 7) != 2 || len > (uint64_t) (limit - pos))
			return mcw_fail(err, MCW_ERR_FORMAT, "a log group is damaged at byte %zu",
							(size_t) ((const char *) field - group.data));
		pos += len;
		if (tag == TAG(1, 2) && (log < begin || log >= end))
		{
			log++;
			continue;
		}
		log += tag == TAG(1, 2);
		if (mcw_buf_append(out, field, (size_t) (pos - field)) != MCW_OK)
			return mcw_fail(err, mcw_buf_status(out), "a part of a log group does not fit");
	}
	return MCW_OK;
}
