/*
 * mcs_ots_write_batch.c
 *		Batches of the Tablestore writer: what goes into one, and what becomes of each
 *		row (tablestore.md 4.5, 4.7; guarantees.md 8.1).
 *
 * net repeats a request whose outcome is unknown with the same bytes.  Rows without a
 * condition and with their own versions may be repeated freely; for the others it is
 * remembered that an earlier attempt may have been applied ('maybe'), so that a
 * condition that fails is judged rightly.
 */
#include <stdio.h>

#include "mcs_ots_write_private.h"

#define MAX_ANSWER ((size_t) 8 << 20)
#define KEEP_BODY ((size_t) 1 << 20)	/* larger buffers are given back after the request */
#define ROW_OVERHEAD 32			/* protobuf around one row */

/* ---- what a code of the service says ---- */

static bool
is_any(mcw_view code, const char *const *list)
{
	for (; *list; list++)
		if (mcw_view_eq(code, mcw_str(*list)))
			return true;
	return false;
}

/* Something is wrong with a row; the others may be fine */
static bool
is_fault_of_row(mcw_view code)
{
	static const char *const codes[] = {
		"OTSParameterInvalid", "OTSInvalidPK", "OTSMetaNotMatch", "OTSOutOfColumnCountLimit",
		"OTSOutOfRowSizeLimit", "OTSRequestBodyTooLarge", NULL
	};

	return is_any(code, codes);
}

/* It failed there, and nobody knows whether before or after the row was written */
static bool
is_unknown_outcome(mcw_view code)
{
	static const char *const codes[] = {
		"OTSInternalServerError", "OTSTimeout", "OTSServerUnavailable", "OTSRequestTimeout", NULL
	};

	return is_any(code, codes);
}

static bool
is_throttle(mcw_view code)
{
	static const char *const codes[] = {
		"OTSNotEnoughCapacityUnit", "OTSCapacityUnitExhausted", "OTSFlowControl", "OTSServerBusy",
		"OTSQuotaExhausted", "OTSOperationThrottled", "OTSStorageServerBusy", NULL
	};

	return is_any(code, codes);
}

/* May a request that ended so have been applied? */
static bool
may_be_applied(const mcw_error *err)
{
	if (err->status != MCW_ERR_SERVICE)
		return true;
	if (is_unknown_outcome(mcw_str(err->code)))
		return true;
	return err->http_status >= 500 && strcmp(err->code, "OTSServerBusy") != 0 &&
		strcmp(err->code, "OTSPartitionUnavailable") != 0;
}

/* ---- requests ---- */

static void
on_done(mcn_request *req)
{
	ots_slot   *slot = ((mcs_ots_call *) req)->user;

	slot->next = slot->writer->done;
	slot->writer->done = slot;
}

/* The call's own preparation, after a look at what became of the attempt before */
static mcw_status
prepare(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	ots_slot   *slot = ((mcs_ots_call *) req)->user;

	if (req->attempts > 0 && req->sent && may_be_applied(&req->error))
		slot->maybe = true;
	return slot->prepare(req, scratch, err);
}

static void
open_call(ots_slot *slot, const char *operation, size_t max_answer)
{
	mcs_ots_call_init(&slot->call, slot->writer->ots, operation, max_answer);
	slot->prepare = slot->call.req.prepare;
	slot->call.req.prepare = prepare;
	slot->call.req.on_done = on_done;
	slot->call.user = slot;
}

ots_slot *
ots_slot_create(mcs_ots_writer *writer)
{
	ots_slot   *slot = mcw_new0(writer->alloc, sizeof(*slot));

	if (!slot)
		return NULL;
	slot->writer = writer;
	open_call(slot, "BatchWriteRow", MAX_ANSWER);
	slot->next = writer->idle;
	writer->idle = slot;
	return slot;
}

void
ots_slot_free(ots_slot *slot)
{
	mcs_ots_call_free(&slot->call);
	mcw_free(slot->writer->alloc, slot, sizeof(*slot));
}

static void
count_memory(ots_slot *slot)
{
	size_t		now = slot->call.body.cap + slot->call.req.response.cap;

	slot->writer->requests += now - slot->memory;
	slot->memory = now;
}

