/*
 * odps_scan.c
 *		Executor side of a MaxCompute scan: start, rows, rescan, end.
 *
 * Nothing is asked of the service before the first row is wanted, so that EXPLAIN
 * and EvalPlanQual (which begins scans it never reads) cost nothing.  Where the
 * bytes come from is odps_fetch.c; what a value becomes is convert_odps_in.c.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/xact.h"
#include "executor/executor.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "nodes/execnodes.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "job.h"
#include "odps_read.h"
#include "qual.h"
#include "odps_write.h"

#define MAX_COLUMN_LIST 6000	/* a longer list does not fit a URL: all columns are read */

typedef struct McScanColumn
{
	AttrNumber	attnum;
	int			position;		/* in the stream */
	bool		not_null;
	McInType   *in;
	const char *name;
} McScanColumn;

/* ---- start ---- */

static void
forget_relation(Datum arg, Oid relid)
{
	mcOdpsForgetTable(relid);
}

static bool
map_fits(Relation rel, const mcs_odps_table *table)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < desc->natts; i++)
	{
		const char *field;

		if (mcIsNotRemote(TupleDescAttr(desc, i)))
			continue;
		field = mcColumnOption(RelationGetRelid(rel), i + 1, "field");
		if (!field)
			field = NameStr(TupleDescAttr(desc, i)->attname);
		if (mcs_odps_find_column(table, mcw_str(field)) < 0 && mcs_odps_find_key(table, mcw_str(field)) < 0)
			return false;
	}
	return true;
}

/*
 * A pending write is invisible to the service: what it shows is not what this
 * transaction made of it.  What the scan's own statement, or a later one than its
 * cursor's, writes is not for this scan to see.
 */
static void
refuse_changed_table(McScan *scan, Relation rel)
{
	if (mcWriteChanged(scan->odps, scan->begun_at))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot read \"%s\" after changing it in the same transaction", RelationGetRelationName(rel)),
				 errdetail("The changes reach MaxCompute when the transaction commits."),
				 errhint("Commit first, or read before you write.")));
}

void
mcScanConnect(McScan *scan, ForeignScanState *node)
{
	static bool registered = false;
	Relation	rel = node->ss.ss_currentRelation;
	const mcs_odps_table *table;
	MemoryContext old;

	if (!registered)
	{
		CacheRegisterRelcacheCallback(forget_relation, (Datum) 0);
		registered = true;
	}
	/* the current context is that of one row */
	old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	if (!scan->odps)
		scan->odps = mcOdpsOpen(scan->serverid, scan->userid, RelationGetRelid(rel));
	if (!scan->cxt)
		scan->cxt = AllocSetContextCreate(scan->odps->cxt, "mc_fdw MaxCompute scan", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(scan->cxt);

	table = mcOdpsTable(scan->odps, false);
	if (!map_fits(rel, table))
		table = mcOdpsTable(scan->odps, true);
	if (table->is_view)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("MaxCompute table %s is a view", scan->odps->label),
				 errdetail("Views cannot be read through the tunnel."),
				 errhint("Materialize the view in MaxCompute (CREATE TABLE ... AS SELECT) and read that table.")));
	if (table->nkeys > 0)
	{
		scan->partitions = mcOdpsPartitions(scan->odps, true);
		table = mcOdpsTable(scan->odps, false);
	}
	else if (mcOptionText(scan->odps->server->table_options, "partition"))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("MaxCompute table %s is not partitioned", scan->odps->label),
				 errdetail("Foreign table \"%s\" has option \"partition\".", RelationGetRelationName(rel)),
				 errhint("Drop the option.")));
	scan->table = table;
	scan->place = scan->odps->place;
	scan->map = mcOdpsMapColumns(rel, table, &scan->place);
	MemoryContextSwitchTo(old);
}

/* ---- partitions ---- */

static Bitmapset *
key_attnums(const McScan *scan)
{
	Bitmapset  *keys = NULL;

	for (int i = 0; i < scan->map->natts; i++)
		if (scan->map->columns[i].is_key)
			keys = bms_add_member(keys, i + 1);
	return keys;
}

static bool
has_exec_param(Node *node, void *context)
{
	if (!node)
		return false;
	if (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC)
		return true;
	return expression_tree_walker(node, has_exec_param, context);
}

/* the clauses that the partition list answers; with 'explain' only those that have their values */
static List *
prune_clauses(McScan *scan, ForeignScanState *node, bool explain)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	Bitmapset  *keys = key_attnums(scan);
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, plan->fdw_exprs)
		if (mcReadsOnly(lfirst(lc), plan->scan.scanrelid, keys) &&
			!(explain && has_exec_param(lfirst(lc), NULL)))
			result = lappend(result, lfirst(lc));
	return result;
}

