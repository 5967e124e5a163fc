/*
 * ots_modify.c
 *		INSERT, COPY, tuple routing, UPDATE and DELETE on a Tablestore table: the
 *		executor's callbacks around a sink, and EXPLAIN.
 *
 * A row is sent in one of three ways.  Streamed: the statement goes on at once, and
 * failures come with a later row or at the end.  In the executor's batches, where the
 * command tag must know what became of each row (postgres.md 4).  Row by row, where
 * the row is returned or seen by a trigger only if it was written.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "miscadmin.h"
#include "optimizer/appendinfo.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "modify.h"
#include "ots_write.h"
#include "plan_slot.h"

/* ri_FdwState of a result relation */
typedef struct McOtsModify
{
	McOtsSink  *sink;			/* NULL: EXPLAIN without ANALYZE */
	bool		wait;			/* for each row */
	bool		plan_slot;		/* values are read from the slot of the plan below */
	bool		hollow;			/* replace the target's slot at the first row, which has made it */
	/* UPDATE, DELETE: junk columns of the plan */
	AttrNumber	keys[MCW_OTS_MAX_KEYS];
	AttrNumber	whole_row;		/* 0 = none */
	bool		before_update;	/* a trigger may have changed the row */
	McOtsKept  *kept;			/* the statement reads its target: sent when everything has been read */
} McOtsModify;

static void end_modify(EState *estate, ResultRelInfo *rinfo);

/* ---- planning ---- */

/* The members of an inheritance tree share a junk column only where all of it agrees */
static char *
junk_name(const McOtsColumn *key)
{
	return psprintf("mc_key_%d_%u_%d_%u", key->attnum, key->type, key->typmod, key->collation);
}

static void
add_targets(PlannerInfo *root, Index rti, RangeTblEntry *rte, Relation rel)
{
	List	   *columns = mcOtsColumns(rel);

	for (int i = 0; i < mcOtsKeyCount(columns); i++)
	{
		McOtsColumn *key = mcOtsKeyColumn(columns, i);

		add_row_identity_var(root, makeVar(rti, key->attnum, key->type, key->typmod, key->collation, 0), rti,
							 junk_name(key));
	}
	/* what a DELETE returns; core adds it for UPDATE and for triggers */
	if (root->parse->commandType == CMD_DELETE && root->parse->returningList != NIL)
		add_row_identity_var(root, makeVar(rti, InvalidAttrNumber, RECORDOID, -1, InvalidOid, 0), rti, "wholerow");
}

/* A key column cannot be assigned, and __version__ belongs to the cells that are */
static void
check_assigned(Relation rel, const Bitmapset *assigned)
{
	ListCell   *lc;
	bool		version = false;
	bool		cell = false;

	foreach(lc, mcOtsColumns(rel))
	{
		McOtsColumn *column = lfirst(lc);

		if (!bms_is_member(column->attnum - FirstLowInvalidHeapAttributeNumber, assigned))
			continue;
		if (column->kind == MC_OTS_KEY)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot change key column \"%s\" of \"%s\"", column->attname, RelationGetRelationName(rel)),
					 errdetail("The primary key of a Tablestore row never changes."),
					 errhint("INSERT the row with the new key and DELETE the old one.")));
		version |= column->kind == MC_OTS_ROW_VERSION;
		cell |= column->kind != MC_OTS_ROW_VERSION;
	}
	if (version && !cell)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot change only the version of a row of \"%s\"", RelationGetRelationName(rel)),
				 errhint("Assign the columns too whose cells shall have that version.")));
}

static List *
plan_modify(PlannerInfo *root, ModifyTable *plan, Index rti, int subplan_index)
{
	if (plan->onConflictAction != ONCONFLICT_NONE && plan->onConflictAction != ONCONFLICT_NOTHING)
		elog(ERROR, "unexpected ON CONFLICT specification: %d", (int) plan->onConflictAction);
	return NIL;
}

/* ---- begin and end ---- */

static bool
returns_rows(const ModifyTableState *mtstate)
{
	return mtstate->ps.plan && ((ModifyTable *) mtstate->ps.plan)->returningLists != NIL;
}

