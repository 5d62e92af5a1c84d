package wheel

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
)

// popAll returns the owners of the timers that are due.
func popAll(w *Wheel[int]) []int {
	var owners []int
	for t := w.Pop(); t != nil; t = w.Pop() {
		owners = append(owners, t.Owner)
	}
	return owners
}

func wantPopped(t *testing.T, w *Wheel[int], now int64, want ...int) {
	t.Helper()
	w.Expire(now)
	if got := popAll(w); !slices.Equal(got, want) {
		t.Fatalf("after Expire(%d): popped %v, want %v", now, got, want)
	}
}

func TestExpire(t *testing.T) {
	tests := []struct {
		name  string
		start int64   // time at which the timers are added
		whens []int64 // owner i has the deadline whens[i]
		now   int64
		want  []int
	}{
		{"empty", 0, nil, 1 << 40, nil},
		{"not before the tick", 0, []int64{1, Tick}, Tick - 1, nil},
		{"on the tick", 0, []int64{1, Tick, Tick + 1}, Tick, []int{0, 1}},
		{"unsorted in one tick", 0, []int64{9, 3, 7, 3, 1, 9}, Tick, []int{4, 1, 3, 2, 0, 5}},
		{"unsorted over levels", 0, []int64{1 << 50, 1 << 20, 1 << 30, 5, 1 << 40}, 1 << 50, []int{3, 1, 2, 4, 0}},
		{"past", 10 * Tick, []int64{10 * Tick, 0, -1, math.MinInt64, 10*Tick + 1}, 10 * Tick, []int{3, 2, 1, 0}},
		{"past, inside of a tick", Tick + 9, []int64{Tick + 9, Tick + 8, Tick + 10}, Tick + 9, []int{1, 0}},
		{"zero is past at the start", 0, []int64{0}, 0, []int{0}},
		{"years", 1, []int64{1 << 57, 1<<57 + Tick, 2}, 1 << 57, []int{2, 0}},
		{"never", 0, []int64{math.MaxInt64, math.MaxInt64 - 1}, math.MaxInt64 - 1, nil},
		{"end of time", 0, []int64{math.MaxInt64, math.MaxInt64 - 1}, math.MaxInt64, []int{1, 0}},
		{"past the end of time", math.MaxInt64, []int64{math.MaxInt64, 3}, math.MaxInt64, []int{1, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w Wheel[int]
			w.Expire(tt.start)
			timers := make([]Timer[int], len(tt.whens))
			for i, when := range tt.whens {
				timers[i].Owner = i
				w.Add(&timers[i], when)
			}
			wantPopped(t, &w, tt.now, tt.want...)
			if got, want := w.Len(), len(tt.whens)-len(tt.want); got != want {
				t.Errorf("Len() = %d, want %d", got, want)
			}
		})
	}
}

// TestLevelEdges has timers on both sides of each power of 64 ticks, seen from
// starts on both sides of it.
func TestLevelEdges(t *testing.T) {
	for level := range levels {
		edge := int64(Tick) << (level * levelBits)
		for _, start := range []int64{0, 1, Tick, edge - Tick, edge - 1, edge, edge + 1, 63 * (edge / 64), 3*edge + Tick} {
			for _, when := range []int64{edge - 1, edge, edge + 1, edge + Tick, 2 * edge, 63 * edge, 64*(edge-1) + 1} {
				if when <= start { // also if 64 edges overflow
					continue
				}
				t.Run(fmt.Sprintf("level %d from %d to %d", level, start, when), func(t *testing.T) {
					testOne(t, start, when)
				})
			}
		}
	}
}

func TestEndOfTime(t *testing.T) {
	const end = math.MaxInt64
	for _, start := range []int64{0, end - 100*Tick, end - Tick, end - Tick + 1, end - 2} {
		for _, when := range []int64{end, end - 1, end - Tick + 1, end - Tick} {
			if when > start {
				testOne(t, start, when)
			}
		}
	}
}

func testOne(t *testing.T, start, when int64) {
	t.Helper()
	due := dueTime(when)
	var w Wheel[int]
	w.Expire(start)
	timer := Timer[int]{Owner: 1}

	w.Add(&timer, when)
	wantPopped(t, &w, due-1) // in one leap
	wantPopped(t, &w, due, 1)

	w = Wheel[int]{}
	w.Expire(start)
	w.Add(&timer, when) // in the steps that Next proposes
	for steps := 1; w.Len() > 0; steps++ {
		next, ok := w.Next()
		if !ok || next > due || next <= w.now {
			t.Fatalf("at %d: Next() = %d, %v; the timer is due at %d", w.now, next, ok, due)
		}
		w.Expire(next)
		if popped := w.Pop() != nil; popped != (next == due) || steps > levels {
			t.Fatalf("step %d, Expire(%d): popped %v; the timer is due at %d", steps, next, popped, due)
		}
	}
}

