package task_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

func TestSemaphore(t *testing.T) {
	run(t, func(t *task.Task) error {
		s := task.NewSemaphore(3)
		var happened record
		take := func(name string, n int) *rondo.Future[int] {
			f := spawn(t, func(t *task.Task) error {
				if err := s.Acquire(t, n); err != nil {
					return err
				}
				happened.add("%s", name)
				return nil
			})
			settle(t)
			return f
		}
		_ = s.Acquire(t, 2)
		fs := []*rondo.Future[int]{take("big", 3), take("small", 1), take("last", 2)}
		if s.TryAcquire(1) || len(happened) > 0 {
			return fmt.Errorf("who wants much was overtaken: %q", happened)
		}
		fs[0].Cancel(errTest) // those behind it go on
		settle(t)
		if err := happened.expect("small"); err != nil {
			return err
		}
		s.Release(2)
		err := wantErr("the cancelled one", join(t, fs...), errTest)
		if s.Free() != 0 {
			return fmt.Errorf("%d are free", s.Free())
		}
		s.Release(3)
		return errors.Join(err, happened.expect("small last"))
	})
}

func TestBarrier(t *testing.T) {
	run(t, func(t *task.Task) error {
		b := task.NewBarrier(3)
		var happened record
		party := func(name string) *rondo.Future[int] {
			return spawn(t, func(t *task.Task) error {
				i, err := b.Wait(t)
				if err != nil {
					i = -1
				}
				happened.add("%s%d", name, i)
				return err
			})
		}
		a, leaves, c := party("a"), party("b"), party("c")
		leaves.Cancel(errTest)
		settle(t)
		if b.Waiting() != 2 {
			return fmt.Errorf("%d wait, want 2", b.Waiting())
		}
		d := party("d")
		err := errors.Join(join(t, a, c, d), wantErr("the cancelled one", join(t, leaves), errTest), happened.expect("d2 a0 c1"))
		if err != nil {
			return err
		}

		happened = nil
		x := party("x")
		settle(t)
		b.Reset()
		err = wantErr("who waited when it was reset", join(t, x), task.ErrBarrierBroken)
		y, z := party("y"), party("z")
		settle(t)
		b.Abort()
		err = errors.Join(err, wantErr("y", join(t, y), task.ErrBarrierBroken), wantErr("z", join(t, z), task.ErrBarrierBroken))
		_, broken := b.Wait(t)
		b.Reset()
		fs := []*rondo.Future[int]{party("1"), party("2"), party("3")}
		return errors.Join(err, wantErr("later", broken, task.ErrBarrierBroken), join(t, fs...), happened.expect("x-1 y-1 z-1 32 10 21"))
	})
}

func TestBarrierForOne(t *testing.T) {
	run(t, func(t *task.Task) error {
		b := task.NewBarrier(1)
		for range 3 {
			if i, err := b.Wait(t); i != 0 || err != nil {
				return fmt.Errorf("place %d, %w", i, err)
			}
		}
		return nil
	})
}
