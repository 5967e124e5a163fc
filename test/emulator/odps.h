/*
 * odps.h
 *		mc-emulator, MaxCompute part: declarations shared by the odps_*.c files.
 *
 * Storage model: a table has partitions (an unpartitioned table has exactly one
 * with no key values).  A partition points to an odps_content, an immutable list
 * of immutable segments; every change makes a new content.  A segment is the
 * verified bytes of a record stream without its footer, with the offset and the
 * CRC of every record, so that any row range of it is a slice and a footer.
 * Section numbers are those of the protocol description of MaxCompute.
 */
#ifndef ODPS_H
#define ODPS_H

#include "emu.h"
#include "../../src/wire/mcw_odps.h"
#include "../../src/wire/mcw_compress.h"
#include "../../src/wire/mcw_hash.h"

#define ODPS_SECOND INT64_C(1000000)
#define ODPS_SESSION_LIFE (24 * 3600 * ODPS_SECOND)
#define ODPS_MAX_BLOCK_ID 19999
#define ODPS_MAX_KEYS 6
#define ODPS_MAX_PRIMARY_KEY 16
#define ODPS_OWNER "ALIYUN$emulator@example.com"

typedef struct odps_column
{
	const char *name;			/* lower case; arena of the schema */
	const char *type_text;		/* normalised */
	const mcw_odps_type *type;
	const char *comment;
	bool		not_null;
} odps_column;

/* Columns of a table or of a query result.  Immutable once built. */
typedef struct odps_schema
{
	int			refs;
	mcw_arena	arena;
	int			ncolumns;
	odps_column *columns;
	const mcw_odps_type **types;	/* of columns */
	int			nkeys;
	odps_column *keys;
} odps_schema;

typedef struct odps_segment
{
	int			refs;
	char	   *data;
	size_t		len;
	uint32_t	nrecords;
	uint32_t   *offsets;		/* nrecords + 1 */
	uint32_t   *crcs;
	uint64_t	mark;			/* its number while the state is saved, else 0 */
} odps_segment;

typedef struct odps_content
{
	int			refs;
	uint64_t	version;		/* unique in the process */
	uint64_t	nrecords;
	uint64_t	bytes;
	int			nsegments;
	odps_segment **segments;
	uint64_t   *first;			/* number of the first row of each segment */
} odps_content;

typedef struct odps_partition
{
	char	  **values;			/* one per key */
	odps_content *content;
	int64_t		created;		/* seconds */
	int64_t		modified;
	int64_t		ddl;
} odps_partition;

/* The most recent n events, to answer "more than n in this window?" */
typedef struct odps_rate
{
	int64_t    *at;
	int			size;
	int			next;
} odps_rate;

typedef struct odps_table
{
	int			refs;
	char	   *project;
	char	   *ns;				/* name of its schema (third tier) */
	char	   *name;
	char		id[40];
	char	   *comment;
	odps_schema *schema;
	int64_t		created;		/* seconds */
	int64_t		modified;
	int64_t		ddl;
	int64_t		lifecycle;		/* days, -1 none */
	bool		dropped;
	bool		transactional;
	char	   *properties;		/* JSON object text */
	char	   *primary_key;	/* comma separated, or "" */
	char	   *ddl_text;		/* the statement that made it */
	odps_partition **parts;		/* sorted by values */
	int			nparts;
	odps_rate	uploads;
	odps_rate	downloads;
	odps_rate	commits;
} odps_table;

typedef struct odps_namespace
{
	char	   *name;
	char	   *comment;
	int64_t		created;
	odps_table **tables;		/* sorted by name */
	int			ntables;
} odps_namespace;

typedef struct odps_project
{
	char	   *name;
	int64_t		created;
	bool		three_tier;
	odps_namespace **spaces;
	int			nspaces;
	struct odps_project *next;
} odps_project;

