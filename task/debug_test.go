package task_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

func blocks(ch chan int) { <-ch }

// A task that waits for something else than the loop stops the loop: the watchdog says where.
func TestWatchdogFindsATaskThatBlocks(t *testing.T) {
	for _, nested := range []bool{false, true} {
		e := rig.New(t, rondo.Config{Debug: true})
		ch := make(chan int)
		f := task.Go(e.Loop(), func(t *task.Task) (int, error) {
			if nested {
				return 0, join(t, spawn(t, func(*task.Task) error { blocks(ch); return nil }))
			}
			blocks(ch)
			return 0, nil
		})
		line := e.Log.Await(t, "blocks its loop")
		if !strings.Contains(line, "task_test.blocks") || !strings.Contains(line, "chan receive") {
			t.Errorf("the report does not say where, or how: %s", line)
		}
		close(ch)
		rig.Result(t, f)
	}
}

// A task that computes is not reported.
func TestWatchdogLeavesATaskAloneThatComputes(t *testing.T) {
	e := rig.New(t, rondo.Config{Debug: true})
	runOn(t, e.Loop(), func(t *task.Task) error {
		end := t.Loop().Now().Add(300 * time.Millisecond) // six looks of the dog
		for t.Loop().Now().Before(end) {
			_ = make([]byte, 1024)
		}
		return nil
	})
}

func fails(*task.Task) (int, error) { return 0, errTest }

// A task that fails and whose future nobody looks at is reported when it is collected, and the report names it.
func TestUnseenErrorOfATask(t *testing.T) {
	for _, debug := range []bool{false, true} {
		e := rig.New(t, rondo.Config{Debug: debug})
		task.Go(e.Loop(), fails)
		rig.On(t, e.Loop(), func() {})
		var line string
		rig.Eventually(t, "reported", func() (ok bool) {
			runtime.GC()
			line, ok = e.Log.Take("nobody looked at the error")
			return ok
		})
		if !strings.Contains(line, errTest.Error()) || !strings.Contains(line, "task_test.fails") {
			t.Errorf("the report does not say what has failed: %s", line)
		}
		if e.Loop().Debug() && !strings.Contains(line, "TestUnseenErrorOfATask") {
			t.Errorf("the report does not say where it was started: %s", line)
		}
	}
}

// An error that somebody has seen, or has caused by cancelling, is not reported.
func TestSeenErrorsOfTasks(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	runOn(t, e.Loop(), func(t *task.Task) error {
		_, _ = task.Await(t, task.Spawn(t, fails))
		task.Spawn(t, fails).Ignore()
		task.Spawn(t, wait).Cancel(errTest)
		var self *task.Task
		task.Spawn(t, func(t *task.Task) (int, error) { self = t; return wait(t) })
		settle(t)
		self.Cancel(errOther)
		settle(t)
		return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
			task.GoIn(g, wait)
			g.Cancel(nil)
			return nil
		})
	})
	for range 5 {
		runtime.GC()
	}
	rig.On(t, e.Loop(), func() {})
}

// What tasks wait for is not for other goroutines, where the loop can be known: where somebody waits.
func TestForeignGoroutine(t *testing.T) {
	var (
		event     task.Event
		lock      task.Lock
		parked    = new(task.Task)
		semaphore = task.NewSemaphore(1)
		condition = task.NewCondition(nil)
		barrier   = task.NewBarrier(2)
	)
	lock.TryLock()
	semaphore.TryAcquire(1)
	e := rig.New(t, rondo.Config{Debug: true})
	for _, wait := range []func(t *task.Task) error{
		event.Wait, lock.Lock, func(t *task.Task) error { return semaphore.Acquire(t, 1) },
		func(t *task.Task) error { condition.L.TryLock(); return condition.Wait(t) },
		func(t *task.Task) error { _, err := barrier.Wait(t); return err },
		func(t *task.Task) error { parked = t; return t.Park(ignorant{}) },
	} {
		task.Go(e.Loop(), func(t *task.Task) (int, error) { return 0, wait(t) })
	}
	rig.On(t, e.Loop(), func() {}) // in the turn in which they begin,
	rig.On(t, e.Loop(), func() {}) // and in one after that
	for what, call := range map[string]func(){
		"Event.Set": event.Set, "Event.Clear": event.Clear, "Event.IsSet": func() { event.IsSet() },
		"Lock.TryLock": func() { lock.TryLock() }, "Lock.Unlock": lock.Unlock, "Lock.Locked": func() { lock.Locked() },
		"Semaphore.TryAcquire": func() { semaphore.TryAcquire(1) }, "Semaphore.Release": func() { semaphore.Release(1) },
		"Semaphore.Free":   func() { semaphore.Free() },
		"Condition.Notify": func() { condition.Notify(1) }, "Condition.NotifyAll": condition.NotifyAll,
		"Barrier.Reset": barrier.Reset, "Barrier.Abort": barrier.Abort, "Barrier.Waiting": func() { barrier.Waiting() },
		"Task.Unpark": func() { parked.Unpark() }, "Task.Resume": func() { parked.Resume() },
	} {
		func() {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, what+" was called by goroutine") {
					t.Errorf("%s: %s", what, p)
				}
			}()
			call()
		}()
	}
}

// ignorant is something to be parked on.
type ignorant struct{}

func (ignorant) Abandon(error)  {}
func (ignorant) String() string { return "something" }

// Waiting for several is not looking at the errors of all.
func TestUnseenErrorsOfSeveral(t *testing.T) {
	failing := func(name string) func(*task.Task) (int, error) {
		return func(*task.Task) (int, error) { return 0, errors.New(name) }
	}
	for name, fn := range map[string]func(t *task.Task, seen, unseen *rondo.Future[int]) error{
		"wait": func(t *task.Task, seen, unseen *rondo.Future[int]) error {
			done, _, err := task.Wait(t, task.AllCompleted, seen, unseen)
			_ = done[0].Err()
			return err
		},
		"wait for an error": func(t *task.Task, seen, unseen *rondo.Future[int]) error {
			_, _, err := task.Wait(t, task.FirstError, unseen, seen)
			_ = seen.Err()
			return err
		},
		"gather": func(t *task.Task, seen, unseen *rondo.Future[int]) error {
			settle(t)
			if _, err := task.Gather(t, seen, unseen); err == nil {
				return errors.New("no error")
			}
			return nil
		},
		"as completed": func(t *task.Task, seen, unseen *rondo.Future[int]) error {
			for range task.AsCompleted(t, seen, unseen) { //nolint:errcheck // not to look is what this is about
				break
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			runOn(t, e.Loop(), func(t *task.Task) error {
				return fn(t, task.Spawn(t, failing("the first")), task.Spawn(t, failing("the second")))
			})
			rig.Eventually(t, "reported", func() (ok bool) {
				runtime.GC()
				_, ok = e.Log.Take("the second")
				return ok
			})
		})
	}
}
