package rondo

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// What a net.PacketConn holds of what has come and was not read: then the loop stops receiving, and the kernel drops what its own buffer
	// has no room for, as it does with package net. Each datagram counts for packetOverhead bytes more.
	netPacketIn = 256 << 10

	// And of what was written and the loop has not taken: then WriteTo waits.
	netPacketOut = 256 << 10
)

// NetPacketConn makes c a net.PacketConn, for libraries that want one: DNS, QUIC and others. It replaces the protocol; from then on the
// net.PacketConn alone has the socket, and any goroutine may use it, several at a time, as the interface says. Its goroutines block, the loop does not. Only
// on c's loop; for sockets that are to be so from the start there are [Engine.ListenNetPacket] and [Engine.DialNetPacket].
//
// It is a net.Conn too, of a connected socket, and has the methods ReadFromUDPAddrPort, WriteToUDPAddrPort, SetReadBuffer and SetWriteBuffer of a net.UDPConn. Writing
// returns when the datagram is on its way to the loop, so what the network says of it (syscall.ECONNREFUSED, ENETUNREACH) shows in a later call, as it always does with
// package net's connected sockets. A datagram that is longer than what is read into is cut off. Close sends what was written. While the engine shuts down the socket stays open until it
// is closed or the time is up.
func NetPacketConn(c *PacketConn) net.PacketConn {
	n := newNetPacketConn(c.loop.engine)
	c.SetProtocol(n)
	n.begin(c)
	c.ResumeReading()
	if c.ended.Load() {
		n.dead = ErrClosed
	}
	return n
}

// netPacketConn is a protocol that keeps what it hears for goroutines that read.
type netPacketConn struct {
	conn    *PacketConn // fixed once it stands
	paused  bool        // the loop has enough to write; the loop's
	closing bool        // Close has bytes to wait for; likewise

	mu      sync.Mutex
	changed cond
	in      packetInbox
	full    bool // reading is paused
	out     []netPacket
	outSize int
	spare   []netPacket // what out was before
	posted  bool        // the loop has been asked to come
	closed  bool        // Close was called
	failed  error       // what the network has said, for the next call
	dead    error       // why the socket is closed
	read    deadline
	write   deadline
}

// netPacket is a datagram that waits.
type netPacket struct {
	data []byte
	addr PacketAddr
}

// packetInbox is a queue of datagrams that keeps its memory.
type packetInbox struct {
	packets []netPacket
	head    int
	size    int
	free    [][]byte
}

// keptFree buffers of at most keptFreeSize bytes are kept for the next datagrams.
const keptFree, keptFreeSize = 64, 2 << 10

func (q *packetInbox) len() int { return len(q.packets) - q.head }

func (q *packetInbox) put(data []byte, from PacketAddr) {
	if q.head == len(q.packets) {
		q.packets, q.head = q.packets[:0], 0
	} else if q.head > 64 && q.head > len(q.packets)/2 {
		n := copy(q.packets, q.packets[q.head:])
		clear(q.packets[n:])
		q.packets, q.head = q.packets[:n], 0
	}
	var buf []byte
	if last := len(q.free) - 1; last >= 0 && len(data) <= keptFreeSize {
		buf, q.free = q.free[last], q.free[:last]
	}
	q.packets = append(q.packets, netPacket{append(buf, data...), from})
	q.size += len(data) + packetOverhead
}

func (q *packetInbox) take(p []byte) (n int, from PacketAddr) {
	d := &q.packets[q.head]
	q.head++
	n, from = copy(p, d.data), d.addr
	q.size -= len(d.data) + packetOverhead
	if cap(d.data) <= keptFreeSize && len(q.free) < keptFree {
		q.free = append(q.free, d.data[:0])
	}
	*d = netPacket{}
	return n, from
}

func newNetPacketConn(e *Engine) *netPacketConn {
	n := new(netPacketConn)
	n.changed.init(e, &n.mu)
	return n
}

