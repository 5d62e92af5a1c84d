package sim

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Search runs a program with seeds 1 to n, or from cfg.Seed on, until one fails: see [Run], but that fn must say so by World.Errorf and the like, and must be as
// good the second time as the first. Then it looks for few faults with which that seed still fails, and the test fails with the
// command line that repeats just that.
//
// The flag -rondo.seeds says how many seeds to try in place of n, and -rondo.seed to try only one.
func Search(t testing.TB, n int, cfg Config, fn func(w *World)) {
	t.Helper()
	first := max(cfg.Seed, 1)
	if *seedsFlag > 0 {
		n = *seedsFlag
	}
	if *seedFlag > 0 {
		first, n = *seedFlag, 1
		if cfg.Only = chosenFaults(cfg.Only); cfg.Only != nil {
			cfg.Seed = first
			if _, err := Simulate(cfg, fn); err != nil {
				t.Error(err)
			}
			return
		}
	}
	for seed := first; seed < first+uint64(n); seed++ {
		cfg.Seed = seed
		w, err := Simulate(cfg, fn)
		if err == nil {
			continue
		}
		few, runs, err := shrink(cfg, w.Faults(), err, fn)
		t.Errorf("%v\n\nsim: seed %d fails, after %d that did not. Of its %d faults these are enough (%d more runs):\n%sto repeat it: %s",
			err, seed, seed-first, len(w.Faults()), runs, indent(few), command(t.Name(), seed, few))
		return
	}
}

// shrinkRuns is how often a program is run to find fewer faults.
const shrinkRuns = 300

// shrink takes faults away as long as the program fails without them: first half of them, then a quarter, and so on (delta debugging, Zeller and Hildebrandt 2002).
func shrink(cfg Config, faults []string, err error, fn func(w *World)) (few []string, runs int, failure error) {
	fails := func(only []string) bool {
		if runs >= shrinkRuns {
			return false
		}
		runs++
		cfg.Only = only
		if cfg.Only == nil {
			cfg.Only = []string{}
		}
		w, e := Simulate(cfg, fn)
		if e == nil {
			return false
		}
		err = e
		few = slices.DeleteFunc(slices.Clone(only), func(id string) bool { return !slices.Contains(w.fired, id) }) // some do not come to it
		return true
	}
	few = slices.Clone(faults)
	if fails(nil) {
		return few, runs, err
	}
	for parts := 2; len(few) > 0; {
		size := (len(few) + parts - 1) / parts
		found := false
		for at := 0; at < len(few); at += size {
			rest := slices.Delete(slices.Clone(few), at, min(at+size, len(few)))
			if fails(rest) {
				found = true
				break
			}
		}
		switch {
		case found:
			parts = max(parts-1, 2)
		case size <= 1 || runs >= shrinkRuns:
			return few, runs, err
		default:
			parts = min(2*parts, len(few))
		}
	}
	return few, runs, err
}

func indent(faults []string) string {
	if len(faults) == 0 {
		return "  none\n"
	}
	return "  " + strings.Join(faults, "\n  ") + "\n"
}

func command(name string, seed uint64, faults []string) string {
	list := "none"
	if len(faults) > 0 {
		list = strings.Join(faults, ";")
	}
	return fmt.Sprintf("go test -run '^%s$' -rondo.seed=%d -rondo.faults='%s'", strings.ReplaceAll(name, "/", "$/^"), seed, list)
}
