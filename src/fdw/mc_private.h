/*
 * mc_private.h
 *		Declarations between module.c, option.c, server.c, pg_net.c and reject.c only.
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

/* value of the GUC mc_fdw.<name>, NULL if it is not set */
extern const char *mcOverride(const char *name);
/* raises if the value of a GUC is not legal for the option of that name */
extern void mcOptionCheckGuc(const char *name, const char *value);
/* true if the host of 'endpoint' matches mc_fdw.allowed_endpoints */
extern bool mcEndpointAllowed(const char *endpoint);

#endif							/* MC_PRIVATE_H */
