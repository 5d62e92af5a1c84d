package rondo_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
)

// guest counts the connections that were made and lost.
type guest struct{ made, lost atomic.Int64 }

func (g *guest) ConnectionMade(*rondo.Conn)        { g.made.Add(1) }
func (g *guest) ConnectionLost(*rondo.Conn, error) { g.lost.Add(1) }

func (*guest) DataReceived(c *rondo.Conn, p []byte) int { return echo{}.DataReceived(c, p) }

// stubborn is a guest that does not go when it is asked to.
type stubborn struct{ guest }

func (*stubborn) Drain(*rondo.Conn) {}

// A shutdown while thousands connect: nobody is forgotten between the kernel, the loop that accepts and the one that
// serves, whichever way the shutdown ends.
func TestShutdownInStorm(t *testing.T) {
	for _, test := range []struct {
		name      string
		reusePort bool
		ends      bool // the context does, before the connections
	}{
		{"patient", false, false},
		{"patient, a listener on each loop", true, false},
		{"hurried", false, true},
		{"hurried, a listener on each loop", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			newTestEngine(t, rondo.Config{}).Close()
			check := leavesNothing(t)
			e := newTestEngine(t, rondo.Config{Loops: 4})
			many := int64(2000)
			if e.Poller() == "select" {
				many = 300
			}
			var counts *guest
			accept := func() rondo.Protocol { return counts }
			if s := new(stubborn); test.ends {
				counts, accept = &s.guest, func() rondo.Protocol { return s }
			} else {
				counts = new(guest)
			}
			cfg := rondo.ListenConfig{ReusePort: test.reusePort}
			addr := mustListen(t, e, cfg, "tcp", "127.0.0.1:0", accept).Addr().String()

			var clients sync.WaitGroup
			begin := make(chan struct{})
			enough := make(chan struct{})
			var dialed, answered atomic.Int64
			for range 50 {
				clients.Go(func() {
					var open []net.Conn
					defer func() {
						for _, c := range open {
							c.Close()
						}
					}()
					for dialed.Add(1) <= many {
						c, err := net.Dial("tcp", addr)
						if err != nil {
							break // the listener is closed
						}
						_ = c.(*net.TCPConn).SetLinger(0)
						_ = c.SetDeadline(time.Now().Add(rig.Patience))
						open = append(open, c)
						_, _ = c.Write([]byte("hello"))
						if len(open)%4 == 0 { // others just wait
							_, _ = io.ReadFull(c, make([]byte, 5))
						}
						if answered.Add(1) == many/4 {
							close(enough)
						}
					}
					<-begin
					for _, c := range open { // until the server ends it
						_, _ = io.Copy(io.Discard, c)
					}
				})
			}
			rig.Await(t, enough)
			close(begin)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.ends {
				cancel()
			}
			err := e.Shutdown(ctx)
			if test.ends != errors.Is(err, context.Canceled) || !test.ends && err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			made, lost := counts.made.Load(), counts.lost.Load()
			if made != lost || made == 0 {
				t.Errorf("of %d connections that were made %d have been lost", made, lost)
			}
			clients.Wait()
			t.Logf("%d of %d were served", made, many)
			check()
		})
	}
}

// Dials that are under way when the engine ends are ended too, and leave nothing.
func TestShutdownWhileDialing(t *testing.T) {
	server := newTestEngine(t, rondo.Config{})
	addr := server.serve(newEcho)
	hole := blackHole(t)
	newTestEngine(t, rondo.Config{}).Close()
	check := leavesNothing(t)
	e := newTestEngine(t, rondo.Config{Loops: 2})
	const many = 100
	var g guest
	var ended, failed atomic.Int64
	var dials sync.WaitGroup
	for i := range many {
		dials.Go(func() {
			to := addr
			if i%4 == 0 {
				to = hole
			}
			if _, err := wait(t, e.Dial(t.Context(), "tcp", to, &g)); err != nil {
				if !errors.Is(err, rondo.ErrEngineClosed) {
					t.Errorf("Dial: %v", err)
				}
				failed.Add(1)
			}
			ended.Add(1)
		})
	}
	if err := e.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	dials.Wait()
	if made, lost := g.made.Load(), g.lost.Load(); made != lost || failed.Load() < many/4 {
		t.Errorf("%d made, %d lost, %d failed", made, lost, failed.Load())
	}
	// The other engine's ends of those that were made go when they hear of it.
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	check()
}
