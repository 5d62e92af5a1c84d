package rondo_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func mustBind(t *testing.T, e *engine, cfg rondo.ListenConfig, network, address string) *rondo.Listener {
	t.Helper()
	ln, err := cfg.Bind(e.Engine, network, address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// Who connects before the listener is served waits, and is served then.
func TestBindThenServe(t *testing.T) {
	for _, cfg := range []rondo.ListenConfig{{}, {ReusePort: true}, {MaxConns: 2}} {
		e := newTestEngine(t, rondo.Config{Loops: 2})
		ln := mustBind(t, e, cfg, "tcp", "127.0.0.1:0")
		early := rig.Dial(t, ln.Addr().String())
		rig.Send(t, early, "early")
		for _, l := range e.Loops() {
			rig.On(t, l, func() {})
		}
		if n := e.Conns(); n != 0 {
			t.Fatalf("%d connections before Serve", n)
		}
		if err := ln.Serve(newEcho); err != nil {
			t.Fatal(err)
		}
		rig.Expect(t, early, "early")
		roundTrip(t, rig.Dial(t, ln.Addr().String()), "late")

		err := ln.Serve(func() rondo.Protocol { panic("not asked for") })
		var op *net.OpError
		if !errors.As(err, &op) || errors.Is(err, rondo.ErrClosed) {
			t.Errorf("the second Serve: %v", err)
		}
		roundTrip(t, early, "still served")

		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := ln.Serve(newEcho); !errors.As(err, &op) || !errors.Is(err, rondo.ErrClosed) {
			t.Errorf("Serve after Close: %v", err)
		}
	}
}

// On a loop nobody waits for other loops, and yet what is bound there is served there.
func TestBindOnLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	for _, l := range e.Loops() {
		for _, cfg := range []rondo.ListenConfig{{}, {ReusePort: true}} {
			var ln *rondo.Listener
			rig.On(t, l, func() {
				var err error
				if ln, err = cfg.Bind(e.Engine, "tcp", "127.0.0.1:0"); err != nil {
					t.Error(err)
					return
				}
				if err := ln.Serve(newEcho); err != nil {
					t.Error(err)
				}
			})
			for range 8 {
				roundTrip(t, rig.Dial(t, ln.Addr().String()), "hello")
			}
		}
	}
}

// A listener that was never served leaves nothing, whatever closes it.
func TestBindNeverServed(t *testing.T) {
	newTestEngine(t, rondo.Config{}).Close() // what the runtime opens once is open now
	path := filepath.Join(t.TempDir(), "s")
	for name, end := range map[string]func(*engine, ...*rondo.Listener){
		"Listener.Close": func(e *engine, lns ...*rondo.Listener) {
			before := openDescriptors(t)
			for _, ln := range lns {
				if err := ln.Close(); err != nil {
					t.Error(err)
				}
			}
			for _, l := range e.Loops() {
				rig.On(t, l, func() {})
			}
			if now := openDescriptors(t); now != before-4 {
				t.Errorf("%d descriptors after Close, %d before it, and 4 were closed", now, before)
			}
			e.Close()
		},
		"Shutdown": func(e *engine, _ ...*rondo.Listener) {
			if err := e.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"Engine.Close": func(e *engine, _ ...*rondo.Listener) { e.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			check := leavesNothing(t)
			e := newTestEngine(t, rondo.Config{Loops: 2})
			tcp := mustBind(t, e, rondo.ListenConfig{}, "tcp", "127.0.0.1:0")
			each := mustBind(t, e, rondo.ListenConfig{ReusePort: true}, "tcp", "127.0.0.1:0")
			unix := mustBind(t, e, rondo.ListenConfig{}, "unix", path)
			var closed atomic.Int32
			for _, ln := range []*rondo.Listener{tcp, each, unix} {
				ln.OnClose(func() { closed.Add(1) })
			}
			end(e, tcp, each, unix)
			if n := closed.Load(); n != 3 {
				t.Errorf("OnClose was heard of %d times by the end", n)
			}
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the socket's file is still there: %v", err)
			}
			if _, err := net.Dial("tcp", tcp.Addr().String()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("connecting: %v", err)
			}
			want := rondo.ErrEngineClosed
			if name == "Listener.Close" {
				want = rondo.ErrClosed
			}
			if err := tcp.Serve(newEcho); !errors.Is(err, want) {
				t.Errorf("Serve: %v, want %v", err, want)
			}
			if _, err := e.Bind("tcp", "127.0.0.1:0"); !errors.Is(err, rondo.ErrEngineClosed) {
				t.Errorf("Bind: %v", err)
			}
			check()
		})
	}
}

// Serve, Close and the engine's end come at the same time.
func TestBindRaces(t *testing.T) {
	for i := range 50 {
		check := leavesNothing(t)
		e := newTestEngine(t, rondo.Config{Loops: 2})
		ln := mustBind(t, e, rondo.ListenConfig{ReusePort: true}, "tcp", "127.0.0.1:0")
		var closed atomic.Int32
		var all sync.WaitGroup
		all.Go(func() { _ = ln.Serve(newEcho) })
		all.Go(func() { ln.OnClose(func() { closed.Add(1) }) })
		if i%2 == 0 {
			all.Go(func() { ln.Close() })
		}
		all.Go(func() { e.Close() })
		all.Wait()
		if n := closed.Load(); n != 1 {
			t.Fatalf("OnClose was heard of %d times", n)
		}
		check()
	}
}

func TestOnClose(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	ln := mustBind(t, e, rondo.ListenConfig{}, "tcp", "127.0.0.1:0")
	var order []int // of this goroutine alone, which closes: the race detector would see another
	ln.OnClose(func() {
		order = append(order, 1)
		ln.Close()
		ln.OnClose(func() { order = append(order, 2) })
	})
	ln.OnClose(func() { order = append(order, 3) })
	for range 2 {
		ln.Close()
	}
	ln.OnClose(func() { order = append(order, 4) })
	if !slices.Equal(order, []int{1, 2, 3, 4}) {
		t.Errorf("called in the order %v", order)
	}
}

// A function that does not return keeps neither the others from being called nor the engine from ending.
func TestOnClosePanics(t *testing.T) {
	for _, how := range []func(){func() { panic("not now") }, runtime.Goexit} {
		e := newTestEngine(t, rondo.Config{})
		var called atomic.Int32
		for range 2 {
			ln := mustBind(t, e, rondo.ListenConfig{}, "tcp", "127.0.0.1:0")
			ln.OnClose(how)
			ln.OnClose(func() { called.Add(1) })
		}
		if err := e.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if n := called.Load(); n != 2 {
			t.Errorf("%d of 2 were called", n)
		}
		for range 2 {
			e.Log.Await(t, "callback")
		}
	}
}
