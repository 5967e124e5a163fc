/*
 * loghub_outbox.c
 *		publish 'outbox': batches that a job's run has encoded, as entries of the outbox,
 *		and what sends them when the run is published.
 *
 * A batch is one entry whose body is what PutLogs carries, so that each replay is the
 * same request, byte by byte.  Nothing is remote before; a rollback only forgets.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/memutils.h"

#include "convert_text.h"
#include "entry.h"
#include "loghub_write.h"
#include "publish.h"

typedef struct Batch
{
	dlist_node	node;
	SubTransactionId subid;
	bool		listed;
	Oid			serverid;
	Oid			writer;
	char	   *server;
	char	   *endpoint;
	char	   *project;
	char	   *logstore;
	char		hash_key[MCS_HASH_KEY_DIGITS + 1];
	mcw_codec	codec;
	size_t		raw_size;
	int64		rows;
	uint64		number;
	bytea	   *body;
} Batch;

static MemoryContext batch_cxt = NULL;	/* of the transaction */
static dlist_head batches = DLIST_STATIC_INIT(batches);
static Size held = 0;

/* batches are numbered within a run, else within the statement */
static int64 numbered_run = 0;
static int	numbered_attempt = 0;
static uint64 last_batch = 0;

uint64
mcLogNextBatch(McLogSink *sink)
{
	if (!sink->in_job)
		return ++sink->last_batch;
	if (mcJob && (mcJob->run_id != numbered_run || mcJob->attempt != numbered_attempt))
	{
		numbered_run = mcJob->run_id;
		numbered_attempt = mcJob->attempt;
		last_batch = 0;
	}
	return ++last_batch;
}

/* ---- the transaction ---- */

static bool
pending(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &batches)
		if (!dlist_container(Batch, node, iter.cur)->listed)
			return true;
	return false;
}

static int
writers(void)
{
	return 0;
}

static void
verify(int64 deadline_us)
{
}

static void
announce(McItems *list)
{
	mcPublishItem(list, "batches of LogHub that no run has sealed");
}

/* Only a job's run may seal them; without that the commit must not lose them */
static void
publish(void)
{
	elog(ERROR, "batches of LogHub for the outbox were not sealed");
}

static void
erase(void)
{
}

static void
outcomes(McOutcomes *outcomes)
{
	dlist_iter	iter;

	dlist_foreach(iter, &batches)
	{
		const Batch *batch = dlist_container(Batch, node, iter.cur);

		if (!batch->listed)
			mcPublishItem(&outcomes->not_published, "%s.%s batch " UINT64_FORMAT, batch->project, batch->logstore, batch->number);
	}
}

/* their memory is kept until the next transaction writes: nothing is allocated or freed that could fail */
static void
forget(bool committed)
{
	dlist_init(&batches);
	held = 0;
	if (batch_cxt)
		MemoryContextReset(batch_cxt);
}

static void
sub_commit(SubTransactionId mine, SubTransactionId parent)
{
	dlist_iter	iter;

	dlist_foreach(iter, &batches)
	{
		Batch	   *batch = dlist_container(Batch, node, iter.cur);

		if (batch->subid == mine)
			batch->subid = parent;
	}
}

static void
sub_abort(SubTransactionId mine)
{
	dlist_mutable_iter iter;

	dlist_foreach_modify(iter, &batches)
	{
		Batch	   *batch = dlist_container(Batch, node, iter.cur);

		if (batch->subid != mine)
			continue;
		dlist_delete(&batch->node);
		held -= VARSIZE(batch->body);
		pfree(batch->body);
	}
}

static const char *
codec_name(mcw_codec codec)
{
	return codec == MCW_CODEC_LZ4_BLOCK ? "lz4" : codec == MCW_CODEC_ZSTD ? "zstd" : "none";
}

