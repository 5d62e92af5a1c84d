package stream_test

import (
	"errors"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

var errTest = errors.New("an error of the test's")

// run runs fn in a task of an engine of its own and waits for it. What it returns fails the test.
func run(t *testing.T, fn func(t *task.Task) error) {
	t.Helper()
	runOn(t, rig.New(t, rondo.Config{}).Loop(), fn)
}

func runOn(t *testing.T, l *rondo.Loop, fn func(t *task.Task) error) {
	t.Helper()
	rig.Result(t, task.Go(l, func(t *task.Task) (struct{}, error) { return struct{}{}, fn(t) }))
}

// settle lets all other tasks run until each waits for something else than its turn.
func settle(t *task.Task) {
	for range 50 {
		_ = task.Yield(t)
	}
}
