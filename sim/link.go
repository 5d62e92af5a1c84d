package sim

import (
	"fmt"
	"slices"
	"time"
)

// Link is what lies between two hosts. The zero Link takes no time. Within a host there is one of ten microseconds, also for Unix sockets.
type Link struct {
	// Latency is how long a packet takes, and Jitter what it may take more, by chance. Packets of a connection do not overtake each other.
	Latency, Jitter time.Duration

	// Bandwidth is how many bytes a second go through in one direction. Zero is no limit.
	Bandwidth int64
}

// withinHost is the latency within a host. It is more than nothing, lest two that answer each other at once keep time from passing.
const withinHost = 10 * time.Microsecond

// pair is the two ends of a link, in their order.
type pair struct{ a, b *Host }

type link struct {
	Link
	w       *World
	ends    pair
	slow    time.Duration   // by which a fault makes it slower
	jittery int64           // by which one makes each packet slower, by chance
	narrow  int64           // the bandwidth that a fault leaves; 0: all
	free    [2]int64        // when the direction is free for the next packet
	cuts    [2]int          // why nothing gets through in that direction: how many partitions it lies in, and Cut's calls
	byHand  int             // of these, Cut's
	oneWay  [2]int          // and CutOneWay's
	era     int             // counts partitions
	heals   int             // calls of Heal that have ended one
	held    [2][]*direction // have packets that wait for the end of the partition
	unheard [2][]*direction // have packets that have arrived, and the acknowledgement waits
}

func (w *World) link(a, b *Host) *link {
	ends := pair{a, b}
	if a.index > b.index {
		ends = pair{b, a}
	}
	l := w.links[ends]
	if l == nil {
		l = &link{Link: w.cfg.Link, w: w, ends: ends}
		if a == b {
			l.Link = Link{Latency: withinHost}
		}
		w.links[ends] = l
		l.drawFaults()
	}
	return l
}

// SetLink says what lies between two hosts.
func (w *World) SetLink(a, b *Host, l Link) {
	if err := l.check("Link"); err != nil {
		panic(err)
	}
	at := w.link(a, b)
	of := fmt.Sprintf("latency %v, jitter %v", l.Latency, l.Jitter)
	if l.Bandwidth > 0 {
		of += fmt.Sprintf(", bandwidth %d", l.Bandwidth)
	}
	w.log.add(at.name(), "set link", of)
	at.Link = l
}

// Partition cuts the hosts off from all others, also those that are made later: packets are lost, and sent again after [World.Heal], so that connections only stand still,
// unless it lasts longer than they wait, as on Linux: a quarter of an hour for what was sent, two minutes for connections being made, and with a keepalive,
// which the engine's connections have, twelve minutes of silence.
func (w *World) Partition(hosts ...*Host) {
	w.parted = append(w.parted, slices.Clone(hosts))
	for _, a := range hosts {
		for _, b := range w.hosts {
			if !slices.Contains(hosts, b) {
				w.link(a, b).cutOff()
			}
		}
	}
}

// Heal ends all partitions, and what Cut and CutOneWay have cut.
func (w *World) Heal() {
	w.parted = nil
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			l := w.links[pair{a, b}]
			if l == nil || !l.cut() {
				continue
			}
			l.heals++
			l.byHand, l.oneWay = 0, [2]int{}
			for _, side := range bothWays {
				l.cuts[side] = min(l.cuts[side], 1)
			}
			l.mend()
		}
	}
}

// Cut cuts the link between two hosts, until Mend is called as many times.
func (w *World) Cut(a, b *Host) {
	l := w.link(a, b)
	l.byHand++
	l.cutOff()
}

// Mend undoes one Cut, unless Heal has.
func (w *World) Mend(a, b *Host) {
	if l := w.link(a, b); l.byHand > 0 {
		l.byHand--
		l.mend()
	}
}

