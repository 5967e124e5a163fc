/*
 * mcs_odps.h
 *		MaxCompute as a service: connection, REST metadata, SQL instances, batch
 *		download (maxcompute.md 1 to 3).  Upload is declared in mcs_odps_upload.h.
 *
 * No PostgreSQL header and no Datum.  Functions that take a call and return at
 * once only prepare it; the others drive the loop until their answer is there.
 * The latter return MCW_ERR_INTERRUPTED when the host wants to stop, with nothing
 * of theirs left on the loop.
 */
#ifndef MCS_ODPS_H
#define MCS_ODPS_H

#include "../net/mcn.h"
#include "../wire/mcw_compress.h"
#include "../wire/mcw_doc.h"
#include "../wire/mcw_odps.h"
#include "../wire/mcw_sign.h"
#include "../wire/mcw_text.h"

/* ---- connection: mcs_odps_core.c ---- */

/*
 * One project as one statement uses it.  The caller fills it, keeps what the
 * views point to, and opens and frees the channels (that is where the address
 * policy is).  'tunnel' may be NULL until a tunnel call is made; see
 * mcs_odps_discover_tunnel.
 */
typedef struct mcs_odps
{
	mcn_loop   *loop;
	const mcw_alloc *alloc;
	mcn_channel *rest;
	mcn_channel *tunnel;
	mcw_view	project;
	mcw_view	schema;			/* empty = two-tier model */
	mcw_view	region;			/* empty = signature V2, else V4 */
	mcw_view	quota;			/* tunnel quotaName, empty = none */
	mcw_credentials cred;		/* id empty = unsigned */
	int64_t		deadline_us;	/* mcn_now_us() limit of every request, 0 = by channel options */
} mcs_odps;

/* maxcompute.md 7 and 4.4; pass it when a channel is opened */
extern const mcn_retry_rule mcs_odps_retry_rules[];

#define MCS_ODPS_MAX_DOCUMENT (64 * 1024 * 1024)	/* largest metadata answer we take */

typedef enum mcs_odps_where
{
	MCS_ODPS_REST,
	MCS_ODPS_TUNNEL
} mcs_odps_where;

/*
 * One request with the memory of its target and headers.  Use: init, path or
 * table, params, headers; then mcs_odps_call_run, or mcn_request_start(&call->req)
 * and on_done.  req.owner, req.on_done, req.accept, req.body, req.chunked belong
 * to the user; prepare and explain are ours.  The error after on_done is
 * req.error.  Must not move between init and free.
 */
typedef struct mcs_odps_call
{
	mcn_request req;
	mcs_odps   *odps;
	mcs_odps_where where;
	mcw_arena	arena;

	/* private */
	mcw_error	failed;			/* first failure while it was prepared */
	char		date[32];		/* of the running attempt */
} mcs_odps_call;

/* response is bounded by max_response; method is "GET", ... */
extern void mcs_odps_call_init(mcs_odps_call *call, mcs_odps *odps, mcs_odps_where where,
							   const char *method, size_t max_response);
/* cancel it if it runs, free its memory; harmless twice */
extern void mcs_odps_call_free(mcs_odps_call *call);
/*
 * All of these copy.  A failure (no memory, too many) is remembered and reported
 * when the call is started by mcs_odps_call_run or mcs_odps_call_start.
 */
extern void mcs_odps_call_path(mcs_odps_call *call, const char *fmt, ...) MCW_PRINTF(2, 3);	/* decoded, behind /projects/{p} */
extern void mcs_odps_call_table(mcs_odps_call *call, mcw_view table);	/* path of a table; the schema goes where it belongs */
extern void mcs_odps_call_param(mcs_odps_call *call, const char *name, mcw_view value);
extern void mcs_odps_call_paramf(mcs_odps_call *call, const char *name, const char *fmt, ...) MCW_PRINTF(3, 4);
extern void mcs_odps_call_flag(mcs_odps_call *call, const char *name);
extern void mcs_odps_call_header(mcs_odps_call *call, const char *name, const char *value);
extern void mcs_odps_call_start(mcs_odps_call *call);	/* asynchronous; on_done follows in any case */
extern mcw_status mcs_odps_call_run(mcs_odps_call *call, mcw_error *err);	/* start and wait; err gets req.error */

/* GET .../tunnel?service: appends scheme://host[:port] of the tunnel to 'endpoint' */
extern mcw_status mcs_odps_discover_tunnel(mcs_odps *odps, mcw_buf *endpoint, mcw_error *err);

