/*
 * oss_sink.c
 *		Rows of one statement into the objects of their directories.
 *
 * The row is encoded in ExecForeignInsert itself (the executor's batching would copy
 * it twice).  Core checks no constraint on rows of a foreign table, so NOT NULL is
 * enforced here.  Not here: buffers and requests (oss_part.c), the text of a value
 * (convert_file_out.c), which objects a transaction publishes (oss_upload.c).
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "oss_sink.h"

#define DEFAULT_PART_SIZE (8 * 1024 * 1024)
#define DEFAULT_WRITE_BUFFER (64 * 1024 * 1024)
#define DEFAULT_MAX_OBJECT (INT64CONST(1) << 30)
#define DEFAULT_OPEN_DIRECTORIES 32

typedef struct DirEntry
{
	const char *name;
	uint32		hash;
	char		status;
	McOssDirectory *dir;
} DirEntry;

#define SH_PREFIX dirs
#define SH_ELEMENT_TYPE DirEntry
#define SH_KEY_TYPE const char *
#define SH_KEY name
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key), strlen(key))
#define SH_EQUAL(table, a, b) (strcmp(a, b) == 0)
#define SH_SCOPE static inline
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) ((entry)->hash)
#define SH_DEFINE
#define SH_DECLARE
#include "lib/simplehash.h"

struct McOssDirTable
{
	dirs_hash  *hash;
};

/* ---- preparation ---- */

static void
sink_callback(void *arg)
{
	mcOssPartAbandon((McOssSink *) arg);
}

static void
prepare_path(McOssSink *sink, const McOssColumn *c)
{
	Form_pg_attribute att = TupleDescAttr(sink->desc, c->attnum - 1);
	McOssPathOut *path = &sink->paths[c->index];
	Oid			function;
	bool		varlena;

	path->attno = c->attnum - 1;
	path->type = getBaseType(att->atttypid);
	path->not_null = att->attnotnull;
	path->name = c->attname;
	getTypeOutputInfo(att->atttypid, &function, &varlena);
	fmgr_info(function, &path->out);
}

static void
prepare_columns(McOssSink *sink)
{
	const McOssTable *table = sink->target->table;
	int			n = list_length(table->columns);
	int		   *attnos;
	ListCell   *lc;

	sink->npaths = table->nparts;
	sink->paths = palloc0(Max(sink->npaths, 1) * sizeof(McOssPathOut));
	sink->not_null = palloc(Max(n, 1) * sizeof(int));
	sink->fixed = palloc(Max(n, 1) * sizeof(int));
	foreach(lc, table->columns)
	{
		const McOssColumn *c = lfirst(lc);

		if (c->kind == MC_OSS_PATH)
			prepare_path(sink, c);
		else if (c->kind != MC_OSS_FIELD && c->kind != MC_OSS_REST)
			sink->fixed[sink->nfixed++] = c->attnum - 1;
		else if (TupleDescAttr(sink->desc, c->attnum - 1)->attnotnull)
			sink->not_null[sink->nnot_null++] = c->attnum - 1;
	}
	attnos = palloc(Max(sink->npaths, 1) * sizeof(int));
	for (int i = 0; i < sink->npaths; i++)
		attnos[i] = sink->paths[i].attno;
	mcLastKeysInit(&sink->last, sink->desc, attnos, sink->npaths);
	initStringInfo(&sink->name);
}

static void
prepare_limits(McOssSink *sink)
{
	const McServer *server = sink->server;
	Size		budget = mcServerOptionInt(server, "write_buffer", DEFAULT_WRITE_BUFFER);

	sink->part_size = mcServerOptionInt(server, "part_size", DEFAULT_PART_SIZE);
	sink->part_size = Max(Min(sink->part_size, budget / 2), MCS_OSS_MIN_PART);
	mcPoolInit(&sink->pool, sink->cxt, budget, sink->part_size);
	sink->max_object = mcServerOptionInt(server, "max_object_size", DEFAULT_MAX_OBJECT);
	sink->split = sink->target->table->scope == MC_OSS_PREFIX;
	sink->max_open = mcServerOptionInt(server, "max_open_partitions", DEFAULT_OPEN_DIRECTORIES);
	sink->concurrency = server->concurrency;
	sink->level = mcServerOptionInt(server, "compression_level", 0);
	sink->mode = mcServerOptionIs(server, "write_mode", "overwrite") ? MC_OSS_OVERWRITE :
		mcServerOptionIs(server, "write_mode", "error_if_exists") ? MC_OSS_ERROR_IF_EXISTS : MC_OSS_APPEND;
}

