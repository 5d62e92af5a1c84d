package sim_test

import (
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
	"github.com/rondo-go/rondo/stream"
)

// Scripts and chance do to Unix sockets what they do to others, but for what first packets suffer, which these have none of.
func TestFaultsOfUnixSockets(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults sim.Faults
		script func(c *sim.Connection)
		dials  error
		reads  error
		want   func(d time.Duration) bool // how long it takes; nil: less than a second
		drawn  string
	}{
		{name: "calm", script: func(*sim.Connection) {}},
		{name: "refused", script: (*sim.Connection).Refuse, dials: syscall.ECONNREFUSED},
		{name: "aborted", script: (*sim.Connection).Abort, reads: syscall.ECONNRESET},
		{name: "lost", script: func(c *sim.Connection) { c.Lose(3) }},
		{name: "silent", script: (*sim.Connection).Silence},
		{name: "reset before", script: (*sim.Connection).Reset}, // it does not stand yet
		{name: "reset at once", script: func(c *sim.Connection) { c.Forth().ResetAfter(0) }, reads: syscall.ECONNRESET},
		{name: "reset", script: func(c *sim.Connection) { c.Back().ResetAfter(3) }, reads: syscall.ECONNRESET},
		{name: "stalled", script: func(c *sim.Connection) { c.Back().StallAfter(3, time.Minute) }, want: func(d time.Duration) bool { return d > time.Minute }},
		{name: "pieces", script: func(c *sim.Connection) { c.Forth().Pieces(1, 2, 2) }},
		{name: "refuse", faults: sim.Faults{Refuse: 1}, dials: syscall.ECONNREFUSED, drawn: "refuse a>a:/s#1"},
		{name: "abort", faults: sim.Faults{Abort: 1}, reads: syscall.ECONNRESET, drawn: "abort a>a:/s#1"},
		{name: "lose and silent", faults: sim.Faults{Lose: 1, Silent: 1}},
		{name: "stall", faults: sim.Faults{Stall: 1}, want: func(d time.Duration) bool { return d > 10*time.Millisecond }, drawn: "stall a>a:/s#1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := sim.Simulate(sim.Config{Faults: c.faults}, func(w *sim.World) {
				if c.script != nil {
					w.OnConnect(c.script)
				}
				e := w.Host("a").Engine()
				if _, err := e.Listen("unix", "/s", stream.Handle(echoHandler)); err != nil {
					w.Fatalf("%v", err)
				}
				conn, err := e.DialContext(background, "unix", "/s")
				wants(w, "dialing", err, c.dials)
				if err != nil {
					again(w, conn)
					return
				}
				size := 5
				if c.drawn != "" {
					size = 1 << 20
				}
				w.Go(func() { _, _ = conn.Write(make([]byte, size)) })
				_, err = io.ReadFull(conn, make([]byte, size))
				wants(w, "reading", err, c.reads)
				if d := w.Elapsed(); c.want != nil && !c.want(d) || c.want == nil && d > time.Second {
					w.Errorf("it took %v", d)
				}
			})
			if err != nil {
				t.Error(err)
			}
			if c.drawn != "" && !slices.Contains(w.Faults(), c.drawn) || c.drawn == "" && len(w.Faults()) > 0 {
				t.Errorf("faults: %q", w.Faults())
			}
		})
	}
}

// again says that a refused connection has left nothing behind.
func again(w *sim.World, conn net.Conn) {
	if conn != nil || len(w.Connections()) > 0 {
		w.Errorf("%v, %d connections", conn, len(w.Connections()))
	}
}
