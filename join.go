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
// it cancels them likewise. If several have failed, the errors that All does not fail with do not count as looked at. Of no
// futures it is an empty slice. Futures may belong to other loops. Only on loop l, as all joins.
func All[T any](l *Loop, fs ...*Future[T]) *Future[[]T] {
	j := newJoin(l, fs, func(j *join[T, []T], i int) {
		if err := j.fs[i].err; err != nil {
			j.fs[i].report.see()
			j.give(nil, err, j.fs[i].origin())
		} else if j.left == 0 {
			values := make([]T, len(j.fs))
			for i, f := range j.fs {
				values[i] = f.value
			}
			j.see()
			j.give(values, nil, nil)
		}
	})
	if len(fs) == 0 {
		j.give([]T{}, nil, nil)
	}
	return j.to.Future()
}

// AllSettled is the future of what each of fs has come to, in their order. It waits for all and does not fail: once
// all are done their errors count as looked at.
func AllSettled[T any](l *Loop, fs ...*Future[T]) *Future[[]Outcome[T]] {
	j := newJoin(l, fs, func(j *join[T, []Outcome[T]], _ int) {
		if j.left == 0 {
			j.give(j.outcomes(), nil, nil)
		}
	})
	if len(fs) == 0 {
		j.give(j.outcomes(), nil, nil)
	}
	return j.to.Future()
}

func (j *join[T, U]) outcomes() []Outcome[T] {
	j.see()
	all := make([]Outcome[T], len(j.fs))
	for i, f := range j.fs {
		all[i] = Outcome[T]{i, f.value, f.err}
	}
	return all
}

// First is the future of what the first of fs to be done has come to, result or error. The others are cancelled,
// unless somebody else waits for them. Of no futures it fails with [ErrNoFutures].
func First[T any](l *Loop, fs ...*Future[T]) *Future[T] {
	j := newJoin(l, fs, func(j *join[T, T], i int) {
		j.fs[i].report.see()
		j.give(j.fs[i].value, j.fs[i].err, j.fs[i].origin())
	})
	if len(fs) == 0 {
		j.give(j.none, ErrNoFutures, newTrace())
	}
	return j.to.Future()
}

// FirstSuccess is the future of the first result; the others are cancelled as by First. If all fail, it
// fails with their errors, joined in the order of fs. Errors that come before it is decided count as looked at: to
// fail is what those futures are allowed. Of no futures it fails with [ErrNoFutures].
func FirstSuccess[T any](l *Loop, fs ...*Future[T]) *Future[T] {
	j := newJoin(l, fs, func(j *join[T, T], i int) {
		f := j.fs[i]
		f.report.see()
		if f.err == nil {
			j.give(f.value, nil, nil)
		} else if j.left == 0 {
			var errs []error
			for _, f := range j.fs {
				errs = append(errs, f.err)
			}
			j.give(j.none, errors.Join(errs...), j.fs[i].origin())
		}
	})
	if len(fs) == 0 {
		j.give(j.none, ErrNoFutures, newTrace())
	}
	return j.to.Future()
}

// AsCompleted are futures of what fs come to, in the order in which they do: the first of them is done when any of fs is,
// the second with the next, and so on. They do not fail by themselves: errors are in the outcomes. Cancelling one
// does nothing to fs, but what would have come there is lost. An error counts as looked at when the outcome
// that it is in does. abandon cancels those of fs that are still pending, unless somebody
// else waits for them, and those of completed, with that reason; nil is context.Canceled.
func AsCompleted[T any](l *Loop, fs ...*Future[T]) (completed []*Future[Outcome[T]], abandon func(reason error)) {
	places := make([]Promise[Outcome[T]], len(fs))
	for i := range places {
		places[i].Init(l)
		completed = append(completed, places[i].Future())
	}
	next := 0
	j := newJoin(l, fs, func(j *join[T, struct{}], i int) {
		from, place := j.fs[i], &places[next]
		next++
		if !place.future.done { // it was not cancelled
			place.future.report = from.report // who looks at the outcome looks at the error in it
			place.settleOnLoop(Outcome[T]{i, from.value, from.err}, nil, nil)
		}
	})
	return completed, func(reason error) {
		j.abandon(reason)
		for _, f := range completed[next:] { // nothing comes there any more
			f.Cancel(reason)
		}
	}
}
