/*
 * oss_upload.c
 *		The register of a transaction's writes to OSS: targets, new objects, TRUNCATE.
 *
 * It lives in an own context under TopMemoryContext, because executor memory is gone
 * when a transaction ends and CurTransactionContext is gone when a savepoint is
 * rolled back.  Only the end of a transaction sends anything, see oss_reap.c.
 *
 * Every statement begins objects of its own, so what a subtransaction wrote is a set
 * of objects.  A later overwrite or TRUNCATE replaces earlier ones of the same
 * transaction, as it would if each statement were committed by itself.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "oss_write.h"
#include "publish.h"

#define KEEP_TOTAL ((Size) 16 * 1024 * 1024)

static MemoryContext write_cxt = NULL;
static void *reap_room = NULL;	/* memory that the end of the transaction cannot allocate any more */
static McOssTarget *targets = NULL;
static McOssUpload *uploads = NULL;
static McOssUpload **uploads_end = &uploads;
static McOssIntent *intents = NULL;
static McOssWritten *written = NULL;
static McJobRun *write_run = NULL;	/* of these uploads; it is still wanted when its text has been executed */
static HTAB *numbers = NULL;	/* of objects of a job, by directory */
static int64 last_seq = 0;
static int	writers = 0;
static Size kept = 0;

McOssTarget *
mcOssWriteTargets(void)
{
	return targets;
}

McOssUpload *
mcOssWriteUploads(void)
{
	return uploads;
}

McOssIntent *
mcOssWriteIntents(void)
{
	return intents;
}

McOssWritten *
mcOssWriteWritten(void)
{
	return written;
}

const McJobRun *
mcOssWriteRun(void)
{
	return write_run;
}

int64
mcOssNextSequence(void)
{
	return ++last_seq;
}

int64
mcOssWriteSequence(void)
{
	return last_seq;
}

void
mcOssWriterBegin(void)
{
	writers++;
}

void
mcOssWriterEnd(void)
{
	if (writers > 0)
		writers--;
}

int
mcOssWriters(void)
{
	return writers;
}

bool
mcOssKeep(Size bytes)
{
	if (bytes > KEEP_TOTAL - kept)
		return false;
	kept += bytes;
	return true;
}

/* ---- targets ---- */

static void
refuse_unwritable(const char *relname, const McServer *server, const McOssTable *table)
{
	if (!server->bucket)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to \"%s\": server \"%s\" is a plain web server", relname, server->name),
				 errhint("A server with \"endpoint\" and \"bucket\" can be written.")));
	if (!mcServerOptionBool(server, "updatable", true))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("foreign table \"%s\" does not allow changes", relname),
				 errdetail("Option updatable is false.")));
	if (table->scope == MC_OSS_PREFIX && !table->writable_prefix)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to \"%s\": its objects are not those of a directory", relname),
				 errdetail("A table that is written has option \"object\", or a \"prefix\" that ends in \"/\" and no \"pattern\"."),
				 errhint("Create another foreign table for writing.")));
}

/* ALTER FOREIGN TABLE in the same transaction */
static bool
same_columns(const McOssTable *a, const McOssTable *b)
{
	ListCell   *la;
	ListCell   *lb;

	if (list_length(a->columns) != list_length(b->columns))
		return false;
	forboth(la, a->columns, lb, b->columns)
	{
		const McOssColumn *x = lfirst(la);
		const McOssColumn *y = lfirst(lb);

		if (x->attnum != y->attnum || x->kind != y->kind || x->index != y->index || x->type != y->type ||
			x->typmod != y->typmod || x->force_quote != y->force_quote || strcmp(x->wire, y->wire) != 0)
			return false;
	}
	return true;
}

static void
release_target(void *arg)
{
	McOssTarget *t = arg;

	if (t->once)
		mcn_channel_free(t->once);
	t->once = NULL;
}

