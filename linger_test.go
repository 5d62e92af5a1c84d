package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// lingers is a server that answers a request before it has read all of it, and the client's side of the connection.
func lingers(t *testing.T, end func(c *rondo.Conn), answer []byte, talk func(w *sim.World, c net.Conn)) (at time.Duration, reason error) {
	t.Helper()
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		r := newRecorder(t)
		r.onData = func(c *rondo.Conn, p []byte) int {
			_, _ = c.Write(answer)
			end(c)
			return len(p)
		}
		r.onLost = func(*rondo.Conn, error) { at = w.Elapsed() }
		if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return r }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		c, err := w.Host("client").Engine().DialContext(t.Context(), "tcp", "server:7000")
		if err != nil {
			w.Fatalf("dialing: %v", err)
		}
		talk(w, c)
		w.Wait(func() bool { return len(r.lost) > 0 })
		reason = <-r.lost
	})
	return at, reason
}

// It closes when the peer has, when its time is over, and when too much has come.
func TestCloseLingering(t *testing.T) {
	end := func(c *rondo.Conn) {
		c.PauseReading() // which does not hold for what is dropped
		_ = c.CloseLingering(4*time.Second, 100_000)
	}
	answer := bytes.Repeat([]byte("answer"), 10_000)
	read := func(w *sim.World, c net.Conn) {
		if got, err := io.ReadAll(c); !bytes.Equal(got, answer) || err != nil {
			w.Errorf("it answered %d bytes, and %v", len(got), err)
		}
	}
	for name, tt := range map[string]struct {
		talk        func(w *sim.World, c net.Conn)
		least, most time.Duration
	}{
		"the peer closes": {func(w *sim.World, c net.Conn) {
			_, _ = c.Write(make([]byte, 50_000))
			read(w, c)
			w.Sleep(time.Second)
			_, _ = c.Write(make([]byte, 10_000))
			w.Sleep(time.Second)
			_ = c.Close()
		}, 2 * time.Second, 2100 * time.Millisecond},
		"time is over": {func(w *sim.World, c net.Conn) {
			_, _ = c.Write(make([]byte, 50_000))
			read(w, c)
		}, 4 * time.Second, 5100 * time.Millisecond},
		"too much comes": {func(w *sim.World, c net.Conn) {
			_, _ = c.Write(make([]byte, 50_000))
			read(w, c)
			_, _ = c.Write(make([]byte, 90_000))
		}, 0, time.Second},
		"slow reader": {func(w *sim.World, c net.Conn) {
			_, _ = c.Write(make([]byte, 10))
			w.Sleep(30 * time.Second)
			read(w, c)
			_ = c.Close()
		}, 30 * time.Second, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "slow reader" {
				answer = bytes.Repeat([]byte("answer"), 1_000_000)
			} else {
				answer = bytes.Repeat([]byte("answer"), 10_000)
			}
			at, reason := lingers(t, end, answer, tt.talk)
			if reason != nil || at < tt.least || at > tt.most {
				t.Errorf("it ended after %v with %v", at, reason)
			}
		})
	}
}

// A peer that never reads is given Config.CloseTimeout, which is a minute, and no more than that.
func TestCloseLingeringPeerNeverReads(t *testing.T) {
	at, reason := lingers(t, func(c *rondo.Conn) { _ = c.CloseLingering(0, 0) }, make([]byte, 8<<20), func(_ *sim.World, c net.Conn) {
		_, _ = c.Write([]byte("x"))
	})
	if !errors.Is(reason, os.ErrDeadlineExceeded) || at < time.Minute || at > time.Minute+3*time.Second {
		t.Errorf("it ended after %v with %v", at, reason)
	}
}

// The trap and its answer: Close with bytes that were not read resets the connection, and what of the answer the kernel has not delivered yet is lost; CloseLingering loses nothing.
func TestCloseLingeringSavesTheAnswer(t *testing.T) {
	const size = 1 << 20
	for name, tt := range map[string]struct {
		end   func(c *rondo.Conn)
		whole bool
	}{
		"Close":          {func(c *rondo.Conn) { _ = c.Close() }, false},
		"CloseLingering": {func(c *rondo.Conn) { _ = c.CloseLingering(0, 0) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{ReadBuffer: 1000})
			r := newRecorder(t)
			r.onData = func(c *rondo.Conn, _ []byte) int {
				_, _ = c.Write(make([]byte, size))
				tt.end(c)
				return 1000
			}
			peer := e.connect(r)
			if !tt.whole { // so that the kernel here has much of it, still, when it has all
				if err := peer.SetReadBuffer(4096); err != nil {
					t.Fatal(err)
				}
			}
			rig.Await(t, r.made)
			rig.Send(t, peer, string(make([]byte, 20_000)))
			// The peer reads as slowly as the kernel lets the server go on; the trap closes when the kernel has all.
			buf, n := make([]byte, 1000), 0
			var err error
			for err == nil && !tt.whole && len(r.lost) == 0 {
				var m int
				m, err = peer.Read(buf)
				n += m
			}
			rest, err2 := io.Copy(io.Discard, peer)
			n += int(rest)
			whole := n == size && err2 == nil
			if runtime.GOOS == "linux" && whole != tt.whole {
				t.Errorf("%d bytes of %d came, and %v, %v", n, size, err, err2)
			}
			peer.Close()
			if err := rig.Await(t, r.lost); err != nil {
				t.Errorf("lost with %v", err)
			}
		})
	}
}

