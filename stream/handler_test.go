package stream_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// A handler that is cancelled before it has begun leaves no connection behind that nobody serves.
func TestHandlerThatNeverBegins(t *testing.T) {
	e := rig.New(t, rondo.Config{})
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
	rig.On(t, l, func() {}) // by then it serves
	rig.On(t, l, func() {})
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
	c := rig.Await(t, peer)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(rig.Patience))
	if _, err := rig.Outcome(t, served); !errors.Is(err, errTest) {
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

var errConfused = errors.New("confused")

// The handler's end is the stream's: it is closed after what was written, or reset if the handler did not return. What its error says decides whether the log has
// it.
func TestHandlerEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		end    func(t *task.Task, s *stream.Stream) error
		log    string // what is reported; empty: nothing
		resets bool
	}{
		{"nil", func(*task.Task, *stream.Stream) error { return nil }, "", false},
		{"error", func(*task.Task, *stream.Stream) error { return errConfused }, "confused", false},
		{"EOF", func(*task.Task, *stream.Stream) error { return fmt.Errorf("reading: %w", io.EOF) }, "", false},
		{"in the midst", func(*task.Task, *stream.Stream) error { return io.ErrUnexpectedEOF }, "ERROR stream: a handler failed", false},
		{"closed", func(t *task.Task, s *stream.Stream) error {
			s.Close()
			_, err := s.Write(t, []byte("x"))
			return err
		}, "", false},
		{"aborted", func(t *task.Task, s *stream.Stream) error {
			s.Abort()
			_, err := s.Next(t, 1)
			return err
		}, "", true},
		{"cancelled", func(t *task.Task, _ *stream.Stream) error {
			t.Cancel(errConfused)
			return task.Yield(t)
		}, "", false},
		{"panic", func(*task.Task, *stream.Stream) error { panic(errConfused) }, "confused", true},
		{"Goexit", func(*task.Task, *stream.Stream) error { runtime.Goexit(); return nil }, "Goexit", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := serve(t, func(t *task.Task, s *stream.Stream) error {
				if _, err := s.ReadLine(t, 10); err != nil {
					return err
				}
				if _, err := s.Write(t, []byte("bye")); err != nil {
					return err
				}
				if err := s.Flow(t); err != nil {
					return err
				}
				if test.resets {
					_ = task.Yield(t) // so that it is sent
					_ = task.Sleep(t, 1)
				}
				return test.end(t, s)
			})
			rig.Send(t, v.peer, "go\n")
			rig.Expect(t, v.peer, "bye")
			if _, err := v.peer.Read(make([]byte, 1)); test.resets == errors.Is(err, io.EOF) {
				t.Errorf("the peer reads %v", err)
			}
			if test.log != "" {
				v.Log.Await(t, test.log)
			}
		})
	}
}

// A peer that goes away in the midst of a message is not the server's mistake: whoever looks for it finds it in the log, and it alarms
// nobody. Another error beside it does.
func TestPeerLeavesInTheMidst(t *testing.T) {
	for _, test := range []struct {
		name string
		and  error
		log  string
	}{
		{"alone", nil, "DEBUG stream: the peer has left in the midst of a message"},
		{"beside another", errConfused, "ERROR stream: a handler failed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := serve(t, func(t *task.Task, s *stream.Stream) error {
				_, err := s.ReadLine(t, 100)
				return errors.Join(fmt.Errorf("reading a line: %w", err), test.and)
			})
			rig.Send(t, v.peer, "half a li")
			_ = v.peer.CloseWrite()
			rig.ExpectEnd(t, v.peer, "")
			if line := v.Log.Await(t, test.log); !strings.Contains(line, "reading a line: unexpected EOF") {
				t.Errorf("the log has %q", line)
			}
		})
	}
}