// CutOneWay has nothing get through that one host sends to the other, until MendOneWay is called as many times. What comes the other way arrives, and its sender does
// not hear that it has.
func (w *World) CutOneWay(from, to *Host) {
	l := w.link(from, to)
	side := l.side(from)
	l.oneWay[side]++
	l.cutOff(side)
}

// MendOneWay undoes one CutOneWay, unless Heal has.
func (w *World) MendOneWay(from, to *Host) {
	l := w.link(from, to)
	if side := l.side(from); l.oneWay[side] > 0 {
		l.oneWay[side]--
		l.mend(side)
	}
}

// ResetAll resets every connection between two hosts, in both directions, also those that are closed and have something to send yet. Those that are only
// being made go on.
func (w *World) ResetAll(a, b *Host) {
	l := w.link(a, b)
	for _, h := range []*Host{l.ends.a, l.ends.b} {
		for _, s := range h.connections() {
			if peer := s.peer; s.plan.way == l && !s.dead && s.state != connecting && peer != nil && peer.state != gone && peer.state != connecting {
				w.log.add(l.name(), "reset", s.name)
				s.fail(econnreset)
				peer.fail(econnreset)
			}
		}
	}
}

// Stall has nothing that is sent from a to b arrive before d has passed.
func (w *World) Stall(a, b *Host, d time.Duration) {
	l := w.link(a, b)
	w.log.add(l.name(), "stall", a.name+">"+b.name+" "+d.String())
	l.free[l.side(a)] = max(l.free[l.side(a)], w.now+int64(d))
}

// latency is how long a packet takes without jitter.
func (l *link) latency() time.Duration { return l.Latency + l.slow }

// delay is how long one takes.
func (l *link) delay() int64 {
	d := int64(l.latency()) + l.w.jitter(l.Jitter)
	if l.jittery > 0 {
		d += l.w.order.Int64N(l.jittery)
	}
	return d
}

func (l *link) bandwidth() int64 {
	if l.narrow > 0 && (l.Bandwidth == 0 || l.narrow < l.Bandwidth) {
		return l.narrow
	}
	return l.Bandwidth
}

// cut reports whether anything is lost.
func (l *link) cut() bool { return l.cuts != [2]int{} }

// loses reports whether what is sent in that direction is.
func (l *link) loses(side int) bool { return l.cuts[side] > 0 }

func (l *link) name() string { return l.ends.a.name + "-" + l.ends.b.name }

// side is 0 or 1, for the direction of what from sends.
func (l *link) side(from *Host) int {
	if from == l.ends.a {
		return 0
	}
	return 1
}

var bothWays = []int{0, 1}

// cutOff cuts the link, in both directions if none is given.
func (l *link) cutOff(sides ...int) {
	changed := l.count(sides, +1, func(n int) bool { return n == 1 })
	if len(changed) == 0 {
		return
	}
	l.era++
	l.note("cut", changed)
	for _, h := range []*Host{l.ends.a, l.ends.b} {
		for _, s := range h.connections() {
			if s.plan.way == l {
				s.probe()
			}
		}
	}
}

// mend undoes one cutOff.
func (l *link) mend(sides ...int) {
	changed := l.count(sides, -1, func(n int) bool { return n == 0 })
	if len(changed) == 0 {
		return
	}
	l.note("mend", changed)
	for _, side := range changed {
		held, unheard := l.held[side], l.unheard[side]
		l.held[side], l.unheard[side] = nil, nil
		for _, d := range held {
			l.w.at(l.w.now+int64(l.latency()), d)
		}
		for _, d := range unheard {
			l.w.at(l.w.now+int64(l.latency()), &call{fn: d.hear})
		}
	}
}

// count counts the reasons for cutting up or down, and says of which sides the number is now remarkable.
func (l *link) count(sides []int, by int, remarkable func(n int) bool) (changed []int) {
	if len(sides) == 0 {
		sides = bothWays
	}
	for _, side := range sides {
		if l.cuts[side]+by < 0 {
			continue
		}
		if l.cuts[side] += by; remarkable(l.cuts[side]) {
			changed = append(changed, side)
		}
	}
	return changed
}

