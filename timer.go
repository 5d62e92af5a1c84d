package rondo

import (
	"math"
	"time"

	"github.com/rondo-go/rondo/internal/wheel"
)

// Timer is a function to be called later on a loop. It is a small value; copies are the same timer. Once it
// has fired or been stopped it is over for good, and what it was kept in serves the next timer, so that
// a time limit which is set and lifted for each message costs no allocation. The zero Timer is one that
// is over. Only code on its loop may use it.
type Timer struct {
	loop *Loop
	node *timerNode
	use  uint64
}

// timerNode is what a timer is kept in, again and again.
type timerNode struct {
	wheel  wheel.Timer[*timerNode]
	fn     func()
	period time.Duration // zero: once; or kept
	use    uint64        // counts the timers that were kept here
}

// kept is the period of a node that is part of something else, and that no Timer is kept in.
const kept time.Duration = -1

// maxFreeTimers nodes that are not in use are kept, the others left to the garbage collector: 64 KiB.
const maxFreeTimers = 1024

// After has fn called on the loop once d has passed: never earlier, and at most 66 µs later plus the
// time that the loop is busy. A loop that has parked on epoll can be woken a millisecond later still, since Go's
// runtime sleeps in whole milliseconds. A d of zero or less means as soon as the present callback has returned
// and the timers' turn comes. Timers that are due together are called in the order of their times, and
// among equal times in the order of the calls.
func (l *Loop) After(d time.Duration, fn func()) Timer {
	l.mustOwn("Loop.After", "Loop.Post to get onto the loop")
	return l.newTimer(d, fn, 0)
}

// Every has fn called on the loop each time d has passed. The calls do not drift: they come at
// multiples of d from now, and those that a busy loop missed are left out. It panics unless d is
// greater than zero.
func (l *Loop) Every(d time.Duration, fn func()) Timer {
	l.mustOwn("Loop.Every", "Loop.Post to get onto the loop")
	if d <= 0 {
		panic("rondo: Loop.Every needs a duration greater than zero")
	}
	return l.newTimer(d, fn, d)
}

func (l *Loop) newTimer(d time.Duration, fn func(), period time.Duration) Timer {
	var n *timerNode
	if last := len(l.freeTimers) - 1; last >= 0 {
		n, l.freeTimers = l.freeTimers[last], l.freeTimers[:last]
	} else {
		n = new(timerNode)
		n.wheel.Owner = n
	}
	n.fn, n.period = fn, period
	l.start(n, d)
	return Timer{l, n, n.use}
}

// start reads the clock afresh: from the time at which the turn began, a timer would be early by
// as much as the turn has taken so far.
func (l *Loop) start(n *timerNode, d time.Duration) {
	var when int64 // in the past: due at once, not a tick later
	if d > 0 {
		now := l.poller.Now()
		when = now + min(int64(d), math.MaxInt64-now)
	}
	l.timers.Add(&n.wheel, when)
}

// retire ends the timer that n was kept for.
func (l *Loop) retire(n *timerNode) {
	n.use++
	n.fn = nil
	if len(l.freeTimers) < maxFreeTimers {
		l.freeTimers = append(l.freeTimers, n)
	}
}

// Pending reports whether the timer is still to fire.
func (t Timer) Pending() bool {
	if t.node == nil {
		return false
	}
	t.loop.mustOwn("Timer.Pending", "Loop.Post to get onto the loop")
	return t.node.use == t.use
}

// Stop keeps the timer from firing, or from firing again. It reports whether it did: false means that it was
// over already.
func (t Timer) Stop() bool {
	if t.node == nil {
		return false
	}
	t.loop.mustOwn("Timer.Stop", "Loop.Post to get onto the loop")
	if t.node.use != t.use {
		return false
	}
	t.loop.timers.Remove(&t.node.wheel)
	t.loop.retire(t.node)
	return true
}

// Reset has the timer fire once d from now has passed, and not when it would have; one of Every's goes on
// from there in its old rhythm. It reports whether it did: a timer that is over stays so.
func (t Timer) Reset(d time.Duration) bool {
	if t.node == nil {
		return false
	}
	t.loop.mustOwn("Timer.Reset", "Loop.Post to get onto the loop")
	if t.node.use != t.use {
		return false
	}
	t.loop.start(t.node, d)
	return true
}

// fire is called by the loop when n's timer is due.
func (l *Loop) fire(n *timerNode) {
	fn := n.fn
	if n.period == kept {
		fn()
		return
	}
	if n.period == 0 {
		l.retire(n)
		fn()
		return
	}
	// Again first, so that fn may stop or reset it, and may panic.
	now := l.poller.Now()
	when := n.wheel.When() + int64(n.period)
	if n.wheel.When() == 0 { // Reset has asked for it at once: the rhythm begins here
		when = now + int64(n.period)
	}
	if late := now - when; late > 0 {
		when += (late/int64(n.period) + 1) * int64(n.period)
	}
	l.timers.Add(&n.wheel, when)
	fn()
}