static void
send(ots_slot *slot)
{
	slot->writer->idle = slot->next;
	slot->next = NULL;
	slot->maybe = false;
	slot->writer->busy++;
	count_memory(slot);
	mcn_request_start(&slot->call.req);
}

static void
give_back(ots_slot *slot)
{
	mcs_ots_writer *writer = slot->writer;

	if (slot->settle || slot->call.body.cap > KEEP_BODY)
	{
		mcs_ots_call_free(&slot->call);
		open_call(slot, "BatchWriteRow", MAX_ANSWER);
	}
	else
		mcs_ots_call_reuse(&slot->call);
	slot->settle = false;
	slot->n = 0;
	count_memory(slot);
	slot->next = writer->idle;
	writer->idle = slot;
	writer->busy--;
}

/* ---- starting ---- */

static void
fail_local(mcs_ots_writer *writer, mcw_status status, const ots_entry *entry)
{
	mcw_error	err;

	(void) mcw_fail(&err, status, status == MCW_ERR_NOMEM ? "out of memory" : "a row change could not be encoded");
	ots_writer_fail(writer, &err, entry);
}

static ots_entry *
take_ready(mcs_ots_writer *writer)
{
	ots_entry  *entry = ots_pop(&writer->ready);

	if (entry)
		writer->ready_bytes -= entry->first->len;
	return entry;
}

static void
put_back(mcs_ots_writer *writer, ots_list *list, ots_entry *entry)
{
	entry->taken = 0;
	entry->next = list->head;
	list->head = entry;
	if (!list->tail)
		list->tail = entry;
	list->n++;
	if (list == &writer->ready)
		writer->ready_bytes += entry->first->len;
}

/* Rows of one list, as many as fit, into the slot */
static mcw_status
fill(ots_slot *slot, ots_list *list, int max_rows)
{
	mcs_ots_writer *writer = slot->writer;
	mcw_view	changes[MCW_OTS_MAX_BATCH_ROWS];
	size_t		starts[MCW_OTS_MAX_BATCH_ROWS + 1];
	int			limit = list->head->limit;
	size_t		bytes = 0;

	mcw_buf_reset(&writer->changes);
	while (slot->n < max_rows && list->head && list->head->limit == limit)
	{
		ots_entry  *entry = list == &writer->ready ? take_ready(writer) : ots_pop(list);
		mcw_ots_change kind;
		mcw_view	row;
		mcw_view	condition = {NULL, 0};
		mcw_status	status = ots_take(writer, entry, &kind, &row);

		if (status == MCW_OK && slot->n > 0 && bytes + row.len + ROW_OVERHEAD > writer->spec.batch_bytes)
		{
			put_back(writer, list, entry);
			break;
		}
		if (status == MCW_OK && writer->spec.guard.len > 0)
			status = ots_guard(writer, row, &condition);
		starts[slot->n] = writer->changes.len;
		slot->rows[slot->n++] = entry;
		bytes += row.len + ROW_OVERHEAD;
		if (status == MCW_OK)
			status = mcw_ots_put_row_change(&writer->changes, kind, (mcw_ots_existence) entry->first->existence,
											condition,
											entry->keyless ? writer->spec.returns : MCW_OTS_RETURN_NONE, row);
		if (status != MCW_OK)
			return status;
		if (limit == 1)
			writer->info.single_rows++;
	}
	starts[slot->n] = writer->changes.len;
	for (int i = 0; i < slot->n; i++)
		changes[i] = (mcw_view) {writer->changes.data + starts[i], starts[i + 1] - starts[i]};
	return mcw_ots_put_batch_write(&slot->call.body, writer->spec.table, changes, slot->n);
}

static void
start_batch(mcs_ots_writer *writer, ots_list *list)
{
	ots_slot   *slot = writer->idle;
	int			max_rows = list->head->limit > 0 ? list->head->limit : writer->spec.batch_rows;
	mcw_status	status = fill(slot, list, max_rows);

	if (status != MCW_OK)
	{
		fail_local(writer, status, slot->n > 0 ? slot->rows[slot->n - 1] : NULL);
		return;
	}
	writer->info.batches++;
	writer->info.bytes += (int64_t) slot->call.body.len;
	send(slot);
}

