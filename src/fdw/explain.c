/*
 * explain.c
 *		What EXPLAIN (ANALYZE) says of every scan in the same words.
 */
#include "postgres.h"

#include "compat.h"
#include "explain.h"

void
mcExplainRejects(const McRejects *rejects, ExplainState *es)
{
	if (rejects->on_error == MC_ON_ERROR_STOP)
		return;
	ExplainPropertyInteger("Rejected Rows", NULL, rejects->rejected, es);
	ExplainPropertyInteger("Values Set to NULL", NULL, rejects->nulled, es);
}

void
mcExplainRequests(const mcn_stats *net, int64 clock_fixed, ExplainState *es)
{
	ExplainPropertyInteger("Requests", NULL, net->requests, es);
	ExplainPropertyInteger("Retries", NULL, net->retries, es);
	if (net->throttled > 0)
		ExplainPropertyInteger("Throttled", NULL, net->throttled, es);
	if (clock_fixed > 0)
		ExplainPropertyInteger("Clock Corrections", NULL, clock_fixed, es);
}

void
mcExplainTimes(const mcn_stats *net, ExplainState *es)
{
	if (!es->timing)
		return;
	ExplainPropertyFloat("Wait Time", "ms", net->wait_us / 1000.0, 3, es);
	if (net->backoff_us > 0)
		ExplainPropertyFloat("Back-off Time", "ms", net->backoff_us / 1000.0, 3, es);
	if (net->rate_us > 0)
		ExplainPropertyFloat("Rate Limit Time", "ms", net->rate_us / 1000.0, 3, es);
}
