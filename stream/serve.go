package stream

import (
	"errors"
	"io"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Handler serves one connection, in a task of its own on the connection's loop. When it returns the stream is closed, after what
// was written is sent; if it panics, the connection is reset. Its error is reported to the engine's log, unless it is only
// that the peer has gone (io.EOF, or the connection's own error), or that the task was cancelled.
type Handler func(t *task.Task, s *Stream) error

// Handle makes what [rondo.Engine.Listen] and [rondo.ListenConfig] take of a handler: for each connection a stream and a
// task. While the engine shuts down, streams end after what has arrived (see [Stream.Draining]) and handlers have until its
// context ends.
func Handle(h Handler) func() rondo.Protocol {
	if h == nil {
		panic("stream: Handle needs a handler")
	}
	return func() rondo.Protocol { return &Stream{handle: h} }
}

// serve starts the handler's task.
func (s *Stream) serve() {
	task.Start(s.loop, s.run).OnDone(func(_ struct{}, err error) {
		if err != nil {
			s.loop.Engine().Logger().Error("stream: a handler failed", "peer", s.RemoteAddr(), "error", err)
		}
	})
}

// run is the handler's task.
func (s *Stream) run(t *task.Task) (none struct{}, err error) {
	returned := false
	defer func() {
		if !returned {
			s.Abort()
		}
	}()
	err = s.handle(t, s)
	returned = true
	if s.ordinary(t, err) {
		err = nil
	}
	_ = s.Close()
	return none, err
}

// ordinary reports whether a handler may end with err without anybody being told.
func (s *Stream) ordinary(t *task.Task, err error) bool {
	return err == nil || errors.Is(err, io.EOF) || errors.Is(err, rondo.ErrClosed) ||
		s.lost != nil && errors.Is(err, s.lost) || t.Err() != nil
}
