package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

func TestResultsAndErrors(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	if v := rig.Result(t, task.Go(e.Loop(), func(*task.Task) (string, error) { return "x", nil })); v != "x" {
		t.Errorf("result %q", v)
	}
	if _, err := rig.Outcome(t, task.Go(e.Loop(), func(*task.Task) (string, error) { return "", errTest })); !errors.Is(err, errTest) {
		t.Errorf("error %v", err)
	}
	rig.On(t, e.Loop(), func() { // Start does not begin within itself
		began := false
		task.Start(e.Loop(), func(*task.Task) (int, error) { began = true; return 0, nil })
		if began {
			t.Error("the task began within Start")
		}
	})
}

// Tasks begin in the order in which they were started, and take turns.
func TestOrder(t *testing.T) {
	run(t, func(t *task.Task) error {
		var happened record
		var fs []*rondo.Future[int]
		for i := range 3 {
			fs = append(fs, spawn(t, func(t *task.Task) error {
				for round := range 2 {
					happened.add("%d.%d", i, round)
					_ = task.Yield(t)
				}
				return nil
			}))
		}
		happened.add("main")
		return errors.Join(join(t, fs...), happened.expect("main 0.0 1.0 2.0 0.1 1.1 2.1"))
	})
}

func TestSleep(t *testing.T) {
	run(t, func(t *task.Task) error {
		var happened record
		var fs []*rondo.Future[int]
		for _, ms := range []int{82, 2, 42} {
			fs = append(fs, spawn(t, func(t *task.Task) error {
				d := time.Duration(ms) * time.Millisecond
				begin := t.Loop().Now()
				err := task.Sleep(t, d)
				if slept := t.Loop().Now().Sub(begin); slept < d {
					return fmt.Errorf("slept %v of %v", slept, d)
				}
				happened.add("%d", ms)
				return err
			}))
		}
		return errors.Join(join(t, fs...), happened.expect("2 42 82"), task.Sleep(t, 0), task.Sleep(t, -1))
	})
}

// Tasks that yield to each other, or to nobody, leave the loop time for its timers and for what is posted.
func TestYieldingTasksDoNotStarveTheLoop(t *testing.T) {
	for _, n := range []int{1, 2, 3000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			e := rig.New(t, rondo.Config{})
			fired, posted := make(chan struct{}), make(chan struct{})
			done := false
			runOn(t, e.Loop(), func(t *task.Task) error {
				for range n {
					spawn(t, func(t *task.Task) error {
						for !done {
							_ = task.Yield(t)
						}
						return nil
					})
				}
				t.Loop().After(time.Millisecond, func() { close(fired) })
				return nil
			})
			rig.Await(t, fired)
			e.Loop().Post(func() { close(posted) })
			rig.Await(t, posted)
			rig.On(t, e.Loop(), func() { done = true })
		})
	}
}

// A thousand tasks and more at once, again and again: coroutines are used again, and those beyond need are ended.
func TestManyTasks(t *testing.T) {
	before := runtime.NumGoroutine()
	e := rig.New(t, rondo.Config{})
	for range 3 {
		runOn(t, e.Loop(), func(t *task.Task) error {
			var fs []*rondo.Future[int]
			for i := range 5000 {
				fs = append(fs, task.Spawn(t, func(t *task.Task) (int, error) { return i, task.Yield(t) }))
			}
			all, err := task.Gather(t, fs...)
			for i, v := range all {
				if i != v {
					return fmt.Errorf("result %d is %d", i, v)
				}
			}
			return err
		})
		rig.Eventually(t, "coroutines given back", func() bool { return runtime.NumGoroutine() < before+1100 })
	}
}

func TestGather(t *testing.T) {
	run(t, func(t *task.Task) error {
		later := func(v, ms int, err error) *rondo.Future[int] {
			return task.Spawn(t, func(t *task.Task) (int, error) {
				return v, errors.Join(task.Sleep(t, time.Duration(ms)*time.Millisecond), err)
			})
		}
		all, err := task.Gather(t, later(1, 3, nil), later(2, 1, nil), later(3, 2, nil))
		if err != nil || !slices.Equal(all, []int{1, 2, 3}) {
			return fmt.Errorf("gathered %v, %w", all, err)
		}
		slow := later(1, 1000_000, nil)
		_, err = task.Gather(t, slow, later(2, 1, errTest))
		if _, cancelled := task.Await(t, slow); !errors.Is(cancelled, errTest) {
			return fmt.Errorf("the other one: %w", cancelled)
		}
		none, nothing := task.Gather[int](t)
		if len(none) != 0 || nothing != nil {
			return fmt.Errorf("of nothing: %v, %w", none, nothing)
		}
		return wantErr("Gather", err, errTest)
	})
}

