package rondo_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/poller"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/internal/sock"
)

// packetGate is a poller whose datagrams do what the test says. Nil hooks pass on.
type packetGate struct {
	poller.Poller
	onOpen func(o sock.PacketOptions) error
	onSend func(packets []sock.Packet) (int, error) // EINPROGRESS: as usual
	onRecv func() error                             // nil: as usual

	fd int // that was sent to last
}

func (g *packetGate) OpenPacket(o sock.PacketOptions) (int, error) {
	if g.onOpen != nil {
		if err := g.onOpen(o); err != nil {
			return -1, err
		}
	}
	return g.Poller.OpenPacket(o)
}

func (g *packetGate) SendPackets(fd int, b *sock.PacketBuffer, packets []sock.Packet) (int, error) {
	g.fd = fd
	if g.onSend != nil {
		if n, err := g.onSend(packets); !errors.Is(err, syscall.EINPROGRESS) {
			return n, err
		}
	}
	return g.Poller.SendPackets(fd, b, packets)
}

func (g *packetGate) RecvPackets(fd int, b *sock.PacketBuffer, size int) ([]sock.Packet, error) {
	if g.onRecv != nil {
		if err := g.onRecv(); err != nil {
			return nil, err
		}
	}
	return g.Poller.RecvPackets(fd, b, size)
}

func gatedEngine(t testing.TB, g *packetGate) *engine {
	t.Helper()
	return newEngineOver(t, rondo.Config{}, func(p poller.Poller) poller.Poller {
		g.Poller = p
		return g
	})
}

// read reads n datagrams.
func readPackets(t testing.TB, c net.PacketConn, n int) (got []string) {
	t.Helper()
	buf := make([]byte, 1<<16)
	for range n {
		k, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(buf[:k]))
	}
	return got
}

func numbered(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprint("datagram ", i))
	}
	return all
}

func quiet(*rondo.PacketConn, rondo.Packet) {}

// What one callback writes goes out in as few calls as possible, in its order.
func TestPacketsAreGathered(t *testing.T) {
	var calls []int
	g := &packetGate{onSend: func(p []sock.Packet) (int, error) {
		calls = append(calls, len(p))
		return 0, syscall.EINPROGRESS
	}}
	e := gatedEngine(t, g)
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", newPackets(quiet))
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	to := rondo.PacketAddrOf(peer.LocalAddr())
	want := numbered(100)
	pl.Handle().Do(func(c *rondo.PacketConn) {
		for _, s := range want {
			if err := c.WriteTo([]byte(s), to); err != nil {
				t.Error(err)
			}
		}
	})
	if got := readPackets(t, peer, 100); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	rig.On(t, pl.Handle().Loop(), func() {
		if !slices.Equal(calls, []int{64, 36}) {
			t.Errorf("the calls were %v", calls)
		}
	})
}

// The error of one datagram does not lose the others, and says where it went.
func TestPacketErrorsAreApart(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	p := newPackets(quiet)
	pl := mustListenPacket(t, e, "udp4", "127.0.0.1:0", p)
	peer := udpPeer(t, "udp4", "127.0.0.1:0")
	to := rondo.PacketAddrOf(peer.LocalAddr())
	broadcast := rondo.PacketAddr{AddrPort: netip.MustParseAddrPort("255.255.255.255:9")} // which is not allowed, also in a row
	pl.Handle().Do(func(c *rondo.PacketConn) {
		for i, s := range numbered(20) {
			_ = c.WriteTo([]byte(s), to)
			if i%10 == 0 {
				_ = c.WriteTo([]byte("not allowed"), broadcast)
				_ = c.WriteTo([]byte("not allowed"), broadcast)
			}
		}
		if err := c.WriteTo(make([]byte, 65508), to); !errors.Is(err, syscall.EMSGSIZE) {
			t.Errorf("too much: %v", err)
		}
		if err := c.WriteTo(nil, rondo.PacketAddr{Name: "/a"}); err == nil {
			t.Error("a path was taken for an address of UDP")
		}
		if err := c.WriteTo(nil, rondo.PacketAddr{AddrPort: netip.MustParseAddrPort("[::1]:9")}); err == nil {
			t.Error("an IPv6 address went to an IPv4 socket")
		}
	})
	if got := readPackets(t, peer, 20); !slices.Equal(got, numbered(20)) {
		t.Errorf("%q", got)
	}
	for range 4 {
		err := rig.Await(t, p.errs)
		op, ok := errors.AsType[*net.OpError](err)
		if !ok || op.Op != "write" || op.Addr.String() != broadcast.String() || !errors.Is(err, syscall.EACCES) {
			t.Errorf("%v", err)
		}
	}
}

