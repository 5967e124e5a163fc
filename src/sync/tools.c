/*
 * tools.c
 *		What the functions of schema mc share that look at servers, foreign tables and
 *		statements.
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "../fdw/compat.h"
#include "tools.h"

static const struct
{
	McWrapper	wrapper;
	const char *name;
	const char *handler;		/* prosrc */
}			wrappers[] = {
	{MC_LOGHUB, "loghub_fdw", "mc_loghub_handler"},
	{MC_MAXCOMPUTE, "maxcompute_fdw", "mc_maxcompute_handler"},
	{MC_TABLESTORE, "tablestore_fdw", "mc_tablestore_handler"},
	{MC_OSS, "oss_fdw", "mc_oss_handler"}
};

/* The wrapper may have any name: its handler tells whose it is */
McWrapper
mcWrapperOfServer(Oid serverid)
{
	ForeignDataWrapper *fdw = GetForeignDataWrapper(GetForeignServer(serverid)->fdwid);
	HeapTuple	tuple;
	McWrapper	wrapper = 0;
	char	   *source;
	bool		isnull;
	Datum		datum;

	if (!OidIsValid(fdw->fdwhandler))
		return 0;
	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(fdw->fdwhandler));
	if (!HeapTupleIsValid(tuple))
		return 0;
	datum = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
	source = isnull ? "" : TextDatumGetCString(datum);
	for (int i = 0; i < lengthof(wrappers); i++)
		if (strcmp(source, wrappers[i].handler) == 0)
			wrapper = wrappers[i].wrapper;
	ReleaseSysCache(tuple);
	return wrapper;
}

McWrapper
mcWrapperOfRelation(Oid relid)
{
	if (get_rel_relkind(relid) != RELKIND_FOREIGN_TABLE)
		return 0;
	return mcWrapperOfServer(GetForeignTable(relid)->serverid);
}

Relation
mcOpenForeign(Oid relid, int allowed, AclMode mode)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	AclResult	acl = pg_class_aclcheck(relid, GetUserId(), mode);
	McWrapper	wrapper;

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, get_relkind_objtype(rel->rd_rel->relkind), RelationGetRelationName(rel));
	wrapper = mcWrapperOfRelation(relid);
	if ((wrapper & allowed) == 0)
	{
		StringInfoData names;

		initStringInfo(&names);
		for (int i = 0; i < lengthof(wrappers); i++)
			if (wrappers[i].wrapper & allowed)
				appendStringInfo(&names, "%s%s", names.len > 0 ? " or " : "", wrappers[i].name);
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a foreign table of %s", RelationGetRelationName(rel), names.data)));
	}
	return rel;
}

void
mcCheckServerUsage(Oid serverid)
{
	AclResult	acl = mcServerAclCheck(serverid, GetUserId(), ACL_USAGE);

	if (acl != ACLCHECK_OK)
		aclcheck_error(acl, OBJECT_FOREIGN_SERVER, GetForeignServer(serverid)->servername);
}

char *
mcRelationText(Oid relid)
{
	char	   *name = get_rel_name(relid);

	return name != NULL ? quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), name) : NULL;
}

void
mcPutTexts(FunctionCallInfo fcinfo, int n, char **texts)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Datum	   *values = palloc(sizeof(Datum) * n);
	bool	   *nulls = palloc(sizeof(bool) * n);

	for (int i = 0; i < n; i++)
	{
		nulls[i] = texts[i] == NULL;
		values[i] = texts[i] != NULL ? CStringGetTextDatum(texts[i]) : (Datum) 0;
	}
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

ErrorData *
mcTry(void (*body) (void *arg), void *arg)
{
	MemoryContext cxt = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(cxt);
	PG_TRY();
	{
		body(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(cxt);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(cxt);
	CurrentResourceOwner = owner;
	if (error != NULL && (ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_OPERATOR_INTERVENTION ||
						  error->sqlerrcode == ERRCODE_OUT_OF_MEMORY))
		ReThrowError(error);
	return error;
}
