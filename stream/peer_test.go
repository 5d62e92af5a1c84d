package stream_test

import (
	"errors"
	"net"
	"os"
	"slices"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// served is one connection with a handler, and its peer, a plain net.Conn.
type served struct {
	*rig.Engine
	peer  *net.TCPConn
	ended chan error // what the handler returned
}

// serve has h serve one connection, on an engine of its own.
func serve(t *testing.T, h stream.Handler) *served {
	t.Helper()
	v := serveOn(t, rig.New(t, rondo.Config{}), h)
	t.Cleanup(func() { v.peer.Close() })
	return v
}

func serveOn(t *testing.T, e *rig.Engine, h stream.Handler) *served {
	t.Helper()
	v := &served{Engine: e, ended: make(chan error, 1)}
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(func(t *task.Task, s *stream.Stream) error {
		err := errors.New("it did not return")
		defer func() { v.ended <- err }()
		err = h(t, s)
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	v.peer = rig.Dial(t, ln.Addr().String())
	return v
}

// handle is serve for a handler that checks for itself: it waits for its end, and what it returns fails the test.
func handle(t *testing.T, peer func(c *net.TCPConn), h stream.Handler) {
	t.Helper()
	v := serve(t, h)
	peer(v.peer)
	v.check(t)
}

// check waits for the handler's end, which must be without an error.
func (v *served) check(t *testing.T) {
	t.Helper()
	if err := rig.Await(t, v.ended); err != nil {
		t.Error(err)
		v.Log.Take("a handler failed")
	}
}

// pattern is n bytes of which no two stretches are alike.
func pattern(n int) []byte {
	p := make([]byte, n)
	x := uint32(1)
	for i := range p {
		x = x*1664525 + 1013904223
		p[i] = byte(x >> 24)
	}
	return p
}

// fed is a stream to which the test itself delivers, in the segments that it likes: it is over a pipe in which nothing comes.
func fed(t *task.Task) (s *stream.Stream, end func(), err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	if s, err = stream.OpenFile(t, r); err != nil {
		w.Close()
		return nil, nil, err
	}
	return s, func() { s.Abort(); w.Close() }, nil
}

// deliver has segments arrive at s, each in a turn of its own, and then the end of the stream. The task that reads is resumed within
// the delivery, as it is by a connection.
func deliver(s *stream.Stream, segments ...[]byte) {
	if len(segments) == 0 {
		s.EOFReceived(nil)
		return
	}
	s.DataReceived(nil, slices.Clone(segments[0]))
	s.Loop().Defer(func() { deliver(s, segments[1:]...) })
}

// run1 is run with a stream to which the test delivers.
func run1(t *testing.T, fn func(t *task.Task, s *stream.Stream) error) {
	t.Helper()
	run(t, func(t *task.Task) error {
		s, end, err := fed(t)
		if err != nil {
			return err
		}
		defer end()
		return fn(t, s)
	})
}
