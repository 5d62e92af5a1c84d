package main

import (
	"slices"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

// In virtual time the seconds are whole ones, and the program takes the ten of A, but for the grain of timers.
func TestVirtualTime(t *testing.T) {
	defer func(before time.Duration) { second = before }(second)
	second = time.Second
	took := sim.Task(t, func(tk *task.Task) error {
		names, err := sleepAll(tk)
		if want := []string{"Task-A", "Task-B", "Task-C"}; !slices.Equal(names, want) {
			t.Errorf("%q, want %q", names, want)
		}
		return err
	})
	if late := took - 10*time.Second; late < 0 || late > time.Millisecond {
		t.Errorf("it took %v of virtual time", took)
	}
}
