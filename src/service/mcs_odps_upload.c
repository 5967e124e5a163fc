/*
 * mcs_odps_upload.c
 *		Batch upload sessions: requests, their answers, and the state machine of the
 *		commit (maxcompute.md 4, guarantees.md 6.1).
 *
 * Not here: what goes into a block, how many are in flight, and when a commit is
 * due; that is the caller's.
 */
#include "mcs_odps_upload.h"

#include <stdio.h>

#define MAX_ANSWER (16 * 1024 * 1024)	/* a block list of 20000 items is about 3 MB */
#define MAX_DOCUMENT (64 * 1024 * 1024) /* the same as a tree */
#define FIRST_POLL_MS 100
#define LAST_POLL_MS 5000

static const struct
{
	const char *word;
	mcs_odps_upload_status status;
}			status_words[] = {
	{"normal", MCS_ODPS_UPLOAD_NORMAL},
	{"closing", MCS_ODPS_UPLOAD_CLOSING},
	{"committing", MCS_ODPS_UPLOAD_CLOSING},
	{"closed", MCS_ODPS_UPLOAD_CLOSED},
	{"closes", MCS_ODPS_UPLOAD_CLOSED},
	{"canceled", MCS_ODPS_UPLOAD_CANCELED},
	{"critical", MCS_ODPS_UPLOAD_CANCELED},
	{"expired", MCS_ODPS_UPLOAD_EXPIRED},
};

const char *
mcs_odps_upload_status_name(mcs_odps_upload_status status)
{
	switch (status)
	{
		case MCS_ODPS_UPLOAD_NONE:
			return "not created";
		case MCS_ODPS_UPLOAD_NORMAL:
			return "normal";
		case MCS_ODPS_UPLOAD_CLOSING:
			return "closing";
		case MCS_ODPS_UPLOAD_CLOSED:
			return "closed";
		case MCS_ODPS_UPLOAD_CANCELED:
			return "canceled";
		case MCS_ODPS_UPLOAD_EXPIRED:
			return "expired";
		case MCS_ODPS_UPLOAD_GONE:
			return "gone";
		default:
			return "unknown";
	}
}

static void
address(mcs_odps_call *call, const mcs_odps_upload *upload)
{
	mcs_odps_call_table(call, upload->table);
	if (upload->partition.len > 0)
		mcs_odps_call_param(call, "partition", upload->partition);
}

void
mcs_odps_upload_open(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_upload *upload)
{
	mcs_odps_call_init(call, odps, MCS_ODPS_TUNNEL, "POST", MAX_ANSWER);
	address(call, upload);
	mcs_odps_call_flag(call, "uploads");
	mcs_odps_call_header(call, "odps-tunnel-date-transform", "v1");
	mcs_odps_call_header(call, "odps-tunnel-sdk-support-schema-evolution", "true");
	if (upload->overwrite)
		mcs_odps_call_param(call, "overwrite", MCW_LIT("true"));
	if (upload->create_partition && upload->partition.len > 0)
		mcs_odps_call_param(call, "create_partition", MCW_LIT("true"));
}

static mcw_status
parse_answer(mcs_odps_call *call, mcw_node **root, mcw_error *err)
{
	mcw_status	status = mcw_json_parse(mcw_buf_view(&call->req.response), &call->arena, root, err);

	if (status == MCW_ERR_FORMAT || (status == MCW_OK && (*root)->kind != MCW_NODE_OBJECT))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the tunnel answered something that is not an upload session");
	return status;
}

static mcs_odps_upload_status
status_of(const mcw_node *root)
{
	mcw_view	word = mcw_node_text(root, "Status");

	for (size_t i = 0; i < sizeof(status_words) / sizeof(status_words[0]); i++)
		if (mcw_view_ieq(word, mcw_str(status_words[i].word)))
			return status_words[i].status;
	return MCS_ODPS_UPLOAD_UNKNOWN;
}

