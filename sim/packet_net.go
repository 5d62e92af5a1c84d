package sim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/sock"
)

var everybody = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// headerUDP is the size of a datagram's packet beside its data.
const headerUDP = 28

// maxLate is by how much a datagram comes late at the most that chance has others overtake, or that comes a second time.
const maxLate = 100 * time.Millisecond

func portName(port uint16) string { return strconv.Itoa(int(port)) }

// flow is what one host sends to a port of another.
type flow struct {
	n      int
	random *rand.Rand
}

// Datagram is a datagram on its way from one host to another, or within one, for scripts.
type Datagram struct {
	w        *World
	name     string
	from, to *Host
	port     uint16
	data     []byte
	lost     bool
	copies   int
	delay    time.Duration
}

// OnDatagram has fn called for every datagram that is sent in UDP from now on; for one to a group, once for each host that gets it. What it says goes
// wrong, whatever Config.Faults says of others. Fn must not wait. Those of Unix sockets do not come here: nothing goes wrong with them.
func (w *World) OnDatagram(fn func(d *Datagram)) { w.packetScripts = append(w.packetScripts, fn) }

// Name is the datagram's name, as logs and the names of faults have it: "client>server:53#1" is the first that was sent from host client to port 53 of
// host server.
func (d *Datagram) Name() string { return d.name }

// From is the host that sends it.
func (d *Datagram) From() *Host { return d.from }

// To is the host that it goes to.
func (d *Datagram) To() *Host { return d.to }

// Port is the port that it goes to.
func (d *Datagram) Port() uint16 { return d.port }

// Data is what it holds. It must not be changed.
func (d *Datagram) Data() []byte { return d.data }

// Lose has it never arrive.
func (d *Datagram) Lose() { d.lost = true }

// Duplicate has it arrive so many times more, all at once.
func (d *Datagram) Duplicate(times int) { d.copies += max(times, 0) }

// Delay has it arrive later by so much, so that others overtake it.
func (d *Datagram) Delay(by time.Duration) { d.delay += max(by, 0) }

// SendPackets implements poller.Poller.
func (q *simPoller) SendPackets(fd int, _ *sock.PacketBuffer, packets []sock.Packet) (int, error) {
	s := q.packetSocket(fd)
	switch {
	case s == nil:
		return 0, syscall.EBADF
	case s.err != 0:
		return 0, s.takeError()
	}
	n := q.w.cut(min(len(packets), sock.MaxBatch))
	for i := range packets[:n] {
		if err := s.sendPacket(&packets[i]); err != nil {
			if i > 0 {
				return i, nil // it is the first of the next call
			}
			return 0, err
		}
	}
	return n, nil
}

func (s *socket) sendPacket(p *sock.Packet) error {
	if s.network == unixgram {
		return s.sendUnix(p)
	}
	to := s.remote
	switch {
	case p.Addr.IsValid():
		to = s.destination(p.Addr)
	case !s.packet.connected:
		return syscall.EDESTADDRREQ
	}
	ip := to.Addr()
	switch {
	case len(p.Data) > maxUDP:
		return syscall.EMSGSIZE
	case !ip.Is4():
		return syscall.ENETUNREACH
	case to.Port() == 0:
		return syscall.EINVAL
	case ip == everybody && !s.packet.broadcast:
		return syscall.EACCES
	case !s.canSend():
		return syscall.EAGAIN
	}
	switch {
	case ip == everybody || ip.IsMulticast():
		for _, h := range s.w.hosts {
			own := h == s.p.Host
			if ip == everybody || own && s.packet.loopback || !own && !s.packet.stays {
				if h.up != nil && len(h.up.packetSockets(to, netip.AddrPort{})) > 0 {
					s.travel(h, to, p.Data)
				}
			}
		}
	case ip.IsLoopback():
		s.travel(s.p.Host, to, p.Data)
	default:
		far := s.w.hostAt(ip)
		if far == nil {
			return syscall.ENETUNREACH
		}
		s.travel(far, to, p.Data)
	}
	return nil
}

// travel sends a datagram to a host. What is drawn depends on the seed and the datagram's name alone, and as much is drawn for each: a fault
// that is left out leaves the others as they are.
func (s *socket) travel(far *Host, to netip.AddrPort, data []byte) {
	w, host := s.w, s.p.Host
	l := w.link(host, far)
	base := host.name + ">" + far.name + ":" + portName(to.Port())
	f := w.flows[base]
	if f == nil {
		f = &flow{random: w.random("datagrams " + base)}
		w.flows[base] = f
	}
	f.n++
	d := &Datagram{w: w, name: fmt.Sprintf("%s#%d", base, f.n), from: host, to: far, port: to.Port(), data: slices.Clone(data)}
	odds, r := &w.cfg.Faults, f.random
	lose, again, late := r.Float64() < odds.LosePackets, r.Float64() < odds.DuplicatePackets, r.Float64() < odds.ReorderPackets
	againBy, lateBy := r.Int64N(int64(maxLate)), r.Int64N(int64(maxLate))
	if host == far { // nothing goes wrong within a machine
		lose, again, late = false, false, false
	}
	for _, fn := range w.packetScripts {
		w.protect("a function given to World.OnDatagram", func() { fn(d) })
	}
	side := l.side(host)
	left := max(w.now, l.free[side])
	if bandwidth := l.bandwidth(); bandwidth > 0 {
		size := len(data) + headerUDP
		left += int64(size) * int64(time.Second) / bandwidth
		l.free[side] = left
		s.packet.sending += size
		w.at(left, &call{fn: func() {
			s.packet.sending -= size
			if !s.dead {
				s.changed()
			}
		}})
	}
	switch {
	case d.lost:
		w.log.add(l.name(), "lose", d.name)
		return
	case l.loses(side):
		w.log.add(l.name(), "lost", d.name)
		return
	case lose && w.fault(l.name(), "drop", d.name):
		return
	}
	at := left + l.delay() + int64(d.delay)
	if late && w.fault(l.name(), "late", d.name) {
		at += lateBy
	}
	t := &transit{Datagram: d, s: s, l: l, dest: to, source: netip.AddrPortFrom(s.source(to), s.local.Port()), sent: w.now, left: left}
	for range 1 + d.copies {
		w.at(at, t)
	}
	if again && w.fault(l.name(), "double", d.name) {
		w.at(at+againBy, t)
	}
}

