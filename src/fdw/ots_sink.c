/*
 * ots_sink.c
 *		The rows of one statement on their way to a Tablestore table: what the statement
 *		writes, the writer below, and what became of each row.
 *
 * The writer's callback only takes notes; errors are raised when it has returned.
 * Not here: encoding (ots_encode.c), the executor's callbacks (ots_modify.c).
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/tupdesc.h"
#include "access/xact.h"
#include "catalog/pg_attribute.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "rewrite/rewriteHandler.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "job.h"
#include "ots_write.h"

#define DEFAULT_CONCURRENCY 32
#define DEFAULT_WRITE_BUFFER (16 * 1024 * 1024)
#define TELL_EVERY 256			/* rows: a request holds at most 200 */
#define MAX_ROW ((size_t) 2 * MCW_OTS_MAX_BATCH_BYTES)
#define CLOCK_TOLERANCE_US INT64CONST(2000000)

/* the last version given to a statement of this backend: the next one is newer */
static int64 last_run_ms = 0;

/* ---- what the statement writes ---- */

static bool
is_named(const Bitmapset *cols, AttrNumber attnum)
{
	return bms_is_member(attnum - FirstLowInvalidHeapAttributeNumber, cols);
}

static void
bind_column(McOtsSinkColumn *c, const McOtsColumn *column, const Bitmapset *named)
{
	c->column = column;
	c->at = column->attnum - 1;
	c->named = is_named(named, column->attnum);
	if (column->kind == MC_OTS_KEY || column->kind == MC_OTS_CELL)
	{
		c->out = mcOtsOutCreate(column, column->type);
		c->name = mcw_ots_make_name(mcw_str(column->wire));
	}
}

static McOtsSinkColumn *
new_column(McOtsSink *sink, const McOtsColumn *column, const Bitmapset *named)
{
	McOtsSinkColumn *c = palloc0(sizeof(McOtsSinkColumn));

	bind_column(c, column, named);
	return c;
}

static void
bind_columns(McOtsSink *sink, const Bitmapset *named)
{
	ListCell   *lc;

	sink->cells = palloc0(sizeof(McOtsSinkColumn) * (list_length(sink->columns) + 1));
	sink->auto_key = -1;
	foreach(lc, sink->columns)
	{
		const McOtsColumn *column = lfirst(lc);

		switch (column->kind)
		{
			case MC_OTS_KEY:
				bind_column(&sink->keys[column->key], column, named);
				if (column->auto_increment)
					sink->auto_key = column->key;
				sink->nkeys++;
				break;
			case MC_OTS_CELL:
				if (mcOtsGuardIs(sink, column, is_named(named, column->attnum)))
					break;
				bind_column(&sink->cells[sink->ncells++], column, named);
				break;
			case MC_OTS_REST:
				sink->rest = new_column(sink, column, named);
				break;
			case MC_OTS_ROW_VERSION:
				sink->version = new_column(sink, column, named);
				break;
			default:
				elog(ERROR, "column \"%s\" of a written table has kind %d", column->attname, (int) column->kind);
		}
	}
}

/*
 * A generated column is written with what it is made of.  If the statement names only
 * a part of that, its value cannot be known: the rest is in the service.
 */
static void
name_generated(McOtsSink *sink, Relation rel)
{
	for (int i = 0; i < sink->ncells; i++)
	{
		McOtsSinkColumn *c = &sink->cells[i];
		Bitmapset  *inputs = NULL;
		const char *missing = NULL;
		ListCell   *lc;

		if (TupleDescAttr(sink->desc, c->at)->attgenerated != ATTRIBUTE_GENERATED_STORED)
			continue;
		pull_varattnos(build_column_default(rel, c->at + 1), 1, &inputs);
		foreach(lc, sink->columns)
		{
			const McOtsColumn *column = lfirst(lc);

			if (!is_named(inputs, column->attnum))
				continue;
			if (is_named(sink->named, column->attnum))
				c->named |= column->kind != MC_OTS_KEY;
			else if (column->kind != MC_OTS_KEY)
				missing = column->attname;
		}
		if (c->named && missing)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("generated column \"%s\" of \"%s\" cannot be computed", c->column->attname, sink->relname),
					 errdetail("It depends on column \"%s\", which this statement leaves as it is.", missing),
					 errhint("Name column \"%s\" too, or use UPDATE.", missing)));
		c->named |= missing == NULL;
	}
}

