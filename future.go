package rondo

import (
	"context"
	"slices"
	"sync/atomic"
)

// Future is a result that is not there yet. It belongs to a loop: only code on that loop may use it,
// but for Wait.
type Future[T any] struct {
	loop    *Loop
	done    bool
	queued  bool // in the loop's queue, to call waiters
	value   T
	err     error
	waiters []func(T, error)
	waits   []chan struct{} // calls of Wait; closed when done
}

// Promise is the other end of a [Future]: who has it can give the result. Any goroutine may use it.
type Promise[T any] struct {
	future  Future[T]
	settled atomic.Bool
	value   T
	err     error
}

// NewPromise makes a promise whose future belongs to l. Any goroutine may call it.
func NewPromise[T any](l *Loop) *Promise[T] {
	return &Promise[T]{future: Future[T]{loop: l}}
}

// Future returns the promise's future.
func (p *Promise[T]) Future() *Future[T] { return &p.future }

// Resolve gives the result. The first Resolve or Reject counts: it reports whether it was that.
func (p *Promise[T]) Resolve(v T) bool { return p.settle(v, nil) }

// Reject gives an error in place of a result. The first Resolve or Reject counts: it reports whether
// it was that. It panics if err is nil.
func (p *Promise[T]) Reject(err error) bool {
	if err == nil {
		panic("rondo: Promise.Reject needs an error")
	}
	var none T
	return p.settle(none, err)
}

func (p *Promise[T]) settle(v T, err error) bool {
	if p.settled.Swap(true) {
		return false
	}
	p.value, p.err = v, err
	p.future.loop.add(p) // a loop that has ended has nobody left to tell; Wait sees that it has
	return true
}

// run carries the result onto the loop.
func (p *Promise[T]) run(l *Loop) {
	p.future.complete(p.value, p.err)
	p.future.run(l)
}

// complete is called on the loop.
func (f *Future[T]) complete(v T, err error) {
	f.value, f.err, f.done = v, err, true
	for _, w := range f.waits {
		close(w)
	}
	f.waits = nil
	f.wake()
}

func (f *Future[T]) wake() {
	if len(f.waiters) > 0 && !f.queued {
		f.queued = true
		f.loop.queue = append(f.loop.queue, f)
	}
}

// run calls the waiters. Those behind one that panics get their turn later, as do those that are
// added meanwhile.
func (f *Future[T]) run(*Loop) {
	f.queued = false
	if !f.done {
		return
	}
	defer f.wake()
	for range len(f.waiters) {
		fn := f.waiters[0]
		f.waiters[0] = nil
		f.waiters = f.waiters[1:]
		fn(f.value, f.err)
	}
}

// Loop returns the loop that the future belongs to. Any goroutine may call it.
func (f *Future[T]) Loop() *Loop { return f.loop }

// Done reports whether the result is there.
func (f *Future[T]) Done() bool {
	f.loop.mustOwn("Future.Done", "Future.Wait")
	return f.done
}

// Result returns the result, or ErrPending before there is one.
func (f *Future[T]) Result() (T, error) {
	f.loop.mustOwn("Future.Result", "Future.Wait")
	if !f.done {
		return f.value, ErrPending
	}
	return f.value, f.err
}

// OnDone has fn called with the result, on the loop, never from within OnDone itself. Functions are
// called in the order in which they were given. If the loop ends first, which only blocking work that
// ignores the end of its context can outlive, they are not called.
func (f *Future[T]) OnDone(fn func(T, error)) {
	f.loop.mustOwn("Future.OnDone", "Future.Wait, or Loop.Post to get onto the loop")
	f.waiters = append(f.waiters, fn)
	if f.done {
		f.wake()
	}
}

// Wait blocks until the result is there or ctx ends. Any goroutine may call it, but on the future's
// own loop it returns ErrOnLoop: there it would wait for itself. If the engine is closed before
// there is a result it returns ErrEngineClosed. When ctx ends, it returns the context's cause.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	var none T
	if f.loop.onLoop() {
		return none, ErrOnLoop
	}
	done := make(chan struct{})
	f.loop.add(runFunc(func() {
		if f.done {
			close(done)
		} else {
			f.waits = append(f.waits, done)
		}
	}))
	select {
	case <-done:
	case <-ctx.Done():
		f.loop.add(runFunc(func() { // a wait that is given up leaves nothing behind
			f.waits = slices.DeleteFunc(f.waits, func(w chan struct{}) bool { return w == done })
		}))
		return none, context.Cause(ctx)
	case <-f.loop.over:
		if !f.done { // nobody changes it any more
			return none, ErrEngineClosed
		}
	}
	return f.value, f.err
}
