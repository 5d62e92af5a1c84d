package task_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// spawn starts a task of which only the error matters.
func spawn(t *task.Task, fn func(t *task.Task) error) *rondo.Future[int] {
	return task.Spawn(t, func(t *task.Task) (int, error) { return 0, fn(t) })
}

// join waits for tasks and joins their errors.
func join(t *task.Task, fs ...*rondo.Future[int]) (err error) {
	for _, f := range fs {
		_, e := task.Await(t, f)
		err = errors.Join(err, e)
	}
	return err
}

func TestLockIsFair(t *testing.T) {
	run(t, func(t *task.Task) error {
		var l task.Lock
		var happened record
		if err := l.Lock(t); err != nil {
			return err
		}
		var fs []*rondo.Future[int]
		for i := range 4 {
			fs = append(fs, spawn(t, func(t *task.Task) error {
				if err := l.Lock(t); err != nil {
					return err
				}
				happened.add("+%d", i)
				_ = task.Yield(t)
				happened.add("-%d", i)
				l.Unlock()
				return nil
			}))
		}
		settle(t)
		fs[1].Cancel(errTest)
		l.Unlock()
		if !l.Locked() || l.TryLock() {
			return errors.New("the lock could be had before those who waited")
		}
		if err := l.Lock(t); err != nil { // behind all of them
			return err
		}
		happened.add("main")
		l.Unlock()
		if l.Locked() {
			return errors.New("the lock is held at the end")
		}
		return errors.Join(happened.expect("+0 -0 +2 -2 +3 -3 main"), wantErr("the cancelled one", join(t, fs...), errTest))
	})
}

// A task that is given the lock in the turn in which it is cancelled has it, and is told in its next wait.
func TestLockGivenAndCancelled(t *testing.T) {
	run(t, func(t *task.Task) error {
		var l task.Lock
		l.TryLock()
		var first, second error
		f := spawn(t, func(t *task.Task) error {
			first = l.Lock(t)
			second = task.Yield(t)
			l.Unlock()
			return nil
		})
		settle(t)
		l.Unlock()
		f.Cancel(errTest)
		if !l.Locked() {
			return errors.New("the lock was not handed over")
		}
		if err := join(t, f); err != nil || first != nil || second != errTest || l.Locked() {
			return fmt.Errorf("%w, %w, %w, locked: %v", err, first, second, l.Locked())
		}
		return nil
	})
}

func TestMisuseOfLocks(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	for what, fn := range map[string]func(t *task.Task){
		"Unlock":               func(*task.Task) { new(task.Lock).Unlock() },
		"Wait without a lock":  func(t *task.Task) { _ = task.NewCondition(nil).Wait(t) },
		"Release":              func(*task.Task) { task.NewSemaphore(1).Release(1) },
		"Release of less":      func(*task.Task) { task.NewSemaphore(1).Release(-1) },
		"Acquire of more":      func(t *task.Task) { _ = task.NewSemaphore(1).Acquire(t, 2) },
		"TryAcquire of less":   func(*task.Task) { task.NewSemaphore(1).TryAcquire(-1) },
		"a negative semaphore": func(*task.Task) { task.NewSemaphore(-1) },
		"a barrier for nobody": func(*task.Task) { task.NewBarrier(0) },
	} {
		_, err := rig.Outcome(t, task.Go(e.Loop(), func(t *task.Task) (int, error) { fn(t); return 0, nil }))
		if _, panicked := errors.AsType[*rondo.PanicError](err); !panicked {
			t.Errorf("%s: error %v, want a panic", what, err)
		}
	}
}

func TestEvent(t *testing.T) {
	run(t, func(t *task.Task) error {
		var e task.Event
		var happened record
		var fs []*rondo.Future[int]
		for i := range 3 {
			fs = append(fs, spawn(t, func(t *task.Task) error {
				err := e.Wait(t)
				happened.add("%d:%v", i, err == nil)
				return err
			}))
		}
		settle(t)
		fs[1].Cancel(errTest)
		e.Set()
		e.Clear() // does not take back what Set has given
		fs[2].Cancel(errTest)
		err := wantErr("the cancelled one", join(t, fs...), errTest)
		if e.IsSet() {
			return errors.New("it is set")
		}
		e.Set()
		return errors.Join(err, happened.expect("1:false 0:true 2:true"), e.Wait(t))
	})
}

