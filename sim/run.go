package sim

import (
	"flag"
	"fmt"
	"strings"
	"testing"
)

// The flags of a test that imports this package. Other programs have their own.
var (
	seedFlag   = new(uint64)
	seedsFlag  = new(int)
	faultsFlag = new(string)
)

func init() {
	if testing.Testing() {
		flag.Uint64Var(seedFlag, "rondo.seed", 0, "the `seed` of simulations: of sim.Run where Config.Seed is zero, and the only one that sim.Search tries")
		flag.IntVar(seedsFlag, "rondo.seeds", 0, "how `many` seeds sim.Search tries, whatever the test asks for; zero leaves it to the test")
		flag.StringVar(faultsFlag, "rondo.faults", "", "with -rondo.seed: the only `faults` that happen, with semicolons between them, or none")
	}
}

// Run runs a program in a world of its own: fn makes hosts, starts what they do, waits for what must come, and checks it. When it returns,
// engines that are still open are closed. The test fails if something panics or waits for ever, or as World.Errorf says, and tells how to repeat it.
func Run(t testing.TB, cfg Config, fn func(w *World)) {
	t.Helper()
	if cfg.Seed == 0 {
		cfg.Seed = *seedFlag
		cfg.Only = chosenFaults(cfg.Only)
	}
	w := newWorld(cfg)
	defer func() {
		if t.Failed() {
			w.asideMu.Lock()
			for _, line := range w.aside {
				t.Log(line)
			}
			w.asideMu.Unlock()
			t.Logf("sim: to repeat it: go test -run '^%s$' -rondo.seed=%d", t.Name(), w.seed)
		}
	}()
	if err := w.run(fn); err != nil {
		t.Error(err)
	}
}

func chosenFaults(only []string) []string {
	switch *faultsFlag {
	case "":
		return only
	case "none":
		return []string{}
	}
	return strings.Split(*faultsFlag, ";")
}

// Simulate is Run for programs that are no tests. The error is what went wrong, and begins with the seed.
func Simulate(cfg Config, fn func(w *World)) (*World, error) {
	w := newWorld(cfg)
	err := w.run(fn)
	if err != nil {
		err = fmt.Errorf("seed %d: %w", w.seed, err)
	}
	return w, err
}
