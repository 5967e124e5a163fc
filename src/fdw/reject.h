/*
 * reject.h
 *		The remembered rejects of this backend's last statement that had on_error set.
 */
#ifndef MC_REJECT_H
#define MC_REJECT_H

#include "datatype/timestamp.h"

#define MC_REJECT_SAMPLES 1000
#define MC_RUN_REJECTS 10000	/* of the run of a job */

typedef struct McRejectSample
{
	TimestampTz at;
	Oid			relid;
	char	   *part;			/* "shard 3", "partition dt=20240101"; NULL allowed, as below */
	char	   *position;
	char	   *column;
	int			sqlstate;
	char	   *reason;
	char	   *value;			/* only under log_verbosity 'verbose', and in the run of a job */
	char	   *raw;			/* the row as it came, as JSON; only in the run of a job */
} McRejectSample;

/* the current user's samples, oldest first; memory stays until the next statement */
extern int	mcRejectSamples(McRejectSample ***list);

/* what the run has rejected, oldest first, as much as is kept; memory stays until the next run or statement */
extern int	mcRejectsOfRun(int64 run_id, McRejectSample ***list);

#endif							/* MC_REJECT_H */
