/*
 * oss_mark.c
 *		What readers of a directory are told of a write: a manifest of the objects it has
 *		made (option "manifest"), and a success file that is there only while no write is
 *		half visible (option "success_file").
 *
 * The manifest is one Put behind all objects and in front of all deletes: who reads
 * the objects that manifests name sees all of a write or nothing.  The success file is for
 * readers who list.  It goes before the first object comes, and a new one is put when the
 * last replaced object is gone: once, in the directory around the path columns, where Spark
 * and Hadoop put it.  In jobs both are entries of the outbox; outside, steps of the commit.
 *
 * docs/oss.md has the form of the manifest, which readers depend on.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "../wire/mcw_hash.h"
#include "oss_write.h"
#include "publish.h"

#define MANIFEST_VERSION 1

/* what the manifests before this one are worth, for the table's readers */
typedef enum Replaces
{
	REPLACES_NOTHING,
	REPLACES_DIRECTORIES,		/* those that have objects in this one */
	REPLACES_TABLE
} Replaces;

static const char *const replaces_words[] = {"nothing", "directories", "table"};

/* ---- which directories ---- */

static McOssMark *
mark_of(List **marks, McOssTarget *target)
{
	McOssMark  *m;
	ListCell   *lc;

	foreach(lc, *marks)
	{
		m = lfirst(lc);
		if (mcOssSameBucket(m->target->conn, target->conn) && strcmp(m->target->table->root, target->table->root) == 0)
			return m;
	}
	m = palloc0(sizeof(McOssMark));
	m->target = target;
	*marks = lappend(*marks, m);
	return m;
}

static void
add_target(List **marks, McOssTarget *target)
{
	McOssMark  *m;

	if (!target->table->manifest && !target->table->success_file)
		return;
	m = mark_of(marks, target);
	if (target->table->success_file && !m->success)
		m->success = palloc0(sizeof(McOssMarkPut));
	if (!target->table->manifest)
		return;
	if (m->told && m->told->relid != target->relid)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("\"%s\" and \"%s\" cannot be written in one transaction", m->told->name, target->name),
				 errdetail("Both have option manifest, and their manifests would be in the same directory \"%s\".",
						   mcOssShown(mcw_str(target->table->root))),
				 errhint("Give them prefixes in directories of their own.")));
	m->told = target;
	if (!m->manifest)
		m->manifest = palloc0(sizeof(McOssMarkPut));
}

static bool
is_told(const McOssMark *m, const McOssTarget *target)
{
	return m->told != NULL && m->told->relid == target->relid;
}

/* ---- the manifest ---- */

static void
append_json(StringInfo s, mcw_view text)
{
	escape_json(s, pnstrdup(text.data, text.len));
}

static void
append_text(StringInfo s, const char *text)
{
	escape_json(s, mcOssToWire(text));
}