func TestCondition(t *testing.T) {
	run(t, func(t *task.Task) error {
		var l task.Lock
		c := task.Condition{L: &l}
		var happened record
		stock := 0
		var fs []*rondo.Future[int]
		for i := range 4 {
			fs = append(fs, spawn(t, func(t *task.Task) error {
				if err := l.Lock(t); err != nil {
					return err
				}
				defer l.Unlock()
				err := c.WaitFor(t, func() bool { return stock > 0 })
				if !l.Locked() {
					return errors.New("Wait has returned without the lock")
				}
				if err != nil {
					happened.add("%d:cancelled", i)
					return err
				}
				happened.add("%d:%d", i, stock)
				stock--
				_ = task.Yield(t)
				return nil
			}))
		}
		settle(t)
		if err := l.Lock(t); err != nil {
			return err
		}
		stock = 2
		c.Notify(1)
		fs[0].Cancel(errTest) // it was notified before: it goes on
		fs[1].Cancel(errTest) // this one was not
		settle(t)
		if len(happened) > 0 {
			return fmt.Errorf("somebody went on without the lock: %q", happened)
		}
		c.NotifyAll()
		l.Unlock()
		settle(t)
		if err := happened.expect("0:2 1:cancelled 2:1"); err != nil {
			return err
		}
		stock = 1
		c.Notify(5) // without the lock: it is handed over
		err := wantErr("the cancelled one", join(t, fs...), errTest)
		if l.Locked() {
			return errors.New("the lock is held at the end")
		}
		return errors.Join(err, happened.expect("0:2 1:cancelled 2:1 3:1"))
	})
}

// A cancellation that comes while Wait takes the lock again is neither swallowed nor delivered twice.
func TestConditionCancelledWhileTakingTheLock(t *testing.T) {
	for _, notified := range []bool{true, false} {
		run(t, func(t *task.Task) error {
			c := task.NewCondition(nil)
			var errs []error
			f := spawn(t, func(t *task.Task) error {
				_ = c.L.Lock(t)
				errs = append(errs, c.Wait(t))
				c.L.Unlock()
				errs = append(errs, task.Yield(t), task.Yield(t))
				return nil
			})
			settle(t)
			_ = c.L.Lock(t)
			if notified {
				c.Notify(1)
			} else {
				f.Cancel(errTest) // it now wants the lock again
			}
			settle(t)
			f.Cancel(errTest)
			settle(t)
			if len(errs) > 0 {
				return errors.New("Wait has returned without the lock")
			}
			c.L.Unlock()
			if err := join(t, f); err != nil {
				return err
			}
			want := []error{nil, errTest, nil}
			if !notified {
				want = []error{errTest, nil, nil}
			}
			for i := range want {
				if errs[i] != want[i] {
					return fmt.Errorf("notified %v: the waits got %v, want %v", notified, errs, want)
				}
			}
			return nil
		})
	}
}

// Lists say what a task waits for.
func TestWhatIsAwaitedIsNamed(t *testing.T) {
	run(t, func(t *task.Task) error {
		var l task.Lock
		var e task.Event
		l.TryLock()
		c, s, b := task.NewCondition(nil), task.NewSemaphore(2), task.NewBarrier(2)
		s.TryAcquire(2)
		want := map[string]func(t *task.Task) error{
			"a lock":                        l.Lock,
			"an event":                      e.Wait,
			"a condition":                   func(t *task.Task) error { c.L.TryLock(); defer c.L.Unlock(); return c.Wait(t) },
			"a semaphore of 2":              func(t *task.Task) error { return s.Acquire(t, 1) },
			"a barrier for 2, with 1 there": func(t *task.Task) error { _, err := b.Wait(t); return err },
			"sleep":                         func(t *task.Task) error { return task.Sleep(t, time.Hour) },
			"a future of int":               func(t *task.Task) error { _, err := wait(t); return err },
		}
		for awaits, fn := range want {
			f := spawn(t, func(t *task.Task) error { t.SetName(awaits); return fn(t) })
			settle(t)
			tasks, err := task.Await(t, task.List(t.Loop()))
			if err != nil {
				return err
			}
			for _, i := range tasks {
				if i.Name == awaits && (i.State != task.Waiting || i.Awaits != awaits) {
					return fmt.Errorf("%v, want it waiting for %s", i, awaits)
				}
			}
			f.Cancel(errTest)
			if err := wantErr(awaits, join(t, f), errTest); err != nil {
				return err
			}
		}
		return nil
	})
}
