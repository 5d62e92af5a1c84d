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
//
// A function waits with the Task that it was given. To wait with another's, as a child does that uses the t of the function around it, is a mistake and panics.
type Task struct {
	fiber *fiber // nil until it is on the loop; another task's once it has ended: see live
	id    uint64
	scope
}

// Loop is the loop that the task runs on. Any goroutine may call it.
func (t *Task) Loop() *rondo.Loop { return t.fiber.sched.loop }

// Engine is that loop's engine. Any goroutine may call it.
func (t *Task) Engine() *rondo.Engine { return t.Loop().Engine() }

// ID is the task's number in [List]: it counts the tasks of a loop, from 1. Any goroutine may call it.
func (t *Task) ID() uint64 { return t.id }

// Name is what [List] calls the task: what SetName has said, or else its function's name; empty once the task has ended. Only on
// the loop.
func (t *Task) Name() string {
	if !t.live() {
		return ""
	}
	return t.fiber.title()
}

// SetName gives the task a name. Only on the loop.
func (t *Task) SetName(name string) {
	if t.live() {
		t.fiber.sched.names[t.fiber] = name
	}
}

// live reports whether the task has not ended.
func (t *Task) live() bool { return t.fiber.id == t.id }

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
		b.task.cancel(nil, context.Cause(ctx)) // nobody else knows the task yet; it does not begin
	} else {
		x.left = l.Engine().AfterContext(ctx, func() {
			l.Post(func() { b.CancelFuture(context.Cause(ctx)) })
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
	s := t.fiber.sched
	b := newBody(s.loop, fn)
	s.start(&b.task, b, t.id, nil)
	return b.promise.Future()
}

// body is what may be known of a task after its end, and the function that it runs: all of it in one piece. What only the
// scheduler knows is its fiber.
type body[T any] struct {
	task    Task
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
	return b
}

// Run implements rondo.Runner: Go's call has reached the loop.
func (b *body[T]) Run(l *rondo.Loop) { schedulers.On(l).start(&b.task, b, 0, nil) }

// CancelFuture implements rondo.Canceller.
func (b *body[T]) CancelFuture(reason error) { b.task.cancel(b.task.fiber, reason) }

// String implements fmt.Stringer.
func (b *body[T]) String() string {
	if b.task.fiber == nil {
		return "a task on its way to the loop, " + functionName(b.pc())
	}
	return fmt.Sprintf("task %d %s", b.task.id, b.task.Name())
}

// runnable is a body of any type.
type runnable interface {
	run(w *worker)
	end(err error)
	pc() uintptr
}

// run is called on the task's coroutine, w, which deals with panics.
func (b *body[T]) run(w *worker) {
	if reason := b.task.checkpoint(); reason != nil { // cancelled before it began
		w.stage = settling
		b.end(reason)
		return
	}
	v, err := b.fn(&b.task)
	w.stage = settling
	b.settle(v, err)
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
	b.task.fiber.ended(err)
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
	if name, ok := f.sched.names[f]; ok {
		return name
	}
	return functionName(f.runs.pc())
}

func functionName(pc uintptr) string {
	if fn := runtime.FuncForPC(pc); fn != nil {
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
