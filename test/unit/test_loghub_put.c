/*
 * test_loghub_put.c
 *		PutLogs: parts of the LogGroup writer that batches need, and the writer that keeps
 *		requests in flight, against a small service that stores, fails and refuses.
 */
#include "net_server.h"

#include "../../src/service/mcs_loghub_put.h"
#include "../../src/wire/mcw_sls.h"

#define MAX_LOGS 4096

/* ---- the service: logs are numbers in the content "n"; negative ones are refused ---- */

typedef enum put_fault
{
	PUT_FINE,
	PUT_LOST,					/* stored, then the connection is reset */
	PUT_RESET,
	PUT_HTTP,					/* 'http', 'code' */
	PUT_HTTP_STORED,
	PUT_NO_ID					/* 200 of something else */
} put_fault;

typedef struct put_step
{
	put_fault	fault;
	int			http;
	const char *code;
} put_step;

typedef struct put_model
{
	pthread_mutex_t lock;
	const put_step *steps;
	int			nsteps;
	int			chance;			/* of a passing fault, of 1000 */
	unit_random random;
	int			requests;
	int			stored[MAX_LOGS];
	int			bad_digest;
	int			routed;
} put_model;

static bool
header_of(const char *head, const char *name, char *value, size_t size)
{
	const char *line = head;
	size_t		len = strlen(name);

	while ((line = strstr(line, "\r\n")) != NULL)
	{
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
		{
			size_t		n = strcspn(line + len + 2, "\r");

			(void) snprintf(value, size, "%.*s", (int) n, line + len + 2);
			return true;
		}
	}
	return false;
}

/* false: a log is refused, nothing is stored */
static bool
store(put_model *model, mcw_view group, bool keep)
{
	mcw_sls_column column = {MCW_SLS_FIELD, MCW_LIT("n")};
	mcw_sls_reader *reader = mcw_sls_reader_create(&mcw_malloc, &column, 1);
	mcw_sls_group g;
	mcw_sls_log log;
	mcw_view	value;
	mcw_error	err;
	int64_t		numbers[MAX_LOGS];
	int			n = 0;
	bool		good = true;

	mcw_sls_reader_put_body(reader, group);
	while (mcw_sls_next_group(reader, &g, &err) == MCW_OK)
		while (mcw_sls_next_log(reader, &log, &value, &err) == MCW_OK)
		{
			CHECK(mcw_view_int64(value, &numbers[n]));
			good = good && numbers[n++] >= 0;
		}
	for (int i = 0; good && keep && i < n; i++)
		model->stored[numbers[i]]++;
	mcw_sls_reader_free(reader);
	return good;
}

static put_step
next_step(put_model *model)
{
	static const put_step passing[] = {{PUT_LOST}, {PUT_RESET}, {PUT_HTTP, 500, "InternalServerError"}, {PUT_HTTP_STORED, 500, "InternalServerError"},
	{PUT_HTTP, 403, "WriteQuotaExceed"}, {PUT_NO_ID}};
	int			n = model->requests++;

	if (model->chance && (int) unit_below(&model->random, 1000) < model->chance)
		return passing[unit_below(&model->random, 6)];
	return n < model->nsteps ? model->steps[n] : (put_step) {PUT_FINE};
}

