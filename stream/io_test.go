package stream_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// IO does what the io package asks of a reader, however the bytes come.
func TestIOReader(t *testing.T) {
	want := pattern(5000)
	run1(t, func(t *task.Task, s *stream.Stream) error {
		s.Loop().Defer(func() { deliver(s, want[:1], want[1:3000], want[3000:]) })
		return iotest.TestReader(s.IO(t), want)
	})
}

// What is written for readers and writers works over a stream, in the task's own words.
func TestIOWithOthers(t *testing.T) {
	type message struct{ Text string }
	v := serve(t, func(t *task.Task, s *stream.Stream) error {
		x := s.IO(t)
		var n int
		if _, err := fmt.Fscanln(x, &n); err != nil || n != 17 {
			return fmt.Errorf("fmt: %d, %w", n, err)
		}
		r := bufio.NewReader(x)
		var m message
		if err := json.NewDecoder(io.LimitReader(r, 15)).Decode(&m); err != nil || m.Text != "hey" {
			return fmt.Errorf("json: %v, %w", m, err)
		}
		header, err := textproto.NewReader(r).ReadMIMEHeader()
		if err != nil || header.Get("key") != "value" {
			return fmt.Errorf("textproto: %v, %w", header, err)
		}
		w := bufio.NewWriter(x)
		if _, err := fmt.Fprintf(w, "%d\n", n+1); err != nil {
			return err
		}
		if err := json.NewEncoder(w).Encode(message{"you"}); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		if _, err := io.WriteString(x, "rest: "); err != nil {
			return err
		}
		if _, err := x.ReadFrom(iotest.OneByteReader(strings.NewReader("a b "))); err != nil {
			return err
		}
		if _, err := io.Copy(x, r); err != nil { // by way of bufio
			return err
		}
		if n, err := io.Copy(x, x); n != 0 || err != nil { // it is at its end
			return fmt.Errorf("io.Copy: %d, %w", n, err)
		}
		return x.Close()
	})
	rig.Send(t, v.peer, "17\n{\"Text\":\"hey\"}\nKey: value\r\n\r\nto the end")
	if err := v.peer.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	rig.ExpectEnd(t, v.peer, "18\n{\"Text\":\"you\"}\nrest: a b to the end")
	v.check(t)
}

// Errors of either side end a copy, with the right count.
func TestIOErrors(t *testing.T) {
	run1(t, func(t *task.Task, s *stream.Stream) error {
		s.DataReceived(nil, []byte("hello"))
		x := s.IO(t)
		if c, err := x.ReadByte(); c != 'h' || err != nil {
			return fmt.Errorf("%c, %w", c, err)
		}
		if n, err := x.WriteTo(shortWriter{}); n != 1 || !errors.Is(err, io.ErrShortWrite) {
			return fmt.Errorf("to a writer that takes less: %d, %w", n, err)
		}
		if n, err := x.ReadFrom(iotest.ErrReader(errTest)); n != 0 || !errors.Is(err, errTest) {
			return fmt.Errorf("ReadFrom: %d, %w", n, err)
		}
		s.EOFReceived(nil)
		if _, err := x.ReadByte(); err != io.EOF { //nolint:errorlint // documented to be bare
			return fmt.Errorf("ReadByte: %w", err)
		}
		return nil
	})
}

type shortWriter struct{}

func (shortWriter) Write([]byte) (int, error) { return 1, nil }

// io.Copy between two streams is Copy.
func TestIOCopy(t *testing.T) {
	want := strings.Repeat("x", 1<<20)
	addr := backend(t, func(c *net.TCPConn) { _, _ = io.WriteString(c, want) })
	handle(t, func(peer *net.TCPConn) { rig.ExpectEnd(t, peer, want) }, func(t *task.Task, s *stream.Stream) error {
		from, err := stream.Dial(t, "tcp", addr)
		if err != nil {
			return err
		}
		defer from.Close()
		if n, err := io.Copy(s.IO(t), from.IO(t)); n != int64(len(want)) || err != nil {
			return fmt.Errorf("%d, %w", n, err)
		}
		return nil
	})
}
