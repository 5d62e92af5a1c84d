package rondo_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rondo-go/rondo"
	"github.com/rondo-go/rondo/internal/rig"
	"github.com/rondo-go/rondo/sim"
)

// keeper is a Reconnector to port 7000 of the server, and what it has done.
type keeper struct {
	*rondo.Reconnector
	states []rondo.ReconnectState
	dials  int
}

func keep(ctx context.Context, h *sim.Host, cfg rondo.ReconnectConfig) *keeper {
	k := &keeper{}
	e := h.Engine()
	cfg.Dial = func(ctx context.Context) *rondo.Future[*rondo.Conn] {
		k.dials++
		return e.Dial(ctx, "tcp", "server:7000", &sink{})
	}
	on := cfg.OnState
	cfg.OnState = func(s rondo.ReconnectState) {
		k.states = append(k.states, s)
		if on != nil {
			on(s)
		}
	}
	k.Reconnector = cfg.Start(ctx, e)
	return k
}

func (k *keeper) phases() string {
	var s []string
	for _, state := range k.states {
		s = append(s, state.Phase.String())
	}
	return strings.Join(s, " ")
}

func serveEcho(h *sim.Host) error {
	_, err := h.Engine().Listen("tcp", ":7000", newEcho)
	return err
}

func TestBackoffDelay(t *testing.T) {
	b := rondo.Backoff{Initial: 100 * time.Millisecond, Max: time.Second, Factor: 3}
	for _, tt := range []struct {
		b        rondo.Backoff
		failures int
		random   float64
		want     time.Duration
	}{
		{b, 0, 0, 0},
		{b, 0, 0.5, 50 * time.Millisecond},
		{b, 1, 0.5, 150 * time.Millisecond},
		{b, 2, 0.5, 450 * time.Millisecond},
		{b, 3, 0.5, 500 * time.Millisecond},
		{b, 1 << 30, 0.5, 500 * time.Millisecond},
		{rondo.Backoff{}, 0, 0.5, 500 * time.Millisecond},
		{rondo.Backoff{}, 3, 0.5, 4 * time.Second},
		{rondo.Backoff{}, 100, 0.5, 30 * time.Second},
		{rondo.Backoff{Factor: 0.1}, 1 << 30, 0.5, 500 * time.Millisecond},
		{rondo.Backoff{Initial: -1, Max: -1}, 100, 0.5, 30 * time.Second},
		{rondo.Backoff{Initial: time.Hour, Max: time.Second}, 0, 0.5, 500 * time.Millisecond},
	} {
		if got := tt.b.Delay(tt.failures, tt.random); got != tt.want {
			t.Errorf("%+v: after %d it is %v, not %v", tt.b, tt.failures, got, tt.want)
		}
	}
}

// It dials until the server is there, and again when that is gone. A connection that has lasted begins the waits anew.
func TestReconnector(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		server, client := w.Host("server"), w.Host("client")
		k := keep(t.Context(), client, rondo.ReconnectConfig{Backoff: rondo.Backoff{Initial: time.Second, Max: 8 * time.Second}})
		w.After(time.Minute, func() { server.Start(serveEcho) })
		first, err := k.WhenConnected().Wait(t.Context())
		if err != nil || !first.Alive() {
			w.Fatalf("connecting: %v", err)
		}
		within(w, w.Elapsed(), time.Minute, 69*time.Second)
		if again, err := k.WhenConnected().Wait(t.Context()); err != nil || again != first {
			w.Errorf("the connection that stands is %v, %v", again, err)
		}
		failed := 0
		for i, s := range k.states[:len(k.states)-1] {
			want := rondo.PhaseConnecting
			if i%2 == 1 {
				want = rondo.PhaseBackoff
				failed++
				longest := min(time.Second<<(failed-1), 8*time.Second)
				if s.Failures != failed || s.Delay < 0 || s.Delay >= longest || !errors.Is(s.Err, syscall.ECONNREFUSED) {
					w.Errorf("%+v, though at most %v", s, longest)
				}
			}
			if s.Phase != want {
				w.Errorf("state %d is %v", i, s.Phase)
			}
		}
		if failed < 8 || k.dials != failed+1 {
			w.Errorf("%d attempts, %d failed", k.dials, failed)
		}

		w.Sleep(time.Minute)
		k.states = nil
		server.Kill()
		w.Sleep(time.Millisecond * 100)
		server.Restart()
		w.Wait(func() bool { return len(k.states) > 0 && k.states[len(k.states)-1].Phase == rondo.PhaseConnected })
		if s := k.states[0]; s.Phase != rondo.PhaseBackoff || s.Failures != 0 || s.Delay >= time.Second {
			w.Errorf("after a connection that has lasted: %+v", s)
		}
		if second, err := k.WhenConnected().Wait(t.Context()); err != nil || second == first || first.Alive() {
			w.Errorf("the second is %v, %v", second, err)
		}
		k.Stop()
		if reason, err := k.WhenStopped().Wait(t.Context()); !errors.Is(reason, rondo.ErrReconnectorStopped) || err != nil {
			w.Errorf("it has stopped for %v, %v", reason, err)
		}
		if n := client.Engine().Conns(); n != 0 {
			w.Errorf("%d connections are left", n)
		}
	})
}

