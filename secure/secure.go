// Package secure puts TLS below any protocol, with the stock crypto/tls, and without a goroutine for each connection.
//
// [Config.Server] goes round what a listener is given, so that any protocol, a stream's handler too, is served over TLS by one change:
//
//	e.Listen("tcp", ":7000", accept)
//	e.Listen("tcp", ":7000", secure.Config{TLS: config}.Server(accept))
//
// [Config.Dial] is rondo.Engine.Dial for clients, and [Config.UpgradeServer] and [Config.UpgradeClient] make a connection secure that has been a plain one, as STARTTLS
// does. What was agreed (the protocol's name, the peer's certificates) is [State]. Certificates that change, client certificates, session tickets and the choice of versions
// are the tls.Config's matters; renegotiation is refused as crypto/tls does by default.
//
// The handshake is computed on a goroutine, of which a few at a time go on (for each loop its share of the processors, at least one), while the others wait for their peer or their
// turn; a server's begins when the client's first record is whole. The callbacks of the tls.Config are called on it and may block: after 20 milliseconds the next goes on beside it. Afterwards the connection belongs to its loop alone: a message costs less than with
// crypto/tls and a goroutine. An idle connection holds a tls.Conn without its buffers, some 3 KB, and none of ours.
//
// The end of the peer's direction is a close_notify alert: the protocol's EOFReceived, or io.EOF in ConnectionLost. If the connection ends without it ConnectionLost is
// given [ErrNoCloseNotify]. CloseWrite and Close send one. What crypto/tls objects to is answered by its alert and is the reason in ConnectionLost.
package secure

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/rondo-go/rondo"
)

// Config is how connections become secure.
type Config struct {
	// TLS is crypto/tls's own configuration. A server needs a certificate in it; a client without a ServerName is given that of the address.
	TLS *tls.Config

	// HandshakeTimeout is how long a handshake may take. Zero means 10 seconds, less than zero no limit.
	HandshakeTimeout time.Duration

	// MaxHandshakes is how many handshakes of a server may have begun on each loop and not be over, those with the same TLS counted together: each holds a goroutine, some
	// 20 KB in all. (Before its first record is whole a handshake has not begun.) When one more is to begin, the oldest of those that wait for their peer is given up, with
	// ErrTooManyHandshakes, so that peers that say a hello and then nothing cost one another their place. One that has something to compute is never given up; while all have,
	// the next waits. A callback of TLS that hangs keeps its goroutine beyond the timeout, and not its place; and a tls.Config that is made anew for each connection is counted anew. Zero means 4096, less than zero no limit. A client's are not counted: who dials knows how often.
	MaxHandshakes int
}

// Server goes round what [rondo.Engine.Listen] takes, or is the Wrap of a rondo.ListenConfig: each connection becomes secure first, and then has a protocol that accept makes.
// The protocol is told ConnectionMade when the handshake is over; of a connection whose handshake fails it hears nothing. When the engine shuts down a
// handshake that has begun goes on, and the protocol is drained as any other; a client that has said no hello yet is closed. It panics without a tls.Config.
func (cfg Config) Server(accept func() rondo.Protocol) func() rondo.Protocol {
	return cfg.Choose(func(tls.ConnectionState) rondo.Protocol { return accept() })
}

// Choose is Server for one that speaks several protocols: choose is called when the handshake is over and makes the one that was agreed on, by ALPN or by the server's name. If it returns nil
// the connection is closed.
func (cfg Config) Choose(choose func(tls.ConnectionState) rondo.Protocol) func() rondo.Protocol {
	if cfg.TLS == nil {
		panic("secure: a server needs a tls.Config with a certificate")
	}
	return func() rondo.Protocol {
		h := newHandshake(cfg, true)
		h.began = func() rondo.Protocol { return choose(h.layer.tls.ConnectionState()) }
		return h
	}
}

// Dial is [rondo.Engine.Dial] for a secure connection: the future has it when the handshake is over and p has been told ConnectionMade. If the
// handshake fails the error is a [*HandshakeError].
func (cfg Config) Dial(ctx context.Context, e *rondo.Engine, network, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	return cfg.DialWith(ctx, e, rondo.Dialer{}, network, address, p)
}

