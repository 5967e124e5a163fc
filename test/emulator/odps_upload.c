/*
 * odps_upload.c
 *		mc-emulator, MaxCompute part: upload sessions.
 *
 * A block is kept only when its body was complete and correct; nothing is visible
 * before the commit, which happens at one point of time.  The faults a commit may
 * be asked for are in odps_commit.c.  Reference: maxcompute.md 4.
 */
#include "odps.h"

#include <stdlib.h>

#define SESSIONS_PER_5_MINUTES 500
#define MAX_BLOCK_BYTES ((size_t) 4 << 30)

static void
reply(emu_response *resp, const odps_session *s, bool with_blocks)
{
	mcw_buf    *b = &resp->body;
	char		date[32];

	(void) mcw_buf_printf(b, "{\"UploadID\":\"%s\",\"IsOverwrite\":%s,\"MaxFieldSize\":%d,", s->id,
						  s->overwrite ? "true" : "false", MCW_ODPS_MAX_FIELD);
	odps_session_head(b, s);
	(void) mcw_buf_append_str(b, ",\"UploadedBlockList\":[");
	for (int i = 0; with_blocks && i < s->nblocks; i++)
	{
		const odps_block *k = &s->blocks[i];

		(void) mcw_buf_printf(b, "%s{\"BlockID\":%d,\"CreateTime\":%lld,\"Date\":\"%s\",\"FileName\":\"block_%d\","
							  "\"RecordCount\":%u,\"Version\":%u}", i ? "," : "", k->id, (long long) k->created,
							  odps_xml_time(k->created, date), k->id, k->rows, k->version);
	}
	(void) mcw_buf_append_str(b, "]}");
	odps_reply_json(resp, 200);
}

void
odps_upload_create(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_table *table = odps_tunnel_table(req, resp, target, name);
	/* the Go SDK says "override" */
	bool		overwrite = odps_param_true(req, "overwrite") || odps_param_true(req, "override");
	mcw_view	values[ODPS_MAX_KEYS];
	odps_session *s;

	if (!table || !odps_tunnel_spec(req, resp, table, values))
		return;
	if (overwrite && table->transactional)
	{
		odps_error(req, resp, 400, "OverwriteModeNotAllowed", "table %s is transactional", table->name);
		return;
	}
	if (emu_conf.enforce_rates && odps_set.rates &&
		!odps_rate_hit(&table->uploads, SESSIONS_PER_5_MINUTES, 300 * ODPS_SECOND, req->now_us))
	{
		odps_count.throttled++;
		odps_error(req, resp, 429, "QPSExceeded", "more than %d upload sessions of table %s in 5 minutes",
				   SESSIONS_PER_5_MINUTES, table->name);
		return;
	}
	if (!odps_partition_find(table, values))
	{
		if (!odps_param_true(req, "create_partition"))
		{
			odps_error(req, resp, 404, "NoSuchPartition", "The specified partition does not exist");
			return;
		}
		(void) odps_partition_add(table, values, req->now_us / ODPS_SECOND);
	}
	s = odps_session_new(ODPS_UPLOAD, req->now_us);
	s->table = odps_table_ref(table);
	s->schema = odps_schema_ref(table->schema);
	s->overwrite = overwrite;
	odps_session_values(s, values);
	odps_count.uploads++;
	reply(resp, s, true);
}

/* The session a request names; NULL after answering */
static odps_session *
find_session(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	mcw_view	id = odps_param(req, "uploadid");
	odps_session *s = odps_session_find(ODPS_UPLOAD, id);
	odps_table *table = odps_tunnel_table(req, resp, target, name);

	if (!table)
		return NULL;
	if (!s)
	{
		odps_error(req, resp, 404, "NoSuchUpload", "The specified upload id does not exist: %.*s",
				   (int) id.len, id.data ? id.data : "");
		return NULL;
	}
	if (!odps_session_matches(req, resp, s, table))
		return NULL;
	if (emu_fault_armed(req, "session_expired") && s->status == ODPS_NORMAL)
	{
		s->status = ODPS_EXPIRED;
		odps_session_release(s);
	}
	return s;
}

void
odps_upload_reload(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_session *s = find_session(req, resp, target, name);
	mcw_view	blocks = odps_param(req, "getblockid");

	if (s)
		reply(resp, s, !mcw_view_ieq(blocks, MCW_LIT("false")));
}

/* ---- blocks ---- */

