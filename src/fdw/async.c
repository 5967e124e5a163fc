/*
 * async.c
 *		The async protocol of Append: several scans of one statement fetch at the same
 *		time.
 *
 * All scans share the backend's event loop, so a step made for one may bring pages
 * for another.  Hence a scan looks for news before it waits, and each waits on its
 * own duplicate of the loop's descriptor, since one cannot be added twice to a set.
 */
#include "postgres.h"

#include <unistd.h>

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "async.h"

static bool
is_async_capable(ForeignPath *path)
{
	return true;
}

static McAsync *
async_of(AsyncRequest *areq)
{
	return ((ForeignScanState *) areq->requestee)->fdw_state;
}

/* A row if one is there, the end, or a promise */
static void
produce(AsyncRequest *areq)
{
	McAsync    *scan = async_of(areq);
	TupleTableSlot *slot;

	scan->no_wait = scan->has_news != NULL;
	slot = areq->requestee->ExecProcNodeReal(areq->requestee);
	scan->no_wait = false;
	if (TupIsNull(slot) && scan->starved)
		ExecAsyncRequestPending(areq);
	else
		ExecAsyncRequestDone(areq, slot);
}

static void
step(void)
{
	mcw_status	status = mcn_loop_step(mcLoop(), 0);

	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
}

static void
async_request(AsyncRequest *areq)
{
	produce(areq);
}

static void
async_notify(AsyncRequest *areq)
{
	step();
	produce(areq);
}

static void
open_wait_fd(McAsync *scan)
{
	ReserveExternalFD();
	scan->wait_fd = dup(mcn_loop_fd(mcLoop()));
	if (scan->wait_fd < 0)
	{
		int			saved = errno;

		ReleaseExternalFD();
		errno = saved;
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not duplicate the descriptor of the event loop: %m")));
	}
}

static void
async_configure_wait(AsyncRequest *areq)
{
	McAsync    *scan = async_of(areq);

	Assert(areq->callback_pending);
	step();
	if (scan->has_news(scan))
	{
		areq->callback_pending = false;
		produce(areq);
		if (areq->request_complete)
		{
			/* nobody else tells the requestor or counts the row */
			ExecAsyncResponse(areq);
			if (areq->requestee->instrument)
				InstrUpdateTupleCount(areq->requestee->instrument, TupIsNull(areq->result) ? 0.0 : 1.0);
			return;
		}
	}
	if (scan->wait_fd < 0)
		open_wait_fd(scan);
	AddWaitEventToSet(((AppendState *) areq->requestor)->as_eventset, WL_SOCKET_READABLE,
					  scan->wait_fd, NULL, areq);
}

void
mcAsyncRelease(McAsync *async)
{
	if (async->wait_fd >= 0)
	{
		(void) close(async->wait_fd);
		ReleaseExternalFD();
	}
	async->wait_fd = -1;
}

void
mcAsyncRoutine(FdwRoutine *routine)
{
	routine->IsForeignPathAsyncCapable = is_async_capable;
	routine->ForeignAsyncRequest = async_request;
	routine->ForeignAsyncConfigureWait = async_configure_wait;
	routine->ForeignAsyncNotify = async_notify;
}
