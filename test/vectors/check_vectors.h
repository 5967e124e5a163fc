/*
 * check_vectors.h
 *		Bookkeeping of check-vectors: one case is one vector, and it fails with the
 *		first thing that is wrong about it.
 */
#ifndef CHECK_VECTORS_H
#define CHECK_VECTORS_H

#include "rows.h"

/* Memory of one file: documents, decoded hex, types */
extern mcw_arena vec_arena;

/* Begin a case; the one before is counted */
extern void vec_case(const char *file, const char *section, mcw_view name);
/* Tell of a vector that nothing here has a use for; it is not counted */
extern void vec_not_used(const char *file, mcw_view name, const char *why);
/* The current case fails; prints what is wrong.  Always false. */
extern bool vec_wrong(const char *fmt, ...) MCW_PRINTF(1, 2);
/* Has the current case failed? */
extern bool vec_failed(void);
/* Compare texts of the current case */
extern bool vec_same(const char *what, mcw_view got, mcw_view want);
/* All members of the object must be among the blank-separated names */
extern bool vec_known(const mcw_node *object, const char *names);

/* The same for the top of a file: a case of its own, but only if it fails */
extern void vec_known_file(const char *file, const mcw_node *root, const char *names);

typedef void (*vec_checker) (const char *file, const mcw_node *root);

extern void check_sls_v1(const char *file, const mcw_node *root);
extern void check_sls_v4(const char *file, const mcw_node *root);
extern void check_sls_protobuf(const char *file, const mcw_node *root);
extern void check_sls_bodies(const char *file, const mcw_node *root);
extern void check_odps_signatures(const char *file, const mcw_node *root);
extern void check_odps_records(const char *file, const mcw_node *root);
extern void check_odps_arrow(const char *file, const mcw_node *root);
extern void check_odps_hashes(const char *file, const mcw_node *root);
extern void check_odps_bodies(const char *file, const mcw_node *root);
extern void check_ots_rows(const char *file, const mcw_node *root);
extern void check_ots_signatures(const char *file, const mcw_node *root);
extern void check_ots_requests(const char *file, const mcw_node *root);
extern void check_ots_filters(const char *file, const mcw_node *root);
extern void check_ots_tunnel(const char *file, const mcw_node *root);
extern void check_oss_v1(const char *file, const mcw_node *root);
extern void check_oss_v4(const char *file, const mcw_node *root);
extern void check_oss_presigned(const char *file, const mcw_node *root);
extern void check_oss_crc64(const char *file, const mcw_node *root);
extern void check_oss_xml(const char *file, const mcw_node *root);

#endif							/* CHECK_VECTORS_H */
