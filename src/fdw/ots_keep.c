/*
 * ots_keep.c
 *		Row changes that wait until their statement has read everything.
 *
 * Rows are visible as they are sent.  A statement that reads the table it changes
 * would read what it has written: an INSERT without an end if keys grow, an UPDATE the
 * values it has set, a DELETE no longer the rows it has to compare with.  So its rows
 * wait here, in memory and then in a temporary file.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/tuplestore.h"

#include "ots_write.h"

struct McOtsKept
{
	Tuplestorestate *store;
	TupleTableSlot *slot;		/* INSERT: of the target; else one bytea, the encoded row change */
};

/*
 * The targets of other parts of the statement are left out of an UPDATE's and a
 * DELETE's view: which of several changes of one row comes first is nobody's promise.
 */
bool
mcOtsReadsTarget(EState *estate, const ResultRelInfo *rinfo, const McOtsSink *sink)
{
	Index		rti = 0;
	ListCell   *lc;

	foreach(lc, estate->es_range_table)
	{
		RangeTblEntry *rte = lfirst(lc);
		ForeignTable *ft;
		const char *table;

		if (++rti == rinfo->ri_RangeTableIndex || rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_FOREIGN_TABLE)
			continue;
		if (sink->operation != CMD_INSERT && list_member_int(estate->es_plannedstmt->resultRelations, (int) rti))
			continue;
		ft = GetForeignTable(rte->relid);
		if (ft->serverid != sink->server->serverid || mcOtsIsStream(rte->relid))
			continue;
		table = mcOptionText(ft->options, "table");
		if (strcmp(table ? table : get_rel_name(rte->relid), sink->table) == 0)
			return true;
	}
	return false;
}

McOtsKept *
mcOtsKeep(McOtsSink *sink, EState *estate)
{
	MemoryContext old = MemoryContextSwitchTo(sink->cxt);
	McOtsKept  *kept = palloc0(sizeof(McOtsKept));
	TupleDesc	desc = sink->desc;

	if (sink->operation != CMD_INSERT)
	{
		desc = CreateTemplateTupleDesc(1);
		TupleDescInitEntry(desc, 1, "change", BYTEAOID, -1, 0);
	}
	kept->store = tuplestore_begin_heap(false, false, work_mem);
	MemoryContextSwitchTo(estate->es_query_cxt);
	kept->slot = ExecInitExtraTupleSlot(estate, CreateTupleDescCopy(desc), &TTSOpsMinimalTuple);
	MemoryContextSwitchTo(old);
	return kept;
}

void
mcOtsKeepRow(McOtsKept *kept, TupleTableSlot *slot)
{
	tuplestore_puttupleslot(kept->store, slot);
}

/* The change that has been encoded; in the scratch context */
void
mcOtsKeepChange(McOtsKept *kept, McOtsSink *sink)
{
	bytea	   *bytes = palloc(VARHDRSZ + sink->row.len);
	Datum		value = PointerGetDatum(bytes);
	bool		isnull = false;

	SET_VARSIZE(bytes, VARHDRSZ + sink->row.len);
	memcpy(VARDATA(bytes), sink->row.data, sink->row.len);
	tuplestore_putvalues(kept->store, kept->slot->tts_tupleDescriptor, &value, &isnull);
}

/* The next row of an INSERT; NULL when all have been had */
TupleTableSlot *
mcOtsKeptRow(McOtsKept *kept)
{
	return tuplestore_gettupleslot(kept->store, true, false, kept->slot) ? kept->slot : NULL;
}

/* The next change into sink->row and sink->key, valid until the one after */
bool
mcOtsKeptChange(McOtsKept *kept, McOtsSink *sink)
{
	mcw_ots_reader *reader;
	mcw_ots_row row;
	mcw_ots_cell cell;
	mcw_status	status;
	mcw_error	err;
	size_t		pos = 0;
	bool		is_key;
	bool		isnull;
	bytea	   *bytes;

	if (!tuplestore_gettupleslot(kept->store, true, false, kept->slot))
		return false;
	bytes = DatumGetByteaPP(slot_getattr(kept->slot, 1, &isnull));
	mcw_buf_reset(&sink->row);
	status = mcw_buf_append_view(&sink->row, (mcw_view) {VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)});
	reader = mcw_ots_reader_create(&sink->conn->alloc, NULL, 0);
	if (!reader)
		status = mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
	if (status == MCW_OK)
		status = mcw_ots_reader_page(reader, mcw_buf_view(&sink->row), false, &err);
	if (status == MCW_OK)
		status = mcw_ots_next_row(reader, &row, NULL, NULL, &err);
	sink->key.n = 0;
	while (status == MCW_OK && sink->key.n < sink->nkeys &&
		   mcw_ots_next_cell(&row, &pos, &cell, &is_key) == MCW_OK && is_key)
		sink->key.v[sink->key.n++] = cell.value;
	mcw_ots_reader_free(reader);
	if (status != MCW_OK || sink->key.n != sink->nkeys)
		elog(ERROR, "a row change of \"%s\" could not be read back", sink->relname);
	return true;
}

void
mcOtsKeptEnd(McOtsKept *kept)
{
	ExecClearTuple(kept->slot);
	tuplestore_end(kept->store);
	pfree(kept);
}
