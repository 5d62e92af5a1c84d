package stream

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// SendFile sends n bytes of f, beginning with the one at offset; with n below 0 all to the end. It waits until all of it is sent, behind what was written before, and returns how many bytes that were. Other tasks' writes wait in turn. See
// [rondo.Conn.SendFile] for how a file is read (on Linux by sendfile(2)) and for what becomes of the connection when f is too short or cannot be read. If the task is cancelled no more is sent, and what it has sent stays sent.
//
// A stream over a file that cannot be polled returns an error of errors.ErrUnsupported: copy it.
func (s *Stream) SendFile(t *task.Task, f fs.File, offset, n int64) (int64, error) {
	if err := s.writers.Lock(t); err != nil {
		return 0, err
	}
	defer s.writers.Unlock()
	if err := s.waitFlow(t); err != nil {
		return 0, err
	}
	if s.closed {
		return 0, rondo.ErrClosed
	}
	c := s.Conn()
	if c == nil {
		return 0, fmt.Errorf("stream: fileSending a file to %v, which is one itself: %w", s.RemoteAddr(), errors.ErrUnsupported)
	}
	x := &fileSending{task: t, stream: s}
	var err error
	if x.transfer, err = c.SendFile(f, offset, n, x.done); err != nil {
		return 0, err
	}
	if err := t.Park(x); err != nil { // cancelled, perhaps before it began to wait
		x.gone = true
		x.transfer.Stop()
		return x.transfer.Sent(), err
	}
	return x.n, x.err
}

// fileSending is a task that waits for a file to be sent.
type fileSending struct {
	task     *task.Task
	stream   *Stream
	transfer *rondo.FileTransfer
	gone     bool
	n        int64
	err      error
}

// done is called by the loop, once.
func (x *fileSending) done(n int64, err error) {
	if x.gone {
		return
	}
	x.n, x.err = n, err
	x.task.Unpark()
}

// Abandon implements task.Parking.
func (x *fileSending) Abandon(error) { x.gone = true }

// String implements task.Parking.
func (x *fileSending) String() string {
	return fmt.Sprintf("a file to be sent to %v", x.stream.RemoteAddr())
}
