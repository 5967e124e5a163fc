/*
 * emu.h
 *		mc-emulator: shared declarations.
 *
 * One process, one thread, one epoll loop.  The core (http.c, main.c, fault.c,
 * control.c, seed.c) reads requests and calls the service's handler with the whole
 * request; the handler fills the response at once.  Latency, faults and counters
 * are the core's business.  A handler never blocks.
 */
#ifndef EMU_H
#define EMU_H

#include <stdio.h>

#include "../../src/wire/mcw.h"
#include "../../src/wire/mcw_http.h"
#include "../../src/wire/mcw_text.h"
#include "../../src/wire/mcw_doc.h"

/* Refcounted immutable bytes: a page served many times is encoded once. */
typedef struct emu_blob
{
	char	   *data;
	size_t		len;
	int			refs;
} emu_blob;

extern emu_blob *emu_blob_take(char *malloced, size_t len);	/* takes ownership, refs 1 */
extern emu_blob *emu_blob_ref(emu_blob *blob);
extern void emu_blob_unref(emu_blob *blob);

typedef struct emu_request
{
	mcw_request http;			/* method, path (decoded, path_prefix empty), params (decoded), headers (all, in order) */
	mcw_view	raw_target;		/* as received (absolute-form reduced to origin-form) */
	mcw_view	raw_query;		/* undecoded, without "?" */
	mcw_view	host;			/* Host header or authority, with port, as received */
	mcw_view	body;			/* after de-chunking; content coding untouched */
	mcw_arena  *arena;			/* freed after the response was built */
	int64_t		now_us;			/* emulator clock, Unix microseconds */
	uint64_t	serial;			/* number of this request in the process */
	const struct emu_key *key;	/* set by the service once the signature was verified */
	struct emu_service *service;	/* whose port it came in by */
	const char *api;			/* what service->api said */
	char		client_ip[48];	/* peer address as text */
	bool		is_loopback;	/* peer is this machine */
} emu_request;

typedef struct emu_header
{
	char	   *name;			/* written exactly so; malloced by emu_header_add */
	char	   *value;
} emu_header;

typedef struct emu_response
{
	int			status;			/* 0 = handler did not answer: core sends 500 */
	emu_header	headers[64];
	int			nheaders;
	mcw_buf		body;			/* used if blob is NULL */
	emu_blob   *blob;			/* the response owns one reference */
	size_t		blob_off;		/* part of the blob to send, an offset within it */
	size_t		blob_len;		/* beyond the blob's end it begins anew: a large body of one block */
	bool		head_only;		/* HEAD: send headers with the length, no body */
} emu_response;

extern void emu_header_add(emu_response *resp, const char *name, const char *fmt, ...) MCW_PRINTF(3, 4);

typedef struct emu_key
{
	char		id[128];
	char		secret[256];
	char		token[1024];	/* empty = permanent key */
	bool		expired;		/* token expired: set by seed or fault */
	bool		disabled;
	int64_t		expires_us;		/* issued by the STS or metadata part: 0 = never; sets 'expired' */
} emu_key;

extern const emu_key *emu_find_key(mcw_view id);	/* from --access-key or issued; NULL = unknown */
/* A temporary key that every service accepts until it expires on the emulator's clock */
extern const emu_key *emu_issue_key(int64_t expires_us);
extern void emu_expire_issued(void);	/* all of them, now */
/* The n-th key ever issued that is still remembered; NULL = no more */
extern const emu_key *emu_issued_key(int n);

/* One of the services. */
typedef struct emu_service
{
	const char *name;			/* "loghub", "maxcompute" */
	int			default_port;
	void		(*init) (void);
	void		(*handle) (emu_request *req, emu_response *resp);
	/*
	 * One seed or control command of this service: a JSON object whose member "op"
	 * names it.  Returns false with a message in err.  The reply (JSON text) may be
	 * left empty.
	 */
	bool		(*command) (const mcw_node *cmd, mcw_buf *reply, mcw_error *err);
	/* An error answer in this service's shape, for faults of the core */
	void		(*error) (emu_request *req, emu_response *resp, int status, const char *code, const char *message);
	/* JSON object with the service's own counters and state, for GET /__mc/state */
	void		(*state) (mcw_buf *reply);
	/* Called about every 100 ms of real time and before each request: expiry, delayed effects */
	void		(*tick) (int64_t now_us);
	int			port;			/* actual, 0 = not started */
	/*
	 * Optional.  The API a request addresses ("PullLogs"): a static string, for the
	 * counters and the fault plan; called before handle, with path, params and
	 * headers set.  NULL result or callback: "other".
	 */
	const char *(*api) (const emu_request *req);
	/* Optional, for --data: write the whole state to a file, read it back at start */
	bool		(*save) (FILE *out);
	bool		(*load) (FILE *in, mcw_error *err);
	/* A chunked body may come with a Content-Length (one SDK of OSS); else it is refused */
	bool		both_lengths;
} emu_service;

/* Weak: the core links with whichever services are compiled in */
extern emu_service emu_loghub __attribute__((weak));
extern emu_service emu_maxcompute __attribute__((weak));
extern emu_service emu_tablestore __attribute__((weak));
extern emu_service emu_oss __attribute__((weak));
extern emu_service emu_sts __attribute__((weak));
extern emu_service emu_metadata __attribute__((weak));

/* Settings a command may change; see docs/emulator.md */
typedef struct emu_config
{
	bool		verify_signature;	/* default true */
	bool		check_clock;	/* default true */
	bool		enforce_rates;	/* request and session rates of the services, default true */
	const char *data_dir;		/* --data, NULL = memory only */
} emu_config;

extern emu_config emu_conf;
extern int64_t emu_now_us(void);	/* --clock or the system's, plus adjustments by control command */

/*
 * Facts of the fault plan that a handler must act on itself (the core does status,
 * reset, stall, truncate, delay and corrupt).  Returns true if the fault of that
 * kind is armed for this request; it is consumed.
 */
extern bool emu_fault_armed(const emu_request *req, const char *kind);
/* Integer member 'name' of the rule that emu_fault_armed consumed last, or 'missing' */
extern int64_t emu_fault_param(const char *name, int64_t missing);
/* Text member 'name' of that rule; data NULL = absent */
extern mcw_view emu_fault_text(const char *name);

/* Logging to stderr with --verbose; never a secret */
extern void emu_log(const char *fmt, ...) MCW_PRINTF(1, 2);
extern void emu_oom(void) __attribute__((noreturn));
extern void *emu_malloc(size_t n);	/* never NULL */
extern void *emu_realloc(void *p, size_t n);
extern char *emu_strdup(mcw_view v);

#endif							/* EMU_H */
