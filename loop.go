package rondo

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/wheel"
	"github.com/rondo-go/rondo/internal/world"
)

// Loop is one thread of control: a goroutine that waits for events and calls back. All that
// happens to one of its connections happens there, so protocols need no locks.
//
// Post may be called by any goroutine; all other methods only by code that runs on the loop.
type Loop struct {
	engine *Engine
	index  int
	poller poller.Poller

	conns    slots[*Conn]
	watchers slots[watcher]
	timers   wheel.Wheel[*timerNode]
	clock    int64 // when timers last expired
	begun    int64 // when the turn began, if a connection has timeouts
	timed    int   // how many have

	freeTimers []*timerNode

	// What upper layers keep here: see stage.go.
	stages []*Stage
	locals []any
	hooks  hooks

	// The present turn. Each phase keeps its place here, so that it goes on behind a callback that
	// panicked.
	events  []poller.Event
	next    int        // the first of events that was not delivered yet
	current *Conn      // whose callback is running: it is flushed when that returns
	dirty   []*Conn    // to be flushed at the end of the turn
	ended   []ending   // to be told ConnectionLost at the end of the turn
	told    int        // how many of ended have been
	queue   []runnable // deferred and posted work
	head    int        // how much of queue has run
	todo    int        // how much more of it this turn may run
	turns   uint32
	stage   int  // the first of stages whose time has not come yet
	armed   bool // one of stages has something to do
	woke    bool // a goroutine that waits for one of this loop's connections can go on
	drained bool // drain has been asked for
	stopped bool // this turn is the last

	packets packetLoop // its datagram sockets
	chance  *rand.Rand // nil until somebody asks
	read    []byte     // the one read buffer; a protocol sees its bytes in place
	raw     []byte     // and that of layers; nil until there is one
	buffers freeList   // for what the kernel refuses and what a protocol leaves
	debug   debugInfo  // who may call

	load atomic.Int64 // connections, also those on their way here

	_      [64]byte // what other goroutines write does not share a cache line with the above
	state  atomic.Int32
	posted atomic.Int32 // len(inbox)
	mu     sync.Mutex
	inbox  []runnable
	closed bool          // inbox takes no more
	over   chan struct{} // closed when the loop has ended
}

// What state says.
const (
	running int32 = iota // will look at the inbox before it waits
	waiting              // must be woken
)

const (
	// Work that one turn runs, so that functions which post functions, or a flood from other
	// goroutines, do not keep the network waiting.
	turnBudget = 1024
	// A loop that never waits lets other goroutines run after so many turns. Each yield costs some
	// 100 ns, and without it they would wait until the scheduler preempts the loop, after 10 ms.
	yieldTurns = 32
	// Room for work that is kept when all of it is done. What a burst took beyond that is given back.
	maxQueue = 1 << 16
	// Work that the last posted work may lead to when the loop ends. Without a bound a function that
	// defers itself would keep it for ever.
	lastWork = 1 << 16
)

// runnable is a unit of posted work. It is an interface so that a future or a write can be queued
// without a closure for it; a func is stored in it without allocation too.
type runnable interface{ run(l *Loop) }

type runFunc func()

func (f runFunc) run(*Loop) { f() }

// watcher is what is not a connection and yet waits for events: a listening socket, a
// connection being made, or a datagram socket.
type watcher interface {
	ready(r poller.Ready)
	// shut ends it because the engine shuts down.
	shut()
}

func newLoop(e *Engine, index int, p poller.Poller) *Loop {
	l := &Loop{engine: e, index: index, poller: p, read: make([]byte, e.config.ReadBuffer), over: make(chan struct{})}
	l.debug.on = e.config.Debug
	l.watchers.bit = watcherBit
	return l
}

// run is the loop's goroutine.
func (l *Loop) run() {
	// runtime.Goexit in a callback (t.FailNow does it) ends this goroutine and must not end the loop.
	returned := false
	defer func() {
		switch {
		case returned:
		case l.engine.world.Gone():
			l.call(&l.hooks.end)
		default:
			l.blame(errGoexit)
			l.engine.world.Go(world.Loop, l.run)
		}
	}()
	l.debug.adopt()
	l.turn() // finds only what a predecessor that ended by Goexit has left
	for !l.stopped {
		l.wait()
		l.turn()
	}
	l.finish()
	returned = true
}

