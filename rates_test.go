package rondo_test

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// On real sockets, in a time that stands still: what the rate has is read, and no more until it has more.
func TestReadRateOnSockets(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) { c.SetReadRate(1000, 5000) }
	peer := e.connect(r)
	rig.Await(t, r.made)
	rig.Send(t, peer, string(make([]byte, 8000)))
	reaches := func(want int64) {
		t.Helper()
		rig.Eventually(t, "what the rate has comes", func() bool { return r.received.Load() >= want })
		for range 5 { // nothing else comes
			rig.On(t, e.Loop(), func() {})
		}
		if n := r.received.Load(); n != want {
			t.Errorf("%d bytes were read, not %d", n, want)
		}
	}
	reaches(5000)
	clock.advance(time.Second)
	reaches(6000)
	peer.Close()
	clock.advance(1500 * time.Millisecond)
	reaches(7500)
	clock.advance(time.Hour)
	if err := rig.Await(t, r.lost); err != io.EOF || r.received.Load() != 8000 { //nolint:errorlint // documented to be bare
		t.Errorf("lost with %v after %d bytes", err, r.received.Load())
	}
}

// What a rate has held back is delivered when the peer has reset the connection, and before that is told.
func TestReadRateAndReset(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) { c.SetReadRate(1000, 5000) }
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.Send(t, peer, string(make([]byte, 8000)))
	rig.Eventually(t, "what the rate has comes", func() bool { return r.received.Load() == 5000 })
	reset(t, peer)
	rig.On(t, c.Loop(), func() {})
	clock.advance(time.Hour) // select sees no error of what it does not watch
	if err := rig.Await(t, r.lost); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("lost with %v", err)
	}
	if n := r.received.Load(); n != 8000 && runtime.GOOS == "linux" {
		t.Errorf("%d bytes came", n)
	}
}

// What is not sent yet is kept, and comes in its order. Writing is limited also of a splice's bytes: see TestSpliceRates.
func TestWriteRateOnSockets(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	r := newRecorder(t)
	want := bytes.Repeat([]byte("0123456789"), 4000)
	r.onMade = func(c *rondo.Conn) {
		c.SetWriteRate(10_000, 5000)
		_, _ = c.Write(want[:20_000]) // straight to the kernel, as far as it goes
		for p := want[20_000:]; len(p) > 0; p = p[100:] {
			_, _ = c.Write(p[:100])
		}
		_ = c.Close()
	}
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.Expect(t, peer, string(want[:5000]))
	left := 0
	rig.On(t, c.Loop(), func() { left = c.Buffered() })
	if left != 35_000 {
		t.Errorf("%d bytes are kept", left)
	}
	got := 5000
	for got < len(want) {
		rig.On(t, c.Loop(), func() {}) // the turn is over in which the peer was sent that, and the wait has begun
		clock.advance(250 * time.Millisecond)
		n := min(2500, len(want)-got)
		rig.Expect(t, peer, string(want[got:got+n]))
		got += n
	}
	rig.ExpectEnd(t, peer, "")
	if err := rig.Await(t, r.lost); err != nil {
		t.Errorf("lost with %v", err)
	}
}

// doubling is a layer that sends every byte twice.
type doubling struct{ turning }

func (l *doubling) Write(p []byte) error {
	for _, b := range p {
		if _, err := l.conn.WriteBelow([]byte{b, b}); err != nil {
			return err
		}
	}
	return nil
}

func (l *doubling) CloseWrite() error { return nil }

func (l *doubling) Read(p []byte) (int, error) {
	n := 0
	for ; n < len(p) && len(l.in) >= 2; n++ {
		p[n], l.in = l.in[0], l.in[2:]
	}
	if n == 0 {
		return 0, rondo.ErrMore
	}
	return n, nil
}

func (l *doubling) ReceivedEOF() error { return nil }

// With a layer, what is limited are the bytes of the network.
func TestRateBelowALayer(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	r := newRecorder(t)
	r.onMade = func(c *rondo.Conn) {
		c.SetLayer(&doubling{turning{conn: c}})
		c.SetReadRate(1000, 600)
		c.SetWriteRate(1000, 600)
		_, _ = c.Write(make([]byte, 1000))
		_ = c.CloseWrite()
	}
	peer := e.connect(r)
	c := rig.Await(t, r.made)
	rig.Expect(t, peer, string(make([]byte, 600)))
	left := 0
	rig.On(t, c.Loop(), func() { left = c.Buffered() })
	if left != 1400 {
		t.Errorf("%d bytes are kept", left)
	}
	rig.Send(t, peer, string(make([]byte, 1000)))
	rig.Eventually(t, "what the rate has comes", func() bool { return r.received.Load() == 300 })
	clock.advance(600 * time.Millisecond)
	rig.Expect(t, peer, string(make([]byte, 600)))
	rig.Eventually(t, "the rest comes", func() bool { return r.received.Load() == 500 })
}

// A limiter that is shared by connections of several loops, by the real clock: all get their turn, and no more than there is.
func TestLimiterOverLoops(t *testing.T) {
	const conns, each = 8, 100_000
	e := newTestEngine(t, rondo.Config{Loops: 4})
	l := rondo.NewLimiter(20_000_000, 10_000)
	lost := make(chan error, conns)
	ln, err := rondo.ListenConfig{ReadLimiter: l, WriteLimiter: l}.Listen(e.Engine, "tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &timed{lost: lost}
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range conns {
		peer := rig.Dial(t, ln.Addr().String())
		go func() {
			_, _ = peer.Write(make([]byte, each))
			_ = peer.CloseWrite()
		}()
		t.Cleanup(func() {
			if n := len(rig.Rest(t, peer)); n != each {
				t.Errorf("%d bytes came back", n)
			}
		})
	}
	for range conns {
		if err := rig.Await(t, lost); err != io.EOF { //nolint:errorlint // documented to be bare
			t.Error(err)
		}
	}
	if took, least := time.Since(start), time.Duration(2*conns*each-100_000)*time.Second/20_000_000; took < least {
		t.Errorf("it took %v: %v is the least", took, least)
	}
}
