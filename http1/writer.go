package http1

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rondo-go/rondo"
)

// This file is the http.ResponseWriter of a handler on its own goroutine.

// Header implements http.ResponseWriter, as the next two do.
func (x *handling) Header() http.Header {
	if x.gone.Load() {
		return http.Header{} // the other is some other answer's by now
	}
	return x.res.header
}

// CloseNotify implements http.CloseNotifier, which is deprecated, and which some routers ask for all the same.
func (x *handling) CloseNotify() <-chan bool { return x.ctx.notify() }

func (x *handling) WriteHeader(status int) {
	if x.hijacked || x.gone.Load() || x.res.status != 0 {
		return
	}
	checkStatus(status)
	if status < 200 && status != http.StatusSwitchingProtocols {
		if status == http.StatusContinue {
			x.mu.Lock()
			if x.expects {
				x.expects = false
				x.asks |= askContinue
				x.post()
			}
			x.mu.Unlock()
			return
		}
		x.res.inform(status)
		_ = x.handOver() // the next Write will say so too
		return
	}
	x.res.setStatus(status)
	x.res.freeze()
}

var errReturned = errors.New("http1: the handler has returned, and its ResponseWriter is not to be used any more")

func (x *handling) Write(p []byte) (int, error) {
	if err := x.usable(); err != nil {
		return 0, err
	}
	w := &x.res
	if err := w.take(len(p)); err != nil {
		return 0, err
	}
	for n := 0; ; {
		m := min(len(p)-n, window) // however much it is, no more than that is kept at once
		w.body = append(w.body, p[n:n+w.room(m)]...)
		n += m
		if w.written > gathered {
			x.commit()
			if len(w.body) >= handOverMin {
				w.flush()
				if err := x.handOver(); err != nil {
					return n, err
				}
			}
		}
		if n == len(p) {
			return n, nil
		}
	}
}

// commit puts the head into out before the answer is whole.
func (x *handling) commit() {
	if !x.res.headSent {
		x.res.draining = x.isLast()
		x.mu.Lock()
		x.answers = true
		x.mu.Unlock()
		x.res.commit(false)
	}
}

// WriteString implements io.StringWriter.
func (x *handling) WriteString(s string) (int, error) { return x.Write([]byte(s)) }

// Flush implements http.Flusher.
func (x *handling) Flush() { _ = x.FlushError() }

// FlushError is what http.ResponseController asks for.
func (x *handling) FlushError() error {
	if err := x.usable(); err != nil {
		return err
	}
	if x.res.status == 0 {
		x.res.setStatus(http.StatusOK)
	}
	x.commit()
	x.res.flush()
	return x.handOver()
}

// handOver gives the loop what is in out, and waits while that has enough.
func (x *handling) handOver() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.res.out) > 0 && x.dead == nil {
		x.put(x.res.out)
		x.res.out = nil
		x.post()
	}
	if err := x.wait(func() bool { return x.dead != nil || x.write.over() || len(x.out) < window && !x.stalled }); err != nil {
		return err
	}
	switch {
	case x.dead != nil:
		return x.dead
	case x.write.over():
		return os.ErrDeadlineExceeded
	}
	return nil
}

// usable says why the ResponseWriter is of no use any more.
func (x *handling) usable() error {
	switch {
	case x.gone.Load():
		return errReturned
	case x.hijacked:
		return http.ErrHijacked
	}
	return nil
}

// EnableFullDuplex is what http.ResponseController asks for: reading the body and writing the answer never wait for each other here.
func (*handling) EnableFullDuplex() error { return nil }

// SetReadDeadline is what http.ResponseController asks for.
func (x *handling) SetReadDeadline(t time.Time) error { return x.setDeadline(&x.read, t) }

// SetWriteDeadline is, too.
func (x *handling) SetWriteDeadline(t time.Time) error { return x.setDeadline(&x.write, t) }

// deadline is one of a handler's.
type deadline struct {
	at      time.Time
	set     bool // at is news to the loop
	expired bool
	timer   rondo.Timer // the loop's
}

// over reports whether there is one and it has passed.
func (d *deadline) over() bool { return d != nil && d.expired }

func (x *handling) setDeadline(which **deadline, t time.Time) error {
	if err := x.usable(); err != nil {
		return err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead != nil {
		return x.dead
	}
	if *which == nil {
		*which = new(deadline)
	}
	d := *which
	d.at, d.set = t, true
	d.expired = !t.IsZero() && !t.After(x.conn.shard.loop.Now())
	if d.expired {
		x.wake()
	}
	x.post()
	return nil
}

// arm sets the timer, on the loop and with the lock held.
func (d *deadline) arm(x *handling, l *rondo.Loop) {
	if !d.set {
		return
	}
	d.set = false
	d.timer.Stop()
	if d.at.IsZero() || d.expired {
		return
	}
	d.timer = l.After(d.at.Sub(l.Now()), func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		d.expired = true
		x.wake()
	})
}