static McOtsWriteMode
write_mode(const McServer *server)
{
	const char *mode = mcServerOption(server, "write_mode");

	if (mode && pg_strcasecmp(mode, "update") == 0)
		return MC_OTS_UPDATE;
	if (mode && pg_strcasecmp(mode, "insert") == 0)
		return MC_OTS_INSERT;
	return MC_OTS_PUT;
}

/* The version is the present time; never older than one before in this session: it would be hidden */
static void
set_present(McOtsSink *sink, int64 now_ms)
{
	sink->run_ms = now_ms;
	if (sink->run_ms <= last_run_ms && last_run_ms - sink->run_ms < CLOCK_TOLERANCE_US / 1000)
		sink->run_ms = last_run_ms + 1;
	if (sink->run_timestamp)
		last_run_ms = sink->run_ms;
	sink->run_at_us = mcn_now_us();
}

/*
 * In a job every attempt of a window writes the same version, so that a repetition
 * changes nothing, a newer window wins and what is left of an older one does not.  The
 * service refuses versions that are too old, or too far ahead if the clock that gave
 * it is; one that would be before long becomes the present time.
 */
static void
choose_run_version(McOtsSink *sink, int64 now_ms)
{
	int64		age_us = (now_ms - mcJob->write_ts) * 1000;

	sink->run_ms = mcJob->write_ts;
	sink->run_at_us = mcn_now_us() - Max(age_us, 0);
	sink->own_since = mcJob->write_ts;
	sink->own_until = mcJob->write_ts;
	if (age_us < sink->deviation_us / 2 && age_us > -(sink->deviation_us / 2))
		return;
	if (age_us > 0)
		ereport(NOTICE,
				(errmsg("rows of \"%s\" carry a newer cell version than the first attempt of this window gave them", sink->relname),
				 errdetail("The window was first tried %lld seconds ago, and the table allows a version to deviate from the clock by %lld.",
						   (long long) (age_us / 1000000), (long long) (sink->deviation_us / 1000000))));
	else
	{
		ereport(NOTICE,
				(errmsg("rows of \"%s\" carry the time of the service as their cell version, not that of the run", sink->relname),
				 errdetail("The run's version is %lld seconds ahead of the service's clock, and the table allows a version to deviate from it by %lld.",
						   (long long) (-age_us / 1000000), (long long) (sink->deviation_us / 1000000)),
				 errhint("Set the clock of this server.")));
		sink->own_since = 0;
	}
	/* an attempt in another session may have read the service's clock a little later than we do */
	sink->own_until = now_ms + CLOCK_TOLERANCE_US / 1000;
	set_present(sink, now_ms);
}

/*
 * The service judges versions by its clock, so ours counts only if the two agree.
 */
static void
choose_version(McOtsSink *sink)
{
	const char *option = mcServerOption(sink->server, "cell_timestamp");
	int64		ours = mcn_unix_us();
	int64		theirs = mcs_ots_service_now(&sink->conn->client);

	sink->run_timestamp = !option || pg_strcasecmp(option, "server") != 0;
	if (theirs == 0)
		ours += sink->conn->client.clock_offset * 1000000;
	else if (theirs - ours > CLOCK_TOLERANCE_US || ours - theirs > CLOCK_TOLERANCE_US)
		ours = theirs;
	sink->deviation_us = sink->live->deviation > 0 && sink->live->deviation < PG_INT64_MAX / 1000000 ?
		sink->live->deviation * 1000000 : PG_INT64_MAX;
	/* nor does the service take what has expired */
	if (sink->live->time_to_live > 0)
		sink->deviation_us = Min(sink->deviation_us, (int64) sink->live->time_to_live * 1000000);
	if (mcJob != NULL)
		choose_run_version(sink, ours / 1000);
	else
		set_present(sink, ours / 1000);
}

