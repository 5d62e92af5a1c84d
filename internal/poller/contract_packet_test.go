package poller_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/sock"
)

// A subject's network is "tcp" or "unix" here too, and stands for "udp" and "unixgram".

// packetEnd opens a datagram socket. It is not added.
func (w *world) packetEnd(o sock.PacketOptions) *end {
	w.t.Helper()
	fd, err := w.OpenPacket(o)
	if err != nil {
		w.t.Fatalf("OpenPacket: %v", err)
	}
	return w.opened(fd)
}

// anywhere is a free address.
func (w *world) anywhere() net.Addr {
	w.t.Helper()
	if w.subject.network == "unix" {
		return &net.UnixAddr{Name: filepath.Join(shortDir(w.t), "s"), Net: "unixgram"}
	}
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}
}

func (e *end) localPacket() net.Addr {
	local, _ := e.w.PacketAddrs(e.fd)
	return local
}

// packetTo is a datagram for e.
func packetTo(e *end, data string) sock.Packet {
	p := sock.Packet{Data: []byte(data)}
	switch a := e.localPacket().(type) {
	case *net.UDPAddr:
		ap := a.AddrPort()
		p.Addr = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	case *net.UnixAddr:
		p.Name = a.Name
	}
	return p
}

// sendPackets sends all, for which there is room.
func (e *end) sendPackets(b *sock.PacketBuffer, packets ...sock.Packet) {
	e.w.t.Helper()
	for len(packets) > 0 {
		n, err := e.w.SendPackets(e.fd, b, packets)
		if err != nil || n < 1 || n > len(packets) {
			e.w.t.Fatalf("SendPackets: %d of %d, %v", n, len(packets), err)
		}
		packets = packets[n:]
	}
}

// expectPackets receives that many, in as many calls as it takes, and what is there for each of them.
func (e *end) expectPackets(b *sock.PacketBuffer, want ...string) {
	e.w.t.Helper()
	for len(want) > 0 {
		e.w.await(e, poller.Readable)
		got, err := e.w.RecvPackets(e.fd, b, 1<<16)
		if err != nil || len(got) == 0 || len(got) > len(want) {
			e.w.t.Fatalf("RecvPackets of what was reported readable: %d, %v", len(got), err)
		}
		for i, p := range got {
			if string(p.Data) != want[i] || p.Truncated {
				e.w.t.Fatalf("%q came (truncated %v) in place of %q", p.Data, p.Truncated, want[i])
			}
		}
		want = want[len(got):]
	}
}

// Datagrams come whole, with who has sent them, those of no bytes too; and Readable is level-triggered.
func packetsWhole(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()}), w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	var in, out sock.PacketBuffer
	w.add(b, poller.Read)
	w.quiet(b, poller.Readable)
	if p, err := w.RecvPackets(b.fd, &in, 100); len(p) != 0 || !bare(err, syscall.EAGAIN) {
		t.Fatalf("RecvPackets of nothing: %d, %v", len(p), err)
	}
	a.sendPackets(&out, packetTo(b, "one"), packetTo(b, ""), packetTo(b, strings.Repeat("x", 1000)))
	for range 3 {
		w.await(b, poller.Readable)
	}
	b.expectPackets(&in, "one", "", strings.Repeat("x", 1000))
	w.quiet(b, poller.Readable)

	a.sendPackets(&out, packetTo(b, "who?"))
	w.await(b, poller.Readable)
	got, err := w.RecvPackets(b.fd, &in, 100)
	from := packetTo(a, "")
	if err != nil || len(got) != 1 || got[0].Addr != from.Addr || got[0].Name != from.Name {
		t.Fatalf("%+v, %v, and not from %v %q", got, err, from.Addr, from.Name)
	}
	answer := sock.Packet{Data: []byte("you"), Addr: got[0].Addr, Name: got[0].Name} // the address can be answered
	w.add(a, poller.Read)
	b.sendPackets(&out, answer)
	a.expectPackets(&in, "you")
}

