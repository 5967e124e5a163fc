/*
 * ots_encode.c
 *		A tuple as a row change: keys, cells, versions.
 *
 * Core checks no constraint on rows of a foreign table, so NOT NULL is enforced here.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "job.h"
#include "ots_write.h"

#define HINT_VALUE "Correct the value in the statement, or set on_error to 'reject' or 'set_null'."
#define HINT_ROW "Filter such rows, or set on_error to 'reject'."

/* a value that a message may show */
static mcw_view
shown(McOtsSink *sink, const McOtsSinkColumn *c, Datum value)
{
	Oid			function;
	bool		varlena;

	if (!sink->rejects.verbose_values)
		return (mcw_view) {NULL, 0};
	getTypeOutputInfo(c->column->type, &function, &varlena);
	return mcw_str(OidOutputFunctionCall(function, value));
}

char *
mcOtsRawRow(void *arg)
{
	McOtsSink  *sink = arg;
	MemoryContext caller = CurrentMemoryContext;
	StringInfoData row;

	/* what the service refuses comes back when the row is gone */
	if (sink->encoding == NULL)
		return NULL;
	/* the caller's context keeps the result, and nothing besides */
	MemoryContextSwitchTo(sink->scratch);
	initStringInfo(&row);
	for (int i = 0; i < sink->desc->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(sink->desc, i);
		Oid			function;
		bool		varlena;

		if (mcIsNotRemote(a) || sink->encoding->tts_isnull[i])
			continue;
		getTypeOutputInfo(a->atttypid, &function, &varlena);
		mcRawMember(&row, NameStr(a->attname), mcw_str(OidOutputFunctionCall(function, sink->encoding->tts_values[i])));
	}
	MemoryContextSwitchTo(caller);
	return pstrdup(mcRawEnd(&row));
}

static bool
refuse_null(McOtsSink *sink, const McOtsSinkColumn *c)
{
	if (c->column->kind == MC_OTS_KEY && sink->rejects.on_error != MC_ON_ERROR_STOP)
		return mcOtsSinkRefuse(sink, c->column->attname, ERRCODE_NOT_NULL_VIOLATION,
							   psprintf("missing primary key %s", c->column->name), (mcw_view) {NULL, 0}, true, HINT_ROW);
	return mcOtsSinkRefuse(sink, c->column->attname, ERRCODE_NOT_NULL_VIOLATION,
						   psprintf("null value in %scolumn \"%s\" of \"%s\" violates not-null constraint",
									c->column->kind == MC_OTS_KEY ? "key " : "", c->column->attname, sink->relname),
						   (mcw_view) {NULL, 0}, true, HINT_ROW);
}

/* A window that is done again would write other rows beside those of the first attempt */
static void
refuse_chosen_key(const McOtsSink *sink, const McOtsSinkColumn *c)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("job \"%s\" cannot write rows of \"%s\" whose key the service chooses", mcJob->name, sink->relname),
			 errdetail("A window that is repeated writes them again, with other values of column \"%s\".", c->column->attname),
			 errhint("Give column \"%s\" a value, or create the job with at_least_once => true if rows may be repeated.",
					 c->column->attname)));
}

/* The key into sink->key; false = rejected */
static bool
convert_key(McOtsSink *sink, const Datum *values, const bool *nulls)
{
	sink->key.n = sink->nkeys;
	for (int i = 0; i < sink->nkeys; i++)
	{
		McOtsSinkColumn *c = &sink->keys[i];
		McOtsBad	bad;

		if (nulls[i])
		{
			if (i != sink->auto_key || sink->operation != CMD_INSERT)
				return refuse_null(sink, c);
			if (mcJob != NULL && !mcJob->at_least_once)
				refuse_chosen_key(sink, c);
			sink->key.v[i] = mcw_ots_none(MCW_OTS_AUTO_INCREMENT);
		}
		else if (mcOtsOut(c->out, values[i], &sink->key.v[i], &bad) != MC_OTS_OK)
			return mcOtsSinkRefuse(sink, c->column->attname, bad.sqlstate, bad.reason, shown(sink, c, values[i]),
								   true, HINT_ROW);
	}
	return true;
}

