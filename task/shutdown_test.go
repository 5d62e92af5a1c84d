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

// A loop that is shut down with ten thousand tasks waiting: each gets its error, and none leaks.
func TestShutdownWithTenThousandTasksWaiting(t *testing.T) {
	for _, how := range []string{"Close", "Shutdown"} {
		t.Run(how, func(t *testing.T) {
			before := runtime.NumGoroutine()
			e := rig.New(t, rondo.Config{})
			waits := kindsOfWait(e.Loop())
			const n = 10_000
			var begun, told, again, ended atomic.Int64
			futures := make([]*rondo.Future[int], n)
			for i := range futures {
				futures[i] = task.Go(e.Loop(), func(t *task.Task) (int, error) {
					defer ended.Add(1)
					begun.Add(1)
					err := waits[i%len(waits)](t)
					if errors.Is(err, rondo.ErrEngineClosed) {
						told.Add(1)
					}
					if errors.Is(task.Sleep(t, time.Hour), rondo.ErrEngineClosed) { // cleaning up must not take for ever
						again.Add(1)
					}
					return i, err
				})
			}
			rig.Eventually(t, "all waiting", func() bool { return begun.Load() == n })
			rig.On(t, e.Loop(), func() {})
			if how == "Close" {
				if err := e.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(errTest)
				if err := e.Shutdown(ctx); !errors.Is(err, errTest) {
					t.Fatalf("Shutdown: %v, want %v", err, errTest)
				}
			}
			if told.Load() != n || again.Load() != n || ended.Load() != n {
				t.Errorf("of %d tasks %d were told, %d were told again, and %d have ended", n, told.Load(), again.Load(), ended.Load())
			}
			for i, f := range futures {
				if _, err := f.Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
					t.Fatalf("task %d: error %v, want ErrEngineClosed", i, err)
				}
			}
			rig.Eventually(t, "as many goroutines as before", func() bool { return runtime.NumGoroutine() <= before })
			clear(futures)
			for range 3 { // that they ended with the engine is no news to report
				runtime.GC()
			}
		})
	}
}

// kindsOfWait are all the ways to wait for ever.
func kindsOfWait(l *rondo.Loop) []func(t *task.Task) error {
	never := rondo.NewPromise[int](l).Future()
	held := new(task.Lock)
	held.TryLock()
	shared := new(task.Lock) // handed from one to the next as they end
	event := new(task.Event)
	forever := func(t *task.Task) error { return task.Sleep(t, time.Hour) }
	return []func(t *task.Task) error{
		forever,
		func(t *task.Task) error { _, err := wait(t); return err },
		func(t *task.Task) error { _, err := task.Await(t, never); return err },
		func(t *task.Task) error { return held.Lock(t) },
		func(t *task.Task) error {
			if err := shared.Lock(t); err != nil {
				return err
			}
			defer shared.Unlock()
			return forever(t)
		},
		func(t *task.Task) error { return event.Wait(t) },
		func(t *task.Task) error {
			c := task.NewCondition(nil)
			c.L.TryLock()
			defer c.L.Unlock()
			return c.Wait(t)
		},
		func(t *task.Task) error {
			return task.WithGroup(t, func(t *task.Task, g *task.Group) error {
				g.Go(forever)
				g.Go(func(t *task.Task) error { return task.Shielded(t, forever) })
				return forever(t)
			})
		},
		func(t *task.Task) error {
			return task.WithGroup(t, func(_ *task.Task, g *task.Group) error { g.Go(forever); return nil })
		},
		func(t *task.Task) error { return task.WithTimeout(t, time.Hour, forever) },
		func(t *task.Task) error { return task.Shielded(t, forever) },
		func(t *task.Task) error { _, err := task.Shield(t, never); return err },
		func(t *task.Task) error {
			_, _, err := task.Wait(t, task.AllCompleted, never, task.Spawn(t, wait))
			return err
		},
		func(t *task.Task) error { _, err := task.Gather(t, never, task.Spawn(t, wait)); return err },
	}
}

// Shutdown waits for tasks that come to their end.
func TestShutdownWaitsForTasks(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	begun := make(chan struct{})
	f := task.Go(e.Loop(), func(t *task.Task) (int, error) {
		close(begun)
		return 1, task.Sleep(t, 5*time.Millisecond)
	})
	rig.Await(t, begun)
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	defer cancel()
	if err := e.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	if v, err := f.Wait(t.Context()); v != 1 || err != nil {
		t.Errorf("the task came to %d, %v", v, err)
	}
}