static void
append_time(StringInfo s, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;

	if (timestamp2tm(at, NULL, &tm, &fsec, NULL, NULL) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
	appendStringInfo(s, "\"%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year, tm.tm_mon, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (fsec != 0)
		appendStringInfo(s, ".%06d", (int) fsec);
	appendStringInfoString(s, "Z\"");
}

/* What the service computes: MD5 of a Put's bytes; of a multipart object, from those of its parts */
static void
append_etag(StringInfo s, const McOssUpload *u)
{
	mcw_alloc	alloc = mcContextAlloc(CurrentMemoryContext);
	unsigned char md5[16];
	mcw_buf		etag;
	mcw_error	err;
	mcw_status	status;

	mcw_buf_init(&etag, &alloc, 128);
	if (u->object.id[0] != '\0')
		status = mcs_oss_upload_etag(&u->object, &etag, &err);
	else
	{
		status = mcw_md5(u->body.data, u->body.len, md5);
		if (status == MCW_OK)
			status = mcw_hex_encode(&etag, (mcw_view) {(const char *) md5, sizeof(md5)}, true);
	}
	if (status == MCW_OK)
		append_json(s, mcw_buf_view(&etag));
	else if (status == MCW_ERR_FORMAT)
		appendStringInfoString(s, "null");
	else
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not compute the ETag of an object")));
	mcw_buf_free(&etag);
}

static void
append_object(StringInfo s, const McOssUpload *u)
{
	bool		multipart = u->object.id[0] != '\0';
	mcw_view	body = mcw_buf_view(&u->body);
	uint64		size = body.len;

	if (multipart)
	{
		size = 0;
		for (int i = 0; i < u->object.nparts; i++)
			size += u->object.parts[i].size;
	}
	appendStringInfoString(s, "{\"key\":");
	append_json(s, u->object.key);
	appendStringInfoString(s, ",\"etag\":");
	append_etag(s, u);
	/* beyond 2^53 readers of JSON lose digits */
	appendStringInfo(s, ",\"size\":" UINT64_FORMAT ",\"crc64\":\"" UINT64_FORMAT "\",\"rows\":" INT64_FORMAT "}", size,
					 multipart ? u->object.crc64 : mcw_crc64(0, body.data, body.len), u->rows);
}

static void
append_source(StringInfo s, const McJobRun *run, const char *id)
{
	if (!run)
	{
		appendStringInfo(s, "{\"version\":%d,\"job\":null,\"seq\":null,\"backfill\":false,\"attempt\":null,\"window\":null,"
						 "\"statement\":\"%s\"", MANIFEST_VERSION, id);
		return;
	}
	appendStringInfo(s, "{\"version\":%d,\"job\":", MANIFEST_VERSION);
	append_text(s, run->name);
	appendStringInfo(s, ",\"seq\":" INT64_FORMAT ",\"backfill\":%s,\"attempt\":%d,\"window\":[", run->seq,
					 run->backfill ? "true" : "false", run->attempt);
	append_time(s, run->lo);
	appendStringInfoChar(s, ',');
	append_time(s, run->hi);
	appendStringInfoString(s, "],\"statement\":null");
}

static Replaces
replaces_of(const McOssMark *m, const List *uploads)
{
	ListCell   *lc;

	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (!i->dead && is_told(m, i->target))
			return REPLACES_TABLE;
	foreach(lc, uploads)
	{
		const McOssUpload *u = lfirst(lc);

		if (is_told(m, u->target) && u->mode == MC_OSS_OVERWRITE)
			return m->told->table->nparts > 0 ? REPLACES_DIRECTORIES : REPLACES_TABLE;
	}
	return REPLACES_NOTHING;
}

/* One line, so that it can be read as JSON lines */
static mcw_view
manifest_text(McOssMark *m, const List *uploads, const McJobRun *run, const char *id, Replaces replaces)
{
	const McServer *server = m->told->conn->server;
	int64		rows = 0;
	StringInfoData s;
	ListCell   *lc;

	initStringInfo(&s);
	append_source(&s, run, id);
	appendStringInfoString(&s, ",\"bucket\":");
	append_text(&s, server->bucket);
	appendStringInfoString(&s, ",\"prefix\":");
	append_text(&s, mcOptionText(server->table_options, "prefix"));
	appendStringInfo(&s, ",\"replaces\":\"%s\",\"objects\":[", replaces_words[replaces]);
	foreach(lc, uploads)
	{
		const McOssUpload *u = lfirst(lc);

		if (!is_told(m, u->target))
			continue;
		if (m->nobjects++ > 0)
			appendStringInfoChar(&s, ',');
		append_object(&s, u);
		rows += u->rows;
	}
	appendStringInfo(&s, "],\"rows\":" INT64_FORMAT "}\n", rows);
	return (mcw_view) {s.data, s.len};
}

/* ---- what is put ---- */

static void
prepare_put(McOssMarkPut *put, const McOssMark *m, const char *key, const char *type, mcw_view body, const McJobRun *run)
{
	char	   *token = palloc(33);

	(void) mcOssRandomToken(token, 16);
	if (run)
	{
		token[16] = '\0';
		token = psprintf("%s/" INT64_FORMAT "/%s", run->token, mcOssNextSequence(), token);
	}
	put->object.alloc = &m->target->conn->alloc;
	put->object.key = mcw_str(key);
	put->object.content_type = mcw_str(type);
	put->object.token = mcw_str(token);
	put->body = body;
	if (put->object.key.len > MCS_OSS_MAX_KEY)
		ereport(ERROR,
				(errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION),
				 errmsg("the key \"%s\" would have more than %d bytes", mcOssShown(put->object.key), MCS_OSS_MAX_KEY)));
}

/* of the statement that wrote first; TRUNCATE has none */
static void
statement_of(const McOssMark *m, const List *uploads, char *id)
{
	ListCell   *lc;

	foreach(lc, uploads)
	{
		const McOssUpload *u = lfirst(lc);

		if (!is_told(m, u->target))
			continue;
		strlcpy(id, u->key + strlen(u->directory), MC_OSS_STATEMENT_ID + 1);
		return;
	}
	mcOssStatementId(id);
}

/* the name in the token: the number of the window, behind that of a backfill */
static char *
seq_of(const McJobRun *run)
{
	size_t		len = strlen(run->token_seq) - 1;
	size_t		begin = len;

	while (begin > 0 && run->token_seq[begin - 1] != '/')
		begin--;
	return pnstrdup(run->token_seq + begin, len - begin);
}

/* Two jobs in one directory would number their manifests alike; better now than when objects are visible */
static void
check_name(const McOssMark *m, const McJobRun *run)
{
	size_t		job = strcspn(run->token_seq, "/") + 1;
	const mcs_oss_upload *object = &m->manifest->object;
	mcw_arena	arena;
	mcs_oss_object there;
	mcw_error	err;
	mcw_status	status;
	bool		foreign;

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, &m->target->conn->alloc, 65536);
	status = mcs_oss_head(&m->target->conn->client, object->key, &arena, &there, &err);
	foreign = status == MCW_OK && !(there.token.len > job && memcmp(there.token.data, run->token_seq, job) == 0);
	mcw_arena_reset(&arena);
	if (status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	if (status == MCW_ERR_SERVICE && err.http_status == 404 && !mcs_oss_error_is(&err, "NoSuchBucket"))
		return;
	mcCheck(status, &err, &m->target->conn->place);
	if (foreign)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("manifest oss://%s/%s is there, and job \"%s\" has not made it", m->target->conn->server->bucket,
						mcOssShown(object->key), run->name),
				 errdetail("Manifests are named after the number of the window."),
				 errhint("Let each job write a prefix of its own, or remove the manifests if they are those of a job that does not exist any more.")));
}