/* Settings, changed by the command "set" */
typedef struct odps_settings
{
	int64_t		instance_us;	/* how long an instance runs */
	int64_t		apply_later_us; /* delay of the fault apply-later */
	int64_t		stuck_us;		/* how long a stuck commit stays so; -1 = for ever */
	int64_t		session_us;		/* life of a session */
	int			page_size;		/* rows of a listing page without maxitems, and its maximum */
	int			result_rows;	/* READ_TABLE_MAX_ROW */
	bool		rates;			/* limits on sessions and commits */
	bool		modified_check; /* reads of a changed table fail */
	bool		async_sessions; /* asyncmode=true answers initiating once */
	char		public_endpoint[128];
	size_t		cache_bytes;
} odps_settings;

extern odps_settings odps_set;
extern odps_project *odps_projects;

/* What the path and parameters of a request name */
typedef struct odps_target
{
	mcw_view	seg[10];		/* path segments without "api" */
	int			nseg;
	odps_project *project;
	odps_namespace *ns;
	bool		ns_given;		/* by path or parameter */
} odps_target;

/* ---- odps_service.c: dispatch, errors, small helpers ---- */
extern void odps_error(emu_request *req, emu_response *resp, int status, const char *code, const char *fmt, ...) MCW_PRINTF(5, 6);
extern bool odps_is_tunnel(const emu_request *req);
extern bool odps_has(const emu_request *req, const char *param);
extern mcw_view odps_param(const emu_request *req, const char *param);
extern bool odps_param_true(const emu_request *req, const char *param);
extern mcw_view odps_header(const emu_request *req, const char *name);
extern void odps_reply_json(emu_response *resp, int status);
extern void odps_reply_xml(emu_response *resp, int status);
extern void odps_reply_text(emu_response *resp, int status);
extern void odps_request_id(const emu_request *req, char out[40]);
extern void odps_unique_id(int64_t now_us, char out[40]);
extern char *odps_lower(mcw_view v);	/* malloced */
extern const char *odps_xml_time(int64_t seconds, char out[32]);
extern void odps_xml_text(mcw_buf *out, const char *element, mcw_view text);
extern void odps_xml_time_element(mcw_buf *out, const char *element, int64_t seconds);
extern void odps_json_member(mcw_buf *out, const char *name, mcw_view text);	/* "name":"text", */

/* ---- odps_auth.c ---- */
extern bool odps_authenticate(emu_request *req, emu_response *resp);

/* ---- odps_table.c: storage ---- */
extern odps_project *odps_project_find(mcw_view name);
extern odps_project *odps_project_create(mcw_view name, int64_t now);
extern odps_namespace *odps_namespace_find(odps_project *project, mcw_view name);
extern odps_namespace *odps_namespace_create(odps_project *project, mcw_view name, mcw_view comment, int64_t now);
extern bool odps_namespace_drop(odps_project *project, odps_namespace *ns);	/* false: not empty */
extern odps_table *odps_table_find(odps_namespace *ns, mcw_view name);
extern void odps_table_add(odps_namespace *ns, odps_table *table);	/* takes the reference */
extern void odps_table_drop(odps_namespace *ns, odps_table *table, int64_t now);
extern odps_table *odps_table_ref(odps_table *table);
extern void odps_table_unref(odps_table *table);
extern odps_partition *odps_partition_find(odps_table *table, const mcw_view *values);
extern odps_partition *odps_partition_add(odps_table *table, const mcw_view *values, int64_t now);
extern void odps_partition_drop(odps_table *table, odps_partition *part, int64_t now);
extern void odps_partition_set(odps_table *table, odps_partition *part, odps_content *content, int64_t now); /* takes the reference */
extern bool odps_rate_hit(odps_rate *rate, int limit, int64_t window_us, int64_t now_us);	/* false: over the limit */
extern void odps_rate_free(odps_rate *rate);

