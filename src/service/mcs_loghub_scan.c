/*
 * mcs_loghub_scan.c
 *		A scan of a receive-time window over the shards of a logstore: its life, the
 *		window, the list of shards and their begin and end cursors.
 *
 * Nothing here waits.  Answers come in through completion callbacks, which only
 * change state and start what is due (mcs_scan_pump).  A count of 0 is never taken
 * for the end; an expired begin and an unknown cursor are errors, never a silent
 * restart (guarantees.md 7.1).
 */
#include "mcs_loghub_scan.h"

#include <stdio.h>

#define SECONDS_PER_DAY 86400

static void open_answer(mcs_scan *scan, mcs_control *control);
static void shard_answer(mcs_scan *scan, mcs_control *control);

/* ---- life ---- */

mcw_status
mcs_scan_array(mcs_scan *scan, void ***array, int n, int *cap)
{
	int			newcap = *cap ? *cap * 2 : 16;
	void	  **p;

	if (n < *cap)
		return MCW_OK;
	p = scan->alloc->resize(scan->alloc->ctx, *array, sizeof(void *) * *cap, sizeof(void *) * newcap);
	if (p == NULL)
		return MCW_ERR_NOMEM;
	*array = p;
	*cap = newcap;
	return MCW_OK;
}

static bool
copy_spec(mcs_scan *scan, const mcs_scan_spec *spec)
{
	scan->spec = *spec;
	memcpy(scan->logstore, spec->logstore.data, spec->logstore.len);
	scan->spec.logstore.data = scan->logstore;
	if (spec->query.len > 0)
	{
		scan->query = mcw_new(scan->alloc, spec->query.len);
		if (scan->query == NULL)
			return false;
		memcpy(scan->query, spec->query.data, spec->query.len);
		scan->spec.query.data = scan->query;
	}
	if (spec->shards != NULL)
	{
		/* one more, so that an empty selection is not a NULL pointer */
		scan->only = mcw_new(scan->alloc, sizeof(int) * (spec->nshards + 1));
		if (scan->only == NULL)
			return false;
		memcpy(scan->only, spec->shards, sizeof(int) * spec->nshards);
		scan->spec.shards = scan->only;
	}
	if (scan->spec.max_buffered == 0)
		scan->spec.max_buffered = MCS_BUFFERED_DEFAULT;
	return true;
}

