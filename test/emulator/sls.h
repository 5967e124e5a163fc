/*
 * sls.h
 *		mc-emulator, Log Service: the model and what its files share.
 *
 * Projects hold logstores, logstores hold shards, a shard is an append-only array
 * of encoded log groups, each with its cursor integer and its receive time.
 */
#ifndef EMU_SLS_H
#define EMU_SLS_H

#include "emu.h"
#include "../../src/wire/mcw_sls.h"

#define SLS_MAX_RAW_BODY 10485760
#define SLS_DAY_US (INT64_C(86400) * 1000000)
#define SLS_MAX_NAME 64

/*
 * 'data' is the group framed as an entry of LogGroupList (tag, length, LogGroup), so
 * that a page is a concatenation.
 */
typedef struct sls_group
{
	char	   *data;
	uint32_t	len;
	uint32_t	body_at;		/* where the LogGroup begins */
	uint32_t	nlogs;
	uint32_t	min_time;		/* of the logs' __time__ */
	uint32_t	max_time;
	int64_t		cursor;
	int64_t		receive_us;
	int64_t		order_us;		/* largest receive_us up to here: what GetCursor searches */
} sls_group;

typedef struct sls_shard
{
	int			id;
	uint64_t	uid;			/* never reused in the process: key of the page cache */
	unsigned char begin[16];
	unsigned char end[16];
	bool		readonly;
	int64_t		readonly_us;
	int64_t		create_us;
	int			parents[2];		/* shard ids, -1 = none */
	sls_group  *groups;
	size_t		first;			/* groups before it have expired */
	size_t		ngroups;
	size_t		cap;
	int64_t		next_cursor;
	int64_t		last_us;
	uint64_t	bytes;
	/* rate accounting, one-second buckets */
	int64_t		rate_second;
	uint64_t	rate_write_bytes, rate_writes, rate_read_bytes, rate_reads;
} sls_shard;

typedef struct sls_checkpoint
{
	int			shard;
	char	   *cursor;
	int64_t		update_us;
	char	   *consumer;
} sls_checkpoint;

typedef struct sls_consumer
{
	char	   *name;
	int64_t		seen_us;
	int		   *holds;			/* shards it listed in its last heartbeat */
	int			nholds;
	int		   *assigned;		/* shards it was told to hold */
	int			nassigned;
} sls_consumer;

typedef struct sls_consumer_group
{
	char	   *name;
	int64_t		timeout;
	bool		order;
	sls_checkpoint *points;
	int			npoints;
	sls_consumer *consumers;
	int			nconsumers;
	struct sls_consumer_group *next;
} sls_consumer_group;

typedef struct sls_logstore
{
	char	   *name;
	int64_t		ttl;			/* days; 3650 = for ever */
	int64_t		initial_shards;
	bool		enable_tracking;
	bool		auto_split;
	int64_t		max_split;
	bool		append_meta;
	char	   *telemetry;
	char	   *mode;
	int64_t		hot_ttl;
	int64_t		ia_ttl;
	char	   *encrypt_conf;	/* JSON text or NULL */
	int64_t		create_us;
	int64_t		modify_us;
	char	   *index;			/* JSON text of the body it was made with, or NULL */
	int64_t		index_us;
	sls_shard **shards;			/* by id, those that have vanished are gone */
	int			nshards;
	int			next_shard;
	unsigned	round_robin;
	sls_consumer_group *consumer_groups;
	struct sls_logstore *next;	/* sorted by name */
} sls_logstore;

typedef struct sls_project
{
	char	   *name;
	char	   *description;
	char	   *status;
	int64_t		create_us;
	int64_t		modify_us;
	sls_logstore *logstores;
	struct sls_project *next;	/* sorted by name */
} sls_project;

typedef struct sls_config
{
	bool		check_time;		/* PutLogs refuses __time__ outside [-7 d, +15 min] */
	bool		require_index;	/* GetLogs needs an index */
	bool		enforce_quota;	/* shard read and write quotas */
	bool		show_meta;		/* __receive_time__ and __client_ip__ also without appendMeta */
	int64_t		page_bytes;		/* raw size at which a page of PullLogs ends */
	int64_t		cache_bytes;	/* of compressed pages */
	int64_t		shard_write_bytes, shard_writes, shard_read_bytes, shard_reads;	/* per second */
} sls_config;

extern sls_config sls_conf;
extern sls_project *sls_projects;

