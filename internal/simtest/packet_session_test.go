package simtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/sim"
)

// client is a datagram protocol that keeps what comes.
type client struct{ got []string }

func (*client) Opened(*rondo.PacketConn)        {}
func (*client) Closed(*rondo.PacketConn, error) {}
func (c *client) PacketReceived(_ *rondo.PacketConn, p rondo.Packet) {
	c.got = append(c.got, string(p.Data))
}

// counter is a session that numbers what its peer sends, and does what it says.
type counter struct {
	log  *[]string
	name string
	n    int
}

func (c *counter) note(format string, args ...any) {
	*c.log = append(*c.log, c.name+": "+fmt.Sprintf(format, args...))
}

func (c *counter) Made(*rondo.PacketSession) { c.note("made") }

func (c *counter) PacketReceived(s *rondo.PacketSession, p rondo.Packet) {
	c.n++
	_ = s.Write(fmt.Appendf(nil, "%s %d", p.Data, c.n))
	switch string(p.Data) {
	case "close":
		_ = s.Close()
		_ = s.Close()
		if err := s.Write(nil); !errors.Is(err, rondo.ErrClosed) {
			c.note("write after close: %v", err)
		}
	case "panic":
		panic("as it was told")
	}
}

func (c *counter) Lost(_ *rondo.PacketSession, err error) {
	c.note("lost: %v", strings.SplitN(fmt.Sprint(err), "\n", 2)[0])
}

// sessionRig is a server with sessions, and clients.
type sessionRig struct {
	w    *sim.World
	log  []string
	ps   *rondo.PacketSessions
	pl   *rondo.PacketListener
	at   map[string]rondo.PacketHandle
	from map[string]*client

	errorf func(format string, args ...any) // the test's where the world's error is looked at, and would say it in vain
}

func newSessionRig(w *sim.World, ps *rondo.PacketSessions) *sessionRig {
	r := &sessionRig{w: w, ps: ps, at: map[string]rondo.PacketHandle{}, from: map[string]*client{}, errorf: w.Errorf}
	if ps.New == nil {
		ps.New = func(_ *rondo.PacketConn, first rondo.Packet) rondo.SessionProtocol {
			switch string(first.Data) {
			case "nobody":
				return nil
			case "panic in New":
				panic("no protocol for it")
			}
			return &counter{log: &r.log, name: w.Hosts()[int(first.From.AddrPort.Addr().As4()[3])-1].Name()}
		}
	}
	var err error
	if r.pl, err = w.Host("server").Engine().ListenPacket("udp", ":7", ps); err != nil {
		w.Fatalf("%v", err)
	}
	return r
}

// send has a host send something, and lets a second pass.
func (r *sessionRig) send(host string, what ...string) {
	if r.from[host] == nil {
		r.from[host] = new(client)
		c, err := r.w.Host(host).Engine().DialPacket(context.Background(), "udp", "server:7", r.from[host]).Wait(context.Background())
		if err != nil {
			r.w.Fatalf("%v", err)
		}
		r.at[host] = c.Handle()
	}
	for _, s := range what {
		_ = r.at[host].Write([]byte(s))
	}
	r.w.Sleep(time.Second)
}

func (r *sessionRig) expect(what string, got, want []string) {
	if !slices.Equal(got, want) {
		r.errorf("%s: %q, not %q", what, got, want)
	}
}

func TestPacketSessions(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		r := newSessionRig(w, &rondo.PacketSessions{})
		r.send("a", "x", "y")
		r.send("b", "z", "close")
		r.send("a", "w")
		r.send("b", "again")
		r.send("c", "nobody", "somebody")
		r.expect("a", r.from["a"].got, []string{"x 1", "y 2", "w 3"})
		r.expect("b", r.from["b"].got, []string{"z 1", "close 2", "again 1"})
		r.expect("c", r.from["c"].got, []string{"somebody 1"})
		_ = r.pl.Close()
		w.Sleep(time.Second)
		r.expect("sessions", r.log, []string{
			"a: made", "b: made", "b: lost: <nil>", "b: made", "c: made",
			"a: lost: rondo: use of closed network connection", "b: lost: rondo: use of closed network connection", "c: lost: rondo: use of closed network connection",
		})
	})
}

// Each session's time runs from its own last datagram.
func TestPacketSessionsIdle(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		r := newSessionRig(w, &rondo.PacketSessions{IdleTimeout: 10 * time.Second})
		r.send("a", "x")
		w.Sleep(5 * time.Second)
		r.send("b", "x")
		w.Sleep(2 * time.Second)
		r.send("a", "y") // at nine seconds
		w.Sleep(8 * time.Second)
		r.expect("after 18 seconds", r.log, []string{"a: made", "b: made", "b: lost: rondo: the session was idle"})
		w.Sleep(2 * time.Second)
		r.expect("after 20 seconds", r.log[3:], []string{"a: lost: rondo: the session was idle"})
		r.send("a", "z")
		r.expect("a", r.from["a"].got, []string{"x 1", "y 2", "z 1"})
	})
}

