/*
 * mcs_ots_get.c
 *		Single keys of a scan: groups of BatchGetRow, or GetRow for one key.
 *
 * A group becomes one page, its rows in the order of the keys.  Rows that failed in a
 * way that passes are asked again, only they; what has come is kept until then
 * (tablestore.md 4.7).
 */
#include "mcs_ots_scan.h"

#include <stdio.h>

#define ROW_HEADER 4			/* a PlainBuffer's header, before its first row */

bool
mcs_ots_open_keys(mcs_ots_scan *scan)
{
	for (int first = 0; first < scan->spec.nkeys; first += MCW_OTS_MAX_BATCH_GET)
	{
		mcs_ots_chain *chain = mcs_ots_new_chain(scan, NULL);
		int			left = scan->spec.nkeys - first;

		if (chain == NULL)
			return false;
		chain->number = -1;
		chain->first_key = first;
		chain->nkeys = left < MCW_OTS_MAX_BATCH_GET ? left : MCW_OTS_MAX_BATCH_GET;
		chain->cursor = scan->spec.keys[first];
	}
	return true;
}

/* A failed row may be asked again: reading has no effect that could happen twice */
static bool
may_ask_again(mcw_view code, mcw_view message)
{
	return mcs_ots_row_retryable(code, message) || mcw_view_ieq(code, MCW_LIT("OTSTimeout")) ||
		mcw_view_ieq(code, MCW_LIT("OTSRequestTimeout")) || mcw_view_ieq(code, MCW_LIT("OTSServerUnavailable")) ||
		mcw_view_ieq(code, MCW_LIT("OTSInternalServerError"));
}

/* ---- requests ---- */

/* The keys of the group that have no answer yet, as indexes into it */
static int
open_keys(const mcs_ots_chain *chain, int which[MCW_OTS_MAX_BATCH_GET])
{
	int			n = 0;

	for (int i = 0; i < chain->nkeys; i++)
		if (chain->patch == NULL || !chain->patch->have[i])
			which[n++] = i;
	return n;
}

static mcw_status
check_row(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots_slot *slot = call->user;

	return mcw_ots_read_get_row(mcw_buf_view(&call->req.response), &slot->result.rows, &slot->result.consumed, err);
}

static mcw_status
check_batch(mcs_ots_call *call, mcw_error *err)
{
	mcs_ots_slot *slot = call->user;
	mcw_ots_row_result results[MCW_OTS_MAX_BATCH_GET];
	int			which[MCW_OTS_MAX_BATCH_GET];

	return mcw_ots_read_batch(mcw_buf_view(&call->req.response), results, open_keys(slot->chain, which), err);
}

static mcw_status
build(mcs_ots_slot *slot, mcs_ots_chain *chain)
{
	mcs_ots_scan *scan = slot->scan;
	mcs_ots_call *call = &slot->call;
	mcw_buf    *bytes = &scan->keys[0];
	int			which[MCW_OTS_MAX_BATCH_GET];
	size_t		end[MCW_OTS_MAX_BATCH_GET];
	mcw_view	keys[MCW_OTS_MAX_BATCH_GET];
	int			n = open_keys(chain, which);
	mcw_status	status = MCW_OK;

	mcw_buf_reset(bytes);
	for (int i = 0; i < n && status == MCW_OK; i++)
	{
		status = mcw_ots_write_key(bytes, scan->spec.schema, &scan->spec.keys[chain->first_key + which[i]]);
		end[i] = bytes->len;
	}
	if (status != MCW_OK)
		return status;
	for (int i = 0; i < n; i++)
	{
		size_t		start = i == 0 ? 0 : end[i - 1];

		keys[i] = (mcw_view) {bytes->data + start, end[i] - start};
	}
	call->is_page = false;		/* a row that is not in the answer has no checksum */
	if (chain->nkeys == 1)
	{
		mcs_ots_call_operation(call, "GetRow");
		call->check = check_row;
		return mcw_ots_put_get_row(&call->body, &scan->options, keys[0]);
	}
	mcs_ots_call_operation(call, "BatchGetRow");
	call->check = check_batch;
	scan->info.keys_asked += n;
	return mcw_ots_put_batch_get_row(&call->body, &scan->options, keys, n);
}

