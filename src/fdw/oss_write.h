/*
 * oss_write.h
 *		Writing to OSS: encoding of rows, the objects of a transaction, the sink of one
 *		statement.  Private to convert_file_out.c and oss_{modify,sink,part,upload,
 *		publish,truncate}.c.
 */
#ifndef MC_OSS_WRITE_H
#define MC_OSS_WRITE_H

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
extern void mcFileOutHeader(McFileOut *file);
/*
 * Append the record of a row; scratch memory is CurrentMemoryContext, reset by the
 * caller.  NULL, or the reason why a value cannot be written (sqlstate and column are
 * set): then nothing was appended.
 */
extern const char *mcFileOutRow(McFileOut *file, TupleTableSlot *slot, int *sqlstate, const char **column);

/* ---- oss_upload.c: what this transaction has written and not yet published ---- */

/* One foreign table as one user writes it, for the length of the transaction */
typedef struct McOssTarget
{
	Oid			relid;
	Oid			userid;
	char	   *name;
	McOssConn  *conn;
	McOssTable *table;
	mcn_channel *once;
	struct McOssTarget *next;
} McOssTarget;

typedef struct McOssUpload
{
	mcs_oss_upload object;
	mcs_oss_call opening;
	mcw_alloc	alloc;
	McOssTarget *target;
	char	   *key;
	char	   *directory;		/* what overwrite replaces: literal + path parts; "" for option object */
	mcw_buf		body;			/* a small object, kept until commit; then id is empty */
	int64		rows;
	bool		overwrite;
	SubTransactionId subid;
	int64		seq;
	bool		complete;		/* its stream was ended: all parts are acknowledged */
	bool		garbage;
	bool		attempted;
	mcs_oss_outcome outcome;
	struct McOssUpload *next;
} McOssUpload;

#endif							/* MC_OSS_WRITE_H */
