package task

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
)

// scope is a stretch of a task that can be cancelled as a whole: the task itself, or a block within it. Cancelling belongs to
// the loop; what makes it a context is for any goroutine.
type scope struct {
	outer   *scope
	state   atomic.Pointer[outcome] // nil while it goes on
	context atomic.Pointer[lazyContext]
	extra   *extra // usually nil; not changed once somebody else sees the scope
	pending bool   // it was cancelled, and no wait has returned the reason yet
	shield  bool   // what is cancelled further out is not told in here
}

// extra is what few scopes have, kept apart so that the others do not pay for it.
type extra struct {
	values   context.Context // for a task: where Value looks further; nil is nowhere
	deadline time.Time       // zero: none
	entry    uintptr         // for a task: the function for which it is named, if it is not its own
	left     func() bool     // called when the scope is left; may be nil
}

func (s *scope) set() *extra {
	if s.extra == nil {
		s.extra = new(extra)
	}
	return s.extra
}

// outcome is how a scope has come to its end.
type outcome struct{ reason error }

var (
	over         = &outcome{context.Canceled} // it has been left
	engineClosed = &outcome{rondo.ErrEngineClosed}
)

// lazyContext is a context of the standard library's, made when somebody asks for it. To it we pass on whatever a context
// is asked, so that context.Cause works, and contexts made from ours need no goroutine to follow it.
type lazyContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (s *scope) std() context.Context {
	if c := s.context.Load(); c != nil {
		return c
	}
	parent := context.Background()
	switch {
	case s.outer != nil && s.shield:
		parent = context.WithoutCancel(s.outer.std())
	case s.outer != nil:
		parent = s.outer.std()
	case s.extra != nil && s.extra.values != nil:
		parent = s.extra.values
	}
	c := new(lazyContext)
	c.Context, c.cancel = context.WithCancelCause(parent)
	if !s.context.CompareAndSwap(nil, c) {
		c.cancel(nil)
		return s.context.Load()
	}
	if o := s.state.Load(); o != nil { // it ended meanwhile
		c.cancel(o.reason)
	}
	return c
}

// cancel cancels the scope, which is one of f's, if that is not nil: the task is not on the loop yet. It reports whether it was not over yet.
func (s *scope) cancel(f *fiber, reason error) bool {
	if s.state.Load() != nil {
		return false
	}
	if reason == nil {
		reason = context.Canceled
	}
	s.pending = true
	s.finish(&outcome{reason})
	if f != nil {
		f.pending = true
		f.interrupt()
	}
	return true
}

// close ends the scope because it has been left.
func (s *scope) close() {
	s.pending = false // it was left before anybody noticed
	if s.state.Load() == nil {
		s.finish(over)
	}
	if s.extra != nil && s.extra.left != nil {
		s.extra.left()
	}
}

func (s *scope) finish(o *outcome) {
	s.state.Store(o)
	if c := s.context.Load(); c != nil {
		c.cancel(o.reason)
	}
}

// reason is why the scope was cancelled; nil if it was not.
func (s *scope) reason() error {
	if o := s.state.Load(); o != nil && o != over {
		return o.reason
	}
	return nil
}

// Done implements context.Context.
func (s *scope) Done() <-chan struct{} { return s.std().Done() }

// Err implements context.Context: context.DeadlineExceeded after a timeout, context.Canceled after anything else.
// [context.Cause] gives the reason. Contexts that are made from a Task, by context.WithCancel and the like, know of no other end than by cancelling: after
// a timeout of the task's their Err is context.Canceled, and again it is [context.Cause] that tells.
func (s *scope) Err() error {
	for ; s != nil; s = s.outer {
		if o := s.state.Load(); o != nil {
			if errors.Is(o.reason, context.DeadlineExceeded) {
				return context.DeadlineExceeded
			}
			return context.Canceled
		}
		if s.shield {
			break
		}
	}
	return nil
}

// Deadline implements context.Context: the time, by the loop's clock, at which the first of the timeouts around this code ends,
// but for those that a shield keeps out.
func (s *scope) Deadline() (deadline time.Time, ok bool) {
	for ; s != nil; s = s.outer {
		if x := s.extra; x != nil && !x.deadline.IsZero() && (!ok || x.deadline.Before(deadline)) {
			deadline, ok = x.deadline, true
		}
		if s.shield {
			break
		}
	}
	return deadline, ok
}

// Value implements context.Context.
func (s *scope) Value(key any) any { return s.std().Value(key) }

// enter begins a block within the task.
func (t *Task) enter() *Task {
	t.mustRun()
	f := t.fiber
	inner := &Task{fiber: f, id: t.id}
	inner.outer = f.scope
	f.scope = &inner.scope
	return inner
}

// leave ends the block for which t was made.
func (t *Task) leave() {
	t.close()
	t.fiber.scope = t.outer
}

// checkpoint is the beginning of every wait: a cancellation that came while the task was not waiting is delivered here.
func (t *Task) checkpoint() error {
	if f := t.fiber; !f.pending && f.sched.running == f && f.id == t.id {
		return nil
	}
	return t.look()
}

// look is what checkpoint and wait need only rarely.
func (t *Task) look() error {
	t.mustRun()
	if f := t.fiber; !f.sched.stopping {
		if o := f.deliver(); o != nil {
			return o.reason
		}
		return nil
	}
	return t.fiber.insist()
}

// mustRun panics if another task is running, or none.
func (t *Task) mustRun() {
	f := t.fiber
	// Once the engine has stopped, tasks may go on without being resumed by the scheduler.
	if f.id != t.id || f.sched.running != f && (!f.sched.stopping || f.worker == nil) {
		panic("task: a task was to wait that is not running: each waits with the Task that its own function was given")
	}
}

// deliver takes the outermost cancellation that has not been delivered; those further in are part of it.
func (f *fiber) deliver() *outcome {
	if f.sched.stopping {
		return engineClosed
	}
	var found *scope
	hidden := false // by a shield: it stays pending
	for s, behind := f.scope, false; s != nil; s = s.outer {
		if s.pending {
			if behind {
				hidden = true
			} else {
				found = s
			}
		}
		behind = behind || s.shield
	}
	f.pending = hidden
	if found == nil {
		return nil
	}
	for s := f.scope; ; s = s.outer {
		s.pending = false
		if s == found {
			return found.state.Load()
		}
	}
}

// cancelledFor is how the outermost block of the task that was cancelled was; nil if none was, or it is behind a shield.
func (f *fiber) cancelledFor() (o *outcome) {
	for s := f.scope; s != nil; s = s.outer {
		if s.reason() != nil {
			o = s.state.Load()
		}
		if s.shield {
			break
		}
	}
	return o
}

// interrupt delivers a cancellation to the wait that the task is in, if it is in one.
func (f *fiber) interrupt() {
	w := f.worker
	if w == nil || w.on == nil || w.deaf {
		return
	}
	if o := f.deliver(); o != nil {
		on := w.on
		w.on, w.woken = nil, o
		defer f.sched.ready(f) // also if runtime.Goexit is called there
		w.abandon(on, o.reason)
	}
}