static bool
handler(net_conn *c, const char *head, mcw_view body)
{
	put_model  *model = c->server->handler_ctx;
	char		text[80];
	char		md5[33];
	unsigned char digest[16];
	put_step	step;
	mcw_buf		raw;
	mcw_error	err;
	bool		good;
	uint64_t	size = 0;

	pthread_mutex_lock(&model->lock);
	step = next_step(model);
	(void) mcw_md5(body.data, body.len, digest);
	for (int i = 0; i < 16; i++)
		(void) snprintf(md5 + 2 * i, 3, "%02X", digest[i]);
	if (!header_of(head, "Content-MD5", text, sizeof(text)) || strcmp(text, md5) != 0)
		model->bad_digest++;
	model->routed += strstr(head, "/shards/route?key=") != NULL;
	CHECK(header_of(head, "x-log-bodyrawsize", text, sizeof(text)) && mcw_view_uint64(mcw_str(text), &size));
	mcw_buf_init(&raw, &mcw_malloc, MCS_PUT_MAX_RAW);
	if (header_of(head, "x-log-compresstype", text, sizeof(text)))
	{
		mcw_codec	codec;

		CHECK(mcw_codec_from_sls(mcw_str(text), &codec));
		CHECK_OK(mcw_decompress(codec, body, size, &raw, &err));
		body = mcw_buf_view(&raw);
	}
	CHECK(body.len == size);
	good = store(model, body, step.fault == PUT_FINE || step.fault == PUT_LOST || step.fault == PUT_HTTP_STORED);
	mcw_buf_free(&raw);
	pthread_mutex_unlock(&model->lock);
	if (step.fault == PUT_LOST || step.fault == PUT_RESET)
		net_reset(c);
	else if (step.fault == PUT_NO_ID)
		(void) net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	else if (step.fault != PUT_FINE || !good)
	{
		(void) snprintf(text, sizeof(text), "{\"errorCode\":\"%s\",\"errorMessage\":\"m\"}",
						step.fault != PUT_FINE ? step.code : "PostBodyInvalid");
		(void) net_sendf(c, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nx-log-requestid: AB\r\nContent-Length: %zu\r\n\r\n%s",
						 step.fault != PUT_FINE ? step.http : 400, strlen(text), text);
	}
	else
		(void) net_sendf(c, "HTTP/1.1 200 OK\r\nx-log-requestid: AB\r\nContent-Length: 0\r\n\r\n");
	return step.fault != PUT_LOST && step.fault != PUT_RESET;
}

/* ---- the rig ---- */

typedef struct put_rig
{
	net_rig		net;
	put_model	model;
	mcs_loghub	client;
	mcs_log_writer *writer;
	int			nrefused;
	uint64_t	refused[MAX_LOGS];
} put_rig;

static void
on_refused(void *ctx, uint64_t row, const mcw_error *err)
{
	put_rig    *rig = ctx;

	CHECK_STR(err->code, "PostBodyInvalid");
	rig->refused[rig->nrefused++] = row;
}

static void
begin(put_rig *rig, mcw_codec codec, int concurrency, bool cut, const put_step *steps, int nsteps)
{
	static const mcw_credentials cred = {MCW_LIT("id"), MCW_LIT("secret"), {NULL, 0}};
	mcs_log_writer_spec spec = {MCW_LIT("store"), codec, concurrency, cut ? on_refused : NULL, rig};
	mcw_error	err;

	memset(rig, 0, sizeof(*rig));
	pthread_mutex_init(&rig->model.lock, NULL);
	rig->model.steps = steps;
	rig->model.nsteps = nsteps;
	net_start(&rig->net.server, NULL, 0);
	rig->net.server.handler_ctx = &rig->model;
	rig->net.server.handler = handler;
	rig->net.loop = net_loop(&rig->net.host);
	rig->net.options = mcn_default_options;
	rig->net.options.max_retries = 4;
	rig->net.rules = mcs_loghub_retry_rules;
	net_rig_channel(&rig->net);
	mcs_loghub_init(&rig->client, rig->net.loop, rig->net.channel, &mcw_malloc, &cred, MCW_LIT(""));
	rig->writer = mcs_log_writer_create(&rig->client, &spec, &err);
	CHECK(rig->writer != NULL);
}

static void
finish(put_rig *rig)
{
	mcs_log_writer_free(rig->writer);
	CHECK_INT(rig->model.bad_digest, 0);
	net_rig_free(&rig->net);
	pthread_mutex_destroy(&rig->model.lock);
}

