/*
 * ots_path.c
 *		Paths of a Tablestore scan: costs, key order, parameters from joins.
 *
 * The planner never contacts the service.  Row counts are those of ANALYZE if there
 * are any, else a constant; a full key is one row.  Costs weigh a round trip against
 * a row that is received and decoded, so that a join looks rows up by key as long as
 * that takes fewer seconds than reading the table.
 */
#include "postgres.h"

#include "catalog/pg_am.h"
#include "commands/defrem.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "ots_plan.h"

#define DEFAULT_ROWS 1000000.0	/* without ANALYZE */
#define ROUND_TRIP 25.0			/* some milliseconds */
#define ROWS_PER_PAGE 5000.0
#define KEYS_PER_REQUEST 100.0
#define SCAN_COST 0.005			/* of a row the service passes by */
#define ROW_COST 0.015			/* beside cpu_tuple_cost: receive, verify, decode */
#define ORDER_FACTOR 1.02		/* pages wait for those before them */

static double
selectivity(PlannerInfo *root, RelOptInfo *rel, List *clauses)
{
	return clauses == NIL ? 1.0 : clauselist_selectivity(root, clauses, rel->relid, JOIN_INNER, NULL);
}

/* Rows the service goes over */
static double
rows_scanned(PlannerInfo *root, RelOptInfo *rel, const McOtsPushed *pushed)
{
	double		rows = clamp_row_est(rel->tuples * selectivity(root, rel, pushed->keyed));

	return pushed->points > 0 ? Min(pushed->points, rel->tuples) : rows;
}

void
mcOtsSetSize(PlannerInfo *root, RelOptInfo *rel, const McOtsPushed *pushed)
{
	if (rel->tuples <= 0)
		rel->tuples = DEFAULT_ROWS;
	set_baserel_size_estimates(root, rel);
	if (pushed->points > 0)
		rel->rows = clamp_row_est(rows_scanned(root, rel, pushed) * selectivity(root, rel, pushed->local));
}

static void
cost_of(PlannerInfo *root, RelOptInfo *rel, const McOtsPushed *pushed, Cost *startup, Cost *total)
{
	double		scanned = rows_scanned(root, rel, pushed);
	double		received = clamp_row_est(scanned * selectivity(root, rel, pushed->filtered));
	double		requests = pushed->points > 0 ? pushed->points / KEYS_PER_REQUEST :
		Max(pushed->parts, scanned / ROWS_PER_PAGE);
	QualCost	local;

	cost_qual_eval(&local, pushed->local, root);
	*startup = ROUND_TRIP + local.startup + rel->reltarget->cost.startup;
	*total = *startup + Max(requests - 1, 0) + scanned * SCAN_COST +
		received * (ROW_COST + cpu_tuple_cost + local.per_tuple) + rel->rows * rel->reltarget->cost.per_tuple;
}

/* ---- order ---- */

/* The equivalence class in which the column can be ordered as the service orders it */
static EquivalenceClass *
class_of(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, const McOtsColumn *column, Oid opfamily)
{
	ListCell   *lc;

	foreach(lc, root->eq_classes)
	{
		EquivalenceClass *ec = lfirst(lc);
		ListCell   *lm;

		/* one value is in order under any collation */
		if (ec->ec_merged != NULL || ec->ec_has_volatile || !list_member_oid(ec->ec_opfamilies, opfamily) ||
			!mcOtsCollationFits(column->remote, EC_MUST_BE_REDUNDANT(ec) ? BTEqualStrategyNumber : BTLessStrategyNumber,
								ec->ec_collation))
			continue;
		foreach(lm, mcClassMembers(ec, rel->relids))
		{
			EquivalenceMember *em = lfirst(lm);

			if (bms_equal(em->em_relids, rel->relids) &&
				mcOtsPushableKey(rel, info, (Node *) em->em_expr) == column)
				return ec;
		}
	}
	return NULL;
}

/* Keys are never NULL, so the query's word on where NULLs go holds */
static bool
nulls_first_as_asked(PlannerInfo *root, EquivalenceClass *ec, int strategy)
{
	ListCell   *lc;

	foreach(lc, root->query_pathkeys)
	{
		PathKey    *key = lfirst(lc);

		if (key->pk_eclass == ec && mcPathKeyStrategy(key) == strategy)
			return key->pk_nulls_first;
	}
	return strategy == BTGreaterStrategyNumber;
}

