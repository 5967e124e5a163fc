/*
 * odps_sink.c
 *		Rows of one statement into the buffers of their partitions.
 *
 * The row is encoded in ExecForeignInsert itself (the executor's batching would copy
 * it twice).  Core checks no constraint on rows of a foreign table, so NOT NULL is
 * enforced here.  Not here: buffers and requests (odps_block.c), which session a
 * partition's rows join (odps_upload.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "job.h"
#include "odps_sink.h"

#define DEFAULT_BLOCK_SIZE (16 * 1024 * 1024)
#define DEFAULT_WRITE_BUFFER (48 * 1024 * 1024)
#define DEFAULT_OPEN_PARTITIONS 32

typedef struct PartitionEntry
{
	uint32		hash;			/* of the specification; chained through 'next' */
	struct PartitionChain *first;
} PartitionEntry;

typedef struct PartitionChain
{
	McSinkPartition part;
	struct PartitionChain *next;
} PartitionChain;

static void
sink_callback(void *arg)
{
	mcBlockAbandon((McSink *) arg);
}

static void
refuse_column(McSink *sink, Form_pg_attribute att, const mcs_odps_column *remote, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("column \"%s\" of foreign table \"%s\" does not fit the remote column",
					NameStr(att->attname), sink->relname),
			 errdetail("%c%s.", pg_toupper((unsigned char) reason[0]), reason + 1),
			 errhint("Declare the column with a type that corresponds to %.*s; a SELECT may cast the values.",
					 (int) remote->type_text.len, remote->type_text.data),
			 mcPlaceContext(&sink->place)));
}

static void
prepare_columns(McSink *sink, const McOdpsMap *map, int mark)
{
	const mcs_odps_table *table = sink->target->table;
	int			written = 0;
	int		   *bound = palloc0(Max(table->ncolumns, 1) * sizeof(int));	/* attnum of each remote column */

	for (int i = 0; i < map->natts; i++)
		if (map->columns[i].remote && !map->columns[i].is_key)
		{
			if (bound[map->columns[i].index])
				ereport(ERROR,
						(errcode(ERRCODE_FDW_INCONSISTENT_DESCRIPTOR_INFORMATION),
						 errmsg("two columns of foreign table \"%s\" are bound to the remote column \"%.*s\"",
								sink->relname, (int) map->columns[i].remote->name.len,
								map->columns[i].remote->name.data)));
			bound[map->columns[i].index] = i + 1;
		}

	/* the tunnel wants ascending column numbers */
	sink->columns = palloc0(Max(table->ncolumns, 1) * sizeof(McSinkColumn));
	for (int n = 0; n < table->ncolumns; n++)
	{
		const mcs_odps_column *remote = &table->columns[n];
		McSinkColumn *c = &sink->columns[sink->ncolumns];
		Form_pg_attribute att;
		const char *reason;

		if (n == mark && (sink->marks || bound[n] || !remote->nullable))
		{
			/* a value for it is refused, whoever writes */
			if (!sink->marks && !remote->nullable)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("cannot write to \"%s\" outside of a job", sink->relname),
						 errdetail("Column \"%.*s\" names the run of a job and must not be null.",
								   (int) remote->name.len, remote->name.data),
						 mcPlaceContext(&sink->place)));
			c->is_mark = true;
			c->attno = bound[n] - 1;
			c->number = n + 1;
			c->name = pnstrdup(remote->name.data, remote->name.len);
			sink->ncolumns++;
			continue;
		}
		if (!bound[n])
		{
			if (!remote->nullable && !remote->has_default)
				ereport(ERROR,
						(errcode(ERRCODE_FDW_COLUMN_NAME_NOT_FOUND),
						 errmsg("foreign table \"%s\" has no column for \"%.*s\", which must not be null",
								sink->relname, (int) remote->name.len, remote->name.data),
						 errhint("Add the column to the foreign table."),
						 mcPlaceContext(&sink->place)));
			continue;
		}
		att = TupleDescAttr(sink->desc, bound[n] - 1);
		if (!remote->type)
			refuse_column(sink, att, remote, "the remote type is not supported");
		c->out = mcOutPrepare(&sink->out, att->atttypid, remote->type, &reason);
		if (!c->out)
			refuse_column(sink, att, remote, reason);
		c->attno = bound[n] - 1;
		c->number = n + 1;
		c->not_null = att->attnotnull || !remote->nullable;
		c->name = NameStr(att->attname);
		sink->ncolumns++;
		written++;
	}
	if (written == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_COLUMN_NUMBER),
				 errmsg("foreign table \"%s\" has no data column to write", sink->relname)));
}

