package rondo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// shutdown starts a Shutdown, and returns when the loops know of it.
func (e *engine) shutdown(ctx context.Context) (result <-chan error) {
	e.t.Helper()
	done := make(chan error, 1)
	draining := make(chan struct{})
	r := newRecorder(e.t)
	// A dial that never ends is ended by the drain.
	f := rondo.Dialer{Timeout: -1, Loop: e.Loops()[len(e.Loops())-1]}.Dial(context.Background(), e.Engine, "tcp", blackHole(e.t), r)
	rig.On(e.t, f.Loop(), func() { f.OnDone(func(*rondo.Conn, error) { close(draining) }) })
	go func() { done <- e.Shutdown(ctx) }()
	rig.Await(e.t, draining)
	return done
}

func TestShutdownIdle(t *testing.T) {
	for _, end := range []func(e *engine) error{
		func(e *engine) error { return e.Shutdown(t.Context()) },
		func(e *engine) error { return e.Close() },
	} {
		newTestEngine(t, rondo.Config{}).Close() // what package net and the runtime open once is open now
		check := leavesNothing(t)
		e := newTestEngine(t, rondo.Config{Loops: 3})
		e.serve(newEcho)
		for range 2 {
			if err := end(e); err != nil {
				t.Error(err)
			}
		}
		check()
	}
}

// What was received is delivered and answered, what was written is sent, then the connections are closed.
func TestShutdownDeliversAndFlushes(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	path := filepath.Join(t.TempDir(), "s")
	mustListen(t, e, rondo.ListenConfig{}, "unix", path, newEcho)
	const many, size = 4, 1 << 20
	var peers []net.Conn
	for i := range many {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// What was written to a Unix socket has arrived, and nobody reads what comes back.
		if _, err := c.Write(bytes.Repeat([]byte{byte(i)}, size)); err != nil {
			t.Fatal(err)
		}
		peers = append(peers, c)
	}
	done := e.shutdown(t.Context())
	for i, c := range peers {
		if got := rig.Rest(t, c); len(got) != size || bytes.Count(got, []byte{byte(i)}) != size {
			t.Errorf("%d bytes of %d came back", len(got), size)
		}
	}
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
}

// A protocol that has paused reading because its peer does not read gets what has arrived when it resumes.
func TestShutdownWaitsForPausedReading(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	path := filepath.Join(t.TempDir(), "s")
	r := newRecorder(t)
	paused := make(chan struct{}, 1)
	r.onData = echo{}.DataReceived
	r.onPause = func(c *rondo.Conn) {
		c.PauseReading()
		select {
		case paused <- struct{}{}:
		default:
		}
	}
	r.onResume = func(c *rondo.Conn) { c.ResumeReading() }
	mustListen(t, e, rondo.ListenConfig{}, "unix", path, func() rondo.Protocol { return pauser{r} })
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sent := make(chan int, 1)
	go func() {
		total := 0
		for chunk := make([]byte, 8<<10); ; {
			n, err := c.Write(chunk)
			if total += n; err != nil {
				sent <- total
				return
			}
		}
	}()
	rig.Await(t, paused)
	if err := c.SetWriteDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	total := rig.Await(t, sent)
	done := e.shutdown(t.Context())
	if got := rig.Rest(t, c); len(got) != total {
		t.Errorf("%d bytes of %d came back", len(got), total)
	}
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
}

// Who has paused reading of its own accord may never resume: its connection is closed.
func TestShutdownClosesPaused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) { c.PauseReading(); _, _ = c.Write([]byte("bye")) }
	c := e.connect(r)
	rig.Await(t, r.made)
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := rig.Await(t, r.lost); err != nil {
		t.Errorf("lost with %v", err)
	}
	rig.Expect(t, c, "bye")
}

