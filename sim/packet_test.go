package sim_test

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
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// mail is a datagram protocol that keeps what comes.
type mail struct {
	got    []string
	from   []rondo.PacketAddr
	errs   []error
	closed bool
	reason error
	each   func(c *rondo.PacketConn, p rondo.Packet)
}

func (m *mail) Opened(*rondo.PacketConn) {}

func (m *mail) PacketReceived(c *rondo.PacketConn, p rondo.Packet) {
	m.got, m.from = append(m.got, string(p.Data)), append(m.from, p.From)
	if m.each != nil {
		m.each(c, p)
	}
}

func (m *mail) ErrorReceived(_ *rondo.PacketConn, err error) { m.errs = append(m.errs, err) }
func (m *mail) Closed(_ *rondo.PacketConn, err error)        { m.closed, m.reason = true, err }

func reply(c *rondo.PacketConn, p rondo.Packet) { _ = c.WriteTo(p.Data, p.From) }

// openMail listens on a host.
func openMail(w *sim.World, h *sim.Host, network, address string, m *mail) *rondo.PacketListener {
	pl, err := h.Engine().ListenPacket(network, address, m)
	if err != nil {
		w.Fatalf("%v", err)
	}
	return pl
}

// dialMail connects a host to port 7 of the server.
func dialMail(w *sim.World, h *sim.Host, m *mail) rondo.PacketHandle {
	c, err := h.Engine().DialPacket(background, "udp", "server:7", m).Wait(background)
	if err != nil {
		w.Fatalf("%v", err)
	}
	return c.Handle()
}

// post sends, and lets a second pass.
func post(w *sim.World, c rondo.PacketHandle, what ...string) {
	for _, p := range what {
		if err := c.Write([]byte(p)); err != nil {
			w.Errorf("%v", err)
		}
	}
	w.Sleep(time.Second)
}

func TestPackets(t *testing.T) {
	for _, network := range []string{"udp", "unixgram"} {
		t.Run(network, func(t *testing.T) {
			sim.Run(t, sim.Config{Log: true}, func(w *sim.World) {
				server, at := w.Host("server"), "server:7"
				client, cfg := w.Host("client"), rondo.PacketConfig{}
				listenAt := ":7"
				if network == "unixgram" {
					client, listenAt, at = server, "/run/echo", "/run/echo"
					cfg.LocalAddr = &net.UnixAddr{Net: network} // a name that is chosen
				}
				s, c := &mail{each: reply}, &mail{}
				pl := openMail(w, server, network, listenAt, s)
				conn, err := cfg.Dial(background, client.Engine(), network, at, c).Wait(background)
				if err != nil {
					w.Fatalf("%v", err)
				}
				post(w, conn.Handle(), "one", "", "three")
				if want := []string{"one", "", "three"}; !slices.Equal(s.got, want) || !slices.Equal(c.got, want) {
					w.Errorf("the server got %q, the client %q", s.got, c.got)
				}
				if s.from[0] != conn.LocalAddr() || c.from[0] != conn.RemoteAddr() {
					w.Errorf("from %v and %v, not %v and %v", s.from[0], c.from[0], conn.LocalAddr(), conn.RemoteAddr())
				}
				if network == "unixgram" && pl.Addr().String() != "/run/echo" {
					w.Errorf("the address is %v", pl.Addr())
				}
				_ = pl.Close()
				w.Sleep(time.Second)
				post(w, conn.Handle(), "anybody?")
				if len(c.errs) != 1 || !errors.Is(c.errs[0], syscall.ECONNREFUSED) {
					w.Errorf("the errors are %v", c.errs)
				}
				if !s.closed || s.reason != nil || c.closed {
					w.Errorf("closed: %v and %v", s.closed, c.closed)
				}
			})
		})
	}
}

