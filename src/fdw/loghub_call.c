/*
 * loghub_call.c
 *		A connection to a project for single calls: metadata, tools.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "loghub.h"
#include "loghub_call.h"

static void
release_conn(void *arg)
{
	McLogCalls  *conn = arg;

	mcs_call_free(&conn->call);
	mcn_channel_free(conn->channel);
}

McLogCalls *
mcLogCallsOpen(McServer *server, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McLogCalls  *conn = palloc0(sizeof(McLogCalls));

	conn->server = server;
	conn->alloc = mcContextAlloc(cxt);
	mcLogConnect(server, &conn->alloc, &conn->channel, &conn->client);
	mcs_call_init(&conn->call, &conn->client, 0);
	conn->callback.func = release_conn;
	conn->callback.arg = conn;
	MemoryContextRegisterResetCallback(cxt, &conn->callback);
	MemoryContextSwitchTo(old);
	return conn;
}

mcw_status
mcLogCallsRun(McLogCalls *conn, mcw_status prepared, mcw_error *err)
{
	mcw_status	status = prepared;

	if (status != MCW_OK)
		return status;
	mcn_request_start(&conn->call.req);
	while ((status = mcn_request_wait(&conn->call.req)) == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (status != MCW_OK)
		*err = conn->call.req.error;
	return status;
}
