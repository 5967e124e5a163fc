/*
 * loghub_group.c
 *		Positions in a consumer group: monitoring of the service shows how far a job has
 *		come, and a database that went back in time can be told (guarantees.md 10.3).
 */
#include "postgres.h"

#include "loghub_call.h"
#include "loghub_group.h"

#include "../service/mcs_loghub_group.h"

#define GROUP_TIMEOUT 60		/* of heartbeats; we send none */
#define CONSUMER "mc_fdw"
#define MAX_LIST ((size_t) 16 << 20)

static bool
is_code(const mcw_error *err, const char *code)
{
	return strcmp(err->code, code) == 0;
}

mcw_status
mcLogMarksWrite(McServer *server, McLogMark *marks, int n, mcw_error *err)
{
	McLogCalls *conn = mcLogCallsOpen(server, CurrentMemoryContext);
	mcw_view	logstore = mcw_str(mcServerOption(server, "logstore"));
	mcw_view	group = mcw_str(mcServerOption(server, "consumer_group"));
	mcw_buf		body;
	mcw_status	status = MCW_OK;
	bool		made = false;

	mcw_buf_init(&body, &conn->alloc, MAX_LIST);
	for (int i = 0; i < n && status == MCW_OK; i++)
	{
		status = mcLogCallsRun(conn, mcs_group_set_checkpoint(&conn->call, logstore, group, mcw_str(CONSUMER), true, marks[i].shard,
															  mcw_str(marks[i].position), &body, err), err);
		if (status != MCW_OK && is_code(err, "ConsumerGroupNotExist") && !made)
		{
			made = true;
			status = mcLogCallsRun(conn, mcs_group_create(&conn->call, logstore, group, GROUP_TIMEOUT, false, &body, err), err);
			if (status != MCW_OK && is_code(err, "ConsumerGroupAlreadyExist"))
				status = MCW_OK;
			i--;
			continue;
		}
		/* a shard whose data has expired needs no mark any more */
		if (status != MCW_OK && is_code(err, "ShardNotExist"))
			status = MCW_OK;
		marks[i].done = status == MCW_OK;
	}
	return status;
}

static bool
is_ours(const McLogMark *marks, int n, const mcs_checkpoint *point)
{
	for (int i = 0; i < n; i++)
		if (marks[i].shard == point->shard)
			return mcw_view_eq(mcw_str(marks[i].position), point->cursor) ||
				(marks[i].reported != NULL && mcw_view_eq(mcw_str(marks[i].reported), point->cursor));
	return false;
}

mcw_status
mcLogMarksDiffer(McServer *server, const McLogMark *marks, int n, bool *known, bool *differ, mcw_error *err)
{
	McLogCalls *conn = mcLogCallsOpen(server, CurrentMemoryContext);
	mcs_checkpoint *points;
	int			npoints;
	mcw_arena	arena;
	mcw_status	status;

	*known = *differ = false;
	status = mcLogCallsRun(conn, mcs_group_get_checkpoints(&conn->call, mcw_str(mcServerOption(server, "logstore")),
														   mcw_str(mcServerOption(server, "consumer_group")), err), err);
	if (status != MCW_OK)
		return is_code(err, "ConsumerGroupNotExist") ? MCW_OK : status;
	mcw_arena_init(&arena, &conn->alloc, MAX_LIST);
	status = mcs_parse_checkpoints(&conn->call, &arena, &points, &npoints, err);
	for (int i = 0; i < npoints && status == MCW_OK; i++)
	{
		if (points[i].cursor.len == 0)
			continue;
		*known = true;
		if (!is_ours(marks, n, &points[i]))
			*differ = true;
	}
	mcw_arena_reset(&arena);
	return status;
}
