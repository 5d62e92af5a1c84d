package stream_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// A task that has been served and has not run yet still has the stream: another that reads meanwhile does not take its bytes.
func TestReaderThatWasServed(t *testing.T) {
	handle(t, func(*net.TCPConn) {}, func(t *task.Task, s *stream.Stream) error {
		buf := make([]byte, 10)
		first := task.Spawn(t, func(t *task.Task) (int, error) { return s.Read(t, buf) })
		if err := task.Yield(t); err != nil {
			return err
		}
		s.DataReceived(nil, []byte("abc")) // as if it came now: the first is served, and runs when this task waits
		if _, err := s.Read(t, make([]byte, 10)); !errors.Is(err, stream.ErrBusy) {
			return fmt.Errorf("the second read: %w, want ErrBusy", err)
		}
		n, err := task.Await(t, first)
		if string(buf[:n]) != "abc" {
			return fmt.Errorf("the first read %q, %w", buf[:n], err)
		}
		return nil
	})
}

// A handler's error is reported also when it comes beside the end of the stream or a cancellation.
func TestHandlerErrorBesideTheEnd(t *testing.T) {
	for what, h := range map[string]stream.Handler{
		"the end":        func(*task.Task, *stream.Stream) error { return errors.Join(io.EOF, errTest) },
		"a cancellation": func(t *task.Task, _ *stream.Stream) error { t.Cancel(nil); return errTest },
	} {
		t.Run(what, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			v := serveOn(t, e, h)
			<-v.ended
			e.Log.Await(t, errTest.Error())
			v.peer.Close()
		})
	}
}

// A dialed stream that its task leaves open does not keep a shutdown, whenever the task ends.
func TestShutdownOfAStreamLeftOpen(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		if c, err := ln.Accept(); err == nil {
			_, _ = io.Copy(io.Discard, c)
			c.Close()
		}
	}()
	dialed := make(chan struct{})
	task.Go(e.Loop(), func(t *task.Task) (int, error) {
		s, err := stream.Dial(t, "tcp", ln.Addr().String())
		close(dialed)
		for err == nil && !s.Draining() {
			err = task.Yield(t)
		}
		return 0, err
	})
	<-dialed
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}
