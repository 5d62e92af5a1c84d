package rondo_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestRun(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	if v := rig.Result(t, rondo.Run(l, func(context.Context) (string, error) { return "done", nil })); v != "done" {
		t.Errorf("got %q", v)
	}
	if v, err := rondo.Run(l, func(context.Context) (string, error) { return "ignored", errTest }).Wait(t.Context()); v != "" || !errors.Is(err, errTest) {
		t.Errorf("an error: %q, %v", v, err)
	}
	_, err := rondo.Run(l, func(context.Context) (string, error) { panic(errTest) }).Wait(t.Context())
	var p *rondo.PanicError
	if !errors.As(err, &p) || !errors.Is(err, errTest) || !strings.Contains(string(p.Stack), "executor_test.go") {
		t.Errorf("a panic: %v", err)
	}
	_, err = rondo.Run(l, func(context.Context) (string, error) { runtime.Goexit(); return "", nil }).Wait(t.Context())
	if err == nil || !strings.Contains(err.Error(), "runtime.Goexit") {
		t.Errorf("runtime.Goexit: %v", err)
	}
}

// The result comes on the loop, whichever goroutine has asked.
func TestRunDeliversOnLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Debug: true})
	l := e.Loop()
	done := make(chan int, 1)
	l.Post(func() {
		rondo.Run(l, func(context.Context) (int, error) { return 3, nil }).OnDone(func(v int, _ error) {
			l.Defer(func() { done <- v }) // panics elsewhere
		})
	})
	if v := rig.Await(t, done); v != 3 {
		t.Errorf("got %d", v)
	}
}

func TestEngineRunPanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	if err := e.Run(func(context.Context) { panic("blocking bang") }); err != nil {
		t.Fatal(err)
	}
	if report := e.Log.Await(t, "blocking bang"); !strings.Contains(report, "executor_test.go") {
		t.Errorf("the report has no stack: %s", report)
	}
}

// No more than MaxBlocking run at a time, MaxQueued wait, and beyond that there is an error.
func TestRunLimits(t *testing.T) {
	const blocking, queued = 3, 5
	e := newTestEngine(t, rondo.Config{MaxBlocking: blocking, MaxQueued: queued})
	var running, most atomic.Int64
	started, release, done := make(chan struct{}, 100), make(chan struct{}), make(chan struct{}, 100)
	work := func(context.Context) {
		n := running.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		started <- struct{}{}
		<-release
		running.Add(-1)
		done <- struct{}{}
	}
	for i := range blocking + queued {
		if err := e.Run(work); err != nil {
			t.Fatalf("number %d: %v", i, err)
		}
	}
	if err := e.Run(work); !errors.Is(err, rondo.ErrExecutorFull) {
		t.Errorf("one too many: %v", err)
	}
	_, err := rondo.Run(e.Loop(), func(context.Context) (int, error) { return 0, nil }).Wait(t.Context())
	if !errors.Is(err, rondo.ErrExecutorFull) {
		t.Errorf("one too many, as a future: %v", err)
	}
	for range blocking {
		rig.Await(t, started)
	}
	if len(started) > 0 {
		t.Error("too many have started")
	}
	close(release)
	for range blocking + queued {
		rig.Await(t, done)
	}
	if most.Load() != blocking {
		t.Errorf("%d ran at a time, want %d", most.Load(), blocking)
	}
	if v := rig.Result(t, rondo.Run(e.Loop(), func(context.Context) (int, error) { return 4, nil })); v != 4 {
		t.Error("no room after the crowd has gone")
	}
}

// A function that leaves by runtime.Goexit takes no place with it.
func TestRunGoexit(t *testing.T) {
	e := newTestEngine(t, rondo.Config{MaxBlocking: 1, MaxQueued: 10})
	release := make(chan struct{})
	leave := func(context.Context) { <-release; runtime.Goexit() }
	for range 5 {
		if err := e.Run(leave); err != nil {
			t.Fatal(err)
		}
	}
	f := rondo.Run(e.Loop(), func(context.Context) (int, error) { return 5, nil })
	close(release)
	if rig.Result(t, f) != 5 {
		t.Error("the wrong result")
	}
	for range 5 { // each would be refused, were the places gone
		if rig.Result(t, rondo.Run(e.Loop(), func(context.Context) (int, error) { return 6, nil })) != 6 {
			t.Error("the wrong result")
		}
	}
}

// The context of blocking work ends with the engine, and then there is no more of it.
func TestRunAndClose(t *testing.T) {
	e := newTestEngine(t, rondo.Config{MaxBlocking: 1})
	started, ended := make(chan struct{}), make(chan error, 2)
	work := func(ctx context.Context) {
		select {
		case started <- struct{}{}:
		case <-ctx.Done():
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
	}
	for range 2 { // the second waits for the first
		if err := e.Run(work); err != nil {
			t.Fatal(err)
		}
	}
	rig.Await(t, started)
	e.Close()
	for range 2 {
		if err := rig.Await(t, ended); !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("the context's cause is %v", err)
		}
	}
	if err := e.Run(work); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Run after Close says %v", err)
	}
	if _, err := rondo.Run(e.Loop(), func(context.Context) (int, error) { return 0, nil }).Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("the other Run after Close says %v", err)
	}
}
