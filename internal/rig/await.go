package rig

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
)

// Patience is how long a test waits for what must come before it calls that a hang.
const Patience = 30 * time.Second

var errNothing = errors.New("nothing came")

// Await receives from ch, or fails the test when nothing comes. A closed channel will do.
func Await[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
	}
	t.Fatal(errNothing)
	panic("unreachable")
}

// On runs fn on the loop and returns when it has.
func On(t testing.TB, l *rondo.Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if !l.Post(func() { defer close(done); fn() }) {
		t.Fatal("the loop has ended")
	}
	Await(t, done)
}

// Result waits for a future that must not fail.
func Result[T any](t testing.TB, f *rondo.Future[T]) T {
	t.Helper()
	v, err := Outcome(t, f)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Outcome waits for a future. A benchmark may take as long as it likes.
func Outcome[T any](t testing.TB, f *rondo.Future[T]) (T, error) {
	t.Helper()
	ctx := context.Background() //nolint:usetesting // a cleanup may wait too: the test's own has ended by then
	if _, ok := t.(*testing.B); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, Patience, errNothing)
		defer cancel()
	}
	return f.Wait(ctx)
}

// Eventually waits for what no event tells of.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !ok(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: it never was", what)
		}
	}
}
