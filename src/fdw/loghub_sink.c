/*
 * loghub_sink.c
 *		The rows of one statement on their way to a logstore: which group a row belongs
 *		to, when a group is sent, and what becomes of it.
 *
 * Memory is bounded by write_buffer for groups that are not full, and by concurrency
 * times a request for what is in flight.  The writer's callback only takes notes;
 * errors are raised when it has returned.  Not here: encoding (loghub_encode.c), the
 * outbox (loghub_outbox.c).
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "../wire/mcw_text.h"
#include "job.h"
#include "loghub_write.h"

#define MAX_GROUPS 1000			/* remembered, whether they have rows or not */
#define MAX_BUFFER (2 * MCS_PUT_MAX_RAW + 65536)	/* what was there and a row of the largest size */
#define SHARDS_LIFE_US INT64CONST(30000000)
#define DRIVE_EVERY 64			/* rows between two looks at the network */

#define HINT_VALUE "Correct the value in the statement, or set on_error to 'reject' or 'set_null'."
#define HINT_ROW "Filter such rows, or set on_error to 'reject'."

typedef struct GroupEntry
{
	mcw_view	key;
	McLogGroup *group;
	uint32		status;
} GroupEntry;

#define SH_PREFIX groups
#define SH_ELEMENT_TYPE GroupEntry
#define SH_KEY_TYPE mcw_view
#define SH_KEY key
#define SH_HASH_KEY(tb, k) hash_bytes((const unsigned char *) (k).data, (int) (k).len)
#define SH_EQUAL(tb, a, b) mcw_view_eq(a, b)
#define SH_SCOPE static inline
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct McLogGroups
{
	groups_hash *hash;
};

/* ---- start ---- */

static void
bind_to(McLogOut *out, const McLogColumn *column, const McLogSink *sink)
{
	out->column = column;
	out->at = column->attnum - 1;
	out->name = mcw_str(column->wire);
	mcTextOutInit(&out->text, column->type);
	if ((column->kind == MC_LOG_FIELD || column->kind == MC_LOG_TAG) &&
		(out->name.len == 0 || out->name.len > MCS_PUT_MAX_NAME))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
				 errmsg("column \"%s\" of \"%s\" cannot be written", column->attname, sink->relname),
				 errdetail("Names of fields and tags have 1 to %d bytes.", MCS_PUT_MAX_NAME)));
}

static McLogOut *
bind_new(const McLogColumn *column, const McLogSink *sink)
{
	McLogOut   *out = palloc0(sizeof(McLogOut));

	bind_to(out, column, sink);
	return out;
}

/* The service sets these itself */
static bool
is_fixed(const McLogColumn *column)
{
	switch (column->kind)
	{
		case MC_LOG_RECEIVE_TIME:
		case MC_LOG_SHARD:
		case MC_LOG_CURSOR:
			return true;
		case MC_LOG_TAG:
			return strcmp(column->name, "__receive_time__") == 0 || strcmp(column->name, "__client_ip__") == 0;
		default:
			return false;
	}
}

/* Two columns of one field could not both be read back */
static void
check_twice(const McLogSink *sink)
{
	ListCell   *a;
	ListCell   *b;

	foreach(a, sink->columns)
	{
		const McLogColumn *one = lfirst(a);

		for_each_cell(b, sink->columns, lnext(sink->columns, a))
		{
			const McLogColumn *two = lfirst(b);

			if (one->kind == two->kind && strcmp(one->name, two->name) == 0 && !is_fixed(one))
				ereport(ERROR,
						(errcode(ERRCODE_FDW_INVALID_COLUMN_NAME),
						 errmsg("columns \"%s\" and \"%s\" of \"%s\" are the same field", one->attname, two->attname, sink->relname),
						 errhint("Write through a foreign table that has one column for each field.")));
		}
	}
}

