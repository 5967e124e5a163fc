/*
 * run.c
 *		mc._execute(): the text of a job, with the rights and settings of its owner.
 *
 * SET ROLE would not do: the text could RESET ROLE to whoever is logged in, and deferred
 * triggers would run as the session's user.  So the user is switched by security context,
 * which refuses both, and constraints are made immediate before it is switched back.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/params.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "sync.h"

static McJobRun *last_run = NULL;

McJobRun *
mcLastRun(void)
{
	return last_run;
}

static void
forget_run(void *arg)
{
	last_run = NULL;
}

enum RunColumn
{
	RUN_JOB_ID = 1, RUN_NAME, RUN_BACKFILL, RUN_SEQ, RUN_ATTEMPT, RUN_OWNER, RUN_LO, RUN_HI, RUN_WRITE_TS,
	RUN_TOKEN_SEQ, RUN_STEM, RUN_OVERWRITE_SCOPE, RUN_ON_OBJECT_CHANGE, RUN_LOOKBACK, RUN_MARGIN, RUN_TEXT, RUN_SETTINGS,
	RUN_AT_LEAST_ONCE, RUN_START, RUN_IDENTITY, RUN_FAMILY
};

static const char run_query[] =
"SELECT j.job_id, j.name, r.family > 0, r.seq, r.attempt, j.owner::pg_catalog.oid, r.window_begin, r.window_end, r.write_ts,"
" j.uuid || '/' || j.incarnation || '/' || CASE WHEN r.family > 0 THEN r.family || '.' ELSE '' END || r.seq || '/',"
" j.name || '.' || pg_catalog.to_char(r.window_begin AT TIME ZONE 'UTC', 'YYYYMMDD\"T\"HH24MISS\"Z\"') || '.',"
" j.overwrite_scope, j.on_object_change, (extract(epoch FROM j.lookback) * 1000000)::bigint,"
" (extract(epoch FROM j.prepare_margin) * 1000000)::bigint, v.statement, j.settings::text,"
" j.at_least_once, j.start, j.uuid || '/' || j.incarnation, r.family"
" FROM mc.run r JOIN mc.job j USING (job_id) JOIN mc.job_version v ON v.job_id = r.job_id AND v.version = r.version"
" WHERE r.run_id = $1 AND r.state = 'running'";

static McJobRun *
read_run(int64 run_id, char **text, char **settings)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(run_id)};
	MemoryContext cxt = AllocSetContextCreate(TopTransactionContext, "mc_fdw run of a job", ALLOCSET_DEFAULT_SIZES);
	McJobRun   *run = MemoryContextAllocZero(cxt, sizeof(McJobRun));
	MemoryContextCallback *callback = MemoryContextAllocZero(cxt, sizeof(MemoryContextCallback));
	MemoryContext old;
	bool		isnull;

	callback->func = forget_run;
	MemoryContextRegisterResetCallback(cxt, callback);
	if (mcSpi(run_query, SPI_OK_SELECT, 1, types, values, NULL) != 1)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("there is no run " INT64_FORMAT " that is running", run_id)));
	old = MemoryContextSwitchTo(cxt);
	run->cxt = cxt;
	run->run_id = run_id;
	run->job_id = mcSpiInt(0, RUN_JOB_ID, 0);
	run->name = pstrdup(mcSpiText(0, RUN_NAME));
	run->backfill = DatumGetBool(mcSpiDatum(0, RUN_BACKFILL, &isnull));
	run->seq = mcSpiInt(0, RUN_SEQ, 0);
	run->attempt = (int) mcSpiInt(0, RUN_ATTEMPT, 0);
	run->owner = DatumGetObjectId(mcSpiDatum(0, RUN_OWNER, &isnull));
	run->lo = DatumGetTimestampTz(mcSpiDatum(0, RUN_LO, &isnull));
	run->hi = DatumGetTimestampTz(mcSpiDatum(0, RUN_HI, &isnull));
	run->write_ts = mcSpiInt(0, RUN_WRITE_TS, 0);
	run->token_seq = pstrdup(mcSpiText(0, RUN_TOKEN_SEQ));
	run->token = psprintf("%s%d", run->token_seq, run->attempt);
	run->mark = psprintf("%s/%04d.%08lld/%04d/", mcSpiText(0, RUN_IDENTITY), (int) mcSpiInt(0, RUN_FAMILY, 0),
						 (long long) run->seq, run->attempt);
	run->stem = pstrdup(mcSpiText(0, RUN_STEM));
	run->overwrite_scope = pstrdup(mcSpiText(0, RUN_OVERWRITE_SCOPE));
	run->on_object_change = pstrdup(mcSpiText(0, RUN_ON_OBJECT_CHANGE));
	/* what is of the window itself is never too old for it */
	run->lookback_us = Max(mcSpiInt(0, RUN_LOOKBACK, 0), run->hi - run->lo);
	run->prepare_margin_us = mcSpiInt(0, RUN_MARGIN, 0);
	run->at_least_once = DatumGetBool(mcSpiDatum(0, RUN_AT_LEAST_ONCE, &isnull));
	run->start = DatumGetTimestampTz(mcSpiDatum(0, RUN_START, &isnull));
	run->load = mcLoadSource;
	run->object_etag = mcLoadObjectEtag;
	*text = pstrdup(mcSpiText(0, RUN_TEXT));
	*settings = mcSpiText(0, RUN_SETTINGS);
	*settings = *settings ? pstrdup(*settings) : NULL;
	MemoryContextSwitchTo(old);
	return run;
}