/* ---- what became of rows ---- */

static char *
key_text(McOtsSink *sink, const mcw_ots_key *key, MemoryContext cxt)
{
	char	   *text = MemoryContextAllocExtended(cxt, 512, MCXT_ALLOC_NO_OOM);

	if (!text)
	{
		sink->out_of_memory = true;
		return NULL;
	}
	return mcs_ots_key_text(key, text, 512);
}

static void
note_refused(McOtsSink *sink, const mcs_ots_row_report *r)
{
	McOtsRefused *note = MemoryContextAllocExtended(sink->refused_cxt, sizeof(McOtsRefused),
													MCXT_ALLOC_NO_OOM | MCXT_ALLOC_ZERO);
	const mcw_error *err = r->err;

	if (note)
		note->reason = MemoryContextAllocExtended(sink->refused_cxt, 400, MCXT_ALLOC_NO_OOM);
	if (note && !sink->refused)
		note->err = MemoryContextAllocExtended(sink->refused_cxt, sizeof(mcw_error), MCXT_ALLOC_NO_OOM);
	if (!note || !note->reason || (!sink->refused && !note->err))
	{
		sink->out_of_memory = true;
		return;
	}
	note->key = key_text(sink, &r->key, sink->refused_cxt);
	snprintf(note->reason, 400, "%s%s%s%s%.200s", err->message, err->code[0] ? ": " : "", err->code,
			 err->text[0] ? ": " : "", err->text);
	if (note->reason[strlen(note->reason) - 1] == '.')
		note->reason[strlen(note->reason) - 1] = '\0';
	if (note->err)
		*note->err = *err;
	*sink->refused_tail = note;
	sink->refused_tail = &note->next;
}

static void
set_fate(McOtsSink *sink, uint64 tag, McOtsFate fate)
{
	if (tag - sink->base < (uint64) sink->nfates)
		sink->fates[tag - sink->base] = fate;
}

/* Called by the writer; must not raise */
static void
on_row(void *ctx, const mcs_ots_row_report *r)
{
	McOtsSink  *sink = ctx;

	switch (r->outcome)
	{
		case MCS_OTS_ROW_DONE:
			mcVisibleWrote(MC_TABLESTORE, 1);
			set_fate(sink, r->tag, MC_OTS_WRITTEN);
			if (r->row.len > 0 && sink->auto_key >= 0)
			{
				mcw_buf_reset(&sink->returned);
				if (mcw_buf_append_view(&sink->returned, r->row) != MCW_OK)
					sink->out_of_memory = true;
			}
			break;
		case MCS_OTS_ROW_EXISTS:
			if (sink->mode == MC_OTS_UPDATE && !sink->skip_existing)
			{
				set_fate(sink, r->tag, MC_OTS_WRITTEN);	/* only its key was given: nothing to change */
				break;
			}
			set_fate(sink, r->tag, MC_OTS_SKIPPED);
			if (!sink->skip_existing && !sink->duplicate)
				sink->duplicate = key_text(sink, &r->key, sink->cxt);
			break;
		case MCS_OTS_ROW_MISSING:
			if (r->tag - sink->base >= (uint64) sink->nfates)
				sink->missing++;
			set_fate(sink, r->tag, MC_OTS_SKIPPED);
			break;
		case MCS_OTS_ROW_STALE:
			set_fate(sink, r->tag, MC_OTS_SKIPPED);
			break;
		case MCS_OTS_ROW_REFUSED:
			set_fate(sink, r->tag, MC_OTS_REJECTED);
			note_refused(sink, r);
			break;
	}
}

