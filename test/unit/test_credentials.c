/*
 * test_credentials.c
 *		Temporary credentials: signature of RPC calls against what the official SDK
 *		signs, waiting for a renewal, refusals, answers of both sources.
 */
#include "net_server.h"

#include "../../src/service/mcs_call.h"
#include "../../src/service/mcs_sts.h"
#include "../../src/wire/mcw_sign.h"

/* ---- signature: aliyun-python-sdk-core 2.16.1 with a fixed nonce and time ---- */

typedef struct vector
{
	const char *method;
	const char *session;
	const char *more[2][2];
	const char *signature;
} vector;

static void
test_signature(void)
{
	static const vector all[] = {
		{"GET", "nightly@sync", {{NULL}}, "RBX6yaF+lagr/+8+DG5ORXoURRI="},
		{"POST", "nightly@sync", {{"ExternalId", "a+=,.@:/-_b"},
		{"Policy", "{\"Version\": \"1\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": \"oss:*\", \"Resource\": \"*~\xc3\xa9+&=\"}]}"}},
		"n4JAIFVDamSk9F6JEE/gXCGD5kg="},
		{"GET", "mc_fdw", {{"SecurityToken", "CAIS/+ab=="}}, "EfY2LbY+JLQv6NHk53j5Wkffoy8="},
	};
	mcw_error	err;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
	{
		mcw_request http = {.method = mcw_str(all[i].method), .path = MCW_LIT("/")};
		mcw_buf		signature;
		mcw_buf		text;

		mcw_buf_init(&signature, &mcw_malloc, 4096);
		mcw_buf_init(&text, &mcw_malloc, 65536);
		/* the order of the caller does not matter */
		CHECK_OK(mcw_request_param(&http, MCW_LIT("Version"), MCW_LIT("2015-04-01")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("Timestamp"), MCW_LIT("2016-02-23T12:46:24Z")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("Action"), MCW_LIT("AssumeRole")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("Signature"), MCW_LIT("is no part of itself")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("Format"), MCW_LIT("JSON")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("RoleArn"), MCW_LIT("acs:ram::1234567890123456:role/sync")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("DurationSeconds"), MCW_LIT("3600")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("RoleSessionName"), mcw_str(all[i].session)));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("AccessKeyId"), MCW_LIT("testid")));
		for (int m = 0; m < 2 && all[i].more[m][0]; m++)
			CHECK_OK(mcw_request_param(&http, mcw_str(all[i].more[m][0]), mcw_str(all[i].more[m][1])));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("SignatureMethod"), MCW_LIT("HMAC-SHA1")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("SignatureVersion"), MCW_LIT("1.0")));
		CHECK_OK(mcw_request_param(&http, MCW_LIT("SignatureNonce"), MCW_LIT("3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf")));
		CHECK_OK(mcw_rpc_sign(&http, MCW_LIT("testsecret"), &signature, &text, &err));
		CHECK_VIEW(mcw_buf_view(&signature), mcw_str(all[i].signature));
		CHECK(text.len > 10 && memmem(text.data, text.len, "testsecret", 10) == NULL);
		mcw_buf_reset(&signature);
		CHECK_INT(mcw_rpc_sign(&http, MCW_LIT(""), &signature, NULL, &err), MCW_ERR_ARGUMENT);
		mcw_buf_free(&signature);
		mcw_buf_free(&text);
	}
}

/* ---- a source by hand ---- */

typedef struct hand
{
	mcn_credentials *waiting;	/* fetch was called and not answered */
	int			fetches;
	int			cancels;
	bool		destroyed;
	bool		at_once;		/* answer within fetch */
	bool		fails;
	int64_t		left_us;
} hand;

static void
hand_answer(hand *h, mcn_credentials *credentials)
{
	char		id[16];
	mcw_credentials cred = {{id, 0}, MCW_LIT("secret-of-a-set"), MCW_LIT("token-of-a-set")};
	mcw_error	err;

	h->waiting = NULL;
	if (h->fails)
	{
		(void) mcw_fail(&err, MCW_ERR_SERVICE, "the source says no");
		mcn_credentials_fail(credentials, &err);
		return;
	}
	cred.access_key_id.len = (size_t) snprintf(id, sizeof(id), "id-%d", h->fetches);
	CHECK_OK(mcn_credentials_supply(credentials, &cred, h->left_us));
}

static void
hand_fetch(void *arg, mcn_credentials *credentials)
{
	hand	   *h = arg;

	h->fetches++;
	h->waiting = credentials;
	if (h->at_once)
		hand_answer(h, credentials);
}

static void
hand_cancel(void *arg)
{
	((hand *) arg)->cancels++;
	((hand *) arg)->waiting = NULL;
}

