package task

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"

	"github.com/rondo-go/rondo"
)

// Task is what a task's function gets: the right to wait. It is also a context.Context, which ends when the task is
// cancelled or has ended: give it to any library that takes one.
//
// Within [WithTimeout], [WithGroup] and the like, the function gets a Task of its own, which is the same task and ends, as a
// context, with that block.
type Task struct {
	fiber *fiber
	scope
}

// Loop is the loop that the task runs on. Any goroutine may call it.
func (t *Task) Loop() *rondo.Loop { return t.fiber.sched.loop }

// Engine is that loop's engine. Any goroutine may call it.
func (t *Task) Engine() *rondo.Engine { return t.Loop().Engine() }

// ID is the task's number in [List]: it counts the tasks of a loop, from 1. Any goroutine may call it.
func (t *Task) ID() uint64 { return t.fiber.id }

// Name is what [List] calls the task: what SetName has said, or else its function's name. Only on the loop.
func (t *Task) Name() string { return t.fiber.title() }

// SetName gives the task a name. Only on the loop.
func (t *Task) SetName(name string) { t.fiber.name = &name }

// Cancel cancels the task, or the block for which t was made, with a reason; nil is context.Canceled. It reports whether it
// was in time: a task that has ended, or was cancelled before, is not cancelled again. Only on the loop.
func (t *Task) Cancel(reason error) bool {
	t.Loop().MustOwn("Task.Cancel", onto)
	return t.cancel(t.fiber, reason)
}

// Go starts a task on loop l and returns the future of what fn returns. The task begins in a later turn of the loop,
// after all that was posted before. Any goroutine may call it; the future belongs to the loop. Code that is itself a task does it
// at less cost with [Spawn], or in a [Group].
//
// Engine.Shutdown waits for tasks until its context ends; then, or when the engine is closed, they are cancelled with
// [rondo.ErrEngineClosed].
func Go[T any](l *rondo.Loop, fn func(t *Task) (T, error)) *rondo.Future[T] {
	b := newBody(l, fn)
	if !l.PostRunner(b) {
		b.promise.Reject(rondo.ErrEngineClosed)
	}
	return b.promise.Future()
}

// Start is [Go] for code that runs on the loop: the task begins in the present turn of the loop, if there is time, and never within
// Start itself.
func Start[T any](l *rondo.Loop, fn func(t *Task) (T, error)) *rondo.Future[T] {
	l.MustOwn("task.Start", "task.Go")
	b := newBody(l, fn)
	b.Run(l)
	return b.promise.Future()
}

// GoContext is [Go] for a task that is cancelled, with the context's cause, when ctx ends, and that has ctx's values and
// deadline.
func GoContext[T any](ctx context.Context, l *rondo.Loop, fn func(t *Task) (T, error)) *rondo.Future[T] {
	b := newBody(l, fn)
	x := b.task.set()
	x.values = context.WithoutCancel(ctx)
	x.deadline, _ = ctx.Deadline() // ctx itself sees to it
	if ctx.Err() != nil {
		b.task.cancel(&b.fiber, context.Cause(ctx)) // nobody else knows the task yet; it does not begin
	} else {
		x.left = context.AfterFunc(ctx, func() {
			l.Post(func() { b.task.cancel(&b.fiber, context.Cause(ctx)) })
		})
	}
	if !l.PostRunner(b) {
		if x.left != nil {
			x.left()
		}
		b.promise.Reject(rondo.ErrEngineClosed)
	}
	return b.promise.Future()
}

// Spawn starts a task on t's loop. It begins once t waits. It does not end with t: for tasks that must not
// outlive the block that starts them see [WithGroup].
func Spawn[T any](t *Task, fn func(t *Task) (T, error)) *rondo.Future[T] {
	b := newBody(t.Loop(), fn)
	b.fiber.parent = t.fiber.id
	t.fiber.sched.start(&b.fiber)
	return b.promise.Future()
}

// body is a task with the function that it runs and the promise of what that returns: all of it in one piece.
type body[T any] struct {
	task    Task
	fiber   fiber
	promise rondo.Promise[T]
	fn      func(*Task) (T, error)
}

func newBody[T any](l *rondo.Loop, fn func(t *Task) (T, error)) *body[T] {
	if fn == nil {
		panic("task: a task needs a function")
	}
	b := &body[T]{fn: fn}
	b.promise.Init(l)
	b.promise.SetCanceller(b)
	b.fiber.runs = b
	b.fiber.scope = &b.task.scope
	b.task.fiber = &b.fiber
	return b
}

// Run implements rondo.Runner: Go's call has reached the loop.
func (b *body[T]) Run(l *rondo.Loop) { schedulers.On(l).start(&b.fiber) }

// CancelFuture implements rondo.Canceller.
func (b *body[T]) CancelFuture(reason error) { b.task.cancel(&b.fiber, reason) }

// String implements fmt.Stringer.
func (b *body[T]) String() string { return fmt.Sprintf("task %d %s", b.fiber.id, b.fiber.title()) }

// runnable is a body of any type.
type runnable interface {
	run()
	end(err error)
	pc() uintptr
	owns(a rondo.Awaitable) bool
}

// run is called on the task's coroutine.
func (b *body[T]) run() {
	if reason := b.fiber.checkpoint(); reason != nil { // cancelled before it began
		b.end(reason)
		return
	}
	v, err := b.call1()
	b.settle(v, err)
}

// call1 calls the function.
func (b *body[T]) call1() (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicError(p)
		}
	}()
	return b.fn(&b.task)
}

func panicError(v any) error {
	if v == any(errKilled) {
		return errKilled
	}
	return &rondo.PanicError{Value: v, Stack: debug.Stack()}
}

func (b *body[T]) end(err error) {
	var none T
	b.settle(none, err)
}

func (b *body[T]) settle(v T, err error) {
	b.task.close()
	b.fiber.ended(err)
	if err != nil {
		if reason := b.task.reason(); reason != nil && rondo.IsOnly(err, reason) {
			b.promise.Future().Ignore() // who has cancelled it knows
		}
		b.promise.RejectOnLoop(err)
	} else {
		b.promise.ResolveOnLoop(v)
	}
	b.fn = nil
}

// owns reports whether a is the task's own future.
func (b *body[T]) owns(a rondo.Awaitable) bool {
	f, ok := a.(*rondo.Future[T])
	return ok && f == b.promise.Future()
}

func (b *body[T]) pc() uintptr {
	if b.fn == nil {
		return 0
	}
	if x := b.task.extra; x != nil && x.entry != 0 {
		return x.entry
	}
	return reflect.ValueOf(b.fn).Pointer()
}

// title is the task's name.
func (f *fiber) title() string {
	if f.name != nil {
		return *f.name
	}
	if fn := runtime.FuncForPC(f.runs.pc()); fn != nil {
		return fn.Name()
	}
	return "task"
}

var (
	// errGoexit is the error of a task that has called runtime.Goexit, as a test's FailNow does.
	errGoexit = errors.New("task: runtime.Goexit in a task (a test's FailNow must be called by the test's goroutine)")
	// errKilled is the error of a task that goes on waiting after its engine has ended.
	errKilled = fmt.Errorf("task: ended because it went on waiting: %w", rondo.ErrEngineClosed)
)