/* Raise, or count, what the callback has noted */
static void
look_at_notes(McOtsSink *sink)
{
	McPlace		place = sink->place;

	if (likely(!sink->duplicate && !sink->refused && !sink->out_of_memory))
		return;
	if (sink->out_of_memory)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (sink->duplicate)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("duplicate key: a row of \"%s\" exists already", sink->relname),
				 errdetail("Key %s already exists.", mcPrintable(sink->duplicate)),
				 errhint("ON CONFLICT DO NOTHING skips such rows; write_mode 'put' replaces and 'update' changes them."),
				 mcPlaceContext(&place)));
	while (sink->refused)
	{
		McOtsRefused *note = sink->refused;

		sink->refused = note->next;
		place.position = note->key ? psprintf("key %s", mcPrintable(note->key)) : NULL;
		if (sink->rejects.on_error == MC_ON_ERROR_STOP)
			mcRaise(note->err, &place);
		(void) mcBadValue(&sink->rejects, &place, ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE, mcPrintable(note->reason),
						  (mcw_view) {NULL, 0}, true);
	}
	sink->refused_tail = &sink->refused;
	MemoryContextReset(sink->refused_cxt);
}

bool
mcOtsSinkRefuse(McOtsSink *sink, const char *column, int sqlstate, const char *reason,
				mcw_view value, bool not_null, const char *hint)
{
	McPlace		place = sink->place;

	place.column = column;
	place.position = psprintf("row " INT64_FORMAT, sink->seen);
	return mcRefuseValue(&sink->rejects, &place, sqlstate, reason, value, not_null, hint) == MC_VALUE_NULL;
}

/* ---- life ---- */

/* A request holds few rows, so that a distant service needs more of them than of pages */
int
mcOtsWriteConcurrency(const McServer *server)
{
	return (int) mcServerOptionInt(server, "concurrency", DEFAULT_CONCURRENCY);
}

static void
release(void *arg)
{
	McOtsSink  *sink = arg;

	if (sink->writer)
		mcVisibleClose(&sink->visible);
	mcs_ots_writer_free(sink->writer);
	sink->writer = NULL;
}

static int64
unknown_rows(const void *sink)
{
	return mcs_ots_writer_unknown(((const McOtsSink *) sink)->writer);
}

static void
open_writer(McOtsSink *sink)
{
	mcs_ots_writer_spec spec = {
		.table = mcw_str(pg_server_to_any(sink->table, strlen(sink->table), PG_UTF8)),
		.schema = &sink->live->schema,
		.batch_rows = (int) mcServerOptionInt(sink->server, "batch_size", MCW_OTS_MAX_BATCH_ROWS),
		.batch_bytes = MCW_OTS_MAX_BATCH_BYTES,
		.concurrency = mcOtsWriteConcurrency(sink->server),
		.max_buffered = (size_t) mcServerOptionInt(sink->server, "write_buffer", DEFAULT_WRITE_BUFFER),
		.returns = sink->auto_key >= 0 ? MCW_OTS_RETURN_KEY : MCW_OTS_RETURN_NONE,
		.own_rows = mcJob != NULL && sink->mode == MC_OTS_INSERT && !sink->skip_existing,
		.own_since = sink->own_since,
		.own_until = sink->own_until,
		.guard = sink->guarded ? sink->guard.name : (mcw_view) {NULL, 0},
		.on_row = on_row,
		.ctx = sink,
	};
	mcw_error	err;

	sink->callback.func = release;
	sink->callback.arg = sink;
	MemoryContextRegisterResetCallback(sink->cxt, &sink->callback);
	sink->writer = mcs_ots_writer_create(&sink->conn->client, &spec, &err);
	if (!sink->writer)
		mcRaise(&err, &sink->place);
	mcVisibleOpen(&sink->visible, MC_TABLESTORE, unknown_rows, sink);
}

/* The live table as this statement saw it: the remembered one may go while it runs */
static mcw_ots_table *
keep_table(const mcw_ots_table *live)
{
	mcw_ots_table *copy = palloc(sizeof(mcw_ots_table));

	*copy = *live;
	for (int i = 0; i < copy->schema.nkeys; i++)
	{
		mcw_view   *name = &copy->schema.keys[i].name;

		*name = (mcw_view) {pnstrdup(name->data, name->len), name->len};
	}
	return copy;
}

