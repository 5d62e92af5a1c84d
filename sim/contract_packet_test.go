package sim

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// packetEnd opens a datagram socket. It is not added.
func (r *rig) packetEnd(q *simPoller, o sock.PacketOptions) *end {
	fd, err := q.OpenPacket(o)
	if err != nil {
		r.Fatalf("OpenPacket: %v", err)
	}
	return &end{r: r, q: q, fd: fd}
}

func (r *rig) anywhere(name string) net.Addr {
	if r.network == "unix" {
		return &net.UnixAddr{Name: "/run/" + name, Net: "unixgram"}
	}
	return &net.UDPAddr{}
}

// packetAddr is how a socket is reached from the other host.
func (e *end) packetAddr() net.Addr {
	local, _ := e.q.PacketAddrs(e.fd)
	if a, ok := local.(*net.UDPAddr); ok && a.IP.IsUnspecified() {
		ip := loopback
		if e.r.network == "hosts" {
			ip = e.q.p.ip
		}
		return &net.UDPAddr{IP: ip.AsSlice(), Port: a.Port}
	}
	return local
}

func (e *end) packet(data string) sock.Packet {
	p := sock.Packet{Data: []byte(data)}
	switch a := e.packetAddr().(type) {
	case *net.UDPAddr:
		ip, _ := netip.AddrFromSlice(a.IP)
		p.Addr = netip.AddrPortFrom(ip.Unmap(), uint16(a.Port))
	case *net.UnixAddr:
		p.Name = a.Name
	}
	return p
}

func (e *end) sendPackets(packets ...sock.Packet) {
	for len(packets) > 0 {
		n, err := e.q.SendPackets(e.fd, nil, packets)
		if err != nil || n < 1 {
			e.r.Fatalf("SendPackets: %d of %d, %v", n, len(packets), err)
		}
		packets = packets[n:]
	}
}

func (e *end) expectPackets(want ...string) {
	var b sock.PacketBuffer
	for len(want) > 0 {
		e.await(poller.Readable)
		got, err := e.q.RecvPackets(e.fd, &b, 1<<16)
		if err != nil || len(got) == 0 || len(got) > len(want) {
			e.r.Fatalf("RecvPackets of what was reported readable: %d, %v", len(got), err)
		}
		for i, p := range got {
			if string(p.Data) != want[i] || p.Truncated {
				e.r.Fatalf("%q came (truncated %v) in place of %q", p.Data, p.Truncated, want[i])
			}
		}
		want = want[len(got):]
	}
	e.quiet(poller.Readable)
}

func packetsWhole(r *rig) {
	a, b := r.packetEnd(r.far, sock.PacketOptions{Local: r.anywhere("a")}), r.packetEnd(r.near, sock.PacketOptions{Local: r.anywhere("b")})
	b.add(poller.Read)
	b.quiet(poller.Readable)
	var buf sock.PacketBuffer
	if p, err := b.q.RecvPackets(b.fd, &buf, 100); len(p) != 0 || !bare(err, syscall.EAGAIN) {
		r.Errorf("RecvPackets of nothing: %d, %v", len(p), err)
	}
	a.sendPackets(b.packet("one"), b.packet(""), b.packet("three"))
	b.await(poller.Readable)
	b.expectPackets("one", "", "three")

	a.sendPackets(b.packet("0123456789"))
	b.await(poller.Readable)
	got, err := b.q.RecvPackets(b.fd, &buf, 5)
	if from := a.packet(""); err != nil || len(got) != 1 || got[0].Addr != from.Addr || got[0].Name != from.Name || string(got[0].Data) != "01234" || !got[0].Truncated {
		r.Errorf("%+v, %v", got, err)
	}
	a.add(poller.Read)
	b.sendPackets(sock.Packet{Data: []byte("back"), Addr: got[0].Addr, Name: got[0].Name})
	a.expectPackets("back")
}

func packetErrorsApart(r *rig) {
	a, b := r.packetEnd(r.far, sock.PacketOptions{Local: r.anywhere("a")}), r.packetEnd(r.near, sock.PacketOptions{Local: r.anywhere("b")})
	b.add(poller.Read)
	bad := b.packet(strings.Repeat("x", 300_000))
	packets := []sock.Packet{b.packet("one"), bad, b.packet("two"), bad, b.packet("three")}
	errs := 0
	for len(packets) > 0 {
		n, err := a.q.SendPackets(a.fd, nil, packets)
		if n == 0 {
			if !bare(err, syscall.EMSGSIZE) || len(packets[0].Data) != len(bad.Data) {
				r.Fatalf("%v is about %d bytes", err, len(packets[0].Data))
			}
			errs++
			n = 1
		}
		packets = packets[n:]
	}
	if errs != 2 {
		r.Errorf("%d errors", errs)
	}
	b.expectPackets("one", "two", "three")
}