bool
mcScanPrunesLater(McScan *scan, ForeignScanState *node)
{
	return list_length(prune_clauses(scan, node, false)) > list_length(scan->prune_quals);
}

static char *
part_label(McScan *scan, const mcs_odps_partition *partition, char **spec)
{
	mcw_buf		buf;

	mcw_buf_init(&buf, &scan->odps->alloc, 1024 * 1024);
	if (mcs_odps_partition_spec(scan->table, partition->values, false, &buf) != MCW_OK || !mcw_buf_cstr(&buf))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a partition of MaxCompute table %s has a specification of more than 1 MB", scan->odps->label)));
	*spec = pstrdup(buf.data);
	mcw_buf_free(&buf);
	return psprintf("partition %s", mcInShown(mcw_str(*spec)));
}

static void
make_parts(McScan *scan)
{
	scan->nall = scan->partitions ? scan->partitions->nitems : 1;
	scan->all_parts = palloc_extended(Max(scan->nall, 1) * sizeof(McPart), MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	scan->parts = palloc(Max(scan->nall, 1) * sizeof(McPart *));
	for (int i = 0; i < scan->nall; i++)
	{
		scan->all_parts[i].session.table = scan->table->name;
		if (scan->partitions)
			scan->all_parts[i].partition = &scan->partitions->items[i];
	}
}

void
mcScanPrune(McScan *scan, ForeignScanState *node, bool explain)
{
	MemoryContext old = MemoryContextSwitchTo(scan->cxt);
	ExprContext *econtext = node->ss.ps.ps_ExprContext;

	if (!scan->all_parts)
	{
		make_parts(scan);
		if (scan->partitions)
		{
			scan->prune_quals = prune_clauses(scan, node, explain);
			scan->pruner = mcPrunerCreate(node->ss.ss_currentRelation, scan->prune_quals, scan->table, scan->map,
										  &node->ss.ps, scan->odps);
		}
	}
	scan->nparts = 0;
	for (int i = 0; i < scan->nall; i++)
	{
		McPart	   *part = &scan->all_parts[i];

		CHECK_FOR_INTERRUPTS();
		if (scan->pruner)
		{
			ResetExprContext(econtext);
			if (!mcPrunerMatch(scan->pruner, econtext, part->partition))
				continue;
			if (!part->label)
			{
				char	   *spec;

				part->label = part_label(scan, part->partition, &spec);
				part->session.partition = mcw_str(spec);
			}
		}
		scan->parts[scan->nparts++] = part;
	}
	ResetExprContext(econtext);
	scan->pruned = true;
	MemoryContextSwitchTo(old);
}

/* Quals that every row of the surviving partitions satisfies need not be asked again. */
static void
drop_answered_quals(McScan *scan, ForeignScanState *node)
{
	MemoryContext old;
	List	   *left = NIL;
	ListCell   *lc;

	if (scan->prune_quals == NIL)
		return;
	old = MemoryContextSwitchTo(node->ss.ps.state->es_query_cxt);
	foreach(lc, node->ss.ps.plan->qual)
		if (!list_member(scan->prune_quals, lfirst(lc)))
			left = lappend(left, lfirst(lc));
	node->ss.ps.qual = ExecInitQual(left, &node->ss.ps);
	MemoryContextSwitchTo(old);
}

/* ---- columns ---- */

static void
refuse_type(McScan *scan, Form_pg_attribute att, const mcs_odps_column *remote, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_DATA_TYPE),
			 errmsg("column \"%s\" of foreign table \"%s\" cannot show column \"%.*s\" of MaxCompute table %s",
					NameStr(att->attname), get_rel_name(att->attrelid), (int) remote->name.len, remote->name.data, scan->odps->label),
			 errdetail("%s.", reason),
			 errhint("Declare the column with a matching type, or as text, which shows every type.")));
}

