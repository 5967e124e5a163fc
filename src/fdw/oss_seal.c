/*
 * oss_seal.c
 *		What a job's run has uploaded to OSS, as entries of its outbox (guarantees.md 4, 6.3).
 *
 * An entry says everything that publishing needs besides the owner's credentials: bucket
 * and how it is reached, key, token, the recorded parts, sums of the bytes.  A small object is
 * in the entry itself.  Keys stand percent-encoded in the document, which thereby is ASCII
 * whatever the encoding of the database.
 *
 * A window may be done again: then what earlier attempts have left is settled here, before the
 * new attempt is durable.  Their uploads are aborted, because a delayed Complete could replace
 * what the new one publishes; their objects that the new one does not make again are listed to be
 * deleted.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "../wire/mcw_hash.h"
#include "oss_entry.h"

#define KEYS_PER_ENTRY 1000
#define ABORT_WAIT_US INT64CONST(30000000)
#define ORPHAN_AGE_US INT64CONST(86400000000)
#define ORPHANS_AT_ONCE 1000

/* what is not printable ASCII, or special in JSON, as %XX */
static void
append_encoded(StringInfo s, mcw_view text)
{
	for (size_t i = 0; i < text.len; i++)
	{
		unsigned char c = text.data[i];

		if (c <= ' ' || c >= 0x7f || c == '%' || c == '"' || c == '\\')
			appendStringInfo(s, "%%%02X", c);
		else
			appendStringInfoChar(s, c);
	}
}

static const char *
style_name(mcs_oss_style style)
{
	return style == MCS_OSS_PATH ? "path" : style == MCS_OSS_CNAME ? "cname" : "virtual";
}

char *
mcOssTargetKey(const McOssConn *conn, mcw_view key, const char *stem)
{
	StringInfoData s;

	initStringInfo(&s);
	appendStringInfo(&s, "oss:%s/%s/", mcEndpointHost(conn->server->endpoint), conn->server->bucket);
	append_encoded(&s, key);
	append_encoded(&s, mcw_str(stem));
	return s.data;
}

static McEntry *
new_entry(const McJobRun *run, const McOssConn *conn, const char *kind, const char *mode, StringInfo document)
{
	McEntry    *e = palloc0(sizeof(McEntry));

	e->service = MC_OSS;
	e->kind = kind;
	e->mode = mode;
	e->serverid = conn->server->serverid;
	e->owner = run->owner;
	e->writer = conn->server->userid;
	e->server = pstrdup(conn->server->name);
	e->endpoint = pstrdup(conn->server->endpoint);
	e->handle = "";
	e->token = run->token;
	initStringInfo(document);
	appendStringInfo(document, "{\"bucket\":\"%s\",\"style\":\"%s\",\"signature\":\"%s\"", conn->server->bucket,
					 style_name(conn->client.style), conn->client.v4 ? "v4" : "v1");
	if (conn->client.region.len > 0)
	{
		appendStringInfoString(document, ",\"region\":\"");
		append_encoded(document, conn->client.region);
		appendStringInfoChar(document, '"');
	}
	return e;
}

static void
append_parts(StringInfo document, const mcs_oss_upload *object)
{
	appendStringInfoString(document, ",\"parts\":[");
	for (int i = 0; i < object->nparts; i++)
	{
		const mcw_oss_part *part = &object->parts[i];

		appendStringInfo(document, "%s[\"", i > 0 ? "," : "");
		append_encoded(document, part->etag);
		appendStringInfo(document, "\",\"" UINT64_FORMAT "\",\"" UINT64_FORMAT "\"]", part->size, part->crc64);
	}
	appendStringInfoChar(document, ']');
}

