/*
 * convert_text_out.h
 *		From Datums to the text that a service keeps, which depends on the value only,
 *		never on settings of the session.
 */
#ifndef MC_CONVERT_TEXT_OUT_H
#define MC_CONVERT_TEXT_OUT_H

#include "convert_text.h"

typedef struct McTextOut
{
	bool		check_utf8;		/* the database does not promise it */
	Oid			type;			/* of the Datums */
	Oid			base;			/* below domains */
	FmgrInfo	output;
} McTextOut;

/* 'out' lives in CurrentMemoryContext */
extern void mcTextOutInit(McTextOut *out, Oid type);
/*
 * The canonical text in UTF-8, in CurrentMemoryContext or the Datum's own bytes.  Not NULL.
 * MC_TEXT_BAD: the text of a database without encoding is not UTF-8.
 */
extern McTextVerdict mcTextOut(McTextOut *out, Datum datum, mcw_view *text, McTextError *error);

#endif							/* MC_CONVERT_TEXT_OUT_H */
