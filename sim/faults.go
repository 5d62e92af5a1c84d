package sim

import (
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// Faults is what goes wrong by chance. Chances go from 0, never, to 1, always; mean times are those between one fault and the next, and zero
// is never. What is drawn for a connection or a host depends on the seed and its name alone, so that a fault that is left out leaves
// the others as they are.
type Faults struct {
	// Chances for each connection.
	Refuse float64 // connecting is refused
	Lose   float64 // a first packet is lost, and sent again after a second, and so on
	Silent float64 // nothing ever comes back: connecting takes two minutes to fail, unless somebody loses patience before
	Abort  float64 // it has gone when it is accepted: ECONNABORTED
	Reset  float64 // it is reset, after so many bytes
	Stall  float64 // nothing arrives any more for a while, after so many bytes

	// Cut is the chance that what is read or written at once, and what travels together, is cut at any byte.
	Cut float64

	// Chances for each name that is looked up.
	LookupFail, LookupSlow float64

	// Mean times between faults of each host, and of each two hosts.
	Kill, PowerOff, Pause, ClockStep, NoFiles, Partition time.Duration

	// Repair is how long it takes, on average, until a host is started again, a partition healed, and so on. Zero means three seconds.
	Repair time.Duration

	// Until is when the last fault of a host or a link begins. Zero means a minute. What is broken then is repaired.
	Until time.Duration
}

// Chaos is some of everything.
func Chaos() Faults {
	return Faults{
		Refuse: 0.05, Lose: 0.05, Silent: 0.02, Abort: 0.05, Reset: 0.1, Stall: 0.1, Cut: 0.3, LookupFail: 0.05, LookupSlow: 0.1,
		Kill: 30 * time.Second, PowerOff: time.Minute, Pause: 20 * time.Second, ClockStep: 20 * time.Second, NoFiles: 30 * time.Second,
		Partition: 20 * time.Second,
	}
}

const (
	defaultRepair = 3 * time.Second
	defaultUntil  = time.Minute
)

func (f *Faults) repair() time.Duration {
	if f.Repair > 0 {
		return f.Repair
	}
	return defaultRepair
}

func (f *Faults) until() time.Duration {
	if f.Until > 0 {
		return f.Until
	}
	return defaultUntil
}

// random is a source of random numbers for one purpose.
func (w *World) random(purpose string) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, hashOf(purpose))) //nolint:gosec // to be repeated is what it is for
}

// fault reports whether a fault that was drawn happens, and notes that it does.
func (w *World) fault(where, what, of string) bool {
	id := what + " " + of
	if w.ending || w.only != nil && !w.only[id] {
		return false
	}
	w.fired = append(w.fired, id)
	w.log.add(where, "fault", id)
	return true
}

// often is fault for what happens again and again, and is noted once.
func (w *World) often(what string) bool {
	if w.only != nil && !w.only[what] {
		return false
	}
	if !w.noted[what] {
		w.noted[what] = true
		w.fired = append(w.fired, what)
	}
	return true
}

// cut is how many of n bytes go at once.
func (w *World) cut(n int) int {
	f := w.cfg.Faults.Cut
	if f == 0 || n < 2 || w.order.Float64() >= f || !w.often("cuts") {
		return n
	}
	return 1 + w.order.IntN(n-1)
}

func (w *World) jitter(j time.Duration) int64 {
	if j <= 0 || !w.often("jitter") {
		return 0
	}
	return w.order.Int64N(int64(j))
}

// plan is what is to go wrong with a connection.
type plan struct {
	w                                   *World
	name                                string
	way                                 *link
	refuse, silent, abort, reset, stall bool
	muted                               bool     // silent has been noted
	lose                                int      // first packets
	side                                int      // of the fault after so many bytes: 0 is what connects
	resetAt, stallAt                    int64    // bytes
	stallFor                            int64    // time
	stalled                             [2]int64 // until then
}

