/*
 * oss_source.c
 *		The objects of a scan, one after the other: listed page by page while the ones
 *		before are read, and chosen by the conditions that read nothing of their content.
 *
 * Where such a condition reads values that stand in the key, directories are walked
 * and ruled out before what is below them is listed.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/timestamp.h"

#include "oss.h"

#define MAX_DEPTH 256
#define MAX_RUN 1000			/* directories listed together */

/* One listing; below it in the stack are those of the directories around it */
typedef struct Level
{
	mcs_oss_lister *lister;
	bool		walk;			/* lists directories */
	bool		has_held;		/* an entry that was looked at too early */
	mcs_oss_listing held;
	char		first[MCS_OSS_MAX_KEY + 1];	/* directories that are listed next, both included */
	char		last[MCS_OSS_MAX_KEY + 1];
	const char *upto;			/* the last directory of this listing, in the level below; NULL = all */
} Level;

struct McOssSource
{
	McOssConn  *conn;
	const McOssTable *table;
	const McOssChoice *choice;
	MemoryContext cxt;
	MemoryContextCallback callback;
	Level	   *levels;
	int			nlevels;
	bool		finished;
	bool		has_one;
	mcs_oss_object one;
	mcw_arena	arena;			/* of 'one' */

	/* to evaluate conditions */
	TupleTableSlot *slot;
	McTextColumn *texts;		/* by attnum - 1 */
	mcw_view	parts[MC_OSS_MAX_PARTS];
	mcw_buf		scratch;
	McOssSourceStats stats;
};

/* ---- values of an object ---- */

static Datum
text_value(McTextColumn *text, mcw_view value, const char *what, const McOssColumn *column, const mcs_oss_object *object)
{
	Datum		datum;
	McTextError error;

	if (mcTextConvert(text, value, true, &datum, &error) != MC_TEXT_OK)
		ereport(ERROR,
				(errcode(error.sqlstate),
				 errmsg("%s of object \"%s\" does not fit column \"%s\": %s", what,
						mcOssShown(object->key), column->attname, error.reason),
				 column->kind == MC_OSS_PATH ? errhint("Declare the column as text.") : 0));
	return datum;
}

bool
mcOssObjectValue(const McOssTable *table, const McOssColumn *column, McTextColumn *text,
				 const mcs_oss_object *object, const mcw_view *parts, Datum *value)
{
	switch (column->kind)
	{
		case MC_OSS_OBJECT:
			*value = text_value(text, object->key, "the key", column, object);
			return true;
		case MC_OSS_ETAG:
			if (object->etag.len == 0)
				return false;
			*value = text_value(text, object->etag, "the ETag", column, object);
			return true;
		case MC_OSS_SIZE:
			*value = Int64GetDatum((int64) object->size);
			return object->size != UINT64_MAX;
		case MC_OSS_LAST_MODIFIED:
			*value = TimestampTzGetDatum(object->last_modified - MC_EPOCH_US);
			return object->last_modified != 0;
		case MC_OSS_PATH:
			if (parts[column->index].data == NULL)
				return false;
			*value = text_value(text, parts[column->index], psprintf("\"%s\" in the key", column->name), column, object);
			return true;
		default:
			return false;
	}
}

/* ---- conditions ---- */

static void
prepare_slot(McOssSource *source)
{
	const McOssChoice *choice = source->choice;
	TupleDesc	desc = RelationGetDescr(choice->rel);
	ListCell   *lc;

	source->slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(desc), &TTSOpsVirtual);
	source->texts = palloc0(sizeof(McTextColumn) * (desc->natts + 1));
	foreach(lc, source->table->columns)
	{
		const McOssColumn *column = lfirst(lc);
		McTextColumn *text = &source->texts[column->attnum - 1];

		if (column->kind == MC_OSS_PATH || column->kind == MC_OSS_OBJECT || column->kind == MC_OSS_ETAG)
			mcTextColumnInit(text, column->type, column->typmod);
		if (column->kind == MC_OSS_PATH)
			text->zone = source->conn->server->timezone;
	}
}

