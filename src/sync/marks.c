/*
 * marks.c
 *		mc._marks(): positions of a run's LogHub sources are told to their consumer groups.
 *		mc._mark_ahead(): does a group know of windows that this database does not?
 *
 * A mark is written after the positions are durable and before anything is published, so a
 * database that went back in time finds one that it never wrote.  The truth is in
 * mc.checkpoint: what fails here is a WARNING.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "../fdw/loghub_group.h"
#include "sync.h"
#include "tools.h"

typedef struct Marks
{
	Oid			relid;
	Oid			serverid;
	Oid			owner;
	int64		job_id;
	char	   *job;
	char	   *group;
	char	   *relation;
	char	   *key;
	bool		write;
	McLogMark  *marks;
	int			n;
	mcw_status	status;
	mcw_error	err;
	bool		known;
	bool		differ;
} Marks;

static const char tables_query[] =
"SELECT DISTINCT f.ftrelid, f.ftserver, j.owner::pg_catalog.oid, j.job_id, j.name, o.option_value, s"
" FROM mc.job j CROSS JOIN pg_catalog.unnest(j.sources) s"
" JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = pg_catalog.to_regclass(s)"
" CROSS JOIN LATERAL pg_catalog.pg_options_to_table(f.ftoptions) o"
" WHERE j.job_id = $1 AND o.option_name = 'consumer_group'"
/* what is shared is claimed before it is read, and others go on from there: share.c */
" AND NOT EXISTS (SELECT FROM pg_catalog.pg_options_to_table(f.ftoptions) h"
"  WHERE h.option_name = 'consumer_share' AND h.option_value::pg_catalog.bool) ORDER BY s";

static Oid
oid_of(uint64 row, int column)
{
	bool		isnull;

	return DatumGetObjectId(mcSpiDatum(row, column, &isnull));
}

static Marks *
read_tables(int64 job_id, int *n)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(job_id)};
	Marks	   *tables;

	*n = (int) mcSpi(tables_query, SPI_OK_SELECT, 1, types, values, NULL);
	tables = palloc0(sizeof(Marks) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
	{
		tables[i].relid = oid_of(i, 1);
		tables[i].serverid = oid_of(i, 2);
		tables[i].owner = oid_of(i, 3);
		tables[i].job_id = job_id;
		tables[i].job = mcSpiText(i, 5);
		tables[i].group = mcSpiText(i, 6);
		tables[i].relation = mcSpiText(i, 7);
		if (!has_privs_of_role(GetUserId(), tables[i].owner))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("must have the privileges of role \"%s\"", GetUserNameFromId(tables[i].owner, false))));
	}
	return tables;
}

static void
read_marks(Marks *table)
{
	Oid			types[] = {INT8OID, TEXTOID, BOOLOID};
	Datum		values[] = {Int64GetDatum(table->job_id), CStringGetTextDatum(table->key), BoolGetDatum(table->write)};

	table->n = (int) mcSpi("SELECT shard, position, reported FROM mc.checkpoint WHERE job_id = $1 AND source = $2"
						   " AND (reported IS DISTINCT FROM position OR NOT $3) ORDER BY shard", SPI_OK_SELECT, 3, types, values, NULL);
	table->marks = palloc0(sizeof(McLogMark) * Max(table->n, 1));
	for (int i = 0; i < table->n; i++)
	{
		table->marks[i].shard = pg_strtoint32(mcSpiText(i, 1));
		table->marks[i].position = mcSpiText(i, 2);
		table->marks[i].reported = mcSpiText(i, 3);
	}
}

