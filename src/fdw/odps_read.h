/*
 * odps_read.h
 *		Reading from MaxCompute: converter of tunnel values, scan state.  Private to
 *		convert_odps_in*.c and odps_{scan,fetch,plan,explain}.c.
 */
#ifndef MC_ODPS_READ_H
#define MC_ODPS_READ_H

#include "convert_text.h"
#include "odps.h"
#include "progress.h"

#include "lib/stringinfo.h"

/* ---- convert_odps_in.c: one tunnel value to one Datum ---- */

typedef struct McInContext
{
	bool		truncate;		/* on_precision_loss 'truncate' */
	bool		stop;			/* on_error 'stop': whatever is refused ends the statement */
	int			encoding;		/* of the database; PG_UTF8 and SQL_ASCII need no conversion */
	pg_tz	   *zone;			/* of strings without one that become timestamptz */
	int			sqlstate;		/* of the refusal just returned */
} McInContext;

typedef struct McInType McInType;

/*
 * NULL, or the reason why the value cannot be taken.  Called with a short-lived
 * CurrentMemoryContext that the Datum may live in; it may also point into the
 * value's own bytes.
 */
typedef const char *(*McInFn) (McInType *in, const mcw_odps_value *value, Datum *out);

struct McInType
{
	McInFn		fn;
	McInContext *cxt;
	const mcw_odps_type *type;
	Oid			pgtype;			/* base type of the local column */
	int32		typmod;
	Oid			domain;			/* the local type if it is a domain, else InvalidOid */
	void	   *domain_extra;
	MemoryContext domain_cxt;
	bool		nested;			/* an element: its bytes must not be written to */
	int64		low;			/* integers: range of the local type */
	int64		high;
	McTextColumn *text;			/* input function, if it is needed */
	int16		elem_len;		/* PostgreSQL arrays */
	bool		elem_byval;
	char		elem_align;
	Oid			elem_type;
	TupleDesc	desc;			/* composite */
	int			nchildren;
	McInType  **children;		/* array element, or struct fields in remote order */
	int		   *attnos;			/* composite: attribute of each field */
};

/*
 * Choose the conversion in CurrentMemoryContext, or return NULL with a reason if a
 * local column of that type cannot show values of the remote type.
 */
extern McInType *mcInPrepare(McInContext *cxt, Oid pgtype, int32 typmod, const mcw_odps_type *type,
							 const char **reason);
/* the constraints of the local column's domain: NULL, or why not; raises under on_error 'stop' */
extern const char *mcInCheckDomain(McInType *in, Datum value, bool isnull);
/* refuse: sets the SQLSTATE and returns the reason */
extern const char *mcInRefuse(McInContext *cxt, int sqlstate, const char *fmt,...) pg_attribute_printf(3, 4);
/* is it text of the database's encoding without NUL?  *text is what to store, converted if need be */
extern const char *mcInCheckText(McInContext *cxt, mcw_view bytes, mcw_view *text);
/* remote text for a message: if the database cannot hold it, with '?' for what is not ASCII */
extern char *mcInShown(mcw_view text);

/* ---- convert_odps_in_nested.c: PostgreSQL arrays and composite types ---- */

/* the conversion of ARRAY, VECTOR or STRUCT to the local type; NULL if it is none of those, or with a reason */
extern McInFn mcInNestedFunction(McInType *in, const char **reason);

/* ---- convert_odps_in_text.c: canonical text and JSON ---- */

/* canonical text; nested values are JSON */
extern const char *mcInRenderText(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value);
extern const char *mcInRenderJson(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value);
/* an McInFn: json or jsonb of a nested value or JSON */
extern const char *mcInJson(McInType *in, const mcw_odps_value *value, Datum *out);

/* ---- odps_fetch.c: sessions and ranges of one scan ---- */

/* One partition (or the whole unpartitioned table) of a scan */
typedef struct McPart
{
	const mcs_odps_partition *partition;	/* NULL: not partitioned */
	char	   *label;			/* "partition pt=1,region=hz", NULL if not partitioned */
	mcs_odps_download session;
	bool		opening;		/* a request for the session is in flight */
	bool		waiting;		/* the service refused one more session for now */
	int64		refused_us;		/* since when, 0 = it did not */
	int64		reload_us;		/* PENDING or waiting: when to try again */
	mcw_error  *failed;			/* why the session could not be opened */
	int64		issued;			/* rows that ranges were made of */
	int64		received;		/* rows handed out */
} McPart;

