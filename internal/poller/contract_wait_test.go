package poller_test

import (
	"sync"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// late is how far beyond its deadline a Wait may return on a machine that is busy with other
// things. It catches a deadline that was forgotten or taken in a wrong unit.
const late = int64(5 * time.Second)

// reach waits until the clock has reached a time, with few returns before it.
func (w *world) reach(until int64) {
	w.t.Helper()
	n := 0
	for ; w.Now() < until; n++ {
		w.wait(until)
		if n > few {
			w.t.Fatalf("Wait returned %d times before its deadline, without a cause", n)
		}
	}
	if now := w.Now(); now > until+late {
		w.t.Fatalf("Wait came back %v after its deadline", time.Duration(now-until))
	}
}

func waitEndsAtDeadline(t *testing.T, s subject) {
	w := s.world(t)
	_, b := w.pair()
	w.add(b, poller.Read)
	for _, d := range []time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, 20 * time.Millisecond} {
		w.reach(w.Now() + int64(d))
	}
	before := w.Now()
	w.wait(1) // long past
	if took := w.Now() - before; took > late {
		t.Fatalf("Wait for a time that has passed took %v", time.Duration(took))
	}
}

// deadlinesInAnyOrder is for backends that leave a timer standing between Waits.
func deadlinesInAnyOrder(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	for _, ms := range []int64{5, 1, 10, 2, 2, 8, 1} {
		until := w.Now() + ms*int64(time.Millisecond)
		a.send("x") // ends a Wait with a far deadline, which must not stand for the next
		w.wait(w.Now() + patience)
		b.expect("x", false)
		w.reach(until)
	}
	far := w.Now() + int64(time.Hour)
	for range 100 { // deadlines that move on with each turn
		far++
		a.send("x")
		w.wait(far)
		b.expect("x", false)
	}
	w.reach(w.Now() + int64(time.Millisecond))
}

// pastDeadlineLooks is a loop whose timers are always due: it must hear of its connections.
func pastDeadlineLooks(t *testing.T, s subject) {
	w, timer := s.world(t), s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	next := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for range next {
			_, _ = timer.Wait(timer.Now() + int64(time.Millisecond))
			_, _ = w.Send(a.fd, []byte("x"))
		}
	})
	defer wg.Wait()
	defer close(next)
	for range 10 {
		// The first event comes to a poller that waits: it may take a shorter way afterwards.
		next <- struct{}{}
		w.await(b, poller.Readable)
		for i := range 3 {
			if past := w.Now() - 1; !w.found(b, poller.Readable, w.wait(past)) {
				t.Fatalf("Wait %d with a deadline that has passed did not report what was ready", i)
			}
		}
		b.expect("x", false)
	}
}

func immediatelyNeverBlocks(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair()
	w.add(b, poller.Read)
	w.reach(w.Now() + int64(time.Millisecond)) // leaves a timer or none
	start := w.Now()
	for range 1000 {
		if events := w.wait(poller.Immediately); len(events) != 0 {
			t.Fatalf("nothing is ready, and yet %+v", events)
		}
	}
	if took := w.Now() - start; took > late {
		t.Fatalf("1000 looks took %v", time.Duration(took))
	}
	a.send("x")
	w.await(b, poller.Readable)
	for range 100 {
		if !w.now(b, poller.Readable) {
			t.Fatal("Immediately does not look")
		}
	}
}

// foreverUntilWake lets another poller measure a time in which this one must not return.
func foreverUntilWake(t *testing.T, s subject) {
	w, timer := s.world(t), s.world(t)
	var mu sync.Mutex
	released := false
	go func() {
		_, _ = timer.Wait(timer.Now() + int64(20*time.Millisecond))
		mu.Lock()
		released = true
		mu.Unlock()
		w.Wake()
	}()
	for early := 0; ; early++ {
		if events := w.wait(poller.Forever); len(events) != 0 {
			t.Fatalf("a wake came as %+v", events)
		}
		mu.Lock()
		done := released
		mu.Unlock()
		if done {
			return
		}
		if early > few {
			t.Fatalf("Wait(Forever) returned %d times without a cause", early)
		}
	}
}

func eventEndsWait(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.pair() // a is in no poller: another goroutine may use it
	w.add(b, poller.Read)
	next := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for range next {
			if _, err := w.Send(a.fd, []byte("x")); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for i := range 300 {
		next <- struct{}{}
		until := w.Now() + patience
		if i%2 == 0 {
			until = poller.Forever
		}
		for !w.found(b, poller.Readable, w.wait(until)) {
			if w.Now() > until {
				t.Fatal("bytes came and Wait slept on")
			}
		}
		b.expect("x", false)
	}
	close(next)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func clockRuns(t *testing.T, s subject) {
	w := s.world(t)
	if w.Now() <= 0 {
		t.Fatalf("Now is %d and must be above zero, which is Immediately", w.Now())
	}
	var wg sync.WaitGroup
	for range 4 { // from any goroutine, while the poller waits
		wg.Go(func() {
			last := w.Now()
			for range 1000 {
				now := w.Now()
				if now < last {
					t.Errorf("the clock ran backwards, from %d to %d", last, now)
					return
				}
				last = now
			}
		})
	}
	before := w.Now()
	w.reach(before + int64(2*time.Millisecond))
	wg.Wait()
	if err := w.Shut(); err != nil {
		t.Fatal(err)
	}
	if now := w.Now(); now < before+int64(2*time.Millisecond) {
		t.Fatalf("the clock stops at Shut: %d", now)
	}
}
