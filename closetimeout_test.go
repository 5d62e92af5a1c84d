package rondo_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestCloseTimeout(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{CloseTimeout: time.Hour})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		flood(c)
		_ = c.Close()
	}
	e.connect(r) // and never reads
	l := rig.Await(t, r.made).Loop()
	rig.On(t, l, func() {}) // the turn in which it was closed is over
	clock.advance(time.Hour - time.Second)
	for range 3 {
		rig.On(t, l, func() {})
	}
	if len(r.lost) > 0 {
		t.Fatal("ended before its time")
	}
	clock.advance(time.Second + time.Millisecond)
	err := rig.Await(t, r.lost)
	var op *net.OpError
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &op) || op.Op != "close" {
		t.Errorf("the reason is %v", err)
	}
}

// A peer that reads, however slowly, is waited for.
func TestCloseTimeoutWithProgress(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{CloseTimeout: time.Hour})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		flood(c)
		_, _ = c.Write(make([]byte, 8<<20))
		_ = c.Close()
	}
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	l := c.Loop()
	buffered := func() (n int) {
		rig.On(t, l, func() { n = c.Buffered() })
		return n
	}
	piece := make([]byte, 1<<20)
	for range 3 {
		// So little that the kernel still has enough to send, and tells nobody that it could take more.
		if _, err := io.ReadFull(peer, piece); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Hour + time.Millisecond)
		for range 2 { // the turn in which the time is found to be over, and the one after it
			if buffered() == 0 || len(r.lost) > 0 {
				t.Fatal("ended though the peer reads")
			}
		}
	}
	clock.advance(time.Hour + time.Millisecond)
	if err := rig.Await(t, r.lost); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the reason is %v", err)
	}
}

// The timer of a closed connection ends with it, and does not keep it in memory for the rest of its time.
func TestCloseTimerEnds(t *testing.T) {
	e := newTestEngine(t, rondo.Config{CloseTimeout: time.Hour})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		flood(c)
		_ = c.Close()
	}
	peer := e.connect(r)
	l := rig.Await(t, r.made).Loop()
	timers := func() (n int) {
		rig.On(t, l, func() { n = l.Timers() })
		return n
	}
	if n := timers(); n != 1 {
		t.Fatalf("%d timers while it closes", n)
	}
	rig.Rest(t, peer)
	if err := rig.Await(t, r.lost); err != nil {
		t.Error(err)
	}
	if n := timers(); n != 0 {
		t.Errorf("%d timers are left of it", n)
	}
}
