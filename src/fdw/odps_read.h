/*
 * odps_read.h
 *		Reading from MaxCompute: converter of tunnel values, scan state.  Private to
 *		convert_odps_in*.c and odps_{scan,fetch,plan,explain}.c.
 */
#ifndef MC_ODPS_READ_H
#define MC_ODPS_READ_H

#include "odps.h"

#include "lib/stringinfo.h"

/* ---- convert_odps_in.c: one tunnel value to one Datum ---- */

typedef struct McInContext
{
	bool		truncate;		/* on_precision_loss 'truncate' */
	bool		stop;			/* on_error 'stop': errors of input functions are left alone */
	int			encoding;		/* of the database; PG_UTF8 and SQL_ASCII need no conversion */
	int			sqlstate;		/* of the refusal just returned */
} McInContext;

typedef struct McInType McInType;

/*
 * NULL, or the reason why the value cannot be taken.  Called with a short-lived
 * CurrentMemoryContext that the Datum may live in; it may also point into the
 * value's own bytes.
 */
typedef const char *(*McInFn) (McInType *in, const mcw_odps_value *value, Datum *out);

struct McInType
{
	McInFn		fn;
	McInContext *cxt;
	const mcw_odps_type *type;
	Oid			pgtype;			/* base type of the local column */
	int32		typmod;
	Oid			domain;			/* the local type if it is a domain, else InvalidOid */
	void	   *domain_extra;
	MemoryContext domain_cxt;
	bool		nested;			/* an element: its bytes must not be written to */
	int64		low;			/* integers: range of the local type */
	int64		high;
	FmgrInfo	input;			/* input function */
	Oid			ioparam;
	int16		elem_len;		/* PostgreSQL arrays */
	bool		elem_byval;
	char		elem_align;
	Oid			elem_type;
	TupleDesc	desc;			/* composite */
	int			nchildren;
	McInType  **children;		/* array element, or struct fields in remote order */
	int		   *attnos;			/* composite: attribute of each field */
};

/*
 * Choose the conversion in CurrentMemoryContext, or return NULL with a reason if a
 * local column of that type cannot show values of the remote type.
 */
extern McInType *mcInPrepare(McInContext *cxt, Oid pgtype, int32 typmod, const mcw_odps_type *type,
							 const char **reason);
/* the constraints of the local column's domain; raises */
extern void mcInCheckDomain(McInType *in, Datum value, bool isnull);
/* refuse: sets the SQLSTATE and returns the reason */
extern const char *mcInRefuse(McInContext *cxt, int sqlstate, const char *fmt,...) pg_attribute_printf(3, 4);
/* is it text of the database's encoding without NUL?  *text is what to store, converted if need be */
extern const char *mcInCheckText(McInContext *cxt, mcw_view bytes, mcw_view *text);
/* input function; data errors become a reason unless cxt->stop */
extern const char *mcInByFunction(McInType *in, char *text, Datum *out);

/* ---- convert_odps_in_nested.c: PostgreSQL arrays and composite types ---- */

/* the conversion of ARRAY, VECTOR or STRUCT to the local type; NULL if it is none of those, or with a reason */
extern McInFn mcInNestedFunction(McInType *in, const char **reason);

/* ---- convert_odps_in_text.c: canonical text and JSON ---- */

/* canonical text; nested values are JSON */
extern const char *mcInRenderText(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value);
extern const char *mcInRenderJson(McInContext *cxt, StringInfo out, const mcw_odps_type *type, const mcw_odps_value *value);
/* an McInFn: json or jsonb of a nested value or JSON */
extern const char *mcInJson(McInType *in, const mcw_odps_value *value, Datum *out);

#endif							/* MC_ODPS_READ_H */
