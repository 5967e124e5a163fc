/*
 * ots_server.h
 *		A small Tablestore for unit tests: one table in memory behind net_server.h,
 *		with signatures checked and given, pages of a chosen size, hidden rows, split
 *		points and faults by request.
 *
 * It is no emulator: it knows only what the read side asks for.
 */
#ifndef OTS_SERVER_H
#define OTS_SERVER_H

#include "net_server.h"
#include "../../src/service/mcs_ots.h"
#include "../../src/wire/mcw_pb.h"
#include "../../src/wire/mcw_sign.h"

#define OTS_ID "LTAIid"
#define OTS_SECRET "secret+of/the=key"
#define OTS_INSTANCE "inst"
#define OTS_REGION "cn-hangzhou"
#define OTS_TABLE "t"

typedef enum ots_fault
{
	OTS_FINE,
	OTS_ERROR,					/* 'http', 'code', 'message' */
	OTS_NO_AUTH,
	OTS_BAD_AUTH,
	OTS_OTHER_ID,
	OTS_NO_MD5,
	OTS_DAMAGED,				/* a byte of the body changed after MD5 and signature */
	OTS_FLIPPED,				/* only bit number 'rows' of it */
	OTS_CUT_MESSAGE,			/* half a message, with MD5 and signature of the half */
	OTS_HEADER_CHANGED,			/* x-ots-requestid after the signature */
	OTS_RESET,
	OTS_NEXT_SAME,				/* a page whose next key is the begin asked for, ... */
	OTS_NEXT_BACK,				/* ... before it */
	OTS_NEXT_END,				/* ... the end */
	OTS_NEXT_BEYOND,			/* ... behind the end */
	OTS_NEXT_OTHER,				/* ... not a key of the table */
	OTS_HTML,					/* 200 and a web page */
	OTS_ROW_ERROR				/* rows of BatchGetRow fail with 'code', 'message': the first 'rows' of them */
} ots_fault;

typedef struct ots_step
{
	ots_fault	fault;
	int			http;
	const char *code;
	const char *message;
	int			rows;
} ots_step;

typedef struct ots_model
{
	mcw_ots_schema schema;
	const mcw_ots_key *keys;	/* of the rows, ascending */
	const bool *hidden;			/* by a filter; NULL = none */
	int			nrows;
	int			page_rows;		/* scanned, then the page ends */
	size_t		padding;		/* bytes of column "pad" */
	const mcw_ots_key *points;	/* n less than the schema's: a prefix */
	int			npoints;
	int			huge_splits;	/* answers with split points that are too large */
	const char *sts;			/* security token expected */
	int64_t		skew;			/* seconds our clock is ahead */
	bool		always_skewed;
	int			delay_us;
	const ots_step *steps;		/* by number of the request, then fine */
	int			nsteps;
	const char *only;			/* steps count requests of this operation */
	/* seen */
	pthread_mutex_t lock;
	int			requests;
	int			counted;
	int			flipped;
	int			ranges;
	int			splits;
	int			batches;
	int			rows_asked;		/* keys in BatchGetRow and GetRow */
	int			gets;
	int			in_flight;
	int			max_in_flight;
	int			max_limit;
	char		head[8192];		/* of the last request */
} ots_model;

typedef struct ots_asked
{
	char		operation[40];
	mcw_request http;
	mcw_view	body;
	char		secret[128];	/* to sign the answer with */
	size_t		secret_len;
	bool		known;			/* the signature was right */
} ots_asked;

static inline void
ots_put_error(mcw_buf *out, const char *code, const char *message)
{
	mcw_pb_put_bytes(out, 1, mcw_str(code));
	mcw_pb_put_bytes(out, 2, mcw_str(message));
}

/* field 'number': ConsumedCapacity */
static inline void
ots_put_consumed(mcw_buf *out, uint32_t number, int read)
{
	size_t		outer = mcw_pb_begin(out, number);
	size_t		inner = mcw_pb_begin(out, 1);

	mcw_pb_put_uint(out, 1, read);
	mcw_pb_put_uint(out, 2, 0);
	mcw_pb_end(out, inner);
	mcw_pb_end(out, outer);
}

