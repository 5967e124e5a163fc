/*
 * compat.h
 *		The only place that knows PostgreSQL versions (14 to 18).
 */
#ifndef MC_COMPAT_H
#define MC_COMPAT_H

#include "postgres.h"

#include "executor/executor.h"
#include "executor/spi.h"
#include "foreign/fdwapi.h"
#include "nodes/execnodes.h"
#include "nodes/value.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "parser/parsetree.h"
#include "catalog/pg_foreign_server.h"
#include "datatype/timestamp.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/pg_locale.h"
#include "utils/wait_event.h"
#include "parser/analyze.h"

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#else
#include "commands/explain.h"
#endif

#if PG_VERSION_NUM < 150000
#define MarkGUCPrefixReserved(prefix) EmitWarningsOnPlaceholders(prefix)
#define makeBoolean(b) makeInteger(b)
#define boolVal(v) (intVal(v) != 0)
#endif

/* infinite intervals begin with 17 */
#if PG_VERSION_NUM < 170000
#define INTERVAL_NOT_FINITE(i) (false)
#endif

/* stands before the declaration, as in 18, whose pg_attribute_noreturn is gone */
#ifndef pg_noreturn
#define pg_noreturn pg_attribute_noreturn()
#endif

/* a foreign path without path keys beyond what is given, and without an outer path */
static inline ForeignPath *
mcCreateForeignScanPath(PlannerInfo *root, RelOptInfo *rel, double rows, Cost startup, Cost total,
						List *pathkeys, Relids required_outer, List *fdw_private)
{
#if PG_VERSION_NUM >= 180000
	return create_foreignscan_path(root, rel, NULL, rows, 0, startup, total, pathkeys,
								   required_outer, NULL, NIL, fdw_private);
#elif PG_VERSION_NUM >= 170000
	return create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys,
								   required_outer, NULL, NIL, fdw_private);
#else
	return create_foreignscan_path(root, rel, NULL, rows, startup, total, pathkeys,
								   required_outer, NULL, fdw_private);
#endif
}