static void
begin_row(McOtsSink *sink, mcw_ots_writer *w)
{
	mcw_buf_reset(&sink->row);
	mcw_ots_begin_row(w, &sink->row);
	for (int i = 0; i < sink->nkeys; i++)
		mcw_ots_put_key(w, &sink->keys[i].name, &sink->key.v[i]);
}

static bool
end_row(McOtsSink *sink, mcw_ots_writer *w, int ncells)
{
	mcw_status	status = mcw_ots_end_row(w);

	if (status == MCW_ERR_LIMIT)
		return mcOtsSinkRefuse(sink, NULL, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
							   psprintf("the row is larger than the service's limit of %d bytes", MCW_OTS_MAX_BATCH_BYTES),
							   (mcw_view) {NULL, 0}, true, HINT_ROW);
	if (status != MCW_OK)
		ereport(ERROR,
				(errcode(status == MCW_ERR_NOMEM ? ERRCODE_OUT_OF_MEMORY : ERRCODE_INTERNAL_ERROR),
				 errmsg("a row of \"%s\" could not be encoded", sink->relname)));
	if (ncells > MCW_OTS_MAX_ROW_COLUMNS)
		return mcOtsSinkRefuse(sink, NULL, ERRCODE_PROGRAM_LIMIT_EXCEEDED,
							   psprintf("the row has %d attribute columns, more than the %d of one row change",
										ncells, MCW_OTS_MAX_ROW_COLUMNS),
							   (mcw_view) {NULL, 0}, true, HINT_ROW);
	return true;
}

/*
 * One version for the whole statement, so that sending a row twice changes nothing.
 * A statement that outlasts half of what the table allows begins a new one.
 */
static int64
run_version(McOtsSink *sink)
{
	int64		age;

	if (!sink->run_timestamp)
		return MCW_OTS_NO_TIMESTAMP;
	if ((sink->seen & 1023) != 0)
		return sink->run_ms;
	age = mcn_now_us() - sink->run_at_us;
	if (age < sink->deviation_us / 2)
		return sink->run_ms;
	ereport(NOTICE,
			(errmsg("rows of \"%s\" from here on carry a newer cell version", sink->relname),
			 errdetail("The statement has been running for half of the time that the table allows a version to deviate from the clock.")));
	sink->run_ms += age / 1000;
	sink->run_at_us += age;
	return sink->run_ms;
}

/* The version of this row's cells; false = rejected */
static bool
row_version(McOtsSink *sink, TupleTableSlot *slot, int64 *version)
{
	McOtsSinkColumn *c = sink->version;
	const char *reason = NULL;
	Datum		value;
	int64		ms;

	*version = run_version(sink);
	if (!c || slot->tts_isnull[c->at] || (sink->operation == CMD_UPDATE && !c->named && !c->changed))
		return true;
	value = slot->tts_values[c->at];
	ms = DatumGetInt64(value);
	if (c->column->type == TIMESTAMPTZOID)
	{
		if (TIMESTAMP_NOT_FINITE(ms))
			reason = "a cell version cannot be infinite";
		else
		{
			ms += MC_EPOCH_US;
			if (ms % 1000 != 0)
				reason = "a cell version has whole milliseconds";
			ms /= 1000;
		}
	}
	if (!reason && (ms < 0 || ms >= MCW_OTS_MAX_TIMESTAMP))
		reason = "a cell version lies between 1970 and the end of time in milliseconds";
	if (!reason)
	{
		*version = ms;
		return true;
	}
	/* 'set_null' takes the statement's version */
	return mcOtsSinkRefuse(sink, c->column->attname, ERRCODE_DATETIME_VALUE_OUT_OF_RANGE, reason,
						   shown(sink, c, value), false, HINT_VALUE);
}

