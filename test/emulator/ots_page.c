/*
 * ots_page.c
 *		mc-emulator, Tablestore part: answers of GetRange and ComputeSplitPointsBySize kept
 *		as they were sent, so that a benchmark that reads a table again measures its
 *		client and not this program.
 *
 * An answer is found by the operation, the bytes of the request and the version of the
 * table, which every write and every change of options moves on.  Of tables whose rows
 * expire nothing is kept, and a change of the settings forgets all.
 */
#include <stdlib.h>

#include "ots_private.h"

#define SLOTS 16384

typedef struct page
{
	const ots_table *table;
	uint64_t	version;
	const char *op;
	char	   *request;
	size_t		request_len;
	emu_blob   *blob;
	char		md5[32];
	int32_t		units;
} page;

static page *pages = NULL;
static int64_t kept_bytes = 0;
static uint32_t clock_hand = 0;

static uint32_t
slot_of(const ots_table *table, mcw_view request)
{
	uint64_t	h = UINT64_C(1469598103934665603) ^ (uintptr_t) table;

	for (size_t i = 0; i < request.len; i++)
		h = (h ^ (uint8_t) request.data[i]) * UINT64_C(1099511628211);
	return (uint32_t) (h ^ h >> 32) % SLOTS;
}

static void
drop(page *p)
{
	if (p->blob == NULL)
		return;
	kept_bytes -= (int64_t) (p->blob->len + p->request_len);
	free(p->request);
	emu_blob_unref(p->blob);
	memset(p, 0, sizeof(*p));
}

void
ots_page_forget(void)
{
	for (int i = 0; pages && i < SLOTS; i++)
		drop(&pages[i]);
	free(pages);
	pages = NULL;
}

static bool
wants_compression(const ots_call *call)
{
	return ots_set.compress && mcw_request_get_header(&call->req->http, MCW_LIT("x-ots-response-compress-type")).len > 0;
}

bool
ots_page_cached(ots_call *call, const ots_table *table)
{
	page	   *p = pages ? &pages[slot_of(table, call->body)] : NULL;

	if (p == NULL || p->blob == NULL || p->table != table || p->version != table->version || p->op != call->op ||
		wants_compression(call) ||
		!mcw_view_eq((mcw_view) {p->request, p->request_len}, call->body))
		return false;
	if (!ots_use_capacity((ots_table *) table, p->units, 0, call->req->now_us, &call->fault))
		return true;			/* the answer is the refusal */
	call->blob = p->blob;
	memcpy(call->blob_md5, p->md5, sizeof(p->md5));
	return true;
}

/* The answer in call->out becomes a page if there is room */
void
ots_page_keep(ots_call *call, const ots_table *table, int32_t units)
{
	page	   *p;
	size_t		len = call->out->len;
	unsigned char digest[16];
	mcw_buf		text;

	if ((int64_t) len > ots_set.cache_bytes / 4 || table->ttl >= 0 || wants_compression(call) || call->out->failed)
		return;
	if (pages == NULL)
	{
		pages = emu_malloc(SLOTS * sizeof(page));
		memset(pages, 0, SLOTS * sizeof(page));
	}
	p = &pages[slot_of(table, call->body)];
	drop(p);
	for (int i = 0; i < SLOTS && kept_bytes + (int64_t) len > ots_set.cache_bytes; i++)
		drop(&pages[clock_hand++ % SLOTS]);
	if (mcw_md5(call->out->data, len, digest) != MCW_OK)
		emu_oom();
	mcw_buf_init(&text, &mcw_malloc, 64);
	if (mcw_base64_encode(&text, (mcw_view) {(char *) digest, 16}) != MCW_OK)
		emu_oom();
	snprintf(p->md5, sizeof(p->md5), "%s", mcw_buf_cstr(&text));
	mcw_buf_free(&text);
	p->table = table;
	p->version = table->version;
	p->op = call->op;
	p->request = emu_strdup(call->body);
	p->request_len = call->body.len;
	/* the buffer itself moves into the page */
	p->blob = emu_blob_take(emu_realloc(call->out->data, len), len);
	mcw_buf_init(call->out, &mcw_malloc, call->out->max);
	p->units = units;
	kept_bytes += (int64_t) (len + p->request_len);
	call->blob = p->blob;
	memcpy(call->blob_md5, p->md5, sizeof(p->md5));
}
