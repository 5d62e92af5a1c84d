package task

import (
	"iter"
	"runtime/debug"
	"time"

	"github.com/rondo-go/rondo"
)

// fiber is a task as the scheduler sees it, until it ends; then it is the next task's. All of it belongs to the loop.
type fiber struct {
	sched   *scheduler // always the same
	worker  *worker    // the coroutine it runs on; nil before and after
	runs    runnable
	scope   *scope // the innermost
	group   *Group // whose child it is; nil if none
	place   int32  // in group
	pending bool   // some scope has a cancellation to deliver

	next, prev *fiber // in scheduler.live
	behind     *fiber // in scheduler.first, or in scheduler.spare
	id, parent uint64 // id is zero when there is no task
}

// Parking is what a task waits for, as those see it who build things to wait for: see [Task.Park].
type Parking interface {
	// Abandon is called on the loop when the task is cancelled while it waits: take it out of whatever line it stands in, so
	// that Unpark is not called. It may tell what was waited for that nobody wants it now. If it panics that is reported, and the
	// task goes on all the same.
	Abandon(reason error)
	// String says what is waited for, for lists of tasks: "a lock", "an item of queue x".
	String() string
}

// Park stops the task until somebody calls Unpark. It returns nil then, or, if the task is cancelled before that, the reason, and on has been told
// by Abandon. A cancellation that waits to be delivered is returned at once, without a call of Abandon. It is what locks,
// queues and streams are made of: a program that has those needs it rarely.
func (t *Task) Park(on Parking) error { return t.wait(on) }

// Checkpoint returns the reason if a cancellation waits to be delivered, which it then is, and nil otherwise. It does not wait. Functions that may
// or may not have to wait begin with it, so that a task which never has to can be cancelled too.
func (t *Task) Checkpoint() error { return t.checkpoint() }

// Unpark lets a task go on that waits in Park: it is what ends the wait, so it must be called once for each Park that was not
// abandoned. The task runs later in the present turn of the loop. Only on the loop.
func (t *Task) Unpark() {
	t.Loop().MustOwn("Task.Unpark", onto)
	t.parked().unpark()
}

// Resume is Unpark for a callback of the loop's: if no task is running the task goes on at once, and Resume returns when it waits again
// or has ended. What it writes to the connection whose callback that is then goes out with the callback, and what was
// just received is still in the processor's cache.
func (t *Task) Resume() {
	t.Loop().MustOwn("Task.Resume", onto)
	f := t.parked()
	s := f.sched
	if s.running != nil || s.active || s.first != nil {
		f.unpark()
		return
	}
	f.worker.on = nil
	s.left = 0 // it alone
	s.resume(f)
}

// onto is what is to be used instead of calls that are only for the loop.
const onto = "Loop.Post to get onto the loop"

func (t *Task) parked() *fiber {
	if f := t.fiber; t.live() && f.worker != nil && f.worker.on != nil {
		return f
	}
	panic("task: Unpark of a task that is not parked")
}

// unpark ends the wait that the task is in.
func (f *fiber) unpark() {
	f.worker.on = nil
	f.sched.ready(f)
}

// wait stops the task until somebody lets it go on: then it is nil, or the reason if the task was cancelled, and on has been told. If
// there is nothing to wait for, on is nil, the task yields: it is ready itself, behind those that are.
//
// A task that the loop has resumed does not give up its place on the processor at once: as long as others are ready it resumes them
// itself, which saves half of the switches, and if its own turn comes meanwhile it needs none at all.
//
// All this is one function because each call between a task's code and the switch costs: its return is mispredicted when the task goes
// on, and its frame is a cache line more.
func (t *Task) wait(on Parking) error {
	f := t.fiber
	s, w := f.sched, f.worker
	if (f.pending || s.running != f || f.id != t.id) && (w == nil || !w.deaf) {
		if reason := t.look(); reason != nil {
			return reason
		}
	}
	if on == nil {
		if s.first == nil || s.haveWorkedEnough() {
			s.left = 0 // it is the loop's turn
		}
		s.ready(f)
	} else {
		w.on, w.since = on, s.clock()
	}
	for {
		var next *fiber
		if !w.nested {
			next = s.take()
		}
		if next == f {
			break
		}
		if next == nil {
			if !w.yield(struct{}{}) {
				f.kill()
			}
			break
		}
		if s.watch != nil {
			s.resume(next)
			continue
		}
		// This is resume, without another call between here and the switch.
		n := next.worker
		if n == nil {
			n = s.begin(next)
		}
		n.nested, s.running = true, next
		n.next()
		s.running = f
		if n.exited {
			go n.stop()
		}
	}
	if on == nil {
		return t.checkpoint()
	}
	if o := w.woken; o != nil {
		w.woken = nil
		return o.reason
	}
	return nil
}

