/*
 * entry.c
 *		What the entries of all services share.
 */
#include "postgres.h"

#include "catalog/pg_foreign_server.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "entry.h"
#include "mc_private.h"

McEntryStep
mcEntryStep(const McEntry *entry)
{
	static const struct
	{
		const char *kind;
		McEntryStep step;
	}			steps[] = {
		{"withdraw", MC_STEP_WITHDRAW},
		{"manifest", MC_STEP_TELL},
		{"delete", MC_STEP_ERASE},
		{"drop", MC_STEP_ERASE},
		{"truncate", MC_STEP_ERASE},
		{"success", MC_STEP_FINISH},
	};

	for (int i = 0; i < lengthof(steps); i++)
		if (strcmp(entry->kind, steps[i].kind) == 0)
			return steps[i].step;
	return MC_STEP_ADD;
}

bool
mcEntryErases(const McEntry *entry)
{
	return mcEntryStep(entry) > MC_STEP_ADD;
}

/*
 * The row could have been written by anybody who has the owner's role: an endpoint that is
 * not the server's must be an allowed one, and does not open private addresses.
 */
McServer *
mcEntryServer(const McEntry *entry)
{
	McServer   *server = mcGetServer(entry->service, entry->serverid, entry->owner, InvalidOid, true);

	if (strcmp(server->endpoint, entry->endpoint) == 0)
		return server;
	if (!mcEndpointAllowed(entry->endpoint))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("endpoint of an entry for server \"%s\" is not allowed", server->name),
				 errdetail("The entry was made for \"%s\", which is neither the server's endpoint now nor in mc_fdw.allowed_endpoints.",
						   entry->endpoint),
				 errhint("Set the server's endpoint back until the run is published, or settle the run with mc.resolve_run().")));
	server->endpoint = pstrdup(entry->endpoint);
	server->trusted = false;
	return server;
}

char *
mcEntryText(const McEntry *entry, const char *member)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = CStringGetTextDatum(entry->document);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = CStringGetTextDatum(member);
	fcinfo->args[1].isnull = false;
	result = json_object_field_text(fcinfo);
	return fcinfo->isnull ? NULL : TextDatumGetCString(result);
}

int64
mcEntryInt(const McEntry *entry, const char *member, int64 default_value)
{
	char	   *text = mcEntryText(entry, member);

	return text ? DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(text))) : default_value;
}
