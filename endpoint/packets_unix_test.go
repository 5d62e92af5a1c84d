//go:build unix

package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
	"github.com/rondo-go/rondo/task"
)

// packetCarrier is a column of the table of datagrams. The argument is a network and an address, as in package net. A client of Unix sockets must have a name of its own: one that has none cannot be answered.
type packetCarrier struct{ name, network, listen, local, dial string }

var packetCarriers = []packetCarrier{
	{"udp", "udp", "127.0.0.1:0", "127.0.0.1:0", "ADDR"},
	{"udp6", "udp", "[::1]:0", "[::1]:0", "ADDR"},
	{"unixgram", "unixgram", "DIR/NAME", "DIR/NAME", "ADDR"},
	{"abstract", "unixgram", "@rondo-NAME", "@rondo-NAME", "ADDR"},
	{"sim/udp", "udp", ":0", ":0", "server:PORT"},
	{"sim/unixgram", "unixgram", "/NAME", "/NAME", "ADDR"},
}

// packetServer is a protocol's server in one cell.
type packetServer struct {
	packetCarrier
	engine *rondo.Engine
	at     string
	spawn  func(fn func())
	ctx    context.Context
	addr   net.Addr
	shut   func() error // ends it, in good order
}

// packetVisitor is its client.
type packetVisitor struct {
	packetCarrier
	ctx    context.Context
	engine *rondo.Engine
	to     rondo.PacketAddr // the server
	at     string           // which is there too
	own    func() string
	now    func() time.Time
	close  func() error // the server
	exact  bool
}

type packetRow struct {
	name, of string
	serve    func(s *packetServer) error
	visit    func(v packetVisitor) error
}

func packetRows() []packetRow {
	return []packetRow{
		{"echo", "inetd.EchoPackets", packets(inetd.EchoPackets), echoedPackets},
		{"echo as a task", "", servePacketTask, echoedPackets},
		{"echo as a goroutine", "", serveNetPackets, echoedPackets},
		{"sessions", "rondo.PacketSessions", packets(func() rondo.PacketProtocol {
			return &rondo.PacketSessions{New: func(*rondo.PacketConn, rondo.Packet) rondo.SessionProtocol { return new(counting) }}
		}), countedPackets},
		{"discard", "inetd.DiscardPackets", packets(inetd.DiscardPackets), discardedPackets},
		{"chargen", "inetd.ChargenPackets", packets(inetd.ChargenPackets), charPackets},
		{"daytime", "inetd.DaytimePackets", packets(inetd.DaytimePackets), clockPackets(inetd.FormatDaytime)},
		{"time", "inetd.TimePackets", packets(inetd.TimePackets), clockPackets(func(now time.Time) string { return string(inetd.AppendTime(nil, now)) })},
	}
}

// Every protocol of datagrams runs over every carrier by changing the one place where it is.
func TestPacketsEverywhere(t *testing.T) {
	for _, x := range packetCarriers {
		t.Run(x.name, func(t *testing.T) {
			switch {
			case x.name == "abstract" && runtime.GOOS != "linux":
				t.Skip("it needs abstract names, which only Linux has")
			case x.name == "udp6":
				c, err := net.ListenPacket("udp6", "[::1]:0")
				if err != nil {
					t.Skip("this machine has no IPv6: ", err)
				}
				_ = c.Close()
			}
			for _, r := range packetRows() {
				t.Run(r.name, func(t *testing.T) {
					if strings.HasPrefix(x.name, "sim/") {
						packetsInWorld(t, x, r)
					} else {
						packetsHere(t, x, r)
					}
				})
			}
		})
	}
}

func (x packetCarrier) place(s, dir string) string {
	name := fmt.Sprintf("%d-%d", os.Getpid(), cells.Add(1))
	return strings.NewReplacer("DIR", dir, "NAME", name).Replace(s)
}

