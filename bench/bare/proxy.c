/*
 * The bare proxy: what the kernel alone costs, and so the limit for every proxy on one core.
 *
 *     proxy PORT TARGET-PORT [splice]
 *
 * One thread, level-triggered epoll, and for each piece that arrives one recv and one send; or with "splice" one splice
 * into a pipe and one out of it, so that its bytes are never copied to the program. It keeps nothing about a connection
 * but its partner, looks at no timer, does not pass on half an end, and gives a peer up that does not take at once
 * what is there for it. A useful proxy cannot do less.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int epoll;
static int partner[1 << 16]; /* by descriptor; 0 is nobody */
static int through[2];       /* the pipe */

static void watch(int fd)
{
	struct epoll_event want = {.events = EPOLLIN, .data = {.fd = fd}};

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want) < 0)
		err(1, "epoll_ctl");
}

static struct sockaddr_in local(const char *port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(atoi(port)),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};
}

static int open_socket(int flags)
{
	const int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | flags, 0);

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return fd;
}

static void join(int client, struct sockaddr_in target)
{
	int server = open_socket(0);

	if (connect(server, (struct sockaddr *)&target, sizeof target) < 0)
		err(1, "connect");
	if (fcntl(server, F_SETFL, O_NONBLOCK) < 0)
		err(1, "fcntl");
	partner[client] = server;
	partner[server] = client;
	watch(client);
	watch(server);
}

static void part(int fd)
{
	int other = partner[fd];

	partner[fd] = partner[other] = 0;
	close(fd);
	close(other);
}

static int copied(int from, int to)
{
	static char buffer[1 << 16];
	ssize_t n = recv(from, buffer, sizeof buffer, 0);

	return n > 0 && send(to, buffer, n, MSG_NOSIGNAL) == n;
}

static int spliced(int from, int to)
{
	ssize_t n = splice(from, NULL, through[1], NULL, 1 << 20, SPLICE_F_NONBLOCK);

	return n > 0 && splice(through[0], NULL, to, NULL, n, SPLICE_F_NONBLOCK) == n;
}

int main(int argc, char **argv)
{
	static struct epoll_event ready[1024];
	int (*pass)(int, int) = copied;
	struct sockaddr_in here, target;
	int listener, count, fd, client;

	if (argc == 4 && strcmp(argv[3], "splice") == 0)
		pass = spliced;
	else if (argc != 3)
		errx(2, "usage: proxy PORT TARGET-PORT [splice]");
	here = local(argv[1]);
	target = local(argv[2]);
	if (pipe2(through, O_NONBLOCK) < 0 || fcntl(through[1], F_SETPIPE_SZ, 1 << 20) < 0)
		err(1, "pipe");
	epoll = epoll_create1(0);
	if (epoll < 0)
		err(1, "epoll_create1");
	listener = open_socket(SOCK_NONBLOCK);
	if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0)
		err(1, "bind to 127.0.0.1:%s", argv[1]);
	if (listen(listener, 4096) < 0)
		err(1, "listen");
	watch(listener);
	while ((count = epoll_wait(epoll, ready, 1024, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < count; i++) {
			fd = ready[i].data.fd;
			if (fd != listener) {
				/* Its partner's end may have been its own, in this round. */
				if (partner[fd] != 0 && !pass(fd, partner[fd]))
					part(fd);
			} else {
				while ((client = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
					join(client, target);
			}
		}
	}
	err(1, "epoll_wait");
}