// note writes into the log what has become of the link.
func (l *link) note(what string, sides []int) {
	of := ""
	if len(sides) == 1 {
		from, to := l.ends.a, l.ends.b
		if sides[0] == 1 {
			from, to = to, from
		}
		of = from.name + ">" + to.name
	}
	l.w.log.add(l.name(), what, of)
}

// direction is what a socket sends.
type direction struct {
	from   *socket
	queue  buffer // not sent, for want of room at the other end
	flying int    // sent, and for all the sender knows not arrived
	heard  int    // of these, those that have arrived, when there is no way back
	shut   bool   // there will be no more
	fin    bool   // and the peer is told so
	last   int64  // when the last packet arrives
	sent   int64  // bytes
	held   []packet
	since  int64 // when data was first held; 0: none is
	torn   bool  // what was held is lost, and so is what travels behind it

	join  int64   // what is sent in so much time arrives together; 0: it does not
	joins bool    // and has begun to
	joint *packet // to which what is sent next is added, until it arrives
}

// drawJoin is for how long what s sends is kept, to arrive together.
func (s *socket) drawJoin() {
	chance := s.w.cfg.Faults.Join
	if chance == 0 {
		return
	}
	r := s.w.random("join " + s.name)
	joins, side, span := r.Float64() < chance, r.IntN(2), r.Int64N(int64(maxJoin))+1
	if joins && side == s.side() {
		s.out.join = span
	}
}

const maxJoin = 100 * time.Millisecond

// joined adds data to what waits to arrive already, if anything does; else how much longer it takes.
func (d *direction) joined(p *packet) (is bool, later int64) {
	s := d.from
	if d.join == 0 || p.kind != data {
		d.joint = nil
		return false, 0
	}
	if !d.joins {
		if d.joins = s.w.fault(s.plan.way.name(), "join", s.name); !d.joins {
			d.join = 0
			return false, 0
		}
	}
	if d.joint != nil {
		d.joint.data = append(d.joint.data, p.data...)
		return true, 0
	}
	d.joint = p
	return false, d.join
}

func (d *direction) drop() {
	d.torn = d.torn || len(d.held) > 0
	d.queue = buffer{}
	d.flying, d.heard = 0, 0
	d.held, d.since = nil, 0
}

// hear is when the sender learns, after a partition, what has arrived before.
func (d *direction) hear() {
	s := d.from
	if l := s.plan.way; l.loses(1 - l.side(s.p.Host)) {
		d.wait(l)
		return
	}
	n := d.heard
	d.heard = 0
	if len(d.held) == 0 {
		d.since = 0
	}
	d.acknowledged(n)
	if !s.dead {
		s.pump()
		s.changed()
	}
}

// wait keeps the acknowledgement until there is a way back.
func (d *direction) wait(l *link) {
	side := 1 - l.side(d.from.p.Host)
	if !slices.Contains(l.unheard[side], d) {
		l.unheard[side] = append(l.unheard[side], d)
	}
}

// acknowledged is when the sender learns that n bytes have arrived.
func (d *direction) acknowledged(n int) {
	d.flying = max(0, d.flying-n)
	d.from.heard = d.from.w.now
}

// arrived is when n bytes do.
func (d *direction) arrived(n int) {
	l := d.from.plan.way
	if !l.loses(1 - l.side(d.from.p.Host)) {
		d.acknowledged(n)
		return
	}
	d.heard += n
	d.wait(l)
	d.losePatience()
}

// losePatience ends the connection if the sender does not hear for too long that what it has sent has arrived.
func (d *direction) losePatience() {
	if d.since == 0 {
		since := d.from.w.now
		d.since = since
		d.from.giveUpLater(func() bool { return d.since == since })
	}
}

// packet is what travels.
type packet struct {
	kind kind
	from *socket
	to   *socket // nil for a syn: see connect
	data []byte
	sent int64 // when
	left int64 // when it was on its way, and not in the machine any more
}

