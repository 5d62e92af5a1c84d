package sim_test

import (
	"bytes"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rondo-go/rondo/sim"
)

const (
	sumsFile  = "testdata/sums.txt"
	sumsHead  = "# What seeds come to, on every machine: a climate, the first and the last seed, and the sums of their logs, folded into one.\n# Made by go test ./sim -run '^TestSums$' -update\n"
	sumsSeeds = 200 // of each climate
	sumsOfRow = 50
)

// climates are kinds of weather for one program.
var climates = []struct {
	name string
	cfg  sim.Config
}{
	{"calm", sim.Config{}},
	{"jitter", sim.Config{Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Bandwidth: 100_000}}},
	{"connections", sim.Config{Faults: sim.Faults{Refuse: 0.1, Lose: 0.1, Silent: 0.1, Abort: 0.1, Reset: 0.2, Stall: 0.2, Cut: 0.3, LookupFail: 0.1, LookupSlow: 0.1}}},
	{"hosts", sim.Config{Faults: sim.Faults{
		Kill: 5 * time.Second, PowerOff: 10 * time.Second, Pause: 5 * time.Second, ClockStep: 5 * time.Second, NoFiles: 5 * time.Second, Partition: 5 * time.Second,
	}}},
	{"chaos", sim.Config{Faults: sim.Chaos(), Link: sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond}}},
}

// A seed does the same on every machine: the sums of the logs are compared with those that somebody's machine has written, whatever the system,
// the architecture and the number of processors. They change with what programs and the simulation do; then -update makes them anew.
func TestSums(t *testing.T) {
	want := map[string]string{}
	if !*update {
		text, err := os.ReadFile(sumsFile)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			if i := bytes.LastIndexByte(line, ' '); line[0] != '#' {
				want[string(line[:i])] = string(line[i+1 : len(line)-1])
			}
		}
	}
	made := bytes.NewBufferString(sumsHead)
	for _, c := range climates {
		for first := uint64(1); first <= sumsSeeds; first += sumsOfRow {
			if first > 1 && (testing.Short() || raceDetector) && !*update {
				break
			}
			folded := uint64(0)
			for seed := first; seed < first+sumsOfRow; seed++ {
				c.cfg.Seed = seed
				w, err := sim.Simulate(c.cfg, aMinute)
				if err != nil {
					t.Fatal(err)
				}
				folded = folded*1099511628211 ^ w.Log().Sum()
			}
			row, sum := fmt.Sprintf("%s %d-%d", c.name, first, first+sumsOfRow-1), fmt.Sprintf("%016x", folded)
			fmt.Fprintln(made, row, sum)
			if !*update && want[row] != sum {
				t.Errorf("%s: the sum is %s in place of %q: the simulation has changed, and then -update writes what it is now; or it is not the same on every machine", row, sum, want[row])
			}
		}
	}
	if *update {
		if err := os.WriteFile(sumsFile, made.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
