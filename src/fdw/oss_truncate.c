/*
 * oss_truncate.c
 *		TRUNCATE of an OSS table records an intent; nothing is deleted before commit.
 *
 * Its scope is what SELECT on the table would read.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/rel.h"

#include "oss_write.h"

void
mcOssTruncate(List *rels, DropBehavior behavior, bool restart_seqs)
{
	ListCell   *lc;

	if (mcOssWriters() > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot TRUNCATE an OSS table while a statement of this session writes one")));
	foreach(lc, rels)
	{
		Relation	rel = lfirst(lc);
		McOssTarget *target = mcOssWriteTarget(rel, GetUserId());

		if (!mcServerOptionBool(target->conn->server, "truncatable", true))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign table \"%s\" does not allow truncates", target->name)));
		mcOssWriteIntend(target);
	}
}
