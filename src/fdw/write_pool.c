/*
 * write_pool.c
 *		Memory of a sink, see write_pool.h.
 */
#include "postgres.h"

#include "write_pool.h"

static void *
counted_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
	McWritePool *pool = ctx;
	void	   *result = pool->alloc.resize(pool->alloc.ctx, ptr, old_size, new_size);

	if (result || new_size == 0)
		pool->held += new_size - old_size;
	return result;
}

void
mcPoolInit(McWritePool *pool, MemoryContext cxt, Size budget, Size unit)
{
	memset(pool, 0, sizeof(*pool));
	pool->alloc = mcContextAlloc(cxt);
	pool->counted = (mcw_alloc) {counted_resize, pool};
	pool->budget = budget;
	pool->unit = unit;
}

void
mcPoolTake(McWritePool *pool, mcw_buf *buf, Size max, Size *accounted)
{
	if (pool->nspares == 0)
	{
		mcw_buf_init(buf, &pool->alloc, max);
		*accounted = 0;
		return;
	}
	*buf = pool->spares[--pool->nspares];
	buf->max = max;
	*accounted = buf->cap;
}

void
mcPoolAccount(McWritePool *pool, const mcw_buf *buf, Size *accounted)
{
	pool->held += buf->cap - *accounted;
	*accounted = buf->cap;
}

void
mcPoolReturn(McWritePool *pool, mcw_buf *buf)
{
	if (pool->nspares < MC_POOL_SPARES && buf->cap >= pool->unit / 2 && buf->cap <= pool->unit * 2)
	{
		mcw_buf_reset(buf);
		pool->spares[pool->nspares++] = *buf;
		memset(buf, 0, sizeof(*buf));
		return;
	}
	pool->held -= buf->cap;
	mcw_buf_free(buf);
}

bool
mcPoolTrim(McWritePool *pool)
{
	while (pool->held > pool->budget && pool->nspares > 0)
	{
		mcw_buf    *spare = &pool->spares[--pool->nspares];

		pool->held -= spare->cap;
		mcw_buf_free(spare);
	}
	return pool->held <= pool->budget;
}
