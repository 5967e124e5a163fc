/*
 * last_keys.h
 *		Does a row go where the last one went?  Values of the columns that choose a
 *		partition or directory, compared without calling anything.
 */
#ifndef MC_LAST_KEYS_H
#define MC_LAST_KEYS_H

#include "mc_fdw.h"

#include "executor/tuptable.h"
#include "lib/stringinfo.h"

typedef struct McLastKeys
{
	TupleDesc	desc;
	int			n;
	const int  *attnos;			/* index in the slot, -1 = not from a column */
	Datum	   *values;
	bool	   *nulls;
	StringInfoData *text;
	bool		valid;
} McLastKeys;

/* 'attnos' stays with the caller; memory is CurrentMemoryContext */
extern void mcLastKeysInit(McLastKeys *keys, TupleDesc desc, const int *attnos, int n);
/* byte equality is enough: false is always allowed */
extern bool mcLastKeysSame(const McLastKeys *keys, const TupleTableSlot *slot);
extern void mcLastKeysRemember(McLastKeys *keys, const TupleTableSlot *slot);

#endif							/* MC_LAST_KEYS_H */
