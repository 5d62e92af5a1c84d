package rondo_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// tick is more than the wheel's resolution: a timer is due at most that much after its time.
const tick = 66 * time.Microsecond

// ran advances the clock and returns once the loop has fired what is due.
func ran(t testing.TB, e *engine, clock *stopped, d time.Duration) {
	t.Helper()
	clock.advance(d)
	for range 2 { // a post may be served before the clock is looked at
		rig.On(t, e.Loop(), func() {})
	}
}

func TestAfter(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	for _, d := range []time.Duration{
		1, time.Microsecond, tick, time.Millisecond, 999 * time.Millisecond, time.Minute, time.Hour, 100 * 24 * time.Hour,
	} {
		fired := 0
		rig.On(t, l, func() {
			begun := l.Now()
			l.After(d, func() {
				fired++
				if took := l.Now().Sub(begun); took < d || took > d+tick {
					t.Errorf("After(%v) took %v", d, took)
				}
			})
		})
		ran(t, e, clock, d-1)
		if fired != 0 {
			t.Errorf("After(%v) fired early", d)
		}
		ran(t, e, clock, 1+tick)
		ran(t, e, clock, time.Hour)
		if fired != 1 {
			t.Errorf("After(%v) fired %d times", d, fired)
		}
	}
}

// By the real clock a timer is never early either.
func TestAfterByRealClock(t *testing.T) {
	const n = 200
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	done := make(chan struct{}, n)
	l.Post(func() {
		for i := range n {
			d := time.Duration(i) * 137 * time.Microsecond
			begun := l.Now()
			l.After(d, func() {
				if took := l.Now().Sub(begun); took < d {
					t.Errorf("After(%v) fired after %v", d, took)
				}
				done <- struct{}{}
			})
		}
	})
	for range n {
		rig.Await(t, done)
	}
}

func TestAfterNothing(t *testing.T) {
	e, _ := newStoppedEngine(t, rondo.Config{}) // nothing needs to pass
	l := e.Loop()
	for _, d := range []time.Duration{0, -1, math.MinInt64} {
		fired := make(chan struct{})
		rig.On(t, l, func() {
			inside := true
			l.After(d, func() {
				if inside {
					t.Error("fired from within After")
				}
				close(fired)
			})
			inside = false
		})
		rig.Await(t, fired)
	}
}

func TestAfterForever(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	rig.On(t, l, func() {
		l.After(math.MaxInt64, func() { t.Error("for ever is over") })
	})
	ran(t, e, clock, 50*365*24*time.Hour)
}

// Timers fire in the order of their times, and of the calls among equal ones.
func TestTimerOrder(t *testing.T) {
	const n = 1000
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	random := rand.New(rand.NewPCG(5, 6))
	type call struct{ after, number int }
	var fired []call
	rig.On(t, l, func() {
		for i := range n {
			d := random.IntN(50)
			l.After(time.Duration(d)*time.Millisecond/10, func() { fired = append(fired, call{d, i}) })
		}
	})
	ran(t, e, clock, time.Second)
	if len(fired) != n {
		t.Fatalf("%d timers of %d fired", len(fired), n)
	}
	if !slices.IsSortedFunc(fired, func(a, b call) int {
		if a.after != b.after {
			return a.after - b.after
		}
		return a.number - b.number
	}) {
		t.Error("not in order")
	}
}

func TestStop(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	fired := 0
	var early, late, inside rondo.Timer
	rig.On(t, l, func() {
		early = l.After(time.Second, func() { fired++ })
		late = l.After(2*time.Second, func() { t.Error("fired after Stop") })
		inside = l.After(time.Second, func() {
			if inside.Stop() {
				t.Error("Stop from within a timer says that it kept it from firing")
			}
			if !late.Stop() || late.Stop() {
				t.Error("Stop does not report that the timer was pending, or reports it twice")
			}
		})
	})
	ran(t, e, clock, time.Second+tick)
	rig.On(t, l, func() {
		if early.Stop() {
			t.Error("Stop says that it kept a timer from firing that has fired")
		}
	})
	ran(t, e, clock, time.Hour)
	if fired != 1 {
		t.Errorf("fired %d times", fired)
	}
}

