/*
 * position.c
 *		Recorded positions of the sources of a job: read when a scan of a run begins,
 *		written in the transaction that seals the run.
 *
 * mc.run_shard has the begin and the end of each shard in each window that was sealed;
 * mc.checkpoint the newest end of each shard; mc.source_object the object versions taken.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "sync.h"

static char *
copy_text(uint64 row, int column)
{
	char	   *text = mcSpiText(row, column);

	return text ? mcJobCopy(text) : NULL;
}

/* the window was sealed by an earlier attempt, or belongs to a backfill of a sealed window */
static const char replay_query[] =
"SELECT s.shard, s.position_begin, s.position_end, s.finished, s.generation FROM mc.run_shard s"
" WHERE s.job_id = $1 AND s.source = $2 AND s.window_begin = $3 AND s.window_end = $4"
" ORDER BY s.shard";
/* only if the window before was sealed: one that was skipped is not read in its successor */
static const char checkpoint_query[] =
"SELECT c.shard, c.position, NULL, c.finished, c.generation FROM mc.checkpoint c WHERE c.job_id = $1 AND c.source = $2"
" AND EXISTS (SELECT FROM mc.checkpoint o WHERE o.job_id = $1 AND o.source = $2 AND o.window_end = $3)"
" ORDER BY c.shard";
/*
 * LogHub: a shard that is not recorded at the newest end was gone by then.  Between windows that
 * were left out, and in a backfill, positions are those of the windows beside this one, so
 * that a gap is closed exactly.
 */
static const char newest_query[] =
"SELECT c.shard, c.position, NULL, c.finished OR c.window_end < $3, c.generation FROM mc.checkpoint c"
" WHERE c.job_id = $1 AND c.source = $2"
" AND $3 = (SELECT pg_catalog.max(m.window_end) FROM mc.checkpoint m WHERE m.job_id = $1 AND m.source = $2)";
static const char beside_query[] =
"WITH s AS (SELECT s.* FROM mc.run_shard s WHERE s.job_id = $1 AND s.source = $2 AND (s.window_end = $3 OR s.window_begin = $4)"
"  AND EXISTS (SELECT FROM mc.run r WHERE r.job_id = $1 AND r.family = 0"
"   AND r.window_begin = s.window_begin AND r.window_end = s.window_end))"
" SELECT shard, a.position_end, b.position_begin, COALESCE(a.finished, c.finished, false), COALESCE(a.generation, b.generation)"
" FROM (SELECT * FROM s WHERE s.window_end = $3) a"
" FULL JOIN (SELECT * FROM s WHERE s.window_begin = $4) b USING (shard)"
" FULL JOIN (SELECT * FROM mc.checkpoint c WHERE c.job_id = $1 AND c.source = $2"
"  AND (c.finished AND c.window_end <= $3 OR $5)) c USING (shard)";
/* what the window has claimed of shards that other databases read, too; a window without any has one row */
static const char claim_query[] =
"SELECT c.shard, c.position_begin, c.position_end, c.finished, NULL FROM mc.claim c"
" WHERE c.job_id = $1 AND c.source = $2 AND c.window_begin = $3 AND c.window_end = $4 AND c.state = 'claimed'"
" AND c.shard <> '' ORDER BY c.shard";
static const char taken_query[] =
"SELECT key, etag, size, last_modified FROM mc.source_object"
" WHERE job_id = $1 AND source = $2 AND window_begin = $3 AND window_end = $4";
static const char known_query[] =
"SELECT key, etag, size, last_modified FROM mc.source_object"
" WHERE job_id = $1 AND source = $2 AND last_modified >= $3 AND window_end <= $4";

