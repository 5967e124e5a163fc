/*
 * mcs_oss_private.h
 *		Shared by the files of src/service/mcs_oss*.c; nobody else includes this.
 */
#ifndef MCS_OSS_PRIVATE_H
#define MCS_OSS_PRIVATE_H

#include "mcs_oss.h"

/* mcs_oss_meta.c: what the headers of an answer to GET or HEAD say; views into the answer */
extern void mcs_oss_read_object_headers(const mcs_oss *oss, const mcn_request *req, mcs_oss_object *object);
/* "W/..." of a plain server: good for comparing, not for If-Match */
extern bool mcs_oss_etag_is_weak(mcw_view etag);

#endif							/* MCS_OSS_PRIVATE_H */