/* One cell; false = the row is rejected */
static inline bool
put_cell(McOtsSink *sink, McOtsSinkColumn *c, mcw_ots_writer *w, TupleTableSlot *slot, bool deletes,
		 int64 version, int *ncells)
{
	mcw_ots_value value;
	McOtsBad	bad;

	if (!slot->tts_isnull[c->at])
	{
		if (likely(mcOtsOut(c->out, slot->tts_values[c->at], &value, &bad) == MC_OTS_OK))
		{
			mcw_ots_put_cell(w, &c->name, &value, MCW_OTS_PUT, version);
			++*ncells;
			return true;
		}
		if (!mcOtsSinkRefuse(sink, c->column->attname, bad.sqlstate, bad.reason,
							 shown(sink, c, slot->tts_values[c->at]), c->column->not_null, HINT_VALUE))
			return false;
		slot->tts_isnull[c->at] = true; /* as RETURNING shall show it */
	}
	else if (c->column->not_null)
		return refuse_null(sink, c);
	if (deletes)
	{
		mcw_ots_put_cell(w, &c->name, NULL, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP);
		++*ncells;
	}
	return true;
}

/* The members of field '*'; 'old' is what an UPDATE finds there, else NULL */
static bool
put_rest(McOtsSink *sink, mcw_ots_writer *w, TupleTableSlot *slot, bool deletes, const Datum *old,
		 int64 version, int *ncells)
{
	McOtsSinkColumn *c = sink->rest;
	McOtsRest	rest = {.sink = sink, .w = w, .deletes = deletes, .timestamp = version, .has_old = old != NULL};
	mcw_ots_writer saved = *w;
	size_t		len = w->out->len;
	const char *reason = NULL;

	if (slot->tts_isnull[c->at] && c->column->not_null)
		return refuse_null(sink, c);
	if (old)
	{
		rest.old = *old;
		mcOtsDropRest(&rest, slot->tts_values[c->at], slot->tts_isnull[c->at]);
	}
	if (!slot->tts_isnull[c->at])
		reason = mcOtsPutRest(&rest, slot->tts_values[c->at]);
	if (!reason)
	{
		*ncells += rest.ncells;
		return true;
	}
	*w = saved;
	w->out->len = len;
	if (!mcOtsSinkRefuse(sink, c->column->attname, ERRCODE_INVALID_PARAMETER_VALUE, reason,
						 shown(sink, c, slot->tts_values[c->at]), c->column->not_null, HINT_VALUE))
		return false;
	slot->tts_isnull[c->at] = true;
	return true;
}

/* A row that is returned shows the version that its cells have been given */
static void
show_version(McOtsSink *sink, TupleTableSlot *slot, int64 version)
{
	McOtsSinkColumn *c = sink->version;

	if (!c || !sink->returning || version == MCW_OTS_NO_TIMESTAMP)
		return;
	if (c->column->type == TIMESTAMPTZOID)
		version = version * 1000 - MC_EPOCH_US;
	/* an UPDATE leaves newer cells where they are */
	if (!slot->tts_isnull[c->at] && DatumGetInt64(slot->tts_values[c->at]) > version)
		return;
	slot->tts_values[c->at] = Int64GetDatum(version);
	slot->tts_isnull[c->at] = false;
}