// Each end of a conversation can be closed for itself.
func TestHalfClose(t *testing.T) {
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		if _, err := s.Write(t, []byte("that is all")); err != nil {
			return err
		}
		if err := s.CloseWrite(); err != nil {
			return err
		}
		if _, err := s.Write(t, []byte("x")); !errors.Is(err, rondo.ErrClosed) {
			return fmt.Errorf("Write after CloseWrite: %w", err)
		}
		if p, err := s.ReadLine(t, 10); err != nil || string(p) != "fine" {
			return fmt.Errorf("%q, %w", p, err)
		}
		for range 2 {
			if _, err := s.Next(t, 1); err != io.EOF { //nolint:errorlint // documented to be bare
				return fmt.Errorf("at the end: %w", err)
			}
		}
		return nil
	})
	rig.ExpectEnd(t, v.peer, "that is all")
	rig.Send(t, v.peer, "fine\n")
	_ = v.peer.CloseWrite()
	v.check(t)
}

// A task that does not read stops its peer, and then everything arrives.
func TestReadBackpressure(t *testing.T) {
	want := pattern(much)
	ready := make(chan struct{}, 1)
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		if _, err := task.Await(t, rondo.FromChan(t.Loop(), ready)); err != nil {
			return err
		}
		if n := s.Buffered(); n > 128<<10 {
			return fmt.Errorf("%d bytes were read ahead", n)
		}
		got, err := io.ReadAll(s.IO(t))
		if err != nil || string(got) != string(want) {
			return fmt.Errorf("read %s, %w", rig.Short(got), err)
		}
		return nil
	})
	// It must not be taken before the task reads.
	_ = v.peer.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	n, err := v.peer.Write(want)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the peer has written %d bytes: %v", n, err)
	}
	ready <- struct{}{}
	_ = v.peer.SetWriteDeadline(time.Now().Add(rig.Patience))
	if _, err := v.peer.Write(want[n:]); err != nil {
		t.Fatal(err)
	}
	_ = v.peer.CloseWrite()
	v.check(t)
}

// Each wait can be cancelled, and nothing is lost by it; so it is with a timeout.
func TestCancelReads(t *testing.T) {
	for name, read := range map[string]func(t *task.Task, s *stream.Stream) error{
		"Read":     func(t *task.Task, s *stream.Stream) error { _, err := s.Read(t, make([]byte, 9)); return err },
		"Next":     func(t *task.Task, s *stream.Stream) error { _, err := s.Next(t, 9); return err },
		"Peek":     func(t *task.Task, s *stream.Stream) error { _, err := s.Peek(t, 9); return err },
		"ReadLine": func(t *task.Task, s *stream.Stream) error { _, err := s.ReadLine(t, 100); return err },
	} {
		run1(t, func(t *task.Task, s *stream.Stream) error {
			err := task.WithTimeout(t, time.Millisecond, func(t *task.Task) error { return read(t, s) })
			if _, ok := errors.AsType[*rondo.TimeoutError](err); !ok {
				return fmt.Errorf("%s with a timeout: %w", name, err)
			}
			f := task.Spawn(t, func(t *task.Task) (int, error) { return 0, read(t, s) })
			settle(t)
			f.Cancel(errTest)
			s.DataReceived(nil, []byte("hello, hello\n"))   // in the same turn, too late for it
			if _, err := task.Await(t, f); err != errTest { //nolint:errorlint // the reason itself
				return fmt.Errorf("%s cancelled: %w", name, err)
			}
			if p, err := s.ReadLine(t, 100); err != nil || string(p) != "hello, hello" {
				return fmt.Errorf("%s has lost some: %q, %w", name, p, err)
			}
			var next error
			f = task.Spawn(t, func(t *task.Task) (int, error) {
				err := read(t, s)
				next = task.Yield(t)
				return 0, err
			})
			settle(t)
			s.DataReceived(nil, []byte("hello, hello\n"))
			f.Cancel(errTest)                                              // too late: what has come wins, and the next wait is told
			if _, err := task.Await(t, f); err != nil || next != errTest { //nolint:errorlint // the reason itself
				return fmt.Errorf("%s cancelled too late: %w, then %w", name, err, next)
			}
			return nil
		})
	}
}