static void
bind_columns(McLogSink *sink)
{
	int			n = list_length(sink->columns);
	int		   *attnos = palloc(sizeof(int) * (n + 1));
	int			nattnos = 0;
	ListCell   *lc;

	sink->fields = palloc0(sizeof(McLogOut) * (n + 1));
	sink->group = palloc0(sizeof(McLogOut) * (n + 1));
	sink->fixed = palloc0(sizeof(McLogOut) * (n + 1));
	check_twice(sink);
	foreach(lc, sink->columns)
	{
		const McLogColumn *column = lfirst(lc);

		if (is_fixed(column))
		{
			bind_to(&sink->fixed[sink->nfixed++], column, sink);
			continue;
		}
		switch (column->kind)
		{
			case MC_LOG_FIELD:
				bind_to(&sink->fields[sink->nfields], column, sink);
				if (sink->dedup.len > 0 && mcw_view_eq(sink->fields[sink->nfields].name, sink->dedup))
					sink->dedup_column = &sink->fields[sink->nfields];
				sink->nfields++;
				break;
			case MC_LOG_REST:
				sink->rest = bind_new(column, sink);
				mcTextColumnInit(&sink->rest_json, JSONBOID, -1);
				break;
			case MC_LOG_TIME:
				sink->time = bind_new(column, sink);
				break;
			case MC_LOG_TIME_NS:
				sink->time_ns = bind_new(column, sink);
				break;
			case MC_LOG_HASH_KEY:
				sink->hash_key = bind_new(column, sink);
				attnos[nattnos++] = column->attnum - 1;
				break;
			default:
				bind_to(&sink->group[sink->ngroup++], column, sink);
				attnos[nattnos++] = column->attnum - 1;
				break;
		}
	}
	mcLastKeysInit(&sink->last, sink->desc, attnos, nattnos);
}

static void
on_refused(void *ctx, uint64_t row, const mcw_error *err)
{
	McLogSink  *sink = ctx;
	McLogRefused *r = MemoryContextAllocExtended(sink->refused_cxt, sizeof(McLogRefused), MCXT_ALLOC_NO_OOM);

	if (!r)
	{
		sink->out_of_memory = true;
		return;
	}
	r->next = NULL;
	r->row = row;
	r->err = *err;
	*sink->refused_tail = r;
	sink->refused_tail = &r->next;
}

static int64
unknown_rows(const void *sink)
{
	return mcs_log_writer_unknown(((const McLogSink *) sink)->writer);
}

/* Runs in every ending: requests leave the loop before their memory goes */
static void
release(void *arg)
{
	McLogSink  *sink = arg;

	if (sink->writer)
		mcVisibleClose(&sink->visible);
	mcs_log_writer_free(sink->writer);
	sink->writer = NULL;
	if (sink->shard_call_open)
		mcs_call_free(&sink->shard_call);
	sink->shard_call_open = false;
	if (sink->channel)
		mcn_channel_free(sink->channel);
	sink->channel = NULL;
}

static void
open_writer(McLogSink *sink)
{
	mcs_log_writer_spec spec = {
		.logstore = mcw_str(sink->logstore),
		.codec = sink->codec,
		.concurrency = sink->server->concurrency,
		.on_refused = sink->rejects.on_error != MC_ON_ERROR_STOP ? on_refused : NULL,
		.ctx = sink,
	};
	mcw_error	err;

	sink->writer = mcs_log_writer_create(&sink->client, &spec, &err);
	if (!sink->writer)
		mcRaise(&err, &sink->place);
	mcVisibleOpen(&sink->visible, MC_LOGHUB, unknown_rows, sink);
}

static mcw_codec
codec_of(const McServer *server)
{
	mcw_codec	codec = MCW_CODEC_LZ4_BLOCK;

	if (mcServerOptionIs(server, "compression", "none"))
		return MCW_CODEC_NONE;
	if (mcServerOptionIs(server, "compression", "zstd"))
		codec = MCW_CODEC_ZSTD;
	return codec;
}