static void
prepare(McOssMark *m, const List *uploads, const McJobRun *run)
{
	const char *root = m->target->table->root;

	if (m->manifest)
	{
		Replaces	replaces = replaces_of(m, uploads);
		char		id[MC_OSS_STATEMENT_ID + 1] = "";
		mcw_view	text;

		if (!run)
			statement_of(m, uploads, id);
		text = manifest_text(m, uploads, run, id, replaces);
		prepare_put(m->manifest, m, psprintf("%s" MC_OSS_MANIFESTS "/%s.json", root, run ? seq_of(run) : id),
					"application/json", text, run);
		m->mode = replaces == REPLACES_NOTHING ? "create" : "overwrite";
		if (run && replaces == REPLACES_NOTHING)
			check_name(m, run);
	}
	if (m->success)
	{
		prepare_put(m->success, m, psprintf("%s" MC_OSS_SUCCESS, root), "application/octet-stream", (mcw_view) {NULL, 0}, run);
		m->success->object.may_replace = true;
	}
}

List *
mcOssMarks(const List *uploads, const McJobRun *run)
{
	List	   *marks = NIL;
	ListCell   *lc;

	foreach(lc, uploads)
		add_target(&marks, ((McOssUpload *) lfirst(lc))->target);
	for (McOssIntent *i = mcOssWriteIntents(); i; i = i->next)
		if (!i->dead)
			add_target(&marks, i->target);
	for (McOssWritten *w = mcOssWriteWritten(); w; w = w->next)
		if (!w->dead)
			add_target(&marks, w->target);
	foreach(lc, marks)
		prepare(lfirst(lc), uploads, run);
	return marks;
}

/* ---- publishing outside of jobs ---- */

pg_noreturn static void
raise_mark(const mcw_error *err, void *arg)
{
	const McOssMark *m = arg;

	if (err->status == MCW_ERR_INTERRUPTED)
		CHECK_FOR_INTERRUPTS();
	mcRaise(err, &m->target->conn->place);
}

static bool
spare_none(const mcs_oss_object *object, mcw_view token, void *arg)
{
	return false;
}