McEntry *
mcOssSealUpload(const McJobRun *run, const McOssUpload *u)
{
	const McOssConn *conn = u->target->conn;
	bool		multipart = u->object.id[0] != '\0';
	mcw_view	body = mcw_buf_view(&u->body);
	bool		overwrite = u->mode == MC_OSS_OVERWRITE || u->erases;
	StringInfoData document;
	McEntry    *e = new_entry(run, conn, "object", overwrite ? "overwrite" : "create", &document);

	if (overwrite)
		e->target = mcOssTargetKey(conn, mcw_str(u->erases ? u->target->table->literal : u->directory), "");
	else
		e->target = mcOssTargetKey(conn, mcw_str(u->directory), u->window ? run->stem : "");
	e->label = psprintf("oss://%s/%s", conn->server->bucket, mcOssShown(u->object.key));
	e->handle = pstrdup(u->object.id);
	e->token = pstrdup(u->token);
	e->rows = u->rows;
	e->bytes = multipart ? u->object.size : body.len;
	appendStringInfoString(&document, ",\"key\":\"");
	append_encoded(&document, u->object.key);
	appendStringInfoString(&document, "\",\"content_type\":\"");
	append_encoded(&document, u->object.content_type);
	appendStringInfo(&document, "\",\"window\":%s,\"replace\":%s", u->window ? "true" : "false", u->replace ? "true" : "false");
	appendStringInfo(&document, ",\"size\":\"" INT64_FORMAT "\",\"crc64\":\"" UINT64_FORMAT "\"", e->bytes,
					 multipart ? u->object.crc64 : mcw_crc64(0, body.data, body.len));
	if (multipart)
		append_parts(&document, &u->object);
	else
	{
		bytea	   *copy = palloc(VARHDRSZ + body.len);

		SET_VARSIZE(copy, VARHDRSZ + body.len);
		if (body.len > 0)
			memcpy(VARDATA(copy), body.data, body.len);
		e->body = copy;
	}
	appendStringInfoChar(&document, '}');
	e->document = document.data;
	return e;
}

McEntry *
mcOssSealPut(const McJobRun *run, McOssTarget *target, const char *kind, const char *mode,
			 const mcs_oss_upload *object, mcw_view body)
{
	StringInfoData document;
	McEntry    *e = new_entry(run, target->conn, kind, mode, &document);
	bytea	   *copy = palloc(VARHDRSZ + body.len);

	e->target = mcOssTargetKey(target->conn, object->key, "");
	e->label = psprintf("oss://%s/%s", target->conn->server->bucket, mcOssShown(object->key));
	e->token = pnstrdup(object->token.data, object->token.len);
	e->bytes = body.len;
	appendStringInfoString(&document, ",\"key\":\"");
	append_encoded(&document, object->key);
	appendStringInfoString(&document, "\",\"content_type\":\"");
	append_encoded(&document, object->content_type);
	/* the name says which window of the job it is, or it is the same whatever window */
	appendStringInfo(&document, "\",\"window\":true,\"replace\":%s", object->may_replace ? "true" : "false");
	appendStringInfo(&document, ",\"size\":\"" INT64_FORMAT "\",\"crc64\":\"" UINT64_FORMAT "\"}", e->bytes,
					 mcw_crc64(0, body.data, body.len));
	SET_VARSIZE(copy, VARHDRSZ + body.len);
	if (body.len > 0)
		memcpy(VARDATA(copy), body.data, body.len);
	e->body = copy;
	e->document = document.data;
	return e;
}

/* ---- deletes ---- */

static void
begin_keys(StringInfo document, bool own)
{
	appendStringInfo(document, ",\"own\":%s,\"objects\":[", own ? "true" : "false");
}

static void
append_object(StringInfo document, bool first, mcw_view key, mcw_view etag, bool link)
{
	appendStringInfo(document, "%s[\"", first ? "" : ",");
	append_encoded(document, key);
	appendStringInfoString(document, "\",\"");
	append_encoded(document, etag);
	appendStringInfo(document, "\",\"%s\"]", link ? "link" : "");
}

