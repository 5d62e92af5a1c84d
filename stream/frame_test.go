package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

var framings = map[string]frame.Framing{
	"Lines":      frame.Lines(50),
	"LinesCRLF":  frame.LinesCRLF(50),
	"Delimited":  frame.Delimited("<>", 50),
	"Netstrings": frame.Netstrings(50),
	"Uint8":      frame.Uint8(50),
	"Uint16":     frame.Uint16(50),
	"Uint16LE":   frame.Uint16LE(50),
	"Uint32":     frame.Uint32(50),
	"Uint32LE":   frame.Uint32LE(50),
	"Varints":    frame.Varints(50),
}

// answers is a handler that sends each frame back, and comes to what it has heard and how that has ended.
func answers(f frame.Framing) (stream.Handler, func() any) {
	var heard []string
	var end error
	return func(t *task.Task, s *stream.Stream) error {
		for {
			var p []byte
			if p, end = s.ReadFrame(t, f); end != nil {
				return nil
			}
			heard = append(heard, string(p))
			if err := s.WriteFrame(t, f, p); err != nil {
				return err
			}
		}
	}, func() any { return fmt.Sprintf("%q, then %v", heard, end) }
}

// However the bytes are split, a task reads the same frames, and the same end: between frames, within one, or over the limit.
func TestReadFrame(t *testing.T) {
	for name, f := range framings {
		t.Run(name, func(t *testing.T) {
			var input []byte
			for _, p := range []string{"hello", "", "x", strings.Repeat("long", 10)} {
				var err error
				if input, err = f.Append(input, []byte(p)); err != nil {
					t.Fatal(err)
				}
			}
			tail, err := f.Append(nil, []byte("tail"))
			if err != nil {
				t.Fatal(err)
			}
			for _, end := range [][]byte{nil, tail[:len(tail)-1], wrong(f)} {
				sim.CheckStream(t, slices.Concat(input, end), func() (stream.Handler, func() any) { return answers(f) })
			}
		})
	}
}

// wrong is bytes of which the last makes certain that they are over the limit of f. (Bytes behind it would not be read, and the connection
// be closed or reset, whichever way they are split.)
func wrong(f frame.Framing) []byte {
	for n := range 60 {
		p := bytes.Repeat([]byte("9"), n)
		if _, _, err := f.Next(p, 0); err != nil {
			return p
		}
	}
	return nil
}

// What ReadFrame returns as an error, and that it takes nothing then.
func TestReadFrameErrors(t *testing.T) {
	for _, test := range []struct {
		name string
		f    frame.Framing
		in   string
		want string
	}{
		{"the end", frame.Netstrings(100), "", "EOF"},
		{"the end of a length", frame.Netstrings(100), "5", "unexpected EOF"},
		{"the end of a frame", frame.Netstrings(100), "5:hel", "unexpected EOF"},
		{"the end of a line", frame.Lines(100), "hel", "unexpected EOF"},
		{"10^30 bytes", frame.Netstrings(100), "1" + strings.Repeat("0", 30), "frame: a netstring is over the limit of 100 bytes"},
		{"no frame", frame.Netstrings(100), "hello", `frame: byte 0 of a netstring: "h" is no digit of its length`},
		{"a line that never ends", frame.Lines(100), strings.Repeat("x", 1000), "frame: a line is over the limit of 100 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run1(t, func(t *task.Task, s *stream.Stream) error {
				s.Loop().Defer(func() { deliver(s, []byte(test.in)) })
				if test.in == "" {
					s.Loop().Defer(func() { s.EOFReceived(nil) })
				}
				p, err := s.ReadFrame(t, test.f)
				if p != nil || err == nil || err.Error() != test.want {
					return fmt.Errorf("%q, %w", p, err)
				}
				if s.Buffered() != len(test.in) {
					return fmt.Errorf("%d bytes of %d are left", s.Buffered(), len(test.in))
				}
				return nil
			})
		})
	}
}

// A header of lines, a body of so many bytes, and frames again.
func TestReadFrameBetweenOtherReads(t *testing.T) {
	handle(t, func(c *net.TCPConn) {
		rig.Send(t, c, "length 5\r\n\r\nhe\nlo4:next,")
		rig.ExpectEnd(t, c, "4:next,")
	}, func(t *task.Task, s *stream.Stream) error {
		lines := frame.Lines(100)
		for {
			line, err := s.ReadFrame(t, lines)
			if err != nil {
				return err
			}
			if len(line) == 0 {
				break
			}
		}
		body := make([]byte, 5)
		if _, err := s.ReadFull(t, body); err != nil || string(body) != "he\nlo" {
			return fmt.Errorf("the body is %q, %w", body, err)
		}
		p, err := s.ReadFrame(t, frame.Netstrings(100))
		if err != nil {
			return err
		}
		return s.WriteFrame(t, frame.Netstrings(100), p)
	})
}