static void
prepare_keys(McSink *sink, Relation rel, const McOdpsMap *map)
{
	int		   *attnos;

	sink->nkeys = sink->target->table->nkeys;
	sink->keys = mcPrepareKeys(rel, sink->target, map);
	attnos = palloc(Max(sink->nkeys, 1) * sizeof(int));
	for (int k = 0; k < sink->nkeys; k++)
		attnos[k] = sink->keys[k].attno;
	mcLastKeysInit(&sink->last, sink->desc, attnos, sink->nkeys);
	initStringInfo(&sink->spec);
	sink->null_partition = mcServerOption(sink->target->odps->server, "null_partition");
	if (sink->null_partition)
	{
		const char *bad = mcBadNullPartition(sink->null_partition, sink->target);

		if (bad)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("invalid value for option \"null_partition\": \"%s\"", sink->null_partition),
					 errdetail("It must be a value of every partition key that comes from a column: %s.", bad)));
		sink->null_partition = pg_server_to_any(sink->null_partition, strlen(sink->null_partition), PG_UTF8);
	}
}

static void
choose_coding(McSink *sink)
{
	const char *name = mcServerOption(sink->target->odps->server, "compression");

	sink->compress_auto = !name || pg_strcasecmp(name, "auto") == 0;
	if (sink->compress_auto || pg_strcasecmp(name, "zstd") == 0)
		sink->codec = MCW_CODEC_ZSTD;
	else if (pg_strcasecmp(name, "lz4") == 0)
		sink->codec = MCW_CODEC_LZ4_FRAME;
	else if (pg_strcasecmp(name, "snappy") == 0)
		sink->codec = MCW_CODEC_SNAPPY_FRAMED;
	else if (pg_strcasecmp(name, "deflate") == 0)
		sink->codec = MCW_CODEC_DEFLATE;
	else
		sink->codec = MCW_CODEC_NONE;
}

McSink *
mcSinkCreate(EState *estate, Relation rel, Oid userid)
{
	McTarget   *target = mcWriteTarget(rel, userid);
	McServer   *server = mcGetServer(MC_MAXCOMPUTE, target->odps->server->serverid, userid,
									 RelationGetRelid(rel), false);
	MemoryContext cxt = AllocSetContextCreate(estate->es_query_cxt, "mc_fdw sink", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McSink	   *sink = palloc0(sizeof(McSink));
	Size		budget;
	HASHCTL		ctl;

	sink->cxt = cxt;
	sink->target = target;
	sink->place = target->odps->place;
	sink->relname = pstrdup(RelationGetRelationName(rel));
	sink->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	dlist_init(&sink->lru);
	dlist_init(&sink->flight);

	/* this statement's settings; connection and credentials are the transaction's */
	sink->overwrite = mcServerOptionIs(server, "write_mode", "overwrite");
	sink->out.truncate = mcServerOptionIs(server, "on_precision_loss", "truncate");
	sink->out.recode = GetDatabaseEncoding() != PG_UTF8;
	sink->out.max_field = MCW_ODPS_MAX_FIELD;
	sink->concurrency = server->concurrency;
	budget = mcServerOptionInt(server, "write_buffer", DEFAULT_WRITE_BUFFER);
	sink->block_size = mcServerOptionInt(server, "block_size", DEFAULT_BLOCK_SIZE);
	sink->block_size = Min(sink->block_size, budget / 2);
	mcPoolInit(&sink->pool, cxt, budget, sink->block_size);
	sink->max_open = mcServerOptionInt(server, "max_open_partitions", DEFAULT_OPEN_PARTITIONS);
	sink->mark_us = mcn_now_us();
	sink->before = *mcn_channel_stats(target->odps->service.tunnel);
	mcProgressBegin(&sink->progress, cxt, RelationGetRelid(rel), true, &sink->before);
	choose_coding(sink);
	mcRejectsInit(&sink->rejects, server);
	{
		McOdpsMap  *map = mcOdpsMapColumns(rel, target->table, &sink->place);

		int			mark = mcOdpsMarkColumn(server, target->table, sink->relname, &sink->place);

		sink->mark_column = mark;
		sink->marks = mark >= 0 && mcJob != NULL;
		prepare_columns(sink, map, mark);
		prepare_keys(sink, rel, map);
	}

	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(uint32);
	ctl.entrysize = sizeof(PartitionEntry);
	ctl.hcxt = cxt;
	sink->partitions = hash_create("mc_fdw partitions", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);

	/* a child is deleted before the callback runs: nothing in flight may live in it */
	sink->scratch = AllocSetContextCreate(cxt, "mc_fdw row", ALLOCSET_DEFAULT_SIZES);
	sink->out.scratch = sink->scratch;
	sink->callback.func = sink_callback;
	sink->callback.arg = sink;
	mcSinkRegister(sink);
	MemoryContextRegisterResetCallback(cxt, &sink->callback);
	MemoryContextSwitchTo(old);
	return sink;
}

static McSinkPartition *
lookup_partition(McSink *sink, const char *spec, int len)
{
	uint32		hash = string_hash(spec, len + 1);
	bool		found;
	PartitionEntry *entry = hash_search(sink->partitions, &hash, HASH_ENTER, &found);
	PartitionChain *chain;

	if (!found)
		entry->first = NULL;
	for (chain = entry->first; chain; chain = chain->next)
		if (strcmp(chain->part.spec, spec) == 0)
			return &chain->part;
	chain = MemoryContextAllocZero(sink->cxt, sizeof(PartitionChain));
	chain->part.spec = MemoryContextStrdup(sink->cxt, spec);
	chain->next = entry->first;
	entry->first = chain;
	sink->stats.partitions++;
	return &chain->part;
}

/*
 * A value, or the row it is in, cannot be written.  False: drop the row; true: the
 * value becomes NULL.
 */
static bool
refuse(McSink *sink, const char *column, int sqlstate, const char *reason, mcw_view value, bool not_null,
	   const char *hint)
{
	McPlace		place = sink->place;

	place.column = column;
	place.position = psprintf("row " INT64_FORMAT, sink->seen);
	if (sink->current && sink->current->spec[0])
		place.part = psprintf("partition %s", sink->current->spec);
	if (sink->rejects.on_error == MC_ON_ERROR_STOP)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("%s", reason),
				 value.data ? errdetail("The value is \"%.*s\".", (int) Min(value.len, 1024), value.data) : 0,
				 errhint("%s", hint),
				 mcPlaceContext(&place)));
	return mcBadValue(&sink->rejects, &place, sqlstate, reason, value, not_null) == MC_VALUE_NULL;
}

