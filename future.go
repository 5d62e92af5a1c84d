package rondo

import (
	"context"
	"fmt"
	"runtime"
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

	settled atomic.Bool // somebody has given the result, which may be on its way to the loop
	done    bool        // and it is here
	ignored bool        // nobody needs to look at the error
}

// Promise is the other end of a [Future]: who has it can give the result. Any goroutine may use it, but for
// the methods that say otherwise.
type Promise[T any] struct{ future Future[T] }

// A Canceller is told when nobody wants the result of its promise any more.
type Canceller interface {
	// CancelFuture is called on the loop, at most once and never after the promise was settled. It should see to it
	// that the promise is settled soon: until then the future is pending.
	CancelFuture(reason error)
}

type cancelFunc func(reason error)

// cancelled is in the place of the canceller of a future that was cancelled.
type cancelled struct {
	reason error
	told   Canceller // nil if there was none
}

// CancelFuture implements Canceller.
func (*cancelled) CancelFuture(error) {}

func (f cancelFunc) CancelFuture(reason error) { f(reason) }

// NewPromise makes a promise whose future belongs to l. Any goroutine may call it.
func NewPromise[T any](l *Loop) *Promise[T] {
	p := new(Promise[T])
	p.Init(l)
	return p
}

// Init makes p, which must be new, a promise whose future belongs to l: for a promise that is kept within
// another struct and so costs no allocation of its own. Others call [NewPromise].
func (p *Promise[T]) Init(l *Loop) {
	p.future.loop = l
	if l.debug.on {
		p.future.report = &report{made: newTrace(1)}
	}
}

// Resolved is a future that has the result v already. Any goroutine may call it.
func Resolved[T any](l *Loop, v T) *Future[T] {
	p := NewPromise[T](l)
	f := p.Future()
	f.settled.Store(true)
	f.value, f.done = v, true
	return f
}

// Rejected is a future that has failed already. Any goroutine may call it. It panics if err is nil.
func Rejected[T any](l *Loop, err error) *Future[T] {
	f := NewPromise[T](l).Future()
	f.settled.Store(true)
	f.err, f.done = mustErr(err), true
	f.guardError()
	return f
}

func mustErr(err error) error {
	if err == nil {
		panic("rondo: rejecting a promise needs an error")
	}
	return err
}

// Future returns the promise's future.
func (p *Promise[T]) Future() *Future[T] { return &p.future }

// OnCancel has fn called, on the loop, when [Future.Cancel] finds the promise pending: nobody wants the result any
// more. The promise stays pending until it is settled, so fn should see to that; without OnCancel the
// promise is rejected with the reason. Only before the future is given away, or on the loop.
func (p *Promise[T]) OnCancel(fn func(reason error)) { p.future.canceller = cancelFunc(fn) }

// SetCanceller is OnCancel for a struct that would not have a function made for it. A Canceller that is a
// [fmt.Stringer] says what the future is waiting for, too, when it is listed.
func (p *Promise[T]) SetCanceller(c Canceller) { p.future.canceller = c }

// Resolve gives the result. The first Resolve or Reject counts: it reports whether it was that.
func (p *Promise[T]) Resolve(v T) bool { return p.settle(v, nil) }

// Reject gives an error in place of a result. The first Resolve or Reject counts: it reports whether
// it was that. It panics if err is nil.
func (p *Promise[T]) Reject(err error) bool {
	var none T
	return p.settle(none, mustErr(err))
}

func (p *Promise[T]) settle(v T, err error) bool {
	f := &p.future
	if f.settled.Swap(true) {
		return false
	}
	f.value, f.err = v, err
	if err != nil {
		f.place(1) // here, where it happens: the loop could not tell
	}
	f.loop.add(p) // a loop that has ended has nobody left to tell; Wait sees that it has
	return true
}

// ResolveOnLoop is Resolve for code that runs on the loop: it takes effect at once, without the way through the loop's
// inbox. Functions given to OnDone are still called later.
func (p *Promise[T]) ResolveOnLoop(v T) bool {
	p.future.loop.mustOwn("Promise.ResolveOnLoop", "Promise.Resolve")
	return p.settleOnLoop(v, nil)
}

// RejectOnLoop is Reject likewise.
func (p *Promise[T]) RejectOnLoop(err error) bool {
	p.future.loop.mustOwn("Promise.RejectOnLoop", "Promise.Reject")
	var none T
	return p.settleOnLoop(none, mustErr(err))
}

