package sim

import (
	"container/heap"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// socket is one end of a connection, a listening socket, or one of datagrams.
type socket struct {
	w       *World
	p       *hostWorld
	fd      int // 0: none, or none any more
	place   int // in Host.conns, from 1; 0: none, or none any more
	name    string
	network network
	state   state
	local   netip.AddrPort
	remote  netip.AddrPort
	path    string // a Unix socket's
	far     string // its peer's

	poller *simPoller // that watches it; nil: none
	token  uint64
	want   poller.Interest
	found  bool // in poller.found, with this stamp
	stamp  uint64
	failed bool // that has been reported

	err       syscall.Errno // waits to be taken
	dead      bool          // the connection is no more
	told      bool          // and s has told the peer so
	asking    bool          // whether the peer's machine is there again
	peer      *socket
	in        buffer // received and not read
	eof       bool   // nothing comes after in
	out       direction
	keepAlive time.Duration
	asked     int   // how often for a keepalive
	heard     int64 // when anything has come from the peer
	plan      *plan // what is to go wrong, the same for both ends
	accepted  bool  // it is the end that has listened

	pending []*socket // listening: connections that were not accepted
	opening int       // and how many more are half made
	backlog int
	ln      *socket // opening: where it is to be accepted
	unheard func()  // stops what ends it if it stays so

	packet *packetEnd // of datagrams: then there is no peer and no plan
}

type network uint8

const (
	tcp network = iota
	unix
	udp
	unixgram
)

type state uint8

const (
	connecting state = iota
	listening
	opening // half made: the other end has been answered, and has not answered that
	established
	closed // there is no descriptor; what was written is still on its way
	gone   // with its machine
)

const (
	// What a socket keeps of what was written and has not arrived, and of what has arrived and was not read.
	sendBuffer    = 128 << 10
	receiveBuffer = 128 << 10

	// As long as Linux tries, before it gives up: to send what is not acknowledged, to connect, and to answer who connects; and how it probes a peer that is silent.
	sendTimeout    = 924600 * time.Millisecond
	connectTimeout = 127 * time.Second
	openTimeout    = 63 * time.Second
	probeInterval  = 75 * time.Second
	probes         = 9
)

// buffer is a queue of bytes.
type buffer struct {
	bytes []byte
	head  int
}

func (b *buffer) len() int { return len(b.bytes) - b.head }

func (b *buffer) add(p []byte) {
	if b.head > 0 && len(b.bytes)+len(p) > cap(b.bytes) {
		n := copy(b.bytes, b.bytes[b.head:])
		b.bytes, b.head = b.bytes[:n], 0
	}
	b.bytes = append(b.bytes, p...)
}

func (b *buffer) take(n int) []byte {
	p := b.bytes[b.head : b.head+n]
	if b.head += n; b.head == len(b.bytes) {
		if cap(b.bytes) > 4<<10 {
			b.bytes = nil // an idle connection keeps no large buffer
		}
		b.bytes, b.head = b.bytes[:0], 0
	}
	return p
}

func (p *hostWorld) newSocket(n network, st state) *socket {
	return &socket{w: p.w, p: p, network: n, state: st}
}

// socket finds what a descriptor is.
func (p *hostWorld) socket(fd int) *socket {
	if i := fd - firstFile; i >= 0 && i < len(p.table) {
		return p.table[i]
	}
	return nil
}

// sockets are all that the process has, also those that it has not accepted.
func (p *hostWorld) sockets() []*socket {
	var all []*socket
	for _, s := range p.table {
		if s != nil {
			all = append(append(all, s), s.pending...)
		}
	}
	return all
}

// assign gives s the lowest descriptor that is free, as a system does: who mistakes one connection for the next is found out.
func (p *hostWorld) assign(s *socket) error {
	if p.used >= p.files || p.exhausted() {
		return syscall.EMFILE
	}
	p.used++
	if len(p.holes) > 0 {
		i := heap.Pop(&p.holes).(int)
		p.table[i], s.fd = s, firstFile+i
		return nil
	}
	p.table = append(p.table, s)
	s.fd = firstFile + len(p.table) - 1
	return nil
}

func (p *hostWorld) free(fd int) {
	p.table[fd-firstFile] = nil
	heap.Push(&p.holes, fd-firstFile)
	p.used--
}

// holes are places in a table that are free, the lowest first. It is a heap.Interface.
type holes []int

func (h holes) Len() int           { return len(h) }
func (h holes) Less(i, j int) bool { return h[i] < h[j] }
func (h holes) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *holes) Push(x any)        { *h = append(*h, x.(int)) }