// DialWith is Dial with a Dialer. Its Timeout is for the connection alone.
func (cfg Config) DialWith(ctx context.Context, e *rondo.Engine, d rondo.Dialer, network, address string, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
	if p == nil {
		panic("secure: Dial needs a protocol")
	}
	cfg.TLS = cfg.client(network, address)
	h := newHandshake(cfg, false)
	h.began = func() rondo.Protocol { return p }
	if d.Loop == nil {
		d.Loop = e.Loop()
	}
	l := d.Loop
	promise := rondo.NewPromise[*rondo.Conn](l)
	var stop func() bool // minding ctx, once the connection stands
	settle := func(c *rondo.Conn, err error) {
		if stop != nil {
			stop()
		}
		if err != nil {
			promise.Reject(err)
		} else {
			promise.Resolve(c)
		}
	}
	h.ended = settle // before there is a connection, whose handshake may be over before the next line
	below := d.Dial(ctx, e, network, address, h)
	promise.OnCancel(func(reason error) {
		settle(nil, reason)
		below.Cancel(reason)
		h.giveUp(reason)
	})
	if !l.Post(func() {
		below.OnDone(func(_ *rondo.Conn, err error) {
			switch {
			case err != nil:
				settle(nil, err)
			case !h.over:
				stop = e.AfterContext(ctx, func() {
					l.Post(func() { promise.Future().Cancel(context.Cause(ctx)) })
				})
			}
		})
	}) {
		settle(nil, rondo.ErrEngineClosed)
	}
	return promise.Future()
}

// client is the configuration for a server at that address.
func (cfg Config) client(network, address string) *tls.Config {
	c := cfg.TLS
	if c == nil {
		c = new(tls.Config)
	}
	if c.ServerName != "" || c.InsecureSkipVerify || network == "unix" {
		return c
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if host == "" { // which is this machine
		host = "localhost"
	}
	c = c.Clone()
	c.ServerName = host
	return c
}

// UpgradeServer makes a connection secure that has been a plain one so far, as STARTTLS does, as its server: what the peer sends from now on is its
// handshake. When that is over p is the connection's protocol and is told ConnectionMade, and the future is done. If it fails the connection is closed; its
// ConnectionLost is nobody's, since the protocol that it had has been replaced. Write what the peer waits for before.
//
// What is written to the connection meanwhile waits for the handshake, files too, which are not read before; it counts in Conn.Buffered, and p is told of the water marks, if it is a rondo.WritePauser, though not of its ConnectionMade yet.
// CloseWrite and Close wait behind it: p is told ConnectionMade and then ConnectionLost. With nothing to wait for Close gives the handshake up. Only on the loop.
func (cfg Config) UpgradeServer(c *rondo.Conn, p rondo.Protocol) *rondo.Future[tls.ConnectionState] {
	return cfg.upgrade(c, true, p)
}

// UpgradeClient is UpgradeServer for the client's side. The tls.Config must say the ServerName.
func (cfg Config) UpgradeClient(c *rondo.Conn, p rondo.Protocol) *rondo.Future[tls.ConnectionState] {
	return cfg.upgrade(c, false, p)
}

func (cfg Config) upgrade(c *rondo.Conn, server bool, p rondo.Protocol) *rondo.Future[tls.ConnectionState] {
	if cfg.TLS == nil || p == nil {
		panic("secure: an upgrade needs a tls.Config and a protocol")
	}
	promise := rondo.NewPromise[tls.ConnectionState](c.Loop())
	h := newHandshake(cfg, server)
	h.began = func() rondo.Protocol { return p }
	h.pauses, _ = p.(rondo.WritePauser)
	h.ended = func(_ *rondo.Conn, err error) {
		if err != nil {
			promise.Reject(err)
		} else {
			promise.Resolve(h.layer.tls.ConnectionState())
		}
	}
	promise.OnCancel(func(reason error) {
		promise.Reject(reason)
		h.giveUp(reason)
	})
	c.SetProtocol(h)
	h.ConnectionMade(c)
	return promise.Future()
}
