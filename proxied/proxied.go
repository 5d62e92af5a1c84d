// Package proxied has connections begin with a header of the PROXY protocol (package proxyproto), by which a server behind a proxy learns whom a connection is from.
//
// [Config.Server] goes round what a listener is given; the protocol then sees the client's address in RemoteAddr, and [Header] is all that the proxy has said:
//
//	cfg := proxied.Config{Trust: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
//	e.Listen("tcp", ":7000", cfg.Server(accept))
//
// The header comes before all else, TLS included: cfg.Server(tls.Server(accept)) with a secure.Config. [Config.Choose] makes the protocol by what the header says.
//
// A proxy is a client with [Send] as its Dialer's Wrap.
package proxied

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/proxyproto"
)

// Versions are those that a server accepts.
type Versions uint8

// The zero Versions accepts any.
const (
	Any Versions = iota
	V1
	V2
)

// Config is how a server takes headers.
type Config struct {
	// Trust are the networks that proxies come from. Whoever can reach the server could else claim to be anybody: headers of others are refused, and so are connections
	// without a header. TrustUnix trusts all who come by a Unix socket, which its file's permissions must keep others from. One of them must be given: Server panics if
	// nobody is trusted.
	Trust     []netip.Prefix
	TrustUnix bool

	// Versions are those that are accepted.
	Versions Versions

	// Timeout is how long a header may take. Zero means 10 seconds, less than zero no limit.
	Timeout time.Duration

	// MaxHeader is how many bytes a header of version 2 may have, with its TLVs. Zero means 4,096. One of version 1 has 107 at the most.
	MaxHeader int
}

const defaultTimeout = 10 * time.Second

// Server goes round what [rondo.Engine.Listen] takes, or is the Wrap of a rondo.ListenConfig: a connection begins with a header, and then has a protocol that accept makes, which is told
// ConnectionMade. One whose header is wrong, late or from somebody who is not trusted is reset; the engine's log says why, at level Warn and five times a second at the most, then how many more there were, and no protocol hears of it.
func (cfg Config) Server(accept func() rondo.Protocol) func() rondo.Protocol {
	return cfg.Choose(func(*proxyproto.Header) rondo.Protocol { return accept() })
}

// Choose is Server for one whose protocol depends on what the header says. If choose returns nil the connection is closed.
func (cfg Config) Choose(choose func(h *proxyproto.Header) rondo.Protocol) func() rondo.Protocol {
	if len(cfg.Trust) == 0 && !cfg.TrustUnix {
		panic("proxied: a server needs to be told whose headers it believes: set Config.Trust or TrustUnix")
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = defaultTimeout
	}
	r := &refusals{}
	return func() rondo.Protocol { return &receiver{config: &cfg, choose: choose, refusals: r} }
}

// Header is what the proxy has said of a connection; nil if it did not begin with a header. Only on the connection's loop.
func Header(c *rondo.Conn) *proxyproto.Header {
	h, _ := c.RemoteAddrBy().(*proxyproto.Header)
	return h
}

// RefusedError is why a connection was reset.
type RefusedError struct {
	Peer net.Addr // the proxy, or who claims to be one
	Err  error    // ErrUntrusted, os.ErrDeadlineExceeded, what package proxyproto says
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("proxied: the PROXY header from %v was refused: %v", e.Peer, e.Err)
}

// Unwrap is Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// refusal is a reason that is a sentence.
type refusal string

func (r refusal) Error() string { return string(r) }

// What is refused though it is well-formed.
const (
	ErrUntrusted = refusal("the peer is not one of the proxies that are trusted")
	ErrVersion   = refusal("it is of a version that is not accepted here")
	ErrDatagram  = refusal("it is about a datagram, and this is a stream")
)

// receiver is the protocol of a connection whose header has not come yet.
type receiver struct {
	config *Config
	choose func(*proxyproto.Header) rondo.Protocol
	timer  rondo.Timer
	over   bool

	refusals *refusals
}

// ConnectionMade implements rondo.Protocol, as those below do.
func (r *receiver) ConnectionMade(c *rondo.Conn) {
	if !r.config.trusts(c.RemoteAddr()) {
		r.refuse(c, ErrUntrusted)
		return
	}
	if r.config.Timeout > 0 {
		r.timer = c.Loop().After(r.config.Timeout, func() { r.refuse(c, os.ErrDeadlineExceeded) })
	}
}

// trusts reports whether a header from there is believed.
func (cfg *Config) trusts(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return cfg.TrustUnix
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(cfg.Trust, func(p netip.Prefix) bool { return p.Contains(ip) })
}

func (r *receiver) DataReceived(c *rondo.Conn, p []byte) int {
	if r.over {
		return 0
	}
	h, n, need, err := proxyproto.Parse(p, r.config.MaxHeader)
	switch {
	case err != nil:
	case n == 0:
		c.Need(need)
		return 0
	case r.config.Versions != Any && h.Version != int(r.config.Versions):
		err = ErrVersion
	case h.Datagram:
		err = ErrDatagram
	}
	if err != nil {
		r.refuse(c, err)
		return len(p)
	}
	r.over = true
	r.timer.Stop()
	for i := range h.TLVs {
		h.TLVs[i].Value = slices.Clone(h.TLVs[i].Value)
	}
	// What follows the header is kept until this call is over: a layer takes only what has been.
	c.PauseReading()
	handle := c.Handle()
	c.Loop().Defer(func() { handle.Do(func(c *rondo.Conn) { r.finish(c, &h) }) })
	return n
}

// finish makes way for the protocol.
func (r *receiver) finish(c *rondo.Conn, h *proxyproto.Header) {
	c.SetRemoteAddr(unmapped(h.Source), h)
	p := r.choose(h)
	if p == nil {
		_ = c.Close()
		return
	}
	told := false
	defer func() {
		if !told { // it panics, which ends the connection, as it does that of a plain one
			c.Abort()
		}
	}()
	c.SetProtocol(p)
	c.ResumeReading()
	p.ConnectionMade(c)
	told = true
}

// unmapped is an address as RemoteAddr would have it: IPv4 is IPv4, also when it was written as IPv6.
func unmapped(a net.Addr) net.Addr {
	if t, ok := a.(*net.TCPAddr); ok {
		at := t.AddrPort()
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(at.Addr().Unmap(), at.Port()))
	}
	return a
}

// refuse ends the connection for its header.
func (r *receiver) refuse(c *rondo.Conn, err error) {
	r.over = true
	r.timer.Stop()
	r.refusals.log(c.Loop(), &RefusedError{c.RemoteAddr(), err})
	c.Abort()
}

// ConnectionLost is told when the peer has gone before its header was there.
func (r *receiver) ConnectionLost(c *rondo.Conn, err error) {
	r.timer.Stop()
	if !r.over {
		c.Loop().Engine().Logger().Debug("proxied: a connection has ended before its PROXY header", "peer", c.RemoteAddr(), "error", err)
	}
}