/* The order of the key in one direction, as far as the query has any use for it */
static List *
key_order(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, bool backward)
{
	int			strategy = backward ? BTGreaterStrategyNumber : BTLessStrategyNumber;
	List	   *order = NIL;

	for (int i = 0; i < info->nkeys; i++)
	{
		const McOtsColumn *column = mcOtsKeyColumn(info->columns, i);
		Oid			opfamily;
		EquivalenceClass *ec;
		bool		known = false;
		ListCell   *lc;

		if (!mcOtsComparable(column->remote, column->type))
			break;
		opfamily = get_opclass_family(GetDefaultOpClass(getBaseType(column->type), BTREE_AM_OID));
		ec = class_of(root, rel, info, column, opfamily);
		if (ec == NULL)
			break;
		foreach(lc, order)
			known = known || ((PathKey *) lfirst(lc))->pk_eclass == ec;
		/* a column with one value orders nothing */
		if (known || EC_MUST_BE_REDUNDANT(ec))
			continue;
		order = lappend(order, make_canonical_pathkey(root, ec, opfamily, strategy,
													  nulls_first_as_asked(root, ec, strategy)));
	}
	return truncate_useless_pathkeys(root, rel, order);
}

static void
add_ordered_paths(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Cost startup, Cost total)
{
	for (int backward = 0; backward <= 1; backward++)
	{
		List	   *order = key_order(root, rel, info, backward);

		if (order != NIL)
			add_path(rel, (Path *) mcCreateForeignScanPath(root, rel, rel->rows, startup,
														   startup + (total - startup) * ORDER_FACTOR, order, rel->lateral_relids,
														   list_make1(makeInteger(backward))));
	}
}

/* ---- parameters ---- */

typedef struct WantedColumn
{
	const McOtsRel *info;
	int			key;
} WantedColumn;

static bool
is_wanted_column(PlannerInfo *root, RelOptInfo *rel, EquivalenceClass *ec, EquivalenceMember *em, void *arg)
{
	const WantedColumn *wanted = arg;
	const McOtsColumn *column = mcOtsPushableKey(rel, wanted->info, (Node *) em->em_expr);

	return column != NULL && column->key == wanted->key;
}

/* The relations a movable clause takes its values from */
static Relids
outer_of(RelOptInfo *rel, RestrictInfo *rinfo)
{
	Relids		outer;

	if (!join_clause_is_movable_to(rinfo, rel))
		return NULL;
	outer = bms_union(rinfo->clause_relids, rel->lateral_relids);
	return bms_del_member(outer, rel->relid);
}

static void
add_parameterized_path(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info, Relids outer)
{
	ParamPathInfo *param = get_baserel_parampathinfo(root, rel, outer);
	McOtsPushed *pushed;
	Cost		startup;
	Cost		total;

	pushed = mcOtsClassify(root, rel, list_concat_copy(rel->baserestrictinfo, param->ppi_clauses));
	/* parameters that only check rows are no reason to read them again and again */
	if (list_length(pushed->keyed) <= list_length(info->base->keyed))
		return;
	if (pushed->points > 0)
		param->ppi_rows = Min(param->ppi_rows, clamp_row_est(rows_scanned(root, rel, pushed) *
															  selectivity(root, rel, pushed->local)));
	cost_of(root, rel, pushed, &startup, &total);
	add_path(rel, (Path *) mcCreateForeignScanPath(root, rel, param->ppi_rows, startup, total, NIL, outer, NIL));
}

/* Paths that look keys up for the rows of other relations: for each set of relations that gives values, and all together */
static void
add_parameterized_paths(PlannerInfo *root, RelOptInfo *rel, const McOtsRel *info)
{
	List	   *clauses = list_copy(rel->joininfo);
	List	   *seen = NIL;
	Relids		all = NULL;
	ListCell   *lc;

	if (rel->has_eclass_joins)
		for (int i = 0; i < info->nkeys; i++)
		{
			WantedColumn wanted = {info, i};

			clauses = list_concat(clauses,
								  generate_implied_equalities_for_column(root, rel, is_wanted_column, &wanted,
																		 rel->lateral_referencers));
		}
	foreach(lc, clauses)
	{
		Relids		outer = outer_of(rel, lfirst_node(RestrictInfo, lc));
		ListCell   *ls;
		bool		known = bms_is_empty(outer);

		foreach(ls, seen)
			known = known || bms_equal(lfirst(ls), outer);
		if (known)
			continue;
		seen = lappend(seen, outer);
		all = bms_union(all, outer);
	}
	foreach(lc, seen)
	{
		if (bms_equal(lfirst(lc), all))
			all = NULL;
		add_parameterized_path(root, rel, info, lfirst(lc));
	}
	if (all != NULL)
		add_parameterized_path(root, rel, info, all);
}

void
mcOtsGetPaths(PlannerInfo *root, RelOptInfo *rel, Oid relid)
{
	const McOtsRel *info = rel->fdw_private;
	Cost		startup;
	Cost		total;

	cost_of(root, rel, info->base, &startup, &total);
	add_path(rel, (Path *) mcCreateForeignScanPath(root, rel, rel->rows, startup, total, NIL,
												   rel->lateral_relids, NIL));
	add_ordered_paths(root, rel, info, startup, total);
	add_parameterized_paths(root, rel, info);
}