/* Logs first .. first + n - 1 as one batch; a multiple of 'bad' is negative (0 = none) */
static mcw_status
send_logs(put_rig *rig, int first, int n, int bad, const char *key, mcw_error *err)
{
	uint64_t	rows[MAX_LOGS];
	mcw_sls_writer w;
	mcw_buf		group;
	mcs_log_batch batch = {.number = 7, .topic = MCW_LIT("top"), .hash_key = mcw_str(key), .rows = rows, .nlogs = (uint32_t) n};
	mcw_view	none = {NULL, 0};
	mcw_pair	tag = {MCW_LIT("k"), MCW_LIT("v")};
	mcw_status	status;

	mcw_buf_init(&group, &mcw_malloc, MCS_PUT_MAX_RAW);
	mcw_sls_writer_init(&w, &group);
	for (int i = 0; i < n; i++)
	{
		char		text[16];

		rows[i] = (uint64_t) (first + i);
		(void) snprintf(text, sizeof(text), "%s%d", bad && (first + i) % bad == 0 ? "-" : "", first + i);
		CHECK_OK(mcw_sls_begin_log(&w, 1, false, 0));
		CHECK_OK(mcw_sls_content(&w, MCW_LIT("n"), mcw_str(text)));
		CHECK_OK(mcw_sls_end_log(&w));
	}
	CHECK_OK(mcw_sls_finish_group(&w, none, MCW_LIT("top"), none, none, &tag, 1));
	batch.group = mcw_buf_view(&group);
	status = mcs_log_writer_send(rig->writer, &batch, err);
	mcw_buf_free(&group);
	return status;
}

static int
stored(const put_rig *rig, int first, int n, int times)
{
	int			count = 0;

	for (int i = first; i < first + n; i++)
		count += rig->model.stored[i] == times;
	return count;
}

/* ---- cases ---- */

static void
test_codings(void)
{
	static const mcw_codec codecs[] = {MCW_CODEC_LZ4_BLOCK, MCW_CODEC_ZSTD, MCW_CODEC_NONE, MCW_CODEC_DEFLATE};

	for (int i = 0; i < 4; i++)
	{
		put_rig		rig;
		mcw_error	err;

		begin(&rig, codecs[i], 3, false, NULL, 0);
		for (int k = 0; k < 20; k++)
			CHECK_OK(send_logs(&rig, 1 + k * 50, 50, 0, k % 2 ? "ab" : "", &err));
		CHECK_OK(mcs_log_writer_flush(rig.writer, &err));
		CHECK_INT(stored(&rig, 1, 1000, 1), 1000);
		CHECK_INT(rig.model.routed, 10);
		CHECK_INT(mcs_log_writer_get_info(rig.writer)->logs, 1000);
		CHECK_INT(mcs_log_writer_get_info(rig.writer)->maybe_twice, 0);
		CHECK_INT(mcs_log_writer_unknown(rig.writer), 0);
		finish(&rig);
	}
}

static void
test_lost_answers(void)
{
	static const put_step steps[] = {{PUT_LOST}, {PUT_FINE}, {PUT_HTTP, 403, "ShardWriteQuotaExceed"}, {PUT_FINE}, {PUT_HTTP_STORED, 500, "InternalServerError"}, {PUT_FINE},
	{PUT_NO_ID}, {PUT_FINE}};
	put_rig		rig;
	mcw_error	err;

	begin(&rig, MCW_CODEC_LZ4_BLOCK, 1, false, steps, 8);
	for (int k = 0; k < 4; k++)
	{
		CHECK_OK(send_logs(&rig, 1 + k * 10, 10, 0, "", &err));
		CHECK_OK(mcs_log_writer_flush(rig.writer, &err));
	}
	CHECK_INT(stored(&rig, 1, 10, 2), 10);	/* lost: twice */
	CHECK_INT(stored(&rig, 11, 10, 1), 10);	/* throttled: once */
	CHECK_INT(stored(&rig, 21, 10, 2), 10);	/* 500 after it was stored */
	CHECK_INT(stored(&rig, 31, 10, 1), 10);	/* something else answered */
	CHECK_INT(mcs_log_writer_get_info(rig.writer)->maybe_twice, 30);
	CHECK_INT(mcs_log_writer_get_info(rig.writer)->logs, 40);
	finish(&rig);
}

