package rondo

import (
	"math"
	"time"

	"github.com/rondo-go/rondo/internal/wheel"
)

// Timer is a function to be called later on a loop. Only code on that loop may use it.
type Timer struct {
	node   wheel.Timer[*Timer]
	loop   *Loop
	fn     func()
	period time.Duration // zero: once
}

// After has fn called on the loop once d has passed: never earlier, and at most 66 µs later plus the
// time that the loop is busy. A d of zero or less means the next turn. Timers that are due together
// are called in the order of their times, and among equal times in the order of the calls.
func (l *Loop) After(d time.Duration, fn func()) *Timer {
	l.mustOwn("Loop.After", "Loop.Post to get onto the loop")
	t := &Timer{loop: l, fn: fn}
	t.node.Owner = t
	t.start(d)
	return t
}

// Every has fn called on the loop each time d has passed. The calls do not drift: they come at
// multiples of d from now, and those that a busy loop missed are left out. It panics unless d is
// greater than zero.
func (l *Loop) Every(d time.Duration, fn func()) *Timer {
	l.mustOwn("Loop.Every", "Loop.Post to get onto the loop")
	if d <= 0 {
		panic("rondo: Loop.Every needs a duration greater than zero")
	}
	t := &Timer{loop: l, fn: fn, period: d}
	t.node.Owner = t
	t.start(d)
	return t
}

// start reads the clock afresh: from the time at which the turn began, a timer would be early by
// as much as the turn has taken so far.
func (t *Timer) start(d time.Duration) {
	var when int64 // in the past: due in the next turn, not a tick later
	if d > 0 {
		now := t.loop.poller.Now()
		when = now + min(int64(d), math.MaxInt64-now)
	}
	t.loop.timers.Add(&t.node, when)
}

// Stop keeps the timer from firing. It reports whether it did: false means that the timer has
// fired (and is not one of Every's) or was stopped already.
func (t *Timer) Stop() bool {
	t.loop.mustOwn("Timer.Stop", "Loop.Post to get onto the loop")
	t.period = 0
	return t.loop.timers.Remove(&t.node)
}

// Reset has the timer fire once d has passed, whether or not it has fired or was stopped before;
// one of Every's goes on from there in its old rhythm unless it was stopped. It reports whether the
// timer was pending.
func (t *Timer) Reset(d time.Duration) bool {
	t.loop.mustOwn("Timer.Reset", "Loop.Post to get onto the loop")
	pending := t.node.Pending()
	t.start(d)
	return pending
}

// fire is called by the loop when the timer is due.
func (t *Timer) fire() {
	if t.period > 0 {
		// Again first, so that fn may stop or reset it, and may panic.
		now := t.loop.poller.Now()
		when := t.node.When() + int64(t.period)
		if t.node.When() == 0 { // Reset has asked for the next turn: the rhythm begins here
			when = now + int64(t.period)
		}
		if late := now - when; late > 0 {
			when += (late/int64(t.period) + 1) * int64(t.period)
		}
		t.loop.timers.Add(&t.node, when)
	}
	t.fn()
}
