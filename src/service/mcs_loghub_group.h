/*
 * mcs_loghub_group.h
 *		Consumer groups of Log Service (loghub.md 3.12): a place where positions are shown
 *		to others, without heartbeats and with 'force', whoever holds the shard; or where
 *		several consumers share the shards.
 *
 * Builders and readers of answers, to be used like those of mcs_loghub.h.
 */
#ifndef MCS_LOGHUB_GROUP_H
#define MCS_LOGHUB_GROUP_H

#include "mcs_loghub.h"

/* 'body' is the caller's, initialised, and stays unchanged until the request is over */
extern mcw_status mcs_group_create(mcs_call *call, mcw_view logstore, mcw_view group, int timeout, bool order,
								   mcw_buf *body, mcw_error *err);
/* 'cursor' is the next to be read; without 'force' only a live consumer that holds the shard may store it */
extern mcw_status mcs_group_set_checkpoint(mcs_call *call, mcw_view logstore, mcw_view group, mcw_view consumer,
										   bool force, int shard, mcw_view cursor, mcw_buf *body, mcw_error *err);
extern mcw_status mcs_group_get_checkpoints(mcs_call *call, mcw_view logstore, mcw_view group, mcw_error *err);

typedef struct mcs_checkpoint
{
	int			shard;
	mcw_view	cursor;			/* empty = none is stored */
	mcw_view	consumer;		/* who stored it */
} mcs_checkpoint;

/* The array is in the arena, which the caller has initialised and resets */
extern mcw_status mcs_parse_checkpoints(mcs_call *call, mcw_arena *arena, mcs_checkpoint **points, int *npoints, mcw_error *err);

/* All groups of a logstore; *timeout is that of 'group' in seconds, 0 = there is no such group */
extern mcw_status mcs_group_list(mcs_call *call, mcw_view logstore, mcw_error *err);
extern mcw_status mcs_parse_group_timeout(mcs_call *call, mcw_arena *arena, mcw_view group, int64_t *timeout, mcw_error *err);

/* What the consumer holds now (nothing in its first), and what it shall hold */
extern mcw_status mcs_group_heartbeat(mcs_call *call, mcw_view logstore, mcw_view group, mcw_view consumer,
									  const int *holds, int nholds, mcw_buf *body, mcw_error *err);
extern mcw_status mcs_parse_heartbeat(mcs_call *call, mcw_arena *arena, int **shards, int *n, mcw_error *err);

#endif							/* MCS_LOGHUB_GROUP_H */