void
mcOssSealErasure(const McJobRun *run, McOssTarget *target, const char *directory, bool all,
				 const mcs_oss_object *objects, int nobjects, List **entries)
{
	for (int begin = 0; begin < nobjects; begin += KEYS_PER_ENTRY)
	{
		int			n = Min(KEYS_PER_ENTRY, nobjects - begin);
		StringInfoData document;
		McEntry    *e = new_entry(run, target->conn, "delete", all ? "overwrite" : "delete", &document);

		e->target = mcOssTargetKey(target->conn, mcw_str(directory), "");
		e->label = psprintf("deletion of %d %s of \"%s\" in oss://%s/%s", n, n == 1 ? "object" : "objects", target->name,
							target->conn->server->bucket, mcOssShown(mcw_str(directory)));
		begin_keys(&document, false);
		for (int i = 0; i < n; i++)
		{
			const mcs_oss_object *o = &objects[begin + i];

			append_object(&document, i == 0, o->key, o->etag, o->link);
		}
		appendStringInfoString(&document, "]}");
		e->document = document.data;
		*entries = lappend(*entries, e);
	}
}

McEntry *
mcOssSealWithdraw(const McJobRun *run, McOssTarget *target, mcw_view key)
{
	StringInfoData document;
	McEntry    *e = new_entry(run, target->conn, "withdraw", "delete", &document);

	e->target = mcOssTargetKey(target->conn, key, "");
	e->label = psprintf("removal of oss://%s/%s", target->conn->server->bucket, mcOssShown(key));
	begin_keys(&document, false);
	append_object(&document, true, key, MCW_LIT(""), false);
	appendStringInfoString(&document, "]}");
	e->document = document.data;
	return e;
}

/* ---- earlier attempts of the window ---- */

/* After this no request of the earlier attempt can make the object any more */
static void
abort_upload(const McEntry *e, McOssEntryConn *c, mcw_view key)
{
	mcs_oss_upload upload = {.key = key,.alloc = &c->conn->alloc};
	int64		until = mcn_now_us() + ABORT_WAIT_US;
	mcw_error	err;
	mcw_status	status;

	strlcpy(upload.id, e->handle, sizeof(upload.id));
	c->conn->client.deadline_us = until;
	for (;;)
	{
		memset(&err, 0, sizeof(err));
		status = mcs_oss_upload_abort(&c->conn->client, key, mcw_str(upload.id), &err);
		if (status == MCW_OK)
			status = mcs_oss_upload_waits(&c->conn->client, &upload, &err);
		if (status == MCW_ERR_INTERRUPTED)
			CHECK_FOR_INTERRUPTS();
		if (status == MCW_END || mcs_oss_error_is(&err, "NoSuchBucket"))
			break;
		if (status != MCW_OK || mcn_now_us() >= until)
		{
			if (status == MCW_OK)
				status = mcw_fail(&err, MCW_ERR_TIMEOUT, "upload %s of an earlier attempt could not be aborted", upload.id);
			mcRaise(&err, &c->conn->place);
		}
		(void) mcn_loop_step(mcLoop(), 100);
		CHECK_FOR_INTERRUPTS();
	}
	c->conn->client.deadline_us = 0;
}

static uint64
object_hash(const McEntry *e)
{
	char	   *text = psprintf("%s %s %s", e->endpoint, mcEntryText(e, "bucket"), mcEntryText(e, "key"));

	return DatumGetUInt64(hash_any_extended((const unsigned char *) text, strlen(text), 0));
}

static bool
is_object(const McEntry *e)
{
	return e->service == MC_OSS && strcmp(e->kind, "object") == 0;
}

