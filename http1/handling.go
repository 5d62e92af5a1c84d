package http1

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/http1/wire"
	"github.com/rondo-go/rondo/task"
)

// handling is the exchange of a handler on a goroutine of its own, or in a task. The loop feeds it the body and takes the answer from it; what both touch is under mu.
type handling struct {
	conn  *conn
	parts parts
	ctx   requestContext
	req   *http.Request
	began time.Duration

	gone atomic.Bool // the handler has returned, and what it has left behind must not reach the connection

	// The handler's.
	res      response
	hijacked bool

	// The loop's.
	frame    frame
	readBy   time.Duration // when the body must be here, by the loop's clock
	writeBy  time.Duration // when the handler must have returned
	length   int64         // of the body, as far as it was announced; never changed
	dropped  int           // bytes of the body that came when nobody wanted them any more
	drops    bool          // that is so: the handler has returned
	over     bool
	returned bool // the task has

	monitor            // of what follows; its task is the handler's
	in       []byte    // of the body, not Read
	whole    bool      // it is all there
	inErr    error     // or why it never will be
	full     bool      // reading is paused, since in is full
	closed   bool      // Body.Close was called
	expects  bool      // the client waits for 100 Continue
	out      []byte    // of the answer, not taken by the loop
	stalled  bool      // the peer does not read
	last     bool      // no further request is wanted on this connection
	answers  bool      // the head of the answer is made, so 100 Continue would be a part of that
	got      int64     // bytes of the body that have come
	posted   bool      // the loop has been asked to come
	asks     asks      // for what
	dead     error     // the connection is gone
	read     *deadline // nil until there is one
	write    *deadline
	taken    *hijack
	transfer *transfer
}

// asks are what a goroutine wants the loop to do.
type asks uint8

const (
	askContinue asks = 1 << iota // send 100 Continue
	askFinish                    // the answer is complete
	askAbort                     // it never will be
	askClose                     // the connection is not to be used again
	askHijack                    // give the connection away
)

// How much is kept between the loop and a handler, in either direction, and how much of an answer is gathered before its head goes out without a length: the latter is net/http's.
const (
	window      = 64 << 10
	gathered    = 2 << 10
	maxDropped  = 256 << 10 // of a body that the handler has not read, as in net/http
	handOverMin = 4 << 10
)

func (h *conn) startHandling(c *rondo.Conn, r *wire.Request, p []byte, mode mode) {
	s := h.shard
	x := &handling{conn: h}
	x.monitor.init(s.loop)
	x.ctx.shard = s
	x.ctx.local = x.local
	x.req = new(http.Request).WithContext(&x.ctx)
	if err := x.parts.fill(x.req, h, c, r, p); err != nil {
		h.refuse(c, err)
		return
	}
	x.res = response{req: x.req, clock: &s.clock, out: s.buffer()}
	if s.server.AccessLog != nil {
		x.began = s.loop.Elapsed()
	}
	x.req.Body = http.NoBody
	x.whole = true
	if r.Body != (wire.Framing{}) {
		x.whole = false
		x.length = r.Body.Length
		x.frame.begin(r.Body)
		x.req.Body = &body{x}
		x.expects = r.Expect
		x.req.Trailer = announced(x.req.Header)
	}
	h.x = x
	x.last = h.is&(draining|heard) != 0
	x.limit()
	if mode == inTask {
		s.perform(x)
	} else {
		s.workers.do(x)
	}
}

// perform runs the handler in a task.
func (s *shard) perform(x *handling) {
	task.Start(s.loop, func(t *task.Task) (struct{}, error) {
		x.task, x.ctx.task = t, t
		w := &worker{header: http.Header{}}
		if n := len(s.kits); n > 0 {
			w, s.kits = s.kits[n-1], s.kits[:n-1]
		}
		x.run(w)
		if len(s.kits) < maxBuffers {
			s.kits = append(s.kits, w)
		}
		return struct{}{}, nil
	}).OnDone(func(struct{}, error) {}) // its errors have been seen to
}

// limit has the exchange end when ReadTimeout or WriteTimeout does.
func (x *handling) limit() {
	h, s := x.conn, x.conn.shard
	x.readBy, x.writeBy = never, never
	if s.read > 0 && !x.whole {
		x.readBy = s.clock.elapsed() + s.read
	}
	if s.write > 0 {
		x.writeBy = s.clock.elapsed() + s.write
	}
	h.is &^= sending
	if h.due = min(x.readBy, x.writeBy); h.due != never {
		s.wheel.hasten(h, s.clock.elapsed())
	}
}