// A server that accepts and hangs up is not dialed all the time.
func TestReconnectorShortConnections(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		if _, err := w.Host("server").Engine().Listen("tcp", ":7000", func() rondo.Protocol { return nil }); err != nil {
			w.Fatalf("listening: %v", err)
		}
		k := keep(t.Context(), w.Host("client"), rondo.ReconnectConfig{Backoff: rondo.Backoff{Max: 10 * time.Second}})
		w.Sleep(10 * time.Minute)
		if k.dials < 80 || k.dials > 200 {
			w.Errorf("%d attempts in ten minutes", k.dials)
		}
		if last := k.states[len(k.states)-1]; last.Failures < 50 {
			w.Errorf("%+v", last)
		}
	})
}

// What ends it: each time in the phase in which it is told, and with nothing left behind.
func TestReconnectorStops(t *testing.T) {
	boom := errors.New("boom")
	for name, tt := range map[string]struct {
		cfg    rondo.ReconnectConfig
		server bool
		act    func(w *sim.World, k *keeper, cancel context.CancelCauseFunc, client *sim.Host)
		reason error
		phases string
	}{
		"stopped while connecting": {
			act:    func(_ *sim.World, k *keeper, _ context.CancelCauseFunc, _ *sim.Host) { k.Stop(); k.Stop() },
			reason: rondo.ErrReconnectorStopped, phases: "connecting stopped",
		},
		"stopped while waiting": {
			cfg:    rondo.ReconnectConfig{Backoff: rondo.Backoff{Initial: time.Hour, Max: time.Hour}},
			act:    func(w *sim.World, k *keeper, _ context.CancelCauseFunc, _ *sim.Host) { w.Sleep(time.Second); k.Stop() },
			reason: rondo.ErrReconnectorStopped, phases: "connecting waiting stopped",
		},
		"stopped while connected": {
			server: true,
			act:    func(w *sim.World, k *keeper, _ context.CancelCauseFunc, _ *sim.Host) { w.Sleep(time.Second); k.Stop() },
			reason: rondo.ErrReconnectorStopped, phases: "connecting connected stopped",
		},
		"its context": {
			server: true,
			act: func(w *sim.World, _ *keeper, cancel context.CancelCauseFunc, _ *sim.Host) {
				w.Sleep(time.Second)
				cancel(boom)
			},
			reason: boom, phases: "connecting connected stopped",
		},
		"its context while connecting": {
			act:    func(_ *sim.World, _ *keeper, cancel context.CancelCauseFunc, _ *sim.Host) { cancel(boom) },
			reason: boom, phases: "connecting stopped",
		},
		"a shutdown": {
			server: true,
			act: func(w *sim.World, _ *keeper, _ context.CancelCauseFunc, client *sim.Host) {
				w.Sleep(time.Second)
				_ = client.Engine().Shutdown(context.Background()) //nolint:usetesting // it ends at once
			},
			reason: rondo.ErrEngineClosed, phases: "connecting connected stopped",
		},
		"a permanent error": {
			cfg:    rondo.ReconnectConfig{Permanent: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
			reason: syscall.ECONNREFUSED, phases: "connecting stopped",
		},
		"a permanent end": {
			cfg: rondo.ReconnectConfig{Permanent: func(err error) bool { return err == nil }}, server: true,
			act: func(w *sim.World, k *keeper, _ context.CancelCauseFunc, _ *sim.Host) {
				w.Sleep(time.Second)
				_ = k.states[len(k.states)-1].Conn.Close()
			},
			reason: rondo.ErrClosed, phases: "connecting connected stopped",
		},
		"too many attempts": {
			cfg:    rondo.ReconnectConfig{Backoff: rondo.Backoff{Attempts: 3}},
			reason: rondo.ErrGaveUp, phases: "connecting waiting connecting waiting connecting stopped",
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.Run(t, sim.Config{}, func(w *sim.World) {
				server, client := w.Host("server"), w.Host("client")
				if tt.server {
					server.Start(serveEcho)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				k := keep(ctx, client, tt.cfg)
				next := k.WhenConnected()
				if tt.act != nil {
					tt.act(w, k, cancel, client)
				}
				if reason, err := k.WhenStopped().Wait(t.Context()); name != "a shutdown" && (!errors.Is(reason, tt.reason) || err != nil) {
					w.Errorf("it has stopped for %v, %v", reason, err)
				}
				if _, err := next.Wait(t.Context()); !tt.server && !errors.Is(err, tt.reason) {
					w.Errorf("who waits was told %v", err)
				}
				if _, err := k.WhenConnected().Wait(t.Context()); !errors.Is(err, tt.reason) {
					w.Errorf("who asks later was told %v", err)
				}
				if k.phases() != tt.phases {
					w.Errorf("it was %s", k.phases())
				}
				dials := k.dials
				w.Sleep(time.Hour)
				if k.dials != dials || client.Engine().Conns() != 0 {
					w.Errorf("it goes on: %d attempts, %d connections", k.dials-dials, client.Engine().Conns())
				}
			})
		})
	}
}

// A connection that comes too late, from a Dial that does not mind its context, is closed.
func TestReconnectorLateConnection(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		w.Host("server").Start(serveEcho)
		e := w.Host("client").Engine()
		r := rondo.ReconnectConfig{Dial: func(context.Context) *rondo.Future[*rondo.Conn] {
			return e.Dial(context.Background(), "tcp", "server:7000", &sink{}) //nolint:usetesting // that is the test
		}}.Start(t.Context(), e)
		r.Stop()
		stopped := false
		f := r.WhenStopped()
		f.Loop().Post(func() { f.OnDone(func(error, error) { stopped = true }) })
		w.Sleep(time.Second)
		if n := e.Conns(); !stopped || n != 0 {
			w.Errorf("stopped: %v, %d connections", stopped, n)
		}
	})
}

