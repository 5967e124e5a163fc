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

bool
mcEntryErases(const McEntry *entry)
{
	static const char *const erasing[] = {"manifest", "delete", "drop", "truncate"};

	for (int i = 0; i < lengthof(erasing); i++)
		if (strcmp(entry->kind, erasing[i]) == 0)
			return true;
	return false;
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
						   entry->endpoint)));
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
