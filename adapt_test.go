package rondo_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestTimeout(t *testing.T) {
	const limit = time.Minute
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()

	// The result is first.
	p, reason := told(l)
	var f *rondo.Future[int]
	rig.On(t, l, func() { f = p.Future().Timeout(limit) })
	p.Resolve(1)
	if rig.Result(t, f) != 1 {
		t.Error("the wrong result")
	}
	rig.On(t, l, func() {
		if l.Timers() != 0 || *reason != nil {
			t.Errorf("%d timers are left; cancelled: %v", l.Timers(), *reason)
		}
	})

	// The time is up first.
	p, reason = told(l)
	rig.On(t, l, func() { f = p.Future().Timeout(limit) })
	clock.advance(limit + time.Millisecond)
	_, err := f.Wait(t.Context())
	var late *rondo.TimeoutError
	if !errors.As(err, &late) || late.After != limit || err.Error() != "rondo: not done after 1m0s" {
		t.Errorf("it has come to %v", err)
	}
	var ne net.Error
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errTest) ||
		!errors.As(err, &ne) || !ne.Timeout() || !late.Temporary() {
		t.Errorf("%v is not what others call a timeout", err)
	}
	rig.On(t, l, func() {
		if l.Timers() != 0 || !errors.Is(*reason, late) {
			t.Errorf("%d timers are left; cancelled: %v", l.Timers(), *reason)
		}
	})

	// Others wait; it is done already; it has failed; it is cancelled.
	rig.On(t, l, func() {
		p, reason = told(l)
		shared := p.Future().Shield()
		f = p.Future().Timeout(0)
		l.After(time.Nanosecond, func() {
			if *reason != nil || shared.Done() {
				t.Error("cancelled though somebody else waits")
			}
		})
		state(t, "a result with a limit", rondo.Resolved(l, 2).Timeout(-1), 2, nil)
		state(t, "an error with a limit", rondo.Rejected[int](l, errTest).Timeout(limit), 0, errTest)
		q, cancelled := told(l)
		g := q.Future().Timeout(limit)
		g.Cancel(errReason)
		state(t, "the cancelled one", g, 0, errReason)
		if !errors.Is(*cancelled, errReason) {
			t.Errorf("told %v", *cancelled)
		}
	})
	clock.advance(time.Millisecond)
	if _, err := f.Wait(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it has come to %v", err)
	}
	awaitOn(t, l, func() bool { return l.Timers() == 0 })
}

// When both come in the same turn, it is one or the other, and nothing is left.
func TestTimeoutInTheSameTurn(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	results := 0
	for round := range 200 {
		p := rondo.NewPromise[int](l)
		outcomes := make(chan error, 2)
		rig.On(t, l, func() {
			p.Future().Timeout(time.Second).OnDone(func(_ int, err error) { outcomes <- err })
			switch round % 4 {
			case 0:
				l.After(time.Second-1, func() { p.ResolveOnLoop(1) })
			case 1:
				l.After(time.Second, func() { p.ResolveOnLoop(1) }) // behind the limit
			case 2:
				p.Resolve(1) // on its way while the time runs out
				clock.advance(time.Second + time.Millisecond)
			case 3:
				go p.Resolve(1)
			}
		})
		clock.advance(time.Second + time.Millisecond)
		switch err := rig.Await(t, outcomes); {
		case err == nil:
			results++
		case !errors.Is(err, context.DeadlineExceeded):
			t.Fatalf("it has come to %v", err)
		}
		rig.On(t, l, func() {
			if len(outcomes) > 0 || l.Timers() != 0 {
				t.Fatalf("%d outcomes more; %d timers left", len(outcomes), l.Timers())
			}
		})
	}
	t.Log(results, "results")
}

