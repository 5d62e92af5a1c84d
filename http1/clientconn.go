package http1

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// clientConn is the protocol of a client's connection. While it is idle it is this and nothing more.
type clientConn struct {
	pool      *pool
	host      *host
	c         *rondo.Conn
	x         *call          // under way; nil while it is idle
	partial   *wire.Response // of a head that has come in part
	connector *connector     // until it is ready
	dialedFor *call          // likewise: on whose account
	secured   *tls.ConnectionState
	frame     frame
	calls     int // that it was given
	is        clientState

	next, prev *clientConn // in the ring of those that are idle
	idleSince  time.Duration
	idleTurn   uint32
}

type clientState uint8

const (
	gone       clientState = 1 << iota // the connection is
	inBody                             // of an answer
	untilEnd                           // that ends with the connection
	keeps                              // another call may follow
	congested                          // more is written than the server takes
	abandoned                          // nobody wants it any more
	handedOver                         // it is somebody else's: of another protocol
)

// ConnectionMade implements rondo.Protocol, as those below do. It is called again by the layer of TLS.
func (h *clientConn) ConnectionMade(c *rondo.Conn) {
	h.c = c
	if h.is&abandoned != 0 {
		c.Abort()
		return
	}
	h.connector.made(c)
}

// begin exchanges x on a connection that is ready.
func (h *clientConn) begin(x *call) {
	h.x = x
	h.calls++
	h.is &^= inBody | untilEnd | keeps
	x.conn = h
	x.send(h.c)
}

// DataReceived is the main path: a head, and its body.
func (h *clientConn) DataReceived(c *rondo.Conn, p []byte) int {
	n := 0
	for n < len(p) && c.Reading() {
		var k int
		switch {
		case h.connector != nil:
			k = h.connector.received(c, p[n:])
		case h.x == nil:
			h.unasked(c)
			return len(p)
		case h.is&inBody == 0:
			k = h.received(c, p[n:])
		default:
			k = h.receivedBody(c, p[n:])
		}
		if k == 0 {
			break
		}
		n += k
	}
	return n
}

// unasked is when a server says what nobody has asked for: a second answer, or one before the request. Nothing that it says afterwards could be believed to be the answer to anything (RFC 9112, section 11.1).
func (h *clientConn) unasked(c *rondo.Conn) {
	if h.next != nil {
		h.pool.takeIdle(h)
	}
	h.pool.loop.Engine().Logger().Debug("http1: a server has sent more than it was asked for", "peer", c.RemoteAddr())
	c.Abort()
}

// received takes a head, and of the body what is there already.
func (h *clientConn) received(c *rondo.Conn, p []byte) int {
	x := h.x
	r := h.pool.head
	if h.partial != nil {
		r = h.partial
	}
	n, err := r.Parse(p, &h.pool.limits, x.method)
	switch {
	case err != nil:
		h.fail(err)
		return 0
	case n == 0:
		if h.partial == nil {
			h.partial, h.pool.head = r, new(wire.Response)
		}
		return 0
	}
	h.partial = nil
	if r.Status < 200 && r.Status != http.StatusSwitchingProtocols {
		if x.informed++; x.informed > MaxInformational {
			h.fail(fmt.Errorf("http1: the server has sent more than %d responses 1xx and no answer", MaxInformational))
			return 0
		}
		x.inform(r, p[:n])
		return n
	}
	if r.Status == http.StatusSwitchingProtocols || x.method == http.MethodConnect && r.Status < 300 {
		return h.handOver(c, r, p[:n])
	}
	return n + h.answer(c, r, p[:n], p[n:])
}

// answer gives the call its answer, with as much of the body as is in rest. It returns how much of that it has taken.
func (h *clientConn) answer(c *rondo.Conn, r *wire.Response, head, rest []byte) (n int) {
	x := h.x
	if !r.Close && !x.req.Close && !h.pool.transport.DisableKeepAlives {
		h.is |= keeps
	}
	h.is |= inBody
	if r.Body.Length < 0 {
		h.is |= untilEnd
	}
	h.frame.begin(r.Body)
	res := x.response(r, head)
	res.TLS = h.secured
	var first, scratch []byte
	var broken error
	switch {
	case h.is&untilEnd != 0:
		first, n = rest, len(rest)
	case h.frame.chunks == nil:
		first, n, _ = h.frame.next(rest)
	default:
		scratch = h.pool.buffer()
		for n < len(rest) && !h.frame.done() {
			data, k, err := h.frame.next(rest[n:])
			if broken = err; k == 0 {
				break
			}
			scratch = append(scratch, data...)
			n += k
		}
		first = scratch
	}
	whole := h.is&untilEnd == 0 && h.frame.done()
	if whole {
		h.finish(c)
	}
	x.answered(res, first, whole, h.frame.trailer())
	if scratch != nil {
		h.pool.keepBuffer(scratch)
	}
	if broken != nil {
		h.fail(broken)
		return len(rest)
	}
	return n
}

