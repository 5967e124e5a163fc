/*
 * odps_publish.h
 *		What a transaction publishes to MaxCompute: between odps_publish.c, which does
 *		it at commit, odps_seal.c, which lists it in the outbox instead, and
 *		odps_entry.c, which publishes what is listed there.
 */
#ifndef MC_ODPS_PUBLISH_H
#define MC_ODPS_PUBLISH_H

#include "odps_write.h"

struct McJobRun;

/* One erasing statement of the service */
typedef struct McErasure
{
	McTarget   *target;
	const char *spec;			/* NULL = the whole unpartitioned table */
	const char *quoted;
	bool		keep_partition; /* empty it, do not drop it */
	bool		attempted;
	bool		in_doubt;
	bool		done;
} McErasure;

typedef struct McPublication
{
	List	   *uploads;		/* McUpload *, in order */
	List	   *erasures;		/* McErasure *, in order */
	int64		deadline_us;
} McPublication;

/* ---- odps_publish.c ---- */

/* what 'verify' collected */
extern McPublication *mcOdpsPublication(void);
/*
 * TRUNCATE of a table ('quoted' NULL) or of a partition, or the drop of a partition, as
 * SQL; running it twice is harmless.  Does not raise for what the service answers.
 */
extern mcw_status mcOdpsErase(mcs_odps *service, mcw_view table, const char *quoted, bool keep_partition,
							  bool *in_doubt, mcw_error *err);

/* ---- odps_seal.c: see McPublisher ---- */
extern void mcOdpsSeal(struct McJobRun *run, List **entries);
extern void mcOdpsTargets(List **targets);

#endif							/* MC_ODPS_PUBLISH_H */
