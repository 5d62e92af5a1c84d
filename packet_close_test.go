package rondo_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/internal/sock"
)

// A callback that panics ends its socket, and nothing else.
func TestPacketPanics(t *testing.T) {
	for _, in := range []string{"Opened", "PacketReceived", "ErrorReceived", "Do", "Drain", "Closed"} {
		t.Run(in, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			other := newPackets(echoPackets)
			bystander := mustListenPacket(t, e, "udp", "127.0.0.1:0", other)
			p := &panicking{newPackets(echoPackets), in}
			pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
			peer := udpPeer(t, "udp", "127.0.0.1:0")
			switch in {
			case "PacketReceived":
				_, _ = peer.WriteTo([]byte("x"), pl.Addr())
			case "ErrorReceived":
				_ = pl.Handle().Write([]byte("x"))
			case "Do":
				pl.Handle().Do(func(*rondo.PacketConn) { panic(in) })
			case "Closed":
				_ = pl.Close()
			case "Drain":
				_ = e.Shutdown(t.Context())
			}
			if line := e.Log.Await(t, "did not return"); !strings.Contains(line, in) {
				t.Error(line)
			}
			err := rig.Await(t, p.closed)
			if pe, ok := errors.AsType[*rondo.PanicError](err); in != "Closed" && (!ok || pe.Value != in) {
				t.Errorf("Closed got %v", err)
			}
			if in == "Drain" {
				if err := rig.Await(t, other.closed); err != nil {
					t.Errorf("the other got %v", err)
				}
				return
			}
			if _, err := peer.WriteTo([]byte("alive"), bystander.Addr()); err != nil {
				t.Fatal(err)
			}
			if got := readPackets(t, peer, 1); got[0] != "alive" {
				t.Error(got)
			}
			rig.Eventually(t, "the end of the one", func() bool { return e.Conns() == 1 })
		})
	}
}

type panicking struct {
	*packets
	in string
}

func (p *panicking) fall(in string) {
	if p.in == in {
		panic(in)
	}
}

func (p *panicking) Opened(*rondo.PacketConn) { p.fall("Opened") }

func (p *panicking) PacketReceived(*rondo.PacketConn, rondo.Packet) { p.fall("PacketReceived") }
func (p *panicking) ErrorReceived(*rondo.PacketConn, error)         { p.fall("ErrorReceived") }

func (p *panicking) Drain(c *rondo.PacketConn) {
	p.fall("Drain")
	_ = c.Close()
}

func (p *panicking) Closed(c *rondo.PacketConn, err error) {
	p.packets.Closed(c, err)
	p.fall("Closed")
}

// Each way to end has its reason; what comes after it has no effect.
func TestPacketEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(e *engine, h rondo.PacketHandle)
		want error
	}{
		{"Close", func(_ *engine, h rondo.PacketHandle) { _ = h.Close(); _ = h.Close() }, nil},
		{"Abort", func(_ *engine, h rondo.PacketHandle) { h.Abort() }, rondo.ErrAborted},
		{"Shutdown", func(e *engine, _ rondo.PacketHandle) { _ = e.Shutdown(t.Context()) }, nil},
		{"Engine.Close", func(e *engine, _ rondo.PacketHandle) { _ = e.Close() }, rondo.ErrEngineClosed},
		{"Close and Abort", func(_ *engine, h rondo.PacketHandle) {
			h.Do(func(c *rondo.PacketConn) {
				_ = c.Close()
				if err := c.WriteTo(nil, c.LocalAddr()); !errors.Is(err, rondo.ErrClosed) {
					t.Errorf("WriteTo: %v", err)
				}
				c.Abort()
				_ = c.Close()
				if c.SetTTL(3) == nil || c.LocalAddr().String() == "" {
					t.Error("after the end")
				}
			})
		}, rondo.ErrAborted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{})
			p := newPackets(echoPackets)
			pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
			told := make(chan struct{})
			pl.OnClose(func() { close(told) })
			tt.end(e, pl.Handle())
			if err := rig.Await(t, p.closed); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("Closed got %v", err)
			}
			rig.Await(t, told)
			again := make(chan struct{})
			pl.OnClose(func() { close(again) })
			rig.Await(t, again)
			rig.Eventually(t, "nothing is left", func() bool { return e.Conns() == 0 && len(p.closed) == 0 })
		})
	}
}