void
mcs_ots_start_keys(mcs_ots_slot *slot, mcs_ots_chain *chain)
{
	mcs_ots_patch *patch = chain->patch;
	mcw_error	err;
	mcw_status	status = build(slot, chain);

	if (status != MCW_OK)
	{
		(void) mcw_fail(&err, status, "could not build the request %s", slot->call.operation);
		mcs_ots_fail(slot->scan, &err, &chain->cursor);
		return;
	}
	if (chain->nkeys == 1)
		slot->scan->info.keys_asked++;
	if (patch != NULL)
		slot->call.req.start_after_us = mcn_now_us() + mcn_pause_us(patch->failures, true);
	mcn_request_start(&slot->call.req);
}

/* ---- answers ---- */

/* Rows of an answer become one PlainBuffer in place: the headers of all but the first go */
static mcw_view
join_rows(const mcw_ots_row_result *results, int n)
{
	mcw_view	rows = {NULL, 0};

	for (int i = 0; i < n; i++)
	{
		mcw_view	row = results[i].row;

		if (row.len <= ROW_HEADER)
			continue;
		if (rows.len == 0)
			rows = row;
		else
		{
			char	   *to = (char *) rows.data + rows.len;

			memmove(to, row.data + ROW_HEADER, row.len - ROW_HEADER);
			rows.len += row.len - ROW_HEADER;
		}
	}
	return rows;
}

void
mcs_ots_free_patch(mcs_ots_scan *scan, mcs_ots_chain *chain)
{
	if (chain->patch == NULL)
		return;
	mcw_buf_free(&chain->patch->kept);
	mcw_free(scan->alloc, chain->patch, sizeof(*chain->patch));
	chain->patch = NULL;
}

/* Keep the rows that have come */
static mcw_status
keep_rows(mcs_ots_scan *scan, mcs_ots_chain *chain, const mcw_ots_row_result *results, const int *which, int n)
{
	mcs_ots_patch *patch = chain->patch;

	if (patch == NULL)
	{
		patch = mcw_new0(scan->alloc, sizeof(*patch));
		if (patch == NULL)
			return MCW_ERR_NOMEM;
		mcw_buf_init(&patch->kept, scan->alloc, MCS_OTS_PAGE_MAX);
		patch->first_us = mcn_now_us();
		chain->patch = patch;
	}
	for (int i = 0; i < n; i++)
	{
		mcw_view	row = results[i].row;
		mcw_status	status;

		if (!results[i].ok)
			continue;
		patch->have[which[i]] = true;
		if (row.len <= ROW_HEADER)
			continue;
		patch->at[which[i]] = patch->kept.len;
		patch->len[which[i]] = row.len;
		status = mcw_buf_append_view(&patch->kept, row);
		if (status != MCW_OK)
			return status;
	}
	return MCW_OK;
}

/* All rows have come, in several answers: the page in the order of the keys, in the slot's buffer */
static mcw_status
join_kept(mcs_ots_slot *slot, const mcs_ots_chain *chain, mcw_view *rows)
{
	const mcs_ots_patch *patch = chain->patch;
	mcw_buf    *page = &slot->call.req.response;
	mcw_status	status = MCW_OK;

	mcw_buf_reset(page);
	for (int i = 0; i < chain->nkeys && status == MCW_OK; i++)
	{
		size_t		skip = page->len > 0 ? ROW_HEADER : 0;

		if (patch->len[i] > 0)
			status = mcw_buf_append(page, patch->kept.data + patch->at[i] + skip, patch->len[i] - skip);
	}
	*rows = mcw_buf_view(page);
	return status;
}

