/*
 * mcs_oss_publish.c
 *		Making an object visible, and deleting replaced ones (guarantees.md 6.3, 9).
 *
 * Nothing is sent again blindly.  After an answer that does not settle it, HEAD tells
 * whether the object at the key carries our token; if not, ListParts tells whether the
 * upload still waits.  A Put may be repeated after such a look: either the first or the
 * second creates the object, with the same bytes and the same token.
 */
#include "mcs_oss_write_private.h"
#include "mcs_call.h"

#include <stdio.h>

#include "../wire/mcw_hash.h"

#define ANSWER_MAX 65536
#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 5000
#define MAX_LOOKS 6				/* at a key whose upload is gone, growing pauses between them */
#define MAX_CLOCK_ERRORS 2

typedef enum answer
{
	ANSWER_DONE,				/* it is visible */
	ANSWER_REFUSED,				/* plainly, and again with the same words */
	ANSWER_EXISTS,				/* another object has the key, or our own of an earlier attempt */
	ANSWER_GONE,				/* no such upload */
	ANSWER_LATER,				/* refused or not sent at all: nothing was done, try again */
	ANSWER_UNKNOWN,
	ANSWER_INTERRUPTED
} answer;

typedef enum look
{
	LOOK_OURS,
	LOOK_OTHER,
	LOOK_ABSENT,
	LOOK_FAILED,
	LOOK_DAMAGED,				/* our token over other bytes */
	LOOK_INTERRUPTED
} look;

typedef struct mcs_oss_publication publication;

struct mcs_oss_publication
{
	mcs_oss    *oss;
	mcn_channel *once;
	mcs_oss_upload *upload;
	mcw_view	body;
	int64_t		deadline_us;
	int			pause_ms;
	bool		maybe;			/* a request that was not plainly refused may still be applied */
	int			clock_errors;

	/* the request under way */
	bool		sending;
	mcs_oss_call call;
	mcw_buf		list;			/* of parts, for Complete */
};

/* ---- one request ---- */

static bool
is_throttled(const mcw_error *err)
{
	for (const mcn_retry_rule *rule = mcs_oss_retry_rules; rule->code != NULL; rule++)
		if (rule->retry == MCN_RETRY_SLOW && mcs_oss_error_is(err, rule->code))
			return true;
	return err->http_status == 429;
}

static answer
judge(publication *p, mcw_status status, const mcw_error *err)
{
	if (status == MCW_ERR_INTERRUPTED)
		return ANSWER_INTERRUPTED;
	if (status == MCW_ERR_SERVICE)
	{
		if (mcs_oss_error_is(err, "RequestTimeTooSkewed") && ++p->clock_errors <= MAX_CLOCK_ERRORS)
			return ANSWER_LATER;
		if (mcs_oss_error_is(err, "FileAlreadyExists") || mcs_oss_error_is(err, "ObjectAlreadyExists"))
			return ANSWER_EXISTS;
		if (mcs_oss_error_is(err, "NoSuchUpload"))
			return ANSWER_GONE;
		if (is_throttled(err))
			return ANSWER_LATER;
		if (err->http_status >= 500 || err->http_status == 408 || err->http_status == 409 || mcs_oss_error_is(err, "RequestTimeout"))
			return ANSWER_UNKNOWN;
		return ANSWER_REFUSED;
	}
	if (p->call.req.sent)
		return ANSWER_UNKNOWN;
	return status == MCW_ERR_CONNECT || status == MCW_ERR_TIMEOUT ? ANSWER_LATER : ANSWER_REFUSED;
}

