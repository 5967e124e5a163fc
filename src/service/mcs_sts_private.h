/*
 * mcs_sts_private.h
 *		What the two sources of temporary credentials share.  Not for anybody else.
 */
#ifndef MCS_STS_PRIVATE_H
#define MCS_STS_PRIVATE_H

#include "mcs_sts.h"
#include "../wire/mcw_doc.h"

#define MCS_STS_MAX_ANSWER 65536
#define MCS_STS_MAX_TREE (1 << 20)

typedef struct mcs_sts_answer
{
	mcw_credentials cred;		/* views into the document */
	int64_t		left_us;
} mcs_sts_answer;

/* AccessKeyId, AccessKeySecret, SecurityToken, Expiration; MCW_ERR_FORMAT if one is missing ('node' may be NULL) */
extern mcw_status mcs_sts_read(const mcn_request *req, const mcw_node *node, mcs_sts_answer *answer, mcw_error *err);
extern void mcs_sts_failed(mcn_credentials *credentials, const mcw_error *err, const char *what);
extern void mcs_sts_wipe(mcw_buf *buf);

#endif							/* MCS_STS_PRIVATE_H */
