/*
 * mcw_stream_snappy.c
 *		The snappy framing format as a stream, over the chunks of mcw_snappy.c.  It has
 *		no end mark: a stream cut between two chunks reads as a shorter one.
 */
#include "mcw_stream_private.h"
#include "mcw_snappy.h"

/* ---- reading ---- */

typedef struct snappy_in
{
	mcw_buf		packed;			/* header and data of the chunk at hand */
	mcw_buf		raw;			/* its data, of which 'given' bytes were put out */
	size_t		given;
	size_t		skip;			/* bytes of a skippable chunk to pass over */
	bool		open;
	bool		identified;
} snappy_in;

static mcw_status
snappy_begin(mcw_inflater *inf, mcw_view src, mcw_error *err)
{
	snappy_in  *s = inf->state;

	if (!s->open)
	{
		mcw_buf_init(&s->packed, inf->alloc, MCW_SNAPPY_MAX_CHUNK);
		mcw_buf_init(&s->raw, inf->alloc, MCW_SNAPPY_MAX_DATA + 1);
		s->open = true;
	}
	return MCW_OK;
}

/* Until 'packed' has n bytes; false if src ended before */
static bool
collect(snappy_in *s, mcw_view *src, size_t n, mcw_status *status)
{
	size_t		take = n - s->packed.len;

	if (take > src->len)
		take = src->len;
	*status = mcw_buf_append(&s->packed, src->data, take);
	mcw_view_skip(src, take);
	return *status == MCW_OK && s->packed.len == n;
}

/* One whole chunk, or as much of it as there is */
static mcw_status
read_chunk(snappy_in *s, mcw_view *src, mcw_error *err)
{
	mcw_snappy_chunk chunk;
	mcw_status	status;
	bool		whole = s->packed.len >= MCW_SNAPPY_HEADER || collect(s, src, MCW_SNAPPY_HEADER, &status);

	if (whole)
	{
		status = mcw_snappy_header(s->packed.data, !s->identified, &chunk, err);
		if (status != MCW_OK)
			return status;
		if (chunk.skip)
		{
			s->skip = chunk.len;
			s->packed.len = 0;
			return MCW_OK;
		}
		whole = collect(s, src, MCW_SNAPPY_HEADER + chunk.len, &status);
	}
	if (status != MCW_OK)
		return mcw_fail(err, status, "out of memory");
	if (!whole)
		return MCW_OK;
	s->raw.len = s->given = 0;
	status = mcw_snappy_read_chunk(mcw_buf_view(&s->packed), MCW_SNAPPY_MAX_DATA, &s->raw, err);
	s->identified = true;
	s->packed.len = 0;
	return status;
}

static mcw_status
snappy_step(mcw_inflater *inf, mcw_view *src, mcw_error *err)
{
	snappy_in  *s = inf->state;

	for (;;)
	{
		size_t		n = s->raw.len - s->given;
		mcw_status	status;

		if (n > inf->room)
			n = inf->room;
		if (n > 0)
		{
			memcpy(inf->out, s->raw.data + s->given, n);
			s->given += n;
			mcw_inflater_put(inf, n);
		}
		if (s->given < s->raw.len)
			return MCW_OK;
		n = s->skip < src->len ? s->skip : src->len;
		mcw_view_skip(src, n);
		s->skip -= n;
		if (src->len == 0)
			return inf->last && s->skip == 0 && s->packed.len == 0 ? MCW_END : MCW_OK;
		status = read_chunk(s, src, err);
		if (status != MCW_OK)
			return status;
	}
}

static void
snappy_close(mcw_inflater *inf)
{
	snappy_in  *s = inf->state;

	if (s->open)
	{
		mcw_buf_free(&s->packed);
		mcw_buf_free(&s->raw);
	}
}

const mcw_inflate_ops mcw_inflate_snappy = {sizeof(snappy_in), snappy_begin, snappy_step, snappy_close};

/* ---- writing ---- */

typedef struct snappy_out
{
	mcw_buf		rest;			/* less than a chunk, waiting */
	bool		open;
	bool		begun;
} snappy_out;

static mcw_status
snappy_out_begin(mcw_deflater *def, mcw_error *err)
{
	snappy_out *s = def->state;

	mcw_buf_init(&s->rest, def->alloc, MCW_SNAPPY_MAX_DATA);
	s->open = true;
	return MCW_OK;
}

static mcw_status
snappy_out_step(mcw_deflater *def, mcw_view src, bool finish)
{
	snappy_out *s = def->state;
	mcw_status	status = MCW_OK;

	if (!s->begun)
		status = mcw_snappy_write_identifier(def->out);
	s->begun = true;
	while (status == MCW_OK && src.len > 0)
	{
		size_t		take = MCW_SNAPPY_MAX_DATA - s->rest.len;

		if (s->rest.len == 0 && src.len >= take)
			status = mcw_snappy_write_chunk(src.data, take, def->out);
		else
		{
			if (take > src.len)
				take = src.len;
			status = mcw_buf_append(&s->rest, src.data, take);
			if (status == MCW_OK && s->rest.len == MCW_SNAPPY_MAX_DATA)
			{
				status = mcw_snappy_write_chunk(s->rest.data, s->rest.len, def->out);
				s->rest.len = 0;
			}
		}
		mcw_view_skip(&src, take);
	}
	if (status == MCW_OK && finish && s->rest.len > 0)
		status = mcw_snappy_write_chunk(s->rest.data, s->rest.len, def->out);
	return status;
}

static void
snappy_out_close(mcw_deflater *def)
{
	snappy_out *s = def->state;

	if (s->open)
		mcw_buf_free(&s->rest);
}

const mcw_deflate_ops mcw_deflate_snappy = {sizeof(snappy_out), 0, snappy_out_begin, snappy_out_step, snappy_out_close};