/* Complete or Put, once */
static void
send_it(publication *p)
{
	mcs_oss_upload *upload = p->upload;
	mcs_oss_call *call = &p->call;
	bool		multipart = upload->id[0] != '\0';
	mcw_status	status = MCW_OK;

	mcw_buf_init(&p->list, p->oss->alloc, (size_t) 4 << 20);
	mcs_oss_call_init(call, p->oss, multipart ? "POST" : "PUT", upload->key, ANSWER_MAX);
	call->req.channel = p->once;
	call->req.deadline_us = p->deadline_us;
	call->req.no_retry_after_send = true;
	if (multipart)
	{
		mcs_oss_call_param(call, "uploadId", mcw_str(upload->id));
		mcs_oss_call_param(call, "encoding-type", MCW_LIT("url"));
		if (!upload->may_replace)
			mcs_oss_call_header(call, "x-oss-forbid-overwrite", MCW_LIT("true"));
		status = mcw_oss_write_complete(upload->parts, upload->nparts, &p->list);
		call->req.body = mcw_buf_view(&p->list);
	}
	else
	{
		mcs_oss_write_headers(call, upload);
		call->req.body = p->body;
	}
	if (status != MCW_OK)
		mcs_call_remember(&call->failed, status, "could not list the parts of an upload");
	mcs_oss_call_start(call);
	p->sending = true;
}

static void
forget_request(publication *p)
{
	if (p->call.req.sent)
		p->upload->sent = true;
	mcs_oss_call_free(&p->call);
	mcw_buf_free(&p->list);
	p->sending = false;
}

/* What became of it */
static answer
await_answer(publication *p, mcw_error *err)
{
	mcs_oss_upload *upload = p->upload;
	mcw_status	status = mcs_call_wait(&p->call.req, err);
	answer		result;

	if (status == MCW_OK)
	{
		/* an answer that proves nothing is no answer: the object is looked at next */
		status = mcs_oss_compare_stored(&p->call.req, upload->id[0] != '\0', upload->crc64, err);
		result = status == MCW_OK ? ANSWER_DONE : ANSWER_UNKNOWN;
	}
	else
		result = judge(p, status, err);
	if (p->call.req.sent && (result == ANSWER_UNKNOWN || result == ANSWER_INTERRUPTED))
		p->maybe = true;
	forget_request(p);
	return result;
}

/* ---- what is there ---- */

static look
look_at(publication *p, mcw_error *err)
{
	mcs_oss		oss = *p->oss;
	const mcs_oss_upload *upload = p->upload;
	mcs_oss_object object;
	mcw_arena	arena;
	mcw_status	status;
	look		result;

	oss.deadline_us = p->deadline_us;
	mcw_arena_init(&arena, oss.alloc, 65536);
	status = mcs_oss_head(&oss, upload->key, &arena, &object, err);
	p->oss->clock_offset = oss.clock_offset;
	if (status == MCW_ERR_INTERRUPTED)
		result = LOOK_INTERRUPTED;
	else if (status == MCW_ERR_SERVICE && err->http_status == 404 && !mcs_oss_error_is(err, "NoSuchBucket"))
		result = LOOK_ABSENT;
	else if (status != MCW_OK)
		result = LOOK_FAILED;
	else if (upload->token.len == 0 || !mcw_view_eq(object.token, upload->token))
		result = LOOK_OTHER;
	else if (object.size != upload->size || (object.has_crc64 && object.crc64 != upload->crc64))
	{
		(void) mcw_fail(err, MCW_ERR_CHECKSUM, "the object that was written has other bytes than were sent");
		result = LOOK_DAMAGED;
	}
	else
		result = LOOK_OURS;
	mcw_arena_reset(&arena);
	return result;
}

static mcw_status
upload_waits(publication *p, mcw_error *err)
{
	int64_t		before = p->oss->deadline_us;
	mcw_status	status;

	p->oss->deadline_us = p->deadline_us;
	status = mcs_oss_upload_waits(p->oss, p->upload, err);
	p->oss->deadline_us = before;
	return status;
}

/* false: no time is left for another request, or the host wants to stop */
static bool
rest(publication *p)
{
	int64_t		until = mcn_now_us() + (int64_t) p->pause_ms * 1000;
	int64_t		left;

	if (until >= p->deadline_us)
		return false;
	while ((left = until - mcn_now_us()) > 0)
		if (mcn_loop_step(p->oss->loop, (int) (left / 1000) + 1) == MCW_ERR_INTERRUPTED)
			return false;
	p->pause_ms = p->pause_ms * 2 < LAST_PAUSE_MS ? p->pause_ms * 2 : LAST_PAUSE_MS;
	return true;
}