static void
load_positions(McJobSource *source, const char *query, int nargs, const Datum *values)
{
	static const Oid types[] = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, BOOLOID};
	uint64		n = mcSpi(query, SPI_OK_SELECT, nargs, types, values, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		McJobPosition *position = mcJobAddPosition(source, mcSpiText(i, 1));

		position->begin = copy_text(i, 2);
		position->end = copy_text(i, 3);
		if (position->end)
			position->finished = DatumGetBool(mcSpiDatum(i, 4, &isnull));
		else
			position->was_finished = DatumGetBool(mcSpiDatum(i, 4, &isnull));
		source->generation = copy_text(i, 5);
	}
}

static void
load_loghub(McJobRun *run, McJobSource *source, const Datum *values)
{
	ListCell   *lc;

	if (!run->backfill)
		load_positions(source, newest_query, 3, values);
	if (source->positions == NIL)
		load_positions(source, beside_query, 5, values);
	source->first = true;
	foreach(lc, source->positions)
		if (((const McJobPosition *) lfirst(lc))->begin != NULL)
			source->first = false;
}

static List *
load_objects(McJobRun *run, const char *query, const Datum *values)
{
	static const Oid types[] = {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	uint64		n = mcSpi(query, SPI_OK_SELECT, 4, types, values, NULL);
	List	   *list = NIL;
	MemoryContext old = MemoryContextSwitchTo(run->cxt);

	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		McJobObject *object = palloc0(sizeof(McJobObject));

		object->key = copy_text(i, 1);
		object->etag = copy_text(i, 2);
		object->size = mcSpiInt(i, 3, 0);
		object->last_modified = DatumGetTimestampTz(mcSpiDatum(i, 4, &isnull));
		list = lappend(list, object);
	}
	MemoryContextSwitchTo(old);
	return list;
}

/*
 * Runs inside of the job's statement, as its owner: row security of the bookkeeping
 * tables shows what is the owner's.
 */
void
mcLoadSource(McJobRun *run, McJobSource *source)
{
	Datum		values[] = {
		Int64GetDatum(run->job_id), CStringGetTextDatum(source->key),
		TimestampTzGetDatum(run->lo), TimestampTzGetDatum(run->hi), BoolGetDatum(!run->backfill)
	};

	SPI_connect();
	if (source->wrapper == MC_OSS)
	{
		source->objects = load_objects(run, taken_query, values);
		source->replay = source->objects != NIL;
		if (!source->replay)
		{
			values[2] = TimestampTzGetDatum(run->hi - run->lookback_us);
			values[3] = TimestampTzGetDatum(run->backfill ? run->lo : run->hi);
			source->known = load_objects(run, known_query, values);
		}
	}
	else if (source->wrapper == MC_LOGHUB &&
			 mcSpi("SELECT FROM mc.claim WHERE job_id = $1 AND source = $2 AND window_begin = $3 AND window_end = $4 AND shard = ''",
				   SPI_OK_SELECT, 4, (const Oid[]) {INT8OID, TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID}, values, NULL) > 0)
	{
		load_positions(source, claim_query, 4, values);
		source->shared = source->replay = source->frozen = true;
	}
	else
	{
		load_positions(source, replay_query, 4, values);
		source->replay = source->positions != NIL;
		source->frozen = source->replay;
		if (source->wrapper == MC_LOGHUB && !source->replay)
			load_loghub(run, source, values);
		else
		{
			if (!source->replay && !run->backfill)
				load_positions(source, checkpoint_query, 3, values);
			source->first = source->positions == NIL;
		}
	}
	SPI_finish();
}

char *
mcLoadObjectEtag(McJobRun *run, McJobSource *source, const char *key)
{
	static const Oid types[] = {INT8OID, TEXTOID, TEXTOID};
	Datum		values[] = {Int64GetDatum(run->job_id), CStringGetTextDatum(source->key), CStringGetTextDatum(key)};
	char	   *etag = NULL;

	SPI_connect();
	if (mcSpi("SELECT etag FROM mc.source_object WHERE job_id = $1 AND source = $2 AND key = $3"
			  " ORDER BY last_modified DESC, window_end DESC LIMIT 1", SPI_OK_SELECT, lengthof(types), types, values, NULL) > 0)
		etag = copy_text(0, 1);
	SPI_finish();
	return etag;
}

