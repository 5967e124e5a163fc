/*
 * odps_seal.c
 *		What a run of a job has uploaded to MaxCompute, as entries of the outbox.
 *
 * An entry says everything that its publication needs but the credentials, since server
 * and foreign table may change before it is published (odps_entry.c).
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/timestamp.h"

#include "entry.h"
#include "odps_publish.h"
#include "publish.h"

#define SESSION_LIFE_US INT64CONST(86400000000)	/* maxcompute.md 4.5 */
#define SINGLE_QUESTIONS 16		/* more partitions of a table than that: the list of all is asked for */

static const McPlace *
place_of(const McTarget *target)
{
	return &target->odps->place;
}

/* names have no case, values of partitions do */
static char *
target_key(const McTarget *target, const char *spec)
{
	const mcs_odps *service = &target->odps->service;
	StringInfoData key;
	mcw_view	parts[3];

	parts[0] = service->project;
	parts[1] = service->schema.len > 0 ? service->schema : MCW_LIT("default");
	parts[2] = mcw_str(target->odps->table_name);
	initStringInfo(&key);
	appendStringInfo(&key, "maxcompute:%s", mcEndpointHost(target->odps->server->endpoint));
	for (int i = 0; i < lengthof(parts); i++)
	{
		appendStringInfoChar(&key, '/');
		for (size_t k = 0; k < parts[i].len; k++)
			appendStringInfoChar(&key, pg_ascii_tolower((unsigned char) parts[i].data[k]));
	}
	if (spec && spec[0])
	{
		appendStringInfoChar(&key, '/');
		for (int k = 0; k < target->table->nkeys; k++)
		{
			mcw_view	name = target->table->keys[k].name;
			mcw_view	value = mcSpecValue(spec, k);

			if (k > 0)
				appendStringInfoChar(&key, ',');
			for (size_t n = 0; n < name.len; n++)
				appendStringInfoChar(&key, pg_ascii_tolower((unsigned char) name.data[n]));
			appendStringInfoChar(&key, '=');
			appendBinaryStringInfo(&key, value.data, value.len);
		}
	}
	return pg_any_to_server(key.data, key.len, PG_UTF8);
}

static char *
label_of(const McTarget *target, const char *spec)
{
	return spec && spec[0] ? psprintf("%s (%s)", target->odps->label, mcPrintable(spec)) : pstrdup(target->odps->label);
}

static void
add_text(StringInfo json, const char *name, const char *value, size_t len)
{
	if (json->len > 1)
		appendStringInfoString(json, ", ");
	appendStringInfo(json, "\"%s\": ", name);
	escape_json(json, pnstrdup(value, len));
}

/* names and the tunnel in the database's encoding: a document is text */
static void
begin_document(StringInfo json, const McTarget *target, const char *spec, const char *quoted, int64 mtime)
{
	const mcs_odps *service = &target->odps->service;

	initStringInfo(json);
	appendStringInfoChar(json, '{');
	add_text(json, "tunnel", mcn_channel_url(service->tunnel), strlen(mcn_channel_url(service->tunnel)));
	add_text(json, "project", service->project.data, service->project.len);
	if (service->schema.len > 0)
		add_text(json, "schema", service->schema.data, service->schema.len);
	add_text(json, "table", target->table->name.data, target->table->name.len);
	if (service->region.len > 0)
		add_text(json, "region", service->region.data, service->region.len);
	if (service->quota.len > 0)
		add_text(json, "quota", service->quota.data, service->quota.len);
	if (spec && spec[0])
	{
		char	   *local = pg_any_to_server(spec, strlen(spec), PG_UTF8);

		add_text(json, "partition", local, strlen(local));
		local = pg_any_to_server(quoted, strlen(quoted), PG_UTF8);
		add_text(json, "quoted", local, strlen(local));
	}
	if (mtime > 0)
		appendStringInfo(json, ", \"mtime\": " INT64_FORMAT, mtime);
}

/* ---- remote modification times ---- */

static int
count_targets(const McPublication *pub, const McTarget *target)
{
	ListCell   *lc;
	int			n = 0;

	foreach(lc, pub->uploads)
	{
		const McUpload *u = lfirst(lc);

		n += u->target == target && u->session.overwrite;
	}
	foreach(lc, pub->erasures)
		n += ((const McErasure *) lfirst(lc))->target == target;
	return n;
}

