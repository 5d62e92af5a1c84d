package stream_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// listenUnix is a server that accepts only if it is told to.
func listenUnix(t *testing.T) (ln net.Listener, name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "socket")
	ln, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln, name
}

func TestDialRefused(t *testing.T) {
	ln, name := listenUnix(t)
	ln.Close()
	run(t, func(t *task.Task) error {
		s, err := stream.Dial(t, "unix", name)
		var op *net.OpError
		if s != nil || !errors.As(err, &op) || op.Op != "dial" {
			return fmt.Errorf("%v, %w", s, err)
		}
		s, err = stream.Dial(t, "tcp", "127.0.0.1:1")
		if s != nil || !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("%v, %w", s, err)
		}
		return nil
	})
}

func TestDialUnix(t *testing.T) {
	ln, name := listenUnix(t)
	go func() {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(c, c)
		c.Close()
	}()
	run(t, func(t *task.Task) error {
		s, err := stream.DialWith(t, rondo.Dialer{Timeout: rig.Patience}, "unix", name)
		if err != nil {
			return err
		}
		defer s.Close()
		if s.RemoteAddr().String() != name || s.Loop() != t.Loop() {
			return fmt.Errorf("it is connected to %v", s.RemoteAddr())
		}
		if _, err := s.Write(t, []byte("hello")); err != nil {
			return err
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
		if got, err := io.ReadAll(s.IO(t)); err != nil || string(got) != "hello" {
			return fmt.Errorf("%q, %w", got, err)
		}
		return nil
	})
}

// A dial that is cancelled leaves no connection, also if that is in the very turn in which it succeeds, and whatever comes first in that.
func TestDialCancelled(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	e := rig.New(t, rondo.Config{})
	for turns := range 8 {
		var s *stream.Stream
		runOn(t, e.Loop(), func(t *task.Task) error {
			f := task.Spawn(t, func(t *task.Task) (_ int, err error) {
				s, err = stream.Dial(t, "tcp", ln.Addr().String())
				return 0, err
			})
			for end := t.Loop().Turn() + uint32(turns); t.Loop().Turn() < end; {
				if err := task.Yield(t); err != nil {
					return err
				}
			}
			f.Cancel(errTest)
			switch _, err := task.Await(t, f); {
			case err == nil && s != nil:
				s.Abort() // it was made
			case s != nil || !errors.Is(err, errTest):
				return fmt.Errorf("cancelled after %d turns: %v, %w", turns, s, err)
			}
			return nil
		})
		rig.Eventually(t, "no connection", func() bool { return e.Conns() == 0 })
	}
	// The cancellation comes first, and in the same turn the connection.
	runOn(t, e.Loop(), func(t *task.Task) error {
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			s, err := stream.Dial(t, "tcp", ln.Addr().String())
			if s != nil {
				s.Abort()
			}
			return 0, err
		})
		_ = task.Yield(t)
		t.Loop().After(time.Nanosecond, func() { f.Cancel(errTest) })
		_, _ = task.Await(t, f)
		return nil
	})
	rig.Eventually(t, "no connection", func() bool { return e.Conns() == 0 })
}

func TestDialTimeout(t *testing.T) {
	ln, name := listenUnix(t)
	// With its backlog full a Unix socket has a dial wait.
	run(t, func(t *task.Task) error {
		var all []*stream.Stream
		for {
			s, err := stream.DialWith(t, rondo.Dialer{Timeout: 20 * time.Millisecond}, "unix", name)
			if err != nil {
				for _, s := range all {
					s.Close()
				}
				var timeout net.Error
				if !errors.As(err, &timeout) || !timeout.Timeout() {
					return err
				}
				return ln.Close()
			}
			if all = append(all, s); len(all) > 900 {
				return nil // this system's backlog is larger than what select can watch
			}
		}
	})
}
