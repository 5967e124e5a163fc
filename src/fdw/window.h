/*
 * window.h
 *		Arithmetic of receive-time windows: bounds with microseconds become half-open
 *		ranges of whole Unix seconds.
 *
 * No PostgreSQL header, so that the property test can run without a server.
 */
#ifndef MC_WINDOW_H
#define MC_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* numbered like the strategies of a btree operator family */
typedef enum McBound
{
	MC_BOUND_LT = 1,
	MC_BOUND_LE = 2,
	MC_BOUND_EQ = 3,
	MC_BOUND_GE = 4,
	MC_BOUND_GT = 5
} McBound;

typedef struct McInstant
{
	int			infinite;		/* -1, 0, +1 */
	int64_t		micros;			/* since 1970-01-01 UTC */
} McInstant;

/* [begin, end) of whole seconds; an absent bound is open */
typedef struct McWindow
{
	bool		empty;
	bool		has_begin;
	bool		has_end;
	int64_t		begin;
	int64_t		end;
} McWindow;

extern void mcWindowInit(McWindow *window);	/* everything */

/* Narrow the window to the whole seconds t with "t op x" */
extern void mcWindowBound(McWindow *window, McBound op, McInstant x);
extern void mcWindowNull(McWindow *window);	/* a NULL bound: no rows */

/*
 * The window of instants t such that "u op x" can hold for a time u with
 * t - delay <= u <= t + skew (an event time that runs at most 'skew' ahead of the
 * receive time and at most 'delay' behind).  Negative: not known, no bound.
 */
extern void mcWindowDerive(McWindow *window, McBound op, McInstant x, int64_t delay, int64_t skew);

/*
 * The parts of 'window' that hold one of n instants: sorted, disjoint, not
 * adjacent.  'points' is sorted in place; 'out' has room for n.
 */
extern size_t mcWindowPoints(const McWindow *window, McInstant *points, size_t n, McWindow *out);

extern int64_t mcFloorSeconds(int64_t micros);

#endif							/* MC_WINDOW_H */
