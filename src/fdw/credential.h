/*
 * credential.h
 *		Where the keys of a user mapping come from (option credential_source), and the
 *		temporary ones that are shared by all statements of a backend.
 */
#ifndef MC_CREDENTIAL_H
#define MC_CREDENTIAL_H

#include "mc_fdw.h"

/*
 * The part of a validator that looks at all options of a user mapping together: which
 * are required, which have no meaning, who may choose the source.
 */
extern void mcCheckMapping(List *options);

/*
 * Fill server->cred, or server->credentials for temporary ones, which no request was
 * made for yet.  'mapping' are the options, 'umid' the oid of the user mapping.  They
 * are good as long as server->cxt lives, whatever becomes of the mapping.
 */
extern void mcResolveCredentials(McServer *server, List *mapping, Oid umid);

/*
 * Before something is published: temporary credentials of this wrapper that the
 * transaction uses and that end before mc_fdw.publish_timeout is over are renewed.
 * Raises if that fails.
 */
extern void mcRenewCredentials(McWrapper wrapper, int64 deadline_us);

/* SQLSTATE and HINT of an error that kept temporary credentials from coming */
extern int	mcCredentialError(const mcw_error *err, const char **hint);

#endif							/* MC_CREDENTIAL_H */
