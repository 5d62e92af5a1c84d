package rondo_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// What is longer than there is room for says so, and the next datagram is whole.
func TestPacketTruncated(t *testing.T) {
	for _, tt := range []struct {
		max  int
		size int
		want bool
	}{{0, 65507, false}, {1400, 1400, false}, {1400, 1401, true}, {1, 0, false}, {1, 2, true}, {1 << 20, 65507, false}} {
		e := newTestEngine(t, rondo.Config{})
		got := make(chan rondo.Packet, 10)
		p := newPackets(func(_ *rondo.PacketConn, p rondo.Packet) {
			p.Data = bytes.Clone(p.Data)
			got <- p
		})
		pl, err := (rondo.PacketConfig{MaxPacket: tt.max}).Listen(e.Engine, "udp", "127.0.0.1:0", func() rondo.PacketProtocol { return p })
		if err != nil {
			t.Fatal(err)
		}
		peer := udpPeer(t, "udp", "127.0.0.1:0")
		sent := make([]byte, tt.size)
		for i := range sent {
			sent[i] = byte(i)
		}
		_, _ = peer.WriteTo(sent, pl.Addr())
		_, _ = peer.WriteTo([]byte("n"), pl.Addr())
		first := rig.Await(t, got)
		want := sent
		if tt.want {
			want = sent[:tt.max]
		}
		if first.Truncated != tt.want || !bytes.Equal(first.Data, want) {
			t.Errorf("%d of %d: truncated %v, %d bytes", tt.size, tt.max, first.Truncated, len(first.Data))
		}
		if p := rig.Await(t, got); string(p.Data) != "n" || p.Truncated {
			t.Errorf("then %q, %v", p.Data, p.Truncated)
		}
	}
}

func TestPacketConfigRefused(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	for _, tt := range []struct {
		cfg              rondo.PacketConfig
		network, address string
		want             string
	}{
		{rondo.PacketConfig{MaxPacket: -1}, "udp", ":0", "MaxPacket is -1"},
		{rondo.PacketConfig{MaxPacket: 1<<20 + 1}, "udp", ":0", "MaxPacket is 1048577"},
		{rondo.PacketConfig{WriteLimit: -1}, "udp", ":0", "WriteLimit is -1"},
		{rondo.PacketConfig{ReusePort: true, Loop: e.Loop()}, "udp", ":0", "Loop must be nil"},
		{rondo.PacketConfig{}, "tcp", ":0", "unknown network"},
		{rondo.PacketConfig{}, "udp", "", "missing port"},
		{rondo.PacketConfig{}, "udp", "127.0.0.1:70000", "invalid port"},
	} {
		_, err := tt.cfg.Listen(e.Engine, tt.network, tt.address, func() rondo.PacketProtocol { return newPackets(quiet) })
		if _, ok := errors.AsType[*net.OpError](err); !ok || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v", tt.want, err)
		}
		if tt.cfg.Loop != nil {
			continue
		}
		if _, err := tt.cfg.Dial(t.Context(), e.Engine, tt.network, tt.address, newPackets(quiet)).Wait(t.Context()); err == nil && tt.address != ":0" {
			t.Errorf("dialing %q went well", tt.want)
		}
	}
}

