package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/task"
)

// patience is how long a test waits for what must come before it calls that a hang.
const patience = 10 * time.Second

var errTest = errors.New("an error of the test's")

// engine is an engine under test, which ends with its test. What it reports fails the test unless the test has asked for
// it (logBook.await).
type engine struct {
	*rondo.Engine
	log *logBook
}

// newEngine starts an engine. Zero loops are one here.
func newEngine(t testing.TB, cfg rondo.Config) *engine {
	t.Helper()
	e := &engine{log: &logBook{grew: make(chan struct{}, 1)}}
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	cfg.Logger = slog.New(e.log)
	var err error
	if e.Engine, err = rondo.New(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if surprise := e.log.unasked(); surprise != "" {
			t.Errorf("the engine reported:\n%s", surprise)
		}
	})
	return e
}

// run runs fn in a task of an engine of its own and waits for it. What it returns fails the test.
func run(t *testing.T, fn func(t *task.Task) error) {
	t.Helper()
	runOn(t, newEngine(t, rondo.Config{}).Loop(), fn)
}

func runOn(t *testing.T, l *rondo.Loop, fn func(t *task.Task) error) {
	t.Helper()
	result(t, task.Go(l, func(t *task.Task) (struct{}, error) { return struct{}{}, fn(t) }))
}

// result waits for a future that must not fail.
func result[T any](t testing.TB, f *rondo.Future[T]) T {
	t.Helper()
	v, err := outcome(t, f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// outcome waits for a future.
func outcome[T any](t testing.TB, f *rondo.Future[T]) (T, error) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("nothing came"))
	defer cancel()
	return f.Wait(ctx)
}

// on runs fn on the loop and returns when it has.
func on(t testing.TB, l *rondo.Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if !l.Post(func() { defer close(done); fn() }) {
		t.Fatal("the loop has ended")
	}
	await(t, done)
}

// await receives from ch, or fails the test when nothing comes. A closed channel will do.
func await[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
	}
	t.Fatal("nothing came")
	panic("unreachable")
}

// eventually waits for what no event tells of.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: it never was", what)
		}
	}
}

// settle lets all other tasks run until each waits for something else than its turn.
func settle(t *task.Task) {
	for range 50 {
		_ = task.Yield(t)
	}
}

// logBook keeps what an engine reports.
type logBook struct {
	mu    sync.Mutex
	lines []string
	grew  chan struct{}
}

func (*logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler     { return b }
func (b *logBook) WithGroup(string) slog.Handler          { return b }

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	var line bytes.Buffer
	line.WriteString(r.Level.String() + " " + r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&line, " %s=%v", a.Key, a.Value)
		return true
	})
	b.mu.Lock()
	b.lines = append(b.lines, line.String())
	b.mu.Unlock()
	select {
	case b.grew <- struct{}{}:
	default:
	}
	return nil
}

// take takes the first report that contains text, if there is one.
func (b *logBook) take(text string) (line string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.IndexFunc(b.lines, func(line string) bool { return strings.Contains(line, text) })
	if i < 0 {
		return "", false
	}
	line = b.lines[i]
	b.lines = slices.Delete(b.lines, i, i+1)
	return line, true
}

// await takes the first report that contains text, and waits for it if need be.
func (b *logBook) await(t testing.TB, text string) string {
	t.Helper()
	for {
		if line, ok := b.take(text); ok {
			return line
		}
		await(t, b.grew)
	}
}

// unasked is what nobody has awaited.
func (b *logBook) unasked() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}
