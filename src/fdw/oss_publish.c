/*
 * oss_publish.c
 *		OSS's part of publishing at commit (publish.h): uploads are compared with what
 *		the service holds, what is to be deleted is listed; then uploads are completed
 *		in order of first write, and at the very end the listed objects are deleted.
 *
 * Requests of several uploads are under way at the same time, "concurrency" of them.  Only
 * the first object is published alone: what is wrong with all of them, as a right that is
 * missing, is found out when nothing is visible yet.  After a failure no request is begun,
 * and what became of those under way is found out.
 *
 * The protocol of one object is in service/mcs_oss_publish.c.  A replacement never
 * destroys anything before all new objects of the transaction are complete; between
 * the two a reader sees old and new objects together.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "oss_write.h"
#include "publish.h"

/* Objects of a table, or of directories of it, that go when the new ones are there */
typedef struct Erasure
{
	McOssTarget *target;
	List	   *directories;	/* of char *; NIL = all of the table */
	mcs_oss_object *objects;
	int			nobjects;
	int			cap;
	bool		attempted;
	bool		done;
} Erasure;

typedef struct McOssPublication
{
	List	   *uploads;		/* McOssUpload, in order */
	HTAB	   *keys;			/* of option "object", or of a job: what may be there before (NamedKey) */
	List	   *erasures;
	List	   *marks;			/* McOssMark */
	int64		deadline_us;
	MemoryContextCallback callback;
	mcs_oss_call *calls;		/* a ring: first pages of parts, of the uploads that are verified next */
	int			ncalls;
	mcs_oss_publication **publications; /* one for each upload; not NULL while it is published */
} McOssPublication;

/* of the commit that is under way, in publishing memory */
static McOssPublication *present = NULL;

static bool
one_object(const McOssTarget *target)
{
	return target->table->scope == MC_OSS_ONE;
}

static const char *
object_name(const McOssUpload *u)
{
	return psprintf("oss://%s/%s", u->target->conn->server->bucket, mcOssShown(u->object.key));
}

pg_noreturn static void
raise_upload(const mcw_error *err, void *arg)
{
	McOssUpload *u = arg;
	McPlace		place = u->target->conn->place;

	place.part = psprintf("object \"%s\"", mcOssShown(u->object.key));
	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, &place);
}

pg_noreturn static void
raise_erasure(const mcw_error *err, void *arg)
{
	Erasure    *e = arg;

	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, &e->target->conn->place);
}

/* ---- what is to be published ---- */

typedef struct NamedKey
{
	uint64		hash;
	List	   *uploads;
} NamedKey;

static uint64
hash_key(mcw_view key)
{
	return DatumGetUInt64(hash_any_extended((const unsigned char *) key.data, key.len, 0));
}