void
mcOssStatementId(char *id)
{
	pg_time_t	now = (pg_time_t) time(NULL);
	struct pg_tm *tm = pg_gmtime(&now);
	unsigned char random[8];
	size_t		len;

	if (!pg_strong_random(random, sizeof(random)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
	snprintf(id, MC_OSS_STATEMENT_ID + 1, "mc-%04d%02d%02dT%02d%02d%02dZ-", tm->tm_year + 1900, tm->tm_mon + 1,
			 tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec);
	len = strlen(id);
	for (int i = 0; i < lengthof(random); i++)
		snprintf(id + len + 2 * i, 3, "%02x", random[i]);
}

/* the end of the keys, and how their bytes are coded */
static void
prepare_name(McOssSink *sink)
{
	const McOssTable *table = sink->target->table;
	const char *suffix = mcServerOption(sink->server, "suffix");

	if (table->scope == MC_OSS_ONE)
		suffix = table->object;
	else
		suffix = suffix ? mcOssToWire(suffix) :
			psprintf("%s%s", table->format->suffix, table->compression_auto ? "" : mcw_codec_suffix(table->codec));
	sink->codec = table->compression_auto ? mcw_codec_from_suffix(mcw_str(suffix)) : table->codec;
	sink->suffix = suffix;
	if (sink->job)
	{
		/* without attempt: whoever does the window again meets the same names */
		snprintf(sink->id, sizeof(sink->id), "%spart", sink->job->stem);
		return;
	}
	mcOssStatementId(sink->id);
}

/* a level that the codec does not have is refused now, not at the first row */
static void
try_codec(McOssSink *sink)
{
	mcw_deflater *deflater;
	mcw_error	err;
	mcw_status	status;

	if (sink->codec == MCW_CODEC_NONE)
		return;
	memset(&err, 0, sizeof(err));
	status = mcw_deflater_create(sink->codec, sink->level, &sink->pool.alloc, &deflater, &err);
	if (status == MCW_ERR_ARGUMENT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"compression_level\": %s", err.message)));
	mcCheck(status, &err, &sink->place);
	mcw_deflater_free(deflater);
}

McOssSink *
mcOssSinkCreate(EState *estate, Relation rel, Oid userid)
{
	McOssTarget *target = mcOssWriteTarget(rel, userid);
	MemoryContext cxt = AllocSetContextCreate(estate->es_query_cxt, "mc_fdw OSS sink", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOssSink  *sink = palloc0(sizeof(McOssSink));

	sink->cxt = cxt;
	sink->target = target;
	sink->job = mcJob;
	sink->place = target->conn->place;
	sink->relname = pstrdup(RelationGetRelationName(rel));
	sink->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	dlist_init(&sink->lru);
	dlist_init(&sink->flight);
	/* this statement's settings; connection and credentials are the transaction's */
	sink->server = mcGetServer(MC_OSS, target->conn->server->serverid, userid, RelationGetRelid(rel), true);
	sink->before = *mcn_channel_stats(target->conn->channel);
	mcProgressBegin(&sink->progress, cxt, RelationGetRelid(rel), true, &sink->before);
	prepare_limits(sink);
	prepare_name(sink);
	prepare_columns(sink);
	try_codec(sink);
	mcRejectsInit(&sink->rejects, sink->server);
	sink->file = mcFileOutCreate(target->table, sink->server, sink->desc, NULL);
	sink->directories = palloc(sizeof(struct McOssDirTable));
	sink->directories->hash = dirs_create(cxt, 64, NULL);
	sink->statement = mcOssNextSequence();

	/* a child is deleted before the callback runs: nothing in flight may live in it */
	sink->scratch = AllocSetContextCreate(cxt, "mc_fdw row", ALLOCSET_DEFAULT_SIZES);
	sink->callback.func = sink_callback;
	sink->callback.arg = sink;
	mcOssSinkRegister(sink);
	MemoryContextRegisterResetCallback(cxt, &sink->callback);
	MemoryContextSwitchTo(old);
	return sink;
}

/* ---- may the directory be written? ---- */

typedef struct Obstacle
{
	McOssSink  *sink;
	const char *directory;
	char	   *key;
} Obstacle;

/* what a TRUNCATE of this transaction erases does not count */
static bool
find_obstacle(const mcs_oss_object *object, void *arg)
{
	Obstacle   *o = arg;
	char	   *key = pnstrdup(object->key.data, object->key.len);

	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (i->seq < o->sink->statement && mcOssIntentCovers(i, o->sink->target, key))
		{
			pfree(key);
			return true;
		}
	if (mcOssOfWindow(o->sink->target, o->directory, object->key, object->token))
		return true;
	o->key = key;
	return false;
}

static void
find_own_obstacle(McOssSink *sink, const char *directory, Obstacle *o)
{
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (!u->garbage && u->statement < sink->statement && !mcOssUploadSuperseded(u) &&
			mcOssSameBucket(u->target->conn, sink->target->conn) &&
			mcOssInDirectory(sink->target->table, directory, mcw_str(u->key)))
			o->key = u->key;
}

void
mcOssSinkCheck(McOssSink *sink, McOssDirectory *dir)
{
	bool		one = sink->target->table->scope == MC_OSS_ONE;
	Obstacle	o = {sink, dir->name, NULL};

	if (sink->mode == MC_OSS_OVERWRITE || (sink->mode == MC_OSS_APPEND && !one))
		return;
	find_own_obstacle(sink, dir->name, &o);
	if (!o.key)
		mcOssVisit(sink->target, dir->name, find_obstacle, &o);
	if (!o.key)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 one ? errmsg("object \"%s\" exists", mcOssShown(mcw_str(o.key))) :
			 errmsg("\"%s\" has objects in \"%s\"", sink->relname, mcOssShown(mcw_str(dir->name))),
			 one ? 0 : errdetail("One of them is \"%s\".", mcOssShown(mcw_str(o.key))),
			 errhint(sink->mode == MC_OSS_APPEND ?
					 "A table with option \"object\" has one object; write_mode 'overwrite' or TRUNCATE replaces it." :
					 "write_mode is 'error_if_exists'; 'append' adds objects, 'overwrite' replaces them."),
			 mcPlaceContext(&sink->place)));
}