// turn is the main path: everything that rondo does happens in one of these phases, with what wait
// has found.
func (l *Loop) turn() {
	if l.timed > 0 {
		l.begun = l.poller.Now()
	}
	l.guard((*Loop).deliver)
	l.guard((*Loop).expire)
	l.take()
	l.guard((*Loop).work)
	l.guard((*Loop).runStages)
	l.guard((*Loop).flush)
	l.yield()
}

// wait asks the poller what is ready. While state says waiting, a Post wakes the poller; at all
// other times it need not, because the loop will look at its inbox before it waits again.
func (l *Loop) wait() {
	until := poller.Immediately
	if l.head == len(l.queue) && !l.armed {
		until = poller.Forever
		if next, ok := l.timers.Next(); ok {
			until = next
			if next <= l.clock {
				until = poller.Immediately
			}
		}
		l.state.Store(waiting)
		if l.posted.Load() != 0 {
			until = poller.Immediately
		}
	}
	var err error
	l.next = 0
	l.events, err = l.poller.Wait(until)
	l.state.Store(running)
	if err != nil {
		l.engine.report("rondo: waiting for events failed", err)
		runtime.Gosched()
	}
}

// deliver gives each event to its connection. Events of descriptors that were closed earlier in
// this turn find no entry for their token.
func (l *Loop) deliver() {
	for l.next < len(l.events) {
		ev := &l.events[l.next]
		l.next++
		t := token(ev.Token)
		if t&watcherBit != 0 {
			if w, ok := l.watchers.get(t); ok {
				w.ready(ev.Ready)
			}
			continue
		}
		c, ok := l.conns.get(t)
		if !ok {
			continue
		}
		l.current = c
		if ev.Ready&poller.Readable != 0 {
			c.readable(ev.Data)
		}
		if ev.Ready&poller.Writable != 0 {
			c.writable()
		}
		if ev.Ready&poller.Failed != 0 {
			c.failed()
		}
		l.current = nil
	}
}

// expire fires the timers that are due.
func (l *Loop) expire() {
	if l.timers.Len() == 0 {
		return
	}
	l.clock = l.poller.Now()
	l.timers.Expire(l.clock)
	for t := l.timers.Pop(); t != nil; t = l.timers.Pop() {
		l.fire(t.Owner)
	}
}

// take fetches what others have posted.
func (l *Loop) take() {
	if l.head == len(l.queue) {
		l.queue, l.head = l.queue[:0], 0
		if cap(l.queue) > maxQueue {
			l.queue = nil
		}
	} else if l.head > len(l.queue)/2 {
		n := copy(l.queue, l.queue[l.head:])
		clear(l.queue[n:])
		l.queue, l.head = l.queue[:n], 0
	}
	if l.posted.Load() != 0 {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.queue, l.inbox = l.inbox, l.queue
		} else {
			l.queue = append(l.queue, l.inbox...)
			clear(l.inbox)
			l.inbox = l.inbox[:0]
		}
		l.posted.Store(0)
		l.mu.Unlock()
	}
	l.todo = min(len(l.queue)-l.head, turnBudget)
}

// work runs what was deferred and posted before this phase began; what it adds comes next turn.
func (l *Loop) work() {
	for l.todo > 0 {
		r := l.queue[l.head]
		l.queue[l.head] = nil
		l.head++
		l.todo--
		r.run(l)
	}
}

// flush sends what was written to connections outside of their own callbacks, and tells those
// that ended. Either may lead to more of both.
func (l *Loop) flush() {
	for len(l.dirty) > 0 || l.told < len(l.ended) || len(l.packets.dirty) > 0 {
		for len(l.dirty) > 0 {
			last := len(l.dirty) - 1
			c := l.dirty[last]
			l.dirty[last] = nil
			l.dirty = l.dirty[:last]
			l.current = c
			c.flags &^= isDirty
			c.settle()
			l.current = nil
		}
		l.packets.flush()
		for l.told < len(l.ended) {
			e := l.ended[l.told]
			l.ended[l.told] = ending{}
			l.told++
			e.tell()
		}
		l.ended, l.told = l.ended[:0], 0
	}
}

// guard runs a phase to its end, past callbacks that panic.
func (l *Loop) guard(phase func(*Loop)) {
	for !l.attempt(phase) {
	}
}

func (l *Loop) attempt(phase func(*Loop)) (done bool) {
	defer l.caught()
	phase(l)
	return true
}