// At shutdown what the kernel has is still delivered and answered, also when the loop was too busy to see it before.
func TestPacketDrain(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	p := newPackets(echoPackets)
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	busy, done := make(chan struct{}), make(chan struct{})
	pl.Handle().Do(func(*rondo.PacketConn) { close(busy); <-done })
	rig.Await(t, busy)
	want := numbered(150)
	for _, s := range want {
		if _, err := peer.WriteTo([]byte(s), pl.Addr()); err != nil {
			t.Fatal(err)
		}
	}
	over := make(chan error)
	go func() { over <- e.Shutdown(t.Context()) }()
	rig.Eventually(t, "it refuses to listen", func() bool {
		_, err := e.ListenPacket("unixgram", "/there/is/no/such/folder", p) // which fails without waiting for the loop
		return errors.Is(err, rondo.ErrEngineClosed)
	})
	close(done)
	if got := readPackets(t, peer, len(want)); !slices.Equal(got, want) {
		t.Errorf("%d came back", len(got))
	}
	if err := rig.Await(t, over); err != nil {
		t.Error(err)
	}
	if _, err := e.ListenPacket("udp", "127.0.0.1:0", p); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("listening after the end: %v", err)
	}
	if _, err := e.DialPacket(t.Context(), "udp", "127.0.0.1:9", p).Wait(t.Context()); !errors.Is(err, rondo.ErrEngineClosed) {
		t.Errorf("dialing after the end: %v", err)
	}
}

// A network that takes nothing does not keep a closed socket for ever.
func TestPacketCloseTimeout(t *testing.T) {
	g := &packetGate{onSend: func([]sock.Packet) (int, error) { return 0, syscall.EAGAIN }}
	e := newEngineOver(t, rondo.Config{CloseTimeout: 10 * time.Millisecond}, func(p poller.Poller) poller.Poller {
		g.Poller = p
		return g
	})
	p := newPackets(quiet)
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
	_ = pl.Handle().WriteTo([]byte("x"), pl.LocalAddr())
	_ = pl.Close()
	if err := rig.Await(t, p.closed); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// Nor does one that libraries have.
func TestNetPacketConnCloseTimeout(t *testing.T) {
	g := &packetGate{onSend: func([]sock.Packet) (int, error) { return 0, syscall.EAGAIN }}
	e := newEngineOver(t, rondo.Config{CloseTimeout: 10 * time.Millisecond}, func(p poller.Poller) poller.Poller {
		g.Poller = p
		return g
	})
	c := mustListenNet(t, e, "udp", "127.0.0.1:0")
	_ = c.SetWriteDeadline(time.Now().Add(rig.Patience))
	for range 100 { // more than the socket takes
		if _, err := c.WriteTo(make([]byte, 60_000), c.LocalAddr()); err != nil {
			break
		}
		if e.Conns() != 1 {
			t.Fatal("it is gone")
		}
		_ = c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	}
	_ = c.Close()
	rig.Eventually(t, "its end", func() bool { return e.Conns() == 0 })
}

// An error of the socket itself ends it; news of datagrams does not.
func TestPacketReadErrors(t *testing.T) {
	for errno, ends := range map[syscall.Errno]bool{
		syscall.ECONNREFUSED: false, syscall.ENOBUFS: false, syscall.EPERM: false, syscall.EMSGSIZE: false,
		syscall.EBADF: true, syscall.EIO: true,
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			var fails atomic.Bool
			g := &packetGate{onRecv: func() error {
				if fails.CompareAndSwap(true, false) {
					return errno
				}
				return nil
			}}
			e := gatedEngine(t, g)
			p := newPackets(echoPackets)
			pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
			peer := udpPeer(t, "udp", "127.0.0.1:0")
			fails.Store(true)
			_, _ = peer.WriteTo([]byte("x"), pl.Addr())
			ch := p.errs
			if ends {
				ch = p.closed
			}
			err := rig.Await(t, ch)
			if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "read" || !errors.Is(err, errno) {
				t.Errorf("%v", err)
			}
			if !ends {
				readPackets(t, peer, 1) // the datagram is still there
			}
		})
	}
}

