package rondo

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
)

// PacketConn is a datagram socket, as its protocol sees it. Only code that runs on its loop may use it; everybody else has its
// [PacketHandle]. It counts among Engine.Conns, and a Shutdown waits for it.
type PacketConn struct {
	loop    *Loop
	proto   PacketProtocol
	config  PacketConfig // without zeros
	network string
	remote  PacketAddr // of a connected socket
	token   token
	fd      int
	isV6    bool // an IPv6 socket: IPv4 addresses go to it in their IPv6 form
	local   PacketAddr
	file    socketFile // that a Unix socket has bound

	listener *PacketListener // to be told when the socket is closed; nil for one that was dialed

	out   *packetQueue  // what was written and is not sent; nil if nothing
	errs  []error       // to be told to the protocol
	timer Timer         // while closing, until it is given up
	delay time.Duration // until a Unix socket that has no room is tried again

	dirty      bool // in packetLoop.dirty
	queued     bool // in Loop.queue
	blocked    bool // the kernel has no room: wait until writable
	retrying   bool // likewise, but there is no telling when: wait for timer
	readPaused bool
	pressed    bool // the protocol is to be told to pause
	paused     bool // and has been
	closing    bool
	closeTimed bool
	draining   bool
	again      bool // settle has more to do soon
	want       poller.Interest

	ended   atomic.Bool  // the descriptor is closed
	waiting atomic.Int64 // bytes that handles have posted and the loop has not taken
}

// adopt has the loop look after the socket and tells the protocol. An error closes it.
func (c *PacketConn) adopt() error {
	l := c.loop
	if l.drained || l.stopped {
		c.discard()
		return ErrEngineClosed
	}
	c.token = l.watchers.put(c)
	c.want = poller.Read
	if err := l.poller.Add(c.fd, uint64(c.token), c.want); err != nil {
		l.watchers.remove(c.token)
		c.discard()
		return err
	}
	return nil
}

// discard closes a socket of which no protocol was told.
func (c *PacketConn) discard() {
	c.ended.Store(true)
	c.file.remove(c.loop.engine)
	_ = c.loop.poller.Close(c.fd)
	c.left()
	c.loop.load.Add(-1)
	c.loop.engine.release()
}

// begin tells the protocol that the socket stands.
func (c *PacketConn) begin() { c.call(func() { c.proto.Opened(c) }) }

// call runs fn as a callback of the socket's, perhaps within one of another.
func (c *PacketConn) call(fn func()) {
	p := &c.loop.packets
	conn, before := c.loop.current, p.current
	c.loop.current, p.current = nil, c
	fn()
	c.settle()
	c.loop.current, p.current = conn, before
}

func (c *PacketConn) own(called, instead string) { c.loop.mustOwn(called, instead) }

// Loop returns the loop that the socket belongs to. Any goroutine may call it.
func (c *PacketConn) Loop() *Loop { return c.loop }

// Handle returns what other goroutines use in the socket's stead. Any goroutine may call it.
func (c *PacketConn) Handle() PacketHandle { return PacketHandle{c} }

// Protocol returns the socket's protocol.
func (c *PacketConn) Protocol() PacketProtocol {
	c.own("PacketConn.Protocol", "PacketHandle.Do")
	return c.proto
}

// SetProtocol replaces the socket's protocol, which is not told; Opened of the new one is not called either. What was told to the old one, that it
// is to pause writing, that the engine shuts down, does not bind the new one: it is told too. It panics if p is nil.
func (c *PacketConn) SetProtocol(p PacketProtocol) {
	c.own("PacketConn.SetProtocol", "PacketHandle.Do")
	if p == nil {
		panic("rondo: PacketConn.SetProtocol needs a protocol")
	}
	c.proto = p
	if c.paused {
		c.paused, c.pressed = false, true
		c.loop.packets.markDirty(c)
	}
	if c.loop.drained && c.draining && !c.ended.Load() {
		c.draining = false
		c.loop.queue = append(c.loop.queue, runFunc(c.drain))
	}
}