/* Fill what is known; 'known' has a bit for each path part, 'is_object' that all of the rest is there */
static void
fill_slot(McOssSource *source, const mcs_oss_object *object, uint64 known, bool is_object)
{
	TupleTableSlot *slot = source->slot;
	ListCell   *lc;

	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	foreach(lc, source->table->columns)
	{
		const McOssColumn *column = lfirst(lc);
		int			i = column->attnum - 1;

		if (!bms_is_member(column->attnum, source->choice->attnums))
			continue;
		if (column->kind == MC_OSS_PATH ? (known & UINT64CONST(1) << column->index) != 0 : is_object)
			slot->tts_isnull[i] = !mcOssObjectValue(source->table, column, &source->texts[i], object,
													source->parts, &slot->tts_values[i]);
	}
	ExecStoreVirtualTuple(slot);
}

static bool
passes(McOssSource *source, const mcs_oss_object *object, uint64 known, bool is_object)
{
	const McOssChoice *choice = source->choice;
	ExprContext *econtext = choice->econtext;
	MemoryContext old;
	bool		result = true;

	if (choice->nfilters == 0)
		return true;
	ResetExprContext(econtext);
	old = MemoryContextSwitchTo(econtext->ecxt_per_tuple_memory);
	fill_slot(source, object, known, is_object);
	econtext->ecxt_scantuple = source->slot;
	for (int i = 0; i < choice->nfilters && result; i++)
	{
		const McOssFilter *f = &choice->filters[i];

		if (f->by_ledger)
			continue;
		if (is_object || (f->path_only && (f->parts & ~known) == 0))
			result = ExecQual(f->state, econtext);
	}
	MemoryContextSwitchTo(old);
	return result;
}

/* Is one of the conditions waiting for a part that the directory does not tell? */
static bool
may_prune_below(const McOssSource *source, uint64 known)
{
	for (int i = 0; i < source->choice->nfilters; i++)
		if (source->choice->filters[i].path_only && (source->choice->filters[i].parts & ~known) != 0)
			return true;
	return false;
}

/* ---- the listing ---- */

/* What all keys of the scan begin with: the table's literal, lengthened by what conditions fix */
static char *
listing_prefix(const McOssSource *source)
{
	const McOssTable *table = source->table;
	const McOssChoice *choice = source->choice;
	StringInfoData prefix;
	int			i;

	if (choice->from_key && choice->to_key && strcmp(choice->from_key, choice->to_key) == 0 &&
		strncmp(choice->from_key, table->literal, strlen(table->literal)) == 0)
		return choice->from_key;
	initStringInfo(&prefix);
	appendStringInfoString(&prefix, table->literal);
	if (table->hive)
		return prefix.data;
	for (i = 0; i < table->nparts && choice->part_values[i] && mcOssPathPlain(mcw_str(choice->part_values[i])); i++)
		appendStringInfo(&prefix, "%s%s", table->parts[i].before, choice->part_values[i]);
	if (i > 0)
		appendStringInfoString(&prefix, i < table->nparts ? table->parts[i].before : table->tail);
	return prefix.data;
}

/*
 * start-after is exclusive, so the bound loses its last character.  Where directories
 * are listed it must end before the slash that ends a directory's name, or the directory
 * it stands in could count as already seen.
 */
static char *
start_after(const McOssSource *source, mcw_view prefix, bool walk)
{
	const char *from = source->choice->from_key;
	int			len = from ? (int) strlen(from) : 0;

	if (walk && len > prefix.len && memcmp(from, prefix.data, prefix.len) == 0)
		len = (int) (prefix.len + strcspn(from + prefix.len, "/"));
	while (len > 0 && ((unsigned char) from[len - 1] & 0xC0) == 0x80)
		len--;
	return len > 1 ? pnstrdup(from, len - 1) : "";
}