/* Header lines into http; the strings stay in 'head', which is cut up */
static inline void
ots_parse_head(char *head, ots_asked *asked)
{
	char	   *line = strstr(head, "\r\n");

	char	   *last = head;

	/* an endpoint's own prefix is not part of what is signed */
	for (char *p = head; *p && *p != '\r'; p++)
		if (*p == '/' && p[1] != '1')
			last = p;
	(void) sscanf(last, "/%39[A-Za-z]", asked->operation);
	memset(&asked->http, 0, sizeof(asked->http));
	asked->http.method = MCW_LIT("POST");
	while (line && line[2] != '\r')
	{
		char	   *end = strstr(line + 2, "\r\n");
		char	   *colon = strchr(line + 2, ':');

		*end = '\0';
		*colon = '\0';
		(void) mcw_request_header(&asked->http, mcw_str(line + 2), mcw_str(colon + 2));
		line = end;
	}
}

static inline bool
ots_authentic(ots_model *model, ots_asked *asked, char *path)
{
	mcw_view	v2 = mcw_request_get_header(&asked->http, MCW_LIT("x-ots-signature"));
	mcw_view	v4 = mcw_request_get_header(&asked->http, MCW_LIT("x-ots-signaturev4"));
	mcw_view	sts = mcw_request_get_header(&asked->http, MCW_LIT("x-ots-ststoken"));
	mcw_view	secret = MCW_LIT(OTS_SECRET);
	unsigned char md5[16];
	mcw_buf		ours;
	mcw_buf		key;
	mcw_error	err;
	bool		ok;

	mcw_buf_init(&ours, &mcw_malloc, 1000);
	mcw_buf_init(&key, &mcw_malloc, 1000);
	asked->http.path = mcw_str(path);
	if (v4.data)
	{
		(void) mcw_ots_v4_key(secret, mcw_request_get_header(&asked->http, MCW_LIT("x-ots-signdate")),
							  MCW_LIT(OTS_REGION), &key, &err);
		secret = mcw_buf_view(&key);
		(void) mcw_ots_sign_v4(&asked->http, secret, &ours, NULL, &err);
		ok = mcw_view_eq(v4, mcw_buf_view(&ours)) && v2.data == NULL;
	}
	else
	{
		(void) mcw_ots_sign_v2(&asked->http, secret, &ours, NULL, &err);
		ok = mcw_view_eq(v2, mcw_buf_view(&ours));
	}
	memcpy(asked->secret, secret.data, secret.len);
	asked->secret_len = secret.len;
	mcw_buf_reset(&ours);
	(void) mcw_md5(asked->body.data, asked->body.len, md5);
	(void) mcw_base64_encode(&ours, (mcw_view) {(char *) md5, 16});
	ok = ok && mcw_view_eq(mcw_buf_view(&ours), mcw_request_get_header(&asked->http, MCW_LIT("x-ots-contentmd5"))) &&
		mcw_view_eq(MCW_LIT(OTS_ID), mcw_request_get_header(&asked->http, MCW_LIT("x-ots-accesskeyid"))) &&
		mcw_view_eq(MCW_LIT(OTS_INSTANCE), mcw_request_get_header(&asked->http, MCW_LIT("x-ots-instancename"))) &&
		mcw_view_eq(MCW_LIT("2015-12-31"), mcw_request_get_header(&asked->http, MCW_LIT("x-ots-apiversion"))) &&
		mcw_view_eq(mcw_str(model->sts ? model->sts : ""), sts);
	mcw_buf_free(&ours);
	mcw_buf_free(&key);
	return ok;
}