/* ---- odps_content.c: segments and contents ---- */
extern odps_segment *odps_segment_take(char *data, size_t len, uint32_t nrecords, uint32_t *offsets, uint32_t *crcs);
extern void odps_segment_unref(odps_segment *seg);
extern odps_content *odps_content_make(odps_segment **segs, int nsegs);	/* takes references of its own */
extern odps_content *odps_content_append(const odps_content *old, odps_segment **segs, int nsegs);
extern odps_content *odps_content_ref(odps_content *content);
extern void odps_content_unref(odps_content *content);
extern void odps_content_restore(odps_content *content, uint64_t version);	/* of a saved state */
/* a complete record stream to a segment: CRCs, footer, NOT NULL and ranges are checked; takes over *data (malloced) on success */
extern odps_segment *odps_segment_verify(const odps_schema *schema, char *data, size_t len, mcw_error *err);
/* records without footer, written by us, to a segment; takes data */
extern odps_segment *odps_segment_index(const odps_schema *schema, mcw_buf *records, mcw_error *err);

/* ---- odps_schema.c: columns, partition specs, their documents ---- */
typedef struct odps_coldef
{
	mcw_view	name;
	mcw_view	type;
	mcw_view	comment;
	bool		not_null;
} odps_coldef;

extern odps_schema *odps_schema_make(const odps_coldef *cols, int ncols, const odps_coldef *keys, int nkeys, mcw_error *err);
extern odps_schema *odps_schema_ref(odps_schema *schema);
extern void odps_schema_unref(odps_schema *schema);
extern odps_schema *odps_schema_widen(const odps_schema *schema);	/* partition columns become the last columns */
extern int	odps_schema_column(const odps_schema *schema, mcw_view name);	/* -1 = none */
extern int	odps_schema_key(const odps_schema *schema, mcw_view name);
/* values[nkeys], data NULL where the spec does not name the key */
extern bool odps_spec_parse(const odps_schema *schema, mcw_view spec, mcw_arena *arena, mcw_view *values, mcw_error *err);
extern bool odps_key_value(const odps_column *key, mcw_view in, mcw_arena *arena, mcw_view *out, mcw_error *err);
extern void odps_spec_text(mcw_buf *out, const odps_schema *schema, char *const *values, char sep);
extern void odps_tunnel_schema(mcw_buf *out, const odps_schema *schema);	/* 3.1 */
extern void odps_rest_schema(mcw_buf *out, const odps_table *table, bool extended);	/* 2.3 */

/* ---- odps_value.c: checks, copies and text of values ---- */
extern bool odps_value_check(const mcw_odps_type *type, const mcw_odps_value *value, mcw_error *err);
extern bool odps_value_put(mcw_odps_writer *writer, int column, const mcw_odps_type *type, const mcw_odps_value *value);
extern void odps_value_csv(mcw_buf *out, const mcw_odps_type *type, const mcw_odps_value *value);	/* no quoting; never NULL */
extern void odps_value_json(mcw_buf *out, const mcw_odps_type *type, const mcw_odps_value *value);	/* canonical form of the test vectors */
extern bool odps_key_put(mcw_odps_writer *writer, int column, const mcw_odps_type *type, mcw_view text);
extern int	odps_csv_zone;		/* seconds east of UTC; odps_text.c */

/* ---- odps_rest.c, odps_meta.c ---- */
extern void odps_rest(emu_request *req, emu_response *resp, odps_target *target);
extern void odps_rest_tables(emu_request *req, emu_response *resp, odps_target *target, mcw_view table);
/* page size; the marker as sent */
extern int	odps_page(const emu_request *req, mcw_view *marker);
extern bool odps_rest_body(emu_request *req, emu_response *resp, mcw_node **root);

/* ---- odps_sql.c, odps_exec.c ---- */
typedef struct odps_result
{
	bool		failed;
	bool		is_select;
	const char *format;			/* "csv" or "text" */
	mcw_buf		text;			/* result or error text */
	odps_schema *schema;		/* SELECT */
	odps_content *content;		/* SELECT */
} odps_result;

typedef struct odps_sql_env
{
	odps_project *project;
	mcw_view	default_schema; /* "default" unless set */
	bool		namespaces;		/* two-part names are schema.table */
	bool		odps2;
	int64_t		now;			/* seconds */
} odps_sql_env;

extern void odps_sql_run(const odps_sql_env *env, mcw_view text, odps_result *result);
extern void odps_result_free(odps_result *result);

