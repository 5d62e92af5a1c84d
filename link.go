package rondo

import (
	"errors"
	"reflect"
)

// link is one step of a chain: it waits for a future, makes something of what that came to, and if that is
// another future, waits for that one as well.
type link[T, U any] struct {
	waiter Waiter
	loop   *Loop
	from   *Future[T]
	step   func(T, error) (U, *Future[U], error)
	fn     any        // the user's function within step, of which its place is shown; nil if there is none
	next   *Future[U] // what step has returned
	reason error      // cancelled, and the step must be taken all the same
	final  bool       // the step is taken even if the chain is cancelled
	to     Promise[U]
}

func follow[T, U any](f *Future[T], fn any, step func(T, error) (U, *Future[U], error)) *link[T, U] {
	k := &link[T, U]{loop: f.loop, from: f, step: step, fn: fn}
	k.to.Init(f.loop)
	k.to.SetCanceller(k)
	k.waiter.Init(k)
	f.Watch(&k.waiter)
	return k
}

func (k *link[T, U]) future() *Future[U] { return k.to.Future() }

// always has the step taken even if the chain is cancelled.
func (k *link[T, U]) always() *Future[U] {
	k.final = true
	return k.to.Future()
}

// FutureDone implements Notified.
func (k *link[T, U]) FutureDone() {
	if k.next != nil {
		k.settle(k.next.value, k.next.err, k.next.origin())
		return
	}
	k.loop.queue = append(k.loop.queue, k)
}

// run takes the step, in its turn.
func (k *link[T, U]) run(*Loop) {
	if k.to.future.done { // cancelled meanwhile
		return
	}
	v, next, err := k.take()
	if err == nil && next == k.to.Future() {
		err = errOwnChain
	}
	if err == nil && next == nil {
		err = k.reason // step has cancelled its own chain
	}
	switch {
	case err != nil:
		k.settle(v, err, k.origin())
		return
	case next == nil:
		k.settle(v, nil, nil)
		return
	}
	k.from, k.step, k.fn = nil, nil, nil
	k.next = Transfer(next, k.loop)
	k.next.Watch(&k.waiter)
	if k.to.future.done { // step has cancelled its own chain, or the future was done
		k.waiter.Abandon(k.to.future.err)
		k.next = nil
	}
}

var errOwnChain = errors.New("rondo: a callback returned the future of its own chain, which would wait for itself")

func (k *link[T, U]) take() (v U, next *Future[U], err error) {
	defer func() {
		if p := recover(); p != nil {
			next, err = nil, &PanicError{Value: p, Stack: stack()}
		}
	}()
	if k.reason != nil {
		var none T
		return k.step(none, k.reason)
	}
	return k.step(k.from.value, k.from.err)
}

// origin is where the error was given with which the step has failed: the step's own function, unless there was an error
// before it.
func (k *link[T, U]) origin() *trace {
	if k.from != nil && k.from.done {
		if at := k.from.origin(); at != nil {
			return at
		}
	}
	if k.fn == nil {
		return nil
	}
	return &trace{reflect.ValueOf(k.fn).Pointer()}
}

// settle ends the step. It lets go of what it was made of, lest the last future of a chain that goes on for ever keep all
// those before it.
func (k *link[T, U]) settle(v U, err error, at *trace) {
	k.from, k.step, k.fn, k.next = nil, nil, nil, nil
	k.to.settleOnLoop(v, err, at)
}

// CancelFuture implements Canceller. What is waited for is told, and the chain ends here.
func (k *link[T, U]) CancelFuture(reason error) {
	waited := k.waiter.Abandon(reason)
	if k.final && k.next == nil {
		k.reason = reason
		if waited { // else it is in the queue already
			k.loop.queue = append(k.loop.queue, k)
		}
		return
	}
	var none U
	k.settle(none, reason, nil)
}

// String implements fmt.Stringer.
func (k *link[T, U]) String() string {
	if k.next != nil {
		return k.next.String()
	}
	if k.from != nil {
		return k.from.String()
	}
	return "" // it is over
}
