/*
 * loghub_call.h
 *		A connection to a project for single calls: metadata, tools.
 */
#ifndef MC_LOGHUB_CALL_H
#define MC_LOGHUB_CALL_H

#include "mc_fdw.h"

#include "../service/mcs_loghub.h"

typedef struct McLogCalls
{
	McServer   *server;
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_loghub	client;
	mcs_call	call;			/* one request at a time */
	MemoryContextCallback callback;
} McLogCalls;

/* Ends with 'cxt'.  Sends nothing yet. */
extern McLogCalls *mcLogCallsOpen(McServer *server, MemoryContext cxt);
/*
 * Runs what has been prepared in conn->call ('prepared' is what that returned); any
 * status but MCW_ERR_INTERRUPTED, which is raised.
 */
extern mcw_status mcLogCallsRun(McLogCalls *conn, mcw_status prepared, mcw_error *err);

#endif							/* MC_LOGHUB_CALL_H */
