/*
 * oss_ledger.c
 *		Objects as the source of a job: which versions it has taken already
 *		(guarantees.md 7.3).
 *
 * The time of an object may be that of the beginning of its upload, and a list is no
 * snapshot.  So a window takes every object that is not in the ledger by key and ETag,
 * older than its end and not older than the lookback, rather than those whose time lies
 * inside.  A window that is done again reads the versions that are recorded for it.
 *
 * Scans of one run that list under the same conditions read the same objects: the first
 * one that is through fixes them.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "nodes/nodeFuncs.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "job.h"
#include "oss.h"

/* all versions of a key */
typedef struct Versions
{
	const char *key;
	List	   *known;			/* McJobObject *: of earlier windows */
	List	   *taken;			/* of this one */
	bool		asked;			/* 'older' was looked up */
	char	   *older;			/* ETag of what windows before the lookback have taken */
} Versions;

/* what one list under some conditions gave */
typedef struct Listing
{
	const char *conditions;
	List	   *objects;
} Listing;

typedef struct McOssBooks
{
	HTAB	   *versions;
	List	   *listings;
} McOssBooks;

struct McOssLedger
{
	McOssConn  *conn;
	const McOssTable *table;
	McJobSource *source;
	const char *conditions;		/* NULL: they depend on more than the run */
	const List *listed;			/* McJobObject *: what to read; NULL = it is listed */
	bool		is_listed;
	int			next;			/* of 'listed' */
	List	   *seen;			/* taken by this scan */
};

/* ---- books ---- */

static uint32
hash_key(const void *key, Size size)
{
	const char *text = *(const char *const *) key;

	return DatumGetUInt32(hash_any((const unsigned char *) text, (int) strlen(text)));
}

static int
match_key(const void *a, const void *b, Size size)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static Versions *
versions_of(McOssBooks *books, const char *key, bool make)
{
	bool		found;
	Versions   *v = hash_search(books->versions, &key, make ? HASH_ENTER : HASH_FIND, &found);

	if (make && !found)
	{
		v->key = mcJobCopy(key);
		v->known = v->taken = NIL;
		v->asked = false;
		v->older = NULL;
	}
	return v;
}

static McOssBooks *
open_books(McJobSource *source)
{
	MemoryContext old;
	HASHCTL		ctl;
	ListCell   *lc;

	if (source->books != NULL)
		return source->books;
	old = MemoryContextSwitchTo(mcJob->cxt);
	source->books = palloc0(sizeof(McOssBooks));
	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(char *);
	ctl.entrysize = sizeof(Versions);
	ctl.hash = hash_key;
	ctl.match = match_key;
	ctl.hcxt = mcJob->cxt;
	source->books->versions = hash_create("mc_fdw objects of a job", 1024, &ctl,
										  HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	foreach(lc, source->known)
	{
		McJobObject *object = lfirst(lc);
		Versions   *v = versions_of(source->books, object->key, true);

		v->known = lappend(v->known, object);
	}
	foreach(lc, source->objects)
	{
		McJobObject *object = lfirst(lc);
		Versions   *v = versions_of(source->books, object->key, true);

		v->taken = lappend(v->taken, object);
	}
	MemoryContextSwitchTo(old);
	return source->books;
}

static bool
has_version(const List *versions, const char *etag)
{
	ListCell   *lc;

	foreach(lc, versions)
		if (strcmp(((McJobObject *) lfirst(lc))->etag, etag) == 0)
			return true;
	return false;
}

/* ---- which scans ---- */

typedef enum Window
{
	ABSENT,						/* no condition on __last_modified__ bounds the list */
	EXACT,						/* the run's */
	OTHER
} Window;

static Window
window_of(List *quals, const Datum *values)
{
	bool		lower = false;
	bool		upper = false;
	Window		result = ABSENT;
	ListCell   *lc;

	foreach(lc, quals)
	{
		const McQual *qual = lfirst(lc);
		McInstant	at;

		if (qual->kind != MC_OSS_QUAL_MODIFIED)
			continue;
		at = mcQualInstant(values[foreach_current_index(lc)], qual->type);
		if (!at.infinite && qual->op == MC_BOUND_GE && at.micros == mcJob->lo + MC_EPOCH_US)
			lower = true;
		else if (!at.infinite && qual->op == MC_BOUND_LT && at.micros == mcJob->hi + MC_EPOCH_US)
			upper = true;
		else
			return OTHER;
		result = OTHER;
	}
	return lower && upper ? EXACT : result;
}

static bool
is_tracked(const McOssConn *conn, const McOssChoice *choice, List *quals, const Datum *values)
{
	const char *track = mcServerOption(conn->server, "track");
	Window		window;

	if (mcJob == NULL || (track != NULL && pg_strcasecmp(track, "none") == 0))
		return false;
	window = window_of(quals, values);
	if (window == OTHER && track != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("job \"%s\" cannot track the objects of \"%s\" under another condition on their time", mcJob->name,
						RelationGetRelationName(choice->rel)),
				 errdetail("Which objects it takes depends on what it has taken before."),
				 errhint("Write the condition as >= $1 AND < $2, leave it out, or remove option \"track\".")));
	return window == EXACT || (window == ABSENT && track != NULL);
}

