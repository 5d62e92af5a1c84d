package task_test

import (
	"fmt"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// What tasks do most costs no allocation, and a task one.
func TestAllocations(t *testing.T) {
	e := rig.New(t, rondo.Config{})
	if e.Loop().Debug() {
		t.Skip("needs a build without the race detector, under which every call is checked, which allocates")
	}
	allocations := func(what string, want float64, fn func()) {
		if got := testing.AllocsPerRun(1000, fn); got != want {
			t.Errorf("%s: %v allocations, want %v", what, got, want)
		}
	}
	runOn(t, e.Loop(), func(t *task.Task) error {
		done := false
		other := spawn(t, func(t *task.Task) error {
			for !done {
				_ = task.Yield(t)
			}
			return nil
		})
		allocations("a Yield there and back", 0, func() { _ = task.Yield(t) })
		done = true
		if err := join(t, other); err != nil {
			return err
		}
		ready := rondo.Resolved(t.Loop(), 1)
		allocations("Await of what is there", 0, func() { _, _ = task.Await(t, ready) })
		fn := func(*task.Task) (int, error) { return 1, nil }
		allocations("Spawn and Await", 1, func() { _, _ = task.Await(t, task.Spawn(t, fn)) })
		return nil
	})
}

// A burst of tasks that wait does not keep its room in line.
func TestSpotsAreGivenBack(t *testing.T) {
	run(t, func(t *task.Task) error {
		for range 3 {
			var event task.Event
			var fs []*rondo.Future[int]
			for range 5 * task.MaxSpots {
				fs = append(fs, spawn(t, event.Wait))
			}
			settle(t)
			event.Set()
			if err := join(t, fs...); err != nil {
				return err
			}
			if n := task.Spots(t.Loop()); n != task.MaxSpots {
				return fmt.Errorf("%d spots are kept, want %d", n, task.MaxSpots)
			}
		}
		return nil
	})
}
