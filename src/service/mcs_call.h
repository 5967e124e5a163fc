/*
 * mcs_call.h
 *		What the calls of all services do alike: keep copies of what they are given,
 *		remember why they could not be prepared, start, wait.
 *
 * A call embeds its mcn_request first, an arena for its strings and the error
 * 'failed' of its preparation, MCW_OK at birth.
 */
#ifndef MCS_CALL_H
#define MCS_CALL_H

#include "../net/mcn.h"

/* The first failure counts */
extern void mcs_call_remember(mcw_error *failed, mcw_status status, const char *what);
/* A copy in the call's arena; empty if there was no memory, which is remembered */
extern mcw_view mcs_call_copy(mcw_arena *arena, mcw_error *failed, mcw_view v);
/* A call that could not be prepared is over before it starts, in the way of any failed request. */
extern void mcs_call_start(mcn_request *req, const mcw_error *failed);
/* Drives the loop until the started request is over; takes it off the loop when interrupted */
extern mcw_status mcs_call_wait(mcn_request *req, mcw_error *err);

/* What the attempt is signed with: the channel's renewed credentials, else the client's own keys */
extern const mcw_credentials *mcs_call_credentials(const mcn_request *req, const mcw_credentials *own);
/*
 * Header for the token of temporary credentials, for every attempt: 'token' is a view of
 * mcs_call_credentials, and the attempt before may have had another one.
 */
extern mcw_status mcs_call_token(mcn_request *req, const char *name, mcw_view token, mcw_error *err);

/*
 * An answer may repeat what was sent: the secret and the token become asterisks in
 * code and text, also where a text is cut inside of them.
 */
extern void mcs_hide_secrets(mcw_error *err, const mcw_credentials *cred);
/* NUL-terminated, and cut at a character's end if it is too long */
extern void mcs_copy_text(char *to, size_t size, mcw_view from);
/* base64(MD5), 24 characters */
extern mcw_status mcs_md5_text(const mcw_alloc *alloc, mcw_view bytes, char out[28], mcw_error *err);

#endif							/* MCS_CALL_H */
