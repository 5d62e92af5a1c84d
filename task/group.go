package task

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/rondo-go/rondo"
)

// Group is a block of a task in which other tasks run: its children. See [WithGroup].
type Group struct {
	task     *Task // the block's
	children []*fiber
	errs     []error
	reason   error // why the children were cancelled; nil if they were not
	waiting  bool  // the block's task is parked, for the last child to end
	closed   bool  // it takes no more children
	panicked bool  // the block has not returned
}

// errLeft is the reason for which futures are cancelled when a loop over AsCompleted is left.
var errLeft = errors.New("task: the loop over AsCompleted was left")

// ErrGroupClosed is the error of a task started in a group whose block has ended.
var ErrGroupClosed = errors.New("task: the group has ended")

// SiblingError is the reason for which the tasks of a group are cancelled when one of them has failed.
type SiblingError struct{ Err error } // what that one returned

func (e *SiblingError) Error() string {
	return fmt.Sprintf("task: cancelled because another task of its group failed: %v", e.Err)
}

// Unwrap gives the error of the task that failed.
func (e *SiblingError) Unwrap() error { return e.Err }

// WithGroup runs fn, in which tasks can be started with [Group.Go] and [GoIn], and returns when fn and all of these have
// ended: none outlives the block. (asyncio's TaskGroup, Trio's nursery.)
//
// The first error, fn's own or a child's, cancels all the others with a [*SiblingError]. WithGroup returns all errors, joined, the
// first one first; what is only that cancellation is left out, and so is a child that was cancelled by itself, by way of its future, and
// ended with that reason. A panic of a child is an error like others; fn's own goes on
// when the children have ended, and what errors they had is reported to the engine's log. If the task is cancelled from without, so are fn and the children,
// with the same reason, and that is among the errors.
func WithGroup(t *Task, fn func(t *Task, g *Group) error) error {
	before := t.fiber.cancelledFor() // what is left of the task may clean up in groups
	g := &Group{task: t.enter()}
	returned := false
	defer func() {
		if !returned { // fn panics
			g.cancel(&SiblingError{errors.New("the block of the group panicked")})
			g.finishPanicking()
		}
	}()
	err := fn(g.task, g)
	returned = true
	f := g.task.fiber
	f.scope = g.task.outer
	switch now := f.cancelledFor(); {
	case now == before:
		g.note(err)
	case err != nil && errors.Is(err, now.reason): // the whole task is cancelled, so the children are for the same reason
		g.errs = append(g.errs, err)
		g.cancel(now.reason)
	default: // also if fn keeps that to itself
		g.note(err)
		g.cancel(now.reason)
	}
	g.finish()
	return errors.Join(g.errs...)
}

// finish waits for the children, however often it is cancelled: they are told, and do end.
func (g *Group) finish() {
	f := g.task.fiber
	f.scope = g.task.outer
	defer func() { // also if the task is ended meanwhile
		g.closed = true
		g.task.close() // as a context it lasts as long as the children
	}()
	reason := g.task.checkpoint()
	for {
		if reason != nil {
			g.cancel(reason)
			if !g.panicked { // or else it is delivered again
				g.errs = append(g.errs, reason)
			}
		}
		if len(g.children) == 0 {
			break
		}
		reason = g.waitForLast()
	}
}

// waitForLast waits for the last child, or returns the reason if the task is cancelled meanwhile. When the engine has stopped every task is told at each wait,
// but this one is for children that are told, too, and end.
func (g *Group) waitForLast() error {
	w := g.task.fiber.worker
	g.waiting, w.deaf = true, g.task.fiber.sched.stopping
	defer func() { g.waiting, w.deaf = false, false }()
	return g.task.wait(g)
}

