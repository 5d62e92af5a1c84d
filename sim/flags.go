package sim

import (
	"flag"
	"fmt"
	"math"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// runFlags are the flags of a test that imports this package.
type runFlags struct {
	seed, from uint64
	seeds      int
	span       time.Duration
	faults     string
	log        string
}

// given are those of this process. Programs that are no tests have flags of their own.
var given runFlags

func init() {
	if testing.Testing() {
		given.declare(flag.CommandLine)
	}
}

func (o *runFlags) declare(f *flag.FlagSet) {
	f.Uint64Var(&o.seed, "rondo.seed", 0, "the `seed` of simulations: the only one that sim.Search tries, and that of sim.Run unless the test sets Config.Seed")
	f.Uint64Var(&o.from, "rondo.from", 0, "the first `seed` that sim.Search tries, and nothing to sim.Run; zero leaves it to the test, and if that does not say, it is 1")
	f.IntVar(&o.seeds, "rondo.seeds", 0, "how `many` seeds sim.Search tries, whatever the test asks for, and nothing to sim.Run, which has one; zero leaves it to the test")
	f.DurationVar(&o.span, "rondo.for", 0, "how `long` each sim.Search goes on to try seeds, in real time and in place of a number, as 10m; nothing to sim.Run; zero leaves it to the test")
	f.StringVar(&o.log, "rondo.log", "", "where the log of a simulation that fails is written: a `file`, as a page if it ends in .html")
	f.StringVar(&o.faults, "rondo.faults", "", "with -rondo.seed, and where that is made use of: the only `faults` that happen, with semicolons between them, or none")
}

// check says what makes no sense.
func (o *runFlags) check() error {
	switch {
	case o.seeds < 0:
		return fmt.Errorf("sim: -rondo.seeds=%d is no number of seeds: give one that is greater than zero", o.seeds)
	case o.span < 0:
		return fmt.Errorf("sim: -rondo.for=%v is no time to search: give one that is greater than zero", o.span)
	case o.seeds > 0 && o.span > 0:
		return fmt.Errorf("sim: -rondo.seeds=%d and -rondo.for=%v both say when a search ends: give one of them", o.seeds, o.span)
	case o.seed > 0 && (o.seeds > 0 || o.span > 0 || o.from > 0):
		return fmt.Errorf("sim: -rondo.seed=%d is the only seed that is tried: leave out -rondo.seeds, -rondo.for and -rondo.from, or -rondo.seed", o.seed)
	case o.seed == 0 && o.faults != "":
		return fmt.Errorf("sim: -rondo.faults names faults of one seed: give that seed too, by -rondo.seed")
	}
	return nil
}

// unused says which flags mean nothing to a Run for which the test says that seed.
func (o *runFlags) unused(seed uint64) (said []string) {
	for _, f := range []struct {
		name  string
		given bool
	}{{"seeds", o.seeds > 0}, {"from", o.from > 0}, {"for", o.span > 0}} {
		if f.given {
			said = append(said, fmt.Sprintf("-rondo.%s is for sim.Search, and nothing to sim.Run, which has one seed: -rondo.seed says which", f.name))
		}
	}
	if seed != 0 && o.seed != 0 {
		said = append(said, fmt.Sprintf("-rondo.seed=%d, and -rondo.faults with it, are not made use of, since the test sets Config.Seed=%d", o.seed, seed))
	}
	return said
}

// only are the faults that the flags leave, or else those that the test does.
func (o *runFlags) only(test []string) []string {
	switch o.faults {
	case "":
		return test
	case "none":
		return []string{}
	}
	return strings.Split(o.faults, ";")
}

// extent is what a search tries: seeds from first on, so many of them, or as many as there is time for.
type extent struct {
	first, n uint64
	span     time.Duration
}

// extent is that of a search for which the test says where it begins and how many seeds it tries. The time that the test has left is
// negative if that is without end.
func (o *runFlags) extent(first uint64, n int, left time.Duration) (extent, error) {
	if err := o.check(); err != nil {
		return extent{}, err
	}
	if o.span > 0 && left >= 0 && left <= o.span {
		return extent{}, fmt.Errorf("sim: -rondo.for=%v is longer than go test lets the test run: give it more time by -timeout, or as much as it takes by -timeout=0", o.span)
	}
	p := extent{first: max(first, 1), n: uint64(max(n, 0)), span: o.span}
	if o.seeds > 0 {
		p.n = uint64(o.seeds)
	}
	if o.from > 0 {
		p.first = o.from
	}
	if o.seed > 0 {
		p.first, p.n = o.seed, 1
	}
	if all := math.MaxUint64 - p.first + 1; o.span > 0 || p.n > all {
		p.n = all
	}
	return p, nil
}

// deadliner is a testing.T, or what wraps one; a testing.TB says nothing of time.
type deadliner interface {
	Deadline() (deadline time.Time, ok bool)
}

// timeLeft is how long a test may still run; less than zero is without end.
func timeLeft(t testing.TB) time.Duration {
	if d, ok := t.(deadliner); ok {
		if deadline, ok := d.Deadline(); ok {
			return max(0, time.Until(deadline)) //nolint:forbidigo // go test ends tests in real time
		}
	}
	return -1
}

// command is a command line for a run: with those faults alone; nil is all that the seed has. It works wherever the module of the test is the main one.
func command(name string, seed uint64, faults []string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	line := fmt.Sprintf("go test%s -run %s -rondo.seed=%d", testedPackage(), quoted(strings.Join(parts, "/")), seed)
	switch {
	case faults == nil:
		return line
	case len(faults) == 0:
		return line + " -rondo.faults=none"
	}
	return line + " -rondo.faults=" + quoted(strings.Join(faults, ";"))
}

// quoted is for a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// testedPackage is the path of the package whose tests these are, after a space; or nothing, if go test was given files.
func testedPackage() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path == "" {
		return ""
	}
	path, isTest := strings.CutSuffix(info.Path, ".test")
	if !isTest {
		return ""
	}
	return " " + path
}
