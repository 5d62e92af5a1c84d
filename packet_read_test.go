package rondo_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/internal/sock"
)

// What has come in the same batch is not delivered any more after Close or Abort.
func TestPacketsAfterClose(t *testing.T) {
	for name, end := range map[string]func(c *rondo.PacketConn){
		"Close": func(c *rondo.PacketConn) { _ = c.Close() },
		"Abort": func(c *rondo.PacketConn) { c.Abort() },
	} {
		t.Run(name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			n := 0
			p := newPackets(func(c *rondo.PacketConn, _ rondo.Packet) {
				n++
				end(c)
			})
			pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
			peer := udpPeer(t, "udp", "127.0.0.1:0")
			pl.Handle().Do(func(*rondo.PacketConn) { // so that they are there together
				for range 3 {
					_, _ = peer.WriteTo([]byte("x"), pl.Addr())
				}
			})
			rig.Await(t, p.closed)
			rig.On(t, e.Loop(), func() {
				if n != 1 {
					t.Errorf("%d were delivered", n)
				}
			})
		})
	}
}

// A Unix socket that is not connected is always writable. To wait for a reader by waiting for that would be a busy loop.
func TestUnixPacketsDoNotSpin(t *testing.T) {
	path := t.TempDir() + "/s"
	peer, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	calls := 0
	e := gatedEngine(t, &packetGate{onSend: func([]sock.Packet) (int, error) {
		calls++
		return 0, syscall.EINPROGRESS
	}})
	h := mustListenPacket(t, e, "unixgram", t.TempDir()+"/c", newPackets(quiet)).Handle()
	looked := make(chan int)
	h.Do(func(c *rondo.PacketConn) {
		for _, s := range numbered(1000) {
			_ = c.WriteTo([]byte(s), rondo.PacketAddr{Name: path})
		}
		c.Loop().After(100*time.Millisecond, func() { looked <- calls })
	})
	if n := rig.Await(t, looked); n > 200 { // fifteen are what is asked without luck, and a thousand were written
		t.Errorf("the kernel was asked %d times in a tenth of a second", n)
	}
}

// Two errors that have waited, with what is sent between them, cost no datagram either.
func TestPacketWaitingErrors(t *testing.T) {
	call := 0
	g := &packetGate{}
	g.onSend = func(p []sock.Packet) (int, error) {
		call++
		switch {
		case call%2 == 1 && call < 8:
			return 0, syscall.EHOSTUNREACH
		case len(p) > 1:
			return g.Poller.SendPackets(g.fd, new(sock.PacketBuffer), p[:1])
		}
		return 0, syscall.EINPROGRESS
	}
	e := gatedEngine(t, g)
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	p := newPackets(quiet)
	c := rig.Result(t, e.DialPacket(t.Context(), "udp", peer.LocalAddr().String(), p))
	c.Handle().Do(func(c *rondo.PacketConn) {
		for _, s := range numbered(6) {
			_ = c.Write([]byte(s))
		}
	})
	if got := readPackets(t, peer, 6); fmt.Sprint(got) != fmt.Sprint(numbered(6)) {
		t.Errorf("%q", got)
	}
	for range 4 {
		rig.Await(t, p.errs)
	}
}
