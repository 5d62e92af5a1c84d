package sim

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// packetEnd is what a socket of datagrams has beside what sockets have.
type packetEnd struct {
	connected bool
	shared    bool // others may have its address
	inbox     []parcel
	held      int // what is in it counts for
	room      int // of it
	sending   int // bytes that have not left the machine, for want of bandwidth
	broadcast bool
	loopback  bool // what it sends to groups comes to its own host too
	stays     bool // and goes no further
	groups    []netip.Addr
}

// parcel is a datagram that has come.
type parcel struct {
	data []byte
	from netip.AddrPort
	name string
}

const (
	// What a datagram in an inbox counts for beside its bytes, as it does on Linux, more or less.
	parcelOverhead = 256

	// The longest that fits: UDP's over IPv4, and what a Unix socket's send buffer takes on Linux by default.
	maxUDP      = 65507
	maxUnixgram = 212960
)

var errOneInterface = errors.New("sim: a simulated host has one network interface: choose none")

// OpenPacket implements poller.Poller.
func (q *simPoller) OpenPacket(o sock.PacketOptions) (int, error) {
	p := q.p
	if p.gone { // deferred functions of a process that was killed
		return -1, syscall.EBADF
	}
	s := p.newSocket(udp, established)
	s.packet = &packetEnd{shared: o.ReusePort || o.ReuseAddr, room: receiveBuffer, loopback: true, connected: o.Remote != nil}
	if err := s.bindPacket(o); err != nil {
		return -1, err
	}
	if err := p.assign(s); err != nil {
		return -1, err
	}
	p.packets[s.door()] = append(p.packets[s.door()], s)
	q.w.log.add(p.name, "open", s.name)
	return s.fd, nil
}

// bindPacket gives s its addresses.
func (s *socket) bindPacket(o sock.PacketOptions) error {
	p := s.p
	switch remote := o.Remote.(type) {
	case *net.UnixAddr:
		s.network, s.far = unixgram, remote.Name
		if len(p.packets[door{path: remote.Name}]) == 0 {
			return syscall.ECONNREFUSED
		}
	case *net.UDPAddr:
		s.remote = s.destination(remote.AddrPort())
		if !s.remote.Addr().IsLoopback() && !s.remote.Addr().IsMulticast() && s.remote.Addr() != everybody && s.w.hostAt(s.remote.Addr()) == nil {
			return syscall.ENETUNREACH
		}
	}
	if a, ok := o.Local.(*net.UnixAddr); ok {
		s.network, s.path = unixgram, a.Name
		if a.Name == "" {
			s.path = p.autobind()
		}
	}
	if s.network == unixgram {
		if s.path != "" && len(p.packets[s.door()]) > 0 {
			return syscall.EADDRINUSE
		}
		s.name = s.path
		return nil
	}
	ip, port := netip.IPv4Unspecified(), uint16(0)
	if a, ok := o.Local.(*net.UDPAddr); ok && a != nil {
		port = uint16(a.Port)
		if local, ok := netip.AddrFromSlice(a.IP); ok && !local.IsUnspecified() {
			ip = local.Unmap()
		}
	}
	switch {
	case ip.IsUnspecified() && s.packet.connected:
		ip = s.source(s.remote)
	case ip.IsLoopback():
		ip = loopback
	case !ip.IsUnspecified() && !ip.IsMulticast() && ip != p.ip:
		return syscall.EADDRNOTAVAIL
	}
	if port == 0 {
		var err error
		if port, err = p.freePort(func(port uint16) bool { return len(p.packets[door{port: port}]) == 0 }); err != nil {
			return err
		}
	}
	for _, other := range p.packets[door{port: port}] {
		if at := other.local.Addr(); (ip.IsUnspecified() || at.IsUnspecified() || ip == at) && !(s.packet.shared && other.packet.shared) {
			return syscall.EADDRINUSE
		}
	}
	s.local = netip.AddrPortFrom(ip, port)
	s.name = p.name + ":" + portName(port)
	return nil
}

// destination is where a datagram for that address goes: to the host itself if it says nobody in particular.
func (s *socket) destination(to netip.AddrPort) netip.AddrPort {
	ip := to.Addr().Unmap()
	if !ip.IsValid() || ip.IsUnspecified() || ip.IsLoopback() {
		ip = loopback
	}
	return netip.AddrPortFrom(ip.WithZone(""), to.Port())
}

// source is the address that a datagram to that one comes from.
func (s *socket) source(to netip.AddrPort) netip.Addr {
	if ip := s.local.Addr(); ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() {
		return ip
	}
	if to.Addr().IsLoopback() {
		return loopback
	}
	return s.p.ip
}

// autobind is a free abstract name, as Linux chooses one.
func (p *hostWorld) autobind() string {
	for {
		p.autobound++
		if name := "@" + hex5(p.autobound); len(p.packets[door{path: name}]) == 0 {
			return name
		}
	}
}

func hex5(n int) string {
	const digits = "0123456789abcdef"
	b := [5]byte{}
	for i := range b {
		b[len(b)-1-i] = digits[n>>(4*i)&15]
	}
	return string(b[:])
}

// packetReady is what is to be reported of a socket of datagrams.
func (s *socket) packetReady() (r poller.Ready) {
	if s.want == 0 {
		if s.err != 0 && !s.failed {
			r = poller.Failed
		}
		return r
	}
	if s.want&poller.Read != 0 && (len(s.packet.inbox) > 0 || s.err != 0) {
		r |= poller.Readable
	}
	if s.want&poller.Write != 0 && (s.err != 0 || s.canSend()) {
		r |= poller.Writable
	}
	return r
}

