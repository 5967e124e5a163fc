/*
 * shipper_status.c
 *		Rows of a job's status table, as LogHub Shipper keeps them: what the last run has
 *		read of each shard, and INSERT of the rows as the job's owner.
 *
 * What a run has read is in memory of the transaction that executed it, so it is asked
 * for there, also if the run failed; the rows are written in a later transaction.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/varlena.h"

#include "sync.h"
#include "tools.h"

static void
push_text(JsonbParseState **state, const char *name, const char *text)
{
	JsonbValue	v = {.type = jbvString};

	v.val.string.val = unconstify(char *, name);
	v.val.string.len = strlen(name);
	(void) pushJsonbValue(state, WJB_KEY, &v);
	v.val.string.val = unconstify(char *, text);
	v.val.string.len = strlen(text);
	(void) pushJsonbValue(state, WJB_VALUE, &v);
}

static void
push_int(JsonbParseState **state, const char *name, int64 n)
{
	JsonbValue	v = {.type = jbvString};

	v.val.string.val = unconstify(char *, name);
	v.val.string.len = strlen(name);
	(void) pushJsonbValue(state, WJB_KEY, &v);
	v.type = jbvNumeric;
	v.val.numeric = DatumGetNumeric(DirectFunctionCall1(int8_numeric, Int64GetDatum(n)));
	(void) pushJsonbValue(state, WJB_VALUE, &v);
}

/* Shards of logstores; an empty list if the run fixed no positions or is not of this transaction */
PG_FUNCTION_INFO_V1(mc_status_shards);
Datum
mc_status_shards(PG_FUNCTION_ARGS)
{
	McJobRun   *run = mcLastRun();
	JsonbParseState *state = NULL;
	ListCell   *lc;
	ListCell   *lc2;

	(void) pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	foreach(lc, run != NULL && run->run_id == PG_GETARG_INT64(0) ? run->sources : NIL)
	{
		const McJobSource *source = lfirst(lc);

		if (source->wrapper != MC_LOGHUB)
			continue;
		foreach(lc2, source->positions)
		{
			const McJobPosition *p = lfirst(lc2);

			/* as mcSavePositions: the others are not this window's */
			if (p->was_finished || p->end == NULL)
				continue;
			(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
			push_text(&state, "source", source->key);
			push_text(&state, "shard", p->shard);
			push_int(&state, "rows", p->rows);
			if (p->max_log_time > 0)
				push_int(&state, "max_log_time", p->max_log_time);
			(void) pushJsonbValue(&state, WJB_END_OBJECT, NULL);
		}
	}
	PG_RETURN_JSONB_P(JsonbValueToJsonb(pushJsonbValue(&state, WJB_END_ARRAY, NULL)));
}

/* rows: a list of objects with the table's columns as members */
PG_FUNCTION_INFO_V1(mc_insert_status);
Datum
mc_insert_status(PG_FUNCTION_ARGS)
{
	static const Oid job_types[] = {INT8OID};
	static const Oid row_types[] = {JSONBOID};
	Datum		job[] = {PG_GETARG_DATUM(0)};
	Datum		rows[] = {PG_GETARG_DATUM(1)};
	Oid			caller;
	Oid			owner;
	Oid			relid;
	int			context;
	bool		isnull;
	char	   *table;

	SPI_connect();
	if (mcSpi("SELECT status_table, owner::pg_catalog.oid FROM mc.job WHERE job_id = $1 AND status_table IS NOT NULL",
			  SPI_OK_SELECT, lengthof(job_types), job_types, job, NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("the job has no status table")));
	table = mcSpiText(0, 1);
	owner = DatumGetObjectId(mcSpiDatum(0, 2, &isnull));
	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the privileges of role \"%s\" to write the status of its job", GetUserNameFromId(owner, false))));
	GetUserIdAndSecContext(&caller, &context);
	/* an error restores both with the subtransaction that catches it */
	SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   (caller != owner ? SECURITY_RESTRICTED_OPERATION : 0));
	relid = RangeVarGetRelid(makeRangeVarFromNameList(textToQualifiedNameList(cstring_to_text(table))), NoLock, false);
	/* as found, not as the setting may have been written by hand */
	table = mcRelationText(relid);
	(void) mcSpi(psprintf("INSERT INTO %s SELECT * FROM pg_catalog.jsonb_populate_recordset(NULL::%s, $1)", table, table),
				 SPI_OK_INSERT, lengthof(row_types), row_types, rows, NULL);
	SetUserIdAndSecContext(caller, context);
	SPI_finish();
	PG_RETURN_VOID();
}