func (h *holes) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

// ready is what is to be reported of s.
func (s *socket) ready() (r poller.Ready) {
	switch {
	case s.packet != nil:
		return s.packetReady()
	case s.state == listening:
		if s.want&poller.Read != 0 && len(s.pending) > 0 {
			r = poller.Readable
		}
		return r
	case s.want == 0:
		if s.err != 0 && !s.failed {
			r = poller.Failed
		}
		return r
	case s.state == connecting && s.err == 0:
		return 0
	}
	if s.want&poller.Read != 0 && (s.in.len() > 0 || s.eof || s.dead) {
		r |= poller.Readable
	}
	if s.want&poller.Write != 0 && (s.dead || s.out.shut || s.room() > 0) {
		r |= poller.Writable
	}
	return r
}

func (s *socket) room() int { return sendBuffer - s.out.queue.len() - s.out.flying }

// changed has the loop look at s.
func (s *socket) changed() { s.poller.look(s) }

// leave takes s from its poller, and from what that has found.
func (s *socket) leave() {
	s.poller, s.token, s.want = nil, 0, 0
	s.found = false
	s.stamp++
}

func (s *socket) takeError() error {
	if s.err == 0 {
		return nil
	}
	err := s.err
	s.err = 0
	return err
}

// fail is the end of the connection for s: the error is reported once, to whom it may concern.
func (s *socket) fail(err syscall.Errno) {
	if s.dead || s.state == gone {
		return
	}
	if err == etimedout {
		s.w.log.add(s.p.name, "timeout", s.name)
	}
	s.die()
	s.err = err
	s.out.drop()
	if s.state != closed {
		s.changed()
	}
}

// die is the end of the connection for s, however it comes.
func (s *socket) die() {
	s.dead = true
	s.opens()
	s.release()
}

func (s *socket) recv(p []byte) (int, error) {
	switch {
	case s.packet != nil:
		return 0, syscall.EOPNOTSUPP // of this world: see RecvPackets
	case s.state == listening:
		return 0, syscall.ENOTCONN
	case s.in.len() > 0:
		n := s.w.share(&s.plan.fates[1-s.side()].reads, min(len(p), s.in.len()))
		copy(p, s.in.take(n))
		if s.peer != nil {
			s.peer.pump() // there is room for more
		}
		return n, nil
	case s.err != 0:
		return 0, s.takeError()
	case s.eof || s.dead:
		return 0, nil
	}
	return 0, syscall.EAGAIN
}

func (s *socket) send(p []byte) (int, error) {
	switch {
	case s.packet != nil:
		return 0, syscall.EOPNOTSUPP
	case s.state == listening:
		return 0, syscall.ENOTCONN
	case s.err != 0:
		return 0, s.takeError()
	case s.dead || s.out.shut:
		return 0, syscall.EPIPE
	case s.state == connecting:
		return 0, syscall.EAGAIN
	}
	room := s.room()
	if room <= 0 {
		return 0, syscall.EAGAIN
	}
	n := min(len(p), room)
	if n > 0 {
		n = s.w.share(&s.fate().writes, n)
		s.out.queue.add(p[:n])
		s.pump()
	}
	return n, nil
}

func (s *socket) closeWrite() error {
	switch {
	case s.dead:
		if err := s.takeError(); err != nil {
			return err
		}
		return syscall.ENOTCONN
	case s.state != established:
		return syscall.ENOTCONN
	}
	s.out.shut = true
	s.pump()
	s.changed()
	return nil
}

