package sock

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// pairOfPackets is two sockets and the address of the second.
func pairOfPackets(t *testing.T) (a, b int, to netip.AddrPort) {
	t.Helper()
	for _, fd := range []*int{&a, &b} {
		var err error
		if *fd, err = OpenPacket(PacketOptions{Local: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { Close(*fd) })
	}
	local, _ := PacketAddrs(b)
	return a, b, local.(*net.UDPAddr).AddrPort()
}

// Datagrams that go as one piece are those that were sent, in their order and one by one, whatever follows what.
func TestSegments(t *testing.T) {
	a, b, to := pairOfPackets(t)
	_, other, elsewhere := pairOfPackets(t)
	sizes := []int{100, 100, 100, 40, 100, 100, 0, 0, 100, 200, 100, 9000, 9000, 1, 1, 2, 1}
	for _, whole := range []int32{0, 1, 101} {
		t.Run(fmt.Sprint("whole from ", whole), func(t *testing.T) {
			var out, in PacketBuffer
			out.whole = whole
			var packets []Packet
			want := map[netip.AddrPort][]string{}
			for round := range 2 {
				for i, size := range sizes {
					p := Packet{Data: []byte(strings.Repeat(fmt.Sprint(i%10), size)), Addr: to, Segment: round == 0 || i%2 == 0}
					if i == 1 {
						p.Addr = elsewhere
					}
					packets = append(packets, p)
					want[p.Addr] = append(want[p.Addr], string(p.Data))
				}
			}
			for len(packets) > 0 {
				n, err := SendPackets(a, &out, packets)
				if err != nil || n < 1 {
					t.Fatalf("%d, %v", n, err)
				}
				packets = packets[n:]
			}
			for fd, want := range map[int][]string{b: want[to], other: want[elsewhere]} {
				var got []string
				for len(got) < len(want) {
					some, err := RecvPackets(fd, &in, 1<<16)
					if err != nil {
						t.Fatalf("after %d of %d: %v", len(got), len(want), err)
					}
					for _, p := range some {
						got = append(got, string(p.Data))
					}
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q in place of %q", got, want)
				}
			}
		})
	}
}

// Which runs there are, and what the kernel's refusals lead to.
func TestRuns(t *testing.T) {
	var b PacketBuffer
	at := netip.MustParseAddrPort("127.0.0.1:9")
	packets := func(sizes ...int) (all []Packet) {
		for _, n := range sizes {
			all = append(all, Packet{Data: make([]byte, n), Addr: at, Segment: true})
		}
		return all
	}
	for _, tt := range []struct {
		sizes []int
		want  int
	}{
		{[]int{5}, 1},
		{[]int{5, 5, 5}, 3},
		{[]int{5, 5, 3, 5}, 3},
		{[]int{5, 6}, 1},
		{[]int{5, 0, 5}, 1},
		{[]int{0, 0}, 1},
		{[]int{8192, 8192}, 2},
		{[]int{8193, 8193}, 1},
		{[]int{8192, 8192, 8192, 8192, 8192, 8192, 8192, 8192}, 7},
	} {
		if n := b.run(packets(tt.sizes...)); n != tt.want {
			t.Errorf("%v: %d in place of %d", tt.sizes, n, tt.want)
		}
	}
	for _, errno := range []syscall.Errno{syscall.ECONNREFUSED, syscall.EAGAIN, syscall.EPERM, syscall.EACCES} {
		if b.unsegment(errno, 100) {
			t.Errorf("%v is no reason to send one by one", errno)
		}
	}
	if !b.unsegment(syscall.EINVAL, 1400) || b.run(packets(1400, 1400)) != 1 || b.run(packets(1399, 1399)) != 2 {
		t.Error("what does not fit into a packet of the network")
	}
	if !b.unsegment(syscall.EIO, 1000) || b.run(packets(1, 1)) != 1 {
		t.Error("a network card that cannot")
	}
}
