/*
 * lock.c
 *		The lock of a job: held by a session from picking a window until it is done,
 *		over several transactions.
 *
 * It is an advisory lock of the session, so pg_locks shows it.  An error that ends the
 * procedure releases it, as the abort of a transaction does not do by itself: in a
 * pooled session the job would stay locked for everybody else.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lock.h"

#include "../fdw/compat.h"
#include "sync.h"

#define MC_JOB_CLASS 0x6d63		/* first key of the advisory locks of jobs */
#define MC_TARGET_CLASS 0x6d64
#define MC_SWEEPER_CLASS 0x6d65	/* of a sweeper, for as long as it has a job's lock */

static int64 locked_job = 0;
static bool sweeping = false;

static void
job_tag(LOCKTAG *tag, int64 job_id)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, MC_JOB_CLASS, (uint32) job_id, 2);
}

static void
sweeper_tag(LOCKTAG *tag, int64 job_id)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, MC_SWEEPER_CLASS, (uint32) job_id, 2);
}

static void
release_job(void)
{
	LOCKTAG		tag;

	if (locked_job == 0)
		return;
	job_tag(&tag, locked_job);
	(void) LockRelease(&tag, ExclusiveLock, true);
	if (sweeping)
	{
		sweeper_tag(&tag, locked_job);
		(void) LockRelease(&tag, ExclusiveLock, true);
	}
	locked_job = 0;
	sweeping = false;
}

static bool
try_lock(const LOCKTAG *tag)
{
	return LockAcquire(tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

/*
 * A scheduler starts runs and the sweeper in the same second: a run that found the lock
 * taken by the sweeper and went away would miss its turn, so it waits for that one, and
 * lets no other sweeper in between.
 */
static bool
lock_run(int64 job_id)
{
	LOCKTAG		job;
	LOCKTAG		sweeper;
	bool		locked;

	job_tag(&job, job_id);
	if (try_lock(&job))
		return true;
	sweeper_tag(&sweeper, job_id);
	(void) LockAcquire(&sweeper, ShareLock, true, false);
	locked = try_lock(&job);
	(void) LockRelease(&sweeper, ShareLock, true);
	return locked;
}

static bool
lock_sweep(int64 job_id)
{
	LOCKTAG		job;
	LOCKTAG		sweeper;

	sweeper_tag(&sweeper, job_id);
	if (!try_lock(&sweeper))
		return false;
	job_tag(&job, job_id);
	if (try_lock(&job))
		return true;
	(void) LockRelease(&sweeper, ExclusiveLock, true);
	return false;
}

static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		release_job();
}

PG_FUNCTION_INFO_V1(mc_lock_job);
Datum
mc_lock_job(PG_FUNCTION_ARGS)
{
	static bool registered = false;
	int64		job_id = PG_GETARG_INT64(0);
	bool		sweep = PG_GETARG_BOOL(1);

	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		registered = true;
	}
	/* an error that somebody catches would leave the lock behind: no transaction is aborted then */
	if (IsTransactionBlock() || IsSubTransaction())
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("a job cannot run inside a transaction block"),
				 errdetail("It commits each window by itself."),
				 errhint("Use CALL as a command of its own, not after BEGIN and not together with other commands in one string.")));
	if (!mcMayCommit())
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("a job cannot run inside a function"),
				 errdetail("It commits each window by itself."),
				 errhint("Use CALL as a command of its own; DO blocks and procedures that are called so may CALL it, too.")));
	if (locked_job != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("this session already runs a job")));
	if (!(sweep ? lock_sweep(job_id) : lock_run(job_id)))
		PG_RETURN_BOOL(false);
	locked_job = job_id;
	sweeping = sweep;
	PG_RETURN_BOOL(true);
}

void
mcCheckJobLock(void)
{
	LOCKTAG		tag;

	if (locked_job == 0)
		return;
	job_tag(&tag, locked_job);
	if (!mcLockHeld(&tag, ExclusiveLock))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the statement of the job has released the job's lock"),
				 errhint("Do not use pg_advisory_unlock_all() in a job.")));
}

PG_FUNCTION_INFO_V1(mc_unlock_job);
Datum
mc_unlock_job(PG_FUNCTION_ARGS)
{
	release_job();
	PG_RETURN_VOID();
}

void
mcLockTarget(uint32 hash, bool shared)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, MC_TARGET_CLASS, hash, 2);
	(void) LockAcquire(&tag, shared ? ShareLock : ExclusiveLock, false, false);
}
