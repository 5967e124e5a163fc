/*
 * loghub_conn.c
 *		A statement's access to a project of Log Service.
 */
#include "postgres.h"

#include "loghub.h"

/*
 * By how much the clock of a server's service differs from ours, as an answer told
 * us: kept for the session, or each statement would begin with a refused request.
 */
#define MAX_CLOCKS 16

static struct
{
	Oid			serverid;
	int64		offset;			/* seconds */
}			clocks[MAX_CLOCKS];

static int
clock_slot(Oid serverid)
{
	int			i;

	for (i = 0; i < MAX_CLOCKS - 1 && OidIsValid(clocks[i].serverid); i++)
	{
		if (clocks[i].serverid == serverid)
			return i;
	}
	return i;
}

void
mcLogRememberClock(const McServer *server, const mcs_loghub *client)
{
	int			i = clock_slot(server->serverid);

	clocks[i].serverid = server->serverid;
	clocks[i].offset = client->clock_offset;
}

void
mcLogConnect(const McServer *server, const mcw_alloc *alloc, mcn_channel **channel, mcs_loghub *client)
{
	int			clock = clock_slot(server->serverid);

	*channel = mcOpenChannel(server, alloc, server->endpoint, server->project, mcs_loghub_retry_rules);
	mcs_loghub_init(client, mcLoop(), *channel, alloc, &server->cred, mcw_str(server->region ? server->region : ""));
	if (clocks[clock].serverid == server->serverid)
		client->clock_offset = clocks[clock].offset;
}
