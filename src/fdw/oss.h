/*
 * oss.h
 *		Private to the oss_*.c files: what an OSS foreign table is, its columns, the
 *		objects it covers, the scan.  Writing is in oss_write.h.
 */
#ifndef MC_OSS_H
#define MC_OSS_H

#include "mc_fdw.h"

#include "executor/tuptable.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"

#include "../service/mcs_oss.h"
#include "../wire/mcw_rows.h"
#include "../wire/mcw_stream.h"
#include "async.h"
#include "convert_text.h"
#include "qual.h"

/* ---- oss_column.c: what a column of the foreign table shows ---- */

typedef enum McOssKind
{
	MC_OSS_FIELD,				/* a field of the file */
	MC_OSS_REST,				/* jsonl, field '*': jsonb of the members no other column shows */
	MC_OSS_PATH,				/* a part of the key: {name} in the template, or name=value */
	MC_OSS_OBJECT,				/* __object__: the key */
	MC_OSS_LAST_MODIFIED,
	MC_OSS_SIZE,
	MC_OSS_ETAG,
	MC_OSS_LINE					/* __line__ */
} McOssKind;

typedef struct McOssColumn
{
	AttrNumber	attnum;
	McOssKind	kind;
	char	   *name;			/* FIELD: name in the file; PATH: name in the key */
	char	   *wire;			/* the same in UTF-8 */
	char	   *attname;
	int			index;			/* FIELD: position in the file by declaration, from 0; PATH: position in the path */
	Oid			type;
	int32		typmod;
	Oid			collation;
	bool		not_null;
	bool		force_null;		/* column options, COPY's words */
	bool		force_not_null;
	bool		force_quote;
} McOssColumn;

/* ---- oss_table.c: the options of a table, checked against each other ---- */

typedef enum McOssScope
{
	MC_OSS_ONE,					/* option "object" */
	MC_OSS_PREFIX				/* "prefix" and perhaps "pattern", or "pattern" alone */
} McOssScope;

typedef enum McOssMissing
{
	MC_OSS_MISSING_ERROR,
	MC_OSS_MISSING_NULL
} McOssMissing;

/* One segment between literal texts of a template: 'ods/dt={dt}/h={h}/' has two */
typedef struct McOssPathPart
{
	char	   *before;			/* literal text in front of the value, UTF-8 */
	char	   *name;
} McOssPathPart;

typedef struct McOssTable
{
	List	   *columns;		/* McOssColumn *, live ones in order */
	McOssScope	scope;
	char	   *object;			/* ONE: key, UTF-8, as all keys */
	char	   *literal;		/* PREFIX: what every key begins with: prefix, or the text before the first {, * ... */
	char	   *glob;			/* pattern behind 'literal' of keys to read; NULL = all */
	McOssPathPart *parts;		/* of the template or name=value directories, in order */
	int			nparts;
	bool		hive;			/* parts are name=value directories found by name, wherever they stand behind the prefix */
	char	   *tail;			/* literal text behind the last part of a template ("/") */
	bool		writable_prefix;	/* prefix ends a directory: may be written, truncated */
	char	   *root;			/* PREFIX: the directory around all keys, literal up to its last slash; "" = the bucket */
	bool		manifest;		/* writes tell what they have made in MC_OSS_MANIFESTS below the root */
	bool		success_file;	/* MC_OSS_SUCCESS in the root is there while no write is half visible */

	const mcw_format *format;
	mcw_header	header;			/* of option "header" and "match_by" */
	bool		compression_auto;
	mcw_codec	codec;			/* if not auto */
	int			encoding;		/* PostgreSQL encoding id; PG_UTF8 by default */
	char		delimiter;
	char		quote;
	char		escape;
	char	   *null;			/* UTF-8 */
	McOssMissing missing;		/* "missing_columns" */
	bool		unknown_error;	/* "unknown_columns" 'error' */
	size_t		max_record;
} McOssTable;

/* In CurrentMemoryContext.  Raises if options or columns make no sense together. */
extern McOssTable *mcOssTable(Relation rel, const McServer *server);
extern McOssColumn *mcOssColumn(const McOssTable *table, AttrNumber attnum);
/* server's encoding to UTF-8, for keys and names */
extern char *mcOssToWire(const char *text);
/* a key for messages and __object__ */
extern char *mcOssShown(mcw_view key);

/* ---- oss_conn.c ---- */

typedef struct McOssConn
{
	McServer   *server;
	MemoryContext cxt;			/* the channel ends with it */
	mcw_alloc	alloc;
	mcn_channel *channel;
	mcs_oss		client;
	McPlace		place;			/* server and bucket */
	MemoryContextCallback callback;
} McOssConn;

/* 'cxt' must live as long as every request on the connection */
extern McOssConn *mcOssConnect(McServer *server, MemoryContext cxt);

/* ---- oss_path.c: parts of a key ---- */

#define MC_OSS_NULL_PART "__HIVE_DEFAULT_PARTITION__"

