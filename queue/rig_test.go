package queue_test

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errEnough = errors.New("enough")

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
	t.Cleanup(cancel)
	return ctx
}

// inTask runs fn in a task of an engine of its own, and everything that it has started to its end or that of the engine.
func inTask(tb testing.TB, fn func(t *task.Task)) {
	tb.Helper()
	e := rig.New(tb, rondo.Config{})
	defer e.Close()
	rig.Result(tb, run(e.Loop(), fn))
}

// run starts a task without a result.
func run(l *rondo.Loop, fn func(t *task.Task)) *rondo.Future[struct{}] {
	return task.Go(l, func(t *task.Task) (struct{}, error) { fn(t); return struct{}{}, nil })
}

// turns lets the other tasks run until they wait.
func turns(t *task.Task, n int) {
	for range n {
		_ = task.Yield(t)
	}
}
