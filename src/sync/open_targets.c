/*
 * open_targets.c
 *		What is written to a target comes in one order: locks, and the check that the
 *		outbox has nothing left for it.
 *
 * A run takes the locks of its targets when it is sealed and keeps them until its entries
 * are committed; an ad hoc transaction takes them before it publishes and keeps them to
 * its end.  So either it sees the entries, or the run is sealed after it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "../fdw/publish.h"
#include "sync.h"

static int
by_key(const ListCell *a, const ListCell *b)
{
	return strcmp(((const McTargetKey *) lfirst(a))->key, ((const McTargetKey *) lfirst(b))->key);
}

/* in one order for everybody */
static void
lock_targets(const List *targets)
{
	List	   *sorted = list_copy(targets);
	ListCell   *lc;

	list_sort(sorted, by_key);
	foreach(lc, sorted)
	{
		const McTargetKey *t = lfirst(lc);

		mcLockTarget(DatumGetUInt32(hash_any((const unsigned char *) t->key, strlen(t->key))), t->shared);
	}
}

/*
 * $1: targets, $2: those that are only appended to by a job, $3: the job, 0 = none.
 * NOT IN is what the index on mc.publish says.
 */
static const char open_query[] =
"SELECT p.label, p.state, j.name, j.owner::pg_catalog.oid, r.run_id"
" FROM mc.publish p JOIN mc.run r USING (run_id) JOIN mc.job j USING (job_id)"
" WHERE p.target = ANY ($1) AND p.state NOT IN ('published', 'superseded', 'discarded')"
" AND p.state IN ('prepared', 'publishing', 'conflict') AND r.job_id <> $3"
" AND NOT (p.mode = 'append' AND p.target = ANY ($2))"
" ORDER BY p.entry_id LIMIT 1";

static void
refuse_open(void)
{
	bool		isnull;
	Oid			owner = DatumGetObjectId(mcSpiDatum(0, 4, &isnull));
	bool		may_know = has_privs_of_role(GetUserId(), owner);
	char	   *label = mcSpiText(0, 1);
	char	   *state = mcSpiText(0, 2);
	char	   *job = may_know ? psprintf("job \"%s\"", mcSpiText(0, 3)) : pstrdup("a job of another role");

	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("%s has changes of %s that are not published yet", label, job),
			 strcmp(state, "conflict") == 0 ?
			 errdetail("Its run " INT64_FORMAT " is in conflict: somebody must find out what the target holds.", mcSpiInt(0, 5, 0)) :
			 errdetail("They were prepared earlier and must become visible first."),
			 strcmp(state, "conflict") == 0 ?
			 errhint("The owner settles it with mc.resolve_run(), then repeat this.") :
			 errhint("CALL mc.resolve_all() as the owner, then repeat this.")));
}

/* Rows of all owners count, so the question is the bootstrap superuser's; it runs no code of users */
static void
find_open(const List *targets, int64 job_id)
{
	static const Oid types[] = {TEXTARRAYOID, TEXTARRAYOID, INT8OID};
	int			n = list_length(targets);
	Datum	   *keys = palloc(n * sizeof(Datum));
	Datum	   *appended = palloc(n * sizeof(Datum));
	int			nappended = 0;
	Datum		values[3];
	ListCell   *lc;
	McBooks		books;
	uint64		found;

	foreach(lc, targets)
	{
		const McTargetKey *t = lfirst(lc);

		keys[foreach_current_index(lc)] = CStringGetTextDatum(t->key);
		if (t->shared && job_id != 0)
			appended[nappended++] = CStringGetTextDatum(t->key);
	}
	values[0] = PointerGetDatum(construct_array(keys, n, TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = PointerGetDatum(construct_array(appended, nappended, TEXTOID, -1, false, TYPALIGN_INT));
	values[2] = Int64GetDatum(job_id);

	SPI_connect();
	mcBooksBegin(&books);
	/* not the transaction's snapshot: what was committed before we got the locks must be seen */
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args(open_query, lengthof(types), (Oid *) types, values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "the outbox could not be read");
	found = SPI_processed;
	PopActiveSnapshot();
	mcBooksEnd(&books);
	if (found > 0)
		refuse_open();
	SPI_finish();
}

void
mcCheckTargets(const List *targets, int64 job_id)
{
	Oid			schema = get_namespace_oid("mc", true);

	lock_targets(targets);
	if (OidIsValid(schema) && OidIsValid(get_relname_relid("publish", schema)))
		find_open(targets, job_id);
}

/* $1: targets, $2: the job */
static const char owners_query[] =
"SELECT o.target, o.owner::pg_catalog.oid FROM mc.target_owner o WHERE o.target = ANY ($1) AND o.job_id <> $2 ORDER BY o.target";

/*
 * Between jobs of one role adopt_target is enough to overwrite what another has; what
 * belongs to a role whose privileges this one lacks, that role has to give up.  Of its job
 * nothing is told.
 */
void
mcCheckOwners(const List *targets, int64 job_id, Oid owner)
{
	static const Oid types[] = {TEXTARRAYOID, INT8OID};
	Datum	   *keys = palloc(Max(list_length(targets), 1) * sizeof(Datum));
	Datum		values[2];
	ListCell   *lc;
	McBooks		books;

	foreach(lc, targets)
		keys[foreach_current_index(lc)] = CStringGetTextDatum(((const McTargetKey *) lfirst(lc))->key);
	values[0] = PointerGetDatum(construct_array(keys, list_length(targets), TEXTOID, -1, false, TYPALIGN_INT));
	values[1] = Int64GetDatum(job_id);
	mcBooksBegin(&books);
	PushActiveSnapshot(GetLatestSnapshot());
	if (SPI_execute_with_args(owners_query, lengthof(types), (Oid *) types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "the owners of targets could not be read");
	PopActiveSnapshot();
	mcBooksEnd(&books);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		const char *key = mcSpiText(i, 1);

		if (has_privs_of_role(owner, DatumGetObjectId(mcSpiDatum(i, 2, &isnull))))
			continue;
		foreach(lc, targets)
		{
			const McTargetKey *t = lfirst(lc);

			if (strcmp(t->key, key) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_IN_USE),
						 errmsg("%s belongs to a job of another role", t->label),
						 errdetail("That job has overwritten it last; adopt_target is not enough between roles."),
						 errhint("The owner of that job, or a superuser, can give it up: SELECT mc.release_target(job, %s).",
								 quote_literal_cstr(key))));
		}
	}
}

static void
check_ad_hoc(List *targets)
{
	mcCheckTargets(targets, 0);
}

/* fdw knows nothing of sync */
__attribute__((constructor)) static void
set_hook(void)
{
	mcPublishOpenTargets = check_ad_hoc;
}
