/*
 * service_clock.c
 *		mc._safe_until(): mc.safe_until() of a source, with the rights and the user mapping of
 *		its job's owner, whoever runs the job.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/fmgrprotos.h"

#include "sync.h"

extern Datum mc_safe_until(PG_FUNCTION_ARGS);

PG_FUNCTION_INFO_V1(mc_safe_until_as);
Datum
mc_safe_until_as(PG_FUNCTION_ARGS)
{
	Oid			owner = PG_GETARG_OID(1);
	Oid			caller;
	int			context;
	Datum		result;

	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the privileges of role \"%s\"", GetUserNameFromId(owner, false))));
	GetUserIdAndSecContext(&caller, &context);
	/* an error restores both */
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   (caller != owner ? SECURITY_RESTRICTED_OPERATION : 0));
	result = DirectFunctionCall1(mc_safe_until, PG_GETARG_DATUM(0));
	SetUserIdAndSecContext(caller, context);
	return result;
}
