/*
 * mcs_oss_write_private.h
 *		Shared by mcs_oss_upload.c and mcs_oss_publish.c; nobody else includes this.
 */
#ifndef MCS_OSS_WRITE_PRIVATE_H
#define MCS_OSS_WRITE_PRIVATE_H

#include "mcs_oss_write.h"

/* What Initiate and Put say about the object to be */
extern void mcs_oss_write_headers(mcs_oss_call *call, const mcs_oss_upload *upload);
/*
 * The CRC-64 of an answer against 'crc' (known), or against the request's body; without
 * a CRC-64 the body is compared with the ETag, and a 'known' one is MCW_END: no proof.
 */
extern mcw_status mcs_oss_compare_stored(const mcn_request *req, bool known, uint64_t crc, mcw_error *err);
/* crc64 of all parts; MCW_ERR_ARGUMENT if one was not acknowledged */
extern mcw_status mcs_oss_upload_total(mcs_oss_upload *upload, mcw_error *err);
extern void mcs_oss_list_parts(mcs_oss_call *call, mcs_oss *oss, const mcs_oss_upload *upload, int marker, int max);

#endif							/* MCS_OSS_WRITE_PRIVATE_H */