// A frame that cannot be read again is not written, nor is anything of it; and one larger than what is buffered at once arrives.
func TestWriteFrame(t *testing.T) {
	want := pattern(much)
	head := fmt.Sprintf("%d:", much)
	handle(t, func(c *net.TCPConn) { rig.ExpectEnd(t, c, "ok\n"+head+string(want)+",") },
		func(t *task.Task, s *stream.Stream) error {
			var wrong *frame.SyntaxError
			if err := s.WriteFrame(t, frame.Lines(100), []byte("two\nlines")); !errors.As(err, &wrong) {
				return fmt.Errorf("two lines: %w", err)
			}
			var over *frame.LimitError
			if err := s.WriteFrame(t, frame.Lines(5), []byte("longer")); !errors.As(err, &over) {
				return fmt.Errorf("a long line: %w", err)
			}
			if err := s.WriteFrame(t, frame.Lines(5), []byte("ok")); err != nil {
				return err
			}
			return s.WriteFrame(t, frame.Netstrings(much), want)
		})
}

// A frame stays as it is until the next read, whatever comes and is written meanwhile.
func TestFramesAreValidUntilTheNextRead(t *testing.T) {
	run1(t, func(t *task.Task, s *stream.Stream) error {
		f := frame.Netstrings(100)
		s.DataReceived(nil, []byte("5:hello,1"))
		p, err := s.ReadFrame(t, f)
		if err != nil {
			return err
		}
		for _, n := range []int{4000, 60_000} {
			s.DataReceived(nil, pattern(n))
			if err := s.WriteFrame(t, frame.Lines(10), []byte("overwrite")); err != nil && !strings.Contains(err.Error(), "bad file descriptor") {
				return err
			}
			if string(p) != "hello" {
				return fmt.Errorf("it has become %q", p)
			}
		}
		return nil
	})
}

// A frame that is longer than what is read ahead comes whole, and the stream holds no more than that.
func TestReadFrameOfAMegabyte(t *testing.T) {
	want := pattern(1 << 20)
	handle(t, func(c *net.TCPConn) {
		rig.Send(t, c, string(must(frame.Uint32(1<<20).Append(nil, want))))
		rig.ExpectEnd(t, c, "")
	}, func(t *task.Task, s *stream.Stream) error {
		p, err := s.ReadFrame(t, frame.Uint32(1<<20))
		if err == nil && !bytes.Equal(p, want) {
			err = errors.New("it is not what was sent")
		}
		return err
	})
}

func must(p []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return p
}

// Tasks that read frames cost no allocation.
func TestReadFrameDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("needs a build without the race detector, which allocates")
	}
	run1(t, func(t *task.Task, s *stream.Stream) error {
		f := frame.Lines(100)
		message := []byte("one\ntwo\nthree\n")
		var failed error
		n := allocations(func() {
			s.DataReceived(nil, message)
			for range 3 {
				if _, err := s.ReadFrame(t, f); err != nil {
					failed = err
				}
			}
		})
		if n != 0 || failed != nil {
			return fmt.Errorf("%v allocations, %w", n, failed)
		}
		return nil
	})
}

func allocations(fn func()) float64 {
	for range 100 {
		fn()
	}
	return testing.AllocsPerRun(1000, fn)
}

func ExampleStream_ReadFrame() {
	words := frame.Netstrings(1000)
	shout := func(t *task.Task, s *stream.Stream) error {
		for {
			word, err := s.ReadFrame(t, words)
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := s.WriteFrame(t, words, bytes.ToUpper(word)); err != nil {
				return err
			}
		}
	}
	ask(shout, "4:good,7:morning,")
	// Output: 4:GOOD,7:MORNING,
}

// The store of package framed's example: lines, with values between them that may hold any bytes.
func ExampleStream_ReadFrame_body() {
	lines := frame.Lines(100)
	store := func(t *task.Task, s *stream.Stream) error {
		var value []byte
		for {
			line, err := s.ReadFrame(t, lines)
			if err != nil {
				return err // io.EOF is the usual end
			}
			command, rest, _ := strings.Cut(string(line), " ")
			switch n, err := strconv.Atoi(rest); {
			case command == "set" && err == nil && n > 0 && n <= 1000:
				value = make([]byte, n)
				if _, err := s.ReadFull(t, value); err != nil {
					return err
				}
				if err := s.WriteFrame(t, lines, []byte("kept")); err != nil {
					return err
				}
			case command == "get":
				fmt.Fprintf(s.IO(t), "value %d\n%s\n", len(value), value)
			default:
				if err := s.WriteFrame(t, lines, []byte("what?")); err != nil {
					return err
				}
			}
		}
	}
	ask(store, "set 7\none\ntwoget\nset -1\n")
	// Output:
	// kept
	// value 7
	// one
	// two
	// what?
}
