package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// While a task waits for more than is there, another that reads would take it away: it is told.
func TestReadersAreToldOfEachOther(t *testing.T) {
	run1(t, func(t *task.Task, s *stream.Stream) error {
		s.DataReceived(nil, []byte("half"))
		first := task.Spawn(t, func(t *task.Task) (string, error) {
			p, err := s.ReadLine(t, 100)
			return string(p), err
		})
		settle(t)
		for what, read := range map[string]func() error{
			"Read":      func() error { _, err := s.Read(t, make([]byte, 1)); return err },
			"Next":      func() error { _, err := s.Next(t, 1); return err },
			"Peek":      func() error { _, err := s.Peek(t, 1); return err },
			"Discard":   func() error { _, err := s.Discard(t, 1); return err },
			"ReadFull":  func() error { _, err := s.ReadFull(t, make([]byte, 1)); return err },
			"ReadUntil": func() error { _, err := s.ReadUntil(t, []byte("f"), 10); return err },
			"ReadLine":  func() error { _, err := s.ReadLine(t, 10); return err },
		} {
			if err := read(); err != stream.ErrBusy { //nolint:errorlint // it is documented to be that
				return fmt.Errorf("%s while another task reads: %w, want ErrBusy", what, err)
			}
		}
		s.DataReceived(nil, []byte(" and half\n"))
		if line, err := task.Await(t, first); err != nil || line != "half and half" {
			return fmt.Errorf("the first has read %q, %w", line, err)
		}
		return nil
	})
}

// What a read has returned stays as it is until the next read, however long the task does something else, and whatever comes.
func TestBytesAreValidUntilTheNextRead(t *testing.T) {
	for name, read := range map[string]func(t *task.Task, s *stream.Stream) ([]byte, error){
		"Next":      func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.Next(t, 5) },
		"Peek":      func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.Peek(t, 5) },
		"ReadUntil": func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.ReadUntil(t, []byte("o"), 5) },
		"ReadLine":  func(t *task.Task, s *stream.Stream) ([]byte, error) { return s.ReadLine(t, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			run1(t, func(t *task.Task, s *stream.Stream) error {
				s.DataReceived(nil, []byte("##hello\nrest"))
				if _, err := s.Discard(t, 2); err != nil {
					return err
				}
				p, err := read(t, s)
				if err != nil {
					return err
				}
				want := []byte("##hello\nrest")[2+len(p):]
				if name == "Peek" {
					want = []byte("hello\nrest")
				}
				if name == "ReadLine" {
					want = []byte("rest")
				}
				for _, n := range []int{1, 4000, 4000, 4000, 60_000} { // room is made, and made again
					more := pattern(n)
					s.DataReceived(nil, more)
					want = append(want, more...)
					if err := task.Yield(t); err != nil {
						return err
					}
					if string(p) != "hello" {
						return fmt.Errorf("with %d bytes more it has become %s", len(want), rig.Short(p))
					}
				}
				got := make([]byte, len(want))
				if _, err := s.ReadFull(t, got); err != nil || !bytes.Equal(got, want) {
					return fmt.Errorf("the rest is not what came: %w", err)
				}
				return nil
			})
		})
	}
}

// A task that never has to wait, because there is always something to read and the peer reads all, can be cancelled too.
func TestCancelWithoutWaiting(t *testing.T) {
	run1(t, func(t *task.Task, s *stream.Stream) error {
		s.DataReceived(nil, []byte("line 1\nline 2\nline 3\n"))
		for what, read := range map[string]func(t *task.Task) error{
			"Read":      func(t *task.Task) error { _, err := s.Read(t, make([]byte, 1)); return err },
			"Next":      func(t *task.Task) error { _, err := s.Next(t, 1); return err },
			"Peek":      func(t *task.Task) error { _, err := s.Peek(t, 1); return err },
			"Discard":   func(t *task.Task) error { _, err := s.Discard(t, 1); return err },
			"ReadFull":  func(t *task.Task) error { _, err := s.ReadFull(t, make([]byte, 1)); return err },
			"ReadUntil": func(t *task.Task) error { _, err := s.ReadUntil(t, []byte("l"), 10); return err },
			"ReadLine":  func(t *task.Task) error { _, err := s.ReadLine(t, 10); return err },
			"Write":     func(t *task.Task) error { _, err := s.Write(t, []byte("x")); return err },
			"Flow":      s.Flow,
		} {
			err := task.Shielded(t, func(t *task.Task) error {
				t.Cancel(errTest)
				return read(t)
			})
			if err != errTest || s.Buffered() != 21 { //nolint:errorlint // the reason itself
				return fmt.Errorf("%s: %w, and %d bytes are left", what, err, s.Buffered())
			}
		}
		return nil
	})
}

// The bounds of ReadLine's limit, also where the peer sends no more and waits to be told.
func TestReadLineLimit(t *testing.T) {
	for _, test := range []struct {
		sent  string
		limit int
		want  string
		over  bool
	}{
		{"12345\n", 5, "12345", false},
		{"12345\r\n", 5, "12345", false},
		{"123456\n", 5, "", true},
		{"123456\r\n", 5, "", true},
		{"123456", 5, "", true}, // whatever comes now
		{"12345\rx", 5, "", true},
		{"1234\r\r\n", 5, "1234\r", false},
		{"\n", 0, "", false},
		{"\r\n", 0, "", false},
		{"x", 0, "", true},
		{"a\rb\n", 3, "a\rb", false},
		{"hello\n", math.MaxInt, "hello", false},
		{"hello\n", math.MaxInt - 1, "hello", false},
	} {
		run1(t, func(t *task.Task, s *stream.Stream) error {
			what := fmt.Sprintf("%q within %d", test.sent, test.limit)
			for i := range test.sent {
				s.Loop().Defer(func() { s.DataReceived(nil, []byte{test.sent[i]}) })
			}
			f := task.Spawn(t, func(t *task.Task) (string, error) {
				p, err := s.ReadLine(t, test.limit)
				return string(p), err
			})
			settle(t)
			if !f.Done() {
				return fmt.Errorf("%s: still reading", what)
			}
			got, err := task.Await(t, f)
			var over *stream.LimitError
			if errors.As(err, &over) != test.over || got != test.want || !test.over && err != nil {
				return fmt.Errorf("%s: %q, %w", what, got, err)
			}
			if over == nil {
				return nil
			}
			if over.Limit != test.limit || over.Looking != "end of line" {
				return fmt.Errorf("%s: the error is %w", what, over)
			}
			if p, err := s.Next(t, 100); err != nil || string(p) != test.sent { // nothing was taken
				return fmt.Errorf("%s: it has left %q, %w", what, p, err)
			}
			return nil
		})
	}
}
