package http1

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// conn is a connection's protocol. While it is idle it is this and nothing more.
type conn struct {
	server  *Server
	shard   *shard
	c       *rondo.Conn
	x       exchange      // under way; nil between two
	partial *wire.Request // of a head that has come in part
	remote  string        // RemoteAddr of requests, once there was one
	due     time.Duration // when it is to be looked at, by the loop's clock

	next, prev *conn // in the wheel
	listed     int32 // the second of that list
	is         connState
}

type connState uint8

const (
	lost     connState = 1 << iota // the connection is gone
	draining                       // the engine shuts down: no request after this one
	heard                          // the peer has ended its direction
	full                           // more is written than the peer takes
)

// ConnectionMade implements rondo.Protocol, as those below do.
func (h *conn) ConnectionMade(c *rondo.Conn) {
	h.c, h.shard = c, h.server.shard(c.Loop())
	if h.shard.wheel.loop.Draining() {
		h.is |= draining
	}
	h.rest()
	h.shard.wheel.hasten(h, h.shard.clock.elapsed())
}

// rest is a connection's state between two requests.
func (h *conn) rest() {
	h.expect(h.shard.idle)
}

// expect says how long the present state may last; 0 is for ever. In the wheel the connection stays where it is: see hasten.
func (h *conn) expect(d time.Duration) {
	h.due = never
	if d > 0 {
		h.due = h.shard.clock.elapsed() + d
	}
}

// DataReceived is the main path: heads begin exchanges, and what follows a head is its exchange's body.
func (h *conn) DataReceived(c *rondo.Conn, p []byte) int {
	n := 0
	for n < len(p) && c.Reading() {
		var k int
		if h.x != nil {
			k = h.x.received(c, p[n:])
		} else {
			k = h.begin(c, p[n:])
		}
		if k == 0 {
			break
		}
		n += k
	}
	if h.x != nil && n < len(p) && !h.x.receives() {
		c.PauseReading() // the next request waits until this one is answered
	}
	return n
}

// begin parses a head, and starts its exchange when it is whole.
func (h *conn) begin(c *rondo.Conn, p []byte) int {
	s := h.shard
	r := s.head
	if h.partial != nil {
		r = h.partial
	}
	n, err := r.Parse(p, &s.limits)
	switch {
	case err != nil:
		h.refuse(c, err)
		return 0
	case n == 0:
		if h.partial == nil {
			h.partial, s.head = r, new(wire.Request)
			h.expect(s.header)
			s.wheel.hasten(h, s.clock.elapsed())
		}
		return 0
	}
	if h.partial != nil {
		h.partial = nil
		h.expect(0)
	}
	if r.ExpectOther {
		h.refuse(c, &wire.Error{Status: http.StatusExpectationFailed, Reason: "only 100-continue can be expected here"})
		return 0
	}
	h.start(c, r, p[:n])
	return n
}

// refuse answers a request that is none, and closes.
func (h *conn) refuse(c *rondo.Conn, err error) {
	status := http.StatusBadRequest
	if e, ok := errors.AsType[*wire.Error](err); ok {
		status = e.Status
	}
	h.shard.loop.Engine().Logger().Debug("http1: a request was refused", "peer", c.RemoteAddr(), "error", err)
	text := http.StatusText(status) + ": " + strings.TrimPrefix(err.Error(), "wire: ") + "\n"
	p := wire.AppendStatusLine(nil, 1, status)
	p = wire.AppendField(p, "Content-Type", "text/plain; charset=utf-8")
	p = wire.AppendField(p, "Content-Length", itoa(len(text)))
	p = wire.AppendField(p, "Connection", "close")
	p = append(p, h.shard.clock.field(h.shard.clock.elapsed())...)
	p = append(p, "\r\n"...)
	p = append(p, text...)
	_, _ = c.Write(p) // what fails ends the connection
	h.shut(c)
}

// shut closes in a way that the peer gets what was written last.
func (h *conn) shut(c *rondo.Conn) {
	h.expect(0)
	_ = c.CloseLingering(0, 0)
}

// EOFReceived implements rondo.EOFReceiver: a client that has said all may still read. Until its answer is there that cannot be told from one that has gone, so the request's context ends.
func (h *conn) EOFReceived(c *rondo.Conn) {
	h.is |= heard
	if h.x == nil {
		_ = c.Close()
		return
	}
	h.x.ended(errClientGone)
}

// PauseWriting implements rondo.WritePauser: pipelined requests wait until their answers are wanted.
func (h *conn) PauseWriting(c *rondo.Conn) {
	h.is |= full
	if h.x != nil {
		h.x.pause(true)
	}
	c.PauseReading()
}

func (h *conn) ResumeWriting(c *rondo.Conn) {
	h.is &^= full
	if h.x != nil {
		h.x.pause(false)
		return
	}
	c.ResumeReading()
}

// Drain implements rondo.Drainer: the request that is under way is the last.
func (h *conn) Drain(c *rondo.Conn) {
	h.is |= draining
	if h.x == nil {
		_ = c.Close()
		return
	}
	h.x.drain()
}

// ConnectionLost implements rondo.Protocol.
func (h *conn) ConnectionLost(_ *rondo.Conn, err error) {
	h.is |= lost
	h.shard.wheel.remove(h)
	if h.x != nil {
		h.x.lost(err)
	}
}

// timeOut is when the present state has lasted too long.
func (h *conn) timeOut() {
	switch c := h.c; {
	case h.x != nil:
		h.x.timeOut(c)
	case h.partial != nil:
		h.partial = nil
		h.refuse(c, &wire.Error{Status: http.StatusRequestTimeout, Reason: "the request's head did not come in time"})
	default:
		_ = c.Close()
	}
	h.due = never
}

// done is called when an exchange is over: whether all of the request was read, and whether another may follow.
func (h *conn) done(c *rondo.Conn, read, keep bool) {
	h.x = nil
	switch {
	case read && h.is&(draining|heard) != 0:
		_ = c.Close()
		return
	case !read || !keep:
		h.shut(c) // the client may be sending still
		return
	}
	h.rest()
	if h.is&full == 0 {
		c.ResumeReading()
	}
}
