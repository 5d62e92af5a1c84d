package sim_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// aDay is a program with servers and clients, under all faults.
func aDay(w *sim.World) {
	w.Host("server").Start(echoServer)
	for i := range 3 {
		h := w.Host(fmt.Sprintf("client%d", i))
		h.Start(func(h *sim.Host) error {
			e := h.Engine()
			for round := range 20 {
				ctx, cancel := w.WithTimeout(context.Background(), 10*time.Second)
				c, err := e.DialContext(ctx, "tcp", "server:7")
				cancel()
				if err != nil {
					w.Note("%s: %v", h.Name(), err)
					w.Sleep(time.Second)
					continue
				}
				want := make([]byte, 1000*(round+1))
				_ = c.SetDeadline(e.Loop().Now().Add(20 * time.Second))
				if _, err := c.Write(want); err == nil {
					got := make([]byte, len(want))
					n, err := io.ReadFull(c, got)
					w.Note("%s: %d, %v", h.Name(), n, err)
				}
				_ = c.Close()
			}
			return nil
		})
	}
	w.Sleep(3 * time.Minute)
}

func TestDeterminism(t *testing.T) {
	for seed := uint64(1); seed <= 20; seed++ {
		run := func() *sim.World {
			w, err := sim.Simulate(sim.Config{Seed: seed, Faults: sim.Chaos(), Log: true, Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}, aDay)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		a, b := run(), run()
		if d := sim.Diff(a.Log(), b.Log()); d != "" || a.Log().Sum() != b.Log().Sum() {
			t.Fatalf("seed %d:\n%s", seed, d)
		}
		if seed == 1 {
			t.Log(a.Events(), a.Log().Len(), a.Faults())
		}
	}
}

// What is said to have happened has: a host that is down cannot be killed.
func TestFaultsThatDoNothing(t *testing.T) {
	w, err := sim.Simulate(sim.Config{Log: true, Faults: sim.Faults{Kill: time.Second, Repair: time.Hour}}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.Sleep(time.Minute)
	})
	kills := 0
	for _, e := range w.Log().Entries() {
		if e.What == "kill" {
			kills++
		}
	}
	if err != nil || kills != len(w.Faults()) {
		t.Errorf("%d kills, and the faults %q, %v", kills, w.Faults(), err)
	}
}

// A fault that does not exist is not passed over.
func TestUnknownFault(t *testing.T) {
	_, err := sim.Simulate(sim.Config{Faults: sim.Chaos(), Only: []string{"kil server#1"}}, func(w *sim.World) {
		w.Host("server").Start(echoServer)
		w.Sleep(time.Minute)
	})
	if err == nil {
		t.Error("a name that is no fault's passes unseen")
	}
}