static bool
has_row_triggers(const ResultRelInfo *rinfo, CmdType operation)
{
	const TriggerDesc *t = rinfo->ri_TrigDesc;

	if (!t)
		return false;
	switch (operation)
	{
		case CMD_INSERT:
			return t->trig_insert_before_row || t->trig_insert_after_row;
		case CMD_UPDATE:
			return t->trig_update_after_row;
		default:
			return t->trig_delete_after_row;
	}
}

static McOtsModify *
begin(ModifyTableState *mtstate, EState *estate, ResultRelInfo *rinfo, CmdType operation)
{
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	McOtsModify *modify = palloc0(sizeof(McOtsModify));
	bool		seen = returns_rows(mtstate) || has_row_triggers(rinfo, operation);

	modify->sink = mcOtsSinkCreate(mtstate, estate, rinfo, operation);
	/* where the executor could batch it does; who comes row by row all the same waits, but for COPY */
	if (operation == CMD_INSERT)
		modify->wait = (seen && modify->sink->auto_key >= 0) ||
			((seen || mtstate->ps.plan) && mcOtsSinkNeedsFates(modify->sink));
	else
		modify->wait = seen || modify->sink->rejects.on_error != MC_ON_ERROR_STOP;
	modify->sink->returning = seen;
	MemoryContextSwitchTo(old);
	return modify;
}

static void
find_junk(McOtsModify *modify, ModifyTableState *mtstate)
{
	List	   *tlist = outerPlanState(mtstate)->plan->targetlist;
	McOtsSink  *sink = modify->sink;

	for (int i = 0; i < sink->nkeys; i++)
	{
		modify->keys[i] = ExecFindJunkAttributeInTlist(tlist, junk_name(sink->keys[i].column));
		if (!AttributeNumberIsValid(modify->keys[i]))
			elog(ERROR, "could not find junk column of key %d", i + 1);
	}
	modify->whole_row = ExecFindJunkAttributeInTlist(tlist, "wholerow");
}

static void
refuse_kept(const McOtsSink *sink)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot insert into \"%s\" while the same statement reads it", sink->relname),
			 errdetail("Each row must be written before the next is read, and would be read again."),
			 errhint("Put the rows into a temporary table first.")));
}

/*
 * Where the statement reads its target.  An UPDATE or DELETE whose rows are waited for
 * cannot: it sees what is there when it comes to it.
 */
static void
keep_if_read(McOtsModify *modify, EState *estate, ResultRelInfo *rinfo)
{
	McOtsSink  *sink = modify->sink;

	if ((sink->operation != CMD_INSERT && modify->wait) || !mcOtsReadsTarget(estate, rinfo, sink))
		return;
	if (sink->operation == CMD_INSERT && (modify->wait || mcOtsSinkNeedsFates(sink)))
		refuse_kept(sink);
	modify->kept = mcOtsKeep(sink, estate);
}

static void
begin_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			 int subplan_index, int eflags)
{
	EState	   *estate = mtstate->ps.state;
	CmdType		operation = mtstate->operation;
	McOtsModify *modify;

	if (operation == CMD_UPDATE)
		check_assigned(rinfo->ri_RelationDesc, ExecGetUpdatedCols(rinfo, estate));
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
	{
		rinfo->ri_FdwState = palloc0(sizeof(McOtsModify));
		return;
	}
	modify = begin(mtstate, estate, rinfo, operation);
	if (operation != CMD_INSERT)
	{
		find_junk(modify, mtstate);
		modify->before_update = rinfo->ri_TrigDesc && rinfo->ri_TrigDesc->trig_update_before_row;
	}
	keep_if_read(modify, estate, rinfo);
	if (operation == CMD_INSERT && !modify->kept && !modify->wait && !mcOtsSinkNeedsFates(modify->sink))
	{
		modify->plan_slot = !(modify->sink->returning && modify->sink->version) && mcPlanSlotIsTheRow(mtstate, rinfo);
		modify->hollow = modify->plan_slot && mcHollowSlotAllowed(mtstate, rinfo);
	}
	rinfo->ri_FdwState = modify;
}