/* the user whose mapping planning uses */
static inline Oid
mcPlanUserId(PlannerInfo *root, RelOptInfo *rel)
{
	Oid			userid;
#if PG_VERSION_NUM >= 160000
	userid = rel->userid;
#else
	userid = planner_rt_fetch(rel->relid, root)->checkAsUser;
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

/* the user whose mapping a scan uses (postgres.md: taken at Begin and stored) */
static inline Oid
mcScanUserId(ForeignScanState *node)
{
	Oid			userid;
#if PG_VERSION_NUM >= 160000
	userid = ((ForeignScan *) node->ss.ps.plan)->checkAsUser;
#else
	ForeignScan *plan = (ForeignScan *) node->ss.ps.plan;
	int			rti = plan->scan.scanrelid;

	if (rti == 0)
		rti = bms_next_member(plan->fs_relids, -1);
	userid = exec_rt_fetch(rti, node->ss.ps.state)->checkAsUser;
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

/* the user whose mapping a write uses */
static inline Oid
mcModifyUserId(ResultRelInfo *rinfo, EState *estate)
{
	Oid			userid;
#if PG_VERSION_NUM >= 160000
	userid = ExecGetResultRelCheckAsUser(rinfo, estate);
#else
	ResultRelInfo *root = rinfo->ri_RootResultRelInfo ? rinfo->ri_RootResultRelInfo : rinfo;

	userid = root->ri_RangeTableIndex > 0 ?
		exec_rt_fetch(root->ri_RangeTableIndex, estate)->checkAsUser : InvalidOid;
#endif
	return OidIsValid(userid) ? userid : GetUserId();
}

static inline AclResult
mcServerAclCheck(Oid serverid, Oid userid, AclMode mode)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(ForeignServerRelationId, serverid, userid, mode);
#else
	return pg_foreign_server_aclcheck(serverid, userid, mode);
#endif
}

/* btree strategies; 18 calls them by other names with the same numbers */
#if PG_VERSION_NUM >= 180000
#define mcPathKeyStrategy(key) ((int) (key)->pk_cmptype)
#define mcRowStrategy(row) ((int) (row)->cmptype)
#else
#define mcPathKeyStrategy(key) ((key)->pk_strategy)
#define mcRowStrategy(row) ((int) (row)->rctype)
#endif

/* no column of the remote table: dropped, or, since 18, computed whenever it is read */
static inline bool
mcIsNotRemote(Form_pg_attribute att)
{
#if PG_VERSION_NUM >= 180000
	return att->attisdropped || att->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
#else
	return att->attisdropped;
#endif
}

/* the members of a class that may be of these relations; 18 keeps those of partitions apart from the others */
static inline List *
mcClassMembers(EquivalenceClass *ec, Relids relids)
{
#if PG_VERSION_NUM >= 180000
	EquivalenceMemberIterator it;
	EquivalenceMember *em;
	List	   *members = NIL;

	setup_eclass_member_iterator(&it, ec, relids);
	while ((em = eclass_member_iterator_next(&it)) != NULL)
		members = lappend(members, em);
	return members;
#else
	return ec->ec_members;
#endif
}

/* does the collation order by bytes? */
static inline bool
mcCollationIsC(Oid collation)
{
#if PG_VERSION_NUM >= 180000
	return pg_newlocale_from_collation(collation)->collate_is_c;
#else
	return lc_collate_is_c(collation);
#endif
}

/* a set-returning function that materializes: fills setResult and setDesc */
static inline void
mcInitMaterializedSRF(FunctionCallInfo fcinfo)
{
#if PG_VERSION_NUM >= 160000
	InitMaterializedSRF(fcinfo, 0);
#elif PG_VERSION_NUM >= 150000
	SetSingleFuncCall(fcinfo, 0);
#else
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;
	TupleDesc	desc;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) || !(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a function that returns rows was called where they cannot be returned")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "the result is not a row type");
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->setDesc = CreateTupleDescCopy(desc);
	rsinfo->setResult = tuplestore_begin_heap(rsinfo->allowedModes & SFRM_Materialize_Random, false, work_mem);
	rsinfo->returnMode = SFRM_Materialize;
	MemoryContextSwitchTo(old);
#endif
}

/* parse analysis with parameters of given types, without rewriting */
static inline Query *
mcAnalyze(RawStmt *raw, const char *sql, Oid *types, int ntypes)
{
#if PG_VERSION_NUM >= 150000
	return parse_analyze_fixedparams(raw, sql, types, ntypes, NULL);
#else
	return parse_analyze(raw, sql, types, ntypes, NULL);
#endif
}

static inline bool
mcIsMerge(Node *statement)
{
#if PG_VERSION_NUM >= 150000
	return IsA(statement, MergeStmt);
#else
	return false;
#endif
}

/* what pg_stat_activity shows while the network is waited for; needs shared memory */
static inline uint32
mcWaitEventId(void)
{
#if PG_VERSION_NUM >= 170000
	static uint32 id = 0;

	if (id == 0)
		id = WaitEventExtensionNew("McFdwNetwork");
	return id;
#else
	return PG_WAIT_EXTENSION;
#endif
}

#if PG_VERSION_NUM < 150000
#define pg_analyze_and_rewrite_fixedparams pg_analyze_and_rewrite
#endif

/* in exactly this mode */
#if PG_VERSION_NUM >= 170000
#define mcLockHeld(tag, mode) LockHeldByMe(tag, mode, false)
#else
#define mcLockHeld(tag, mode) LockHeldByMe(tag, mode)
#endif

/* may the procedure that called us COMMIT?  14 cannot tell, there COMMIT refuses */
#if PG_VERSION_NUM >= 150000
#define mcMayCommit() SPI_inside_nonatomic_context()
#else
#define mcMayCommit() true
#endif

#endif							/* MC_COMPAT_H */