static void
withdraw(McOssMark *m)
{
	mcs_oss    *oss = &m->target->conn->client;
	mcs_oss_object object;
	mcw_arena	arena;
	mcw_error	err;
	mcw_status	status;
	int			deleted = 0;
	int			changed = 0;

	memset(&err, 0, sizeof(err));
	mcw_arena_init(&arena, oss->alloc, 65536);
	status = mcs_oss_head(oss, m->success->object.key, &arena, &object, &err);
	mcw_arena_reset(&arena);
	if (status == MCW_ERR_SERVICE && err.http_status == 404 && !mcs_oss_error_is(&err, "NoSuchBucket"))
		return;
	if (status != MCW_OK)
		mcPublishFailed(&err, raise_mark, m);
	memset(&object, 0, sizeof(object));
	object.key = m->success->object.key;
	status = mcs_oss_delete_unless(oss, &object, 1, 1, spare_none, NULL, &deleted, &changed, &err);
	if (status != MCW_OK)
	{
		m->withdrawing = err.status != MCW_ERR_SERVICE || err.http_status >= 500;
		mcPublishFailed(&err, raise_mark, m);
	}
	m->withdrawn = true;
	mcPublishDone();
}

static void
put(McOssMark *m, McOssMarkPut *what, int64 deadline_us)
{
	mcw_error	err;

	memset(&err, 0, sizeof(err));
	what->attempted = true;
	what->outcome = mcs_oss_publish(&m->target->conn->client, m->target->once, &what->object, what->body, deadline_us, &err);
	if (what->outcome != MCS_OSS_PUBLISHED)
		mcPublishFailed(&err, raise_mark, m);
	mcPublishDone();
}

void
mcOssMarksWithdraw(List *marks)
{
	ListCell   *lc;

	foreach(lc, marks)
		if (((McOssMark *) lfirst(lc))->success)
			withdraw(lfirst(lc));
}

void
mcOssMarksTell(List *marks, int64 deadline_us)
{
	ListCell   *lc;

	foreach(lc, marks)
	{
		McOssMark  *m = lfirst(lc);

		if (m->manifest)
			put(m, m->manifest, deadline_us);
	}
}

void
mcOssMarksFinish(List *marks, int64 deadline_us)
{
	ListCell   *lc;

	foreach(lc, marks)
	{
		McOssMark  *m = lfirst(lc);

		if (m->success)
			put(m, m->success, deadline_us);
	}
}

static void
describe_put(McItems *list, const McOssMark *m, const McOssMarkPut *what)
{
	mcPublishItem(list, "oss://%s/%s", m->target->conn->server->bucket, mcOssShown(what->object.key));
}

void
mcOssMarksAnnounce(const List *marks, McItems *list)
{
	ListCell   *lc;

	foreach(lc, marks)
	{
		const McOssMark *m = lfirst(lc);

		if (m->manifest)
			describe_put(list, m, m->manifest);
		if (m->success)
			describe_put(list, m, m->success);
	}
}

static McItems *
list_of(McOutcomes *all, const McOssMarkPut *what)
{
	if (!what->attempted || what->outcome == MCS_OSS_NOT_PUBLISHED)
		return &all->not_published;
	return what->outcome == MCS_OSS_PUBLISHED ? &all->published : &all->unknown;
}

void
mcOssMarksOutcomes(const List *marks, McOutcomes *all)
{
	ListCell   *lc;

	foreach(lc, marks)
	{
		const McOssMark *m = lfirst(lc);

		if (m->withdrawn || m->withdrawing)
			mcPublishItem(m->withdrawn ? &all->published : &all->unknown, "removal of oss://%s/%s",
						  m->target->conn->server->bucket, mcOssShown(m->success->object.key));
		if (m->manifest)
			describe_put(list_of(all, m->manifest), m, m->manifest);
		if (m->success)
			describe_put(list_of(all, m->success), m, m->success);
	}
}

/* ---- in a job ---- */

void
mcOssMarksSeal(const McJobRun *run, const List *marks, List **entries)
{
	ListCell   *lc;

	foreach(lc, marks)
	{
		const McOssMark *m = lfirst(lc);

		if (m->success)
		{
			*entries = lappend(*entries, mcOssSealWithdraw(run, m->target, m->success->object.key));
			*entries = lappend(*entries, mcOssSealPut(run, m->target, "success", "overwrite", &m->success->object, m->success->body));
		}
		if (m->manifest)
			*entries = lappend(*entries, mcOssSealPut(run, m->target, "manifest", m->mode, &m->manifest->object, m->manifest->body));
	}
}