func (x *handling) timeOut(c *rondo.Conn) {
	h, now := x.conn, x.conn.shard.clock.elapsed()
	switch {
	case x.writeBy <= now:
		x.over = true
		c.Abort()
	case x.frame.done() || x.readBy > now:
		h.due = min(x.readBy, x.writeBy)
		if x.frame.done() {
			h.due = x.writeBy
		}
	case x.drops:
		x.over = true
		h.done(c, false, false)
	default: // the handler may still answer
		x.readBy = never
		h.due = x.writeBy
		x.broken(c, os.ErrDeadlineExceeded)
	}
}

// run is the goroutine's, whose buffers it borrows: a ResponseWriter is not used any more when the handler has returned.
func (x *handling) run(w *worker) {
	x.res.header, x.res.body, x.res.names = w.header, w.body[:0], w.names
	defer func() {
		if x.res.body != nil && cap(x.res.body) <= maxKept {
			w.body = x.res.body
		}
		w.names = x.res.names
		clear(w.header)
		x.returned = x.task != nil
	}()
	want := askFinish
	defer func() {
		x.gone.Store(true)
		x.ctx.end()
		x.mu.Lock()
		defer x.mu.Unlock()
		x.closed = true // Body is not to be read any more
		if !x.whole {
			x.wake() // who does, on a goroutine of the handler's
		}
		x.asks |= want
		x.post()
	}()
	returned := false
	defer func() {
		if !returned { // runtime.Goexit, as t.FailNow calls it
			want = askAbort
		}
	}()
	ok := x.conn.shard.call(x, x.req, x.req.RemoteAddr)
	returned = true
	x.res.draining = x.isLast()
	switch {
	case x.hijacked:
		want = 0
	case !ok:
		want = askAbort
	default:
		if !x.res.finish() {
			want = askAbort
		} else if x.res.close {
			want |= askClose
		}
		x.mu.Lock()
		x.put(x.res.out)
		x.res.out = nil
		x.mu.Unlock()
	}
}

// isLast reports whether the connection is to end after this answer: that is so too if nobody can tell whether the body will come, or much of it is still to come.
func (x *handling) isLast() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last || x.expects || !x.whole && x.length-x.got > maxDropped
}

// post has the loop come, with the lock held.
func (x *handling) post() {
	if !x.posted && x.dead == nil {
		x.posted = true
		x.conn.shard.loop.PostRunner(x)
	}
}

// put adds to what the loop is to send, with the lock held.
func (x *handling) put(p []byte) {
	if x.out == nil {
		x.out = p
	} else {
		x.out = append(x.out, p...)
	}
}

// Run is the loop, come to do what the handler has asked for.
func (x *handling) Run(*rondo.Loop) {
	h := x.conn
	x.mu.Lock()
	x.posted = false
	if x.dead != nil || x.over {
		x.mu.Unlock()
		return
	}
	out, want := x.out, x.asks
	x.out, x.asks = nil, 0
	resume := x.full && len(x.in) < window/2
	if resume {
		x.full = false
	}
	for _, d := range []*deadline{x.read, x.write} {
		if d != nil {
			d.arm(x, h.shard.loop)
		}
	}
	file := x.transfer
	if len(out) > 0 {
		x.wake()
	}
	x.mu.Unlock()

	c := h.c
	if want&askContinue != 0 {
		_, _ = c.Write(continueHead) // what fails ends the connection
	}
	if len(out) > 0 {
		_, _ = c.Write(out) // likewise
		h.shard.putBuffer(out)
	}
	if file != nil && !file.begun {
		file.begin(c, x)
	}
	switch {
	case want&askAbort != 0:
		x.abort(c)
	case want&askHijack != 0:
		x.giveAway(c)
	case want&askFinish != 0:
		x.finish(c, want&askClose == 0)
	case resume:
		c.ResumeReading()
	}
}

// abort ends an answer that never will be complete. The client gets what was sent of it, and sees that this is not all; where it could not see it, it is reset.
func (x *handling) abort(c *rondo.Conn) {
	h := x.conn
	x.over = true
	x.stop()
	if x.write.over() || !x.res.delimited() {
		c.Abort()
		return
	}
	h.x = nil
	h.shut(c)
}

