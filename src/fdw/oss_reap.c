/*
 * oss_reap.c
 *		Multipart uploads that nobody will complete: taken back when their transaction
 *		is rolled back, or on the next occasion.
 *
 * A rollback must not fail and must not take long: requests are made in parallel
 * under one short deadline, without palloc that could raise, without a look at the
 * catalog, waiting on the network only.  What could not be taken back then keeps its
 * transaction's connection and memory, and is tried again before a later commit of
 * this session, before its next write, and when the session ends.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"

#include "oss_write.h"
#include "publish.h"

#define IN_FLIGHT 16
#define MAX_ANSWER 65536
#define MAX_LIST ((size_t) 16 << 20)
#define MAX_TRIES 6
#define FIRST_PAUSE_US INT64CONST(10000000)

/* A rolled back transaction that has left something in the service */
typedef struct Kept
{
	MemoryContext cxt;
	McOssUpload *uploads;
	int			tries;
	int64		next_us;
	struct Kept *next;
} Kept;

static Kept *kept_list = NULL;

static bool
doomed(const McOssUpload *u, bool all)
{
	return !u->reaped && (all || u->garbage);
}

static void
set_deadline(McOssUpload *uploads, int64 deadline_us)
{
	for (McOssUpload *u = uploads; u; u = u->next)
		u->target->conn->client.deadline_us = deadline_us;
}

/* Initiate has been answered, or Abort has */
static void
take_answer(McOssUpload *u, bool *gave_up)
{
	mcw_error	err;

	memset(&err, 0, sizeof(err));
	if (!u->object.id[0])
	{
		if (mcs_oss_upload_opened(&u->call, &u->object, &err) != MCW_OK || u->call.req.attempts > 1)
			u->repeated = true;
	}
	else if (u->call.req.status == MCW_OK || u->call.req.http_status == 404)
		u->object.id[0] = '\0';
	else
		*gave_up = true;
	mcs_oss_call_free(&u->call);
	u->calling = false;
}

/* one step towards its end; true if something of it is under way */
static bool
advance(McOssUpload *u, int nactive, bool *gave_up)
{
	if (u->calling && u->call.req.active)
		return true;
	if (u->calling)
		take_answer(u, gave_up);
	if (!u->object.id[0])
	{
		u->reaped = !u->repeated;
		return false;
	}
	if (*gave_up || nactive >= IN_FLIGHT)
		return false;
	mcs_oss_call_init(&u->call, &u->target->conn->client, "DELETE", u->object.key, MAX_ANSWER);
	mcs_oss_call_param(&u->call, "uploadId", mcw_str(u->object.id));
	u->calling = true;
	mcs_oss_call_start(&u->call);
	return true;
}

static void
reap_known(McOssUpload *uploads, bool all, int64 deadline_us)
{
	bool		gave_up = false;

	for (;;)
	{
		int			nactive = 0;
		int64		left;

		for (McOssUpload *u = uploads; u; u = u->next)
			if (doomed(u, all) && advance(u, nactive, &gave_up))
				nactive++;
		left = deadline_us - mcn_now_us();
		if (nactive == 0 || left <= 0)
			break;
		if (mcn_loop_step(mcLoop(), (int) Min(left / 1000 + 1, 1000)) == MCW_ERR_INTERRUPTED)
			break;
	}
	for (McOssUpload *u = uploads; u; u = u->next)
		if (doomed(u, all) && u->calling)
		{
			if (!u->object.id[0])
				u->repeated = true; /* the answer to Initiate was not waited for */
			mcs_oss_call_free(&u->call);
			u->calling = false;
		}
}

/*
 * Initiate was sent and perhaps executed without our seeing its answer.  The key is
 * random and ours alone, so every upload of it but the one we use is a twin.  The key
 * of a table with option "object" may be written by others, and so may names of a job
 * by a copy of this database: theirs are left alone.
 */
static void
reap_twins(McOssUpload *u, int64 deadline_us)
{
	mcs_oss    *oss = &u->target->conn->client;
	mcw_arena	arena;
	mcw_oss_uploads list;
	mcw_error	err;

	if (u->target->table->scope == MC_OSS_ONE || u->window)
	{
		u->repeated = false;
		return;
	}
	if (mcn_now_us() >= deadline_us)
		return;
	mcw_arena_init(&arena, oss->alloc, MAX_LIST);
	if (mcs_oss_list_uploads(oss, u->object.key, MCW_LIT(""), MCW_LIT(""), &arena, &list, &err) == MCW_OK)
	{
		bool		failed = list.truncated;

		for (int i = 0; i < list.nuploads; i++)
			if (mcw_view_eq(list.uploads[i].key, u->object.key) &&
				!mcw_view_eq(list.uploads[i].upload_id, mcw_str(u->object.id)) &&
				mcs_oss_upload_abort(oss, u->object.key, list.uploads[i].upload_id, &err) != MCW_OK)
				failed = true;
		u->repeated = failed;
	}
	mcw_arena_reset(&arena);
}

