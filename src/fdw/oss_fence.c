/*
 * oss_fence.c
 *		The fence of a job as objects of OSS: <prefix>_mc_fence/<uuid>/<n>, n from 1, each
 *		made only where there is none.  The last one holds the number.
 *
 * Only the last two are kept.  So a copy that was left far behind may find the name of its
 * next one free, because it was deleted since: whoever has made an object looks in the
 * list for later ones, and whether the one that he came from is still there.
 *
 * A bucket with versions may ignore x-oss-forbid-overwrite, and then two databases could
 * both find their own number when they look: it is refused.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "../service/mcs_oss_write.h"
#include "../wire/mcw_hash.h"
#include "fence.h"
#include "oss.h"
#include "publish.h"

#define MAX_ARENA ((size_t) 1 << 20)
#define DIRECTORY "_mc_fence/"

typedef struct Objects
{
	const McFence *fence;
	MemoryContext cxt;
	MemoryContextCallback callback;
	McOssConn  *conn;
	mcn_channel *once;			/* never repeats a request by itself */
	char	   *directory;		/* <prefix>_mc_fence/<uuid>/ */
	McPlace		place;
} Objects;

static const char *
prefix_of(Relation rel)
{
	List	   *options = GetForeignTable(RelationGetRelid(rel))->options;
	const char *prefix = mcOptionText(options, "prefix");

	if (prefix == NULL || prefix[0] == '\0' || prefix[strlen(prefix) - 1] != '/' || strchr(prefix, '{') != NULL ||
		mcOptionText(options, "pattern") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot hold fences of jobs", RelationGetRelationName(rel)),
				 errdetail("It does not show a directory."),
				 errhint("Use a foreign table with a plain \"prefix\" that ends in \"/\", and without \"pattern\".")));
	return prefix;
}

void
mcOssFenceCheck(Relation rel)
{
	(void) prefix_of(rel);
}

static void
release_once(void *arg)
{
	Objects    *o = arg;

	if (o->once != NULL)
		mcn_channel_free(o->once);
	o->once = NULL;
}

static Objects *
open_objects(const McFence *fence)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "mc_fdw fence", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	const char *prefix = prefix_of(fence->rel);
	Objects    *o;

	if (fence->server->bucket == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" cannot hold fences of jobs", RelationGetRelationName(fence->rel)),
				 errdetail("It belongs to a plain web server.")));
	old = MemoryContextSwitchTo(cxt);
	o = palloc0(sizeof(Objects));
	o->cxt = cxt;
	o->fence = fence;
	o->conn = mcOssConnect(fence->server, cxt);
	o->callback.func = release_once;
	o->callback.arg = o;
	MemoryContextRegisterResetCallback(cxt, &o->callback);
	o->once = mcPublishChannel(fence->server, &o->conn->alloc, o->conn->client.channel, fence->server->endpoint,
							   o->conn->client.style == MCS_OSS_VIRTUAL ? fence->server->bucket : NULL);
	o->directory = psprintf("%s" DIRECTORY "%s/", mcOssToWire(prefix), fence->job);
	o->place = o->conn->place;
	o->place.part = psprintf("directory \"%s\"", mcOssShown(mcw_str(o->directory)));
	MemoryContextSwitchTo(old);
	return o;
}

static char *
finish(Objects *o, const char *value)
{
	char	   *result = pstrdup(value);

	MemoryContextDelete(o->cxt);
	return result;
}

static int64
counter_of(const char *number)
{
	return number[0] != '\0' ? strtoll(number, NULL, 10) : 0;
}

static mcw_view
key_of(const Objects *o, int64 n)
{
	return mcw_str(MemoryContextStrdup(o->cxt, psprintf("%s%012lld", o->directory, (long long) n)));
}

/* The number in object n; "" = there is none */
static char *
read_object(const Objects *o, int64 n)
{
	mcw_arena	arena;
	mcs_oss_object object;
	mcw_error	err;
	mcw_status	status;
	char	   *value = "";

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, &o->conn->alloc, MAX_ARENA);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_oss_head(&o->conn->client, key_of(o, n), &arena, &object, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	if (status == MCW_OK)
	{
		value = pnstrdup(object.token.data ? object.token.data : "", object.token.len);
		if (counter_of(value) != n)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("object \"%s\" is no fence of a job", mcOssShown(key_of(o, n))),
					 errdetail("It has no number in its metadata, or that of another object."),
					 mcPlaceContext(&o->place)));
	}
	else if (status != MCW_ERR_SERVICE || err.http_status != 404 || mcs_oss_error_is(&err, "NoSuchBucket"))
		mcRaise(&err, &o->place);
	mcw_arena_reset(&arena);
	return value;
}

