/*
 * loghub_share.h
 *		Shards of a logstore that several databases share by a consumer group (table option
 *		consumer_share).
 *
 * A range of a shard is claimed before it is read: it is recorded here, then the group's
 * checkpoint is moved from its begin to its end, which the service does only for the
 * consumer that holds the shard.  From then on the range belongs to this database, whatever
 * becomes of the shard.
 */
#ifndef MC_LOGHUB_SHARE_H
#define MC_LOGHUB_SHARE_H

#include "mc_fdw.h"

typedef struct McLogClaim
{
	int			shard;
	char	   *begin;
	char	   *end;
	bool		finished;		/* nothing can come after 'end' */
	bool		unseen;			/* the group has no checkpoint of the shard */
	bool		taken;
} McLogClaim;

/* what this database has claimed last */
typedef struct McLogClaimed
{
	int			shard;
	char	   *end;
} McLogClaimed;

typedef struct McLogShare
{
	McServer   *server;
	const char *consumer;
	int64		start;			/* of the job, Unix seconds: where shards begin that nobody has read */
	int64		begin;			/* of the window */
	int64		end;
	const McLogClaimed *claimed;
	int			nclaimed;
} McLogShare;

/*
 * What the window can claim: McLogClaim * of the shards that the service assigns to this
 * consumer.  Makes the group if there is none.  Raises.
 */
extern List *mcLogSharePlan(const McLogShare *share);
/*
 * Claims them and sets 'taken' of each; may be repeated after any failure.  Raises, also
 * if it cannot be known whether an earlier attempt has claimed one.
 */
extern void mcLogShareClaim(const McLogShare *share, List *claims);

#endif							/* MC_LOGHUB_SHARE_H */