static mcs_oss_outcome
not_known(const publication *p, mcw_error *err, const mcw_error *why)
{
	if (why != NULL)
		*err = *why;
	return p->maybe ? MCS_OSS_IN_DOUBT : MCS_OSS_NOT_PUBLISHED;
}

/*
 * After an answer that left it open, or that says that the key is taken or the upload
 * gone.  True: it is settled; false: send it again.
 */
static bool
settle(publication *p, answer last, const mcw_error *why, mcs_oss_outcome *outcome, mcw_error *err)
{
	bool		multipart = p->upload->id[0] != '\0';
	bool		gone = last == ANSWER_GONE;

	for (int looks = 1;; looks++)
	{
		look		seen = look_at(p, err);
		mcw_status	status;

		if (seen == LOOK_OURS)
		{
			*outcome = MCS_OSS_PUBLISHED;
			return true;
		}
		if (seen == LOOK_DAMAGED || seen == LOOK_INTERRUPTED)
		{
			p->maybe |= seen == LOOK_DAMAGED;
			*outcome = not_known(p, err, NULL);
			return true;
		}
		if (seen == LOOK_OTHER && !p->upload->may_replace)
		{
			/* as long as it is there ours is refused, however late it comes */
			*err = *why;
			if (last != ANSWER_EXISTS)
			{
				(void) mcw_fail(err, MCW_ERR_SERVICE, "another object has the key");
				(void) snprintf(err->code, sizeof(err->code), "FileAlreadyExists");
				err->http_status = 409;
			}
			*outcome = MCS_OSS_NOT_PUBLISHED;
			return true;
		}
		if (seen == LOOK_FAILED && (!p->maybe || err->status == MCW_ERR_SERVICE))
		{
			*outcome = not_known(p, err, p->maybe ? NULL : why);
			return true;
		}
		if (seen != LOOK_FAILED && !gone)
		{
			if (!multipart)
				return false;
			status = upload_waits(p, err);
			if (status == MCW_OK)
				return false;
			if (status == MCW_ERR_INTERRUPTED || status == MCW_ERR_SERVICE)
			{
				*outcome = not_known(p, err, NULL);
				return true;
			}
			gone = status == MCW_END;
		}
		/* it may be on its way from there to here */
		if ((gone && (!p->maybe || looks >= MAX_LOOKS)) || !rest(p))
		{
			*outcome = not_known(p, err, why);
			return true;
		}
	}
}

/* ---- an object ---- */

mcs_oss_publication *
mcs_oss_publish_begin(mcs_oss *oss, mcn_channel *once, mcs_oss_upload *upload, mcw_view body,
					  int64_t deadline_us, mcw_error *err)
{
	publication *p = mcw_new0(oss->alloc, sizeof(*p));

	if (p == NULL)
	{
		(void) mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
		return NULL;
	}
	p->oss = oss;
	p->once = once;
	p->upload = upload;
	p->body = body;
	p->deadline_us = deadline_us;
	p->pause_ms = FIRST_PAUSE_MS;
	p->maybe = upload->sent;
	if (upload->id[0] == '\0')
	{
		upload->size = body.len;
		upload->crc64 = mcw_crc64(0, body.data, body.len);
	}
	else if (mcs_oss_upload_total(upload, err) != MCW_OK)
	{
		mcs_oss_publish_drop(p);
		return NULL;
	}
	/* begun before: the object may be there, which is looked at first */
	if (!upload->sent)
		send_it(p);
	return p;
}

void
mcs_oss_publish_drop(mcs_oss_publication *p)
{
	if (p->sending)
		forget_request(p);
	mcw_free(p->oss->alloc, p, sizeof(*p));
}

