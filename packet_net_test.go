package rondo_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// udpMethods are those of net.UDPConn that libraries ask for.
type udpMethods interface {
	net.PacketConn
	net.Conn
	ReadFromUDPAddrPort(p []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(p []byte, to netip.AddrPort) (int, error)
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

func mustListenNet(t testing.TB, e *engine, network, address string) udpMethods {
	t.Helper()
	c, err := e.ListenNetPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return c.(udpMethods)
}

// What package net's own tests hold a net.PacketConn to, and golang.org/x/net/nettest a net.Conn: of both ends, ours and its.
func TestNetPacketConn(t *testing.T) {
	for _, network := range []string{"udp4", "udp6", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			address := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0", "unixgram": ""}[network]
			e := newTestEngine(t, rondo.Config{})
			path := func(name string) string {
				if network == "unixgram" {
					return t.TempDir() + "/" + name
				}
				return address
			}
			a, b := mustListenNet(t, e, network, path("a")), mustListenNet(t, e, network, path("b"))
			buf := make([]byte, 1<<16)

			// There and back, in one piece each.
			for _, p := range [][]byte{[]byte("hello"), {}, bytes.Repeat([]byte("x"), 9000), []byte("bye")} {
				if n, err := a.WriteTo(p, b.LocalAddr()); n != len(p) || err != nil {
					t.Fatalf("WriteTo: %d, %v", n, err)
				}
				n, from, err := b.ReadFrom(buf)
				if err != nil || !bytes.Equal(buf[:n], p) || from.String() != a.LocalAddr().String() || from.Network() != a.LocalAddr().Network() {
					t.Fatalf("ReadFrom: %d bytes of %d, from %v, %v", n, len(p), from, err)
				}
			}
			// What is too long for the reader is cut off, and the next datagram is whole.
			_, _ = a.WriteTo([]byte("too long"), b.LocalAddr())
			_, _ = a.WriteTo([]byte("next"), b.LocalAddr())
			if n, _, err := b.ReadFrom(buf[:3]); n != 3 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
			if n, _, err := b.ReadFrom(buf); err != nil || string(buf[:n]) != "next" {
				t.Errorf("%q, %v", buf[:n], err)
			}

			// Deadlines: past, future, and lifted.
			isTimeout := func(err error) bool {
				var ne net.Error
				return errors.As(err, &ne) && ne.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
			}
			_ = b.SetReadDeadline(time.Unix(1, 0))
			if _, _, err := b.ReadFrom(buf); !isTimeout(err) {
				t.Errorf("a past deadline: %v", err)
			}
			_ = b.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, _, err := b.ReadFrom(buf); !isTimeout(err) {
				t.Errorf("a deadline: %v", err)
			}
			_ = b.SetDeadline(time.Time{})
			_ = a.SetWriteDeadline(time.Unix(1, 0))
			if _, err := a.WriteTo([]byte("x"), b.LocalAddr()); !isTimeout(err) {
				t.Errorf("a past deadline: %v", err)
			}
			_ = a.SetWriteDeadline(time.Time{})

			// A deadline that is set, and Close, end a read under way.
			for what, end := range map[string]func(){
				"deadline": func() { _ = b.SetReadDeadline(time.Unix(1, 0)) },
				"close":    func() { _ = a.Close() },
			} {
				c := b
				if what == "close" {
					c = a
				}
				done := make(chan error)
				go func() {
					_, _, err := c.ReadFrom(make([]byte, 1))
					done <- err
				}()
				end()
				if err := rig.Await(t, done); what == "deadline" && !isTimeout(err) || what == "close" && !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", what, err)
				}
			}

			// After Close nothing goes.
			_, err1 := a.WriteTo(nil, b.LocalAddr())
			_, _, err2 := a.ReadFrom(buf)
			for i, err := range []error{err1, err2, a.Close(), a.SetDeadline(time.Time{})} {
				if op, ok := errors.AsType[*net.OpError](err); !ok || !errors.Is(err, net.ErrClosed) || op.Net != network || op.Source == nil {
					t.Errorf("%d after Close: %v", i, err)
				}
			}
			// Addresses, also after Close.
			if a.LocalAddr() == nil || a.RemoteAddr() != nil {
				t.Errorf("addresses %v and %v", a.LocalAddr(), a.RemoteAddr())
			}
			if _, err := b.Write([]byte("x")); err == nil {
				t.Error("Write of a socket that is not connected went well")
			}
			if _, err := b.WriteTo([]byte("x"), &net.TCPAddr{}); err == nil {
				t.Error("writing to an address of TCP went well")
			}
		})
	}
}

