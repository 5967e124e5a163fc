/*
 * oss_entry.c
 *		Publishing an entry of the outbox to OSS (guarantees.md 6.3, 6.4): by any session of
 *		the owner, perhaps long after the run, perhaps for the second time.
 *
 * The object's token decides: ours = it is published.  Of an object that is there and not
 * ours only one of the same window gives way, unless the entry overwrites.  What says
 * that nothing can make the object any more is an upload that is gone and a key without
 * our token; if a request may have left before, seen twice, a minute apart, because the service
 * goes on working when its client is gone.
 */
#include "postgres.h"

#include "foreign/foreign.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "oss_entry.h"
#include "publish.h"

#define MAX_TRIES 3				/* of one call, when the key changes hands between look and request */
#define SURE_AFTER_US INT64CONST(60000000)
#define SEEN_ABSENT "upload and object absent since "

/* ---- the document ---- */

mcw_view
mcOssEntryDecode(const char *text)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	mcw_buf		out;

	mcw_buf_init(&out, &alloc, strlen(text) + 1);
	if (mcw_percent_decode(&out, mcw_str(text), false) != MCW_OK)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the document of an entry of the outbox is damaged"),
				 errdetail("\"%s\" is not percent-encoded text.", text)));
	return mcw_buf_view(&out);
}

pg_noreturn static void
damaged(const McEntry *e, const char *member)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the document of entry " INT64_FORMAT " of the outbox is damaged", e->entry_id),
			 errdetail("Member \"%s\" is missing or has another form.", member)));
}

static char *
text_of(const McEntry *e, const char *member)
{
	char	   *text = mcEntryText(e, member);

	if (!text)
		damaged(e, member);
	return text;
}

static uint64
number_of(const McEntry *e, const char *member, const char *text)
{
	uint64		result;

	if (!mcw_view_uint64(mcw_str(text), &result))
		damaged(e, member);
	return result;
}

/* An array of arrays of texts: calls 'row' with the texts of each */
static void
each_row(const McEntry *e, const char *member, int ncolumns, void (*row) (char **columns, int index, int total, void *arg), void *arg)
{
	Jsonb	   *document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(e->document)));
	JsonbValue	buffer;
	JsonbValue *list = getKeyJsonValueFromContainer(&document->root, member, strlen(member), &buffer);
	char	   *columns[3];
	int			total;

	if (!list || list->type != jbvBinary || !JsonContainerIsArray(list->val.binary.data))
		damaged(e, member);
	total = JsonContainerSize(list->val.binary.data);
	for (int i = 0; i < total; i++)
	{
		JsonbValue *item = getIthJsonbValueFromContainer(list->val.binary.data, i);

		if (item->type != jbvBinary || !JsonContainerIsArray(item->val.binary.data) ||
			JsonContainerSize(item->val.binary.data) != ncolumns)
			damaged(e, member);
		for (int k = 0; k < ncolumns; k++)
		{
			JsonbValue *column = getIthJsonbValueFromContainer(item->val.binary.data, k);

			if (column->type != jbvString)
				damaged(e, member);
			columns[k] = pnstrdup(column->val.string.val, column->val.string.len);
		}
		row(columns, i, total, arg);
	}
}

/* ---- the way there ---- */

static McOssEntryConn *present = NULL;

static void
release_conn(void *arg)
{
	McOssEntryConn *c = arg;

	if (c->once)
		mcn_channel_free(c->once);
	c->once = NULL;
	if (present == c)
		present = NULL;
}

static bool
same_way(const McOssEntryConn *c, const McEntry *e, const char *bucket, const char *style)
{
	return c->key.serverid == e->serverid && c->key.owner == e->owner && strcmp(c->key.endpoint, e->endpoint) == 0 &&
		strcmp(c->bucket, bucket) == 0 && strcmp(c->style, style) == 0;
}

