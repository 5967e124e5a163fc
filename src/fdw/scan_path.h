/*
 * scan_path.h
 *		Paths of a scan that a service bounds by conditions alone, and that has no
 *		statistics (LogHub, change streams, OSS).
 */
#ifndef MC_SCAN_PATH_H
#define MC_SCAN_PATH_H

#include "postgres.h"

#include "nodes/pathnodes.h"
#include "optimizer/paths.h"

typedef struct McScanCost
{
	double		startup;		/* of the first requests */
	double		row;			/* of a row, beside cpu_tuple_cost */
	double		rows;			/* that a scan on its own fetches */
	double		joined_rows;	/* ... and one that other relations bound */
	List	   *local;			/* RestrictInfos that are checked here */
} McScanCost;

/* Does the clause bound the scan? */
typedef bool (*McBoundsScan) (PlannerInfo *root, RelOptInfo *rel, RestrictInfo *rinfo);

/*
 * Adds the path of a scan on its own, and one for each distinct set of outer relations
 * whose rows can bound it: of each movable join clause, given or implied by an
 * equivalence class, that 'bounds'.  'is_pushed' tells the columns whose equality
 * conditions would.
 */
extern void mcAddScanPaths(PlannerInfo *root, RelOptInfo *rel, const McScanCost *cost,
						   ec_matches_callback_type is_pushed, McBoundsScan bounds);

#endif							/* MC_SCAN_PATH_H */