static void
save_position(const McJobRun *run, const McJobSource *source, const McJobPosition *p)
{
	static const Oid types[] = {INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, INT8OID, INT8OID,
	TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, INT8OID};
	Datum		values[] = {
		Int64GetDatum(run->run_id), Int64GetDatum(run->job_id), CStringGetTextDatum(source->key),
		CStringGetTextDatum(p->shard), p->begin ? CStringGetTextDatum(p->begin) : 0, CStringGetTextDatum(p->end),
		BoolGetDatum(p->finished), Int64GetDatum(p->late), Int64GetDatum(p->rows),
		TimestampTzGetDatum(run->lo), TimestampTzGetDatum(run->hi),
		source->generation ? CStringGetTextDatum(source->generation) : 0, Int64GetDatum(p->max_log_time)
	};
	char		nulls[] = "             ";

	nulls[4] = p->begin ? ' ' : 'n';
	nulls[11] = source->generation ? ' ' : 'n';
	nulls[12] = p->max_log_time > 0 ? ' ' : 'n';
	(void) mcSpi("INSERT INTO mc.run_shard (run_id, job_id, source, shard, position_begin, position_end, finished, late, rows,"
				 " window_begin, window_end, generation, max_log_time, owner)"
				 " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, pg_catalog.to_timestamp($13), owner"
				 " FROM mc.job WHERE job_id = $2"
				 " ON CONFLICT (job_id, source, shard, window_begin, window_end)"
				 " DO UPDATE SET run_id = excluded.run_id, late = excluded.late, rows = excluded.rows,"
				 " max_log_time = excluded.max_log_time",
				 SPI_OK_INSERT, lengthof(types), types, values, nulls);
	if (run->backfill || source->replay)
		return;
	(void) mcSpi("INSERT INTO mc.checkpoint AS c (job_id, source, shard, position, finished, window_end, generation, owner)"
				 " SELECT $2, $3, $4, $6, $7, $11, $12, owner FROM mc.job WHERE job_id = $2"
				 " ON CONFLICT (job_id, source, shard) DO UPDATE SET position = excluded.position, finished = excluded.finished,"
				 " window_end = excluded.window_end, generation = excluded.generation",
				 SPI_OK_INSERT, lengthof(types), types, values, nulls);
}

static void
save_object(const McJobRun *run, const McJobSource *source, const McJobObject *object)
{
	static const Oid types[] = {INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID};
	Datum		values[] = {
		Int64GetDatum(run->run_id), Int64GetDatum(run->job_id), CStringGetTextDatum(source->key),
		CStringGetTextDatum(object->key), CStringGetTextDatum(object->etag), Int64GetDatum(object->size),
		TimestampTzGetDatum(object->last_modified), TimestampTzGetDatum(run->lo), TimestampTzGetDatum(run->hi)
	};

	(void) mcSpi("INSERT INTO mc.source_object (run_id, job_id, source, key, etag, size, last_modified, window_begin, window_end, owner)"
				 " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, owner FROM mc.job WHERE job_id = $2"
				 " ON CONFLICT (job_id, source, key, etag) DO UPDATE SET run_id = excluded.run_id",
				 SPI_OK_INSERT, lengthof(types), types, values, NULL);
}

void
mcSavePositions(const McJobRun *run)
{
	ListCell   *lc;
	ListCell   *lc2;

	foreach(lc, run->sources)
	{
		McJobSource *source = lfirst(lc);

		foreach(lc2, source->positions)
		{
			McJobPosition *position = lfirst(lc2);

			if (!position->was_finished && position->end)
				save_position(run, source, position);
		}
		foreach(lc2, source->objects)
			save_object(run, source, lfirst(lc2));
	}
}
