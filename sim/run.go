package sim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Run runs a program in a world of its own: fn makes hosts, starts what they do, waits for what must come, and checks it. When it returns,
// engines that are still open are closed. The test fails if something panics or waits for ever, or as World.Errorf says, and tells how to repeat it.
//
// The flags -rondo.seed and -rondo.faults are for a Config without a seed, and -rondo.seeds, -rondo.from and -rondo.for for [Search]: the test's log says of which nothing was
// made. If the test has several simulations, it is enough that one of them has the faults that -rondo.faults asks for. With -rondo.log=FILE the log of a run that fails is written there: drawn, as a page
// if the name ends in .html, or a line for each event if it ends in .log.
func Run(t testing.TB, cfg Config, fn func(w *World)) {
	t.Helper()
	given.run(t, cfg, fn)
}

func (o *runFlags) run(t testing.TB, cfg Config, fn func(w *World)) {
	t.Helper()
	if err := o.check(); err != nil {
		t.Error(err)
		return
	}
	for _, said := range o.unused(cfg.Seed) {
		t.Logf("sim: %s", said)
	}
	asked := cfg.Seed == 0 && o.faults != ""
	if cfg.Seed == 0 {
		cfg.Seed = o.seed
		cfg.Only = o.only(cfg.Only)
	}
	cfg.Log = cfg.Log || o.log != ""
	w := newWorld(cfg)
	var err error
	defer func() {
		if asked {
			w.settle(t, err)
		}
		if t.Failed() {
			w.asideMu.Lock()
			for _, line := range w.aside {
				t.Log(line)
			}
			w.asideMu.Unlock()
			if len(w.fired) > 0 {
				t.Logf("sim: the faults that happened:\n%s", indent(w.fired))
			}
			t.Logf("sim: to repeat it: %s", command(t.Name(), w.seed, cfg.Only))
			w.keepLog(t, o.log)
		}
	}()
	if err = w.run(fn); err == nil && !asked {
		err = w.missed()
	}
	if err != nil {
		t.Error(err)
	}
}

// missed is an error if faults that were asked for have not happened: the run says little then.
func (w *World) missed() error {
	var missed []string
	for _, id := range w.cfg.Only {
		if !slices.Contains(w.fired, id) {
			missed = append(missed, id)
		}
	}
	if missed == nil {
		return nil
	}
	return fmt.Errorf("sim: of the faults asked for these did not happen, since there are none of that name or the program has changed: %s", strings.Join(missed, "; "))
}

// keepLog writes the log of a run that has failed to a file, if one is named, and says where that is: go test runs tests in the folder of their package.
func (w *World) keepLog(t testing.TB, name string) {
	t.Helper()
	if name == "" {
		return
	}
	name, err := filepath.Abs(name)
	if err == nil {
		err = w.writeLog(name)
	}
	if err != nil {
		t.Logf("sim: the log could not be written: %v", err)
	} else {
		t.Logf("sim: its log is in %s", name)
	}
}

func (w *World) writeLog(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	switch filepath.Ext(name) {
	case ".html":
		err = w.log.WriteHTML(f)
	case ".log":
		_, err = w.log.WriteTo(f)
	default:
		err = w.log.Draw(f)
	}
	return errors.Join(err, f.Close())
}

// Simulate is Run for programs that are no tests. The error is what went wrong, and begins with the seed; or that a fault of Config.Only did
// not happen.
func Simulate(cfg Config, fn func(w *World)) (*World, error) {
	w := newWorld(cfg)
	err := w.run(fn)
	if err == nil {
		err = w.missed()
	}
	if err != nil {
		err = fmt.Errorf("seed %d: %w", w.seed, err)
	}
	return w, err
}