static void
hand_destroy(void *arg)
{
	((hand *) arg)->destroyed = true;
}

static mcn_credentials *
hand_create(hand *h, mcn_loop *loop)
{
	mcn_credential_source source = {hand_fetch, hand_cancel, hand_destroy, h};
	mcn_credentials *credentials = mcn_credentials_create(loop, &source);

	if (!CHECK(credentials != NULL))
		exit(2);
	return credentials;
}

static const mcn_retry_rule ended[] = {
	{"Ended", 403, MCN_RETRY_YES},
	{NULL, 0, MCN_RETRY_NO}
};

static mcw_status
put_id(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	const mcw_credentials *cred = mcn_request_credentials(req);

	if (!CHECK(cred != NULL))
		return mcw_fail(err, MCW_ERR_ARGUMENT, "no credentials");
	CHECK_VIEW(cred->access_key_secret, MCW_LIT("secret-of-a-set"));
	CHECK_OK(mcw_buf_append_view(scratch, cred->access_key_id));
	return mcw_request_header(&req->http, MCW_LIT("x-id"), mcw_buf_view(scratch));
}

static void
explain_header(mcn_request *req, mcw_error *err)
{
	mcs_copy_text(err->code, sizeof(err->code), mcn_response_header(req, "x-code"));
}

static void
request(mcn_request *req, net_rig *rig)
{
	net_request(req, rig->channel, "POST", "/p");
	req->prepare = put_id;
	req->explain = explain_header;
	req->no_retry_after_send = true;
}

static void
end(mcn_request *req)
{
	mcn_request_cancel(req);
	mcw_buf_free(&req->response);
}

static void
steps(mcn_loop *loop, int n)
{
	for (int i = 0; i < n; i++)
		(void) mcn_loop_step(loop, 1);
}

/* Several requests wait for one renewal, and go on with it; later ones find it there */
static void
test_wait(void)
{
	static const net_step step = {ACT_SHOW};
	hand		h = {.left_us = INT64_C(3600) * 1000000};
	net_rig		rig;
	mcn_request reqs[4];
	mcn_credentials *credentials;

	net_rig_init(&rig, &step, 1);
	credentials = hand_create(&h, rig.loop);
	CHECK_INT(mcn_credentials_left_us(credentials), 0);
	mcn_channel_set_credentials(rig.channel, credentials, ended);
	CHECK(mcn_channel_has_credentials(rig.channel));
	for (int i = 0; i < 3; i++)
	{
		request(&reqs[i], &rig);
		mcn_request_start(&reqs[i]);
	}
	/* one that is given up while it waits */
	request(&reqs[3], &rig);
	mcn_request_start(&reqs[3]);
	steps(rig.loop, 3);
	CHECK_INT(h.fetches, 1);
	CHECK_INT(rig.server.requests, 0);
	end(&reqs[3]);
	hand_answer(&h, credentials);
	for (int i = 0; i < 3; i++)
	{
		CHECK_OK(mcn_request_wait(&reqs[i]));
		CHECK(memmem(reqs[i].response.data, reqs[i].response.len, "x-id: id-1", 10) != NULL);
		CHECK_INT(reqs[i].attempts, 1);
		end(&reqs[i]);
	}
	CHECK(mcn_credentials_left_us(credentials) > INT64_C(3500) * 1000000);
	CHECK_INT(h.fetches, 1);
	/* none needed; then one that waits until its time is up */
	CHECK_OK(mcn_credentials_renew(credentials, 1000000, 0, &rig.error));
	CHECK_INT(h.fetches, 1);
	CHECK_INT(mcn_credentials_renew(credentials, INT64_C(7200) * 1000000, mcn_now_us() + 20000, &rig.error), MCW_ERR_TIMEOUT);
	CHECK(rig.error.of_credentials);
	CHECK_INT(h.fetches, 2);
	mcn_credentials_release(credentials);
	CHECK(!h.destroyed);
	mcn_channel_free(rig.channel);
	rig.channel = NULL;
	CHECK(h.destroyed);
	CHECK_INT(h.cancels, 1);
	net_rig_channel(&rig);
	net_rig_free(&rig);
}

