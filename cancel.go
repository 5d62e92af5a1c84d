package rondo

import "context"

// A Canceller is told when nobody wants the result of its promise any more.
type Canceller interface {
	// CancelFuture is called on the loop, from within Cancel, at most once, and only if the promise is pending, unless another
	// goroutine settles it at the same time. It should see to it that the promise is settled soon: until then the future is
	// pending. If it panics, that is the future's error.
	CancelFuture(reason error)
}

type cancelFunc func(reason error)

// CancelFuture implements Canceller.
func (f cancelFunc) CancelFuture(reason error) { f(reason) }

// cancelled is in the place of the canceller of a future that was cancelled.
type cancelled struct {
	reason error
	told   Canceller // nil if there was none
}

// CancelFuture implements Canceller.
func (*cancelled) CancelFuture(error) {}

// OnCancel has fn called, on the loop, when [Future.Cancel] finds the promise pending: nobody wants the result any
// more. The promise stays pending until it is settled, so fn should see to that; without OnCancel the
// promise is rejected with the reason. For the rest see [Canceller]. A second OnCancel takes the place of the first; after
// Cancel, or once there is a result, it does nothing. Only before the future is given away, or on the loop.
func (p *Promise[T]) OnCancel(fn func(reason error)) { p.SetCanceller(cancelFunc(fn)) }

// SetCanceller is OnCancel for a struct that would not have a function made for it. A Canceller that is a
// [fmt.Stringer] says what the future is waiting for, too, when it is listed.
func (p *Promise[T]) SetCanceller(c Canceller) {
	if _, ok := p.future.canceller.(*cancelled); !ok && !p.future.done {
		p.future.canceller = c
	}
}

// Cancel says that the result is not wanted any more, and why; a nil reason is context.Canceled. What works on
// the promise is told (see [Promise.OnCancel]) and the future is done when it has ended; a promise about which nobody is to be
// told is rejected with the reason at once. It reports whether it came in time: a future that is settled, or was
// cancelled before, stays as it is. Only on the loop.
//
// Whoever shares a future and wants it no longer should not cancel it for all: see [Waiter.Abandon], which
// the futures made of it use, and task.Await.
func (f *Future[T]) Cancel(reason error) bool {
	f.loop.mustOwn("Future.Cancel", "Loop.Post to get onto the loop")
	before := f.canceller
	if _, ok := before.(*cancelled); ok || f.stage.Load() != isPending {
		return false
	}
	if reason == nil {
		reason = context.Canceled
	}
	if before != nil {
		f.canceller = &cancelled{reason, before}
		f.tell(before, reason)
		return true
	}
	if !f.claim() {
		return false // another goroutine was quicker: the result is on its way
	}
	f.canceller = &cancelled{reason: reason}
	f.err = reason
	f.complete()
	return true
}

// tell tells the canceller. It may be anybody's code, and the caller in the midst of telling others: so its panic goes no
// further than to those who wait for the future, which might have to wait for ever.
func (f *Future[T]) tell(c Canceller, reason error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		err := &PanicError{Value: v, Stack: stack()}
		if !f.claim() {
			f.loop.reportCallback(err)
			return
		}
		f.err = err
		f.complete()
	}()
	c.CancelFuture(reason)
}
