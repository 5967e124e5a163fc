/*
 * async.h
 *		The part of a scan that takes part in Append's async protocol.
 */
#ifndef MC_ASYNC_H
#define MC_ASYNC_H

#include "mc_fdw.h"

/* First member of every scan's fdw_state */
typedef struct McAsync
{
	/* would a row, the end or a failure come without waiting?  NULL: the scan never promises, it waits */
	bool		(*has_news) (void *scan);
	bool		no_wait;		/* the row asked for may not be waited for */
	bool		starved;		/* it was not there */
	int			wait_fd;		/* readable when the loop is, or when there may be news; -1 = none */
	void	   *append;			/* the node that waits for it */
	struct McAsync *next_waiting;
} McAsync;

static inline void
mcAsyncInit(McAsync *async, bool (*has_news) (void *scan))
{
	async->has_news = has_news;
	async->wait_fd = -1;
}

/* Safe in a memory-context callback */
extern void mcAsyncRelease(McAsync *async);
extern void mcAsyncRoutine(FdwRoutine *routine);

#endif							/* MC_ASYNC_H */
