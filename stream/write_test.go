package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// much is more than the kernel takes of what nobody reads.
const much = 8 << 20

// blocked waits until a task waits for the peer of s to read.
func blocked(t *task.Task, s *stream.Stream) error {
	_, high, _ := s.Conn().WriteLimits()
	for s.Conn().Buffered() <= high {
		if err := task.Yield(t); err != nil {
			return err
		}
	}
	settle(t)
	return nil
}

// A large write waits for a peer that does not read, holds little of it meanwhile, and goes on with the peer.
func TestWriteWaits(t *testing.T) {
	for name, cfg := range map[string]rondo.Config{
		"default": {},
		"tiny":    {WriteHigh: 1000, WriteLimit: 1000},
		"limit":   {WriteLimit: 64 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			want := pattern(much)
			waiting := make(chan struct{})
			v := serveOn(t, rig.New(t, cfg), func(t *task.Task, s *stream.Stream) error {
				f := task.Spawn(t, func(t *task.Task) (int, error) { return s.Write(t, want) })
				if err := blocked(t, s); err != nil {
					return err
				}
				if _, _, limit := s.Conn().WriteLimits(); s.Conn().Buffered() > min(limit, 400<<10) || f.Done() {
					return fmt.Errorf("%d bytes are kept; done: %v", s.Conn().Buffered(), f.Done())
				}
				close(waiting)
				if n, err := task.Await(t, f); n != len(want) || err != nil {
					return fmt.Errorf("Write: %d, %w", n, err)
				}
				return nil
			})
			rig.Await(t, waiting)
			rig.ExpectEnd(t, v.peer, string(want))
			v.check(t)
		})
	}
}

// Several tasks that write take turns, and none is torn apart: not the large ones, nor the small one behind them.
func TestWritersTakeTurns(t *testing.T) {
	letters := []string{"a", "b", "c"}
	var want strings.Builder
	for _, c := range letters {
		want.WriteString(strings.Repeat(c, 2<<20))
	}
	want.WriteString("small")
	handle(t, func(peer *net.TCPConn) { rig.ExpectEnd(t, peer, want.String()) }, func(t *task.Task, s *stream.Stream) error {
		return task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			for _, c := range letters {
				g.Go(func(t *task.Task) error {
					_, err := s.Write(t, bytes.Repeat([]byte(c), 2<<20))
					return err
				})
			}
			g.Go(func(t *task.Task) error {
				_, err := s.Write(t, []byte("small"))
				return err
			})
			return nil
		})
	})
}

// A write that is cancelled says how much of it will arrive.
func TestWriteCancelled(t *testing.T) {
	want := pattern(much)
	var n int
	ended := make(chan struct{})
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		defer close(ended)
		first := task.Spawn(t, func(t *task.Task) (int, error) {
			var err error
			n, err = s.Write(t, want)
			return 0, err
		})
		behind := task.Spawn(t, func(t *task.Task) (int, error) { return s.Write(t, []byte("never")) })
		if err := blocked(t, s); err != nil {
			return err
		}
		behind.Cancel(errTest)
		if _, err := task.Await(t, behind); err != errTest { //nolint:errorlint // the reason itself
			return fmt.Errorf("the one behind: %w", err)
		}
		first.Cancel(errTest)
		if _, err := task.Await(t, first); err != errTest || n == 0 || n >= len(want) { //nolint:errorlint // likewise
			return fmt.Errorf("%d, %w", n, err)
		}
		return nil
	})
	rig.Await(t, ended)
	got, err := io.ReadAll(v.peer)
	if err != nil || len(got) != n || !bytes.Equal(got, want[:n]) {
		t.Errorf("read %d bytes of %d, %v", len(got), n, err)
	}
	v.check(t)
}

// A task that waits to write is told at once when another closes the stream, and so is one that comes later.
func TestWriteAndClose(t *testing.T) {
	for name, end := range map[string]func(s *stream.Stream) error{
		"Close":      (*stream.Stream).Close,
		"CloseWrite": (*stream.Stream).CloseWrite,
		"Abort":      func(s *stream.Stream) error { s.Abort(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			want := rondo.ErrClosed
			if name == "Abort" {
				want = rondo.ErrAborted
			}
			v := serve(t, func(t *task.Task, s *stream.Stream) error {
				if _, err := s.ReadLine(t, 10); err != nil { // a peer that is still connecting would be told of a reset
					return err
				}
				f := task.Spawn(t, func(t *task.Task) (int, error) { return s.Write(t, make([]byte, much)) })
				if err := blocked(t, s); err != nil {
					return err
				}
				if err := end(s); err != nil {
					return err
				}
				if _, err := task.Await(t, f); !errors.Is(err, want) {
					return fmt.Errorf("the one that waits: %w", err)
				}
				if n, err := s.Write(t, []byte("x")); n != 0 || !errors.Is(err, want) {
					return fmt.Errorf("later: %d, %w", n, err)
				}
				return nil
			})
			rig.Send(t, v.peer, "go\n")
			v.check(t)
		})
	}
}

// A peer that resets the connection ends the wait of all, with the same error.
func TestPeerResets(t *testing.T) {
	waiting := make(chan struct{})
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		writing := task.Spawn(t, func(t *task.Task) (int, error) { return s.Write(t, make([]byte, much)) })
		reading := task.Spawn(t, func(t *task.Task) (int, error) { return s.Read(t, make([]byte, 1)) })
		if err := blocked(t, s); err != nil {
			return err
		}
		close(waiting)
		_, err1 := task.Await(t, writing)
		_, err2 := task.Await(t, reading)
		_, err3 := s.Write(t, []byte("x"))
		_, err4 := s.Next(t, 1)
		for _, err := range []error{err1, err2, err3, err4} {
			if err == nil || err != err1 || !errors.Is(err, syscall.ECONNRESET) { //nolint:errorlint // the same one
				return fmt.Errorf("they were told %v, %v, %v, %v", err1, err2, err3, err4)
			}
		}
		return nil
	})
	rig.Await(t, waiting)
	if err := v.peer.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	v.peer.Close()
	v.check(t)
}

// A task that writes much and never has to wait, as to a peer which is always quicker, leaves time for others.
func TestWriteSharesTheLoop(t *testing.T) {
	handle(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }, func(t *task.Task, s *stream.Stream) error {
		s.Conn().SetWriteLimits(32<<20, 32<<20, 64<<20)
		others := 0
		other := task.Spawn(t, func(t *task.Task) (int, error) {
			for others < 5 {
				others++
				if err := task.Yield(t); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		piece := make([]byte, 64<<10)
		for range 16 << 20 / len(piece) {
			if _, err := s.Write(t, piece); err != nil {
				return err
			}
		}
		if !other.Done() {
			return fmt.Errorf("another task had %d turns while 16 MiB were written", others)
		}
		return nil
	})
}
