package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// plan is what is to go wrong with a connection.
type plan struct {
	w                     *World
	name                  string
	way                   *link
	ends                  [2]*socket // what connects, and what listens; nil: not yet
	far                   *Host
	place                 uint64 // among the world's connections, in the order of their beginning
	refuse, silent, abort bool   // drawn
	muted                 bool   // silent has been noted
	lose                  int    // first packets
	fates                 [2]fate
	script                struct { // the same, if a script says so
		refuse, silent, abort bool
		lose                  int
	}
}

// fate is what is to go wrong with one direction of a connection.
type fate struct {
	troubles []trouble
	stalled  int64 // nothing arrives until then
	pieces   []int // sizes of the next packets
	writes   []int // how much of the next writes is taken
	reads    []int // how much the next reads give
}

// trouble is what happens when so many bytes were sent.
type trouble struct {
	after int64
	reset bool // else it stalls
	stall int64
	drawn bool // by chance, and so with a name
}

func (w *World) newPlan(name string, way *link) *plan {
	p := &plan{w: w, name: name, way: way}
	f := &w.cfg.Faults
	if f.Refuse+f.Lose+f.Silent+f.Abort+f.Reset+f.Stall == 0 {
		return p
	}
	r := w.random("connection " + name)
	drawn := func(chance float64) bool { return r.Float64() < chance }
	p.refuse, p.silent, p.abort = drawn(f.Refuse), drawn(f.Silent), drawn(f.Abort)
	reset, stall := drawn(f.Reset), drawn(f.Stall)
	for drawn(f.Lose) && p.lose < 5 {
		p.lose++
	}
	its := &p.fates[r.IntN(2)]
	resetAt, stallAt := offset(r), offset(r)
	stallFor := int64(about(r, f.repair()))
	if stall {
		its.troubles = append(its.troubles, trouble{after: stallAt, stall: stallFor, drawn: true})
	}
	if reset {
		its.troubles = append(its.troubles, trouble{after: resetAt, reset: true, drawn: true})
	}
	return p
}

// offset is where in a stream something happens, in bytes: as often among the first ten as among the hundred that follow, or the thousand.
func offset(r *rand.Rand) int64 { return r.Int64N(int64(1) << r.IntN(21)) }

// begin is the beginning of the connection of s to a host.
func (p *plan) begin(s *socket, far *Host) {
	p.ends[0], p.far = s, far
	p.w.begun++
	p.place = p.w.begun
}

// loses is asked for each first packet.
func (p *plan) loses() bool {
	switch {
	case p.script.silent:
		return true
	case p.silent && (p.muted || p.w.fault(p.way.name(), "silent", p.name)):
		p.muted = true
		return true
	case p.script.lose > 0:
		p.script.lose--
		p.w.log.add(p.way.name(), "lose", p.name)
		return true
	case p.lose == 0:
		return false
	}
	p.lose--
	return p.w.fault(p.way.name(), "lose", p.name)
}

func (p *plan) refuses() bool {
	return p.script.refuse || p.refuse && p.w.fault(p.way.name(), "refuse", p.name)
}

func (p *plan) aborts() bool {
	return p.script.abort || p.abort && p.w.fault(p.way.name(), "abort", p.name)
}

// fate is what is to go wrong with what s sends.
func (s *socket) fate() *fate { return &s.plan.fates[s.side()] }

// side is 0 for the end that connects.
func (s *socket) side() int {
	if s.accepted {
		return 1
	}
	return 0
}

// goes is how many of n bytes s sends in one packet: none if it waits until there are more.
func (f *fate) goes(s *socket, n int) int {
	most := f.untilTrouble(s)
	if len(f.pieces) == 0 {
		return int(min(int64(s.w.cut(n)), most))
	}
	piece := int(min(int64(f.pieces[0]), most)) // a piece that trouble lies in goes in two
	switch {
	case n >= piece:
		n = piece
	case !s.out.shut:
		return 0
	}
	if f.pieces[0] -= n; f.pieces[0] == 0 {
		f.pieces = f.pieces[1:]
	}
	return n
}

// untilTrouble is how many bytes s sends before something goes wrong.
func (f *fate) untilTrouble(s *socket) int64 {
	most := int64(math.MaxInt)
	for i := range f.troubles {
		if left := f.troubles[i].after - s.out.sent; left > 0 {
			most = min(most, left)
		}
	}
	return most
}

// meet is called when s has sent something, or is about to; it reports whether the connection is no more.
func (f *fate) meet(s *socket) bool {
	for i := 0; i < len(f.troubles); i++ {
		t := f.troubles[i]
		if t.after > s.out.sent {
			continue
		}
		f.troubles = append(f.troubles[:i:i], f.troubles[i+1:]...)
		i--
		what := "stall"
		if t.reset {
			what = "reset"
		}
		p := s.plan
		if !t.drawn {
			s.w.log.add(p.way.name(), what, p.name)
		} else if !s.w.fault(p.way.name(), what, p.name) {
			continue
		}
		if t.reset {
			p.breakOff(s)
			return true
		}
		f.stalled = max(f.stalled, s.w.now+t.stall)
	}
	return false
}

// breakOff resets the connection, seen from s: the peer hears of it behind what is on its way, also if that waits for the end of a partition.
func (p *plan) breakOff(s *socket) {
	s.transmit(packet{kind: rst})
	held := s.out.held
	s.out.held = nil // so that fail does not drop it
	s.fail(econnreset)
	s.out.held = held
}

// share is how many of n bytes are read or written at once: what the script says, and after its end what is drawn.
func (w *World) share(script *[]int, n int) int {
	if len(*script) == 0 {
		return w.cut(n)
	}
	n = min(n, (*script)[0])
	*script = (*script)[1:]
	return n
}

// about is a time that is so long on average. It is drawn without floating point, which is not the same on every machine.
func about(r *rand.Rand, mean time.Duration) time.Duration {
	return time.Duration(r.Int64N(2*int64(mean) + 1))
}