static inline bool
ots_send(net_conn *c, ots_model *model, ots_asked *asked, int http, mcw_buf *body, const ots_step *step)
{
	char		path[48];
	char		date[40];
	char		basic[20];
	char		md5_text[32] = "";
	char		length[32];
	int64_t		now = mcn_unix_us() + model->skew * 1000000;
	unsigned char md5[16];
	mcw_buf		buf;
	mcw_buf		signature;
	mcw_pair	headers[8];
	int			n = 0;
	mcw_error	err;
	mcw_buf		head;
	bool		ok;

	mcw_buf_init(&buf, &mcw_malloc, 100);
	mcw_buf_init(&signature, &mcw_malloc, 1000);
	mcw_buf_init(&head, &mcw_malloc, 10000);
	if (step->fault == OTS_CUT_MESSAGE)
		body->len /= 2;
	(void) mcw_md5(body->data, body->len, md5);
	(void) mcw_base64_encode(&buf, (mcw_view) {(char *) md5, 16});
	memcpy(md5_text, buf.data, buf.len);
	mcw_iso_basic(now / 1000000, basic);
	(void) snprintf(date, sizeof(date), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%06dZ", basic, basic + 4, basic + 6, basic + 9,
					basic + 11, basic + 13, (int) (now % 1000000));
	headers[n++] = (mcw_pair) {MCW_LIT("x-ots-requestid"), MCW_LIT("request-1")};
	headers[n++] = (mcw_pair) {MCW_LIT("x-ots-date"), mcw_str(date)};
	headers[n++] = (mcw_pair) {MCW_LIT("X-Ots-ContentType"), MCW_LIT("protocol buffer")};
	if (step->fault != OTS_NO_MD5)
		headers[n++] = (mcw_pair) {MCW_LIT("x-ots-contentmd5"), mcw_str(md5_text)};
	(void) snprintf(path, sizeof(path), "/%s", asked->operation);
	(void) mcw_ots_sign_response(headers, n, mcw_str(path), (mcw_view) {asked->secret, asked->secret_len}, &signature, &err);
	if (step->fault == OTS_BAD_AUTH)
		signature.data[3] ^= 1;
	if (step->fault == OTS_DAMAGED && body->len > 0)
		body->data[body->len / 2] ^= 4;
	if (step->fault == OTS_FLIPPED && (size_t) step->rows < body->len * 8)
	{
		body->data[step->rows / 8] ^= (char) (1 << (step->rows % 8));
		model->flipped++;
	}
	if (step->fault == OTS_HEADER_CHANGED)
		headers[0].value = MCW_LIT("request-2");
	(void) snprintf(length, sizeof(length), "%zu", body->len);
	(void) mcw_buf_printf(&head, "HTTP/1.1 %d Word\r\nContent-Length: %s\r\n", http, length);
	for (int i = 0; i < n; i++)
		(void) mcw_buf_printf(&head, "%.*s: %.*s\r\n", (int) headers[i].name.len, headers[i].name.data,
							  (int) headers[i].value.len, headers[i].value.data);
	if (asked->known && step->fault != OTS_NO_AUTH)
		(void) mcw_buf_printf(&head, "Authorization: OTS %s:%.*s\r\n", step->fault == OTS_OTHER_ID ? "LTAIxx" : OTS_ID,
							  (int) signature.len, signature.data);
	(void) mcw_buf_append_str(&head, "\r\n");
	ok = net_send(c, head.data, head.len) && net_send(c, body->data, body->len);
	mcw_buf_free(&buf);
	mcw_buf_free(&signature);
	mcw_buf_free(&head);
	return ok;
}

/* ---- operations ---- */

static inline void
ots_put_row(mcw_buf *out, const ots_model *model, int i)
{
	mcw_ots_writer w;
	mcw_ots_name v = mcw_ots_make_name(MCW_LIT("v"));
	mcw_ots_name pad = mcw_ots_make_name(MCW_LIT("pad"));
	mcw_ots_value value = mcw_ots_int(i);

	if (out->len == 0)
		mcw_ots_begin_row(&w, out);
	else
		mcw_ots_begin_next_row(&w, out);
	for (int k = 0; k < model->schema.nkeys; k++)
	{
		mcw_ots_name name = mcw_ots_make_name(model->schema.keys[k].name);

		mcw_ots_put_key(&w, &name, &model->keys[i].v[k]);
	}
	if (model->padding > 0)
	{
		static const char blank[100000];
		mcw_ots_value bytes = mcw_ots_bytes(MCW_OTS_BINARY, (mcw_view) {blank, model->padding});

		mcw_ots_put_cell(&w, &pad, &bytes, MCW_OTS_PUT, 7);
	}
	mcw_ots_put_cell(&w, &v, &value, MCW_OTS_PUT, 7);
	(void) mcw_ots_end_row(&w);
}

/* the next key of a page that breaks the rules */
static inline mcw_ots_key
ots_wrong_next(ots_fault fault, const mcw_ots_key *begin, const mcw_ots_key *end)
{
	mcw_ots_key key = fault == OTS_NEXT_END || fault == OTS_NEXT_BEYOND ? *end : *begin;

	if (fault == OTS_NEXT_BACK)
		key.v[0] = mcw_ots_none(MCW_OTS_INF_MIN);
	if (fault == OTS_NEXT_BEYOND)
		key.v[0] = mcw_ots_none(MCW_OTS_INF_MAX);
	return key;
}

