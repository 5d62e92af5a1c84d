package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// A task is a context that ends when it is cancelled, or has ended.
func TestTaskIsAContext(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	var ctx context.Context
	var during error
	f := task.Go(e.Loop(), func(t *task.Task) (int, error) {
		ctx = t
		during = t.Err()
		select {
		case <-t.Done():
			return 0, errors.New("it is over at the beginning")
		default:
		}
		_, err := wait(t)
		return 0, err
	})
	rig.On(t, e.Loop(), func() {})
	rig.On(t, e.Loop(), func() { f.Cancel(errTest) })
	rig.Await(t, ctx.Done())
	if during != nil || ctx.Err() != context.Canceled || context.Cause(ctx) != errTest {
		t.Errorf("before: %v; then: %v, because of %v", during, ctx.Err(), context.Cause(ctx))
	}
	rig.Result(t, task.Go(e.Loop(), func(t *task.Task) (int, error) { ctx = t; return 0, nil }))
	rig.Await(t, ctx.Done()) // asked for the first time after the end
	if ctx.Err() != context.Canceled {
		t.Errorf("after the end: %v", ctx.Err())
	}
}

// Contexts made of a task end with it, need no goroutine to follow it, and may be used by any goroutine.
func TestContextsOfATask(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ready := make(chan *task.Task)
	f := task.Go(e.Loop(), func(t *task.Task) (int, error) {
		task.Go(t.Loop(), func(*task.Task) (int, error) { return 0, nil })
		return 0, task.WithTimeout(t, time.Hour, func(t *task.Task) error {
			go func() { ready <- t }()
			_, err := wait(t)
			return err
		})
	})
	tk := rig.Await(t, ready)
	if d, ok := tk.Deadline(); !ok || time.Until(d) > time.Hour {
		t.Errorf("the deadline is %v, %v", d, ok)
	}
	before := runtime.NumGoroutine()
	var all []context.Context
	for range 100 {
		ctx, cancel := context.WithTimeout(tk, time.Hour)
		defer cancel()
		all = append(all, ctx)
	}
	if now := runtime.NumGoroutine(); now > before+10 {
		t.Errorf("%d goroutines follow 100 contexts", now-before)
	}
	var users sync.WaitGroup
	for range 4 {
		users.Go(func() {
			for _, ctx := range all {
				<-ctx.Done()
				if ctx.Err() != context.Canceled || context.Cause(ctx) != errTest || tk.Err() == nil || tk.Value("x") != nil {
					t.Errorf("a derived context ended with %v, because of %v", ctx.Err(), context.Cause(ctx))
				}
			}
		})
	}
	rig.On(t, e.Loop(), func() { f.Cancel(errTest) })
	users.Wait()
}

// GoContext's tasks end with their context, and have its values.
func TestGoContext(t *testing.T) {
	type key struct{}
	e := rig.New(t, rondo.Config{})
	parent := context.WithValue(t.Context(), key{}, 1)

	ctx, cancel := context.WithCancelCause(parent)
	f := task.GoContext(ctx, e.Loop(), func(t *task.Task) (any, error) {
		_, err := wait(t)
		return t.Value(key{}), wantErr("the wait", err, errTest)
	})
	rig.On(t, e.Loop(), func() {})
	cancel(errTest)
	if v := rig.Result(t, f); v != 1 {
		t.Errorf("the value is %v", v)
	}

	f = task.GoContext(ctx, e.Loop(), func(*task.Task) (any, error) { t.Error("it began"); return nil, nil })
	if _, err := rig.Outcome(t, f); !errors.Is(err, errTest) {
		t.Errorf("a task of a context that had ended: error %v", err)
	}

	ctx, cancel = context.WithCancelCause(parent) // that outlives its task
	rig.Result(t, task.GoContext(ctx, e.Loop(), func(*task.Task) (int, error) { return 1, nil }))
	cancel(errTest)
}

// What is shielded does not end, as a context, when the task is cancelled; and is over when it has been left.
func TestBlocksAreContexts(t *testing.T) {
	run(t, func(t *task.Task) error {
		var block, shielded context.Context
		p := rondo.NewPromise[int](t.Loop())
		f := spawn(t, func(t *task.Task) error {
			return task.Shielded(t, func(t *task.Task) error {
				shielded = t
				_ = shielded.Done()
				return task.WithTimeout(t, time.Hour, func(t *task.Task) error {
					block = t
					_ = block.Done()
					_, err := task.Await(t, p.Future())
					return err
				})
			})
		})
		settle(t)
		f.Cancel(errTest)
		settle(t)
		if shielded.Err() != nil || block.Err() != nil {
			return fmt.Errorf("a shielded context has ended: %w, %w", shielded.Err(), block.Err())
		}
		p.ResolveOnLoop(1)
		if err := join(t, f); err != nil {
			return err
		}
		<-shielded.Done()
		<-block.Done()
		return nil
	})
}

// GoContext's tasks have their context's deadline, and so have children of a group within a timeout.
func TestDeadlineIsPassedOn(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	want, _ := ctx.Deadline()
	got := rig.Result(t, task.GoContext(ctx, e.Loop(), func(t *task.Task) ([2]time.Time, error) {
		own, _ := t.Deadline()
		var child time.Time
		err := task.WithTimeout(t, 2*time.Hour, func(t *task.Task) error { // ends later, so it does not count
			return task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error { child, _ = t.Deadline(); return nil })
				return nil
			})
		})
		return [2]time.Time{own, child}, err
	}))
	if !got[0].Equal(want) || !got[1].Equal(want) {
		t.Errorf("the deadlines of a task and its child are %v, want %v", got, want)
	}
}
