package rondo_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// packets is a PacketProtocol made of functions, and tells what has happened.
type packets struct {
	opened   chan *rondo.PacketConn
	closed   chan error
	errs     chan error
	onOpen   func(c *rondo.PacketConn)
	received func(c *rondo.PacketConn, p rondo.Packet)
}

func newPackets(received func(c *rondo.PacketConn, p rondo.Packet)) *packets {
	return &packets{
		opened: make(chan *rondo.PacketConn, 16), closed: make(chan error, 16), errs: make(chan error, 1024),
		received: received,
	}
}

func (p *packets) Opened(c *rondo.PacketConn) {
	p.opened <- c
	if p.onOpen != nil {
		p.onOpen(c)
	}
}
func (p *packets) PacketReceived(c *rondo.PacketConn, d rondo.Packet) { p.received(c, d) }
func (p *packets) ErrorReceived(_ *rondo.PacketConn, err error)       { p.errs <- err }
func (p *packets) Closed(_ *rondo.PacketConn, err error)              { p.closed <- err }

// echoPackets sends back what comes.
func echoPackets(c *rondo.PacketConn, p rondo.Packet) { _ = c.WriteTo(p.Data, p.From) }

func mustListenPacket(t testing.TB, e *engine, network, address string, p rondo.PacketProtocol) *rondo.PacketListener {
	t.Helper()
	pl, err := e.ListenPacket(network, address, p)
	if err != nil {
		t.Fatal(err)
	}
	return pl
}

// udpPeer is a socket of package net's.
func udpPeer(t testing.TB, network, address string) *net.UDPConn {
	t.Helper()
	a, err := net.ResolveUDPAddr(network, address)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.ListenUDP(network, a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(rig.Patience / 2)) // for what has been lost
	return c
}

func TestPacketEcho(t *testing.T) {
	for _, tt := range []struct{ network, listen, from, to string }{
		{"udp", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1"},
		{"udp4", ":0", "127.0.0.1:0", "127.0.0.1"},
		{"udp6", "[::1]:0", "[::1]:0", "::1"},
		{"udp", ":0", "127.0.0.1:0", "127.0.0.1"}, // IPv4 on a socket of both
		{"udp", ":0", "[::1]:0", "::1"},
	} {
		t.Run(tt.network+" "+tt.listen+" from "+tt.from, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			from := make(chan rondo.PacketAddr, 200)
			p := newPackets(func(c *rondo.PacketConn, p rondo.Packet) {
				from <- p.From
				echoPackets(c, p)
			})
			pl := mustListenPacket(t, e, tt.network, tt.listen, p)
			peer := udpPeer(t, "udp", tt.from)
			to := netip.AddrPortFrom(netip.MustParseAddr(tt.to), pl.LocalAddr().AddrPort.Port())
			buf := make([]byte, 1<<16)
			for i := range 100 { // of no bytes too
				want := fmt.Sprintf("%.*s", i, "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789")
				if _, err := peer.WriteToUDPAddrPort([]byte(want), to); err != nil {
					t.Fatal(err)
				}
				n, _, err := peer.ReadFromUDPAddrPort(buf)
				if err != nil || string(buf[:n]) != want {
					t.Fatalf("%q and %v came back for %q", buf[:n], err, want)
				}
				if got := rig.Await(t, from); got != rondo.PacketAddrOf(peer.LocalAddr()) {
					t.Fatalf("it came from %v, and %v was told", peer.LocalAddr(), got)
				}
			}
			_ = pl.Close()
			if err := rig.Await(t, p.closed); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDialPacket(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	server := mustListenPacket(t, e, "udp", "127.0.0.1:0", newPackets(echoPackets))
	got := make(chan string, 1)
	p := newPackets(func(_ *rondo.PacketConn, p rondo.Packet) { got <- string(p.Data) })
	c := rig.Result(t, e.DialPacket(t.Context(), "udp", server.Addr().String(), p))
	rig.On(t, c.Loop(), func() {
		if err := c.Write([]byte("hello")); err != nil {
			t.Error(err)
		}
		if err := c.WriteTo([]byte("hello"), server.LocalAddr()); err == nil {
			t.Error("WriteTo on a connected socket went well")
		}
	})
	if s := rig.Await(t, got); s != "hello" {
		t.Errorf("%q came back", s)
	}
	if e.Conns() != 2 {
		t.Errorf("Conns is %d", e.Conns())
	}
	_ = c.Handle().Close()
	if err := rig.Await(t, p.closed); err != nil {
		t.Error(err)
	}
}

// An answer of ICMP that nobody listens is told, and the socket goes on.
func TestPacketRefused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	gone := udpPeer(t, "udp", "127.0.0.1:0")
	at := gone.LocalAddr().String()
	gone.Close()
	got := make(chan string, 1)
	p := newPackets(func(_ *rondo.PacketConn, p rondo.Packet) { got <- string(p.Data) })
	c := rig.Result(t, e.DialPacket(t.Context(), "udp", at, p))
	_ = c.Handle().Write([]byte("anybody?"))
	if err := rig.Await(t, p.errs); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the error was %v", err)
	}
	there := udpPeer(t, "udp", at)
	_ = c.Handle().Write([]byte("and now?"))
	buf := make([]byte, 100)
	n, from, err := there.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != "and now?" {
		t.Fatal(string(buf[:n]), err)
	}
	if _, err := there.WriteToUDPAddrPort([]byte("yes"), from); err != nil {
		t.Fatal(err)
	}
	if s := rig.Await(t, got); s != "yes" {
		t.Errorf("%q came back", s)
	}
}