/* List what is below 'prefix', behind the key 'after' */
static mcw_status
enter(McOssSource *source, mcw_view prefix, const char *after, const char *upto, mcw_error *err)
{
	Level	   *level = &source->levels[source->nlevels];
	const char *bound;
	uint64		known = 0;

	if (source->nlevels == MAX_DEPTH)
		return mcw_fail(err, MCW_ERR_LIMIT, "directories are nested deeper than %d", MAX_DEPTH);
	source->scratch.len = 0;
	level->has_held = false;
	level->upto = upto;
	level->walk = upto == NULL && source->table->nparts > 0 &&
		mcOssPathKnown(source->table, prefix, source->parts, &source->scratch, &known) &&
		may_prune_below(source, known);
	source->nlevels++;
	bound = start_after(source, prefix, level->walk);
	return mcs_oss_list_open(&source->conn->client, prefix, mcw_str(strcmp(bound, after) > 0 ? bound : after),
							 level->walk ? MCW_LIT("/") : MCW_LIT(""), &level->lister, err);
}

static void
leave(McOssSource *source)
{
	Level	   *level = &source->levels[--source->nlevels];

	if (level->lister != NULL)
	{
		source->stats.pages += mcs_oss_list_pages(level->lister);
		mcs_oss_list_close(level->lister);
		level->lister = NULL;
	}
}

/* Should what is below this directory be listed?  '*deeper': may a condition rule out parts of it? */
static bool
wants_directory(McOssSource *source, mcw_view directory, bool *deeper)
{
	mcs_oss_object nobody = {.key = directory};
	uint64		known;

	source->scratch.len = 0;
	if (!mcOssPathKnown(source->table, directory, source->parts, &source->scratch, &known))
	{
		source->stats.passed_over++;
		source->stats.marks += mcOssIsMark(source->table, directory);
		return false;
	}
	*deeper = may_prune_below(source, known);
	if (passes(source, &nobody, known, false))
		return true;
	source->stats.pruned++;
	return false;
}

static void
keep_key(char *to, mcw_view key)
{
	memcpy(to, key.data, key.len);
	to[key.len] = '\0';
}

static mcw_status
check_key(const mcs_oss_listing *listing, mcw_error *err)
{
	if (listing->entry.key.len <= MCS_OSS_MAX_KEY)
		return MCW_OK;
	return mcw_fail(err, MCW_ERR_PROTOCOL, "the list has a key of %zu bytes", listing->entry.key.len);
}

/*
 * A directory is wanted.  Those right behind it that are wanted too, as far as they are
 * known without waiting, are listed with it: many small directories would cost a
 * request each.
 */
static mcw_status
enter_run(McOssSource *source, Level *level, mcw_view directory, mcw_error *err)
{
	size_t		common = 0;

	keep_key(level->first, directory);
	keep_key(level->last, directory);
	for (int n = 1; n < MAX_RUN; n++)
	{
		bool		pending = false;
		bool		deeper = false;
		mcw_status	status = mcs_oss_list_next(level->lister, false, &pending, &level->held, err);

		if (status == MCW_END)
			break;
		if (status == MCW_OK)
			status = check_key(&level->held, err);
		if (status != MCW_OK)
			return status;
		if (!level->held.is_prefix || (source->choice->to_key &&
									   mcw_view_cmp(level->held.entry.key, mcw_str(source->choice->to_key)) > 0))
		{
			level->has_held = true;
			break;
		}
		if (!wants_directory(source, level->held.entry.key, &deeper))
			break;
		if (deeper)
		{
			level->has_held = true;
			break;
		}
		keep_key(level->last, level->held.entry.key);
	}
	while (level->first[common] && level->first[common] == level->last[common])
		common++;
	return enter(source, (mcw_view) {level->first, common}, strcmp(level->first, level->last) == 0 ? "" : level->first,
				 level->last, err);
}

