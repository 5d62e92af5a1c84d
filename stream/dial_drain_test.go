package stream_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/endpoint"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// TestShutdownLeavesDialedStreams: a task that has asked another server gets the whole answer, and not what had arrived
// when the engine began to shut down.
func TestShutdownLeavesDialedStreams(t *testing.T) {
	for name, dial := range map[string]func(t *task.Task, at string) (*stream.Stream, error){
		"Dial": func(t *task.Task, at string) (*stream.Stream, error) { return stream.Dial(t, "tcp", at) },
		"DialBy": func(t *task.Task, at string) (*stream.Stream, error) {
			d, err := endpoint.NewDialer(t.Engine(), at)
			if err != nil {
				return nil, err
			}
			return stream.DialBy(t, d.On(t.Loop()).Dial)
		},
	} {
		t.Run(name, func(t *testing.T) { shutdownLeaves(t, dial) })
	}
}

func shutdownLeaves(t *testing.T, dial func(t *task.Task, at string) (*stream.Stream, error)) {
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
		s, err := dial(t, answers.Addr().String())
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

// A connection that somebody else makes for a task, but on another loop than the task's, is of no use to it.
func TestDialByElsewhere(t *testing.T) {
	answers := slowAnswers(t)
	e := rig.New(t, rondo.Config{Loops: 2})
	runOn(t, e.Loops()[0], func(t *task.Task) error {
		elsewhere := func(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
			f := rondo.Dialer{Loop: e.Loops()[1]}.Dial(ctx, t.Engine(), "tcp", answers.Addr().String(), p)
			return rondo.Transfer(f, t.Loop())
		}
		if s, err := stream.DialBy(t, elsewhere); s != nil || !errors.Is(err, rondo.ErrDifferentLoops) {
			return fmt.Errorf("%v, %w", s, err)
		}
		return nil
	})
	rig.Eventually(t, "the connection is given up", func() bool { return e.Conns() == 0 })
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
