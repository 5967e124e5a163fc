/*
 * test_net_request.c
 *		net: what goes over the wire and what comes back, when nothing fails.
 */
#include "net_server.h"

static char *
body_text(mcn_request *req)
{
	const char *text = mcw_buf_cstr(&req->response);

	return (char *) (text ? text : "");
}

static void
test_get(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 1000}};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 1);
	net_request(&req, rig.channel, "GET", "/a");
	for (int i = 0; i < 5; i++)
	{
		CHECK_OK(net_go(&req));
		CHECK_INT(req.http_status, 200);
		CHECK_INT(req.response.len, 1000);
		CHECK_INT(req.attempts, 1);
		CHECK(req.sent);
		CHECK_VIEW(mcn_response_header(&req, "X-TEST"), mcw_str("value"));
		CHECK(mcn_response_header(&req, "x-tes").data == NULL);
	}
	CHECK_INT(rig.server.connections, 1);
	CHECK_INT(mcn_channel_stats(rig.channel)->requests, 5);
	CHECK_INT(mcn_channel_stats(rig.channel)->bytes_in, 5000);
	CHECK_INT(mcn_channel_stats(rig.channel)->last_date, 1700028800);
	CHECK(mcn_channel_service_now(rig.channel) >= INT64_C(1700028800000000));

	/* the connection serves another channel too */
	net_rig_options(&rig);
	net_done(&req);
	net_request(&req, rig.channel, "GET", "/a");
	CHECK_OK(net_go(&req));
	CHECK_INT(rig.server.connections, 1);
	net_done(&req);
	net_rig_free(&rig);
}

static mcw_status
prepare_header(mcn_request *req, mcw_buf *scratch, mcw_error *err)
{
	size_t		at = scratch->len;

	CHECK_INT(scratch->len, 0);
	(void) mcw_buf_append_str(scratch, "signed by nobody");
	return mcw_request_header(&req->http, MCW_LIT("Authorization"),
							  (mcw_view) {scratch->data + at, scratch->len - at});
}

static void
test_wire_bytes(void)
{
	static const net_step steps[] = {{ACT_SHOW}};
	net_rig		rig;
	mcn_request req;
	char		want[1024];

	net_rig_init(&rig, steps, 1);
	net_request(&req, rig.channel, "GET", "/logstores/a b/../shards/\xc3\xa4");
	req.http.path_prefix = MCW_LIT("/api");
	req.prepare = prepare_header;
	CHECK_OK(mcw_request_param(&req.http, MCW_LIT("type"), MCW_LIT("log/x+y")));
	CHECK_OK(mcw_request_param(&req.http, MCW_LIT("flag"), (mcw_view) {NULL, 0}));
	CHECK_OK(mcw_request_header(&req.http, MCW_LIT("x-LOG-apiVersion"), MCW_LIT("0.6.0")));
	CHECK_OK(mcw_request_header(&req.http, MCW_LIT("x-empty"), MCW_LIT("")));
	CHECK_OK(mcw_request_header(&req.http, MCW_LIT("Accept-Encoding"), MCW_LIT("lz4")));
	CHECK_OK(net_go(&req));
	(void) snprintf(want, sizeof(want),
					"GET /api/logstores/a%%20b/../shards/%%C3%%A4?type=log%%2Fx%%2By&flag HTTP/1.1\r\n"
					"User-Agent: mc_fdw/1.0\r\nx-LOG-apiVersion: 0.6.0\r\nx-empty:\r\nAccept-Encoding: lz4\r\n"
					"Authorization: signed by nobody\r\nHost: 127.0.0.1:%d\r\n\r\n", rig.server.port);
	CHECK(strncmp(body_text(&req), "GET /api/logstores/a%20b/../shards/%C3%A4?", 42) == 0);
	CHECK(strstr(body_text(&req), "\r\nx-LOG-apiVersion: 0.6.0\r\n") != NULL);
	CHECK(strstr(body_text(&req), "\r\nx-empty:\r\n") != NULL);
	CHECK(strstr(body_text(&req), "\r\nAccept-Encoding: lz4\r\n") != NULL);
	CHECK(strstr(body_text(&req), "\r\nAuthorization: signed by nobody\r\n") != NULL);
	CHECK(strstr(body_text(&req), "\r\nUser-Agent: mc_fdw/1.0\r\n") != NULL);
	CHECK(strstr(body_text(&req), "\r\nAccept: ") == NULL);
	CHECK_INT(req.response.len, strlen(want));	/* nothing else in it */
	net_done(&req);

	/* an empty POST says so; no content type is invented; the caller's Host wins */
	net_request(&req, rig.channel, "POST", "/p");
	CHECK_OK(mcw_request_header(&req.http, MCW_LIT("Host"), MCW_LIT("other.example")));
	CHECK_OK(mcw_request_header(&req.http, MCW_LIT("Content-Length"), MCW_LIT("12")));
	CHECK_OK(net_go(&req));
	CHECK(strstr(body_text(&req), "\r\nContent-Length: 0\r\n") != NULL);
	CHECK(strstr(body_text(&req), "Content-Length: 12") == NULL);
	CHECK(strstr(body_text(&req), "Content-Type") == NULL);
	CHECK(strstr(body_text(&req), "\r\nHost: other.example\r\n") != NULL);
	CHECK(strstr(body_text(&req), "127.0.0.1") == NULL);
	net_done(&req);

	net_request(&req, rig.channel, "DELETE", "/d");
	CHECK_OK(net_go(&req));
	CHECK(strncmp(body_text(&req), "DELETE /d HTTP/1.1\r\n", 20) == 0);
	CHECK(strstr(body_text(&req), "Content-Length") == NULL);
	net_done(&req);
	net_rig_free(&rig);
}