/* Until it is settled, or the time is over, or it would have to be sent but may not be */
static mcs_oss_outcome
drive(publication *p, bool again, mcw_error *err)
{
	mcs_oss_outcome outcome;
	mcw_error	why;

	if (!p->sending)
	{
		(void) mcw_fail(&why, MCW_ERR_TIMEOUT, "it is not known whether the object was published");
		if (settle(p, ANSWER_UNKNOWN, &why, &outcome, err))
			return outcome;
		if (!again)
			return not_known(p, err, &why);
		send_it(p);
	}
	for (;;)
	{
		answer		got = await_answer(p, err);

		why = *err;
		switch (got)
		{
			case ANSWER_DONE:
				return MCS_OSS_PUBLISHED;
			case ANSWER_INTERRUPTED:
				return not_known(p, err, NULL);
			case ANSWER_REFUSED:
				if (!p->maybe)
					return MCS_OSS_NOT_PUBLISHED;
				/* an earlier attempt may have been applied */
				if (look_at(p, err) == LOOK_OURS)
					return MCS_OSS_PUBLISHED;
				return not_known(p, err, &why);
			case ANSWER_LATER:
				break;
			case ANSWER_EXISTS:
			case ANSWER_GONE:
			case ANSWER_UNKNOWN:
				if (settle(p, got, &why, &outcome, err))
					return outcome;
				break;
		}
		if (!again || !rest(p))
			return not_known(p, err, &why);
		send_it(p);
	}
}

mcs_oss_outcome
mcs_oss_publish_end(mcs_oss_publication *p, bool again, mcw_error *err)
{
	mcs_oss_outcome outcome = drive(p, again, err);

	mcs_oss_publish_drop(p);
	return outcome;
}

mcs_oss_outcome
mcs_oss_publish(mcs_oss *oss, mcn_channel *once, mcs_oss_upload *upload, mcw_view body,
				int64_t deadline_us, mcw_error *err)
{
	mcs_oss_publication *p = mcs_oss_publish_begin(oss, once, upload, body, deadline_us, err);

	return p ? mcs_oss_publish_end(p, true, err) : MCS_OSS_NOT_PUBLISHED;
}

/* ---- deletes ---- */

typedef struct deletion
{
	mcs_oss    *oss;
	const mcs_oss_object *objects;
	int			next;			/* of the group at hand to be looked at */
	int			end;
	mcs_oss_call *calls;		/* of HEAD or GetSymlink */
	int		   *at;				/* what a call is for; -1 = free */
	int			ncalls;
	mcw_view   *keys;			/* unchanged ones of the group */
	int			nkeys;
	bool		(*spare) (const mcs_oss_object *object, mcw_view token, void *arg);
	void	   *arg;
	int		   *deleted;
	int		   *changed;
} deletion;

#define GROUP 1000

/* Can the document of a multi-delete name it?  XML has no place for control characters. */
static bool
fits_xml(mcw_view key)
{
	for (size_t i = 0; i < key.len; i++)
	{
		unsigned char c = key.data[i];

		/* U+FFFE and U+FFFF are not characters either */
		if (c < ' ' || c == 0x7f || (c == 0xef && i + 2 < key.len && (unsigned char) key.data[i + 1] == 0xbf &&
									 (unsigned char) key.data[i + 2] >= 0xbe))
			return false;
	}
	return mcw_utf8_valid(key.data, key.len) == key.len;
}

static mcw_status
judge_head(deletion *d, mcs_oss_call *call, int i, mcw_error *err)
{
	mcw_view	etag = mcw_oss_etag(mcn_response_header(&call->req, "ETag"));
	mcw_status	status = call->req.status;

	if (status == MCW_ERR_SERVICE && call->req.error.http_status == 404 && !mcs_oss_error_is(&call->req.error, "NoSuchBucket"))
	{
		++*d->deleted;			/* by whoever: it is gone */
		return MCW_OK;
	}
	if (status == MCW_ERR_SERVICE && mcs_oss_error_is(&call->req.error, "NotSymlink"))
	{
		++*d->changed;			/* an object has taken the place of the link */
		return MCW_OK;
	}
	if (status != MCW_OK)
	{
		*err = call->req.error;
		return status;
	}
	if (d->spare != NULL && d->spare(&d->objects[i], mcn_response_header(&call->req, "x-oss-meta-mc-token"), d->arg))
	{
		++*d->changed;
		return MCW_OK;
	}
	/* a service need not tell that of a link */
	if (mcw_oss_etag_eq(etag, d->objects[i].etag) || (d->objects[i].link && etag.len == 0) ||
		(d->spare != NULL && d->objects[i].etag.len == 0))
		d->keys[d->nkeys++] = d->objects[i].key;
	else
		++*d->changed;
	return MCW_OK;
}

