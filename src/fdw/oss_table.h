/*
 * oss_table.h
 *		Between oss_table.c, oss_column.c and oss_copy.c.
 */
#ifndef MC_OSS_TABLE_H
#define MC_OSS_TABLE_H

#include "oss.h"

/* oss_copy.c: raises as COPY would with the options it shares with the table */
extern void mcOssCheckAsCopy(const McOssTable *table, const McServer *server);

/* All live columns in order, before the table's template made path columns of some */
extern List *mcOssColumns(Relation rel);

#endif							/* MC_OSS_TABLE_H */