McOssEntryConn *
mcOssEntryConnect(const McEntry *e)
{
	char	   *bucket = text_of(e, "bucket");
	char	   *style = text_of(e, "style");
	char	   *signature = text_of(e, "signature");
	char	   *region = mcEntryText(e, "region");
	MemoryContext cxt;
	MemoryContext old;
	McServer   *server;
	McOssEntryConn *c;

	if (present && same_way(present, e, bucket, style))
		return present;
	if (present)
		MemoryContextDelete(present->cxt);
	cxt = AllocSetContextCreate(TopTransactionContext, "mc_fdw OSS entries", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(cxt);
	c = palloc0(sizeof(McOssEntryConn));
	c->cxt = cxt;
	c->key.serverid = e->serverid;
	c->key.owner = e->owner;
	c->key.endpoint = pstrdup(e->endpoint);
	c->bucket = pstrdup(bucket);
	c->style = pstrdup(style);
	server = mcEntryServer(e);
	server->bucket = c->bucket;
	server->region = region ? pstrdup(region) : NULL;
	/* in front: what the run has used, whatever the server says by now */
	server->server_options = lcons(makeDefElem("url_style", (Node *) makeString(c->style), -1), server->server_options);
	server->server_options = lcons(makeDefElem("signature_version", (Node *) makeString(pstrdup(signature)), -1),
								   server->server_options);
	c->conn = mcOssConnect(server, cxt);
	c->once = mcPublishChannel(server, &c->conn->alloc, c->conn->client.channel, server->endpoint,
							   c->conn->client.style == MCS_OSS_VIRTUAL ? server->bucket : NULL);
	c->callback.func = release_conn;
	c->callback.arg = c;
	MemoryContextRegisterResetCallback(cxt, &c->callback);
	MemoryContextSwitchTo(old);
	present = c;
	return c;
}

static bool
has_mapping(const McEntry *e)
{
	return SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(e->owner), ObjectIdGetDatum(e->serverid)) ||
		SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(e->serverid));
}

/* ---- tokens: job/incarnation/[family.]seq/attempt/... ---- */

typedef struct Token
{
	mcw_view	job;
	mcw_view	incarnation;
	mcw_view	seq;
	int64		family;
	int64		number;
} Token;

static mcw_view
next_field(mcw_view *rest)
{
	const char *slash = rest->len > 0 ? memchr(rest->data, '/', rest->len) : NULL;
	mcw_view	field = {rest->data, slash ? (size_t) (slash - rest->data) : 0};

	if (slash)
		*rest = (mcw_view) {slash + 1, rest->len - field.len - 1};
	else
		rest->len = 0;
	return field;
}

/* false: not a job's */
static bool
read_token(mcw_view text, Token *token)
{
	char		seq[64];
	char	   *dot;

	token->job = next_field(&text);
	token->incarnation = next_field(&text);
	token->seq = next_field(&text);
	if (token->seq.len == 0 || token->seq.len >= sizeof(seq))
		return false;
	memcpy(seq, token->seq.data, token->seq.len);
	seq[token->seq.len] = '\0';
	dot = strchr(seq, '.');
	token->family = dot ? strtoll(seq, NULL, 10) : 0;
	token->number = strtoll(dot ? dot + 1 : seq, NULL, 10);
	return true;
}

static bool
is_newer(const Token *mine, const Token *theirs)
{
	return mcw_view_eq(mine->job, theirs->job) && mine->family == theirs->family && theirs->number > mine->number;
}

/* ---- an object ---- */

typedef struct OssAttempt
{
	McEntry    *e;
	McOssEntryConn *c;
	mcs_oss_upload upload;
	bool		window;
	bool		replace;
	bool		fresh;			/* no request that makes it visible can have left before this call */
	int64		deadline_us;
} OssAttempt;

typedef enum Seen
{
	SEEN_OURS,
	SEEN_ABSENT_KEY,
	SEEN_REPLACEABLE,
	SEEN_FOREIGN,
	SEEN_NEWER,
	SEEN_DAMAGED,
	SEEN_NOTHING				/* the question failed */
} Seen;

