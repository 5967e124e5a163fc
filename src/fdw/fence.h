/*
 * fence.h
 *		The fence of a job: one number in a service, which every run swaps for a new one
 *		before it does anything (guarantees.md 10.3).  Of several copies of a database the
 *		first one to swap keeps the job; the others see a number that they do not know.
 *
 * A number is "<n>/<uuid>" with n one above that of the number it replaces; "" = there
 * is none yet.  It lives in one row of Tablestore, whose key is the job's uuid and which
 * is changed under a condition; or as an object <prefix>_mc_fence/<uuid>/<n> of OSS,
 * which is made only where there is none of that name.
 */
#ifndef MC_FENCE_H
#define MC_FENCE_H

#include "mc_fdw.h"

#include "utils/rel.h"

typedef struct McFence
{
	McServer   *server;			/* of the foreign table, with the job owner's keys */
	Relation	rel;
	const char *job;			/* uuid */
	const char *last;			/* the number that was there when this database looked last; "" = none */
} McFence;

/* Raises unless the foreign table can hold fences; sends nothing */
extern void mcOtsFenceCheck(Relation rel);
extern void mcOssFenceCheck(Relation rel);
/* What is there now, in CurrentMemoryContext; "" = nothing.  Raises if that cannot be found out. */
extern char *mcOtsFenceRead(const McFence *fence);
extern char *mcOssFenceRead(const McFence *fence);
/*
 * fence->last becomes 'next'.  Returns what is there afterwards: 'next', or a number that
 * somebody else has given, or an earlier request of ours that was late.  Raises if it
 * cannot be found out: the request may then still be carried out.
 */
extern char *mcOtsFenceSwap(const McFence *fence, const char *next);
extern char *mcOssFenceSwap(const McFence *fence, const char *next);

#endif							/* MC_FENCE_H */
