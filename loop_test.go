package rondo_test

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
)

// A poller that does not open takes those with it that did.
func TestNewFails(t *testing.T) {
	opened, shut := 0, 0
	_, err := rondo.NewOver(rondo.Config{Loops: 3}, func(name string) (poller.Poller, error) {
		if opened == 2 {
			return nil, errTest
		}
		p, err := poller.Open(name)
		opened++
		return &shutCounter{p, &shut}, err
	})
	if !errors.Is(err, errTest) || shut != opened {
		t.Errorf("%v; %d pollers of %d were shut", err, shut, opened)
	}
}

type shutCounter struct {
	poller.Poller
	count *int
}

func (s *shutCounter) Shut() error { *s.count++; return s.Poller.Shut() }

func TestEngineLoops(t *testing.T) {
	e, err := rondo.New(rondo.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if n := len(e.Loops()); n != runtime.GOMAXPROCS(0) {
		t.Errorf("the zero Config has %d loops", n)
	}
	for i, l := range e.Loops() {
		if l.Index() != i || l.Engine() != e {
			t.Errorf("loop %d has index %d, or another engine", i, l.Index())
		}
	}
	e.Loops()[0] = nil
	if e.Loops()[0] == nil {
		t.Error("the caller can change the engine's own list")
	}
	if !slices.Contains(poller.Names(), e.Poller()) {
		t.Errorf("the poller is %q", e.Poller())
	}
}

// New connections go to the loop with the fewest.
func TestConnectionsAreSpread(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 3})
	conns := map[*rondo.Loop]int{}
	var first *rondo.Conn
	for i := range 9 {
		r := newRecorder(t)
		e.connect(r)
		c := rig.Await(t, r.made)
		first = cmp.Or(first, c)
		conns[c.Loop()]++
		if i == 8 {
			first.Handle().Abort()
		}
	}
	for l, n := range conns {
		if n != 3 {
			t.Errorf("loop %d has %d connections of 9", l.Index(), n)
		}
	}
	for e.Loop() != first.Loop() {
		rig.On(t, first.Loop(), func() {})
	}
}

// Everything posted runs, in the order of one goroutine's posts, one function at a time.
func TestPost(t *testing.T) {
	const goroutines, posts = 10, 10_000
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	var next [goroutines]int // the loop's alone; the race detector watches
	done := make(chan struct{})
	total := 0
	for g := range goroutines {
		go func() {
			for i := range posts {
				if !l.Post(func() {
					if next[g] != i {
						t.Errorf("goroutine %d: %d ran in place of %d", g, i, next[g])
					}
					next[g] = i + 1
					if total++; total == goroutines*posts {
						close(done)
					}
				}) {
					t.Error("Post says no")
				}
			}
		}()
	}
	rig.Await(t, done)
}

// A loop that waits, or is just about to, is woken.
func TestPostWakes(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	a, b := e.Loops()[0], e.Loops()[1]
	const rounds = 20_000
	done := make(chan struct{})
	n := 0
	var ping, pong func()
	ping = func() { b.Post(pong) }
	pong = func() {
		if n++; n == rounds {
			close(done)
			return
		}
		a.Post(ping)
	}
	a.Post(ping)
	rig.Await(t, done)
}

func TestPostAfterClose(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	ran := false
	l.Post(func() { ran = true })
	e.Close()
	if !ran {
		t.Error("what was posted before Close did not run")
	}
	if l.Post(func() { t.Error("ran after Close") }) {
		t.Error("Post after Close says that it will run")
	}
	e.Close()
}

// What still runs when the loop ends may defer more, but not for ever.
func TestCloseDespiteDefer(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	var again func()
	again = func() { l.Defer(again) }
	rig.On(t, l, again)
	e.Close()
}

// waits is a poller that notes how it is asked to wait.
type waits struct {
	poller.Poller
	until func(int64)
}

func (w *waits) Wait(until int64) ([]poller.Event, error) {
	w.until(until)
	return w.Poller.Wait(until)
}

// What is deferred runs after the callback and before the loop waits, even if it defers more.
func TestDefer(t *testing.T) {
	var order []string
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		return &waits{p, func(until int64) {
			if until != poller.Immediately && len(order) > 0 {
				order = append(order, "waits")
			}
		}}
	})
	l := e.Loop()
	done := make(chan struct{})
	l.Post(func() {
		l.Defer(func() {
			order = append(order, "first")
			l.Defer(func() { order = append(order, "third"); close(done) })
		})
		l.Defer(func() { order = append(order, "second") })
		order = append(order, "callback")
	})
	rig.Await(t, done)
	e.Close()
	if want := []string{"callback", "first", "second", "third"}; !slices.Equal(order[:min(4, len(order))], want) {
		t.Errorf("got %q", order)
	}
}

