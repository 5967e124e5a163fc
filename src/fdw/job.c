/*
 * job.c
 *		The run of a job as scans and writes see it: sources and their positions.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_collation.h"
#include "utils/formatting.h"
#include "utils/memutils.h"

#include "job.h"

McJobRun   *mcJob = NULL;

bool
mcJobWindow(TimestampTz lo, TimestampTz hi)
{
	return mcJob != NULL && mcJob->lo == lo && mcJob->hi == hi;
}

char *
mcJobCopy(const char *text)
{
	return MemoryContextStrdup(mcJob->cxt, text);
}

McJobSource *
mcJobSource(McWrapper wrapper, const char *key)
{
	McJobSource *source;
	ListCell   *lc;
	MemoryContext old;

	foreach(lc, mcJob->sources)
	{
		source = lfirst(lc);
		if (source->wrapper == wrapper && strcmp(source->key, key) == 0)
			return source;
	}
	old = MemoryContextSwitchTo(mcJob->cxt);
	source = palloc0(sizeof(McJobSource));
	source->wrapper = wrapper;
	source->key = pstrdup(key);
	mcJob->load(mcJob, source);
	mcJob->sources = lappend(mcJob->sources, source);
	MemoryContextSwitchTo(old);
	return source;
}

McJobPosition *
mcJobPosition(McJobSource *source, const char *shard)
{
	ListCell   *lc;

	foreach(lc, source->positions)
	{
		McJobPosition *position = lfirst(lc);

		if (strcmp(position->shard, shard) == 0)
			return position;
	}
	return NULL;
}

McJobPosition *
mcJobAddPosition(McJobSource *source, const char *shard)
{
	MemoryContext old = MemoryContextSwitchTo(mcJob->cxt);
	McJobPosition *position = palloc0(sizeof(McJobPosition));

	position->shard = pstrdup(shard);
	source->positions = lappend(source->positions, position);
	MemoryContextSwitchTo(old);
	return position;
}

/* Memory goes with the transaction, whichever way it ends */
static void
xact_callback(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		mcJob = NULL;
}

void
mcJobBegin(McJobRun *run)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		registered = true;
	}
	mcJob = run;
	run->executing = true;
}

void
mcJobEnd(void)
{
	mcJob = NULL;
}

char *
mcEndpointHost(const char *endpoint)
{
	const char *host = strstr(endpoint, "://");
	size_t		len;

	host = host ? host + 3 : endpoint;
	len = strcspn(host, "/");
	return str_tolower(host, len, C_COLLATION_OID);
}