typedef enum sls_api
{
	SLS_UNKNOWN, SLS_BAD_METHOD,
	SLS_GET_PROJECT, SLS_LIST_PROJECT, SLS_CREATE_PROJECT, SLS_UPDATE_PROJECT, SLS_DELETE_PROJECT,
	SLS_LIST_LOGSTORES, SLS_CREATE_LOGSTORE, SLS_GET_LOGSTORE, SLS_UPDATE_LOGSTORE, SLS_DELETE_LOGSTORE,
	SLS_PUT_LOGS, SLS_GET_LOGS, SLS_GET_LOGS_V2, SLS_GET_HISTOGRAMS, SLS_WEBTRACKING, SLS_LIST_TOPICS,
	SLS_CONTEXT_LOGS, SLS_PROJECT_LOGS,
	SLS_LIST_SHARDS, SLS_SPLIT_SHARD, SLS_MERGE_SHARDS, SLS_DELETE_SHARD,
	SLS_GET_CURSOR, SLS_GET_CURSOR_TIME, SLS_PULL_LOGS,
	SLS_GET_INDEX, SLS_CREATE_INDEX, SLS_UPDATE_INDEX, SLS_DELETE_INDEX,
	SLS_LIST_CONSUMER_GROUPS, SLS_CREATE_CONSUMER_GROUP, SLS_UPDATE_CONSUMER_GROUP, SLS_DELETE_CONSUMER_GROUP,
	SLS_HEARTBEAT, SLS_UPDATE_CHECKPOINT, SLS_GET_CHECKPOINT
} sls_api;

/* A request on its way through the service */
typedef struct sls_call
{
	emu_request *req;
	emu_response *resp;
	sls_api		api;
	mcw_view	project_name;	/* empty = bare endpoint */
	mcw_view	seg[6];			/* path segments */
	int			nseg;
	sls_project *project;
	sls_logstore *logstore;
} sls_call;

/* sls_service.c */
extern void sls_error(emu_response *resp, int status, const char *code, const char *fmt,...) MCW_PRINTF(4, 5);
extern void sls_json(emu_response *resp);	/* status 200, JSON content type; the caller fills the body */
extern bool sls_param_int(const sls_call *call, const char *name, int64_t missing, int64_t *out);	/* empty = absent; false if not a number */
extern mcw_view sls_param(const sls_call *call, const char *name);	/* absent: data NULL */
extern bool sls_param_bool(const sls_call *call, const char *name);
extern bool sls_host_project(mcw_view host, mcw_view *project);	/* false: host is under no base domain */
extern bool sls_add_base_domain(mcw_view name, mcw_error *err);
extern void sls_base_domains(mcw_buf *out);	/* JSON array */

/* sls_auth.c: false with the response filled */
extern bool sls_authenticate(sls_call *call);

/* sls_model.c */
extern sls_project *sls_find_project(mcw_view name);
extern sls_project *sls_new_project(mcw_view name, mcw_view description, int64_t now_us);
extern void sls_drop_project(sls_project *project);
extern sls_logstore *sls_find_logstore(const sls_project *project, mcw_view name);
extern sls_logstore *sls_new_logstore(sls_project *project, mcw_view name, int64_t now_us);
extern void sls_drop_logstore(sls_project *project, sls_logstore *store);
extern void sls_replace_text(char **slot, mcw_view v);
extern bool sls_valid_name(mcw_view name, bool underscore);
extern void sls_expire(int64_t now_us);
extern void sls_free_all(void);
extern void sls_free_consumer_group(sls_consumer_group *group);

/* sls_shards.c: the shards and their groups */
extern sls_shard *sls_add_shard(sls_logstore *store, const unsigned char begin[16], const unsigned char end[16], int64_t now_us);
extern void sls_initial_shards(sls_logstore *store, int n, int64_t now_us);
extern sls_shard *sls_find_shard(const sls_logstore *store, int64_t id);
extern void sls_free_shard(sls_shard *shard);
extern sls_shard *sls_route(sls_logstore *store, const unsigned char key[16]);	/* NULL = no readwrite shard */
extern sls_shard *sls_next_writable(sls_logstore *store);
extern bool sls_parse_key(mcw_view hex, unsigned char key[16]);
extern void sls_key_text(const unsigned char key[16], char out[33]);
/* Append one LogGroup (bytes copied); receive time becomes at least the shard's last unless 'late' */
extern sls_group *sls_append(sls_shard *shard, mcw_view group, int64_t receive_us, bool late, mcw_error *err);
extern int64_t sls_begin_cursor(const sls_shard *shard);
extern size_t sls_find_cursor(const sls_shard *shard, int64_t cursor);	/* first group at or after it */
extern size_t sls_find_time(const sls_shard *shard, int64_t unix_us);	/* first group received at or after it */
extern int64_t sls_cursor_of(const sls_shard *shard, size_t index);
extern void sls_cursor_text(int64_t cursor, char out[64]);
extern bool sls_parse_cursor(mcw_view text, int64_t *cursor);
extern bool sls_split(sls_logstore *store, sls_shard *shard, const unsigned char *keys, int nkeys, int64_t now_us, int *first_new);
extern sls_shard *sls_merge(sls_logstore *store, sls_shard *shard, sls_shard **right, int64_t now_us);
extern bool sls_even_keys(const sls_shard *shard, int n, unsigned char *keys);	/* n-1 keys */
extern bool sls_quota(sls_call *call, sls_shard *shard, bool write, uint64_t bytes);	/* false with the response filled */

