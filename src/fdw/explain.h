/*
 * explain.h
 *		What EXPLAIN (ANALYZE) says of every scan in the same words.
 */
#ifndef MC_EXPLAIN_H
#define MC_EXPLAIN_H

#include "mc_fdw.h"

struct ExplainState;

/* rows and values that on_error let pass; nothing where they end the statement */
extern void mcExplainRejects(const McRejects *rejects, struct ExplainState *es);
/* 'clock_fixed': how often the service's time was taken over */
extern void mcExplainRequests(const mcn_stats *net, int64 clock_fixed, struct ExplainState *es);
/* where time went, with TIMING */
extern void mcExplainTimes(const mcn_stats *net, struct ExplainState *es);

#endif							/* MC_EXPLAIN_H */