// Functions that post or defer themselves for ever, and futures that are asked again and again, leave
// the network, timers and other posts their turns.
func TestBudget(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	var ended atomic.Bool
	var repost, redefer func()
	repost = func() {
		if !ended.Load() {
			l.Post(repost)
		}
	}
	redefer = func() {
		if !ended.Load() {
			l.Defer(redefer)
		}
	}
	p := rondo.NewPromise[int](l)
	var reask func(int, error)
	reask = func(int, error) {
		if !ended.Load() {
			p.Future().OnDone(reask)
		}
	}
	p.Resolve(1)
	rig.On(t, l, func() {
		for range 5000 { // more than a turn runs
			repost()
			redefer()
		}
		p.Future().OnDone(reask)
	})
	peer := e.connect(echo{})
	for range 10 {
		rig.Send(t, peer, "hello")
		rig.Expect(t, peer, "hello")
		fired := make(chan struct{})
		rig.On(t, l, func() { l.After(0, func() { close(fired) }) })
		rig.Await(t, fired)
	}
	ended.Store(true)
}

// A function on the loop that panics is reported with its stack, and nothing else suffers.
func TestPanics(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	peer := e.connect(echo{})
	for _, tt := range []struct {
		name string
		run  func(bang func())
	}{
		{"posted", func(bang func()) { l.Post(bang) }},
		{"deferred", func(bang func()) { l.Post(func() { l.Defer(bang) }) }},
		{"timer", func(bang func()) { l.Post(func() { l.After(0, bang) }) }},
		{"future", func(bang func()) {
			l.Post(func() {
				p := rondo.NewPromise[int](l)
				p.Future().OnDone(func(int, error) { bang() })
				p.Resolve(1)
			})
		}},
	} {
		for _, exit := range []bool{false, true} {
			done := make(chan struct{})
			l.Post(func() {}) // in front, in the same turn
			tt.run(func() {
				l.Post(func() { close(done) })
				if exit {
					runtime.Goexit()
				}
				panic("bang of " + tt.name)
			})
			rig.Await(t, done)
			if exit {
				e.Log.Await(t, "runtime.Goexit")
				continue
			}
			report := e.Log.Await(t, "bang of "+tt.name)
			if !strings.Contains(report, "loop_test.go") || !strings.Contains(report, "goroutine ") {
				t.Errorf("%s: the report has no stack: %s", tt.name, report)
			}
		}
	}
	rig.Send(t, peer, "alive")
	rig.Expect(t, peer, "alive")
}

// Of all the callbacks of one turn some panic or leave by Goexit. The others are called all the same, and
// at once.
func TestRestOfTurn(t *testing.T) {
	for _, exit := range []bool{false, true} {
		t.Run(fmt.Sprintf("Goexit=%v", exit), func(t *testing.T) {
			const n = 30
			e, _ := newStoppedEngine(t, rondo.Config{}) // the loop finds nothing by waiting for a while
			fail := func() {
				if exit {
					runtime.Goexit()
				}
				panic("now and then")
			}
			recorders, peers := make([]*recorder, n), make([]*net.TCPConn, n)
			data := make(chan int, n)
			for i := range n {
				r := newRecorder(t)
				r.onData = func(_ *rondo.Conn, p []byte) int {
					data <- i
					if i%3 == 0 {
						fail()
					}
					return len(p)
				}
				r.onLost = func(*rondo.Conn, error) {
					if i%6 == 0 {
						fail()
					}
				}
				recorders[i], peers[i] = r, e.connect(r)
				rig.Await(t, r.made)
			}
			l := e.Loop()
			ready, started := make(chan struct{}), make(chan struct{})
			l.Post(func() { close(started); <-ready })
			rig.Await(t, started)
			timers := make(chan int, n)
			for i := range n {
				rig.Send(t, peers[i], "x")
				l.Post(func() {
					l.After(0, func() {
						timers <- i
						if i%4 == 0 {
							fail()
						}
					})
					if i%5 == 0 {
						fail()
					}
				})
			}
			close(ready)
			var got, fired []int
			for range n {
				got = append(got, rig.Await(t, data))
				fired = append(fired, rig.Await(t, timers))
			}
			slices.Sort(got)
			for i := range n {
				if got[i] != i || fired[i] != i {
					t.Fatalf("delivered to %v, timers %v", got, fired)
				}
			}
			for i := 0; i < n; i += 3 {
				err := rig.Await(t, recorders[i].lost)
				var p *rondo.PanicError
				if errors.As(err, &p) == exit || err == nil {
					t.Errorf("connection %d ended with %v", i, err)
				}
			}
			reports := n/3 + n/6 + (n+3)/4 + n/5
			for range reports {
				e.Log.Await(t, "a callback did not return")
			}
		})
	}
}