/* What is written beside the data, by us and by others; never an object of a table, see mcOssIsMark */
#define MC_OSS_MANIFESTS "_mc_manifest"
#define MC_OSS_SUCCESS "_SUCCESS"

/*
 * The values of the table's path parts in a key; data NULL = NULL.  False: the key is
 * not of the table's form and is not one of its objects.  Values are decoded
 * (%XX) into 'scratch', reset by the caller.
 */
extern bool mcOssPathValues(const McOssTable *table, mcw_view key, mcw_view *values, mcw_buf *scratch);
/* is a key one of the table's objects by prefix, pattern and form? (Empty ones that end in "/" are not; sizes are the caller's.) */
extern bool mcOssCovers(const McOssTable *table, mcw_view key);
/*
 * Is it a manifest, a success file, or the directory of manifests, anywhere below the table's
 * root?  A table whose prefix or object names it itself has it as data.
 */
extern bool mcOssIsMark(const McOssTable *table, mcw_view key);
/* glob behind the literal: * ? [..] {a,b} do not match '/', ** does */
extern bool mcOssGlob(const char *pattern, mcw_view text);
/*
 * The same for a directory (a key up to a slash): which parts its name tells, as bits.
 * False: no key below it can have the table's form.
 */
#define MC_OSS_MAX_PARTS 32
extern bool mcOssPathKnown(const McOssTable *table, mcw_view directory, mcw_view *values, mcw_buf *scratch, uint64 *known);
/* the first part that the key shows with another value, however they are spelled; -1 = none */
extern int	mcOssPathDiffers(const McOssTable *table, mcw_view key, const mcw_view *values);
/* may keys below the directory have these values?  *all: every key there has, if it has the table's form */
extern bool mcOssPathMayHave(const McOssTable *table, mcw_view directory, const mcw_view *values, bool *all);
/* of characters that every writer leaves as they are: only then it stands in keys in one way */
extern bool mcOssPathPlain(mcw_view value);
/* append the directory of these values behind the literal, encoded */
extern void mcOssPathAppend(const McOssTable *table, const mcw_view *values, StringInfo key);

/* ---- oss_qual.c: conditions that choose objects ---- */

/*
 * A condition that reads only object-level columns (those of the key and of the list,
 * not __line__) chooses objects exactly: it leaves the local conditions and is evaluated
 * once for each object, and for a directory before it is listed if it needs no more
 * than what the directory's name tells.  Some of them also bound the listing: they are
 * narrowing conditions besides.
 */
typedef enum McOssQualKind
{
	MC_OSS_QUAL_MODIFIED,		/* __last_modified__ op instant */
	MC_OSS_QUAL_OBJECT,			/* __object__ = text, or a range under collation C */
	MC_OSS_QUAL_PATH			/* = text on a text path column: + index of its part */
} McOssQualKind;

/* a clause that chooses objects exactly */
extern bool mcOssIsObjectQual(const McOssTable *table, RelOptInfo *rel, Expr *clause);
/* does such a clause bound the listing as well? */
extern bool mcOssMatchQual(PlannerInfo *root, RestrictInfo *rinfo, RelOptInfo *rel, const McOssTable *table, McQual *qual);

/* fdw_exprs holds the expressions of the narrowing conditions, then the object conditions */
enum McOssPrivate
{
	MC_OSS_PRIVATE_ATTRS,		/* list of int: attribute numbers to fill */
	MC_OSS_PRIVATE_QUALS,		/* narrowing conditions, see mcQualsToList */
	MC_OSS_PRIVATE_EAGER,		/* Integer: all rows will be wanted, as far as the plan tells */
	MC_OSS_PRIVATE_PLACES		/* list of int: of each narrowing condition, which object condition it is */
};

/* What a scan has evaluated; zero it before the first use, it is used again by a rescan */
typedef struct McOssFilter
{
	ExprState  *state;
	uint64		parts;			/* bit of each path part it reads */
	bool		path_only;		/* it reads nothing else of the object */
	bool		by_ledger;		/* the ledger decides in its place */
} McOssFilter;

typedef struct McOssChoice
{
	bool		empty;			/* nothing can qualify: no request is made */
	bool		narrowed;		/* there were conditions: finding nothing is no error */
	char	   *from_key;		/* UTF-8, inclusive; NULL = none */
	char	   *to_key;			/* inclusive; NULL = none */
	int64		modified_from;	/* Unix microseconds, inclusive; PG_INT64_MIN = none */
	int64		modified_to;	/* inclusive; PG_INT64_MAX = none */
	char	  **part_values;	/* by part: UTF-8 text it must be; NULL = any */
	McOssFilter *filters;
	int			nfilters;
	Bitmapset  *attnums;		/* that the filters read */
	struct McOssLedger *ledger; /* of the run of a job; NULL = none */
	Relation	rel;
	PlanState  *ps;
	ExprContext *econtext;
} McOssChoice;

/*
 * quals: narrowing conditions with their values; object_quals: list of Expr.  Memory is
 * CurrentMemoryContext, which lives as long as the source.
 */