/* Sets sink->current; false if the row was rejected */
static bool
find_partition(McSink *sink, TupleTableSlot *slot)
{
	if (sink->current && (sink->nkeys == 0 || mcLastKeysSame(&sink->last, slot)))
		return true;
	resetStringInfo(&sink->spec);
	for (int k = 0; k < sink->nkeys; k++)
	{
		int			a = sink->keys[k].attno;
		int			sqlstate = 0;
		const char *reason = mcFormatKey(&sink->keys[k], a >= 0 ? slot->tts_values[a] : (Datum) 0,
										 a >= 0 && slot->tts_isnull[a], sink->null_partition,
										 &sink->spec, &sqlstate);

		if (reason)
		{
			sink->current = NULL;
			return refuse(sink, a >= 0 ? NameStr(TupleDescAttr(sink->desc, a)->attname) : NULL, sqlstate,
						  reason, (mcw_view) {NULL, 0}, true,
						  sqlstate == ERRCODE_NOT_NULL_VIOLATION ?
						  "Filter such rows, or name a partition for them in option \"null_partition\"." :
						  "Correct the value in the SELECT, or set on_error to reject such rows.");
		}
	}
	mcLastKeysRemember(&sink->last, slot);
	sink->current = lookup_partition(sink, sink->spec.data, sink->spec.len);
	return true;
}

/* a value that mcBadValue may show */
static mcw_view
shown(McSink *sink, McSinkColumn *c, Datum value)
{
	Oid			function;
	bool		varlena;

	if (!sink->rejects.verbose_values)
		return (mcw_view) {NULL, 0};
	getTypeOutputInfo(TupleDescAttr(sink->desc, c->attno)->atttypid, &function, &varlena);
	return mcw_str(OidOutputFunctionCall(function, value));
}

static bool
null_refused(McSink *sink, McSinkColumn *c)
{
	return refuse(sink, c->name, ERRCODE_NOT_NULL_VIOLATION,
				  psprintf("null value in column \"%s\" violates not-null constraint", c->name),
				  (mcw_view) {NULL, 0}, true, "Filter such rows, or set on_error to reject them.");
}

