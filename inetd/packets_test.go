package inetd_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/inetd"
	"github.com/rondo-go/rondo/sim"
)

// asking is a client of datagrams.
type asking struct{ heard []string }

func (*asking) Opened(*rondo.PacketConn)        {}
func (*asking) Closed(*rondo.PacketConn, error) {}
func (a *asking) PacketReceived(_ *rondo.PacketConn, p rondo.Packet) {
	a.heard = append(a.heard, string(p.Data))
}

// ask sends datagrams from a port to a service, and returns what comes back.
func ask(t *testing.T, service func() rondo.PacketProtocol, from string, says ...string) (heard []string) {
	t.Helper()
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		server := w.Host("server")
		if _, err := server.Engine().ListenPacket("udp", ":7000", service()); err != nil {
			w.Fatalf("listening: %v", err)
		}
		a := new(asking)
		ln, err := w.Host("client").Engine().ListenPacket("udp", from, a)
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		to := rondo.PacketAddr{AddrPort: netip.AddrPortFrom(server.Addr(), 7000)}
		for _, s := range says {
			if err := ln.Handle().WriteTo([]byte(s), to); err != nil {
				w.Errorf("sending: %v", err)
			}
			w.Sleep(time.Second)
		}
		heard = a.heard
	})
	return heard
}

func TestPackets(t *testing.T) {
	if got := ask(t, inetd.EchoPackets, ":5000", "one", "", "three"); strings.Join(got, ",") != "one,,three" {
		t.Errorf("echo: %q", got)
	}
	if got := ask(t, inetd.DiscardPackets, ":5000", "one", "two"); len(got) > 0 {
		t.Errorf("discard: %q", got)
	}
	if got := ask(t, inetd.TimePackets, ":5000", "", "again"); len(got) != 2 || len(got[0]) != 4 || got[0] == got[1] {
		t.Errorf("time: %q", got)
	}
	if got := ask(t, inetd.DaytimePackets, ":5000", ""); len(got) != 1 || !strings.HasSuffix(got[0], "\r\n") {
		t.Errorf("daytime: %q", got)
	}
	lengths := map[int]bool{}
	pattern := string(inetd.AppendLine(inetd.AppendLine(nil, 0), 1))
	for _, p := range ask(t, inetd.ChargenPackets, ":5000", strings.Split(strings.Repeat("x", 99), "x")...) {
		lengths[len(p)] = true
		if n := min(len(p), len(pattern)); len(p) > 512 || p[:n] != pattern[:n] {
			t.Errorf("chargen: %q", p)
		}
	}
	if len(lengths) < 50 {
		t.Errorf("a hundred answers of chargen have %d lengths", len(lengths))
	}
}

// Nobody is answered who would answer in turn, for ever.
func TestPacketsDoNotLoop(t *testing.T) {
	for _, port := range []string{":7", ":13", ":17", ":19", ":37"} {
		for name, service := range map[string]func() rondo.PacketProtocol{
			"echo": inetd.EchoPackets, "chargen": inetd.ChargenPackets, "daytime": inetd.DaytimePackets, "time": inetd.TimePackets,
		} {
			if got := ask(t, service, port, "one"); len(got) > 0 {
				t.Errorf("%s answers port %s", name, port)
			}
		}
	}
}