func TestNetPacketConnDialed(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	server := mustListenNet(t, e, "udp", "127.0.0.1:0")
	conn, err := e.DialNetPacket(t.Context(), "udp", server.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := conn.(udpMethods)
	if c.RemoteAddr().String() != server.LocalAddr().String() {
		t.Errorf("RemoteAddr is %v", c.RemoteAddr())
	}
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	n, from, err := server.ReadFromUDPAddrPort(buf)
	if err != nil || string(buf[:n]) != "hello" {
		t.Fatal(string(buf[:n]), err)
	}
	if _, err := server.WriteToUDPAddrPort([]byte("back"), from); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(buf); err != nil || string(buf[:n]) != "back" {
		t.Fatal(string(buf[:n]), err)
	}
	if _, err := c.WriteTo([]byte("x"), server.LocalAddr()); !errors.Is(err, net.ErrWriteToConnected) {
		t.Errorf("WriteTo: %v", err)
	}
	if _, err := c.Write(make([]byte, 65508)); !errors.Is(err, syscall.EMSGSIZE) {
		t.Errorf("too much: %v", err)
	}
	// That nobody is there any more, the next read is told.
	rig.Eventually(t, "the server's end", func() bool { return server.Close() != nil })
	rig.Eventually(t, "the socket's end", func() bool { return e.Conns() == 1 })
	if _, err := c.Write([]byte("anybody?")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(buf); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Read: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.DialNetPacket(ctx, "udp", "127.0.0.1:9"); !errors.Is(err, context.Canceled) {
		t.Errorf("dialing in vain: %v", err)
	}
	if _, err := (rondo.PacketConfig{ReusePort: true}).ListenNet(e.Engine, "udp", "127.0.0.1:0"); err == nil {
		t.Error("ReusePort was taken")
	}
}

// Many goroutines at once: each datagram is read once, and by one of them.
func TestNetPacketConnConcurrent(t *testing.T) {
	const goroutines, each = 8, 500
	e := newTestEngine(t, rondo.Config{})
	server := mustListenNet(t, e, "udp", "127.0.0.1:0")
	var serving sync.WaitGroup
	for range goroutines {
		serving.Go(func() {
			buf := make([]byte, 100)
			for {
				n, from, err := server.ReadFromUDPAddrPort(buf)
				if err != nil {
					return
				}
				_, _ = server.WriteToUDPAddrPort(buf[:n], from)
			}
		})
	}
	var clients sync.WaitGroup
	for i := range goroutines {
		clients.Go(func() {
			c := udpPeer(t, "udp", "127.0.0.1:0")
			buf := make([]byte, 100)
			to := server.LocalAddr().(*net.UDPAddr).AddrPort()
			for k := range each {
				want := []byte{byte(i), byte(k), byte(k >> 8)}
				if _, err := c.WriteToUDPAddrPort(want, to); err != nil {
					t.Error(err)
					return
				}
				n, _, err := c.ReadFromUDPAddrPort(buf)
				if err != nil || !bytes.Equal(buf[:n], want) {
					t.Errorf("%v came back for %v, %v", buf[:n], want, err)
					return
				}
			}
		})
	}
	clients.Wait()
	_ = server.Close()
	serving.Wait()
}

// A reader that is slow is not given up: what has no room waits in the kernel, or is lost there.
func TestNetPacketConnBounded(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	a, err := (rondo.PacketConfig{WriteLimit: 5000}).ListenNet(e.Engine, "unixgram", t.TempDir()+"/a") // where nothing is lost
	if err != nil {
		t.Fatal(err)
	}
	b := mustListenNet(t, e, "unixgram", t.TempDir()+"/b")
	const n, size = 3000, 1000
	done := make(chan error)
	go func() {
		for i := range n {
			p := bytes.Repeat([]byte{byte(i)}, size)
			if _, err := a.WriteTo(p, b.LocalAddr()); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	buf := make([]byte, 2*size)
	for i := range n {
		k, _, err := b.ReadFrom(buf)
		if err != nil || k != size || buf[0] != byte(i) {
			t.Fatalf("%d: %d bytes of %d, %v", i, k, buf[0], err)
		}
	}
	if err := rig.Await(t, done); err != nil {
		t.Error(err)
	}
}

// What nobody reads is not kept without bound: the sender of what the network does not lose has to wait.
func TestNetPacketConnUnread(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	a := mustListenNet(t, e, "unixgram", t.TempDir()+"/a")
	b := mustListenNet(t, e, "unixgram", t.TempDir()+"/b")
	const most = 4 << 20 // the inbox and the outbox, 256 KiB each; WriteLimit, 1 MiB; and what the kernel keeps
	sent := 0
	for p := make([]byte, 10_000); ; sent += len(p) {
		_ = a.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := a.WriteTo(p, b.LocalAddr()); errors.Is(err, os.ErrDeadlineExceeded) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if sent > most {
			t.Fatalf("%d bytes were taken, and nobody reads", sent)
		}
	}
	buf := make([]byte, 20_000)
	for got := 0; got < sent; {
		n, _, err := b.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		got += n
	}
}

// The take-over of a socket that has had another protocol.
func TestNetPacketConnTakesOver(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", newPackets(echoPackets))
	got := make(chan net.PacketConn, 1)
	pl.Handle().Do(func(c *rondo.PacketConn) { got <- rondo.NetPacketConn(c) })
	c := rig.Await(t, got)
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	if _, err := peer.WriteTo([]byte("hello"), pl.Addr()); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	if n, from, err := c.ReadFrom(buf); err != nil || string(buf[:n]) != "hello" || from.String() != peer.LocalAddr().String() {
		t.Errorf("%q from %v, %v", buf[:n], from, err)
	}
	// An engine that shuts down leaves it to its user, until the time is up.
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("now"))
	_ = e.Shutdown(ctx)
	if _, _, err := c.ReadFrom(buf); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("after the engine's end: %v", err)
	}
}
