package sim

import (
	"testing"
	"time"

	"github.com/rondo-go/rondo/task"
)

// Task runs one task, with those that it starts, in virtual time, and without any network: ten hours of task.Sleep take no time. The test fails
// if the task does: by an error, by a panic, or because it waits for ever. It returns how long the task has taken. Timers keep
// the loop's grain, as they do in production: a sleep lasts up to a millisecond longer than was asked for.
func Task(t testing.TB, fn func(t *task.Task) error) time.Duration {
	t.Helper()
	var d time.Duration
	Run(t, Config{}, func(w *World) {
		if err := w.task(fn); err != nil {
			w.Errorf("sim: the task has failed after %v: %w", w.Elapsed(), err)
		}
		d = w.Elapsed()
	})
	return d
}

// RunTask is [Task] for programs that are no tests, examples above all. The error is the task's, or what else went wrong.
func RunTask(fn func(t *task.Task) error) (time.Duration, error) {
	var d time.Duration
	var failed error
	_, err := Simulate(Config{}, func(w *World) {
		failed = w.task(fn)
		d = w.Elapsed()
	})
	if failed != nil {
		return d, failed
	}
	return d, err
}

// task runs fn as a task on a host that has nothing else to do.
func (w *World) task(fn func(t *task.Task) error) error {
	e := w.Host("host").Engine()
	_, err := task.Go(e.Loop(), func(t *task.Task) (struct{}, error) { return struct{}{}, fn(t) }).Wait(background)
	return err
}