// close is what becomes of s when its descriptor is closed.
func (s *socket) close(reset bool) {
	if s.packet != nil {
		s.closePacket()
		return
	}
	s.leave()
	s.fd = 0
	before := s.state
	switch {
	case before == gone || before == closed:
		return
	case before == listening:
		s.state = closed
		s.p.unlisten(s)
		for _, c := range s.pending {
			c.close(true)
		}
		s.pending = nil
		return
	}
	s.state = closed
	switch {
	case s.dead:
	case before == connecting:
		s.die()
		s.out.drop()
		if s.peer != nil {
			s.transmit(packet{kind: rst})
		}
	case reset || s.in.len() > 0: // what was not read is lost, and the peer learns it
		s.abort()
	default:
		s.out.shut = true
		s.pump()
	}
	s.in = buffer{}
}

// abort drops what was not sent and tells the peer.
func (s *socket) abort() {
	s.die()
	s.out.drop()
	s.told = true
	s.transmit(packet{kind: rst})
}

// vanish is the end of s's process, or of the machine.
func (s *socket) vanish(quietly bool) {
	if !quietly || s.packet != nil {
		s.close(false)
		return
	}
	s.leave()
	s.die()
	s.state, s.fd = gone, 0
	s.in = buffer{}
	s.out.drop()
	if peer := s.peer; peer != nil && s.network == tcp {
		if peer.state == closed && peer.out.fin && peer.out.flying == 0 {
			peer.release() // it only waits for the other's end, which a system does for a minute
		}
		peer.probe()
		peer.pump() // what had no room is sent in vain too
	}
}

// setKeepAlive has the end of a peer found out that says nothing any more.
func (s *socket) setKeepAlive(idle time.Duration) {
	s.keepAlive = idle
	s.asked++ // the probes that were for another time are no more
	s.watch()
}

// watch is probe, if the peer does not answer already.
func (s *socket) watch() {
	if peer := s.peer; peer != nil && (peer.state == gone || s.plan.way.cut()) {
		s.probe()
	}
}

// probe is called when the peer may not answer any more: what a keepalive finds out, after its time. While something is on its way there are no
// probes: see giveUpLater.
func (s *socket) probe() {
	if s.keepAlive <= 0 || s.dead || s.state != established {
		return
	}
	era, asked := s.plan.way.era, s.asked
	s.w.after(s.keepAlive, func() { s.probeAgain(era, asked, probes) })
}

// probeAgain is a probe, when so many more may be left without an answer.
func (s *socket) probeAgain(era, asked, left int) {
	if s.dead || s.asked != asked || s.state != established || s.out.flying > 0 {
		return
	}
	l, peer := s.plan.way, s.peer
	if idle := time.Duration(s.w.now - s.heard); left == probes && idle < s.keepAlive { // it is cut off in the other direction alone
		s.w.after(s.keepAlive-idle, func() { s.probeAgain(era, asked, left) })
		return
	}
	switch {
	case l.cut() && l.era == era || peer.state == gone && peer.p.dark:
		if left == 0 {
			s.fail(syscall.ETIMEDOUT)
			return
		}
		s.w.after(probeInterval, func() { s.probeAgain(era, asked, left-1) })
	case peer.state == gone: // its machine is there again, and knows nothing of it
		s.w.log.arrived(s, rst.String(), peer.p.name, s.w.now, 0)
		s.fail(syscall.ECONNRESET)
	}
}

