package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/goid"
)

// Config says what a world is like. The zero Config is a calm one: every link takes half a millisecond each way, and nothing fails.
type Config struct {
	// Seed decides everything that is left to chance. Zero means the flag -rondo.seed, and if that was not given, 1.
	Seed uint64

	// Link is what lies between two hosts for which [World.SetLink] is not called.
	Link Link

	// Faults is what goes wrong by chance. The zero Faults is nothing.
	Faults Faults

	// Limit is the virtual time after which a program that has not ended is taken to wait for ever. Zero means 24 hours.
	Limit time.Duration

	// Log has the whole log kept: see [World.Log]. Without it, there is only its end, for reports, and its sum.
	Log bool

	// Only, if it is not nil, are the faults that happen, by their names (see [World.Faults]), of those that the seed would have. The
	// command line that Search gives sets it.
	Only []string
}

// World is a number of hosts, what lies between them, and the one clock. All that it does happens on one thread of control. Its methods
// are for code that runs in it.
type World struct {
	cfg  Config
	seed uint64
	log  *Log

	now    int64 // since the beginning; the first instant is 1
	events eventQueue
	order  *rand.Rand // who of several goes first
	chance *rand.Rand // the program's

	ready   []*routine // can go on now
	waits   waits      // who cannot
	current *routine   // nil: none; the world itself
	main    *routine
	all     map[*routine]struct{}
	lastID  uint64
	working int // of all, those that do blocking work of an engine's
	steps   int // at this instant
	count   uint64

	hosts   []*Host
	byName  map[string]*Host
	known   map[string]*Host        // by plainName
	names   map[string][]netip.Addr // by plainName: see SetName
	addrs   map[netip.Addr]*Host    // see AddAddr
	links   map[pair]*link
	parted  [][]*Host // partitions
	nextIP  uint32
	peers   int
	homes   map[*rondo.Engine]*hostWorld // also those that are no more
	conns   map[string]int               // how many of that name there have been
	begun   uint64                       // how many there have been in all
	only    map[string]bool              // faults that may happen; nil: all
	fired   []string                     // faults that have happened
	noted   map[string]bool              // those of them that happen again and again
	errs    []error                      // of Errorf
	scripts []func(*Connection)          // of OnConnect

	packetScripts []func(*Datagram) // of OnDatagram
	flows         map[string]*flow
	broken        error // what ends the run
	failed        bool

	over   *atomic.Bool // not nil: set when the run is to be given up, since it takes too long in real time
	own    own
	beat   atomic.Uint64           // counts steps, for guard
	acting atomic.Pointer[routine] // what runs, for guard

	asideMu sync.Mutex
	aside   []string // what is reported at times that depend on the machine

	ending bool
}

// The clock of a new world says this, on every host.
var beginning = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	defaultLimit   = 24 * time.Hour
	defaultLatency = 500 * time.Microsecond

	// Steps at one instant, after which the program is taken to go round in circles.
	maxSteps = 5_000_000
)

func newWorld(cfg Config) *World {
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	if cfg.Limit == 0 {
		cfg.Limit = defaultLimit
	}
	if cfg.Link == (Link{}) {
		cfg.Link.Latency = defaultLatency
	}
	w := &World{
		cfg: cfg, seed: cfg.Seed, now: 1, byName: map[string]*Host{}, known: map[string]*Host{}, names: map[string][]netip.Addr{}, addrs: map[netip.Addr]*Host{}, links: map[pair]*link{}, conns: map[string]int{}, flows: map[string]*flow{}, noted: map[string]bool{},
		all: map[*routine]struct{}{}, waits: newWaits(), homes: map[*rondo.Engine]*hostWorld{},
	}
	if err := cfg.check(); err != nil {
		w.fail(err)
	}
	w.log = newLog(w, cfg.Log)
	w.order, w.chance = w.random("order"), w.random("program")
	if cfg.Only != nil {
		w.only = map[string]bool{}
		for _, id := range cfg.Only {
			w.only[id] = true
		}
	}
	return w
}

