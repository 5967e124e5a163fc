/*
 * socket.c
 *		Sockets of libcurl: may this address be connected to, and how many are open.
 *
 * The host counts our descriptors against its own budget.  libcurl (7.88) closes a
 * socket whose connection never came about without telling us, so the sockets are
 * also kept in a table with their inode, and after every attempt that opened one
 * the table is compared with what is really open.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mcn_private.h"

static void
count(mcn_loop *loop, int delta)
{
	if (loop->hooks.count_fd)
		loop->hooks.count_fd(loop->hooks.ctx, delta);
}

/* 0 if it is no open socket */
static uint64_t
inode_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISSOCK(st.st_mode))
		return 0;
	return st.st_ino;
}

static bool
remember(mcn_loop *loop, int fd)
{
	uint64_t	inode = inode_of(fd);

	for (int i = 0; i < loop->nsockets; i++)
	{
		if (loop->sockets[i].fd == fd)
		{
			/* its predecessor was closed in silence: one went, one came */
			loop->sockets[i].inode = inode;
			return true;
		}
	}
	if (loop->nsockets == loop->max_sockets)
	{
		int			room = loop->max_sockets ? loop->max_sockets * 2 : 16;
		mcn_socket *moved = mcw_malloc.resize(mcw_malloc.ctx, loop->sockets,
											  loop->max_sockets * sizeof(mcn_socket), room * sizeof(mcn_socket));

		if (moved == NULL)
			return false;
		loop->sockets = moved;
		loop->max_sockets = room;
	}
	loop->sockets[loop->nsockets++] = (mcn_socket) {fd, inode};
	count(loop, 1);
	return true;
}

static void
forget(mcn_loop *loop, int i)
{
	loop->sockets[i] = loop->sockets[--loop->nsockets];
	count(loop, -1);
}

void
mcn_sockets_check(mcn_loop *loop)
{
	for (int i = loop->nsockets - 1; i >= 0; i--)
	{
		if (inode_of(loop->sockets[i].fd) != loop->sockets[i].inode)
			forget(loop, i);
	}
}

/* The multi handle is gone and with it every socket. */
void
mcn_sockets_free(mcn_loop *loop)
{
	while (loop->nsockets > 0)
		forget(loop, loop->nsockets - 1);
	mcw_free(&mcw_malloc, loop->sockets, loop->max_sockets * sizeof(mcn_socket));
}

curl_socket_t
mcn_on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	mcn_transfer *transfer = arg;
	mcn_loop   *loop = transfer->loop;
	const char *reason;
	int			fd;

	if (transfer->issued > 0)
	{
		/* libcurl wants to repeat the request by itself, see on_issue */
		transfer->stale = true;
		return CURL_SOCKET_BAD;
	}
	if (loop->hooks.deny_address &&
		(reason = loop->hooks.deny_address(loop->hooks.ctx, transfer->req->channel,
										   &address->addr, address->addrlen)) != NULL)
	{
		transfer->denied = reason;
		return CURL_SOCKET_BAD;
	}
	transfer->address_tried = true;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	if (!remember(loop, fd))
	{
		(void) close(fd);
		return CURL_SOCKET_BAD;
	}
	return fd;
}

/* The connection outlives the transfer: the argument is the loop. */
int
mcn_on_close_socket(void *arg, curl_socket_t fd)
{
	mcn_loop   *loop = arg;

	for (int i = 0; i < loop->nsockets; i++)
	{
		if (loop->sockets[i].fd == fd)
		{
			forget(loop, i);
			break;
		}
	}
	return close(fd);
}
