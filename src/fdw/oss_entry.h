/*
 * oss_entry.h
 *		Entries of the outbox for OSS: shared by oss_seal.c, which makes them, and
 *		oss_entry.c, which publishes them.
 */
#ifndef MC_OSS_ENTRY_H
#define MC_OSS_ENTRY_H

#include "oss_write.h"

/* The way to an entry's bucket, shared by entries until the end of the transaction */
typedef struct McOssEntryConn
{
	MemoryContext cxt;
	MemoryContextCallback callback;
	McEntry		key;			/* server, owner, endpoint, document it was made for */
	char	   *bucket;
	char	   *style;
	McOssConn  *conn;
	mcn_channel *once;			/* never repeats a request by itself */
} McOssEntryConn;

/* raises if there is no user mapping, or the endpoint is not allowed */
extern McOssEntryConn *mcOssEntryConnect(const McEntry *entry);
/* %XX of a document; in CurrentMemoryContext */
extern mcw_view mcOssEntryDecode(const char *text);

#endif							/* MC_OSS_ENTRY_H */