/* past the check of mcw_request_header: net has its own */
static void
force_header(mcn_request *req, mcw_view name, mcw_view value)
{
	req->http.headers[req->http.nheaders++] = (mcw_pair) {name, value};
}

static void
test_bad_requests(void)
{
	static const net_step steps[] = {{ACT_SHOW}};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 1);
	net_request(&req, rig.channel, "GET", "/");
	force_header(&req, MCW_LIT("x-a"), MCW_LIT("secret\r\nx-b: 1"));
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	CHECK(strstr(req.error.message, "x-a") != NULL);
	CHECK(strstr(req.error.message, "secret") == NULL);
	net_done(&req);

	net_request(&req, rig.channel, "GET", "/");
	force_header(&req, MCW_LIT("x-a"), MCW_LIT("nul\0byte"));
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	net_done(&req);

	net_request(&req, rig.channel, "GET", "/");
	force_header(&req, MCW_LIT("x a"), MCW_LIT("v"));
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	net_done(&req);

	net_request(&req, rig.channel, "GE T", "/");
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	net_done(&req);

	net_request(&req, rig.channel, "", "/");
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	net_done(&req);

	net_request(&req, rig.channel, "HEAD", "/");
	req.is_head = true;
	req.body = MCW_LIT("x");
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	net_done(&req);

	mcn_request_init(&req, rig.channel);	/* no response buffer */
	req.http.method = MCW_LIT("GET");
	CHECK_INT(net_go(&req), MCW_ERR_ARGUMENT);
	CHECK_INT(rig.server.requests, 0);
	net_rig_free(&rig);
}

static void
test_bodies(void)
{
	static const net_step steps[] = {{ACT_ECHO}};
	static const size_t sizes[] = {1, 100, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1, 5 * 1000 * 1000};
	static const char *methods[] = {"POST", "PUT"};
	unit_random random = {42};
	net_rig		rig;

	net_rig_init(&rig, steps, 1);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int chunked = 0; chunked < 2; chunked++)
			for (int m = 0; m < 2; m++)
			{
				char	   *data = malloc(sizes[i]);
				char		want[256];
				mcn_request req;

				unit_fill(&random, data, sizes[i], 256);
				net_request(&req, rig.channel, methods[m], "/up");
				req.body = (mcw_view) {data, sizes[i]};
				req.chunked = chunked;
				CHECK_OK(net_go(&req));
				(void) snprintf(want, sizeof(want), "%s /up %zu %08x %s", methods[m], sizes[i],
								mcw_crc32c(0, data, sizes[i]), chunked ? "chunked" : "sized");
				CHECK_STR(body_text(&req), want);
				net_done(&req);
				free(data);
			}
	CHECK_INT(rig.server.connections, 1);
	CHECK_INT(mcn_channel_stats(rig.channel)->bytes_out, rig.server.body_bytes);
	net_rig_free(&rig);
}