/* ---- rows ---- */

/*
 * A value, or the row it is in, cannot be written.  False: drop the row; true: the
 * value becomes NULL.
 */
static bool
refuse(McOssSink *sink, const char *column, int sqlstate, const char *reason, bool not_null)
{
	McPlace		place = sink->place;

	place.column = column;
	place.position = psprintf("row " INT64_FORMAT, sink->seen);
	if (sink->current && sink->npaths > 0)
		place.part = psprintf("directory %s", mcOssShown(mcw_str(sink->current->name)));
	if (sink->rejects.on_error == MC_ON_ERROR_STOP)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("%s", reason),
				 errhint("Correct the value in the SELECT, or set on_error to reject such rows."),
				 mcPlaceContext(&place)));
	return mcBadValue(&sink->rejects, &place, sqlstate, reason, (mcw_view) {NULL, 0}, not_null) == MC_VALUE_NULL;
}

static bool
null_refused(McOssSink *sink, const char *column)
{
	return refuse(sink, column, ERRCODE_NOT_NULL_VIOLATION,
				  psprintf("null value in column \"%s\" violates not-null constraint", column), true);
}

/* the form does not depend on settings of the session: it is a name */
static char *
path_text(McOssSink *sink, McOssPathOut *path, Datum value)
{
	char		buf[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;
	const char *tzn;

	if (path->type == DATEOID && !DATE_NOT_FINITE(DatumGetDateADT(value)))
	{
		j2date(DatumGetDateADT(value) + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, buf);
		return pstrdup(buf);
	}
	if (path->type == TIMESTAMPOID && !TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)) &&
		timestamp2tm(DatumGetTimestamp(value), NULL, &tm, &fsec, NULL, NULL) == 0)
	{
		EncodeDateTime(&tm, fsec, false, 0, NULL, USE_ISO_DATES, buf);
		return pstrdup(buf);
	}
	if (path->type == TIMESTAMPTZOID && !TIMESTAMP_NOT_FINITE(DatumGetTimestampTz(value)) &&
		timestamp2tm(DatumGetTimestampTz(value), &tz, &tm, &fsec, &tzn, sink->server->timezone) == 0)
	{
		EncodeDateTime(&tm, fsec, true, tz, tzn, USE_ISO_DATES, buf);
		return pstrdup(buf);
	}
	return OutputFunctionCall(&path->out, value);
}

static McOssDirectory *
lookup_directory(McOssSink *sink, const char *name)
{
	bool		found;
	DirEntry   *entry = dirs_lookup(sink->directories->hash, name);
	McOssDirectory *dir;

	if (entry)
		return entry->dir;
	dir = MemoryContextAllocZero(sink->cxt, sizeof(McOssDirectory));
	dir->name = MemoryContextStrdup(sink->cxt, name);
	entry = dirs_insert(sink->directories->hash, dir->name, &found);
	entry->dir = dir;
	sink->stats.directories++;
	return dir;
}