/* COPY, and rows routed through a partitioned parent */
static void
begin_insert(ModifyTableState *mtstate, ResultRelInfo *rinfo)
{
	McOtsModify *modify;

	if (rinfo->ri_FdwState)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot route rows into \"%s\" while it is changed by the same statement",
						RelationGetRelationName(rinfo->ri_RelationDesc))));
	modify = begin(mtstate, mtstate->ps.state, rinfo, CMD_INSERT);
	if (mtstate->ps.plan)
		keep_if_read(modify, mtstate->ps.state, rinfo);
	rinfo->ri_FdwState = modify;
}

/* ---- rows ---- */

/* Put the key that the service chose into the row that is returned */
static void
take_key(McOtsSink *sink, TupleTableSlot *slot)
{
	McOtsSinkColumn *c = &sink->keys[sink->auto_key];
	mcw_ots_reader *reader = mcw_ots_reader_create(&sink->conn->alloc, &c->name.name, 1);
	mcw_ots_row row;
	mcw_ots_value value;
	mcw_error	err;
	mcw_status	status = reader ? mcw_ots_reader_page(reader, mcw_buf_view(&sink->returned), false, &err) :
		mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
	Datum	   *values;
	bool	   *nulls;
	Datum		key;
	McOtsBad	bad;
	MemoryContext old;

	if (status == MCW_OK)
		status = mcw_ots_next_row(reader, &row, &value, NULL, &err);
	mcw_ots_reader_free(reader);
	if (status == MCW_END || (status == MCW_OK && value.type != MCW_OTS_INTEGER))
		status = mcw_fail(&err, MCW_ERR_PROTOCOL, "the service did not return the key it chose");
	mcCheck(status, &err, &sink->place);

	old = MemoryContextSwitchTo(sink->scratch);
	if (mcOtsIn(mcOtsInCreate(c->column, false), &value, &key, &bad) != MC_OTS_OK)
		ereport(ERROR,
				(errcode(bad.sqlstate), errmsg("%s", bad.reason),
				 errdetail("The row was written; the service chose this key for it."),
				 errhint("Declare column \"%s\" as bigint.", c->column->attname),
				 mcPlaceContext(&sink->place)));
	slot_getallattrs(slot);
	values = palloc(sizeof(Datum) * sink->desc->natts);
	nulls = palloc(sizeof(bool) * sink->desc->natts);
	memcpy(values, slot->tts_values, sizeof(Datum) * sink->desc->natts);
	memcpy(nulls, slot->tts_isnull, sizeof(bool) * sink->desc->natts);
	values[c->at] = key;
	nulls[c->at] = false;
	MemoryContextSwitchTo(slot->tts_mcxt);
	ExecForceStoreHeapTuple(heap_form_tuple(sink->desc, values, nulls), slot, true);
	MemoryContextSwitchTo(old);
}

static bool
differs(const McOtsSink *sink, const McOtsSinkColumn *c, TupleTableSlot *slot, Datum was, bool was_null)
{
	Form_pg_attribute att = TupleDescAttr(sink->desc, c->at);

	return was_null != slot->tts_isnull[c->at] ||
		(!was_null && !datum_image_eq(was, slot->tts_values[c->at], att->attbyval, att->attlen));
}

/*
 * What a BEFORE INSERT trigger has put into columns that nobody named: not their
 * defaults.  Where the row before it is not known, of COPY and of rows that are routed
 * or kept, whatever is not NULL.
 */
static void
find_set(McOtsSink *sink, TupleTableSlot *slot, TupleTableSlot *before)
{
	slot_getallattrs(slot);
	if (before)
		slot_getallattrs(before);
	for (int i = 0; i <= sink->ncells; i++)
	{
		McOtsSinkColumn *c = i < sink->ncells ? &sink->cells[i] : sink->rest;

		if (c)
			c->changed = before ? differs(sink, c, slot, before->tts_values[c->at], before->tts_isnull[c->at]) :
				!slot->tts_isnull[c->at];
	}
}

