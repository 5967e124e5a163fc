/*
 * loghub_group.h
 *		Positions of a job that are shown in a consumer group (table option consumer_group).
 */
#ifndef MC_LOGHUB_GROUP_H
#define MC_LOGHUB_GROUP_H

#include "mc_fdw.h"

typedef struct McLogMark
{
	int			shard;
	char	   *position;		/* the next cursor to be read */
	char	   *reported;		/* what the group was told last; NULL = nothing */
	bool		done;
} McLogMark;

/* key of a logstore's positions (McJobSource.key) */
extern char *mcLogSourceKey(const McServer *server, const char *logstore);
/*
 * Stores the positions and sets 'done' of each that is stored; makes the group if there is
 * none.  Stops at the first failure: *err.
 */
extern mcw_status mcLogMarksWrite(McServer *server, McLogMark *marks, int n, mcw_error *err);
/*
 * Does the group hold anything else than these positions, or what was reported last?
 * *known is false if it holds nothing at all, or does not exist.
 */
extern mcw_status mcLogMarksDiffer(McServer *server, const McLogMark *marks, int n, bool *known, bool *differ, mcw_error *err);

#endif							/* MC_LOGHUB_GROUP_H */