/* the blocks are encoded for these columns, in this order */
static mcw_status
check_schema(const mcw_node *schema, mcw_arena *arena, const mcs_odps_table *table, mcw_error *err)
{
	mcs_odps_table seen;
	mcw_status	status;

	memset(&seen, 0, sizeof(seen));
	status = mcs_odps_parse_schema(schema, arena, &seen, err);
	if (status != MCW_OK)
		return status;
	if (seen.ncolumns != table->ncolumns)
		return mcw_fail(err, MCW_ERR_PROTOCOL,
						"the remote table changed: it has %d columns, expected were %d", seen.ncolumns, table->ncolumns);
	for (int i = 0; i < seen.ncolumns; i++)
	{
		const mcw_odps_type *a = seen.columns[i].type;
		const mcw_odps_type *b = table->columns[i].type;

		if (!mcw_view_ieq(seen.columns[i].name, table->columns[i].name) ||
			(a == NULL) != (b == NULL) ||
			(a && (a->kind != b->kind || a->precision != b->precision || a->scale != b->scale ||
				   a->length != b->length || a->nchildren != b->nchildren)))
			return mcw_fail(err, MCW_ERR_PROTOCOL,
							"the remote table changed: column %d is now \"%.*s %.*s\"", i + 1,
							(int) seen.columns[i].name.len, seen.columns[i].name.data,
							(int) seen.columns[i].type_text.len, seen.columns[i].type_text.data);
	}
	return MCW_OK;
}

mcw_status
mcs_odps_upload_opened(mcs_odps_call *call, const mcs_odps_table *table,
					   mcs_odps_upload *upload, mcw_error *err)
{
	mcw_node   *root;
	const mcw_node *schema;
	mcw_view	id;
	mcw_status	status;

	if (call->req.status != MCW_OK)
	{
		*err = call->req.error;
		return call->req.status;
	}
	status = parse_answer(call, &root, err);
	if (status != MCW_OK)
		return status;
	id = mcw_node_text(root, "UploadID");
	if (id.len == 0 || id.len >= sizeof(upload->id))
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the tunnel opened an upload session without a usable id");
	if (status_of(root) != MCS_ODPS_UPLOAD_NORMAL)
	{
		mcw_view	word = mcw_node_text(root, "Status");

		return mcw_fail(err, MCW_ERR_PROTOCOL, "the tunnel opened an upload session in state \"%.*s\"",
						(int) (word.len < 40 ? word.len : 40), word.len > 0 ? word.data : "");
	}
	schema = mcw_node_get(root, "Schema");
	if (schema && (status = check_schema(schema, &call->arena, table, err)) != MCW_OK)
		return status;

	memcpy(upload->id, id.data, id.len);
	upload->id[id.len] = '\0';
	if (!mcw_node_int(root, "MaxFieldSize", &upload->max_field) || upload->max_field <= 0)
		upload->max_field = 0;
	upload->status = MCS_ODPS_UPLOAD_NORMAL;
	upload->opened_us = mcn_now_us();
	upload->created_us = mcn_channel_service_now(call->odps->tunnel);
	return MCW_OK;
}

mcw_status
mcs_odps_upload_new_block(mcs_odps_upload *upload, int64_t rows, int *block, mcw_error *err)
{
	if (upload->nblocks >= MCS_ODPS_MAX_BLOCKS)
		return mcw_fail(err, MCW_ERR_LIMIT, "an upload session holds at most %d blocks", MCS_ODPS_MAX_BLOCKS);
	if (upload->nblocks == upload->cap)
	{
		int			cap = upload->cap ? upload->cap * 2 : 16;
		int64_t    *list = upload->alloc->resize(upload->alloc->ctx, upload->block_rows,
												 upload->cap * sizeof(int64_t), cap * sizeof(int64_t));

		if (!list)
			return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		upload->block_rows = list;
		upload->cap = cap;
	}
	upload->block_rows[upload->nblocks] = rows;
	upload->rows += rows;
	*block = upload->nblocks++;
	return MCW_OK;
}

