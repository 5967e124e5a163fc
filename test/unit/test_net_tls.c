/*
 * test_net_tls.c
 *		net: HTTPS.  Certificates are made by the test, the server answers "ok".
 */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net_server.h"

#define TLS_MAX_CONNECTIONS 64

typedef struct tls_server
{
	SSL_CTX    *ctx;
	int			fd;
	int			port;
	int			stop[2];
	pthread_t	thread;
	pthread_t	threads[TLS_MAX_CONNECTIONS];
	int			nthreads;
	char		url[64];
} tls_server;

/* A self-signed certificate for 'name' ("IP:127.0.0.1"), written to 'path' */
static bool
make_certificate(SSL_CTX *ctx, const char *path, const char *name)
{
	EVP_PKEY   *key = EVP_EC_gen("P-256");
	X509	   *cert = X509_new();
	X509_EXTENSION *ext;
	X509_NAME  *subject = X509_get_subject_name(cert);
	FILE	   *file;
	bool		ok;

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *) "mc_fdw test", -1, -1, 0);
	X509_set_issuer_name(cert, subject);
	X509_set_pubkey(cert, key);
	ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, name);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
	ok = X509_sign(cert, key, EVP_sha256()) > 0 &&
		SSL_CTX_use_certificate(ctx, cert) == 1 && SSL_CTX_use_PrivateKey(ctx, key) == 1;
	if ((file = fopen(path, "w")) == NULL)
		ok = false;
	else
	{
		ok = ok && PEM_write_X509(file, cert) == 1;
		(void) fclose(file);
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

typedef struct tls_conn
{
	tls_server *server;
	int			fd;
} tls_conn;

static void *
tls_connection(void *arg)
{
	static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
	tls_conn   *c = arg;
	SSL		   *ssl = SSL_new(c->server->ctx);
	char		buf[4096];

	SSL_set_fd(ssl, c->fd);
	if (SSL_accept(ssl) == 1)
	{
		while (SSL_read(ssl, buf, sizeof(buf)) > 0 && SSL_write(ssl, answer, sizeof(answer) - 1) > 0)
			continue;
	}
	ERR_clear_error();
	SSL_free(ssl);
	(void) close(c->fd);
	free(c);
	return NULL;
}

static void *
tls_accepter(void *arg)
{
	tls_server *server = arg;
	struct pollfd p[2] = {{server->fd, POLLIN, 0}, {server->stop[0], POLLIN, 0}};

	for (;;)
	{
		tls_conn   *c;

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			return NULL;
		c = calloc(1, sizeof(*c));
		c->server = server;
		c->fd = accept(server->fd, NULL, NULL);
		if (server->nthreads == TLS_MAX_CONNECTIONS ||
			pthread_create(&server->threads[server->nthreads++], NULL, tls_connection, c) != 0)
			abort();
	}
}

static void
tls_start(tls_server *server, const char *path, const char *name)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t	len = sizeof(addr);

	memset(server, 0, sizeof(*server));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	server->ctx = SSL_CTX_new(TLS_server_method());
	server->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (!make_certificate(server->ctx, path, name) ||
		bind(server->fd, (struct sockaddr *) &addr, len) != 0 || listen(server->fd, 16) != 0 ||
		getsockname(server->fd, (struct sockaddr *) &addr, &len) != 0 || pipe(server->stop) != 0 ||
		pthread_create(&server->thread, NULL, tls_accepter, server) != 0)
	{
		printf("could not start the TLS server\n");
		exit(2);
	}
	server->port = ntohs(addr.sin_port);
	(void) snprintf(server->url, sizeof(server->url), "https://127.0.0.1:%d", server->port);
}

static void
tls_stop(tls_server *server)
{
	if (write(server->stop[1], "x", 1) != 1)
		abort();
	pthread_join(server->thread, NULL);
	for (int i = 0; i < server->nthreads; i++)
		pthread_join(server->threads[i], NULL);
	(void) close(server->fd);
	(void) close(server->stop[0]);
	(void) close(server->stop[1]);
	SSL_CTX_free(server->ctx);
}

/* One GET; the words are expected in the error's message */
static void
try_get(mcn_loop *loop, const char *url, const char *ca_file, mcw_status want, int attempts, const char *words)
{
	mcn_options options = mcn_default_options;
	mcw_error	error;
	mcn_channel *channel;
	mcn_request req;

	options.ca_file = ca_file;
	options.max_retries = 2;
	options.stall_timeout_ms = 5000;
	channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(url), MCW_LIT(""), &options, NULL, &error);
	net_request(&req, channel, "GET", "/");
	for (int i = 0; i < 2; i++)
	{
		if (!CHECK_INT(net_go(&req), want) || !CHECK(strstr(req.error.message, words) != NULL))
			printf("    %s\n", req.error.message);
		CHECK_INT(req.attempts, attempts);
		CHECK_INT(req.sent, want == MCW_OK);
	}
	net_done(&req);
	mcn_channel_free(channel);
}

