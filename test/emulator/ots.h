/*
 * ots.h
 *		mc-emulator, Tablestore part: declarations shared by the ots_*.c files.
 *
 * Storage model: an instance has tables, a table has one ordered store of rows and a
 * list of partitions, which are ranges of the first key column and hold no rows of
 * their own.  A stored row is immutable and counted: the PlainBuffer bytes a reader
 * gets (key cells, then attribute cells by name and version descending, checksums)
 * behind a sort key that memcmp orders.  A write makes a new row; a page of a scan
 * appends the bytes of rows, or of the cells a request selects.
 * Section numbers are those of the protocol description of Tablestore.
 */
#ifndef OTS_H
#define OTS_H

#include "emu.h"
#include "../../src/wire/mcw_hash.h"
#include "../../src/wire/mcw_ots.h"
#include "../../src/wire/mcw_pb.h"

#define OTS_WEAK __attribute__((weak))
#define OTS_HEADER_BYTES 4		/* 75 00 00 00, once per buffer of rows */
#define OTS_MAX_SORT (4 * (2 * MCW_OTS_MAX_KEY_BYTES + 3))
#define OTS_LEAF 256			/* rows of a leaf of the store */

/* An answer that is not 200, or the failure of one row of a batch */
typedef struct ots_fault
{
	int			status;			/* 0 = none */
	const char *code;			/* static */
	char		message[1024];
} ots_fault;

/* Fills the fault and returns false */
extern bool ots_fault_set(ots_fault *f, int status, const char *code, const char *fmt, ...) MCW_PRINTF(4, 5);
/* 400 OTSParameterInvalid */
extern bool ots_invalid(ots_fault *f, const char *fmt, ...) MCW_PRINTF(2, 3);

/* ---- rows ---- */

typedef struct ots_row
{
	int			refs;
	uint32_t	sort_len;
	uint32_t	body_len;		/* PlainBuffer row without the header: from 01 to its checksum */
	uint32_t	pk_len;			/* of the body: 01 and the key cells */
	uint32_t	ncells;			/* attribute cells, all versions */
	uint32_t	ncolumns;		/* attribute columns */
	uint32_t	data_size;		/* names and values, for capacity units and splits */
	uint8_t		pk_crc;			/* row checksum after the key cells */
	int64_t		oldest;			/* smallest cell timestamp; INT64_MAX without cells */
	char		data[];			/* sort key, body */
} ots_row;

static inline mcw_view
ots_row_sort(const ots_row *row)
{
	return (mcw_view) {row->data, row->sort_len};
}

static inline mcw_view
ots_row_body(const ots_row *row)
{
	return (mcw_view) {row->data + row->sort_len, row->body_len};
}

extern ots_row *ots_row_ref(ots_row *row);
extern void ots_row_unref(ots_row *row);	/* row may be NULL */

/* An ordered set of rows: leaves of row pointers below one array */
typedef struct ots_leaf
{
	int			n;
	ots_row    *rows[OTS_LEAF];
} ots_leaf;

typedef struct ots_store
{
	ots_leaf  **leaves;
	int			nleaves;
	int			cap;
	uint64_t	nrows;
	uint64_t	bytes;			/* sum of data_size */
} ots_store;

typedef struct ots_cursor
{
	int			leaf;
	int			at;
} ots_cursor;

extern ots_row *ots_store_find(const ots_store *store, mcw_view sort);	/* NULL = absent; no reference is added */
/* Takes over the caller's reference; an older row of the same key is released */
extern void ots_store_put(ots_store *store, ots_row *row);
extern bool ots_store_remove(ots_store *store, mcw_view sort);
extern void ots_store_clear(ots_store *store);
/* The first row whose sort key is >= sort (or, if 'after', > sort) */
extern ots_cursor ots_store_seek(const ots_store *store, mcw_view sort, bool after);
extern ots_row *ots_store_at(const ots_store *store, ots_cursor c);	/* NULL: behind the end or before the begin */
extern void ots_store_next(const ots_store *store, ots_cursor *c);
extern void ots_store_prev(const ots_store *store, ots_cursor *c);

/* ---- tables ---- */

typedef struct ots_defined
{
	char	   *name;
	int			type;			/* DefinedColumnType */
} ots_defined;