// transit is a datagram on its way.
type transit struct {
	*Datagram
	s            *socket
	l            *link
	source, dest netip.AddrPort
	sent, left   int64
}

func (t *transit) stopped() bool { return false }

// happen is the datagram's arrival.
func (t *transit) happen(w *World) {
	far, l := t.to, t.l
	side := l.side(t.from)
	switch h := t.s.p; {
	case h != h.up && t.sent <= h.off && h.off < t.left: // the machine went off before it was sent
		return
	case l.loses(side) || far.dark:
		w.log.add(l.name(), "lost", t.name)
		return
	case far.faults.silent:
		w.log.add(far.name, "no answer", t.name)
		return
	}
	var to []*socket
	if far.up != nil {
		to = far.up.packetSockets(t.dest, t.source)
	}
	if len(to) == 0 || far.faults.refusing {
		t.refused()
		return
	}
	w.log.datagram(far.name, t.name, t.from.name, t.sent, len(t.data))
	for _, s := range to {
		if s.packet.full(len(t.data)) {
			w.log.add(far.name, "full", t.name)
			continue
		}
		s.receive(parcel{data: slices.Clone(t.data), from: t.source})
	}
}

// refused is what ICMP does: the sender's machine hears that nobody has the port, and tells a socket that is connected to it.
func (t *transit) refused() {
	s, l := t.s, t.l
	w := s.w
	w.log.add(t.to.name, "nobody", t.name)
	if t.dest.Addr().IsMulticast() || t.dest.Addr() == everybody {
		return
	}
	w.at(w.now+l.delay(), &call{fn: func() {
		if s.dead || !s.packet.connected || l.loses(l.side(t.to)) {
			return
		}
		s.err, s.failed = syscall.ECONNREFUSED, false
		s.changed()
	}})
}

func (s *socket) receive(p parcel) {
	s.packet.inbox = append(s.packet.inbox, p)
	s.packet.held += len(p.data) + parcelOverhead
	s.changed()
}

// packetSockets are those that get what is sent to an address of the host's: all that want it if that is a group's or everybody's, else one. A
// socket that is connected to the sender comes first, then those on the very address. Several that share it are chosen by who sends.
func (p *hostWorld) packetSockets(to, from netip.AddrPort) []*socket {
	var fit []*socket
	best := -1
	many := to.Addr().IsMulticast() || to.Addr() == everybody
	for _, s := range p.packets[door{port: to.Port()}] {
		score := 0
		switch ip := s.local.Addr(); {
		case to.Addr().IsMulticast() && !slices.Contains(s.packet.groups, to.Addr()):
			continue
		case ip == to.Addr():
			score = 1
		case !many && !ip.IsUnspecified():
			continue
		}
		if s.packet.connected {
			if s.remote != from {
				continue
			}
			score += 2
		}
		switch {
		case many || score == best:
			fit = append(fit, s)
		case score > best:
			best, fit = score, append(fit[:0], s)
		}
	}
	if many || len(fit) < 2 {
		return fit
	}
	i := hashOf(from.String()) % uint64(len(fit))
	return fit[i : i+1]
}

// sendUnix gives a datagram to a Unix socket of the same host. None is lost: there is room, or the sender waits.
func (s *socket) sendUnix(p *sock.Packet) error {
	name := s.far
	if p.Name != "" {
		name = p.Name
	}
	if name == "" {
		return syscall.ENOTCONN
	}
	to := s.p.unixPacket(name)
	switch {
	case to == nil && s.packet.connected:
		return syscall.ECONNREFUSED
	case to == nil:
		return syscall.ENOENT
	case to.packet.connected && to.far != s.path:
		return syscall.EPERM
	case len(p.Data) > maxUnixgram:
		return syscall.EMSGSIZE
	case to.packet.full(len(p.Data)):
		return syscall.EAGAIN
	}
	s.w.log.datagram(s.p.name, s.p.name+">"+s.p.name+":"+name, s.p.name, s.w.now, len(p.Data))
	to.receive(parcel{data: slices.Clone(p.Data), name: s.path})
	return nil
}