// A task that goes on waiting for ever, whatever it is told, is ended; also one that recovers from that.
func TestTaskThatDoesNotEndIsEnded(t *testing.T) {
	type sleeper func(t *task.Task) error
	sleep := sleeper(func(t *task.Task) error { return task.Sleep(t, time.Hour) })
	for name, test := range map[string]struct {
		wait sleeper
		want string
	}{
		"it ignores errors": {sleep, "it went on waiting"},
		"it recovers": {func(t *task.Task) error {
			defer func() { _ = recover() }()
			return sleep(t)
		}, "Goexit"},
		"it shields": {func(t *task.Task) error { return task.Shielded(t, sleep) }, "it went on waiting"},
		"it starts groups": {func(t *task.Task) error {
			return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
				g.Go(sleep)
				return nil
			})
		}, "it went on waiting"},
	} {
		t.Run(name, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			f := task.Go(e.Loop(), func(t *task.Task) (int, error) {
				for {
					_ = test.wait(t)
				}
			})
			rig.On(t, e.Loop(), func() {})
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := f.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}

// A task that must have a lock back, which it will never get, is ended with the loop; and leaves the line, so that who gives the lock
// back as it is ended itself does not find it there.
func TestTaskThatWaitsForItsLockIsEnded(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	// deaf waits for a condition, is notified, and does not get the lock.
	deaf := func(t *task.Task, c *task.Condition) error {
		if err := c.L.Lock(t); err != nil {
			return err
		}
		t.Loop().Defer(func() {
			c.L.TryLock()
			c.Notify(1)
		})
		return c.Wait(t)
	}
	own, shared := task.NewCondition(nil), task.NewCondition(nil)
	holder := task.Go(e.Loop(), func(t *task.Task) (int, error) {
		defer shared.L.Unlock() // which the other holds in name
		return 0, deaf(t, own)
	})
	waiter := task.Go(e.Loop(), func(t *task.Task) (int, error) { return 0, deaf(t, shared) })
	rig.On(t, e.Loop(), func() {})
	rig.On(t, e.Loop(), func() {})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]*rondo.Future[int]{"the holder": holder, "the waiter": waiter} {
		if _, err := f.Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("%s: error %v, want ErrEngineClosed", what, err)
		}
	}
}

// What is started while the engine stops, or after it, does not begin.
func TestStartedAfterTheStop(t *testing.T) {
	for _, known := range []bool{true, false} { // is there a scheduler already?
		t.Run(fmt.Sprint("known=", known), func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			l := e.Loop()
			fn := func(*task.Task) (int, error) { t.Error("the task has begun"); return 0, errTest }
			var posted, spawned, child *rondo.Future[int]
			if known {
				task.Go(l, func(t *task.Task) (int, error) {
					_, _ = wait(t)
					spawned = task.Spawn(t, fn)
					_ = task.WithGroup(t, func(_ *task.Task, g *task.Group) error { child = task.GoIn(g, fn); return nil })
					return 0, nil
				})
			}
			rig.On(t, l, func() { l.OnStop(func() { posted = task.Go(l, fn) }) })
			if err := e.Close(); err != nil {
				t.Fatal(err)
			}
			for what, f := range map[string]*rondo.Future[int]{
				"posted": posted, "after the end": task.Go(l, fn), "spawned": spawned, "child": child,
				"with a context": task.GoContext(t.Context(), l, fn),
			} {
				if f == nil {
					continue
				}
				if _, err := f.Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
					t.Errorf("%s: error %v, want ErrEngineClosed", what, err)
				}
			}
		})
	}
}

// The end of the engine is not kept from what is shielded: neither from its waits nor from its context, also if that began later.
func TestShieldedContextEndsWithTheEngine(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	type end struct{ wait, err, cause error }
	var during, within, after end
	look := func(t *task.Task) end {
		err := task.Sleep(t, time.Hour)
		return end{err, t.Err(), context.Cause(t)}
	}
	task.Go(e.Loop(), func(t *task.Task) (int, error) {
		_ = task.Shielded(t, func(t *task.Task) error {
			_ = t.Done()
			_ = task.Shielded(t, func(t *task.Task) error {
				return task.WithTimeout(t, time.Hour, func(t *task.Task) error { within = look(t); return nil })
			})
			during = look(t)
			return nil
		})
		_ = task.Shielded(t, func(t *task.Task) error { after = look(t); return nil })
		return 0, nil
	})
	rig.On(t, e.Loop(), func() {})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	for what, got := range map[string]end{"during": during, "within": within, "after": after} {
		if want := (end{rondo.ErrEngineClosed, context.Canceled, rondo.ErrEngineClosed}); got != want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
}

// The engine ends while a group's task is ready and its child waits: the child does not outlive the group then either.
func TestGroupAtTheEngineEnd(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	up := make(chan struct{})
	var order record
	children := make(chan *rondo.Future[int], 1)
	parent := task.Go(e.Loop(), func(t *task.Task) (int, error) {
		err := task.WithGroup(t, func(t *task.Task, g *task.Group) error {
			children <- task.GoIn(g, func(t *task.Task) (int, error) {
				defer order.add("child")
				return wait(t)
			})
			close(up)
			for {
				if err := task.Yield(t); err != nil {
					return err
				}
			}
		})
		order.add("parent")
		return 0, err
	})
	rig.Await(t, up)
	rig.On(t, e.Loop(), func() {})
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := order.expect("child parent"); err != nil {
		t.Error(err)
	}
	for what, f := range map[string]*rondo.Future[int]{"parent": parent, "child": <-children} {
		if _, err := f.Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
