package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// Either connection ends in the middle: done hears of it, and the other one goes on.
func TestSpliceLost(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(s *splicer)
		is   error
		dst  bool // it is dst that ends
	}{
		{"dst is reset", func(s *splicer) { hardReset(s.t, s.out) }, syscall.ECONNRESET, true},
		{"dst is aborted", func(s *splicer) { s.dst.Handle().Abort() }, rondo.ErrAborted, true},
		{"src is reset", func(s *splicer) { hardReset(s.t, s.in) }, syscall.ECONNRESET, false},
		{"src is aborted", func(s *splicer) { s.src.Handle().Abort() }, rondo.ErrAborted, false},
		{"src is closed", func(s *splicer) { _ = s.src.Handle().Close() }, rondo.ErrClosed, false},
		{"dst is closed", func(s *splicer) { _ = s.dst.Handle().Close() }, rondo.ErrClosed, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			s := newSplicer(t, e, "tcp")
			rig.On(t, s.loop, func() {
				s.from.onLost = func(*rondo.Conn, error) {
					if len(s.done) == 0 {
						t.Error("ConnectionLost came before done")
					}
				}
				s.to.onLost = s.from.onLost
				s.begin()
			})
			rig.Send(t, s.in, "through")
			rig.Expect(t, s.out, "through")
			test.end(s)
			lost, other, peer := s.from, s.dst, s.out
			if test.dst {
				lost, other, peer = s.to, s.src, s.in
			}
			rig.Await(t, lost.lost)
			got := rig.Await(t, s.done)
			if got.n != 7 || !errors.Is(got.err, test.is) && !(errors.Is(test.is, syscall.ECONNRESET) && errors.Is(got.err, syscall.EPIPE)) {
				t.Errorf("done was told %v", got)
			}
			rig.On(t, s.loop, func() {
				s.from.onLost, s.to.onLost = nil, nil
				_, _ = other.Write([]byte("still here"))
			})
			rig.Expect(t, peer, "still here")
			if test.dst { // what comes now is the protocol's
				arrived := make(chan string, 1)
				rig.On(t, s.loop, func() {
					s.from.onData = func(_ *rondo.Conn, p []byte) int { arrived <- string(p); return len(p) }
				})
				rig.Send(t, s.in, "hello")
				if p := rig.Await(t, arrived); p != "hello" {
					t.Errorf("received %q", p)
				}
			}
		})
	}
}

// What was in the pipe of a sink that has ended is not the next one's.
func TestSpliceLostFull(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newSplicer(t, e, "tcp")
	s.start(t)
	s.fill(t, make([]byte, 64<<20))
	rig.On(t, s.loop, s.dst.Abort)
	if got := rig.Await(t, s.done); !errors.Is(got.err, rondo.ErrAborted) {
		t.Errorf("done was told %v", got)
	}
	s = newSplicer(t, e, "tcp")
	s.start(t)
	rig.Send(t, s.in, "mine")
	closeWrite(t, s.in)
	if got := rig.Await(t, s.done); got != (spliced{4, nil}) {
		t.Errorf("done was told %v", got)
	}
	rig.On(t, s.loop, func() { _ = s.dst.Close() })
	if got := rig.Rest(t, s.out); string(got) != "mine" {
		t.Errorf("read %s", rig.Short(got))
	}
}

// hardReset ends a raw peer's connection the hard way.
func hardReset(t testing.TB, c net.Conn) {
	if err := c.(*net.TCPConn).SetLinger(0); err != nil {
		t.Error(err)
	}
	c.Close()
}

// PauseReading pauses the splice.
func TestSplicePause(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newSplicer(t, e, "tcp")
	rig.On(t, s.loop, func() {
		s.src.PauseReading()
		s.begin()
	})
	rig.Send(t, s.in, "later")
	for range 20 {
		rig.On(t, s.loop, func() {
			if n := s.splice.Moved(); n != 0 {
				t.Errorf("%d bytes were moved", n)
			}
		})
	}
	rig.On(t, s.loop, s.src.ResumeReading)
	rig.Expect(t, s.out, "later")
}

// A connection can be spliced to itself: an echo.
func TestSpliceToItself(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newSplicer(t, e, "tcp")
	rig.On(t, s.loop, func() {
		s.dst = s.src
		s.begin()
	})
	data := random(4 << 20)
	go func() {
		_, _ = s.in.Write(data)
		closeWrite(t, s.in)
	}()
	got := make([]byte, len(data))
	if n, err := io.ReadFull(s.in, got); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes of %d, or others (%v)", n, len(data), err)
	}
	if got := rig.Await(t, s.done); got != (spliced{int64(len(data)), nil}) {
		t.Errorf("done was told %v", got)
	}
}

