/*
 * reject.h
 *		The remembered rejects of this backend's last statement that had on_error set.
 */
#ifndef MC_REJECT_H
#define MC_REJECT_H

#include "datatype/timestamp.h"

#define MC_REJECT_SAMPLES 1000

typedef struct McRejectSample
{
	TimestampTz at;
	Oid			relid;
	char	   *part;			/* "shard 3", "partition dt=20240101"; NULL allowed, as below */
	char	   *position;
	char	   *column;
	int			sqlstate;
	char	   *reason;
	char	   *value;			/* only under log_verbosity 'verbose' */
} McRejectSample;

/* the current user's samples, oldest first; memory stays until the next statement */
extern int	mcRejectSamples(McRejectSample ***list);

#endif							/* MC_REJECT_H */
