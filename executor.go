package rondo

import (
	"context"
	"sync"

	"github.com/rondo-go/rondo/internal/world"
)

// executor runs blocking functions on goroutines of their own, a bounded number at a time.
type executor struct {
	limit int // of goroutines

	mu      sync.Mutex
	workers int
	queue   []func(context.Context)
}

// lookupLimit is how many names are looked up at a time. Lookups do not share the goroutines of Run: blocking
// work that dials by name would wait for itself.
const lookupLimit = 64

// Run runs fn, which may block, on a goroutine of its own, while the loops go on. At most
// Config.MaxBlocking run at a time; up to Config.MaxQueued more wait, and beyond that Run returns
// ErrExecutorFull. The context ends when Shutdown no longer waits for the work, and after that Run
// returns ErrEngineClosed. A panic is reported to the log. It returns at once and may be called on
// a loop. It panics if fn is nil.
//
// The function [Run] is the same with a [Future] for the result.
func (e *Engine) Run(fn func(ctx context.Context)) error {
	if fn == nil {
		panic("rondo: Run needs a function")
	}
	return e.submit(&e.executor, fn)
}

func (e *Engine) submit(x *executor, fn func(ctx context.Context)) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case e.state.Load() == stopping:
		return ErrEngineClosed
	case x.workers < x.limit:
		x.workers++
		e.open.Add(1) // before it can end
		e.world.Go(world.Work, func() { e.work(x, fn) })
	case len(x.queue) >= e.config.MaxQueued:
		return ErrExecutorFull
	default:
		e.open.Add(1)
		x.queue = append(x.queue, fn)
	}
	return nil
}

// work runs fn and then what waits.
func (e *Engine) work(x *executor, fn func(context.Context)) {
	defer func() { // runtime.Goexit ends this goroutine and must not keep the others waiting
		if fn == nil {
			return
		}
		if fn = x.next(); fn != nil {
			e.world.Go(world.Work, func() { e.work(x, fn) })
		}
	}()
	for fn != nil {
		e.perform(fn)
		fn = x.next()
	}
}

// next takes what waits; nil means that the worker is done.
func (x *executor) next() func(context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		x.workers--
		return nil
	}
	fn := x.queue[0]
	x.queue[0] = nil
	x.queue = x.queue[1:]
	return fn
}

func (e *Engine) perform(fn func(context.Context)) {
	e.helpers.Add(1)
	defer func() {
		if v := recover(); v != nil {
			e.report("rondo: panic in blocking work", &PanicError{Value: v, Stack: stack()})
		}
		e.helpers.Add(-1)
		e.release()
	}()
	fn(e.ctx)
}

// Run runs fn, which may block, on a goroutine of its own, and gives the result to a Future on loop
// l. Any goroutine may call it. What [Engine.Run] says holds, but that its errors, and a panic as
// a [*PanicError], are the Future's. When the Future is cancelled it fails at once, and fn's context ends; what fn still comes to
// is dropped. (Methods cannot have type parameters; hence two functions.)
func Run[T any](l *Loop, fn func(ctx context.Context) (T, error)) *Future[T] {
	p := NewPromise[T](l)
	b := &blocking[T]{promise: p}
	p.SetCanceller(b)
	err := l.engine.Run(func(ctx context.Context) {
		ctx, stop := b.begin(ctx)
		if stop == nil {
			return
		}
		defer stop(nil)
		defer func() {
			if v := recover(); v != nil {
				p.Reject(&PanicError{Value: v, Stack: stack()})
			}
			p.Reject(errGoexit) // unless it has returned or panicked
		}()
		v, err := fn(ctx)
		if err != nil {
			p.Reject(err)
		} else {
			p.Resolve(v)
		}
	})
	if err != nil {
		p.Reject(err)
	}
	return p.Future()
}

// blocking is one function given to Run.
type blocking[T any] struct {
	promise *Promise[T]
	mu      sync.Mutex
	stop    context.CancelCauseFunc // once it has begun
	reason  error                   // once it was cancelled
}

// begin makes the function's context; stop is nil if nobody wants the result any more.
func (b *blocking[T]) begin(parent context.Context) (ctx context.Context, stop context.CancelCauseFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reason == nil {
		ctx, b.stop = context.WithCancelCause(parent)
	}
	return ctx, b.stop
}

// CancelFuture implements Canceller.
func (b *blocking[T]) CancelFuture(reason error) {
	b.promise.RejectOnLoop(reason) // first, or the function that is stopped might be quicker with a result
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reason = reason
	if b.stop != nil {
		b.stop(reason)
	}
}

// String implements fmt.Stringer.
func (b *blocking[T]) String() string { return "blocking work" }