func TestWithin(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	for _, tt := range []struct {
		name   string
		act    func(p *rondo.Promise[int], end context.CancelCauseFunc)
		before bool // the context has ended before
		want   error
		told   bool
	}{
		{"result", func(p *rondo.Promise[int], _ context.CancelCauseFunc) { p.Resolve(1) }, false, nil, false},
		{"error", func(p *rondo.Promise[int], _ context.CancelCauseFunc) { p.Reject(errOther) }, false, errOther, false},
		{"context", func(_ *rondo.Promise[int], end context.CancelCauseFunc) { end(errTest) }, false, errTest, true},
		{"context before", func(*rondo.Promise[int], context.CancelCauseFunc) {}, true, errTest, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, end := context.WithCancelCause(t.Context())
			defer end(nil)
			p, reason := told(l)
			var f *rondo.Future[int]
			if tt.before {
				end(errTest)
			}
			rig.On(t, l, func() { f = p.Future().Within(ctx) })
			tt.act(p, end)
			if v, err := f.Wait(t.Context()); !errors.Is(err, tt.want) || tt.want == nil && (v != 1 || err != nil) {
				t.Errorf("it has come to %v, %v", v, err)
			}
			rig.On(t, l, func() {
				if tt.told != errors.Is(*reason, errTest) {
					t.Errorf("told %v", *reason)
				}
			})
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	rig.On(t, l, func() { state(t, "a result, in spite of the context", rondo.Resolved(l, 1).Within(ended), 1, nil) })
}

func TestShield(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rig.On(t, l, func() {
		p, reason := told(l)
		given, kept := p.Future().Shield(), p.Future().Shield()
		given.Cancel(errReason)
		state(t, "what was cancelled", given, 0, errReason)
		kept.Cancel(errReason)
		if *reason != nil || p.Future().Done() {
			t.Error("cancelled through its shield")
		}
		late := p.Future().Shield()
		p.ResolveOnLoop(1)
		state(t, "the other", late, 1, nil)
	})
}

// Both ways: a result, an error, cancelling, and one that stands at its own loop.
func TestTransfer(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	for _, a := range e.Loops() {
		for _, b := range e.Loops() {
			p, reason := told(a)
			f := rondo.Transfer(p.Future(), b)
			if f.Loop() != b || a == b != (f == p.Future()) {
				t.Error("the wrong loop")
			}
			p.Resolve(1)
			if rig.Result(t, f) != 1 {
				t.Error("the wrong result")
			}
			if _, err := rondo.Transfer(rondo.Rejected[int](a, errTest), b).Wait(t.Context()); !errors.Is(err, errTest) {
				t.Errorf("it has come to %v", err)
			}

			p, reason = told(a)
			f = rondo.Transfer(p.Future(), b)
			rig.On(t, b, func() {
				if !f.Cancel(errReason) {
					t.Error("too late")
				}
				state(t, "the transferred", f, 0, errReason)
			})
			if _, err := p.Future().Wait(t.Context()); !errors.Is(err, errReason) || *reason != errReason { //nolint:errorlint // the very error
				t.Errorf("told %v; it has come to %v", *reason, err)
			}

			p, reason = told(a)
			var shared *rondo.Future[int]
			rig.On(t, a, func() { shared = p.Future().Shield() })
			f = rondo.Transfer(p.Future(), b)
			if a != b {
				rig.On(t, b, func() { f.Cancel(errReason) })
				rig.On(t, a, func() {
					if *reason != nil || shared.Done() {
						t.Error("cancelled though somebody else waits")
					}
				})
			}
			p.Resolve(2)
			if rig.Result(t, shared) != 2 {
				t.Error("the wrong result")
			}
		}
	}
}

// What belongs to an engine that is closed is heard of on another's loop.
func TestTransferAndClose(t *testing.T) {
	here, there := newTestEngine(t, rondo.Config{}), newTestEngine(t, rondo.Config{})
	l, far := here.Loop(), there.Loop()
	pending := rondo.NewPromise[int](far).Future()
	before := rondo.Transfer(pending, l)
	given := rondo.Transfer(pending, l)
	rig.On(t, l, func() { given.Cancel(errReason) })
	there.Close()
	for _, f := range []*rondo.Future[int]{before, rondo.Transfer(pending, l)} {
		if _, err := f.Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
			t.Errorf("it has come to %v", err)
		}
	}
	if v := rig.Result(t, rondo.Transfer(rondo.Resolved(far, 3), l)); v != 3 {
		t.Errorf("what was done before is %d", v)
	}
}

func TestChan(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	p, q := rondo.NewPromise[int](l), rondo.NewPromise[int](l)
	var results, errs, late, never <-chan rondo.Outcome[int]
	rig.On(t, l, func() {
		results, errs = p.Future().Chan(), q.Future().Chan()
		never = rondo.NewPromise[int](l).Future().Chan()
	})
	p.Resolve(1)
	q.Reject(errTest)
	if o := rig.Await(t, results); o != (rondo.Outcome[int]{Value: 1}) {
		t.Errorf("got %v", o)
	}
	if o := rig.Await(t, errs); o != (rondo.Outcome[int]{Err: errTest}) {
		t.Errorf("got %v", o)
	}
	rig.On(t, l, func() { late = p.Future().Chan() })
	if o := rig.Await(t, late); o.Value != 1 {
		t.Errorf("got %v", o)
	}
	e.Close()
	if o := rig.Await(t, never); !errors.Is(o.Err, rondo.ErrEngineClosed) {
		t.Errorf("got %v at the engine's end", o)
	}
	if len(results)+len(errs)+len(late)+len(never) > 0 {
		t.Error("more than one outcome")
	}
}

func TestFromChan(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	check := leavesNothing(t)
	ch := make(chan int, 2)
	ch <- 1
	ch <- 2
	for _, want := range []int{1, 2} {
		if v := rig.Result(t, rondo.FromChan(l, ch)); v != want {
			t.Errorf("got %d", v)
		}
	}
	close(ch)
	if _, err := rondo.FromChan(l, ch).Wait(t.Context()); !errors.Is(err, rondo.ErrChanClosed) {
		t.Errorf("a closed channel: %v", err)
	}
	for range 10 {
		f := rondo.FromChan[int](l, nil)
		rig.On(t, l, func() {
			f.Cancel(errReason)
			state(t, "what was cancelled", f, 0, errReason)
		})
	}
	check()
	last := rondo.FromChan[int](l, nil) // ends with the engine, and nobody calls that an error
	e.Close()
	if _, err := last.Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("at the engine's end: %v", err)
	}
	if _, err := rondo.FromChan[int](l, nil).Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("after it: %v", err)
	}
}

