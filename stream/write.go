package stream

import (
	"fmt"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// maxWrite is how much a write gives to the connection before it looks whether that is too much; less where the connection's limits
// want it.
const maxWrite = 256 << 10

// limitWrites sees that a stream that keeps to the high water mark does not come upon the limit, which would end the connection.
func (s *Stream) limitWrites(c *rondo.Conn) {
	low, high, limit := c.WriteLimits()
	if limit-high < min(limit/2, maxWrite) {
		high = limit / 2
		low = min(low, high)
		c.SetWriteLimits(low, high, limit)
	}
	s.piece = max(1, min(maxWrite, limit-high))
}

// Write writes p, and waits while more is buffered than the high water mark allows (Config.WriteHigh,
// Conn.SetWriteLimits): it returns when p is on its way, not when it has arrived. Writes of one turn of the loop go
// out together. If it is cancelled, or the stream is closed or lost, it returns how much of p it has taken.
func (s *Stream) Write(t *task.Task, p []byte) (n int, err error) {
	if err := t.Checkpoint(); err != nil {
		return 0, err
	}
	if s.writers.Locked() || s.blocked || len(p) > s.piece {
		return s.writeSlowly(t, p)
	}
	switch n, err = s.put(p); {
	case err != nil:
	case s.blocked:
		err = s.flow(t)
	default:
		err = s.share(t, n)
	}
	return n, err
}

// share lets others have their turn after so much was written without a wait: a peer that is quicker than the task would leave
// the loop to the two of them.
func (s *Stream) share(t *task.Task, n int) error {
	if s.burst += n; s.burst < maxBurst {
		return nil
	}
	s.burst = 0
	return task.Yield(t)
}

// maxBurst is how much a task writes before others have their turn, in bytes.
const maxBurst = 1 << 20

// put hands p to the connection, which takes all of it or nothing.
func (s *Stream) put(p []byte) (int, error) {
	if s.lost != nil {
		return 0, s.lost
	}
	if s.closed {
		return 0, rondo.ErrClosed
	}
	n, err := s.conn.Write(p)
	if err != nil {
		s.lost = err // ConnectionLost will say the same, later
	}
	return n, err
}

// writeSlowly writes in pieces, in this task's turn.
func (s *Stream) writeSlowly(t *task.Task, p []byte) (n int, err error) {
	if err := s.writers.Lock(t); err != nil {
		return 0, err
	}
	defer s.writers.Unlock()
	if err := s.waitFlow(t); err != nil {
		return 0, err
	}
	for {
		k, err := s.put(p[n:min(len(p), n+s.piece)])
		n += k
		switch {
		case err != nil:
		case s.blocked:
			err = s.waitFlow(t)
		default:
			err = s.share(t, k)
		}
		if err != nil || n == len(p) {
			return n, err
		}
	}
}

// Flow waits until no more is buffered than the low water mark, if it was above the high one: what Write does
// behind its bytes.
func (s *Stream) Flow(t *task.Task) error {
	if err := t.Checkpoint(); err != nil {
		return err
	}
	return s.flow(t)
}

func (s *Stream) flow(t *task.Task) error {
	if !s.blocked {
		return s.lost
	}
	if err := s.writers.Lock(t); err != nil {
		return err
	}
	defer s.writers.Unlock()
	return s.waitFlow(t)
}

// waitFlow is called by the task whose turn it is.
func (s *Stream) waitFlow(t *task.Task) error {
	for s.blocked && s.lost == nil && !s.closed {
		s.writer = t
		if err := t.Park((*writing)(s)); err != nil {
			s.writer = nil
			return err
		}
	}
	if s.lost == nil && s.blocked {
		return rondo.ErrClosed
	}
	return s.lost
}

// writing is a stream that a task waits to write to.
type writing Stream

// Abandon implements task.Parking.
func (w *writing) Abandon(error) { w.writer = nil }

// String implements task.Parking.
func (w *writing) String() string {
	return fmt.Sprintf("%v to read what was written", w.conn.RemoteAddr())
}
