/*
 * mcw.h
 *		Ground floor of the wire layer: status codes, the error record, allocator,
 *		bounded buffer, views.
 *
 * Nothing in src/wire includes a PostgreSQL header, performs I/O, reads the
 * clock, the environment or random numbers, or keeps globals that change.
 * Everything that is needed from outside (time, nonce, credentials, memory) is
 * an argument.  A function that can fail returns mcw_status and fills a
 * caller-owned mcw_error.
 */
#ifndef MCW_H
#define MCW_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MCW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MCW_MUST_CHECK __attribute__((warn_unused_result))
#define mcw_likely(x) __builtin_expect(!!(x), 1)
#define mcw_unlikely(x) __builtin_expect(!!(x), 0)

typedef enum mcw_status
{
	MCW_OK = 0,
	MCW_END,					/* nothing more: no row, page, group, ... */

	/* raised by wire */
	MCW_ERR_NOMEM,
	MCW_ERR_LIMIT,				/* a length or count above its hard maximum */
	MCW_ERR_FORMAT,				/* malformed bytes */
	MCW_ERR_CHECKSUM,			/* well-formed bytes with a wrong CRC or count */
	MCW_ERR_RANGE,				/* a value does not fit the remote type */
	MCW_ERR_UNSUPPORTED,		/* a type, codec or feature nobody implements */
	MCW_ERR_ARGUMENT,			/* the caller asked for something meaningless */

	/* raised by net */
	MCW_ERR_INTERRUPTED,		/* cancel or terminate is pending */
	MCW_ERR_TIMEOUT,			/* connect, stall or total time limit */
	MCW_ERR_CONNECT,			/* name resolution, TCP, TLS, connection lost */
	MCW_ERR_DENIED,				/* address not allowed, scheme not allowed */

	/* raised by net and service from an answer of the service */
	MCW_ERR_SERVICE,			/* HTTP status and service code say why */
	MCW_ERR_PROTOCOL			/* an answer the protocol page does not allow */
} mcw_status;

/*
 * Filled by whoever fails first.  'message' says what failed in our words (lower
 * case, no trailing period, never a secret); 'code', 'text' and 'request_id' are
 * the service's own, empty if it did not answer.
 */
typedef struct mcw_error
{
	mcw_status	status;
	int			http_status;	/* 0 = no answer */
	uint64_t	offset;			/* byte position for MCW_ERR_FORMAT and kin */
	char		message[512];
	char		code[96];
	char		text[768];
	char		request_id[80];
	bool		of_credentials;	/* it kept temporary credentials from coming, before the request itself */
} mcw_error;

/* Set status and message, clear the rest; returns status.  'err' may be NULL. */
extern mcw_status mcw_fail(mcw_error *err, mcw_status status, const char *fmt, ...)
			MCW_PRINTF(3, 4);
extern const char *mcw_status_name(mcw_status status);

/*
 * One function does it all: new_size 0 frees, old pointer NULL allocates, else
 * moves.  Returns NULL on failure (old block untouched); must not longjmp.
 */
typedef struct mcw_alloc
{
	void	   *(*resize) (void *ctx, void *ptr, size_t old_size, size_t new_size);
	void	   *ctx;
} mcw_alloc;

extern const mcw_alloc mcw_malloc;	/* malloc / realloc / free */

static inline void *
mcw_new(const mcw_alloc *alloc, size_t size)
{
	return alloc->resize(alloc->ctx, NULL, 0, size);
}

extern void *mcw_new0(const mcw_alloc *alloc, size_t size);

static inline void
mcw_free(const mcw_alloc *alloc, void *ptr, size_t size)
{
	if (ptr)
		(void) alloc->resize(alloc->ctx, ptr, size, 0);
}

/* Bytes that belong to somebody else.  data NULL = absent, len 0 = empty. */
typedef struct mcw_view
{
	const char *data;
	size_t		len;
} mcw_view;

#define MCW_LIT(s) ((mcw_view) {("" s), sizeof(s) - 1})

