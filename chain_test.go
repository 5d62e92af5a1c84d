package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

var errOther = errors.New("another error")

// outcome makes a future of the test's own come to something, and waits for what was made of it.
func outcome(t *testing.T, l *rondo.Loop, v int, err error, make func(f *rondo.Future[int]) *rondo.Future[int]) (int, error) {
	t.Helper()
	p := rondo.NewPromise[int](l)
	var made *rondo.Future[int]
	rig.On(t, l, func() { made = make(p.Future()) })
	if err != nil {
		p.Reject(err)
	} else {
		p.Resolve(v)
	}
	return made.Wait(t.Context())
}

// double, fail and bang are what callbacks do.
func double(v int) (int, error)     { return 2 * v, nil }
func fail(int) (int, error)         { return 0, errOther }
func bang(int) (int, error)         { panic(errOther) }
func excuse(error) (int, error)     { return -1, nil }
func worsen(err error) (int, error) { return 0, errors.Join(err, errOther) }

func TestChain(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	l, other := e.Loops()[0], e.Loops()[1]
	type future = *rondo.Future[int]
	later := func(v int, err error) future { // on the other loop
		return rondo.Run(other, func(ctxt) (int, error) { return v, err })
	}
	for _, tt := range []struct {
		name string
		in   error // nil: 3
		make func(f future) future
		want int
		errs []error
	}{
		{"Then", nil, func(f future) future { return rondo.Then(f, double) }, 6, nil},
		{"Then of an error", errTest, func(f future) future { return rondo.Then(f, double) }, 0, []error{errTest}},
		{"Then that fails", nil, func(f future) future { return rondo.Then(f, fail) }, 0, []error{errOther}},
		{"Then that panics", nil, func(f future) future { return rondo.Then(f, bang) }, 0, []error{errOther}},
		{"Then of Then", nil, func(f future) future { return rondo.Then(rondo.Then(f, double), double) }, 12, nil},

		{"ThenFuture", nil, func(f future) future {
			return rondo.ThenFuture(f, func(v int) future { return later(v+1, nil) })
		}, 4, nil},
		{"ThenFuture of one that is done", nil, func(f future) future {
			return rondo.ThenFuture(f, func(v int) future { return rondo.Resolved(l, v+2) })
		}, 5, nil},
		{"ThenFuture of one that has failed", nil, func(f future) future {
			return rondo.ThenFuture(f, func(int) future { return rondo.Rejected[int](other, errOther) })
		}, 0, []error{errOther}},
		{"ThenFuture of an error", errTest, func(f future) future {
			return rondo.ThenFuture(f, func(int) future { t.Error("called"); return nil })
		}, 0, []error{errTest}},
		{"ThenFuture that panics", nil, func(f future) future {
			return rondo.ThenFuture(f, func(int) future { panic(errOther) })
		}, 0, []error{errOther}},

		{"Catch", errTest, func(f future) future { return f.Catch(excuse) }, -1, nil},
		{"Catch of a result", nil, func(f future) future { return f.Catch(excuse) }, 3, nil},
		{"Catch that fails", errTest, func(f future) future { return f.Catch(worsen) }, 0, []error{errTest, errOther}},
		{"Catch that panics", errTest, func(f future) future {
			return f.Catch(func(error) (int, error) { panic(errOther) })
		}, 0, []error{errOther}},

		{"CatchFuture", errTest, func(f future) future {
			return f.CatchFuture(func(error) future { return later(8, nil) })
		}, 8, nil},
		{"CatchFuture of a result", nil, func(f future) future {
			return f.CatchFuture(func(error) future { t.Error("called"); return nil })
		}, 3, nil},
		{"CatchFuture of one that fails", errTest, func(f future) future {
			return f.CatchFuture(func(error) future { return later(0, errOther) })
		}, 0, []error{errOther}},

		{"Finally", nil, func(f future) future { return f.Finally(func() {}) }, 3, nil},
		{"Finally of an error", errTest, func(f future) future { return f.Finally(func() {}) }, 0, []error{errTest}},
		{"Finally that panics", errTest, func(f future) future { return f.Finally(func() { panic(errOther) }) }, 0, []error{errTest, errOther}},
		{"FinallyFuture", nil, func(f future) future {
			return rondo.FinallyFuture(f, func() future { return later(9, nil) })
		}, 3, nil},
		{"FinallyFuture that fails", nil, func(f future) future {
			return rondo.FinallyFuture(f, func() future { return later(9, errOther) })
		}, 3, []error{errOther}},
		{"FinallyFuture of an error that fails", errTest, func(f future) future {
			return rondo.FinallyFuture(f, func() future { return later(9, errOther) })
		}, 0, []error{errTest, errOther}},
		{"FinallyFuture that panics", errTest, func(f future) future {
			return rondo.FinallyFuture(f, func() future { panic(errOther) })
		}, 0, []error{errTest, errOther}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, err := outcome(t, l, 3, tt.in, tt.make)
			for _, want := range tt.errs {
				if !errors.Is(err, want) {
					t.Errorf("the error is %v, want %v", err, want)
				}
			}
			if v != tt.want && tt.errs == nil || tt.errs == nil && err != nil {
				t.Errorf("it has come to %v, %v, want %v", v, err, tt.want)
			}
			var p *rondo.PanicError
			if panics := strings.HasSuffix(tt.name, "panics"); panics != errors.As(err, &p) {
				t.Errorf("the error is %T", err)
			} else if panics && !strings.Contains(string(p.Stack), "chain_test.go") {
				t.Errorf("the stack is not that of the panic: %s", p.Stack)
			}
		})
	}
}

