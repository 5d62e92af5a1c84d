package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// What had arrived when the engine began to shut down is served to the last byte, by a task that reads what comes at once, and by one
// that takes its time, so that the connection is paused in the meantime.
func TestShutdownServesWhatHasArrived(t *testing.T) {
	t.Run("quick", func(t *testing.T) { shutdownServes(t, func(*task.Task) error { return nil }) })
	t.Run("slow", func(t *testing.T) { shutdownServes(t, task.Yield) })
}

func shutdownServes(t *testing.T, pause func(*task.Task) error) {
	want := pattern(300_000)
	arrived := make(chan struct{}, 1)
	var got []byte
	e := rig.New(t, rondo.Config{})
	// What is sent to a Unix socket has arrived. With TCP some of it would be on its way.
	ln, err := e.Listen("unix", filepath.Join(t.TempDir(), "socket"), stream.Handle(func(t *task.Task, s *stream.Stream) error {
		if _, err := task.Await(t, rondo.FromChan(t.Loop(), arrived)); err != nil {
			return err
		}
		for !s.Draining() { // nor does anything else happen in these turns
			if err := task.Yield(t); err != nil {
				return err
			}
		}
		for {
			p, err := s.Next(t, 40_000)
			if err == io.EOF { //nolint:errorlint // documented to be bare
				_, err = s.Write(t, []byte("all"))
				return err
			}
			if err != nil {
				return err
			}
			got = append(got, p...)
			if err := pause(t); err != nil {
				return err
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	peer, err := net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if err := peer.SetDeadline(time.Now().Add(rig.Patience)); err != nil {
		t.Fatal(err)
	}
	if err := peer.(*net.UnixConn).SetWriteBuffer(4 << 20); err != nil {
		t.Fatal(err)
	}
	if n, err := peer.Write(want); err != nil {
		t.Skipf("needs a socket that holds %d bytes, this one takes %d: %v", len(want), n, err)
	}
	done := make(chan error, 1)
	go func() { done <- e.Shutdown(t.Context()) }()
	arrived <- struct{}{}
	rig.ExpectEnd(t, peer, "all")
	if err := rig.Await(t, done); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d were read", len(got), len(want))
	}
}

// Handlers that wait for their peers end with io.EOF.
func TestShutdownEndsIdleStreams(t *testing.T) {
	const many = 50
	e := rig.New(t, rondo.Config{})
	ended := make(chan error, many)
	ln, err := e.Listen("tcp", "127.0.0.1:0", stream.Handle(func(t *task.Task, s *stream.Stream) error {
		_, _ = s.Write(t, []byte("hello"))
		_, err := s.Next(t, 1)
		if err == io.EOF && !s.Draining() { //nolint:errorlint // documented to be bare
			err = errTest
		}
		ended <- err
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	var peers []net.Conn
	for range many {
		peers = append(peers, rig.Dial(t, ln.Addr().String()))
		rig.Expect(t, peers[len(peers)-1], "hello")
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, c := range peers {
		rig.ExpectEnd(t, c, "")
		if err := rig.Await(t, ended); err != io.EOF { //nolint:errorlint // documented to be bare
			t.Errorf("a handler was told %v", err)
		}
	}
}

// A handler that has more to do has time until the context ends.
func TestShutdownWaitsForHandlers(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		if _, err := s.Next(t, 1); err != io.EOF { //nolint:errorlint // documented to be bare
			return err
		}
		if err := task.Sleep(t, 20*time.Millisecond); err != nil {
			return err
		}
		cancel(errTest)
		err := task.Sleep(t, time.Hour)
		if !errors.Is(err, rondo.ErrEngineClosed) || !errors.Is(s.Flow(t), rondo.ErrEngineClosed) {
			return fmt.Errorf("it was told %w", err)
		}
		return nil
	})
	if err := v.Shutdown(ctx); !errors.Is(err, errTest) {
		t.Errorf("Shutdown: %v", err)
	}
	v.check(t)
}

// A peer that sends without end is not waited for.
func TestShutdownWithAnEndlessPeer(t *testing.T) {
	begun := make(chan struct{})
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		total := 0
		for {
			p, err := s.Next(t, 1<<20)
			if err == io.EOF { //nolint:errorlint // documented to be bare
				return nil
			}
			if err != nil {
				return err
			}
			if total == 0 {
				close(begun)
			}
			total += len(p)
		}
	})
	flood := make(chan struct{})
	go func() {
		defer close(flood)
		for p := make([]byte, 256<<10); ; {
			if _, err := v.peer.Write(p); err != nil {
				return
			}
		}
	}()
	rig.Await(t, begun)
	if err := v.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	rig.Await(t, flood)
	v.check(t)
}

// A stream that is paused, because its task is busy, does not keep the loop turning, and ends when the task reads on.
func TestShutdownOfAPausedStream(t *testing.T) {
	want := pattern(500_000)
	full := make(chan struct{})
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		for s.Buffered() < 64<<10 {
			if err := task.Yield(t); err != nil {
				return err
			}
		}
		close(full)
		for !s.Draining() {
			if err := task.Sleep(t, time.Millisecond); err != nil {
				return err
			}
		}
		before := t.Loop().Turn()
		if err := task.Sleep(t, 50*time.Millisecond); err != nil {
			return err
		}
		if turns := t.Loop().Turn() - before; turns > 20 {
			return fmt.Errorf("the loop took %d turns in which nothing happened", turns)
		}
		got, err := io.ReadAll(s.IO(t))
		if err != nil || !bytes.Equal(got, want[:len(got)]) || len(got) < 64<<10 {
			return fmt.Errorf("read %d bytes, %w", len(got), err)
		}
		return nil
	})
	go func() { _, _ = v.peer.Write(want) }() // it is not all read
	rig.Await(t, full)
	if err := v.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	v.check(t)
}
