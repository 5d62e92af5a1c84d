package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

var errReason = errors.New("not wanted any more")

// state checks, on the loop, what a future has come to.
func state[T comparable](t testing.TB, name string, f *rondo.Future[T], want T, wantErr error) {
	t.Helper()
	if v, err := f.Result(); v != want || !errors.Is(err, wantErr) || wantErr == nil && err != nil {
		t.Errorf("%s has come to %v, %v; want %v, %v", name, v, err, want, wantErr)
	}
}

func TestCancel(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	for _, tt := range []struct {
		name    string
		prepare func(p *rondo.Promise[int])
		reason  error
		came    bool  // what the first Cancel reports
		now     error // what the future has come to after it; nil: a result
	}{
		{"pending", func(*rondo.Promise[int]) {}, errReason, true, errReason},
		{"no reason", func(*rondo.Promise[int]) {}, nil, true, context.Canceled},
		{"result on its way", func(p *rondo.Promise[int]) { p.Resolve(0) }, errReason, false, rondo.ErrPending},
		{"resolved", func(p *rondo.Promise[int]) { p.ResolveOnLoop(0) }, errReason, false, nil},
		{"rejected", func(p *rondo.Promise[int]) { p.RejectOnLoop(errTest) }, errReason, false, errTest},
		{"OnCancel that takes its time", func(p *rondo.Promise[int]) { p.OnCancel(func(error) {}) }, errReason, true, rondo.ErrPending},
		{"OnCancel with a result", func(p *rondo.Promise[int]) {
			p.OnCancel(func(error) { p.ResolveOnLoop(0) })
		}, errReason, true, nil},
		{"OnCancel is given the reason", func(p *rondo.Promise[int]) {
			p.OnCancel(func(reason error) { p.RejectOnLoop(fmt.Errorf("because %w", reason)) })
		}, errReason, true, errReason},
		{"the second OnCancel counts", func(p *rondo.Promise[int]) {
			p.OnCancel(func(error) { t.Error("the first was called") })
			p.OnCancel(func(error) { p.RejectOnLoop(errTest) })
		}, errReason, true, errTest},
		{"OnCancel after Cancel", func(p *rondo.Promise[int]) {
			p.OnCancel(func(error) {
				p.OnCancel(func(error) { t.Error("called though it came too late") })
			})
		}, errReason, true, rondo.ErrPending},
		{"OnCancel panics", func(p *rondo.Promise[int]) { p.OnCancel(func(error) { panic(errTest) }) }, errReason, true, errTest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rig.On(t, l, func() {
				p := rondo.NewPromise[int](l)
				f := p.Future()
				tt.prepare(p)
				if came := f.Cancel(tt.reason); came != tt.came {
					t.Errorf("Cancel says %v", came)
				}
				state(t, "the future", f, 0, tt.now)
				if f.Cancel(tt.reason) {
					t.Error("a second Cancel says that it came in time")
				}
				state(t, "the future", f, 0, tt.now)
			})
		})
	}
}

// A panic of OnCancel's is its future's error, and nobody else's: those who told it, and those who were to be told
// with it, go on.
func TestOnCancelPanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	rig.On(t, l, func() {
		bad, good := rondo.NewPromise[int](l), rondo.NewPromise[int](l)
		bad.OnCancel(func(error) { panic("OnCancel's bang") })
		all := rondo.All(l, rondo.Rejected[int](l, errTest), bad.Future(), good.Future())
		if _, err := all.Result(); !errors.Is(err, errTest) {
			t.Errorf("the join has come to %v", err)
		}
		state(t, "the one behind", good.Future(), 0, errTest)
		var p *rondo.PanicError
		if err := bad.Future().Err(); !errors.As(err, &p) {
			t.Errorf("the one that panicked has come to %v", err)
		}

		settled := rondo.NewPromise[int](l)
		settled.OnCancel(func(error) { settled.ResolveOnLoop(1); panic("too late a bang") })
		settled.Future().Cancel(nil)
		state(t, "the one that has a result", settled.Future(), 1, nil)
	})
	e.Log.Await(t, "too late a bang")
}

