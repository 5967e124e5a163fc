/*
 * publish.h
 *		One commit for everything a transaction has uploaded, whatever the service.
 *
 * A service that keeps uploads invisible until they are committed takes part with a
 * table of functions.  At PRE_COMMIT everybody checks all that can be checked; then
 * uploads are published, services in the order of the enum, each in order of first
 * write; then everybody deletes and drops.  If anything fails after something became
 * visible the error is 40003 with the three lists of all services together.
 */
#ifndef MC_PUBLISH_H
#define MC_PUBLISH_H

#include "mc_fdw.h"

#include "lib/stringinfo.h"

typedef struct McOutcomes
{
	StringInfoData published;
	StringInfoData not_published;
	StringInfoData unknown;
} McOutcomes;

typedef struct McPublisher
{
	const char *service;		/* "MaxCompute", "OSS" */
	bool		(*pending) (void);	/* uploads or erasures of this transaction? */
	int			(*writers) (void);	/* statements still writing */
	/* collect and check; raises plainly.  CurrentMemoryContext lives until the end of publishing. */
	void		(*verify) (int64 deadline_us);
	/* one line of what will happen, for the server log */
	void		(*announce) (StringInfo text);
	/* raise with mcPublishFailed after the first failure */
	void		(*publish) (void);
	void		(*erase) (void);
	/* add one item for each upload and erasure to one of the lists */
	void		(*outcomes) (McOutcomes *outcomes);
	/* end of transaction: no I/O, no palloc, cannot fail */
	void		(*forget) (bool committed);
	void		(*sub_commit) (SubTransactionId mine, SubTransactionId parent);
	void		(*sub_abort) (SubTransactionId mine);
} McPublisher;

/* Takes part from now on; called at the first write of the backend */
extern void mcPublisherAdd(McWrapper wrapper, const McPublisher *publisher);
/* Something has become visible; from then to the local commit no cancel, and an abort warns */
extern void mcPublishDone(void);
/*
 * Publishing stops.  If nothing is visible and nothing unknown 'plain' raises the ordinary
 * error (it gets 'arg'); otherwise 40003 with the lists of all services.
 */
pg_noreturn extern void mcPublishFailed(const mcw_error *err, void (*plain) (const mcw_error *err, void *arg), void *arg);

#endif							/* MC_PUBLISH_H */