/* HEAD of a link would show what it points to, which is not deleted */
static void
look_at_object(deletion *d, mcs_oss_call *call, int i)
{
	const mcs_oss_object *object = &d->objects[i];

	mcs_oss_call_init(call, d->oss, object->link ? "GET" : "HEAD", object->key, ANSWER_MAX);
	if (object->link)
		mcs_oss_call_param(call, "symlink", (mcw_view) {NULL, 0});
	mcs_oss_call_start(call);
}

/* Looks at all objects of the group, several at a time */
static mcw_status
look_at_group(deletion *d, mcw_error *err)
{
	int			running = 0;

	do
	{
		bool		waits = false;

		for (int c = 0; c < d->ncalls; c++)
		{
			mcs_oss_call *call = &d->calls[c];
			mcw_status	status;

			if (d->at[c] >= 0)
			{
				if (call->req.active)
				{
					waits = true;
					continue;
				}
				running--;
				status = judge_head(d, call, d->at[c], err);
				d->at[c] = -1;
				mcs_oss_call_free(call);
				if (status != MCW_OK)
					return status;
			}
			if (d->next < d->end)
			{
				d->at[c] = d->next++;
				look_at_object(d, call, d->at[c]);
				running++;
				waits |= call->req.active;
			}
		}
		if (waits && mcn_loop_step(d->oss->loop, -1) == MCW_ERR_INTERRUPTED)
			return mcw_fail(err, MCW_ERR_INTERRUPTED, "interrupted");
	} while (running > 0);
	return MCW_OK;
}

static mcw_status
delete_one(deletion *d, mcw_view key, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_call_init(&call, d->oss, "DELETE", key, ANSWER_MAX);
	status = mcs_oss_call_run(&call, err);
	mcs_oss_call_free(&call);
	if (status == MCW_OK)
		++*d->deleted;
	return status;
}

/* The answer must name every key */
static mcw_status
count_deleted(deletion *d, mcs_oss_call *call, const mcw_view *keys, int nkeys, mcw_error *err)
{
	mcw_view   *gone;
	int			ngone = 0;
	int			found = 0;
	int			missing = -1;
	mcw_status	status = mcw_oss_read_deleted(mcw_buf_view(&call->req.response), &call->arena, &gone, &ngone, err);
	char		shown[324];

	if (status != MCW_OK)
		return status;
	for (int i = 0; i < nkeys; i++)
	{
		/* in the order of the request, as a rule */
		bool		named = i < ngone && mcw_view_eq(gone[i], keys[i]);

		for (int k = 0; k < ngone && !named; k++)
			named = mcw_view_eq(gone[k], keys[i]);
		found += named;
		if (!named && missing < 0)
			missing = i;
	}
	*d->deleted += found;
	if (missing >= 0)
		return mcw_fail(err, MCW_ERR_PROTOCOL, "the service did not delete %d of %d objects, such as %s", nkeys - found, nkeys,
						mcs_oss_show_key(keys[missing], shown));
	return MCW_OK;
}

/* It may be repeated, so an answer that is no list is asked for again */
static mcw_status
accept_deleted(mcn_request *req, mcw_error *err)
{
	mcs_oss_call *call = (mcs_oss_call *) req;
	mcw_view   *gone;
	int			ngone;

	return mcw_oss_read_deleted(mcw_buf_view(&req->response), &call->arena, &gone, &ngone, err);
}