static void
remember_name(McOssUpload *u)
{
	uint64		hash = hash_key(u->object.key);
	NamedKey   *named;
	bool		found;

	if (!present->keys)
	{
		HASHCTL		ctl = {.keysize = sizeof(uint64),.entrysize = sizeof(NamedKey),.hcxt = CurrentMemoryContext};

		present->keys = hash_create("mc_fdw keys to be published", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	named = hash_search(present->keys, &hash, HASH_ENTER, &found);
	named->uploads = found ? lappend(named->uploads, u) : list_make1(u);
}

static void
collect_uploads(void)
{
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
	{
		if (u->garbage)
			continue;
		if (!u->complete)
			elog(ERROR, "object \"%s\" was not written to its end", u->key);
		if (mcOssUploadSuperseded(u))
			continue;
		present->uploads = lappend(present->uploads, u);
		if (one_object(u->target) || u->window)
			remember_name(u);
	}
}

/* at this point nothing can bring them back */
static void
drop_superseded(void)
{
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (!u->garbage && mcOssUploadSuperseded(u))
			u->garbage = true;
}

/* Will the object be replaced by ours?  The new one may even have the ETag of the old one. */
static bool
is_ours(const McOssConn *conn, mcw_view key)
{
	uint64		hash = hash_key(key);
	NamedKey   *named = present->keys ? hash_search(present->keys, &hash, HASH_FIND, NULL) : NULL;
	ListCell   *lc;

	foreach(lc, named ? named->uploads : NIL)
	{
		McOssUpload *u = lfirst(lc);

		if (mcw_view_eq(u->object.key, key) && mcOssSameBucket(u->target->conn, conn))
			return true;
	}
	return false;
}

/* ---- what is to be deleted ---- */

static bool
add_object(const mcs_oss_object *object, void *arg)
{
	Erasure    *e = arg;
	mcs_oss_object *copy;

	if (is_ours(e->target->conn, object->key))
		return true;
	if (e->nobjects == e->cap)
	{
		e->cap = Max(e->cap * 2, 64);
		e->objects = e->objects ? repalloc_huge(e->objects, e->cap * sizeof(mcs_oss_object)) :
			palloc(e->cap * sizeof(mcs_oss_object));
	}
	copy = &e->objects[e->nobjects++];
	*copy = *object;
	copy->key = mcw_str(pnstrdup(object->key.data, object->key.len));
	copy->etag = mcw_str(pnstrdup(object->etag.data, object->etag.len));
	return true;
}

static bool
has_directory(const Erasure *e, const char *directory)
{
	/* uploads of one directory follow each other */
	for (int i = list_length(e->directories) - 1; i >= 0; i--)
		if (strcmp(list_nth(e->directories, i), directory) == 0)
			return true;
	return false;
}

static void
add_erasure(McOssTarget *target, char *directory)
{
	Erasure    *own = NULL;
	ListCell   *lc;

	foreach(lc, present->erasures)
	{
		Erasure    *e = lfirst(lc);

		if (directory && mcOssSameBucket(e->target->conn, target->conn) && has_directory(e, directory))
			return;
		if (e->target == target && (e->directories != NIL) == (directory != NULL))
			own = e;
	}
	if (own && !directory)
		return;
	if (!own)
	{
		own = palloc0(sizeof(Erasure));
		own->target = target;
		present->erasures = lappend(present->erasures, own);
	}
	if (directory)
		own->directories = lappend(own->directories, directory);
	mcOssVisit(target, directory, add_object, own);
}

/* An overwrite replaces also when TRUNCATE, or a later overwrite, took its own objects away */
static void
collect_erasures(void)
{
	ListCell   *lc;

	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (!i->dead)
			add_erasure(i->target, NULL);
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (u->mode == MC_OSS_OVERWRITE && !u->garbage && !one_object(u->target))
			add_erasure(u->target, u->directory);
	foreach(lc, present->erasures)
		if (((Erasure *) lfirst(lc))->nobjects == 0)
			present->erasures = foreach_delete_current(present->erasures, lc);
}

/* error_if_exists once more: what appeared since the statement looked */
static bool
refuse_object(const mcs_oss_object *object, void *arg)
{
	McOssUpload *u = arg;
	char	   *key = pnstrdup(object->key.data, object->key.len);

	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (i->seq < u->statement && mcOssIntentCovers(i, u->target, key))
			return true;
	if (mcOssOfWindow(u->target, u->directory, object->key, object->token))
		return true;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("\"%s\" has objects in \"%s\"", u->target->name, mcOssShown(mcw_str(u->directory))),
			 errdetail("\"%s\" has appeared since the statement began.", mcOssShown(object->key)),
			 errhint("Nothing was published.")));
}

static void
check_absence(void)
{
	const McOssUpload *last = NULL;
	ListCell   *lc;

	foreach(lc, present->uploads)
	{
		McOssUpload *u = lfirst(lc);

		if (u->mode != MC_OSS_ERROR_IF_EXISTS ||
			(last && last->statement == u->statement && strcmp(last->directory, u->directory) == 0))
			continue;
		mcOssVisit(u->target, u->directory, refuse_object, u);
		last = u;
	}
}

/* ---- the steps ---- */

static void
open_once(McOssTarget *target)
{
	const mcs_oss *client = &target->conn->client;

	if (!target->once)
		target->once = mcPublishChannel(target->conn->server, &target->conn->alloc, client->channel,
										target->conn->server->endpoint,
										client->style == MCS_OSS_VIRTUAL ? target->conn->server->bucket : NULL);
}

/* Requests leave the loop before their memory goes, however publishing ends */
static void
release(void *arg)
{
	McOssPublication *p = arg;

	for (int i = 0; p->calls && i < p->ncalls; i++)
		mcs_oss_call_free(&p->calls[i]);
	for (int i = 0; p->publications && i < list_length(p->uploads); i++)
		if (p->publications[i])
			mcs_oss_publish_drop(p->publications[i]);
	p->calls = NULL;
	p->publications = NULL;
}

static McOssUpload *
nth_upload(int i)
{
	return list_nth(present->uploads, i);
}

static void
verify_uploads(void)
{
	int			n = list_length(present->uploads);
	int			begun = 0;

	for (int i = 0; i < n; i++)
		present->ncalls = Max(present->ncalls, nth_upload(i)->target->conn->server->concurrency);
	present->calls = palloc0(Max(present->ncalls, 1) * sizeof(mcs_oss_call));
	for (int i = 0; i < n; i++)
	{
		McOssUpload *u = nth_upload(i);
		mcw_error	err;

		for (; begun < n && begun < i + u->target->conn->server->concurrency; begun++)
		{
			McOssUpload *next = nth_upload(begun);

			if (next->object.id[0])
				mcs_oss_upload_verify_begin(&present->calls[begun % present->ncalls], &next->target->conn->client, &next->object);
		}
		if (!u->object.id[0])
			continue;
		memset(&err, 0, sizeof(err));
		if (mcs_oss_upload_verify_end(&present->calls[i % present->ncalls], &u->target->conn->client, &u->object, &err) != MCW_OK)
			raise_upload(&err, u);
	}
	pfree(present->calls);
	present->calls = NULL;
}

