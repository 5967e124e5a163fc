/*
 * mcs_ots_write.h
 *		Writing rows to one Tablestore table through BatchWriteRow (tablestore.md 4.5,
 *		guarantees.md 8.1).
 *
 * The writer owns the order of things: a key is in flight once at most, later
 * changes of the same key wait; only failed rows are sent again; a batch that is
 * refused as a whole is sent row by row, so that the bad row is known.
 */
#ifndef MCS_OTS_WRITE_H
#define MCS_OTS_WRITE_H

#include "mcs_ots.h"

/* What became of a row */
typedef enum mcs_ots_row_outcome
{
	MCS_OTS_ROW_DONE,
	MCS_OTS_ROW_EXISTS,			/* EXPECT_NOT_EXIST failed: somebody else's row is there */
	MCS_OTS_ROW_MISSING,		/* EXPECT_EXIST failed */
	MCS_OTS_ROW_STALE,			/* the table's guard is newer (or EXPECT_EXIST failed, too) */
	MCS_OTS_ROW_REFUSED			/* the service refuses this row; 'err' says why */
} mcs_ots_row_outcome;

/*
 * Told once for each row, from a function of the writer that the caller has called,
 * never from inside a libcurl callback.  May not call the writer, and must not leave
 * it by a jump.
 */
typedef struct mcs_ots_row_report
{
	uint64_t	tag;			/* what add was given */
	mcs_ots_row_outcome outcome;
	mcw_ots_key key;
	mcw_view	row;			/* what the service returned (RETURN_KEY), empty = nothing */
	const mcw_error *err;		/* REFUSED */
} mcs_ots_row_report;

typedef void (*mcs_ots_row_callback) (void *ctx, const mcs_ots_row_report *report);

typedef struct mcs_ots_writer_spec
{
	mcw_view	table;
	const mcw_ots_schema *schema;	/* outlives the writer */
	int			batch_rows;		/* at most 200 */
	size_t		batch_bytes;	/* of row data, at most 4 MiB */
	int			concurrency;	/* requests in flight, 1 to 64 */
	size_t		max_buffered;	/* bytes held: row changes and requests; one row is always taken */
	mcw_ots_return returns;		/* of rows with an auto-increment key: RETURN_KEY or NONE */
	/*
	 * Rows may have been written by an earlier attempt of the same run: one that
	 * EXPECT_NOT_EXIST meets is read, also if no outcome was unknown, and is ours if it
	 * has all our cells with versions from 'own_since' to those we give, or to 'own_until'
	 * where an earlier attempt may have been given a later one than ours.
	 */
	bool		own_rows;
	int64_t		own_since;
	int64_t		own_until;
	/*
	 * A STRING column that every update sets: it is applied only where the column is
	 * missing or not above the new value.  The values of a key must go up.  Empty = none.
	 */
	mcw_view	guard;
	mcs_ots_row_callback on_row;	/* NULL: whatever is not DONE is a failure */
	void	   *ctx;
} mcs_ots_writer_spec;

typedef struct mcs_ots_writer_info
{
	int64_t		rows;			/* acknowledged as done */
	int64_t		batches;
	int64_t		row_retries;	/* rows sent again after a refusal in a batch */
	int64_t		single_rows;	/* rows sent alone because their batch was refused as a whole */
	int64_t		merged;			/* changes merged into another of the same key */
	int64_t		stale;			/* not written because of the guard */
	int64_t		settled;		/* EXPECT_NOT_EXIST settled by reading the row */
	int64_t		repeated;		/* rows of AUTO_INCREMENT tables possibly written twice */
	int64_t		bytes;
	int64_t		read_units;		/* consumed capacity units */
	int64_t		write_units;
} mcs_ots_writer_info;

typedef struct mcs_ots_writer mcs_ots_writer;

/*
 * Requests are repeated by the rules of ots->channel, identical; its limits of
 * retries and time hold for a row of a batch too.  NULL with err filled.
 */
extern mcs_ots_writer *mcs_ots_writer_create(mcs_ots *ots, const mcs_ots_writer_spec *spec, mcw_error *err);
/* Cancels what is in flight; safe in a memory-context callback */
extern void mcs_ots_writer_free(mcs_ots_writer *writer);

/*
 * Hand over one row change.  'key' (for order and for messages) and 'row' (its
 * PlainBuffer, header included) are copied.  existence as in the request; a key with
 * an AUTO_INCREMENT value is no key yet and has none.  May wait for room: MCW_OK,
 * MCW_ERR_INTERRUPTED (the row was not taken), or the failure of an earlier row or
 * request, which is final.  A row above the service's limit is refused at once.
 */
extern mcw_status mcs_ots_writer_add(mcs_ots_writer *writer, mcw_ots_change change, mcw_ots_existence existence,
									 const mcw_ots_key *key, mcw_view row, uint64_t tag, mcw_error *err);
/* Send everything and wait until every row is settled; same results as add */
extern mcw_status mcs_ots_writer_flush(mcs_ots_writer *writer, mcw_error *err);
extern const mcs_ots_writer_info *mcs_ots_writer_get_info(const mcs_ots_writer *writer);
/* rows that were sent and whose fate is not known: what a writer that is freed leaves in doubt */
extern int64_t mcs_ots_writer_unknown(const mcs_ots_writer *writer);
/* the key of the row (or first row of the request) that failed, as text ("" = none) */
extern const char *mcs_ots_writer_failed_at(const mcs_ots_writer *writer);

#endif							/* MCS_OTS_WRITE_H */