static McEntry *
entry_of(const McJobRun *run, const Batch *batch)
{
	McEntry    *entry = palloc0(sizeof(McEntry));
	StringInfoData json;

	entry->service = MC_LOGHUB;
	entry->kind = "putlogs";
	entry->serverid = batch->serverid;
	entry->owner = run->owner;
	entry->writer = batch->writer;
	entry->server = pstrdup(batch->server);
	entry->endpoint = pstrdup(batch->endpoint);
	entry->target = psprintf("loghub:%s/%s/%s", mcEndpointHost(batch->endpoint), batch->project, batch->logstore);
	entry->label = psprintf("%s.%s batch " UINT64_FORMAT, batch->project, batch->logstore, batch->number);
	entry->handle = "";
	entry->mode = "append";
	entry->token = psprintf("%s/" UINT64_FORMAT, run->token, batch->number);
	entry->rows = batch->rows;
	entry->bytes = VARSIZE_ANY_EXHDR(batch->body);
	initStringInfo(&json);
	appendStringInfoString(&json, "{\"project\":");
	escape_json(&json, batch->project);
	appendStringInfoString(&json, ",\"logstore\":");
	escape_json(&json, batch->logstore);
	appendStringInfo(&json, ",\"hash_key\":\"%s\",\"compression\":\"%s\",\"raw_size\":%zu}", batch->hash_key,
					 codec_name(batch->codec), batch->raw_size);
	entry->document = json.data;
	entry->body = (bytea *) memcpy(palloc(VARSIZE(batch->body)), batch->body, VARSIZE(batch->body));
	return entry;
}

static void
seal(struct McJobRun *run, List **entries)
{
	dlist_iter	iter;

	dlist_foreach(iter, &batches)
	{
		Batch	   *batch = dlist_container(Batch, node, iter.cur);

		if (batch->listed)
			continue;
		*entries = lappend(*entries, entry_of(run, batch));
		batch->listed = true;
	}
}

static const McPublisher publisher = {
	.service = "Log Service",
	.expires = "Batches of a job are published by its run.",
	.pending = pending,
	.writers = writers,
	.verify = verify,
	.announce = announce,
	.publish = publish,
	.erase = erase,
	.outcomes = outcomes,
	.forget = forget,
	.sub_commit = sub_commit,
	.sub_abort = sub_abort,
	.seal = seal,
};

/* ---- a statement ---- */

void
mcLogOutboxBegin(const char *relname)
{
	if (!mcJob)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" has publish 'outbox', which is possible only in the run of a job", relname),
				 errdetail("Its rows are sent by the job after it has committed; nobody would send them here."),
				 errhint("Write it with mc.create_job and mc.run_job, or through a foreign table with publish 'immediate'.")));
	mcPublishRefuseSerializable(relname);
	mcPublisherAdd(MC_LOGHUB, &publisher);
	if (!batch_cxt)
		batch_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw LogHub outbox", ALLOCSET_DEFAULT_SIZES);
}

void
mcLogOutboxAdd(McLogSink *sink, McLogGroup *group, mcw_view body, size_t raw_size)
{
	int64		limit = mcServerOptionInt(sink->server, "outbox_limit", MC_LOG_OUTBOX_LIMIT);
	MemoryContext old;
	Batch	   *batch;

	if ((int64) (held + body.len) > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the run writes more to \"%s\" than the outbox takes", sink->relname),
				 errdetail("outbox_limit is %lld bytes, compressed.", (long long) limit),
				 errhint("Give the job shorter windows, raise outbox_limit, or set publish to 'immediate'."),
				 mcPlaceContext(&sink->place)));
	old = MemoryContextSwitchTo(batch_cxt);
	batch = palloc0(sizeof(Batch));
	batch->subid = GetCurrentSubTransactionId();
	batch->serverid = sink->server->serverid;
	batch->writer = sink->server->userid;
	batch->server = pstrdup(sink->server->name);
	batch->endpoint = pstrdup(sink->server->endpoint);
	batch->project = pstrdup(sink->server->project);
	batch->logstore = pstrdup(sink->logstore);
	strlcpy(batch->hash_key, group->hash_key, sizeof(batch->hash_key));
	batch->codec = sink->codec;
	batch->raw_size = raw_size;
	batch->rows = group->w.nlogs;
	batch->number = group->number;
	batch->body = palloc(VARHDRSZ + body.len);
	SET_VARSIZE(batch->body, VARHDRSZ + body.len);
	memcpy(VARDATA(batch->body), body.data, body.len);
	held += VARSIZE(batch->body);
	dlist_push_tail(&batches, &batch->node);
	MemoryContextSwitchTo(old);
	sink->kept_rows += group->w.nlogs;
	sink->kept_batches++;
	sink->kept_raw += (int64) raw_size;
	sink->kept_bytes += (int64) body.len;
}