// One timer may stop another that is due at the same time.
func TestStopWhatIsDue(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	fired := 0
	rig.On(t, l, func() {
		timers := make([]rondo.Timer, 10)
		for i := range timers {
			timers[i] = l.After(time.Second, func() {
				fired++
				for _, other := range timers {
					other.Stop()
				}
			})
		}
	})
	ran(t, e, clock, 2*time.Second)
	if fired != 1 {
		t.Errorf("%d timers fired", fired)
	}
}

func TestReset(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	fired := 0
	var timer rondo.Timer
	reset := func(d time.Duration, pending bool) {
		t.Helper()
		rig.On(t, l, func() {
			if timer.Reset(d) != pending {
				t.Errorf("Reset does not report %v", pending)
			}
		})
	}
	check := func(want int) {
		t.Helper()
		if fired != want {
			t.Fatalf("fired %d times, want %d", fired, want)
		}
	}
	rig.On(t, l, func() { timer = l.After(time.Second, func() { fired++ }) })
	for range 10 { // put off again and again
		ran(t, e, clock, 900*time.Millisecond)
		reset(time.Second, true)
	}
	check(0)
	ran(t, e, clock, time.Second+tick)
	check(1)
	reset(time.Second, false) // after it has fired: it is over for good
	ran(t, e, clock, time.Second+tick)
	check(1)
	rig.On(t, l, func() {
		timer = l.After(time.Second, func() { fired++ })
		timer.Stop()
	})
	reset(time.Millisecond, false) // after it was stopped
	ran(t, e, clock, time.Second+tick)
	check(1)
	rig.On(t, l, func() { timer = l.After(time.Second, func() { fired++ }) })
	reset(0, true)
	ran(t, e, clock, 0)
	check(2)
}

// A timer that is over does not reach the one that is kept in its place now.
func TestTimerPlaceReused(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	fired := 0
	rig.On(t, l, func() {
		if (rondo.Timer{}).Stop() || (rondo.Timer{}).Reset(0) || (rondo.Timer{}).Pending() {
			t.Error("the zero Timer is not over")
		}
		for _, end := range []func(rondo.Timer){
			func(t rondo.Timer) { t.Stop() },
			func(t rondo.Timer) { t.Reset(0) },
		} {
			old := l.After(time.Second, func() { t.Error("a stopped timer has fired") })
			old.Stop()
			next := l.After(time.Second, func() { fired++ })
			if !rondo.SamePlace(old, next) {
				t.Error("the place is not used again")
			}
			end(old)
			if old.Pending() || !next.Pending() {
				t.Error("the old timer reaches the new one")
			}
		}
	})
	ran(t, e, clock, 0)
	if fired != 0 {
		t.Error("Reset of the old timer has moved the new one")
	}
	ran(t, e, clock, time.Second+tick)
	if fired != 2 {
		t.Errorf("%d of 2 new timers have fired", fired)
	}
}

// What a timer calls may start the next one.
func TestAfterFromWithin(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	fired := 0
	rig.On(t, l, func() {
		var again func()
		again = func() {
			if fired++; fired < 3 {
				l.After(time.Second, again)
			}
		}
		l.After(time.Second, again)
	})
	for want := 1; want <= 3; want++ {
		ran(t, e, clock, time.Second+tick)
		if fired != want {
			t.Fatalf("fired %d times, want %d", fired, want)
		}
	}
	ran(t, e, clock, time.Hour)
	if fired != 3 {
		t.Errorf("fired %d times", fired)
	}
}

// Every's calls come at multiples of the period, however late each of them is, and those that were
// missed are left out.
func TestEvery(t *testing.T) {
	const period = 10 * time.Millisecond
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	var at []time.Duration
	var timer rondo.Timer
	rig.On(t, l, func() {
		begun := l.Now()
		timer = l.Every(period, func() { at = append(at, l.Now().Sub(begun)) })
	})
	for range 1000 { // each call is late by some of this
		ran(t, e, clock, 700*time.Microsecond)
	}
	if len(at) != 70 && len(at) != 69 {
		t.Errorf("%d calls in %v", len(at), 700*time.Millisecond)
	}
	for i, d := range at {
		if due := time.Duration(i+1) * period; d < due || d > due+700*time.Microsecond+tick {
			t.Fatalf("call %d came at %v", i, d)
		}
	}
	// The loop was busy for two and a half periods: one call, then the rhythm as before.
	ran(t, e, clock, period)
	at = at[:0]
	ran(t, e, clock, 5*period/2)
	if len(at) != 1 {
		t.Errorf("%d calls for three missed ones", len(at))
	}
	ran(t, e, clock, period/2+tick)
	if len(at) != 2 || at[1]%period > 2*tick {
		t.Errorf("out of rhythm: %v", at)
	}
	rig.On(t, l, func() {
		if !timer.Stop() || timer.Stop() {
			t.Error("Stop does not report that the timer was pending, or reports it twice")
		}
	})
	ran(t, e, clock, time.Second)
	if len(at) != 2 {
		t.Error("called after Stop")
	}
}

