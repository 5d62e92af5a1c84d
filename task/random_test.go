package task_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// anyProgram is tasks that do anything there is to do, by chance, and share what can be shared.
type anyProgram struct {
	rand  *rand.Rand
	lock  task.Lock
	cond  *task.Condition
	sem   *task.Semaphore
	ev    task.Event
	bar   *task.Barrier
	alive int // functions that have not returned
	all   []*rondo.Future[int]
	other *rondo.Loop
}

func (w *anyProgram) act(t *task.Task, depth int) (int, error) {
	w.alive++
	defer func() { w.alive-- }()
	r := w.rand.IntN
	for range 1 + r(6) {
		var err error
		switch r(18) {
		case 0:
			err = task.Yield(t)
		case 1:
			err = task.Sleep(t, time.Duration(r(3))*time.Millisecond)
		case 2:
			if err = w.lock.Lock(t); err == nil {
				_ = task.Yield(t)
				w.lock.Unlock()
			}
		case 3:
			if err = w.cond.L.Lock(t); err == nil {
				err = task.WithTimeout(t, time.Millisecond, func(t *task.Task) error { return w.cond.Wait(t) })
				_ = task.Yield(t)
				w.cond.L.Unlock()
			}
		case 4:
			w.cond.Notify(r(3))
		case 5:
			n := 1 + r(2)
			if err = w.sem.Acquire(t, n); err == nil {
				_ = task.Yield(t)
				w.sem.Release(n)
			}
		case 6, 7:
			if depth < 3 {
				err = task.WithGroup(t, func(t *task.Task, g *task.Group) error {
					for range 1 + r(4) {
						g.Go(func(t *task.Task) error {
							_, err := w.act(t, depth+1)
							return err
						})
					}
					switch r(8) {
					case 0:
						return errTest
					case 1:
						g.Cancel(nil)
					case 2:
						return task.Sleep(t, time.Millisecond)
					case 3:
						for range r(10) {
							if err := task.Yield(t); err != nil {
								return err
							}
						}
					}
					return nil
				})
			}
		case 8:
			if depth < 3 && len(w.all) < 3000 {
				f := task.Spawn(t, func(t *task.Task) (int, error) { return w.act(t, depth+1) })
				f.Ignore()
				w.all = append(w.all, f)
				if r(2) == 0 {
					_, err = task.Await(t, f)
				}
			}
		case 9:
			if len(w.all) > 0 {
				w.all[r(len(w.all))].Cancel(errOther)
			}
		case 10:
			err = task.Shielded(t, func(t *task.Task) error {
				return task.WithTimeout(t, time.Millisecond, func(t *task.Task) error { return w.ev.Wait(t) })
			})
		case 11:
			w.ev.Set()
			w.ev.Clear()
		case 12:
			if r(8) == 0 {
				runtime.Goexit()
			}
		case 13:
			if r(8) == 0 {
				panic("boo")
			}
		case 14:
			f := task.Go(w.other, func(t *task.Task) (int, error) { return 1, task.Sleep(t, time.Millisecond) })
			_, err = task.Await(t, f)
		case 15:
			_, err = task.MoveOnAfter(t, time.Duration(r(2))*time.Millisecond, func(t *task.Task) error { _, err := wait(t); return err })
		case 16:
			f := task.GoContext(t, t.Loop(), func(t *task.Task) (int, error) { return w.act(t, depth+2) })
			f.Ignore()
			w.all = append(w.all, f)
		case 17:
			err = task.WithTimeout(t, time.Millisecond, func(t *task.Task) error { _, err := w.bar.Wait(t); return err })
		}
		if err != nil && r(3) == 0 {
			return 0, err
		}
	}
	return 1, nil
}

// Whatever tasks do, and however it ends: each future is done, no function goes on, and the loop's counts are what they were.
func TestAnyProgram(t *testing.T) {
	for seed := range uint64(20) {
		anyProgramEnds(t, seed)
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

func anyProgramEnds(t *testing.T, seed uint64) {
	e := rig.New(t, rondo.Config{Loops: 2})
	l := e.Loops()[0]
	w := &anyProgram{rand: rand.New(rand.NewPCG(seed, 0)), sem: task.NewSemaphore(3), bar: task.NewBarrier(3), other: e.Loops()[1]}
	w.cond = task.NewCondition(nil)
	rounds := w.rand.IntN(100) // how far they get
	rig.On(t, l, func() {
		for range 100 {
			f := task.Start(l, func(t *task.Task) (int, error) { return w.act(t, 0) })
			f.Ignore()
			w.all = append(w.all, f)
		}
	})
	for range rounds {
		rig.On(t, l, func() {})
	}
	if seed%2 == 0 {
		rig.Eventually(t, "all tasks have ended", func() bool {
			idle := false
			rig.On(t, l, func() { idle = task.Len(l) == 0 })
			return idle
		})
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if w.alive != 0 {
		t.Errorf("%d functions have not returned", w.alive)
	}
	pending := errors.New("pending")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(pending)
	for _, f := range w.all {
		if _, err := f.Wait(ctx); errors.Is(err, pending) {
			t.Error("a future is pending at the end")
		}
	}
	e.Log.Discard("panic")
	e.Log.Discard("nobody looked")
}
