/*
 * publish.c
 *		The transaction callbacks of everything that is published at commit.
 *
 * Publishing happens in PRE_COMMIT, because an error in COMMIT would be a PANIC.
 * Several uploads are several commits: there is no atomicity between them.  If
 * nothing was published the failure is an ordinary error; else SQLSTATE 40003 with
 * three lists.  ABORT and the subtransaction events cannot fail.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "credential.h"
#include "job.h"
#include "publish.h"

/* of a list in one message */
#define ITEMS_BYTES 8000

/* in the order in which they publish */
static const McWrapper wrappers[] = {MC_LOGHUB, MC_MAXCOMPUTE, MC_OSS};
static const McPublisher *publishers[lengthof(wrappers)];

void		(*mcPublishOpenTargets) (List *targets) = NULL;

static MemoryContext publish_cxt = NULL;
static const McPublisher *current = NULL;	/* whose requests are under way */
static int64 publish_deadline_us = 0;
static bool visible = false;	/* something was published that no error has reported */
static SubTransactionId sealed = InvalidSubTransactionId;	/* where the outbox got what was written so far */

/*
 * Interrupts stay held from the first commit request until the local commit: a cancel
 * in between would roll back what is published.  An ERROR resets the counter itself.
 */
static bool holding = false;

static void
hold_interrupts(void)
{
	if (!holding)
		HOLD_INTERRUPTS();
	holding = true;
}

/* Not below TopTransactionContext: calls under way must end before their connections do */
static void
drop_memory(void)
{
	if (publish_cxt)
		MemoryContextDelete(publish_cxt);
	publish_cxt = NULL;
	current = NULL;
}

static void
init_items(McItems *items)
{
	initStringInfo(&items->text);
	items->more = 0;
	items->full = NULL;
}

void
mcPublishItem(McItems *list, const char *fmt,...)
{
	if (list->text.len >= ITEMS_BYTES && list->full)
		list->full(list);
	if (list->text.len >= ITEMS_BYTES)
	{
		list->more++;
		return;
	}
	if (list->text.len > 0)
		appendStringInfoString(&list->text, ", ");
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&list->text, fmt, args);
		va_end(args);
		if (needed == 0)
			return;
		enlargeStringInfo(&list->text, needed);
	}
}

static const char *
show_items(const McItems *items)
{
	if (items->text.len == 0)
		return "nothing";
	return items->more == 0 ? items->text.data : psprintf("%s and %d more", items->text.data, items->more);
}

void
mcPublishDone(void)
{
	visible = true;
}

void
mcPublishRefuseSerializable(const char *relname)
{
	if (IsolationIsSerializable())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to \"%s\" in a serializable transaction", relname),
				 errdetail("The check for serializability comes after the remote changes are published and could still fail."),
				 errhint("Use isolation level REPEATABLE READ or READ COMMITTED.")));
}

mcn_channel *
mcPublishChannel(const McServer *server, const mcw_alloc *alloc, const mcn_channel *like,
				 const char *endpoint, const char *virtual_host)
{
	static const mcn_retry_rule never[] = {{NULL, 0, MCN_RETRY_NO}};
	McServer	copy = *server;
	mcn_channel *channel;

	copy.net.max_retries = 0;
	channel = mcOpenChannel(&copy, alloc, endpoint, virtual_host, never);
	mcn_channel_set_private(channel, mcn_channel_private(like));
	return channel;
}

/* "MaxCompute", "OSS", "MaxCompute and OSS": who has something to publish.  No allocation. */
static const char *
service_names(void)
{
	static char names[64];

	names[0] = '\0';
	for (int i = 0; i < lengthof(publishers); i++)
		if (publishers[i] && publishers[i]->pending())
		{
			if (names[0])
				strlcat(names, " and ", sizeof(names));
			strlcat(names, publishers[i]->service, sizeof(names));
		}
	return names;
}

