package rondo

import "errors"

// Then is the future of what fn makes of f's result. An error of f's is passed on, and fn not called. An error
// or a panic of fn's (as a [*PanicError]) is the new future's error. Cancelling the new future cancels f, if
// nobody else waits for f. Only on the loop, as all that makes one future of another; and
// fn is called on the loop, later, as a function given to OnDone. (Methods cannot have type parameters; hence
// functions.)
func Then[T, U any](f *Future[T], fn func(v T) (U, error)) *Future[U] {
	return follow(f, func(v T, err error) (u U, _ *Future[U], _ error) {
		if err == nil {
			u, err = fn(v)
		}
		return u, nil, err
	})
}

// ThenFuture is Then for an fn that returns a future itself: the chain pauses until that one is done too,
// and goes on with what it has come to.
func ThenFuture[T, U any](f *Future[T], fn func(v T) *Future[U]) *Future[U] {
	return follow(f, func(v T, err error) (u U, next *Future[U], _ error) {
		if err == nil {
			next, err = some(fn(v))
		}
		return u, next, err
	})
}

// Catch is the future of what fn makes of f's error: another result, or another error. A result of f's is passed
// on, and fn not called. For the rest see [Then].
func (f *Future[T]) Catch(fn func(err error) (T, error)) *Future[T] {
	return follow(f, func(v T, err error) (T, *Future[T], error) {
		if err != nil {
			v, err = fn(err)
		}
		return v, nil, err
	})
}

// CatchFuture is Catch for an fn that returns a future itself, for which the chain pauses.
func (f *Future[T]) CatchFuture(fn func(err error) *Future[T]) *Future[T] {
	return follow(f, func(v T, err error) (_ T, next *Future[T], _ error) {
		if err != nil {
			next, err = some(fn(err))
		}
		return v, next, err
	})
}

// Finally calls fn once f is done, with a result or an error, and is then a future of the same. If fn panics,
// that is its error. For the rest see [Then].
func (f *Future[T]) Finally(fn func()) *Future[T] {
	return follow(f, func(v T, err error) (T, *Future[T], error) {
		fn()
		return v, nil, err
	})
}

// FinallyFuture is Finally for an fn that returns a future itself, for which the chain pauses. If that fails,
// its error is joined to f's.
func FinallyFuture[T, U any](f *Future[T], fn func() *Future[U]) *Future[T] {
	return follow(f, func(v T, err error) (T, *Future[T], error) {
		next, missing := some(fn())
		if missing != nil {
			return v, nil, errors.Join(err, missing)
		}
		return v, follow(next, func(_ U, failed error) (T, *Future[T], error) {
			if failed != nil {
				err = errors.Join(err, failed)
			}
			return v, nil, err
		}), nil
	})
}

func some[T any](f *Future[T]) (*Future[T], error) {
	if f == nil {
		return nil, errors.New("rondo: a callback that must return a future returned nil")
	}
	return f, nil
}

// link is one step of a chain: it waits for a future, makes something of what that came to, and if that is
// another future, waits for that one as well.
type link[T, U any] struct {
	waiter Waiter
	loop   *Loop
	from   *Future[T]
	step   func(T, error) (U, *Future[U], error)
	next   *Future[U] // what step has returned
	to     Promise[U]
}

func follow[T, U any](f *Future[T], step func(T, error) (U, *Future[U], error)) *Future[U] {
	k := &link[T, U]{loop: f.loop, from: f, step: step}
	k.to.Init(f.loop)
	k.to.SetCanceller(k)
	k.waiter.Init(k)
	f.Watch(&k.waiter)
	return k.to.Future()
}

// FutureDone implements Notified.
func (k *link[T, U]) FutureDone() {
	if k.next != nil {
		k.settle(k.next.value, k.next.err)
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
	switch {
	case err != nil || next == nil:
		k.settle(v, err)
	default:
		k.from, k.step = nil, nil
		k.next = Transfer(next, k.loop)
		k.next.Watch(&k.waiter)
	}
}

func (k *link[T, U]) take() (v U, next *Future[U], err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: stack()}
		}
	}()
	return k.step(k.from.value, k.from.err)
}

func (k *link[T, U]) settle(v U, err error) {
	if err != nil {
		k.to.RejectOnLoop(err)
	} else {
		k.to.ResolveOnLoop(v)
	}
}

// CancelFuture implements Canceller. What is waited for is told, and the chain ends here.
func (k *link[T, U]) CancelFuture(reason error) {
	k.waiter.Abandon(reason)
	k.to.RejectOnLoop(reason)
}

// String implements fmt.Stringer.
func (k *link[T, U]) String() string {
	if k.next != nil {
		return k.next.String()
	}
	if k.from != nil {
		return k.from.String()
	}
	return "a step of a chain"
}
