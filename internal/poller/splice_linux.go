package poller

import "github.com/rondo-go/rondo/internal/sock"

// Linux's backends are Splicers.
var (
	_ Splicer = (*epoll)(nil)
	_ Splicer = (*poll)(nil)
	_ Splicer = (*selector)(nil)
)

func (sockets) OpenPipe() (r, w int, err error)     { return sock.OpenPipe() }
func (sockets) Splice(from, to, n int) (int, error) { return sock.Splice(from, to, n) }