func packetsHere(t *testing.T, x packetCarrier, r packetRow) {
	dir := shortDir(t)
	s := &packetServer{packetCarrier: x, engine: rig.New(t, rondo.Config{}).Engine, at: x.place(x.listen, dir), spawn: func(fn func()) { go fn() }, ctx: patient(t)}
	if err := r.serve(s); err != nil {
		t.Fatal(err)
	}
	v := packetVisitor{
		packetCarrier: x, ctx: s.ctx, engine: rig.New(t, rondo.Config{}).Engine, to: rondo.PacketAddrOf(s.addr), at: s.addr.String(),
		own: func() string { return x.place(x.local, dir) }, now: time.Now, close: s.shut,
	}
	if err := r.visit(v); err != nil {
		t.Error(err)
	}
	if err := s.shut(); err != nil {
		t.Error("the server: ", err)
	}
}

func packetsInWorld(t *testing.T, x packetCarrier, r packetRow) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		host := w.Host("server")
		s := &packetServer{packetCarrier: x, engine: host.Engine(), at: x.place(x.listen, ""), spawn: host.Go, ctx: t.Context()}
		if err := r.serve(s); err != nil {
			w.Fatalf("%v", err)
		}
		to := rondo.PacketAddrOf(s.addr)
		at := s.addr.String()
		if x.network == "udp" { // a Unix socket is its host's
			to.AddrPort = netip.AddrPortFrom(host.Addr(), to.AddrPort.Port())
			at = strings.Replace(x.dial, "PORT", fmt.Sprint(to.AddrPort.Port()), 1)
			host = w.Host("client")
		}
		v := packetVisitor{
			packetCarrier: x, ctx: t.Context(), engine: host.Engine(), to: to, at: at, own: func() string { return x.place(x.local, "") }, now: w.Now, close: s.shut, exact: true,
		}
		if err := r.visit(v); err != nil {
			w.Errorf("%v", err)
		}
		if err := s.shut(); err != nil {
			w.Errorf("the server: %v", err)
		}
	})
}

// packets serves a protocol.
func packets(open func() rondo.PacketProtocol) func(*packetServer) error {
	return func(s *packetServer) error {
		ended := rondo.NewPromise[struct{}](s.engine.Loop())
		ln, err := s.engine.ListenPacket(s.network, s.at, &watchedPackets{open(), ended})
		if err != nil {
			return err
		}
		s.addr = ln.Addr()
		s.shut = func() error {
			_ = ln.Close()
			_, err := ended.Future().Wait(s.ctx)
			return err
		}
		return nil
	}
}

// watchedPackets tells how a socket has ended, and is otherwise not there.
type watchedPackets struct {
	rondo.PacketProtocol
	ended *rondo.Promise[struct{}]
}

func (w *watchedPackets) Closed(c *rondo.PacketConn, err error) {
	w.PacketProtocol.Closed(c, err)
	if err != nil {
		w.ended.Reject(err)
		return
	}
	w.ended.Resolve(struct{}{})
}

// servePacketTask is an echo as a task.
func servePacketTask(s *packetServer) error {
	l := s.engine.Loop()
	opened := rondo.NewPromise[*stream.Packets](l)
	ended := task.Go(l, func(t *task.Task) (none struct{}, err error) {
		p, err := stream.ListenPackets(t, s.network, s.at)
		if err != nil {
			opened.Reject(err)
			return none, err
		}
		opened.Resolve(p)
		for {
			in, err := p.Next(t)
			if err != nil {
				return none, onlyClosed(err)
			}
			if err := p.WriteTo(t, in.Data, in.From); err != nil {
				return none, err
			}
		}
	})
	p, err := opened.Future().Wait(s.ctx)
	if err != nil {
		return err
	}
	s.addr = p.LocalAddr().NetAddr()
	s.shut = func() error {
		l.Post(func() { _ = p.Close() })
		_, err := ended.Wait(s.ctx)
		return err
	}
	return nil
}

func onlyClosed(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, rondo.ErrClosed) {
		return nil
	}
	return err
}

