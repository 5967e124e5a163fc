/*
 * oss_model.h
 *		What the small OSS of oss_server.h holds and how it answers: objects, uploads,
 *		faults by request, error documents, the check of signatures.
 */
#ifndef OSS_MODEL_H
#define OSS_MODEL_H

#include "net_server.h"
#include "../../src/service/mcs_oss_write.h"

#define OSS_ID "LTAIid"
#define OSS_SECRET "secret+of/the=key"
#define OSS_BUCKET "bucket"
#define OSS_REGION "cn-hangzhou"
#define OSS_MAX_THINGS 2500
#define OSS_MAX_UPLOADS 8
#define OSS_MAX_PARTS 8

typedef enum oss_fault
{
	OSS_FINE,
	OSS_ERROR,					/* 'http', 'code'; nothing is done */
	OSS_DONE_ERROR,				/* done, then 'http', 'code' */
	OSS_RESET,					/* nothing is done */
	OSS_DONE_RESET,
	OSS_CUT,					/* connection closed in the middle of the body */
	OSS_FLIP,					/* a bit of the body */
	OSS_WRONG_CRC,
	OSS_WRONG_RANGE,			/* Content-Range one byte further */
	OSS_WHOLE,					/* 200 and all of it */
	OSS_OTHER_ETAG,
	OSS_NO_PROOF,				/* neither CRC-64 nor a token from here on */
	OSS_REPLACE,				/* first the object is replaced, of the same size */
	OSS_GROW,					/* ... by one that is a byte longer, under the same ETag */
	OSS_SHRINK,
	OSS_DELETE,					/* first the object is deleted */
	OSS_FOREIGN,				/* first somebody else puts an object there */
	OSS_DROP_UPLOAD,			/* first the upload is aborted */
	OSS_SAME_PAGE,				/* the list begins again at its start, with another token */
	OSS_SAME_TOKEN,
	OSS_BAD_XML,
	OSS_LOSE_PART				/* the list of parts misses the last one */
} oss_fault;

/* The 'times' first requests behind 'skip' ones whose "METHOD target" contains 'match' */
typedef struct oss_step
{
	const char *match;
	oss_fault	fault;
	int			skip;
	int			times;			/* 0 = 1 */
	int			http;
	const char *code;
} oss_step;

typedef struct oss_thing
{
	char	   *key;
	size_t		key_len;
	char	   *data;
	size_t		len;
	char		etag[64];
	int64_t		modified;
	char		token[64];
} oss_thing;

typedef struct oss_upload
{
	char		id[32];
	char		key[1024];
	char		token[64];
	char	   *data[OSS_MAX_PARTS];
	size_t		len[OSS_MAX_PARTS];
} oss_upload;

typedef struct oss_model
{
	/* how it is spoken to */
	bool		v4;
	bool		path_style;
	bool		anonymous;
	bool		plain;
	bool		no_ranges;		/* plain: each of them */
	bool		no_head;
	bool		no_length;
	bool		no_etag;
	bool		weak_etag;
	bool		no_modified;
	const char *sts;
	int64_t		skew;			/* seconds our clock is ahead */
	int			page;			/* entries of a list page */
	int			delay_us;
	const oss_step *steps;
	int			nsteps;
	/* state */
	pthread_mutex_t lock;
	oss_thing	things[OSS_MAX_THINGS];
	int			nthings;
	oss_upload	uploads[OSS_MAX_UPLOADS];
	int			nuploads;
	int			version;
	int			seen[64];		/* by step */
	bool		no_proof;
	/* seen */
	int			requests;
	int			bad_signatures;
	int			in_flight;
	int			max_in_flight;
	char		head[8192];		/* of the last request */
	char		log[65536];		/* "METHOD target", one a line */
} oss_model;

typedef struct oss_asked
{
	mcw_request http;
	mcw_view	key;
	mcw_view	body;
	const oss_step *step;
	oss_fault	fault;
	mcw_arena	arena;
} oss_asked;

static inline int
oss_cmp_key(const void *a, const void *b)
{
	const oss_thing *x = a;
	const oss_thing *y = b;

	return mcw_view_cmp((mcw_view) {x->key, x->key_len}, (mcw_view) {y->key, y->key_len});
}

static inline oss_thing *
oss_find(oss_model *model, mcw_view key)
{
	for (int i = 0; i < model->nthings; i++)
		if (mcw_view_eq((mcw_view) {model->things[i].key, model->things[i].key_len}, key))
			return &model->things[i];
	return NULL;
}

static inline void
oss_md5_hex(const char *data, size_t len, char out[33])
{
	unsigned char md5[16];

	(void) mcw_md5(data, len, md5);
	for (int i = 0; i < 16; i++)
		sprintf(out + i * 2, "%02X", md5[i]);
}

static inline oss_thing *
oss_put(oss_model *model, mcw_view key, const char *data, size_t len)
{
	oss_thing  *thing = oss_find(model, key);

	if (thing == NULL)
	{
		if (model->nthings == OSS_MAX_THINGS)
			abort();
		thing = &model->things[model->nthings++];
		memset(thing, 0, sizeof(*thing));
		thing->key = malloc(key.len + 1);
		memcpy(thing->key, key.data, key.len);
		thing->key_len = key.len;
	}
	free(thing->data);
	thing->data = malloc(len + 1);
	if (len > 0)
		memcpy(thing->data, data, len);
	thing->len = len;
	thing->token[0] = '\0';
	thing->modified = 1700000000 + ++model->version;
	oss_md5_hex(data, len, thing->etag);
	return thing;
}