// finishPanicking is finish for a block that panics and so returns nothing. The children's errors are reported to the engine's
// log; and a cancellation of which only finish was told is delivered again, by the next wait of whoever recovers.
func (g *Group) finishPanicking() {
	f := g.task.fiber
	var going []*scope // and cancelled ones of which the task has not been told
	for s := g.task.outer; s != nil; s = s.outer {
		if s.pending || s.state.Load() == nil {
			going = append(going, s)
		}
	}
	defer func() { // also if the task is ended in finish
		for _, s := range going {
			if s.reason() != nil {
				s.pending, f.pending = true, true
			}
		}
		if len(g.errs) > 0 {
			g.task.Engine().Logger().Error("task: the block of a group panicked, and tasks of the group have failed",
				"task", f.title(), "error", errors.Join(g.errs...))
		}
	}()
	g.panicked = true
	g.finish()
}

// Go starts a child. It begins once the task waits. If it fails the others are cancelled. Only within the block, or in
// another child of the group.
func (g *Group) Go(fn func(t *Task) error) {
	goIn(g, reflect.ValueOf(fn).Pointer(), func(t *Task) (struct{}, error) { return struct{}{}, fn(t) })
}

// GoIn starts a child whose result is wanted: see [Group.Go]. (Methods cannot have type parameters; hence a function.)
func GoIn[T any](g *Group, fn func(t *Task) (T, error)) *rondo.Future[T] { return goIn(g, 0, fn) }

// goIn starts a child that is named for the function at entry, or else for fn.
func goIn[T any](g *Group, entry uintptr, fn func(t *Task) (T, error)) *rondo.Future[T] {
	l := g.task.Loop()
	l.MustOwn("Group.Go", onto)
	if g.closed {
		return rondo.Rejected[T](l, ErrGroupClosed)
	}
	b := newBody(l, fn)
	b.promise.Future().Ignore() // the group looks at it
	x := b.task.set()
	x.values, x.entry = context.WithoutCancel(g.task), entry
	x.deadline, _ = g.task.Deadline() // the group is told then, and tells its children
	g.task.fiber.sched.start(&b.task, b, g.task.id, g)
	if g.reason != nil {
		b.CancelFuture(g.reason)
	}
	return b.promise.Future()
}

// add is called when a child starts.
func (g *Group) add(f *fiber) {
	f.group, f.place = g, int32(len(g.children))
	g.children = append(g.children, f)
}

// Len is the number of children that have not ended. Only on the loop.
func (g *Group) Len() int { return len(g.children) }

// Cancel cancels the block's function and all children with a reason; nil says only that the group was cancelled. That they end with it is
// not an error of the group. Only on the loop.
func (g *Group) Cancel(reason error) {
	g.task.Loop().MustOwn("Group.Cancel", onto)
	if reason == nil {
		reason = errCancelled
	}
	g.cancel(reason)
}

// ended is called when a child has.
func (g *Group) ended(f *fiber, err error) {
	last := len(g.children) - 1
	g.children[f.place] = g.children[last]
	g.children[f.place].place = f.place
	g.children[last] = nil
	g.children = g.children[:last]
	if reason := f.root().reason(); reason == nil || !rondo.IsOnly(err, reason) { // who has cancelled it alone knows
		g.note(err)
	}
	if last == 0 && g.waiting {
		g.waiting = false
		g.task.fiber.unpark()
	}
}

// note keeps an error, and if it is the first, cancels what is left.
func (g *Group) note(err error) {
	if err == nil || g.reason != nil && rondo.IsOnly(err, g.reason) {
		return
	}
	g.errs = append(g.errs, err)
	g.cancel(&SiblingError{err})
}

func (g *Group) cancel(reason error) {
	if g.reason != nil {
		return
	}
	g.reason = reason
	for _, child := range slices.Clone(g.children) {
		if child.group == g { // else another has ended with it
			child.root().cancel(child, reason)
		}
	}
	g.task.cancel(g.task.fiber, reason)
}

// Abandon implements Parking: the task that waits for its children is cancelled. It goes on in its turn, whether or not the last
// child ends before that.
func (g *Group) Abandon(error) { g.waiting = false }

// String implements Parking.
func (g *Group) String() string {
	return fmt.Sprintf("the end of %d tasks of a group", len(g.children))
}

var errCancelled = errors.New("task: the group was cancelled")