/* A range of the first key column; the end is the begin of the next one */
typedef struct ots_partition
{
	uint64_t	id;				/* unique in the process and over --data */
	int32_t		epoch;			/* of the stream records written here: parent's + 1 after a split or merge */
	int64_t		created_us;
	mcw_view	begin;			/* sort key of the first column's value; empty = INF_MIN; malloced */
	mcw_ots_value begin_value;	/* points into begin_bytes; type INF_MIN for the first */
	char	   *begin_bytes;
} ots_partition;

typedef struct ots_stream_spec
{
	bool		on;
	char		id[128];		/* made by ots_table.c when the stream is enabled */
	int32_t		hours;			/* expiration_time */
	int64_t		enabled_us;
	char	  **columns;		/* columns_to_get: the pre-image asked for */
	int			ncolumns;
	void	   *state;			/* ots_stream.c's own */
} ots_stream_spec;

typedef struct ots_capacity
{
	uint64_t	read;			/* units consumed since start */
	uint64_t	write;
	int64_t		second;			/* the second the next two count in */
	int32_t		read_now;
	int32_t		write_now;
} ots_capacity;

typedef struct ots_instance ots_instance;

typedef struct ots_table
{
	ots_instance *inst;
	char	   *name;
	mcw_ots_schema schema;		/* names malloced */
	ots_defined *defined;
	int			ndefined;
	int32_t		ttl;			/* seconds, -1 = for ever */
	int32_t		max_versions;
	int64_t		deviation;		/* seconds */
	bool		allow_update;
	bool		update_full_row;
	bool		local_txn;		/* enable_local_txn */
	int32_t		reserved_read;
	int32_t		reserved_write;
	int64_t		increased_s;	/* Unix seconds */
	int64_t		decreased_s;
	int64_t		created_us;
	int64_t		ready_us;		/* rows are served from then on */
	int64_t		auto_last;		/* last AUTO_INCREMENT value */
	uint64_t	version;		/* changes with every change of rows or options */
	ots_store	rows;
	ots_partition *parts;		/* by begin; at least one */
	int			nparts;
	ots_stream_spec stream;
	ots_capacity used;
} ots_table;

struct ots_instance
{
	char	   *name;
	ots_table **tables;			/* sorted by name */
	int			ntables;
	ots_instance *next;
};

extern ots_instance *ots_instances;
extern ots_instance *ots_instance_find(mcw_view name);
extern ots_instance *ots_instance_create(mcw_view name);
extern ots_table *ots_table_find(const ots_instance *inst, mcw_view name);
extern void ots_table_drop(ots_table *table);	/* frees it */
extern ots_partition *ots_table_partition(ots_table *table, mcw_view sort);	/* of a row's sort key */
/* 'at' is a value of the first key column strictly inside the partition; false: it is not */
extern bool ots_partition_split(ots_table *table, int index, const mcw_ots_value *at, int64_t now_us);
extern bool ots_partition_merge(ots_table *table, int index, int64_t now_us);	/* with the next one */
extern void ots_stream_on(ots_table *table, int32_t hours, const mcw_view *columns, int ncolumns, int64_t now_us);
extern void ots_stream_off(ots_table *table);

/* ---- keys ---- */

/* Appends the order-preserving bytes of n values; INF_MIN and INF_MAX sort outside everything */
extern void ots_sort_key(mcw_buf *out, const mcw_ots_value *values, int n);

/* One PlainBuffer row as a request carries it; views into the body, arrays in the arena */
typedef struct ots_change_cell
{
	mcw_view	name;
	mcw_ots_value value;		/* type NONE = absent */
	int64_t		timestamp;		/* MCW_OTS_NO_TIMESTAMP = absent */
	bool		has_op;
	uint8_t		op;				/* mcw_ots_op or an unknown byte */
} ots_change_cell;

typedef struct ots_change_row
{
	ots_change_cell *keys;
	int			nkeys;
	ots_change_cell *cells;
	int			ncells;
	bool		delete_marker;
	size_t		size;			/* names and values of all cells, 8 for each timestamp given */
} ots_change_row;

/* Header, one row, zero bytes at most behind it (3.6); the messages of 4.8 */
extern bool ots_plain_parse(mcw_view bytes, mcw_arena *arena, ots_change_row *row, ots_fault *why);
/* The cells fit the table's key: names, order, types, sizes.  'kind': what INF and AUTO values are for */
typedef enum ots_key_use
{
	OTS_KEY_READ, OTS_KEY_WRITE, OTS_KEY_BOUND
} ots_key_use;
extern bool ots_check_key(const ots_table *table, const ots_change_row *row, ots_key_use use,
						  mcw_ots_key *key, ots_fault *why);

