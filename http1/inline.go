package http1

import (
	"bytes"
	"cmp"
	"net/http"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
)

// inline is the exchange of a NonBlocking handler, which is called on the loop once the request's body is there. It is used again.
type inline struct {
	conn  *conn
	parts parts
	ctx   requestContext
	req   *http.Request // whose context is ctx
	blank *http.Request // req before its first request
	res   response
	frame frame
	body  []byte // gathered
	began time.Duration
	read  gatheredBody
}

// gatheredBody is a body that is all there.
type gatheredBody struct {
	bytes.Reader
	closed bool
}

// Read implements io.Reader.
func (b *gatheredBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, http.ErrBodyReadAfterClose
	}
	return b.Reader.Read(p)
}

// Close implements io.Closer.
func (b *gatheredBody) Close() error {
	b.closed = true
	return nil
}

func (s *shard) inline() *inline {
	if n := len(s.free); n > 0 {
		x := s.free[n-1]
		s.free = s.free[:n-1]
		return x
	}
	x := new(inline)
	x.ctx.shard = s
	x.ctx.local = func() any { return x.conn.c.LocalAddr() }
	x.blank = new(http.Request).WithContext(&x.ctx)
	x.req = new(http.Request)
	*x.req = *x.blank
	x.res = response{req: x.req, clock: &s.clock, onLoop: true, header: http.Header{}}
	return x
}

// maxInline is how many are kept for the next requests: more than one is needed only for bodies.
const maxInline = 16

// largeAnswer is what may be beyond an engine's WriteLimit.
const largeAnswer = 1 << 20

func (s *shard) putInline(x *inline) {
	x.conn = nil
	x.res.reset()
	if cap(x.body) > maxKept {
		x.body = nil
	}
	x.body = x.body[:0]
	x.ctx.err, x.ctx.done, x.ctx.after = nil, nil, nil
	*x.req = *x.blank // what a router has put into it is in members that cannot be seen
	if len(s.free) < maxInline {
		s.free = append(s.free, x)
	}
}

func (h *conn) startInline(c *rondo.Conn, r *wire.Request, p []byte) {
	s := h.shard
	x := s.inline()
	x.conn = h
	if err := x.parts.fill(x.req, h, c, r, p); err != nil {
		s.putInline(x)
		h.refuse(c, err)
		return
	}
	if s.mode == byRoute {
		if mode := route(s.router, x.req); mode != onLoop {
			s.putInline(x)
			h.startHandling(c, r, p, mode)
			return
		}
	}
	if s.server.AccessLog != nil {
		x.began = s.loop.Elapsed()
	}
	if r.Body == (wire.Framing{}) {
		x.serve(c)
		return
	}
	if limit := x.maxBody(); r.Body.Length > limit {
		s.putInline(x)
		h.refuse(c, tooLarge(limit))
		return
	}
	h.x = x
	x.frame.begin(r.Body)
	h.is &^= sending
	h.expect(s.read)
	if s.read > 0 {
		s.wheel.hasten(h, s.clock.elapsed())
	}
	if r.Expect {
		_, _ = c.Write(continueHead) // what fails ends the connection
	}
}

var continueHead = []byte("HTTP/1.1 100 Continue\r\n\r\n")

func (x *inline) maxBody() int64 {
	return int64(cmp.Or(x.conn.server.MaxBufferedBody, defaultMaxBufferedBody))
}

func tooLarge(limit int64) error {
	return &wire.Error{Status: http.StatusRequestEntityTooLarge, Reason: "the request's body is longer than " + itoa(int(limit)) + " bytes"}
}

func (x *inline) received(c *rondo.Conn, p []byte) int {
	h := x.conn
	taken := 0
	for !x.frame.done() {
		data, n, err := x.frame.next(p[taken:])
		if err == nil && int64(len(x.body)+len(data)) > x.maxBody() {
			err = tooLarge(x.maxBody())
		}
		if err != nil {
			h.x = nil
			h.shard.putInline(x)
			h.refuse(c, err)
			return taken
		}
		if n == 0 {
			return taken
		}
		x.body = append(x.body, data...)
		taken += n
	}
	x.serve(c)
	return taken
}

// serve calls the handler, and sends what it has written.
func (x *inline) serve(c *rondo.Conn) {
	h, s := x.conn, x.conn.shard
	x.req.Body = http.NoBody
	if len(x.body) > 0 {
		x.read.closed = false
		x.read.Reset(x.body)
		x.req.Body = &x.read
	}
	x.req.Trailer = x.frame.trailer()
	ok := s.call(x, x.req, h.remote)
	x.ctx.end()
	if !ok {
		h.x = nil
		h.shut(c)
		return
	}
	x.res.draining = h.is&(draining|heard) != 0
	whole := x.res.finish()
	if n := len(x.res.out); n >= largeAnswer {
		c.SetWriteLimits(0, 64<<10, c.Buffered()+n+largeAnswer) // it is there, so refusing to keep it would save nothing
	}
	_, _ = c.Write(x.res.out) // what fails ends the connection
	s.log(x.req, &x.res, x.began)
	keep := !x.res.close
	s.putInline(x)
	switch {
	case !whole: // which the client sees
		h.x = nil
		h.shut(c)
	case h.is&lost == 0:
		h.done(c, true, keep)
	}
}

func (x *inline) receives() bool { return !x.frame.done() }
func (x *inline) pause(on bool) {
	if c := x.conn.c; on {
		c.PauseReading()
	} else {
		c.ResumeReading()
	}
}
func (x *inline) ended(error)           { _ = x.conn.c.Close() } // the body cannot be whole any more
func (x *inline) lost(error)            {}
func (x *inline) drain()                {}
func (x *inline) timeOut(c *rondo.Conn) { x.conn.x = nil; x.conn.refuse(c, errBodyTime) }

var errBodyTime = &wire.Error{Status: http.StatusRequestTimeout, Reason: "the request's body did not come in time"}

// Header implements http.ResponseWriter, as those below do.
func (x *inline) Header() http.Header { return x.res.header }

func (x *inline) WriteHeader(status int) {
	if x.res.status != 0 {
		return
	}
	checkStatus(status)
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		x.res.inform(status)
		return
	}
	x.res.setStatus(status)
	x.res.freeze()
}

func (x *inline) Write(p []byte) (int, error) {
	if err := x.res.take(len(p)); err != nil {
		return 0, err
	}
	x.res.body = append(x.res.body, p[:x.res.room(len(p))]...)
	return len(p), nil
}

// WriteString implements io.StringWriter.
func (x *inline) WriteString(p string) (int, error) {
	if err := x.res.take(len(p)); err != nil {
		return 0, err
	}
	x.res.body = append(x.res.body, p[:x.res.room(len(p))]...)
	return len(p), nil
}

// Flush implements http.Flusher. What is written goes out when the handler returns, which is at once; that it was flushed says that the length is not known.
func (x *inline) Flush() {
	if x.res.status == 0 {
		x.res.setStatus(http.StatusOK)
	}
	x.res.commit(false)
	x.res.flush()
}