// Sessions that stand are not given up for strangers, unless they have been idle for long.
func TestPacketSessionsLimit(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		r := newSessionRig(w, &rondo.PacketSessions{MaxSessions: 2, EvictAfter: 10 * time.Second})
		r.send("a", "x")
		r.send("b", "x")
		r.send("c", "x")
		r.expect("c is refused", r.log, []string{"a: made", "b: made"})
		if r.ps.Refused() != 1 || r.ps.Len() != 2 {
			w.Errorf("refused %d, of %d", r.ps.Refused(), r.ps.Len())
		}
		w.Sleep(5 * time.Second)
		r.send("a", "y")
		w.Sleep(5 * time.Second)
		r.send("c", "x") // b has been idle for eleven seconds, a for six
		r.expect("b makes room", r.log[2:], []string{"c: made", "b: lost: rondo: the session was idle"})
		r.send("b", "x")
		if r.ps.Refused() != 2 {
			w.Errorf("refused %d", r.ps.Refused())
		}
	})
}

// A stranger for whom New has no session, or panics, costs nobody a session, though somebody has been idle long enough to make room.
func TestPacketSessionsStrangersEvictNobody(t *testing.T) {
	for _, what := range []string{"nobody", "panic in New"} {
		t.Run(what, func(t *testing.T) {
			_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
				r := newSessionRig(w, &rondo.PacketSessions{MaxSessions: 1, EvictAfter: 10 * time.Second})
				r.errorf = t.Errorf
				r.send("a", "x")
				w.Sleep(15 * time.Second)
				r.send("b", what, what)
				r.expect("after strangers", r.log, []string{"a: made"})
				if r.ps.Len() != 1 {
					t.Errorf("%d sessions", r.ps.Len())
				}
				r.send("b", "x") // and this one is welcome
				r.expect("after a guest", r.log, []string{"a: made", "b: made", "a: lost: rondo: the session was idle"})
			})
			if what == "nobody" && err != nil || what != "nobody" && (err == nil || strings.Count(err.Error(), "no protocol for it") != 2) {
				t.Errorf("the world's error is %v", err)
			}
		})
	}
}

// A New that panics makes no session, and is reported. The socket, the sessions that stand, and what has come with the datagram go on; the next datagram asks again.
func TestPacketSessionsNewPanics(t *testing.T) {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		r := newSessionRig(w, &rondo.PacketSessions{})
		r.errorf = t.Errorf
		r.send("a", "x")
		r.send("b", "panic in New", "y", "z")
		r.send("a", "w")
		r.expect("a", r.from["a"].got, []string{"x 1", "w 2"})
		r.expect("b", r.from["b"].got, []string{"y 1", "z 2"})
		r.expect("sessions", r.log, []string{"a: made", "b: made"})
		if !r.pl.Handle().Alive() {
			t.Errorf("the socket has ended")
		}
	})
	if err == nil || strings.Count(err.Error(), "no protocol for it") != 1 {
		t.Errorf("the world's error is %v", err)
	}
}

// A panic ends one session. The others and the socket go on.
func TestPacketSessionsPanic(t *testing.T) {
	_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
		r := newSessionRig(w, &rondo.PacketSessions{})
		r.errorf = t.Errorf
		r.send("a", "x")
		r.send("b", "panic", "y")
		r.send("a", "z")
		r.expect("a", r.from["a"].got, []string{"x 1", "z 2"})
		r.expect("b", r.from["b"].got, []string{"panic 1", "y 1"})
		r.expect("sessions", r.log, []string{"a: made", "b: made", "b: made", "b: lost: rondo: panic in a callback: as it was told"})
	})
	if err == nil || strings.Count(err.Error(), "as it was told") != 1 {
		t.Errorf("the world's error is %v", err)
	}
}

// patient is a session that takes its time to end.
type patient struct{ counter }

func (p *patient) Drain(s *rondo.PacketSession) {
	p.note("drain")
	s.Loop().After(3*time.Second, func() {
		_ = s.Write([]byte("bye"))
		_ = s.Close()
	})
}

func TestPacketSessionsDrain(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		ps := new(rondo.PacketSessions)
		var r *sessionRig
		ps.New = func(_ *rondo.PacketConn, first rondo.Packet) rondo.SessionProtocol {
			return &patient{counter{log: &r.log, name: string(first.Data)}}
		}
		r = newSessionRig(w, ps)
		r.send("a", "a")
		r.send("b", "b")
		w.Host("c").After(time.Second, func() { r.send("c", "too late") })
		since := w.Elapsed()
		if err := w.Host("server").Engine().Shutdown(t.Context()); err != nil {
			w.Errorf("%v", err)
		}
		if d := w.Elapsed() - since; d < 3*time.Second || d > 4*time.Second {
			w.Errorf("it took %v", d)
		}
		w.Sleep(time.Second)
		r.expect("sessions", r.log, []string{"a: made", "b: made", "a: drain", "b: drain", "a: lost: <nil>", "b: lost: <nil>"})
		r.expect("b hears it", r.from["b"].got, []string{"b 1", "bye"})
		if r.ps.Refused() != 1 {
			w.Errorf("refused %d", r.ps.Refused())
		}
	})
}
