/*
 * odps_upload.c
 *		The register of a transaction's remote writes: targets, upload sessions and
 *		intents (TRUNCATE, DELETE of partitions).
 *
 * It lives in an own context under TopMemoryContext, because executor memory is gone
 * when a transaction ends and CurTransactionContext is gone when a savepoint is
 * rolled back.  Nothing here sends anything.
 *
 * A session belongs to one (partition, mode, subtransaction).  It may be joined by a
 * later statement only while it is the newest thing that happened to its partition;
 * so publishing in order of first write gives what a local table would hold.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "odps_write.h"
#include "publish.h"

static MemoryContext write_cxt = NULL;
static McTarget *targets = NULL;
static McUpload *uploads = NULL;
static McIntent *intents = NULL;
static int64 last_seq = 0;
static int	writers = 0;

McTarget *
mcWriteTargets(void)
{
	return targets;
}

McUpload *
mcWriteUploads(void)
{
	return uploads;
}

McIntent *
mcWriteIntents(void)
{
	return intents;
}

void
mcWriterBegin(void)
{
	writers++;
}

void
mcWriterEnd(void)
{
	if (writers > 0)
		writers--;
}

int
mcWriters(void)
{
	return writers;
}

McTarget *
mcWriteTarget(Relation rel, Oid userid)
{
	Oid			relid = RelationGetRelid(rel);
	MemoryContext old;
	McTarget   *t;
	McServer   *wanted;
	const char *partition;

	mcPublishRefuseSerializable(RelationGetRelationName(rel));
	wanted = mcGetServer(MC_MAXCOMPUTE, GetForeignTable(relid)->serverid, userid, relid, false);
	for (t = targets; t; t = t->next)
		if (t->relid == relid && t->userid == userid && mcServerSame(t->odps->server, wanted))
			return t;

	mcOdpsInitXact();
	if (!write_cxt)
		write_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw uploads", ALLOCSET_DEFAULT_SIZES);

	/* registered only when complete: a failure leaves memory that ends with the transaction */
	old = MemoryContextSwitchTo(write_cxt);
	t = palloc0(sizeof(McTarget));
	t->relid = relid;
	t->userid = userid;
	t->name = pstrdup(RelationGetRelationName(rel));
	t->odps = mcOdpsOpen(wanted->serverid, userid, relid);
	t->table = mcOdpsTable(t->odps, false);
	mcOdpsOpenTunnel(t->odps);
	if (t->table->is_view)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("cannot write to \"%s\": %s is a view", t->name, t->odps->label)));
	partition = mcServerOption(t->odps->server, "partition");
	t->fixed = mcParsePartitionOption(partition, t->table, &t->odps->place);
	t->all_fixed = t->table->nkeys > 0;
	for (int i = 0; i < t->table->nkeys; i++)
		if (!t->fixed[i].data)
			t->all_fixed = false;
	t->next = targets;
	targets = t;
	MemoryContextSwitchTo(old);
	return t;
}

/* without scheme and final slashes */
static mcw_view
bare_endpoint(const char *url)
{
	const char *host = strstr(url, "://");
	size_t		len;

	host = host ? host + 3 : url;
	len = strlen(host);
	while (len > 0 && host[len - 1] == '/')
		len--;
	return (mcw_view) {host, len};
}

/* in a project that has schemas, none is "default" */
static mcw_view
schema_of(const McOdps *odps)
{
	return odps->service.schema.len > 0 ? odps->service.schema : MCW_LIT("default");
}

/* two foreign tables may show the same remote table; names of MaxCompute have no case */
static bool
same_table(const McOdps *a, const McOdps *b)
{
	return mcw_view_ieq(a->service.project, b->service.project) &&
		mcw_view_ieq(schema_of(a), schema_of(b)) &&
		pg_strcasecmp(a->table_name, b->table_name) == 0 &&
		mcw_view_ieq(bare_endpoint(a->server->endpoint), bare_endpoint(b->server->endpoint));
}

bool
mcSameRemote(const McTarget *a, const McTarget *b)
{
	return a == b || same_table(a->odps, b->odps);
}

int64
mcWriteSequence(void)
{
	return last_seq;
}

bool
mcWriteChanged(const McOdps *odps, int64 upto)
{
	for (McUpload *u = uploads; u; u = u->next)
		if (!u->garbage && u->seq <= upto && same_table(u->target->odps, odps))
			return true;
	for (McIntent *i = intents; i; i = i->next)
		if (!i->dead && i->seq <= upto && same_table(i->target->odps, odps))
			return true;
	return false;
}

bool
mcIntentCovers(const McIntent *intent, const McTarget *target, const char *spec)
{
	if (intent->dead || !mcSameRemote(intent->target, target))
		return false;
	if (intent->spec)
		return strcmp(intent->spec, spec) == 0;
	for (int i = 0; i < intent->target->table->nkeys; i++)
		if (intent->target->fixed[i].data &&
			!mcw_view_eq(intent->target->fixed[i], mcSpecValue(spec, i)))
			return false;
	return true;
}

/* Is what this session holds replaced by something later in the same transaction? */
bool
mcUploadSuperseded(const McUpload *upload)
{
	for (McIntent *i = intents; i; i = i->next)
		if (i->seq > upload->seq && mcIntentCovers(i, upload->target, upload->spec))
			return true;
	for (McUpload *u = upload->next; u; u = u->next)
		if (!u->garbage && u->session.overwrite && u->session.nblocks > 0 &&
			mcSameRemote(u->target, upload->target) && strcmp(u->spec, upload->spec) == 0)
			return true;
	return false;
}

