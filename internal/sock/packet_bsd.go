//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package sock

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

type packetHeaders struct{}

func (*packetHeaders) lay(*PacketBuffer) {}

// RecvPackets receives the datagrams that are there, as many as the buffer has room for, each of at most size bytes. They are the
// buffer's, valid until the next call. It returns EAGAIN when there is none. With another error, which has waited at the
// socket, there may be datagrams that have come before it.
//
// These systems have no call that they share for many at once, so there is one for each.
func RecvPackets(fd int, b *PacketBuffer, size int) ([]Packet, error) {
	n := 0
	for ask := b.Lay(size); n < ask; {
		p := &b.packets[n]
		room := b.Room(n)
		k, _, flags, from, err := unix.Recvmsg(fd, room, nil, 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN && n > 0:
			return b.Received(n), nil
		case err != nil:
			return b.Received(n), err
		}
		p.Data, p.Truncated = room[:k], flags&unix.MSG_TRUNC != 0
		b.decode(p, from)
		n++
	}
	return b.Received(n), nil
}

// decode is where a datagram has come from.
func (b *PacketBuffer) decode(p *Packet, from unix.Sockaddr) {
	p.Addr, p.Name = netip.AddrPort{}, ""
	switch a := from.(type) {
	case *unix.SockaddrInet4:
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.ZoneId != 0 && ip.Is6() {
			ip = ip.WithZone(b.zones.name(a.ZoneId))
		}
		p.Addr = netip.AddrPortFrom(ip, uint16(a.Port))
	case *unix.SockaddrUnix:
		p.Name = a.Name
	}
}

// SendPackets sends datagrams in their order and returns how many the kernel has taken, which may be fewer than there are. If that is
// none, the error is about the first of them: EAGAIN if there is no room for it now, or why it cannot be sent; it may also be one that has
// waited at a connected socket. One without an address goes to where the socket is connected. An IPv4 address goes to an IPv6 socket in
// its IPv6 form (::ffff:a.b.c.d).
func SendPackets(fd int, b *PacketBuffer, packets []Packet) (int, error) {
	for n := range packets {
		err := b.send(fd, &packets[n])
		for err == unix.EINTR {
			err = b.send(fd, &packets[n])
		}
		if err == unix.ENOBUFS && packets[n].Addr == (netip.AddrPort{}) && packets[n].Name != "" { // a Unix socket without room
			err = unix.EAGAIN
		}
		if err != nil && n == 0 {
			return 0, err
		}
		if err != nil { // it is the first of the next call, and fails there too unless it has waited at the socket
			return n, nil
		}
	}
	return len(packets), nil
}

func (b *PacketBuffer) send(fd int, p *Packet) error {
	var to unix.Sockaddr
	switch ip := p.Addr.Addr(); {
	case ip.Is4():
		to = &unix.SockaddrInet4{Addr: ip.As4(), Port: int(p.Addr.Port())}
	case ip.Is6():
		to = &unix.SockaddrInet6{Addr: ip.As16(), Port: int(p.Addr.Port()), ZoneId: b.zones.id(ip.Zone())}
	case p.Name != "":
		to = &unix.SockaddrUnix{Name: p.Name}
	}
	var control []byte
	if p.Rights != nil {
		control = p.Rights.control
	}
	if to == nil {
		_, err := unix.SendmsgN(fd, p.Data, control, nil, 0)
		return err
	}
	_, err := unix.SendmsgN(fd, p.Data, control, to, 0)
	return err
}

func packetSocket(family int) (int, error) {
	return open(func() (int, error) { return unix.Socket(family, unix.SOCK_DGRAM, 0) })
}

// autobind would give a Unix socket a free name, which only Linux does.
func autobind(int) error { return nil }
