package rondo

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
)

// Future is a result that is not there yet. It belongs to a loop: only code on that loop may use it,
// but for Wait and Loop.
//
// A future is settled once, with a result or with an error. Functions that were given to OnDone are
// then called, tasks that await it go on, and the futures made of it ([Then], Catch, [All] and so on) follow. An
// error that nobody ever looks at is reported to the engine's log when the future is collected.
type Future[T any] struct {
	loop      *Loop
	value     T
	err       error
	waiters   waiterList
	canceller Canceller // told of Cancel; then a *cancelled, if Cancel was called
	report    *report   // what is to be said of an error that nobody looks at, if anything

	stage   atomic.Uint32 // how far the result has come: see isPending
	done    bool          // it is here
	ignored bool          // nobody needs to look at the error
}

// The stages of a future, for any goroutine.
const (
	isPending = iota
	isSettled // somebody has given the result, which may be on its way to the loop
	isPublic  // it is here, and Wait may read it
)

// claim is for who gives the result: it reports whether nobody has before.
func (f *Future[T]) claim() bool { return f.stage.CompareAndSwap(isPending, isSettled) }

// Loop returns the loop that the future belongs to. Any goroutine may call it.
func (f *Future[T]) Loop() *Loop { return f.loop }

// Done reports whether the result is there.
func (f *Future[T]) Done() bool {
	f.loop.mustOwn("Future.Done", "Future.Wait")
	return f.done
}

// Failed reports whether there is an error. Unlike Err it does not count as looking at it.
func (f *Future[T]) Failed() bool {
	f.loop.mustOwn("Future.Failed", "Future.Wait")
	return f.done && f.err != nil
}

// Result returns the result, or ErrPending before there is one.
func (f *Future[T]) Result() (T, error) {
	f.loop.mustOwn("Future.Result", "Future.Wait")
	if !f.done {
		var none T
		return none, ErrPending
	}
	f.report.see()
	return f.value, f.err
}

// Err returns the error alone: nil if there is a result, ErrPending before there is one.
func (f *Future[T]) Err() error {
	_, err := f.Result()
	return err
}

// complete is called on the loop, once.
func (f *Future[T]) complete() {
	f.done = true
	if f.err != nil {
		f.guardError()
	} else if f.report != nil && f.waiters.look() {
		f.report.see() // that of an error within the result: see AsCompleted
	}
	f.canceller = nil
	f.stage.Store(isPublic)
	f.waiters.notify()
}

// OnDone has fn called with the result, on the loop, never from within OnDone itself. Functions are
// called in the order in which they were given. If the loop ends first, which only blocking work that
// ignores the end of its context can outlive, they are not called.
func (f *Future[T]) OnDone(fn func(T, error)) {
	f.loop.mustOwn("Future.OnDone", "Future.Wait, or Loop.Post to get onto the loop")
	c := &callback[T]{future: f, fn: fn}
	c.waiter.Init(c)
	f.Watch(&c.waiter)
}

// callback is a function that OnDone was given.
type callback[T any] struct {
	waiter Waiter
	future *Future[T]
	fn     func(T, error)
}

// FutureDone implements Notified.
func (c *callback[T]) FutureDone() { c.future.loop.queue = append(c.future.loop.queue, c) }

func (c *callback[T]) run(*Loop) { c.fn(c.future.value, c.future.err) }

// Ignore says that nobody needs to look at the future's error: it is not reported.
func (f *Future[T]) Ignore() {
	f.loop.mustOwn("Future.Ignore", "Loop.Post to get onto the loop")
	f.ignored = true
	if f.done { // before, the report may be being written by who settles the future
		f.report.see()
	}
}

// Wait blocks until the result is there or ctx ends. Any goroutine may call it, but on the future's
// own loop it returns ErrOnLoop: there it would wait for itself. If the engine is closed before
// there is a result it returns ErrEngineClosed. When ctx ends and there is no result
// by then, it returns the context's cause; the future goes on.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	var none T
	if f.loop.onLoop() {
		return none, ErrOnLoop
	}
	w := &wait{engine: f.loop.engine, done: make(chan struct{})}
	w.waiter.Init(w)
	f.loop.add(runFunc(func() { f.Watch(&w.waiter) }))
	w.engine.world.Block(func() bool { return closed(w.done) || closed(ctx.Done()) || closed(f.loop.over) }, w, ctx, f.loop.over)
	select {
	case <-w.done:
	case <-ctx.Done():
		if !closed(w.done) { // or else select has chosen by chance
			f.loop.add(runFunc(func() { w.waiter.Stop() })) // a wait that is given up leaves nothing behind
		}
		if f.stage.Load() != isPublic {
			return none, context.Cause(ctx)
		}
		f.report.see()
	case <-f.loop.over:
		if !f.done { // nobody changes it any more
			return none, ErrEngineClosed
		}
		f.report.see()
	}
	return f.value, f.err
}

// wait is a call of Wait.
type wait struct {
	waiter Waiter
	engine *Engine
	done   chan struct{}
}

// FutureDone implements Notified.
func (w *wait) FutureDone() {
	close(w.done)
	w.engine.world.Wake(w)
}

// String says what the future waits for, if that is known, or how it has ended: for lists of what a program is
// waiting for. Only on the loop.
func (f *Future[T]) String() string {
	f.loop.mustOwn("Future.String", "Loop.Post to get onto the loop")
	switch {
	case f.done && f.err != nil:
		return "a future that has failed"
	case f.done:
		return "a future that is done"
	}
	if s := f.source(); s != "" {
		return s
	}
	return "a future of " + reflect.TypeFor[T]().String() // and not of the value's type: it may be on its way here
}

// source says what works on the result of a future that is pending; nothing if that is not known.
func (f *Future[T]) source() string {
	c := f.canceller
	if ended, ok := c.(*cancelled); ok {
		c = ended.told
	}
	if s, ok := c.(fmt.Stringer); ok {
		return s.String()
	}
	return ""
}
