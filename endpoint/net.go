package endpoint

import (
	"context"
	"net"

	"github.com/rondo-go/rondo"
)

// ListenNet listens at the endpoint of that string and returns a net.Listener, as [rondo.Engine.ListenNet] does: over TLS, its net.Conns are those behind the handshake. Standard input and
// output have none. It may read files: not on a loop.
func ListenNet(e *rondo.Engine, endpoint string) (net.Listener, error) {
	at, err := Parse(endpoint)
	if err != nil {
		return nil, err
	}
	return at.ListenNet(e)
}

// ListenNet is the function ListenNet for an endpoint that was parsed.
func (e Endpoint) ListenNet(engine *rondo.Engine) (net.Listener, error) {
	if e.Kind == "stdio" {
		return nil, &SyntaxError{e.String(), "standard input and output are one connection, and no net.Listener"}
	}
	cfg, stop, err := e.listenConfig(engine)
	if err != nil {
		return nil, err
	}
	ln, err := e.bind(engine, cfg)
	if err != nil {
		stop()
		return nil, err
	}
	ln.OnClose(stop)
	return ln.ServeNet()
}

// DialNet connects to the endpoint of that string and returns a net.Conn, as [rondo.Engine.DialContext] does. It blocks: not on a loop.
func DialNet(ctx context.Context, e *rondo.Engine, endpoint string) (net.Conn, error) {
	p := new(netConn)
	f := Dial(ctx, e, endpoint, p)
	if _, err := f.Wait(ctx); err != nil {
		f.Loop().Post(func() {
			f.Ignore()
			if !f.Cancel(err) && p.conn != nil { // it was made in the same moment
				_ = p.conn.Close()
			}
		})
		return nil, err
	}
	return p.conn, nil
}

// netConn becomes a net.Conn.
type netConn struct{ conn net.Conn }

// ConnectionMade implements rondo.Protocol, as those below do, which nobody calls.
func (p *netConn) ConnectionMade(c *rondo.Conn) { p.conn = rondo.NetConn(c) }

func (p *netConn) DataReceived(_ *rondo.Conn, data []byte) int { return len(data) }

func (p *netConn) ConnectionLost(*rondo.Conn, error) {}