// worker is a coroutine that runs one task after the other.
type worker struct {
	next     func() (struct{}, bool)
	yield    func(struct{}) bool
	fiber    *fiber        // the task that it runs; nil while it is idle
	on       Parking       // what it waits for; nil: it does not
	woken    *outcome      // why the wait was ended before its time; nil: it was not
	since    time.Duration // when the wait began, on the loop's clock, as of the turn
	nested   bool          // resumed by another task, and not by the loop
	exited   bool          // by runtime.Goexit
	deaf     bool          // the wait is not interrupted: a cancellation waits for the next one
	stage    stage         // of the task
	insisted int16         // waits that the task has begun since its engine has stopped

	stop   func()
	waiter rondo.Waiter
	alarm  *alarm // made when it is needed
}

// stage is how far a coroutine is with its task.
type stage uint8

const (
	calling  stage = iota // its function
	settling              // its future, and telling others of the end
	finished
)

// FutureDone implements rondo.Notified.
func (w *worker) FutureDone() { w.fiber.unpark() }

func newWorker() *worker {
	w := new(worker)
	w.waiter.Init(w)
	w.next, w.stop = iter.Pull(w.work)
	return w
}

// work is the coroutine.
func (w *worker) work(yield func(struct{}) bool) {
	s := w.fiber.sched
	s.loop.EnterCoroutine()
	defer s.loop.LeaveCoroutine()
	w.yield = yield
	if s.watch != nil {
		s.watch.adopt(w)
		defer s.watch.forget(w)
	}
	for {
		w.runOne()
		w.drop()
		if !s.keep(w) || !yield(struct{}{}) {
			return
		}
	}
}

// drop parts with the task, which has ended.
func (w *worker) drop() {
	f := w.fiber
	f.worker, w.fiber = nil, nil
	f.sched.recycle(f)
}

// runOne runs one task, to its end.
func (w *worker) runOne() {
	w.stage, w.insisted = calling, 0
	defer w.recover()
	w.fiber.runs.run(w)
	w.stage = finished
}

// recover deals with the end of a task whose function has not returned, and with runtime.Goexit, which would end whoever has resumed this coroutine as
// well: it stays here, in the midst of its end, until the scheduler has a goroutine to spare for that.
func (w *worker) recover() {
	if w.stage == finished {
		return
	}
	p := recover()
	exits := true // also if something that fail tells calls runtime.Goexit
	defer func() {
		if exits {
			w.exited = true
			w.drop()
			w.yield(struct{}{})
		}
	}()
	switch {
	case w.stage == settling && p != nil:
		w.blame(untold, p)
	case w.stage == calling && p != nil:
		w.fail(panicError(p))
	case w.stage == calling:
		w.fail(errGoexit)
	}
	exits = p == nil
}

// fail ends the task with an error that its function has not returned.
func (w *worker) fail(err error) {
	defer func() {
		if p := recover(); p != nil {
			w.blame(untold, p)
		}
	}()
	w.stage = settling
	w.fiber.runs.end(err)
}

// abandon tells what the task has waited for that it does not any more. That may be anybody's code, and the task must go on, and others be
// told, whatever it does: so a panic goes no further.
func (w *worker) abandon(on Parking, reason error) {
	defer func() {
		if p := recover(); p != nil {
			w.blame("what a task waited for panicked in Abandon", p)
		}
	}()
	on.Abandon(reason)
}

// blame reports a panic that is not the task's.
func (w *worker) blame(what string, p any) {
	w.fiber.sched.loop.Engine().Logger().Error("task: "+what, "error", &rondo.PanicError{Value: p, Stack: debug.Stack()})
}

// untold is what blame says of something that was told of a task's end.
const untold = "something that was told of a task's end did not return"
