/*
 * odps_write.h
 *		Writing to MaxCompute: converter of Datums, uploads of a transaction, the sink
 *		of one statement.  Private to convert_odps_out*.c and odps_{modify,sink,block,
 *		partition,upload,publish,truncate,delete}.c.
 */
#ifndef MC_ODPS_WRITE_H
#define MC_ODPS_WRITE_H

#include "odps.h"

#include "lib/ilist.h"

#include "../service/mcs_odps_upload.h"
#include "../wire/mcw_odps.h"

struct McJobRun;

/* ---- convert_odps_out.c: one Datum to one tunnel value ---- */

typedef struct McOutContext
{
	MemoryContext scratch;		/* current while a row is converted; reset per row by the caller */
	bool		truncate;		/* on_precision_loss 'truncate' */
	bool		recode;			/* the database is not UTF-8 */
	int64		max_field;		/* bytes of one STRING, BINARY or JSON value */
	int			sqlstate;		/* of the refusal just returned */
} McOutContext;

typedef struct McOutType McOutType;

/*
 * Append the value: as column number 'column' of a record, or as an element of a
 * nested value (null flag already written) if it is 0.  Returns NULL, or the
 * reason why the value does not fit; then the caller rewinds the writer.
 */
typedef const char *(*McOutFn) (McOutType *out, Datum value, mcw_odps_writer *w, int column);

struct McOutType
{
	McOutFn		fn;
	McOutContext *cxt;
	const mcw_odps_type *type;
	Oid			pgtype;			/* base type of the local column */
	bool		plain_text;		/* text straight to STRING: the caller may inline it */
	int64		low;			/* integers: range of the remote type */
	int64		high;
	FmgrInfo	out;			/* output function, for types sent as text */
	int16		elem_len;		/* PostgreSQL arrays */
	bool		elem_byval;
	char		elem_align;
	int			nchildren;		/* array element, or composite fields in remote order */
	McOutType **children;
	int		   *attnos;			/* composite: attribute of each field */
};

/*
 * Choose the conversion, or return NULL with a reason (allocated) if a local column
 * of that type cannot be written to the remote type without a loss of meaning.
 */
extern McOutType *mcOutPrepare(McOutContext *cxt, Oid pgtype, const mcw_odps_type *type, const char **reason);
/* refuse: sets the SQLSTATE and returns the reason */
extern const char *mcOutRefuse(McOutContext *cxt, int sqlstate, const char *fmt,...) pg_attribute_printf(3, 4);
/* text of the server's encoding in UTF-8; NULL if it has none; *len is updated */
extern char *mcUtf8FromServer(const char *data, size_t *len);
/* checks shared with the JSON converter */
extern const char *mcOutBytes(McOutContext *cxt, const mcw_odps_type *type, const char *data, size_t len,
							  mcw_odps_writer *w, int column);
extern const char *mcOutDecimal(McOutContext *cxt, const mcw_odps_type *type, char *text,
								mcw_odps_writer *w, int column);
extern const char *mcOutInt(McOutContext *cxt, const mcw_odps_type *type, int64 value,
							mcw_odps_writer *w, int column);
extern const char *mcOutInstant(McOutContext *cxt, const mcw_odps_type *type, int64 seconds, int32 nanos,
								mcw_odps_writer *w, int column);
extern const char *mcOutDays(McOutContext *cxt, int64 days, mcw_odps_writer *w, int column);
extern const char *mcOutDouble(McOutContext *cxt, const mcw_odps_type *type, double value,
							   mcw_odps_writer *w, int column);

/* ---- convert_odps_out_json.c: jsonb to ARRAY, MAP, STRUCT, VECTOR ---- */
extern const char *mcOutJsonb(McOutType *out, Datum value, mcw_odps_writer *w, int column);
/* NULL, or why values of this type cannot be written from jsonb */
extern const char *mcOutJsonbPossible(const mcw_odps_type *type);

/* ---- odps_upload.c: what this transaction has written and not yet published ---- */

/* One foreign table as one user writes it, for the length of the transaction */
typedef struct McTarget
{
	Oid			relid;
	Oid			userid;
	char	   *name;			/* of the foreign table */
	McOdps	   *odps;
	const mcs_odps_table *table;
	mcw_view   *fixed;			/* nkeys: value from option "partition", data NULL = by column */
	bool		all_fixed;
	mcn_channel *once;			/* tunnel channel without repetition, opened when publishing */
	struct McTarget *next;
} McTarget;

typedef struct McUpload
{
	mcs_odps_upload session;
	mcs_odps_call opening;		/* creation of the session; odps NULL when it is over */
	mcw_alloc	alloc;
	McTarget   *target;
	char	   *spec;			/* pt=1,region=hz; "" = not partitioned */
	SubTransactionId subid;		/* present one, moves up with RELEASE */
	int64		seq;			/* order of first write */
	bool		overwrite_mode;	/* by write_mode; session.overwrite may also come from TRUNCATE or DELETE */
	bool		garbage;		/* rolled back, superseded, or failed */
	char	   *mark;			/* what column run_column of its rows says; NULL = it is not written */
	int			mark_column;	/* remote column with the mark, from 0 */
	int64		bytes;			/* of block bodies sent */
	bool		listed;			/* the outbox has it: it is not ours to publish any more */
	bool		full;			/* no more blocks fit */
	bool		attempted;		/* publishing: a commit was tried */
	mcs_odps_outcome outcome;
	struct McUpload *next;		/* in order of seq */
} McUpload;

