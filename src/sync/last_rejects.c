/*
 * last_rejects.c
 *		mc.last_rejects(): what on_error dropped or set to NULL in the last statement
 *		of this session that had it set, readable also after that statement failed.
 */
#include "postgres.h"

#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "../fdw/compat.h"
#include "../fdw/reject.h"

PG_FUNCTION_INFO_V1(mc_last_rejects);

static void
set_text(Datum *values, bool *nulls, int i, const char *text)
{
	nulls[i] = text == NULL;
	values[i] = text ? CStringGetTextDatum(text) : (Datum) 0;
}

Datum
mc_last_rejects(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	McRejectSample **list;
	int			n = mcRejectSamples(&list);

	mcInitMaterializedSRF(fcinfo);
	for (int i = 0; i < n; i++)
	{
		Datum		values[8];
		bool		nulls[8] = {false};

		values[0] = TimestampTzGetDatum(list[i]->at);
		values[1] = ObjectIdGetDatum(list[i]->relid);
		set_text(values, nulls, 2, list[i]->part);
		set_text(values, nulls, 3, list[i]->position);
		set_text(values, nulls, 4, list[i]->column);
		set_text(values, nulls, 5, unpack_sql_state(list[i]->sqlstate));
		set_text(values, nulls, 6, list[i]->reason);
		set_text(values, nulls, 7, list[i]->value);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	return (Datum) 0;
}