// stopTimers is called when no deadline matters any more, on the loop.
func (x *handling) stopTimers() {
	for _, d := range []*deadline{x.read, x.write} {
		if d != nil {
			d.timer.Stop()
		}
	}
}

// hijack is a connection that is given away.
type hijack struct {
	conn net.Conn
	rest []byte // of the body, that came and was not Read
	done bool
}

// Hijack implements http.Hijacker. What was written and what has come and was not read goes before; the deadlines are lifted.
func (x *handling) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if err := x.usable(); err != nil {
		return nil, nil, err
	}
	if x.res.status != 0 {
		x.commit()
		x.res.flush()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead != nil {
		return nil, nil, x.dead
	}
	x.put(x.res.out)
	x.res.out = nil
	x.taken = new(hijack)
	x.asks |= askHijack
	x.post()
	if err := x.wait(func() bool { return x.taken.done }); err != nil {
		return nil, nil, err
	}
	conn := x.taken.conn
	if conn == nil {
		return nil, nil, x.dead
	}
	x.hijacked, x.closed = true, true
	in := io.Reader(conn)
	if len(x.taken.rest) > 0 {
		in = io.MultiReader(bytes.NewReader(x.taken.rest), conn)
	}
	return conn, bufio.NewReadWriter(bufio.NewReader(in), bufio.NewWriter(conn)), nil
}

// giveAway makes the connection a net.Conn of the handler's.
func (x *handling) giveAway(c *rondo.Conn) {
	h := x.conn
	x.over = true
	h.x = nil
	h.is |= lost // to us
	h.shard.wheel.remove(h)
	conn := rondo.NetConn(c)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.stopTimers()
	x.taken.conn, x.taken.rest, x.taken.done = conn, x.in, true
	x.in = nil
	x.wake()
}

// transfer is a file that is being sent.
type transfer struct {
	file  *os.File
	at    int64
	size  int64
	begun bool
	done  bool
	sent  int64
	err   error
}

func (t *transfer) begin(c *rondo.Conn, x *handling) {
	t.begun = true
	_, err := c.SendFile(t.file, t.at, t.size, func(sent int64, err error) {
		x.mu.Lock()
		defer x.mu.Unlock()
		t.sent = sent
		t.end(err)
		x.wake()
	})
	if err != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		t.end(err)
		x.wake()
	}
}

func (t *transfer) end(err error) {
	if !t.done {
		t.done, t.err = true, err
	}
}

// ReadFrom implements io.ReaderFrom: files of which it is known how much is to be sent go from the disk to the network inside the kernel.
func (x *handling) ReadFrom(r io.Reader) (int64, error) {
	if t := x.sendable(r); t != nil {
		return x.send(t, r)
	}
	return io.CopyBuffer(struct{ io.Writer }{x}, struct{ io.Reader }{r}, make([]byte, 32<<10))
}

// sendable is a file that can be sent; nil if r is none. The answer must have a length, and the file as much.
func (x *handling) sendable(r io.Reader) *transfer {
	if x.usable() != nil || x.res.isHead() {
		return nil
	}
	l, ok := r.(*io.LimitedReader)
	if !ok || l.N < handOverMin {
		return nil
	}
	f, ok := l.R.(*os.File)
	if !ok {
		return nil
	}
	if x.res.status == 0 {
		x.res.setStatus(http.StatusOK)
	}
	if x.res.length < 0 || x.res.written+l.N > x.res.length || !bodyAllowed(x.res.status) {
		return nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() || st.Size() < at+l.N {
		return nil
	}
	return &transfer{file: f, at: at, size: l.N}
}

func (x *handling) send(t *transfer, r io.Reader) (int64, error) {
	x.commit()
	x.res.flush()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dead != nil {
		return 0, x.dead
	}
	x.put(x.res.out)
	x.res.out = nil
	x.transfer = t
	x.post()
	if err := x.wait(func() bool { return t.done }); err != nil {
		return 0, err
	}
	x.transfer = nil
	x.res.written += t.sent
	l := r.(*io.LimitedReader) //nolint:errcheck // sendable has seen that it is one
	l.N -= t.sent
	if _, err := t.file.Seek(t.sent, io.SeekCurrent); err != nil && t.err == nil {
		t.err = err
	}
	return t.sent, t.err
}