static HTAB *
hash_objects(const List *entries)
{
	HASHCTL		ctl = {.keysize = sizeof(uint64),.entrysize = sizeof(uint64),.hcxt = CurrentMemoryContext};
	HTAB	   *result = hash_create("mc_fdw objects of an attempt", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	ListCell   *lc;

	foreach(lc, entries)
	{
		uint64		hash;

		if (!is_object(lfirst(lc)))
			continue;
		hash = object_hash(lfirst(lc));
		(void) hash_search(result, &hash, HASH_ENTER, NULL);
	}
	return result;
}

static McEntry *
delete_own(const McJobRun *run, const McEntry *earlier, McOssEntryConn *c, mcw_view key)
{
	StringInfoData document;
	McEntry    *e = new_entry(run, c->conn, "delete", "delete", &document);

	e->target = pstrdup(earlier->target);
	e->label = psprintf("deletion of oss://%s/%s, which an earlier attempt has made", c->conn->server->bucket, mcOssShown(key));
	begin_keys(&document, true);
	append_object(&document, true, key, MCW_LIT(""), false);
	appendStringInfoString(&document, "]}");
	e->document = document.data;
	return e;
}

void
mcOssSealEarlier(McJobRun *run, const List *earlier, List **entries)
{
	HTAB	   *settled = hash_objects(*entries);
	ListCell   *lc;

	foreach(lc, earlier)
	{
		const McEntry *e = lfirst(lc);
		mcw_view	key;
		McOssEntryConn *c;
		uint64		hash;
		bool		found;

		if (!is_object(e))
			continue;
		c = mcOssEntryConnect(e);
		key = mcOssEntryDecode(mcEntryText(e, "key"));
		if (e->handle[0] != '\0')
			abort_upload(e, c, key);
		hash = object_hash(e);
		(void) hash_search(settled, &hash, HASH_ENTER, &found);
		if (!found)
			*entries = lappend(*entries, delete_own(run, e, c, key));
	}
}

/* ---- uploads that failed attempts have left ---- */

/* <job>.<yyyymmdd>T<hhmmss>Z.part-<number>..., and not one that waits for this run's own entries */
static bool
is_orphan(const McJobRun *run, mcw_view key, mcw_view id, int64 initiated_us)
{
	static const char form[] = ".########T######Z.part-#####";
	size_t		len = strlen(run->name);
	size_t		at = key.len;

	if (initiated_us > (GetCurrentTimestamp() + (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY) - ORPHAN_AGE_US)
		return false;
	while (at > 0 && key.data[at - 1] != '/')
		at--;
	if (key.len - at < len + sizeof(form) - 1 || strncmp(key.data + at, run->name, len) != 0)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++)
	{
		char		c = key.data[at + len + i];

		if (form[i] == '#' ? c < '0' || c > '9' : c != form[i])
			return false;
	}
	for (const McOssUpload *u = mcOssWriteUploads(); u; u = u->next)
		if (mcw_view_eq(mcw_str(u->object.id), id))
			return false;
	return true;
}

/* What cannot be done now is left to the next failed attempt, or to mc.cleanup_uploads() */
static void
reap_orphans_of(const McJobRun *run, const McOssTarget *target)
{
	mcs_oss    *oss = &target->conn->client;
	mcw_arena	arena;
	mcw_oss_uploads list;
	mcw_error	err;
	mcw_status	status;

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, oss->alloc, (size_t) 16 << 20);
	/* one page of a thousand: there will be another occasion */
	status = mcs_oss_list_uploads(oss, mcw_str(target->table->literal), MCW_LIT(""), MCW_LIT(""), &arena, &list, &err);
	for (int i = 0; status == MCW_OK && i < list.nuploads; i++)
		if (is_orphan(run, list.uploads[i].key, list.uploads[i].upload_id, list.uploads[i].initiated))
			status = mcs_oss_upload_abort(oss, list.uploads[i].key, list.uploads[i].upload_id, &err);
	mcw_arena_reset(&arena);
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (status != MCW_OK)
		ereport(LOG,
				(errmsg("mc_fdw: uploads that failed attempts of job \"%s\" may have left under \"%s\" could not be aborted: %s",
						run->name, target->table->literal, mcPrintable(err.message))));
}

void
mcOssReapOrphans(const McJobRun *run)
{
	for (const McOssTarget *t = mcOssWriteTargets(); t; t = t->next)
		if (t->table->scope != MC_OSS_ONE)
			reap_orphans_of(run, t);
}
