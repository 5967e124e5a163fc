/*
 * mcw_sign.h
 *		Request signatures of Log Service, MaxCompute, Tablestore and OSS (loghub.md 2,
 *		maxcompute.md 1.5 to 1.7, tablestore.md 1.3 to 1.5, oss.md 2).
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

/*
 * tablestore.md 1.3: signs every x-ots-* header; the caller puts the result into
 * x-ots-signature.
 */
extern mcw_status mcw_ots_sign_v2(const mcw_request *req, mcw_view secret,
								  mcw_buf *signature, mcw_buf *string_to_sign, mcw_error *err);

/* tablestore.md 1.4: the key as text from secret, yyyyMMdd and region */
extern mcw_status mcw_ots_v4_key(mcw_view secret, mcw_view date, mcw_view region, mcw_buf *key, mcw_error *err);
/* the caller has set x-ots-signdate and x-ots-signregion and puts the result into x-ots-signaturev4 */
extern mcw_status mcw_ots_sign_v4(const mcw_request *req, mcw_view key,
								  mcw_buf *signature, mcw_buf *string_to_sign, mcw_error *err);

/*
 * tablestore.md 1.5: the signature of an answer over its x-ots-* headers ('headers'
 * may hold others) and the path; 'secret' is the V2 secret or the V4 key text.
 */
extern mcw_status mcw_ots_sign_response(const mcw_pair *headers, int nheaders, mcw_view path, mcw_view secret,
										mcw_buf *signature, mcw_error *err);

/*
 * oss.md 2.1 and 2.4.  'resource' is put in front of the request's path to make the
 * signed one: "/bucket" for virtual hosts and CNAME, empty for path style and for calls
 * without a bucket.  V1 takes its date from x-oss-date, else Date; V4 takes x-oss-date
 * (else Date) and x-oss-content-sha256; 'additional' are lower-case header names joined
 * with ";", empty = none.  'plain_empty' signs a parameter with an empty value as "name="
 * (variant B of a verifying server).
 */
extern mcw_status mcw_oss_sign_v1(const mcw_request *req, mcw_view resource, const mcw_credentials *cred,
								  mcw_buf *authorization, mcw_buf *string_to_sign, mcw_error *err);
extern mcw_status mcw_oss_sign_v4(const mcw_request *req, mcw_view resource, const mcw_credentials *cred,
								  mcw_view region, mcw_view additional, bool plain_empty,
								  mcw_buf *authorization, mcw_buf *canonical_request,
								  mcw_buf *string_to_sign, mcw_error *err);
/* is a parameter part of the resource that V1 signs? */
extern bool mcw_oss_is_subresource(mcw_view name);

/*
 * Version 1.0 of RPC calls (Security Token Service): the value of parameter Signature
 * over the method and all other parameters; the path is "/".
 */
extern mcw_status mcw_rpc_sign(const mcw_request *req, mcw_view secret, mcw_buf *signature, mcw_buf *string_to_sign,
							   mcw_error *err);

/* The constant-time comparison a verifier uses */
extern bool mcw_secret_eq(mcw_view a, mcw_view b);

#endif							/* MCW_SIGN_H */
