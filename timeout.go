package rondo

import (
	"context"
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

// Timeout is the future of what f comes to within d, which the loop's timers count ([Loop.After]). If it takes longer, it fails with a [*TimeoutError] and f is
// cancelled with the same, unless somebody else waits for it. Only on the loop.
func (f *Future[T]) Timeout(d time.Duration) *Future[T] {
	f.loop.mustOwn("Future.Timeout", "Loop.Post to get onto the loop")
	r := newRelay(f)
	timer := f.loop.After(d, func() { r.CancelFuture(&TimeoutError{d}) })
	r.release = func() { timer.Stop() }
	r.watch()
	return r.to.Future()
}

// Within is the future of what f comes to before ctx ends. If that is first, it fails with the context's cause and f is
// cancelled with the same, unless somebody else waits for it. Only on the loop.
func (f *Future[T]) Within(ctx context.Context) *Future[T] {
	f.loop.mustOwn("Future.Within", "Loop.Post to get onto the loop")
	r := newRelay(f)
	if ctx.Err() != nil {
		r.watch()
		r.CancelFuture(context.Cause(ctx))
		return r.to.Future()
	}
	r.release = f.loop.afterContext(ctx, func() {
		f.loop.Post(func() { r.CancelFuture(context.Cause(ctx)) })
	})
	r.watch()
	return r.to.Future()
}

// afterContext has fn called, on a goroutine of its own, when ctx ends, unless stop is called or the engine closes before.
// Then nothing is left with ctx, which may last for ever.
func (l *Loop) afterContext(ctx context.Context, fn func()) (stop func()) {
	off := l.engine.world.AfterFunc(ctx, fn)
	offEngine := l.engine.world.AfterFunc(l.engine.ctx, func() { off() })
	return func() { off(); offEngine() }
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
func (r *relay[T]) FutureDone() { r.settle(r.from.value, r.from.err, r.from.origin()) }

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
	r.settle(none, reason, nil)
}

func (r *relay[T]) settle(v T, err error, at *trace) {
	if r.release != nil {
		r.release()
	}
	r.from, r.release = nil, nil
	r.to.settleOnLoop(v, err, at)
}

// String implements fmt.Stringer.
func (r *relay[T]) String() string {
	if r.from == nil {
		return "" // it is over
	}
	return r.from.String()
}
