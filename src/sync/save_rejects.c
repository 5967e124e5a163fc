/*
 * save_rejects.c
 *		mc._save_rejects(): what the run of a job has rejected goes to mc.reject.
 *
 * Rejects are kept in backend memory while the statement runs, so they survive its
 * failure; the transaction around it stores them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "../fdw/reject.h"
#include "sync.h"
#include "tools.h"

static void
set_text(Datum *values, char *nulls, int i, const char *text)
{
	values[i] = text ? CStringGetTextDatum(text) : (Datum) 0;
	nulls[i] = text ? ' ' : 'n';
}

PG_FUNCTION_INFO_V1(mc_save_rejects);
Datum
mc_save_rejects(PG_FUNCTION_ARGS)
{
	static const Oid types[] = {INT8OID, TIMESTAMPTZOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	int64		run_id = PG_GETARG_INT64(0);
	McRejectSample **list;
	int			n = mcRejectsOfRun(run_id, &list);
	SPIPlanPtr	plan;

	if (n == 0)
		PG_RETURN_INT32(0);
	SPI_connect();
	plan = SPI_prepare("INSERT INTO mc.reject (run_id, at, relation, part, position, column_name, code, reason, value, raw, owner)"
					   " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::pg_catalog.jsonb, owner FROM mc.run WHERE run_id = $1",
					   lengthof(types), unconstify(Oid *, &types[0]));
	for (int i = 0; i < n; i++)
	{
		const McRejectSample *s = list[i];
		Datum		values[lengthof(types)];
		char		nulls[lengthof(types) + 1];

		memset(nulls, ' ', lengthof(types));
		nulls[lengthof(types)] = '\0';
		values[0] = Int64GetDatum(run_id);
		values[1] = TimestampTzGetDatum(s->at);
		set_text(values, nulls, 2, mcRelationText(s->relid));
		set_text(values, nulls, 3, s->part);
		set_text(values, nulls, 4, s->position);
		set_text(values, nulls, 5, s->column);
		set_text(values, nulls, 6, unpack_sql_state(s->sqlstate));
		set_text(values, nulls, 7, s->reason);
		set_text(values, nulls, 8, s->value);
		set_text(values, nulls, 9, s->raw);
		if (SPI_execute_plan(plan, values, nulls, false, 0) != SPI_OK_INSERT)
			elog(ERROR, "rejects could not be stored");
	}
	SPI_finish();
	PG_RETURN_INT32(n);
}
