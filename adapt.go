package rondo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// TimeoutError is the error of something that took longer than it was given. It is a
// context.DeadlineExceeded and an os.ErrDeadlineExceeded for errors.Is, and it has a net.Error's Timeout.
type TimeoutError struct{ After time.Duration }

func (e *TimeoutError) Error() string { return fmt.Sprintf("rondo: not done after %v", e.After) }

// Timeout is true.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary is true, as it is for context.DeadlineExceeded.
func (e *TimeoutError) Temporary() bool { return true }

// Is makes it the deadline errors of the standard library.
func (e *TimeoutError) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded //nolint:errorlint // that is what Is is for
}

// Timeout is the future of what f comes to within d. If it takes longer, it fails with a [*TimeoutError] and f is
// cancelled with the same, unless somebody else waits for it. Only on the loop.
func (f *Future[T]) Timeout(d time.Duration) *Future[T] {
	r := newRelay(f)
	timer := f.loop.After(d, func() { r.CancelFuture(&TimeoutError{d}) })
	r.release = func() { timer.Stop() }
	r.watch()
	return r.to.Future()
}

// Within is the future of what f comes to before ctx ends. If that is first, it fails with the context's cause and f is
// cancelled with the same, unless somebody else waits for it. Only on the loop.
func (f *Future[T]) Within(ctx context.Context) *Future[T] {
	r := newRelay(f)
	if ctx.Err() != nil {
		r.watch()
		r.CancelFuture(context.Cause(ctx))
		return r.to.Future()
	}
	stop := context.AfterFunc(ctx, func() {
		f.loop.Post(func() { r.CancelFuture(context.Cause(ctx)) })
	})
	r.release = func() { stop() }
	r.watch()
	return r.to.Future()
}

// Shield is the future of what f comes to, but cancelling it does nothing to f. Only on the loop.
func (f *Future[T]) Shield() *Future[T] {
	r := newRelay(f)
	r.shield = true
	r.watch()
	return r.to.Future()
}

// relay passes on what a future comes to, or what comes before.
type relay[T any] struct {
	waiter  Waiter
	from    *Future[T]
	shield  bool   // from is not cancelled
	release func() // called when it is over; may be nil
	to      Promise[T]
}

func newRelay[T any](f *Future[T]) *relay[T] {
	r := &relay[T]{from: f}
	r.waiter.Init(r)
	r.to.Init(f.loop)
	r.to.SetCanceller(r)
	return r
}

func (r *relay[T]) watch() { r.from.Watch(&r.waiter) }

// FutureDone implements Notified.
func (r *relay[T]) FutureDone() { r.settle(r.from.value, r.from.err) }

// CancelFuture implements Canceller.
func (r *relay[T]) CancelFuture(reason error) {
	if r.to.future.done {
		return
	}
	if r.shield {
		r.waiter.Stop()
	} else {
		r.waiter.Abandon(reason)
	}
	var none T
	r.settle(none, reason)
}

func (r *relay[T]) settle(v T, err error) {
	if r.release != nil {
		r.release()
	}
	r.to.settleOnLoop(v, err)
}

// String implements fmt.Stringer.
func (r *relay[T]) String() string { return r.from.String() }

// Transfer is f for code that runs on loop l: a future that belongs to l and comes to the same. If f is l's own, it is f.
// Cancelling it is told to f's loop, where f is cancelled unless somebody else waits for it. Any goroutine may call it.
func Transfer[T any](f *Future[T], l *Loop) *Future[T] {
	if f.loop == l {
		return f
	}
	x := &transfer[T]{from: f}
	x.waiter.Init(x)
	x.to.Init(l)
	x.to.SetCanceller(x)
	if !f.loop.Post(func() { f.Watch(&x.waiter) }) {
		x.to.Reject(ErrEngineClosed)
	}
	return x.to.Future()
}

type transfer[T any] struct {
	waiter Waiter // on from's loop
	from   *Future[T]
	to     Promise[T]
}

// FutureDone implements Notified.
func (x *transfer[T]) FutureDone() { x.to.settle(x.from.value, x.from.err) }

// CancelFuture implements Canceller.
func (x *transfer[T]) CancelFuture(reason error) {
	x.from.loop.Post(func() { x.waiter.Abandon(reason) })
	x.to.RejectOnLoop(reason)
}

// String implements fmt.Stringer.
func (x *transfer[T]) String() string {
	return fmt.Sprintf("a future of loop %d", x.from.loop.index)
}

// Chan is a channel on which what f comes to is sent once, for goroutines that select. It has room for it, so nobody
// need receive. Only on the loop; receiving is for any goroutine.
func (f *Future[T]) Chan() <-chan Outcome[T] {
	ch := make(chan Outcome[T], 1)
	f.OnDone(func(v T, err error) { ch <- Outcome[T]{Value: v, Err: err} })
	return ch
}

// ErrChanClosed is the error of a future of [FromChan] whose channel was closed.
var ErrChanClosed = errors.New("rondo: the channel was closed before a value came")

// FromChan is the future of the next value that is sent on ch, or fails with [ErrChanClosed]. A goroutine waits for
// it, until the future is cancelled or the engine closes. Any goroutine may call it.
func FromChan[T any](l *Loop, ch <-chan T) *Future[T] {
	p := NewPromise[T](l)
	given := make(chan struct{})
	p.OnCancel(func(reason error) {
		close(given)
		p.RejectOnLoop(reason)
	})
	go func() {
		select {
		case v, ok := <-ch:
			if ok {
				p.Resolve(v)
			} else {
				p.Reject(ErrChanClosed)
			}
		case <-given:
		case <-l.engine.ctx.Done():
			p.Reject(ErrEngineClosed)
		}
	}()
	return p.Future()
}

// FromContext is the future of ctx's end; its result is the context's cause. Cancelling it leaves ctx alone. Any goroutine may
// call it.
func FromContext(l *Loop, ctx context.Context) *Future[error] { //nolint:revive // the loop comes first everywhere
	p := NewPromise[error](l)
	stop := context.AfterFunc(ctx, func() { p.Resolve(context.Cause(ctx)) })
	p.OnCancel(func(reason error) {
		stop()
		p.RejectOnLoop(reason)
	})
	return p.Future()
}

// Context is a context that ends when f is done, with f's error as its cause, context.Canceled if there is none; or
// when parent ends, or cancel is called, which should be done in any case. Only on the loop; the context is for any goroutine.
func (f *Future[T]) Context(parent context.Context) (ctx context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancelCause(parent)
	f.OnDone(func(_ T, err error) { end(err) })
	return ctx, func() { end(nil) }
}