// What the engine is sent as urgent data must not keep splice, which stops there, from what comes behind it, nor the loop busy.
func TestSpliceUrgentData(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newSplicer(t, e, "tcp")
	s.start(t)
	raw, err := s.in.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		rig.Send(t, s.in, "before ")
		if err := raw.Control(func(fd uintptr) { err = syscall.Sendto(int(fd), []byte("!"), syscall.MSG_OOB, nil) }); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		rig.Send(t, s.in, "behind ")
		rig.Expect(t, s.out, "before behind ")
	}
}

func TestSpliceRefused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	s := newSplicer(t, e, "tcp")
	other := newSplicer(t, e, "tcp")
	fail := func(int64, error) { t.Error("done was called of a splice that never was") }
	refused := func(want error, c, d *rondo.Conn) {
		t.Helper()
		if got, err := c.SpliceTo(d, fail); got != nil || !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	rig.On(t, s.src.Loop(), func() {
		for _, c := range []*rondo.Conn{s.dst, other.src, other.dst} {
			if c.Loop() != s.src.Loop() {
				refused(rondo.ErrNoSplice, s.src, c)
			}
		}
	})
	one := newTestEngine(t, rondo.Config{})
	s, other = newSplicer(t, one, "tcp"), newSplicer(t, one, "tcp")
	s.start(t)
	rig.On(t, s.loop, func() {
		refused(rondo.ErrNoSplice, other.src, s.dst)
		if _, err := s.src.SpliceTo(other.dst, fail); err == nil || errors.Is(err, rondo.ErrNoSplice) {
			t.Errorf("spliced twice: %v", err)
		}
		_ = other.dst.CloseWrite()
		refused(rondo.ErrClosed, other.src, other.dst)
		_ = other.src.Close()
		refused(rondo.ErrClosed, other.src, other.dst)
	})
	seam := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return &gate{Poller: p} })
	s = newSplicer(t, seam, "tcp")
	rig.On(t, s.loop, func() { refused(rondo.ErrNoSplice, s.src, s.dst) })
}

// pipeless is a poller that runs out of descriptors for pipes when told so, and counts those that it opens.
type pipeless struct {
	poller.Poller
	poller.Splicer
	out    atomic.Bool
	opened atomic.Int32
}

func (p *pipeless) OpenPipe() (r, w int, err error) {
	if p.out.Load() {
		return -1, -1, syscall.EMFILE
	}
	p.opened.Add(1)
	return p.Splicer.OpenPipe()
}

// Without descriptors for a pipe the caller copies: from the beginning, or from where the splice got to.
func TestSpliceOutOfDescriptors(t *testing.T) {
	var p *pipeless
	e := newEngineOver(t, rondo.Config{}, func(real poller.Poller) poller.Poller {
		p = &pipeless{Poller: real, Splicer: real.(poller.Splicer)}
		return p
	})
	s := newSplicer(t, e, "tcp")
	p.out.Store(true)
	rig.On(t, s.loop, func() {
		if _, err := s.src.SpliceTo(s.dst, nil); !errors.Is(err, rondo.ErrNoSplice) || !errors.Is(err, syscall.EMFILE) {
			t.Errorf("SpliceTo: %v", err)
		}
	})
	p.out.Store(false)
	// One splice keeps the loop's only pipe full; the other then finds none.
	full := newSplicer(t, e, "tcp")
	full.start(t)
	rig.On(t, s.loop, func() {
		s.from.onData = func(_ *rondo.Conn, b []byte) int { _, _ = s.dst.Write(b); return len(b) }
		s.begin()
	})
	p.out.Store(true)
	full.fill(t, make([]byte, 64<<20))
	data := random(1 << 20)
	go func() { _, _ = s.in.Write(data) }()
	got := make([]byte, len(data))
	if n, err := io.ReadFull(s.out, got); err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes of %d, or others (%v)", n, len(data), err)
	}
	if got := rig.Await(t, s.done); got.n != 0 || !errors.Is(got.err, rondo.ErrNoSplice) || !errors.Is(got.err, syscall.EMFILE) {
		t.Errorf("done was told %v", got)
	}
	if n := p.opened.Load(); n != 1 {
		t.Errorf("%d pipes were opened", n)
	}
}

