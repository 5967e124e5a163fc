/*
 * oss_write.h
 *		Writing to OSS: encoding of rows, the objects of a transaction, the sink of one
 *		statement.  Private to convert_file_out.c and oss_{modify,sink,part,upload,
 *		publish,truncate}.c.
 */
#ifndef MC_OSS_WRITE_H
#define MC_OSS_WRITE_H

#include "entry.h"
#include "oss.h"

#include "../service/mcs_oss_write.h"

/* ---- convert_file_out.c: Datums to a record of the file ---- */

typedef struct McFileOut McFileOut;

/*
 * For the FIELD and REST columns of the table, in the order of the file; 'server' says the
 * time zone of timestamptz.  In CurrentMemoryContext, table and server stay.  Raises if
 * the format or the encoding cannot be written.
 */
extern McFileOut *mcFileOutCreate(const McOssTable *table, const McServer *server, TupleDesc desc, mcw_buf *out);
/* the buffer records go to from now on */
extern void mcFileOutTarget(McFileOut *file, mcw_buf *out);
/* the header line, if the table's files have one */
extern void mcFileOutHeader(McFileOut *file);
/*
 * Append the record of a row; scratch memory is CurrentMemoryContext, reset by the
 * caller.  NULL, or the reason why the row cannot be written (sqlstate is set, column too
 * unless NULL: the whole record): then nothing was appended.  Output functions may raise.
 */
extern const char *mcFileOutRow(McFileOut *file, TupleTableSlot *slot, int *sqlstate, const char **column);

/* ---- oss_upload.c: what this transaction has written and not yet published ---- */

typedef enum McOssMode
{
	MC_OSS_APPEND,
	MC_OSS_OVERWRITE,
	MC_OSS_ERROR_IF_EXISTS
} McOssMode;

/* One foreign table as one user writes it, for the length of the transaction */
typedef struct McOssTarget
{
	Oid			relid;
	Oid			userid;
	char	   *name;
	McOssConn  *conn;
	McOssTable *table;
	mcn_channel *once;			/* without repetition, opened when publishing */
	MemoryContextCallback callback;
	struct McOssTarget *next;
} McOssTarget;

/*
 * One new object.  Its multipart upload is initiated when a part is full; an object
 * that never fills one may stay in 'body' and is put when it is published.
 */
typedef struct McOssUpload
{
	mcs_oss_upload object;
	mcs_oss_call call;			/* Initiate, later Abort */
	bool		calling;		/* 'call' is in use */
	void	   *owner;			/* the sink that writes it; NULL when its statement is over */
	mcw_alloc	alloc;
	McOssTarget *target;
	char	   *key;
	char	   *directory;		/* what overwrite replaces: literal + path parts; the key for option object */
	char	   *token;
	bool		replace;		/* what the key holds when it is published, whoever made it, gives way */
	bool		erases;			/* a TRUNCATE of the transaction took away what the table had before it */
	bool		window;			/* the key is named after the window of a job's run: nobody else uses it */
	bool		listed;			/* an entry of the outbox: the end of the transaction does not take it back */
	mcw_buf		body;			/* a small object, kept until commit; then id is empty */
	int64		rows;
	McOssMode	mode;
	SubTransactionId subid;		/* present one, moves up with RELEASE */
	int64		statement;		/* sequence number of the statement that wrote it */
	int64		seq;			/* order of first write */
	bool		complete;		/* its stream was ended: all parts are acknowledged */
	bool		garbage;		/* rolled back, or its statement failed */
	bool		repeated;		/* Initiate was sent more than once: there may be a twin */
	bool		reaped;			/* nothing of it is left in the service */
	bool		attempted;		/* publishing: Complete or Put was tried */
	mcs_oss_outcome outcome;
	struct McOssUpload *next;	/* in order of seq */
} McOssUpload;

/* TRUNCATE: what the table covers is deleted after the uploads were published */
typedef struct McOssIntent
{
	McOssTarget *target;
	SubTransactionId subid;
	int64		seq;
	bool		dead;			/* rolled back */
	bool		listed;			/* in the outbox */
	struct McOssIntent *next;
} McOssIntent;

