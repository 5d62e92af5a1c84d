package rondo_test

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// keeping is how a host's client keeps a connection to a server.
func keeping(e *rondo.Engine, cfg rondo.Reconnect) rondo.Reconnect {
	cfg.Dial = func(ctx context.Context, p rondo.Protocol) *rondo.Future[*rondo.Conn] {
		return rondo.Dialer{Loop: e.Loop(), Timeout: 5 * time.Second}.Dial(ctx, e, "tcp", "server:7000", p)
	}
	if cfg.Protocol == nil {
		cfg.Protocol = func() rondo.Protocol { return &timed{nil, make(chan error, 1)} }
	}
	return cfg
}

func listening(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":7000", func() rondo.Protocol { return &timed{nil, make(chan error, 1)} })
	return err
}

// A server that comes late, dies, and comes again is found each time; the delays grow while it is away, and begin anew afterwards.
func TestReconnect(t *testing.T) {
	sim.Search(t, 50, sim.Config{}, func(w *sim.World) {
		server := w.Host("server")
		e := w.Host("client").Engine()
		var states []rondo.ReconnectState
		r := keeping(e, rondo.Reconnect{First: time.Second, Most: 8 * time.Second, Changed: func(s rondo.ReconnectState) { states = append(states, s) }}).Start(e.Loop())
		w.Sleep(30 * time.Second)
		server.Start(listening)
		w.Sleep(10 * time.Second)
		last := states[len(states)-1]
		if last.Conn == nil {
			w.Fatalf("no connection stands after %d changes", len(states))
		}
		bounds := []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}
		failures := 0
		for _, s := range states {
			if s.Delay == 0 {
				continue
			}
			failures++
			bound := bounds[min(failures, len(bounds))-1]
			if s.Failures != failures || s.Delay > bound || !errors.Is(s.Err, syscall.ECONNREFUSED) {
				w.Errorf("after %d failures: %+v", failures, s)
			}
		}
		if failures < 4 || failures > 60 {
			w.Errorf("%d attempts failed in 30 seconds", failures)
		}

		w.Sleep(20 * time.Second) // it has proved itself
		states = nil
		server.Kill()
		server.Restart()
		w.Sleep(2 * time.Second)
		if len(states) == 0 || states[0].Failures != 1 || states[0].Err == nil || states[len(states)-1].Conn == nil {
			w.Errorf("after a restart: %+v", states)
		}

		states = nil
		r.Stop()
		w.Sleep(time.Second)
		if len(states) != 1 || !states[0].Over || !errors.Is(states[0].Err, rondo.ErrStopped) || e.Conns() != 0 {
			w.Errorf("after Stop: %+v, %d connections", states, e.Conns())
		}
		if _, err := r.Done().Wait(t.Context()); !errors.Is(err, rondo.ErrStopped) {
			w.Errorf("it has ended with %v", err)
		}
	})
}

// A thousand clients whose server restarts do not come back at once.
func TestReconnectSpreads(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		server := w.Host("server")
		server.Start(listening)
		e := w.Host("client").Engine()
		came := map[time.Duration]int{} // in each tenth of a second
		up := 0
		for range 1000 {
			keeping(e, rondo.Reconnect{First: 10 * time.Second, Changed: func(s rondo.ReconnectState) {
				if s.Conn != nil {
					came[w.Elapsed()/(100*time.Millisecond)]++
					up++
				}
			}}).Start(e.Loop())
		}
		w.Sleep(time.Minute)
		if up != 1000 {
			w.Fatalf("%d are connected", up)
		}
		clear(came)
		server.Kill()
		server.Restart()
		w.Sleep(time.Minute)
		if up != 2000 {
			w.Errorf("%d came back", up-1000)
		}
		for when, n := range came {
			if n > 40 { // 10 on average
				w.Errorf("%d came in one tenth of a second, %v", n, when)
			}
		}
	})
}

// What ends it: too many failures, an error after which there is no point, the engine's end; and Connected says so.
func TestReconnectEnds(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  rondo.Reconnect
		end  func(w *sim.World, e *rondo.Engine)
		want error
		at   int // failures
	}{
		"failures": {rondo.Reconnect{Failures: 3}, nil, syscall.ECONNREFUSED, 4},
		"no point": {rondo.Reconnect{GiveUp: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}, nil, syscall.ECONNREFUSED, 1},
		"shutdown": {rondo.Reconnect{First: time.Hour, Most: time.Hour}, func(_ *sim.World, e *rondo.Engine) { _ = e.Shutdown(t.Context()) }, rondo.ErrEngineClosed, 1},
		"close":    {rondo.Reconnect{First: time.Hour, Most: time.Hour}, func(_ *sim.World, e *rondo.Engine) { _ = e.Close() }, rondo.ErrEngineClosed, 1},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				e := w.Host("client").Engine()
				w.Host("server")
				var last rondo.ReconnectState
				c.cfg.Changed = func(s rondo.ReconnectState) { last = s }
				r := keeping(e, c.cfg).Start(e.Loop())
				var failed error
				e.Loop().Post(func() {
					r.Connected().OnDone(func(_ *rondo.Conn, err error) { failed = err })
				})
				w.Sleep(10 * time.Second)
				if c.end != nil {
					c.end(w, e)
				}
				w.Sleep(time.Minute)
				if !last.Over || !errors.Is(last.Err, c.want) || last.Failures != c.at || !errors.Is(failed, c.want) {
					w.Errorf("it ended with %+v, Connected with %v", last, failed)
				}
			})
		})
	}
}

// Stopped in the middle of an attempt, or of a delay, it leaves nothing.
func TestReconnectStopped(t *testing.T) {
	faults := sim.Chaos()
	faults.Spare = []string{"client"} // its engine is asked
	sim.Search(t, 100, sim.Config{Faults: faults}, func(w *sim.World) {
		server := w.Host("server")
		server.Start(listening)
		e := w.Host("client").Engine()
		r := keeping(e, rondo.Reconnect{}).Start(e.Loop())
		w.Sleep(time.Duration(w.Rand().Int64N(int64(20 * time.Second))))
		r.Stop()
		r.Stop()
		w.Sleep(2 * time.Minute)
		if n := e.Conns(); n != 0 {
			w.Errorf("%d connections are left", n)
		}
	})
}

// OnLost is called after the protocol, with the same reason, whenever it was asked for.
func TestOnLost(t *testing.T) {
	e := newTestEngine(t, rondo.Config{})
	r := newRecorder(t)
	c := rig.Result(t, e.Dial(t.Context(), "tcp", e.serve(func() rondo.Protocol { return echo{} }), r))
	told := make(chan string, 10)
	rig.On(t, e.Loop(), func() {
		c.OnLost(func(err error) { told <- "first " + err.Error() })
		c.OnLost(func(error) { panic("the next is called all the same") })
		c.OnLost(func(err error) { told <- "third " + err.Error() })
		c.Abort()
	})
	for _, want := range []string{"first " + rondo.ErrAborted.Error(), "third " + rondo.ErrAborted.Error()} {
		if got := rig.Await(t, told); got != want {
			t.Errorf("%q was told, not %q", got, want)
		}
	}
	rig.On(t, e.Loop(), func() {
		c.OnLost(func(err error) { told <- "late " + err.Error() })
	})
	if got := rig.Await(t, told); got != "late "+rondo.ErrClosed.Error() {
		t.Errorf("%q was told", got)
	}
	e.Log.Await(t, "the next is called all the same")
}