func TestEveryFromWithin(t *testing.T) {
	const period = 10 * time.Millisecond
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	stopped, moved := 0, []time.Duration(nil)
	rig.On(t, l, func() {
		begun := l.Now()
		var first, second rondo.Timer
		first = l.Every(period, func() {
			if stopped++; stopped == 2 && !first.Stop() {
				t.Error("Stop from within does not report that it was pending")
			}
		})
		second = l.Every(period, func() {
			moved = append(moved, l.Now().Sub(begun).Round(time.Millisecond))
			if len(moved) == 2 && !second.Reset(period/2) {
				t.Error("Reset from within does not report that it was pending")
			}
		})
	})
	for range 50 {
		ran(t, e, clock, time.Millisecond)
	}
	if stopped != 2 {
		t.Errorf("called %d times and stopped in the second", stopped)
	}
	// The clock moves by a millisecond at a time, and the tick has to end.
	want := []time.Duration{11 * time.Millisecond, 21 * time.Millisecond, 27 * time.Millisecond, 37 * time.Millisecond, 47 * time.Millisecond}
	if !slices.Equal(moved, want) {
		t.Errorf("called at %v, want %v", moved, want)
	}
}

// Reset(0) has the timer fire at once; the rhythm goes on from there.
func TestEveryResetToNow(t *testing.T) {
	const period = 10 * time.Millisecond
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	calls := 0
	var timer rondo.Timer
	rig.On(t, l, func() { timer = l.Every(period, func() { calls++ }) })
	ran(t, e, clock, 7*time.Millisecond+333*time.Microsecond)
	rig.On(t, l, func() { timer.Reset(0) })
	ran(t, e, clock, 0)
	if calls != 1 {
		t.Fatalf("called %d times", calls)
	}
	ran(t, e, clock, period-1)
	if calls != 1 {
		t.Error("the next call came too early")
	}
	ran(t, e, clock, 1+tick)
	if calls != 2 {
		t.Error("the next call did not come in its time")
	}
}

func TestEveryPanics(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	calls := 0
	rig.On(t, l, func() {
		for _, d := range []time.Duration{0, -1} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("Every(%v) did not panic", d)
					}
				}()
				l.Every(d, func() {})
			}()
		}
		l.Every(time.Second, func() { calls++; panic("each time") })
	})
	for range 3 {
		ran(t, e, clock, time.Second+tick)
		e.Log.Await(t, "each time")
	}
	if calls != 3 {
		t.Errorf("one that panics was called %d times of 3", calls)
	}
}

func TestManyTimers(t *testing.T) {
	const n = 100_000
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	random := rand.New(rand.NewPCG(7, 8))
	fired, stopped := 0, 0
	var last time.Duration
	rig.On(t, l, func() {
		begun := l.Now()
		timers := make([]rondo.Timer, n)
		for i := range timers {
			d := time.Duration(random.Int64N(int64(time.Hour)))
			timers[i] = l.After(d, func() {
				fired++
				if d < last || l.Now().Sub(begun) < d {
					t.Errorf("%v fired after %v, at %v", d, last, l.Now().Sub(begun))
				}
				last = d
			})
		}
		for _, timer := range timers[:n/2] {
			if timer.Stop() {
				stopped++
			}
		}
	})
	for range 60 {
		ran(t, e, clock, time.Minute+time.Second)
	}
	if fired != n-n/2 || stopped != n/2 {
		t.Errorf("%d fired and %d were stopped, of %d", fired, stopped, n)
	}
}