// Of Cancel on the loop and Resolve elsewhere, one has its way, and everybody sees the same one.
func TestCancelRace(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	for round := range 500 {
		p := rondo.NewPromise[int](l)
		f := p.Future()
		told := make(chan error, 2)
		if round%2 == 0 {
			p.OnCancel(func(reason error) { p.RejectOnLoop(reason) })
		}
		rig.On(t, l, func() { f.OnDone(func(_ int, err error) { told <- err }) })
		var resolved, came bool
		var wg sync.WaitGroup
		wg.Go(func() { resolved = p.Resolve(1) })
		wg.Go(func() {
			rig.On(t, l, func() {
				_ = f.String() // looks at what the other writes
				came = f.Cancel(errReason)
			})
		})
		wg.Wait()
		err := rig.Await(t, told)
		if resolved != (err == nil) || resolved && came && round%2 == 1 || !resolved && !came {
			t.Fatalf("Resolve says %v, Cancel %v, and the future has come to %v", resolved, came, err)
		}
		rig.On(t, l, func() {}) // whoever would be told twice is told by now
		if len(told) > 0 {
			t.Fatal("told twice")
		}
	}
}

// What a loop may do with a pending future does not race with its being settled elsewhere.
func TestUseWhileSettled(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	for range 100 {
		p := rondo.NewPromise[any](l)
		var wg sync.WaitGroup
		wg.Go(func() { p.Reject(errTest) })
		wg.Go(func() {
			rig.On(t, l, func() {
				f := p.Future()
				f.Ignore()
				_ = f.String()
				_, _ = f.Result()
			})
		})
		wg.Wait()
	}
}

// A future that somebody else waits for is not cancelled by one who abandons it.
func TestAbandon(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rig.On(t, l, func() {
		p := rondo.NewPromise[int](l)
		var a, b notes
		a.waiter.Init(&a)
		b.waiter.Init(&b)
		if a.waiter.Stop() || a.waiter.Abandon(errReason) || a.waiter.Waiting() || a.waiter.String() != "nothing" {
			t.Error("a waiter that waits for nothing says otherwise")
		}
		p.Future().Watch(&a.waiter)
		p.Future().Watch(&b.waiter)
		if !a.waiter.Waiting() || a.waiter.String() != "a future of int" {
			t.Errorf("a waiter that waits: %v, %s", a.waiter.Waiting(), &a.waiter)
		}
		if !a.waiter.Abandon(errReason) || p.Future().Done() {
			t.Error("cancelled while another waits")
		}
		if !b.waiter.Abandon(errReason) {
			t.Error("there was something to abandon")
		}
		state(t, "the future", p.Future(), 0, errReason)
		if a.told+b.told != 0 {
			t.Error("told after giving up")
		}
		p.Future().Watch(&a.waiter)
		if a.told != 1 || a.waiter.Waiting() {
			t.Error("not told at once of what is done")
		}
	})
}

type notes struct {
	waiter rondo.Waiter
	told   int
}

func (n *notes) FutureDone() { n.told++ }

// Blocking work that is cancelled before it begins is not begun; while it runs, its context ends.
func TestCancelRun(t *testing.T) {
	e := newTestEngine(t, rondo.Config{MaxBlocking: 1})
	l := e.Loop()
	begun, ended := make(chan struct{}), make(chan error, 1)
	running := rondo.Run(l, func(ctx context.Context) (int, error) {
		close(begun)
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return 1, nil
	})
	queued := rondo.Run(l, func(context.Context) (int, error) {
		t.Error("begun though it was cancelled before")
		return 1, nil
	})
	rig.Await(t, begun)
	rig.On(t, l, func() {
		if queued.String() != "blocking work" {
			t.Errorf("waits for %s", queued)
		}
		if !queued.Cancel(errReason) || !running.Cancel(errReason) {
			t.Error("Cancel says that it came too late")
		}
		state(t, "the one that waited", queued, 0, errReason)
		state(t, "the one that ran", running, 0, errReason)
	})
	if err := rig.Await(t, ended); !errors.Is(err, errReason) {
		t.Errorf("the context's cause is %v", err)
	}
	last := rondo.Run(l, func(context.Context) (int, error) { return 2, nil })
	if v := rig.Result(t, last); v != 2 {
		t.Errorf("then: %v", v)
	}
	rig.On(t, l, func() {
		if last.Cancel(errReason) {
			t.Error("Cancel after the end says that it came in time")
		}
		state(t, "the last", last, 2, nil)
	})
}
