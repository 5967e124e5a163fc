/*
 * mc_private.h
 *		Declarations between module.c, option.c, server.c, pg_net.c, reject.c and oss_copy.c only.
 */
#ifndef MC_PRIVATE_H
#define MC_PRIVATE_H

#include "mc_fdw.h"

typedef struct McOverride
{
	const char *name;
	const char *description;
	char	   *value;
} McOverride;

extern char *mc_allowed_endpoints;
extern char *mc_proxy;
extern char *mc_fail_at;
extern char *mc_metadata_endpoint;

/* value of the GUC mc_fdw.<name>, NULL if it is not set */
extern const char *mcOverride(const char *name);
/* does the GUC concern this wrapper?  Raises if its value is legal for no wrapper's option of that name. */
extern bool mcOptionCheckGuc(const char *name, const char *value, McWrapper wrapper);
/* true if the host of 'endpoint' matches mc_fdw.allowed_endpoints */
extern bool mcEndpointAllowed(const char *endpoint);
/* oss_copy.c: raises as COPY would with the options of an OSS server or table that COPY has the words of, as far as they tell */
extern void mcOssCheckWords(List *given);

#endif							/* MC_PRIVATE_H */
