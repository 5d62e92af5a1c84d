package sim_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// A goroutine that says what it waits for is asked only when that may have come, however much happens meanwhile.
func TestBlockedIsAskedWhenWoken(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("a").Engine()
		asked, come, went := 0, false, time.Duration(0)
		var key struct{ int }
		w.Go(func() {
			e.Block(func() bool { asked++; return come }, &key)
			went = w.Elapsed()
		})
		for range 1000 {
			w.Sleep(time.Millisecond)
		}
		e.Wake(&key) // nothing has come
		w.Sleep(time.Millisecond)
		if asked != 2 {
			w.Errorf("asked %d times before it came, not twice", asked)
		}
		come = true
		e.Wake(&key)
		at := w.Elapsed()
		w.Sleep(time.Millisecond)
		if asked != 3 || went != at {
			w.Errorf("asked %d times, and went on at %v, not %v", asked, went, at)
		}
	})
}

// Contexts of all kinds end waits, when they are cancelled, when their time has passed, and when an outer one ends.
func TestContextsEndWaits(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("a").Engine()
		never := rondo.NewPromise[int](e.Loop()).Future()
		wait := func(name string, ctx context.Context, want time.Duration) {
			at := w.Elapsed()
			for range 3 {
				w.Go(func() {
					if _, err := never.Wait(ctx); err == nil || w.Elapsed() != at+want {
						w.Errorf("%s: %v, after %v", name, err, w.Elapsed()-at)
					}
				})
			}
			w.Sleep(time.Hour)
		}
		after := func(d time.Duration, cancel func()) { w.After(d, cancel) }

		std, cancel := context.WithCancel(background)
		after(time.Second, cancel)
		wait("cancelled", std, time.Second)

		timed, cancel := w.WithTimeout(background, time.Second)
		wait("timed", timed, time.Second)
		wait("timed before", timed, 0)
		cancel()

		timed, cancel = w.WithTimeout(background, time.Minute)
		after(time.Second, cancel)
		wait("cancelled before its time", timed, time.Second)

		timed, cancel = w.WithTimeout(background, time.Second)
		inner, cancel2 := context.WithCancel(timed)
		wait("derived", inner, time.Second)
		cancel2()
		cancel()

		outer, cancel := context.WithCancel(background)
		timed, cancel2 = w.WithTimeout(outer, time.Minute)
		after(time.Second, cancel)
		wait("outer", timed, time.Second)
		cancel2()

		task := context.WithValue(timed, new(int), 1)
		wait("with a value", task, 0)
	})
}

// What was to follow the end of a context does not if stop was called before: also at the same instant.
func TestStopAfterCancel(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e := w.Host("a").Engine()
		std, cancel := context.WithCancel(background)
		timed, cancel2 := w.WithTimeout(background, time.Minute)
		var order []int
		for i, ctx := range []context.Context{std, timed, std, timed} {
			stop := e.AfterContext(ctx, func() { order = append(order, i) })
			if i < 2 {
				defer func() {
					if stop() {
						w.Errorf("it is stopped after it has been called")
					}
				}()
				continue
			}
			stopped := e.AfterContext(ctx, func() { w.Errorf("called although it was stopped") })
			defer func() {
				if stopped() {
					w.Errorf("it is stopped twice")
				}
			}()
			w.Go(func() {
				if !stopped() {
					w.Errorf("it could not be stopped")
				}
			})
		}
		w.Go(func() { cancel(); cancel2() })
		w.Sleep(time.Second)
		if len(order) != 4 {
			w.Errorf("called: %v", order)
		}
	})
}

// A goroutine that was killed is asked no more, and leaves nothing that is.
func TestKilledWhileWaiting(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		ctx, cancel := context.WithCancel(background)
		ended := 0
		for i := range 10 {
			e := h.Engine()
			key, asked := new(int), 0
			h.Go(func() {
				defer func() { ended++ }()
				e.Block(func() bool { asked++; return false }, key, ctx)
				w.Errorf("%d: it has gone on", i)
			})
			w.Sleep(time.Second)
			h.Restart()
			e.Wake(key)
			w.Sleep(time.Second)
			if asked != 1 || ended != i+1 {
				w.Errorf("%d: asked %d times, %d have ended", i, asked, ended)
			}
		}
		cancel()
		w.Sleep(time.Second)
	})
}

// Who goes first of many that are woken at once is drawn from the seed.
func TestOrderOfTheWoken(t *testing.T) {
	order := func(seed uint64) string {
		var s []int
		_, err := sim.Simulate(sim.Config{Seed: seed}, func(w *sim.World) {
			e := w.Host("a").Engine()
			come := false
			for i := range 20 {
				w.Go(func() {
					e.Block(func() bool { return come }, &come)
					s = append(s, i)
				})
			}
			w.Sleep(time.Second)
			come = true
			e.Wake(&come)
			w.Sleep(time.Second)
		})
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprint(s)
	}
	if a, b := order(1), order(1); a != b {
		t.Errorf("the same seed: %s and %s", a, b)
	}
	if a, b := order(1), order(2); a == b {
		t.Errorf("the seeds 1 and 2 have the same order: %s", a)
	}
}
