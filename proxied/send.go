package proxied

import (
	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/proxyproto"
)

// Send is for the Wrap of a [rondo.Dialer]: the connection begins with the header that describe returns for it, on its loop, below TLS where there is any, and then has its protocol. A header that
// cannot be written aborts the connection, and the engine's log says why.
//
//	d := rondo.Dialer{Wrap: proxied.Send(func(*rondo.Conn) proxyproto.Header { return header })}
func Send(describe func(c *rondo.Conn) proxyproto.Header) func(p rondo.Protocol) rondo.Protocol {
	return func(p rondo.Protocol) rondo.Protocol { return &sender{describe, p} }
}

// Of describes a connection that was accepted, to whom it is passed on to: from its RemoteAddr, to its LocalAddr. One of a Unix socket has no words in version 1, which then says UNKNOWN. Only on the
// connection's loop.
func Of(c *rondo.Conn, version int) proxyproto.Header {
	if h := Header(c); h != nil && h.Source != nil && h.Destination != nil { // it has come by way of another proxy, who knows whom it was for
		return proxyproto.Header{Version: version, Source: h.Source, Destination: h.Destination}
	}
	return proxyproto.Header{Version: version, Source: c.RemoteAddr(), Destination: c.LocalAddr()}
}

// Own describes a connection to whom it goes to, as one that this program has made for itself and through no proxy: from its LocalAddr, to its RemoteAddr. Only on the connection's loop.
func Own(c *rondo.Conn, version int) proxyproto.Header {
	return proxyproto.Header{Version: version, Source: c.LocalAddr(), Destination: c.RemoteAddr()}
}

// sender is a protocol until the header is written.
type sender struct {
	describe func(*rondo.Conn) proxyproto.Header
	next     rondo.Protocol
}

// ConnectionMade implements rondo.Protocol, as those below do.
func (s *sender) ConnectionMade(c *rondo.Conn) {
	header, err := proxyproto.Append(nil, s.describe(c))
	if err != nil {
		c.Loop().Engine().Logger().Error("proxied: a connection was aborted for want of a PROXY header", "error", err)
		c.SetProtocol(s.next) // it is told of the beginning and the end
		s.next.ConnectionMade(c)
		c.Abort()
		return
	}
	_, _ = c.Write(header)
	c.SetProtocol(s.next)
	s.next.ConnectionMade(c)
}

// DataReceived is not called, nor is ConnectionLost: the protocol is another's by then.
func (s *sender) DataReceived(*rondo.Conn, []byte) int { return 0 }

func (s *sender) ConnectionLost(*rondo.Conn, error) {}
