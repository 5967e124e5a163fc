/*
 * mcs_sts.h
 *		Where temporary credentials come from: AssumeRole of the Security Token Service,
 *		and the metadata service of an ECS instance.
 *
 * Both are sources of mcn_credentials.  The channel belongs to the source from then on.
 * Everything given is copied.
 */
#ifndef MCS_STS_H
#define MCS_STS_H

#include "../net/mcn.h"

#define MCS_STS_ENDPOINT "https://sts.aliyuncs.com"
#define MCS_METADATA_ENDPOINT "http://100.100.100.200"

/* for mcn_channel_create */
extern const mcn_retry_rule mcs_sts_retry_rules[];
extern const mcn_retry_rule mcs_metadata_retry_rules[];

/* How each service says that temporary credentials ended, for mcn_channel_set_credentials */
extern const mcn_retry_rule mcs_ended_rules[];

typedef struct mcs_role
{
	mcw_credentials keys;		/* that may assume the role; the token may be empty */
	mcw_view	arn;
	mcw_view	session_name;
	mcw_view	external_id;	/* empty = none */
	mcw_view	policy;			/* empty = none */
	int			duration_s;
} mcs_role;

/* On failure NULL, and the channel is still the caller's */
extern mcn_credentials *mcs_sts_assume_role(mcn_loop *loop, mcn_channel *channel, const mcs_role *role, mcw_error *err);
/* Of the instance this process runs on; an empty role name asks for it */
extern mcn_credentials *mcs_metadata_role(mcn_loop *loop, mcn_channel *channel, mcw_view role_name, mcw_error *err);

#endif							/* MCS_STS_H */