/* Can an object of the directory in sink->name exist, and would SELECT show these values?  NULL or the reason. */
static const char *
key_problem(McOssSink *sink, const mcw_view *values, int *sqlstate, const char **column)
{
	const McOssTable *table = sink->target->table;
	mcw_view	name = {sink->name.data, sink->name.len};

	int			other;

	/* number and suffix come behind */
	if (table->scope == MC_OSS_PREFIX && name.len + strlen(sink->id) + 16 + strlen(sink->suffix) > MCS_OSS_MAX_KEY)
	{
		*column = sink->npaths > 0 ? sink->paths[sink->npaths - 1].name : NULL;
		*sqlstate = ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
		return psprintf("the key of the object would have more than %d bytes", MCS_OSS_MAX_KEY);
	}
	if (sink->npaths == 0 || (table->scope == MC_OSS_PREFIX && dirs_lookup(sink->directories->hash, sink->name.data)))
		return NULL;
	*sqlstate = ERRCODE_CHECK_VIOLATION;
	other = mcOssPathDiffers(table, name, values);
	if (other >= 0)
	{
		*column = sink->paths[other].name;
		return psprintf("the key \"%s\" would show another value", mcOssShown(name));
	}
	if (name.data[0] == '/')
	{
		*column = sink->paths[0].name;
		return "the key of the object would begin with \"/\"";
	}
	return NULL;
}

/* Sets sink->current; false if the row was rejected */
static bool
find_directory(McOssSink *sink, TupleTableSlot *slot)
{
	const McOssTable *table = sink->target->table;
	mcw_view   *values;
	const char *reason;
	const char *column = NULL;
	int			sqlstate;

	if (sink->current && (sink->npaths == 0 || mcLastKeysSame(&sink->last, slot)))
		return true;
	values = palloc(Max(sink->npaths, 1) * sizeof(mcw_view));
	for (int i = 0; i < sink->npaths; i++)
	{
		McOssPathOut *path = &sink->paths[i];

		values[i] = (mcw_view) {NULL, 0};
		if (!slot->tts_isnull[path->attno])
			values[i] = mcw_str(mcOssToWire(path_text(sink, path, slot->tts_values[path->attno])));
		else if (path->not_null)
		{
			sink->current = NULL;
			return null_refused(sink, path->name);
		}
	}
	resetStringInfo(&sink->name);
	appendStringInfoString(&sink->name, table->literal);
	if (table->scope == MC_OSS_PREFIX)
		mcOssPathAppend(table, values, &sink->name);
	reason = key_problem(sink, values, &sqlstate, &column);
	if (reason)
	{
		sink->current = NULL;
		return refuse(sink, column, sqlstate, reason, true);
	}
	mcLastKeysRemember(&sink->last, slot);
	sink->current = lookup_directory(sink, sink->name.data);
	return true;
}

static bool
check_row(McOssSink *sink, TupleTableSlot *slot)
{
	for (int i = 0; i < sink->nfixed; i++)
		if (!slot->tts_isnull[sink->fixed[i]])
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" of \"%s\" cannot be written",
							NameStr(TupleDescAttr(sink->desc, sink->fixed[i])->attname), sink->relname),
					 errdetail("It shows a property of the object."),
					 errhint("Leave it out of the column list of INSERT or COPY.")));
	for (int i = 0; i < sink->nnot_null; i++)
		if (slot->tts_isnull[sink->not_null[i]])
			return null_refused(sink, NameStr(TupleDescAttr(sink->desc, sink->not_null[i])->attname));
	return true;
}

/* the attribute of that name; it is one of the table's columns */
static int
find_attno(McOssSink *sink, const char *column)
{
	for (int i = 0; column && i < sink->desc->natts; i++)
		if (!TupleDescAttr(sink->desc, i)->attisdropped &&
			strcmp(NameStr(TupleDescAttr(sink->desc, i)->attname), column) == 0)
			return i;
	return -1;
}

/*
 * A value cannot be written.  With on_error 'set_null' the row goes on without it; the
 * slot may be the plan's own and is as it was in the end.
 */
static bool
put_without(McOssSink *sink, TupleTableSlot *slot, const char *reason, int sqlstate, const char *column)
{
	bool	   *saved = palloc(sink->desc->natts * sizeof(bool));
	bool		keep = true;

	memcpy(saved, slot->tts_isnull, sink->desc->natts * sizeof(bool));
	while (reason && keep)
	{
		int			attno = find_attno(sink, column);
		bool		not_null = attno < 0 || slot->tts_isnull[attno] ||
			TupleDescAttr(sink->desc, attno)->attnotnull;

		keep = refuse(sink, column, sqlstate, reason, not_null);
		if (keep)
		{
			slot->tts_isnull[attno] = true;
			reason = mcFileOutRow(sink->file, slot, &sqlstate, &column);
		}
	}
	memcpy(slot->tts_isnull, saved, sink->desc->natts * sizeof(bool));
	return keep;
}