static inline int
ots_get_range(ots_model *model, const ots_asked *asked, const ots_step *step, mcw_buf *out)
{
	size_t		pos = 0;
	mcw_pb_field f;
	mcw_ots_key begin = {0};
	mcw_ots_key end = {0};
	bool		backward = false;
	int			limit = INT32_MAX;
	int			dir;
	int			scanned = 0;
	int			i;
	mcw_buf		rows;
	mcw_buf		next;
	mcw_error	err;

	while (mcw_pb_next(asked->body, &pos, &f) == MCW_OK)
	{
		if (f.number == 2)
			backward = f.number_value == 1;
		else if (f.number == 6)
			limit = (int) f.number_value;
		else if (f.number == 7 && mcw_ots_read_key(f.bytes, &model->schema, &begin, &err) != MCW_OK)
			return 400;
		else if (f.number == 8 && mcw_ots_read_key(f.bytes, &model->schema, &end, &err) != MCW_OK)
			return 400;
	}
	if (limit != INT32_MAX && limit > model->max_limit)
		model->max_limit = limit;
	dir = backward ? -1 : 1;
	if (mcw_ots_key_cmp(&begin, &end) * dir >= 0)
		return 400;
	mcw_buf_init(&rows, &mcw_malloc, (size_t) 64 << 20);
	mcw_buf_init(&next, &mcw_malloc, 10000);
	for (i = backward ? model->nrows - 1 : 0; i >= 0 && i < model->nrows; i += dir)
	{
		if (mcw_ots_key_cmp(&model->keys[i], &begin) * dir < 0)
			continue;
		if (mcw_ots_key_cmp(&model->keys[i], &end) * dir >= 0)
			break;
		if (scanned == model->page_rows || scanned == limit)
		{
			(void) mcw_ots_write_key(&next, &model->schema, &model->keys[i]);
			break;
		}
		scanned++;
		if (model->hidden == NULL || !model->hidden[i])
			ots_put_row(&rows, model, i);
	}
	if (step->fault >= OTS_NEXT_SAME && step->fault <= OTS_NEXT_BEYOND)
	{
		mcw_ots_key wrong = ots_wrong_next(step->fault, &begin, &end);

		mcw_buf_reset(&next);
		(void) mcw_ots_write_key(&next, &model->schema, &wrong);
	}
	if (step->fault == OTS_NEXT_OTHER)
		(void) mcw_buf_append_str(&next, "\x75\0\0");
	ots_put_consumed(out, 1, 3);
	mcw_pb_put_bytes(out, 2, mcw_buf_view(&rows));
	if (next.len > 0)
		mcw_pb_put_bytes(out, 3, mcw_buf_view(&next));
	mcw_buf_free(&rows);
	mcw_buf_free(&next);
	return 200;
}

static inline int
ots_find(const ots_model *model, mcw_view bytes)
{
	mcw_ots_key key;
	mcw_error	err;

	if (mcw_ots_read_key(bytes, &model->schema, &key, &err) != MCW_OK)
		return -1;
	for (int i = 0; i < model->nrows; i++)
		if (mcw_ots_key_cmp(&model->keys[i], &key) == 0)
			return model->hidden && model->hidden[i] ? -1 : i;
	return -1;
}

static inline void
ots_get_rows(ots_model *model, const ots_asked *asked, const ots_step *step, mcw_buf *out)
{
	bool		batch = strcmp(asked->operation, "BatchGetRow") == 0;
	mcw_view	message = asked->body;
	size_t		pos = 0;
	size_t		table = 0;
	mcw_pb_field f;
	int			row = 0;

	if (batch)
	{
		if (mcw_pb_next(message, &pos, &f) != MCW_OK)
			return;
		message = f.bytes;
		pos = 0;
		table = mcw_pb_begin(out, 1);
		mcw_pb_put_bytes(out, 1, MCW_LIT(OTS_TABLE));
	}
	else
		ots_put_consumed(out, 1, 1);
	while (mcw_pb_next(message, &pos, &f) == MCW_OK)
	{
		mcw_buf		bytes;
		size_t		mark = 0;
		int			i;

		if (f.number != 2)
			continue;
		model->rows_asked++;
		mcw_buf_init(&bytes, &mcw_malloc, 1 << 20);
		if ((i = ots_find(model, f.bytes)) >= 0)
			ots_put_row(&bytes, model, i);
		if (batch)
			mark = mcw_pb_begin(out, 2);
		if (step->fault == OTS_ROW_ERROR && row++ < step->rows)
		{
			size_t		error;

			mcw_pb_put_uint(out, 1, 0);
			error = mcw_pb_begin(out, 2);
			ots_put_error(out, step->code, step->message);
			mcw_pb_end(out, error);
		}
		else
		{
			if (batch)
			{
				mcw_pb_put_uint(out, 1, 1);
				ots_put_consumed(out, 3, 1);
			}
			mcw_pb_put_bytes(out, batch ? 4 : 2, mcw_buf_view(&bytes));
		}
		if (batch)
			mcw_pb_end(out, mark);
		mcw_buf_free(&bytes);
	}
	if (batch)
		mcw_pb_end(out, table);
}

