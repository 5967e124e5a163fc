/*
 * mcs_ots_write_private.h
 *		What the files of the Tablestore writer share; nobody else includes this.
 *
 * A key that has changes is one entry.  An entry is on one list of the writer
 * (ready, delayed, suspects, settling) or in one request, so a key is in flight once
 * at most; its changes wait in order.  Changes are merged when they are sent, not
 * when they come: if what they were merged to is refused, they are sent one by one.
 */
#ifndef MCS_OTS_WRITE_PRIVATE_H
#define MCS_OTS_WRITE_PRIVATE_H

#include "mcs_ots_write.h"

typedef struct ots_change
{
	struct ots_change *next;	/* later change of the same key */
	uint64_t	tag;
	uint32_t	len;			/* of the row */
	uint8_t		kind;			/* mcw_ots_change */
	uint8_t		existence;		/* mcw_ots_existence */
	bool		embedded;		/* memory belongs to the entry */
	char		row[];
} ots_change;

typedef struct ots_entry
{
	struct ots_entry *hash_next;
	struct ots_entry *next;		/* in its list */
	ots_change *first;
	ots_change *last;
	size_t		size;			/* of this allocation */
	int64_t		pending_us;		/* first refusal of the changes under way, 0 = none */
	int64_t		due_us;			/* on 'delayed' */
	uint32_t	hash;
	uint32_t	key_len;
	int			taken;			/* changes the attempt under way stands for */
	int			solo;			/* changes that are sent one by one */
	int			attempts;
	int			limit;			/* on 'suspects': rows of a batch at most; 0 = no suspect */
	bool		maybe;			/* an earlier attempt may have been applied */
	bool		exists;			/* an insert of this entry has made the row, or met it */
	bool		keyless;		/* AUTO_INCREMENT: every change is a row of its own */
	char		key[];			/* see ots_key_bytes; then the embedded change */
} ots_entry;

typedef struct ots_list
{
	ots_entry  *head;
	ots_entry  *tail;
	int			n;
} ots_list;

/* One request */
typedef struct ots_slot
{
	mcs_ots_call call;
	mcs_ots_writer *writer;
	mcw_status	(*prepare) (mcn_request *req, mcw_buf *scratch, mcw_error *err);	/* the call's own */
	struct ots_slot *next;		/* in 'idle' or 'done' */
	bool		settle;			/* GetRow of rows[0], else BatchWriteRow */
	bool		maybe;			/* an attempt before the last may have been applied */
	size_t		memory;			/* of body and answer, as counted in writer->requests */
	int			n;
	ots_entry  *rows[MCW_OTS_MAX_BATCH_ROWS];
} ots_slot;

struct mcs_ots_writer
{
	mcs_ots    *ots;
	const mcw_alloc *alloc;
	mcs_ots_writer_spec spec;
	mcs_ots_writer_info info;
	mcw_status	failed;			/* final */
	mcw_error	error;
	char		failed_at[256];

	ots_entry **buckets;
	uint32_t	nbuckets;		/* power of two */
	uint32_t	nentries;		/* hashed or not */
	size_t		held;			/* bytes of entries and changes */
	size_t		requests;		/* bytes of bodies and answers */

	ots_list	ready;
	size_t		ready_bytes;	/* of the first change of each */
	ots_list	delayed;
	int64_t		next_due_us;	/* the earliest of 'delayed'; whose it is: */
	int			next_attempts;
	bool		next_slow;
	ots_list	suspects;		/* their batch was refused as a whole */
	ots_list	settling;		/* to be read */
	int64_t		pause_until_us; /* throttled: no new batch before */

	ots_slot  **slots;
	ots_slot   *idle;
	ots_slot   *done;			/* over, to be looked at; filled by on_done */
	int			busy;
	uint32_t	adds;

	mcw_ots_reader *reader;		/* of no column: for walks over cells */
	mcw_ots_cell *cells;		/* of a merge, made when needed */
	mcw_ots_cell *saved;
	mcw_buf		merged;
	mcw_buf		changes;		/* row changes of the batch being built */
	mcw_buf		key;
	mcw_buf		condition;		/* of the row change being built */
};

/* ---- mcs_ots_write.c ---- */
extern void ots_push(ots_list *list, ots_entry *entry);
extern ots_entry *ots_pop(ots_list *list);
extern void ots_make_ready(mcs_ots_writer *writer, ots_entry *entry);
extern void ots_key_of(const mcs_ots_writer *writer, const ots_entry *entry, mcw_ots_key *key);
/* the changes under way are settled; reports, and frees the entry or makes it ready */
extern void ots_settled(mcs_ots_writer *writer, ots_entry *entry, mcs_ots_row_outcome outcome,
						mcw_view row, const mcw_error *err);
/* the first failure is kept; entry may be NULL */
extern void ots_writer_fail(mcs_ots_writer *writer, const mcw_error *err, const ots_entry *entry);

/* ---- mcs_ots_write_batch.c ---- */
extern ots_slot *ots_slot_create(mcs_ots_writer *writer);
extern void ots_slot_free(ots_slot *slot);
/* send what may be sent; 'all': also batches that are not full */
extern bool ots_start(mcs_ots_writer *writer, bool all);
/* look at requests that are over */
extern void ots_collect(mcs_ots_writer *writer);
/* in how many ms is there something to do without news from the network? -1 = never */
extern int	ots_next_timeout(const mcs_ots_writer *writer);

/* ---- mcs_ots_write_merge.c ---- */

/*
 * What the next changes of this key come to: sets taken, and the row and kind to be
 * sent ('row' may point into writer->merged).
 */
extern mcw_status ots_take(mcs_ots_writer *writer, ots_entry *entry, mcw_ots_change *kind, mcw_view *row);
/* the condition of a row that sets the guard, in writer->condition; empty: it does not */
extern mcw_status ots_guard(mcs_ots_writer *writer, mcw_view row, mcw_view *condition);
/* the versions our put cells have, from own_since; false if they have none or there are none */
extern bool ots_version_range(mcs_ots_writer *writer, mcw_view row, int64_t *low, int64_t *high);
/* is every put cell of 'ours' in 'theirs', with its version, or one from own_since? */
extern mcw_status ots_row_holds(mcs_ots_writer *writer, mcw_view theirs, mcw_view ours, bool *holds, mcw_error *err);

#endif							/* MCS_OTS_WRITE_PRIVATE_H */