/* The easy handle forgets what the request before it was. */
static void
test_mixed_methods(void)
{
	static const net_step steps[] = {{ACT_ECHO}};
	net_rig		rig;
	mcn_request req;
	char	   *big = calloc(1, 100000);

	net_rig_init(&rig, steps, 1);
	for (int i = 0; i < 64; i++)
	{
		int			kind = (i * 7 + i / 8) % 8;
		const char *method = kind < 2 ? "GET" : kind < 4 ? "POST" : kind < 6 ? "PUT" : "DELETE";
		size_t		len = kind == 0 || kind >= 6 ? 0 : kind % 2 ? 100000 : 5;
		char		want[128];

		net_request(&req, rig.channel, method, "/m");
		req.body = (mcw_view) {big, len};
		req.chunked = kind == 3;
		CHECK_OK(net_go(&req));
		(void) snprintf(want, sizeof(want), "%s /m %zu %08x %s", method, len, mcw_crc32c(0, big, len),
						kind == 3 ? "chunked" : len > 0 ? "sized" : "none");
		CHECK_STR(body_text(&req), want);
		net_done(&req);
	}
	net_rig_free(&rig);
	free(big);
}

static void
test_answers(void)
{
	static const net_step steps[] = {
		{ACT_CHUNKED, 0, 50000}, {ACT_CONTINUE, 0, 10}, {ACT_OK, 0, 0}, {ACT_CLOSE, 0, 300000},
		{ACT_OK, 0, 20 * 1024 * 1024}, {ACT_OK, 0, 500}, {ACT_DRIP, 0, 20}
	};
	net_rig		rig;
	mcn_request req;

	net_rig_init(&rig, steps, 7);
	net_request(&req, rig.channel, "GET", "/");
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 50000);
	CHECK_VIEW(mcn_response_header(&req, "x-sum"), mcw_str("77"));
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 10);
	CHECK(mcn_response_header(&req, "x-early").data == NULL);
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 0);
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 300000);
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 20 * 1024 * 1024);
	CHECK_INT(req.response.cap, 20 * 1024 * 1024);	/* reserved once, by Content-Length */
	CHECK_VIEW(((mcw_view) {req.response.data, 27}), mcw_str("abcdefghijklmnopqrstuvwxyza"));
	req.http.method = MCW_LIT("HEAD");	/* is_head follows from it */
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 0);
	CHECK_VIEW(mcn_response_header(&req, "content-length"), mcw_str("500"));
	req.http.method = MCW_LIT("GET");
	CHECK_OK(net_go(&req));
	CHECK_INT(req.response.len, 20);
	net_done(&req);
	net_rig_free(&rig);
}

static void
test_limits(void)
{
	static const net_step steps[] = {
		{ACT_OK, 0, 1001}, {ACT_OK, 0, 1000}, {ACT_CHUNKED, 0, 1001}, {ACT_CLOSE, 0, 1001}, {ACT_CHUNKED, 0, 1000},
		{ACT_MANY_HEADERS}, {ACT_BIG_HEADERS}, {ACT_LONG_HEADER}, {ACT_OK, 0, 5}
	};
	static const mcw_status want[] = {
		MCW_ERR_LIMIT, MCW_OK, MCW_ERR_LIMIT, MCW_ERR_LIMIT, MCW_OK,
		MCW_ERR_LIMIT, MCW_ERR_LIMIT, MCW_ERR_LIMIT, MCW_OK
	};
	net_rig		rig;

	net_rig_init(&rig, steps, 9);
	for (int i = 0; i < 9; i++)
	{
		mcn_request req;

		net_request(&req, rig.channel, "GET", "/");
		mcw_buf_init(&req.response, &mcw_malloc, 1000);
		if (!CHECK_INT(net_go(&req), want[i]))
			printf("    step %d: %s\n", i, req.error.message);
		CHECK_INT(req.attempts, 1);
		CHECK(req.response.len <= 1000);
		net_done(&req);
	}
	net_rig_free(&rig);
}

