/*
 * mc_fdw.h
 *		Shared declarations of the PostgreSQL layer: options, server configuration,
 *		the backend's event loop, error reporting, rejects.
 *
 * json-c must not be included where utils/builtins.h is; this layer needs neither
 * json-c nor libxml2, documents are read by wire/mcw_doc.
 */
#ifndef MC_FDW_H
#define MC_FDW_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "foreign/fdwapi.h"
#include "foreign/foreign.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"
#include "pgtime.h"
#include "utils/palloc.h"
#include "utils/rel.h"

#include "compat.h"

#include "../net/mcn.h"

/* from the Unix epoch to PostgreSQL's */
#define MC_EPOCH_DAYS (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define MC_EPOCH_SECONDS (MC_EPOCH_DAYS * INT64CONST(86400))
#define MC_EPOCH_US (MC_EPOCH_SECONDS * USECS_PER_SEC)

typedef enum McWrapper
{
	MC_LOGHUB = 1,
	MC_MAXCOMPUTE = 2,
	MC_TABLESTORE = 4,
	MC_OSS = 8
} McWrapper;

/* ---- option.c: every option of every wrapper, in one table ---- */

typedef enum McOptionKind
{
	MC_OPT_TEXT,
	MC_OPT_BOOL,
	MC_OPT_INT,					/* plain integer */
	MC_OPT_TIME,				/* PostgreSQL time units, kept in milliseconds */
	MC_OPT_SIZE,				/* PostgreSQL memory units, kept in bytes */
	MC_OPT_ENUM
} McOptionKind;

/* NULL if absent; the value is as the user wrote it */
extern const char *mcOptionText(List *options, const char *name);
/* validated text of kind BOOL, INT, TIME, SIZE to a number; raises on nonsense */
extern int64 mcOptionParse(const char *name, const char *value);
extern const char *mcColumnOption(Oid relid, AttrNumber attnum, const char *name);

/* ---- server.c: what a statement needs to talk to a service ---- */

typedef enum McOnError
{
	MC_ON_ERROR_STOP,
	MC_ON_ERROR_SET_NULL,
	MC_ON_ERROR_REJECT
} McOnError;

typedef struct McServer
{
	McWrapper	wrapper;
	Oid			serverid;
	Oid			userid;
	Oid			relid;			/* InvalidOid if not for one table */
	char	   *name;			/* of the server */
	char	   *endpoint;		/* OSS: also the base_url of a plain web server */
	char	   *project;		/* LogHub, MaxCompute; NULL for the others */
	char	   *instance;		/* Tablestore */
	char	   *bucket;			/* OSS; NULL for a base_url */
	char	   *region;			/* NULL = signature V1 / V2; OSS: see mcOssConnect */
	mcw_credentials cred;		/* views into 'cxt'; id empty = none, or renewed ones */
	mcn_credentials *credentials;	/* temporary ones, see credential.h; NULL = 'cred' */
	char	   *identity;		/* whose they are: key id, or role; NULL = without */
	mcn_options net;
	int			concurrency;	/* requests in flight for one statement */
	McOnError	on_error;
	int64		reject_limit;	/* -1 = none */
	bool		verbose_values; /* log_verbosity 'verbose': values may appear in messages */
	pg_tz	   *timezone;		/* for zone-less remote values; session's if not set */
	bool		trusted;		/* superuser's server or allowed endpoint: private addresses allowed */
	List	   *server_options; /* DefElem lists as stored */
	List	   *table_options;
	MemoryContext cxt;
} McServer;

/*
 * Configuration after GUC > table option > server option, with the user mapping of
 * 'userid'.  Allocated in CurrentMemoryContext.  Raises if there is no mapping (not
 * if need_credentials is false), if the endpoint is not allowed or an option is
 * missing.
 */
extern McServer *mcGetServer(McWrapper wrapper, Oid serverid, Oid userid, Oid relid, bool need_credentials);
/* the winning text of an option (GUC, table, server) or NULL */
extern const char *mcServerOption(const McServer *server, const char *name);
extern int64 mcServerOptionInt(const McServer *server, const char *name, int64 default_value);
extern bool mcServerOptionBool(const McServer *server, const char *name, bool default_value);
/* is that word given (case folded)? */
extern bool mcServerOptionIs(const McServer *server, const char *name, const char *word);
/* may a statement use the other's connection? */
extern bool mcServerSame(const McServer *a, const McServer *b);
/* a channel with this server's limits and address policy; freed by the caller (reset callback) */
extern mcn_channel *mcOpenChannel(const McServer *server, const mcw_alloc *alloc, const char *endpoint,
								  const char *virtual_host, const mcn_retry_rule *rules);

/* ---- pg_net.c ---- */

