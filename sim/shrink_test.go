package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestKindOf(t *testing.T) {
	for _, alike := range [][]string{
		{"reading: read tcp 10.0.0.2:32775->10.0.0.1:7: read: reset\nmore", "reading: read tcp 10.0.0.12:1->10.0.0.1:7: read: reset"},
		{"took 1m2.003s, and was given 350µs", "took 0s, and was given 1h2m0.5s"},
		{"byte 17 of 0xc0012af is -1", "byte 1234 of 0xc1 is 2"},
	} {
		if a, b := kindOf(errors.New(alike[0])), kindOf(errors.New(alike[1])); a != b || !strings.Contains(a, "0") {
			t.Errorf("%s and %s", a, b)
		}
	}
	if a, b := kindOf(errors.New("5 hosts are late")), kindOf(errors.New("5 minutes are late")); a == b {
		t.Errorf("%s are two kinds of errors", a)
	}
}

// twoBugs cannot stand that a name is not found, nor that connecting is refused.
func twoBugs(w *World) {
	w.Host("server").Start(func(h *Host) error {
		_, err := h.Engine().ListenNet("tcp", ":7")
		return err
	})
	e := w.Host("client").Engine()
	for i := range 30 {
		w.Sleep(time.Second)
		_, err := e.DialContext(context.Background(), "tcp", "server:7")
		if _, ok := errors.AsType[*net.DNSError](err); ok {
			w.Errorf("attempt %d: bad name, after %v", i, w.Elapsed())
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			w.Errorf("attempt %d: bad line, after %v", i, w.Elapsed())
		}
	}
}

var twoCauses = Faults{LookupFail: 0.15, Refuse: 0.15}

// What a failure is shrunk to is the cause of it, and not of another that the same seed has; of that it is told apart.
func TestShrinkKeepsToTheFailure(t *testing.T) {
	seen := map[string]int{}
	for seed := uint64(1); seed <= 20; seed++ {
		cfg := Config{Seed: seed, Faults: twoCauses}
		w := newWorld(cfg)
		err := w.run(twoBugs)
		if err == nil {
			continue
		}
		n := &noted{TB: t}
		new(runFlags).search(n, 1, cfg, twoBugs)
		if len(n.failures) != 1 {
			t.Fatalf("seed %d: %d failures", seed, len(n.failures))
		}
		t.Log(n.failures[0])
		_, said, _ := strings.Cut(n.failures[0], "more runs):\n")
		faults, _, _ := strings.Cut(said, "to repeat it: ")
		for bug, cause := range map[string]string{"bad name": "  failed lookup ", "bad line": "  refuse "} {
			if !strings.Contains(firstLine(err.Error()), bug) {
				continue
			}
			if !strings.HasPrefix(faults, cause) || strings.Count(faults, "\n") != 1 || !strings.Contains(n.failures[0], bug) {
				t.Errorf("seed %d fails with %q, and that is shrunk to\n%s", seed, err, n.failures[0])
			}
			seen[bug]++
			if strings.Contains(said, "in another way: ") {
				seen[bug+" and another"]++
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("seeds have shown %v", seen)
	}
}

// A program that is not the same each time is told so.
func TestShrinkOfWhatIsNotTheSame(t *testing.T) {
	for _, c := range []struct {
		name  string
		later string // what it says when it runs again; empty: nothing
		want  string
	}{
		{"fails once", "", "a second run with the same faults did not fail"},
		{"fails otherwise", "something else", "failed in another way, so the program is not the same each time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			runs := 0
			n := &noted{TB: t}
			new(runFlags).search(n, 1, Config{Faults: twoCauses}, func(w *World) {
				if runs++; runs == 1 {
					twoBugs(w)
				} else if c.later != "" {
					w.Errorf("%s", c.later)
				}
			})
			if said := fmt.Sprint(n.failures); !strings.Contains(said, c.want) || strings.Count(said, "to repeat it: ") != 1 {
				t.Errorf("it says %s", said)
			}
		})
	}
}

// A failure that takes no fault at all is repeated without any.
func TestShrinkToNone(t *testing.T) {
	n := &noted{TB: t}
	new(runFlags).search(n, 1, Config{Faults: twoCauses}, func(w *World) {
		w.Errorf("whatever happens")
		twoBugs(w)
	})
	if said := fmt.Sprint(n.failures); !strings.Contains(said, "enough (2 more runs):\n  none\n") || !strings.Contains(said, "-rondo.seed=1 -rondo.faults=none") {
		t.Errorf("it says %s", said)
	}
}