// No descriptors, and descriptors that the poller cannot watch, are the caller's errors, and leave nothing behind.
func TestPacketDescriptors(t *testing.T) {
	for name, g := range map[string]*packetGate{
		"EMFILE": {onOpen: func(sock.PacketOptions) error { return syscall.EMFILE }},
		"limit":  {},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
				g.Poller = p
				if name == "limit" {
					g.Poller = limited{p}
				}
				return g
			})
			p := newPackets(quiet)
			path := filepath.Join(t.TempDir(), "socket")
			_, err1 := e.ListenPacket("unixgram", path, p)
			_, err2 := e.DialPacket(t.Context(), "udp", "127.0.0.1:9", p).Wait(t.Context())
			_, err3 := e.ListenNetPacket("udp", "127.0.0.1:0")
			for i, err := range []error{err1, err2, err3} {
				_, isOp := errors.AsType[*net.OpError](err)
				_, isLimit := errors.AsType[*rondo.LimitError](err)
				if !isOp || isLimit != (name == "limit") || errors.Is(err, syscall.EMFILE) == isLimit {
					t.Errorf("%d: %v", i, err)
				}
			}
			if n := e.Conns(); n != 0 || len(p.opened)+len(p.closed) != 0 {
				t.Errorf("%d are left", n)
			}
			if _, err := os.Lstat(path); err == nil {
				t.Error("the file is left")
			}
			if err := e.Shutdown(t.Context()); err != nil { // which would wait for what was counted
				t.Error(err)
			}
		})
	}
}

// limited is a poller that has no place for anything.
type limited struct{ poller.Poller }

func (limited) Add(fd int, _ uint64, _ poller.Interest) error {
	return &poller.LimitError{Poller: "limited", FD: fd, Limit: 0}
}

func TestUnixPackets(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no Unix datagrams")
	}
	e := newTestEngine(t, rondo.Config{})
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	exists := func(name string) bool { _, err := os.Lstat(path(name)); return err == nil }
	listen := func(name string) (*rondo.PacketListener, *packets, chan rondo.PacketAddr) {
		from := make(chan rondo.PacketAddr, 10)
		p := newPackets(func(c *rondo.PacketConn, p rondo.Packet) {
			from <- p.From
			echoPackets(c, p)
		})
		return mustListenPacket(t, e, "unixgram", name, p), p, from
	}
	server, p, from := listen(path("server"))

	// A peer with a name is answered there; one without has none.
	client, err := net.DialUnix("unixgram", &net.UnixAddr{Name: path("client"), Net: "unixgram"}, &net.UnixAddr{Name: path("server"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(rig.Patience))
	_, _ = client.Write([]byte("hello"))
	if a := rig.Await(t, from); a.Name != path("client") {
		t.Errorf("from %q", a.Name)
	}
	buf := make([]byte, 10)
	if n, err := client.Read(buf); err != nil || string(buf[:n]) != "hello" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	nobody, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path("server"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer nobody.Close()
	_, _ = nobody.Write([]byte("hello"))
	if a := rig.Await(t, from); a.IsValid() {
		t.Errorf("from %v", a)
	}

	// Names that nobody has are told.
	for range 2 {
		_ = server.Handle().WriteTo([]byte("x"), rondo.PacketAddr{Name: path("missing")})
		if err := rig.Await(t, p.errs); !errors.Is(err, syscall.ENOENT) || !strings.Contains(err.Error(), "missing") {
			t.Errorf("%v", err)
		}
	}

	if runtime.GOOS == "linux" {
		_, _, from := listen("@rondo-" + filepath.Base(dir))
		back := make(chan rondo.PacketAddr, 10)
		q := newPackets(func(_ *rondo.PacketConn, p rondo.Packet) { back <- p.From })
		mustListenPacket(t, e, "unixgram", "", q) // with a name that Linux chooses
		c := rig.Await(t, q.opened)
		_ = c.Handle().WriteTo([]byte("x"), rondo.PacketAddr{Name: "@rondo-" + filepath.Base(dir)})
		if a := rig.Await(t, from); a != c.LocalAddr() || a.Name[0] != '@' {
			t.Errorf("from %q, not %q", a.Name, c.LocalAddr())
		}
		if a := rig.Await(t, back); a.Name != "@rondo-"+filepath.Base(dir) {
			t.Errorf("the answer is from %q", a.Name)
		}
	}

	// The file goes with its socket, but not one that has taken its place.
	if _, err := e.ListenPacket("unixgram", path("server"), p); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening again: %v", err)
	}
	_ = server.Close()
	rig.Await(t, p.closed)
	if exists("server") {
		t.Error("the file is left")
	}
	second, p, _ := listen(path("server"))
	_ = os.Remove(path("server"))
	third, q, _ := listen(path("server"))
	_ = second.Close()
	rig.Await(t, p.closed)
	if !exists("server") {
		t.Error("another's file is gone")
	}
	_ = third.Close()
	rig.Await(t, q.closed)
	if exists("server") {
		t.Error("the file is left")
	}
}