static bool
put_row(McOssSink *sink, McOssDirectory *dir, TupleTableSlot *slot)
{
	mcw_buf    *target = mcOssPartTarget(sink, dir);
	size_t		before = target->len;
	int			sqlstate = 0;
	const char *column = NULL;
	const char *reason;

	if (unlikely(sink->file_target != target))
	{
		mcFileOutTarget(sink->file, target);
		sink->file_target = target;
	}
	reason = mcFileOutRow(sink->file, slot, &sqlstate, &column);
	if (unlikely(reason) && !put_without(sink, slot, reason, sqlstate, column))
		return false;
	if (unlikely(mcw_buf_status(target) != MCW_OK))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory"),
				 errdetail("A row of \"%s\" could not be encoded.", sink->relname)));
	before = target->len - before;
	dir->upload->rows++;
	sink->stats.rows++;
	sink->stats.raw_bytes += before;
	sink->since_step += before;
	if (before > sink->largest_record)
		sink->largest_record = before;
	mcOssPartGrown(sink, dir);
	return true;
}

bool
mcOssSinkRow(McOssSink *sink, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(sink->scratch);
	bool		keep;

	sink->seen++;
	slot_getallattrs(slot);
	keep = check_row(sink, slot) && find_directory(sink, slot);
	if (keep)
	{
		McOssDirectory *dir = sink->current;

		if (!dir->open)
			mcOssPartOpen(sink, dir);
		else if (sink->nopen > 1 && dlist_head_node(&sink->lru) != &dir->lru)
			dlist_move_head(&sink->lru, &dir->lru);
		keep = put_row(sink, dir, slot);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(sink->scratch);
	return keep;
}

/* ---- the end ---- */

/* an object without records, if that is wanted and there is only one place for it */
static void
write_empty(McOssSink *sink)
{
	if (sink->stats.objects > 0 || sink->npaths > 0 ||
		!mcServerOptionBool(sink->server, "empty_object", false))
		return;
	sink->empty = true;
	mcOssPartOpen(sink, lookup_directory(sink, sink->target->table->literal));
}

void
mcOssSinkFlush(McOssSink *sink)
{
	write_empty(sink);
	mcOssPartFlush(sink);
}

/* rows that jump between more directories than may be open make an object each time */
static void
report_order(McOssSink *sink)
{
	if (sink->reopened > 100 && sink->reopened > 4 * sink->stats.directories)
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " objects were written to " INT64_FORMAT " directories of \"%s\"",
						sink->stats.objects, sink->stats.directories, sink->relname),
				 errdetail("The rows came in an order that had objects ended before they were full."),
				 errhint("ORDER BY the columns of the path, or raise max_open_partitions and write_buffer.")));
}

static void
count_for_job(McOssSink *sink)
{
	const mcn_stats *now = mcn_channel_stats(sink->target->conn->channel);
	int64		requests;
	int64		retries;

	if (!sink->job || sink->job != mcJob)
		return;
	mcOssSinkRequests(sink, &requests, &retries);
	mcJob->bytes_out += sink->stats.sent_bytes;
	mcJob->requests += requests;
	mcJob->retries += retries;
	mcJob->wait_target_us += sink->stats.wait_us;
	mcJob->throttled_us += now->rate_us - sink->before.rate_us + now->backoff_us - sink->before.backoff_us;
}

void
mcOssSinkEnd(McOssSink *sink)
{
	mcOssSinkFlush(sink);
	mcRejectsReport(&sink->rejects, sink->relname);
	report_order(sink);
	count_for_job(sink);
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (u->owner == sink)
			u->complete = true;
	if (sink->job)
		mcOssWrote(sink->target);
	sink->ended = true;
	mcOssWriterEnd();
	mcOssPartAbandon(sink);
}

const McOssSinkStats *
mcOssSinkGetStats(const McOssSink *sink)
{
	return &sink->stats;
}

void
mcOssSinkRequests(const McOssSink *sink, int64 *requests, int64 *retries)
{
	const mcn_stats *now = mcn_channel_stats(sink->target->conn->channel);

	*requests = now->requests - sink->before.requests;
	*retries = now->retries - sink->before.retries;
}

int64
mcOssSinkRejected(const McOssSink *sink)
{
	return sink->rejects.rejected;
}