/* Encode and hand over; false = rejected */
static bool
insert_row(McOtsSink *sink, TupleTableSlot *slot, TupleTableSlot *before)
{
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	mcw_ots_change kind;
	mcw_ots_existence existence;
	uint64		tag = sink->next_tag++;
	bool		kept;

	sink->seen++;
	if (unlikely(sink->trigger_writes))
		find_set(sink, slot, before);
	kept = mcOtsEncodeInsert(sink, slot, &kind, &existence);
	if (kept)
		mcOtsSinkSend(sink, kind, existence, tag);
	else if (tag - sink->base < (uint64) sink->nfates)
		sink->fates[tag - sink->base] = MC_OTS_REJECTED;
	MemoryContextSwitchTo(old);
	MemoryContextReset(sink->scratch);
	return kept;
}

/* An encoded UPDATE or DELETE that nobody waits for */
static void
send_change(McOtsSink *sink)
{
	if (sink->operation == CMD_UPDATE)
		mcOtsSinkSend(sink, MCW_OTS_UPDATE_ROW, MCW_OTS_EXPECT_EXIST, sink->next_tag++);
	else if (sink->guarded)
		mcOtsSinkSend(sink, MCW_OTS_UPDATE_ROW, MCW_OTS_IGNORE, sink->next_tag++);	/* marked */
	else
		mcOtsSinkSend(sink, MCW_OTS_DELETE_ROW, MCW_OTS_IGNORE, sink->next_tag++);
}

static void
send_kept(McOtsModify *modify)
{
	McOtsSink  *sink = modify->sink;
	TupleTableSlot *slot;

	if (!modify->kept)
		return;
	if (sink->operation == CMD_INSERT)
		while ((slot = mcOtsKeptRow(modify->kept)) != NULL)
			(void) insert_row(sink, slot, NULL);
	else
		while (mcOtsKeptChange(modify->kept, sink))
		{
			CHECK_FOR_INTERRUPTS();
			send_change(sink);
		}
	mcOtsKeptEnd(modify->kept);
	modify->kept = NULL;
}

/*
 * A row that the statement inserts stays, whatever its other parts change and delete:
 * they saw the table as it was before.
 */
static void
finish_changes(EState *estate)
{
	ListCell   *lc;

	foreach(lc, estate->es_auxmodifytables)
	{
		ModifyTableState *node = lfirst(lc);

		for (int i = 0; node->operation != CMD_INSERT && i < node->mt_nrels; i++)
		{
			ResultRelInfo *rinfo = &node->resultRelInfo[i];
			McOtsModify *other = rinfo->ri_FdwState;

			if (!rinfo->ri_FdwRoutine || rinfo->ri_FdwRoutine->EndForeignModify != end_modify || !other || !other->sink)
				continue;
			send_kept(other);
			mcOtsSinkFlush(other->sink);
		}
	}
}

static void
finish(EState *estate, McOtsModify *modify)
{
	if (modify->kept && modify->sink->operation == CMD_INSERT)
		finish_changes(estate);
	send_kept(modify);
	mcOtsSinkFlush(modify->sink);
}

static void
end_modify(EState *estate, ResultRelInfo *rinfo)
{
	McOtsModify *modify = rinfo->ri_FdwState;

	if (modify && modify->sink)
	{
		finish(estate, modify);
		mcOtsSinkEnd(modify->sink);
		modify->sink = NULL;
	}
}

static TupleTableSlot *
exec_insert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	McOtsModify *modify = rinfo->ri_FdwState;
	McOtsSink  *sink = modify->sink;
	/* the plan's row has the target's columns in front unless it was made for a parent */
	TupleTableSlot *before = rinfo->ri_RootResultRelInfo == NULL ? plan_slot : NULL;

	if (unlikely(modify->hollow))
	{
		mcHollowSlotInstall(estate, rinfo);
		modify->hollow = false;
	}
	mcCheckNewRow(estate, rinfo, slot);
	if (modify->kept)
	{
		mcOtsKeepRow(modify->kept, slot);
		return slot;
	}
	if (!modify->wait)
		return insert_row(sink, modify->plan_slot && plan_slot ? plan_slot : slot, before) ? slot : NULL;

	mcOtsSinkExpect(sink, 1);
	if (!insert_row(sink, slot, before))
		return NULL;
	mcOtsSinkFlush(sink);
	if (sink->fates[0] != MC_OTS_WRITTEN)
		return NULL;
	if (sink->returned.len > 0)
		take_key(sink, slot);
	return slot;
}

