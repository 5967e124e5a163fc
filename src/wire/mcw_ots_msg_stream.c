/*
 * mcw_ots_msg_stream.c
 *		Messages about streams (tablestore.md 2.4): streams, shards, iterators, records.
 */
#include "mcw_ots_msg_private.h"

/* ---- streams ---- */

mcw_status
mcw_ots_put_list_stream(mcw_buf *out, mcw_view table)
{
	if (table.len > 0)
		mcw_pb_put_bytes(out, 1, table);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_read_list_stream(mcw_view body, mcw_arena *arena, mcw_ots_stream **streams, int *nstreams, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	const ots_member outer[] = {{1, OTS_REPEATED, nstreams}};
	size_t		pos = 0;
	mcw_view	item;
	void	   *array;
	mcw_status	status;

	*nstreams = 0;
	status = ots_read_message(&src, "ListStreamResponse", body, outer, OTS_NMEMBERS(outer));
	if (status == MCW_OK)
		status = ots_msg_array(arena, *nstreams, sizeof(mcw_ots_stream), &array, err);
	if (status != MCW_OK)
		return status;
	*streams = array;
	for (int i = 0; status == MCW_OK && ots_next_repeated(body, 1, &pos, &item); i++)
	{
		mcw_ots_stream *stream = &(*streams)[i];
		const ots_member inner[] = {
			{1, OTS_BYTES, &stream->id, true},
			{2, OTS_BYTES, &stream->table, true},
			{3, OTS_INT64, &stream->creation_us, true},
		};

		status = ots_read_message(&src, "Stream", item, inner, OTS_NMEMBERS(inner));
	}
	return status;
}

mcw_status
mcw_ots_put_describe_stream(mcw_buf *out, mcw_view stream_id, mcw_view start_shard)
{
	mcw_pb_put_bytes(out, 1, stream_id);
	if (start_shard.len > 0)
		mcw_pb_put_bytes(out, 2, start_shard);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_read_describe_stream(mcw_view body, mcw_arena *arena, mcw_ots_stream *stream, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	int32_t		stream_status = 0;
	const ots_member members[] = {
		{1, OTS_BYTES, &stream->id, true},
		{2, OTS_INT32, &stream->expiration, true},
		{3, OTS_BYTES, &stream->table, true},
		{4, OTS_INT64, &stream->creation_us, true},
		{5, OTS_INT32, &stream_status, true},
		{6, OTS_REPEATED, &stream->nshards},
		{7, OTS_BYTES, &stream->next_shard},
	};
	size_t		pos = 0;
	mcw_view	item;
	void	   *array;
	mcw_status	status;

	memset(stream, 0, sizeof(*stream));
	status = ots_read_message(&src, "DescribeStreamResponse", body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK)
		status = ots_msg_array(arena, stream->nshards, sizeof(mcw_ots_shard), &array, err);
	if (status != MCW_OK)
		return status;
	stream->status = stream_status;
	stream->shards = array;
	for (int i = 0; status == MCW_OK && ots_next_repeated(body, 6, &pos, &item); i++)
	{
		mcw_ots_shard *shard = &stream->shards[i];
		const ots_member inner[] = {
			{1, OTS_BYTES, &shard->id, true},
			{2, OTS_BYTES, &shard->parent},
			{3, OTS_BYTES, &shard->sibling},
		};

		status = ots_read_message(&src, "StreamShard", item, inner, OTS_NMEMBERS(inner));
	}
	return status;
}

/* ---- iterators ---- */

mcw_status
mcw_ots_put_get_shard_iterator(mcw_buf *out, mcw_view stream_id, mcw_view shard_id,
							   int64_t timestamp_us, mcw_view token)
{
	mcw_pb_put_bytes(out, 1, stream_id);
	mcw_pb_put_bytes(out, 2, shard_id);
	if (timestamp_us >= 0)
		mcw_pb_put_uint(out, 3, (uint64_t) timestamp_us);
	if (token.len > 0)
		mcw_pb_put_bytes(out, 4, token);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_read_get_shard_iterator(mcw_view body, mcw_view *iterator, mcw_view *next_token, mcw_error *err)
{
	const ots_source src = ots_source_of(body, err);
	const ots_member members[] = {
		{1, OTS_BYTES, iterator, true},
		{2, OTS_BYTES, next_token},
	};

	*iterator = *next_token = (mcw_view) {NULL, 0};
	return ots_read_message(&src, "GetShardIteratorResponse", body, members, OTS_NMEMBERS(members));
}

/* ---- records ---- */

mcw_status
mcw_ots_put_get_stream_record(mcw_buf *out, mcw_view iterator, int32_t limit, mcw_view table)
{
	mcw_pb_put_bytes(out, 1, iterator);
	if (limit > 0)
		mcw_pb_put_uint(out, 2, (uint64_t) limit);
	if (table.len > 0)
		mcw_pb_put_bytes(out, 3, table);
	return mcw_buf_status(out);
}

mcw_status
mcw_ots_read_get_stream_record(mcw_view body, mcw_ots_record_page *page, mcw_error *err)
{
	static const char name[] = "GetStreamRecordResponse";
	const ots_source src = ots_source_of(body, err);
	int			nrecords = 0;
	int32_t		more = -1;
	const ots_member members[] = {
		{1, OTS_REPEATED, &nrecords},
		{2, OTS_BYTES, &page->next},
		{4, OTS_INT32, &more},
	};
	mcw_status	status;

	memset(page, 0, sizeof(*page));
	page->body = body;
	status = ots_read_message(&src, name, body, members, OTS_NMEMBERS(members));
	if (status == MCW_OK && page->next.data && page->next.len == 0)
		return ots_msg_fail(&src, MCW_ERR_PROTOCOL, page->next.data, name, "the next iterator is empty");
	page->nrecords = (uint32_t) nrecords;
	page->has_more_flag = more >= 0;
	page->may_more = more > 0;
	return status;
}

mcw_status
mcw_ots_next_record(const mcw_ots_record_page *page, size_t *pos, mcw_ots_record *record, mcw_error *err)
{
	static const char name[] = "StreamRecord";
	const ots_source src = ots_source_of(page->body, err);
	int32_t		action = 0;
	const ots_member members[] = {
		{1, OTS_INT32, &action, true},
		{2, OTS_BYTES, &record->record, true},
		{3, OTS_BYTES, &record->origin},
	};
	mcw_view	item;
	mcw_status	status;

	memset(record, 0, sizeof(*record));
	if (!ots_next_repeated(page->body, 1, pos, &item))
		return MCW_END;
	status = ots_read_message(&src, name, item, members, OTS_NMEMBERS(members));
	if (status != MCW_OK)
		return status;
	if (action < MCW_OTS_PUT_ROW || action > MCW_OTS_DELETE_ROW)
		return ots_msg_fail(&src, MCW_ERR_UNSUPPORTED, item.data, name, "an action that is not known here");
	record->action = (mcw_ots_change) action;
	return MCW_OK;
}
