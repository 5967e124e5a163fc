/*
 * mcs_loghub_put.h
 *		Log Service as a target: PutLogs, and a writer that keeps several of them in
 *		flight (loghub.md 3.5, guarantees.md 8.2).
 *
 * One PutLogs is stored completely or not at all, and is not idempotent: if its answer
 * is lost the same bytes are sent again, and may be there twice then.
 */
#ifndef MCS_LOGHUB_PUT_H
#define MCS_LOGHUB_PUT_H

#include "../wire/mcw_sls.h"
#include "mcs_loghub.h"

#define MCS_PUT_MAX_RAW ((size_t) 10 << 20)	/* of a LogGroup before compression */
#define MCS_PUT_MAX_VALUE ((size_t) 1 << 20)
#define MCS_PUT_MAX_NAME 128	/* of a key, a tag's key, topic and source */
#define MCS_PUT_MAX_LOGS 40960	/* as producers do; the service names no number */
#define MCS_HASH_KEY_DIGITS 32

/* LZ4_BLOCK, ZSTD, DEFLATE or NONE; appends to 'out', which is what is sent */
extern mcw_status mcs_put_encode(mcw_codec codec, mcw_view group, mcw_buf *out, mcw_error *err);
/* Largest result of that */
extern size_t mcs_put_bound(size_t raw_size);
/*
 * 'body' as made by mcs_put_encode; it stays with the caller until the request is over.
 * 'hash_key' has 1 to 32 hexadecimal digits, empty = the service chooses the shard.
 */
extern mcw_status mcs_put_logs(mcs_call *call, mcw_view logstore, mcw_view body, size_t raw_size, mcw_codec codec,
							   mcw_view hash_key, mcw_error *err);
/* May the request that failed with this have been stored? */
extern bool mcs_put_maybe_stored(const mcw_error *err);
/* Does this refusal concern what was sent, and not who, where and when? */
extern bool mcs_put_is_fault_of_logs(const mcw_error *err);

/* ---- the writer ---- */

/* The service refuses this log alone.  May not call the writer, must not leave by a jump. */
typedef void (*mcs_log_refused) (void *ctx, uint64_t row, const mcw_error *err);

typedef struct mcs_log_writer_spec
{
	mcw_view	logstore;		/* outlives the writer */
	mcw_codec	codec;
	int			concurrency;	/* requests in flight, 1 to 64 */
	mcs_log_refused on_refused; /* NULL: a refused request is a failure; else it is cut until the log is found */
	void	   *ctx;
} mcs_log_writer_spec;

typedef struct mcs_log_writer_info
{
	int64_t		logs;			/* acknowledged */
	int64_t		batches;		/* acknowledged */
	int64_t		bytes_raw;
	int64_t		bytes_sent;		/* without repetitions */
	int64_t		refused;		/* logs told to on_refused */
	int64_t		cut;			/* requests that were cut in two after a refusal */
	int64_t		maybe_twice;	/* acknowledged logs that an earlier attempt may have stored too */
} mcs_log_writer_info;

/* One LogGroup.  Copied by send. */
typedef struct mcs_log_batch
{
	mcw_view	group;
	uint64_t	number;			/* for messages, as is the topic (data NULL = none) */
	mcw_view	topic;
	mcw_view	hash_key;
	const uint64_t *rows;		/* of each log, ascending */
	uint32_t	nlogs;			/* at least 1 */
} mcs_log_batch;

typedef struct mcs_log_writer mcs_log_writer;

/* NULL with err filled */
extern mcs_log_writer *mcs_log_writer_create(mcs_loghub *client, const mcs_log_writer_spec *spec, mcw_error *err);
/* Cancels what is in flight; safe in a memory-context callback */
extern void mcs_log_writer_free(mcs_log_writer *writer);
/*
 * May wait for a free request: MCW_OK, MCW_ERR_INTERRUPTED (not taken), or the failure
 * of this or an earlier batch, which is final.
 */
extern mcw_status mcs_log_writer_send(mcs_log_writer *writer, const mcs_log_batch *batch, mcw_error *err);
/* Wait until every batch is settled; same results */
extern mcw_status mcs_log_writer_flush(mcs_log_writer *writer, mcw_error *err);
/* Drive the loop without waiting */
extern mcw_status mcs_log_writer_progress(mcs_log_writer *writer, mcw_error *err);
extern const mcs_log_writer_info *mcs_log_writer_get_info(const mcs_log_writer *writer);
/* logs that were sent and whose fate is not known: what a writer that is freed leaves in doubt */
extern int64_t mcs_log_writer_unknown(const mcs_log_writer *writer);
/* "batch 3, rows 4097 to 8192, topic \"...\", hash key ..."; "" = none failed */
extern const char *mcs_log_writer_failed_at(const mcs_log_writer *writer);

#endif							/* MCS_LOGHUB_PUT_H */
