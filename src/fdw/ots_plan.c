/*
 * ots_plan.c
 *		Planning a Tablestore scan: size of the relation and the plan of a path.  Paths
 *		are in ots_path.c, conditions in ots_qual.c and ots_filter.c.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "access/table.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "optimizer/paths.h"
#include "optimizer/planmain.h"
#include "optimizer/restrictinfo.h"
#include "utils/rel.h"

#include "compat.h"
#include "ots_plan.h"
#include "qual.h"

static const char *
option_of(const ForeignTable *table, const char *name)
{
	const char *value = mcOptionText(table->options, name);

	return value != NULL ? value : mcOptionText(GetForeignServer(table->serverid)->options, name);
}

void
mcOtsGetRelSize(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	McOtsRel   *info = palloc0(sizeof(McOtsRel));
	Relation	relation = table_open(relid, NoLock);
	ForeignTable *table = GetForeignTable(relid);
	const char *on_error = option_of(table, "on_error");

	info->columns = mcOtsColumns(relation);
	table_close(relation, NoLock);
	info->nkeys = mcOtsKeyCount(info->columns);
	info->cell_shape = mcOtsIsCellShape(relid);
	/* the newest versions are taken from all, not from those below a bound */
	info->push_upper_versions = mcOptionText(table->options, "max_versions") == NULL;
	/* rejected rows are counted, so they have to come */
	info->push_filters = !info->cell_shape && (on_error == NULL || pg_strcasecmp(on_error, "reject") != 0);
	rel->fdw_private = info;
	info->base = mcOtsClassify(root, rel, rel->baserestrictinfo);
	mcOtsSetSize(root, rel, info->base);
}

static bool
constant_count(Node *node, int64 *count)
{
	Const	   *c = (Const *) node;

	*count = 0;
	if (node == NULL)
		return true;
	if (!IsA(node, Const) || c->constisnull)
		return false;
	*count = DatumGetInt64(c->constvalue);
	return *count >= 0;
}

/*
 * Rows this scan will be asked for at most, 0 = not known: the query is a LIMIT over
 * this relation alone, and each row of it is a row of the result.  The Limit node
 * stays; the scan only asks the service for no more than it will be asked for.
 */
static int
rows_wanted(PlannerInfo *root, RelOptInfo *rel, ForeignPath *path, List *local)
{
	Query	   *parse = root->parse;
	int64		count;
	int64		offset;

	if (parse->commandType != CMD_SELECT || parse->limitCount == NULL || local != NIL || parse->rowMarks != NIL ||
		parse->limitOption == LIMIT_OPTION_WITH_TIES || parse->hasAggs || parse->hasWindowFuncs ||
		parse->hasTargetSRFs || parse->groupClause != NIL || parse->groupingSets != NIL ||
		parse->distinctClause != NIL || parse->havingQual != NULL || parse->setOperations != NULL ||
		rel->reloptkind != RELOPT_BASEREL || path->path.param_info != NULL ||
		bms_membership(root->all_baserels) != BMS_SINGLETON ||
		!pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys) ||
		!constant_count(parse->limitCount, &count) || !constant_count(parse->limitOffset, &offset) ||
		count == 0 || count > PG_INT32_MAX || offset > PG_INT32_MAX - count)
		return 0;
	return (int) (count + offset);
}

/*
 * Will the reader stop long before the end?  A sort or an aggregate above the scan
 * does not, whatever LIMIT stands above it; the inner side of a join is read whole.
 */
static bool
few_wanted(PlannerInfo *root, ForeignPath *path)
{
	Query	   *parse = root->parse;

	return path->path.param_info == NULL && !mcAllRowsWanted(root, path) && !parse->hasAggs && !parse->hasWindowFuncs &&
		parse->groupClause == NIL && parse->distinctClause == NIL && parse->setOperations == NULL &&
		pathkeys_contained_in(root->sort_pathkeys, path->path.pathkeys);
}

ForeignScan *
mcOtsGetPlan(PlannerInfo *root, RelOptInfo *rel, Oid relid, ForeignPath *path,
			 List *tlist, List *clauses, Plan *outer)
{
	const McOtsRel *info = rel->fdw_private;
	McOtsPushed *pushed = mcOtsClassify(root, rel, clauses);
	List	   *local = extract_actual_clauses(pushed->local, false);
	List	   *recheck = extract_actual_clauses(pushed->exact, false);
	bool		ordered = path->path.pathkeys != NIL;
	int			limit = rows_wanted(root, rel, path, local);
	List	   *attrs;
	List	   *private;

	/* no condition is true of a key that does not convert, so it is read though the service has checked the condition */
	attrs = mcNeededAttributes(rel, info->columns, list_concat_copy(local, recheck));
	private = list_make5(attrs, pushed->conds, pushed->filter, makeBoolean(ordered),
						 makeBoolean(ordered && intVal(linitial(path->fdw_private)) != 0));
	private = lappend(private, makeBoolean(mcAllRowsWanted(root, path)));
	private = lappend(private, makeInteger(limit == 0 && few_wanted(root, path) ? -1 : limit));
	return make_foreignscan(tlist, local, rel->relid, pushed->exprs, private, NIL, recheck, outer);
}