func (p *Promise[T]) settleOnLoop(v T, err error) bool {
	f := &p.future
	if f.settled.Swap(true) {
		return false
	}
	f.value, f.err = v, err
	f.complete()
	return true
}

// run carries the result onto the loop.
func (p *Promise[T]) run(l *Loop) {
	before := len(l.queue)
	p.future.complete()
	l.todo += len(l.queue) - before // who waits for what was posted need not wait for another turn
}

// complete is called on the loop, once.
func (f *Future[T]) complete() {
	f.done = true
	if f.err != nil {
		f.guardError()
	}
	f.canceller = nil
	f.waiters.notify()
}

// guardError sees to it that an error at which nobody looks does not get lost. Who has cancelled the
// future knows why it has failed, unless that is for another reason; and so does who has closed the engine.
func (f *Future[T]) guardError() {
	c, ok := f.canceller.(*cancelled)
	if f.waited() || f.ignored || ok && IsOnly(f.err, c.reason) ||
		f.loop.engine.state.Load() == stopping && IsOnly(f.err, ErrEngineClosed) {
		f.report = nil
		return
	}
	if f.report == nil || f.report.failed == nil {
		f.place(2)
	}
	r := f.report
	r.engine, r.err, r.of = f.loop.engine, f.err, f.source()
	runtime.AddCleanup(f, (*report).tell, r)
}

// place notes where an error was given, skipping so many callers.
func (f *Future[T]) place(skip int) {
	if f.report == nil {
		f.report = new(report)
	}
	f.report.failed = newTrace(skip + 1)
}

// see notes that somebody has looked at the error.
func (f *Future[T]) see() {
	if r := f.report; r != nil && f.done {
		r.looked.Store(true)
		f.report = nil
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
		var none T
		return none, ErrPending
	}
	f.see()
	return f.value, f.err
}

// Err returns the error alone: nil if there is a result, ErrPending before there is one.
func (f *Future[T]) Err() error {
	_, err := f.Result()
	return err
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
	f.see()
}

// Cancel says that the result is not wanted any more, and why; a nil reason is context.Canceled. What works on
// the promise is told (see [Promise.OnCancel]) and the future settles when it has ended; a promise about which nobody is to be
// told is rejected with the reason at once. It reports whether it came in time: a future that is settled, or was
// cancelled before, stays as it is.
//
// Whoever shares a future and wants it no longer should not cancel it for all: see [Waiter.Abandon], which
// the futures made of it use, and task.Await.
func (f *Future[T]) Cancel(reason error) bool {
	f.loop.mustOwn("Future.Cancel", "Loop.Post to get onto the loop")
	before := f.canceller
	if _, ok := before.(*cancelled); ok || f.settled.Load() {
		return false
	}
	if reason == nil {
		reason = context.Canceled
	}
	f.canceller = &cancelled{reason, before}
	if before != nil {
		before.CancelFuture(reason)
		return true
	}
	if f.settled.Swap(true) {
		return false // another goroutine was quicker: the result is on its way
	}
	f.err = reason
	f.complete()
	return true
}

// Wait blocks until the result is there or ctx ends. Any goroutine may call it, but on the future's
// own loop it returns ErrOnLoop: there it would wait for itself. If the engine is closed before
// there is a result it returns ErrEngineClosed. When ctx ends, it returns the context's cause; the future goes on.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	var none T
	if f.loop.onLoop() {
		return none, ErrOnLoop
	}
	w := &wait{done: make(chan struct{})}
	w.waiter.Init(w)
	f.loop.add(runFunc(func() { f.Watch(&w.waiter) }))
	select {
	case <-w.done:
	case <-ctx.Done():
		f.loop.add(runFunc(func() { w.waiter.Stop() })) // a wait that is given up leaves nothing behind
		return none, context.Cause(ctx)
	case <-f.loop.over:
		if !f.done { // nobody changes it any more
			return none, ErrEngineClosed
		}
	}
	return f.value, f.err
}

// wait is a call of Wait.
type wait struct {
	waiter Waiter
	done   chan struct{}
}

// FutureDone implements Notified.
func (w *wait) FutureDone() { close(w.done) }

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
	return fmt.Sprintf("a future of %T", f.value)
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