/* Is the row that stands in the way of an insert the one we have written? */
static void
start_settle(mcs_ots_writer *writer)
{
	ots_slot   *slot = writer->idle;
	ots_entry  *entry = ots_pop(&writer->settling);
	mcw_ots_read_options options = {.table = writer->spec.table};
	mcw_ots_key key;
	mcw_status	status;

	slot->settle = true;
	slot->rows[0] = entry;
	slot->n = 1;
	mcs_ots_call_free(&slot->call);
	open_call(slot, "GetRow", MCS_OTS_PAGE_MAX);
	ots_key_of(writer, entry, &key);
	options.has_time_range = ots_version_range(writer, (mcw_view) {entry->first->row, entry->first->len},
											   &options.start_time, &options.end_time);
	if (!options.has_time_range)
		options.max_versions = 1;
	mcw_buf_reset(&writer->key);
	status = mcw_ots_write_key(&writer->key, writer->spec.schema, &key);
	if (status == MCW_OK)
		status = mcw_ots_put_get_row(&slot->call.body, &options, mcw_buf_view(&writer->key));
	if (status != MCW_OK)
	{
		fail_local(writer, status, entry);
		return;
	}
	send(slot);
}

static void
wake_delayed(mcs_ots_writer *writer, int64_t now)
{
	ots_list	all = writer->delayed;
	ots_entry  *entry;

	if (all.n == 0 || now < writer->next_due_us)
		return;
	writer->delayed = (ots_list) {0};
	writer->next_due_us = INT64_MAX;
	while ((entry = ots_pop(&all)) != NULL)
	{
		if (entry->due_us <= now)
		{
			ots_make_ready(writer, entry);
			continue;
		}
		if (entry->due_us < writer->next_due_us)
			writer->next_due_us = entry->due_us;
		ots_push(&writer->delayed, entry);
	}
}

bool
ots_start(mcs_ots_writer *writer, bool all)
{
	bool		any = false;
	int64_t		now = writer->delayed.n > 0 || writer->pause_until_us > 0 ? mcn_now_us() : 0;

	wake_delayed(writer, now);
	if (writer->pause_until_us <= now)
		writer->pause_until_us = 0;
	while (writer->idle && writer->failed == MCW_OK)
	{
		if (writer->settling.n > 0)
			start_settle(writer);
		else if (writer->suspects.n > 0)
			start_batch(writer, &writer->suspects);
		else if (writer->pause_until_us == 0 && writer->ready.n > 0 &&
				 (all || writer->ready.n >= writer->spec.batch_rows ||
				  writer->ready_bytes >= writer->spec.batch_bytes))
			start_batch(writer, &writer->ready);
		else
			break;
		any = true;
	}
	return any;
}

int
ots_next_timeout(const mcs_ots_writer *writer)
{
	int64_t		due = writer->delayed.n > 0 ? writer->next_due_us : INT64_MAX;
	int64_t		left;

	if (writer->done)
		return 0;
	if (writer->pause_until_us > 0 && writer->ready.n > 0 && writer->pause_until_us < due)
		due = writer->pause_until_us;
	if (due == INT64_MAX)
		return -1;
	left = (due - mcn_now_us() + 999) / 1000;
	return left < 0 ? 0 : left > 3600 * 1000 ? 3600 * 1000 : (int) left;
}

/* ---- outcomes ---- */

static void
copy_text(char *to, size_t size, mcw_view from)
{
	size_t		len = from.len < size - 1 ? from.len : size - 1;

	if (len > 0)
		memcpy(to, from.data, len);
	to[len] = '\0';
}

static void
row_error(const ots_slot *slot, const mcw_ots_row_result *result, mcw_error *err)
{
	(void) mcw_fail(err, MCW_ERR_SERVICE, "the service refused a row");
	err->http_status = slot->call.req.http_status;
	copy_text(err->code, sizeof(err->code), result->code);
	copy_text(err->text, sizeof(err->text), result->message);
	copy_text(err->request_id, sizeof(err->request_id), mcn_response_header(&slot->call.req, "x-ots-requestid"));
}