/* a setting of the job, until the nest level ends */
static void
apply_settings(const char *settings)
{
	Oid			types[] = {TEXTOID};
	Datum		values[1];
	uint64		n;

	if (settings == NULL)
		return;
	values[0] = CStringGetTextDatum(settings);
	n = mcSpi("SELECT key, value FROM pg_catalog.jsonb_each_text($1::pg_catalog.jsonb)", SPI_OK_SELECT, 1, types, values, NULL);
	for (uint64 i = 0; i < n; i++)
		(void) set_config_option(mcSpiText(i, 1), mcSpiText(i, 2), superuser() ? PGC_SUSET : PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * A deferred trigger that makes constraints deferred again would have another one run at
 * COMMIT, as the caller.
 */
static bool checking = false;
static ProcessUtility_hook_type next_utility = NULL;

static void
utility(PlannedStmt *pstmt, const char *query, bool read_only_tree, ProcessUtilityContext context, ParamListInfo params,
		QueryEnvironment *env, DestReceiver *dest, QueryCompletion *completion)
{
	QueryCompletion own;

	if (completion == NULL)
	{
		InitializeQueryCompletion(&own);
		completion = &own;
	}
	if (checking && IsA(pstmt->utilityStmt, ConstraintsSetStmt) && ((ConstraintsSetStmt *) pstmt->utilityStmt)->deferred)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("constraints cannot be deferred any more when a job checks them")));
	(next_utility ? next_utility : standard_ProcessUtility) (pstmt, query, read_only_tree, context, params, env, dest, completion);
	mcWrittenByUtility(pstmt, completion);
}

static void
hook_utility(void)
{
	static bool hooked = false;

	if (hooked)
		return;
	next_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	hooked = true;
}

/* Deferred triggers run as the owner, and before the run is sealed */
static void
make_immediate(void)
{
	if (SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "constraints could not be checked");
}

static void
check_constraints(void)
{
	checking = true;
	PG_TRY();
	{
		make_immediate();
	}
	PG_FINALLY();
	{
		checking = false;
	}
	PG_END_TRY();
}

static void
execute(const McJobRun *run, const char *text)
{
	SPIExecuteOptions options;
	ParamListInfo params = makeParamList(2);
	int			result;

	/*
	 * Not constants for the planner, so that a condition on the window stays recognisable; it
	 * estimates with their values all the same.
	 */
	params->params[0] = (ParamExternData) {TimestampTzGetDatum(run->lo), false, 0, TIMESTAMPTZOID};
	params->params[1] = (ParamExternData) {TimestampTzGetDatum(run->hi), false, 0, TIMESTAMPTZOID};
	memset(&options, 0, sizeof(options));
	options.params = params;
	result = SPI_execute_extended(text, &options);
	if (result < 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the statement of job \"%s\" cannot be executed: %s", run->name, SPI_result_code_string(result)),
				 errhint("COMMIT, ROLLBACK and savepoints are not possible in a job; each window is a transaction of its own.")));
}

static void
check_caller(const McJobRun *run)
{
	if (!has_privs_of_role(GetUserId(), run->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must have the privileges of role \"%s\" to run job \"%s\"",
						GetUserNameFromId(run->owner, false), run->name)));
}

PG_FUNCTION_INFO_V1(mc_execute_run);
Datum
mc_execute_run(PG_FUNCTION_ARGS)
{
	char	   *text;
	char	   *settings;
	McJobRun   *run;
	Oid			caller;
	int			context;
	int			nest;
	bool		wrote;

	if (mcJob != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("job \"%s\" is being executed by this session", mcJob->name),
				 errhint("The statement of a job cannot run a job.")));
	SPI_connect();
	run = read_run(PG_GETARG_INT64(0), &text, &settings);
	check_caller(run);
	last_run = run;
	nest = NewGUCNestLevel();
	GetUserIdAndSecContext(&caller, &context);
	SetUserIdAndSecContext(run->owner, context | SECURITY_LOCAL_USERID_CHANGE |
						   (caller != run->owner ? SECURITY_RESTRICTED_OPERATION : 0));
	apply_settings(settings);
	mcWatchOtherWrites();
	hook_utility();
	mcWrittenCount();
	mcJobBegin(run);
	wrote = TransactionIdIsValid(GetCurrentTransactionIdIfAny());
	PG_TRY();
	{
		mcStep("execute");
		/* nothing can be deferred in a security-restricted operation */
		if (caller != run->owner)
			make_immediate();
		execute(run, text);
		check_constraints();
		mcCheckJobLock();
		mcStep("executed");
		/* local rows, or locks: with what was prepared lost they could not be done again */
		if (!wrote && TransactionIdIsValid(GetCurrentTransactionIdIfAny()))
			run->direct_effects = true;
	}
	PG_FINALLY();
	{
		run->executing = false;
		mcJobEnd();
	}
	PG_END_TRY();
	/* also what the text has SET */
	AtEOXact_GUC(false, nest);
	SetUserIdAndSecContext(caller, context);
	SPI_finish();
	PG_RETURN_INT64(run->rows_out);
}