/* ---- publishing ---- */

typedef struct Sender
{
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_loghub	client;
	mcs_call	call;
	bool		call_open;
	MemoryContextCallback callback;
} Sender;

static void
release(void *arg)
{
	Sender	   *sender = arg;

	if (sender->call_open)
		mcs_call_free(&sender->call);
	sender->call_open = false;
	if (sender->channel)
		mcn_channel_free(sender->channel);
	sender->channel = NULL;
}

static mcw_status
send_entry(Sender *sender, McEntry *entry, int64 deadline_us, mcw_error *err)
{
	const char *logstore = mcEntryText(entry, "logstore");
	const char *hash_key = mcEntryText(entry, "hash_key");
	const char *compression = mcEntryText(entry, "compression");
	int64		raw_size = mcEntryInt(entry, "raw_size", -1);
	mcw_codec	codec = MCW_CODEC_NONE;
	mcw_view	body;
	mcw_status	status;

	if (!logstore || !hash_key || !compression || raw_size < 0 || !entry->body ||
		(strcmp(compression, "none") != 0 && !mcw_codec_from_sls(mcw_str(compression), &codec)))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entry \"%s\" of the outbox is damaged", entry->label)));
	body = (mcw_view) {VARDATA_ANY(entry->body), VARSIZE_ANY_EXHDR(entry->body)};
	mcs_call_init(&sender->call, &sender->client, 65536);
	sender->call_open = true;
	status = mcs_put_logs(&sender->call, mcw_str(logstore), body, (size_t) raw_size, codec, mcw_str(hash_key), err);
	if (status != MCW_OK)
		return status;
	sender->call.req.deadline_us = deadline_us;
	mcn_request_start(&sender->call.req);
	while ((status = mcn_request_wait(&sender->call.req)) == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (status != MCW_OK)
		*err = sender->call.req.error;
	return status;
}

McEntryOutcome
mcLogEntryPublish(McEntry *entry, int64 deadline_us, mcw_error *err)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "mc_fdw LogHub entry", ALLOCSET_DEFAULT_SIZES);
	McEntryOutcome outcome;
	Sender	   *sender;
	McServer   *server;
	mcw_status	status;

	MemoryContextSwitchTo(cxt);
	sender = palloc0(sizeof(Sender));
	sender->alloc = mcContextAlloc(cxt);
	sender->callback.func = release;
	sender->callback.arg = sender;
	MemoryContextRegisterResetCallback(cxt, &sender->callback);
	server = mcEntryServer(entry);
	server->project = mcEntryText(entry, "project");
	if (!server->project)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("entry \"%s\" of the outbox is damaged", entry->label)));
	mcLogConnect(server, &sender->alloc, &sender->channel, &sender->client);
	status = send_entry(sender, entry, deadline_us, err);
	MemoryContextSwitchTo(caller);

	/* a refusal of what is in it will not change: dropping it would lose rows silently */
	if (status == MCW_OK)
		outcome = MC_ENTRY_PUBLISHED;
	else if (mcs_put_is_fault_of_logs(err))
		outcome = MC_ENTRY_CONFLICT;
	else
		outcome = MC_ENTRY_PENDING;
	if (sender->call_open)
	{
		mcw_view	id = mcn_response_header(&sender->call.req, "x-log-requestid");

		if (id.data)
			entry->request_id = mcPrintable(pnstrdup(id.data, id.len));
		if (status == MCW_OK)
			entry->evidence = psprintf("HTTP %d, attempt %d", sender->call.req.http_status, sender->call.req.attempts);
	}
	if (sender->client.clock_fixed > 0)
		mcLogRememberClock(server, &sender->client);
	MemoryContextDelete(cxt);
	return outcome;
}
