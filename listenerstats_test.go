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
	"github.com/rondo-go/rondo/sim"
)

// So many connections may come from one address, whatever others have; one that ends makes room.
func TestMaxConnsPerAddr(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		e, err := w.Host("server").New(rondo.Config{Loops: 2})
		if err != nil {
			w.Fatalf("starting: %v", err)
		}
		ln, err := rondo.ListenConfig{MaxConnsPerAddr: 3}.Listen(e, "tcp", ":7000", newEcho)
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		refused := func(host string) bool {
			s := &sink{lost: make(chan error, 1)}
			dialed(w, w.Host(host), s)
			w.Sleep(time.Second)
			if len(s.lost) == 0 {
				return false
			}
			if err := <-s.lost; !errors.Is(err, syscall.ECONNRESET) {
				w.Errorf("it was refused by %v", err)
			}
			return true
		}
		var first *rondo.Conn
		for _, host := range []string{"a", "b"} {
			for i := range 5 {
				if i == 0 && host == "a" {
					first = dialed(w, w.Host(host), &sink{})
				} else if got := refused(host); got != (i >= 3) {
					w.Errorf("connection %d of %s: refused is %v", i, host, got)
				}
			}
		}
		if s, want := ln.Stats(), (rondo.ListenerStats{Accepted: 6, Open: 6, RefusedPerAddr: 4}); s != want {
			w.Errorf("%+v", s)
		}
		first.Handle().Abort()
		w.Sleep(time.Second)
		if s := ln.Stats(); s.Open != 5 {
			w.Errorf("%+v", s)
		}
		if refused("a") || !refused("a") {
			w.Errorf("one that ends makes room for one")
		}
		_ = e.Close()
		if s := ln.Stats(); s.Open != 0 {
			w.Errorf("%+v", s)
		}
		if n := rondo.Origins(ln); n != 0 {
			w.Errorf("%d addresses are remembered", n)
		}
	})
}

// An address of IPv6 stands for its network, and one of IPv4 for itself however it is written.
func TestOrigin(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"},
		{"2001:db8:1:3::", "2001:db8:1:3::"},
		{"fe80::1%eth0", "fe80::"},
		{"::1", "::"},
	} {
		if got := rondo.OriginOf(netip.MustParseAddr(c.addr)); got.String() != c.want {
			t.Errorf("%s counts as %s, not %s", c.addr, got, c.want)
		}
	}
}

// On real sockets: who is refused is reset, and what else is counted.
func TestListenerStats(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("ReusePort %v", reuse), func(t *testing.T) {
			e := newTestEngine(t, rondo.Config{Loops: 2})
			protocols := make(chan rondo.Protocol, 10)
			ln, err := rondo.ListenConfig{ReusePort: reuse, MaxConnsPerAddr: 2}.Listen(e.Engine, "tcp", "127.0.0.1:0", func() rondo.Protocol { return <-protocols })
			if err != nil {
				t.Fatal(err)
			}
			connect := func() (*net.TCPConn, *recorder) {
				r := newRecorder(t)
				protocols <- r
				c := rig.Dial(t, ln.Addr().String())
				rig.Await(t, r.made)
				return c, r
			}
			connect()
			second, r := connect()
			refused, err := net.Dial("tcp", ln.Addr().String())
			if err == nil { // else the reset came while it was being made
				_, err = refused.Read(make([]byte, 1))
				_ = refused.Close()
			}
			if !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("it was refused by %v", err)
			}
			second.Close()
			rig.Await(t, r.lost)
			rig.Eventually(t, "it is counted", func() bool { return ln.Stats().Open == 1 })
			protocols <- nil
			declined := rig.Dial(t, ln.Addr().String())
			rig.ExpectEnd(t, declined, "")
			rig.Eventually(t, "it is counted", func() bool { return ln.Stats().Declined == 1 })
			connect() // the one that was declined has made room
			if s, want := ln.Stats(), (rondo.ListenerStats{Accepted: 4, Open: 2, RefusedPerAddr: 1, Declined: 1}); s != want {
				t.Errorf("%+v, not %+v", s, want)
			}
		})
	}
}

// Paused says that somebody has to wait.
func TestListenerStatsPaused(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		ln, err := rondo.ListenConfig{MaxConns: 1}.Listen(w.Host("server").Engine(), "tcp", ":7000", newEcho)
		if err != nil {
			w.Fatalf("listening: %v", err)
		}
		if ln.Stats().Paused {
			w.Errorf("it is paused at first")
		}
		first := dialed(w, w.Host("client"), &sink{})
		dialed(w, w.Host("client"), &sink{})
		w.Sleep(time.Second)
		if s, want := ln.Stats(), (rondo.ListenerStats{Accepted: 1, Open: 1, Paused: true, Pauses: 1}); s != want {
			w.Errorf("%+v", s)
		}
		first.Handle().Abort()
		w.Sleep(time.Second)
		if s := ln.Stats(); s.Accepted != 2 || s.Open != 1 {
			w.Errorf("%+v", s)
		}
	})
}

// So many connections are accepted a second, after a burst; the others wait.
func TestAcceptLimiter(t *testing.T) {
	for _, reuse := range []bool{false, true} {
		t.Run(fmt.Sprintf("ReusePort %v", reuse), func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				e, err := w.Host("server").New(rondo.Config{Loops: 3})
				if err != nil {
					w.Fatalf("starting: %v", err)
				}
				l := rondo.NewLimiter(10, 20)
				ln, err := rondo.ListenConfig{ReusePort: reuse, AcceptLimiter: l}.Listen(e, "tcp", ":7000", newEcho)
				if err != nil {
					w.Fatalf("listening: %v", err)
				}
				client := w.Host("client").Engine()
				for range 200 {
					client.Dial(t.Context(), "tcp", "server:7000", &sink{})
				}
				accepted := func(after time.Duration, least, most uint64) {
					w.Sleep(after)
					if n := ln.Stats().Accepted; n < least || n > most {
						w.Errorf("%d were accepted, not %d to %d", n, least, most)
					}
				}
				accepted(500*time.Millisecond, 24, 25)
				if !ln.Stats().Paused {
					w.Errorf("it is not paused")
				}
				accepted(5*time.Second, 74, 75)
				l.Set(100, 1)
				accepted(time.Second, 173, 176)
				l.Set(0, 0)
				accepted(time.Second, 200, 200)
				if ln.Stats().Paused {
					w.Errorf("it is still paused")
				}
			})
		})
	}
}
