/*
 * mcw.c
 *		Ground floor of the wire layer: errors, views, bounded buffer, arena.
 *
 * Sizes are checked before they are added or rounded, so that a hostile length
 * meets MCW_ERR_LIMIT and never wraps around.
 */
#include "mcw.h"

#include <stdio.h>
#include <stdlib.h>

#define BUF_FIRST_CAP 256
#define ARENA_FIRST_BLOCK 4096
#define ARENA_LAST_BLOCK ((size_t) 1 << 20)

/* ---- errors ---- */

mcw_status
mcw_fail(mcw_error *err, mcw_status status, const char *fmt, ...)
{
	va_list		args;

	if (!err)
		return status;

	err->status = status;
	err->http_status = 0;
	err->offset = 0;
	err->code[0] = '\0';
	err->text[0] = '\0';
	err->request_id[0] = '\0';
	err->of_credentials = false;
	va_start(args, fmt);
	(void) vsnprintf(err->message, sizeof(err->message), fmt, args);
	va_end(args);
	return status;
}

const char *
mcw_status_name(mcw_status status)
{
	switch (status)
	{
		case MCW_OK:
			return "ok";
		case MCW_END:
			return "end of data";
		case MCW_ERR_NOMEM:
			return "out of memory";
		case MCW_ERR_LIMIT:
			return "limit exceeded";
		case MCW_ERR_FORMAT:
			return "malformed data";
		case MCW_ERR_CHECKSUM:
			return "checksum mismatch";
		case MCW_ERR_RANGE:
			return "value out of range";
		case MCW_ERR_UNSUPPORTED:
			return "not supported";
		case MCW_ERR_ARGUMENT:
			return "invalid argument";
		case MCW_ERR_INTERRUPTED:
			return "interrupted";
		case MCW_ERR_TIMEOUT:
			return "timed out";
		case MCW_ERR_CONNECT:
			return "connection failed";
		case MCW_ERR_DENIED:
			return "address not allowed";
		case MCW_ERR_SERVICE:
			return "refused by the service";
		case MCW_ERR_PROTOCOL:
			return "protocol violation";
	}
	return "unknown status";
}

/* ---- memory ---- */

static void *
malloc_resize(void *ctx, void *ptr, size_t old_size, size_t new_size)
{
	if (new_size == 0)
	{
		free(ptr);
		return NULL;
	}
	return realloc(ptr, new_size);
}

const mcw_alloc mcw_malloc = {malloc_resize, NULL};

void *
mcw_new0(const mcw_alloc *alloc, size_t size)
{
	void	   *ptr = mcw_new(alloc, size);

	if (ptr)
		memset(ptr, 0, size);
	return ptr;
}

/* ---- views ---- */

static inline unsigned char
fold(char c)
{
	return (c >= 'A' && c <= 'Z') ? (unsigned char) (c + ('a' - 'A')) : (unsigned char) c;
}

bool
mcw_view_ieq(mcw_view a, mcw_view b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
	{
		if (fold(a.data[i]) != fold(b.data[i]))
			return false;
	}
	return true;
}

