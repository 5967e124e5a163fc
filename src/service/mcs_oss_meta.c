/*
 * mcs_oss_meta.c
 *		HEAD of an object, and the lister, which walks ListObjectsV2 page by page
 *		(oss.md 3.2, 3.5).
 *
 * The lister asks for the next page as soon as one has come: one page of entries is in
 * use while one answer is under way or waiting.
 */
#include "mcs_oss_private.h"

#include <stdio.h>

#define PAGE_KEYS MCW_LIT("1000")
#define MAX_PAGE_MEMORY ((size_t) 64 << 20)
#define MAX_EMPTY_PAGES 1000	/* in a row: a service that sends more of them makes no progress */

/* ---- HEAD ---- */

bool
mcs_oss_etag_is_weak(mcw_view etag)
{
	return etag.len >= 2 && (etag.data[0] == 'W' || etag.data[0] == 'w') && etag.data[1] == '/';
}

void
mcs_oss_read_object_headers(const mcs_oss *oss, const mcn_request *req, mcs_oss_object *object)
{
	mcw_view	etag = mcn_response_header(req, "ETag");
	mcw_view	crc = mcn_response_header(req, "x-oss-hash-crc64ecma");
	mcw_view	encoding = mcn_response_header(req, "Content-Encoding");
	int64_t		modified;

	/* a coding that the server applied on the fly changes the length of what comes */
	bool		stored = oss->style != MCS_OSS_PLAIN || encoding.len == 0 || mcw_view_ieq(encoding, MCW_LIT("identity"));

	memset(object, 0, sizeof(*object));
	object->etag = mcs_oss_etag_is_weak(etag) ? etag : mcw_oss_etag(etag);
	if (!stored || !mcw_view_uint64(mcn_response_header(req, "Content-Length"), &object->size))
		object->size = UINT64_MAX;
	if (mcw_parse_http_date(mcn_response_header(req, "Last-Modified"), &modified))
		object->last_modified = modified * 1000000;
	object->has_crc64 = crc.len > 0 && mcw_view_uint64(crc, &object->crc64);
	object->ranges = oss->style != MCS_OSS_PLAIN ||
		(stored && mcw_view_ieq(mcn_response_header(req, "Accept-Ranges"), MCW_LIT("bytes")));
	object->appendable = mcw_view_ieq(mcn_response_header(req, "x-oss-object-type"), MCW_LIT("Appendable"));
	object->token = mcn_response_header(req, "x-oss-meta-mc-token");
}

mcw_status
mcs_oss_head(mcs_oss *oss, mcw_view key, mcw_arena *arena, mcs_oss_object *object, mcw_error *err)
{
	mcs_oss_call call;
	mcw_status	status;

	mcs_oss_call_init(&call, oss, "HEAD", key, 65536);
	status = mcs_oss_call_run(&call, err);
	if (status == MCW_ERR_SERVICE && oss->style == MCS_OSS_PLAIN && (err->http_status == 405 || err->http_status == 501))
	{
		/* a web server that knows GET only: nothing is known before it is read */
		memset(object, 0, sizeof(*object));
		object->size = UINT64_MAX;
		status = mcw_arena_copy(arena, key, &object->key);
	}
	else if (status == MCW_OK)
	{
		mcs_oss_read_object_headers(oss, &call.req, object);
		status = mcw_arena_copy(arena, key, &object->key);
		if (status == MCW_OK)
			status = mcw_arena_copy(arena, object->etag, &object->etag);
		if (status == MCW_OK)
			status = mcw_arena_copy(arena, object->token, &object->token);
		if (status == MCW_OK && object->size == UINT64_MAX && oss->style != MCS_OSS_PLAIN)
			status = mcw_fail(err, MCW_ERR_PROTOCOL, "the service did not tell the size of an object");
		else if (status != MCW_OK)
			(void) mcw_fail(err, status, "out of memory");
	}
	mcs_oss_call_free(&call);
	return status;
}

/* ---- lister ---- */

struct mcs_oss_lister
{
	mcs_oss_call call;			/* asks for the next page */
	mcs_oss    *oss;
	mcw_buf		prefix;
	mcw_buf		start_after;
	mcw_buf		delimiter;
	mcw_buf		token;			/* of the page that is asked for; empty = the first */
	mcw_buf		last;			/* key or prefix handed out last: the next one must be behind it */
	mcw_arena	arenas[2];
	mcw_oss_list pages[2];
	int			used;			/* index of the page in use; the answer is parsed into the other */
	int			entry;
	int			common;
	bool		asking;			/* a call was started and its page is not yet in use */
	bool		ended;			/* the page in use is the last */
	int			empty_pages;
	bool		begun;			/* something was handed out */
	int64_t		npages;
	mcw_error	failed;
};