// What goes wrong on the way, each by itself: by chance, and as a script has it.
func TestPacketFaults(t *testing.T) {
	const n = 200
	ordered := func(got []string) bool { return slices.IsSortedFunc(got, strings.Compare) }
	distinct := func(got []string) int { return len(slices.Compact(slices.Sorted(slices.Values(got)))) }
	for _, tt := range []struct {
		name   string
		faults sim.Faults
		script func(d *sim.Datagram)
		ok     func(got []string) bool
		noted  string
	}{
		{"calm", sim.Faults{}, nil, func(got []string) bool { return len(got) == n && ordered(got) }, ""},
		{"lost", sim.Faults{LosePackets: 0.2}, nil, func(got []string) bool { return len(got) < n && len(got) > n/2 && ordered(got) }, "drop"},
		{"twice", sim.Faults{DuplicatePackets: 0.2}, nil, func(got []string) bool { return len(got) > n && distinct(got) == n }, "double"},
		{"late", sim.Faults{ReorderPackets: 0.2}, nil, func(got []string) bool { return len(got) == n && distinct(got) == n && !ordered(got) }, "late"},
		{"lost by a script", sim.Faults{}, func(d *sim.Datagram) {
			if string(d.Data()) == "017" {
				d.Lose()
			}
		}, func(got []string) bool { return len(got) == n-1 && !slices.Contains(got, "017") }, ""},
		{"twice by a script", sim.Faults{}, func(d *sim.Datagram) {
			if d.Port() == 7 && d.To().Name() == "server" && d.From().Name() == "client" && d.Name() == "client>server:7#3" {
				d.Duplicate(2)
			}
		}, func(got []string) bool { return len(got) == n+2 && distinct(got) == n }, ""},
		{"late by a script", sim.Faults{}, func(d *sim.Datagram) {
			if string(d.Data()) == "000" {
				d.Delay(time.Second)
			}
		}, func(got []string) bool { return len(got) == n && got[n-1] == "000" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sim.Run(t, sim.Config{Faults: tt.faults, Log: true}, func(w *sim.World) {
				if tt.script != nil {
					w.OnDatagram(tt.script)
				}
				s := &mail{}
				openMail(w, w.Host("server"), "udp", ":7", s)
				c := dialMail(w, w.Host("client"), &mail{})
				for i := range n {
					_ = c.Write(fmt.Appendf(nil, "%03d", i))
					w.Sleep(time.Millisecond)
				}
				w.Sleep(2 * time.Second)
				if !tt.ok(s.got) {
					w.Errorf("%d have come, %d different, in order: %v", len(s.got), distinct(s.got), ordered(s.got))
				}
				if noted := strings.Join(w.Faults(), "\n"); tt.noted != "" && !strings.Contains(noted, tt.noted+" client>server:7#") {
					w.Errorf("the faults are %s", noted)
				}
			})
		})
	}
}

// A fault that is left out leaves the others as they are: the same datagrams are lost whether some come twice or not.
func TestPacketFaultsAreApart(t *testing.T) {
	lost := func(f sim.Faults) (names []string) {
		sim.Run(t, sim.Config{Seed: 7, Faults: f}, func(w *sim.World) {
			openMail(w, w.Host("server"), "udp", ":7", &mail{})
			c := dialMail(w, w.Host("client"), &mail{})
			for range 100 {
				post(w, c, "x")
			}
			for _, f := range w.Faults() {
				if strings.HasPrefix(f, "drop") {
					names = append(names, f)
				}
			}
		})
		return names
	}
	alone, among := lost(sim.Faults{LosePackets: 0.1}), lost(sim.Faults{LosePackets: 0.1, DuplicatePackets: 0.5, ReorderPackets: 0.5})
	if len(alone) == 0 || !slices.Equal(alone, among) {
		t.Errorf("%v\nand %v", alone, among)
	}
}

func TestPacketPartition(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		s, c := &mail{each: reply}, &mail{}
		server, client := w.Host("server"), w.Host("client")
		openMail(w, server, "udp", ":7", s)
		h := dialMail(w, client, c)
		w.Partition(server)
		post(w, h, "lost")
		w.Heal()
		post(w, h, "there")
		w.CutOneWay(server, client)
		post(w, h, "unanswered")
		w.Heal()
		server.Kill() // its machine says that nobody has the port
		post(w, h, "anybody?")
		server.PowerOff() // and now nobody says anything
		post(w, h, "hello?")
		if !slices.Equal(s.got, []string{"there", "unanswered"}) || !slices.Equal(c.got, []string{"there"}) {
			w.Errorf("the server got %q, the client %q", s.got, c.got)
		}
		if len(c.errs) != 1 || !errors.Is(c.errs[0], syscall.ECONNREFUSED) {
			w.Errorf("the errors are %v", c.errs)
		}
	})
}

// A host that does not read loses what its socket has no room for.
func TestPacketsOverflow(t *testing.T) {
	sim.Run(t, sim.Config{Log: true}, func(w *sim.World) {
		s := &mail{}
		server := w.Host("server")
		openMail(w, server, "udp", ":7", s)
		h := dialMail(w, w.Host("client"), &mail{})
		server.Pause(5 * time.Second)
		const n = 100
		for range n {
			_ = h.Write(make([]byte, 10_000))
			w.Sleep(time.Millisecond)
		}
		w.Sleep(time.Minute)
		if len(s.got) == 0 || len(s.got) > 128<<10/10_000 {
			w.Errorf("%d of %d have come", len(s.got), n)
		}
		var log bytes.Buffer
		_, _ = w.Log().WriteTo(&log)
		if got := strings.Count(log.String(), " full "); got != n-len(s.got) {
			w.Errorf("%d are said to be lost, of %d that have not come", got, n-len(s.got))
		}
	})
}

