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