static void
set_deadline(int64 deadline_us)
{
	for (McOssTarget *t = mcOssWriteTargets(); t; t = t->next)
		t->conn->client.deadline_us = deadline_us;
}

static void
verify(int64 deadline_us)
{
	ListCell   *lc;

	present = palloc0(sizeof(McOssPublication));
	present->callback.func = release;
	present->callback.arg = present;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &present->callback);
	present->deadline_us = deadline_us;
	set_deadline(deadline_us);
	collect_uploads();
	collect_erasures();
	drop_superseded();
	/* what is left of rolled back savepoints; and twins of what will be published */
	(void) mcOssReap(mcOssWriteUploads(), false, Min(deadline_us, mcn_now_us() + MC_ROLLBACK_US));
	CHECK_FOR_INTERRUPTS();
	set_deadline(deadline_us);
	check_absence();
	foreach(lc, present->uploads)
		open_once(((McOssUpload *) lfirst(lc))->target);
	verify_uploads();
	/* now the sums of their bytes are known */
	present->marks = mcOssMarks(present->uploads, mcOssWriteRun());
	foreach(lc, present->marks)
		open_once(((McOssMark *) lfirst(lc))->target);
}

static void
describe_upload(McItems *list, const McOssUpload *u)
{
	mcPublishItem(list, "%s (" INT64_FORMAT " rows%s%s)", object_name(u), u->rows,
				  u->object.id[0] ? ", upload " : "", u->object.id);
}

static void
describe_erasure(McItems *list, const Erasure *e)
{
	int			n = list_length(e->directories);

	mcPublishItem(list, "deletion of %d %s of \"%s\"%s", e->nobjects, e->nobjects == 1 ? "object" : "objects",
				  e->target->name,
				  n == 0 ? "" : n == 1 ? psprintf(" in %s", mcOssShown(mcw_str(linitial(e->directories)))) :
				  psprintf(" in %d directories", n));
}

static void
announce(McItems *list)
{
	ListCell   *lc;

	foreach(lc, present->uploads)
		describe_upload(list, lfirst(lc));
	foreach(lc, present->erasures)
		describe_erasure(list, lfirst(lc));
	mcOssMarksAnnounce(present->marks, list);
}

static void
outcomes(McOutcomes *all)
{
	ListCell   *lc;

	foreach(lc, present->uploads)
	{
		McOssUpload *u = lfirst(lc);

		describe_upload(u->attempted && u->outcome == MCS_OSS_PUBLISHED ? &all->published :
						u->attempted && u->outcome == MCS_OSS_IN_DOUBT ? &all->unknown : &all->not_published, u);
	}
	foreach(lc, present->erasures)
	{
		Erasure    *e = lfirst(lc);

		describe_erasure(e->done ? &all->published : e->attempted ? &all->unknown : &all->not_published, e);
	}
	mcOssMarksOutcomes(present->marks, all);
}

/* false: nothing was sent */
static bool
begin(int i, mcw_error *err)
{
	McOssUpload *u = nth_upload(i);

	memset(err, 0, sizeof(*err));
	present->publications[i] = mcs_oss_publish_begin(&u->target->conn->client, u->target->once, &u->object,
													 mcw_buf_view(&u->body), present->deadline_us, err);
	u->attempted = present->publications[i] != NULL;
	u->outcome = u->attempted ? MCS_OSS_IN_DOUBT : MCS_OSS_NOT_PUBLISHED;
	return u->attempted;
}

static bool
end(int i, bool again, mcw_error *err)
{
	McOssUpload *u = nth_upload(i);
	mcs_oss_publication *publication = present->publications[i];

	memset(err, 0, sizeof(*err));
	present->publications[i] = NULL;
	u->outcome = mcs_oss_publish_end(publication, again, err);
	if (u->outcome != MCS_OSS_PUBLISHED)
		return false;
	u->reaped = true;
	mcPublishDone();
	return true;
}

/* Keys that an option gives may be the same: such an object is published alone */
static bool
may_begin(int begun, int i)
{
	McOssUpload *u = nth_upload(begun);

	return begun == i ||
		(i > 0 && begun < i + u->target->conn->server->concurrency && !one_object(u->target) &&
		 !one_object(nth_upload(i)->target));
}

