/*
 * tools.h
 *		Shared by the functions of schema mc that look at servers, foreign tables and
 *		statements: check, lint, diff, verify, shards, partitions, create_remote,
 *		required_policy.
 */
#ifndef MC_TOOLS_H
#define MC_TOOLS_H

#include "../fdw/mc_fdw.h"

#include "datatype/timestamp.h"
#include "funcapi.h"

/* ---- tools.c ---- */

/* The wrapper whose handler the server's foreign-data wrapper has; 0 = another's */
extern McWrapper mcWrapperOfServer(Oid serverid);
/* of a relation; 0 = not a foreign table of ours */
extern McWrapper mcWrapperOfRelation(Oid relid);
/*
 * Opens the foreign table (AccessShareLock), checks 'mode' (ACL_SELECT, ...) of the
 * caller and that it belongs to one of the wrappers; raises.
 */
extern Relation mcOpenForeign(Oid relid, int wrappers, AclMode mode);
/* USAGE on the server of a foreign table, for what its owner's rights do not cover; raises */
extern void mcCheckServerUsage(Oid serverid);
/* schema.table, quoted as needed; NULL if it is gone */
extern char *mcRelationText(Oid relid);
/* a row of a set-returning function of texts; NULL = NULL */
extern void mcPutTexts(FunctionCallInfo fcinfo, int n, char **values);

/*
 * Runs 'body' in a subtransaction that is always rolled back.  An error comes back as
 * its data, in CurrentMemoryContext; cancel, termination and lack of memory are raised.
 */
extern ErrorData *mcTry(void (*body) (void *arg), void *arg);

/* ---- lint.c ---- */

typedef struct McFinding
{
	const char *severity;		/* "error", "warning", "notice" */
	const char *rule;
	char	   *message;
	char	   *hint;			/* NULL = none */
} McFinding;

/*
 * What is wrong with the text of a job, McFinding *, worst first; nothing is executed
 * and no request is sent.  'every' is the length of its windows, NULL = not known.
 */
extern List *mcLint(const char *sql, const Interval *every);

/* between lint*.c */
typedef struct McLint
{
	const char *sql;
	const Interval *every;
	List	   *findings;
	List	   *rtables;		/* range tables around the node that is looked at, innermost first */
} McLint;

extern void mcLintAdd(McLint *lint, const char *severity, const char *rule, char *message, const char *hint);
extern void mcLintRaw(McLint *lint, Node *raw);	/* lint_text.c */
extern void mcLintQuery(McLint *lint, Query *query);
extern void mcLintColumns(McLint *lint, Query *query, Node *raw);	/* lint_target.c */
extern void mcLintTargets(McLint *lint, Query *query);
extern void mcLintPlan(McLint *lint, PlannedStmt *plan);	/* lint_source.c */
extern void mcLintWindows(McLint *lint, const List *queries);	/* lint_window.c */

#endif							/* MC_TOOLS_H */
