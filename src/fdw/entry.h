/*
 * entry.h
 *		Entries of the outbox: one remote effect each, prepared by the run of a job,
 *		kept in mc.publish, and made visible later by any session of the owner
 *		(guarantees.md 4 to 6).
 *
 * An entry is self-contained: of PostgreSQL it needs only the owner's user mapping of
 * the server.  Endpoint, project, table and so on are those of the time of the run and
 * are checked against the allowed endpoints again.
 */
#ifndef MC_ENTRY_H
#define MC_ENTRY_H

#include "job.h"

typedef enum McEntryOutcome
{
	MC_ENTRY_PUBLISHED,
	MC_ENTRY_PENDING,			/* not known, or not possible now: try again later; the error says why */
	MC_ENTRY_LOST,				/* proof that it is not and will never be visible; redo the window */
	MC_ENTRY_CONFLICT,			/* a person must look: may be visible, or somebody else changed the target */
	MC_ENTRY_SUPERSEDED			/* a newer window owns the target */
} McEntryOutcome;

typedef struct McEntry
{
	int64		entry_id;		/* 0 before it is stored */
	int			ordinal;		/* publishing order within the run */
	McWrapper	service;
	const char *kind;			/* in the order of publishing: withdraw; upload, object, putlogs; manifest; delete, drop,
								 * truncate; success */
	Oid			serverid;
	Oid			owner;			/* of the job: whose user mapping publishes it */
	Oid			writer;			/* whose user mapping uploaded it; 0 = known to be the owner's */
	const char *server;			/* name */
	const char *endpoint;
	const char *target;			/* key: maxcompute:host/project/schema/table/pt=1, oss:host/bucket/key, ... */
	const char *label;			/* for messages */
	const char *handle;			/* upload id; "" = none */
	const char *mode;			/* append, overwrite, ... */
	const char *token;
	int64		rows;
	int64		bytes;
	const char *document;		/* JSON object: what the service's code needs besides */
	bytea	   *body;			/* what is sent itself, NULL = it is with the service */
	TimestampTz created;		/* by the service's clock; 0 = not known */
	TimestampTz expires;		/* the service forgets it then; 0 = never */

	/* when it is published */
	int			sent;			/* times that a request which makes it visible may have left, this one included */
	bool		distrust;		/* the database was restored, promoted or cloned: 'sent' proves nothing */
	const char *seen;			/* evidence of the last try; NULL = none */
	bool		published;		/* of an earlier attempt: it is visible already */
	bool		recovery;		/* another call than the one that sealed it: stale checks apply */
	TimestampTz sealed;			/* when T1 was committed */

	/* result */
	const char *evidence;		/* what the service said, for mc.publish */
	const char *request_id;
	bool		residue;		/* rows of a failed append may remain */
} McEntry;

/*
 * The step of the run in which it comes: what takes back the mark of a finished state, what adds, what
 * tells readers of it, what destroys, the new mark.
 */
typedef enum McEntryStep
{
	MC_STEP_WITHDRAW,
	MC_STEP_ADD,
	MC_STEP_TELL,
	MC_STEP_ERASE,
	MC_STEP_FINISH
} McEntryStep;

extern McEntryStep mcEntryStep(const McEntry *entry);
/* Must everything that adds be visible before it? */
extern bool mcEntryErases(const McEntry *entry);

/*
 * One for each service: make the entry visible, or find out that it is.  The state is
 * asked before anything is sent unless this is the first time ('sent' is 1 and not
 * 'distrust').  Waits until the outcome is known or deadline_us (mcn_now_us) has passed.
 * Interrupts are accepted between requests: the run stays 'publishing'.  Does not raise
 * for what the service answers: *err says why the outcome is not PUBLISHED.  Raises for
 * what is wrong here (no user mapping, endpoint not allowed).
 */
extern McEntryOutcome mcOdpsEntryPublish(McEntry *entry, int64 deadline_us, mcw_error *err);
extern McEntryOutcome mcOssEntryPublish(McEntry *entry, int64 deadline_us, mcw_error *err);
extern McEntryOutcome mcLogEntryPublish(McEntry *entry, int64 deadline_us, mcw_error *err);

/*
 * A window is done again: settle what earlier attempts have left, which 'earlier' lists
 * (McEntry of any state), before the new attempt is durable.  May append to 'entries'.
 */
extern void mcOdpsSealEarlier(McJobRun *run, const List *earlier, List **entries);
extern void mcOssSealEarlier(McJobRun *run, const List *earlier, List **entries);

/* The server configuration of an entry: owner's mapping, endpoint of the entry, checked */
extern McServer *mcEntryServer(const McEntry *entry);
/* value of a member of the document, NULL if absent; numbers as text.  In CurrentMemoryContext. */
extern char *mcEntryText(const McEntry *entry, const char *member);
extern int64 mcEntryInt(const McEntry *entry, const char *member, int64 default_value);

#endif							/* MC_ENTRY_H */