static bool
wants_object(McOssSource *source, const mcs_oss_object *object)
{
	const McOssChoice *choice = source->choice;

	source->stats.listed++;
	source->scratch.len = 0;
	if (!mcOssCovers(source->table, object->key) ||
		!mcOssPathValues(source->table, object->key, source->parts, &source->scratch))
	{
		source->stats.passed_over++;
		source->stats.marks += mcOssIsMark(source->table, object->key);
		return false;
	}
	if ((choice->from_key && mcw_view_cmp(object->key, mcw_str(choice->from_key)) < 0) ||
		(object->last_modified != 0 &&
		 (object->last_modified < choice->modified_from || object->last_modified > choice->modified_to)) ||
		!passes(source, object, (UINT64CONST(1) << source->table->nparts) - 1, true))
	{
		source->stats.pruned++;
		return false;
	}
	if (choice->ledger != NULL && !mcOssLedgerTakes(choice->ledger, object))
	{
		source->stats.pruned++;
		return false;
	}
	source->stats.taken++;
	return true;
}

/* The end of the list; to have found nothing at all is an error unless a condition, or whoever wrote nothing, explains it */
static mcw_status
finish(McOssSource *source)
{
	const McOssSourceStats *stats = &source->stats;
	const char *begin = source->table->literal;

	source->finished = true;
	if (source->choice->ledger != NULL)
		mcOssLedgerEnd(source->choice->ledger);
	if (stats->taken > 0 || stats->pruned > 0 || stats->marks > 0 || source->choice->narrowed ||
		mcServerOptionBool(source->conn->server, "missing_ok", false))
		return MCW_END;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FILE),
			 errmsg("foreign table \"%s\" has no object", RelationGetRelationName(source->choice->rel)),
			 stats->passed_over > 0 ?
			 errdetail_plural("%lld key begins with \"%s\", but it does not have the form of the table's keys.",
							  "%lld keys begin with \"%s\", but none has the form of the table's keys.",
							  (unsigned long) stats->passed_over, (long long) stats->passed_over,
							  mcOssShown(mcw_str(begin))) :
			 begin[0] == '\0' ? errdetail("Bucket \"%s\" is empty.", source->conn->server->bucket) :
			 errdetail("Bucket \"%s\" has no key that begins with \"%s\".", source->conn->server->bucket,
					   mcOssShown(mcw_str(begin))),
			 errhint("Option missing_ok makes it a table without rows.")));
}

/* Is the listing over with this key? */
static bool
is_beyond(const McOssSource *source, const Level *level, mcw_view key)
{
	if (source->choice->to_key && mcw_view_cmp(key, mcw_str(source->choice->to_key)) > 0)
		return true;
	return level->upto && mcw_view_cmp(key, mcw_str(level->upto)) > 0 &&
		(key.len < strlen(level->upto) || memcmp(key.data, level->upto, strlen(level->upto)) != 0);
}

static mcw_status
next_entry(Level *level, bool wait, bool *pending, mcs_oss_listing *listing, mcw_error *err)
{
	mcw_status	status;

	if (level->has_held)
	{
		level->has_held = false;
		*listing = level->held;
		return MCW_OK;
	}
	status = mcs_oss_list_next(level->lister, wait, pending, listing, err);
	return status == MCW_OK ? check_key(listing, err) : status;
}

static mcw_status
next_listed(McOssSource *source, bool wait, bool *pending, mcs_oss_object *object, mcw_error *err)
{
	while (source->nlevels > 0)
	{
		Level	   *level = &source->levels[source->nlevels - 1];
		mcs_oss_listing listing;
		mcw_status	status = next_entry(level, wait, pending, &listing, err);
		bool		deeper = false;

		if (status == MCW_END && *pending)
			return MCW_END;
		if (status != MCW_OK && status != MCW_END)
			return status;
		if (status == MCW_END || is_beyond(source, level, listing.entry.key))
			leave(source);
		else if (listing.is_prefix)
		{
			if (!wants_directory(source, listing.entry.key, &deeper))
				continue;
			if (deeper)
			{
				keep_key(level->first, listing.entry.key);
				status = enter(source, mcw_str(level->first), "", NULL, err);
			}
			else
				status = enter_run(source, level, listing.entry.key, err);
			if (status != MCW_OK)
				return status;
		}
		else if (listing.entry.size > 0 || listing.entry.key.len == 0 ||
				 listing.entry.key.data[listing.entry.key.len - 1] != '/')
		{
			memset(object, 0, sizeof(*object));
			object->key = listing.entry.key;
			object->etag = listing.entry.etag;
			object->size = listing.entry.size;
			object->last_modified = listing.entry.last_modified;
			object->ranges = true;
			object->appendable = mcw_view_eq(listing.entry.type, MCW_LIT("Appendable"));
			object->link = mcw_view_eq(listing.entry.type, MCW_LIT("Symlink"));
			if (wants_object(source, object))
				return MCW_OK;
		}
	}
	return finish(source);
}