func packetsConnected(r *rig) {
	b := r.packetEnd(r.near, sock.PacketOptions{Local: r.anywhere("b")})
	a := r.packetEnd(r.far, sock.PacketOptions{Local: r.anywhere("a"), Remote: b.packetAddr()})
	stranger := r.packetEnd(r.near, sock.PacketOptions{Local: r.anywhere("c")})
	a.add(poller.Read)
	b.add(poller.Read)
	if _, remote := a.q.PacketAddrs(a.fd); remote == nil || remote.String() != b.packetAddr().String() {
		r.Errorf("the remote address is %v", remote)
	}
	if _, remote := b.q.PacketAddrs(b.fd); remote != nil {
		r.Errorf("the remote address of one that is not connected is %v", remote)
	}
	a.sendPackets(sock.Packet{Data: []byte("hello")})
	b.expectPackets("hello")
	_, _ = stranger.q.SendPackets(stranger.fd, nil, []sock.Packet{a.packet("not for you")})
	b.sendPackets(a.packet("for you"))
	a.expectPackets("for you")
	b.close()
	if _, err := a.q.SendPackets(a.fd, nil, []sock.Packet{{Data: []byte("anybody?")}}); r.network == "unix" {
		if !bare(err, syscall.ECONNREFUSED) {
			r.Errorf("to a socket that is closed: %v", err)
		}
		return
	}
	a.modify(0)
	r.settle()
	r.returns(a.q, 0)
	a.modify(poller.Read)
	a.await(poller.Readable)
	var buf sock.PacketBuffer
	if got, err := a.q.RecvPackets(a.fd, &buf, 100); len(got) != 0 || !bare(err, syscall.ECONNREFUSED) {
		r.Errorf("%d, %v, want ECONNREFUSED", len(got), err)
	}
	a.quiet(poller.Readable)
}

func packetsWritable(r *rig) {
	b := r.packetEnd(r.near, sock.PacketOptions{Local: r.anywhere("b")})
	a := r.packetEnd(r.far, sock.PacketOptions{Remote: b.packetAddr()})
	a.add(poller.Write)
	a.await(poller.Writable)
	var want []string
	for {
		s := fmt.Sprint(len(want), strings.Repeat(".", 1000))
		_, err := a.q.SendPackets(a.fd, nil, []sock.Packet{{Data: []byte(s)}})
		if bare(err, syscall.EAGAIN) {
			break
		}
		if err != nil || len(want) > 1000 {
			r.Fatalf("SendPackets, the %dth: %v", len(want), err)
		}
		want = append(want, s)
	}
	a.quiet(poller.Writable)
	b.add(poller.Read)
	b.expectPackets(want...)
	a.await(poller.Writable)
}

func packetAddresses(r *rig) {
	a := r.packetEnd(r.near, sock.PacketOptions{Local: r.anywhere("a")})
	local, _ := a.q.PacketAddrs(a.fd)
	if _, err := a.q.OpenPacket(sock.PacketOptions{Local: local}); !bare(err, syscall.EADDRINUSE) {
		r.Errorf("an address that is taken: %v", err)
	}
	for _, o := range []sock.PacketOption{sock.Broadcast, sock.TTL, sock.ReceiveBuffer, sock.SendBuffer} {
		if err := a.q.SetPacketOption(a.fd, o, 1); (err != nil) != (r.network == "unix" && o == sock.TTL) {
			r.Errorf("option %d: %v", o, err)
		}
	}
	if err := a.q.SetGroup(a.fd, netip.MustParseAddr("10.0.0.1"), 0, true); err == nil {
		r.Errorf("10.0.0.1 is no group")
	}
	a.close()
	r.packetEnd(r.near, sock.PacketOptions{Local: local})
	if _, err := r.near.RecvPackets(99, nil, 1); !bare(err, syscall.EBADF) {
		r.Errorf("a descriptor that is none: %v", err)
	}
}