/* ---- life ---- */

static bool
has_exec_param(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind != PARAM_EXTERN;
	return expression_tree_walker(node, has_exec_param, context);
}

static const char *
conditions_text(const McOssChoice *choice, List *object_quals)
{
	if (has_exec_param((Node *) object_quals, NULL))
		return NULL;
	return psprintf("%u %s", RelationGetRelid(choice->rel), nodeToString(object_quals));
}

static const Listing *
find_listing(const McOssLedger *ledger)
{
	ListCell   *lc;

	foreach(lc, ledger->source->books->listings)
	{
		const Listing *listing = lfirst(lc);

		if (ledger->conditions != NULL && strcmp(listing->conditions, ledger->conditions) == 0)
			return listing;
	}
	return NULL;
}

McOssLedger *
mcOssLedgerOpen(McOssConn *conn, const McOssTable *table, McOssChoice *choice, List *quals,
				const Datum *values, const bool *nulls, List *object_quals, List *places)
{
	McOssLedger *ledger;
	const Listing *listing;
	ListCell   *lc;

	for (int i = 0; i < choice->nfilters; i++)
		choice->filters[i].by_ledger = false;
	if (!is_tracked(conn, choice, quals, values))
		return NULL;
	foreach(lc, quals)
		if (((McQual *) lfirst(lc))->kind == MC_OSS_QUAL_MODIFIED)
			choice->filters[list_nth_int(places, foreach_current_index(lc))].by_ledger = true;

	ledger = palloc0(sizeof(McOssLedger));
	ledger->conn = conn;
	ledger->table = table;
	ledger->source = mcJobSource(MC_OSS, psprintf("oss:%s/%s", mcEndpointHost(conn->server->endpoint),
												  conn->server->bucket ? conn->server->bucket : ""));
	(void) open_books(ledger->source);
	ledger->conditions = conditions_text(choice, object_quals);
	listing = find_listing(ledger);
	ledger->is_listed = ledger->source->replay || listing != NULL;
	ledger->listed = ledger->source->replay ? ledger->source->objects : listing ? listing->objects : NIL;
	choice->narrowed = true;
	choice->modified_from = PG_INT64_MIN;
	choice->modified_to = PG_INT64_MAX;
	if (!ledger->is_listed)
	{
		TimestampTz from = mcJob->backfill ? mcJob->lo : Max(mcJob->start, mcJob->hi - mcJob->lookback_us);

		choice->modified_from = from + MC_EPOCH_US;
		choice->modified_to = mcJob->hi + MC_EPOCH_US - 1;
	}
	return ledger;
}

const char *
mcOssLedgerText(const McOssLedger *ledger)
{
	return ledger == NULL ? "conditions, not tracked" : ledger->source->replay ? "ledger, as recorded" : "ledger";
}

/* ---- objects ---- */

bool
mcOssLedgerListed(const McOssLedger *ledger)
{
	return ledger->is_listed;
}

bool
mcOssLedgerNext(McOssLedger *ledger, mcs_oss_object *object)
{
	const McJobObject *o;

	if (ledger->next >= list_length(ledger->listed))
		return false;
	o = list_nth(ledger->listed, ledger->next++);
	memset(object, 0, sizeof(*object));
	object->key = mcw_str(mcOssToWire(o->key));
	object->etag = mcw_str(mcOssToWire(o->etag));
	object->size = (uint64) o->size;
	object->last_modified = o->last_modified + MC_EPOCH_US;
	object->ranges = true;
	return true;
}

static void
refuse(const McOssLedger *ledger, const mcs_oss_object *object, const char *what, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("job \"%s\" cannot track object \"%s\": %s", mcJob->name, mcOssShown(object->key), what),
			 errdetail("%s", detail),
			 errhint("Exclude it by the table's pattern or a condition, or set option track to 'none'."),
			 mcPlaceContext(&ledger->conn->place)));
}