static TupleTableSlot **
exec_batch_insert(EState *estate, ResultRelInfo *rinfo, TupleTableSlot **slots,
				  TupleTableSlot **plan_slots, int *num_slots)
{
	McOtsModify *modify = rinfo->ri_FdwState;
	McOtsSink  *sink = modify->sink;
	int			n = *num_slots;
	int			kept = 0;
	TupleTableSlot **result;

	mcOtsSinkExpect(sink, n);
	result = sink->slots;
	for (int i = 0; i < n; i++)
		(void) insert_row(sink, slots[i], NULL);
	mcOtsSinkFlush(sink);
	for (int i = 0; i < n; i++)
		if (sink->fates[i] == MC_OTS_WRITTEN)
			result[kept++] = slots[i];
	*num_slots = kept;
	return result;
}

/*
 * The executor's batches are for statements that must know what became of each row;
 * one is large enough to keep all requests busy.
 */
static int
batch_size(ResultRelInfo *rinfo)
{
	McOtsModify *modify = rinfo->ri_FdwState;
	McOtsSink  *sink = modify ? modify->sink : NULL;

	if (!sink || sink->operation != CMD_INSERT || !mcOtsSinkNeedsFates(sink) || rinfo->ri_projectReturning ||
		rinfo->ri_WithCheckOptions != NIL || has_row_triggers(rinfo, CMD_INSERT))
		return 1;
	return (int) mcServerOptionInt(sink->server, "batch_size", MCW_OTS_MAX_BATCH_ROWS) *
		mcOtsWriteConcurrency(sink->server);
}

static void
identity(McOtsModify *modify, TupleTableSlot *plan_slot, Datum *keys, bool *nulls)
{
	for (int i = 0; i < modify->sink->nkeys; i++)
		keys[i] = ExecGetJunkAttribute(plan_slot, modify->keys[i], &nulls[i]);
}

/* The key of the new row must be the one of the old row, now in sink->row */
static void
compare_keys(McOtsSink *sink, TupleTableSlot *slot)
{
	mcw_ots_key old = sink->key;

	slot_getallattrs(slot);
	for (int i = 0; i < sink->nkeys; i++)
	{
		McOtsSinkColumn *c = &sink->keys[i];
		mcw_ots_value value;
		McOtsBad	bad;

		if (slot->tts_isnull[c->at] ||
			mcOtsOut(c->out, slot->tts_values[c->at], &value, &bad) != MC_OTS_OK ||
			mcw_ots_value_cmp(&value, &old.v[i]) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a trigger changed key column \"%s\" of \"%s\"", c->column->attname, sink->relname),
					 errdetail("The primary key of a Tablestore row never changes.")));
	}
}

/* one attribute of the old row */
static Datum
old_value(McOtsModify *modify, TupleTableSlot *plan_slot, int at, bool *isnull)
{
	Datum		row;
	HeapTupleHeader header;

	*isnull = true;
	if (!AttributeNumberIsValid(modify->whole_row))
		return (Datum) 0;
	row = ExecGetJunkAttribute(plan_slot, modify->whole_row, isnull);
	if (*isnull)
		return (Datum) 0;
	header = DatumGetHeapTupleHeader(row);
	return GetAttributeByNum(header, at + 1, isnull);
}

/* What a BEFORE trigger has changed is written as if the statement named it */
static void
find_changes(McOtsModify *modify, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	McOtsSink  *sink = modify->sink;

	slot_getallattrs(slot);
	for (int i = 0; i < sink->ncells + 2; i++)
	{
		McOtsSinkColumn *c = i < sink->ncells ? &sink->cells[i] : i == sink->ncells ? sink->rest : sink->version;
		bool		was_null;
		Datum		was;

		if (!c || c->named)
			continue;
		was = old_value(modify, plan_slot, c->at, &was_null);
		c->changed = differs(sink, c, slot, was, was_null);
	}
}