/* the API handlers */
extern void sls_handle_project(sls_call *call);	/* sls_project.c */
extern void sls_handle_logstore(sls_call *call);	/* sls_logstore.c */
extern void sls_handle_index(sls_call *call);	/* sls_logstore.c */
extern void sls_handle_shards(sls_call *call);	/* sls_shard_api.c */
extern void sls_handle_pull(sls_call *call);	/* sls_pull.c */
extern void sls_handle_put(sls_call *call);	/* sls_put.c */
extern void sls_handle_webtracking(sls_call *call);	/* sls_put.c */
extern void sls_handle_consumer(sls_call *call);	/* sls_consumer.c */
extern void sls_handle_query(sls_call *call);	/* sls_getlogs.c */

/* sls_pull.c */
extern void sls_cache_forget(uint64_t shard_uid);
extern void sls_cache_clear(void);
extern bool sls_warm(sls_shard *shard, int64_t from, int64_t to, int64_t count, mcw_view coding, uint64_t *pages, mcw_error *err);
extern void sls_cache_report(mcw_buf *out);

/* sls_group.c: walking and building encoded groups */
typedef struct sls_field
{
	uint32_t	number;
	uint32_t	wire_type;
	uint64_t	value;			/* varint and fixed */
	mcw_view	bytes;			/* wire type 2 */
	const char *start;			/* whole field, tag included */
	size_t		len;
} sls_field;

extern bool sls_next_field(mcw_view message, size_t *pos, sls_field *field);	/* false at the end or on garbage */
/* What a log looks like to search: one name, all its values in turn until the callback returns false */
typedef struct sls_log_view
{
	uint32_t	time;
	uint32_t	time_ns;
	bool		has_ns;
	mcw_view	log;			/* Log message */
	mcw_view	group;			/* LogGroup message */
} sls_log_view;

extern bool sls_log_open(mcw_view group, mcw_view log, sls_log_view *out);
extern bool sls_log_value(const sls_log_view *log, mcw_view name, mcw_view *value);	/* contents, then __topic__, __source__, __tag__:k, __time__ */
extern void sls_log_json(const sls_log_view *log, mcw_buf *out);	/* object of strings, as GetLogs shows it */
typedef bool (*sls_value_fn) (mcw_view name, mcw_view value, void *arg);	/* return true to stop */
extern bool sls_log_each(const sls_log_view *log, sls_value_fn fn, void *arg);
/* LogGroup from {"__topic__","__source__","__tags__","__logs__"}; time of logs without __time__ is now */
extern bool sls_group_from_json(const mcw_node *root, uint32_t now_s, bool force_now, mcw_buf *out, mcw_error *err);
extern void sls_put_tag(mcw_buf *out, mcw_view key, mcw_view value);	/* append a LogTags field to a LogGroup */

/* sls_search.c: search expressions and the SPL subset */
typedef struct sls_expr sls_expr;
extern bool sls_parse_search(mcw_view text, mcw_arena *arena, sls_expr **out, mcw_error *err);
extern bool sls_parse_spl(mcw_view text, mcw_arena *arena, sls_expr **out, mcw_error *err);	/* *out NULL = everything */
extern bool sls_match(const sls_expr *expr, const sls_log_view *log);	/* expr NULL = true */

/* sls_command.c, sls_generate.c, sls_save.c */
extern bool sls_command(const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
extern bool sls_generate(const mcw_node *cmd, sls_logstore *store, mcw_buf *reply, mcw_error *err);
extern bool sls_save(FILE *out);
extern bool sls_load(FILE *in, mcw_error *err);
extern void sls_put_node(mcw_buf *out, const mcw_node *node);	/* JSON text of a tree */
extern bool sls_apply_logstore(sls_logstore *store, const mcw_node *body, const char **why);	/* fields of create and update */
extern void sls_logstore_json(const sls_logstore *store, mcw_buf *out);

#endif							/* EMU_SLS_H */