/* What says later which run or statement a row came from */
static char *
run_name(void)
{
	unsigned char bytes[16];
	char	   *hex;

	if (mcJob)
		return psprintf("%s/%s" INT64_FORMAT "/%d", mcJob->name, mcJob->backfill ? "backfill " : "", mcJob->seq, mcJob->attempt);
	if (!pg_strong_random(bytes, sizeof(bytes)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not make a random number")));
	hex = palloc(2 * sizeof(bytes) + 1);
	for (int i = 0; i < (int) sizeof(bytes); i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	return hex;
}

static void
read_options(McLogSink *sink)
{
	const McServer *server = sink->server;
	const char *dedup = mcServerOption(server, "dedup_id");
	Size		budget = (Size) mcServerOptionInt(server, "write_buffer", MC_LOG_WRITE_BUFFER);

	sink->codec = codec_of(server);
	sink->request_size = (size_t) mcServerOptionInt(server, "request_size", MC_LOG_REQUEST_SIZE);
	sink->batch_size = (uint32) mcServerOptionInt(server, "batch_size", MC_LOG_BATCH_SIZE);
	sink->outbox = mcServerOptionIs(server, "publish", "outbox");
	if (dedup)
	{
		const char *name;

		if (dedup[0] == '\0' || strlen(dedup) > MCS_PUT_MAX_NAME || mcLogKindOf(dedup, &name) != MC_LOG_FIELD)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("option dedup_id of \"%s\" names no field", sink->relname),
					 errdetail("It is the name of an ordinary field of the log, of 1 to %d bytes.", MCS_PUT_MAX_NAME)));
		sink->dedup = mcw_str(pg_server_to_any(dedup, strlen(dedup), PG_UTF8));
	}
	mcPoolInit(&sink->pool, sink->cxt, budget, sink->request_size);
}

McLogSink *
mcLogSinkCreate(EState *estate, Relation rel, Oid userid)
{
	MemoryContext cxt = AllocSetContextCreate(estate->es_query_cxt, "mc_fdw LogHub sink", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McLogSink  *sink = palloc0(sizeof(McLogSink));

	sink->cxt = cxt;
	sink->relname = pstrdup(RelationGetRelationName(rel));
	sink->desc = RelationGetDescr(rel);
	sink->server = mcGetServer(MC_LOGHUB, GetForeignTable(RelationGetRelid(rel))->serverid, userid,
							   RelationGetRelid(rel), true);
	sink->logstore = pstrdup(mcServerOption(sink->server, "logstore"));
	sink->place.wrapper = MC_LOGHUB;
	sink->place.server = sink->server->name;
	sink->place.object = sink->logstore;
	sink->columns = mcLogColumns(rel);
	sink->alloc = mcContextAlloc(cxt);
	read_options(sink);
	bind_columns(sink);
	sink->in_job = mcJob != NULL;
	sink->run = run_name();
	initStringInfo(&sink->key);
	sink->groups = palloc(sizeof(struct McLogGroups));
	sink->groups->hash = groups_create(cxt, 64, NULL);
	dlist_init(&sink->lru);
	mcRejectsInit(&sink->rejects, sink->server);
	sink->refused_tail = &sink->refused;

	/* what is in flight may not live in a child: it is deleted before the callback runs */
	sink->scratch = AllocSetContextCreate(cxt, "mc_fdw row", ALLOCSET_DEFAULT_SIZES);
	sink->refused_cxt = AllocSetContextCreate(cxt, "mc_fdw refused rows", ALLOCSET_SMALL_SIZES);
	sink->callback.func = release;
	sink->callback.arg = sink;
	MemoryContextRegisterResetCallback(cxt, &sink->callback);
	if (sink->outbox)
		mcLogOutboxBegin(sink->relname);
	else
		mcVisibleBegin(MC_LOGHUB);
	mcLogConnect(sink->server, &sink->alloc, &sink->channel, &sink->client);
	sink->before = *mcn_channel_stats(sink->channel);
	mcProgressBegin(&sink->progress, cxt, RelationGetRelid(rel), true, &sink->before);
	if (!sink->outbox)
		open_writer(sink);
	MemoryContextSwitchTo(old);
	return sink;
}

/* ---- what cannot be written ---- */

static bool
refuse(McLogSink *sink, const McLogColumn *column, uint64 row, int sqlstate, const char *reason, mcw_view value)
{
	McPlace		place = sink->place;
	bool		not_null = !column || column->not_null;

	place.column = column ? column->attname : NULL;
	place.position = psprintf("row " UINT64_FORMAT, row);
	return mcRefuseValue(&sink->rejects, &place, sqlstate, reason, value, not_null,
						 not_null ? HINT_ROW : HINT_VALUE) == MC_VALUE_NULL;
}

bool
mcLogSinkRefuse(McLogSink *sink, const McLogColumn *column, int sqlstate, const char *reason, mcw_view value)
{
	return refuse(sink, column, (uint64) sink->seen, sqlstate, reason, value);
}

static void
check_fixed(const McLogSink *sink, const TupleTableSlot *slot)
{
	for (int i = 0; i < sink->nfixed; i++)
		if (!slot->tts_isnull[sink->fixed[i].at])
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of \"%s\" cannot be written", sink->fixed[i].column->attname, sink->relname),
					 errdetail("Log Service sets it when it receives the log."),
					 errhint("Leave it out of the column list of INSERT or COPY.")));
}

