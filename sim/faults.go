package sim

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"time"
)

// Faults is what goes wrong by chance. Chances go from 0, never, to 1, always; mean times are those between one fault and the next, and zero
// is never; no time is negative, or longer than a year. What is drawn for a connection or a host depends on the seed and its name alone, so that a fault that is left out leaves
// the others as they are.
type Faults struct {
	// Chances for each connection, also over Unix sockets, but that these have no packets that could be lost, or left without an answer.
	Refuse float64 // connecting is refused
	Lose   float64 // a first packet is lost, and sent again after a second, and so on
	Silent float64 // nothing ever comes back: connecting takes two minutes to fail, unless somebody loses patience before
	Abort  float64 // it has gone when it is accepted: ECONNABORTED
	Reset  float64 // it is reset, after so many bytes
	Stall  float64 // nothing arrives any more for a while, after so many bytes
	Join   float64 // what is sent within some milliseconds, up to a tenth of a second, arrives together, as one piece, in one direction

	// Chances for each datagram of UDP between two hosts: it is lost; it comes again, up to a tenth of a second later; it comes late by as much, so that others
	// overtake it. (Those that travel in a partition, or that the receiver has no room for, are lost whatever these say.)
	LosePackets, DuplicatePackets, ReorderPackets float64

	// What is drawn for each two hosts: how much longer than Link says packets take, at the most; up to which time each takes longer still, by chance,
	// at the most; and the chance that no more than so much goes through in a second, which is between 8 kB and 8 MB.
	Latency, Jitter time.Duration
	Narrow          float64

	// Cut is the chance that what is read or written at once, and what travels together, is cut at any byte.
	Cut float64

	// Chances for each name that is looked up.
	LookupFail, LookupSlow float64

	// Mean times between faults of each host, and of each two hosts. Half of the partitions are in one direction only.
	Kill, PowerOff, Pause, ClockStep, NoFiles, Partition time.Duration

	// Spare are the names of hosts that these do not happen to, nor failing lookups: those that are the test and not what is tested. Connections of theirs and links to
	// them have their faults as others do. A run that never makes a host of such a name fails.
	Spare []string

	// Repair is how long it takes, on average, until a host is started again, a partition healed, and so on. Zero means three seconds.
	Repair time.Duration

	// Until is when the last fault of a host or a link begins. Zero means a minute. What is broken then is repaired.
	Until time.Duration
}

// Chaos is some of everything: of hosts and links in the first minute of the run, unless Until of what it returns is set.
func Chaos() Faults {
	return Faults{
		Refuse: 0.05, Lose: 0.05, Silent: 0.02, Abort: 0.05, Reset: 0.1, Stall: 0.1, Join: 0.1, Cut: 0.3,
		LosePackets: 0.05, DuplicatePackets: 0.02, ReorderPackets: 0.05,
		Latency: 50 * time.Millisecond, Jitter: 20 * time.Millisecond, Narrow: 0.05,
		LookupFail: 0.05, LookupSlow: 0.1,
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
func (h *Host) SetRefusing(on bool) {
	h.w.log.add(h.name, "set refusing", strconv.FormatBool(on))
	h.faults.refusing = on
}

// SetSilent has the host not answer who wants to connect, or answer again: as a firewall does that drops packets.
func (h *Host) SetSilent(on bool) {
	h.w.log.add(h.name, "set silent", strconv.FormatBool(on))
	h.faults.silent = on
}

// AbortAccepts has the next n connections be gone when the host accepts them, which then gets ECONNABORTED.
func (h *Host) AbortAccepts(n int) {
	h.w.log.add(h.name, "abort accepts", strconv.Itoa(n))
	h.faults.aborts = n
}

// SetLookup has fn asked before a name is looked up on the host: how long that takes, and whether it fails. Nil asks nobody.
func (h *Host) SetLookup(fn func(name string) (delay time.Duration, err error)) {
	h.w.log.add(h.name, "set lookup", strconv.FormatBool(fn != nil))
	h.faults.lookup = fn
}

// drawFaults lets the faults of a host come, each after the other.
func (h *Host) drawFaults() {
	if h.spared() {
		return
	}
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

// spared reports whether nothing is to go wrong with the host by chance.
func (h *Host) spared() bool { return slices.Contains(h.w.cfg.Faults.Spare, h.name) }

// startAgain is what repairs a host that a fault has brought down, unless somebody has meanwhile.
func (h *Host) startAgain() (repair func()) {
	boots := h.boots
	return func() {
		if h.up == nil && h.boots == boots {
			h.Restart()
		}
	}
}

// every has something happen to the host again and again, with so much time between on average, if it can; undo after the time of a repair.
func (h *Host) every(what string, mean time.Duration, can func() bool, do func(*rand.Rand) (undo func())) {
	h.w.every(h.name, what, mean, func() bool { return !h.spared() && (can == nil || can()) }, do) // a peer may have come to it since
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
		w.after(wait, func() {
			n++
			of := fmt.Sprintf("%s#%d", name, n)
			if (can == nil || can()) && w.fault(name, what, of) {
				its := w.random(what + " " + of) // so that the next one is the same without this
				repair := about(its, w.cfg.Faults.repair())
				if undo := do(its); undo != nil {
					w.after(repair, undo)
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
	f := &l.w.cfg.Faults
	r := l.w.random("link " + l.name())
	slow, narrow, bandwidth := r.Int64N(int64(f.Latency)+1), r.Float64() < f.Narrow, int64(8000)<<r.IntN(11)
	if f.Latency > 0 && l.w.fault(l.name(), "slow", l.name()) {
		l.slow = time.Duration(slow)
	}
	if narrow && l.w.fault(l.name(), "narrow", l.name()) {
		l.narrow = bandwidth
	}
	if jitter := r.Int64N(int64(f.Jitter) + 1); f.Jitter > 0 && l.w.fault(l.name(), "jittery", l.name()) {
		l.jittery = jitter
	}
	l.w.every(l.name(), "partition", f.Partition, nil, func(r *rand.Rand) (undo func()) {
		var sides []int // both
		if side := r.IntN(4); side < 2 {
			sides = bothWays[side : side+1]
		}
		l.cutOff(sides...)
		heals := l.heals
		return func() {
			if l.heals == heals { // else Heal has ended it
				l.mend(sides...)
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
			if delay > 0 {
				p.w.log.add(p.name, "slow lookup", name+" "+delay.String())
			}
			if err != nil {
				p.w.log.add(p.name, "failed lookup", name)
			}
			return delay, err
		}
	}
	f := &p.w.cfg.Faults
	if f.LookupFail+f.LookupSlow == 0 || p.spared() {
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