/* Later again, unless it has been tried for too long */
static void
try_again(mcs_ots_writer *writer, ots_entry *entry, mcw_error *err)
{
	const mcn_options *options = mcn_channel_options(writer->ots->channel);
	bool		slow = is_throttle(mcw_str(err->code));
	int64_t		now = mcn_now_us();
	int64_t		pause = mcn_pause_us(++entry->attempts, slow);

	if (entry->pending_us == 0)
		entry->pending_us = now;
	/* rows that failed together go together */
	if (writer->delayed.n > 0 && writer->next_due_us > now &&
		writer->next_attempts == entry->attempts && writer->next_slow == slow)
		pause = writer->next_due_us - now;
	entry->due_us = now + pause;
	entry->taken = 0;
	if (entry->attempts > options->max_retries ||
		(options->retry_max_elapsed_ms > 0 &&
		 entry->due_us - entry->pending_us > (int64_t) options->retry_max_elapsed_ms * 1000))
	{
		size_t		len = strlen(err->message);

		(void) snprintf(err->message + len, sizeof(err->message) - len, " (gave up after %d attempt%s in %.1f s)",
						entry->attempts, entry->attempts == 1 ? "" : "s", (now - entry->pending_us) / 1e6);
		ots_writer_fail(writer, err, entry);
	}
	writer->info.row_retries++;
	if (slow && entry->due_us > writer->pause_until_us)
		writer->pause_until_us = entry->due_us;
	if (writer->delayed.n == 0 || entry->due_us < writer->next_due_us)
	{
		writer->next_due_us = entry->due_us;
		writer->next_attempts = entry->attempts;
		writer->next_slow = slow;
	}
	ots_push(&writer->delayed, entry);
}

static void
condition_failed(mcs_ots_writer *writer, ots_entry *entry)
{
	const ots_change *change = entry->first;
	mcw_view	nothing = {NULL, 0};

	/* our own value passes, so a repetition of what was applied is no failure */
	if (writer->spec.guard.len > 0)
		ots_settled(writer, entry, MCS_OTS_ROW_STALE, nothing, NULL);
	else if (change->existence == MCW_OTS_EXPECT_NOT_EXIST)
	{
		/* an equal row of ours that came before would be taken for this one, which does not matter in a run */
		if (writer->spec.own_rows || (entry->maybe && !entry->exists))
			ots_push(&writer->settling, entry);
		else
			ots_settled(writer, entry, MCS_OTS_ROW_EXISTS, nothing, NULL);
	}
	else if (entry->maybe && change->kind == MCW_OTS_DELETE_ROW)
		ots_settled(writer, entry, MCS_OTS_ROW_DONE, nothing, NULL);
	else
		ots_settled(writer, entry, MCS_OTS_ROW_MISSING, nothing, NULL);
}

static void
row_failed(ots_slot *slot, ots_entry *entry, const mcw_ots_row_result *result)
{
	mcs_ots_writer *writer = slot->writer;
	bool		unknown = is_unknown_outcome(result->code);
	mcw_error	err;

	if (mcw_view_eq(result->code, MCW_LIT("OTSConditionCheckFail")) &&
		(entry->first->existence != MCW_OTS_IGNORE || writer->spec.guard.len > 0))
	{
		condition_failed(writer, entry);
		return;
	}
	row_error(slot, result, &err);
	if (unknown || mcs_ots_row_retryable(result->code, result->message))
	{
		if (unknown && entry->keyless && !entry->maybe)
			writer->info.repeated++;
		entry->maybe |= unknown;
		try_again(writer, entry, &err);
		return;
	}
	if (is_fault_of_row(result->code))
		ots_settled(writer, entry, MCS_OTS_ROW_REFUSED, (mcw_view) {NULL, 0}, &err);
	else
	{
		/* the table is gone, no permission: no row will fare better */
		ots_writer_fail(writer, &err, entry);
		entry->taken = 0;
		ots_make_ready(writer, entry);
	}
}

static void
count_units(mcs_ots_writer *writer, const mcw_ots_consumed *consumed)
{
	writer->info.read_units += consumed->read;
	writer->info.write_units += consumed->write;
	writer->ots->read_units += consumed->read;
	writer->ots->write_units += consumed->write;
}

/* Everything goes back where it can be freed from */
static void
abandon(ots_slot *slot)
{
	for (int i = 0; i < slot->n; i++)
	{
		slot->rows[i]->maybe |= slot->settle || may_be_applied(&slot->call.req.error);
		slot->rows[i]->taken = 0;
		ots_make_ready(slot->writer, slot->rows[i]);
	}
}

