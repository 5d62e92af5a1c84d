package task

import (
	"errors"
	"time"

	"github.com/rondo-go/rondo"
)

// Await waits for f and returns what it comes to. A future that is done is not waited for: the task goes on at once. If
// the task is cancelled meanwhile, or was before, Await returns the reason, and f is cancelled with the same unless somebody else
// waits for it (see [Shield]). If both come in the same turn of the loop, what came first counts, and the cancellation, if it was the
// second, is delivered by the next wait. A future may belong to another loop. The task's own would never be done: that is an error at once.
func Await[T any](t *Task, f *rondo.Future[T]) (T, error) {
	var none T
	fb := t.fiber
	if f.Loop() != fb.sched.loop {
		f = rondo.Transfer(f, fb.sched.loop)
	}
	if reason := t.checkpoint(); reason != nil {
		abandon(f, &fb.worker.waiter, reason)
		return none, reason
	}
	if !f.Done() {
		if b, ok := fb.runs.(*body[T]); ok && b.promise.Future() == f {
			return none, errAwaitsItself
		}
		f.Watch(&fb.worker.waiter)
		if reason := t.wait((*awaiting)(fb.worker)); reason != nil {
			return none, reason
		}
	}
	return f.Result()
}

var errAwaitsItself = errors.New("task: a task awaits its own future, which is done when the task has ended, so never")

// abandon tells a future that somebody will not wait for it after all. Nobody else might ever.
func abandon(a rondo.Awaitable, w *rondo.Waiter, reason error) {
	if !a.Done() {
		a.Watch(w)
		w.Abandon(reason)
	}
}

// awaiting is a coroutine that waits for a future, as what it is parked on.
type awaiting worker

// Abandon implements Parking.
func (a *awaiting) Abandon(reason error) { a.waiter.Abandon(reason) }

// String implements Parking.
func (a *awaiting) String() string { return a.waiter.String() }

// Sleep waits until d has passed. It returns nil, or the reason if the task is cancelled before. A d of zero or
// less is a [Yield]. What is said of the loop's timers ([rondo.Loop.After]) holds.
func Sleep(t *Task, d time.Duration) error {
	if d <= 0 {
		return Yield(t)
	}
	f := t.fiber
	if reason := t.checkpoint(); reason != nil {
		return reason
	}
	w := f.worker
	if w.alarm == nil {
		w.alarm = &alarm{wake: func() { w.fiber.unpark() }}
	}
	w.alarm.timer = f.sched.loop.After(d, w.alarm.wake)
	return t.wait(w.alarm)
}

// alarm is what wakes the tasks of one coroutine that sleep.
type alarm struct {
	timer rondo.Timer
	wake  func() // for timer
}

// Abandon implements Parking.
func (a *alarm) Abandon(error) { a.timer.Stop() }

// String implements Parking.
func (a *alarm) String() string { return "sleep" }

// Yield lets the other tasks that are ready run, and the loop look after the network now and then, before the task
// goes on: a task that computes for long calls it once a millisecond or so. It returns nil, or the reason if the task was
// cancelled.
func Yield(t *Task) error { return t.wait(nil) }