/* What TRUNCATE or DELETE asked for; executed after the uploads were published */
typedef struct McIntent
{
	McTarget   *target;
	char	   *spec;			/* DELETE: the partition; NULL = TRUNCATE of the target's scope */
	char	   *quoted;			/* the same for SQL: pt='1',region='hz' */
	SubTransactionId subid;
	int64		seq;
	bool		listed;			/* the outbox has it */
	bool		dead;			/* rolled back */
	struct McIntent *next;
} McIntent;

extern McTarget *mcWriteTargets(void);
extern McUpload *mcWriteUploads(void);
extern McIntent *mcWriteIntents(void);

/* Makes or finds the target: connection, tunnel, metadata.  Refuses SERIALIZABLE. */
extern McTarget *mcWriteTarget(Relation rel, Oid userid);
/*
 * The upload that rows for this partition join now, by the rules of overwrite,
 * savepoints and earlier intents; registered if it is new, with that mark.  Raises if
 * the partition was overwritten and cannot be written again.
 */
extern McUpload *mcWriteUpload(McTarget *target, const char *spec, bool overwrite, const char *mark);
/* the mark of the upload that rows with a mark would join; NULL = there will be a new one */
extern const char *mcWriteUploadMark(McTarget *target, const char *spec, bool overwrite);
/* values: of the partition that DELETE drops; NULL = TRUNCATE */
extern void mcWriteIntend(McTarget *target, const mcw_view *values);
/* is an upload or intent of the same remote partition newer than seq?  Live ones only. */
extern bool mcIntentCovers(const McIntent *intent, const McTarget *target, const char *spec);
extern bool mcUploadSuperseded(const McUpload *upload);
extern bool mcSameRemote(const McTarget *a, const McTarget *b);
/* number of the last upload or intent of this transaction */
extern int64 mcWriteSequence(void);
/* has one of those up to this number changed the remote table? */
extern bool mcWriteChanged(const McOdps *odps, int64 upto);
/* statements that still encode rows */
extern void mcWriterBegin(void);
extern void mcWriterEnd(void);
extern int	mcWriters(void);
/* end of transaction: drops everything; no I/O, cannot fail */
extern void mcWriteForget(void);
extern void mcWriteSubCommit(SubTransactionId mine, SubTransactionId parent);
extern void mcWriteSubAbort(SubTransactionId mine);

/* ---- odps_mark.c: the column that names the run of a row ---- */

/*
 * Index of the column that option "run_column" names, -1 if it is not set.  Raises if
 * the table has no such column or it is none that can be written.
 */
extern int	mcOdpsMarkColumn(const McServer *server, const mcs_odps_table *table, const char *relname, const McPlace *place);
/* a new mark of the run of a job, in CurrentMemoryContext; see docs/maxcompute.md */
extern char *mcOdpsMark(struct McJobRun *run);
/*
 * Counts the rows of a partition, or of an unpartitioned table, whose column has that
 * text.  Does not raise for what the service answers.
 */
extern mcw_status mcOdpsCountMark(McOdps *odps, const char *table, const char *partition, const char *column,
								  const char *mark, int64 *count, mcw_error *err);

/* ---- odps_partition.c: partition values and specifications ---- */

typedef struct McKeySource
{
	int			attno;			/* index in the slot, -1 = fixed by option */
	Oid			pgtype;
	const mcs_odps_column *key;
	mcw_view	fixed;
} McKeySource;

/* values of option "partition" in key order; data NULL where the option is silent.  Raises on nonsense. */
extern mcw_view *mcParsePartitionOption(const char *option, const mcs_odps_table *table, const McPlace *place);
/* where each key of a row comes from; raises if a key has neither option nor column, or a wrong type */
extern McKeySource *mcPrepareKeys(Relation rel, McTarget *target, const McOdpsMap *map);
/*
 * Append "key=value" of one key for a row.  Returns NULL, or the reason why the value
 * is no partition value; *sqlstate is set then.
 */
extern const char *mcFormatKey(const McKeySource *source, Datum value, bool isnull,
							   const char *null_partition, StringInfo spec, int *sqlstate);
/* the value of key number n in the specification of an upload, where no value has a comma */
extern mcw_view mcSpecValue(const char *spec, int n);
/* why the value of option "null_partition" is no partition value, or NULL */
extern const char *mcBadNullPartition(const char *text, const McTarget *target);
/* pt=1,region=hz, or for SQL pt='1',region='hz' */
extern char *mcSpecText(const McTarget *target, const mcw_view *values, bool quoted);

/* ---- odps_sink.c, odps_block.c: rows of one statement on their way ---- */

typedef struct McSink McSink;

typedef struct McSinkStats
{
	int64		rows;
	int64		raw_bytes;		/* encoded records */
	int64		sent_bytes;		/* bodies, compressed or not */
	int64		blocks;
	int64		compressed;		/* blocks that were compressed */
	int64		partitions;
	int64		wait_us;		/* waiting for the service, the final flush included */
} McSinkStats;

extern McSink *mcSinkCreate(EState *estate, Relation rel, Oid userid);
/* false: the row was rejected */
extern bool mcSinkRow(McSink *sink, TupleTableSlot *slot);
/* send what is buffered and wait until everything is acknowledged */
extern void mcSinkFlush(McSink *sink);
extern void mcSinkEnd(McSink *sink);
extern const McSinkStats *mcSinkGetStats(const McSink *sink);
/* of this sink only */
extern void mcSinkRequests(const McSink *sink, int64 *requests, int64 *retries);
extern int64 mcSinkRejected(const McSink *sink);
/* end of transaction: no sink may touch an upload any more */
extern void mcSinkAbandonAll(void);
/* is a statement writing rows to this remote table? */
extern bool mcSinkOn(const McTarget *target);

/* ---- odps_publish.c ---- */
/* takes part in publishing; called at the first write */
extern void mcOdpsInitXact(void);

#endif							/* MC_ODPS_WRITE_H */
