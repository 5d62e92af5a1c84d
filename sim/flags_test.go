package sim

import (
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// noted is a test whose failures and logs are kept.
type noted struct {
	testing.TB
	failures, logs []string
}

func (n *noted) Helper()      {}
func (n *noted) Failed() bool { return len(n.failures) > 0 }
func (n *noted) Error(args ...any) {
	n.failures = append(n.failures, fmt.Sprint(args...))
}

func (n *noted) Errorf(f string, args ...any) {
	n.failures = append(n.failures, fmt.Sprintf(f, args...))
}
func (n *noted) Logf(f string, args ...any) { n.logs = append(n.logs, fmt.Sprintf(f, args...)) }

// parsed are flags as a command line has them.
func parsed(t *testing.T, line string) *runFlags {
	t.Helper()
	set := flag.NewFlagSet("test", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	o := new(runFlags)
	o.declare(set)
	if err := set.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestFlags(t *testing.T) {
	const endless = -1
	for _, c := range []struct {
		line  string
		first uint64 // the test's
		left  time.Duration
		want  extent
		wrong string // of the error
	}{
		{line: "", left: endless, want: extent{first: 1, n: 100}},
		{line: "", first: 7, left: endless, want: extent{first: 7, n: 100}},
		{line: "-rondo.from=9", first: 7, left: endless, want: extent{first: 9, n: 100}},
		{line: "-rondo.from=18446744073709551615", left: endless, want: extent{first: math.MaxUint64, n: 1}},
		{line: "-rondo.seeds=5", first: 7, left: time.Second, want: extent{first: 7, n: 5}},
		{line: "-rondo.for=1m -rondo.from=3", left: time.Hour, want: extent{first: 3, n: math.MaxUint64 - 2, span: time.Minute}},
		{line: "-rondo.for=1m", left: endless, want: extent{first: 1, n: math.MaxUint64, span: time.Minute}},
		{line: "-rondo.seed=8 -rondo.faults=none", first: 7, left: endless, want: extent{first: 8, n: 1}},
		{line: "-rondo.for=10m", left: 10 * time.Minute, wrong: "-timeout=0"},
		{line: "-rondo.seeds=-1", wrong: "-rondo.seeds=-1 is no number"},
		{line: "-rondo.for=-1s", wrong: "-rondo.for=-1s is no time"},
		{line: "-rondo.for=1s -rondo.seeds=1", wrong: "give one of them"},
		{line: "-rondo.seed=1 -rondo.seeds=1", wrong: "the only seed"},
		{line: "-rondo.seed=1 -rondo.for=1s", wrong: "the only seed"},
		{line: "-rondo.seed=1 -rondo.from=1", wrong: "the only seed"},
		{line: "-rondo.faults=none", wrong: "by -rondo.seed"},
	} {
		got, err := parsed(t, c.line).extent(c.first, 100, c.left)
		switch {
		case c.wrong == "" && (err != nil || got != c.want):
			t.Errorf("%s: %+v, %v in place of %+v", c.line, got, err, c.want)
		case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, which does not say %q", c.line, err, c.wrong)
		}
	}
}

// A search with a time goes on until that has passed, whatever number the test asks for, and tries one seed at least.
func TestSearchForATime(t *testing.T) {
	for _, span := range []time.Duration{1, 30 * time.Millisecond} {
		began := time.Now()
		n := &noted{TB: t}
		next := uint64(1000)
		parsed(t, fmt.Sprintf("-rondo.for=%v -rondo.from=%d", span, next)).search(n, 1, Config{}, func(w *World) {
			if w.Seed() != next {
				t.Errorf("seed %d in place of %d", w.Seed(), next)
			}
			next++
		})
		said := fmt.Sprint(n.failures, n.logs)
		if took := time.Since(began); took < span || next == 1000 || said != fmt.Sprintf("[] [sim: none of %d seeds from 1000 on fails]", next-1000) {
			t.Errorf("a search for %v took %v, and says %s", span, took, said)
		}
	}
}

// What makes no sense is said before anything runs.
func TestSearchWithSenselessFlags(t *testing.T) {
	n := &noted{TB: t}
	parsed(t, "-rondo.seeds=-5").search(n, 1, Config{}, func(*World) { t.Error("it runs") })
	if len(n.failures) != 1 {
		t.Errorf("it says: %q", n.failures)
	}
}

func TestCommand(t *testing.T) {
	got := command("Test/it's_a|b", 3, []string{"abort a>b's:7#1", "kill c#2"})
	want := `go test github.com/rondo-go/rondo/sim -run '^Test$/^it'\''s_a\|b$' -rondo.seed=3 -rondo.faults='abort a>b'\''s:7#1;kill c#2'`
	if got != want {
		t.Errorf("%s\nin place of\n%s", got, want)
	}
}