type kind uint8

const (
	data kind = iota
	fin
	rst
	syn
	synAck
	ack // of a syn-ack; data has none of its own
)

func (k kind) String() string { return [...]string{"data", "fin", "rst", "syn", "syn-ack", "ack"}[k] }

// pump sends what there is room for at the other end.
func (s *socket) pump() {
	if s.dead || s.state == connecting || s.peer == nil {
		return
	}
	d, f := &s.out, s.fate()
	for d.queue.len() > 0 {
		if f.meet(s) {
			return
		}
		room := receiveBuffer - s.peer.in.len() - d.flying
		if room <= 0 {
			return
		}
		n := f.goes(s, min(d.queue.len(), room))
		if n == 0 {
			return
		}
		p := packet{kind: data, data: append([]byte(nil), d.queue.take(n)...)}
		d.flying += n
		d.sent += int64(n)
		s.transmit(p)
	}
	if d.sent > 0 && f.meet(s) {
		return
	}
	if d.shut && !d.fin {
		d.fin = true
		s.transmit(packet{kind: fin})
	}
}

// transmit sends a packet to the peer.
func (s *socket) transmit(p packet) {
	w := s.w
	p.from, p.to, p.sent = s, s.peer, w.now
	d := &s.out
	d.from = s
	is, later := d.joined(&p)
	if is {
		return
	}
	at := w.now
	if l := s.plan.way; s.network == unix {
		at += int64(l.latency())
	} else {
		side := l.side(s.p.Host)
		at = max(at, l.free[side])
		if bandwidth := l.bandwidth(); bandwidth > 0 {
			at += int64(len(p.data)+header) * int64(time.Second) / bandwidth
			l.free[side] = at
		}
		p.left = at
		at += l.delay()
	}
	d.last = max(d.last, at+later, s.fate().stalled)
	w.at(d.last, &p)
}

// header is the size of a packet beside its data.
const header = 52

// happen is the packet's arrival; it waits if the link is cut, or others wait before it.
func (p *packet) happen(w *World) {
	d := &p.from.out
	if d.joint == p {
		d.joint = nil
	}
	if d.torn && p.kind != rst {
		return
	}
	if h := p.from.p; h != h.up && p.sent <= h.off && h.off < p.left {
		return // the machine went off before it was sent
	}
	if l := p.from.plan.way; len(d.held) > 0 || l.loses(l.side(p.from.p.Host)) {
		d.hold(*p, l)
		return
	}
	w.arrive(p)
}

func (p *packet) stopped() bool { return false }

// hold keeps a packet for the end of the partition. It is sent again and again, until the sender loses patience.
func (d *direction) hold(p packet, l *link) {
	d.held = append(d.held, p)
	d.waitToArrive(l)
	if p.kind == data {
		d.losePatience()
	}
}

// giveUpLater ends the connection if what was sent does not arrive for too long.
func (s *socket) giveUpLater(still func() bool) {
	s.w.after(sendTimeout, func() {
		if !s.dead && still() {
			s.fail(etimedout)
		}
	})
}

func (d *direction) stopped() bool { return false }

// happen is the end of a partition: what was held arrives.
func (d *direction) happen(w *World) {
	held := d.held
	for i := range held {
		p := &held[i]
		if l := p.from.plan.way; l.loses(l.side(p.from.p.Host)) {
			d.held = held[i:]
			d.waitToArrive(l)
			return
		}
		d.held = held[i+1:]
		if w.arrive(p); d.torn {
			return
		}
	}
	d.held, d.since = nil, 0
	if d.heard > 0 {
		d.losePatience()
	}
}

// waitToArrive has what is held arrive when there is a way again.
func (d *direction) waitToArrive(l *link) {
	side := l.side(d.from.p.Host)
	if !slices.Contains(l.held[side], d) {
		l.held[side] = append(l.held[side], d)
	}
}
