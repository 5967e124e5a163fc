/*
 * odps_cache.c
 *		mc-emulator, MaxCompute part: finished download bodies, least recently used
 *		first out, bounded in bytes.
 *
 * Keys name a content by its version, so an entry never goes stale.
 */
#include "odps.h"

#include <stdlib.h>

#define BUCKETS 1024

typedef struct entry
{
	char	   *key;
	emu_blob   *blob;
	struct entry *chain;		/* of the bucket */
	struct entry *newer;
	struct entry *older;
} entry;

static entry *buckets[BUCKETS];
static entry *newest;
static entry *oldest;
static size_t used;

static unsigned
bucket_of(const char *key)
{
	return mcw_crc32c(0, key, strlen(key)) % BUCKETS;
}

static void
unlink_entry(entry *e)
{
	if (e->newer)
		e->newer->older = e->older;
	else
		newest = e->older;
	if (e->older)
		e->older->newer = e->newer;
	else
		oldest = e->newer;
}

static void
link_newest(entry *e)
{
	e->newer = NULL;
	e->older = newest;
	if (newest)
		newest->newer = e;
	newest = e;
	if (!oldest)
		oldest = e;
}

static void
evict(entry *e)
{
	entry	  **p;

	for (p = &buckets[bucket_of(e->key)]; *p != e; p = &(*p)->chain)
		;
	*p = e->chain;
	unlink_entry(e);
	used -= e->blob->len;
	emu_blob_unref(e->blob);
	free(e->key);
	free(e);
}

emu_blob *
odps_cache_get(const char *key)
{
	for (entry *e = buckets[bucket_of(key)]; e; e = e->chain)
		if (strcmp(e->key, key) == 0)
		{
			unlink_entry(e);
			link_newest(e);
			odps_count.cache_hits++;
			return emu_blob_ref(e->blob);
		}
	odps_count.cache_misses++;
	return NULL;
}

void
odps_cache_put(const char *key, emu_blob *blob)
{
	unsigned	b = bucket_of(key);
	entry	   *e;

	if (blob->len > odps_set.cache_bytes / 2)
		return;
	while (oldest && used + blob->len > odps_set.cache_bytes)
		evict(oldest);
	e = emu_malloc(sizeof(*e));
	e->key = emu_strdup(mcw_str(key));
	e->blob = emu_blob_ref(blob);
	e->chain = buckets[b];
	buckets[b] = e;
	link_newest(e);
	used += blob->len;
}

void
odps_cache_clear(void)
{
	while (oldest)
		evict(oldest);
}

size_t
odps_cache_used(void)
{
	return used;
}