mcs_scan *
mcs_scan_create(mcs_loghub *client, const mcs_scan_spec *spec, mcw_error *err)
{
	mcs_scan   *scan;
	int			i;

	if (spec->logstore.len == 0 || spec->logstore.len > 128)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "a name of %zu bytes is not the name of a logstore", spec->logstore.len);
		return NULL;
	}
	if (spec->concurrency < 1 || spec->concurrency > 256 ||
		spec->count < 1 || spec->count > MCS_PULL_MAX_GROUPS || spec->nshards < 0)
	{
		(void) mcw_fail(err, MCW_ERR_ARGUMENT, "a scan of Log Service was given values out of range");
		return NULL;
	}
	scan = mcw_new0(client->alloc, sizeof(*scan));
	if (scan == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	scan->client = client;
	scan->alloc = client->alloc;
	scan->error_shard = -1;
	scan->target = spec->first_pulls < 1 ? 1 :
		spec->first_pulls < spec->concurrency ? spec->first_pulls : spec->concurrency;
	if (copy_spec(scan, spec) && mcs_range_copy(scan, spec, err) == MCW_OK)
		scan->slots = mcw_new0(scan->alloc, sizeof(mcs_slot) * (spec->concurrency + 1));
	if (scan->slots == NULL)
	{
		mcs_scan_free(scan);
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	scan->nslots = spec->concurrency + 1;
	for (i = 0; i < scan->nslots; i++)
	{
		mcs_slot   *slot = &scan->slots[i];

		slot->scan = scan;
		/* a body that compression made longer still fits */
		mcs_call_init(&slot->call, client, MCS_PAGE_MAX + (MCS_PAGE_MAX >> 6));
		mcw_buf_init(&slot->raw, scan->alloc, MCS_PAGE_MAX);
	}
	scan->info.has_begin = spec->has_begin;
	scan->info.begin = spec->begin;
	scan->info.has_end = spec->has_end;
	scan->info.end = spec->end;
	return scan;
}

static void
cancel_all(mcs_scan *scan)
{
	mcs_control *control;
	int			i;

	for (i = 0; i < scan->nslots; i++)
		mcn_request_cancel(&scan->slots[i].call.req);
	for (control = scan->controls; control != NULL; control = control->next)
		mcn_request_cancel(&control->call.req);
}

void
mcs_scan_free(mcs_scan *scan)
{
	const mcw_alloc *alloc = scan->alloc;
	int			i;

	cancel_all(scan);
	for (i = 0; i < scan->nslots; i++)
	{
		mcs_call_free(&scan->slots[i].call);
		mcw_buf_free(&scan->slots[i].raw);
	}
	while (scan->controls != NULL)
	{
		mcs_control *control = scan->controls;

		scan->controls = control->next;
		mcs_call_free(&control->call);
		mcw_free(alloc, control, sizeof(*control));
	}
	for (i = 0; i < scan->nslices; i++)
	{
		mcw_free(alloc, scan->slices[i]->cuts, sizeof(mcs_cut) * MCS_MAX_CUTS);
		mcw_free(alloc, scan->slices[i], sizeof(mcs_slice));
	}
	for (i = 0; i < scan->nshards; i++)
		mcw_free(alloc, scan->shards[i], sizeof(mcs_shard));
	mcw_free(alloc, scan->slices, sizeof(void *) * scan->capslices);
	mcw_free(alloc, scan->shards, sizeof(void *) * scan->capshards);
	mcs_free_shards(scan->client, scan->listed, scan->nlisted);
	mcw_free(alloc, scan->slots, sizeof(mcs_slot) * (scan->spec.concurrency + 1));
	mcs_range_free(scan);
	mcw_free(alloc, scan->only, sizeof(int) * (scan->spec.nshards + 1));
	mcw_free(alloc, scan->query, scan->spec.query.len);
	mcw_free(alloc, scan, sizeof(*scan));
}

const mcs_scan_info *
mcs_scan_get_info(const mcs_scan *scan)
{
	return &scan->info;
}

void
mcs_scan_failed_at(const mcs_scan *scan, int *shard, const char **cursor)
{
	*shard = scan->error_shard;
	*cursor = scan->error_cursor.data;
}

/* The first failure is the scan's; requests in flight are stopped by the next outside call or by free */
void
mcs_scan_fail(mcs_scan *scan, const mcw_error *err, int shard, const mcs_cursor *cursor)
{
	if (scan->phase == MCS_PHASE_FAILED)
		return;
	scan->phase = MCS_PHASE_FAILED;
	scan->error = *err;
	if (scan->error.status == MCW_OK)
		scan->error.status = MCW_ERR_PROTOCOL;
	scan->error_shard = shard;
	if (cursor != NULL)
		scan->error_cursor = *cursor;
}

/* ---- control calls ---- */

static void
control_done(mcn_request *req)
{
	mcs_call   *call = req->owner;
	mcs_control *control = call->user;
	mcs_scan   *scan = control->scan;
	const mcs_cursor *cursor = NULL;
	int			shard = -1;

	scan->asking--;
	control->spent = true;
	if (scan->phase == MCS_PHASE_FAILED)
		return;
	if (req->status != MCW_OK)
	{
		if (control->shard != NULL)
			shard = control->shard->id;
		else if (control->slice != NULL)
			shard = control->slice->shard;
		else if (control->slot != NULL)
		{
			shard = control->slot->page.shard;
			cursor = &control->slot->page.cursor;
		}
		mcs_scan_fail(scan, &req->error, shard, cursor);
		return;
	}
	switch (control->job)
	{
		case MCS_JOB_LOGSTORE:
		case MCS_JOB_SHARDS:
			open_answer(scan, control);
			break;
		case MCS_JOB_BEGIN:
		case MCS_JOB_END:
			shard_answer(scan, control);
			break;
		case MCS_JOB_CUT:
		case MCS_JOB_SLICE_TIME:
			mcs_slice_answer(scan, control);
			break;
		case MCS_JOB_PAGE_TIME:
			{
				int64_t		time;
				mcw_error	err;

				if (mcs_parse_cursor_time(call, &time, &err) != MCW_OK)
					mcs_scan_fail(scan, &err, control->slot->page.shard, &control->slot->page.cursor);
				else
					mcs_ring_timed(scan, control->slot, time);
			}
			break;
	}
	mcs_scan_pump(scan);
}

/* A free control call; NULL after a failure */
mcs_control *
mcs_scan_control(mcs_scan *scan, mcs_job job)
{
	mcs_control *control;
	mcw_error	err;

	for (control = scan->controls; control != NULL && control->busy; control = control->next)
		;
	if (control == NULL)
	{
		control = mcw_new0(scan->alloc, sizeof(*control));
		if (control == NULL)
		{
			(void) mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
			mcs_scan_fail(scan, &err, -1, NULL);
			return NULL;
		}
		mcs_call_init(&control->call, scan->client, 0);
		control->scan = scan;
		control->next = scan->controls;
		scan->controls = control;
	}
	control->busy = true;
	control->spent = false;
	control->job = job;
	control->shard = NULL;
	control->slice = NULL;
	control->cut = NULL;
	control->slot = NULL;
	control->call.user = control;
	return control;
}

/* Start a call that was filled with 'status' */
void
mcs_scan_start(mcs_scan *scan, mcs_control *control, mcw_status status, const mcw_error *err)
{
	if (status != MCW_OK)
	{
		control->spent = true;
		mcs_scan_fail(scan, err, control->shard ? control->shard->id : -1, NULL);
		return;
	}
	control->call.req.on_done = control_done;
	scan->asking++;
	mcn_request_start(&control->call.req);
}

static void
ask_shards(mcs_scan *scan)
{
	mcs_control *control = mcs_scan_control(scan, MCS_JOB_SHARDS);
	mcw_error	err;

	if (control != NULL)
		mcs_scan_start(scan, control, mcs_list_shards(&control->call, scan->spec.logstore, &err), &err);
}

/* ---- window ---- */

/* Both answers are there: fix the window.  False if it is empty or the scan failed. */
static bool
resolve_window(mcs_scan *scan)
{
	mcs_scan_info *info = &scan->info;
	mcw_error	err;
	int64_t		oldest;

	info->service_now = scan->listed_at;
	if (info->has_begin && info->ttl_days > 0 && info->ttl_days < MCS_TTL_FOREVER)
	{
		oldest = info->service_now - info->ttl_days * SECONDS_PER_DAY + MCS_EXPIRY_MARGIN;
		if (info->begin < oldest && !scan->spec.clamp_expired)
		{
			(void) mcw_fail(&err, MCW_ERR_RANGE,
							"the window begins before the retention of logstore \"%s\": %lld is more than %lld days before %lld",
							scan->logstore, (long long) info->begin, (long long) info->ttl_days,
							(long long) info->service_now);
			(void) snprintf(err.code, sizeof(err.code), "ExpiredWindow");
			mcs_scan_fail(scan, &err, -1, NULL);
			return false;
		}
		if (info->begin < oldest)
		{
			info->begin = oldest;
			info->begin_clamped = true;
		}
	}
	if (info->has_end && info->end > info->service_now)
	{
		info->end = info->service_now;
		info->end_clamped = true;
	}
	info->resolved = true;
	/* nothing is received before 1970 or in the future; a cursor asked for then means something else */
	return !(info->has_begin && info->has_end && info->begin >= info->end) &&
		!(info->has_end && info->end <= 0) &&
		!(info->has_begin && info->begin > info->service_now);
}

static bool
selected(const mcs_scan *scan, int id)
{
	int			i;

	if (scan->spec.shards == NULL)
		return true;
	for (i = 0; i < scan->spec.nshards; i++)
	{
		if (scan->spec.shards[i] == id)
			return true;
	}
	return false;
}

static mcs_shard *
find_shard(mcs_scan *scan, int id)
{
	int			i;

	for (i = 0; i < scan->nshards; i++)
	{
		if (scan->shards[i]->id == id)
			return scan->shards[i];
	}
	return NULL;
}

/*
 * Take the newest list.  A shard that is new begins at the window's begin like any
 * other (for a child of a split that is its first group).  If the scan is open-ended
 * and a shard was split or merged since, the parent is read on to its final end, so
 * that nothing older than the children's data is missing.
 */
static bool
take_list(mcs_scan *scan)
{
	bool		changed = false;
	int			i;

	for (i = 0; i < scan->nlisted; i++)
	{
		const mcs_shard_info *in = &scan->listed[i];
		mcs_shard  *shard = find_shard(scan, in->id);

		if (!selected(scan, in->id))
			continue;
		if (shard == NULL)
		{
			mcw_error	err;

			shard = mcw_new0(scan->alloc, sizeof(*shard));
			if (shard == NULL ||
				mcs_scan_array(scan, (void ***) &scan->shards, scan->nshards, &scan->capshards) != MCW_OK)
			{
				mcw_free(scan->alloc, shard, sizeof(*shard));
				(void) mcw_fail(&err, MCW_ERR_NOMEM, "out of memory");
				mcs_scan_fail(scan, &err, in->id, NULL);
				return false;
			}
			shard->id = in->id;
			shard->readonly = in->readonly;
			scan->shards[scan->nshards++] = shard;
			scan->info.shards++;
			if (scan->phase == MCS_PHASE_LISTING)
				scan->info.late_shards++;
			changed = true;
		}
		else if (in->readonly && !shard->readonly)
		{
			shard->readonly = true;
			if (!scan->info.has_end)
			{
				shard->extend = true;
				shard->end_before = shard->end;
				shard->end_step = MCS_NEED;
				shard->sliced = false;
				changed = true;
			}
		}
	}
	return changed;
}

static void
open_answer(mcs_scan *scan, mcs_control *control)
{
	mcw_error	err;
	mcw_status	status;

	if (control->job == MCS_JOB_LOGSTORE)
		status = mcs_parse_logstore(&control->call, &scan->info.ttl_days, &err);
	else
	{
		mcs_free_shards(scan->client, scan->listed, scan->nlisted);
		scan->listed = NULL;
		scan->nlisted = 0;
		status = mcs_parse_shards(&control->call, &scan->listed, &scan->nlisted, &err);
		scan->listed_at = mcn_channel_service_now(scan->client->channel) / 1000000;
		if (scan->listed_at == 0)
			scan->listed_at = mcn_unix_us() / 1000000;
	}
	if (status != MCW_OK)
	{
		mcs_scan_fail(scan, &err, -1, NULL);
		return;
	}
	if (scan->phase == MCS_PHASE_OPENING)
	{
		if (--scan->opening > 0)
			return;
		if (resolve_window(scan))
		{
			(void) take_list(scan);
			if (scan->phase != MCS_PHASE_FAILED)
				scan->phase = MCS_PHASE_READING;
		}
		else if (scan->phase != MCS_PHASE_FAILED)
			scan->phase = MCS_PHASE_DONE;
	}
	else
	{
		bool		changed = take_list(scan);

		if (scan->phase != MCS_PHASE_FAILED)
			scan->phase = changed ? MCS_PHASE_READING : MCS_PHASE_DONE;
	}
}

/* ---- begin and end cursors ---- */

static bool
ask_cursor(mcs_scan *scan, mcs_shard *shard, mcs_job job)
{
	mcs_control *control;
	mcw_error	err;
	char		from[24];

	if (scan->asking >= scan->spec.concurrency || (control = mcs_scan_control(scan, job)) == NULL)
		return false;
	control->shard = shard;
	if (job == MCS_JOB_BEGIN && (!scan->info.has_begin || scan->info.begin < 0))
		(void) snprintf(from, sizeof(from), "begin");
	else if (job == MCS_JOB_END && !scan->info.has_end)
		(void) snprintf(from, sizeof(from), "end");
	else
		(void) snprintf(from, sizeof(from), "%lld",
						(long long) (job == MCS_JOB_BEGIN ? scan->info.begin : scan->info.end));
	*(job == MCS_JOB_BEGIN ? &shard->begin_step : &shard->end_step) = MCS_ASKED;
	mcs_scan_start(scan, control,
				   mcs_get_cursor(&control->call, scan->spec.logstore, shard->id, from, &err), &err);
	return scan->phase != MCS_PHASE_FAILED;
}

static void
ask_cursors(mcs_scan *scan)
{
	int			i;

	for (i = 0; i < scan->nshards; i++)
	{
		mcs_shard  *shard = scan->shards[i];

		if (shard->begin_step == MCS_NEED && !ask_cursor(scan, shard, MCS_JOB_BEGIN))
			return;
		if (shard->end_step == MCS_NEED && !ask_cursor(scan, shard, MCS_JOB_END))
			return;
	}
}

static void
shard_answer(mcs_scan *scan, mcs_control *control)
{
	mcs_shard  *shard = control->shard;
	bool		is_begin = control->job == MCS_JOB_BEGIN;
	const mcs_cursor *from;
	uint64_t	low;
	uint64_t	high;
	mcw_error	err;

	if (mcs_parse_cursor(&control->call, is_begin ? &shard->begin : &shard->end, &err) != MCW_OK)
	{
		mcs_scan_fail(scan, &err, shard->id, NULL);
		return;
	}
	*(is_begin ? &shard->begin_step : &shard->end_step) = MCS_HAVE;
	if (shard->begin_step != MCS_HAVE || shard->end_step != MCS_HAVE)
		return;

	from = shard->extend ? &shard->end_before : &shard->begin;
	shard->sliced = true;
	if (mcs_cursor_eq(from, &shard->end))
		return;
	if (mcs_cursor_int(from, &low) && mcs_cursor_int(&shard->end, &high) && low > high)
	{
		(void) mcw_fail(&err, MCW_ERR_PROTOCOL, "the begin cursor %s is behind the end cursor %s",
						from->data, shard->end.data);
		mcs_scan_fail(scan, &err, shard->id, from);
		return;
	}
	(void) mcs_slice_add(scan, shard->id, from, &shard->end, 0,
						 scan->info.has_end ? scan->info.end : scan->info.service_now);
}

/* ---- what is due ---- */

static void
open_scan(mcs_scan *scan)
{
	mcs_control *control;
	mcw_error	err;

	if (scan->ranges != NULL)
	{
		mcs_range_open(scan);
		return;
	}
	scan->phase = MCS_PHASE_OPENING;
	scan->opening = 1;
	/* the retention matters only to a window that has a begin */
	if (scan->spec.has_begin && (control = mcs_scan_control(scan, MCS_JOB_LOGSTORE)) != NULL)
	{
		scan->opening++;
		control->slice = NULL;
		mcs_scan_start(scan, control, mcs_get_logstore(&control->call, scan->spec.logstore, &err), &err);
	}
	if (scan->phase == MCS_PHASE_OPENING)
		ask_shards(scan);
}

/* Everything asked for has been read */
static bool
all_read(const mcs_scan *scan)
{
	int			i;

	if (scan->active > 0 || scan->pulling > 0 || scan->asking > 0)
		return false;
	for (i = 0; i < scan->nshards; i++)
	{
		if (!scan->shards[i]->sliced)
			return false;
	}
	return true;
}

/*
 * A shard created after the list was made holds only data received later.  With the
 * window's end safely before that moment there is nothing to look for.
 */
static bool
list_is_final(const mcs_scan *scan)
{
	return scan->ranges != NULL ||
		(scan->info.has_end && scan->info.end + MCS_SETTLE_SECONDS <= scan->listed_at);
}

void
mcs_scan_pump(mcs_scan *scan)
{
	if (scan->phase == MCS_PHASE_NEW)
		open_scan(scan);
	if (scan->phase != MCS_PHASE_READING)
		return;
	ask_cursors(scan);
	mcs_slice_ask(scan);
	mcs_ring_pull(scan);
	if (scan->phase == MCS_PHASE_READING && all_read(scan))
	{
		if (list_is_final(scan))
			scan->phase = MCS_PHASE_DONE;
		else
		{
			scan->phase = MCS_PHASE_LISTING;
			ask_shards(scan);
		}
	}
}
