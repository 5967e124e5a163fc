/*
 * oss_table.h
 *		Between oss_table.c and oss_column.c.
 */
#ifndef MC_OSS_TABLE_H
#define MC_OSS_TABLE_H

#include "oss.h"

/* All live columns in order, before the table's template made path columns of some */
extern List *mcOssColumns(Relation rel);

#endif							/* MC_OSS_TABLE_H */
