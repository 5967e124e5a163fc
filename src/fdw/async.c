/*
 * async.c
 *		The async protocol of Append: several scans of one statement fetch at the same
 *		time.
 *
 * All scans share the backend's event loop, so a step made for one may bring pages
 * for another.  Hence a scan looks for news before it waits, and each waits on a
 * descriptor of its own above the loop's, since one cannot be added twice to a set.
 *
 * Append configures its scans one after the other and then waits.  What a later one's
 * step has brought for an earlier one is taken off the loop by then, and its descriptor
 * stays silent: so each waits also on a bell, which is rung for whoever has news.
 */
#include "postgres.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "executor/execAsync.h"
#include "executor/executor.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "storage/fd.h"
#include "storage/latch.h"

#include "async.h"

/* one for the process; readable = somebody who waits has news */
static int	bell = -1;
static bool ringing = false;
/* scans that wait, linked by McAsync.next_waiting */
static McAsync *waiting = NULL;

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
silence(void)
{
	eventfd_t	value;

	if (ringing)
		(void) eventfd_read(bell, &value);
	ringing = false;
}

static void
stop_waiting(McAsync *scan)
{
	for (McAsync **at = &waiting; *at; at = &(*at)->next_waiting)
		if (*at == scan)
		{
			*at = scan->next_waiting;
			break;
		}
	scan->append = NULL;
}

/* What was done for one scan may have brought something for another one of its Append */
static void
ring_for_others(void *append)
{
	for (McAsync *scan = waiting; scan && !ringing; scan = scan->next_waiting)
		if (scan->append == append && scan->has_news(scan))
		{
			(void) eventfd_write(bell, 1);
			ringing = true;
		}
}

static void
async_request(AsyncRequest *areq)
{
	stop_waiting(async_of(areq));
	produce(areq);
}

static void
async_notify(AsyncRequest *areq)
{
	silence();
	stop_waiting(async_of(areq));
	step();
	produce(areq);
}

static void
watch(int epfd, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) != 0)
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not wait for the event loop: %m")));
}

static void
open_wait_fd(McAsync *scan)
{
	if (bell < 0)
	{
		ReserveExternalFD();
		bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (bell < 0)
		{
			int			saved = errno;

			ReleaseExternalFD();
			errno = saved;
			ereport(ERROR, (errcode_for_socket_access(), errmsg("could not create a descriptor for events: %m")));
		}
	}
	ReserveExternalFD();
	scan->wait_fd = epoll_create1(EPOLL_CLOEXEC);
	if (scan->wait_fd < 0)
	{
		int			saved = errno;

		ReleaseExternalFD();
		errno = saved;
		ereport(ERROR, (errcode_for_socket_access(), errmsg("could not create a descriptor for the event loop: %m")));
	}
	watch(scan->wait_fd, mcn_loop_fd(mcLoop()));
	watch(scan->wait_fd, bell);
}

static void
async_configure_wait(AsyncRequest *areq)
{
	McAsync    *scan = async_of(areq);

	Assert(areq->callback_pending);
	stop_waiting(scan);
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
			ring_for_others(areq->requestor);
			return;
		}
	}
	if (scan->wait_fd < 0)
		open_wait_fd(scan);
	AddWaitEventToSet(((AppendState *) areq->requestor)->as_eventset, WL_SOCKET_READABLE,
					  scan->wait_fd, NULL, areq);
	scan->append = areq->requestor;
	scan->next_waiting = waiting;
	waiting = scan;
	ring_for_others(areq->requestor);
}

void
mcAsyncRelease(McAsync *async)
{
	stop_waiting(async);
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
