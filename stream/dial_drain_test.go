package stream_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// TestShutdownLeavesDialedStreams: a task that has asked another server gets the whole answer, and not what had arrived
// when the engine began to shut down.
func TestShutdownLeavesDialedStreams(t *testing.T) {
	answers := slowAnswers(t)
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()

	drained := make(chan error, 1)
	got := task.Go(e.Loops()[0], func(t *task.Task) (string, error) {
		s, err := stream.Dial(t, "tcp", answers.Addr().String())
		if err != nil {
			return "", err
		}
		defer s.Close()
		half, err := s.ReadLine(t, 100)
		if err != nil {
			return "", err
		}
		answer := string(half)
		go func() { drained <- e.Shutdown(ctx) }()
		for turns := 0; turns < 10; { // in which nothing comes
			if err := task.Sleep(t, time.Millisecond); err != nil {
				return "", err
			}
			if s.Draining() {
				turns++
			}
		}
		if _, err := s.Write(t, []byte("go on\n")); err != nil {
			return "", err
		}
		rest, err := io.ReadAll(s.IO(t))
		return answer + string(rest), err
	})
	if answer, err := got.Wait(ctx); err != nil || answer != "one half, and the other" {
		t.Errorf("got %q, %v", answer, err)
	}
	if err := <-drained; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// slowAnswers says one half, and the other when it is told to go on.
func slowAnswers(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprint(c, "one half\n")
			if _, err := bufio.NewReader(c).ReadString('\n'); err == nil {
				fmt.Fprint(c, ", and the other")
			}
			_ = c.Close()
		}
	}()
	return l
}