// serveNetPackets is an echo as a goroutine, over a net.PacketConn.
func serveNetPackets(s *packetServer) error {
	c, err := s.engine.ListenNetPacket(s.network, s.at)
	if err != nil {
		return err
	}
	s.addr = c.LocalAddr()
	ended := rondo.NewPromise[struct{}](s.engine.Loop())
	s.spawn(func() {
		p := make([]byte, 1<<16)
		for {
			n, from, err := c.ReadFrom(p)
			if err == nil {
				_, err = c.WriteTo(p[:n], from)
			}
			if err != nil {
				if err = onlyClosed(err); err != nil {
					ended.Reject(err)
				}
				ended.Resolve(struct{}{}) // or was rejected
				return
			}
		}
	})
	s.shut = func() error {
		_ = c.Close()
		_, err := ended.Future().Wait(s.ctx)
		return err
	}
	return nil
}

// counting says how many datagrams its peer has sent.
type counting struct{ n int }

func (*counting) Made(*rondo.PacketSession) {}
func (p *counting) PacketReceived(s *rondo.PacketSession, in rondo.Packet) {
	p.n++
	_ = s.Write(fmt.Appendf(nil, "%d %s", p.n, in.Data))
}
func (*counting) Lost(*rondo.PacketSession, error) {}

// asking sends datagrams, each when the one before was answered.
type asking struct {
	to    rondo.PacketAddr
	says  []string
	heard []string
	ended *rondo.Promise[[]string]
}

func (a *asking) Opened(c *rondo.PacketConn) { a.next(c) }

func (a *asking) next(c *rondo.PacketConn) {
	if len(a.heard) == len(a.says) {
		_ = c.Close()
		return
	}
	if err := c.WriteTo([]byte(a.says[len(a.heard)]), a.to); err != nil {
		a.ended.Reject(err)
	}
}

func (a *asking) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	if p.From != a.to || p.Truncated {
		a.ended.Reject(fmt.Errorf("a datagram of %d bytes from %v, not %v", len(p.Data), p.From, a.to))
	}
	a.heard = append(a.heard, string(p.Data))
	a.next(c)
}

func (a *asking) Closed(_ *rondo.PacketConn, err error) {
	if err != nil {
		a.ended.Reject(err)
	}
	a.ended.Resolve(a.heard) // or was rejected
}

// ask asks as a protocol.
func (v packetVisitor) ask(says ...string) ([]string, error) {
	a := &asking{to: v.to, says: says, ended: rondo.NewPromise[[]string](v.engine.Loop())}
	if _, err := v.engine.ListenPacket(v.network, v.own(), a); err != nil {
		return nil, err
	}
	return a.ended.Future().Wait(v.ctx)
}

// config is that of a connected socket: a Unix socket has to be told its own name.
func (v packetVisitor) config() (cfg rondo.PacketConfig) {
	if v.network == "unixgram" {
		cfg.LocalAddr = &net.UnixAddr{Name: v.own(), Net: v.network}
	}
	return cfg
}

// echoedPackets asks as a protocol, as a task and as a goroutine.
func echoedPackets(v packetVisitor) error {
	says := []string{"one", "", strings.Repeat("three", 500)}
	got, err := v.ask(says...)
	if err == nil && !slices.Equal(got, says) {
		err = errNotSaid
	}
	if err != nil {
		return fmt.Errorf("heard %d: %w", len(got), err)
	}
	_, err = task.Go(v.engine.Loop(), func(t *task.Task) (none struct{}, err error) {
		p, err := stream.PacketsConfig{PacketConfig: v.config()}.Dial(t, v.network, v.at)
		if err != nil {
			return none, err
		}
		defer p.Close()
		for _, s := range says {
			if err := p.Write(t, []byte(s)); err != nil {
				return none, err
			}
			if in, err := p.Next(t); err != nil || string(in.Data) != s {
				return none, errors.Join(err, errNotSaid)
			}
		}
		return none, nil
	}).Wait(v.ctx)
	if err != nil {
		return fmt.Errorf("by a task: %w", err)
	}
	as := new(asNetPackets)
	if _, err := v.config().Dial(v.ctx, v.engine, v.network, v.at, as).Wait(v.ctx); err != nil {
		return err
	}
	c := as.Conn
	defer c.Close()
	p := make([]byte, 1<<16)
	for _, s := range says {
		if _, err := c.Write([]byte(s)); err != nil {
			return err
		}
		if n, err := c.Read(p); err != nil || string(p[:n]) != s {
			return fmt.Errorf("by a goroutine: %w", errors.Join(err, errNotSaid))
		}
	}
	return nil
}