// begin is when the socket stands.
func (n *netPacketConn) begin(c *PacketConn) {
	n.mu.Lock()
	n.conn = c
	abandoned := n.closed
	n.mu.Unlock()
	if abandoned {
		_ = c.Close()
	}
}

// abandon closes a socket that may not stand yet.
func (n *netPacketConn) abandon() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if n.conn != nil {
		n.ask()
	}
}

// Opened implements PacketProtocol.
func (n *netPacketConn) Opened(c *PacketConn) { n.begin(c) }

// locker implements timed.
func (n *netPacketConn) locker() *sync.Mutex { return &n.mu }

// wake tells the goroutines that wait, and has the loop let them run.
func (n *netPacketConn) wake() {
	n.changed.broadcast()
	n.conn.loop.woke = true
}

// PacketReceived implements PacketProtocol.
func (n *netPacketConn) PacketReceived(c *PacketConn, p Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return
	}
	n.in.put(p.Data, p.From)
	if n.in.size >= netPacketIn && !n.full {
		n.full = true
		c.PauseReading()
	}
	n.wake()
}

// ErrorReceived implements PacketErrorReceiver. Of a socket that is not connected, an error is about a datagram to somebody, and the reader is
// not to be told that its socket is in trouble: package net does not either.
func (n *netPacketConn) ErrorReceived(c *PacketConn, err error) {
	if !c.remote.IsValid() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = err
	n.wake()
}

// Closed implements PacketProtocol.
func (n *netPacketConn) Closed(_ *PacketConn, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.dead = err; err == nil {
		n.dead = ErrClosed
	}
	n.read.timer.Stop()
	n.write.timer.Stop()
	n.wake()
}

// PauseWriting implements PacketWritePauser.
func (n *netPacketConn) PauseWriting(*PacketConn) { n.paused = true }

// ResumeWriting implements PacketWritePauser.
func (n *netPacketConn) ResumeWriting(c *PacketConn) {
	n.paused = false
	n.run(c.loop)
}

// Drain implements PacketDrainer: the socket is its user's to close.
func (n *netPacketConn) Drain(*PacketConn) {}

// ask has the loop come, with the lock held.
func (n *netPacketConn) ask() {
	if !n.posted && n.dead == nil {
		n.posted = true
		n.conn.loop.add(n)
	}
}

// run is the loop, come to do what goroutines have asked for.
func (n *netPacketConn) run(l *Loop) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.posted = false
	c := n.conn
	if n.dead != nil || c.ended.Load() {
		return
	}
	n.read.arm(n, l)
	n.write.arm(n, l)
	if n.full && n.in.size < netPacketIn/2 {
		n.full = false
		c.ResumeReading()
	}
	n.writeOut(c)
	switch {
	case !n.closed:
	case len(n.out) == 0:
		_ = c.Close()
	case !n.closing: // a network that takes nothing does not keep it for ever
		n.closing = true
		l.After(l.engine.config.CloseTimeout, c.Abort)
	}
}

// writeOut gives the socket what was written. What it refuses for want of room stays.
func (n *netPacketConn) writeOut(c *PacketConn) {
	done := 0
	for ; done < len(n.out) && !n.paused; done++ {
		p := &n.out[done]
		var err error
		if c.remote.IsValid() {
			err = c.Write(p.data)
		} else {
			err = c.WriteTo(p.data, p.addr)
		}
		if err == ErrPacketQueueFull { //nolint:errorlint // ours, never wrapped
			n.paused = true // until ResumeWriting
			break
		}
		n.outSize -= len(p.data) + packetOverhead
	}
	if done == 0 {
		return
	}
	rest := append(n.spare[:0], n.out[done:]...)
	clear(n.out)
	n.spare, n.out = n.out[:0], rest
	n.wake()
}

// ReadFrom implements net.PacketConn.
func (n *netPacketConn) ReadFrom(p []byte) (int, net.Addr, error) {
	k, from, err := n.receive(p)
	if err != nil {
		return 0, nil, err
	}
	return k, from.NetAddr(), nil
}