static inline void
ots_compute_splits(ots_model *model, mcw_buf *out)
{
	ots_put_consumed(out, 1, 1);
	if (model->splits <= model->huge_splits)
	{
		char	   *filler = calloc(1, (size_t) 16 << 20);

		mcw_pb_put_bytes(out, 15, (mcw_view) {filler, (size_t) 16 << 20});
		free(filler);
	}
	for (int k = 0; k < model->schema.nkeys; k++)
	{
		size_t		mark = mcw_pb_begin(out, 2);

		mcw_pb_put_bytes(out, 1, model->schema.keys[k].name);
		mcw_pb_put_uint(out, 2, model->schema.keys[k].type == MCW_OTS_INTEGER ? 1 : model->schema.keys[k].type == MCW_OTS_STRING ? 2 : 3);
		mcw_pb_end(out, mark);
	}
	for (int i = 0; i < model->npoints; i++)
	{
		mcw_buf		key;

		mcw_buf_init(&key, &mcw_malloc, 10000);
		(void) mcw_ots_write_key(&key, &model->schema, &model->points[i]);
		mcw_pb_put_bytes(out, 3, mcw_buf_view(&key));
		mcw_buf_free(&key);
	}
}

static inline void
ots_describe(ots_model *model, mcw_buf *out)
{
	size_t		meta = mcw_pb_begin(out, 1);
	size_t		mark;

	mcw_pb_put_bytes(out, 1, MCW_LIT(OTS_TABLE));
	for (int k = 0; k < model->schema.nkeys; k++)
	{
		mark = mcw_pb_begin(out, 2);
		mcw_pb_put_bytes(out, 1, model->schema.keys[k].name);
		mcw_pb_put_uint(out, 2, model->schema.keys[k].type == MCW_OTS_INTEGER ? 1 : model->schema.keys[k].type == MCW_OTS_STRING ? 2 : 3);
		mcw_pb_end(out, mark);
	}
	mcw_pb_end(out, meta);
	meta = mcw_pb_begin(out, 2);
	mark = mcw_pb_begin(out, 1);
	mcw_pb_put_uint(out, 1, 0);
	mcw_pb_put_uint(out, 2, 0);
	mcw_pb_end(out, mark);
	mcw_pb_put_uint(out, 2, 1700000000);
	mcw_pb_end(out, meta);
	meta = mcw_pb_begin(out, 3);
	mcw_pb_put_uint(out, 1, (uint64_t) (int64_t) -1);
	mcw_pb_put_uint(out, 2, 2);
	mcw_pb_end(out, meta);
	mcw_pb_put_uint(out, 4, 1);
}

/* ---- one request ---- */

static inline const ots_step *
ots_next_step(ots_model *model, const ots_asked *asked)
{
	static const ots_step fine = {OTS_FINE};
	int			n;

	pthread_mutex_lock(&model->lock);
	model->requests++;
	n = model->only == NULL || strcmp(model->only, asked->operation) == 0 ? model->counted++ : model->nsteps;
	pthread_mutex_unlock(&model->lock);
	return n < model->nsteps ? &model->steps[n] : &fine;
}

static inline bool
ots_clock_ok(const ots_model *model, const ots_asked *asked)
{
	int64_t		theirs = 0;

	if (model->always_skewed ||
		!mcw_parse_iso8601(mcw_request_get_header(&asked->http, MCW_LIT("x-ots-date")), &theirs))
		return false;
	return llabs(theirs - mcn_unix_us() - model->skew * 1000000) < INT64_C(900000000);
}

