/*
 * util.c
 *		mc-emulator: memory that never fails, shared blobs, the clock, access keys,
 *		response headers.  No I/O except --verbose lines on stderr.
 */
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "core.h"

#define EMU_MAX_KEYS 64
#define EMU_MAX_ISSUED 4096	/* the oldest is forgotten then */

emu_config	emu_conf = {true, true, true, NULL};
bool		emu_verbose = false;

static emu_key keys[EMU_MAX_KEYS];
static int	nkeys = 0;
static emu_key *issued = NULL;
static uint64_t nissued = 0;

static bool clock_frozen = false;
static int64_t clock_value = 0; /* the frozen instant, or the distance to the system's */

void
emu_oom(void)
{
	fputs("mc-emulator: out of memory\n", stderr);
	abort();
}

void *
emu_malloc(size_t n)
{
	void	   *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		emu_oom();
	return p;
}

void *
emu_realloc(void *p, size_t n)
{
	p = realloc(p, n > 0 ? n : 1);
	if (p == NULL)
		emu_oom();
	return p;
}

char *
emu_strdup(mcw_view v)
{
	char	   *p = emu_malloc(v.len + 1);

	if (v.len > 0)
		memcpy(p, v.data, v.len);
	p[v.len] = '\0';
	return p;
}

emu_blob *
emu_blob_take(char *malloced, size_t len)
{
	emu_blob   *blob = emu_malloc(sizeof(emu_blob));

	blob->data = malloced;
	blob->len = len;
	blob->refs = 1;
	return blob;
}

emu_blob *
emu_blob_ref(emu_blob *blob)
{
	blob->refs++;
	return blob;
}

void
emu_blob_unref(emu_blob *blob)
{
	if (blob && --blob->refs == 0)
	{
		free(blob->data);
		free(blob);
	}
}

void
emu_response_init(emu_response *resp)
{
	memset(resp, 0, sizeof(*resp));
	mcw_buf_init(&resp->body, &mcw_malloc, (size_t) 1 << 31);
}

void
emu_response_free(emu_response *resp)
{
	for (int i = 0; i < resp->nheaders; i++)
	{
		free(resp->headers[i].name);
		free(resp->headers[i].value);
	}
	resp->nheaders = 0;
	mcw_buf_free(&resp->body);
	emu_blob_unref(resp->blob);
	/* a connection uses it again */
	resp->blob = NULL;
	resp->blob_off = resp->blob_len = 0;
	resp->head_only = false;
	resp->status = 0;
}

/* A header whose value would break the message framing is dropped byte by byte. */
void
emu_header_add(emu_response *resp, const char *name, const char *fmt,...)
{
	emu_header *header;
	va_list		ap;
	char	   *value;

	if (resp->nheaders >= (int) (sizeof(resp->headers) / sizeof(resp->headers[0])))
		return;
	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		emu_oom();
	va_end(ap);
	for (char *p = value; *p; p++)
		if (*p == '\r' || *p == '\n')
			*p = ' ';
	header = &resp->headers[resp->nheaders++];
	header->name = emu_strdup(mcw_str(name));
	header->value = value;
}