// Seed is the world's seed.
func (w *World) Seed() uint64 { return w.seed }

// Rand is a source of random numbers for the program, drawn from the seed.
func (w *World) Rand() *rand.Rand { return w.chance }

// Elapsed is the virtual time since the beginning.
func (w *World) Elapsed() time.Duration { return time.Duration(w.now - 1) }

// Now is the virtual time. The world begins at the beginning of the year 2000.
func (w *World) Now() time.Time { return beginning.Add(w.Elapsed()) }

// Events is how many events there have been: turns of loops, packets that have arrived, timers that were due.
func (w *World) Events() uint64 { return w.count }

// Faults are the names of the faults that have happened by chance, in their order.
func (w *World) Faults() []string { return slices.Clone(w.fired) }

// After has fn called once d has passed, unless stop is called before.
func (w *World) After(d time.Duration, fn func()) (stop func()) {
	if !w.called() {
		return func() {}
	}
	return w.after(d, fn)
}

func (w *World) after(d time.Duration, fn func()) (stop func()) {
	e := &call{fn: fn}
	w.at(w.now+int64(max(0, d)), e)
	return func() { e.fn = nil }
}

// call is a function to be called by the world.
type call struct{ fn func() }

func (c *call) stopped() bool { return c.fn == nil }

func (c *call) happen(w *World) {
	if c.fn != nil {
		w.protect("a function given to World.After", c.fn)
	}
}

// Sleep waits until d has passed. It is for what [Run] and [Host.Go] have started; tasks have task.Sleep, and callbacks of a loop, which would stand still meanwhile,
// must not wait.
func (w *World) Sleep(d time.Duration) {
	w.notOnLoop("World.Sleep", "Loop.After calls a function later")
	done := false
	w.after(d, func() {
		done = true
		w.wake(&done)
	})
	w.block(func() bool { return done }, &done)
}

// Wait waits until done says true, which is asked when nobody else can go on at this instant. For the rest it is Sleep.
func (w *World) Wait(done func() bool) {
	w.notOnLoop("World.Wait", "Future.Then and the like call a function when something has come")
	w.block(func() (is bool) {
		w.protect("a function given to World.Wait", func() { is = done() })
		return is
	})
}

// Go runs fn as a goroutine of no host. Goroutines take turns: another runs when this one has ended, or waits for something of this package's or
// rondo's.
func (w *World) Go(fn func()) {
	if w.called() {
		w.spawn(nil, "a function given to World.Go", fn)
	}
}

// run lets the world go on until its main goroutine has ended and what that has left has been cleared away.
func (w *World) run(main func(w *World)) error {
	defer w.clear()
	defer w.guard()()
	w.own.add(goid.Get())
	w.main = w.spawn(nil, "the simulation's function", func() { main(w) })
	w.loop(func() bool { return w.main.over })
	w.finish()
	w.complains()
	if err := w.unspared(); err != nil && !w.failed && len(w.errs) == 0 {
		w.fail(err)
	}
	return errors.Join(append(w.errs, w.broken)...)
}

// Errorf notes that the program does not do what it should; it goes on. With it and FailNow a World is what assertion libraries want. In programs
// given to [Search] it takes the place of the test's, which would end the search.
func (w *World) Errorf(format string, args ...any) {
	err := complain(format, args...)
	w.log.say("", "error", err.Error())
	w.errs = append(w.errs, err)
}

// Fatalf is Errorf, and the end of the run.
func (w *World) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	w.FailNow()
}

// FailNow ends the run.
func (w *World) FailNow() {
	if len(w.errs) == 0 {
		w.fail(errFailed)
	}
	w.fail(nil)
	panic(errFailed)
}

// errFailed is what FailNow panics with: whoever recovers it, the world goes no further.
var errFailed = errors.New("sim: the run has failed")

// loop is the main path: it takes one step after the other until done says true.
func (w *World) loop(done func() bool) {
	for !done() && !w.failed && !w.complains() {
		if !w.step() {
			w.fail(w.stuck("waits for ever: nothing can happen any more"))
		}
	}
}

