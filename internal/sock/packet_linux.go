package sock

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	got uint32
}

// packetHeaders is what recvmmsg and sendmmsg are given. It is filled in once for receiving, but for what the kernel overwrites.
type packetHeaders struct {
	in, out batch
	names   map[string]string
	whole   int32 // datagrams from this size on are sent one by one; 0: not known yet
}

type batch struct {
	headers [MaxBatch]mmsghdr
	vectors [MaxBatch]unix.Iovec
	addrs   [MaxBatch]unix.RawSockaddrAny
	// What goes with each, 8 bytes aligned: see cmsg(3).
	controls [MaxBatch][4]uint64
	runs     [MaxBatch]uint8 // how many datagrams each header of what is sent stands for
}

// keptNames is how many names of Unix sockets are remembered, so that a name that comes again is no allocation.
const keptNames = 1024

// name is the string of p, without an allocation if it has come before.
func (b *PacketBuffer) name(p []byte) string {
	if s, ok := b.names[string(p)]; ok {
		return s
	}
	if b.names == nil || len(b.names) >= keptNames {
		b.names = make(map[string]string)
	}
	s := string(p)
	b.names[s] = s
	return s
}

// lay points the headers to the rooms.
func (h *packetHeaders) lay(b *PacketBuffer) {
	in := &h.in
	for i := range b.fit {
		h, v, room := &in.headers[i], &in.vectors[i], b.Room(i)
		v.Base = unsafe.SliceData(room)
		v.SetLen(len(room))
		h.Iov = v
		h.SetIovlen(1)
		h.Name = (*byte)(unsafe.Pointer(&in.addrs[i]))
		h.Namelen = unix.SizeofSockaddrAny
	}
}

// RecvPackets receives the datagrams that are there, as many as the buffer has room for, each of at most size bytes. They are the
// buffer's, valid until the next call. It returns EAGAIN when there is none. An error that waits at the socket comes
// alone, and none of the datagrams is lost for it.
func RecvPackets(fd int, b *PacketBuffer, size int) ([]Packet, error) {
	ask := b.Lay(size)
	in := &b.in
	for {
		n, _, e := syscall.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&in.headers[0])), uintptr(ask), 0, 0, 0)
		switch e {
		case 0:
			for i := range int(n) {
				h, p := &in.headers[i], &b.packets[i]
				p.Data = b.Room(i)[:h.got]
				p.Truncated = h.Flags&unix.MSG_TRUNC != 0
				b.decode(p, &in.addrs[i], h.Namelen)
				h.Namelen = unix.SizeofSockaddrAny
			}
			return b.Received(int(n)), nil
		case syscall.EINTR:
		default:
			return nil, e
		}
	}
}

// decode is where a datagram has come from.
func (b *PacketBuffer) decode(p *Packet, sa *unix.RawSockaddrAny, size uint32) {
	if size == 0 {
		p.Addr, p.Name = netip.AddrPort{}, "" // a Unix socket without a name
		return
	}
	switch sa.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		p.Addr = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), ntohs(&a.Port))
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		ip := netip.AddrFrom16(a.Addr).Unmap() // a dual-stack socket sees IPv4 as ::ffff:a.b.c.d
		if a.Scope_id != 0 && ip.Is6() {
			ip = ip.WithZone(b.zones.name(a.Scope_id))
		}
		p.Addr = netip.AddrPortFrom(ip, ntohs(&a.Port))
	case unix.AF_UNIX:
		const path = unsafe.Offsetof(unix.RawSockaddrUnix{}.Path)
		a := (*[unix.SizeofSockaddrAny]byte)(unsafe.Pointer(sa))
		name := a[path:max(min(int(size), len(a)), int(path))]
		switch {
		case len(name) == 0:
			p.Name = ""
		case name[0] == 0: // abstract: all of it counts, see unix(7)
			name[0] = '@'
			p.Name = b.name(name)
		default:
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			p.Name = b.name(name)
		}
	}
}

// SendPackets sends datagrams in their order and returns how many the kernel has taken, which may be fewer than there are. If that is
// none, the error is about the first of them: EAGAIN if there is no room for it now, or why it cannot be sent; it may also be one that has
// waited at a connected socket. One without an address goes to where the socket is connected. An IPv4 address goes to an IPv6 socket in
// its IPv6 form (::ffff:a.b.c.d).
func SendPackets(fd int, b *PacketBuffer, packets []Packet) (int, error) {
	out := &b.out
	for {
		n, err := b.fill(packets)
		if err != nil {
			return 0, err
		}
		sent, _, e := syscall.RawSyscall6(unix.SYS_SENDMMSG, uintptr(fd),
			uintptr(unsafe.Pointer(&out.headers[0])), uintptr(n), unix.MSG_NOSIGNAL, 0, 0)
		switch {
		case e == 0:
			taken := 0
			for _, run := range out.runs[:sent] {
				taken += int(run)
			}
			return taken, nil
		case e == syscall.EINTR:
		case out.runs[0] > 1 && b.unsegment(e, len(packets[0].Data)):
		default:
			return 0, e
		}
	}
}

