/*
 * publish.h
 *		One commit for everything a transaction has uploaded, whatever the service.
 *
 * A service that keeps uploads invisible until they are committed takes part with a
 * table of functions.  At PRE_COMMIT everybody checks all that can be checked; then
 * uploads are published, services in the order of McWrapper, each in order of first
 * write; then everybody deletes and drops.  If anything fails after something became
 * visible the error is 40003 with the three lists of all services together.
 */
#ifndef MC_PUBLISH_H
#define MC_PUBLISH_H

#include "mc_fdw.h"

struct McJobRun;

#include "lib/stringinfo.h"

/* A list for a message, of bounded length whatever the number of its items */
typedef struct McItems
{
	StringInfoData text;
	int			more;			/* that were left out */
	void		(*full) (struct McItems *items);	/* makes room instead; NULL = leave out */
} McItems;

typedef struct McOutcomes
{
	McItems		published;
	McItems		not_published;
	McItems		unknown;
	bool		residue;		/* what failed may have left rows all the same */
} McOutcomes;

/* What an upload or erasure changes, by the key that McEntry.target has */
typedef struct McTargetKey
{
	const char *key;
	const char *label;			/* for messages */
	bool		shared;			/* others may append at the same time: this only appends, too */
} McTargetKey;

typedef struct McPublisher
{
	const char *service;		/* "MaxCompute", "OSS" */
	const char *expires;		/* DETAIL of a refused PREPARE TRANSACTION */
	bool		(*pending) (void);	/* uploads or erasures of this transaction that are not listed? */
	int			(*writers) (void);	/* statements still writing */
	/* collect and check; raises plainly.  CurrentMemoryContext lives until the end of publishing. */
	void		(*verify) (int64 deadline_us);
	/* what will happen, as a list for the server log; nothing = there is nothing to do */
	void		(*announce) (McItems *list);
	/* raise with mcPublishFailed after the first failure */
	void		(*publish) (void);
	void		(*erase) (void);
	/* add one item for each upload and erasure to one of the lists */
	void		(*outcomes) (McOutcomes *outcomes);
	/*
	 * End of transaction, after memory of 'verify' is gone: no palloc, no catalog,
	 * cannot fail.  A rollback may spend MC_ROLLBACK_US on taking back what it uploaded.
	 */
	void		(*forget) (bool committed);
	void		(*sub_commit) (SubTransactionId mine, SubTransactionId parent);
	void		(*sub_abort) (SubTransactionId mine);
	/* what an earlier rollback could not take back, before another commit; NULL = nothing */
	void		(*tidy) (void);
	/*
	 * After 'verify', in place of 'publish' and 'erase': append a McEntry for each upload and
	 * erasure, in the order in which they must happen, and mark all of them listed.  What is
	 * listed is not published at commit and forgotten then without taking anything back;
	 * a rollback treats it like any other upload.  NULL = the service has no outbox.
	 */
	void		(*seal) (struct McJobRun *run, List **entries);
	/*
	 * After 'verify' at commit: append a McTargetKey for everything that will be published or
	 * erased, the keys being those that 'seal' would give.  NULL = the service has no outbox.
	 */
	void		(*targets) (List **targets);
} McPublisher;

/*
 * Called at commit, outside of jobs, with the McTargetKey of all services, before anything
 * is published: locks them, and raises if the outbox still has entries for one.  Set by sync.
 */
extern PGDLLIMPORT void (*mcPublishOpenTargets) (List *targets);

/*
 * Check everything the transaction has uploaded and turn it into entries of the outbox (entry.h).
 * Entries live in CurrentMemoryContext.  Writes that come later in the transaction make
 * its commit fail.
 */
extern List *mcPublishSeal(struct McJobRun *run);

/* Longest delay of a rollback by requests */
#define MC_ROLLBACK_US INT64CONST(2000000)

/* Takes part from now on; called at the first write of the backend */
extern void mcPublisherAdd(McWrapper wrapper, const McPublisher *publisher);
/* Raises: a serializable transaction must not write what only becomes visible at commit */
extern void mcPublishRefuseSerializable(const char *relname);
/* Something has become visible; from then on an abort warns */
extern void mcPublishDone(void);
/*
 * Publishing stops.  If nothing is visible and nothing unknown 'plain' raises the ordinary
 * error (it gets 'arg'); otherwise 40003 with the lists of all services.
 */
pg_noreturn extern void mcPublishFailed(const mcw_error *err, void (*plain) (const mcw_error *err, void *arg), void *arg);
/* one more item of a list */
extern void mcPublishItem(McItems *list, const char *fmt,...) pg_attribute_printf(2, 3);
/* a channel that never repeats a request by itself, for commit requests; otherwise as 'like' */
extern mcn_channel *mcPublishChannel(const McServer *server, const mcw_alloc *alloc, const mcn_channel *like,
									 const char *endpoint, const char *virtual_host);

#endif							/* MC_PUBLISH_H */
