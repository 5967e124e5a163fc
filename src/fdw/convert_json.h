/*
 * convert_json.h
 *		From JSON arrays and objects to arrays and composite values.
 */
#ifndef MC_CONVERT_JSON_H
#define MC_CONVERT_JSON_H

#include "convert_text.h"

typedef struct McJsonColumn McJsonColumn;

/* An array, a row type, or a domain over one: has elements or members that JSON can show */
extern bool mcJsonHasParts(Oid type);
/* In CurrentMemoryContext, which must live as long as the column; 'text' too */
extern McJsonColumn *mcJsonColumn(const McTextColumn *text);
/* As json_populate_record converts a member; otherwise as mcTextConvert */
extern McTextVerdict mcJsonConvert(McJsonColumn *column, mcw_view json, bool swallow,
								   Datum *datum, McTextError *error);

#endif							/* MC_CONVERT_JSON_H */