// listen makes s one that listens.
func (q *simPoller) listen(addr net.Addr, o sock.Options) (*socket, error) {
	p := q.p
	s := p.newSocket(tcp, listening)
	s.backlog = o.Backlog
	if s.backlog == 0 {
		s.backlog = 4096
	}
	switch a := addr.(type) {
	case *net.UnixAddr:
		s.network, s.path, s.name = unix, a.Name, a.Name
		if len(p.listeners[s.door()]) > 0 {
			return nil, syscall.EADDRINUSE
		}
		return s, nil
	case *net.TCPAddr:
		ip, ok := netip.AddrFromSlice(a.IP)
		ip = ip.Unmap()
		if !ok || ip.IsUnspecified() {
			ip = netip.IPv4Unspecified()
		}
		if !ip.IsUnspecified() && !ip.IsLoopback() && ip != p.ip {
			return nil, syscall.EADDRNOTAVAIL
		}
		if ip.Is6() && ip.IsLoopback() {
			ip = loopback
		}
		port := uint16(a.Port)
		if port == 0 {
			var err error
			if port, err = p.freePort(func(port uint16) bool { return len(p.clashing(ip, port)) == 0 && !p.connected(ip, port) }); err != nil {
				return nil, err
			}
		}
		s.local = netip.AddrPortFrom(ip, port)
		if p.connected(ip, port) || !o.ReusePort && len(p.clashing(ip, port)) > 0 {
			return nil, syscall.EADDRINUSE
		}
		s.name = fmt.Sprintf("%s:%d", p.name, port)
		return s, nil
	}
	return nil, syscall.EAFNOSUPPORT
}

var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// door is under what a listening socket is found: a Unix socket's path, or a port.
type door struct {
	path string
	port uint16
}

func (s *socket) door() door { return door{s.path, s.local.Port()} }

// freePort is the next port that will do.
func (p *hostWorld) freePort(free func(port uint16) bool) (uint16, error) {
	for range 1 << 15 {
		port := p.port
		if p.port++; p.port == 0 {
			p.port = firstPort
		}
		if free(port) {
			return port, nil
		}
	}
	return 0, syscall.EADDRNOTAVAIL
}

// Listen implements poller.Poller.
func (q *simPoller) Listen(addr net.Addr, o sock.Options) (int, error) {
	if q.p.gone { // deferred functions of a process that was killed
		return -1, syscall.EBADF
	}
	s, err := q.listen(addr, o)
	if err != nil {
		return -1, err
	}
	if err := q.p.assign(s); err != nil {
		return -1, err
	}
	q.p.listeners[s.door()] = append(q.p.listeners[s.door()], s)
	s.w.log.add(q.p.name, "listen", s.name)
	return s.fd, nil
}

func (p *hostWorld) unlisten(s *socket) {
	all := p.listeners[s.door()]
	for i, other := range all {
		if other == s {
			p.listeners[s.door()] = append(all[:i:i], all[i+1:]...)
		}
	}
}

// listener finds who listens at an address of the host; among several, one is chosen by chance.
func (p *hostWorld) listener(to netip.AddrPort) *socket {
	var fit []*socket
	for _, s := range p.listeners[door{port: to.Port()}] {
		if ip := s.local.Addr(); ip.IsUnspecified() || ip == to.Addr() {
			fit = append(fit, s)
		}
	}
	switch len(fit) {
	case 0:
		return nil
	case 1:
		return fit[0]
	}
	return fit[p.w.order.IntN(len(fit))]
}

// accept takes one that waits.
func (s *socket) accept() (fd int, peer netip.AddrPort, err error) {
	if len(s.pending) == 0 {
		return -1, peer, syscall.EAGAIN
	}
	c := s.pending[0]
	if !c.dead && (s.p.aborts() || c.plan.aborts()) {
		s.pending = s.pending[1:]
		s.w.log.add(s.p.name, "abort", c.name)
		c.close(true)
		return -1, peer, syscall.ECONNABORTED
	}
	if err := s.p.assign(c); err != nil {
		return -1, peer, err
	}
	s.pending[0] = nil
	s.pending = s.pending[1:]
	s.w.log.add(s.p.name, "accept", c.name)
	return c.fd, c.remote, nil
}

func (s *socket) addr(a netip.AddrPort, path string) net.Addr {
	if s.network == unix {
		return &net.UnixAddr{Name: path, Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(a)
}