/* sleep on the loop; MCW_OK or MCW_ERR_INTERRUPTED */
extern mcw_status mcs_odps_sleep(mcs_odps *odps, int ms, mcw_error *err);
/* does the error carry this service code (case folded), or an ODPS number at the begin of its text? */
extern bool mcs_odps_error_is(const mcw_error *err, const char *code);

/* ---- metadata: mcs_odps_meta.c ---- */

typedef struct mcs_odps_column
{
	mcw_view	name;
	mcw_view	comment;
	mcw_view	type_text;		/* as the service wrote it */
	const mcw_odps_type *type;	/* NULL if we cannot parse it: the column cannot be used */
	bool		nullable;
	bool		has_default;
} mcs_odps_column;

typedef struct mcs_odps_table
{
	mcw_view	name;
	mcw_view	comment;
	mcs_odps_column *columns;	/* data columns in table order: tunnel column n is columns[n - 1] */
	int			ncolumns;
	mcs_odps_column *keys;		/* partition keys */
	int			nkeys;
	bool		is_view;		/* virtual view: no tunnel access */
	bool		is_external;
	int64_t		size;			/* bytes, -1 = unknown */
	int64_t		record_num;		/* -1 = unknown */
	int64_t		last_ddl;		/* epoch seconds, 0 = unknown */
	int64_t		last_modified;
} mcs_odps_table;

/* 'table' and all it points to is arena memory.  Missing: MCW_ERR_SERVICE with http_status 404. */
extern mcw_status mcs_odps_get_table(mcs_odps *odps, mcw_view name, mcw_arena *arena,
									 mcs_odps_table **table, mcw_error *err);
/* the same from the body of an answer; the document tree lives in 'doc', err is not NULL */
extern mcw_status mcs_odps_parse_table(mcw_view body, mcw_view name, mcw_arena *doc, mcw_arena *arena,
									   mcs_odps_table *table, mcw_error *err);
/* index of the data column or of the key of that name (case folded, as MaxCompute does), -1 = none */
extern int	mcs_odps_find_column(const mcs_odps_table *table, mcw_view name);
extern int	mcs_odps_find_key(const mcs_odps_table *table, mcw_view name);
/* the schema object of a tunnel session ({"columns":[..],"partitionKeys":[..]}) into a table */
extern mcw_status mcs_odps_parse_schema(const mcw_node *node, mcw_arena *arena,
										mcs_odps_table *table, mcw_error *err);

typedef struct mcs_odps_name
{
	mcw_view	name;
	mcw_view	comment;
	bool		is_view;
} mcs_odps_name;

/* every table of the project (and schema), all pages */
extern mcw_status mcs_odps_list_tables(mcs_odps *odps, mcw_arena *arena,
									   mcs_odps_name **names, int *nnames, mcw_error *err);

typedef struct mcs_odps_partition
{
	mcw_view   *values;			/* one for each key, in key order */
	int64_t		size;			/* -1 = unknown */
	int64_t		record_num;		/* -1 = unknown */
	int64_t		last_modified;	/* epoch seconds */
} mcs_odps_partition;

typedef struct mcs_odps_partitions
{
	mcs_odps_partition *items;
	int			nitems;
} mcs_odps_partitions;

#define MCS_ODPS_MAX_PARTITIONS 1000000

/* all pages, in the order of the service */
extern mcw_status mcs_odps_list_partitions(mcs_odps *odps, const mcs_odps_table *table, mcw_arena *arena,
										   mcs_odps_partitions *list, mcw_error *err);
/* one page: *marker is the one it was asked with, then the next page's (empty = the last); err is not NULL */
extern mcw_status mcs_odps_parse_partitions(mcw_view body, const mcs_odps_table *table, mcw_arena *doc, mcw_arena *arena,
											mcs_odps_partitions *list, mcw_view *marker, mcw_error *err);
/* A partition, or an unpartitioned table, as it is now */
typedef struct mcs_odps_part_state
{
	bool		exists;
	int64_t		last_modified;	/* epoch seconds, 0 = unknown */
	int64_t		record_num;		/* -1 = unknown */
} mcs_odps_part_state;

/* 'quoted' is pt='1',region='hz', empty for a table without partitions.  Missing is MCW_OK. */
extern mcw_status mcs_odps_get_part_state(mcs_odps *odps, mcw_view table, mcw_view quoted,
										  mcs_odps_part_state *state, mcw_error *err);
/* pt=1,region=hz; quoted: pt='1',region='hz' with ' and \ escaped (REST and SQL) */
extern mcw_status mcs_odps_partition_spec(const mcs_odps_table *table, const mcw_view *values,
										  bool quoted, mcw_buf *out);