/* has the partition been touched by an intent that is newer than everything uploaded to it? */
static bool
emptied(McTarget *target, const char *spec, int64 since)
{
	for (McIntent *i = intents; i; i = i->next)
		if (i->seq > since && mcIntentCovers(i, target, spec))
			return true;
	return false;
}

static McUpload *
add_upload(McTarget *target, const char *spec, bool overwrite_mode, bool overwrite, const char *mark)
{
	MemoryContext old = MemoryContextSwitchTo(write_cxt);
	McUpload   *u = palloc0(sizeof(McUpload));
	McUpload  **end = &uploads;

	u->alloc = mcContextAlloc(write_cxt);
	u->session.alloc = &u->alloc;
	u->target = target;
	u->spec = pstrdup(spec);
	u->mark = mark ? pstrdup(mark) : NULL;
	u->session.table = target->table->name;
	u->session.partition = mcw_str(u->spec);
	u->session.overwrite = overwrite;
	u->session.create_partition = u->spec[0] != '\0';
	u->overwrite_mode = overwrite_mode;
	u->subid = GetCurrentSubTransactionId();
	u->seq = ++last_seq;
	while (*end)
		end = &(*end)->next;
	*end = u;
	MemoryContextSwitchTo(old);
	return u;
}

/* The upload to join, or NULL; then what a new one must heed */
static McUpload *
joinable(McTarget *target, const char *spec, bool overwrite, bool marked, bool *fuse, McUpload **overwriter)
{
	McUpload   *newest = NULL;

	*overwriter = NULL;
	for (McUpload *u = uploads; u; u = u->next)
		if (!u->garbage && mcSameRemote(u->target, target) && strcmp(u->spec, spec) == 0)
		{
			newest = u;
			if (u->overwrite_mode)
				*overwriter = u;
		}
	*fuse = emptied(target, spec, newest ? newest->seq : 0);

	if (newest && !*fuse && newest->target->relid == target->relid &&
		newest->target->userid == target->userid && newest->subid == GetCurrentSubTransactionId() &&
		newest->overwrite_mode == overwrite && !newest->full && !newest->listed && (newest->mark != NULL) == marked)
		return newest;
	return NULL;
}

const char *
mcWriteUploadMark(McTarget *target, const char *spec, bool overwrite)
{
	McUpload   *overwriter;
	bool		fuse;
	McUpload   *u = joinable(target, spec, overwrite, true, &fuse, &overwriter);

	return u ? u->mark : NULL;
}

McUpload *
mcWriteUpload(McTarget *target, const char *spec, bool overwrite, const char *mark)
{
	McUpload   *overwriter;
	bool		fuse;
	McUpload   *u = joinable(target, spec, overwrite, mark != NULL, &fuse, &overwriter);

	if (u)
		return u;
	if (overwrite && !fuse && overwriter)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot overwrite %s%s of \"%s\" a second time in one transaction",
						spec[0] ? "partition " : "all", spec, target->name),
				 overwriter->full ?
				 errdetail("Its upload session has no room for more blocks, and a second one would erase the first.") :
				 errdetail("Its rows were written in another subtransaction or through another foreign table, and a second upload session would erase them."),
				 errhint("Write it in one statement, or outside of savepoints and PL/pgSQL EXCEPTION blocks.")));
	return add_upload(target, spec, overwrite, overwrite || fuse, mark);
}

void
mcWriteIntend(McTarget *target, const mcw_view *values)
{
	MemoryContext old = MemoryContextSwitchTo(write_cxt);
	McIntent   *i = palloc0(sizeof(McIntent));
	McIntent  **end = &intents;

	i->target = target;
	i->spec = values ? mcSpecText(target, values, false) : NULL;
	i->quoted = values ? mcSpecText(target, values, true) : NULL;
	i->subid = GetCurrentSubTransactionId();
	i->seq = ++last_seq;
	while (*end)
		end = &(*end)->next;
	*end = i;
	MemoryContextSwitchTo(old);
}

void
mcWriteSubCommit(SubTransactionId mine, SubTransactionId parent)
{
	for (McUpload *u = uploads; u; u = u->next)
		if (u->subid == mine)
			u->subid = parent;
	for (McIntent *i = intents; i; i = i->next)
		if (i->subid == mine)
			i->subid = parent;
}

void
mcWriteSubAbort(SubTransactionId mine)
{
	for (McUpload *u = uploads; u; u = u->next)
		if (u->subid == mine)
			u->garbage = true;
	for (McIntent *i = intents; i; i = i->next)
		if (i->subid == mine)
			i->dead = true;
}

/*
 * The creation of a session may still be on the loop if its statement failed; its
 * memory goes now.
 */
void
mcWriteForget(void)
{
	mcSinkAbandonAll();
	for (McUpload *u = uploads; u; u = u->next)
		mcs_odps_call_free(&u->opening);
	for (McTarget *t = targets; t; t = t->next)
		if (t->once)
			mcn_channel_free(t->once);
	targets = NULL;
	uploads = NULL;
	intents = NULL;
	writers = 0;
	last_seq = 0;
	if (write_cxt)
		MemoryContextDelete(write_cxt);
	write_cxt = NULL;
}