char *
odps_upload_body(emu_request *req, emu_response *resp, size_t *len)
{
	mcw_view	coding = odps_header(req, "Content-Encoding");
	mcw_codec	codec = MCW_CODEC_NONE;
	mcw_error	err = {0};
	mcw_buf		out;

	if (coding.len > 0 && !mcw_codec_from_http(coding, &codec))
	{
		odps_error(req, resp, 400, "InvalidArgument", "unknown Content-Encoding \"%.*s\"", (int) coding.len, coding.data);
		return NULL;
	}
	mcw_buf_init(&out, &mcw_malloc, MAX_BLOCK_BYTES);
	if (codec == MCW_CODEC_NONE)
		(void) mcw_buf_append_view(&out, req->body);
	else if (mcw_decompress(codec, req->body, SIZE_MAX, &out, &err) != MCW_OK)
	{
		mcw_buf_free(&out);
		odps_error(req, resp, 400, "MalformedDataStream", "the body is not a correct %.*s stream: %s",
				   (int) coding.len, coding.data, err.message);
		return NULL;
	}
	if (out.failed || !mcw_buf_room(&out, 1))
	{
		mcw_buf_free(&out);
		odps_error(req, resp, 413, "MaxMessageLengthExceeded", "the block is too large for the emulator");
		return NULL;
	}
	*len = out.len;
	return out.data;
}

static void
keep_block(odps_session *s, int id, uint32_t version, odps_segment *seg, int64_t now)
{
	int			lo = 0;
	int			hi = s->nblocks;
	odps_block *b;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (s->blocks[mid].id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == s->nblocks || s->blocks[lo].id != id)
	{
		s->blocks = emu_realloc(s->blocks, sizeof(odps_block) * (s->nblocks + 1));
		memmove(&s->blocks[lo + 1], &s->blocks[lo], sizeof(odps_block) * (s->nblocks - lo));
		s->nblocks++;
		s->blocks[lo].segment = NULL;
	}
	b = &s->blocks[lo];
	odps_segment_unref(b->segment);
	b->id = id;
	b->version = version;
	b->rows = seg->nrecords;
	b->created = now;
	b->segment = seg;
}

const char *
odps_stream_code(mcw_status status)
{
	switch (status)
	{
		case MCW_ERR_CHECKSUM:
			return "CorruptedDataStream";
		case MCW_ERR_RANGE:
			return "InvalidArgument";
		default:
			return "MalformedDataStream";
	}
}

/* The block number of a request that may write; -1 after answering */
static int
block_number(emu_request *req, emu_response *resp, const odps_session *s)
{
	int64_t		id;

	if (!mcw_view_int64(odps_param(req, "blockid"), &id) || id < 0 || id > ODPS_MAX_BLOCK_ID)
	{
		odps_error(req, resp, 400, "InvalidBlockID", "block ids are 0 to %d", ODPS_MAX_BLOCK_ID);
		return -1;
	}
	if (s->status != ODPS_NORMAL)
	{
		odps_error(req, resp, 409, "StatusConflict", "upload session %s is %s", s->id, odps_status_name(s->status));
		return -1;
	}
	return (int) id;
}

/* Takes over data; NULL after answering */
static char *
from_arrow(emu_request *req, emu_response *resp, const odps_session *s, char *data, size_t *len)
{
	mcw_error	err = {0};
	char	   *records = odps_arrow_records(s->schema, data, *len, len, &err);

	free(data);
	if (!records)
		odps_error(req, resp, err.status == MCW_ERR_UNSUPPORTED ? 501 : 400,
				   err.status == MCW_ERR_UNSUPPORTED ? "NotImplemented" : odps_stream_code(err.status), "%s", err.message);
	return records;
}

void
odps_upload_block(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_session *s = find_session(req, resp, target, name);
	mcw_error	err = {0};
	odps_segment *seg;
	int64_t		version = 0;
	char	   *data;
	size_t		len;
	int			id;

	if (!s)
		return;
	id = block_number(req, resp, s);
	if (id < 0)
		return;
	data = odps_upload_body(req, resp, &len);
	if (data && odps_has(req, "arrow"))
		data = from_arrow(req, resp, s, data, &len);
	if (!data)
		return;
	seg = odps_segment_verify(s->schema, data, len, &err);
	if (!seg)
	{
		free(data);
		odps_error(req, resp, 400, odps_stream_code(err.status), "block %d: %s", id, err.message);
		return;
	}
	odps_count.blocks++;
	odps_count.bytes_in += len;
	odps_count.rows_in += seg->nrecords;
	(void) mcw_view_int64(odps_param(req, "block_version"), &version);
	keep_block(s, id, (uint32_t) version, seg, req->now_us / ODPS_SECOND);
	resp->status = 200;
}

void
odps_upload_commit(emu_request *req, emu_response *resp, odps_target *target, mcw_view name)
{
	odps_session *s = find_session(req, resp, target, name);

	if (!s)
		return;
	if (s->status == ODPS_CLOSED)
	{
		reply(resp, s, true);
		return;
	}
	if (s->status != ODPS_NORMAL)
	{
		odps_error(req, resp, 409, "StatusConflict", "upload session %s is %s", s->id, odps_status_name(s->status));
		return;
	}
	if (odps_commit_session(req, resp, s))
		reply(resp, s, true);
	if (s->forget)
		odps_session_forget(s);
}