McOssTarget *
mcOssWriteTarget(Relation rel, Oid userid)
{
	Oid			relid = RelationGetRelid(rel);
	MemoryContext old;
	McServer   *wanted;
	McOssTable *table;
	McOssTarget *t;

	mcPublishRefuseSerializable(RelationGetRelationName(rel));
	wanted = mcGetServer(MC_OSS, GetForeignTable(relid)->serverid, userid, relid, true);
	table = mcOssTable(rel, wanted);
	refuse_unwritable(RelationGetRelationName(rel), wanted, table);
	for (t = targets; t; t = t->next)
		if (t->relid == relid && t->userid == userid && mcServerSame(t->conn->server, wanted) &&
			same_columns(t->table, table))
			return t;

	mcOssInitXact();
	mcOssReapKept(true);
	if (!write_cxt)
	{
		write_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw OSS uploads", ALLOCSET_DEFAULT_SIZES);
		reap_room = MemoryContextAllocZero(write_cxt, mcOssReapRoom());
	}
	/* registered only when complete: a failure leaves memory that ends with the transaction */
	old = MemoryContextSwitchTo(write_cxt);
	t = palloc0(sizeof(McOssTarget));
	t->relid = relid;
	t->userid = userid;
	t->name = pstrdup(RelationGetRelationName(rel));
	t->conn = mcOssConnect(mcGetServer(MC_OSS, wanted->serverid, userid, relid, true), write_cxt);
	t->table = mcOssTable(rel, t->conn->server);
	t->callback.func = release_target;
	t->callback.arg = t;
	MemoryContextRegisterResetCallback(write_cxt, &t->callback);
	t->next = targets;
	targets = t;
	MemoryContextSwitchTo(old);
	return t;
}

bool
mcOssSameBucket(const McOssConn *a, const McOssConn *b)
{
	return a == b || (a->server->bucket && b->server->bucket &&
					  strcmp(a->server->bucket, b->server->bucket) == 0 &&
					  pg_strcasecmp(a->server->endpoint, b->server->endpoint) == 0);
}

/* ---- uploads ---- */

char *
mcOssRandomToken(char *hex, int bytes)
{
	unsigned char raw[16];

	if (!pg_strong_random(raw, bytes))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random bytes")));
	for (int i = 0; i < bytes; i++)
		snprintf(hex + 2 * i, 3, "%02x", raw[i]);
	return hex;
}

static mcw_view
content_type(const McOssTable *table, const char *key)
{
	mcw_codec	codec = table->compression_auto ? mcw_codec_from_suffix(mcw_str(key)) : table->codec;

	if (codec != MCW_CODEC_NONE)
		return MCW_LIT("application/octet-stream");
	if (table->format == &mcw_format_csv)
		return MCW_LIT("text/csv");
	return table->format == &mcw_format_jsonl ? MCW_LIT("application/x-ndjson") : MCW_LIT("text/plain");
}

/* is everything gone, or replaced, that this object finds under its key? */
static bool
truncated_before(const McOssTarget *target, const char *key, int64 statement)
{
	for (McOssIntent *i = intents; i; i = i->next)
		if (i->seq < statement && mcOssIntentCovers(i, target, key))
			return true;
	return false;
}

McOssUpload *
mcOssWriteUpload(McOssTarget *target, void *owner, const char *key, const char *directory,
				 McOssMode mode, int64 statement)
{
	MemoryContext old = MemoryContextSwitchTo(write_cxt);
	McOssUpload *u = palloc0(sizeof(McOssUpload));

	u->alloc = mcContextAlloc(write_cxt);
	u->target = target;
	u->owner = owner;
	u->key = pstrdup(key);
	u->directory = pstrdup(directory);
	u->mode = mode;
	u->statement = statement;
	u->object.alloc = &u->alloc;
	u->object.key = mcw_str(u->key);
	u->object.content_type = content_type(target->table, key);
	u->subid = GetCurrentSubTransactionId();
	u->seq = ++last_seq;
	u->token = palloc(33);
	(void) mcOssRandomToken(u->token, 16);
	u->erases = truncated_before(target, key, statement);
	u->replace = target->table->scope == MC_OSS_ONE && (mode == MC_OSS_OVERWRITE || u->erases);
	u->object.may_replace = u->replace;
	if (mcJob)
	{
		write_run = mcJob;
		u->token[16] = '\0';
		u->token = psprintf("%s/" INT64_FORMAT "/%s", mcJob->token, u->seq, u->token);
		u->window = target->table->scope != MC_OSS_ONE;
		/* an earlier attempt may have left its object there: it is judged when this one is published */
		u->object.may_replace = true;
	}
	u->object.token = mcw_str(u->token);
	*uploads_end = u;
	uploads_end = &u->next;
	MemoryContextSwitchTo(old);
	return u;
}

