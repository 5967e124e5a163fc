/*
 * progress.c
 *		The statement's entry among the server's own progress reports.
 *
 * It is one of COPY's, so that no shared memory of ours is needed: bytes and rows stand
 * where COPY has them and show in pg_stat_progress_copy, the rest in parameters that it
 * does not use.  There is one entry for each backend, and it may belong to somebody else:
 * a COPY around us (or in a function that the statement calls) keeps its own parameters
 * and lends us the others, any other command has the entry for itself.  A subtransaction
 * that aborts clears it; with the next page it is there again.
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

/* parameters of the entry, from 0; the view counts from 1.  COPY has those up to 6. */
enum
{
	P_ROWS_EXPECTED = 7,
	P_ROWS_IN,
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

#define FIRST_LENT P_ROWS_EXPECTED
#define MAGIC INT64CONST(0x6d635f666477)
#define MAGIC_GUEST (MAGIC + 1) /* in the entry of a COPY */

static int64 counts[PGSTAT_NUM_PROGRESS_PARAM];
static int	users = 0;			/* scans and writes that are running */
static Oid	relation = InvalidOid;
static bool of_write = false;
static TimestampTz noticed = 0;

static bool
is_copy(void)
{
	return MyBEEntry && MyBEEntry->st_progress_command == PROGRESS_COMMAND_COPY;
}

static bool
is_ours(void)
{
	return is_copy() && MyBEEntry->st_progress_param[P_MAGIC] == MAGIC;
}

static void
put(int first, const int64 *values)
{
	static int	index[PGSTAT_NUM_PROGRESS_PARAM];

	for (int i = first; i < PGSTAT_NUM_PROGRESS_PARAM; i++)
		index[i] = i;
	pgstat_progress_update_multi_param(PGSTAT_NUM_PROGRESS_PARAM - first, index + first, values + first);
}

static void
notice(void)
{
	TimestampTz now = GetCurrentTimestamp();
	double		seconds = (now - counts[P_STARTED]) / 1e6;
	int64		rows = of_write ? counts[PROGRESS_COPY_TUPLES_PROCESSED] : counts[P_ROWS_IN];
	int64		bytes = of_write ? counts[PROGRESS_COPY_BYTES_PROCESSED] : counts[P_BYTES_IN];

	noticed = now;
	ereport(NOTICE,
			(errmsg("%s \"%s\": %lld rows, %lld MB, %.0f rows/s%s%s",
					of_write ? "to" : "from", get_rel_name(relation), (long long) rows, (long long) (bytes >> 20),
					seconds > 0 ? rows / seconds : 0.0,
					counts[P_PARTS_TOTAL] > 0 ? psprintf(", %lld of %lld parts", (long long) counts[P_PARTS_DONE], (long long) counts[P_PARTS_TOTAL]) : "",
					counts[P_POSITION] ? psprintf(", at %s", timestamptz_to_str(counts[P_POSITION])) : ""),
			 errhidestmt(true), errhidecontext(true)));
}

static void
show(void)
{
	if (!MyBEEntry)
		return;
	if (is_copy() && !is_ours())
	{
		counts[P_MAGIC] = MAGIC_GUEST;
		put(FIRST_LENT, counts);
	}
	else if (is_ours() || MyBEEntry->st_progress_command == PROGRESS_COMMAND_INVALID)
	{
		if (!is_ours())
			pgstat_progress_start_command(PROGRESS_COMMAND_COPY, relation);
		counts[P_MAGIC] = MAGIC;
		put(0, counts);
	}
	if (mc_progress_interval > 0 && GetCurrentTimestamp() - Max(noticed, counts[P_STARTED]) >= (int64) mc_progress_interval * 1000)
		notice();
}

/* Runs in every ending; nothing is raised */
static void
ended(void *arg)
{
	static const int64 none[PGSTAT_NUM_PROGRESS_PARAM];

	((McProgress *) arg)->begun = false;
	if (--users > 0)
		return;
	if (is_ours())
		pgstat_progress_end_command();
	else if (is_copy() && MyBEEntry->st_progress_param[P_MAGIC] == MAGIC_GUEST)
		put(FIRST_LENT, none);
	relation = InvalidOid;
	of_write = false;
}

void
mcProgressBegin(McProgress *progress, MemoryContext cxt, Oid relid, bool write, const mcn_stats *net)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(cxt, sizeof(MemoryContextCallback));

	if (users == 0)
	{
		memset(counts, 0, sizeof(counts));
		counts[P_STARTED] = GetCurrentTimestamp();
		counts[PROGRESS_COPY_COMMAND] = PROGRESS_COPY_COMMAND_TO;
		counts[PROGRESS_COPY_TYPE] = PROGRESS_COPY_TYPE_CALLBACK;
		noticed = 0;
	}
	memset(progress, 0, sizeof(McProgress));
	progress->begun = true;
	progress->write = write;
	if (net)
	{
		progress->requests = net->requests;
		progress->retries = net->retries;
	}
	callback->func = ended;
	callback->arg = progress;
	MemoryContextRegisterResetCallback(cxt, callback);
	users++;
	if (!OidIsValid(relation) || (write && !of_write))
	{
		if (is_ours())
			pgstat_progress_end_command();
		relation = relid;
		of_write = write;
	}
	show();
}

void
mcProgressMoved(McProgress *progress, const McMoved *now, const mcn_stats *net)
{
	McMoved    *told = &progress->told;

	if (!progress->begun)
		return;
	counts[progress->write ? PROGRESS_COPY_TUPLES_PROCESSED : P_ROWS_IN] += now->rows - told->rows;
	counts[progress->write ? PROGRESS_COPY_BYTES_PROCESSED : P_BYTES_IN] += now->bytes - told->bytes;
	counts[P_PARTS_DONE] += now->parts_done - told->parts_done;
	counts[P_PARTS_TOTAL] += now->parts_total - told->parts_total;
	counts[P_ROWS_EXPECTED] += now->rows_expected - told->rows_expected;
	*told = *now;
	if (net)
	{
		counts[P_REQUESTS] += net->requests - progress->requests;
		counts[P_RETRIES] += net->retries - progress->retries;
		progress->requests = net->requests;
		progress->retries = net->retries;
	}
	show();
}

static TimestampTz
from_unix(int64 us)
{
	return us != 0 ? us - MC_EPOCH_US : 0;
}

void
mcProgressWindow(int64 begin, int64 end)
{
	counts[P_WINDOW_BEGIN] = from_unix(begin);
	counts[P_WINDOW_END] = from_unix(end);
}

/* parts are read side by side: the farthest counts */
void
mcProgressPosition(int64 position)
{
	counts[P_POSITION] = Max(counts[P_POSITION], from_unix(position));
}

void
mcProgressRejected(void)
{
	counts[P_REJECTED]++;
}