// The protocol that closes is the one that hears the end, in a shutdown too, which waits for it.
func TestCloseLingeringAtShutdown(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		_, _ = c.Write([]byte("bye"))
		_ = c.CloseLingering(time.Hour, 0)
		_ = c.CloseLingering(0, 0) // again
	}
	peer := e.connect(r)
	rig.Await(t, r.made)
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(t.Context()) }()
	rig.ExpectEnd(t, peer, "bye")
	rig.Send(t, peer, "more")
	if len(done) > 0 {
		t.Errorf("Shutdown has not waited: %v", <-done)
	}
	peer.Close()
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
	if err := rig.Await(t, r.lost); err != nil {
		t.Errorf("lost with %v", err)
	}
}

// So long as the peer has not ended, the shutdown waits, within the timeout.
func TestCloseLingeringHoldsShutdown(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		r := newRecorder(t)
		r.onMade = func(c *rondo.Conn) { _ = c.CloseLingering(time.Minute, 0) }
		e := w.Host("server").Engine()
		if _, err := e.Listen("tcp", ":7000", func() rondo.Protocol { return r }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		c := dialed(w, w.Host("client"), halfCloser{newRecorder(t)})
		w.Sleep(time.Second)
		w.After(10*time.Second, func() { _ = c.Handle().Close() })
		before := w.Elapsed()
		if err := e.Shutdown(t.Context()); err != nil {
			w.Errorf("shutting down: %v", err)
		}
		within(w, w.Elapsed()-before, 10*time.Second, 10100*time.Millisecond)
	})
}

// SetLinger(0) resets, and drops what is not sent; so it is whoever closes.
func TestSetLingerZero(t *testing.T) {
	for name, end := range map[string]func(c *rondo.Conn){
		"Close":          func(c *rondo.Conn) { _ = c.Close() },
		"CloseLingering": func(c *rondo.Conn) { _ = c.CloseLingering(0, 0) },
		"the peer's end": nil,
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			r := newRecorder(t)
			r.onMade = func(c *rondo.Conn) {
				if err := c.SetLinger(0); err != nil {
					t.Error(err)
				}
				_, _ = c.Write(make([]byte, 10<<20))
				if end != nil {
					end(c)
				}
			}
			peer := e.connect(r)
			rig.Await(t, r.made)
			var want error
			if end == nil {
				want = io.EOF
				if err := peer.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			_, err := io.Copy(io.Discard, peer)
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("it ended with %v", err)
			}
			if err := rig.Await(t, r.lost); !errors.Is(err, want) {
				t.Errorf("lost with %v", err)
			}
		})
	}
}

// SetLinger of some seconds gives a peer so much time in all; less than zero is the default again.
func TestSetLingerSeconds(t *testing.T) {
	for _, tt := range []struct {
		sec         int
		least, most time.Duration
	}{{7, 7 * time.Second, 8 * time.Second}, {-1, time.Minute, 2*time.Minute + time.Second}} {
		at, reason := lingers(t, func(c *rondo.Conn) {
			_ = c.SetLinger(3)
			_ = c.SetLinger(tt.sec)
			_ = c.Close()
		}, make([]byte, 8<<20), func(_ *sim.World, c net.Conn) { _, _ = c.Write([]byte("x")) })
		if !errors.Is(reason, os.ErrDeadlineExceeded) || at < tt.least || at > tt.most {
			t.Errorf("SetLinger(%d): it ended after %v with %v", tt.sec, at, reason)
		}
	}
}

// What has arrived before a reset is delivered before it. Linux keeps it; other systems may throw it away, so there the test asks only for the end.
func TestDataBeforeReset(t *testing.T) {
	const size = 100_000
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.On(t, c.Loop(), func() { // which sees nothing of it until both have come
		rig.Send(t, peer, string(make([]byte, size)))
		reset(t, peer)
	})
	if err := rig.Await(t, r.lost); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("lost with %v", err)
	}
	if n := r.received.Load(); runtime.GOOS == "linux" && n != size {
		t.Errorf("%d bytes of %d came before the reset", n, size)
	}
}