/* Which attributes are read, and from which position of the stream */
static void
bind_columns(McScan *scan, ForeignScanState *node, int *position)
{
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	TupleDesc	desc = RelationGetDescr(node->ss.ss_currentRelation);
	List	   *needed = list_nth(plan->fdw_private, McScanPrivateColumns);
	ListCell   *lc;

	scan->columns = palloc0(Max(list_length(needed), 1) * sizeof(McScanColumn));
	scan->keys = palloc0(Max(list_length(needed), 1) * sizeof(AttrNumber));
	scan->key_values = palloc0(Max(list_length(needed), 1) * sizeof(Datum));
	scan->key_nulls = palloc0(Max(list_length(needed), 1) * sizeof(bool));
	foreach(lc, needed)
	{
		AttrNumber	attnum = lfirst_int(lc);
		Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);
		McOdpsColumn *bound = &scan->map->columns[attnum - 1];
		McScanColumn *column;
		const char *reason;

		if (bound->is_key)
		{
			scan->keys[scan->nkeys++] = attnum;
			continue;
		}
		column = &scan->columns[scan->ncolumns++];
		column->attnum = attnum;
		column->name = pstrdup(NameStr(att->attname));
		column->not_null = att->attnotnull;
		column->position = bound->index;	/* of the table, until the list of columns is known */
		if (!bound->remote->type)
			refuse_type(scan, att, bound->remote,
						psprintf("Its type %.*s is not known", (int) bound->remote->type_text.len,
								 bound->remote->type_text.data));
		column->in = mcInPrepare(&scan->in, att->atttypid, att->atttypmod, bound->remote->type, &reason);
		if (!column->in)
			refuse_type(scan, att, bound->remote, reason);
		/* a domain that takes no NULL: a refused value cannot become one */
		if (OidIsValid(column->in->domain) && !scan->in.stop && mcInCheckDomain(column->in, (Datum) 0, true))
			column->not_null = true;
		position[bound->index] = 0;
	}
}

/* The list of remote columns in table order; fills position[] (-1 = not read) and returns their number */
static int
choose_columns(McScan *scan, int *position, const mcw_odps_type **types, char **list)
{
	const mcs_odps_table *table = scan->table;
	StringInfoData names;
	int			n = 0;

	initStringInfo(&names);
	for (int i = 0; i < table->ncolumns; i++)
		if (position[i] >= 0)
		{
			appendStringInfo(&names, "%s%.*s", n ? "," : "", (int) table->columns[i].name.len, table->columns[i].name.data);
			types[n] = table->columns[i].type;
			position[i] = n++;
		}
	*list = n == table->ncolumns ? NULL : names.data;
	if (n == 0 || names.len <= MAX_COLUMN_LIST || !*list)
		return n;

	*list = NULL;
	for (int i = 0; i < table->ncolumns; i++)
	{
		if (!table->columns[i].type)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("MaxCompute table %s has a column of unknown type %.*s", scan->odps->label,
							(int) table->columns[i].type_text.len, table->columns[i].type_text.data),
					 errdetail("So many columns are read that they cannot be named in a request.")));
		types[i] = table->columns[i].type;
		position[i] = i;
	}
	return table->ncolumns;
}

/*
 * auto: plain where the network costs nothing, else zstd, which decompresses at
 * several times the speed of any line (deflate, the default of the SDKs, does not).
 */
static const char *
accept_encoding(McScan *scan)
{
	const char *value = mcServerOption(scan->odps->server, "compression");
	const char *host = mcn_channel_host(scan->odps->service.tunnel);

	if (!value || pg_strcasecmp(value, "auto") == 0)
		return strncmp(host, "127.", 4) == 0 || strncmp(host, "[::1]", 5) == 0 ||
			strncmp(host, "localhost", 9) == 0 ? NULL : "zstd";
	if (pg_strcasecmp(value, "none") == 0)
		return NULL;
	if (pg_strcasecmp(value, "lz4") == 0)
		return "x-lz4-frame";
	if (pg_strcasecmp(value, "snappy") == 0)
		return "x-snappy-framed";
	return pg_strcasecmp(value, "deflate") == 0 ? "deflate" : "zstd";
}

static void
prepare_columns(McScan *scan, ForeignScanState *node)
{
	int			ncolumns = scan->table->ncolumns;
	int		   *position = palloc(Max(ncolumns, 1) * sizeof(int));
	const mcw_odps_type **types = palloc(Max(ncolumns, 1) * sizeof(mcw_odps_type *));
	McFetchSetup setup = {0};
	char	   *list;

	scan->in.truncate = mcServerOptionIs(scan->odps->server, "on_precision_loss", "truncate");
	scan->in.stop = scan->odps->server->on_error == MC_ON_ERROR_STOP;
	scan->in.encoding = GetDatabaseEncoding();
	scan->in.zone = scan->odps->server->timezone;
	for (int i = 0; i < ncolumns; i++)
		position[i] = -1;
	bind_columns(scan, node, position);
	setup.ntypes = choose_columns(scan, position, types, &list);
	for (int i = 0; i < scan->ncolumns; i++)
		scan->columns[i].position = position[scan->columns[i].position];

	mcOdpsOpenTunnel(scan->odps);
	setup.odps = scan->odps;
	setup.table = scan->table;
	setup.types = types;
	setup.columns = list;
	setup.accept_encoding = accept_encoding(scan);
	setup.concurrency = scan->odps->server->concurrency;
	setup.progress = &scan->progress;
	scan->fetch = mcFetchCreate(&setup);
}

