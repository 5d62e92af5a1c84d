package rondo

import (
	"net"
	"net/netip"

	"github.com/rondo-go/rondo/internal/sock"
)

// JoinGroup has the socket receive what is sent to a multicast group on a network interface; nil leaves the choice of that to the operating system. The
// address is of the socket's family; a socket on all addresses serves both. Several sockets of a machine that want the same port need PacketConfig.ReuseAddr.
//
// A socket on a group's own address gets what is sent to that group only; one on all addresses gets, on Linux, also what
// other sockets of the machine have joined.
func (c *PacketConn) JoinGroup(group netip.Addr, on *net.Interface) error {
	c.own("PacketConn.JoinGroup", "PacketHandle.Do")
	return c.group(group, on, true)
}

// LeaveGroup undoes JoinGroup. Closing the socket does too.
func (c *PacketConn) LeaveGroup(group netip.Addr, on *net.Interface) error {
	c.own("PacketConn.LeaveGroup", "PacketHandle.Do")
	return c.group(group, on, false)
}

func (c *PacketConn) group(group netip.Addr, on *net.Interface, join bool) error {
	if c.ended.Load() {
		return ErrClosed
	}
	if err := c.loop.poller.SetGroup(c.fd, group.Unmap(), index(on), join); err != nil {
		return c.opError("set", PacketAddr{}, syscallError("setsockopt", err))
	}
	return nil
}

func index(on *net.Interface) int {
	if on == nil {
		return 0
	}
	return on.Index
}

func (c *PacketConn) option(called string, o sock.PacketOption, value int) error {
	c.own(called, "PacketHandle.Do")
	if c.ended.Load() {
		return ErrClosed
	}
	if err := c.loop.poller.SetPacketOption(c.fd, o, value); err != nil {
		return c.opError("set", PacketAddr{}, syscallError("setsockopt", err))
	}
	return nil
}

func flag(on bool) int {
	if on {
		return 1
	}
	return 0
}

// SetMulticastInterface chooses the network interface by which datagrams to groups leave; nil leaves it to the operating system.
func (c *PacketConn) SetMulticastInterface(on *net.Interface) error {
	return c.option("PacketConn.SetMulticastInterface", sock.MulticastInterface, index(on))
}

// SetMulticastTTL says how many hops datagrams to groups may make, from 0, which stays on this machine, to 255. The default is 1.
func (c *PacketConn) SetMulticastTTL(hops int) error {
	return c.option("PacketConn.SetMulticastTTL", sock.MulticastTTL, hops)
}

// SetMulticastLoopback says whether sockets of this machine receive what this one sends to their groups. By default they do.
func (c *PacketConn) SetMulticastLoopback(on bool) error {
	return c.option("PacketConn.SetMulticastLoopback", sock.MulticastLoopback, flag(on))
}

// SetTTL says how many hops the socket's datagrams may make, from 1 to 255: IPv4's time to live, IPv6's hop limit.
func (c *PacketConn) SetTTL(hops int) error { return c.option("PacketConn.SetTTL", sock.TTL, hops) }

// SetBroadcast says whether the socket may send to IPv4's broadcast addresses. By default it may not, and that is EACCES.
func (c *PacketConn) SetBroadcast(on bool) error {
	return c.option("PacketConn.SetBroadcast", sock.Broadcast, flag(on))
}

// SetReadBuffer sets how many bytes of datagrams the kernel keeps for the socket (SO_RCVBUF): it drops what has no room. Linux doubles it, for
// its bookkeeping, and has a limit (net.core.rmem_max).
func (c *PacketConn) SetReadBuffer(bytes int) error {
	return c.option("PacketConn.SetReadBuffer", sock.ReceiveBuffer, bytes)
}

// SetWriteBuffer sets how many bytes the kernel takes that are not on the network yet (SO_SNDBUF). It bounds the size of a Unix socket's datagrams.
func (c *PacketConn) SetWriteBuffer(bytes int) error {
	return c.option("PacketConn.SetWriteBuffer", sock.SendBuffer, bytes)
}