/* As the job's owner: his user mapping, and only what he may read */
static McServer *
server_of(const Marks *table)
{
	if (pg_class_aclcheck(table->relid, table->owner, ACL_SELECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign table %s", table->relation)));
	return mcGetServer(MC_LOGHUB, table->serverid, table->owner, table->relid, true);
}

static void
find_key(void *arg)
{
	Marks	   *table = arg;
	McServer   *server = server_of(table);

	table->key = mcLogSourceKey(server, mcServerOption(server, "logstore"));
}

static void
ask(void *arg)
{
	Marks	   *table = arg;

	table->status = table->write ? mcLogMarksWrite(server_of(table), table->marks, table->n, &table->err) :
		mcLogMarksDiffer(server_of(table), table->marks, table->n, &table->known, &table->differ, &table->err);
}

/* False: nobody knows; said in a WARNING */
static bool
run_table(Marks *table)
{
	ErrorData  *error;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext cxt = AllocSetContextCreate(caller, "mc_fdw consumer group", ALLOCSET_DEFAULT_SIZES);
	char	   *why = NULL;

	error = mcTry(find_key, table);
	if (error == NULL)
	{
		read_marks(table);
		if (table->n == 0)
		{
			table->status = MCW_OK;
			if (table->write)
				return true;
		}
		MemoryContextSwitchTo(cxt);
		error = mcTry(ask, table);
		MemoryContextSwitchTo(caller);
	}
	if (error != NULL)
		why = pstrdup(error->message);
	else if (table->status != MCW_OK)
	{
		char	   *detail = mcErrorDetail(&table->err);

		why = psprintf("%s%s%s", mcPrintable(table->err.message), detail ? "; " : "", detail ? detail : "");
	}
	MemoryContextDelete(cxt);
	if (why == NULL)
		return true;
	ereport(WARNING,
			(table->write ?
			 errmsg("positions of job \"%s\" could not be reported to consumer group \"%s\"", table->job, table->group) :
			 errmsg("positions of consumer group \"%s\" could not be compared with those of job \"%s\"", table->group, table->job),
			 errdetail_internal("%s", why)));
	return false;
}

static void
save_marks(const Marks *table)
{
	Oid			types[] = {INT8OID, TEXTOID, TEXTOID, TEXTOID};

	for (int i = 0; i < table->n; i++)
	{
		char		shard[16];
		Datum		values[4];

		if (!table->marks[i].done)
			continue;
		snprintf(shard, sizeof(shard), "%d", table->marks[i].shard);
		values[0] = Int64GetDatum(table->job_id);
		values[1] = CStringGetTextDatum(table->key);
		values[2] = CStringGetTextDatum(shard);
		values[3] = CStringGetTextDatum(table->marks[i].position);
		(void) mcSpi("UPDATE mc.checkpoint SET reported = $4 WHERE job_id = $1 AND source = $2 AND shard = $3",
					 SPI_OK_UPDATE, 4, types, values, NULL);
	}
}

PG_FUNCTION_INFO_V1(mc_marks);
Datum
mc_marks(PG_FUNCTION_ARGS)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {PG_GETARG_DATUM(0)};
	Marks	   *tables;
	int			n;

	SPI_connect();
	/* backfills move no positions */
	if (mcSpi("SELECT job_id FROM mc.run WHERE run_id = $1 AND family = 0", SPI_OK_SELECT, 1, types, values, NULL) == 1)
	{
		tables = read_tables(mcSpiInt(0, 1, 0), &n);
		for (int i = 0; i < n; i++)
		{
			tables[i].write = true;
			(void) run_table(&tables[i]);
		}
		/* not before: two tables may show one logstore and have different groups */
		for (int i = 0; i < n; i++)
			save_marks(&tables[i]);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(mc_mark_ahead);
Datum
mc_mark_ahead(PG_FUNCTION_ARGS)
{
	Marks	   *tables;
	int			n;
	bool		known = false;
	bool		ahead = false;

	SPI_connect();
	tables = read_tables(PG_GETARG_INT64(0), &n);
	for (int i = 0; i < n; i++)
	{
		if (!run_table(&tables[i]))
			continue;
		known |= tables[i].known;
		ahead |= tables[i].differ;
	}
	SPI_finish();
	if (!known)
		PG_RETURN_NULL();
	PG_RETURN_BOOL(ahead);
}