// With ReusePort each loop has a socket of the same port, and what one peer sends goes to one of them.
func TestPacketReusePort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs Linux, whose kernel spreads datagrams")
	}
	e := newTestEngine(t, rondo.Config{Loops: 2})
	var mu sync.Mutex
	by := map[string][]int{}
	pl, err := (rondo.PacketConfig{ReusePort: true}).Listen(e.Engine, "udp", "127.0.0.1:0", func() rondo.PacketProtocol {
		return newPackets(func(c *rondo.PacketConn, p rondo.Packet) {
			mu.Lock()
			by[p.From.String()] = append(by[p.From.String()], c.Loop().Index())
			mu.Unlock()
			echoPackets(c, p)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pl.Handles()) != 2 || e.Conns() != 2 || pl.Handles()[0].LocalAddr() != pl.Handles()[1].LocalAddr() {
		t.Fatalf("%d sockets", len(pl.Handles()))
	}
	loops := map[int]bool{}
	for range 64 {
		peer := udpPeer(t, "udp", "127.0.0.1:0")
		for range 3 {
			_, _ = peer.WriteTo([]byte("x"), pl.Addr())
			readPackets(t, peer, 1)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for from, at := range by {
		if len(slices.Compact(at)) != 1 {
			t.Errorf("%s was heard by loops %v", from, at)
		}
		loops[at[0]] = true
	}
	if len(by) != 64 || len(loops) != 2 {
		t.Errorf("%d peers by %v", len(by), loops)
	}
}

// On a loop listening does not wait, and the socket is that loop's.
func TestListenPacketOnLoop(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 2})
	for _, l := range e.Loops() {
		rig.On(t, l, func() {
			p := newPackets(echoPackets)
			pl, err := e.ListenPacket("udp", "127.0.0.1:0", p)
			if err != nil {
				t.Error(err)
				return
			}
			if c := <-p.opened; c.Loop() != l || pl.Handle() != c.Handle() {
				t.Error("it is another's")
			}
		})
	}
}

func TestPacketPauseReading(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	got := make(chan string, 100)
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", newPackets(func(_ *rondo.PacketConn, p rondo.Packet) { got <- string(p.Data) }))
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	l := pl.Handle().Loop()
	pl.Handle().Do(func(c *rondo.PacketConn) { c.PauseReading() })
	rig.On(t, l, func() {})
	want := numbered(10)
	for _, s := range want {
		_, _ = peer.WriteTo([]byte(s), pl.Addr())
	}
	for range 3 { // a few turns
		rig.On(t, l, func() {})
	}
	if len(got) != 0 {
		t.Errorf("%d have come", len(got))
	}
	pl.Handle().Do(func(c *rondo.PacketConn) { c.ResumeReading() })
	for _, s := range want {
		if s2 := rig.Await(t, got); s2 != s {
			t.Errorf("%q in place of %q", s2, s)
		}
	}
}

// A new protocol takes over at once, also in the midst of a batch.
func TestPacketSetProtocol(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	got := make(chan string, 100)
	second := newPackets(func(_ *rondo.PacketConn, p rondo.Packet) { got <- "second " + string(p.Data) })
	first := newPackets(nil)
	first.received = func(c *rondo.PacketConn, p rondo.Packet) {
		got <- "first " + string(p.Data)
		c.SetProtocol(second)
	}
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", first)
	peer := udpPeer(t, "udp", "127.0.0.1:0")
	pl.Handle().Do(func(*rondo.PacketConn) {
		for _, s := range []string{"a", "b", "c"} {
			_, _ = peer.WriteTo([]byte(s), pl.Addr())
		}
	})
	for _, want := range []string{"first a", "second b", "second c"} {
		if s := rig.Await(t, got); s != want {
			t.Errorf("%q in place of %q", s, want)
		}
	}
	_ = pl.Close()
	if err := rig.Await(t, second.closed); err != nil || len(first.closed) != 0 {
		t.Error("the first was told of the end")
	}
}

// Groups on loopback, by one interface and another's number.
func TestPacketMulticast(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("this machine has no interface lo")
	}
	e := newTestEngine(t, rondo.Config{})
	group := netip.MustParseAddr("239.255.77.1")
	got := make(chan string, 10)
	receive := func(_ *rondo.PacketConn, p rondo.Packet) { got <- string(p.Data) }
	cfg := rondo.PacketConfig{ReuseAddr: true}
	listen := func(at string) rondo.PacketHandle {
		pl, err := cfg.Listen(e.Engine, "udp4", at, func() rondo.PacketProtocol { return newPackets(receive) })
		if err != nil {
			t.Fatal(err)
		}
		return pl.Handle()
	}
	a := listen("0.0.0.0:0")
	b := listen(a.LocalAddr().String()) // the same port
	on := func(h rondo.PacketHandle, fn func(c *rondo.PacketConn) error) {
		t.Helper()
		err := make(chan error, 1)
		h.Do(func(c *rondo.PacketConn) { err <- fn(c) })
		if err := rig.Await(t, err); err != nil {
			t.Error(err)
		}
	}
	for _, h := range []rondo.PacketHandle{a, b} {
		on(h, func(c *rondo.PacketConn) error { return c.JoinGroup(group, lo) })
	}
	sender := listen("127.0.0.1:0")
	to := rondo.PacketAddr{AddrPort: netip.AddrPortFrom(group, a.LocalAddr().AddrPort.Port())}
	for _, set := range []func(c *rondo.PacketConn) error{
		func(c *rondo.PacketConn) error { return c.SetMulticastInterface(lo) },
		func(c *rondo.PacketConn) error { return c.SetMulticastLoopback(true) },
		func(c *rondo.PacketConn) error { return c.SetMulticastTTL(0) },
		func(c *rondo.PacketConn) error { return c.WriteTo([]byte("to all"), to) },
	} {
		on(sender, set)
	}
	for range 2 {
		if s := rig.Await(t, got); s != "to all" {
			t.Error(s)
		}
	}
	for _, h := range []rondo.PacketHandle{a, b} {
		on(h, func(c *rondo.PacketConn) error { return c.LeaveGroup(group, lo) })
	}
	var left error
	on(a, func(c *rondo.PacketConn) error { left = c.LeaveGroup(group, lo); return nil })
	if left == nil {
		t.Error("a group was left twice")
	}
	on(a, func(c *rondo.PacketConn) error {
		if c.JoinGroup(netip.MustParseAddr("10.1.2.3"), nil) == nil {
			t.Error("10.1.2.3 is no group")
		}
		if c.JoinGroup(netip.MustParseAddr("ff02::1"), nil) == nil {
			t.Error("an IPv6 group on an IPv4 socket")
		}
		return nil
	})
}

// Every option is taken by every family that has it.
func TestPacketOptions(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	for _, at := range [][2]string{{"udp4", "127.0.0.1:0"}, {"udp6", "[::1]:0"}, {"udp", ":0"}, {"unixgram", t.TempDir() + "/s"}} {
		h := mustListenPacket(t, e, at[0], at[1], newPackets(quiet)).Handle()
		rig.On(t, h.Loop(), func() {})
		done := make(chan struct{})
		h.Do(func(c *rondo.PacketConn) {
			defer close(done)
			for i, err := range []error{c.SetReadBuffer(100_000), c.SetWriteBuffer(100_000), c.SetTTL(10), c.SetMulticastTTL(10), c.SetMulticastLoopback(false), c.SetMulticastInterface(nil)} {
				if isIP := at[0] != "unixgram"; (err == nil) != (isIP || i < 2) {
					t.Errorf("%v: option %d: %v", at, i, err)
				}
			}
			if err := c.SetBroadcast(true); err != nil {
				t.Errorf("%v: %v", at, err)
			}
			if c.Network() != at[0] {
				t.Errorf("the network is %s", c.Network())
			}
		})
		rig.Await(t, done)
	}
}

// Names are looked up elsewhere than on the loop.
func TestDialPacketNames(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	server := mustListenPacket(t, e, "udp4", "127.0.0.1:0", newPackets(echoPackets))
	_, port, _ := net.SplitHostPort(server.Addr().String())
	got := make(chan string, 1)
	c := rig.Result(t, e.DialPacket(t.Context(), "udp4", "localhost:"+port, newPackets(func(_ *rondo.PacketConn, p rondo.Packet) { got <- string(p.Data) })))
	_ = c.Handle().Write([]byte("x"))
	rig.Await(t, got)
	cfg := rondo.PacketConfig{Resolver: &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no resolver") }}}
	_, err := cfg.Dial(t.Context(), e.Engine, "udp", "nowhere.invalid:1", newPackets(quiet)).Wait(t.Context())
	if _, ok := errors.AsType[*net.OpError](err); !ok || !strings.Contains(err.Error(), "nowhere.invalid") {
		t.Errorf("%v", err)
	}
	// Given up by the future, and by the context.
	stuck := rondo.PacketConfig{Resolver: &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}}
	f := stuck.Dial(t.Context(), e.Engine, "udp", "stuck.invalid:1", newPackets(quiet))
	e.Loop().Post(func() { f.Cancel(errors.New("enough")) })
	if _, err := rig.Outcome(t, f); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	f = stuck.Dial(ctx, e.Engine, "udp", "stuck.invalid:1", newPackets(quiet))
	cancel(errors.New("that will do"))
	if _, err := rig.Outcome(t, f); err == nil || !strings.Contains(err.Error(), "that will do") {
		t.Errorf("%v", err)
	}
}

// A call from elsewhere than the loop is found out.
func TestPacketConnOwned(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Debug: true})
	p := newPackets(quiet)
	mustListenPacket(t, e, "udp", "127.0.0.1:0", p)
	c := rig.Await(t, p.opened)
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, "PacketConn.WriteTo") || !strings.Contains(s, "PacketHandle.WriteTo") {
			t.Errorf("panic %q", s)
		}
	}()
	_ = c.WriteTo(nil, c.LocalAddr())
	t.Error("it was let through")
}

// Netcat, as a user would try it.
func TestPacketNetcat(t *testing.T) {
	nc, err := exec.LookPath("nc")
	if err != nil {
		t.Skip("nc is not installed")
	}
	e := newTestEngine(t, rondo.Config{})
	pl := mustListenPacket(t, e, "udp", "127.0.0.1:0", newPackets(echoPackets))
	cmd := exec.Command(nc, "-u", "-w1", "127.0.0.1", strings.Split(pl.Addr().String(), ":")[1])
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = in.Write([]byte("hello, netcat\n"))
	buf := make([]byte, 100)
	n, err := out.Read(buf)
	if string(buf[:n]) != "hello, netcat\n" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	in.Close()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}
