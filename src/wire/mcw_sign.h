/*
 * mcw_sign.h
 *		Request signatures of Log Service and MaxCompute (loghub.md 2, maxcompute.md
 *		1.5 to 1.7).
 *
 * A signer reads the request's method, path, parameters and headers; the headers
 * it needs (Date, x-log-*, x-odps-*, digests) must be there already.  It appends
 * the value of the Authorization header to 'authorization' and, for tests and
 * for a verifying server, the string to sign to 'string_to_sign' (may be NULL).
 * Secrets never appear in an error.
 */
#ifndef MCW_SIGN_H
#define MCW_SIGN_H

#include "mcw_http.h"

/* loghub.md 2.1; SHA-256 variant when x-log-signaturemethod is hmac-sha256 */
extern mcw_status mcw_sls_sign_v1(const mcw_request *req, const mcw_credentials *cred,
								  mcw_buf *authorization, mcw_buf *string_to_sign, mcw_error *err);

/* loghub.md 2.2; the time is taken from x-log-date */
extern mcw_status mcw_sls_sign_v4(const mcw_request *req, const mcw_credentials *cred, mcw_view region,
								  mcw_buf *authorization, mcw_buf *canonical_request,
								  mcw_buf *string_to_sign, mcw_error *err);

/* maxcompute.md 1.5 */
extern mcw_status mcw_odps_sign_v2(const mcw_request *req, const mcw_credentials *cred,
								   mcw_buf *authorization, mcw_buf *string_to_sign, mcw_error *err);

/* maxcompute.md 1.6; date is yyyyMMdd of the signing day (UTC) */
extern mcw_status mcw_odps_sign_v4(const mcw_request *req, const mcw_credentials *cred, mcw_view region,
								   mcw_view date, mcw_buf *authorization, mcw_buf *string_to_sign,
								   mcw_error *err);

/* The constant-time comparison a verifier uses */
extern bool mcw_secret_eq(mcw_view a, mcw_view b);

#endif							/* MCW_SIGN_H */