/* When was it changed last?  Epoch seconds, 0 = it does not exist or the service does not tell. */
static int64
last_modified(const McPublication *pub, McTarget *target, const char *spec, const char *quoted, List **listed)
{
	mcs_odps_part_state state;
	mcw_error	err;

	if (spec && spec[0] && count_targets(pub, target) > SINGLE_QUESTIONS)
	{
		bool		fresh = !list_member_ptr(*listed, target);
		const mcs_odps_partitions *all = mcOdpsPartitions(target->odps, fresh);

		if (fresh)
			*listed = lappend(*listed, target);
		for (int i = 0; i < all->nitems; i++)
		{
			bool		same = true;

			for (int k = 0; k < target->table->nkeys && same; k++)
				same = mcw_view_eq(all->items[i].values[k], mcSpecValue(spec, k));
			if (same)
				return all->items[i].last_modified;
		}
		return 0;
	}
	memset(&err, 0, sizeof(err));
	mcOdpsCheck(target->odps, mcs_odps_get_part_state(&target->odps->service, target->table->name,
													  mcw_str(spec && spec[0] ? quoted : ""), &state, &err), &err);
	return state.exists ? state.last_modified : 0;
}

/* ---- entries ---- */

static const char *
quoted_spec(const McTarget *target, const char *spec)
{
	mcw_view   *values = palloc0(Max(target->table->nkeys, 1) * sizeof(mcw_view));

	if (!spec || !spec[0])
		return "";
	for (int k = 0; k < target->table->nkeys; k++)
		values[k] = mcSpecValue(spec, k);
	return mcSpecText(target, values, true);
}

static TimestampTz
from_unix_us(int64 us)
{
	return us - (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

/* of the entry that is appended next; the nonce, because an attempt's number may be given twice */
static char *
make_token(const McJobRun *run, const List *entries)
{
	uint8		nonce[8];

	if (!pg_strong_random(nonce, sizeof(nonce)))
		ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("the system has no random numbers")));
	return psprintf("%s/%d/%02x%02x%02x%02x%02x%02x%02x%02x", run->token, list_length(entries) + 1,
					nonce[0], nonce[1], nonce[2], nonce[3], nonce[4], nonce[5], nonce[6], nonce[7]);
}

static McEntry *
make_entry(const McJobRun *run, const List *entries, McTarget *target, const char *spec)
{
	McEntry    *e = palloc0(sizeof(McEntry));

	e->service = MC_MAXCOMPUTE;
	e->serverid = target->odps->server->serverid;
	e->owner = run->owner;
	e->writer = target->odps->server->userid;
	e->server = pstrdup(target->odps->server->name);
	e->endpoint = pstrdup(target->odps->server->endpoint);
	e->target = target_key(target, spec);
	e->label = label_of(target, spec);
	e->token = make_token(run, entries);
	e->handle = "";
	return e;
}

/* A day after its creation the session is gone; until then somebody must have published it */
static void
set_life(const McJobRun *run, McEntry *e, const McUpload *u)
{
	int64		now = mcn_channel_service_now(u->target->odps->service.tunnel);
	int64		created = u->session.created_us;
	int64		left;

	if (now == 0 || created == 0)
	{
		now = mcn_unix_us();
		created = now - (mcn_now_us() - u->session.opened_us);
	}
	e->created = from_unix_us(created);
	e->expires = from_unix_us(created + SESSION_LIFE_US);
	left = created + SESSION_LIFE_US - now;
	if (left < run->prepare_margin_us)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("upload session %s of %s expires in " INT64_FORMAT " minutes, before it could be published safely",
						u->session.id, e->label, Max(left, 0) / 60000000),
				 errdetail("The service keeps a session for 24 hours; prepare_margin of the job wants " INT64_FORMAT
						   " minutes to be left when a run is sealed.", run->prepare_margin_us / 60000000),
				 errhint("Let the windows be shorter, or set prepare_margin lower."),
				 mcPlaceContext(place_of(u->target))));
}