// What is longer than was asked for is cut off and says so.
func packetsTruncated(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()}), w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	var buf sock.PacketBuffer
	w.add(b, poller.Read)
	a.sendPackets(&buf, packetTo(b, "0123456789"), packetTo(b, "01234"))
	for _, want := range []sock.Packet{{Data: []byte("01234"), Truncated: true}, {Data: []byte("01234")}} {
		w.await(b, poller.Readable)
		got, err := w.RecvPackets(b.fd, &buf, 5)
		if err != nil || len(got) == 0 {
			t.Fatalf("%d, %v", len(got), err)
		}
		if p := got[0]; string(p.Data) != string(want.Data) || p.Truncated != want.Truncated {
			t.Fatalf("%q, truncated %v", p.Data, p.Truncated)
		}
		if len(got) == 2 { // both in one call
			if p := got[1]; string(p.Data) != "01234" || p.Truncated {
				t.Fatalf("%q, truncated %v", p.Data, p.Truncated)
			}
			return
		}
	}
}

// One that cannot be sent has its error alone, and the others are sent.
func packetErrorsApart(t *testing.T, s subject) {
	w := s.world(t)
	a, b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()}), w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	var buf sock.PacketBuffer
	w.add(b, poller.Read)
	bad := packetTo(b, strings.Repeat("x", 66_000)) // EMSGSIZE in UDP
	if s.network == "unix" {
		bad = packetTo(b, "x")
		bad.Name += ".missing" // ENOENT
	}
	packets := []sock.Packet{packetTo(b, "one"), packetTo(b, "two"), bad, packetTo(b, "three"), bad, packetTo(b, "four")}
	errs := 0
	for len(packets) > 0 {
		n, err := w.SendPackets(a.fd, &buf, packets)
		switch {
		case n > 0 && err != nil || n == 0 && err == nil:
			t.Fatalf("SendPackets: %d, %v", n, err)
		case err != nil:
			if !bare(err, syscall.EMSGSIZE) && !bare(err, syscall.ENOENT) {
				t.Fatalf("the error is %v", err)
			}
			if packets[0].Name != bad.Name || len(packets[0].Data) != len(bad.Data) {
				t.Fatalf("%v is about %q", err, packets[0].Data)
			}
			errs++
			n = 1
		}
		packets = packets[n:]
	}
	if errs != 2 {
		t.Errorf("%d errors", errs)
	}
	b.expectPackets(&buf, "one", "two", "three", "four")
}

// A connected socket sends to its peer, hears from nobody else, and says once that nobody has the port; then it goes on.
func packetsConnected(t *testing.T, s subject) {
	w := s.world(t)
	b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	a := w.packetEnd(sock.PacketOptions{Local: w.anywhere(), Remote: b.localPacket()})
	stranger := w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	var buf sock.PacketBuffer
	w.add(a, poller.Read)
	w.add(b, poller.Read)
	if _, remote := w.PacketAddrs(a.fd); remote == nil || remote.String() != b.localPacket().String() {
		t.Errorf("the remote address is %v", remote)
	}
	if _, remote := w.PacketAddrs(b.fd); remote != nil {
		t.Errorf("the remote address of one that is not connected is %v", remote)
	}
	a.sendPackets(&buf, sock.Packet{Data: []byte("hello")})
	b.expectPackets(&buf, "hello")
	if _, err := w.SendPackets(stranger.fd, &buf, []sock.Packet{packetTo(a, "not for you")}); err != nil && s.network != "unix" {
		t.Fatalf("SendPackets: %v", err)
	}
	b.sendPackets(&buf, packetTo(a, "for you"))
	a.expectPackets(&buf, "for you")

	if s.network == "unix" {
		return
	}
	_ = w.Close(b.fd)
	delete(w.fds, b.fd)
	a.sendPackets(&buf, sock.Packet{Data: []byte("anybody?")})
	w.await(a, poller.Readable)
	if got, err := w.RecvPackets(a.fd, &buf, 100); len(got) != 0 || !bare(err, syscall.ECONNREFUSED) {
		t.Fatalf("%d, %v, want ECONNREFUSED", len(got), err)
	}
	w.quiet(a, poller.Readable)
	if err := w.SocketError(a.fd); err != nil {
		t.Errorf("the error has stayed: %v", err)
	}
}