/* The largest n that the list shows; 0 = none */
static int64
list_objects(const Objects *o)
{
	mcs_oss_lister *lister;
	mcs_oss_listing listing;
	mcw_error	err;
	mcw_status	status;
	bool		pending;
	volatile int64 top = 0;

	memset(&err, 0, sizeof(err));
	mcCheck(mcs_oss_list_open(&o->conn->client, mcw_str(o->directory), (mcw_view) {NULL, 0}, (mcw_view) {NULL, 0}, &lister, &err),
			&err, &o->place);
	PG_TRY();
	{
		for (;;)
		{
			char	   *name;

			CHECK_FOR_INTERRUPTS();
			status = mcs_oss_list_next(lister, true, &pending, &listing, &err);
			if (status == MCW_ERR_INTERRUPTED)
				continue;
			if (status == MCW_END)
				break;
			mcCheck(status, &err, &o->place);
			name = pnstrdup(listing.entry.key.data, listing.entry.key.len);
			top = Max(top, strtoll(name + Min(strlen(o->directory), strlen(name)), NULL, 10));
		}
	}
	PG_FINALLY();
	{
		mcs_oss_list_close(lister);
	}
	PG_END_TRY();
	return top;
}

/* The last one: of the list, of those that are known, and of those that a list might not show yet */
static char *
last_object(const Objects *o, int64 known)
{
	int64		n = Max(list_objects(o), known);
	char	   *value = n > 0 ? read_object(o, n) : "";

	for (;;)
	{
		char	   *next = read_object(o, ++n);

		if (next[0] == '\0')
			return value;
		value = next;
	}
}

char *
mcOssFenceRead(const McFence *fence)
{
	Objects    *o = open_objects(fence);

	return finish(o, last_object(o, counter_of(fence->last)));
}

static void
check_versions(const Objects *o)
{
	mcw_arena	arena;
	mcw_view	state;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, &o->conn->alloc, MAX_ARENA);
	do
	{
		CHECK_FOR_INTERRUPTS();
		status = mcs_oss_versioning(&o->conn->client, &arena, &state, &err);
	} while (status == MCW_ERR_INTERRUPTED);
	mcCheck(status, &err, &o->place);
	if (state.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("bucket \"%s\" keeps versions of objects and cannot hold fences of jobs", o->conn->server->bucket),
				 errdetail("There two databases could make one object, each without noticing the other."),
				 errhint("Use another bucket, or a Tablestore table."),
				 mcPlaceContext(&o->place)));
	mcw_arena_reset(&arena);
}

static void
delete_object(const Objects *o, int64 n)
{
	mcs_oss_call call;
	mcw_error	err;
	mcw_status	status;
	const char *hint;

	memset(&err, 0, sizeof(err));
	mcs_oss_call_init(&call, &o->conn->client, "DELETE", key_of(o, n), 65536);
	status = mcs_oss_call_run(&call, &err);
	mcs_oss_call_free(&call);
	CHECK_FOR_INTERRUPTS();
	if (status != MCW_OK && status != MCW_ERR_INTERRUPTED)
		ereport(WARNING,
				(errcode(mcErrorState(&err, MC_OSS, &hint)),
				 errmsg("object \"%s\" of a fence could not be deleted: %s", mcOssShown(key_of(o, n)), mcPrintable(err.message)),
				 errdetail("It does no harm and may be deleted by hand.")));
}

char *
mcOssFenceSwap(const McFence *fence, const char *next)
{
	Objects    *o = open_objects(fence);
	int64		n = counter_of(next);
	mcw_view	body = mcw_str(next);
	mcs_oss_upload upload = {
		.key = key_of(o, n), .content_type = MCW_LIT("text/plain"), .token = body, .alloc = &o->conn->alloc,
		.size = body.len, .crc64 = mcw_crc64(0, body.data, body.len)
	};
	mcs_oss_outcome outcome;
	mcw_error	err;
	char	   *value;

	memset(&err, 0, sizeof(err));
	check_versions(o);
	if (n > 1 && strcmp(read_object(o, n - 1), fence->last) != 0)
		return finish(o, last_object(o, n - 1));
	outcome = mcs_oss_publish(&o->conn->client, o->once, &upload, body, mcn_now_us() + (int64) mc_publish_timeout * 1000, &err);
	CHECK_FOR_INTERRUPTS();
	if (outcome != MCS_OSS_PUBLISHED &&
		!mcs_oss_error_is(&err, "FileAlreadyExists") && !mcs_oss_error_is(&err, "ObjectAlreadyExists"))
		mcRaise(&err, &o->place);
	value = last_object(o, n);
	if (strcmp(value, next) == 0 && n > 1 && strcmp(read_object(o, n - 1), fence->last) != 0)
	{
		/* it must not be taken for ours later on */
		delete_object(o, n);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the number that the fence replaces has gone: object \"%s\"", mcOssShown(key_of(o, n - 1))),
				 errdetail("Somebody has deleted it, or other databases have gone on."),
				 mcPlaceContext(&o->place)));
	}
	if (strcmp(value, next) == 0 && n > 2)
		delete_object(o, n - 2);
	return finish(o, value);
}
