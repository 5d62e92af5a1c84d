package task_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// A task that waits with the Task of another is told so, and the other's wait is none the worse for it.
func TestWaitsWithTheTaskOfAnother(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	var (
		lock  task.Lock
		event task.Event
	)
	lock.TryLock()
	for name, wait := range map[string]func(t *task.Task) error{
		"Sleep": func(t *task.Task) error { return task.Sleep(t, time.Hour) },
		"Yield": task.Yield,
		"Await": func(t *task.Task) error {
			_, err := task.Await(t, rondo.NewPromise[int](t.Loop()).Future())
			return err
		},
		"Lock.Lock":  lock.Lock,
		"Event.Wait": event.Wait,
		"Park":       func(t *task.Task) error { return t.Park(ignorant{}) },
		"Checkpoint": (*task.Task).Checkpoint,
		"WithTimeout": func(t *task.Task) error {
			return task.WithTimeout(t, time.Hour, func(*task.Task) error { return nil })
		},
		"WithGroup": func(t *task.Task) error {
			return task.WithGroup(t, func(*task.Task, *task.Group) error { return nil })
		},
	} {
		runOn(t, e.Loop(), func(outer *task.Task) error {
			p := rondo.NewPromise[int](outer.Loop())
			inner := task.Spawn(outer, func(*task.Task) (int, error) {
				defer p.ResolveOnLoop(7)
				return 0, wait(outer)
			})
			if v, err := task.Await(outer, p.Future()); v != 7 || err != nil {
				t.Errorf("%s: the other's wait: %d, %v", name, v, err)
			}
			_, err := task.Await(outer, inner)
			if _, ok := errors.AsType[*rondo.PanicError](err); !ok || !strings.Contains(err.Error(), "the Task that its own function was given") {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
	}
}

// What is kept of a task after its end is of that task, although what it ran on is another's by then.
func TestTaskAfterItsEnd(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	runOn(t, e.Loop(), func(self *task.Task) error {
		var ended *task.Task
		if err := join(self, spawn(self, func(t *task.Task) error {
			t.SetName("the first")
			ended = t
			return nil
		})); err != nil {
			return err
		}
		id := ended.ID()
		f := task.Spawn(self, func(t *task.Task) (int, error) {
			ended.SetName("not the second")
			if name := t.Name(); !strings.Contains(name, "TestTaskAfterItsEnd") {
				return 0, errors.New("the second is called " + name)
			}
			return wait(t)
		})
		settle(self)
		if ended.Cancel(errTest) {
			t.Error("a task that has ended was cancelled")
		}
		if ended.ID() != id || ended.Name() != "" || ended.Err() != context.Canceled || ended.Loop() != self.Loop() {
			t.Errorf("id %d after %d, name %q, Err %v", ended.ID(), id, ended.Name(), ended.Err())
		}
		func() {
			defer func() {
				if p := recover(); p == nil {
					t.Error("Unpark of a task that has ended does not panic")
				}
			}()
			ended.Unpark()
		}()
		settle(self)
		if f.Done() {
			t.Errorf("the second has ended: %v", f.Err())
		}
		f.Cancel(errOther)
		if _, err := task.Await(self, f); !errors.Is(err, errOther) {
			t.Errorf("the second: %v", err)
		}
		return nil
	})
}

// What tells a task that blocks from one that computes are the runtime's words, as they are in this version of it.
func TestBlockingStates(t *testing.T) {
	for state, want := range map[string]bool{
		"chan receive": true, "chan send": true, "chan receive (nil chan)": true, "select": true, "select (no cases)": true,
		"sync.Mutex.Lock": true, "sync.RWMutex.RLock": true, "sync.WaitGroup.Wait": true, "sync.Cond.Wait": true,
		"sleep": true, "IO wait": true, "syscall": true,
		"": false, "running": false, "runnable": false, "preempted": false, "coroutine": false, "copystack": false,
		"semacquire": false, "stopping the world": false, "GC assist wait": false, "wait for GC cycle": false,
	} {
		if task.Blocking(state) != want {
			t.Errorf("%q: %v", state, !want)
		}
	}
}