// fill writes the headers for as many datagrams as go in one call, and returns how many headers that are. Datagrams in a row that have the same
// size and the same destination go through the kernel as one piece, which it cuts at the end (UDP_SEGMENT, see udp(7)): what
// a datagram costs is for the most part its way there.
func (b *PacketBuffer) fill(packets []Packet) (headers int, err error) {
	out := &b.out
	total := 0
	for i := 0; i < len(packets) && i < MaxBatch; headers++ {
		p, h := &packets[i], &out.headers[headers]
		if i > 0 && total+len(p.Data) > MaxTransfer {
			break
		}
		size, err := b.encode(&out.addrs[headers], p)
		if err != nil {
			if i == 0 {
				return 0, err
			}
			break // it is the first of the next call
		}
		h.Name, h.Namelen = nil, 0
		if size > 0 {
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&out.addrs[headers])), size
		}
		run := b.run(packets[i:min(len(packets), MaxBatch)])
		for k := range run {
			data := packets[i+k].Data
			out.vectors[i+k].Base = unsafe.SliceData(data)
			out.vectors[i+k].SetLen(len(data))
			total += len(data)
		}
		h.Iov = &out.vectors[i]
		h.SetIovlen(run)
		h.Control = nil
		h.SetControllen(0)
		if run > 1 {
			c := (*unix.Cmsghdr)(unsafe.Pointer(&out.controls[headers]))
			c.Level, c.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
			c.SetLen(unix.CmsgLen(2))
			*(*uint16)(unsafe.Add(unsafe.Pointer(c), unix.CmsgLen(0))) = uint16(len(p.Data))
			h.Control = (*byte)(unsafe.Pointer(c))
			h.SetControllen(unix.CmsgSpace(2))
		} else if p.Rights != nil {
			h.Control = unsafe.SliceData(p.Rights.control)
			h.SetControllen(len(p.Rights.control))
		}
		out.runs[headers] = uint8(run)
		i += run
	}
	return headers, nil
}

// run is how many datagrams from the first on can go as one piece: of the same size, but the last, which may be shorter.
func (b *PacketBuffer) run(packets []Packet) int {
	first := &packets[0]
	size := len(first.Data)
	if size == 0 || !first.Segment || size > b.largest() {
		return 1
	}
	n, total := 1, size
	for n < len(packets) {
		p := &packets[n]
		if !p.Segment || p.Addr != first.Addr || len(p.Data) == 0 || len(p.Data) > size || total+len(p.Data) > maxSegmented {
			break
		}
		total += len(p.Data)
		n++
		if len(p.Data) < size {
			break
		}
	}
	return n
}

const (
	maxSegment   = 8 << 10  // larger ones are copied for longer than their way takes
	maxSegmented = 60 << 10 // less than one datagram can hold, with any headers
)

// largest is the size up to which datagrams go as one piece.
func (b *PacketBuffer) largest() int {
	if b.whole > 0 {
		return int(b.whole) - 1
	}
	return maxSegment
}

// unsegment is called when the kernel does not take datagrams of that size as one piece, which is no reason not to take them one by
// one: where they do not fit into a packet of the network (EINVAL), or the network card cannot do it (EIO), or nobody can. It reports
// whether it was that.
func (b *PacketBuffer) unsegment(e syscall.Errno, size int) bool {
	switch e {
	case syscall.EINVAL, syscall.EMSGSIZE:
	case syscall.EIO, syscall.EOPNOTSUPP, syscall.ENOPROTOOPT:
		size = 1
	default:
		return false
	}
	b.whole = int32(size)
	return true
}

// encode writes where p goes, and returns its size: 0 if p does not say.
func (b *PacketBuffer) encode(sa *unix.RawSockaddrAny, p *Packet) (uint32, error) {
	ip := p.Addr.Addr()
	switch {
	case ip.Is4():
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		a.Family, a.Addr = unix.AF_INET, ip.As4()
		htons(&a.Port, p.Addr.Port())
		return unix.SizeofSockaddrInet4, nil
	case ip.Is6():
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		a.Family, a.Flowinfo, a.Addr, a.Scope_id = unix.AF_INET6, 0, ip.As16(), 0
		htons(&a.Port, p.Addr.Port())
		if zone := ip.Zone(); zone != "" {
			a.Scope_id = b.zones.id(zone)
		}
		return unix.SizeofSockaddrInet6, nil
	case p.Name == "":
		return 0, nil
	}
	a := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa))
	if len(p.Name) >= len(a.Path) {
		return 0, unix.ENAMETOOLONG
	}
	a.Family = unix.AF_UNIX
	path := (*[len(unix.RawSockaddrUnix{}.Path)]byte)(unsafe.Pointer(&a.Path))
	size := uint32(copy(path[:], p.Name)) + uint32(unsafe.Offsetof(a.Path))
	if p.Name[0] == '@' {
		path[0] = 0
		return size, nil
	}
	path[len(p.Name)] = 0
	return size + 1, nil
}

func ntohs(port *uint16) uint16 { return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(port))[:]) }

func htons(port *uint16, n uint16) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(port))[:], n)
}

func packetSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

// autobind gives a Unix socket a free abstract name: see unix(7).
func autobind(fd int) error { return unix.Bind(fd, &unix.SockaddrUnix{}) }
