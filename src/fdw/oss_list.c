/*
 * oss_list.c
 *		The objects that a write has to look at: those of a directory, or all of a table.
 *
 * A directory is what SELECT shows with its values: other tools spell some values
 * differently (%3a or a plain colon for %3A), and name=value directories may stand
 * anywhere behind the prefix.  So directories are walked where the values may be found
 * under more than one name.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "oss_write.h"

#define MAX_DEPTH 256

typedef struct Walk
{
	McOssTarget *target;
	const mcw_view *values;		/* of the directory; NULL = of all */
	mcs_oss_lister *listers[MAX_DEPTH];	/* of a directory and those above it */
	int			nlisters;
	mcw_arena	arena;
	MemoryContextCallback callback;
	bool		(*visit) (const mcs_oss_object *object, void *arg);
	void	   *arg;
} Walk;

static void
close_lister(Walk *walk)
{
	mcs_oss_list_close(walk->listers[--walk->nlisters]);
}

static void
end_walk(void *arg)
{
	Walk	   *walk = arg;

	while (walk->nlisters > 0)
		close_lister(walk);
	mcw_arena_reset(&walk->arena);
}

static void
check(McOssTarget *target, mcw_status status, const mcw_error *err)
{
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcCheck(status, err, &target->conn->place);
}

static void
visit_one(McOssTarget *target, Walk *walk)
{
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	status = mcs_oss_head(&target->conn->client, mcw_str(target->table->object), &walk->arena, &object, &err);
	if (status == MCW_ERR_SERVICE && err.http_status == 404 && !mcs_oss_error_is(&err, "NoSuchBucket"))
		return;
	check(target, status, &err);
	object.key = mcw_str(target->table->object);
	(void) walk->visit(&object, walk->arg);
}

static bool
is_object(const Walk *walk, const mcw_oss_entry *entry)
{
	/* markers of directories are no objects */
	if (entry->size == 0 && entry->key.len > 0 && entry->key.data[entry->key.len - 1] == '/')
		return false;
	return mcOssCovers(walk->target->table, entry->key) &&
		(walk->values == NULL || mcOssPathDiffers(walk->target->table, entry->key, walk->values) < 0);
}

/* false: the visitor has seen enough */
static bool
visit_object(const Walk *walk, const mcw_oss_entry *entry)
{
	mcs_oss_object object;

	if (!is_object(walk, entry))
		return true;
	memset(&object, 0, sizeof(object));
	object.key = entry->key;
	object.etag = entry->etag;
	object.size = entry->size;
	object.last_modified = entry->last_modified;
	object.link = mcw_view_eq(entry->type, MCW_LIT("Symlink"));
	return walk->visit(&object, walk->arg);
}

static bool
visit_list(Walk *walk, const char *prefix, bool directories)
{
	McOssTarget *target = walk->target;
	mcs_oss_lister *lister = NULL;
	mcs_oss_listing listing;
	mcw_error	err;
	bool		more = true;

	memset(&err, 0, sizeof(err));
	if (walk->nlisters == MAX_DEPTH)
		check(target, mcw_fail(&err, MCW_ERR_LIMIT, "directories are nested deeper than %d", MAX_DEPTH), &err);
	check(target, mcs_oss_list_open(&target->conn->client, mcw_str(prefix), MCW_LIT(""),
									directories ? MCW_LIT("/") : MCW_LIT(""), &lister, &err), &err);
	walk->listers[walk->nlisters++] = lister;
	while (more)
	{
		bool		pending = false;
		bool		all;
		mcw_status	status = mcs_oss_list_next(lister, true, &pending, &listing, &err);

		if (status == MCW_END)
			break;
		check(target, status, &err);
		CHECK_FOR_INTERRUPTS();
		if (!listing.is_prefix)
			more = visit_object(walk, &listing.entry);
		else if (mcOssPathMayHave(target->table, listing.entry.key, walk->values, &all))
		{
			char	   *below = pnstrdup(listing.entry.key.data, listing.entry.key.len);

			more = visit_list(walk, below, !all);
			pfree(below);
		}
	}
	close_lister(walk);
	return more;
}

/* can the values stand in keys in no other way than ours? */
static bool
has_one_name(const McOssTable *table, const mcw_view *values)
{
	for (int i = 0; i < table->nparts; i++)
		if (values[i].data != NULL && !mcOssPathPlain(values[i]))
			return false;
	return !table->hive;
}

static void
visit_directory(Walk *walk, const char *directory)
{
	const McOssTable *table = walk->target->table;
	mcw_view	values[MC_OSS_MAX_PARTS];
	mcw_buf		scratch;

	if (directory == NULL || table->nparts == 0)
	{
		(void) visit_list(walk, table->literal, false);
		return;
	}
	mcw_buf_init(&scratch, &walk->target->conn->alloc, MCS_OSS_MAX_DOCUMENT);
	if (!mcOssPathValues(table, mcw_str(directory), values, &scratch))
		elog(ERROR, "\"%s\" is no directory of \"%s\"", directory, walk->target->name);
	walk->values = values;
	if (has_one_name(table, values))
		(void) visit_list(walk, directory, false);
	else
		(void) visit_list(walk, table->literal, true);
	walk->values = NULL;
	mcw_buf_free(&scratch);
}

/* requests must be gone before the connection: the walk is a child of the connection's memory */
void
mcOssVisit(McOssTarget *target, const char *directory,
		   bool (*visit) (const mcs_oss_object *object, void *arg), void *arg)
{
	MemoryContext cxt = AllocSetContextCreate(target->conn->cxt, "mc_fdw OSS list", ALLOCSET_DEFAULT_SIZES);
	Walk	   *walk = MemoryContextAllocZero(cxt, sizeof(Walk));

	walk->target = target;
	walk->visit = visit;
	walk->arg = arg;
	mcw_arena_init(&walk->arena, &target->conn->alloc, (size_t) 1 << 20);
	walk->callback.func = end_walk;
	walk->callback.arg = walk;
	MemoryContextRegisterResetCallback(cxt, &walk->callback);
	if (target->table->scope == MC_OSS_ONE)
		visit_one(target, walk);
	else
		visit_directory(walk, directory);
	MemoryContextDelete(cxt);
}
