/*
 * check_vectors_ots.h
 *		What the checkers of Tablestore share.
 */
#ifndef CHECK_VECTORS_OTS_H
#define CHECK_VECTORS_OTS_H

#include "check_vectors.h"
#include "ots_rows.h"

/* Rows against their description, both ways; 'padding' zero bytes follow them */
extern bool check_ots_plainbuffer(mcw_view bytes, const mcw_node *rows, int64_t padding);
/* The value is written as these bytes */
extern bool check_ots_variant_bytes(mcw_view bytes, const mcw_ots_value *value);

#endif							/* CHECK_VECTORS_OTS_H */
