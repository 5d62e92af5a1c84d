package rondo_test

import (
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestZeroHandle(t *testing.T) {
	var h rondo.Handle
	if h.Alive() || h.Loop() != nil {
		t.Error("the zero Handle has a connection")
	}
	if h.Do(func(*rondo.Conn) { t.Error("called") }) {
		t.Error("Do says that it was queued")
	}
	if n, err := h.Write([]byte("x")); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write says %d, %v", n, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	h.Abort()
}

func TestHandle(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	h := c.Handle()
	if !h.Alive() || h.Loop() != c.Loop() || h != c.Handle() {
		t.Error("the handle is not the connection's")
	}
	names := map[rondo.Handle]string{h: "as a key"}
	if names[c.Handle()] != "as a key" {
		t.Error("a handle is not good for a key")
	}
	if n, err := h.Write([]byte("hello")); n != 5 || err != nil {
		t.Errorf("Write says %d, %v", n, err)
	}
	rig.Expect(t, peer, "hello")
	got := make(chan *rondo.Conn, 1)
	if !h.Do(func(c *rondo.Conn) { got <- c }) || rig.Await(t, got) != c {
		t.Error("Do did not reach the connection")
	}
	_ = h.Close()
	if err := rig.Await(t, r.lost); err != nil {
		t.Error(err)
	}
	if h.Alive() || h.Do(func(*rondo.Conn) {}) {
		t.Error("the handle outlived its connection")
	}
	if _, err := h.Write([]byte("x")); !errors.Is(err, rondo.ErrClosed) || !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write after the end says %v", err)
	}
	if h.Loop() == nil {
		t.Error("the loop is forgotten")
	}
}

// What is queued for a connection that ends before its turn comes is dropped, and within ConnectionLost
// the handle is dead already.
func TestHandleOfTheDying(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	var h rondo.Handle
	r.onLost = func(*rondo.Conn, error) {
		if h.Alive() {
			t.Error("alive in ConnectionLost")
		}
	}
	e.connect(r)
	c := rig.Await(t, r.made)
	h = c.Handle()
	rig.On(t, c.Loop(), func() {
		queued := h.Do(func(*rondo.Conn) { t.Error("reached a connection that has ended") })
		_, err := h.Write([]byte("x"))
		if !queued || err != nil {
			t.Errorf("not queued: %v, %v", queued, err)
		}
		c.Abort()
	})
	rig.Await(t, r.lost)
	rig.On(t, c.Loop(), func() {})
}

// A handle names a connection and not its place: when the place is reused it reaches nobody.
func TestHandleAfterReuse(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	var old []rondo.Handle
	for round := range 50 {
		r := newRecorder(t)
		peer := e.connect(r)
		c := rig.Await(t, r.made)
		h := c.Handle()
		for _, o := range old {
			if o.Slot() != h.Slot() {
				t.Fatalf("round %d: the slot was not reused: %d, then %d", round, o.Slot(), h.Slot())
			}
			if o == h || o.Alive() {
				t.Fatal("an old handle names the new connection")
			}
			if o.Do(func(*rondo.Conn) { t.Error("an old handle reached the new connection") }) {
				t.Error("Do of an old handle was queued")
			}
			if _, err := o.Write([]byte("stray")); !errors.Is(err, rondo.ErrClosed) {
				t.Errorf("Write of an old handle says %v", err)
			}
			o.Abort()
		}
		rig.On(t, c.Loop(), func() {}) // had any been queued, it would have run
		_, _ = h.Write([]byte("right"))
		_ = h.Close()
		if got := rig.Rest(t, peer); string(got) != "right" {
			t.Errorf("the new connection's peer got %q", got)
		}
		if err := rig.Await(t, r.lost); err != nil {
			t.Errorf("the new connection ended with %v", err)
		}
		old = append(old, h)
	}
}

// The same if the call was queued while the old connection lived.
func TestHandleQueuedAcrossReuse(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	first, second := newRecorder(t), newRecorder(t)
	e.connect(first)
	c := rig.Await(t, first.made)
	h := c.Handle()
	rig.On(t, c.Loop(), func() {}) // accepting is over
	started, connected := make(chan struct{}), make(chan struct{})
	h.Do(func(c *rondo.Conn) {
		close(started)
		<-connected // the next one is in the backlog: it is accepted before the queue has its turn
		queued := h.Do(func(*rondo.Conn) { t.Error("the call reached another connection") })
		if _, err := h.Write([]byte("stray")); err != nil || !queued {
			t.Errorf("not queued: %v, %v", queued, err)
		}
		c.Abort()
	})
	rig.Await(t, started)
	peer := rig.Dial(t, e.addr)
	close(connected)
	e.next <- second
	c2 := rig.Await(t, second.made)
	if c2.Handle().Slot() != h.Slot() {
		t.Fatal("the slot was not reused")
	}
	rig.On(t, c2.Loop(), func() {}) // behind what was queued
	_ = c2.Handle().Close()
	if got := rig.Rest(t, peer); len(got) > 0 {
		t.Errorf("the new connection's peer got %q", got)
	}
}

// Handles may be used by many goroutines while their connections come and go.
func TestHandlesConcurrently(t *testing.T) {
	const conns, goroutines = 20, 4
	e := newTestEngine(t, rondo.Config{Loops: 2})
	addr := e.serve(func() rondo.Protocol { return echo{} })
	handles := make(chan rondo.Handle, conns*goroutines)
	var dialers, users sync.WaitGroup
	for range conns {
		dialers.Go(func() {
			r := newRecorder(t)
			e.Dial(t.Context(), "tcp", addr, r)
			c := rig.Await(t, r.made)
			for range goroutines {
				handles <- c.Handle()
			}
			if err := rig.Await(t, r.lost); err != nil && !errors.Is(err, rondo.ErrAborted) {
				t.Error(err)
			}
		})
	}
	for i := range goroutines {
		users.Go(func() {
			for h := range handles {
				for range 20 { // most of them for a connection that has gone meanwhile
					h.Do(func(c *rondo.Conn) {
						if c.Handle() != h {
							t.Error("Do reached another connection")
						}
					})
					if _, err := h.Write([]byte("hello")); err != nil && !errors.Is(err, rondo.ErrClosed) {
						t.Error(err)
					}
					if i%2 == 0 {
						h.Abort()
					} else {
						_ = h.Close()
					}
				}
			}
		})
	}
	dialers.Wait()
	close(handles)
	users.Wait()
}
