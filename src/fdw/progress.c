/*
 * progress.c
 *		The statement's entry among the server's own progress reports.
 *
 * It is one of COPY's, so that no shared memory of ours is needed: bytes and rows stand
 * where COPY has them and show in pg_stat_progress_copy, the rest in parameters that it
 * does not use.  There is one entry for each backend, and it may belong to somebody else
 * (COPY, ANALYZE); any subtransaction that aborts clears it.
 */
#include "postgres.h"

#include "commands/progress.h"
#include "miscadmin.h"
#include "utils/backend_progress.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "progress.h"

int			mc_progress_interval = 0;

/* parameters of the entry, from 0; the view counts from 1 */
enum
{
	P_ROWS_IN = 8,
	P_BYTES_IN,
	P_PARTS_DONE,
	P_PARTS_TOTAL,
	P_REQUESTS,
	P_RETRIES,
	P_REJECTED,
	P_POSITION,
	P_WINDOW_BEGIN,
	P_WINDOW_END,
	P_STARTED,
	P_MAGIC
};

#define MAGIC INT64CONST(0x6d635f666477)

static int64 counts[PGSTAT_NUM_PROGRESS_PARAM];
static int	users = 0;			/* scans and writes that are running */
static Oid	relation = InvalidOid;
static bool of_target = false;
static TimestampTz noticed = 0;

static bool
is_ours(void)
{
	return MyBEEntry && MyBEEntry->st_progress_command == PROGRESS_COMMAND_COPY &&
		MyBEEntry->st_progress_param[P_MAGIC] == MAGIC;
}

static void
notice(void)
{
	TimestampTz now = GetCurrentTimestamp();
	double		seconds = (now - counts[P_STARTED]) / 1e6;
	int64		rows = of_target ? counts[PROGRESS_COPY_TUPLES_PROCESSED] : counts[P_ROWS_IN];
	int64		bytes = of_target ? counts[PROGRESS_COPY_BYTES_PROCESSED] : counts[P_BYTES_IN];

	noticed = now;
	ereport(NOTICE,
			(errmsg("%s \"%s\": %lld rows, %lld MB, %.0f rows/s%s%s",
					of_target ? "to" : "from", get_rel_name(relation), (long long) rows, (long long) (bytes >> 20),
					seconds > 0 ? rows / seconds : 0.0,
					counts[P_PARTS_TOTAL] > 0 ? psprintf(", %lld of %lld parts", (long long) counts[P_PARTS_DONE], (long long) counts[P_PARTS_TOTAL]) : "",
					counts[P_POSITION] ? psprintf(", at %s", timestamptz_to_str(counts[P_POSITION])) : ""),
			 errhidestmt(true), errhidecontext(true)));
}

static void
show(void)
{
	static int	index[PGSTAT_NUM_PROGRESS_PARAM];

	if (users == 0)
		return;
	if (!is_ours())
	{
		if (!MyBEEntry || MyBEEntry->st_progress_command != PROGRESS_COMMAND_INVALID)
			return;
		pgstat_progress_start_command(PROGRESS_COMMAND_COPY, relation);
	}
	for (int i = 0; i < PGSTAT_NUM_PROGRESS_PARAM; i++)
		index[i] = i;
	pgstat_progress_update_multi_param(PGSTAT_NUM_PROGRESS_PARAM, index, counts);
	if (mc_progress_interval > 0 && GetCurrentTimestamp() - Max(noticed, counts[P_STARTED]) >= (int64) mc_progress_interval * 1000)
		notice();
}

static void
ended(void *arg)
{
	if (--users > 0)
		return;
	if (is_ours())
		pgstat_progress_end_command();
	relation = InvalidOid;
	of_target = false;
}

void
mcProgressBegin(MemoryContext cxt, Oid relid, bool target)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(cxt, sizeof(MemoryContextCallback));

	if (users == 0)
	{
		memset(counts, 0, sizeof(counts));
		counts[P_MAGIC] = MAGIC;
		counts[P_STARTED] = GetCurrentTimestamp();
		counts[PROGRESS_COPY_COMMAND] = PROGRESS_COPY_COMMAND_TO;
		counts[PROGRESS_COPY_TYPE] = PROGRESS_COPY_TYPE_CALLBACK;
		noticed = 0;
	}
	callback->func = ended;
	MemoryContextRegisterResetCallback(cxt, callback);
	users++;
	if (!OidIsValid(relation) || (target && !of_target))
	{
		if (is_ours())
			pgstat_progress_end_command();
		relation = relid;
		of_target = target;
	}
	show();
}

void
mcProgressIn(int64 rows, int64 bytes)
{
	counts[P_ROWS_IN] += rows;
	counts[P_BYTES_IN] += bytes;
	show();
}

void
mcProgressOut(int64 rows, int64 bytes)
{
	counts[PROGRESS_COPY_TUPLES_PROCESSED] += rows;
	counts[PROGRESS_COPY_BYTES_PROCESSED] += bytes;
	show();
}

void
mcProgressParts(int64 done, int64 total)
{
	counts[P_PARTS_DONE] += done;
	counts[P_PARTS_TOTAL] += total;
	show();
}

void
mcProgressWindow(TimestampTz begin, TimestampTz end)
{
	counts[P_WINDOW_BEGIN] = begin;
	counts[P_WINDOW_END] = end;
}

void
mcProgressPosition(TimestampTz position)
{
	if (position > counts[P_POSITION])
		counts[P_POSITION] = position;
}

void
mcProgressRequests(int64 requests, int64 retries)
{
	counts[P_REQUESTS] += requests;
	counts[P_RETRIES] += retries;
}