// A Dial that panics is reported, and does not keep a Reconnector from being stopped: what it waits for is nothing that could come.
func TestReconnectorDialPanics(t *testing.T) {
	for name, end := range map[string]func(r *rondo.Reconnector, e *rondo.Engine) error{
		"stopped": func(r *rondo.Reconnector, _ *rondo.Engine) error {
			r.Stop()
			return rondo.ErrReconnectorStopped
		},
		"shut down": func(_ *rondo.Reconnector, e *rondo.Engine) error {
			if err := e.Shutdown(t.Context()); err != nil {
				t.Errorf("shutting down: %v", err)
			}
			return rondo.ErrEngineClosed
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sim.Simulate(sim.Config{}, func(w *sim.World) {
				e := w.Host("client").Engine()
				r := rondo.ReconnectConfig{Dial: func(context.Context) *rondo.Future[*rondo.Conn] { panic("no such address") }}.Start(t.Context(), e)
				waits, stops := r.WhenConnected(), r.WhenStopped()
				var stopped error
				stops.Loop().Post(func() { stops.OnDone(func(reason, _ error) { stopped = reason }) })
				w.Sleep(time.Hour)
				if stopped != nil {
					t.Errorf("it has stopped by itself: %v", stopped)
				}
				want := end(r, e)
				w.Sleep(time.Second)
				if !errors.Is(stopped, want) {
					t.Errorf("it has stopped for %v, not %v", stopped, want)
				}
				if _, err := waits.Wait(t.Context()); !errors.Is(err, want) {
					t.Errorf("who waits for a connection got %v", err)
				}
			})
			if err == nil || strings.Count(err.Error(), "no such address") != 1 {
				t.Errorf("the world's error is %v", err)
			}
		})
	}
}

// Who waits for a connection may stop waiting; the others go on.
func TestReconnectorWaiters(t *testing.T) {
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		k := keep(t.Context(), w.Host("client"), rondo.ReconnectConfig{})
		ctx, cancel := w.WithTimeout(t.Context(), time.Second)
		defer cancel()
		one, other := k.WhenConnected(), k.WhenConnected()
		if _, err := one.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			w.Errorf("waiting: %v", err)
		}
		one.Loop().Post(func() { one.Cancel(context.Canceled) })
		w.Host("server").Start(serveEcho)
		if h, err := other.Wait(t.Context()); err != nil || !h.Alive() {
			w.Errorf("waiting: %v", err)
		}
		if _, err := one.Wait(t.Context()); !errors.Is(err, context.Canceled) {
			w.Errorf("who was cancelled got %v", err)
		}
	})
}

