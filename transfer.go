package rondo

import "fmt"

// Transfer is f for code that runs on loop l: a future that belongs to l and comes to the same. If f is l's own, it is f.
// Cancelling it is told to f's loop, where f is cancelled unless somebody else waits for it; the new future fails at once.
// If f's engine is closed first, it fails with [ErrEngineClosed]. Any goroutine may call it.
func Transfer[T any](f *Future[T], l *Loop) *Future[T] {
	if f.loop == l {
		return f
	}
	x := &transfer[T]{source: f.loop, from: f}
	x.waiter.Init(x)
	x.to.Init(l)
	x.to.SetCanceller(x)
	if l.engine != f.loop.engine { // else l ends as well
		x.release = l.engine.world.AfterFunc(f.loop.engine.ctx, func() {
			l.engine.block(x.source.over)
			<-x.source.over
			x.late(f)
		})
	}
	if !x.source.Post(func() { f.Watch(&x.waiter) }) {
		x.late(f)
	}
	return x.to.Future()
}

type transfer[T any] struct {
	waiter  Waiter // on from's loop
	source  *Loop  // from's
	from    *Future[T]
	release func() bool // stops minding the end of from's engine, if that is another
	to      Promise[T]
	none    T
}

// FutureDone implements Notified.
func (x *transfer[T]) FutureDone() {
	if x.release != nil {
		x.release()
	}
	x.to.settle(x.from.value, x.from.err, x.from.origin())
	x.from = nil
}

// late is for a future, f, whose loop takes no more work. When that has ended, nobody changes f any more.
func (x *transfer[T]) late(f *Future[T]) {
	select {
	case <-x.source.over:
		if f.done {
			f.report.see()
			x.to.settle(f.value, f.err, f.origin())
			return
		}
	default: // in its last moments
		if x.release != nil {
			return // and called again after them
		}
	}
	x.to.settle(x.none, ErrEngineClosed, nil)
}

// CancelFuture implements Canceller.
func (x *transfer[T]) CancelFuture(reason error) {
	if x.release != nil {
		x.release()
	}
	x.source.Post(func() { x.waiter.Abandon(reason) })
	x.to.settleOnLoop(x.none, reason, nil)
}

// String implements fmt.Stringer.
func (x *transfer[T]) String() string { return fmt.Sprintf("a future of loop %d", x.source.index) }
