/*
 * mcs_loghub_group.h
 *		Consumer groups of Log Service as a place where positions are shown to others
 *		(loghub.md 3.12).  We keep positions of our own, so no heartbeat is sent and
 *		checkpoints are stored with forceSuccess, whoever holds the shard.
 *
 * Builders and readers of answers, to be used like those of mcs_loghub.h.
 */
#ifndef MCS_LOGHUB_GROUP_H
#define MCS_LOGHUB_GROUP_H

#include "mcs_loghub.h"

/* 'body' is the caller's, initialised, and stays unchanged until the request is over */
extern mcw_status mcs_group_create(mcs_call *call, mcw_view logstore, mcw_view group, int timeout, bool order,
								   mcw_buf *body, mcw_error *err);
/* 'cursor' is the next to be read */
extern mcw_status mcs_group_set_checkpoint(mcs_call *call, mcw_view logstore, mcw_view group, mcw_view consumer,
										   int shard, mcw_view cursor, mcw_buf *body, mcw_error *err);
extern mcw_status mcs_group_get_checkpoints(mcs_call *call, mcw_view logstore, mcw_view group, mcw_error *err);

typedef struct mcs_checkpoint
{
	int			shard;
	mcw_view	cursor;			/* empty = none is stored */
} mcs_checkpoint;

/* The array is in the arena, which the caller has initialised and resets */
extern mcw_status mcs_parse_checkpoints(mcs_call *call, mcw_arena *arena, mcs_checkpoint **points, int *npoints, mcw_error *err);

#endif							/* MCS_LOGHUB_GROUP_H */
