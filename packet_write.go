package rondo

import (
	"errors"
	"net/netip"
	"syscall"
	"time"

	"github.com/rondo-go/rondo/internal/sock"
)

// packetQueue is what was written and is not sent: packets[head:].
type packetQueue struct {
	packets []sock.Packet
	head    int
	data    []byte // what they hold; a longer one takes its place when it is full, and the older packets keep theirs
	size    int    // what they count for
	passing int    // files that go with them
}

const (
	// What a datagram counts for beside its bytes, so that those of no bytes are bounded too.
	packetOverhead = 64

	// So much is gathered before it is sent without waiting for the callback to return.
	gatheredPackets = sock.MaxBatch
	gatheredBytes   = 256 << 10

	// An empty queue with no more room than this is kept for the next socket, and so many of them.
	keptPackets, keptBytes, keptQueues = 256, 64 << 10, 64

	// A Unix socket without room is tried again after this time, doubling as long as nobody takes anything.
	minPacketRetry, maxPacketRetry = 100 * time.Microsecond, 10 * time.Millisecond

	// Errors that wait to be told. When there are more, the socket takes no datagrams that could lead to others.
	maxErrors = 256

	// What UDP can hold: 65,535 bytes, less its header and IPv4's. IPv6 does not count its own. (RFC 768, RFC 791, RFC 8200)
	maxUDP4 = 65535 - 8 - 20
	maxUDP6 = 65535 - 8
)

// Write sends p to where the socket is connected: see WriteTo.
func (c *PacketConn) Write(p []byte) error {
	c.own("PacketConn.Write", "PacketHandle.Write")
	if !c.remote.IsValid() {
		return c.opError("write", PacketAddr{}, errNoDestination)
	}
	return c.write(p, sock.Packet{}, c.remote)
}

// WriteTo sends p as one datagram; it never blocks. Those that are written in one callback go out together when it returns, in their order. What the kernel has
// no room for waits, up to PacketConfig.WriteLimit; beyond that a datagram is refused with [ErrPacketQueueFull].
//
// An error says that this datagram will not be sent: after Close it is ErrClosed, and a *net.OpError if it is too large for UDP (syscall.EMSGSIZE: more than
// 65,507 bytes over IPv4, 65,527 over IPv6), if the address is not of the socket's network, or the socket is connected. What the kernel says later
// the protocol hears as a [PacketErrorReceiver]. That nothing was said does not mean that it has arrived.
func (c *PacketConn) WriteTo(p []byte, to PacketAddr) error {
	c.own("PacketConn.WriteTo", "PacketHandle.WriteTo")
	if c.remote.IsValid() {
		return c.opError("write", to, errConnected)
	}
	addr, err := c.address(to)
	if err != nil {
		return c.opError("write", to, err)
	}
	return c.write(p, sock.Packet{Addr: addr, Name: to.Name}, to)
}

func (c *PacketConn) write(p []byte, packet sock.Packet, to PacketAddr) error {
	if c.ended.Load() || c.closing {
		return ErrClosed
	}
	if c.tooLarge(p, to) {
		return c.opError("write", to, syscall.EMSGSIZE)
	}
	if q := c.out; q != nil && !c.blocked && !c.retrying &&
		(len(q.packets)-q.head >= gatheredPackets || q.size+len(p)+packetOverhead > min(gatheredBytes, c.config.WriteLimit)) {
		c.send()
	}
	if c.ended.Load() {
		return ErrClosed
	}
	l := c.loop
	if c.out == nil {
		c.out = l.packets.getQueue()
		l.packets.markDirty(c)
	}
	q := c.out
	if !q.empty() && q.size+len(p)+packetOverhead > c.config.WriteLimit || len(c.errs) >= maxErrors {
		c.pressed = true
		l.packets.markDirty(c)
		return ErrPacketQueueFull
	}
	packet.Data, packet.Segment = q.keep(p), !c.isUnix()
	q.packets = append(q.packets, packet)
	if q.size += len(p) + packetOverhead; q.size > c.config.WriteLimit/2 && (c.blocked || c.retrying) && !c.paused {
		c.pressed = true
		l.packets.markDirty(c)
	}
	return nil
}

// tooLarge reports whether p is more than UDP can hold.
func (c *PacketConn) tooLarge(p []byte, to PacketAddr) bool {
	return len(p) > maxUDP4 && !c.isUnix() && (to.AddrPort.Addr().Unmap().Is4() || len(p) > maxUDP6)
}

// keep copies p.
func (q *packetQueue) keep(p []byte) []byte {
	at := len(q.data)
	if at+len(p) > cap(q.data) {
		q.data = make([]byte, 0, max(2*cap(q.data), len(p), 4<<10))
		at = 0
	}
	q.data = append(q.data, p...)
	return q.data[at : at+len(p) : at+len(p)]
}

// took removes the first n datagrams.
func (q *packetQueue) took(n int) {
	for i := range q.packets[q.head : q.head+n] {
		p := &q.packets[q.head+i]
		q.size -= len(p.Data) + packetOverhead
		if p.Rights != nil {
			q.passed(p)
		}
		*p = sock.Packet{} // it may be the last that has an older q.data
	}
	if q.head += n; q.head > len(q.packets)/2 && q.head > keptPackets {
		k := copy(q.packets, q.packets[q.head:])
		clear(q.packets[k:])
		q.packets, q.head = q.packets[:k], 0
	}
}

