package task_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

// No test leaves a goroutine behind, and so no loop and no coroutine.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	errTest  = errors.New("an error of the test's")
	errOther = errors.New("another error of the test's")
)

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

// wait is the sort of task that tests want most: it waits for a promise that nobody keeps.
func wait(t *task.Task) (int, error) {
	return task.Await(t, rondo.NewPromise[int](t.Loop()).Future())
}

// record is a list of what has happened, for code on one loop.
type record []string

func (r *record) add(format string, args ...any) { *r = append(*r, fmt.Sprintf(format, args...)) }

// expect says what must have happened.
func (r *record) expect(want string) error {
	if got := strings.Join(*r, " "); got != want {
		return fmt.Errorf("it happened:\n%s\nwant:\n%s", got, want)
	}
	return nil
}

// wantErr checks an error with errors.Is; a nil want is none.
func wantErr(what string, err, want error) error {
	if !errors.Is(err, want) {
		return fmt.Errorf("%s: error %v, want %w", what, err, want)
	}
	return nil
}