func TestShutdownClosesIdle(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	var rs []*recorder
	for range 10 {
		r := newRecorder(t)
		e.connect(r)
		rig.Await(t, r.made)
		rs = append(rs, r)
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range rs {
		select {
		case err := <-r.lost:
			if err != nil {
				t.Errorf("lost with %v", err)
			}
		default:
			t.Error("Shutdown has returned before ConnectionLost")
		}
	}
}

// drainer is a recorder that is a Drainer.
type drainer struct {
	*recorder
	onDrain func(c *rondo.Conn)
	drained atomic.Int32
}

func newDrainer(t testing.TB, onDrain func(c *rondo.Conn)) *drainer {
	return &drainer{recorder: newRecorder(t), onDrain: onDrain}
}

func (d *drainer) Drain(c *rondo.Conn) {
	defer d.enter("Drain")()
	d.drained.Add(1)
	d.onDrain(c)
}

func TestShutdownWaitsForDrainers(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	draining := make(chan struct{})
	d := newDrainer(t, func(c *rondo.Conn) { close(draining) })
	d.onData = func(c *rondo.Conn, p []byte) int {
		_, _ = c.Write(p)
		if string(p) == "done" {
			c.Close()
		}
		return len(p)
	}
	atOnce := newDrainer(t, func(c *rondo.Conn) { _, _ = c.Write([]byte("bye")); c.Close() })
	c, c2 := e.connect(d), e.connect(atOnce)
	rig.Await(t, d.made)
	rig.Await(t, atOnce.made)
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(t.Context()) }()
	rig.Await(t, draining)
	roundTrip(t, c, "more work")
	if got := rig.Rest(t, c2); string(got) != "bye" {
		t.Errorf("the other has sent %q", got)
	}
	if err := rig.Await(t, atOnce.lost); err != nil {
		t.Error(err)
	}
	roundTrip(t, c, "still more")
	select {
	case err := <-done:
		t.Errorf("Shutdown has not waited: %v", err)
	default:
	}
	roundTrip(t, c, "done")
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
	if n, m := d.drained.Load(), atOnce.drained.Load(); n != 1 || m != 1 {
		t.Errorf("Drain was called %d and %d times", n, m)
	}
}

// What is not done when the context ends is aborted.
func TestShutdownContextEnds(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	draining := make(chan struct{})
	d := newDrainer(t, func(c *rondo.Conn) { close(draining) })
	c := e.connect(d)
	rig.Await(t, d.made)
	worked := make(chan error, 1)
	if err := e.Run(func(ctx context.Context) { <-ctx.Done(); worked <- context.Cause(ctx) }); err != nil {
		t.Fatal(err)
	}
	cause := errors.New("no more patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(ctx) }()
	rig.Await(t, draining)
	cancel(cause)
	if err := rig.Await(t, done); err != cause { //nolint:errorlint // the cause itself is what is promised
		t.Errorf("Shutdown has returned %v", err)
	}
	select {
	case err := <-d.lost:
		if err != rondo.ErrEngineClosed { //nolint:errorlint // documented to be bare
			t.Errorf("lost with %v", err)
		}
	default:
		t.Error("Shutdown has returned before ConnectionLost")
	}
	if n := d.drained.Load(); n != 1 {
		t.Errorf("Drain was called %d times", n)
	}
	if err := rig.Await(t, worked); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("the work's context has ended with %v", err)
	}
	if _, err := io.ReadAll(c); err == nil {
		t.Error("the peer was not reset")
	}
}

func TestCloseAborts(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	d, r := newDrainer(t, func(*rondo.Conn) {}), newRecorder(t)
	e.connect(d)
	c := e.connect(r)
	rig.Await(t, d.made)
	rig.Await(t, r.made)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	for _, lost := range []chan error{d.lost, r.lost} {
		if err := rig.Await(t, lost); !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("lost with %v", err)
		}
	}
	if _, err := io.ReadAll(c); err == nil {
		t.Error("the peer was not reset")
	}
}