void
mcs_odps_upload_put(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_upload *upload,
					int block, mcw_codec codec, mcw_view body)
{
	const char *coding = mcw_codec_http_name(codec);

	mcs_odps_call_init(call, odps, MCS_ODPS_TUNNEL, "PUT", 64 * 1024);
	address(call, upload);
	mcs_odps_call_param(call, "uploadid", mcw_str(upload->id));
	mcs_odps_call_paramf(call, "blockid", "%d", block);
	mcs_odps_call_header(call, "Content-Type", "application/octet-stream");
	if (coding)
		mcs_odps_call_header(call, "Content-Encoding", coding);
	call->req.body = body;
	call->req.chunked = true;
}

void
mcs_odps_upload_reload(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_upload *upload)
{
	mcs_odps_call_init(call, odps, MCS_ODPS_TUNNEL, "GET", MAX_ANSWER);
	call->arena.max = MAX_DOCUMENT;
	address(call, upload);
	mcs_odps_call_param(call, "uploadid", mcw_str(upload->id));
	mcs_odps_call_param(call, "getblockid", MCW_LIT("true"));
}

static mcw_status
compare_blocks(const mcw_node *root, mcs_odps_upload *upload, mcw_arena *arena, mcw_error *err)
{
	const mcw_node *list = mcw_node_get(root, "UploadedBlockList");
	bool	   *seen = mcw_arena_new(arena, upload->nblocks > 0 ? (size_t) upload->nblocks : 1);
	int			n = 0;

	if (!seen)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	if (!list || list->kind != MCW_NODE_ARRAY)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the tunnel sent no block list");
	for (const mcw_node *item = list->first; item; item = item->next)
	{
		int64_t		id;
		int64_t		rows;

		if (!mcw_node_int(item, "BlockID", &id) || !mcw_node_int(item, "RecordCount", &rows))
			return mcw_fail(err, MCW_ERR_PROTOCOL, "the tunnel sent a malformed block list");
		upload->mismatch = true;
		if (id < 0 || id >= upload->nblocks || seen[id])
			return mcw_fail(err, MCW_ERR_PROTOCOL,
							"upload session %s holds block %lld, which was not sent", upload->id, (long long) id);
		if (rows != upload->block_rows[id])
			return mcw_fail(err, MCW_ERR_PROTOCOL,
							"upload session %s holds %lld rows in block %lld, %lld were sent", upload->id,
							(long long) rows, (long long) id, (long long) upload->block_rows[id]);
		upload->mismatch = false;
		seen[id] = true;
		n++;
	}
	upload->mismatch = n != upload->nblocks;
	if (upload->mismatch)
		return mcw_fail(err, MCW_ERR_PROTOCOL,
						"upload session %s holds %d blocks, %d were sent", upload->id, n, upload->nblocks);
	return MCW_OK;
}

static void
keep_request_id(mcs_odps_call *call, mcs_odps_upload *upload)
{
	mcw_view	id = mcn_response_header(&call->req, "x-odps-request-id");

	if (id.len > 0 && id.len < sizeof(upload->request_id))
	{
		memcpy(upload->request_id, id.data, id.len);
		upload->request_id[id.len] = '\0';
	}
}

mcw_status
mcs_odps_upload_reloaded(mcs_odps_call *call, mcs_odps_upload *upload, mcw_error *err)
{
	mcw_node   *root;
	mcw_status	status;

	keep_request_id(call, upload);
	if (call->req.status != MCW_OK)
	{
		*err = call->req.error;
		if (call->req.status == MCW_ERR_SERVICE && mcs_odps_error_is(err, "NoSuchUpload"))
		{
			upload->status = MCS_ODPS_UPLOAD_GONE;
			return MCW_OK;
		}
		return call->req.status;
	}
	status = parse_answer(call, &root, err);
	if (status != MCW_OK)
		return status;
	upload->status = status_of(root);
	upload->mismatch = false;
	if (upload->status == MCS_ODPS_UPLOAD_NORMAL)
		return compare_blocks(root, upload, &call->arena, err);
	return MCW_OK;
}

