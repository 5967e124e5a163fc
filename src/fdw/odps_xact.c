/*
 * odps_xact.c
 *		Transaction callbacks of MaxCompute writes.
 *
 * Publishing happens in PRE_COMMIT, because an error in COMMIT would be a PANIC.
 * ABORT and the subtransaction events do no I/O and cannot fail: what was uploaded is
 * simply never committed and expires in the service.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"

#include "odps_write.h"

static bool registered = false;

/*
 * Interrupts stay held from the first commit request until the local commit: a cancel
 * in between would roll back what is published.  An ERROR resets the counter itself.
 */
static bool holding = false;

void
mcHoldInterrupts(void)
{
	if (!holding)
		HOLD_INTERRUPTS();
	holding = true;
}

static void
pre_commit(void)
{
	if (!mcWriteUploads() && !mcWriteIntents())
		return;
	if (mcWriters() > 0)
		elog(ERROR, "a MaxCompute write is still running at commit");
	mcPublish();
}

static void
committed(void)
{
	for (McTarget *t = mcWriteTargets(); t; t = t->next)
		mcOdpsForgetTable(t->relid);
	mcWriteForget();
	(void) mcPublished();
	if (holding)
		RESUME_INTERRUPTS();
	holding = false;
}

static void
aborted(void)
{
	holding = false;
	if (mcPublished())
		ereport(WARNING,
				(errcode(ERRCODE_T_R_STATEMENT_COMPLETION_UNKNOWN),
				 errmsg("MaxCompute changes of this transaction were published before it failed"),
				 errdetail("They are not undone; the server log has the upload sessions.")));
	mcWriteForget();
}

static void
xact_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			pre_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (mcWriteUploads() || mcWriteIntents())
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has written to a MaxCompute table"),
						 errdetail("Upload sessions belong to this session and expire.")));
			mcWriteForget();
			break;
		case XACT_EVENT_COMMIT:
			committed();
			break;
		case XACT_EVENT_ABORT:
			aborted();
			break;
		default:
			break;
	}
}

static void
subxact_callback(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		mcWriteSubCommit(mine, parent);
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		mcWriteSubAbort(mine);
}

void
mcOdpsInitXact(void)
{
	if (registered)
		return;
	RegisterXactCallback(xact_callback, NULL);
	RegisterSubXactCallback(subxact_callback, NULL);
	registered = true;
}