static void
start_scan(McScan *scan, ForeignScanState *node)
{
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;

	if (!scan->fetch)
	{
		MemoryContext old;

		mcScanConnect(scan, node);
		refuse_changed_table(scan, node->ss.ss_currentRelation);
		old = MemoryContextSwitchTo(scan->cxt);
		prepare_columns(scan, node);
		mcProgressBegin(&scan->progress, scan->cxt, RelationGetRelid(node->ss.ss_currentRelation), false, NULL);
		mcRejectsInit(&scan->rejects, scan->odps->server);
		scan->part_cxt = AllocSetContextCreate(scan->cxt, "mc_fdw partition values", ALLOCSET_SMALL_SIZES);
		scan->row_cxt = AllocSetContextCreate(scan->cxt, "mc_fdw row", ALLOCSET_DEFAULT_SIZES);
		MemoryContextSwitchTo(old);
	}
	if (!scan->pruned)
	{
		bool		first = scan->all_parts == NULL;

		mcScanPrune(scan, node, false);
		if (first)
			drop_answered_quals(scan, node);
	}
	mcFetchStart(scan->fetch, scan->parts, scan->nparts);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	scan->current = NULL;
	scan->running = true;
}

/* ---- rows ---- */

static void
enter_part(McScan *scan, McPart *part, TupleDesc desc)
{
	MemoryContext old;

	scan->current = part;
	scan->place.part = part->label;
	scan->null_key = NULL;
	MemoryContextReset(scan->part_cxt);
	old = MemoryContextSwitchTo(scan->part_cxt);
	for (int i = 0; i < scan->nkeys; i++)
	{
		scan->key_values[i] = mcPrunerKeyValue(scan->pruner, scan->keys[i],
											   part->partition->values[scan->map->columns[scan->keys[i] - 1].index],
											   &scan->key_nulls[i]);
		if (scan->key_nulls[i] && TupleDescAttr(desc, scan->keys[i] - 1)->attnotnull)
			scan->null_key = NameStr(TupleDescAttr(desc, scan->keys[i] - 1)->attname);
	}
	MemoryContextSwitchTo(old);
}

static McPlace *
row_place(McScan *scan, const McScanColumn *column)
{
	scan->place.position = psprintf("row " INT64_FORMAT, scan->current->received);
	scan->place.column = column->name;
	return &scan->place;
}

static void
row_error_context(void *arg)
{
	McScan	   *scan = arg;

	for (int i = 0; i < scan->ncolumns && scan->converting > 0; i++)
		if (scan->columns[i].attnum == scan->converting)
			(void) mcPlaceContext(row_place(scan, &scan->columns[i]));
}

/* false: the row is dropped */
static bool
bad_value(McScan *scan, McScanColumn *column, const char *reason, const mcw_odps_value *value)
{
	mcw_odps_kind kind = column->in->type->kind;
	mcw_view	shown = {NULL, 0};

	scan->converting = 0;
	if (!value->is_null && (kind == MCW_ODPS_STRING || kind == MCW_ODPS_VARCHAR || kind == MCW_ODPS_CHAR ||
							kind == MCW_ODPS_JSON || kind == MCW_ODPS_DECIMAL))
		shown = value->bytes;
	return mcBadValue(&scan->rejects, row_place(scan, column), scan->in.sqlstate, reason, shown,
					  column->not_null) == MC_VALUE_NULL;
}

static bool
convert_row(McScan *scan, const mcw_odps_value *values, TupleTableSlot *slot)
{
	if (unlikely(scan->null_key))
	{
		scan->place.position = psprintf("row " INT64_FORMAT, scan->current->received);
		scan->place.column = scan->null_key;
		(void) mcBadValue(&scan->rejects, &scan->place, ERRCODE_NOT_NULL_VIOLATION,
						  "NULL partition value in a column that is declared NOT NULL", (mcw_view) {NULL, 0}, true);
		return false;
	}
	for (int i = 0; i < scan->ncolumns; i++)
	{
		McScanColumn *column = &scan->columns[i];
		const mcw_odps_value *value = &values[column->position];
		int			a = column->attnum - 1;
		const char *reason = NULL;

		slot->tts_isnull[a] = value->is_null;
		if (!value->is_null)
		{
			scan->converting = column->attnum;
			reason = column->in->fn(column->in, value, &slot->tts_values[a]);
		}
		else if (unlikely(column->not_null))
			reason = mcInRefuse(&scan->in, ERRCODE_NOT_NULL_VIOLATION, "NULL in a column that is declared NOT NULL");
		if (unlikely(OidIsValid(column->in->domain)) && !reason)
		{
			scan->converting = column->attnum;
			reason = mcInCheckDomain(column->in, slot->tts_values[a], slot->tts_isnull[a]);
		}
		if (unlikely(reason))
		{
			if (!bad_value(scan, column, reason, value))
				return false;
			slot->tts_isnull[a] = true;
		}
	}
	for (int i = 0; i < scan->nkeys; i++)
	{
		slot->tts_values[scan->keys[i] - 1] = scan->key_values[i];
		slot->tts_isnull[scan->keys[i] - 1] = scan->key_nulls[i];
	}
	return true;
}

