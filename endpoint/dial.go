package endpoint

import (
	"cmp"
	"context"
	"net"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/proxied"
	"github.com/rondo-go/rondo/proxyproto"
	"github.com/rondo-go/rondo/secure"
)

// Dial connects to an endpoint and gives the connection the protocol p, as [rondo.Engine.Dial] does; over TLS the future is done when the handshake is over. Of an endpoint that
// is wrong, or not for a client, the error is an [*Error]. It reads the files that the endpoint names: a few milliseconds, for which who connects often, or on a loop, makes a [Dialer] once. Any
// goroutine may call it. It panics if p is nil.
func Dial(ctx context.Context, e *rondo.Engine, s string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	d, err := NewDialer(e, s)
	if err != nil {
		return rondo.Rejected[*rondo.Conn](e.Loop(), err)
	}
	return d.Dial(ctx, p)
}

// DialNet is Dial for code that wants a net.Conn, as [rondo.Engine.DialContext] is. It blocks: not on a loop.
func DialNet(ctx context.Context, e *rondo.Engine, s string) (net.Conn, error) {
	d, err := NewDialer(e, s)
	if err != nil {
		return nil, err
	}
	return d.DialNet(ctx)
}

// Dialer connects to one endpoint, again and again. Any goroutine may use it.
type Dialer struct {
	engine   *rondo.Engine
	endpoint Endpoint
	config   rondo.Dialer
	secure   *secure.Config // nil without TLS
}

// NewDialer reads what the endpoint names. The error is an [*Error], or says what could not be read: it reads files, so not on a loop if there are any.
func NewDialer(e *rondo.Engine, s string) (*Dialer, error) {
	x, err := Parse(s)
	if err != nil {
		return nil, err
	}
	return x.Dialer(e)
}

// Dialer is NewDialer for an endpoint that was parsed, or built.
func (x Endpoint) Dialer(e *rondo.Engine) (*Dialer, error) {
	if reason := cmp.Or(x.check(), x.checkFor(client)); reason != "" {
		return nil, &Error{x.String(), reason}
	}
	d := &Dialer{engine: e, endpoint: x, config: rondo.Dialer{Timeout: x.Timeout}}
	if version := versions[x.Proxy]; x.Proxy != "" {
		d.config.Wrap = proxied.Send(func(c *rondo.Conn) proxyproto.Header { return proxied.Own(c, int(version)) })
	}
	if x.TLS {
		config, err := x.clientTLS(e.Loop())
		if err != nil {
			return nil, err
		}
		d.secure = &secure.Config{TLS: config, HandshakeTimeout: x.Timeout}
	}
	return d, nil
}

// Announce has each connection begin with the PROXY header that describe returns for it, on its loop, in place of what proxy= says: for a program that is itself a proxy (see package proxied). It returns another Dialer.
func (d *Dialer) Announce(describe func(c *rondo.Conn) proxyproto.Header) *Dialer {
	other := *d
	other.config.Wrap = proxied.Send(describe)
	return &other
}

// On has its connections belong to that loop. It returns another Dialer.
func (d *Dialer) On(l *rondo.Loop) *Dialer {
	other := *d
	other.config.Loop = l
	return &other
}

// Endpoint is where it connects to.
func (d *Dialer) Endpoint() Endpoint { return d.endpoint }

// Dial makes a connection: see the function Dial. It does not block.
func (d *Dialer) Dial(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	if d.secure != nil {
		return d.secure.DialWith(ctx, d.engine, d.config, d.endpoint.Network, d.endpoint.Address, p)
	}
	return d.config.Dial(ctx, d.engine, d.endpoint.Network, d.endpoint.Address, p)
}

// DialNet makes a net.Conn: see the function DialNet.
func (d *Dialer) DialNet(ctx context.Context) (net.Conn, error) {
	p := new(netConn)
	f := d.Dial(ctx, p)
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
func (p *netConn) ConnectionLost(*rondo.Conn, error)           {}