// stop is called when no deadline of the handler's matters any more.
func (x *handling) stop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stopTimers()
}

// finish is when the answer is complete.
func (x *handling) finish(c *rondo.Conn, keep bool) {
	h := x.conn
	if h.is&lost != 0 {
		return
	}
	h.shard.log(x.req, &x.res, x.began)
	x.stop()
	if x.write.over() {
		x.over = true
		c.Abort()
		return
	}
	if keep && !x.frame.done() && !x.expects && x.inErr == nil {
		x.drops = true // the rest of the body is between us and the next request
		x.mu.Lock()
		x.dropped = len(x.in)
		x.in, x.full = nil, false
		x.mu.Unlock()
		x.writeBy = never
		if s := h.shard; s.header > 0 { // it gets no longer than the next head would
			x.readBy = min(x.readBy, s.clock.elapsed()+s.header)
		}
		h.due = x.readBy
		h.shard.wheel.hasten(h, h.shard.clock.elapsed())
		c.ResumeReading()
		return
	}
	x.over = true
	h.done(c, x.frame.done(), keep)
}

func (x *handling) receives() bool { return !x.frame.done() }

func (x *handling) received(c *rondo.Conn, p []byte) int {
	if x.inErr != nil { // nobody can tell what this is
		return len(p)
	}
	taken := 0
	for !x.frame.done() && taken < len(p) {
		data, n, err := x.frame.next(p[taken:])
		if err != nil {
			x.broken(c, err)
			return len(p)
		}
		if n == 0 {
			break
		}
		taken += n
		if x.drops {
			if x.dropped += len(data); x.dropped > maxDropped {
				x.over = true
				x.conn.done(c, false, false)
				return taken
			}
			continue
		}
		x.mu.Lock()
		x.got += int64(len(data))
		x.in = append(x.in, data...)
		if x.closed {
			x.in = x.in[:0]
		}
		if len(x.in) >= window && !x.full {
			x.full = true
			c.PauseReading()
		}
		x.wake()
		paused := x.full
		x.mu.Unlock()
		if paused {
			break
		}
	}
	if x.frame.done() {
		if x.drops {
			x.over = true
			x.conn.done(c, true, true)
			return taken
		}
		x.mu.Lock()
		x.whole = true
		x.expects = false
		if t := x.frame.trailer(); t != nil {
			x.parts.trailer = t
		}
		x.wake()
		x.mu.Unlock()
	}
	return taken
}

// broken is when the body's coding is.
func (x *handling) broken(c *rondo.Conn, err error) {
	if x.drops {
		x.over = true
		x.conn.done(c, false, false)
		return
	}
	x.mu.Lock()
	x.inErr = err
	x.last = true
	x.wake()
	x.mu.Unlock()
}

func (x *handling) pause(on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stalled = on; !on {
		x.wake()
	}
}

func (x *handling) drain() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.last = true
}

func (x *handling) ended(err error) {
	x.mu.Lock()
	x.last = true
	if !x.whole && x.inErr == nil {
		x.inErr = io.ErrUnexpectedEOF
	}
	x.wake()
	x.mu.Unlock()
	x.ctx.leave()
	x.cancel(err)
	if x.drops {
		x.over = true
		x.conn.done(x.conn.c, false, false)
	}
}

func (x *handling) lost(err error) {
	x.mu.Lock()
	if x.dead == nil {
		x.dead = errors.Join(errClientGone, err)
	}
	if !x.whole && x.inErr == nil {
		x.inErr = io.ErrUnexpectedEOF
	}
	if t := x.transfer; t != nil {
		t.end(x.dead)
	}
	if x.taken != nil {
		x.taken.done = true
	}
	x.out = nil
	x.stopTimers()
	x.wake()
	x.mu.Unlock()
	x.ctx.leave()
	x.cancel(x.dead)
}

// cancel cancels what a task awaits.
func (x *handling) cancel(reason error) {
	if x.task != nil && !x.returned {
		x.task.Cancel(reason)
	}
}

// local is the connection's address, for whom asks on another goroutine.
func (x *handling) local() any {
	var addr any
	done := false
	h := x.conn
	if !h.shard.loop.Post(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		if h.is&lost == 0 {
			addr = h.c.LocalAddr()
		}
		done = true
		x.wake()
	}) {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wait(func() bool { return done }) != nil {
		return nil
	}
	return addr
}