// However many splices there are, one that has nothing to move has no descriptors; and at the end nobody has.
func TestSpliceLeavesNothing(t *testing.T) {
	for name, end := range map[string]func(*engine) error{
		"Close":    func(e *engine) error { return e.Close() },
		"Shutdown": func(e *engine) error { return e.Shutdown(e.t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			newTestEngine(t, rondo.Config{}).Close()
			check := leavesNothing(t)
			e := newTestEngine(t, rondo.Config{})
			var all []*splicer
			for range 20 {
				s := newSplicer(t, e, "tcp")
				all = append(all, s)
			}
			before := openDescriptors(t)
			for _, s := range all {
				s.start(t)
				rig.Send(t, s.in, "through")
				rig.Expect(t, s.out, "through")
			}
			rig.On(t, e.Loop(), func() {})
			if n := openDescriptors(t) - before; n > 2 {
				t.Errorf("%d descriptors more for idle splices", n)
			}
			// Some of them in the middle of it.
			much := make([]byte, 64<<20)
			for _, s := range all[:12] {
				s.fill(t, much)
			}
			if name == "Shutdown" {
				for _, s := range all {
					go func() { _, _ = io.Copy(io.Discard, s.out) }()
				}
			}
			if err := end(e); err != nil {
				t.Error(err)
			}
			for _, s := range all {
				if got := rig.Await(t, s.done); !errors.Is(got.err, rondo.ErrEngineClosed) {
					t.Errorf("done was told %v", got)
				}
				s.in.Close()
				s.out.Close()
			}
			check()
		})
	}
}

// Shutdown moves what has arrived, both ways, and then closes.
func TestSpliceShutdown(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		e := newTestEngine(t, rondo.Config{})
		s := newSplicer(t, e, network)
		const size = 1 << 17 // fits the buffers of a socket, so that it has arrived
		data := [2][]byte{random(size), random(size + 1)}
		ends := make(chan spliced, 2)
		told := func(n int64, err error) { ends <- spliced{n, err} }
		held := make(chan struct{})
		rig.On(t, s.loop, func() {
			for _, way := range [2][2]*rondo.Conn{{s.src, s.dst}, {s.dst, s.src}} {
				if _, err := way[0].SpliceTo(way[1], told); err != nil {
					t.Error(err)
				}
			}
		})
		s.loop.Post(func() { <-held })
		for i, c := range []net.Conn{s.in, s.out} {
			if _, err := c.Write(data[i]); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan error, 1)
		go func() { done <- e.Shutdown(t.Context()) }()
		for { // until it has begun; while it has not, this address is refused for what it is
			if _, err := e.Bind("tcp", "192.0.2.1:0"); errors.Is(err, rondo.ErrEngineClosed) {
				break
			}
			runtime.Gosched()
		}
		close(held)
		if got := rig.Rest(t, s.out); !bytes.Equal(got, data[0]) {
			t.Errorf("%d bytes of %d arrived", len(got), size)
		}
		if got := rig.Rest(t, s.in); !bytes.Equal(got, data[1]) {
			t.Errorf("%d bytes of %d came back", len(got), size+1)
		}
		if err := rig.Await(t, done); err != nil {
			t.Error(err)
		}
		for range 2 {
			if got := rig.Await(t, ends); !errors.Is(got.err, rondo.ErrEngineClosed) || got.n < size {
				t.Errorf("done was told %v", got)
			}
		}
	})
}

// A callback that panics ends the source, and no other.
func TestSpliceDonePanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	s := newSplicer(t, e, "tcp")
	rig.On(t, s.loop, func() {
		if _, err := s.src.SpliceTo(s.dst, func(int64, error) { panic("not now") }); err != nil {
			t.Error(err)
		}
	})
	rig.Send(t, s.in, "x")
	closeWrite(t, s.in)
	rig.Expect(t, s.out, "x")
	var p *rondo.PanicError
	if err := rig.Await(t, s.from.lost); !errors.As(err, &p) {
		t.Errorf("lost with %v", err)
	}
	e.Log.Await(t, "not now")
	rig.On(t, s.loop, func() { _, _ = s.dst.Write([]byte("y")) })
	rig.Expect(t, s.out, "y")
}

// gushingPipes is a poller with a source that never runs dry, and a sink that takes all.
type gushingPipes struct {
	poller.Poller
	poller.Splicer
}

func (gushingPipes) Splice(_, _, n int) (int, error) { return n, nil }

// A source that would go on for ever is cut off, and that is told.
func TestSpliceShutdownCutsOff(t *testing.T) {
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { return gushingPipes{p, p.(poller.Splicer)} })
	s := newSplicer(t, e, "unix")
	ends := make(chan spliced, 1)
	rig.On(t, s.loop, func() {
		if _, err := s.src.SpliceTo(s.dst, func(n int64, err error) { ends <- spliced{n, err} }); err != nil {
			t.Error(err)
		}
	})
	if err := e.Shutdown(t.Context()); err != nil || e.CutOff() != 1 {
		t.Errorf("%v, %d were cut off", err, e.CutOff())
	}
	if got := rig.Await(t, ends); !errors.Is(got.err, rondo.ErrEngineClosed) || got.n < 8<<20 {
		t.Errorf("done was told %v", got)
	}
}
