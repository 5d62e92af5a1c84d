package sim

import (
	"fmt"
	"regexp"
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
		w, err := searchOne(t, cfg, fn)
		if err == nil {
			continue
		}
		if t.Failed() { // not by World.Errorf: it cannot be undone, so it is not tried again either
			t.Logf("sim: seed %d fails; to repeat it: %s", seed, command(t.Name(), seed, w.fired))
			return
		}
		few, runs, err := shrink(cfg, w.Faults(), err, fn)
		t.Errorf("%v\n\nsim: seed %d fails, after %d that did not. Of its %d faults these are enough (%d more runs):\n%sto repeat it: %s",
			err, seed, seed-first, len(w.Faults()), runs, indent(few), command(t.Name(), seed, few))
		if *logFlag != "" {
			cfg.Only, cfg.Log = few, true
			again := newWorld(cfg)
			_ = again.run(fn)
			again.keepLog(t)
		}
		return
	}
}

// searchOne tries one seed. A test that fails by itself in the midst of it, and perhaps ends its goroutine, is told which it was.
func searchOne(t testing.TB, cfg Config, fn func(w *World)) (w *World, err error) {
	t.Helper()
	failed := t.Failed()
	w = newWorld(cfg)
	returned := false
	defer func() {
		if !returned {
			t.Logf("sim: seed %d fails; to repeat it: %s", cfg.Seed, command(t.Name(), cfg.Seed, w.fired))
		}
	}()
	err = w.run(fn)
	returned = true
	if err != nil {
		err = fmt.Errorf("seed %d: %w", w.seed, err)
	} else if t.Failed() && !failed {
		err = errFailed
	}
	return w, err
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
		w := newWorld(cfg)
		e := w.run(fn)
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

// command is a command line for a run: with those faults alone; nil is all that the seed has.
func command(name string, seed uint64, faults []string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	line := fmt.Sprintf("go test -run '%s' -rondo.seed=%d", strings.Join(parts, "/"), seed)
	switch {
	case faults == nil:
		return line
	case len(faults) == 0:
		return line + " -rondo.faults=none"
	}
	return fmt.Sprintf("%s -rondo.faults='%s'", line, strings.Join(faults, ";"))
}
