package rondo

import (
	"errors"
	"net"
	"net/netip"

	"github.com/rondo-go/rondo/internal/sock"
)

// Packet is a datagram that has come.
type Packet struct {
	// Data is what it holds, perhaps nothing. It is the loop's, valid until the call returns: copy what must be kept.
	Data []byte

	// From is where it has come from, and where an answer goes to.
	From PacketAddr

	// Truncated says that it was longer than PacketConfig.MaxPacket: Data is its beginning, and the rest is lost.
	Truncated bool
}

// PacketAddr is the address of a datagram socket: of UDP or of a Unix socket. It is a value: it can be compared, be a key of a map and be
// kept, and costs no allocation. The zero PacketAddr is that of a Unix socket that has no name, which cannot be answered.
type PacketAddr struct {
	AddrPort netip.AddrPort // in UDP. IPv4 is never in its IPv6 form here, as it is not in package net's
	Name     string         // of a Unix socket: a path, or "@" and an abstract name
}

// PacketAddrOf is the address that a *net.UDPAddr or a *net.UnixAddr stands for, or the zero PacketAddr for anything else.
func PacketAddrOf(a net.Addr) PacketAddr {
	switch a := a.(type) {
	case *net.UDPAddr:
		ap := a.AddrPort()
		return PacketAddr{AddrPort: netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
	case *net.UnixAddr:
		return PacketAddr{Name: a.Name}
	}
	return PacketAddr{}
}

// IsValid reports whether there is an address that datagrams can be sent to.
func (a PacketAddr) IsValid() bool { return a.Name != "" || a.AddrPort.IsValid() }

// String is the address as package net writes it.
func (a PacketAddr) String() string {
	if a.AddrPort.IsValid() {
		return a.AddrPort.String()
	}
	return a.Name
}

// NetAddr is the address as package net has it: a *net.UDPAddr or a *net.UnixAddr.
func (a PacketAddr) NetAddr() net.Addr {
	if a.AddrPort.IsValid() {
		return net.UDPAddrFromAddrPort(a.AddrPort)
	}
	return &net.UnixAddr{Name: a.Name, Net: "unixgram"}
}

// PacketProtocol is what hears of a datagram socket. Its methods are called on the socket's loop, one at a time, and must
// not block: what blocks goes through [Run]. One that panics ends its socket, and nothing else.
//
// Opened comes first and once, Closed last and once, always; a protocol that has been told of the one is told of the other.
type PacketProtocol interface {
	// Opened says that the socket has its address.
	Opened(c *PacketConn)

	// PacketReceived gets each datagram. What it sends is gathered with what it sends for the others that have come with
	// it, and goes out when the last of them was received.
	PacketReceived(c *PacketConn, p Packet)

	// Closed says that the socket is no more. The reason is
	//
	//   - nil: it was closed here, and the kernel has taken all that was written;
	//   - ErrAborted, ErrEngineClosed, *PanicError: see there;
	//   - *net.OpError: the socket has become useless, or os.ErrDeadlineExceeded, the network has not taken for Config.CloseTimeout what was
	//     written before it was closed.
	Closed(c *PacketConn, err error)
}

// PacketErrorReceiver is implemented by protocols that want to know what the network says of single datagrams. The error is
// a *net.OpError. Its Op is "write" for a datagram that could not be sent and is lost, to the Addr in it: syscall.EMSGSIZE,
// EPERM (a firewall's), ENETUNREACH, and ECONNREFUSED or ENOENT of a Unix socket that nobody has open. It is "read" for news that has come of earlier ones, as a rule
// ECONNREFUSED, which says that nobody has the port that they were sent to; only sockets of [Engine.DialPacket] get these. The
// socket goes on after each. For a protocol without the method they are dropped, as the network drops datagrams.
type PacketErrorReceiver interface {
	ErrorReceived(c *PacketConn, err error)
}

// PacketWritePauser is implemented by protocols that send much. PauseWriting is called, never from within a call to the PacketConn, when more than half of
// PacketConfig.WriteLimit waits to be sent, or a datagram was refused because of it; ResumeWriting when no more than an eighth is left.
type PacketWritePauser interface {
	PauseWriting(c *PacketConn)
	ResumeWriting(c *PacketConn)
}

// PacketDrainer is implemented by protocols that have work to finish when the engine shuts down. Drain is called once; the
// protocol then closes the socket when it is done, and has until the context of Shutdown ends. For a protocol without it, datagrams that
// the kernel has are still delivered (1,024 at the most), what was written is sent, and the socket is closed. Engine.Close gives no time, and calls no Drain.
type PacketDrainer interface {
	Drain(c *PacketConn)
}

// Errors of datagrams that a caller may want to tell apart. Compare with [errors.Is].
var (
	// ErrPacketQueueFull is returned for a datagram that was not sent, because as many wait to be as PacketConfig.WriteLimit allows.
	ErrPacketQueueFull = errors.New("rondo: the datagram was refused: as much waits to be sent as PacketConfig.WriteLimit allows; send again after ResumeWriting")

	errNoDestination = errors.New("the socket is not connected: use WriteTo, or DialPacket for one that is")
	errConnected     = errors.New("the socket is connected: use Write, which sends to its peer")
	errWrongKind     = errors.New("the address is not of the socket's network")
)

// packetLoop is what a loop keeps for its datagram sockets.
type packetLoop struct {
	current *PacketConn   // whose callback is running: it is settled when that returns
	dirty   []*PacketConn // to be settled at the end of the turn
	buffer  *sock.PacketBuffer
	queues  []*packetQueue // empty ones, to be used again
}

// batch is where datagrams are received: one buffer for all sockets of the loop, made for the first.
func (p *packetLoop) batch() *sock.PacketBuffer {
	if p.buffer == nil {
		p.buffer = new(sock.PacketBuffer)
	}
	return p.buffer
}

// markDirty has the socket settled at the end of the turn, unless that happens anyway because it is its callback that runs.
func (p *packetLoop) markDirty(c *PacketConn) {
	if p.current != c && !c.dirty {
		c.dirty = true
		p.dirty = append(p.dirty, c)
	}
}

// flush settles the sockets that were written to outside of their own callbacks.
func (p *packetLoop) flush() {
	for len(p.dirty) > 0 {
		last := len(p.dirty) - 1
		c := p.dirty[last]
		p.dirty[last] = nil
		p.dirty = p.dirty[:last]
		c.dirty = false
		p.current = c
		c.settle()
		p.current = nil
	}
}
