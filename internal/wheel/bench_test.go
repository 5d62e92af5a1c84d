package wheel

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"testing"
)

const (
	second  = 1_000_000_000
	million = 1_000_000
)

var outstanding = []int{0, 1_000, million}

// delays returns n delays of up to a minute: n is a power of two.
func delays(n int) []int64 {
	rng := rand.New(rand.NewPCG(1, 2))
	d := make([]int64, n)
	for i := range d {
		d[i] = rng.Int64N(60 * second)
	}
	return d
}

// filled returns a wheel with n timers due in the coming minute.
func filled(n int) (*Wheel[int], []Timer[int]) {
	w, timers, d := new(Wheel[int]), make([]Timer[int], n), delays(1<<20)
	for i := range timers {
		w.Add(&timers[i], d[i])
	}
	return w, timers
}

// BenchmarkAddRemove is the life of a time limit that is not reached.
func BenchmarkAddRemove(b *testing.B) {
	for _, n := range outstanding {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, _ := filled(n)
			d := delays(1024)
			var t Timer[int]
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				w.Add(&t, d[i&1023])
				w.Remove(&t)
				i++
			}
		})
	}
}

// BenchmarkMove pushes back a random one of the outstanding timers, as traffic
// does with idle limits. With a million, the memory's latency is what it shows:
// a timer and its neighbours in the old and the new slot are not in the cache.
func BenchmarkMove(b *testing.B) {
	for _, n := range outstanding[1:] {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			w, timers := filled(n)
			d := delays(1 << 16)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				w.Add(&timers[i*7919%n], d[i&(1<<16-1)])
				i++
			}
		})
	}
}

// BenchmarkExpire has periodic timers; ns/timer is the cost of one that is due,
// cascades and adding it again included.
func BenchmarkExpire(b *testing.B) {
	for _, bm := range []struct {
		name         string
		timers       int
		period, step int64
	}{
		{"nothing due", 1000, 1 << 62, Tick},
		{"sparse", 10, 10 * second, second},
		{"dense", million, second, Tick}, // 66 a tick
		{"leap", million, second, second},
	} {
		b.Run(bm.name, func(b *testing.B) {
			var w Wheel[int]
			timers, d := make([]Timer[int], bm.timers), delays(1<<20)
			for i := range timers {
				w.Add(&timers[i], bm.period/2+d[i]%(bm.period/2+1))
			}
			now, due := int64(0), 0
			b.ReportAllocs()
			for b.Loop() {
				now += bm.step
				w.Expire(now)
				for t := w.Pop(); t != nil; t = w.Pop() {
					w.Add(t, t.When()+bm.period)
					due++
				}
			}
			if due > 0 {
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(due), "ns/timer")
			}
		})
	}
}

// heapTimers is the baseline: what one would write without a wheel.
type heapTimers []*heapTimer

type heapTimer struct {
	when  int64
	index int
}

func (h heapTimers) Len() int           { return len(h) }
func (h heapTimers) Less(i, j int) bool { return h[i].when < h[j].when }
func (h heapTimers) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *heapTimers) Push(x any) {
	t := x.(*heapTimer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *heapTimers) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	*h = (*h)[:last]
	return t
}

func filledHeap(n int) (*heapTimers, []heapTimer) {
	h, timers, d := new(heapTimers), make([]heapTimer, n), delays(1<<20)
	for i := range timers {
		timers[i].when = d[i]
		heap.Push(h, &timers[i])
	}
	return h, timers
}

func BenchmarkHeapAddRemove(b *testing.B) {
	for _, n := range outstanding {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, _ := filledHeap(n)
			d := delays(1024)
			t := &heapTimer{}
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				t.when = d[i&1023]
				heap.Push(h, t)
				heap.Remove(h, t.index)
				i++
			}
		})
	}
}

func BenchmarkHeapMove(b *testing.B) {
	for _, n := range outstanding[1:] {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h, timers := filledHeap(n)
			d := delays(1 << 16)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				t := &timers[i*7919%n]
				t.when = d[i&(1<<16-1)]
				heap.Fix(h, t.index)
				i++
			}
		})
	}
}

func BenchmarkHeapExpireDense(b *testing.B) {
	h, timers := filledHeap(million)
	for i := range timers {
		timers[i].when %= second
	}
	heap.Init(h)
	now, due := int64(0), 0
	b.ReportAllocs()
	for b.Loop() {
		for now += Tick; (*h)[0].when <= now; due++ {
			(*h)[0].when += second
			heap.Fix(h, 0)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(due), "ns/timer")
}
