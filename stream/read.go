package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/rondo-go/rondo/task"
)

// LimitError is the error of a read that found no end within its limit. Nothing was taken: what is there can still be
// read in another way.
type LimitError struct {
	Looking string // what was looked for
	Limit   int    // bytes within which it had to come
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("stream: no %s within %d bytes", e.Looking, e.Limit)
}

// Read reads what is there, up to len(p) bytes, or waits for something to come. It returns io.EOF at the end. An
// empty p returns at once.
func (s *Stream) Read(t *task.Task, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := s.enter(t); err != nil {
		return 0, err
	}
	if s.Buffered() > 0 {
		return s.readSome(p), nil
	}
	if s.ended != nil {
		return 0, s.ended
	}
	s.into, s.got = p, 0
	s.expect(t, 1)
	if err := t.Park((*reading)(s)); err != nil {
		s.forget(t)
		return 0, err
	}
	if s.got == 0 {
		return 0, s.ended
	}
	return s.got, nil
}

// enter is how every read begins. It ends the one before.
func (s *Stream) enter(t *task.Task) error {
	if s.busy() {
		return ErrBusy
	}
	s.settle()
	return t.Checkpoint()
}

// busy reports whether another task reads: it waits for more than is there, and what is there is its.
func (s *Stream) busy() bool { return s.reader != nil || s.splice != nil }

func (s *Stream) readSome(p []byte) int {
	n := copy(p, s.data[s.taken:])
	s.taken += n
	s.settle()
	return n
}

// expect notes that t will wait until n bytes are there.
func (s *Stream) expect(t *task.Task, n int) {
	s.reader, s.need = t, n
	if s.paused {
		s.resume()
	}
}

// forget undoes expect when the wait has come to nothing.
func (s *Stream) forget(t *task.Task) {
	if s.reader == t {
		s.reader, s.into, s.need = nil, nil, 0
	}
}

// reading is a stream that a task waits to read from.
type reading Stream

// Abandon implements task.Parking.
func (r *reading) Abandon(error) { r.reader, r.into, r.need = nil, nil, 0 }

// String implements task.Parking.
func (r *reading) String() string {
	return fmt.Sprintf("something to read from %v", r.conn.RemoteAddr())
}

// fill waits until n bytes are there. Fewer come with an error.
func (s *Stream) fill(t *task.Task, n int) error {
	for s.Buffered() < n {
		switch {
		case s.ended != nil:
			return s.ended
		case s.busy():
			return ErrBusy
		}
		s.expect(t, n)
		if err := t.Park((*reading)(s)); err != nil {
			s.forget(t)
			return err
		}
	}
	return nil
}

// Next waits for something to come and returns what is there, at most limit bytes; they are valid until the next read. It
// returns io.EOF at the end. Between two calls an idle stream holds no buffer, which with Read is the caller's. It panics
// unless limit is greater than zero.
func (s *Stream) Next(t *task.Task, limit int) ([]byte, error) {
	if limit <= 0 {
		panic("stream: Next needs a limit greater than zero")
	}
	if err := s.enter(t); err != nil {
		return nil, err
	}
	if err := s.fill(t, 1); err != nil {
		return nil, err
	}
	return s.take(min(limit, s.Buffered())), nil
}

// Peek waits until n bytes are there and returns them without taking them; they are valid until the next read.
// If the stream ends before, it returns those that there are, with io.EOF or the connection's error.
func (s *Stream) Peek(t *task.Task, n int) ([]byte, error) {
	if err := s.enter(t); err != nil {
		return nil, err
	}
	err := s.fill(t, n)
	s.lent = true
	n = min(n, s.Buffered())
	return s.data[s.taken : s.taken+n : s.taken+n], err
}

// look waits for something to come and returns what is there without taking it.
func (s *Stream) look(t *task.Task) ([]byte, error) {
	if err := s.enter(t); err != nil {
		return nil, err
	}
	if err := s.fill(t, 1); err != nil {
		return nil, err
	}
	s.lent = true
	return s.data[s.taken:len(s.data):len(s.data)], nil
}

// Discard waits for n bytes and drops them. It returns how many there were, and if the stream ends before n, io.EOF if that is
// at once and else io.ErrUnexpectedEOF.
func (s *Stream) Discard(t *task.Task, n int) (int, error) {
	done := 0
	for done < n {
		p, err := s.Next(t, n-done)
		if err != nil {
			return done, short(done, err)
		}
		done += len(p)
	}
	s.settle()
	return done, nil
}

// ReadFull reads exactly len(p) bytes. If the stream ends before, it returns how many there were and io.EOF if there were none,
// io.ErrUnexpectedEOF otherwise (as io.ReadFull does). When it is cancelled, what has been read is lost to the
// stream, and is in p.
func (s *Stream) ReadFull(t *task.Task, p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := s.Read(t, p[done:])
		done += n
		if err != nil {
			return done, short(done, err)
		}
	}
	return done, nil
}

// short is the error of a read that has got a part.
func short(got int, err error) error {
	if got > 0 && err == io.EOF { //nolint:errorlint // ours, never wrapped
		return io.ErrUnexpectedEOF
	}
	return err
}

// ReadUntil reads up to and including delimiter, of at most limit bytes together; they are valid until the next read. A
// delimiter that does not come within the limit is a [*LimitError]; an end of the stream before it is io.ErrUnexpectedEOF,
// or io.EOF if nothing came. In these cases, and when it is cancelled, nothing is taken. It panics if the delimiter is empty.
func (s *Stream) ReadUntil(t *task.Task, delimiter []byte, limit int) ([]byte, error) {
	if len(delimiter) == 0 {
		panic("stream: ReadUntil needs a delimiter")
	}
	return s.until(t, delimiter, limit, limit)
}

// until looks for the end of a message of at most total bytes. If that is more than limit, the message is a line, and only a "\r" may
// stand beyond limit.
func (s *Stream) until(t *task.Task, delimiter []byte, limit, total int) ([]byte, error) {
	if err := s.enter(t); err != nil {
		return nil, err
	}
	seen := 0 // what need not be looked at again
	for {
		p := s.data[s.taken:]
		if i := bytes.Index(p[seen:], delimiter); i >= 0 && seen+i+len(delimiter) <= total {
			return s.take(seen + i + len(delimiter)), nil
		} else if i >= 0 || len(p) >= total || len(p) > limit && p[limit] != '\r' {
			return nil, &LimitError{fmt.Sprintf("%q", delimiter), limit}
		}
		seen = max(0, len(p)-len(delimiter)+1)
		if err := s.fill(t, len(p)+1); err != nil {
			return nil, short(len(p), err)
		}
	}
}

// ReadLine reads a line of at most limit bytes, which do not count its end, "\n" or "\r\n". It returns the line without that;
// it is valid until the next read. The errors are those of ReadUntil: a last line without an end is io.ErrUnexpectedEOF, and
// can be had by Next.
func (s *Stream) ReadLine(t *task.Task, limit int) ([]byte, error) {
	limit = max(limit, 0)
	p, err := s.until(t, newline, limit, limit+min(len("\r\n"), math.MaxInt-limit))
	if err != nil {
		if l, ok := errors.AsType[*LimitError](err); ok {
			l.Looking = "end of line"
		}
		return nil, err
	}
	line := bytes.TrimSuffix(p[:len(p)-1], []byte("\r"))
	if len(line) > limit {
		s.taken -= len(p)
		return nil, &LimitError{"end of line", limit}
	}
	return line, nil
}

var newline = []byte("\n")

// Buffered is how many bytes can be read without waiting.
func (s *Stream) Buffered() int { return len(s.data) - s.taken }