void
emu_log(const char *fmt,...)
{
	va_list		ap;

	if (!emu_verbose)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int64_t
emu_clock_real_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
emu_monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
emu_now_us(void)
{
	return clock_frozen ? clock_value : emu_clock_real_us() + clock_value;
}

void
emu_clock_freeze(int64_t unix_us)
{
	clock_frozen = true;
	clock_value = unix_us;
}

void
emu_clock_system(void)
{
	clock_frozen = false;
	clock_value = 0;
}

void
emu_clock_advance(int64_t us)
{
	clock_value += us;
}

bool
emu_clock_frozen(void)
{
	return clock_frozen;
}

bool
emu_parse_time(mcw_view v, int64_t *unix_us)
{
	char		text[64];
	char	   *end;
	double		seconds;
	int64_t		whole;

	if (mcw_view_int64(v, &whole))
	{
		if (whole > INT64_MAX / 1000000 || whole < INT64_MIN / 1000000)
			return false;
		*unix_us = whole * 1000000;
		return true;
	}
	if (mcw_parse_iso8601(v, unix_us))
		return true;
	if (mcw_parse_iso_basic(v, &whole))
	{
		*unix_us = whole * 1000000;
		return true;
	}
	if (v.len == 0 || v.len + 12 >= sizeof(text))
		return false;
	memcpy(text, v.data, v.len);
	strcpy(text + v.len, v.len == 10 ? "T00:00:00Z" : "Z");	/* no zone: UTC; a date: its midnight */
	if (mcw_parse_iso8601(mcw_str(text), unix_us))
		return true;
	text[v.len] = '\0';
	if (strspn(text, "0123456789.") != v.len)
		return false;
	seconds = strtod(text, &end);
	if (*end != '\0' || seconds > 1e12)
		return false;
	*unix_us = (int64_t) (seconds * 1e6 + 0.5);
	return true;
}

bool
emu_clock_command(const mcw_node *cmd, mcw_error *err)
{
	const mcw_node *system = mcw_node_get(cmd, "system");
	mcw_view	now = mcw_node_text(cmd, "now");
	mcw_view	advance = mcw_node_text(cmd, "advance_s");
	int64_t		us;

	if (system && system->kind == MCW_NODE_BOOL && system->boolean)
		emu_clock_system();
	else if (now.data && emu_parse_time(now, &us))
		emu_clock_freeze(us);
	else if (advance.data && advance.len < 40)
	{
		char		text[48];

		memcpy(text, advance.data, advance.len);
		text[advance.len] = '\0';
		emu_clock_advance((int64_t) (strtod(text, NULL) * 1e6));
	}
	else
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "clock wants \"now\": a time, \"advance_s\": seconds or \"system\": true");
		return false;
	}
	return true;
}

static bool
copy_field(char *dst, size_t size, mcw_view v)
{
	if (v.len >= size || (v.len > 0 && memchr(v.data, '\0', v.len)))
		return false;
	if (v.len > 0)
		memcpy(dst, v.data, v.len);
	dst[v.len] = '\0';
	return true;
}

bool
emu_add_key(mcw_view id, mcw_view secret, mcw_view token, mcw_error *err)
{
	emu_key		key = {0};
	emu_key    *slot = emu_key_for_update(id);

	if (id.len == 0 || secret.len == 0 ||
		!copy_field(key.id, sizeof(key.id), id) ||
		!copy_field(key.secret, sizeof(key.secret), secret) ||
		!copy_field(key.token, sizeof(key.token), token))
	{
		mcw_fail(err, MCW_ERR_ARGUMENT, "access key must be ID:SECRET or ID:SECRET:TOKEN of sensible length");
		return false;
	}
	if (slot == NULL)
	{
		if (nkeys == EMU_MAX_KEYS)
		{
			mcw_fail(err, MCW_ERR_LIMIT, "more than %d access keys", EMU_MAX_KEYS);
			return false;
		}
		slot = &keys[nkeys++];
	}
	*slot = key;
	return true;
}

emu_key *
emu_key_for_update(mcw_view id)
{
	for (int i = 0; i < nkeys; i++)
		if (mcw_view_eq(mcw_str(keys[i].id), id))
			return &keys[i];
	for (int i = 0; emu_issued_key(i) != NULL; i++)
		if (mcw_view_eq(mcw_str(issued[i].id), id))
		{
			issued[i].expired = emu_now_us() >= issued[i].expires_us;
			return &issued[i];
		}
	return NULL;
}

const emu_key *
emu_issued_key(int n)
{
	return (uint64_t) n < nissued && n < EMU_MAX_ISSUED ? &issued[n] : NULL;
}

void
emu_expire_issued(void)
{
	for (int i = 0; emu_issued_key(i) != NULL; i++)
		issued[i].expires_us = emu_now_us();
}

/* letters and digits nobody can guess, as in real ones */
static void
random_text(char *out, size_t len)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz012345678912";
	unsigned char bytes[256];

	if (getrandom(bytes, len, 0) != (ssize_t) len)
		abort();
	for (size_t i = 0; i < len; i++)
		out[i] = digits[bytes[i] & 63];
	out[len] = '\0';
}

const emu_key *
emu_issue_key(int64_t expires_us)
{
	emu_key    *key;

	if (issued == NULL)
		issued = emu_malloc(EMU_MAX_ISSUED * sizeof(*issued));
	key = &issued[nissued++ % EMU_MAX_ISSUED];
	memset(key, 0, sizeof(*key));
	memcpy(key->id, "STS.", 5);
	random_text(key->id + 4, 24);
	random_text(key->secret, 44);
	memcpy(key->token, "CAIS", 5);
	random_text(key->token + 4, 200);
	key->expires_us = expires_us;
	return key;
}

const emu_key *
emu_find_key(mcw_view id)
{
	return emu_key_for_update(id);
}
