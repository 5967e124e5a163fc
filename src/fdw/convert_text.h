/*
 * convert_text.h
 *		From the bytes of a remote text value to a Datum: one function per column,
 *		chosen when a scan begins.
 */
#ifndef MC_CONVERT_TEXT_H
#define MC_CONVERT_TEXT_H

#include "mc_fdw.h"

#include "fmgr.h"

typedef struct McTextColumn McTextColumn;

/*
 * True: *datum is the value the type's input function would give for these bytes.
 * False: not certain, ask the input function.  Never raises.  'value' is at least
 * one byte behind the start of its buffer and the byte before it may be overwritten
 * if the length is below 128 (see mcw_sls.h).
 */
typedef bool (*McFastText) (McTextColumn *column, mcw_view value, Datum *datum);

struct McTextColumn
{
	McFastText	fast;			/* NULL: always the input function */
	bool		is_text;		/* text or varchar without a length: bytes are the value */
	bool		pure;			/* the input function only allocates and raises */
	Oid			type;
	Oid			typioparam;
	int32		typmod;
	pg_tz	   *zone;			/* of values that name none; the session's unless set after init */
	FmgrInfo	input;
};

/* In CurrentMemoryContext, which must live as long as the column */
extern void mcTextColumnInit(McTextColumn *column, Oid type, int32 typmod);

typedef enum McTextVerdict
{
	MC_TEXT_OK,
	MC_TEXT_BAD					/* see McTextError */
} McTextVerdict;

typedef struct McTextError
{
	int			sqlstate;
	char	   *reason;			/* in CurrentMemoryContext; without the value */
} McTextError;

/* What may be a matter of the value; anything else (cancel, out of memory) is passed on */
extern bool mcIsValueError(int sqlstate);

/*
 * The slow road: verify the encoding, call the input function.  Allocates in
 * CurrentMemoryContext.  'swallow' is false when the caller will raise anyway;
 * otherwise an impure function runs in a subtransaction.
 */
extern McTextVerdict mcTextConvert(McTextColumn *column, mcw_view value, bool swallow,
								   Datum *datum, McTextError *error);

typedef Datum (*McTextAction) (McTextColumn *column, char *text);

/*
 * Run what may raise an error about the value; false with the error filled.  Times without
 * a zone must be read by the action in column->zone, which may set session_timezone.
 */
extern bool mcTextTry(McTextAction action, McTextColumn *column, char *text, bool subtransaction,
					  Datum *datum, McTextError *error);

/* Bytes in UTF-8 to a C string in the server's encoding; NULL with error filled */
extern char *mcTextToServer(mcw_view value, bool swallow, McTextError *error);

/* Is this byte string a valid text of the server (UTF-8 or plain ASCII), without conversion? */
extern bool mcTextIsServer(mcw_view value);

/* a name of a service, which may be in any encoding, for messages and commands */
extern char *mcShownName(mcw_view name);

#endif							/* MC_CONVERT_TEXT_H */
