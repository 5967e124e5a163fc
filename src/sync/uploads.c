/*
 * uploads.c
 *		mc.uploads(): the upload sessions of the running transaction.
 *
 * Only those of the current user are shown.  Reads backend memory, asks nobody.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "../fdw/compat.h"
#include "../fdw/odps_write.h"

PG_FUNCTION_INFO_V1(mc_uploads);

Datum
mc_uploads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	mcInitMaterializedSRF(fcinfo);
	for (McUpload *u = mcWriteUploads(); u; u = u->next)
	{
		Datum		values[7];
		bool		nulls[7] = {false};
		bool		lost = u->garbage || mcUploadSuperseded(u);

		if (u->target->userid != GetUserId())
			continue;
		values[0] = ObjectIdGetDatum(u->target->relid);
		nulls[1] = u->spec[0] == '\0';
		values[1] = CStringGetTextDatum(u->spec);
		values[2] = CStringGetTextDatum(u->session.overwrite ? "overwrite" : "append");
		nulls[3] = u->session.id[0] == '\0';
		values[3] = CStringGetTextDatum(u->session.id);
		values[4] = Int32GetDatum(u->session.nblocks);
		values[5] = Int64GetDatum(u->session.rows);
		values[6] = CStringGetTextDatum(lost ? "dropped" : "pending");
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
