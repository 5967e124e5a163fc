/*
 * uploads.c
 *		mc.uploads(): what the running transaction has uploaded and not yet published.
 *
 * Only what the current user wrote is shown.  Reads backend memory, asks nobody.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "../fdw/compat.h"
#include "../fdw/odps_write.h"
#include "../fdw/oss_write.h"

#define COLUMNS 7

PG_FUNCTION_INFO_V1(mc_uploads);

static void
put_row(ReturnSetInfo *rsinfo, Oid relid, const char *part, const char *mode, const char *id,
		int blocks, int64 rows, bool lost)
{
	Datum		values[COLUMNS];
	bool		nulls[COLUMNS] = {false};

	values[0] = ObjectIdGetDatum(relid);
	nulls[1] = part[0] == '\0';
	values[1] = CStringGetTextDatum(part);
	values[2] = CStringGetTextDatum(mode);
	nulls[3] = id[0] == '\0';
	values[3] = CStringGetTextDatum(id);
	values[4] = Int32GetDatum(blocks);
	values[5] = Int64GetDatum(rows);
	values[6] = CStringGetTextDatum(lost ? "dropped" : "pending");
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static const char *
mode_name(McOssMode mode)
{
	return mode == MC_OSS_OVERWRITE ? "overwrite" : mode == MC_OSS_APPEND ? "append" : "error_if_exists";
}

Datum
mc_uploads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	mcInitMaterializedSRF(fcinfo);
	for (McUpload *u = mcWriteUploads(); u; u = u->next)
		if (u->target->userid == GetUserId())
			put_row(rsinfo, u->target->relid, u->spec, u->session.overwrite ? "overwrite" : "append",
					u->session.id, u->session.nblocks, u->session.rows, u->garbage || mcUploadSuperseded(u));
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (u->target->userid == GetUserId())
			put_row(rsinfo, u->target->relid, mcOssShown(u->object.key), mode_name(u->mode), u->object.id,
					u->object.nparts, u->rows, u->garbage || mcOssUploadSuperseded(u));
	return (Datum) 0;
}
