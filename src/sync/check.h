/*
 * check.h
 *		Between check.c and check_services.c.
 */
#ifndef MC_CHECK_H
#define MC_CHECK_H

#include "tools.h"

typedef struct McCheck
{
	FunctionCallInfo fcinfo;
	McWrapper	wrapper;
	Oid			serverid;
	McServer   *server;			/* with credentials */
	List	   *tables;			/* Oids of its foreign tables that the caller may read, at most MAX_TABLES */
	mcn_channel *channel;		/* of the first requests, for clock and address */
	bool		reached;		/* something answered */
} McCheck;

/* One line; hint NULL = none */
extern void mcCheckPut(McCheck *check, const char *step, const char *state, const char *detail, const char *hint);
/* a line from the outcome of a request: 'ok' with this detail, or what the service said; returns status == MCW_OK */
extern bool mcCheckResult(McCheck *check, const char *step, mcw_status status, const mcw_error *err, const char *detail);
/*
 * The lines that the first signed request decides: connection, tls, clock, signature,
 * existence of 'place' (project, instance, bucket) and the permission to list what is
 * in it.  False: nothing more can be asked.
 */
extern bool mcCheckFirst(McCheck *check, const char *place, mcw_status status, const mcw_error *err);
/* the parts of a service in mcTry: an error is the line of 'step' */
extern bool mcCheckTry(McCheck *check, const char *step, void (*body) (void *check));

extern void mcCheckLoghub(void *check);
extern void mcCheckTablestore(void *check);
extern void mcCheckMaxcompute(void *check);
extern void mcCheckOss(void *check);

/* Run a call of the service layer that waits, until it is not interrupted */
#define MC_WAIT(status, call) \
	do { \
		CHECK_FOR_INTERRUPTS(); \
		(status) = (call); \
	} while ((status) == MCW_ERR_INTERRUPTED)

#endif							/* MC_CHECK_H */
