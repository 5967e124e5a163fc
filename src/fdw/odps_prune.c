/*
 * odps_prune.c
 *		Which partitions a statement needs: the executor runs the original quals over a
 *		row that has the partition's values and nothing else.
 *
 * Exact for every operator, cast and collation, because nothing is translated.  A
 * value is converted here and nowhere else, so that the quals see what the rows will
 * show.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "odps_read.h"
#include "odps_write.h"

/* how the service spells a NULL key */
#define HIVE_NULL "__HIVE_DEFAULT_PARTITION__"

typedef struct KeyColumn
{
	FmgrInfo	input;
	Oid			ioparam;
	int32		typmod;
	Oid			type;
} KeyColumn;

struct McPruner
{
	Relation	rel;
	const mcs_odps_table *table;
	const McOdpsMap *map;
	McOdps	   *odps;
	KeyColumn  *columns;		/* by attnum - 1; used for those bound to a key */
	mcw_view   *wanted;			/* by key: value that option "partition" fixes; data NULL = any */
	const char *null_text;		/* option "null_partition" */
	ExprState  *quals;			/* NULL: every partition */
	TupleTableSlot *slot;
};

McPruner *
mcPrunerCreate(Relation rel, List *quals, const mcs_odps_table *table, const McOdpsMap *map,
			   PlanState *parent, McOdps *odps)
{
	McPruner   *pruner = palloc0(sizeof(McPruner));
	TupleDesc	desc = RelationGetDescr(rel);

	pruner->rel = rel;
	pruner->table = table;
	pruner->map = map;
	pruner->odps = odps;
	pruner->columns = palloc0(Max(map->natts, 1) * sizeof(KeyColumn));
	pruner->wanted = mcParsePartitionOption(mcOptionText(odps->server->table_options, "partition"), table, &odps->place);
	pruner->null_text = mcOptionText(odps->server->table_options, "null_partition");
	for (int i = 0; i < map->natts; i++)
	{
		KeyColumn  *column = &pruner->columns[i];
		Form_pg_attribute att = TupleDescAttr(desc, i);
		Oid			function;

		if (!map->columns[i].is_key)
			continue;
		column->type = att->atttypid;
		column->typmod = att->atttypmod;
		getTypeInputInfo(att->atttypid, &function, &column->ioparam);
		fmgr_info(function, &column->input);
	}
	pruner->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(desc), &TTSOpsVirtual);
	if (quals != NIL)
		pruner->quals = ExecInitQual(quals, parent);
	return pruner;
}

/* A wall-clock text becomes an instant in the zone of option "timezone", not of the session. */
static Datum
instant_in_zone(const char *text, int32 typmod, pg_tz *zone)
{
	Timestamp	wall;
	TimestampTz instant;
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;

	wall = DatumGetTimestamp(DirectFunctionCall3(timestamp_in, CStringGetDatum(text),
												 ObjectIdGetDatum(InvalidOid), Int32GetDatum(typmod)));
	if (TIMESTAMP_NOT_FINITE(wall))
		return TimestampTzGetDatum(wall);
	if (timestamp2tm(wall, NULL, &tm, &fsec, NULL, NULL) == 0)
	{
		tz = DetermineTimeZoneOffset(&tm, zone);
		if (tm2timestamp(&tm, fsec, &tz, &instant) == 0)
			return TimestampTzGetDatum(instant);
	}
	ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
}

typedef struct KeyContext
{
	const McPruner *pruner;
	AttrNumber	attnum;
	mcw_view	text;
} KeyContext;

static void
key_error_context(void *arg)
{
	const KeyContext *cxt = arg;
	const mcs_odps_column *remote = cxt->pruner->map->columns[cxt->attnum - 1].remote;

	errcontext("value \"%s\" of partition key \"%.*s\" of MaxCompute table %s",
			   mcInShown(cxt->text), (int) remote->name.len, remote->name.data,
			   cxt->pruner->odps->label);
}

static bool
is_null_text(const McPruner *pruner, mcw_view text)
{
	return mcw_view_eq(text, MCW_LIT(HIVE_NULL)) ||
		(pruner->null_text && mcw_view_eq(text, mcw_str(pruner->null_text)));
}

Datum
mcPrunerKeyValue(McPruner *pruner, AttrNumber attnum, mcw_view text, bool *isnull)
{
	KeyColumn  *column = &pruner->columns[attnum - 1];
	KeyContext	arg = {pruner, attnum, text};
	ErrorContextCallback callback;
	Datum		value;
	char	   *cstr;

	*isnull = is_null_text(pruner, text);
	callback.callback = key_error_context;
	callback.arg = &arg;
	callback.previous = error_context_stack;
	error_context_stack = &callback;

	cstr = *isnull ? NULL : pg_any_to_server(pnstrdup(text.data, text.len), text.len, PG_UTF8);
	if (cstr && getBaseType(column->type) == TIMESTAMPTZOID)
		value = instant_in_zone(cstr, column->typmod, pruner->odps->server->timezone);
	else
		value = InputFunctionCall(&column->input, cstr, column->ioparam, column->typmod);

	error_context_stack = callback.previous;
	return value;
}

bool
mcPrunerMatch(McPruner *pruner, ExprContext *econtext, const mcs_odps_partition *partition)
{
	TupleTableSlot *slot = pruner->slot;
	TupleTableSlot *saved;
	MemoryContext old;
	bool		match;

	for (int i = 0; i < pruner->table->nkeys; i++)
		if (pruner->wanted[i].data && !mcw_view_eq(pruner->wanted[i], partition->values[i]))
			return false;
	if (!pruner->quals)
		return true;

	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	memset(slot->tts_values, 0, slot->tts_tupleDescriptor->natts * sizeof(Datum));
	for (int a = 0; a < pruner->map->natts; a++)
	{
		const McOdpsColumn *column = &pruner->map->columns[a];

		if (column->is_key)
			slot->tts_values[a] = mcPrunerKeyValue(pruner, a + 1, partition->values[column->index],
												   &slot->tts_isnull[a]);
	}
	ExecStoreVirtualTuple(slot);
	MemoryContextSwitchTo(old);

	saved = econtext->ecxt_scantuple;
	econtext->ecxt_scantuple = slot;
	match = ExecQual(pruner->quals, econtext);
	econtext->ecxt_scantuple = saved;
	return match;
}
