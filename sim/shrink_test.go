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

// What is put into a format varies, but not the errors that are: and where the format says nothing, the text does.
func TestKindOfComplaints(t *testing.T) {
	reset, timeout := fmt.Errorf("read 10.0.0.1:7: %w", syscall.ECONNRESET), errors.New(`read "a" of 10.0.0.1:7: too late`)
	for _, c := range []struct {
		a, b  error
		alike bool
	}{
		{complain("got %q, want %q", "abc", "abcd"), complain("got %q, want %q", "a--", "abcd"), true},
		{complain("got %s, want %v", "abc", []int{1}), complain("got %s, want %v", "xyz", []int(nil)), true},
		{complain("%-*s is late, by %[3]d", 5, "abc", 7), complain("%-*s is late, by %[3]d", 5, "xyz", 99), true},
		{complain("got %q", "abc"), complain("want %q", "abc"), false},
		{complain("reading: %v", reset), complain("reading: %v", timeout), false},
		{complain("reading: %w", reset), complain("reading: %w", fmt.Errorf("read 10.0.0.2:8: %w", syscall.ECONNRESET)), true},
		{complain("%v", reset), complain("%v", timeout), false},
		{complain("%s: %v", "abc", timeout), complain("%s: %v", "abc", errors.New(`read "" of 10.0.0.9:7: too late`)), true},
		{complain("%s", `"abc" of 5`), complain("%s", `"x\"z" of 7`), true},
		{complain("\n%s", "\tError Trace:\t/a/b_test.go:17\n\tError: x"), complain("\n%s", "\tError Trace:\t/a/b_test.go:17\n\tError: y"), true},
		{complain("\n%s", "\tError Trace:\t/a/b_test.go:17\n\tError: x"), complain("\n%s", "\tError Trace:\t/a/b_test.go:18\n\tError: x"), false},
	} {
		if a, b := kindOf(c.a), kindOf(c.b); (a == b) != c.alike {
			t.Errorf("%q and %q are of the kinds %q and %q", c.a, c.b, a, b)
		}
	}
	if err := complain("reading: %w", reset); err.Error() != "reading: "+reset.Error() || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v is not the error that it was made of", err)
	}
}

// gotWant checks all at its end, as tests do.
func gotWant(w *World) {
	w.Host("server").Start(func(h *Host) error {
		_, err := h.Engine().ListenNet("tcp", ":7")
		return err
	})
	e := w.Host("client").Engine()
	var got strings.Builder
	for range 20 {
		w.Sleep(time.Second)
		if _, err := e.DialContext(context.Background(), "tcp", "server:7"); err != nil {
			got.WriteByte('-')
		} else {
			got.WriteByte('+')
		}
	}
	if want := strings.Repeat("+", 20); got.String() != want {
		w.Errorf("got %q, want %q", got.String(), want)
	}
}

func TestShrinkGotAndWant(t *testing.T) {
	n := &noted{TB: t}
	new(runFlags).search(n, 10, Config{Faults: Faults{Refuse: 0.3, Lose: 0.3}}, gotWant)
	said := fmt.Sprint(n.failures)
	_, list, _ := strings.Cut(said, "more runs):\n")
	list, _, _ = strings.Cut(list, "to repeat it: ")
	if strings.Count(list, "\n") != 1 || !strings.HasPrefix(list, "  refuse ") || strings.Contains(said, "in another way") {
		t.Errorf("it says %s", said)
	}
}

// Of failures of many other kinds two are told.
func TestShrinkTellsFew(t *testing.T) {
	n := &noted{TB: t}
	runs := 0
	new(runFlags).search(n, 1, Config{Faults: Faults{Refuse: 1}}, func(w *World) {
		gotWant(w)
		if runs++; runs > 2 {
			w.errs = []error{errors.New(strings.Repeat("x", runs))}
		}
	})
	if said := fmt.Sprint(n.failures); strings.Count(said, "in another way: ") != 2 || strings.Count(said, "to repeat") != 3 || !strings.Contains(said, " more ways]") {
		t.Errorf("it says %s", said)
	}
}

// pressed is a test that has little time left.
type pressed struct {
	noted
	deadline time.Time
}

func (p *pressed) Deadline() (time.Time, bool) { return p.deadline, true }

// The seed is told before fewer faults are looked for, and that ends before the test's time does, also in the midst of a run.
func TestShrinkInTime(t *testing.T) {
	p := &pressed{noted{TB: t}, time.Now().Add(200 * time.Millisecond)}
	runs := 0
	new(runFlags).search(p, 1, Config{Faults: Faults{Refuse: 1}}, func(w *World) {
		if runs++; runs > 1 {
			if said := fmt.Sprint(p.logs); !strings.Contains(said, "seed 1 fails, and now fewer of its 20 faults") || !strings.HasSuffix(said, "-rondo.seed=1]") {
				t.Errorf("the log has only: %s", said)
			}
			for !w.failed {
				w.Sleep(time.Microsecond)
			}
		}
		gotWant(w)
	})
	said := fmt.Sprint(p.failures)
	if runs != 2 || !time.Now().Before(p.deadline) || !strings.Contains(said, "ms of real time: it may be that fewer are enough") ||
		strings.Count(said, "\n  refuse ") != 20 || strings.Contains(said, "not the same each time") {
		t.Errorf("after %d runs it says %s", runs, said)
	}
}

func TestTimeToShrink(t *testing.T) {
	for left, want := range map[time.Duration]time.Duration{-1: 10 * time.Second, time.Hour: 10 * time.Second, 4 * time.Second: 2 * time.Second, 0: 0} {
		if got := timeToShrink(left); got != want {
			t.Errorf("of %v it is %v in place of %v", left, got, want)
		}
	}
}