/* The column of option run_column: ours alone */
static void
put_mark(McSink *sink, McSinkColumn *c, mcw_odps_writer *w, TupleTableSlot *slot)
{
	if (c->attno >= 0 && !slot->tts_isnull[c->attno])
		ereport(ERROR,
				(errcode(ERRCODE_GENERATED_ALWAYS),
				 errmsg("cannot write to column \"%s\" of \"%s\"",
						NameStr(TupleDescAttr(sink->desc, c->attno)->attname), sink->relname),
				 errdetail("Option \"run_column\" names it: what a job writes there tells its runs apart."),
				 errhint("Leave the column out of the INSERT, or use a foreign table without that option.")));
	if (sink->marks)
		mcw_odps_put_bytes(w, c->number, sink->current->mark, strlen(sink->current->mark));
}

/* One column; false if the row is to be dropped */
static inline bool
put_column(McSink *sink, McSinkColumn *c, mcw_odps_writer *w, TupleTableSlot *slot)
{
	Datum		value;
	mcw_odps_writer saved;
	size_t		start;
	const char *reason;

	if (unlikely(c->is_mark))
	{
		put_mark(sink, c, w, slot);
		return true;
	}
	value = slot->tts_values[c->attno];
	if (slot->tts_isnull[c->attno])
		return !c->not_null || null_refused(sink, c);
	if (c->out->plain_text)
	{
		struct varlena *v = (struct varlena *) DatumGetPointer(value);

		if (likely((!VARATT_IS_EXTENDED(v) || VARATT_IS_SHORT(v)) &&
				   VARSIZE_ANY_EXHDR(v) <= sink->out.max_field))
		{
			mcw_odps_put_bytes(w, c->number, VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
			return true;
		}
	}
	start = w->out->len;
	saved = *w;
	reason = c->out->fn(c->out, value, w, c->number);
	if (likely(!reason))
		return true;

	w->out->len = start;
	*w = saved;
	return refuse(sink, c->name, sink->out.sqlstate, reason, shown(sink, c, value), c->not_null,
				  "Correct the value in the SELECT, or set on_error to 'reject' or 'set_null'.");
}

bool
mcSinkRow(McSink *sink, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	McSinkPartition *part;
	size_t		before;
	bool		keep;

	sink->seen++;
	slot_getallattrs(slot);
	keep = find_partition(sink, slot);
	if (keep)
	{
		part = sink->current;
		if (!part->open)
			mcBlockOpen(sink, part);
		else if (sink->nopen > 1 && dlist_head_node(&sink->lru) != &part->lru)
			dlist_move_head(&sink->lru, &part->lru);
		if (sink->marks && part->writer.nrecords == 0)
			mcBlockMark(sink, part);
		before = part->buf.len;
		mcw_odps_begin_record(&part->writer);
		for (int i = 0; i < sink->ncolumns && keep; i++)
			keep = put_column(sink, &sink->columns[i], &part->writer, slot);
		if (!keep)
			mcw_odps_abort_record(&part->writer);
		else
		{
			if (unlikely(mcw_odps_end_record(&part->writer) != MCW_OK))
				ereport(ERROR,
						(errcode(ERRCODE_OUT_OF_MEMORY),
						 errmsg("a row of \"%s\" does not fit into an upload block", sink->relname)));
			before = part->buf.len - before;
			if (unlikely(part->writer.nrecords == 1))
				mcBlockAttach(sink, part);
			sink->stats.rows++;
			sink->since_step += before;
			if (before > sink->largest_record)
				sink->largest_record = before;
			if (unlikely(part->buf.cap != part->accounted))
				mcBlockGrown(sink, part);
			if (unlikely(part->open && part->buf.len + sink->largest_record + 64 > sink->block_size))
				mcBlockSend(sink, part);
			else
				mcBlockProgress(sink);
		}
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(sink->scratch);
	return keep;
}

void
mcSinkFlush(McSink *sink)
{
	mcBlockFlush(sink);
}

void
mcSinkEnd(McSink *sink)
{
	mcBlockFlush(sink);
	mcRejectsReport(&sink->rejects, sink->relname);
	mcJobCount(mcn_channel_stats(sink->target->odps->service.tunnel), &sink->before, true);
	sink->ended = true;
	mcWriterEnd();
	mcBlockAbandon(sink);
}

const McSinkStats *
mcSinkGetStats(const McSink *sink)
{
	return &sink->stats;
}

void
mcSinkRequests(const McSink *sink, int64 *requests, int64 *retries)
{
	const mcn_stats *now = mcn_channel_stats(sink->target->odps->service.tunnel);

	*requests = now->requests - sink->before.requests;
	*retries = now->retries - sink->before.retries;
}

int64
mcSinkRejected(const McSink *sink)
{
	return sink->rejects.rejected;
}
