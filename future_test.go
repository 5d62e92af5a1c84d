package rondo_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

func TestPromise(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	for _, tt := range []struct {
		name   string
		settle func(p *rondo.Promise[string]) bool
		want   string
		err    error
	}{
		{"Resolve", func(p *rondo.Promise[string]) bool { return p.Resolve("yes") }, "yes", nil},
		{"Reject", func(p *rondo.Promise[string]) bool { return p.Reject(errTest) }, "", errTest},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := rondo.NewPromise[string](l)
			f := p.Future()
			if f != p.Future() || f.Loop() != l {
				t.Error("not the promise's future")
			}
			told := make(chan struct{})
			rig.On(t, l, func() {
				if _, err := f.Result(); f.Done() || !errors.Is(err, rondo.ErrPending) {
					t.Errorf("before: %v, %v", f.Done(), err)
				}
				f.OnDone(func(v string, err error) {
					if v != tt.want || !errors.Is(err, tt.err) || !f.Done() {
						t.Errorf("OnDone got %q, %v", v, err)
					}
					close(told)
				})
			})
			if !tt.settle(p) {
				t.Error("the first says that it does not count")
			}
			if p.Resolve("late") || p.Reject(errors.New("late")) {
				t.Error("the second says that it counts")
			}
			rig.Await(t, told)
			rig.On(t, l, func() {
				if v, err := f.Result(); v != tt.want || !errors.Is(err, tt.err) {
					t.Errorf("Result is %q, %v", v, err)
				}
			})
			if v, err := f.Wait(t.Context()); v != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("Wait says %q, %v", v, err)
			}
		})
	}
}

func TestRejectNil(t *testing.T) {
	p := rondo.NewPromise[int](newTestEngine(t, rondo.Config{}).Loop())
	defer func() {
		if recover() == nil {
			t.Error("Reject(nil) did not panic")
		}
	}()
	p.Reject(nil)
}

// Of many goroutines that settle a promise, one does.
func TestSettleOnce(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	for range 100 {
		p := rondo.NewPromise[int](e.Loop())
		var first, winner atomic.Int64
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				if p.Resolve(i) {
					first.Add(1)
					winner.Store(int64(i))
				}
			})
		}
		wg.Wait()
		if v := rig.Result(t, p.Future()); first.Load() != 1 || v != int(winner.Load()) {
			t.Fatalf("%d were first; the result is %d and the winner %d", first.Load(), v, winner.Load())
		}
	}
}

// Functions are called in the order of OnDone, before and after the result, never from within OnDone or
// Resolve, nor from within each other.
func TestOnDone(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	p := rondo.NewPromise[int](l)
	f := p.Future()
	var order []int
	inside := false
	done := make(chan struct{})
	add := func(n int, more func()) {
		f.OnDone(func(v int, err error) {
			if inside || v != 7 || err != nil {
				t.Errorf("function %d: inside %v, %d, %v", n, inside, v, err)
			}
			inside = true
			order = append(order, n)
			if more != nil {
				more()
			}
			inside = false
		})
	}
	rig.On(t, l, func() {
		inside = true
		add(1, func() { add(4, func() { add(5, func() { close(done) }) }) })
		add(2, nil)
		p.Resolve(7)
		add(3, nil)
		inside = false
	})
	rig.Await(t, done)
	rig.On(t, l, func() {
		if want := []int{1, 2, 3, 4, 5}; !slices.Equal(order, want) {
			t.Errorf("called in the order %v", order)
		}
	})
	late := make(chan struct{})
	rig.On(t, l, func() {
		inside = true
		add(6, func() { close(late) })
		inside = false
	})
	rig.Await(t, late)
}

// A function that panics does not keep the others from being called.
func TestOnDonePanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	p := rondo.NewPromise[int](l)
	calls := make(chan int, 10)
	rig.On(t, l, func() {
		for i := range 10 {
			p.Future().OnDone(func(int, error) {
				calls <- i
				if i%3 == 0 {
					panic("one of ten")
				}
			})
		}
	})
	p.Resolve(1)
	for i := range 10 {
		if got := rig.Await(t, calls); got != i {
			t.Errorf("%d was called, want %d", got, i)
		}
	}
	for range 4 {
		e.Log.Await(t, "one of ten")
	}
}

func TestWait(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	a, b := e.Loops()[0], e.Loops()[1]
	pending := rondo.NewPromise[int](a)

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errTest)
	if _, err := pending.Future().Wait(ctx); !errors.Is(err, errTest) {
		t.Errorf("with a context that has ended Wait says %v", err)
	}

	rig.On(t, a, func() {
		if _, err := pending.Future().Wait(t.Context()); !errors.Is(err, rondo.ErrOnLoop) {
			t.Errorf("on its loop Wait says %v", err)
		}
	})
	// On another loop it is rude, and works.
	rig.On(t, b, func() {
		pending.Resolve(5)
		if v, err := pending.Future().Wait(t.Context()); v != 5 || err != nil {
			t.Errorf("on another loop Wait says %d, %v", v, err)
		}
	})

	// Many may wait for one.
	p := rondo.NewPromise[int](a)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if v, err := p.Future().Wait(t.Context()); v != 6 || err != nil {
				t.Errorf("Wait says %d, %v", v, err)
			}
		})
	}
	p.Resolve(6)
	wg.Wait()
}

func TestWaitAndClose(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	pending, done := rondo.NewPromise[int](l), rondo.NewPromise[int](l)
	done.Resolve(8)
	waited := make(chan error, 1)
	go func() {
		_, err := pending.Future().Wait(context.WithoutCancel(t.Context()))
		waited <- err
	}()
	rig.On(t, l, func() {})
	e.Close()
	if err := rig.Await(t, waited); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Wait across Close says %v", err)
	}
	if _, err := pending.Future().Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("Wait after Close says %v", err)
	}
	// A result that was there before is still there.
	if v, err := done.Future().Wait(t.Context()); v != 8 || err != nil {
		t.Errorf("Wait for a result from before Close says %d, %v", v, err)
	}
	pending.Resolve(9) // has nobody to tell, and says so to nobody
}

// A result that is there when the context has ended is returned all the same, and its error looked at.
func TestWaitWithEndedContext(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	done, failed := rondo.NewPromise[int](l), rondo.NewPromise[int](l)
	done.Resolve(8)
	failed.Reject(errTest)
	rig.On(t, l, func() {})
	for range 100 {
		for _, f := range []*rondo.Future[int]{done.Future(), rondo.Resolved(l, 8)} {
			if v, err := f.Wait(ended); v != 8 || err != nil {
				t.Fatalf("Wait says %d, %v", v, err)
			}
		}
		for _, f := range []*rondo.Future[int]{failed.Future(), rondo.Rejected[int](l, errTest)} {
			if _, err := f.Wait(ended); !errors.Is(err, errTest) {
				t.Fatalf("Wait says %v", err)
			}
		}
	}
	rig.On(t, l, func() {
		if n := rondo.Waits(done.Future()); n != 0 {
			t.Errorf("%d waits are kept", n)
		}
	})
	collect(t, l)
}

// A wait that is given up leaves nothing behind.
func TestWaitGivenUp(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	p := rondo.NewPromise[int](e.Loop())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, err := p.Future().Wait(ended); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	rig.On(t, e.Loop(), func() {
		if n := rondo.Waits(p.Future()); n != 0 {
			t.Errorf("%d waits are kept", n)
		}
	})
	p.Resolve(1)
	if v, err := p.Future().Wait(t.Context()); v != 1 || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}
