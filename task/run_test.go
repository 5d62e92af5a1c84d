package task_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

func TestRun(t *testing.T) {
	ended := false
	v, err := task.Run(func(t *task.Task) (string, error) {
		spawn(t, func(t *task.Task) error { // does not outlive the program
			defer func() { ended = true }()
			_, err := wait(t)
			return err
		})
		return "x", task.Yield(t)
	})
	if v != "x" || err != nil || !ended {
		t.Errorf("got %q, %v; the other task has ended: %v", v, err, ended)
	}
	if _, err := task.Run(func(*task.Task) (int, error) { return 0, io.EOF }); err != io.EOF { //nolint:errorlint // unwrapped
		t.Errorf("error %v, want io.EOF itself", err)
	}
	var p *rondo.PanicError
	if _, err := task.Run(panics); !errors.As(err, &p) {
		t.Errorf("error %v, want the panic", err)
	}
	if err := (task.Program{Engine: rondo.Config{Loops: -1}}).Run(waitOnly); err == nil {
		t.Error("a bad configuration was taken")
	}
}

func TestRunWithoutSignals(t *testing.T) {
	p := task.Program{Signals: []os.Signal{}, Engine: rondo.Config{Logger: slog.New(slog.DiscardHandler)}}
	if err := p.Run(func(t *task.Task) error { return task.Yield(t) }); err != nil {
		t.Error(err)
	}
}

// What a task starts as it is cancelled at the program's end does not keep the program; but it may clean up in a group.
func TestRunCancelsWhatCleaningUpStarts(t *testing.T) {
	var spawned, posted *rondo.Future[int]
	var group error
	begun := false
	forever := func(t *task.Task) (int, error) { begun = true; return wait(t) }
	p := task.Program{Grace: time.Hour}
	err := p.Run(func(t *task.Task) error {
		spawn(t, func(t *task.Task) error {
			_ = waitOnly(t)
			spawned, posted = task.Spawn(t, forever), task.Go(t.Loop(), forever)
			group = task.WithGroup(t, func(_ *task.Task, g *task.Group) error {
				g.Go(func(t *task.Task) error { return task.Sleep(t, time.Millisecond) })
				return nil
			})
			return nil
		})
		return task.Yield(t)
	})
	if err != nil || group != nil || begun {
		t.Fatalf("the program: %v; the group: %v; one began: %v", err, group, begun)
	}
	for what, f := range map[string]*rondo.Future[int]{"spawned": spawned, "posted": posted} {
		if _, err := f.Wait(t.Context()); !errors.Is(err, task.ErrProgramEnded) {
			t.Errorf("%s: error %v, want ErrProgramEnded", what, err)
		}
	}
}
