/*
 * last_keys.c
 *		Remembered key values of the last row of a sink, to skip the look-up of its
 *		partition.
 */
#include "postgres.h"

#include "last_keys.h"

void
mcLastKeysInit(McLastKeys *keys, TupleDesc desc, const int *attnos, int n)
{
	keys->desc = desc;
	keys->n = n;
	keys->attnos = attnos;
	keys->values = palloc0(Max(n, 1) * sizeof(Datum));
	keys->nulls = palloc0(Max(n, 1) * sizeof(bool));
	keys->text = palloc0(Max(n, 1) * sizeof(StringInfoData));
	for (int k = 0; k < n; k++)
		initStringInfo(&keys->text[k]);
	keys->valid = false;
}

/* compressed or out of line: not compared */
static bool
is_plain(const struct varlena *v)
{
	return !VARATT_IS_EXTENDED(v) || VARATT_IS_SHORT(v);
}

bool
mcLastKeysSame(const McLastKeys *keys, const TupleTableSlot *slot)
{
	if (!keys->valid)
		return false;
	for (int k = 0; k < keys->n; k++)
	{
		int			a = keys->attnos[k];

		if (a < 0)
			continue;
		if (slot->tts_isnull[a] != keys->nulls[k])
			return false;
		if (slot->tts_isnull[a])
			continue;
		if (TupleDescAttr(keys->desc, a)->attbyval)
		{
			if (slot->tts_values[a] != keys->values[k])
				return false;
		}
		else
		{
			const struct varlena *v = (struct varlena *) DatumGetPointer(slot->tts_values[a]);

			if (!is_plain(v) || VARSIZE_ANY_EXHDR(v) != keys->text[k].len ||
				memcmp(VARDATA_ANY(v), keys->text[k].data, keys->text[k].len) != 0)
				return false;
		}
	}
	return true;
}

void
mcLastKeysRemember(McLastKeys *keys, const TupleTableSlot *slot)
{
	keys->valid = true;
	for (int k = 0; k < keys->n; k++)
	{
		int			a = keys->attnos[k];

		if (a < 0)
			continue;
		keys->nulls[k] = slot->tts_isnull[a];
		keys->values[k] = slot->tts_values[a];
		if (!slot->tts_isnull[a] && !TupleDescAttr(keys->desc, a)->attbyval)
		{
			const struct varlena *v = (struct varlena *) DatumGetPointer(slot->tts_values[a]);

			/* of fixed length (uuid, interval) it is no varlena */
			if (TupleDescAttr(keys->desc, a)->attlen != -1 || !is_plain(v))
			{
				keys->valid = false;
				return;
			}
			resetStringInfo(&keys->text[k]);
			appendBinaryStringInfo(&keys->text[k], VARDATA_ANY(v), VARSIZE_ANY_EXHDR(v));
		}
	}
}