/*
 * One commit request.  MCW_OK: answered 2xx, upload->status tells.  'failed' is set
 * if the service says that it went wrong there, 'settled' if it refused for a reason
 * that no repetition changes.
 */
static mcw_status
post_commit(mcs_odps *odps, mcs_odps_upload *upload, bool *failed, bool *settled, mcw_error *err)
{
	mcs_odps_call call;
	mcw_status	status;
	mcw_node   *root;

	mcs_odps_call_init(&call, odps, MCS_ODPS_TUNNEL, "POST", MAX_ANSWER);
	call.arena.max = MAX_DOCUMENT;
	address(&call, upload);
	mcs_odps_call_param(&call, "uploadid", mcw_str(upload->id));
	call.req.no_retry_after_send = true;
	status = mcs_odps_call_run(&call, err);
	if (call.req.sent)
		upload->commit_sent = true;
	keep_request_id(&call, upload);
	*failed = status == MCW_ERR_SERVICE && err->http_status >= 500;
	*settled = status == MCW_ERR_SERVICE && err->http_status >= 400 && err->http_status < 500 &&
		err->http_status != 408 && err->http_status != 409 && err->http_status != 429;
	if (status == MCW_OK)
	{
		/* an answer we cannot read is no answer: the state is asked for next */
		upload->status = parse_answer(&call, &root, err) == MCW_OK ? status_of(root) : MCS_ODPS_UPLOAD_UNKNOWN;
	}
	mcs_odps_call_free(&call);
	return status;
}

static mcw_status
reload(mcs_odps *odps, mcs_odps_upload *upload, mcw_error *err)
{
	mcs_odps_call call;
	mcw_status	status;

	mcs_odps_upload_reload(&call, odps, upload);
	status = mcs_odps_call_run(&call, err);
	if (status != MCW_ERR_INTERRUPTED)
		status = mcs_odps_upload_reloaded(&call, upload, err);
	mcs_odps_call_free(&call);
	return status;
}

/* may the failed question be asked again? */
static bool
may_ask_again(mcw_status status, const mcw_error *err)
{
	if (status == MCW_ERR_SERVICE)
		return err->http_status >= 500 || err->http_status == 408 || err->http_status == 429;
	return status == MCW_ERR_TIMEOUT || status == MCW_ERR_CONNECT || status == MCW_ERR_CHECKSUM ||
		status == MCW_ERR_FORMAT;
}

static bool
rest(mcs_odps *odps, int *delay_ms, int64_t deadline_us)
{
	mcw_error	ignored;
	int64_t		left = (deadline_us - mcn_now_us()) / 1000;

	if (left <= 0)
		return false;
	if (mcs_odps_sleep(odps, left < *delay_ms ? (int) left : *delay_ms, &ignored) != MCW_OK)
		return false;
	*delay_ms = *delay_ms * 2 < LAST_POLL_MS ? *delay_ms * 2 : LAST_POLL_MS;
	return true;
}

mcw_status
mcs_odps_upload_look(mcs_odps *odps, mcs_odps_upload *upload, int64_t deadline_us, mcw_error *err)
{
	mcs_odps	ask = *odps;
	int			delay = FIRST_POLL_MS;
	mcw_status	status;

	ask.deadline_us = deadline_us;
	while ((status = reload(&ask, upload, err)) != MCW_OK)
		if (!may_ask_again(status, err) || !rest(&ask, &delay, deadline_us))
			break;
	return status;
}