typedef struct many
{
	mcn_request req;
	int		   *left;
	int			rounds;
} many;

static void
again(mcn_request *req)
{
	many	   *m = req->owner;

	CHECK_INT(req->status, MCW_OK);
	CHECK_INT(req->response.len, 3000);
	if (--m->rounds > 0)
		mcn_request_start(req);
	else
		--*m->left;
}

static void
test_parallel(void)
{
	static const net_step steps[] = {{ACT_OK, 0, 3000}};
	net_rig		rig;
	many		all[50];
	int			left = 50;

	net_rig_init(&rig, steps, 1);
	for (int i = 0; i < 50; i++)
	{
		net_request(&all[i].req, rig.channel, "GET", "/");
		all[i].req.owner = &all[i];
		all[i].req.on_done = again;
		all[i].left = &left;
		all[i].rounds = 10;
		mcn_request_start(&all[i].req);
	}
	while (left > 0 && CHECK_OK(mcn_loop_step(rig.loop, -1)))
		continue;
	CHECK_INT(rig.server.requests, 500);
	CHECK(rig.server.connections <= 50);
	CHECK_INT(mcn_channel_stats(rig.channel)->requests, 500);
	CHECK_INT(mcn_channel_stats(rig.channel)->bytes_in, 1500000);
	for (int i = 0; i < 50; i++)
		net_done(&all[i].req);
	net_rig_free(&rig);
}

static void
check_endpoint(mcn_loop *loop, const char *endpoint, const char *virtual_host,
			   const char *host, const char *url, const char *prefix, bool tls)
{
	mcw_error	error;
	mcn_channel *channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(endpoint), mcw_str(virtual_host), NULL, NULL, &error);

	if (host == NULL)
	{
		CHECK(channel == NULL);
		CHECK_INT(error.status, MCW_ERR_ARGUMENT);
		CHECK(strstr(error.message, "secret") == NULL);
	}
	else if (CHECK(channel != NULL))
	{
		CHECK_STR(mcn_channel_host(channel), host);
		CHECK_STR(mcn_channel_url(channel), url);
		CHECK_VIEW(mcn_channel_prefix(channel), mcw_str(prefix));
		CHECK_INT(mcn_channel_is_tls(channel), tls);
	}
	else
		printf("    %s: %s\n", endpoint, error.message);
	mcn_channel_free(channel);
}

static void
test_endpoints(void)
{
	net_host	host = {0};
	mcn_loop   *loop = net_loop(&host);
	static const char *const bad[] = {
		"", "example.com", "ftp://example.com", "file:///etc/passwd", "http://", "http:///x", "http://:80",
		"http://user:secret@example.com", "http://example.com?secret", "http://example.com/#a", "http://example.com:0",
		"http://example.com:65536", "http://example.com:", "http://example.com:8x", "http://a b", "http://a\nb",
		"http://[::1", "http://[::g]", "http://[::1]x", "http://-a", "http://a..b", "http://a\\b", "http://ex\xc3\xa4mple"
	};

	check_endpoint(loop, "http://cn-hangzhou.log.aliyuncs.com", "proj", "proj.cn-hangzhou.log.aliyuncs.com",
				   "http://proj.cn-hangzhou.log.aliyuncs.com", "", false);
	check_endpoint(loop, "HTTPS://service.odps.aliyun.com/api/", "", "service.odps.aliyun.com",
				   "https://service.odps.aliyun.com", "/api", true);
	check_endpoint(loop, "http://h:80/", "", "h", "http://h", "", false);
	check_endpoint(loop, "https://h:443", "", "h", "https://h", "", true);
	check_endpoint(loop, "https://h:80", "", "h:80", "https://h:80", "", true);
	check_endpoint(loop, "http://127.0.0.1:8080/a/b", "p", "p.127.0.0.1:8080", "http://127.0.0.1:8080", "/a/b", false);
	check_endpoint(loop, "http://[::1]:8080", "p", "p.[::1]:8080", "http://[::1]:8080", "", false);
	check_endpoint(loop, "http://localhost:1", "p", "p.localhost:1", "http://p.localhost:1", "", false);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_endpoint(loop, bad[i], "", NULL, NULL, NULL, false);
	check_endpoint(loop, "http://h", "a/b", NULL, NULL, NULL, false);
	check_endpoint(loop, "http://h", "a@b", NULL, NULL, NULL, false);
	mcn_loop_free(loop);
	CHECK_INT(host.fds, 0);
}