// nested calls a callback of c from within a call that c's protocol has not made itself, perhaps in
// another connection's callback, which goes on if this one panics.
func (l *Loop) nested(c *Conn, callback func(*Conn)) {
	l.apart(func() { callback(c) }, func(err error) { c.end(err, true) })
}

// apart calls fn, and goes on if it panics: that is reported, and no business of the caller's. If fn does not return failed is
// told; it may be nil.
func (l *Loop) apart(fn func(), failed func(err error)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		err := errGoexit
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: stack()}
		}
		l.reportCallback(err)
		if failed != nil {
			failed(err)
		}
	}()
	fn()
	returned = true
}

// caught ends the connection whose callback panicked, if it was a connection's, and reports it.
func (l *Loop) caught() {
	v := recover()
	if v == nil {
		return
	}
	l.blame(&PanicError{Value: v, Stack: stack()})
}

func (l *Loop) blame(err error) {
	if c := l.current; c != nil {
		l.current = nil
		c.end(err, true)
	}
	if c := l.packets.current; c != nil {
		l.packets.current = nil
		c.end(err)
	}
	l.reportCallback(err)
}

func (l *Loop) reportCallback(err error) {
	l.engine.report("rondo: a callback did not return", err)
}

// yield lets other goroutines run. A loop that waited has done so already; one that always finds
// events would otherwise keep its processor until it is preempted.
func (l *Loop) yield() {
	l.turns++
	if l.woke || l.turns%yieldTurns == 0 || l.engine.helpers.Load() > 0 {
		l.woke = false
		runtime.Gosched()
	}
}

// add enqueues work from any goroutine; it reports false when the loop has ended.
func (l *Loop) add(r runnable) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.inbox = append(l.inbox, r)
	l.posted.Store(int32(len(l.inbox)))
	l.mu.Unlock()
	if l.state.Load() == waiting && l.state.CompareAndSwap(waiting, running) {
		l.poller.Wake()
	}
	return true
}

// finish runs what is left, closes the inbox, and releases the poller. No connection is left by now.
func (l *Loop) finish() {
	l.exhaust(lastWork) // with the inbox open: what ends now settles promises through it
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.take()
	l.exhaust(len(l.queue) - l.head + lastWork)
	l.call(&l.hooks.end)
	_ = l.poller.Shut()
	l.engine.close(l.over)
	l.engine.loops.Done()
}

// exhaust works until nothing is left, or so much is done.
func (l *Loop) exhaust(left int) {
	for l.take(); (l.todo > 0 || l.armed) && left > 0; l.take() {
		left -= max(l.todo, 1)
		l.guard((*Loop).work)
		l.guard((*Loop).runStages)
		l.guard((*Loop).flush)
	}
}

// Post has fn run on the loop, after all that was posted before it. Any goroutine may call it.
// It reports whether fn will run, which is false only after the engine has shut down. Nothing bounds
// what is posted and has not run: who posts much must wait for some of it to be done.
func (l *Loop) Post(fn func()) bool { return l.add(runFunc(fn)) }

// Defer has fn run on the loop after the present callback has returned, before the loop waits
// again. Only on the loop.
func (l *Loop) Defer(fn func()) {
	l.mustOwn("Loop.Defer", "Loop.Post")
	l.queue = append(l.queue, runFunc(fn))
}

// Now is the loop's clock. Differences between its times are right even when the machine's clock
// is set, and in a simulation it is the simulated time: use it where you would use time.Now.
// Any goroutine may call it.
func (l *Loop) Now() time.Time { return l.poller.Epoch().Add(time.Duration(l.poller.Now())) }

// Rand is a source of random numbers for what needs no secrecy: delays, samples, choices. In a simulation they are drawn from its seed: use it where you would use package math/rand. Only on
// the loop.
func (l *Loop) Rand() *rand.Rand {
	l.mustOwn("Loop.Rand", "Loop.Post to get onto the loop")
	if l.chance == nil {
		w := l.engine.world
		l.chance = rand.New(rand.NewPCG(w.Random(), w.Random())) //nolint:gosec // it says so
	}
	return l.chance
}

// Engine returns the engine that the loop belongs to. Any goroutine may call it.
func (l *Loop) Engine() *Engine { return l.engine }

// Index is the loop's place in its engine, from 0. Any goroutine may call it.
func (l *Loop) Index() int { return l.index }
