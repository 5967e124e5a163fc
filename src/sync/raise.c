/*
 * raise.c
 *		mc._raise(): an error with the fields of another one, CONTEXT among them.  RAISE of
 *		PL/pgSQL prints empty fields, refuses NULL ones, and shows where it stands itself.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "../fdw/mc_fdw.h"

static char *
text_arg(FunctionCallInfo fcinfo, int n)
{
	char	   *value = PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));

	return value && value[0] ? value : NULL;
}

PG_FUNCTION_INFO_V1(mc_raise);
Datum
mc_raise(PG_FUNCTION_ARGS)
{
	char	   *code = text_arg(fcinfo, 0);
	char	   *message = text_arg(fcinfo, 1);
	char	   *detail = text_arg(fcinfo, 2);
	char	   *hint = text_arg(fcinfo, 3);
	char	   *context = text_arg(fcinfo, 4);

	error_context_stack = NULL;

	ereport(ERROR,
			(errcode(code && strlen(code) == 5 ? MAKE_SQLSTATE(code[0], code[1], code[2], code[3], code[4]) : ERRCODE_RAISE_EXCEPTION),
			 errmsg_internal("%s", message ? message : "unknown error"),
			 detail ? errdetail_internal("%s", detail) : 0,
			 hint ? errhint("%s", hint) : 0,
			 context ? errcontext("%s", context) : 0));
	PG_RETURN_VOID();
}