static void
test_final(void)
{
	static const put_step steps[] = {{PUT_FINE}, {PUT_HTTP, 404, "LogStoreNotExist"}};
	static const put_step lost[] = {{PUT_LOST}, {PUT_LOST}, {PUT_LOST}, {PUT_LOST}, {PUT_LOST}};
	put_rig		rig;
	mcw_error	err;

	begin(&rig, MCW_CODEC_LZ4_BLOCK, 1, false, steps, 2);
	CHECK_OK(send_logs(&rig, 1, 5, 0, "", &err));
	CHECK_OK(mcs_log_writer_flush(rig.writer, &err));
	CHECK_OK(send_logs(&rig, 6, 5, 0, "0f", &err));
	CHECK_INT(mcs_log_writer_flush(rig.writer, &err), MCW_ERR_SERVICE);
	CHECK_STR(err.code, "LogStoreNotExist");
	CHECK_STR(mcs_log_writer_failed_at(rig.writer), "batch 7, rows 6 to 10, topic \"top\", hash key 0f");
	CHECK_INT(send_logs(&rig, 11, 5, 0, "", &err), MCW_ERR_SERVICE);
	CHECK_INT(mcs_log_writer_unknown(rig.writer), 0);
	finish(&rig);

	begin(&rig, MCW_CODEC_LZ4_BLOCK, 1, false, lost, 5);
	CHECK_OK(send_logs(&rig, 1, 5, 0, "", &err));
	CHECK(mcs_log_writer_flush(rig.writer, &err) != MCW_OK);
	CHECK_INT(mcs_log_writer_unknown(rig.writer), 5);
	finish(&rig);
}

static void
test_cut(void)
{
	for (int bad = 1; bad <= 64; bad += bad < 4 ? 1 : 20)
	{
		put_rig		rig;
		mcw_error	err;
		int			want = 100 / bad;

		begin(&rig, bad % 2 ? MCW_CODEC_LZ4_BLOCK : MCW_CODEC_NONE, 2, true, NULL, 0);
		CHECK_OK(send_logs(&rig, 1, 100, bad, "", &err));
		CHECK_OK(send_logs(&rig, 101, 50, 0, "", &err));
		CHECK_OK(mcs_log_writer_flush(rig.writer, &err));
		CHECK_INT(rig.nrefused, want);
		for (int i = 0; i < rig.nrefused; i++)
			CHECK_INT(rig.refused[i] % bad, 0);
		CHECK_INT(stored(&rig, 1, 150, 1), 150 - want);
		CHECK_INT(mcs_log_writer_get_info(rig.writer)->refused, want);
		finish(&rig);
	}
}

/* without a callback a refusal is final, and nothing of the batch is stored */
static void
test_refused(void)
{
	put_rig		rig;
	mcw_error	err;

	begin(&rig, MCW_CODEC_ZSTD, 2, false, NULL, 0);
	CHECK_OK(send_logs(&rig, 1, 100, 50, "", &err));
	CHECK_INT(mcs_log_writer_flush(rig.writer, &err), MCW_ERR_SERVICE);
	CHECK_INT(stored(&rig, 1, 100, 0), 100);
	finish(&rig);
}

static void
test_chance(void)
{
	for (int seed = 1; seed <= 8; seed++)
	{
		put_rig		rig;
		mcw_error	err;
		int			twice = 0;
		int			refused = 0;

		begin(&rig, MCW_CODEC_LZ4_BLOCK, 4, true, NULL, 0);
		rig.model.chance = 150;
		rig.model.random.state = (uint64_t) seed * 7919;
		mcs_log_writer_progress(rig.writer, &err);
		for (int k = 0; k < 30; k++)
			CHECK_OK(send_logs(&rig, 1 + k * 20, 20, seed % 2 ? 97 : 0, "", &err));
		CHECK_OK(mcs_log_writer_flush(rig.writer, &err));
		for (int i = 1; i <= 600; i++)
		{
			bool		bad = seed % 2 && i % 97 == 0;

			refused += bad;
			CHECK(bad ? rig.model.stored[i] == 0 : rig.model.stored[i] >= 1);
			twice += rig.model.stored[i] > 1;
		}
		CHECK_INT(rig.nrefused, refused);
		CHECK(twice <= mcs_log_writer_get_info(rig.writer)->maybe_twice);
		CHECK_INT(mcs_log_writer_get_info(rig.writer)->logs + refused, 600);
		finish(&rig);
	}
}

static void
test_interrupt(void)
{
	put_rig		rig;
	mcw_error	err;
	int			n = 0;

	begin(&rig, MCW_CODEC_LZ4_BLOCK, 2, false, NULL, 0);
	CHECK_OK(send_logs(&rig, 1, 5, 0, "", &err));
	rig.net.host.interrupt_at_us = 1;
	while (send_logs(&rig, 6 + 5 * n, 5, 0, "", &err) == MCW_OK && n < 50)
		n++;
	CHECK_INT(err.status, MCW_ERR_INTERRUPTED);
	rig.net.host.interrupt_at_us = 0;
	CHECK_OK(mcs_log_writer_flush(rig.writer, &err));
	CHECK_INT(stored(&rig, 1, 5 + 5 * n, 1), 5 + 5 * n);
	CHECK_INT(stored(&rig, 6 + 5 * n, 5, 0), 5);	/* not taken */
	finish(&rig);
}