/* ---- SQL: mcs_odps_sql.c ---- */

/* `project`.[`schema`.]`table` as SQL wants it; the schema settings are added by mcs_odps_run_sql */
extern mcw_status mcs_odps_sql_table(const mcs_odps *odps, mcw_view table, mcw_buf *out);

typedef struct mcs_odps_sql
{
	const char *task;			/* task name, e.g. "SQLDropPartitionTask"; NULL = AnonymousSQLTask */
	mcw_view	query;			/* with or without ';' at its end */
	mcw_view	guid;			/* submission id; empty = a random one */
	bool		idempotent;		/* running it twice is harmless: a lost submission is sent again */
	/* called between polls, may be NULL: one line of stage progress */
	void		(*progress) (void *ctx, const char *line);
	void	   *progress_ctx;
} mcs_odps_sql;

typedef struct mcs_odps_sql_result
{
	mcw_view	instance;		/* instance id */
	mcw_view	text;			/* result text: CSV of a SELECT (10000 rows at most), else free text */
	bool		in_doubt;		/* after a failure: the statement may have been executed, or may be later */
} mcs_odps_sql_result;

/*
 * Submit, poll with back-off, fetch the result into arena memory.  A failed task
 * is MCW_ERR_SERVICE: code is its ODPS number, text what the service wrote.  When
 * interrupted, a request to cancel the instance is sent as far as that is possible
 * without waiting.
 */
extern mcw_status mcs_odps_run_sql(mcs_odps *odps, const mcs_odps_sql *sql, mcw_arena *arena,
								   mcs_odps_sql_result *result, mcw_error *err);

/* ---- batch download: mcs_odps_download.c ---- */

typedef enum mcs_odps_session_state
{
	MCS_ODPS_SESSION_NONE = 0,
	MCS_ODPS_SESSION_PENDING,	/* created, the service still lists files: reload */
	MCS_ODPS_SESSION_READY
} mcs_odps_session_state;

typedef struct mcs_odps_download
{
	mcw_view	table;
	mcw_view	partition;		/* pt=1,region=hz; empty = not partitioned */
	mcs_odps_session_state state;
	char		id[128];
	int64_t		record_count;	/* valid when READY */
	int			reloads;
} mcs_odps_download;

/*
 * Session: prepare a call that creates it (state NONE) or reads it again (state
 * PENDING); when it is done, mcs_odps_download_opened looks at the answer.  A
 * session that is not ready yet leaves state PENDING and says in *delay_ms how
 * long to wait before the next reload.  'table' describes what the caller
 * expects; a session that sees other columns is MCW_ERR_PROTOCOL.
 */
extern void mcs_odps_download_open(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_download *download);
extern mcw_status mcs_odps_download_opened(mcs_odps_call *call, const mcs_odps_table *table,
										   mcs_odps_download *download, int *delay_ms, mcw_error *err);

/* value for Accept-Encoding, or NULL */
typedef struct mcs_odps_range
{
	int64_t		first;			/* row number */
	int64_t		count;			/* at least 1 */
	mcw_view	columns;		/* a,b,c in table order; empty = all */
	const char *accept_encoding;	/* NULL = identity */
} mcs_odps_range;

/* prepare a call that reads rows; the body is a record stream in the coding the answer names */
extern void mcs_odps_download_read(mcs_odps_call *call, mcs_odps *odps, const mcs_odps_download *download,
								   const mcs_odps_range *range, size_t max_response);
/*
 * The record stream of a finished read: a view of the response itself, or of
 * 'scratch' when it had to be decompressed.
 */
extern mcw_status mcs_odps_download_stream(mcs_odps_call *call, mcw_buf *scratch, mcw_view *stream, mcw_error *err);

/* ---- one column, whole: mcs_odps_values.c ---- */

/*
 * Hands every value of a STRING column of a partition (empty = not partitioned) to
 * 'take', in no order that means anything; data NULL is a NULL.  Each row is handed
 * out once, or MCW_OK is not returned.  Memory is bounded by a few ranges; deadline_us
 * of 'odps' is kept.  A table that changes meanwhile is MCW_ERR_SERVICE with
 * "TableModified".
 */
extern mcw_status mcs_odps_each_value(mcs_odps *odps, const mcs_odps_table *table, mcw_view partition, int column,
									  void (*take) (void *ctx, mcw_view value), void *ctx, mcw_error *err);

#endif							/* MCS_ODPS_H */