/* odps_select.c: the first rows as CSV; values filter the partitions */
extern bool odps_head(odps_table *table, const mcw_view *values, int64_t limit, mcw_view cols, mcw_arena *arena, mcw_buf *out, mcw_error *err);

/* ---- odps_instance.c ---- */
extern void odps_instances(emu_request *req, emu_response *resp, odps_target *target);
extern void odps_instance_tick(int64_t now_us);
/* result of a finished SELECT; false after answering with an error */
extern bool odps_instance_source(emu_request *req, emu_response *resp, odps_target *target, mcw_view id,
								 odps_schema **schema, odps_content **content);
extern void odps_instance_state(mcw_buf *out);

/* ---- odps_session.c: sessions of the tunnel ---- */
typedef enum odps_session_kind
{
	ODPS_DOWNLOAD, ODPS_UPLOAD, ODPS_STREAM, ODPS_UPSERT
} odps_session_kind;

typedef enum odps_status
{
	ODPS_NORMAL, ODPS_CLOSING, ODPS_COMMITTING, ODPS_CLOSED, ODPS_CANCELED, ODPS_EXPIRED, ODPS_CRITICAL
} odps_status;

typedef struct odps_block
{
	int			id;
	uint32_t	version;
	uint32_t	rows;
	int64_t		created;		/* seconds */
	odps_segment *segment;		/* NULL once the session is over */
} odps_block;

typedef struct odps_session
{
	odps_session_kind kind;
	char		id[40];
	int64_t		created_us;
	odps_status status;
	odps_schema *schema;
	odps_table *table;			/* NULL: instance result */
	char	   *instance;		/* its id */
	char	  **values;			/* of the partition, one per key; NULL for a whole partitioned table */
	/* download */
	odps_content *content;
	bool		initiating;
	/* upload */
	bool		overwrite;
	odps_block *blocks;			/* sorted by id */
	int			nblocks;
	int64_t		apply_at;		/* delayed commit, 0 = none */
	int64_t		close_at;		/* closing or committing until then; -1 = for ever */
	uint64_t	commit_request; /* serial of the request that asked for it */
	int			slots;			/* stream, upsert */
	bool		forget;			/* drop the session once it was answered */
	struct odps_session *hash_next;
	struct odps_session *next;	/* all, newest first */
} odps_session;

extern odps_session *odps_sessions;
extern odps_session *odps_session_new(odps_session_kind kind, int64_t now_us);
extern odps_session *odps_session_restore(odps_session_kind kind, mcw_view id);
extern odps_session *odps_session_find(odps_session_kind kind, mcw_view id);
extern void odps_session_forget(odps_session *session);
extern void odps_session_release(odps_session *session);	/* blocks and content, not the record itself */
extern void odps_session_tick(int64_t now_us);
extern void odps_session_values(odps_session *session, const mcw_view *values);
extern odps_partition *odps_session_partition(const odps_session *session);	/* NULL: dropped */
extern const char *odps_status_name(odps_status status);
/* the table a tunnel request names; NULL after answering with an error */
extern odps_table *odps_tunnel_table(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);
/* values[nkeys] of ?partition=, all levels; false after answering */
extern bool odps_tunnel_spec(emu_request *req, emu_response *resp, odps_table *table, mcw_view *values);
extern void odps_session_head(mcw_buf *out, const odps_session *session);	/* members Initiated, Owner, QuotaName, Schema, Status */
extern bool odps_session_matches(emu_request *req, emu_response *resp, const odps_session *session, const odps_table *table);

/* ---- odps_download.c, odps_cache.c ---- */
extern void odps_download_create(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance);
extern void odps_download_reload(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance);
extern void odps_download_data(emu_request *req, emu_response *resp, odps_target *target, mcw_view name, bool instance);
extern emu_blob *odps_cache_get(const char *key);	/* a new reference, or NULL */
extern void odps_cache_put(const char *key, emu_blob *blob);
extern void odps_cache_clear(void);
extern size_t odps_cache_used(void);

