/*
 * visible.c
 *		What a transaction has written to services that show it at once, for those who
 *		roll it back.
 *
 * Rows are visible when the service has taken them and nothing takes them back, so a
 * rollback, of the transaction or to a savepoint, is told how many it leaves behind.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "visible.h"

/* Rows by subtransaction, innermost last */
typedef struct Written
{
	SubTransactionId subid;
	int64		rows;
	int64		unknown;		/* sent by statements that are over, without an answer */
} Written;

typedef struct Service
{
	const char *name;
	const char *what;			/* is acknowledged */
	Written    *written;
	int			nwritten;
	int			maxwritten;
	dlist_head	open;			/* McVisible */
} Service;

static Service services[] = {
	{.name = "Tablestore", .what = "Row changes", .open = DLIST_STATIC_INIT(services[0].open)},
	{.name = "Log Service", .what = "Rows", .open = DLIST_STATIC_INIT(services[1].open)},
};
static bool registered = false;

static Service *
service_of(McWrapper wrapper)
{
	return &services[wrapper == MC_LOGHUB];
}

static void
warn(const Service *service, int64 rows, int64 unknown, const char *what)
{
	if (rows == 0 && unknown == 0)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("what the %s wrote to %s stays although it is rolled back", what, service->name),
			 unknown == 0 ?
			 errdetail("%s acknowledged by the service: " INT64_FORMAT ". Each is visible as soon as it was sent, and cannot be taken back.",
					   service->what, rows) :
			 errdetail("%s acknowledged by the service: " INT64_FORMAT ", sent without an answer: " INT64_FORMAT " (each of these may have been made, or not). Each is visible as soon as it was sent, and cannot be taken back.",
					   service->what, rows, unknown)));
}

/* in statements that fail now; 'subid' 0 = all */
static int64
unknown_in(const Service *service, SubTransactionId subid)
{
	int64		n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, (dlist_head *) &service->open)
	{
		const McVisible *writer = dlist_container(McVisible, node, iter.cur);

		if (subid == InvalidSubTransactionId || writer->subid == subid)
			n += writer->unknown(writer->sink);
	}
	return n;
}

void
mcVisibleOpen(McVisible *writer, McWrapper wrapper, int64 (*unknown) (const void *sink), const void *sink)
{
	writer->wrapper = wrapper;
	writer->subid = GetCurrentSubTransactionId();
	writer->unknown = unknown;
	writer->sink = sink;
	dlist_push_head(&service_of(wrapper)->open, &writer->node);
}

void
mcVisibleClose(McVisible *writer)
{
	Service    *service = service_of(writer->wrapper);

	dlist_delete(&writer->node);
	/* none if the rollback has been told already */
	for (int i = 0; i < service->nwritten; i++)
		if (service->written[i].subid == writer->subid)
			service->written[i].unknown += writer->unknown(writer->sink);
}

static void
rolled_back(Service *service)
{
	int64		rows = 0;
	int64		unknown = unknown_in(service, InvalidSubTransactionId);

	for (int i = 0; i < service->nwritten; i++)
	{
		rows += service->written[i].rows;
		unknown += service->written[i].unknown;
	}
	service->nwritten = 0;
	warn(service, rows, unknown, "transaction");
}

static void
xact_callback(XactEvent event, void *arg)
{
	for (int i = 0; i < lengthof(services); i++)
	{
		Service    *service = &services[i];

		switch (event)
		{
			case XACT_EVENT_PRE_PREPARE:
				if (service->nwritten > 0)
					ereport(ERROR,
							(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
							 errmsg("cannot PREPARE a transaction that has written to a %s table", service->name),
							 errdetail("Its rows are visible already.")));
				break;
			case XACT_EVENT_COMMIT:
				service->nwritten = 0;
				break;
			case XACT_EVENT_ABORT:
				rolled_back(service);
				break;
			default:
				break;
		}
	}
}

static void
sub_ended(Service *service, SubXactEvent event, SubTransactionId mine, SubTransactionId parent)
{
	Written    *last;

	if (service->nwritten == 0 || service->written[service->nwritten - 1].subid != mine)
		return;
	last = &service->written[service->nwritten - 1];
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (service->nwritten > 1 && last[-1].subid == parent)
		{
			last[-1].rows += last->rows;
			last[-1].unknown += last->unknown;
			service->nwritten--;
		}
		else
			last->subid = parent;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		service->nwritten--;
		warn(service, last->rows, last->unknown + unknown_in(service, mine), "subtransaction");
	}
}

static void
subxact_callback(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	for (int i = 0; i < lengthof(services); i++)
		sub_ended(&services[i], event, mine, parent);
}

void
mcVisibleBegin(McWrapper wrapper)
{
	Service    *service = service_of(wrapper);
	SubTransactionId mine = GetCurrentSubTransactionId();

	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		RegisterSubXactCallback(subxact_callback, NULL);
		registered = true;
	}
	if (service->nwritten > 0 && service->written[service->nwritten - 1].subid == mine)
		return;
	if (service->nwritten == service->maxwritten)
	{
		int			more = service->maxwritten ? service->maxwritten * 2 : 16;

		service->written = service->written ? repalloc(service->written, more * sizeof(Written)) :
			MemoryContextAlloc(TopMemoryContext, more * sizeof(Written));
		service->maxwritten = more;
	}
	service->written[service->nwritten].subid = mine;
	service->written[service->nwritten].unknown = 0;
	service->written[service->nwritten++].rows = 0;
}

/* A statement belongs to the subtransaction it runs in, the innermost. */
void
mcVisibleWrote(McWrapper wrapper, int64 rows)
{
	Service    *service = service_of(wrapper);

	if (service->nwritten > 0)
		service->written[service->nwritten - 1].rows += rows;
}