/* ---- the writer ---- */

/* Tell the transaction, then raise what has to be raised */
static void
check_writer(McLogSink *sink, mcw_status status, const mcw_error *err)
{
	const mcs_log_writer_info *info = mcs_log_writer_get_info(sink->writer);
	McPlace		place = sink->place;

	mcVisibleWrote(MC_LOGHUB, info->logs - sink->acknowledged);
	sink->acknowledged = info->logs;
	if (sink->client.clock_fixed > 0)
		mcLogRememberClock(sink->server, &sink->client);
	if (sink->out_of_memory)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	while (sink->refused)
	{
		McLogRefused *r = sink->refused;

		sink->refused = r->next;
		(void) refuse(sink, NULL, r->row, ERRCODE_FDW_ERROR,
					  psprintf("Log Service refuses the row: %s", mcErrorDetail(&r->err)), (mcw_view) {NULL, 0});
	}
	if (sink->refused_tail != &sink->refused)
	{
		sink->refused_tail = &sink->refused;
		MemoryContextReset(sink->refused_cxt);
	}
	if (likely(status == MCW_OK))
		return;
	if (status == MCW_ERR_INTERRUPTED)
	{
		CHECK_FOR_INTERRUPTS();
		return;
	}
	if (mcs_log_writer_failed_at(sink->writer)[0])
		place.position = mcPrintable(mcs_log_writer_failed_at(sink->writer));
	mcRaise(err, &place);
}

/* ---- groups ---- */

static void
take_buffer(McLogSink *sink, McLogGroup *group)
{
	mcPoolTake(&sink->pool, &group->buf, MAX_BUFFER, &group->accounted);
	mcw_sls_writer_init(&group->w, &group->buf);
	group->number = mcLogNextBatch(sink);
}

/* Who wrote this, unless the rows say so themselves */
static int
add_tags(const McLogSink *sink, McLogGroup *group, char *number, size_t size)
{
	const mcw_pair ours[] = {
		{MCW_LIT("__mc_run__"), mcw_str(sink->run)},
		{MCW_LIT("__mc_batch__"), mcw_str(number)},
	};
	int			n = group->ntags;

	snprintf(number, size, UINT64_FORMAT, group->number);
	for (int i = 0; sink->in_job && i < lengthof(ours); i++)
	{
		bool		given = false;

		for (int k = 0; k < group->ntags; k++)
			given = given || mcw_view_eq(group->tags[k].name, ours[i].name);
		if (!given)
			group->tags[n++] = (mcw_pair) {ours[i].name, mcw_str(ours[i].value.data)};
	}
	return n;
}