// A Drain that panics ends its connection, and no other, nor the shutdown.
func TestShutdownDrainPanics(t *testing.T) {
	for _, how := range []func(){func() { panic("not now") }, runtime.Goexit} {
		for _, close := range []bool{false, true} {
			e := newTestEngine(t, rondo.Config{})
			var ds []*drainer
			for i := range 3 {
				d := newDrainer(t, func(c *rondo.Conn) {
					if i == 1 {
						how()
					}
					c.Close()
				})
				e.connect(d)
				rig.Await(t, d.made)
				ds = append(ds, d)
			}
			if close {
				if err := e.Close(); err != nil {
					t.Error(err)
				}
			} else if err := e.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
			for i, d := range ds {
				if err := rig.Await(t, d.lost); !close && (err != nil) != (i == 1) {
					t.Errorf("connection %d was lost with %v", i, err)
				}
			}
			e.Log.Discard("callback")
		}
	}
}

func TestShutdownWaitsForWork(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2, MaxBlocking: 1})
	release := make(chan struct{})
	var finished atomic.Int32
	for range 3 {
		if err := e.Run(func(ctx context.Context) {
			<-release
			if ctx.Err() == nil {
				finished.Add(1)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	result := make(chan int, 1)
	rig.On(t, e.Loop(), func() {
		rondo.Run(e.Loops()[0], func(context.Context) (int, error) { return 7, nil }).OnDone(func(n int, err error) { result <- n })
	})
	done := e.shutdown(t.Context())
	select {
	case err := <-done:
		t.Errorf("Shutdown has not waited: %v", err)
	default:
	}
	if err := e.Run(func(context.Context) { finished.Add(1) }); err != nil {
		t.Errorf("while work goes on there may be more: %v", err)
	}
	close(release)
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
	if n := finished.Load(); n != 4 {
		t.Errorf("%d of 4 functions have finished", n)
	}
	if n := rig.Await(t, result); n != 7 {
		t.Errorf("the result is %d", n)
	}
}

// Work that has ended at once must not make a shutdown believe that nothing is left.
func TestShutdownCountsShortWork(t *testing.T) {
	for range 50 {
		e := newTestEngine(t, rondo.Config{})
		d := newDrainer(t, func(*rondo.Conn) {})
		c := e.connect(d)
		rig.Await(t, d.made)
		done := e.shutdown(t.Context())
		for range 50 {
			if err := e.Run(func(context.Context) {}); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case err := <-done:
			t.Fatalf("Shutdown has returned %v, and a connection drains", err)
		default:
		}
		c.Close()
		if err := rig.Await(t, done); err != nil {
			t.Error(err)
		}
		if err := rig.Await(t, d.lost); !errors.Is(err, io.EOF) {
			t.Fatalf("lost with %v", err)
		}
	}
}

func TestShutdownConcurrent(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	d := newDrainer(t, func(*rondo.Conn) {})
	e.connect(d)
	rig.Await(t, d.made)
	patient := e.shutdown(t.Context())
	cause := errors.New("no more patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	var hurried sync.WaitGroup
	for range 8 {
		hurried.Go(func() {
			if err := e.Shutdown(ctx); err != nil && !errors.Is(err, cause) {
				t.Errorf("Shutdown has returned %v", err)
			}
		})
	}
	hurried.Wait()
	if err := rig.Await(t, patient); err != nil {
		t.Errorf("whose context has not ended gets %v", err)
	}
	if err := rig.Await(t, d.lost); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("lost with %v", err)
	}
}

func TestShutdownOnLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	for _, l := range e.Loops() {
		rig.On(t, l, func() {
			if err := e.Shutdown(t.Context()); err != rondo.ErrOnLoop { //nolint:errorlint // documented to be bare
				t.Errorf("Shutdown on a loop: %v", err)
			}
			if err := e.Close(); err != rondo.ErrOnLoop { //nolint:errorlint // likewise
				t.Errorf("Close on a loop: %v", err)
			}
		})
	}
	roundTrip(t, rig.Dial(t, e.serve(newEcho)), "it did nothing")
}

func TestAfterShutdown(t *testing.T) {
	newTestEngine(t, rondo.Config{}).Close()
	check := leavesNothing(t)
	e := newTestEngine(t, rondo.Config{Loops: 2})
	r := newRecorder(t)
	c := e.connect(r)
	h := rig.Await(t, r.made).Handle()
	l := h.Loop()
	done := rondo.NewPromise[int](l)
	done.Resolve(7)
	rig.Result(t, done.Future())
	pending := rondo.NewPromise[int](l)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	c.Close()

	if l.Post(func() { t.Error("posted work ran") }) {
		t.Error("Post says that it will")
	}
	if h.Alive() || h.Do(func(*rondo.Conn) { t.Error("Do ran") }) {
		t.Error("the handle is alive")
	}
	if _, err := h.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) {
		t.Errorf("Handle.Write: %v", err)
	}
	h.Abort()
	if err := h.Close(); err != nil {
		t.Errorf("Handle.Close: %v", err)
	}
	for _, cfg := range []rondo.ListenConfig{{}, {ReusePort: true}} {
		if ln, err := cfg.Listen(e.Engine, "tcp", "127.0.0.1:0", newEcho); ln != nil || !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("Listen: %v, %v", ln, err)
		}
	}
	if ln, err := e.ListenNet("tcp", "127.0.0.1:0"); ln != nil || !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("ListenNet: %v, %v", ln, err)
	}
	if c, err := wait(t, e.Dial(t.Context(), "tcp", "127.0.0.1:1", newRecorder(t))); c != nil || !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Dial: %v, %v", c, err)
	}
	if c, err := e.DialContext(t.Context(), "tcp", "127.0.0.1:1"); c != nil || !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("DialContext: %v, %v", c, err)
	}
	if err := e.Run(func(context.Context) { t.Error("blocking work ran") }); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Run: %v", err)
	}
	if _, err := wait(t, rondo.Run(l, func(context.Context) (int, error) { return 1, nil })); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Run: %v", err)
	}
	if n, err := wait(t, done.Future()); n != 7 || err != nil {
		t.Errorf("a result that was there: %v, %v", n, err)
	}
	if _, err := wait(t, pending.Future()); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("a result that never was: %v", err)
	}
	if pending.Resolve(1); len(r.lost) != 1 {
		t.Errorf("ConnectionLost was called %d times", len(r.lost))
	}
	check()
}