extern void mcOssChoose(const McOssTable *table, List *quals, const Datum *values, const bool *nulls,
						List *object_quals, Relation rel, PlanState *ps, McOssChoice *choice);

/* ---- oss_ledger.c: which objects a job has taken already ---- */

typedef struct McOssLedger McOssLedger;

/*
 * In a run whose condition on __last_modified__ is exactly its window: the ledger then
 * stands in for that condition in 'choice'.  NULL = objects are chosen by conditions alone.
 * places: see MC_OSS_PRIVATE_PLACES.
 */
extern McOssLedger *mcOssLedgerOpen(McOssConn *conn, const McOssTable *table, McOssChoice *choice, List *quals,
									const Datum *values, const bool *nulls, List *object_quals, List *places);
/* the objects to read are known, nothing is to be listed: take them from mcOssLedgerNext */
extern bool mcOssLedgerListed(const McOssLedger *ledger);
extern bool mcOssLedgerNext(McOssLedger *ledger, mcs_oss_object *object);
/* Is an object that all conditions accept to be read?  Raises if a known one was replaced. */
extern bool mcOssLedgerTakes(McOssLedger *ledger, const mcs_oss_object *object);
/* the whole list was seen */
extern void mcOssLedgerEnd(McOssLedger *ledger);
/* for EXPLAIN */
extern const char *mcOssLedgerText(const McOssLedger *ledger);

/* ---- oss_source.c: the objects of a scan ---- */

typedef struct McOssSource McOssSource;

typedef struct McOssSourceStats
{
	int64		listed;			/* keys seen */
	int64		taken;
	int64		pruned;			/* objects and directories that a condition ruled out */
	int64		passed_over;	/* keys without the table's form */
	int64		marks;			/* among them: manifests and success files */
	int64		pages;
	int64		waiting;		/* listed already, not looked at yet */
} McOssSourceStats;

/*
 * Looks at the one object of option "object" at once (one HEAD); lists later.  Both raise
 * on a condition that fails and on a value in a key that does not fit its column; a
 * table without any object is an error at its end unless there were bounds or missing_ok.
 */
extern McOssSource *mcOssSourceOpen(McOssConn *conn, const McOssTable *table, const McOssChoice *choice, MemoryContext cxt);
/* for mcs_oss_read_spec.next_object; ctx is the source */
extern mcw_status mcOssSourceNext(void *source, bool wait, bool *pending, mcs_oss_object *object, mcw_error *err);
/* Datum of an object-level column; false: NULL.  In CurrentMemoryContext; raises on a bad value. */
extern bool mcOssObjectValue(const McOssTable *table, const McOssColumn *column, McTextColumn *text,
							 const mcs_oss_object *object, const mcw_view *parts, Datum *value);
extern void mcOssSourceStats(const McOssSource *source, McOssSourceStats *stats);
extern void mcOssSourceClose(McOssSource *source);

/* ---- oss_rows.c: chunks of objects to records ---- */

typedef struct McOssRows McOssRows;

typedef struct McOssRowsStats
{
	int64		objects;		/* begun */
	int64		records;
	int64		bytes;			/* as received */
	int64		decoded;		/* after decompression; 0 if nothing was compressed */
	int64		stalls;
	int			codecs;			/* bits 1 << mcw_codec of the objects read */
} McOssRowsStats;

/*
 * The pipeline: reader > decompression > encoding > format.  'needed' has a member for
 * each FIELD column by its index and one more for the REST column.  In 'cxt'; closed
 * before it ends.  Raises if the encoding cannot be converted.
 */
extern McOssRows *mcOssRowsOpen(McOssConn *conn, const McOssTable *table, const bool *needed,
								McOssSource *source, bool eager, MemoryContext cxt);
/* MCW_OK, MCW_END; wait false: MCW_END with *pending */
extern mcw_status mcOssRowsNext(McOssRows *rows, bool wait, bool *pending, mcw_record *record, mcw_error *err);
/* the object of the last record or failure, NULL = none; it changes with the number */
extern const mcs_oss_object *mcOssRowsObject(const McOssRows *rows, int64 *number);
/* number of fields that a record of the present object has; -1 = any */
extern int	mcOssRowsFields(const McOssRows *rows);
/* SQLSTATE of a failure, 0 = by its status; line where it is, 0 = none */
extern int	mcOssRowsFailure(const McOssRows *rows, uint64 *line);
extern bool mcOssRowsReady(const McOssRows *rows);
extern void mcOssRowsStats(const McOssRows *rows, McOssRowsStats *stats);
extern void mcOssRowsClose(McOssRows *rows);

/* ---- oss_plan.c, oss_scan.c, oss_explain.c ---- */

extern void mcOssPlanRoutine(FdwRoutine *routine);	/* GetForeignRelSize, Paths, Plan */
extern void mcOssExplainRoutine(FdwRoutine *routine);

#endif							/* MC_OSS_H */