/* A statement of a job that ended, with or without rows, on a table that tells its readers */
typedef struct McOssWritten
{
	McOssTarget *target;
	SubTransactionId subid;
	bool		dead;			/* rolled back */
	bool		listed;			/* in the outbox */
	struct McOssWritten *next;
} McOssWritten;

extern McOssTarget *mcOssWriteTargets(void);
extern McOssUpload *mcOssWriteUploads(void);
extern McOssIntent *mcOssWriteIntents(void);
extern McOssWritten *mcOssWriteWritten(void);
/* the job's run that wrote them; NULL = none */
extern const McJobRun *mcOssWriteRun(void);
/* Makes or finds the target; raises if the table cannot be written, or the transaction is serializable */
extern McOssTarget *mcOssWriteTarget(Relation rel, Oid userid);
/* a new object, registered at once */
extern McOssUpload *mcOssWriteUpload(McOssTarget *target, void *owner, const char *key, const char *directory,
									 McOssMode mode, int64 statement);
/* in the run of a job: the next number of an object in the directory, from 0 */
extern int	mcOssNextPart(McOssTarget *target, const char *directory);
/* is it an object that the window of this run, or an earlier attempt of it, has made? */
extern bool mcOssOfWindow(const McOssTarget *target, const char *directory, mcw_view key, mcw_view token);
extern void mcOssWriteIntend(McOssTarget *target);
extern void mcOssWrote(McOssTarget *target);
/* that many random bytes as hexadecimal digits; returns 'hex' */
extern char *mcOssRandomToken(char *hex, int bytes);
extern bool mcOssSameBucket(const McOssConn *a, const McOssConn *b);
/* does this TRUNCATE erase the key? */
extern bool mcOssIntentCovers(const McOssIntent *intent, const McOssTarget *target, const char *key);
/* does something later in this transaction replace what this upload holds? */
extern bool mcOssUploadSuperseded(const McOssUpload *upload);
/* is the key an object of the table with the values of the directory? */
extern bool mcOssInDirectory(const McOssTable *table, const char *directory, mcw_view key);
/* number for the next statement, upload or intent; and the last one given */
extern int64 mcOssNextSequence(void);
extern int64 mcOssWriteSequence(void);
/* has one of those up to this number changed what the table shows? */
extern bool mcOssWriteChanged(const McOssConn *conn, const McOssTable *table, int64 upto);
/* may that many more bytes be kept in memory until commit?  Then they are counted. */
extern bool mcOssKeep(Size bytes);
extern void mcOssWriterBegin(void);
extern void mcOssWriterEnd(void);
extern int	mcOssWriters(void);
extern void mcOssWriteForget(bool committed);
extern void mcOssWriteSubCommit(SubTransactionId mine, SubTransactionId parent);
extern void mcOssWriteSubAbort(SubTransactionId mine);

/* ---- oss_list.c: objects that are there ---- */

/*
 * The objects of the table in a directory, or all with directory NULL: calls 'visit'
 * until it returns false.  Entries are valid during the call.  Raises.
 */
extern void mcOssVisit(McOssTarget *target, const char *directory,
					   bool (*visit) (const mcs_oss_object *object, void *arg), void *arg);

/* ---- oss_reap.c: uploads that nobody will complete ---- */

/*
 * Take back uploads that are garbage (or all that were not published) until the
 * deadline; several at once.  Needs no palloc that could fail, raises nothing.
 * Returns how many may be left.
 */
extern int	mcOssReap(McOssUpload *uploads, bool all, int64 deadline_us);
/* keep a transaction's memory until its uploads are taken back; 'cxt' holds them */
extern void mcOssReapLater(MemoryContext cxt, McOssUpload *uploads, void *room);
extern Size mcOssReapRoom(void);	/* bytes of 'room', in 'cxt' */
/* a try at those kept; 'now': do not wait for their time */
extern void mcOssReapKept(bool now);
/* is the last part of the key one that an INSERT gives to objects? */
extern bool mcOssOurKey(mcw_view key);

/* ---- oss_sink.c, oss_part.c: rows of one statement on their way ---- */

typedef struct McOssSink McOssSink;

typedef struct McOssSinkStats
{
	int64		rows;
	int64		raw_bytes;		/* encoded records */
	int64		sent_bytes;		/* as they stand in the objects */
	int64		objects;
	int64		parts;
	int64		directories;
	int64		wait_us;		/* waiting for the service */
} McOssSinkStats;