static void
batch_refused(ots_slot *slot)
{
	mcs_ots_writer *writer = slot->writer;
	const mcw_error *err = &slot->call.req.error;

	if (err->status != MCW_ERR_SERVICE || !is_fault_of_row(mcw_str(err->code)))
	{
		ots_writer_fail(writer, err, slot->rows[0]);
		abandon(slot);
		return;
	}
	if (slot->n == 1)
	{
		ots_settled(writer, slot->rows[0], MCS_OTS_ROW_REFUSED, (mcw_view) {NULL, 0}, err);
		return;
	}
	for (int i = 0; i < slot->n; i++)
	{
		slot->rows[i]->taken = 0;
		slot->rows[i]->limit = (slot->n + 1) / 2;
		ots_push(&writer->suspects, slot->rows[i]);
	}
}

static void
finish_batch(ots_slot *slot)
{
	mcs_ots_writer *writer = slot->writer;
	mcw_ots_row_result results[MCW_OTS_MAX_BATCH_ROWS];
	mcw_error	err;
	mcw_status	status;

	for (int i = 0; slot->maybe && i < slot->n; i++)
	{
		if (slot->rows[i]->keyless && !slot->rows[i]->maybe)
			writer->info.repeated++;
		slot->rows[i]->maybe = true;
	}
	if (slot->call.req.status != MCW_OK)
	{
		batch_refused(slot);
		return;
	}
	status = mcw_ots_read_batch(mcw_buf_view(&slot->call.req.response), results, slot->n, &err);
	if (status != MCW_OK)
	{
		ots_writer_fail(writer, &err, slot->rows[0]);
		abandon(slot);
		return;
	}
	for (int i = 0; i < slot->n; i++)
	{
		count_units(writer, &results[i].consumed);
		if (results[i].ok)
			ots_settled(writer, slot->rows[i], MCS_OTS_ROW_DONE, results[i].row, NULL);
		else
			row_failed(slot, slot->rows[i], &results[i]);
	}
}

static void
finish_settle(ots_slot *slot)
{
	mcs_ots_writer *writer = slot->writer;
	ots_entry  *entry = slot->rows[0];
	mcw_view	ours = {entry->first->row, entry->first->len};
	mcw_view	nothing = {NULL, 0};
	mcw_view	theirs = nothing;
	mcw_ots_consumed consumed = {0, 0};
	bool		holds = false;
	mcw_error	err = slot->call.req.error;
	mcw_status	status = slot->call.req.status;

	if (status == MCW_OK)
		status = mcw_ots_read_get_row(mcw_buf_view(&slot->call.req.response), &theirs, &consumed, &err);
	if (status == MCW_OK && theirs.len > 0)
		status = ots_row_holds(writer, theirs, ours, &holds, &err);
	if (status != MCW_OK)
	{
		ots_writer_fail(writer, &err, entry);
		abandon(slot);
		return;
	}
	count_units(writer, &consumed);
	writer->info.settled++;
	/* an empty answer: none of its cells has a version of ours, or it is gone since */
	ots_settled(writer, entry, holds ? MCS_OTS_ROW_DONE : MCS_OTS_ROW_EXISTS, nothing, NULL);
}

void
ots_collect(mcs_ots_writer *writer)
{
	while (writer->done)
	{
		ots_slot   *slot = writer->done;

		writer->done = slot->next;
		(slot->settle ? finish_settle : finish_batch) (slot);
		give_back(slot);
	}
}

static int64_t
count_maybe(const ots_list *list)
{
	int64_t		n = 0;

	for (const ots_entry *entry = list->head; entry; entry = entry->next)
		n += entry->maybe;
	return n;
}

int64_t
mcs_ots_writer_unknown(const mcs_ots_writer *writer)
{
	int64_t		n = count_maybe(&writer->ready) + count_maybe(&writer->delayed) +
		count_maybe(&writer->suspects) + count_maybe(&writer->settling);

	for (int i = 0; i < writer->spec.concurrency; i++)
	{
		const ots_slot *slot = writer->slots[i];

		if (slot->settle || slot->maybe || slot->call.req.sent)
			n += slot->n;
	}
	return n;
}
