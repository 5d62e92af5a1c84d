package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
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

// The Task of one that has ended is no right to wait for whoever has got its fiber; nor at the engine's end, when every wait fails.
func TestWaitsWithTheTaskOfTheDead(t *testing.T) {
	run(t, func(t *task.Task) error {
		var old *task.Task
		if err := join(t, spawn(t, func(t *task.Task) error { old = t; return nil })); err != nil {
			return err
		}
		return misused(task.Await(t, task.Spawn(t, func(*task.Task) (int, error) { return 0, task.Yield(old) })))
	})
	e := rig.New(t, rondo.Config{})
	up := make(chan struct{})
	child := make(chan *rondo.Future[int], 1)
	task.Go(e.Loop(), func(outer *task.Task) (int, error) {
		child <- task.Spawn(outer, func(t *task.Task) (int, error) {
			close(up)
			_, _ = wait(t)
			return 0, task.Sleep(outer, time.Second)
		})
		return 0, nil
	})
	rig.Await(t, up)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := misused((<-child).Wait(t.Context())); err != nil {
		t.Error(err)
	}
}

func misused(_ int, err error) error {
	if p, ok := errors.AsType[*rondo.PanicError](err); !ok || !strings.Contains(p.Error(), "the Task that its own function was given") {
		return fmt.Errorf("it is not noticed: %w", err)
	}
	return nil
}

// exits calls runtime.Goexit when it is told of a task's end.
type exits struct{}

func (exits) FutureDone() { runtime.Goexit() }

// Something that is told of a task's end and calls runtime.Goexit does not keep the loop's other tasks from running.
func TestGoexitOfWhoIsTold(t *testing.T) {
	for how, end := range map[string]func() error{
		"returns": func() error { return errTest },
		"panics":  func() error { panic("x") },
		"exits":   func() error { runtime.Goexit(); return nil },
	} {
		t.Run(how, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			l := e.Loop()
			var w rondo.Waiter
			w.Init(exits{})
			var event task.Event
			f := task.Go(l, func(t *task.Task) (int, error) {
				if err := event.Wait(t); err != nil {
					return 0, err
				}
				return 0, end()
			})
			rig.On(t, l, func() {})
			rig.On(t, l, func() { f.Watch(&w); event.Set() })
			if v := rig.Result(t, task.Go(l, func(t *task.Task) (int, error) { return 1, task.Yield(t) })); v != 1 {
				t.Error(v)
			}
		})
	}
}

// resumer is what a task waits for: when it is cancelled another goes on at once.
type resumer struct{ other *task.Task }

func (r *resumer) Abandon(error)  { r.other.Resume() }
func (r *resumer) String() string { return "another" }

// A child that ends while the group tells the others that they are cancelled is not told.
func TestChildEndsWhileOthersAreCancelled(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	l := e.Loop()
	groups := make(chan *task.Group, 1)
	r := new(resumer)
	f := task.Go(l, func(t *task.Task) (int, error) {
		return 0, task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			g.Go(func(t *task.Task) error { return t.Park(r) })
			g.Go(func(t *task.Task) error { r.other = t; return t.Park(ignorant{}) })
			settle(t)
			groups <- g
			return nil
		})
	})
	g := rig.Await(t, groups)
	rig.On(t, l, func() {}) // the group waits
	rig.On(t, l, func() { g.Cancel(errTest) })
	if _, err := rig.Outcome(t, f); err != nil {
		t.Error(err)
	}
}

// The future of a child that has ended does not keep its group.
func TestFutureOfAChildKeepsNoGroup(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	var collected atomic.Bool
	var fs []*rondo.Future[int]
	runOn(t, e.Loop(), func(t *task.Task) error {
		return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
			runtime.AddCleanup(g, func(int) { collected.Store(true) }, 0)
			for range 3000 { // more than are pooled
				fs = append(fs, task.GoIn(g, func(t *task.Task) (int, error) { return 0, task.Yield(t) }))
			}
			return nil
		})
	})
	rig.Eventually(t, "the group is collected", func() bool {
		runtime.GC()
		return collected.Load()
	})
	runtime.KeepAlive(fs)
}
