package stream

import (
	"context"
	"io"
	"sync/atomic"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// Handler serves one connection, in a task of its own on the connection's loop. When it returns the stream is closed, after what
// was written is sent; if it panics, the connection is reset. Its error is reported to the engine's log, unless it is only
// that the peer has gone (io.EOF, or the connection's own error), that the stream was closed, or that the task was cancelled. That
// the stream has ended in the midst of a message (io.ErrUnexpectedEOF) is no mistake of the handler's either: it is reported at
// debug level.
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
func (s *Stream) serve() *rondo.Future[struct{}] {
	f := task.Start(s.loop, s.run)
	f.OnDone(func(_ struct{}, err error) {
		if s.handle != nil { // it was cancelled before it began, so run did not
			_ = s.Close()
		} else if err != nil {
			s.loop.Engine().Logger().Error("stream: a handler failed", "peer", s.RemoteAddr(), "error", err)
		}
	})
	return f
}

// run is the handler's task.
func (s *Stream) run(t *task.Task) (none struct{}, err error) {
	returned := false
	defer func() {
		if !returned {
			s.Abort()
		}
	}()
	h := s.handle
	s.handle = nil
	err = h(t, s)
	returned = true
	switch {
	case s.ordinary(t, err):
		err = nil
	case s.ended == io.EOF && rondo.IsOnly(err, io.ErrUnexpectedEOF): //nolint:errorlint // ours, never wrapped
		s.loop.Engine().Logger().Debug("stream: the peer has left in the midst of a message", "peer", s.RemoteAddr(), "error", err)
		err = nil
	}
	_ = s.Close()
	return none, err
}

// ordinary reports whether a handler may end with err without anybody being told: it says only that the peer has gone or that the task
// was cancelled.
func (s *Stream) ordinary(t *task.Task, err error) bool {
	return err == nil || rondo.IsOnly(err, io.EOF) || rondo.IsOnly(err, rondo.ErrClosed) || rondo.IsOnly(err, rondo.ErrAborted) ||
		s.lost != nil && rondo.IsOnly(err, s.lost) || t.Err() != nil && rondo.IsOnly(err, context.Cause(t))
}

// Serve serves ln, which [rondo.Engine.Bind] has made, with h, as [Handle] does, until the listener is closed, by whomever, or
// the task is cancelled. It closes the listener then; if it was cancelled it cancels the handlers too, with the same reason. It
// returns when all of them have ended, on whichever loops they run: nil, or the reason, or why ln could not be served.
func Serve(t *task.Task, ln *rondo.Listener, h Handler) error {
	if h == nil {
		panic("stream: Serve needs a handler")
	}
	v := &service{handle: h, closed: rondo.NewPromise[struct{}](t.Loop()), ended: rondo.NewPromise[struct{}](t.Loop())}
	v.running.Store(1) // the listener
	v.loops = make([]loopService, len(t.Engine().Loops()))
	if err := ln.Serve(v.accept); err != nil {
		return err
	}
	ln.OnClose(func() { v.closed.Resolve(struct{}{}) })
	_, reason := task.Await(t, v.closed.Future())
	if reason != nil {
		v.cancel(t, ln, reason)
	}
	v.release()
	_ = task.Shielded(t, func(t *task.Task) error {
		_, err := task.Await(t, v.ended.Future())
		return err
	})
	return reason
}

// service is one call of Serve.
type service struct {
	handle  Handler
	closed  *rondo.Promise[struct{}] // the listener is
	ended   *rondo.Promise[struct{}] // everything has
	running atomic.Int64             // handlers, and 1 for the listener; at 0 nobody new is served
	loops   []loopService            // by their index
}

// loopService is what there is of a service on one loop, to which it belongs.
type loopService struct {
	handlers map[*rondo.Future[struct{}]]struct{}
	reason   error // why they were cancelled
}

// accept is called on the connection's loop.
func (v *service) accept() rondo.Protocol { return &Stream{handle: v.handle, service: v} }

// enter counts one more handler. It reports false when the service has ended: a connection was on its way to another loop.
func (v *service) enter() bool {
	for {
		n := v.running.Load()
		if n == 0 {
			return false
		}
		if v.running.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// begin is called on the handler's loop, when it has begun.
func (v *service) begin(l *rondo.Loop, f *rondo.Future[struct{}]) {
	here := &v.loops[l.Index()]
	if here.handlers == nil {
		here.handlers = map[*rondo.Future[struct{}]]struct{}{}
	}
	here.handlers[f] = struct{}{}
	f.OnDone(func(struct{}, error) {
		delete(here.handlers, f)
		v.release()
	})
	if here.reason != nil {
		f.Cancel(here.reason)
	}
}

func (v *service) release() {
	if v.running.Add(-1) == 0 {
		v.ended.Resolve(struct{}{})
	}
}

// cancel is called when the task of Serve is cancelled.
func (v *service) cancel(t *task.Task, ln *rondo.Listener, reason error) {
	_ = ln.Close()
	for _, l := range t.Engine().Loops() {
		l.Post(func() {
			here := &v.loops[l.Index()]
			here.reason = reason
			for f := range here.handlers {
				f.Cancel(reason)
			}
		})
	}
}
