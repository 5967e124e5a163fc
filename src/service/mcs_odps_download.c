/*
 * mcs_odps_download.c
 *		Batch download sessions and their reads (maxcompute.md 3.1 to 3.4).
 *
 * Only prepares calls and looks at answers: what runs at the same time, what is
 * asked again and who keeps the bytes is the caller's business.
 */
#include "mcs_odps.h"

#include <stdio.h>

#define SESSION_ANSWER_MAX (16 * 1024 * 1024)
#define FIRST_RELOAD_MS 100
#define LAST_RELOAD_MS 5000
#define MAX_RELOADS 2000

void
mcs_odps_download_open(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_download *download)
{
	bool		create = download->state == MCS_ODPS_SESSION_NONE;

	mcs_odps_call_init(call, odps, MCS_ODPS_TUNNEL, create ? "POST" : "GET", SESSION_ANSWER_MAX);
	mcs_odps_call_table(call, download->table);
	if (create)
	{
		mcs_odps_call_flag(call, "downloads");
		mcs_odps_call_param(call, "asyncmode", MCW_LIT("true"));
		mcs_odps_call_header(call, "odps-tunnel-date-transform", "v1");
		mcs_odps_call_header(call, "odps-tunnel-sdk-support-schema-evolution", "true");
	}
	else
		mcs_odps_call_param(call, "downloadid", mcw_str(download->id));
	if (download->partition.len > 0)
		mcs_odps_call_param(call, "partition", download->partition);
}

static bool
same_type(const mcs_odps_column *a, const mcs_odps_column *b)
{
	char		text[2][512];

	for (int i = 0; i < 2; i++)
	{
		const mcs_odps_column *column = i ? b : a;
		size_t		n = 0;

		if (column->type_text.len >= sizeof(text[i]))
			return mcw_view_ieq(a->type_text, b->type_text);
		for (size_t j = 0; j < column->type_text.len; j++)
			if (column->type_text.data[j] != ' ' && column->type_text.data[j] != '`')
				text[i][n++] = column->type_text.data[j];
		text[i][n] = '\0';
	}
	return mcw_view_ieq(mcw_str(text[0]), mcw_str(text[1]));
}

static mcw_status
compare_columns(const mcs_odps_table *expected, const mcs_odps_table *session, mcw_error *err)
{
	if (expected->ncolumns != session->ncolumns)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the table has %d columns now, not %d: its definition changed",
						session->ncolumns, expected->ncolumns);
	for (int i = 0; i < expected->ncolumns; i++)
	{
		const mcs_odps_column *a = &expected->columns[i];
		const mcs_odps_column *b = &session->columns[i];

		if (!mcw_view_ieq(a->name, b->name) || !same_type(a, b))
			return mcw_fail(err, MCW_ERR_PROTOCOL,
							"column %d is \"%.*s\" %.*s now, not \"%.*s\" %.*s: the definition of the table changed", i + 1,
							(int) b->name.len, b->name.data, (int) b->type_text.len, b->type_text.data,
							(int) a->name.len, a->name.data, (int) a->type_text.len, a->type_text.data);
	}
	return MCW_OK;
}

static mcw_status
session_answer(const mcw_node *root, mcw_arena *doc, const mcs_odps_table *table,
			   mcs_odps_download *download, int *delay_ms, mcw_error *err)
{
	mcw_view	id = mcw_node_text(root, "DownloadID");
	mcw_view	state = mcw_node_text(root, "Status");
	mcs_odps_table session;
	mcw_status	status;

	if (id.len > 0)
	{
		if (id.len >= sizeof(download->id))
			return mcw_fail(err, MCW_ERR_PROTOCOL, "the id of a download session is too long");
		memcpy(download->id, id.data, id.len);
		download->id[id.len] = '\0';
	}
	if (download->id[0] == '\0')
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a download session without an id");
	download->state = MCS_ODPS_SESSION_PENDING;
	if (mcw_view_ieq(state, MCW_LIT("initiating")))
	{
		int			delay = FIRST_RELOAD_MS;

		for (int i = 0; i < download->reloads && delay < LAST_RELOAD_MS; i++)
			delay *= 2;
		if (++download->reloads > MAX_RELOADS)
			return mcw_fail(err, MCW_ERR_TIMEOUT, "a download session did not become ready");
		*delay_ms = delay < LAST_RELOAD_MS ? delay : LAST_RELOAD_MS;
		return MCW_OK;
	}
	if (!mcw_view_ieq(state, MCW_LIT("normal")))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a download session is \"%.*s\" instead of normal",
						(int) (state.len < 60 ? state.len : 60), state.data ? state.data : "");
	if (!mcw_node_int(root, "RecordCount", &download->record_count) || download->record_count < 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "a download session without a record count");
	memset(&session, 0, sizeof(session));
	status = mcs_odps_parse_schema(mcw_node_get(root, "Schema"), doc, &session, err);
	if (status == MCW_OK)
		status = compare_columns(table, &session, err);
	if (status == MCW_OK)
		download->state = MCS_ODPS_SESSION_READY;
	return status;
}

mcw_status
mcs_odps_download_opened(mcs_odps_call *call, const mcs_odps_table *table,
						 mcs_odps_download *download, int *delay_ms, mcw_error *err)
{
	mcw_arena	doc;
	mcw_node   *root;
	mcw_status	status;

	*delay_ms = 0;
	if (call->req.status != MCW_OK)
	{
		*err = call->req.error;
		return call->req.status;
	}
	mcw_arena_init(&doc, call->odps->alloc, (size_t) SESSION_ANSWER_MAX * 16);
	status = mcw_json_parse(mcw_buf_view(&call->req.response), &doc, &root, err);
	if (status == MCW_OK)
		status = session_answer(root, &doc, table, download, delay_ms, err);
	mcw_arena_reset(&doc);
	return status;
}

void
mcs_odps_download_read(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_download *download,
					   const mcs_odps_range *range, size_t max_response)
{
	mcs_odps_call_init(call, odps, MCS_ODPS_TUNNEL, "GET", max_response);
	mcs_odps_call_table(call, download->table);
	mcs_odps_call_flag(call, "data");
	mcs_odps_call_param(call, "downloadid", mcw_str(download->id));
	mcs_odps_call_paramf(call, "rowrange", "(%lld,%lld)", (long long) range->first, (long long) range->count);
	if (range->columns.len > 0)
		mcs_odps_call_param(call, "columns", range->columns);
	if (download->partition.len > 0)
		mcs_odps_call_param(call, "partition", download->partition);
	mcs_odps_call_header(call, "Accept-Encoding", range->accept_encoding ? range->accept_encoding : "identity");
}

mcw_status
mcs_odps_download_stream(mcs_odps_call *call, mcw_buf *scratch, mcw_view *stream, mcw_error *err)
{
	mcw_view	coding = mcn_response_header(&call->req, "Content-Encoding");
	mcw_codec	codec = MCW_CODEC_NONE;

	if (coding.len > 0 && !mcw_codec_from_http(coding, &codec))
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "the service used the unknown coding \"%.*s\"",
						(int) (coding.len < 60 ? coding.len : 60), coding.data);
	if (codec == MCW_CODEC_NONE)
	{
		*stream = mcw_buf_view(&call->req.response);
		return MCW_OK;
	}
	mcw_buf_reset(scratch);
	*stream = (mcw_view) {"", 0};
	if (mcw_decompress(codec, mcw_buf_view(&call->req.response), SIZE_MAX, scratch, err) != MCW_OK)
		return err->status;
	*stream = mcw_buf_view(scratch);
	return MCW_OK;
}
