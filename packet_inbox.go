package rondo

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
