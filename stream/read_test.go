package stream_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

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
						return fmt.Errorf("with %d bytes more it has become %s", len(want), short(p))
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
