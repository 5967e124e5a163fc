/*
 * net_speed.c
 *		Measures the network layer alone on loopback: small requests, one at a time and
 *		many in flight, and one large body in each direction.  The server is a forked
 *		process that does as little as possible.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <unistd.h>

#include "../../src/net/mcn.h"

#define BIG (INT64_C(1) << 30)

static char block[1 << 20];

static void
put(int fd, const char *data, size_t len)
{
	while (len > 0)
	{
		ssize_t		n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			_exit(0);
		data += n;
		len -= n;
	}
}

static void *
serve(void *arg)
{
	int			fd = (int) (intptr_t) arg;
	static __thread char buf[1 << 20];
	size_t		have = 0;
	ssize_t		n;

	while ((n = recv(fd, buf + have, sizeof(buf) - 1 - have, 0)) > 0)
	{
		char	   *end;

		have += n;
		buf[have] = '\0';
		while ((end = strstr(buf, "\r\n\r\n")) != NULL)
		{
			size_t		head = end + 4 - buf;
			char	   *field = strstr(buf, "Content-Length: ");
			int64_t		body = field && field < end ? atoll(field + 16) : 0;
			bool		chunked = strstr(buf, "chunked") != NULL;
			bool		big = strncmp(buf, "GET /big", 8) == 0;
			char		line[128];

			have -= head;
			memmove(buf, buf + head, have + 1);
			if (chunked)
			{
				/* the end of the only chunked upload of a run is the terminator at the end of a read */
				while (have < 5 || memcmp(buf + have - 5, "0\r\n\r\n", 5) != 0)
				{
					char		tail[8];
					size_t		keep = have < 5 ? have : 5;

					memcpy(tail, buf + have - keep, keep);
					memcpy(buf, tail, keep);
					if ((n = recv(fd, buf + keep, sizeof(buf) - 1 - keep, 0)) <= 0)
						return NULL;
					have = keep + n;
				}
				have = 0;
			}
			while (body > 0)
			{
				if (have == 0)
				{
					if ((n = recv(fd, buf, sizeof(buf) - 1, 0)) <= 0)
						return NULL;
					have = n;
				}
				n = (int64_t) have < body ? (ssize_t) have : (ssize_t) body;
				body -= n;
				have -= n;
				memmove(buf, buf + n, have);
			}
			buf[have] = '\0';
			(void) snprintf(line, sizeof(line), "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n%s",
							big ? (long long) BIG : 100LL, "");
			if (big)
			{
				put(fd, line, strlen(line));
				for (int64_t left = BIG; left > 0; left -= sizeof(block))
					put(fd, block, sizeof(block));
			}
			else
			{
				char		small[256];
				size_t		len = strlen(line);

				memcpy(small, line, len);
				memset(small + len, 'x', 100);
				put(fd, small, len + 100);
			}
		}
	}
	(void) close(fd);
	return NULL;
}