/* An answer that is no list is asked for again, like a lost connection */
static mcw_status
read_page(mcn_request *req, mcw_error *err)
{
	mcs_oss_lister *lister = req->owner;
	int			other = 1 - lister->used;
	mcw_status	status;

	mcw_arena_reset(&lister->arenas[other]);
	memset(&lister->pages[other], 0, sizeof(lister->pages[other]));
	status = mcw_oss_read_list(mcw_buf_view(&req->response), &lister->arenas[other], &lister->pages[other], err);
	if (status == MCW_OK)
		mcw_buf_free(&req->response);
	return status;
}

static void
ask(mcs_oss_lister *lister)
{
	mcs_oss_call *call = &lister->call;

	mcs_oss_call_free(call);
	mcs_oss_call_init(call, lister->oss, "GET", MCW_LIT(""), MCS_OSS_MAX_DOCUMENT);
	mcs_oss_call_param(call, "list-type", MCW_LIT("2"));
	mcs_oss_call_param(call, "encoding-type", MCW_LIT("url"));
	mcs_oss_call_param(call, "max-keys", PAGE_KEYS);
	mcs_oss_call_param(call, "prefix", mcw_buf_view(&lister->prefix));
	mcs_oss_call_param(call, "delimiter", mcw_buf_view(&lister->delimiter));
	if (lister->token.len > 0)
		mcs_oss_call_param(call, "continuation-token", mcw_buf_view(&lister->token));
	else
		mcs_oss_call_param(call, "start-after", mcw_buf_view(&lister->start_after));
	call->req.owner = lister;
	call->req.accept = read_page;
	lister->asking = true;
	mcs_oss_call_start(call);
}

static mcw_status
set_text(mcw_buf *buf, mcw_view text)
{
	mcw_buf_reset(buf);
	return mcw_buf_append_view(buf, text);
}

mcw_status
mcs_oss_list_open(mcs_oss *oss, mcw_view prefix, mcw_view start_after, mcw_view delimiter,
				  mcs_oss_lister **lister, mcw_error *err)
{
	mcs_oss_lister *l;
	mcw_status	status;

	*lister = NULL;
	if (oss->style == MCS_OSS_PLAIN)
		return mcw_fail(err, MCW_ERR_UNSUPPORTED, "a plain web server cannot list its files");
	l = mcw_new0(oss->alloc, sizeof(*l));
	if (l == NULL)
		return mcw_fail(err, MCW_ERR_NOMEM, "out of memory");
	l->oss = oss;
	mcw_buf_init(&l->prefix, oss->alloc, 4096);
	mcw_buf_init(&l->start_after, oss->alloc, 4096);
	mcw_buf_init(&l->delimiter, oss->alloc, 4096);
	mcw_buf_init(&l->token, oss->alloc, 16384);
	mcw_buf_init(&l->last, oss->alloc, 65536);
	for (int i = 0; i < 2; i++)
		mcw_arena_init(&l->arenas[i], oss->alloc, MAX_PAGE_MEMORY);
	if ((status = set_text(&l->prefix, prefix)) != MCW_OK || (status = set_text(&l->start_after, start_after)) != MCW_OK ||
		(status = set_text(&l->delimiter, delimiter)) != MCW_OK || (status = set_text(&l->last, start_after)) != MCW_OK)
	{
		mcs_oss_list_close(l);
		return mcw_fail(err, status, "out of memory for a list, or its prefix is too long");
	}
	*lister = l;
	ask(l);
	return MCW_OK;
}

void
mcs_oss_list_close(mcs_oss_lister *l)
{
	if (l == NULL)
		return;
	mcs_oss_call_free(&l->call);
	mcw_buf_free(&l->prefix);
	mcw_buf_free(&l->start_after);
	mcw_buf_free(&l->delimiter);
	mcw_buf_free(&l->token);
	mcw_buf_free(&l->last);
	for (int i = 0; i < 2; i++)
		mcw_arena_reset(&l->arenas[i]);
	mcw_free(l->oss->alloc, l, sizeof(*l));
}

int
mcs_oss_list_left(const mcs_oss_lister *l)
{
	return l->npages > 0 ? l->pages[l->used].nentries - l->entry : 0;
}

int64_t
mcs_oss_list_pages(const mcs_oss_lister *lister)
{
	return lister->npages;
}

static mcw_status
fail(mcs_oss_lister *l, mcw_status status, const char *what)
{
	return mcw_fail(&l->failed, status, "the list of objects %s", what);
}

