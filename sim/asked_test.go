package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// part is a test, or a part of one, that ends when it is told to.
type part struct {
	noted
	name string
	last []func()
}

func (p *part) Name() string      { return p.name }
func (p *part) Cleanup(fn func()) { p.last = append(p.last, fn) }

func (p *part) end() {
	for _, fn := range slices.Backward(p.last) {
		fn()
	}
}

// callOnce fails if connecting is refused.
func callOnce(w *World) {
	w.Host("server").Start(func(h *Host) error {
		_, err := h.Engine().ListenNet("tcp", ":7")
		return err
	})
	if _, err := w.Host("client").Engine().DialContext(context.Background(), "tcp", "server:7"); err != nil {
		w.Errorf("refused")
	}
}

// A command line repeats what one simulation of a test has done, whatever others the test has, before or after.
func TestFaultsOfOneOfMany(t *testing.T) {
	const (
		others  = "another simulation of this test had the faults asked for"
		nothing = "these did not happen"
	)
	yes, no := Config{Faults: Faults{Refuse: 1}}, Config{}
	flags := parsed(t, "-rondo.seed=3")
	flags.faults = "refuse client>server:7#1"
	search := func(cfg Config) func(p *part) { return func(p *part) { flags.search(p, 5, cfg, callOnce) } }
	run := func(cfg Config) func(p *part) { return func(p *part) { flags.run(p, cfg, callOnce) } }
	fine := func(p *part) { flags.run(p, yes, func(w *World) { callOnce(w); w.errs = nil }) }
	for _, c := range []struct {
		name string
		what []func(p *part)
		want []string // of failures
		log  string
	}{
		{"one", []func(p *part){search(yes)}, []string{"refused"}, ""},
		{"one without", []func(p *part){search(no)}, []string{nothing}, ""},
		{"two", []func(p *part){search(no), search(yes)}, []string{"refused"}, others + ", and 1 had not"},
		{"two the other way", []func(p *part){search(yes), search(no)}, []string{"refused"}, others},
		{"run and search", []func(p *part){run(no), search(yes)}, []string{"refused"}, others},
		{"search and run", []func(p *part){search(no), run(yes)}, []string{"refused"}, others},
		{"a loop", []func(p *part){search(no), search(no), search(yes), search(no)}, []string{"refused"}, others + ", and 3 had not"},
		{"a loop without", []func(p *part){run(no), search(no), run(no)}, []string{nothing}, ""},
		{"does not fail", []func(p *part){search(no), fine}, nil, others},
		{"a seed of its own", []func(p *part){run(Config{Seed: 7})}, nil, "not made use of, since the test sets Config.Seed=7"},
	} {
		for range 2 { // as by go test -count=2
			p := &part{noted: noted{TB: t}, name: "Test/" + c.name}
			for _, do := range c.what {
				do(p)
			}
			p.end()
			logs := strings.Join(p.logs, "\n")
			if len(p.failures) != len(c.want) || len(c.want) > 0 && !strings.Contains(p.failures[0], c.want[0]) || !strings.Contains(logs, c.log) ||
				strings.Contains(logs, others) != strings.Contains(c.log, others) {
				t.Errorf("%s: it fails with %q, and logs %q", c.name, p.failures, p.logs)
			}
		}
	}

	whole := &part{noted: noted{TB: t}, name: "Test"}
	search(no)(whole)
	a := &part{noted: noted{TB: t}, name: "Test/a"}
	search(yes)(a)
	a.end()
	whole.end()
	if said := fmt.Sprint(whole.failures, len(a.failures)); said != "[] 1" || !strings.Contains(fmt.Sprint(whole.logs), others) {
		t.Errorf("the whole test fails with %s, logs %q", said, whole.logs)
	}
	for _, name := range []string{"Test", "Test/a"} {
		delete(asked.tests, name)
	}
}

// A search that fails after another one has is shrunk as well, and its log is its own.
func TestSearchAfterAFailure(t *testing.T) {
	n := &noted{TB: t}
	for range 2 {
		new(runFlags).search(n, 1, Config{Faults: Faults{Refuse: 1}}, callOnce)
	}
	if len(n.failures) != 2 || !strings.Contains(n.failures[1], "these are enough") {
		t.Errorf("it says %q", n.failures)
	}
}

// A Run says which flags mean nothing to it.
func TestRunOfUnusedFlags(t *testing.T) {
	for _, c := range []struct {
		line string
		seed uint64 // the test's
		want []string
		runs uint64
	}{
		{"", 7, nil, 7},
		{"-rondo.seed=3", 0, nil, 3},
		{"-rondo.seed=3 -rondo.faults=none", 7, []string{"-rondo.seed=3, and -rondo.faults with it, are not made use of, since the test sets Config.Seed=7"}, 7},
		{"-rondo.seeds=3 -rondo.from=9", 0, []string{"-rondo.seeds is for sim.Search", "-rondo.from is for sim.Search"}, 1},
		{"-rondo.for=1ms", 0, []string{"-rondo.for is for sim.Search"}, 1},
	} {
		n := &noted{TB: t}
		parsed(t, c.line).run(n, Config{Seed: c.seed}, func(w *World) {
			if w.Seed() != c.runs {
				t.Errorf("%s: the seed is %d in place of %d", c.line, w.Seed(), c.runs)
			}
		})
		if len(n.logs) != len(c.want) || len(n.failures) > 0 {
			t.Errorf("%s: it says %q, %q", c.line, n.logs, n.failures)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(n.logs[i], want) {
				t.Errorf("%s: it says %q in place of %q", c.line, n.logs[i], want)
			}
		}
	}
}