func TestWait(t *testing.T) {
	run(t, func(t *task.Task) error {
		for _, test := range []struct {
			when          task.When
			fail          bool
			done, pending int
		}{
			{task.AllCompleted, true, 3, 0},
			{task.FirstCompleted, true, 1, 2},
			{task.FirstError, true, 2, 1},
			{task.FirstError, false, 3, 0},
		} {
			p := [3]*rondo.Promise[int]{}
			var fs []rondo.Awaitable
			for i := range p {
				p[i] = rondo.NewPromise[int](t.Loop())
				fs = append(fs, p[i].Future())
				turns := 2 * i
				spawn(t, func(t *task.Task) error {
					for range turns {
						_ = task.Yield(t)
					}
					if test.fail && turns == 2 {
						p[i].RejectOnLoop(errTest)
					} else {
						p[i].ResolveOnLoop(i)
					}
					return nil
				})
			}
			done, pending, err := task.Wait(t, test.when, fs...)
			if len(done) != test.done || len(pending) != test.pending || err != nil {
				return fmt.Errorf("%v, fail %v: %d done and %d pending, %w", test.when, test.fail, len(done), len(pending), err)
			}
			if _, _, err := task.Wait(t, task.AllCompleted, fs...); err != nil { // now, or at once
				return err
			}
			_ = p[1].Future().Err()
		}
		done, pending, err := task.Wait(t, task.FirstCompleted)
		if len(done)+len(pending) != 0 {
			return errors.New("of nothing there is something")
		}
		return err
	})
}

func TestAsCompleted(t *testing.T) {
	run(t, func(t *task.Task) error {
		var happened record
		var ps []*rondo.Promise[string]
		var fs []*rondo.Future[string]
		for range 4 {
			ps = append(ps, rondo.NewPromise[string](t.Loop()))
			fs = append(fs, ps[len(ps)-1].Future())
		}
		spawn(t, func(t *task.Task) error {
			ps[2].ResolveOnLoop("c")
			_ = task.Yield(t)
			ps[0].RejectOnLoop(errTest)
			ps[1].ResolveOnLoop("b")
			return nil
		})
		for v, err := range task.AsCompleted(t, fs...) {
			happened.add("%s/%v", v, err != nil)
			if len(happened) == 3 {
				break
			}
		}
		if !fs[3].Done() {
			return errors.New("what was pending when the loop was left goes on")
		}
		return happened.expect("c/false /true b/false")
	})
}

// A future of another loop can be awaited, and cancelled.
func TestAwaitAnotherLoop(t *testing.T) {
	e := rig.New(t, rondo.Config{Loops: 2})
	here, there := e.Loops()[0], e.Loops()[1]
	runOn(t, here, func(t *task.Task) error {
		for i := range 100 {
			f := task.Go(there, func(t *task.Task) (int, error) { return i, task.Yield(t) })
			if v, err := task.Await(t, f); v != i || err != nil {
				return fmt.Errorf("got %d, %w; want %d", v, err, i)
			}
		}
		told := rondo.NewPromise[error](here)
		f := task.Go(there, func(t *task.Task) (int, error) {
			_, err := wait(t)
			told.Resolve(err)
			return 0, err
		})
		_, err := task.MoveOnAfter(t, time.Millisecond, func(t *task.Task) error { _, err := task.Await(t, f); return err })
		if err != nil {
			return err
		}
		reason, err := task.Await(t, told.Future())
		return errors.Join(err, wantErr("the other task", reason, context.DeadlineExceeded))
	})
}

// What runs in a task runs on the loop, for debug builds too; and waiting there as another goroutine would is refused.
func TestTasksAreOnTheLoop(t *testing.T) {
	e := rig.New(t, rondo.Config{Debug: true})
	runOn(t, e.Loop(), func(t *task.Task) error {
		calls := func(t *task.Task) error {
			l := t.Loop()
			l.Defer(func() {})
			l.After(time.Hour, func() {}).Stop()
			f := rondo.NewPromise[int](l).Future()
			f.OnDone(func(int, error) {})
			if _, err := f.Wait(t); !errors.Is(err, rondo.ErrOnLoop) {
				return fmt.Errorf("Future.Wait: %w, want ErrOnLoop", err)
			}
			return wantErr("Close", e.Close(), rondo.ErrOnLoop)
		}
		a, b := spawn(t, calls), spawn(t, func(t *task.Task) error { _ = task.Yield(t); return calls(t) })
		return errors.Join(calls(t), join(t, a, b))
	})
}

// A task that awaits itself would wait for ever: it is told so.
func TestAwaitItself(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	var f *rondo.Future[int]
	rig.On(t, e.Loop(), func() {
		f = task.Start(e.Loop(), func(t *task.Task) (int, error) { return task.Await(t, f) })
	})
	if _, err := rig.Outcome(t, f); err == nil || !strings.Contains(err.Error(), "awaits its own future") {
		t.Errorf("error %v, want one that says what is wrong", err)
	}
}