/* Walking a stored row's cells: views into it */
typedef struct ots_cell
{
	mcw_view	raw;			/* the whole cell, 03 .. checksum */
	mcw_view	name;
	mcw_ots_value value;
	int64_t		timestamp;		/* MCW_OTS_NO_TIMESTAMP in key cells */
	uint8_t		crc;
} ots_cell;

typedef struct ots_walk
{
	const char *pos;
	const char *end;
} ots_walk;

extern ots_walk ots_walk_keys(const ots_row *row);
extern ots_walk ots_walk_cells(const ots_row *row);
extern bool ots_walk_next(ots_walk *walk, ots_cell *cell);
/* Key values of a stored row, views into it */
extern void ots_row_key(const ots_table *table, const ots_row *row, mcw_ots_key *key);

/*
 * A new row from key values and cells sorted by name, then version descending; a
 * cell with raw.data NULL is encoded from name, value and timestamp.
 */
extern ots_row *ots_row_build(const ots_table *table, const mcw_ots_value *keys, const ots_cell *cells, int ncells);
/* The same from the bytes of a whole stored row (--data); NULL if they are damaged */
extern ots_row *ots_row_load(const ots_table *table, mcw_view body);

/* Writing PlainBuffer: header, cells with running row checksum, end */
typedef struct ots_plain
{
	mcw_buf    *out;
	uint8_t		crc;
	bool		in_data;
} ots_plain;

extern void ots_plain_header(mcw_buf *out);
extern void ots_plain_begin(ots_plain *p, mcw_buf *out);	/* ROW_PK */
extern void ots_plain_raw(ots_plain *p, const ots_cell *cell, bool is_key);	/* a stored cell as it is */
extern void ots_plain_key(ots_plain *p, mcw_view name, const mcw_ots_value *value);
/* op 0 = none; value NULL, timestamp MCW_OTS_NO_TIMESTAMP = absent */
extern void ots_plain_cell(ots_plain *p, mcw_view name, const mcw_ots_value *value, uint8_t op, int64_t timestamp);
extern void ots_plain_sequence(ots_plain *p, int32_t epoch, int64_t time_us, int32_t row_index);
extern void ots_plain_end(ots_plain *p, bool deleted);
/* header and the key columns as a bare primary key */
extern void ots_plain_primary_key(mcw_buf *out, const ots_table *table, const mcw_ots_value *values, int n);

/* ---- a committed change of one row, for streams and transactions ---- */

typedef struct ots_mutation
{
	int			kind;			/* 1 PUT_ROW, 2 UPDATE_ROW, 3 DELETE_ROW */
	mcw_view	sort;			/* sort key of the row */
	ots_row    *before;			/* NULL = there was none; borrowed */
	ots_row    *after;			/* NULL = there is none; borrowed */
	/*
	 * The stream record (5.2), empty if the table has no stream: PlainBuffer with
	 * header, key, put cells with timestamps, delete operations, and the sequence
	 * info (partition's epoch, time_us, row_index) that follows.
	 */
	mcw_view	record;
	mcw_view	origin;			/* pre-image row of stream.columns, empty = none */
	int32_t		epoch;
	int64_t		time_us;
	int32_t		row_index;
} ots_mutation;

/* ---- a request ---- */

typedef struct ots_call ots_call;
typedef struct ots_txn ots_txn;	/* ots_txn.c's own */

struct ots_call
{
	emu_request *req;
	emu_response *resp;
	const char *op;				/* "GetRow", "tunnel/create" */
	mcw_view	body;			/* the protobuf message, inflated */
	mcw_buf    *out;			/* the answer's message */
	ots_instance *inst;
	mcw_view	response_key;	/* what signs the answer; empty = unsigned */
	ots_fault	fault;			/* set: the answer is this error */
	int			rows_changed;	/* row_index of the next mutation of this request */
	ots_fault	row_fault;		/* of the fault plan, for single rows of a batch */
	int64_t		row_at;			/* index that it strikes, -1 = none */
	int64_t		row_each;		/* every so many rows, 0 = none */
	int64_t		row_seen;
	bool		row_applied;	/* the row is written and then said to have failed */
	int64_t		commit_us;		/* one commit time for all rows of a request */
	emu_blob   *blob;			/* a page from the cache instead of 'out' */
	char		blob_md5[32];
};