// LocalAddr is the socket's own address, also after it was closed, with the port or name that was chosen. Any goroutine may call it.
func (c *PacketConn) LocalAddr() PacketAddr { return c.local }

// RemoteAddr is where a connected socket sends to; the zero PacketAddr if it is not connected. Any goroutine may call it.
func (c *PacketConn) RemoteAddr() PacketAddr { return c.remote }

// Network is the name of the network, as it was given. Any goroutine may call it.
func (c *PacketConn) Network() string { return c.network }

func (c *PacketConn) isUnix() bool { return c.network == "unixgram" }

// ready implements watcher.
func (c *PacketConn) ready(r poller.Ready) {
	p := &c.loop.packets
	p.current = c
	if r&poller.Readable != 0 && !c.readPaused && !c.closing {
		c.receive()
	}
	if r&poller.Writable != 0 {
		c.blocked = false
	}
	if r&poller.Failed != 0 && !c.ended.Load() && c.want == 0 {
		if err := c.loop.poller.SocketError(c.fd); err != nil {
			c.tell(c.opError("read", PacketAddr{}, err))
		}
	}
	c.settle()
	p.current = nil
}

// run implements runnable: it is what soon has asked for.
func (c *PacketConn) run(l *Loop) {
	c.queued = false
	l.packets.current = c
	c.settle()
	l.packets.current = nil
}

// soon has the socket settled when the loop has seen to others.
func (c *PacketConn) soon() {
	if !c.queued {
		c.queued = true
		c.loop.queue = append(c.loop.queue, c)
	}
}

// settle follows every callback, and readiness to write: it sends what was written, tells the protocol what has come of it, and
// carries out a Close.
func (c *PacketConn) settle() {
	if c.ended.Load() {
		return
	}
	if c.out != nil && !c.blocked && !c.retrying {
		c.send()
	}
	c.tellErrors()
	if c.ended.Load() {
		return
	}
	if c.closing {
		if c.out == nil {
			c.end(nil)
			return
		}
		c.timeClose()
	}
	c.watch()
	c.pressure()
	if c.again {
		c.again = false
		c.soon()
	}
}

// watch tells the poller what the socket waits for, if that has changed.
func (c *PacketConn) watch() {
	var want poller.Interest
	if !c.readPaused && !c.closing {
		want |= poller.Read
	}
	if c.blocked {
		want |= poller.Write
	}
	if want == c.want || c.ended.Load() {
		return
	}
	c.want = want
	if err := c.loop.poller.Modify(c.fd, uint64(c.token), want); err != nil {
		c.end(c.opError("watch", PacketAddr{}, err))
	}
}

// opError says which network and addresses an error of the network is about.
func (c *PacketConn) opError(op string, to PacketAddr, err error) error {
	call := op
	switch op {
	case "read":
		call = "recvmsg"
	case "write":
		call = "sendmsg"
	}
	e := &net.OpError{Op: op, Net: c.network, Source: c.local.NetAddr(), Err: syscallError(call, err)}
	if to == (PacketAddr{}) {
		to = c.remote
	}
	if to.IsValid() {
		e.Addr = to.NetAddr()
	}
	return e
}

// address is where a datagram for a is sent from this socket, as the kernel wants it.
func (c *PacketConn) address(a PacketAddr) (netip.AddrPort, error) {
	if c.isUnix() {
		if a.Name == "" {
			return netip.AddrPort{}, errWrongKind
		}
		return netip.AddrPort{}, nil
	}
	ip := a.AddrPort.Addr()
	switch {
	case !ip.IsValid():
		return netip.AddrPort{}, errWrongKind
	case !c.isV6:
		if ip = ip.Unmap(); !ip.Is4() {
			return netip.AddrPort{}, errWrongKind
		}
		return netip.AddrPortFrom(ip, a.AddrPort.Port()), nil
	case ip.Is4():
		return netip.AddrPortFrom(netip.AddrFrom16(ip.As16()), a.AddrPort.Port()), nil
	}
	return a.AddrPort, nil
}
