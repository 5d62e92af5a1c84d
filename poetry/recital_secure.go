package poetry

import (
	"context"
	"net"

	"github.com/rondo-go/rondo"
)

// A secureRecital is one client of the asynchronous server that speaks TLS. Package crypto/tls makes calls that block, so
// the client gets a goroutine and a net.Conn, and is served as the blocking server would serve it, but beside the others.
// When the engine is closed in the middle of a poem, the goroutine notices with its next piece.
type secureRecital struct {
	attendant
	server *AsyncServer
}

func (r secureRecital) ConnectionMade(c *rondo.Conn) {
	// From here on, the net.Conn alone has the connection.
	conn := abortableConn{rondo.NetConn(c).(halfConn), c.Handle()}
	r.options.Source.Read = r.server.read
	go r.serve(context.Background(), conn)
}

func (secureRecital) DataReceived(_ *rondo.Conn, p []byte) int { return len(p) }

func (secureRecital) ConnectionLost(*rondo.Conn, error) {}

// An abortableConn is a net.Conn that can be reset, which the engine's net.Conn alone cannot.
type abortableConn struct {
	halfConn
	handle rondo.Handle
}

// A halfConn is a net.Conn whose two directions end one by one.
type halfConn interface {
	net.Conn
	CloseWrite() error
}

func (c abortableConn) Abort() { c.handle.Abort() }
