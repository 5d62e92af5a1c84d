package rondo

import (
	"errors"
	"fmt"
)

// join waits for many futures. It runs none of its user's code, so it works at once and needs no turn in the queue.
type join[T, U any] struct {
	fs      []*Future[T]
	members []member[T, U]
	left    int                    // that are not done
	came    func(*join[T, U], int) // called when one is, until the join is decided
	reason  error                  // why those that are left are cancelled, once it is
	to      Promise[U]
	none    U
}

// member is the waiter for one of a join's futures.
type member[T, U any] struct {
	waiter Waiter
	join   *join[T, U]
	index  int
}

// newJoin makes a join. That it waits does not count as looking at the errors: it sees those that it hands out.
func newJoin[T, U any](l *Loop, fs []*Future[T], came func(*join[T, U], int)) *join[T, U] {
	l.mustOwn("a join of futures", "Loop.Post to get onto the loop")
	j := &join[T, U]{fs: make([]*Future[T], len(fs)), members: make([]member[T, U], len(fs)), left: len(fs), came: came}
	j.to.Init(l)
	j.to.SetCanceller(j)
	own := j.fs // give lets go of the join's
	for i, f := range fs {
		own[i] = Transfer(f, l)
	}
	members := j.members
	for i, f := range own {
		m := &members[i]
		m.join, m.index = j, i
		m.waiter.Init(m)
		f.Watch(&m.waiter)
		if j.reason != nil { // decided: this one, or an earlier one, was done already
			m.waiter.Abandon(j.reason)
			if f.done && IsOnly(f.err, j.reason) { // as if it had been cancelled
				f.report.see()
			}
		}
	}
	return j
}

// FutureDone implements Notified.
func (m *member[T, U]) FutureDone() {
	j := m.join
	j.left--
	if j.reason == nil {
		j.came(j, m.index)
	}
}

// LooksAway implements Blind: the join sees to the errors that it hands out.
func (*member[T, U]) LooksAway() {}

// see notes that the errors of all, or those within their results, are handed out.
func (j *join[T, U]) see() {
	for _, f := range j.fs {
		f.report.see()
	}
}

// give settles the join and lets go of what it still waits for.
func (j *join[T, U]) give(v U, err error, at *trace) {
	j.reason = err
	if err == nil {
		j.reason = errDecided
	}
	j.to.settleOnLoop(v, err, at)
	j.abandon(j.reason)
	j.fs, j.members = nil, nil
}

// errDecided is the reason for which a join cancels those whose result makes no difference any more.
var errDecided = errors.New("rondo: another future has decided the join")

func (j *join[T, U]) abandon(reason error) {
	for i := range j.members {
		j.members[i].waiter.Abandon(reason)
	}
}

// CancelFuture implements Canceller.
func (j *join[T, U]) CancelFuture(reason error) { j.give(j.none, reason, nil) }

// String implements fmt.Stringer.
func (j *join[T, U]) String() string { return fmt.Sprintf("%d of %d futures", j.left, len(j.members)) }