/* The failure of one row is that of the scan */
static void
fail_row(mcs_ots_slot *slot, const mcw_ots_row_result *result, const mcw_ots_key *key, const char *more)
{
	mcs_ots_scan *scan = slot->scan;
	mcw_view	id = mcn_response_header(&slot->call.req, "x-ots-requestid");
	mcw_error	err;

	(void) mcw_fail(&err, MCW_ERR_SERVICE, "a row of BatchGetRow was refused%s", more);
	err.http_status = slot->call.req.http_status;
	(void) snprintf(err.code, sizeof(err.code), "%.*s", (int) result->code.len, result->code.data ? result->code.data : "");
	(void) snprintf(err.text, sizeof(err.text), "%.*s", (int) result->message.len, result->message.data ? result->message.data : "");
	(void) snprintf(err.request_id, sizeof(err.request_id), "%.*s", (int) id.len, id.data ? id.data : "");
	mcs_ots_fail(scan, &err, key);
}

/* May the failed rows be asked once more?  The limits are those of a request that fails. */
static bool
patience(const mcs_ots_scan *scan, mcs_ots_patch *patch)
{
	const mcn_options *options = mcn_channel_options(scan->ots->channel);

	return ++patch->failures <= options->max_retries &&
		(options->retry_max_elapsed_ms == 0 ||
		 mcn_now_us() - patch->first_us < (int64_t) options->retry_max_elapsed_ms * 1000);
}

static void
batch_arrived(mcs_ots_slot *slot, mcs_ots_chain *chain)
{
	mcs_ots_scan *scan = slot->scan;
	mcw_ots_row_result results[MCW_OTS_MAX_BATCH_GET];
	int			which[MCW_OTS_MAX_BATCH_GET];
	int			n = open_keys(chain, which);
	int			failed = -1;
	mcw_view	rows = {NULL, 0};
	mcw_error	err;
	mcw_status	status = mcw_ots_read_batch(mcw_buf_view(&slot->call.req.response), results, n, &err);

	for (int i = 0; i < n && status == MCW_OK; i++)
	{
		scan->ots->read_units += results[i].consumed.read;
		scan->ots->write_units += results[i].consumed.write;
		if (results[i].ok)
			continue;
		if (!may_ask_again(results[i].code, results[i].message))
		{
			fail_row(slot, &results[i], &scan->spec.keys[chain->first_key + which[i]], "");
			return;
		}
		failed = i;
	}
	if (status == MCW_OK && failed < 0 && chain->patch == NULL)
		rows = join_rows(results, n);
	else if (status == MCW_OK)
	{
		status = keep_rows(scan, chain, results, which, n);
		if (status == MCW_OK && failed >= 0)
		{
			mcn_channel_stats(scan->ots->channel)->retries++;
			if (!patience(scan, chain->patch))
				fail_row(slot, &results[failed], &scan->spec.keys[chain->first_key + which[failed]],
						 " again and again");
			return;
		}
		if (status == MCW_OK)
			status = join_kept(slot, chain, &rows);
		if (status != MCW_OK)
			(void) mcw_fail(&err, status, "out of memory for the rows of BatchGetRow");
	}
	if (status != MCW_OK)
	{
		mcs_ots_fail(scan, &err, &chain->cursor);
		return;
	}
	mcs_ots_deliver(slot, chain, rows);
	mcs_ots_chain_done(scan, chain);
}

void
mcs_ots_keys_arrived(mcs_ots_slot *slot, mcs_ots_chain *chain)
{
	if (chain->nkeys > 1)
	{
		batch_arrived(slot, chain);
		return;
	}
	slot->scan->ots->read_units += slot->result.consumed.read;
	slot->scan->ots->write_units += slot->result.consumed.write;
	mcs_ots_deliver(slot, chain, slot->result.rows);
	mcs_ots_chain_done(slot->scan, chain);
}