/* ---- groups ---- */

static void
test_groups(void)
{
	unit_random r = {9};

	for (int round = 0; round < 300; round++)
	{
		mcw_view	none = {NULL, 0};
		mcw_pair	tag = {MCW_LIT("key"), MCW_LIT("value")};
		mcw_buf		one;
		mcw_buf		two;
		mcw_buf		part;
		mcw_sls_writer a;
		mcw_sls_writer b;
		uint32_t	n = 2 + (uint32_t) unit_below(&r, 20);
		uint32_t	from;
		uint32_t	to;
		uint64_t	logs;
		size_t		before;
		char		text[300];
		mcw_error	err;

		mcw_buf_init(&one, &mcw_malloc, 1 << 20);
		mcw_buf_init(&two, &mcw_malloc, 1 << 20);
		mcw_buf_init(&part, &mcw_malloc, 1 << 20);
		mcw_sls_writer_init(&a, &one);
		mcw_sls_writer_init(&b, &two);
		memset(text, 'x', sizeof(text));
		for (uint32_t i = 0; i < n; i++)
		{
			CHECK_OK(mcw_sls_begin_log(&a, i, i % 2 == 0, i));
			CHECK_OK(mcw_sls_content(&a, MCW_LIT("k"), (mcw_view) {text, unit_below(&r, sizeof(text))}));
			CHECK_OK(mcw_sls_end_log(&a));
		}
		CHECK_OK(mcw_sls_move_last(&a, &b));
		CHECK_INT(a.nlogs, n - 1);
		CHECK_INT(b.nlogs, 1);
		CHECK_OK(mcw_sls_begin_log(&b, 99, false, 0));
		CHECK_OK(mcw_sls_end_log(&b));
		mcw_sls_drop_last(&b);
		before = one.len;
		CHECK_OK(mcw_sls_finish_group(&a, none, MCW_LIT("topic"), MCW_LIT(""), none, &tag, 1));
		CHECK(one.len - before <= mcw_sls_finish_size(none, MCW_LIT("topic"), MCW_LIT(""), none, &tag, 1));
		CHECK_OK(mcw_sls_finish_group(&b, none, none, none, none, NULL, 0));
		CHECK_OK(mcw_sls_validate(mcw_buf_view(&one), false, NULL, &logs, &err));
		CHECK_INT(logs, n - 1);
		CHECK_OK(mcw_sls_validate(mcw_buf_view(&two), false, NULL, &logs, &err));
		CHECK_INT(logs, 1);
		from = (uint32_t) unit_below(&r, n);
		to = from + (uint32_t) unit_below(&r, n - from);
		CHECK_OK(mcw_sls_cut_group(mcw_buf_view(&one), from, to, &part, &err));
		CHECK_OK(mcw_sls_validate(mcw_buf_view(&part), false, NULL, &logs, &err));
		CHECK_INT(logs, (to < n - 1 ? to : n - 1) - (from < n - 1 ? from : n - 1));
		/* all of it is the same bytes; a cut one is refused */
		mcw_buf_reset(&part);
		CHECK_OK(mcw_sls_cut_group(mcw_buf_view(&one), 0, n, &part, &err));
		CHECK_VIEW(mcw_buf_view(&part), mcw_buf_view(&one));
		mcw_buf_reset(&part);
		CHECK_INT(mcw_sls_cut_group((mcw_view) {one.data, one.len - 1}, 0, n, &part, &err), MCW_ERR_FORMAT);
		mcw_buf_free(&one);
		mcw_buf_free(&two);
		mcw_buf_free(&part);
	}
}

static const unit_case cases[] = {
	{"groups", test_groups},
	{"codings", test_codings},
	{"lost answers", test_lost_answers},
	{"final", test_final},
	{"cut", test_cut},
	{"refused", test_refused},
	{"chance", test_chance},
	{"interrupt", test_interrupt},
};

UNIT_MAIN(cases)
