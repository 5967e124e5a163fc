/*
 * oss_list.c
 *		The objects that a write has to look at: those of a directory, or all of a table.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "oss_write.h"

typedef struct Walk
{
	mcs_oss_lister *lister;
	mcw_arena	arena;
	MemoryContextCallback callback;
} Walk;

static void
end_walk(void *arg)
{
	Walk	   *walk = arg;

	if (walk->lister)
		mcs_oss_list_close(walk->lister);
	walk->lister = NULL;
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
visit_one(McOssTarget *target, Walk *walk, bool (*visit) (const mcs_oss_object *object, void *arg), void *arg)
{
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	status = mcs_oss_head(&target->conn->client, mcw_str(target->table->object), &walk->arena, &object, &err);
	if (status == MCW_ERR_SERVICE && err.http_status == 404)
		return;
	check(target, status, &err);
	object.key = mcw_str(target->table->object);
	(void) visit(&object, arg);
}

static void
visit_list(McOssTarget *target, const char *directory, Walk *walk,
		   bool (*visit) (const mcs_oss_object *object, void *arg), void *arg)
{
	const char *prefix = directory ? directory : target->table->literal;
	mcs_oss_listing listing;
	mcw_error	err;

	memset(&err, 0, sizeof(err));
	check(target, mcs_oss_list_open(&target->conn->client, mcw_str(prefix), MCW_LIT(""), MCW_LIT(""),
									&walk->lister, &err), &err);
	for (;;)
	{
		bool		pending = false;
		mcs_oss_object object;
		mcw_status	status = mcs_oss_list_next(walk->lister, true, &pending, &listing, &err);

		if (status == MCW_END)
			return;
		check(target, status, &err);
		CHECK_FOR_INTERRUPTS();
		/* markers of directories are no objects */
		if (listing.is_prefix || !mcOssCovers(target->table, listing.entry.key) ||
			(listing.entry.size == 0 && listing.entry.key.len > 0 &&
			 listing.entry.key.data[listing.entry.key.len - 1] == '/'))
			continue;
		memset(&object, 0, sizeof(object));
		object.key = listing.entry.key;
		object.etag = listing.entry.etag;
		object.size = listing.entry.size;
		object.last_modified = listing.entry.last_modified;
		if (!visit(&object, arg))
			return;
	}
}

/* requests must be gone before the connection: the walk is a child of the connection's memory */
void
mcOssVisit(McOssTarget *target, const char *directory,
		   bool (*visit) (const mcs_oss_object *object, void *arg), void *arg)
{
	MemoryContext cxt = AllocSetContextCreate(target->conn->cxt, "mc_fdw OSS list", ALLOCSET_DEFAULT_SIZES);
	Walk	   *walk = MemoryContextAllocZero(cxt, sizeof(Walk));

	mcw_arena_init(&walk->arena, &target->conn->alloc, (size_t) 1 << 20);
	walk->callback.func = end_walk;
	walk->callback.arg = walk;
	MemoryContextRegisterResetCallback(cxt, &walk->callback);
	if (target->table->scope == MC_OSS_ONE)
		visit_one(target, walk, visit, arg);
	else
		visit_list(target, directory, walk, visit, arg);
	MemoryContextDelete(cxt);
}