static void
send_immediate(McLogSink *sink, const McLogGroup *group)
{
	mcs_log_batch batch = {
		.group = mcw_buf_view(&group->buf),
		.number = group->number,
		.topic = group->topic,
		.hash_key = mcw_str(group->hash_key),
		.rows = group->rows,
		.nlogs = group->w.nlogs,
	};
	mcw_status	status;
	mcw_error	err;

	do
	{
		status = mcs_log_writer_send(sink->writer, &batch, &err);
		check_writer(sink, status, &err);
	} while (status == MCW_ERR_INTERRUPTED);
}

static void
keep(McLogSink *sink, McLogGroup *group)
{
	mcw_error	err;
	mcw_buf		body;
	mcw_status	status;

	mcw_buf_init(&body, &sink->alloc, mcs_put_bound(MCS_PUT_MAX_RAW));
	status = mcs_put_encode(sink->codec, mcw_buf_view(&group->buf), &body, &err);
	mcCheck(status, &err, &sink->place);
	mcLogOutboxAdd(sink, group, mcw_buf_view(&body), group->buf.len);
	mcw_buf_free(&body);
}

/* Once a request: what other sessions see */
static void
tell(McLogSink *sink)
{
	McMoved		moved = {.rows = sink->kept_rows, .bytes = sink->kept_bytes};

	if (sink->writer)
	{
		moved.rows += mcs_log_writer_get_info(sink->writer)->logs;
		moved.bytes += mcs_log_writer_get_info(sink->writer)->bytes_sent;
	}
	mcProgressMoved(&sink->progress, &moved, mcn_channel_stats(sink->channel));
}