// A descriptor and a slot that are reused within a turn do not get their predecessor's events.
func TestStaleEvent(t *testing.T) {
	w := new(orderer)
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller { w.Poller = p; return w })
	a, b, c := newRecorder(t), newRecorder(t), newRecorder(t)
	var connB *rondo.Conn
	a.onData = func(_ *rondo.Conn, p []byte) int { connB.Abort(); return len(p) }
	b.onData = func(*rondo.Conn, []byte) int { t.Error("delivered to the connection that was ended"); return 0 }
	c.onData = func(*rondo.Conn, []byte) int { t.Error("delivered to the connection that came after"); return 0 }
	peerA := e.connect(a)
	rig.Await(t, a.made)
	peerB := e.connect(b)
	connB = rig.Await(t, b.made)
	handleB := connB.Handle()
	l := connB.Loop()

	// All three things happen while the loop is kept busy, so it finds them in one batch, which is
	// brought into the order that matters: A's data, the new connection, B's data.
	started, ready := make(chan struct{}), make(chan struct{})
	l.Post(func() {
		close(started)
		<-ready
		w.place = func(ev poller.Event) int {
			switch {
			case ev.Token>>63 != 0:
				return 1
			case uint32(ev.Token) == handleB.Slot():
				return 2
			}
			return 0
		}
	})
	rig.Await(t, started)
	rig.Send(t, peerA, "x")
	rig.Send(t, peerB, "x")
	rig.Dial(t, e.addr)
	close(ready)
	e.next <- c
	connC := rig.Await(t, c.made)
	if err := rig.Await(t, b.lost); !errors.Is(err, rondo.ErrAborted) {
		t.Error(err)
	}
	rig.On(t, l, func() {
		if w.batch != 3 {
			t.Errorf("the loop found %d events together, not 3", w.batch)
		}
		if n := len(w.accepted); w.accepted[n-1] != w.accepted[n-2] {
			t.Errorf("the descriptor was not reused: %v", w.accepted)
		}
	})
	if connC.Handle().Slot() != handleB.Slot() {
		t.Error("the slot was not reused")
	}
	if n := c.received.Load(); n != 0 {
		t.Errorf("the new connection got %d bytes", n)
	}
}

// orderer is a poller that brings a batch of several events into an order.
type orderer struct {
	poller.Poller
	place    func(poller.Event) int
	batch    int   // the largest
	accepted []int // descriptors
}

func (o *orderer) Wait(until int64) ([]poller.Event, error) {
	events, err := o.Poller.Wait(until)
	if o.place != nil {
		slices.SortFunc(events, func(a, b poller.Event) int { return o.place(a) - o.place(b) })
		o.batch = max(o.batch, len(events))
	}
	return events, err
}

func (o *orderer) Accept(fd int) (int, netip.AddrPort, error) {
	conn, peer, err := o.Poller.Accept(fd)
	if err == nil {
		o.accepted = append(o.accepted, conn)
	}
	return conn, peer, err
}

// A poller that fails is reported, and asked again.
func TestWaitFails(t *testing.T) {
	failed := false
	e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		return &failingWait{p, &failed}
	})
	rig.On(t, e.Loop(), func() {})
	e.Log.Await(t, "waiting for events failed")
}

type failingWait struct {
	poller.Poller
	failed *bool
}

func (f *failingWait) Wait(until int64) ([]poller.Event, error) {
	if !*f.failed {
		*f.failed = true
		return nil, errTest
	}
	return f.Poller.Wait(until)
}

// A loop that never waits lets other goroutines run, though there is one processor for both.
func TestBusyLoopYields(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	e := newTestEngine(t, rondo.Config{})
	l := e.Loop()
	var ended atomic.Bool
	turns := 0
	var again func()
	again = func() {
		turns++
		if !ended.Load() {
			l.Defer(again)
		}
	}
	l.Post(again)
	for range 100 {
		runtime.Gosched()
	}
	ended.Store(true)
	rig.On(t, l, func() {
		// Preemption alone would let the loop go round tens of thousands of times in each 10 ms.
		if turns > 200_000 {
			t.Errorf("100 yields of another goroutine took %d turns", turns)
		}
	})
}

// Now is the poller's clock, and any goroutine's to ask.
func TestNow(t *testing.T) {
	e, clock := newStoppedEngine(t, rondo.Config{})
	l := e.Loop()
	before := l.Now()
	clock.advance(time.Minute)
	if got := l.Now().Sub(before); got != time.Minute {
		t.Errorf("a minute took %v", got)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _ = l.Now() })
	}
	wg.Wait()
	if d := time.Since(newTestEngine(t, rondo.Config{}).Loop().Now()); d.Abs() > time.Minute {
		t.Errorf("the loop's clock is %v from the machine's", d)
	}
}

// What can only be a mistake is refused where it is made.
func TestNilIsRefused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	for want, call := range map[string]func(){
		"rondo: Run needs a function":  func() { _ = e.Run(nil) },
		"rondo: Dial needs a protocol": func() { e.Dial(t.Context(), "tcp", "127.0.0.1:1", nil) },
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.HasPrefix(v, want) {
					t.Errorf("panic with %q, want %q", v, want)
				}
			}()
			call()
		}()
	}
}

// What a burst of posts took is given back.
func TestBurstIsForgotten(t *testing.T) {
	l := newTestEngine(t, rondo.Config{}).Loop()
	rig.On(t, l, func() { // while the loop is here nothing is taken, so all of it waits
		for range 3 * rondo.MaxQueue {
			l.Post(func() {})
		}
	})
	for range 3 { // both of the slices that take turns have had theirs
		rig.On(t, l, func() {})
	}
	rig.On(t, l, func() {
		if n := l.QueueRoom(); n > rondo.MaxQueue {
			t.Errorf("room for %d is kept", n)
		}
	})
}