/* ---- odps_records.c: record streams from contents ---- */
/* rows of a content as a complete record stream, appended to out; columns NULL = all in order */
extern mcw_status odps_stream_build(const odps_schema *schema, const odps_content *content, uint64_t start, uint64_t count,
									const int *columns, int ncolumns, mcw_buf *out, mcw_error *err);

extern odps_content *odps_content_head(const odps_content *content, uint64_t count);

typedef bool (*odps_row_fn) (void *ctx, const mcw_odps_value *values, const odps_segment *seg, uint32_t record);	/* false stops */
extern mcw_status odps_content_walk(const odps_schema *schema, const odps_content *content, odps_row_fn fn, void *ctx, mcw_error *err);

/* ---- odps_arrow.c ---- */
extern bool odps_arrow_supported(const odps_schema *schema, const int *columns, int n);
extern mcw_status odps_arrow_build(const odps_schema *schema, const odps_content *content, uint64_t start, uint64_t count,
								   const int *columns, int n, bool split, mcw_buf *out, mcw_error *err);
extern char *odps_arrow_records(const odps_schema *schema, const char *data, size_t len, size_t *out_len, mcw_error *err);

/* ---- odps_upload.c ---- */
extern void odps_upload_create(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);
extern void odps_upload_block(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);
extern void odps_upload_reload(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);
extern void odps_upload_commit(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);
/* odps_commit.c: true when the session document is to be sent, false after answering */
extern bool odps_commit_session(emu_request *req, emu_response *resp, odps_session *session);
extern void odps_upload_tick(odps_session *session, int64_t now_us);
/* decoded body of a PUT, malloced with its length; NULL after answering */
extern char *odps_upload_body(emu_request *req, emu_response *resp, size_t *len);

extern const char *odps_stream_code(mcw_status status);	/* error code of a refused body */

/* ---- odps_stream.c, odps_upsert.c ---- */
extern void odps_streams(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);
extern int	odps_slot_count(const emu_request *req, const char *param);
extern mcw_view odps_slot_address(const emu_request *req);
extern odps_schema *odps_upsert_schema(const odps_schema *schema);	/* with the five system columns */
extern int	odps_key_columns(const odps_table *table, int *columns);
extern odps_content *odps_merge(odps_session *session, const odps_content *old, mcw_error *err);	/* NULL with err */
extern void odps_upserts(emu_request *req, emu_response *resp, odps_target *target, mcw_view name);

/* The commit log: what became visible, in order */
typedef struct odps_commit
{
	int64_t		at_us;
	uint64_t	request;
	char		session[40];
	char	   *table;			/* project.schema.table */
	char	   *spec;
	bool		overwrite;
	bool		partial;
	uint64_t	rows;
} odps_commit;

extern odps_commit *odps_commits;
extern int	odps_ncommits;
extern odps_commit *odps_commit_new(void);
extern void odps_commit_log(odps_session *session, char *const *values, bool partial, uint64_t rows, uint64_t request, int64_t now_us);

/* ---- odps_command.c, odps_generate.c ---- */
extern bool odps_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool odps_generate(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool odps_command_table(const mcw_node *cmd, odps_table **table, mcw_error *err);
extern void odps_state(mcw_buf *reply);

/* ---- odps_save.c ---- */
extern bool odps_save(FILE *f);
extern bool odps_load(FILE *f, mcw_error *err);
extern uint32_t odps_id_serial; /* of odps_unique_id */

/* counters */
typedef struct odps_counters
{
	uint64_t	requests;
	uint64_t	auth_failures;
	uint64_t	downloads;
	uint64_t	uploads;
	uint64_t	blocks;
	uint64_t	commits;
	uint64_t	instances;
	uint64_t	bytes_in;		/* decoded block bytes */
	uint64_t	bytes_out;		/* record stream bytes before coding */
	uint64_t	rows_in;
	uint64_t	rows_out;
	uint64_t	throttled;
	uint64_t	cache_hits;
	uint64_t	cache_misses;
} odps_counters;

extern odps_counters odps_count;

#endif							/* ODPS_H */