// A peer that sends without pause does not keep a protocol without Drain, and so the engine, for ever.
func TestShutdownOfEndlessSender(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	rig.Await(t, r.made)
	go func() {
		for piece := make([]byte, 64<<10); ; {
			if _, err := peer.Write(piece); err != nil {
				return
			}
		}
	}()
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := rig.Await(t, r.lost); err != nil {
		t.Errorf("lost with %v", err)
	}
}

// A protocol that is put in place while the engine shuts down is told to drain too.
func TestSetProtocolInDrain(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	second := newDrainer(t, func(c *rondo.Conn) { c.SetProtocol(echo{}) }) // which is closed by default
	second.begun = true
	first := newDrainer(t, func(c *rondo.Conn) { c.SetProtocol(second) })
	e.connect(first)
	rig.Await(t, first.made)
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if n, m := first.drained.Load(), second.drained.Load(); n != 1 || m != 1 {
		t.Errorf("Drain was called %d and %d times", n, m)
	}
}

func TestDone(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	r := newRecorder(t)
	e.connect(r)
	rig.Await(t, r.made)
	if n := e.Conns(); n != 1 {
		t.Errorf("%d connections", n)
	}
	select {
	case <-e.Done():
		t.Error("done before it was asked to end")
	default:
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	rig.Await(t, e.Done())
	if n := e.Conns(); n != 0 {
		t.Errorf("%d connections after the end", n)
	}
}