static void
server(int listener)
{
	int			fd;
	int			on = 1;
	pthread_t	thread;

	while ((fd = accept(listener, NULL, NULL)) >= 0)
	{
		(void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		if (pthread_create(&thread, NULL, serve, (void *) (intptr_t) fd) == 0)
			(void) pthread_detach(thread);
	}
	_exit(0);
}

static void
wait_fd(void *ctx, int fd, int timeout_ms)
{
	struct pollfd p = {fd, POLLIN, 0};

	(void) poll(&p, 1, timeout_ms);
}

static double
cpu_seconds(void)
{
	struct rusage use;

	(void) getrusage(RUSAGE_SELF, &use);
	return use.ru_utime.tv_sec + use.ru_stime.tv_sec + (use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

typedef struct job
{
	mcn_request req;
	int		   *left;
} job;

static void
next(mcn_request *req)
{
	job		   *j = req->owner;

	if (req->status != MCW_OK)
	{
		fprintf(stderr, "%s\n", req->error.message);
		exit(1);
	}
	if (*j->left > 0)
	{
		--*j->left;
		mcn_request_start(req);
	}
}

static void
small(mcn_loop *loop, mcn_channel *channel, int parallel, int total, size_t body)
{
	job		   *jobs = calloc(parallel, sizeof(*jobs));
	int			left = total - parallel;
	int64_t		begin = mcn_now_us();
	double		cpu = cpu_seconds();
	double		seconds;
	bool		busy = true;

	for (int i = 0; i < parallel; i++)
	{
		mcn_request *req = &jobs[i].req;

		mcn_request_init(req, channel);
		mcw_buf_init(&req->response, &mcw_malloc, 1 << 20);
		req->http.method = body ? MCW_LIT("POST") : MCW_LIT("GET");
		req->http.path = MCW_LIT("/logstores/store/shards/0");
		req->body = (mcw_view) {block, body};
		for (int h = 0; h < 8; h++)
			(void) mcw_request_header(&req->http, (mcw_view) {"x-log-0\0x-log-1\0x-log-2\0x-log-3\0x-log-4\0x-log-5\0x-log-6\0x-log-7" + 8 * h, 7}, MCW_LIT("some value of some length"));
		req->owner = &jobs[i];
		req->on_done = next;
		jobs[i].left = &left;
		mcn_request_start(req);
	}
	while (busy)
	{
		(void) mcn_loop_step(loop, -1);
		busy = false;
		for (int i = 0; i < parallel && !busy; i++)
			busy = jobs[i].req.active;
	}
	seconds = (mcn_now_us() - begin) / 1e6;
	cpu = cpu_seconds() - cpu;
	printf("small %-4s %2d in flight: %8.0f requests/s, %5.1f us CPU each\n", body ? "POST" : "GET",
		   parallel, total / seconds, cpu / total * 1e6);
	for (int i = 0; i < parallel; i++)
	{
		mcn_request_cancel(&jobs[i].req);
		mcw_buf_free(&jobs[i].req.response);
	}
	free(jobs);
}

static void
large(mcn_channel *channel, const char *method, bool chunked, char *data)
{
	mcn_request req;

	for (int i = 0; i < 3; i++)
	{
		int64_t		begin;
		double		cpu = cpu_seconds();
		double		seconds;

		mcn_request_init(&req, channel);
		mcw_buf_init(&req.response, &mcw_malloc, BIG);
		req.http.method = mcw_str(method);
		req.http.path = MCW_LIT("/big");
		if (strcmp(method, "PUT") == 0)
			req.body = (mcw_view) {data, BIG};
		else if (mcw_buf_grow(&req.response, BIG) == MCW_OK)
			memset(req.response.data, 1, BIG);	/* page faults are not what is measured */
		req.chunked = chunked;
		begin = mcn_now_us();
		cpu = cpu_seconds();
		mcn_request_start(&req);
		if (mcn_request_wait(&req) != MCW_OK)
		{
			fprintf(stderr, "%s\n", req.error.message);
			exit(1);
		}
		seconds = (mcn_now_us() - begin) / 1e6;
		printf("1 GiB %s%s: %6.0f MB/s, %5.0f ms CPU\n", method, chunked ? " chunked" : "", BIG / 1e6 / seconds,
			   (cpu_seconds() - cpu) * 1e3);
		mcn_request_cancel(&req);
		mcw_buf_free(&req.response);
	}
}

int
main(void)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t	len = sizeof(addr);
	int			listener = socket(AF_INET, SOCK_STREAM, 0);
	mcn_hooks	hooks = {.wait = wait_fd};
	mcw_error	error;
	mcn_loop   *loop;
	mcn_channel *channel;
	char		url[64];
	char	   *data;
	pid_t		child;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *) &addr, len) != 0 || listen(listener, 64) != 0 ||
		getsockname(listener, (struct sockaddr *) &addr, &len) != 0)
	{
		perror("net_speed");
		return 1;
	}
	child = fork();
	if (child == 0)
		server(listener);
	(void) close(listener);
	(void) snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(addr.sin_port));
	loop = mcn_loop_create(&hooks, &error);
	channel = loop ? mcn_channel_create(loop, &mcw_malloc, mcw_str(url), MCW_LIT(""), NULL, NULL, &error) : NULL;
	data = malloc(BIG);
	if (!channel || !data)
	{
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	memset(data, 'd', BIG);
	small(loop, channel, 1, 20000, 0);
	small(loop, channel, 1, 20000, 1000);
	small(loop, channel, 16, 50000, 0);
	small(loop, channel, 50, 50000, 0);
	large(channel, "GET", false, data);
	large(channel, "PUT", false, data);
	large(channel, "PUT", true, data);
	mcn_channel_free(channel);
	mcn_loop_free(loop);
	free(data);
	(void) kill(child, SIGTERM);
	(void) waitpid(child, NULL, 0);
	return 0;
}