// What the kernel has no room for waits, in its order; beyond the limit it is refused and not lost; and the protocol hears when to
// pause and when to go on.
func TestPacketsWaitForRoom(t *testing.T) {
	blocked := true
	g := &packetGate{}
	g.onSend = func(p []sock.Packet) (int, error) {
		if blocked {
			return 0, syscall.EAGAIN
		}
		return 0, syscall.EINPROGRESS
	}
	e := gatedEngine(t, g)
	p := &pressed{packets: newPackets(quiet), told: make(chan string, 10)}
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	to := rondo.PacketAddrOf(peer.LocalAddr())
	pl, err := (rondo.PacketConfig{WriteLimit: 100 * (200 + 64)}).Listen(e.Engine, "udp", "127.0.0.1:0", func() rondo.PacketProtocol { return p })
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	pl.Handle().Do(func(c *rondo.PacketConn) {
		for i := range 110 {
			s := fmt.Sprintf("%-200d", i)
			switch err := c.WriteTo([]byte(s), to); {
			case err == nil:
				want = append(want, s)
			case !errors.Is(err, rondo.ErrPacketQueueFull):
				t.Errorf("%v", err)
			}
			if c.Buffered() > 100*(200+64) {
				t.Errorf("%d bytes wait", c.Buffered())
			}
		}
		if len(want) != 100 {
			t.Errorf("%d were taken", len(want))
		}
	})
	if s := rig.Await(t, p.told); s != "pause" {
		t.Error(s)
	}
	rig.On(t, pl.Handle().Loop(), func() { blocked = false }) // it polls writable, so it goes on by itself
	if s := rig.Await(t, p.told); s != "resume" {
		t.Error(s)
	}
	if got := readPackets(t, peer, 100); !slices.Equal(got, want) {
		t.Errorf("%d of them: %q", len(got), got)
	}
}

// pressed is told of pressure.
type pressed struct {
	*packets
	told chan string
}

func (p *pressed) PauseWriting(*rondo.PacketConn)  { p.told <- "pause" }
func (p *pressed) ResumeWriting(*rondo.PacketConn) { p.told <- "resume" }

// Without being blocked, a small limit is no reason to refuse: what is gathered is sent.
func TestPacketsBelowNoPressure(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	pl, err := (rondo.PacketConfig{WriteLimit: 1}).Listen(e.Engine, "udp", "127.0.0.1:0", func() rondo.PacketProtocol { return newPackets(quiet) })
	if err != nil {
		t.Fatal(err)
	}
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	pl.Handle().Do(func(c *rondo.PacketConn) {
		for _, s := range numbered(50) {
			if err := c.WriteTo([]byte(s), rondo.PacketAddrOf(peer.LocalAddr())); err != nil {
				t.Error(err)
			}
		}
	})
	if got := readPackets(t, peer, 50); !slices.Equal(got, numbered(50)) {
		t.Errorf("%q", got)
	}
}