McOtsSink *
mcOtsSinkCreate(ModifyTableState *mtstate, EState *estate, ResultRelInfo *rinfo, CmdType operation)
{
	Relation	rel = rinfo->ri_RelationDesc;
	MemoryContext cxt = AllocSetContextCreate(estate->es_query_cxt, "mc_fdw Tablestore sink", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOtsSink  *sink = palloc0(sizeof(McOtsSink));
	TriggerDesc *triggers = rinfo->ri_TrigDesc;
	ModifyTable *plan = (ModifyTable *) mtstate->ps.plan;

	if (IsolationIsSerializable())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to a Tablestore table in a SERIALIZABLE transaction"),
				 errdetail("What was sent cannot be taken back when the transaction turns out not to be serializable."),
				 errhint("Use REPEATABLE READ or READ COMMITTED.")));
	mcVisibleBegin(MC_TABLESTORE);
	sink->cxt = cxt;
	sink->operation = operation;
	sink->relid = RelationGetRelid(rel);
	sink->relname = pstrdup(RelationGetRelationName(rel));
	sink->table = pstrdup(mcOtsRemoteTable(rel));
	sink->desc = RelationGetDescr(rel);
	sink->server = mcGetServer(MC_TABLESTORE, GetForeignTable(RelationGetRelid(rel))->serverid,
							   mcModifyUserId(rinfo, estate), RelationGetRelid(rel), true);
	sink->place.wrapper = MC_TABLESTORE;
	sink->place.server = sink->server->name;
	sink->place.object = psprintf("%s.%s", sink->server->instance, sink->table);
	sink->columns = mcOtsColumns(rel);
	sink->conn = mcOtsConnect(sink->server, cxt);
	sink->live = keep_table(mcOtsLiveTable(sink->conn, sink->table, sink->columns));
	if (mcJob != NULL && mcs_ots_service_now(&sink->conn->client) == 0)
	{
		/* remembered: but whether the version of the run is still one only the service's clock tells */
		mcOtsForgetTable(sink->server, sink->table);
		sink->live = keep_table(mcOtsLiveTable(sink->conn, sink->table, sink->columns));
	}
	sink->mode = write_mode(sink->server);
	sink->skip_existing = operation == CMD_INSERT && plan && plan->onConflictAction == ONCONFLICT_NOTHING;
	sink->trigger_writes = triggers && triggers->trig_insert_before_row;
	sink->named = operation == CMD_UPDATE ? ExecGetAllUpdatedCols(rinfo, estate) : ExecGetInsertedCols(rinfo, estate);
	mcOtsGuardInit(sink, rel);
	bind_columns(sink, sink->named);
	mcOtsGuardBind(sink, rel);
	if (operation == CMD_INSERT && sink->mode == MC_OTS_UPDATE)
		name_generated(sink, rel);
	choose_version(sink);
	sink->keep_null = mcServerOptionIs(sink->server, "update_null", "keep");
	mcRejectsInit(&sink->rejects, sink->server);
	sink->rejects.raw = mcOtsRawRow;
	sink->rejects.raw_arg = sink;
	sink->refused_tail = &sink->refused;
	mcw_buf_init(&sink->row, &sink->conn->alloc, MAX_ROW);
	mcw_buf_init(&sink->returned, &sink->conn->alloc, 64 * 1024);
	sink->before = *mcn_channel_stats(sink->conn->channel);
	mcProgressBegin(&sink->progress, cxt, RelationGetRelid(rel), true, &sink->before);
	/* nothing in flight may live in a child: it is deleted before the callback runs */
	sink->scratch = AllocSetContextCreate(cxt, "mc_fdw row", ALLOCSET_DEFAULT_SIZES);
	sink->refused_cxt = AllocSetContextCreate(cxt, "mc_fdw refused rows", ALLOCSET_SMALL_SIZES);
	open_writer(sink);
	MemoryContextSwitchTo(old);
	return sink;
}

/* ---- rows ---- */

static void
check_writer(McOtsSink *sink, mcw_status status, const mcw_error *err)
{
	McPlace		place = sink->place;
	const char *at;

	look_at_notes(sink);
	if (likely(status == MCW_OK))
		return;
	if (status == MCW_ERR_INTERRUPTED)
	{
		CHECK_FOR_INTERRUPTS();
		return;
	}
	at = mcs_ots_writer_failed_at(sink->writer);
	if (at[0])
		place.position = psprintf("key %s", mcPrintable(at));
	if (strcmp(err->code, "OTSObjectNotExist") == 0)
		mcOtsForgetTable(sink->server, sink->table);
	mcRaise(err, &place);
}

