/*
 * mcw_rows_scan.h
 *		The first pass over csv and text: where are the bytes that mean something?  With
 *		vector instructions where the processor has them.
 */
#ifndef MCW_ROWS_SCAN_H
#define MCW_ROWS_SCAN_H

#include "mcw.h"

/* What to look for, and what is carried from one call to the next: zero at a record's start */
typedef struct mcw_scan
{
	char		delimiter;
	char		quote;			/* csv; 0 = text */
	char		escape;			/* csv: 0 = the quote; text: backslash or 0 = none */

	bool		in_quote;		/* csv: the next byte lies between quotes */
	bool		escaped;		/* the next byte lies behind an escape */
	bool		line_inside;	/* a CR or LF that ends no line was met; never reset here */
} mcw_scan;

/*
 * Positions from 'data', ascending, to 'out' (room for len + MCW_SCAN_SLACK), how many
 * is returned:
 * csv:	delimiters, CR and LF outside of quotes; every quote that is not escaped; escapes
 *		inside of quotes if they are not the quote itself;
 * text: delimiters, CR, LF that are not escaped; backslashes that escape.
 * Nothing behind data + len is read.
 */
typedef size_t (*mcw_scan_function) (mcw_scan *scan, const char *data, size_t len, uint32_t *out);

#define MCW_SCAN_SLACK 64

typedef enum mcw_scan_level
{
	MCW_SCAN_SCALAR,
	MCW_SCAN_SSE2,
	MCW_SCAN_AVX2
} mcw_scan_level;

extern mcw_scan_level mcw_scan_best(void);	/* of this processor */
/* 'level' must not be above mcw_scan_best() */
extern mcw_scan_function mcw_scan_choose(const mcw_scan *scan, mcw_scan_level level);

/* Length of the longest prefix that is valid UTF-8 without NUL */
extern size_t mcw_scan_valid(const char *data, size_t len);

#endif							/* MCW_ROWS_SCAN_H */
