package task

import (
	"errors"
	"time"

	"github.com/rondo-go/rondo"
)

// WithTimeout runs fn and gives it d. If that is not enough, the wait in which fn is then, or the next one, returns
// a [*rondo.TimeoutError]; what fn returns is returned. If fn returns in the turn of the loop in which
// the time is over, without having waited since, the timeout is forgotten.
func WithTimeout(t *Task, d time.Duration, fn func(t *Task) error) error {
	_, err := t.limited(d, fn)
	return err
}

// MoveOnAfter runs fn and gives it d, as [WithTimeout] does; but if the time is over, that is no error. It reports whether
// it had to move on: fn has then returned the timeout. If fn has returned another error beside it, that is passed on.
func MoveOnAfter(t *Task, d time.Duration, fn func(t *Task) error) (moved bool, err error) {
	reason, err := t.limited(d, fn)
	moved = reason != nil && errors.Is(err, reason)
	if moved && rondo.IsOnly(err, reason) {
		err = nil
	}
	return moved, err
}

func (t *Task) limited(d time.Duration, fn func(t *Task) error) (reason, err error) {
	l := t.Loop()
	inner := t.enter()
	defer inner.leave() // also when fn panics
	inner.set().deadline = l.Now().Add(d)
	timer := l.After(d, func() { inner.cancel(inner.fiber, &rondo.TimeoutError{After: d}) })
	defer timer.Stop()
	err = fn(inner)
	return inner.reason(), err
}

// Shielded runs fn and keeps cancellations from it that come from without: they are delivered by the first wait after
// it. The end of the engine is not kept from it, nor from its context. Use it for what must not be left half done, and bound it with a timeout.
func Shielded(t *Task, fn func(t *Task) error) error {
	inner := t.enter()
	inner.shield = true
	if f := inner.fiber; f.sched.stopping {
		inner.cancel(f, rondo.ErrEngineClosed)
	}
	defer func() {
		inner.leave()
		inner.fiber.pending = true // there may be one; the next checkpoint looks
	}()
	return fn(inner)
}