static bool
encode_insert(McOtsSink *sink, TupleTableSlot *slot, mcw_ots_change *kind, mcw_ots_existence *existence)
{
	bool		update = sink->mode == MC_OTS_UPDATE && !sink->skip_existing;
	bool		deletes;
	Datum		keys[MCW_OTS_MAX_KEYS];
	bool		nulls[MCW_OTS_MAX_KEYS];
	mcw_ots_writer w;
	int			ncells = 0;
	int64		version;

	for (int i = 0; i < sink->nkeys; i++)
	{
		keys[i] = slot->tts_values[sink->keys[i].at];
		nulls[i] = slot->tts_isnull[sink->keys[i].at];
	}
	if (!convert_key(sink, keys, nulls) || !row_version(sink, slot, &version))
		return false;

	*existence = sink->mode == MC_OTS_INSERT || sink->skip_existing ? MCW_OTS_EXPECT_NOT_EXIST : MCW_OTS_IGNORE;
	if (sink->auto_key >= 0 && nulls[sink->auto_key])
	{
		*existence = MCW_OTS_IGNORE;	/* it will be a new row */
		update = false;
	}
	deletes = update && !sink->keep_null;
	*kind = update ? MCW_OTS_UPDATE_ROW : MCW_OTS_PUT_ROW;
	begin_row(sink, &w);
	for (int i = 0; i < sink->ncells; i++)
	{
		McOtsSinkColumn *c = &sink->cells[i];

		if (update && !c->named && !c->changed)
		{
			/* a row that comes again is not deleted any more */
			if (c == sink->mark)
			{
				mcw_ots_put_cell(&w, &c->name, NULL, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP);
				ncells++;
			}
			continue;
		}
		if (!put_cell(sink, c, &w, slot, deletes, version, &ncells))
			return false;
	}
	if (sink->rest && (!update || sink->rest->named || sink->rest->changed) &&
		!put_rest(sink, &w, slot, deletes, NULL, version, &ncells))
		return false;
	if (ncells > 0)
		show_version(sink, slot, version);
	if (sink->guarded)
	{
		mcOtsGuardPut(sink, &w, run_version(sink));
		ncells++;
	}
	if (update && ncells == 0)
	{
		/* an update without a cell is not possible: make the row unless it is there */
		*kind = MCW_OTS_PUT_ROW;
		*existence = MCW_OTS_EXPECT_NOT_EXIST;
	}
	return end_row(sink, &w, ncells);
}

bool
mcOtsEncodeInsert(McOtsSink *sink, TupleTableSlot *slot, mcw_ots_change *kind, mcw_ots_existence *existence)
{
	bool		done;

	slot_getallattrs(slot);
	sink->encoding = slot;
	done = encode_insert(sink, slot, kind, existence);
	sink->encoding = NULL;
	return done;
}

bool
mcOtsEncodeUpdate(McOtsSink *sink, TupleTableSlot *slot, const Datum *keys, const bool *nulls,
				  Datum old_rest, bool old_rest_null, bool *nothing)
{
	mcw_ots_writer w;
	int			ncells = 0;
	int64		version;

	*nothing = false;
	slot_getallattrs(slot);
	if (!convert_key(sink, keys, nulls) || !row_version(sink, slot, &version))
		return false;
	begin_row(sink, &w);
	for (int i = 0; i < sink->ncells; i++)
		if ((sink->cells[i].named || sink->cells[i].changed) && !put_cell(sink, &sink->cells[i], &w, slot, true, version, &ncells))
			return false;
	if (sink->rest && (sink->rest->named || sink->rest->changed) &&
		!put_rest(sink, &w, slot, true, old_rest_null ? NULL : &old_rest, version, &ncells))
		return false;
	*nothing = ncells == 0;
	if (ncells > 0)
		show_version(sink, slot, version);
	if (sink->guarded)
	{
		mcOtsGuardPut(sink, &w, run_version(sink));
		ncells++;
	}
	return end_row(sink, &w, ncells);
}

bool
mcOtsEncodeDelete(McOtsSink *sink, const Datum *keys, const bool *nulls)
{
	mcw_ots_writer w;

	mcw_ots_value deleted = {.type = MCW_OTS_BOOLEAN, .b = true};

	if (!convert_key(sink, keys, nulls))
		return false;
	begin_row(sink, &w);
	if (!sink->guarded)
	{
		mcw_ots_put_delete_marker(&w);
		return end_row(sink, &w, 0);
	}
	/* the guard must stay */
	for (int i = 0; i < sink->ncells; i++)
		if (&sink->cells[i] != sink->mark)
			mcw_ots_put_cell(&w, &sink->cells[i].name, NULL, MCW_OTS_DELETE_ALL, MCW_OTS_NO_TIMESTAMP);
	mcw_ots_put_cell(&w, &sink->mark->name, &deleted, MCW_OTS_PUT, run_version(sink));
	mcOtsGuardPut(sink, &w, run_version(sink));
	return end_row(sink, &w, sink->ncells + 1);
}
