/*
 * step.c
 *		Named points of the job protocol, where tests let a session fail.
 *
 * mc_fdw.fail_at is for superusers: "P1" raises an error there, "P1:kill" ends the backend
 * as a crash does, "P1:exit" as pg_terminate_backend does.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "../fdw/mc_private.h"
#include "sync.h"

void
mcStep(const char *label)
{
	size_t		len = strlen(label);
	const char *how;

	if (likely(mc_fail_at == NULL || mc_fail_at[0] == '\0') || strncmp(mc_fail_at, label, len) != 0)
		return;
	how = mc_fail_at + len;
	if (strcmp(how, ":kill") == 0)
		kill(MyProcPid, SIGKILL);
	else if (strcmp(how, ":exit") == 0)
		ereport(FATAL, (errcode(ERRCODE_ADMIN_SHUTDOWN), errmsg("session ends at step \"%s\"", label)));
	else if (how[0] == '\0')
		ereport(ERROR, (errcode(ERRCODE_TRIGGERED_ACTION_EXCEPTION), errmsg("failure asked for at step \"%s\"", label)));
}

PG_FUNCTION_INFO_V1(mc_step);
Datum
mc_step(PG_FUNCTION_ARGS)
{
	mcStep(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	PG_RETURN_VOID();
}