typedef struct McFetchStats
{
	int64		sessions;
	int64		ranges;
	int64		repeats;		/* ranges asked for again after damage */
	int64		rows;
	int64		stream_bytes;	/* record streams, decompressed */
	int64		parts_done;		/* of all loops, as what follows */
	int64		parts_total;
	int64		parts_begun;	/* whose number of rows is known */
	int64		parts_rows;
} McFetchStats;

typedef struct McFetch McFetch;

typedef struct McFetchSetup
{
	McOdps	   *odps;			/* tunnel open */
	const mcs_odps_table *table;
	const mcw_odps_type *const *types;	/* of the columns asked for */
	int			ntypes;			/* 0: only row numbers are wanted */
	const char *columns;		/* a,b,c; NULL = all */
	const char *accept_encoding;	/* NULL = identity */
	int			concurrency;
	McProgress *progress;
} McFetchSetup;

/* in a child of the connection's context */
extern McFetch *mcFetchCreate(const McFetchSetup *setup);
/* begin (again) at the first of these partitions; sessions that are open are used again */
extern void mcFetchStart(McFetch *fetch, McPart **parts, int nparts);
/*
 * Next row: its partition, and its values in *values, which (with all they point to)
 * are valid until the next call and may be written to.  NULL at the end.
 */
extern McPart *mcFetchRow(McFetch *fetch, mcw_odps_value **values);
extern const McFetchStats *mcFetchStatistics(const McFetch *fetch);
/* cancel what is in flight */
extern void mcFetchStop(McFetch *fetch);

/* ---- odps_scan.c ---- */

/* fdw_private of a scan */
enum McScanPrivate
{
	McScanPrivateColumns		/* IntList: attnums that are needed */
};

typedef struct McScan
{
	McProgress	progress;
	Oid			serverid;
	Oid			userid;
	int64		begun_at;		/* mcWriteSequence() then */
	MemoryContext cxt;			/* child of the connection's */
	McOdps	   *odps;			/* NULL until the first row is asked for */
	const mcs_odps_table *table;
	McOdpsMap  *map;
	McInContext in;
	McRejects	rejects;
	McPlace		place;

	/* partitions */
	McPruner   *pruner;			/* NULL: not partitioned */
	List	   *prune_quals;	/* of fdw_exprs, those on partition keys only */
	const mcs_odps_partitions *partitions;
	McPart	   *all_parts;		/* one for each of 'partitions', or one */
	int			nall;
	McPart	  **parts;			/* those that survive */
	int			nparts;
	bool		pruned;			/* 'parts' is valid */

	/* columns */
	struct McScanColumn *columns;	/* that come from the stream */
	int			ncolumns;
	AttrNumber *keys;			/* that come from the partition */
	int			nkeys;
	Datum	   *key_values;		/* of 'current', by position in 'keys' */
	bool	   *key_nulls;
	McPart	   *current;
	const char *null_key;		/* a NOT NULL column whose key is NULL in 'current' */
	MemoryContext part_cxt;		/* key values of the current partition */
	MemoryContext row_cxt;

	McFetch    *fetch;
	bool		running;
	bool		reported;
	AttrNumber	converting;		/* for the error context */
} McScan;

/* connect, read the metadata, bind columns: everything that needs no tunnel */
extern void mcScanConnect(McScan *scan, ForeignScanState *node);
/* evaluate the partition quals; with 'explain' those that need run-time values are left out */
extern void mcScanPrune(McScan *scan, ForeignScanState *node, bool explain);

/* are there partition quals whose values are known at run time only? */
extern bool mcScanPrunesLater(McScan *scan, ForeignScanState *node);

/* ---- odps_plan.c, odps_explain.c, odps_import.c ---- */
extern void mcOdpsPlanRoutine(FdwRoutine *routine);
extern void mcOdpsExplainScan(ForeignScanState *node, struct ExplainState *es);
/* SQL type that shows every value of the remote type; NULL = none */
extern char *mcOdpsLocalType(const mcw_odps_type *type);
extern List *mcOdpsImport(ImportForeignSchemaStmt *stmt, Oid serverid);

#endif							/* MC_ODPS_READ_H */