func (w *World) newPlan(name string, way *link) *plan {
	p := &plan{w: w, name: name, way: way}
	f := &w.cfg.Faults
	if f.Refuse+f.Lose+f.Silent+f.Abort+f.Reset+f.Stall == 0 {
		return p
	}
	r := w.random("connection " + name)
	drawn := func(chance float64) bool { return r.Float64() < chance }
	p.refuse, p.silent, p.abort, p.reset, p.stall = drawn(f.Refuse), drawn(f.Silent), drawn(f.Abort), drawn(f.Reset), drawn(f.Stall)
	for drawn(f.Lose) && p.lose < 5 {
		p.lose++
	}
	p.side = r.IntN(2)
	p.resetAt, p.stallAt = offset(r), offset(r)
	p.stallFor = int64(about(r, f.repair()))
	return p
}

// offset is where in a stream something happens, in bytes: as often among the first ten as among the hundred that follow, or the thousand.
func offset(r *rand.Rand) int64 { return r.Int64N(int64(1) << r.IntN(21)) }

// loses is asked for each first packet.
func (p *plan) loses() bool {
	if p.silent && (p.muted || p.w.fault(p.way.name(), "silent", p.name)) {
		p.muted = true
		return true
	}
	if p.lose == 0 {
		return false
	}
	p.lose--
	return p.w.fault(p.way.name(), "lose", p.name)
}

func (p *plan) refuses() bool { return p.refuse && p.w.fault(p.way.name(), "refuse", p.name) }

func (p *plan) aborts() bool { return p.abort && p.w.fault(p.way.name(), "abort", p.name) }

// breaks is asked before s sends n bytes; it reports whether the connection is no more.
func (p *plan) breaks(s *socket, n int) bool {
	if p.side != p.sideOf(s) {
		return false
	}
	if p.stall && s.out.sent+int64(n) > p.stallAt {
		p.stall = false
		if p.w.fault(p.way.name(), "stall", p.name) {
			p.stalled[p.side] = p.w.now + p.stallFor
		}
	}
	if p.reset && s.out.sent+int64(n) > p.resetAt {
		p.reset = false
		if p.w.fault(p.way.name(), "reset", p.name) {
			peer := s.peer
			p.w.at(p.w.now+int64(p.way.Latency), &call{fn: func() { peer.fail(econnreset) }})
			s.fail(econnreset)
			return true
		}
	}
	return false
}

func (p *plan) sideOf(s *socket) int {
	if s.accepted {
		return 1
	}
	return 0
}

func (p *plan) stalledUntil(s *socket) int64 { return p.stalled[p.sideOf(s)] }

// hostFaults are those of one host.
type hostFaults struct {
	noFiles  int64 // until then
	lookups  map[string]int
	refusing bool // connections to it
	silent   bool // it does not answer any
	aborts   int  // of the next connections that are accepted
	lookup   func(name string) (delay time.Duration, err error)
}

// SetRefusing has the host refuse all connections, or no longer; those that stand are left alone.
func (h *Host) SetRefusing(on bool) { h.faults.refusing = on }

// SetSilent has the host not answer who wants to connect, or answer again: as a firewall does that drops packets.
func (h *Host) SetSilent(on bool) { h.faults.silent = on }

// AbortAccepts has the next n connections be gone when the host accepts them, which then gets ECONNABORTED.
func (h *Host) AbortAccepts(n int) { h.faults.aborts = n }

// SetLookup has fn asked before a name is looked up on the host: how long that takes, and whether it fails. Nil asks nobody.
func (h *Host) SetLookup(fn func(name string) (delay time.Duration, err error)) { h.faults.lookup = fn }

