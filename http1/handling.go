package http1

import (
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
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

	task *task.Task // in which the handler runs; nil if it is on a goroutine

	// The handler's.
	res      response
	hijacked bool

	// The loop's.
	frame    frame
	length   int64 // of the body, as far as it was announced; never changed
	dropped  int   // bytes of the body that came when nobody wanted them any more
	drops    bool  // that is so: the handler has returned
	over     bool
	returned bool // the task has

	mu       sync.Mutex
	changed  sync.Cond
	waiter   *rondo.Promise[struct{}] // of a task, in place of changed
	in       []byte                   // of the body, not Read
	whole    bool                     // it is all there
	inErr    error                    // or why it never will be
	full     bool                     // reading is paused, since in is full
	closed   bool                     // Body.Close was called
	expects  bool                     // the client waits for 100 Continue
	out      []byte                   // of the answer, not taken by the loop
	stalled  bool                     // the peer does not read
	last     bool                     // no further request is wanted on this connection
	got      int64                    // bytes of the body that have come
	posted   bool                     // the loop has been asked to come
	asks     asks                     // for what
	dead     error                    // the connection is gone
	read     *deadline                // nil until there is one
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

func (h *conn) startHandling(c *rondo.Conn, r *wire.Request, p []byte) {
	s := h.shard
	x := &handling{conn: h}
	x.changed.L = &x.mu
	x.ctx.engine, x.ctx.server = s.loop.Engine(), s.server
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
	h.limit()
	if s.mode == inTask {
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
func (h *conn) limit() {
	s := h.shard
	if d := s.write; d > 0 || s.read > 0 {
		if d == 0 || s.read > 0 && s.read < d && !h.x.(*handling).whole {
			d = s.read
		}
		h.expect(d)
		s.wheel.hasten(h, s.clock.elapsed())
		return
	}
	h.expect(0)
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
		x.res.returned = true
		x.returned = x.task != nil
	}()
	want := askFinish
	defer func() {
		x.ctx.end()
		x.mu.Lock()
		defer x.mu.Unlock()
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
	case !ok, !x.res.finish():
		want = askAbort
	default:
		if x.res.close {
			want |= askClose
		}
		x.mu.Lock()
		x.put(x.res.out)
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

// wake tells those that wait, with the lock held.
func (x *handling) wake() {
	if x.waiter != nil {
		x.waiter.Resolve(struct{}{})
		x.waiter = nil
		return
	}
	x.changed.Broadcast()
	x.ctx.engine.Wake(x)
}

// wait waits until ready says so, with the lock held. A task may be cancelled meanwhile: that is the error.
func (x *handling) wait(ready func() bool) error {
	for !ready() {
		if x.task != nil {
			if err := x.await(); err != nil && !ready() {
				return err
			}
			continue
		}
		x.block(ready)
		if !ready() {
			x.changed.Wait()
		}
	}
	return nil
}

// await is a task's way of waiting to be woken.
func (x *handling) await() error {
	p := rondo.NewPromise[struct{}](x.conn.shard.loop)
	x.waiter = p
	x.mu.Unlock()
	defer x.mu.Lock()
	_, err := task.Await(x.task, p.Future())
	return err
}

func (x *handling) block(ready func() bool) {
	x.mu.Unlock()
	defer x.mu.Lock() // also when Block does not return, since the goroutine is killed
	x.ctx.engine.Block(func() bool {
		x.mu.Lock()
		defer x.mu.Unlock()
		return ready()
	}, x)
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
	x.out, x.asks = nil, x.asks&askFinish // which is said once
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
		x.over = true
		h.x = nil
		c.Abort()
	case want&askHijack != 0:
		x.giveAway(c)
	case want&askFinish != 0:
		x.finish(c, want&askClose == 0)
	case resume && h.is&full == 0:
		c.ResumeReading()
	}
}

// finish is when the answer is complete.
func (x *handling) finish(c *rondo.Conn, keep bool) {
	h := x.conn
	if h.is&lost != 0 {
		return
	}
	h.shard.log(x.req, &x.res, x.began)
	if keep && !x.frame.done() && !x.expects && x.inErr == nil {
		x.drops = true // the rest of the body is between us and the next request
		x.mu.Lock()
		x.dropped = len(x.in)
		x.in, x.full = nil, false
		x.mu.Unlock()
		c.ResumeReading()
		return
	}
	x.over = true
	h.done(c, x.frame.done(), keep)
}

func (x *handling) receives() bool { return !x.frame.done() }

func (x *handling) received(c *rondo.Conn, p []byte) int {
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
	x.wake()
	x.mu.Unlock()
	c.PauseReading() // for ever: nobody can tell what follows
}

func (x *handling) pause(on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stalled = on; !on {
		x.wake()
		if !x.full && x.inErr == nil && (x.drops || !x.whole) {
			x.conn.c.ResumeReading()
		}
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
	x.ctx.end()
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
	x.wake()
	x.mu.Unlock()
	x.ctx.end()
	x.cancel(x.dead)
}

// cancel cancels what a task awaits.
func (x *handling) cancel(reason error) {
	if x.task != nil && !x.returned {
		x.task.Cancel(reason)
	}
}

func (x *handling) timeOut(c *rondo.Conn) {
	x.over = true
	c.Abort()
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

// body is a request's, as its handler sees it.
type body struct{ x *handling }

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.expects && !x.closed {
		x.expects = false
		x.asks |= askContinue
		x.post()
	}
	for {
		switch {
		case x.closed:
			return 0, http.ErrBodyReadAfterClose
		case len(p) == 0:
			return 0, nil
		case len(x.in) > 0:
			n := copy(p, x.in)
			if x.in = x.in[n:]; len(x.in) == 0 {
				x.in = nil
			}
			if x.full && len(x.in) < window/2 {
				x.post()
			}
			return n, nil
		case x.whole:
			b.x.trail()
			return 0, io.EOF
		case x.inErr != nil:
			return 0, x.inErr
		case x.read.over():
			return 0, os.ErrDeadlineExceeded
		}
		if err := x.wait(func() bool { return x.closed || len(x.in) > 0 || x.whole || x.inErr != nil || x.read.over() }); err != nil {
			return 0, err
		}
	}
}

// Close implements io.Closer.
func (b *body) Close() error {
	x := b.x
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	x.in = nil
	if x.full {
		x.post()
	}
	return nil
}

// trail gives the request what came behind its body, with the lock held.
func (x *handling) trail() {
	for name, values := range x.parts.trailer {
		if x.req.Trailer == nil {
			x.req.Trailer = http.Header{}
		}
		x.req.Trailer[name] = values
	}
	x.parts.trailer = nil
}

// announced are the trailers that a request says will come, without their values.
func announced(h http.Header) http.Header {
	var w response
	w.announce(h["Trailer"])
	if len(w.trailers) == 0 {
		return nil
	}
	delete(h, "Trailer")
	t := http.Header{}
	for _, name := range w.trailers {
		t[name] = nil
	}
	return t
}
