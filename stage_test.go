package rondo_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// A stage is called once for each turn in which it was armed, after posted work.
func TestStage(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	var order []string
	rig.On(t, l, func() {
		s := l.NewStage(func() { order = append(order, "stage") })
		s.Arm()
		s.Arm()
		l.Defer(func() { order = append(order, "deferred") })
		order = append(order, "posted")
	})
	rig.On(t, l, func() {
		if got := strings.Join(order, " "); got != "posted stage deferred" {
			t.Errorf("the order is %s", got)
		}
	})
}

// A stage that arms itself has the loop go on without waiting, and lets it look after other things in between.
func TestStageArmsItself(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	done := make(chan struct{})
	var calls, posts int
	rig.On(t, l, func() {
		var s *rondo.Stage
		s = l.NewStage(func() {
			calls++
			if calls-posts > 1 {
				t.Error("two calls in one turn")
			}
			if calls == 100 {
				close(done)
				return
			}
			s.Arm()
			l.Post(func() { posts++ })
		})
		s.Arm()
	})
	rig.Await(t, done)
}

// Whether it comes before or after in the loop's list: a stage that another arms is called, at once or in the next turn.
func TestStageArmedByAnother(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	called := make(chan string, 3)
	rig.On(t, l, func() {
		before := l.NewStage(func() { called <- "before" })
		var after *rondo.Stage
		middle := l.NewStage(func() {
			called <- "middle"
			before.Arm()
			after.Arm()
			l.NewStage(func() { called <- "new" }).Arm()
		})
		after = l.NewStage(func() { called <- "after" })
		middle.Arm()
	})
	for _, want := range []string{"middle", "after", "new", "before"} {
		if got := rig.Await(t, called); got != want {
			t.Errorf("%s was called, want %s", got, want)
		}
	}
}

// A stage that panics, though it arms itself each time, keeps neither the others nor the loop, and is not called more often
// than the others.
func TestStagePanics(t *testing.T) {
	const turns = 10
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	done := make(chan struct{})
	var panics, first, last int
	rig.On(t, l, func() {
		var a, b, c *rondo.Stage
		a = l.NewStage(func() {
			first++
			a.Arm()
		})
		b = l.NewStage(func() {
			if panics++; panics < turns {
				b.Arm()
			}
			panic("a stage's bang")
		})
		c = l.NewStage(func() {
			if last++; last == turns {
				if first != turns || panics != turns {
					t.Errorf("in %d turns one stage was called %d times, and the one that panics %d", turns, first, panics)
				}
				close(done)
				return
			}
			c.Arm()
		})
		a.Arm()
		b.Arm()
		c.Arm()
	})
	rig.Await(t, done)
	for range turns {
		e.Log.Await(t, "a stage's bang")
	}
}

// hook notes when it is called.
type hookLog struct{ calls []string }

func (h *hookLog) hook(name string) func() {
	return func() { h.calls = append(h.calls, name) }
}

func TestHooks(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(e *engine) error
		want string
	}{
		{"Shutdown", func(e *engine) error { return e.Shutdown(t.Context()) }, "drain1 drain2 stop1 stop2 added end1 end2"},
		{"Close", func(e *engine) error { return e.Close() }, "stop1 stop2 added end1 end2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			l := e.Loop()
			h := new(hookLog)
			rig.On(t, l, func() {
				if l.Draining() || l.Stopping() {
					t.Error("draining or stopping at the beginning")
				}
				l.OnEnd(h.hook("end1"))
				l.OnEnd(func() { h.hook("end2")(); panic("end's bang") })
				l.OnStop(func() { h.hook("stop1")(); panic("stop's bang") })
				l.OnStop(func() {
					h.hook("stop2")()
					if !l.Draining() || !l.Stopping() {
						t.Error("neither draining nor stopping at the end")
					}
					l.OnStop(h.hook("added"))
				})
				l.OnDrain(func() {
					h.hook("drain1")()
					if !l.Draining() || l.Stopping() {
						t.Error("not draining, or stopping, when it drains")
					}
					panic("drain's bang")
				})
				l.OnDrain(h.hook("drain2"))
			})
			if err := tt.end(e); err != nil {
				t.Error(err)
			}
			if got := strings.Join(h.calls, " "); got != tt.want {
				t.Errorf("called: %s; want: %s", got, tt.want)
			}
			e.Log.Discard("drain's bang")
			e.Log.Await(t, "stop's bang")
			e.Log.Await(t, "end's bang")
		})
	}
}

// A hook that leaves by runtime.Goexit is not called again and again by the loop's next goroutine.
func TestHookGoexit(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	h := new(hookLog)
	rig.On(t, l, func() {
		l.OnEnd(func() { h.hook("one")(); runtime.Goexit() })
		l.OnEnd(h.hook("two"))
	})
	e.Close()
	if want := []string{"one", "two"}; !slices.Equal(h.calls, want) {
		t.Errorf("called: %v", h.calls)
	}
	e.Log.Await(t, "runtime.Goexit")
}

// Shutdown waits for what is held.
func TestHold(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	draining := make(chan struct{})
	rig.On(t, l, func() {
		l.Hold()
		l.OnDrain(func() { close(draining) })
		l.OnStop(func() { t.Log("stop") })
	})
	ended := make(chan error, 1)
	go func() { ended <- e.Shutdown(t.Context()) }()
	rig.Await(t, draining)
	released := false
	rig.On(t, l, func() {
		if l.Stopping() || len(ended) > 0 {
			t.Error("Shutdown did not wait")
		}
		l.Release()
		released = true
	})
	if err := rig.Await(t, ended); err != nil || !released {
		t.Errorf("Shutdown says %v; released: %v", err, released)
	}
	// And no longer than its context lasts.
	e = newTestEngine(t, rondo.Config{})
	rig.On(t, e.Loop(), e.Loop().Hold)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTest)
	if err := e.Shutdown(ctx); err != errTest { //nolint:errorlint // the very error
		t.Errorf("Shutdown says %v", err)
	}
}

type perLoop struct {
	loop *rondo.Loop
	sub  *subLocal
}

type subLocal struct{ loop *rondo.Loop }

var (
	testSub   = rondo.NewLocal(func(l *rondo.Loop) *subLocal { return &subLocal{l} })
	testLocal = rondo.NewLocal(func(l *rondo.Loop) *perLoop { return &perLoop{l, testSub.On(l)} })
)

// Each loop has its own value, made once.
func TestLocal(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 3})
	var seen []*perLoop
	for _, l := range e.Loops() {
		rig.On(t, l, func() {
			v := testLocal.On(l)
			if v.loop != l || v.sub.loop != l || v != testLocal.On(l) || slices.Contains(seen, v) {
				t.Error("not the loop's own value")
			}
			seen = append(seen, v)
		})
	}
}

type runner chan *rondo.Loop

func (r runner) Run(l *rondo.Loop) { r <- l }

func TestPostRunner(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := make(runner, 1)
	if !e.Loop().PostRunner(r) || rig.Await(t, r) != e.Loop() {
		t.Error("not called with the loop")
	}
	e.Close()
	if e.Loop().PostRunner(r) {
		t.Error("a loop that has ended takes work")
	}
}
