/*
 * mcw_ots_msg.h
 *		The protobuf messages of Tablestore as a client needs them (tablestore.md 2):
 *		requests are appended to a buffer, answers are read as views.
 *
 * Written by hand over mcw_pb.h: there are few, and half of them carry pages.
 * Tests compare them with protobuf-c.  Required members that are missing are
 * MCW_ERR_PROTOCOL, broken bytes MCW_ERR_FORMAT, unknown members are skipped.
 */
#ifndef MCW_OTS_MSG_H
#define MCW_OTS_MSG_H

#include "mcw_ots.h"

/* ---- filters and conditions (2.5) ---- */

typedef enum mcw_ots_comparator
{
	MCW_OTS_EQ = 1,
	MCW_OTS_NE,
	MCW_OTS_GT,
	MCW_OTS_GE,
	MCW_OTS_LT,
	MCW_OTS_LE
} mcw_ots_comparator;

typedef enum mcw_ots_filter_kind
{
	MCW_OTS_FILTER_COMPARE,
	MCW_OTS_FILTER_NOT,
	MCW_OTS_FILTER_AND,
	MCW_OTS_FILTER_OR
} mcw_ots_filter_kind;

#define MCW_OTS_MAX_FILTER_NODES 32	/* composites count */

typedef struct mcw_ots_filter
{
	mcw_ots_filter_kind kind;
	/* COMPARE */
	mcw_ots_comparator op;
	mcw_view	column;
	mcw_ots_value value;
	bool		pass_if_missing;
	bool		latest_only;
	/* NOT: one, AND, OR: two or more */
	struct mcw_ots_filter **sub;
	int			nsub;
} mcw_ots_filter;

/* Appends a serialized Filter; MCW_ERR_ARGUMENT for a tree the service would refuse */
extern mcw_status mcw_ots_write_filter(mcw_buf *out, const mcw_ots_filter *filter, mcw_error *err);
extern int	mcw_ots_filter_nodes(const mcw_ots_filter *filter);

/* ---- errors ---- */

/* Error { code, message }: views; false if it is not one */
extern bool mcw_ots_read_error(mcw_view body, mcw_view *code, mcw_view *message);

typedef struct mcw_ots_consumed
{
	int32_t		read;			/* capacity units */
	int32_t		write;
} mcw_ots_consumed;

/* ---- tables ---- */

typedef struct mcw_ots_defined_column
{
	mcw_view	name;
	mcw_ots_type type;
} mcw_ots_defined_column;

typedef struct mcw_ots_table
{
	mcw_view	name;
	mcw_ots_schema schema;
	mcw_ots_defined_column *defined;
	int			ndefined;
	int32_t		time_to_live;	/* seconds, -1 = for ever */
	int32_t		max_versions;
	int64_t		deviation;		/* deviation_cell_version_in_sec; 86400 if not told */
	bool		allow_update;	/* true if not told */
	bool		stream_enabled;
	mcw_view	stream_id;
	int32_t		stream_expiration;	/* hours */
	int64_t		stream_enabled_us;	/* last_enable_time, Unix microseconds */
	int			status;			/* TableStatus, 0 = not told */
} mcw_ots_table;

/* ListTable has an empty body; Describe and Delete carry the name */
extern mcw_status mcw_ots_put_table_name(mcw_buf *out, mcw_view table);
extern mcw_status mcw_ots_read_table_names(mcw_view body, mcw_arena *arena, mcw_view **names, int *nnames, mcw_error *err);
/* views into 'body', the array in the arena */
extern mcw_status mcw_ots_read_describe_table(mcw_view body, mcw_arena *arena, mcw_ots_table *table, mcw_error *err);

/* 'size' in units of 'unit' bytes */
extern mcw_status mcw_ots_put_compute_splits(mcw_buf *out, mcw_view table, int64_t size, int64_t unit);
/*
 * Cut points completed to full keys with INF_MIN (3.8), strictly increasing
 * (MCW_ERR_PROTOCOL if not); views into 'body', the array in the arena.
 */
extern mcw_status mcw_ots_read_compute_splits(mcw_view body, mcw_arena *arena, const mcw_ots_schema *schema,
											  mcw_ots_key **points, int *npoints, mcw_error *err);

/* ---- reading rows ---- */

typedef struct mcw_ots_read_options
{
	mcw_view	table;
	const mcw_view *columns;	/* columns_to_get; none = all */
	int			ncolumns;
	mcw_view	filter;			/* serialized Filter, empty = none */
	int32_t		max_versions;	/* 0 = by time range only */
	bool		has_time_range;	/* [start, end) in milliseconds */
	int64_t		start_time;
	int64_t		end_time;
} mcw_ots_read_options;

typedef struct mcw_ots_range_result
{
	mcw_view	rows;			/* PlainBuffer; empty = none */
	mcw_view	next;			/* PlainBuffer key; data NULL = the range is exhausted */
	mcw_ots_consumed consumed;
} mcw_ots_range_result;

/* begin, end: PlainBuffer keys; limit 0 = none */
extern mcw_status mcw_ots_put_get_range(mcw_buf *out, const mcw_ots_read_options *options, bool backward,
										mcw_view begin, mcw_view end, int32_t limit);
extern mcw_status mcw_ots_read_get_range(mcw_view body, mcw_ots_range_result *result, mcw_error *err);

#define MCW_OTS_MAX_BATCH_GET 100

