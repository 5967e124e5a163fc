/*
 * write_pool.h
 *		The buffers of a sink: one budget for all, and some kept for the next use,
 *		because fresh memory costs page faults.
 */
#ifndef MC_WRITE_POOL_H
#define MC_WRITE_POOL_H

#include "mc_fdw.h"

#define MC_POOL_SPARES 8

typedef struct McWritePool
{
	mcw_alloc	alloc;
	mcw_alloc	counted;		/* the same; what is allocated through it is part of 'held' */
	Size		budget;
	Size		held;			/* by buffers in use, under way and spare */
	Size		unit;			/* usual size of a buffer: others are not kept */
	mcw_buf		spares[MC_POOL_SPARES];
	int			nspares;
} McWritePool;

extern void mcPoolInit(McWritePool *pool, MemoryContext cxt, Size budget, Size unit);
/* an empty buffer; *accounted is what of it is part of 'held' */
extern void mcPoolTake(McWritePool *pool, mcw_buf *buf, Size max, Size *accounted);
/* its capacity has changed */
extern void mcPoolAccount(McWritePool *pool, const mcw_buf *buf, Size *accounted);
/* give back an accounted buffer */
extern void mcPoolReturn(McWritePool *pool, mcw_buf *buf);
/* free spares while over budget; true if that was enough */
extern bool mcPoolTrim(McWritePool *pool);

#endif							/* MC_WRITE_POOL_H */
