/*
 * The bare echo loop: what the kernel alone costs, and so the limit for every server on one core.
 *
 *     bare PORT
 *
 * One thread, level-triggered epoll, one recv and one send for each message: they do less than read and
 * write, which go through the file layer first. It keeps nothing about a connection, looks at no timer, and gives
 * a peer up that does not take its echo at once. A useful server cannot do less.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int epoll;

static void watch(int fd)
{
	struct epoll_event want = {.events = EPOLLIN, .data = {.fd = fd}};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want) < 0)
		err(1, "epoll_ctl");
}

static int listen_on(int port)
{
	const int on = 1;
	struct sockaddr_in here = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
	if (bind(fd, (struct sockaddr *)&here, sizeof here) < 0)
		err(1, "bind to 127.0.0.1:%d", port);
	if (listen(fd, 4096) < 0)
		err(1, "listen");
	return fd;
}

static void echo(int fd)
{
	static char buffer[1 << 16];
	ssize_t n = recv(fd, buffer, sizeof buffer, 0);

	if (n > 0 && send(fd, buffer, n, MSG_NOSIGNAL) == n)
		return;
	close(fd);
}

int main(int argc, char **argv)
{
	static struct epoll_event ready[1024];
	int listener, count, fd;

	if (argc != 2)
		errx(2, "usage: bare PORT");
	epoll = epoll_create1(0);
	if (epoll < 0)
		err(1, "epoll_create1");
	listener = listen_on(atoi(argv[1]));
	watch(listener);
	while ((count = epoll_wait(epoll, ready, 1024, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < count; i++) {
			if (ready[i].data.fd != listener)
				echo(ready[i].data.fd);
			else
				while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					watch(fd);
		}
	}
	err(1, "epoll_wait");
}
