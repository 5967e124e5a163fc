/*
 * odps_truncate.c
 *		TRUNCATE records an intent; nothing is erased before commit.
 *
 * Its scope is the partition that option "partition" names, or the whole table with
 * all partitions; the second is allowed only with truncatable 'true'.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "odps_delete.h"
#include "odps_write.h"

static bool
may_truncate(const McTarget *target)
{
	bool		whole_partitioned = target->table->nkeys > 0;

	for (int i = 0; i < target->table->nkeys; i++)
		if (target->fixed[i].data)
			whole_partitioned = false;
	return mcServerOptionBool(target->odps->server, "truncatable", !whole_partitioned);
}

void
mcOdpsTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ListCell   *lc;

	if (mcWriters() > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot TRUNCATE a MaxCompute table while a statement of this session writes one")));
	foreach(lc, rels)
	{
		Relation	rel = lfirst(lc);
		McTarget   *target = mcWriteTarget(rel, GetUserId());

		if (!may_truncate(target))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign table \"%s\" does not allow truncates", target->name),
					 target->table->nkeys > 0 ?
					 errdetail("TRUNCATE would erase every partition of %s.", target->odps->label) : 0,
					 target->table->nkeys > 0 ?
					 errhint("Delete single partitions with DELETE ... WHERE on %s, or set option truncatable 'true'.",
							 mcOdpsKeyNames(target->table)) : 0));
		mcWriteIntend(target, NULL);
	}
}
