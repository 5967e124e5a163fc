/*
 * sts.h
 *		mc-emulator, Security Token Service and metadata service: what they share.
 */
#ifndef STS_H
#define STS_H

#include "emu.h"

extern void sts_time(char out[24], int64_t us);	/* 2015-04-09T11:52:19Z */
/* AccessKeyId, AccessKeySecret, SecurityToken and Expiration, without braces */
extern void sts_put_credentials(mcw_buf *out, const emu_key *key);
extern void sts_text(emu_response *resp, int status, const char *text);
/* text member of a command that fits; false with a message if it is too long */
extern bool sts_command_text(const mcw_node *cmd, const char *name, char *out, size_t size, mcw_error *err);

#endif							/* STS_H */
