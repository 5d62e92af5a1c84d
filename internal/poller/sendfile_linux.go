package poller

import "github.com/rondo-go/rondo/internal/sock"

// Linux's backends are FileSenders.
var (
	_ FileSender = (*epoll)(nil)
	_ FileSender = (*poll)(nil)
	_ FileSender = (*selector)(nil)
)

func (sockets) SendFile(fd, file int, offset int64, n int) (int, error) {
	return sock.SendFile(fd, file, offset, n)
}