void
mcPublishFailed(const mcw_error *err, void (*plain) (const mcw_error *err, void *arg), void *arg)
{
	McOutcomes	all;
	char	   *detail = mcErrorDetail(err);

	init_items(&all.published);
	init_items(&all.not_published);
	init_items(&all.unknown);
	all.residue = false;
	for (int i = 0; i < lengthof(publishers); i++)
		if (publishers[i] && publishers[i]->pending())
			publishers[i]->outcomes(&all);
	if (all.published.text.len == 0 && all.unknown.text.len == 0 && !all.residue)
	{
		plain(err, arg);
		elog(ERROR, "publishing failed without an error");
	}
	visible = false;			/* this error says it */
	ereport(ERROR,
			(errcode(ERRCODE_T_R_STATEMENT_COMPLETION_UNKNOWN),
			 errmsg("publishing to %s failed halfway: %s", current->service, mcPrintable(err->message)),
			 errdetail("Published: %s.\nNot published: %s.\nUnknown: %s.%s%s",
					   show_items(&all.published), show_items(&all.not_published), show_items(&all.unknown),
					   detail ? "\n" : "", detail ? detail : ""),
			 errhint("The local transaction is rolled back. Look at the unknown ones in %s before repeating the statement.%s%s",
					 service_names(),
					 mcn_now_us() >= publish_deadline_us ? " The time was up that mc_fdw.publish_timeout sets." : "",
					 all.published.more + all.not_published.more + all.unknown.more > 0 ? " The server log names all uploads." : "")));
}

static void
log_list(const char *services, const char *list)
{
	TransactionId xid = GetTopTransactionIdIfAny();

	ereport(LOG,
			(errmsg("mc_fdw: transaction %s publishes %s%s",
					TransactionIdIsValid(xid) ? psprintf("%u", xid) : "without local changes", services, list),
			 errhidestmt(true), errhidecontext(true)));
}

/* a long list takes several lines of the log */
static void
log_full(McItems *items)
{
	log_list(psprintf("to %s: ", current->service), psprintf("%s ...", items->text.data));
	resetStringInfo(&items->text);
}

static bool
announce(void)
{
	StringInfoData all;

	initStringInfo(&all);
	for (int i = 0; i < lengthof(publishers); i++)
	{
		McItems		items;

		if ((current = publishers[i]) == NULL || !current->pending())
			continue;
		init_items(&items);
		items.full = log_full;
		current->announce(&items);
		if (items.text.len > 0)
			appendStringInfo(&all, "%sto %s: %s", all.len ? "; " : "", current->service, items.text.data);
	}
	if (all.len > 0)
		log_list("", all.data);
	return all.len > 0;
}

/* What the outbox has for our targets comes first */
static void
check_targets(void)
{
	List	   *targets = NIL;

	for (int i = 0; i < lengthof(publishers); i++)
		if ((current = publishers[i]) != NULL && current->pending() && current->targets)
			current->targets(&targets);
	if (targets != NIL && mcPublishOpenTargets)
		mcPublishOpenTargets(targets);
}

static void take_part(void);

List *
mcPublishSeal(McJobRun *run)
{
	List	   *entries = NIL;
	MemoryContext result = CurrentMemoryContext;

	drop_memory();
	publish_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw publish", ALLOCSET_DEFAULT_SIZES);
	publish_deadline_us = mcn_now_us() + (int64) mc_publish_timeout * 1000;
	for (int i = 0; i < lengthof(publishers); i++)
	{
		if ((current = publishers[i]) == NULL || !current->pending())
			continue;
		if (current->writers() > 0)
			elog(ERROR, "a %s write is still running when the run is sealed", current->service);
		MemoryContextSwitchTo(publish_cxt);
		mcRenewCredentials(wrappers[i], publish_deadline_us);
		current->verify(publish_deadline_us);
		MemoryContextSwitchTo(result);
		if (!current->seal)
			elog(ERROR, "%s has no outbox", current->service);
		current->seal(run, &entries);
	}
	drop_memory();
	/* also where nothing was uploaded: the mark must go with the transaction */
	take_part();
	sealed = GetCurrentSubTransactionId();
	return entries;
}