int
mcw_view_cmp(mcw_view a, mcw_view b)
{
	size_t		common = a.len < b.len ? a.len : b.len;
	int			order = common ? memcmp(a.data, b.data, common) : 0;

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool
mcw_view_uint64(mcw_view v, uint64_t *out)
{
	uint64_t	value = 0;

	if (v.len == 0)
		return false;
	for (size_t i = 0; i < v.len; i++)
	{
		unsigned	digit = (unsigned) v.data[i] - '0';

		if (digit > 9 ||
			__builtin_mul_overflow(value, (uint64_t) 10, &value) ||
			__builtin_add_overflow(value, (uint64_t) digit, &value))
			return false;
	}
	*out = value;
	return true;
}

bool
mcw_view_int64(mcw_view v, int64_t *out)
{
	bool		negative = v.len > 0 && v.data[0] == '-';
	uint64_t	magnitude;

	if (negative)
	{
		v.data++;
		v.len--;
	}
	if (!mcw_view_uint64(v, &magnitude) || magnitude > (uint64_t) INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t) (0 - magnitude) : (int64_t) magnitude;
	return true;
}

/* ---- buffer ---- */

void
mcw_buf_init(mcw_buf *buf, const mcw_alloc *alloc, size_t max)
{
	memset(buf, 0, sizeof(*buf));
	buf->alloc = alloc;
	buf->max = max;
}

void
mcw_buf_free(mcw_buf *buf)
{
	mcw_free(buf->alloc, buf->data, buf->cap);
	mcw_buf_init(buf, buf->alloc, buf->max);
}

static mcw_status
buf_fail(mcw_buf *buf, mcw_status status)
{
	if (!buf->failed)
		buf->failure = status;
	buf->failed = true;
	return status;
}

mcw_status
mcw_buf_grow(mcw_buf *buf, size_t n)
{
	size_t		need;
	size_t		cap;
	char	   *data;

	if (n > buf->max || buf->len > buf->max - n)
		return buf_fail(buf, MCW_ERR_LIMIT);
	need = buf->len + n;
	if (need <= buf->cap)
		return MCW_OK;

	/* double, but never allocate past the maximum */
	cap = buf->cap > BUF_FIRST_CAP / 2 ? buf->cap : BUF_FIRST_CAP / 2;
	cap = cap > buf->max / 2 ? buf->max : cap * 2;
	if (cap < need)
		cap = need;

	data = buf->alloc->resize(buf->alloc->ctx, buf->data, buf->cap, cap);
	if (!data)
		return buf_fail(buf, MCW_ERR_NOMEM);
	buf->data = data;
	buf->cap = cap;
	return MCW_OK;
}

mcw_status
mcw_buf_append(mcw_buf *buf, const void *data, size_t len)
{
	if (len == 0)
		return MCW_OK;
	if (mcw_unlikely(buf->cap - buf->len < len))
	{
		mcw_status	status = mcw_buf_grow(buf, len);

		if (status != MCW_OK)
			return status;
	}
	memcpy(buf->data + buf->len, data, len);
	buf->len += len;
	return MCW_OK;
}

mcw_status
mcw_buf_append_view(mcw_buf *buf, mcw_view v)
{
	return mcw_buf_append(buf, v.data, v.len);
}

mcw_status
mcw_buf_append_str(mcw_buf *buf, const char *s)
{
	return mcw_buf_append(buf, s, strlen(s));
}

mcw_status
mcw_buf_append_char(mcw_buf *buf, char c)
{
	return mcw_buf_append(buf, &c, 1);
}

mcw_status
mcw_buf_printf(mcw_buf *buf, const char *fmt, ...)
{
	va_list		args;
	int			need;
	mcw_status	status;

	va_start(args, fmt);
	need = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (need < 0)
		return buf_fail(buf, MCW_ERR_ARGUMENT);

	/* vsnprintf writes a NUL too, which takes room but does not count */
	status = mcw_buf_grow(buf, (size_t) need + 1);
	if (status != MCW_OK)
		return status;
	va_start(args, fmt);
	(void) vsnprintf(buf->data + buf->len, (size_t) need + 1, fmt, args);
	va_end(args);
	buf->len += (size_t) need;
	return MCW_OK;
}

const char *
mcw_buf_cstr(mcw_buf *buf)
{
	if (!mcw_buf_room(buf, 1))
		return NULL;
	buf->data[buf->len] = '\0';
	return buf->data;
}

/* ---- arena ---- */

typedef struct mcw_arena_block
{
	struct mcw_arena_block *next;
	size_t		size;			/* of the whole block */
	size_t		used;			/* including this header */
} mcw_arena_block;

void
mcw_arena_init(mcw_arena *arena, const mcw_alloc *alloc, size_t max)
{
	memset(arena, 0, sizeof(*arena));
	arena->alloc = alloc;
	arena->max = max;
}

/*
 * Blocks double from 4 kB to 1 MB; a larger request gets a block of its own
 * size.  The space left in an older block is given up.
 */
static mcw_arena_block *
arena_add_block(mcw_arena *arena, size_t size)
{
	size_t		block_size = ARENA_FIRST_BLOCK;
	mcw_arena_block *block;

	if (arena->blocks)
	{
		block_size = arena->blocks->size < ARENA_LAST_BLOCK ? arena->blocks->size * 2 : ARENA_LAST_BLOCK;
		if (block_size > ARENA_LAST_BLOCK)
			block_size = ARENA_LAST_BLOCK;
	}
	if (block_size < sizeof(mcw_arena_block) + size)
		block_size = sizeof(mcw_arena_block) + size;

	block = mcw_new(arena->alloc, block_size);
	if (!block)
		return NULL;
	block->next = arena->blocks;
	block->size = block_size;
	block->used = sizeof(mcw_arena_block);
	arena->blocks = block;
	return block;
}

void *
mcw_arena_new(mcw_arena *arena, size_t size)
{
	mcw_arena_block *block = arena->blocks;
	void	   *ptr;

	if (size > arena->max - arena->used || size > SIZE_MAX / 2)
		return NULL;
	size = (size + 7) & ~(size_t) 7;
	if (size > arena->max - arena->used)
		return NULL;

	if (!block || block->size - block->used < size)
	{
		block = arena_add_block(arena, size);
		if (!block)
			return NULL;
	}
	ptr = (char *) block + block->used;
	block->used += size;
	arena->used += size;
	memset(ptr, 0, size);
	return ptr;
}

mcw_status
mcw_arena_copy(mcw_arena *arena, mcw_view v, mcw_view *out)
{
	char	   *copy;

	if (v.len >= arena->max - arena->used)
		return MCW_ERR_LIMIT;
	copy = mcw_arena_new(arena, v.len + 1);
	if (!copy)
		return arena->max - arena->used < v.len + 8 ? MCW_ERR_LIMIT : MCW_ERR_NOMEM;
	if (v.len > 0)
		memcpy(copy, v.data, v.len);
	out->data = copy;
	out->len = v.len;
	return MCW_OK;
}

void
mcw_arena_reset(mcw_arena *arena)
{
	while (arena->blocks)
	{
		mcw_arena_block *block = arena->blocks;

		arena->blocks = block->next;
		mcw_free(arena->alloc, block, block->size);
	}
	arena->used = 0;
}