// Read implements net.Conn.
func (n *netPacketConn) Read(p []byte) (int, error) {
	k, _, err := n.receive(p)
	return k, err
}

// ReadFromUDPAddrPort is net.UDPConn's.
func (n *netPacketConn) ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error) {
	k, from, err := n.receive(p)
	return k, from.AddrPort, err
}

func (n *netPacketConn) receive(p []byte) (int, PacketAddr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case n.closed:
			return 0, PacketAddr{}, n.opError("read", n.conn.remote, net.ErrClosed)
		case n.read.expired:
			return 0, PacketAddr{}, n.opError("read", n.conn.remote, os.ErrDeadlineExceeded)
		case n.in.len() > 0:
			k, from := n.in.take(p)
			if n.full && n.in.size < netPacketIn/2 {
				n.ask()
			}
			return k, from, nil
		case n.failed != nil:
			err := n.failed
			n.failed = nil
			return 0, PacketAddr{}, n.opError("read", n.conn.remote, err)
		case n.dead != nil:
			return 0, PacketAddr{}, n.opError("read", n.conn.remote, n.dead)
		}
		n.changed.wait()
	}
}

// WriteTo implements net.PacketConn. Of net.Addrs it takes *net.UDPAddr and *net.UnixAddr.
func (n *netPacketConn) WriteTo(p []byte, addr net.Addr) (int, error) {
	to := PacketAddrOf(addr)
	if n.conn.remote.IsValid() {
		return 0, n.opError("write", to, net.ErrWriteToConnected)
	}
	return n.send(p, to)
}

// WriteToUDPAddrPort is net.UDPConn's.
func (n *netPacketConn) WriteToUDPAddrPort(p []byte, addr netip.AddrPort) (int, error) {
	to := PacketAddr{AddrPort: addr}
	if n.conn.remote.IsValid() {
		return 0, n.opError("write", to, net.ErrWriteToConnected)
	}
	return n.send(p, to)
}

// Write implements net.Conn.
func (n *netPacketConn) Write(p []byte) (int, error) {
	if !n.conn.remote.IsValid() {
		return 0, n.opError("write", PacketAddr{}, errNoDestination)
	}
	return n.send(p, n.conn.remote)
}

func (n *netPacketConn) send(p []byte, to PacketAddr) (int, error) {
	c := n.conn
	if _, err := c.address(to); err != nil {
		return 0, n.opError("write", to, err)
	}
	if c.tooLarge(p, to) {
		return 0, n.opError("write", to, syscall.EMSGSIZE)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case n.closed:
			return 0, n.opError("write", to, net.ErrClosed)
		case n.write.expired:
			return 0, n.opError("write", to, os.ErrDeadlineExceeded)
		case n.failed != nil:
			err := n.failed
			n.failed = nil
			return 0, n.opError("write", to, err)
		case n.dead != nil:
			return 0, n.opError("write", to, n.dead)
		case len(n.out) == 0 || n.outSize+len(p)+packetOverhead <= netPacketOut:
			n.out = append(n.out, netPacket{append([]byte(nil), p...), to})
			n.outSize += len(p) + packetOverhead
			n.ask()
			return len(p), nil
		}
		n.changed.wait()
	}
}

// Close implements net.PacketConn.
func (n *netPacketConn) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return n.opError("close", n.conn.remote, net.ErrClosed)
	}
	n.closed = true
	n.in = packetInbox{}
	n.changed.broadcast()
	n.ask()
	return nil
}

// LocalAddr implements net.PacketConn.
func (n *netPacketConn) LocalAddr() net.Addr { return n.conn.local.NetAddr() }

// RemoteAddr implements net.Conn: it is nil if the socket is not connected.
func (n *netPacketConn) RemoteAddr() net.Addr {
	if !n.conn.remote.IsValid() {
		return nil
	}
	return n.conn.remote.NetAddr()
}

