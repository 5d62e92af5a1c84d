//go:build unix

package sock

import (
	"net"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// OpenPacket opens a non-blocking datagram socket. Port 0 takes a free one; LocalAddr tells which. A Unix socket whose local name is empty
// is given a free abstract one on Linux, and elsewhere has none, as one without a local address has none anywhere.
func OpenPacket(o PacketOptions) (fd int, err error) {
	of := o.Local
	if o.Remote != nil {
		of = o.Remote
	}
	family, sa, err := packetAddr(of)
	if err != nil {
		return -1, err
	}
	dual := o.Remote == nil && family == unix.AF_INET6 && isAnyPacket(of) && !o.OnlyIPv6
	if dual && !haveIPv6() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: sa.(*unix.SockaddrInet6).Port}
	}
	if fd, err = packetSocket(family); err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	defer func(opened int) { // fd itself is -1 by then
		if err != nil {
			unix.Close(opened)
		}
	}(fd)
	if err := preparePacket(fd, family, dual, o); err != nil {
		return -1, err
	}
	if o.Local != nil {
		if o.Remote != nil {
			var local int
			if local, sa, err = packetAddr(o.Local); err != nil {
				return -1, err
			}
			if family == unix.AF_INET && local != family && isAnyPacket(o.Local) {
				local, sa = family, &unix.SockaddrInet4{Port: o.Local.(*net.UDPAddr).Port} // a port only
			}
			if local != family {
				return -1, &net.AddrError{Err: "local and remote address are of different families", Addr: o.Local.String()}
			}
		}
		if a, ok := sa.(*unix.SockaddrUnix); ok && a.Name == "" {
			err = autobind(fd)
		} else {
			err = unix.Bind(fd, sa)
		}
		if err != nil {
			return -1, os.NewSyscallError("bind", err)
		}
	}
	if o.Remote != nil {
		_, sa, _ = packetAddr(o.Remote)
		if err := unix.Connect(fd, sa); err != nil {
			return -1, os.NewSyscallError("connect", err)
		}
	}
	return fd, nil
}

// preparePacket sets what must be set before a socket has its address.
func preparePacket(fd, family int, dual bool, o PacketOptions) error {
	if family == unix.AF_UNIX {
		if o.Credentials { // before it has its address: what is sent sooner has none
			return passCredentials(fd)
		}
		return nil
	}
	if o.ReusePort {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if o.ReuseAddr {
		if err := reuseAddr(fd); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if family == unix.AF_INET6 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, btoi(!dual))
	}
	return nil
}

// packetAddr is sockaddr for datagrams.
func packetAddr(addr net.Addr) (family int, sa unix.Sockaddr, err error) {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return sockaddr(&net.TCPAddr{IP: a.IP, Port: a.Port, Zone: a.Zone})
	case *net.UnixAddr:
		return sockaddr(a)
	}
	return 0, nil, ErrPacketNetwork
}

func isAnyPacket(addr net.Addr) bool {
	a, ok := addr.(*net.UDPAddr)
	return ok && isWildcard(&net.TCPAddr{IP: a.IP})
}

// PacketAddrs are the addresses of a datagram socket; the remote one is nil if it is not connected.
func PacketAddrs(fd int) (local, remote net.Addr) {
	if sa, err := unix.Getsockname(fd); err == nil {
		local = packetNetAddr(sa)
	}
	if sa, err := unix.Getpeername(fd); err == nil {
		remote = packetNetAddr(sa)
	}
	return local, remote
}

func packetNetAddr(sa unix.Sockaddr) net.Addr {
	switch a := netAddr(sa).(type) {
	case *net.TCPAddr:
		return net.UDPAddrFromAddrPort(a.AddrPort())
	case *net.UnixAddr:
		return &net.UnixAddr{Name: a.Name, Net: "unixgram"}
	}
	return nil
}

// SetPacketOption changes a setting. Those of IP are set for both families on a socket that serves both, and are refused with EOPNOTSUPP
// on a Unix socket.
func SetPacketOption(fd int, o PacketOption, value int) error {
	switch o {
	case Broadcast:
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, value)
	case ReceiveBuffer:
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, value)
	case SendBuffer:
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, value)
	}
	v4, v6, err := families(fd)
	if err != nil {
		return err
	}
	if v6 {
		err = setIPv6(fd, o, value)
	}
	if v4 && err == nil {
		err = setIPv4(fd, o, value)
		if v6 && o != MulticastInterface {
			err = nil // not all systems have IPv4's settings on an IPv6 socket
		}
	}
	return err
}

// families says which a socket serves.
func families(fd int) (v4, v6 bool, err error) {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return false, false, err
	}
	switch sa.(type) {
	case *unix.SockaddrInet4:
		return true, false, nil
	case *unix.SockaddrInet6:
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		return err == nil && only == 0, true, nil
	}
	return false, false, unix.EOPNOTSUPP
}

func setIPv6(fd int, o PacketOption, value int) error {
	name := map[PacketOption]int{
		TTL: unix.IPV6_UNICAST_HOPS, MulticastTTL: unix.IPV6_MULTICAST_HOPS,
		MulticastLoopback: unix.IPV6_MULTICAST_LOOP, MulticastInterface: unix.IPV6_MULTICAST_IF,
	}[o]
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, name, value)
}

func setIPv4(fd int, o PacketOption, value int) error {
	switch o {
	case MulticastInterface:
		return setMulticastInterface4(fd, value)
	case TTL:
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL, value)
	}
	name := map[PacketOption]int{MulticastTTL: unix.IP_MULTICAST_TTL, MulticastLoopback: unix.IP_MULTICAST_LOOP}[o]
	return unix.SetsockoptByte(fd, unix.IPPROTO_IP, name, byte(value)) // the BSDs take a byte only, Linux both
}

// SetGroup joins a multicast group on a network interface, or leaves it. The index 0 leaves the choice to the system.
func SetGroup(fd int, group netip.Addr, iface int, join bool) error {
	if !group.IsMulticast() {
		return &net.AddrError{Err: "not the address of a multicast group", Addr: group.String()}
	}
	v4, v6, err := families(fd)
	switch {
	case err != nil:
		return err
	case group.Is4() && v4:
		return setGroup4(fd, group.As4(), iface, join)
	case group.Is6() && v6:
		name := unix.IPV6_LEAVE_GROUP
		if join {
			name = unix.IPV6_JOIN_GROUP
		}
		return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, name, &unix.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(iface)})
	}
	return &net.AddrError{Err: "the group is of another family than the socket", Addr: group.String()}
}

// groupName is the option that joins a group of IPv4, or leaves it.
func groupName(join bool) int {
	if join {
		return unix.IP_ADD_MEMBERSHIP
	}
	return unix.IP_DROP_MEMBERSHIP
}

func (z *zones) name(id uint32) string {
	z.use()
	s, ok := z.names[id]
	if !ok {
		s = zoneName(id)
		z.names[id] = s
	}
	return s
}

func (z *zones) id(name string) uint32 {
	if name == "" {
		return 0
	}
	z.use()
	id, ok := z.ids[name]
	if !ok {
		id = zoneID(name)
		z.ids[name] = id
	}
	return id
}
