/*
 * job_skeleton.c
 *		Weak definitions of what jobs need and is not written yet: they raise.
 */
#include "postgres.h"

#include "entry.h"

#pragma weak mcOdpsEntryPublish

static McEntryOutcome
refuse(const McEntry *entry)
{
	elog(ERROR, "entries of \"%s\" cannot be published", entry->server);
}

McEntryOutcome
mcOdpsEntryPublish(McEntry *entry, int64 deadline_us, mcw_error *err)
{
	return refuse(entry);
}