static inline void
oss_remove(oss_model *model, mcw_view key)
{
	oss_thing  *thing = oss_find(model, key);

	if (thing == NULL)
		return;
	free(thing->key);
	free(thing->data);
	*thing = model->things[--model->nthings];
}

/* ---- answers ---- */

static inline bool
oss_send(net_conn *c, oss_model *model, oss_asked *asked, int http, const char *headers, const char *body, size_t len)
{
	bool		head = mcw_view_eq(asked->http.method, MCW_LIT("HEAD"));
	bool		chunked = model->plain && model->no_length && http == 200;
	bool		cut = asked->fault == OSS_CUT;
	char		date[40];
	char		length[64];

	mcw_http_date(mcn_unix_us() / 1000000 + model->skew, date);
	(void) snprintf(length, sizeof(length), chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: %zu\r\n", len);
	if (!net_sendf(c, "HTTP/1.1 %d Word\r\nDate: %s\r\nx-oss-request-id: request-1\r\n%s%s\r\n", http, date, length, headers))
		return false;
	if (head)
		return true;
	if (cut && chunked)
		(void) net_sendf(c, "%zx\r\n", len);
	if (cut)
	{
		(void) net_send(c, body, len / 2);
		return false;
	}
	if (chunked)
		return (len == 0 || (net_sendf(c, "%zx\r\n", len) && net_send(c, body, len) && net_sendf(c, "\r\n"))) &&
			net_sendf(c, "0\r\n\r\n");
	return net_send(c, body, len);
}

static inline bool
oss_refuse(net_conn *c, oss_model *model, oss_asked *asked, int http, const char *code)
{
	char		body[2000];
	char		headers[4000] = "x-oss-ec: 0026-00000001\r\n";
	char		iso[20];
	mcw_buf		buf;

	mcw_iso_basic(mcn_unix_us() / 1000000 + model->skew, iso);
	(void) snprintf(body, sizeof(body), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>Text of %s.</Message>"
					"<RequestId>request-2</RequestId><ServerTime>%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.000Z</ServerTime>%s</Error>", code, code,
					iso, iso + 4, iso + 6, iso + 9, iso + 11, iso + 13,
					strcmp(code, "AccessDenied") == 0 ? "<Endpoint>oss-cn-beijing.aliyuncs.com</Endpoint>" : "");
	if (model->plain)
		return oss_send(c, model, asked, http, http / 100 == 3 ? "Location: http://elsewhere/\r\n" : "", "<html>no</html>", 15);
	mcw_buf_init(&buf, &mcw_malloc, 4000);
	(void) mcw_base64_encode(&buf, mcw_str(body));
	(void) snprintf(headers + strlen(headers), 3500, "x-oss-err: %.*s\r\n", (int) buf.len, buf.data);
	mcw_buf_free(&buf);
	if (!mcw_view_eq(asked->http.method, MCW_LIT("HEAD")))
		headers[strlen("x-oss-ec: 0026-00000001\r\n")] = '\0';
	return oss_send(c, model, asked, http, headers, body, strlen(body));
}

/* ---- signatures ---- */

static inline bool
oss_authentic(oss_model *model, oss_asked *asked)
{
	mcw_credentials cred = {MCW_LIT(OSS_ID), MCW_LIT(OSS_SECRET), {NULL, 0}};
	mcw_view	given = mcw_request_get_header(&asked->http, MCW_LIT("Authorization"));
	mcw_view	resource = model->path_style ? MCW_LIT("") : MCW_LIT("/" OSS_BUCKET);
	mcw_view	sts = mcw_request_get_header(&asked->http, MCW_LIT("x-oss-security-token"));
	mcw_buf		ours;
	mcw_error	err;
	bool		ok;

	if (model->anonymous || model->plain)
		return given.data == NULL && sts.data == NULL;
	mcw_buf_init(&ours, &mcw_malloc, 10000);
	if (model->v4)
		(void) mcw_oss_sign_v4(&asked->http, resource, &cred, MCW_LIT(OSS_REGION), MCW_LIT(""), false, &ours, NULL, NULL, &err);
	else
		(void) mcw_oss_sign_v1(&asked->http, resource, &cred, &ours, NULL, &err);
	ok = mcw_view_eq(given, mcw_buf_view(&ours)) && mcw_view_eq(sts, mcw_str(model->sts ? model->sts : ""));
	mcw_buf_free(&ours);
	return ok;
}

static inline int64_t
oss_time_of(const oss_asked *asked)
{
	mcw_view	iso = mcw_request_get_header(&asked->http, MCW_LIT("x-oss-date"));
	int64_t		seconds = 0;

	if (iso.data == NULL || !mcw_parse_iso_basic(iso, &seconds))
		(void) mcw_parse_http_date(mcw_request_get_header(&asked->http, MCW_LIT("Date")), &seconds);
	return seconds;
}

#endif							/* OSS_MODEL_H */
