package queue_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

var errEnough = errors.New("enough")

func newEngine(t testing.TB, loops int) *rondo.Engine {
	t.Helper()
	e, err := rondo.New(rondo.Config{Loops: loops})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func deadline(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// inTask runs fn in a task of an engine of its own, and everything that it has started to its end or that of the engine.
func inTask(tb testing.TB, fn func(t *task.Task)) {
	tb.Helper()
	e, err := rondo.New(rondo.Config{Loops: 1})
	if err != nil {
		tb.Fatal(err)
	}
	defer e.Close()
	wait(tb, run(e.Loop(), fn))
}

// run starts a task without a result.
func run(l *rondo.Loop, fn func(t *task.Task)) *rondo.Future[struct{}] {
	return task.Go(l, func(t *task.Task) (struct{}, error) { fn(t); return struct{}{}, nil })
}

// wait waits for a future, on no loop. A benchmark may take longer.
func wait[T any](tb testing.TB, f *rondo.Future[T]) T {
	tb.Helper()
	ctx := context.Background() //nolint:usetesting // a benchmark's or a cleanup's
	if _, ok := tb.(*testing.B); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	v, err := f.Wait(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

// turns lets the other tasks run until they wait.
func turns(t *task.Task, n int) {
	for range n {
		_ = task.Yield(t)
	}
}