// foreign is a context that the standard library does not know, and so minds with a goroutine.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

func TestFromContext(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	check := leavesNothing(t)
	for range 50 {
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(errTest) // while it is being made, perhaps
		if v := rig.Result(t, rondo.FromContext(l, ctx)); !errors.Is(v, errTest) {
			t.Errorf("it has come to %v", v)
		}
		if v := rig.Result(t, rondo.FromContext(l, ctx)); !errors.Is(v, errTest) {
			t.Errorf("it has come to %v", v)
		}
	}
	endless := foreign{t.Context(), make(chan struct{})}
	f := rondo.FromContext(l, endless)
	rig.On(t, l, func() {
		f.Cancel(errReason)
		state(t, "what was cancelled", f, nil, errReason)
	})
	check()
	rondo.FromContext(l, endless)
	rig.On(t, l, func() { rondo.NewPromise[int](l).Future().Within(endless) })
	e.Close()
	check() // goroutines of the engine's own are fewer now
}

func TestFutureContext(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	for _, tt := range []struct {
		name string
		end  func(p *rondo.Promise[int], parent context.CancelCauseFunc, cancel context.CancelFunc)
		want error
	}{
		{"result", func(p *rondo.Promise[int], _ context.CancelCauseFunc, _ context.CancelFunc) { p.Resolve(1) }, context.Canceled},
		{"error", func(p *rondo.Promise[int], _ context.CancelCauseFunc, _ context.CancelFunc) { p.Reject(errTest) }, errTest},
		{"parent", func(_ *rondo.Promise[int], parent context.CancelCauseFunc, _ context.CancelFunc) { parent(errOther) }, errOther},
		{"cancel", func(_ *rondo.Promise[int], _ context.CancelCauseFunc, cancel context.CancelFunc) { cancel() }, context.Canceled},
		{"engine", func(*rondo.Promise[int], context.CancelCauseFunc, context.CancelFunc) { e.Close() }, rondo.ErrEngineClosed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			parent, endParent := context.WithCancelCause(t.Context())
			defer endParent(nil)
			p := rondo.NewPromise[int](l)
			var ctx context.Context
			var cancel context.CancelFunc
			rig.On(t, l, func() { ctx, cancel = p.Future().Context(parent) })
			if ctx.Err() != nil {
				t.Error("it has ended at the beginning")
			}
			tt.end(p, endParent, cancel)
			rig.Await(t, ctx.Done())
			if err := context.Cause(ctx); !errors.Is(err, tt.want) {
				t.Errorf("the cause is %v", err)
			}
			if tt.name != "engine" {
				awaitOn(t, l, func() bool { return rondo.Waits(p.Future()) == 0 })
			}
			cancel()
		})
	}
}