// An error is said once while nothing is wanted, where a backend can see it, and waits until it is fetched.
func packetErrorWhileNothingWanted(t *testing.T, s subject) {
	w := s.world(t)
	b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	a := w.packetEnd(sock.PacketOptions{Local: w.anywhere(), Remote: b.localPacket()})
	_ = w.Close(b.fd)
	delete(w.fds, b.fd)
	var buf sock.PacketBuffer
	w.add(a, 0)
	a.sendPackets(&buf, sock.Packet{Data: []byte("anybody?")})
	w.calm(20 * time.Millisecond)
	if err := w.Modify(a.fd, a.token, poller.Read); err != nil {
		t.Fatal(err)
	}
	w.await(a, poller.Readable)
	if _, err := w.RecvPackets(a.fd, &buf, 100); !bare(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want ECONNREFUSED", err)
	}
}

// A Unix socket that is connected is writable while its peer has room, and then again when it has read.
func packetsWritable(t *testing.T, s subject) {
	w := s.world(t)
	b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	a := w.packetEnd(sock.PacketOptions{Remote: b.localPacket()})
	var buf sock.PacketBuffer
	w.add(a, poller.Write)
	w.await(a, poller.Writable)
	if s.network != "unix" {
		return // a datagram in UDP that has no room is lost at its receiver
	}
	var want []string
	for {
		p := sock.Packet{Data: fmt.Append(nil, len(want), strings.Repeat(".", 1000))}
		n, err := w.SendPackets(a.fd, &buf, []sock.Packet{p})
		if bare(err, syscall.EAGAIN) {
			break
		}
		if err != nil || n != 1 || len(want) > 10_000 {
			t.Fatalf("SendPackets, the %dth: %d, %v", len(want), n, err)
		}
		want = append(want, string(p.Data))
	}
	w.quiet(a, poller.Writable)
	w.add(b, poller.Read)
	b.expectPackets(&buf, want...)
	w.await(a, poller.Writable)
	a.sendPackets(&buf, sock.Packet{Data: []byte("again")})
	b.expectPackets(&buf, "again")
}

// Many come in few calls, and a number that is used again is nobody's predecessor.
func packetsMany(t *testing.T, s subject) {
	w := s.world(t)
	var buf sock.PacketBuffer
	for round := range 3 {
		b := w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
		a := w.packetEnd(sock.PacketOptions{Remote: b.localPacket()})
		w.add(b, poller.Read)
		n := 2 * sock.MaxBatch
		if s.network == "unix" {
			n = 8 // of which Linux takes ten, by default
		}
		var packets []sock.Packet
		var want []string
		for i := range n {
			want = append(want, fmt.Sprint(round, i))
			packets = append(packets, sock.Packet{Data: []byte(want[i]), Segment: s.network != "unix"})
		}
		a.sendPackets(&buf, packets...)
		b.expectPackets(&buf, want...)
		a.sendPackets(&buf, sock.Packet{Data: []byte("unread")})
		for _, e := range []*end{a, b} {
			if err := w.Close(e.fd); err != nil {
				t.Fatal(err)
			}
			delete(w.fds, e.fd)
		}
	}
}

// Addresses: a free port, one that is taken, and those that are not to be had.
func packetAddresses(t *testing.T, s subject) {
	w := s.world(t)
	a := w.packetEnd(sock.PacketOptions{Local: w.anywhere()})
	if _, err := w.OpenPacket(sock.PacketOptions{Local: a.localPacket()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("an address that is taken: %v", err)
	}
	if _, err := w.OpenPacket(sock.PacketOptions{Local: &net.TCPAddr{}}); !errors.Is(err, sock.ErrPacketNetwork) {
		t.Errorf("an address of TCP: %v", err)
	}
	if s.network == "unix" {
		return
	}
	if a.localPacket().(*net.UDPAddr).Port == 0 {
		t.Error("no port was chosen")
	}
	both := w.packetEnd(sock.PacketOptions{Local: &net.UDPAddr{}, ReuseAddr: true})
	w.packetEnd(sock.PacketOptions{Local: both.localPacket(), ReuseAddr: true}) // it can be shared
	for _, set := range []sock.PacketOption{sock.Broadcast, sock.TTL, sock.MulticastTTL, sock.MulticastLoopback, sock.ReceiveBuffer, sock.SendBuffer} {
		if err := w.SetPacketOption(both.fd, set, 1); err != nil {
			t.Errorf("option %d: %v", set, err)
		}
	}
	if err := w.SetGroup(both.fd, netip.MustParseAddr("10.0.0.1"), 0, true); err == nil {
		t.Error("10.0.0.1 is no group")
	}
}
