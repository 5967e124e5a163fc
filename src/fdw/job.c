/*
 * job.c
 *		The run of a job as scans and writes see it: sources and their positions.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_collation.h"
#include "utils/formatting.h"
#include "catalog/pg_inherits.h"
#include "executor/executor.h"
#include "nodes/execnodes.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "job.h"

McJobRun   *mcJob = NULL;
static const McJobRun *alive = NULL;

bool
mcJobWindow(TimestampTz lo, TimestampTz hi)
{
	return mcJob != NULL && mcJob->lo == lo && mcJob->hi == hi;
}

char *
mcJobCopy(const char *text)
{
	return MemoryContextStrdup(mcJob->cxt, text);
}

McJobSource *
mcJobSource(McWrapper wrapper, const char *key)
{
	McJobSource *source;
	ListCell   *lc;
	MemoryContext old;

	foreach(lc, mcJob->sources)
	{
		source = lfirst(lc);
		if (source->wrapper == wrapper && strcmp(source->key, key) == 0)
			return source;
	}
	old = MemoryContextSwitchTo(mcJob->cxt);
	source = palloc0(sizeof(McJobSource));
	source->wrapper = wrapper;
	source->key = pstrdup(key);
	mcJob->load(mcJob, source);
	mcJob->sources = lappend(mcJob->sources, source);
	MemoryContextSwitchTo(old);
	return source;
}

McJobPosition *
mcJobPosition(McJobSource *source, const char *shard)
{
	ListCell   *lc;

	foreach(lc, source->positions)
	{
		McJobPosition *position = lfirst(lc);

		if (strcmp(position->shard, shard) == 0)
			return position;
	}
	return NULL;
}

McJobPosition *
mcJobAddPosition(McJobSource *source, const char *shard)
{
	MemoryContext old = MemoryContextSwitchTo(mcJob->cxt);
	McJobPosition *position = palloc0(sizeof(McJobPosition));

	position->shard = pstrdup(shard);
	source->positions = lappend(source->positions, position);
	MemoryContextSwitchTo(old);
	return position;
}

bool
mcJobAlive(const McJobRun *run)
{
	return alive == run;
}

static void
forget_run(void *arg)
{
	if (alive == arg)
		alive = NULL;
}

/* ---- order ---- */

/* Rows that are inserted here stay side by side, whatever their order */
static bool
only_adds(Oid relid)
{
	FdwRoutine *odps = makeNode(FdwRoutine);
	FdwRoutine *oss = makeNode(FdwRoutine);
	FdwRoutine *routine;
	Relation	rel;
	bool		result;

	switch (get_rel_relkind(relid))
	{
		case RELKIND_FOREIGN_TABLE:
			mcOdpsModifyRoutine(odps);
			mcOssModifyRoutine(oss);
			routine = GetFdwRoutineByRelId(relid);
			return routine->BeginForeignModify != NULL &&
				(routine->BeginForeignModify == odps->BeginForeignModify ||
				 routine->BeginForeignModify == oss->BeginForeignModify);
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			/* locked by the executor, partitions only when a row comes */
			rel = table_open(relid, AccessShareLock);
			result = rel->trigdesc == NULL ||
				!(rel->trigdesc->trig_insert_before_row || rel->trigdesc->trig_insert_after_row);
			table_close(rel, NoLock);
			return result;
		default:
			return false;
	}
}

static bool
is_ordered(EState *estate)
{
	PlannedStmt *stmt = estate->es_plannedstmt;
	ListCell   *lc;
	ListCell   *lc2;

	if (stmt->commandType != CMD_INSERT || stmt->hasModifyingCTE || !IsA(stmt->planTree, ModifyTable) ||
		castNode(ModifyTable, stmt->planTree)->onConflictAction != ONCONFLICT_NONE)
		return true;
	foreach(lc, stmt->resultRelations)
	{
		foreach(lc2, find_all_inheritors(exec_rt_fetch(lfirst_int(lc), estate)->relid, AccessShareLock, NULL))
		{
			if (!only_adds(lfirst_oid(lc2)))
				return true;
		}
	}
	return false;
}

bool
mcJobOrdered(ForeignScanState *node)
{
	bool		result = is_ordered(node->ss.ps.state);

	if (result)
		mcJob->ordered = true;
	return result;
}

/* Memory goes with the transaction, whichever way it ends */
static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		mcJob = NULL;
}

void
mcJobBegin(McJobRun *run)
{
	static bool registered = false;
	MemoryContextCallback *callback;

	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		registered = true;
	}
	callback = MemoryContextAllocZero(run->cxt, sizeof(MemoryContextCallback));
	callback->func = forget_run;
	callback->arg = run;
	MemoryContextRegisterResetCallback(run->cxt, callback);
	alive = run;
	mcJob = run;
	run->executing = true;
}

void
mcJobEnd(void)
{
	mcJob = NULL;
}

void
mcJobCountFor(McJobRun *run, const mcn_stats *now, const mcn_stats *before, bool write)
{
	static const mcn_stats none = {0};

	if (!now)
		return;
	if (!before)
		before = &none;
	run->requests += now->requests - before->requests;
	run->retries += now->retries - before->retries;
	run->throttled_us += now->rate_us - before->rate_us + now->backoff_us - before->backoff_us;
	if (write)
	{
		run->bytes_out += now->bytes_out - before->bytes_out;
		run->wait_target_us += now->wait_us - before->wait_us;
	}
	else
	{
		run->bytes_in += now->bytes_in - before->bytes_in;
		run->wait_source_us += now->wait_us - before->wait_us;
	}
}

void
mcJobCount(const mcn_stats *now, const mcn_stats *before, bool write)
{
	if (mcJob)
		mcJobCountFor(mcJob, now, before, write);
}

char *
mcEndpointHost(const char *endpoint)
{
	const char *host = strstr(endpoint, "://");
	size_t		len;

	host = host ? host + 3 : endpoint;
	len = strcspn(host, "/");
	return str_tolower(host, len, C_COLLATION_OID);
}