/* Hand over the encoded row; false = it was not there, or was refused */
static bool
change_row(McOtsModify *modify)
{
	McOtsSink  *sink = modify->sink;

	if (modify->kept)
	{
		mcOtsKeepChange(modify->kept, sink);
		return true;
	}
	if (!modify->wait)
	{
		send_change(sink);
		return true;
	}
	mcOtsSinkExpect(sink, 1);
	if (sink->operation == CMD_UPDATE || sink->guarded)
		send_change(sink);
	else
		mcOtsSinkSend(sink, MCW_OTS_DELETE_ROW, MCW_OTS_EXPECT_EXIST, sink->next_tag++);
	mcOtsSinkFlush(sink);
	return sink->fates[0] == MC_OTS_WRITTEN;
}

static TupleTableSlot *
exec_update(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	McOtsModify *modify = rinfo->ri_FdwState;
	McOtsSink  *sink = modify->sink;
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	Datum		keys[MCW_OTS_MAX_KEYS];
	bool		nulls[MCW_OTS_MAX_KEYS];
	Datum		old_rest = (Datum) 0;
	bool		old_rest_null = true;
	bool		nothing;
	bool		done;

	mcCheckNewRow(estate, rinfo, slot);
	sink->seen++;
	identity(modify, plan_slot, keys, nulls);
	if (modify->before_update)
		find_changes(modify, slot, plan_slot);
	if (sink->rest && (sink->rest->named || sink->rest->changed))
		old_rest = old_value(modify, plan_slot, sink->rest->at, &old_rest_null);
	done = mcOtsEncodeUpdate(sink, slot, keys, nulls, old_rest, old_rest_null, &nothing);
	if (done && modify->before_update)
		compare_keys(sink, slot);
	if (done && !nothing)
		done = change_row(modify);
	MemoryContextSwitchTo(old);
	MemoryContextReset(sink->scratch);
	return done ? slot : NULL;
}

static TupleTableSlot *
exec_delete(EState *estate, ResultRelInfo *rinfo, TupleTableSlot *slot, TupleTableSlot *plan_slot)
{
	McOtsModify *modify = rinfo->ri_FdwState;
	McOtsSink  *sink = modify->sink;
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	Datum		keys[MCW_OTS_MAX_KEYS];
	bool		nulls[MCW_OTS_MAX_KEYS];
	bool		done;

	sink->seen++;
	identity(modify, plan_slot, keys, nulls);
	done = mcOtsEncodeDelete(sink, keys, nulls) && change_row(modify);
	MemoryContextSwitchTo(old);
	if (done && modify->wait && AttributeNumberIsValid(modify->whole_row))
	{
		bool		isnull;
		Datum		row = ExecGetJunkAttribute(plan_slot, modify->whole_row, &isnull);

		if (!isnull)
			ExecStoreHeapTupleDatum(row, slot);
	}
	MemoryContextReset(sink->scratch);
	return done ? slot : NULL;
}

static int
is_updatable(Relation rel)
{
	if (!mcIsUpdatable(rel) || mcOtsIsStream(RelationGetRelid(rel)) || mcOtsIsCellShape(RelationGetRelid(rel)))
		return 0;
	return (1 << CMD_INSERT) | (1 << CMD_UPDATE) | (1 << CMD_DELETE);
}

/* ---- EXPLAIN ---- */

static const char *
mode_text(const McServer *server, const ModifyTable *plan, bool marks)
{
	const char *mode = mcServerOption(server, "write_mode");

	if (plan->operation == CMD_UPDATE)
		return "update of existing rows, visible as sent";
	if (plan->operation == CMD_DELETE)
		return marks ? "mark as deleted, visible as sent" : "delete, visible as sent";
	if (plan->onConflictAction == ONCONFLICT_NOTHING)
		return "insert, rows that exist are skipped, visible as sent";
	if (mode && pg_strcasecmp(mode, "update") == 0)
		return "update, visible as sent";
	if (mode && pg_strcasecmp(mode, "insert") == 0)
		return "insert, visible as sent";
	return "put, visible as sent";
}