/* Refused because they ended: once more with others, whatever the limits and the request say; no second time */
static void
test_ended(void)
{
	static const net_step once[] = {{ACT_STATUS, 403, 0, "x-code: Ended\r\n"}, {ACT_SHOW}};
	static const net_step always[] = {{ACT_STATUS, 403, 0, "x-code: Ended\r\n"}};
	static const net_step other[] = {{ACT_STATUS, 403, 0, "x-code: Other\r\n"}};

	for (int i = 0; i < 3; i++)
	{
		hand		h = {.left_us = INT64_C(3600) * 1000000, .at_once = i == 0};
		net_rig		rig;
		mcn_request req;
		mcn_credentials *credentials;

		net_rig_init(&rig, i == 0 ? once : i == 1 ? always : other, i == 0 ? 2 : 1);
		rig.options.max_retries = 0;
		net_rig_options(&rig);
		credentials = hand_create(&h, rig.loop);
		mcn_channel_set_credentials(rig.channel, credentials, ended);
		mcn_credentials_release(credentials);
		request(&req, &rig);
		mcn_request_start(&req);
		while (req.active)
		{
			if (h.waiting)
				hand_answer(&h, credentials);
			(void) mcn_loop_step(rig.loop, 10);
		}
		CHECK_INT(req.status, i == 0 ? MCW_OK : MCW_ERR_SERVICE);
		CHECK_INT(rig.server.requests, i == 2 ? 1 : 2);
		CHECK_INT(h.fetches, i == 2 ? 1 : 2);
		if (i == 0)
			CHECK(memmem(req.response.data, req.response.len, "x-id: id-2", 10) != NULL);
		else
			CHECK(!req.error.of_credentials);
		end(&req);
		net_rig_free(&rig);
		CHECK(h.destroyed);
	}
}

/* The source fails: all who wait get its error; a good set is used as long as it lasts */
static void
test_source_fails(void)
{
	static const net_step step = {ACT_SHOW};
	hand		h = {.fails = true};
	net_rig		rig;
	mcn_request reqs[3];
	mcn_credentials *credentials;

	net_rig_init(&rig, &step, 1);
	credentials = hand_create(&h, rig.loop);
	mcn_channel_set_credentials(rig.channel, credentials, ended);
	for (int at_once = 0; at_once < 2; at_once++)
	{
		h.at_once = at_once == 1;
		for (int i = 0; i < 3; i++)
		{
			request(&reqs[i], &rig);
			mcn_request_start(&reqs[i]);
		}
		steps(rig.loop, 2);
		if (!at_once)
			hand_answer(&h, credentials);
		for (int i = 0; i < 3; i++)
		{
			CHECK_INT(mcn_request_wait(&reqs[i]), MCW_ERR_SERVICE);
			CHECK(reqs[i].error.of_credentials);
			CHECK_STR(reqs[i].error.message, "the source says no");
			CHECK_INT(reqs[i].attempts, 0);
			CHECK(!reqs[i].sent);
			end(&reqs[i]);
		}
	}
	CHECK_INT(rig.server.requests, 0);
	CHECK_INT(mcn_credentials_renew(credentials, 1, 0, &rig.error), MCW_ERR_SERVICE);
	/* 40 ms of life: after 30 it asks for others, which fail, and goes on with these; then they end */
	h.fails = false;
	h.left_us = 40000;
	request(&reqs[0], &rig);
	CHECK_OK(net_go(&reqs[0]));
	end(&reqs[0]);
	h.fails = true;
	while (mcn_credentials_left_us(credentials) > 0)
		usleep(1000);
	request(&reqs[0], &rig);
	CHECK_INT(net_go(&reqs[0]), MCW_ERR_SERVICE);
	CHECK(reqs[0].error.of_credentials);
	end(&reqs[0]);
	/* a set that ended before it came is no reason to go round in circles */
	h.fails = false;
	h.left_us = -1;
	request(&reqs[0], &rig);
	CHECK_INT(net_go(&reqs[0]), MCW_ERR_SERVICE);
	CHECK(reqs[0].error.of_credentials);
	end(&reqs[0]);
	/* for ever */
	h.left_us = 0;
	request(&reqs[0], &rig);
	CHECK_OK(net_go(&reqs[0]));
	end(&reqs[0]);
	CHECK(mcn_credentials_left_us(credentials) == INT64_MAX);
	/* cancelled while it waits */
	mcn_credentials_release(credentials);
	net_rig_free(&rig);
	CHECK(h.destroyed);
}

/* ---- the sources against odd answers ---- */

static const char *reply = "";
static int	reply_code = 200;
static char seen[8192];