static inline int
ots_answer(ots_model *model, ots_asked *asked, const ots_step *step, mcw_buf *out)
{
	int			http = 200;

	pthread_mutex_lock(&model->lock);
	if (strcmp(asked->operation, "GetRange") == 0)
	{
		model->ranges++;
		http = ots_get_range(model, asked, step, out);
	}
	else if (strcmp(asked->operation, "ComputeSplitPointsBySize") == 0)
	{
		model->splits++;
		ots_compute_splits(model, out);
	}
	else if (strcmp(asked->operation, "DescribeTable") == 0)
		ots_describe(model, out);
	else if (strcmp(asked->operation, "ListTable") == 0)
	{
		mcw_pb_put_bytes(out, 1, MCW_LIT("a"));
		mcw_pb_put_bytes(out, 1, MCW_LIT("b"));
	}
	else
	{
		if (strcmp(asked->operation, "BatchGetRow") == 0)
			model->batches++;
		else
			model->gets++;
		ots_get_rows(model, asked, step, out);
	}
	pthread_mutex_unlock(&model->lock);
	if (http != 200)
		ots_put_error(out, "OTSParameterInvalid", "Begin key must less than end key in FORWARD");
	return http;
}

static inline bool
ots_handler(net_conn *c, const char *received, mcw_view body)
{
	static const char page[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
	ots_model  *model = c->server->handler_ctx;
	ots_asked	asked = {.body = body};
	const ots_step *step;
	char	   *head = strdup(received);
	char		path[48];
	mcw_buf		out;
	int			http = 200;
	bool		keep = false;

	ots_parse_head(head, &asked);
	(void) snprintf(path, sizeof(path), "/%s", asked.operation);
	step = ots_next_step(model, &asked);
	mcw_buf_init(&out, &mcw_malloc, (size_t) 64 << 20);
	(void) mcw_buf_grow(&out, 1);
	pthread_mutex_lock(&model->lock);
	(void) snprintf(model->head, sizeof(model->head), "%s", received);
	if (++model->in_flight > model->max_in_flight)
		model->max_in_flight = model->in_flight;
	pthread_mutex_unlock(&model->lock);
	if (model->delay_us > 0)
		usleep(model->delay_us);
	asked.known = ots_authentic(model, &asked, path);
	if (!asked.known || !ots_clock_ok(model, &asked))
	{
		http = 403;
		ots_put_error(&out, "OTSAuthFailed", asked.known ? "Mismatch between system time and x-ots-date: 2020." : "Signature mismatch.");
		asked.known = false;
	}
	else if (step->fault == OTS_ERROR)
	{
		http = step->http;
		if (step->code)
			ots_put_error(&out, step->code, step->message);
		else
			(void) mcw_buf_append_str(&out, step->message);
	}
	else
		http = ots_answer(model, &asked, step, &out);
	pthread_mutex_lock(&model->lock);
	model->in_flight--;
	pthread_mutex_unlock(&model->lock);
	if (step->fault == OTS_RESET)
		net_reset(c);
	else if (step->fault == OTS_HTML)
		keep = net_send(c, page, sizeof(page) - 1);
	else
		keep = ots_send(c, model, &asked, http, &out, step);
	mcw_buf_free(&out);
	free(head);
	return keep;
}

/* ---- rig ---- */

typedef struct ots_rig
{
	net_rig		net;
	ots_model	model;
	mcs_ots		ots;
	bool		one_attempt;
} ots_rig;

/* with model filled: server, loop, channel, client */
static inline void
ots_rig_init(ots_rig *rig, const mcw_alloc *alloc, const mcn_retry_rule *rules, const char *region, const char *path)
{
	mcw_credentials cred = {MCW_LIT(OTS_ID), MCW_LIT(OTS_SECRET), mcw_str(rig->model.sts ? rig->model.sts : "")};
	char		url[100];

	memset(&rig->net, 0, sizeof(rig->net));
	pthread_mutex_init(&rig->model.lock, NULL);
	if (rig->model.page_rows == 0)
		rig->model.page_rows = 5000;
	net_start(&rig->net.server, NULL, 0);
	rig->net.server.handler_ctx = &rig->model;
	rig->net.server.handler = ots_handler;
	rig->net.loop = net_loop(&rig->net.host);
	rig->net.options = mcn_default_options;
	rig->net.options.max_retries = rig->one_attempt ? 0 : 5;
	rig->net.rules = rules;
	(void) snprintf(url, sizeof(url), "%s%s", rig->net.server.url, path);
	(void) snprintf(rig->net.server.url, sizeof(rig->net.server.url), "%s", url);
	net_rig_channel(&rig->net);
	mcs_ots_init(&rig->ots, rig->net.loop, rig->net.channel, alloc, &cred, MCW_LIT(OTS_INSTANCE), mcw_str(region));
}

static inline void
ots_rig_free(ots_rig *rig)
{
	net_rig_free(&rig->net);
	pthread_mutex_destroy(&rig->model.lock);
}

#endif							/* OTS_SERVER_H */