// receivedBody takes what follows.
func (h *clientConn) receivedBody(c *rondo.Conn, p []byte) int {
	x := h.x
	if h.is&untilEnd != 0 {
		x.received(c, p)
		return len(p)
	}
	data, n, err := h.frame.next(p)
	if err != nil {
		h.fail(err)
		return 0
	}
	if len(data) > 0 {
		x.received(c, data)
	}
	if h.x == x && h.frame.done() {
		h.finish(c)
		x.finished(h.frame.trailer(), nil)
	}
	return n
}

// finish is when an answer is whole: the connection is ready for the next call, unless something of this one is still to be sent, which the server would take for a part of the next.
func (h *clientConn) finish(c *rondo.Conn) {
	x := h.x
	h.x = nil
	x.conn = nil
	h.is &^= inBody
	if !x.sent() {
		h.is &^= keeps
		x.stopSending()
	}
	if h.is&keeps == 0 || h.is&congested != 0 {
		_ = c.Close()
		return
	}
	c.ResumeReading() // somebody may have paused it
	h.pool.putIdle(h)
}

// handOver gives the connection to another protocol.
func (h *clientConn) handOver(c *rondo.Conn, r *wire.Response, head []byte) int {
	x := h.x
	if r.Status == http.StatusSwitchingProtocols && x.req.Header.Get("Upgrade") == "" {
		h.fail(errors.New("http1: the server has switched to another protocol, for which nobody has asked"))
		return 0
	}
	res := x.response(r, head)
	res.TLS = h.secured
	h.x, x.conn = nil, nil
	h.is |= handedOver
	x.stopSending()
	conn := rondo.NetConn(c) // has what is behind the head
	h.is |= gone
	c.OnLost(func(error) { h.host.lost() })
	res.Body = upgraded{conn}
	x.answered(res, nil, true, nil)
	return len(head)
}

// upgraded is the body of an answer after which the connection is another protocol's. It is an io.ReadWriteCloser, as net/http has it, and a net.Conn.
type upgraded struct{ net.Conn }

// PauseWriting implements rondo.WritePauser.
func (h *clientConn) PauseWriting(*rondo.Conn) { h.is |= congested }

func (h *clientConn) ResumeWriting(*rondo.Conn) {
	h.is &^= congested
	if h.x != nil {
		h.x.resume()
	}
}

// Drain implements rondo.Drainer: what is under way is the last.
func (h *clientConn) Drain(c *rondo.Conn) {
	switch {
	case h.connector != nil:
		h.giveUp()
	case h.x == nil:
		_ = c.Close()
	}
	h.is &^= keeps
}

// fail ends the call and the connection, of which nobody can tell where the next answer would begin.
func (h *clientConn) fail(err error) {
	x := h.x
	h.x = nil
	h.c.Abort()
	if x != nil {
		x.conn = nil
		x.fail(err)
	}
}

// giveUp is when nobody wants what is being connected.
func (h *clientConn) giveUp() {
	if h.connector != nil {
		h.connector.fail(context.Canceled)
	}
}

// ConnectionLost implements rondo.Protocol.
func (h *clientConn) ConnectionLost(_ *rondo.Conn, err error) {
	if h.is&gone != 0 {
		return
	}
	h.is |= gone
	if h.connector != nil {
		h.connector.lost(err)
		return
	}
	if h.next != nil {
		h.pool.takeIdle(h)
	}
	x := h.x
	h.x = nil
	if x == nil {
		h.host.lost()
		return
	}
	x.conn = nil
	ended := err == io.EOF //nolint:errorlint // documented to be bare
	switch {
	case h.is&inBody == 0:
		x.unanswered(h, err)
	case h.is&untilEnd != 0 && ended:
		x.finished(nil, nil)
	case ended:
		x.fail(io.ErrUnexpectedEOF)
	default:
		x.fail(err)
	}
	h.host.lost()
}