// A callback that returns no future, or its own chain's, which would never come, is told so.
func TestChainMisuse(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	var self *rondo.Future[int]
	for name, make := range map[string]func(f *rondo.Future[int]) *rondo.Future[int]{
		"returned nil": func(f *rondo.Future[int]) *rondo.Future[int] {
			return rondo.ThenFuture(f, func(int) *rondo.Future[int] { return nil })
		},
		"must return a future returned nil": func(f *rondo.Future[int]) *rondo.Future[int] {
			return rondo.FinallyFuture(f, func() *rondo.Future[string] { return nil })
		},
		"wait for itself": func(f *rondo.Future[int]) *rondo.Future[int] {
			self = rondo.ThenFuture(f, func(int) *rondo.Future[int] { return self })
			return self
		},
	} {
		if _, err := outcome(t, l, 1, nil, make); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// Callbacks are called in the order of the calls that gave them, one after the other, and not from within those.
func TestChainOrder(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	var order []string
	inside := false
	note := func(name string) {
		if inside {
			t.Errorf("%s was called from within another call", name)
		}
		order = append(order, name)
	}
	last := make(chan struct{})
	rig.On(t, l, func() {
		inside = true
		p := rondo.NewPromise[int](l)
		f := p.Future()
		f.OnDone(func(int, error) { note("OnDone") })
		g := rondo.Then(f, func(v int) (int, error) { note("Then"); return v, nil })
		f.Finally(func() { note("Finally") })
		g.OnDone(func(int, error) { note("OnDone of Then") })
		p.ResolveOnLoop(1)
		rondo.Then(f, func(v int) (int, error) { note("late Then"); return v, nil }).OnDone(func(int, error) { close(last) })
		inside = false
	})
	rig.Await(t, last)
	if want := []string{"OnDone", "Then", "Finally", "late Then", "OnDone of Then"}; !slices.Equal(order, want) {
		t.Errorf("the order is %q", order)
	}
}

// told is a promise that notes for which reason it was cancelled.
func told(l *rondo.Loop) (p *rondo.Promise[int], reason *error) {
	p, reason = rondo.NewPromise[int](l), new(error)
	p.OnCancel(func(err error) {
		*reason = err
		p.RejectOnLoop(err)
	})
	return p, reason
}

// Cancelling the end of a chain is told to what it waits for at the time, and to nothing else.
func TestCancelChain(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	never := func(int) (int, error) { t.Error("a callback behind the cancelling was called"); return 0, errOther }

	t.Run("before", func(t *testing.T) {
		rig.On(t, l, func() {
			p, reason := told(l)
			end := rondo.Then(rondo.Then(p.Future(), never), never).Catch(func(error) (int, error) { return never(0) })
			end.Cancel(errReason)
			state(t, "the end", end, 0, errReason)
			if *reason != errReason { //nolint:errorlint // the very error
				t.Errorf("upstream was told %v", *reason)
			}
		})
	})
	t.Run("while others wait", func(t *testing.T) {
		rig.On(t, l, func() {
			p, reason := told(l)
			others := rondo.Then(p.Future(), double)
			end := rondo.Then(p.Future(), never)
			end.Cancel(errReason)
			state(t, "the end", end, 0, errReason)
			if *reason != nil {
				t.Error("cancelled though somebody else waits")
			}
			others.Cancel(errOther)
			if *reason != errOther { //nolint:errorlint // the very error
				t.Errorf("the last to leave did not cancel: %v", *reason)
			}
		})
	})
	t.Run("before its turn", func(t *testing.T) {
		rig.On(t, l, func() {
			p, _ := told(l)
			end := rondo.Then(p.Future(), never)
			p.ResolveOnLoop(1) // the callback is queued
			end.Cancel(errReason)
			state(t, "the end", end, 0, errReason)
		})
	})
	t.Run("in the pause", func(t *testing.T) {
		p := rondo.NewPromise[int](l)
		inner, reason := told(l)
		var end *rondo.Future[int]
		paused := make(chan struct{})
		rig.On(t, l, func() {
			end = rondo.Then(rondo.ThenFuture(p.Future(), func(int) *rondo.Future[int] { close(paused); return inner.Future() }), never)
		})
		p.Resolve(1)
		rig.Await(t, paused)
		rig.On(t, l, func() {
			end.Cancel(errReason)
			state(t, "the end", end, 0, errReason)
			if *reason != errReason { //nolint:errorlint // the very error
				t.Errorf("what it paused for was told %v", *reason)
			}
		})
	})
	t.Run("by its own callback", func(t *testing.T) {
		p := rondo.NewPromise[int](l)
		inner, reason := told(l)
		var end *rondo.Future[int]
		rig.On(t, l, func() {
			end = rondo.ThenFuture(p.Future(), func(int) *rondo.Future[int] {
				end.Cancel(errReason)
				return inner.Future()
			})
		})
		p.Resolve(1)
		if _, err := end.Wait(t.Context()); !errors.Is(err, errReason) {
			t.Errorf("it has come to %v", err)
		}
		rig.On(t, l, func() {
			if *reason != errReason { //nolint:errorlint // the very error
				t.Errorf("what it has returned was told %v", *reason)
			}
		})
	})
	t.Run("after", func(t *testing.T) {
		p := rondo.NewPromise[int](l)
		var end *rondo.Future[int]
		rig.On(t, l, func() { end = rondo.Then(p.Future(), double) })
		p.Resolve(1)
		if rig.Result(t, end) != 2 {
			t.Error("the wrong result")
		}
		rig.On(t, l, func() {
			if end.Cancel(errReason) {
				t.Error("Cancel says that it came in time")
			}
			state(t, "the end", end, 2, nil)
		})
	})
}

// Cancelling does not keep what must be done in any case from being done, before the future fails.
func TestCancelFinally(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	for _, tt := range []struct {
		name    string
		prepare func(p *rondo.Promise[int])
		finally func() error // panics with its error
		errs    []error
	}{
		{"pending", func(*rondo.Promise[int]) {}, func() error { return nil }, []error{errReason}},
		{"queued", func(p *rondo.Promise[int]) { p.ResolveOnLoop(1) }, func() error { return nil }, []error{errReason}},
		{"fails", func(*rondo.Promise[int]) {}, func() error { return errOther }, []error{errReason, errOther}},
	} {
		for _, form := range []string{"Finally", "FinallyFuture"} {
			t.Run(form+" "+tt.name, func(t *testing.T) {
				calls := 0
				var end *rondo.Future[int]
				rig.On(t, l, func() {
					p := rondo.NewPromise[int](l)
					if form == "Finally" {
						end = p.Future().Finally(func() {
							calls++
							if err := tt.finally(); err != nil {
								panic(err)
							}
						})
					} else {
						end = rondo.FinallyFuture(p.Future(), func() *rondo.Future[int] {
							calls++
							return rondo.Run(l, func(ctxt) (int, error) { return 0, tt.finally() })
						})
					}
					tt.prepare(p)
					if !end.Cancel(errReason) || end.Done() {
						t.Error("not cancelled, or done before its function was called")
					}
				})
				_, err := end.Wait(t.Context())
				for _, want := range tt.errs {
					if !errors.Is(err, want) {
						t.Errorf("it has come to %v", err)
					}
				}
				if calls != 1 {
					t.Errorf("called %d times", calls)
				}
			})
		}
	}
	// In the pause it is what the function has returned that is cancelled.
	p := rondo.NewPromise[int](l)
	inner, reason := told(l)
	paused := make(chan struct{})
	var end *rondo.Future[int]
	rig.On(t, l, func() {
		end = rondo.FinallyFuture(p.Future(), func() *rondo.Future[int] { close(paused); return inner.Future() })
	})
	p.Resolve(1)
	rig.Await(t, paused)
	rig.On(t, l, func() {
		end.Cancel(errReason)
		state(t, "the end", end, 0, errReason)
		if *reason != errReason { //nolint:errorlint // the very error
			t.Errorf("what it paused for was told %v", *reason)
		}
	})
}

// A future says what it waits for, through all that it is made of.
func TestFutureString(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	l := e.Loops()[0]
	p := rondo.NewPromise[int](l)
	rig.On(t, l, func() {
		f := p.Future()
		far := rondo.Transfer(rondo.NewPromise[int](e.Loops()[1]).Future(), l)
		for _, tt := range []struct {
			f    fmt.Stringer
			want string
		}{
			{f, "a future of int"},
			{rondo.NewPromise[error](l).Future(), "a future of error"},
			{rondo.Then(rondo.Then(f, double), double).Shield(), "a future of int"},
			{far, "a future of loop 1"},
			{rondo.All(l, f, f, rondo.Resolved(l, 1)), "2 of 3 futures"},
			{rondo.Resolved(l, 1), "a future that is done"},
			{ignored(rondo.Rejected[int](l, errTest)), "a future that has failed"},
		} {
			if got := tt.f.String(); got != tt.want {
				t.Errorf("it waits for %q, want %q", got, tt.want)
			}
		}
	})
	rig.On(t, l, func() {}) // the transfer is under way
}

// ctxt is shorter.
type ctxt = context.Context

func ignored[T any](f *rondo.Future[T]) *rondo.Future[T] {
	f.Ignore()
	return f
}

// A chain that goes on for ever keeps nothing but its end.
func TestChainKeepsNothing(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	const steps = 1000
	freed := make(chan struct{}, steps)
	end := rondo.Resolved(l, 0)
	for range steps {
		rig.On(t, l, func() {
			before := end
			end = rondo.Then(end, func(v int) (int, error) { return v + 1, nil })
			runtime.AddCleanup(before, func(int) { freed <- struct{}{} }, 0)
		})
		rig.Result(t, end)
		rig.On(t, l, func() { end = rondo.First(l, end.Shield(), end) })
	}
	for range steps / 2 { // some may still be on a stack
		runtime.GC()
		rig.Await(t, freed)
	}
	if v := rig.Result(t, end); v != steps {
		t.Errorf("the end has come to %d", v)
	}
}

// A future that lives long does not grow by what is made of it and given up.
func TestPendingKeepsNothing(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rounds := 100_000
	if rondo.RaceEnabled {
		rounds = 2000 // each call asks for the goroutine's number
	}
	f := rondo.NewPromise[int](l).Future()
	rig.On(t, l, func() {
		f.OnDone(func(int, error) {}) // else the first to give it up would cancel it
		for range rounds {
			rondo.Then(f, double).Cancel(nil)
			rondo.ThenFuture(f, func(int) *rondo.Future[int] { return f }).Cancel(nil)
			f.Shield().Cancel(nil)
			f.Timeout(1 << 40).Cancel(nil)
			f.Within(t.Context()).Cancel(nil)
			rondo.All(l, f, f).Cancel(nil)
		}
		if n := l.Timers(); n != 0 {
			t.Errorf("%d timers are left", n)
		}
		if n := rondo.Waits(f); n != 1 {
			t.Errorf("%d wait", n)
		}
		for range rounds / 10 {
			_, cancel := f.Context(t.Context())
			cancel()
		}
	})
	awaitOn(t, l, func() bool { return rondo.Waits(f) == 1 }) // contexts end on goroutines of their own
}

// awaitOn waits until cond holds on the loop.
func awaitOn(t *testing.T, l *rondo.Loop, cond func() bool) {
	t.Helper()
	for end, ok := time.Now().Add(rig.Patience), false; !ok; runtime.Gosched() {
		rig.On(t, l, func() { ok = cond() })
		if !ok && time.Now().After(end) {
			t.Fatal("it does not come to hold")
		}
	}
}
