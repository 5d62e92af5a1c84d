package stream_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

var errEnough = errors.New("enough")

// shout answers each line with the same, until the end.
func shout(t *task.Task, s *stream.Stream) error {
	for {
		line, err := s.ReadLine(t, 100)
		if err != nil {
			return err
		}
		if _, err := s.Write(t, append(line, "!\n"...)); err != nil {
			return err
		}
	}
}

// serving runs Serve in a task on the first of several loops.
func serving(t *testing.T, loops int, h stream.Handler) (e *rondo.Engine, ln *rondo.Listener, served *rondo.Future[struct{}]) {
	t.Helper()
	e, err := rondo.New(rondo.Config{Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if ln, err = e.Bind("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	served = task.Go(e.Loops()[0], func(t *task.Task) (struct{}, error) { return struct{}{}, stream.Serve(t, ln, h) })
	return e, ln, served
}

// client connects, and has a line answered.
func client(t *testing.T, ln *rondo.Listener) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	answered(t, c)
	return c
}

func answered(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello!\n" {
		t.Fatalf("%q, %v", got, err)
	}
}

func wait(t *testing.T, f *rondo.Future[struct{}]) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := f.Wait(ctx)
	return err
}

// When the listener is closed Serve lets the handlers finish, on all loops.
func TestServeUntilClosed(t *testing.T) {
	_, ln, served := serving(t, 2, shout)
	var clients []net.Conn
	for range 6 {
		clients = append(clients, client(t, ln))
	}
	ln.Close()
	for _, c := range clients {
		answered(t, c) // it still runs
		c.Close()
	}
	if err := wait(t, served); err != nil {
		t.Error(err)
	}
}

// When the task is cancelled so are the handlers, with the same reason, and Serve returns after they have.
func TestServeCancelled(t *testing.T) {
	reasons := make(chan error, 6)
	e, ln, served := serving(t, 2, func(t *task.Task, s *stream.Stream) error {
		err := shout(t, s)
		task.Sleep(t, 10*time.Millisecond) // to clean up takes its time
		reasons <- err
		return err
	})
	for range 6 {
		client(t, ln)
	}
	e.Loops()[0].Post(func() { served.Cancel(errEnough) })
	if err := wait(t, served); !errors.Is(err, errEnough) {
		t.Error(err)
	}
	if len(reasons) != 6 {
		t.Errorf("%d handlers had ended when Serve returned", len(reasons))
	}
	for range len(reasons) {
		if err := <-reasons; !errors.Is(err, errEnough) {
			t.Errorf("a handler was told %v", err)
		}
	}
	if c, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

// A listener can be served once; the task is told.
func TestServeTwice(t *testing.T) {
	_, ln, served := serving(t, 1, shout)
	c := client(t, ln)
	again := task.Go(served.Loop(), func(t *task.Task) (struct{}, error) { return struct{}{}, stream.Serve(t, ln, shout) })
	if err := wait(t, again); err == nil {
		t.Error("it can be served twice")
	}
	ln.Close()
	c.Close()
	if err := wait(t, served); err != nil {
		t.Error(err)
	}
}

// Shutdown ends the listener, the streams and with them Serve.
func TestServeShutdown(t *testing.T) {
	e, ln, served := serving(t, 2, shout)
	for range 6 {
		client(t, ln)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if err := wait(t, served); err != nil {
		t.Error(err)
	}
}