static McEntry *
upload_entry(McJobRun *run, const McPublication *pub, McUpload *u, const List *entries, List **listed)
{
	McEntry    *e = make_entry(run, entries, u->target, u->spec);
	const char *quoted = quoted_spec(u->target, u->spec);
	StringInfoData json;

	e->kind = "upload";
	if (u->mark)
		e->token = pstrdup(u->mark);
	e->handle = pstrdup(u->session.id);
	e->mode = u->session.overwrite ? "overwrite" : "append";
	e->rows = u->session.rows;
	e->bytes = u->bytes;
	set_life(run, e, u);
	begin_document(&json, u->target, u->spec, quoted,
				   u->session.overwrite ? last_modified(pub, u->target, u->spec, quoted, listed) : 0);
	if (u->mark)
	{
		mcw_view	column = u->target->table->columns[u->mark_column].name;

		add_text(&json, "run_column", column.data, column.len);
	}
	/* block ids are 0, 1, ...: the record count of each */
	appendStringInfoString(&json, ", \"blocks\": [");
	for (int i = 0; i < u->session.nblocks; i++)
		appendStringInfo(&json, "%s" INT64_FORMAT, i ? ", " : "", u->session.block_rows[i]);
	appendStringInfoString(&json, "]}");
	e->document = json.data;
	return e;
}

static McEntry *
erasure_entry(McJobRun *run, const McPublication *pub, const McErasure *erasure, const List *entries, List **listed)
{
	McEntry    *e = make_entry(run, entries, erasure->target, erasure->spec);
	StringInfoData json;

	e->kind = erasure->spec && !erasure->keep_partition ? "drop" : "truncate";
	e->mode = "erase";
	begin_document(&json, erasure->target, erasure->spec, erasure->quoted,
				   last_modified(pub, erasure->target, erasure->spec, erasure->quoted, listed));
	appendStringInfoChar(&json, '}');
	e->document = json.data;
	return e;
}

void
mcOdpsSeal(McJobRun *run, List **entries)
{
	McPublication *pub = mcOdpsPublication();
	List	   *listed = NIL;
	ListCell   *lc;

	foreach(lc, pub->uploads)
		*entries = lappend(*entries, upload_entry(run, pub, lfirst(lc), *entries, &listed));
	foreach(lc, pub->erasures)
		*entries = lappend(*entries, erasure_entry(run, pub, lfirst(lc), *entries, &listed));
	for (McUpload *u = mcWriteUploads(); u; u = u->next)
		u->listed = true;
	for (McIntent *i = mcWriteIntents(); i; i = i->next)
		i->listed = true;
}

/*
 * A partition that an earlier attempt has overwritten and this one has no rows for is
 * erased: the window ends as if it had been done once.
 */
void
mcOdpsSealEarlier(McJobRun *run, const List *earlier, List **entries)
{
	static const char *const kept[] = {"tunnel", "project", "schema", "table", "region", "quota", "partition", "quoted"};
	ListCell   *lc;
	ListCell   *other;

	foreach(lc, earlier)
	{
		const McEntry *old = lfirst(lc);
		McEntry    *e;
		StringInfoData json;
		bool		again = false;

		if (old->service != MC_MAXCOMPUTE || !old->published || strcmp(old->kind, "upload") != 0 ||
			strcmp(old->mode, "overwrite") != 0)
			continue;
		foreach(other, *entries)
			again |= strcmp(((const McEntry *) lfirst(other))->target, old->target) == 0;
		if (again)
			continue;
		initStringInfo(&json);
		appendStringInfoChar(&json, '{');
		for (int i = 0; i < lengthof(kept); i++)
		{
			const char *value = mcEntryText(old, kept[i]);

			if (value)
				add_text(&json, kept[i], value, strlen(value));
		}
		appendStringInfoChar(&json, '}');
		e = palloc(sizeof(McEntry));
		*e = *old;
		e->entry_id = 0;
		e->kind = mcEntryText(old, "partition") ? "drop" : "truncate";
		e->mode = "erase";
		e->handle = "";
		e->token = make_token(run, *entries);
		e->rows = e->bytes = 0;
		e->document = json.data;
		e->body = NULL;
		e->created = e->expires = 0;
		e->sent = 0;
		*entries = lappend(*entries, e);
	}
}

static void
add_target(List **targets, const McTarget *target, const char *spec, bool shared)
{
	McTargetKey *t = palloc0(sizeof(McTargetKey));

	t->key = target_key(target, spec);
	t->label = label_of(target, spec);
	t->shared = shared;
	*targets = lappend(*targets, t);
}

void
mcOdpsTargets(List **targets)
{
	McPublication *pub = mcOdpsPublication();
	ListCell   *lc;

	foreach(lc, pub->uploads)
	{
		const McUpload *u = lfirst(lc);

		add_target(targets, u->target, u->spec, !u->session.overwrite);
	}
	foreach(lc, pub->erasures)
	{
		const McErasure *e = lfirst(lc);

		add_target(targets, e->target, e->spec, false);
	}
}
