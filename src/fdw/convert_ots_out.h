/*
 * convert_ots_out.h
 *		Between the files of the converter from Datums to cells.
 */
#ifndef MC_CONVERT_OTS_OUT_H
#define MC_CONVERT_OTS_OUT_H

#include "convert_ots.h"

struct McOtsOut
{
	mcw_ots_type remote;		/* what is made */
	bool		is_key;
	bool		check_utf8;		/* the database does not promise it */
	Oid			type;			/* of the Datums */
	Oid			base;			/* below domains */
	FmgrInfo	output;
};

extern void mcOtsOutTextInit(McOtsOut *out);
/* the canonical text in UTF-8 */
extern McOtsVerdict mcOtsOutText(McOtsOut *out, Datum datum, mcw_view *text, McOtsBad *bad);
/* [-]digits[.digits][e[+-]digits]; no blanks, no names */
extern bool mcOtsIsDecimal(const char *text);

#endif							/* MC_CONVERT_OTS_OUT_H */