// drawFaults lets the faults of a host come, each after the other.
func (h *Host) drawFaults() {
	f := &h.w.cfg.Faults
	running := func() bool { return h.up != nil }
	h.every("kill", f.Kill, running, func(*rand.Rand) (undo func()) {
		h.Kill()
		return h.startAgain()
	})
	h.every("power off", f.PowerOff, func() bool { return !h.dark }, func(*rand.Rand) (undo func()) {
		h.PowerOff()
		return h.startAgain()
	})
	h.every("pause", f.Pause, running, func(r *rand.Rand) (undo func()) {
		h.Pause(about(r, f.repair()))
		return nil
	})
	h.every("clock step", f.ClockStep, nil, func(r *rand.Rand) (undo func()) {
		h.StepClock(about(r, time.Hour) - time.Hour)
		return nil
	})
	h.every("no files", f.NoFiles, running, func(r *rand.Rand) (undo func()) {
		h.faults.noFiles = h.w.now + int64(about(r, f.repair()))
		return nil
	})
}

// startAgain is what repairs a host that a fault has brought down, unless somebody has meanwhile.
func (h *Host) startAgain() (repair func()) {
	boots := h.boots
	return func() {
		if h.up == nil && h.boots == boots {
			h.Restart()
		}
	}
}

// about is a time that is so long on average. It is drawn without floating point, which is not the same on every machine.
func about(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.Int64N(2*int64(mean) + 1))
}

// every has something happen to the host again and again, with so much time between on average, if it can; undo after the time of a repair.
func (h *Host) every(what string, mean time.Duration, can func() bool, do func(*rand.Rand) (undo func())) {
	h.w.every(h.name, what, mean, can, do)
}

func (w *World) every(name, what string, mean time.Duration, can func() bool, do func(*rand.Rand) (undo func())) {
	if mean <= 0 {
		return
	}
	r := w.random(what + " " + name)
	n := 0
	var next func()
	next = func() {
		wait := about(r, mean)
		if w.Elapsed()+wait > w.cfg.Faults.until() {
			return
		}
		w.After(wait, func() {
			n++
			of := fmt.Sprintf("%s#%d", name, n)
			if (can == nil || can()) && w.fault(name, what, of) {
				its := w.random(what + " " + of) // so that the next one is the same without this
				repair := about(its, w.cfg.Faults.repair())
				if undo := do(its); undo != nil {
					w.After(repair, undo)
				}
			}
			next()
		})
	}
	next()
}

func (l *link) drawFaults() {
	if l.ends.a == l.ends.b {
		return
	}
	l.w.every(l.name(), "partition", l.w.cfg.Faults.Partition, nil, func(*rand.Rand) (undo func()) {
		l.cutOff()
		heals := l.heals
		return func() {
			if l.heals == heals { // else Heal has ended it
				l.mend()
			}
		}
	})
}

// aborts reports whether a script has the next connection be gone.
func (p *hostWorld) aborts() bool {
	if p.faults.aborts == 0 {
		return false
	}
	p.faults.aborts--
	return true
}

func (p *hostWorld) exhausted() bool { return p.w.now < p.faults.noFiles }

// lookupFaults is what goes wrong with looking a name up.
func (p *hostWorld) lookupFaults(name string) (delay time.Duration, err error) {
	if p.faults.lookup != nil {
		if delay, err = p.faults.lookup(name); delay > 0 || err != nil {
			return delay, err
		}
	}
	f := &p.w.cfg.Faults
	if f.LookupFail+f.LookupSlow == 0 {
		return 0, nil
	}
	if p.faults.lookups == nil {
		p.faults.lookups = map[string]int{}
	}
	p.faults.lookups[name]++
	of := fmt.Sprintf("%s of %s#%d", name, p.name, p.faults.lookups[name])
	r := p.w.random("lookup " + of)
	slow, fail := r.Float64() < f.LookupSlow, r.Float64() < f.LookupFail
	if slow && p.w.fault(p.name, "slow lookup", of) {
		delay = about(r, f.repair())
	}
	if fail && p.w.fault(p.name, "failed lookup", of) {
		err = &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	return delay, err
}