static void
check_object(const McOssLedger *ledger, const mcs_oss_object *object)
{
	if (object->appendable)
		refuse(ledger, object, "it is appendable", "What is appended after it was read would be missed.");
	if (object->link)
		refuse(ledger, object, "it is a symbolic link", "Its ETag does not tell whether what it points to was changed.");
	if (object->etag.len == 0 || (object->etag.len > 1 && memcmp(object->etag.data, "W/", 2) == 0) || object->last_modified == 0 || object->size == UINT64_MAX)
		refuse(ledger, object, "the server does not tell its version", "A strong ETag, a time and a size are needed.");
}

/* Another version of the key has been taken.  Is this one to be taken too? */
static bool
takes_changed(const McOssLedger *ledger, const mcs_oss_object *object, const char *before, bool same_run)
{
	if (!same_run && strcmp(mcJob->on_object_change, "reread") == 0)
		return true;
	if (!same_run && strcmp(mcJob->on_object_change, "ignore") == 0)
		return false;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("object \"%s\" was replaced after job \"%s\" had read it", mcOssShown(object->key), mcJob->name),
			 errdetail("Its ETag was %s and is %.*s.", mcPrintable(before), (int) Min(object->etag.len, 100), object->etag.data),
			 same_run ? 0 :
			 errhint("on_object_change of the job says what to do: 'reread' reads it again, 'ignore' leaves what was read."),
			 mcPlaceContext(&ledger->conn->place)));
	return false;
}

static void
take(McOssLedger *ledger, Versions *v, const mcs_oss_object *object, const char *etag, bool is_new)
{
	MemoryContext old = MemoryContextSwitchTo(mcJob->cxt);
	McJobObject *o = palloc0(sizeof(McJobObject));

	o->key = pstrdup(v->key);
	o->etag = pstrdup(etag);
	o->size = (int64) object->size;
	o->last_modified = object->last_modified - MC_EPOCH_US;
	if (is_new)
	{
		v->taken = lappend(v->taken, o);
		ledger->source->objects = lappend(ledger->source->objects, o);
	}
	ledger->seen = lappend(ledger->seen, o);
	MemoryContextSwitchTo(old);
}

static char *
server_text(mcw_view utf8)
{
	char	   *copy = pnstrdup(utf8.data, utf8.len);

	return pg_any_to_server(copy, (int) utf8.len, PG_UTF8);
}

bool
mcOssLedgerTakes(McOssLedger *ledger, const mcs_oss_object *object)
{
	McJobSource *source = ledger->source;
	Versions   *v;
	char	   *etag;

	if (ledger->is_listed)
		return true;
	check_object(ledger, object);
	etag = server_text(object->etag);
	v = versions_of(source->books, server_text(object->key), true);
	if (has_version(v->known, etag))
		return false;
	if (has_version(v->taken, etag))
	{
		take(ledger, v, object, etag, false);
		return true;
	}
	if (v->taken != NIL)
		return takes_changed(ledger, object, ((McJobObject *) llast(v->taken))->etag, true);
	if (!v->asked)
		v->older = mcJob->object_etag(mcJob, source, v->key);
	v->asked = true;
	if (v->older != NULL && strcmp(v->older, etag) == 0)
		return false;
	if (v->older != NULL && !takes_changed(ledger, object, v->older, false))
		return false;
	take(ledger, v, object, etag, true);
	return true;
}

static bool
same_objects(const List *a, const List *b)
{
	if (list_length(a) != list_length(b))
		return false;
	for (int i = 0; i < list_length(a); i++)
	{
		const McJobObject *x = list_nth(a, i);
		const McJobObject *y = list_nth(b, i);

		if (strcmp(x->key, y->key) != 0 || strcmp(x->etag, y->etag) != 0)
			return false;
	}
	return true;
}

void
mcOssLedgerEnd(McOssLedger *ledger)
{
	const Listing *other;
	Listing    *listing;
	MemoryContext old;

	if (ledger->is_listed || ledger->conditions == NULL)
		return;
	other = find_listing(ledger);
	if (other != NULL && !same_objects(other->objects, ledger->seen))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("two scans of one run have found different objects"),
				 errdetail("An object appeared between their lists."),
				 errhint("Try again."),
				 mcPlaceContext(&ledger->conn->place)));
	if (other != NULL)
		return;
	old = MemoryContextSwitchTo(mcJob->cxt);
	listing = palloc0(sizeof(Listing));
	listing->conditions = pstrdup(ledger->conditions);
	listing->objects = ledger->seen;
	ledger->source->books->listings = lappend(ledger->source->books->listings, listing);
	MemoryContextSwitchTo(old);
}
