package rondo

import "errors"

// ErrNoFutures is the error of First and FirstSuccess of no futures at all: there is nothing that could come.
var ErrNoFutures = errors.New("rondo: there are no futures to wait for")

// Outcome is what a future has come to.
type Outcome[T any] struct {
	Index int // which of those given to the join, from 0
	Value T
	Err   error
}

// All is the future of all results, in the order of fs, whichever comes first. As soon as one fails, that is its
// error, and those that are still pending are cancelled with it, unless somebody else waits for them. Cancelling
// it cancels them likewise. Of no futures it is an empty slice. Futures may belong to other loops.
// Only on loop l, as all joins.
func All[T any](l *Loop, fs ...*Future[T]) *Future[[]T] {
	j := newJoin(l, fs, func(j *join[T, []T], i int) {
		if err := j.fs[i].err; err != nil {
			j.give(nil, err)
		} else if j.left == 0 {
			values := make([]T, len(j.fs))
			for i, f := range j.fs {
				values[i] = f.value
			}
			j.give(values, nil)
		}
	})
	if len(fs) == 0 {
		j.give([]T{}, nil)
	}
	return j.to.Future()
}

// AllSettled is the future of what each of fs has come to, in their order. It waits for all and does not fail.
func AllSettled[T any](l *Loop, fs ...*Future[T]) *Future[[]Outcome[T]] {
	j := newJoin(l, fs, func(j *join[T, []Outcome[T]], _ int) {
		if j.left == 0 {
			j.give(j.outcomes(), nil)
		}
	})
	if len(fs) == 0 {
		j.give(j.outcomes(), nil)
	}
	return j.to.Future()
}

func (j *join[T, U]) outcomes() []Outcome[T] {
	all := make([]Outcome[T], len(j.fs))
	for i, f := range j.fs {
		all[i] = Outcome[T]{i, f.value, f.err}
	}
	return all
}

// First is the future of what the first of fs to be done has come to, result or error. The others are cancelled,
// unless somebody else waits for them. Of no futures it fails with [ErrNoFutures].
func First[T any](l *Loop, fs ...*Future[T]) *Future[T] {
	j := newJoin(l, fs, func(j *join[T, T], i int) { j.give(j.fs[i].value, j.fs[i].err) })
	if len(fs) == 0 {
		j.give(j.none, ErrNoFutures)
	}
	return j.to.Future()
}

// FirstSuccess is the future of the first result; the others are cancelled as by First. If all fail, it
// fails with their errors, joined in the order of fs. Of no futures it fails with [ErrNoFutures].
func FirstSuccess[T any](l *Loop, fs ...*Future[T]) *Future[T] {
	j := newJoin(l, fs, func(j *join[T, T], i int) {
		if f := j.fs[i]; f.err == nil {
			j.give(f.value, nil)
		} else if j.left == 0 {
			var errs []error
			for _, f := range j.fs {
				errs = append(errs, f.err)
			}
			j.give(j.none, errors.Join(errs...))
		}
	})
	if len(fs) == 0 {
		j.give(j.none, ErrNoFutures)
	}
	return j.to.Future()
}

// AsCompleted are futures of what fs come to, in the order in which they do: the first of them is done when any of fs is,
// the second with the next, and so on. They do not fail: errors are in the outcomes. Cancelling one
// does nothing to fs; abandon cancels those that are still pending, unless somebody else waits for them.
func AsCompleted[T any](l *Loop, fs ...*Future[T]) (completed []*Future[Outcome[T]], abandon func(reason error)) {
	places := make([]Promise[Outcome[T]], len(fs))
	for i := range places {
		places[i].Init(l)
		completed = append(completed, places[i].Future())
	}
	next := 0
	j := newJoin(l, fs, func(j *join[T, struct{}], i int) {
		places[next].ResolveOnLoop(Outcome[T]{i, j.fs[i].value, j.fs[i].err})
		next++
	})
	return completed, j.abandon
}

// join waits for many futures. It runs none of its user's code, so it works at once and needs no turn in the queue.
type join[T, U any] struct {
	fs      []*Future[T]
	members []member[T, U]
	left    int                    // that are not done
	came    func(*join[T, U], int) // called when one is
	to      Promise[U]
	none    U
}

// member is the waiter for one of a join's futures.
type member[T, U any] struct {
	waiter Waiter
	join   *join[T, U]
	index  int
}

func newJoin[T, U any](l *Loop, fs []*Future[T], came func(*join[T, U], int)) *join[T, U] {
	l.mustOwn("a join of futures", "Loop.Post to get onto the loop")
	j := &join[T, U]{fs: make([]*Future[T], len(fs)), members: make([]member[T, U], len(fs)), left: len(fs), came: came}
	j.to.Init(l)
	j.to.SetCanceller(j)
	for i, f := range fs {
		j.fs[i] = Transfer(f, l)
	}
	for i, f := range j.fs {
		m := &j.members[i]
		m.join, m.index = j, i
		m.waiter.Init(m)
		f.Watch(&m.waiter)
	}
	return j
}

// FutureDone implements Notified.
func (m *member[T, U]) FutureDone() {
	j := m.join
	j.left--
	if !j.to.future.done {
		j.came(j, m.index)
	}
}

// give settles the join and lets go of what it still waits for.
func (j *join[T, U]) give(v U, err error) {
	reason := err
	if err != nil {
		j.to.RejectOnLoop(err)
	} else {
		j.to.ResolveOnLoop(v)
		reason = errDecided
	}
	j.abandon(reason)
}

// errDecided is the reason for which a join cancels those whose result makes no difference any more.
var errDecided = errors.New("rondo: another future has decided the join")

func (j *join[T, U]) abandon(reason error) {
	for i := range j.members {
		j.members[i].waiter.Abandon(reason)
	}
}

// CancelFuture implements Canceller.
func (j *join[T, U]) CancelFuture(reason error) { j.give(j.none, reason) }