int
mcOssReap(McOssUpload *uploads, bool all, int64 deadline_us)
{
	int			left = 0;
	bool		any = false;

	for (McOssUpload *u = uploads; u; u = u->next)
	{
		if (doomed(u, all) && !u->calling && !u->object.id[0] && !u->repeated)
			u->reaped = true;
		any |= doomed(u, all) || u->repeated;
	}
	if (!any)
		return 0;
	mcQuietWaits(true);
	set_deadline(uploads, deadline_us);
	/* a part of the time is for those whose Initiate has no answer */
	reap_known(uploads, all, deadline_us - (deadline_us - mcn_now_us()) / 4);
	for (McOssUpload *u = uploads; u; u = u->next)
	{
		if (u->repeated)
			reap_twins(u, deadline_us);
		if (doomed(u, all) && !u->object.id[0] && !u->repeated)
			u->reaped = true;
		left += doomed(u, all) || u->repeated;
	}
	set_deadline(uploads, 0);
	mcQuietWaits(false);
	return left;
}

/* ---- kept for later ---- */

static void
forget_kept(Kept *kept)
{
	for (Kept **at = &kept_list; *at; at = &(*at)->next)
		if (*at == kept)
		{
			*at = kept->next;
			break;
		}
	for (McOssUpload *u = kept->uploads; u; u = u->next)
		if (u->calling)
			mcs_oss_call_free(&u->call);
	MemoryContextDelete(kept->cxt);
}

/* before the end of the transaction that is open, and of the process */
static void
reap_at_exit(int code, Datum arg)
{
	int64		deadline_us = mcn_now_us() + MC_ROLLBACK_US;

	while (kept_list && mcn_now_us() < deadline_us)
	{
		(void) mcOssReap(kept_list->uploads, true, deadline_us);
		forget_kept(kept_list);
	}
}

Size
mcOssReapRoom(void)
{
	static bool registered = false;

	/* here it may fail, later it may not */
	if (!registered)
		before_shmem_exit(reap_at_exit, (Datum) 0);
	registered = true;
	return sizeof(Kept);
}

void
mcOssReapLater(MemoryContext cxt, McOssUpload *uploads, void *room)
{
	Kept	   *kept = room;

	kept->cxt = cxt;
	kept->uploads = uploads;
	kept->next = kept_list;
	kept_list = kept;
}

void
mcOssReapKept(bool now)
{
	for (Kept *kept = kept_list, *next; kept; kept = next)
	{
		int			left;

		next = kept->next;
		if (!now && mcn_now_us() < kept->next_us)
			continue;
		left = mcOssReap(kept->uploads, true, mcn_now_us() + MC_ROLLBACK_US);
		CHECK_FOR_INTERRUPTS();
		if (left > 0 && ++kept->tries < MAX_TRIES)
		{
			kept->next_us = mcn_now_us() + (FIRST_PAUSE_US << kept->tries);
			continue;
		}
		if (left > 0)
			ereport(LOG,
					(errmsg("mc_fdw: %d unfinished uploads of rolled back transactions remain in bucket \"%s\"",
							left, kept->uploads->target->conn->server->bucket),
					 errhint("SELECT mc.cleanup_uploads('%s') aborts them when they are old enough.",
							 kept->uploads->target->conn->server->name)));
		forget_kept(kept);
	}
}

/* mc-<yyyymmdd>T<hhmmss>Z-<16 hexadecimal digits>-<number> */
bool
mcOssOurKey(mcw_view key)
{
	static const char form[] = "mc-########T######Z-xxxxxxxxxxxxxxxx-#####";
	size_t		at = key.len;

	while (at > 0 && key.data[at - 1] != '/')
		at--;
	if (key.len - at < sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
	{
		char		c = key.data[at + i];
		bool		digit = c >= '0' && c <= '9';

		if (form[i] == '#' ? !digit : form[i] == 'x' ? !digit && (c < 'a' || c > 'f') : c != form[i])
			return false;
	}
	return true;
}