/* What the window read before, or another scan of it */
static mcw_status
next_recorded(McOssSource *source, mcs_oss_object *object)
{
	while (mcOssLedgerNext(source->choice->ledger, object))
		if (wants_object(source, object))
			return MCW_OK;
	return finish(source);
}

mcw_status
mcOssSourceNext(void *arg, bool wait, bool *pending, mcs_oss_object *object, mcw_error *err)
{
	McOssSource *source = arg;

	*pending = false;
	if (source->finished)
		return MCW_END;
	if (source->choice->ledger != NULL && mcOssLedgerListed(source->choice->ledger))
		return next_recorded(source, object);
	if (source->table->scope == MC_OSS_PREFIX)
		return next_listed(source, wait, pending, object, err);
	source->finished = true;
	if (source->has_one && wants_object(source, &source->one))
	{
		*object = source->one;
		return MCW_OK;
	}
	return MCW_END;
}

/* ---- life ---- */

static void
release(void *arg)
{
	McOssSource *source = arg;

	while (source->nlevels > 0)
		leave(source);
	mcw_arena_reset(&source->arena);
	mcw_buf_free(&source->scratch);
}

/* The object of option "object": what is read is what is there now */
static void
look_at_one(McOssSource *source)
{
	McServer   *server = source->conn->server;
	McPlace		place = source->conn->place;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	place.part = psprintf("object \"%s\"", mcOssShown(mcw_str(source->table->object)));
	status = mcs_oss_head(&source->conn->client, mcw_str(source->table->object), &source->arena, &source->one, &err);
	source->has_one = status == MCW_OK;
	if (status == MCW_ERR_SERVICE && err.http_status == 404 && !mcs_oss_error_is(&err, "NoSuchBucket") &&
		mcServerOptionBool(server, "missing_ok", false))
		return;
	mcCheck(status, &err, &place);
}

McOssSource *
mcOssSourceOpen(McOssConn *conn, const McOssTable *table, const McOssChoice *choice, MemoryContext cxt)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	McOssSource *source = palloc0(sizeof(McOssSource));
	mcw_error	err;

	source->conn = conn;
	source->table = table;
	source->choice = choice;
	source->cxt = cxt;
	mcw_arena_init(&source->arena, &conn->alloc, MCS_OSS_MAX_DOCUMENT);
	mcw_buf_init(&source->scratch, &conn->alloc, MCS_OSS_MAX_DOCUMENT);
	source->callback.func = release;
	source->callback.arg = source;
	MemoryContextRegisterResetCallback(cxt, &source->callback);
	prepare_slot(source);
	if (choice->empty || choice->modified_from > choice->modified_to)
		source->finished = true;
	else if (choice->ledger != NULL && mcOssLedgerListed(choice->ledger))
		;
	else if (table->scope == MC_OSS_ONE)
		look_at_one(source);
	else
	{
		memset(&err, 0, sizeof(err));
		source->levels = palloc0(sizeof(Level) * MAX_DEPTH);
		mcCheck(enter(source, mcw_str(listing_prefix(source)), "", NULL, &err), &err, &conn->place);
	}
	MemoryContextSwitchTo(old);
	return source;
}

void
mcOssSourceStats(const McOssSource *source, McOssSourceStats *stats)
{
	*stats = source->stats;
	for (int i = 0; i < source->nlevels; i++)
	{
		const mcs_oss_lister *lister = source->levels[i].lister;

		if (lister == NULL)
			continue;
		stats->pages += mcs_oss_list_pages(lister);
		stats->waiting += mcs_oss_list_left(lister);
	}
}

void
mcOssSourceClose(McOssSource *source)
{
	release(source);
	source->finished = true;
}