// SetDeadline implements net.PacketConn.
func (n *netPacketConn) SetDeadline(t time.Time) error { return n.setDeadlines(t, &n.read, &n.write) }

// SetReadDeadline implements net.PacketConn.
func (n *netPacketConn) SetReadDeadline(t time.Time) error { return n.setDeadlines(t, &n.read) }

// SetWriteDeadline implements net.PacketConn.
func (n *netPacketConn) SetWriteDeadline(t time.Time) error { return n.setDeadlines(t, &n.write) }

func (n *netPacketConn) setDeadlines(t time.Time, ds ...*deadline) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return n.opError("set", n.conn.remote, net.ErrClosed)
	}
	l := n.conn.loop
	l.engine.world.Deadline(t)
	for _, d := range ds {
		d.set(t, l)
		if d.at != 0 && (d.armed == 0 || d.armed > d.at) {
			n.ask()
		}
	}
	n.changed.broadcast()
	return nil
}

// SetReadBuffer is net.UDPConn's. It does not wait: what the system says goes to nobody.
func (n *netPacketConn) SetReadBuffer(bytes int) error {
	return n.do(func(c *PacketConn) { _ = c.SetReadBuffer(bytes) })
}

// SetWriteBuffer is net.UDPConn's, likewise.
func (n *netPacketConn) SetWriteBuffer(bytes int) error {
	return n.do(func(c *PacketConn) { _ = c.SetWriteBuffer(bytes) })
}

func (n *netPacketConn) do(fn func(c *PacketConn)) error {
	if !n.conn.Handle().Do(fn) {
		return n.opError("set", n.conn.remote, net.ErrClosed)
	}
	return nil
}

func (n *netPacketConn) opError(op string, to PacketAddr, err error) error {
	if inner, ok := err.(*net.OpError); ok { //nolint:errorlint // only to not wrap twice
		err = inner.Err
	}
	e := &net.OpError{Op: op, Net: n.conn.network, Source: n.conn.local.NetAddr(), Err: err}
	if to.IsValid() {
		e.Addr = to.NetAddr()
	}
	return e
}

// ListenNetPacket is net.ListenPacket on the engine: see [Engine.ListenPacket] for networks and addresses, and [NetPacketConn] for the socket. It blocks: do not
// call it on a loop.
func (e *Engine) ListenNetPacket(network, address string) (net.PacketConn, error) {
	return PacketConfig{}.ListenNet(e, network, address)
}

// ListenNet is [Engine.ListenNetPacket] with this configuration, of which ReusePort must not be set: the sockets would be several.
func (cfg PacketConfig) ListenNet(e *Engine, network, address string) (net.PacketConn, error) {
	if cfg.ReusePort {
		return nil, &net.OpError{Op: "listen", Net: network, Err: errOneSocket}
	}
	n := newNetPacketConn(e)
	if _, err := cfg.Listen(e, network, address, func() PacketProtocol { return n }); err != nil {
		return nil, err
	}
	return n, nil
}

// DialNetPacket opens a connected datagram socket and returns it as a net.Conn, which is a net.PacketConn too: see [Engine.DialPacket] and [NetPacketConn]. It
// blocks, since names may have to be looked up: do not call it on a loop.
func (e *Engine) DialNetPacket(ctx context.Context, network, address string) (net.Conn, error) {
	n := newNetPacketConn(e)
	dial := e.DialPacket(ctx, network, address, n)
	if _, err := dial.Wait(ctx); err != nil {
		dial.loop.Post(dial.Ignore)           // who has ended ctx knows why it will fail
		n.abandon()                           // it may have been opened in the same moment
		if _, ok := err.(*net.OpError); !ok { //nolint:errorlint // only to not wrap twice
			err = &net.OpError{Op: "dial", Net: network, Addr: name(address), Err: err}
		}
		return nil, err
	}
	return n, nil
}