/* ---- names inside of a job ---- */

typedef struct Number
{
	uint64		key;
	int			next;
} Number;

/* Two directories that share a hash share their numbers, too: then some are left out */
int
mcOssNextPart(McOssTarget *target, const char *directory)
{
	const McServer *server = target->conn->server;
	char	   *text = psprintf("%s %s %s", server->endpoint, server->bucket, directory);
	uint64		key = DatumGetUInt64(hash_any_extended((const unsigned char *) text, strlen(text), 0));
	Number	   *number;
	bool		found;

	pfree(text);
	if (!numbers)
	{
		HASHCTL		ctl = {.keysize = sizeof(uint64),.entrysize = sizeof(Number),.hcxt = write_cxt};

		numbers = hash_create("mc_fdw names of objects", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	number = hash_search(numbers, &key, HASH_ENTER, &found);
	if (!found)
		number->next = 0;
	return number->next++;
}

bool
mcOssOfWindow(const McOssTarget *target, const char *directory, mcw_view key, mcw_view token)
{
	size_t		len = strlen(directory);

	const McJobRun *run = mcJob ? mcJob : write_run;

	if (!run)
		return false;
	if (target->table->scope == MC_OSS_ONE)
		return token.len > strlen(run->token_seq) && strncmp(token.data, run->token_seq, strlen(run->token_seq)) == 0;
	return key.len > len + strlen(run->stem) && strncmp(key.data, directory, len) == 0 &&
		strncmp(key.data + len, run->stem, strlen(run->stem)) == 0;
}

/* A window without a row is told, too: its statement is all there is of it */
void
mcOssWrote(McOssTarget *target)
{
	McOssWritten *w;

	if (!target->table->manifest && !target->table->success_file)
		return;
	w = MemoryContextAllocZero(write_cxt, sizeof(McOssWritten));
	w->target = target;
	w->subid = GetCurrentSubTransactionId();
	w->next = written;
	written = w;
	write_run = mcJob;
}

void
mcOssWriteIntend(McOssTarget *target)
{
	McOssIntent *i = MemoryContextAllocZero(write_cxt, sizeof(McOssIntent));
	McOssIntent **end = &intents;

	i->target = target;
	i->subid = GetCurrentSubTransactionId();
	i->seq = ++last_seq;
	if (mcJob)
		write_run = mcJob;
	while (*end)
		end = &(*end)->next;
	*end = i;
}

/* ---- what replaces what ---- */

/* the directory's values, spelled in another way?  Ours are spelled in one way only. */
static bool
same_values(const McOssTable *table, const char *directory, mcw_view key)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_view	values[MC_OSS_MAX_PARTS];
	mcw_buf		scratch;
	bool		same;

	if (!table->hive && strchr(directory, '%') == NULL && memchr(key.data, '%', key.len) == NULL)
		return false;
	mcw_buf_init(&scratch, &alloc, MCS_OSS_MAX_DOCUMENT);
	same = mcOssPathValues(table, mcw_str(directory), values, &scratch) && mcOssPathDiffers(table, key, values) < 0;
	mcw_buf_free(&scratch);
	return same;
}

bool
mcOssInDirectory(const McOssTable *table, const char *directory, mcw_view key)
{
	size_t		len = strlen(directory);

	if (table->scope == MC_OSS_ONE)
		return key.len == len && memcmp(key.data, directory, len) == 0;
	return mcOssCovers(table, key) &&
		((key.len >= len && memcmp(key.data, directory, len) == 0) ||
		 (table->nparts > 0 && same_values(table, directory, key)));
}

bool
mcOssIntentCovers(const McOssIntent *intent, const McOssTarget *target, const char *key)
{
	return !intent->dead && mcOssSameBucket(intent->target->conn, target->conn) &&
		mcOssCovers(intent->target->table, mcw_str(key));
}

bool
mcOssUploadSuperseded(const McOssUpload *upload)
{
	for (McOssIntent *i = intents; i; i = i->next)
		if (i->seq > upload->seq && mcOssIntentCovers(i, upload->target, upload->key))
			return true;
	for (McOssUpload *u = upload->next; u; u = u->next)
		if (!u->garbage && u->mode == MC_OSS_OVERWRITE && u->statement > upload->statement &&
			mcOssSameBucket(u->target->conn, upload->target->conn) &&
			mcOssInDirectory(u->target->table, u->directory, mcw_str(upload->key)))
			return true;
	return false;
}

/* one of the two literals continues the other: they may have objects in common */
static bool
overlap(const McOssTable *a, const McOssTable *b)
{
	return strncmp(a->literal, b->literal, Min(strlen(a->literal), strlen(b->literal))) == 0;
}

bool
mcOssWriteChanged(const McOssConn *conn, const McOssTable *table, int64 upto)
{
	for (McOssUpload *u = uploads; u; u = u->next)
		if (!u->garbage && u->seq <= upto && mcOssSameBucket(u->target->conn, conn) &&
			(u->mode == MC_OSS_OVERWRITE ? overlap(u->target->table, table) : mcOssCovers(table, mcw_str(u->key))))
			return true;
	for (McOssIntent *i = intents; i; i = i->next)
		if (!i->dead && i->seq <= upto && mcOssSameBucket(i->target->conn, conn) && overlap(i->target->table, table))
			return true;
	return false;
}

/* ---- transaction events ---- */

void
mcOssWriteSubCommit(SubTransactionId mine, SubTransactionId parent)
{
	for (McOssUpload *u = uploads; u; u = u->next)
		if (u->subid == mine)
			u->subid = parent;
	for (McOssIntent *i = intents; i; i = i->next)
		if (i->subid == mine)
			i->subid = parent;
	for (McOssWritten *w = written; w; w = w->next)
		if (w->subid == mine)
			w->subid = parent;
}

/* the bodies are not needed any more; what is in the service is taken back later */
void
mcOssWriteSubAbort(SubTransactionId mine)
{
	for (McOssUpload *u = uploads; u; u = u->next)
		if (u->subid == mine && !u->garbage)
		{
			u->garbage = true;
			kept -= u->body.len;
			mcw_buf_free(&u->body);
		}
	for (McOssIntent *i = intents; i; i = i->next)
		if (i->subid == mine)
			i->dead = true;
	for (McOssWritten *w = written; w; w = w->next)
		if (w->subid == mine)
			w->dead = true;
}

/*
 * What was uploaded and will not be published is taken back now, as far as that takes
 * no longer than a rollback may; the rest is kept for the next occasion.
 */
void
mcOssWriteForget(bool committed)
{
	MemoryContext cxt = write_cxt;
	McOssUpload *list = uploads;

	mcOssSinkAbandonAll();
	for (McOssUpload *u = uploads; u; u = u->next)
	{
		mcw_buf_free(&u->body);
		/* the outbox has it */
		if (committed && u->listed && !u->garbage)
			u->reaped = true;
	}
	targets = NULL;
	uploads = NULL;
	uploads_end = &uploads;
	intents = NULL;
	written = NULL;
	write_run = NULL;
	numbers = NULL;
	writers = 0;
	last_seq = 0;
	kept = 0;
	write_cxt = NULL;
	if (!cxt)
		return;
	if (mcOssReap(list, true, mcn_now_us() + MC_ROLLBACK_US) > 0)
		mcOssReapLater(cxt, list, reap_room);
	else
	{
		for (McOssUpload *u = list; u; u = u->next)
			if (u->calling)
				mcs_oss_call_free(&u->call);
		MemoryContextDelete(cxt);
	}
	reap_room = NULL;
}
