package sim_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/task"
)

func TestClock(t *testing.T) {
	var c sim.Clock
	start := c.Now()
	if !start.Equal(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)) || c.Elapsed() != 0 {
		t.Errorf("the clock begins at %v, after %v", start, c.Elapsed())
	}
	if c.AdvanceToNext() {
		t.Error("something was due on a new clock")
	}
	var calls []string
	note := func(what string) func() {
		return func() { calls = append(calls, what+" "+c.Elapsed().String()) }
	}
	c.After(3*time.Second, note("third"))
	c.After(time.Second, func() {
		note("first")()
		c.After(time.Second, note("second")) // is due within the same Advance
		c.After(0, note("at once"))
		c.After(-time.Hour, note("as if at once"))
	})
	stop := c.After(2*time.Second, note("stopped"))
	late := c.After(4*time.Second, note("late"))
	if !stop() || stop() {
		t.Error("stop is in time once")
	}
	c.Advance(3 * time.Second)
	want := []string{"first 1s", "at once 1s", "as if at once 1s", "second 2s", "third 3s"}
	if !slices.Equal(calls, want) {
		t.Errorf("called %q, want %q", calls, want)
	}
	c.Advance(-time.Hour)
	if c.Elapsed() != 3*time.Second || !c.Now().Equal(start.Add(3*time.Second)) {
		t.Errorf("after 3s: %v, %v", c.Elapsed(), c.Now())
	}
	if !c.AdvanceToNext() || c.Elapsed() != 4*time.Second || late() {
		t.Errorf("the next is the late one, at %v", c.Elapsed())
	}
	c.After(time.Second, note("never"))()
	if c.AdvanceToNext() || c.Elapsed() != 4*time.Second {
		t.Errorf("what was stopped has moved the clock to %v", c.Elapsed())
	}
}

// Advance within a call goes on from the call's time, and the outer one does not set the clock back.
func TestClockAdvanceWithinCall(t *testing.T) {
	var c sim.Clock
	c.After(time.Second, func() { c.Advance(time.Minute) })
	c.Advance(2 * time.Second)
	if c.Elapsed() != time.Minute+time.Second {
		t.Errorf("the clock says %v", c.Elapsed())
	}
}

func TestTask(t *testing.T) {
	var began time.Time
	d := sim.Task(t, func(t *task.Task) error {
		began = t.Loop().Now()
		return task.Sleep(t, 10*time.Hour)
	})
	if late := d - 10*time.Hour; late < 0 || late > time.Millisecond {
		t.Errorf("ten hours took %v", d)
	}
	if began.Year() != 2000 {
		t.Errorf("it began at %v", began)
	}
}

func TestTaskFails(t *testing.T) {
	mine := errors.New("mine")
	forever := func(t *task.Task) error {
		_, err := task.Await(t, rondo.NewPromise[int](t.Loop()).Future())
		return err
	}
	for _, test := range []struct {
		name string
		task func(t *task.Task) error
		want string
	}{
		{"error", func(t *task.Task) error { _ = task.Sleep(t, time.Second); return mine }, "after 1.0000"},
		{"panic", func(*task.Task) error { panic("oops") }, "oops"},
		{"waits for ever", forever, "waits for ever"},
		{"time.Hour for ever", func(t *task.Task) error {
			for task.Sleep(t, time.Hour) == nil {
			}
			return nil
		}, "has not ended after 24h"},
	} {
		got := failures(func(t testing.TB) { sim.Task(t, test.task) })
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: the report is %q", test.name, got)
		}
	}
	if d, err := sim.RunTask(func(t *task.Task) error { _ = task.Sleep(t, time.Second); return mine }); err != mine || d.Round(time.Millisecond) != time.Second { //nolint:errorlint // it is to be as it is
		t.Errorf("RunTask: %v, %v", d, err)
	}
	if _, err := sim.RunTask(forever); err == nil || !strings.Contains(err.Error(), "waits for ever") {
		t.Errorf("RunTask of what waits for ever: %v", err)
	}
}

// A world that has come to its end says when that was, and not when a timer would have been due that was stopped.
func TestStoppedTimersTakeNoTime(t *testing.T) {
	w, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		w.After(time.Hour, func() { t.Error("it was stopped") })()
		w.Sleep(time.Second)
		w.Wait(func() bool { return false })
	})
	if err == nil || !strings.Contains(err.Error(), "waits for ever") || w.Elapsed() != time.Second {
		t.Errorf("after %v: %v", w.Elapsed(), err)
	}
}
