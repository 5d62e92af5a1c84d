package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

func TestCancelBeforeStart(t *testing.T) {
	run(t, func(t *task.Task) error {
		began := false
		f := task.Spawn(t, func(*task.Task) (int, error) { began = true; return 1, nil })
		if !f.Cancel(errTest) {
			return errors.New("Cancel said that it was too late")
		}
		if _, err := task.Await(t, f); !errors.Is(err, errTest) || began {
			return fmt.Errorf("error %w, began %v; want errTest, false", err, began)
		}
		return nil
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	run(t, func(t *task.Task) error {
		p := rondo.NewPromise[int](t.Loop())
		var got, after, state error
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			_, got = task.Await(t, p.Future())
			after = task.Sleep(t, 1) // delivered once: what comes now is waited for
			state = t.Err()
			return 1, nil
		})
		settle(t)
		f.Cancel(errTest)
		v, err := task.Await(t, f)
		switch {
		case v != 1 || err != nil: // what the task returns counts
			return fmt.Errorf("the task came to %d, %w", v, err)
		case got != errTest || after != nil || state != context.Canceled:
			return fmt.Errorf("Await: %w; the wait after it: %w; Err: %w", got, after, state)
		}
		return wantErr("what it awaited", p.Future().Err(), errTest)
	})
}

// Each kind of wait hears of it.
func TestCancelEachKindOfWait(t *testing.T) {
	var (
		lock  task.Lock
		event task.Event
	)
	waits := map[string]func(t *task.Task) error{
		"await":     func(t *task.Task) error { _, err := wait(t); return err },
		"sleep":     func(t *task.Task) error { return task.Sleep(t, time.Hour) },
		"lock":      func(t *task.Task) error { return lock.Lock(t) },
		"event":     func(t *task.Task) error { return event.Wait(t) },
		"semaphore": func(t *task.Task) error { s := task.NewSemaphore(1); s.TryAcquire(1); return s.Acquire(t, 1) },
		"barrier":   func(t *task.Task) error { _, err := task.NewBarrier(2).Wait(t); return err },
		"condition": func(t *task.Task) error {
			c := task.NewCondition(nil)
			c.L.TryLock()
			return c.Wait(t)
		},
		"gather": func(t *task.Task) error {
			_, err := task.Gather(t, task.Spawn(t, wait), task.Spawn(t, wait))
			return err
		},
		"wait": func(t *task.Task) error {
			_, _, err := task.Wait(t, task.AllCompleted, task.Spawn(t, wait), task.Spawn(t, wait))
			return err
		},
		"as completed": func(t *task.Task) (last error) {
			for _, err := range task.AsCompleted(t, task.Spawn(t, wait)) {
				last = err
			}
			return last
		},
		"another task": func(t *task.Task) error { _, err := task.Await(t, task.Spawn(t, wait)); return err },
		"group": func(t *task.Task) error {
			return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error { _, err := wait(t); return err })
				return nil
			})
		},
		"timeout": func(t *task.Task) error {
			return task.WithTimeout(t, time.Hour, func(t *task.Task) error { _, err := wait(t); return err })
		},
		"shield": func(t *task.Task) error {
			f := rondo.NewPromise[int](t.Loop()).Future()
			_, err := task.Shield(t, f)
			if f.Done() {
				return errors.New("Shield has told the future")
			}
			return err
		},
	}
	lock.TryLock()
	for name, fn := range waits {
		for _, when := range []string{"while it waits", "before it waits"} {
			t.Run(name+" "+when, func(t *testing.T) {
				run(t, func(t *task.Task) error {
					var twice error
					f := task.Spawn(t, func(t *task.Task) (int, error) {
						if when == "before it waits" {
							t.Cancel(errTest)
						}
						err := fn(t)
						twice = errors.Join(task.Yield(t), task.Sleep(t, 1))
						return 0, err
					})
					settle(t)
					f.Cancel(errTest)
					_, err := task.Await(t, f)
					if twice != nil {
						return fmt.Errorf("delivered twice: %w", twice)
					}
					return wantErr("the wait", err, errTest)
				})
			})
		}
	}
}

// Cancelled in the turn in which the result came: the result wins, and the next wait gets the cancellation.
func TestCancelWhileBeingResumed(t *testing.T) {
	run(t, func(t *task.Task) error {
		p := rondo.NewPromise[int](t.Loop())
		var v int
		var first, second, third error
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			v, first = task.Await(t, p.Future())
			_, second = task.Await(t, rondo.Resolved(t.Loop(), 2))
			_, third = task.Await(t, rondo.Resolved(t.Loop(), 3))
			return 0, nil
		})
		settle(t)
		p.ResolveOnLoop(1)
		if !f.Cancel(errTest) {
			return errors.New("Cancel said that it was too late")
		}
		if _, err := task.Await(t, f); err != nil {
			return err
		}
		if v != 1 || first != nil || second != errTest || third != nil {
			return fmt.Errorf("got %d, %w, then %w and %w", v, first, second, third)
		}
		return nil
	})
}

