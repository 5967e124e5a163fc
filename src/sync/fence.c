/*
 * fence.c
 *		The fence of a job: reads it, and swaps its number (fence.h).  What follows from
 *		what is there is decided in SQL, with the books at hand (49_fence.sql).
 */
#include "postgres.h"

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "../fdw/fence.h"
#include "sync.h"
#include "tools.h"

void
mcFenceCheck(Relation rel)
{
	switch (mcWrapperOfRelation(RelationGetRelid(rel)))
	{
		case MC_TABLESTORE:
			mcOtsFenceCheck(rel);
			break;
		case MC_OSS:
			mcOssFenceCheck(rel);
			break;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_WRONG_OBJECT_TYPE),
					 errmsg("\"%s\" cannot hold fences of jobs", RelationGetRelationName(rel)),
					 errhint("Use a foreign table of tablestore_fdw or of oss_fdw.")));
	}
}

PG_FUNCTION_INFO_V1(mc_fence_form);
Datum
mc_fence_form(PG_FUNCTION_ARGS)
{
	Relation	rel = relation_open(PG_GETARG_OID(0), AccessShareLock);

	mcFenceCheck(rel);
	relation_close(rel, AccessShareLock);
	PG_RETURN_VOID();
}

/* SPI is connected.  The keys are the owner's, as those of everything that the job does. */
static void
open_fence(McFence *fence, int64 job_id)
{
	static const Oid types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(job_id)};
	bool		isnull;
	Oid			owner;
	Oid			relid;
	McWrapper	wrapper;

	if (mcSpi("SELECT fence, owner::pg_catalog.oid, uuid::text, fence_last[1] FROM mc.job WHERE job_id = $1 AND fence IS NOT NULL",
			  SPI_OK_SELECT, lengthof(types), types, values, NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("the job has no fence")));
	owner = DatumGetObjectId(mcSpiDatum(0, 2, &isnull));
	fence->job = mcSpiText(0, 3);
	fence->last = mcSpiText(0, 4);
	if (fence->last == NULL)
		fence->last = "";
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the privileges of role \"%s\" to use the fence of its job", GetUserNameFromId(owner, false))));
	relid = RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(mcSpiText(0, 1)))), NoLock, false);
	fence->rel = relation_open(relid, AccessShareLock);
	if (pg_class_aclcheck(relid, owner, ACL_SELECT) != ACLCHECK_OK || pg_class_aclcheck(relid, owner, ACL_INSERT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign table %s", RelationGetRelationName(fence->rel)),
				 errdetail("The owner of a job needs SELECT and INSERT on the foreign table of its fence.")));
	mcFenceCheck(fence->rel);
	wrapper = mcWrapperOfRelation(relid);
	fence->server = mcGetServer(wrapper, GetForeignTable(relid)->serverid, owner, relid, true);
}

PG_FUNCTION_INFO_V1(mc_fence_read);
Datum
mc_fence_read(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	McFence		fence = {0};
	char	   *value;

	SPI_connect();
	open_fence(&fence, PG_GETARG_INT64(0));
	value = fence.server->wrapper == MC_TABLESTORE ? mcOtsFenceRead(&fence) : mcOssFenceRead(&fence);
	relation_close(fence.rel, AccessShareLock);
	value = MemoryContextStrdup(caller, value);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(value));
}

PG_FUNCTION_INFO_V1(mc_fence_swap);
Datum
mc_fence_swap(PG_FUNCTION_ARGS)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *next = text_to_cstring(PG_GETARG_TEXT_PP(1));
	McFence		fence = {0};
	char	   *value;

	SPI_connect();
	open_fence(&fence, PG_GETARG_INT64(0));
	value = fence.server->wrapper == MC_TABLESTORE ? mcOtsFenceSwap(&fence, next) : mcOssFenceSwap(&fence, next);
	relation_close(fence.rel, AccessShareLock);
	value = MemoryContextStrdup(caller, value);
	SPI_finish();
	PG_RETURN_TEXT_P(cstring_to_text(value));
}
