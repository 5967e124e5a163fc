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
	MCS_OTS_ROW_REFUSED			/* the service refuses this row; 'err' says why */
} mcs_ots_row_outcome;

/*
 * Told once for each row, from a function of the writer that the caller has called,
 * never from inside a libcurl callback.  'row': what the service returned (RETURN_KEY),
 * empty = nothing.  May not call the writer.  'tag' is what add was given.
 */
typedef void (*mcs_ots_row_callback) (void *ctx, uint64_t tag, mcs_ots_row_outcome outcome,
									  mcw_view row, const mcw_error *err);

typedef struct mcs_ots_writer_spec
{
	mcw_view	table;
	const mcw_ots_schema *schema;	/* outlives the writer */
	int			batch_rows;		/* at most 200 */
	size_t		batch_bytes;	/* of row data, at most 4 MiB */
	int			concurrency;	/* requests in flight */
	size_t		max_buffered;	/* bytes of row changes held (waiting, in flight) */
	mcw_ots_return returns;		/* RETURN_KEY for auto-increment keys, else NONE */
	mcs_ots_row_callback on_row;	/* may be NULL if nothing can be refused: then a refusal is a failure */
	void	   *ctx;
} mcs_ots_writer_spec;

typedef struct mcs_ots_writer_info
{
	int64_t		rows;			/* acknowledged */
	int64_t		batches;
	int64_t		row_retries;	/* rows sent again after a refusal in a batch */
	int64_t		single_rows;	/* rows sent alone because their batch was refused as a whole */
	int64_t		merged;			/* changes merged into another of the same key */
	int64_t		settled;		/* EXPECT_NOT_EXIST settled by reading the row */
	int64_t		repeated;		/* rows of AUTO_INCREMENT tables possibly written twice */
	int64_t		bytes;
	int64_t		read_units;		/* consumed capacity units */
	int64_t		write_units;
} mcs_ots_writer_info;

typedef struct mcs_ots_writer mcs_ots_writer;

/*
 * 'once' is a channel on the same endpoint for calls that net must not repeat by
 * itself once sent (conditions, auto-increment); may equal ots->channel.
 */
extern mcs_ots_writer *mcs_ots_writer_create(mcs_ots *ots, mcn_channel *once,
											 const mcs_ots_writer_spec *spec, mcw_error *err);
/* Cancels what is in flight; safe in a memory-context callback */
extern void mcs_ots_writer_free(mcs_ots_writer *writer);

/*
 * Hand over one row change.  'key' (for order and for messages) and 'row' (its
 * PlainBuffer, header included) are copied.  existence as in the request.  May wait
 * for room: MCW_OK, MCW_ERR_INTERRUPTED (the row was not taken), or the failure of
 * an earlier row or request, which is final.
 */
extern mcw_status mcs_ots_writer_add(mcs_ots_writer *writer, mcw_ots_change change, mcw_ots_existence existence,
									 const mcw_ots_key *key, mcw_view row, uint64_t tag, mcw_error *err);
/* Send everything and wait until every row is settled; same results as add */
extern mcw_status mcs_ots_writer_flush(mcs_ots_writer *writer, mcw_error *err);
/* Drive the loop without waiting */
extern mcw_status mcs_ots_writer_progress(mcs_ots_writer *writer, mcw_error *err);
extern const mcs_ots_writer_info *mcs_ots_writer_get_info(const mcs_ots_writer *writer);
/* the key of the row (or first row of the request) that failed, as text ("" = none) */
extern const char *mcs_ots_writer_failed_at(const mcs_ots_writer *writer);

#endif							/* MCS_OTS_WRITE_H */