/* Reads a request's protobuf: every handler loops over members and fails with this */
extern bool ots_bad_message(ots_fault *f);	/* "Parse PBMessage from RawString failed." */
/* The table a request names: exists, is ready; else 404 in the fault */
extern ots_table *ots_call_table(const ots_instance *inst, mcw_view name, bool need_ready, int64_t now_us, ots_fault *why);
extern void ots_put_consumed(mcw_buf *out, uint32_t number, int32_t read, int32_t write);
extern void ots_put_error(mcw_buf *out, uint32_t number, const ots_fault *f);

/*
 * Commits one mutation to the table: store, version, stream record.  For ots_write.c
 * and for the commit of a transaction, which replays what it staged with time_us and
 * row_index of the commit.  m->epoch is set to the partition's, and epoch, time_us
 * and row_index are stamped into the bytes of m->record, which must be writable.
 */
extern void ots_apply(ots_table *table, ots_mutation *m);

/* ---- streams: ots_stream.c; weak, so that the rest works without it ---- */

/* called after table->stream was filled / before it is emptied / when partitions change */
extern void ots_stream_enabled(ots_table *table) OTS_WEAK;
extern void ots_stream_disabled(ots_table *table) OTS_WEAK;
extern void ots_stream_split(ots_table *table, const ots_partition *old, const ots_partition *left,
							 const ots_partition *right) OTS_WEAK;
extern void ots_stream_merged(ots_table *table, const ots_partition *left, const ots_partition *right,
							  const ots_partition *merged) OTS_WEAK;
/* one committed row change; views are the caller's: copy what is kept */
extern void ots_stream_changed(ots_table *table, const ots_partition *part, const ots_mutation *m) OTS_WEAK;
extern void ots_stream_tick(int64_t now_us) OTS_WEAK;
/* a control command; *known false: not one of the streams' */
extern bool ots_stream_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err, bool *known) OTS_WEAK;
extern void ots_stream_state(mcw_buf *reply) OTS_WEAK;	/* members for GET /__mc/state, each ",\"name\":..." */
extern bool ots_stream_save(FILE *out) OTS_WEAK;	/* after the tables */
extern bool ots_stream_load(FILE *in, mcw_error *err) OTS_WEAK;

/* Operations: fill call->out, or call->fault */
extern void ots_list_stream(ots_call *call) OTS_WEAK;
extern void ots_describe_stream(ots_call *call) OTS_WEAK;
extern void ots_get_shard_iterator(ots_call *call) OTS_WEAK;
extern void ots_get_stream_record(ots_call *call) OTS_WEAK;
/* all of /tunnel/...; call->op is "tunnel/create" */
extern void ots_tunnel(ots_call *call) OTS_WEAK;
extern void ots_tunnel_table_dropped(ots_table *table) OTS_WEAK;

/* ---- local transactions: ots_txn.c ---- */

extern void ots_start_transaction(ots_call *call) OTS_WEAK;
extern void ots_commit_transaction(ots_call *call) OTS_WEAK;
extern void ots_abort_transaction(ots_call *call) OTS_WEAK;
/* The transaction of an id for a row of this table; NULL with the fault filled */
extern ots_txn *ots_txn_find(const ots_table *table, mcw_view id, int64_t now_us, ots_fault *why) OTS_WEAK;
/* May a row of this partition key be written or read under 'txn' (NULL = outside)? */
extern bool ots_txn_may_read(ots_txn *txn, const ots_table *table, const mcw_ots_value *first, ots_fault *why) OTS_WEAK;
extern bool ots_txn_may_write(ots_txn *txn, const ots_table *table, const mcw_ots_value *first, ots_fault *why) OTS_WEAK;
/* What a transaction reads: a store with the rows of its partition key and its own writes */
extern ots_store *ots_txn_store(ots_txn *txn) OTS_WEAK;
/* A write under a transaction: into its store, and kept for the commit, which calls ots_apply */
extern bool ots_txn_stage(ots_txn *txn, const ots_mutation *m, size_t bytes, ots_fault *why) OTS_WEAK;
extern void ots_txn_table_dropped(ots_table *table) OTS_WEAK;

#endif							/* OTS_H */
