package stream

import (
	"github.com/rondo-go/rondo/frame"
	"github.com/rondo-go/rondo/task"
)

// ReadFrame reads the next frame of f and returns it without what is around it; it is valid until the next read. Framings may be mixed
// with each other and with all other reads: each begins where the one before has ended, so that a header of lines is followed by a body
// of ReadFull's.
//
// The errors of f (*frame.LimitError, *frame.SyntaxError) say that what has come is no frame of its; an end of the stream within a
// frame is io.ErrUnexpectedEOF, and between two io.EOF. In all these cases, and when it is cancelled, nothing is taken.
func (s *Stream) ReadFrame(t *task.Task, f frame.Framing) ([]byte, error) {
	if err := s.enter(t); err != nil {
		return nil, err
	}
	seen := 0
	for {
		p := s.data[s.taken:]
		found, n, err := f.Next(p, seen)
		switch {
		case err != nil:
			return nil, err
		case n <= len(p):
			s.take(n)
			return found, nil
		}
		seen = len(p)
		if err := s.fill(t, n); err != nil {
			return nil, short(s.Buffered(), err)
		}
	}
}

// WriteFrame writes p as a frame of f, and waits as [Stream.Write] does. If f refuses it (*frame.LimitError, *frame.SyntaxError), nothing is
// written. After any other error a part of the frame may have been: the stream cannot be written to any more, and is closed best.
func (s *Stream) WriteFrame(t *task.Task, f frame.Framing, p []byte) error {
	pool := buffers.On(t.Loop())
	whole, err := f.Append(pool.get(), p)
	if err == nil {
		_, err = s.Write(t, whole)
	}
	pool.put(whole)
	return err
}
