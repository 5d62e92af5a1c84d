package sim_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

// With Faults.Join what is sent one after the other arrives together, in one of the directions, and nothing is lost, or out of order.
func TestJoin(t *testing.T) {
	const size = 100
	for seed := range uint64(10) {
		for _, network := range []string{"tcp", "unix"} {
			sizes := map[string]int{}
			w, err := sim.Simulate(sim.Config{Seed: seed + 1, Faults: sim.Faults{Join: 1}, Log: true}, func(w *sim.World) {
				e := w.Host("a").Engine()
				ln, err := e.ListenNet(network, map[string]string{"tcp": ":7", "unix": "/s"}[network])
				if err != nil {
					w.Fatalf("%v", err)
				}
				c := connect(w, e, network, ln.Addr().String())
				s, err := ln.Accept()
				if err != nil {
					w.Fatalf("%v", err)
				}
				want := counting(size)
				for i, ends := range []([2]io.ReadWriter){{c, s}, {s, c}} {
					before := len(packets(w))
					w.Go(func() {
						for i := range want {
							_, _ = ends[0].Write(want[i : i+1])
							w.Sleep(time.Millisecond)
						}
					})
					got := make([]byte, size)
					if _, err := io.ReadFull(ends[1], got); err != nil || !bytes.Equal(got, want) {
						w.Errorf("%v, %v", got, err)
					}
					sizes[[]string{"forth", "back"}[i]] = len(packets(w)) - before
				}
			})
			if err != nil {
				t.Error(err)
			}
			if (sizes["forth"] == size) == (sizes["back"] == size) || len(w.Faults()) != 1 {
				t.Errorf("seed %d, %s: packets: %v; faults: %q", seed+1, network, sizes, w.Faults())
			}
		}
	}
}
