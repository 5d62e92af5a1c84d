package task

import (
	"iter"

	"github.com/rondo-go/rondo"
)

// Gather waits for all of fs and returns their results in the order of fs, whichever comes first. As soon as one fails
// its error is returned, and those still pending are cancelled, as [rondo.All] has it.
func Gather[T any](t *Task, fs ...*rondo.Future[T]) ([]T, error) {
	return Await(t, rondo.All(t.Loop(), fs...))
}

// Shield waits for f as Await does, but does not tell f if the task is cancelled meanwhile: it goes on for whoever else
// wants it, and if it fails, that is reported.
func Shield[T any](t *Task, f *rondo.Future[T]) (T, error) {
	return Await(t, rondo.Transfer(f, t.Loop()).Shield())
}

// When says what Wait waits for.
type When int

// What Wait can wait for.
const (
	AllCompleted   When = iota // until all are done
	FirstCompleted             // until one is done
	FirstError                 // until one has failed, or all are done
)

// Wait waits for fs, which may be of different types but belong to t's loop, and returns those that are done and those that
// are not, each in the order of fs. It does not fail when they do: look at their errors, which it does
// not. The error is the
// reason if the task is cancelled meanwhile, or was before; those still pending are then cancelled unless somebody else waits for them.
func Wait(t *Task, when When, fs ...rondo.Awaitable) (done, pending []rondo.Awaitable, err error) {
	for _, a := range fs {
		if a.Loop() != t.Loop() {
			panic("task: Wait needs futures of the task's own loop: see rondo.Transfer")
		}
	}
	if err = t.checkpoint(); err != nil {
		for _, a := range fs {
			abandon(a, &t.fiber.worker.waiter, err)
		}
	} else {
		w := &several{task: t, when: when, members: make([]one, len(fs))}
		for i, a := range fs {
			m := &w.members[i]
			m.all, m.future = w, a
			m.waiter.Init(m)
			w.left++
		}
		for i, a := range fs {
			a.Watch(&w.members[i].waiter)
		}
		if !w.enough() {
			w.parked = true
			err = t.Park(w)
		}
		for i := range w.members {
			w.members[i].waiter.Stop()
		}
	}
	for _, a := range fs {
		if a.Done() {
			done = append(done, a)
		} else {
			pending = append(pending, a)
		}
	}
	return done, pending, err
}

// several are the futures that a call of Wait waits for.
type several struct {
	task    *Task
	when    When
	members []one
	left    int
	failed  bool
	parked  bool
}

type one struct {
	waiter rondo.Waiter
	all    *several
	future rondo.Awaitable
}

func (s *several) enough() bool {
	switch {
	case s.left == 0:
		return true
	case s.when == FirstCompleted:
		return s.left < len(s.members)
	}
	return s.when == FirstError && s.failed
}

// FutureDone implements rondo.Notified.
func (o *one) FutureDone() {
	s := o.all
	s.left--
	if s.when == FirstError && o.future.Failed() {
		s.failed = true
	}
	if s.parked && s.enough() {
		s.parked = false
		s.task.Unpark()
	}
}

// LooksAway implements rondo.Blind: our caller looks.
func (*one) LooksAway() {}

// Abandon implements Parking.
func (s *several) Abandon(reason error) {
	s.parked = false
	for i := range s.members {
		s.members[i].waiter.Abandon(reason)
	}
}

// String implements Parking.
func (s *several) String() string {
	for i := range s.members {
		if w := &s.members[i].waiter; w.Waiting() {
			if s.left == 1 {
				return w.String()
			}
			return w.String() + " and others"
		}
	}
	return "several futures"
}

// AsCompleted waits for fs and gives what each comes to, in the order in which they do. If the task is cancelled
// meanwhile, the last error is the reason, and those still pending are cancelled unless somebody else waits for
// them; so they are when the loop over it ends early. An error that has come and was not given by then is reported unless somebody
// else looks at it.
func AsCompleted[T any](t *Task, fs ...*rondo.Future[T]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		completed, abandon := rondo.AsCompleted(t.Loop(), fs...)
		reason := errLeft
		defer func() { abandon(reason) }()
		for _, f := range completed {
			o, cancelled := Await(t, f)
			if cancelled != nil {
				reason = cancelled
				yield(o.Value, cancelled)
				return
			}
			if !yield(o.Value, o.Err) {
				return
			}
		}
	}
}