func TestReadd(t *testing.T) {
	var w Wheel[int]
	var a, b Timer[int]
	a.Owner, b.Owner = 1, 2
	w.Add(&a, 5)
	w.Add(&b, 5)
	w.Add(&a, 5) // now after b
	if w.Len() != 2 {
		t.Errorf("Len() = %d, want 2", w.Len())
	}
	wantPopped(t, &w, Tick, 2, 1)
	w.Add(&a, 2*Tick)
	w.Add(&a, 1<<40)
	wantPopped(t, &w, 2*Tick)
	w.Add(&a, 3*Tick)
	wantPopped(t, &w, 3*Tick, 1)
}

func TestRemove(t *testing.T) {
	var w Wheel[int]
	var timer Timer[int]
	if w.Remove(&timer) || timer.Pending() || timer.When() != 0 {
		t.Error("a zero Timer is pending or has a deadline")
	}
	for _, when := range []int64{-1, 7, 1 << 30, math.MaxInt64} {
		w.Add(&timer, when)
		if !timer.Pending() || timer.When() != when {
			t.Errorf("added for %d: Pending() = %v, When() = %d", when, timer.Pending(), timer.When())
		}
		if !w.Remove(&timer) || w.Remove(&timer) || timer.Pending() {
			t.Error("removed other than once")
		}
		if _, ok := w.Next(); ok || w.Len() != 0 {
			t.Errorf("Next() = _, %v, Len() = %d for an empty wheel", ok, w.Len())
		}
	}
	wantPopped(t, &w, math.MaxInt64)
}

func TestChangesDuringBatch(t *testing.T) {
	var w Wheel[int]
	timers := make([]Timer[int], 5)
	for i := range timers {
		timers[i].Owner = i
		w.Add(&timers[i], int64(i+1))
	}
	w.Expire(Tick)
	if got := w.Pop(); got != &timers[0] {
		t.Fatalf("first popped %v", got.Owner)
	}
	w.Add(&timers[0], Tick)    // no delay: the next batch
	w.Add(&timers[1], 0)       // due, not popped yet: moved to the next batch
	if !w.Remove(&timers[2]) { // due, not popped yet: never
		t.Error("could not remove a timer that is due")
	}
	if got, want := popAll(&w), []int{3, 4}; !slices.Equal(got, want) {
		t.Errorf("popped %v, want %v", got, want)
	}
	if next, ok := w.Next(); next != Tick || !ok {
		t.Errorf("Next() = %d, %v with timers that have passed, want the present, %d", next, ok, Tick)
	}
	wantPopped(t, &w, Tick, 1, 0)
}

// TestInterruptedBatch leaves timers due, as a callback that panics does.
func TestInterruptedBatch(t *testing.T) {
	var w Wheel[int]
	timers := make([]Timer[int], 4)
	for i := range timers {
		timers[i].Owner = i
		w.Add(&timers[i], int64(10*(i+1)))
	}
	w.Expire(Tick)
	w.Pop()
	if next, ok := w.Next(); next != Tick || !ok || w.Len() != 3 {
		t.Errorf("Next() = %d, %v, Len() = %d with timers due", next, ok, w.Len())
	}
	w.Add(&timers[0], 30) // has passed; belongs after the other 30
	wantPopped(t, &w, 2*Tick, 1, 2, 0, 3)
}

// TestNoOvertaking is about the exception in the doc of Expire.
func TestNoOvertaking(t *testing.T) {
	var w Wheel[int]
	timers := make([]Timer[int], 3)
	for i := range timers {
		timers[i].Owner = i
	}
	w.Add(&timers[0], Tick+5)
	w.Add(&timers[1], Tick+50)
	wantPopped(t, &w, Tick+10)
	w.Add(&timers[2], Tick+10)
	wantPopped(t, &w, Tick+10, 0, 2)
	wantPopped(t, &w, Tick+60)
	wantPopped(t, &w, 2*Tick, 1)
}

func TestTimeDoesNotGoBack(t *testing.T) {
	var w Wheel[int]
	timer := Timer[int]{Owner: 1}
	w.Expire(9 * Tick)
	w.Add(&timer, 5*Tick)
	wantPopped(t, &w, -1, 1)
	w.Add(&timer, 9*Tick+1)
	wantPopped(t, &w, 10*Tick, 1)
}

func TestSizes(t *testing.T) {
	// What an event loop makes of it must stay in the allocator's 64-byte class.
	type engineTimer struct {
		_ Timer[*engineTimer]
		_ func()
		_ *int
		_ int64
	}
	if size := reflect.TypeFor[engineTimer]().Size(); size > 64 {
		t.Errorf("an engine's timer has %d bytes, want at most 64", size)
	}
	if size := reflect.TypeFor[Wheel[*engineTimer]]().Size(); size > 8400 {
		t.Errorf("a wheel has %d bytes", size)
	}
}

func TestNoAllocations(t *testing.T) {
	var w Wheel[int]
	timers := make([]Timer[int], 100)
	now := int64(0)
	allocs := testing.AllocsPerRun(100, func() {
		for i := range timers {
			w.Add(&timers[i], now+int64(i*7919%100))
		}
		w.Remove(&timers[50])
		now += 2 * Tick
		for w.Expire(now); w.Pop() != nil; {
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