static void
read_part(char **columns, int index, int total, void *arg)
{
	OssAttempt *p = arg;
	mcw_oss_part *part;

	if (index == 0)
	{
		p->upload.parts = palloc0(total * sizeof(mcw_oss_part));
		p->upload.nparts = p->upload.cap = total;
	}
	part = &p->upload.parts[index];
	part->number = index + 1;
	part->etag = mcOssEntryDecode(columns[0]);
	part->size = number_of(p->e, "parts", columns[1]);
	part->crc64 = number_of(p->e, "parts", columns[2]);
	part->has_crc64 = true;
	p->upload.size += part->size;
}

static void
read_object(OssAttempt *p, const mcw_alloc *alloc)
{
	McEntry    *e = p->e;

	p->window = strcmp(text_of(e, "window"), "true") == 0;
	p->replace = strcmp(text_of(e, "replace"), "true") == 0 || strcmp(e->mode, "overwrite") == 0;
	p->fresh = e->sent <= 1 && !e->distrust;
	p->upload.key = mcOssEntryDecode(text_of(e, "key"));
	p->upload.content_type = mcOssEntryDecode(text_of(e, "content_type"));
	p->upload.token = mcw_str(e->token);
	p->upload.alloc = alloc;
	if (e->handle[0] != '\0')
	{
		strlcpy(p->upload.id, e->handle, sizeof(p->upload.id));
		each_row(e, "parts", 3, read_part, p);
	}
	else if (!e->body)
		damaged(e, "body");
	p->upload.size = number_of(e, "size", text_of(e, "size"));
	p->upload.crc64 = number_of(e, "crc64", text_of(e, "crc64"));
}

static mcw_view
body_of(const McEntry *e)
{
	return e->body ? (mcw_view) {VARDATA_ANY(e->body), VARSIZE_ANY_EXHDR(e->body)} : (mcw_view) {NULL, 0};
}

static Seen
judge(const OssAttempt *p, const mcs_oss_object *object, mcw_error *err)
{
	Token		mine;
	Token		theirs;

	if (mcw_view_eq(object->token, p->upload.token))
	{
		if (object->size == p->upload.size && (!object->has_crc64 || object->crc64 == p->upload.crc64))
			return SEEN_OURS;
		(void) mcw_fail(err, MCW_ERR_CHECKSUM, "the object that was written has other bytes than were sent");
		return SEEN_DAMAGED;
	}
	if (read_token(p->upload.token, &mine) && read_token(object->token, &theirs) && mcw_view_eq(mine.job, theirs.job))
	{
		if (is_newer(&mine, &theirs))
			return SEEN_NEWER;
		/* the name says which window it is; without it the number must */
		if (p->window || (mcw_view_eq(mine.incarnation, theirs.incarnation) && mcw_view_eq(mine.seq, theirs.seq)))
			return SEEN_REPLACEABLE;
	}
	return p->replace ? SEEN_REPLACEABLE : SEEN_FOREIGN;
}

static Seen
look(OssAttempt *p, mcw_error *err)
{
	mcw_arena	arena;
	mcs_oss_object object;
	mcw_status	status;
	Seen		seen;

	mcw_arena_init(&arena, &p->c->conn->alloc, 65536);
	status = mcs_oss_head(&p->c->conn->client, p->upload.key, &arena, &object, err);
	if (status == MCW_ERR_SERVICE && err->http_status == 404 && !mcs_oss_error_is(err, "NoSuchBucket"))
		seen = SEEN_ABSENT_KEY;
	else if (status != MCW_OK)
		seen = SEEN_NOTHING;
	else
		seen = judge(p, &object, err);
	if (seen == SEEN_OURS || seen == SEEN_DAMAGED || seen == SEEN_FOREIGN)
		p->e->evidence = psprintf("object with ETag \"%.*s\", CRC-64 " UINT64_FORMAT ", %s", (int) Min(object.etag.len, 80),
								  object.etag.data, object.crc64,
								  seen == SEEN_OURS ? "our token" : object.token.len == 0 ? "no token" :
								  psprintf("token \"%.*s\"", (int) Min(object.token.len, 200), object.token.data));
	mcw_arena_reset(&arena);
	return seen;
}

/*
 * The upload is gone and the key does not hold what it would have made.  After a request that
 * may have left earlier that must be so for a while.
 */
