/*
 * convert_ots_out.h
 *		Between the files of the converter from Datums to cells.
 */
#ifndef MC_CONVERT_OTS_OUT_H
#define MC_CONVERT_OTS_OUT_H

#include "convert_ots.h"
#include "convert_text_out.h"

struct McOtsOut
{
	mcw_ots_type remote;		/* what is made */
	bool		is_key;
	McTextOut	text;			/* type of the Datums, and their text */
};

#endif							/* MC_CONVERT_OTS_OUT_H */
