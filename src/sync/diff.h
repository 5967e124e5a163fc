/*
 * diff.h
 *		Between diff.c and diff_oss.c.
 */
#ifndef MC_DIFF_H
#define MC_DIFF_H

#include "tools.h"

typedef struct McDiff
{
	FunctionCallInfo fcinfo;
	Relation	rel;
} McDiff;

/* One line; 'change' is what follows ALTER FOREIGN TABLE ..., NULL = nothing can be altered */
extern void mcDiffPut(McDiff *diff, const char *column, const char *problem, const char *declared, const char *remote, char *change);
/* ADD COLUMN for a remote name */
extern char *mcDiffAdd(const char *name, const char *remote, const char *type);

extern void mcDiffOss(McDiff *diff);

#endif							/* MC_DIFF_H */