// Whatever becomes of the server, there is never more than one connection, and one soon after the server is back.
func TestReconnectorOverSeeds(t *testing.T) {
	for seed := uint64(1); seed <= 40; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sim.Run(t, sim.Config{Seed: seed}, func(w *sim.World) {
				server, client := w.Host("server"), w.Host("client")
				server.Start(serveEcho)
				k := keep(t.Context(), client, rondo.ReconnectConfig{Backoff: rondo.Backoff{Max: 5 * time.Second}, OnState: func(s rondo.ReconnectState) {
					if most := 1; client.Engine().Conns() > most {
						w.Errorf("%d connections, %v", client.Engine().Conns(), s.Phase)
					}
				}})
				for range 20 {
					w.Sleep(time.Duration(w.Rand().Int64N(int64(20 * time.Second))))
					if w.Rand().IntN(2) == 0 {
						server.Kill()
					} else {
						server.PowerOff()
					}
					w.Sleep(time.Duration(w.Rand().Int64N(int64(20 * time.Second))))
					server.Restart()
				}
				// A machine that was switched off tells nobody: write, so that the loss is found.
				w.Sleep(10 * time.Second)
				for range 40 {
					h, err := k.WhenConnected().Wait(t.Context())
					if err != nil {
						w.Fatalf("connecting: %v", err)
					}
					_, _ = h.Write([]byte("there?"))
					w.Sleep(time.Second)
				}
				h, err := k.WhenConnected().Wait(t.Context())
				if err != nil || !h.Alive() {
					w.Errorf("at last: %v", err)
				}
				ups := 0
				for _, s := range k.states {
					if s.Phase == rondo.PhaseConnected {
						ups++
					}
				}
				if ups < 2 {
					w.Errorf("%d connections in all", ups)
				}
			})
		})
	}
}

// A thousand clients that have lost their server at the same moment return one by one.
func TestReconnectorHerd(t *testing.T) {
	const hosts, each = 10, 100
	sim.Run(t, sim.Config{}, func(w *sim.World) {
		var came []time.Duration
		server := w.Host("server")
		server.Start(func(h *sim.Host) error {
			_, err := h.Engine().Listen("tcp", ":7000", func() rondo.Protocol {
				came = append(came, w.Elapsed())
				return echo{}
			})
			return err
		})
		for i := range hosts {
			for range each {
				keep(t.Context(), w.Host(fmt.Sprint("client", i)), rondo.ReconnectConfig{Backoff: rondo.Backoff{Initial: 10 * time.Second}})
			}
		}
		w.Sleep(time.Minute)
		if len(came) != hosts*each {
			w.Fatalf("%d have come at first", len(came))
		}
		came = nil
		server.Kill()
		server.Restart()
		back := w.Elapsed()
		w.Sleep(2 * time.Minute)
		if len(came) != hosts*each {
			w.Errorf("%d have come back", len(came))
		}
		var in [10]int // seconds of the first longest wait
		for _, at := range came {
			if i := int((at - back) / time.Second); i < len(in) {
				in[i]++
			}
		}
		if slices.Max(in[:]) > 150 || slices.Min(in[:]) < 50 {
			w.Errorf("they came back so many a second: %v", in)
		}
	})
}

// On real sockets, on every poller, and between loops.
func TestReconnectorOnSockets(t *testing.T) {
	e := newTestEngine(t, rondo.Config{Loops: 3})
	made := make(chan *rondo.Conn, 10)
	ln, err := e.Listen("tcp", "127.0.0.1:0", func() rondo.Protocol {
		return &sink{made: func(c *rondo.Conn) { made <- c }}
	})
	if err != nil {
		t.Fatal(err)
	}
	r := rondo.ReconnectConfig{
		Dial: func(ctx context.Context) *rondo.Future[*rondo.Conn] {
			return e.Dial(ctx, "tcp", ln.Addr().String(), &sink{})
		},
		Backoff: rondo.Backoff{Initial: time.Millisecond, Max: time.Millisecond},
	}.Start(t.Context(), e.Engine)
	for range 5 {
		c := rig.Await(t, made)
		h := rig.Result(t, r.WhenConnected())
		c.Handle().Abort()
		rig.Eventually(t, "the loss is noticed", func() bool { return !h.Alive() })
	}
	rig.Await(t, made)
	r.Stop()
	if reason := rig.Result(t, r.WhenStopped()); !errors.Is(reason, rondo.ErrReconnectorStopped) {
		t.Errorf("it has stopped for %v", reason)
	}
	rig.Eventually(t, "nothing is left", func() bool { return e.Conns() == 0 })
}
