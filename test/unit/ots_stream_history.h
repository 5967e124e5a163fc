/*
 * ots_stream_history.h
 *		Random histories of the small change stream of ots_stream_server.h.
 */
#ifndef OTS_STREAM_HISTORY_H
#define OTS_STREAM_HISTORY_H

#include "ots_stream_server.h"

#define KEYS 16

typedef struct history
{
	unit_random random;
	int			owner[KEYS];	/* shard of a key */
	int			epoch[MAX_SHARDS];
	int64_t		offset[MAX_SHARDS];	/* of the shard's clock */
	int64_t		now;
	int64_t		reach;			/* seconds by which the clocks of shards step, in all; 0 = they do not */
	int			names;
} history;

static inline int
new_shard(stream_model *model, history *h, const char *parent, const char *sibling)
{
	char		id[24];
	int			i = model->nshards;

	(void) snprintf(id, sizeof(id), "%08x-%d", (unsigned) unit_next(&h->random), ++h->names);
	(void) add_shard(model, id, parent, sibling);
	return i;
}

static inline void
split(stream_model *model, history *h, int s)
{
	int			mine = 0;
	int			left;
	int			right;
	int			seen = 0;

	for (int k = 0; k < KEYS; k++)
		mine += h->owner[k] == s;
	if (mine < 2 || model->nshards + 2 > MAX_SHARDS)
		return;
	model->shards[s].closed = true;
	left = new_shard(model, h, model->shards[s].id, NULL);
	right = new_shard(model, h, model->shards[s].id, NULL);
	for (int k = 0; k < KEYS; k++)
	{
		if (h->owner[k] == s)
			h->owner[k] = seen++ < mine / 2 ? left : right;
	}
}

static inline void
merge(stream_model *model, history *h, int a, int b)
{
	int			child;

	if (a == b || model->nshards + 1 > MAX_SHARDS)
		return;
	model->shards[a].closed = model->shards[b].closed = true;
	child = new_shard(model, h, model->shards[a].id, model->shards[b].id);
	for (int k = 0; k < KEYS; k++)
	{
		if (h->owner[k] == a || h->owner[k] == b)
			h->owner[k] = child;
	}
}

/* Writes, batches, splits, merges, and clocks that step */
static inline void
live(stream_model *model, history *h, int events)
{
	for (int i = 0; i < events; i++)
	{
		int			key = (int) unit_below(&h->random, KEYS);
		int			s = h->owner[key];
		int			what = (int) unit_below(&h->random, 100);

		h->now += (int64_t) unit_below(&h->random, 8 * SECOND);
		if (what < 2)
			split(model, h, s);
		else if (what < 4)
			merge(model, h, s, h->owner[unit_below(&h->random, KEYS)]);
		else if (what < 8 && h->reach > 0)
		{
			h->epoch[s]++;
			h->offset[s] = (int64_t) unit_below(&h->random, (size_t) (h->reach * SECOND)) - h->reach * SECOND / 2;
		}
		else
		{
			int			batch = what < 80 ? 1 : 1 + (int) unit_below(&h->random, 6);

			for (int b = 0; b < batch; b++)
				add_change(model, &model->shards[s], h->epoch[s], h->now + h->offset[s], b, key);
		}
	}
}

#endif							/* OTS_STREAM_HISTORY_H */
