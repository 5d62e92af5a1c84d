package sim

import (
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
	w      *World
	ends   pair
	free   [2]int64     // when the direction is free for the next packet
	cuts   int          // partitions that it lies in
	byHand int          // those of them that are Cut's
	era    int          // counts partitions
	heals  int          // calls of Heal that have ended one
	held   []*direction // have packets that wait for the end of the partition
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
func (w *World) SetLink(a, b *Host, l Link) { w.link(a, b).Link = l }

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

// Heal ends all partitions, and what Cut has cut.
func (w *World) Heal() {
	w.parted = nil
	for _, a := range w.hosts {
		for _, b := range w.hosts {
			if l := w.links[pair{a, b}]; l != nil && l.cuts > 0 {
				l.cuts = 1
				l.heals++
				l.byHand = 0
				l.mend()
			}
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

// ResetAll resets every connection between two hosts, in both directions, also those that are closed and have something to send yet.
func (w *World) ResetAll(a, b *Host) {
	l := w.link(a, b)
	for _, h := range []*Host{l.ends.a, l.ends.b} {
		for _, s := range h.connections() {
			if peer := s.peer; s.plan.way == l && !s.dead && peer != nil && peer.state != gone {
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
	l.free[l.side(a)] = max(l.free[l.side(a)], w.now+int64(d))
}

func (l *link) cut() bool { return l.cuts > 0 }

func (l *link) name() string { return l.ends.a.name + "-" + l.ends.b.name }

// side is 0 or 1, for the direction of what from sends.
func (l *link) side(from *Host) int {
	if from == l.ends.a {
		return 0
	}
	return 1
}

func (l *link) cutOff() {
	if l.cuts++; l.cuts > 1 {
		return
	}
	l.era++
	l.w.log.add(l.name(), "cut", "")
	for _, h := range []*Host{l.ends.a, l.ends.b} {
		for _, s := range h.connections() {
			if s.plan.way == l {
				s.probe()
			}
		}
	}
}

func (l *link) mend() {
	if l.cuts == 0 {
		return
	}
	if l.cuts--; l.cuts > 0 {
		return
	}
	l.w.log.add(l.name(), "mend", "")
	held := l.held
	l.held = nil
	for _, d := range held {
		l.w.at(l.w.now+int64(l.Latency), d)
	}
}

// direction is what a socket sends.
type direction struct {
	from   *socket
	queue  buffer // not sent, for want of room at the other end
	flying int    // sent, and not arrived
	shut   bool   // there will be no more
	fin    bool   // and the peer is told so
	last   int64  // when the last packet arrives
	sent   int64  // bytes
	held   []packet
	since  int64 // when data was first held; 0: none is
	torn   bool  // what was held is lost, and so is what travels behind it
}

func (d *direction) drop() {
	d.torn = d.torn || len(d.held) > 0
	d.queue = buffer{}
	d.flying = 0
	d.held, d.since = nil, 0
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
)

func (k kind) String() string { return [...]string{"data", "fin", "rst", "syn", "syn-ack"}[k] }

// pump sends what there is room for at the other end.
func (s *socket) pump() {
	if s.dead || s.state == connecting || s.peer == nil {
		return
	}
	d := &s.out
	for d.queue.len() > 0 {
		room := receiveBuffer - s.peer.in.len() - d.flying
		if room <= 0 {
			return
		}
		n := s.w.cut(min(d.queue.len(), room))
		if s.plan.breaks(s, n) {
			return
		}
		p := packet{kind: data, data: append([]byte(nil), d.queue.take(n)...)}
		d.flying += n
		d.sent += int64(n)
		s.transmit(p)
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
	at := w.now
	if l := s.plan.way; s.network == unix {
		at += int64(l.Latency)
	} else {
		side := l.side(s.p.Host)
		at = max(at, l.free[side])
		if l.Bandwidth > 0 {
			at += int64(len(p.data)+header) * int64(time.Second) / l.Bandwidth
			l.free[side] = at
		}
		p.left = at
		at += int64(l.Latency) + w.jitter(l.Jitter)
	}
	d.last = max(d.last, at, s.plan.stalledUntil(s))
	w.at(d.last, &p)
}

// header is the size of a packet beside its data.
const header = 52

// happen is the packet's arrival; it waits if the link is cut, or others wait before it.
func (p *packet) happen(w *World) {
	d := &p.from.out
	if d.torn && p.kind != rst {
		return
	}
	if h := p.from.p; h != h.up && p.sent <= h.off && h.off < p.left {
		return // the machine went off before it was sent
	}
	if l := p.from.plan.way; l.cut() || len(d.held) > 0 {
		d.hold(w, *p, l)
		return
	}
	w.arrive(p)
}

func (p *packet) stopped() bool { return false }

// hold keeps a packet for the end of the partition. It is sent again and again, until the sender loses patience.
func (d *direction) hold(w *World, p packet, l *link) {
	d.held = append(d.held, p)
	if !slices.Contains(l.held, d) {
		l.held = append(l.held, d)
	}
	if p.kind == data && d.since == 0 {
		since := w.now
		d.since = since
		d.from.giveUpLater(func() bool { return d.since == since })
	}
}

// giveUpLater ends the connection if what was sent does not arrive for too long.
func (s *socket) giveUpLater(still func() bool) {
	s.w.After(sendTimeout, func() {
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
		if l := p.from.plan.way; l.cut() {
			d.held = held[i:]
			if !slices.Contains(l.held, d) {
				l.held = append(l.held, d)
			}
			return
		}
		d.held = held[i+1:]
		if w.arrive(p); d.torn {
			return
		}
	}
	d.held, d.since = nil, 0
}