// canSend reports whether there is room for a datagram: of a Unix socket that is connected, at its peer.
func (s *socket) canSend() bool {
	if s.network == unixgram && s.packet.connected {
		peer := s.p.unixPacket(s.far)
		return peer == nil || !peer.packet.full(0)
	}
	return s.packet.sending < sendBuffer
}

func (e *packetEnd) full(n int) bool { return len(e.inbox) > 0 && e.held+n+parcelOverhead > e.room }

// closePacket is what becomes of a socket of datagrams when its descriptor is closed, or its process ends.
func (s *socket) closePacket() {
	s.leave()
	s.fd, s.state, s.dead = 0, closed, true
	s.packet.inbox, s.packet.groups = nil, nil
	d := s.door()
	all := slices.DeleteFunc(s.p.packets[d], func(other *socket) bool { return other == s })
	if s.p.packets[d] = all; len(all) == 0 {
		delete(s.p.packets, d)
	}
	s.p.roomAt(s.path)
}

// RecvPackets implements poller.Poller.
func (q *simPoller) RecvPackets(fd int, b *sock.PacketBuffer, size int) ([]sock.Packet, error) {
	s := q.packetSocket(fd)
	switch {
	case s == nil:
		return nil, syscall.EBADF
	case s.err != 0:
		return nil, s.takeError()
	case len(s.packet.inbox) == 0:
		return nil, syscall.EAGAIN
	}
	e := s.packet
	n := q.w.cut(min(len(e.inbox), sock.MaxBatch))
	for i := range n {
		got, p := e.inbox[i], b.Packet(i)
		*p = sock.Packet{Data: got.data, Addr: got.from, Name: got.name, Truncated: len(got.data) > size}
		p.Data = p.Data[:min(len(p.Data), size):min(len(p.Data), size)]
		e.held -= len(got.data) + parcelOverhead
	}
	e.inbox = slices.Delete(e.inbox, 0, n)
	if s.network == unixgram {
		s.p.roomAt(s.path)
	}
	return b.Received(n), nil
}

// roomAt has those look who are connected to a Unix socket: it has room again, or is no more.
func (p *hostWorld) roomAt(path string) {
	if path == "" {
		return
	}
	for _, s := range p.table {
		if s != nil && s.network == unixgram && s.far == path {
			s.changed()
		}
	}
}

func (p *hostWorld) unixPacket(path string) *socket {
	if all := p.packets[door{path: path}]; path != "" && len(all) > 0 {
		return all[0]
	}
	return nil
}

func (q *simPoller) packetSocket(fd int) *socket {
	if s := q.p.socket(fd); s != nil && s.packet != nil {
		return s
	}
	return nil
}

// PacketAddrs implements poller.Poller.
func (q *simPoller) PacketAddrs(fd int) (local, remote net.Addr) {
	s := q.packetSocket(fd)
	switch {
	case s == nil:
		return nil, nil
	case s.network == unixgram:
		local = &net.UnixAddr{Name: s.path, Net: "unixgram"}
		if s.packet.connected {
			remote = &net.UnixAddr{Name: s.far, Net: "unixgram"}
		}
		return local, remote
	case s.packet.connected:
		remote = net.UDPAddrFromAddrPort(s.remote)
	}
	return net.UDPAddrFromAddrPort(s.local), remote
}

// SetPacketOption implements poller.Poller.
func (q *simPoller) SetPacketOption(fd int, o sock.PacketOption, value int) error {
	s := q.packetSocket(fd)
	if s == nil {
		return syscall.EBADF
	}
	switch o {
	case sock.ReceiveBuffer:
		s.packet.room = max(2*value, 2304) // as Linux does
		return nil
	case sock.SendBuffer:
		return nil
	case sock.Broadcast:
		s.packet.broadcast = value != 0
		return nil
	}
	switch {
	case s.network == unixgram:
		return syscall.EOPNOTSUPP
	case o == sock.MulticastInterface && value != 0:
		return errOneInterface
	case o == sock.TTL && (value < 1 || value > 255), o == sock.MulticastTTL && (value < 0 || value > 255):
		return syscall.EINVAL
	case o == sock.MulticastLoopback:
		s.packet.loopback = value != 0
	case o == sock.MulticastTTL:
		s.packet.stays = value == 0
	}
	return nil
}

// SetGroup implements poller.Poller.
func (q *simPoller) SetGroup(fd int, group netip.Addr, iface int, join bool) error {
	s := q.packetSocket(fd)
	switch {
	case s == nil:
		return syscall.EBADF
	case s.network == unixgram:
		return syscall.EOPNOTSUPP
	case iface != 0:
		return errOneInterface
	case !group.Is4() || !group.IsMulticast():
		return &net.AddrError{Err: "not the address of a multicast group of IPv4", Addr: group.String()}
	}
	i := slices.Index(s.packet.groups, group)
	switch {
	case join && i >= 0:
		return syscall.EADDRINUSE
	case join:
		s.packet.groups = append(s.packet.groups, group)
	case i < 0:
		return syscall.EADDRNOTAVAIL
	default:
		s.packet.groups = slices.Delete(s.packet.groups, i, i+1)
	}
	return nil
}