static McEntryOutcome
absent(OssAttempt *p, mcw_error *err)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz since = now;

	if (p->fresh)
	{
		p->e->evidence = "the upload is gone, and no request had left that completes it";
		(void) mcw_fail(err, MCW_ERR_SERVICE, "the upload is gone; nothing was published");
		return MC_ENTRY_LOST;
	}
	if (p->e->seen && strncmp(p->e->seen, SEEN_ABSENT, strlen(SEEN_ABSENT)) == 0)
		since = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(p->e->seen + strlen(SEEN_ABSENT)),
														ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	if (since > now)
		since = now;
	p->e->evidence = psprintf(SEEN_ABSENT "%s", timestamptz_to_str(since));
	if (now - since < SURE_AFTER_US)
	{
		(void) mcw_fail(err, MCW_ERR_SERVICE, "the upload is gone and the object is not there; it is looked at once more in a minute");
		return MC_ENTRY_PENDING;
	}
	if (p->window)
	{
		(void) mcw_fail(err, MCW_ERR_SERVICE, "the upload is gone and the object is not there");
		return MC_ENTRY_LOST;
	}
	(void) mcw_fail(err, MCW_ERR_SERVICE,
					"the upload is gone and the object is not there; others may have replaced or deleted what it had made");
	return MC_ENTRY_CONFLICT;
}

static McEntryOutcome
published(OssAttempt *p)
{
	if (!p->e->evidence)
		p->e->evidence = psprintf("the service stored CRC-64 " UINT64_FORMAT ", " UINT64_FORMAT " bytes",
								  p->upload.crc64, p->upload.size);
	return MC_ENTRY_PUBLISHED;
}

/* Before a request: true = the outcome is known */
static bool
settled_by_look(OssAttempt *p, McEntryOutcome *outcome, mcw_error *err)
{
	mcw_status	status;

	switch (look(p, err))
	{
		case SEEN_OURS:
			*outcome = published(p);
			return true;
		case SEEN_DAMAGED:
			*outcome = MC_ENTRY_CONFLICT;
			return true;
		case SEEN_FOREIGN:
			(void) mcw_fail(err, MCW_ERR_SERVICE, "another object has the key, which this job has not made");
			*outcome = MC_ENTRY_CONFLICT;
			return true;
		case SEEN_NEWER:
			p->e->evidence = "the key holds an object of a later window";
			(void) mcw_fail(err, MCW_ERR_SERVICE, "the key holds an object of a later window");
			*outcome = MC_ENTRY_SUPERSEDED;
			return true;
		case SEEN_NOTHING:
			*outcome = MC_ENTRY_PENDING;
			return true;
		case SEEN_REPLACEABLE:
			p->upload.may_replace = true;
			break;
		case SEEN_ABSENT_KEY:
			p->upload.may_replace = false;
			break;
	}
	if (p->upload.id[0] == '\0')
		return false;
	status = mcs_oss_upload_waits(&p->c->conn->client, &p->upload, err);
	if (status == MCW_OK)
		return false;
	*outcome = status == MCW_END ? absent(p, err) : MC_ENTRY_PENDING;
	return true;
}

/* After a request that was plainly refused: true = the outcome is known */
static bool
settled_by_refusal(OssAttempt *p, McEntryOutcome *outcome, mcw_error *err)
{
	if (mcs_oss_error_is(err, "FileAlreadyExists") || mcs_oss_error_is(err, "ObjectAlreadyExists") ||
		mcs_oss_error_is(err, "NoSuchUpload"))
		return false;
	*outcome = MC_ENTRY_PENDING;
	if (mcs_oss_error_is(err, "InvalidPart") || mcs_oss_error_is(err, "InvalidPartOrder") || mcs_oss_error_is(err, "EntityTooSmall"))
		*outcome = p->window || p->fresh ? MC_ENTRY_LOST : MC_ENTRY_CONFLICT;
	return true;
}

