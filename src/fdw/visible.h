/*
 * visible.h
 *		What a transaction has written to services that show it at once (Tablestore,
 *		LogHub), for those who roll it back.
 */
#ifndef MC_VISIBLE_H
#define MC_VISIBLE_H

#include "mc_fdw.h"

#include "lib/ilist.h"

/* A statement's writer while it is open; part of the sink */
typedef struct McVisible
{
	dlist_node	node;
	McWrapper	wrapper;
	SubTransactionId subid;
	int64		(*unknown) (const void *sink);	/* rows that were sent and whose fate is not known */
	const void *sink;
} McVisible;

/* Before the first write of a statement: from now on a rollback warns */
extern void mcVisibleBegin(McWrapper wrapper);
/* Rows that the service has acknowledged.  Cannot fail. */
extern void mcVisibleWrote(McWrapper wrapper, int64 rows);
extern void mcVisibleOpen(McVisible *writer, McWrapper wrapper, int64 (*unknown) (const void *sink), const void *sink);
/* Its end counts the rows whose fate is not known then.  Cannot fail. */
extern void mcVisibleClose(McVisible *writer);

#endif							/* MC_VISIBLE_H */
