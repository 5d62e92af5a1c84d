package poller_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

func wakeBeforeWait(t *testing.T, s subject) {
	w := s.world(t)
	for _, until := range []int64{poller.Forever, w.Now() + int64(time.Hour), poller.Immediately, poller.Forever} {
		w.Wake()
		if events := w.wait(until); len(events) != 0 { // the watchdog barks if it hangs
			t.Fatalf("a wake came as %+v", events)
		}
	}
	w.calm(5 * time.Millisecond)
}

// wakeDuringWait is a ping-pong at all possible moments: each wake counts, since the next
// comes only when it was answered.
func wakeDuringWait(t *testing.T, s subject) {
	w := s.world(t)
	const rounds = 3000
	var posted, answered atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := int64(1); i <= rounds && !t.Failed(); i++ {
			for answered.Load() < i-1 && !t.Failed() {
				runtime.Gosched()
			}
			for range i % 4 { // sometimes the loop parks meanwhile, sometimes not
				runtime.Gosched()
			}
			posted.Store(i)
			w.Wake()
		}
	})
	defer wg.Wait()
	for answered.Load() < rounds {
		w.waitFor(func() bool { return posted.Load() > answered.Load() })
		answered.Add(1)
	}
}

// waitFor waits until something is so that is followed by a wake.
func (w *world) waitFor(condition func() bool) {
	w.t.Helper()
	for deadline := w.Now() + patience; !condition(); {
		w.wait(deadline)
		if w.Now() > deadline && !condition() {
			w.t.Error("not woken") // before others wait for the failure
			w.t.FailNow()
		}
	}
	// It may have been so before Wait was called, when it would have returned at once.
}

func wakesMerge(t *testing.T, s subject) {
	w := s.world(t)
	for range 10 {
		for range 1000 {
			w.Wake()
		}
		w.wait(w.Now() + patience)
		w.calm(2 * time.Millisecond)
	}
}

// wakesFromMany has 64 goroutines that each wait for an answer before they wake again, so that
// a lost wake leaves one of them waiting while the others come to their end.
func wakesFromMany(t *testing.T, s subject) {
	w := s.world(t)
	const goroutines, wakes = 64, 100
	type poster struct {
		posted atomic.Int64
		answer chan struct{}
	}
	posters := make([]poster, goroutines)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range posters {
		p := &posters[i]
		p.answer = make(chan struct{}, 1)
		wg.Go(func() {
			for range wakes {
				p.posted.Add(1)
				w.Wake()
				select {
				case <-p.answer:
				case <-stop:
					return
				}
			}
		})
	}
	defer wg.Wait()
	defer close(stop)
	var answered [goroutines]int64
	for left := goroutines * wakes; left > 0; {
		deadline := w.Now() + patience
		w.wait(deadline)
		found := 0
		for i := range posters {
			if p := &posters[i]; p.posted.Load() > answered[i] {
				answered[i]++
				p.answer <- struct{}{}
				found++
			}
		}
		left -= found
		if w.Now() > deadline {
			t.Fatalf("a wake was lost: %d of %d were never answered", left+found, goroutines*wakes)
		}
	}
}

// wakeAgainstDeadline wakes when the deadline passes: a backend that clears the one when it
// handles the other would lose a wake.
func wakeAgainstDeadline(t *testing.T, s subject) {
	w := s.world(t)
	var posted atomic.Int64
	next := make(chan int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		i := int64(0)
		for at := range next {
			for w.Now() < at {
				runtime.Gosched()
			}
			i++
			posted.Store(i)
			w.Wake()
		}
	})
	defer wg.Wait()
	defer close(next)
	for i := int64(1); i <= 500; i++ {
		until := w.Now() + int64(50*time.Microsecond)
		next <- until + (i%7-3)*int64(5*time.Microsecond)
		w.wait(until)
		w.waitFor(func() bool { return posted.Load() == i })
	}
}

func wakesHideNothing(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			w.Wake()
			runtime.Gosched()
		}
	})
	defer wg.Wait()
	defer stop.Store(true)
	for range 100 {
		a.send("x")
		b.expect("x", false)
	}
	for range 100 { // a loop that wakes itself in every turn
		a.send("x")
		w.Wake()
		b.expect("x", false)
	}
}

func deadlineAfterWake(t *testing.T, s subject) {
	w := s.world(t)
	for i := range 5 {
		until := w.Now() + int64(5*time.Millisecond)
		for range i {
			w.Wake()
			w.wait(until)
		}
		w.reach(until)
		w.Wake()
		w.wait(poller.Forever)
		w.reach(w.Now() + int64(2*time.Millisecond))
	}
	// Woken in the middle, the rest of the time is still kept.
	until := w.Now() + int64(20*time.Millisecond)
	var wg sync.WaitGroup
	wg.Go(w.Wake)
	w.wait(until)
	w.reach(until)
	wg.Wait()
}

// clean fails if bytes came over connections on which nobody sent any.
func (w *world) clean(ends []*end) {
	w.t.Helper()
	for _, e := range ends {
		if n, err := w.Recv(e.fd, make([]byte, 16)); !bare(err, syscall.EAGAIN) {
			w.t.Fatalf("somebody wrote into descriptor %d's connection: Recv says %d, %v", e.fd, n, err)
		}
	}
}

func wakeAfterShut(t *testing.T, s subject) {
	w := s.world(t)
	for range 5 {
		shut := s.world(t)
		shut.Wake()
		shut.wait(shut.Now() + patience)
		if err := shut.Shut(); err != nil {
			t.Fatal(err)
		}
		var ends []*end // they get the numbers that the shut poller had
		for range 5 {
			a, b := w.pair()
			ends = append(ends, a, b)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 100 {
					shut.Wake()
				}
			})
		}
		wg.Wait()
		w.clean(ends)
	}
}

func wakeDuringShut(t *testing.T, s subject) {
	w := s.world(t)
	for range 20 {
		shut := s.world(t)
		var stop atomic.Bool
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for !stop.Load() {
					shut.Wake()
					runtime.Gosched()
				}
			})
		}
		for range 5 {
			shut.wait(shut.Now() + patience)
		}
		if err := shut.Shut(); err != nil {
			t.Fatal(err)
		}
		var ends []*end
		for range 5 {
			a, b := w.pair()
			ends = append(ends, a, b)
		}
		stop.Store(true)
		wg.Wait()
		w.clean(ends)
		for _, e := range ends {
			w.reset(e)
		}
	}
}
