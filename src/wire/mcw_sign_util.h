/*
 * mcw_sign_util.h
 *		What the signers share: sorted lists of signed names, text pieces, keyed
 *		digests.  Not for anybody else.
 */
#ifndef MCW_SIGN_UTIL_H
#define MCW_SIGN_UTIL_H

#include "mcw_sign.h"

/* What is signed of a request, in the order it is written */
typedef struct mcw_sign_list
{
	mcw_pair	pairs[MCW_MAX_HEADERS + MCW_MAX_PARAMS];
	int			count;
} mcw_sign_list;

/* Insert after all pairs whose name is not greater; fold ignores ASCII case. */
extern void mcw_sign_insert(mcw_sign_list *list, const mcw_pair *pair, bool fold);

extern bool mcw_sign_has_prefix(mcw_view name, mcw_view prefix);	/* ASCII case ignored */
extern mcw_view mcw_sign_trim(mcw_view value);	/* without blanks and tabs at both ends */

/* These leave failures to buf->failed. */
extern void mcw_sign_add(mcw_buf *buf, mcw_view v);
extern void mcw_sign_add_char(mcw_buf *buf, char c);
extern void mcw_sign_add_lower(mcw_buf *buf, mcw_view name);
extern void mcw_sign_add_header_line(mcw_buf *buf, const mcw_pair *header); /* name:value\n */

/* ?name=value&name, an empty value without "=" */
extern void mcw_sign_add_query(mcw_buf *buf, const mcw_sign_list *list);

/* 'algorithm' with its line end, then time, scope and digest of the canonical request, a line each */
extern mcw_status mcw_sign_v4_text(mcw_view algorithm, mcw_view canonical, mcw_view time, mcw_view scope, mcw_buf *out);

/*
 * The key both V4 variants derive: HMAC-SHA256 chain from "aliyun_v4" + secret
 * over date, region, product and "aliyun_v4_request".
 */
extern mcw_status mcw_sign_derive_v4_key(const mcw_alloc *alloc, mcw_view secret, mcw_view date,
										 mcw_view region, mcw_view product, unsigned char key[32]);

/* Base64 of HMAC-SHA1, or of HMAC-SHA256 */
extern mcw_status mcw_sign_hmac_base64(mcw_buf *out, bool sha256, mcw_view key, mcw_view data);

/* Checks what every signer needs; messages name the thing that is missing. */
extern mcw_status mcw_sign_check(const mcw_request *req, const mcw_credentials *cred, mcw_error *err);
/* The error of a signer whose buffer append or digest failed; MCW_OK stays. */
extern mcw_status mcw_sign_result(mcw_status status, mcw_error *err);

/* Largest string to sign or canonical request */
#define MCW_SIGN_MAX ((size_t) 1 << 20)

#endif							/* MCW_SIGN_UTIL_H */
