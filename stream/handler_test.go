package stream_test

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// A handler that is cancelled before it has begun leaves no connection behind that nobody serves.
func TestHandlerThatNeverBegins(t *testing.T) {
	e := newEngine(t, rondo.Config{})
	ln, err := e.Bind("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := e.Loop()
	began := false
	served := task.Go(l, func(t *task.Task) (int, error) {
		return 0, stream.Serve(t, ln, func(*task.Task, *stream.Stream) error { began = true; return nil })
	})
	peer := make(chan net.Conn, 1)
	on(t, l, func() {}) // by then it serves
	on(t, l, func() {})
	l.Post(func() {
		c, err := net.Dial("tcp", ln.Addr().String()) // it is accepted in the next turn
		if err != nil {
			t.Error(err)
		}
		peer <- c
		// A turn resumes 1,024 tasks: the task of Serve is the last of the next one, and the handler's the first of the one after it.
		for range 2*1024 - 1 {
			task.Start(l, func(*task.Task) (int, error) { return 0, nil })
		}
		served.Cancel(errTest)
	})
	c := await(t, peer)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := outcome(t, served); !errors.Is(err, errTest) {
		t.Errorf("Serve: %v", err)
	}
	if _, err := io.ReadAll(c); err != nil {
		t.Error(err)
	}
	if began {
		t.Error("this test does not show what it is for: the handler has begun")
	}
	if n := e.Conns(); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}
