package sim

import (
	"strings"
	"sync"
	"testing"
)

// asked are the tests whose simulations were asked for faults by the flags, by their names, and those that these are parts of. A test may have many simulations,
// and its faults are those of one of them.
var asked = struct {
	sync.Mutex
	tests map[string]*askedTest
}{tests: map[string]*askedTest{}}

type askedTest struct {
	ends   bool // its end is seen to
	had    bool // a simulation, of it or of a part of it, had all the faults
	missed []error
}

func askedOf(name string) *askedTest {
	a := asked.tests[name]
	if a == nil {
		a = new(askedTest)
		asked.tests[name] = a
	}
	return a
}

// settle notes whether a simulation, which has ended with that error, had the faults that the flags ask for. When the test ends, it fails if none of them
// had; and the log says which had not.
func (w *World) settle(t testing.TB, err error) {
	asked.Lock()
	defer asked.Unlock()
	name := t.Name()
	a := askedOf(name)
	if missed := w.missed(); missed == nil {
		a.had = true
		for i := range len(name) {
			if name[i] == '/' {
				askedOf(name[:i]).had = true
			}
		}
	} else if err == nil { // else it may have ended before they came
		a.missed = append(a.missed, missed)
	}
	if a.ends {
		return
	}
	a.ends = true
	t.Cleanup(func() {
		asked.Lock()
		defer asked.Unlock()
		delete(asked.tests, name)
		if len(a.missed) == 0 {
			return
		}
		said, _ := strings.CutPrefix(a.missed[0].Error(), "sim: ")
		if a.had {
			t.Logf("sim: another simulation of this test had the faults asked for, and %d had not all of them: %s", len(a.missed), said)
		} else {
			t.Errorf("sim: %s", said)
		}
	})
}