// The other way round the cancellation wins.
func TestResultAfterCancel(t *testing.T) {
	run(t, func(t *task.Task) error {
		p := rondo.NewPromise[int](t.Loop())
		f := task.Spawn(t, func(t *task.Task) (int, error) { return task.Await(t, p.Future()) })
		settle(t)
		f.Cancel(errTest)
		if p.ResolveOnLoop(1) {
			return errors.New("the promise was not told in time")
		}
		_, err := task.Await(t, f)
		return wantErr("the task", err, errTest)
	})
}

func TestCancelAfterTheEndAndTwice(t *testing.T) {
	run(t, func(t *task.Task) error {
		f := task.Spawn(t, wait)
		settle(t)
		if !f.Cancel(errTest) || f.Cancel(errOther) {
			return errors.New("Cancel does not say whether it was the first")
		}
		if _, err := task.Await(t, f); !errors.Is(err, errTest) {
			return fmt.Errorf("error %w, want the first reason", err)
		}
		if f.Cancel(nil) {
			return errors.New("a task was cancelled after its end")
		}
		return nil
	})
}

// A future whose owner is gone cancels what works on it: cancelling from a cleanup of the garbage collector's.
func TestCancelFromAFinaliser(t *testing.T) {
	for _, how := range []string{"SetFinalizer", "AddCleanup"} {
		t.Run(how, func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			l := e.Loop()
			f := task.Go(l, wait)
			type owner struct{ _ [64]byte }
			cancel := func() { l.Post(func() { f.Cancel(errTest) }) }
			func() {
				o := new(owner)
				if how == "AddCleanup" {
					runtime.AddCleanup(o, func(int) { cancel() }, 0)
				} else {
					runtime.SetFinalizer(o, func(*owner) { cancel() })
				}
			}()
			done := make(chan error, 1)
			rig.On(t, l, func() { f.OnDone(func(_ int, err error) { done <- err }) })
			var err error
			rig.Eventually(t, "cancelled", func() bool {
				runtime.GC()
				select {
				case err = <-done:
					return true
				default:
					return false
				}
			})
			if !errors.Is(err, errTest) {
				t.Errorf("error %v, want %v", err, errTest)
			}
		})
	}
}

// What others wait for too is not cancelled with one of them.
func TestCancelLeavesWhatIsShared(t *testing.T) {
	run(t, func(t *task.Task) error {
		p := rondo.NewPromise[int](t.Loop())
		one := func(t *task.Task) (int, error) { return task.Await(t, p.Future()) }
		a, b := task.Spawn(t, one), task.Spawn(t, one)
		settle(t)
		a.Cancel(errTest)
		settle(t)
		if p.Future().Done() {
			return errors.New("the future was cancelled with the first that waited")
		}
		p.ResolveOnLoop(7)
		if v, err := task.Await(t, b); v != 7 || err != nil {
			return fmt.Errorf("the other came to %d, %w", v, err)
		}
		return wantErr("the first", a.Err(), errTest)
	})
}

// What a cancelled task is about to wait for is told as well: nobody else might ever tell it.
func TestCancelledTaskTellsWhatItAwaitsNext(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	loops := e.Loops()
	far := rondo.NewPromise[int](loops[1])
	told := make(chan error, 1)
	far.OnCancel(func(reason error) { told <- reason; far.Reject(reason) })
	runOn(t, loops[0], func(t *task.Task) error {
		near, shielded := rondo.NewPromise[int](t.Loop()), rondo.NewPromise[int](t.Loop())
		for _, f := range []func(t *task.Task) error{
			func(t *task.Task) error { _, err := task.Await(t, near.Future()); return err },
			func(t *task.Task) error { _, err := task.Await(t, far.Future()); return err },
			func(t *task.Task) error { _, err := task.Shield(t, shielded.Future()); return err },
		} {
			_, err := task.Await(t, task.Spawn(t, func(t *task.Task) (int, error) {
				t.Cancel(errTest)
				return 0, f(t)
			}))
			if err := wantErr("the task", err, errTest); err != nil {
				return err
			}
		}
		if shielded.Future().Done() {
			return errors.New("a shielded future was told")
		}
		return wantErr("what it awaits", near.Future().Err(), errTest)
	})
	if err := rig.Await(t, told); !errors.Is(err, errTest) {
		t.Errorf("the future of another loop was told %v, want %v", err, errTest)
	}
}

// A task can cancel itself, and blocks within it.
func TestCancelItself(t *testing.T) {
	run(t, func(t *task.Task) error {
		f := task.Spawn(t, func(t *task.Task) (int, error) {
			if !t.Cancel(errTest) || t.Cancel(errOther) {
				return 0, errors.New("Cancel does not say whether it was the first")
			}
			return 1, task.Yield(t)
		})
		_, err := task.Await(t, f)
		return wantErr("the task", err, errTest)
	})
}
