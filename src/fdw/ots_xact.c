/*
 * ots_xact.c
 *		What a transaction has written to Tablestore, for those who roll it back.
 *
 * Rows are visible when the service has taken them and nothing takes them back, so a
 * rollback, of the transaction or to a savepoint, is told how many it leaves behind.
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "ots_write.h"

/* Rows by subtransaction, innermost last */
typedef struct Written
{
	SubTransactionId subid;
	int64		rows;
	int64		unknown;		/* sent by statements that are over, without an answer */
} Written;

static Written *written = NULL;
static int	nwritten = 0;
static int	maxwritten = 0;
static bool registered = false;
static dlist_head open_sinks = DLIST_STATIC_INIT(open_sinks);

static void
warn(int64 rows, int64 unknown, const char *what)
{
	if (rows == 0 && unknown == 0)
		return;
	ereport(WARNING,
			(errcode(ERRCODE_WARNING),
			 errmsg("what the %s wrote to Tablestore stays although it is rolled back", what),
			 unknown == 0 ?
			 errdetail("Row changes acknowledged by the service: " INT64_FORMAT ". Each is visible as soon as it was sent, and cannot be taken back.", rows) :
			 errdetail("Row changes acknowledged by the service: " INT64_FORMAT ", sent without an answer: " INT64_FORMAT " (each of these may have been made, or not). Each is visible as soon as it was sent, and cannot be taken back.",
					   rows, unknown)));
}

/* in statements that fail now; 'subid' 0 = all */
static int64
unknown_in(SubTransactionId subid)
{
	int64		n = 0;
	dlist_iter	iter;

	dlist_foreach(iter, &open_sinks)
	{
		const McOtsSink *sink = dlist_container(McOtsSink, node, iter.cur);

		if (subid == InvalidSubTransactionId || sink->subid == subid)
			n += mcs_ots_writer_unknown(sink->writer);
	}
	return n;
}

void
mcOtsSinkOpened(McOtsSink *sink)
{
	sink->subid = GetCurrentSubTransactionId();
	dlist_push_head(&open_sinks, &sink->node);
}

/* Cannot fail */
void
mcOtsSinkClosed(McOtsSink *sink)
{
	dlist_delete(&sink->node);
	/* none if the rollback has been told already */
	for (int i = 0; i < nwritten; i++)
		if (written[i].subid == sink->subid)
			written[i].unknown += mcs_ots_writer_unknown(sink->writer);
}

static void
xact_callback(XactEvent event, void *arg)
{
	int64		rows = 0;
	int64		unknown = 0;

	switch (event)
	{
		case XACT_EVENT_PRE_PREPARE:
			if (nwritten > 0)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("cannot PREPARE a transaction that has written to a Tablestore table"),
						 errdetail("Its rows are visible already.")));
			break;
		case XACT_EVENT_COMMIT:
			nwritten = 0;
			break;
		case XACT_EVENT_ABORT:
			for (int i = 0; i < nwritten; i++)
			{
				rows += written[i].rows;
				unknown += written[i].unknown;
			}
			nwritten = 0;
			warn(rows, unknown + unknown_in(InvalidSubTransactionId), "transaction");
			break;
		default:
			break;
	}
}

static void
subxact_callback(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (nwritten == 0 || written[nwritten - 1].subid != mine)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (nwritten > 1 && written[nwritten - 2].subid == parent)
		{
			written[nwritten - 2].rows += written[nwritten - 1].rows;
			written[nwritten - 2].unknown += written[nwritten - 1].unknown;
			nwritten--;
		}
		else
			written[nwritten - 1].subid = parent;
	}
	else if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		nwritten--;
		warn(written[nwritten].rows, written[nwritten].unknown + unknown_in(mine), "subtransaction");
	}
}

void
mcOtsWriteBegin(void)
{
	SubTransactionId mine = GetCurrentSubTransactionId();

	if (IsolationIsSerializable())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot write to a Tablestore table in a SERIALIZABLE transaction"),
				 errdetail("What was sent cannot be taken back when the transaction turns out not to be serializable."),
				 errhint("Use REPEATABLE READ or READ COMMITTED.")));
	if (!registered)
	{
		RegisterXactCallback(xact_callback, NULL);
		RegisterSubXactCallback(subxact_callback, NULL);
		registered = true;
	}
	if (nwritten > 0 && written[nwritten - 1].subid == mine)
		return;
	if (nwritten == maxwritten)
	{
		int			more = maxwritten ? maxwritten * 2 : 16;

		written = written ? repalloc(written, more * sizeof(Written)) :
			MemoryContextAlloc(TopMemoryContext, more * sizeof(Written));
		maxwritten = more;
	}
	written[nwritten].subid = mine;
	written[nwritten].unknown = 0;
	written[nwritten++].rows = 0;
}

/* Cannot fail.  A statement belongs to the subtransaction it runs in, the innermost. */
void
mcOtsWrote(int64 rows)
{
	if (nwritten > 0)
		written[nwritten - 1].rows += rows;
}