static inline mcw_view
mcw_str(const char *s)
{
	mcw_view	v = {s, s ? strlen(s) : 0};

	return v;
}

static inline bool
mcw_view_eq(mcw_view a, mcw_view b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII case folded */
extern bool mcw_view_ieq(mcw_view a, mcw_view b);
/* byte order, shorter first: <0, 0, >0 */
extern int	mcw_view_cmp(mcw_view a, mcw_view b);
/* whole view as decimal integer; false on anything else or overflow */
extern bool mcw_view_int64(mcw_view v, int64_t *out);
extern bool mcw_view_uint64(mcw_view v, uint64_t *out);

/*
 * A growing byte buffer with a hard maximum given at birth.  After a failed
 * append the buffer keeps what it had and 'failed' is set, so that a series of
 * appends may be checked once.  The bytes are not NUL-terminated unless
 * mcw_buf_cstr is called.
 */
typedef struct mcw_buf
{
	char	   *data;
	size_t		len;
	size_t		cap;
	size_t		max;
	const mcw_alloc *alloc;
	bool		failed;
	mcw_status	failure;		/* of the first failed append; see mcw_buf_status */
} mcw_buf;

extern void mcw_buf_init(mcw_buf *buf, const mcw_alloc *alloc, size_t max);
extern void mcw_buf_free(mcw_buf *buf); /* back to the state after init */
static inline void
mcw_buf_reset(mcw_buf *buf)
{
	buf->len = 0;
	buf->failed = false;
}

/* MCW_OK, or why the first append that failed did: checks a series of appends */
static inline mcw_status
mcw_buf_status(const mcw_buf *buf)
{
	return buf->failed ? buf->failure : MCW_OK;
}

/* Make room for n more bytes: MCW_OK, MCW_ERR_LIMIT or MCW_ERR_NOMEM */
extern mcw_status mcw_buf_grow(mcw_buf *buf, size_t n);

static inline bool
mcw_buf_room(mcw_buf *buf, size_t n)
{
	return mcw_likely(buf->cap - buf->len >= n) || mcw_buf_grow(buf, n) == MCW_OK;
}

extern mcw_status mcw_buf_append(mcw_buf *buf, const void *data, size_t len);
extern mcw_status mcw_buf_append_view(mcw_buf *buf, mcw_view v);
extern mcw_status mcw_buf_append_str(mcw_buf *buf, const char *s);
extern mcw_status mcw_buf_append_char(mcw_buf *buf, char c);
extern mcw_status mcw_buf_printf(mcw_buf *buf, const char *fmt, ...) MCW_PRINTF(2, 3);
/* NUL-terminate without counting the NUL; NULL if that failed */
extern const char *mcw_buf_cstr(mcw_buf *buf);

static inline mcw_view
mcw_buf_view(const mcw_buf *buf)
{
	mcw_view	v = {buf->data ? buf->data : "", buf->len};

	return v;
}

/* Bump allocator over an mcw_alloc; everything is freed together. */
typedef struct mcw_arena
{
	const mcw_alloc *alloc;
	struct mcw_arena_block *blocks;
	size_t		used;			/* bytes handed out */
	size_t		max;			/* hard maximum of 'used' */
} mcw_arena;

extern void mcw_arena_init(mcw_arena *arena, const mcw_alloc *alloc, size_t max);
extern void *mcw_arena_new(mcw_arena *arena, size_t size);	/* 8-aligned, zeroed; NULL on failure */
extern mcw_status mcw_arena_copy(mcw_arena *arena, mcw_view v, mcw_view *out);	/* copy is NUL-terminated */
extern void mcw_arena_reset(mcw_arena *arena);	/* frees all blocks */

/* Why mcw_arena_new(arena, size) gave NULL: MCW_ERR_LIMIT or MCW_ERR_NOMEM */
static inline mcw_status
mcw_arena_why(const mcw_arena *arena, size_t size)
{
	size_t		left = arena->max - arena->used;

	return left < 8 || size > left - 7 ? MCW_ERR_LIMIT : MCW_ERR_NOMEM;
}

#endif							/* MCW_H */