// A narrow link takes its time: what has no room waits at the sender, and nothing is lost.
func TestPacketBandwidth(t *testing.T) {
	sim.Run(t, sim.Config{Link: sim.Link{Bandwidth: 1_000_000}}, func(w *sim.World) {
		s := &mail{}
		openMail(w, w.Host("server"), "udp", ":7", s)
		h := dialMail(w, w.Host("client"), &mail{})
		since := w.Elapsed()
		for range 50 {
			if err := h.Write(make([]byte, 20_000-28)); err != nil {
				w.Errorf("%v", err)
			}
		}
		for len(s.got) < 50 {
			w.Sleep(time.Millisecond)
		}
		if d := w.Elapsed() - since; d < time.Second || d > 1010*time.Millisecond {
			w.Errorf("a million bytes took %v", d)
		}
	})
}

// What is stalled comes when that is over, and not before.
func TestPacketStall(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		s := &mail{}
		server, client := w.Host("server"), w.Host("client")
		openMail(w, server, "udp", ":7", s)
		h := dialMail(w, client, &mail{})
		w.Stall(client, server, 10*time.Second)
		post(w, h, "late")
		w.Sleep(8 * time.Second)
		if len(s.got) != 0 {
			w.Errorf("it has come after %v", w.Elapsed())
		}
		w.Sleep(2 * time.Second)
		if len(s.got) != 1 {
			w.Errorf("it has not come after %v", w.Elapsed())
		}
	})
}

func TestPacketGroups(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		group := netip.MustParseAddr("239.1.2.3")
		var all []*mail
		var conns []rondo.PacketHandle
		on := func(i int, fn func(c *rondo.PacketConn)) {
			conns[i].Do(fn)
			w.Sleep(time.Second)
		}
		for i, name := range []string{"a", "b", "c"} {
			m := &mail{}
			all, conns = append(all, m), append(conns, openMail(w, w.Host(name), "udp", ":5353", m).Handle())
			if name != "c" {
				on(i, func(c *rondo.PacketConn) { wants(w, "joining", c.JoinGroup(group, nil), nil) })
			}
		}
		to := func(ip netip.Addr) rondo.PacketAddr { return rondo.PacketAddr{AddrPort: netip.AddrPortFrom(ip, 5353)} }
		send := func(what string, ip netip.Addr) {
			on(0, func(c *rondo.PacketConn) { wants(w, what, c.WriteTo([]byte(what), to(ip)), nil) })
		}
		send("to the group", group)
		on(0, func(c *rondo.PacketConn) { wants(w, "no loopback", c.SetMulticastLoopback(false), nil) })
		send("to others", group)
		on(1, func(c *rondo.PacketConn) { wants(w, "leaving", c.LeaveGroup(group, nil), nil) })
		send("to nobody", group)
		everybody := netip.MustParseAddr("255.255.255.255")
		send("not allowed", everybody)
		if len(all[0].errs) != 1 || !errors.Is(all[0].errs[0], syscall.EACCES) {
			w.Errorf("the errors are %v", all[0].errs)
		}
		on(0, func(c *rondo.PacketConn) { wants(w, "broadcast", c.SetBroadcast(true), nil) })
		send("to everybody", everybody)
		for i, want := range [][]string{{"to the group", "to everybody"}, {"to the group", "to others", "to everybody"}, {"to everybody"}} {
			if !slices.Equal(all[i].got, want) {
				w.Errorf("host %d got %q", i, all[i].got)
			}
		}
		on(0, func(c *rondo.PacketConn) {
			if err := c.JoinGroup(group, &net.Interface{Index: 3}); err == nil || !strings.Contains(err.Error(), "one network interface") {
				w.Errorf("joining on an interface: %v", err)
			}
		})
	})
}

// A Unix socket that does not read is waited for, and nobody else is kept waiting for it.
func TestUnixPacketsWait(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		h := w.Host("a")
		slow, quick := &mail{}, &mail{}
		s := openMail(w, h, "unixgram", "/slow", slow).Handle()
		openMail(w, h, "unixgram", "/quick", quick)
		from := openMail(w, h, "unixgram", "", &mail{}).Handle()
		s.Do(func(c *rondo.PacketConn) { c.PauseReading() })
		w.Sleep(time.Second)
		var want []string
		for i := range 40 {
			want = append(want, fmt.Sprintf("%d %s", i, strings.Repeat(".", 10_000)))
			for _, to := range []string{"/slow", "/quick"} {
				if err := from.WriteTo([]byte(want[i]), rondo.PacketAddr{Name: to}); err != nil {
					w.Errorf("%v", err)
				}
			}
			w.Sleep(time.Millisecond)
		}
		w.Sleep(time.Second)
		if !slices.Equal(quick.got, want) || len(slow.got) != 0 {
			w.Errorf("the quick one got %d, the slow one %d", len(quick.got), len(slow.got))
		}
		s.Do(func(c *rondo.PacketConn) { c.ResumeReading() })
		w.Sleep(time.Second)
		if !slices.Equal(slow.got, want) {
			w.Errorf("the slow one got %d", len(slow.got))
		}
	})
}
