package task_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

func panics(*task.Task) (int, error) { panic("ouch") }

// A panic is the task's error, and says where it was.
func TestPanicHasTheTasksStack(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	_, err := rig.Outcome(t, task.Go(e.Loop(), panics))
	var p *rondo.PanicError
	if !errors.As(err, &p) || p.Value != "ouch" || !strings.Contains(string(p.Stack), "task_test.panics") {
		t.Fatalf("error %#v, want a *PanicError with the stack of panics", err)
	}
	runOn(t, e.Loop(), func(t *task.Task) error { return task.Yield(t) }) // the loop lives
}

func TestPanicAfterWaiting(t *testing.T) {
	run(t, func(t *task.Task) error {
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			_ = task.Yield(t)
			return panics(t)
		})
		_, err := task.Await(t, f)
		var p *rondo.PanicError
		if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "task_test.panics") {
			return fmt.Errorf("error %w, want a *PanicError", err)
		}
		return nil
	})
}

// bad is a Notified that does not keep its contract.
type bad struct{ waiter rondo.Waiter }

func (*bad) FutureDone() { panic("a bad listener") }

// What listens to a task's future and panics is reported, and hurts neither the task nor its coroutine.
func TestListenerPanics(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	runOn(t, e.Loop(), func(t *task.Task) error {
		f := task.Spawn(t, func(*task.Task) (int, error) { return 1, nil })
		b := new(bad)
		b.waiter.Init(b)
		f.Watch(&b.waiter)
		settle(t)
		if v, err := f.Result(); v != 1 || err != nil {
			return fmt.Errorf("the task came to %d, %w", v, err)
		}
		v, err := task.Await(t, task.Spawn(t, func(*task.Task) (int, error) { return 2, nil }))
		if v != 2 {
			return fmt.Errorf("another came to %d, %w", v, err)
		}
		return nil
	})
	e.Log.Await(t, "a bad listener")
}

// A task that calls runtime.Goexit fails; its deferred functions run on the loop, and may wait.
func TestGoexit(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	cleaned := false
	_, err := rig.Outcome(t, task.Go(e.Loop(), func(t *task.Task) (int, error) {
		defer func() { cleaned = task.Yield(t) == nil && task.Sleep(t, 1) == nil }()
		runtime.Goexit()
		return 1, nil
	}))
	if err == nil || !strings.Contains(err.Error(), "runtime.Goexit") {
		t.Errorf("error %v, want that of Goexit", err)
	}
	rig.On(t, e.Loop(), func() {
		if !cleaned {
			t.Error("the deferred function did not get to wait")
		}
	})
	runOn(t, e.Loop(), func(t *task.Task) error { return task.Yield(t) })
}

// Nor does it end the task that happened to resume it.
func TestGoexitOfATaskResumedByAnother(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	for range 100 {
		runOn(t, e.Loop(), func(t *task.Task) error {
			var fs []rondo.Awaitable
			for i := range 10 {
				fs = append(fs, task.Spawn(t, func(t *task.Task) (int, error) {
					if i%2 == 0 {
						_ = task.Yield(t)
					}
					if i%3 == 0 {
						runtime.Goexit()
					}
					_ = task.Yield(t)
					return i, nil
				}))
			}
			done, _, err := task.Wait(t, task.AllCompleted, fs...)
			if err != nil {
				return err
			}
			for i, f := range done {
				if failed := f.Err() != nil; failed != (i%3 == 0) {
					return fmt.Errorf("task %d: error %w", i, f.Err())
				}
			}
			return nil
		})
	}
}

func TestGoexitInAGroup(t *testing.T) {
	run(t, func(t *task.Task) error {
		ended := 0
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			return 0, task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error { defer func() { ended++ }(); _, err := wait(t); return err })
				_ = task.Yield(t)
				runtime.Goexit() // in the block itself
				return nil
			})
		})
		_, err := task.Await(t, f)
		if err == nil || ended != 1 {
			return fmt.Errorf("error %w, and %d children had ended; want 1", err, ended)
		}
		err = task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			g.Go(func(t *task.Task) error { _, err := wait(t); return err })
			g.Go(func(*task.Task) error { runtime.Goexit(); return nil })
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "runtime.Goexit") {
			return fmt.Errorf("the group: %w, want that of Goexit", err)
		}
		return nil
	})
}

// A nil function is found out where it is given.
func TestNoFunction(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	defer func() {
		if recover() == nil {
			t.Error("Go took a nil function")
		}
	}()
	task.Go[int](e.Loop(), nil)
}

// Unpark of a task that does not wait is a bug, and says so.
func TestUnparkTwice(t *testing.T) {
	run(t, func(t *task.Task) (err error) {
		defer func() {
			if recover() == nil {
				err = errors.Join(err, io.ErrNoProgress)
			}
		}()
		t.Unpark()
		return nil
	})
}

// Nor does it reach another task that has come to use the same coroutine.
func TestUnparkAfterTheEnd(t *testing.T) {
	run(t, func(t *task.Task) (err error) {
		var old *task.Task
		if _, err := task.Await(t, task.Spawn(t, func(t *task.Task) (int, error) { old = t; return 0, nil })); err != nil {
			return err
		}
		f := task.Spawn(t, wait)
		settle(t)
		func() {
			defer func() { _ = recover() }()
			old.Unpark()
			err = errors.New("Unpark of a task that has ended did not panic")
		}()
		settle(t)
		if f.Done() {
			return errors.New("the other task was resumed")
		}
		f.Cancel(nil)
		return err
	})
}

// stuck is a Parking that does not keep its contract.
type stuck struct{}

func (stuck) Abandon(error)  { panic("a bad parking") }
func (stuck) String() string { return "something bad" }

// What a task waits for and panics when it is abandoned is reported; the task goes on, and the others hear of the engine's end.
func TestAbandonPanics(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	start := func(fn func(t *task.Task) error) *rondo.Future[int] {
		f := task.Go(e.Loop(), func(t *task.Task) (int, error) { return 0, fn(t) })
		rig.On(t, e.Loop(), func() {})
		return f
	}
	park := func(t *task.Task) error { return t.Park(stuck{}) }
	f := start(park)
	rig.On(t, e.Loop(), func() { f.Cancel(errTest) })
	if _, err := rig.Outcome(t, f); !errors.Is(err, errTest) {
		t.Errorf("the task came to %v, want the reason", err)
	}
	e.Log.Await(t, "a bad parking")

	var told [3]error
	others := []func(t *task.Task) error{waitOnly, park, waitOnly}
	for i, fn := range others {
		start(func(t *task.Task) error { told[i] = fn(t); return told[i] })
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	e.Log.Await(t, "a bad parking")
	for i, err := range told {
		if !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("task %d was told %v, want ErrEngineClosed", i, err)
		}
	}
}