/* Empties the group */
static void
send_group(McLogSink *sink, McLogGroup *group)
{
	char		number[24];
	int			ntags;

	if (group->w.nlogs == 0)
		return;
	ntags = add_tags(sink, group, number, sizeof(number));
	if (mcw_sls_finish_group(&group->w, group->category, group->topic, group->source, group->machine_uuid,
							 group->tags, ntags) != MCW_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (sink->outbox)
		keep(sink, group);
	else
		send_immediate(sink, group);
	tell(sink);
	group->w.nlogs = 0;
	mcPoolAccount(&sink->pool, &group->buf, &group->accounted);
	mcPoolReturn(&sink->pool, &group->buf);
	memset(&group->buf, 0, sizeof(group->buf));
	group->accounted = 0;
}

static void
forget_group(McLogSink *sink, McLogGroup *group)
{
	send_group(sink, group);
	groups_delete(sink->groups->hash, group->key);
	dlist_delete(&group->lru);
	sink->ngroups--;
	if (sink->current == group)
		sink->current = NULL;
	if (group->buf.cap > 0)
		mcPoolReturn(&sink->pool, &group->buf);
	if (group->rows)
		pfree(group->rows);
	pfree(group->tags);
	pfree(unconstify(char *, group->key.data));
	pfree(group);
}

static McLogGroup *
new_group(McLogSink *sink)
{
	MemoryContext old;
	McLogGroup *group;
	bool		found;

	if (sink->ngroups >= MAX_GROUPS)
		forget_group(sink, dlist_tail_element(McLogGroup, lru, &sink->lru));
	old = MemoryContextSwitchTo(sink->cxt);
	group = palloc0(sizeof(McLogGroup));
	group->key.data = memcpy(palloc(sink->key.len + 1), sink->key.data, sink->key.len + 1);
	group->key.len = sink->key.len;
	mcLogDecodeKey(sink, group);
	if (sink->hash_key)
		strlcpy(group->hash_key, sink->row_hash, sizeof(group->hash_key));
	group->finish_size = mcw_sls_finish_size(group->category, group->topic, group->source, group->machine_uuid,
											 group->tags, group->ntags) + strlen(sink->run) + 128;
	groups_insert(sink->groups->hash, group->key, &found)->group = group;
	dlist_push_head(&sink->lru, &group->lru);
	sink->ngroups++;
	MemoryContextSwitchTo(old);
	return group;
}

/* The group of this row; NULL = the row is rejected */
static McLogGroup *
find_group(McLogSink *sink, TupleTableSlot *slot)
{
	GroupEntry *entry;
	McLogGroup *group;

	if (likely(sink->current && mcLastKeysSame(&sink->last, slot)))
		return sink->current;
	if (!mcLogEncodeKey(sink, slot))
		return NULL;
	entry = groups_lookup(sink->groups->hash, (mcw_view) {sink->key.data, sink->key.len});
	group = entry ? entry->group : new_group(sink);
	dlist_move_head(&sink->lru, &group->lru);
	sink->current = group;
	if (sink->key_changed)
		sink->current = NULL;	/* the next row like it is judged again */
	else
		mcLastKeysRemember(&sink->last, slot);
	return group;
}

/* ---- hash keys ---- */

static void
list_shards(McLogSink *sink)
{
	mcs_shard_info *shards;
	int			nshards;
	int			n = 0;
	mcw_error	err;
	mcw_status	status;

	if (sink->shard_call_open)
		mcs_call_free(&sink->shard_call);
	mcs_call_init(&sink->shard_call, &sink->client, 0);
	sink->shard_call_open = true;
	status = mcs_list_shards(&sink->shard_call, mcw_str(sink->logstore), &err);
	if (status == MCW_OK)
		status = mcs_call_run(&sink->shard_call, &err);
	if (status == MCW_OK)
		status = mcs_parse_shards(&sink->shard_call, &shards, &nshards, &err);
	mcCheck(status, &err, &sink->place);
	if (sink->shards)
		pfree(sink->shards);
	sink->shards = MemoryContextAlloc(sink->cxt, sizeof(mcs_shard_info) * Max(nshards, 1));
	for (int i = 0; i < nshards; i++)
		if (!shards[i].readonly && shards[i].begin[0] && shards[i].end[0])
			sink->shards[n++] = shards[i];
	sink->nshards = n;
	mcs_free_shards(&sink->client, shards, nshards);
	sink->shards_at_us = mcn_now_us();
}

const mcs_shard_info *
mcLogSinkShard(McLogSink *sink, const char *hash_key)
{
	if (!sink->shards || mcn_now_us() - sink->shards_at_us > SHARDS_LIFE_US)
		list_shards(sink);
	for (int i = 0; i < sink->nshards; i++)
		if (strcmp(hash_key, sink->shards[i].begin) >= 0 && strcmp(hash_key, sink->shards[i].end) < 0)
			return &sink->shards[i];
	return NULL;
}

/* ---- rows ---- */

static void
remember_row(McLogSink *sink, McLogGroup *group)
{
	if (group->w.nlogs > group->maxrows)
	{
		uint32		n = Max(64, group->maxrows * 2);

		group->rows = group->rows ? repalloc(group->rows, n * sizeof(uint64)) :
			MemoryContextAlloc(sink->cxt, n * sizeof(uint64));
		group->maxrows = n;
	}
	group->rows[group->w.nlogs - 1] = (uint64) sink->seen;
}

/* The row made the request too large: it begins the next one */
static void
send_without_last(McLogSink *sink, McLogGroup *group)
{
	mcw_sls_writer next;
	mcw_buf		buf;
	Size		accounted;

	mcPoolTake(&sink->pool, &buf, MAX_BUFFER, &accounted);
	mcw_sls_writer_init(&next, &buf);
	if (mcw_sls_move_last(&group->w, &next) != MCW_OK)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	send_group(sink, group);
	group->buf = buf;
	group->accounted = accounted;
	group->w = next;
	group->w.out = &group->buf;
	group->number = mcLogNextBatch(sink);
	remember_row(sink, group);
}

/* Groups that were not used for longest make room */
static void
keep_budget(McLogSink *sink)
{
	dlist_iter	iter;

	while (!mcPoolTrim(&sink->pool))
	{
		McLogGroup *victim = NULL;

		dlist_reverse_foreach(iter, &sink->lru)
		{
			McLogGroup *group = dlist_container(McLogGroup, lru, iter.cur);

			if (group->w.nlogs > 0)
			{
				victim = group;
				break;
			}
		}
		if (!victim)
			return;
		send_group(sink, victim);
	}
}

static void
row_added(McLogSink *sink, McLogGroup *group)
{
	remember_row(sink, group);
	if (unlikely(group->buf.len + group->finish_size > sink->request_size && group->w.nlogs > 1))
		send_without_last(sink, group);
	if (group->w.nlogs >= sink->batch_size || group->buf.len + group->finish_size > sink->request_size)
		send_group(sink, group);
	else if (unlikely(group->buf.cap != group->accounted))
	{
		mcPoolAccount(&sink->pool, &group->buf, &group->accounted);
		keep_budget(sink);
	}
	if (sink->writer && sink->seen % DRIVE_EVERY == 0)
	{
		mcw_error	err;

		check_writer(sink, mcs_log_writer_progress(sink->writer, &err), &err);
	}
}

bool
mcLogSinkRow(McLogSink *sink, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	McLogGroup *group;
	bool		kept = false;

	sink->seen++;
	slot_getallattrs(slot);
	check_fixed(sink, slot);
	group = find_group(sink, slot);
	if (group)
	{
		if (group->buf.alloc == NULL)
			take_buffer(sink, group);
		kept = mcLogEncodeRow(sink, slot, group);
		if (kept)
			row_added(sink, group);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(sink->scratch);
	return kept;
}

void
mcLogSinkFlush(McLogSink *sink)
{
	mcw_status	status = MCW_OK;
	mcw_error	err;
	dlist_iter	iter;

	dlist_foreach(iter, &sink->lru)
		send_group(sink, dlist_container(McLogGroup, lru, iter.cur));
	if (!sink->writer)
		return;
	do
	{
		status = mcs_log_writer_flush(sink->writer, &err);
		check_writer(sink, status, &err);
	} while (status == MCW_ERR_INTERRUPTED);
}

/* What the run of a job counts */
static void
count(McLogSink *sink)
{
	const mcn_stats *now = mcn_channel_stats(sink->channel);
	mcs_log_writer_info info = {0};

	if (!mcJob)
		return;
	if (sink->writer)
		info = *mcs_log_writer_get_info(sink->writer);
	mcJob->bytes_out += info.bytes_sent + sink->kept_bytes;
	mcJob->requests += now->requests - sink->before.requests;
	mcJob->retries += now->retries - sink->before.retries;
	mcJob->wait_target_us += now->wait_us - sink->before.wait_us;
	mcJob->throttled_us += now->rate_us - sink->before.rate_us + now->backoff_us - sink->before.backoff_us;
	mcJob->direct_effects |= info.logs > 0;
}

void
mcLogSinkEnd(McLogSink *sink)
{
	int64		twice;

	mcLogSinkFlush(sink);
	mcRejectsReport(&sink->rejects, sink->relname);
	twice = sink->writer ? mcs_log_writer_get_info(sink->writer)->maybe_twice : 0;
	if (twice > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg_plural(INT64_FORMAT " row may have been written to \"%s\" more than once",
							   INT64_FORMAT " rows may have been written to \"%s\" more than once",
							   (unsigned long) twice, twice, sink->relname),
				 errdetail("An answer was lost, and the same request was sent again, byte by byte."),
				 sink->dedup.len > 0 ? errhint("Both copies have the same \"%s\".", mcServerOption(sink->server, "dedup_id")) :
				 errhint("Option dedup_id of the foreign table gives each row an id by which readers can tell.")));
	count(sink);
	MemoryContextDelete(sink->cxt);
}