func (q *packetQueue) empty() bool { return q.head == len(q.packets) }

func (p *packetLoop) getQueue() *packetQueue {
	if last := len(p.queues) - 1; last >= 0 {
		q := p.queues[last]
		p.queues[last], p.queues = nil, p.queues[:last]
		return q
	}
	return new(packetQueue)
}

func (p *packetLoop) putQueue(q *packetQueue) {
	if cap(q.packets) > keptPackets || cap(q.data) > keptBytes || len(p.queues) >= keptQueues {
		return
	}
	clear(q.packets)
	*q = packetQueue{packets: q.packets[:0], data: q.data[:0]}
	p.queues = append(p.queues, q)
}

// send gives the kernel what it takes. An error is about one datagram, and does not keep the others.
func (c *PacketConn) send() {
	q := c.out
	retried := false
	for !q.empty() {
		n, err := c.loop.poller.SendPackets(c.fd, c.loop.packets.batch(), q.packets[q.head:])
		if q.took(n); n > 0 {
			retried, c.delay = false, 0
		}
		switch {
		case err == nil:
		case err == syscall.EAGAIN: //nolint:errorlint // bare by the poller's contract
			c.full()
			return
		case !retried && c.newsOfOthers(err):
			retried = true
			c.tell(c.opError("read", PacketAddr{}, err))
		default:
			c.tell(c.opError("write", c.destination(&q.packets[q.head]), err))
			q.took(1)
			retried = false
		}
	}
	c.out = nil
	c.loop.packets.putQueue(q)
}

// newsOfOthers reports whether an error may be one that has waited at the socket, about what was sent before: a
// connected UDP socket says so in place of sending, and sends when it is asked again.
func (c *PacketConn) newsOfOthers(err error) bool {
	return c.remote.IsValid() && !c.isUnix() &&
		(errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH))
}

// destination is where a queued datagram goes.
func (c *PacketConn) destination(p *sock.Packet) PacketAddr {
	if c.remote.IsValid() {
		return c.remote
	}
	a := PacketAddr{Name: p.Name}
	if p.Addr.IsValid() {
		a.AddrPort = netip.AddrPortFrom(p.Addr.Addr().Unmap(), p.Addr.Port())
	}
	return a
}

// full is called when the kernel has no room for the first datagram. A Unix socket that is not connected is writable whatever room the one has that
// is sent to, and a BSD's interface does not say when its queue is shorter again: then it is tried again after a while. Until
// then others get what is theirs: of the datagrams, those to a name that has no room wait, in their order.
func (c *PacketConn) full() {
	if !c.isUnix() || c.remote.IsValid() {
		c.blocked = true
		return
	}
	q := c.out
	full := map[string]bool{}
	kept := q.head
	for i := q.head; i < len(q.packets); i++ {
		p := q.packets[i]
		if !full[p.Name] {
			_, err := c.loop.poller.SendPackets(c.fd, c.loop.packets.batch(), q.packets[i:i+1])
			if err == syscall.EAGAIN { //nolint:errorlint // bare by the poller's contract
				full[p.Name] = true
			} else {
				if err != nil {
					c.tell(c.opError("write", c.destination(&p), err))
				}
				q.size -= len(p.Data) + packetOverhead
				if p.Rights != nil {
					q.passed(&p)
				}
				c.delay = 0
				continue
			}
		}
		q.packets[kept] = p
		kept++
	}
	clear(q.packets[kept:])
	if q.packets = q.packets[:kept]; q.empty() {
		c.out = nil
		c.loop.packets.putQueue(q)
		return
	}
	c.delay = min(max(2*c.delay, minPacketRetry), maxPacketRetry)
	c.retrying = true
	c.loop.After(c.delay, func() {
		c.retrying = false
		c.loop.packets.markDirty(c)
	})
}

// pressure tells the protocol to pause, or to go on.
func (c *PacketConn) pressure() {
	size, files := 0, 0
	if c.out != nil {
		size, files = c.out.size, c.out.passing
	}
	switch {
	case c.pressed && !c.paused:
		c.pressed, c.paused, c.again = false, true, true // it may be over by now
		if p, ok := c.proto.(PacketWritePauser); ok {
			p.PauseWriting(c)
		}
	case c.paused && size <= c.config.WriteLimit/8 && files <= maxQueuedFiles/8:
		c.paused, c.pressed = false, false
		if p, ok := c.proto.(PacketWritePauser); ok && !c.closing {
			p.ResumeWriting(c)
			c.again = c.again || c.out != nil || c.closing
		}
	}
}

// Buffered is how much of what was written the kernel has not taken yet, as PacketConfig.WriteLimit counts it: in bytes, and 64 more for each
// datagram.
func (c *PacketConn) Buffered() int {
	c.own("PacketConn.Buffered", "PacketHandle.Do")
	if c.out == nil {
		return 0
	}
	return c.out.size
}
