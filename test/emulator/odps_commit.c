/*
 * odps_commit.c
 *		mc-emulator, MaxCompute part: the commit of an upload session, with the faults
 *		a fault plan may ask for, and the log of commits.
 *
 * Faults (action names): apply_later (500 now, applied after "ms"), stuck_closing
 * and stuck_committing (that state for "ms", then applied; -1 for ever),
 * append_residue (500, half of the blocks applied; with "normal" the session can be
 * committed again), critical (500, nothing applied), forget_after_close (the session is
 * unknown afterwards).
 * Reference: maxcompute.md 4.3.
 */
#include "odps.h"

#include <stdlib.h>

#define COMMITS_PER_15_SECONDS 75

odps_commit *odps_commits;
int			odps_ncommits;

odps_commit *
odps_commit_new(void)
{
	odps_commit *c;

	if ((odps_ncommits & (odps_ncommits - 1)) == 0)
		odps_commits = emu_realloc(odps_commits, sizeof(*c) * (odps_ncommits ? odps_ncommits * 2 : 1));
	c = &odps_commits[odps_ncommits++];
	memset(c, 0, sizeof(*c));
	return c;
}

void
odps_commit_log(odps_session *session, char *const *values, bool partial, uint64_t rows, uint64_t request, int64_t now_us)
{
	odps_commit *c = odps_commit_new();
	mcw_buf		text;

	c->at_us = now_us;
	c->request = request;
	snprintf(c->session, sizeof(c->session), "%s", session->id);
	mcw_buf_init(&text, &mcw_malloc, 1 << 20);
	(void) mcw_buf_printf(&text, "%s.%s.%s", session->table->project, session->table->ns, session->table->name);
	c->table = emu_strdup(mcw_buf_view(&text));
	mcw_buf_reset(&text);
	odps_spec_text(&text, session->schema, values, '/');
	c->spec = emu_strdup(mcw_buf_view(&text));
	mcw_buf_free(&text);
	c->overwrite = session->overwrite;
	c->partial = partial;
	c->rows = rows;
}

/* Make the first nblocks blocks visible; false: the target is gone */
static bool
apply(odps_session *s, int nblocks, uint64_t request, int64_t now_us)
{
	odps_partition *part = odps_session_partition(s);
	odps_segment **segs;
	odps_content *content;
	uint64_t	rows = 0;

	if (!part)
		return false;
	segs = emu_malloc(sizeof(*segs) * (nblocks + 1));
	for (int i = 0; i < nblocks; i++)
	{
		segs[i] = s->blocks[i].segment;
		rows += s->blocks[i].rows;
	}
	content = odps_content_append(s->overwrite ? NULL : part->content, segs, nblocks);
	free(segs);
	odps_partition_set(s->table, part, content, now_us / ODPS_SECOND);
	odps_commit_log(s, s->values, nblocks < s->nblocks, rows, request, now_us);
	odps_count.commits++;
	return true;
}

static void
close_session(odps_session *s, uint64_t request, int64_t now_us)
{
	s->apply_at = s->close_at = 0;
	s->status = apply(s, s->nblocks, request, now_us) ? ODPS_CLOSED : ODPS_CRITICAL;
	odps_session_release(s);
}

static bool
fail(emu_request *req, emu_response *resp, const char *message)
{
	odps_error(req, resp, 500, "InternalServerError", "%s", message);
	return false;
}

/* True when a session document is to be sent, false when an error was */
static bool
commit_with_faults(emu_request *req, emu_response *resp, odps_session *s)
{
	if (emu_fault_armed(req, "critical"))
	{
		s->status = ODPS_CRITICAL;
		odps_session_release(s);
		return fail(req, resp, "the commit failed");
	}
	if (emu_fault_armed(req, "append_residue"))
	{
		if (!s->overwrite && s->nblocks > 0)
			(void) apply(s, (s->nblocks + 1) / 2, req->serial, req->now_us);
		if (emu_fault_param("normal", 0))
			return fail(req, resp, "the commit failed half way and may be repeated");
		s->status = ODPS_CRITICAL;
		odps_session_release(s);
		return fail(req, resp, "the commit failed half way");
	}
	if (emu_fault_armed(req, "apply_later"))
	{
		int64_t		ms = emu_fault_param("ms", odps_set.apply_later_us / 1000);

		s->apply_at = req->now_us + ms * 1000;
		s->commit_request = req->serial;
		return fail(req, resp, "the commit was not finished in time");
	}
	for (int i = 0; i < 2; i++)
		if (emu_fault_armed(req, i ? "stuck_committing" : "stuck_closing"))
		{
			int64_t		ms = emu_fault_param("ms", odps_set.stuck_us < 0 ? -1 : odps_set.stuck_us / 1000);

			s->status = i ? ODPS_COMMITTING : ODPS_CLOSING;
			s->close_at = ms < 0 ? -1 : req->now_us + ms * 1000;
			s->commit_request = req->serial;
			return true;
		}
	close_session(s, req->serial, req->now_us);
	s->forget = emu_fault_armed(req, "forget_after_close");
	return true;
}

bool
odps_commit_session(emu_request *req, emu_response *resp, odps_session *s)
{
	if (emu_conf.enforce_rates && odps_set.rates &&
		!odps_rate_hit(&s->table->commits, COMMITS_PER_15_SECONDS, 15 * ODPS_SECOND, req->now_us))
	{
		odps_count.throttled++;
		odps_error(req, resp, 429, "FlowExceeded", "more than %d commits to table %s in 15 seconds",
				   COMMITS_PER_15_SECONDS, s->table->name);
		return false;
	}
	if (!odps_session_partition(s))
	{
		odps_error(req, resp, 404, "NoSuchPartition", "The partition of session %s was dropped", s->id);
		return false;
	}
	return commit_with_faults(req, resp, s);
}

void
odps_upload_tick(odps_session *s, int64_t now_us)
{
	if (s->kind != ODPS_UPLOAD)
		return;
	if (s->apply_at && s->status != ODPS_NORMAL)
		s->apply_at = 0;
	if ((s->apply_at && now_us >= s->apply_at) || (s->close_at > 0 && now_us >= s->close_at))
		close_session(s, s->commit_request, now_us);
}