static void
test_verification(void)
{
	char		good[] = "/tmp/mc_net_good_XXXXXX";
	char		other[] = "/tmp/mc_net_other_XXXXXX";
	tls_server	server;
	tls_server	wrong;
	net_host	host = {0};
	mcn_loop   *loop = net_loop(&host);
	char		plain[64];

	(void) close(mkstemp(good));
	(void) close(mkstemp(other));
	tls_start(&server, good, "IP:127.0.0.1");
	tls_start(&wrong, other, "DNS:elsewhere.example");

	/* the same handles serve all, so an option left over from before would show */
	for (int round = 0; round < 2; round++)
	{
		try_get(loop, server.url, NULL, MCW_ERR_CONNECT, 1, "certificate of 127.0.0.1:");
		try_get(loop, server.url, good, MCW_OK, 1, "");
		try_get(loop, server.url, other, MCW_ERR_CONNECT, 1, "certificate of 127.0.0.1:");
		try_get(loop, wrong.url, other, MCW_ERR_CONNECT, 1, "certificate of 127.0.0.1:");
		try_get(loop, server.url, "/nonexistent/ca.pem", MCW_ERR_CONNECT, 1, "file of trusted certificates \"/nonexistent/ca.pem\"");
		try_get(loop, server.url, NULL, MCW_ERR_CONNECT, 1, "certificate of 127.0.0.1:");
	}

	/* plain HTTP spoken to a TLS port and the reverse */
	(void) snprintf(plain, sizeof(plain), "http://127.0.0.1:%d", server.port);
	{
		mcn_options options = mcn_default_options;
		mcw_error	error;
		mcn_channel *channel;
		mcn_request req;

		options.max_retries = 0;
		channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(plain), MCW_LIT(""), &options, NULL, &error);
		net_request(&req, channel, "GET", "/");
		CHECK(net_go(&req) != MCW_OK);
		net_done(&req);
		mcn_channel_free(channel);
	}
	mcn_loop_free(loop);
	CHECK_INT(host.fds, 0);
	tls_stop(&server);
	tls_stop(&wrong);
	(void) unlink(good);
	(void) unlink(other);
}

static void
test_not_tls(void)
{
	static const net_step steps[] = {{ACT_GARBAGE}};
	net_server	server;
	net_host	host = {0};
	mcn_loop   *loop = net_loop(&host);
	int			fd;
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t	len = sizeof(addr);
	char		url[64];

	/* a server that never answers the handshake: the connect timeout covers it */
	fd = socket(AF_INET, SOCK_STREAM, 0);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(fd, (struct sockaddr *) &addr, len), 0);
	CHECK_INT(listen(fd, 16), 0);
	CHECK_INT(getsockname(fd, (struct sockaddr *) &addr, &len), 0);
	(void) snprintf(url, sizeof(url), "https://127.0.0.1:%d", ntohs(addr.sin_port));
	{
		mcn_options options = mcn_default_options;
		mcw_error	error;
		mcn_channel *channel;
		mcn_request req;

		options.max_retries = 1;
		options.connect_timeout_ms = 200;
		channel = mcn_channel_create(loop, &mcw_malloc, mcw_str(url), MCW_LIT(""), &options, NULL, &error);
		net_request(&req, channel, "GET", "/");
		req.no_retry_after_send = true;
		CHECK_INT(net_go(&req), MCW_ERR_TIMEOUT);
		CHECK(strstr(req.error.message, "could not connect to 127.0.0.1:") != NULL);
		CHECK_INT(req.attempts, 2);
		CHECK(!req.sent);
		net_done(&req);
		mcn_channel_free(channel);
	}
	(void) close(fd);

	/* a listener that is closed at once in the handshake */
	net_start(&server, steps, 1);
	(void) snprintf(url, sizeof(url), "https://127.0.0.1:%d", server.port);
	net_stop(&server);
	try_get(loop, url, NULL, MCW_ERR_CONNECT, 3, "could not connect to 127.0.0.1:");
	mcn_loop_free(loop);
	CHECK_INT(host.fds, 0);
}

static const unit_case cases[] = {
	{"verification", test_verification},
	{"not TLS", test_not_tls},
};

int
main(void)
{
	(void) signal(SIGPIPE, SIG_IGN);	/* the test's own SSL server */
	return unit_run(__FILE__, cases, sizeof(cases) / sizeof(cases[0]));
}