/* The page that has come becomes the one in use, and the next one is asked for */
static mcw_status
turn_page(mcs_oss_lister *l)
{
	mcw_oss_list *page;
	mcw_status	status;

	if (l->call.req.status != MCW_OK)
	{
		l->failed = l->call.req.error;
		return l->failed.status;
	}
	l->asking = false;
	l->used = 1 - l->used;
	l->entry = l->common = 0;
	l->npages++;
	page = &l->pages[l->used];
	l->ended = !page->truncated;
	l->empty_pages = page->nentries + page->nprefixes == 0 ? l->empty_pages + 1 : 0;
	if (l->ended)
		return MCW_OK;
	if (page->next_token.len == 0 || mcw_view_eq(page->next_token, mcw_buf_view(&l->token)))
		return fail(l, MCW_ERR_PROTOCOL, "makes no progress: a page that is not the last continues at itself");
	if (l->empty_pages > MAX_EMPTY_PAGES)
		return fail(l, MCW_ERR_PROTOCOL, "makes no progress: only empty pages come");
	if ((status = set_text(&l->token, page->next_token)) != MCW_OK)
		return fail(l, status, "could not be continued: out of memory, or its token is too long");
	ask(l);
	return MCW_OK;
}

/* The next of entries and common prefixes, which come in order each */
static mcw_status
take(mcs_oss_lister *l, mcs_oss_listing *listing)
{
	mcw_oss_list *page = &l->pages[l->used];
	bool		has_entry = l->entry < page->nentries;
	bool		has_prefix = l->common < page->nprefixes;
	mcw_view	prefix = mcw_buf_view(&l->prefix);
	mcw_view	key;
	mcw_status	status;

	memset(listing, 0, sizeof(*listing));
	if (has_prefix && (!has_entry || mcw_view_cmp(page->prefixes[l->common], page->entries[l->entry].key) < 0))
	{
		listing->is_prefix = true;
		listing->entry.key = page->prefixes[l->common++];
	}
	else
		listing->entry = page->entries[l->entry++];
	key = listing->entry.key;
	if (key.len < prefix.len || memcmp(key.data, prefix.data, prefix.len) != 0)
		return fail(l, MCW_ERR_PROTOCOL, "holds a key that does not begin with the prefix asked for");
	/* a directory may hold keys behind 'start_after' and still sort before it */
	if (l->last.len > 0 && mcw_view_cmp(key, mcw_buf_view(&l->last)) <= 0 &&
		!(listing->is_prefix && !l->begun && l->last.len >= key.len && memcmp(l->last.data, key.data, key.len) == 0))
	{
		char		shown[324];

		return mcw_fail(&l->failed, MCW_ERR_PROTOCOL,
						"the list of objects makes no progress: %s comes twice or out of order",
						mcs_oss_show_key(key, shown));
	}
	l->begun = true;
	if ((status = set_text(&l->last, key)) != MCW_OK)
		return fail(l, status, "could not be read: out of memory, or a key is too long");
	return MCW_OK;
}

mcw_status
mcs_oss_list_next(mcs_oss_lister *l, bool wait, bool *pending, mcs_oss_listing *listing, mcw_error *err)
{
	if (pending)
		*pending = false;
	for (;;)
	{
		mcw_oss_list *page = &l->pages[l->used];
		mcw_status	status = MCW_OK;

		if (l->failed.status != MCW_OK)
		{
			*err = l->failed;
			return err->status;
		}
		if (l->npages > 0 && (l->entry < page->nentries || l->common < page->nprefixes))
			status = take(l, listing);
		else if (l->npages > 0 && l->ended)
			return MCW_END;
		else if (!l->call.req.active)
		{
			if (turn_page(l) == MCW_OK)
				continue;
			status = l->failed.status;
		}
		else if (!wait)
		{
			/* the answer may lie there already */
			if (mcn_loop_step(l->oss->loop, 0) == MCW_ERR_INTERRUPTED)
				status = MCW_ERR_INTERRUPTED;
			else if (l->call.req.active)
			{
				if (pending)
					*pending = true;
				return MCW_END;
			}
			else
				continue;
		}
		else if (mcn_request_wait(&l->call.req) != MCW_ERR_INTERRUPTED || !l->call.req.active)
			continue;
		else
			status = MCW_ERR_INTERRUPTED;
		if (status == MCW_ERR_INTERRUPTED)
		{
			mcn_request_cancel(&l->call.req);
			(void) mcw_fail(&l->failed, status, "interrupted");
		}
		if (status != MCW_OK)
			*err = l->failed;
		return status;
	}
}