static void
publish(void)
{
	int			n = list_length(present->uploads);
	int			begun = 0;

	mcOssMarksWithdraw(present->marks);
	present->publications = palloc0(Max(n, 1) * sizeof(mcs_oss_publication *));
	for (int i = 0; i < n; i++)
	{
		mcw_error	err;

		while (begun < n && may_begin(begun, i) && begin(begun, &err))
			begun++;
		if (begun == i || !end(i, true, &err))
		{
			mcw_error	other;

			for (int k = i + 1; k < begun; k++)
				(void) end(k, false, &other);
			mcPublishFailed(&err, raise_upload, nth_upload(i));
		}
	}
	/* objects of all services are visible: this one is the last */
	mcOssMarksTell(present->marks, present->deadline_us);
}

static void
erase(void)
{
	ListCell   *lc;

	foreach(lc, present->erasures)
	{
		Erasure    *e = lfirst(lc);
		mcw_error	err;
		int			deleted = 0;
		int			changed = 0;

		memset(&err, 0, sizeof(err));
		if (mcs_oss_delete(&e->target->conn->client, e->objects, e->nobjects, e->target->conn->server->concurrency,
						   &deleted, &changed, &err) != MCW_OK)
		{
			/* a plain refusal of the first request leaves everything as it was */
			e->attempted = deleted > 0 || err.status != MCW_ERR_SERVICE || err.http_status >= 500;
			mcPublishFailed(&err, raise_erasure, e);
		}
		e->done = true;
		mcPublishDone();
		if (changed > 0)
			ereport(WARNING,
					(errmsg_plural("%d object of \"%s\" was changed by others and was not deleted",
								   "%d objects of \"%s\" were changed by others and were not deleted",
								   changed, changed, e->target->name)));
	}
	mcOssMarksFinish(present->marks, present->deadline_us);
}

/* In place of publishing and erasing */
static void
seal(McJobRun *run, List **entries)
{
	ListCell   *lc;

	foreach(lc, present->uploads)
		*entries = lappend(*entries, mcOssSealUpload(run, lfirst(lc)));
	foreach(lc, present->erasures)
	{
		Erasure    *e = lfirst(lc);

		mcOssSealErasure(run, e->target, list_length(e->directories) == 1 ? linitial(e->directories) : e->target->table->literal,
						 e->directories == NIL, e->objects, e->nobjects, entries);
	}
	mcOssMarksSeal(run, present->marks, entries);
	if (run->attempt > 1)
		mcOssReapOrphans(run);
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		u->listed = true;
	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		i->listed = true;
	for (McOssWritten *w = mcOssWriteWritten(); w; w = w->next)
		w->listed = true;
	present = NULL;
}

static void
add_target(List **targets, const McOssConn *conn, const char *directory, bool shared)
{
	McTargetKey *key = palloc(sizeof(McTargetKey));

	key->key = mcOssTargetKey(conn, mcw_str(directory), "");
	key->label = psprintf("oss://%s/%s", conn->server->bucket, mcOssShown(mcw_str(directory)));
	key->shared = shared;
	*targets = lappend(*targets, key);
}

/* Uploads of one directory follow each other, as a rule */
static void
targets(List **targets)
{
	const McOssUpload *last = NULL;
	ListCell   *lc;

	foreach(lc, present->uploads)
	{
		const McOssUpload *u = lfirst(lc);

		if (!last || last->target != u->target || last->mode != u->mode || strcmp(last->directory, u->directory) != 0)
			add_target(targets, u->target->conn, u->directory, u->mode != MC_OSS_OVERWRITE);
		last = u;
	}
	for (const McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (!i->dead)
			add_target(targets, i->target->conn, i->target->table->literal, false);
	/* one writer at a time, or the mark of one would tell readers that the other is through */
	foreach(lc, present->marks)
	{
		const McOssMark *m = lfirst(lc);

		if (m->success)
			add_target(targets, m->target->conn, psprintf("%s" MC_OSS_SUCCESS, m->target->table->root), false);
	}
}

static bool
pending(void)
{
	for (McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (!u->listed)
			return true;
	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (!i->listed)
			return true;
	for (McOssWritten *w = mcOssWriteWritten(); w; w = w->next)
		if (!w->listed)
			return true;
	return false;
}

static void
forget(bool committed)
{
	present = NULL;
	mcOssWriteForget(committed);
}

static void
tidy(void)
{
	mcOssReapKept(false);
}

void
mcOssInitXact(void)
{
	static const McPublisher publisher = {
		.service = "OSS",
		.expires = "Uploads belong to this session.",
		.pending = pending,
		.writers = mcOssWriters,
		.verify = verify,
		.announce = announce,
		.publish = publish,
		.erase = erase,
		.outcomes = outcomes,
		.forget = forget,
		.sub_commit = mcOssWriteSubCommit,
		.sub_abort = mcOssWriteSubAbort,
		.tidy = tidy,
		.seal = seal,
		.targets = targets,
	};

	mcPublisherAdd(MC_OSS, &publisher);
}
