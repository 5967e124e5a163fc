/*
 * standby.c
 *		mc._wait_standby(): has the last commit of this session reached the synchronous
 *		standbys?
 *
 * A wait for them can be cancelled with no more than a WARNING, and the command goes on.
 * What is then published would be unknown to a standby that is promoted.
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "fmgr.h"
#include "replication/syncrep.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/lwlock.h"

#include "../fdw/mc_fdw.h"

PG_FUNCTION_INFO_V1(mc_wait_standby);
Datum
mc_wait_standby(PG_FUNCTION_ARGS)
{
	XLogRecPtr	released;

	if (!SyncRepRequested() || SyncRepStandbyNames == NULL || SyncRepStandbyNames[0] == '\0')
		PG_RETURN_VOID();
	LWLockAcquire(SyncRepLock, LW_SHARED);
	released = WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH];
	LWLockRelease(SyncRepLock);
	if (released < XactLastCommitEnd)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the synchronous standbys have not confirmed the run, nothing is published yet"),
				 errhint("It is tried again by the next call and by mc.resolve_all().")));
	PG_RETURN_VOID();
}