static McEntryOutcome
publish_object(OssAttempt *p, mcw_error *err)
{
	McEntryOutcome outcome = MC_ENTRY_PENDING;

	read_object(p, &p->c->conn->alloc);
	for (int try = 0; try < MAX_TRIES; try++)
	{
		/* a first request to a key that must be free asks that by itself */
		if ((try > 0 || !p->fresh || p->replace) && settled_by_look(p, &outcome, err))
			return outcome;
		memset(err, 0, sizeof(*err));
		switch (mcs_oss_publish(&p->c->conn->client, p->c->once, &p->upload, body_of(p->e), p->deadline_us, err))
		{
			case MCS_OSS_PUBLISHED:
				return published(p);
			case MCS_OSS_IN_DOUBT:
				return MC_ENTRY_PENDING;
			case MCS_OSS_NOT_PUBLISHED:
				if (settled_by_refusal(p, &outcome, err))
					return outcome;
				break;
		}
		p->upload.sent = false; /* what it did is known */
	}
	return MC_ENTRY_PENDING;
}

/* ---- deletes ---- */

typedef struct Deletion
{
	McEntry    *e;
	Token		mine;
	bool		own;
	mcs_oss_object *objects;
	int			nobjects;
} Deletion;

static void
read_deleted(char **columns, int index, int total, void *arg)
{
	Deletion   *d = arg;

	if (index == 0)
	{
		d->objects = palloc0(total * sizeof(mcs_oss_object));
		d->nobjects = total;
	}
	d->objects[index].key = mcOssEntryDecode(columns[0]);
	d->objects[index].etag = mcOssEntryDecode(columns[1]);
	d->objects[index].link = columns[2][0] != '\0';
}

static bool
spare(const mcs_oss_object *object, mcw_view token, void *arg)
{
	const Deletion *d = arg;
	Token		theirs;

	if (!read_token(token, &theirs))
		return d->own;
	if (is_newer(&d->mine, &theirs))
		return true;
	return d->own && !(mcw_view_eq(d->mine.job, theirs.job) && mcw_view_eq(d->mine.seq, theirs.seq));
}

static McEntryOutcome
publish_delete(McEntry *e, McOssEntryConn *c, mcw_error *err)
{
	Deletion	d = {.e = e};
	int			deleted = 0;
	int			changed = 0;

	if (!read_token(mcw_str(psprintf("%s/", e->token)), &d.mine))
		damaged(e, "token");
	d.own = strcmp(text_of(e, "own"), "true") == 0;
	each_row(e, "objects", 3, read_deleted, &d);
	if (mcs_oss_delete_unless(&c->conn->client, d.objects, d.nobjects, c->conn->server->concurrency, spare, &d,
							  &deleted, &changed, err) != MCW_OK)
		return MC_ENTRY_PENDING;
	e->evidence = psprintf("%d gone, %d passed over because others have changed them", deleted, changed);
	return MC_ENTRY_PUBLISHED;
}

McEntryOutcome
mcOssEntryPublish(McEntry *e, int64 deadline_us, mcw_error *err)
{
	OssAttempt p = {.e = e,.deadline_us = deadline_us};
	McEntryOutcome outcome;

	if (!has_mapping(e))
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "role \"%s\" has no user mapping for server \"%s\"",
						GetUserNameFromId(e->owner, false), e->server);
		return MC_ENTRY_PENDING;
	}
	p.c = mcOssEntryConnect(e);
	p.c->conn->client.deadline_us = deadline_us;
	if (strcmp(e->kind, "object") == 0 || strcmp(e->kind, "manifest") == 0 || strcmp(e->kind, "success") == 0)
		outcome = publish_object(&p, err);
	else if (strcmp(e->kind, "delete") == 0 || strcmp(e->kind, "withdraw") == 0)
		outcome = publish_delete(e, p.c, err);
	else
		elog(ERROR, "entry " INT64_FORMAT " is of unknown kind \"%s\"", e->entry_id, e->kind);
	p.c->conn->client.deadline_us = 0;
	CHECK_FOR_INTERRUPTS();
	if (err->request_id[0] != '\0')
		e->request_id = pstrdup(err->request_id);
	return outcome;
}