static TupleTableSlot *
iterate(ForeignScanState *node)
{
	McScan	   *scan = node->fdw_state;
	TupleTableSlot *slot = node->ss.ss_ScanTupleSlot;
	ErrorContextCallback callback;
	MemoryContext old;

	ExecClearTuple(slot);
	if (unlikely(!scan->running))
		start_scan(scan, node);
	callback.callback = row_error_context;
	callback.arg = scan;
	for (;;)
	{
		mcw_odps_value *values;
		McPart	   *part = mcFetchRow(scan->fetch, &values);
		bool		kept;

		if (!part)
			return slot;
		if (unlikely(part != scan->current))
			enter_part(scan, part, RelationGetDescr(node->ss.ss_currentRelation));
		MemoryContextReset(scan->row_cxt);
		old = MemoryContextSwitchTo(scan->row_cxt);
		callback.previous = error_context_stack;
		error_context_stack = &callback;
		kept = convert_row(scan, values, slot);
		error_context_stack = callback.previous;
		scan->converting = 0;
		MemoryContextSwitchTo(old);
		if (likely(kept))
			return ExecStoreVirtualTuple(slot);
	}
}

/* ---- callbacks ---- */

static void
odpsBeginForeignScan(ForeignScanState *node, int eflags)
{
	McScan	   *scan = palloc0(sizeof(McScan));

	scan->serverid = GetForeignTable(RelationGetRelid(node->ss.ss_currentRelation))->serverid;
	scan->userid = mcScanUserId(node);
	scan->begun_at = mcWriteSequence();
	node->fdw_state = scan;
}

static TupleTableSlot *
odpsIterateForeignScan(ForeignScanState *node)
{
	return iterate(node);
}

static void
odpsReScanForeignScan(ForeignScanState *node)
{
	McScan	   *scan = node->fdw_state;

	if (node->ss.ps.chgParam != NULL && scan->prune_quals != NIL)
		scan->pruned = false;
	if (!scan->running)
		return;
	mcFetchStop(scan->fetch);
	scan->running = false;
}

/* what the run of a job has read here */
static void
count(const McScan *scan)
{
	if (!mcJob)
		return;
	if (scan->fetch)
		mcJob->rows_in += mcFetchStatistics(scan->fetch)->rows;
	if (scan->odps->service.tunnel)
		mcJobCount(mcn_channel_stats(scan->odps->service.tunnel), NULL, false);
	mcJobCount(mcn_channel_stats(scan->odps->service.rest), NULL, false);
}

static void
odpsEndForeignScan(ForeignScanState *node)
{
	McScan	   *scan = node->fdw_state;

	if (!scan || !scan->odps)
		return;
	if (scan->fetch)
	{
		mcFetchStop(scan->fetch);
		mcRejectsReport(&scan->rejects, RelationGetRelationName(node->ss.ss_currentRelation));
	}
	count(scan);
	MemoryContextDelete(scan->odps->cxt);
	scan->odps = NULL;
}

/* The quals of the plan, all of them, are tested again by the caller. */
static bool
odpsRecheckForeignScan(ForeignScanState *node, TupleTableSlot *slot)
{
	return true;
}

void
mcOdpsScanRoutine(FdwRoutine *routine)
{
	mcOdpsPlanRoutine(routine);
	routine->BeginForeignScan = odpsBeginForeignScan;
	routine->IterateForeignScan = odpsIterateForeignScan;
	routine->ReScanForeignScan = odpsReScanForeignScan;
	routine->EndForeignScan = odpsEndForeignScan;
	routine->RecheckForeignScan = odpsRecheckForeignScan;
	routine->ExplainForeignScan = mcOdpsExplainScan;
	routine->ImportForeignSchema = mcOdpsImport;
}
