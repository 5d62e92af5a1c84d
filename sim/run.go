package sim

import (
	"flag"
	"fmt"
	"testing"
)

// The flags of a test that imports this package. Other programs have their own.
var (
	seedFlag  = new(uint64)
	seedsFlag = new(int)
)

func init() {
	if testing.Testing() {
		flag.Uint64Var(seedFlag, "rondo.seed", 0, "the `seed` of simulations whose Config.Seed is zero; zero is 1")
		flag.IntVar(seedsFlag, "rondo.seeds", 0, "how `many` seeds sim.Search tries, whatever the test asks for; zero leaves it to the test")
	}
}

// Run runs a program in a world of its own: fn makes hosts, starts what they do, waits for what must come, and checks it. When it returns,
// engines that are still open are closed. The test fails if something panics, or waits for ever; with the seed that repeats it.
func Run(t testing.TB, cfg Config, fn func(w *World)) {
	t.Helper()
	if cfg.Seed == 0 {
		cfg.Seed = *seedFlag
	}
	w := newWorld(cfg)
	defer func() {
		if t.Failed() {
			t.Logf("sim: to repeat it: go test -run '^%s$' -rondo.seed=%d", t.Name(), w.seed)
		}
	}()
	if err := w.run(fn); err != nil {
		t.Error(err)
	}
}

// Simulate is Run for programs that are no tests.
func Simulate(cfg Config, fn func(w *World)) (*World, error) {
	w := newWorld(cfg)
	err := w.run(fn)
	if err != nil {
		err = fmt.Errorf("seed %d: %w", w.seed, err)
	}
	return w, err
}
