/*
 * orphaned_uploads.c
 *		mc.orphaned_uploads(), mc.cleanup_uploads(): multipart uploads that a crash has
 *		left in a bucket.
 *
 * OSS keeps the parts of an upload, and charges for them, until it is completed or
 * aborted.  Only uploads whose key was given by an INSERT are ever aborted here, not
 * those of the transaction that asks; those of other ones that are running are told
 * apart by their age alone.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "../fdw/compat.h"
#include "../fdw/oss_write.h"
#include "tools.h"

#define MAX_PAGE ((size_t) 16 << 20)

PG_FUNCTION_INFO_V1(mc_orphaned_uploads);
PG_FUNCTION_INFO_V1(mc_cleanup_uploads);

typedef struct Walk
{
	McOssConn  *conn;
	MemoryContext cxt;
	TimestampTz before;			/* initiated earlier than that */
	bool		everybody;
	mcw_arena	arena;			/* the present page */
	mcw_oss_uploads page;
	int			next;
	bool		begun;
} Walk;

static McOssConn *
connect_to(const char *name, MemoryContext cxt)
{
	ForeignServer *fs = GetForeignServerByName(name, false);
	McServer   *server;

	mcCheckServerUsage(fs->serverid);
	if (mcWrapperOfServer(fs->serverid) != MC_OSS)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not of foreign-data wrapper oss_fdw", name)));
	server = mcGetServer(MC_OSS, fs->serverid, GetUserId(), InvalidOid, true);
	if (!server->bucket)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is a plain web server, which has no uploads", name)));
	return mcOssConnect(server, cxt);
}

static Walk *
begin_walk(FunctionCallInfo fcinfo)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "mc_fdw uploads of a bucket", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Walk	   *walk = palloc0(sizeof(Walk));

	walk->cxt = cxt;
	walk->conn = connect_to(NameStr(*PG_GETARG_NAME(0)), cxt);
	walk->before = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_mi_interval,
														   TimestampTzGetDatum(GetCurrentTimestamp()),
														   PointerGetDatum(PG_GETARG_INTERVAL_P(1))));
	mcw_arena_init(&walk->arena, &walk->conn->alloc, MAX_PAGE);
	MemoryContextSwitchTo(old);
	mcOssReapKept(true);
	return walk;
}

static void
check(Walk *walk, mcw_status status, const mcw_error *err)
{
	mcCheck(status, err, &walk->conn->place);
}

static void
next_page(Walk *walk)
{
	mcw_buf		key;
	mcw_buf		id;
	mcw_error	err;

	/* the markers are in the page that goes */
	mcw_buf_init(&key, &walk->conn->alloc, 4096);
	mcw_buf_init(&id, &walk->conn->alloc, 4096);
	if (walk->begun && (mcw_buf_append_view(&key, walk->page.next_key) != MCW_OK ||
						mcw_buf_append_view(&id, walk->page.next_upload_id) != MCW_OK))
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	mcw_arena_reset(&walk->arena);
	memset(&err, 0, sizeof(err));
	check(walk, mcs_oss_list_uploads(&walk->conn->client, MCW_LIT(""), mcw_buf_view(&key), mcw_buf_view(&id),
									 &walk->arena, &walk->page, &err), &err);
	walk->begun = true;
	walk->next = 0;
	mcw_buf_free(&key);
	mcw_buf_free(&id);
}

static TimestampTz
initiated(const mcw_oss_upload *upload)
{
	return upload->initiated - MC_EPOCH_US;
}

/* of the transaction that asks */
static bool
is_own(const Walk *walk, const mcw_oss_upload *upload)
{
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (mcw_view_eq(upload->upload_id, mcw_str(u->object.id)) && mcw_view_eq(upload->key, u->object.key) &&
			mcOssSameBucket(walk->conn, u->target->conn))
			return true;
	return false;
}

/* NULL at the end; valid until the next call */
static const mcw_oss_upload *
next_orphan(Walk *walk)
{
	for (;;)
	{
		const mcw_oss_upload *u;

		CHECK_FOR_INTERRUPTS();
		if (!walk->begun || walk->next == walk->page.nuploads)
		{
			if (walk->begun && !walk->page.truncated)
				return NULL;
			next_page(walk);
			continue;
		}
		u = &walk->page.uploads[walk->next++];
		if (initiated(u) < walk->before && (walk->everybody || (mcOssOurKey(u->key) && !is_own(walk, u))))
			return u;
	}
}

Datum
mc_orphaned_uploads(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	const mcw_oss_upload *u;
	Walk	   *walk;

	mcInitMaterializedSRF(fcinfo);
	walk = begin_walk(fcinfo);
	walk->everybody = PG_GETARG_BOOL(2);
	while ((u = next_orphan(walk)) != NULL)
	{
		Datum		values[4];
		bool		nulls[4] = {false};

		values[0] = CStringGetTextDatum(mcOssShown(u->key));
		values[1] = PointerGetDatum(cstring_to_text_with_len(u->upload_id.data, u->upload_id.len));
		values[2] = TimestampTzGetDatum(initiated(u));
		values[3] = BoolGetDatum(mcOssOurKey(u->key));
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
	MemoryContextDelete(walk->cxt);
	return (Datum) 0;
}

Datum
mc_cleanup_uploads(PG_FUNCTION_ARGS)
{
	const mcw_oss_upload *u;
	int64		count = 0;
	Walk	   *walk;

	PreventCommandIfReadOnly("mc.cleanup_uploads()");
	walk = begin_walk(fcinfo);
	while ((u = next_orphan(walk)) != NULL)
	{
		mcw_error	err;

		memset(&err, 0, sizeof(err));
		check(walk, mcs_oss_upload_abort(&walk->conn->client, u->key, u->upload_id, &err), &err);
		count++;
	}
	MemoryContextDelete(walk->cxt);
	PG_RETURN_INT64(count);
}
