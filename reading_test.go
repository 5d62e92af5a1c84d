package rondo_test

import (
	"slices"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// Within DataReceived, Reading says whether to go on, whatever the protocol has just done.
func TestReading(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(c *rondo.Conn)
		want bool
	}{
		{"nothing", func(*rondo.Conn) {}, true},
		{"Need", func(c *rondo.Conn) { c.Need(100) }, true},
		{"Write", func(c *rondo.Conn) { _, _ = c.Write([]byte("x")) }, true},
		{"CloseWrite", func(c *rondo.Conn) { _ = c.CloseWrite() }, true},
		{"PauseReading", (*rondo.Conn).PauseReading, false},
		{"PauseReading and ResumeReading", func(c *rondo.Conn) { c.PauseReading(); c.ResumeReading() }, true},
		{"Close", func(c *rondo.Conn) { _ = c.Close() }, false},
		{"Abort", (*rondo.Conn).Abort, false},
		{"a Write over the limit", func(c *rondo.Conn) {
			c.SetWriteLimits(1, 1, 1)
			_, _ = c.Write(make([]byte, 32<<20))
		}, false},
		{"SetProtocol", func(c *rondo.Conn) { c.SetProtocol(c.Protocol()) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			r := newRecorder(t)
			got := make(chan []bool, 1)
			r.onData = func(c *rondo.Conn, p []byte) int {
				if len(p) < 3 { // the new protocol's turn
					return len(p)
				}
				before := c.Reading()
				tt.do(c)
				got <- []bool{before, c.Reading()}
				return 1
			}
			peer := e.connect(r)
			rig.Send(t, peer, "abc")
			if got := rig.Await(t, got); !slices.Equal(got, []bool{true, tt.want}) {
				t.Errorf("before and after: %v, want [true %v]", got, tt.want)
			}
		})
	}
}

// Outside of DataReceived it is the same for a protocol that has just been set as for another.
func TestReadingElsewhere(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	heard := make(chan bool, 2)
	eof := make(chan bool, 1)
	r.onMade = func(c *rondo.Conn) {
		c.SetProtocol(c.Protocol())
		heard <- c.Reading()
	}
	r.onData = func(c *rondo.Conn, p []byte) int {
		c.SetProtocol(c.Protocol())
		c.Loop().Defer(func() { heard <- c.Reading() })
		return len(p)
	}
	r.onEOF = func(c *rondo.Conn) {
		eof <- c.Reading()
		_ = c.Close()
	}
	peer := e.connect(halfCloser{r})
	if !rig.Await(t, heard) {
		t.Error("in ConnectionMade it is not read")
	}
	rig.Send(t, peer, "x")
	if !rig.Await(t, heard) {
		t.Error("after DataReceived it is not read")
	}
	peer.Close()
	if rig.Await(t, eof) {
		t.Error("it is read after its end")
	}
}
