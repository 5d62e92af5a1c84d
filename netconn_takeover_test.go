package rondo_test

import (
	"errors"
	"net"
	"runtime"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// NetConn of a connection whose protocol has left some bytes, wherever it is called.
func TestNetConnTakesOver(t *testing.T) {
	const left = "left over"
	for _, test := range []struct {
		name string
		set  func(r *recorder, take func(c *rondo.Conn))
		sent string
	}{
		{"ConnectionMade", func(r *recorder, take func(c *rondo.Conn)) { r.onMade = take }, left},
		{"DataReceived", func(r *recorder, take func(c *rondo.Conn)) {
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) < len("header "+left) {
					return 0
				}
				take(c)
				return len("header ")
			}
		}, "header " + left},
		{"Handle.Do", func(r *recorder, take func(c *rondo.Conn)) {
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) == len(left) {
					c.Handle().Do(take)
				}
				return 0
			}
		}, left},
		{"Post", func(r *recorder, take func(c *rondo.Conn)) {
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) == len(left) {
					c.Loop().Post(func() { take(c) })
				}
				return 0
			}
		}, left},
		{"after PauseReading", func(r *recorder, take func(c *rondo.Conn)) {
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) == len(left) {
					c.PauseReading()
					c.Loop().Post(func() { take(c) })
				}
				return 0
			}
		}, left},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			r := &recorder{t: t, made: make(chan *rondo.Conn, 1), lost: make(chan error, 1)}
			taken := make(chan net.Conn, 1)
			test.set(r, func(c *rondo.Conn) { taken <- rondo.NetConn(c) })
			peer := e.connect(r)
			rig.Send(t, peer, test.sent)
			c := rig.Await(t, taken)
			rig.Expect(t, c, left)
			rig.Send(t, peer, "more")
			rig.Expect(t, c, "more")
			rig.Send(t, c, "answer")
			rig.Expect(t, peer, "answer")
			if err := peer.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := rig.Rest(t, c); len(got) > 0 {
				t.Errorf("then came %q", got)
			}
			c.Close()
			if len(r.lost) > 0 {
				t.Error("the old protocol was told of the end")
			}
		})
	}
}

// NetConn of a connection that has heard the end of the stream, or of its own.
func TestNetConnTakesOverEnd(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	for _, where := range []string{"EOFReceived", "later"} {
		r := newRecorder(t)
		r.onData = func(*rondo.Conn, []byte) int { return 0 }
		taken := make(chan net.Conn, 1)
		take := func(c *rondo.Conn) { taken <- rondo.NetConn(c) }
		r.onEOF = func(c *rondo.Conn) {
			if where == "later" {
				c.Handle().Do(take)
			} else {
				take(c)
			}
		}
		peer := e.connect(halfCloser{r})
		rig.Send(t, peer, "left over")
		if err := peer.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		c := rig.Await(t, taken)
		if got := string(rig.Rest(t, c)); got != "left over" {
			t.Errorf("%s: read %q", where, got)
		}
		rig.Send(t, c, "answer")
		c.Close()
		if got := string(rig.Rest(t, peer)); got != "answer" {
			t.Errorf("%s: the peer read %q", where, got)
		}
	}

	r := newRecorder(t)
	ended := make(chan net.Conn, 1)
	r.onLost = func(c *rondo.Conn, _ error) { c.Loop().Post(func() { ended <- rondo.NetConn(c) }) }
	e.connect(r)
	rig.Await(t, r.made).Handle().Abort()
	c := rig.Await(t, ended)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Read of a connection that has ended: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Write to a connection that has ended: %v", err)
	}
	c.Close()
}

// NetConn of a connection whose protocol was told to pause writing: what it wrote comes first, and
// what is written then is held back as usual.
func TestNetConnTakesOverPaused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{WriteLimit: 8 << 20})
	r := newRecorder(t)
	taken := make(chan net.Conn, 1)
	r.onMade = func(c *rondo.Conn) { _, _ = c.Write(make([]byte, 6<<20)) }
	r.onPause = func(c *rondo.Conn) { c.Loop().Post(func() { taken <- rondo.NetConn(c) }) }
	peer := e.connect(pauser{r})
	c := rig.Await(t, taken)
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, 4<<20)) // with those before more than the limit
		c.Close()
		written <- err
	}()
	for range 100 {
		rig.On(t, e.Loop(), runtime.Gosched) // the writer comes as far as it can
	}
	if got := rig.Rest(t, peer); len(got) != 10<<20 {
		t.Errorf("%d bytes came", len(got))
	}
	if err := rig.Await(t, written); err != nil {
		t.Error(err)
	}
}