static mcw_status
delete_many(deletion *d, const mcw_view *keys, int nkeys, mcw_error *err)
{
	mcs_oss_call call;
	char		md5[28];
	mcw_buf		body;
	mcw_status	status;

	mcw_buf_init(&body, d->oss->alloc, (size_t) 16 << 20);
	mcs_oss_call_init(&call, d->oss, "POST", MCW_LIT(""), MCS_OSS_MAX_DOCUMENT);
	status = mcw_oss_write_delete(keys, nkeys, false, &body);
	if (status == MCW_OK)
		status = mcs_md5_text(d->oss->alloc, mcw_buf_view(&body), md5, err);
	if (status != MCW_OK)
		(void) mcw_fail(err, status, "could not make a list of objects to delete");
	else
	{
		mcs_oss_call_param(&call, "delete", (mcw_view) {NULL, 0});
		mcs_oss_call_param(&call, "encoding-type", MCW_LIT("url"));
		mcs_oss_call_header(&call, "Content-MD5", mcw_str(md5));
		mcs_oss_call_header(&call, "Content-Type", MCW_LIT("application/xml"));
		call.req.body = mcw_buf_view(&body);
		call.req.accept = accept_deleted;
		status = mcs_oss_call_run(&call, err);
		if (status == MCW_OK)
			status = count_deleted(d, &call, keys, nkeys, err);
	}
	mcs_oss_call_free(&call);
	mcw_buf_free(&body);
	return status;
}

static mcw_status
delete_group(deletion *d, mcw_error *err)
{
	mcw_status	status = look_at_group(d, err);
	int			many = 0;

	/* those that the document can name to the front */
	for (int i = 0; i < d->nkeys && status == MCW_OK; i++)
	{
		if (fits_xml(d->keys[i]))
			d->keys[many++] = d->keys[i];
		else
			status = delete_one(d, d->keys[i], err);
	}
	if (status == MCW_OK && many == 1)
		return delete_one(d, d->keys[0], err);
	if (status == MCW_OK && many > 1)
		status = delete_many(d, d->keys, many, err);
	return status;
}

mcw_status
mcs_oss_delete(mcs_oss *oss, const mcs_oss_object *objects, int nobjects, int concurrency,
			   int *deleted, int *changed, mcw_error *err)
{
	return mcs_oss_delete_unless(oss, objects, nobjects, concurrency, NULL, NULL, deleted, changed, err);
}

mcw_status
mcs_oss_delete_unless(mcs_oss *oss, const mcs_oss_object *objects, int nobjects, int concurrency,
					  bool (*spare) (const mcs_oss_object *object, mcw_view token, void *arg), void *arg,
					  int *deleted, int *changed, mcw_error *err)
{
	deletion	d = {.oss = oss, .objects = objects, .ncalls = concurrency < 1 ? 1 : concurrency, .spare = spare, .arg = arg,
	.deleted = deleted, .changed = changed};
	mcw_status	status = MCW_OK;

	*deleted = *changed = 0;
	if (d.ncalls > GROUP)
		d.ncalls = GROUP;
	d.calls = mcw_new0(oss->alloc, d.ncalls * sizeof(*d.calls));
	d.at = mcw_new0(oss->alloc, d.ncalls * sizeof(*d.at));
	d.keys = mcw_new0(oss->alloc, GROUP * sizeof(*d.keys));
	if (d.calls == NULL || d.at == NULL || d.keys == NULL)
		status = mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	for (int c = 0; c < d.ncalls && status == MCW_OK; c++)
		d.at[c] = -1;
	while (status == MCW_OK && d.end < nobjects)
	{
		d.next = d.end;
		d.end = nobjects - d.next < GROUP ? nobjects : d.next + GROUP;
		d.nkeys = 0;
		status = delete_group(&d, err);
	}
	for (int c = 0; d.calls != NULL && c < d.ncalls; c++)
		mcs_oss_call_free(&d.calls[c]);
	mcw_free(oss->alloc, d.calls, d.ncalls * sizeof(*d.calls));
	mcw_free(oss->alloc, d.at, d.ncalls * sizeof(*d.at));
	mcw_free(oss->alloc, d.keys, GROUP * sizeof(*d.keys));
	return status;
}