// asNetPackets becomes a net.Conn, as DialNetPacket has one, which knows no local name.
type asNetPackets struct{ net.Conn }

func (p *asNetPackets) Opened(c *rondo.PacketConn)                   { p.Conn = rondo.NetPacketConn(c).(net.Conn) }
func (*asNetPackets) PacketReceived(*rondo.PacketConn, rondo.Packet) {}
func (*asNetPackets) Closed(*rondo.PacketConn, error)                {}

var errNotSaid = errors.New("what is heard was not said")

func countedPackets(v packetVisitor) error {
	for range 2 { // each is another peer
		got, err := v.ask("a", "b", "c")
		if err := heard(strings.Join(got, "/"), "1 a/2 b/3 c", err); err != nil {
			return err
		}
	}
	return nil
}

// discardedPackets hears nothing: what would have been sent until the server has closed would have come before what the client then sends to itself.
func discardedPackets(v packetVisitor) error {
	a := &unanswered{to: v.to, first: rondo.NewPromise[struct{}](v.engine.Loop()), ended: rondo.NewPromise[[]string](v.engine.Loop())}
	ln, err := v.engine.ListenPacket(v.network, v.own(), a)
	if err != nil {
		return err
	}
	if _, err := a.first.Future().Wait(v.ctx); err != nil {
		return err
	}
	if err := v.close(); err != nil {
		return err
	}
	ln.Handle().Do(func(c *rondo.PacketConn) {
		to := c.LocalAddr()
		if to.AddrPort.IsValid() && to.AddrPort.Addr().IsUnspecified() {
			to.AddrPort = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), to.AddrPort.Port())
		}
		_ = c.WriteTo([]byte("end"), to)
	})
	got, err := a.ended.Future().Wait(v.ctx)
	return heard(strings.Join(got, "/"), "end", err)
}

// unanswered sends, and then hears itself.
type unanswered struct {
	to    rondo.PacketAddr
	heard []string
	first *rondo.Promise[struct{}]
	ended *rondo.Promise[[]string]
}

func (a *unanswered) Opened(c *rondo.PacketConn) {
	for _, s := range []string{"one", "two"} {
		if err := c.WriteTo([]byte(s), a.to); err != nil {
			a.first.Reject(err)
			return
		}
	}
	a.first.Resolve(struct{}{})
}

func (a *unanswered) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	a.heard = append(a.heard, string(p.Data))
	if string(p.Data) == "end" {
		_ = c.Close()
	}
}

func (a *unanswered) Closed(_ *rondo.PacketConn, err error) {
	if err != nil {
		a.ended.Reject(err)
	}
	a.ended.Resolve(a.heard) // or was rejected
}

// charPackets hears some characters of chargen's, each time another number of them.
func charPackets(v packetVisitor) error {
	var all []byte
	for line := range 10 {
		all = inetd.AppendLine(all, line)
	}
	got, err := v.ask(make([]string, 20)...)
	if err != nil {
		return err
	}
	sizes := map[int]bool{}
	for _, s := range got {
		if len(s) > 512 || !strings.HasPrefix(string(all), s) {
			return fmt.Errorf("heard %s", short(s))
		}
		sizes[len(s)] = true
	}
	if len(got) != 20 || len(sizes) < 2 {
		return fmt.Errorf("heard %d, of sizes %v", len(got), sizes)
	}
	return nil
}

// clockPackets hears what time it is.
func clockPackets(format func(now time.Time) string) func(packetVisitor) error {
	return func(v packetVisitor) error {
		from := v.now()
		got, err := v.ask("when?")
		if err != nil {
			return err
		}
		if !v.exact {
			from = from.Add(-time.Second)
		}
		for at := from; !at.After(v.now().Add(time.Second)); at = at.Add(time.Second) {
			if got[0] == format(at) {
				return nil
			}
		}
		return fmt.Errorf("heard %q at %v", got, v.now())
	}
}