/* Now and then: what other sessions see */
static void
tell(McOtsSink *sink)
{
	const mcs_ots_writer_info *info = mcs_ots_writer_get_info(sink->writer);
	const mcn_stats *net = mcn_channel_stats(sink->conn->channel);
	McMoved		moved = {.rows = info->rows, .bytes = net->bytes_out - sink->before.bytes_out};

	mcProgressMoved(&sink->progress, &moved, net);
}

void
mcOtsSinkSend(McOtsSink *sink, mcw_ots_change kind, mcw_ots_existence existence, uint64 tag)
{
	mcw_status	status;
	mcw_error	err;

	do
	{
		status = mcs_ots_writer_add(sink->writer, kind, existence, &sink->key, mcw_buf_view(&sink->row), tag, &err);
		check_writer(sink, status, &err);
	} while (unlikely(status == MCW_ERR_INTERRUPTED));
	if (unlikely(tag % TELL_EVERY == 0))
		tell(sink);
}

void
mcOtsSinkExpect(McOtsSink *sink, int n)
{
	if (n > sink->maxfates)
	{
		sink->fates = MemoryContextAllocZero(sink->cxt, n);
		sink->slots = MemoryContextAlloc(sink->cxt, sizeof(TupleTableSlot *) * n);
		sink->maxfates = n;
	}
	memset(sink->fates, MC_OTS_WAITING, n);
	sink->base = sink->next_tag;
	sink->nfates = n;
	mcw_buf_reset(&sink->returned);
}

void
mcOtsSinkFlush(McOtsSink *sink)
{
	mcw_status	status;
	mcw_error	err;

	do
	{
		status = mcs_ots_writer_flush(sink->writer, &err);
		check_writer(sink, status, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	tell(sink);
}

void
mcOtsSinkEnd(McOtsSink *sink)
{
	const mcs_ots_writer_info *info = mcs_ots_writer_get_info(sink->writer);

	mcOtsSinkFlush(sink);
	mcRejectsReport(&sink->rejects, sink->relname);
	if (info->repeated > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg_plural(INT64_FORMAT " row may have been written to \"%s\" more than once",
							   INT64_FORMAT " rows may have been written to \"%s\" more than once",
							   (unsigned long) info->repeated, info->repeated, sink->relname),
				 errdetail("An answer was lost, and the service chooses the keys: a repetition of a row that was written makes another row.")));
	if (sink->missing > 0)
		ereport(WARNING,
				(errcode(ERRCODE_WARNING),
				 errmsg_plural("%lld row of \"%s\" was gone when it was to be updated", "%lld rows of \"%s\" were gone when they were to be updated",
							   (unsigned long) sink->missing, (long long) sink->missing, sink->relname),
				 errdetail("Somebody else deleted them after this statement had read them. They were not made again, but the command tag counts them.")));
	if (info->stale > 0)
		ereport(NOTICE,
				(errmsg_plural(INT64_FORMAT " row of \"%s\" was not changed", INT64_FORMAT " rows of \"%s\" were not changed",
							   (unsigned long) info->stale, info->stale, sink->relname),
				 errdetail(sink->operation == CMD_UPDATE ? "The table holds newer changes of them, as column \"%s\" says, or they are gone." :
						   "The table holds newer changes of them, as column \"%s\" says.",
						   mcOptionText(GetForeignTable(sink->relid)->options, "guard_column"))));
	mcJobCount(mcn_channel_stats(sink->conn->channel), &sink->before, true);
	if (mcJob != NULL)
	{
		mcJob->read_cu += info->read_units;
		mcJob->write_cu += info->write_units;
	}
	MemoryContextDelete(sink->cxt);
}

bool
mcOtsSinkNeedsFates(const McOtsSink *sink)
{
	return sink->mode == MC_OTS_INSERT || sink->skip_existing || sink->guarded || sink->rejects.on_error != MC_ON_ERROR_STOP;
}
