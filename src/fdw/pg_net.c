/*
 * pg_net.c
 *		The backend's end of the network layer: waiting together with the latch,
 *		interrupts, address policy, memory.
 *
 * Nothing here raises an error while libcurl is on the stack: hooks only report.
 */
#include "postgres.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/procsignal.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include "mc_fdw.h"
#include "mc_private.h"

static mcn_loop *backend_loop = NULL;
static bool quiet_waits = false;

void
mcQuietWaits(bool quiet)
{
	quiet_waits = quiet;
}

static void
hook_wait(void *ctx, int fd, int timeout_ms)
{
	int			events = WL_LATCH_SET | WL_SOCKET_READABLE | WL_EXIT_ON_PM_DEATH;

	/* WaitLatchOrSocket allocates and may raise */
	if (quiet_waits)
	{
		mcn_wait_readable(fd, timeout_ms);
		return;
	}
	if (timeout_ms >= 0)
		events |= WL_TIMEOUT;
	if (WaitLatchOrSocket(MyLatch, events, fd, timeout_ms, mcWaitEventId()) & WL_LATCH_SET)
		ResetLatch(MyLatch);

	/*
	 * Others wait for these two (DROP DATABASE, DROP TABLESPACE), and a wait of ours
	 * may last minutes: serve them as the server's own long waits do.
	 */
	if (ProcSignalBarrierPending)
		ProcessProcSignalBarrier();
	if (LogMemoryContextPending)
		ProcessLogMemoryContextInterrupt();
}

/*
 * Only what ends the statement counts: other interrupts are served by the
 * executor's own checks.  Held-off interrupts must not end a wait, since
 * CHECK_FOR_INTERRUPTS would do nothing and the caller would spin.
 */
static bool
hook_interrupted(void *ctx)
{
	if (likely(!InterruptPending) || InterruptHoldoffCount > 0 || CritSectionCount > 0)
		return false;
	if (ProcDiePending || ClientConnectionLost)
		return true;
	return QueryCancelPending && QueryCancelHoldoffCount == 0;
}

/*
 * Loopback, link-local and metadata addresses are for servers that a superuser
 * owns or allows: everyone else could otherwise make the backend speak to what
 * only the database host can reach.
 */
static const char *
hook_deny_address(void *ctx, const mcn_channel *channel, const void *sockaddr, unsigned len)
{
	const struct sockaddr *sa = sockaddr;
	uint32		v4 = 0;
	bool		have_v4 = false;

	if (mcn_channel_private(channel) != NULL)
		return NULL;			/* trusted, see mcOpenChannel */

	if (sa->sa_family == AF_INET)
	{
		v4 = ntohl(((const struct sockaddr_in *) sockaddr)->sin_addr.s_addr);
		have_v4 = true;
	}
	else if (sa->sa_family == AF_INET6)
	{
		const struct in6_addr *a = &((const struct sockaddr_in6 *) sockaddr)->sin6_addr;

		if (IN6_IS_ADDR_LOOPBACK(a) || IN6_IS_ADDR_LINKLOCAL(a) || IN6_IS_ADDR_UNSPECIFIED(a))
			return "loopback and link-local addresses are reserved to servers owned by a superuser";
		if (IN6_IS_ADDR_V4MAPPED(a))
		{
			memcpy(&v4, &a->s6_addr[12], 4);
			v4 = ntohl(v4);
			have_v4 = true;
		}
	}
	else
		return "not an internet address";

	if (have_v4 &&
		((v4 >> 24) == 127 || (v4 >> 24) == 0 || (v4 >> 16) == 0xA9FE || v4 == 0x646464C8))
		return "loopback and link-local addresses are reserved to servers owned by a superuser";
	return NULL;
}

static void
hook_count_fd(void *ctx, int delta)
{
	if (delta < 0)
		ReleaseExternalFD();
	else
		ReserveExternalFD();
}

mcn_loop *
mcLoop(void)
{
	static const mcn_hooks hooks = {
		.wait = hook_wait,
		.interrupted = hook_interrupted,
		.deny_address = hook_deny_address,
		.count_fd = hook_count_fd,
	};

	if (!backend_loop)
	{
		mcw_error	err;

		if (!IsUnderPostmaster)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("mc_fdw cannot reach a service in single-user mode")));
		backend_loop = mcn_loop_create(&hooks, &err);
		if (!backend_loop)
			mcRaise(&err, NULL);
	}
	return backend_loop;
}

static void *
context_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
	void	   *result;

	if (new_size == 0)
	{
		if (ptr)
			pfree(ptr);
		return NULL;
	}
	if (new_size > MaxAllocHugeSize)
		return NULL;
	result = MemoryContextAllocExtended((MemoryContext) ctx, new_size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (result && ptr)
	{
		memcpy(result, ptr, Min(old_size, new_size));
		pfree(ptr);
	}
	return result;
}

mcw_alloc
mcContextAlloc(MemoryContext cxt)
{
	mcw_alloc	alloc = {context_resize, cxt};

	return alloc;
}

void
mcCheck(mcw_status status, const mcw_error *err, const McPlace *place)
{
	if (likely(status == MCW_OK || status == MCW_END))
		return;
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, place);
}