static bool
answer(net_conn *c, const char *head, mcw_view body)
{
	(void) snprintf(seen, sizeof(seen), "%s", head);
	if (strncmp(head, "PUT /latest/api/token ", 22) == 0)
		return net_sendf(c, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd");
	return net_sendf(c, "HTTP/1.1 %d Word\r\nDate: Wed, 15 Nov 2023 06:13:20 GMT\r\nContent-Length: %zu\r\n\r\n%s", reply_code,
					 strlen(reply), reply);
}

typedef struct odd
{
	int			code;
	const char *text;
	mcw_status	status;
	const char *service_code;
} odd;

#define SET "\"AccessKeyId\":\"STS.a\",\"AccessKeySecret\":\"b\",\"SecurityToken\":\"c\""

static void
ask(const odd *o, bool role)
{
	net_rig		rig;
	mcn_channel *channel;
	mcn_credentials *credentials;
	mcw_error	err;
	mcs_role	how = {
		.keys = {MCW_LIT("testid"), MCW_LIT("a-long-test-secret"), MCW_LIT("a-long-test-token")},
		.arn = MCW_LIT("acs:ram::1:role/a"), .session_name = MCW_LIT("me"), .duration_s = 900
	};

	net_rig_init(&rig, NULL, 0);
	rig.server.handler = answer;
	rig.options.max_retries = 0;
	reply = o->text;
	reply_code = o->code;
	channel = mcn_channel_create(rig.loop, &mcw_malloc, mcw_str(rig.server.url), MCW_LIT(""), &rig.options,
								 role ? mcs_sts_retry_rules : mcs_metadata_retry_rules, &err);
	credentials = role ? mcs_sts_assume_role(rig.loop, channel, &how, &err) :
		mcs_metadata_role(rig.loop, channel, MCW_LIT("worker"), &err);
	if (!CHECK(credentials != NULL))
		exit(2);
	CHECK_INT(mcn_credentials_renew(credentials, 1000, 0, &err), o->status);
	if (o->status == MCW_OK)
	{
		/* an hour by the clock of the answer, though that is years ago */
		CHECK(mcn_credentials_left_us(credentials) > INT64_C(3500) * 1000000);
		CHECK(mcn_credentials_left_us(credentials) <= INT64_C(3600) * 1000000);
	}
	else
	{
		CHECK(err.of_credentials);
		CHECK(strncmp(err.message, "could not get temporary credentials", 35) == 0);
		CHECK_STR(err.code, o->service_code ? o->service_code : "");
		CHECK(strstr(err.text, "a-long-test") == NULL);
	}
	CHECK(strstr(seen, "a-long-test-secret") == NULL);
	CHECK(role ? strstr(seen, "Signature=") != NULL : strstr(seen, "X-aliyun-ecs-metadata-token: abcd") != NULL);
	mcn_credentials_release(credentials);
	net_rig_free(&rig);
}

static void
test_answers(void)
{
	static const odd role[] = {
		{200, "{\"RequestId\":\"r\",\"Credentials\":{" SET ",\"Expiration\":\"2023-11-15T07:13:20Z\"}}", MCW_OK},
		{200, "{\"Credentials\":{" SET ",\"Expiration\":\"soon\"}}", MCW_ERR_FORMAT},
		{200, "{\"Credentials\":{" SET "}}", MCW_ERR_FORMAT},
		{200, "{\"Credentials\":{\"AccessKeyId\":\"STS.a\",\"AccessKeySecret\":\"b\",\"Expiration\":\"2023-11-15T07:13:20Z\"}}", MCW_ERR_FORMAT},
		{200, "{\"Credentials\":7}", MCW_ERR_FORMAT},
		{200, "[]", MCW_ERR_FORMAT},
		{200, "", MCW_ERR_FORMAT},
		{200, "<html>sign in</html>", MCW_ERR_FORMAT},
		{403, "{\"RequestId\":\"r\",\"Code\":\"NoPermission\",\"Message\":\"not with a-long-test-secret or a-long-test-token\"}", MCW_ERR_SERVICE, "NoPermission"},
		{404, "<html></html>", MCW_ERR_SERVICE},
		{302, "", MCW_ERR_SERVICE},
		{503, "", MCW_ERR_SERVICE},
	};
	static const odd instance[] = {
		{200, "{" SET ",\"Expiration\":\"2023-11-15T07:13:20Z\",\"LastUpdated\":\"2023-11-15T06:13:20Z\",\"Code\":\"Success\"}", MCW_OK},
		{200, "{" SET ",\"Expiration\":\"2023-11-15T07:13:20Z\",\"Code\":\"Failed\"}", MCW_ERR_SERVICE, "Failed"},
		{200, "{\"Code\":\"Success\"}", MCW_ERR_FORMAT},
		{200, "worker", MCW_ERR_FORMAT},
		{404, "", MCW_ERR_SERVICE, "NoSuchRole"},
		{403, "", MCW_ERR_SERVICE},
	};

	for (size_t i = 0; i < sizeof(role) / sizeof(role[0]); i++)
		ask(&role[i], true);
	for (size_t i = 0; i < sizeof(instance) / sizeof(instance[0]); i++)
		ask(&instance[i], false);
}

static const unit_case cases[] = {
	{"signature", test_signature},
	{"waiting", test_wait},
	{"ended", test_ended},
	{"failing source", test_source_fails},
	{"answers", test_answers},
};

UNIT_MAIN(cases)
