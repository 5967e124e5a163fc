/*
 * unit.h
 *		The unit test framework: named cases, checks that count, an allocator that
 *		fails on request, a seeded random generator and file helpers.
 *
 * A test program lists its cases in an array and ends with UNIT_MAIN(cases).
 * Checks print file, line and case when they fail and go on.
 * Programs run in the top directory of the source tree.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdio.h>
#include <stdlib.h>

#include "../../src/wire/mcw.h"

#define UNIT_VECTORS "test/data/vectors/"

typedef struct unit_case
{
	const char *name;
	void		(*run) (void);
} unit_case;

static const char *unit_current = "";
static unsigned long unit_passed;
static unsigned long unit_failed;

static inline bool
unit_check(bool ok, const char *file, int line, const char *what)
{
	if (ok)
		unit_passed++;
	else
	{
		unit_failed++;
		printf("%s:%d: %s: failed: %s\n", file, line, unit_current, what);
	}
	return ok;
}

static inline bool
unit_check_int(long long got, long long want, const char *file, int line, const char *what)
{
	bool		ok = unit_check(got == want, file, line, what);

	if (!ok)
		printf("    got %lld, want %lld\n", got, want);
	return ok;
}

static inline bool
unit_check_view(mcw_view got, mcw_view want, const char *file, int line, const char *what)
{
	bool		ok = unit_check(mcw_view_eq(got, want), file, line, what);

	if (!ok)
		printf("    got  (%zu) %.*s\n    want (%zu) %.*s\n",
			   got.len, (int) (got.len < 2000 ? got.len : 2000), got.data ? got.data : "",
			   want.len, (int) (want.len < 2000 ? want.len : 2000), want.data ? want.data : "");
	return ok;
}

/* All checks yield whether they passed. */
#define CHECK(cond) unit_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_INT(got, want) \
	unit_check_int((long long) (got), (long long) (want), __FILE__, __LINE__, #got " == " #want)
#define CHECK_VIEW(got, want) unit_check_view((got), (want), __FILE__, __LINE__, #got " == " #want)
#define CHECK_STR(got, want) CHECK_VIEW(mcw_str(got), mcw_str(want))
#define CHECK_OK(status) CHECK_INT((status), MCW_OK)

static inline int
unit_run(const char *file, const unit_case *cases, size_t ncases)
{
	const char *base = strrchr(file, '/');
	const char *name = base ? base + 1 : file;

	for (size_t i = 0; i < ncases; i++)
	{
		unit_current = cases[i].name;
		cases[i].run();
	}
	printf("%.*s: %lu passed, %lu failed\n", (int) strcspn(name, "."), name, unit_passed, unit_failed);
	return unit_failed == 0 ? 0 : 1;
}

#define UNIT_MAIN(cases) \
	int \
	main(void) \
	{ \
		return unit_run(__FILE__, cases, sizeof(cases) / sizeof(cases[0])); \
	}

/*
 * An allocator that knows what is outstanding and fails at call 'fail_at'
 * (counted from 1; 0 = never).  It checks the sizes it is told.
 */
typedef struct unit_heap
{
	mcw_alloc	alloc;
	unsigned long calls;
	unsigned long fail_at;
	size_t		outstanding;	/* bytes */
	size_t		peak;
} unit_heap;

static inline void *
unit_heap_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
	unit_heap  *heap = ctx;
	size_t	   *block = ptr ? (size_t *) ptr - 2 : NULL;

	if (block && block[0] != old_size)
		unit_check(false, __FILE__, __LINE__, "old_size is the size of the block");
	if (new_size == 0)
	{
		if (block)
			heap->outstanding -= block[0];
		free(block);
		return NULL;
	}
	if (++heap->calls == heap->fail_at)
		return NULL;
	if (block)
		heap->outstanding -= block[0];
	block = realloc(block, new_size + 2 * sizeof(size_t));
	if (!block)
		abort();
	block[0] = new_size;
	heap->outstanding += new_size;
	if (heap->outstanding > heap->peak)
		heap->peak = heap->outstanding;
	return block + 2;
}

static inline void
unit_heap_init(unit_heap *heap, unsigned long fail_at)
{
	memset(heap, 0, sizeof(*heap));
	heap->alloc.resize = unit_heap_resize;
	heap->alloc.ctx = heap;
	heap->fail_at = fail_at;
}

/*
 * Run 'attempt' with the first, second, ... allocation failing until one run
 * needs fewer.  'attempt' frees all it made and returns its status, which must
 * be MCW_ERR_NOMEM exactly when an allocation failed.
 */
static inline void
unit_torture(mcw_status (*attempt) (const mcw_alloc *alloc, void *arg), void *arg)
{
	for (unsigned long n = 1;; n++)
	{
		unit_heap	heap;
		mcw_status	status;

		unit_heap_init(&heap, n);
		status = attempt(&heap.alloc, arg);
		CHECK_INT(heap.outstanding, 0);
		if (heap.calls < n)
		{
			CHECK_OK(status);
			CHECK(n > 1);
			return;
		}
		if (!CHECK_INT(status, MCW_ERR_NOMEM) || n > 100000)
			return;
	}
}

/* xorshift64*: the same numbers on every run */
typedef struct unit_random
{
	uint64_t	state;
} unit_random;

static inline uint64_t
unit_next(unit_random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * UINT64_C(2685821657736338717);
}

/* 0 .. bound - 1 */
static inline size_t
unit_below(unit_random *r, size_t bound)
{
	return (size_t) (unit_next(r) >> 11) % bound;
}

/* Fill with bytes of an alphabet of 'symbols' values (256 = incompressible) */
static inline void
unit_fill(unit_random *r, char *data, size_t len, unsigned symbols)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (char) ((unit_next(r) >> 32) % symbols);
}

/* A whole file, NUL-terminated; exits when it cannot be read */
static inline char *
unit_read_file(const char *path, size_t *len)
{
	FILE	   *file = fopen(path, "rb");
	size_t		cap = 1 << 16;
	size_t		used = 0;
	char	   *data = malloc(cap);

	if (!file || !data)
	{
		perror(path);
		exit(2);
	}
	while ((used += fread(data + used, 1, cap - used, file)) == cap)
	{
		cap *= 2;
		if (!(data = realloc(data, cap)))
			abort();
	}
	fclose(file);
	data[used] = '\0';
	if (len)
		*len = used;
	return data;
}

#endif							/* UNIT_H */
