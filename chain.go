package rondo

import "errors"

// Then is the future of what fn makes of f's result. An error of f's is passed on, and fn not called. An error
// or a panic of fn's (as a [*PanicError]) is the new future's error. Cancelling the new future cancels f, if
// nobody else waits for f. Only on the loop, as all that makes one future of another; and
// fn is called on the loop, later, as a function given to OnDone. (Methods cannot have type parameters; hence
// functions.)
func Then[T, U any](f *Future[T], fn func(v T) (U, error)) *Future[U] {
	return follow(f, fn, func(v T, err error) (u U, _ *Future[U], _ error) {
		if err == nil {
			u, err = fn(v)
		}
		return u, nil, err
	}).future()
}

// ThenFuture is Then for an fn that returns a future itself: the chain pauses until that one is done too,
// and goes on with what it has come to.
func ThenFuture[T, U any](f *Future[T], fn func(v T) *Future[U]) *Future[U] {
	return follow(f, fn, func(v T, err error) (u U, next *Future[U], _ error) {
		if err == nil {
			next, err = some(fn(v))
		}
		return u, next, err
	}).future()
}

// Catch is the future of what fn makes of f's error: another result, or another error. A result of f's is passed
// on, and fn not called. For the rest see [Then].
func (f *Future[T]) Catch(fn func(err error) (T, error)) *Future[T] {
	return follow(f, fn, func(v T, err error) (T, *Future[T], error) {
		if err != nil {
			v, err = fn(err)
		}
		return v, nil, err
	}).future()
}

// CatchFuture is Catch for an fn that returns a future itself, for which the chain pauses.
func (f *Future[T]) CatchFuture(fn func(err error) *Future[T]) *Future[T] {
	return follow(f, fn, func(v T, err error) (_ T, next *Future[T], _ error) {
		if err != nil {
			next, err = some(fn(err))
		}
		return v, next, err
	}).future()
}

// Finally calls fn once f is done, with a result or an error, and is then a future of the same. If fn panics,
// that is its error, joined to f's. Cancelling the new future does not keep fn from being called: it cancels f, if nobody else
// waits for f, and the new future fails with the reason once fn has returned. For the rest see [Then].
func (f *Future[T]) Finally(fn func()) *Future[T] {
	k := follow(f, fn, func(v T, err error) (T, *Future[T], error) {
		return v, nil, join2(err, try(fn))
	})
	return k.always()
}

// FinallyFuture is Finally for an fn that returns a future itself, for which the chain pauses. If that fails,
// its error is joined to f's. Cancelling the new future in the pause cancels what fn has returned.
func FinallyFuture[T, U any](f *Future[T], fn func() *Future[U]) *Future[T] {
	k := follow(f, fn, func(v T, err error) (T, *Future[T], error) {
		var next *Future[U]
		if failed := try(func() { next = fn() }); failed != nil {
			return v, nil, join2(err, failed)
		}
		next, missing := some(next)
		if missing != nil {
			return v, nil, join2(err, missing)
		}
		return v, follow(Transfer(next, f.loop), nil, func(_ U, failed error) (T, *Future[T], error) {
			return v, nil, join2(err, failed)
		}).future(), nil
	})
	return k.always()
}

// join2 joins two errors of which either may be nil.
func join2(a, b error) error {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return errors.Join(a, b)
}

// try calls fn and returns its panic, if there is one.
func try(fn func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: stack()}
		}
	}()
	fn()
	return nil
}

// some is f, or an error in place of nil.
func some[T any](f *Future[T]) (*Future[T], error) {
	if f == nil {
		return nil, errors.New("rondo: a callback that must return a future returned nil")
	}
	return f, nil
}