static void
pre_commit(void)
{
	bool		any = false;
	MemoryContext old;

	visible = false;
	for (int i = 0; i < lengthof(publishers); i++)
	{
		if (!publishers[i])
			continue;
		if (publishers[i]->tidy)
			publishers[i]->tidy();
		if (!publishers[i]->pending())
			continue;
		if (sealed != InvalidSubTransactionId)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("the transaction wrote to %s after the run of its job was sealed", publishers[i]->service),
					 errhint("Deferred triggers of other tables must not write to foreign tables.")));
		if (publishers[i]->writers() > 0)
			elog(ERROR, "a %s write is still running at commit", publishers[i]->service);
		any = true;
	}
	if (!any)
		return;

	drop_memory();
	publish_cxt = AllocSetContextCreate(TopMemoryContext, "mc_fdw publish", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(publish_cxt);
	publish_deadline_us = mcn_now_us() + (int64) mc_publish_timeout * 1000;
	for (int i = 0; i < lengthof(publishers); i++)
		if ((current = publishers[i]) != NULL && current->pending())
			mcRenewCredentials(wrappers[i], publish_deadline_us);
	for (int i = 0; i < lengthof(publishers); i++)
		if ((current = publishers[i]) != NULL && current->pending())
			current->verify(publish_deadline_us);
	check_targets();
	if (announce())
	{
		CHECK_FOR_INTERRUPTS();
		hold_interrupts();
		for (int i = 0; i < lengthof(publishers); i++)
			if ((current = publishers[i]) != NULL && current->pending())
				current->publish();
		for (int i = 0; i < lengthof(publishers); i++)
			if ((current = publishers[i]) != NULL && current->pending())
				current->erase();
	}
	MemoryContextSwitchTo(old);
	drop_memory();
}

static void
pre_prepare(void)
{
	for (int i = 0; i < lengthof(publishers); i++)
	{
		if (!publishers[i])
			continue;
		if (publishers[i]->pending())
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot PREPARE a transaction that has written to %s %s table",
							strchr("AEIO", publishers[i]->service[0]) ? "an" : "a", publishers[i]->service),
					 errdetail("%s", publishers[i]->expires)));
		publishers[i]->forget(true);
	}
}

static void
end(bool committed)
{
	drop_memory();
	sealed = InvalidSubTransactionId;
	for (int i = 0; i < lengthof(publishers); i++)
		if (publishers[i])
			publishers[i]->forget(committed);
}

static void
committed(void)
{
	end(true);
	visible = false;
	if (holding)
		RESUME_INTERRUPTS();
	holding = false;
}

static void
aborted(void)
{
	holding = false;
	if (visible)
		ereport(WARNING,
				(errcode(ERRCODE_T_R_STATEMENT_COMPLETION_UNKNOWN),
				 errmsg("%s changes of this transaction were published before it failed", service_names()),
				 errdetail("They are not undone; the server log names the uploads.")));
	visible = false;
	end(false);
}

static void
xact_callback(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			pre_commit();
			break;
		case XACT_EVENT_PRE_PREPARE:
			pre_prepare();
			break;
		case XACT_EVENT_COMMIT:
			committed();
			break;
		case XACT_EVENT_ABORT:
			aborted();
			break;
		default:
			break;
	}
}

static void
subxact_callback(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (sealed == mine && event == SUBXACT_EVENT_COMMIT_SUB)
		sealed = parent;
	else if (sealed == mine && event == SUBXACT_EVENT_ABORT_SUB)
		sealed = InvalidSubTransactionId;
	for (int i = 0; i < lengthof(publishers); i++)
	{
		if (!publishers[i])
			continue;
		if (event == SUBXACT_EVENT_COMMIT_SUB)
			publishers[i]->sub_commit(mine, parent);
		else if (event == SUBXACT_EVENT_ABORT_SUB)
			publishers[i]->sub_abort(mine);
	}
}

static void
take_part(void)
{
	static bool registered = false;

	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		RegisterSubXactCallback(subxact_callback, NULL);
		registered = true;
	}
}

void
mcPublisherAdd(McWrapper wrapper, const McPublisher *publisher)
{
	take_part();
	for (int i = 0; i < lengthof(wrappers); i++)
		if (wrappers[i] == wrapper)
		{
			publishers[i] = publisher;
			return;
		}
	elog(ERROR, "wrapper %d does not publish", (int) wrapper);
}