static mcs_odps_outcome
commit(mcs_odps *odps, mcn_channel *once, mcs_odps_upload *upload, bool ask_first, int64_t deadline_us, mcw_error *err)
{
	mcs_odps	ask = *odps;
	mcs_odps	send;
	int			delay = FIRST_POLL_MS;
	bool		unseen = upload->commit_sent && !upload->held;	/* its rows may be there, and nobody has looked */
	bool		maybe = upload->commit_sent;	/* a request that was not plainly refused may still be applied */

	ask.deadline_us = deadline_us;
	send = ask;
	send.tunnel = once;
	upload->held = false;
	for (;; ask_first = false)
	{
		mcw_error	refusal;
		bool		failed = false;
		bool		settled = false;
		bool		wait = !ask_first;
		mcw_status	status;

		if (!ask_first)
		{
			status = post_commit(&send, upload, &failed, &settled, err);
			refusal = *err;
			if (!settled && upload->commit_sent)
				maybe = true;
			if (upload->commit_sent && (status != MCW_ERR_SERVICE || failed || err->http_status == 408))
				unseen = true;
			if (status == MCW_ERR_INTERRUPTED)
				return maybe ? MCS_ODPS_IN_DOUBT : MCS_ODPS_NOT_PUBLISHED;
			if (status == MCW_OK && upload->status == MCS_ODPS_UPLOAD_CLOSED)
				return MCS_ODPS_PUBLISHED;
		}

		/* not closed: read the state, and never send again before it is known */
		for (;; wait = true)
		{
			if (wait && !rest(&ask, &delay, deadline_us))
			{
				if (!maybe)
					return MCS_ODPS_NOT_PUBLISHED;
				(void) mcw_fail(err, MCW_ERR_TIMEOUT,
								"the time limit passed while upload session %s was in state \"%s\"",
								upload->id, mcs_odps_upload_status_name(upload->status));
				return MCS_ODPS_IN_DOUBT;
			}
			status = reload(&ask, upload, err);
			if (status == MCW_OK)
			{
				if (upload->status == MCS_ODPS_UPLOAD_CLOSED)
					return MCS_ODPS_PUBLISHED;
				if (upload->status == MCS_ODPS_UPLOAD_CLOSING || upload->status == MCS_ODPS_UPLOAD_UNKNOWN)
					continue;
				break;
			}
			if (!may_ask_again(status, err))
				return maybe ? MCS_ODPS_IN_DOUBT : MCS_ODPS_NOT_PUBLISHED;
		}

		switch (upload->status)
		{
			case MCS_ODPS_UPLOAD_NORMAL:
				if (settled)
				{
					*err = refusal;
					return maybe ? MCS_ODPS_IN_DOUBT : MCS_ODPS_NOT_PUBLISHED;
				}
				if (upload->countable && unseen)
				{
					upload->held = true;
					(void) mcw_fail(err, MCW_ERR_SERVICE, "upload session %s is normal after its commit was sent", upload->id);
					return MCS_ODPS_IN_DOUBT;
				}
				if (failed && !upload->overwrite && !upload->countable)
					upload->residue_possible = true;
				continue;
			case MCS_ODPS_UPLOAD_CANCELED:
				if (upload->commit_sent && !upload->overwrite)
					upload->residue_possible = true;
				(void) mcw_fail(err, MCW_ERR_SERVICE, "the service canceled upload session %s", upload->id);
				return MCS_ODPS_NOT_PUBLISHED;
			default:
				if (maybe)
				{
					(void) mcw_fail(err, MCW_ERR_SERVICE,
									"upload session %s is %s after its commit was sent", upload->id,
									mcs_odps_upload_status_name(upload->status));
					return MCS_ODPS_IN_DOUBT;
				}
				(void) mcw_fail(err, MCW_ERR_SERVICE, "upload session %s is %s", upload->id,
								mcs_odps_upload_status_name(upload->status));
				return MCS_ODPS_NOT_PUBLISHED;
		}
	}
}

mcs_odps_outcome
mcs_odps_upload_commit(mcs_odps *odps, mcn_channel *once, mcs_odps_upload *upload,
					   int64_t deadline_us, mcw_error *err)
{
	return commit(odps, once, upload, false, deadline_us, err);
}

mcs_odps_outcome
mcs_odps_upload_settle(mcs_odps *odps, mcn_channel *once, mcs_odps_upload *upload,
					   int64_t deadline_us, mcw_error *err)
{
	return commit(odps, once, upload, true, deadline_us, err);
}