static void
test_virtual_host(void)
{
	static const net_step steps[] = {{ACT_SHOW}};
	net_rig		rig;
	mcn_request req;
	char		url[64];
	char		want[64];

	net_rig_init(&rig, steps, 1);
	for (int i = 0; i < 2; i++)
	{
		mcn_channel *channel;

		(void) snprintf(url, sizeof(url), "http://%s:%d", i ? "localhost" : "127.0.0.1", rig.server.port);
		channel = mcn_channel_create(rig.loop, &mcw_malloc, mcw_str(url), MCW_LIT("proj"), NULL, NULL, &rig.error);
		if (!CHECK(channel != NULL))
			break;
		net_request(&req, channel, "GET", "/");
		CHECK_OK(net_go(&req));
		(void) snprintf(want, sizeof(want), "\r\nHost: proj.%s:%d\r\n", i ? "localhost" : "127.0.0.1", rig.server.port);
		CHECK(strstr(body_text(&req), want) != NULL);
		net_done(&req);
		mcn_channel_free(channel);
	}
	net_rig_free(&rig);
}

/* An HTTP proxy gets the absolute form; ours answers by itself. */
static void
test_proxy(void)
{
	static const net_step steps[] = {{ACT_SHOW}};
	net_rig		rig;
	mcn_request req;
	mcn_channel *channel;

	net_rig_init(&rig, steps, 1);
	rig.options.proxy = rig.server.url;
	channel = mcn_channel_create(rig.loop, &mcw_malloc, MCW_LIT("http://nowhere.invalid:81/api"), MCW_LIT("p"), &rig.options, NULL, &rig.error);
	if (CHECK(channel != NULL))
	{
		net_request(&req, channel, "GET", "/x");
		req.http.path_prefix = mcn_channel_prefix(channel);
		CHECK_OK(net_go(&req));
		CHECK(strncmp(body_text(&req), "GET http://p.nowhere.invalid:81/api/x HTTP/1.1\r\n", 48) == 0);
		CHECK(strstr(body_text(&req), "\r\nHost: p.nowhere.invalid:81\r\n") != NULL);
		net_done(&req);
	}
	mcn_channel_free(channel);

	/* the environment is not asked */
	(void) setenv("http_proxy", "http://127.0.0.1:1", 1);
	net_request(&req, rig.channel, "GET", "/x");
	CHECK_OK(net_go(&req));
	net_done(&req);
	(void) unsetenv("http_proxy");
	net_rig_free(&rig);
}

static const unit_case cases[] = {
	{"get", test_get},
	{"wire bytes", test_wire_bytes},
	{"bad requests", test_bad_requests},
	{"bodies", test_bodies},
	{"mixed methods", test_mixed_methods},
	{"answers", test_answers},
	{"limits", test_limits},
	{"parallel", test_parallel},
	{"endpoints", test_endpoints},
	{"virtual host", test_virtual_host},
	{"proxy", test_proxy},
};

UNIT_MAIN(cases)
