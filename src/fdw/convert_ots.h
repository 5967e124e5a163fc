/*
 * convert_ots.h
 *		How one column is converted; known to convert_ots_in.c and to the loop over rows,
 *		which looks at the commonest cases itself.
 */
#ifndef MC_CONVERT_OTS_H
#define MC_CONVERT_OTS_H

#include "ots.h"

#include "../wire/mcw_text.h"
#include "convert_text.h"

#define MC_OTS_IN_PLACE_MAX 126	/* bytes a one-byte varlena header can carry */

/* What can be done at sight with a cell of the right type */
typedef enum McOtsFast
{
	MC_OTS_FAST_NONE,
	MC_OTS_FAST_INT8,
	MC_OTS_FAST_INT4,
	MC_OTS_FAST_INT2,
	MC_OTS_FAST_FLOAT8,
	MC_OTS_FAST_BOOL,
	MC_OTS_FAST_TEXT,			/* text, varchar without a length */
	MC_OTS_FAST_BYTEA
} McOtsFast;

struct McOtsIn
{
	uint8		remote;			/* type of cell the fast case is for */
	McOtsFast	fast;
	bool		any_type;
	bool		swallow;
	bool		exact;			/* the type modifier might round or cut */
	Oid			base;			/* below domains */
	const McOtsColumn *column;
	McTextColumn text;			/* through text: the column's type with its modifier */
	McTextColumn plain;			/* exact: the base type without */
	FmgrInfo	equal;			/* exact: of the base type */
	Oid			collation;
};

/* False: not certain, or not this type; ask mcOtsIn.  Nothing is allocated. */
static inline bool
mcOtsInFast(const McOtsIn *in, const mcw_ots_value *value, Datum *datum)
{
	if (unlikely(value->type != in->remote))
		return false;
	switch (in->fast)
	{
		case MC_OTS_FAST_INT8:
			*datum = Int64GetDatum(value->i);
			return FLOAT8PASSBYVAL;
		case MC_OTS_FAST_INT4:
			*datum = Int32GetDatum((int32) value->i);
			return value->i == (int32) value->i;
		case MC_OTS_FAST_INT2:
			*datum = Int16GetDatum((int16) value->i);
			return value->i == (int16) value->i;
		case MC_OTS_FAST_FLOAT8:
			*datum = Float8GetDatum(value->d);
			return FLOAT8PASSBYVAL;
		case MC_OTS_FAST_BOOL:
			*datum = BoolGetDatum(value->b);
			return true;
		case MC_OTS_FAST_TEXT:
		case MC_OTS_FAST_BYTEA:
			if (likely(value->s.len <= MC_OTS_IN_PLACE_MAX &&
					   (in->fast == MC_OTS_FAST_BYTEA || mcw_plain_ascii(value->s.data, value->s.len))))
			{
				char	   *header = unconstify(char *, value->s.data) - 1;

				SET_VARSIZE_SHORT(header, value->s.len + VARHDRSZ_SHORT);
				*datum = PointerGetDatum(header);
				return true;
			}
			return false;
		default:
			return false;
	}
}

/*
 * A cell as PostgreSQL's text form, NUL-terminated, in UTF-8 as it came for STRING;
 * in CurrentMemoryContext or the value's own bytes.
 */
extern mcw_view mcOtsValueText(const mcw_ots_value *value);
/* The shortest decimal that reads as this double; 'buf' has 32 bytes */
extern int	mcOtsDoubleText(double d, char *buf);

/*
 * ots_json.c: names and values as members of a jsonb object, pointing to the bytes or
 * in CurrentMemoryContext.  False with 'bad' filled; 'swallow' false: may raise instead.
 */
struct JsonbValue;
extern bool mcOtsJsonString(mcw_view v, bool swallow, struct JsonbValue *out, McOtsBad *bad);
extern bool mcOtsJsonValue(const mcw_ots_value *value, bool swallow, struct JsonbValue *out, McOtsBad *bad);

#endif							/* MC_CONVERT_OTS_H */