/* the backend's event loop, made at first use, never in _PG_init */
extern mcn_loop *mcLoop(void);
/* from now on wait on the network only, without latch and memory: for the end of a transaction */
extern void mcQuietWaits(bool quiet);
/* allocator over a memory context: no-throw, huge allowed; 'cxt' must outlive it */
extern mcw_alloc mcContextAlloc(MemoryContext cxt);
/* OK passes; INTERRUPTED runs CHECK_FOR_INTERRUPTS and raises; see mcRaise for the rest */
struct McPlace;
extern void mcCheck(mcw_status status, const mcw_error *err, const struct McPlace *place);

/* ---- error.c ---- */

/* Where it happened, for CONTEXT.  Members may be NULL. */
typedef struct McPlace
{
	McWrapper	wrapper;
	const char *server;
	const char *object;			/* logstore, project.table, instance.table, or bucket */
	const char *part;			/* "shard 3", "partition pt=20240101", "split 2" or "object \"a.csv\"" */
	const char *position;		/* cursor, block id, row number, key */
	const char *column;
} McPlace;

/* ereport(ERROR) with SQLSTATE, DETAIL, HINT and CONTEXT; never returns */
pg_noreturn extern void mcRaise(const mcw_error *err, const McPlace *place);
/* with a SQLSTATE and its HINT that the caller knows better; 0 = as above */
pg_noreturn extern void mcRaiseAs(int sqlstate, const char *hint, const mcw_error *err, const McPlace *place);
/* adds the CONTEXT line to an ereport in progress: ereport(ERROR, (errcode(..), errmsg(..), mcPlaceContext(&place))) */
extern int	mcPlaceContext(const McPlace *place);
/* a copy of a service's text, which may be in any encoding, that can be shown */
extern char *mcPrintable(const char *text);
/* the service's words as DETAIL: "code: text (HTTP 404, request id ...)"; NULL if it did not answer */
extern char *mcErrorDetail(const mcw_error *err);
/* the SQLSTATE that mcRaise would give, and its HINT (NULL = none) */
extern int	mcErrorState(const mcw_error *err, McWrapper wrapper, const char **hint);

/* ---- reject.c ---- */

typedef struct McRejects
{
	McOnError	on_error;
	int64		limit;			/* -1 = none */
	int64		rejected;		/* rows dropped */
	int64		nulled;			/* values set to NULL */
	Oid			relid;
	bool		verbose_values;
	char		first[256];		/* reason and place of the first row that was dropped */
	char		first_null[256];	/* of the first value that became NULL */
	/* in the run of a job: the present row as JSON, in CurrentMemoryContext, to be stored; may be NULL */
	char	   *(*raw) (void *arg);
	void	   *raw_arg;
} McRejects;

typedef enum McVerdict
{
	MC_VALUE_NULL,				/* take NULL for the value and go on */
	MC_ROW_DROP					/* drop the row */
} McVerdict;

/* for McRejects.raw: members of the row, then its end; values in UTF-8, data NULL = NULL */
extern void mcRawMember(StringInfo row, const char *name, mcw_view value);
extern char *mcRawEnd(StringInfo row);
extern void mcRejectsInit(McRejects *rejects, const McServer *server);
/*
 * A value (or row) cannot be converted.  Raises under 'stop' and when the limit is
 * exceeded; else counts, remembers a bounded sample for mc.last_rejects() and says
 * what to do.  'value' may have data NULL; it is shown only under log_verbosity
 * 'verbose'.  'not_null' tells that NULL is not possible, so set_null rejects.
 */
extern McVerdict mcBadValue(McRejects *rejects, const McPlace *place, int sqlstate,
							const char *reason, mcw_view value, bool not_null);
/* The same for a value that is written; 'hint' is for 'stop'.  'value' has been made to be shown. */
extern McVerdict mcRefuseValue(McRejects *rejects, const McPlace *place, int sqlstate, const char *reason,
							   mcw_view value, bool not_null, const char *hint);
/* NOTICE with the counts, if any; call once at the end of the statement */
extern void mcRejectsReport(const McRejects *rejects, const char *what);

/* ---- GUCs (module.c) ---- */
extern int	mc_publish_timeout; /* ms */

/* ---- the wrappers' callbacks: each fills its part of the routine ---- */
extern void mcLoghubScanRoutine(FdwRoutine *routine);	/* loghub_*.c */
extern void mcLoghubModifyRoutine(FdwRoutine *routine);	/* loghub_modify.c */
extern void mcOdpsScanRoutine(FdwRoutine *routine);	/* odps_plan.c, odps_scan.c, import, analyze, explain */
extern void mcOdpsModifyRoutine(FdwRoutine *routine);	/* odps_modify.c, odps_truncate.c, odps_delete.c */
extern void mcOtsRoutine(FdwRoutine *routine);	/* ots_routine.c */
extern void mcOtsModifyRoutine(FdwRoutine *routine);	/* ots_modify.c */
extern void mcOssRoutine(FdwRoutine *routine);	/* oss_scan.c: planning, scan, explain */
extern void mcOssModifyRoutine(FdwRoutine *routine);	/* oss_modify.c */

#endif							/* MC_FDW_H */