extern mcw_status mcw_ots_put_get_row(mcw_buf *out, const mcw_ots_read_options *options, mcw_view key);
extern mcw_status mcw_ots_read_get_row(mcw_view body, mcw_view *row, mcw_ots_consumed *consumed, mcw_error *err);
extern mcw_status mcw_ots_put_batch_get_row(mcw_buf *out, const mcw_ots_read_options *options,
											const mcw_view *keys, int nkeys);

/* One row of BatchGetRow or BatchWriteRow */
typedef struct mcw_ots_row_result
{
	bool		ok;
	mcw_view	code;			/* !ok */
	mcw_view	message;
	mcw_view	row;			/* PlainBuffer, may be empty */
	mcw_ots_consumed consumed;
} mcw_ots_row_result;

/* Exactly nrows results of one table must be there, in request order (both batch calls) */
extern mcw_status mcw_ots_read_batch(mcw_view body, mcw_ots_row_result *results, int nrows, mcw_error *err);

/* ---- writing rows ---- */

#define MCW_OTS_MAX_BATCH_ROWS 200
#define MCW_OTS_MAX_BATCH_BYTES 4194304

typedef enum mcw_ots_change
{
	MCW_OTS_PUT_ROW = 1,
	MCW_OTS_UPDATE_ROW,
	MCW_OTS_DELETE_ROW
} mcw_ots_change;

typedef enum mcw_ots_existence
{
	MCW_OTS_IGNORE = 0,
	MCW_OTS_EXPECT_EXIST,
	MCW_OTS_EXPECT_NOT_EXIST
} mcw_ots_existence;

typedef enum mcw_ots_return
{
	MCW_OTS_RETURN_NONE = 0,
	MCW_OTS_RETURN_KEY,
	MCW_OTS_RETURN_AFTER_MODIFY
} mcw_ots_return;

/*
 * BatchWriteRow of one table.  A RowInBatchWriteRowRequest is encoded on its own, so
 * that rows can be sent again in another batch: the request is
 * mcw_ots_begin_batch, mcw_ots_add_to_batch ..., mcw_ots_end_batch.
 */
extern mcw_status mcw_ots_put_row_change(mcw_buf *out, mcw_ots_change change, mcw_ots_existence existence,
										 mcw_view column_condition, mcw_ots_return returns, mcw_view row);

/* the head and all row changes, in order; sizes are known, so it is one pass */
extern mcw_status mcw_ots_put_batch_write(mcw_buf *out, mcw_view table, const mcw_view *changes, int nchanges);

/* CreateTable, for mc.create_remote and tests */
extern mcw_status mcw_ots_put_create_table(mcw_buf *out, const mcw_ots_table *table);

/* ---- streams (2.4) ---- */

typedef struct mcw_ots_shard
{
	mcw_view	id;
	mcw_view	parent;			/* empty = none */
	mcw_view	sibling;		/* parent_sibling_id, of a merge */
} mcw_ots_shard;

typedef struct mcw_ots_stream
{
	mcw_view	id;
	mcw_view	table;
	int32_t		expiration;		/* hours */
	int64_t		creation_us;	/* Unix microseconds */
	int			status;			/* 1 enabling, 2 active */
	mcw_ots_shard *shards;		/* of this page */
	int			nshards;
	mcw_view	next_shard;		/* empty = last page */
} mcw_ots_stream;

extern mcw_status mcw_ots_put_list_stream(mcw_buf *out, mcw_view table);	/* empty = all */
extern mcw_status mcw_ots_read_list_stream(mcw_view body, mcw_arena *arena, mcw_ots_stream **streams, int *nstreams,
										   mcw_error *err);	/* id, table, creation_us only */
extern mcw_status mcw_ots_put_describe_stream(mcw_buf *out, mcw_view stream_id, mcw_view start_shard);
extern mcw_status mcw_ots_read_describe_stream(mcw_view body, mcw_arena *arena, mcw_ots_stream *stream, mcw_error *err);
/* timestamp_us < 0: the oldest record; token empty = none */
extern mcw_status mcw_ots_put_get_shard_iterator(mcw_buf *out, mcw_view stream_id, mcw_view shard_id,
												 int64_t timestamp_us, mcw_view token);
extern mcw_status mcw_ots_read_get_shard_iterator(mcw_view body, mcw_view *iterator, mcw_view *next_token, mcw_error *err);

typedef struct mcw_ots_record
{
	mcw_ots_change action;
	mcw_view	record;			/* PlainBuffer row with sequence info */
	mcw_view	origin;			/* empty = none */
} mcw_ots_record;

/* limit: 0 = none; table: empty = none, else an answer may say whether an empty page is the end for now */
extern mcw_status mcw_ots_put_get_stream_record(mcw_buf *out, mcw_view iterator, int32_t limit, mcw_view table);

typedef struct mcw_ots_record_page
{
	mcw_view	next;			/* iterator; data NULL = the shard is closed and fully read */
	bool		has_more_flag;	/* may_more_record was sent */
	bool		may_more;
	uint32_t	nrecords;
	mcw_view	body;			/* for mcw_ots_next_record */
} mcw_ots_record_page;

extern mcw_status mcw_ots_read_get_stream_record(mcw_view body, mcw_ots_record_page *page, mcw_error *err);
/* Walk the records of a page that has been read; pos starts at 0.  MCW_OK, MCW_END, MCW_ERR_FORMAT */
extern mcw_status mcw_ots_next_record(const mcw_ots_record_page *page, size_t *pos, mcw_ots_record *record, mcw_error *err);

#endif							/* MCW_OTS_MSG_H */