/* what the options say, without network and user mapping */
static void
explain_options(Relation rel, const ModifyTable *plan, ExplainState *es)
{
	McServer   *server = mcGetServer(MC_TABLESTORE, GetForeignTable(RelationGetRelid(rel))->serverid, InvalidOid,
									 RelationGetRelid(rel), false);
	const char *timestamp = mcServerOption(server, "cell_timestamp");
	List	   *options = GetForeignTable(RelationGetRelid(rel))->options;
	const char *guard = mcOptionText(options, "guard_column");
	const char *mark = mcOptionText(options, "delete_column");

	ExplainPropertyText("Target", psprintf("%s.%s", server->instance, mcOtsRemoteTable(rel)), es);
	ExplainPropertyText("Write Mode", mode_text(server, plan, mark != NULL), es);
	if (plan->operation != CMD_DELETE)
		ExplainPropertyText("Cell Timestamp", timestamp && pg_strcasecmp(timestamp, "server") == 0 ? "server" : "run", es);
	if (guard)
		ExplainPropertyText("Guard Column", guard, es);
	if (es->verbose)
	{
		ExplainPropertyInteger("Batch Size", NULL, mcServerOptionInt(server, "batch_size", MCW_OTS_MAX_BATCH_ROWS), es);
		ExplainPropertyInteger("Concurrency", NULL, mcOtsWriteConcurrency(server), es);
	}
}

static void
explain_modify(ModifyTableState *mtstate, ResultRelInfo *rinfo, List *fdw_private,
			   int subplan_index, ExplainState *es)
{
	McOtsModify *modify = rinfo->ri_FdwState;
	McOtsSink  *sink = modify ? modify->sink : NULL;
	const mcs_ots_writer_info *info;
	const mcn_stats *now;

	explain_options(rinfo->ri_RelationDesc, (ModifyTable *) mtstate->ps.plan, es);
	if (!es->analyze || !sink)
		return;

	/* EXPLAIN prints before EndForeignModify: without this the last batches would be missing */
	finish(mtstate->ps.state, modify);
	info = mcs_ots_writer_get_info(sink->writer);
	now = mcn_channel_stats(sink->conn->channel);
	ExplainPropertyInteger("Rows Written", NULL, info->rows, es);
	ExplainPropertyInteger("Rows Rejected", NULL, sink->rejects.rejected, es);
	if (sink->guarded)
		ExplainPropertyInteger("Rows Not Newer", NULL, info->stale, es);
	ExplainPropertyInteger("Batches", NULL, info->batches, es);
	ExplainPropertyInteger("Bytes Sent", NULL, info->bytes, es);
	ExplainPropertyInteger("Read Capacity Units", NULL, info->read_units, es);
	ExplainPropertyInteger("Write Capacity Units", NULL, info->write_units, es);
	ExplainPropertyInteger("Retries", NULL, now->retries - sink->before.retries, es);
	ExplainPropertyInteger("Rows Retried", NULL, info->row_retries, es);
	if (es->verbose || info->merged > 0)
		ExplainPropertyInteger("Rows Merged", NULL, info->merged, es);
	if (es->verbose || info->single_rows > 0)
		ExplainPropertyInteger("Rows Sent Alone", NULL, info->single_rows, es);
	if (es->verbose || info->settled > 0)
		ExplainPropertyInteger("Rows Settled", NULL, info->settled, es);
	if (sink->auto_key >= 0)
		ExplainPropertyInteger("Rows Possibly Repeated", NULL, info->repeated, es);
	if (es->timing)
		ExplainPropertyFloat("Wait Time", "ms", (now->wait_us - sink->before.wait_us) / 1000.0, 3, es);
}

void
mcOtsModifyRoutine(FdwRoutine *routine)
{
	routine->AddForeignUpdateTargets = add_targets;
	routine->PlanForeignModify = plan_modify;
	routine->BeginForeignModify = begin_modify;
	routine->ExecForeignInsert = exec_insert;
	routine->ExecForeignBatchInsert = exec_batch_insert;
	routine->GetForeignModifyBatchSize = batch_size;
	routine->ExecForeignUpdate = exec_update;
	routine->ExecForeignDelete = exec_delete;
	routine->EndForeignModify = end_modify;
	routine->BeginForeignInsert = begin_insert;
	routine->EndForeignInsert = end_modify;
	routine->IsForeignRelUpdatable = is_updatable;
	routine->ExplainForeignModify = explain_modify;
}
