/*
 * step.c
 *		Named points of the job protocol, where tests let a session fail.
 *
 * mc_fdw.fail_at is for superusers: "P1" raises an error there, "P1:kill" ends the backend
 * as a crash does, "P1:exit" as pg_terminate_backend does, "P1:wait" waits there to be
 * cancelled.
 */
#include "postgres.h"

#include <signal.h>

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "../fdw/compat.h"
#include "../fdw/mc_private.h"
#include "sync.h"

/* shown as PgSleep, so that it is not taken for a wait for a service */
static void
wait_forever(void)
{
	for (;;)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH, -1, WAIT_EVENT_PG_SLEEP);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

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
	else if (strcmp(how, ":wait") == 0)
		wait_forever();
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