// An error that has waited at a connected socket costs no datagram.
func TestPacketWaitingErrorLosesNothing(t *testing.T) {
	pending := true
	g := &packetGate{}
	g.onSend = func([]sock.Packet) (int, error) {
		if pending {
			pending = false
			return 0, syscall.ECONNREFUSED
		}
		return 0, syscall.EINPROGRESS
	}
	e := gatedEngine(t, g)
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	p := newPackets(quiet)
	c := rig.Result(t, e.DialPacket(t.Context(), "udp", peer.LocalAddr().String(), p))
	c.Handle().Do(func(c *rondo.PacketConn) {
		for _, s := range numbered(5) {
			_ = c.Write([]byte(s))
		}
	})
	if got := readPackets(t, peer, 5); !slices.Equal(got, numbered(5)) {
		t.Errorf("%q", got)
	}
	err := rig.Await(t, p.errs)
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "read" || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v", err)
	}
}

// A Unix socket that does not read is waited for, on the kernel's own sockets.
func TestUnixPacketsWait(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	dir := t.TempDir()
	for _, connected := range []bool{false, true} {
		t.Run(fmt.Sprint("connected ", connected), func(t *testing.T) {
			path := fmt.Sprintf("%s/%v", dir, connected)
			peer, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			var h rondo.PacketHandle
			if connected {
				h = rig.Result(t, e.DialPacket(t.Context(), "unixgram", path, newPackets(quiet))).Handle()
			} else {
				h = mustListenPacket(t, e, "unixgram", "", newPackets(quiet)).Handle()
			}
			want := numbered(2000)
			h.Do(func(c *rondo.PacketConn) {
				for _, s := range want {
					err := error(nil)
					if connected {
						err = c.Write([]byte(s))
					} else {
						err = c.WriteTo([]byte(s), rondo.PacketAddr{Name: path})
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if c.Buffered() == 0 {
					t.Error("the kernel has taken all: the test shows nothing")
				}
				_ = c.Close() // which sends what waits
			})
			if got := readPackets(t, peer, len(want)); !slices.Equal(got, want) {
				t.Errorf("%d of them", len(got))
			}
		})
	}
}

// From any goroutine: in order, bounded, and with the errors told.
func TestPacketHandle(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	p := newPackets(quiet)
	pl, err := (rondo.PacketConfig{WriteLimit: 10 << 10}).Listen(e.Engine, "udp", "127.0.0.1:0", func() rondo.PacketProtocol { return p })
	if err != nil {
		t.Fatal(err)
	}
	h := pl.Handle()
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	to := rondo.PacketAddrOf(peer.LocalAddr())
	for _, s := range numbered(20) {
		if err := h.WriteTo([]byte(s), to); err != nil {
			t.Fatal(err)
		}
	}
	if got := readPackets(t, peer, 20); !slices.Equal(got, numbered(20)) {
		t.Errorf("%q", got)
	}
	_ = h.Write([]byte("to whom?"))
	if err := rig.Await(t, p.errs); !strings.Contains(err.Error(), "not connected") {
		t.Errorf("%v", err)
	}

	// A loop that is busy is not given more than there is room for.
	busy, done := make(chan struct{}), make(chan struct{})
	h.Do(func(*rondo.PacketConn) { close(busy); <-done })
	rig.Await(t, busy)
	taken := 0
	for err = nil; err == nil; taken++ {
		err = h.WriteTo(bytes.Repeat([]byte("x"), 1000-64), to)
	}
	if taken--; !errors.Is(err, rondo.ErrPacketQueueFull) || taken != 10 {
		t.Errorf("%d were taken, and then %v", taken, err)
	}
	close(done)
	readPackets(t, peer, taken)
	if err := h.WriteTo([]byte("again"), to); err != nil {
		t.Error(err)
	}

	_ = h.Close()
	rig.Await(t, p.closed)
	if h.Alive() || h.Do(func(*rondo.PacketConn) {}) || !errors.Is(h.WriteTo(nil, to), rondo.ErrClosed) {
		t.Error("the handle lives on")
	}
	var zero rondo.PacketHandle
	if zero.Alive() || zero.Loop() != nil || zero.LocalAddr().IsValid() || !errors.Is(zero.Write(nil), rondo.ErrClosed) {
		t.Error("the zero handle is of something")
	}
}