/* "mc-<time>-<random>", what the names of an INSERT's objects begin with outside of jobs */
#define MC_OSS_STATEMENT_ID 36
extern void mcOssStatementId(char *id);
extern McOssSink *mcOssSinkCreate(EState *estate, Relation rel, Oid userid);
/* false: the row was rejected */
extern bool mcOssSinkRow(McOssSink *sink, TupleTableSlot *slot);
/* end every open object and wait until everything is acknowledged */
extern void mcOssSinkFlush(McOssSink *sink);
extern void mcOssSinkEnd(McOssSink *sink);
extern const McOssSinkStats *mcOssSinkGetStats(const McOssSink *sink);
extern void mcOssSinkRequests(const McOssSink *sink, int64 *requests, int64 *retries);
extern int64 mcOssSinkRejected(const McOssSink *sink);
/* end of transaction: no sink may touch an upload any more */
extern void mcOssSinkAbandonAll(void);

/* ---- oss_seal.c: entries of the outbox ---- */

/* the key of what may have one owner at a time: a directory, or the names of a window in it */
extern char *mcOssTargetKey(const McOssConn *conn, mcw_view key, const char *stem);
/* of an upload that was verified.  In CurrentMemoryContext. */
extern McEntry *mcOssSealUpload(const McJobRun *run, const McOssUpload *upload);
/* of objects that go when the new ones are there; several entries if they are many */
extern void mcOssSealErasure(const McJobRun *run, McOssTarget *target, const char *directory, bool all,
							 const mcs_oss_object *objects, int nobjects, List **entries);
/* uploads of failed attempts of the job that are a day old, under the tables of this transaction */
extern void mcOssReapOrphans(const McJobRun *run);

/* an object whose bytes are in the entry itself; in CurrentMemoryContext */
extern McEntry *mcOssSealPut(const McJobRun *run, McOssTarget *target, const char *kind, const char *mode,
							 const mcs_oss_upload *object, mcw_view body);
/* a deletion of one key, whatever is there unless a later window has made it */
extern McEntry *mcOssSealWithdraw(const McJobRun *run, McOssTarget *target, mcw_view key);

/* ---- oss_mark.c: what readers are told of a write ---- */

/* An object beside the data: a manifest, or a success file */
typedef struct McOssMarkPut
{
	mcs_oss_upload object;
	mcw_view	body;
	bool		attempted;		/* publishing: Put was tried */
	mcs_oss_outcome outcome;
} McOssMarkPut;

/* Of one directory, McOssTable.root, that the transaction has written */
typedef struct McOssMark
{
	McOssTarget *target;		/* who writes them */
	McOssTarget *told;			/* whose objects the manifest lists; NULL = no manifest */
	McOssMarkPut *manifest;		/* NULL = none */
	McOssMarkPut *success;		/* NULL = none */
	const char *mode;			/* of the manifest's entry: "create" or "overwrite" */
	int			nobjects;		/* of the manifest */
	bool		withdrawing;	/* the old success file may be gone */
	bool		withdrawn;		/* it was there and is gone */
} McOssMark;

/*
 * For these uploads, all of the transaction that will be published; 'run' NULL = not in a job.
 * In CurrentMemoryContext.  Raises if a directory cannot be told of.
 */
extern List *mcOssMarks(const List *uploads, const McJobRun *run);
/* The steps of publishing outside of jobs; they raise with mcPublishFailed. */
extern void mcOssMarksWithdraw(List *marks);
extern void mcOssMarksTell(List *marks, int64 deadline_us);
extern void mcOssMarksFinish(List *marks, int64 deadline_us);
struct McItems;
struct McOutcomes;
extern void mcOssMarksAnnounce(const List *marks, struct McItems *list);
extern void mcOssMarksOutcomes(const List *marks, struct McOutcomes *all);
/* ... and as entries, which the outbox brings in order */
extern void mcOssMarksSeal(const McJobRun *run, const List *marks, List **entries);

/* ---- oss_publish.c, oss_truncate.c ---- */
extern void mcOssInitXact(void);
extern void mcOssTruncate(List *rels, DropBehavior behavior, bool restart_seqs);

#endif							/* MC_OSS_WRITE_H */