// step lets the next thing happen; false means that there is none. The clock goes on only when nobody can.
func (w *World) step() bool {
	if n := len(w.ready); n > 0 && !w.coincides() {
		i := 0
		if n > 1 {
			i = w.order.IntN(n)
		}
		r := w.ready[i]
		w.ready[i], w.ready[n-1] = w.ready[n-1], nil
		w.ready = w.ready[:n-1]
		if p := r.host; p != nil && (p.gone || p.paused > w.now) {
			p.stopped = append(p.stopped, r)
			return true
		}
		if !w.circles() {
			w.resume(r)
		}
		return true
	}
	if w.unblock() {
		return true
	}
	e, ok := w.events.pop()
	for ok && e.what.stopped() {
		e, ok = w.events.pop() // no time passes for what will not happen
	}
	if !ok {
		return false
	}
	if e.at > w.now {
		w.now, w.steps = e.at, 0
		if w.Elapsed() > w.cfg.Limit {
			w.fail(w.stuck(fmt.Sprintf("has not ended after %v", w.cfg.Limit)))
			return true
		}
	}
	if w.circles() {
		return true
	}
	w.count++
	w.beat.Add(1)
	e.what.happen(w)
	return true
}

// circles counts the steps of an instant, and ends a run that has too many.
func (w *World) circles() bool {
	if w.over != nil && w.over.Load() {
		w.fail(errGivenUp)
		return true
	}
	if w.steps++; w.steps <= maxSteps {
		return false
	}
	w.fail(w.stuck(fmt.Sprintf("goes round in circles: %d steps without any time passing", maxSteps)))
	return true
}

// coincides reports whether what happens at this instant is to happen before those go on who can: so that what arrives together is seen together,
// or is not, by chance.
func (w *World) coincides() bool {
	return len(w.events.heap) > 0 && w.events.heap[0].at <= w.now && w.order.IntN(2) == 0
}

// fail ends the run.
func (w *World) fail(err error) {
	w.failed = true
	if w.broken == nil {
		w.broken = err
	}
}

// protect calls fn, whose panic ends the run.
func (w *World) protect(what string, fn func()) {
	defer func() {
		if v := recover(); v != nil && v != any(errFailed) {
			w.fail(panicked(what, v))
		}
	}()
	fn()
}

// finish has the engines that are left closed, in the world, so that all that waits hears of it.
func (w *World) finish() {
	if w.complains() || w.failed {
		return
	}
	w.ending = true
	w.cfg.Limit += w.Elapsed() // for what closing takes
	for _, h := range w.hosts {
		if h.up != nil {
			h.up.close()
		}
	}
	idle := func() bool {
		return !slices.ContainsFunc(w.hosts, func(h *Host) bool { return h.up != nil && !h.up.closed() })
	}
	for !idle() && !w.failed {
		if !w.step() {
			w.fail(w.stuck("has ended, and an engine that it has left does not come to its end"))
		}
	}
	for w.working > 0 && !w.failed { // the engine does not wait for it
		if !w.step() {
			w.fail(w.stuck("has ended, and so have its engines, but not a function that was given to Run, although its context has"))
		}
	}
}

// clear ends every goroutine that is left, also of a world that is broken.
func (w *World) clear() {
	w.ending = true
	for _, h := range w.hosts {
		if h.up != nil {
			h.up.gone = true
		}
	}
	for len(w.all) > 0 {
		rest := make([]*routine, 0, len(w.all))
		for r := range w.all {
			rest = append(rest, r)
		}
		slices.SortFunc(rest, func(a, b *routine) int { return int(a.id) - int(b.id) })
		for _, r := range rest {
			w.kill(r)
		}
	}
}

// logger is a host's log, or that of no host: lines of the world's log.
func (w *World) logger(host string) *slog.Logger { return slog.New(&logHandler{w: w, host: host}) }
