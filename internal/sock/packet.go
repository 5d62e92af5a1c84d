package sock

import (
	"errors"
	"net"
	"net/netip"
)

// ErrPacketNetwork is returned for a network name other than udp, udp4, udp6 and unixgram.
var ErrPacketNetwork = errors.New(`unknown network: use "udp", "udp4", "udp6" or "unixgram"`)

// Packet is a datagram: one that has come, or one that is to be sent.
type Packet struct {
	Data      []byte
	Addr      netip.AddrPort // the other side, in UDP
	Name      string         // the other side, of Unix sockets: a path, "@" and an abstract name, or nothing
	Truncated bool           // it was longer than there was room for, and the rest is lost
	Segment   bool           // of UDP, to be sent: the kernel may take it as one piece with others that go to the same place
	Rights    *Rights        // of Unix sockets, to be sent: descriptors that go with it; nil for none
}

// Rights are descriptors that go with a datagram. They stay their owner's, who closes them when it was sent, or cannot be.
type Rights struct {
	FDs     []int
	control []byte // as the kernel wants it
}

// UnixPacket is a datagram of a Unix socket with what has come beside its bytes.
type UnixPacket struct {
	Packet
	FDs    []int        // the caller's to close
	Lost   bool         // some descriptors are missing, because there was no room for them in the process
	Sender *Credentials // nil unless PacketOptions.Credentials was set
}

// PacketOptions say how a datagram socket is opened.
type PacketOptions struct {
	Local, Remote net.Addr // *net.UDPAddr or *net.UnixAddr. With Remote it is connected; nil for none
	ReusePort     bool     // SO_REUSEPORT: several sockets share one address, and the kernel spreads datagrams
	ReuseAddr     bool     // SO_REUSEADDR: several sockets share one port, and each gets what is sent to a group
	OnlyIPv6      bool     // a wildcard address does not stand for IPv4's too
	Credentials   bool     // of a Unix socket: what comes has its sender's credentials (SO_PASSCRED)
}

// PacketOption is a setting of a datagram socket, whose value is a number.
type PacketOption uint8

// The settings. Those of multicast are about what the socket sends.
const (
	Broadcast          PacketOption = iota // 0 or 1: whether it may send to broadcast addresses
	TTL                                    // hops that its datagrams may make
	MulticastTTL                           // likewise to groups
	MulticastLoopback                      // 0 or 1: whether this machine gets them too
	MulticastInterface                     // the index of the network interface that they leave by; 0: the system's choice
	ReceiveBuffer                          // bytes that the kernel keeps
	SendBuffer
)

const (
	// MaxBatch is how many datagrams one call moves at the most.
	MaxBatch = 64

	// maxBatchBytes is the room for those that one call receives.
	maxBatchBytes = 2 << 20

	// apart keeps the first bytes of the datagrams, which are looked at most, from falling into the same few sets of
	// the processor's cache, as they would at distances of 64 KiB.
	apart = 17 * 64
)

// PacketBuffer is what one loop receives its datagrams into, many at once, and what it needs to send many at once. The zero
// PacketBuffer is empty and takes its memory, some 2 MiB of which only what is used becomes real, when it is first received into.
type PacketBuffer struct {
	packetHeaders // what the kernel is given

	packets [MaxBatch]Packet
	control []byte // of a datagram that may bring descriptors; nil until one is asked for
	memory  []byte
	size    int // of the room for a datagram
	stride  int // from one to the next
	fit     int // how many there is room for
	ask     int // how many are asked for next: fewer after large ones
	zones   zones
}

// Lay makes room for datagrams of size bytes and returns for how many: as many as one call may receive now.
func (b *PacketBuffer) Lay(size int) int {
	if size != b.size {
		b.size, b.stride = size, (size+63)&^63+apart
		b.fit = min(max(maxBatchBytes/b.stride, 1), MaxBatch)
		b.ask = b.fit
		if need := b.fit * b.stride; need > len(b.memory) {
			b.memory = make([]byte, need)
		}
		b.lay(b)
	}
	return b.ask
}

// Room is where the datagram of this number is received.
func (b *PacketBuffer) Room(i int) []byte {
	return b.memory[i*b.stride : i*b.stride+b.size : i*b.stride+b.size]
}

// Packet is the datagram of this number, to be filled in.
func (b *PacketBuffer) Packet(i int) *Packet { return &b.packets[i] }

// Received returns the first n datagrams. A raw call holds its processor until it returns, so after much has come at once
// fewer are asked for: see MaxTransfer.
func (b *PacketBuffer) Received(n int) []Packet {
	total := 0
	for i := range b.packets[:n] {
		total += len(b.packets[i].Data)
	}
	switch {
	case total > MaxTransfer:
		b.ask = max(n*MaxTransfer/total, 1)
	case n == b.ask:
		b.ask = min(2*b.ask, b.fit)
	}
	return b.packets[:n]
}

// zones remembers the names of network interfaces, which the kernel knows by number: asking for one takes some system calls. It forgets them from
// time to time, since they can be given other names.
type zones struct {
	names map[uint32]string
	ids   map[string]uint32
	uses  int
}

const zoneUses = 4096

func (z *zones) use() {
	if z.uses++; z.names == nil || z.uses > zoneUses {
		z.names, z.ids, z.uses = map[uint32]string{}, map[string]uint32{}, 0
	}
}
